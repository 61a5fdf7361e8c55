"""An epoch over the shards of a cluster, as a chain or by averaging. The loop over epochs is `training/loop.py`'s."""

from dataclasses import dataclass, field, replace
from itertools import accumulate
from time import perf_counter
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import ShardOptions
from tinynet_fast.cluster.inspection import ShardLabels, merge_labels, merge_moments
from tinynet_fast.cluster.recipes import MomentsRecipe, moments_of
from tinynet_fast.cluster.segments import ShardSegments, segments_of, train_in_turn
from tinynet_fast.cluster.state import State, merge
from tinynet_fast.cluster.tasks import (
    Cluster,
    HeadTask,
    LabelsTask,
    PieceTask,
    RateTask,
    ShardTask,
    Share,
    check_rows,
    checked,
    checked_state,
    singles,
)
from tinynet_fast.errors import TrainingDivergedError, TrainingWarning, rounded_down, warn
from tinynet_fast.kernels.engines import STABILITY_BOUND
from tinynet_fast.rows.index_columns import LOOKED_AT, suspects, warn_of_row_numbers
from tinynet_fast.training.checks import check_flag, check_labels, check_one_of, check_whole
from tinynet_fast.training.history import History, all_finite
from tinynet_fast.training.loop import finish, run_epochs
from tinynet_fast.training.options import Options
from tinynet_fast.training.rate_search import most_rows
from tinynet_fast.training.result import RateSearch, TrainingResult
from tinynet_fast.training.run import after_epoch, training_result, until_measured

MODES = ("chain", "average")


