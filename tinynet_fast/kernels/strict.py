"""The reference, compiled: the same functions, the same numbers to the last bit.

Numba turns each loop of `reference.py` into machine code without leave to reorder a sum, to contract a product and a
sum into one rounding, or to replace the C library's exp, tanh, log and log1p, which plain Python calls too. Arrays are
C-contiguous float64 (`layers` int64). Five functions are written by hand, and say why.
"""

import math
from types import FunctionType

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels import reference
from tinynet_fast.kernels.compiler.jit import kernel, part
from tinynet_fast.kernels.compiler.prefetching import ask_for
from tinynet_fast.kernels.reference import SMALLEST_SCALE

LARGEST = 709.782712893384  # exp of more overflows: compiled, to infinity and the prediction 0; uncompiled, it raises
# What the reference's functions find under the names that they use: its numbers, and the functions of this file.
KNOWN = {name: value for name, value in vars(reference).items() if not isinstance(value, FunctionType)}
KNOWN["__name__"] = __name__


def by_hand(function):
    """Compile a function that is written here, for the reference's functions to call it too."""
    KNOWN[function.__name__] = kernel(function)
    return KNOWN[function.__name__]


def as_it_is(function):
    """Compile a function of the reference, with the functions of this file in place of those that it calls."""
    return by_hand(FunctionType(function.__code__, KNOWN))


def inlined(function):
    """`as_it_is` for a function with branches that a loop calls: LLVM left `network_step` a call, 27 times as slow."""
    KNOWN[function.__name__] = part(inline=True)(FunctionType(function.__code__, KNOWN))
    return KNOWN[function.__name__]


# --- one number -------------------------------------------------------------------------------------------------------


@by_hand
def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)), without the reference's `try`, which Numba does not compile so."""
    if z < -LARGEST:
        return 0.0
    return 1.0 / (1.0 + math.exp(-z))


@by_hand
def exponential(z):
    """exp(z), infinity if it is too large for a float."""
    if z > LARGEST:
        return math.inf
    return math.exp(z)


activate = inlined(reference.activate)
cross_entropy = as_it_is(reference.cross_entropy)
clipped_cross_entropy = as_it_is(reference.clipped_cross_entropy)
predicted = inlined(reference.predicted)
row_loss = inlined(reference.row_loss)
loss_slope = inlined(reference.loss_slope)
history_loss = inlined(reference.history_loss)
log_total = as_it_is(reference.log_total)
truncate = as_it_is(reference.truncate)
network_step = inlined(reference.network_step)


# --- one neuron -------------------------------------------------------------------------------------------------------

logit = as_it_is(reference.logit)


