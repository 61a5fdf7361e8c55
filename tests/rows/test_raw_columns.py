"""Tables as files have them: the same columns of texts or typed values from every format, and the place of each row."""

import bz2
import csv
import gzip
import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import fails, gather, gather_raw, save_arrow

from tinynet_fast.rows.formats import TableError, open_raw, open_source, records

HEADER = ["school", "sex", "hours, a week", "G3"]
ROWS = [
    ["GP", "F", "1.5", "12"],
    ["M;S", "M", " 2 ", ""],
    ['5" pipe', "NA", "1,25", "007"],
    ["a|b\tc", "", "-", "é€"],
    ["two\nlines", "F", "true", "0x1"],
] * 7
COLUMNS = {name: [row[j] for row in ROWS] for j, name in enumerate(HEADER)}


def spelled(separator, header=HEADER, rows=ROWS):
    """CSV text in which every cell that needs quotes has them."""

    def cell(text):
        return '"' + text.replace('"', '""') + '"' if set(text) & set(',;\t|"\n') else text

    return "".join(separator.join(map(cell, row)) + "\n" for row in [header, *rows])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("piece", [40, 1 << 20])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_separators(tmp_path, small, maybe_pyarrow, separator, piece, line_end):
    """Each cell is what was written, wherever the file is cut, and each row's place is its line."""
    small(1000, piece)
    path = tmp_path / "a.csv"
    path.write_bytes(spelled(separator).replace("\n", line_end).encode())
    for named in (None, separator):
        source = open_raw(path, separator=named)
        found, places = gather_raw(source)
        assert found == {k: [text.replace("\n", line_end) for text in v] for k, v in COLUMNS.items()}
        assert places[:6] == [f"{path}, line {n}" for n in (2, 3, 4, 5, 6, 8)]
        assert source.where(len(ROWS) - 1) == places[-1]
        assert (source.names, source.size_bytes) == (HEADER, path.stat().st_size)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv.gz", gzip.compress(spelled(";").encode())),
        ("a.csv.bz2", bz2.compress(spelled("|").encode())),
        ("a.tsv", spelled("\t").encode()),
        ("a.tsv.gz", gzip.compress(spelled("\t").encode())),
        ("a.csv", ("\ufeff" + spelled(";")).encode()),
        ("a.csv", ("\n\n" + spelled(";")).encode()),
        ("a.csv", ("sep=;\n" + spelled(";")).encode()),
        ("a.csv", ('"sep=\t"\r\n' + spelled("\t")).encode()),
        ("a.csv", spelled("\t").encode("utf-16")),
        ("a.txt", spelled("\t").encode("utf-16")),
        ("a.csv", spelled(",").encode("utf-32")),
        ("a.csv", b"\xfe\xff" + spelled(";").encode("utf-16-be")),
        ("a.csv.gz", gzip.compress(spelled(";").encode("utf-16"))),
    ],
)
def test_the_same_table_in_other_bytes(tmp_path, small, maybe_pyarrow, name, text):
    small(1000, 64)
    (tmp_path / name).write_bytes(text)
    assert gather_raw(open_raw(tmp_path / name))[0] == COLUMNS


@pytest.mark.parametrize("block", [3, 1 << 18])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437", "utf-16-le", "shift_jis", "utf-8"])
def test_encodings_that_are_named(tmp_path, small, maybe_pyarrow, monkeypatch, encoding, block):
    """Rows and their lines, wherever the file's bytes are cut."""
    monkeypatch.setattr("tinynet_fast.rows.formats.dialect.BLOCK_BYTES", block)
    small(1000, 10)
    word = "学校" if encoding == "shift_jis" else "naïve é"
    path = tmp_path / "a.csv"
    path.write_bytes(f"{word};x\r\n{word};1\r\n\r\n2;{word}\r\n".encode(encoding))
    found, places = gather_raw(open_raw(path, encoding=encoding))
    assert found == {word: [word, "2"], "x": ["1", word]}
    assert places == [f"{path}, line 2", f"{path}, line 4"]


