"""`evaluate`: how good a model is on rows with known labels, in memory or in files of any size."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.models import Model
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.formats import is_source, names_files, target_in
from tinynet_fast.rows.messages import listed, shown
from tinynet_fast.scoring import by_position, encoded, open_for
from tinynet_fast.tables.report import Report


def evaluate(
    model: Model,
    table: Any,
    target: Any = None,
    *,
    drop_missing: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
) -> Report:
    """Judge a model on rows with known labels.

    Parameters
    ----------
    model : Neuron or MLP
    table : frame, dict of columns, array, path, or paths
        Rows with the columns that the model reads, and the labels.
    target : str, or (n,), optional
        The column of labels, a condition on a column, or the labels. The default is what the model learned.
    drop_missing : bool
        Leave out rows with a missing value. This is for files, and for a table in memory if `target` is a column (or
        not given) and the model was trained on a table.
    separator, encoding : str, optional
        Of CSV files. By default they are found.

    Returns
    -------
    Report
        Its baseline is the most frequent label of the rows that the model was trained on, if the model notes the
        labels' shares; else of these rows.

    Raises
    ------
    ValueError
        For rows that the model cannot read, and for a label that it does not know; the message names the place.

    Examples
    --------
    >>> from tinynet_fast import Neuron, evaluate
    >>> evaluate(Neuron(weights=[2.0], bias=-5.0), [1, 2, 3, 4], [0, 0, 1, 1]).accuracy.value
    1.0
    """
    if target is None:
        target = known_target(model)
    shares = model.training.get("label_shares")
    shares = np.array(shares) if isinstance(shares, list) and len(shares) == len(model.labels) else None
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
        P = model.label_probabilities(table)
        codes = model.codes(table, target, len(P))
    else:
        P, codes = _in_blocks(model, table, target, drop_missing, separator, encoding)
    return Report.of(model.labels, P, codes, shares, model.threshold)


def known_target(model: Model) -> str:
    """The column that the model learned, or the condition on one; ValueError if it does not know."""
    known = model.training.get("target") if model.target is None else model.target.words
    if not isinstance(known, str):
        raise ValueError("the model does not know which column it learned: name the column of labels (target)")
    return known


def _place(source: Any, rows: np.ndarray, column: str, i: int) -> str:
    return f"{source.where(int(rows[i]))}{column}"


def _in_blocks(
    model: Model, data: Any, target: Any, drop_missing: bool, separator: str | None, encoding: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Read files, or a table in memory, block by block; return the probabilities and the codes of all rows."""
    if model.columns is None or by_position(model, data):
        if target is None:
            raise ValueError("the rows have no names: pass their labels, or a file of them, as target")
        first = data[0] if isinstance(data, (list, tuple)) else data
        y = target_in(first, target) if isinstance(target, str) else target
        source: Any = open_for(model, data, drop_missing=drop_missing, y=y)
    else:
        source = encoded(model, data, drop_missing, target, separator=separator, encoding=encoding)
    column = f", column {target!r}" if isinstance(target, str) else ""
    P, codes, first_row = [], [], 0
    for chunk in source.chunks():
        if len(chunk.X):
            P.append(model.label_probabilities(chunk.X))
            codes.append(codes_of(model, chunk.y, partial(_place, source, first_row + chunk.numbers(), column)))
        first_row += chunk.rows
    source.check_unchanged()
    if not P:
        raise ValueError(f"{source.place}: no rows: one is needed")
    return np.concatenate(P), np.concatenate(codes)


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
