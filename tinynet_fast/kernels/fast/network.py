"""Networks in tiles of rows: the reference's updates, with eight rows to a vector and activations that stay in L1.

A batch's gradient is a sum over its rows, so rows may go through side by side: z[u] = sum_j W[j, u] a[j] is taken for a
vector of rows at once, the chain rule likewise, and only a tile's share of the gradient, g[j, u] += sum_rows a[j] d[u],
is summed across the lanes. The bias is the weight of one more input that is always 1: it comes last in the sum, as in
the reference, and its gradient needs no code of its own. The parts are in `network_tiles.py`
and `network_points.py`.

The type of the scratch decides the type of the arithmetic. If it is float32, rows go through in registers of 16, with
float32 copies of the parameters. The state is float64 in both: a tile's sums in float32 are added to a gradient in
float64, and steps are float64. After a step the parameters are rounded to float32, as in the reference.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import compiled, for_rows, kernel
from tinynet_fast.kernels.compiler.signatures import NETWORK
from tinynet_fast.kernels.compiler.simd import REGISTER, address, as_doubles, beyond, filled, lanes_of, sum_of
from tinynet_fast.kernels.fast import network_room
from tinynet_fast.kernels.fast import network_tiles as tiles
from tinynet_fast.kernels.fast.network_points import (
    activate,
    clipped_entropy,
    cross_entropy,
    each_loss,
    fill,
    has_kink,
    huber,
    least_squares,
    plain_entropy,
    poisson,
    softmax_loss,
    squared_error,
)
from tinynet_fast.kernels.fast.network_room import (
    COPY,
    FOUND,
    RULE,
    TILE,
    copy_weights,
    half_of,
    of_scratch,
    round_weights,
    weights_of,
)
from tinynet_fast.kernels.fast.network_steps import RULES, inlined, layer_at, named, set_rule, step
from tinynet_fast.kernels.fast.network_tiles import collect, put_labels, put_last_labels, turn, turn_pairs
from tinynet_fast.kernels.reference import (
    CLIPPED_LOG_LOSS,
    HUBER,
    LEAST_SQUARES,
    NESTEROV,
    POISSON,
    SGD,
    SOFTMAX,
    SQUARED_ERROR,
)

network_scratch = network_room.network_scratch


# --- a layer ----------------------------------------------------------------------------------------------------------


def sums_of_rows(four, one):
    """The sums of all units, for the rows of a block: four units at a time, and one."""

    @inlined
    def sums(params, p, unit_step, input_step, work, source, target, stride, inputs, units):
        fours = units & ~3
        for u in range(0, fours, 4):
            at, w = target + u * stride, p + u * unit_step
            four(params, w, unit_step, input_step, work, source, at, stride, inputs)
        for u in range(fours, units):
            at, w = target + u * stride, p + u * unit_step
            one(params, w, unit_step, input_step, work, source, at, stride, inputs)

    return sums


def layer_sums(name, blocks):
    """All sums of a layer, in blocks of units and of rows that fill the registers."""
    block_4x4, block_1x4, block_4x1, block_1x1 = blocks
    of_four, of_one = sums_of_rows(block_4x4, block_1x4), sums_of_rows(block_4x1, block_1x1)

    @named(f"sums_{name}")
    def sums(params, p, unit_step, input_step, work, source, target, stride, inputs, units):
        width = lanes_of(work)
        wide = stride & ~(4 * width - 1)
        for r in range(0, wide, 4 * width):
            of_four(params, p, unit_step, input_step, work, source + r, target + r, stride, inputs, units)
        for r in range(wide, stride, width):
            of_one(params, p, unit_step, input_step, work, source + r, target + r, stride, inputs, units)

    return sums


def layer_gradients(name, blocks):
    """A tile's share of a layer's gradient."""
    block_2x8, block_2x4, block_2x1, block_1x8, block_1x4, block_1x1 = blocks

    @named(f"gradient_{name}_one")
    def one(work, left, right, stride, outputs, state, at, size, rule):
        count, u = stride // lanes_of(work), 0
        while u + 8 <= outputs:
            block_1x8(work, left, right + u * stride, stride, count, state, at + u, 0, size, rule)
            u += 8
        if outputs & 4:
            block_1x4(work, left, right + u * stride, stride, count, state, at + u, 0, size, rule)
            u += 4
        while u < outputs:
            block_1x1(work, left, right + u * stride, stride, count, state, at + u, 0, size, rule)
            u += 1

    @named(f"gradient_{name}")
    def layer(work, source, deltas, stride, inputs, outputs, state, p, size, rule):
        biases, of_biases = p + inputs * outputs, beyond(rule, RULES)
        one(work, source + inputs * stride, deltas, stride, outputs, state, biases, size, of_biases)
        if outputs == 1:  # the inputs' gradients are neighbours then
            one(work, deltas, source, stride, inputs, state, p, size, rule)
            return
        count, u = stride // lanes_of(work), 0
        while u + 8 <= outputs:
            for j in range(0, inputs - 1, 2):
                left, at = source + j * stride, p + j * outputs + u
                block_2x8(work, left, deltas + u * stride, stride, count, state, at, outputs, size, rule)
            u += 8
        if outputs & 4:
            for j in range(0, inputs - 1, 2):
                left, at = source + j * stride, p + j * outputs + u
                block_2x4(work, left, deltas + u * stride, stride, count, state, at, outputs, size, rule)
            u += 4
        while u < outputs:
            for j in range(0, inputs - 1, 2):
                left, at = source + j * stride, p + j * outputs + u
                block_2x1(work, left, deltas + u * stride, stride, count, state, at, outputs, size, rule)
            u += 1
        if inputs & 1:
            left, at = source + (inputs - 1) * stride, p + (inputs - 1) * outputs
            one(work, left, deltas, stride, outputs, state, at, size, rule)

    return layer


fused_sums, exact_sums, blame_sums = (layer_sums(rule, tiles.products(rule)) for rule in ("fused", "exact", "blame"))
onto_gradient, as_a_step = (layer_gradients(rule, tiles.gradients(rule)) for rule in ("onto", "step"))


# --- a tile -----------------------------------------------------------------------------------------------------------


@inlined
def load_rows(X, d, start, m, work, stride):
    """Rows start..start+m-1 turned on their side; the last is repeated up to a whole vector."""
    width = lanes_of(work)
    for r in range(0, m, width):
        at, last = (start + r) * d, min(width, m - r) - 1
        columns = d & ~7 if last == width - 1 else 0
        for j in range(0, columns, REGISTER):
            turn(X, at + j, d, work, j * stride + r, stride)
        if d == 2 and last == width - 1:
            turn_pairs(X, at, work, r, stride)
        elif columns < d:
            collect(X, at + columns, last, d, work, columns * stride + r, stride, d - columns)


@inlined
def load_labels(y, weight, start, m, work, labels):
    """Labels and weights of the tile; gives the sum of the weights. What is found is above 0 where one is not 1."""
    width = lanes_of(work)
    total, whole = 0.0, m & ~(width - 1)
    if whole > 0:
        put_labels(y, weight, start, whole // width, work, labels, labels + TILE, labels + FOUND)
        total = work[labels + FOUND]
    if whole < m:
        total += put_last_labels(y, weight, start + whole, m - whole, work, labels + whole, labels + TILE + whole)
        work[labels + FOUND + 1] = 1.0
    return total


@inlined
def load_targets(y, start, m, outputs, work, targets, stride):
    """What each of several outputs should be, where its deltas will stand."""
    width = lanes_of(work)
    for r in range(0, m, width):
        collect(y, (start + r) * outputs, min(width, m - r) - 1, outputs, work, targets + r, stride, outputs)


@inlined
def apply_mask(mask, at, columns, outputs, m, work, values, slopes, stride):
    """Dropout's factor of each unit and row, on what a unit sends on and on its slope."""
    for u in range(outputs):
        for r in range(m):
            work[values + u * stride + r] *= mask[at + r * columns + u]
            work[slopes + u * stride + r] *= mask[at + r * columns + u]


