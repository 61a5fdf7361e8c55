"""`train`: from a person's own table to a model that is ready for use, and how good it is on rows held out."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinynet_fast.columns import Columns, Target
from tinynet_fast.columns.kinds import Reading, gaps
from tinynet_fast.columns.looking import Choice, kinds_of, mark_in
from tinynet_fast.errors import TrainingWarning
from tinynet_fast.models import MLP, Neuron
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.blocks import standardisation
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.labels import as_labels, refuse_measurements
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.tables import Table, table_of
from tinynet_fast.tables.defaults import find_options
from tinynet_fast.tables.report import Report
from tinynet_fast.tables.split import held_rows
from tinynet_fast.training.mlp import MOST_LABELS, train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.result import TrainingResult

MISSING = ("fill", "drop", "refuse")


@dataclass(frozen=True)
class TableOptions:
    """How the table is read and what is learned, checked. The trainers' own options are not here."""

    positive: Any = None
    features: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    levels: Sequence[str] = ()
    hashed: Mapping[str, int] = field(default_factory=dict)
    missing: str = "fill"
    na: Sequence[str] = ()
    decimal: str | None = None
    validation: Any = None
    class_weight: Any = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("features", "exclude", "levels", "na"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name}={getattr(self, name)!r} is one text: give a list, [{getattr(self, name)!r}]")
        if self.missing not in MISSING:
            raise ValueError(f"missing={self.missing!r}: one of {', '.join(map(repr, MISSING))} is needed")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal={self.decimal!r}: '.' or ',' is needed")
        if not (self.class_weight in (None, "balanced") or isinstance(self.class_weight, Mapping)):
            raise ValueError(f"class_weight={self.class_weight!r}: 'balanced', or a dict with a weight for each label")


@dataclass(frozen=True)
class TableResult:
    """What `train` returns.

    Attributes
    ----------
    model : Neuron or MLP
        Reads tables with the same columns. It was trained on all rows, unless `refit` was False.
    report : Report or None
        How good the model is on rows held out; None if there are none. The rows were judged by a model that was trained
        without them, with the same options.
    training : TrainingResult
        The training of `model`: its losses, engine and options.
    columns : dict
        For each column that is used, what it is.
    left_out : dict
        For each column that is not, why.
    missing, new : dict
        For each column the number of missing values, and of levels in the rows held out that no row trained on had.
    options : dict
        The options with which `train_neuron` or `train_mlp` gives these weights.
    reason : str
        How the options were found.
    rows, held_out, dropped : int
        Rows of the table that were used, those held out to judge, and those left out for a missing value.
    """

    model: Neuron | MLP
    report: Report | None
    training: TrainingResult[Any]
    columns: dict[str, str]
    left_out: dict[str, str]
    missing: dict[str, int]
    new: dict[str, int]
    options: dict[str, Any]
    reason: str
    rows: int
    held_out: int
    dropped: int

    def __str__(self) -> str:
        from tinynet_fast.tables.summary import summary  # needs rich, which predictions do not

        return summary(self)


