"""The reference in NumPy, as a good NumPy user would write it: whole rows, and for networks whole batches, at a time.

The same functions as in `reference.py`, in the same order. Sums may be taken in another order, so the promise is a
norm-wise relative difference of at most 1e-12. Where the reference takes one row, the network's functions here take a
chunk of rows: `values` and `deltas` have a row for each, and `x` and `y` may be 2-D and 1-D.
"""

import numpy as np

SIGMOID, TANH, RELU = 0, 1, 2
LOG_LOSS, SQUARED_ERROR = 0, 1


# --- one number, or an array of them ----------------------------------------------------------------------------------


def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)), element by element."""
    with np.errstate(over="ignore"):  # exp(-z) = inf gives the prediction 0, as it should
        return 1.0 / (1.0 + np.exp(-z))


def activate(z, activation):
    """What units send on, given the sums `z` of their weighted inputs and their biases."""
    if activation == SIGMOID:
        return sigmoid(z)
    if activation == TANH:
        return np.tanh(z)
    return np.where(z > 0.0, z, 0.0)


def slope(a, activation):
    """The derivative of `activate` at the sums that gave the outputs `a`."""
    if activation == SIGMOID:
        return a * (1.0 - a)
    if activation == TANH:
        return 1.0 - a * a
    return np.where(a > 0.0, 1.0, 0.0)


def cross_entropy(z, y):
    """Minus the log of the probability that sigmoid(z) gives to the true labels `y` (0 or 1)."""
    s = np.where(y > 0.5, z, -z)
    return np.where(s < 0.0, -s, 0.0) + np.log1p(np.exp(-np.abs(s)))


def truncate(weight, owed, paid):
    """Weights moved towards zero, and never past it, by what the l1 penalty has asked for and not yet been paid."""
    down, up = np.maximum(0.0, weight - (owed + paid)), np.minimum(0.0, weight + (owed - paid))
    return np.where(weight > 0.0, down, np.where(weight < 0.0, up, weight))


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
def sgd_regularized_epochs(X, y, plan, loss, weights, bias, means, paid, losses):
    """`sgd_epochs` with all that may be added to it. Each row of `X` has a row of `plan`: step, keep, cut, share."""
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep, cut, share = plan[i]
            prediction = 1.0 / (1.0 + np.exp(-logit(X[i], weights, bias)))
            error = prediction - y[i]
            losses[epoch] += error * error
            if loss == SQUARED_ERROR:
                error *= 2.0 * prediction * (1.0 - prediction)
            weights[:] = keep * weights - (step * error) * X[i]
            bias[0] -= step * error
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


# --- a network --------------------------------------------------------------------------------------------------------
#
# `layers`, `params` and `gradient` are laid out as reference.py says; `values` and `deltas` too, a row for each row.


def network_forward(x, layers, params, values):
    """A chunk of rows through the network, layer by layer; fills `values` and returns the last unit's sums."""
    values[:, : layers[0, 0]] = x
    source, p = 0, 0
    for inputs, outputs, activation in layers:
        biases = p + inputs * outputs
        weights = params[p:biases].reshape(inputs, outputs)
        z = values[:, source : source + inputs] @ weights + params[biases : biases + outputs]
        source += inputs
        values[:, source : source + outputs] = activate(z, activation)
        p = biases + outputs
    return z[:, 0]


def network_backward(y, layers, params, values, deltas, gradient):
    """The chain rule from the output back to the first layer, for the rows that `network_forward` has just seen."""
    target, p = values.shape[1] - 1, len(params)
    deltas[:, target] = values[:, target] - y
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs, _ = layers[layer]
        source = target - inputs
        biases = p - outputs
        p = biases - inputs * outputs
        a, d = values[:, source:target], deltas[:, target : target + outputs]
        gradient[biases : biases + outputs] += d.sum(axis=0)
        gradient[p:biases] += (a.T @ d).ravel()
        if layer > 0:
            blame = d @ params[p:biases].reshape(inputs, outputs).T
            deltas[:, source:target] = blame * slope(a, layers[layer - 1, 2])
        target = source


def network_update(rows, learning_rate, params, gradient):
    """One step down the mean gradient of a batch of `rows` rows; leaves `gradient` at zero for the next batch."""
    params -= learning_rate * (gradient / rows)
    gradient[:] = 0.0


@np.errstate(over="ignore", invalid="ignore")
def network_epochs(X, y, batch_size, learning_rate, layers, params, gradient, values, deltas, pending, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`, with an update after every `batch_size` rows.

    A large batch goes through in chunks of as many rows as `values` has. Chunks are counted from the start of their
    batch, so that the sums do not depend on the blocks that the rows come in.
    """
    for epoch in range(len(losses)):
        start = 0
        while start < len(X):
            filled = int(pending[0])
            m = min(len(values) - filled % len(values), batch_size - filled, len(X) - start)
            rows, labels = X[start : start + m], y[start : start + m]
            z = network_forward(rows, layers, params, values[:m])
            losses[epoch] += cross_entropy(z, labels).sum()
            network_backward(labels, layers, params, values[:m], deltas[:m], gradient)
            start += m
            pending[0] += m
            if pending[0] == batch_size:
                network_update(batch_size, learning_rate, params, gradient)
                pending[0] = 0


@np.errstate(over="ignore", invalid="ignore")
def network_logits(X, layers, params, values, out):
    """The last unit's sum for every row of `X`, into `out`, in chunks of as many rows as `values` has."""
    for start in range(0, len(X), len(values)):
        rows = X[start : start + len(values)]
        out[start : start + len(rows)] = network_forward(rows, layers, params, values[: len(rows)])
