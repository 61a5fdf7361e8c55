"""What copies of kernels import in place of `jit.py`, so that they stay plain Python (`planted.py` makes them)."""

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
    "kernel",
    "part",
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
