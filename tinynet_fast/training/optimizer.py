"""How a network steps: turns options into the numbers that the kernels take for each update. Makes no updates."""

from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels import reference
from tinynet_fast.training.checks import check_at_least_zero, check_one_of, check_share
from tinynet_fast.training.schedules import Schedule

OPTIMIZERS = reference.OPTIMIZERS
NETWORK_SCHEDULES = ("constant", "invscaling", "cosine")
MADE_ROWS = 256  # schedule rows that are made at once


class Optimizer:
    """One of the optimizers of `reference.OPTIMIZERS` and its options; with l2 and decoupled weight decay."""

    def __init__(
        self,
        learning_rate: float,
        name: str = "sgd",
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        power_t: float = 0.5,
    ) -> None:
        check_one_of("optimizer", name, OPTIMIZERS)
        self.name, self.nesterov = name, bool(nesterov)
        self.momentum = check_share("momentum", momentum)
        self.beta_1, self.beta_2 = check_share("beta_1", beta_1), check_share("beta_2", beta_2)
        self.epsilon = check_at_least_zero("epsilon", epsilon)
        if self.epsilon == 0.0:
            raise ValueError("epsilon is 0; Adam divides by it if a gradient is 0: use 1e-8")
        self.code, self.own = OPTIMIZERS[name]
        if name != "sgd" and (self.momentum or nesterov):
            instead = "with 'adam' use beta_1" if name == "adam" else f"{name!r} has none"
            raise ValueError(f"momentum is an option of 'sgd'; {instead}")
        if nesterov and not self.momentum:
            raise ValueError("nesterov says how momentum is used: give a momentum above 0, 0.9 for example")
        self.l2, self.weight_decay = check_at_least_zero("l2", l2), check_at_least_zero("weight_decay", weight_decay)
        self.schedule = Schedule(learning_rate, schedule, power_t, known=NETWORK_SCHEDULES)
        self.kept: tuple[Any, int, np.ndarray] = None, 0, np.empty((0, at.SCHEDULE_COLUMNS))

    @property
    def is_constant(self) -> bool:
        """Whether every update has the same schedule row."""
        return self.name != "adam" and self.schedule.is_constant

    def rule(self, batch_size: int, loss: int, shape: float = 0.0) -> np.ndarray:
        """(6,) float64: what the kernels call `rule`, for a loss and its shape."""
        code = reference.NESTEROV if self.nesterov else self.code
        first = self.beta_1 if "beta_1" in self.own else self.momentum
        second = self.beta_2 if "beta_2" in self.own else 0.0
        return np.array([batch_size, loss, code, first, second, shape])

    def schedule_rows(self, done: int, n: int) -> np.ndarray:
        """(n, 4) float64: what the kernels call rate, keep, l2 and epsilon, for the updates after the first `done`.

        Up to MADE_ROWS rows are made at once and kept for later calls: for few rows, making them took longer than the
        training. Do not write into them.
        """
        if n > MADE_ROWS:
            return self._schedule_rows(done, n)
        how = self.schedule.engine, self.schedule.updates, self.schedule.learning_rate
        kept, first, rows = self.kept
        if kept != how or not first <= done <= done + n <= first + len(rows):
            first, rows = done, self._schedule_rows(done, MADE_ROWS)
            self.kept = how, first, rows
        return rows[done - first : done - first + n]

    def _schedule_rows(self, done: int, n: int) -> np.ndarray:
        """Make the rows that `schedule_rows` returns.

        Adam's means start at zero; their correction (Kingma and Ba, algorithm 1) is part of rate and epsilon.
        """
        rates = self.schedule.rates(done, n)
        rows = np.empty((n, at.SCHEDULE_COLUMNS))
        rows[:, at.RATE] = rates
        rows[:, at.KEEP] = np.maximum(0.0, 1.0 - rates * self.weight_decay)
        rows[:, at.L2], rows[:, at.EPSILON] = self.l2, self.epsilon
        if self.name == "adam":
            t = np.arange(done + 1, done + n + 1, dtype=np.float64)
            powers = self.schedule.engine.powers
            root = np.sqrt(1.0 - powers(self.beta_2, t))
            rows[:, at.RATE] *= root / (1.0 - powers(self.beta_1, t))
            rows[:, at.EPSILON] *= root
        return rows

    def schedule_rows_for(self, done: int, moves: np.ndarray) -> np.ndarray:
        """A schedule row for each batch, of which `moves`, (n,) bool, says whether it moves the network.

        A batch that moves nothing is not counted. It gets a row too, which kernels ignore.
        """
        before = np.cumsum(moves) - moves
        return self.schedule_rows(done, int(moves.sum()) + 1)[before]

    def options(self) -> dict[str, Any]:
        """For the model's file."""
        own = {name: getattr(self, name) for name in self.own}
        penalties = {"l2": self.l2, "weight_decay": self.weight_decay}
        return {"optimizer": self.name, **own, **penalties, **self.schedule.options()}


def batches_that_move(sample_weight: np.ndarray, pending: Any, size: int) -> np.ndarray:
    """(n,) bool: whether each batch of `size` rows that ends in this block has any sample weight.

    `pending` is for the rows of earlier blocks that belong to the first batch: their number, and the sum of their
    sample weights.
    """
    ends = np.arange(size - int(pending[at.PENDING_ROWS]), len(sample_weight) + 1, size)
    weighted = np.concatenate([[0], np.cumsum(sample_weight > 0.0)])[ends]
    found = np.diff(weighted, prepend=0) > 0
    found[:1] |= pending[at.PENDING_WEIGHT] > 0.0
    return found
