"""The decorators that compile kernels, with the reason for every flag. No arithmetic lives here.

A kernel is compiled twice from one source: ahead of time into a library inside the wheel (`native.py`), and just in
time by Numba, for what the library does not have. Numba is imported when it is first needed.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property, update_wrapper
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.interrupts import Held

# Flags for kernels that may sum in another order. `contract`: fused multiply-add. `reassoc` and `nsz`: sums in eight
# parts, one a lane. Never `nnan` or `ninf`, since a run that diverges has to show it, and so never `fastmath=True`.
FUSED = {"contract"}
REORDERED = {"contract", "reassoc", "nsz"}
EXTRA: dict[str, Any] = {}  # options of Numba's for everything compiled: what compiling ahead of time needs
COMPILING = threading.RLock()  # one thread at a time compiles
UNCOMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")  # kernels run as plain Python
NATIVE, JIT = "native", "jit"  # the ways in which a kernel may have been compiled
_calls = threading.local()


def _new_lock() -> None:
    """In a child of a process, where the lock may have been taken by a thread that the child has not."""
    global COMPILING
    COMPILING = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)
# Numbers of rows that are copied to another type before a kernel is compiled for these rows. Copying as many takes some
# 0.3 s, compiling a kernel 1 to 10 s.
MOST_COPIED = 1 << 29


class MissingCompilerError(ImportError):
    """There is neither a compiled kernel nor Numba to compile it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not compiled in this installation, and Numba is not installed: pip install numba")


@cache
def has_numba() -> bool:
    try:
        return find_spec("numba") is not None
    except ValueError:  # sys.modules has None in its place
        return False


class noting:
    """A context that gives the ways in which the kernels were compiled that this thread calls in the meantime."""

    def __enter__(self) -> set[str]:
        self.before, ways = getattr(_calls, "ways", None), set[str]()
        _calls.ways = ways
        return ways

    def __exit__(self, *error: object) -> None:
        _calls.ways = self.before


def _note(way: str) -> None:
    ways = getattr(_calls, "ways", None)
    if ways is not None:
        ways.add(way)


def silenced(function: Callable[..., Any]) -> Any:
    """`function` without NumPy's warnings of an overflow, of which there are none where kernels are compiled."""
    return np.errstate(over="ignore", invalid="ignore")(function) if UNCOMPILED else function


