"""Rows whose labels are known, with a model's probabilities for them. Pictures of a model's quality show these."""

from typing import Any, NamedTuple

import numpy as np

from tinynet_fast.models import MLP, Neuron


class Judged(NamedTuple):
    """The rows' probabilities of each label, (n, k), and the places of their true labels, (n,)."""

    labels: np.ndarray
    probabilities: np.ndarray
    codes: np.ndarray
    threshold: float | None

    @property
    def predicted(self) -> np.ndarray:
        """The place of each row's predicted label."""
        if self.threshold is None:
            return self.probabilities.argmax(axis=1)
        return (self.probabilities[:, 1] >= self.threshold).astype(np.intp)

    @property
    def drawn(self) -> list[int]:
        """The places of the labels that have a curve: the second of two, otherwise all."""
        return [1] if len(self.labels) == 2 else list(range(len(self.labels)))


def judge(model: Neuron | MLP | Any, X: Any = None, y: Any = None) -> Judged:
    """Return the rows of a report; or the rows `X` with their true labels `y` and a model's probabilities."""
    known = getattr(model, "judged", None)
    if isinstance(known, Judged):
        if X is not None or y is not None:
            raise ValueError("a report has its rows already: leave X and y out, and name the axes (ax=ax)")
        return known
    if X is None or (y is None and getattr(model, "target", None) is None):
        raise ValueError("pass a report, or a model with rows X and their labels y")
    p = model.label_probabilities(X)
    codes = model.codes(X, y, len(p)).astype(np.intp)
    return Judged(model.labels, p, codes, model.threshold if len(model.labels) == 2 else None)
