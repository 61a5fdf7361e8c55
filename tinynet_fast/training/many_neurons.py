"""Many neurons that are trained in the same pass over the rows, in groups: one call of the kernel trains a group."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import BLOCK_SECONDS, FAST, MOST_ROWS, MOST_VALUES
from tinynet_fast.kernels.fast import many_neurons as kernel
from tinynet_fast.kernels.point_functions import LOG_LOSS
from tinynet_fast.rows.team import Team

ALL_ROWS = -1  # the fold of a neuron that is trained on all rows
ROW_SECONDS, VALUE_SECONDS = 6e-9, 9e-10  # the time of eight neurons for a row, and for each of its numbers


def block_rows(neurons: int, n_features: int, threads: int = 1) -> int:
    """How many rows make a block if `threads` threads share the neurons."""
    seconds = (ROW_SECONDS + VALUE_SECONDS * n_features) * neurons / kernel.WIDTH
    rows = min(int(threads * BLOCK_SECONDS / seconds), MOST_ROWS, MOST_VALUES // n_features)
    return max(rows // kernel.CHUNK, 1) * kernel.CHUNK


class Group:
    """The neurons that one call of the kernel trains, and their arrays."""

    def __init__(
        self,
        members: np.ndarray,
        options: np.ndarray,
        start: np.ndarray,
        own: np.ndarray,
        draws: bool = False,
        loss: int = LOG_LOSS,
    ) -> None:
        self.members, self.loss = members, loss
        rates, l2, averaged = options[members].T
        self.penalised = bool((l2 > 0.0).any() or averaged.any())
        self.averaged = averaged > 0.0
        m, d = -(-len(members) // kernel.WIDTH) * kernel.WIDTH, start.shape[1] - 1
        self.options, self.sums = kernel.aligned(kernel.N_OPTIONS, m), kernel.aligned(kernel.N_SUMS, m)
        rows = (d + 1) * (2 if self.penalised else 1)
        self.marked = kernel.DRAWS if draws else kernel.FOLDS
        if draws and self.averaged.all() and not l2.any():
            self.marked, self.penalised, rows = kernel.MEANS, False, kernel.rows_with_means(d, m)
        self.state, self.n_parameters = kernel.aligned(rows, m), d + 1
        self.options[kernel.KEEP], self.options[kernel.OWN] = 1.0, kernel.NOBODY
        used = slice(len(members))
        with np.errstate(over="ignore"):  # the result shows if a rate, penalty or weight is too large
            self.options[kernel.RATE, used] = rates
            self.options[kernel.KEEP, used] = np.maximum(0.0, 1.0 - rates * l2)
            self.options[kernel.OWN, used] = own[members]
            self.state[: d + 1, used] = start[members].T

    def train(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, marks: np.ndarray | None) -> None:
        arrays = self.options, self.state, self.sums
        kernel.train(X, y, weights, marks, *arrays, self.penalised, self.marked, self.loss)

    def clear(self, means: bool) -> None:
        kernel.clear(self.sums)
        if means:
            self.sums[kernel.ROWS] = 0.0
        if means and self.marked == kernel.MEANS:
            self.state[len(self.state) // 2 :] = 0.0

    def losses(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums of squared errors, and of log losses of rows trained on and held out, since `clear`."""
        used = slice(len(self.members))
        trained, held = kernel.log_losses(self.sums)
        return self.sums[kernel.SQUARES, used], trained[used], held[used]

    def weights(self) -> np.ndarray:
        """(members, n_features + 1): the weights and, last, the bias of each neuron as they are now."""
        return np.array(self.state[: self.n_parameters, : len(self.members)].T)

    def parameters(self) -> np.ndarray:
        """(members, n_features + 1): the weights and, last, the bias that each neuron predicts with."""
        now = self.weights()
        half = len(self.state) // 2
        means = self.state[half : half + self.n_parameters, : len(self.members)].T
        if self.marked == kernel.MEANS:
            return now + means / max(self.sums[kernel.ROWS, 0], 1.0)
        if not self.penalised:
            return now
        return np.where(self.averaged[:, np.newaxis], means, now)


