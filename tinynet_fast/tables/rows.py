"""A table's rows on their way to training: read, encoded and standardised. `labelled.py` is about what they learn."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.columns import Columns
from tinynet_fast.columns.kinds import Numbers
from tinynet_fast.columns.looking import IDENTIFIER, Choice, kinds_of
from tinynet_fast.columns.reading import Reading
from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.rows.arrays import as_matrix, check_finite
from tinynet_fast.rows.blocks import standardisation
from tinynet_fast.rows.formats import format_in, is_source, open_raw, open_source
from tinynet_fast.rows.index_columns import is_identifier, row_numbers
from tinynet_fast.rows.kept import WholeTable, read_whole
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.table_files import read_table
from tinynet_fast.rows.tables import Table, table_of
from tinynet_fast.tables.labelled import Labelled
from tinynet_fast.tables.options import TableOptions


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

    def __init__(
        self,
        rows: Labelled,
        asked: TableOptions,
        reading: Reading,
        n_jobs: int | None = None,
        in_order: bool = False,
    ) -> None:
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
        mean, scale = standardisation(self.X, self.columns.inputs, n_jobs, in_order=in_order)
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
        if class_weight is None or self.rows.labels is None:
            return None
        labels = [str(label) for label in self.rows.labels.tolist()]
        if class_weight == "balanced":
            return np.asarray(1.0 / (len(labels) * np.maximum(self.rows.shares, 1e-300)))[self.rows.y]
        known = {str(label): float(weight) for label, weight in class_weight.items()}
        missing, more = [label for label in labels if label not in known], [k for k in known if k not in labels]
        if missing:
            raise ValueError(f"class_weight gives no weight for {listed(missing)}: give one for each label")
        if more:
            raise ValueError(f"class_weight names {listed(more)}, which no row has: the labels are {listed(labels)}")
        for label, weight in known.items():
            if not 0.0 < weight < np.inf:
                raise ValueError(f"class_weight gives {label} a weight of {weight}: a finite number above 0 is needed")
        return np.array([known[label] for label in labels])[self.rows.y]
