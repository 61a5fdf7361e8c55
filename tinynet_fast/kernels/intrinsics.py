"""What Numba has no word for: the bits of a float, a fused multiply-add, a prefetch. Each with a plain Python twin.

The twins stand in where compiling is switched off (NUMBA_DISABLE_JIT=1), so that coverage can see the kernels' lines.
A cached kernel does not notice an edit in this file: empty Numba's cache after one.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic


def _as_bits(typingctx, x):
    """The 64 bits of a double."""
    return types.uint64(types.float64), lambda context, builder, sig, args: builder.bitcast(args[0], ir.IntType(64))


def _as_double(typingctx, x):
    """The double of 64 bits."""
    return types.float64(types.uint64), lambda context, builder, sig, args: builder.bitcast(args[0], ir.DoubleType())


def _fma(typingctx, x, y, z):
    """x*y + z, fused where the CPU can: `contract` alone left a multiply and a subtraction in the chain (2 cycles)."""

    def generate(context, builder, sig, args):
        double = ir.DoubleType()
        signature = ir.FunctionType(double, [double] * 3)
        return builder.call(builder.module.declare_intrinsic("llvm.fmuladd", [double], signature), args)

    return types.float64(types.float64, types.float64, types.float64), generate


def _prefetch_into(locality, X):
    def generate(context, builder, sig, args):
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        start = context.make_array(sig.args[0])(context, builder, args[0]).data
        address = builder.bitcast(builder.gep(start, [args[1]]), byte)
        signature = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        touch = builder.module.declare_intrinsic("llvm.prefetch", [byte], signature)
        builder.call(touch, [address, word(0), word(locality), word(1)])  # for reading, data
        return context.get_dummy_value()

    return types.void(X, types.int64), generate


def _prefetch(typingctx, X, offset):
    """Ask for the cache line of element `offset` of X, counted from its first; it never faults, even past the end."""
    return _prefetch_into(3, X)  # into every cache


def _prefetch_far(typingctx, X, offset):
    """`prefetch` into all caches but the first, whose few waiting places are then free for what is needed sooner."""
    return _prefetch_into(2, X)


UNCOMPILED = bool(getattr(config, "DISABLE_JIT", False))  # an attribute that Numba sets when it is imported

if UNCOMPILED:

    def as_bits(x):
        return np.float64(x).view(np.uint64)

    def as_double(x):
        return np.uint64(x).view(np.float64)

    def fma(x, y, z):
        return x * y + z

    def prefetch(X, offset):
        pass

    def prefetch_far(X, offset):
        pass

else:
    as_bits, as_double, fma, prefetch, prefetch_far = (
        intrinsic(f) for f in (_as_bits, _as_double, _fma, _prefetch, _prefetch_far)
    )