def test_a_mark_says_more_than_a_name(tmp_path, maybe_pyarrow):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfa,b\n\xc3\xa9,1\n")
    assert gather_raw(open_raw(tmp_path / "a.csv", encoding="latin-1"))[0] == {"a": ["é"], "b": ["1"]}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1;2,3;4\n", ["a", "b"]),  # as before: a comma if it fits
        ("a;b,c\n1;2,3\n4;5,6\n", ["a;b", "c"]),
        ("a\n1;2\n3;4\n", ["a"]),  # one column
        ("a\nx\n", ["a"]),
        ("x;y\n1,5;2,5\n3,5;4,0\n", ["x", "y"]),  # decimal commas
        ("x, m;y\n1,5;2,5\n3;4\n3;4\n", ["x, m", "y"]),
        ("x;y\n", ["x", "y"]),
        ("id\ttext\n1\ta, b; c\n2\td, e; f\n", ["id", "text"]),
        ('"a;b";"c|d"\n1;2\n', ["a;b", "c|d"]),
        ("a;b;c\n1;2;3\n" * 1 + "4;5\n" + "1;2;3\n" * 50, ["a", "b", "c"]),
    ],
)
def test_which_separator_is_found(tmp_path, text, names):
    (tmp_path / "a.csv").write_text(text)
    assert records.CsvBytes(tmp_path / "a.csv").names == names


@settings(max_examples=100)
@given(
    rows=st.lists(st.lists(st.text('ab1;|\t, "\n', max_size=6), min_size=3, max_size=3), min_size=1, max_size=30),
    header=st.lists(st.text("ab;|\t", min_size=1, max_size=5).map(str.strip), min_size=3, max_size=3, unique=True),
)
def test_a_file_with_commas_is_never_cut_elsewhere(tmp_path_factory, rows, header):
    """Semicolons, tabs and bars in names and cells stay what they are, as before."""
    path = tmp_path_factory.mktemp("data") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    found, _ = gather_raw(open_raw(path))
    assert found == {name: [row[j] for row in rows] for j, name in enumerate(header)}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_numbers_with_any_separator(tmp_path, maybe_pyarrow, separator):
    """The way that reads numbers finds separators and names of rows, too."""
    for text in ("a;b;t\n1;2;x\n3;4;y\n", '"a";"b";"t"\n"r1";1;2;"x"\n"r2";3;4;"y"\n'):
        (tmp_path / "a.csv").write_text(text.replace(";", separator))
        X, y = gather(open_source(tmp_path / "a.csv", "t"))
        assert (X.tolist(), y.tolist()) == ([[1, 2], [3, 4]], ["x", "y"])
    (tmp_path / "a.csv").write_text("a;b;t\n1;2;x\n3;oops;y\n".replace(";", separator))
    fails("line 3, column 'b': 'oops' is not a number", tmp_path / "a.csv", "t")


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_row_names_of_r_are_left_out(tmp_path, maybe_pyarrow, separator):
    """A header of write.table has one name fewer than the rows have cells."""
    text = '"a";"b"\n"r1";1;"x"\n"r2";2;"y"\n"r3";3;"z"\n'.replace(";", separator)
    (tmp_path / "a.csv").write_text(text)
    source = open_raw(tmp_path / "a.csv", separator=" " if separator == " " else None)
    assert gather_raw(source)[0] == {"a": ["1", "2", "3"], "b": ["x", "y", "z"]}
    assert gather_raw(open_raw(tmp_path / "a.csv", separator=separator, names=["b"]))[0] == {"b": ["x", "y", "z"]}


def test_a_column_without_a_name_stays(tmp_path, maybe_pyarrow):
    (tmp_path / "a.csv").write_text(",a\n0,x\n1,y\n")
    assert gather_raw(open_raw(tmp_path / "a.csv"))[0] == {"": ["0", "1"], "a": ["x", "y"]}


def test_columns_that_are_named_come_in_that_order(tmp_path, maybe_pyarrow):
    (tmp_path / "a.csv").write_text(spelled(","))
    found, _ = gather_raw(open_raw(tmp_path / "a.csv", names=["G3", "school"]))
    assert list(found.items()) == [("G3", COLUMNS["G3"]), ("school", COLUMNS["school"])]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.arrow", "a.arrows", "year=7/a.csv", "year=7/a.parquet"])
