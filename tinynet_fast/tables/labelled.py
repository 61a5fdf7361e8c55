"""What a table's rows are to learn: labels, or numbers. Splits a table into inputs and these."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.columns import Target
from tinynet_fast.columns.looking import Choice, mark_in
from tinynet_fast.columns.reading import Reading, gaps, plain_numbers
from tinynet_fast.columns.texts import as_number, mistakes_allowed
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.labels import FEW_NUMBERS, as_labels, refuse_measurements
from tinynet_fast.rows.messages import listed, shown
from tinynet_fast.rows.numbers import read_numbers
from tinynet_fast.rows.tables import Table
from tinynet_fast.tables.options import NUMBERS, TableOptions
from tinynet_fast.training.checks import check_labels
from tinynet_fast.training.mlp import MOST_LABELS


@dataclass(frozen=True)
class Labelled:
    """A table of inputs, and for each row the place of its label in `labels`; or its number, if there are no labels."""

    table: Table
    y: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.y)

    def part(self, mask: np.ndarray) -> "Labelled":
        """The rows for which `mask` is True."""
        return Labelled(self.table.take(mask), self.y[mask], self.labels)

    @property
    def truth(self) -> np.ndarray:
        """The label or number of each row."""
        return self.y if self.labels is None else self.labels[self.y]

    @property
    def strata(self) -> np.ndarray:
        """Kinds of rows of which the same share is held out: the labels; numbers are all of one kind."""
        return np.zeros(len(self), np.intp) if self.labels is None else self.y

    @property
    def shares(self) -> np.ndarray:
        """The share of the rows that each label has."""
        assert self.labels is not None
        counts = np.bincount(self.y, minlength=len(self.labels))
        return np.asarray(counts / counts.sum())


class Labeller:
    """Splits a table into inputs and labels or numbers, in the same way for every table that has the same columns.

    Attributes
    ----------
    target : Target or None
        What is learned; None if the labels were given as an array.
    dropped : int
        Rows that were left out for a missing value.
    mark : str or None
        The decimal mark of the whole table. Its parts are read with this one.
    numbers : bool
        Whether the target is learned as numbers.
    decided : str
        If the target itself decided that: a sentence that says so. Otherwise nothing.
    """

    def __init__(self, asked: TableOptions) -> None:
        self.asked = asked
        self.target: Target | None = None
        self.labels: np.ndarray | None = None
        self.dropped = 0
        self.mark = asked.decimal
        self.read: list[str] = []  # the columns that are used, with the target
        self.numbers = asked.learns == NUMBERS
        self.decided = ""

    def __call__(self, table: Table, target: Any) -> Labelled:
        """The table's inputs and labels or numbers, without rows that are dropped."""
        column = ""
        if isinstance(target, str):
            self.target = Target.of(target, table.names, self.asked.positive, table.place, self.numbers)
            column = self.target.name
        inputs = self._inputs(table, column)
        self.read = [*inputs.names, column]
        if self.mark is None:
            self.mark = mark_in(table, self.read, frozenset(self.asked.gaps))
        reading = self.reading()
        values, gone = self._values(table, target, reading)
        for texts in inputs.columns.values():
            plain_numbers(texts, reading)  # once, and not again for each part of the rows
        kept = self._kept(inputs, gone, reading, table.cell)
        self.dropped = table.dropped + int(np.count_nonzero(~kept))
        if not kept.all():
            inputs, values = inputs.take(kept), values[kept]
        if not len(inputs):
            which = " without a missing value" if self.dropped else ""
            raise ValueError(
                f"{table.place} has no rows{which}: {'some' if self.numbers else 'rows of two labels'} are needed"
            )
        place = self._place(inputs, column)
        if not self.numbers:
            self.labels = self._order(values, inputs, column)
        return self._labelled(inputs, values, place)

    def _labelled(self, inputs: Table, values: np.ndarray, place: str) -> Labelled:
        """The rows with the places of their labels, or with their numbers."""
        if self.labels is None:
            return Labelled(inputs, values, None)
        return Labelled(inputs, encode_known(values, self.labels, len(values), place), self.labels)

    def _values(self, table: Table, target: Any, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """The label or number of each row, and which rows have none. Decides between the two, if no option does."""
        if self.target is not None:
            values, gone = self.target.values(table, reading)
            if self.asked.learns is None and self.target.test is None and self._decide(values[~gone]):
                self.target = replace(self.target, numbers=True)
                values, gone = self.target.values(table, reading)
            return values, gone
        if self.asked.positive is not None:
            raise ValueError(
                f"positive={self.asked.positive!r} is for a target that is a column: give the labels in order "
                "instead, the positive one last (labels=)"
            )
        if not self.numbers:
            labels = as_labels(target, "target")
            if len(labels) != len(table):
                raise ValueError(f"target has {len(labels):,} labels and the table has {len(table):,} rows")
            if self.asked.learns is not None or not self._decide(labels):
                return labels, np.zeros(len(table), bool)
        numbers = read_numbers(target, len(table), 1, "target")
        return numbers, np.zeros(len(table), bool)

    def _decide(self, labels: np.ndarray) -> bool:
        """Learn numbers if the labels look like measurements, and not like classes. Returns whether they do."""
        found = np.unique(labels)
        if not (_are_measurements(found, len(labels)) or _nearly_numbers(found, len(labels), self.mark)):
            return False
        name = "the target" if self.target is None else repr(self.target.name)
        other = "'>='" if self.target is None else f"'{self.target.name}>={_middle(found)}'"
        condition = "" if self.target is None else f", or learn a condition such as {other}"
        self.decided = (
            f"{name} holds {len(found):,} different numbers, which are learned as numbers; to learn them as labels, "
            f"name them all (labels=){condition}"
        )
        self.numbers = True
        return True

    def others(self, table: Table) -> Labelled:
        """The inputs and labels or numbers of another table, without rows that are dropped."""
        if self.target is None:
            raise ValueError("validation is a table, so target has to name a column of both tables")
        mark = mark_in(table, self.read, frozenset(self.asked.gaps), self.mark)
        reading = replace(self.reading(), decimal=mark)
        values, gone = self.target.values(table, reading)
        inputs = table.chosen([name for name in self.read[:-1] if name in table.columns])  # not all may be needed
        kept = self._kept(inputs, gone, reading, table.cell)
        inputs, values = inputs.take(kept), values[kept]
        if not len(inputs):
            raise ValueError(f"validation: {table.place} has no rows without a missing value: one is needed")
        return self._labelled(inputs, values, table.place)

    def _kept(self, inputs: Table, gone: np.ndarray, reading: Reading, cell: Callable[[int, str], str]) -> np.ndarray:
        """Which rows are used, given those without a label or number: (n,) bool. ValueError if these must stay."""
        if self.asked.missing == "drop":
            for name in inputs.names:
                gone = gone | gaps(inputs, name, reading)
        elif gone.any():
            what = "number" if self.numbers else "label"
            raise ValueError(
                f"{cell(int(np.argmax(gone)), self.read[-1])}: the {what} is missing: fill it, or leave such rows out "
                "(missing='drop')"
            )
        return ~gone

    def reading(self) -> Reading:
        """How the cells of the table, or of a part of it, are read."""
        return Reading(self.mark, frozenset(self.asked.gaps), self.asked.missing == "fill")

    def _inputs(self, table: Table, target: str) -> Table:
        """The columns that are used."""
        asked = self.asked
        Choice(asked.exclude, asked.levels, asked.hashed).check(table.names, table.place)
        names = table.names if asked.features is None else list(asked.features)
        if asked.features is not None and target in names:
            raise ValueError(f"features: {target!r} is the target: leave it out")
        names = [name for name in names if name != target and name not in asked.exclude]
        if not names:
            beside = f" beside the target {target!r}" if target else " that is not excluded"
            raise ValueError(f"{table.place} has no column{beside}: one is needed to learn from")
        for option, given in (("levels", asked.levels), ("hashed", asked.hashed)):
            if given and not table.named:
                raise ValueError(f"{option} is for tables whose columns have names: make a table of the rows first")
        return table.chosen(names)

    @staticmethod
    def _place(table: Table, column: str) -> str:
        return f"{table.place}, column {column!r}" if column else "target"

    def _order(self, labels: np.ndarray, table: Table, column: str) -> np.ndarray:
        """The different labels, in the order in which they are learned."""
        found, place = np.unique(labels), self._place(table, column)
        if len(found) < 2:
            raise ValueError(f"{place}: every row has the label {found[0]}; rows of two labels are needed")
        if self.asked.labels is not None:
            return self._named(labels, table, column)
        try:
            refuse_measurements(found, len(labels), place)
        except ValueError as error:
            raise ValueError(f"{error}; or learn a condition, such as '{column}>={_middle(found)}'") from None
        if len(found) > MOST_LABELS:
            raise ValueError(f"{place} has {len(found):,} different labels: at most {MOST_LABELS} can be learned")
        order = None if self.target is None else self.target.order(labels, table.place)
        return found if order is None else np.array(order)

    def _named(self, labels: np.ndarray, table: Table, column: str) -> np.ndarray:
        """The labels in the order that the user named; ValueError if they are not those of the rows."""
        named = check_labels(self.asked.labels, MOST_LABELS)
        if (named.dtype.kind == "U") != (labels.dtype.kind == "U"):  # one is text, the other numbers
            text = {str(label): label for label in np.unique(labels).tolist()}
            named = np.array([text.get(str(label), label) for label in named.tolist()])
        known, place = np.isin(labels, named), self._place(table, column)
        if not known.all():
            i = int(np.argmin(known))
            cell, others = table.cell(i, column) if column else f"target[{i}]", listed([str(x) for x in named.tolist()])
            raise ValueError(
                f"{cell}: the label {shown(labels[i])} is not among {others}: correct it, leave the row out, or name "
                "all labels with labels="
            )
        there = np.isin(named, labels)
        if not there.all():
            raise ValueError(f"{place}: no row has the label {shown(named[np.argmin(there)])}: leave it out of labels")
        return named


def _middle(found: np.ndarray) -> str:
    """The middle one of different labels, as a text for a condition."""
    middle = found[len(found) // 2]
    return f"{middle:.4g}" if found.dtype.kind in "iuf" else str(middle)


def _nearly_numbers(found: np.ndarray, rows: int, mark: str | None) -> bool:
    """Whether many different texts are numbers but for a few, which are taken for mistakes: a message names them."""
    if found.dtype.kind != "U" or len(found) <= FEW_NUMBERS:
        return False
    numbers = [number for number in (as_number(text, mark) for text in found.tolist()) if number is not None]
    return len(found) - len(numbers) <= mistakes_allowed(len(found)) and _are_measurements(np.unique(numbers), rows)


def _are_measurements(found: np.ndarray, rows: int) -> bool:
    """Whether the different labels, `found` in `rows` rows, look like measurements, and not like classes."""
    try:
        refuse_measurements(found, rows)
    except ValueError:
        return True
    return False