class ManyNeurons:
    """All neurons of a sweep, or of a bootstrap.

    Parameters
    ----------
    options : (m, 3) float64 array
        Learning rate, l2 and average of each neuron.
    start : (m, n_features + 1) float64 array
        First weights and, last, the bias.
    fold : (m,) int array
        The fold that each neuron holds out; -1 for none.
    threads : int
        How many threads will share the groups, if they have a team.
    keys : (m,) float64 array, optional
        The key of each neuron (`poisson.model_keys`), if a row counts as often as it is drawn for the neuron, or
        `poisson.EVERY_ROW`. Then no neuron may hold out a fold, and there are no losses.
    loss : int
        LOG_LOSS, or LEAST_SQUARES for linear neurons, which have no log losses and hold out no folds.
    """

    team = Team()  # the caller's thread alone

    def __init__(
        self,
        options: np.ndarray,
        start: np.ndarray,
        fold: np.ndarray,
        threads: int = 1,
        keys: np.ndarray | None = None,
        loss: int = LOG_LOSS,
    ) -> None:
        self.options, self.fold, self.n_parameters = options, fold, start.shape[1]
        penalised = (options[:, 1] > 0.0) | (options[:, 2] > 0.0)
        # Neurons without penalties and averaging have groups of their own, because they train faster.
        parts = [part for part in (np.flatnonzero(~penalised), np.flatnonzero(penalised)) if len(part)]
        members = [each for part in parts for each in in_groups(part, kernel.WIDTH, kernel.MOST, threads)]
        own, draws = (fold, False) if keys is None else (keys, True)
        self.groups = [Group(each, options, start, own, draws, loss) for each in members]

    def __len__(self) -> int:
        return len(self.options)

    def train(self, X: Any, y: np.ndarray, weights: np.ndarray, marks: np.ndarray | None) -> None:
        """Train all neurons on a block of rows: the threads of the team share the groups.

        `marks` holds the fold of each row or, if the neurons have keys, the row's key (`poisson.row_keys`).
        """
        self.team.map(lambda group: group.train(X, y, weights, marks), self.groups)

    def clear(self, means: bool = False) -> None:
        """Set all sums to zero. If `means`, averages begin anew, too."""
        for group in self.groups:
            group.clear(means)

    def losses(self) -> np.ndarray:
        """(3, m): sums of squared errors, and of log losses of rows trained on and held out, since `clear`."""
        losses = np.empty((3, len(self)))
        for group in self.groups:
            losses[:, group.members] = group.losses()
        return losses

    def squares(self) -> np.ndarray:
        """(m,): the sum of squared errors of each neuron since `clear`."""
        squares = np.empty(len(self))
        for group in self.groups:
            squares[group.members] = group.sums[kernel.SQUARES, : len(group.members)]
        return squares

    def weights(self) -> np.ndarray:
        """(m, n_features + 1): the weights and, last, the bias of each neuron as they are now."""
        return self._of_all(Group.weights)

    def parameters(self) -> np.ndarray:
        """(m, n_features + 1): the weights and, last, the bias that each neuron predicts with."""
        return self._of_all(Group.parameters)

    def _of_all(self, of_group: Callable[[Group], np.ndarray]) -> np.ndarray:
        parameters = np.empty((len(self), self.n_parameters))
        for group in self.groups:
            parameters[group.members] = of_group(group)
        return parameters


def in_groups(models: np.ndarray, width: int, most: int, threads: int) -> list[np.ndarray]:
    """The neurons in groups of whole registers, at most `most` a group, with equally many groups for each thread."""
    registers = math.ceil(len(models) / width)
    groups = math.ceil(registers / most)
    groups = min(math.ceil(groups / threads) * threads, registers)
    ends = [math.ceil(registers * (k + 1) / groups) * width for k in range(groups)]
    return np.split(models, ends[:-1])


def mean_log_losses(parameters: np.ndarray, X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The mean log loss of each neuron (a row of weights and, last, a bias) on checked rows; a row counts at most 44.

    It uses the kernel that trains, with rates of 0. That takes 2 ns a value; NumPy takes 25.
    """
    n, d, m = len(X), X.shape[1], len(parameters)
    neurons = ManyNeurons(np.zeros((m, 3)), parameters, np.full(m, ALL_ROWS))
    rows = max(MOST_VALUES // d, kernel.CHUNK)
    rows -= rows % kernel.CHUNK
    neurons.clear()
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        y = codes[part].astype(np.float64)
        neurons.train(FAST.rows(X[part]), y, np.ones(len(y)), None)
    return np.asarray(neurons.losses()[1] / n)