def train(
    table: Any,
    target: Any,
    *,
    hidden: Sequence[int] | int | None = None,
    validation: Any = None,
    refit: bool = True,
    positive: Any = None,
    features: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    levels: Sequence[str] = (),
    hashed: Mapping[str, int] | None = None,
    missing: str = "fill",
    na: Sequence[str] = (),
    decimal: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    class_weight: Any = None,
    seed: int = 0,
    progress: bool = False,
    **options: Any,
) -> TableResult:
    """Train on a table as it is, with options that suit it, and judge the model on rows held out.

    Each column becomes numbers (see `columns`), inputs are standardised, rows shuffled, and the options that were not
    given are chosen on the rows themselves. The updates are those of `train_neuron` and `train_mlp`, and
    `result.options` says with which options they give these weights.

    Parameters
    ----------
    table : frame, dict of columns, path, or paths
        A frame of pandas, polars, Arrow or another library, a dict of columns, a list of dicts; or files (CSV with any
        separator, Parquet, Arrow), a pattern or a folder.
    target : str, or (n,)
        The column of labels, or a condition on one, such as "G3>=10". Or the labels themselves.
    hidden : int or sequence of int, optional
        Units in each hidden layer of a network. The default is one neuron, or an output for each of more than two labels.
    validation : float or table, optional
        The share of the rows to hold out, drawn by `seed`, the same of each label; or a table with other rows. The
        default is a fifth, and 0 for fewer than 20 rows.
    refit : bool
        After a model was judged on the rows held out, train again on all rows with the same options. If False, the model
        that was judged is returned.
    positive : label, optional
        The label whose probability is learned, "yes" for example. If there are more than two, all others become one.
    features, exclude : sequence of str
        The columns to use, or those to leave out.
    levels : sequence of str
        Columns whose numbers are names, such as postcodes: each value becomes a level.
    hashed : dict
        Columns of very many levels, and how many inputs each gets: {"city": 64}.
    missing : {"fill", "drop", "refuse"}
        What to do about a missing value: fill it with the median, with an input that says so; leave its row out; or
        raise an error. A missing label is an error, unless rows are dropped.
    na : sequence of str
        Texts that stand for a missing value, beside "", NA, NaN, null, None and ?.
    decimal, separator, encoding : str, optional
        The decimal mark, "." or ",", and for CSV files the separator and the encoding. By default they are found.
    class_weight : "balanced" or dict, optional
        What rows of each label count for; "balanced" gives each label the same weight in total.
    seed : int
        For the rows held out, their order and first weights.
    progress : bool
        Show how far training is.
    **options
        Options of `train_neuron` or `train_mlp`, such as learning_rate, epochs, l2, average, optimizer or n_jobs. What
        is given is not chosen.

    Returns
    -------
    TableResult

    Raises
    ------
    ValueError
        For tables, columns and options that cannot be used. The message names the place and the remedy.

    Examples
    --------
    >>> from tinynet_fast import train
    >>> rows = {"hours": [1, 2, 3, 4, 5, 6, 7, 8], "school": list("aabbabab"), "result": ["fail"] * 4 + ["pass"] * 4}
    >>> result = train(rows, "result")
    >>> result.model.predict({"hours": 7, "school": "a"})
    array(['pass'], dtype='<U4')
    """
    asked = TableOptions(
        positive, features, exclude, levels, hashed or {}, missing, na, decimal, validation, class_weight, seed
    )
    given = dict(options)
    if hidden is not None:
        given["hidden"] = [int(hidden)] if np.isscalar(hidden) else list(hidden)  # type: ignore[arg-type, call-overload]
    return _Training(asked, given, progress).run(_read(table, separator, encoding), target, refit)


def _read(table: Any, separator: str | None = None, encoding: str | None = None) -> Table:
    found = table_of(table)
    if found is None:
        raise ValueError(
            f"table is a {type(table).__name__} without named columns: pass a frame, a dict of columns or a path; "
            "train_neuron and train_mlp take arrays of numbers"
        )
    return found


@dataclass
class _Rows:
    """Rows that are ready to be encoded: a table of inputs, and a label for each row."""

    table: Table
    codes: np.ndarray
    labels: np.ndarray

    def part(self, mask: np.ndarray) -> "_Rows":
        return _Rows(self.table.take(mask), self.codes[mask], self.labels)


