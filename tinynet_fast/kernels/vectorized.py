"""The reference in NumPy, as a good NumPy user would write it: whole rows, and for networks whole batches, at a time.

The same functions as in `reference.py`, in the same order. Sums may be taken in another order, so the promise is a
norm-wise relative difference of at most 1e-12. Where the reference takes one row, the network's functions here take a
chunk of rows: `units` has two tables with a row for each, and `x`, `mask`, `y` and `weight` have one more dimension.
"""
# ruff: noqa: F405

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.array_functions import *  # noqa: F403 - the engine's functions are all found here
from tinynet_fast.kernels.reference import (
    CLIPPED_LOG_LOSS,
    SMALLEST_SCALE,
    SOFTMAX,
)

# --- one neuron -------------------------------------------------------------------------------------------------------


def logit(x, weights, bias):
    """The neuron's sum for one row `x`."""
    return x @ weights + bias[0]


@np.errstate(over="ignore", invalid="ignore")  # a diverging run ends in a clear error, not in a warning
def sgd_epochs(X, y, step, weights, bias, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`: predict, measure the error, nudge."""
    for epoch in range(len(losses)):
        for i in range(len(X)):
            prediction = 1.0 / (1.0 + np.exp(-logit(X[i], weights, bias)))
            error = prediction - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            weights -= nudge * X[i]
            bias[0] -= nudge


@np.errstate(over="ignore", invalid="ignore")
def sgd_linear_epochs(X, y, step, weights, bias, losses):
    """`sgd_epochs` for a number `y` a row: the prediction is the sum itself."""
    for epoch in range(len(losses)):
        for i in range(len(X)):
            error = logit(X[i], weights, bias) - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            weights -= nudge * X[i]
            bias[0] -= nudge


@np.errstate(over="ignore", invalid="ignore")
def sgd_regularized_epochs(X, y, schedule, rule, weights, bias, means, paid, losses):
    """`sgd_epochs` with all that may be added to it. Each row of `X` has a schedule row: step, keep, cut, share."""
    loss, shape, bias_scale = rule[: at.SPARSE_L2]
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep, cut, share = schedule[i]
            z = logit(X[i], weights, bias)
            prediction = predicted(z, loss)
            losses[epoch] += history_loss(z, prediction, y[i], loss, shape)
            nudge = step * loss_slope(z, prediction, y[i], loss, shape)
            weights[:] = keep * weights - nudge * X[i]
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                means[:-1] += share * (weights - means[:-1])
                means[-1] += share * (bias[0] - means[-1])
            if cut > 0.0:
                paid[-1] += cut
                before = weights.copy()
                weights[:] = truncate(before, paid[-1], paid[:-1])
                paid[:-1] += weights - before


@np.errstate(over="ignore", invalid="ignore")
def logits(X, weights, bias, out):
    """The neuron's sum for every row of `X`, into `out`."""
    np.matmul(X, weights, out=out)
    out += bias[0]


# --- one neuron, on rows stored as CSR --------------------------------------------------------------------------------
#
# `state` and `rule` are laid out as reference.py says.


def sparse_dot(data, indices, start, stop, v):
    """What a row stores times its v."""
    return v[indices[start:stop]] @ data[start:stop]


@np.errstate(over="ignore", invalid="ignore")
def sparse_rescale(v, sums, state):
    """The same weights and means, with a scale of 1. If no mean is asked for, `sums` is empty."""
    sums[:] = (sums + state[at.A] * v[: len(sums)]) / state[at.B]
    v *= state[at.SCALE]
    state[at.SCALE], state[at.A], state[at.B] = 1.0, 0.0, 1.0


@np.errstate(over="ignore", invalid="ignore")
def sgd_sparse_epochs(data, indices, indptr, order, y, schedule, rule, v, bias, sums, paid, state, losses):
    """`sgd_regularized_epochs` on the rows that `order` names, in that order, once for each slot of `losses`."""
    loss, shape, bias_scale, l2, l1, watched = rule
    for epoch in range(len(losses)):
        for i in range(len(order)):
            start, stop = indptr[order[i]], indptr[order[i] + 1]
            step, keep, cut, share = schedule[i]
            z = sparse_dot(data, indices, start, stop, v) * state[at.SCALE] + bias[0]
            prediction = predicted(z, loss)
            losses[epoch] += history_loss(z, prediction, y[i], loss, shape)
            nudge = step * loss_slope(z, prediction, y[i], loss, shape)
            if watched:
                penalty = 0.5 * l2 * state[at.SQUARE] + l1 * state[at.SIZE]
                state[at.OBJECTIVE] += row_loss(z, prediction, y[i], loss, shape) + penalty
                state[at.SQUARE] *= keep * keep
                state[at.SIZE] *= keep
            state[at.SCALE] *= keep
            if state[at.SCALE] < SMALLEST_SCALE:
                sparse_rescale(v, sums, state)
            scale = state[at.SCALE]
            stored, x = indices[start:stop], data[start:stop]
            v[stored] -= nudge / scale * x
            if watched and nudge != 0.0:
                w = scale * v[stored]
                state[at.SQUARE], state[at.SIZE] = w @ w, np.abs(w).sum()
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                sums[stored] += state[at.A] * (nudge / scale) * x
                if share < 1.0:
                    state[at.B] /= 1.0 - share
                state[at.A] += share * state[at.B] * scale
                state[at.MEAN_BIAS] += share * (bias[0] - state[at.MEAN_BIAS])
            if cut > 0.0:
                state[at.OWED] += cut
                before = v[stored]
                v[stored] = truncate(before, state[at.OWED] / scale, paid[stored] / scale)
                paid[stored] += scale * (v[stored] - before)


@np.errstate(over="ignore", invalid="ignore")
def sparse_logits(data, indices, indptr, order, weights, bias, out):
    """The neuron's sum for each row that `order` names, into `out`."""
    lengths = indptr[order + 1] - indptr[order]
    rows = np.repeat(np.arange(len(order)), lengths)
    places = np.arange(lengths.sum()) + np.repeat(indptr[order] - (np.cumsum(lengths) - lengths), lengths)
    out[:] = np.bincount(rows, weights=weights[indices[places]] * data[places], minlength=len(order)) + bias[0]


# --- a neuron for more than two labels --------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore")
def sgd_softmax_epochs(X, y, schedule, weights, means, paid, errors, losses):
    """`sgd_regularized_epochs` for softmax regression: a column of `weights` for each label, the biases last."""
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep, cut, share = schedule[i]
            z = (X[i] @ weights[:-1] + weights[-1])[np.newaxis]
            errors[:] = np.exp(z - log_total(z, 0, len(errors)))[0]
            errors[int(y[i])] -= 1.0
            losses[epoch] += errors @ errors
            weights[:-1] = keep * weights[:-1] - X[i][:, np.newaxis] * (step * errors)
            weights[-1] -= step * errors
            if share > 0.0:
                means += share * (weights - means)
            if cut > 0.0:
                paid[-1] += cut
                before = weights[:-1].copy()
                weights[:-1] = truncate(before, paid[-1], paid[:-1])
                paid[:-1] += weights[:-1] - before


# --- a network --------------------------------------------------------------------------------------------------------
#
# `layers`, `state`, `schedule` and `rule` are laid out as reference.py says; `units` and `mask` too, a chunk of rows.


def network_forward(x, mask, layers, params, units):
    """A chunk of rows through the network, layer by layer; fills `units`."""
    values, deltas = units[at.VALUES], units[at.DELTAS]
    values[:, : layers[0, at.INPUTS]] = x
    source, p, last = 0, 0, len(layers) - 1
    for layer in range(len(layers)):
        inputs, outputs, activation = layers[layer]
        target, biases = source + inputs, p + inputs * outputs
        a, d = values[:, target : target + outputs], deltas[:, target : target + outputs]
        z = values[:, source:target] @ params[p:biases].reshape(inputs, outputs) + params[biases : biases + outputs]
        a[:], d[:] = activate(z, activation)
        if layer == last:
            d[:] = z
        elif mask.shape[1]:
            kept = mask[:, target - layers[0, at.INPUTS] : target - layers[0, at.INPUTS] + outputs]
            a *= kept
            d *= kept
        source, p = target, biases + outputs


def network_targets(layers):
    """How many numbers `y` holds for a row: one for a softmax, otherwise one for each output."""
    return 1 if layers[-1, at.ACTIVATION] == SOFTMAX else int(layers[-1, at.OUTPUTS])


def _rows_of(y, first, layers, units):
    """(rows, targets): what is true of the rows in `units`."""
    targets = network_targets(layers)
    return y[first : first + units.shape[1] * targets].reshape(-1, targets)


def network_loss(y, first, rule, layers, units):
    """The losses of the rows that `network_forward` has just seen, whose part of `y` begins at `first`."""
    y = _rows_of(y, first, layers, units)
    target, clipped = units.shape[2] - layers[-1, at.OUTPUTS], rule[at.LOSS] == CLIPPED_LOG_LOSS
    shape = rule[at.LOSS_SHAPE]
    predictions, sums = units[:, :, target:]
    if layers[-1, at.ACTIVATION] == SOFTMAX:
        own = np.arange(len(y)), y[:, 0].astype(np.intp)
        if clipped:
            return clipped_cross_entropy(predictions[own], shape)
        return log_total(sums, 0, sums.shape[1]) - sums[own]
    if clipped:
        return clipped_cross_entropy(np.where(y > 0.5, predictions, 1.0 - predictions), shape).sum(axis=1)
    return row_loss(sums, predictions, y, rule[at.LOSS], shape).sum(axis=1)


def network_backward(y, first, weight, rule, layers, params, units, gradient):
    """The chain rule from the output back to the first layer, for the rows that `network_forward` has just seen."""
    y = _rows_of(y, first, layers, units)
    values, deltas = units[at.VALUES], units[at.DELTAS]
    outputs = layers[-1, at.OUTPUTS]
    target, p = values.shape[1] - outputs, len(params)
    actual = y == np.arange(outputs) if layers[-1, at.ACTIVATION] == SOFTMAX else y
    slopes = loss_slope(deltas[:, target:], values[:, target:], actual, rule[at.LOSS], rule[at.LOSS_SHAPE])
    deltas[:, target:] = weight[:, np.newaxis] * slopes
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs, _ = layers[layer]
        source = target - inputs
        biases = p - outputs
        p = biases - inputs * outputs
        a, d = values[:, source:target], deltas[:, target : target + outputs]
        gradient[biases : biases + outputs] += d.sum(axis=0)
        gradient[p:biases] += (a.T @ d).ravel()
        if layer > 0:
            deltas[:, source:target] *= d @ params[p:biases].reshape(inputs, outputs).T
        target = source


def network_update(total, schedule, rule, layers, state):
    """One step with the mean gradient of a batch whose sample weights sum to `total`, or none for a batch without."""
    params, gradient, first, second = state
    rate, keep, l2, epsilon = schedule
    optimizer, share, share2 = rule[at.OPTIMIZER], rule[at.FIRST_SHARE], rule[at.SECOND_SHARE]
    if total > 0.0:
        g, stop = gradient / total, 0
        for inputs, outputs, _ in layers:
            weights = slice(stop, stop + inputs * outputs)
            g[weights] += l2 * params[weights]
            params[weights] *= keep
            stop = weights.stop + outputs
        network_step(slice(None), g, params, first, second, optimizer, rate, share, share2, epsilon)
    gradient[:] = 0.0


@np.errstate(over="ignore", invalid="ignore")
def network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`, with an update after every batch.

    A large batch goes through in chunks of as many rows as `units` has. Chunks are counted from the start of their
    batch, so that the sums do not depend on the blocks that the rows come in.
    """
    updates, size, chunk, targets = 0, int(rule[at.BATCH_SIZE]), units.shape[1], network_targets(layers)
    for epoch in range(len(losses)):
        start = 0
        while start < len(X):
            filled = int(pending[at.PENDING_ROWS])
            m = min(chunk - filled % chunk, size - filled, len(X) - start)
            part = slice(start, start + m)
            kept = mask[part] if mask.shape[1] else mask
            network_forward(X[part], kept, layers, state[at.PARAMETERS], units[:, :m])
            losses[epoch] += np.sum(weight[part] * network_loss(y, start * targets, rule, layers, units[:, :m]))
            params, gradient = state[at.PARAMETERS], state[at.GRADIENT]
            network_backward(y, start * targets, weight[part], rule, layers, params, units[:, :m], gradient)
            start += m
            pending[at.PENDING_ROWS] += m
            pending[at.PENDING_WEIGHT] += weight[part].sum()
            if pending[at.PENDING_ROWS] == size:
                network_update(pending[at.PENDING_WEIGHT], schedule[updates], rule, layers, state)
                updates += 1
                pending[:] = 0.0


@np.errstate(over="ignore", invalid="ignore")
def network_logits(X, layers, params, units, out):
    """The outputs' sums for every row of `X`, into the rows of `out`, in chunks of as many rows as `units` has."""
    nothing = np.empty((0, 0))
    for start in range(0, len(X), units.shape[1]):
        rows = X[start : start + units.shape[1]]
        network_forward(rows, nothing, layers, params, units[:, : len(rows)])
        out[start : start + len(rows)] = units[at.DELTAS, : len(rows), -out.shape[1] :]
