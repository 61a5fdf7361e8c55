"""The `fast` engine for one neuron on rows stored as CSR: the reference's updates, its sums in another order.

The same loop as in `strict.py`, with the sum over a row as four that do not wait for each other, the division by the
scale out of the chain from a row's sum to its nudge, and l1 without branches.

Places in `data` and `indices` are unsigned throughout: for those with a sign Numba asks at each value whether they
count from the end, which was 8 of 14 instructions. All in all, rows of 50 stored values and 50,000 inputs came from 2.5
ns a value to 1.7, shuffled from 4.9 to 2.5, and with l1 from 10.9 to 4. No faster were eight sums for four; slower were
asking for a row's weights beforehand (by 0.2 ns), and a table or a polynomial for the sigmoid (0.1 to 0.3).
"""

import math

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels import strict
from tinynet_fast.kernels.compiler.jit import FUSED, REORDERED, compiled, has_numba, kernel, part
from tinynet_fast.kernels.compiler.prefetching import ask_for
from tinynet_fast.kernels.compiler.signatures import SPARSE_NEURON
from tinynet_fast.kernels.reference import SMALLEST_SCALE
from tinynet_fast.kernels.strict import cross_entropy, sigmoid, sparse_rescale


@part(FUSED, forceinline=True)
def sum_side_by_side(data, indices, start, stop, v):
    """x.v as four sums that do not wait for each other. (With leave to reorder LLVM gathers, which took 40% longer.)"""
    z0 = z1 = z2 = z3 = 0.0
    fours = (stop - start) >> 2
    for k in range(fours):
        p = start + 4 * k
        z0 += v[np.uint64(indices[np.uint64(p)])] * data[np.uint64(p)]
        z1 += v[np.uint64(indices[np.uint64(p + 1)])] * data[np.uint64(p + 1)]
        z2 += v[np.uint64(indices[np.uint64(p + 2)])] * data[np.uint64(p + 2)]
        z3 += v[np.uint64(indices[np.uint64(p + 3)])] * data[np.uint64(p + 3)]
    for p in range(start + 4 * fours, stop):
        z0 += v[np.uint64(indices[np.uint64(p)])] * data[np.uint64(p)]
    return (z0 + z1) + (z2 + z3)


@part(FUSED, forceinline=True)
def add_row(data, indices, start, stop, factor, v):
    """v += factor * x"""
    for p in range(start, stop):
        v[np.uint64(indices[np.uint64(p)])] += factor * data[np.uint64(p)]


@part()
def watch(indices, start, stop, scale, v, state):
    """The squared length and the sum of magnitudes of the weights that a row stores."""
    square = size = 0.0
    for p in range(start, stop):
        square += v[np.uint64(indices[np.uint64(p)])] * v[np.uint64(indices[np.uint64(p)])]
        size += abs(v[np.uint64(indices[np.uint64(p)])])
    state[at.SQUARE], state[at.SIZE] = square * (scale * scale), size * scale


@part()
def pay(indices, start, stop, owed, scale, inverse, v, paid):
    """The l1 penalty of the inputs that a row stores: `truncate` without a branch, 2 ns a value where branches took 9.

    Half of those were on the sign of a weight, which cannot be foreseen.
    """
    for p in range(start, stop):
        j = np.uint64(indices[np.uint64(p)])
        before, has = v[j], paid[j]
        room = (owed + has) if before > 0.0 else (owed - has)
        left = abs(before) - room * inverse
        after = math.copysign(left if left > 0.0 else 0.0, before)
        v[j] = after
        paid[j] = has + scale * (after - before)