@dataclass(eq=False)
class Shards:
    """The shards of a cluster, after the pass over their labels.

    `parts` has the rows and labels of each shard, `known` those of all together, `counts` the numbers of rows.
    """

    cluster: Cluster
    known: ShardLabels
    parts: list[ShardLabels]
    mode: str
    syncs: int
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    firsts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.firsts = [0, *accumulate(part.rows for part in self.parts)][:-1]

    @property
    def counts(self) -> list[int]:
        return [part.rows for part in self.parts]

    def options(self, recipe: Any, engine: str, **others: Any) -> ShardOptions:
        """The options of training on these shards."""
        cluster = self.cluster
        common = {"mean": self.mean, "scale": self.scale, "features": cluster.names, "labels": self.known.labels}
        return ShardOptions(recipe, engine, cluster.n_features, self.known.rows, cluster.dtype, **(common | others))

    def whole(self) -> list[Share]:
        """All shards that have rows. The epoch ends with the last of them."""
        shares = [Share(i, 0, n, self.firsts[i]) for i, n in enumerate(self.counts) if n]
        return [*shares[:-1], replace(shares[-1], last=True)]

    def head(self, rows: int) -> Share:
        """The first rows, at most this many, of the first shard that has any."""
        first = self.whole()[0]
        return first.head(min(first.rows, rows))

    def rounds(self) -> list[list[Share]]:
        """The `syncs` rounds of an epoch. In each, every shard has a share: its next rows, about 1 / `syncs` of all."""
        rounds = []
        for r in range(self.syncs):
            cuts = [(n * r // self.syncs, n * (r + 1) // self.syncs) for n in self.counts]
            whole = self.syncs == 1
            shares = [Share(i, low, high, self.firsts[i] + low, whole) for i, (low, high) in enumerate(cuts)]
            if any(share.rows for share in shares):
                rounds.append(shares)
        return rounds

    def most_updates(self, batch_size: int) -> int:
        """The updates of an averaged epoch: a round counts as many as the shard that makes most of them."""
        return sum(max(-(-share.rows // batch_size) for share in shares) for shares in self.rounds())

    def epoch(self, options: ShardOptions, state: State, segments: ShardSegments | None = None) -> State:
        """Train for one epoch, from the state before it; return the state after it."""
        state = replace(state, losses=np.zeros_like(state.losses), rows=0)
        if self.mode == "average":
            return self._average(options, state)
        shares = self.whole()
        if segments is not None:
            state, shares = segments.train(options, state, shares)
        return train_in_turn(self.cluster, options, state, shares)

    def _average(self, options: ShardOptions, state: State) -> State:
        for shares in self.rounds():
            task = PieceTask(options, state, sum(share.rows for share in shares))
            states = [checked_state(options, answer) for answer in self.cluster.each(task, singles(shares))]
            for share, after in zip(shares, states, strict=True):
                check_rows(share, after.rows)
            after = merge(states, [share.rows for share in shares])
            state = replace(after, losses=state.losses + after.losses, rows=state.rows + after.rows)
        return state


def open_shards(cluster: Cluster, mode: str, syncs: int, labels: Any, most: int, standardize: bool) -> Shards:
    """Read the labels of all shards and, to standardise, their inputs too. ValueError for what is wrong with them.

    `labels` are those that the caller names, or None; there may be `most` different ones.
    """
    check_flag("standardize", standardize)
    labels = None if labels is None else check_labels(labels, most)
    check_one_of("mode", mode, MODES)
    syncs = check_whole("syncs", syncs)
    if mode == "chain" and syncs != 1:
        raise ValueError("syncs is how often shards are averaged in an epoch: use mode='average', or leave it out")
    parts = [ShardLabels.of(checked(answer)) for answer in cluster.labels(LabelsTask(labels))]
    shards = Shards(cluster, merge_labels(parts, labels, most), parts, mode, syncs)
    if suspects(cluster.names):
        warn_of_row_numbers(cluster.names, checked(cluster.one(HeadTask(), [shards.head(LOOKED_AT)]))["X"])
    if standardize:
        _standardise(shards)
    return shards


def _standardise(shards: Shards) -> None:
    """Compute means and deviations. A chain has the bits of one array; else the moments of the shards are merged."""
    cluster, options = shards.cluster, shards.options(MomentsRecipe(), "numpy")
    if shards.mode == "chain":
        state = shards.epoch(options, options.start())
        moments = moments_of(state.trained)
    else:
        whole = [replace(share, last=True) for share in shards.whole()]
        answers = cluster.each(ShardTask(options, options.start()), singles(whole))
        states = [State.of(checked(answer)) for answer in answers]
        moments = merge_moments([moments_of(each.trained) for each in states])
    shards.mean, shards.scale = moments.standardisation(cluster.names)


def search_rate(shards: Shards, options: dict[str, Any]) -> RateSearch:
    """Run `auto_rate` on rows that are drawn from the first shard that has both labels."""
    both = [share for share in shards.whole() if len(shards.parts[share.shard].labels) == 2]
    if not both:
        raise ValueError("learning_rate='auto' needs a partition with rows of both labels: give a rate")
    most = most_rows(shards.cluster.n_features)
    task = RateTask(most, shards.known.labels, options, shards.cluster.names, shards.mean, shards.scale)
    found = checked(shards.cluster.one(task, both[:1]))
    plain = {name: found[name].item() for name in ("learning_rate", "rows", "epochs")}
    return RateSearch(rates=found["rates"], losses=found["losses"], **plain)


def train(shards: Shards, shard_options: ShardOptions, options: Options) -> Any:
    """Train. If a row is beyond the fast engine's limit, train once more from the start with the strict one."""

    def trained() -> Any:
        return _Run(shards, replace(shard_options, engine=options.engine.name, limit=options.limit), options).result()

    return until_measured(trained, options)


class _Run:
    """One run on shards. After an epoch the client does what the trainers do: validation, early stopping, callback."""

    def __init__(self, shards: Shards, shard_options: ShardOptions, options: Options) -> None:
        self.shards, self.shard_options, self.options = shards, shard_options, options
        self.recipe: Any = shard_options.recipe
        self.trainable, self.history, self.state = self.recipe.trainable(options), History(), shard_options.start()
        self.segments = segments_of(shards.cluster, shard_options) if shards.mode == "chain" else None
        options.engine_name = options.engine.name

    def result(self) -> TrainingResult[Any]:
        options, history = self.options, self.history
        finish(run_epochs(self._pass, options.epochs, after_epoch(self.trainable, options, history)))
        options.recorded |= {"mode": self.shards.mode, "syncs": self.shards.syncs, "shards": len(self.shards.counts)}
        result: TrainingResult[Any] = training_result(self.trainable, options, history)
        _warn_of_overshooting(self.recipe, self.state.largest)
        return replace(result, certificate=None if self.segments is None else self.segments.junctions.certificate)

    def _pass(self, done: int) -> int:
        history, trainable, started = self.history, self.trainable, perf_counter()
        self.state = self.shards.epoch(self.shard_options, self.state, self.segments)
        history.seconds += perf_counter() - started
        trainable.restore(self.state.trained)
        if not (all_finite(trainable.state()) and np.isfinite(self.state.losses).all()):
            raise TrainingDivergedError(done, trainable.learning_rate, self.recipe.safe_rate(self.state.largest))
        self.shard_options = replace(self.shard_options, seen=True)
        history.losses.append(trainable.epoch_loss(self.state.losses))
        history.done += 1
        return 1


def _warn_of_overshooting(recipe: Any, largest: float) -> None:
    """Issue a TrainingWarning if the first step on the longest row could overshoot. (No model is tried on rows.)"""
    rate, safe = recipe.first_rate(), recipe.safe_rate(largest)
    if rate is not None and rate * largest > STABILITY_BOUND:
        use = f", or learning_rate={rounded_down(safe, 2)}, which is safe for these rows" if safe > 0.0 else ""
        warn(
            "steps overshoot: learning_rate * (|x|**2 + 1) is above 8 for some rows, so the model may be worse than "
            f"always answering the labels' shares. Look at its loss, and use standardize=True{use}.",
            TrainingWarning,
        )
