"""scikit-learn's scores of the rows of early stopping, with the same bits, but without its checks after each epoch.

A score takes scikit-learn 0.5 to 1 ms, an epoch of 1,000 rows of 10 inputs less than 0.1 ms.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score

Score = Callable[[np.ndarray, float], float]  # of weights and a bias


def accuracy(labels: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """`sklearn.metrics.accuracy_score`: the share of right predictions, by weight."""
    if labels.ndim > 1 or _weighs_nothing(sample_weight):  # several labels a row, or an error
        return float(accuracy_score(labels, predicted, sample_weight=sample_weight))
    return float(np.average(labels == predicted, weights=sample_weight))


def r2(numbers: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """`sklearn.metrics.r2_score`: the part of the variance that is explained, by weight; the mean over the targets."""
    value = plain_r2(numbers, predicted, sample_weight)
    return float(r2_score(numbers, predicted, sample_weight=sample_weight)) if value is None else value


def plain_r2(numbers: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None) -> float | None:
    """`r2` of floats; None if something is 0 or not finite, for which scikit-learn has a warning or an error."""
    if len(numbers) < 2 or _weighs_nothing(sample_weight):
        return None
    known = [part for part in (numbers, predicted, sample_weight) if part is not None]
    kind = np.result_type(*(part.dtype for part in known if part.dtype.kind == "f"))  # whole weights do not count
    y, z, *weight = (part.astype(kind, copy=False).reshape(len(part), -1) for part in known)
    factor = weight[0] if weight else 1.0
    with np.errstate(all="ignore"):
        missed = (factor * (y - z) ** 2).sum(axis=0)
        mean = np.average(y, axis=0, weights=weight[0][:, 0] if weight else None)
        varied = (factor * (y - mean) ** 2).sum(axis=0)
    if not (missed.all() and varied.all() and np.isfinite(missed).all()):
        return None
    return float(np.average(1 - missed / varied))


def _weighs_nothing(sample_weight: np.ndarray | None) -> bool:
    return sample_weight is not None and not sample_weight.sum() > 0.0


class Checked:
    """Our score, used once its first value has equalled scikit-learn's. Until then, and if ours is None,
    scikit-learn's is used."""

    def __init__(self, theirs: Score, ours: Callable[[np.ndarray, float], float | None]) -> None:
        self.theirs, self.ours = theirs, ours
        self.is_same: bool | None = None  # not known yet

    def __call__(self, weights: np.ndarray, bias: float) -> float:
        value = None if self.is_same is False else self.ours(weights, bias)
        if value is not None and self.is_same:
            return value
        theirs = self.theirs(weights, bias)
        if value is not None:
            self.is_same = value == theirs
        return theirs


def held_out_score(
    model: Any, held: np.ndarray | None, X: Any, y: np.ndarray, weight: np.ndarray, classes: Any = None
) -> Score | None:
    """The score of the held-out rows after an epoch: what an SGD model's `_make_validation_score_cb` makes, faster.

    It is None if the model holds no rows out.

    `classes`, if there are any, are -1 and 1. For subclasses that score or predict in another way, scikit-learn's
    function calls what they have.
    """
    theirs: Score | None = model._make_validation_score_cb(held, X, y, weight, classes=classes)
    mixin, kind = (RegressorMixin if classes is None else ClassifierMixin), type(model)
    usual = next(each for each in kind.__mro__ if each.__module__.startswith("tinynet_fast."))
    as_usual = kind.score is mixin.score and all(
        getattr(kind, name, None) is getattr(usual, name, None)
        for name in ("predict", "decision_function", "_decision_function", "_make_validation_score_cb")
    )
    if theirs is None or held is None or not as_usual:
        return theirs
    X, y, weight = X[held], y[held], weight[held]

    def ours(weights: np.ndarray, bias: float) -> float | None:
        sums = np.asarray(X @ weights.reshape(1, -1).T + np.atleast_1d(bias)).reshape(-1)  # as scikit-learn predicts
        if classes is None:
            return plain_r2(y, sums, weight)
        return accuracy(y, classes[(sums > 0.0).astype(np.intp)], weight)

    return Checked(theirs, ours)
