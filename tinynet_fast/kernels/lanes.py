"""Many models in one pass over the rows: a model is a lane of the registers, and all share every load of a row.

Each lane makes the reference's updates in the reference's order: the weights of eight models are one register, a number
of the row is spread over one, and a sweep over the features brings row i-1 into each weight and the weight into the sum
of row i, so that it is loaded and stored once a row. What one model waits for (a sum, exp, a division: about 70 cycles)
the others fill. No lane sees another, whatever becomes of it.

With s = 1 for a fail and -1 for a pass, and G = exp(s z), a row's error is s q where q = G / (1 + G) is the probability
of the wrong label, and its cross-entropy is log(1 + G). The kernel multiplies these 1 + G up, and takes the exponent
out of the product every CHUNK rows, so that a row's log loss costs a multiplication.

Nothing here allocates, raises or keeps state between calls.
"""

import math
from functools import cache

import numpy as np
from numba import types

from tinynet_fast.kernels.intrinsics import UNCOMPILED
from tinynet_fast.kernels.jit import compile_only, kernel, part
from tinynet_fast.kernels.registers import (
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
    where_equal,
)

WIDTH = REGISTER  # models in a register
MOST = 4  # registers of models that a call takes
CHUNK = 16  # rows whose 1 + G can be multiplied up without overflow
FARTHEST = 44.0  # sums beyond it count as it: 1 + G may be as large as exp(700 / CHUNK), and q is 0 or 1 to 8e-20

# Weights are kept times UNIT, so that exp(z) is 2**(u/16) with u = UNIT*z, and its reduction needs no multiplication.
UNIT = 16.0 / math.log(2.0)
RATE, KEEP, HELD = 0, 1, 2  # rows of `options`
SQUARES, PRODUCT, EXPONENT, HELD_PRODUCT, HELD_EXPONENT, ROWS = 0, 1, 2, 3, 4, 5  # rows of `sums`
N_OPTIONS, N_SUMS = 3, 6
NOBODY = -1.0  # the fold that a model trained on all rows holds out
MANY = 1e300  # more than any number of rows


def power_coefficients():
    """2**(f/16) for |f| <= 1/2 to 1e-17: 10 terms of Taylor, economised to degree 6 by Chebyshev."""
    terms = np.array([(math.log(2.0) / 16.0) ** k / math.factorial(k) for k in range(10)])
    series = np.polynomial.chebyshev.poly2cheb(terms * 0.5 ** np.arange(10))
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(series[:7]) / 0.5 ** np.arange(7))


C0, C1, C2, C3, C4, C5, C6 = power_coefficients()
LIMIT = FARTHEST * UNIT


@part(forceinline=True)
def wrong_label(u):
    """(q, 1 + G) for sums u = UNIT * s * z, to 5.2e-16 relative: 16 table entries, degree 6, one division.

    With no table the polynomial has degree 11. A division takes 9 cycles for eight lanes, but hardly any from others.
    """
    u = limit(u, -LIMIT, LIMIT)
    shifted = add(u, ROUND)
    f = sub(u, sub(shifted, ROUND))
    f2 = mul(f, f)
    high = fma(f2, C6, fma(f, C5, C4))
    p = fma(f2, fma(f2, high, fma(f, C3, C2)), fma(f, C1, C0))
    odds = mul(p, two_to_the_sixteenth(shifted))
    total = add(odds, 1.0)
    return div(odds, total), total


@part(forceinline=True)
def bring_in(x, j, nudge, keep, share, state, d, like, penalised):
    """Weight j after the row before, whose input j is x: shrunk by `keep`, moved by nudge * x, then averaged."""
    m = WIDTH * len(like)
    w = load(state, j * m, like)
    if len(penalised) > 0:
        w = mul(w, keep)
    w = fnma(x, nudge, w)
    store(state, j * m, w)
    if len(penalised) > 0:
        mean = load(state, (d + 1 + j) * m, like)
        store(state, (d + 1 + j) * m, fma(share, sub(w, mean), mean))
    return w


