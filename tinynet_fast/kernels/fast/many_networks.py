"""Many networks of one shape in one pass over the rows: eight networks are the lanes of the registers.

A tile of rows goes through as in `network.py`, whose loops these are: where they have a register of eight rows and one
weight that is spread over it, there is here a row and a register of eight networks' weights. So each network gets the
reference's updates, a batch's rows need not fill registers, nothing is summed across lanes, and whatever differs by
network (rates, shares, the fold that is held out, the order of the rows) is one more register. The rows that all see
are spread over the lanes as they are loaded.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import compiled, for_rows, kernel
from tinynet_fast.kernels.compiler.signatures import MANY_NETWORKS
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    ROUND,
    SIGN,
    address,
    as_bits,
    as_double,
    flip,
    fma,
    full,
    join,
    load,
    look_up,
    registers,
    repeat,
    store,
    sum_of,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast import NETWORK_LOSSES
from tinynet_fast.kernels.fast import network_tiles as tiles
from tinynet_fast.kernels.fast.functions import clamp, log1p_of_any
from tinynet_fast.kernels.fast.many_neurons import NOBODY, SIXTEENTHS, STEP, aligned, power
from tinynet_fast.kernels.fast.network import (
    AFTER_SLOPES,
    FOUND,
    backward_by,
    forward_by,
    layer_at,
    layer_gradients,
    layer_sums,
    outputs_back_by,
)
from tinynet_fast.kernels.fast.network import TILE as NUMBERS
from tinynet_fast.kernels.fast.network_steps import DESCENT, inlined, step_networks
from tinynet_fast.kernels.reference import NESTEROV, SIGMOID, SOFTMAX

__all__ = ["NOBODY", "TILE", "WIDTH", "network_epochs", "network_update"]

WIDTH = REGISTER  # networks in a group
TILE = NUMBERS // WIDTH  # rows
FARTHEST = 170.0
# tanh(x / 2) / x in powers of x**2, for |x| <= log(2) / 32, economised: to 2e-17.
TANGENT = 0.4999999999999986, -0.04166666661443947, 0.004166369886927134

# `units`, the scratch, is that of `network.py`, with room after it for how to step: registers for weights, and as many
# for biases, which neither keep nor l2 touches.
RULES = WIDTH * (DESCENT + 2)


# --- a layer ----------------------------------------------------------------------------------------------------------


def of_networks(params, p):
    """A weight of each network."""
    return load(params, p * WIDTH)


def _gradient(work, left, right, stride, count, state, at, step, size, how, *, inputs, outputs, rule):
    """left . right over the rows of a tile, for `inputs` rows of `left` and `outputs` of `right`: onto the gradient."""

    def add_row(i, sums):
        a = [load(work, left + j * stride + i * WIDTH) for j in range(inputs)]
        d = [load(work, right + u * stride + i * WIDTH) for u in range(outputs)]
        return [fma(a[j], d[u], sums[j * outputs + u]) for j in range(inputs) for u in range(outputs)]

    sums = repeat(count, [full(0.0)] * (inputs * outputs), add_row)
    for j in range(inputs):
        for u in range(outputs):
            g = (size + at + j * step + u) * WIDTH
            store(state, g, load(state, g) + sums[j * outputs + u])


@inlined
def apply_mask(mask, at, columns, outputs, m, work, values, slopes, stride):
    """Dropout's factor of each unit and row, on what a unit sends on and on its slope."""
    for u in range(outputs):
        for r in range(m):
            put_product(work, values + u * stride + r * WIDTH, mask, (at + r * columns + u) * WIDTH)
            put_product(work, slopes + u * stride + r * WIDTH, mask, (at + r * columns + u) * WIDTH)


@unrolled
def put_product(work, at, mask, place):
    store(work, at, load(work, at) * load(mask, place))


