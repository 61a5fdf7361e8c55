"""What `words.py` says in Python, in LLVM's instructions, under the same names."""

import sys

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.registry import cpu_target

from tinynet_fast.kernels.compiler import simd_llvm
from tinynet_fast.kernels.compiler.lanes_llvm import I32, I64, Value


def claim(words, at):
    return Value(words.builder, types.int64, [words.builder.atomic_rmw("add", words.place(at), I64(1), "acq_rel")])


def seen(words, at):
    return Value(words.builder, types.int64, [words.builder.load_atomic(words.place(at), "acquire", 8)])


def replace(words, at, old, new):
    b = words.builder
    both = b.cmpxchg(words.place(at), old.ir, new.ir, "acq_rel", "acquire")
    return Value(b, types.boolean, [b.extract_value(both, 1)])


def pause(words):
    if simd_llvm.is_kept:
        _run(words.builder, ir.VoidType(), "tinynet_fast_pause")
    elif cpu_target.target_context.codegen().magic_tuple()[0].startswith("x86"):
        _run(words.builder, ir.VoidType(), "llvm.x86.sse2.pause")


def give_way(words):
    if simd_llvm.is_kept:
        _run(words.builder, ir.VoidType(), "tinynet_fast_give_way")
    elif sys.platform != "win32":
        _run(words.builder, I32, "sched_yield")


def _run(builder, result, name):
    """Call a function without arguments."""
    builder.call(get_or_insert_function(builder.module, ir.FunctionType(result, []), name), [])
