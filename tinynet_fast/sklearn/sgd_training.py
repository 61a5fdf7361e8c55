"""Trains one class against the rest as scikit-learn's SGD does: with its schedules, order of rows and early stopping.

The kernels are the package's own. The estimator is in `sgd.py`, and all its classes together are in `sgd_classes.py`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tinynet_fast.kernels.engines import ENGINES, FAST, Engine, choose, row_limit
from tinynet_fast.kernels.exact import SMALLEST_ADAPTIVE_RATE
from tinynet_fast.kernels.fast import objective, row_order
from tinynet_fast.rows.blocks import slices
from tinynet_fast.sklearn.sgd_options import SGDOptions
from tinynet_fast.training.loop import Tolerance, finish, run_epochs, visit

if TYPE_CHECKING:
    from tinynet_fast.training.block_segments import BlockSegments

GATHERED = 1 << 17  # the values in a block if rows are gathered or schedule rows are made: 1 MB


class EpochsAhead(Protocol):
    """What trains several epochs of one class at once."""

    def next(self, done: int) -> int:
        """Train the next epochs. Returns how many; 0 if they have to be trained in turn."""


class DenseTable:
    """The rows, and what all classes need to know about them, found in one pass."""

    def __init__(self, X: np.ndarray, codes: np.ndarray, sample_weight: np.ndarray | None, options: SGDOptions) -> None:
        self.X, self.codes, self.sample_weight = X, codes, sample_weight
        penalties = options.penalties
        needs_squares = options.watches_objective and penalties.l2 > 0.0 and penalties.l1 == 0.0
        self.squares, self.largest = np.empty(0), np.inf
        if needs_squares:
            self.squares = np.empty(len(X))
            self.largest = float(objective.rows_compiled(X.dtype.char)(X, self.squares))
        elif options.engine == "fast":
            self.largest = FAST.row_bound(X)


@dataclass
class ClassArrays:
    """One neuron: views into the estimator's arrays, changed in place."""

    weights: np.ndarray  # (d,)
    bias: np.ndarray  # (1,)
    means: np.ndarray  # (d + 1,): the mean weights and bias so far, if they are averaged
    paid: np.ndarray  # (d + 1,): the l1 penalty that each weight has paid, and last the penalty due so far