@by_hand
def sgd_epochs(X, y, step, weights, bias, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`: predict, measure the error, nudge.

    One sweep over the inputs nudges the weights for a row and sums the next row: the same products and the same sums
    in the same order as in the reference, but a nudged weight is used from its register and not written, waited for
    and read again. The reference's, as it is, takes 7 to 15% longer for rows of up to 16 inputs and 4% for 64 and more.
    """
    if len(X) == 0:
        return
    for epoch in range(len(losses)):
        z = logit(X[0], weights, bias)
        for i in range(len(X)):
            error = sigmoid(z) - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            bias[0] -= nudge
            ahead = X[min(i + 1, len(X) - 1)]
            z = 0.0
            for j in range(len(weights)):
                weights[j] -= nudge * X[i, j]
                z += ahead[j] * weights[j]
            z += bias[0]


sgd_linear_epochs = as_it_is(reference.sgd_linear_epochs)
sgd_regularized_epochs = as_it_is(reference.sgd_regularized_epochs)
logits = as_it_is(reference.logits)


# --- one neuron, on rows stored as CSR --------------------------------------------------------------------------------
#
# `data` is float64 or float32, `indices` int32 or int64, `indptr` and `order` int64. What is by hand takes an index as
# unsigned: for one with a sign Numba asks each time whether it counts from the end.


@by_hand
def sparse_dot(data, indices, start, stop, v):
    """What a row stores times its v, left to right. With unsigned places it takes two thirds of the time."""
    z = 0.0
    for p in range(start, stop):
        z += v[np.uint64(indices[np.uint64(p)])] * data[np.uint64(p)]
    return z


sparse_rescale = as_it_is(reference.sparse_rescale)


@by_hand
def sgd_sparse_epochs(data, indices, indptr, order, y, schedule, rule, v, bias, sums, paid, state, losses):
    """`sgd_regularized_epochs` on the rows that `order` names, in that order, once for each slot of `losses`.

    With unsigned places, and rows that are asked for before they are met. As it is, the reference's took 1.3 times as
    long for rows of 5 stored values and 1.5 times for rows of 50.
    """
    loss, shape, bias_scale = rule[at.NEURON_LOSS], rule[at.SHAPE], rule[at.BIAS_SCALE]
    l2, l1, watched, n = rule[at.SPARSE_L2], rule[at.SPARSE_L1], rule[at.WATCHED] != 0.0, len(order)
    for epoch in range(len(losses)):
        for i in range(n):
            start, stop = indptr[order[i]], indptr[order[i] + 1]
            step, keep = schedule[i, at.STEP], schedule[i, at.KEEP]
            cut, share = schedule[i, at.CUT], schedule[i, at.SHARE]
            z = sparse_dot(data, indices, start, stop, v) * state[at.SCALE] + bias[0]
            ask_for(data, indices, indptr, order, i)
            prediction = predicted(z, loss)
            losses[epoch] += history_loss(z, prediction, y[i], loss, shape)
            nudge = step * loss_slope(z, prediction, y[i], loss, shape)
            if watched:
                state[at.OBJECTIVE] += row_loss(z, prediction, y[i], loss, shape)
                state[at.OBJECTIVE] += 0.5 * l2 * state[at.SQUARE] + l1 * state[at.SIZE]
                state[at.SQUARE] *= keep * keep
                state[at.SIZE] *= keep
            state[at.SCALE] *= keep
            if state[at.SCALE] < SMALLEST_SCALE:
                sparse_rescale(v, sums, state)
            scale = state[at.SCALE]
            factor = nudge / scale
            for p in range(start, stop):
                v[np.uint64(indices[np.uint64(p)])] -= factor * data[np.uint64(p)]
            if watched and nudge != 0.0:
                square = size = 0.0
                for p in range(start, stop):
                    square += v[np.uint64(indices[np.uint64(p)])] * v[np.uint64(indices[np.uint64(p)])]
                    size += abs(v[np.uint64(indices[np.uint64(p)])])
                state[at.SQUARE], state[at.SIZE] = square * (scale * scale), size * scale
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                added = state[at.A] * factor
                for p in range(start, stop):
                    sums[np.uint64(indices[np.uint64(p)])] += added * data[np.uint64(p)]
                if share < 1.0:
                    state[at.B] /= 1.0 - share
                state[at.A] += share * state[at.B] * scale
                state[at.MEAN_BIAS] += share * (bias[0] - state[at.MEAN_BIAS])
            if cut > 0.0:
                state[at.OWED] += cut
                for p in range(start, stop):
                    j = np.uint64(indices[np.uint64(p)])
                    before = v[j]
                    v[j] = truncate(before, state[at.OWED] / scale, paid[j] / scale)
                    paid[j] += scale * (v[j] - before)


sparse_logits = as_it_is(reference.sparse_logits)


# --- a neuron for more than two labels --------------------------------------------------------------------------------

sgd_softmax_epochs = as_it_is(reference.sgd_softmax_epochs)


# --- a network --------------------------------------------------------------------------------------------------------

network_forward = as_it_is(reference.network_forward)
network_targets = as_it_is(reference.network_targets)
network_loss = as_it_is(reference.network_loss)
network_backward = as_it_is(reference.network_backward)
network_update = as_it_is(reference.network_update)
network_epochs = as_it_is(reference.network_epochs)
network_logits = as_it_is(reference.network_logits)
