"""Rows whose columns have names: frames, structured arrays, dicts, named tuples and Series.

Columns are matched by name. They are taken by position only if the rows have no names (an array, a list, a frame whose
columns are labelled 0, 1, 2 and so on), or if the model has none. Rows without names are checked in `arrays.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinynet_fast.rows.arrays import BadValue, as_matrix, check_finite, check_table
from tinynet_fast.rows.files import checked_features, need
from tinynet_fast.rows.index_columns import index_columns
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.sparse import CSR, as_rows, is_sparse
from tinynet_fast.rows.values import decoded, is_coded, is_missing, is_number, is_several

CLUSTERS = {"dask": "dask", "dask_expr": "dask", "pyspark": "spark"}  # libraries, and our modules for them


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
    frame = None if type(X) is np.ndarray and X.dtype.names is None else _frame(X, name, names, width)
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
    frame = _frame(X, name)
    features = checked_features(features)
    if frame is None:
        if features is not None:
            raise ValueError(f"features names columns, and X is {_nameless(X)}")
        return (
            as_rows(X, name) if sparse else as_matrix(X, name),
            (number_columns if numbers else label_column)(X, y),
            None,
        )
    labels, targets = frame.labels, (target_names(y) or []) if numbers or isinstance(y, str) else []
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
    return _numbers(frame, labels, name), y, None if features is None and _are_places(labels) else names


def named_weights(weights: Any, names: list[str] | None) -> Any:
    """`weights`, in the order of the inputs if both have names, as a Series, a dict and a named tuple have."""
    if names is None or isinstance(weights, (int, float, list, np.ndarray)) or _named(weights) is None:
        return weights
    return rows_for(weights, names, len(names), name="weights", of="X")[0]


def block_rows(X: Any, names: list[str] | None) -> tuple[np.ndarray, list[str] | None]:
    """A block of rows as a matrix, in which missing values may be NaN, and its columns' names.

    If `names` are given and the block has names, its columns are those.
    """
    frame = _frame(X, "X")
    if frame is None:
        return as_matrix(X), None
    labels = frame.labels
    if names is not None:
        labels = _chosen(labels, names, len(names), "X", "the first block")
    own = list(map(str, labels))
    _refuse_twice(own, own, "X")
    return _numbers(frame, labels, "X", fill=True), None if _are_places(labels) else own


def named_columns(X: Any, name: str, names: Sequence[str] | None = None) -> tuple[list[Any], Any] | None:
    """The labels of the columns of `X` and the columns by label; None if its rows have no names.

    A Series may be one row if the `names` of the columns to read are given.
    """
    own = None if names is None else list(names)
    frame = _frame(X, name, own, None if own is None else len(own))
    return None if frame is None else (frame.labels, frame.columns)


def target_names(y: Any) -> list[str] | None:
    """The columns that `y` names: a text is one name, a list of texts that are no numbers has several.

    None if `y` holds labels or numbers itself.
    """
    if isinstance(y, str):
        return [y]
    names = isinstance(y, (list, tuple)) and len(y) > 0 and all(isinstance(name, str) for name in y)
    return None if not names or all(map(is_number, y)) else list(map(str, y))


def number_columns(X: Any, y: Any) -> Any:
    """`y`, or the column or columns of `X` that it names, as an array."""
    names = target_names(y)
    if names is None:
        return y
    frame = _frame(X, "X")
    if frame is None and not isinstance(y, str) and np.shape(X)[:1] == (len(y),):
        return y  # texts that are no numbers, in place of numbers
    if frame is None:
        what = f"is {y!r}, a column's name" if isinstance(y, str) else f"names the columns {listed(names)}"
        raise ValueError(f"y {what}, and X is {_nameless(X)}")
    return _columns_of_targets(frame, y)


def label_column(X: Any, y: Any) -> Any:
    """`y`, or the column of `X` that it names, as an array."""
    return number_columns(X, y) if isinstance(y, str) else y


def _column_of_labels(frame: "_Frame", y: str) -> Any:
    (label,) = _by_name(frame.labels, [y], "X")
    column = frame.columns[label]
    if isinstance(column, list):
        return column
    array = np.asarray(decoded(column))
    gone = np.isnan(array) if array.dtype.kind == "f" else [array.dtype.kind == "O" and is_missing(v) for v in array]
    if np.any(gone):
        raise ValueError(f"X[{np.argmax(gone)}, {y!r}] is missing: drop the row or fill the label first")
    return array


def _columns_of_targets(frame: "_Frame", y: str | list[str]) -> Any:
    if isinstance(y, str):
        return _column_of_labels(frame, y)
    if _repeated(y):
        raise ValueError(f"y names a column twice ({listed(y)}): name each target once")
    return _numbers(frame, _by_name(frame.labels, list(y), "X"), "X")


def _nameless(X: Any) -> str:
    return f"a {type(X).__name__} without named columns: pass a frame or a path"


# --- what has names ---------------------------------------------------------------------------------------------------


class _Frame(NamedTuple):
    """Columns that are taken by their labels: a library's frame, a dict of arrays, or rows with names of their own."""

    columns: Any
    labels: list[Any]


