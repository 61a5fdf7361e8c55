"""An epoch over the shards of a cluster, as a chain or by averaging. The loop over epochs is `training/loop.py`'s."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from time import perf_counter
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import ShardOptions
from tinynet_fast.cluster.inspection import ShardLabels, merge_labels, merge_moments
from tinynet_fast.cluster.learned import Learned, NumbersTask, ShardNumbers, merge_numbers
from tinynet_fast.cluster.recipes import MomentsRecipe, split_moments
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
from tinynet_fast.rows.index_columns import LOOKED_AT, suspects, warn_of_row_numbers
from tinynet_fast.training.checks import check_flag, check_one_of, check_whole
from tinynet_fast.training.history import History, all_finite
from tinynet_fast.training.look import constant_of
from tinynet_fast.training.loop import finish, run_epochs
from tinynet_fast.training.losses import ChosenLoss
from tinynet_fast.training.options import Options
from tinynet_fast.training.rate_search import most_rows
from tinynet_fast.training.result import RateSearch, TrainingResult
from tinynet_fast.training.run import after_epoch, training_result, until_measured

MODES = ("chain", "average")


@dataclass(eq=False)
class Shards:
    """The shards of a cluster, after the pass over their labels or numbers.

    `parts` has the rows and labels (or numbers) of each shard, `known` those of all together, `counts` the numbers of
    rows. `weights` says how much rows of each label count.
    """

    cluster: Cluster
    learned: Learned
    known: ShardLabels | ShardNumbers
    parts: Sequence[ShardLabels | ShardNumbers]
    mode: str
    syncs: int
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    y_mean: np.ndarray | None = None
    y_scale: np.ndarray | None = None
    weights: np.ndarray | None = None
    firsts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.firsts = [0, *accumulate(part.rows for part in self.parts)][:-1]

    @property
    def counts(self) -> list[int]:
        return [part.rows for part in self.parts]

    def options(self, recipe: Any, engine: str, **others: Any) -> ShardOptions:
        """The options of training on these shards."""
        cluster, known = self.cluster, self.known
        common: dict[str, Any] = {"labels": known.labels, "features": cluster.names, "loss": self.learned.loss}
        common |= {"mean": self.mean, "scale": self.scale, "y_mean": self.y_mean, "y_scale": self.y_scale}
        common |= {"n_targets": max(cluster.n_targets, 1), "targets": cluster.target_names}
        if self.weights is not None:
            common |= {"weights": self.weights, "total_weight": float(known.counts @ self.weights)}
        return ShardOptions(recipe, engine, cluster.n_features, known.rows, cluster.dtype, **(common | others))

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


def open_shards(cluster: Cluster, mode: str, syncs: int, learned: Learned, standardize: bool) -> Shards:
    """Read the labels or numbers of all shards and, to standardise, their inputs too.

    ValueError for what is wrong with them.
    """
    check_flag("standardize", standardize)
    check_one_of("mode", mode, MODES)
    syncs = check_whole("syncs", syncs)
    if mode == "chain" and syncs != 1:
        raise ValueError("syncs is how often shards are averaged in an epoch: use mode='average', or leave it out")
    shards = _read(cluster, mode, syncs, learned)
    if learned.class_weight is not None and isinstance(shards.known, ShardLabels):
        shards.weights = learned.class_weight.of_labels(shards.known.labels, shards.known.counts)
    if suspects(cluster.names):
        warn_of_row_numbers(cluster.names, checked(cluster.one(HeadTask(), [shards.head(LOOKED_AT)]))["X"])
    if standardize or learned.standardize_y:
        _standardise(shards, standardize, learned.standardize_y)
    return shards


def _read(cluster: Cluster, mode: str, syncs: int, learned: Learned) -> Shards:
    """Read the labels or the numbers of all shards."""
    if learned.numbers:
        task = NumbersTask(cluster.n_targets, cluster.target_names, learned.loss.is_of_counts)
        numbers = [ShardNumbers.of(checked(answer)) for answer in cluster.labels(task)]
        return Shards(
            cluster, learned, merge_numbers(numbers, learned.loss, cluster.target_names), numbers, mode, syncs
        )
    answers = cluster.labels(LabelsTask(learned.labels, count=learned.class_weight is not None))
    labels = [ShardLabels.of(checked(answer)) for answer in answers]
    return Shards(cluster, learned, merge_labels(labels, learned.labels, learned.most), labels, mode, syncs)


def _standardise(shards: Shards, inputs: bool, numbers: bool) -> None:
    """Compute means and deviations. A chain has the bits of one array; else the moments of the shards are merged.

    Those of the numbers in a chain need a pass of their own, because their bits depend on the number of a row.
    """
    cluster, known = shards.cluster, shards.known
    in_order = shards.mode == "chain"
    options = shards.options(MomentsRecipe(numbers and in_order), "numpy", weights=None)
    found: list[Any] = []
    if in_order:
        found = split_moments(shards.epoch(options, options.start()).trained, cluster.n_features)
    elif inputs:
        whole = [replace(share, last=True) for share in shards.whole()]
        answers = cluster.each(ShardTask(options, options.start()), singles(whole))
        states = [State.of(checked(answer)) for answer in answers]
        found = [merge_moments([split_moments(each.trained, cluster.n_features)[0] for each in states])]
    if inputs:
        shards.mean, shards.scale = found[0].standardisation(cluster.names)
    if numbers:
        assert isinstance(known, ShardNumbers)
        of_all = replace(known, moments=found[1]) if in_order else known
        shards.y_mean, shards.y_scale = of_all.standardisation(cluster.target_names)


def search_rate(shards: Shards, options: ShardOptions) -> RateSearch:
    """Search for a rate on rows that are drawn from the first shard that has all labels, or numbers that differ."""
    places = shards.whole()
    if isinstance(shards.known, ShardNumbers):
        vary = [share for share in places if shards.parts[share.shard].vary]  # type: ignore[union-attr]
        found_in = vary or places
    else:
        n = len(shards.known.labels)
        found_in = [share for share in places if len(shards.parts[share.shard].labels) == n]  # type: ignore[arg-type]
        if not found_in:
            both = "both" if n == 2 else f"all {n}"
            raise ValueError(f"learning_rate='auto' needs a partition with rows of {both} labels: give a rate")
    task = RateTask(most_rows(shards.cluster.n_features), options)
    found = checked(shards.cluster.one(task, found_in[:1]))
    plain = {name: found[name].item() for name in ("learning_rate", "rows", "epochs", "loss")}
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
        _warn_of_overshooting(self.recipe, self.state.largest, options.loss)
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


def _warn_of_overshooting(recipe: Any, largest: float, loss: ChosenLoss) -> None:
    """Issue a TrainingWarning if the first step on the longest row could overshoot. (No model is tried on rows.)"""
    rate, safe = recipe.first_rate(), recipe.safe_rate(largest)
    bound = 0.0 if rate is None else recipe.kind.bound
    if rate is not None and bound > 0.0 and rate * largest > bound:
        use = f", or learning_rate={rounded_down(safe, 2)}, which is safe for these rows" if safe > 0.0 else ""
        warn(
            f"steps overshoot: learning_rate * (|x|**2 + 1) is above {bound:g} for some rows, so the model may be "
            f"worse than always answering {constant_of(loss)[0]}. Look at its loss, and use standardize=True{use}.",
            TrainingWarning,
        )
