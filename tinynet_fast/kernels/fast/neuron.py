"""The `fast` engine for one neuron: the reference's updates, summed in another order, with little left to wait for.

With w, b the weights before some earlier row m, and p[k] = step[k]*error[k], the plain loop's logit of row i is
    z[i] = x[i].w + b - sum over k = m..i-1 of p[k]*(x[i].x[k] + 1),
because w[i] = w - sum p[k]*x[k] and b[i] = b - sum p[k]. The dot products on the right need no error, so they are
done for several rows at once; what the next row waits for is one multiply-add and the sigmoid. Nothing else changes.

The sigmoid is a table of degree-7 polynomials, 16 nodes a unit. The node of row i is chosen before error[i-1] is known,
from z[i] with the node's own sigmoid standing in for p[i-1]'s: the guess is good to a quarter of a node, so the load
leaves the chain too, and a miss (then the node is looked up again) needs step*(x[i].x[i-1]+1) above 2. The errors of a
linear neuron have no sigmoid, and the chain is the multiply-add alone.

Nothing here allocates, raises or keeps state between calls; arrays are C-contiguous; results go into arguments.
"""

from functools import cache

import numpy as np

from tinynet_fast.kernels.compiler.jit import REORDERED, compiled, kernel, part
from tinynet_fast.kernels.compiler.signatures import NEURON
from tinynet_fast.kernels.compiler.simd import (
    fma,
    full,
    input_at,
    lanes_of_cpu,
    load,
    per_line,
    prefetch,
    prefetch_far,
    put_weight,
    repeat,
    store,
    sum_of,
    unrolled,
    weight_at,
)
from tinynet_fast.kernels.engines import TILE
from tinynet_fast.kernels.fast.row_error import KINDS, NODES, TABLE, row_error
from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS

# --- rows asked for before they are met -------------------------------------------------------------------------------
#
# A CPU foresees which lines of memory come next, but not always in time. In epochs that followed each other, a row of
# 1,000,000 took 9 to 16 ns with 2, 3 or 4 inputs, where a row of 10,000 takes 6 or 7; if the rows are asked for, both
# take as long. (An Intel server core. The fault does not show if something else has read the rows a moment before.)

ASKED = 32  # narrow rows asked for at a time


@part(forceinline=True)
def prefetch_lines(X, offset, lines, stride):
    """Ask for `lines` lines from `offset` on. Not range(0, end, stride): Numba divides to count (4 ns a row)."""
    for k in range(lines):
        prefetch(X, offset + k * stride)


@part(forceinline=True)
def prefetch_lines_far(X, offset, lines, stride):
    """The same, into all caches but the first, which is full of the rows that are used now."""
    for k in range(lines):
        prefetch_far(X, offset + k * stride)


@unrolled
def prefetch_rows(inputs, X, first):
    """Ask for ASKED narrow rows. (A loop over lines of a size that LLVM does not know took 3% of the time of a row.)"""
    for k in range(0, ASKED * len(inputs), per_line(X)):
        prefetch_far(X, first * len(inputs) + k)


# --- up to four features: weights and the last three rows in registers -----------------------------------------------
#
# `inputs` is a tuple as long as a row is wide: its length is part of its type, so that each width is compiled by itself
# and what it does not need is left out.


@part(forceinline=True)
def dot(inputs, a0, a1, a2, a3, b0, b1, b2, b3, start):
    if len(inputs) > 3:
        start = fma(a3, b3, start)
    if len(inputs) > 2:
        start = fma(a2, b2, start)
    if len(inputs) > 1:
        start = fma(a1, b1, start)
    return fma(a0, b0, start)


