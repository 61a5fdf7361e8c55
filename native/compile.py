"""Compile the kernels of one module for instruction-set levels: `python native/compile.py --help`.

Numba compiles each entry in the same way as at a first call, but without its runtime, because kernels allocate nothing.
For each kernel there is also a function that C can call. It takes NumPy arrays, checks that they have the types and
layout that the kernel was compiled for, and passes their addresses and shapes to the kernel. Only these functions are
visible outside the object file.
"""

import argparse
import multiprocessing
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.native import REFUSED, symbol

V3 = "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe"
# LLVM's names. Without "-prefer-256-bit" rows of 16 took 8% less time, and rows of 256 took 20% more.
LEVELS = {
    "x86-64-v2": "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt",
    "x86-64-v3": V3,
    "x86-64-v4": f"{V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,-prefer-256-bit",
    "generic": "",
}
WITHOUT_AVX = {"x86-64-v2"}
KERNELS = Path(__file__).resolve().parent.parent / "tinynet_fast" / "kernels"


def entry_code(ir, context, overload, name, words):
    """LLVM code of `double name(arguments)`, which checks the arguments and calls the compiled kernel."""
    descriptor = overload.fndesc
    module = ir.Module(name)
    i8, i32, i64, double = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.DoubleType()
    pointer = i8.as_pointer()
    given = [word for word in words if word[0] != "t"]
    kinds = [pointer if word[-1] != "0" else double if word[0] == "d" else i64 for word in given]
    function = ir.Function(module, ir.FunctionType(double, kinds), name)
    header = ir.GlobalVariable(module, i64, "tinynet_fast_header")
    array_type = ir.GlobalVariable(module, pointer, "tinynet_fast_array_type")
    kernel_type = context.call_conv.get_function_type(descriptor.restype, descriptor.argtypes)
    kernel = ir.Function(module, kernel_type, descriptor.llvm_func_name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))

    def at(base, offset, kind):
        return builder.load(builder.bitcast(builder.gep(base, [offset]), kind.as_pointer()))

    def refuse_unless(condition, number):
        with builder.if_then(builder.not_(condition), likely=False):
            builder.ret(builder.bitcast(ir.Constant(i64, REFUSED + number), double))

    size, arguments, n = builder.load(header), [], 0
    for word, kind in zip(words, descriptor.argtypes, strict=True):
        if word[0] == "t":
            zero = ir.Constant(context.get_value_type(kind), None)
            arguments.append(zero)
            continue
        value = function.args[n]
        n += 1
        if word[-1] == "0":
            arguments.append(value)
            continue
        fields = builder.gep(value, [size])
        refuse_unless(builder.icmp_unsigned("==", at(fields, i64(native.TYPE), pointer), builder.load(array_type)), n)
        described = builder.gep(at(fields, i64(native.DESCR), pointer), [size])
        wanted = native.C_CONTIGUOUS | native.ALIGNED | (native.WRITEABLE if "w" in word else 0)
        right = builder.icmp_signed("==", at(fields, i64(native.NDIM), i32), i32(int(word[-1])))
        right = builder.and_(
            right,
            builder.icmp_signed("==", at(described, i64(native.TYPE_NUMBER), i32), i32(native.NUMPY_NUMBERS[word[0]])),
        )
        swapped = builder.icmp_unsigned("==", at(described, i64(native.BYTE_ORDER), i8), i8(native.SWAPPED))
        right = builder.and_(right, builder.not_(swapped))
        flags = builder.and_(at(fields, i64(native.FLAGS), i32), i32(wanted))
        refuse_unless(builder.and_(right, builder.icmp_signed("==", flags, i32(wanted))), n)
        arguments.append(array_value(context, builder, kind, fields, at, i64, pointer))
    _, result = context.call_conv.call_function(builder, kernel, descriptor.restype, descriptor.argtypes, arguments)
    builder.ret(result if result.type == double else ir.Constant(double, 0.0))
    return str(module)


