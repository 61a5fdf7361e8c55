"""LLVM for what `registers.py` names. Imported when a kernel is first compiled."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from tinynet_fast.kernels.compiler.registers import MANTISSA, ONE, REGISTER, SIGN, SIXTEENTHS

DOUBLE, INT64 = ir.DoubleType(), ir.IntType(64)
DOUBLES, INTS = ir.VectorType(DOUBLE, REGISTER), ir.VectorType(INT64, REGISTER)


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


@intrinsic
def fma(typingctx, x, y, z):
    """x*y + z"""
    return _each(_fused)(x, y, z)


@intrinsic
def fnma(typingctx, x, y, z):
    """z - x*y"""
    return _each(lambda context, builder, x, y, z: _fused(context, builder, builder.fneg(x), y, z))(x, y, z)


@intrinsic
def add(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fadd(x, y))(x, y)


@intrinsic
def sub(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fsub(x, y))(x, y)


@intrinsic
def mul(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fmul(x, y))(x, y)


@intrinsic
def div(typingctx, x, y):
    return _each(lambda context, builder, x, y: builder.fdiv(x, y))(x, y)


@intrinsic
def limit(typingctx, x, low, high):
    """x, but at least `low` and at most `high`; `high` for NaN."""
    return _each(_limited)(x, low, high)


@intrinsic
def flip(typingctx, x, sign):
    """x, with its sign changed where `sign` is negative."""
    return _each(_flipped)(x, sign)


@intrinsic
def where_equal(typingctx, a, b, x, y):
    """x where a == b, else y."""
    return _each(_chosen)(a, b, x, y)


@intrinsic
def two_to_the_sixteenth(typingctx, shifted):
    """2**(k/16) where `shifted` is k + ROUND, k a whole number and the power a normal float."""
    return _each(_power)(shifted)


@intrinsic
def mantissa(typingctx, x):
    """x over the largest power of two in it: from 1 up to 2, for normal floats above 0."""
    return _each(_fraction)(x)


@intrinsic
def add_exponent(typingctx, total, x):
    """`total`, the bits of whole numbers, plus the exponents of the largest powers of two in x."""
    return _each(_exponent_added)(total, x)


@intrinsic
def load(typingctx, A, start, like):
    """The numbers of the C-contiguous `A` from number `start` on; as many registers as the tuple `like` is long."""
    lanes = Lanes(len(like))

    def generate(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        first = builder.bitcast(builder.gep(data, [args[1]]), DOUBLES.as_pointer())
        return _packed(builder, [builder.load(builder.gep(first, [INT64(i)]), align=8) for i in range(lanes.count)])

    return lanes(A, types.int64, like), generate


@intrinsic
def store(typingctx, A, start, x):
    """Write x to the C-contiguous `A` from number `start` on."""

    def generate(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        first = builder.bitcast(builder.gep(data, [args[1]]), DOUBLES.as_pointer())
        for i in range(x.count):
            builder.store(builder.extract_value(args[2], i), builder.gep(first, [INT64(i)]), align=8)
        return context.get_dummy_value()

    return types.void(A, types.int64, x), generate


@intrinsic
def update_and_dot(typingctx, A, start, x, x_nudge, y, y_nudge, u, u_sum, v, v_sum):
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
