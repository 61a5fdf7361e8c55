"""The machine that traces `vectors.py`'s functions into LLVM. Imported when a kernel is first compiled."""

import inspect

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from tinynet_fast.kernels.compiler.vectors import LANES

I64, DOUBLE = ir.IntType(64), ir.DoubleType()


class _Value:
    """An LLVM value with the operators of a number: an integer, a double, or a vector of doubles."""

    def __init__(self, builder, ir_value):
        self.builder, self.ir = builder, ir_value

    def _do(self, name, x, y):
        whole = isinstance(self.ir.type, ir.IntType)
        x, y = (v.ir if isinstance(v, _Value) else _constant(self.ir.type, v) for v in (x, y))
        return _Value(self.builder, getattr(self.builder, name if whole else "f" + name)(x, y))

    def __add__(self, other):
        return self._do("add", self, other)

    def __radd__(self, other):
        return self._do("add", other, self)

    def __sub__(self, other):
        return self._do("sub", self, other)

    def __rsub__(self, other):
        return self._do("sub", other, self)

    def __mul__(self, other):
        return self._do("mul", self, other)

    def __rmul__(self, other):
        return self._do("mul", other, self)

    def __truediv__(self, other):
        return self._do("div", self, other)

    def __rtruediv__(self, other):
        return self._do("div", other, self)

    def __neg__(self):
        return _Value(self.builder, self.builder.fneg(self.ir))

    def _compare(self, sign, other):
        other = other.ir if isinstance(other, _Value) else _constant(self.ir.type, other)
        return _Value(self.builder, self.builder.fcmp_ordered(sign, self.ir, other))

    def __lt__(self, other):
        return self._compare("<", other)

    def __gt__(self, other):
        return self._compare(">", other)


def _constant(kind, x):
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [ir.Constant(DOUBLE, float(x))] * kind.count)
    return ir.Constant(kind, x)


