"""`sweep`: many neurons in one pass over the rows, also cross-validated. The neurons are in `many_neurons.py`."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.engines import FAST, PORTABLE
from tinynet_fast.kernels.fast import many_neurons
from tinynet_fast.kernels.point_functions import LOG_LOSS
from tinynet_fast.models import Neuron
from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.rows.frames import named_weights
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.rows.team import Team, threads_for
from tinynet_fast.training.checks import check_at_least_zero, check_flag, check_one_of, check_rate, check_whole
from tinynet_fast.training.loop import finish, run_epochs, visit
from tinynet_fast.training.losses import LABELS, LINEAR, choose_loss
from tinynet_fast.training.many_neurons import ALL_ROWS, ManyNeurons, block_rows
from tinynet_fast.training.options import Options, checked
from tinynet_fast.training.reading import may_stream
from tinynet_fast.training.sweep_result import SweepResult, swept

T = TypeVar("T")
DEAL_STREAM = 2**32 + 1  # the stream of random numbers that deals rows to folds
SCORED_VALUES = 1 << 14  # sums at once for held-out rows; for more, NumPy would ask the system for memory each time


def sweep(
    X: Any,
    y: Any,
    *,
    learning_rate: Any = 0.1,
    l2: Any = 0.0,
    epochs: int = 1,
    weights: Any = 0.0,
    bias: Any = 0.0,
    average: Any = False,
    folds: Any = None,
    validation: Any = None,
    output: str | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    engine: str = "fast",
    n_jobs: int | None = None,
) -> SweepResult:
    """Train a neuron for every combination of options, side by side: all of them share each pass over the rows.

    Each is trained as `train_neuron` would train it, with the same updates in the same order, and its weights are the
    same to 1e-12, norm-wise, unless it is `unstable`.

    Parameters
    ----------
    X, y, epochs, sample_weight, shuffle, seed
        As for `train_neuron`, but rows in memory that are not sparse. `epochs` is 1 unless given. All models see the
        rows in the same order.
    class_weight : "balanced" or dict, optional
        As for `train_neuron`. "balanced" counts the labels of all rows, also for models that leave a fold out.
    learning_rate : float or list of float
    l2 : float or list of float
    average : bool or list of bool
        Options as for `train_neuron`: one value, or a list of values to try. (`average` cannot be a row number here.)
        Combinations are numbered so that `average` changes fastest, then `l2`, then `learning_rate`.
    weights : float, (n_features,) or (n_combinations, n_features)
        Where to start: one number for all weights, one for each weight, or a row for each combination of options.
    bias : float or (n_combinations,)
        Where the bias starts.
    folds : int or (n,) ints, optional
        Cross-validation: every combination is trained on all rows, and once more without each fold. A number deals the
        rows at random (by `seed`) to that many folds, with each label spread evenly. An array gives the fold of each
        row, from 0.
    validation : (X, y) or float, optional
        Rows to judge the models by, or the fraction of rows to hold out for that; the models are then trained on the
        other rows. With a fraction, all rows are copied. Not together with `folds`.
    output : {"linear"}, optional
        "linear" for numbers, one a row: the squared error takes the place of the log loss.
    engine : {"fast", "portable"}
        "portable" gives the weights the same bits on every machine. (Losses, which do not move them, may differ there
        in their last digits.)
    n_jobs : int, optional
        How many threads train: 1 if left out; -1 for as many as there are cores. Results do not depend on it.

    Returns
    -------
    SweepResult
        `weights`, `biases` and losses of each model, `best`, `models`, `table()`.

    Raises
    ------
    ValueError
        For missing values, ragged rows, one label only or an option that makes no sense; the message names the place
        and the remedy.

    Notes
    -----
    Losses count every row once, whatever its sample weight, and in log losses a row counts at most 44 nats (a
    probability of 8e-20), except in `held_out_loss`.

    Like the drop-in estimators, a sweep issues no `TrainingWarning` for a model that learned nothing of use: look at
    its held-out loss.

    Examples
    --------
    >>> from tinynet_fast import sweep
    >>> result = sweep([1, 2, 3, 4], [0, 0, 1, 1], learning_rate=[0.01, 0.1, 0.5], weights=0.1, epochs=1000)
    >>> print(result.weights[1], round(result.biases[1], 8))
    [4.30186855] -10.50801156
    >>> print(result.learning_rate[result.best], result.best_model.predict([2.4, 2.5]))
    0.5 [0 1]
    """
    if output not in (None, LINEAR):
        raise ValueError(f"there is no output {output!r} of a sweep: use {LINEAR!r} for numbers, or leave it out")
    loss = choose_loss(of=output or LABELS)
    options = combinations(learning_rate, l2, average)
    check_one_of("engine", engine, ("fast", PORTABLE.name))
    threads = threads_for(n_jobs)
    if may_stream(X):
        raise ValueError("sweep reads its rows again and again from memory: read them first, or fewer of them")
    if folds is not None and validation is not None:
        raise ValueError("folds and validation are two ways to judge the models: give one of them")
    asked = checked(
        X,
        y,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=folds is not None and np.ndim(folds) == 0,
        validation=validation,
        engine=engine,
        sample_weight=sample_weight,
        class_weight=class_weight,
        loss=loss,
    )
    if asked.n_targets > 1:
        raise ValueError(f"y has {asked.n_targets} numbers a row: sweep one target after the other")
    if asked.in_memory.index is not None:
        asked.rows = _copied(asked.in_memory)
    fold_of_row, n_folds = folds_of(folds, asked)
    start = first_weights(named_weights(weights, asked.features), bias, len(options), asked.rows.n_features)
    options, start, fold = with_folds(options, start, n_folds)
    kernel = PORTABLE.many_neurons if asked.engine.is_portable else many_neurons
    neurons = ManyNeurons(options, start, fold, threads, loss=loss.code, kernel=kernel)
    return _Sweep(asked, neurons, fold_of_row, threads).run()


def combinations(learning_rate: Any, l2: Any, average: Any) -> np.ndarray:
    """(n_combinations, 3) float64: every combination of learning rate, l2 and average, each checked."""
    rates = several("learning_rate", learning_rate, check_rate)
    return np.array(
        list(product(rates, several("l2", l2, check_at_least_zero), several("average", average, check_flag))),
        dtype=np.float64,
    )


def with_folds(options: np.ndarray, start: np.ndarray, n_folds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The options, first weights and fold of each neuron: one on all rows, then one without each fold."""
    copies = 1 + n_folds
    fold = np.tile(np.arange(ALL_ROWS, n_folds), len(options))
    return np.repeat(options, copies, axis=0), np.repeat(start, copies, axis=0), fold


