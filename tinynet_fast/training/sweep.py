"""`sweep`: many neurons in one pass over the rows, cross-validated too. The kernel is `kernels/lanes.py`."""

import math
import os
from collections.abc import Iterator
from functools import partial
from itertools import product
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.engines import BLOCK_SECONDS, ENGINES, MOST_ROWS, MOST_VALUES
from tinynet_fast.models import Neuron
from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.rows.columns import named_weights
from tinynet_fast.training.plan import Plan, check_flag, check_rate, check_whole, may_stream, plan
from tinynet_fast.training.schedules import STABILITY_BOUND, check_at_least_zero
from tinynet_fast.training.sweep_result import ALL_ROWS, SweepResult

if TYPE_CHECKING:
    from concurrent.futures import Executor

DEAL_STREAM = 2**32 + 1  # the stream of random numbers that deals rows to folds
SCORED_VALUES = 1 << 14  # sums of held-out rows at once: what NumPy makes of more is mapped and zeroed anew each time
ROW_SECONDS, VALUE_SECONDS = 6e-9, 9e-10  # what eight models cost, a row and a number in it: for the size of blocks


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
    sample_weight: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    n_jobs: int | None = None,
) -> SweepResult:
    """Train a neuron for every combination of options, side by side: 32 take as long as three to five separate fits.

    Each is trained as `train_neuron` would train it, with the same updates in the same order, and its weights are the
    same to 1e-12, norm-wise, unless it is `unstable`.

    Parameters
    ----------
    X, y, epochs, sample_weight, shuffle, seed
        As for `train_neuron`, but rows in memory that are not sparse. `epochs` is 1 unless given. All models see the
        rows in the same order.
    learning_rate : float or list of float
    l2 : float or list of float
    average : bool or list of bool
        Options as for `train_neuron`: one value, or a list of values to try. (`average` is no number of rows here.)
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
        Rows to judge the models by, or the fraction of rows to hold out for that; the models are trained on the other
        rows. With a fraction all rows are copied. Not together with `folds`.
    n_jobs : int, optional
        How many threads train: 1 if left out, as many as there are cores for -1. Results do not depend on it.

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
    rates = several("learning_rate", learning_rate, check_rate)
    penalties = several("l2", l2, check_at_least_zero)
    averages = several("average", average, checked_flag)
    threads = _threads(n_jobs)
    if may_stream(X):
        raise ValueError("sweep reads its rows again and again from memory: read them first, or fewer of them")
    if folds is not None and validation is not None:
        raise ValueError("folds and validation are two ways to judge the models: give one of them")
    job = plan(
        X,
        y,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=folds is not None and np.ndim(folds) == 0,
        validation=validation,
        patience=None,
        engine="fast",
        kernel="sgd_epochs",
        progress=False,
        callback=None,
        sample_weight=sample_weight,
    )
    if job.in_memory.index is not None:
        job.rows = _copied(job.in_memory)
    fold_of_row, n_folds = _folds(folds, job)
    options = np.array(list(product(rates, penalties, averages)), dtype=np.float64)
    start = first_weights(named_weights(weights, job.features), bias, len(options), job.rows.n_features)
    copies = 1 + n_folds
    options, start = np.repeat(options, copies, axis=0), np.repeat(start, copies, axis=0)
    fold = np.tile(np.arange(ALL_ROWS, n_folds), len(options) // copies)
    return _Sweep(job, options, start, fold, fold_of_row, threads).run()


def _copied(rows: Rows) -> Rows:
    """The rows that take part, as rows of which all take part."""
    index, codes = rows.index, rows.codes
    weights = None if rows.sample_weight is None else rows.sample_weight[index]
    taken = Codes(codes[index], np.arange(len(codes.labels), dtype=np.uint8))
    return Rows(picked(rows.X, index), taken, sample_weight=weights)


def several(name: str, values: Any, check: Any) -> list[float]:
    """One option, or those of a list, each checked."""
    if isinstance(values, (str, bytes)) or np.ndim(values) == 0:
        return [check(name, values)]
    checked = [check(f"{name}[{i}]", value) for i, value in enumerate(values)]
    if not checked:
        raise ValueError(f"{name} is empty: give at least one value to try")
    return checked


def checked_flag(name: str, value: Any) -> bool:
    check_flag(name, value)
    return bool(value)


def _threads(n_jobs: Any) -> int:
    if n_jobs is None:
        return 1
    if isinstance(n_jobs, (int, np.integer)) and not isinstance(n_jobs, bool) and n_jobs == -1:
        return os.cpu_count() or 1
    return check_whole("n_jobs", n_jobs)


def _folds(folds: Any, job: Plan) -> tuple[np.ndarray | None, int]:
    """The fold of each row, as float64, and how many there are."""
    n, codes = len(job.rows), job.in_memory.codes[:]
    if folds is None:
        return None, 0
    if np.ndim(folds) == 0:
        k = check_whole("folds", folds, least=2)
        if k > n:
            raise ValueError(f"folds is {k} and X has {n} rows: each fold needs at least one")
        rng = np.random.default_rng([job.seed or 0, DEAL_STREAM])
        order = np.concatenate([rng.permutation(np.flatnonzero(codes == label)) for label in (0, 1)])
        fold_of_row = np.empty(n)
        fold_of_row[order] = np.arange(n) % k  # the second label goes on where the first ended, so that sizes are even
    else:
        given = np.asarray(folds)
        if given.shape != (n,) or given.dtype.kind not in "iu" or given.min() < 0:
            raise ValueError(f"folds is a number of folds, or for each of the {n} rows the number of its fold, from 0")
        fold_of_row, k = given.astype(np.float64), int(given.max()) + 1
        empty = np.flatnonzero(np.bincount(given.astype(np.intp), minlength=k) == 0) if k <= n else np.array([0])
        if k < 2 or len(empty):
            raise ValueError("folds needs at least two folds, numbered from 0 on with none left out")
    weights = job.in_memory.sample_weight
    counted = slice(None) if weights is None else weights > 0.0
    place = 2 * fold_of_row.astype(np.intp) + codes
    dealt = np.bincount(place[counted], minlength=2 * k).reshape(k, 2)  # rows of both labels that have a weight
    for f in range(k):
        if not (dealt.sum(axis=0) - dealt[f]).all():
            raise ValueError(f"without fold {f} one label is left to train on: use fewer folds, or another seed")
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


class Group:
    """Models that are trained by the same calls of the kernel, and their state."""

    def __init__(self, members: np.ndarray, options: np.ndarray, start: np.ndarray, fold: np.ndarray) -> None:
        from tinynet_fast.kernels.fast import many_neurons

        self.members, self.kernel = members, many_neurons
        rates, l2, averaged = options[members].T
        self.penalised = bool((l2 > 0.0).any() or averaged.any())
        self.averaged = averaged > 0.0
        m, d = -(-len(members) // many_neurons.WIDTH) * many_neurons.WIDTH, start.shape[1] - 1
        self.options, self.sums = (
            many_neurons.aligned(many_neurons.N_OPTIONS, m),
            many_neurons.aligned(many_neurons.N_SUMS, m),
        )
        self.state = many_neurons.aligned((d + 1) * (2 if self.penalised else 1), m)
        self.options[many_neurons.KEEP], self.options[many_neurons.HELD] = 1.0, many_neurons.NOBODY
        used = slice(len(members))
        with np.errstate(over="ignore"):  # too large a rate, penalty or weight shows in the result
            self.options[many_neurons.RATE, used] = rates
            self.options[many_neurons.KEEP, used] = np.maximum(0.0, 1.0 - rates * l2)
            self.options[many_neurons.HELD, used] = fold[members]
            self.state[: d + 1, used] = start[members].T

    def train(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, folds: np.ndarray | None) -> None:
        self.kernel.train(X, y, weights, folds, self.options, self.state, self.sums, self.penalised)

    def clear(self) -> None:
        self.kernel.clear(self.sums)

    def losses(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums of squared errors, and of log losses of rows trained on and held out, since `clear`."""
        used = slice(len(self.members))
        trained, held = self.kernel.log_losses(self.sums)
        return self.sums[self.kernel.SQUARES, used], trained[used], held[used]

    def parameters(self) -> np.ndarray:
        """(members, n_features + 1): what the models predict with."""
        d = len(self.state) // (2 if self.penalised else 1)
        used = slice(len(self.members))
        now, means = self.state[:d, used].T, self.state[-d:, used].T
        return np.where(self.averaged[:, np.newaxis], means, now)


