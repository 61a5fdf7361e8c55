"""Eight doubles at a time: small kernels written once, in Python, and either traced into LLVM or run by NumPy.

A `vectors` function takes a machine `v` first. Compiled, `v` is `Tracer`: its values are LLVM's, and running the
function once writes the kernel's instructions, with every sum held in a register where the function holds it in a name.
That is what loops over arrays do not promise: LLVM kept the sums of a 4 x 4 tile in memory. Not compiled, `v` is
`Plain`, and the same lines compute with NumPy. No product is fused with a sum unless the function says `v.fma`.
"""

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import UNCOMPILED, Late, written_in

LANES = 8


class Plain:
    """The machine without a compiler. Arrays are their flat views, a vector is an array of as many doubles."""

    def load(self, array, at, width=LANES):
        return array[at : at + width].astype(np.float64)

    def store(self, array, at, x):
        array[at : at + len(x)] = x

    def value(self, array, at):
        return np.float64(array[at])

    def splat(self, x, width=LANES):
        return np.full(width, x)

    def least(self, i, k):
        """The smaller of two whole numbers."""
        return min(i, k)

    def together(self, xs):
        """A vector of numbers."""
        return np.array(xs)

    def numbers(self, xs):
        """A vector of constants."""
        return np.array(xs)

    def first(self, m, width=LANES):
        """A vector with 1.0 in the first m lanes and 0.0 in the others."""
        return (np.arange(width) < m).astype(np.float64)

    def fma(self, x, y, z):
        return x * y + z

    def where(self, condition, x, y):
        return np.where(condition, x, y)

    def root(self, x):
        return np.sqrt(x)

    def power_of_two(self, shifted):
        """2**k, where `shifted` holds k in its low bits; infinity for k = 1024."""
        return ((shifted.view(np.uint64) + np.uint64(1023)) << np.uint64(52)).view(np.float64)

    def split(self, x):
        """k and m with x = m * 2**k and m from 1 up to 2, for normal numbers."""
        bits = x.view(np.uint64)
        mantissa = (bits & np.uint64(2**52 - 1)) | np.uint64(1023 << 52)
        return (bits >> np.uint64(52)).astype(np.float64) - 1023.0, mantissa.view(np.float64)

    def shuffle(self, x, y, lanes):
        return np.concatenate((x, y))[lanes]

    def lane(self, x, k):
        return x[k]

    def repeat(self, count, carried, body):
        """`body(i, carried)` for i from 0 to count - 1, at least once; what it gives is carried on."""
        for i in range(count):
            carried = body(i, carried)
        return carried


def _flat(array):
    return array.reshape(-1)


# Where an array's numbers begin: one argument in place of an array's seven, which took a small network a third longer.
address: Any = _flat if UNCOMPILED else written_in("vectors_llvm", "address")[0]


def vectors(function, gives=False, **constants):
    """`function` as a kernel may call it, without its machine; `constants` are its arguments by keyword.

    `gives` says that it gives a double back; else it gives nothing.
    """
    function = partial(function, **constants)
    if not UNCOMPILED:  # pragma: no cover - for compiled kernels alone
        return Late(lambda: import_module("tinynet_fast.kernels.compiler.vectors_llvm").traced(function, gives))

    def plain(*arguments):
        with np.errstate(all="ignore"):
            return function(Plain(), *arguments)

    return plain
