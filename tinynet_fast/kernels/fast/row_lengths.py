"""Before training: whether all rows are finite, and how large a step may be."""

from functools import cache

import numpy as np

from tinynet_fast.kernels.compiler.jit import REORDERED, compiled, kernel, part, silenced
from tinynet_fast.kernels.compiler.simd import as_bits, as_double, fma, input_at
from tinynet_fast.kernels.fast.neuron import NARROW

WITHOUT_SIGN = np.uint64((1 << 63) - 1)


@part(REORDERED, forceinline=True)
def square_norm(X, i):
    """|x[i]|^2 + 1"""
    total = 1.0
    for j in range(X.shape[1]):
        x = np.float64(X[i, j])
        total += x * x
    return total


@part(forceinline=True)
def narrow_square_norm(X, i, inputs):
    """The same for a row as wide as `inputs`, in the order of its numbers: eight such rows are added side by side."""
    total = 1.0
    for j in range(len(inputs)):
        x = input_at(X, i * len(inputs) + j)
        total = fma(x, x, total)
    return total


@part(forceinline=True)
def bound_bits(X, i, weight, inputs):
    """The bits of weight * (|x[i]|^2 + 1) without its sign: only infinity times a weight of 0 has one, and is NaN."""
    norm = narrow_square_norm(X, i, inputs) if len(inputs) > 0 else square_norm(X, i)
    return np.int64(as_bits(norm * weight) & WITHOUT_SIGN)


@kernel
def largest_square_norm(X, weight, out, inputs):
    """Raise out[0] to the largest weight[i] * (|x[i]|^2 + 1); to infinity if a row is not finite, or overflows.

    Numbers that are not below 0 are in the order of their bits, in which infinity and NaN come last. So no row needs a
    branch: with one, rows of 2 inputs took 1.8 ns instead of 0.3, and rows of 8 3.5 instead of 2.7.
    """
    most = np.int64(0)
    if len(weight) == 1:
        for i in range(X.shape[0]):
            most = max(most, bound_bits(X, i, weight[0], inputs))
    else:
        for i in range(X.shape[0]):
            most = max(most, bound_bits(X, i, weight[i], inputs))
    largest = as_double(np.uint64(most))
    if not largest < np.inf:
        out[0] = np.inf
    elif largest > out[0]:
        out[0] = largest


@cache
def _bound(floats, width):
    return compiled(largest_square_norm, f"{floats}2 d1 dw1 t{width}")


@silenced
def row_bound(X, weight):
    """The largest weight[i] * (|x[i]|^2 + 1), a weight each or one for all; infinity if a row is not finite."""
    out, width = np.zeros(1), X.shape[1] if X.shape[1] <= NARROW else 0
    _bound(X.dtype.char, width)(X, weight, out, (0,) * width)
    return out.item()