@unrolled
def sigmoids(work, values, slopes):
    """`sigmoid_units` for four registers at once, with one division: 1 / a is bcd / abcd.

    With exp(-z) = 2**(k/16) exp(-f) and t = tanh(f / 2), of which a polynomial of degree 5 has all digits, the sigmoid
    is (1 + t) / (1 + t + 2**(k/16) (1 - t)): that takes an instruction less than exp(-z). Beyond 170 it is the sigmoid
    of 170, 1e-74 off, so that no product overflows.
    """
    z = clamp(load(work, values, (0,) * 4), -FARTHEST, FARTHEST)
    shifted = fma(z, -1.0 / STEP, ROUND)
    f = fma(shifted - ROUND, STEP, z)
    f2 = f * f
    t = f * fma(f2, fma(f2, TANGENT[2], TANGENT[1]), TANGENT[0])
    k = as_bits(shifted)
    own = 1.0 + t
    a, b, c, d = registers(fma(as_double(look_up(SIXTEENTHS, k) + (k << 48)), 1.0 - t, own))
    ab, cd = a * b, c * d
    inverse = 1.0 / (ab * cd)
    of_ab, of_cd = inverse * cd, inverse * ab
    x = own * join([of_ab * b, of_ab * a, of_cd * d, of_cd * c])
    store(work, values, x)
    store(work, slopes, fma(-x, x, x))


@inlined
def activate(activation, work, values, slopes, count):
    if activation == SIGMOID:
        fours = count & ~3
        for at in range(0, fours * WIDTH, 4 * WIDTH):
            sigmoids(work, values + at, slopes + at)
        tiles.sigmoid_units(work, values + fours * WIDTH, slopes + fours * WIDTH, count - fours)
    else:
        tiles.activate(activation, work, values, slopes, count)


@unrolled
def four_entropies(work, sums, deltas, labels, weights, total, product):
    """`plain_entropy` of four rows, with one division, for weights of 0 and 1; `total` and `product` go on."""
    four = (0,) * 4
    z, y, w = load(work, sums, four), load(work, labels, four), load(work, weights, four)
    e = power(clamp(as_double(as_bits(z) & (SIGN - 1)), 0.0, 700.0), -1.0)
    a, b, c, d = registers(1.0 + e)
    ab, cd = a * b, c * d
    inverse = 1.0 / (ab * cd)
    of_ab, of_cd = inverse * cd, inverse * ab
    p = where(z < 0.0, e, 1.0) * join([of_ab * b, of_ab * a, of_cd * d, of_cd * c])
    store(work, deltas, w * (p - y))
    wrong, e = flip(z, 0.5 - y), w * e
    return fma(w, where(wrong < 0.0, 0.0, wrong), total), fma(product, e, product + e)


@unrolled
def log_of_four(total, product):
    """The losses of four rows' totals and products."""
    while len(registers(product)) > 1:
        parts = registers(product)
        half = len(parts) // 2
        x, y = join(parts[:half]), join(parts[half:])
        product = fma(x, y, x + y)
    a, b, c, d = registers(total)
    return (a + b) + (c + d) + log1p_of_any(product)


@inlined
def plain_entropy(work, sums, deltas, labels, weights, count):
    """For rows of the weights 0 and 1."""
    total = product = full(0.0, (0, 0, 0, 0))
    fours = count & ~3
    for at in range(0, fours * WIDTH, 4 * WIDTH):
        total, product = four_entropies(work, sums + at, deltas + at, labels + at, weights + at, total, product)
    at = fours * WIDTH
    rest = tiles.weighted_entropy(work, sums + at, deltas + at, labels + at, weights + at, count - fours)
    return log_of_four(total, product) + rest


def _multiply(params, p, unit_step, input_step, work, source, target, stride, count, *, units, rows):
    """`network_tiles.multiply`, but the last of the inputs is known to be 1: its weights are the biases."""

    def add_input(k, sums):
        inputs = [load(work, source + k * stride + WIDTH * r) for r in range(rows)]
        weights = [of_networks(params, p + k * input_step + u * unit_step) for u in range(units)]
        return [fma(weights[u], inputs[r], sums[u * rows + r]) for u in range(units) for r in range(rows)]

    biases = [of_networks(params, p + (count - 1) * input_step + u * unit_step) for u in range(units)]
    sums = repeat(count - 1, [biases[u] for u in range(units) for _ in range(rows)], add_input)
    for u in range(units):
        for r in range(rows):
            store(work, target + u * stride + WIDTH * r, sums[u * rows + r])


fused_blocks = [unrolled(_multiply, units=units, rows=rows) for rows in (4, 1) for units in (4, 1)]
fused_sums = layer_sums("fused_of_networks", fused_blocks)
exact_sums, blame_sums = (
    layer_sums(f"{rule}_of_networks", tiles.products(rule, of_networks)) for rule in ("exact", "blame")
)
outputs_back = outputs_back_by(plain_entropy)
onto_gradient = layer_gradients("of_networks", tiles.gradients("onto", _gradient))
forward = forward_by(fused_sums, exact_sums, activate, apply_mask)
backward = backward_by(blame_sums, onto_gradient, onto_gradient)


