"""What comes before an update: scikit-learn's order of the rows, rows gathered from all over a table, the schedule."""

from functools import cache

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler.jit import compiled, kernel
from tinynet_fast.kernels.fast.neuron import prefetch_lines_far

AHEAD = 12  # rows asked for before they are copied
CONSTANT, INVSCALING, OPTIMAL = 0, 1, 2  # schedules


@kernel
def shuffle(index, seed):
    """Fisher and Yates's permutation of `index` from Marsaglia's 32-bit xorshift (JSS 8(14), 2003), from `seed` on."""
    state = np.uint32(seed)
    if state == 0:
        state = np.uint32(1)
    n = np.uint32(len(index))
    for i in range(n - np.uint32(1)):
        state ^= np.uint32(state << np.uint32(13))
        state ^= np.uint32(state >> np.uint32(17))
        state ^= np.uint32(state << np.uint32(5))
        j = i + np.int64(np.uint32(state & np.uint32(0x7FFFFFFF)) % np.uint32(n - np.uint32(i)))
        index[i], index[j] = index[j], index[i]


@kernel
def gather_rows(X, y, index, X_out, y_out):
    """X_out[i] = X[index[i]], y_out[i] = y[index[i]]; rows wait for memory side by side and not one after the other."""
    n, d = len(index), X.shape[1]
    stride = np.int64(64 // X.itemsize)
    lines = (d + stride - 1) // stride + 1
    for i in range(n):
        prefetch_lines_far(X, index[min(i + AHEAD, n - 1)] * d, lines, stride)
        row = index[i]
        for j in range(d):
            X_out[i, j] = X[row, j]
        y_out[i] = y[row]


@cache
def _compiled(floats, labels):
    """`gather_rows` for rows of float64 ("d") or float32 ("f"), and labels of float64 or uint8 ("B")."""
    return compiled(gather_rows, f"{floats}2 {labels}1 l1 {floats}w2 dw1")


def gather(X, y, index, X_out, y_out):
    """Rows of the C-contiguous `X`, float64 or float32, and labels, uint8 or float64, as `index` (int64) says."""
    _compiled(X.dtype.char, y.dtype.char)(X, y, index, X_out, y_out)


@kernel
def fill_schedule(kind, rate, power_t, offset, alpha, row, weight, l2, l1, average_from, schedule):
    """`Penalties.schedule_rows` of `Schedule.rates` after the first `row` rows, into `schedule`, in one pass.

    `kind` is CONSTANT at `rate`, INVSCALING, or OPTIMAL, 1 / (alpha (offset + t - 1)); `weight` has a number a row
    or none at all. NumPy, an array for each step of it, took 7 ns a row, this takes 2.
    """
    for i in range(len(schedule)):
        t = row + i + 1.0
        if kind == INVSCALING:
            rate_now = rate / t**power_t
        elif kind == OPTIMAL:
            rate_now = 1.0 / (alpha * (offset + t - 1.0))
        else:
            rate_now = rate
        schedule[i, at.STEP] = rate_now * weight[i] if len(weight) > 0 else rate_now
        schedule[i, at.KEEP] = max(0.0, 1.0 - l2 * rate_now)
        schedule[i, at.CUT] = l1 * rate_now
        averaged = t + 1.0 - average_from
        schedule[i, at.SHARE] = 1.0 / averaged if average_from > 0 and averaged > 0.0 else 0.0
