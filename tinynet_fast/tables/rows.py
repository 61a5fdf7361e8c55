"""A table's rows on their way to training: read, labelled, encoded and standardised."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.columns import Columns, Target
from tinynet_fast.columns.kinds import Numbers
from tinynet_fast.columns.looking import IDENTIFIER, Choice, kinds_of, mark_in
from tinynet_fast.columns.reading import Reading, gaps, plain_numbers
from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.rows.arrays import as_matrix, check_finite, encode_known
from tinynet_fast.rows.blocks import standardisation
from tinynet_fast.rows.formats import format_in, is_source, open_raw, open_source
from tinynet_fast.rows.index_columns import is_identifier, row_numbers
from tinynet_fast.rows.kept import WholeTable, read_whole
from tinynet_fast.rows.labels import as_labels, refuse_measurements
from tinynet_fast.rows.messages import listed, shown
from tinynet_fast.rows.table_files import read_table
from tinynet_fast.rows.tables import Table, table_of
from tinynet_fast.tables.options import TableOptions
from tinynet_fast.training.checks import check_labels
from tinynet_fast.training.mlp import MOST_LABELS


def read(
    table: Any,
    target: Any,
    separator: str | None = None,
    encoding: str | None = None,
    limited: bool = False,
    drop_missing: bool = False,
) -> tuple[Table | None, Any]:
    """Rows in memory or in files as a table, and the target: a column's name, or an array of labels.

    If `limited`, the table is None for files whose rows do not fit in memory (see `kept.fits`). `drop_missing` is for
    files whose columns have no names; of other tables, rows are dropped later.
    """
    if is_source(table):
        kind = format_in(table)
        if kind is not None and not kind.has_names:
            _refuse_reading(separator, encoding, f"{table} holds numbers")
            y = kind.target(target) if isinstance(target, str) else target
            whole = read_whole(open_source(table, y, drop_missing=drop_missing), limited)
            return (None, target) if whole is None else (of_numbers(whole), whole.y)
        return read_table(open_raw(table, separator=separator, encoding=encoding), limited), target
    _refuse_reading(separator, encoding, f"the table is a {type(table).__name__}")
    in_memory = table_of(table, "table")
    if in_memory is not None:
        return in_memory, target
    if isinstance(target, str):
        raise ValueError(
            f"table is a {type(table).__name__} without named columns: pass a frame, a dict of columns or a path; or "
            "the labels as target"
        )
    X = as_matrix(table, "table").astype(np.float64)
    check_finite(X, "table")
    return _nameless(X, lambda i: f"table[{i}]", "table"), target


def _refuse_reading(separator: str | None, encoding: str | None, what: str) -> None:
    for name, given in (("separator", separator), ("encoding", encoding)):
        if given is not None:
            raise ValueError(f"{name}={given!r} is for CSV files, and {what}")


def of_numbers(whole: WholeTable) -> Table:
    """Rows of numbers whose columns have no names, as a table."""
    table = _nameless(whole.X, whole.where, str(whole.source.place))
    if whole.names is not None:
        table = replace(table, columns=dict(zip(whole.names, whole.X.T, strict=True)), named=True)
    return replace(table, dropped=whole.dropped)


def _nameless(X: np.ndarray, where: Any, place: str) -> Table:
    return Table({f"x{j}": X[:, j] for j in range(X.shape[1])}, len(X), where, place, named=False)


@dataclass(frozen=True)
class Labelled:
    """A table of inputs, and for each row the place of its label in `labels`."""

    table: Table
    codes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def part(self, mask: np.ndarray) -> "Labelled":
        """The rows for which `mask` is True."""
        return Labelled(self.table.take(mask), self.codes[mask], self.labels)

    @property
    def shares(self) -> np.ndarray:
        """The share of the rows that each label has."""
        counts = np.bincount(self.codes, minlength=len(self.labels))
        return np.asarray(counts / counts.sum())


class Labeller:
    """Splits a table into inputs and labels, in the same way for every table that has the same columns.

    Attributes
    ----------
    target : Target or None
        What is learned; None if the labels were given as an array.
    dropped : int
        Rows that were left out for a missing value.
    mark : str or None
        The decimal mark of the whole table. Its parts are read with this one.
    """

    def __init__(self, asked: TableOptions) -> None:
        self.asked = asked
        self.target: Target | None = None
        self.labels: np.ndarray | None = None
        self.dropped = 0
        self.mark = asked.decimal
        self.read: list[str] = []  # the columns that are used, with the target

    def __call__(self, table: Table, target: Any) -> Labelled:
        """The table's inputs and labels, without rows that are dropped."""
        asked, column = self.asked, ""
        if isinstance(target, str):
            self.target = Target.of(target, table.names, asked.positive, table.place)
            column = self.target.name
        inputs = self._inputs(table, column)
        self.read = [*inputs.names, column]
        if self.mark is None:
            self.mark = mark_in(table, self.read, frozenset(asked.gaps))
        reading = self.reading()
        if self.target is not None:
            labels, gone = self.target.labels(table, reading)
        else:
            if asked.positive is not None:
                raise ValueError(
                    f"positive={asked.positive!r} is for a target that is a column: give the labels in order "
                    "instead, the positive one last (labels=)"
                )
            labels, gone = as_labels(target, "target"), np.zeros(len(table), bool)
            if len(labels) != len(table):
                raise ValueError(f"target has {len(labels):,} labels and the table has {len(table):,} rows")
        for texts in inputs.columns.values():
            plain_numbers(texts, reading)  # once, and not again for each part of the rows
        kept = self._kept(inputs, gone, reading, table.cell)
        self.dropped = table.dropped + int(np.count_nonzero(~kept))
        if not kept.all():
            inputs, labels = inputs.take(kept), labels[kept]
        if not len(inputs):
            which = " without a missing value" if self.dropped else ""
            raise ValueError(f"{table.place} has no rows{which}: rows of two labels are needed")
        self.labels = self._order(labels, inputs, column)
        return Labelled(
            inputs, encode_known(labels, self.labels, len(labels), self._place(inputs, column)), self.labels
        )

    def others(self, table: Table) -> Labelled:
        """The inputs and labels of another table, without rows that are dropped."""
        if self.target is None or self.labels is None:
            raise ValueError("validation is a table, so target has to name a column of both tables")
        mark = mark_in(table, self.read, frozenset(self.asked.gaps), self.mark)
        reading = replace(self.reading(), decimal=mark)
        labels, gone = self.target.labels(table, reading)
        inputs = table.chosen([name for name in self.read[:-1] if name in table.columns])  # not all may be needed
        kept = self._kept(inputs, gone, reading, table.cell)
        inputs, labels = inputs.take(kept), labels[kept]
        if not len(inputs):
            raise ValueError(f"validation: {table.place} has no rows without a missing value: one is needed")
        return Labelled(inputs, encode_known(labels, self.labels, len(labels), table.place), self.labels)

    def _kept(self, inputs: Table, gone: np.ndarray, reading: Reading, cell: Callable[[int, str], str]) -> np.ndarray:
        """Which rows are used, given those without a label: (n,) bool. ValueError if these may not be dropped."""
        if self.asked.missing == "drop":
            for name in inputs.names:
                gone = gone | gaps(inputs, name, reading)
        elif gone.any():
            raise ValueError(
                f"{cell(int(np.argmax(gone)), self.read[-1])}: the label is missing: fill it, or leave such rows out "
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
            middle = found[len(found) // 2]
            value = f"{middle:.4g}" if found.dtype.kind in "iuf" else middle
            raise ValueError(f"{error}; or learn a condition, such as '{column}>={value}'") from None
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


class Encoded:
    """Rows as the numbers to train on, and how they were made from the table.

    Attributes
    ----------
    X : (n, n_inputs) float64 array
        Numbers are standardised, unless `standardize` is False. Levels stay 0 and 1, because if they were standardised,
        a rare level would move a row by many deviations.
    columns : Columns
    mean, scale : (n_inputs,) arrays
        What was subtracted from each input, and what it was then divided by: 0 and 1 for levels.
    deviations : (n_inputs,) array
        The standard deviation of each input before that.
    choice : Choice
        What each column is, and which were left out.
    missing : dict
        For each column the number of missing values.
    """

    def __init__(self, rows: Labelled, asked: TableOptions, reading: Reading) -> None:
        self.rows, self.choice = rows, Choice(asked.exclude, asked.levels, asked.hashed)
        if rows.table.named:
            kinds = kinds_of(rows.table, reading, self.choice)
        else:
            kinds = [Numbers(name, 0.0, False) for name in rows.table.names]
        self.columns = Columns(kinds, reading.decimal, asked.gaps, asked.missing == "fill")
        self.missing = dict(reading.missing)
        self.X = self.columns.encode(rows.table, replace(reading, missing=Counter(), new=Counter()))
        if rows.table.named:
            self._warn_of_row_numbers()
            identifiers = [name for name, why in self.choice.left_out.items() if why == IDENTIFIER]
            if identifiers:
                warn(f"left out: {listed(identifiers)}, because {IDENTIFIER}", TrainingWarning)
        mean, scale = standardisation(self.X, self.columns.inputs)
        self.deviations = np.where(np.isfinite(scale), scale, 0.0)
        numbers = self.columns.numbers & asked.standardize
        self.mean, self.scale = np.where(numbers, mean, 0.0), np.where(numbers, scale, 1.0)
        self._standardise(self.X)

    def _warn_of_row_numbers(self) -> None:
        """Warn of columns of numbers that look like row numbers."""
        places = np.flatnonzero(self.columns.numbers)
        names = [self.columns.sources[j] for j in places]
        X = self.X[:, places]
        found = set(row_numbers(names, X)) | {j for j, name in enumerate(names) if is_identifier(name, X[:, j])}
        if found:
            lost = [names[j] for j in sorted(found)]
            named = listed([repr(name) for name in lost])
            look = f"column {named} looks like a row number or an identifier, which says"
            if len(lost) > 1:
                look = f"columns {named} look like row numbers or identifiers, which say"
            it = "it" if len(lost) == 1 else "them"
            warn(f"{look} nothing about new rows: leave {it} out (exclude={lost})", TrainingWarning)

    def _standardise(self, X: np.ndarray) -> np.ndarray:
        X -= self.mean
        X /= self.scale
        return X

    def others(self, rows: Labelled) -> tuple[np.ndarray, dict[str, int]]:
        """Other rows as the same inputs, and the number of new levels in each column."""
        reading = self.columns.reading(rows.table)
        return self._standardise(self.columns.encode(rows.table, reading)), dict(reading.new)

    def sample_weight(self, class_weight: Any) -> np.ndarray | None:
        """What each row counts for by its label; None if all count the same."""
        if class_weight is None:
            return None
        labels = [str(label) for label in self.rows.labels.tolist()]
        if class_weight == "balanced":
            return np.asarray(1.0 / (len(labels) * np.maximum(self.rows.shares, 1e-300)))[self.rows.codes]
        known = {str(label): float(weight) for label, weight in class_weight.items()}
        missing, more = [label for label in labels if label not in known], [k for k in known if k not in labels]
        if missing:
            raise ValueError(f"class_weight gives no weight for {listed(missing)}: give one for each label")
        if more:
            raise ValueError(f"class_weight names {listed(more)}, which no row has: the labels are {listed(labels)}")
        for label, weight in known.items():
            if not 0.0 < weight < np.inf:
                raise ValueError(f"class_weight gives {label} a weight of {weight}: a finite number above 0 is needed")
        return np.array([known[label] for label in labels])[self.rows.codes]
