"""Numbers and lanes in a kernel whose instructions are being written for LLVM: their types, values and operators.

`simd_llvm.py` is made of these. Whoever writes kernels need not read either.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types

from tinynet_fast.kernels.compiler.simd import REGISTER

I1, I32, I64, DOUBLE, FLOAT = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.DoubleType(), ir.FloatType()
IN_LLVM = {types.float64: DOUBLE, types.int64: I64, types.uint64: I64, types.boolean: I1}
IN_LLVM |= {types.float32: FLOAT, types.uint32: I32}
FLOATS = DOUBLE, FLOAT
WIDTHS = {types.float32: 2 * REGISTER, types.uint32: 2 * REGISTER}  # numbers in a register, where they are not eight
BITS_OF = {types.float64: types.uint64, types.float32: types.uint32}
FLOAT_OF = {types.uint64: types.float64, types.int64: types.float64, types.uint32: types.float32}


class Lanes(types.Type):
    """`count` numbers of one type: in registers of eight (of 16 for float32), or in one that is not full.

    `width` is given for what compares numbers: as many booleans are in a register as there were numbers.
    """

    def __init__(self, count, dtype=types.float64, width=None):
        self.count, self.dtype, self.width = count, dtype, width or WIDTHS.get(dtype, REGISTER)
        self.registers = max(count // self.width, 1)
        self.vector = ir.VectorType(IN_LLVM[dtype], min(count, self.width))
        super().__init__(name=f"Lanes({count} x {dtype}" + ("" if self.width == REGISTER else " of float32") + ")")


class Value:
    """A number, or lanes, in a kernel whose instructions are being written. `parts` holds LLVM's, one a register."""

    __array_ufunc__ = None  # NumPy leaves operators to this class

    def __init__(self, builder, kind, parts):
        self.builder, self.kind, self.parts = builder, kind, list(parts)

    def __neg__(self):
        return each_register(lambda builder, part: builder.fneg(part), self)

    @property
    def dtype(self):
        return self.kind.dtype if isinstance(self.kind, Lanes) else self.kind

    @property
    def ir(self):
        return self.parts[0]


class Memory:
    """An array, of which only its beginning is known."""

    def __init__(self, builder, ir_value, dtype):
        self.builder, self.ir, self.dtype = builder, ir_value, dtype

    def place(self, at, kind=None, inbounds=False):
        """A pointer to place `at`."""
        at = at.ir if isinstance(at, Value) else I64(at)
        found = self.builder.gep(self.ir, [at], inbounds=inbounds)
        return found if kind is None else self.builder.bitcast(found, kind.as_pointer())

    def __getitem__(self, at):
        return self.number(self.builder.load(self.place(at)))

    def number(self, loaded):
        """A float32 as the double that it is; whole numbers stay what they are."""
        if self.dtype in (types.int64, types.uint64):
            return Value(self.builder, self.dtype, [loaded])
        loaded = loaded if loaded.type == DOUBLE else self.builder.fpext(loaded, DOUBLE)
        return Value(self.builder, types.float64, [loaded])


# --- numbers become lanes ---------------------------------------------------------------------------------------------


def written(xs):
    return [x for x in xs if isinstance(x, Value)]


def leading(xs):
    """What decides the type of a value that is made of these: the first with lanes, else the first number."""
    found = written(xs)
    return next((x for x in found if isinstance(x.kind, Lanes)), found[0] if found else None)


def parts_of(builder, x, kind):
    """x as the parts of a value of that kind: of a number, a constant or not, as many times the same."""
    if isinstance(x, Value) and (x.kind == kind or isinstance(x.kind, Lanes)):
        assert x.kind == kind, f"{x.kind} for {kind}"
        return x.parts
    if not isinstance(kind, Lanes):
        return [_constant(IN_LLVM[kind], x)]
    if isinstance(x, Value):
        return [_spread(builder, rounded(builder, x.ir, kind.vector.element), kind.vector)] * kind.registers
    numbers = np.broadcast_to(x, kind.count).reshape(kind.registers, -1)
    return [ir.Constant(kind.vector, [_constant(kind.vector.element, n) for n in part]) for part in numbers]


def _constant(kind, x):
    if kind in FLOATS:
        return ir.Constant(kind, float(x))
    return ir.Constant(kind, int(x) - (int(x) >> (kind.width - 1) << kind.width))


def rounded(builder, number, element):
    """A number, or a register of them, in another type of floats."""
    vector = isinstance(number.type, ir.VectorType)
    now, kind = (number.type.element, ir.VectorType(element, number.type.count)) if vector else (number.type, element)
    if now == element or element not in FLOATS:
        return number
    return (builder.fptrunc if element == FLOAT else builder.fpext)(number, kind)


def _spread(builder, number, vector):
    """The same number in all lanes of a register."""
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, number, I32(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count))


def _common(*xs):
    """The kind of a value that is made from these."""
    first = leading(xs)
    counts = {x.kind.count for x in written(xs) if isinstance(x.kind, Lanes)}
    counts |= {len(x) for x in xs if isinstance(x, np.ndarray) and x.ndim}
    assert len(counts) < 2, f"lanes of {counts}"
    return Lanes(counts.pop(), first.dtype) if counts else first.dtype


def each_register(operation, *xs):
    """`operation(builder, *parts)` for each register of the arguments."""
    builder, kind = written(xs)[0].builder, _common(*xs)
    parts = (parts_of(builder, x, kind) for x in xs)
    return Value(builder, kind, [operation(builder, *each) for each in zip(*parts, strict=True)])


def same_lanes(x, dtype, parts):
    """A value of as many lanes as x has."""
    return Value(x.builder, Lanes(x.kind.count, dtype, x.kind.width) if isinstance(x.kind, Lanes) else dtype, parts)


def llvm_type(x, dtype):
    """The LLVM type of x's parts if their numbers were of that type."""
    return Lanes(x.kind.count, dtype, x.kind.width).vector if isinstance(x.kind, Lanes) else IN_LLVM[dtype]


# --- operators --------------------------------------------------------------------------------------------------------

ARITHMETIC = {operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "div"}
BITS = {operator.lshift: "shl", operator.rshift: "lshr", operator.and_: "and_", operator.or_: "or_"}
BITS |= {operator.xor: "xor"}
COMPARISONS = {operator.lt: "<", operator.gt: ">", operator.eq: "=="}


def _calculated(name, x, y):
    floats = isinstance(leading((x, y)).dtype, types.Float)
    return each_register(lambda builder, x, y: getattr(builder, "f" + name if floats else name)(x, y), x, y)


def _compared(sign, x, y):
    def compare(builder, x, y):
        floats = (x.type.element if isinstance(x.type, ir.VectorType) else x.type) in FLOATS
        return (builder.fcmp_ordered if floats else builder.icmp_signed)(sign, x, y)

    found = each_register(compare, x, y)
    return same_lanes(found, types.boolean, found.parts)


def _add_operators():
    """What makes `x + y` work for `Value`, from either side."""
    for function, name in (ARITHMETIC | BITS).items():
        word = function.__name__.strip("_")
        setattr(Value, f"__{word}__", lambda x, y, name=name: _calculated(name, x, y))
        setattr(Value, f"__r{word}__", lambda y, x, name=name: _calculated(name, x, y))
    for function, sign in COMPARISONS.items():
        setattr(Value, f"__{function.__name__}__", lambda x, y, sign=sign: _compared(sign, x, y))


_add_operators()
