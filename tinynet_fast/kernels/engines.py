"""The engines by name, each with its promise. A module with kernels is imported when its engine is first used."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from tinynet_fast.errors import warn
from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, MissingCompilerError, has_numba

BLOCK_SECONDS = 0.02  # about how long a kernel runs before Ctrl-C, progress and callbacks have their turn
MOST_ROWS = 65_536
MOST_VALUES = 1 << 20  # 8 MB of float64: where a block has to be copied, that is the memory it takes
CHUNK = 1024  # rows that the NumPy network takes at a time
TILE = 256  # rows after which the fast engine leaves no look-ahead behind


class EngineName(str):  # pragma: no cover - for compiled kernels alone
    """Which engine ran, and how its kernels were compiled: "fast/native", "fast/jit". It equals the engine's name, too.

    Texts that are equal must have the same hash, and it cannot have that of two. So it equals "fast" and hashes like
    "fast"; it does not equal the plain text "fast/native", which str(name) gives.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EngineName):
            return str(self) == str(other)
        return other == self.partition("/")[0] if isinstance(other, str) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.partition("/")[0])


@dataclass(frozen=True)
class Engine:
    """One way to run the reference's loops.

    `promise` is the largest norm-wise relative difference from the reference that is allowed; 0.0 means bit for bit.
    `row_seconds` and `value_seconds` are what a row costs, and each multiply-add in it, to within a factor of three
    on any machine: they decide how many rows make a block, and never the result.
    """

    name: str
    module: str
    promise: float
    row_seconds: float
    value_seconds: float

    @property
    def tile(self) -> int:
        """Wherever an epoch is cut into blocks at multiples of so many rows, the weights are the same bits."""
        return {"vectorized": CHUNK, "fast": TILE}.get(self.module, 1)

    @property
    def kernels(self) -> ModuleType:
        return import_module(f"tinynet_fast.kernels.{self.module}")

    def own(self, array: Any, dtype: Any = np.float64) -> Any:
        """`array` as this engine takes it: numbers in lists for the reference, else a writable C-contiguous array.

        An array that is one already is passed on as it is; any other is copied.
        """
        if self.module == "reference":
            return np.asarray(array, dtype=dtype).tolist()
        return np.require(array, dtype=dtype, requirements=["C", "W"])

    def rows(self, X: np.ndarray) -> Any:
        """A block of rows as this engine takes it."""
        if self.module == "fast" and X.dtype.char in "df" and X.dtype.isnative and X.flags.c_contiguous:
            return X  # float32 is read as it is; a read-only array too
        return self.own(X)

    def named(self, ways: set[str]) -> "EngineName | str":
        """The engine's name with how its kernels were compiled, as `jit.noting` has it."""
        return EngineName(f"{self.name}/{'jit' if 'jit' in ways else 'native'}") if ways else self.name

    def can(self, kernel: str) -> bool:
        """Whether the engine has a kernel of that name: `fast` has only those that it is faster at."""
        return hasattr(self.kernels, kernel)

    def scratch(self, layers: np.ndarray) -> Any:
        """What the kernels call `units`: two numbers a unit, of one row, or of a chunk of rows for the NumPy engine.

        The fast engine's network says itself what it needs.
        """
        if hasattr(self.kernels, "network_scratch"):
            return self.kernels.network_scratch(layers)
        units = int(layers[0, 0] + layers[:, 1].sum())
        return self.own(np.zeros((2, CHUNK, units) if self.module == "vectorized" else (2, units)))

    def block_rows(self, n_features: int, multiply_adds: int) -> int:
        """How many rows of `n_features` make a block, when a row takes `multiply_adds` steps; a multiple of `tile`."""
        rows = int(BLOCK_SECONDS / (self.row_seconds + self.value_seconds * multiply_adds))
        rows = min(rows, MOST_ROWS, MOST_VALUES // n_features)
        return max(rows // self.tile, 1) * self.tile


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("reference", "reference", 0.0, row_seconds=5e-7, value_seconds=2e-7),
        Engine("numpy", "vectorized", 1e-12, row_seconds=3e-6, value_seconds=1e-9),
        Engine("strict", "strict", 0.0, row_seconds=2e-8, value_seconds=2e-9),
        Engine("fast", "fast", 1e-12, row_seconds=1e-8, value_seconds=2e-10),
    )
}


def resolve(name: str, kernel: str) -> Engine:
    """The engine that runs `kernel` when `name` is asked for: `strict` where `fast` is asked for and has none."""
    if not isinstance(name, str) or name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}: use one of {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if engine.module in ("strict", "fast") and not compiles():  # pragma: no cover - for compiled kernels alone
        if name == "strict":
            raise MissingCompilerError("the engine 'strict'")
        warn(
            "training with NumPy, which takes hundreds of times as long: neither compiled kernels nor Numba are "
            "installed (pip install numba)",
            RuntimeWarning,
        )
        return ENGINES["numpy"]
    return ENGINES["strict"] if name == "fast" and not engine.can(kernel) else engine


def compiles() -> bool:
    """Whether there are compiled kernels, or Numba to compile them, or kernels run as plain Python."""
    return UNCOMPILED or native.library() is not None or has_numba()