@kernel
def train_rows(X, y, weights, folds, options, state, sums, like, folded, penalised):
    """One pass over the rows for as many registers of models as the tuple `like` is long.

    `folded` and `penalised` are tuples too, empty where no model holds out a fold (then `folds` is not looked at), and
    where none has a penalty or is averaged. For what is in the arrays see `train`.
    """
    n, d = X.shape
    m = WIDTH * len(like)
    rate, held = load(options, RATE * m, like), load(options, HELD * m, like)
    squares, rows = load(sums, SQUARES * m, like), load(sums, ROWS * m, like)
    product, exponent = load(sums, PRODUCT * m, like), load(sums, EXPONENT * m, like)
    held_product, held_exponent = load(sums, HELD_PRODUCT * m, like), load(sums, HELD_EXPONENT * m, like)
    nudge, keep, share = mul(rate, 0.0), add(mul(rate, 0.0), 1.0), mul(rate, 0.0)  # no row has come before
    before = 0
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n)):
            z = bring_in(1.0, d, nudge, 1.0, share, state, d, like, penalised)
            for j in range(d):
                w = bring_in(np.float64(X[before, j]), j, nudge, keep, share, state, d, like, penalised)
                z = fma(np.float64(X[i, j]), w, z)
            before = i
            side = 0.5 - y[i]
            wrong, total = wrong_label(flip(z, side))
            if len(penalised) > 0:
                keep, share = load(options, KEEP * m, like), add(mul(share, 0.0), 1.0)
            if len(folded) > 0:
                held_product = mul(held_product, where_equal(held, folds[i], total, 1.0))
                total, wrong = where_equal(held, folds[i], 1.0, total), where_equal(held, folds[i], 0.0, wrong)
                keep, share = where_equal(held, folds[i], 1.0, keep), where_equal(held, folds[i], 0.0, share)
            if len(penalised) > 0:
                rows = add(rows, share)
                share = div(share, limit(rows, 1.0, MANY))
            squares = fma(wrong, wrong, squares)
            product = mul(product, total)
            nudge = flip(mul(wrong, mul(rate, weights[i])), side)
        exponent, product = add_exponent(exponent, product), mantissa(product)
        held_exponent, held_product = add_exponent(held_exponent, held_product), mantissa(held_product)
    if n > 0:
        bring_in(1.0, d, nudge, 1.0, share, state, d, like, penalised)
        for j in range(d):
            bring_in(np.float64(X[before, j]), j, nudge, keep, share, state, d, like, penalised)
    store(sums, SQUARES * m, squares)
    store(sums, ROWS * m, rows)
    store(sums, PRODUCT * m, product)
    store(sums, EXPONENT * m, exponent)
    store(sums, HELD_PRODUCT * m, held_product)
    store(sums, HELD_EXPONENT * m, held_exponent)


@cache
def _compiled(floats, registers, folded, penalised):  # pragma: no cover - lines are counted where nothing is compiled
    """The kernel compiled (or loaded) for rows of float64 ("d") or float32 ("f"): each signature when needed."""
    if not UNCOMPILED:
        rows = types.Array(types.float32 if floats == "f" else types.float64, 2, "C", readonly=True)
        given, options = (types.Array(types.float64, k, "C", readonly=True) for k in (1, 2))
        kinds = (types.UniTuple(types.int64, k) if k else types.Tuple(()) for k in (registers, folded, penalised))
        compile_only(
            train_rows, (rows, given, given, given, options, types.float64[:, ::1], types.float64[:, ::1], *kinds)
        )
    return train_rows


def train(X, y, weights, folds, options, state, sums, penalised):
    """One pass over the rows of `X`, (n, d), C-contiguous, float64 or float32, for up to 8 * MOST models at once.

    `y` holds 0.0 or 1.0 a row, `weights` what the row counts for, `folds` its fold's number, or is None where there are
    none. A row changes no model that holds its fold out; that model's log loss on it is added up instead. All arrays
    are float64 and have a column a model, as many as divide by 8:

    - options: RATE, its learning rate times UNIT; KEEP, what the l2 penalty leaves of a weight at each row; HELD, the
      fold that it holds out, or a number that no row has;
    - state: its weights and bias, times UNIT; where `penalised` is true also, as many rows further down, their means
      over the rows trained on, and where it is false no model may have a KEEP other than 1.0;
    - sums: the SQUARES of the errors, the ROWS trained on (counted where `penalised` is true), and log losses as a
      PRODUCT times 2 to the whole number whose bits are in EXPONENT: of rows before they are trained on, and of rows
      held out.

    Wherever the rows are cut into calls, and however models are put beside each other, the results are the same bits.
    """
    registers, folded = options.shape[1] // WIDTH, folds is not None
    like, kinds = (0,) * registers, ((0,) * folded, (0,) * bool(penalised))
    compiled = _compiled(X.dtype.char, registers, folded, bool(penalised))
    compiled(X, y, weights, folds if folded else weights, options, state, sums, like, *kinds)


def registers(n_features):
    """How many registers of models a call had best take: the two that need least when rows are wide.

    Cycles a row and register, for 1, 2, 3, 4: 71, 42, 32, 28 (2 features); 129, 75, 65, 69 (16); 329, 182, 215, 231
    (64), where the stores of more than two keep each other waiting.
    """
    return MOST if n_features < 24 else 2


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
