"""The decorators that compile kernels, with the reason for every flag. No arithmetic lives here."""

import threading
from collections.abc import Callable
from typing import Any

from numba import njit

# Flags for kernels that may sum in another order. `contract`: fused multiply-add. `reassoc` and `nsz`: dot products by
# SIMD lanes. Never `nnan` or `ninf`, since a run that diverges has to show it, and so never `fastmath=True`.
FUSED = {"contract"}
LANES = {"contract", "reassoc", "nsz"}
COMPILING = threading.RLock()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that rounds as plain Python rounds, or the entry point of one whose parts have other flags.

    - no `fastmath` flag: LLVM may then neither reorder a sum nor contract a product and a sum into an FMA;
    - `error_model="numpy"`: the default's zero-division test puts a branch into the loop and stops vectorisation;
    - `nogil`: a kernel touches no Python object, so other threads may run beside it;
    - `cache`: a kernel takes up to a second to compile and milliseconds to load.

    In a read-only installation, for a user without a home folder, there is nowhere to cache. Numba raises for that at
    once; the kernel is then compiled in each process and everything else is the same.
    """
    try:
        return njit(error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return njit(error_model="numpy", nogil=True)(function)


def part(flags: set[str] | None = None, forceinline: bool = False, inner: bool = False) -> Any:
    """Compile a part of a fast kernel: not cached by itself, because it is inside the kernel that calls it.

    `forceinline` has LLVM inline it, which keeps its flags. Numba's own `inline="always"` would give it its caller's.
    Parts whose sums may be reordered need it: a part that is called is there twice, by itself and in its caller. The
    process that compiles them calls the one, a process that loads the caller from the cache the other; with each its
    own order of sums, the first run of a program had other last bits than the second.

    Nobody calls a part through a C pointer, so that wrapper is not made. Nor is the one for Python
    for an `inner` part: the process would crash if Python called it.
    """
    options: dict[str, Any] = {"no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
    return njit(error_model="numpy", nogil=True, fastmath=flags or False, forceinline=forceinline, **options)


def compile_only(function: Any, signature: Any) -> None:  # pragma: no cover - for compiled kernels alone
    """Compile a kernel for a signature, or load it, and let no call compile another.

    The signatures here ask for read-only arrays, which any array can stand in for. Left to itself, a call with a
    writable one would compile the kernel again for that: as long again before the first result. One thread at a time:
    two that trained first models side by side took each other's leave to compile away.
    """
    with COMPILING:
        if tuple(signature) not in function.overloads:
            function.disable_compile(False)
            function.compile(signature)
            function.disable_compile()
