"""LLVM code of the functions that Python calls: each checks its arguments and calls a kernel."""

from llvmlite import ir

from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.native import REFUSED

I8, I32, I64, DOUBLE = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.DoubleType()
POINTER = I8.as_pointer()


def entry_code(context, overload, name, words):
    """LLVM code of `double name(arguments)`, which takes NumPy's arrays, numbers, and nothing for tuples."""
    descriptor, module = overload.fndesc, ir.Module(name)
    given = [word for word in words if word[0] != "t"]
    kinds = [POINTER if word[-1] != "0" else DOUBLE if word[0] == "d" else I64 for word in given]
    function = ir.Function(module, ir.FunctionType(DOUBLE, kinds), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    fits = ir.Function(module, ir.FunctionType(I32, [POINTER, I32]), "tinynet_fast_fits")
    header = builder.load(ir.GlobalVariable(module, I64, "tinynet_fast_header"))
    arguments, taken = [], iter(enumerate(function.args, 1))
    for word, kind in zip(words, descriptor.argtypes, strict=True):
        if word[0] == "t":
            arguments.append(ir.Constant(context.get_value_type(kind), None))
            continue
        n, value = next(taken)
        if word[-1] == "0":
            arguments.append(value)
            continue
        right = builder.icmp_signed("!=", builder.call(fits, [value, I32(wanted(word))]), I32(0))
        with builder.if_then(builder.not_(right), likely=False):
            builder.ret(builder.bitcast(ir.Constant(I64, REFUSED + n), DOUBLE))
        fields = builder.gep(value, [header])
        arguments.append(_array(context, builder, kind, fields))
    return _calling(context, module, builder, descriptor, arguments)


def wanted(word):
    """What `tinynet_fast_fits` asks of an array: the place of its dtype in DTYPES, dimensions, if it is written to."""
    return list(native.DTYPES).index(word[0]) | int(word[-1]) << 4 | ("w" in word) << 8


def plain_entry_code(context, overload, name, words):
    """LLVM code of `double name(arguments)` for a program that is not Python.

    An array is an address and its sizes, which are doubles there, because JavaScript has no whole numbers of 64 bits.
    """
    descriptor, module = overload.fndesc, ir.Module(name)
    kinds = []
    for word in words:
        kinds += [] if word[0] == "t" else [DOUBLE] if word[-1] == "0" else [POINTER] + [DOUBLE] * int(word[-1])
    function = ir.Function(module, ir.FunctionType(DOUBLE, kinds), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    arguments, taken = [], iter(function.args)
    for word, kind in zip(words, descriptor.argtypes, strict=True):
        if word[0] == "t":
            arguments.append(ir.Constant(context.get_value_type(kind), None))
        elif word[-1] == "0":
            value = next(taken)
            arguments.append(value if word[0] == "d" else builder.fptosi(value, I64))
        else:
            data = next(taken)
            sizes = [builder.fptosi(next(taken), I64) for _ in range(int(word[-1]))]
            arguments.append(_array_of(context, builder, kind, data, sizes))
    return _calling(context, module, builder, descriptor, arguments)


def _calling(context, module, builder, descriptor, arguments):
    """Call the kernel, and return its result, or 0.0 if it has none."""
    kernel_type = context.call_conv.get_function_type(descriptor.restype, descriptor.argtypes)
    kernel = ir.Function(module, kernel_type, descriptor.llvm_func_name)
    _, result = context.call_conv.call_function(builder, kernel, descriptor.restype, descriptor.argtypes, arguments)
    builder.ret(result if result.type == DOUBLE else ir.Constant(DOUBLE, 0.0))
    return str(module)


def _at(builder, base, offset, kind):
    return builder.load(builder.bitcast(builder.gep(base, [I64(offset)]), kind.as_pointer()))


def _array(context, builder, kind, fields):
    """One of NumPy's arrays as the struct in which Numba passes an array."""
    shape = _at(builder, fields, native.SHAPE, POINTER)
    sizes = [_at(builder, shape, 8 * k, I64) for k in range(kind.ndim)]
    return _array_of(context, builder, kind, _at(builder, fields, native.DATA, POINTER), sizes)


def _array_of(context, builder, kind, data, sizes):
    from numba.np.arrayobj import populate_array

    made, item = context.make_array(kind)(context, builder), I64(kind.dtype.bitwidth // 8)
    strides = [item]
    for size in reversed(sizes[1:]):
        strides.insert(0, builder.mul(size, strides[0]))
    populate_array(made, builder.bitcast(data, made.data.type), sizes, strides, item, meminfo=None)
    return made._getvalue()
