"""Labels that Parquet and Arrow files hold once for many rows, and batches that are short or damaged."""

import numpy as np
import pytest
from tables import fails, gather

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_source

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")


def write_coded(path, groups, values, rows):
    """A Parquet file with `groups` row groups of `rows` rows. Each has its own dictionary of the labels `values`."""
    import pyarrow.parquet as pq

    coded = pa.DictionaryArray.from_arrays(pa.array(np.arange(rows) % len(values), pa.int32()), pa.array(values))
    table = pa.table({"a": np.zeros(rows), "t": coded})
    with pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as writer:
        for _ in range(groups):
            writer.write_table(table)


@pytest.fixture
def arrow_peak():
    """A function for the most bytes that Arrow held since the test began."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    yield pool.max_memory
    pa.set_memory_pool(before)


@pytest.mark.parametrize("alone", [False, True])
def test_packed_labels_are_refused_before_they_are_repeated(tmp_path, arrow_peak, alone):
    path = tmp_path / "a.parquet"
    write_coded(path, 2, ["x" * 100_000, "y" * 100_000], 800)
    assert path.stat().st_size < 10_000
    start = arrow_peak()
    with pytest.raises(TableError, match=r"a\.parquet, row 1 or below: a label of 100,000 characters in 1,600 rows"):
        list(open_source(path, "t").labels_only() if alone else open_source(path, "t").chunks())
    assert arrow_peak() - start < 1e7


@pytest.mark.parametrize("encoding", [None, "PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("kind", ["string", "large_string", "binary"])
@pytest.mark.parametrize("stored", [False, True])
def test_texts_are_the_same_in_every_encoding(tmp_path, small, encoding, kind, stored):
    import pyarrow.parquet as pq

    small(8 * 70, 100)
    path, n = tmp_path / "a.parquet", 500
    texts = np.array([f"label {k % 7 if k < 300 else k}é" for k in range(n)])
    labels = pa.array(texts).cast(getattr(pa, kind)())
    how = (
        {"use_dictionary": True} if encoding is None else {"use_dictionary": False, "column_encoding": {"t": encoding}}
    )
    pq.write_table(pa.table({"a": np.arange(n), "t": labels}), path, row_group_size=90, store_schema=stored, **how)
    for start, stop in ((0, None), (0, 500), (95, 431)):
        X, y = gather(open_source(path, "t"), start, stop)
        assert X[:, 0].tolist() == list(range(n))[start:stop]
        assert y.tolist() == texts[start:stop].tolist()
    assert np.concatenate(list(open_source(path, "t").labels_only())).tolist() == texts.tolist()
    assert [len(chunk.y) for chunk in open_source(path, "t").chunks()][:3] == [70] * 3


def test_a_file_whose_later_texts_are_stored_by_their_differences(tmp_path):
    import pyarrow.parquet as pq

    path, n = tmp_path / "a.parquet", 3000
    texts = ["x", "y"] * 500 + [f"{k:0100}" for k in range(n - 1000)]
    options = {"dictionary_pagesize_limit": 1000, "data_page_size": 1000, "row_group_size": 1000}
    pq.write_table(pa.table({"a": np.arange(n), "t": texts}), path, **options)
    X, y = gather(open_source(path, "t"))
    assert X[:, 0].tolist() == list(range(n))
    assert y.tolist() == texts


def test_a_long_label_counts_where_it_stands(tmp_path, small, monkeypatch):
    """A row group's dictionary holds labels that few of its rows have, and a missing one may stand for any of them."""
    from tinynet_fast.rows.formats import columns

    small(8 * 100, 100)
    monkeypatch.setattr(columns, "LABEL_BYTES", 4 * 300 * 50)
    path, texts = tmp_path / "a.parquet", ["x", "y"] * 100 + [None, "x", "z" * 300]
    coded = pa.array(texts).dictionary_encode()
    import pyarrow.parquet as pq

    for stored in (True, False):
        pq.write_table(pa.table({"a": np.arange(203.0), "t": coded}), path, store_schema=stored)
        _, y = gather(open_source(path, "t", drop_missing=True))
        assert y.tolist() == [text for text in texts if text is not None]
        fails(r"row 201, column 't': the value is missing", path, "t")
    codes, dictionary = pa.array([1, 0, 2], pa.int32()), pa.array(["x", None, "y"])
    found, gone = columns.labels(pa.DictionaryArray.from_arrays(codes, dictionary))
    assert found.tolist() == ["", "x", "y"]
    assert gone.tolist() == [True, False, False]


