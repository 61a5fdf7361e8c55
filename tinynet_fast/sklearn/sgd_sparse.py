"""`sgd_training.py` for rows stored as CSR: the same rule on the kernels of `kernels/sparse.py`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.kernels import strict
from tinynet_fast.kernels.fast import sparse
from tinynet_fast.sklearn.sgd_training import Fit, Rule

SPARSE_BIAS_SCALE = 0.01  # scikit-learn's: an intercept sees every row, an input that is seldom stored few
BLOCK_VALUES = 1 << 20  # stored values between two chances for Ctrl-C


@dataclass
class SparseTable:
    """The rows of a CSR matrix, or of an array of which every value counts as stored."""

    X: Any
    codes: np.ndarray
    sample_weight: np.ndarray | None
    rule: Rule

    def __post_init__(self) -> None:
        if isinstance(self.X, np.ndarray):
            n, d = self.X.shape
            self.data, self.indices = self.X.ravel(), np.tile(np.arange(d, dtype=np.int32), n)
            self.indptr, self.bias_scale = np.arange(n + 1) * d, 1.0
        else:
            self.data, self.indices = np.ascontiguousarray(self.X.data), np.ascontiguousarray(self.X.indices)
            self.indptr = self.X.indptr.astype(np.int64)
            self.bias_scale = SPARSE_BIAS_SCALE
        self.data = sparse.stored_values(self.data)
        self.largest = sparse.row_bound(self.data, self.indptr, np.ones(1))


class SparseFit(Fit):
    """One class against the rest."""

    table: SparseTable  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.can_be_fast = self.rule.engine == "fast"  # l1 and a slower bias too

    def _prepare(self) -> None:
        table, rule, state = self.table, self.rule, self.state
        n = len(table.indptr) - 1
        self.block_rows = max(1, min(n, BLOCK_VALUES * n // (len(table.data) + n)))
        l2, l1, w = rule.penalties.l2, rule.penalties.l1, state.weights
        scaled, watched = table.bias_scale * rule.bias_scale, float(rule.watches_objective)
        self.kernel_rule = np.array([rule.penalties.loss, scaled, l2, l1, watched])
        self.numbers = np.zeros(8)
        self.numbers[[strict.SCALE, strict.B]] = 1.0
        self.numbers[strict.OWED], self.numbers[strict.MEAN_BIAS] = state.paid[-1], state.means[-1]
        self.numbers[[strict.SQUARE, strict.SIZE]] = float(w @ w), float(np.abs(w).sum())

    def _block(self, rows: Any, n: int) -> float:
        table, state = self.table, self.state
        fast = self._is_fast()
        self.engines.add("fast" if fast else "strict")
        y = self.labels[rows].astype(np.float64)
        weight = self._row_weights(rows, y) if self.weighted else None
        plan = self._plan(n, weight)
        self.row += n
        places = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        self.numbers[strict.OBJECTIVE] = 0.0
        matrix = table.data, table.indices, table.indptr
        arrays = state.weights, state.bias, state.means[:-1], state.paid[:-1], self.numbers
        train = sparse.sgd_sparse_epochs if fast else sparse.sgd_sparse_epochs_exact
        train(*matrix, places, y, plan, self.kernel_rule, *arrays, self.losses)
        return float(self.numbers[strict.OBJECTIVE])

    def _weights(self) -> np.ndarray:
        return self.state.weights * self.numbers[strict.SCALE]

    def parameters(self, averaged: bool) -> np.ndarray:
        weights, means, numbers = self.state.weights.copy(), self.state.means.copy(), self.numbers.copy()
        strict.sparse_rescale(weights, means[:-1], numbers)
        means[-1] = numbers[strict.MEAN_BIAS]
        return means if averaged else np.append(weights, self.state.bias)

    def settle(self) -> None:
        strict.sparse_rescale(self.state.weights, self.state.means[:-1], self.numbers)
        self.state.means[-1], self.state.paid[-1] = self.numbers[strict.MEAN_BIAS], self.numbers[strict.OWED]