@kernel
def epochs(data, indices, indptr, order, y, schedule, rule, v, bias, sums, paid, state, losses):
    """The reference's `sgd_sparse_epochs`, for LOG_LOSS."""
    bias_scale, l2, l1, watched = rule[at.BIAS_SCALE], rule[at.SPARSE_L2], rule[at.SPARSE_L1], rule[at.WATCHED] != 0.0
    scale, inverse, b, n = state[at.SCALE], 1.0 / state[at.SCALE], bias[0], len(order)
    for epoch in range(len(losses)):
        loss = losses[epoch]
        for i in range(n):
            start, stop = indptr[order[i]], indptr[order[i] + 1]
            step, keep = schedule[i, at.STEP], schedule[i, at.KEEP]
            cut, share = schedule[i, at.CUT], schedule[i, at.SHARE]
            z = sum_side_by_side(data, indices, start, stop, v) * scale + b
            ask_for(data, indices, indptr, order, i)
            error = sigmoid(z) - y[i]
            loss += error * error
            nudge = step * error
            if watched:
                state[at.OBJECTIVE] += cross_entropy(z, y[i]) + (0.5 * l2 * state[at.SQUARE] + l1 * state[at.SIZE])
                state[at.SQUARE] *= keep * keep
                state[at.SIZE] *= keep
            scale *= keep
            inverse = 1.0 / scale
            if scale < SMALLEST_SCALE:
                state[at.SCALE] = scale
                sparse_rescale(v, sums, state)
                scale = inverse = 1.0
            factor = nudge * inverse
            add_row(data, indices, start, stop, -factor, v)
            if watched and nudge != 0.0:
                watch(indices, start, stop, scale, v, state)
            b -= bias_scale * nudge
            if share > 0.0:
                add_row(data, indices, start, stop, state[at.A] * factor, sums)
                if share < 1.0:
                    state[at.B] /= 1.0 - share
                state[at.A] += share * state[at.B] * scale
                state[at.MEAN_BIAS] += share * (b - state[at.MEAN_BIAS])
            if cut > 0.0:
                state[at.OWED] += cut
                pay(indices, start, stop, state[at.OWED], scale, inverse, v, paid)
        losses[epoch] = loss
    state[at.SCALE], bias[0] = scale, b


@kernel
def logits(data, indices, indptr, order, weights, bias, out):
    """The neuron's sum for each row that `order` names, into `out`."""
    for i in range(len(order)):
        out[i] = sum_side_by_side(data, indices, indptr[order[i]], indptr[order[i] + 1], weights) + bias[0]


@part(REORDERED, forceinline=True)
def square_norm(x):
    """|x|^2 + 1"""
    norm = 1.0
    for p in range(len(x)):
        norm += np.float64(x[p]) * np.float64(x[p])
    return norm


@kernel
def largest_square_norm(data, indptr, weight, out):
    """The largest weight[i] * (|x[i]|^2 + 1) among the rows, a weight each or one for all."""
    for i in range(len(indptr) - 1):
        norm = square_norm(data[indptr[i] : indptr[i + 1]])
        out[0] = max(out[0], weight[min(i, len(weight) - 1)] * norm)


def stored_values(data):
    """Stored float64 or float32 as there are kernels for them: without Numba all become float64."""
    return data if data.dtype.char == "d" or has_numba() else data.astype(np.float64)


def _stored(data, indices):
    """What a row stores, in a signature: values of float64 or float32, indices of int32 or int64."""
    return f"{data.dtype.char}1 {'i' if indices.dtype.char == 'i' else 'l'}1"


def sgd_sparse_epochs(data, indices, *arrays):
    """The reference's `sgd_sparse_epochs`, to 1e-12, for LOG_LOSS while step * (|x|^2 + 1) is at most 8 for every row.

    `data` is float64 or float32, `indices` int32 or int64, `indptr` and `order` int64, the rest float64. However epochs
    are cut into calls, the results are the same to the last bit.
    """
    compiled(epochs, f"{_stored(data, indices)} {SPARSE_NEURON}")(data, indices, *arrays)


def sgd_sparse_epochs_exact(data, indices, *arrays):
    """`strict.sgd_sparse_epochs`, compiled for these arrays alone."""
    compiled(strict.sgd_sparse_epochs, f"{_stored(data, indices)} {SPARSE_NEURON}")(data, indices, *arrays)


def sparse_logits(data, indices, *arrays):
    """The reference's `sparse_logits`, to 1e-12."""
    compiled(logits, f"{_stored(data, indices)} l1 l1 d1 d1 dw1")(data, indices, *arrays)


def sparse_row_bound(data, indptr, weight):
    """The largest weight[i] * (|x[i]|^2 + 1); infinity if a row is not finite."""
    out = np.zeros(1)
    compiled(largest_square_norm, f"{data.dtype.char}1 l1 d1 dw1")(data, indptr, weight, out)
    return float(out[0])
