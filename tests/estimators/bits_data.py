"""The rows that `bits.py` trains on: real tables, made ones, odd ones, in all the forms that scikit-learn takes."""

from functools import cache

import numpy as np
from samples import drawn
from scipy import sparse
from sklearn import datasets
from sklearn.preprocessing import scale

WORDS = np.array(["low", "middle", "high", "top", "none", "other", "rest"])


def _two(X, y):
    return X[y < 2], y[y < 2]


def _every(X, y, step):
    return X[::step], y[::step]


def _collinear(n, seed):
    X, y, _ = drawn(n, 1, 2, seed)
    return X * np.array([1.0, 2.0, -3.0]), y


def _constant_columns(n, seed):
    X, y, _ = drawn(n, 5, 3, seed)
    X[:, 1], X[:, 3] = 7.0, 0.0
    return X, y


def _rare(n, seed):
    X, _, rng = drawn(n, 6, 2, seed)
    return X, (rng.random(n) < 0.05) | (np.arange(n) < 2)


CLASSES = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "iris, two": lambda: _two(*datasets.load_iris(return_X_y=True)),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "wine, scaled": lambda: (scale(datasets.load_wine().data), WORDS[datasets.load_wine().target]),
    "wine, two": lambda: _two(*datasets.load_wine(return_X_y=True)),
    "cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "cancer, scaled": lambda: (scale(datasets.load_breast_cancer().data), WORDS[datasets.load_breast_cancer().target]),
    "digits": lambda: _every(*datasets.load_digits(return_X_y=True), 3),
    "digits, scaled": lambda: _every(scale(datasets.load_digits().data), datasets.load_digits().target, 4),
    "digits, two": lambda: _two(*datasets.load_digits(return_X_y=True)),
    "one input": lambda: drawn(50, 1, 2, 1)[:2],
    "two rows": lambda: (np.array([[0.5, -1.0, 2.0], [1.5, 1.0, -2.0]]), np.array(["b", "a"])),
    "five rows": lambda: (drawn(5, 2, 2, 3)[0], np.array([3.0, 1.0, 2.0, 1.0, 3.0])),
    "2,000 rows": lambda: drawn(2000, 5, 2, 4)[:2],
    "64 inputs": lambda: drawn(150, 64, 2, 5)[:2],
    "256 inputs": lambda: drawn(100, 256, 3, 6)[:2],
    "17 inputs": lambda: drawn(200, 17, 4, 7)[:2],
    "collinear": lambda: _collinear(80, 8),
    "constant columns": lambda: _constant_columns(90, 9),
    "huge": lambda: (1e6 * drawn(80, 3, 2, 10)[0], drawn(80, 3, 2, 10)[1]),
    "tiny": lambda: (1e-6 * drawn(80, 4, 3, 11)[0], drawn(80, 4, 3, 11)[1]),
    "mixed scales": lambda: (drawn(120, 6, 2, 12)[0] * 10.0 ** np.arange(-3, 3), drawn(120, 6, 2, 12)[1]),
    "one class is rare": lambda: _rare(300, 13),
    "seven words": lambda: (drawn(210, 8, 7, 14)[0], WORDS[drawn(210, 8, 7, 14)[1]]),
    "labels by chance": lambda: (drawn(150, 4, 2, 15)[0], drawn(150, 4, 2, 16)[1] * 2 - 1),
}

# Rows for a few fits alone.
LONG = {"70,000 rows": lambda: drawn(70_000, 2, 2, 17)[:2], "9,000 rows": lambda: drawn(9_000, 16, 3, 18)[:2]}

