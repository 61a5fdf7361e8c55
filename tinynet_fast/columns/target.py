"""The target: a column of labels, a condition on one, such as G3>=10, or a column of numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.columns.reading import Reading, numbers_of, without_gaps
from tinynet_fast.columns.texts import as_number
from tinynet_fast.rows.formats.cells import infer
from tinynet_fast.rows.messages import listed, printable
from tinynet_fast.rows.tables import Table, Texts, Unusable

CONDITION = re.compile(r"(.+?)\s*(>=|<=|==|!=|<>|=|>|<)\s*(.+)", re.DOTALL)
OPPOSITE = {">=": "<", "<": ">=", "<=": ">", ">": "<=", "==": "!=", "!=": "=="}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
SAME = {"=": "==", "<>": "!="}


@dataclass(frozen=True)
class Target:
    """What is learned.

    Attributes
    ----------
    name : str
        The column.
    test : str or None
        One of >=, <=, >, <, == and != if a condition on the column is learned.
    value : str or None
        What the column is compared with.
    positive : str or None
        The label whose probability is learned. If there are more than two labels, all others become one.
    numbers : bool
        Whether the numbers of the column are learned, and not labels.
    """

    name: str
    test: str | None = None
    value: str | None = None
    positive: str | None = None
    numbers: bool = False

    @classmethod
    def of(
        cls, target: str, columns: Sequence[str], positive: Any = None, place: str = "X", numbers: bool = False
    ) -> "Target":
        """Read a column's name, or a condition on a column. ValueError if there is no such column.

        If `numbers`, it has to be a column, and its numbers are learned.
        """
        positive = None if positive is None else str(positive).strip()
        if target in columns:
            return cls(target, positive=positive, numbers=numbers)
        found = CONDITION.fullmatch(target)
        if found is None or found[1].strip() not in columns:
            raise ValueError(f"{place} has no column {target!r}; it has {listed(list(columns))}")
        if numbers:
            raise ValueError(f"{target!r} is a condition, which has labels: for numbers, name the column {found[1]!r}")
        if positive is not None:
            raise ValueError(f"positive={positive!r} names a label, and {target!r} is a condition: give one of them")
        name, test, value = found[1].strip(), SAME.get(found[2], found[2]), found[3].strip()
        if test in ("==", "!="):
            value = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
        elif as_number(value, None) is None:
            raise ValueError(f"{target!r}: {value!r} is not a number, which {test} needs")
        return cls(name, test, value)

    @property
    def words(self) -> str:
        """The target as text: the column, or the condition without spaces around its sign."""
        return self.name if self.test is None else f"{self.name}{self.test}{self.value}"

    @property
    def what(self) -> str:
        """What a row has: "label" or "number"."""
        return "number" if self.numbers else "label"

    def values(self, table: Table, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """Return the label or number of each row, (n,), and which rows have none, (n,) bool. These rows get any value.

        The labels of a condition are texts: G3<10 and G3>=10. Numbers are float64. ValueError for a cell that is none.
        """
        column = self._column(table)
        if self.numbers:
            values = numbers_of(table, self.name, replace(reading, fills=True))
            gone = np.isnan(values)
            return np.where(gone, 0.0, values), gone
        if self.test is not None:
            return self._of_condition(table, reading)
        labels, gone = _as_labels(column, reading)
        if self.positive is None or not len(labels):
            return labels, gone
        texts = labels.astype(str)
        there = np.unique(texts[~gone])
        if len(there) <= 2:
            return labels, gone
        return np.where(texts == self.positive, self.positive, f"not {self.positive}"), gone

    def _column(self, table: Table) -> Any:
        """The column; ValueError if there is none, or if it holds dates and the like."""
        if self.name not in table.columns:
            raise ValueError(f"{table.place} has no column {self.name!r}; it has {listed(table.names)}")
        column = table.columns[self.name]
        if isinstance(column, Unusable):
            wanted = "numbers are needed" if self.numbers else "labels are numbers or texts"
            raise ValueError(f"{table.place}, column {self.name!r} holds {column.what}: {wanted}")
        return column

    def _of_condition(self, table: Table, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        assert self.test is not None
        assert self.value is not None
        number = as_number(self.value, None)
        if number is None or (self.test in ("==", "!=") and isinstance(table.columns[self.name], Texts)):
            labels, gone = _as_labels(table.columns[self.name], reading)
            if labels.dtype.kind in "if" and number is not None:
                equal = labels == number
            elif labels.dtype.kind == "b":
                equal = labels == _as_bool(self.value)
            else:
                equal = labels.astype(str) == self.value
            held = equal if self.test == "==" else ~equal
        else:
            values = numbers_of(table, self.name, replace(reading, fills=True))
            gone = np.isnan(values)
            with np.errstate(invalid="ignore"):
                held = {
                    ">=": np.greater_equal,
                    "<=": np.less_equal,
                    ">": np.greater,
                    "<": np.less,
                    "==": np.equal,
                    "!=": np.not_equal,
                }[self.test](values, number)
        return np.array(self.outcomes)[held.astype(np.intp)], gone

    @property
    def outcomes(self) -> list[str]:
        """The labels of a condition: the opposite condition, then the condition itself."""
        assert self.test is not None
        return [f"{self.name}{OPPOSITE[self.test]}{self.value}", self.words]

    def order(self, labels: np.ndarray, place: str) -> list[Any] | None:
        """The labels in the order in which they are learned, the positive one last; None if any order will do."""
        if self.test is not None:
            return self.outcomes
        if self.positive is None:
            return None
        found = np.unique(labels).tolist()
        positive = [label for label in found if str(label) == self.positive]
        if not positive and found and isinstance(found[0], bool) and self.positive.casefold() in BOOLEANS:
            positive = [BOOLEANS[self.positive.casefold()]]
        if not positive:
            raise ValueError(
                f"{place}, column {self.name!r}: no row has the label {printable(self.positive)!r}; there are "
                f"{listed([str(label) for label in found])}"
            )
        return [label for label in found if label != positive[0]] + positive

    def to_json(self) -> dict[str, Any]:
        found = {"name": self.name, "test": self.test, "value": self.value, "positive": self.positive}
        return found | ({"numbers": True} if self.numbers else {})

    @classmethod
    def from_json(cls, found: Any) -> "Target":
        """The target in a model's file; ValueError if a field is wrong."""
        if not isinstance(found, dict) or not isinstance(found["name"], str):
            raise ValueError("field 'target' does not name a column")
        numbers = found.get("numbers", False)
        target = cls(found["name"], found["test"], found["value"], found["positive"], numbers)
        if not all(text is None or isinstance(text, str) for text in (target.test, target.value, target.positive)):
            raise ValueError("field 'target' holds something else than texts")
        if not isinstance(numbers, bool) or (numbers and (target.test, target.value, target.positive) != (None,) * 3):
            raise ValueError("field 'target' holds labels and numbers")
        if (target.test is None) != (target.value is None) or (target.test is not None and target.test not in OPPOSITE):
            raise ValueError("field 'target' holds no condition that is known")
        if target.test in (">=", "<=", ">", "<") and as_number(target.value or "", None) is None:
            raise ValueError("field 'target' compares with something that is not a number")
        return target


