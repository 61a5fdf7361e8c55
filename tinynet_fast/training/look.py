"""Measures a model on some rows beside the best constant answer: is it of any use? `outcome.py` warns if it is not."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.point_functions import (
    ABSOLUTE_ERROR,
    HINGE,
    HUBER,
    LEAST_SQUARES,
    POISSON,
    QUANTILE,
)
from tinynet_fast.models import Model
from tinynet_fast.training.losses import LABELS, ChosenLoss

FEWEST_ROWS = 20  # tutorials have smaller tables, on which the first epochs may well be worse than the labels' shares
ERRORS = 2.0  # a bad model's loss is above that of the constant by at least this many standard errors
LEAST_SPREAD = 1e-3  # if probabilities differ by less than this, the model answers the same for every row

Part = tuple[Any, np.ndarray, np.ndarray | None]  # rows, codes or numbers, and sample weights

NAMES = {
    "log_loss": "log loss",
    "squared_error": "squared error",
    "focal": "focal loss",
    "hinge": "hinge loss",
    "huber": "Huber loss",
    "absolute_error": "absolute error",
    "quantile": "quantile loss",
    "poisson": "Poisson loss",
}


def constant_of(loss: ChosenLoss) -> tuple[str, str]:
    """What the constant answer is: in a sentence, and for short."""
    if loss.code == HINGE:
        return "the more frequent label", "the more frequent label"
    if loss.of == LABELS:
        return "the labels' shares", "the shares"
    if loss.code == QUANTILE:
        return f"the {loss.shape:g} quantile of y", "the quantile"
    name = "median" if loss.code in (ABSOLUTE_ERROR, HUBER) else "mean"
    return f"the {name} of y", f"the {name}"


@dataclass
class Look:
    """What a look at some rows shows: mean losses, and `targets`, the rows' codes or numbers in their order."""

    loss: float
    loss_of_constant: float  # the loss of always answering the labels' shares, or the mean number
    error: float  # the standard error of the difference of the two, taken row by row
    spread: float  # the largest difference between two rows' answers; of numbers, as a part of their deviation
    fit: float  # by how much the constant, which was found on these rows, may fit them too well
    targets: np.ndarray
    alike: bool = False  # whether all rows have the same label or number

    def is_bad(self, errors: float = ERRORS) -> bool:
        """Whether the model is of no use on these rows; False if they are all alike."""
        if len(self.targets) < FEWEST_ROWS or self.alike:
            return False
        margin = errors * (self.error + self.fit)
        return self.loss > self.loss_of_constant + margin or self.spread < LEAST_SPREAD


def look(model: Model, parts: list[Part], loss: ChosenLoss) -> Look:
    """Measure a model on checked rows by its loss; the log loss if its output is a softmax."""
    z = joined([model.checked_logits(X) for X, _, _ in parts])
    y = joined([y for _, y, _ in parts])
    weights = None if parts[0][2] is None else joined([w for _, _, w in parts if w is not None])
    part = np.full(len(z), 1.0 / len(z)) if weights is None else weights / weights.sum()
    counted: Any = slice(None) if weights is None else part > 0.0
    if (y[counted] == y[counted][:1]).all():
        return Look(0.0, 0.0, 0.0, 1.0, 0.0, y, alike=True)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if model.output == "softmax":
            losses, of_constant, spread = _of_softmax(z, y, part)
        else:
            losses, of_constant, spread = _of_columns(z, y, part, loss)
        part, losses, of_constant = part[counted], losses[counted], of_constant[counted]
        mean, mean_of_constant = float(part @ losses), float(part @ of_constant)
        error = float(np.sqrt((part**2) @ (losses - of_constant - (mean - mean_of_constant)) ** 2))
    in_units = loss.of == LABELS or loss.code == POISSON  # of a log-likelihood; others are as large as the numbers
    fit = (0.5 if in_units else mean_of_constant) / len(y)
    return Look(mean, mean_of_constant, error, spread, fit, y)


def loss_of_constant(y: np.ndarray, loss: ChosenLoss) -> float:
    """The mean loss of the best constant answer to numbers."""
    part = np.full(len(y), 1.0 / len(y))
    return float(part @ _of_columns(np.zeros(y.shape), y, part, loss)[1])


def _of_softmax(z: np.ndarray, codes: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The log loss of each row, that of the labels' shares, and the spread of the probabilities."""
    log_probability = z - vectorized.log_total(z, 0, z.shape[1])[:, np.newaxis]
    of_shares = -np.log(np.bincount(codes, part))[codes]
    return -log_probability[np.arange(len(z)), codes], of_shares, float(np.max(np.ptp(np.exp(log_probability), axis=0)))


def _of_columns(
    z: np.ndarray, y: np.ndarray, part: np.ndarray, loss: ChosenLoss
) -> tuple[np.ndarray, np.ndarray, float]:
    """The same for outputs that have a loss each: one, a label against the rest, or numbers. Losses are added."""
    code, shape, labels = loss.code, loss.shape, loss.of == LABELS
    z = z.reshape(len(z), -1)
    true = (y[:, np.newaxis] == np.arange(z.shape[1])) if labels and z.shape[1] > 1 else y.reshape(len(y), -1)
    true = true.astype(np.float64)
    best = np.array([_best_constant(column, part, loss) for column in true.T])
    both = np.empty((2, *z.shape))
    both[0], both[1] = z, best
    answers = both if code == HINGE else vectorized.predicted(both, code)
    losses, of_constant = vectorized.row_loss(both, answers, true, code, shape).sum(axis=2)
    spread = answers[0].max(axis=0) - answers[0].min(axis=0)
    if not labels:
        deviation = true.std(axis=0)
        spread = np.divide(spread, deviation, out=np.ones(len(spread)), where=deviation > 0.0)
    return losses, of_constant, float(spread.max())


def _best_constant(y: np.ndarray, part: np.ndarray, loss: ChosenLoss) -> Any:
    """The sum of an output whose answer, the same for all rows, has the least loss (about the least, for Huber's)."""
    mean = float(part @ y)
    if loss.code == HINGE:
        return 1.0 if mean > 0.5 else -1.0
    if loss.of == LABELS:
        return np.log(mean) - np.log1p(-mean)
    if loss.code == LEAST_SQUARES:
        return mean
    if loss.code == POISSON:
        return np.log(max(mean, np.finfo(np.float64).tiny))
    order = np.argsort(y, kind="stable")
    share = loss.shape if loss.code == QUANTILE else 0.5
    place = int(np.searchsorted(np.cumsum(part[order]), share - 1e-12))
    return float(y[order[min(place, len(y) - 1)]])


def joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