class Compiled:
    """A function that is compiled when it is first needed."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.py_func, self._options = function, options
        self._by_signature: dict[str, tuple[Callable[..., Any], str]] = {}
        self._copied: dict[str, int] = {}  # numbers of rows that were copied in place of a kernel for them
        self.name = f"{function.__module__.removeprefix('tinynet_fast.kernels.')}.{function.__qualname__}"
        update_wrapper(self, function)

    @cached_property
    def dispatcher(self) -> Any:
        """The function under `@njit`, for calls with arguments of any types."""
        return self._new_dispatcher()

    def _new_dispatcher(self) -> Any:
        """The function under `@njit`, with a cache of its own kind if it is to be cached (`cache.py`).

        In a read-only installation, for a user without a home folder, there is nowhere to cache. The kernel is then
        compiled in each process, and everything else is the same.
        """
        if not has_numba():
            raise MissingCompilerError(self.name)
        from numba import njit

        from tinynet_fast.kernels.compiler.cache import KernelCache

        options = self._options | EXTRA
        cached = options.pop("cache", False)
        dispatcher = njit(**options)(self.py_func)
        if cached:
            with suppress(RuntimeError):  # "cannot cache function: no locator available"
                dispatcher._cache = KernelCache(self.py_func)
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        return self.dispatcher._numba_type_

    def __getattr__(self, name: str) -> Any:
        """What Numba's functions have: `signatures`, `inspect_asm`, or `targetoptions`, where it looks for `inline`."""
        if name.startswith("_") or not has_numba():
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.dispatcher, name)

    @cached_property
    def _run(self) -> tuple[Callable[..., Any], str]:
        found = native.only(self.name)
        return (found, NATIVE) if found else (self.dispatcher, JIT)

    def __call__(self, *arguments: Any) -> Any:
        run, way = self._run
        _note(way)
        try:
            if way == NATIVE:
                return run(*arguments)
        except native.RefusedError:  # Numba compiles it for any type
            if not has_numba():
                raise
        with Held():  # it may compile now; and a kernel that runs is not interrupted anyway
            return self.dispatcher(*arguments)

    def compiled(self, signature: str) -> Callable[..., Any]:
        """The function for arguments of these types: from the library, or compiled by Numba, or from Numba's cache.

        The signatures here ask for read-only arrays, which any array can stand in for. Left to itself, a call with a
        writable one would compile the kernel again for that: as long again before the first result.
        """
        if signature not in self._by_signature:
            self._by_signature[signature] = self._find(signature)
        function, way = self._by_signature[signature]
        _note(way)
        return function

    def takes_copies(self, own: str, other: str, count: int, most: int) -> bool:
        """Whether the library's `other` is to take a copy of `count` numbers, rather than `own` be compiled.

        Of all calls together, `most` numbers are copied, and without Numba all.
        """
        if own in self._by_signature:
            return False
        if own not in self._copied and (native.find(self.name, own) or not native.find(self.name, other)):
            return False
        self._copied[own] = self._copied.get(own, 0) + count
        return self._copied[own] <= most or not has_numba()

    def _find(self, signature: str) -> tuple[Callable[..., Any], str]:
        """The function for a signature, and how it was compiled. Only Numba's takes the lock."""
        found = native.find(self.name, signature)
        if found:
            return found, NATIVE
        if not has_numba():
            raise MissingCompilerError(self.name)
        with COMPILING, Held():
            return self._by_signature.get(signature) or (self._compiled_now(signature), JIT)

    def _compiled_now(self, signature: str) -> Any:
        """A dispatcher for this signature alone: to compile for another one, no thread has to open one that is called.

        A call of a dispatcher that may compile looks for an exact match of its types, and fails if it is then closed.
        """
        from numba import types

        dispatcher, formal = self._new_dispatcher(), numba_types(signature)
        dispatcher.compile(formal)
        dispatcher.disable_compile()
        # That a writeable array will do for a read-only one, Numba finds out when it is first called. If two threads
        # find it out at the same moment, one of them fails.
        given = [kind.copy(readonly=False) if isinstance(kind, types.Array) else kind for kind in formal]
        dispatcher.typingctx.install_possible_conversions(given, formal)
        return dispatcher


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that rounds as plain Python rounds, or the entry point of one whose parts have other flags.

    - no `fastmath` flag: LLVM may then neither reorder a sum nor contract a product and a sum into an FMA;
    - `error_model="numpy"`: the default's zero-division test puts a branch into the loop and stops vectorisation;
    - `nogil`: a kernel touches no Python object, so other threads may run beside it;
    - `_nrt` off: a kernel allocates nothing, so no references are counted (it was 60% of a row's time in `exact.py`);
    - `cache`: a kernel takes up to a second to compile and milliseconds to load.
    """
    return function if UNCOMPILED else Compiled(function, error_model="numpy", nogil=True, cache=True, _nrt=False)


def part(
    flags: set[str] | None = None, forceinline: bool = False, inner: bool = False, inline: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a part of a fast kernel: not cached by itself, because it is inside the kernel that calls it.

    `forceinline` has LLVM inline it, which keeps its flags. Numba's own inlining, `inline`, gives it its caller's.
    Parts whose sums may be reordered need the first: a part that is called is there twice, by itself and in its caller.
    The process that compiles them calls the one, a process that loads the caller from the cache the other; with each
    its own order of sums, the first run of a program had other last bits than the second.

    Nobody calls a part through a C pointer, so that wrapper is not made. Nor is the one for Python
    for an `inner` part: the process would crash if Python called it.
    """
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}
    if inline:
        options |= {"inline": "always"}
    else:
        options |= {"fastmath": flags or False, "forceinline": forceinline}
        options |= {"no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
    return lambda function: function if UNCOMPILED else Compiled(function, **options)


def rebuilt(module: ModuleType, name: str, plain: bool = False, **others: Any) -> dict[str, Any]:
    """The functions of a module of kernels once more, but each finds `others` in place of what it calls by these names.

    They are compiled as the module's own are, or are plain Python if `plain`. `name` is the module that they are given
    to. If a name of `others` is that of one of the functions, this one takes its place.
    """
    known = {**vars(module), "__name__": name, **others}
    found: dict[str, Any] = {}
    for each, function in vars(module).items():
        if each not in others and getattr(function, "__module__", None) == module.__name__:
            made = _with_globals(getattr(function, "py_func", function) if plain else function, known)
            if made is not None:
                found[each] = known[each] = made
    return {**found, **{each: other for each, other in others.items() if each in vars(module)}}


def _with_globals(function: Any, known: dict[str, Any]) -> Any:
    """A function with these globals; None for what is no function of plain Python or of kernels."""
    if isinstance(function, Compiled):
        return Compiled(_with_globals(function.py_func, known), **function._options)
    again = getattr(function, "with_globals", None)  # functions of lanes
    if again is not None:
        return again(lambda inner: _with_globals(inner, known))
    if not isinstance(function, FunctionType):
        return None
    made = FunctionType(function.__code__, known, function.__name__, function.__defaults__, function.__closure__)
    made.__kwdefaults__, made.__doc__ = function.__kwdefaults__, function.__doc__
    return made


def compiled(function: Any, signature: str) -> Any:
    """A kernel for arguments of the types that `signature` says, a word each.

    d2 is an array of float64 with two dimensions, f1 one of float32, and l0 a single int64; B is uint8 and i is int32.
    Arrays are C-contiguous. "w" after the letter means that the kernel writes to the array. t3 is a tuple of three
    integers, of which only the length counts.
    """
    return function if UNCOMPILED else function.compiled(signature)


def for_rows(
    function: Any, words: str, X: np.ndarray, usual: str = "d", reorders: bool = False
) -> tuple[Any, np.ndarray]:
    """The kernel for the rows X, (n, d), float64 or float32, and X or a copy of it. `words` are its other arguments.

    The library has most kernels for rows of one type, which is `usual`. It takes rows of the other type as a copy: that
    gives the same bits, and nothing has to be compiled. If more than MOST_COPIED numbers were copied for a kernel,
    Numba compiles it for these rows.

    A kernel that `reorders` sums over a row's inputs may do it in another way for rows of another type. Then last bits
    differ. It is compiled at once, so that they do not depend on what was called before; without Numba rows are copied.
    """
    own, other = f"{X.dtype.char}2 {words}", f"{usual}2 {words}"
    if UNCOMPILED or own == other or not function.takes_copies(own, other, X.size, 0 if reorders else MOST_COPIED):
        return compiled(function, own), X
    with np.errstate(over="ignore"):
        return compiled(function, other), X.astype(usual)


@contextmanager
def no_copies() -> Iterator[None]:
    """Every kernel is compiled for the rows that come, even if they are few: to test it, or to time it."""
    global MOST_COPIED
    before, MOST_COPIED = MOST_COPIED, -1
    try:
        yield
    finally:
        MOST_COPIED = before


def numba_types(signature: str) -> tuple[Any, ...]:
    """A signature in Numba's words."""
    from numba import types

    names = {"d": types.float64, "f": types.float32, "l": types.int64, "i": types.int32, "B": types.uint8}

    def kind(word: str) -> Any:
        count = int(word[-1])
        if word[0] == "t":
            return types.UniTuple(types.int64, count) if count else types.Tuple(())
        return types.Array(names[word[0]], count, "C", readonly="w" not in word) if count else names[word[0]]

    return tuple(map(kind, signature.split()))