def _copied(rows: Rows) -> Rows:
    """A copy of the rows that take part."""
    index, codes = rows.index, rows.codes
    weights = None if rows.sample_weight is None else rows.sample_weight[index]
    taken: Any = Numbers(codes[index])
    if isinstance(codes, Codes):
        taken = Codes(codes[index], np.arange(len(codes.labels), dtype=np.uint8))
    return Rows(picked(rows.X, index), taken, sample_weight=weights)


def several(name: str, values: Any, check: Callable[[str, Any], T]) -> list[T]:
    """The values of an option, one or several, each checked."""
    if isinstance(values, (str, bytes)) or np.ndim(values) == 0:
        return [check(name, values)]
    checked = [check(f"{name}[{i}]", value) for i, value in enumerate(values)]
    if not checked:
        raise ValueError(f"{name} is empty: give at least one value to try")
    return checked


def folds_of(folds: Any, asked: Options) -> tuple[np.ndarray | None, int]:
    """The fold of each row, as float64, and how many there are."""
    n = len(asked.rows)
    codes = np.zeros(n, np.uint8) if asked.numbers else asked.in_memory.codes[:]
    n_labels = max(int(codes.max()) + 1, 2)
    if folds is None:
        return None, 0
    if np.ndim(folds) == 0:
        k = check_whole("folds", folds, least=2)
        if k > n:
            raise ValueError(f"folds is {k} and X has {n} rows: each fold needs at least one")
        rng = np.random.default_rng([asked.seed or 0, DEAL_STREAM])
        order = np.concatenate([rng.permutation(np.flatnonzero(codes == label)) for label in range(n_labels)])
        fold_of_row = np.empty(n)
        fold_of_row[order] = np.arange(n) % k  # each label goes on after the one before, so folds have even sizes
    else:
        given = np.asarray(folds)
        if given.shape != (n,) or given.dtype.kind not in "iu" or given.min() < 0:
            raise ValueError(f"folds is a number of folds, or for each of the {n} rows the number of its fold, from 0")
        fold_of_row, k = given.astype(np.float64), int(given.max()) + 1
        empty = np.flatnonzero(np.bincount(given.astype(np.intp), minlength=k) == 0) if k <= n else np.array([0])
        if k < 2 or len(empty):
            raise ValueError("folds needs at least two folds, numbered from 0 on with none left out")
    weights = asked.in_memory.sample_weight
    counted = slice(None) if weights is None else weights > 0.0
    place = n_labels * fold_of_row.astype(np.intp) + codes
    dealt = np.bincount(place[counted], minlength=n_labels * k).reshape(k, n_labels)  # rows that have a weight
    for f in range(0 if asked.numbers else k):
        left = dealt.sum(axis=0) - dealt[f]
        if not left.all():
            only = "one label is left" if n_labels == 2 else f"no row of {asked.labels[left.argmin()].item()!r} is left"
            raise ValueError(f"without fold {f} {only} to train on: use fewer folds, or another seed")
    return fold_of_row, k


