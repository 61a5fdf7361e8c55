"""Narrow networks of one hidden layer: few rows never leave the registers, many go through in three short loops.

The updates of `network.py`, for up to NARROW inputs and NARROW sigmoid units before one sigmoid, cross-entropy and
gradient descent with any momentum; what this file does not serve it passes on. The numbers of inputs and units are the
lengths of two tuples, and so part of a type: each shape is compiled for itself, with every loop over them unrolled. For
2-4-1 four rows take 75 ns in place of 187, one row 74 in place of 212, and of 100,000 rows each 6.4 in place of 8.7.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import MissingCompilerError, for_rows, kernel
from tinynet_fast.kernels.compiler.signatures import NARROW_NETWORK
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    address,
    fma,
    full,
    load,
    repeat,
    shuffle,
    store,
    sum_of,
    sums_of,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast import network
from tinynet_fast.kernels.fast.functions import log1p, log1p_of_any, sigmoid
from tinynet_fast.kernels.fast.network import load_labels
from tinynet_fast.kernels.fast.network_points import cross_entropy, each_loss, predict
from tinynet_fast.kernels.fast.network_room import AFTER_SLOPES, FOUND, TILE
from tinynet_fast.kernels.fast.network_steps import descended, inlined
from tinynet_fast.kernels.fast.network_tiles import collect, first, gather
from tinynet_fast.kernels.reference import LOG_LOSS, NESTEROV, SGD, SIGMOID

NARROW, FEW = 4, 4  # inputs and units at most; the rows of a tile that stays in registers
network_scratch = network.network_scratch


# --- a vector of rows -------------------------------------------------------------------------------------------------


def _hidden(x, param, d, h):
    """The hidden units' outputs."""
    zs = param[d * h : d * h + h]
    for j in range(d):
        zs = [fma(x[j], param[j * h + u], zs[u]) for u in range(h)]
    return [sigmoid(z) for z in zs]


def _output(a, param):
    """The output's sum."""
    z, h = param[-1], len(a)
    for u in range(h):
        z = fma(a[u], param[u - h - 1], z)
    return z


def _back(a, error, param):
    """The hidden units' deltas."""
    return [error * (param[u - len(a) - 1] * fma(-a[u], a[u], a[u])) for u in range(len(a))]


def _factors(x, a, error, back):
    """A row's share of the gradient, parameter by parameter: what to multiply, or one number and None."""
    onward = [(xj, b) for xj in x for b in back]
    return [*onward, *((b, None) for b in back), *((au, error) for au in a), (error, None)]


# --- a tile -----------------------------------------------------------------------------------------------------------


def _end(gradient, decays, state, size, rule, *, width):
    """The tile's gradient joins the batch's; the parameters follow, and a batch that has ended leaves a gradient of 0.

    Without branches: they move if `moves` is above 0, and the gradient stays if `grows` is.
    """
    start = 0
    while start < len(gradient):
        lanes = 1 << (min(width, len(gradient) - start).bit_length() - 1)
        stop = start + lanes
        per_row, rate, keep, l2, share, onward, again, moves, grows = (full(r, lanes) for r in rule)
        x, summed, first = (load(state, start + k * size, lanes) for k in range(3))
        g = summed + sums_of(gradient[start:stop], width)
        decay = np.array(decays[start:stop])  # 1.0 for weights, 0.0 for biases
        keep = keep * decay + (1.0 - decay)
        moved, velocity = descended(x, first, g, per_row, rate, keep, l2 * decay, share, onward, again)
        store(state, start, where(moves > 0.0, moved, x))
        store(state, start + size, where(grows > 0.0, g, 0.0))
        store(state, start + 2 * size, where(moves > 0.0, velocity, first))
        start = stop


def _decays(d, h):
    return [1.0] * (d * h) + [0.0] * h + [1.0] * h + [0.0]


def _few(inputs, units, X, y, weight, start, m, state, size, rule, width):
    """A tile of up to `width` rows, with nothing between memory and registers but its rows and the parameters.

    Vectors of four, which a CPU with units of 256 bits takes two at a time: 75 ns; eights by way of scratch took 120.
    """
    d, h = len(inputs), len(units)
    x = [gather(X, start * d + j, m - 1, d, width) for j in range(d)]
    param = [full(state[p], width) for p in range((d + 2) * h + 1)]
    label, w = gather(y, start, m - 1, 1, width), gather(weight, start, m - 1, 1, width) * first(m, width)
    a = _hidden(x, param, d, h)
    p, e, wrong = predict(_output(a, param), label)
    error = w * (p - label)
    factors = _factors(x, a, error, _back(a, error, param))
    gradient = [p if q is None else p * q for p, q in factors]
    _end(gradient, _decays(d, h), state, size, rule, width=width)
    return sum_of(w * (wrong + log1p(e)), width)


