"""Errors for data larger than memory: each names file, line or row, and column, and says what to do."""

import bz2
import gzip
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.parquet as pq  # noqa: E402
from pyarrow import ipc  # noqa: E402

from tinynet_fast.rows.formats import TableError, open_source, parquet, records  # noqa: E402


def read(*arguments, **options):
    for _ in open_source(*arguments, **options).chunks():
        pass


@pytest.fixture
def fails(small):
    """Reading fails with one line that has the file's name and these words."""
    small(100, 30)

    def check(message, X, *arguments, **options):
        with pytest.raises(TableError) as info:
            read(X, *arguments, **options)
        assert re.search(message, str(info.value)), str(info.value)
        assert "\n" not in str(info.value)

    return check


GOOD = "".join(f"{k},{k},{'xy'[k % 2]}\n" for k in range(20))  # lines 2 to 21, in several pieces


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.bz2"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,t\n" + GOOD + "1,abc,x\n" + GOOD, "line 22, column 'b': 'abc' is not a number: correct it"),
        ("a,b,t\n" + GOOD + "1,,x\n" + GOOD, "line 22, column 'b': the value is missing: fill it or drop the row"),
        ("a,b,t\n" + GOOD + "nan,1,x\n" + GOOD, "line 22, column 'a': the value is missing"),
        ("a,b,t\n" + GOOD + "1,2,NA\n" + GOOD, "line 22, column 't': the value is missing"),
        ("a,b,t\n" + GOOD + "1,-inf,x\n" + GOOD, "line 22, column 'b': -inf is not finite"),
        ("a,b,t\n" + GOOD + "1,2\n" + GOOD, "line 22: 2 values where the first line names 3"),
        ("a,b,t\n" + GOOD + "1,2,x,4\n" + GOOD, "line 22: 4 values where the first line names 3"),
        ("a,b,t\n" + GOOD + '1,2,"x\ny"\n\n1,oops,x\n' + GOOD, "line 25, column 'b': 'oops' is not a number"),
        ("a,b,t\n" + GOOD + "1,2024-01-01,x\n", "line 22, column 'b': '2024-01-01' is not a number"),
        ("a,b,t\n" + GOOD + '1,2,"x\n', "line 22: unexpected end of data"),
        ("a,b,t\r\n" + GOOD.replace("\n", "\r\n") + "1,abc,x\r\n" + GOOD, "line 22, column 'b': 'abc' is not a number"),
        ("a,b,t\n1,true,x\n2,false,y\n3,4,x\n", "line 2, column 'b': 'true' is not a number"),
        ("a,b,t\n1,2,0\n3,4,1\n" + "5,6,0\n" * 20 + "7,8,many\n", "line 24, column 't': 'many', where the labels"),
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b,t\n", "no rows below the column names"),
        ("a,b,t", "no rows below the column names"),
        ("a,b,t\n\n\n", "no rows"),
        ("a,b,a,t\n1,2,3,x\n", "line 1: column name 'a' stands more than once; rename one"),
        ("a,b\n1,2\n", "no column 't'; it has a, b"),
        ("t\n1\n2\n", "no column beside the target 't'"),
    ],
)
def test_csv(fails, tmp_path, ending, text, message):
    path = tmp_path / f"data{ending}"
    pack = {".csv": bytes, ".csv.gz": gzip.compress, ".csv.bz2": bz2.compress}[ending]
    path.write_bytes(pack(text.encode()))
    fails(f"^{re.escape(str(path))}.*{message}", path, "t")


@pytest.mark.parametrize("text", [b"a,t\n1,x\n2,caf\xe9\n", b"\xe9,t\n1,x\n", "a,t\n1,x\n".encode("utf-16")])
def test_csv_that_is_not_utf8(fails, tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text)
    fails(r"a\.csv, line \d: not UTF-8 text; save the file as UTF-8", tmp_path / "a.csv", "t")


def test_a_quote_that_is_never_closed(fails, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 1000)
    (tmp_path / "a.csv").write_text("a,b,t\n" + GOOD + '1,2,"x\n' + GOOD * 20)
    fails(r"a\.csv, line 22: no end of this row in [\d,]+ bytes: is a quote left open", tmp_path / "a.csv", "t")


