"""The sandwich estimate: how far a neuron's weights would be from these if its rows were others of the same kind.

With p the probability of a row x (which has a 1 for the bias) and e = p - y its error, let g = sum e x be the gradient
of the log loss, H = sum p (1 - p) x x' its second derivative and S = sum e**2 x x'. The weights of least loss have the
covariance H^-1 S H^-1, whether or not the model is right (White, Maximum likelihood estimation of misspecified models,
Econometrica, 1982). So has the mean of the weights in a run of stochastic gradient descent (Polyak and Juditsky, 1992).

All is computed for standardised inputs, since sums of raw ones can lose digits, and is then turned into raw ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.kernels import vectorized
from tinynet_fast.rows.blocks import slices, standardisation
from tinynet_fast.rows.messages import listed

ROWS = 4096  # rows at a time: with 16 inputs they stay in the second cache
SINGULAR = 1e-10  # of the largest eigenvalue; inputs that follow from others by rounding alone have 1e-15
PART = 0.05  # of an eigenvector of length 1: an input with less has nothing to do with it
FAR = 0.5  # standard errors from the least loss: a 95% interval that is off by so much holds the truth in 92 cases


class CollinearError(ValueError):
    """Some inputs follow from others, so that many weights have the same least loss."""


@dataclass(frozen=True)
class Sandwich:
    """The sums over all rows, (d + 1, d + 1) or (d + 1,): the bias comes last."""

    second: np.ndarray  # H, with the penalty
    squares: np.ndarray  # S
    gradient: np.ndarray  # with the penalty
    separated: bool  # a sum divides the rows of one label from those of the other

    def inverse(self, names: list[str]) -> np.ndarray:
        """H^-1; CollinearError names the inputs if there is none."""
        size = np.sqrt(np.diag(self.second))
        if not size.all():
            raise CollinearError(
                f"{listed([names[j] for j in np.flatnonzero(size == 0.0)])} has no standard error, because its second "
                "derivative is 0: leave out an input that never changes, and train with l2 if all probabilities are "
                "0 or 1"
            )
        values, vectors = np.linalg.eigh(self.second / np.outer(size, size))
        if values[0] <= SINGULAR * values[-1]:
            part = np.flatnonzero(np.abs(vectors[:, 0]) > PART)
            raise CollinearError(
                f"{listed([names[j] for j in part])} are collinear: each follows from the others, so that their "
                "weights have no standard errors. Leave one of them out, or train with l2"
            )
        return np.asarray((vectors / values) @ vectors.T / np.outer(size, size))

    def covariance(self, inverse: np.ndarray) -> np.ndarray:
        """H^-1 S H^-1, from H^-1."""
        return np.asarray(inverse @ self.squares @ inverse)

    def errors(self, inverse: np.ndarray) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance(inverse)))

    def check(self, inverse: np.ndarray, errors: np.ndarray, names: list[str]) -> float:
        """The largest of the distances; a TrainingWarning if it is large, or if there is no least loss."""
        off = distances(self.gradient, inverse, errors)
        j = int(np.argmax(off))
        if self.separated:
            warn(
                "a sum of the inputs tells the two labels apart in every row, so that no weights have the least loss "
                "and standard errors say little: train with l2, or on more rows",
                TrainingWarning,
            )
        elif off[j] > FAR:
            warn(
                f"the weight of {names[j]} is {off[j]:.1f} standard errors away from where the loss is least, so that "
                "intervals are off by as much: train with average=True for more epochs, or at another learning_rate "
                '("auto" finds one)',
                TrainingWarning,
            )
        return float(off[j])


def distances(gradient: np.ndarray, inverse: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """How far weights are from the least loss, in standard errors: by so much Newton's step, H^-1 g, moves them.

    `gradient` is (..., d + 1), for one neuron or for several.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.abs(gradient @ inverse) / errors)


def gradients(
    blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray | None]], parameters: np.ndarray, penalty: np.ndarray
) -> np.ndarray:
    """`sandwich(...).gradient` for each of some neurons, a row of `parameters` each: (m, d + 1)."""
    total, n = np.zeros_like(parameters), 0
    for X, y, weights in blocks:
        x = np.column_stack([X, np.ones(len(y))])
        error = vectorized.sigmoid(x @ parameters.T) - y[:, np.newaxis]
        total += (error if weights is None else error * weights[:, np.newaxis]).T @ x
        n += len(y)
    return total + n * penalty * parameters


def sandwich(
    blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray | None]], parameters: np.ndarray, penalty: np.ndarray
) -> Sandwich:
    """Sum over blocks of rows, codes and sample weights.

    `parameters` are the weights and, last, the bias; `penalty`, of the same shape, is what each row adds to the second
    derivative.
    """
    d = len(parameters)
    second, squares, gradient = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
    lowest, highest, n = np.full(2, np.inf), np.full(2, -np.inf), 0
    for X, y, weights in blocks:
        x = np.column_stack([X, np.ones(len(y))])
        z = x @ parameters
        p, counts = vectorized.sigmoid(z), 1.0 if weights is None else weights
        error = (p - y) * counts
        second += (x * (p * (1.0 - p) * counts)[:, np.newaxis]).T @ x
        squares += (x * (error**2)[:, np.newaxis]).T @ x
        gradient += error @ x
        for label in (0, 1):
            own = z[(y == label) & (np.asarray(counts) > 0.0)]
            lowest[label] = min(lowest[label], own.min(initial=np.inf))
            highest[label] = max(highest[label], own.max(initial=-np.inf))
        n += len(y)
    second += np.diag(n * penalty)
    gradient += n * penalty * parameters
    return Sandwich(second, squares, gradient, bool(highest[0] < lowest[1]) and not penalty.any())


def standard_errors(
    X: np.ndarray,
    codes: np.ndarray,
    sample_weight: np.ndarray | None,
    parameters: np.ndarray,
    l2: float,
    standardized: bool,
    names: list[str],
) -> np.ndarray:
    """(d + 1,): the standard errors of weights and bias for checked rows; `standardized` says to what l2 applied."""
    mean, scale = standardisation(X, names)
    if not np.isfinite(scale).all():
        raise CollinearError(f"{names[int(np.argmax(np.isinf(scale)))]} never changes: leave it out")
    turned = np.append(parameters[:-1] * scale, parameters[-1] + parameters[:-1] @ mean)
    penalty = np.append(np.full(len(mean), l2) if standardized else l2 / scale**2, 0.0)
    parts = slices(len(X), ROWS)
    blocks = (((X[k] - mean) / scale, codes[k], None if sample_weight is None else sample_weight[k]) for k in parts)
    found = sandwich(blocks, turned, penalty)
    inverse = found.inverse(names)
    covariance = found.covariance(inverse)
    found.check(inverse, found.errors(inverse), names)
    turn = np.diag(np.append(1.0 / scale, 1.0))  # from weights and bias for standardised inputs to those for raw ones
    turn[-1, :-1] = -mean / scale
    return np.asarray(np.sqrt(np.diag(turn @ covariance @ turn.T)))


def input_names(features: list[str] | None, d: int) -> list[str]:
    """The names of the weights and, last, of the bias, as messages and tables write them."""
    return [*(features or [f"x{j}" for j in range(d)]), "bias"]
