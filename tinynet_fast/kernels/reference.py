"""The specification: one neuron and the small network, in plain Python, a number at a time.

Every other engine answers to this file. It imports `math` alone and takes lists of numbers (arrays work too); what
it computes it writes into its arguments. `vectorized.py` and `strict.py` hold the same functions in the same order.

Two rules keep the meaning of every line exact. Sums run from left to right in a loop, never through `sum()`,
which from Python 3.12 on carries a correction term. Products keep the parentheses that they have here.
"""

import math

SIGMOID, TANH, RELU = 0, 1, 2  # what a layer does to its sums
LOG_LOSS, SQUARED_ERROR = 0, 1  # what a neuron is to make small


# --- one number -------------------------------------------------------------------------------------------------------


def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)): any number in, a probability out.

    Within 2.5 units in the last place of the true value. Where exp(-z) is too large for a float, below -709.78, it
    counts as infinity and the prediction is 0; the true value is then smaller than any normal float.
    """
    try:
        return 1.0 / (1.0 + math.exp(-z))
    except OverflowError:
        return 0.0


def activate(z, activation):
    """What a unit sends on, given the sum `z` of its weighted inputs and its bias."""
    if activation == SIGMOID:
        return sigmoid(z)
    if activation == TANH:
        return math.tanh(z)
    return z if z > 0.0 else 0.0


def slope(a, activation):
    """The derivative of `activate` at the sum that gave the output `a`."""
    if activation == SIGMOID:
        return a * (1.0 - a)
    if activation == TANH:
        return 1.0 - a * a
    return 1.0 if a > 0.0 else 0.0


def cross_entropy(z, y):
    """Minus the log of the probability that sigmoid(z) gives to the true label `y` (0 or 1).

    With s = z for a pass and s = -z for a fail that is log(1 + exp(-s)), written so that exp cannot overflow.
    """
    s = z if y > 0.5 else -z
    return (-s if s < 0.0 else 0.0) + math.log1p(math.exp(-abs(s)))


def truncate(weight, owed, paid):
    """A weight moved towards zero, and never past it, by what the l1 penalty has asked for and not yet been paid.

    `owed` is what it has asked of every weight so far, `paid` what this weight has been moved by it, with its sign.
    """
    if weight > 0.0:
        return max(0.0, weight - (owed + paid))
    if weight < 0.0:
        return min(0.0, weight + (owed - paid))
    return weight


# --- one neuron -------------------------------------------------------------------------------------------------------


def logit(x, weights, bias):
    """The neuron's sum for one row `x`: every input times its weight, left to right, the bias last."""
    z = 0.0
    for j in range(len(weights)):
        z += x[j] * weights[j]
    return z + bias[0]


def sgd_epochs(X, y, step, weights, bias, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`: predict, measure the error, nudge.

    `y` holds 0 or 1 a row and `step` the learning rate a row; `bias` holds one number. `weights` and `bias` are
    changed in place, and each row's squared error, taken before the row changes them, is added to the epoch's slot.
    The update is the exact gradient of cross-entropy: its derivative with respect to the sum is the error itself.
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


def sgd_regularized_epochs(X, y, plan, loss, weights, bias, means, paid, losses):
    """`sgd_epochs` with all that may be added to it. Each row of `X` has a row of `plan`: step, keep, cut, share.

    - step: its learning rate times its sample weight;
    - keep: what the l2 penalty leaves of each weight, 1 - learning rate * l2 and at least 0;
    - cut: what the l1 penalty asks of each weight, learning rate * l1, or 0.0. What is asked is summed up, and paid as
      far as a weight goes before it crosses zero (Tsuruoka, Tsujii and Ananiadou, ACL 2009);
    - share: what the weights after this row count for in their running mean, 1 / rows averaged; 0.0 for nothing.

    `loss` is LOG_LOSS, or SQUARED_ERROR for that loss's own gradient. `means` holds the mean weights and, last, the
    mean bias; `paid` what each weight has paid and, last, what has been asked for. The bias is not penalised.
    """
    d = len(weights)
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep, cut, share = plan[i][0], plan[i][1], plan[i][2], plan[i][3]
            prediction = sigmoid(logit(X[i], weights, bias))
            error = prediction - y[i]
            losses[epoch] += error * error
            if loss == SQUARED_ERROR:
                error *= 2.0 * prediction * (1.0 - prediction)
            nudge = step * error
            for j in range(d):
                weights[j] = keep * weights[j] - nudge * X[i][j]
            bias[0] -= nudge
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


# --- a network --------------------------------------------------------------------------------------------------------
#
# `layers` has a row a layer: inputs, outputs, activation. The last layer has one output, a sigmoid.
# `params` is one flat list: for each layer its weights, input by input (input j to unit u at j * outputs + u), then a
# bias a unit. `gradient` is laid out alike. `values` holds the inputs of a row and then every unit's output, layer by
# layer, and `deltas` the loss's derivative with respect to each unit's sum, at the same places.


def network_forward(x, layers, params, values):
    """One row through the network, layer by layer; fills `values` and returns the last unit's sum."""
    for j in range(layers[0][0]):
        values[j] = x[j]
    source, p, z = 0, 0, 0.0  # where the layer's inputs start in values, and its weights in params
    for layer in range(len(layers)):
        inputs, outputs, activation = layers[layer][0], layers[layer][1], layers[layer][2]
        biases = p + inputs * outputs
        for u in range(outputs):
            z = 0.0
            for j in range(inputs):
                z += values[source + j] * params[p + j * outputs + u]
            z += params[biases + u]
            values[source + inputs + u] = activate(z, activation)
        source += inputs
        p = biases + outputs
    return z


def network_backward(y, layers, params, values, deltas, gradient):
    """The chain rule from the output back to the first layer, for the row that `network_forward` has just seen.

    With cross-entropy and a sigmoid output the derivative with respect to the last sum is prediction - y. Adds the
    row's share to `gradient`.
    """
    target, p = len(values) - 1, len(params)  # where the layer's outputs start in values, and its parameters end
    deltas[target] = values[target] - y
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs = layers[layer][0], layers[layer][1]
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
                deltas[source + j] = blame * slope(values[source + j], layers[layer - 1][2])
        target = source


def network_update(rows, learning_rate, params, gradient):
    """One step down the mean gradient of a batch of `rows` rows; leaves `gradient` at zero for the next batch."""
    for p in range(len(params)):
        params[p] -= learning_rate * (gradient[p] / rows)
        gradient[p] = 0.0


def network_epochs(X, y, batch_size, learning_rate, layers, params, gradient, values, deltas, pending, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`, with an update after every `batch_size` rows.

    `pending` holds the number of rows that are in `gradient` and not yet in `params`. It is left as it stands, so
    that a batch can go on in the next block of rows; at the end of an epoch the caller updates for a short last batch.
    Each row's cross-entropy, taken before the batch changes the parameters, is added to the epoch's slot.
    """
    for epoch in range(len(losses)):
        for i in range(len(X)):
            z = network_forward(X[i], layers, params, values)
            losses[epoch] += cross_entropy(z, y[i])
            network_backward(y[i], layers, params, values, deltas, gradient)
            pending[0] += 1
            if pending[0] == batch_size:
                network_update(batch_size, learning_rate, params, gradient)
                pending[0] = 0


def network_logits(X, layers, params, values, out):
    """The last unit's sum for every row of `X`, into `out`; sigmoid(out[i]) is the probability of a pass."""
    for i in range(len(X)):
        out[i] = network_forward(X[i], layers, params, values)
