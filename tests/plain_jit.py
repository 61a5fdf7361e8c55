"""What copies of kernels import in place of `jit.py`, so that they stay plain Python (`planted.py` makes them)."""

from tinynet_fast.kernels.compiler.jit import FUSED, REORDERED, MissingCompilerError, has_numba

__all__ = [
    "FUSED",
    "REORDERED",
    "UNCOMPILED",
    "MissingCompilerError",
    "compiled",
    "for_rows",
    "has_numba",
    "kernel",
    "part",
]
UNCOMPILED = True


def kernel(function):
    return function


def part(*flags, **options):
    return kernel


def compiled(function, signature):
    return function


def for_rows(function, words, X, usual="d", reorders=False):
    return function, X
