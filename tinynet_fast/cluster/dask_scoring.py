"""Predictions for Dask frames and arrays."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.cluster.readers import need
from tinynet_fast.cluster.scoring import input_columns, number_columns
from tinynet_fast.models import Model
from tinynet_fast.rows.files import no_such_column


def predicted(model: Model, X: Any, function: Callable[[Any], Any], dtype: np.dtype, name: str) -> Any:
    """The prediction for each row, lazily: an array if X is an array, a series if X is a frame.

    Of several numbers: an array (n, n_outputs), or a frame with a column for each.
    """
    da = need("dask.array")
    tall = (name == "probability" or model.numbers) and model.n_outputs > 1
    if model.n_read == 1 and getattr(X, "ndim", 0) == 1:
        X = X[:, np.newaxis] if isinstance(X, da.Array) else X.to_frame(name=(model.read_columns or ["0"])[0])
    if isinstance(X, da.Array):
        if X.ndim != 2 or X.shape[1] != model.n_features:
            raise ValueError(f"X has shape {X.shape}; (n, {model.n_features}), the model's inputs, is needed")
        rows = X.rechunk({1: -1})
        outputs = {"chunks": (rows.chunks[0], (model.n_outputs,))} if tall else {"drop_axis": 1}
        return rows.map_blocks(
            partial(_answers, function, dtype, model.n_outputs if tall else 0), dtype=dtype, **outputs
        )
    if not hasattr(X, "map_partitions") or getattr(X, "ndim", 0) != 2:
        raise ValueError(
            f"X is a {type(X).__name__}; a dask array or frame is needed: dask.dataframe.read_parquet reads"
        )
    if tall and not model.numbers:
        raise ValueError(f"a series holds one probability a row, and the model knows {model.n_outputs} labels: predict")
    names = input_columns(model, list(X.columns))
    pd = need("pandas")
    if tall:
        columns = number_columns(model, name)
        return X.map_partitions(
            partial(_frame, function, names, columns), meta=pd.DataFrame(np.empty((0, len(columns))), columns=columns)
        )
    meta = pd.Series(np.empty(0, dtype if dtype.kind != "U" else object), name=name)
    return X.map_partitions(partial(_series, function, names, meta.dtype, name), meta=meta)


def _answers(
    function: Callable[[Any], Any], dtype: np.dtype, outputs: int, X: Any, block_id: Sequence[int] = (0,)
) -> np.ndarray:
    """The predictions for a block of rows of an array. Dask passes the block's number as `block_id`."""
    if not len(X):
        return np.empty((0, outputs) if outputs else 0, dtype)
    try:
        return function(X)
    except ValueError as error:
        raise ValueError(f"partition {block_id[0]}: {error}") from None


def _series(
    function: Callable[[Any], Any],
    names: list[Any],
    dtype: np.dtype,
    name: str,
    frame: Any,
    partition_info: dict[str, Any] | None = None,
) -> Any:
    """The predictions for a partition of a frame."""
    answers = _of_partition(function, names, dtype, 0, frame, partition_info)
    return need("pandas").Series(answers, index=frame.index, name=name, dtype=dtype)


def _frame(
    function: Callable[[Any], Any],
    names: list[Any],
    columns: list[str],
    frame: Any,
    partition_info: dict[str, Any] | None = None,
) -> Any:
    """The same for several numbers."""
    answers = _of_partition(function, names, np.dtype(float), len(columns), frame, partition_info)
    return need("pandas").DataFrame(answers, index=frame.index, columns=columns)


def _of_partition(
    function: Callable[[Any], Any],
    names: list[Any],
    dtype: np.dtype,
    outputs: int,
    frame: Any,
    partition_info: dict[str, Any] | None,
) -> np.ndarray:
    """The predictions for a partition of a frame. A partition without rows may lack columns, too."""
    number = (partition_info or {}).get("number", 0)
    if not len(frame):
        return np.empty((0, outputs) if outputs else 0)
    missing = [column for column in names if column not in frame.columns]
    if missing:
        raise no_such_column(f"partition {number}", missing[0], list(map(str, frame.columns)))
    return _answers(function, dtype, outputs, frame[names], (number,))
