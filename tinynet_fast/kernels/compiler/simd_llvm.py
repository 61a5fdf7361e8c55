"""What `simd.py` says in NumPy, in LLVM's instructions, under the same names. `simd_numba.py` tells Numba about it.

It is imported when a kernel is first compiled. Whoever writes kernels need not read it.
"""

from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.registry import cpu_target
from numba.np.numpy_support import from_dtype

from tinynet_fast.kernels.compiler.lanes_llvm import (
    BITS_OF,
    DOUBLE,
    FLOAT,
    FLOAT_OF,
    I32,
    I64,
    IN_LLVM,
    Lanes,
    Memory,
    Value,
    each_register,
    leading,
    llvm_type,
    parts_of,
    rounded,
    same_lanes,
    written,
)
from tinynet_fast.kernels.compiler.simd import LINE, REGISTER

# --- arithmetic -------------------------------------------------------------------------------------------------------


def _call(builder, name, *parts):
    """Call one of LLVM's own functions, of which there is one for each type."""
    kind = parts[0].type
    count, element = (f"v{kind.count}", kind.element) if isinstance(kind, ir.VectorType) else ("", kind)
    suffix = f"{count}{'f64' if element == DOUBLE else 'f32'}"
    signature = ir.FunctionType(kind, [part.type for part in parts])
    return builder.call(get_or_insert_function(builder.module, signature, f"{name}.{suffix}"), parts)


def fma(x, y, z):
    return each_register(lambda builder, *parts: _call(builder, "llvm.fmuladd", *parts), x, y, z)


def sqrt(x):
    return each_register(lambda builder, part: _call(builder, "llvm.sqrt", part), x)


def where(condition, x, y):
    first, builder = leading((x, y)), condition.builder
    kind: Any = types.float64 if first is None else first.dtype
    if isinstance(condition.kind, Lanes):
        width = condition.kind.width
        if first is None or not (isinstance(first.kind, Lanes) or width == REGISTER):
            kind = types.float64 if width == REGISTER else types.float32
        kind = Lanes(condition.kind.count, kind, width)
    parts = condition.parts, parts_of(builder, x, kind), parts_of(builder, y, kind)
    return Value(builder, kind, [builder.select(*each) for each in zip(*parts, strict=True)])


def minimum(i, k):
    return each_register(lambda builder, i, k: builder.select(builder.icmp_signed("<", i, k), i, k), i, k)


def _cast(x, dtype):
    return same_lanes(x, dtype, [x.builder.bitcast(part, llvm_type(x, dtype)) for part in x.parts])


def as_bits(x):
    return _cast(x, BITS_OF[x.dtype])


def as_double(bits):
    return _cast(bits, FLOAT_OF[bits.dtype])


def to_double(whole):
    convert = whole.builder.sitofp if whole.dtype == types.int64 else whole.builder.uitofp
    floats = FLOAT_OF[whole.dtype]
    return same_lanes(whole, floats, [convert(part, llvm_type(whole, floats)) for part in whole.parts])


# --- memory -----------------------------------------------------------------------------------------------------------


def _lanes(lanes):
    return Lanes(REGISTER * len(lanes) if isinstance(lanes, tuple) else lanes)


def full(x, lanes=REGISTER):
    if not isinstance(x, Value):  # a constant; the tuple of a kernel is what has a builder
        return np.full(_lanes(lanes).count, x)
    return Value(x.builder, _lanes(lanes), parts_of(x.builder, x, _lanes(lanes)))


def load(array, at, lanes=REGISTER):
    builder, kind = array.builder, _lanes(lanes)
    element = IN_LLVM[array.dtype]
    vector = ir.VectorType(element, kind.vector.count)
    first = array.place(at, vector)
    places = [builder.gep(first, [I64(i)]) if i else first for i in range(kind.registers)]
    parts = [builder.load(place, align=8 if element == DOUBLE else 4) for place in places]
    return Value(builder, kind, parts if element == DOUBLE else [builder.fpext(p, kind.vector) for p in parts])


