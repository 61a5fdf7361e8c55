"""The `fast` engine for softmax regression: a label is a lane of the registers, as a class is in `one_vs_rest.py`.

A sweep over the inputs brings two rows into the weights and sums the next two, r and s. With keep and p the shrinking
and the nudges of row r, the sums of row s are keep*(s.w) + b - p*(s.r + 1) in the weights w and biases b before both.
The errors need all sums of a row, so more than 8 * MOST labels are swept in groups of up to MOST registers, and their
sums wait in a table.

Steps are in bounds while step * (|x|^2 + 1) is at most SOFTMAX_BOUND. The cross-entropy of a softmax has, in its sums,
the second derivative H = diag(p) - p p^T, whose eigenvalues lie between 0 and 1/2 (Boehning, Annals of the Institute of
Statistical Mathematics 44, 1992). In the weights it is H times x x^T (Kronecker), where x has a 1 appended. So the
derivative of a row's update has eigenvalues between keep - step |x|^2 / 2 and 1, and two runs over the same rows never
move apart while step |x|^2 <= 2 (1 + keep). Without l2 that is 4, half of what a sigmoid allows.

A row's softmax takes about 110 cycles, by the latencies of its instructions: 40 for exp, 25 for the sum of all lanes,
14 for a division. A version that brought one row at a time into the weights, while the softmax of the row after it was
computed, was up to 7% faster (4 inputs, 3 labels). But it stores each weight for each row, and took 1.5 times as long
for 784 inputs and 10 labels.
"""

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler.jit import REORDERED, for_rows, kernel, part
from tinynet_fast.kernels.compiler.signatures import SOFTMAX
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    SIGN,
    as_bits,
    as_double,
    fma,
    full,
    lane,
    load,
    prefetch,
    registers,
    shuffle,
    store,
    sum_of,
    unrolled,
    where,
)
from tinynet_fast.kernels.engines import TILE
from tinynet_fast.kernels.fast.functions import clamp, power
from tinynet_fast.kernels.fast.many_neurons import AHEAD, MOST, aligned
from tinynet_fast.kernels.fast.one_vs_rest import NO_CLASS, bring_in_two

NEAR = 250.0  # sums of at most this size need no shift: the total of their powers is from 1e-108 to 1e109 a label
FARTHEST = -700.0  # exp of less counts as exp of this, 1e-304
CODE, SUMS, SUMS_AHEAD, POWERS, NUDGES, NUDGES_AHEAD, SQUARES = range(7)  # rows of `table`
TABLE_ROWS = 7


# --- softmax across lanes ---------------------------------------------------------------------------------------------


@unrolled
def larger(x, y):
    """The larger number in each lane; y if x is NaN."""
    return where(x > y, x, y)


@unrolled
def largest_of(x):
    """The largest number in all lanes."""
    first, *others = registers(x)
    for other in others:
        first = larger(other, first)
    for apart in (4, 2, 1):
        first = larger(shuffle(first, first, [k ^ apart for k in range(REGISTER)]), first)
    return lane(first, 0)


@unrolled
def total_of(x):
    """The sum of all lanes."""
    first, *others = registers(x)
    for other in others:
        first = first + other
    return sum_of(first)


@unrolled
def size_of(x):
    """|x|"""
    return as_double(as_bits(x) & (SIGN - 1))


@unrolled
def exp_of(z, code):
    """exp(z) for z from FARTHEST to 709, and 0 in lanes without a label."""
    scale, t = power(z)
    return where(code < 0.0, 0.0, fma(scale, t, scale))


@part(forceinline=True)
def clear(table, row, lanes):
    """Zeros in a row of the table."""
    every = table.shape[1]
    for first in range(row * every, row * every + every, REGISTER * len(lanes)):
        store(table, first, full(0.0, lanes))


@part(forceinline=True)
def shift(table, groups, lanes):
    """Take the largest sum from all sums, which leaves their softmax as it is. A sum that is NaN stays NaN."""
    m, every = REGISTER * len(lanes), table.shape[1]
    top = full(-np.inf, lanes)
    for first in range(0, groups * m, m):
        code, z = load(table, CODE * every + first, lanes), load(table, SUMS * every + first, lanes)
        top = larger(where(code < 0.0, -np.inf, z), top)
    largest = largest_of(top)
    for first in range(SUMS * every, SUMS * every + groups * m, m):
        store(table, first, clamp(load(table, first, lanes) - largest, FARTHEST, 0.0))