def array_value(context, builder, kind, fields, at, i64, pointer):
    """The struct in which Numba passes an array."""
    from numba.np.arrayobj import populate_array

    made = context.make_array(kind)(context, builder)
    shape, item = at(fields, i64(native.SHAPE), pointer), i64(kind.dtype.bitwidth // 8)
    sizes = [at(shape, i64(8 * k), i64) for k in range(kind.ndim)]
    strides = [item]
    for size in reversed(sizes[1:]):
        strides.insert(0, builder.mul(size, strides[0]))
    data = builder.bitcast(at(fields, i64(native.DATA), pointer), made.data.type)
    populate_array(made, data, sizes, strides, item, meminfo=None)
    return made._getvalue()


def compile_module(name, levels, outputs):
    """Write an object file for each level.

    What Numba does with the kernels' Python, most of the work, does not depend on the level and is done once. LLVM then
    optimises the same code for each.
    """
    os.environ |= {"NUMBA_CPU_NAME": levels[0], "NUMBA_CPU_FEATURES": LEVELS[levels[0]], "TINYNET_FAST_NATIVE": "0"}
    recorded = record(name, levels)
    for level, output in zip(levels, outputs, strict=True):
        Path(output).write_bytes(object_code(level, recorded))


def record(name, levels):
    """What Numba makes of the module's kernels, by their names and signatures."""
    from importlib import import_module

    from tinynet_fast.kernels.compiler import jit, simd_llvm
    from tinynet_fast.kernels.compiler.signatures import numbered

    only_record()
    simd_llvm.is_kept = True
    jit.EXTRA.update(cache=False, _nrt=False, no_cpython_wrapper=True)
    module, recorded = import_module(f"tinynet_fast.kernels.{name}"), {}
    for kernel, signature in dict.fromkeys(entry[1:] for level in levels for entry in numbered(level)):
        if kernel.rpartition(".")[0] == name:
            function, kinds = getattr(module, kernel.rpartition(".")[2]), jit.numba_types(signature)
            function.dispatcher.compile(kinds)
            recorded[kernel, signature] = function.dispatcher.overloads[kinds]
    if simd_llvm.asked_for_lanes and len({level in WITHOUT_AVX for level in levels}) > 1:
        sys.exit(f"{name} depends on the lanes of a CPU, and is compiled for several kinds at once")
    return recorded


def object_code(level, recorded):
    """The object file of kernels for a level."""
    from llvmlite import binding as llvm
    from llvmlite import ir
    from numba.core import config
    from numba.core.codegen import JITCPUCodegen
    from numba.core.registry import cpu_target

    from tinynet_fast.kernels.compiler import simd_llvm
    from tinynet_fast.kernels.compiler.signatures import numbered

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    config.CPU_NAME, config.CPU_FEATURES = level, LEVELS[level]
    codegen, made, whole = JITCPUCodegen("numba.exec"), {}, None
    look_ups = str(simd_llvm.look_up_functions("+avx512f" in LEVELS[level]))
    for number, kernel, signature in numbered(level):
        if (kernel, signature) not in recorded:
            continue
        overload, entry = recorded[kernel, signature], symbol(level, number)
        code = llvm.parse_bitcode(optimised(overload.library, codegen, look_ups, made).as_bitcode())
        keep_to_itself(code, {overload.fndesc.llvm_func_name})
        wrapper = entry_code(ir, cpu_target.target_context, overload, entry, signature.split())
        code.link_in(llvm.parse_assembly(wrapper))
        keep_to_itself(code, {entry})
        if whole is None:
            whole = code
        else:
            whole.link_in(code)
    whole = whole or llvm.parse_assembly("")  # a module of which the level has nothing
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=level, features=LEVELS[level], opt=3, reloc="pic", codemodel="small"
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0))
    manager = llvm.create_new_module_pass_manager()
    manager.add_global_dead_code_eliminate_pass()
    manager.run(whole, passes)
    return machine.emit_object(whole)


def only_record():
    """Have Numba keep the code that it makes of a function, instead of optimising it and putting it into memory."""
    from numba.core.codegen import JITCodeLibrary, JITCPUCodegen

    def keep(self, module):
        self.__dict__.setdefault("recorded", []).append(module.as_bitcode())
        self._final_module.link_in(module)

    JITCodeLibrary.add_llvm_module = keep
    JITCodeLibrary._optimize_final_module = lambda self: None
    JITCodeLibrary._finalize_specific = lambda self: None  # it would look for the functions of `look_up`
    JITCodeLibrary.get_pointer_to_function = lambda self, name: 1
    JITCPUCodegen.set_env = lambda self, name, environment: None


def optimised(library, codegen, look_ups, made):
    """The code of a library that was recorded, and of what it calls, as Numba would optimise it with `codegen`."""
    from llvmlite import binding as llvm
    from numba.core.codegen import CPUCodeLibrary

    if library not in made:
        again = made[library] = CPUCodeLibrary(codegen, library.name)
        for code in library.recorded:
            module = llvm.parse_bitcode(code)
            again._optimize_functions(module)
            again._final_module.link_in(module)
        for called in dict.fromkeys(library._linking_libraries):
            optimised(called, codegen, look_ups, made)
            again._final_module.link_in(made[called]._get_module_for_linking(), preserve=True)
        again._final_module.link_in(llvm.parse_assembly(look_ups))
        again._finalized = True
        again._optimize_final_module()
    return made[library]._final_module


def keep_to_itself(module, exported):
    """Hide everything that the module defines, except what is exported."""
    for defined in (*module.functions, *module.global_variables):
        if not defined.is_declaration and defined.name not in exported:
            defined.linkage = "internal"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="a module of tinynet_fast.kernels, such as fast.neuron")
    parser.add_argument("targets", nargs="+", metavar="level=file", help="an instruction-set level and its object file")
    arguments = parser.parse_args()
    levels, outputs = zip(*(target.split("=", 1) for target in arguments.targets), strict=True)
    text = (KERNELS / (arguments.module.replace(".", "/") + ".py")).read_text()
    # Code that asks how many lanes the CPU has is not the same without AVX. `record` makes sure that this finds it.
    groups = (WITHOUT_AVX, set(levels) - WITHOUT_AVX) if "lanes_of_cpu" in text else (set(levels),)
    for group in groups:
        chosen = [(level, output) for level, output in zip(levels, outputs, strict=True) if level in group]
        if chosen:
            given = arguments.module, *zip(*chosen, strict=True)
            process = multiprocessing.Process(target=compile_module, args=given)
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{arguments.module} could not be compiled for {', '.join(sorted(group))}")
