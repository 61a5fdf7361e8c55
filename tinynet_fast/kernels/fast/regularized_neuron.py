"""The `fast` engine for one neuron with l2 and averaging: the look-ahead of `neuron.py`, with two more factors a row.

With c[i] = keep, w, b from before row m, and c[k:i] for the product of the keeps from row k to row i-1, the plain
loop's weights before row i are c[m:i]*w - sum over k = m..i-1 of c[k+1:i]*p[k]*x[k], so that its logit is
    z[i] = c[m:i]*(x[i].w) + b - sum p[k]*(c[k+1:i]*(x[i].x[k]) + 1),
and the coupling of neighbours (k = i-1) has no factor: the chain is as long as it was. No product of keeps is longer
than a block, none is divided by, and a keep of 0 is nothing special. Products are for logits alone: weights and means
are brought on row by row with the plain loop's own roundings, so that no difference adds up over a long run.

The schedule's cuts must be 0.0, the loss one of `row_error.KINDS` and the bias scale 1.0: all else is left to `strict`.
Huber's loss only cuts an error, after the next row's sum has waited for it; the sums above hold for any slope p.
"""

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler.jit import REORDERED, for_rows, kernel, part
from tinynet_fast.kernels.compiler.signatures import REGULARIZED
from tinynet_fast.kernels.compiler.simd import fma, input_at, put_weight, weight_at
from tinynet_fast.kernels.engines import TILE
from tinynet_fast.kernels.fast.neuron import ASKED, NARROW, dot, dot_row, prefetch_lines_far, prefetch_rows, scale
from tinynet_fast.kernels.fast.row_error import KINDS, NODES, TABLE, add_loss, row_error, slope_of

COLUMNS = (0, 0, 0, 0)  # as many as a schedule row has

# --- up to four features: weights in registers, their means in memory -------------------------------------------------


@part(forceinline=True)
def bring_in(inputs, X, i, keep, p, w0, w1, w2, w3, b):
    """Weights and bias after row i."""
    w0 = fma(-p, np.float64(X[i, 0]), keep * w0)
    if len(inputs) > 1:
        w1 = fma(-p, np.float64(X[i, 1]), keep * w1)
    if len(inputs) > 2:
        w2 = fma(-p, np.float64(X[i, 2]), keep * w2)
    if len(inputs) > 3:
        w3 = fma(-p, np.float64(X[i, 3]), keep * w3)
    return w0, w1, w2, w3, b - p


@part(forceinline=True)
def mix_in(inputs, share, w0, w1, w2, w3, b, means):
    """means += share * (weights and bias - means)"""
    means[0] = fma(share, w0 - means[0], means[0])
    if len(inputs) > 1:
        means[1] = fma(share, w1 - means[1], means[1])
    if len(inputs) > 2:
        means[2] = fma(share, w2 - means[2], means[2])
    if len(inputs) > 3:
        means[3] = fma(share, w3 - means[3], means[3])
    means[len(inputs)] = fma(share, b - means[len(inputs)], means[len(inputs)])


