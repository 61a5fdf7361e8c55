"""The sorted classes of labels and what they count for, for `SGDClassifier`."""

from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets, unique_labels


def classes_of(y: np.ndarray) -> np.ndarray:
    """The different labels in `y`, sorted; ValueError if they are measurements and not classes.

    Two whole numbers are found by two scans, because `np.unique` took as long as two epochs.
    """
    if y.dtype.kind in "biu" and len(y):
        ends = np.array([y.min(), y.max()])
        if ends[0] < ends[1] and ((y == ends[0]) | (y == ends[1])).all():
            return ends
    check_classification_targets(y)
    return np.asarray(unique_labels(np.unique(y)))  # its dtype is scikit-learn's: str for texts in an array of objects


def check_several(classes: np.ndarray) -> None:
    """ValueError if there are not at least two classes."""
    if len(classes) < 2:
        raise ValueError(f"The number of classes has to be greater than one; got {len(classes)} class")


def check_known(model: Any, y: np.ndarray, classes: Any) -> None:
    """For `partial_fit`: remember the classes that the first call names; ValueError if `y` has another label."""
    _check_partial_fit_first_call(model, classes)
    unknown = np.logical_and.reduce([y != label for label in model.classes_])
    if unknown.any():
        raise ValueError(
            "classes should include all valid labels that can be in y, but "
            f"y holds {y[unknown][0].item()!r}, which is not among the classes {model.classes_.tolist()}"
        )


def class_weights(model: Any, y: np.ndarray) -> np.ndarray:
    """(n_classes,) float64: what a row of each class counts for."""
    if model.class_weight is None:
        return np.ones(len(model.classes_))
    return np.asarray(compute_class_weight(model.class_weight, classes=model.classes_, y=y), dtype=np.float64)