def _as_bool(value: str) -> bool:
    if value.casefold() not in BOOLEANS:
        raise ValueError(f"{value!r} is compared with labels that are true or false: give one of these")
    return BOOLEANS[value.casefold()]


def _as_labels(column: Any, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as labels (whole numbers, numbers, booleans or texts), and which rows have none."""
    if not isinstance(column, Texts):
        values = np.asarray(column, np.float64)
        gone = np.isnan(values)
        there = np.where(gone, 0.0, values)
        whole = bool((np.floor(there) == there).all()) and bool((np.abs(there) < 2.0**53).all())
        return (there.astype(np.int64) if whole else there), gone
    texts = without_gaps(column, reading)
    gone, used = texts.codes < 0, texts.used
    if not used:
        return np.zeros(len(texts), np.int64), gone
    numbers = [as_number(text, reading.decimal) for text in used]
    values = infer(used)
    if values.dtype.kind == "f" or (values.dtype.kind in "UO" and None not in numbers):
        values = np.array(numbers, np.float64)
        values = values.astype(np.int64) if bool((np.floor(values) == values).all()) else values
    elif values.dtype.kind == "O":
        values = values.astype(str)
    place = {text: k for k, text in enumerate(used)}
    return values[np.array([*(place.get(text, 0) for text in texts.texts), 0])[texts.codes]], gone
