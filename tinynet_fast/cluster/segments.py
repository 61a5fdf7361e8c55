"""The chain over shards: in turn, or for a neuron in segments that are trained side by side.

A segment is a large shard and the small ones after it. It begins with a guess, the weights that are known so far, and
its first rows are its burn-in: on them the guess stops mattering. When all segments are trained, the segment before
each burn-in goes on over the same rows. Then `junctions.py` compares the weights of both after these rows. From the
first junction at which they are too far apart, shards are trained in turn. (With the burn-in on the last rows of the
shard before, a segment could go on to its own rows only after those of a shard that lies on another worker.)

How many rows two runs need until they meet is measured once, after some rows of the first large shard were trained in
turn. How shards are cut depends on their rows and the options alone, so the weights do not depend on the workers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tinynet_fast.cluster.fit import Piece, ShardOptions, coded
from tinynet_fast.cluster.inspection import Inspection
from tinynet_fast.cluster.recipes import NeuronRecipe, rows_done
from tinynet_fast.cluster.state import State
from tinynet_fast.cluster.tasks import Cluster, Group, ShardTask, Share, checked, checked_state
from tinynet_fast.kernels.engines import FAST
from tinynet_fast.kernels.point_functions import LOG_LOSS
from tinynet_fast.rows.cuts import recut
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.junctions import MARGIN, Junctions, Meeting, safe_bound

# Small shards that follow each other are one task, of at most this many values: 8 MB, which may have to travel.
GROUP_VALUES = 1 << 20
# Fewer segments, and segments that begin with a smaller shard, do not pay: a task takes Dask some milliseconds.
LEAST_SEGMENTS, LEAST_ROWS = 4, 1 << 16
# The most rows that are measured, as a share of all rows of all epochs. As many are trained in turn beforehand.
MEASURED = 1 / 64
# A burn-in may have this many times the rows that are needed if it takes no more than such a share of its shard.
SPARE, SPARE_SHARE = 4, 1 / 32
# If a shard needs a longer burn-in, as a share of its rows, no segment begins with it.
MOST_BURN_IN = 0.5


def train_in_turn(cluster: Cluster, options: ShardOptions, state: State, shares: Sequence[Share]) -> State:
    """Train on shares in their order, from the state before them; return the state after them."""
    groups: list[list[Share]] = []
    for share in shares:
        values = sum(other.rows for other in (*groups[-1], share)) * options.n_features if groups else math.inf
        if cluster.groups and values <= GROUP_VALUES:
            groups[-1].append(share)
        else:
            groups.append([share])
    for group, after in pairwise([*groups, []]):
        state = checked_state(options, cluster.one(ShardTask(options, state), group, after))
    return state


def segments_of(cluster: Cluster, options: ShardOptions) -> "ShardSegments | None":
    """Segments for a run of a chain; None if it has none."""
    recipe = options.recipe
    if not isinstance(recipe, NeuronRecipe) or options.engine != FAST.name:
        return None
    penalties, one = recipe.penalties, recipe.kind.outputs == 1 and options.weights is None
    log_loss = (
        penalties.smooth and penalties.loss.code == LOG_LOSS
    )  # the bounds of `junctions.py` are those of its steps
    can = one and log_loss and not penalties.average_from and cluster.divisible
    return ShardSegments(cluster, recipe) if can else None


class ShardSegments:
    """The segments of one run of a neuron without l1 and averaging, whose steps do not overshoot."""

    def __init__(self, cluster: Cluster, recipe: NeuronRecipe) -> None:
        self.cluster, self.recipe, self.junctions = cluster, recipe, Junctions()
        self.burn_in: int | None = None
        self.first_rate, self.given_up = 0.0, False
        self.safe_bound = safe_bound(recipe.schedule.rate(0), recipe.penalties.l2, recipe.penalties.loss.bound)

    def train(self, options: ShardOptions, state: State, shares: list[Share]) -> tuple[State, list[Share]]:
        """Train on the first shares of an epoch; return the state after them, and the shares that are left."""
        guess = _weights(state)
        self.given_up = self.given_up or not state.largest <= self.safe_bound
        if self.burn_in is None and not self.given_up:
            state, shares, guess = self._measure(options, state, shares)
        if self.given_up:
            return state, shares
        groups, others = self._cut(options, state, shares)
        self.given_up = len(groups) < LEAST_SEGMENTS
        # With l2, runs can move apart before a step overshoots: also on other rows, whose length is not known at first.
        unknown = len(others) > 0 and not options.seen and self.safe_bound < options.limit
        if self.given_up or unknown:
            return state, shares
        return self._side_by_side(options, state, guess, groups, others)

    def _measure(
        self, options: ShardOptions, state: State, shares: list[Share]
    ) -> tuple[State, list[Share], np.ndarray]:
        """Train on some rows in turn, and measure the burn-in on the next ones. Also returns the weights after these.

        If the burn-in cannot be measured, or if it is clear that segments will not pay, `given_up` is set.
        """
        tile, guess = FAST.tile, _weights(state)
        large = [i for i, share in enumerate(shares) if share.rows >= LEAST_ROWS]
        if len(large) < LEAST_SEGMENTS:
            self.given_up = True
            return state, shares, guess
        first = shares[large[0]]
        longest = int(first.rows * MOST_BURN_IN / MARGIN)
        most = min(int(options.rows * options.epochs * MEASURED), longest) // tile * tile
        state = train_in_turn(self.cluster, options, state, [*shares[: large[0]], first.head(most)])
        shares = [first.rest(most), *shares[large[0] + 1 :]]
        self.first_rate = self.recipe.schedule.rate(rows_done(state))
        task = MeetTask(options, state, self.recipe.start[0], most)
        found = checked(self.cluster.one(task, [shares[0].head(most)]))
        self.burn_in = int(found["burn_in"]) or None
        self.given_up = self.burn_in is None
        return state, shares, found["weights"]

    def _cut(self, options: ShardOptions, state: State, shares: list[Share]) -> tuple[list[list[Share]], list[Share]]:
        """Cut shares into segments; return these, and the shares from the first one on that fits no segment."""
        groups, values, before = [shares[:1]], 0, rows_done(state) - state.rows
        for i, share in enumerate(shares[1:], 1):
            burn_in = self._burn_in(share, self.recipe.schedule.rate(before + share.first + share.rows - 1))
            if burn_in is not None:
                groups.append([replace(share, burn_in=burn_in)])
                values = 0
                continue
            values += share.rows * options.n_features
            if not self.cluster.groups or values > GROUP_VALUES:
                return groups, shares[i:]
            groups[-1].append(share)
        return groups, []

    def _burn_in(self, share: Share, rate: float) -> int | None:
        """The rows on which a segment burns in that begins with this share, whose last row has this rate."""
        assert self.burn_in is not None
        most = share.rows * MOST_BURN_IN
        if share.rows < LEAST_ROWS or not self.burn_in * self.first_rate <= most * rate:
            return None
        needed = math.ceil(self.burn_in * self.first_rate / rate)
        rows = max(needed, min(SPARE * needed, int(share.rows * SPARE_SHARE)))
        rows = math.ceil(rows / FAST.tile) * FAST.tile
        return rows if rows <= most else None

    def _side_by_side(
        self,
        options: ShardOptions,
        state: State,
        guess: np.ndarray,
        groups: list[list[Share]],
        others: list[Share],
    ) -> tuple[State, list[Share]]:
        """Train segments and compare their junctions; return the state after those that stand, and the other shares."""
        task = ShardTask(options, state)
        begun = [_begun(group, state, guess) for group in groups]
        ends = [checked_state(options, answer) for answer in self.cluster.each(task, begun)]
        largest = max(end.largest for end in ends)
        if not largest <= self.safe_bound:
            self.given_up = True
            return replace(state, largest=largest), _shares_of(groups) + others
        early = [
            [replace(group[0].head(group[0].burn_in), state=_from_here(end), burn_in=0, last=True)]
            for group, end in zip(groups[1:], ends[:-1], strict=True)
        ]
        afters = [checked_state(options, answer) for answer in self.cluster.each(task, early)] + ends[-1:]
        starts = np.array([_weights(state), *(end.burnt_in for end in ends[1:])])
        rows = [sum(share.rows for share in group) for group in groups]
        burn_in = max(group[0].burn_in for group in groups)
        stand = self.junctions.stand(starts, np.array([_weights(after) for after in afters]), rows, burn_in)
        self.given_up = stand < len(groups)
        if not stand:
            return replace(state, largest=largest), _shares_of(groups) + others
        losses = np.sum([after.losses for after in afters[:stand]], axis=0)
        state = replace(_from_here(afters[stand - 1]), losses=losses, largest=largest, burnt_in=np.empty(0))
        if stand < len(groups):  # the last one that stands went on over the burn-in of the next one
            left = _shares_of(groups[stand:])
            others = [left[0].rest(groups[stand][0].burn_in), *left[1:], *others]
        return state, others


def _begun(group: list[Share], state: State, guess: np.ndarray) -> Group:
    """A segment's shares, of which the first one has the state to begin with: `state` itself if there is no burn-in."""
    first = group[0]
    if first.burn_in:
        done = rows_done(state) - state.rows + first.first
        state = replace(
            _from_here(state),
            values=state.values | {"weights": guess[:-1], "bias": guess[-1:]},
            counts={"row": np.array([float(done)])},
            losses=np.zeros_like(state.losses),
            X=state.X[:0],
            y=state.y[:0],
        )
    shares = [replace(first, state=state), *group[1:]]
    return [*shares[:-1], replace(shares[-1], last=True)]


