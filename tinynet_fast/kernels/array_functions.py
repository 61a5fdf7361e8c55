"""`point_functions.py` in NumPy: the same functions, for one number or for an array of them."""

import numpy as np

from tinynet_fast.kernels.point_functions import (
    ABSOLUTE_ERROR,
    ADAM,
    EXPONENTIAL,
    FOCAL,
    HINGE,
    HUBER,
    IDENTITY,
    LEAK,
    LEAKY_RELU,
    LEAST_SQUARES,
    NESTEROV,
    POISSON,
    QUANTILE,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    SILU,
    SQUARED_ERROR,
    TANH,
)


def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)), element by element."""
    with np.errstate(over="ignore"):  # exp(-z) = inf gives the prediction 0, as it should
        return 1.0 / (1.0 + np.exp(-z))


def exponential(z):
    """exp(z), infinity if it is too large for a float."""
    with np.errstate(over="ignore"):
        return np.exp(z)


def activate(z, activation):
    """What units send on, given the sums `z` of their weighted inputs and their biases; and the slopes there."""
    if activation == SIGMOID:
        a = sigmoid(z)
        return a, a * (1.0 - a)
    if activation == TANH:
        a = np.tanh(z)
        return a, 1.0 - a * a
    if activation == RELU:
        return np.where(z > 0.0, z, 0.0), np.where(z > 0.0, 1.0, 0.0)
    if activation == LEAKY_RELU:
        return np.where(z > 0.0, z, LEAK * z), np.where(z > 0.0, 1.0, LEAK)
    if activation == SILU:
        share = sigmoid(z)
        a = z * share
        return a, share + a * (1.0 - share)
    if activation == EXPONENTIAL:
        a = exponential(z)
        return a, a
    if activation == IDENTITY:
        return z, 1.0
    return np.exp(z - log_total(z, 0, z.shape[1])[:, np.newaxis]), 1.0  # a softmax


def cross_entropy(z, y):
    """Minus the log of the probability that sigmoid(z) gives to the true labels `y` (0 or 1)."""
    s = np.where(y > 0.5, z, -z)
    return np.where(s < 0.0, -s, 0.0) + np.log1p(np.exp(-np.abs(s)))


def clipped_cross_entropy(probability, least):
    """Minus the log of the probabilities of the true labels, clipped."""
    return -np.log(np.clip(probability, least, 1.0 - least))


def predicted(z, loss):
    """What neurons with the sums `z` predict."""
    if loss <= FOCAL:
        return sigmoid(z)
    return exponential(z) if loss == POISSON else z


def row_loss(z, prediction, y, loss, shape):
    """The losses of predictions, from their sums `z` and the true values `y`."""
    error = prediction - y
    if loss == SQUARED_ERROR or loss == LEAST_SQUARES:
        return error * error
    if loss == HUBER:
        inside = np.minimum(np.abs(error), shape)
        return inside * (np.abs(error) - 0.5 * inside)
    if loss == ABSOLUTE_ERROR:
        return np.abs(error)
    if loss == QUANTILE:
        return np.maximum((1.0 - shape) * error, -shape * error)
    if loss == POISSON:
        return prediction - y * z
    if loss == HINGE:
        return np.maximum(0.0, 1.0 - np.where(y > 0.5, z, -z))
    if loss == FOCAL:
        return np.where(y > 0.5, 1.0 - prediction, prediction) ** shape * cross_entropy(z, y)
    return cross_entropy(z, y)


def loss_slope(z, prediction, y, loss, shape):
    """The derivatives of the loss by the sums `z`."""
    error = prediction - y
    if loss == SQUARED_ERROR:
        return error * (2.0 * prediction * (1.0 - prediction))
    if loss == HUBER:
        return np.maximum(-shape, np.minimum(error, shape))
    if loss == ABSOLUTE_ERROR:
        return np.sign(error)
    if loss == QUANTILE:
        return np.where(error > 0.0, 1.0 - shape, np.where(error < 0.0, -shape, 0.0))
    if loss == HINGE:
        side = np.where(y > 0.5, 1.0, -1.0)
        return np.where(side * z <= 1.0, -side, 0.0)
    if loss == FOCAL:
        right = np.where(y > 0.5, prediction, 1.0 - prediction)
        slope = (1.0 - right) ** shape * (shape * right * cross_entropy(z, y) + (1.0 - right))
        return np.where(y > 0.5, -slope, slope)
    return error


def history_loss(z, prediction, y, loss, shape):
    """What rows add to a neuron's history."""
    error = prediction - y
    return error * error if loss <= LEAST_SQUARES else row_loss(z, prediction, y, loss, shape)


def log_total(sums, start, outputs):
    """log(exp(sums[:, start]) + ...) over as many sums as there are outputs, written so that exp cannot overflow."""
    part = sums[:, start : start + outputs]
    largest = part.max(axis=1)
    return largest + np.log(np.exp(part - largest[:, np.newaxis]).sum(axis=1))


# --- steps of a parameter ---------------------------------------------------------------------------------------------


def truncate(weight, owed, paid):
    """Weights moved towards zero, and never past it, by what the l1 penalty has asked for and not yet been paid."""
    down, up = np.maximum(0.0, weight - (owed + paid)), np.minimum(0.0, weight + (owed - paid))
    return np.where(weight > 0.0, down, np.where(weight < 0.0, up, weight))


def network_step(p, g, params, first, second, optimizer, rate, share, share2, epsilon):
    """Move parameters `p`, a slice, whose gradients are `g`, and bring their moments up to date."""
    if optimizer == SGD or optimizer == NESTEROV:
        first[p] = share * first[p] - rate * g
        params[p] += share * first[p] - rate * g if optimizer == NESTEROV else first[p]
    elif optimizer == ADAM:
        first[p] = share * first[p] + (1.0 - share) * g
        second[p] = share2 * second[p] + (1.0 - share2) * (g * g)
        params[p] -= rate * first[p] / (np.sqrt(second[p]) + epsilon)
    elif optimizer == RMSPROP:
        second[p] = share2 * second[p] + (1.0 - share2) * (g * g)
        params[p] -= rate * g / (np.sqrt(second[p]) + epsilon)
    else:  # ADAGRAD
        second[p] += g * g
        params[p] -= rate * g / (np.sqrt(second[p]) + epsilon)
