"""Probabilities of many rows: a sigmoid that LLVM does eight at a time, and sums that share the weights of four rows.

Rows go in tiles that stay in the first cache. A probability is within 4e-16 of the reference's, relatively, where no
digits cancel in the row's sum. Training is in `neuron.py`.
"""

from functools import cache

import numpy as np

from tinynet_fast.kernels.compiler.jit import FUSED, REORDERED, compiled, kernel, part
from tinynet_fast.kernels.compiler.simd import ROUND, as_bits, as_double
from tinynet_fast.kernels.fast.functions import LN2_HIGH, LN2_LOW, LOG2_E
from tinynet_fast.kernels.fast.neuron import dot_row, prefetch_lines

TILE = 1024
EXPONENT = np.uint64(52)
ONE = np.uint64(1023) << EXPONENT


@part(FUSED, forceinline=True)  # not reassoc: it would cancel ROUND
def exp(x):
    """exp for |x| <= 700 to 3e-16, in operations that LLVM does eight at a time."""
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    p03 = (1.0 + r) + r2 * (1 / 2 + r * (1 / 6))
    p47 = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    p89 = 1 / 40320 + r * (1 / 362880)
    p1013 = 1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800)))
    p = p03 + r4 * (p47 + r4 * (p89 + r2 * p1013))
    return p * as_double((as_bits(shifted) << EXPONENT) + ONE)


@part(FUSED, forceinline=True)
def sigmoid_in_place(z):
    """1 / (1 + exp(-z)) to 4e-16 relative, 0.8 ns a value; NumPy 2.0."""
    for i in range(z.shape[0]):
        z[i] = 1.0 / (1.0 + exp(-min(max(z[i], -700.0), 700.0)))


@part(REORDERED, forceinline=True)
def narrow_logits(X, weights, bias, out):
    """One or two features: a lane is a row, for which the width has to be a constant."""
    b, w0, w1 = bias[0], weights[0], weights[X.shape[1] - 1]
    if X.shape[1] == 1:
        for i in range(out.shape[0]):
            out[i] = X[i, 0] * w0 + b
    else:
        for i in range(out.shape[0]):
            out[i] = X[i, 0] * w0 + (X[i, 1] * w1 + b)


@part(REORDERED, forceinline=True)
def dot_four_rows(X, i, weights):
    """x[i].weights for rows i..i+3: the weights are loaded once."""
    z0 = z1 = z2 = z3 = 0.0
    for j in range(weights.shape[0]):
        w = weights[j]
        z0 += X[i, j] * w
        z1 += X[i + 1, j] * w
        z2 += X[i + 2, j] * w
        z3 += X[i + 3, j] * w
    return z0, z1, z2, z3


@part(forceinline=True)
def logits(X, weights, bias, out):
    """A lane is a feature; four rows at a time. Asking 4 kB ahead took 16 features from 7.5 to 4.2 ns a row."""
    d, fours = X.shape[1], out.shape[0] & ~3
    stride = np.int64(64 // X.itemsize)
    lines = (4 * d + stride - 1) // stride
    for i in range(0, fours, 4):
        prefetch_lines(X, i * d + 64 * stride, lines, stride)
        z0, z1, z2, z3 = dot_four_rows(X, i, weights)
        out[i], out[i + 1], out[i + 2], out[i + 3] = z0 + bias[0], z1 + bias[0], z2 + bias[0], z3 + bias[0]
    for i in range(fours, out.shape[0]):
        out[i] = dot_row(X, i, weights) + bias[0]


@part(REORDERED, forceinline=True)
def times_zero(z):
    """Return 0.0, or NaN if a value is NaN or infinite."""
    total = 0.0
    for i in range(z.shape[0]):
        total += z[i] * 0.0
    return total


@kernel
def probabilities(X, weights, bias, out):
    """out[i] = 1 / (1 + exp(-(x[i].weights + bias))), in tiles that stay in the first cache.

    Return 0.0, or NaN if a sum is not finite. Asking the sums costs nothing beside the rows: an input that is
    NaN or infinite leaves its row's sum not finite.
    """
    finite = 0.0
    for start in range(0, X.shape[0], TILE):
        stop = min(start + TILE, X.shape[0])
        if X.shape[1] <= 2:
            narrow_logits(X[start:stop], weights, bias, out[start:stop])
        else:
            logits(X[start:stop], weights, bias, out[start:stop])
        finite += times_zero(out[start:stop])
        sigmoid_in_place(out[start:stop])
    return finite


@kernel
def pairs(X, weights, bias, scratch, out):
    """`probabilities` of a fail and of a pass, side by side: out[i] = 1 - p, p. `scratch` has room for a tile."""
    finite = 0.0
    for start in range(0, X.shape[0], TILE):
        stop = min(start + TILE, X.shape[0])
        p = scratch[: stop - start]
        if X.shape[1] <= 2:
            narrow_logits(X[start:stop], weights, bias, p)
        else:
            logits(X[start:stop], weights, bias, p)
        finite += times_zero(p)
        sigmoid_in_place(p)
        for i in range(len(p)):
            out[start + i, 0], out[start + i, 1] = 1.0 - p[i], p[i]
    return finite


@cache
def _compiled(function, floats):
    """`function` for rows of float64 ("d") or float32 ("f")."""
    return compiled(function, f"{floats}2 d1 d1 dw1" + ("" if function is probabilities else " dw2"))


def predict_proba(X, weights, bias, out):
    """Into `out` the probability of a pass for each row of the C-contiguous `X`, float64 or float32.

    False, and then `out` is not to be used, where some row's sum is NaN or infinite.
    """
    return _compiled(probabilities, X.dtype.char)(X, weights, bias, out) == 0.0


def predict_both(X, weights, bias, out):
    """`predict_proba` into the two columns of `out`: of a fail, and of a pass."""
    return _compiled(pairs, X.dtype.char)(X, weights, bias, np.empty(TILE), out) == 0.0
