"""The batches of an epoch, on our kernels or by scikit-learn's own steps, and the forward pass.

The estimator is in `mlp.py`; when to stop is decided in `mlp_epochs.py`.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils import _safe_indexing

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.engines import ENGINES, FAST, choose, row_limit
from tinynet_fast.kernels.fast import row_order
from tinynet_fast.kernels.reference import ADAM, CLIPPED_LOG_LOSS, NESTEROV, SGD
from tinynet_fast.models.as_sklearn import NAMES
from tinynet_fast.models.layers import flatten, layer_table, views
from tinynet_fast.rows.blocks import slices
from tinynet_fast.training.loop import visit
from tinynet_fast.training.mlp import longest_unit

OUR_NAMES = {theirs: ours for ours, theirs in NAMES.items()}


def have_kernels(model: Any, X: Any, sample_weight: np.ndarray | None = None) -> bool:
    """Whether our kernels can train a network on some rows: all float64, dense, one label a row, no weight below 0.

    The kernels check no bounds, and anyone can assign an array. So if the layers do not fit each other, the answer is
    no, and scikit-learn says what is wrong.
    """
    multilabel = model.out_activation_ == "logistic" and model.n_outputs_ > 1
    served = model.engine != "exact" and model.activation in OUR_NAMES and not multilabel
    arrays = [X, *model.coefs_, *model.intercepts_]
    if sample_weight is not None:
        arrays.append(sample_weight)
        served = served and not sample_weight.min() < 0.0
    sizes = [X.shape[1], *map(len, model.intercepts_)]
    shapes = [np.shape(part) for part in (*model.coefs_, *model.intercepts_)]
    served = served and shapes == [*pairwise(sizes), *((size,) for size in sizes[1:])] and sizes[-1] == model.n_outputs_
    return served and all(isinstance(part, np.ndarray) and part.dtype == np.float64 for part in arrays)


def optimizer_of(model: Any) -> AdamOptimizer | SGDOptimizer:
    """A new optimizer, of scikit-learn's own class."""
    parameters = model.coefs_ + model.intercepts_
    if model.solver == "adam":
        return AdamOptimizer(parameters, model.learning_rate_init, model.beta_1, model.beta_2, model.epsilon)
    momentum = model.momentum, model.nesterovs_momentum
    return SGDOptimizer(parameters, model.learning_rate_init, model.learning_rate, *momentum, model.power_t)


def sizes_of(model: Any) -> list[int]:
    """Inputs, units of each hidden layer, outputs."""
    return [*map(len, model.coefs_), len(model.intercepts_[-1])]


class TheirBatches:
    """Epochs by scikit-learn's own gradient and optimizer, a batch at a time."""

    name = "scikit-learn"

    def __init__(self, model: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, size: int) -> None:
        self.model, self.X, self.y, self.sample_weight, self.size = model, X, y, sample_weight, size
        if not all(part.flags.writeable for part in self.parameters):  # joblib has mapped the model's file into memory
            model.coefs_ = [part.copy() for part in model.coefs_]
            model.intercepts_ = [part.copy() for part in model.intercepts_]

    @property
    def parameters(self) -> list[np.ndarray]:
        found: list[np.ndarray] = self.model.coefs_ + self.model.intercepts_
        return found

    def epoch(self, order: np.ndarray | None) -> float:
        """One pass in batches, in that order. Returns the mean loss of the rows, with penalties."""
        self.total = 0.0
        parts = slices(len(self.y), self.size)
        visit(((part if order is None else order[part], part.stop - part.start) for part in parts), self._train)
        return self.total / len(self.y)

    def _train(self, part: Any, rows: int) -> None:
        X = self.X[part] if isinstance(part, slice) else _safe_indexing(self.X, part)
        weight = None if self.sample_weight is None else self.sample_weight[part]
        deltas, weights, biases = ([None] * len(self.model.coefs_) for _ in range(3))
        activations = [X, *deltas]
        loss, weights, biases = self.model._backprop(X, self.y[part], weight, activations, deltas, weights, biases)
        self.total += loss * rows
        self.model._optimizer.update_params(self.parameters, weights + biases)


