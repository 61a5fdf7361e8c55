"""Recipes for what is trained on shards: a neuron, a network, means and deviations. The sweep's is in `sweep.py`."""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.cluster.inspection import safe_rate
from tinynet_fast.cluster.learned import moments_arrays, moments_of
from tinynet_fast.cluster.state import State
from tinynet_fast.kernels.engines import STABILITY_BOUND, Engine
from tinynet_fast.rows.blocks import Moments
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.losses import LINEAR, ChosenLoss
from tinynet_fast.training.network_updates import Network
from tinynet_fast.training.neuron_kinds import Kind
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.options import Options
from tinynet_fast.training.schedules import Penalties, Schedule

ONE_NEURON = Kind(outputs=1, sparse=False, softmax=False, is_fast=True, bound=STABILITY_BOUND)


@dataclass(frozen=True, eq=False)
class NeuronRecipe:
    """One neuron, or one for each output, or a softmax of several.

    The only count of each is the rows that all shards have trained on, which is how far the schedule is.

    Attributes
    ----------
    start : (outputs, n_features + 1) float64 array
        The weights to start with and, last, the bias of each output.
    """

    start: np.ndarray
    schedule: Schedule
    penalties: Penalties
    kind: Kind = ONE_NEURON

    def trainable(self, options: Options) -> Any:
        return self.kind.trainable(options, self.start, copy(self.schedule), self.penalties)

    def alone(self, state: State) -> "NeuronRecipe":
        """The same recipe, except that the mean of the weights begins with this shard's first row."""
        if not self.penalties.average_from:
            return self
        penalties = copy(self.penalties)
        penalties.average_from = rows_done(state) + 1
        return replace(self, penalties=penalties)

    def first_rate(self) -> float | None:
        """The learning rate of the first row; None if no bound on a step is known."""
        return self.schedule.rate(0)

    def safe_rate(self, largest: float) -> float:
        if self.schedule.name == "optimal":  # it does not use the rate
            return 0.0
        if not self.kind.bound > 0.0:  # as for a network
            return min(self.schedule.learning_rate / 10.0, safe_rate(largest, self.start) / 100.0)
        return safe_rate(largest, self.start, self.kind.bound)

    def round(self, before: State, after: State, rows: int) -> State:
        """Bring the round's mean into the mean of all earlier rows, weighted by the numbers of rows."""
        done, values = rows_done(before), dict(after.values)
        for name in values:
            if self.penalties.average_from and name.startswith("means"):
                values[name] = blend(before.values[name], values[name], done, rows)
        return replace(after, values=values, counts={name: np.array([float(done + rows)]) for name in before.counts})


def rows_done(state: State) -> int:
    """The rows that a neuron was trained on, over all epochs; several neurons have the same number."""
    return int(next(iter(state.counts.values()))[0])


def blend(before: np.ndarray, after: np.ndarray, done: float, rows: int) -> np.ndarray:
    """The mean over all rows, if the first `done` have the mean `before` and the last `rows` have the mean `after`."""
    return before + (after - before) * (rows / (done + rows)) if done else after


@dataclass(frozen=True, eq=False)
class NetworkRecipe:
    """A network. Its counts are updates, epochs, and what is pending of a batch.

    `updates` is the number of updates in all epochs, for the schedule; None means one for each batch of all rows.
    `largest_y` is the largest magnitude of a number to learn.
    """

    start: np.ndarray
    sizes: list[int]
    activation: str
    steps: Optimizer
    batch_size: int | None
    loss: ChosenLoss
    updates: int | None = None
    largest_y: float = 0.0

    def trainable(self, options: Options) -> Network:
        steps = deepcopy(self.steps)  # the network tells its schedule how many updates there will be
        network = Network(options, self.start, self.sizes, self.activation, steps, self.batch_size, self.loss, 0.0)
        if self.updates is not None:
            steps.schedule.updates = self.updates
        return network

    def alone(self, state: State) -> "NetworkRecipe":
        return self

    def first_rate(self) -> float | None:
        return None

    def safe_rate(self, largest: float) -> float:
        """A hundredth of a neuron's rate, at most a tenth of the rate that failed, as `Network.safe_learning_rate`."""
        rate = safe_rate(largest, self.start, 0.01 * (self.loss.bound or 2.0))
        rate /= max(1.0, self.largest_y) if self.loss.of == LINEAR else 1.0
        return min(self.steps.schedule.learning_rate / 10.0, rate)

    def round(self, before: State, after: State, rows: int) -> State:
        return after


class MomentsTrainable:
    """Instead of training, computes means and deviations, in blocks of `Moments.block_rows` rows.

    They are those of the inputs and, with `numbers`, after them those of the numbers to learn. (Of more than 4,096
    inputs a block is shorter than one machine's block of numbers, so that the deviation's last bits may differ.)
    """

    counts = ("rows",)

    def __init__(self, options: Options, numbers: bool) -> None:
        self.engine: Engine = options.engine
        self.width = options.rows.n_features
        self.parts = [Moments(self.width), *([Moments(options.n_targets)] if numbers else [])]
        self.batch_size = self.block_rows = self.parts[0].block_rows

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: Any, losses: Any) -> None:
        if len(X):
            for moments, values in zip(self.parts, (X, y.reshape(len(y), -1)), strict=False):
                moments.add(values)

    def end_epoch(self) -> None:
        pass

    def state(self) -> Arrays:
        parts = [moments_arrays(part) for part in self.parts]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return joined | {"rows": parts[0]["rows"]}

    def restore(self, state: Arrays) -> None:
        self.parts = split_moments(state, self.width)[: len(self.parts)]


def split_moments(state: Arrays, width: int) -> list[Moments]:
    """The moments in a state of `MomentsTrainable`: those of the inputs, and those of the numbers."""
    parts = [
        {name: array if name == "rows" else array[part] for name, array in state.items()}
        for part in (slice(width), slice(width, None))
    ]
    return [moments_of(part) for part in parts if len(part["first"])]


@dataclass(frozen=True, eq=False)
class MomentsRecipe:
    """Means and deviations, to standardise by; with `numbers` also those of the numbers to learn."""

    numbers: bool = False

    def trainable(self, options: Options) -> MomentsTrainable:
        return MomentsTrainable(options, self.numbers)

    def alone(self, state: State) -> "MomentsRecipe":
        return self

    def round(self, before: State, after: State, rows: int) -> State:
        return after
