"""What an `SGDClassifier` has learned: as arrays that training changes, and as attributes with scikit-learn's names."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

AVERAGING = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")


@dataclass
class Weights:
    """What training changes, a row for each class. Nothing else holds these arrays."""

    coef: np.ndarray  # (k, d)
    intercept: np.ndarray  # (k,)
    means: np.ndarray  # (k, d + 1): of coef and intercept, with `average`
    paid: np.ndarray  # (k, d + 1): the l1 penalty that "strict" goes on with

    @classmethod
    def new(cls, model: Any, n_features: int, coef_init: Any, intercept_init: Any, dtype: Any) -> "Weights":
        """Where a fit begins."""
        k = len(model.classes_) if len(model.classes_) > 2 else 1
        coef, intercept = np.zeros((k, n_features), dtype), np.zeros(k, dtype)
        for name, given, table in (("coef_init", coef_init, coef), ("intercept_init", intercept_init, intercept)):
            if given is not None:
                values = np.asarray(given, dtype=dtype)
                if values.size != table.size or (k > 1 and values.shape != table.shape):
                    what = "``coef_``" if k > 1 and table is coef else name  # as scikit-learn says it
                    raise ValueError(
                        f"Provided {what} does not match dataset. {name} has shape {values.shape}, and {table.shape} "
                        "is needed."
                    )
                table[:] = values.reshape(table.shape)
        return cls._of(coef, intercept, np.zeros((k, n_features + 1), dtype), np.zeros((k, n_features + 1), dtype))

    @classmethod
    def going_on(cls, model: Any) -> "Weights":
        """Where a call of `partial_fit` begins, as copies: the model's arrays may be a user's, or a read-only file."""
        if issparse(model.coef_):
            model.densify()
        averaged = model.average and hasattr(model, "_standard_coef")
        coef, intercept = (
            (model._standard_coef, model._standard_intercept) if averaged else (model.coef_, model.intercept_)
        )
        coef = np.array(coef).reshape(len(intercept), -1)
        means = np.zeros((len(coef), coef.shape[1] + 1), coef.dtype)
        paid = np.array(getattr(model, "_paid", means))
        if averaged:
            means[:, :-1], means[:, -1] = model._average_coef.reshape(coef.shape), model._average_intercept
        return cls._of(coef, np.array(intercept), means, paid)

    @classmethod
    def _of(cls, coef: np.ndarray, intercept: np.ndarray, means: np.ndarray, paid: np.ndarray) -> "Weights":
        """With two classes scikit-learn's intercept is never rounded to float32."""
        return cls(coef, intercept if len(coef) > 1 else intercept.astype(np.float64), means, paid)

    def store(self, model: Any, begin: np.ndarray, averaged_before: bool) -> None:
        """Make attributes of `model`, whose names are scikit-learn's, of what the classes have learned.

        `begin` has the intercepts that they began with. scikit-learn's classes begin with them again in the next call
        once weights are averaged; of more than two classes, that call then shows the last intercepts, not their means.
        """
        averaged, several = is_averaged(model, model.t_), len(begin) > 1
        if model.engine != "strict":
            if several and averaged_before:
                self.means[:, -1] = self.intercept
            if averaged_before if several else averaged:
                self.intercept = begin
        for name in (*AVERAGING, "_paid"):
            model.__dict__.pop(name, None)
        means = self.means[:, :-1].copy(), self.means[:, -1].copy()
        if model.average:
            flat = slice(None) if several else 0  # of two classes they are flat there
            model._standard_coef, model._standard_intercept = self.coef[flat].copy(), self.intercept.copy()
            model._average_coef, model._average_intercept = means[0][flat].copy(), means[1].copy()
        if self.paid.any():
            model._paid = self.paid
        model.coef_, model.intercept_ = means if averaged else (self.coef, self.intercept)


def is_averaged(model: Any, t: float) -> bool:
    """Whether `coef_` is a mean after t - 1 rows."""
    return bool(model.average and model.average <= t - 1.0)
