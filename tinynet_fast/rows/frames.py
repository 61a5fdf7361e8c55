"""Rows whose columns have names: frames, structured arrays, dicts, named tuples and Series.

Columns are matched by name. They are taken by position only if the rows have no names (an array, a list, a frame whose
columns are labelled 0, 1, 2 and so on), or if the model has none. Rows without names are checked in `arrays.py`.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tinynet_fast.rows.arrays import BadValue, as_matrix, check_finite, check_table
from tinynet_fast.rows.files import checked_features
from tinynet_fast.rows.index_columns import index_columns
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.named import Frame, NamedRows, are_places, frame_of, named
from tinynet_fast.rows.sparse import CSR, as_rows
from tinynet_fast.rows.values import decoded, is_coded, is_missing, is_number


def rows_for(
    X: Any, names: list[str] | None, width: int, *, name: str = "X", of: str = "the model", sparse: bool = False
) -> Any:
    """`X` as a finite matrix of the inputs that a model, or the rows to train on, has.

    Parameters
    ----------
    X : list, array, frame, dict, named tuple, Series or sparse matrix
        If it has names, its columns are matched by name, and others are left out. A dict, a named tuple, a Series whose
        index has the names, and a flat list of `width` numbers are one row.
    names : list of str, or None
        The names of the inputs, in order. None if they have none: columns are then taken by position.
    width : int
        How many inputs there are.
    name, of : str
        What messages call `X`, and what has the inputs.
    sparse : bool
        Whether SciPy's sparse matrices are taken as they are.

    Returns
    -------
    (n, width) array of real numbers, or CSR

    Raises
    ------
    ValueError
        For a column that is missing or there twice, another number of columns, and values that are no finite numbers;
        the message names the row and the column.
    """
    shown = names
    frame = None if type(X) is np.ndarray and X.dtype.names is None else frame_of(X, name, names, width)
    if frame is None:
        matrix = as_rows(X, name) if sparse else as_matrix(X, name)
        if matrix.shape[1] == 1 and len(matrix) == width > 1 and np.ndim(X) == 1:
            matrix = matrix.T  # a flat list of as many numbers as there are inputs is one row
    else:
        labels = _chosen(frame.labels, names, width, name, of)
        matrix, shown = _numbers(frame, labels, name), list(map(str, labels))
    if matrix.shape[1] != width:
        known = f" ({', '.join(names)})" if names and width <= 8 else ""
        raise ValueError(
            f"{name} has {matrix.shape[1]} columns where {of} has {width} inputs{known}: "
            "pass the columns it was trained on, in that order"
        )
    if not isinstance(matrix, CSR):
        check_finite(matrix, name, shown)
    return matrix


def training_rows(
    X: Any,
    y: Any,
    features: Sequence[str] | None = None,
    *,
    name: str = "X",
    sparse: bool = False,
    numbers: bool = False,
) -> tuple[Any, Any, list[str] | None]:
    """The rows to train on as a matrix or CSR, their labels, and the inputs' names (None if they have none).

    `y` may be the name of a column of `X`; of `numbers` to learn, also a list of names (see `target_names`). `features`
    names the columns to take, in this order; without it all but the labels' are taken, and but an index that pandas or
    Dask wrote. Values are not yet tested for NaN.
    """
    frame = frame_of(X, name)
    features = checked_features(features)
    if frame is None:
        if features is not None:
            raise ValueError(f"features names columns, and X is {_nameless(X)}")
        return (
            as_rows(X, name) if sparse else as_matrix(X, name),
            (number_columns if numbers else label_column)(X, y),
            None,
        )
    labels, targets = frame.labels, (target_names(y, frame.labels) or []) if numbers or isinstance(y, str) else []
    if targets:
        y = _columns_of_targets(frame, y)
    if features is None:
        index = index_columns(map(str, labels), getattr(frame.columns, "schema", None)).union(targets)
        inputs = [label for label in labels if str(label) not in index]
        labels = inputs or [label for label in labels if str(label) not in targets]
    else:
        labels = _by_name(labels, features, name)
    names = list(map(str, labels))
    taken = bool(set(names) & set(targets))
    if (not names and (targets or features is not None)) or (features and (taken or _repeated(names))):
        raise ValueError("features: name at least one column beside the target, and each once")
    _refuse_twice(names, names, name)
    return _numbers(frame, labels, name), y, None if features is None and are_places(labels) else names


def named_weights(weights: Any, names: list[str] | None) -> Any:
    """`weights`, in the order of the inputs if both have names, as a Series, a dict and a named tuple have."""
    if names is None or isinstance(weights, (int, float, list, np.ndarray)) or named(weights) is None:
        return weights
    return rows_for(weights, names, len(names), name="weights", of="X")[0]


def block_rows(X: Any, names: list[str] | None) -> tuple[np.ndarray, list[str] | None]:
    """A block of rows as a matrix, in which missing values may be NaN, and its columns' names.

    If `names` are given and the block has names, its columns are those.
    """
    frame = frame_of(X, "X")
    if frame is None:
        return as_matrix(X), None
    labels = frame.labels
    if names is not None:
        labels = _chosen(labels, names, len(names), "X", "the first block")
    own = list(map(str, labels))
    _refuse_twice(own, own, "X")
    return _numbers(frame, labels, "X", fill=True), None if are_places(labels) else own


def named_columns(X: Any, name: str, names: Sequence[str] | None = None) -> tuple[list[Any], Any] | None:
    """The labels of the columns of `X` and the columns by label; None if its rows have no names.

    A Series may be one row if the `names` of the columns to read are given.
    """
    own = None if names is None else list(names)
    frame = frame_of(X, name, own, None if own is None else len(own))
    return None if frame is None else (frame.labels, frame.columns)


def target_names(y: Any, columns: Collection[Any] | None = None) -> list[str] | None:
    """The columns that `y` names: a text is one name, a list of texts has several.

    None if `y` holds labels or numbers itself: if it is anything else, or a list of texts that all are numbers and not
    all are among the `columns`.
    """
    if isinstance(y, str):
        return [y]
    if not isinstance(y, (list, tuple)) or not len(y) or not all(isinstance(name, str) for name in y):
        return None
    known = columns is not None and set(y) <= set(map(str, columns))
    return list(map(str, y)) if known or not all(map(is_number, y)) else None


def number_columns(X: Any, y: Any) -> Any:
    """`y`, or the column or columns of `X` that it names, as an array."""
    frame = frame_of(X, "X") if isinstance(y, (str, list, tuple)) else None
    names = target_names(y, None if frame is None else frame.labels)
    if names is None:
        return y
    if frame is not None:
        return _columns_of_targets(frame, y)
    if not isinstance(y, str) and np.shape(X)[:1] == (len(y),):
        return y  # texts that are no numbers, in place of numbers
    what = f"is {y!r}, a column's name" if isinstance(y, str) else f"names the columns {listed(names)}"
    raise ValueError(f"y {what}, and X is {_nameless(X)}")


def label_column(X: Any, y: Any) -> Any:
    """`y`, or the column of `X` that it names, as an array."""
    return number_columns(X, y) if isinstance(y, str) else y


def _column_of_labels(frame: Frame, y: str) -> Any:
    (label,) = _by_name(frame.labels, [y], "X")
    column = frame.columns[label]
    if isinstance(column, list):
        return column
    array = np.asarray(decoded(column))
    gone = np.isnan(array) if array.dtype.kind == "f" else [array.dtype.kind == "O" and is_missing(v) for v in array]
    if np.any(gone):
        raise ValueError(f"X[{np.argmax(gone)}, {y!r}] is missing: drop the row or fill the label first")
    return array


def _columns_of_targets(frame: Frame, y: str | list[str]) -> Any:
    if isinstance(y, str):
        return _column_of_labels(frame, y)
    if _repeated(y):
        raise ValueError(f"y names a column twice ({listed(y)}): name each target once")
    return _numbers(frame, _by_name(frame.labels, list(y), "X"), "X")


def _nameless(X: Any) -> str:
    return f"a {type(X).__name__} without named columns: pass a frame or a path"


# --- which columns ----------------------------------------------------------------------------------------------------


def _chosen(labels: list[Any], names: list[str] | None, width: int, name: str, of: str) -> list[Any]:
    """The labels of the inputs in order: by name, or, if there are no names to go by, as the columns stand."""
    if names is None:
        in_order = list(range(width))
        numbered = len(labels) == width and set(labels) == set(in_order)  # 2, 0, 1 for the inputs 0, 1 and 2
        return in_order if numbered else labels
    own = list(map(str, labels))
    if own == names or (are_places(labels) and not set(names) <= set(own)):
        return labels
    return _by_name(labels, names, name, of)


def _by_name(labels: list[Any], names: list[str], name: str, of: str = "") -> list[Any]:
    own = list(map(str, labels))
    at = dict(zip(own, labels, strict=True))
    missing = [repr(wanted) for wanted in names if wanted not in at]
    if missing:
        columns = "column" if len(missing) == 1 else "columns"
        there = f"it has {listed(own) or 'none'}"
        if of:
            raise ValueError(f"{name} has no {columns} {listed(missing)}, which {of} has; {there}: add or rename it")
        raise ValueError(f"{name} has no {columns} {listed(missing)}; {there}")
    _refuse_twice(own, names, name)
    return [at[wanted] for wanted in names]


def _repeated(names: Sequence[str]) -> bool:
    return len(set(names)) != len(names)


def _refuse_twice(own: list[str], names: list[str], name: str) -> None:
    """ValueError if a column that is taken stands twice among those there are."""
    if _repeated(own):
        twice = [wanted for wanted in names if own.count(wanted) > 1]
        if twice:
            raise ValueError(f"{name} has {own.count(twice[0])} columns named {twice[0]!r}: rename or drop one")


# --- their values -----------------------------------------------------------------------------------------------------


def _numbers(frame: Frame, labels: list[Any], name: str, fill: bool = False) -> np.ndarray:
    """Some columns of a frame as a matrix; with `fill`, what is missing in columns of Python objects as NaN."""
    if not isinstance(frame.columns, (dict, NamedRows)):
        array = _at_once(frame, labels)
        if array is not None and array.dtype.kind in "biuf":
            return as_matrix(array, name)
    if not labels:
        check_table((1, 0), name)
    columns = [(label, frame.columns[label]) for label in labels]
    try:
        return np.column_stack([_column(values, str(label), name, fill) for label, values in columns])
    except BadValue:
        raise ValueError(_first_bad_value(columns, name, fill)) from None


def _first_bad_value(columns: list[tuple[Any, Any]], name: str, fill: bool) -> str:
    """The message about the bad value in the first row that has one; of several in that row, in the first column."""
    found = []
    for label, values in columns:
        try:
            column = _column(values, str(label), name, fill)
            if not fill:
                check_finite(column[:, np.newaxis], name, [str(label)])
        except ValueError as error:
            found.append((getattr(error, "row", 0), str(error)))
    return min(found, key=lambda bad: bad[0])[1]


def _at_once(frame: Frame, labels: list[Any]) -> np.ndarray | None:
    """Some columns as NumPy reads them together; None if it cannot, or would take dates for numbers."""
    columns = frame.columns
    if labels != frame.labels:
        columns = columns.select(labels) if hasattr(type(columns), "column_names") else columns[labels]
    if type(columns).__module__.startswith("polars") and any(kind.is_temporal() for kind in columns.dtypes):
        return None  # Polars would make microseconds of them
    if any(map(is_coded, getattr(getattr(columns, "schema", None), "types", ()))):
        return None  # NumPy would not see the nulls
    try:
        return np.asarray(columns)
    except TypeError:  # Arrow's dates beside numbers
        return None


def _column(values: Any, label: str, name: str, fill: bool) -> np.ndarray:
    array = values if isinstance(values, list) else np.asarray(decoded(values))
    if fill and not (isinstance(array, np.ndarray) and array.dtype.kind in "biufMm"):
        array = [np.nan if is_missing(value) else value for value in array]
    matrix = as_matrix(array, name, [label])
    if matrix.shape[1] != 1:
        several = f"{name}[0, {label!r}] holds several values"
        raise ValueError(f"{several}: give each a column of its own, or leave the column out")
    return matrix[:, 0]
