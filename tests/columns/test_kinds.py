"""What columns are taken for, what they become, and that a model's file holds all of it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast.columns import Columns
from tinynet_fast.columns.kinds import Hashed, Levels, Numbers, Reading
from tinynet_fast.columns.looking import FEWEST_OF_LEVEL, MOST_LEVELS, Choice, kinds_of, mark_in
from tinynet_fast.rows.tables import table_of


def columns_of(rows, decimal=None, **choice):
    """The columns of a dict of columns, and the choice that was made."""
    table, chosen = table_of(rows), Choice(**choice)
    kinds = kinds_of(table, Reading(decimal or mark_in(table, table.names)), chosen)
    return Columns(kinds, decimal), chosen


def test_numbers_with_gaps():
    columns, _ = columns_of({"a": [1.0, np.nan, 3.0, 8.0]})
    assert columns.kinds == [Numbers("a", 3.0, True)]  # the median of 1, 3, 8
    assert columns.inputs == ["a", "a is missing"]
    assert columns.sources == ["a", "a"]
    assert columns.numbers.tolist() == [True, False]
    assert columns.encode_rows({"a": 5.0}).tolist() == [[5.0, 0.0]]
    assert columns.encode_rows({"a": None}).tolist() == [[3.0, 1.0]]


def test_a_gap_that_training_did_not_see_is_filled():
    columns, _ = columns_of({"a": [1.0, 2.0, 4.0]})
    reading = Reading(None)
    assert columns.encode(table_of({"a": [None, 7.0]}), reading).tolist() == [[2.0], [7.0]]
    assert reading.missing == {"a": 1}


def test_texts_that_are_numbers():
    columns, choice = columns_of({"a": ["1,5", "2,25", "1.000", ""], "b": ["10%", "20 %", "30%", "5%"]})
    assert choice.notes == {"a": "numbers, 1 missing", "b": "numbers"}
    X = columns.encode(table_of({"a": ["1,5", "1.000"], "b": ["50%", "1%"]}))
    np.testing.assert_array_equal(X, [[1.5, 0, 0.5], [1000.0, 0, 0.01]])


def test_yes_and_no():
    columns, _ = columns_of({"a": ["yes", "No", "no", "YES"], "b": [True, False, True, True]})
    assert columns.inputs == ["a", "b"]
    assert columns.encode_rows({"a": ["no", "yes"], "b": ["True", "false"]}).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="'maybe' is not 'yes' or 'no': correct it"):
        columns.encode_rows({"a": "maybe", "b": True})


def test_levels():
    rows = {"school": ["N", "S", "N", " S ", "S", "N", "N", "E"] * 3}
    columns, _ = columns_of(rows)
    assert columns.kinds == [Levels("school", ["E", "N", "S"], [3 / 24, 12 / 24, 9 / 24])]
    X = columns.encode(table_of(rows))
    assert X.sum(axis=1).tolist() == [1.0] * 24
    assert X[0].tolist() == [0, 1, 0]
    assert X[7].tolist() == [1, 0, 0]


def test_a_new_level_is_an_average_row():
    """All rows have the same mean input: that of the level's own shares. So a new level moves no prediction."""
    columns, _ = columns_of({"a": list("xxxyyyyyy")})
    reading = Reading(None)
    X = columns.encode(table_of({"a": ["z", "x"]}), reading)
    np.testing.assert_allclose(X, [[1 / 3, 2 / 3], [1, 0]])
    assert reading.new == {"a": 1}
    assert reading.missing == {}
    trained = columns.encode(table_of({"a": list("xxxyyyyyy")}))
    np.testing.assert_allclose(X[0], trained.mean(axis=0))


def test_rare_levels_share_an_input_with_new_ones():
    few = FEWEST_OF_LEVEL - 1
    columns, choice = columns_of({"a": ["x"] * 9 + ["y"] * few + ["z"] * few + [None]})
    assert columns.inputs == ["a=x", "a: other", "a is missing"]
    assert choice.notes["a"] == "1 level, 2 rare together, 1 missing"
    X = columns.encode(table_of({"a": ["x", "y", "new", None]}))
    assert X.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_missing_level_that_training_did_not_see_is_an_average_row():
    columns, _ = columns_of({"a": list("xxxyyy")})
    assert columns.encode_rows({"a": None}).tolist() == [[0.5, 0.5]]


def test_numbers_as_levels():
    columns, _ = columns_of({"zip": [10115, 10115, 10115, 20095, 20095, 20095]}, levels=["zip"])
    assert columns.inputs == ["zip=10115", "zip=20095"]
    assert columns.encode_rows({"zip": ["20095", "10115"]}).tolist() == [[0, 1], [1, 0]]
    assert columns.encode_rows({"zip": [20095.0, 10115.0]}).tolist() == [[0, 1], [1, 0]]


def test_hashed_levels_fall_into_the_same_buckets_everywhere():
    columns, choice = columns_of({"city": ["Ulm", "Bonn", None]}, hashed={"city": 8})
    assert choice.notes == {"city": "2 levels in 8 buckets"}
    X = columns.encode(table_of({"city": ["Ulm", "Bonn", "Ulm", None, "never seen"]}))
    assert X.shape == (5, 9)
    assert X.argmax(axis=1).tolist() == [
        *(Hashed("city", 8).bucket(t) for t in ("Ulm", "Bonn", "Ulm")),
        8,
        X[4].argmax(),
    ]
    assert Hashed("city", 1000).bucket("Ulm") == 241
    assert X.sum(axis=1).tolist() == [1.0] * 5


