"""Checks of a checkpoint's state before a run goes on from it.

A kernel checks no bounds, so every number is checked here: a state must be one that this run can have reached.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.models.files import ModelFileError
from tinynet_fast.rows.blocks import Rows, is_streamed

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows

LARGEST_WHOLE = 2**53  # the whole numbers up to it are exact as float64
ROWS_A_BYTE = 1000  # more rows than this for each byte of a compressed file do not exist
ARRAYS = ("total", "losses", "validation_losses", "best_loss")
NAMES = {*ARRAYS, "trained", "epoch", "rows", "best_epoch", "best", "stopped_early", "seconds"}


class StateError(ValueError):
    """Something is wrong with a state. The message names the entry and what it should be."""


def check_state(path: Path, state: dict[str, Any], trainable: Any, options: Any) -> None:
    """Raise ModelFileError, naming file and entry, if `state` is not one that this run can have reached."""
    with told(path):
        _check(state, trainable, options)


def check_counted(path: Path, rows: "StreamRows", source_rows: int, dropped: int, count: int) -> None:
    """Raise ModelFileError if there cannot be as many streamed rows as a checkpoint says."""
    with told(path):
        known = rows.source_rows
        if known is not None and source_rows != known:
            raise StateError(f"it counts {source_rows:,} rows; there are {known:,}")
        whole("the number of rows", source_rows + dropped, _most_rows(rows))
        whole("the number of rows that are trained on", count, source_rows)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn a StateError into an error that names the file and the remedy."""
    try:
        yield
    except StateError as error:
        raise ModelFileError(
            f"{path}: a damaged checkpoint: {error}. Start over with resume=False (--no-resume)"
        ) from None


def _check(state: dict[str, Any], trainable: Any, options: Any) -> None:
    if set(state) != NAMES:
        odd = sorted(set(state) ^ NAMES)[0]
        raise StateError(f"the entry {odd[:40]!r} of its state is {'missing' if odd in NAMES else 'unknown'}")
    n = options.rows.count
    epoch = whole("epoch", state["epoch"], LARGEST_WHOLE)
    rows = whole("rows", state["rows"], _most_rows(options.rows) if n is None else n)
    if n is None and epoch:
        raise StateError(f"epoch is {epoch}, but the rows were not counted")
    finite("total", state["total"], 1)
    finite("best_loss", state["best_loss"], 1, or_infinite=True)
    finite("losses", state["losses"], epoch)
    finite("validation_losses", state["validation_losses"], epoch if options.validation_loss is not None else 0)
    _check_trained("trained", state["trained"], trainable)
    trainable.check_counts(state["trained"], epoch, rows)
    if not isinstance(state["stopped_early"], bool):
        raise StateError("stopped_early is not true or false")
    if state["stopped_early"] and (options.patience is None or not epoch):
        raise StateError("stopped_early is true, but nothing can have stopped the run")
    if type(state["seconds"]) not in (int, float) or not 0.0 <= state["seconds"] <= LARGEST_WHOLE:
        raise StateError("seconds is not a time")
    best, best_epoch = state["best"], state["best_epoch"]
    if (best is None) != (best_epoch is None) or (best is not None and options.patience is None):
        raise StateError("best and best_epoch do not go together")
    if best is not None:
        whole("best_epoch", best_epoch, epoch - 1)
        _check_trained("best", best, trainable)
        trainable.check_counts(best, best_epoch + 1, 0)


def _check_trained(name: str, arrays: Any, trainable: Any) -> None:
    """StateError if the names or lengths of `arrays` are not those of `trainable`, or if a number is not finite."""
    known = trainable.state()
    if not isinstance(arrays, dict) or set(arrays) != set(known):
        raise StateError(f"{name} does not hold the arrays {', '.join(known)}")
    for key, array in known.items():
        finite(f"{name}: {key}", arrays[key], len(array))


def whole(name: str, value: Any, most: float) -> int:
    """`value`, an int or a number of a float64 array, as an int; StateError if it is not whole or not in 0..`most`."""
    number = type(value) is int or isinstance(value, np.float64)
    if not number or not 0 <= value <= most or value != int(value):
        raise StateError(f"{name} is not a whole number from 0 to {int(most)}")
    return int(value)


def finite(name: str, value: Any, size: int | None, or_infinite: bool = False, or_nan: bool = False) -> None:
    """StateError if `value` is not a float64 array with `size` finite numbers (None: any number of them)."""
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype != np.float64:
        raise StateError(f"{name} is not a list of numbers")
    if size is not None and len(value) != size:
        raise StateError(f"{name} holds {len(value)} numbers; {size} are needed")
    wrong = ~np.isfinite(value) & ~(or_infinite & np.isinf(value)) & ~(or_nan & np.isnan(value))
    if wrong.any():
        raise StateError(f"{name} holds NaN or infinity")


def _most_rows(rows: "Rows | StreamRows") -> int:
    """An upper bound on the number of rows, for rows that are not counted yet."""
    size = rows.source.size_bytes if is_streamed(rows) else None
    return LARGEST_WHOLE if size is None else size * ROWS_A_BYTE
