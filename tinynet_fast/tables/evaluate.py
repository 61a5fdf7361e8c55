"""`evaluate`: how good a model is on rows with known labels or numbers, in memory or in files of any size."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.models.base import Model, check_model
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.formats import format_in, is_source, names_files, target_in
from tinynet_fast.rows.messages import listed, shown
from tinynet_fast.rows.numbers import number_of
from tinynet_fast.rows.team import Team
from tinynet_fast.scoring import by_position, encoded, open_for
from tinynet_fast.tables.number_report import NumberReport, loss_of
from tinynet_fast.tables.report import Report


def evaluate(
    model: Model,
    table: Any,
    target: Any = None,
    *,
    drop_missing: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    n_jobs: int | None = None,
) -> Report | NumberReport:
    """Judge a model on rows with known labels, or with known numbers.

    Parameters
    ----------
    model : Neuron or MLP
    table : frame, dict of columns, array, path, or paths
        Rows with the columns that the model reads, and the labels or numbers.
    target : str, or (n,), optional
        The column of labels or numbers, a condition on a column, or the labels or numbers. The default is what the
        model learned. For .npy files it is needed: the file of the labels, or the number of their column. svmlight
        files hold their labels: leave it out.
    drop_missing : bool
        Leave out rows with a missing value. This is for files, and for a table in memory if `target` is a column (or
        not given) and the model was trained on a table.
    separator, encoding : str, optional
        Of CSV files. By default they are found.
    n_jobs : int, optional
        How many threads predict, None for one and -1 for one on each core. The report is the same.

    Returns
    -------
    Report, or NumberReport for a model of numbers
        Its baseline is the most frequent label, or the mean number, of the rows that the model was trained on, if the
        model notes these; else of the rows that are judged.

    Raises
    ------
    ValueError
        For rows that the model cannot read, and for a label that it does not know; the message names the place. For a
        model without probabilities (loss="hinge"), and for one of several numbers a row.

    Examples
    --------
    >>> from tinynet_fast import Neuron, evaluate
    >>> evaluate(Neuron(weights=[2.0], bias=-5.0), [1, 2, 3, 4], [0, 0, 1, 1]).accuracy.value
    1.0
    """
    check_model(model)
    if target is None:
        target = known_target(model, table)
    if model.numbers and model.n_outputs > 1:
        raise ValueError(f"a report is of one number a row, and the model predicts {model.n_outputs}: use model.score")
    in_blocks = (
        is_source(table)
        or names_files(table)
        or (drop_missing and model.columns is not None and isinstance(target, str))
    )
    if not in_blocks:
        if drop_missing:
            raise ValueError(
                "drop_missing=True is for files, and for a table with its labels and a model that was trained on one: "
                "leave out rows with a missing value yourself"
            )
        predicted = _predicted(model, table, n_jobs)
        known = (model.true_numbers if model.numbers else model.codes)(table, target, len(predicted))
    else:
        predicted, known = _in_blocks(model, table, target, drop_missing, separator, encoding, n_jobs)
    if model.numbers:
        mean, name = model.training.get("target_mean"), target if isinstance(target, str) else None
        return NumberReport.of(predicted, known, mean if isinstance(mean, float) else None, loss_of(model), name)
    shares = model.training.get("label_shares")
    shares = np.array(shares) if isinstance(shares, list) and len(shares) == len(model.labels) else None
    return Report.of(model.labels, predicted, known, shares, model.threshold)


def _predicted(model: Model, X: Any, n_jobs: int | None = None) -> np.ndarray:
    """The probability of each label, or the number, of each row."""
    return (model.predict if model.numbers else model.label_probabilities)(X, n_jobs=n_jobs)


def known_target(model: Model, data: Any) -> str | None:
    """The column that the model learned, or the condition on one; None for svmlight files, where rows have their label.

    ValueError if the model does not know, or if the files have no column names.
    """
    what, kind = "numbers" if model.numbers else "labels", format_in(data)
    if kind is not None and not kind.has_names:
        if kind.target("") is None:
            return None
        raise ValueError(
            f"a .{kind.name} file has no column names: name the file of the {what}, or give the number of their column "
            "(target)"
        )
    known = model.training.get("target") if model.target is None else model.target.words
    if not isinstance(known, str):
        raise ValueError(f"the model does not know which column it learned: name the column of {what} (target)")
    return known


def _place(source: Any, rows: np.ndarray, column: str, i: int) -> str:
    return f"{source.where(int(rows[i]))}{column}"


def _in_blocks(
    model: Model,
    data: Any,
    target: Any,
    drop_missing: bool,
    separator: str | None,
    encoding: str | None,
    n_jobs: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read files, or a table in memory, block by block; return predictions and codes or true numbers of all rows."""
    if model.columns is None or by_position(model, data):
        first = data[0] if isinstance(data, (list, tuple)) else data
        y = target_in(first, target) if isinstance(target, str) else target
        source: Any = open_for(model, data, drop_missing=drop_missing, y=y)
    else:
        source = encoded(model, data, drop_missing, target, separator=separator, encoding=encoding)
    column = f", column {target!r}" if isinstance(target, str) else ""
    predicted, known, first_row = [], [], 0

    def answer(chunk: Any) -> tuple[Any, Any]:
        return chunk, _predicted(model, chunk.X) if len(chunk.X) else None

    with (
        Team.of(n_jobs) as team,
        closing(source.chunks()) as chunks,
        closing(team.in_order(answer, chunks)) as answers,
    ):
        for chunk, found in answers:
            if found is not None:
                place = partial(_place, source, first_row + chunk.numbers(), column)
                predicted.append(found)
                known.append((numbers_of if model.numbers else codes_of)(model, chunk.y, place))
            first_row += chunk.rows
    source.check_unchanged()
    if not predicted:
        raise ValueError(f"{source.place}: no rows: one is needed")
    return np.concatenate(predicted), np.concatenate(known)


def numbers_of(model: Model, y: Any, where: Callable[[int], str]) -> np.ndarray:
    """Return each row's number. ValueError for what is none, or is missing; `where` names the place of a row."""
    y = np.asarray(y)
    numbers = y.astype(np.float64) if y.dtype.kind in "biuf" else np.empty(len(y))
    for i, value in enumerate(y.tolist() if y.dtype.kind not in "biuf" else ()):
        try:
            numbers[i] = number_of(value)
        except ValueError as error:
            raise ValueError(f"{where(i)} {error}") from None
    if not np.isfinite(numbers).all():
        i = int(np.argmin(np.isfinite(numbers)))
        what = "missing" if np.isnan(numbers[i]) else "not finite"
        raise ValueError(f"{where(i)}: the number is {what}: leave the row out")
    return numbers


def codes_of(model: Model, y: Any, where: Callable[[int], str]) -> np.ndarray:
    """Return the place of each row's label in the model's labels. ValueError for a label that the model does not know.

    `where` names the place of a row: its file and line, and the column.
    """
    y, labels = np.asarray(y), model.labels
    if (y.dtype.kind == "U") != (labels.dtype.kind == "U"):
        y, labels = y.astype(str), labels.astype(str)  # one is text, the other numbers
    known = np.isin(y, labels)
    if not known.all():
        i = int(np.argmin(known))
        names = [repr(label) for label in labels.tolist()]
        knows = " and ".join(names) if len(names) == 2 else listed(names)
        raise ValueError(f"{where(i)}: unknown label {shown(y[i])}; the model knows {knows}")
    return encode_known(y, labels, len(y))