# --- a tile -----------------------------------------------------------------------------------------------------------


@unrolled
def spread(array, at, work, place):
    """A number, for all networks."""
    store(work, place, full(array[at]))


@inlined
def load_rows(X, d, start, m, order, ordered, work, place, stride):
    """The next m rows: each number spread over a register; or each network's own row, if they have an `order` each."""
    for r in range(m):
        at = place + r * WIDTH
        if ordered:
            for k in range(WIDTH):
                row = max(order[(start + r) * WIDTH + k], 0) * d
                for j in range(d):
                    work[at + j * stride + k] = X[row + j]
        else:
            for j in range(d):
                spread(X, (start + r) * d + j, work, at + j * stride)


@unrolled
def held_weight(weight, marks, own, i):
    """Row i's weight, 0 for the networks that hold it out."""
    return where(load(own, 0) == marks[i], 0.0, full(weight[i]))


@inlined
def load_labels(y, weight, marks, own, start, m, order, ordered, held, work, labels):
    """Labels and weights of the tile's rows; gives the sums of the weights.

    What is found is above 0 where a weight is neither 0 nor 1.
    """
    total = unlike = full(0.0)
    for r in range(m):
        at = labels + r * WIDTH
        if ordered:
            for k in range(WIDTH):
                i = order[(start + r) * WIDTH + k]
                away = i < 0 or (held and own[k] == marks[max(i, 0)])
                work[at + k] = y[max(i, 0)]
                work[at + NUMBERS + k] = 0.0 if away else weight[i]
        else:
            spread(y, start + r, work, at)
            if held:
                store(work, at + NUMBERS, held_weight(weight, marks, own, start + r))
            else:
                spread(weight, start + r, work, at + NUMBERS)
        w = load(work, at + NUMBERS)
        off = where(w == 0.0, 0.0, w - 1.0)
        total, unlike = total + w, fma(off, off, unlike)
    work[labels + FOUND + 1] = sum_of(unlike)
    return total


# --- a step -----------------------------------------------------------------------------------------------------------


@unrolled
def set_rules(work, at, total, schedule, place, rule, again):
    """How the networks step, for weights and for biases; one without weight in the batch stays where it is."""
    moves = total > 0.0
    rate, keep, l2, epsilon = (
        load(schedule, place + k * WIDTH) for k in (layout.RATE, layout.KEEP, layout.L2, layout.EPSILON)
    )
    share, share2 = (where(moves, load(rule, k * WIDTH), 1.0) for k in (layout.FIRST_SHARE, layout.SECOND_SHARE))
    again = full(again)
    onward = where(again > 0.5, share, 1.0)
    per_row, rate, l2, onward, again = (where(moves, x, 0.0) for x in (1.0 / total, rate, l2, onward, again))
    keep = where(moves, keep, 1.0)
    for kept, penalty in ((keep, l2), (full(1.0), full(0.0))):
        for x in (per_row, rate, kept, penalty, share, onward, again, epsilon, share2):
            store(work, at, x)
            at = at + WIDTH


@inlined
def step(optimizer, layers, depth, state, size, work, rule):
    """`network_update` of each network."""
    start = 0
    for layer in range(depth):
        inputs, outputs, _ = layer_at(layers, layer)
        biases = start + inputs * outputs
        step_networks(optimizer, state, start, biases, size, work, rule)
        start = biases + outputs
        step_networks(optimizer, state, biases, start, size, work, rule + RULES)


# --- kernels ----------------------------------------------------------------------------------------------------------


@kernel
def update(schedule, rule, layers, state, units, pending):
    optimizer, size, work = np.int64(rule[layout.OPTIMIZER, 0]), state.shape[1], address(units)
    total = load(pending, layout.PENDING_WEIGHT * WIDTH)
    set_rules(work, 0, total, schedule, 0, rule, 1.0 if optimizer == NESTEROV else 0.0)
    step(optimizer, address(layers), layers.shape[0], address(state), size, work, 0)
    store(pending, layout.PENDING_ROWS * WIDTH, full(0.0))
    store(pending, layout.PENDING_WEIGHT * WIDTH, full(0.0))


