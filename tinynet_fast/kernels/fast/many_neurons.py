"""Many neurons in one pass over the rows: a neuron is a lane of the registers, and all share every load of a row.

Each neuron gets the reference's updates in the reference's order: the weights of eight neurons are one register, and a
number of the row is spread over one. A sweep over the features brings the rows before into each weight, and the weight
into the sum of the next row, so that it is loaded and stored once. Without penalties a sweep takes two rows: with p the
nudge of row i, the sum of row i+1 is x[i+1].w + b - p*(x[i+1].x[i] + 1) in the weights before both, as in `neuron.py`.
What one neuron waits for (a sum, exp, a division: about 70 cycles) the others fill. No lane sees another, whatever
becomes of it.

With s = 1 for a fail and -1 for a pass, and G = exp(s z), a row's error is s q where q = G / (1 + G) is the probability
of the wrong label, and its cross-entropy is log(1 + G). The kernel multiplies these 1 + G up, and takes the exponent
out of the product every CHUNK rows, so that a row's log loss costs a multiplication. A linear neuron's error is its sum
less the number, and there is no log loss.

If each neuron has a bootstrap sample of its own, the kernel draws how often it sees a row from the row's key and its
own (`../poisson.py`). That takes 11 instructions for eight neurons, a tenth of the time with 16 features. Without
penalties, the mean of such a neuron's weights is lazy: after n rows it is w + sum (i - 1) p_i x_i / n, with the nudge
p_i of the i-th row. It takes one more sum for each weight and row. With 16 features, all then takes two thirds of the
time that sweeps take, where the mean is brought up to date at each row.

Nothing here allocates, raises or keeps state between calls.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import MissingCompilerError, for_rows, kernel, part
from tinynet_fast.kernels.compiler.signatures import MODELS
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    ROUND,
    as_bits,
    as_double,
    flip,
    fma,
    full,
    join,
    limit,
    load,
    look_up,
    mantissa,
    prefetch,
    registers,
    store,
    to_double,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast.row_error import KINDS
from tinynet_fast.kernels.point_functions import LOG_LOSS
from tinynet_fast.kernels.poisson import ALIASES, COLUMNS, EVERY_ROW, SPREAD, WITHIN

WIDTH = REGISTER  # neurons in a register
MOST = 4  # registers of neurons a call takes: 67, 39, 30, 27 cycles each for 1, 2, 3, 4; 6 are no better (2 features)
CHUNK = 16  # rows whose 1 + G can be multiplied up without overflow
FARTHEST = 44.0  # sums beyond it count as it: 1 + G may be as large as exp(700 / CHUNK), and q is 0 or 1 to 8e-20

# exp(u) = 2**(k/16) * exp(u - k*STEP), with the whole number k nearest to u / STEP.
STEP = math.log(2.0) / 16.0
# 2**(i/16) less i sixteenths of an exponent, as bits: adding k << 48 to entry k & 15 gives the bits of 2**(k/16).
SIXTEENTHS = (2.0 ** (np.arange(16) / 16)).view(np.uint64) - (np.arange(16, dtype=np.uint64) << np.uint64(48))
RATE, KEEP, OWN = 0, 1, 2  # rows of `options`
SQUARES, PRODUCT, EXPONENT, HELD_PRODUCT, HELD_EXPONENT, ROWS = 0, 1, 2, 3, 4, 5  # rows of `sums`
LOSSES = (SQUARES, PRODUCT, EXPONENT, HELD_PRODUCT, HELD_EXPONENT)
N_OPTIONS, N_SUMS = 3, 6
NOTHING, FOLDS, DRAWS, MEANS = 0, 1, 2, 3  # what `marks` says of a row; MEANS also draws
NOBODY = -1.0  # the fold that a model trained on all rows holds out
# Numbers of X that are asked for before they are met. 16 neurons, 256 features: 461 -> 267 ns a row from memory, and
# from the cache 288 -> 257; 64 features 121 -> 84 and 81 -> 76.
AHEAD = 512
MANY = 1e300  # more than any number of rows


def power_coefficients():
    """exp(f) for |f| <= STEP / 2 to 1e-17: 10 terms of Taylor, economised to degree 6 by Chebyshev."""
    terms, radius = np.array([1.0 / math.factorial(k) for k in range(10)]), (STEP / 2.0) ** np.arange(10)
    series = np.polynomial.chebyshev.poly2cheb(terms * radius)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(series[:7]) / radius[:7])


C0, C1, C2, C3, C4, C5, C6 = power_coefficients()


@unrolled
def add_exponent(total, x):
    """`total`, the bits of whole numbers, plus the exponents of these powers of two."""
    return as_double(as_bits(total) + ((as_bits(x) >> 52) - 1023))


@unrolled
def power(u, sign=1.0):
    """exp(sign * u) for |u| up to 700, to 5.2e-16 + 3.4e-17 |u| relative: 16 table entries, a polynomial of degree 6.

    With no table the polynomial has degree 11. A `sign` of -1.0 costs no instruction.
    """
    shifted = fma(u, sign / STEP, ROUND)
    f = fma(ROUND - shifted if sign > 0.0 else shifted - ROUND, STEP, u)
    f2 = f * f
    high = fma(f2, C6, fma(f, sign * C5, C4))
    p = fma(f2, fma(f2, high, fma(f, sign * C3, C2)), fma(f, sign * C1, C0))
    k = as_bits(shifted)
    return p * as_double(look_up(SIXTEENTHS, k) + (k << 48))  # p * 2**(k/16)


@unrolled
def wrong_label(u):
    """(q, 1 + G) for sums u = s * z. A division takes 9 cycles for eight lanes; multiplications lose 3."""
    odds = power(limit(u, -FARTHEST, FARTHEST))
    total = odds + 1.0
    return odds / total, total


@unrolled
def learn(z, y, step, rate, kind):
    """(nudge, q, 1 + G) of a row of sums z, label y, and a step that is `rate` times a sample weight.

    Of linear neurons, whose `kind` is not empty: (nudge, error, 1).
    """
    if kind:
        error = z - y
        return error * (rate * step), error, where(z > 0.0, 1.0, 1.0)
    side = 0.5 - y
    wrong, total = wrong_label(flip(z, side))
    return flip(wrong * (rate * step), side), wrong, total


@unrolled
def unless_held(marked, marks, i, own, trained, otherwise):
    """`trained`, or `otherwise` for the neurons that hold row i out."""
    return where(own == marks[i], otherwise, trained) if len(marked) == FOLDS else trained


@unrolled
def drawn(row, model):
    """`poisson_weight`, for a row's key and the keys of some neurons."""
    bits = (as_bits(row) ^ as_bits(model)) * SPREAD
    entry = look_up(ALIASES, bits >> WITHIN)
    return to_double(where(bits < entry, bits >> WITHIN, entry & COLUMNS - 1))


