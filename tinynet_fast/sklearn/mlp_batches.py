"""The batches of an epoch, on our kernels or by scikit-learn's own steps.

The estimators are in `mlp.py` and `mlp_regressor.py`; when to stop is decided in `mlp_epochs.py`.
"""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils import _safe_indexing, gen_batches

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.fast import row_order
from tinynet_fast.kernels.reference import ADAM, NESTEROV, SGD
from tinynet_fast.models.layers import flatten, views
from tinynet_fast.rows.blocks import slices
from tinynet_fast.sklearn.mlp_kernels import KernelNetwork, dense, parameters_of
from tinynet_fast.sklearn.sharing import latest
from tinynet_fast.training.loop import visit


def optimizer_of(model: Any) -> AdamOptimizer | SGDOptimizer:
    """A new optimizer, of scikit-learn's own class."""
    parameters = model.coefs_ + model.intercepts_
    if model.solver == "adam":
        return AdamOptimizer(parameters, model.learning_rate_init, model.beta_1, model.beta_2, model.epsilon)
    momentum = model.momentum, model.nesterovs_momentum
    return SGDOptimizer(parameters, model.learning_rate_init, model.learning_rate, *momentum, model.power_t)


class TheirBatches:
    """Epochs by scikit-learn's own gradient and optimizer, a batch at a time."""

    name = "scikit-learn"

    def leave(self) -> None:
        """There are no more epochs."""

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
        # scikit-learn clips a number with NumPy. By its type, losses of float32 are added up in float64.
        size = self.size if self.model.batch_size == "auto" else np.int64(self.size)
        parts = gen_batches(len(self.y), size)
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


