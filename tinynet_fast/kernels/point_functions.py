"""The functions of one number: what a unit sends on, what a loss says of a prediction, how a parameter steps.

An activation is a code, a name and a branch of `activate`, which gives its value and its slope. A loss is a code, a row
of `LOSSES`, and a branch of `row_loss` and of `loss_slope`; `predicted` says what a neuron that learns by it predicts.
An optimizer is a code, a row of `OPTIMIZERS`, and a branch of `network_step`.
`vectorized.py` has the same functions for arrays, and `strict.py` compiles these.
"""

import math
from typing import NamedTuple

# What a layer does to its sums.
SIGMOID, TANH, RELU, SOFTMAX, LEAKY_RELU, SILU, IDENTITY, EXPONENTIAL = 0, 1, 2, 3, 4, 5, 6, 7
ACTIVATIONS = {  # of hidden layers, by the names that options have
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "silu": SILU,
    "identity": IDENTITY,
}
# Of the last layer, by the names that models have. A margin is the sum itself: its sign says which label.
OUTPUT_ACTIVATIONS = {
    "sigmoid": SIGMOID,
    "softmax": SOFTMAX,
    "linear": IDENTITY,
    "exp": EXPONENTIAL,
    "margin": IDENTITY,
}
LEAK = 0.01  # what leaky_relu lets through
LEAST = 2.0**-52  # the usual shape of CLIPPED_LOG_LOSS: it takes a probability at least for this, at most for 1 - this

# What is to be made small. Up to FOCAL the prediction is a probability. From HUBER on, a neuron's history has the loss
# itself; before, it has squared errors.
LOG_LOSS, SQUARED_ERROR, CLIPPED_LOG_LOSS, FOCAL, LEAST_SQUARES = 0, 1, 2, 3, 4
HUBER, ABSOLUTE_ERROR, QUANTILE, POISSON, HINGE = 5, 6, 7, 8, 9


class Loss(NamedTuple):
    """What trainers need to know of a loss."""

    code: int
    shape: str | None  # the option that gives the loss its shape
    steepest: float  # the largest second derivative of the loss by the sum; infinity if it has a kink or no bound


# By output, then by name. A step does not overshoot while step * (|x|^2 + 1) is at most 2 / steepest.
LOSSES = {
    "labels": {
        "log_loss": Loss(LOG_LOSS, None, 0.25),
        "squared_error": Loss(SQUARED_ERROR, None, 0.25),  # 0.1541, and it is not convex: the bound of log_loss
        "hinge": Loss(HINGE, None, math.inf),
        "focal": Loss(FOCAL, "gamma", math.nan),  # it depends on gamma
    },
    "linear": {
        "squared_error": Loss(LEAST_SQUARES, None, 1.0),
        "huber": Loss(HUBER, "delta", 1.0),
        "absolute_error": Loss(ABSOLUTE_ERROR, None, math.inf),
        "quantile": Loss(QUANTILE, "quantile", math.inf),
        "poisson": Loss(POISSON, None, math.inf),
    },
}
SGD, NESTEROV, ADAM, RMSPROP, ADAGRAD = 0, 1, 2, 3, 4  # how a network steps
OPTIMIZERS = {  # and the options that each has; what it keeps of its moments are momentum or beta_1, and beta_2
    "sgd": (SGD, ("momentum", "nesterov")),
    "adam": (ADAM, ("beta_1", "beta_2", "epsilon")),
    "rmsprop": (RMSPROP, ("beta_2", "epsilon")),
    "adagrad": (ADAGRAD, ("epsilon",)),
}


