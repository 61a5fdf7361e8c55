"""Copies of kernels for mistakes to be planted in: they import this file for `jit.py`, and so stay plain Python."""

import inspect
import types

from tinynet_fast.kernels.jit import FUSED, LANES, Late, MissingCompilerError, has_numba, written_in

__all__ = [
    "FUSED",
    "LANES",
    "UNCOMPILED",
    "Late",
    "MissingCompilerError",
    "compiled",
    "for_rows",
    "has_numba",
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
    source = inspect.getsource(module)
    assert old in source, f"{old!r} no longer stands in {module.__name__}"
    source = source.replace("tinynet_fast.kernels.jit", "plain_jit")
    copy = types.ModuleType("planted")
    exec(compile(source.replace(old, new) if old else source, "planted", "exec"), copy.__dict__)
    return copy