@kernel
def epochs(X, y, weight, marks, own, order, mask, schedule, rule, layers, state, units, pending, losses):
    ordered, held, n = order.shape[0] > 0, marks.shape[0] > 0, max(X.shape[0], order.shape[0])
    if ordered:
        n = order.shape[0]
    size, half, updates = state.shape[1], (units.shape[0] - AFTER_SLOPES - 2 * RULES) // 2, 0
    work, params, shape, depth, columns = address(units), address(state), address(layers), len(layers), mask.shape[1]
    labels, how = 2 * half, 2 * half + AFTER_SLOPES
    total = full(0.0)
    batch, optimizer = np.int64(rule[layout.BATCH_SIZE, 0]), np.int64(rule[layout.OPTIMIZER, 0])
    again = 1.0 if optimizer == NESTEROV else 0.0
    inputs, _, _ = layer_at(shape, 0)
    _, outputs, last = layer_at(shape, depth - 1)
    softmax = last == SOFTMAX
    loss_rule = rule[:, 0]
    for epoch in range(losses.shape[0]):
        start = 0
        while start < n:
            filled = np.int64(pending[layout.PENDING_ROWS, 0])
            m = min(TILE - filled % TILE, batch - filled, n - start)
            stride, ends = m * WIDTH, filled + m == batch
            load_rows(address(X), inputs, start, m, address(order), ordered, work, 0, stride)
            total = load_labels(
                address(y), address(weight), address(marks), address(own), start, m, address(order), ordered, held,
                work, labels,
            )  # fmt: skip
            target = forward(shape, depth, params, work, half, stride, address(mask), columns, start, m)
            if outputs > 1 and not softmax:
                load_rows(address(y), outputs, start, m, address(order), ordered, work, half + target, stride)
            loss = outputs_back(softmax, outputs, work, target, half, stride, labels, loss_rule)
            add_to(losses, epoch * WIDTH, loss)
            add_to(pending, layout.PENDING_ROWS * WIDTH, full(np.float64(m)))
            add_to(pending, layout.PENDING_WEIGHT * WIDTH, total)
            start += m
            backward(shape, depth, params, size, params, size, work, half, stride, target, False, how)
            if ends:
                weights = load(pending, layout.PENDING_WEIGHT * WIDTH)
                place = min(updates, schedule.shape[0] - 1) * layout.SCHEDULE_COLUMNS * WIDTH
                set_rules(work, how, weights, schedule, place, rule, again)
                step(optimizer, shape, depth, params, size, work, how)
                updates += 1
                store(pending, layout.PENDING_ROWS * WIDTH, full(0.0))
                store(pending, layout.PENDING_WEIGHT * WIDTH, full(0.0))


@unrolled
def add_to(array, at, x):
    store(array, at, load(array, at) + x)


# --- calls ------------------------------------------------------------------------------------------------------------


def network_update(schedule, rule, layers, state, pending):
    """The reference's, to 1e-12, for the batch of `pending`, which it ends."""
    units = np.empty(2 * RULES)
    compiled(update, "d2 d2 l2 dw3 dw1 dw2")(schedule, rule, layers, state, units, pending)


def network_epochs(X, y, weight, marks, own, order, mask, schedule, rule, layers, state, units, pending, losses):
    """The reference's for each network of a group, to 1e-12 an update."""
    run, X = for_rows(lambda floats: compiled(epochs, f"{floats}2 {MANY_NETWORKS}"), X)
    run(X, y, weight, marks, own, order, mask, schedule, rule, layers, state, units, pending, losses)


def scratch(layers):
    """Room for a tile of rows; it begins on a cache line."""
    layers = np.asarray(layers)
    half = NUMBERS * int(layers[:, layout.INPUTS].sum() + len(layers) + layers[-1, layout.OUTPUTS])
    return aligned(1, 2 * half + AFTER_SLOPES + 2 * RULES)[0]


def aligned_state(layers):
    """Zeros for the state of a group: (4, parameters, WIDTH) float64."""
    layers = np.asarray(layers)
    size = int(((layers[:, layout.INPUTS] + 1) * layers[:, layout.OUTPUTS]).sum())
    return aligned(layout.STATE_ROWS * size, WIDTH).reshape(layout.STATE_ROWS, size, WIDTH)


def serves(rule, layers):
    """Whether there is a kernel for networks of this loss."""
    return int(rule[layout.LOSS]) in NETWORK_LOSSES
