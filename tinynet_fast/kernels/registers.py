"""Eight numbers in a register, for kernels that say themselves what is done eight at a time. No arithmetic of models.

LLVM turns loops into such code where it sees fit; here it is written down: a value of type `Lanes(k)` is k registers of
eight doubles, and each function below is one instruction for each of them (on a CPU with smaller registers, several).
`fma` is fused where the CPU can. Arguments may be plain numbers too; they count for every lane.

As in `intrinsics.py`, each has a plain twin, on arrays of 8k numbers, for where nothing is compiled. A cached kernel
does not notice an edit in this file: empty Numba's cache after one.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from tinynet_fast.kernels.intrinsics import UNCOMPILED

REGISTER = 8  # doubles in one
DOUBLE, INT64 = ir.DoubleType(), ir.IntType(64)
DOUBLES, INTS = ir.VectorType(DOUBLE, REGISTER), ir.VectorType(INT64, REGISTER)

# 2**(i/16) less i sixteenths of an exponent, as bits: adding k << 48 to entry k & 15 gives the bits of 2**(k/16).
SIXTEENTHS = (2.0 ** (np.arange(16) / 16)).view(np.int64) - (np.arange(16) << 48)
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to the nearest integer, kept in the low bits
MANTISSA, ONE, SIGN = (1 << 52) - 1, 1023 << 52, -(1 << 63)


class Lanes(types.Type):
    """`count` registers of eight float64."""

    def __init__(self, count):
        self.count = count
        super().__init__(name=f"Lanes({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, ir.ArrayType(DOUBLES, lanes.count))


def _spread(builder, value):
    """The same number in all lanes of a register."""
    one = builder.insert_element(ir.Constant(DOUBLES, ir.Undefined), value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), REGISTER), [0] * REGISTER)
    return builder.shuffle_vector(one, ir.Constant(DOUBLES, ir.Undefined), zeros)


def _registers(builder, kind, value, count):
    """The registers of a value of type `kind`; of a plain number `count` times the same."""
    if isinstance(kind, Lanes):
        return [builder.extract_value(value, i) for i in range(count)]
    return [_spread(builder, value)] * count


def _packed(builder, registers):
    value = ir.Constant(ir.ArrayType(DOUBLES, len(registers)), ir.Undefined)
    for i, register in enumerate(registers):
        value = builder.insert_value(value, register, i)
    return value


def _each(operation):
    """An intrinsic's code that does `operation(context, builder, *registers)` for each register of its arguments."""

    def define(*kinds):
        lanes = next(kind for kind in kinds if isinstance(kind, Lanes))

        def generate(context, builder, sig, args):
            parts = [_registers(builder, k, a, lanes.count) for k, a in zip(sig.args, args, strict=True)]
            return _packed(builder, [operation(context, builder, *each) for each in zip(*parts, strict=True)])

        return lanes(*(kind if isinstance(kind, Lanes) else types.float64 for kind in kinds)), generate

    return define


def _bits(builder, x):
    return builder.bitcast(x, INTS)


def _constant(value):
    return ir.Constant(INTS, [int(value)] * REGISTER)


def _instruction(builder, name, vector):
    """LLVM's name for an operation of three vectors."""
    function = ir.FunctionType(vector, [vector] * 3)
    return builder.module.globals.get(name) or ir.Function(builder.module, function, name)


def _fused(context, builder, x, y, z):
    return builder.call(_instruction(builder, "llvm.fmuladd.v8f64", DOUBLES), (x, y, z))


def _limited(context, builder, x, low, high):
    x = builder.select(builder.fcmp_ordered("<", x, high), x, high)
    return builder.select(builder.fcmp_ordered(">", x, low), x, low)


def _from_sixteenths(context, builder, index):
    """SIXTEENTHS[index & 15]: one instruction with AVX-512, else a load a lane."""
    if "+avx512f" in context.codegen().magic_tuple()[2]:
        halves = [ir.Constant(INTS, [int(v) for v in SIXTEENTHS[i : i + REGISTER]]) for i in (0, REGISTER)]
        permute = _instruction(builder, "llvm.x86.avx512.vpermi2var.q.512", INTS)
        return builder.call(permute, (halves[0], index, halves[1]))
    name = "tinynet_fast.sixteenths"
    table = builder.module.globals.get(name)
    if table is None:
        values = ir.Constant(ir.ArrayType(INT64, 16), [int(v) for v in SIXTEENTHS])
        table = ir.GlobalVariable(builder.module, values.type, name)
        table.global_constant, table.linkage, table.initializer = True, "internal", values
    index = builder.and_(index, _constant(15))
    found = ir.Constant(INTS, ir.Undefined)
    for lane in map(ir.IntType(32), range(REGISTER)):
        entry = builder.load(builder.gep(table, [INT64(0), builder.extract_element(index, lane)]))
        found = builder.insert_element(found, entry, lane)
    return found


def _power(context, builder, shifted):
    k = _bits(builder, shifted)
    return builder.bitcast(builder.add(_from_sixteenths(context, builder, k), builder.shl(k, _constant(48))), DOUBLES)


def _flipped(context, builder, x, sign):
    return builder.bitcast(builder.xor(_bits(builder, x), builder.and_(_bits(builder, sign), _constant(SIGN))), DOUBLES)


