"""`bootstrap`: how sure a neuron's weights and probabilities are, from many neurons that see the rows at random.

The draws are in `kernels/poisson.py`, the training in `bootstrap_passes.py`, and the result in `bootstrap_result.py`.
"""

from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingDivergedError, TrainingWarning, warn
from tinynet_fast.kernels import poisson
from tinynet_fast.kernels.engines import STABILITY_BOUND
from tinynet_fast.models import Neuron
from tinynet_fast.models.sandwich import CollinearError, input_names
from tinynet_fast.training.bootstrap_passes import Passes, alike, at_parameters, first_averaged, nearest_rate
from tinynet_fast.training.bootstrap_result import BootstrapResult
from tinynet_fast.training.checks import check_at_least_zero, check_flag, check_whole, is_auto
from tinynet_fast.training.neuron import first_schedule
from tinynet_fast.training.neuron_kinds import first_weights, neurons_for
from tinynet_fast.training.neuron_rate import search_rate
from tinynet_fast.training.options import Options, checked
from tinynet_fast.training.reading import may_stream
from tinynet_fast.training.schedules import Penalties

# Passes over the rows if the caller does not say how many. With 30 on 569 rows (breast_cancer), weights were up to 0.2
# standard errors away from the least loss; with 100 they were 0.02 away.
UPDATES, FEWEST, MOST = 1_000_000, 10, 100


def bootstrap(
    X: Any,
    y: Any,
    n: int = 200,
    *,
    learning_rate: Any = "auto",
    l2: float = 0.0,
    epochs: int | None = None,
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
    long as no step overshoots: `learning_rate * times * sample_weight * (|x|**2 + 1) <= 8`.

    Parameters
    ----------
    X, y, l2, weights, bias, sample_weight, shuffle
        As for `train_neuron`, but rows in memory that are not sparse, and `shuffle` is True unless given.
    n : int
        How many samples, from 2. Two hundred give standard errors to 5%; intervals need some hundreds.
    learning_rate : float or "auto"
        "auto" first trains 8 neurons, at rates from 0.0001 to 0.3 times `8 / mean(|x|**2 + 1)`, and takes the rate
        whose weights are nearest to the least loss, in standard errors. (The rate that `train_neuron` finds is larger.
        Its loss is good, but with many rows its weights may be several standard errors off.)
    epochs : int, optional
        Passes over the rows. If left out: 1,000,000 over the number of rows, but from 10 to 100.
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
    >>> from tinynet_fast.datasets import make_pass_fail
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
        epochs=1 if epochs is None else epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=True,
        validation=None,
        engine="fast",
        sample_weight=sample_weight,
        standardize=standardize,
        n_jobs=n_jobs,
    )
    if epochs is None:
        options.epochs = min(max(UPDATES // len(options.rows), FEWEST), MOST)
    (start,) = first_weights(weights, bias, options.rows.n_features, options.features)
    rate = schedule.learning_rate
    if is_auto(learning_rate):
        kind = neurons_for(options, penalties, None)
        near = nearest_rate(options, start, l2, average)
        rate = near or search_rate(options, start[np.newaxis], penalties, kind).learning_rate
    keys = np.append(poisson.model_keys(np.arange(n)), poisson.EVERY_ROW)
    neurons = alike(np.tile([rate, l2, float(average)], (n + 1, 1)), start, options.threads, keys)
    seconds = Passes(options, neurons).run()
    found = neurons.parameters()
    return _result(options, rate, penalties, found[:-1], found[-1], seconds)


def _result(
    options: Options, rate: float, penalties: Penalties, samples: np.ndarray, point: np.ndarray, seconds: float
) -> BootstrapResult:
    """The result, from the weights and, last, biases for the inputs that were trained on."""
    l2, average, n = penalties.l2, bool(penalties.average_from), len(options.rows)
    if not (np.isfinite(samples).all() and np.isfinite(point).all()):
        safe = STABILITY_BOUND / options.largest / poisson.COLUMNS  # safe however often a row is drawn
        raise TrainingDivergedError(options.epochs - 1, rate, safe)
    distance = _checked_distance(options, point, samples.std(axis=0, ddof=1), l2)
    model = Neuron(weights=point[:-1], bias=point[-1], labels=options.labels, features=options.features)
    model.training = {
        "learning_rate": rate,
        "l2": l2,
        "average": first_averaged(options.epochs) * n + 1 if average else 0,
        "shuffle": options.shuffle,
        "seed": options.seed,
        "engine": "lanes",
        "epochs": options.epochs,
    } | options.recorded
    weights, biases = np.ascontiguousarray(samples[:, :-1]), samples[:, -1].copy()
    mean, scale = options.in_memory.mean, options.in_memory.scale
    if mean is not None and scale is not None:
        weights /= scale
        biases -= weights @ mean
    return BootstrapResult(
        weights=weights,
        biases=biases,
        model=options.for_raw_inputs(model),
        distance=distance,
        learning_rate=rate,
        l2=l2,
        average=average,
        rows=n,
        epochs=options.epochs,
        seed=options.seed or 0,
        seconds=seconds,
    )


def _checked_distance(options: Options, point: np.ndarray, errors: np.ndarray, l2: float) -> float:
    """How far the model is from the least loss, in standard errors. A warning if that is far or if there is none."""
    names = input_names(options.features, len(point) - 1)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            found = at_parameters(options, point, l2)
            inverse = found.inverse(names)
    except CollinearError as error:
        warn(str(error), TrainingWarning)
        return np.nan
    return found.check(inverse, errors, names)
