"""Several classes in one pass over the rows, one against the rest: a class is a lane of the registers, as a neuron is
in `many_neurons.py`, and all share every load of a row.

`strict_epoch` makes the plain loop's updates with its roundings, lane by lane: bit for bit those of `strict.py`. While
a sweep over the inputs brings the row before into the weights, the sum of the next is taken from them.
`fast_epoch` sums in another order, and its sweeps take two rows: with keep and p the shrinking and the nudge of row i,
the sum of row i+1 is keep*(x[i+1].w) + b - p*(x[i+1].x[i] + 1) in the weights before both. Its errors are those of
`many_neurons.py`.

The objective is each row's cross-entropy before its update plus l2/2 * |w|**2 for the weights that it meets. |w|**2 is
carried from row to row: after w = keep*w - p*x it is keep**2 |w|**2 - 2 keep p (x.w) + p**2 |x|**2.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import for_rows, kernel, part
from tinynet_fast.kernels.compiler.signatures import CLASSES
from tinynet_fast.kernels.compiler.simd import (
    flip,
    fma,
    full,
    limit,
    load,
    mantissa,
    prefetch,
    store,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast.many_neurons import (
    CHUNK,
    FARTHEST,
    MANY,
    MOST,
    WIDTH,
    add_exponent,
    aligned,
    load_rows,
    store_rows,
    wrong_label,
)
from tinynet_fast.kernels.strict import sigmoid

__all__ = ["MOST", "WIDTH", "aligned", "clear", "objectives", "train"]

FACTORS = 512  # factors from 1 to 2 whose product is a float
# Numbers of X that are asked for before they are met. From memory, 8 classes and 128 features took 254 ns a row and
# take 138 (32 classes: 435 and 326; strict, 8 classes: 439 and 234). With 512, 8 classes and 256 features took 7%
# longer from the cache.
AHEAD = 384
ROW_RATE, SQUARE, WEIGHT, SHARE = 0, 1, 2, 3  # columns of `schedule`
RATE, CODE, POSITIVE, NEGATIVE, L2, BIAS = 0, 1, 2, 3, 4, 5  # rows of `options`
TOTAL, PRODUCT, EXPONENT, SCRATCH = 0, 1, 2, 3  # rows of `sums`
SUMMED = (TOTAL, PRODUCT, EXPONENT)
N_OPTIONS, N_SUMS = 6, 4
NO_CLASS = -1.0  # the code of a lane that is not used


@part(forceinline=True)
def square_of(state, d, lanes):
    """|w|**2 of each class."""
    total = full(0.0, lanes)
    for j in range(d):
        w = load(state, j * WIDTH * len(lanes), lanes)
        total = fma(w, w, total)
    return total


@unrolled
def next_square(square, keep, nudge, dot, norm):
    """|keep*w - nudge*x|**2 for |w|**2, x.w and |x|**2."""
    return fma(keep * keep, square, nudge * (nudge * norm - keep * 2.0 * dot))


@unrolled
def mix(averaged, state, j, d, share, w, lanes):
    """mean += share * (w - mean), rounded as the plain loop does, of weight j and unless `averaged` is ()."""
    if averaged:
        at = (d + 1 + j) * (WIDTH * len(lanes))
        mean = load(state, at, lanes)
        store(state, at, mean + share * (w - mean))


@unrolled
def counts_for(code, row_code, options, lanes):
    """What the row counts for, for each class: whether it is of the class, and how much that weighs."""
    positive, negative = load_rows(options, (POSITIVE, NEGATIVE), lanes)
    return where(code == row_code, positive, negative)


# --- bit for bit ------------------------------------------------------------------------------------------------------


@unrolled
def bring_in_strictly(x, j, nudge, keep, share, state, d, lanes, averaged):
    """Weight j after the row before, whose input j is x."""
    at = j * (WIDTH * len(lanes))
    w = keep * load(state, at, lanes) - nudge * x
    store(state, at, w)
    mix(averaged, state, j, d, share, w, lanes)
    return w


@kernel
def strict_epoch(X, codes, schedule, options, state, sums, lanes, averaged, watched):
    n, d = X.shape
    rate, code, l2, bias_scale = load_rows(options, (RATE, CODE, L2, BIAS), lanes)
    total, product, exponent = load_rows(sums, SUMMED, lanes)
    nudge, keep, share, before = full(0.0, lanes), full(1.0, lanes), 0.0, 0  # no row has come before
    square = square_of(state, d, lanes)
    for start in range(0, n, FACTORS):
        for i in range(start, min(start + FACTORS, n)):
            z = full(0.0, lanes)
            for j in range(d):
                if j & 7 == 0:
                    prefetch(X, i * d + j + AHEAD)
                w = bring_in_strictly(np.float64(X[before, j]), j, nudge, keep, share, state, d, lanes, averaged)
                z = z + w * np.float64(X[i, j])
            bias = bring_in_strictly(1.0, d, bias_scale * nudge, 1.0, share, state, d, lanes, averaged)
            z = z + bias
            before, share = i, schedule[i, SHARE]
            store_rows(sums, (SCRATCH,), (z,), lanes)
            for c in range(options.shape[1]):
                if options[CODE, c] != NO_CLASS:
                    sums[SCRATCH, c] = sigmoid(sums[SCRATCH, c])
            (probability,) = load_rows(sums, (SCRATCH,), lanes)
            y = where(code == codes[i], 1.0, 0.0)
            now = rate * schedule[i, ROW_RATE]
            nudge = now * (counts_for(code, codes[i], options, lanes) * schedule[i, WEIGHT]) * (probability - y)
            keep = limit(1.0 - l2 * now, 0.0, 1.0)
            if len(watched) > 0:
                total = total + (limit(z, 0.0, MANY) - y * z)
                total = fma(l2 * 0.5, square, total)
                product = product / limit(probability, 1.0 - probability, 2.0)
                square = next_square(square, keep, nudge, z - bias, schedule[i, SQUARE])
        exponent, product = add_exponent(exponent, product), mantissa(product)
    if n > 0:
        for j in range(d):
            bring_in_strictly(np.float64(X[before, j]), j, nudge, keep, share, state, d, lanes, averaged)
        bring_in_strictly(1.0, d, bias_scale * nudge, 1.0, share, state, d, lanes, averaged)
    store_rows(sums, SUMMED, (total, product, exponent), lanes)


# --- two rows at a time -----------------------------------------------------------------------------------------------


@unrolled
def bring_in_two(x, y, j, p, keep_p, share_p, q, keep_q, share_q, state, d, lanes, averaged):
    """Weight j after the two rows before, whose inputs j are x and y.

    Each keep is multiplied in by itself, with the plain loop's rounding. With the product of both, weights were 7e-12
    off after 1,500,000 rows. (It was 10% faster for 16 classes or more with 64 inputs.)
    """
    at = j * (WIDTH * len(lanes))
    w = fma(-x, p, load(state, at, lanes) * keep_p)
    mix(averaged, state, j, d, share_p, w, lanes)
    w = fma(-y, q, w * keep_q)
    store(state, at, w)
    mix(averaged, state, j, d, share_q, w, lanes)
    return w


@part(forceinline=True)
def sweep(X, before, last, i, ahead, state, p, keep_p, share_p, q, keep_q, share_q, lanes, averaged):
    """Bring rows `before` and `last` into the weights; the bias, x[i].w, x[ahead].w, and x[i].x[ahead] + 1."""
    d = X.shape[1]
    bias = bring_in_two(1.0, 1.0, d, p, 1.0, share_p, q, 1.0, share_q, state, d, lanes, averaged)
    z = z_ahead = full(0.0, lanes)
    coupling = 1.0
    for j in range(d):
        if j & 3 == 0:  # a cache line of two rows
            prefetch(X, i * d + 2 * j + AHEAD)
        u, v = np.float64(X[i, j]), np.float64(X[ahead, j])
        x, y = np.float64(X[before, j]), np.float64(X[last, j])
        w = bring_in_two(x, y, j, p, keep_p, share_p, q, keep_q, share_q, state, d, lanes, averaged)
        z, z_ahead = fma(u, w, z), fma(v, w, z_ahead)
        coupling += u * v
    return bias, z, z_ahead, coupling


@unrolled
def learn(z, row_code, row_rate, row_weight, rate, code, l2, options, lanes):
    """(nudge, keep, 1 + G, s z) of a row with sums z; s and G are those of `many_neurons.py`."""
    side = where(code == row_code, -1.0, 1.0)
    weight = counts_for(code, row_code, options, lanes)
    now, u = rate * row_rate, flip(z, side)
    wrong, total = wrong_label(u)
    nudge = flip(wrong * (now * (weight * row_weight)), side)
    return nudge, limit(fma(-l2, now, 1.0), 0.0, 1.0), total, u


@unrolled
def penalised(total, u, l2, square):
    """`total` plus the row's penalty, and what 1 + G leaves out of the row's cross-entropy."""
    return fma(l2 * 0.5, square, limit(u, FARTHEST, MANY) - FARTHEST + total)


@kernel
def fast_epoch(X, codes, schedule, options, state, sums, lanes, averaged, watched):
    n, d = X.shape
    rate, code, l2 = load_rows(options, (RATE, CODE, L2), lanes)
    total, product, exponent = load_rows(sums, SUMMED, lanes)
    square = square_of(state, d, lanes)
    p = q = full(0.0, lanes)  # no row has come before
    keep_p = keep_q = full(1.0, lanes)
    share_p = share_q = 0.0
    before = last = 0
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n), 2):
            ahead = min(i + 1, n - 1)
            bias, dot, dot_ahead, coupling = sweep(
                X, before, last, i, ahead, state, p, keep_p, share_p, q, keep_q, share_q, lanes, averaged
            )
            p, keep_p, factor, u = learn(
                dot + bias, codes[i], schedule[i, ROW_RATE], schedule[i, WEIGHT], rate, code, l2, options, lanes
            )
            share_p, before, last = schedule[i, SHARE], i, ahead
            if len(watched) > 0:
                product, total = product * factor, penalised(total, u, l2, square)
                square = next_square(square, keep_p, p, dot, schedule[i, SQUARE])
            q, keep_q, share_q = p * 0.0, p * 0.0 + 1.0, 0.0
            if ahead > i:
                dot = fma(1.0 - coupling, p, keep_p * dot_ahead)
                z = dot + (bias - p)
                q, keep_q, factor, u = learn(
                    z, codes[ahead], schedule[ahead, ROW_RATE], schedule[ahead, WEIGHT], rate, code, l2, options, lanes
                )
                share_q = schedule[ahead, SHARE]
                if len(watched) > 0:
                    product, total = product * factor, penalised(total, u, l2, square)
                    square = next_square(square, keep_q, q, dot, schedule[ahead, SQUARE])
        exponent, product = add_exponent(exponent, product), mantissa(product)
    if n > 0:
        sweep(X, before, last, last, last, state, p, keep_p, share_p, q, keep_q, share_q, lanes, averaged)
    store_rows(sums, SUMMED, (total, product, exponent), lanes)


# --- calls ------------------------------------------------------------------------------------------------------------


def train(X, codes, schedule, options, state, sums, averaged, watched, fast):
    """One pass over the rows of `X`, (n, d), C-contiguous, float64 or float32, for up to 8 * MOST classes at once.

    `codes` holds the number of each row's class, and `schedule` (n, 4) what all classes share of a row: ROW_RATE, its
    learning rate; SQUARE, |x|**2, used if `watched` is true; WEIGHT, its sample weight; SHARE, that of the
    weights after it in their mean. All arrays are float64; the following have a column a class, as many as divide by 8:

    - options: RATE, a factor for the learning rates; CODE, the number of the class, or NO_CLASS; what rows count for
      that are POSITIVE, of the class, and NEGATIVE; the L2 penalty; BIAS, how large the bias's steps are;
    - state: weights and bias; if `averaged` is true, also their means, as many rows further down;
    - sums: if `watched` is true, what `objectives` makes the summed objective of.

    With `fast` the BIAS must be 1.0 and steps in bounds, as for `regularized_neuron.py`; weights are then the plain
    loop's to 1e-12, and else bit for bit. Wherever the rows are cut into calls, at even numbers of rows, and whichever
    classes stand beside each other, the weights are the same bits.
    """
    registers = options.shape[1] // WIDTH
    words = f"{CLASSES} t{registers} t{int(averaged)} t{int(watched)}"
    epoch, X = for_rows(fast_epoch if fast else strict_epoch, words, X)
    epoch(X, codes, schedule, options, state, sums, (0,) * registers, (0,) * averaged, (0,) * watched)


def clear(sums):
    """`sums` as before the first row of an epoch."""
    sums[:] = 0.0
    sums[PRODUCT] = 1.0


def objectives(sums):
    """The summed objective of each class."""
    return sums[TOTAL] + np.log(sums[PRODUCT]) + sums[EXPONENT].view(np.int64) * math.log(2.0)