def test_booleans_first_and_a_number_later(fails, tmp_path, monkeypatch):
    from tinynet_fast.rows.formats import csv

    monkeypatch.setattr(csv, "SAMPLE_BYTES", 10)
    (tmp_path / "a.csv").write_text("b,t\n" + "true,x\nfalse,y\n" * 10 + "4,x\n")
    fails("line 22, column 'b': '4' is not true or false, as above", tmp_path / "a.csv", "t")


def test_infinity_is_refused_where_missing_values_are_left_out(fails, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,t\n,1,x\n1,inf,x\n2,3,y\n")
    fails("line 3, column 'b': inf is not finite", path, "t", drop_missing=True)
    pq.write_table(pa.table({"a": [None, 1.0, np.inf], "t": [0, 1, 0]}), tmp_path / "a.parquet")
    fails("row 3, column 'a': inf is not finite", tmp_path / "a.parquet", "t", drop_missing=True)
    path.write_text("a,b,t\n,1,x\n1,,x\n2,3,NA\n")
    fails("no rows without a missing value", path, "t", drop_missing=True)


def save(path, table, **options):
    if path.suffix == ".parquet":
        pq.write_table(table, path, **options)
    else:
        with (ipc.new_file if path.suffix == ".arrow" else ipc.new_stream)(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=7)


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".arrows"])
@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0] * 30 + [None] + [2.0] * 30, "row 31, column 'b': the value is missing: fill it or drop the row"),
        ([1] * 30 + [None] + [2] * 30, "row 31, column 'b': the value is missing"),
        ([True] * 30 + [None] + [False] * 30, "row 31, column 'b': the value is missing"),
        ([1.0] * 30 + [np.nan] + [2.0] * 30, "row 31, column 'b': the value is missing"),
        ([1.0] * 30 + [np.inf] + [2.0] * 30, "row 31, column 'b': inf is not finite"),
        (["text"] * 61, "row 1, column 'b': the column holds string, no numbers"),
        ([[1.0]] * 61, "row 1, column 'b': the column holds list"),
    ],
)
def test_arrow_columns(fails, tmp_path, ending, column, message):
    path = tmp_path / f"a{ending}"
    save(path, pa.table({"a": np.arange(61.0), "b": column, "t": [0, *[1] * 60]}))
    fails(f"^{re.escape(str(path))}, {message}", path, "t")


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".arrows"])
def test_arrow_tables(fails, tmp_path, ending):
    path = tmp_path / f"a{ending}"
    save(path, pa.table({"a": [1.0, 2.0], "t": ["x", None]}))
    fails(r"row 2, column 't': the value is missing", path, "t")
    fails(r"no column 'u'; it has a, t", path, "u")
    fails(r"no column 'z'; it has a, t", path, "t", features=["z"])
    if ending != ".arrows":
        with pytest.raises(TableError, match="row 2, column 't': the value is missing"):
            list(open_source(path, "t").labels_only())
        save(path, pa.table({"a": pa.array([], pa.float64()), "t": pa.array([], pa.int64())}))
        fails("no rows: at least one is needed$", path, "t")
    whole = pa.table({"a": np.random.default_rng(0).random(5000), "t": np.arange(5000) % 2})
    save(path, whole)
    path.write_bytes(path.read_bytes()[:-3000])
    fails(f"^{re.escape(str(path))}: not a whole file of its kind, or a damaged one", path, "t")
    path.write_bytes(b"this is something else")
    fails(f"^{re.escape(str(path))}: not a whole file of its kind", path, "t")


def test_damaged_in_the_middle(fails, tmp_path):
    path = tmp_path / "a.parquet"
    save(path, pa.table({"a": np.random.default_rng(0).random(5000), "t": np.arange(5000) % 2}))
    data = bytearray(path.read_bytes())
    data[:300] = b"\xff" * 300
    path.write_bytes(bytes(data))
    fails(r"a\.parquet: not a whole file", path, "t")
    rows = gzip.compress(b"a,t\n1,x\n2,y\n" * 1000)
    (tmp_path / "a.csv.gz").write_bytes(rows[:-30])
    fails(r"a\.csv\.gz.*(damaged|values where)", tmp_path / "a.csv.gz", "t")
    (tmp_path / "b.csv.gz").write_bytes(b"a,t\n1,x\n")
    fails(r"b\.csv\.gz: not a whole file", tmp_path / "b.csv.gz", "t")


