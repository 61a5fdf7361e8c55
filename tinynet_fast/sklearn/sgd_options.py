"""The options of an `SGDClassifier`: which of them go together, and those that our own kernels take."""

import warnings
from dataclasses import dataclass
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from tinynet_fast.training.schedules import Penalties, Schedule


def check_options(model: Any, first: bool = True, for_partial_fit: bool = False) -> None:
    """ValueError for options of an `SGDClassifier` that do not go together. Some are checked in the first call only."""
    if model.learning_rate != "auto" and first:
        model._more_validate_params(for_partial_fit=for_partial_fit)
    if model.engine == "strict" and model.loss != "log_loss":
        raise ValueError(f"engine='strict' has no kernel for loss={model.loss!r}: use engine='fast' or 'exact'")
    if model.learning_rate == "auto":
        if model.loss != "log_loss":
            raise ValueError(
                f"learning_rate='auto' is for loss='log_loss', not {model.loss!r}: give a rate as eta0 with "
                "learning_rate='constant'"
            )
        if model.penalty not in ("l2", None):
            raise ValueError(
                f"learning_rate='auto' knows no penalty={model.penalty!r}: use penalty='l2' or None, or give a rate "
                "as eta0 with learning_rate='constant'"
            )
        if not model.fit_intercept:
            raise ValueError(
                "learning_rate='auto' searches with an intercept: use fit_intercept=True, or give a rate as eta0 "
                "with learning_rate='constant'"
            )


def warn_after(model: Any) -> None:
    """scikit-learn's warnings after a fit."""
    if model.tol is not None and model.n_iter_ == model.max_iter:
        warnings.warn(
            "Maximum number of iteration reached before convergence. Consider increasing max_iter to improve the fit.",
            ConvergenceWarning,
            stacklevel=3,
        )
    if model.power_t < 0:
        warnings.warn(
            "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in 1.10. Use values "
            "in the range [0.0, inf) instead.",
            FutureWarning,
            stacklevel=3,
        )


def l1_share(model: Any) -> float:
    """The share of l1 in the penalty; l2 has the rest."""
    return {"l2": 0.0, "l1": 1.0}.get(model.penalty or "", model.l1_ratio or 0.0)


@dataclass(frozen=True)
class SGDOptions:
    """How the neurons of all classes are trained."""

    engine: str
    eta0: float
    schedule: Schedule  # for "adaptive" a constant one, whose rate changes between epochs
    adaptive: bool
    penalties: Penalties
    bias_scale: float
    max_iter: int
    tol: float | None  # None: all epochs run
    n_iter_no_change: int
    shuffle: bool
    verbose: int
    early_stopping: bool

    @classmethod
    def of(cls, model: Any, max_iter: int, tol: float | None) -> "SGDOptions":
        """The options of an `SGDClassifier`."""
        ratio = l1_share(model)
        alpha = float(model.alpha) if model.penalty else 0.0
        name = model.learning_rate if model.learning_rate in ("optimal", "invscaling") else "constant"
        return cls(
            engine=model.engine,
            eta0=float(model.eta0),
            schedule=Schedule(float(model.eta0), name, float(model.power_t), float(model.alpha)),
            adaptive=model.learning_rate == "adaptive",
            penalties=Penalties(alpha * (1.0 - ratio), alpha * ratio, model.average, "log_loss"),
            bias_scale=1.0 if model.fit_intercept else 0.0,
            max_iter=max_iter,
            tol=tol,
            n_iter_no_change=int(model.n_iter_no_change),
            shuffle=bool(model.shuffle),
            verbose=int(model.verbose),
            early_stopping=bool(model.early_stopping),
        )

    @property
    def watches_objective(self) -> bool:
        """Whether the objective of each epoch is needed. To compute it takes up to 3 ns a row."""
        return (self.tol is not None and not self.early_stopping) or self.verbose > 0
