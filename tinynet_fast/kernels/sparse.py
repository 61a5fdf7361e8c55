"""One neuron on rows stored as CSR: an update costs what the row stores, and not the width.

The weights are kept as w = scale * v. The l2 penalty is then one multiplication of `scale`, and a row's nudge changes
the v that it stores alone: v -= (nudge / scale) * x. Their mean is linear in v, so that it needs what the rows added
alone: mean = (sums + a * v) / b with two numbers a and b for all weights (Bottou, Stochastic gradient descent tricks,
2012). l1 is lazy: a row pays the cumulative penalty (Tsuruoka, Tsujii and Ananiadou, ACL 2009) of the inputs that it
stores. That is how scikit-learn's SGD defines all three on sparse rows.

`sgd_sparse_epoch` uncompiled (`.py_func`) is the specification; with an empty `fast` it rounds as that does, to the
bit; with a `fast` of length one its sums are taken in another order, to 1e-12.
"""

import numpy as np

from tinynet_fast.kernels.intrinsics import prefetch
from tinynet_fast.kernels.jit import FUSED, kernel, part
from tinynet_fast.kernels.strict import cross_entropy, sigmoid, truncate

SMALLEST_SCALE = 1e-3  # below, all weights are scaled: the means lose the digits that the scale has (1e-9: 7e-11 off)
# what `state` holds: the numbers for all weights; the last two are asked for where `penalty` has a third that is not 0
SCALE, A, B, OWED, MEAN_BIAS, SQUARE, SIZE, OBJECTIVE = range(8)
AHEAD = 4  # rows asked for before they are met: shuffled rows of 50 stored values then took 160 ns for 350
PLACE = np.uint32  # of an index: for one with a sign Numba asks each time whether it counts from the end


@kernel
def sum_stored(data, indices, start, stop, v):
    """x.v, from left to right."""
    z = 0.0
    for p in range(start, stop):
        z += v[PLACE(indices[p])] * data[p]
    return z


@part(FUSED)
def sum_side_by_side(data, indices, start, stop, v):
    """x.v as four sums that do not wait for each other. (With leave to reorder LLVM gathers, which took 40% longer.)"""
    z0 = z1 = z2 = z3 = 0.0
    fours = (stop - start) >> 2
    for k in range(fours):
        p = start + 4 * k
        z0 += v[PLACE(indices[p])] * data[p]
        z1 += v[PLACE(indices[p + 1])] * data[p + 1]
        z2 += v[PLACE(indices[p + 2])] * data[p + 2]
        z3 += v[PLACE(indices[p + 3])] * data[p + 3]
    for p in range(start + 4 * fours, stop):
        z0 += v[PLACE(indices[p])] * data[p]
    return (z0 + z1) + (z2 + z3)


@part()
def ask_for(data, indices, start, stop):
    """Prefetch a row: a line holds 8 values, or 16 of their indices."""
    for p in range(start, stop + 7, 8):
        prefetch(data, p)
    for p in range(start, stop + 15, 16):
        prefetch(indices, p)


@kernel
def rescale(v, sums, state):
    """The same weights and means with a scale of 1."""
    for j in range(len(v)):
        sums[j] = (sums[j] + state[A] * v[j]) / state[B]
        v[j] *= state[SCALE]
    state[SCALE], state[A], state[B] = 1.0, 0.0, 1.0


@kernel
def pay(data, indices, start, stop, owed, scale, v, paid):
    """The l1 penalty of the inputs that a row stores."""
    for p in range(start, stop):
        j = PLACE(indices[p])
        before = v[j]
        v[j] = truncate(before, owed / scale, paid[j] / scale)
        paid[j] += scale * (v[j] - before)


@kernel
def sgd_sparse_epoch(data, indices, indptr, order, y, plan, bias_scale, penalty, v, bias, sums, paid, state, fast):
    """Train on the rows that `order` names, in that order, once. `y` and `plan` (step, keep, cut, share, as the
    reference's `sgd_regularized_epochs` has them) have a row for each.

    `sums` stands for the mean weights, `paid` for what each weight has paid of l1; state[OWED] has been asked for.
    Where penalty[2] is not 0.0, each row's cross-entropy, and penalty[0] / 2 * |w|**2 + penalty[1] * sum |w|, are added
    to state[OBJECTIVE], w being the weights that the row before stored: so scikit-learn has it.
    """
    watched, scale, b, n = penalty[2] != 0.0, state[SCALE], bias[0], len(order)
    for i in range(n):
        start, stop = np.int64(indptr[order[i]]), np.int64(indptr[order[i] + 1])
        later = order[min(i + AHEAD, n - 1)]
        ask_for(data, indices, np.int64(indptr[later]), np.int64(indptr[later + 1]))
        step, keep, cut, share = plan[i, 0], plan[i, 1], plan[i, 2], plan[i, 3]
        if len(fast) > 0:
            z = sum_side_by_side(data, indices, start, stop, v) * scale + b
        else:
            z = sum_stored(data, indices, start, stop, v) * scale + b
        nudge = step * (sigmoid(z) - y[i])
        if watched:
            state[OBJECTIVE] += cross_entropy(z, y[i])
            state[OBJECTIVE] += 0.5 * penalty[0] * state[SQUARE] + penalty[1] * state[SIZE]
            state[SQUARE] *= keep * keep
            state[SIZE] *= keep
        scale *= keep
        if scale < SMALLEST_SCALE:
            state[SCALE] = scale
            rescale(v, sums, state)
            scale = 1.0
        factor = nudge / scale
        for p in range(start, stop):
            v[PLACE(indices[p])] -= factor * data[p]
        if watched and nudge != 0.0:
            square, size = 0.0, 0.0
            for p in range(start, stop):
                square += v[PLACE(indices[p])] * v[PLACE(indices[p])]
                size += abs(v[PLACE(indices[p])])
            state[SQUARE], state[SIZE] = square * (scale * scale), size * scale
        b -= bias_scale * nudge
        if share > 0.0:
            added = state[A] * factor
            for p in range(start, stop):
                sums[PLACE(indices[p])] += added * data[p]
            if share < 1.0:
                state[B] /= 1.0 - share
            state[A] += share * state[B] * scale
            state[MEAN_BIAS] += share * (b - state[MEAN_BIAS])
        if cut > 0.0:
            state[OWED] += cut
            pay(data, indices, start, stop, state[OWED], scale, v, paid)
    state[SCALE], bias[0] = scale, b


@kernel
def largest_square_norm(data, indptr):
    """The largest |x|^2 + 1 among the rows."""
    largest = 1.0
    for i in range(len(indptr) - 1):
        norm = 1.0
        for p in range(indptr[i], indptr[i + 1]):
            norm += float(data[p]) * float(data[p])
        largest = max(largest, norm)
    return largest
