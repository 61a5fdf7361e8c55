"""`bootstrap`: how sure a neuron's weights and probabilities are, from many neurons that see the rows at random.

The draws are in `kernels/poisson.py`, the neurons in `many_neurons.py`, and the result in `bootstrap_result.py`.
"""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingDivergedError, TrainingWarning, warn
from tinynet_fast.kernels import poisson
from tinynet_fast.kernels.engines import STABILITY_BOUND
from tinynet_fast.models import Neuron, sandwich
from tinynet_fast.models.sandwich import CollinearError, input_names
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.training.bootstrap_result import BootstrapResult
from tinynet_fast.training.checks import check_at_least_zero, check_flag, check_whole, is_auto
from tinynet_fast.training.loop import finish, run_epochs, visit
from tinynet_fast.training.many_neurons import ALL_ROWS, ManyNeurons, block_rows
from tinynet_fast.training.neuron import first_schedule, first_weights, search_rate
from tinynet_fast.training.options import Options, checked, may_stream
from tinynet_fast.training.schedules import Penalties
from tinynet_fast.training.team import Team


def bootstrap(
    X: Any,
    y: Any,
    n: int = 200,
    *,
    learning_rate: Any = "auto",
    l2: float = 0.0,
    epochs: int = 30,
    average: bool = True,
    weights: Any = 0.0,
    bias: float = 0.0,
    sample_weight: Any = None,
    shuffle: bool = True,
    seed: int | None = None,
    standardize: bool = True,
    n_jobs: int | None = None,
) -> BootstrapResult:
    """Train `n` neurons on samples of the rows, side by side: how much they differ says how sure the weights are.

    Had there been other rows of the same kind, the weights would be different. The bootstrap (Efron, 1979) finds out by
    how much: it draws samples of the rows that there are, with replacement, and trains a neuron on each. Here a row
    counts in neuron k as often as a Poisson(1) number says: 0, 1, 2 or more times (Oza and Russell, 2001; Chamandy and
    others, 2012). That number depends on the seed, the row's number and k alone. So it is the same in each epoch, in
    any order of the rows and with any number of threads. In one more neuron each row counts once: it is the model.

    Neuron k has the weights that `train_neuron` gives with these numbers as sample weights, to 1e-12, norm-wise, as
    long as no step overshoots: learning_rate * times * sample weight * (|x|**2 + 1) <= 8.

    Parameters
    ----------
    X, y, l2, weights, bias, sample_weight, shuffle
        As for `train_neuron`, but rows in memory that are not sparse, and `shuffle` is True unless given.
    n : int
        How many samples, from 2. Two hundred give standard errors to 5%; intervals need some hundreds.
    learning_rate : float or "auto"
        "auto" searches for a rate as `train_neuron` does. If the rate is too large, weights are off and standard errors
        too large; then there is a warning.
    epochs : int
        Passes over the rows. With a million rows or more, a few are enough.
    average : bool
        Whether a neuron's weights are the mean over the rows of the last half of the epochs, as
        `train_neuron(average=epochs // 2 * n_rows + 1)`. Leave it at True: the last weights of a run at a constant rate
        also vary with the order of the rows, and their spread was up to 15 times the standard error. That of means was
        within 13% (see Notes).
    seed : int, optional
        Decides the samples, and the order if rows are shuffled. If left out, it is drawn; the result says which one.
    standardize : bool
        As for `train_neuron`; True unless given. The weights of the result are for raw inputs in any case.
    n_jobs : int, optional
        How many threads train: 1 if left out; -1 for as many as there are cores. Results do not depend on it.

    Returns
    -------
    BootstrapResult
        `standard_errors`, `interval()`, `predict_interval(X)`, `table()`, `model`, and all `weights` and `biases`.

    Raises
    ------
    ValueError
        For missing values, ragged rows, one label only or an option that makes no sense; the message names the place
        and the remedy.
    TrainingDivergedError
        If weights overflow.

    Warns
    -----
    TrainingWarning
        If a weight of the model is more than half a standard error away from where the loss is least, if inputs are
        collinear, or if the inputs tell the labels apart in every row.

    Notes
    -----
    Samples vary by as much as the rows would if the rows do not depend on each other. If they come in groups (several
    of a person), standard errors are too small.

    In a small sample the inputs may tell the labels apart in every row, although they do not in all rows. Its weights
    then grow with the epochs, and standard errors say little: look at intervals.

    Examples
    --------
    >>> from tinynet_fast import bootstrap
    >>> from tinynet_fast.rows.datasets import make_pass_fail
    >>> rows = make_pass_fail(1000, 2)
    >>> result = bootstrap(rows.X, rows.y, seed=1)
    >>> result
    BootstrapResult(200 samples of 1,000 rows, 2 inputs)
    >>> print(result.standard_errors.round(1))
    [0.1 0.1 0.1]
    >>> low, high = result.predict_interval([[0.5, -1.0]])[0]
    >>> bool(low < result.model.predict_proba([[0.5, -1.0]])[0] < high)
    True
    """
    n = check_whole("n", n, least=2)
    l2, average = check_at_least_zero("l2", l2), check_flag("average", average)
    if may_stream(X):
        raise ValueError("bootstrap reads its rows again and again from memory: read them first, or fewer of them")
    penalties = Penalties(l2, 0.0, average, "log_loss")
    schedule = first_schedule(learning_rate, "constant", 0.5, penalties)
    options = checked(
        X,
        y,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=True,
        validation=None,
        engine="fast",
        sample_weight=sample_weight,
        standardize=standardize,
        n_jobs=n_jobs,
    )
    start = first_weights(weights, bias, options.rows.n_features, options.features)
    rate = search_rate(options, start, penalties).learning_rate if is_auto(learning_rate) else schedule.learning_rate
    return _Bootstrap(options, np.array([rate, l2, average], dtype=np.float64), start, n).run()


