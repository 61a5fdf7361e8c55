"""Checks of rows and sample weights for the estimators, and rows that are not trained on.

Those are `X_val` and `y_val`, or the rows that early stopping holds out.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from inspect import signature
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import log_expit, logsumexp
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight, validate_data

from tinynet_fast.rows.arrays import check_finite
from tinynet_fast.rows.frames import training_rows
from tinynet_fast.rows.sparse import is_sparse

# For scikit-learn's `validate_data`.
ROWS: dict[str, Any] = {"dtype": [np.float64, np.float32], "order": "C"}
ROWS |= {"accept_sparse": "csr", "accept_large_sparse": False}
ALLOWS_ZEROS = "allow_all_zero_weights" in signature(_check_sample_weight).parameters
ABOUT_VALUES = re.compile("NaN|infinity|could not (be )?(convert|promote)|must be a")  # scikit-learn's words for values


@dataclass
class Validation:
    """Rows, the numbers of their classes, their sample weights, and their loss after each epoch."""

    X: Any
    codes: np.ndarray
    weight: np.ndarray | None
    losses: list[float] = field(default_factory=list)

    def add(self, logs: np.ndarray) -> None:
        """Add the mean cross-entropy, from the logarithms of the model's probabilities, (n, n_classes)."""
        self.losses.append(float(-np.average(logs[np.arange(len(logs)), self.codes], weights=self.weight)))


def log_probabilities(sums: np.ndarray) -> np.ndarray:
    """(n, n_classes): logarithms of the probabilities, from (n, 1) sums, or (n, n_classes) of each against the rest."""
    if sums.shape[1] == 1:
        return log_expit(np.hstack([-sums, sums]))
    logs = log_expit(sums)
    return logs - logsumexp(logs, axis=1, keepdims=True)


def whole_or_not(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let `fit` or `partial_fit` leave the estimator as it was if it fails or is interrupted.

    It is enough to give the attributes back, because training copies the arrays that it changes.
    """

    @wraps(method)
    def called(self: Any, *arguments: Any, **named: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, *arguments, **named)
        except BaseException:
            now = {name: value for name, value in vars(self).items() if "callback" in name}  # scikit-learn ends these
            vars(self).clear()
            vars(self).update(before | now)
            raise

    return called


@contextmanager
def placing(X: Any, name: str = "X") -> Iterator[None]:
    """If scikit-learn refuses a value in `X`, begin its message with the row and the column of the first such value."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if not ABOUT_VALUES.search(str(error)):
            raise
        try:
            matrix, _, names = training_rows(X, None, name=name, sparse=True)
            if not is_sparse(matrix):
                check_finite(matrix, name, names)
        except ValueError as place:
            kind = ValueError if isinstance(error, ValueError) else TypeError
            raise kind(f"{place}. {error}") from error
        raise


def checked_matrix(X: Any) -> Any:
    """Return rows that are safe for a kernel, which checks no bounds. ValueError if a CSR matrix is not valid.

    The arrays of a CSR matrix are made contiguous.
    """
    if not issparse(X):
        return X
    indices, indptr = X.indices, X.indptr
    in_range = not len(indices) or (indices.min() >= 0 and indices.max() < X.shape[1])
    if not in_range or indptr[-1] > min(len(X.data), len(indices)) or (np.diff(indptr) < 0).any():
        X.check_format(full_check=True)  # says what is wrong
        raise ValueError("X is a CSR matrix whose parts do not fit each other: build it again")
    parts = tuple(map(np.ascontiguousarray, (X.data, indices, indptr)))
    return X if all(a is b for a, b in zip(parts, (X.data, indices, indptr), strict=True)) else type(X)(parts, X.shape)


def checked_weights(sample_weight: Any, X: Any, dtype: Any, holds_out: bool = False) -> np.ndarray | None:
    """The sample weights of rows to train on; ValueError if all are 0.

    With early stopping (`holds_out`), scikit-learn's own error comes later, for the rows held out.
    """
    if sample_weight is None:
        return None
    later: dict[str, Any] = {"allow_all_zero_weights": True} if holds_out and ALLOWS_ZEROS else {}
    checked: np.ndarray = _check_sample_weight(sample_weight, X, dtype=dtype, **later)
    if not holds_out and not checked.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return checked


def validation_rows(
    model: Any, X_val: Any, y_val: Any, sample_weight_val: Any, how: dict[str, Any]
) -> Validation | None:
    """The rows given as `X_val`, `y_val` and `sample_weight_val`, checked against `model.classes_`; None if none are.

    `how` is what `validate_data` takes of the rows.
    """
    found = _checked_validation(model, X_val, y_val, sample_weight_val, how, column_or_1d)
    if found is None:
        return None
    X, y, weight = found
    unknown = np.logical_and.reduce([y != label for label in model.classes_])
    if unknown.any():
        row = int(unknown.argmax())
        raise ValueError(
            f"y_val[{row}] is {y[row]}, which is not among the classes {model.classes_.tolist()}: leave the row out"
        )
    return Validation(X, np.searchsorted(model.classes_, y), weight)


def validation_numbers(
    model: Any, X_val: Any, y_val: Any, sample_weight_val: Any, how: dict[str, Any]
) -> tuple[Any, np.ndarray, np.ndarray, Any] | None:
    """The rows given, their numbers, these again as (n, n_outputs), and sample weights; None if none are given."""
    checked = partial(check_array, ensure_2d=False, dtype=np.float64, input_name="y_val")
    found = _checked_validation(model, X_val, y_val, sample_weight_val, how, checked)
    if found is None:
        return None
    X, y, weight = found
    columns = 1 if y.ndim == 1 else y.shape[1]
    if columns != model.n_outputs_:
        raise ValueError(f"y_val has {columns} columns and y has {model.n_outputs_}: give a number for each output")
    return X, y, y.reshape(len(y), -1), weight


def _checked_validation(
    model: Any,
    X_val: Any,
    y_val: Any,
    sample_weight_val: Any,
    how: dict[str, Any],
    checked: Callable[[Any], np.ndarray],
) -> tuple[Any, np.ndarray, np.ndarray | None] | None:
    """Rows, what is true of them (as `checked` has it), and sample weights; None if nothing is given."""
    if X_val is None and y_val is None and sample_weight_val is None:
        return None
    for name, value in (("X_val", X_val), ("y_val", y_val)):
        if value is None:
            raise ValueError(f"{name} is missing: X_val and y_val are given together or not at all")
    try:
        with placing(X_val, "X_val"):
            X = validate_data(model, X_val, reset=False, **how)
        y = checked(y_val)
        check_consistent_length(X, y)
        weight = None if sample_weight_val is None else _check_sample_weight(sample_weight_val, X, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"X_val, y_val: {error}") from error
    if weight is not None and not weight.sum() > 0.0:
        raise ValueError("sample_weight_val must add up to more than 0: at least one row must count")
    return X, y, weight


def check_counts(loss: str, y: np.ndarray, name: str = "y") -> None:
    """ValueError that names the place if the loss is Poisson's and a number is below 0."""
    if loss == "poisson" and (y < 0.0).any():
        place = np.unravel_index(int((y < 0.0).argmax()), y.shape)
        raise ValueError(
            f"{name}[{', '.join(map(str, place))}] is {y[place]}, and loss='poisson' is for counts, which are at least "
            "0: use loss='squared_error'"
        )