def test_some_columns_of_a_source(tmp_path, name):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".csv":
        path.write_text("a,b,c\n1,2,3\n4,5,6\n")
    else:
        save_arrow(path, pa.table({"a": ["1", "4"], "b": ["2", "5"], "c": ["3", "6"]}))
    source = open_raw(tmp_path if "/" in name else path)
    whole, _ = gather_raw(source)
    for names in (["c", "a"], ["b"], source.names, source.names[::-1]):
        found, _ = gather_raw(source.only(names))
        assert list(found.items()) == [(name, whole[name]) for name in names]
    with pytest.raises(TableError, match="no column 'd'; it has a, b, c"):
        source.only(["a", "d"])
    if "/" in name:
        with pytest.raises(TableError, match="name at least one column that is in the files themselves"):
            source.only(["year"])


def test_a_pipe_is_opened_once(tmp_path):
    """Its columns are known, and then some of them are read."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("a;b\n1;x\n",))
    writer.start()
    source = open_raw(tmp_path / "pipe")
    writer.join()
    assert source.names == ["a", "b"]
    assert gather_raw(source.only(["b"]))[0] == {"b": ["x"]}


def test_several_files_may_have_other_separators_and_orders(tmp_path, maybe_pyarrow):
    (tmp_path / "a.csv").write_text("a;b\n1;x\n")
    (tmp_path / "b.csv").write_text("b,a\ny,2\n")
    found, places = gather_raw(open_raw(tmp_path))
    assert found == {"a": ["1", "2"], "b": ["x", "y"]}
    assert places == [f"{tmp_path / name}, line 2" for name in ("a.csv", "b.csv")]


def test_folders_give_a_column_of_texts(tmp_path, maybe_pyarrow):
    for year, rows in (("007", "x\n"), ("__HIVE_DEFAULT_PARTITION__", "y\n"), ("a%20b", "z\nw\n")):
        (tmp_path / f"year={year}").mkdir()
        (tmp_path / f"year={year}" / "part.csv").write_text("s\n" + rows)
    found, _ = gather_raw(open_raw(tmp_path))
    by_text = dict(zip(found["s"], found["year"], strict=True))
    assert (by_text.pop("y") or None) is None
    assert by_text == {"x": "007", "z": "a b", "w": "a b"}


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".arrows", "dataset", "reader"])
def test_arrow_tables_keep_their_types(tmp_path, small, ending):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    small(100)
    n = 50
    table = pa.table(
        {
            "number": pa.array([None if k == 7 else k / 8 for k in range(n)]),
            "text": [f"t{k % 3}" for k in range(n)],
            "level": pa.array([f"l{k % 4}" for k in range(n)]).dictionary_encode(),
            "day": pa.array(np.arange(n).astype("M8[D]")),
            "list": [[k] for k in range(n)],
            "yes": [k % 2 == 0 for k in range(n)],
            "__index_level_0__": list(range(n)),
        }
    )
    path = tmp_path / f"a{ending}"
    if ending == "dataset":
        X = pytest.importorskip("pyarrow.dataset").dataset(table)
    elif ending == "reader":
        X = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=11))
    else:
        X = path
        save_arrow(path, table)
    source = open_raw(X)
    blocks = list(source.raw_blocks())
    names = table.column_names[:-1]
    assert source.names == names
    assert all(list(block.columns) == names for block in blocks)
    assert len(blocks) > 1
    for name in names:
        column = pa.chunked_array([block.columns[name] for block in blocks])
        assert column.type == table.schema.field(name).type
        assert column.to_pylist() == table.column(name).to_pylist()
    assert blocks[-1].where(blocks[-1].rows - 1).endswith(f"row {n}")
    if ending == "reader":
        with pytest.raises(TableError, match="it can be read only once"):
            next(source.raw_blocks())


def test_a_reader_may_use_its_memory_again():
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    memory = np.zeros(3)

    def batches():
        for k in range(3):
            memory[:] = k
            yield pa.record_batch([pa.Array.from_buffers(pa.float64(), 3, [None, pa.py_buffer(memory)])], names=["a"])

    reader = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.float64())]), batches())
    kept = [block.columns["a"] for block in open_raw(reader).raw_blocks()]
    assert [column.to_pylist() for column in kept] == [[0.0] * 3, [1.0] * 3, [2.0] * 3]


def test_blocks_are_of_bounded_size(tmp_path, small, maybe_pyarrow):
    small(1 << 10, 1 << 10)
    (tmp_path / "a.csv").write_text("a,b\n" + "12345678,abcdefg\n" * 4000)
    rows = [block.rows for block in open_raw(tmp_path / "a.csv").raw_blocks()]
    assert sum(rows) == 4000
    assert max(rows) <= 200