def test_columns_that_say_nothing_are_left_out():
    rows = {"id": [f"k{i}" for i in range(9)], "same": [3] * 9, "one": ["x"] * 9, "none": [None] * 9}
    rows |= {"pairs": ["a", "a", "b", "b", "c", "c", "d", "d", "e"], "x": range(9)}
    columns, choice = columns_of({name: list(values) for name, values in rows.items()})
    assert columns.names == ["x"]
    assert choice.left_out == {
        "id": "every row has a value of its own, as an identifier has",
        "same": "all rows have the same value",
        "one": "all rows have the same value",
        "none": "it has no values",
        "pairs": "its 5 levels have less than 3 rows each",
    }
    with pytest.raises(ValueError, match=r"no column can be learned from \('a': all rows have the same value\)"):
        columns_of({"a": [1, 1]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1"] * 30 + ["two"], r"X\[30\], column 'a': 'two' is not a number, but 30 others of 31 are"),
        (["2024-01-05"] * 4, "column 'a' holds dates: make numbers of them first"),
        ([[1], [2]], "column 'a' holds values of type list"),
        ([1.0, np.inf], r"X\[1\], column 'a' is infinite"),
        (["1", "-inf"], r"X\[1\], column 'a' is infinite"),
        ([f"k{i // 3}" for i in range(3 * MOST_LEVELS + 3)], r"has 257 levels, more than 256: leave it out \(exclude="),
    ],
)
def test_columns_that_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        columns_of({"a": values})


def test_row_numbers_without_a_name_are_left_out():
    for name in ("", "Unnamed: 0"):
        columns, choice = columns_of({name: list(range(30, 0, -1)), "x": [0.5, 1.5] * 15})
        assert columns.names == ["x"]
        assert choice.left_out == {name: "it has no name and numbers the rows"}
    columns, _ = columns_of({"": [0.5, 1.5], "Unnamed: 0": [1, 2], "n": [1, 2]})
    assert columns.names == ["", "n"]


def test_options_that_name_no_column():
    with pytest.raises(ValueError, match="X has no column 'b', which levels names; it has a"):
        Choice(levels=["b"]).check(["a"], "X")
    with pytest.raises(ValueError, match="a number from 2 to 4096 is needed"):
        Choice(hashed={"a": 1}).check(["a"], "X")


def test_inputs_that_would_have_one_name():
    columns, _ = columns_of({"a": [1, None, 3], "a is missing": [1, 2, 3]})
    assert columns.inputs == ["a", "a is missing", "a is missing (2)"]


cells = st.one_of(st.none(), st.sampled_from(["x", "y", "z", "", "NA"]), st.text(max_size=3))


@given(st.lists(cells, min_size=4, max_size=40), st.lists(cells, min_size=1, max_size=5))
def test_any_texts_are_encoded_and_kept(trained, new):
    """Rows that were trained on and others give finite inputs between 0 and 1, and so do the columns in a file."""
    try:
        columns, _ = columns_of(
            {"a": [*trained, "x", "x", "x", "q q"], "b": list(range(len(trained) + 4))}, levels=["a"]
        )
    except ValueError:
        return
    rows = {"a": new, "b": [0.5] * len(new)}
    X = columns.encode_rows(rows)
    assert np.isfinite(X).all()
    assert X.shape == (len(new), len(columns.inputs))
    kept = Columns.from_json(json.loads(json.dumps(columns.to_json())))
    assert kept == columns
    np.testing.assert_array_equal(kept.encode_rows(rows), X)


def damaged(path, value):
    """The columns' JSON with one field changed."""
    columns, _ = columns_of({"n": [1, 2, None], "l": list("xxx"), "h": list("abc")}, levels=["l"], hashed={"h": 4})
    found = json.loads(json.dumps(columns.to_json()))
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["columns"], {}),
        (["columns"], []),
        (["decimal"], ";"),
        (["fills"], 1),
        (["gaps"], [1]),
        (["columns", 0, "kind"], "other"),
        (["columns", 0, "name"], 5),
        (["columns", 0, "name"], "h"),
        (["columns", 0, "fill"], "1"),
        (["columns", 0, "fill"], float("inf")),
        (["columns", 0, "gaps"], 1),
        (["columns", 0, "words"], {"yes": 2.0}),
        (["columns", 0, "words"], ["yes"]),
        (["columns", 1, "buckets"], 1),
        (["columns", 1, "buckets"], 10**9),
        (["columns", 1, "gaps"], None),
    ],
)
def test_damaged_columns_are_refused(path, value):
    with pytest.raises(ValueError, match=r"column|field"):
        Columns.from_json(damaged(path, value))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("levels", "xy"),
        ("levels", ["x", 1]),
        ("levels", ["x", "x"]),
        ("shares", [1.0]),
        ("shares", [0.5, 2.0]),
        ("shares", [0.5, True]),
        ("rare", 0),
        ("gaps", None),
    ],
)
def test_damaged_levels_are_refused(field, value):
    columns, _ = columns_of({"l": list("xxxyyy")})
    found = columns.to_json()
    assert Columns.from_json(found) == columns
    found["columns"][0][field] = value
    with pytest.raises(ValueError, match="column 'l'"):
        Columns.from_json(found)
