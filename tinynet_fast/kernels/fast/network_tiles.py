"""The parts of `network.py`: what is done to a tile of rows, in registers of eight rows. See there for how they fit.

`work` decides the type that they calculate in: registers hold eight rows of float64, or 16 of float32.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    converted,
    filled,
    fma,
    lanes_of,
    load,
    minimum,
    pack,
    pack_for,
    read,
    read_for,
    repeat,
    shuffle,
    store,
    sum_of,
    sums_of,
    transpose,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast.functions import clamp, exp, exp_of_any, log1p, log1p_of_any, sigmoid, tanh
from tinynet_fast.kernels.fast.network_steps import DESCENT, descended, inlined
from tinynet_fast.kernels.reference import (
    IDENTITY,
    LEAK,
    LEAKY_RELU,
    RELU,
    SIGMOID,
    SILU,
    TANH,
)

# --- units: what they send on takes the place of their sums, and the slopes there go to `slopes` ----------------------


@inlined
def has_kink(activation):
    """Whether the slope jumps at a sum of 0. Sums must then be the reference's own bits."""
    return activation == RELU or activation == LEAKY_RELU


@inlined
def activate(activation, work, values, slopes, count):
    """The reference's `activate`, for `count` registers of sums."""
    if activation == SIGMOID:
        sigmoid_units(work, values, slopes, count)
    elif activation == TANH:
        tanh_units(work, values, slopes, count)
    elif activation == RELU:
        relu_units(work, values, slopes, count)
    elif activation == LEAKY_RELU:
        leaky_relu_units(work, values, slopes, count)
    elif activation == SILU:
        silu_units(work, values, slopes, count)
    elif activation == IDENTITY:  # pragma: no branch
        fill(work, slopes, count, 1.0)


@inlined
def sigmoid_units(work, values, slopes, count):
    width = lanes_of(work)
    for at in range(0, count * width, width):
        a = sigmoid(read(work, values + at))
        store(work, values + at, a)
        store(work, slopes + at, fma(-a, a, a))  # rounded once: as close to a * (1 - a)


@inlined
def tanh_units(work, values, slopes, count):
    width = lanes_of(work)
    for at in range(0, count * width, width):
        a = tanh(read(work, values + at))
        store(work, values + at, a)
        store(work, slopes + at, fma(-a, a, 1.0))


@inlined
def relu_units(work, values, slopes, count):
    width = lanes_of(work)
    for at in range(0, count * width, width):
        z = read(work, values + at)
        store(work, values + at, where(z > 0.0, z, 0.0))
        store(work, slopes + at, where(z > 0.0, 1.0, 0.0))


@inlined
def leaky_relu_units(work, values, slopes, count):
    width = lanes_of(work)
    for at in range(0, count * width, width):
        z = read(work, values + at)
        store(work, values + at, where(z > 0.0, z, LEAK * z))
        store(work, slopes + at, where(z > 0.0, 1.0, LEAK))


@inlined
def silu_units(work, values, slopes, count):
    width = lanes_of(work)
    for at in range(0, count * width, width):
        z = read(work, values + at)
        share = sigmoid(z)
        a = z * share
        store(work, values + at, a)
        store(work, slopes + at, fma(a, 1.0 - share, share))


# --- losses: each makes the output's `deltas` from its sums, and returns the rows' losses summed in each lane ---------
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
def weighted_entropy(work, sums, deltas, labels, weights, count):
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        y, weight = read(work, labels + at), read(work, weights + at)
        p, e, wrong = predict(read(work, sums + at), y)
        store(work, deltas + at, weight * (p - y))
        total = fma(weight, wrong + log1p(e), total)
    return total


@inlined
def clipped_entropy(work, sums, deltas, labels, weights, count, least):
    """The log of the probability as it is rounded, as the reference has it: near 1, its distance from 1 has few digits.

    -log(p) = log(1 + (1 - p) / p) loses no more.
    """
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        y, weight = read(work, labels + at), read(work, weights + at)
        p, _, _ = predict(read(work, sums + at), y)
        store(work, deltas + at, weight * (p - y))
        own = clamp(where(y > 0.5, p, 1.0 - p), least, 1.0 - least)
        total = fma(weight, log1p_of_any((1.0 - own) / own), total)
    return total