few = unrolled(_few, width=FEW)


@unrolled
def hidden_of_rows(inputs, units, work, i, stride, state):
    """The hidden units' outputs for eight rows, into scratch."""
    d, h = len(inputs), len(units)
    x = [load(work, j * stride + i * REGISTER) for j in range(d)]
    param = [full(state[k]) for k in range(d * h + h)]
    for u, a in enumerate(_hidden(x, param, d, h)):
        store(work, d * stride + (i * (h + 1) + u) * REGISTER, a)


@unrolled
def output_of_rows(inputs, units, work, i, stride, state, labels, sums):
    """The output's sum into work[sums], its delta into scratch; returns e and |z| if the prediction is wrong."""
    d, h = len(inputs), len(units)
    a = [load(work, d * stride + (i * (h + 1) + u) * REGISTER) for u in range(h)]
    param = [full(state[k]) for k in range(d * h + h, (d + 2) * h + 1)]
    z, y = _output(a, param), load(work, labels + i * REGISTER)
    p, e, wrong = predict(z, y)
    store(work, sums + i * REGISTER, z)
    store(work, d * stride + (i * (h + 1) + h) * REGISTER, load(work, labels + TILE + i * REGISTER) * (p - y))
    return e, wrong


@unrolled
def step_of_rows(inputs, units, work, stride, count, state, size, rule):
    """The gradient of all rows of the tile, kept in registers, and what becomes of it."""
    d, h = len(inputs), len(units)

    def add_rows(i, gradient):
        x = [load(work, j * stride + i * REGISTER) for j in range(d)]
        *a, error = (load(work, d * stride + (i * (h + 1) + u) * REGISTER) for u in range(h + 1))
        param = [full(state[k]) for k in range(d * h + h, (d + 2) * h + 1)]
        factors = _factors(x, a, error, _back(a, error, param))
        return [g + p if q is None else fma(p, q, g) for (p, q), g in zip(factors, gradient, strict=True)]

    gradient = repeat(count, [full(0.0)] * ((d + 2) * h + 1), add_rows)
    _end(gradient, _decays(d, h), state, size, rule, width=REGISTER)


@inlined
def many(inputs, units, work, labels, sums, stride, count, state, size, rule):
    """A tile of any size: first the hidden units, then the output, then the gradient, each in a loop of its own.

    In one loop 17 sums and the constants of the exponential did not fit into the registers, and a row's chain of two
    exponentials was too long to overlap with the next: 11.5 ns a row, where two loops took 7.8 and three take 7.0.
    Returns the losses, as if every row had the weight 1; the output's sums are left in work[sums] for the others.
    """
    for i in range(count):
        hidden_of_rows(inputs, units, work, i, stride, state)
    loss = product = full(0.0)
    for i in range(count):
        e, wrong = output_of_rows(inputs, units, work, i, stride, state, labels, sums)
        loss, product = loss + wrong, fma(product, e, product + e)
    step_of_rows(inputs, units, work, stride, count, state, size, rule)
    return sum_of(loss + log1p_of_any(product))


@unrolled
def turn(inputs, X, at, work, target, stride):
    """Eight rows on their side: lane r of input j is number r * d + j of the d registers that they fill."""
    d = len(inputs)
    xs = [load(X, at + k * REGISTER) for k in range(d)]
    for j in range(d):
        column, places = xs[0], [divmod(r * d + j, REGISTER) for r in range(REGISTER)]
        for k in range(1, d):
            stay = [place if k == 1 else r for r, (_, place) in enumerate(places)]
            lanes = [REGISTER + places[r][1] if places[r][0] == k else stay[r] for r in range(REGISTER)]
            column = shuffle(column, xs[k], lanes)
        store(work, target + j * stride, column)