def test_codes_outside_of_their_dictionary():
    from tinynet_fast.rows.formats.arrow import check_codes

    for code in (-1, 2):
        codes = pa.array([0, None, code, 1], pa.int32())
        with pytest.raises(ValueError, match=f"a value {code} of a dictionary of 2"):
            check_codes(pa.DictionaryArray.from_arrays(codes, pa.array(["x", "y"]), safe=False))
    check_codes(pa.array([None, "x"]).dictionary_encode())
    check_codes(pa.array([None, None], pa.string()).dictionary_encode())


def write_batches(path, rows, new):
    with new(str(path), rows.schema) as writer:
        writer.write_table(rows, max_chunksize=1)


@pytest.mark.parametrize("ending", ["arrow", "arrows", "parquet"])
def test_short_batches_are_joined(tmp_path, small, ending):
    import pyarrow.parquet as pq
    from pyarrow import ipc

    path, n = tmp_path / f"a.{ending}", 300
    rows = pa.table({"a": np.arange(float(n)), "more": ["no input"] * n, "t": [f"label {k % 3}" for k in range(n)]})

    def write(rows):
        if ending == "parquet":
            pq.write_table(rows, path, row_group_size=1)
        else:
            write_batches(path, rows, ipc.new_file if ending == "arrow" else ipc.new_stream)

    write(rows)
    small(8 * 70, 100)
    source = open_source(path, "t", features=["a"])
    chunks = list(source.chunks())
    assert [len(chunk.y) for chunk in chunks] == [70] * 4 + [20]
    assert np.concatenate([chunk.X[:, 0] for chunk in chunks]).tolist() == list(range(n))
    assert np.concatenate([chunk.y for chunk in chunks]).tolist() == rows["t"].to_pylist()
    assert np.concatenate(list(source.labels_only())).tolist() == rows["t"].to_pylist()
    assert [source.where(k) for k in (0, 69, 70, 299)] == [f"{path}, row {k + 1}" for k in (0, 69, 70, 299)]
    if ending != "arrows":
        X, y = gather(source, 65, 145)
        assert X[:, 0].tolist() == list(range(65, 145))
        assert y.tolist() == rows["t"].to_pylist()[65:145]
    write(rows.set_column(0, "a", pa.array([None if k == 75 else float(k) for k in range(n)])))
    fails(r"row 76, column 'a': the value is missing", path, "t", features=["a"])


def test_rows_above_a_damaged_batch_come_first():
    from tinynet_fast.rows.formats.arrow import joined

    def batches():
        for k in range(5):
            yield pa.record_batch({"a": [k]})
        raise ValueError("damaged")

    comp = joined(batches(), 3)
    assert next(comp)["a"].to_pylist() == [0, 1, 2]
    assert next(comp)["a"].to_pylist() == [3, 4]
    with pytest.raises(ValueError, match="damaged"):
        next(comp)


def test_joined_batches_are_not_too_large():
    """A batch that would make too many rows starts the next block."""
    from tinynet_fast.rows.formats.arrow import joined

    parts = [pa.record_batch({"a": list(range(k))}) for k in (2, 2, 1, 5, 2, 1, 1)]
    comp = [batch["a"].to_pylist() for batch in joined(iter(parts), 3)]
    assert comp == [[0, 1], [0, 1, 0], [0, 1, 2, 3, 4], [0, 1, 0], [0]]


def test_batches_that_arrow_cannot_join():
    """Codes of one byte do not suffice for the labels of all batches together."""
    from tinynet_fast.rows.formats.arrow import joined

    codes = pa.array(np.arange(100), pa.int8())
    parts = [pa.DictionaryArray.from_arrays(codes, pa.array([f"{k} {i}" for i in range(100)])) for k in range(3)]
    comp = list(joined((pa.record_batch({"t": part}) for part in parts), 1000))
    assert [text for batch in comp for text in batch["t"].to_pylist()] == [
        t for part in parts for t in part.to_pylist()
    ]