@inlined
def squared_error(work, sums, deltas, labels, weights, count):
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        y, weight = read(work, labels + at), read(work, weights + at)
        p, _, _ = predict(read(work, sums + at), y)
        error = p - y
        store(work, deltas + at, weight * (error * (2.0 * p * (1.0 - p))))
        total = fma(weight, error * error, total)
    return total


@inlined
def least_squares(work, sums, deltas, targets, weights, count):
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        weight, error = read(work, weights + at), read(work, sums + at) - read(work, targets + at)
        store(work, deltas + at, weight * error)
        total = fma(weight, error * error, total)
    return total


@inlined
def huber(work, sums, deltas, targets, weights, count, delta):
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        weight, error = read(work, weights + at), read(work, sums + at) - read(work, targets + at)
        slope = clamp(error, -delta, delta)
        store(work, deltas + at, weight * slope)
        total = fma(weight, slope * (error - 0.5 * slope), total)
    return total


@inlined
def poisson(work, sums, deltas, targets, weights, count):
    total = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        weight, z, y = read(work, weights + at), read(work, sums + at), read(work, targets + at)
        mean = exp_of_any(z)
        store(work, deltas + at, weight * (mean - y))
        total = fma(weight, mean - y * z, total)
    return total


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


# --- sums of products -------------------------------------------------------------------------------------------------


def one_number(params, p):
    """A weight for registers of rows."""
    return params[p]


def _multiply(params, p, unit_step, input_step, work, source, target, stride, count, *, units, rows, rule, weight_at):
    """The sums of `units` units for `rows` registers of rows: work[target] = params[p] . work[source].

    "exact" rounds each product and each sum, from the first input to the last: the reference's own
    bits, for relu, whose slope jumps where a sum is zero. "blame" multiplies what stands in `target`, the slopes.
    """

    width = lanes_of(work)

    def add_input(k, sums):
        inputs = [read(work, source + k * stride + width * r) for r in range(rows)]
        weights = [weight_at(params, p + k * input_step + u * unit_step) for u in range(units)]
        if rule == "exact":
            return [sums[u * rows + r] + weights[u] * inputs[r] for u in range(units) for r in range(rows)]
        return [fma(weights[u], inputs[r], sums[u * rows + r]) for u in range(units) for r in range(rows)]

    sums = repeat(count, [filled(work, 0.0)] * (units * rows), add_input)
    for u in range(units):
        for r in range(rows):
            at = target + u * stride + width * r
            store(work, at, sums[u * rows + r] * read(work, at) if rule == "blame" else sums[u * rows + r])


def _gradient(work, left, right, stride, count, state, at, step, size, how, *, inputs, outputs, rule):
    """left . right over the rows of a tile, for `inputs` rows of `left` and `outputs` of `right`: onto the gradient.

    Or, if the tile is the whole batch, straight into the parameters: for four rows half of the time went into
    writing the gradient, waiting for it and reading it again. The state is float64 with either type of `work`.
    """

    def add_rows(i, sums):
        a = [read(work, left + j * stride + i * lanes_of(work)) for j in range(inputs)]
        d = [read(work, right + u * stride + i * lanes_of(work)) for u in range(outputs)]
        return [fma(a[j], d[u], sums[j * outputs + u]) for j in range(inputs) for u in range(outputs)]

    sums = repeat(count, [filled(work, 0.0)] * (inputs * outputs), add_rows)
    for j in range(inputs):
        p, g = at + j * step, converted(state, sums_of(sums[j * outputs : (j + 1) * outputs]))
        if rule == "step":
            x, first = load(state, p, outputs), load(state, p + 2 * size, outputs)
            x, first = descended(x, first, g, *(how[k] for k in range(DESCENT)))
            store(state, p, x)
            store(state, p + 2 * size, first)
        else:
            store(state, p + size, load(state, p + size, outputs) + g)