def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)): any number in, a probability out.

    Within 2.5 units in the last place of the true value. Below -709.78 exp(-z) is too large for a float and counts as
    infinity: the prediction is 0.
    """
    try:
        return 1.0 / (1.0 + math.exp(-z))
    except OverflowError:
        return 0.0


def exponential(z):
    """exp(z): what a neuron that counts predicts. Above 709.78 it is too large for a float and counts as infinity."""
    try:
        return math.exp(z)
    except OverflowError:
        return math.inf


def activate(z, activation):
    """A unit's output for the sum `z` of its weighted inputs and its bias, and the slope there. (leaky_relu:
    Maas, Hannun and Ng, ICML 2013; silu: Elfwing, Uchibe and Doya, Neural Networks 107, 2018.)"""
    if activation == SIGMOID:
        a = sigmoid(z)
        return a, a * (1.0 - a)
    if activation == TANH:
        a = math.tanh(z)
        return a, 1.0 - a * a
    if activation == RELU:
        return (z, 1.0) if z > 0.0 else (0.0, 0.0)
    if activation == LEAKY_RELU:
        return (z, 1.0) if z > 0.0 else (LEAK * z, LEAK)
    if activation == SILU:
        share = sigmoid(z)
        a = z * share
        return a, share + a * (1.0 - share)
    if activation == EXPONENTIAL:
        a = exponential(z)
        return a, a
    return z, 1.0  # the identity; a softmax needs the sums of all units: `network_forward` goes on from here


def cross_entropy(z, y):
    """Minus the log of the probability that sigmoid(z) gives to the true label `y` (0 or 1): log(1 + exp(-s)) with
    s = z for a pass and s = -z for a fail, written so that exp cannot overflow."""
    s = z if y > 0.5 else -z
    return (-s if s < 0.0 else 0.0) + math.log1p(math.exp(-abs(s)))


def clipped_cross_entropy(probability, least):
    """Minus the log of the probability of the true label, clipped as scikit-learn's network does: at most 36.04 for
    `LEAST`."""
    if probability < least:
        probability = least
    if probability > 1.0 - least:
        probability = 1.0 - least
    return -math.log(probability)


def predicted(z, loss):
    """What a neuron with the sum `z` predicts: a probability, a number, or the mean of a count."""
    if loss <= FOCAL:
        return sigmoid(z)
    if loss == POISSON:
        return exponential(z)
    return z


def row_loss(z, prediction, y, loss, shape):
    """The loss of a prediction, from the sum `z` that it was made of and the true value `y`: a label 0 or 1, or a
    number. `shape` is what the loss's option says.

    - squared error: (prediction - y)**2, also of a probability;
    - focal: (1 - p)**gamma times cross-entropy, with p the probability of the true label (Lin and others, ICCV 2017);
    - Huber: half the squared error up to `delta`, further out delta * (|error| - delta / 2) (Huber, 1964);
    - absolute error, and quantile: q * (y - prediction) if the prediction is too small, else (1 - q) * (prediction - y)
      (Koenker and Bassett, Econometrica 46, 1978);
    - Poisson: exp(z) - y z, minus the log of a count's probability up to what only `y` changes;
    - hinge: max(0, 1 - s z) with s = 1 for a pass and -1 for a fail.
    """
    error = prediction - y
    if loss == SQUARED_ERROR or loss == LEAST_SQUARES:
        return error * error
    if loss == HUBER:
        inside = min(abs(error), shape)
        return inside * (abs(error) - 0.5 * inside)
    if loss == ABSOLUTE_ERROR:
        return abs(error)
    if loss == QUANTILE:
        return max((1.0 - shape) * error, -shape * error)
    if loss == POISSON:
        return prediction - y * z
    if loss == HINGE:
        return max(0.0, 1.0 - (z if y > 0.5 else -z))
    if loss == FOCAL:
        wrong = 1.0 - prediction if y > 0.5 else prediction
        return math.pow(wrong, shape) * cross_entropy(z, y)
    return cross_entropy(z, y)


def loss_slope(z, prediction, y, loss, shape):
    """The derivative of the loss by the sum `z`.

    It is the error itself for cross-entropy, for Poisson's loss, and for half the squared error of a number: this half
    is what LEAST_SQUARES steps along. At a kink it is the slope that scikit-learn takes: 0 for an error of 0, and the
    hinge's inner slope.
    """
    error = prediction - y
    if loss == SQUARED_ERROR:
        return error * (2.0 * prediction * (1.0 - prediction))
    if loss == HUBER:
        return max(-shape, min(error, shape))
    if loss == ABSOLUTE_ERROR:
        return 1.0 if error > 0.0 else -1.0 if error < 0.0 else 0.0
    if loss == QUANTILE:
        return 1.0 - shape if error > 0.0 else -shape if error < 0.0 else 0.0
    if loss == HINGE:
        side = 1.0 if y > 0.5 else -1.0
        return -side if side * z <= 1.0 else 0.0
    if loss == FOCAL:
        right = prediction if y > 0.5 else 1.0 - prediction
        slope = math.pow(1.0 - right, shape) * (shape * right * cross_entropy(z, y) + (1.0 - right))
        return -slope if y > 0.5 else slope
    return error


def history_loss(z, prediction, y, loss, shape):
    """What a row adds to a neuron's history: the squared error of a probability or a number, else the loss."""
    error = prediction - y
    return error * error if loss <= LEAST_SQUARES else row_loss(z, prediction, y, loss, shape)


def log_total(sums, start, outputs):
    """log(exp(sums[start]) + ...) over as many sums as there are outputs, written so that exp cannot overflow."""
    largest, total = sums[start], 0.0
    for u in range(start + 1, start + outputs):
        largest = max(largest, sums[u])
    for u in range(start, start + outputs):
        total += math.exp(sums[u] - largest)
    return largest + math.log(total)


# --- steps of a parameter ---------------------------------------------------------------------------------------------


def truncate(weight, owed, paid):
    """A weight moved towards zero, and never past it, by what l1 has asked of every weight (`owed`) less what this
    weight was moved already (`paid`, with its sign)."""
    if weight > 0.0:
        return max(0.0, weight - (owed + paid))
    if weight < 0.0:
        return min(0.0, weight + (owed - paid))
    return weight


def network_step(p, g, params, first, second, optimizer, rate, share, share2, epsilon):
    """Move parameter `p`, whose gradient is `g`, and bring its moments up to date.

    - momentum (Polyak 1964), or 0.0: velocity = momentum * velocity - rate * gradient, by which the parameter moves;
    - Nesterov's momentum: it moves by momentum * velocity - rate * gradient, with the velocity as it is then;
    - Adam (Kingma and Ba, ICLR 2015): by -rate * mean gradient / (root of the mean squared gradient + epsilon), both
      running means; the correction for their start at zero is in the schedule's rate and epsilon;
    - RMSprop (Tieleman and Hinton 2012): as Adam, with the gradient itself for its mean, and no correction;
    - Adagrad (Duchi, Hazan and Singer, JMLR 12, 2011): as RMSprop, with the sum of the squared gradients for the mean.
    """
    if optimizer == SGD or optimizer == NESTEROV:
        first[p] = share * first[p] - rate * g
        params[p] += share * first[p] - rate * g if optimizer == NESTEROV else first[p]
    elif optimizer == ADAM:
        first[p] = share * first[p] + (1.0 - share) * g
        second[p] = share2 * second[p] + (1.0 - share2) * (g * g)
        params[p] -= rate * first[p] / (math.sqrt(second[p]) + epsilon)
    elif optimizer == RMSPROP:
        second[p] = share2 * second[p] + (1.0 - share2) * (g * g)
        params[p] -= rate * g / (math.sqrt(second[p]) + epsilon)
    else:  # ADAGRAD
        second[p] += g * g
        params[p] -= rate * g / (math.sqrt(second[p]) + epsilon)
