"""Eight doubles at a time: all that the author of a kernel needs for lanes.

A CPU has registers of eight doubles (or of four, or two), and does to all of them at once what it does to one. A lane
is one of these doubles. In a kernel, some lanes are one value, which is used as a NumPy array would be:

    w = load(state, 8 * j)              # w = state[8 * j : 8 * j + 8]
    z = fma(x, w, z)                    # z = x * w + z for each lane; x may be a plain number
    p = where(z > 0.0, z, 0.0) / total  # + - * / < > == do to each lane what they do to a number
    store(state, 8 * j, p)

Each function below says in NumPy what it does. If kernels are not compiled (NUMBA_DISABLE_JIT=1), or if the function
is called at a Python prompt, these very lines run. No product is fused with a sum unless a kernel says `fma`, and no
sum is reordered.

There are two places to write this in:

- Kernels and their parts (`jit.kernel`, `jit.part`), which Numba compiles. It has to know the size of a value: say
  `load(state, at)` for eight lanes, and `load(state, at, (0, 0))` for 16; a tuple has an entry for each register.
- `unrolled` functions, which kernels call. Python runs them while it compiles the kernel, and what they do to lanes
  becomes the kernel's code. Python's own lists, `for` and `if` are free: they shape the code, and are gone when the
  kernel runs. So a list of 16 values is 16 registers. `repeat` is a loop that stays in the kernel; only a loop that
  carries a list from round to round needs it. (A kernel's own loop can carry a tuple. With 16 registers in it, networks
  took as long or up to 7% longer, and twice as long to compile.)
"""

from functools import partial, update_wrapper
from importlib import import_module
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import UNCOMPILED

REGISTER = 8  # doubles
LINE = 64  # bytes that memory sends at a time
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to the nearest whole number, kept in the low bits
MANTISSA, ONE, SIGN = (1 << 52) - 1, 1023 << 52, 1 << 63  # bits of a double: its digits, those of 1.0, its sign
SINGLE_MANTISSA, SINGLE_ONE = (1 << 23) - 1, 127 << 23  # of a float32


class Traced:
    """A function that Python runs for one of two reasons.

    Called with NumPy's numbers, it computes. Called with LLVM's values, while a kernel is compiled, it calls `write`,
    which adds instructions to the kernel. No compiler is needed until Numba asks for `_numba_type_`.
    """

    def __init__(self, compute: Any, write: Any) -> None:
        self.compute, self.write = compute, write
        update_wrapper(self, compute)

    def __call__(self, *arguments):
        if any(_is_written(x) for x in arguments):
            return self.write(*arguments)
        with np.errstate(all="ignore"):
            return self.compute(*arguments)

    def with_globals(self, change: Any) -> Any:
        """For `jit.rebuilt`: an `unrolled` function that `change` was applied to; an instruction is what it is."""
        if self.compute is not self.write:
            return None
        if isinstance(self.compute, partial):
            return unrolled(change(self.compute.func), **self.compute.keywords)
        return unrolled(change(self.compute))

    @property
    def _numba_type_(self) -> Any:
        """Numba looks for this name on whatever a kernel refers to."""
        return import_module("tinynet_fast.kernels.compiler.simd_numba").numba_type(self)


def _is_written(x):
    """Whether x is one of LLVM's values, or has some."""
    return any(map(_is_written, x)) if isinstance(x, list | tuple) else hasattr(x, "builder")


def unrolled(function, **constants) -> Any:
    """A decorator: Python runs `function` while it compiles a kernel that calls it.

    `unrolled(function, name=value)` makes another function, one of whose arguments is a constant.
    """
    fixed = partial(function, **constants) if constants else function
    return Traced(fixed, fixed)


def instruction(function) -> Any:
    """A decorator: `function` says in NumPy what the function of its name in `simd_llvm.py` does in LLVM.

    For a function of `words.py`, this is in `words_llvm.py`.
    """

    def write(*arguments):
        return getattr(import_module(f"{function.__module__}_llvm"), function.__name__)(*arguments)

    return function if UNCOMPILED else Traced(function, write)


# --- arithmetic: of lanes, and of numbers too -------------------------------------------------------------------------


@instruction
def fma(x, y, z):
    """x * y + z, rounded once where the CPU can, which is also faster."""
    return x * y + z