class Tracer:
    """The machine that writes LLVM. An array is a pointer to its first element."""

    def __init__(self, builder):
        self.builder = builder

    def _wrap(self, ir_value):
        return _Value(self.builder, ir_value)

    def _address(self, array, at, width):
        b = self.builder
        at = at.ir if isinstance(at, _Value) else ir.Constant(I64, at)
        element = array.type.pointee
        kind = element if width is None else ir.VectorType(element, width)
        return b.bitcast(b.gep(array, [at]), kind.as_pointer()), kind

    def _call(self, name, kind, *values):
        signature = ir.FunctionType(kind, [v.type for v in values])
        function = get_or_insert_function(self.builder.module, signature, f"{name}.v{kind.count}f64")
        return self._wrap(self.builder.call(function, values))

    def load(self, array, at, width=LANES):
        address, kind = self._address(array, at, width)
        loaded = self.builder.load(address, align=8 if kind.element == DOUBLE else 4)
        if kind.element != DOUBLE:
            loaded = self.builder.fpext(loaded, ir.VectorType(DOUBLE, width))
        return self._wrap(loaded)

    def store(self, array, at, x):
        address, _ = self._address(array, at, x.ir.type.count)
        self.builder.store(x.ir, address, align=8)

    def value(self, array, at):
        loaded = self.builder.load(self._address(array, at, None)[0])
        return self._wrap(loaded if loaded.type == DOUBLE else self.builder.fpext(loaded, DOUBLE))

    def splat(self, x, width=LANES):
        kind = ir.VectorType(DOUBLE, width)
        if not isinstance(x, _Value):
            return self._wrap(_constant(kind, x))
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), x.ir, I64(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
        return self._wrap(self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros))

    def least(self, i, k):
        k = k.ir if isinstance(k, _Value) else I64(k)
        return self._wrap(self.builder.select(self.builder.icmp_signed("<", i.ir, k), i.ir, k))

    def together(self, xs):
        vector = ir.Constant(ir.VectorType(DOUBLE, len(xs)), ir.Undefined)
        for k, x in enumerate(xs):
            vector = self.builder.insert_element(vector, x.ir, ir.Constant(I64, k))
        return self._wrap(vector)

    def numbers(self, xs):
        return self._wrap(ir.Constant(ir.VectorType(DOUBLE, len(xs)), [float(x) for x in xs]))

    def first(self, m, width=LANES):
        b = self.builder
        lanes = [b.icmp_signed("<", I64(k), m.ir) for k in range(width)]
        vector = ir.Constant(ir.VectorType(ir.IntType(1), width), ir.Undefined)
        for k, lane in enumerate(lanes):
            vector = b.insert_element(vector, lane, ir.Constant(I64, k))
        return self._wrap(b.uitofp(vector, ir.VectorType(DOUBLE, width)))

    def fma(self, x, y, z):
        kind = next(v.ir.type for v in (x, y, z) if isinstance(v, _Value))
        return self._call(
            "llvm.fmuladd", kind, *(v.ir if isinstance(v, _Value) else _constant(kind, v) for v in (x, y, z))
        )

    def where(self, condition, x, y):
        kind = ir.VectorType(DOUBLE, condition.ir.type.count)
        x, y = (v.ir if isinstance(v, _Value) else _constant(kind, v) for v in (x, y))
        return self._wrap(self.builder.select(condition.ir, x, y))

    def root(self, x):
        return self._call("llvm.sqrt", x.ir.type, x.ir)

    def power_of_two(self, shifted):
        b, kind = self.builder, ir.VectorType(I64, shifted.ir.type.count)
        biased = b.add(b.bitcast(shifted.ir, kind), ir.Constant(kind, [1023] * kind.count))
        return self._wrap(b.bitcast(b.shl(biased, ir.Constant(kind, [52] * kind.count)), shifted.ir.type))

    def split(self, x):
        b, kind = self.builder, ir.VectorType(I64, x.ir.type.count)
        bits = b.bitcast(x.ir, kind)
        exponent = b.uitofp(b.lshr(bits, ir.Constant(kind, [52] * kind.count)), x.ir.type)
        mantissa = b.and_(bits, ir.Constant(kind, [2**52 - 1] * kind.count))
        mantissa = b.or_(mantissa, ir.Constant(kind, [1023 << 52] * kind.count))
        return self._wrap(exponent) - 1023.0, self._wrap(b.bitcast(mantissa, x.ir.type))

    def shuffle(self, x, y, lanes):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self._wrap(self.builder.shuffle_vector(x.ir, y.ir, mask))

    def lane(self, x, k):
        return self._wrap(self.builder.extract_element(x.ir, ir.Constant(I64, k)))

    def repeat(self, count, carried, body):
        b, before = self.builder, self.builder.block
        head, after = b.append_basic_block("lanes"), b.append_basic_block("lanes.end")
        b.branch(head)
        b.position_at_end(head)
        i, phis = b.phi(I64), [b.phi(x.ir.type) for x in carried]
        i.add_incoming(I64(0), before)
        results = body(self._wrap(i), [self._wrap(phi) for phi in phis])
        following = b.add(i, I64(1))
        for phi, first, then in zip(phis, carried, results, strict=True):
            phi.add_incoming(first.ir, before)
            phi.add_incoming(then.ir, b.block)
        i.add_incoming(following, b.block)
        branch = b.cbranch(b.icmp_signed("<", following, count.ir), head, after)
        branch.set_metadata("llvm.loop", self._never_unrolled())
        b.position_at_end(after)
        return results

    def _never_unrolled(self):
        """What a loop's last branch says to LLVM, whose unrolling doubled the time to compile and gained nothing."""
        module = self.builder.module
        name = module.add_metadata(["llvm.loop.unroll.disable"])
        loop = module.add_metadata([ir.Constant(I64, len(module.metadata)), name])
        loop.operands = (loop, name)  # a loop's list begins with itself
        return loop


def _numba_type(kind):
    if isinstance(kind, types.CPointer | types.UniTuple):
        return kind
    return types.float64 if isinstance(kind, types.Float) else types.int64


def _given(builder, kind, argument):
    """An argument as the traced function takes it: a tuple is one, so that its length can say how much to trace."""
    if isinstance(kind, types.UniTuple):
        return tuple(_Value(builder, builder.extract_value(argument, k)) for k in range(kind.count))
    return argument if isinstance(kind, types.CPointer) else _Value(builder, argument)


def traced(function, gives):
    """An intrinsic of Numba's that traces `function`."""
    names = [p for p in inspect.signature(function).parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]

    def typed(typingctx, *kinds):
        def generate(context, builder, signature, arguments):
            given = [_given(builder, kind, argument) for kind, argument in zip(signature.args, arguments, strict=True)]
            result = function(Tracer(builder), *given)
            return context.get_dummy_value() if result is None else result.ir

        return (types.float64 if gives else types.void)(*map(_numba_type, kinds)), generate

    signature = inspect.Signature([p.replace(name="typingctx") for p in names[:1]] + names[1:])
    setattr(typed, "__signature__", signature)  # noqa: B010 - it is what Numba goes by
    return intrinsic(typed)


@intrinsic
def address(typingctx, array):
    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate
