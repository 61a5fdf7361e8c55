"""What networks of float32 need before they are trained: checks, and what does not fit into the type."""

from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import LARGEST_SINGLE
from tinynet_fast.models.mlp import rounded
from tinynet_fast.training.options import Options

LARGEST = float(np.finfo(np.float32).max)
# The least and the largest sample weight, and the largest sum, with which `fast` keeps its promise.
SINGLE_BOUNDS = 1e-30, 1e30, LARGEST_SINGLE


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """The type of a network's numbers; ValueError if there are no networks of that type."""
    try:
        kind = None if dtype is None else np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"there are no networks of dtype {dtype!r}: use 'float64' or 'float32'")
    return kind


def single_start(start: np.ndarray) -> np.ndarray:
    """The starting parameters, rounded to float32; ValueError if one is too large for it."""
    (single,) = rounded([start])
    return single.astype(np.float64)


def check_single(options: Options) -> None:
    """ValueError if the engine cannot train in float32, or a row in memory or a number to learn is too large for it."""
    if options.engine.is_portable:
        raise ValueError("the engine 'portable' trains in float64: use engine='strict' or dtype='float64'")
    if not options.engine.has_singles:
        raise ValueError(
            f"dtype='float32' with the engine {options.engine.name!r} needs kernels that Numba compiles, and Numba is "
            "not installed: pip install numba, or use engine='numpy' or dtype='float64'"
        )
    if options.streams:
        return
    for X, y, _ in options.rows.blocks(1 << 12):
        for numbers, what, remedy in ((X, "X", "standardize=True"), (y, "y", "standardize_y=True")):
            if float(np.abs(numbers).max(initial=0.0)) > LARGEST:
                raise ValueError(
                    f"{what} holds a number that is too large for float32: use {remedy}, or dtype='float64'"
                )