def store(array, at, x):
    builder, kind = array.builder, x.kind if isinstance(x, Value) else Lanes(len(x), array.dtype)
    x = Value(builder, kind, parts_of(builder, x, kind))
    x = converted(array, x) if isinstance(x.dtype, types.Float) else x
    first = array.place(at, x.kind.vector)
    for i, part in enumerate(x.parts):
        builder.store(part, builder.gep(first, [I64(i)]) if i else first, align=array.dtype.bitwidth // 8)


def address(array):
    return array


# --- float32 ----------------------------------------------------------------------------------------------------------


def lanes_of(array):
    return 64 * REGISTER // array.dtype.bitwidth


def read(array, at, lanes=None):
    builder, kind = array.builder, Lanes(lanes or lanes_of(array), array.dtype)
    assert kind.registers == 1
    return Value(builder, kind, [builder.load(array.place(at, kind.vector), align=array.dtype.bitwidth // 8)])


def read_for(like, array, at, lanes=None):
    count = lanes or lanes_of(like)
    if array.dtype == like.dtype:
        return read(array, at, count)
    return converted(like, load(array, at, (0,) * (count // REGISTER) if count > REGISTER else count))


def filled(array, x, lanes=None):
    kind = Lanes(lanes or lanes_of(array), array.dtype)
    if not isinstance(x, Value):
        return np.full(kind.count, x, str(array.dtype))
    return Value(x.builder, kind, parts_of(x.builder, x, kind))


def converted(like, x):
    """Two registers of doubles become one of float32, and the other way round."""
    builder, kind = x.builder, Lanes(x.kind.count, like.dtype)
    if x.dtype == like.dtype:
        return x
    if like.dtype == types.float32:
        parts = [rounded(builder, part, FLOAT) for part in x.parts]
        while len(parts) > kind.registers:
            parts = [_picked(builder, *pair, range(2 * REGISTER)) for pair in zip(parts[::2], parts[1::2], strict=True)]
    else:
        parts = x.parts
        if x.kind.count > REGISTER:
            halves = range(REGISTER), range(REGISTER, 2 * REGISTER)
            parts = [_picked(builder, part, part, half) for part in parts for half in halves]
        parts = [rounded(builder, part, DOUBLE) for part in parts]
    return Value(builder, kind, parts)


def _picked(builder, x, y, places):
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, len(places)), list(places)))


def beyond(array, at):
    return Memory(array.builder, array.place(at), array.dtype)


def as_doubles(array, at):
    return Memory(array.builder, array.place(at, DOUBLE), types.float64)


# --- one register -----------------------------------------------------------------------------------------------------


def pack(numbers):
    return _packed(numbers, types.float64)


def pack_for(like, numbers):
    return _packed(numbers, like.dtype)


def _packed(numbers, dtype):
    builder, kind = written(numbers)[0].builder, Lanes(len(numbers), dtype)
    vector = ir.Constant(kind.vector, ir.Undefined)
    for k, x in enumerate(numbers):
        vector = builder.insert_element(vector, rounded(builder, x.ir, kind.vector.element), I64(k))
    return Value(builder, kind, [vector])


def count_of(x):
    return x.kind.count


def lane(x, k):
    return Value(x.builder, x.dtype, [x.builder.extract_element(x.ir, I64(k))])


def shuffle(x, y, places):
    return Value(x.builder, Lanes(len(places), x.dtype), [_picked(x.builder, x.ir, y.ir, places)])


def registers(x):
    return [Value(x.builder, Lanes(REGISTER, x.dtype), [part]) for part in x.parts]


def join(parts):
    kind = Lanes(REGISTER * len(parts), parts[0].dtype)
    return Value(parts[0].builder, kind, [part.ir for part in parts])


# If code is kept for several kinds of CPU and system, `look_up` calls functions that `look_up_functions` writes, by
# their names; `pause` and `give_way` call functions of `native/library.c`; `lanes_of_cpu` returns `kept_lanes`.
is_kept = False
kept_lanes = 0
LATER: dict[str, np.ndarray] = {}


def look_up(table, index):
    """One instruction with AVX-512, else a load a lane, and for a number."""
    if not isinstance(index.kind, Lanes):
        place = _table(index.builder, table)
        at = index.builder.and_(index.ir, I64(15))
        return Value(index.builder, types.uint64, [index.builder.load(index.builder.gep(place, [I64(0), at]))])
    if is_kept:
        return each_register(partial(_called_later, table=table), index)
    wide = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]
    return each_register(lambda builder, part: (_permuted if wide else _looked_up)(builder, table, part), index)


def _called_later(builder, index, table):
    name = f"tinynet_fast.look_up{crc32(table.tobytes())}"
    LATER[name] = table
    function = get_or_insert_function(builder.module, ir.FunctionType(index.type, [index.type]), name)
    for attribute in ("nounwind", "readnone"):
        function.attributes.add(attribute)
    return builder.call(function, [index])


def look_up_functions(wide):
    """A module in which each table of `LATER` has its function, for CPUs with AVX-512 if `wide`."""
    module, vector = ir.Module(), ir.VectorType(I64, REGISTER)
    for name, table in LATER.items():
        function = ir.Function(module, ir.FunctionType(vector, [vector]), name)
        function.linkage = "linkonce_odr"
        function.attributes.add("alwaysinline")
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret((_permuted if wide else _looked_up)(builder, table, function.args[0]))
    return module


def _permuted(builder, table, index):
    vector = index.type
    halves = [ir.Constant(vector, [I64(int(n)) for n in table[i : i + REGISTER]]) for i in (0, REGISTER)]
    function = ir.FunctionType(vector, [vector] * 3)
    permute = get_or_insert_function(builder.module, function, "llvm.x86.avx512.vpermi2var.q.512")
    return builder.call(permute, (halves[0], index, halves[1]))


def _table(builder, table):
    """The place of a table of 16 whole numbers in the module."""
    name = f"tinynet_fast.table{crc32(table.tobytes())}"
    place = builder.module.globals.get(name)
    if place is None:
        values = ir.Constant(ir.ArrayType(I64, 16), [I64(int(n)) for n in table])
        place = ir.GlobalVariable(builder.module, values.type, name)
        place.global_constant, place.linkage, place.initializer = True, "internal", values
    return place


def _looked_up(builder, table, index):
    place = _table(builder, table)
    index = builder.and_(index, ir.Constant(index.type, [I64(15)] * REGISTER))
    found = ir.Constant(index.type, ir.Undefined)
    for k in map(I32, range(REGISTER)):
        entry = builder.load(builder.gep(place, [I64(0), builder.extract_element(index, k)]))
        found = builder.insert_element(found, entry, k)
    return found


# --- loops ------------------------------------------------------------------------------------------------------------


def repeat(count, carried, body):
    b, before = count.builder, count.builder.block
    head, after = b.append_basic_block("lanes"), b.append_basic_block("lanes.end")
    kinds = [x.kind if isinstance(x, Value) else Lanes(len(x), from_dtype(x.dtype)) for x in carried]
    carried = [Value(b, kind, parts_of(b, x, kind)) for x, kind in zip(carried, kinds, strict=True)]
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(I64)
    phis = [Value(b, x.kind, [b.phi(part.type) for part in x.parts]) for x in carried]
    results = body(Value(b, types.int64, [i]), phis)
    following = b.add(i, I64(1))
    for phi, first, then in zip(phis, carried, results, strict=True):
        for place, x, y in zip(phi.parts, first.parts, parts_of(b, then, phi.kind), strict=True):
            place.add_incoming(x, before)
            place.add_incoming(y, b.block)
    i.add_incoming(I64(0), before)
    i.add_incoming(following, b.block)
    branch = b.cbranch(b.icmp_signed("<", following, count.ir), head, after)
    branch.set_metadata("llvm.loop", _never_unrolled(b.module))
    b.position_at_end(after)
    return results


def _never_unrolled(module):
    """What a loop's last branch says to LLVM, whose unrolling doubled the time to compile and gained nothing."""
    name = module.add_metadata(["llvm.loop.unroll.disable"])
    loop = module.add_metadata([ir.Constant(I64, len(module.metadata)), name])
    loop.operands = (loop, name)  # a loop's list begins with itself
    return loop


# --- numbers alone ----------------------------------------------------------------------------------------------------


def _marked(builder, instruction, kind):
    """The load or store, marked as one of the scope of all weights ("alias.scope"), or as none of it ("noalias")."""
    domain = builder.module.add_metadata(["tinynet_fast"])
    scope = builder.module.add_metadata(["tinynet_fast: weights", domain])
    instruction.set_metadata(kind, builder.module.add_metadata([scope]))
    return instruction


def input_at(X, at):
    return X.number(_marked(X.builder, X.builder.load(X.place(at, inbounds=True)), "noalias"))


def weight_at(weights, j):
    builder = weights.builder
    return weights.number(_marked(builder, builder.load(weights.place(j, inbounds=True)), "alias.scope"))


def put_weight(weights, j, w):
    builder = weights.builder
    _marked(builder, builder.store(w.ir, weights.place(j, inbounds=True)), "alias.scope")


def _prefetch(array, at, locality):
    pointer = ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
    touch = array.builder.module.declare_intrinsic("llvm.prefetch", [pointer], signature)
    array.builder.call(touch, [array.place(at, ir.IntType(8)), I32(0), I32(locality), I32(1)])  # for reading, data


def prefetch(array, at):
    _prefetch(array, at, 3)  # into every cache


def prefetch_far(array, at):
    _prefetch(array, at, 2)


def per_line(array):
    return 8 * LINE // array.dtype.bitwidth


asked_for_lanes = False


def lanes_of_cpu():
    global asked_for_lanes
    asked_for_lanes = True
    if is_kept:
        return kept_lanes
    return 4 if "+avx" in cpu_target.target_context.codegen().magic_tuple()[2] else 2