@dataclass
class OneClass:
    """One class against the rest."""

    table: DenseTable
    options: SGDOptions
    arrays: ClassArrays
    positive: int  # the code of the class
    weights: tuple[float, float]  # how much a row of the class counts, and any other row
    row: int  # rows that were trained on before, over all epochs
    seed: int
    held: np.ndarray | None = None  # (n,) bool: rows held out
    score: Callable[[np.ndarray, float], float] | None = None  # of the rows held out
    engines: set[str] = field(default_factory=set)  # the engines that ran
    gathered: tuple[np.ndarray, np.ndarray] | None = None  # memory for a block of rows and labels
    rates: np.ndarray | None = None  # of a block's rows, if they are constant
    in_segments: "BlockSegments | None" = None  # trains blocks of `longest_block` rows side by side
    longest_block: int = 0
    ahead: EpochsAhead | None = None  # trains epochs after the first one side by side
    # |w|^2 and sum |w| for the objective of the first row, if epochs ran before; see `ExactFirst`
    norms: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        options = self.options
        self.rate, self.losses, self.epochs, self.total = options.eta0, np.zeros(1), 0, 0.0
        self.tolerance = Tolerance(options.tol, options.n_iter_no_change)
        given = 1.0 if self.table.sample_weight is None else float(np.abs(self.table.sample_weight).max())
        self.heaviest = given * max(map(abs, self.weights))
        self.weighted = self.table.sample_weight is not None or self.weights != (1.0, 1.0)
        self.has_fast_kernel = options.penalties.smooth and options.bias_scale == 1.0
        # Whether a row needs no more than a step.
        self.plain = options.penalties.none and options.bias_scale == 1.0 and not options.watches_objective

    @cached_property
    def labels(self) -> np.ndarray:
        """(n,) uint8: 1 for a row of the class."""
        return np.asarray(self.table.codes == self.positive).view(np.uint8)

    @cached_property
    def places(self) -> Any:
        """(n,): the order of the rows, or None for the order that they have."""
        shuffled = self.options.shuffle or self.held is not None
        return np.arange(self.table.X.shape[0]) if shuffled else None

    def prepare(self) -> None:
        """Allocate the arrays for blocks, if the class is trained separately."""
        self._prepare()
        self.rates = np.empty(min(self.block_rows, self.table.X.shape[0]))
        self._set_rate(self.rate)
        self.schedule_rows = np.empty_like(self.constant_rows)

    def _prepare(self) -> None:
        """Decide how many rows make a block, and allocate arrays for their results."""
        options, (n, d) = self.options, self.table.X.shape
        engine = ENGINES[options.engine]
        self.block_rows = engine.block_rows(d, 2 * d)
        if options.shuffle or self.held is not None or not options.schedule.is_constant:
            self.block_rows = min(self.block_rows, max(GATHERED // d // engine.tile, 1) * engine.tile)
        size = min(self.block_rows, n)
        if options.watches_objective:
            l2, l1 = options.penalties.l2, options.penalties.l1
            square, size_of_weights = self.first_norms()
            self.penalty = np.array([l2, l1])
            self.carried = np.array([0.5 * l2 * square + l1 * size_of_weights])
            self.logits, self.scratch = np.empty(size), np.empty(objective.TILE)
            self.row_penalties = np.empty(size if l1 > 0.0 else 0)

    def first_norms(self) -> tuple[float, float]:
        """|w|^2 and sum |w|, as scikit-learn has them before the first row."""
        w = self.arrays.weights
        return self.norms or (float(w @ w), float(np.abs(w).sum()))

    def loop(self) -> Iterator[tuple[int, bool]]:
        """The loop over the epochs of this class."""
        return run_epochs(self._pass, self.options.max_iter, [lambda done, last: self.stops(self.total)])

    def run(self) -> int:
        """Train until the end. Returns the number of epochs."""
        finish(self.loop())
        self.settle()
        return self.epochs

    def _pass(self, done: int) -> int:
        """Visit the rows once; their mean objective goes into `total`. Returns the epochs: several if side by side."""
        if done == 0:
            self.prepare()
        elif self.ahead is not None and (together := self.ahead.next(done)):
            self.epochs += together
            self.check_finite(self.epochs)
            return together
        self.total = 0.0
        count, blocks = self.blocks(self.longest_block or self.block_rows)
        visit(blocks, self._train)
        self.total /= count
        self.epochs += 1
        self.check_finite(self.epochs)
        return 1

    def blocks(self, size: int) -> tuple[int, Iterator[tuple[Any, int]]]:
        """The number of rows of an epoch, and its blocks: (a slice or the numbers of the rows, how many)."""
        if self.options.shuffle:
            row_order.shuffle(self.places, self.seed)
        index = self.places if self.held is None or self.places is None else self.places[~self.held[self.places]]
        count = self.table.X.shape[0] if index is None else len(index)
        parts = slices(count, size)
        return count, ((part if index is None else index[part], part.stop - part.start) for part in parts)

    def stops(self, value: float) -> bool:
        """Whether to stop after an epoch with this mean objective. "adaptive" takes a smaller rate instead."""
        options = self.options
        if self.score is not None:
            value = self.score(self._weights(), float(self.arrays.bias[0]))
        if options.verbose > 0:
            what = "objective" if self.score is None else "validation score"
            print(f"-- Epoch {self.epochs}: norm {np.linalg.norm(self._weights()):.4f}, {what} {value:.6f}")
        if self.tolerance.stops(value if self.score is None else -value):
            if not (options.adaptive and self.rate > SMALLEST_ADAPTIVE_RATE):
                return True
            self._set_rate(self.rate / 5.0)
            self.tolerance.waited = 0
        return False

    def parameters(self, averaged: bool) -> np.ndarray:
        """(d + 1,): weights and bias as they are now, or their means; a copy."""
        return self.arrays.means.copy() if averaged else np.append(self.arrays.weights, self.arrays.bias)

    def settle(self) -> None:
        """Bring the arrays into their final form, after the last epoch."""

    def _weights(self) -> np.ndarray:
        """The weights as they are now."""
        return self.arrays.weights

    def _set_rate(self, rate: float) -> None:
        self.rate = rate
        if self.rates is not None:
            self.rates[:] = rate
            needed = self.rates[: 0 if self.plain else None]
            self.constant_rows = self.options.penalties.schedule_rows(needed, None, 0)

    def _train(self, rows: Any, n: int) -> None:
        """Train on some rows, once. If the objective is needed, add their sum of it to `total`."""
        options, table, arrays = self.options, self.table, self.arrays
        engine = self.engine_now()
        X, y = self._rows(rows, n)
        X = engine.rows(X)
        weight = self.row_weights(rows, y) if self.weighted else None
        penalties, watched = options.penalties, options.watches_objective
        if self.plain:
            self._train_plain(engine, X, y, weight)
            self.row += n
            return
        schedule_rows = self._schedule_rows(n, weight)
        self.row += n
        if watched:
            squares = table.squares[rows] if len(table.squares) else table.squares
            self.total += self._train_watched(engine, X, y, schedule_rows, squares)
        else:
            changed = arrays.weights, arrays.bias, arrays.means, arrays.paid, self.losses
            engine.kernels.sgd_regularized_epochs(X, y, schedule_rows, penalties.rule(options.bias_scale), *changed)

    def _train_plain(self, engine: Engine, X: Any, y: np.ndarray, weight: np.ndarray | None) -> None:
        """Train on rows of which each needs no more than its step: side by side as far as that pays, then in turn."""
        schedule, arrays, n, done = self.options.schedule, self.arrays, len(y), 0
        assert self.rates is not None
        step, size, last = self.rates, len(self.rates), self.rate  # of all rows, if they have the same
        same = schedule.is_constant and weight is None
        if not same:
            rates = np.full(n, self.rate) if schedule.is_constant else schedule.rates(self.row, n)
            step, size, last = rates if weight is None else rates * weight, n, float(rates[-1])
        if self.in_segments is not None and engine is FAST:
            step_or_steps = step[:1] if same else step
            done = self.in_segments.train(X, y, step_or_steps, last, arrays.weights, arrays.bias, self.losses)
        for begin in range(done, n, size):
            part = slice(begin, min(begin + size, n))
            steps = step[: part.stop - begin] if same else step[part]
            engine.kernels.sgd_epochs(X[part], y[part], steps, arrays.weights, arrays.bias, self.losses)

    def _rows(self, rows: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows and labels of a block.

        A slice is a view. Other rows are gathered into memory that is used again and again, which was five times as
        fast as new memory.
        """
        X = self.table.X
        if isinstance(rows, slice):
            return X[rows], self.labels[rows].astype(np.float64)
        if self.gathered is None:
            size = min(self.block_rows, len(X))
            self.gathered = np.empty((size, X.shape[1]), X.dtype), np.empty(size)
        X_out, y_out = self.gathered[0][:n], self.gathered[1][:n]
        row_order.gather(X, self.labels, rows, X_out, y_out)
        return X_out, y_out

    def _train_watched(
        self, engine: Engine, X: Any, y: np.ndarray, schedule_rows: np.ndarray, squares: np.ndarray
    ) -> float:
        """Train on a block of rows. Returns their summed objective."""
        options, arrays, n = self.options, self.arrays, len(y)
        changed, logits = (arrays.weights, arrays.bias, arrays.means, arrays.paid), self.logits[:n]
        start = arrays.weights.copy(), arrays.bias.copy()
        if engine is FAST:
            rule = options.penalties.rule()
            engine.kernels.sgd_regularized_epochs(X, y, schedule_rows, rule, *changed, self.losses, logits)
        else:
            penalties = self.row_penalties[:n]
            objective.sgd_logits_epoch(
                X, y, schedule_rows, options.bias_scale, *changed, logits, self.penalty, self.carried, penalties
            )
        l2 = options.penalties.l2 if options.penalties.l1 == 0.0 else 0.0
        entropy = objective.objective(logits, y, schedule_rows, squares, l2, options.bias_scale, *start, self.scratch)
        return float(entropy) + float(self.row_penalties[:n].sum())

    def choose_engine(self) -> Engine:
        """The engine for the next block. It may change, because rates fall and weights grow."""
        length = math.hypot(float(np.linalg.norm(self._weights())), float(self.arrays.bias[0]))
        limit = row_limit(length, self._first_rate() * self.heaviest)
        return choose(ENGINES[self.options.engine], self.table.largest, limit, self.has_fast_kernel)

    def engine_now(self) -> Engine:
        """Return what `choose_engine` returns, and note it as an engine that ran."""
        engine = self.choose_engine()
        self.engines.add(engine.name)
        return engine

    def row_weights(self, rows: Any, y: np.ndarray) -> np.ndarray:
        weight = np.where(y > 0.0, *self.weights)
        return weight if self.table.sample_weight is None else weight * self.table.sample_weight[rows]

    def _first_rate(self) -> float:
        """The rate of the next row. It is the largest of the block, because no schedule goes up."""
        schedule = self.options.schedule
        return self.rate if schedule.is_constant else schedule.rate(self.row)

    def _schedule_rows(self, n: int, weight: np.ndarray | None) -> np.ndarray:
        """The schedule rows of the next `n` rows. Constant ones are kept."""
        penalties, schedule = self.options.penalties, self.options.schedule
        if weight is not None or not schedule.is_constant:
            made = self.schedule_rows[:n]
            self.fill(made, np.empty(0) if weight is None else weight, self.row)
            return made
        made = self.constant_rows[:n]
        if penalties.average_from:
            made[:, 3] = penalties.shares(self.row, n)
        return made

    def fill(self, schedule_rows: np.ndarray, weight: np.ndarray, row: int) -> None:
        """Fill in the schedule rows after the first `row` rows; `weight` has their sample weights, or is empty."""
        penalties, schedule = self.options.penalties, self.options.schedule
        alpha = schedule.penalty
        offset = alpha**-0.75 if schedule.name == "optimal" else 0.0
        kind = {"invscaling": row_order.INVSCALING, "optimal": row_order.OPTIMAL}
        code = kind.get(schedule.name, row_order.CONSTANT)
        how = penalties.l2, penalties.l1, penalties.average_from, schedule_rows
        row_order.fill_schedule(code, self.rate, schedule.power_t, offset, alpha, row, weight, *how)

    def check_finite(self, epoch: int) -> None:
        """ValueError if weights have overflowed."""
        if not (np.isfinite(self.arrays.weights).all() and np.isfinite(self.arrays.bias).all()):
            raise ValueError(
                f"Floating-point under-/overflow in epoch {epoch}: scale the inputs with StandardScaler or "
                "MinMaxScaler, or lower eta0"
            )