def forward_by(fused_sums, exact_sums, activate, apply_mask):
    """How a tile goes through every layer, for these sums of a layer."""

    @inlined
    def forward(layers, depth, params, work, slopes, stride, mask, columns, start, m):
        """The tile through every layer up to the output's sums; returns where these stand."""
        source, p, column = 0, 0, 0
        for layer in range(depth):
            inputs, outputs, activation = layer_at(layers, layer)
            width = lanes_of(work)
            fill(work, source + inputs * stride, stride // width, 1.0)
            target, count = source + (inputs + 1) * stride, outputs * stride // width
            if has_kink(activation):
                exact_sums(params, p, 1, outputs, work, source, target, stride, inputs + 1, outputs)
            else:
                fused_sums(params, p, 1, outputs, work, source, target, stride, inputs + 1, outputs)
            if layer < depth - 1:
                activate(activation, work, target, slopes + target, count)
                if columns > 0:
                    at = start * columns + column
                    apply_mask(mask, at, columns, outputs, m, work, target, slopes + target, stride)
            column += outputs
            source, p = target, p + (inputs + 1) * outputs
        return source

    return forward


forward = forward_by(fused_sums, exact_sums, activate, apply_mask)


def outputs_back_by(plain_entropy):
    """How a tile's outputs become deltas and losses, for this cross-entropy of rows of weight 1."""

    @inlined
    def outputs_back(softmax, outputs, work, target, slopes, stride, labels, rule):
        """From the outputs' sums their deltas; gives the tile's losses, each times its weight, summed in each lane.

        Several outputs with a loss each have what is true in the place of their deltas.
        """
        deltas, weights, count = slopes + target, labels + TILE, stride // lanes_of(work)
        loss, shape = np.int64(rule[layout.LOSS]), rule[layout.LOSS_SHAPE]
        if softmax:
            least = shape if loss == CLIPPED_LOG_LOSS else 0.0
            return softmax_loss(work, target, deltas, labels, weights, stride, outputs, count, least)
        total = filled(work, 0.0)
        for u in range(outputs):
            sums, delta = target + u * stride, deltas + u * stride
            true = labels if outputs == 1 else delta
            if loss == CLIPPED_LOG_LOSS:
                total = total + each_loss(clipped_entropy, work, sums, delta, true, weights, count, shape)
            elif loss == SQUARED_ERROR:
                total = total + each_loss(squared_error, work, sums, delta, true, weights, count, shape)
            elif loss == LEAST_SQUARES:
                total = total + each_loss(least_squares, work, sums, delta, true, weights, count, shape)
            elif loss == HUBER:
                total = total + each_loss(huber, work, sums, delta, true, weights, count, shape)
            elif loss == POISSON:
                total = total + each_loss(poisson, work, sums, delta, true, weights, count, shape)
            elif work[labels + FOUND + 1] == 0.0:
                total = total + plain_entropy(work, sums, delta, true, weights, count)
            else:
                total = total + each_loss(cross_entropy, work, sums, delta, true, weights, count, shape)
        return total

    return outputs_back


outputs_back = outputs_back_by(plain_entropy)


def backward_by(blame_sums, onto_gradient, as_a_step):
    """How a tile's deltas go back, for these parts of a layer."""

    @inlined
    def backward(layers, depth, seen, state, size, gradient, onto, work, slopes, stride, target, stepping, rule):
        """The chain rule from the output's deltas to the first layer: onto gradient[onto], or as a step of the state.

        A layer's weights, which rows have `seen`, pass the blame on before they change.
        """
        p = size
        for layer in range(depth - 1, -1, -1):
            inputs, outputs, _ = layer_at(layers, layer)
            source, deltas = target - (inputs + 1) * stride, slopes + target
            p -= (inputs + 1) * outputs
            if layer > 0:
                blame_sums(seen, p, outputs, 1, work, deltas, slopes + source, stride, outputs, inputs)
            if stepping:
                as_a_step(work, source, deltas, stride, inputs, outputs, state, p, size, rule)
            else:
                onto_gradient(work, source, deltas, stride, inputs, outputs, gradient, p, onto, rule)
            target = source

    return backward


backward = backward_by(blame_sums, onto_gradient, as_a_step)


# --- kernels ----------------------------------------------------------------------------------------------------------


@kernel
def update(total, schedule, rule, layers, state, units):
    how, optimizer, size = address(units), np.int64(rule[layout.OPTIMIZER]), state.shape[1]
    set_rule(how, total, schedule, rule)
    plain = schedule[layout.KEEP] == 1.0 and schedule[layout.L2] == 0.0
    step(total, plain, optimizer, address(layers), layers.shape[0], address(state), 0, size, size, how)


@kernel
def epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
    n, size, half, updates = X.shape[0], state.shape[1], half_of(units, state.shape[1]), 0
    work, params, shape, depth, columns = address(units), address(state), address(layers), len(layers), mask.shape[1]
    labels, how, copy = 2 * half, as_doubles(work, 2 * half + RULE), 2 * half + COPY
    weights, total, width = weights_of(params, work, copy), 0.0, lanes_of(work)
    copy_weights(work, params, copy, 0, size)
    batch, optimizer = np.int64(rule[layout.BATCH_SIZE]), np.int64(rule[layout.OPTIMIZER])
    inputs, _, _ = layer_at(shape, 0)
    _, outputs, last = layer_at(shape, depth - 1)
    softmax = last == SOFTMAX
    descends = optimizer == SGD or optimizer == NESTEROV
    for epoch in range(losses.shape[0]):
        start = 0
        while start < n:
            filled = np.int64(pending[layout.PENDING_ROWS])
            m = min(TILE - filled % TILE, batch - filled, n - start)
            stride, ends, plain = (m + width - 1) & ~(width - 1), filled + m == batch, True
            if m < n or epoch == 0:  # rows that are one tile are still there in the next epoch
                load_rows(address(X), inputs, start, m, work, stride)
                total = load_labels(address(y), address(weight), start, m, work, labels)
            target = forward(shape, depth, weights, work, half, stride, address(mask), columns, start, m)
            if outputs > 1 and not softmax:
                load_targets(address(y), start, m, outputs, work, half + target, stride)
            losses[epoch] += sum_of(outputs_back(softmax, outputs, work, target, half, stride, labels, rule))
            pending[layout.PENDING_ROWS] += m
            pending[layout.PENDING_WEIGHT] += total
            start += m
            if ends:
                set_rule(how, pending[layout.PENDING_WEIGHT], schedule[updates], rule)
                plain = schedule[updates, layout.KEEP] == 1.0 and schedule[updates, layout.L2] == 0.0
            stepping = m == batch and total > 0.0 and descends
            backward(shape, depth, weights, params, size, params, size, work, half, stride, target, stepping, how)
            if ends:
                if not stepping:
                    total_weight = pending[layout.PENDING_WEIGHT]
                    step(total_weight, plain, optimizer, shape, depth, params, 0, size, size, how)
                round_weights(work, params, copy, 0, size)
                copy_weights(work, params, copy, 0, size)
                updates += 1
                pending[layout.PENDING_ROWS] = pending[layout.PENDING_WEIGHT] = 0.0


@kernel
def logits(X, layers, params, units, out):
    half, depth, work = half_of(units, params.shape[0]), layers.shape[0], address(units)
    shape, weights, width = address(layers), address(params), lanes_of(work)
    inputs, _, _ = layer_at(shape, 0)
    for start in range(0, X.shape[0], TILE):
        m = min(TILE, X.shape[0] - start)
        stride = (m + width - 1) & ~(width - 1)
        load_rows(address(X), inputs, start, m, work, stride)
        target = forward(shape, depth, weights, work, half, stride, weights, 0, start, m)
        for r in range(m):
            for u in range(out.shape[1]):
                out[start + r, u] = work[target + u * stride + r]


def network_update(total, schedule, rule, layers, state):
    """The reference's, to 1e-12."""
    compiled(update, "d0 d1 d1 l2 dw2 dw1")(float(total), schedule, rule, layers, state, np.empty(2 * RULES))


def network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
    """The reference's, to 1e-12 an update. `X` is C-contiguous, float64 or float32; `units` is `network_scratch`.

    With scratch of float32 to 1e-5.
    """
    run, X = for_rows(epochs, of_scratch(NETWORK, units), X, units.dtype.char)
    run(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses)


def network_logits(X, layers, params, units, out):
    """The reference's, to 1e-12. `params` and `units` are both float64, or both float32: then to 1e-5."""
    kind = params.dtype.char
    run, X = for_rows(logits, f"l2 {kind}1 {kind}w1 dw2", X, kind)
    run(X, layers, params, units, out)
