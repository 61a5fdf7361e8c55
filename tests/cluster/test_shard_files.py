"""Parquet files on a filesystem that is not local: how many bytes are read, in how many requests."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinynet_fast.cluster.inspection import place
from tinynet_fast.cluster.number_columns import Targets, columns_of
from tinynet_fast.cluster.readers import ParquetLabels, ParquetReader, _has_rows, _Placed, parquet_files
from tinynet_fast.cluster.tasks import Share
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.files import TableError

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem  # noqa: E402
from pyarrow import parquet  # noqa: E402

FILES: dict[str, bytes] = {}
ROWS = make_pass_fail(120_000, 16)
GROUP = 40_000


class CountedFile(AbstractBufferedFile):
    requests, n_bytes = 0, 0

    def _fetch_range(self, start, end):
        CountedFile.requests += 1
        CountedFile.n_bytes += end - start
        return FILES[self.path][start:end]


class Store(AbstractFileSystem):
    """Like an object store: each read is a request for a range of bytes, and fsspec reads ahead."""

    protocol = "store"

    def _open(self, path, mode="rb", block_size=None, cache_options=None, **options):
        return CountedFile(self, path, mode, block_size or "default", cache_options=cache_options, **options)

    def info(self, path, **options):
        name = self._strip_protocol(path)
        size = len(FILES.get(name, b""))
        return {"name": name, "size": size, "type": "file" if name in FILES else "directory"}

    def ls(self, path, detail=True, **options):
        return [self.info(name) for name in FILES] if detail else list(FILES)


@pytest.fixture(scope="module", autouse=True)
def files():
    fsspec.register_implementation("store", Store, clobber=True)
    for i in range(2):
        columns = {f"x{j}": ROWS.X[:, j] for j in range(16)}
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.table({**columns, "y": ROWS.y.astype(np.int8)}), sink, row_group_size=GROUP)
        FILES[f"data/part{i}.parquet"] = sink.getvalue().to_pybytes()
    yield
    FILES.clear()


@pytest.fixture
def reading():
    urls, layout = parquet_files("store://data/*.parquet", "y", None, {})
    assert urls == ["store://data/part0.parquet", "store://data/part1.parquet"]
    CountedFile.requests = CountedFile.n_bytes = 0
    return urls, layout


def test_every_byte_is_asked_for_once(reading):
    urls, layout = reading
    blocks = list(ParquetReader(layout, {})(Share(1), urls[1]))
    np.testing.assert_array_equal(np.concatenate([X for X, _ in blocks]), ROWS.X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in blocks]), ROWS.y)
    size = len(FILES["data/part1.parquet"])
    assert 0.9 * size < CountedFile.n_bytes < 1.2 * size  # footers are read when a file is opened, twice
    assert CountedFile.requests < 20


def test_a_share_reads_its_row_groups_alone(reading):
    urls, layout = reading
    share = Share(0, GROUP + 10, GROUP + 30, whole=False)
    ((X, y),) = ParquetReader(layout, {})(share, urls[0])
    np.testing.assert_array_equal(X, ROWS.X[GROUP + 10 : GROUP + 30])
    np.testing.assert_array_equal(y, ROWS.y[GROUP + 10 : GROUP + 30])
    assert CountedFile.n_bytes < 0.5 * len(FILES["data/part0.parquet"])


def test_labels_are_one_column(reading):
    urls, layout = reading
    np.testing.assert_array_equal(np.concatenate(list(ParquetLabels(layout, {})(Share(0), urls[0]))), ROWS.y)
    assert CountedFile.n_bytes < 0.1 * len(FILES["data/part0.parquet"])


def test_a_file_that_is_not_whole_or_not_alike_is_named(reading):
    FILES["data/part2.parquet"] = FILES["data/part1.parquet"][:1000]
    try:
        with pytest.raises(TableError, match=r"store://data/part2\.parquet: not a whole file"):
            parquet_files("store://data/*.parquet", "y", None, {})
    finally:
        del FILES["data/part2.parquet"]
    with pytest.raises(TableError, match="no file matches this pattern"):
        parquet_files("store://data/*.csv", "y", None, {})


def test_a_folder_stands_for_its_files(tmp_path):
    """A folder as Spark writes it: with any name, and with files that have no rows."""
    folder = tmp_path / "clicks.parquet"
    (folder / "old").mkdir(parents=True)
    for name, x in (("part-1.parquet", 2.0), ("part-0.parquet", 1.0), ("old/part-0.parquet", 3.0)):
        parquet.write_table(pa.table({"x": [x], "y": [0]}), folder / name)
    (folder / "_SUCCESS").touch()
    urls, layout = parquet_files(folder, "y", None, {})
    read = ParquetReader(layout, {})
    assert [X.item() for i, url in enumerate(urls) for X, _ in read(Share(i), url)] == [1.0, 2.0]
    assert parquet_files([f"{folder}/", f"file://{folder}/old"], "y", None, {})[0] == [
        *urls,
        f"file://{folder}/old/part-0.parquet",
    ]
    with pytest.raises(TableError, match=r"no file is in this folder; name .* pattern, as folder/\*\*/\*.parquet"):
        parquet_files(tmp_path, "y", None, {})
    assert len(parquet_files(f"{tmp_path}/**/*.parquet", "y", None, {})[0]) == 3
    with pytest.raises(FileNotFoundError):
        parquet_files(tmp_path / "nothing", "y", None, {})


def test_a_partition_without_columns():
    """The first one that it lacks is named; without rows it may lack all."""
    pd = pytest.importorskip("pandas", reason="partitions are frames")
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    share = SimpleNamespace(shard=3)
    assert _has_rows(share, frame, ["a"])
    assert not _has_rows(share, frame[:0], ["a", "c"])
    with pytest.raises(TableError, match=r"^partition 3: no column 'd'"):
        _has_rows(share, frame, ["a", "d", "c"])
    with pytest.raises(TableError, match=r"^partition 3: no column 'c'"):
        _has_rows(share, frame, ["a", "c"])


def test_rows_of_a_part_are_counted_from_the_partitions_first():
    part = _Placed.__new__(_Placed)
    part.share = SimpleNamespace(shard=2, start=10)
    assert part.where(5, 1) == place(2, 16)


def test_columns_of_numbers_to_learn_are_no_inputs():
    layout = SimpleNamespace(whole=SimpleNamespace(names=["a", "b", "c"], dtype=np.dtype(np.float32)))
    all_of_them, inputs = columns_of(layout, None), columns_of(layout, Targets(["b"], [1], 3))
    assert (all_of_them["names"], all_of_them["n_targets"], all_of_them["target_names"]) == (["a", "b", "c"], 0, None)
    assert (inputs["names"], inputs["n_targets"], inputs["target_names"]) == (["a", "c"], 1, ["b"])
    assert inputs["n_features"] == 2
    assert inputs["dtype"] == "float32"
