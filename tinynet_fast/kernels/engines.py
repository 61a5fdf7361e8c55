"""The engines by name, each with its promise. A module with kernels is imported when its engine is first used."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

BLOCK_SECONDS = 0.02  # about how long a kernel runs before Ctrl-C, progress and callbacks have their turn
MOST_ROWS = 65_536
MOST_VALUES = 1 << 20  # 8 MB of float64: where a block has to be copied, that is the memory it takes
CHUNK = 1024  # rows that the NumPy network takes at a time


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
        return self.own(X)

    def scratch(self, units: int) -> Any:
        """Room for a number a unit: of one row, or of a chunk of rows for the NumPy engine."""
        return self.own(np.zeros((CHUNK, units) if self.module == "vectorized" else units))

    def block_rows(self, n_features: int, multiply_adds: int) -> int:
        """How many rows of `n_features` make a block, when a row takes `multiply_adds` steps; in whole chunks where
        there is room for one."""
        rows = int(BLOCK_SECONDS / (self.row_seconds + self.value_seconds * multiply_adds))
        rows = min(rows, MOST_ROWS, MOST_VALUES // n_features)
        return max(rows // CHUNK * CHUNK or rows, 1)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("reference", "reference", 0.0, row_seconds=5e-7, value_seconds=2e-7),
        Engine("numpy", "vectorized", 1e-12, row_seconds=3e-6, value_seconds=1e-9),
        Engine("strict", "strict", 0.0, row_seconds=2e-8, value_seconds=2e-9),
    )
}
NAMES = ("fast", *ENGINES)


def resolve(name: str) -> Engine:
    """The engine that runs when `name` is asked for: `fast` is `strict` wherever nothing faster keeps its promise."""
    if name not in NAMES:
        raise ValueError(f"there is no engine {name!r}: use one of {', '.join(NAMES)}")
    return ENGINES["strict" if name == "fast" else name]