@part(forceinline=True)
def narrow_tile(X, y, schedule, start, stop, weights, bias, means, logits, loss, table, delta, inputs, kept, kind):
    """A tile of rows. Row i meets weights that know the rows up to i-3, and the last three rows one by one.

    Row i-3 is read again when the weights learn of it, and the means stay in memory: carried along in registers, which
    then ran out, they cost 1.5 ns a row (2 features).

    Rows and their schedule rows are asked for as in `neuron.py`: 7.9 ns for 14.9 with 1,000,000 rows of 2 inputs, 9.1
    for 17.9 with 4. What fits into the cache anyway takes up to 6% longer.
    """
    scale(weights, NODES)  # so that logits come out in nodes
    scale(means, NODES)
    w0, w1, w2, w3, b = weights[0], 0.0, 0.0, 0.0, bias[0] * NODES
    if len(inputs) > 1:
        w1 = weights[1]
    if len(inputs) > 2:
        w2 = weights[2]
    if len(inputs) > 3:
        w3 = weights[3]
    node = y1 = 0.0
    e1 = e2 = e3 = s1 = s2 = s3 = h1 = h2 = h3 = 0.0  # the last three rows' errors, steps and shares
    c1 = c2 = c3 = 1.0  # and keeps
    u0 = u1 = u2 = u3 = v0 = v1 = v2 = v3 = 0.0  # step * x, one and two rows back
    x1 = x2 = x3 = 0.0
    for first in range(start, stop, ASKED):
        if first + TILE < X.shape[0]:
            prefetch_rows(inputs, X, first + TILE)
            prefetch_rows(COLUMNS, schedule, first + TILE)
        for i in range(first, min(first + ASKED, stop)):
            x0 = np.float64(X[i, 0])
            if len(inputs) > 1:
                x1 = np.float64(X[i, 1])
            if len(inputs) > 2:
                x2 = np.float64(X[i, 2])
            if len(inputs) > 3:
                x3 = np.float64(X[i, 3])
            w0, w1, w2, w3, b = bring_in(inputs, X, max(i - 3, start), c3, e3 * s3, w0, w1, w2, w3, b)
            if h3 > 0.0:
                mix_in(inputs, h3, w0, w1, w2, w3, b, means)
            ahead = fma(c1 * c2, dot(inputs, x0, x1, x2, x3, w0, w1, w2, w3, 0.0), b)
            ahead = fma(-e2, fma(c1, dot(inputs, x0, x1, x2, x3, v0, v1, v2, v3, 0.0), s2), ahead)
            coupling = dot(inputs, x0, x1, x2, x3, u0, u1, u2, u3, s1)
            if len(kept) > 0:
                logits[i] = fma(-e1, coupling, ahead) / NODES
            raw, node = row_error(kind, table, ahead, coupling, e1, node, y1, y[i])
            error = slope_of(kind, raw, delta)
            loss = add_loss(kind, raw, error, loss)
            e3, e2, e1 = e2, e1, error
            s3, s2, s1 = s2, s1, schedule[i, at.STEP] * NODES
            c3, c2, c1 = c2, c1, schedule[i, at.KEEP]
            h3, h2, h1 = h2, h1, schedule[i, at.SHARE]
            v0, v1, v2, v3 = u0, u1, u2, u3
            u0, u1, u2, u3, y1 = x0 * s1, x1 * s1, x2 * s1, x3 * s1, y[i]
    for i in range(stop, stop + 3):
        w0, w1, w2, w3, b = bring_in(inputs, X, max(i - 3, start), c3, e3 * s3, w0, w1, w2, w3, b)
        if h3 > 0.0:
            mix_in(inputs, h3, w0, w1, w2, w3, b, means)
        e3, e2, s3, s2, c3, c2, h3, h2 = e2, e1, s2, s1, c2, c1, h2, h1
    weights[0], bias[0] = w0, b / NODES
    if len(inputs) > 1:
        weights[1] = w1
    if len(inputs) > 2:
        weights[2] = w2
    if len(inputs) > 3:
        weights[3] = w3
    scale(weights, 1.0 / NODES)
    scale(means, 1.0 / NODES)
    return loss


# --- five features and more -------------------------------------------------------------------------------------------


@part(REORDERED, forceinline=True)
def update_and_dot(X, weights, means, before, c0, c1, c2, c3, p0, p1, p2, p3, h0, h1, h2, h3, i, averaged):
    """`neuron.update_and_dot`, with the keeps of the rows `before`. Unless `averaged` is (), the means are updated too.

    Each keep is multiplied in by itself, as the plain loop does it. With their product a weight lost other digits than
    there, the same way in every block: 8e-12 after 1,500,000 rows. (At 256 inputs that costs 3 to 6% of a row's time.)
    """
    z0 = z1 = z2 = z3 = mean = 0.0
    g10 = g20 = g30 = g21 = g31 = g32 = 0.0
    d = weights.shape[0]
    for j in range(d):
        k = before * d + j
        if len(averaged) > 0:
            mean = weight_at(means, j)
        w = fma(-p0, input_at(X, k), c0 * weight_at(weights, j))
        if len(averaged) > 0:
            mean = fma(h0, w - mean, mean)
        w = fma(-p1, input_at(X, k + d), c1 * w)
        if len(averaged) > 0:
            mean = fma(h1, w - mean, mean)
        w = fma(-p2, input_at(X, k + 2 * d), c2 * w)
        if len(averaged) > 0:
            mean = fma(h2, w - mean, mean)
        w = fma(-p3, input_at(X, k + 3 * d), c3 * w)
        put_weight(weights, j, w)
        if len(averaged) > 0:
            put_weight(means, j, fma(h3, w - mean, mean))
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
def bring_in_one(X, i, keep, p, share, weights, means):
    """Weights and means after row i."""
    for j in range(weights.shape[0]):
        weights[j] = fma(-p, X[i, j], keep * weights[j])
        means[j] = fma(share, weights[j] - means[j], means[j])


