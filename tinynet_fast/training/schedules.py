"""Turns options into numbers: learning rates of rows or batches, a neuron's penalties and shares. Makes no updates."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.engines import NUMPY, Engine
from tinynet_fast.kernels.point_functions import HUBER, LEAST_SQUARES, LOG_LOSS
from tinynet_fast.training.checks import check_at_least_zero, check_one_of
from tinynet_fast.training.losses import ChosenLoss, choose_loss

SCHEDULES = ("constant", "invscaling", "optimal", "cosine")
PLAIN = {LOG_LOSS: "sgd_epochs", LEAST_SQUARES: "sgd_linear_epochs"}  # the kernels of updates with nothing added
SMOOTH = (LOG_LOSS, LEAST_SQUARES, HUBER)  # convex, with slopes that have no jump: what the fast engine takes


class Schedule:
    """The learning rate of each update: of a neuron's row, or of a network's batch.

    "invscaling" and "optimal" are as scikit-learn's SGDClassifier defines them; "cosine" (Loshchilov and Hutter, SGDR,
    ICLR 2017, without restarts) needs to know how many `updates` there will be.
    """

    def __init__(
        self,
        learning_rate: float,
        name: str = "constant",
        power_t: float = 0.5,
        penalty: float = 0.0,
        known: Sequence[str] = SCHEDULES,
    ) -> None:
        check_one_of("schedule", name, known)
        if name == "optimal" and penalty == 0.0:
            raise ValueError("schedule='optimal' divides by the penalty: give l2 or l1, or use another schedule")
        self.learning_rate, self.name, self.penalty = learning_rate, name, penalty
        self.power_t = check_at_least_zero("power_t", power_t)
        self.updates, self.is_constant = 1, name == "constant"
        self.engine: Engine = NUMPY  # whose powers and cosines these are

    def rates(self, done: int, n: int) -> np.ndarray:
        """The rates of the `n` updates after the first `done` updates, (n,) float64."""
        if self.is_constant:
            rates = np.empty(n)
            rates.fill(self.learning_rate)
            return rates
        t = np.arange(done + 1, done + n + 1, dtype=np.float64)
        if self.name == "invscaling":
            with np.errstate(over="ignore"):  # a power beyond all floats is a rate of 0
                return self.learning_rate / self.engine.powers(t, self.power_t)
        if self.name == "cosine":
            return self.learning_rate * (0.5 + 0.5 * self.engine.cosines(t - 1.0, self.updates))
        first = np.sqrt(1.0 / np.sqrt(self.penalty))  # the rate at t = 1: about as far as weights are expected to get
        return 1.0 / (self.penalty * (1.0 / (first * self.penalty) + t - 1.0))

    def rate(self, done: int) -> float:
        """The rate of the one update after the first `done`, to rounding.

        As an array of one rate it took a sixth of an epoch of 200 rows.
        """
        if self.is_constant:
            return self.learning_rate
        if self.name == "optimal":
            return float(1.0 / (self.penalty * (self.penalty**-0.75 + done)))
        if self.name == "invscaling":
            try:
                return float(self.learning_rate / (done + 1.0) ** self.power_t)
            except OverflowError:  # a power beyond all floats
                return 0.0
        return float(self.rates(done, 1)[0])

    def options(self) -> dict[str, Any]:
        """For the model's file."""
        return {"learning_rate": self.learning_rate, "schedule": self.name, "power_t": self.power_t}


class Penalties:
    """What is added to the plain update: l2, l1, averaging, another loss."""

    def __init__(self, l2: float, l1: float, average: bool | int, loss: str | ChosenLoss) -> None:
        self.l2, self.l1 = check_at_least_zero("l2", l2), check_at_least_zero("l1", l1)
        if not isinstance(average, (bool, int, np.integer, np.bool_)) or average < 0:
            raise ValueError(f"average is {average!r}; True, False or the row to start from is needed")
        self.loss = loss if isinstance(loss, ChosenLoss) else choose_loss(loss)
        self.average_from = int(average)  # counted from 1; 0 for no averaging
        # Whether the update is a plain one; and whether no rounding can make a row's update another one, so that the
        # fast engine may take it.
        self.none = self.l2 == self.l1 == 0.0 and not self.average_from and self.loss.code in PLAIN
        self.smooth = self.l1 == 0.0 and self.loss.code in SMOOTH

    def rule(self, bias_scale: float = 1.0) -> np.ndarray:
        """The kernels' `rule`."""
        rule = np.zeros(at.WATCHED + 1)
        rule[[at.NEURON_LOSS, at.SHAPE, at.BIAS_SCALE]] = self.loss.code, self.loss.shape, bias_scale
        rule[[at.SPARSE_L2, at.SPARSE_L1]] = self.l2, self.l1
        return rule

    def schedule_rows(self, rates: np.ndarray, sample_weight: np.ndarray | None, row: int) -> np.ndarray:
        """(n, 4) float64: step, keep, cut and share of each row after the first `row` rows, for the kernels."""
        rows = np.zeros((len(rates), at.SCHEDULE_COLUMNS))
        with np.errstate(over="ignore"):  # a penalty or weight that is too large leads to a clear error later
            rows[:, at.STEP] = rates if sample_weight is None else rates * sample_weight
            rows[:, at.KEEP] = np.maximum(0.0, 1.0 - self.l2 * rates)
            rows[:, at.CUT] = self.l1 * rates
        if self.average_from:
            rows[:, at.SHARE] = self.shares(row, len(rates))
        return rows

    def shares(self, row: int, n: int) -> np.ndarray:
        """1 / rows averaged so far for each of the `n` rows after the first `row` rows; 0.0 before averaging starts."""
        averaged = np.arange(row + 2 - self.average_from, row + n + 2 - self.average_from, dtype=np.float64)
        return np.divide(1.0, averaged, out=np.zeros(n), where=averaged > 0.0)

    def options(self) -> dict[str, Any]:
        """For the model's file."""
        return {"l2": self.l2, "l1": self.l1, "average": self.average_from} | self.loss.options()
