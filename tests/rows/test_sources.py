"""Data larger than memory: every format gives the rows that stand in it, however it is cut."""

import bz2
import gzip
import json
import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import gather, problem

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.dataset as arrow_dataset  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from pyarrow import ipc  # noqa: E402

from tinynet_fast.rows.formats import base, is_source, open_source, records  # noqa: E402
from tinynet_fast.rows.formats import source as source_file  # noqa: E402


def table_of(X, y, names=None):
    names = names or [f"x{j}" for j in range(X.shape[1])]
    return pa.table({**{name: X[:, j] for j, name in enumerate(names)}, "label": y})


def csv_text(X, y):
    lines = [",".join([*(f"x{j}" for j in range(X.shape[1])), "label"])]
    lines += [",".join([*map(repr, row), str(label)]) for row, label in zip(X.tolist(), y.tolist(), strict=True)]
    return "\n".join(lines) + "\n"


def write(folder, kind, X, y, cut, number=0):
    path = folder / f"part{number}{kind}"
    table = table_of(X, y)
    if kind == ".parquet":
        pq.write_table(table, path, row_group_size=cut)
    elif kind in (".arrow", ".arrows"):
        with (ipc.new_file if kind == ".arrow" else ipc.new_stream)(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=cut)
    elif kind == ".npy":
        np.save(path, np.column_stack((X, (y == "pass").astype(X.dtype))))
    else:
        data = csv_text(X, y).encode()
        if kind.endswith(".gz"):
            data = gzip.compress(data)
        elif kind.endswith(".bz2"):
            data = bz2.compress(data)
        elif kind.endswith(".zst"):
            data = zstd(data)
        path.write_bytes(data)
    return path


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(data)
    return sink.getvalue().to_pybytes()


KINDS = [".csv", ".csv.gz", ".csv.bz2", ".csv.zst", ".parquet", ".arrow", ".arrows", ".npy"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(
    n=st.integers(1, 90),
    d=st.integers(1, 19),
    cut=st.integers(1, 40),
    chunk=st.integers(8, 2000),
    files=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_every_format_gives_the_rows_in_it(tmp_path_factory, kind, n, d, cut, chunk, files, seed):
    folder = tmp_path_factory.mktemp("data")
    parts = [problem(n + k, d, seed + k) for k in range(files)]
    paths = [write(folder, kind, X, y, cut, k) for k, (X, y) in enumerate(parts)]
    ref_X, ref_y = (np.concatenate(values) for values in zip(*parts, strict=True))
    if kind == ".npy":
        ref_y = (ref_y == "pass").astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK_BYTES", chunk)
        patch.setattr(records.CsvBytes.pieces, "__defaults__", (chunk,))
        source = open_source(paths if files > 1 else paths[0], -1 if kind == ".npy" else "label")
        for _ in range(2):
            comp_X, comp_y = gather(source)
            np.testing.assert_array_equal(comp_X, ref_X)
            assert comp_y.tolist() == ref_y.tolist()
        assert np.concatenate(list(source.labels_only())).tolist() == ref_y.tolist()
        start, stop = sorted(np.random.default_rng(seed).integers(0, len(ref_X) + 1, 2).tolist())
        comp_X, comp_y = gather(source, start, stop)
        np.testing.assert_array_equal(comp_X, ref_X[start:stop])
        if stop > start:
            assert comp_y.tolist() == ref_y[start:stop].tolist()
        row = start if start < len(ref_X) else 0
        at, inside = 0, row
        while inside >= len(parts[at][0]):
            inside -= len(parts[at][0])
            at += 1
        place = f"line {inside + 2}" if ".csv" in kind else f"row {inside + 1}"
        assert source.where(row) == f"{paths[at]}, {place}"
    assert source.n_rows == (None if ".csv" in kind or kind == ".arrows" else len(ref_X))
    assert source.anywhere == (kind in (".parquet", ".arrow", ".npy"))
    assert source.names == (None if kind == ".npy" else [f"x{j}" for j in range(d)])
    assert source.size_bytes == sum(path.stat().st_size for path in paths)
    assert source.repeatable
    assert source.dropped == 0


@pytest.mark.parametrize("kind", [".parquet", ".arrow", ".arrows", ".npy"])
@pytest.mark.parametrize("d", [1, 7, 8, 23])
def test_float32_stays(tmp_path, kind, d):
    X, y = problem(5000, d, 1, np.float32)
    path = write(tmp_path, kind, X, y, 700)
    source = open_source(path, -1 if kind == ".npy" else "label")
    assert source.dtype == np.float32
    np.testing.assert_array_equal(gather(source)[0], X)


def test_one_column_that_is_not_float32_makes_all_float64(tmp_path):
    pq.write_table(pa.table({"a": np.ones(3, np.float32), "b": [1, 2, 3], "t": [0, 1, 0]}), tmp_path / "a.parquet")
    assert open_source(tmp_path / "a.parquet", "t").dtype == np.float64
    assert open_source(tmp_path / "a.parquet", "t", features=["a"]).dtype == np.float32


def test_types_of_columns_and_labels(tmp_path):
    table = pa.table(
        {
            "whole": pa.array([2**62 + 1, -3, 5]),
            "flag": pa.array([True, False, True]),
            "half": pa.array([0.5, 1.5, 2.5], pa.float32()),
            "price": pa.array(["1.25", "2.50", "0.75"]).cast(pa.decimal128(5, 2)),
        }
    )
    ref = np.array([[2.0**62, 1, 0.5, 1.25], [-3, 0, 1.5, 2.5], [5, 1, 2.5, 0.75]])
    targets = {
        "text": pa.array(["a", "b", "a"]),
        "large": pa.array(["a", "b", "a"], pa.large_string()),
        "view": pa.array(["a", "b", "a"], pa.string_view()),
        "category": pa.array(["a", "b", "a"]).dictionary_encode(),
        "number": pa.array([1, 0, 1], pa.int8()),
        "bool": pa.array([True, False, True]),
        "float": pa.array([0.5, 1.5, 0.5], pa.float32()),
    }
    for name, target in targets.items():
        whole = table.append_column("t", target)
        with ipc.new_file(str(tmp_path / "a.arrow"), whole.schema) as writer:
            writer.write_table(whole)
        X, y = gather(open_source(tmp_path / "a.arrow", "t"))
        np.testing.assert_array_equal(X, ref)
        assert y.tolist() == target.to_pylist(), name
        assert y.dtype.kind == {"number": "i", "bool": "b", "float": "f"}.get(name, "U")


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".arrow"])
def test_many_columns(tmp_path, kind):
    X, y = problem(9, 10_000, 0)
    source = open_source(write(tmp_path, kind, X, y, 4), "label")
    np.testing.assert_array_equal(gather(source)[0], X)


