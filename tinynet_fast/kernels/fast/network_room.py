"""What the scratch of a network holds, and the copies of its parameters that rows see if they are float32."""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    address,
    beyond,
    converted,
    is_single,
    lanes_of,
    read_for,
    store,
    unrolled,
)
from tinynet_fast.kernels.fast.network_steps import RULES, inlined, named

TILE = 128  # rows; a batch's gradient is the same bits wherever its rows are cut into calls at multiples of it

# `units`, the scratch, holds for a tile: a vector or more of rows for each value, layer by layer, each layer's ending
# with one that is always 1; as much again for slopes, which become deltas; labels and weights; two numbers that are
# `found` there; and how to step, for weights and for biases, in float64. Here it is called `work`, and everything has
# an offset. Scratch of float32 ends with a copy of the parameters.
FOUND, RULE = 2 * TILE, 2 * TILE + REGISTER
AFTER_SLOPES = RULE + 2 * RULES
COPY = RULE + 4 * RULES  # after the slopes, in scratch of float32: a float64 takes the room of two numbers


def _room(size, single):
    """How many numbers of the scratch come after the slopes, for as many parameters."""
    return COPY + ((size + (2 * REGISTER - 1)) & -(2 * REGISTER)) if single else AFTER_SLOPES


@inlined
def half_of(units, size):
    """How many numbers of the scratch are values, and as many slopes."""
    return (units.shape[0] - room_after_slopes(address(units), size)) // 2


@unrolled
def room_after_slopes(work, size):
    return _room(size, is_single(work))


# --- parameters that rows see: those of the state, or copies in float32 -----------------------------------------------


@unrolled
def weights_of(params, work, copy):
    """Where the parameters are that rows see."""
    return beyond(work, copy) if is_single(work) else params


def _copy(work, params, copy, p, *, lanes):
    store(work, copy + p, read_for(work, params, p, lanes))


def _round(work, params, _, p, *, lanes):
    store(params, p, converted(params, read_for(work, params, p, lanes)))


def _in_singles(name, one):
    """`one` for the parameters from `first` to `last`, if rows see them in float32; else nothing."""
    of_lanes, of_one = (unrolled(one, lanes=lanes) for lanes in (None, 1))

    @named(name)
    def sweep(work, params, copy, first, last):
        width = lanes_of(work)
        if width > REGISTER:
            whole = first + ((last - first) & ~(width - 1))
            for p in range(first, whole, width):
                of_lanes(work, params, copy, p)
            for p in range(whole, last):
                of_one(work, params, copy, p)

    return sweep


copy_weights, round_weights = _in_singles("copy_weights", _copy), _in_singles("round_weights", _round)


# --- for callers ------------------------------------------------------------------------------------------------------


def of_scratch(signature, units):
    """What a kernel takes after its rows, for this scratch."""
    return signature.format(scratch=units.dtype.char)


def network_scratch(layers, dtype=np.float64):
    """Room for a tile of rows, float64 or float32; it begins on a cache line."""
    layers = np.asarray(layers)
    half = TILE * int(layers[:, layout.INPUTS].sum() + len(layers) + layers[-1, layout.OUTPUTS])
    size = int(((layers[:, layout.INPUTS] + 1) * layers[:, layout.OUTPUTS]).sum())
    count, line = 2 * half + _room(size, dtype == np.float32), 8 * REGISTER // np.dtype(dtype).itemsize
    room = np.zeros(count + line, dtype)
    skip = -(room.__array_interface__["data"][0] // room.itemsize) % line
    return room[skip : skip + count]
