"""Several classes in one pass over the rows, one against the rest: a class is a lane of the registers, as a model is in
`lanes.py`, and all share every load of a row.

`strict_epoch` makes the plain loop's updates with its roundings, lane by lane: bit for bit those of `strict.py`. While
a sweep over the inputs brings the row before into the weights, the sum of the next is taken from them.
`fast_epoch` sums in another order, and its sweeps take two rows: with keep and p the shrinking and the nudge of row i,
the sum of row i+1 is keep*(x[i+1].w) + b - p*(x[i+1].x[i] + 1) in the weights before both. Its errors are those of
`lanes.py`.

The objective is each row's cross-entropy before its update plus l2/2 * |w|**2 for the weights that it meets. |w|**2 is
carried from row to row: after w = keep*w - p*x it is keep**2 |w|**2 - 2 keep p (x.w) + p**2 |x|**2.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import compiled, kernel, part
from tinynet_fast.kernels.compiler.registers import (
    add,
    add_exponent,
    div,
    flip,
    fma,
    fnma,
    limit,
    load,
    mantissa,
    mul,
    store,
    sub,
    where_equal,
)
from tinynet_fast.kernels.compiler.signatures import CLASSES
from tinynet_fast.kernels.fast.many_neurons import CHUNK, FARTHEST, MANY, MOST, WIDTH, aligned, wrong_label
from tinynet_fast.kernels.strict import sigmoid

__all__ = ["MOST", "WIDTH", "aligned", "clear", "objectives", "train"]

FACTORS = 512  # factors from 1 to 2 whose product is a float
ROW_RATE, SQUARE, WEIGHT, SHARE = 0, 1, 2, 3  # columns of `plan`
RATE, CODE, POSITIVE, NEGATIVE, L2, BIAS = 0, 1, 2, 3, 4, 5  # rows of `options`
TOTAL, PRODUCT, EXPONENT, SCRATCH = 0, 1, 2, 3  # rows of `sums`
N_OPTIONS, N_SUMS = 6, 4
NO_CLASS = -1.0  # the code of a lane that is not used


@part(forceinline=True)
def square_of(state, d, like):
    """|w|**2 of each lane."""
    m = WIDTH * len(like)
    total = mul(load(state, 0, like), 0.0)
    for j in range(d):
        w = load(state, j * m, like)
        total = fma(w, w, total)
    return total


@part(forceinline=True)
def next_square(square, keep, nudge, dot, norm):
    """|keep*w - nudge*x|**2 for |w|**2, x.w and |x|**2."""
    return fma(mul(keep, keep), square, mul(nudge, sub(mul(nudge, norm), mul(mul(keep, 2.0), dot))))


@part(forceinline=True)
def mix(state, place, share, w, like):
    """mean += share * (w - mean), rounded as the plain loop does."""
    mean = load(state, place, like)
    store(state, place, add(mean, mul(share, sub(w, mean))))


# --- bit for bit ------------------------------------------------------------------------------------------------------


@part(forceinline=True)
def bring_in_strictly(x, j, nudge, keep, share, state, d, like, averaged):
    """Weight j after the row before, whose input j is x."""
    m = WIDTH * len(like)
    w = sub(mul(keep, load(state, j * m, like)), mul(nudge, x))
    store(state, j * m, w)
    if len(averaged) > 0:
        mix(state, (d + 1 + j) * m, share, w, like)
    return w


@kernel
def strict_epoch(X, codes, plan, options, state, sums, like, averaged, watched):
    n, d = X.shape
    m = WIDTH * len(like)
    rate, code, l2 = load(options, RATE * m, like), load(options, CODE * m, like), load(options, L2 * m, like)
    bias_scale, one = load(options, BIAS * m, like), add(mul(rate, 0.0), 1.0)
    total, product = load(sums, TOTAL * m, like), load(sums, PRODUCT * m, like)
    exponent = load(sums, EXPONENT * m, like)
    nudge, keep, share, before = mul(rate, 0.0), one, 0.0, 0  # no row has come before
    square = square_of(state, d, like)
    for start in range(0, n, FACTORS):
        for i in range(start, min(start + FACTORS, n)):
            z = mul(one, 0.0)
            for j in range(d):
                w = bring_in_strictly(np.float64(X[before, j]), j, nudge, keep, share, state, d, like, averaged)
                z = add(z, mul(w, np.float64(X[i, j])))
            bias = bring_in_strictly(1.0, d, mul(bias_scale, nudge), 1.0, share, state, d, like, averaged)
            z = add(z, bias)
            before, share = i, plan[i, SHARE]
            store(sums, SCRATCH * m, z)
            for c in range(m):
                if options[CODE, c] != NO_CLASS:
                    sums[SCRATCH, c] = sigmoid(sums[SCRATCH, c])
            probability, y = load(sums, SCRATCH * m, like), where_equal(code, codes[i], 1.0, mul(one, 0.0))
            side = where_equal(code, codes[i], load(options, POSITIVE * m, like), load(options, NEGATIVE * m, like))
            now = mul(rate, plan[i, ROW_RATE])
            nudge = mul(mul(now, mul(side, plan[i, WEIGHT])), sub(probability, y))
            keep = limit(sub(1.0, mul(l2, now)), 0.0, 1.0)
            if len(watched) > 0:
                total = add(total, sub(limit(z, 0.0, MANY), mul(y, z)))
                total = fma(mul(l2, 0.5), square, total)
                product = div(product, limit(probability, sub(1.0, probability), 2.0))
                square = next_square(square, keep, nudge, sub(z, bias), plan[i, SQUARE])
        exponent, product = add_exponent(exponent, product), mantissa(product)
    if n > 0:
        for j in range(d):
            bring_in_strictly(np.float64(X[before, j]), j, nudge, keep, share, state, d, like, averaged)
        bring_in_strictly(1.0, d, mul(bias_scale, nudge), 1.0, share, state, d, like, averaged)
    store(sums, TOTAL * m, total)
    store(sums, PRODUCT * m, product)
    store(sums, EXPONENT * m, exponent)


# --- two rows at a time -----------------------------------------------------------------------------------------------


@part(forceinline=True)
def bring_in_two(x, y, j, p, keep_p, share_p, q, keep_q, share_q, state, d, like, averaged):
    """Weight j after the two rows before, whose inputs j are x and y.

    Each keep is multiplied in by itself, with the plain loop's rounding. With the product of both, weights were 7e-12
    off after 1,500,000 rows. (It was 10% faster for 16 classes or more with 64 inputs.)
    """
    m = WIDTH * len(like)
    w = fnma(x, p, mul(load(state, j * m, like), keep_p))
    if len(averaged) > 0:
        mix(state, (d + 1 + j) * m, share_p, w, like)
    w = fnma(y, q, mul(w, keep_q))
    store(state, j * m, w)
    if len(averaged) > 0:
        mix(state, (d + 1 + j) * m, share_q, w, like)
    return w


@part(forceinline=True)
def sweep(X, before, last, i, ahead, state, p, keep_p, share_p, q, keep_q, share_q, like, averaged):
    """Bring rows `before` and `last` into the weights; the bias, x[i].w, x[ahead].w, and x[i].x[ahead] + 1."""
    d = X.shape[1]
    bias = bring_in_two(1.0, 1.0, d, p, 1.0, share_p, q, 1.0, share_q, state, d, like, averaged)
    z = z_ahead = mul(bias, 0.0)
    coupling = 1.0
    for j in range(d):
        u, v = np.float64(X[i, j]), np.float64(X[ahead, j])
        x, y = np.float64(X[before, j]), np.float64(X[last, j])
        w = bring_in_two(x, y, j, p, keep_p, share_p, q, keep_q, share_q, state, d, like, averaged)
        z, z_ahead = fma(u, w, z), fma(v, w, z_ahead)
        coupling += u * v
    return bias, z, z_ahead, coupling


@part(forceinline=True)
def learn(z, row_code, row, plan, rate, code, l2, options, like):
    """(nudge, keep, 1 + G, s z) of a row with sums z; s and G are those of `lanes.py`."""
    m = WIDTH * len(like)
    side = where_equal(code, row_code, -1.0, 1.0)
    weight = where_equal(code, row_code, load(options, POSITIVE * m, like), load(options, NEGATIVE * m, like))
    now, u = mul(rate, plan[row, ROW_RATE]), flip(z, side)
    wrong, total = wrong_label(u)
    nudge = flip(mul(wrong, mul(now, mul(weight, plan[row, WEIGHT]))), side)
    return nudge, limit(fnma(l2, now, 1.0), 0.0, 1.0), total, u


@part(forceinline=True)
def penalised(total, u, l2, square):
    """`total` plus the row's penalty, and what 1 + G leaves out of the row's cross-entropy."""
    return fma(mul(l2, 0.5), square, add(sub(limit(u, FARTHEST, MANY), FARTHEST), total))


@kernel
def fast_epoch(X, codes, plan, options, state, sums, like, averaged, watched):
    n, d = X.shape
    m = WIDTH * len(like)
    rate, code, l2 = load(options, RATE * m, like), load(options, CODE * m, like), load(options, L2 * m, like)
    total, product = load(sums, TOTAL * m, like), load(sums, PRODUCT * m, like)
    exponent, square = load(sums, EXPONENT * m, like), square_of(state, d, like)
    p = q = mul(rate, 0.0)  # no row has come before
    keep_p = keep_q = add(p, 1.0)
    share_p = share_q = 0.0
    before = last = 0
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n), 2):
            ahead = min(i + 1, n - 1)
            bias, dot, dot_ahead, coupling = sweep(
                X, before, last, i, ahead, state, p, keep_p, share_p, q, keep_q, share_q, like, averaged
            )
            p, keep_p, factor, u = learn(add(dot, bias), codes[i], i, plan, rate, code, l2, options, like)
            share_p, before, last = plan[i, SHARE], i, ahead
            if len(watched) > 0:
                product, total = mul(product, factor), penalised(total, u, l2, square)
                square = next_square(square, keep_p, p, dot, plan[i, SQUARE])
            q, keep_q, share_q = mul(p, 0.0), add(mul(p, 0.0), 1.0), 0.0
            if ahead > i:
                dot = fnma(coupling - 1.0, p, mul(keep_p, dot_ahead))
                z = add(dot, sub(bias, p))
                q, keep_q, factor, u = learn(z, codes[ahead], ahead, plan, rate, code, l2, options, like)
                share_q = plan[ahead, SHARE]
                if len(watched) > 0:
                    product, total = mul(product, factor), penalised(total, u, l2, square)
                    square = next_square(square, keep_q, q, dot, plan[ahead, SQUARE])
        exponent, product = add_exponent(exponent, product), mantissa(product)
    if n > 0:
        sweep(X, before, last, last, last, state, p, keep_p, share_p, q, keep_q, share_q, like, averaged)
    store(sums, TOTAL * m, total)
    store(sums, PRODUCT * m, product)
    store(sums, EXPONENT * m, exponent)


# --- calls ------------------------------------------------------------------------------------------------------------


def _compiled(function, floats, registers, averaged, watched):
    """`function` for rows of float64 ("d") or float32 ("f")."""
    return compiled(function, f"{floats}2 {CLASSES} t{registers} t{averaged} t{watched}")


def train(X, codes, plan, options, state, sums, averaged, watched, fast):
    """One pass over the rows of `X`, (n, d), C-contiguous, float64 or float32, for up to 8 * MOST classes at once.

    `codes` holds the number of each row's class, and `plan` (n, 4) what all classes share of a row: ROW_RATE, its
    learning rate; SQUARE, |x|**2, looked at where `watched` is true; WEIGHT, its sample weight; SHARE, that of the
    weights after it in their mean. All arrays are float64; the following have a column a class, as many as divide by 8:

    - options: RATE, a factor for the learning rates; CODE, the number of the class, or NO_CLASS; what rows count for
      that are POSITIVE, of the class, and NEGATIVE; the L2 penalty; BIAS, how large the bias's steps are;
    - state: weights and bias; where `averaged` is true also, as many rows further down, their means;
    - sums: where `watched` is true, what `objectives` makes the summed objective of.

    With `fast` the BIAS must be 1.0 and steps in bounds, as for `fast_regularized.py`; weights are then the plain
    loop's to 1e-12, and else bit for bit. Wherever the rows are cut into calls, at even numbers of rows, and whichever
    classes stand beside each other, the weights are the same bits.
    """
    registers = options.shape[1] // WIDTH
    epoch = _compiled(fast_epoch if fast else strict_epoch, X.dtype.char, registers, int(averaged), int(watched))
    epoch(X, codes, plan, options, state, sums, (0,) * registers, (0,) * averaged, (0,) * watched)


def clear(sums):
    """`sums` as before the first row of an epoch."""
    sums[:] = 0.0
    sums[PRODUCT] = 1.0


def objectives(sums):
    """The summed objective of each class."""
    return sums[TOTAL] + np.log(sums[PRODUCT]) + sums[EXPONENT].view(np.int64) * math.log(2.0)