def test_files_of_other_order_and_other_types(tmp_path):
    (tmp_path / "b1.csv").write_text("größe,b,t\n1,2,0\n")
    (tmp_path / "b2.csv").write_text("t,b,größe\n1,2.5,3\n")
    source = open_source(str(tmp_path / "b*.csv"), "t")
    X, y = gather(source)
    assert source.names == ["größe", "b"]
    assert X.tolist() == [[1, 2], [3, 2.5]]
    assert y.tolist() == [0, 1]
    pq.write_table(pa.table({"a": [1, 2], "t": [0, 1]}), tmp_path / "c1.parquet")
    pq.write_table(pa.table({"t": [0.0, 1.0], "a": [1.5, 2.5]}), tmp_path / "c2.parquet")
    X, y = gather(open_source(str(tmp_path / "c?.parquet"), "t"))
    assert X[:, 0].tolist() == [1, 2, 1.5, 2.5]
    assert y.tolist() == [0, 1, 0, 1]


def test_prediction_needs_no_target(tmp_path):
    X, y = problem(50, 3, 0)
    for kind in (".csv", ".parquet", ".arrow", ".arrows"):
        source = open_source(write(tmp_path, kind, X, y, 7), features=["x2", "x0"])
        comp, labels = gather(source)
        np.testing.assert_array_equal(comp, X[:, [2, 0]])
        assert labels is None