@part(forceinline=True)
def wide_tile(X, y, schedule, start, stop, weights, bias, means, logits, loss, table, delta, kept, kind):
    """Rows start..stop-1, four at a time: their logits with the weights before them, then the recurrence over them."""
    d = X.shape[1]
    scale(weights, NODES)
    scale(means, NODES)
    b, mb, node = bias[0] * NODES, means[d], 0.0
    p0 = p1 = p2 = p3 = h0 = h1 = h2 = h3 = 0.0
    c0 = c1 = c2 = c3 = 1.0
    before, blocks_end = start, start + ((stop - start) & ~3)
    stride = np.int64(64 // X.itemsize)
    half = (2 * d + stride - 1) // stride
    far = max(4 * d, 128 * stride)  # as in neuron.py
    for i in range(start, blocks_end, 4):
        prefetch_lines_far(X, i * d + far, half, stride)
        if (h0 + h1) + (h2 + h3) > 0.0:
            z0, z1, z2, z3, g10, g20, g30, g21, g31, g32 = update_and_dot(
                X, weights, means, before, c0, c1, c2, c3, p0, p1, p2, p3, h0, h1, h2, h3, i, (0,)
            )
        else:
            z0, z1, z2, z3, g10, g20, g30, g21, g31, g32 = update_and_dot(
                X, weights, means, before, c0, c1, c2, c3, p0, p1, p2, p3, h0, h1, h2, h3, i, ()
            )
        prefetch_lines_far(X, (i + 2) * d + far, half, stride)
        s0, s1 = schedule[i, at.STEP], schedule[i + 1, at.STEP]
        s2, s3 = schedule[i + 2, at.STEP], schedule[i + 3, at.STEP]
        s0, s1, s2, s3 = s0 * NODES, s1 * NODES, s2 * NODES, s3 * NODES
        c0, c1 = schedule[i, at.KEEP], schedule[i + 1, at.KEEP]
        c2, c3 = schedule[i + 2, at.KEEP], schedule[i + 3, at.KEEP]
        h0, h1 = schedule[i, at.SHARE], schedule[i + 1, at.SHARE]
        h2, h3 = schedule[i + 2, at.SHARE], schedule[i + 3, at.SHARE]
        y0, y1, y2, y3 = y[i], y[i + 1], y[i + 2], y[i + 3]
        r0, node = row_error(kind, table, z0 + b, 0.0, 0.0, 0.0, 0.0, y0)
        e0 = slope_of(kind, r0, delta)
        z1 = fma(c0, z1, b)
        r1, node = row_error(kind, table, z1, fma(s0, g10, s0), e0, node, y0, y1)
        e1 = slope_of(kind, r1, delta)
        z2 = fma(-e0, fma(s0, c1 * g20, s0), fma(c0 * c1, z2, b))
        r2, node = row_error(kind, table, z2, fma(s1, g21, s1), e1, node, y1, y2)
        e2 = slope_of(kind, r2, delta)
        z3 = fma(-e0, fma(s0, c1 * c2 * g30, s0), fma(c0 * c1 * c2, z3, b))
        z3 = fma(-e1, fma(s1, c2 * g31, s1), z3)
        r3, node = row_error(kind, table, z3, fma(s2, g32, s2), e2, node, y2, y3)
        e3 = slope_of(kind, r3, delta)
        if len(kept) > 0:
            logits[i], logits[i + 1] = (z0 + b) / NODES, fma(-e0, fma(s0, g10, s0), z1) / NODES
            logits[i + 2] = fma(-e1, fma(s1, g21, s1), z2) / NODES
            logits[i + 3] = fma(-e2, fma(s2, g32, s2), z3) / NODES
        loss = add_loss(kind, r1, e1, add_loss(kind, r0, e0, loss))
        loss = add_loss(kind, r3, e3, add_loss(kind, r2, e2, loss))
        p0, p1, p2, p3 = s0 * e0, s1 * e1, s2 * e2, s3 * e3
        b -= p0
        mb = fma(h0, b - mb, mb)
        b -= p1
        mb = fma(h1, b - mb, mb)
        b -= p2
        mb = fma(h2, b - mb, mb)
        b -= p3
        mb = fma(h3, b - mb, mb)
        before = i
    if blocks_end > start:
        bring_in_one(X, before, c0, p0, h0, weights, means)
        bring_in_one(X, before + 1, c1, p1, h1, weights, means)
        bring_in_one(X, before + 2, c2, p2, h2, weights, means)
        bring_in_one(X, before + 3, c3, p3, h3, weights, means)
    means[d] = mb
    for i in range(blocks_end, stop):
        z0 = dot_row(X, i, weights) + b
        if len(kept) > 0:
            logits[i] = z0 / NODES
        raw, node = row_error(kind, table, z0, 0.0, 0.0, 0.0, 0.0, y[i])
        error = slope_of(kind, raw, delta)
        loss = add_loss(kind, raw, error, loss)
        p0 = schedule[i, at.STEP] * NODES * error
        bring_in_one(X, i, schedule[i, at.KEEP], p0, schedule[i, at.SHARE], weights, means)
        b -= p0
        means[d] = fma(schedule[i, at.SHARE], b - means[d], means[d])
    scale(weights, 1.0 / NODES)
    scale(means, 1.0 / NODES)
    bias[0] = b / NODES
    return loss


# --- epochs -----------------------------------------------------------------------------------------------------------


@kernel
def narrow_epochs(X, y, schedule, weights, bias, means, logits, losses, table, delta, inputs, kept, kind):
    for epoch in range(len(losses)):
        loss = losses[epoch]
        for start in range(0, X.shape[0], TILE):
            stop = min(start + TILE, X.shape[0])
            loss = narrow_tile(
                X, y, schedule, start, stop, weights, bias, means, logits, loss, table, delta, inputs, kept, kind
            )
        losses[epoch] = loss


@kernel
def wide_epochs(X, y, schedule, weights, bias, means, logits, losses, table, delta, kept, kind):
    for epoch in range(len(losses)):
        loss = losses[epoch]
        for start in range(0, X.shape[0], TILE):
            stop = min(start + TILE, X.shape[0])
            loss = wide_tile(X, y, schedule, start, stop, weights, bias, means, logits, loss, table, delta, kept, kind)
        losses[epoch] = loss


def _for_rows(X, kept, kind):
    """The kernel for rows of that width, and X or a copy."""
    width, words = X.shape[1], f"t{kept} t{kind}"
    if width <= NARROW:
        return for_rows(narrow_epochs, f"{REGULARIZED} t{width} {words}", X, reorders=True)
    return for_rows(wide_epochs, f"{REGULARIZED} {words}", X, reorders=True)


def sgd_regularized_epochs(X, y, schedule, rule, weights, bias, means, paid, losses, logits=None):
    """The reference's `sgd_regularized_epochs`, to 1e-12, for a schedule without cuts, a loss of `row_error.KINDS`, a
    bias scale of 1.0 and steps in bounds.

    Steps are in bounds while step * (|x|^2 + 1) is at most 8 for every row, and 2 if there is no sigmoid. `X` is (n,
    d), C-contiguous, float64 or float32; the rest is float64, and `paid` is left alone. Wherever an epoch is cut into
    calls at multiples of TILE rows, the results are the same to the last bit. If `logits` is given, a slot a row,
    each row's sum before its update is left there; the loss must be LOG_LOSS then.
    """
    width, kept, kind = X.shape[1], logits is not None, KINDS[int(rule[at.NEURON_LOSS])]
    epochs, X = _for_rows(X, int(kept), kind)
    arrays = X, y, schedule, weights, bias, means, logits if kept else losses, losses, TABLE, float(rule[at.SHAPE])
    inputs = ((0,) * width,) if width <= NARROW else ()
    epochs(*arrays, *inputs, (0,) * kept, (0,) * kind)
