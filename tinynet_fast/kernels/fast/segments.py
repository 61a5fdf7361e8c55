"""Neurons that each train on rows of their own: a neuron is a lane of a register, and its rows a segment of X.

Each neuron gets the reference's updates in the reference's order. What eight of them wait for (a sum, exp, a division:
about 70 cycles) the next eight fill: the CPU is at row i of the second register before row i of the first is done. So
the registers are a loop, and how many there are is no part of a signature. With their instructions interleaved by the
compiler, as in `many_neurons.py`, 32 lanes took as long, and the library grew by 600 kB where it grows by 240.

The error is that of `many_neurons.py`, with a row in each lane. Narrow rows are turned for it, wide ones are not:

- Eight rows of a lane are 8*d consecutive numbers. Blocks of eight numbers of eight lanes are transposed, and number c
  of these lanes is then one load. That takes three shuffles for each load.
- Of wide rows, a register has eight weights of one lane. The sums of eight lanes become one register, for the sigmoid,
  and then each lane moves by its own nudge. That takes 14 shuffles for a row of eight lanes, however wide it is.
  (16 features: 9.3 ns a row; turned 12.4, when reading the rows alone took 8.3. 32 features: 19 and 31, and 17.)

No lane sees another, whatever becomes of it. Nothing here allocates, raises or keeps state between calls.
"""

import numpy as np

from tinynet_fast.kernels.compiler.jit import for_rows, kernel, part
from tinynet_fast.kernels.compiler.signatures import SEGMENTS, TURNED
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    fma,
    full,
    load,
    prefetch,
    prefetch_far,
    store,
    sums_of,
    transpose,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast.many_neurons import WIDTH, aligned, learn
from tinynet_fast.kernels.fast.row_error import KINDS
from tinynet_fast.kernels.point_functions import LOG_LOSS

__all__ = ["TILE", "WIDTH", "aligned", "train"]

TILE = REGISTER  # rows of a lane that are turned at once
NARROW = TURNED[-1]  # features up to which rows are turned: 8 take 3% less so, 9 17%, and 12 8% more
TILES_AHEAD = 2  # tiles of narrow rows that are asked for before they are met
AHEAD = 64  # numbers of wide rows
NUMBERS = np.arange(REGISTER, dtype=np.float64)


@unrolled
def places_of(base, first, row, d):
    """Where this row begins, of d numbers a row, for eight lanes."""
    return tuple((base[first + k] + row) * d for k in range(REGISTER))


@unrolled
def turn_block(values, places, c, scratch, at):
    """Eight numbers from each of eight places on, transposed."""
    for k, column in enumerate(transpose([load(values, place + c) for place in places])):
        store(scratch, at + k * REGISTER, column)


@part(forceinline=True)
def turn(values, base, first, start, d, scratch, at):
    """Rows start..start+7 of eight lanes, of d numbers each: number c of all of them goes to place at + 8*c."""
    places = places_of(base, first, start, d)
    for c in range(0, TILE * d, REGISTER):
        turn_block(values, places, c, scratch, at + c * REGISTER)


@unrolled
def nudge_of(z, scratch, label, own_step, step, squares, first, stepped, kind):
    """The nudges of a row with sums z, whose errors are counted; `label` and `own_step` are places in `scratch`."""
    y, step = load(scratch, label), load(scratch, own_step) if stepped else step
    nudge, error, _ = learn(z, y, step, 1.0, kind)
    store(squares, first, fma(error, error, load(squares, first)))
    return nudge


# --- narrow rows ------------------------------------------------------------------------------------------------------


@part(forceinline=True)
def ask_for(X, y, base, row, d, lanes_from, lanes_to):
    """Eight rows from `row` on, of some lanes, which come two tiles later.

    Asked for all at once, before a tile, they fill the queue to memory, which is empty until the next tile: 8 features
    took 10% longer. So did 2 features if the rows of the very next tile were asked into the first cache.
    """
    for k in range(lanes_from, lanes_to):
        place = base[k] + row
        for c in range(d):
            prefetch_far(X, place * d + c * TILE)
        prefetch_far(y, place)


