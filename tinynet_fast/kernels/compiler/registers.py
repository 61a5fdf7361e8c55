"""Eight numbers in a register, for kernels that say themselves what is done eight at a time. No arithmetic of models.

LLVM turns loops into such code where it sees fit; here it is written down: a value of type `Lanes(k)` is k registers of
eight doubles, and each function below is one instruction for each of them (on a CPU with smaller registers, several).
`fma` is fused where the CPU can. Arguments may be plain numbers too; they count for every lane.

As in `intrinsics.py`, each has a plain twin, on arrays of 8k numbers, for where nothing is compiled.
"""

import numpy as np

from tinynet_fast.kernels.compiler.jit import UNCOMPILED, written_in

REGISTER = 8  # doubles in one

# 2**(i/16) less i sixteenths of an exponent, as bits: adding k << 48 to entry k & 15 gives the bits of 2**(k/16).
SIXTEENTHS = (2.0 ** (np.arange(16) / 16)).view(np.int64) - (np.arange(16) << 48)
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to the nearest integer, kept in the low bits
MANTISSA, ONE, SIGN = (1 << 52) - 1, 1023 << 52, -(1 << 63)

if UNCOMPILED:

    def fma(x, y, z):
        return x * y + z

    def fnma(x, y, z):
        return z - x * y

    def add(x, y):
        return x + y

    def sub(x, y):
        return x - y

    def mul(x, y):
        return x * y

    def div(x, y):
        return x / y

    def limit(x, low, high):
        x = np.where(x < high, x, high)
        return np.where(x > low, x, low)

    def flip(x, sign):
        return np.where(np.signbit(sign), -x, x)

    def where_equal(a, b, x, y):
        return np.where(a == b, x, y)

    def two_to_the_sixteenth(shifted):
        k = shifted.view(np.int64)
        return (SIXTEENTHS[k & 15] + (k << 48)).view(np.float64)

    def mantissa(x):
        return (x.view(np.int64) & MANTISSA | ONE).view(np.float64)

    def add_exponent(total, x):
        return (total.view(np.int64) + (x.view(np.int64) >> 52) - 1023).view(np.float64)

    def update_and_dot(A, start, x, x_nudge, y, y_nudge, u, u_sum, v, v_sum):
        w = A.reshape(-1)[start : start + len(u_sum)]
        w -= x * x_nudge
        w -= y * y_nudge
        return u_sum + u * w, v_sum + v * w

    def load(A, start, like):
        return A.reshape(-1)[start : start + REGISTER * len(like)].copy()

    def store(A, start, x):
        A.reshape(-1)[start : start + len(x)] = x

else:
    add, add_exponent, div, flip, fma, fnma, limit, load, mantissa, mul, store, sub = written_in(
        "registers_llvm", "add add_exponent div flip fma fnma limit load mantissa mul store sub"
    )
    two_to_the_sixteenth, update_and_dot, where_equal = written_in(
        "registers_llvm", "two_to_the_sixteenth update_and_dot where_equal"
    )
