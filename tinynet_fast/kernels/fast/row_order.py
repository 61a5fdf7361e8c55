"""What comes before an update: the order of the rows, rows gathered from all over a table, the schedule."""

from functools import cache

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler.jit import compiled, kernel, part
from tinynet_fast.kernels.fast.neuron import prefetch_lines_far

AHEAD = 12  # rows asked for before they are copied
CONSTANT, INVSCALING, OPTIMAL = 0, 1, 2  # schedules

# Constants of NumPy's `SeedSequence`, of 32 bits, and the two halves of PCG64's multiplier, which has 128.
M32, HALF, SHIFT, ONE = np.uint64(0xFFFF_FFFF), np.uint64(32), np.uint64(16), np.uint64(1)
POOL = 4
FIRST_A, TIMES_A = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
FIRST_B, TIMES_B = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
LEFT, RIGHT = np.uint64(0xCA01F9DD), np.uint64((1 << 32) - 0x4973F715)  # NumPy subtracts the second product
TIMES_HIGH, TIMES_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)


@kernel
def shuffle(index, seed):
    """Fisher and Yates's permutation of `index` from Marsaglia's 32-bit xorshift (JSS 8(14), 2003), from `seed` on."""
    state = np.uint32(seed)
    if state == 0:
        state = np.uint32(1)
    n = np.uint32(len(index))
    for i in range(n - np.uint32(1)):
        state ^= np.uint32(state << np.uint32(13))
        state ^= np.uint32(state >> np.uint32(17))
        state ^= np.uint32(state << np.uint32(5))
        j = i + np.int64(np.uint32(state & np.uint32(0x7FFFFFFF)) % np.uint32(n - np.uint32(i)))
        index[i], index[j] = index[j], index[i]


# --- NumPy's order ----------------------------------------------------------------------------------------------------


@part()
def hashed(value, constant, times):
    """Mix a number with a constant. Returns the number, and the constant for the next call."""
    following = constant * times & M32
    value = (value ^ constant) * following & M32
    return value ^ value >> SHIFT, following


@part()
def mix(pool, place, value):
    """Mix a value into a number of the pool."""
    mixed = (np.uint64(pool[place]) * LEFT & M32) + (value * RIGHT & M32) & M32
    pool[place] = np.int64(mixed ^ mixed >> SHIFT)


@part()
def fill_pool(words, pool):
    """Mix the seed's words into the pool, (4,) int64, as NumPy's SeedSequence does (O'Neill's seed_seq_fe, 2015)."""
    constant = FIRST_A
    for k in range(POOL):
        value, constant = hashed(np.uint64(words[k] if k < len(words) else 0), constant, TIMES_A)
        pool[k] = np.int64(value)
    for source in range(POOL):
        for place in range(POOL):
            if source != place:
                value, constant = hashed(np.uint64(pool[source]), constant, TIMES_A)
                mix(pool, place, value)
    for k in range(POOL, len(words)):
        for place in range(POOL):
            value, constant = hashed(np.uint64(words[k]), constant, TIMES_A)
            mix(pool, place, value)


@part()
def drawn_seed(pool, k, constant):
    """The `k`-th 64 bits that are drawn from the pool, and the next constant."""
    low, constant = hashed(np.uint64(pool[2 * k % POOL]), constant, TIMES_B)
    high, constant = hashed(np.uint64(pool[(2 * k + 1) % POOL]), constant, TIMES_B)
    return high << HALF | low, constant


@part(forceinline=True)
def advanced(high, low, step_high, step_low):
    """PCG64's next state, state * multiplier + step, modulo 2^128 (O'Neill, PCG, HMC-CS-2014-0905): (high, low)."""
    a, b = low >> HALF, low & M32
    c, d = TIMES_LOW >> HALF, TIMES_LOW & M32
    middle = (b * d >> HALF) + (a * d & M32) + (b * c & M32)
    upper = a * c + (a * d >> HALF) + (b * c >> HALF) + (middle >> HALF) + high * TIMES_LOW + low * TIMES_HIGH
    lower = low * TIMES_LOW + step_low
    return upper + step_high + np.uint64(lower < step_low), lower


@part(forceinline=True)
def output(high, low):
    """The 64 bits that PCG64 gives in a state."""
    bits, turn = high ^ low, high >> np.uint64(58)
    return bits >> turn | bits << (np.uint64(64) - turn & np.uint64(63))


