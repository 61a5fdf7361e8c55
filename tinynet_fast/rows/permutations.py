"""Permutations that a seed decides: NumPy's, from the library's kernel if there is one."""

import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED

WORD = 1 << 32  # seeds are mixed in words of 32 bits


def permutations(seed: Sequence[int], n: int, count: int = 1) -> np.ndarray:
    """`np.random.default_rng(seed).permutation(n)` for `count` seeds: `seed`, then its last number plus 1, and so on.

    Returns (count, n) int64. Without the compiled library NumPy draws them: Numba would take longer to compile the
    kernel than a short run takes.
    """
    *first, last = seed = [operator.index(number) for number in seed]
    kernel = None if UNCOMPILED else _kernel(native.library())
    if kernel is None or n >= WORD or last + count > WORD:
        drawn = [np.random.default_rng([*first, last + k]).permutation(n) for k in range(count)]
        return np.array(drawn, np.int64).reshape(count, n)
    words = [number >> shift & WORD - 1 for number in seed for shift in range(0, number.bit_length() or 1, 32)]
    places = np.empty((count, n), np.int64)
    kernel(np.array(words, np.int64), np.empty(4, np.int64), places)
    return places


@cache
def _kernel(library: native.Library | None) -> Callable[..., Any] | None:
    return native.only("fast.row_order.permutations")
