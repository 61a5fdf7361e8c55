"""The passes of a bootstrap over its rows, and the rate that brings a neuron nearest to the least loss."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

from tinynet_fast.kernels import poisson
from tinynet_fast.models import sandwich
from tinynet_fast.models.sandwich import CollinearError, Sandwich
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.team import Team
from tinynet_fast.training.loop import finish, run_epochs, visit
from tinynet_fast.training.many_neurons import ALL_ROWS, ManyNeurons, block_rows
from tinynet_fast.training.options import Options
from tinynet_fast.training.rate_search import grid

# The rates that "auto" tries: one register of neurons, two a decade. On 300,000 rows of 16 inputs, the weights of the
# rate with the least log loss were 2 standard errors away from the least loss, those of the best of these 0.1.
RATES = 8
DECADES = 4.0


class Passes:
    """All epochs over rows in memory, for neurons that are trained side by side.

    Means begin with the second half of the epochs, so that the way to the least loss is not in them.
    """

    def __init__(self, options: Options, neurons: ManyNeurons) -> None:
        self.options, self.neurons = options, neurons
        self.block_rows = block_rows(len(neurons), options.rows.n_features, options.threads)

    def run(self) -> float:
        """Train. Returns the seconds that it took, without compiling."""
        nothing = self.options.engine.rows(self.options.rows.nothing())
        self.neurons.train(nothing, np.empty(0), np.empty(0), np.empty(0))
        started = perf_counter()
        with np.errstate(all="ignore"), Team(self.options.threads) as self.neurons.team:
            finish(run_epochs(self._pass, self.options.epochs))
        return perf_counter() - started

    def _pass(self, done: int) -> int:
        self.neurons.clear(means=done == first_averaged(self.options.epochs))
        visit(self._blocks(done), self.neurons.train)
        return 1

    def _blocks(self, epoch: int) -> Iterator[tuple[Any, ...]]:
        """Rows, labels, sample weights and keys, in the order of the epoch."""
        own, order = self.options.in_memory, self.options.order
        places = None if order is None else order.permutation(len(own), own.n_features, epoch)
        rows = Rows(own.X, own.codes, places, own.sample_weight)
        rows.mean, rows.scale = own.mean, own.scale
        start, ones = 0, np.ones(min(self.block_rows, len(own)))
        for X, y, weights in rows.blocks(self.block_rows):
            stop = start + len(y)
            numbers = np.arange(start, stop) if places is None else places[start:stop]
            keys = poisson.row_keys(self.options.seed or 0, numbers)
            start = stop
            yield self.options.engine.rows(X), y, ones if weights is None else weights, keys


def first_averaged(epochs: int) -> int:
    """The epoch, from 0, with which means begin."""
    return epochs // 2


def alike(options: np.ndarray, start: np.ndarray, threads: int, keys: np.ndarray) -> ManyNeurons:
    """A neuron for each row of options (learning rate, l2, average) and each key, with the same first weights."""
    m = len(options)
    return ManyNeurons(options, np.tile(start, (m, 1)), np.full(m, ALL_ROWS), threads, keys)


def at_parameters(options: Options, parameters: np.ndarray, l2: float) -> Sandwich:
    """The derivatives of the loss on all rows, for the weights and, last, the bias of a neuron."""
    return sandwich.sandwich(_blocks(options), parameters, _penalty(parameters, l2))


def _blocks(options: Options) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    for X, y, weights in options.in_memory.blocks(sandwich.ROWS):
        yield X.astype(np.float64, copy=False), y, weights


def _penalty(parameters: np.ndarray, l2: float) -> np.ndarray:
    """What l2 adds to the second derivative for each row: nothing for the bias."""
    return np.append(np.full(parameters.shape[-1] - 1, l2), 0.0)


def nearest_rate(options: Options, start: np.ndarray, l2: float, average: bool) -> float | None:
    """The rate whose weights are nearest to the least loss, in standard errors; None if there is no least loss.

    The log loss says too little of that: a tenth of a standard error changes it by less than 0.01 / n.
    """
    largest = grid(options.in_memory.X, 1)[-1]
    if options.in_memory.mean is not None:
        largest = grid(np.ones((1, len(start) - 1)), 1)[-1]  # standardised inputs have squares of 1 on average
    rates = largest * np.geomspace(10.0**-DECADES, 1.0, RATES + 1)[:-1]
    chosen = np.column_stack([rates, np.full(RATES, l2), np.full(RATES, float(average))])
    neurons = alike(chosen, start, options.threads, np.full(RATES, poisson.EVERY_ROW))
    Passes(options, neurons).run()
    found = neurons.parameters()
    finite = np.isfinite(found).all(axis=1)
    if not finite.any():
        return None
    rates, found = rates[finite], found[finite]
    slopes = sandwich.gradients(_blocks(options), found, _penalty(found, l2))
    near = at_parameters(options, found[np.argmin(np.linalg.norm(slopes, axis=1))], l2)
    try:
        inverse = near.inverse([""] * len(start))
    except CollinearError:
        return None
    if near.separated:
        return None
    return float(rates[np.argmin(sandwich.distances(slopes, inverse, near.errors(inverse)).max(axis=1))])