@instruction
def where(condition, x, y):
    """x in the lanes for which `condition` is true, and y in the others."""
    return np.where(condition, x, y)


@instruction
def sqrt(x):
    return np.sqrt(x)


@instruction
def minimum(i, k):
    """The smaller of two whole numbers."""
    return min(i, k)


@instruction
def as_bits(x):
    """The bits of each double (64) or float32 (32), as a whole number. These have + - & | ^ << >>."""
    return np.asarray(x).view(np.uint32) if is_single(x) else np.float64(x).view(np.uint64)


@instruction
def as_double(bits):
    """The doubles that have these 64 bits, or the float32 that have these 32."""
    return bits.view(np.float32) if _dtype(bits) == "uint32" else np.uint64(bits).view(np.float64)


@instruction
def to_double(whole):
    """Whole numbers as doubles, those of 32 bits as float32: 3.0 for 3."""
    return np.float32(whole) if _dtype(whole) == "uint32" else np.float64(whole)


# --- memory -----------------------------------------------------------------------------------------------------------
#
# Arrays are C-contiguous. A place in an array is counted from its first number, in one dimension, whatever its shape.


def _count(lanes):
    """The number of lanes: `lanes` is that number, or a tuple with an entry for each register."""
    return REGISTER * len(lanes) if isinstance(lanes, tuple) else lanes


@instruction
def full(x, lanes=REGISTER):
    """The number x in every lane."""
    return np.full(_count(lanes), x)


@instruction
def load(array, at, lanes=REGISTER):
    """The numbers of a float64 or float32 array from place `at` on, as doubles."""
    return array.reshape(-1)[at : at + _count(lanes)].astype(np.float64)


@instruction
def store(array, at, x):
    """Write the lanes of x into an array of float64 or float32 from place `at` on, rounded to the array's type."""
    array.reshape(-1)[at : at + len(x)] = x


@instruction
def address(array):
    """The place in memory where an array begins. `load`, `store` and [] take it like the array.

    It is one argument of a part, an array is seven. With arrays, small networks took a third longer.
    """
    return array.reshape(-1)


# --- float32 ----------------------------------------------------------------------------------------------------------
#
# `load` and `full` give doubles. What calculates in the type of an array, so that one source serves both types, says
# `read` and `filled`: a register has eight doubles or 16 float32, and `lanes_of` says which.


@instruction
def lanes_of(array):
    """How many of the array's numbers a register has: a constant."""
    return 8 * REGISTER // array.itemsize


@instruction
def read(array, at, lanes=None):
    """The numbers of an array from place `at` on, as they are: a register of them, or as many as `lanes` says."""
    return array.reshape(-1)[at : at + (lanes or lanes_of(array))].copy()


@instruction
def read_for(like, array, at, lanes=None):
    """The same in the type of the array `like`, and by default as many of them as a register of that type has."""
    return array.reshape(-1)[at : at + (lanes or lanes_of(like))].astype(like.dtype)


@instruction
def filled(array, x, lanes=None):
    """The number x in every lane, in the array's type."""
    return np.full(lanes or lanes_of(array), x, dtype=array.dtype)


@instruction
def converted(like, x):
    """The lanes of x in the type of the array `like`."""
    return x.astype(like.dtype)


@instruction
def beyond(array, at):
    """The array from place `at` on."""
    return array.reshape(-1)[at:]


@instruction
def as_doubles(array, at):
    """The memory of the array from place `at` on, as an array of float64: where a float32 would lose digits."""
    return array.reshape(-1)[at : len(array) - (len(array) - at) % 2].view(np.float64)


def is_single(x):
    """Whether these lanes, or the numbers of this array, are float32: for `unrolled` functions alone."""
    return _dtype(x) == "float32"


def _dtype(x):
    return str(getattr(x, "dtype", ""))


# --- one register -----------------------------------------------------------------------------------------------------


@instruction
def pack(numbers):
    """A list of numbers, side by side."""
    return np.array(numbers)


@instruction
def pack_for(like, numbers):
    """The same in the type of the array `like`: a register at most."""
    return np.array(numbers, like.dtype)


@instruction
def count_of(x):
    """How many lanes x has: for `unrolled` functions alone."""
    return len(x)


@instruction
def lane(x, k):
    """The number in lane k, a constant."""
    return x[k]