@part(forceinline=True)
def learn(table, sums, coupling, nudges, y, step, groups, lanes):
    """The nudges of a row of label y, and the squares of its errors, from its sums.

    The second of two rows has its sums in SUMS_AHEAD. They still lack the first row's nudges times `coupling`.

    If all sums are small enough, exp takes them as they are. That is nearly always so, and the CPU goes on before it
    knows. With a shift in every row, 4 inputs and 3 labels took 1.3 times as long.
    """
    m, every = REGISTER * len(lanes), table.shape[1]
    far = full(0.0, lanes)
    for first in range(0, groups * m, m):
        z = load(table, sums * every + first, lanes)
        if sums == SUMS_AHEAD:
            z = fma(-coupling, load(table, NUDGES * every + first, lanes), z)
        store(table, SUMS * every + first, z)
        far = larger(size_of(z), far)
    if not largest_of(far) < NEAR:
        shift(table, groups, lanes)
    total = full(0.0, lanes)
    for first in range(0, groups * m, m):
        e = exp_of(load(table, SUMS * every + first, lanes), load(table, CODE * every + first, lanes))
        store(table, POWERS * every + first, e)
        total = total + e
    share = 1.0 / total_of(total)
    for first in range(0, groups * m, m):
        own = where(load(table, CODE * every + first, lanes) == y, 1.0, 0.0)
        error = fma(load(table, POWERS * every + first, lanes), share, -own)
        store(table, nudges * every + first, step * error)
        squares = load(table, SQUARES * every + first, lanes)
        store(table, SQUARES * every + first, fma(error, error, squares))


# --- two rows at a time -----------------------------------------------------------------------------------------------


@part(REORDERED, forceinline=True)
def dot_rows(X, i, ahead):
    """x[i].x[ahead]. Summed within the sweep, a number at a time, rows took 11% longer (64 inputs, 10 labels)."""
    total = 0.0
    for j in range(X.shape[1]):
        total += np.float64(X[i, j]) * np.float64(X[ahead, j])
    return total


@part(forceinline=True)
def sweep(X, before, last, i, ahead, state, row, p, keep_p, share_p, q, keep_q, share_q, lanes, averaged):
    """Bring rows `before` and `last` into a group's weights, which start at `row` of the state.

    Returns the biases, and the sums of rows `i` and `ahead` without them.
    """
    d = X.shape[1]
    bias = bring_in_two(1.0, 1.0, row + d, p, 1.0, share_p, q, 1.0, share_q, state, d, lanes, averaged)
    z = z_ahead = full(0.0, lanes)
    for j in range(d):
        if j & 3 == 0:  # a cache line of two rows
            prefetch(X, i * d + 2 * j + AHEAD)
        x, y = np.float64(X[before, j]), np.float64(X[last, j])
        w = bring_in_two(x, y, row + j, p, keep_p, share_p, q, keep_q, share_q, state, d, lanes, averaged)
        z, z_ahead = fma(np.float64(X[i, j]), w, z), fma(np.float64(X[ahead, j]), w, z_ahead)
    return bias, z, z_ahead


@part(forceinline=True)
def sweep_groups(X, before, last, i, ahead, keep, state, table, former, groups, lanes, averaged):
    """`sweep` for each group of labels. `former` has keep and share of row `before`, then of row `last`.

    The sums of row `i` are then in SUMS, and those of row `ahead` in SUMS_AHEAD, which know of row i its `keep` alone.

    Most runs have no l2. Multiplying by a keep of 1.0 would change no bit, and took 19% longer (64 inputs, 10 labels).
    """
    m, every, rows = REGISTER * len(lanes), table.shape[1], (X.shape[1] + 1) * (1 + len(averaged))
    keep_p, share_p, keep_q, share_q = former
    for g in range(groups):
        p = load(table, NUDGES * every + g * m, lanes)
        q = load(table, NUDGES_AHEAD * every + g * m, lanes)
        if keep_p == 1.0 and keep_q == 1.0:
            bias, z, z_ahead = sweep(
                X, before, last, i, ahead, state, g * rows, p, 1.0, share_p, q, 1.0, share_q, lanes, averaged
            )
        else:
            bias, z, z_ahead = sweep(
                X, before, last, i, ahead, state, g * rows, p, keep_p, share_p, q, keep_q, share_q, lanes, averaged
            )
        store(table, SUMS * every + g * m, z + bias)
        store(table, SUMS_AHEAD * every + g * m, fma(keep, z_ahead, bias))


