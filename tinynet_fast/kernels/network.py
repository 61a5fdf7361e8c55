"""Networks in tiles of rows: the reference's updates, with eight rows to a vector and activations that stay in L1.

A batch's gradient is a sum over its rows, so rows may go through side by side: z[u] = sum_j W[j, u] a[j] is taken for a
vector of rows at once, the chain rule likewise, and only a tile's share of the gradient, g[j, u] += sum_rows a[j] d[u],
is summed across the lanes. The bias is the weight of one more input that is always 1: it comes last in the sum, as in
the reference, and its gradient needs no code of its own. The parts are in `network_tiles.py`.
"""

from functools import cache

import numpy as np
from numba import njit, types

from tinynet_fast.kernels import network_tiles as tiles
from tinynet_fast.kernels.intrinsics import UNCOMPILED
from tinynet_fast.kernels.jit import compile_only, kernel, part
from tinynet_fast.kernels.network_tiles import (
    adam_1,
    adam_8,
    blame_1x1,
    blame_1x4,
    blame_4x1,
    blame_4x4,
    entropy_loss,
    exact_1x1,
    exact_1x4,
    exact_4x1,
    exact_4x4,
    gradient_1x1,
    gradient_1x2,
    gradient_1x4,
    gradient_1x8,
    gradient_2x1,
    gradient_2x2,
    gradient_2x4,
    gradient_2x8,
    nesterov_1,
    nesterov_8,
    ones,
    relu_units,
    sgd_1,
    sgd_8,
    sigmoid_units,
    softmax_loss,
    square_loss,
    sum_1x1,
    sum_1x4,
    sum_4x1,
    sum_4x4,
    tanh_units,
    turn,
)

UNROLL = 0


def inlined(f):
    return njit(f, error_model="numpy", nogil=True, inline="always")


TILE = 64  # rows; a batch's gradient is the same bits wherever its rows are cut into calls at multiples of it
LANES = tiles.LANES
SIGMOID, TANH, RELU = 0, 1, 2
SQUARED_ERROR, NESTEROV, ADAM = 1, 1, 2


# --- sums for a tile --------------------------------------------------------------------------------------------------
#
# A tile's rows stand side by side in `work`: a value of all of its rows, `stride` numbers (a multiple of LANES), then
# the next value. Each layer's values end with one that is always 1.


def _blocks(block_4x4, block_1x4, block_4x1, block_1x1):
    """All sums of a layer, in blocks that fill the registers."""

    @part()
    def sums(params, p, unit_step, input_step, work, source, target, stride, inputs, units):
        fours = units & ~3
        wide = stride & ~(4 * LANES - 1)
        for r in range(0, wide, 4 * LANES):
            for u in range(0, fours, 4):
                at = target + u * stride + r
                block_4x4(params, p + u * unit_step, unit_step, input_step, work, source + r, at, stride, inputs)
            for u in range(fours, units):
                at = target + u * stride + r
                block_1x4(params, p + u * unit_step, unit_step, input_step, work, source + r, at, stride, inputs)
        for r in range(wide, stride, LANES):
            for u in range(0, fours, 4):
                at = target + u * stride + r
                block_4x1(params, p + u * unit_step, unit_step, input_step, work, source + r, at, stride, inputs)
            for u in range(fours, units):
                at = target + u * stride + r
                block_1x1(params, p + u * unit_step, unit_step, input_step, work, source + r, at, stride, inputs)

    return sums


fused_sums = _blocks(sum_4x4, sum_1x4, sum_4x1, sum_1x1)
exact_sums = _blocks(exact_4x4, exact_1x4, exact_4x1, exact_1x1)
blame_sums = _blocks(blame_4x4, blame_1x4, blame_4x1, blame_1x1)


@inlined
def gradient_of_input(work, left, right, stride, state, g, outputs):
    """One or the last of an odd number of inputs."""
    count = stride // LANES
    u = 0
    while u + 8 <= outputs:
        gradient_1x8(work, left, right + u * stride, stride, count, state, g + u, 0)
        u += 8
    if outputs & 4:
        gradient_1x4(work, left, right + u * stride, stride, count, state, g + u, 0)
        u += 4
    if outputs & 2:
        gradient_1x2(work, left, right + u * stride, stride, count, state, g + u, 0)
        u += 2
    if outputs & 1:
        gradient_1x1(work, left, right + u * stride, stride, count, state, g + u, 0)


@inlined
def gradient_sums(work, source, deltas, stride, inputs, outputs, state, g):
    """The tile's share of a layer's gradient, onto state[g + j * outputs + u]."""
    if outputs == 1:  # the inputs' gradients are neighbours then
        gradient_of_input(work, deltas, source, stride, state, g, inputs)
        return
    count = stride // LANES
    for j in range(0, inputs - 1, 2):
        left, at, u = source + j * stride, g + j * outputs, 0
        while u + 8 <= outputs:
            gradient_2x8(work, left, deltas + u * stride, stride, count, state, at + u, outputs)
            u += 8
        if outputs & 4:
            gradient_2x4(work, left, deltas + u * stride, stride, count, state, at + u, outputs)
            u += 4
        if outputs & 2:
            gradient_2x2(work, left, deltas + u * stride, stride, count, state, at + u, outputs)
            u += 2
        if outputs & 1:
            gradient_2x1(work, left, deltas + u * stride, stride, count, state, at + u, outputs)
    if inputs & 1:
        gradient_of_input(
            work, source + (inputs - 1) * stride, deltas, stride, state, g + (inputs - 1) * outputs, outputs
        )