class KernelBatches:
    """Epochs on our kernels.

    The model's parameters, and the means of gradients that its optimizer keeps, become views of one array, which the
    kernels change.
    """

    def __init__(self, model: Any, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, size: int) -> None:
        self.alpha, self.size, self.optimizer = float(model.alpha), size, model._optimizer
        sizes = sizes_of(model)
        table = layer_table(sizes, OUR_NAMES[model.activation])
        self._share_memory(model, table)
        self.X = np.ascontiguousarray(X)
        self.y = np.ascontiguousarray(y.ravel() if y.shape[1] == 1 else y.argmax(axis=1), dtype=np.float64)
        self.sample_weight = sample_weight
        engine = ENGINES[model.engine]
        largest = FAST.row_bound(self.X) if engine is FAST else 0.0
        # `strict` if the first sums are so large that `fast` would lose digits
        self.engine = choose(engine, largest, row_limit(longest_unit(self.state[at.PARAMETERS], sizes)))
        self.name = self.engine.name
        self.layers = np.ascontiguousarray(table)
        self.units, self.no_mask = self.engine.scratch(table), np.empty((1, 0))
        self.ones, self.pending, self.loss = np.ones(size), np.zeros(2), np.zeros(1)
        self.gathered = np.empty((size, X.shape[1])), np.empty(size)
        self.rules = {n: self._rule(n) for n in {size, len(X) % size or size}}

    def _share_memory(self, model: Any, table: np.ndarray) -> None:
        weights, optimizer, k = model.coefs_, self.optimizer, len(model.coefs_)
        kept = optimizer.__dict__
        names = ("ms", "vs") if isinstance(optimizer, AdamOptimizer) else ("velocities",)
        parameters = flatten(weights, model.intercepts_)
        self.state = np.zeros((at.STATE_ROWS, len(parameters)))
        self.parameters = [self.state[at.PARAMETERS]]
        self.state[at.PARAMETERS] = parameters
        for row, name in zip((at.FIRST, at.SECOND), names, strict=False):
            self.state[row] = flatten(kept[name][:k], kept[name][k:])
            kept[name] = [part for parts in views(self.state[row], table) for part in parts]
        model.coefs_, model.intercepts_ = views(self.state[at.PARAMETERS], table)
        self.weights = [part.ravel() for part in model.coefs_]
        # After early stopping the best weights are these, and scikit-learn's change with them.
        if getattr(model, "_best_coefs", None) is weights:
            model._best_coefs, model._best_intercepts = model.coefs_, model.intercepts_

    def _rule(self, rows: int) -> np.ndarray:
        """What the kernels call `rule`."""
        own = self.optimizer
        if isinstance(own, AdamOptimizer):
            return np.array([rows, CLIPPED_LOG_LOSS, ADAM, own.beta_1, own.beta_2, 0.0])
        nesterov = own.nesterov and own.momentum > 0.0  # without momentum there is only the plain step
        return np.array([rows, CLIPPED_LOG_LOSS, NESTEROV if nesterov else SGD, own.momentum, 0.0, 0.0])

    def _schedule_rows(self, n: int) -> np.ndarray:
        """(n, 4): what the kernels call rate, keep, l2 and epsilon for the next updates. The l2 is each batch's own.

        Adam's epsilon is added to the root as it is, not to the corrected one.
        """
        rows, own = np.zeros((n, at.SCHEDULE_COLUMNS)), self.optimizer
        rows[:, at.RATE], rows[:, at.KEEP] = own.learning_rate, 1.0
        if isinstance(own, AdamOptimizer):
            t = np.arange(own.t + 1, own.t + n + 1, dtype=np.float64)
            rows[:, at.RATE] = own.learning_rate_init * np.sqrt(1.0 - own.beta_2**t) / (1.0 - own.beta_1**t)
            rows[:, at.EPSILON] = own.epsilon
        return rows

    def epoch(self, order: np.ndarray | None) -> float:
        """One pass in batches, in that order. Returns the mean loss of the rows, with penalties."""
        n, size = len(self.X), self.size
        self.schedule_rows, self.total, self.made = self._schedule_rows(-(-n // size)), 0.0, 0
        parts = slices(n, size)
        visit(((part if order is None else order[part], part.stop - part.start) for part in parts), self._train)
        if isinstance(self.optimizer, AdamOptimizer) and self.made:
            self.optimizer.t += self.made
            self.optimizer.learning_rate = self.schedule_rows[self.made - 1, at.RATE]
        return self.total / n

    def _train(self, part: Any, rows: int) -> None:
        """Train on a batch. Each batch is a call by itself, because its penalty needs the weights before its update."""
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
            penalty = 0.5 * self.alpha * sum(float(np.dot(part, part)) for part in self.weights) / weights
        changed = self.state, self.units, self.pending, self.loss
        kernels = self.engine.kernels
        kernels.network_epochs(
            self.engine.rows(X), y, weight, self.no_mask, step, self.rules[rows], self.layers, *changed
        )
        if weights > 0.0:  # a batch whose weights are all 0 has no loss, changes nothing and is not counted
            self.made += 1
            self.total += (self.loss[0] / weights + penalty) * rows


def outputs(model: Any, X: np.ndarray) -> np.ndarray:
    """(n, n_outputs): the sums of the last layer for each row."""
    table = layer_table(sizes_of(model), OUR_NAMES[model.activation])
    engine, out = ENGINES[model.engine], np.empty((len(X), len(model.intercepts_[-1])))
    params, layers = flatten(model.coefs_, model.intercepts_), np.ascontiguousarray(table)
    units, rows = engine.scratch(table), engine.block_rows(X.shape[1], len(params))
    for start in range(0, len(X), rows):
        part = slice(start, start + rows)
        engine.kernels.network_logits(engine.rows(X[part]), layers, params, units, out[part])
    return out
