"""The kernels that were compiled when the wheel was built: the same code, without Numba, from the first call on.

The library has each entry for several instruction-set levels and says which of them this CPU can run. An entry takes
NumPy's arrays as they are, checks that they are what it was compiled for, and reads addresses and shapes from them:
looking those up in Python took longer than training on a row.

TINYNET_FAST_NATIVE=0 leaves the library aside; TINYNET_FAST_NATIVE=x86-64-v2 has it run another level.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

LEVELS = "x86-64-v2", "x86-64-v3", "x86-64-v4"  # each has all that the one before has
NAMES = "libtinynet_fast.so", "libtinynet_fast.dylib", "libtinynet_fast.dll"
KERNELS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder, which has the library too
KINDS = {"d": ctypes.c_double, "l": ctypes.c_int64}
# What `native/compile.py` writes into an entry, and what is looked for here.
REFUSED = 0x7FF8_7466_0000_0000  # a NaN that no arithmetic gives: the last byte is the number of a wrong argument
# Where NumPy keeps what an entry reads of an array (`PyArrayObject_fields`) and of its dtype (`PyArray_Descr`): bytes
# after a Python object's header, whose last pointer is the object's type. Then the bits of its flags, the byte order
# that is not this machine's. `_arrays_are_known` compares all of it with the NumPy that is here before an entry is
# called. NumPy's numbers for dtypes differ between systems, and the library is told of them.
TYPE, DATA, NDIM, SHAPE, DESCR, FLAGS = -8, 0, 8, 16, 40, 48
BYTE_ORDER, TYPE_NUMBER = 10, 12
C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400
SWAPPED = ord(">")
DTYPES = {"d": np.float64, "f": np.float32, "l": np.int64, "i": np.int32, "B": np.uint8}


def symbol(level: str, number: int) -> str:
    """The name of an entry in the library."""
    return f"tinynet_fast_{level.replace('-', '_')}_{number}"


class RefusedError(TypeError):
    """An argument is not what the entry was compiled for."""


class Library:
    """The library, at one level. `signatures` has those of each kernel, by "module.kernel"."""

    def __init__(self, path: str, level: str) -> None:
        self._library = ctypes.CDLL(path)
        ask = self._library.tinynet_fast_level
        ask.restype = ctypes.c_char_p
        best = ask().decode()
        self.levels = LEVELS[: LEVELS.index(best) + 1] if best in LEVELS else (best,) if best else ()
        if level and level not in self.levels:
            known = ", ".join(("0", "1", *self.levels))
            raise ValueError(f"TINYNET_FAST_NATIVE is {level!r}, and what this machine knows is {known}")
        self.level = level or best
        ctypes.c_int64.in_dll(self._library, "tinynet_fast_header").value = object.__basicsize__
        ctypes.c_void_p.in_dll(self._library, "tinynet_fast_array_type").value = id(np.ndarray)
        numbers = (ctypes.c_int32 * len(DTYPES)).in_dll(self._library, "tinynet_fast_numbers")
        numbers[:] = [np.dtype(dtype).num for dtype in DTYPES.values()]
        start = ctypes.addressof(ctypes.c_char.in_dll(self._library, "tinynet_fast_entries"))
        self.signatures: dict[str, dict[str, int]] = {}
        for line in ctypes.string_at(start).decode().splitlines():
            number, name, signature = line.split(" ", 2)
            self.signatures.setdefault(name, {})[signature] = int(number)

    def entry(self, name: str, signature: str) -> Callable[..., Any] | None:
        """The compiled kernel, or None if the library lacks it for those arguments or for this CPU.

        A kernel that a level would not make faster is there for the level before.
        """
        number = self.signatures.get(name, {}).get(signature)
        if number is None:
            return None
        for level in reversed(self.levels[: self.levels.index(self.level) + 1]):
            function = getattr(self._library, symbol(level, number), None)
            if function is not None:
                return _callable(function, name, signature)
        return None


def _callable(function: Any, name: str, signature: str) -> Callable[..., Any]:
    """`function` for Python: tuples are left away, and arrays of NumPy's subclasses passed as what they are made of."""
    words = signature.split()
    count = sum(word[0] != "t" for word in words)
    function.argtypes = [ctypes.py_object if word[-1] != "0" else KINDS[word[0]] for word in words[:count]]
    function.restype = ctypes.c_double

    def call(*arguments: Any) -> float:
        try:
            result = function(*arguments[:count])
        except ctypes.ArgumentError:  # a number of NumPy's, which ctypes does not take for one
            numbers = {"d": float, "l": int}
            return call(*(a if w[-1] != "0" else numbers[w[0]](a) for a, w in zip(arguments, words, strict=False)))
        return result if result == result else _looked_at(result, arguments[:count])

    def _looked_at(result: float, arguments: tuple[Any, ...]) -> float:
        """A NaN: the kernel's own, or the word that an argument is not what it should be."""
        number = struct.unpack("<Q", struct.pack("<d", result))[0] - REFUSED
        if not 0 < number <= count:
            return result
        plain = [np.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
        if all(a is b for a, b in zip(plain, arguments, strict=True)):
            was = _described(arguments[number - 1])
            raise RefusedError(f"{name} takes {words[number - 1]} as argument {number}, and not {was}")
        return call(*plain)

    return call


def _described(argument: Any) -> str:
    if not isinstance(argument, np.ndarray):
        return f"a {type(argument).__name__}"
    order = "C-contiguous" if argument.flags.c_contiguous else "not C-contiguous"
    access = "writeable" if argument.flags.writeable else "read-only"
    return f"{argument.ndim} dimensions of {argument.dtype}, {order}, {access}"


def path() -> str | None:
    """Where the library is, if it is."""
    return next((p for p in (os.path.join(KERNELS, name) for name in NAMES) if os.path.exists(p)), None)


@cache
def library() -> Library | None:
    """The library, or None if there is none, it is left aside, or it does not fit this machine."""
    asked = os.environ.get("TINYNET_FAST_NATIVE", "")
    place = path()
    if asked == "0" or place is None or is_stale(place) or not _arrays_are_known():
        return None
    try:
        found = Library(place, "" if asked == "1" else asked)
    except OSError:  # for another machine
        return None
    return found if found.level else None


def _arrays_are_known() -> bool:
    """Whether this NumPy keeps all that the library reads of an array where the library looks for it."""
    if sys.implementation.name != "cpython":
        return False
    probes: list[np.ndarray] = [np.empty((2, 3), dtype) for dtype in DTYPES.values()]
    locked = np.empty((2, 3))
    locked.flags.writeable = False
    probes += [locked, np.empty((3, 2)).T, np.empty(25, np.uint8)[1:].view(np.float64), np.empty(4, ">f8")]
    return all(map(_is_known, probes))


def _is_known(array: np.ndarray) -> bool:
    """Whether an array is read as NumPy itself describes it. No pointer is followed that has not been compared."""
    fields = id(array) + object.__basicsize__

    def pointer(offset: int) -> int | None:
        return ctypes.c_void_p.from_address(fields + offset).value

    def number(start: int, offset: int) -> int:
        return ctypes.c_int.from_address(start + offset).value

    told = id(type(array)), array.__array_interface__["data"][0], id(array.dtype), array.ndim
    if (pointer(TYPE), pointer(DATA), pointer(DESCR), number(fields, NDIM)) != told or not pointer(SHAPE):
        return False
    shape = (ctypes.c_ssize_t * array.ndim).from_address(pointer(SHAPE) or 0)
    flags, described, said = number(fields, FLAGS), id(array.dtype) + object.__basicsize__, array.flags
    order = ctypes.c_ubyte.from_address(described + BYTE_ORDER).value
    return (
        tuple(shape) == array.shape
        and number(described, TYPE_NUMBER) == array.dtype.num
        and (order == SWAPPED) == (not array.dtype.isnative)
        and [bool(flags & bit) for bit in (C_CONTIGUOUS, ALIGNED, WRITEABLE)]
        == [said.c_contiguous, said.aligned, said.writeable]
    )


def is_stale(made: str) -> bool:
    """Whether a kernel changed after the library was made, in a source tree: `make native` makes it anew."""
    sources = os.path.join(os.path.dirname(os.path.dirname(KERNELS)), "native")
    if not os.path.exists(os.path.join(sources, "compile.py")):
        return False
    return max(map(os.path.getmtime, kernel_files() + _python_files(sources))) > os.stat(made).st_mtime


def kernel_files() -> list[str]:
    """The paths of all Python files of `kernels/`, sorted."""
    return _python_files(KERNELS)


def _python_files(folder: str) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]  # Numba's cache has thousands of files there
        found += [os.path.join(place, name) for name in names if name.endswith(".py")]
    return sorted(found)


def find(name: str, signature: str) -> Callable[..., Any] | None:
    """The entry of that kernel for arguments of these types, or None."""
    found = library()
    return found.entry(name, signature) if found else None


def only(name: str) -> Callable[..., Any] | None:
    """The entry of a kernel that has but one signature, or None."""
    found = library()
    signatures = found.signatures.get(name, {}) if found else {}
    return find(name, *signatures) if len(signatures) == 1 else None
