"""Neurons that each train on rows of their own: a neuron is a lane of the registers, its rows a segment of X.

Each neuron gets the reference's updates in the reference's order. What one waits for (a sum, exp, a division: about 70
cycles) the others fill, as in `many_neurons.py`, whose sigmoid this is. But no two lanes share a row. So eight rows of
every lane at a time, a tile, are turned: the rows of a lane are consecutive, so that a lane's tile is 8*d consecutive
numbers, and blocks of eight numbers of eight lanes are transposed in registers. Number c of all lanes is then
consecutive in `scratch`, and so are the labels, and the steps if rows have steps of their own.

A tile leaves nothing behind but the weights. No lane sees another, whatever becomes of it.
Nothing here allocates, raises or keeps state between calls.
"""

import numpy as np

from tinynet_fast.kernels.compiler.jit import MissingCompilerError, compiled, for_rows, kernel, part
from tinynet_fast.kernels.compiler.signatures import SEGMENTS
from tinynet_fast.kernels.compiler.simd import REGISTER, fma, load, prefetch, store, transpose, unrolled
from tinynet_fast.kernels.fast.many_neurons import MOST, WIDTH, aligned, learn

__all__ = ["MOST", "TILE", "WIDTH", "aligned", "train"]

TILE = REGISTER  # rows of a lane that are turned at once
NARROW = 4  # features up to which the weights stay in registers
LINE = 8  # doubles in a cache line


@unrolled
def turn_block(values, places, ahead, scratch, at, lanes):
    """Eight numbers from each of eight places on, transposed, to `scratch`; asks for those that are `ahead`."""
    for place in places:
        prefetch(values, place + ahead)
    for k, column in enumerate(transpose([load(values, place) for place in places])):
        store(scratch, at + k * (WIDTH * len(lanes)), column)


@part(forceinline=True)
def turn(values, base, start, d, scratch, at, lanes):
    """Rows start..start+7 of each lane, of d numbers each: number c of lane k goes to place at + c*lanes + k."""
    m = WIDTH * len(lanes)
    for first in range(0, m, REGISTER):
        p0, p1 = (base[first] + start) * d, (base[first + 1] + start) * d
        p2, p3 = (base[first + 2] + start) * d, (base[first + 3] + start) * d
        p4, p5 = (base[first + 4] + start) * d, (base[first + 5] + start) * d
        p6, p7 = (base[first + 6] + start) * d, (base[first + 7] + start) * d
        for c in range(0, TILE * d, REGISTER):
            places = p0 + c, p1 + c, p2 + c, p3 + c, p4 + c, p5 + c, p6 + c, p7 + c
            turn_block(values, places, TILE * d, scratch, at + c * m + first, lanes)


# --- up to four features: weights in registers ------------------------------------------------------------------------


@unrolled
def load_weights(state, inputs, lanes):
    return tuple(load(state, j * (WIDTH * len(lanes)), lanes) for j in range(len(inputs) + 1))


@unrolled
def store_weights(state, weights, lanes):
    for j, w in enumerate(weights):
        store(state, j * (WIDTH * len(lanes)), w)


@unrolled
def dot(scratch, at, weights, lanes):
    """The sums of the row that begins at this place."""
    z = weights[-1]
    for j, w in enumerate(weights[:-1]):
        z = fma(load(scratch, at + j * (WIDTH * len(lanes)), lanes), w, z)
    return z


@unrolled
def moved(scratch, at, weights, nudge, lanes):
    """The weights after that row."""
    inputs = [load(scratch, at + j * (WIDTH * len(lanes)), lanes) for j in range(len(weights) - 1)]
    return *(fma(-nudge, x, w) for x, w in zip(inputs, weights[:-1], strict=True)), weights[-1] - nudge


# --- any number of features: weights in memory ------------------------------------------------------------------------


@part(forceinline=True)
def first_dot(scratch, state, d, lanes):
    m = WIDTH * len(lanes)
    z = load(state, d * m, lanes)
    for j in range(d):
        z = fma(load(scratch, j * m, lanes), load(state, j * m, lanes), z)
    return z


@part(forceinline=True)
def sweep(scratch, at, state, d, nudge, lanes):
    """Bring the row at this place into the weights; gives the sums of the row after it."""
    m = WIDTH * len(lanes)
    z = load(state, d * m, lanes) - nudge
    store(state, d * m, z)
    for j in range(d):
        w = fma(-nudge, load(scratch, at + j * m, lanes), load(state, j * m, lanes))
        store(state, j * m, w)
        z = fma(load(scratch, at + (d + j) * m, lanes), w, z)
    return z


