"""Where Numba keeps the machine code of kernels: its own files and folders, with stricter rules for what is loaded.

Numba compiles a cached function again when its own file has changed. A kernel is made of parts in several files, so
here it is compiled again when any file of this folder has changed. And what is damaged is compiled again, too: Numba
itself would raise EOFError or UnpicklingError, or run the damaged code. The format is Numba's, which is a pickle.
"""

import hashlib
import io
import os
import pickle
from functools import cache
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

from tinynet_fast.kernels.compiler.native import kernel_files

SUFFIX = ".checked"  # the files' names differ from those that Numba alone writes, which have no checksums
DIGEST = 32  # bytes


@cache
def stamp_of_kernels() -> str:
    """A hash of all Python files of `kernels/`; "" for a package in a zip file, which Numba hashes as a whole."""
    found, paths = hashlib.sha256(), kernel_files()
    for path in paths:
        with open(path, "rb") as file:
            found.update(os.path.basename(path).encode() + hashlib.sha256(file.read()).digest())
    return found.hexdigest() if paths else ""


class Files(IndexDataCacheFile):
    """A file for each signature of a kernel, with a checksum. Each file says what it belongs to.

    There is no index, which Numba would keep: of two processes that compile at the same time, one would write its index
    over the other's, and what the other had compiled would be lost.
    """

    def save(self, key: Any, data: Any) -> None:
        self._save_data(self._name(key), (self._belongs_to(key), data))

    def load(self, key: Any) -> Any:
        """The machine code for `key`, or None if there is none that is sound and up to date."""
        try:
            with open(self._data_path(self._name(key)), "rb") as file:
                digest, data = file.read(DIGEST), file.read()
            if hashlib.sha256(data).digest() != digest:
                return None
            stream = io.BytesIO(data)
            belongs_to = pickle.load(stream)
            return pickle.load(stream) if belongs_to == self._belongs_to(key) else None
        except Exception:  # there is none, or it is another Numba's: unpickling can raise anything
            return None

    def _dump(self, obj: Any) -> bytes:
        belongs_to, content = obj
        data = super()._dump(belongs_to) + super()._dump(content)
        return hashlib.sha256(data).digest() + data

    def _belongs_to(self, key: Any) -> Any:
        return self._version, self._source_stamp, key

    def _name(self, key: Any) -> str:
        """Without the hash of the function's code, so that a file is written over after an edit."""
        return f"{self._index_name.removesuffix('.nbi')}.{hashlib.sha256(repr(key[:2]).encode()).hexdigest()[:24]}.nbc"


class KernelCache(FunctionCache):
    """The cache of one kernel. RuntimeError if there is no folder that can be written to."""

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self.refused: OSError | None = None  # why something could not be kept
        self._cache_file = Files(
            cache_path=self.cache_path,
            # With the module that has it: one source is compiled for two, which call other functions (`jit.rebuilt`).
            filename_base=f"{self._impl.filename_base}.{py_func.__module__.rpartition('.')[2]}{SUFFIX}",
            source_stamp=(self._impl.locator.get_source_stamp(), stamp_of_kernels()),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # what was loaded does not suit this Numba: compile
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:  # the disk is full, for example: the kernel runs all the same
            self.refused = error
