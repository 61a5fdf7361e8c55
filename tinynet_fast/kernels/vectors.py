"""Eight doubles at a time: small kernels written once, in Python, and either traced into LLVM or run by NumPy.

A `vectors` function takes a machine `v` first. Compiled, `v` is `Tracer`: its values are LLVM's, and running the
function once writes the kernel's instructions, with every sum held in a register where the function holds it in a name.
That is what loops over arrays do not promise: LLVM kept the sums of a 4 x 4 tile in memory. Not compiled, `v` is
`Plain`, and the same lines compute with NumPy. No product is fused with a sum unless the function says `v.fma`.
"""

import inspect
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from tinynet_fast.kernels.intrinsics import UNCOMPILED

LANES = 8
I64, DOUBLE = ir.IntType(64), ir.DoubleType()


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


class _Value:  # pragma: no cover - for compiled kernels alone
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


def _constant(kind, x):  # pragma: no cover - for compiled kernels alone
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [ir.Constant(DOUBLE, float(x))] * kind.count)
    return ir.Constant(kind, x)


class Tracer:  # pragma: no cover - for compiled kernels alone
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


def _numba_type(kind):  # pragma: no cover - for compiled kernels alone
    if isinstance(kind, types.CPointer | types.UniTuple):
        return kind
    return types.float64 if isinstance(kind, types.Float) else types.int64


def _given(builder, kind, argument):  # pragma: no cover - for compiled kernels alone
    """An argument as the traced function takes it: a tuple is one, so that its length can say how much to trace."""
    if isinstance(kind, types.UniTuple):
        return tuple(_Value(builder, builder.extract_value(argument, k)) for k in range(kind.count))
    return argument if isinstance(kind, types.CPointer) else _Value(builder, argument)


def _traced(function, gives):  # pragma: no cover - for compiled kernels alone
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


def _address(typingctx, array):  # pragma: no cover - for compiled kernels alone
    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


def _flat(array):
    return array.reshape(-1)


# Where an array's numbers begin: one argument in place of an array's seven, which took a small network a third longer.
address: Any = _flat if UNCOMPILED else intrinsic(_address)


def vectors(function, gives=False, **constants):
    """`function` as a kernel may call it, without its machine; `constants` are its arguments by keyword.

    `gives` says that it gives a double back; else it gives nothing.
    """
    function = partial(function, **constants)
    if not UNCOMPILED:  # pragma: no cover - for compiled kernels alone
        return _traced(function, gives)

    def plain(*arguments):
        with np.errstate(all="ignore"):
            return function(Plain(), *arguments)

    return plain
