"""The tutorials' tables, and synthetic pass/fail rows of any size. Nothing is read from files or a network."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

BLOCK_ROWS = 65_536  # synthetic rows that share a random stream


class Table(NamedTuple):
    """A small table: `X` (n, n_features) float64, `y` (n,) int64 of 0 (fail) and 1 (pass), the inputs' names.

    If there are numbers to learn, `y` is float64.
    """

    X: np.ndarray
    y: np.ndarray
    features: list[str]

    def __repr__(self) -> str:
        return f"Table({len(self.y):,} rows, inputs {' and '.join(self.features)})"


class PassFail(NamedTuple):
    """Synthetic rows and the neuron that drew their labels: `X`, `y` as float64 0/1, `weights` and `bias`."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    bias: float

    def __repr__(self) -> str:
        return f"PassFail({len(self.y):,} rows of {self.X.shape[1]:,} inputs)"


def _table(labels: list[int], **inputs: list[float]) -> Table:
    X = np.column_stack([np.array(column, np.float64) for column in inputs.values()])
    return Table(X, np.array(labels, np.int64), list(inputs))


def study_hours() -> Table:
    """Four students: hours of study, and whether they passed.

    Examples
    --------
    >>> from tinynet_fast.datasets import study_hours
    >>> X, y, names = study_hours()
    >>> X[:, 0].tolist(), y.tolist()
    ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1])
    """
    return _table([0, 0, 1, 1], study_hours=[1, 2, 3, 4])


def study_and_sleep() -> Table:
    """Ten students: hours of study and of sleep before the test. Sleep makes up for some study, not for all of it.

    Examples
    --------
    >>> from tinynet_fast.datasets import study_and_sleep
    >>> X, y, names = study_and_sleep()
    >>> X.shape, names
    ((10, 2), ['study_hours', 'sleep_hours'])
    """
    return _table(
        [0, 0, 0, 0, 1, 0, 1, 1, 1, 1],
        study_hours=[1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0],
        sleep_hours=[8.0, 5.0, 4.0, 9.0, 8.5, 4.5, 7.0, 6.0, 4.0, 8.0],
    )


def quiz_and_attendance() -> Table:
    """Ten students: quiz score in points of 100, and the share of classes attended. The scales differ greatly.

    Examples
    --------
    >>> from tinynet_fast.datasets import quiz_and_attendance
    >>> X, y, names = quiz_and_attendance()
    >>> X[0].tolist(), names
    ([35.0, 0.6], ['quiz_score', 'attendance'])
    """
    return _table(
        [0, 0, 0, 1, 0, 1, 1, 1, 1, 1],
        quiz_score=[35, 42, 48, 51, 55, 58, 63, 67, 74, 88],
        attendance=[0.60, 0.90, 0.50, 0.85, 0.40, 0.75, 0.95, 0.55, 0.80, 0.70],
    )


def height_weight() -> Table:
    """Four people: height in inches and weight in pounds, each less an average; two groups.

    Examples
    --------
    >>> from tinynet_fast.datasets import height_weight
    >>> X, y, names = height_weight()
    >>> X.tolist(), y.tolist()
    ([[-2.0, -7.0], [5.0, 20.0], [3.0, 12.0], [-7.0, -20.0]], [0, 1, 1, 0])
    """
    return _table([0, 1, 1, 0], height=[-2, 5, 3, -7], weight=[-7, 20, 12, -20])


def exam_scores() -> Table:
    """Six students: hours of study and of sleep before the test, and the score in points of 100: a number to learn.

    Examples
    --------
    >>> from tinynet_fast.datasets import exam_scores
    >>> X, y, names = exam_scores()
    >>> X.shape, y.tolist()
    ((6, 2), [58.0, 62.0, 71.0, 69.0, 83.0, 91.0])
    """
    table = _table([58, 62, 71, 69, 83, 91], study_hours=[1, 2, 3, 4, 5, 6], sleep_hours=[8, 6, 9, 5, 7, 8])
    return table._replace(y=table.y.astype(np.float64))


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
    >>> from tinynet_fast.datasets import make_pass_fail
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
    """The rows of `make_pass_fail`, block by block, for tables larger than memory: (X, y) of at most 65,536 rows.

    Parameters
    ----------
    n_rows, n_features, seed, dtype
        As for `make_pass_fail`.

    Examples
    --------
    >>> from tinynet_fast.datasets import pass_fail_blocks
    >>> [X.shape for X, y in pass_fail_blocks(100_000)]
    [(65536, 2), (34464, 2)]
    """
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