@unrolled
def counted(marked, marks, i, own, weight):
    """What row i counts for: its sample weight, times how often it is drawn for each neuron if there are draws."""
    return where(own == EVERY_ROW, 1.0, drawn(marks[i], own)) * weight if len(marked) >= DRAWS else weight


@unrolled
def count_row(marked, marks, i, own, wrong, total, squares, product, held_product):
    """Row i's q and 1 + G into the sum of squares and the product of a neuron, or of those that are held out."""
    if len(marked) >= DRAWS:
        return squares, product, held_product
    if len(marked) == FOLDS:
        held_product = held_product * where(own == marks[i], total, 1.0)
    wrong = unless_held(marked, marks, i, own, wrong, 0.0)
    return fma(wrong, wrong, squares), product * unless_held(marked, marks, i, own, total, 1.0), held_product


@unrolled
def load_rows(table, rows, lanes):
    """These rows of `options` or of `sums`."""
    return tuple(load(table, row * (WIDTH * len(lanes)), lanes) for row in rows)


@unrolled
def store_rows(table, rows, values, lanes):
    for row, x in zip(rows, values, strict=True):
        store(table, row * (WIDTH * len(lanes)), x)


# --- neurons without penalties: two rows at a time --------------------------------------------------------------------


@unrolled
def update_and_dot(state, at, x, p, y, q, u, z, v, z_ahead, owed_at, seen, marked):
    """Move the weights w at that place by x and y, times the nudges p and q. Returns z + u*w and z_ahead + v*w.

    One register after the other, from its load to its sums: all at once did not fit into the registers.
    """
    owe(state, owed_at, x, p, y, q, seen, marked)
    p, q, z, z_ahead = (registers(value) for value in (p, q, z, z_ahead))
    for k in range(len(p)):
        w = fma(-y, q[k], fma(-x, p[k], load(state, at + k * REGISTER)))
        store(state, at + k * REGISTER, w)
        z[k], z_ahead[k] = fma(u, w, z[k]), fma(v, w, z_ahead[k])
    return join(z), join(z_ahead)


@unrolled
def owe(state, at, x, p, y, q, seen, marked):
    """Add to what the mean lacks: a nudge for each row seen before it."""
    if len(marked) == MEANS:
        p, q = registers(p * seen), registers(q * (seen + 1.0))  # LLVM takes these out of the loop over the features
        for k in range(len(p)):
            store(state, at + k * REGISTER, fma(y, q[k], fma(x, p[k], load(state, at + k * REGISTER))))


