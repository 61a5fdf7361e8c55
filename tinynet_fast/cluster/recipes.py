"""Recipes for what is trained on shards: a neuron, a network, means and deviations. The sweep's is in `sweep.py`."""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.cluster.inspection import safe_rate
from tinynet_fast.cluster.state import State
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.rows.blocks import Moments
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.losses import ChosenLoss
from tinynet_fast.training.network_updates import Network
from tinynet_fast.training.neuron_updates import DenseNeuron
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.options import Options
from tinynet_fast.training.schedules import Penalties, Schedule

MOMENTS = ("first", "mean", "squares", "rows")  # the attributes of `Moments`


@dataclass(frozen=True, eq=False)
class NeuronRecipe:
    """One neuron. Its only count is the rows that all shards have trained on, which is how far the schedule is."""

    start: np.ndarray
    schedule: Schedule
    penalties: Penalties

    def trainable(self, options: Options) -> DenseNeuron:
        return DenseNeuron(options, self.start, copy(self.schedule), self.penalties)

    def alone(self, state: State) -> "NeuronRecipe":
        """The same recipe, except that the mean of the weights begins with this shard's first row."""
        if not self.penalties.average_from:
            return self
        penalties = copy(self.penalties)
        penalties.average_from = int(state.counts["row"][0]) + 1
        return replace(self, penalties=penalties)

    def first_rate(self) -> float | None:
        """The learning rate of the first row; None if no bound on a step is known."""
        return self.schedule.rate(0)

    def safe_rate(self, largest: float) -> float:
        return 0.0 if self.schedule.name == "optimal" else safe_rate(largest, self.start)  # "optimal" takes no rate

    def round(self, before: State, after: State, rows: int) -> State:
        """Bring the round's mean into the mean of all earlier rows, weighted by the numbers of rows."""
        done = before.counts["row"][0]
        values = dict(after.values)
        if self.penalties.average_from:
            values["means"] = blend(before.values["means"], after.values["means"], done, rows)
        return replace(after, values=values, counts={"row": np.array([done + rows])})


def blend(before: np.ndarray, after: np.ndarray, done: float, rows: int) -> np.ndarray:
    """The mean over all rows, if the first `done` have the mean `before` and the last `rows` have the mean `after`."""
    return before + (after - before) * (rows / (done + rows)) if done else after


@dataclass(frozen=True, eq=False)
class NetworkRecipe:
    """A network. Its counts are updates, epochs, and what is pending of a batch.

    `updates` is the number of updates in all epochs, for the schedule; None means one for each batch of all rows.
    """

    start: np.ndarray
    sizes: list[int]
    activation: str
    steps: Optimizer
    batch_size: int | None
    loss: ChosenLoss
    updates: int | None = None

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
        return min(self.steps.schedule.learning_rate / 10.0, safe_rate(largest, self.start) / 100.0)

    def round(self, before: State, after: State, rows: int) -> State:
        return after


class MomentsTrainable:
    """Instead of training, computes means and deviations, in blocks of `Moments.block_rows` rows."""

    counts = ("rows",)

    def __init__(self, options: Options) -> None:
        self.engine: Engine = options.engine
        self.moments = Moments(options.rows.n_features)
        self.batch_size = self.block_rows = self.moments.block_rows

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: Any, losses: Any) -> None:
        if len(X):
            self.moments.add(X)

    def end_epoch(self) -> None:
        pass

    def state(self) -> Arrays:
        return {name: np.array(getattr(self.moments, name), dtype=np.float64, ndmin=1) for name in MOMENTS}

    def restore(self, state: Arrays) -> None:
        self.moments = moments_of(state)


@dataclass(frozen=True, eq=False)
class MomentsRecipe:
    """Means and deviations, to standardise by."""

    def trainable(self, options: Options) -> MomentsTrainable:
        return MomentsTrainable(options)

    def alone(self, state: State) -> "MomentsRecipe":
        return self

    def round(self, before: State, after: State, rows: int) -> State:
        return after


def moments_of(state: Arrays) -> Moments:
    """The moments that `MomentsTrainable.state` returned as arrays."""
    moments = Moments(len(state["first"]))
    moments.first, moments.mean, moments.squares = (state[name].copy() for name in MOMENTS[:3])
    moments.rows = int(state["rows"][0])
    return moments