@unrolled
def train_row(state, first, m, scratch, row, label, own_step, step, squares, stepped, kind, inputs):
    """Eight lanes learn from the row that begins at place `row`."""
    d = len(inputs)
    weights = [load(state, first + j * m) for j in range(d + 1)]
    x = [load(scratch, row + j * REGISTER) for j in range(d)]
    z = weights[d]
    for j in range(d):
        z = fma(x[j], weights[j], z)
    nudge = nudge_of(z, scratch, label, own_step, step, squares, first, stepped, kind)
    for j in range(d):
        store(state, first + j * m, fma(-nudge, x[j], weights[j]))
    store(state, first + d * m, weights[d] - nudge)


@kernel
def train_narrow(X, y, step, base, count, state, squares, scratch, stepped, kind, inputs):
    """`train` for rows as wide as the tuple `inputs` is long; each row has its own step unless `stepped` is empty."""
    d, m = len(inputs), len(base)
    labels, steps = TILE * d * REGISTER, TILE * (d + 1) * REGISTER
    size = TILE * (d + 1 + len(stepped))  # numbers in `scratch` for a lane
    for start in range(0, count, TILE):
        for first in range(0, m, REGISTER):
            turn(X, base, first, start, d, scratch, first * size)
            turn(y, base, first, start, 1, scratch, first * size + labels)
            if len(stepped) > 0:
                turn(step, base, first, start, 1, scratch, first * size + steps)
        for i in range(TILE):
            for first in range(0, m, REGISTER):
                at = first * size + i * REGISTER
                row = first * size + i * d * REGISTER
                train_row(
                    state, first, m, scratch, row, at + labels, at + steps, step[0], squares, stepped, kind, inputs
                )
            lanes = m // TILE
            ask_for(X, y, base, start + TILES_AHEAD * TILE, d, i * lanes, (i + 1) * lanes)


# --- wide rows --------------------------------------------------------------------------------------------------------
#
# The weights of a lane are blocks of eight, of which the last one has the row's last eight. Where that overlaps the
# block before, `skip` of its numbers are 0: as a tuple, () for the blocks that are whole.


@unrolled
def kept(x, skip):
    """x, with 0 for its first numbers."""
    return where(full(skip[0]) > NUMBERS, 0.0, x) if skip else x


@unrolled
def load_block(state, at, m, weights, to, skip):
    """Eight weights of eight lanes, a lane after the other."""
    for k, lane in enumerate(transpose([load(state, at + j * m) for j in range(REGISTER)])):
        store(weights, to + k * REGISTER, kept(lane, skip))


@unrolled
def store_block(state, at, m, weights, to):
    for j, column in enumerate(transpose([load(weights, to + k * REGISTER) for k in range(REGISTER)])):
        store(state, at + j * m, column)


@unrolled
def move_block(X, places, c, scratch, at, nudges, skip):
    """Bring the rows that begin at these places into the weights of a block, which it returns."""
    weights = []
    for k, place in enumerate(places):
        x = kept(load(X, place + c), skip)
        weights.append(fma(-full(scratch[nudges + k]), x, load(scratch, at + k * REGISTER)))
        store(scratch, at + k * REGISTER, weights[k])
    return weights


@unrolled
def sweep_block(X, places, c, further, scratch, at, nudges, sums, skip):
    """`move_block`, and the products with the rows that begin `further` on added to `sums`."""
    weights = move_block(X, places, c, scratch, at, nudges, skip)
    for place in places:
        prefetch(X, place + (c + further) + AHEAD)
    x = [kept(load(X, place + (c + further)), skip) for place in places]
    return tuple(fma(x[k], weights[k], sums[k]) for k in range(REGISTER))


@unrolled
def sums_of_lanes(sums):
    return sums_of(list(sums))