def _from_here(state: State) -> State:
    """The same state before rows whose tiles are counted from the first of them on.

    If they were counted from the epoch's first row, the bits would depend on the blocks that a segment is read in.
    """
    return replace(state, rows=0)


def _shares_of(groups: list[list[Share]]) -> list[Share]:
    """The shares of segments, to be trained in turn."""
    return [replace(share, burn_in=0) for group in groups for share in group]


def _weights(state: State) -> np.ndarray:
    """The weights and, last, the bias."""
    return np.append(state.values["weights"], state.values["bias"])


@dataclass(frozen=True, eq=False)
class MeetTask:
    """Find out on how many rows two runs meet: one from the state's weights, and one from `start`.

    The answer is the burn-in, which is 0 if they do not meet within `most` rows, and the weights of the first run.
    """

    options: ShardOptions
    state: State
    start: np.ndarray
    most: int

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        options, state, most = self.options, self.state, self.most
        begin = {"weights": self.start[:-1], "bias": self.start[-1:]}
        runs = options.trainable(), options.trainable()
        for run, values in zip(runs, ({}, begin), strict=True):
            run.restore(state.trained | values)
        meeting, rows, losses = Meeting(_weights(state), self.start, most), options.counted(), np.zeros(1)
        inspected = Inspection(share.shard, share.start, options.features).of(blocks, rows, options.limit)
        size, done = max(most // 64 // FAST.tile, 1) * FAST.tile, 0
        for X, y in recut(coded(inspected, options), size, batch_size=size):
            for run in runs:
                run.train(rows.standardised(X), y, None, losses)
            done += len(y)
            first, second = (np.append(run.weights, run.bias) for run in runs)
            if meeting.is_over(first, second, done):
                break
        return {"burn_in": np.array(meeting.burn_in or 0), "weights": np.append(runs[0].weights, runs[0].bias)}