def _fraction(context, builder, x):
    return builder.bitcast(builder.or_(builder.and_(_bits(builder, x), _constant(MANTISSA)), _constant(ONE)), DOUBLES)


def _exponent_added(context, builder, total, x):
    exponent = builder.sub(builder.lshr(_bits(builder, x), _constant(52)), _constant(1023))
    return builder.bitcast(builder.add(_bits(builder, total), exponent), DOUBLES)


def _chosen(context, builder, a, b, x, y):
    return builder.select(builder.fcmp_ordered("==", a, b), x, y)


def _fma(typingctx, x, y, z):
    """x*y + z"""
    return _each(_fused)(x, y, z)


def _fnma(typingctx, x, y, z):
    """z - x*y"""
    return _each(lambda context, builder, x, y, z: _fused(context, builder, builder.fneg(x), y, z))(x, y, z)


def _add(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fadd(x, y))(x, y)


def _sub(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fsub(x, y))(x, y)


def _mul(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fmul(x, y))(x, y)


def _div(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fdiv(x, y))(x, y)


def _limit(typingctx, x, low, high):
    """x, but at least `low` and at most `high`; `high` for NaN."""
    return _each(_limited)(x, low, high)


def _flip(typingctx, x, sign):
    """x, with its sign changed where `sign` is negative."""
    return _each(_flipped)(x, sign)


def _where_equal(typingctx, a, b, x, y):
    """x where a == b, else y."""
    return _each(lambda context, builder, a, b, x, y: builder.select(builder.fcmp_ordered("==", a, b), x, y))(
        a, b, x, y
    )


def _two_to_the_sixteenth(typingctx, shifted):
    """2**(k/16) where `shifted` is k + ROUND, k a whole number and the power a normal float."""
    return _each(_power)(shifted)


def _mantissa(typingctx, x):
    """x over the largest power of two in it: from 1 up to 2, for normal floats above 0."""
    return _each(_fraction)(x)


def _add_exponent(typingctx, total, x):
    """`total`, the bits of whole numbers, plus the exponents of the largest powers of two in x."""
    return _each(_exponent_added)(total, x)


def _load(typingctx, A, start, like):
    """The numbers of the C-contiguous `A` from number `start` on; as many registers as the tuple `like` is long."""
    lanes = Lanes(len(like))

    def generate(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        first = builder.bitcast(builder.gep(data, [args[1]]), DOUBLES.as_pointer())
        return _packed(builder, [builder.load(builder.gep(first, [INT64(i)]), align=8) for i in range(lanes.count)])

    return lanes(A, types.int64, like), generate


def _store(typingctx, A, start, x):
    """Write x to the C-contiguous `A` from number `start` on."""

    def generate(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        first = builder.bitcast(builder.gep(data, [args[1]]), DOUBLES.as_pointer())
        for i in range(x.count):
            builder.store(builder.extract_value(args[2], i), builder.gep(first, [INT64(i)]), align=8)
        return context.get_dummy_value()

    return types.void(A, types.int64, x), generate


def _update_and_dot(typingctx, A, start, x, x_nudge, y, y_nudge, u, u_sum, v, v_sum):
    """(u_sum + u*w, v_sum + v*w), where w, numbers of `A` from `start` on, is w - x*x_nudge - y*y_nudge from now on.

    What `load`, `fnma`, `store` and `fma` would do, but one register after the other.
    """

    def generate(context, builder, sig, args):
        A, start, x, x_nudge, y, y_nudge, u, u_sum, v, v_sum = args
        data = context.make_array(sig.args[0])(context, builder, A).data
        first = builder.bitcast(builder.gep(data, [start]), DOUBLES.as_pointer())
        x, y = (_spread(builder, builder.fneg(number)) for number in (x, y))
        u, v = (_spread(builder, number) for number in (u, v))
        u_sums, v_sums = [], []
        for i in range(u_sum_type.count):
            place = builder.gep(first, [INT64(i)])
            w = _fused(context, builder, x, builder.extract_value(x_nudge, i), builder.load(place, align=8))
            w = _fused(context, builder, y, builder.extract_value(y_nudge, i), w)
            builder.store(w, place, align=8)
            u_sums.append(_fused(context, builder, u, w, builder.extract_value(u_sum, i)))
            v_sums.append(_fused(context, builder, v, w, builder.extract_value(v_sum, i)))
        return context.make_tuple(builder, sig.return_type, [_packed(builder, u_sums), _packed(builder, v_sums)])

    u_sum_type, number = u_sum, types.float64
    both = types.UniTuple(u_sum, 2)
    return both(A, types.int64, number, x_nudge, number, y_nudge, number, u_sum, number, v_sum), generate


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
    made: list[Any] = [intrinsic(f) for f in (_fma, _fnma, _add, _sub, _mul, _div, _limit, _flip, _where_equal)]
    fma, fnma, add, sub, mul, div, limit, flip, where_equal = made
    made = [intrinsic(f) for f in (_two_to_the_sixteenth, _mantissa, _add_exponent, _update_and_dot, _load, _store)]
    two_to_the_sixteenth, mantissa, add_exponent, update_and_dot, load, store = made
