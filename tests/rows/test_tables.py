"""Tables in memory: named columns of any library as numbers, texts, or what they are instead."""

import datetime
import decimal

import numpy as np
import pytest

from tinynet_fast.rows.formats import open_raw
from tinynet_fast.rows.table_files import read_table
from tinynet_fast.rows.tables import Table, Texts, Unusable, as_texts, joined, table_of


def texts(column):
    """The texts of a column, None for a missing one."""
    return [None if code < 0 else column.texts[code] for code in column.codes.tolist()]


def test_texts():
    column = Texts.of([" a", "b ", None, "a", "", "b"])
    assert texts(column) == ["a", "b", None, "a", "", "b"]
    assert column.texts == ["a", "b", ""]
    assert texts(column[1:3]) == ["b", None]
    assert column[1:3].used == ["b"]
    assert texts(column[np.array([5, 0])]) == ["b", "a"]
    assert column.mapped({"a": 1.0, "b": 2.0, "": 3.0}, -1.0).tolist() == [1, 2, -1, 1, 3, 2]
    assert column.mapped([1.0, 2.0, 3.0], -1.0).tolist() == [1, 2, -1, 1, 3, 2]
    assert len(Texts.of([])) == 0


def test_numbers_as_texts():
    assert texts(as_texts(np.array([3.0, 1.5, np.nan, 3.0, -2e20]))) == [
        "3",
        "1.5",
        None,
        "3",
        "-200000000000000000000",
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([decimal.Decimal("1.5"), np.float32(2.0)], [1.5, 2.0]),
        ([None, None], [None, None]),
        (["a", None, float("nan"), 3, 2.5, True], ["a", None, None, "3", "2.5", "true"]),
        ([True, None, False], ["true", None, "false"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([True, False]), ["true", "false"]),
        (np.array([1, 2], np.int8), [1.0, 2.0]),
    ],
)
def test_columns_of_python_objects(values, expected):
    column = table_of({"c": values}).columns["c"]
    if isinstance(column, Texts):
        assert texts(column) == expected
    else:
        assert [None if np.isnan(x) else x for x in column.tolist()] == expected


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([datetime.date(2024, 1, 5)], "dates"),
        (np.array(["2024-01-05"], "M8[D]"), "dates"),
        (np.array([5], "m8[s]"), "lengths of time"),
        ([[1, 2]], "values of type list"),
        ([b"a"], "values of type bytes"),
        ([1j], "values of type complex"),
    ],
)
def test_columns_that_are_no_inputs(values, what):
    assert table_of({"c": values}).columns["c"] == Unusable(what, 1)


def test_rows_with_names():
    rows = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    table = table_of(rows)
    assert table.names == ["a", "b"]
    assert texts(table.columns["b"]) == ["x", "y"]
    assert table.where(1) == "X[1]"
    assert table.cell(1, "a") == "X[1], column 'a'"
    assert table_of({"a": 1, "b": "x"}, names=["a", "b"]).n_rows == 1
    assert table_of([[1, 2]]) is None
    assert table_of(np.ones((2, 2))) is None
    structured = np.array([(1, "x"), (2, "y")], [("a", float), ("b", "U1")])
    assert texts(table_of(structured).columns["b"]) == ["x", "y"]
    with pytest.raises(ValueError, match=r"X\[1\] has no 'b'"):
        table_of([{"a": 1, "b": 2}, {"a": 1}])


def test_a_column_of_pyarrow_without_a_type_has_no_values():
    pa = pytest.importorskip("pyarrow")
    table = table_of(pa.table({"x": pa.nulls(3), "z": [1.0, 2.0, 3.0]}))
    np.testing.assert_array_equal(table.columns["x"], np.full(3, np.nan), strict=True)


def test_parts_of_a_table():
    table = table_of({"a": [1.0, 2.0, 3.0, 4.0, 5.0], "b": list("xyxyz")}, "rows")
    part = table.take(np.array([False, True, False, True, False]))
    assert part.columns["a"].tolist() == [2.0, 4.0]
    assert part.where(1) == "rows[3]"
    assert part.take(np.array([1])).where(0) == "rows[3]"
    found = [
        (rows, part.columns["a"].tolist(), texts(part.columns["b"]), part.where(0)) for rows, part in table.slices(2)
    ]
    assert found == [
        (slice(0, 2), [1.0, 2.0], ["x", "y"], "rows[0]"),
        (slice(2, 4), [3.0, 4.0], ["x", "y"], "rows[2]"),
        (slice(4, 5), [5.0], ["z"], "rows[4]"),
    ]
    assert table.chosen(["b"]).names == ["b"]
    with pytest.raises(ValueError, match="rows has no columns 'c', 'd'; it has a, b"):
        table.chosen(["c", "a", "d"])


def test_tables_are_joined():
    first, second = table_of({"a": [1.0], "b": ["x"]}), table_of({"a": ["?"], "b": ["y"]})
    table = joined([first, second], str)
    assert texts(table.columns["a"]) == ["1", "?"]
    assert texts(table.columns["b"]) == ["x", "y"]
    assert table.where(1) == "1"
    dates = joined([first, table_of({"a": [datetime.date(2024, 1, 1)], "b": ["z"]})], str)
    assert dates.columns["a"] == Unusable("dates", 2)


def test_mistakes():
    with pytest.raises(ValueError, match="columns of different lengths, 1 and 2 rows"):
        table_of({"a": [1], "b": [1, 2]})
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="X has 2 columns named 'a': rename or drop one"):
        table_of(pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]))


def test_an_index_of_pandas_is_no_column():
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"])
    assert table_of(frame).names == ["a"]
    assert table_of(pa.Table.from_pandas(frame)).names == ["a"]


@pytest.mark.parametrize("without", [False, True])
def test_a_file_in_blocks_names_lines(without, tmp_path, monkeypatch):
    if without:
        import sys

        monkeypatch.setitem(sys.modules, "pyarrow", None)
    else:
        pytest.importorskip("pyarrow")
    monkeypatch.setattr("tinynet_fast.rows.formats.records.PIECE_BYTES", 64)
    path = tmp_path / "a.csv"
    lines = [f"{i},t{i % 3},{'' if i == 7 else i / 2}" for i in range(40)]
    path.write_text("n,t,x\n" + "\n".join(lines) + "\n")
    table = read_table(open_raw(path))
    assert isinstance(table, Table)
    assert len(table) == 40
    assert texts(table.columns["t"]) == [f"t{i % 3}" for i in range(40)]
    assert [table.where(i) for i in (0, 7, 39)] == [f"{path}, line {line}" for line in (2, 9, 41)]
    assert table.take(np.array([30, 31])).where(1) == f"{path}, line 33"
    assert read_table(open_raw(path), limited=True) is not None
    monkeypatch.setattr("tinynet_fast.rows.kept.MEMORY_BYTES", 39 * 3 * 8)
    assert read_table(open_raw(path), limited=True) is None
