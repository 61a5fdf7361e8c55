"""The engines: who does the arithmetic, each with its promise. `choose` has the rule when `strict` replaces `fast`.

A module with kernels is imported when its engine is first used.
"""

import math
from array import array as carray
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from tinynet_fast.errors import warn
from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, MissingCompilerError, has_numba

BLOCK_SECONDS = 0.02  # about how long a kernel runs before Ctrl-C, progress and callbacks have their turn
MOST_ROWS = 65_536
MOST_VALUES = 1 << 20  # 8 MB of float64: the memory that a block takes if it has to be copied
CHUNK = 1024  # rows that the NumPy network takes at a time
TILE = 256  # rows after which the fast engine leaves no look-ahead behind
# With log loss a step cannot overshoot while step * (|x|^2 + 1) is at most this: the sigmoid's slope is at most 1/4.
STABILITY_BOUND = 8.0
SOFTMAX_BOUND = 4.0  # of a softmax; `fast/softmax_neuron.py` says why
ONE = np.ones(1)  # the weight of all rows
LARGEST_SUM = 1e4  # larger sums lose more digits, in whatever order they are taken, than the promise of `fast` allows
LARGEST_SINGLE = 1e3  # the same for networks of float32


class EngineName(str):  # pragma: no cover - for compiled kernels alone
    """Which engine ran, and how its kernels were compiled: "fast/native", "fast/jit". It equals the engine's name, too.

    After a comma there may be more: "fast/jit, after strict for 256 rows".

    Texts that are equal must have the same hash, and it cannot have that of two. So it equals "fast" and hashes like
    "fast"; it does not equal the plain text "fast/native", which str(name) gives.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EngineName):
            return str(self) == str(other)
        return other == self._engine() if isinstance(other, str) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._engine())

    def _engine(self) -> str:
        return self.partition(",")[0].partition("/")[0]


class Engine:
    """One way to run the reference's loops: the protocol of all engines. `kernels` replaces the engine's own kernels.

    Attributes
    ----------
    promise : float
        The largest norm-wise relative difference from the reference that is allowed; 0.0 means bit for bit.
    single_promise : float
        The same for networks of float32.
    tile : int
        Rows per tile. Cutting an epoch at multiples of this changes no bit of the weights.
    is_portable : bool
        Whether the weights have the same bits on every machine. Nothing on the way to them may then depend on one.
    smooth_only : bool
        Whether the engine has no kernel for dense rows with l1, or with a loss that is not convex or has a kink.
    compiles_singles : bool
        Whether Numba has to compile the kernels of float32 networks, which are not in the library.
    row_seconds, value_seconds : float
        What a row costs, and each multiply-add in it, to within a factor of three on any machine. They decide how many
        rows make a block, and never the result.
    """

    name: ClassVar[str]
    module: ClassVar[str]  # of its kernels, in this folder
    promise: ClassVar[float] = 0.0
    single_promise: ClassVar[float] = 0.0
    tile: ClassVar[int] = 1
    is_portable: ClassVar[bool] = False
    smooth_only: ClassVar[bool] = False
    compiles_singles: ClassVar[bool] = False
    row_seconds: ClassVar[float]
    value_seconds: ClassVar[float]

    def __init__(self, kernels: ModuleType | None = None) -> None:
        if kernels is not None:
            self.kernels = kernels

    def __reduce__(self) -> Any:
        """Pickled by its name: in another process it is that process's engine."""
        return engine_named, (str(self.name),)

    @cached_property
    def kernels(self) -> Any:
        return import_module(f"tinynet_fast.kernels.{self.module}")

    def own(self, array: Any, dtype: Any = np.float64) -> Any:
        """`array` as this engine takes it: a writable C-contiguous array, copied only if it is not one already.

        It is `np.require` with "C" and "W", which takes 2 us.
        """
        array = np.asanyarray(array, dtype, "C")
        return array if array.flags.writeable else array.copy()

    def powers(self, x: Any, y: Any) -> np.ndarray:
        """x**y, each at least 0."""
        return np.asarray(x**y)

    def cosines(self, turns: np.ndarray, parts: float) -> np.ndarray:
        """cos(pi * turns / parts)."""
        return np.asarray(np.cos(np.pi * turns / parts))

    def rows(self, X: np.ndarray) -> Any:
        """A block of rows as this engine takes it."""
        return self.own(X)

    def sparse_rows(self, rows: Any) -> Any:
        """The arrays of rows stored as CSR as this engine takes them."""
        return rows.arrays

    def scratch(self, layers: np.ndarray, dtype: Any = np.float64) -> Any:
        """What the kernels call `units`: two numbers a unit, for one row. If they are float32, they are two arrays."""
        units = np.zeros((2, n_units(layers)))
        return self.own(units) if dtype == np.float64 else [self.singles(row) for row in units]

    def singles(self, array: np.ndarray) -> Any:
        """An array of float32 as this engine takes it, for the numbers that are rounded when they are written."""
        return np.array(array, np.float32)

    def network_state(self, arrays: Sequence[np.ndarray], dtype: Any = np.float64) -> Any:
        """The rows of a network's state as the kernels take them: a table. With float32 parameters it is a list."""
        if dtype == np.float64:
            return self.own(np.array(arrays))
        return [self.singles(arrays[at.PARAMETERS]), *(self.own(np.array(a)) for a in arrays[at.PARAMETERS + 1 :])]

    def network_kernels(self, dtype: Any = np.float64) -> Any:
        """The kernels of networks whose rows go through in this type."""
        return self.kernels

    @property
    def has_singles(self) -> bool:
        """Whether it can train networks of float32 here."""
        return not self.is_portable and (not self.compiles_singles or UNCOMPILED or has_numba())

    def block_rows(self, n_features: int, multiply_adds: int) -> int:
        """How many rows of `n_features` make a block, when a row takes `multiply_adds` steps; a multiple of `tile`."""
        rows = int(BLOCK_SECONDS / (self.row_seconds + self.value_seconds * multiply_adds))
        rows = min(rows, MOST_ROWS, MOST_VALUES // n_features)
        return max(rows // self.tile, 1) * self.tile

    def can(self, kernel: str) -> bool:
        """Whether the engine has a kernel of that name. `fast` has only those that it is faster at."""
        return hasattr(self.kernels, kernel)

    @property
    def sgd_sparse_epochs(self) -> Any:
        """The kernel that trains on rows stored as CSR."""
        return self.kernels.sgd_sparse_epochs

    def named(self, ways: set[str]) -> "EngineName | str":
        """The engine's name with how its kernels were compiled, as `jit.noting` has it."""
        return EngineName(f"{self.name}/{'jit' if 'jit' in ways else 'native'}") if ways else self.name


class Reference(Engine):
    """Plain Python: lists of numbers."""

    name, module = "reference", "reference"
    row_seconds, value_seconds = 5e-7, 2e-7

    def own(self, array: Any, dtype: Any = np.float64) -> Any:
        return np.asarray(array, dtype=dtype).tolist()

    def sparse_rows(self, rows: Any) -> Any:
        return rows.lists()

    def singles(self, array: np.ndarray) -> Any:
        return carray("f", np.asarray(array, np.float32).tobytes())


class Vectorized(Engine):
    """NumPy."""

    name, module, promise, single_promise, tile = "numpy", "vectorized", 1e-12, 1e-5, CHUNK
    row_seconds, value_seconds = 3e-6, 1e-9

    def scratch(self, layers: np.ndarray, dtype: Any = np.float64) -> Any:
        return np.zeros((2, CHUNK, n_units(layers)), dtype)


class Strict(Engine):
    """The reference, compiled."""

    name, module, compiles_singles = "strict", "strict", True
    row_seconds, value_seconds = 2e-8, 2e-9

    def network_kernels(self, dtype: Any = np.float64) -> Any:
        return self.kernels if dtype == np.float64 else import_module("tinynet_fast.kernels.strict_single")

    @property
    def sgd_sparse_epochs(self) -> Any:
        return import_module("tinynet_fast.kernels.fast.sparse").sgd_sparse_epochs_exact


class Portable(Engine):
    """The reference with elementary functions of its own: the same bits on every machine.

    If nothing can be compiled, it is plain Python, as slow as `reference`.
    """

    name, module, promise, is_portable = "portable", "portable", 1e-12, True
    row_seconds, value_seconds = Strict.row_seconds, Strict.value_seconds

    @cached_property
    def kernels(self) -> Any:
        found = super().kernels
        return found if compiles_portable() else found.plain

    @property
    def _is_plain(self) -> bool:
        return not isinstance(self.kernels, ModuleType)

    def own(self, array: Any, dtype: Any = np.float64) -> Any:
        return REFERENCE.own(array, dtype) if self._is_plain else super().own(array, dtype)

    def sparse_rows(self, rows: Any) -> Any:
        if self._is_plain:  # pragma: no cover - for compiled kernels alone
            return REFERENCE.sparse_rows(rows)
        data, indices, indptr, order = rows.arrays
        small = np.int32 if rows.n_features < 1 << 31 else np.int64  # the library has kernels for int32 alone
        return data.astype(np.float64, copy=False), indices.astype(small, copy=False), indptr, order

    def powers(self, x: Any, y: Any) -> np.ndarray:
        given = (np.array(each, dtype=np.float64) for each in np.broadcast_arrays(x, y))
        return self._filled(self.kernels.powers, *map(self.own, given))

    def cosines(self, turns: np.ndarray, parts: float) -> np.ndarray:
        return self._filled(self.kernels.cosines, self.own(turns / parts))

    @cached_property
    def many_neurons(self) -> Any:
        """The kernels of sweeps: those of `fast`, without a fused product and sum."""
        return import_module("tinynet_fast.kernels.portable").many_neurons(not (UNCOMPILED or has_numba()))

    def logits(self, X: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """(n,): a neuron's sum for each row."""
        return self._filled(self.kernels.logits, self.rows(X), self.own(weights), self.own(bias))

    def sparse_logits(self, rows: Any, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """(n,): a neuron's sum for each sparse row."""
        out = self.own(np.empty(len(rows)))
        self.kernels.sparse_logits(*self.sparse_rows(rows), self.own(weights), self.own(bias), out)
        return np.asarray(out)

    def network_logits(self, X: np.ndarray, layers: np.ndarray, params: np.ndarray) -> np.ndarray:
        """(n, outputs): the sums of a network's outputs for each row."""
        out = self.own(np.empty((len(X), layers[-1, at.OUTPUTS])))
        given = self.rows(X), self.own(layers, np.int64), self.own(params), self.scratch(layers)
        self.kernels.network_logits(*given, out)
        return np.asarray(out)

    def probabilities(self, sums: np.ndarray, activation: int) -> np.ndarray:
        """What a layer with that activation gives for its sums, (n, outputs)."""
        rows = self.own(sums.copy())
        self.kernels.probabilities(rows, activation)
        return np.asarray(rows)

    def _filled(self, kernel: Any, *given: Any) -> np.ndarray:
        out = self.own(np.empty(len(given[0])))
        kernel(*given, out)
        return np.asarray(out)


class Fast(Engine):
    """The same updates, summed in another order."""

    name, module, promise, single_promise, tile = "fast", "fast", 1e-12, 1e-5, TILE
    smooth_only = compiles_singles = True
    row_seconds, value_seconds = 1e-8, 2e-10

    def rows(self, X: np.ndarray) -> Any:
        """float32 is read as it is; a read-only array too. A value that is too large for a float64 is infinite."""
        if X.dtype.char in "df" and X.dtype.isnative and X.flags.c_contiguous:
            return X
        with np.errstate(over="ignore"):
            return self.own(X)

    def scratch(self, layers: np.ndarray, dtype: Any = np.float64) -> Any:
        return self.kernels.network_scratch(layers, dtype)

    def network_state(self, arrays: Sequence[np.ndarray], dtype: Any = np.float64) -> Any:
        """A table of float64. The scratch decides the type; parameters of float32 have no more digits than that."""
        state = super().network_state(arrays)
        if dtype != np.float64:
            state[at.PARAMETERS] = state[at.PARAMETERS].astype(dtype)
        return state

    def network_kernels(self, dtype: Any = np.float64) -> Any:
        return self.kernels if dtype == np.float64 else import_module("tinynet_fast.kernels.fast.network_single")

    def row_bound(self, X: Any, sample_weight: np.ndarray | None = None) -> float:
        """The largest sample weight * (|x|^2 + 1) of some rows; infinity if one is not finite. See `choose`."""
        weight = ONE if sample_weight is None else sample_weight
        if isinstance(X, np.ndarray):
            return float(self.kernels.row_bound(self.rows(X), weight))
        return float(self.kernels.sparse_row_bound(X.data, X.indptr, weight))


REFERENCE, NUMPY, STRICT, FAST, PORTABLE = Reference(), Vectorized(), Strict(), Fast(), Portable()
ENGINES: dict[str, Engine] = {engine.name: engine for engine in (REFERENCE, NUMPY, STRICT, FAST, PORTABLE)}


def engine_named(name: Any) -> Engine:
    """The engine of that name. If nothing can be compiled: NumPy for "fast", with a warning, and no "strict"."""
    if not isinstance(name, str) or name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}: use one of {', '.join(ENGINES)}")
    if ENGINES[name] in (STRICT, FAST) and not compiles():  # pragma: no cover - for compiled kernels alone
        if name == "strict":
            raise MissingCompilerError("the engine 'strict'")
        warn(
            "training with NumPy, which takes hundreds of times as long: neither compiled kernels nor Numba are "
            "installed (pip install numba)",
            RuntimeWarning,
        )
        return NUMPY
    if ENGINES[name] is PORTABLE and not compiles_portable():  # pragma: no cover - for compiled kernels alone
        warn(
            "engine='portable' runs as plain Python, to the same bits, which takes a thousand times as long: neither "
            "its compiled kernels nor Numba are installed (pip install numba)",
            RuntimeWarning,
        )
    return ENGINES[name]


def choose(asked: Engine, largest: float, limit: float, has_kernel: bool = True) -> Engine:
    """The engine for some rows: the one that was asked for, or `strict` if `fast` would not keep its promise on them.

    Parameters
    ----------
    asked : Engine
    largest : float
        The largest sample weight * (|x|^2 + 1) of the rows, as `row_bound` gives it.
    limit : float
        The largest that `fast` may be given, as `row_limit` gives it.
    has_kernel : bool
        Whether `fast` has a kernel for the update.
    """
    return STRICT if asked is FAST and not (has_kernel and largest <= limit and largest < math.inf) else asked


def row_limit(
    length: float, rate: float | None = None, bound: float = STABILITY_BOUND, largest: float = LARGEST_SUM
) -> float:
    """The largest sample weight * (|x|^2 + 1) of a row on which `fast` keeps its promise.

    Rounding shows, and only the reference's own order of sums gives its weights, if a step overshoots or if large sums
    cancel. (A sample weight scales what the rounding of a sum does to the weights, so it may scale the bound.)

    Parameters
    ----------
    length : float
        The length of the weights, bias included; of a layer's longest unit.
    rate : float, optional
        The largest learning rate. None for a network, for whose steps no bound is known.
    bound : float
        What step * (|x|^2 + 1) may be at most.
    largest : float
        The largest sum that keeps enough digits.
    """
    shortest = math.inf if length == 0.0 else largest / length
    limit = shortest * shortest
    return min(limit, bound / rate) if rate else limit


def n_units(layers: np.ndarray) -> int:
    """How many numbers go through a network for one row: its inputs and the outputs of all units."""
    return int(layers[0, at.INPUTS] + layers[:, at.OUTPUTS].sum())


def compiles_portable() -> bool:
    """`compiles`, for the kernels of `portable`."""
    return UNCOMPILED or has_numba() or native.only("portable.sgd_epochs") is not None


def compiles() -> bool:
    """Whether there are compiled kernels, or Numba to compile them, or kernels run as plain Python."""
    return UNCOMPILED or native.library() is not None or has_numba()