TARGETS = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "diabetes, scaled": lambda: (scale(datasets.load_diabetes().data), scale(datasets.load_diabetes().target)),
    "line": lambda: (drawn(60, 1, 2, 20)[0], 3.0 * drawn(60, 1, 2, 20)[0][:, 0] - 1.0),
    "two rows": lambda: (np.array([[0.5, -1.0], [1.5, 1.0]]), np.array([1.0, -2.0])),
    "2,000 rows": lambda: _target(2000, 5, 21),
    "64 inputs": lambda: _target(150, 64, 22),
    "256 inputs": lambda: _target(100, 256, 23),
    "17 inputs": lambda: _target(200, 17, 24),
    "collinear": lambda: (_collinear(80, 25)[0], np.sin(np.arange(80.0))),
    "constant columns": lambda: (_constant_columns(90, 26)[0], np.arange(90.0) / 90),
    "huge": lambda: (1e6 * drawn(80, 3, 2, 27)[0], drawn(80, 3, 2, 27)[0] @ [1.0, 2.0, 3.0]),
    "tiny": lambda: (1e-6 * drawn(80, 4, 2, 28)[0], 1e-3 * drawn(80, 4, 2, 29)[0][:, 1]),
    "huge targets": lambda: (drawn(80, 4, 2, 30)[0], 1e6 * drawn(80, 4, 2, 30)[0][:, 1]),
    "whole targets": lambda: drawn(120, 6, 5, 31)[:2],
    "float32 targets": lambda: (_target(100, 3, 32)[0], _target(100, 3, 32)[1].astype(np.float32)),
    "one target": lambda: (drawn(50, 3, 2, 33)[0], np.full(50, 2.5)),
    "iris": lambda: (datasets.load_iris().data[:, :3], datasets.load_iris().data[:, 3]),
}


def _target(n, d, seed):
    X, _, rng = drawn(n, d, 2, seed)
    return X, X @ rng.standard_normal(d) / np.sqrt(d) + 0.3 * rng.standard_normal(n) + 1.0


def _thin(X):
    """Two thirds of the values are zero, and so is every seventh row."""
    X = np.where(np.random.RandomState(0).rand(*X.shape) < 2 / 3, 0.0, X)
    X[::7] = 0.0
    return X


def _unsorted(X):
    X = sparse.csr_array(_thin(X))
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        X.indices[start:stop] = X.indices[start:stop][::-1].copy()
        X.data[start:stop] = X.data[start:stop][::-1].copy()
    X.has_sorted_indices = False
    return X


def _with_zeros(X):
    X = sparse.csr_matrix(_thin(X))
    X.data[::3] = 0.0
    return X


def _strided(X):
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def _read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


FORMS = {
    "C": lambda X: np.array(X, order="C"),
    "float32": lambda X: X.astype(np.float32),
    "CSR": lambda X: sparse.csr_array(_thin(X)),
    "F": np.asfortranarray,
    "CSR, float32": lambda X: sparse.csr_matrix(_thin(X).astype(np.float32)),
    "strided": _strided,
    "CSR, unsorted": _unsorted,
    "whole numbers": lambda X: np.rint(np.clip(X, -1e9, 1e9)).astype(np.int64),
    "CSR, stored zeros": _with_zeros,
    "backwards": lambda X: X[::-1, ::-1],
    "CSC": lambda X: sparse.csc_array(_thin(X)),
    "lists": lambda X: X.tolist(),
    "read-only": _read_only,
    "F, float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "COO": lambda X: sparse.coo_matrix(_thin(X)),
    "float16": lambda X: np.clip(X, -6e4, 6e4).astype(np.float16),
    "whole numbers, CSR": lambda X: sparse.csr_array(np.rint(np.clip(_thin(X), -1e9, 1e9)).astype(np.int32)),
}


@cache
def rows(kind, name):
    """X and y of a data set; `kind` is "classifier" or "regressor"."""
    X, y = (CLASSES | LONG if kind == "classifier" else TARGETS | LONG)[name]()
    return np.array(X, float), np.array(y)


def formed(kind, name, form, start=None, stop=None):
    """Some rows of a data set in a form, with their labels."""
    X, y = rows(kind, name)
    return FORMS[form](X[start:stop]), y[start:stop].copy()
