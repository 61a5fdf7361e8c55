"""The loss that a user asks for, checked: its code and shape for the kernels, and how long its steps may be."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tinynet_fast.kernels.point_functions import FOCAL, LOSSES, POISSON, loss_slope, sigmoid
from tinynet_fast.training.checks import check_at_least_zero, check_one_of, check_rate

LABELS, LINEAR = "labels", "linear"  # what is predicted: labels, or numbers by a linear output
DEFAULT = {LABELS: "log_loss", LINEAR: "squared_error"}


@dataclass(frozen=True)
class ChosenLoss:
    """A loss and its shape.

    Attributes
    ----------
    name : str
        As in the options.
    of : {"labels", "linear"}
        What is predicted.
    code : int
        Of the kernels.
    shape_name : str or None
        The option that gives the loss its shape.
    shape : float
        What that option says; 0.0 if the loss has none.
    steepest : float
        The largest second derivative of the loss by a neuron's sum; infinity if there is none.
    """

    name: str
    of: str
    code: int
    shape_name: str | None
    shape: float
    steepest: float

    @property
    def bound(self) -> float:
        """A step does not overshoot while step * (|x|**2 + 1) is at most this; 0.0 if no bound is known."""
        return 2.0 / self.steepest

    @property
    def is_of_counts(self) -> bool:
        """Whether numbers must not be below 0."""
        return self.code == POISSON

    def options(self) -> dict[str, Any]:
        """For the model's file."""
        return {"loss": self.name} | ({self.shape_name: self.shape} if self.shape_name else {})


def choose_loss(
    loss: Any = None, of: str = LABELS, *, delta: Any = 1.0, quantile: Any = 0.5, gamma: Any = 2.0
) -> ChosenLoss:
    """The loss of that name for what is predicted, the usual one if there is no name; ValueError if it is none."""
    if loss is None:
        loss = DEFAULT[of]
    other = LINEAR if of == LABELS else LABELS
    if isinstance(loss, str) and loss in LOSSES[other] and loss not in LOSSES[of]:
        what, remedy = ("numbers", "output='linear'") if of == LABELS else ("labels", "no output='linear'")
        raise ValueError(f"loss={loss!r} is for {what}: use {remedy}, or one of {', '.join(LOSSES[of])}")
    check_one_of("loss", loss, LOSSES[of])
    shapes = {"delta": check_rate("delta", delta), "gamma": check_at_least_zero("gamma", gamma)}
    shapes["quantile"] = check_rate("quantile", quantile)
    if not shapes["quantile"] < 1.0:
        raise ValueError(f"quantile is {quantile!r}; a number above 0 and below 1 is needed")
    shape_name = LOSSES[of][loss].shape
    return _chosen(loss, of, 0.0 if shape_name is None else shapes[shape_name])


@lru_cache
def _chosen(loss: str, of: str, shape: float) -> ChosenLoss:
    """The loss of that name and shape."""
    found = LOSSES[of][loss]
    steepest = focal_steepest(shape) if found.code == FOCAL else found.steepest
    return ChosenLoss(loss, of, found.code, found.shape, shape, max(steepest, math.ulp(0.0)))


def focal_steepest(gamma: float) -> float:
    """The largest second derivative of the focal loss by the sum, from differences of its slope: 1/4 for gamma 0."""
    sums = [k / 64.0 for k in range(-1024, 1025)]
    slopes = [loss_slope(z, sigmoid(z), 1.0, FOCAL, gamma) for z in sums]
    return 64.0 * max(after - before for before, after in pairwise(slopes))
