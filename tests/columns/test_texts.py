"""Texts of tables: which are missing, which mean numbers, and the decimal mark that a table shows."""

import numpy as np
import pytest

from tinynet_fast.columns.texts import Marks, are_dates, as_level, as_number, is_gap, yes_no


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("3", 3.0, 3.0),
        ("-2.5", -2.5, None),
        ("2,5", None, 2.5),
        ("1,234", 1234.0, 1.234),
        ("1.234", 1.234, 1234.0),
        ("1,234.5", 1234.5, None),
        ("1.234,5", None, 1234.5),
        ("12%", 0.12, 0.12),
        ("12.5 %", 0.125, None),
        ("1 234", 1234.0, 1234.0),
        ("1'234'567", 1234567.0, 1234567.0),
        ("1\u202f234", 1234.0, 1234.0),
        ("12,34", None, 12.34),
        ("1,2,3", None, None),
        ("+.5", 0.5, None),
        ("1e3", 1000.0, 1000.0),
        ("", None, None),
        ("%", None, None),
        ("-", None, None),
        (".", None, None),
        ("e5", None, None),
        ("12a", None, None),
        ("\u22122.5", -2.5, None),  # a typesetter's minus
        ("0,125", None, 0.125),
        ("0.125", 0.125, None),
        ("1.234e5", 123400.0, None),
        ("1_000", None, None),
        ("0x10", None, None),
        ("\u0661", None, None),
    ],
)
def test_numbers(text, point, comma):
    assert as_number(text, ".") == point
    assert as_number(text, None) == point
    assert as_number(text, ",") == comma


def test_infinity_and_nan_are_numbers_that_are_refused_later():
    assert as_number("inf", ".") == np.inf
    assert np.isnan(as_number("nan", "."))


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["1", "2"], None),
        (["a", "b"], None),
        ([], None),
        (["1,5", "2"], ","),
        (["1.5", "2"], "."),
        (["1.500", "2.750"], None),  # thousands or thousandths: nothing tells
        (["0.125", "2.750"], "."),  # thousands have no 0 before them
        (["0,125", "950"], ","),
        (["1.234e5", "1"], "."),  # and no exponent after them
        (["0,5"], ","),
        (["a,5", "2"], None),
        (["x"], None),
        (["1,5", "2,5", "3,5", "oops"], ","),  # a mistake hides nothing
        (["1,5", "2,5", "oops", "?!"], None),
        (["1.234", "1.234,5"], ","),
        (["1,234.5", "1,234"], "."),
    ],
)
def test_the_decimal_mark(texts, shown):
    assert Marks.of(texts).shown == shown


def test_texts_that_mean_two_numbers():
    assert Marks.of(["1.500", "2.750"]) == Marks(None, "1.500")
    assert Marks.of(["950", "1.500", "12.000"]) == Marks(None, "1.500", "1.500")
    assert Marks.of(["950", "1,500"]) == Marks(None, "1,500")  # as English tables have it
    assert Marks.of(["950", "1 500"]) == Marks()


def test_missing_values():
    assert all(map(is_gap, [None, "", "NA", "NaN", "null", "None", "?", "#N/A", "NAN", "Nan"]))
    assert not any(map(is_gap, ["0", "no", "-", "na na"]))
    assert is_gap("-", frozenset("-"))


def test_yes_and_no():
    assert yes_no(["yes", "No", "NO"]) == {"yes": 1.0, "no": 0.0}
    assert yes_no(["TRUE", "False"]) == {"true": 1.0, "false": 0.0}
    assert yes_no(["y", "N"]) == {"y": 1.0, "n": 0.0}
    assert yes_no(["yes"]) is None
    assert yes_no(["yes", "no", "maybe"]) is None


def test_dates():
    assert are_dates(["2024-01-05", "2024-1-6", "2023/12/31"])
    assert are_dates(["05.01.2024", "6.1.24"])
    assert are_dates(["2024-01-05T10:00", "2024-01-05 10:00:01.5"])
    assert are_dates(["10:30", "11:00:05"])
    assert not are_dates([])
    assert not are_dates(["1-2", "a", "2024"])


def test_levels_that_are_numbers():
    assert [as_level(t) for t in ["3", "3.0", "3.10", "-2.50", "1e3"]] == ["3", "3", "3.1", "-2.5", "1000"]
    assert as_level("True") == as_level("TRUE") == "true"
    same = ["007", "1e999", "a", "", "1.", ".5", "12345678901234567", "+3"]
    assert [as_level(t) for t in same] == same