@part(forceinline=True)
def narrow_tile(X, y, step, start, stop, weights, bias, loss, table, inputs, kind):
    """A tile of rows. Row i meets weights that know the rows up to i-3, and the last three rows one by one.

    Rows are asked for 32 at a time. A prefetch in each row made 10,000 rows of 3 inputs 13% slower. Linear neurons have
    less to wait for. A tile of their own that keeps two rows, or one, took from 13% less to 10% longer (1 to 4 inputs).
    """
    # Weights and steps are kept times NODES (exact: a power of two), so that logits come out in nodes.
    w0, w1, w2, w3 = weights[0] * NODES, 0.0, 0.0, 0.0
    if len(inputs) > 1:
        w1 = weights[1] * NODES
    if len(inputs) > 2:
        w2 = weights[2] * NODES
    if len(inputs) > 3:
        w3 = weights[3] * NODES
    b, node, y1 = bias[0] * NODES, 0.0, 0.0
    e1 = e2 = e3 = 0.0  # the errors one, two and three rows back; with them step * (1, x), as s; u, v, q
    s1 = s2 = s3 = 0.0
    u0 = u1 = u2 = u3 = v0 = v1 = v2 = v3 = q0 = q1 = q2 = q3 = 0.0
    x1 = x2 = x3 = 0.0
    for first in range(start, stop, ASKED):
        if first + TILE < X.shape[0]:
            prefetch_rows(inputs, X, first + TILE)
        for i in range(first, min(first + ASKED, stop)):
            x0 = np.float64(X[i, 0])
            if len(inputs) > 1:
                x1 = np.float64(X[i, 1])
            if len(inputs) > 2:
                x2 = np.float64(X[i, 2])
            if len(inputs) > 3:
                x3 = np.float64(X[i, 3])
            w0, w1, w2, w3, b = fma(-e3, q0, w0), fma(-e3, q1, w1), fma(-e3, q2, w2), fma(-e3, q3, w3), fma(-e3, s3, b)
            ahead = fma(
                -e2, dot(inputs, x0, x1, x2, x3, v0, v1, v2, v3, s2), dot(inputs, x0, x1, x2, x3, w0, w1, w2, w3, b)
            )
            coupling = dot(inputs, x0, x1, x2, x3, u0, u1, u2, u3, s1)
            error, node = row_error(kind, table, ahead, coupling, e1, node, y1, y[i])
            loss = fma(error, error, loss)
            e3, e2, e1 = e2, e1, error
            s3, s2, s1 = s2, s1, step[i] * NODES
            q0, q1, q2, q3 = v0, v1, v2, v3
            v0, v1, v2, v3 = u0, u1, u2, u3
            u0, u1, u2, u3, y1 = x0 * s1, x1 * s1, x2 * s1, x3 * s1, y[i]
    weights[0] = fma(-e1, u0, fma(-e2, v0, fma(-e3, q0, w0))) / NODES
    if len(inputs) > 1:
        weights[1] = fma(-e1, u1, fma(-e2, v1, fma(-e3, q1, w1))) / NODES
    if len(inputs) > 2:
        weights[2] = fma(-e1, u2, fma(-e2, v2, fma(-e3, q2, w2))) / NODES
    if len(inputs) > 3:
        weights[3] = fma(-e1, u3, fma(-e2, v3, fma(-e3, q3, w3))) / NODES
    bias[0] = fma(-e1, s1, fma(-e2, s2, fma(-e3, s3, b))) / NODES
    return loss


# --- five features and more: four rows to a block, the weights in memory ----------------------------------------------

LONG = 20  # cache lines: for longer rows, prefetches are spread through the sweep


@part(REORDERED, forceinline=True)
def update_and_dot(X, weights, before, p0, p1, p2, p3, i, first):
    """One sweep, from feature `first` on: bring in the four rows `before`, then dots and Gram terms of rows i..i+3.

    forceinline is LLVM's inlining, which leaves this function its own flags (inline="always" would not). As a call, the
    ten results cost 20 cycles a block. Two sweeps (update, then dots) took 24 ns a row for 18 at 64 features.
    """
    z0 = z1 = z2 = z3 = 0.0
    g10 = g20 = g30 = g21 = g31 = g32 = 0.0
    d = weights.shape[0]
    for j in range(first, d):
        k = before * d + j
        r0, r1, r2, r3 = input_at(X, k), input_at(X, k + d), input_at(X, k + 2 * d), input_at(X, k + 3 * d)
        # Row after row, as the reference does: a weight that starts out large loses the same digits here.
        w = fma(-p3, r3, fma(-p2, r2, fma(-p1, r1, fma(-p0, r0, weight_at(weights, j)))))
        put_weight(weights, j, w)
        k = i * d + j
        x0, x1, x2, x3 = input_at(X, k), input_at(X, k + d), input_at(X, k + 2 * d), input_at(X, k + 3 * d)
        z0 += x0 * w
        z1 += x1 * w
        z2 += x2 * w
        z3 += x3 * w
        g10 += x1 * x0
        g20 += x2 * x0
        g30 += x3 * x0
        g21 += x2 * x1
        g31 += x3 * x1
        g32 += x3 * x2
    return z0, z1, z2, z3, g10, g20, g30, g21, g31, g32


