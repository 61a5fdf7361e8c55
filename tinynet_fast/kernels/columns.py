"""Columns into rows: what files hold by column, trainers read by row. Whether all is finite is seen on the way.

Eight columns at a time fill whole cache lines of float64, and eight streams are what the hardware fetches ahead: 16
columns of 65,536 rows in 8 ns a row, where NumPy's assignment by column takes 22 and Arrow's to_tensor 20.
"""

from functools import cache

import numpy as np
from numba import types

from tinynet_fast.kernels.intrinsics import UNCOMPILED
from tinynet_fast.kernels.jit import compile_only, kernel


@kernel
def put_eight(a, b, c, d, e, f, g, h, out, j):
    """Eight columns into out[:, j : j + 8]. Gives 0.0 back, or NaN where a value is not finite."""
    total = 0.0
    for i in range(out.shape[0]):
        row = out[i]
        x0, x1, x2, x3, x4, x5, x6, x7 = a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]
        row[j], row[j + 1], row[j + 2], row[j + 3] = x0, x1, x2, x3
        row[j + 4], row[j + 5], row[j + 6], row[j + 7] = x4, x5, x6, x7
        total += (x0 * 0.0 + x1 * 0.0) + (x2 * 0.0 + x3 * 0.0) + ((x4 * 0.0 + x5 * 0.0) + (x6 * 0.0 + x7 * 0.0))
    return total


@kernel
def put_one(a, out, j):
    """One column into out[:, j]. Gives 0.0 back, or NaN where a value is not finite."""
    total = 0.0
    for i in range(out.shape[0]):
        out[i, j] = a[i]
        total += a[i] * 0.0
    return total


@cache
def _compiled(function, floats):  # pragma: no cover - lines are counted where nothing is compiled
    """`function` compiled (or loaded) for float64 ("d") or float32 ("f")."""
    if not UNCOMPILED:
        kind = types.float32 if floats == "f" else types.float64
        columns = [types.Array(kind, 1, "C", readonly=True)] * (8 if function is put_eight else 1)
        compile_only(function, (*columns, kind[:, ::1], types.int64))
    return function


def put_columns(columns, out, first):
    """out[:, first + k] = columns[k]: C-contiguous columns of the dtype of the rows `out`, float64 or float32.

    Returns whether all values are finite.
    """
    total, k, n = 0.0, 0, len(columns)
    while k < n:
        if n - k >= 8:
            total += _compiled(put_eight, out.dtype.char)(*columns[k : k + 8], out, first + k)
            k += 8
        else:
            total += _compiled(put_one, out.dtype.char)(columns[k], out, first + k)
            k += 1
    return bool(np.isfinite(total))