class _Sweep:
    """The loop over epochs and blocks, and what is made of its sums."""

    def __init__(
        self,
        job: Plan,
        options: np.ndarray,
        start: np.ndarray,
        fold: np.ndarray,
        fold_of_row: np.ndarray | None,
        threads: int,
    ) -> None:
        self.job, self.options, self.fold, self.fold_of_row = job, options, fold, fold_of_row
        from tinynet_fast.kernels.fast import many_neurons

        d = job.rows.n_features
        self.groups = groups_of(options, start, fold, threads)
        self.threads = min(threads, len(self.groups))
        seconds = (ROW_SECONDS + VALUE_SECONDS * d) * len(options) / many_neurons.WIDTH
        # The sums of held-out rows depend on where blocks end, so those blocks are the same for any number of threads.
        self.block_rows, self.scored_rows = (
            max(min(int(k * BLOCK_SECONDS / seconds), MOST_ROWS, MOST_VALUES // d) // many_neurons.CHUNK, 1)
            * many_neurons.CHUNK
            for k in (self.threads, 1)
        )

    def run(self) -> SweepResult:
        job, n = self.job, len(self.job.rows)
        shape = job.epochs, len(self.options)
        squares, progressive, held_out = np.empty(shape), np.empty(shape), np.empty(shape)
        in_fold = np.zeros(len(self.options))
        if self.fold_of_row is not None:
            counts = np.bincount(self.fold_of_row.astype(np.intp))
            in_fold = np.where(self.fold == ALL_ROWS, 0, counts[self.fold])
        nothing = job.engine.rows(job.rows.nothing())
        for group in self.groups:  # compiles, where there is something to compile
            group.train(nothing, np.empty(0), np.empty(0), None if self.fold_of_row is None else np.empty(0))
        started = perf_counter()
        from concurrent.futures import ThreadPoolExecutor  # 3 ms, which one neuron need not wait for

        with ThreadPoolExecutor(self.threads) as pool, np.errstate(all="ignore"):
            for epoch in range(job.epochs):
                for group in self.groups:
                    group.clear()
                for block in self._blocks(self.block_rows, self._order(epoch)):
                    self._train(pool, block)
                for group in self.groups:
                    losses = group.losses()
                    for history, sums in zip((squares, progressive, held_out), losses, strict=True):
                        history[epoch, group.members] = sums
            parameters = np.empty((len(self.options), job.rows.n_features + 1))
            for group in self.groups:
                parameters[group.members] = group.parameters()
            if job.validation_loss is None:
                scores = self._held_out_loss(pool, parameters, in_fold)
            else:
                scores = np.array([self._validation_loss(each) for each in parameters])
            progressive /= n - in_fold
            held_out /= in_fold  # 0/0 where no fold is held out
        seconds = perf_counter() - started
        return swept(self.job, self.options, self.fold, parameters, squares, progressive, held_out, scores, seconds)

    def _order(self, epoch: int) -> np.ndarray | None:
        rows, order = self.job.rows, self.job.order
        return None if order is None else order.permutation(len(rows), rows.n_features, epoch)

    def _blocks(self, size: int, order: np.ndarray | None) -> Iterator[tuple[Any, ...]]:
        start, ones = 0, np.ones(min(size, len(self.job.rows)))
        job = self.job.in_memory
        rows = job if order is None else Rows(job.X, job.codes, order, job.sample_weight)
        for X, y, weights in rows.blocks(size):
            part = slice(start, start + len(y)) if order is None else order[start : start + len(y)]
            folds = None if self.fold_of_row is None else self.fold_of_row[part]
            start += len(y)
            yield self.job.engine.rows(X), y, ones if weights is None else weights, folds

    def _train(self, pool: "Executor", block: tuple[Any, ...]) -> None:
        if self.threads == 1:
            for group in self.groups:
                group.train(*block)
        else:
            for done in [pool.submit(group.train, *block) for group in self.groups]:
                done.result()

    def _validation_loss(self, parameters: np.ndarray) -> float:
        """The mean log loss of a model on the rows to judge it by; NaN for one that diverged."""
        if self.job.validation_loss is None or not np.isfinite(parameters).all():
            return np.nan
        return self.job.validation_loss(Neuron(weights=parameters[:-1], bias=parameters[-1], labels=self.job.labels))

    def _held_out_loss(self, pool: "Executor", parameters: np.ndarray, in_fold: np.ndarray) -> np.ndarray:
        """Mean log loss of each model on the rows that it holds out, with the weights that it has now."""
        totals = np.zeros(len(parameters))

        def add(X: np.ndarray, y: np.ndarray, folds: np.ndarray, f: int) -> None:
            models, rows = np.flatnonzero(self.fold == f), np.flatnonzero(folds == f)
            size = max(SCORED_VALUES // len(models), 1)
            with np.errstate(all="ignore"):  # which is a thread's own
                for part in np.split(rows, range(size, len(rows), size)):
                    z = X[part].astype(np.float64, copy=False) @ parameters[models, :-1].T + parameters[models, -1]
                    totals[models] += vectorized.cross_entropy(z, y[part, np.newaxis]).sum(axis=0)

        if self.fold_of_row is not None:
            # A model is in one fold, so that threads add to others.
            for X, y, _, folds in self._blocks(self.scored_rows, None):
                list(pool.map(partial(add, X, y, folds), range(int(self.fold.max()) + 1)))
        return totals / in_fold


def swept(
    job: Plan,
    options: np.ndarray,
    fold: np.ndarray,
    parameters: np.ndarray,
    squares: np.ndarray,
    progressive: np.ndarray,
    held_out: np.ndarray,
    scores: np.ndarray,
    seconds: float,
) -> SweepResult:
    """The result of a sweep of which all models are known: their parameters, losses by epoch, and scores."""
    finite = np.isfinite(parameters).all(axis=1) & np.isfinite(squares).all(axis=0)
    copies = int(fold.max()) + 2
    result = SweepResult(
        weights=np.ascontiguousarray(parameters[:, :-1]),
        biases=parameters[:, -1].copy(),
        learning_rate=options[:, 0],
        l2=options[:, 1],
        average=options[:, 2] > 0.0,
        combination=np.arange(len(parameters)) // copies,
        fold=fold,
        loss_history=squares,
        progressive_loss=progressive,
        held_out_history=held_out,
        held_out_loss=scores,
        diverged=~finite,
        unstable=options[:, 0] > STABILITY_BOUND / job.largest,
        best=None,
        labels=job.labels,
        features=job.features,
        epochs=job.epochs,
        shuffle=bool(job.shuffle),
        seed=job.seed,
        seconds=seconds,
    )
    judged = result.scores()
    if not np.isnan(judged).all():
        object.__setattr__(result, "best", int(np.nanargmin(judged)) * copies)
    return result


def groups_of(options: np.ndarray, start: np.ndarray, fold: np.ndarray, threads: int) -> list[Group]:
    """All models in groups, those without penalties and averaging apart from the others: they train faster."""
    from tinynet_fast.kernels.fast import many_neurons

    models = np.arange(len(options))
    penalised = (options[:, 1] > 0.0) | (options[:, 2] > 0.0)
    parts = [part for part in (models[~penalised], models[penalised]) if len(part)]
    members = [each for part in parts for each in in_groups(part, many_neurons.WIDTH, many_neurons.MOST, threads)]
    return [Group(each, options, start, fold) for each in members]


def in_groups(models: np.ndarray, width: int, most: int, threads: int) -> list[np.ndarray]:
    """The models in groups of whole registers, at most `most` each, as many for each thread as can be."""
    registers = math.ceil(len(models) / width)
    groups = math.ceil(registers / most)
    groups = min(math.ceil(groups / threads) * threads, registers)
    ends = [math.ceil(registers * (k + 1) / groups) * width for k in range(groups)]
    return np.split(models, ends[:-1])


def mean_log_losses(parameters: np.ndarray, X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The mean log loss of each model (a row of weights and, last, a bias) on checked rows; a row counts at most 44.

    By the kernel that trains, with rates of 0: 2 ns a value where NumPy takes 25.
    """
    from tinynet_fast.kernels.fast import many_neurons

    engine, n, d = ENGINES["fast"], len(X), X.shape[1]
    options, folds = np.zeros((len(parameters), 3)), np.full(len(parameters), ALL_ROWS)
    members = in_groups(np.arange(len(parameters)), many_neurons.WIDTH, many_neurons.MOST, 1)
    groups = [Group(each, options, parameters, folds) for each in members]
    rows, totals = max(MOST_VALUES // d, many_neurons.CHUNK), np.empty(len(parameters))
    for group in groups:
        group.clear()
    for start in range(0, n, rows - rows % many_neurons.CHUNK):
        part = slice(start, start + rows - rows % many_neurons.CHUNK)
        y = codes[part].astype(np.float64)
        for group in groups:
            group.train(engine.rows(X[part]), y, np.ones(len(y)), None)
    for group in groups:
        totals[group.members] = group.losses()[1]
    return totals / n