@part(forceinline=True)
def sweep_features(X, before, last, i, ahead, state, p, q, seen, lanes, marked):
    """Bring rows `before` and `last` into the weights, by p and q; sums of rows i and `ahead`, and their x.x + 1."""
    d, m = X.shape[1], WIDTH * len(lanes)
    z = load(state, d * m, lanes) - p - q
    store(state, d * m, z)
    half = len(state) // 2
    owe(state, (half + d) * m, 1.0, p, 1.0, q, seen, marked)
    z_ahead, coupling = z, 1.0
    for j in range(d):
        if j & 3 == 0:  # a cache line of two rows
            prefetch(X, i * d + 2 * j + AHEAD)
        u, v = np.float64(X[i, j]), np.float64(X[ahead, j])
        x, y = np.float64(X[before, j]), np.float64(X[last, j])
        z, z_ahead = update_and_dot(state, j * m, x, p, y, q, u, z, v, z_ahead, (half + j) * m, seen, marked)
        coupling += u * v
    return z, z_ahead, coupling


@kernel
def train_plain(X, y, weights, marks, options, state, sums, lanes, marked, kind):
    """One pass over the rows for as many registers of neurons as the tuple `lanes` is long; see `train`.

    `marked` is a tuple too, as long as NOTHING, FOLDS or DRAWS says; if NOTHING, `marks` is not looked at. `kind` is as
    for `row_error.py`.
    """
    n = len(y)
    rate, own = load_rows(options, (RATE, OWN), lanes)
    squares, product, exponent, held_product, held_exponent = load_rows(sums, LOSSES, lanes)
    p = q = full(0.0, lanes)  # no row has come before
    before, last, rows = 0, 0, sums[ROWS, 0]
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n), 2):
            ahead = min(i + 1, n - 1)
            z, z_ahead, coupling = sweep_features(X, before, last, i, ahead, state, p, q, rows + before, lanes, marked)
            p, wrong, total = learn(z, y[i], counted(marked, marks, i, own, weights[i]), rate, kind)
            p = unless_held(marked, marks, i, own, p, 0.0)
            squares, product, held_product = count_row(
                marked, marks, i, own, wrong, total, squares, product, held_product
            )
            q = p * 0.0
            before, last = i, ahead
            if ahead > i:
                step = counted(marked, marks, ahead, own, weights[ahead])
                q, wrong, total = learn(fma(-coupling, p, z_ahead), y[ahead], step, rate, kind)
                q = unless_held(marked, marks, ahead, own, q, 0.0)
                squares, product, held_product = count_row(
                    marked, marks, ahead, own, wrong, total, squares, product, held_product
                )
        exponent, product = add_exponent(exponent, product), mantissa(product)
        held_exponent, held_product = add_exponent(held_exponent, held_product), mantissa(held_product)
    if n > 0:
        sweep_features(X, before, last, last, last, state, p, q, rows + before, lanes, marked)
    store_rows(sums, LOSSES, (squares, product, exponent, held_product, held_exponent), lanes)


# --- neurons with penalties or averaging: a row at a time -------------------------------------------------------------


@unrolled
def bring_in(x, j, nudge, keep, share, state, half, lanes):
    """Weight j after the row before, whose input j is x: shrunk by `keep`, moved by nudge * x, then averaged."""
    at, mean_at = j * (WIDTH * len(lanes)), (half + j) * (WIDTH * len(lanes))
    w = fma(-x, nudge, load(state, at, lanes) * keep)
    store(state, at, w)
    mean = load(state, mean_at, lanes)
    store(state, mean_at, fma(share, w - mean, mean))
    return w


@kernel
def train_penalised(X, y, weights, marks, options, state, sums, lanes, marked, kind):
    """`train_plain` for neurons with a penalty and for neurons that are averaged."""
    (n, d), half = X.shape, len(state) // 2
    rate, own = load_rows(options, (RATE, OWN), lanes)
    squares, product, exponent, held_product, held_exponent = load_rows(sums, LOSSES, lanes)
    (rows,) = load_rows(sums, (ROWS,), lanes)
    nudge = share = full(0.0, lanes)  # no row has come before
    keep = full(1.0, lanes)
    before = 0
    for start in range(0, n, CHUNK):
        for i in range(start, min(start + CHUNK, n)):
            z = bring_in(1.0, d, nudge, 1.0, share, state, half, lanes)
            for j in range(d):
                if j & 7 == 0:
                    prefetch(X, i * d + j + AHEAD)
                w = bring_in(np.float64(X[before, j]), j, nudge, keep, share, state, half, lanes)
                z = fma(np.float64(X[i, j]), w, z)
            before = i
            nudge, wrong, total = learn(z, y[i], counted(marked, marks, i, own, weights[i]), rate, kind)
            nudge = unless_held(marked, marks, i, own, nudge, 0.0)
            squares, product, held_product = count_row(
                marked, marks, i, own, wrong, total, squares, product, held_product
            )
            (keep,) = load_rows(options, (KEEP,), lanes)
            keep = unless_held(marked, marks, i, own, keep, 1.0)
            share = unless_held(marked, marks, i, own, full(1.0, lanes), 0.0)
            rows = rows + share
            share = share / limit(rows, 1.0, MANY)
        exponent, product = add_exponent(exponent, product), mantissa(product)
        held_exponent, held_product = add_exponent(held_exponent, held_product), mantissa(held_product)
    if n > 0:
        bring_in(1.0, d, nudge, 1.0, share, state, half, lanes)
        for j in range(d):
            bring_in(np.float64(X[before, j]), j, nudge, keep, share, state, half, lanes)
    store_rows(sums, LOSSES, (squares, product, exponent, held_product, held_exponent), lanes)
    store_rows(sums, (ROWS,), (rows,), lanes)


