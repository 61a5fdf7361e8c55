"""What planted copies of kernels import in place of `tinynet_fast.kernels.jit`: they stay plain Python."""

from tinynet_fast.kernels.jit import FUSED, LANES, Late, MissingCompilerError, written_in

__all__ = [
    "FUSED",
    "LANES",
    "UNCOMPILED",
    "Late",
    "MissingCompilerError",
    "compiled",
    "for_rows",
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
