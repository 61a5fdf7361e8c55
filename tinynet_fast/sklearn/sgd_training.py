"""One neuron trained as scikit-learn's SGD trains it: its schedules, order of rows and stopping, on our kernels.

The estimator, its options and attributes are in `sgd.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import ENGINES, Engine
from tinynet_fast.kernels.fast import objective, row_order
from tinynet_fast.training.run import LARGEST_SUM
from tinynet_fast.training.schedules import STABILITY_BOUND, Penalties, Schedule

SMALLEST_ADAPTIVE_RATE = 1e-6  # "adaptive" divides no further
GATHERED = 1 << 17  # values of rows that are gathered at a time, and of rows whose plan is made: 1 MB


@dataclass(frozen=True)
class Rule:
    """How the neurons of all classes are trained."""

    engine: str
    eta0: float
    schedule: Schedule  # "adaptive" is a constant one, at a rate that the epochs change
    adaptive: bool
    penalties: Penalties
    bias_scale: float
    max_iter: int
    tol: float | None  # None: every epoch is run
    n_iter_no_change: int
    shuffle: bool
    verbose: int
    early_stopping: bool

    @property
    def watches_objective(self) -> bool:
        """Whether the epochs' objective is asked for: it costs up to 3 ns a row beside the fast kernel."""
        return (self.tol is not None and not self.early_stopping) or self.verbose > 0


class Table:
    """The rows, read once for what all classes need to know of them."""

    def __init__(self, X: np.ndarray, codes: np.ndarray, sample_weight: np.ndarray | None, rule: Rule) -> None:
        self.X, self.codes, self.sample_weight = X, codes, sample_weight
        needs_squares = rule.watches_objective and rule.penalties.l2 > 0.0 and rule.penalties.l1 == 0.0
        self.squares, self.largest = np.empty(0), np.inf
        if needs_squares:
            self.squares = np.empty(len(X))
            self.largest = float(objective.rows_compiled(X.dtype.char)(X, self.squares))
        elif rule.engine == "fast":
            self.largest = ENGINES["fast"].kernels.row_bound(X, np.ones(1))  # |x|^2 + 1


@dataclass
class State:
    """One neuron: views into the estimator's arrays, changed in place."""

    weights: np.ndarray  # (d,)
    bias: np.ndarray  # (1,)
    means: np.ndarray  # (d + 1,): the mean weights and bias so far, where averaging is asked for
    paid: np.ndarray  # (d + 1,): what each weight has paid of l1, and what has been asked for