class _Training:
    """One call of `train`."""

    def __init__(self, asked: TableOptions, given: dict[str, Any], progress: bool) -> None:
        self.asked, self.given, self.progress = asked, given, progress
        self.target: Target | None = None
        self.dropped = 0
        self.found: Any = None  # the options, once they were found

    def run(self, table: Table, target: Any, refit: bool) -> TableResult:
        rows = self._prepared(table, target)
        other = self.asked.validation
        if other is None or isinstance(other, (int, float)):
            held = held_rows(rows.codes, other, self.asked.seed)
            trained, judged = rows.part(~held), rows.part(held)
        else:
            trained, judged, refit = rows, self._others(_read(other), rows), False
        again = refit and len(judged.table) > 0
        with warnings.catch_warnings():
            if again:
                warnings.simplefilter("ignore", TrainingWarning)  # the second training warns
            fit = _Fit(self, trained)
        report, new = fit.judge(judged) if len(judged.table) else (None, {})
        if again:
            fit = _Fit(self, rows)
        fit.finish(0 if not len(judged.table) else len(judged.table) / len(table))
        return TableResult(
            fit.model,
            report,
            fit.result,
            fit.choice.notes,
            fit.choice.left_out,
            dict(fit.reading.missing),
            new,
            self.found.options,
            self.found.reason,
            len(rows.table),
            len(judged.table),
            self.dropped,
        )

    def _prepared(self, table: Table, target: Any) -> _Rows:
        """The table's inputs and labels, without rows that are dropped."""
        asked = self.asked
        if isinstance(target, str):
            self.target = Target.of(target, table.names, asked.positive, table.place)
            labels, gone = self.target.labels(table, self._reading(table.chosen([self.target.name])))
            column = self.target.name
        else:
            labels, gone, column = as_labels(target), np.zeros(len(table), bool), "y"
            if len(labels) != len(table):
                raise ValueError(f"target has {len(labels):,} labels and the table has {len(table):,} rows")
        inputs = self._inputs(table, column)
        if asked.missing == "drop":
            reading = self._reading(inputs)
            for name in inputs.names:
                gone |= gaps(inputs, name, reading)
            self.dropped = int(np.count_nonzero(gone))
            inputs, labels = inputs.take(~gone), labels[~gone]
        elif gone.any():
            raise ValueError(
                f"{table.cell(int(np.argmax(gone)), column)}: the label is missing: fill it, or leave such rows out "
                "(missing='drop')"
            )
        if not len(inputs):
            kept = " without a missing value" if self.dropped else ""
            raise ValueError(f"{table.place} has no rows{kept}: rows of two labels are needed")
        order = self._order(labels, inputs, column)
        return _Rows(inputs, encode_known(labels, order, len(labels)), order)

    def _inputs(self, table: Table, target: str) -> Table:
        """The columns that are used."""
        asked = self.asked
        Choice(asked.exclude, asked.levels, asked.hashed).check(table.names, table.place)
        names = table.names if asked.features is None else list(asked.features)
        if asked.features is not None and target in names:
            raise ValueError(f"features: {target!r} is the target: leave it out")
        names = [name for name in names if name != target and name not in asked.exclude]
        if not names:
            raise ValueError(f"{table.place} has no column beside the target {target!r}: one is needed to learn from")
        return table.chosen(names)

    def _order(self, labels: np.ndarray, table: Table, column: str) -> np.ndarray:
        """The different labels, in the order in which they are learned."""
        named = self.given.pop("labels", None)
        found = np.unique(labels)
        place = f"{table.place}, column {column!r}"
        if len(found) < 2:
            raise ValueError(f"{place}: every row has the label {found[0]}; rows of two labels are needed")
        if named is not None:
            return np.asarray(named)
        try:
            refuse_measurements(found, len(labels), place)
        except ValueError as error:
            raise ValueError(f"{error}; or learn whether they are large, with a target such as '{column}>=10'") from None
        if len(found) > MOST_LABELS:
            raise ValueError(f"{place} has {len(found):,} different labels: at most {MOST_LABELS} can be learned")
        order = None if self.target is None else self.target.order(labels, table.place)
        return found if order is None else np.array(order)

    def _others(self, table: Table, rows: _Rows) -> _Rows:
        """Rows of another table, to judge the model."""
        if self.target is None:
            raise ValueError("validation is a table, so target has to name a column of both tables")
        labels, gone = self.target.labels(table, self._reading(table.chosen([self.target.name])))
        keep = ~gone
        return _Rows(table.take(keep), encode_known(labels[keep], rows.labels, int(keep.sum())), rows.labels)

    def _reading(self, table: Table) -> Reading:
        mark = self.asked.decimal or mark_in(table, table.names)
        return Reading(mark, frozenset(map(str, self.asked.na)), self.asked.missing == "fill")

    def sample_weight(self, rows: _Rows) -> np.ndarray | None:
        """What each row counts for; None if all count the same."""
        asked = self.asked.class_weight
        if asked is None:
            return None
        counts = np.bincount(rows.codes, minlength=len(rows.labels))
        if asked == "balanced":
            return (len(rows.codes) / (len(counts) * np.maximum(counts, 1)))[rows.codes]
        known = {str(label): float(weight) for label, weight in asked.items()}
        missing = [str(label) for label in rows.labels.tolist() if str(label) not in known]
        if missing:
            raise ValueError(f"class_weight gives no weight for {listed(missing)}: give one for each label")
        return np.array([known[str(label)] for label in rows.labels.tolist()])[rows.codes]


