"""Sweeps over shards: many models as lanes of the same pass, on every worker. The kernel is `kernels/lanes.py`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import Job, Piece
from tinynet_fast.cluster.learners import blend
from tinynet_fast.cluster.state import Arrays, State
from tinynet_fast.cluster.tasks import Share
from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.kernels.fast.many_neurons import ROWS
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.sampling import row_hashes
from tinynet_fast.rows.stream import recut
from tinynet_fast.training.plan import Plan
from tinynet_fast.training.sweep import groups_of
from tinynet_fast.training.sweep_result import ALL_ROWS

BLOCK_ROWS = 1 << 13  # rows a call takes: with 32 models of 16 inputs it is done in 5 ms
N_LOSSES = 3  # of each model: squared errors, log losses of rows trained on and of rows held out


def fold_of_rows(first: int, n: int, folds: int, seed: int) -> np.ndarray:
    """(n,) float64: the fold of each row, by a hash of its number among the rows of all shards."""
    return (row_hashes(seed, first, first + n) % np.uint64(folds)).astype(np.float64)


def check_folds(folds: int, rows: int, seed: int) -> None:
    """ValueError where one of the folds would have no row. (Among 100 rows a fold that comes to none in e^100.)"""
    dealt = fold_of_rows(0, min(rows, 100 * folds), folds, seed)
    if len(np.unique(dealt)) < folds:
        raise ValueError(f"folds is {folds} and the shards have {rows:,} rows: too few for each fold to have one")


@dataclass(frozen=True, eq=False)
class LanesLearner:
    """All models of a sweep. Counts are the rows of all shards so far, and of each lane those that it averages over.

    Attributes
    ----------
    options : (m, 3) float64 array
        Learning rate, l2 and average of each model.
    start : (m, n_features + 1) float64 array
    fold : (m,) int array
        Which fold each holds out; -1 for none.
    """

    options: np.ndarray
    start: np.ndarray
    fold: np.ndarray
    folds: int
    seed: int
    fresh: bool = False  # whether means begin with the shard's first row

    @property
    def n_counts(self) -> int:
        return 1 + sum(group.sums.shape[1] for group in groups_of(self.options, self.start, self.fold, 1))

    def trainee(self, plan: Plan) -> "LanesTrainee":
        return LanesTrainee(self, plan)

    def alone(self, state: State) -> "LanesLearner":
        return replace(self, fresh=True)

    def round(self, before: State, after: State, rows: int) -> State:
        """With the round's means brought into those of all rows before, as `NeuronLearner.round` does.

        Models that hold a fold out are weighted by all rows too: folds are dealt by a hash, and so in proportion.
        """
        trainee = LanesTrainee(self, None)
        parameters, done, low = after.parameters.copy(), before.counts[0], 0
        for group in trainee.groups:
            high = low + group.state.size
            if group.penalised:
                middle = low + group.state.size // 2
                means = slice(middle, high)
                parameters[means] = blend(before.parameters[means], after.parameters[means], done, rows)
            low = high
        return replace(after, parameters=parameters, counts=np.full_like(before.counts, done + rows))


class LanesTrainee:
    """The models of a sweep, as `fit_shard` trains them."""

    batch_size = block_rows = BLOCK_ROWS  # every block but the last has as many rows, because sums depend on it

    def __init__(self, learner: LanesLearner, plan: Plan | None) -> None:
        self.learner, self.first, self.done = learner, 0, 0
        if plan is not None:
            self.engine: Engine = plan.engine
        self.groups = groups_of(learner.options, learner.start, learner.fold, 1)
        self.n_losses = N_LOSSES * len(learner.options)

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: Any, losses: np.ndarray) -> None:
        learner, weights = self.learner, np.ones(len(y))
        folds = None
        if learner.folds:
            folds = fold_of_rows(self.first, len(y), learner.folds, learner.seed)
        self.first += len(y)
        with np.errstate(all="ignore"):
            for group in self.groups:
                group.clear()
                group.train(self.engine.rows(X), y, weights, folds)
                for row, sums in zip(losses.reshape(N_LOSSES, -1), group.losses(), strict=False):
                    row[group.members] += sums
        self.done += len(y)

    def end_epoch(self) -> None:
        pass

    def parameters(self) -> np.ndarray:
        states = [np.ravel(group.state) for group in self.groups]
        return np.concatenate([*states, [float(self.done)], *(group.sums[ROWS] for group in self.groups)])

    def restore(self, parameters: np.ndarray) -> None:
        places = [group.state for group in self.groups]
        places += [np.empty(1), *(group.sums[ROWS] for group in self.groups)]
        low = 0
        for place in places:
            place[...] = parameters[low : low + place.size].reshape(place.shape)
            low += place.size
        self.done = int(places[len(self.groups)][0])
        if self.learner.fresh:
            for group in self.groups:
                group.sums[ROWS] = 0.0

    def models(self) -> np.ndarray:
        """(m, n_features + 1): what each model predicts with."""
        models = np.empty_like(self.learner.start)
        for group in self.groups:
            models[group.members] = group.parameters()
        return models


@dataclass(frozen=True, eq=False)
class HeldOutTask:
    """The log loss of each model, summed over the rows of a shard that it holds out, and how many of each label."""

    job: Job
    models: np.ndarray
    learner: LanesLearner

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        totals, first = np.zeros(len(self.models)), share.first
        counts = np.zeros((self.learner.folds, len(self.job.labels)))
        rows = self.job.counted()
        with np.errstate(all="ignore"):
            for X, y in recut(iter(blocks), BLOCK_ROWS, batch_size=BLOCK_ROWS):  # sums depend on where blocks end
                codes = encode_known(y, self.job.labels, len(y))
                folds = fold_of_rows(first, len(y), self.learner.folds, self.learner.seed)
                first += len(y)
                for fold in range(self.learner.folds):
                    models, held = np.flatnonzero(self.learner.fold == fold), folds == fold
                    x = rows.standardised(X[held]).astype(np.float64, copy=False)
                    z = x @ self.models[models, :-1].T + self.models[models, -1]
                    totals[models] += vectorized.cross_entropy(z, codes[held, np.newaxis]).sum(axis=0)
                    counts[fold] += np.bincount(codes[held], minlength=len(self.job.labels))
        return {"losses": totals, "counts": counts}


def held_counts(counts: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """How many rows each model holds out."""
    return np.where(fold == ALL_ROWS, 0.0, counts[fold]) if len(counts) else np.zeros(len(fold))
