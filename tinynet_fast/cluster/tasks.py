"""The tasks of workers. Each is a function of a shard's rows alone, so any worker may do it, also more than once.

A task takes blocks of rows and returns arrays. If something is wrong with the rows, it returns the error's text: a task
that raises would be tried again, in vain.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import Piece, ShardOptions, fit_piece, fit_shard
from tinynet_fast.cluster.inspection import Inspection, read_labels
from tinynet_fast.cluster.state import State
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.base import DROPPING
from tinynet_fast.rows.sampling import draw_from
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.rate_search import auto_rate


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
    """

    shard: int
    start: int = 0
    stop: int | None = None
    first: int = 0
    whole: bool = True

    @property
    def rows(self) -> int:
        assert self.stop is not None
        return self.stop - self.start


Task = Callable[[Iterable[Any], Share], Arrays]  # the first argument yields blocks of rows, or of labels


def work(task: Task, blocks: Iterable[Any], share: Share) -> Arrays:
    """Do a task. If something is wrong with the rows, return {"error": text}."""
    try:
        return task(blocks, share)
    except ValueError as error:
        return {"error": np.array(text_of(error))}


def text_of(error: ValueError) -> str:
    """The error's text without the hint to use drop_missing, which clusters do not support."""
    return str(error).replace(DROPPING, "")


def checked(arrays: Arrays) -> Arrays:
    """The answer to a task. TableError if something was wrong with the rows."""
    if "error" in arrays:
        raise TableError(str(arrays["error"]))
    return arrays


@dataclass(frozen=True, eq=False)
class LabelsTask:
    """Call `read_labels`. The blocks hold labels alone."""

    labels: np.ndarray | None = None

    def __call__(self, blocks: Iterable[np.ndarray], share: Share) -> Arrays:
        return read_labels(blocks, share.shard, self.labels).arrays()


@dataclass(frozen=True, eq=False)
class ShardTask:
    """Call `fit_shard`: one link of the chain."""

    options: ShardOptions
    state: State
    last: bool

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        fit = partial(fit_shard, options=self.options, last=self.last, first=share.first)
        return _inspected(fit, self.state, blocks, self.options, share)


@dataclass(frozen=True, eq=False)
class PieceTask:
    """Call `fit_piece`: one shard's part of a round of averaging."""

    options: ShardOptions
    state: State
    rows: int

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        fit = partial(fit_piece, options=self.options, rows=self.rows, first=share.first)
        return _inspected(fit, self.state, blocks, self.options, share)


def _inspected(
    fit: Callable[..., State], state: State, blocks: Iterable[Piece], options: ShardOptions, share: Share
) -> Arrays:
    """Train. In the first epoch, check the rows while they are read, which saves a pass over them."""
    if options.seen:
        return fit(state, blocks).arrays()
    inspection = Inspection(share.shard, share.start, options.features, state.largest)
    after = fit(state, inspection.of(blocks, options.counted(), options.limit))
    return replace(after, largest=inspection.largest).arrays()


@dataclass(frozen=True, eq=False)
class HeadTask:
    """Return the inputs of all rows of the share, which are few."""

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        return {"X": np.concatenate([X for X, _ in blocks])}


@dataclass(frozen=True, eq=False)
class RateTask:
    """Call `auto_rate` on about `most` rows, which are drawn from all rows of the share."""

    most: int
    labels: np.ndarray
    options: dict[str, Any]
    names: list[str] | None
    mean: np.ndarray | None
    scale: np.ndarray | None

    def __call__(self, blocks: Iterable[Piece], share: Share) -> Arrays:
        rows = Inspection(share.shard, share.start, self.names).of(blocks)
        X, codes = draw_from(((X, (y == self.labels[1]).astype(np.uint8)) for X, y in rows), self.most)
        found = auto_rate(X if self.mean is None else (X - self.mean) / self.scale, codes, **self.options)
        return {name: np.array(value) for name, value in vars(found).items()}
