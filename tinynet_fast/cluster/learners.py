"""What can be trained on shards: a neuron, a network, means and deviations. Sweeps are in `lanes.py`."""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.cluster.inspection import safe_rate
from tinynet_fast.cluster.state import State
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.rows.blocks import Moments
from tinynet_fast.training.mlp import MLPTrainee
from tinynet_fast.training.neuron_trainee import NeuronTrainee
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.plan import Plan
from tinynet_fast.training.schedules import Penalties, Schedule


@dataclass(frozen=True, eq=False)
class NeuronLearner:
    """One neuron. Its only count is where the schedule stands: rows trained on, by whichever shard."""

    start: np.ndarray
    schedule: Schedule
    penalties: Penalties
    n_counts = 1

    def trainee(self, plan: Plan) -> NeuronTrainee:
        return NeuronTrainee(plan, self.start, copy(self.schedule), self.penalties)

    def alone(self, state: State) -> "NeuronLearner":
        """With a mean of the weights that begins with this shard's first row."""
        if not self.penalties.average_from:
            return self
        penalties = copy(self.penalties)
        penalties.average_from = int(state.counts[0]) + 1
        return replace(self, penalties=penalties)

    def first_rate(self) -> float | None:
        """The learning rate of the first row; None if no bound on a step is known."""
        return self.schedule.rate(0)

    def safe_rate(self, largest: float) -> float:
        return 0.0 if self.schedule.name == "optimal" else safe_rate(largest, self.start)  # which does not ask for one

    def round(self, before: State, after: State, rows: int) -> State:
        """With the round's mean brought into the mean of all rows before, in the proportion of the rows."""
        done = before.counts[0]
        parameters, d = after.parameters.copy(), len(self.start)
        if self.penalties.average_from:
            mean = slice(d, 2 * d)
            parameters[mean] = blend(before.parameters[mean], after.parameters[mean], done, rows)
        return replace(after, parameters=parameters, counts=np.array([done + rows]))


def blend(before: np.ndarray, after: np.ndarray, done: float, rows: int) -> np.ndarray:
    """The mean over all rows, of which the first `done` have the mean `before` and the last `rows` have `after`."""
    return before + (after - before) * (rows / (done + rows)) if done else after


@dataclass(frozen=True, eq=False)
class NetworkLearner:
    """A network. Counts are updates, epochs, and what is pending of a batch.

    `updates` are those of all epochs that its schedule counts, where they are not one for each batch of all rows.
    """

    start: np.ndarray
    sizes: list[int]
    activation: str
    steps: Optimizer
    batch_size: int | None
    loss: str
    updates: int | None = None
    n_counts = 5

    def trainee(self, plan: Plan) -> MLPTrainee:
        steps = deepcopy(self.steps)  # the trainee tells its schedule how many updates there will be
        trainee = MLPTrainee(plan, self.start, self.sizes, self.activation, steps, self.batch_size, self.loss, 0.0)
        if self.updates is not None:
            steps.schedule.updates = self.updates
        return trainee

    def alone(self, state: State) -> "NetworkLearner":
        return self

    def first_rate(self) -> float | None:
        return None

    def safe_rate(self, largest: float) -> float:
        """A hundredth of a neuron's, at most a tenth of the rate that failed, as `MLPTrainee.safe_learning_rate`."""
        return min(self.steps.schedule.learning_rate / 10.0, safe_rate(largest, self.start) / 100.0)

    def round(self, before: State, after: State, rows: int) -> State:
        return after


class MomentsTrainee:
    """Takes means and deviations where others take steps, of blocks of `Moments.block_rows` rows."""

    def __init__(self, plan: Plan) -> None:
        self.engine: Engine = plan.engine
        self.moments = Moments(plan.rows.n_features)
        self.batch_size = self.block_rows = self.moments.block_rows

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: Any, losses: Any) -> None:
        if len(X):
            self.moments.add(X)

    def end_epoch(self) -> None:
        pass

    def parameters(self) -> np.ndarray:
        moments = self.moments
        return np.concatenate([moments.first, moments.mean, moments.squares, [float(moments.rows)]])

    def restore(self, parameters: np.ndarray) -> None:
        self.moments = moments_of(parameters)


@dataclass(frozen=True, eq=False)
class MomentsLearner:
    """Means and deviations, for standardising."""

    n_counts = 1

    def trainee(self, plan: Plan) -> MomentsTrainee:
        return MomentsTrainee(plan)

    def alone(self, state: State) -> "MomentsLearner":
        return self

    def round(self, before: State, after: State, rows: int) -> State:
        return after


def moments_of(parameters: np.ndarray) -> Moments:
    """The moments that a `MomentsTrainee` gave as its parameters."""
    d = len(parameters) // 3
    moments = Moments(d)
    *sums, count = (part.copy() for part in np.split(parameters, [d, 2 * d, 3 * d]))
    moments.first, moments.mean, moments.squares = sums
    moments.rows = int(count[0])
    return moments