@pytest.mark.parametrize("first_index", [0, 1])
def test_svmlight(tmp_path, monkeypatch, small, first_index):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    from tinynet_fast.rows.formats import svmlight

    small(64)
    monkeypatch.setattr(svmlight, "PIECE_BYTES", 50)
    X, labels = problem(60, 4, 0)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0.0
    X[-1] = 1.0
    X[:7, 0] = 0.0  # the first pieces don't tell where indices begin
    y = np.where(labels == "pass", 1.0, -1.0)
    path = tmp_path / "a.svm"
    datasets.dump_svmlight_file(X, y, str(path), zero_based=first_index == 0, comment="a comment")
    ref, ref_y = datasets.load_svmlight_file(str(path))
    source = open_source(path)
    comp, comp_y = gather(source)
    np.testing.assert_array_equal(comp, ref.toarray())
    assert comp_y.tolist() == ref_y.tolist()
    assert np.concatenate(list(source.labels_only())).tolist() == ref_y.tolist()
    lines = path.read_text().splitlines()
    assert source.where(0) == f"{path}, line {sum(line.startswith('#') for line in lines) + 1}"
    assert source.where(59) == f"{path}, line {len(lines)}"


def test_arrow_objects(tmp_path):
    X, y = problem(3000, 5, 0)
    path = write(tmp_path, ".parquet", X, y, 400)
    table = table_of(X, y)

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    dataset = arrow_dataset.dataset(path)
    for given_, repeatable in ((dataset, True), (table.to_reader(max_chunksize=70), False), (Stream(), False)):
        assert is_source(given_)
        source = open_source(given_, "label")
        assert source.repeatable == repeatable
        comp, labels = gather(source)
        np.testing.assert_array_equal(comp, X)
        assert labels.tolist() == y.tolist()
        if repeatable:
            np.testing.assert_array_equal(gather(source)[0], X)
        else:
            with pytest.raises(ValueError, match="only once"):
                source.chunks()
        json.dumps(source.fingerprint())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_iterators(dtype):
    X, y = problem(100, 3, 0)
    X = (10 * X).astype(dtype)

    def blocks():
        for low in range(0, 100, 30):
            yield X[low : low + 30], y[low : low + 30]

    for given_ in (blocks, blocks()):
        source = open_source(given_)
        assert source.repeatable == callable(given_)
        assert source.dtype == (np.float32 if dtype == np.float32 else np.float64)
        comp, labels = gather(source, 10, 95)
        np.testing.assert_array_equal(comp, X[10:95])
        assert labels.tolist() == y[10:95].tolist()
    assert source.where(31) == "block 1, row 2"


def test_what_is_streamed_and_what_stays_in_memory(tmp_path):
    table = pa.table({"a": [1.0]})
    streamed = [tmp_path, "a.csv", [tmp_path], ["a.csv", "b.csv"], ["*.x"], iter([]), (x for x in []), lambda: iter([])]
    assert [is_source(X) for X in streamed] == [True] * len(streamed)
    kept = [[[1.0]], [1.0], np.ones(3), table, table.to_batches()[0], ["a", "b"], [], list, table["a"]]
    for library in ("pandas", "polars"):
        with suppress(ImportError):
            kept.append(__import__(library).DataFrame({"a": [1.0]}))
    assert [is_source(X) for X in kept] == [False] * len(kept)
    source = open_source(lambda: iter([([[1.0]], [0])]))
    assert is_source(source)
    assert open_source(source) is source


@pytest.mark.parametrize("kind", KINDS)
def test_rows_with_missing_values_are_left_out_and_counted(tmp_path, small, kind):
    small(300)
    X, y = problem(400, 5, 2)
    holes = np.random.default_rng(0).random(X.shape) < 0.05
    X[holes] = np.nan
    path = write(tmp_path, kind, X, y, 33)
    kept = ~holes.any(axis=1)
    source = open_source(path, -1 if kind == ".npy" else "label", drop_missing=True)
    for _ in range(2):
        comp, labels = gather(source)
        np.testing.assert_array_equal(comp, X[kept])
        assert len(labels) == kept.sum()
        assert source.dropped == 400 - kept.sum()
    assert source.n_rows is None
    if source.anywhere:
        assert source.all_rows == 400
    np.testing.assert_array_equal(gather(source, 20, 90)[0], X[20:90][kept[20:90]])
    parts = [(chunk.rows, chunk.numbers()) for chunk in source.chunks(20)]
    starts = np.cumsum([20, *(rows for rows, _ in parts)])[:-1]
    numbers = np.concatenate([start + places for start, (_, places) in zip(starts, parts, strict=True)])
    np.testing.assert_array_equal(numbers, 20 + np.flatnonzero(kept[20:]))  # as the file has them
    assert sum(map(len, source.labels_only())) == kept.sum()
    for row in np.flatnonzero(kept)[150], np.flatnonzero(~kept)[3]:
        place = f"line {row + 2}" if ".csv" in kind else f"row {row + 1}"
        assert source.where(int(row)) == f"{path}, {place}"


