"""Many models in one pass over the rows: a model is a lane of the registers, and all share every load of a row.

Each lane makes the reference's updates in the reference's order: the weights of eight models are one register, a number
of the row is spread over one, and a sweep over the features brings the rows before into each weight and the weight into
the sum of the next, so that it is loaded and stored once. Without penalties a sweep takes two rows: with p the nudge of
row i, the sum of row i+1 is x[i+1].w + b - p*(x[i+1].x[i] + 1) in the weights before both, as in `fast.py`. What one
model waits for (a sum, exp, a division: about 70 cycles) the others fill. No lane sees another, whatever becomes of it.

With s = 1 for a fail and -1 for a pass, and G = exp(s z), a row's error is s q where q = G / (1 + G) is the probability
of the wrong label, and its cross-entropy is log(1 + G). The kernel multiplies these 1 + G up, and takes the exponent
out of the product every CHUNK rows, so that a row's log loss costs a multiplication.

Nothing here allocates, raises or keeps state between calls.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import MissingCompilerError, compiled, for_rows, kernel, part
from tinynet_fast.kernels.compiler.registers import (
    REGISTER,
    ROUND,
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
    two_to_the_sixteenth,
    update_and_dot,
    where_equal,
)
from tinynet_fast.kernels.compiler.signatures import MODELS

WIDTH = REGISTER  # models in a register
MOST = 4  # registers of models a call takes: 67, 39, 30, 27 cycles each for 1, 2, 3, 4; 6 are no better (2 features)
CHUNK = 16  # rows whose 1 + G can be multiplied up without overflow
FARTHEST = 44.0  # sums beyond it count as it: 1 + G may be as large as exp(700 / CHUNK), and q is 0 or 1 to 8e-20

# exp(u) = 2**(k/16) * exp(u - k*STEP), with the whole number k nearest to u / STEP.
STEP = math.log(2.0) / 16.0
RATE, KEEP, HELD = 0, 1, 2  # rows of `options`
SQUARES, PRODUCT, EXPONENT, HELD_PRODUCT, HELD_EXPONENT, ROWS = 0, 1, 2, 3, 4, 5  # rows of `sums`
N_OPTIONS, N_SUMS = 3, 6
NOBODY = -1.0  # the fold that a model trained on all rows holds out
MANY = 1e300  # more than any number of rows


def power_coefficients():
    """exp(f) for |f| <= STEP / 2 to 1e-17: 10 terms of Taylor, economised to degree 6 by Chebyshev."""
    terms, radius = np.array([1.0 / math.factorial(k) for k in range(10)]), (STEP / 2.0) ** np.arange(10)
    series = np.polynomial.chebyshev.poly2cheb(terms * radius)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(series[:7]) / radius[:7])


C0, C1, C2, C3, C4, C5, C6 = power_coefficients()


@part(forceinline=True)
def wrong_label(u):
    """(q, 1 + G) for sums u = s * z, to 5.2e-16 + 3.4e-17 |u| relative: 16 table entries, degree 6, one division.

    With no table the polynomial has degree 11. A division takes 9 cycles for eight lanes; multiplications lose 3.
    """
    u = limit(u, -FARTHEST, FARTHEST)
    shifted = fma(u, 1.0 / STEP, ROUND)
    f = fnma(sub(shifted, ROUND), STEP, u)
    f2 = mul(f, f)
    high = fma(f2, C6, fma(f, C5, C4))
    p = fma(f2, fma(f2, high, fma(f, C3, C2)), fma(f, C1, C0))
    odds = mul(p, two_to_the_sixteenth(shifted))
    total = add(odds, 1.0)
    return div(odds, total), total


@part(forceinline=True)
def learn(z, y, step, rate, like):
    """(nudge, q, 1 + G) of a row of sums z, label y, and a step that is `rate` times a sample weight."""
    side = 0.5 - y
    wrong, total = wrong_label(flip(z, side))
    return flip(mul(wrong, mul(rate, step)), side), wrong, total


@part(forceinline=True)
def unless_held(folded, folds, i, held, trained, otherwise):
    """`trained`, or `otherwise` for the models that hold row i out."""
    if len(folded) > 0:
        return where_equal(held, folds[i], otherwise, trained)
    return trained


# --- models without penalties: two rows at a time ---------------------------------------------------------------------


@part(forceinline=True)
def sweep_features(X, before, last, i, ahead, state, p, q, like):
    """Bring rows `before` and `last` into the weights, by p and q; sums of rows i and `ahead`, and their x.x + 1."""
    d, m = X.shape[1], WIDTH * len(like)
    z = sub(sub(load(state, d * m, like), p), q)
    store(state, d * m, z)
    z_ahead, coupling = z, 1.0
    for j in range(d):
        u, v = np.float64(X[i, j]), np.float64(X[ahead, j])
        x, y = np.float64(X[before, j]), np.float64(X[last, j])
        z, z_ahead = update_and_dot(state, j * m, x, p, y, q, u, z, v, z_ahead)
        coupling += u * v
    return z, z_ahead, coupling


@kernel
def train_plain(X, y, weights, folds, options, state, sums, like, folded):
    """One pass over the rows for as many registers of models as the tuple `like` is long; see `train`.

    `folded` is a tuple too, empty where no model holds out a fold; then `folds` is not looked at.
    """
    n, m = len(y), WIDTH * len(like)
    rate, held = load(options, RATE * m, like), load(options, HELD * m, like)
    squares, product, exponent = (
        load(sums, SQUARES * m, like),
        load(sums, PRODUCT * m, like),
        load(sums, EXPONENT * m, like),
    )
    held_product, held_exponent = load(sums, HELD_PRODUCT * m, like), load(sums, HELD_EXPONENT * m, like)
    p = q = mul(rate, 0.0)  # no row has come before
    before = last = 0
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n), 2):
            ahead = min(i + 1, n - 1)
            z, z_ahead, coupling = sweep_features(X, before, last, i, ahead, state, p, q, like)
            p, wrong, total = learn(z, y[i], weights[i], rate, like)
            if len(folded) > 0:
                held_product = mul(held_product, where_equal(held, folds[i], total, 1.0))
            p, wrong = unless_held(folded, folds, i, held, p, 0.0), unless_held(folded, folds, i, held, wrong, 0.0)
            squares = fma(wrong, wrong, squares)
            product = mul(product, unless_held(folded, folds, i, held, total, 1.0))
            q = mul(p, 0.0)
            before, last = i, ahead
            if ahead > i:
                q, wrong, total = learn(fnma(coupling, p, z_ahead), y[ahead], weights[ahead], rate, like)
                if len(folded) > 0:
                    held_product = mul(held_product, where_equal(held, folds[ahead], total, 1.0))
                q = unless_held(folded, folds, ahead, held, q, 0.0)
                wrong = unless_held(folded, folds, ahead, held, wrong, 0.0)
                squares = fma(wrong, wrong, squares)
                product = mul(product, unless_held(folded, folds, ahead, held, total, 1.0))
        exponent, product = add_exponent(exponent, product), mantissa(product)
        held_exponent, held_product = add_exponent(held_exponent, held_product), mantissa(held_product)
    if n > 0:
        sweep_features(X, before, last, last, last, state, p, q, like)
    store(sums, SQUARES * m, squares)
    store(sums, PRODUCT * m, product)
    store(sums, EXPONENT * m, exponent)
    store(sums, HELD_PRODUCT * m, held_product)
    store(sums, HELD_EXPONENT * m, held_exponent)


# --- models with penalties or averaging: a row at a time --------------------------------------------------------------


@part(forceinline=True)
def bring_in(x, j, nudge, keep, share, state, d, like):
    """Weight j after the row before, whose input j is x: shrunk by `keep`, moved by nudge * x, then averaged."""
    m = WIDTH * len(like)
    w = fnma(x, nudge, mul(load(state, j * m, like), keep))
    store(state, j * m, w)
    mean = load(state, (d + 1 + j) * m, like)
    store(state, (d + 1 + j) * m, fma(share, sub(w, mean), mean))
    return w


@kernel
def train_penalised(X, y, weights, folds, options, state, sums, like, folded):
    """`train_plain` for models with a penalty and for models that are averaged."""
    n, d = X.shape
    m = WIDTH * len(like)
    rate, held = load(options, RATE * m, like), load(options, HELD * m, like)
    squares, rows = load(sums, SQUARES * m, like), load(sums, ROWS * m, like)
    product, exponent = load(sums, PRODUCT * m, like), load(sums, EXPONENT * m, like)
    held_product, held_exponent = load(sums, HELD_PRODUCT * m, like), load(sums, HELD_EXPONENT * m, like)
    nudge = share = mul(rate, 0.0)  # no row has come before
    one = keep = add(nudge, 1.0)
    before = 0
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n)):
            z = bring_in(1.0, d, nudge, 1.0, share, state, d, like)
            for j in range(d):
                w = bring_in(np.float64(X[before, j]), j, nudge, keep, share, state, d, like)
                z = fma(np.float64(X[i, j]), w, z)
            before = i
            nudge, wrong, total = learn(z, y[i], weights[i], rate, like)
            if len(folded) > 0:
                held_product = mul(held_product, where_equal(held, folds[i], total, 1.0))
            nudge = unless_held(folded, folds, i, held, nudge, 0.0)
            wrong = unless_held(folded, folds, i, held, wrong, 0.0)
            keep = unless_held(folded, folds, i, held, load(options, KEEP * m, like), 1.0)
            share = unless_held(folded, folds, i, held, one, 0.0)
            rows = add(rows, share)
            share = div(share, limit(rows, 1.0, MANY))
            squares = fma(wrong, wrong, squares)
            product = mul(product, unless_held(folded, folds, i, held, total, 1.0))
        exponent, product = add_exponent(exponent, product), mantissa(product)
        held_exponent, held_product = add_exponent(held_exponent, held_product), mantissa(held_product)
    if n > 0:
        bring_in(1.0, d, nudge, 1.0, share, state, d, like)
        for j in range(d):
            bring_in(np.float64(X[before, j]), j, nudge, keep, share, state, d, like)
    store(sums, SQUARES * m, squares)
    store(sums, ROWS * m, rows)
    store(sums, PRODUCT * m, product)
    store(sums, EXPONENT * m, exponent)
    store(sums, HELD_PRODUCT * m, held_product)
    store(sums, HELD_EXPONENT * m, held_exponent)


# --- calls ------------------------------------------------------------------------------------------------------------


def _compiled(function, floats, registers, folded):
    """`function` for rows of float64 ("d") or float32 ("f")."""
    return compiled(function, f"{floats}2 {MODELS} t{registers} t{folded}")


def train(X, y, weights, folds, options, state, sums, penalised):
    """One pass over the rows of `X`, (n, d), C-contiguous, float64 or float32, for up to 8 * MOST models at once.

    `y` holds 0.0 or 1.0 a row, `weights` what the row counts for, `folds` its fold's number, or is None where there are
    none. A row changes no model that holds its fold out; that model's log loss on it is added up instead. All arrays
    are float64 and have a column a model, as many as divide by 8:

    - options: RATE, its learning rate; KEEP, what the l2 penalty leaves of a weight at each row; HELD, the
      fold that it holds out, or a number that no row has;
    - state: its weights and bias; where `penalised` is true also, as many rows further down, their means
      over the rows trained on, and where it is false no model may have a KEEP other than 1.0;
    - sums: the SQUARES of the errors, the ROWS trained on (counted where `penalised` is true), and log losses as a
      PRODUCT times 2 to the whole number whose bits are in EXPONENT: of rows before they are trained on, and of rows
      held out.

    Wherever the rows are cut into calls, at even numbers of rows, and however models are put beside each other, the
    results are the same bits.
    """
    registers, folded = options.shape[1] // WIDTH, folds is not None
    function = train_penalised if penalised else train_plain
    given = y, weights, folds if folded else weights
    try:
        epoch, rows = for_rows(lambda floats: _compiled(function, floats, registers, int(folded)), X)
        epoch(rows, *given, options, state, sums, (0,) * registers, (0,) * folded)
    except MissingCompilerError:  # pragma: no cover - so many registers are not in the library: one after the other
        epoch, rows = for_rows(lambda floats: _compiled(function, floats, 1, int(folded)), X)
        for first in range(0, options.shape[1], WIDTH):
            part = [np.ascontiguousarray(table[:, first : first + WIDTH]) for table in (options, state, sums)]
            epoch(rows, *given, *part, (0,), (0,) * folded)
            state[:, first : first + WIDTH], sums[:, first : first + WIDTH] = part[1:]


def aligned(rows, models):
    """Zeros for `options`, `state` or `sums`, where no register lies across two cache lines: 6% less at 16 features."""
    values = np.zeros(rows * models + WIDTH)
    start = -values.ctypes.data % 64 // 8
    return values[start : start + rows * models].reshape(rows, models)


def clear(sums):
    """`sums` as before the first row of an epoch; ROWS go on."""
    sums[:ROWS] = 0.0
    sums[[PRODUCT, HELD_PRODUCT]] = 1.0


def log_losses(sums):
    """(of rows trained on, of rows held out): the summed log loss of each model, in nats, a row at most FARTHEST."""
    exponents = sums[[EXPONENT, HELD_EXPONENT]].view(np.int64)
    return np.log(sums[[PRODUCT, HELD_PRODUCT]]) + exponents * math.log(2.0)
