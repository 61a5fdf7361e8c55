"""Trains the first rows of a neuron with `strict` and the others with `fast`, if its rate falls far enough.

While a step can overshoot, differences in rounding grow, and only `strict` has the reference's weights. A schedule that
falls may begin with such steps, but from some row on no step of any row can overshoot. From there on `fast` keeps its
promise, because it begins with the reference's weights.

How many rows `strict` trains follows from the rows, the schedule and the sizes of tiles alone, so that it is the same
however the rows are cut into files, blocks or checkpoints. It takes the longest row of all. To find it in a long file
would take one more pass, so rows that files do not keep in memory are left to `strict` in the first epoch, also where
they are arrays.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import FAST, STABILITY_BOUND, STRICT, Engine, EngineName, choose, row_limit
from tinynet_fast.rows.blocks import is_streamed
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.training.options import Options
from tinynet_fast.training.schedules import Schedule

MOST_ROWS = 2**53  # beyond it, a float does not hold all whole numbers
Block = tuple[Any, np.ndarray, np.ndarray | None]  # rows, labels and sample weights


def strict_first(options: Options, schedule: Schedule, bound: float = STABILITY_BOUND) -> "StrictFirst | None":
    """What changes the engine of this run; None if one engine trains all rows.

    The run has a kernel in `fast`, which was asked for, and `options.choose_engine` was called.
    """
    found = None if options.checkpoint is None else options.checkpoint.found
    rows = None if found is None else found.get("strict_rows")
    once = is_streamed(options.rows) and not options.rows.source.repeatable
    if schedule.is_constant or once or (options.engine is not STRICT and rows is None):
        return None
    return StrictFirst(options, schedule, rows, resumed=found is not None, bound=bound)


class StrictFirst:
    """Cuts a run's blocks at the row from which `fast` trains, and changes the engine there.

    Parameters
    ----------
    options : Options
    schedule : Schedule
        It falls, or stays as it is.
    strict_rows : int or None
        From the checkpoint: how many rows were trained with `strict`, if `fast` has trained some since then.
    resumed : bool
        Whether the run goes on from a checkpoint.
    bound : float
        What step * (|x|^2 + 1) may be at most.
    """

    def __init__(
        self, options: Options, schedule: Schedule, strict_rows: int | None, resumed: bool, bound: float
    ) -> None:
        self.options, self.schedule, self._rows, self.bound = options, schedule, strict_rows, bound
        if strict_rows is not None and options.streams:
            options.engine, options.limit = FAST, np.inf
            return
        largest = largest_row(options, anyhow=resumed)
        if largest is None:
            options.largest, options.limit = 0.0, 0.0  # rows are measured in the first epoch
            return
        options.largest = largest
        self._rows = self._find()
        if strict_rows == self._rows:  # else the checkpoint is refused, since it is of another engine
            options.engine = FAST

    @property
    def rows(self) -> int | None:
        """How many rows `strict` trains, over all epochs; None if not all rows were measured."""
        if self._rows is None and self.options.limit == np.inf:
            self._rows = self._find()
        return self._rows

    def _find(self) -> int:
        """The first row from which no step can overshoot, at the end of a tile or of an epoch."""
        options, n = self.options, len(self.options.rows)
        rows = bisect_left(range(min(options.epochs * n, MOST_ROWS)), True, key=lambda row: self._is_safe(row, 0.0))
        epoch, place = divmod(rows, n)
        rows = epoch * n + min(math.ceil(place / FAST.tile) * FAST.tile, n)
        return rows if _is_kept(n, options.rows.n_features) or not rows else max(rows, n)

    def _is_safe(self, row: int, length: float) -> bool:
        """Whether `fast` keeps its promise on the rows after the first `row`, from weights of this length."""
        return choose(FAST, self.options.largest, row_limit(length, self.schedule.rate(row), self.bound)) is FAST

    def cut(
        self, blocks: Generator[Block, None, None], neuron: Any, use: Callable[[Engine], None]
    ) -> Generator[Block, None, None]:
        """The blocks of an epoch, cut where `fast` takes over. `use` is called there, unless the weights are large.

        (Sums with large weights lose digits in `fast`, so such a run stays with `strict`.)
        """
        with closing(blocks):
            for X, y, weight in blocks:
                before = -1 if self.rows is None else self.rows - neuron.row
                if self.options.engine is FAST or not 0 <= before < len(y):
                    yield X, y, weight
                    continue
                if before:
                    yield X[:before], y[:before], None if weight is None else weight[:before]
                weights, bias = neuron.parameters()
                if self._is_safe(neuron.row, math.hypot(*np.ravel(weights), *np.ravel(bias))):
                    use(FAST)
                yield X[before:], y[before:], None if weight is None else weight[before:]

    @property
    def strict_rows(self) -> int | None:
        """For the checkpoint: how many rows `strict` has trained, once `fast` trains; else None."""
        return self.rows if self.options.engine is FAST else None

    def named(self, name: str) -> EngineName | str:
        """An engine's name, and for how many rows `strict` trained before it."""
        rows = self.strict_rows
        return name if rows is None else EngineName(f"{name}, after strict for {rows:,} rows")


def largest_row(options: Options, anyhow: bool) -> float | None:
    """The largest sample weight * (|x|^2 + 1) of a row.

    If it is not known, it takes a pass over the rows, which keeps those of files in memory if they fit. If they do not
    fit, it is None unless `anyhow`.
    """
    rows, count, largest = options.rows, 0, 0.0
    d = rows.n_features
    if is_streamed(rows):
        if not anyhow and not _is_kept(rows.count or 0, d):
            return None
        rows.keep_if_they_fit()
    elif not isinstance(options.in_memory.X, CSR):
        return options.largest
    with closing(rows.blocks(FAST.block_rows(d, d), None, 1)) as blocks:
        for X, _, weight in blocks:
            count += len(X)
            if is_streamed(rows) and not anyhow and not _is_kept(count, d):
                return None
            largest = max(largest, row_bound(X, weight))
    return largest


def row_bound(X: Any, sample_weight: np.ndarray | None = None) -> float:
    """The largest sample weight * (|x|^2 + 1) of the rows of a block."""
    if not isinstance(X, CSR):
        return FAST.row_bound(X, sample_weight)
    bounds = X.square_norms() + 1.0  # of these rows alone: `FAST.row_bound` takes all that are stored
    return float((bounds if sample_weight is None else bounds * sample_weight).max())


def _is_kept(n_rows: int, n_features: int) -> bool:
    from tinynet_fast.rows.kept import fits  # 20 ms, which other runs in memory do not need

    return fits(n_rows, n_features)
