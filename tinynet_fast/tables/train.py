"""`train`: from a person's own table to a model that is ready for use, and how good it is on rows held out."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from inspect import signature
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.kernels.engines import PORTABLE
from tinynet_fast.models import MLP, Neuron
from tinynet_fast.tables.defaults import find_options
from tinynet_fast.tables.labelled import Labelled, Labeller
from tinynet_fast.tables.number_defaults import find_number_options
from tinynet_fast.tables.number_report import NumberReport, loss_of
from tinynet_fast.tables.options import ONE_VS_REST, TableOptions
from tinynet_fast.tables.page import write_page
from tinynet_fast.tables.report import Report
from tinynet_fast.tables.rows import Encoded, read
from tinynet_fast.tables.split import held_rows
from tinynet_fast.training.digests import asked_again, weights_digest
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.progress import waiting
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.result import TrainingResult

OURS = {
    "X",
    "y",
    "sample_weight",
    "drop_missing",
    "output",
    "class_weight",
}  # arguments of the trainers that `train` sets
CHECKPOINTS = ("checkpoint", "checkpoint_seconds", "resume")  # options that are for the last training alone


@dataclass(frozen=True, repr=False)
class TableResult:
    """What `train` returns.

    Attributes
    ----------
    model : Neuron or MLP
        Reads tables with the same columns. It was trained on all rows, unless `refit` was False.
    report : Report, NumberReport or None
        How good the model is on rows held out; None if there are none. The rows were judged by a model that was trained
        without them, with the same options.
    training : TrainingResult
        The training of `model`: its losses and engine.
    trial : TrainingResult
        The training of the model that was judged, with the loss of the rows held out after each epoch.
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
    decided : str
        If the target itself decided that numbers are learned, and not labels: a sentence that says so, and what to do
        for labels. Otherwise nothing.
    rows, held_out, dropped : int
        Rows of the table that were used, those held out to judge, and those left out for a missing value.
    refit : bool
        Whether the model was trained on the rows held out too, after they were judged.
    """

    model: Neuron | MLP
    report: Report | NumberReport | None
    training: TrainingResult[Any]
    trial: TrainingResult[Any]
    columns: dict[str, str]
    left_out: dict[str, str]
    missing: dict[str, int]
    new: dict[str, int]
    options: dict[str, Any]
    reason: str
    decided: str
    rows: int
    held_out: int
    dropped: int
    refit: bool

    def __str__(self) -> str:
        from tinynet_fast.tables.summary import summary  # needs rich, which takes longer to import than NumPy

        return summary(self)

    def __repr__(self) -> str:
        judged = "none held out" if self.report is None else f"{self.report!r}"
        return f"TableResult({self.model!r}, {self.rows:,} rows, {judged})"

    def _repr_html_(self) -> str:
        from tinynet_fast.tables.summary import result_html  # as above

        return result_html(self)

    def save_report(self, path: str | os.PathLike[str], X: Any = None, y: Any = None) -> None:
        """Write one HTML page with the scores, pictures and the learning curve. If anything fails, an old file stays.

        For a network, what each column contributes is shown if rows and their labels are given.
        """
        write_page(path, self.report, self.model, self.trial, X, y)


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
    standardize: bool = True,
    separator: str | None = None,
    encoding: str | None = None,
    class_weight: Any = None,
    output: str | None = None,
    seed: int = 0,
    progress: bool = False,
    **options: Any,
) -> TableResult:
    """Train on a table as it is, with options that suit it, and judge the model on rows held out.

    The target decides what is learned. A column of many different numbers (more than 32, and not all whole or with
    fewer than ten rows each) is learned as numbers, by squared error; any other, and a condition, as labels.

    Each column becomes numbers (`result.columns` says how), numbers are standardised, rows are shuffled, and the
    options that were not given are chosen on the rows themselves. The updates are those of `train_neuron` and
    `train_mlp`, and `result.options` says with which options they give these weights.

    Parameters
    ----------
    table : frame, dict of columns, path, or paths
        A frame of pandas, polars, Arrow or another library, a dict of columns, a list of dicts; or files (CSV with any
        separator, Parquet, Arrow), a pattern or a folder. Rows of numbers without names if `target` is the labels.
    target : str, or (n,)
        The column of labels or numbers, or a condition on one, such as "G3>=10". Or the labels or numbers themselves.
    hidden : int or sequence of int, optional
        Units in each hidden layer of a network. The default is one neuron. If there are more than two labels, it
        is a network without hidden units, with one output for each label. For numbers, one neuron and a network of 32
        hidden units are tried, and the network is taken if it is clearly better; () is one neuron.
    validation : float or table, optional
        The share of the rows to hold out, drawn by `seed`, the same share of each label; or a table with other rows.
        The default is a fifth, and 0 for fewer than 20 rows.
    refit : bool
        After a model was judged on the rows held out, train again on all rows with the same options (but an l2 that was
        found becomes smaller, because there are more rows). If False, the model that was judged is returned. This is
        also so if `validation` is a table, and with `patience`, because the rows held out then say when to stop.
    positive : label, optional
        The label whose probability is learned, "yes" for example. If there are more than two labels, all others
        become one.
    features, exclude : sequence of str
        The columns to use, or those to leave out.
    levels : sequence of str
        Columns whose numbers are names, such as postcodes: each value becomes a level.
    hashed : dict
        Columns of very many levels, and how many inputs each gets: {"city": 64}.
    missing : {"fill", "drop", "refuse"}
        What to do about a missing value: fill it with the median, and add an input that says so (in a column of texts
        it is a level of its own); leave its row out; or raise an error. A missing label is an error, unless rows are
        dropped.
    na : sequence of str
        Texts that stand for a missing value, beside "", NA, N/A, NaN, null, None and ?.
    decimal, separator, encoding : str, optional
        The decimal mark, "." or ",", and for CSV files the separator and the encoding. By default they are found.
    standardize : bool
        Train on (x - mean) / deviation of each column of numbers; levels stay 0 and 1. The model takes the table as it
        is.
    class_weight : "balanced" or dict, optional
        How much rows of each label count; "balanced" gives each label the same weight in total.
    output : {"labels", "linear", "one_vs_rest"}, optional
        What is learned, if the target is not to decide: labels; numbers ("linear"); or labels by one neuron for each,
        against the rest. Options that are for one of these alone (labels, positive, class_weight, a loss) decide too.
    seed : int
        For the rows held out, the order of the rows, and the first weights.
    progress : bool
        Show how far training is.
    **options
        Options of `train_neuron` or `train_mlp`, such as learning_rate, epochs, l2, average, optimizer, loss or n_jobs.
        What is given is not chosen. For numbers, standardize_y is True unless the loss is "poisson".

    Returns
    -------
    TableResult

    Raises
    ------
    ValueError
        If the table, a column or an option cannot be used. The message names the place and the remedy.

    Examples
    --------
    >>> from tinynet_fast import train
    >>> rows = {"hours": [1, 2, 3, 4, 5, 6, 7, 8], "school": list("aabbabab"), "result": ["fail"] * 4 + ["pass"] * 4}
    >>> result = train(rows, "result")
    >>> result.model.predict({"hours": 7, "school": "a"})
    array(['pass'], dtype='<U4')
    >>> rows = {"size": list(range(40, 140)), "price": [2.5 * size + 10 for size in range(40, 140)]}
    >>> train(rows, "price").model.predict({"size": 100}).round()
    array([260.])
    """
    given = {name: value for name, value in locals().items() if name != "options"}
    asked = TableOptions(
        positive,
        features,
        exclude,
        levels,
        hashed or {},
        missing,
        na,
        decimal,
        standardize,
        class_weight,
        options.pop("labels", None),
        seed,
        output,
        options.get("loss"),
        options.get("standardize_y"),
    )
    if hidden is not None:
        options["hidden"] = [hidden] if np.isscalar(hidden) else list(hidden)  # type: ignore[arg-type]
    check_options(options)
    rows, learned = read(table, target, separator, encoding, drop_missing=missing == "drop")
    assert rows is not None
    training = _Training(asked, options, progress, given | {"labels": asked.labels})
    labelled = training.labeller(rows, learned)
    if validation is None or isinstance(validation, (int, float)):
        held = held_rows(labelled.strata, validation, seed)
        return training.run(labelled.part(~held), labelled.part(held), labelled, refit)
    others, _ = read(validation, target, separator, encoding)
    assert others is not None
    return training.run(labelled, training.labeller.others(others), labelled, False)


def check_options(given: Mapping[str, Any]) -> None:
    """ValueError for an option that neither trainer has, or that `train` itself sets."""
    known = (signature(train_neuron).parameters.keys() | signature(train_mlp).parameters.keys()) - OURS
    for name in given:
        if name in OURS:
            raise ValueError(f"{name}= is not for train, which sets it itself: see help(tinynet_fast.train)")
        if name not in known:
            near = get_close_matches(name, [*known, *signature(train).parameters], 1)
            raise ValueError(f"there is no option {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))


def trainer_for(given: Mapping[str, Any], n_labels: int) -> Callable[..., TrainingResult[Any]]:
    """Return the trainer for these options and this number of labels; 0 for numbers.

    ValueError if an option belongs to the other trainer alone.
    """
    network = bool(given.get("hidden")) or (n_labels > 2 and given.get("output") != ONE_VS_REST)
    own: Any = train_mlp if network else train_neuron
    for name in given:
        if name in signature(own).parameters or (name == "hidden" and not network):
            continue
        if network:
            remedy = "or leave hidden out" if given.get("hidden") else f"because {n_labels} labels need a network"
            raise ValueError(f"{name} is for one neuron: leave it out, {remedy}")
        raise ValueError(f"{name} is for networks: name the hidden units with hidden=")
    return own


class _Training:
    """One call of `train`."""

    def __init__(self, asked: TableOptions, given: dict[str, Any], progress: bool, all_given: dict[str, Any]) -> None:
        self.asked, self.given, self.progress, self.all_given = asked, given, progress, all_given
        self.in_order = given.get("engine") == PORTABLE.name  # whether sums go from the first row to the last
        self.labeller = Labeller(asked)
        self.found: Any = None  # the options, once they were found

    def run(self, trained: Labelled, judged: Labelled, every: Labelled, refit: bool) -> TableResult:
        """Train and judge; then, if `refit` and there were rows to judge, train on `every` row of the table."""
        again = refit and len(judged) > 0 and "patience" not in self.given
        with warnings.catch_warnings():
            if again:
                warnings.simplefilter("ignore", TrainingWarning)  # the second training warns
            encoded = Encoded(trained, self.asked, self.labeller.reading(), self.given.get("n_jobs"), self.in_order)
            X, new = encoded.others(judged) if len(judged) else (None, {})
            result = self._trained(encoded, None if X is None else (X, judged.truth), not again)
        report = None if X is None else self._report(result.model, X, judged, trained)
        trial = result
        if again:
            encoded = Encoded(every, self.asked, self.labeller.reading(), self.given.get("n_jobs"), self.in_order)
            self._more_rows(len(every) / len(trained))
            result = self._trained(encoded, None, True)
        self._finish(result.model, encoded, len(judged))
        return TableResult(
            model=result.model,
            report=report,
            training=result,
            trial=trial,
            columns=encoded.choice.notes,
            left_out=encoded.choice.left_out,
            missing=encoded.missing,
            new=new,
            options=self.found.options,
            reason=self.found.reason,
            decided=self.labeller.decided,
            rows=len(every),
            held_out=len(every) - len(trained),
            dropped=self.labeller.dropped,
            refit=again,
        )

    def _trained(self, encoded: Encoded, validation: Any, last: bool) -> TrainingResult[Any]:
        """Train on the encoded rows. Options that were not given are found in the first call."""
        rows, weight = encoded.rows, encoded.sample_weight(self.asked.class_weight)
        n_labels = 0 if rows.labels is None else len(rows.labels)
        given = self.given | ({"output": ONE_VS_REST} if self.asked.output == ONE_VS_REST else {})
        trainer = trainer_for(given, n_labels)
        if self.found is None:
            found = {k: v for k, v in given.items() if k not in CHECKPOINTS}
            hidden, seed = found.pop("hidden", None), self.asked.seed
            with waiting(self.progress, "choosing options ..."):
                if rows.labels is None:
                    hidden = None if hidden is None else tuple(hidden)
                    self.found = find_number_options(encoded.X, rows.y, hidden, found, seed)
                else:
                    self.found = find_options(encoded.X, rows.y, n_labels, tuple(hidden or ()), found, seed, weight)
        trainer = trainer_for(self.found.options, n_labels)
        options = self.found.options | {"seed": self.asked.seed, "progress": self.progress}
        if last:
            options |= {name: self.given[name] for name in CHECKPOINTS if name in self.given}
        if rows.labels is not None:
            options |= {"labels": rows.labels, "sample_weight": weight}
        return trainer(encoded.X, rows.truth, validation=validation, **options)

    def _more_rows(self, times: float) -> None:
        """Divide an l2 that was found by how many times as many rows there are: the prior stays the same."""
        if "l2" in self.found.options and "l2" not in self.given:
            self.found = replace(self.found, options=self.found.options | {"l2": self.found.options["l2"] / times})

    def _report(self, model: Any, X: np.ndarray, judged: Labelled, trained: Labelled) -> Report | NumberReport:
        """The report of standardised rows that were not trained on."""
        if judged.labels is None:
            name = None if self.labeller.target is None else self.labeller.target.name
            return NumberReport.of(model.predict(X), judged.y, float(trained.y.mean()), loss_of(model), name)
        p = model.label_probabilities(X)
        return Report.of(judged.labels, p, judged.y, trained.shares, model.threshold)

    def _finish(self, model: Any, encoded: Encoded, judged: int) -> None:
        """Make the model take the table's columns, and note in it how it was trained."""
        model.for_raw_inputs(encoded.mean, encoded.scale, self.in_order)
        if self.in_order:
            model.training["digest"] |= {"weights": weights_digest(model)}
            found = {name: value for name, value in self.found.options.items() if name not in CHECKPOINTS}
            model.training["asked"] = asked_again("train", self.all_given | found)
        named = encoded.rows.table.named
        warn_of_lost_digits(model, encoded.mean, encoded.scale, encoded.columns.inputs if named else None)
        target = self.labeller.target
        if named:
            model.features, model.columns, model.target = encoded.columns.inputs, encoded.columns, target
        model.training |= {
            "target": None if target is None else target.words,
            "standardize": self.asked.standardize,
            "rows_held_out": judged,
            **self._about_target(encoded.rows),
            "deviations": encoded.deviations.tolist(),
            "left_out": encoded.choice.left_out,
        }
        if self.labeller.dropped:
            model.training["dropped_rows"] = self.labeller.dropped

    @staticmethod
    def _about_target(rows: Labelled) -> dict[str, Any]:
        """What a report's baseline knows of the rows trained on."""
        return {"target_mean": float(rows.y.mean())} if rows.labels is None else {"label_shares": rows.shares.tolist()}
