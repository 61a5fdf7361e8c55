"""Turns SciPy's sparse matrices into checked rows for the CSR kernels. Dense rows are in `arrays.py`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.rows.arrays import CHECKED_VALUES, as_matrix, check_table

FIRST_INDEX = "svmlight_first_index"  # a key of `training` in sources and models: the first svmlight index, 0 or 1


@dataclass(frozen=True)
class CSR:
    """Rows whose values are mostly 0.0, read in place: picking rows copies no values.

    Attributes
    ----------
    data : (n_stored,) float64 or float32 array
    indices : (n_stored,) int32 or int64 array
        The input of each stored value. They rise within a row, and none is there twice.
    indptr : (n_stored_rows + 1,) int64 array
        The place at which each row's values start, and the place after the last.
    places : (n,) int64 array
        The stored rows that this table consists of, in order.
    n_features : int
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    places: np.ndarray
    n_features: int

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, part: Any) -> "CSR":
        return replace(self, places=self.places[part])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.places), self.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    @property
    def lengths(self) -> np.ndarray:
        """(n,): how many values each row stores."""
        return self.indptr[self.places + 1] - self.indptr[self.places]

    @property
    def stored(self) -> int:
        """How many values all rows store."""
        return int(self.lengths.sum())

    @property
    def row_values(self) -> int:
        """The mean number of values that a row stores, rounded up and at least 1. The work for a row depends on it."""
        return max(1, -(-self.stored // max(1, len(self))))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the kernels call data, indices, indptr and order."""
        return self.data, self.indices, self.indptr, self.places

    def lists(self) -> tuple[list[float], list[int], list[int], list[int]]:
        """The same for the reference: only these rows, as plain Python numbers."""
        stored, lengths = self._stored(), self.lengths
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        values = self.data[stored].astype(np.float64)
        return values.tolist(), self.indices[stored].tolist(), indptr.tolist(), list(range(len(self)))

    def square_norms(self, divided_by: float = 1.0) -> np.ndarray:
        """(n,): the squared length of each row, its values divided by a number first."""
        values = self.data[self._stored()].astype(np.float64) / divided_by
        return np.bincount(np.repeat(np.arange(len(self)), self.lengths), weights=values**2, minlength=len(self))

    def largest_magnitude(self) -> float:
        return float(np.abs(self.data[self._stored()]).max(initial=0.0))

    def _stored(self) -> np.ndarray:
        """The places of these rows' values in `data`, row after row."""
        lengths = self.lengths
        first = self.indptr[self.places] - (np.cumsum(lengths) - lengths)
        return np.arange(lengths.sum()) + np.repeat(first, lengths)


def empty_csr(n_features: int) -> CSR:
    """No rows, of the types that svmlight files are read as."""
    return CSR(np.empty(0), np.empty(0, np.int32), np.zeros(1, np.int64), np.empty(0, np.int64), n_features)


def concatenated(parts: Sequence[CSR]) -> CSR:
    """The rows of several tables of one width, one table after the other."""
    stored = [part._stored() for part in parts]
    data = np.concatenate([part.data[at] for part, at in zip(parts, stored, strict=True)])
    indices = np.concatenate([part.indices[at] for part, at in zip(parts, stored, strict=True)])
    lengths = np.concatenate([part.lengths for part in parts])
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return CSR(data, indices, indptr, np.arange(len(lengths)), parts[0].n_features)


def stacked(parts: Sequence[Any]) -> Any:
    """The rows of several arrays, or of several CSR tables, of one width."""
    return concatenated(parts) if isinstance(parts[0], CSR) else np.concatenate(parts)


def is_sparse(X: Any) -> bool:
    """Whether `X` is one of SciPy's sparse matrices or arrays, or a table made of one. Imports nothing."""
    if isinstance(X, np.ndarray):
        return False
    scipy = sys.modules.get("scipy.sparse")  # imported, if there is such a matrix
    return isinstance(X, CSR) or (scipy is not None and bool(scipy.issparse(X)))


def as_rows(X: Any, name: str) -> Any:
    """`X` as `CSR` if it is sparse, else what `as_matrix` returns."""
    return as_csr(X, name) if is_sparse(X) else as_matrix(X, name)


def as_csr(X: Any, name: str = "X") -> CSR:
    """A SciPy sparse matrix or array as a checked table of rows; X itself is not changed.

    CSR of float64 or float32 is read in place if the inputs of each row rise and none is stored twice. Other formats
    are converted. Rows that are not in order are copied and sorted, and values that are stored twice are summed. Other
    types of numbers become float32 if that is exact (up to 16 bits), else float64. Without Numba all values become
    float64, for which the library has kernels.

    Raises
    ------
    ValueError
        For NaN, infinity, complex numbers, no rows or columns, and arrays that do not fit together; the message names
        the row and the column.
    """
    if isinstance(X, CSR):
        return X
    if X.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds values of type {X.dtype}: convert them to real numbers first")
    check_table(X.shape, name)
    matrix = X.tocsr()
    n, d = matrix.shape
    indptr = matrix.indptr.astype(np.int64)
    steps = np.diff(indptr)
    stored = int(indptr[-1])
    if (
        len(indptr) != n + 1
        or indptr[0] != 0
        or (steps < 0).any()
        or stored > min(len(matrix.data), len(matrix.indices))
    ):
        raise ValueError(f"{name}.indptr does not fit {name}.data and {name}.indices: build the matrix again")
    data, indices = _one_of(matrix.data[:stored], matrix.indices[:stored])
    rows = CSR(data, indices, indptr, np.arange(n), d)
    if _check(rows, name):
        return rows
    copy = type(matrix)((data.copy(), indices.copy(), indptr.astype(indices.dtype)), shape=matrix.shape)
    copy.sum_duplicates()
    rows = CSR(copy.data, copy.indices, copy.indptr.astype(np.int64), np.arange(n), d)
    _check(rows, name)  # a sum of finite values may be infinite
    return rows


def _one_of(data: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contiguous values and indices, of types that the kernels are compiled for."""
    from tinynet_fast.kernels.fast.sparse import stored_values  # needs Numba, which takes a second

    if not (data.dtype.char in "df" and data.dtype.isnative):
        small = data.dtype.itemsize <= 2 or data.dtype == np.float32
        with np.errstate(over="ignore"):  # a long double that is too large becomes infinite, and is refused as such
            data = data.astype(np.float32 if small else np.float64)
    if not (indices.dtype in (np.int32, np.int64) and indices.dtype.isnative):
        indices = indices.astype(np.int64)
    return stored_values(np.ascontiguousarray(data)), np.ascontiguousarray(indices)


def _check(rows: CSR, name: str) -> bool:
    """Whether the inputs of each row rise; ValueError for values that are not finite and inputs that do not exist.

    With an index beyond the last input, a kernel would read and write memory outside the weights.
    """
    data, indices, indptr = rows.data, rows.indices, rows.indptr
    rising = True
    for start in range(0, len(data), CHECKED_VALUES):
        part = slice(start, start + CHECKED_VALUES)
        finite, inputs = np.isfinite(data[part]), indices[part]
        if not finite.all():
            p = start + int(np.argmin(finite))
            i = int(np.searchsorted(indptr, p, side="right")) - 1
            what = "NaN" if np.isnan(data[p]) else "infinite"
            raise ValueError(f"{name}[{i}, {indices[p]}] is {what}: drop the row or fill the column first")
        if inputs.min() < 0 or inputs.max() >= rows.n_features:
            p = start + int(np.argmax((inputs < 0) | (inputs >= rows.n_features)))
            i = int(np.searchsorted(indptr, p, side="right")) - 1
            raise ValueError(f"{name} stores column {indices[p]} in row {i} and has {rows.n_features}: build it again")
        if rising:
            rises = inputs[1:] > inputs[:-1]
            first, last = np.searchsorted(indptr, [start + 1, start + len(inputs)])
            rises[indptr[first:last] - start - 1] = True  # a row may start anywhere
            if start and start not in indptr[max(first - 1, 0) : first]:
                rising = bool(inputs[0] > indices[start - 1])
            rising = rising and bool(rises.all())
    return rising


def square_norms(X: Any, divided_by: float = 1.0) -> np.ndarray:
    """(n,): the squared length of each row, sparse or dense, its values divided by a number first."""
    return X.square_norms(divided_by) if isinstance(X, CSR) else np.asarray(((X / divided_by) ** 2).sum(axis=1))
