"""Tables that cannot be read as they are stored: one line each, with the file, the line or row, and the remedy."""

import gzip

import numpy as np
import pytest
from tables import fails_raw, save_arrow

from tinynet_fast.rows.formats import TableError, open_raw

GOOD = "GP;F;1\n" * 20  # lines 2 to 21, in several pieces


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b;c\n" + GOOD + "x;y\n" + GOOD, "line 22: 2 values where the first line names 3"),
        ("a;b;c\n" + GOOD + "x;y;z;w\n" + GOOD, "line 22: 4 values where the first line names 3"),
        (
            "a;b\n" + "".join(f"{k};F;1\n" for k in range(120)) + "x;y\n",
            "line 122: 2 values where the rows above have 3",
        ),
        ("a;b;c\n" + GOOD + 'x;y;"z\n', "line 22: unexpected end of data: close the quote"),
        ("a;b;c\n" + GOOD + 'x;"y"y;z\n1;2\n', "line 22: ';' expected after '\"'"),
        ("a;b;c\n" + GOOD + 'x;"y;z\n"1";2;3\n' + GOOD, "line 22: ';' expected after '\"'"),  # a quote left open
        ("a;b;c\n" + GOOD + "caf\udce9;y;z\n", "line 22: not UTF-8 text; .*encoding='latin-1'.*--encoding latin-1"),
        ("caf\udce9;b;c\n" + GOOD, "line 1: not UTF-8 text; .*encoding='latin-1'"),
        ("a;b;a\n1;2;3\n", "line 1: column name 'a' stands more than once"),
        ("a\0;b;c\n" + GOOD, "line 1: it holds zero bytes, so it is no text"),
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a;b\n", "no rows below the column names"),
        ("sep=;\n", "the file is empty"),
    ],
)
def test_hostile_csv(tmp_path, small, maybe_pyarrow, ending, text, message):
    small(100, 30)
    path = tmp_path / f"a{ending}"
    data = text.encode(errors="surrogateescape")
    path.write_bytes(gzip.compress(data) if ending == ".csv.gz" else data)
    fails_raw(f"a{ending}.*({message})", path)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"a;b\n1;2\n", {"names": ["c"]}, r"a\.csv: no column 'c'; it has a, b"),
        (b"a;b\n1;2\n", {"names": ["a", "a"]}, "'a' is named twice"),
        (b"a;b\n1;2\n", {"names": "a"}, "a list of column names is needed"),
        (b"a;b\n1;2\n", {"separator": ";;"}, "separator: ';;' is not one character"),
        (b"a;b\n1;2\n", {"separator": '"'}, "separator: '\"' is not one character"),
        (b"a;b\n1;2\n", {"encoding": "latin-one"}, "encoding: 'latin-one' is not a known encoding"),
        (b"a;b\n1;2\n", {"encoding": "rot13"}, "encoding: 'rot13' is not a known encoding"),
        (b"a;b\n1;\x81\n", {"encoding": "cp1252"}, r"a\.csv, line 2: not cp1252 text"),
        ("a;b\n1;2\n".encode("utf-16") + b"\0", {}, r"a\.csv, line 3: not utf-16 text"),
        (b"\xff\xfe" + "a;b\n1;2\n".encode("utf-16-le") + b"\x00\xdc", {}, r"a\.csv, line 3: not utf-16 text"),
        (b"__index_level_0__\n1\n", {}, "it has no column beside the index __index_level_0__; name another file"),
    ],
)
def test_what_is_asked_for_is_checked(tmp_path, maybe_pyarrow, data, options, message):
    (tmp_path / "a.csv").write_bytes(data)
    fails_raw(message, tmp_path / "a.csv", **options)


def test_files_without_column_names_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    (tmp_path / "a.svm").write_text("1 1:2\n")
    fails_raw(r"a\.npy: the columns of a npy file have no names", tmp_path / "a.npy")
    fails_raw(r"a\.svm: the columns of a svmlight file have no names", tmp_path / "a.svm")
    fails_raw("X is a generator; a path, or an Arrow dataset or reader is needed", (row for row in []))


def test_separators_are_for_csv_files(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    save_arrow(tmp_path / "a.parquet", pa.table({"a": [1]}))
    fails_raw("separator is for CSV files, and this is parquet", tmp_path / "a.parquet", separator=";")


def test_damaged_files(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    for ending in (".parquet", ".arrow", ".arrows"):
        path = tmp_path / f"a{ending}"
        save_arrow(path, pa.table({"a": [f"text {k}" for k in range(500)]}))
        path.write_bytes(path.read_bytes()[:-200])
        fails_raw(f"a{ending}: not a whole file of its kind", path)


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".arrows"])
@pytest.mark.parametrize("levels", [False, True])
def test_texts_that_are_not_utf8(tmp_path, ending, levels):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / f"a{ending}"
    column = pa.array(["x", "caf\u00e9", "y"])
    save_arrow(path, pa.table({"a": column.dictionary_encode() if levels else column}))
    path.write_bytes(path.read_bytes().replace("f\u00e9".encode(), b"f\xff\xff"))
    fails_raw(f"a{ending}: not a whole file of its kind, .*UTF8", path)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_that_changes(tmp_path, ending):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / f"a{ending}"

    def fill(n):
        if ending == ".csv":
            path.write_text("a\n" + "x\n" * n)
        else:
            save_arrow(path, pa.table({"a": ["x"] * n}))

    fill(5)
    source = open_raw(path)
    blocks = source.raw_blocks()
    next(blocks)
    fill(50_000)
    with pytest.raises(TableError, match="its size changed from"):
        list(blocks)
    with pytest.raises(TableError, match="its size changed from"):
        list(source.raw_blocks())