@part(REORDERED, forceinline=True)
def dot_row(X, i, weights):
    """x[i].weights"""
    z = 0.0
    for j in range(weights.shape[0]):
        z += X[i, j] * weights[j]
    return z


@part(REORDERED, forceinline=True)
def add_row(X, i, factor, weights):
    """weights += factor * x[i]"""
    for j in range(weights.shape[0]):
        weights[j] += factor * X[i, j]


@part(REORDERED, forceinline=True)
def scale(weights, factor):
    """weights *= factor"""
    for j in range(weights.shape[0]):
        weights[j] *= factor


@unrolled
def sweep(X, weights, before, p, i, d, ahead):
    """`update_and_dot` in lanes, for d inputs less a rest of up to three. It asks for the lines from `ahead` on.

    LLVM itself makes no lanes of a loop that has a prefetch. Lanes are four, as many as it takes: with eight, rows in
    the cache took 10% longer (128 inputs). Nothing was gained by a loop over eight inputs in two steps, by one prefetch
    from each of the four rows, or by asking 16 kB ahead; a prefetch for every other line took as long as bursts.
    """
    width, rows = lanes_of_cpu(), range(4)
    spread = [full(pk, width) for pk in p]

    def body(k, sums):
        at = k * width
        for line in range(0, 4 * width, per_line(X)):
            prefetch_far(X, ahead + 4 * at + line)
        w = load(weights, at, width)
        for r in rows:
            w = fma(-spread[r], load(X, (before + r) * d + at, width), w)
        store(weights, at, w)
        x = [load(X, (i + r) * d + at, width) for r in rows]
        pairs = [(x[r], w) for r in rows]
        pairs += [(x[r], x[q]) for q in rows for r in rows if r > q]
        return [fma(u, v, total) for (u, v), total in zip(pairs, sums, strict=True)]

    sums = repeat((d >> 2) * (4 // width), [full(0.0, width)] * 10, body)
    return tuple(sum_of(total, width) for total in sums)


@part(forceinline=True)
def update_and_dot_long(X, weights, before, p0, p1, p2, p3, i, ahead):
    """`update_and_dot` with prefetches, from `ahead` on."""
    d = weights.shape[0]
    z0, z1, z2, z3, g10, g20, g30, g21, g31, g32 = sweep(X, weights, before, (p0, p1, p2, p3), i, d, ahead)
    rest = d & ~3
    a0, a1, a2, a3, b10, b20, b30, b21, b31, b32 = update_and_dot(X, weights, before, p0, p1, p2, p3, i, rest)
    return z0 + a0, z1 + a1, z2 + a2, z3 + a3, g10 + b10, g20 + b20, g30 + b30, g21 + b21, g31 + b31, g32 + b32


@part(forceinline=True)
def wide_tile(X, y, step, start, stop, weights, bias, loss, table, long, kind):
    """Rows start..stop-1, four at a time: their logits with the weights before the four, then the recurrence over them.

    Blocks of eight rows, a window that lags by one row and Gram terms a block ahead all hide the sweep on paper; none
    was faster, because what they add to hide it is work for the same ports.
    """
    scale(weights, NODES)
    b, node = bias[0] * NODES, 0.0
    p0 = p1 = p2 = p3 = 0.0
    before, blocks_end = start, start + ((stop - start) & ~3)
    stride = np.int64(64 // X.itemsize)
    half = (2 * X.shape[1] + stride - 1) // stride
    far = max(4 * X.shape[1], 128 * stride)  # 8 kB or more: 16 features' rows are gone in 11 ns (gains 5%; 15% at 32)
    for i in range(start, blocks_end, 4):
        # Four rows further on are asked for: half before the sweep and half after it, so that memory is busy during
        # the recurrence as well. The hardware's own prefetching loses the thread: 98 ns a row without (256 features),
        # 69 with. Into the second cache: into the first, of 32 kB, 64 features took 10% longer and 256 20%.
        # Of `long` rows that is too much at once. Spread through the sweep, 256 features took 11% less time and 512
        # 17% less (29% in float32); 128 took 10% longer.
        if len(long) > 0:
            z0, z1, z2, z3, g10, g20, g30, g21, g31, g32 = update_and_dot_long(
                X, weights, before, p0, p1, p2, p3, i, i * X.shape[1] + far
            )
        else:
            prefetch_lines_far(X, i * X.shape[1] + far, half, stride)
            z0, z1, z2, z3, g10, g20, g30, g21, g31, g32 = update_and_dot(X, weights, before, p0, p1, p2, p3, i, 0)
            prefetch_lines_far(X, (i + 2) * X.shape[1] + far, half, stride)
        s0, s1, s2, s3 = step[i] * NODES, step[i + 1] * NODES, step[i + 2] * NODES, step[i + 3] * NODES
        y0, y1, y2, y3 = y[i], y[i + 1], y[i + 2], y[i + 3]
        e0, node = row_error(kind, table, z0 + b, 0.0, 0.0, 0.0, 0.0, y0)
        e1, node = row_error(kind, table, z1 + b, fma(s0, g10, s0), e0, node, y0, y1)
        ahead = fma(-e0, fma(s0, g20, s0), z2 + b)
        e2, node = row_error(kind, table, ahead, fma(s1, g21, s1), e1, node, y1, y2)
        ahead = fma(-e1, fma(s1, g31, s1), fma(-e0, fma(s0, g30, s0), z3 + b))
        e3, node = row_error(kind, table, ahead, fma(s2, g32, s2), e2, node, y2, y3)
        loss = fma(e3, e3, fma(e2, e2, fma(e1, e1, fma(e0, e0, loss))))
        p0, p1, p2, p3 = s0 * e0, s1 * e1, s2 * e2, s3 * e3
        b = (((b - p0) - p1) - p2) - p3
        before = i
    if blocks_end > start:
        add_row(X, before, -p0, weights)
        add_row(X, before + 1, -p1, weights)
        add_row(X, before + 2, -p2, weights)
        add_row(X, before + 3, -p3, weights)
    for i in range(blocks_end, stop):
        error, node = row_error(kind, table, dot_row(X, i, weights) + b, 0.0, 0.0, 0.0, 0.0, y[i])
        loss = fma(error, error, loss)
        p0 = step[i] * NODES * error
        add_row(X, i, -p0, weights)
        b -= p0
    scale(weights, 1.0 / NODES)
    bias[0] = b / NODES
    return loss


# --- epochs -----------------------------------------------------------------------------------------------------------


@kernel
def narrow_epochs(X, y, step, weights, bias, losses, table, inputs, kind):
    for epoch in range(len(losses)):
        loss = losses[epoch]
        for start in range(0, X.shape[0], TILE):
            stop = min(start + TILE, X.shape[0])
            loss = narrow_tile(X, y, step, start, stop, weights, bias, loss, table, inputs, kind)
        losses[epoch] = loss


@kernel
def wide_epochs(X, y, step, weights, bias, losses, table, kind):
    long = X.shape[1] * X.itemsize > 64 * LONG
    for epoch in range(len(losses)):
        loss = losses[epoch]
        for start in range(0, X.shape[0], TILE):
            stop = min(start + TILE, X.shape[0])
            if long:
                loss = wide_tile(X, y, step, start, stop, weights, bias, loss, table, (0,), kind)
            else:
                loss = wide_tile(X, y, step, start, stop, weights, bias, loss, table, (), kind)
        losses[epoch] = loss


NARROW = 4


@cache
def _kernel(floats, width, kind):
    """The kernel for rows of float64 ("d") or float32 ("f") of that width, its signature, and its last arguments."""
    arrays = f"{floats}2 {NEURON}"
    if width <= NARROW:
        return narrow_epochs, f"{arrays} t{width} t{kind}", ((0,) * width, (0,) * kind)
    return wide_epochs, f"{arrays} t{kind}", ((0,) * kind,)


def _train(kind, X, y, step, weights, bias, losses):
    kernel, signature, sizes = _kernel(X.dtype.char, X.shape[1], kind)
    compiled(kernel, signature)(X, y, step, weights, bias, losses, TABLE, *sizes)


def sgd_epochs(X, y, step, weights, bias, losses):
    """The reference's `sgd_epochs`, to 1e-12, while step * (|x|^2 + 1) is at most 8 for every row.

    `X` is (n, d), C-contiguous, float64 or float32; the rest is float64. Wherever an epoch is cut into calls at
    multiples of TILE rows, the weights are the same to the last bit.
    """
    _train(KINDS[LOG_LOSS], X, y, step, weights, bias, losses)


def sgd_linear_epochs(X, y, step, weights, bias, losses):
    """The reference's `sgd_linear_epochs`, to 1e-12, while step * (|x|^2 + 1) is at most 2 for every row."""
    _train(KINDS[LEAST_SQUARES], X, y, step, weights, bias, losses)