@inlined
def load_rows(X, start, m, inputs, work, stride):
    """Rows start..start+m-1 turned on their side; the last is repeated up to a whole vector.

    `network.load_rows`, which learns the number of inputs when it runs, took 0.6 ns a row longer.
    """
    d, full = X.shape[1], m & ~(REGISTER - 1)
    for r in range(0, full, REGISTER):
        turn(inputs, address(X), (start + r) * d, work, r, stride)
    if full < m:
        collect(address(X), (start + full) * d, m - full - 1, d, work, full, stride, d)


@kernel
def narrow_epochs(X, y, weight, schedule, rule, state, work_array, pending, losses, inputs, units):
    n, size, half = X.shape[0], state.shape[1], (work_array.shape[0] - AFTER_SLOPES) // 2
    work, params, labels, updates, total, stride = address(work_array), address(state), 2 * half, 0, 0.0, 0
    batch, share = np.int64(rule[layout.BATCH_SIZE]), rule[layout.FIRST_SHARE]
    onward, again = (share, 1.0) if rule[layout.OPTIMIZER] == NESTEROV else (1.0, 0.0)
    filled, weights = np.int64(pending[layout.PENDING_ROWS]), pending[layout.PENDING_WEIGHT]
    for epoch in range(losses.shape[0]):
        start = 0
        while start < n:
            m = min(TILE - filled % TILE, batch - filled, n - start)
            if m > FEW and (m < n or epoch == 0):  # rows that are one tile are still there in the next epoch
                stride = (m + REGISTER - 1) & ~(REGISTER - 1)
                load_rows(X, start, m, inputs, work, stride)
                total = load_labels(address(y), address(weight), start, m, work, labels)
            elif m <= FEW:
                total = 0.0
                for i in range(start, start + m):
                    total += weight[i]
            filled += m
            weights += total
            rate, keep, l2, per_row, moves, grows = 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
            if filled == batch:
                rate, keep = schedule[updates, layout.RATE], schedule[updates, layout.KEEP]
                l2, grows = schedule[updates, layout.L2], 0.0
                updates += 1
                filled = np.int64(0)
                if weights > 0.0:
                    per_row, moves = 1.0 / weights, 1.0
                weights = 0.0
            if m <= FEW:
                loss = few(
                    inputs, units, address(X), address(y), address(weight), start, m, params, size,
                    (per_row, rate, keep, l2, share, onward, again, moves, grows),
                )  # fmt: skip
            else:
                loss = many(
                    inputs, units, work, labels, labels - TILE, stride, stride // REGISTER, params, size,
                    (per_row, rate, keep, l2, share, onward, again, moves, grows),
                )  # fmt: skip
                if work[labels + FOUND + 1] != 0.0:
                    at, count = labels - TILE, stride // REGISTER
                    loss = sum_of(each_loss(cross_entropy, work, at, at, labels, labels + TILE, count, 0.0))
            start += m
            losses[epoch] += loss
    pending[layout.PENDING_ROWS], pending[layout.PENDING_WEIGHT] = filled, weights


def _for_rows(X, inputs, units):
    """`narrow_epochs` for a shape, and X or a copy."""
    return for_rows(narrow_epochs, f"{NARROW_NETWORK} t{inputs} t{units}", X)


def serves(mask, rule, layers):
    """Whether this file trains such a network so: whatever an epoch's blocks hold, they go the same way."""
    return (
        len(layers) == 2
        and layers[0, layout.INPUTS] <= NARROW
        and layers[0, layout.OUTPUTS] <= NARROW
        and layers[0, layout.ACTIVATION] == SIGMOID
        and layers[1, layout.OUTPUTS] == 1
        and rule[layout.LOSS] == LOG_LOSS
        and rule[layout.OPTIMIZER] in (SGD, NESTEROV)
        and mask.shape[1] == 0
    )


def network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
    """The reference's, to 1e-12 an update. `X` is C-contiguous, float64 or float32; `units` is `network_scratch`."""
    try:
        if serves(mask, rule, layers):
            inputs, hidden = int(layers[0, layout.INPUTS]), int(layers[0, layout.OUTPUTS])
            shape = (0,) * inputs, (0,) * hidden
            run, rows = _for_rows(X, inputs, hidden)
            run(rows, y, weight, schedule, rule, state, units, pending, losses, *shape)
            return
    except MissingCompilerError:  # pragma: no cover - this shape is not in the library
        pass
    network.network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses)
