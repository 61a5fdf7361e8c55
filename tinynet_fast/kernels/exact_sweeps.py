"""What the kernels of `exact.py` do to the numbers of a row, rounded as scikit-learn's SGD rounds: sums, steps, l1."""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import part


@part(forceinline=True)
def paid_weight(real, weight, paid, owed, scale):
    """A weight after it has paid what l1 asks for. It has no branches on the sign, which a CPU predicts badly."""
    before = np.float64(weight)
    room = owed + np.float64(paid) if before > 0.0 else owed - np.float64(paid)
    left = abs(before) - room / scale
    after = math.copysign(left if left > 0.0 else 0.0, before)
    return real(after if scale * before != 0.0 else before)


# --- dense rows -------------------------------------------------------------------------------------------------------


@part(forceinline=True)
def row_sum(X, row, weights):
    total = 0.0
    for j in range(len(weights)):
        total += np.float64(weights[j] * X[row, j])
    return total


@part(forceinline=True)
def row_square(X, row, d):
    total = 0.0
    for j in range(d):
        total += np.float64(X[row, j]) * np.float64(X[row, j])
    return total


@part(forceinline=True)
def sweep(X, row, following, weights, step):
    """Take a step of the weights. Returns their sum of squares, and the sum of the row that follows."""
    real, square, total = weights.dtype.type, 0.0, 0.0
    for j in range(len(weights)):
        w = real(np.float64(weights[j]) + np.float64(X[row, j]) * step)
        weights[j] = w
        square += np.float64(w * w)
        total += np.float64(w * X[following, j])
    return square, total


# --- sparse rows ------------------------------------------------------------------------------------------------------


@part(forceinline=True)
def sparse_sum(data, indices, start, stop, weights):
    total = 0.0
    for p in range(start, stop):
        total += np.float64(weights[np.uint64(indices[np.uint64(p)])] * data[np.uint64(p)])
    return total


@part(forceinline=True)
def sparse_square(data, start, stop):
    total = 0.0
    for p in range(start, stop):
        total += np.float64(data[np.uint64(p)]) * np.float64(data[np.uint64(p)])
    return total


@part(forceinline=True)
def step_sparse(data, indices, start, stop, weights, step):
    """Take a step of the weights that a row stores."""
    real = weights.dtype.type
    for p in range(start, stop):
        j = np.uint64(indices[np.uint64(p)])
        weights[j] = real(np.float64(weights[j]) + np.float64(data[np.uint64(p)]) * step)


@part(forceinline=True)
def add_sparse(data, indices, start, stop, weights, step):
    """Like `step_sparse`. Returns the sum of squares of the same weights, which the objective needs."""
    real, square = weights.dtype.type, 0.0
    for p in range(start, stop):
        j = np.uint64(indices[np.uint64(p)])
        w = real(np.float64(weights[j]) + np.float64(data[np.uint64(p)]) * step)
        weights[j] = w
        square += np.float64(w * w)
    return square


@part(forceinline=True)
def add_sparse_sized(data, indices, start, stop, weights, step):
    """Like `add_sparse`. Also returns the sum of magnitudes, which only l1 needs."""
    real, square, size = weights.dtype.type, 0.0, 0.0
    for p in range(start, stop):
        j = np.uint64(indices[np.uint64(p)])
        w = real(np.float64(weights[j]) + np.float64(data[np.uint64(p)]) * step)
        weights[j] = w
        square += np.float64(w * w)
        size += np.float64(abs(w))
    return square, size


@part(forceinline=True)
def average_sparse(data, indices, start, stop, means, factor, mean_update):
    """Take the step of a row into the sums of the means."""
    real = means.dtype.type
    for p in range(start, stop):
        j = np.uint64(indices[np.uint64(p)])
        means[j] = real(np.float64(means[j]) + (factor * np.float64(data[np.uint64(p)]) * mean_update))


@part(forceinline=True)
def pay_sparse(indices, start, stop, weights, paid, owed, scale):
    """Let the weights that a row stores pay l1."""
    real = weights.dtype.type
    for p in range(start, stop):
        j = np.uint64(indices[np.uint64(p)])
        before = np.float64(weights[j])
        weights[j] = paid_weight(real, weights[j], paid[j], owed, scale)
        paid[j] = real(np.float64(paid[j]) + scale * (np.float64(weights[j]) - before))
