"""A network of scikit-learn's on our kernels: which networks and rows they serve, losses, and the forward pass.

Batches are in `mlp_batches.py`, all rows at once in `mlp_lbfgs.py`.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import xlogy

from tinynet_fast.kernels.engines import ENGINES, FAST, choose, row_limit
from tinynet_fast.kernels.reference import CLIPPED_LOG_LOSS, LEAST, LEAST_SQUARES, POISSON
from tinynet_fast.models.as_sklearn import NAMES
from tinynet_fast.models.layers import flatten, layer_table
from tinynet_fast.sklearn.sharing import once
from tinynet_fast.training.network_start import longest_unit

OUR_NAMES = {theirs: ours for ours, theirs in NAMES.items()}
OUTPUTS = {"logistic": "sigmoid", "softmax": "softmax", "identity": "linear", "exp": "exp"}  # theirs: ours
LOSSES = {"log_loss": CLIPPED_LOG_LOSS, "squared_error": LEAST_SQUARES, "poisson": POISSON}
DENSE = 0.1  # the share of stored values from which on sparse rows are quicker made dense, a batch at a time


def have_kernels(model: Any, X: Any, sample_weight: np.ndarray | None = None) -> bool:
    """Whether our kernels can train a network on some rows: of float64, not too sparse, with no weight below 0.

    The kernels check no bounds, and anyone can assign an array. So if the layers do not fit each other, the answer is
    no, and scikit-learn says what is wrong.
    """
    served = model.engine != "exact" and model.activation in OUR_NAMES
    if issparse(X):
        served = served and X.nnz >= DENSE * X.shape[0] * X.shape[1]
    if sample_weight is not None:
        served = served and not sample_weight.min() < 0.0
    parts = [*model.coefs_, *model.intercepts_]
    sizes = [X.shape[1], *map(len, model.intercepts_)]
    shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
    served = served and list(map(np.shape, parts)) == shapes and sizes[-1] == model.n_outputs_
    parts = [part for part in parts if not (isinstance(part, np.ndarray) and part.dtype == np.float64)]
    return served and X.dtype == np.float64 and not parts


def sizes_of(model: Any) -> list[int]:
    """Inputs, units of each hidden layer, outputs."""
    return [*map(len, model.coefs_), len(model.intercepts_[-1])]


def table_of(model: Any) -> np.ndarray:
    """The kernels' table of the model's layers."""
    table = layer_table(sizes_of(model), OUR_NAMES[model.activation], OUTPUTS[model.out_activation_])
    return np.ascontiguousarray(table)


def parameters_of(model: Any) -> np.ndarray:
    """The kernels' flat parameters, float64."""
    return np.asarray(flatten(model.coefs_, model.intercepts_), dtype=np.float64)


def dense(X: Any, part: Any) -> np.ndarray:
    """Some rows, C-contiguous."""
    return np.ascontiguousarray(X[part].toarray() if issparse(X) else X[part])


class KernelNetwork:
    """A model's network as the kernels take it, rows, what is true of them, and scikit-learn's loss of them.

    Attributes
    ----------
    X : (n, n_features) array, C-contiguous, or CSR
    y : (n,) float64, or (n, n_outputs)
        The number of a row's class, or what each output should be.
    loss, shape : int, float
        The kernels' loss and its shape.
    """

    def __init__(self, model: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        self.alpha, self.table = float(model.alpha), table_of(model)
        self.X = X.tocsr() if issparse(X) else once("contiguous rows", (X,), lambda: np.ascontiguousarray(X))
        classes = model.out_activation_ == "softmax"
        self.y = once("targets", (y,), lambda: _targets(y, classes))
        self.sample_weight = None if sample_weight is None else np.ascontiguousarray(sample_weight, dtype=np.float64)
        self.loss = LOSSES[model.loss]
        self.shape = LEAST if self.loss == CLIPPED_LOG_LOSS else 0.0
        self.scale = 0.5 / model.n_outputs_ if self.loss == LEAST_SQUARES else 1.0
        self.constants = None  # what scikit-learn's loss has beside ours, for each row
        if self.loss == POISSON:
            self.constants = (xlogy(self.y, self.y) - self.y).reshape(len(self.y), -1).sum(axis=1)
        engine = ENGINES[model.engine]
        largest = once("largest row", (X,), lambda: largest_row(self.X)) if engine is FAST else 0.0
        # `strict` if the first sums are so large that `fast` would lose digits
        self.engine = choose(engine, largest, row_limit(longest_unit(parameters_of(model), sizes_of(model))))
        self.name = self.engine.name
        self.units, self.no_mask, self.pending = self.engine.scratch(self.table), np.empty((1, 0)), np.zeros(2)

    def mean_loss(self, total: Any, part: Any, weight: Any, weights: Any, squares: Any) -> Any:
        """scikit-learn's loss of a batch; of several, if these are arrays.

        `total` is the sum of the kernels' losses, `weights` that of the sample weights, and `squares` that of the
        squared weights before the update.
        """
        if self.constants is not None:
            total += float(np.dot(weight, self.constants[part]))
        return (total * self.scale + 0.5 * self.alpha * squares) / weights


def _targets(y: np.ndarray, classes: bool) -> np.ndarray:
    y = y.argmax(axis=1) if classes else y[:, 0] if y.shape[1] == 1 else y
    return np.ascontiguousarray(y, dtype=np.float64)


def largest_row(X: Any) -> float:
    """The largest |x|^2 + 1 of some rows."""
    if issparse(X):
        with np.errstate(over="ignore"):
            return float(np.asarray(X.astype(np.float64).power(2).sum(axis=1)).max(initial=0.0)) + 1.0
    return FAST.row_bound(X)


def outputs(model: Any, X: Any) -> np.ndarray:
    """(n, n_outputs): the sums of the last layer for each row."""
    engine, out = ENGINES[model.engine], np.empty((X.shape[0], len(model.intercepts_[-1])))
    params, layers = parameters_of(model), table_of(model)
    units, rows = engine.scratch(layers), engine.block_rows(X.shape[1], len(params))
    X = X.tocsr() if issparse(X) else X
    for start in range(0, X.shape[0], rows):
        part = slice(start, start + rows)
        engine.kernels.network_logits(engine.rows(dense(X, part)), layers, params, units, out[part])
    return out
