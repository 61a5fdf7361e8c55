"""The one decorator that compiles kernels, with the reason for every flag. No arithmetic lives here."""

from collections.abc import Callable
from typing import Any

from numba import njit


def exact(function: Callable[..., Any]) -> Any:
    """Compile a kernel that must round as plain Python rounds.

    - no `fastmath` flag: LLVM may then neither reorder a sum nor contract a product and a sum into an FMA;
    - `error_model="numpy"`: the default's zero-division test puts a branch into the loop and stops vectorisation;
    - `nogil`: a kernel touches no Python object, so other threads may run beside it;
    - `cache`: a kernel takes up to a second to compile and milliseconds to load.

    In an installation that is read-only, for a user without a home folder, there is nowhere to cache. Numba raises
    for that at once; the kernel is then compiled in each process and everything else is the same.
    """
    try:
        return njit(error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return njit(error_model="numpy", nogil=True)(function)