def first_weights(weights: Any, bias: Any, combinations: int, n_features: int) -> np.ndarray:
    """(combinations, n_features + 1): the starting weights and, last, the bias."""
    try:
        w, b = np.asarray(weights, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("weights and bias are numbers: for all models, or a row and a number for each") from None
    if w.shape not in ((), (n_features,), (combinations, n_features)) or b.shape not in ((), (combinations,)):
        raise ValueError(
            f"weights has shape {w.shape} and bias {b.shape}; one number, ({n_features},) as X has columns, or "
            f"({combinations}, {n_features}) is needed, and for bias one number or ({combinations},)"
        )
    if not (np.isfinite(w).all() and np.isfinite(b).all()):
        raise ValueError("weights or bias holds NaN or infinity: start from finite numbers")
    start = np.empty((combinations, n_features + 1))
    start[:, :-1], start[:, -1] = w, b
    return start


class _Sweep:
    """A sweep over rows in memory: its passes, and the losses from their sums."""

    def __init__(self, options: Options, neurons: ManyNeurons, fold_of_row: np.ndarray | None, threads: int) -> None:
        self.options, self.neurons, self.fold_of_row = options, neurons, fold_of_row
        self.threads, m, d = min(threads, len(neurons.groups)), len(neurons), options.rows.n_features
        # The bits of sums over held-out rows depend on the blocks, so these do not depend on the number of threads.
        self.block_rows, self.scored_rows = (block_rows(m, d, threads) for threads in (self.threads, 1))
        self.in_fold = np.zeros(m)  # how many rows each neuron holds out
        if fold_of_row is not None:
            counts = np.bincount(fold_of_row.astype(np.intp))
            self.in_fold = np.where(neurons.fold == ALL_ROWS, 0, counts[neurons.fold])

    def run(self) -> SweepResult:
        options, neurons = self.options, self.neurons
        nothing = FAST.rows(options.rows.nothing())
        neurons.train(nothing, np.empty(0), np.empty(0), None if self.fold_of_row is None else np.empty(0))
        started, losses = perf_counter(), []
        with np.errstate(all="ignore"), Team(self.threads) as team:
            self.team = neurons.team = team
            finish(run_epochs(self._pass, options.epochs, [lambda done, last: losses.append(neurons.losses())]))
            parameters = neurons.parameters()
            scores = self._scores(parameters)
            squares, trained, held = np.moveaxis(np.array(losses), 0, 1)
            if options.numbers:  # the kernel adds up no losses of rows that are held out
                trained, held = squares.copy(), np.full_like(held, np.nan)
            trained /= len(options.rows) - self.in_fold
            held /= self.in_fold  # 0/0 if no fold is held out
        seconds = perf_counter() - started
        return swept(options, neurons, parameters, (squares, trained, held, scores), seconds)

    def _pass(self, done: int) -> int:
        rows, order = self.options.rows, self.options.order
        self.neurons.clear()
        places = None if order is None else order.permutation(len(rows), rows.n_features, done)
        visit(self._blocks(self.block_rows, places), self.neurons.train)
        return 1

    def _blocks(self, size: int, order: np.ndarray | None) -> Iterator[tuple[Any, ...]]:
        """Rows, labels, sample weights and folds, in the order of the row numbers `order`."""
        own = self.options.in_memory
        start, ones = 0, np.ones(min(size, len(own)))
        rows = own if order is None else Rows(own.X, own.codes, order, own.sample_weight)
        for X, y, weights in rows.blocks(size):
            part = slice(start, start + len(y)) if order is None else order[start : start + len(y)]
            folds = None if self.fold_of_row is None else self.fold_of_row[part]
            start += len(y)
            yield FAST.rows(X), y, ones if weights is None else weights, folds

    def _scores(self, parameters: np.ndarray) -> np.ndarray:
        """The mean log loss of each neuron on validation or held-out rows; NaN if it diverged or there are no rows."""
        judge = self.options.validation_loss
        if judge is None:
            return self._held_out_loss(parameters)
        scores = np.full(len(parameters), np.nan)
        known: dict[str, Any] = {"output": LINEAR} if self.options.numbers else {"labels": self.options.labels}
        for i, row in enumerate(parameters):
            if np.isfinite(row).all():
                scores[i] = judge(Neuron(weights=row[:-1], bias=row[-1], **known))
        return scores

    def _held_out_loss(self, parameters: np.ndarray) -> np.ndarray:
        """The mean log loss of each neuron on the rows that it holds out, with its last weights."""
        totals, fold = np.zeros(len(parameters)), self.neurons.fold

        def add(X: np.ndarray, y: np.ndarray, folds: np.ndarray, f: int) -> None:
            models, rows = np.flatnonzero(fold == f), np.flatnonzero(folds == f)
            size = max(SCORED_VALUES // len(models), 1)
            with np.errstate(all="ignore"):  # each thread has its own setting
                for part in np.split(rows, range(size, len(rows), size)):
                    totals[models] += held_out_losses(parameters[models], X[part], y[part], self.options.loss.code)

        if self.fold_of_row is not None:
            # A neuron has one fold, so each thread adds to other neurons.
            for X, y, _, folds in self._blocks(self.scored_rows, None):
                self.team.map(partial(add, X, y, folds), range(int(fold.max()) + 1))
        return totals / self.in_fold


def held_out_losses(parameters: np.ndarray, X: np.ndarray, y: np.ndarray, loss: int = LOG_LOSS) -> np.ndarray:
    """The loss of each neuron (a row of weights and, last, a bias), summed over some rows."""
    z = X.astype(np.float64, copy=False) @ parameters[:, :-1].T + parameters[:, -1]
    return np.asarray(vectorized.row_loss(z, vectorized.predicted(z, loss), y[:, np.newaxis], loss, 0.0).sum(axis=0))
