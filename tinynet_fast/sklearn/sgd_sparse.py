"""`sgd_training.py` for rows stored as CSR: the same on the kernels of `kernels/fast/sparse.py`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model._base import SPARSE_INTERCEPT_DECAY

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels import strict
from tinynet_fast.kernels.engines import FAST
from tinynet_fast.kernels.fast import sparse
from tinynet_fast.sklearn.sgd_options import SGDOptions
from tinynet_fast.sklearn.sgd_training import OneClass

BLOCK_VALUES = 1 << 20  # stored values of a block; Ctrl-C acts between blocks


@dataclass
class SparseTable:
    """The rows of a CSR matrix, or of an array, whose values all count as stored."""

    X: Any
    codes: np.ndarray
    sample_weight: np.ndarray | None
    options: SGDOptions

    def __post_init__(self) -> None:
        if isinstance(self.X, np.ndarray):
            n, d = self.X.shape
            self.data, self.indices = self.X.ravel(), np.tile(np.arange(d, dtype=np.int32), n)
            self.indptr, self.bias_scale = np.arange(n + 1) * d, 1.0
        else:
            self.data, self.indices = np.ascontiguousarray(self.X.data), np.ascontiguousarray(self.X.indices)
            self.indptr = self.X.indptr.astype(np.int64)
            # every row moves the intercept, but few rows move the weight of a rare input
            self.bias_scale = SPARSE_INTERCEPT_DECAY
        self.data = sparse.stored_values(self.data)
        self.largest = FAST.row_bound(self)


class SparseClass(OneClass):
    """One class against the rest."""

    table: SparseTable  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.has_fast_kernel, self.plain = True, False  # for l1 and a slower bias too
        self.scales = np.ones(at.SPARSE_STATE)  # until `_prepare`

    def _prepare(self) -> None:
        table, options, arrays = self.table, self.options, self.arrays
        n = len(table.indptr) - 1
        self.block_rows = max(1, min(n, BLOCK_VALUES * n // (len(table.data) + n)))
        self.rule = options.penalties.rule(table.bias_scale * options.bias_scale)
        self.rule[at.WATCHED] = float(options.watches_objective)
        self.scales = np.zeros(at.SPARSE_STATE)
        self.scales[[at.SCALE, at.B]] = 1.0
        self.scales[at.OWED], self.scales[at.MEAN_BIAS] = arrays.paid[-1], arrays.means[-1]
        self.scales[[at.SQUARE, at.SIZE]] = self.first_norms()

    def _train(self, rows: Any, n: int) -> None:
        table, arrays, engine = self.table, self.arrays, self.engine_now()
        y = self.labels[rows].astype(np.float64)
        weight = self.row_weights(rows, y) if self.weighted else None
        schedule_rows = self._schedule_rows(n, weight)
        self.row += n
        places = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        self.scales[at.OBJECTIVE] = 0.0
        matrix = table.data, table.indices, table.indptr
        changed = arrays.weights, arrays.bias, arrays.means[:-1], arrays.paid[:-1], self.scales
        engine.sgd_sparse_epochs(*matrix, places, y, schedule_rows, self.rule, *changed, self.losses)
        self.total += float(self.scales[at.OBJECTIVE])

    def _weights(self) -> np.ndarray:
        return self.arrays.weights * self.scales[at.SCALE]

    def parameters(self, averaged: bool) -> np.ndarray:
        weights, means, scales = self.arrays.weights.copy(), self.arrays.means.copy(), self.scales.copy()
        strict.sparse_rescale(weights, means[:-1], scales)
        means[-1] = scales[at.MEAN_BIAS]
        return means if averaged else np.append(weights, self.arrays.bias)

    def settle(self) -> None:
        arrays, scales = self.arrays, self.scales
        strict.sparse_rescale(arrays.weights, arrays.means[:-1], scales)
        arrays.means[-1], arrays.paid[-1] = scales[at.MEAN_BIAS], scales[at.OWED]
