"""What training returns: the result of a run, the result of a search for a rate, and each epoch for a callback."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from tinynet_fast.models import Model
from tinynet_fast.training.view import names_of_losses, result_html, search_html

M_co = TypeVar("M_co", bound=Model, covariant=True)


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        validation = "" if self.validation_loss is None else f", validation loss {self.validation_loss:.6g}"
        return f"Epoch({self.epoch}, loss {self.loss:.6g}{validation}, {self.model!r})"


@dataclass(frozen=True, eq=False, repr=False)
class RateSearch:
    """What `auto_rate` found.

    Attributes
    ----------
    learning_rate : float
        The rate to train with.
    rates : (k,) float64 array
        The rates that were tried, rising.
    losses : (k,) float64 array
        The mean loss of each rate's model after the search's epochs (log loss in nats a row); NaN if it diverged.
    rows, epochs : int
        How many rows each model was trained on, and for how many epochs.
    loss : str
        The name of the loss.
    """

    learning_rate: float
    rates: np.ndarray
    losses: np.ndarray
    rows: int
    epochs: int
    loss: str = "log loss"

    def __repr__(self) -> str:
        return f"RateSearch({self.reason})"

    _repr_html_ = search_html

    @property
    def reason(self) -> str:
        """One line on what was tried and why this rate was kept."""
        least = self.losses[self.rates == self.learning_rate][0]
        at_end = self.learning_rate in (self.rates[0], self.rates[-1])
        return (
            f"learning_rate={self.learning_rate:.4g}: of {len(self.rates)} rates from {self.rates[0]:.3g} to "
            f"{self.rates[-1]:.3g}, each trained on {self.rows:,} rows for {self.epochs:,} epochs, the least "
            f"{self.loss}, {least:.6g}{' (at the end of the range)' if at_end else ''}"
        )


@dataclass(frozen=True)
class Certificate:
    """What shows that rows which were trained side by side gave the weights of rows in turn; see `junctions.py`.

    Attributes
    ----------
    segments : int
        How many segments were trained beside others and stand.
    burn_in : int
        Rows that a segment was trained on beforehand.
    worst_gap : float
        The largest distance between the weights with which a segment ended and those with which the next one started,
        as a share of the weights' length.
    bound : float
        The sum of all such distances, as a share of the length of the last weights. Rounding aside, the weights differ
        from those of rows in turn by no more.
    rows_again : int
        Rows of segments that did not stand: they were trained on a second time.
    """

    segments: int
    burn_in: int
    worst_gap: float
    bound: float
    rows_again: int

    @property
    def meaning(self) -> str:
        """One line on what was trained side by side, and what that shows."""
        again = f"; {self.rows_again:,} rows had to be trained again" if self.rows_again else ""
        return (
            f"{self.segments:,} segments side by side, each after {self.burn_in:,} rows of burn-in: rounding aside, "
            f"the weights are within {self.bound:.0e} of those of rows in turn{again}"
        )


@dataclass(frozen=True, repr=False)
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
        The engine that really ran. It equals "fast", "strict", "numpy" or "reference"; `str(engine)` also says how its
        kernels were compiled, such as "fast/native" or "fast/jit". If the rate fell until no step could overshoot, it
        equals "fast", and `str(engine)` says how many rows were trained before: "fast/jit, after strict for 256 rows".
    epochs : int
        How many epochs ran: fewer than asked for if training stopped early.
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
    certificate : Certificate or None
        For a neuron, if rows were trained side by side: what shows that the weights are those of rows in turn.
    """

    model: M_co
    loss_history: np.ndarray
    validation_loss_history: np.ndarray | None
    engine: str
    epochs: int
    best_epoch: int | None
    seed: int | None
    seconds: float
    rate_search: RateSearch | None = None
    rows: int = 0
    dropped_rows: int = 0
    certificate: Certificate | None = None

    def __repr__(self) -> str:
        best = "" if self.best_epoch is None else f", weights of epoch {self.best_epoch:,}"
        epochs = f"{self.epochs:,} epoch{'s' * (self.epochs != 1)} of {self.rows:,} rows"
        loss = names_of_losses(self.model)[0].partition(" [")[0]  # without its unit
        return f"TrainingResult({self.model!r}, {epochs}{best}, {loss} {self.loss_history[-1]:.6g})"

    _repr_html_ = result_html

    @property
    def learning_rate(self) -> float | None:
        """The learning rate that was given, or that was found with `learning_rate="auto"`."""
        rate = self.model.training.get("learning_rate")
        return None if rate is None else float(rate)
