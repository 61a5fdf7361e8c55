"""Sweeps over shards: many neurons in the same pass over the rows, on every worker."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import Piece, ShardOptions
from tinynet_fast.cluster.recipes import blend
from tinynet_fast.cluster.state import State
from tinynet_fast.cluster.tasks import Share
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.kernels.fast.many_neurons import ROWS
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.cuts import recut
from tinynet_fast.rows.sampling import row_hashes
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.many_neurons import ALL_ROWS, ManyNeurons
from tinynet_fast.training.options import Options
from tinynet_fast.training.sweep import held_out_losses

BLOCK_ROWS = 1 << 13  # rows a call takes: with 32 neurons of 16 inputs it is done in 5 ms
N_LOSSES = 3  # for each neuron: squared errors, log losses of rows trained on, log losses of rows held out


def fold_of_rows(first: int, n: int, folds: int, seed: int) -> np.ndarray:
    """(n,) float64: the fold of each row, by a hash of its number among the rows of all shards."""
    return (row_hashes(seed, first, first + n) % np.uint64(folds)).astype(np.float64)


def check_folds(folds: int, rows: int, seed: int) -> None:
    """ValueError if a fold would have no row. (With 100 rows a fold the chance of that is e^-100.)"""
    dealt = fold_of_rows(0, min(rows, 100 * folds), folds, seed)
    if len(np.unique(dealt)) < folds:
        raise ValueError(f"folds is {folds} and the shards have {rows:,} rows: too few for each fold to have one")


@dataclass(frozen=True, eq=False)
class SweepRecipe:
    """All neurons of a sweep. Counts are the rows of all shards so far, and for each neuron the rows in its mean.

    Attributes
    ----------
    options : (m, 3) float64 array
        Learning rate, l2 and average of each neuron.
    start : (m, n_features + 1) float64 array
    fold : (m,) int array
        The fold that each neuron holds out; -1 for none.
    folds, seed : int
        How many folds there are, and the seed of the hash that deals rows to them.
    fresh : bool
        Whether the means begin with the shard's first row.
    """

    options: np.ndarray
    start: np.ndarray
    fold: np.ndarray
    folds: int
    seed: int
    fresh: bool = False

    def trainable(self, options: Options) -> "SweepTrainable":
        return SweepTrainable(self, options.engine)

    def alone(self, state: State) -> "SweepRecipe":
        return replace(self, fresh=True)

    def round(self, before: State, after: State, rows: int) -> State:
        """Bring the round's means into the means of all earlier rows, as `NeuronRecipe.round` does.

        Neurons that hold a fold out are weighted by all rows too: a hash deals the rows to folds, so every shard has
        about the same part of each fold.
        """
        values, done = dict(after.values), before.counts["row"][0]
        for i, group in enumerate(ManyNeurons(self.options, self.start, self.fold).groups):
            if group.penalised:
                name, means = f"group {i}", slice(group.state.size // 2, None)
                values[name] = values[name].copy()
                values[name][means] = blend(before.values[name][means], values[name][means], done, rows)
        counts = {name: np.full_like(count, done + rows) for name, count in before.counts.items()}
        return replace(after, values=values, counts=counts)


class SweepTrainable:
    """The neurons of a sweep, as `fit_shard` trains them."""

    batch_size = block_rows = BLOCK_ROWS  # blocks of the same size, or sums would have other bits

    def __init__(self, recipe: SweepRecipe, engine: Engine) -> None:
        self.neurons = ManyNeurons(recipe.options, recipe.start, recipe.fold)
        self.recipe, self.engine, self.first, self.done = recipe, engine, 0, 0
        self.n_losses = N_LOSSES * len(self.neurons)
        self.counts = ("row", *(f"rows {i}" for i in range(len(self.neurons.groups))))

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: Any, losses: np.ndarray) -> None:
        recipe, neurons, folds = self.recipe, self.neurons, None
        if recipe.folds:
            folds = fold_of_rows(self.first, len(y), recipe.folds, recipe.seed)
        self.first += len(y)
        with np.errstate(all="ignore"):
            neurons.clear()
            neurons.train(self.engine.rows(X), y, np.ones(len(y)), folds)
            sums = losses.reshape(N_LOSSES, -1)
            sums += neurons.losses()
        self.done += len(y)

    def end_epoch(self) -> None:
        pass

    def state(self) -> Arrays:
        groups = self.neurons.groups
        values = {f"group {i}": group.state.flatten() for i, group in enumerate(groups)}
        rows = {f"rows {i}": group.sums[ROWS].copy() for i, group in enumerate(groups)}
        return {**values, "row": np.array([float(self.done)]), **rows}

    def restore(self, state: Arrays) -> None:
        for i, group in enumerate(self.neurons.groups):
            group.state[...] = state[f"group {i}"].reshape(group.state.shape)
            group.sums[ROWS] = 0.0 if self.recipe.fresh else state[f"rows {i}"]
        self.done = int(state["row"][0])


@dataclass(frozen=True, eq=False)
class HeldOutTask:
    """Sum each neuron's log loss over the rows of a shard that it holds out, and count the labels of each fold."""

    options: ShardOptions
    models: np.ndarray
    recipe: SweepRecipe

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        totals, first = np.zeros(len(self.models)), share.first
        counts = np.zeros((self.recipe.folds, len(self.options.labels)))
        rows = self.options.counted()
        with np.errstate(all="ignore"):
            for X, y in recut(iter(blocks), BLOCK_ROWS, batch_size=BLOCK_ROWS):  # sums depend on where blocks end
                codes = encode_known(y, self.options.labels, len(y))
                folds = fold_of_rows(first, len(y), self.recipe.folds, self.recipe.seed)
                first += len(y)
                for fold in range(self.recipe.folds):
                    models, held = np.flatnonzero(self.recipe.fold == fold), folds == fold
                    totals[models] += held_out_losses(self.models[models], rows.standardised(X[held]), codes[held])
                    counts[fold] += np.bincount(codes[held], minlength=len(self.options.labels))
        return {"losses": totals, "counts": counts}


def held_counts(counts: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """How many rows each neuron holds out; `counts` are the rows of each fold."""
    return np.where(fold == ALL_ROWS, 0.0, counts[fold]) if len(counts) else np.zeros(len(fold))
