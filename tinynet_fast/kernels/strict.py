"""The reference, compiled: the same functions, the same numbers to the last bit.

Numba turns each loop of `reference.py` into machine code without leave to reorder a sum, to contract a product and a
sum into one rounding, or to replace the C library's exp, tanh and log1p, which plain Python calls too. Arrays are
C-contiguous float64 (`layers` int64).
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import kernel
from tinynet_fast.kernels.compiler.prefetching import ask_for

SIGMOID, TANH, RELU, SOFTMAX = 0, 1, 2, 3
LOG_LOSS, SQUARED_ERROR = 0, 1
SGD, NESTEROV, ADAM = 0, 1, 2
SCALE, A, B, OWED, MEAN_BIAS, SQUARE, SIZE, OBJECTIVE = range(8)
SMALLEST_SCALE = 1e-3
LARGEST = (
    709.782712893384  # exp overflows beyond: compiled it gives infinity and the prediction 0, uncompiled it raises
)


# --- one number -------------------------------------------------------------------------------------------------------


@kernel
def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)): any number in, a probability out."""
    if z < -LARGEST:
        return 0.0
    return 1.0 / (1.0 + math.exp(-z))


@kernel
def activate(z, activation):
    """What a unit sends on, given the sum `z` of its weighted inputs and its bias."""
    if activation == SIGMOID:
        return sigmoid(z)
    if activation == TANH:
        return math.tanh(z)
    return z if z > 0.0 else 0.0


@kernel
def slope(a, activation):
    """The derivative of `activate` at the sum that gave the output `a`."""
    if activation == SIGMOID:
        return a * (1.0 - a)
    if activation == TANH:
        return 1.0 - a * a
    return 1.0 if a > 0.0 else 0.0


@kernel
def cross_entropy(z, y):
    """Minus the log of the probability that sigmoid(z) gives to the true label `y` (0 or 1)."""
    s = z if y > 0.5 else -z
    return (-s if s < 0.0 else 0.0) + math.log1p(math.exp(-abs(s)))


@kernel
def log_total(sums, start, outputs):
    """log(exp(sums[start]) + ...) over as many sums as there are outputs."""
    largest, total = sums[start], 0.0
    for u in range(start + 1, start + outputs):
        largest = max(largest, sums[u])
    for u in range(start, start + outputs):
        total += math.exp(sums[u] - largest)
    return largest + math.log(total)


@kernel
def truncate(weight, owed, paid):
    """A weight moved towards zero, and never past it, by what the l1 penalty has asked for and not yet been paid."""
    if weight > 0.0:
        return max(0.0, weight - (owed + paid))
    if weight < 0.0:
        return min(0.0, weight + (owed - paid))
    return weight


# --- one neuron -------------------------------------------------------------------------------------------------------


@kernel
def logit(x, weights, bias):
    """The neuron's sum for one row `x`: every input times its weight, left to right, the bias last."""
    z = 0.0
    for j in range(len(weights)):
        z += x[j] * weights[j]
    return z + bias[0]


