"""The tasks of workers. Each is a function of a shard's rows alone, so any worker may do it, also more than once.

A task takes blocks of rows and returns arrays. If something is wrong with the rows, it returns the error's text: a task
that raises would be tried again, in vain.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from tinynet_fast.cluster.fit import Piece, ShardOptions, coded, fit_piece, fit_shard
from tinynet_fast.cluster.inspection import Inspection, read_labels
from tinynet_fast.cluster.state import State
from tinynet_fast.kernels.engines import ENGINES, choose
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.base import DROPPING
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.rows.sampling import draw_from
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.neuron_rate import search_rate
from tinynet_fast.training.run import Overshoot


@dataclass(frozen=True)
class Share:
    """Some rows of a shard.

    Attributes
    ----------
    shard : int
    start, stop : int
        Which rows of the shard; if `stop` is None, all from `start` on.
    first : int
        The number of the first of these rows among the rows of all shards.
    whole : bool
        Whether these are all rows of the shard.
    last : bool
        Whether all rows are trained on. Otherwise those that do not fill a tile of the engine wait for the next share.
    state : State, optional
        The state to begin with, if it is not the task's own.
    burn_in : int
        How many of the first rows are trained on only so that a guess at the first weights no longer matters.
    """

    shard: int
    start: int = 0
    stop: int | None = None
    first: int = 0
    whole: bool = True
    last: bool = False
    state: State | None = None
    burn_in: int = 0

    @property
    def rows(self) -> int:
        assert self.stop is not None
        return self.stop - self.start

    def head(self, rows: int) -> "Share":
        """The first rows."""
        return replace(self, stop=self.start + rows, whole=self.whole and rows == self.rows, last=False)

    def rest(self, rows: int) -> "Share":
        """The same without the first rows."""
        return replace(self, start=self.start + rows, first=self.first + rows, whole=self.whole and not rows)


Group = Sequence[Share]  # shares that one task takes in turn
Task = Callable[[Iterable[Any], Share], Arrays]  # the first argument yields blocks of rows, or of labels


class Cluster(Protocol):
    """Sends tasks to the shards. A task's answer depends on the shard alone, so any worker may do it again.

    `groups` says whether one task can take several shards, and `divisible` whether some rows of a shard can be had
    again without computing all of it.
    """

    groups: bool
    divisible: bool
    names: list[str] | None
    n_features: int
    dtype: str
    n_targets: int  # how many numbers a row has to learn; 0 if there are labels
    target_names: list[str] | None  # of their columns

    def labels(self, task: Task) -> list[Arrays]:
        """Do a task on the labels, or numbers, of each shard, side by side; return the answers in order.

        Inputs are not read.
        """

    def each(self, task: Task, groups: Sequence[Group]) -> list[Arrays]:
        """Do a task on groups of shares, side by side, in each group in turn; return each group's last answer."""

    def one(self, task: Task, group: Group, after: Group = ()) -> Arrays:
        """Do a task on one group. The rows of the group `after` it may be made ready meanwhile."""


def work(task: Task, blocks: Iterable[Any], share: Share) -> Arrays:
    """Do a task. If something is wrong with the rows, return {"error": text}."""
    try:
        return task(blocks, share)
    except ValueError as error:
        return {"error": np.array(text_of(error))}


def in_turn(group: Group, do: Callable[[Share], Arrays]) -> Arrays:
    """Do a task on shares in turn: each begins with the state that the one before ended with. Stop at an error."""
    answer: Arrays = {}
    for share in group:
        answer = do(replace(share, state=State.of(answer)) if answer else share)
        if "error" in answer:
            break
    return answer


def singles(shares: Iterable[Share]) -> list[Group]:
    """Groups of one share each."""
    return [(share,) for share in shares]


def text_of(error: ValueError) -> str:
    """The error's text without the hint to use drop_missing, which clusters do not support."""
    return str(error).replace(DROPPING, "")


def checked(arrays: Arrays) -> Arrays:
    """The answer to a task. TableError if something was wrong with the rows."""
    if "error" in arrays:
        raise TableError(str(arrays["error"]))
    return arrays


def checked_state(options: ShardOptions, arrays: Arrays) -> State:
    """The state that a task answers. Overshoot if a row was too long for the engine."""
    state = State.of(checked(arrays))
    asked = ENGINES[options.engine]
    if choose(asked, state.largest, options.limit) is not asked:
        raise Overshoot
    return state


def check_rows(share: Share, rows: int) -> None:
    """ValueError if a pass over the shard found another number of rows than the first pass."""
    if rows != share.rows:
        raise ValueError(
            f"partition {share.shard}: {rows:,} rows now, {share.rows:,} before: the rows must be the same "
            "each time they are asked for, so persist or cache them, or write them to files first"
        )


@dataclass(frozen=True, eq=False)
class LabelsTask:
    """Call `read_labels`. The blocks hold labels alone."""

    labels: np.ndarray | None = None
    count: bool = False

    def __call__(self, blocks: Iterable[np.ndarray], share: Share) -> Arrays:
        return read_labels(blocks, share.shard, self.labels, self.count).arrays()


@dataclass(frozen=True, eq=False)
class ShardTask:
    """Call `fit_shard`: one link of the chain."""

    options: ShardOptions
    state: State

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        options, before = self.options, share.state or self.state
        if before.largest > options.limit:  # a row in an earlier share of the group: all will be trained once more
            return before.arrays()
        fit = partial(fit_shard, options=options, last=share.last, first=share.first, burn_in=share.burn_in)
        after = _inspected(fit, before, blocks, options, share)
        if after.largest <= options.limit:
            check_rows(share, after.rows + len(after.y) - before.rows - len(before.y))
        return after.arrays()


@dataclass(frozen=True, eq=False)
class PieceTask:
    """Call `fit_piece`: one shard's part of a round of averaging."""

    options: ShardOptions
    state: State
    rows: int

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        fit = partial(fit_piece, options=self.options, rows=self.rows, first=share.first)
        return _inspected(fit, self.state, blocks, self.options, share).arrays()


def _inspected(
    fit: Callable[..., State], state: State, blocks: Iterable[Piece], options: ShardOptions, share: Share
) -> State:
    """Train. In the first epoch, check the rows while they are read, which saves a pass over them."""
    if options.seen:
        return fit(state, blocks)
    inspection = Inspection(share.shard, share.start, options.features, state.largest)
    after = fit(state, inspection.of(blocks, options.counted(), options.limit, options.weights_of_labels))
    return replace(after, largest=inspection.largest)


@dataclass(frozen=True, eq=False)
class HeadTask:
    """Return the inputs of all rows of the share, which are few."""

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        return {"X": np.concatenate([X for X, _ in blocks])}


@dataclass(frozen=True, eq=False)
class RateTask:
    """Search for a learning rate on about `most` rows, which are drawn from all rows of the share."""

    most: int
    options: ShardOptions

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        options = self.options
        recipe: Any = options.recipe
        inspected = Inspection(share.shard, share.start, options.features).of(blocks)
        pieces = coded(inspected, options)
        labels = options.labels is not None
        X, y = draw_from(((X, y.astype(np.uint8)) for X, y in pieces) if labels else pieces, self.most)
        local, counted = options.local(), options.counted()
        X, y = counted.standardised(X), counted.standardised_y(y)
        local.rows = Rows(X, Numbers(y), sample_weight=options.weights_of(y))
        found = search_rate(local, recipe.start, recipe.penalties, recipe.kind)
        return {name: np.array(value) for name, value in vars(found).items()}
