"""What an `SGDClassifier` has learned: as arrays that training changes, and as attributes with scikit-learn's names."""

import math
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
        """The weights that `fit` begins with."""
        k = len(model.classes_) if len(model.classes_) > 2 else 1
        coef, intercept = np.zeros((k, n_features), dtype), np.zeros(k, dtype)
        for name, given, table in (("coef_init", coef_init, coef), ("intercept_init", intercept_init, intercept)):
            if given is not None:
                values = np.asarray(given.toarray() if issparse(given) else given, dtype=dtype)
                flat = values.shape in ((), (1,)) if table is intercept else values.size == table.size
                if values.shape != table.shape and (k > 1 or not flat):
                    what = "``coef_``" if k > 1 and table is coef else name  # as scikit-learn says it
                    raise ValueError(
                        f"Provided {what} does not match dataset. {name} has shape {values.shape}, and {table.shape} "
                        "is needed."
                    )
                table[:] = values.reshape(table.shape)
        return cls._of(coef, intercept, np.zeros((k, n_features + 1), dtype), np.zeros((k, n_features + 1), dtype))

    @classmethod
    def going_on(cls, model: Any, n_features: int) -> "Weights":
        """The weights that a call of `partial_fit` begins with."""
        k = len(model.classes_) if len(model.classes_) > 2 else 1
        coef, intercept, *averages = learned_before(model, (k, n_features), k)
        if model.engine == "strict":
            coef, intercept = coef.astype(np.float64), intercept.astype(np.float64)
        means = np.zeros((k, n_features + 1), coef.dtype)
        paid = copied(model, "_paid", means.shape) if hasattr(model, "_paid") else np.zeros(means.shape)
        if averages:
            means[:, :-1], means[:, -1] = averages
        return cls._of(coef, intercept, means, paid)

    @classmethod
    def _of(cls, coef: np.ndarray, intercept: np.ndarray, means: np.ndarray, paid: np.ndarray) -> "Weights":
        """With two classes scikit-learn's intercept is never rounded to float32."""
        return cls(coef, intercept if len(coef) > 1 else intercept.astype(np.float64), means, paid)

    def store(self, model: Any, begin: np.ndarray, averaged_before: bool) -> None:
        """Store what the classes have learned as attributes of `model`, under scikit-learn's names.

        `begin` has the intercepts that this call began with. Once weights are averaged, the next call begins with the
        same intercepts again, as in scikit-learn. For more than two classes, `intercept_` after that call is then the
        last intercept and not the mean.
        """
        averaged, several = is_averaged(model, model.t_), len(begin) > 1
        if model.engine != "strict":
            if several and averaged_before:
                self.means[:, -1] = self.intercept
            if averaged_before if several else averaged:
                self.intercept = begin
        for name in (*AVERAGING, "_paid"):
            model.__dict__.pop(name, None)
        model.coef_, model.intercept_ = self.coef, self.intercept
        if model.average:
            means, mean_intercept = self.means[:, :-1].copy(), self.means[:, -1].copy()
            model._standard_coef, model._standard_intercept = self.coef, self.intercept
            model._average_coef, model._average_intercept = means, mean_intercept
            if averaged:
                model.coef_, model.intercept_ = means, mean_intercept
            if not several:  # they are flat there
                model._standard_coef, model._average_coef = self.coef[0], means[0]
        if model.engine == "strict" and self.paid.any():
            model._paid = self.paid


def learned_before(model: Any, shape: tuple[int, ...], k: int) -> list[np.ndarray]:
    """Copies of the weights and intercepts that training goes on from and, if they are averaged, of their means."""
    averaged = model.average and getattr(model, "_standard_coef", None) is not None
    names = AVERAGING if averaged else ("coef_", "intercept_")
    return [copied(model, name, (k,) if "intercept" in name else shape) for name in names]


def copied(model: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A copy of an attribute that training goes on from, dense and in C order; ValueError if it does not fit.

    It is a copy because the array may belong to the user, or be a read-only file. Its shape and values are checked
    because anyone can assign the attribute, and kernels check nothing.
    """
    value = getattr(model, name)
    if issparse(value):
        value = value.toarray()
    array = np.array(value, order="C")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.size != math.prod(shape):
        raise ValueError(f"{name} has shape {np.shape(value)}, and {shape} fits these rows: call fit to start anew")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: call fit to start anew")
    return array.reshape(shape)


def is_averaged(model: Any, t: float) -> bool:
    """Whether `coef_` is a mean after t - 1 rows."""
    return bool(model.average and model.average <= t - 1.0)