def products(rule, weight_at=one_number):
    """`_multiply` for a rule, in blocks of four units and one, for four registers and one."""
    return [
        unrolled(_multiply, units=units, rows=rows, rule=rule, weight_at=weight_at)
        for rows in (4, 1)
        for units in (4, 1)
    ]


def gradients(rule, gradient=_gradient):
    """`gradient` for a rule, in blocks of two inputs and one, for eight outputs, four and one."""
    return [unrolled(gradient, inputs=inputs, outputs=outputs, rule=rule) for inputs in (2, 1) for outputs in (8, 4, 1)]


# --- rows in and out --------------------------------------------------------------------------------------------------


@unrolled
def turn(X, at, width, work, target, stride):
    """A register of rows of eight inputs, `width` numbers apart, into eight inputs of these rows."""
    rows = [read_for(work, X, at + i * width, REGISTER) for i in range(lanes_of(work))]
    if len(rows) > REGISTER:  # rows i and i + 8 share a register
        rows = [shuffle(rows[i], rows[i + REGISTER], list(range(2 * REGISTER))) for i in range(REGISTER)]
    for j, x in enumerate(transpose(rows)):
        store(work, target + j * stride, x)


@unrolled
def turn_pairs(X, at, work, target, stride):
    """A register of rows of two inputs: the scalar loop took 0.5 ns a row."""
    width = lanes_of(work)
    x, y = read_for(work, X, at), read_for(work, X, at + width)
    store(work, target, shuffle(x, y, list(range(0, 2 * width, 2))))
    store(work, target + stride, shuffle(x, y, list(range(1, 2 * width, 2))))


@unrolled
def gather(array, at, last, width, lanes=REGISTER):
    """Every `width`-th number from place `at` on. The one of row `last` is repeated.

    Put together in a register: one that is read back from eight small stores has to wait until they have left the CPU.
    """
    return pack([array[minimum(last, k) * width + at] for k in range(lanes)])


@unrolled
def gather_for(work, array, at, last, width):
    """A register of them, in the type of `work`."""
    return pack_for(work, [array[minimum(last, k) * width + at] for k in range(lanes_of(work))])


@unrolled
def first(m, lanes=REGISTER):
    """1.0 in the first m lanes and 0.0 in the others."""
    return where(np.arange(lanes) < m, 1.0, 0.0)


@unrolled
def first_for(work, m):
    """The same for a register of the type of `work`."""
    return converted(work, where(np.arange(lanes_of(work)) < m, 1.0, 0.0))


@inlined
def collect(X, at, last, width, work, target, stride, count):
    """A register of rows of the next `count` inputs, one number at a time. Rows after row `last` repeat it."""
    for j in range(count):
        store(work, target + j * stride, gather_for(work, X, at + j, last, width))


@inlined
def put_labels(y, weight, start, count, work, labels, weights, found):
    """Labels and sample weights of `count` registers of rows.

    work[found] becomes the sum of the weights, work[found + 1] something above 0 if one is not 1.
    """
    total = unlike = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        store(work, labels + at, read_for(work, y, start + at))
        w = read_for(work, weight, start + at)
        store(work, weights + at, w)
        total, unlike = total + w, fma(w - 1.0, w - 1.0, unlike)
    work[found], work[found + 1] = sum_of(total), sum_of(unlike)


@inlined
def put_last_labels(y, weight, start, m, work, labels, weights):
    """The same for m rows, fewer than fill a register, which are a tile's last; gives the sum of their weights."""
    store(work, labels, gather_for(work, y, start, m - 1, 1))
    w = gather_for(work, weight, start, m - 1, 1) * first_for(work, m)
    store(work, weights, w)
    return sum_of(w)


@inlined
def fill(work, at, count, x):
    """`count` registers of the number `x`."""
    for i in range(count):
        store(work, at + i * lanes_of(work), filled(work, x))