@instruction
def shuffle(x, y, places):
    """Lanes of x and y in another order: `places` is a list of constants, which count y's lanes after those of x."""
    return np.concatenate((x, y))[places]


@instruction
def look_up(table, index):
    """table[index & 15] for each lane of whole numbers; `table` is a constant, of 16."""
    return table[index & 15]


@instruction
def registers(x):
    """A list of x's registers, of doubles."""
    return np.split(x, len(x) // REGISTER)


@instruction
def join(parts):
    """One value of these registers, the inverse of `registers`."""
    return np.concatenate(parts)


# --- loops of `unrolled` functions ------------------------------------------------------------------------------------


@instruction
def repeat(count, carried, body):
    """Call `body(i, carried)` for i from 0 to count - 1, once at least. It returns the next `carried`, a list."""
    for i in range(count):
        carried = body(i, carried)
    return carried


# --- made of these ----------------------------------------------------------------------------------------------------


@unrolled
def limit(x, low, high):
    """x, but at least `low` and at most `high`; `high` for NaN."""
    x = where(x < high, x, high)
    return where(x > low, x, low)


@unrolled
def flip(x, sign):
    """x, with its sign changed where `sign` is negative."""
    return as_double(as_bits(x) ^ (as_bits(sign) & SIGN))


@unrolled
def mantissa(x):
    """x over the largest power of two in it: from 1 up to 2, for normal floats above 0."""
    digits, one = (SINGLE_MANTISSA, SINGLE_ONE) if is_single(x) else (MANTISSA, ONE)
    return as_double(as_bits(x) & digits | one)


def _neighbours(x, y, width):
    """The sums of neighbours, in the first `width` lanes of x and y in a row."""
    return shuffle(x, y, list(range(0, width, 2))) + shuffle(x, y, list(range(1, width, 2)))


@unrolled
def sums_of(xs, width=None):
    """The sum of the lanes of each of 8, 4, 2 or 1 registers, side by side; of the first `width` lanes, if given."""
    sums, width = len(xs), width or count_of(xs[0])
    while len(xs) > 1:
        xs = [_neighbours(xs[i], xs[i + 1], 2 * width) for i in range(0, len(xs), 2)]
    x = xs[0]
    while width > sums:
        x, width = _neighbours(x, x, width), width // 2
    return x


@unrolled
def sum_of(x, width=None):
    """The sum of the lanes of x, a number."""
    return lane(sums_of([x], width), 0)


@unrolled
def transpose(rows):
    """Eight rows of eight numbers as eight columns: in three rounds, blocks of 1, 2 and 4 lanes change places.

    Of eight registers with 16 numbers each, both halves are turned so.
    """
    width = count_of(rows[0])
    for apart in (1, 2, 4):
        low = [k + width - apart if k & apart else k for k in range(width)]
        high = [place + apart for place in low]
        rows = [shuffle(rows[k & ~apart], rows[k | apart], high if k & apart else low) for k in range(REGISTER)]
    return rows


# --- numbers alone: what Numba has no word for ------------------------------------------------------------------------
#
# LLVM is told that no weight lies in the memory that `input_at` reads. Otherwise it compares addresses before every
# loop over the inputs. That takes 80 instructions, and with fewer than 16 inputs it then uses no vectors: 13 ns a row
# with 15 inputs, where 10 are enough.


@instruction
def input_at(X, at):
    """The number at place `at` of the rows X, as a double."""
    return np.float64(X.reshape(-1)[at])


@instruction
def weight_at(weights, j):
    return weights[j]


@instruction
def put_weight(weights, j, w):
    weights[j] = w


@instruction
def prefetch(array, at):
    """Ask for the cache line of place `at`; it changes nothing, and may lie past the end."""


@instruction
def prefetch_far(array, at):
    """`prefetch` into all caches but the first, which can wait for few lines: for those needed sooner."""


@instruction
def per_line(array):
    """How many of the array's numbers are in a cache line: a constant, for `unrolled` functions alone."""
    return LINE // array.itemsize


def lanes_of_cpu():
    """How many doubles a register has, at most 4: for `unrolled` functions that need nearly all registers."""
    return 4 if UNCOMPILED else import_module("tinynet_fast.kernels.compiler.simd_llvm").lanes_of_cpu()