class _Fit:
    """A model of some rows: columns, standardising and training."""

    def __init__(self, training: _Training, rows: _Rows) -> None:
        asked = training.asked
        self.training, self.rows = training, rows
        self.reading = training._reading(rows.table)
        self.choice = Choice(asked.exclude, asked.levels, asked.hashed)
        kinds = kinds_of(rows.table, self.reading, self.choice)
        self.columns = Columns(kinds, self.reading.decimal, tuple(map(str, asked.na)), asked.missing == "fill")
        X = self.columns.encode(rows.table, replace(self.reading, missing=Counter(), new=Counter()))
        names = self.columns.inputs
        warn_of_row_numbers(names, X)
        self.mean, self.scale = standardisation(X, names)
        X -= self.mean
        X /= self.scale
        self.result = self._trained(X)
        self.model = self.result.model.for_raw_inputs(self.mean, self.scale)
        self.model.features, self.model.columns, self.model.target = names, self.columns, training.target

    def _trained(self, X: np.ndarray) -> TrainingResult[Any]:
        training, rows = self.training, self.rows
        weight = training.sample_weight(rows)
        if training.found is None:
            training.found = find_options(
                X, rows.codes, len(rows.labels), training.given, training.asked.seed, sample_weight=weight
            )
        options = training.found.options | {"seed": training.asked.seed, "progress": training.progress}
        trainer = train_mlp if "hidden" in options else train_neuron
        return trainer(X, rows.labels[rows.codes], sample_weight=weight, labels=rows.labels, **options)

    def judge(self, rows: _Rows) -> tuple[Report, dict[str, int]]:
        """The report of rows that were not trained on, and the new levels in them."""
        reading = self.columns.reading(rows.table)
        probabilities = self.model.predict_proba(self.columns.encode(rows.table, reading))
        if probabilities.ndim == 1:
            probabilities = np.column_stack([1.0 - probabilities, probabilities])
        report = Report.of(rows.labels, probabilities, rows.codes, self.shares, self.model.threshold)
        return report, dict(reading.new)

    @property
    def shares(self) -> np.ndarray:
        """The share of each label."""
        counts = np.bincount(self.rows.codes, minlength=len(self.rows.labels))
        return counts / counts.sum()

    def finish(self, held: float) -> None:
        """Note in the model how it was trained, and warn of digits that it lost."""
        warn_of_lost_digits(self.model, self.mean, self.model.features)
        target = self.training.target
        self.model.training |= {
            "target": None if target is None else target.words,
            "standardize": True,
            "validation": round(held, 6),
            "label_shares": self.shares.tolist(),
            "deviations": np.where(np.isfinite(self.scale), self.scale, 0.0).tolist(),
            "left_out": self.choice.left_out,
        }
        if self.training.dropped:
            self.model.training["dropped_rows"] = self.training.dropped