def test_labels_are_read_without_the_inputs(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,t\n1,no\n?,yes\n")
    source = open_source(path, "t")
    assert np.concatenate(list(source.labels_only())).tolist() == ["no", "yes"]
    with pytest.raises(ValueError, match="line 3"):
        list(source.chunks())


def test_a_chunk_whose_rows_are_all_left_out_has_no_labels():
    blocks = [(np.full((2, 1), np.nan), ["a", "b"]), (np.ones((3, 1)), ["a", "b", "a"])]
    source = open_source(lambda: iter(blocks), drop_missing=True)
    assert [labels.tolist() for labels in source.labels_only()] == [["a", "b", "a"]]


def test_missing_labels_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("a,t\n1,x\n2,NA\n3,y\n4,\n")
    pq.write_table(pa.table({"a": [1.0, 2, 3, 4], "t": ["x", None, "y", None]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"a": [1.0, 2, 3, 4], "t": [1.0, None, 0.0, np.nan]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"a": [1, None, 3, None], "t": [True, None, False, True]}), tmp_path / "c.parquet")
    for name in ("a.csv", "a.parquet", "b.parquet", "c.parquet"):
        source = open_source(tmp_path / name, "t", drop_missing=True)
        X, y = gather(source)
        assert X[:, 0].tolist() == [1, 3]
        assert len(y) == source.dropped == 2


def test_fingerprints(tmp_path):
    X, y = problem(100, 2, 0)
    path = write(tmp_path, ".parquet", X, y, 50)
    first = open_source(path, "label").fingerprint()
    assert json.loads(json.dumps(first)) == first
    assert first["files"][0]["name"] == "part0.parquet"
    assert open_source(path, "label").fingerprint() == first
    assert open_source(path, "label", features=["x0"]).fingerprint() != first
    X[99, 0] += 1
    status = path.stat()
    write(tmp_path, ".parquet", X, y, 50)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert open_source(path, "label").fingerprint() != first
    np.save(tmp_path / "X.npy", X)
    prints = [open_source(tmp_path / "X.npy", labels).fingerprint() for labels in (y, y.copy(), y[::-1])]
    assert prints[0] == prints[1] != prints[2]
    assert open_source(lambda: iter([([[1.0]], [0])])).fingerprint()["content"] is None


def test_parts_of_a_huge_file(tmp_path, monkeypatch):
    """They are spread over all of it: a changed run of bytes that is longer than the gaps between them is seen."""
    monkeypatch.setattr(source_file, "FINGER_BYTES", 16)
    path, content = tmp_path / "rows.npy", bytearray(source_file.FINGERS * 16 * 5)
    path.write_bytes(content)
    ref = source_file.Stamp.of(path).fingerprint()
    gap = len(content) // (source_file.FINGERS - 1) + 1
    for at in [0, 1000, len(content) // 2, len(content) - gap]:
        changed = content.copy()
        changed[at : at + gap] = b"x" * gap
        path.write_bytes(changed)
        assert source_file.Stamp.of(path).fingerprint() != ref
    path.write_bytes(content[:-1] + b"x")
    assert source_file.Stamp.of(path).fingerprint() != ref


def test_closing_stops_the_threads(tmp_path, small):
    import threading

    small(100)
    X, y = problem(2000, 20, 0)
    for kind in (".csv", ".parquet"):
        chunks = open_source(write(tmp_path, kind, X, y, 100), "label").chunks()
        next(chunks)
        chunks.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("tinynet_fast-read")]


def test_large_chunks_go_through_the_kernel(tmp_path):
    """More values than are turned by NumPy, in widths that are not whole eights, with integers among them."""
    for d in (1, 3, 8, 21):
        X, y = problem(70_000 // d + 5, d, d)
        X[:, 0] = np.round(X[:, 0])
        table = table_of(X, y).set_column(0, "x0", pa.array(X[:, 0].astype(np.int32)))
        pq.write_table(table, tmp_path / "a.parquet", row_group_size=9000)
        np.testing.assert_array_equal(gather(open_source(tmp_path / "a.parquet", "label"))[0], X)
