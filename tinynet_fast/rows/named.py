"""What has names: frames of every library, structured arrays, dicts, named tuples and Series. See `frames.py`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinynet_fast.rows.files import need
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.sparse import is_sparse
from tinynet_fast.rows.values import is_several

CLUSTERS = {"dask": "dask", "dask_expr": "dask", "pyspark": "spark"}  # libraries, and our modules for them


class Frame(NamedTuple):
    """Columns that are taken by their labels: a library's frame, a dict of arrays, or rows with names of their own."""

    columns: Any
    labels: list[Any]


class NamedRows:
    """Rows that each have names, such as dicts: a list a column."""

    def __init__(self, rows: list[Mapping[Any, Any]], name: str) -> None:
        self.rows, self.name = rows, name

    def __getitem__(self, label: Any) -> list[Any]:
        for i, row in enumerate(self.rows):
            if label not in row:
                raise ValueError(f"{self.name}[{i}] has no {str(label)!r}; it has {listed(list(map(str, row)))}")
        return [row[label] for row in self.rows]


def frame_of(X: Any, name: str, names: list[str] | None = None, width: int | None = None) -> Frame | None:
    """The columns of `X` and their labels; None if they have no names.

    If the inputs of a model are given, a Series may be one row.
    """
    if isinstance(X, np.ndarray):
        return Frame({label: X[label] for label in X.dtype.names}, list(X.dtype.names)) if X.dtype.names else None
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
        return Frame(X, columns.tolist() if hasattr(columns, "tolist") else list(columns))
    if width is not None and _is_row(X, names, width):
        row = named(X)
        return row and Frame(NamedRows([row], name), list(row))  # type: ignore[return-value]
    return None


def _rows_with_names(X: Any, name: str) -> Frame | None:
    """A dict or a named tuple as one row, and a list of them as rows; None for those without names."""
    row = named(X)
    if row is not None:
        if any(map(is_several, row.values())):
            raise ValueError(f"{name} is a dict of columns: pass a frame, such as pyarrow.table({name})")
        return Frame(NamedRows([row], name), list(row))
    if not len(X) or type(X[0]) in (list, float, int) or named(X[0]) is None:
        return None
    rows = [named(row) for row in X]
    if None in rows:
        raise ValueError(f"{name}[{rows.index(None)}] has no names and {name}[0] has: give all rows names, or none")
    return Frame(NamedRows(rows, name), list(rows[0]))  # type: ignore[arg-type]


def named(row: Any) -> Mapping[Any, Any] | None:
    """The values by name of a dict, a named tuple, a row of Spark's or a Series; None for a row without names."""
    if isinstance(row, Mapping):
        return row
    if isinstance(row, tuple):
        names = getattr(row, "_fields", getattr(row, "__fields__", None))
        return dict(zip(names, row, strict=True)) if names else None
    labels = getattr(row, "index", None)
    if labels is None or callable(labels) or getattr(row, "ndim", 0) != 1 or are_places(list(labels)):
        return None
    return dict(zip(labels, row, strict=True))


def _is_row(X: Any, names: list[str] | None, width: int) -> bool:
    """Whether `X` is a Series that is one row. For a model of one input it is a column, unless its index names that."""
    if width > 1:
        return named(X) is not None
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


def are_places(labels: list[Any]) -> bool:
    """Whether labels are 0, 1, 2 and so on, which is what a frame without names has."""
    return labels == list(range(len(labels)))