def test_npy(fails, tmp_path):
    path = tmp_path / "X.npy"
    X = np.ones((60, 2))
    X[31, 1] = np.nan
    np.save(path, X)
    fails(r"X\.npy, row 32, column 1: the value is missing", path, np.ones(60))
    X[31, 1] = -np.inf
    np.save(path, X)
    fails(r"X\.npy, row 32, column 1: -inf is not finite", path, np.ones(60))
    fails(r"60 rows and labels of shape \(59,\)", path, np.ones(59))
    fails(r"no column 7 for the target; it has 2 columns", path, 7)
    fails(r"its columns have no names", path, 1, features=["a"])
    fails(r"X\.npy, row 32, column 1: -inf is not finite", path, -1)
    np.save(path, np.ones((3, 2, 2)))
    fails(r"an array of shape \(3, 2, 2\)", path)
    np.save(path, np.array([["a"]]))
    fails("it holds text", path)
    np.save(path, np.array([[1j]]))
    fails("it holds values of type complex128", path)
    np.save(path, np.array([[None]]), allow_pickle=True)
    fails("it holds values of type object", path)
    np.save(path, np.ones((60, 2)))
    path.write_bytes(path.read_bytes()[:-8])
    fails(r"truncated: it has 1,080 of 1,088 bytes", path)
    path.write_bytes(b"something else")
    fails(r"not a \.npy file", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1:2\n" * 30 + "0 1:abc\n" + "1 1:2\n" * 30, "line 31: .*abc.*needed"),
        ("1 1:2\n" * 30 + "# note\n0 1:nan\n", "line 32, column 0: the value is missing"),
        ("1 1:2\n" * 30 + "0 1:inf\n", "line 31, column 0: inf is not finite"),
        ("1 1:2\n" * 30 + "nan 1:2\n", "line 31, the label: the value is missing"),
        ("x 1:2\n", "line 1: .*needed"),
        ("1\n0\n", "no row has a value"),
        ("# nothing\n", "the file is empty"),
    ],
)
def test_svmlight(fails, tmp_path, monkeypatch, text, message):
    pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    from tinynet_fast.rows.formats import svmlight

    monkeypatch.setattr(svmlight, "PIECE_BYTES", 20)
    (tmp_path / "a.svm").write_text(text)
    fails(rf"a\.svm.*{message}", tmp_path / "a.svm")


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "gives no rows"),
        ([([[1.0]], [0]), ([[1.0, 2.0]], [0])], "block 1: 2 columns, and block 0 has 1"),
        ([([[1.0]], [0]), ([["a"]], [0])], r"block 1: X\[0, 0\] is 'a'"),
        ([([[1.0], [np.nan]], [0, 1])], "block 0, row 2, column 0: the value is missing"),
        ([([[1.0], [np.inf]], [0, 1])], "block 0, row 2, column 0: inf is not finite"),
        ([([[1.0], [2.0]], [0])], "block 0: 1 labels for 2 rows: one label a row"),
        ([([[1.0]], [0]), ([[1.0]], ["x"])], "block 1: its labels are not of the kind of block 0's"),
        ([([[1.0]], [0]), ([[1.0]], None)], "block 1: its labels are not of the kind of block 0's"),
        ([(np.ones((1, 1), np.float32), [0]), ([[1.0]], [0])], "block 1: rows of float64, and block 0 has float32"),
        ([([[1.0]], [np.nan])], "block 0, row 1, the label: the value is missing"),
    ],
)
def test_iterators(fails, blocks, message):
    fails(message, lambda: iter(blocks))


