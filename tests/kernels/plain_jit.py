"""Copies of kernels for mistakes to be planted in: they import this file for `jit.py`, and so stay plain Python."""

import inspect
import types

from tinynet_fast.kernels.compiler.jit import FUSED, LANES, Late, MissingCompilerError, has_numba, written_in

__all__ = [
    "FUSED",
    "LANES",
    "UNCOMPILED",
    "Late",
    "MissingCompilerError",
    "compiled",
    "for_rows",
    "has_numba",
    "jit_copy",
    "kernel",
    "part",
    "plain_copy",
    "written_in",
]
UNCOMPILED = True


def kernel(function):
    return function


def part(*flags, **options):
    return kernel


def compiled(function, signature):
    return function


def for_rows(find, X):
    return find(X.dtype.char), X


def plain_copy(module, old="", new=""):
    """A copy of a module in plain Python, with `new` for `old`."""
    return _copy(module, old, new, "plain_jit")


def jit_copy(module, old="", new=""):
    """A copy of a module, with `new` for `old`, whose kernels are compiled as the module's own are, but not cached."""
    return _copy(module, old, new, "tinynet_fast.kernels.compiler.jit")


def _copy(module, old, new, decorators):
    source = inspect.getsource(module)
    assert old in source, f"{old!r} no longer stands in {module.__name__}"
    source = source.replace("tinynet_fast.kernels.compiler.jit", decorators)
    copy = types.ModuleType("planted")
    exec(compile(source.replace(old, new) if old else source, "planted", "exec"), copy.__dict__)
    return copy
