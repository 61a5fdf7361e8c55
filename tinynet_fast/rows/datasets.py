"""The tutorials' tables, and synthetic pass/fail rows of any size. Nothing is read from a file or a network."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

BLOCK_ROWS = 65_536  # synthetic rows that share a random stream


class Table(NamedTuple):
    """A small table: `X` (n, n_features) float64, `y` (n,) int64 of 0 (fail) and 1 (pass), the inputs' names."""

    X: np.ndarray
    y: np.ndarray
    features: list[str]


class PassFail(NamedTuple):
    """Synthetic rows and the neuron that drew their labels: `X`, `y` as float64 0/1, `weights` and `bias`."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    bias: float


def _table(features: list[str], rows: list[tuple[float, ...]]) -> Table:
    """Rows whose last value is the label."""
    values = np.array(rows, dtype=np.float64)
    return Table(np.ascontiguousarray(values[:, :-1]), values[:, -1].astype(np.int64), features)


def study_hours() -> Table:
    """Four students: hours of study, and whether they passed."""
    return _table(["study_hours"], [(1, 0), (2, 0), (3, 1), (4, 1)])


def study_and_sleep() -> Table:
    """Ten students: hours of study and of sleep before the test. Sleep makes up for some study, not for all of it."""
    return _table(
        ["study_hours", "sleep_hours"],
        [
            (1.0, 8.0, 0),
            (1.5, 5.0, 0),
            (2.0, 4.0, 0),
            (2.0, 9.0, 0),
            (2.5, 8.5, 1),
            (3.0, 4.5, 0),
            (3.5, 7.0, 1),
            (4.0, 6.0, 1),
            (4.5, 4.0, 1),
            (5.0, 8.0, 1),
        ],
    )


def quiz_and_attendance() -> Table:
    """Ten students: quiz score in points of 100, and the share of classes attended. Columns of unlike scale."""
    return _table(
        ["quiz_score", "attendance"],
        [
            (35, 0.60, 0),
            (42, 0.90, 0),
            (48, 0.50, 0),
            (51, 0.85, 1),
            (55, 0.40, 0),
            (58, 0.75, 1),
            (63, 0.95, 1),
            (67, 0.55, 1),
            (74, 0.80, 1),
            (88, 0.70, 1),
        ],
    )


def height_weight() -> Table:
    """Four people: height in inches and weight in pounds, each less an average; two groups."""
    return _table(["height", "weight"], [(-2, -7, 0), (5, 20, 1), (3, 12, 1), (-7, -20, 0)])


def make_pass_fail(n_rows: int, n_features: int = 2, seed: int = 0, dtype: Any = np.float64) -> PassFail:
    """Synthetic pass/fail rows: normal inputs, and labels drawn with the probabilities of a known neuron.

    Parameters
    ----------
    n_rows, n_features : int
    seed : int
        The same seed gives the same rows, and the rows of a smaller table are the first rows of a larger one.
    dtype : float64 or float32
        What the inputs are stored as. The labels are drawn from the stored inputs.

    Returns
    -------
    PassFail
        `X` (n_rows, n_features), `y` (n_rows,) float64 of 0 and 1, the true `weights` (n_features,) and `bias`.

    Examples
    --------
    >>> from tinynet_fast.rows.datasets import make_pass_fail
    >>> rows = make_pass_fail(1000, n_features=3)
    >>> rows.X.shape, rows.y.shape, rows.weights.shape
    ((1000, 3), (1000,), (3,))
    """
    X, y = np.empty((n_rows, n_features), dtype), np.empty(n_rows)
    start = 0
    for X_block, y_block in pass_fail_blocks(n_rows, n_features, seed, dtype):
        X[start : start + len(y_block)], y[start : start + len(y_block)] = X_block, y_block
        start += len(y_block)
    return PassFail(X, y, *_true_neuron(n_features, seed))


def pass_fail_blocks(
    n_rows: int, n_features: int = 2, seed: int = 0, dtype: Any = np.float64
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of `make_pass_fail`, block by block, for tables larger than memory: (X, y) of at most 65,536 rows."""
    weights, bias = _true_neuron(n_features, seed)
    for block, start in enumerate(range(0, n_rows, BLOCK_ROWS)):
        rng = np.random.default_rng([seed, block])
        m = min(BLOCK_ROWS, n_rows - start)
        X = rng.standard_normal((BLOCK_ROWS, n_features))[:m].astype(dtype, copy=False)
        chance = rng.random(BLOCK_ROWS)[:m]
        yield X, (chance < 1.0 / (1.0 + np.exp(-(X @ weights + bias)))).astype(np.float64)


def _true_neuron(n_features: int, seed: int) -> tuple[np.ndarray, float]:
    """Weights under which a row's sum has a standard deviation of about 2 at any width, so that classes overlap."""
    rng = np.random.default_rng([seed, 2**32])
    return rng.standard_normal(n_features) * (2.0 / np.sqrt(n_features)), 0.3