class _NamedRows:
    """Rows that each have names, such as dicts: a list a column."""

    def __init__(self, rows: list[Mapping[Any, Any]], name: str) -> None:
        self.rows, self.name = rows, name

    def __getitem__(self, label: Any) -> list[Any]:
        for i, row in enumerate(self.rows):
            if label not in row:
                raise ValueError(f"{self.name}[{i}] has no {str(label)!r}; it has {listed(list(map(str, row)))}")
        return [row[label] for row in self.rows]


def _frame(X: Any, name: str, names: list[str] | None = None, width: int | None = None) -> _Frame | None:
    """The columns of `X` and their labels; None if they have no names.

    If the inputs of a model are given, a Series may be one row.
    """
    if isinstance(X, np.ndarray):
        return _Frame({label: X[label] for label in X.dtype.names}, list(X.dtype.names)) if X.dtype.names else None
    if isinstance(X, (str, bytes)) or is_sparse(X):
        return None
    if isinstance(X, (list, tuple, Mapping)):
        return _rows_with_names(X, name)
    kind = type(X)
    if kind.__module__.startswith("narwhals"):
        X = X.to_native()
        kind = type(X)
    if not hasattr(kind, "__array__"):
        X = _in_memory(X, name)
        kind = type(X)
    columns = X.column_names if hasattr(kind, "column_names") else getattr(X, "columns", None)  # Arrow's, others'
    if columns is not None and not callable(columns):
        return _Frame(X, columns.tolist() if hasattr(columns, "tolist") else list(columns))
    if width is not None and _is_row(X, names, width):
        row = _named(X)
        return row and _Frame(_NamedRows([row], name), list(row))  # type: ignore[return-value]
    return None


def _rows_with_names(X: Any, name: str) -> _Frame | None:
    """A dict or a named tuple as one row, and a list of them as rows; None for those without names."""
    row = _named(X)
    if row is not None:
        if any(map(is_several, row.values())):
            raise ValueError(f"{name} is a dict of columns: pass a frame, such as pyarrow.table({name})")
        return _Frame(_NamedRows([row], name), list(row))
    if not len(X) or type(X[0]) in (list, float, int) or _named(X[0]) is None:
        return None
    rows = [_named(row) for row in X]
    if None in rows:
        raise ValueError(f"{name}[{rows.index(None)}] has no names and {name}[0] has: give all rows names, or none")
    return _Frame(_NamedRows(rows, name), list(rows[0]))  # type: ignore[arg-type]


def _named(row: Any) -> Mapping[Any, Any] | None:
    """The values by name of a dict, a named tuple, a row of Spark's or a Series; None for a row without names."""
    if isinstance(row, Mapping):
        return row
    if isinstance(row, tuple):
        names = getattr(row, "_fields", getattr(row, "__fields__", None))
        return dict(zip(names, row, strict=True)) if names else None
    labels = getattr(row, "index", None)
    if labels is None or callable(labels) or getattr(row, "ndim", 0) != 1 or _are_places(list(labels)):
        return None
    return dict(zip(labels, row, strict=True))


def _is_row(X: Any, names: list[str] | None, width: int) -> bool:
    """Whether `X` is a Series that is one row. For a model of one input it is a column, unless its index names that."""
    if width > 1:
        return _named(X) is not None
    labels = getattr(X, "index", None)
    return names is not None and labels is not None and not callable(labels) and X.ndim == 1 and names[0] in labels


def _in_memory(X: Any, name: str) -> Any:
    """A frame that NumPy cannot read itself, read through Arrow; ValueError for one that is not in memory."""
    library = CLUSTERS.get(type(X).__module__.partition(".")[0])
    if library is not None:
        raise ValueError(f"{name} is a frame of a cluster, whose rows are not here: use tinynet_fast.{library}")
    if callable(getattr(X, "collect", None)):
        raise ValueError(f"{name} is a {type(X).__name__}, whose rows are not in memory: pass {name}.collect()")
    if hasattr(X, "__arrow_c_stream__") or hasattr(X, "__dataframe__"):
        if hasattr(X, "__arrow_c_stream__"):
            return need("pyarrow").table(X)
        return need("pyarrow.interchange").from_dataframe(X)
    return X


def _are_places(labels: list[Any]) -> bool:
    """Whether labels are 0, 1, 2 and so on, which is what a frame without names has."""
    return labels == list(range(len(labels)))


# --- which columns ----------------------------------------------------------------------------------------------------


def _chosen(labels: list[Any], names: list[str] | None, width: int, name: str, of: str) -> list[Any]:
    """The labels of the inputs in order: by name, or, if there are no names to go by, as the columns stand."""
    if names is None:
        in_order = list(range(width))
        numbered = len(labels) == width and set(labels) == set(in_order)  # 2, 0, 1 for the inputs 0, 1 and 2
        return in_order if numbered else labels
    own = list(map(str, labels))
    if own == names or (_are_places(labels) and not set(names) <= set(own)):
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


def _numbers(frame: _Frame, labels: list[Any], name: str, fill: bool = False) -> np.ndarray:
    """Some columns of a frame as a matrix; with `fill`, what is missing in columns of Python objects as NaN."""
    if not isinstance(frame.columns, (dict, _NamedRows)):
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


def _at_once(frame: _Frame, labels: list[Any]) -> np.ndarray | None:
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
