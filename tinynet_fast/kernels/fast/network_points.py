"""Activations and losses of a network, in lanes: each is a function of one sum, and one loop applies them to a tile.

`work` decides the type that they calculate in: registers hold eight rows of float64, or 16 of float32.
"""

import math

from tinynet_fast.kernels.compiler.simd import filled, fma, lanes_of, read, store, unrolled, where
from tinynet_fast.kernels.fast.functions import clamp, exp, exp_of_any, log1p, log1p_of_any, sigmoid, tanh
from tinynet_fast.kernels.fast.network_steps import inlined
from tinynet_fast.kernels.reference import IDENTITY, LEAK, LEAKY_RELU, RELU, SIGMOID, SILU, TANH

# --- activations: what a unit sends on for the sum z, and the slope there ---------------------------------------------


@unrolled
def sigmoid_unit(z):
    a = sigmoid(z)
    return a, fma(-a, a, a)  # rounded once: as close to a * (1 - a)


@unrolled
def tanh_unit(z):
    a = tanh(z)
    return a, fma(-a, a, 1.0)


@unrolled
def relu_unit(z):
    return where(z > 0.0, z, 0.0), where(z > 0.0, 1.0, 0.0)


@unrolled
def leaky_relu_unit(z):
    return where(z > 0.0, z, LEAK * z), where(z > 0.0, 1.0, LEAK)


@unrolled
def silu_unit(z):
    share = sigmoid(z)
    a = z * share
    return a, fma(a, 1.0 - share, share)


@inlined
def each_unit(unit, work, values, slopes, count):
    """Apply `unit` to `count` registers of sums: what it sends on takes their place, and the slopes go to `slopes`."""
    width = lanes_of(work)
    for at in range(0, count * width, width):
        a, slope = unit(read(work, values + at))
        store(work, values + at, a)
        store(work, slopes + at, slope)


@inlined
def activate(activation, work, values, slopes, count):
    """The reference's `activate`, for `count` registers of sums."""
    if activation == SIGMOID:
        each_unit(sigmoid_unit, work, values, slopes, count)
    elif activation == TANH:
        each_unit(tanh_unit, work, values, slopes, count)
    elif activation == RELU:
        each_unit(relu_unit, work, values, slopes, count)
    elif activation == LEAKY_RELU:
        each_unit(leaky_relu_unit, work, values, slopes, count)
    elif activation == SILU:
        each_unit(silu_unit, work, values, slopes, count)
    elif activation == IDENTITY:  # pragma: no branch
        fill(work, slopes, count, 1.0)


@inlined
def has_kink(activation):
    """Whether the slope jumps at a sum of 0. Sums must then be the reference's own bits."""
    return activation == RELU or activation == LEAKY_RELU


@inlined
def fill(work, at, count, x):
    """`count` registers of the number `x`."""
    for i in range(count):
        store(work, at + i * lanes_of(work), filled(work, x))


# --- losses: the slope and the loss of a row with the sum z, if y is true. `shape` is the loss's own number -----------
#
# With e = exp(-|z|) the probability is 1 / (1 + e) or e / (1 + e), and the cross-entropy log(1 + e), plus |z| if the
# prediction is on the wrong side.


@unrolled
def predict(z, y):
    """(probability, e, and |z| where the prediction is on the wrong side) for sums z and labels y."""
    negative = z < 0.0
    e = exp(where(negative, z, -z))
    s = where(y > 0.5, z, -z)
    return where(negative, e, 1.0) / (1.0 + e), e, where(s < 0.0, -s, 0.0)


@unrolled
def cross_entropy(z, y, shape):
    p, e, wrong = predict(z, y)
    return p - y, wrong + log1p(e)


@unrolled
def clipped_entropy(z, y, least):
    """The log of the probability as it is rounded, as the reference has it: near 1, its distance from 1 has few digits.

    -log(p) = log(1 + (1 - p) / p) loses no more.
    """
    p, _, _ = predict(z, y)
    own = clamp(where(y > 0.5, p, 1.0 - p), least, 1.0 - least)
    return p - y, log1p_of_any((1.0 - own) / own)


@unrolled
def squared_error(z, y, shape):
    p, _, _ = predict(z, y)
    error = p - y
    return error * (2.0 * p * (1.0 - p)), error * error


@unrolled
def least_squares(z, y, shape):
    error = z - y
    return error, error * error


@unrolled
def huber(z, y, delta):
    error = z - y
    slope = clamp(error, -delta, delta)
    return slope, slope * (error - 0.5 * slope)


@unrolled
def poisson(z, y, shape):
    mean = exp_of_any(z)
    return mean - y, mean - y * z


@inlined
def each_loss(loss, work, sums, deltas, targets, weights, count, shape):
    """Apply `loss` to `count` registers of an output's sums: gives `deltas`, and returns the losses of each lane."""
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        weight = read(work, weights + at)
        slope, value = loss(read(work, sums + at), read(work, targets + at), shape)
        store(work, deltas + at, weight * slope)
        total = fma(weight, value, total)
    return total


@inlined
def plain_entropy(work, sums, deltas, labels, weights, count):
    """For rows that all have the weight 1: one logarithm for all rows in a lane, of the product of their 1 + e.

    It is kept as the product less 1, so that no digit is lost.
    """
    total = product = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        y = read(work, labels + at)
        p, e, wrong = predict(read(work, sums + at), y)
        store(work, deltas + at, p - y)
        total, product = total + wrong, fma(product, e, product + e)
    return total + log1p_of_any(product)


@inlined
def softmax_loss(work, sums, deltas, labels, weights, stride, outputs, count, least):
    """The cross-entropy of several classes, an output each: with the largest sum taken off no power overflows.

    A probability near 1 has few digits left once the actual 1 is taken off, so it is rounded where the reference
    rounds it, as exp(sum - norm): dividing powers by their total (one power fewer) put Adam's first steps 5e-10 away.
    Losses are clipped if `least` is above 0.
    """
    loss, most, width = filled(work, 0.0), -math.log(least) if least > 0.0 else math.inf, lanes_of(work)
    for row in range(0, count * width, width):
        y, weight = read(work, labels + row), read(work, weights + row)
        largest = read(work, sums + row)
        for u in range(outputs):
            z = read(work, sums + u * stride + row)
            largest = where(z > largest, z, largest)
        total = own = filled(work, 0.0)
        label = y
        for u in range(outputs):
            z = read(work, sums + u * stride + row)
            own = where(label > 0.5, own, where(label < -0.5, own, z))
            total = total + exp(z - largest)
            label = label - 1.0
        log_total = log1p_of_any(total - 1.0)
        norm = largest + log_total
        label = y
        for u in range(outputs):
            actual = where(label > 0.5, 0.0, where(label < -0.5, 0.0, 1.0))
            p = exp(read(work, sums + u * stride + row) - norm)
            store(work, deltas + u * stride + row, weight * (p - actual))
            label = label - 1.0
        entropy = clamp(log_total + (largest - own), least, most) if least > 0.0 else norm - own
        loss = fma(weight, entropy, loss)
    return loss
