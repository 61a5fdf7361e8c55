"""The loss of all rows and its gradient on our kernels, for scipy's L-BFGS-B, which `solver="lbfgs"` runs."""

from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.reference import SGD
from tinynet_fast.models.layers import views
from tinynet_fast.rows.blocks import slices
from tinynet_fast.sklearn.mlp_kernels import KernelNetwork, dense
from tinynet_fast.training.loop import visit


class KernelGradient(KernelNetwork):
    """The loss and the gradient of a model's network at any parameters.

    scikit-learn packs all weights and then all biases; the kernels have the weights and the biases of layer after
    layer. `places` says where the kernels have each of scikit-learn's parameters.
    """

    def __init__(self, model: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        super().__init__(model, X, y, sample_weight)
        size = sum((int(inputs) + 1) * int(outputs) for inputs, outputs, _ in self.table)
        self.state = np.zeros((at.STATE_ROWS, size))
        weights, biases = views(np.arange(size), self.table)
        self.n_weights = sum(part.size for part in weights)
        self.places = np.concatenate([part.ravel() for part in (*weights, *biases)])
        n = len(self.y)
        self.rule = np.array([n + 1, self.loss, SGD, 0.0, 0.0, self.shape])  # a row too long: no batch ends
        self.weight = np.ones(n) if self.sample_weight is None else self.sample_weight
        self.total_weight, self.no_step = float(self.weight.sum()), np.empty((0, at.SCHEDULE_COLUMNS))
        self.rows = self.engine.block_rows(X.shape[1], 3 * size)

    def __call__(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean loss and its gradient, in scikit-learn's order, penalty included."""
        self.state[at.PARAMETERS, self.places] = packed
        self.state[at.GRADIENT] = 0.0
        self.pending[:] = 0.0
        self.losses = np.zeros(1)
        visit(((part, part.stop - part.start) for part in slices(len(self.y), self.rows)), self._add)
        weights = packed[: self.n_weights]
        squares = float(np.dot(weights, weights))
        gradient = self.state[at.GRADIENT, self.places]
        gradient[: self.n_weights] += self.alpha * weights
        gradient /= self.total_weight
        total = float(self.losses[0])
        return self.mean_loss(total, slice(None), self.weight, self.total_weight, squares), gradient

    def _add(self, part: slice, rows: int) -> None:
        """Add some rows to the loss and to the gradient."""
        given = self.y[part].reshape(-1), self.weight[part], self.no_mask, self.no_step, self.rule, self.table
        changed = self.state, self.units, self.pending, self.losses
        self.engine.kernels.network_epochs(self.engine.rows(dense(self.X, part)), *given, *changed)