@kernel
def sgd_epochs(X, y, step, weights, bias, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`: predict, measure the error, nudge.

    One sweep over the inputs nudges the weights for a row and sums the next row: the same products and the same sums
    in the same order as in the reference, but a nudged weight is used from its register and not written, waited for
    and read again. About 11% faster at any width up to 16, 6% at 64 and more.
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


@kernel
def sgd_regularized_epochs(X, y, plan, loss, bias_scale, weights, bias, means, paid, losses):
    """`sgd_epochs` with all that may be added to it. Each row of `X` has a row of `plan`: step, keep, cut, share."""
    d = len(weights)
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep, cut, share = plan[i, 0], plan[i, 1], plan[i, 2], plan[i, 3]
            prediction = sigmoid(logit(X[i], weights, bias))
            error = prediction - y[i]
            losses[epoch] += error * error
            if loss == SQUARED_ERROR:
                error *= 2.0 * prediction * (1.0 - prediction)
            nudge = step * error
            for j in range(d):
                weights[j] = keep * weights[j] - nudge * X[i, j]
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


@kernel
def logits(X, weights, bias, out):
    """The neuron's sum for every row of `X`, into `out`; sigmoid(out[i]) is the probability of a pass."""
    for i in range(len(X)):
        out[i] = logit(X[i], weights, bias)


# --- one neuron, on rows stored as CSR --------------------------------------------------------------------------------
#
# `data` is float64 or float32, `indices` int32 or int64, `indptr` and `order` int64. An index is taken as unsigned: for
# one with a sign Numba asks each time whether it counts from the end.


@kernel
def sparse_dot(data, indices, start, stop, v):
    """What a row stores times its v, left to right."""
    z = 0.0
    for p in range(start, stop):
        z += v[np.uint64(indices[np.uint64(p)])] * data[np.uint64(p)]
    return z


@kernel
def sparse_rescale(v, sums, state):
    """The same weights and means, with a scale of 1. Where no mean is asked for, `sums` is empty."""
    for j in range(len(sums)):
        sums[j] = (sums[j] + state[A] * v[j]) / state[B]
    for j in range(len(v)):
        v[j] *= state[SCALE]
    state[SCALE], state[A], state[B] = 1.0, 0.0, 1.0


@kernel
def sgd_sparse_epochs(data, indices, indptr, order, y, plan, rule, v, bias, sums, paid, state, losses):
    """`sgd_regularized_epochs` on the rows that `order` names, in that order, once for each slot of `losses`."""
    loss, bias_scale, l2, l1, watched, n = rule[0], rule[1], rule[2], rule[3], rule[4] != 0.0, len(order)
    for epoch in range(len(losses)):
        for i in range(n):
            start, stop = indptr[order[i]], indptr[order[i] + 1]
            step, keep, cut, share = plan[i, 0], plan[i, 1], plan[i, 2], plan[i, 3]
            z = sparse_dot(data, indices, start, stop, v) * state[SCALE] + bias[0]
            ask_for(data, indices, indptr, order, i)
            prediction = sigmoid(z)
            error = prediction - y[i]
            losses[epoch] += error * error
            if loss == SQUARED_ERROR:
                error *= 2.0 * prediction * (1.0 - prediction)
            nudge = step * error
            if watched:
                state[OBJECTIVE] += cross_entropy(z, y[i])
                state[OBJECTIVE] += 0.5 * l2 * state[SQUARE] + l1 * state[SIZE]
                state[SQUARE] *= keep * keep
                state[SIZE] *= keep
            state[SCALE] *= keep
            if state[SCALE] < SMALLEST_SCALE:
                sparse_rescale(v, sums, state)
            scale = state[SCALE]
            factor = nudge / scale
            for p in range(start, stop):
                v[np.uint64(indices[np.uint64(p)])] -= factor * data[np.uint64(p)]
            if watched and nudge != 0.0:
                square = size = 0.0
                for p in range(start, stop):
                    square += v[np.uint64(indices[np.uint64(p)])] * v[np.uint64(indices[np.uint64(p)])]
                    size += abs(v[np.uint64(indices[np.uint64(p)])])
                state[SQUARE], state[SIZE] = square * (scale * scale), size * scale
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                added = state[A] * factor
                for p in range(start, stop):
                    sums[np.uint64(indices[np.uint64(p)])] += added * data[np.uint64(p)]
                if share < 1.0:
                    state[B] /= 1.0 - share
                state[A] += share * state[B] * scale
                state[MEAN_BIAS] += share * (bias[0] - state[MEAN_BIAS])
            if cut > 0.0:
                state[OWED] += cut
                for p in range(start, stop):
                    j = np.uint64(indices[np.uint64(p)])
                    before = v[j]
                    v[j] = truncate(before, state[OWED] / scale, paid[j] / scale)
                    paid[j] += scale * (v[j] - before)


@kernel
def sparse_logits(data, indices, indptr, order, weights, bias, out):
    """The neuron's sum for each row that `order` names, into `out`."""
    for i in range(len(order)):
        out[i] = sparse_dot(data, indices, indptr[order[i]], indptr[order[i] + 1], weights) + bias[0]


# --- a network --------------------------------------------------------------------------------------------------------
#
# `layers`, `state`, `units`, `mask`, `plan` and `rule` are laid out as reference.py says.


@kernel
def network_forward(x, mask, layers, params, units):
    """One row through the network, layer by layer; fills `units`."""
    values, deltas = units[0], units[1]
    for j in range(layers[0, 0]):
        values[j] = x[j]
    source, p, last = 0, 0, len(layers) - 1  # where the layer's inputs start in values, and its weights in params
    for layer in range(len(layers)):
        inputs, outputs, activation = layers[layer, 0], layers[layer, 1], layers[layer, 2]
        target, biases = source + inputs, p + inputs * outputs
        for u in range(outputs):
            z = 0.0
            for j in range(inputs):
                z += values[source + j] * params[p + j * outputs + u]
            z += params[biases + u]
            a = activate(z, activation)
            values[target + u] = a
            deltas[target + u] = z if layer == last else slope(a, activation)
            if layer < last and len(mask) > 0:
                values[target + u] *= mask[target + u - layers[0, 0]]
                deltas[target + u] *= mask[target + u - layers[0, 0]]
        if activation == SOFTMAX:
            norm = log_total(deltas, target, outputs)
            for u in range(outputs):
                values[target + u] = math.exp(deltas[target + u] - norm)
        source, p = target, biases + outputs


@kernel
def network_loss(y, loss, layers, units):
    """The loss of the row that `network_forward` has just seen: cross-entropy, or the prediction's squared error."""
    values, sums, outputs = units[0], units[1], layers[len(layers) - 1, 1]
    target = len(values) - outputs
    if outputs > 1:
        return log_total(sums, target, outputs) - sums[target + int(y)]
    if loss == SQUARED_ERROR:
        return (values[target] - y) * (values[target] - y)
    return cross_entropy(sums[target], y)


@kernel
def network_backward(y, weight, loss, layers, params, units, gradient):
    """The chain rule from the output back to the first layer, for the row that `network_forward` has just seen."""
    values, deltas = units[0], units[1]
    target, p = len(values) - layers[len(layers) - 1, 1], len(params)  # the layer's outputs, its parameters' end
    for u in range(target, len(values)):
        actual = y if len(values) - target == 1 else (1.0 if int(y) == u - target else 0.0)
        error = values[u] - actual
        if loss == SQUARED_ERROR:
            error *= 2.0 * values[u] * (1.0 - values[u])
        deltas[u] = weight * error
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs = layers[layer, 0], layers[layer, 1]
        source = target - inputs
        biases = p - outputs
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


@kernel
def network_update(total, plan, rule, layers, state):
    """One step with the mean gradient of a batch whose sample weights sum to `total`, or none for a batch without."""
    params, gradient, first, second = state[0], state[1], state[2], state[3]
    rate, keep, l2, epsilon = plan[0], plan[1], plan[2], plan[3]
    optimizer, share, share2 = rule[2], rule[3], rule[4]
    stop = 0
    for layer in range(len(layers)):
        start, biases = stop, stop + layers[layer, 0] * layers[layer, 1]
        stop = biases + layers[layer, 1]
        for p in range(start, stop):
            if total > 0.0:
                g = gradient[p] / total
                if p < biases:
                    g += l2 * params[p]
                    params[p] *= keep
                if optimizer == ADAM:
                    first[p] = share * first[p] + (1.0 - share) * g
                    second[p] = share2 * second[p] + (1.0 - share2) * (g * g)
                    params[p] -= rate * first[p] / (math.sqrt(second[p]) + epsilon)
                else:
                    first[p] = share * first[p] - rate * g
                    params[p] += share * first[p] - rate * g if optimizer == NESTEROV else first[p]
            gradient[p] = 0.0


@kernel
def network_epochs(X, y, weight, mask, plan, rule, layers, state, units, pending, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`, with an update after every batch."""
    updates = 0
    for epoch in range(len(losses)):
        for i in range(len(X)):
            network_forward(X[i], mask[i % len(mask)], layers, state[0], units)
            losses[epoch] += weight[i] * network_loss(y[i], rule[1], layers, units)
            network_backward(y[i], weight[i], rule[1], layers, state[0], units, state[1])
            pending[0] += 1.0
            pending[1] += weight[i]
            if pending[0] == rule[0]:
                network_update(pending[1], plan[updates], rule, layers, state)
                updates += 1
                pending[0] = pending[1] = 0.0


@kernel
def network_logits(X, layers, params, units, out):
    """The outputs' sums for every row of `X`, into the rows of `out`: their sigmoid or softmax is its answer."""
    for i in range(len(X)):
        network_forward(X[i], params[:0], layers, params, units)  # an empty mask: nothing is left out
        for u in range(out.shape[1]):
            out[i, u] = units[1, len(units[1]) - out.shape[1] + u]