class _Bootstrap:
    """The passes over rows in memory: neurons with samples of their own, and one that sees each row once."""

    def __init__(self, options: Options, chosen: np.ndarray, start: np.ndarray, n: int) -> None:
        self.options, self.chosen = options, chosen
        self.seed, self.threads, d = options.seed or 0, options.threads, options.rows.n_features

        def neurons(m: int, keys: np.ndarray | None = None) -> ManyNeurons:
            same = np.tile(chosen, (m, 1)), np.tile(start, (m, 1)), np.full(m, ALL_ROWS)
            return ManyNeurons(*same, threads=self.threads, keys=keys)

        self.samples, self.point = neurons(n, poisson.model_keys(np.arange(n))), neurons(1)
        self.block_rows = block_rows(n, d, self.threads)
        self.burn_in = options.epochs // 2

    def run(self) -> BootstrapResult:
        options = self.options
        nothing = options.engine.rows(options.rows.nothing())
        self._train(nothing, np.empty(0), np.empty(0), np.empty(0))
        started = perf_counter()
        with np.errstate(all="ignore"), Team(self.threads) as team:
            self.team = team
            finish(run_epochs(self._pass, options.epochs))
        seconds = perf_counter() - started
        return self._result(seconds)

    team = Team()

    def _pass(self, done: int) -> int:
        for neurons in (self.samples, self.point):
            neurons.clear(means=done == self.burn_in)
        visit(self._blocks(done), self._train)
        return 1

    def _train(self, X: Any, y: np.ndarray, weights: np.ndarray, keys: np.ndarray) -> None:
        point = self.point.groups[0]
        groups = [*self.samples.groups, point]
        self.team.map(lambda group: group.train(X, y, weights, None if group is point else keys), groups)

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
            keys = poisson.row_keys(self.seed, numbers)
            start = stop
            yield self.options.engine.rows(X), y, ones if weights is None else weights, keys

    def _result(self, seconds: float) -> BootstrapResult:
        options = self.options
        samples, (point,) = self.samples.parameters(), self.point.parameters()
        rate, l2, average = self.chosen.tolist()
        if not (np.isfinite(samples).all() and np.isfinite(point).all()):
            safe = STABILITY_BOUND / options.largest / poisson.COLUMNS  # safe however often a row is drawn
            raise TrainingDivergedError(options.epochs - 1, rate, safe)
        self._check(point, samples.std(axis=0, ddof=1))
        model = Neuron(weights=point[:-1], bias=point[-1], labels=options.labels, features=options.features)
        model.training = {
            "learning_rate": rate,
            "l2": l2,
            "average": self.burn_in * len(options.rows) + 1 if average else 0,
            "shuffle": options.shuffle,
            "seed": options.seed,
            "engine": "lanes",
            "epochs": options.epochs,
        } | options.recorded
        weights, biases = samples[:, :-1], samples[:, -1]
        mean, scale = options.in_memory.mean, options.in_memory.scale
        if mean is not None and scale is not None:
            weights = weights / scale
            biases = biases - weights @ mean
        return BootstrapResult(
            weights=np.ascontiguousarray(weights),
            biases=biases.copy(),
            model=options.for_raw_inputs(model),
            learning_rate=rate,
            l2=l2,
            average=bool(average),
            rows=len(options.rows),
            epochs=options.epochs,
            seed=self.seed,
            seconds=seconds,
        )

    def _check(self, point: np.ndarray, errors: np.ndarray) -> None:
        """Warn if the model is far from the least loss, as measured by its standard errors, or if there is none."""
        options, own = self.options, self.options.in_memory
        names = input_names(options.features, len(point) - 1)
        blocks = ((X.astype(np.float64, copy=False), y, weights) for X, y, weights in own.blocks(sandwich.ROWS))
        with np.errstate(over="ignore", invalid="ignore"):
            found = sandwich.sandwich(blocks, point, np.append(np.full(len(point) - 1, self.chosen[1]), 0.0))
        try:
            found.warn_if_far(found.inverse(names), errors, names)
        except CollinearError as error:
            warn(str(error), TrainingWarning)
