"""Several classes that share each pass over the rows, on the kernels of `kernels/fast/one_vs_rest.py`."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import has_numba
from tinynet_fast.kernels.engines import ENGINES, FAST, Engine, choose, row_limit
from tinynet_fast.kernels.fast import row_order
from tinynet_fast.sklearn.sgd_training import GATHERED, OneClass
from tinynet_fast.training.loop import finish, run_epochs, visit


def can_share(classes: list[Any]) -> bool:
    """Whether the classes can be trained in one pass: dense rows that are not shuffled, and no l1.

    Shuffled rows have another order for each class, as in scikit-learn. If all classes had the same order, the last
    rows would push all of them at once: log loss on other rows was up to 7% higher (200 seeds), but the same if weights
    were averaged. Numba compiles the kernels that share a pass.
    """
    if len(classes) < 2 or not has_numba() or any(type(each) is not OneClass for each in classes):
        return False
    options = classes[0].options
    return options.penalties.l1 == 0.0 and not options.shuffle


class _Group:
    """The classes that one call of the kernel trains, with their numbers in the kernel's layout."""

    def __init__(self, classes: list[OneClass]) -> None:
        from tinynet_fast.kernels.fast import one_vs_rest  # needs Numba

        self.classes, self.kernel, options = classes, one_vs_rest, classes[0].options
        self.averaged, self.watched = bool(options.penalties.average_from), options.watches_objective
        self.d = len(classes[0].arrays.weights)
        m = -(-len(classes) // one_vs_rest.WIDTH) * one_vs_rest.WIDTH
        self.options = one_vs_rest.aligned(one_vs_rest.N_OPTIONS, m)
        self.sums = one_vs_rest.aligned(one_vs_rest.N_SUMS, m)
        self.values = one_vs_rest.aligned((self.d + 1) * (1 + self.averaged), m)
        self.options[one_vs_rest.CODE], self.used = one_vs_rest.NO_CLASS, slice(len(classes))
        columns = zip(*((each.positive, *each.weights) for each in classes), strict=True)
        named = [one_vs_rest.CODE, one_vs_rest.POSITIVE, one_vs_rest.NEGATIVE]
        self.options[named, self.used] = list(columns)
        self.options[one_vs_rest.L2], self.options[one_vs_rest.BIAS] = options.penalties.l2, options.bias_scale
        self.heaviest = 0.0
        self.load()

    def load(self) -> None:
        """Copy each class's weights into the kernel's layout."""
        for column, each in enumerate(self.classes):
            self.values[: self.d, column], self.values[self.d, column] = each.arrays.weights, each.arrays.bias[0]
            if self.averaged:
                self.values[self.d + 1 :, column] = each.arrays.means

    def begin(self) -> None:
        """Begin an epoch, with the rates that the classes have now."""
        constant = self.classes[0].options.schedule.is_constant
        rates = [each.rate if constant else 1.0 for each in self.classes]
        self.options[self.kernel.RATE, self.used] = rates
        self.heaviest = max(each.heaviest * rate for each, rate in zip(self.classes, rates, strict=True))
        self.kernel.clear(self.sums)

    def store(self) -> np.ndarray:
        """Copy the weights back to each class. Returns the summed objective of each."""
        d = self.d
        for column, each in enumerate(self.classes):
            each.arrays.weights[:], each.arrays.bias[0] = self.values[:d, column], self.values[d, column]
            if self.averaged:
                each.arrays.means[:] = self.values[d + 1 :, column]
        with np.errstate(all="ignore"):
            return self.kernel.objectives(self.sums)[self.used]

    def engine_now(self, largest: float, rate: float) -> Engine:
        """As `OneClass.engine_now`, for the class with the longest weights."""
        now = self.values[: self.d + 1]
        limit = row_limit(math.sqrt(float(np.einsum("ij,ij->j", now, now).max())), self.heaviest * rate)
        first = self.classes[0]
        engine = choose(ENGINES[first.options.engine], largest, limit, first.has_fast_kernel)
        for each in self.classes:
            each.engines.add(engine.name)
        return engine

    def train(self, X: np.ndarray, codes: np.ndarray, row_numbers: np.ndarray, engine: Engine) -> None:
        arrays = self.options, self.values, self.sums
        self.kernel.train(X, codes, row_numbers, *arrays, self.averaged, self.watched, engine is FAST)


class SharedPass:
    """The classes of one table, each against the rest; it runs as a `OneClass` does."""

    def __init__(self, classes: list[OneClass]) -> None:
        from tinynet_fast.kernels.fast import one_vs_rest  # needs Numba

        table = classes[0].table

        self.table, self.classes, self.going = table, classes, classes
        self.width = one_vs_rest.WIDTH * one_vs_rest.MOST
        self.first, self.options, self.row, self.epochs = classes[0], classes[0].options, classes[0].row, 0
        self.groups: list[_Group] = []
        self.codes = table.codes.astype(np.float64)
        self.squares = table.squares if len(table.squares) else None
        n, d = table.X.shape
        self.block_rows = FAST.block_rows(d, 2 * d * len(classes))
        if self.first.held is not None:
            self.block_rows = max(min(self.block_rows, GATHERED // d), FAST.tile)
            self.block_rows -= self.block_rows % FAST.tile
        size = min(self.block_rows, n)
        self.row_numbers = np.zeros((size, 4))
        self.row_numbers[:, one_vs_rest.ROW_RATE] = self.row_numbers[:, one_vs_rest.WEIGHT] = 1.0
        self.columns = one_vs_rest.SQUARE, one_vs_rest.WEIGHT, one_vs_rest.SHARE
        self.gathered: tuple[np.ndarray, np.ndarray] | None = None

    def loop(self) -> Iterator[tuple[int, bool]]:
        """The loop over epochs, until all classes have stopped."""
        return run_epochs(self._pass, self.options.max_iter, [self._stop])

    def run(self) -> int:
        """Train until all classes have stopped. Returns the number of epochs."""
        return finish(self.loop())

    def settle(self) -> None:
        """As for a `OneClass`: there is nothing to do."""

    def _pass(self, done: int) -> int:
        if sum(len(group.classes) for group in self.groups) != len(self.going):
            starts = range(0, len(self.going), self.width)
            self.groups = [_Group(self.going[start : start + self.width]) for start in starts]
        for group in self.groups:
            group.begin()
        count, blocks = self.first.blocks(self.block_rows)
        visit(blocks, self._train)
        self.objectives = np.concatenate([group.store() for group in self.groups]) / count
        self.epochs = done + 1
        if not all(np.isfinite(group.values).all() for group in self.groups):
            for each in self.going:
                each.check_finite(self.epochs)
        return 1

    def _stop(self, done: int, last: bool) -> bool:
        going = []
        for each, value in zip(self.going, self.objectives, strict=True):
            each.epochs = self.epochs
            if not each.stops(float(value)):
                going.append(each)
        self.going = going
        return not going

    def _train(self, rows: Any, n: int) -> None:
        table, row_numbers = self.table, self._row_numbers(rows, n)
        self.row += n
        if isinstance(rows, slice):
            X, codes = table.X[rows], self.codes[rows]
        else:
            if self.gathered is None:
                size = len(self.row_numbers)
                self.gathered = np.empty((size, table.X.shape[1]), table.X.dtype), np.empty(size)
            X, codes = self.gathered[0][:n], self.gathered[1][:n]
            row_order.gather(table.X, self.codes, rows, X, codes)
        rate = float(row_numbers[0, 0])  # the largest, because no schedule goes up
        for group in self.groups:
            group.train(X, codes, row_numbers, group.engine_now(table.largest, rate))

    def _row_numbers(self, rows: Any, n: int) -> np.ndarray:
        """The numbers of the next rows that all classes share: rate, sample weight, square and share."""
        options, made, (square, weight, share) = self.options, self.row_numbers[:n], self.columns
        if not options.schedule.is_constant:
            self.first.fill(made, np.empty(0), self.row)
            made[:, weight] = 1.0
        elif options.penalties.average_from:
            made[:, share] = options.penalties.shares(self.row, n)
        if self.table.sample_weight is not None:
            made[:, weight] = self.table.sample_weight[rows]
        if self.squares is not None:
            made[:, square] = self.squares[rows]
        return made
