"""Trains a network as scikit-learn's MLPClassifier does: with its batches, loss and solvers, on our kernels.

The estimator, its options and attributes are in `mlp.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.engines import ENGINES, FAST, Engine, choose, row_limit
from tinynet_fast.kernels.fast import row_order
from tinynet_fast.models.layers import flatten, layer_table, unflatten
from tinynet_fast.rows.blocks import slices
from tinynet_fast.training.loop import visit
from tinynet_fast.training.mlp import longest_unit
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.schedules import LOSSES

OUR_NAMES = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
SMALLEST_ADAPTIVE_RATE = 1e-6  # "adaptive" divides no further


def first_parameters(
    random_state: np.random.RandomState, sizes: Sequence[int], activation: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw weights and biases layer by layer, as scikit-learn does.

    They are uniform within the bound of Glorot and Bengio (AISTATS 2010), or for "logistic" within
    sqrt(2 / (fan_in + fan_out)).
    """
    weights, biases = [], []
    for fan_in, fan_out in pairwise(sizes):
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (fan_in + fan_out))
        weights.append(random_state.uniform(-bound, bound, (fan_in, fan_out)))
        biases.append(random_state.uniform(-bound, bound, fan_out))
    return weights, biases


def held_out(
    X: np.ndarray, codes: np.ndarray, fraction: float, random_state: np.random.RandomState, stratified: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The places of the rows to train on, and of those that early stopping holds out."""
    stratify = codes if stratified else None
    places = train_test_split(np.arange(len(X)), random_state=random_state, test_size=fraction, stratify=stratify)
    if len(places[1]) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return places[0], places[1]


@dataclass(frozen=True)
class Solver:
    """How a batch's gradient becomes a step."""

    name: str  # "sgd" or "adam"
    learning_rate: str  # the schedule of "sgd"
    learning_rate_init: float
    power_t: float
    momentum: float
    nesterov: bool
    beta_1: float
    beta_2: float
    epsilon: float

    def rule(self, batch_size: int) -> np.ndarray:
        """What the kernels call `rule`."""
        if self.name == "adam":
            steps = Optimizer(1.0, "adam", beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)
            return steps.rule(batch_size, LOSSES["log_loss"])
        nesterov = self.nesterov and self.momentum > 0.0  # without momentum there is only the plain step
        momentum = min(self.momentum, 0.5)  # scikit-learn also allows 1.0, which `Optimizer` refuses: it is set below
        rule = Optimizer(1.0, momentum=momentum, nesterov=nesterov).rule(batch_size, LOSSES["log_loss"])
        rule[at.FIRST_SHARE] = self.momentum
        return rule

    def schedule_rows(self, rate: float, done: int, n: int) -> np.ndarray:
        """(n, 4): what the kernels call rate, keep, l2 and epsilon for the updates after the first `done`.

        The l2 is each batch's own. Adam's epsilon is added to the root as it is, not to the corrected one.
        """
        rows = np.empty((n, at.SCHEDULE_COLUMNS))
        rows[:] = rate, 1.0, 0.0, self.epsilon
        if self.name == "adam":
            t = np.arange(done + 1, done + n + 1, dtype=np.float64)
            rows[:, at.RATE] *= np.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        return rows


class Network:
    """The parameters and the state of their solver. It is kept from one `partial_fit` to the next."""

    def __init__(self, sizes: Sequence[int], activation: str, solver: Solver) -> None:
        self.sizes, self.solver = list(sizes), solver
        self.table = layer_table(self.sizes, OUR_NAMES[activation])
        self.rate, self.updates = solver.learning_rate_init, 0
        size = sum((a + 1) * b for a, b in pairwise(self.sizes))
        self.state = np.zeros((at.STATE_ROWS, size))
        self.slices = []
        stop = 0
        for inputs, outputs, _ in self.table:
            self.slices.append(slice(stop, stop + inputs * outputs))
            stop += (inputs + 1) * outputs

    def load(self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
        self.state[at.PARAMETERS] = flatten(weights, biases)

    def layers(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Weights and biases, as copies."""
        return unflatten(self.state[at.PARAMETERS], self.table)

    def square(self) -> float:
        """The squared length of the weights, without the biases."""
        weights = (self.state[at.PARAMETERS, part] for part in self.slices)
        return sum(float(np.dot(part, part)) for part in weights)

    def engine_for(self, name: str, X: np.ndarray) -> Engine:
        """The engine of that name, or `strict` if the first sums are so large that `fast` would lose digits."""
        engine = ENGINES[name]
        largest = FAST.row_bound(X) if engine is FAST else 0.0
        return choose(engine, largest, row_limit(longest_unit(self.state[at.PARAMETERS], self.sizes)))

    def epoch_ends(self, rows: float) -> None:
        """Set the rate for the next epoch. `rows` were trained on, over all epochs."""
        solver = self.solver
        if solver.name == "sgd" and solver.learning_rate == "invscaling":
            self.rate = solver.learning_rate_init / (rows + 1.0) ** solver.power_t

    def can_slow_down(self) -> bool:
        """Go on with a smaller rate if the schedule has one. Returns whether it has."""
        adaptive = self.solver.name == "sgd" and self.solver.learning_rate == "adaptive"
        if not (adaptive and self.rate > SMALLEST_ADAPTIVE_RATE):
            return False
        self.rate /= 5.0
        return True


class Trainer:
    """A network on some rows, an epoch at a time."""

    def __init__(
        self,
        network: Network,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        batch_size: int,
        alpha: float,
        engine: str,
    ) -> None:
        self.network, self.alpha, self.batch_size = network, alpha, batch_size
        self.engine = network.engine_for(engine, X)
        self.X, self.y, self.sample_weight = X, y.astype(np.float64), sample_weight
        self.layers = np.ascontiguousarray(network.table)
        self.units, self.no_mask = self.engine.scratch(network.table), np.empty((1, 0))
        self.ones, self.pending, self.loss = np.ones(batch_size), np.zeros(2), np.zeros(1)
        self.gathered = np.empty((batch_size, X.shape[1]), X.dtype), np.empty(batch_size)
        self.rules = {n: network.solver.rule(n) for n in {batch_size, len(X) % batch_size or batch_size}}

    def epoch(self, places: np.ndarray | None) -> float:
        """One pass in batches, in the order `places`. Returns the mean loss of the rows, with penalties."""
        network, n, size = self.network, len(self.X), self.batch_size
        self.schedule_rows = network.solver.schedule_rows(network.rate, network.updates, -(-n // size))
        self.total, self.made = 0.0, 0
        parts = slices(n, size)
        visit(((part if places is None else places[part], part.stop - part.start) for part in parts), self._train)
        network.updates += self.made
        return float(self.total / n)

    def _train(self, part: Any, rows: int) -> None:
        """Train on a batch. It is a call by itself, because its penalty takes the weights before its update."""
        network, engine = self.network, self.engine
        if isinstance(part, slice):
            X, y = self.X[part], self.y[part]
        else:
            X, y = self.gathered[0][:rows], self.gathered[1][:rows]
            row_order.gather(self.X, self.y, part, X, y)
        weight, weights = self.ones[:rows], float(rows)
        if self.sample_weight is not None:
            weight = self.sample_weight[part]
            weights = float(weight.sum())
        step = self.schedule_rows[self.made : self.made + 1]
        self.loss[0] = penalty = 0.0
        if self.alpha and weights > 0.0:
            step[0, at.L2] = self.alpha / weights
            penalty = 0.5 * self.alpha * network.square() / weights
        changed = network.state, self.units, self.pending, self.loss
        rule = self.rules[rows]
        engine.kernels.network_epochs(engine.rows(X), y, weight, self.no_mask, step, rule, self.layers, *changed)
        if weights > 0.0:  # a batch of no weight has no loss, moved nothing and is not counted
            self.made += 1
            self.total += (self.loss[0] / weights + penalty) * rows


def outputs(
    X: np.ndarray, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], activation: str, engine: str
) -> np.ndarray:
    """(n, n_outputs): the sums of the last layer for each row."""
    table = layer_table([len(weights[0]), *(len(b) for b in biases)], OUR_NAMES[activation])
    ours, out = ENGINES[engine], np.empty((len(X), len(biases[-1])))
    params, units, layers = flatten(weights, biases), ours.scratch(table), np.ascontiguousarray(table)
    rows = ours.block_rows(X.shape[1], len(params))
    for start in range(0, len(X), rows):
        part = slice(start, start + rows)
        ours.kernels.network_logits(ours.rows(X[part]), layers, params, units, out[part])
    return out


def likeliest(sums: np.ndarray) -> np.ndarray:
    """(n,): the numbers of the likeliest classes."""
    return sums.argmax(axis=1) if sums.shape[1] > 1 else (sums[:, 0] > 0.0).astype(int)
