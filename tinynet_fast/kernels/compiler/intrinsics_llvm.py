"""LLVM for what `intrinsics.py` names. Imported when a kernel is first compiled."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def as_bits(typingctx, x):
    """The 64 bits of a double."""
    return types.uint64(types.float64), lambda context, builder, sig, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic
def as_double(typingctx, x):
    """The double of 64 bits."""
    return types.float64(types.uint64), lambda context, builder, sig, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic
def fma(typingctx, x, y, z):
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


@intrinsic
def prefetch(typingctx, X, offset):
    """Ask for the cache line of element `offset` of X, counted from its first; it never faults, even past the end."""
    return _prefetch_into(3, X)  # into every cache


@intrinsic
def prefetch_far(typingctx, X, offset):
    """`prefetch` into all caches but the first, whose few waiting places are then free for what is needed sooner."""
    return _prefetch_into(2, X)


# LLVM is told that no weight lies in the memory that `input_at` reads. Otherwise it compares addresses before every
# loop over the inputs. That takes 80 instructions, and with fewer than 16 inputs it then uses no vectors: 13 ns a row
# with 15 inputs, where 10 are enough.


def _marked(builder, instruction, kind):
    """The load or store, marked as one of the scope of all weights ("alias.scope"), or as none of it ("noalias")."""
    domain = builder.module.add_metadata(["tinynet_fast"])
    scope = builder.module.add_metadata(["tinynet_fast: weights", domain])
    instruction.set_metadata(kind, builder.module.add_metadata([scope]))
    return instruction


def _place(context, builder, kind, array, offset):
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset], inbounds=True)


@intrinsic
def input_at(typingctx, X, offset):
    """Element `offset` of X, counted from its first, as a double."""

    def generate(context, builder, sig, args):
        place = _place(context, builder, sig.args[0], *args)
        found = _marked(builder, builder.load(place), "noalias")
        return context.cast(builder, found, sig.args[0].dtype, types.float64)

    return types.float64(X, types.int64), generate


@intrinsic
def weight_at(typingctx, weights, j):
    """weights[j]"""

    def generate(context, builder, sig, args):
        return _marked(builder, builder.load(_place(context, builder, sig.args[0], *args)), "alias.scope")

    return types.float64(weights, types.int64), generate


@intrinsic
def put_weight(typingctx, weights, j, w):
    """weights[j] = w"""

    def generate(context, builder, sig, args):
        place = _place(context, builder, sig.args[0], *args[:2])
        _marked(builder, builder.store(args[2], place), "alias.scope")
        return context.get_dummy_value()

    return types.void(weights, types.int64, types.float64), generate
