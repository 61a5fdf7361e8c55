"""Rows whose labels or numbers are known, with what a model says of them. Pictures of a model's quality show these."""

from typing import Any, NamedTuple

import numpy as np

from tinynet_fast.models import MLP, Neuron


class Judged(NamedTuple):
    """The rows' probabilities of each label, (n, k), and the places of their true labels, (n,)."""

    labels: np.ndarray
    probabilities: np.ndarray
    codes: np.ndarray
    threshold: float | None

    def __repr__(self) -> str:
        return f"Judged({len(self.codes):,} rows, {len(self.labels):,} labels)"

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

    def counts(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the different probabilities of label i, the largest first; how many rows have at least each; how many
        of these rows have the label.
        """
        probability = self.probabilities[:, i]
        order = np.argsort(-probability, kind="stable")
        probability, hits = probability[order], np.cumsum(self.codes[order] == i)
        last = np.flatnonzero(np.diff(probability, append=-1.0))  # the last row of each probability
        return probability[last], last + 1.0, hits[last].astype(np.float64)


class JudgedNumbers(NamedTuple):
    """The rows' true numbers and a model's predictions, (n,) each, and the name of the numbers if it is known."""

    name: str | None
    y: np.ndarray
    predictions: np.ndarray

    def __repr__(self) -> str:
        return f"JudgedNumbers({len(self.y):,} rows)"

    @property
    def errors(self) -> np.ndarray:
        """True less predicted."""
        return self.y - self.predictions


def judge(model: Neuron | MLP | Any, X: Any = None, y: Any = None) -> Judged:
    """Return the rows of a report; or the rows `X` with their true labels `y` and a model's probabilities.

    ValueError for numbers.
    """
    known = _known(model, X, y, "labels")
    if isinstance(known, JudgedNumbers) or getattr(model, "numbers", False):
        raise ValueError(
            "this picture is of labels, and the model predicts numbers: draw plots.predictions or plots.residuals"
        )
    if known is not None:
        return known
    p = model.label_probabilities(X)
    codes = model.codes(X, y, len(p)).astype(np.intp)
    return Judged(model.labels, p, codes, model.threshold if len(model.labels) == 2 else None)


def judge_numbers(model: Neuron | MLP | Any, X: Any, y: Any) -> JudgedNumbers:
    """Return the rows of a report; or the rows `X` with their true numbers `y` and a model's predictions.

    ValueError for labels, and for several numbers a row.
    """
    known = _known(model, X, y, "numbers")
    if isinstance(known, Judged) or not (known or getattr(model, "numbers", False)):
        raise ValueError(
            "this picture is of numbers, and the model predicts labels: draw plots.confusion or plots.calibration_curve"
        )
    if known is not None:
        return known
    if model.n_outputs > 1:
        raise ValueError(f"this picture is of one number a row, and the model predicts {model.n_outputs}")
    predictions = model.predict(X)
    true = model.true_numbers(X, y, len(predictions))
    return JudgedNumbers(y if isinstance(y, str) else model.training.get("target"), true, predictions)


def _known(model: Any, X: Any, y: Any, what: str) -> Any:
    """The rows that a report has; None for a model, which must have rows with `what` is true of them."""
    known = getattr(model, "judged", None)
    if isinstance(known, (Judged, JudgedNumbers)):
        if X is not None or y is not None:
            raise ValueError("a report has its rows already: leave X and y out, and name the axes (ax=ax)")
        return known
    if X is None or (y is None and getattr(model, "target", None) is None):
        raise ValueError(f"pass a report, or a model with rows X and their {what} y")
    return None
