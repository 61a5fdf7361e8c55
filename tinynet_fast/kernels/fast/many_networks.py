"""Many networks of one shape in one pass over the rows: eight networks are the lanes of the registers.

A tile of rows goes through as in `network.py`, whose loops these are: where they have a register of eight rows and one
weight that is spread over it, there is here a row and a register of eight networks' weights. So each network gets the
reference's updates, a batch's rows need not fill registers, nothing is summed across lanes, and whatever differs by
network (rates, shares, the fold that is held out, the order of the rows) is one more register. The rows that all see
are spread over the lanes as they are loaded. The parts are in `many_networks_tiles.py`.

For 2-4-1 a row of eight networks takes about 156 vector instructions: 78 for four sigmoids, 36 for the loss and the
output's exponential, 37 for sums, blame and gradient, 5 for weights. Two units share them, so 78 cycles are the floor,
or 3.6 ns a network at 2.7 GHz. Measured were 5.7 ns, and 7.1 for a network alone, in `narrow_network.py`. Of 16-16-1,
batches of 32 and Adam, 41 to 47 ns and 60 to 73. One row at a time gains most: 8-8-1 takes 51 ns, and 356 alone. Where
a group's parameters do not fit into the first cache (64-64-1), networks alone are faster.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import compiled, for_rows, kernel
from tinynet_fast.kernels.compiler.signatures import MANY_NETWORKS, MANY_NETWORKS_UPDATE
from tinynet_fast.kernels.compiler.simd import (
    address,
    fma,
    full,
    load,
    minimum,
    pack,
    store,
    sum_of,
    transpose,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast import NETWORK_LOSSES
from tinynet_fast.kernels.fast import many_networks_tiles as tiles
from tinynet_fast.kernels.fast.many_networks_tiles import WIDTH, activate, apply_mask, plain_entropy
from tinynet_fast.kernels.fast.many_neurons import NOBODY, aligned
from tinynet_fast.kernels.fast.network import (
    backward_by,
    forward_by,
    layer_gradients,
    layer_sums,
    outputs_back_by,
)
from tinynet_fast.kernels.fast.network_room import AFTER_SLOPES, FOUND
from tinynet_fast.kernels.fast.network_room import TILE as NUMBERS
from tinynet_fast.kernels.fast.network_steps import DESCENT, inlined, layer_at, step_networks
from tinynet_fast.kernels.reference import NESTEROV, SOFTMAX

__all__ = ["CLASS", "FOLD", "NOBODY", "TILE", "WIDTH", "network_epochs", "network_update"]

TILE = NUMBERS // WIDTH  # rows
FOLD, CLASS = 0, 1  # the rows of `own`: the fold that a network holds out, the class that it tells from all others

# `units`, the scratch, is that of `network.py`, with room after it for how to step: registers for weights, and as many
# for biases, which neither keep nor l2 touches.
RULES = WIDTH * (DESCENT + 2)


fused_sums, exact_sums, blame_sums = (
    layer_sums(f"{name}_of_networks", getattr(tiles, name)) for name in ("fused_sums", "exact_sums", "blame_sums")
)
onto_gradient = layer_gradients("of_networks", tiles.gradients)
forward = forward_by(fused_sums, exact_sums, activate, apply_mask)
outputs_back = outputs_back_by(plain_entropy)
backward = backward_by(blame_sums, onto_gradient, onto_gradient)


# --- a tile -----------------------------------------------------------------------------------------------------------


@unrolled
def spread(array, at, work, place):
    """A number, for all networks."""
    store(work, place, full(array[at]))


@unrolled
def own_row(order, at):
    """The row of a network, or the first row if there is none."""
    return order[at] - minimum(order[at], 0)


@unrolled
def turn_own(X, order, at, d, j, work, place, stride):
    """Eight numbers, from number j on, of each network's own row: number by number."""
    rows = [load(X, own_row(order, at + k) * d + j) for k in range(WIDTH)]
    for i, x in enumerate(transpose(rows)):
        store(work, place + i * stride, x)


@unrolled
def collect_own(X, order, at, d, j, work, place):
    """Number j of each network's own row."""
    store(work, place, pack([X[own_row(order, at + k) * d + j] for k in range(WIDTH)]))


@inlined
def load_rows(X, d, start, m, order, ordered, work, place, stride):
    """The next m rows: each number spread over a register; or each network's own row, if they have an `order` each."""
    for r in range(m):
        at = place + r * WIDTH
        if ordered:
            row = (start + r) * WIDTH
            for j in range(0, d & ~7, 8):
                turn_own(X, order, row, d, j, work, at + j * stride, stride)
            for j in range(d & ~7, d):
                collect_own(X, order, row, d, j, work, at + j * stride)
        else:
            for j in range(d):
                spread(X, (start + r) * d + j, work, at + j * stride)