class KernelBatches(KernelNetwork):
    """Epochs on our kernels.

    The model's parameters become views of one array, which the kernels change, and so do the means of gradients that
    its optimizer keeps.

    Attributes
    ----------
    plain : bool
        Whether no row has a weight or a loss of its own kind, and none is sparse: several batches can go in one call.
    company : Company or None
        The networks that may be trained in the same pass (`mlp_lanes.py`).
    """

    def __init__(self, model: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, size: int) -> None:
        super().__init__(model, X, y, sample_weight)
        self.company: Any = None
        self.size, self.optimizer, self.layers = size, model._optimizer, self.table
        self._share_memory(model)
        n, self.at_once = len(self.y), size
        self.plain = sample_weight is None and self.constants is None and not issparse(X)
        if self.plain and self.engine.can("network_passes"):
            most = min(self.engine.block_rows(X.shape[1], 3 * self.state.shape[1]), n)
            self.at_once = max(most // size, 1) * size
        self.ones, self.losses = np.ones(size), np.zeros(1)
        self.gathered = np.empty((self.at_once, X.shape[1]), self.X.dtype), np.empty((self.at_once, *self.y.shape[1:]))
        self.rules = {rows: self._rule(rows) for rows in {size, n % size or size}}

    def _share_memory(self, model: Any) -> None:
        weights, optimizer, k = model.coefs_, self.optimizer, len(model.coefs_)
        kept = optimizer.__dict__
        names = ("ms", "vs") if isinstance(optimizer, AdamOptimizer) else ("velocities",)
        parameters = parameters_of(model)
        self.state = np.zeros((at.STATE_ROWS, len(parameters)))
        self.state[at.PARAMETERS] = parameters
        for row, name in zip((at.FIRST, at.SECOND), names, strict=False):
            self.state[row] = flatten(kept[name][:k], kept[name][k:])
            kept[name] = self._follow(self.state[row])
        found = self._follow(self.state[at.PARAMETERS])
        model.coefs_, model.intercepts_ = found[:k], found[k:]
        self.parameters = found
        self.weights = [part.ravel() for part in views(self.state[at.PARAMETERS], self.table)[0]]
        # After early stopping the best weights are these, and scikit-learn's change with them.
        if getattr(model, "_best_coefs", None) is weights:
            model._best_coefs, model._best_intercepts = model.coefs_, model.intercepts_

    def _follow(self, row: np.ndarray) -> list[np.ndarray]:
        """Weights and then biases as views of a row of the state."""
        return [part for layers in views(row, self.table) for part in layers]

    def _rule(self, rows: int) -> np.ndarray:
        """What the kernels call `rule`."""
        own = self.optimizer
        if isinstance(own, AdamOptimizer):
            return np.array([rows, self.loss, ADAM, own.beta_1, own.beta_2, self.shape])
        nesterov = own.nesterov and own.momentum > 0.0  # without momentum there is only the plain step
        return np.array([rows, self.loss, NESTEROV if nesterov else SGD, own.momentum, 0.0, self.shape])

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
        found: float | None = None if self.company is None else self.company.epoch(self, order)
        if found is not None:
            return found
        self.begin()
        parts = slices(len(self.y), self.at_once)
        if self.at_once > self.size:
            visit(((part, order) for part in parts), self._train_batches)
        else:
            visit(((part if order is None else order[part], part.stop - part.start) for part in parts), self._train)
        return self.end()

    def begin(self) -> None:
        """Start an epoch: how its updates step, and nothing trained yet."""
        self.schedule_rows, self.total, self.made = self._schedule_rows(-(-len(self.y) // self.size)), 0.0, 0

    def end(self) -> float:
        """End an epoch. Returns the mean loss of its rows, with penalties."""
        if isinstance(self.optimizer, AdamOptimizer) and self.made:
            self.optimizer.t += self.made
            self.optimizer.learning_rate = self.schedule_rows[self.made - 1, at.RATE]
        return self.total / len(self.y)

    def leave(self) -> None:
        """There are no more epochs."""
        if self.company is not None:
            self.company.leave(self)

    def _batch(self, part: Any, rows: int, kept: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The rows of a batch, or of several, and what is true of them, one after another; in new memory if `kept`."""
        if issparse(self.X):
            return dense(self.X, part), self.y[part]
        if isinstance(part, slice):
            return self.X[part], self.y[part]
        X, y = (np.empty_like(memory[:rows]) if kept else memory[:rows] for memory in self.gathered)
        if self.y.ndim == 1:
            row_order.gather(self.X, self.y, part, X, y)
        else:
            np.take(self.X, part, axis=0, out=X, mode="clip")
            np.take(self.y, part, axis=0, out=y, mode="clip")
        return X, y

    def _train(self, part: Any, rows: int) -> None:
        """Train on a batch. It is a call by itself, because its penalty needs the weights before its update."""
        X, y = self._batch(part, rows)
        weight, weights = self.ones[:rows], float(rows)
        if self.sample_weight is not None:
            weight = self.sample_weight[part]
            weights = float(weight.sum())
        step = self.schedule_rows[self.made : self.made + 1]
        self.losses[0] = squares = 0.0
        if self.alpha and weights > 0.0:
            step[0, at.L2] = self.alpha / weights
            squares = sum(float(np.dot(part, part)) for part in self.weights)
        given = y.reshape(-1), weight, self.no_mask, step, self.rules[rows], self.layers
        changed = self.state, self.units, self.pending, self.losses
        self.engine.kernels.network_epochs(self.engine.rows(X), *given, *changed)
        if weights > 0.0:  # a batch whose weights are all 0 has no loss, changes nothing and is not counted
            self.made += 1
            self.total += self.mean_loss(float(self.losses[0]), part, weight, weights, squares) * rows

    def rows(self, part: slice, order: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The rows of several batches, in the order of the epoch, and what is true of them."""
        if order is None:
            return self._batch(part, part.stop - part.start)
        name, arrays = ("rows", part.start, part.stop), (self.X, self.y, order)
        return latest(name, arrays, lambda kept: self._batch(order[part], part.stop - part.start, kept))

    def batch_sizes(self, rows: int) -> np.ndarray:
        """(batches,) float64: how many rows each batch has, the last of which may be shorter."""
        sizes = np.full(-(-rows // self.size), float(self.size))
        sizes[-1] = rows - self.size * (len(sizes) - 1)
        return sizes

    def add_losses(self, losses: np.ndarray, squares: np.ndarray, sizes: np.ndarray) -> None:
        """Count several batches, with the kernels' losses of each, and the squared weights before its update."""
        self.made += len(sizes)
        self.total += float((self.mean_loss(losses, None, None, sizes, squares) * sizes).sum())

    def _train_batches(self, part: slice, order: np.ndarray | None) -> None:
        """Train on several batches in one call: the same updates. Rows have no sample weights."""
        X, y = self.rows(part, order)
        sizes = self.batch_sizes(part.stop - part.start)
        steps = self.schedule_rows[self.made : self.made + len(sizes)]
        steps[:, at.L2] = self.alpha / sizes
        losses, squares = np.zeros((2, len(sizes)))
        given = y.reshape(-1), self.ones, self.no_mask, steps, self.rules[self.size], self.layers
        changed = self.state, self.units, self.pending, losses, squares
        self.engine.kernels.network_passes(self.engine.rows(X), *given, *changed)
        self.add_losses(losses, squares, sizes)
