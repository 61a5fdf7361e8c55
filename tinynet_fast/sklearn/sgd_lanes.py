"""Several classes that share each pass over the rows, on the kernels of `kernels/classes.py`."""

import math
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import has_numba
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.fast import row_order
from tinynet_fast.sklearn.sgd_training import GATHERED, Fit, Table
from tinynet_fast.training.run import LARGEST_SUM
from tinynet_fast.training.schedules import STABILITY_BOUND


def can_share(table: Any, fits: list[Fit]) -> bool:
    """Whether the classes can be trained in one pass: dense rows, no l1, and an order of the rows that they may share.

    Each class has its own order in scikit-learn, and so with "strict". Numba compiles the kernels that share a pass.
    """
    rule = fits[0].rule
    shares_order = rule.engine == "fast" or not rule.shuffle
    return len(fits) > 1 and has_numba() and isinstance(table, Table) and rule.penalties.l1 == 0.0 and shares_order


class _Registers:
    """Classes that a call of the kernel takes, while they are in its layout."""

    def __init__(self, fits: list[Fit]) -> None:
        from tinynet_fast.kernels.fast import one_vs_rest

        self.fits, self.kernel, rule = fits, one_vs_rest, fits[0].rule
        self.averaged, self.watched = bool(rule.penalties.average_from), rule.watches_objective
        self.d = len(fits[0].state.weights)
        m = -(-len(fits) // one_vs_rest.WIDTH) * one_vs_rest.WIDTH
        self.options, self.sums = (
            one_vs_rest.aligned(one_vs_rest.N_OPTIONS, m),
            one_vs_rest.aligned(one_vs_rest.N_SUMS, m),
        )
        self.values = one_vs_rest.aligned((self.d + 1) * (1 + self.averaged), m)
        self.options[one_vs_rest.CODE], self.used = one_vs_rest.NO_CLASS, slice(len(fits))
        columns = zip(*((fit.positive, *fit.weights) for fit in fits), strict=True)
        self.options[[one_vs_rest.CODE, one_vs_rest.POSITIVE, one_vs_rest.NEGATIVE], self.used] = list(columns)
        self.options[one_vs_rest.L2], self.options[one_vs_rest.BIAS] = rule.penalties.l2, rule.bias_scale
        self.heaviest = 0.0
        self.load()

    def load(self) -> None:
        """The state of each class as it is."""
        d = self.d
        for lane, fit in enumerate(self.fits):
            self.values[:d, lane], self.values[d, lane] = fit.state.weights, fit.state.bias[0]
            if self.averaged:
                self.values[d + 1 :, lane] = fit.state.means

    def begin(self) -> None:
        """An epoch begins, with the rates that the classes have now."""
        constant = self.fits[0].rule.schedule.is_constant
        rates = [fit.rate if constant else 1.0 for fit in self.fits]
        self.options[self.kernel.RATE, self.used] = rates
        self.heaviest = max(fit.heaviest * rate for fit, rate in zip(self.fits, rates, strict=True))
        self.kernel.clear(self.sums)

    def store(self) -> np.ndarray:
        """Gives each class its state back, and all their summed objectives."""
        d = self.d
        for lane, fit in enumerate(self.fits):
            fit.state.weights[:], fit.state.bias[0] = self.values[:d, lane], self.values[d, lane]
            if self.averaged:
                fit.state.means[:] = self.values[d + 1 :, lane]
        with np.errstate(all="ignore"):
            return self.kernel.objectives(self.sums)[self.used]

    def longest(self) -> float:
        """The length of the longest weights, bias included."""
        now = self.values[: self.d + 1]
        return math.sqrt(float(np.einsum("ij,ij->j", now, now).max()))

    def train(self, X: np.ndarray, codes: np.ndarray, plan: np.ndarray, fast: bool) -> None:
        arrays = self.options, self.values, self.sums
        self.kernel.train(X, codes, plan, *arrays, self.averaged, self.watched, fast)


class Together:
    """The classes of one table, each against the rest; runs as a `Fit` does.

    Where rows are shuffled all classes see them in the first one's order.
    """

    def __init__(self, table: Table, fits: list[Fit]) -> None:
        from tinynet_fast.kernels.fast import one_vs_rest

        self.table, self.fits, self.going, self.width = table, fits, fits, one_vs_rest.WIDTH * one_vs_rest.MOST
        self.first, self.rule, self.row, self.epochs = fits[0], fits[0].rule, fits[0].row, 0
        self.groups: list[_Registers] = []
        self.codes = table.codes.astype(np.float64)
        self.squares = table.squares if len(table.squares) else None
        n, d = table.X.shape
        self.shuffled = self.rule.shuffle or self.first.held is not None
        self.block_rows = ENGINES["fast"].block_rows(d, 2 * d * len(fits))
        if self.shuffled:
            self.block_rows = max(min(self.block_rows, GATHERED // d), ENGINES["fast"].tile)
            self.block_rows -= self.block_rows % ENGINES["fast"].tile
        size = min(self.block_rows, n)
        self.plan = np.zeros((size, 4))
        self.plan[:, one_vs_rest.ROW_RATE] = self.plan[:, one_vs_rest.WEIGHT] = 1.0
        self.columns = one_vs_rest.SQUARE, one_vs_rest.WEIGHT, one_vs_rest.SHARE
        self.gathered: tuple[np.ndarray, np.ndarray] | None = None

    def run(self) -> int:
        """Epochs until all classes have stopped; gives their number back."""
        while self.epoch():
            pass
        self.settle()
        return self.epochs

    def epoch(self) -> bool:
        """One pass over the rows for the classes that go on; whether there is to be another."""
        first, n = self.first, len(self.table.X)
        self.epochs += 1
        index = None
        if self.shuffled:
            if self.rule.shuffle:
                row_order.shuffle(first.places, first.seed)
            index = first.places if first.held is None else first.places[~first.held[first.places]]
        if sum(len(group.fits) for group in self.groups) != len(self.going):
            starts = range(0, len(self.going), self.width)
            self.groups = [_Registers(self.going[start : start + self.width]) for start in starts]
        for group in self.groups:
            group.begin()
        count = n if index is None else len(index)
        for start in range(0, count, self.block_rows):
            part = slice(start, min(start + self.block_rows, count))
            self._block(part if index is None else index[part], part.stop - part.start)
        objectives = np.concatenate([group.store() for group in self.groups]) / count
        if not all(np.isfinite(group.values).all() for group in self.groups):
            for fit in self.going:
                fit.check_finite(self.epochs)
        more = []
        for fit, value in zip(self.going, objectives, strict=True):
            fit.epochs = self.epochs
            more.append(fit.goes_on(float(value)))
        self.going = [fit for fit, goes_on in zip(self.going, more, strict=True) if goes_on]
        return len(self.going) > 0

    def settle(self) -> None:
        """As for a `Fit`: there is nothing to do."""

    def _block(self, rows: Any, n: int) -> None:
        table, plan = self.table, self._plan(rows, n)
        self.row += n
        if isinstance(rows, slice):
            X, codes = table.X[rows], self.codes[rows]
        else:
            if self.gathered is None:
                self.gathered = np.empty((len(self.plan), table.X.shape[1]), table.X.dtype), np.empty(len(self.plan))
            X, codes = self.gathered[0][:n], self.gathered[1][:n]
            row_order.gather(table.X, self.codes, rows, X, codes)
        rate = float(plan[0, 0])  # the largest: no schedule goes up
        for group in self.groups:
            fast = self._is_fast(group, rate)
            for fit in group.fits:
                fit.engines.add("fast" if fast else "strict")
            group.train(X, codes, plan, fast)

    def _is_fast(self, group: _Registers, rate: float) -> bool:
        """As `Fit` decides it, for the class that is farthest out."""
        if not (self.first.can_be_fast and self.table.largest * group.heaviest * rate <= STABILITY_BOUND):
            return False
        return math.sqrt(self.table.largest) * group.longest() <= LARGEST_SUM

    def _plan(self, rows: Any, n: int) -> np.ndarray:
        """What all classes share of the next rows."""
        rule, plan, (square, weight, share) = self.rule, self.plan[:n], self.columns
        if not rule.schedule.is_constant:
            self.first.fill(plan, np.empty(0), self.row)
            plan[:, weight] = 1.0
        elif rule.penalties.average_from:
            plan[:, share] = rule.penalties.shares(self.row, n)
        if self.table.sample_weight is not None:
            plan[:, weight] = self.table.sample_weight[rows]
        if self.squares is not None:
            plan[:, square] = self.squares[rows]
        return plan