@kernel
def train_wide(X, y, step, base, count, state, squares, scratch, stepped, kind):
    """`train_narrow` for rows of any width from eight features on."""
    d, m = X.shape[1], len(base)
    last = (d - 1) // REGISTER * REGISTER  # where the last block would begin if it did not overlap
    skip = (np.float64(last + REGISTER - d),)
    size = last + REGISTER
    nudges, labels, steps = size * m, (size + 1) * m, (size + 1 + TILE) * m
    for first in range(0, m, REGISTER):
        for c in range(0, last, REGISTER):
            load_block(state, c * m + first, m, scratch, first * size + c * REGISTER, ())
        load_block(state, (d - REGISTER) * m + first, m, scratch, first * size + last * REGISTER, skip)
        store(scratch, nudges + first, full(0.0))  # no row has come before
    before = 0
    for start in range(0, count, TILE):
        for first in range(0, m, REGISTER):
            turn(y, base, first, start, 1, scratch, labels + first * TILE)
            if len(stepped) > 0:
                turn(step, base, first, start, 1, scratch, steps + first * TILE)
        for i in range(start, start + TILE):
            further = (i - before) * d
            for first in range(0, m, REGISTER):
                at, own = first * size, nudges + first
                places = places_of(base, first, before, d)
                zero = full(0.0)
                sums = zero, zero, zero, zero, zero, zero, zero, zero
                for c in range(0, last, REGISTER):
                    sums = sweep_block(X, places, c, further, scratch, at + c * REGISTER, own, sums, ())
                c = d - REGISTER
                sums = sweep_block(X, places, c, further, scratch, at + last * REGISTER, own, sums, skip)
                bias = load(state, d * m + first) - load(scratch, own)
                store(state, d * m + first, bias)
                place = first * TILE + (i - start) * REGISTER
                z = sums_of_lanes(sums) + bias
                nudge = nudge_of(z, scratch, labels + place, steps + place, step[0], squares, first, stepped, kind)
                store(scratch, own, nudge)
            before = i
    for first in range(0, m, REGISTER):
        at, own = first * size, nudges + first
        if count > 0:
            places = places_of(base, first, before, d)
            for c in range(0, last, REGISTER):
                move_block(X, places, c, scratch, at + c * REGISTER, own, ())
            move_block(X, places, d - REGISTER, scratch, at + last * REGISTER, own, skip)
            store(state, d * m + first, load(state, d * m + first) - load(scratch, own))
        store_block(state, (d - REGISTER) * m + first, m, scratch, at + last * REGISTER)
        for c in range(0, last, REGISTER):
            store_block(state, c * m + first, m, scratch, at + c * REGISTER)


# --- calls ------------------------------------------------------------------------------------------------------------


def _for_rows(X, stepped, kind):
    """The kernel for rows of that width, and X or a copy."""
    width, words = X.shape[1], f"{SEGMENTS} t{stepped} t{kind}"
    return for_rows(train_narrow, f"{words} t{width}", X) if width <= NARROW else for_rows(train_wide, words, X)


def train(X, y, step, base, count, state, squares, loss=LOG_LOSS):
    """Lane k trains on rows base[k], base[k] + 1, ..., base[k] + count - 1, all of which must be rows of X.

    `X` is (n, d), C-contiguous, float64 or float32, and `y` (n,) holds 0.0 or 1.0 a row, or a number if `loss` is
    LEAST_SQUARES. `step` holds the learning rate times the sample weight of each row (n,), or one number for all of
    them (1,). `base` (m,) is int64, and both m and `count` divide by 8. `state` (d + 1, m) has the weights and the bias
    of a lane in its column. The squares of a lane's errors are added to its number in `squares` (m,). All floats but
    X's are float64.

    No other rows are read. Wherever `count` is cut into calls, and whichever lanes are beside each other, the results
    are the same bits. Steps are in bounds as for `neuron.py`.
    """
    d, m, stepped, kind = X.shape[1], len(base), int(len(step) != 1), KINDS[loss]
    scratch = aligned(TILE * (1 + stepped) + (TILE * d if d <= NARROW else d + TILE), m).reshape(-1)
    run, rows = _for_rows(X, stepped, kind)
    tuples = (0,) * stepped, (0,) * kind
    run(rows, y, step, base, count, state, squares, scratch, *tuples, *(((0,) * d,) if d <= NARROW else ()))
