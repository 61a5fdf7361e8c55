"""The sorted classes of labels, for `SGDClassifier`."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, unique_labels


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