def test_names_of_columns(fails, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,t\n1,2,x\n3,4,y\n")
    fails("'t' is the target; leave it out of the features", path, "t", features=["a", "t"])
    fails("'a' is named twice", path, "t", features=["a", "a"])
    fails("name at least one column", path, "t", features=[])
    fails("a list of column names", path, "t", features="ab")
    fails("a list of column names", path, "t", features=1)
    fails("no column 'c'; it has a, b, t", path, "t", features=["c"])
    fails("y is a ndarray; here it is the name of the target column", path, np.ones(2))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_several_files(fails, tmp_path, ending):
    def put(name, columns):
        if ending == ".csv":
            rows = zip(*columns.values(), strict=True)
            text = "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)])
            (tmp_path / name).with_suffix(ending).write_text(text + "\n")
        else:
            pq.write_table(pa.table(columns), (tmp_path / name).with_suffix(ending))

    put("1", {"a": [1, 2], "b": [3, 4], "t": [0, 1]})
    put("2", {"b": [1], "t": [1]})
    pattern = str(tmp_path / f"*{ending}")
    fails(rf"2\{ending}: no column 'a'; it has b, t", pattern, "t")
    put("2", {"b": [1], "t": [1], "a": [1], "c": [1]})
    fails(rf"2\{ending}: column 'c' is not in .*1\{ending}; remove it, or name the features", pattern, "t")
    read(pattern, "t", features=["a", "b"])
    put("2", {"b": [1], "t": ["many"], "a": [1]})
    fails(rf"2\{ending}.*column 't'", pattern, "t")


def test_files_that_are_not_there(fails, tmp_path):
    with pytest.raises(FileNotFoundError) as info:
        open_source(tmp_path / "none.csv", "t")
    assert info.value.filename == str(tmp_path / "none.csv")
    fails("no file is in this folder", tmp_path, "t")
    fails(r"none-\*\.csv: no file matches this pattern", str(tmp_path / "none-*.csv"), "t")
    (tmp_path / "a.txt").write_text("a,t\n1,2\n")
    fails(r"a\.txt: unknown suffix '\.txt'; \.csv, \.tsv, \.parquet", tmp_path / "a.txt", "t")
    (tmp_path / "a.csv").write_text("a,t\n1,2\n")
    (tmp_path / "a.npy").write_text("")
    fails(r"a\.npy: npy, and .*a\.csv is csv", [tmp_path / "a.csv", tmp_path / "a.npy"], "t")
    fails(r"a\.npy: the file is empty", tmp_path / "a.npy")
    fails("X is a int", 3)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_files_that_changed(tmp_path, ending):
    path = tmp_path / f"a{ending}"

    def put(n):
        if ending == ".csv":
            path.write_text("a,t\n" + "1,0\n" * n)
        else:
            pq.write_table(pa.table({"a": np.random.default_rng(n).random(n), "t": [0] * n}), path)

    put(5)
    source = open_source(path, "t")
    source.check_unchanged()
    path.touch()
    with pytest.raises(TableError, match=f"{path}: it was written to since it was opened"):
        source.check_unchanged()
    put(500)
    with pytest.raises(TableError, match=rf"{path}: its size changed from \d+ to [\d,]+ bytes"):
        source.check_unchanged()
    path.unlink()
    with pytest.raises(TableError, match=f"{path}: the file is gone"):
        source.check_unchanged()


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [("a.csv.zst", "pyarrow", "io"), ("a.parquet", "pyarrow", "io"), ("a.svm", "sklearn.datasets", "sklearn")],
)
def test_what_is_not_installed(tmp_path, monkeypatch, name, library, extra):
    (tmp_path / name).write_text("1 1:2\n")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"pip install 'tinynet-fast\[{extra}\]'"):
        open_source(tmp_path / name)


@pytest.mark.parametrize(("groups", "whole"), [([3], 4), ([5, -1], 4)])
def test_a_parquet_file_whose_parts_do_not_add_up(tmp_path, monkeypatch, groups, whole):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0, 3.0, 4.0], "t": [0, 1, 0, 1]}), path)
    rows = [SimpleNamespace(num_rows=n) for n in groups]
    damaged = SimpleNamespace(
        metadata=SimpleNamespace(num_rows=whole, row_group=rows.__getitem__), num_row_groups=len(rows)
    )
    monkeypatch.setattr(parquet.ParquetPart, "_open", lambda self: damaged)
    with pytest.raises(TableError, match=rf"a\.parquet: .*: 4 rows, and {sum(groups)} in its parts"):
        open_source(path, "t")


def test_labels_that_are_lists(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0], "t": [[0], [1]]}), path)
    with pytest.raises(TableError, match=r"a\.parquet, column 't': it holds list.*: use numbers, booleans or text"):
        open_source(path, "t")
