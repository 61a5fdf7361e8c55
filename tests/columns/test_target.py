"""Targets: a column, a condition on one, the label that is learned."""

import json

import numpy as np
import pytest

from tinynet_fast.columns import Target
from tinynet_fast.columns.kinds import Reading
from tinynet_fast.rows.tables import table_of

ROWS = {"G3": [3, 10, 12.5, None], "who": ["a", "b", " b", "?"], "x>=1": [0, 1, 1, 0]}


def labels(target, positive=None, rows=ROWS, decimal=None):
    table = table_of(rows)
    found, gone = Target.of(target, table.names, positive).values(table, Reading(decimal))
    return [None if g else label for label, g in zip(found.tolist(), gone.tolist(), strict=True)]


def test_columns():
    assert labels("G3") == [3.0, 10.0, 12.5, None]
    assert labels("who") == ["a", "b", "b", None]
    assert labels("x>=1") == [0, 1, 1, 0]  # a column of this name comes first
    assert labels("y", rows={"y": ["1", "0", "1.0"]}) == [1, 0, 1]
    assert labels("y", rows={"y": ["1,5", "2"]}, decimal=",") == [1.5, 2.0]
    assert labels("y", rows={"y": ["True", "false"]}) == [True, False]
    assert labels("y", rows={"y": [1.0, 2.0]}) == [1, 2]
    assert labels("y", rows={"y": ["a", "1"]}) == ["a", "1"]


@pytest.mark.parametrize(
    ("target", "held"),
    [
        ("G3>=10", [False, True, True]),
        ("G3 > 10", [False, False, True]),
        ("G3<10", [True, False, False]),
        ("G3 <= 10", [True, True, False]),
        ("G3==10", [False, True, False]),
        ("G3=10", [False, True, False]),
        ("G3!=10", [True, False, True]),
        ("G3 <> 10", [True, False, True]),
    ],
)
def test_conditions_on_numbers(target, held):
    found = Target.of(target, list(ROWS))
    no, yes = found.outcomes
    assert labels(target) == [*(yes if is_held else no for is_held in held), None]
    assert found.order(np.array([yes, no]), "X") == [no, yes]


def test_conditions_on_texts():
    assert labels("who==b") == ["who!=b", "who==b", "who==b", None]
    assert labels("who='b'") == ["who!=b", "who==b", "who==b", None]
    assert labels("y==10", rows={"y": ["10", "9"]}) == ["y==10", "y!=10"]


def test_the_positive_label():
    assert labels("who", "a") == ["a", "b", "b", None]
    assert Target.of("who", ["who"], "a").order(np.array(["a", "b"]), "X") == ["b", "a"]
    rows = {"y": ["a", "b", "c"]}
    assert labels("y", "b", rows) == ["not b", "b", "not b"]
    assert Target.of("y", ["y"], 1).order(np.array([0, 1]), "X") == [0, 1]
    with pytest.raises(ValueError, match="no row has the label 'z'; there are a, b"):
        Target.of("who", ["who"], "z").order(np.array(["a", "b"]), "X")


@pytest.mark.parametrize(
    ("target", "positive", "message"),
    [
        ("z", None, "no column 'z'; it has G3, who"),
        ("z>=1", None, "no column 'z>=1'"),
        ("G3>=ten", None, "'ten' is not a number, which >= needs"),
        ("G3>=1", "yes", "is a condition: give one of them"),
    ],
)
def test_mistakes(target, positive, message):
    with pytest.raises(ValueError, match=message):
        Target.of(target, list(ROWS), positive)


def test_a_condition_on_texts_that_are_no_numbers():
    with pytest.raises(ValueError, match=r"X\[0\], column 'who': 'a' is not a number"):
        labels("who>=1")


@pytest.mark.parametrize("target", [Target("a"), Target("a", ">=", "3"), Target("a", positive="x")])
def test_files_keep_targets(target):
    assert Target.from_json(json.loads(json.dumps(target.to_json()))) == target


@pytest.mark.parametrize(
    "change",
    [{"name": 1}, {"test": "~"}, {"test": ">="}, {"test": ">=", "value": "x"}, {"value": "3"}, {"positive": 1}],
)
def test_damaged_targets_are_refused(change):
    with pytest.raises(ValueError, match="field 'target'"):
        Target.from_json({"name": "a", "test": None, "value": None, "positive": None} | change)