# --- a tile -----------------------------------------------------------------------------------------------------------


@inlined
def load_rows(X, start, m, work, stride):
    """Rows start..start+m-1 turned on their side, zeros after them."""
    d = X.shape[1]
    rows, columns = m & ~7, d & ~7
    for r in range(0, rows, LANES):
        for j in range(0, columns, LANES):
            turn(X, (start + r) * d + j, d, work, j * stride + r, stride)
    for j in range(d):
        for r in range(0 if j >= columns else rows, m):
            work[j * stride + r] = X[start + r, j]
        for r in range(m, stride):
            work[j * stride + r] = 0.0


@inlined
def load_numbers(numbers, start, m, work, at, stride):
    for r in range(m):
        work[at + r] = numbers[start + r]
    for r in range(m, stride):
        work[at + r] = 0.0


@inlined
def apply_mask(mask, start, m, column, outputs, work, values, slopes, stride):
    """Dropout's factor of each unit and row, on what a unit sends on and on its slope."""
    for u in range(outputs):
        for r in range(m):
            work[values + u * stride + r] *= mask[(start + r) % mask.shape[0], column + u]
            work[slopes + u * stride + r] *= mask[(start + r) % mask.shape[0], column + u]


@inlined
def forward(layers, params, work, slopes, stride, mask, start, m):
    """The tile through every layer up to the output's sums; gives back where these stand."""
    source, p, last, column = 0, 0, layers.shape[0] - 1, 0
    for layer in range(last + 1):
        inputs, outputs, activation = layers[layer, 0], layers[layer, 1], layers[layer, 2]
        ones(work, source + inputs * stride, stride // LANES)
        target = source + (inputs + 1) * stride
        if activation == RELU:
            exact_sums(params, p, 1, outputs, work, source, target, stride, inputs + 1, outputs)
        else:
            fused_sums(params, p, 1, outputs, work, source, target, stride, inputs + 1, outputs)
        if layer < last:
            count = outputs * stride // LANES
            if activation == SIGMOID:
                sigmoid_units(work, target, slopes + target, count)
            elif activation == TANH:
                tanh_units(work, target, slopes + target, count)
            else:
                relu_units(work, target, slopes + target, count)
            if mask.shape[1] > 0:
                apply_mask(mask, start, m, column, outputs, work, target, slopes + target, stride)
        column += outputs
        source, p = target, p + (inputs + 1) * outputs
    return source


@inlined
def backward(layers, state, size, work, slopes, stride, target):
    """The chain rule from the output's deltas back to the first layer, into the gradient at state[size]."""
    p = size
    for layer in range(layers.shape[0] - 1, -1, -1):
        inputs, outputs = layers[layer, 0], layers[layer, 1]
        source = target - (inputs + 1) * stride
        p -= (inputs + 1) * outputs
        gradient_sums(work, source, slopes + target, stride, inputs + 1, outputs, state, size + p)
        if layer > 0:
            blame_sums(state, p, outputs, 1, work, slopes + target, slopes + source, stride, outputs, inputs)
        target = source


@inlined
def train_tile(X, y, weight, mask, start, m, loss, layers, state, size, work, half):
    """A tile's share of the gradient; gives its losses back, each times its weight."""
    stride = (m + LANES - 1) & ~(LANES - 1)
    labels = 2 * half
    load_rows(X, start, m, work, stride)
    load_numbers(y, start, m, work, labels, stride)
    load_numbers(weight, start, m, work, labels + TILE, stride)
    target = forward(layers, state, work, half, stride, mask, start, m)
    outputs, count = layers[layers.shape[0] - 1, 1], stride // LANES
    if outputs > 1:
        total = softmax_loss(work, target, half + target, labels, labels + TILE, stride, outputs, count)
    elif loss == SQUARED_ERROR:
        total = square_loss(work, target, half + target, labels, labels + TILE, count)
    else:
        total = entropy_loss(work, target, half + target, labels, labels + TILE, count)
    backward(layers, state, size, work, half, stride, target)
    return total


# --- a step -----------------------------------------------------------------------------------------------------------


@inlined
def step_range(state, start, stop, size, per_row, rate, keep, l2, epsilon, optimizer, share, share2):
    eights = (stop - start) // LANES
    rest, at = (stop - start) % LANES, start + LANES * eights
    if optimizer == ADAM:
        if eights > 0:
            adam_8(state, start, eights, size, per_row, rate, keep, l2, epsilon, share, share2)
        if rest > 0:
            adam_1(state, at, rest, size, per_row, rate, keep, l2, epsilon, share, share2)
    elif optimizer == NESTEROV:
        if eights > 0:
            nesterov_8(state, start, eights, size, per_row, rate, keep, l2, epsilon, share, share2)
        if rest > 0:
            nesterov_1(state, at, rest, size, per_row, rate, keep, l2, epsilon, share, share2)
    else:
        if eights > 0:
            sgd_8(state, start, eights, size, per_row, rate, keep, l2, epsilon, share, share2)
        if rest > 0:
            sgd_1(state, at, rest, size, per_row, rate, keep, l2, epsilon, share, share2)


@inlined
def step(total, rate, keep, l2, epsilon, rule, layers, state, size):
    """`network_update`, in one sweep where weights and biases are treated alike."""
    optimizer, share, share2 = rule[2], rule[3], rule[4]
    if not total > 0.0:
        for p in range(size, 2 * size):
            state[p] = 0.0
    elif keep == 1.0 and l2 == 0.0:
        step_range(state, 0, size, size, 1.0 / total, rate, 1.0, 0.0, epsilon, optimizer, share, share2)
    else:
        start = 0
        for layer in range(layers.shape[0]):
            outputs = layers[layer, 1]
            biases = start + layers[layer, 0] * outputs
            step_range(state, start, biases, size, 1.0 / total, rate, keep, l2, epsilon, optimizer, share, share2)
            start = biases + outputs
            step_range(state, biases, start, size, 1.0 / total, rate, 1.0, 0.0, epsilon, optimizer, share, share2)


# --- kernels ----------------------------------------------------------------------------------------------------------


@kernel
def update(total, plan, rule, layers, state):
    flat, size = state.reshape(state.size), state.shape[1]
    step(total, plan[0], plan[1], plan[2], plan[3], rule, layers, flat, size)


@kernel
def epochs(X, y, weight, mask, plan, rule, layers, state, units, pending, losses):
    flat, size, half = state.reshape(state.size), state.shape[1], (units.shape[0] - 2 * TILE) // 2
    n, updates, loss, batch = X.shape[0], 0, np.int64(rule[1]), np.int64(rule[0])
    for epoch in range(losses.shape[0]):
        start = 0
        while start < n:
            filled = np.int64(pending[0])
            m = min(TILE - filled % TILE, batch - filled, n - start)
            losses[epoch] += train_tile(X, y, weight, mask, start, m, loss, layers, flat, size, units, half)
            for i in range(start, start + m):
                pending[1] += weight[i]
            start += m
            pending[0] = filled + m
            if filled + m == batch:
                step(
                    pending[1], plan[updates, 0], plan[updates, 1], plan[updates, 2], plan[updates, 3],
                    rule, layers, flat, size,
                )  # fmt: skip
                updates += 1
                pending[0] = pending[1] = 0.0


@kernel
def logits(X, layers, params, units, out):
    half = (units.shape[0] - 2 * TILE) // 2
    mask = np.empty((1, 0))
    for start in range(0, X.shape[0], TILE):
        m = min(TILE, X.shape[0] - start)
        stride = (m + LANES - 1) & ~(LANES - 1)
        load_rows(X, start, m, units, stride)
        target = forward(layers, params, units, half, stride, mask, start, m)
        for r in range(m):
            for u in range(out.shape[1]):
                out[start + r, u] = units[target + u * stride + r]


@cache
def _compiled(function, floats):  # pragma: no cover - lines are counted where nothing is compiled
    """`function` compiled (or loaded) for rows of float64 ("d") or float32 ("f"): one signature, when needed."""
    if UNCOMPILED:
        return function
    rows = types.Array(types.float32 if floats == "f" else types.float64, 2, "C", readonly=True)
    given, table = (types.Array(types.float64, ndim, "C", readonly=True) for ndim in (1, 2))
    layers, result, square = types.Array(types.int64, 2, "C", readonly=True), types.float64[::1], types.float64[:, ::1]
    signature = {
        epochs: (rows, given, given, table, table, given, layers, square, result, result, result),
        update: (types.float64, given, given, layers, square),
        logits: (rows, layers, given, result, square),
    }[function]
    compile_only(function, signature)
    return function


def network_update(total, plan, rule, layers, state):
    """The reference's, to 1e-12."""
    _compiled(update, "d")(float(total), plan, rule, layers, state)


def network_epochs(X, y, weight, mask, plan, rule, layers, state, units, pending, losses):
    """The reference's, to 1e-12 an update. `X` is C-contiguous, float64 or float32; `units` is `network_scratch`."""
    _compiled(epochs, X.dtype.char)(X, y, weight, mask, plan, rule, layers, state, units, pending, losses)


def network_logits(X, layers, params, units, out):
    """The reference's, to 1e-12."""
    _compiled(logits, X.dtype.char)(X, layers, params, units, out)


def network_scratch(layers):
    """Room for a tile of rows: every value and its slope, labels and weights; it begins on a cache line."""
    layers = np.asarray(layers)
    half = TILE * int(layers[:, 0].sum() + len(layers) + layers[-1, 1])
    room = np.zeros(2 * half + 2 * TILE + LANES)
    skip = -(room.ctypes.data // 8) % LANES
    return room[skip : skip + 2 * half + 2 * TILE]