@part(forceinline=True)
def swapped(places, k, i, mask, bits):
    """Swap place i with the one that the bits give, if it is not above i. Returns the next i and its mask.

    There is no branch: about three draws in ten are above i, and the CPU cannot predict which.
    """
    j = np.int64(bits & mask)
    fits = j <= i
    j = j if fits else i
    places[k, i], places[k, j] = places[k, j], places[k, i]
    i -= np.int64(fits)
    return i, mask >> np.uint64(np.uint64(i) <= mask >> ONE)


@kernel
def permutations(words, pool, places):
    """Fill each row of `places`, (k, n) int64, with what `np.random.default_rng(words).permutation(n)` is.

    `words` holds the parts of the seed, 32 bits each. After each row, its last word grows by one. `pool`, (4,) int64,
    is a place to work in. `n` is below 2^32.

    It is Fisher and Yates's permutation. To draw a number up to i, take 32 bits (first the low half of PCG64's 64, then
    the high one), keep the lowest bits that i needs, and draw again if the number is above i. NumPy takes 25 us for a
    generator, and twice as long as this for each place.
    """
    for k in range(places.shape[0]):
        fill_pool(words, pool)
        high, constant = drawn_seed(pool, 0, FIRST_B)
        low, constant = drawn_seed(pool, 1, constant)
        step_high, constant = drawn_seed(pool, 2, constant)
        step_low, constant = drawn_seed(pool, 3, constant)
        step_high, step_low = step_high << ONE | step_low >> np.uint64(63), step_low << ONE | ONE
        carried = low + step_low
        high, low = advanced(high + step_high + np.uint64(carried < low), carried, step_high, step_low)
        i, mask = np.int64(places.shape[1] - 1), M32
        for j in range(i + 1):
            places[k, j] = j
        while np.int64(mask >> ONE) >= i > 0:
            mask >>= ONE
        while i > 0:
            high, low = advanced(high, low, step_high, step_low)
            bits = output(high, low)
            i, mask = swapped(places, k, i, mask, bits & M32)
            if i > 0:
                i, mask = swapped(places, k, i, mask, bits >> HALF)
        words[len(words) - 1] += 1


# --- rows and schedules -----------------------------------------------------------------------------------------------


@kernel
def gather_rows(X, y, index, X_out, y_out):
    """X_out[i] = X[index[i]], y_out[i] = y[index[i]]; rows wait for memory side by side and not one after the other."""
    n, d = len(index), X.shape[1]
    stride = np.int64(64 // X.itemsize)
    lines = (d + stride - 1) // stride + 1
    for i in range(n):
        prefetch_lines_far(X, index[min(i + AHEAD, n - 1)] * d, lines, stride)
        row = index[i]
        for j in range(d):
            X_out[i, j] = X[row, j]
        y_out[i] = y[row]


@cache
def _compiled(floats, labels):
    """`gather_rows` for rows of float64 ("d") or float32 ("f"), and labels of float64 or uint8 ("B")."""
    return compiled(gather_rows, f"{floats}2 {labels}1 l1 {floats}w2 dw1")


def gather(X, y, index, X_out, y_out):
    """Rows of the C-contiguous `X`, float64 or float32, and labels, uint8 or float64, as `index` (int64) says."""
    _compiled(X.dtype.char, y.dtype.char)(X, y, index, X_out, y_out)


@kernel
def fill_schedule(kind, rate, power_t, offset, alpha, row, weight, l2, l1, average_from, schedule):
    """`Penalties.schedule_rows` of `Schedule.rates` after the first `row` rows, into `schedule`, in one pass.

    `kind` is CONSTANT at `rate`, INVSCALING, or OPTIMAL, 1 / (alpha (offset + t - 1)); `weight` has a number a row
    or none at all. NumPy, an array for each step of it, took 7 ns a row, this takes 2.
    """
    for i in range(len(schedule)):
        t = row + i + 1.0
        if kind == INVSCALING:
            rate_now = rate / t**power_t
        elif kind == OPTIMAL:
            rate_now = 1.0 / (alpha * (offset + t - 1.0))
        else:
            rate_now = rate
        schedule[i, at.STEP] = rate_now * weight[i] if len(weight) > 0 else rate_now
        schedule[i, at.KEEP] = max(0.0, 1.0 - l2 * rate_now)
        schedule[i, at.CUT] = l1 * rate_now
        averaged = t + 1.0 - average_from
        schedule[i, at.SHARE] = 1.0 / averaged if average_from > 0 and averaged > 0.0 else 0.0
