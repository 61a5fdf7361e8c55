"""CSV files: what is read, and errors that name file, line and column; with pyarrow and without it."""

import hashlib
import sys

import numpy as np
import pytest
from tables import gather

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_source
from tinynet_fast.rows.formats.source import Stamp


@pytest.fixture(params=["pyarrow", "csv"])
def reader(request, monkeypatch):
    """Both parsers have to give the same table and the same errors."""
    if request.param == "csv":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    else:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    return request.param


class Table:
    """A file's columns, as inputs or as labels."""

    def __init__(self, path):
        self.path, self.columns = path, open_source(path).names

    def matrix(self, names):
        return gather(open_source(self.path, features=names))[0]

    def labels(self, name):
        return np.concatenate(list(open_source(self.path, name).labels_only()))


@pytest.fixture
def table(tmp_path, reader):
    def read(text, encoding="utf-8"):
        path = tmp_path / "data.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return Table(path)

    return read


def test_types(table):
    t = table("n,x,flag,name\n1,0.5,true,a\n-2,1e3,false,b\n")
    assert list(t.columns) == ["n", "x", "flag", "name"]
    assert [t.labels(c).dtype.kind for c in t.columns] == ["i", "f", "b", "U"]
    assert t.matrix(["x", "n", "flag"]).tolist() == [[0.5, 1.0, 1.0], [1e3, -2.0, 0.0]]
    assert t.labels("name").tolist() == ["a", "b"]
    assert t.labels("n").tolist() == [1, -2]


def test_floats_come_back_bit_for_bit(table):
    values = np.random.default_rng(0).standard_normal(500) * 10.0 ** np.arange(-250, 250)
    t = table("x\n" + "\n".join(map(repr, values.tolist())) + "\n")
    assert t.matrix(["x"])[:, 0].tolist() == values.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "a,b\r\n1,x\r\n2,y\r\n",
        "\ufeffa,b\n1,x\n2,y\n",
        '"a","b"\n"1","x"\n2,y',
        "a,b\n\n1,x\n\n2,y\n\n",
    ],
    ids=["CRLF", "byte order mark", "quotes", "blank lines"],
)
def test_spellings_of_the_same_table(table, text):
    t = table(text)
    assert t.matrix(["a"]).tolist() == [[1.0], [2.0]]
    assert t.labels("b").tolist() == ["x", "y"]


def test_quoted_newlines_and_commas_and_names_in_utf8(table):
    t = table('größe,"na,me"\n1,"two\nlines"\n2,"a, b"\nbad,"c"\n')
    assert t.labels("na,me").tolist() == ["two\nlines", "a, b", "c"]
    with pytest.raises(TableError, match=r"data\.csv, line 5, column 'größe': 'bad' is not a number"):
        t.matrix(["größe"])


def test_labels_are_not_rewritten(table):
    t = table("t,d,w\n12:00,2024-01-01,1\n13:30,2024-01-02,0x1F\n")
    assert t.labels("t").tolist() == ["12:00", "13:30"]
    assert t.labels("d").tolist() == ["2024-01-01", "2024-01-02"]


def test_many_columns(table):
    names = [f"c{j}" for j in range(3000)]
    t = table(",".join(names) + "\n" + ",".join(["1"] * 3000) + "\n" + ",".join(["2"] * 3000) + "\n")
    assert t.matrix(names).shape == (2, 3000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a,b\n", "no rows below the column names"),
        ("a,b\n1,2\n3\n", "line 3: 1 values where the first line names 2"),
        ("a,b\n1,2\n3,4,5\n6,7\n", "line 3: 3 values where the first line names 2"),
        ("a,a\n1,2\n", "line 1: column name 'a' stands more than once"),
        ('a,b\n1,"x\n2,y\n', "line 2: unexpected end of data"),
        (b"a,b\n1,caf\xe9\n", "not UTF-8 text"),
    ],
)
def test_files_that_are_no_table(table, tmp_path, text, message):
    with pytest.raises(TableError, match=message) as info:
        table(text).labels("b")
    assert str(tmp_path / "data.csv") in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,x\n2,y\n", "line 2, column 'b': 'x' is not a number"),
        ("a,b\n1,2\n3,\n", "line 3, column 'b': the value is missing: fill it or drop the row"),
        ("a,b\n1,2\n3,NA\n", "line 3, column 'b': the value is missing"),
        ("a,b\n1,2\n3,nan\n", "line 3, column 'b': the value is missing"),
        ("a,b\n1,2\n3,inf\n", "line 3, column 'b': inf is not finite"),
        ("a,b\n1,2\n\n3,oops\n", "line 4, column 'b': 'oops' is not a number"),
        ("a,b\n1,\n2,\n", "line 2, column 'b': the value is missing"),
        ("a,c\n1,2\n", "no column 'b'; it has a, c"),
    ],
)
def test_columns_that_are_no_numbers(table, text, message):
    with pytest.raises(TableError, match=message):
        table(text).matrix(["a", "b"])


def test_missing_labels(table):
    with pytest.raises(TableError, match="line 3, column 'b': the value is missing"):
        table("a,b\n1,pass\n2,\n").labels("b")


def test_missing_file(tmp_path, reader):
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "none.csv")
    with pytest.raises(IsADirectoryError):
        Stamp.of(tmp_path)


def test_the_fingerprint_of_a_file_is_what_checkpoints_have(tmp_path):
    """Checkpoints of earlier versions hold it, so it must stay."""
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,1\n")
    assert Stamp.of(tmp_path / "a.csv").fingerprint() == {
        "name": "a.csv",
        "size": 12,
        "digest": hashlib.blake2b(b"x,y\n1,0\n2,1\n", digest_size=16).hexdigest(),
    }