# --- calls ------------------------------------------------------------------------------------------------------------


def _for_rows(function, X, registers, marked, kind):
    return for_rows(function, f"{MODELS} t{registers} t{marked} t{kind}", X)


def train(X, y, weights, marks, options, state, sums, penalised, marked=FOLDS, loss=LOG_LOSS):
    """One pass over the rows of `X`, (n, d), C-contiguous, float64 or float32, for up to 8 * MOST models at once.

    `y` holds 0.0 or 1.0 a row, `weights` what the row counts for, `marks` its fold's number, or is None if there are
    none. A row changes no model that holds its fold out; that model's log loss on it is added up instead. If `marked`
    is DRAWS or MEANS, `marks` holds the rows' keys (`poisson.row_keys`), a row counts `poisson_weight` times as much in
    each model, and losses are not added up. If `loss` is LEAST_SQUARES, `y` holds numbers, `marks` is None, and there
    are no log losses. All arrays are float64 and have a column for each model, a multiple of 8 of them:

    - options: RATE, its learning rate; KEEP, what the l2 penalty leaves of a weight at each row; OWN, the
      fold that it holds out, or a number that no row has, or its key (`poisson.model_keys`, or EVERY_ROW);
    - state: its weights and bias. If `penalised` is true, the second half of the rows has their means over the rows
      trained on; if it is false, no model may have a KEEP other than 1.0. If MEANS, the second half has what the means
      lack, times ROWS;
    - sums: the SQUARES of the errors, the ROWS trained on (counted if there are means), and log losses as a PRODUCT
      times 2 to the whole number whose bits are in EXPONENT: of rows before they are trained on, and of rows
      held out.

    Wherever the rows are cut into calls, at even numbers of rows, and however models are put beside each other, the
    results are the same bits.
    """
    registers, marked, kind = options.shape[1] // WIDTH, NOTHING if marks is None else marked, KINDS[loss]
    function = train_penalised if penalised else train_plain
    given = y, weights, weights if marks is None else marks
    try:
        epoch, rows = _for_rows(function, X, registers, marked, kind)
        epoch(rows, *given, options, state, sums, (0,) * registers, (0,) * marked, (0,) * kind)
    except MissingCompilerError:  # pragma: no cover - the library has one register: one after the other
        epoch, rows = _for_rows(function, X, 1, marked, kind)
        for first in range(0, options.shape[1], WIDTH):
            part = [np.ascontiguousarray(table[:, first : first + WIDTH]) for table in (options, state, sums)]
            epoch(rows, *given, *part, (0,), (0,) * marked, (0,) * kind)
            state[:, first : first + WIDTH], sums[:, first : first + WIDTH] = part[1:]
    if marked == MEANS:
        sums[ROWS] += len(y)


def aligned(rows, models):
    """Zeros for `options`, `state` or `sums`, where no register lies across two cache lines: 6% less at 16 features."""
    values = np.zeros(rows * models + WIDTH)
    start = -values.ctypes.data % 64 // 8
    return values[start : start + rows * models].reshape(rows, models)


def rows_with_means(d, models):
    """How many rows `state` takes for MEANS: half of them for the weights and the bias, a few of which may be unused.

    With weights and means a multiple of 4 KB apart, the CPU takes a load for one that a store has just changed: 16
    features took 15% longer.
    """
    half = d + 1
    while not 1024 <= half * models * 8 % 4096 <= 3072:
        half += 1
    return 2 * half


def clear(sums):
    """`sums` as before the first row of an epoch; ROWS go on."""
    sums[:ROWS] = 0.0
    sums[[PRODUCT, HELD_PRODUCT]] = 1.0


def log_losses(sums):
    """(of rows trained on, of rows held out): the summed log loss of each model, in nats, a row at most FARTHEST."""
    exponents = sums[[EXPONENT, HELD_EXPONENT]].view(np.int64)
    return np.log(sums[[PRODUCT, HELD_PRODUCT]]) + exponents * math.log(2.0)
