"""The specification: one neuron and the small network, in plain Python, a number at a time. The functions of one number
(activations, losses, steps) are in `point_functions.py`.

Every other engine is tested against it. It needs `math` alone, takes lists of numbers (or arrays) and writes results
into its arguments, at places named in `layout.py`. `vectorized.py` has the same functions; `strict.py` compiles them.

Two rules keep every line exact. Sums run from left to right in a loop, never through `sum()`, which from Python 3.12 on
carries a correction term. Products keep the parentheses that they have here.
"""
# ruff: noqa: F405

import math

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.point_functions import *  # noqa: F403 - they are part of the specification

SMALLEST_SCALE = 1e-3  # below, the weights are scaled: the means lose the digits that the scale has (1e-9: 7e-11 off)

# --- one neuron -------------------------------------------------------------------------------------------------------


def logit(x, weights, bias):
    """The neuron's sum for one row `x`: every input times its weight, left to right, the bias last."""
    z = 0.0
    for j in range(len(weights)):
        z += x[j] * weights[j]
    return z + bias[0]


def sgd_epochs(X, y, step, weights, bias, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`: predict, measure the error, nudge.

    `y` holds 0 or 1 a row and `step` the learning rate a row. `weights` and `bias` (one number) change in place, and
    each row's squared error, taken before its update, is added to the epoch's slot. The update is the exact gradient
    of cross-entropy: its derivative with respect to the sum is the error itself.
    """
    for epoch in range(len(losses)):
        for i in range(len(X)):
            prediction = sigmoid(logit(X[i], weights, bias))
            error = prediction - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            for j in range(len(weights)):
                weights[j] -= nudge * X[i][j]
            bias[0] -= nudge


def sgd_linear_epochs(X, y, step, weights, bias, losses):
    """`sgd_epochs` for a number `y` a row: the prediction is the sum itself. The update is the gradient of half the
    squared error (Widrow and Hoff, 1960)."""
    for epoch in range(len(losses)):
        for i in range(len(X)):
            prediction = logit(X[i], weights, bias)
            error = prediction - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            for j in range(len(weights)):
                weights[j] -= nudge * X[i][j]
            bias[0] -= nudge


def sgd_regularized_epochs(X, y, schedule, rule, weights, bias, means, paid, losses):
    """`sgd_epochs` with all that may be added to it. Each row of `X` has a row of `schedule`:

    - step: its learning rate times its sample weight;
    - keep: what the l2 penalty leaves of each weight, 1 - learning rate * l2 and at least 0;
    - cut: what the l1 penalty asks of each weight, learning rate * l1. It is summed up, and paid as far as a weight
      goes before it crosses zero (Tsuruoka, Tsujii and Ananiadou, ACL 2009);
    - share: what the weights after this row count for in their running mean, 1 / rows averaged; 0.0 for nothing.

    `rule` holds the loss, its shape, and a scale for the bias: the bias moves by this times what an input of 1.0 would
    move its weight by, and it is not penalised. `means` holds the mean weights and, last, the mean bias; `paid` what
    each weight has paid and, last, what was asked for.
    """
    d, loss, shape, bias_scale = len(weights), rule[at.NEURON_LOSS], rule[at.SHAPE], rule[at.BIAS_SCALE]
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep = schedule[i][at.STEP], schedule[i][at.KEEP]
            cut, share = schedule[i][at.CUT], schedule[i][at.SHARE]
            z = logit(X[i], weights, bias)
            prediction = predicted(z, loss)
            losses[epoch] += history_loss(z, prediction, y[i], loss, shape)
            nudge = step * loss_slope(z, prediction, y[i], loss, shape)
            for j in range(d):
                weights[j] = keep * weights[j] - nudge * X[i][j]
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                for j in range(d):
                    means[j] += share * (weights[j] - means[j])
                means[d] += share * (bias[0] - means[d])
            if cut > 0.0:
                paid[d] += cut
                for j in range(d):
                    before = weights[j]
                    weights[j] = truncate(before, paid[d], paid[j])
                    paid[j] += weights[j] - before


def logits(X, weights, bias, out):
    """The neuron's sum for every row of `X`, into `out`; sigmoid(out[i]) is the probability of a pass."""
    for i in range(len(X)):
        out[i] = logit(X[i], weights, bias)


# --- one neuron, on rows stored as CSR --------------------------------------------------------------------------------
#
# Row i stores data[p] of the input indices[p], for p from indptr[i] up to indptr[i + 1], its inputs rising and each
# once. An update costs what the row stores and not the width: `layout.py` says how, beside the names of `state`.
# Without l1 the weights are those of `sgd_regularized_epochs` on the same rows, dense: the same bits if there is no
# penalty and no mean, otherwise to rounding, which grows with the rows (up to 3e-12 after 1,500,000 rows).


def sparse_dot(data, indices, start, stop, v):
    """What a row stores times its v, left to right."""
    z = 0.0
    for p in range(start, stop):
        z += v[indices[p]] * data[p]
    return z


def sparse_rescale(v, sums, state):
    """The same weights and means, with a scale of 1. If no mean is asked for, `sums` is empty."""
    for j in range(len(sums)):
        sums[j] = (sums[j] + state[at.A] * v[j]) / state[at.B]
    for j in range(len(v)):
        v[j] *= state[at.SCALE]
    state[at.SCALE], state[at.A], state[at.B] = 1.0, 0.0, 1.0


def sgd_sparse_epochs(data, indices, indptr, order, y, schedule, rule, v, bias, sums, paid, state, losses):
    """`sgd_regularized_epochs` on the rows that `order` names, in that order, once for each slot of `losses`.

    `y` and `schedule` have a row for each of them; `paid` holds what each weight has paid of l1. If the rule's WATCHED
    is not 0.0, each row's loss, and l2 / 2 * |w|^2 + l1 * sum |w|, are added to the OBJECTIVE. There w are the
    weights that the last row to change any stored, as in scikit-learn.
    """
    loss, shape, bias_scale = rule[at.NEURON_LOSS], rule[at.SHAPE], rule[at.BIAS_SCALE]
    l2, l1, watched = rule[at.SPARSE_L2], rule[at.SPARSE_L1], rule[at.WATCHED] != 0.0
    for epoch in range(len(losses)):
        for i in range(len(order)):
            start, stop = indptr[order[i]], indptr[order[i] + 1]
            step, keep = schedule[i][at.STEP], schedule[i][at.KEEP]
            cut, share = schedule[i][at.CUT], schedule[i][at.SHARE]
            z = sparse_dot(data, indices, start, stop, v) * state[at.SCALE] + bias[0]
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
                v[indices[p]] -= factor * data[p]
            if watched and nudge != 0.0:
                square = size = 0.0
                for p in range(start, stop):
                    square += v[indices[p]] * v[indices[p]]
                    size += abs(v[indices[p]])
                state[at.SQUARE], state[at.SIZE] = square * (scale * scale), size * scale
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                added = state[at.A] * factor
                for p in range(start, stop):
                    sums[indices[p]] += added * data[p]
                if share < 1.0:
                    state[at.B] /= 1.0 - share
                state[at.A] += share * state[at.B] * scale
                state[at.MEAN_BIAS] += share * (bias[0] - state[at.MEAN_BIAS])
            if cut > 0.0:
                state[at.OWED] += cut
                for p in range(start, stop):
                    before = v[indices[p]]
                    v[indices[p]] = truncate(before, state[at.OWED] / scale, paid[indices[p]] / scale)
                    paid[indices[p]] += scale * (v[indices[p]] - before)


def sparse_logits(data, indices, indptr, order, weights, bias, out):
    """The neuron's sum for each row that `order` names, into `out`."""
    for i in range(len(order)):
        out[i] = sparse_dot(data, indices, indptr[order[i]], indptr[order[i] + 1], weights) + bias[0]


# --- a neuron for more than two labels --------------------------------------------------------------------------------
#
# `weights` has a row for each input and, last, one for the biases; it has a column for each label. As one long array it
# is the parameters of a network without hidden layers, so `network_logits` gives the sums of many rows.


def sgd_softmax_epochs(X, y, schedule, weights, means, paid, errors, losses):
    """`sgd_regularized_epochs` for softmax regression: a sum for each label, and their softmax for the prediction.

    `y` holds the number of each row's label: 0.0, 1.0, ... The derivative of cross-entropy with respect to a label's
    sum is the label's probability less 1.0 if it is the row's own, else less 0.0 (Bishop, Pattern recognition and
    machine learning, 2006, 4.3.4). `means` and `paid` are laid out like `weights`. `errors` is room for a number a
    label. A row adds the squares of its errors, taken before its update, to the epoch's slot of `losses`.
    """
    d, k = len(weights) - 1, len(errors)
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep = schedule[i][at.STEP], schedule[i][at.KEEP]
            cut, share = schedule[i][at.CUT], schedule[i][at.SHARE]
            for u in range(k):
                errors[u] = 0.0
            for j in range(d):
                for u in range(k):
                    errors[u] += X[i][j] * weights[j][u]
            for u in range(k):
                errors[u] += weights[d][u]
            norm = log_total(errors, 0, k)
            for u in range(k):
                errors[u] = math.exp(errors[u] - norm) - (1.0 if u == int(y[i]) else 0.0)
                losses[epoch] += errors[u] * errors[u]
            for j in range(d):
                for u in range(k):
                    weights[j][u] = keep * weights[j][u] - (step * errors[u]) * X[i][j]
            for u in range(k):
                weights[d][u] -= step * errors[u]
            if share > 0.0:
                for j in range(d + 1):
                    for u in range(k):
                        means[j][u] += share * (weights[j][u] - means[j][u])
            if cut > 0.0:
                for u in range(k):
                    paid[d][u] += cut
                for j in range(d):
                    for u in range(k):
                        before = weights[j][u]
                        weights[j][u] = truncate(before, paid[d][u], paid[j][u])
                        paid[j][u] += weights[j][u] - before


# --- a network --------------------------------------------------------------------------------------------------------
#
# `layout.py` says what `layers`, `state`, `units`, `mask`, `schedule`, `rule` and `pending` hold. The last layer is a
# softmax, with an output a class, or each of its outputs has its own loss: a sigmoid for labels, the identity for
# numbers, the exponential function for counts. `y` holds what is true, row by row: the number of a row's class, or what
# each output should be.


def network_forward(x, mask, layers, params, units):
    """One row through the network, layer by layer; fills `units`."""
    values, deltas = units[at.VALUES], units[at.DELTAS]
    for j in range(layers[0][at.INPUTS]):
        values[j] = x[j]
    source, p, last = 0, 0, len(layers) - 1  # where the layer's inputs start in values, and its weights in params
    for layer in range(len(layers)):
        inputs, outputs, activation = layers[layer][at.INPUTS], layers[layer][at.OUTPUTS], layers[layer][at.ACTIVATION]
        target, biases = source + inputs, p + inputs * outputs
        for u in range(outputs):
            z = 0.0
            for j in range(inputs):
                z += values[source + j] * params[p + j * outputs + u]
            z += params[biases + u]
            a, slope = activate(z, activation)
            values[target + u] = a
            deltas[target + u] = z if layer == last else slope
            if layer < last and len(mask) > 0:
                values[target + u] *= mask[target + u - layers[0][at.INPUTS]]
                deltas[target + u] *= mask[target + u - layers[0][at.INPUTS]]
        if activation == SOFTMAX:
            norm = log_total(deltas, target, outputs)
            for u in range(outputs):
                values[target + u] = math.exp(deltas[target + u] - norm)
        source, p = target, biases + outputs


def network_targets(layers):
    """How many numbers `y` holds for a row: one for a softmax, otherwise one for each output."""
    last = layers[len(layers) - 1]
    return 1 if last[at.ACTIVATION] == SOFTMAX else last[at.OUTPUTS]


def network_loss(y, first, rule, layers, units):
    """The loss of the row that `network_forward` has just seen, over all outputs. Its part of `y` begins at `first`.

    As a gradient the clipped cross-entropy is the plain one. (With a slice of `y` for a row, `strict` took a tenth
    longer for 2-4-1.)
    """
    values, sums, last = units[at.VALUES], units[at.DELTAS], layers[len(layers) - 1]
    target, clipped = len(values) - last[at.OUTPUTS], rule[at.LOSS] == CLIPPED_LOG_LOSS
    if last[at.ACTIVATION] == SOFTMAX:
        if clipped:
            return clipped_cross_entropy(values[target + int(y[first])], rule[at.LOSS_SHAPE])
        return log_total(sums, target, last[at.OUTPUTS]) - sums[target + int(y[first])]
    loss = 0.0
    for u in range(last[at.OUTPUTS]):
        z, prediction = sums[target + u], values[target + u]
        if clipped:
            own = prediction if y[first + u] > 0.5 else 1.0 - prediction
            loss += clipped_cross_entropy(own, rule[at.LOSS_SHAPE])
        else:
            loss += row_loss(z, prediction, y[first + u], rule[at.LOSS], rule[at.LOSS_SHAPE])
    return loss


def network_backward(y, first, weight, rule, layers, params, units, gradient):
    """The chain rule from the output back to the first layer, for the row that `network_forward` has just seen.

    Adds the row's part, times its sample weight, to `gradient`.
    """
    values, deltas, last = units[at.VALUES], units[at.DELTAS], layers[len(layers) - 1]
    target = len(values) - last[at.OUTPUTS]  # where the layer's outputs start
    p = len(params)  # where its parameters end
    for u in range(last[at.OUTPUTS]):
        if last[at.ACTIVATION] == SOFTMAX:
            actual = 1.0 if int(y[first]) == u else 0.0
        else:
            actual = y[first + u]
        z, prediction = deltas[target + u], values[target + u]
        deltas[target + u] = weight * loss_slope(z, prediction, actual, rule[at.LOSS], rule[at.LOSS_SHAPE])
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs = layers[layer][at.INPUTS], layers[layer][at.OUTPUTS]
        source, biases = target - inputs, p - outputs
        p = biases - inputs * outputs
        for u in range(outputs):
            gradient[biases + u] += deltas[target + u]
        for j in range(inputs):
            blame = 0.0
            for u in range(outputs):
                gradient[p + j * outputs + u] += values[source + j] * deltas[target + u]
                blame += params[p + j * outputs + u] * deltas[target + u]
            if layer > 0:
                deltas[source + j] = blame * deltas[source + j]
        target = source


def network_update(total, schedule, rule, layers, state):
    """One step with the mean gradient of a batch whose sample weights sum to `total`, or none for a batch without.

    The weights, not the biases, first shrink by `keep` (decoupled decay: Loshchilov and Hutter, ICLR 2019), and their
    gradient has l2 * weight added. Leaves the gradient at zero for the next batch.
    """
    params, gradient, first, second = state[at.PARAMETERS], state[at.GRADIENT], state[at.FIRST], state[at.SECOND]
    rate, keep, l2, epsilon = schedule[at.RATE], schedule[at.KEEP], schedule[at.L2], schedule[at.EPSILON]
    optimizer, share, share2 = rule[at.OPTIMIZER], rule[at.FIRST_SHARE], rule[at.SECOND_SHARE]
    stop = 0
    for layer in range(len(layers)):
        start, biases = stop, stop + layers[layer][at.INPUTS] * layers[layer][at.OUTPUTS]
        stop = biases + layers[layer][at.OUTPUTS]
        for p in range(start, stop):
            if total > 0.0:
                g = gradient[p] / total
                if p < biases:
                    g += l2 * params[p]
                    params[p] *= keep
                network_step(p, g, params, first, second, optimizer, rate, share, share2, epsilon)
            gradient[p] = 0.0


def network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`, with an update after every batch.

    `pending` is kept, so that a batch can go on in the next block of rows; the caller updates for a short last batch.
    Each row's loss times its sample weight, taken before its batch's update, is added to the epoch's slot.
    """
    updates, targets = 0, network_targets(layers)
    for epoch in range(len(losses)):
        for i in range(len(X)):
            network_forward(X[i], mask[i % len(mask)], layers, state[at.PARAMETERS], units)
            losses[epoch] += weight[i] * network_loss(y, i * targets, rule, layers, units)
            network_backward(y, i * targets, weight[i], rule, layers, state[at.PARAMETERS], units, state[at.GRADIENT])
            pending[at.PENDING_ROWS] += 1.0
            pending[at.PENDING_WEIGHT] += weight[i]
            if pending[at.PENDING_ROWS] == rule[at.BATCH_SIZE]:
                network_update(pending[at.PENDING_WEIGHT], schedule[updates], rule, layers, state)
                updates += 1
                pending[at.PENDING_ROWS] = pending[at.PENDING_WEIGHT] = 0.0


def network_logits(X, layers, params, units, out):
    """The outputs' sums for every row of `X`, into the rows of `out`. The last activation makes them answers."""
    for i in range(len(X)):
        network_forward(X[i], params[:0], layers, params, units)  # an empty mask: nothing is left out
        for u in range(len(out[i])):
            out[i][u] = units[at.DELTAS][len(units[at.DELTAS]) - len(out[i]) + u]
