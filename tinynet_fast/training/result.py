"""What training gives: the result of a run, and what a callback gets after each epoch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from tinynet_fast.models import Model

if TYPE_CHECKING:
    from tinynet_fast.training.rate_search import RateSearch

M_co = TypeVar("M_co", bound=Model, covariant=True)


@dataclass(frozen=True)
class Epoch(Generic[M_co]):
    """What a callback is given after an epoch.

    Attributes
    ----------
    epoch : int
        Its number, from 0.
    loss : float
        Its entry in `loss_history`.
    validation_loss : float or None
        Mean cross-entropy of the validation rows after the epoch, in nats a row.
    model : Neuron or MLP
        The model as it is after the epoch; a copy, yours to keep.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    model: M_co


@dataclass(frozen=True)
class TrainingResult(Generic[M_co]):
    """What training returns.

    Attributes
    ----------
    model : Neuron or MLP
    loss_history : (epochs,) float64 array
        For a neuron the sum of squared errors of each epoch; for a network the mean cross-entropy, or the mean squared
        error if that is the loss. Each row is measured before its update.
    validation_loss_history : (epochs,) float64 array, or None without validation rows
        Mean cross-entropy of the validation rows after each epoch, in nats a row.
    engine : str
        The engine that really ran. It equals "fast", "strict", "numpy" or "reference"; `str(engine)` also says how a
        kernel was compiled, such as "fast/native" or "fast/jit".
    epochs : int
        How many epochs ran. After early stopping they are fewer than asked for.
    best_epoch : int or None
        With `patience`, the epoch whose weights the model has; else None.
    seed : int or None
        The seed that was used or drawn, if anything was random: pass it again to repeat the run.
    seconds : float
        Wall time of training, without compiling, checking and searching for a rate.
    rate_search : RateSearch or None
        With `learning_rate="auto"`, the rates that were tried and the loss of each.
    rows : int
        How many rows were trained on.
    dropped_rows : int
        How many rows were left out because of a missing value, with `drop_missing`.
    """

    model: M_co
    loss_history: np.ndarray
    validation_loss_history: np.ndarray | None
    engine: str
    epochs: int
    best_epoch: int | None
    seed: int | None
    seconds: float
    rate_search: "RateSearch | None" = None
    rows: int = 0
    dropped_rows: int = 0
