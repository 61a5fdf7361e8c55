"""Checks of rows and sample weights for the estimators, and rows that are not trained on.

Those are `X_val` and `y_val`, or the rows that early stopping holds out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial, wraps
from inspect import signature
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import log_expit, logsumexp
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import _check_sample_weight, validate_data

from tinynet_fast.rows.arrays import check_finite
from tinynet_fast.rows.frames import training_rows
from tinynet_fast.rows.sparse import is_sparse
from tinynet_fast.rows.values import is_finite

# For scikit-learn's `validate_data`.
ROWS: dict[str, Any] = {"dtype": [np.float64, np.float32], "order": "C"}
ROWS |= {"accept_sparse": "csr", "accept_large_sparse": False}
PLAIN = (str, int, float, type(None), np.number, np.bool_)  # of options that cannot be changed in place
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


class placing:
    """A context: if scikit-learn refuses a value in `X`, its message begins with the place of the first such value."""

    def __init__(self, X: Any, name: str = "X") -> None:
        self.X, self.name = X, name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, (ValueError, TypeError)) or not ABOUT_VALUES.search(str(error)):
            return
        try:
            matrix, _, names = training_rows(self.X, None, name=self.name, sparse=True)
            if not is_sparse(matrix):
                check_finite(matrix, self.name, names)
        except ValueError as place:
            kind = ValueError if isinstance(error, ValueError) else TypeError
            raise kind(f"{place}. {error}") from error


class RemembersOptions:
    """A mixin: options that were found to be right are not checked again, in any estimator of the class.

    scikit-learn's check takes longer than an epoch of 10,000 rows.
    """

    def _validate_params(self) -> None:
        kind: Any = type(self)
        values = [getattr(self, name) for name in _option_names(kind)]
        if not all(isinstance(value, PLAIN) for value in values):
            super()._validate_params()  # type: ignore[misc]
            return
        _check_options(kind, *values)


@cache
def _option_names(kind: Any) -> list[str]:
    return list(kind._get_param_names())


@lru_cache(typed=True)
def _check_options(kind: Any, *values: Any) -> None:
    """scikit-learn's check of an estimator's options. Errors are not remembered."""
    options = dict(zip(_option_names(kind), values, strict=True))
    validate_parameter_constraints(kind._parameter_constraints, options, caller_name=kind.__name__)


def checked_rows(model: Any, X: Any, *y: Any, reset: bool = False, finite: bool = True) -> Any:
    """scikit-learn's `validate_data`, of rows alone or of rows and what they are to learn.

    Arrays that it would return as they are do not go through it, because its questions (is this a frame, and of which
    library?) take ten times as long as predicting a row. It also gets whatever it has to complain of.

    Parameters
    ----------
    model : estimator
    X
        The rows, as given to the estimator.
    *y
        What they are to learn, if that is to be checked too.
    reset : bool
        Whether `n_features_in_` and `feature_names_in_` are set, or compared.
    finite : bool
        Whether `X` must not hold NaN or infinity.
    """
    named, width = hasattr(model, "feature_names_in_"), getattr(model, "n_features_in_", None)
    if (
        are_ready(X)
        and all(_is_ready(each, 1) and len(each) == len(X) and _is_of_numbers(each) for each in y)
        and (reset or (not named and X.shape[1] == width))
        and not (finite and not is_finite(X))
    ):
        if reset:
            model.n_features_in_ = X.shape[1]
            if named:
                del model.feature_names_in_
        return (X, *y) if y else X
    with placing(X):
        return validate_data(model, X, *y, reset=reset, **({} if finite else {"ensure_all_finite": False}), **ROWS)


def are_ready(X: Any) -> bool:
    """Whether rows need no conversion."""
    return _is_ready(X, 2) and X.dtype.char in "df"


def _is_ready(array: Any, ndim: int) -> bool:
    """Whether this is an array of NumPy's own, of `ndim` dimensions, not empty, that needs no conversion."""
    ready = type(array) is np.ndarray and array.ndim == ndim and array.size > 0
    return ready and array.flags.c_contiguous and array.dtype.isnative


def _is_of_numbers(y: np.ndarray) -> bool:
    return y.dtype.kind in "biu" or (y.dtype.char in "df" and is_finite(y))


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


def checked_weights(sample_weight: Any, X: Any, dtype: Any, holds_out: bool) -> np.ndarray | None:
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