@part(forceinline=True)
def last_move(scratch, at, state, d, nudge, lanes):
    m = WIDTH * len(lanes)
    store(state, d * m, load(state, d * m, lanes) - nudge)
    for j in range(d):
        store(state, j * m, fma(-nudge, load(scratch, at + j * m, lanes), load(state, j * m, lanes)))


# --- passes -----------------------------------------------------------------------------------------------------------


@unrolled
def step_of(scratch, at, step, stepped, lanes):
    return load(scratch, at, lanes) if stepped else step


@kernel
def train_narrow(X, y, step, base, count, state, squares, scratch, lanes, stepped, inputs):
    """`train` for rows as wide as the tuple `inputs` is long; rows have their own steps if the tuple `stepped` is not
    empty."""
    d, m = len(inputs), WIDTH * len(lanes)
    labels, steps = TILE * d * m, TILE * (d + 1) * m
    weights, total = load_weights(state, inputs, lanes), load(squares, 0, lanes)
    for start in range(0, count, TILE):
        turn(X, base, start, d, scratch, 0, lanes)
        turn(y, base, start, 1, scratch, labels, lanes)
        if len(stepped) > 0:
            turn(step, base, start, 1, scratch, steps, lanes)
        for i in range(TILE):
            z = dot(scratch, i * d * m, weights, lanes)
            s = step_of(scratch, steps + i * m, step[0], stepped, lanes)
            nudge, wrong, _ = learn(z, load(scratch, labels + i * m, lanes), s, 1.0)
            total = fma(wrong, wrong, total)
            weights = moved(scratch, i * d * m, weights, nudge, lanes)
    store_weights(state, weights, lanes)
    store(squares, 0, total)


@kernel
def train_wide(X, y, step, base, count, state, squares, scratch, lanes, stepped):
    """`train_narrow` for rows of any width."""
    d, m = X.shape[1], WIDTH * len(lanes)
    labels, steps = TILE * d * m, TILE * (d + 1) * m
    total = load(squares, 0, lanes)
    for start in range(0, count, TILE):
        turn(X, base, start, d, scratch, 0, lanes)
        turn(y, base, start, 1, scratch, labels, lanes)
        if len(stepped) > 0:
            turn(step, base, start, 1, scratch, steps, lanes)
        z = first_dot(scratch, state, d, lanes)
        for i in range(TILE):
            s = step_of(scratch, steps + i * m, step[0], stepped, lanes)
            nudge, wrong, _ = learn(z, load(scratch, labels + i * m, lanes), s, 1.0)
            total = fma(wrong, wrong, total)
            if i < TILE - 1:
                z = sweep(scratch, i * d * m, state, d, nudge, lanes)
            else:
                last_move(scratch, i * d * m, state, d, nudge, lanes)
    store(squares, 0, total)


# --- calls ------------------------------------------------------------------------------------------------------------


def _compiled(floats, width, registers, stepped):
    """The kernel for rows of float64 ("d") or float32 ("f") of that width."""
    words = f"{floats}2 {SEGMENTS} t{registers} t{stepped}"
    return compiled(train_narrow, f"{words} t{width}") if width <= NARROW else compiled(train_wide, words)


def train(X, y, step, base, count, state, squares):
    """Lane k trains on rows base[k], base[k] + 1, ..., base[k] + count - 1, all of which must be rows of X.

    `X` is (n, d), C-contiguous, float64 or float32, and `y` (n,) holds 0.0 or 1.0 a row. `step` holds the learning rate
    times the sample weight of each row (n,), or one number for all of them (1,). `base` (m,) is int64; m is 8 to
    8 * MOST and divides by 8; so does `count`. `state` (d + 1, m) has the weights and the bias of a lane in its column.
    The squares of a lane's errors are added to its number in `squares` (m,). All floats but X's are float64.

    No other rows are read. Wherever `count` is cut into calls, and whichever lanes are beside each other, the results
    are the same bits. Steps are in bounds as for `neuron.py`.
    """
    d, m = X.shape[1], len(base)
    stepped = int(len(step) != 1)
    inputs = ((0,) * d,) if d <= NARROW else ()
    registers = m // WIDTH
    scratch = aligned(TILE * (d + 1 + stepped), m).reshape(-1)
    try:
        run, rows = for_rows(lambda floats: _compiled(floats, d, registers, stepped), X)
        run(rows, y, step, base, count, state, squares, scratch, (0,) * registers, (0,) * stepped, *inputs)
    except MissingCompilerError:  # pragma: no cover - the library has one register: one after the other
        run, rows = for_rows(lambda floats: _compiled(floats, d, 1, stepped), X)
        for first in range(0, m, WIDTH):
            some = slice(first, first + WIDTH)
            part = np.ascontiguousarray(state[:, some])
            run(rows, y, step, base[some], count, part, squares[some], scratch, (0,), (0,) * stepped, *inputs)
            state[:, some] = part