@dataclass
class Fit:
    """One class against the rest."""

    table: Table
    rule: Rule
    state: State
    positive: int  # the code of the class
    weights: tuple[float, float]  # what a row counts for that is of the class, and one that is not
    row: int  # rows that were trained on before, over all epochs
    seed: int
    held: np.ndarray | None = None  # (n,) bool: rows held out
    score: Callable[[np.ndarray, float], float] | None = None  # of the rows held out
    engines: set[str] = field(default_factory=set)  # who ran
    gathered: tuple[np.ndarray, np.ndarray] | None = None  # room for a block of rows and labels
    rates: np.ndarray | None = None  # of a block's rows, where they are constant

    def __post_init__(self) -> None:
        rule = self.rule
        self.rate, self.losses, self.epochs, self.watch = rule.eta0, np.zeros(1), 0, _Watch(rule)
        given = 1.0 if self.table.sample_weight is None else float(np.abs(self.table.sample_weight).max())
        self.heaviest = given * max(map(abs, self.weights))
        self.weighted = self.table.sample_weight is not None or self.weights != (1.0, 1.0)
        self.can_be_fast = rule.engine == "fast" and rule.penalties.smooth and rule.bias_scale == 1.0

    def prepare(self) -> None:
        """Room for the blocks of a class that is trained by itself."""
        self._prepare()
        self.rates = np.full(min(self.block_rows, self.table.X.shape[0]), self.rate)
        self.constant_plan = self.rule.penalties.plan(self.rates, None, 0)
        self.plan = np.empty_like(self.constant_plan)

    @cached_property
    def labels(self) -> np.ndarray:
        """(n,) uint8: 1 for a row of the class."""
        return np.asarray(self.table.codes == self.positive).view(np.uint8)

    @cached_property
    def places(self) -> Any:
        """(n,): the order of the rows, or None where it is their own."""
        return np.arange(self.table.X.shape[0]) if self.rule.shuffle or self.held is not None else None

    def _prepare(self) -> None:
        """How many rows make a block, and room for what is kept of each."""
        rule, (n, d) = self.rule, self.table.X.shape
        engine = ENGINES[rule.engine]
        self.block_rows = engine.block_rows(d, 2 * d)
        if rule.shuffle or self.held is not None or not rule.schedule.is_constant:
            self.block_rows = min(self.block_rows, max(GATHERED // d // engine.tile, 1) * engine.tile)
        size = min(self.block_rows, n)
        if rule.watches_objective:
            l2, l1 = rule.penalties.l2, rule.penalties.l1
            w = self.state.weights
            self.penalty = np.array([l2, l1])
            self.carried = np.array([0.5 * l2 * float(w @ w) + l1 * float(np.abs(w).sum())])
            self.logits, self.scratch = np.empty(size), np.empty(objective.TILE)
            self.row_penalties = np.empty(size if l1 > 0.0 else 0)

    def run(self) -> int:
        """Epochs until the rule says stop; gives their number back."""
        while self.epoch():
            pass
        self.settle()
        return self.epochs

    def epoch(self) -> bool:
        """One pass over the rows; whether there is to be another."""
        rule, n = self.rule, self.table.X.shape[0]
        if self.epochs == 0:
            self.prepare()
        self.epochs += 1
        if rule.shuffle:
            row_order.shuffle(self.places, self.seed)
        index = self.places if self.held is None or self.places is None else self.places[~self.held[self.places]]
        count = n if index is None else len(index)
        total = 0.0
        for start in range(0, count, self.block_rows):
            part = slice(start, min(start + self.block_rows, count))
            total += self._block(part if index is None else index[part], part.stop - part.start)
        self.check_finite(self.epochs)
        return self.goes_on(total / count)

    def goes_on(self, value: float) -> bool:
        """Whether there is to be another epoch after one with this mean objective."""
        rule = self.rule
        if self.score is not None:
            value = self.score(self._weights(), float(self.state.bias[0]))
        if rule.verbose > 0:
            what = "objective" if self.score is None else "validation score"
            print(f"-- Epoch {self.epochs}: norm {np.linalg.norm(self._weights()):.4f}, {what} {value:.6f}")
        if self.watch.stops(value if self.score is None else -value):
            if not (rule.adaptive and self.rate > SMALLEST_ADAPTIVE_RATE):
                return False
            self._set_rate(self.rate / 5.0)
            self.watch.waited = 0
        return self.epochs < rule.max_iter

    def parameters(self, averaged: bool) -> np.ndarray:
        """(d + 1,): weights and bias as they are now, or their means; a copy."""
        return self.state.means.copy() if averaged else np.append(self.state.weights, self.state.bias)

    def settle(self) -> None:
        """Leave the state as it is wanted after the last epoch."""

    def _weights(self) -> np.ndarray:
        """The weights as they are now."""
        return self.state.weights

    def _set_rate(self, rate: float) -> None:
        self.rate = rate
        if self.rates is not None:
            self.rates[:] = rate
            self.constant_plan = self.rule.penalties.plan(self.rates, None, 0)

    def _block(self, rows: Any, n: int) -> float:
        """The rows in order, once; gives back their summed objective, where it is asked for."""
        rule, table, state = self.rule, self.table, self.state
        engine = ENGINES["fast" if self._is_fast() else "strict"]
        self.engines.add(engine.name)
        X, y = self._rows(rows, n)
        X = engine.rows(X)
        weight = self._row_weights(rows, y) if self.weighted else None
        if rule.penalties.none and rule.bias_scale == 1.0 and not rule.watches_objective:
            assert self.rates is not None
            rates = self.rates[:n] if rule.schedule.is_constant else rule.schedule.rates(self.row, n)
            step: Any = rates if weight is None else rates * weight
            engine.kernels.sgd_epochs(X, y, step, state.weights, state.bias, self.losses)
            self.row += n
            return 0.0
        plan = self._plan(n, weight)
        self.row += n
        arrays = state.weights, state.bias, state.means, state.paid
        if not rule.watches_objective:
            engine.kernels.sgd_regularized_epochs(
                X, y, plan, rule.penalties.loss, rule.bias_scale, *arrays, self.losses
            )
            return 0.0
        return self._watched_block(engine, X, y, plan, table.squares[rows] if len(table.squares) else table.squares)

    def _rows(self, rows: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """A slice of the rows as it is; rows from all over the table gathered into the same memory again and again,
        which was five times as fast as into new memory."""
        X = self.table.X
        if isinstance(rows, slice):
            return X[rows], self.labels[rows].astype(np.float64)
        if self.gathered is None:
            size = min(self.block_rows, len(X))
            self.gathered = np.empty((size, X.shape[1]), X.dtype), np.empty(size)
        X_out, y_out = self.gathered[0][:n], self.gathered[1][:n]
        row_order.gather(X, self.labels, rows, X_out, y_out)
        return X_out, y_out

    def _watched_block(self, engine: Engine, X: Any, y: np.ndarray, plan: np.ndarray, squares: np.ndarray) -> float:
        rule, state, n = self.rule, self.state, len(y)
        arrays, logits = (state.weights, state.bias, state.means, state.paid), self.logits[:n]
        start = state.weights.copy(), state.bias.copy()
        if engine.name == "fast":
            from tinynet_fast.kernels.fast.regularized_neuron import sgd_regularized_epochs

            sgd_regularized_epochs(X, y, plan, rule.penalties.loss, 1.0, *arrays, self.losses, logits)
        else:
            penalties = self.row_penalties[:n]
            objective.sgd_logits_epoch(
                X, y, plan, rule.bias_scale, *arrays, logits, self.penalty, self.carried, penalties
            )
        l2 = rule.penalties.l2 if rule.penalties.l1 == 0.0 else 0.0
        entropy = objective.objective(logits, y, plan, squares, l2, rule.bias_scale, *start, self.scratch)
        return float(entropy) + float(self.row_penalties[:n].sum())

    def _is_fast(self) -> bool:
        """Whether the next block is for the fast engine: steps that can overshoot, and sums so large that they lose
        digits, are left to `strict`, block by block. (Schedules that start high come down.)"""
        if not (self.can_be_fast and self.table.largest * self.heaviest * self._first_rate() <= STABILITY_BOUND):
            return False
        length = math.hypot(float(np.linalg.norm(self._weights())), float(self.state.bias[0]))
        return math.sqrt(self.table.largest) * length <= LARGEST_SUM

    def _row_weights(self, rows: Any, y: np.ndarray) -> np.ndarray:
        weight = np.where(y > 0.0, *self.weights)
        return weight if self.table.sample_weight is None else weight * self.table.sample_weight[rows]

    def _first_rate(self) -> float:
        """The rate of the next row, which is the largest of its block's: no schedule goes up."""
        schedule = self.rule.schedule
        return self.rate if schedule.is_constant else schedule.rate(self.row)

    def _plan(self, n: int, weight: np.ndarray | None) -> np.ndarray:
        """The plan of the next rows. One that does not change is kept."""
        penalties, schedule = self.rule.penalties, self.rule.schedule
        if weight is not None or not schedule.is_constant:
            plan = self.plan[:n]
            self.fill(plan, np.empty(0) if weight is None else weight, self.row)
            return plan
        plan = self.constant_plan[:n]
        if penalties.average_from:
            plan[:, 3] = penalties.shares(self.row, n)
        return plan

    def fill(self, plan: np.ndarray, weight: np.ndarray, row: int) -> None:
        """The plan of rows after the first `row`; `weight` has what each counts for, or is empty."""
        penalties, schedule = self.rule.penalties, self.rule.schedule
        alpha = schedule.penalty
        offset = alpha**-0.75 if schedule.name == "optimal" else 0.0
        kind = {"invscaling": row_order.INVSCALING, "optimal": row_order.OPTIMAL}.get(schedule.name, row_order.CONSTANT)
        options = penalties.l2, penalties.l1, penalties.average_from, plan
        row_order.fill_plan(kind, self.rate, schedule.power_t, offset, alpha, row, weight, *options)

    def check_finite(self, epoch: int) -> None:
        """ValueError where weights have overflowed."""
        if not (np.isfinite(self.state.weights).all() and np.isfinite(self.state.bias).all()):
            raise ValueError(
                f"Floating-point under-/overflow in epoch {epoch}: scale the inputs with StandardScaler or "
                "MinMaxScaler, or lower eta0"
            )


class _Watch:
    """Whether the last epochs brought the watched number, which is to be small, down by `tol`."""

    def __init__(self, rule: Rule) -> None:
        self.tol, self.patience = rule.tol, rule.n_iter_no_change
        self.best, self.waited = math.inf, 0

    def stops(self, value: float) -> bool:
        if self.tol is None:
            return False
        # A score that is better by exactly tol is progress, an objective that is as good as best - tol is too.
        self.waited = self.waited + 1 if value > self.best - self.tol else 0
        self.best = min(self.best, value)
        return self.waited >= self.patience