@unrolled
def held_weight(weight, marks, own, i):
    """Row i's weight, 0 for the networks that hold it out."""
    return where(load(own, 0) == marks[i], 0.0, full(weight[i]))


@unrolled
def one_against_rest(y, own, i, work, at):
    """1 for the networks whose class row i is of, and 0 for the others."""
    store(work, at, where(load(own, CLASS * WIDTH) == y[i], full(1.0), full(0.0)))


@inlined
def load_labels(y, weight, marks, own, start, m, order, ordered, held, classes, work, labels):
    """Labels and weights of the tile's rows; gives the sums of the weights.

    What is found is above 0 if a weight is neither 0 nor 1.
    """
    total = unlike = full(0.0)
    for r in range(m):
        at = labels + r * WIDTH
        if ordered:
            for k in range(WIDTH):
                i = order[(start + r) * WIDTH + k]
                away = i < 0 or (held and own[k] == marks[max(i, 0)])
                label = y[max(i, 0)]
                work[at + k] = (1.0 if own[CLASS * WIDTH + k] == label else 0.0) if classes else label
                work[at + NUMBERS + k] = 0.0 if away else weight[i]
        else:
            if classes:
                one_against_rest(y, own, start + r, work, at)
            else:
                spread(y, start + r, work, at)
            if held:
                store(work, at + NUMBERS, held_weight(weight, marks, own, start + r))
            else:
                spread(weight, start + r, work, at + NUMBERS)
    for r in range(m):  # a loop of its own: a load of what eight stores have just written waits for all of them
        w = load(work, labels + r * WIDTH + NUMBERS)
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
    ordered, held, classes = order.shape[0] > 0, marks.shape[0] > 0, own[CLASS, 0] != NOBODY
    n = order.shape[0] if ordered else X.shape[0]
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
                classes, work, labels,
            )  # fmt: skip
            target = forward(shape, depth, params, work, half, stride, address(mask), columns, start, m)
            if outputs > 1 and not softmax:
                load_rows(address(y), outputs, start, m, address(order), ordered, work, half + target, stride)
            loss = outputs_back(softmax, outputs, work, target, half, stride, labels, loss_rule)
            add_to(losses, epoch * WIDTH, loss)
            add_to(pending, layout.PENDING_ROWS * WIDTH, full(np.float64(m)))
            add_to(pending, layout.PENDING_WEIGHT * WIDTH, total)
            start += m
            backward(shape, depth, params, params, size, params, size, work, half, stride, target, False, work)
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
    """The reference's for each network of a group, to 1e-12: a step for the batch of `pending`, which it ends.

    `schedule` is (4, WIDTH), a schedule row of each network. Networks whose rows weigh nothing stay where they are.
    """
    units = np.empty(2 * RULES)
    compiled(update, MANY_NETWORKS_UPDATE)(schedule, rule, layers, state, units, pending)


def network_epochs(X, y, weight, marks, own, order, mask, schedule, rule, layers, state, units, pending, losses):
    """The reference's for each of the WIDTH networks of a group, to 1e-12 an update.

    What the reference takes has one more axis, the last, where networks differ: `mask` (steps, hidden units, WIDTH),
    `schedule` (batches, 4, WIDTH), `rule` (6, WIDTH), `state` (4, parameters, WIDTH), `pending` (2, WIDTH), `losses`
    (epochs, WIDTH). They share the rows `X`, `y` and `weight`, the `layers`, and what `rule` says of batches, loss and
    optimizer. Batches after the last row of `schedule` use that row. `units` is `scratch`; threads must not share it.

    A network has the weight 0 for the rows whose `marks`, (n,), are its number in own[FOLD], (WIDTH,); if `marks` is
    empty, for none. If own[CLASS] holds classes, each network learns 1 for the rows whose `y` is its class, and 0 for
    the others; if it holds NOBODY, all learn `y`. With `order`, (steps, WIDTH) int64, step i of network k is row
    order[i, k], or no row if that is negative: it then counts as a row of the batch without any weight. If `order` is
    empty, all see the rows as they come.

    Cutting the rows into calls at multiples of TILE changes no bit.
    """
    run, X = for_rows(epochs, MANY_NETWORKS, X)
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


def serves(rule):
    """Whether there is a kernel for networks of this loss."""
    return int(rule[layout.LOSS]) in NETWORK_LOSSES