@kernel
def epochs(X, y, schedule, table, state, losses, lanes, single, averaged):
    """`single` is () if there are several groups, and `averaged` is () if there are no means."""
    n, m, every = X.shape[0], REGISTER * len(lanes), table.shape[1]
    groups = 1 if len(single) > 0 else every // m
    for epoch in range(len(losses)):
        before, last, former = 0, 0, (1.0, 0.0, 1.0, 0.0)  # no row has come before
        clear(table, NUDGES, lanes)
        clear(table, NUDGES_AHEAD, lanes)
        for start in range(0, n, TILE):
            clear(table, SQUARES, lanes)
            for i in range(start, min(start + TILE, n), 2):
                ahead, keep = min(i + 1, n - 1), schedule[i, at.KEEP]
                sweep_groups(X, before, last, i, ahead, keep, state, table, former, groups, lanes, averaged)
                learn(table, SUMS, 0.0, NUDGES, y[i], schedule[i, at.STEP], groups, lanes)
                before, last, former = i, ahead, (keep, schedule[i, at.SHARE], 1.0, 0.0)
                if ahead > i:
                    coupling = dot_rows(X, i, ahead) + 1.0
                    step = schedule[ahead, at.STEP]
                    learn(table, SUMS_AHEAD, coupling, NUDGES_AHEAD, y[ahead], step, groups, lanes)
                    former = keep, schedule[i, at.SHARE], schedule[ahead, at.KEEP], schedule[ahead, at.SHARE]
                else:  # the last row of an odd number
                    clear(table, NUDGES_AHEAD, lanes)
            for first in range(SQUARES * every, SQUARES * every + every, m):
                losses[epoch] += total_of(load(table, first, lanes))
        if n > 0:
            sweep_groups(X, before, last, last, last, 1.0, state, table, former, groups, lanes, averaged)


# --- calls ------------------------------------------------------------------------------------------------------------


def _groups(labels):
    """(how many groups there are, the registers of each)"""
    needed = -(-labels // REGISTER)
    groups = -(-needed // MOST)
    return groups, -(-needed // groups)


def _put(table, rows):
    """A table with a column a label, into the rows of each group's lanes."""
    groups, inputs, m = rows.shape
    padded = np.zeros((inputs, groups * m))
    padded[:, : table.shape[1]] = table
    rows[:] = padded.reshape(inputs, groups, m).swapaxes(0, 1)


def _take(rows, table):
    """The inverse of `_put`."""
    table[:] = rows.swapaxes(0, 1).reshape(len(table), -1)[:, : table.shape[1]]


def sgd_softmax_epochs(X, y, schedule, weights, means, paid, errors, losses):
    """The reference's `sgd_softmax_epochs`, to 1e-12, for a schedule without cuts and steps in bounds.

    Steps are in bounds while step * (|x|^2 + 1) is at most SOFTMAX_BOUND for every row. `X` is (n, d), C-contiguous,
    float64 or float32; the rest is float64: `weights` and `means` (d + 1, k), `y` (n,), `schedule` (n, 4). `paid` and
    `errors` are left alone. If an epoch is cut into calls at multiples of TILE rows, the results are the same to the
    last bit.
    """
    d, k = X.shape[1], weights.shape[1]
    groups, many = _groups(k)
    m, single, averaged = many * REGISTER, int(groups == 1), int((schedule[:, at.SHARE] > 0.0).any())
    state, table = aligned(groups * (1 + averaged) * (d + 1), m), aligned(TABLE_ROWS, groups * m)
    parts = state.reshape(groups, 1 + averaged, d + 1, m)
    table[CODE], table[CODE, :k] = NO_CLASS, np.arange(k)
    _put(weights, parts[:, 0])
    if averaged:
        _put(means, parts[:, 1])
    run, X = for_rows(epochs, f"{SOFTMAX} t{many} t{single} t{averaged}", X, reorders=True)
    run(X, y, schedule, table, state, losses, (0,) * many, (0,) * single, (0,) * averaged)
    _take(parts[:, 0], weights)
    if averaged:
        _take(parts[:, 1], means)
