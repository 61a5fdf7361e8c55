"""`Job`, all that a worker has to know, and `fit_shard`, which trains on one shard by the trainers' own loop."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Protocol

import numpy as np

from tinynet_fast.cluster.state import State
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.rows.arrays import Codes, encode_known
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.stream import next_cut, recut
from tinynet_fast.training.plan import Plan

COMPILING = Lock()  # held while kernels may be compiled, so that the threads of a worker do not each do that

Piece = tuple[np.ndarray, np.ndarray]  # rows and their labels


class Learner(Protocol):
    """What is trained: picklable, and makes the trainee that does it."""

    @property
    def n_counts(self) -> int:
        """How many of the trainee's parameters, the last ones, are counts."""

    def trainee(self, plan: Plan) -> Any:
        """A `Trainee` of `training/run.py`; `plan.rows` has no rows, only their number and type."""

    def alone(self, state: State) -> "Learner":
        """The learner for one shard's share of a round, from a state that all shards start with."""

    def round(self, before: State, after: State, rows: int) -> State:
        """What the shard came to, as its share of a round in which all shards together have so many rows."""


class Counted(Rows):
    """Rows that are elsewhere: how many there are, how wide, and of what type."""

    def __init__(self, count: int, n_features: int, dtype: str) -> None:
        super().__init__(np.empty((0, n_features), dtype), Codes(np.empty(0), np.arange(2)))
        self.rows = count

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True, eq=False)
class Job:
    """Options that are checked, and what all shards have in common. Picklable.

    Attributes
    ----------
    learner : Learner
    engine : str
        Which engine trains, everywhere: "fast" only where it may be given the rows of every shard.
    n_features, rows : int
        How wide rows are, and how many all shards have together.
    dtype : str
        "float32" where every shard has float32, else "float64".
    labels : (2,) array or longer
    features : list of str, or None
    mean, scale : (n_features,) arrays, or None
        For rows that are standardised.
    limit : float
        The largest |x|^2 + 1 of a row that the engine may be given.
    seen : bool
        Whether the rows have been looked at: that they are finite, and no longer than the limit.
    """

    learner: Learner
    engine: str
    n_features: int
    rows: int
    dtype: str
    labels: np.ndarray
    features: list[str] | None = None
    epochs: int = 1
    seed: int | None = None
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    limit: float = np.inf
    seen: bool = False

    def counted(self) -> Counted:
        """The rows, which are elsewhere."""
        rows = Counted(self.rows, self.n_features, self.dtype)
        rows.mean, rows.scale = self.mean, self.scale
        return rows

    def plan(self) -> Plan:
        """The trainers' plan."""
        return Plan(
            rows=self.counted(),
            labels=self.labels,
            features=self.features,
            engine=ENGINES[self.engine],
            epochs=self.epochs,
            shuffle=False,
            seed=self.seed,
            validation=None,
            patience=None,
            callback=None,
            progress=False,
        )

    def trainee(self) -> Any:
        """A trainee whose kernels are compiled."""
        plan = self.plan()
        trainee = self.learner.trainee(plan)
        with COMPILING:
            trainee.train(plan.rows.nothing(), np.empty(0), None, plan.engine.own(np.zeros(n_losses(trainee))))
        return trainee

    def start(self) -> State:
        """The state before the first row."""
        trainee = self.learner.trainee(self.plan())
        return State(*self.parts(trainee), np.zeros(n_losses(trainee)))

    def parts(self, trainee: Any) -> tuple[np.ndarray, np.ndarray]:
        """A trainee's parameters and its counts, as a state has them."""
        parameters = trainee.parameters()
        return parameters[: -self.learner.n_counts], parameters[-self.learner.n_counts :]


def n_losses(trainee: Any) -> int:
    """How many sums of losses a trainee keeps: one, or a sweep's."""
    return getattr(trainee, "n_losses", 1)


def restore(trainee: Any, state: State) -> None:
    """Set a trainee to a state."""
    trainee.restore(np.concatenate([state.parameters, state.counts]))


def fit_shard(state: State, blocks: Iterable[Piece], job: Job, *, last: bool = True, first: int = 0) -> State:
    """Train on the rows of a shard, from the state that the rows before left.

    Blocks are cut anew where the engine may cut an epoch, across the borders of shards: rows that are too few to make
    a block travel with the state to the next shard. So the weights are those of the same rows in one array.

    Parameters
    ----------
    state : State
    blocks : iterable of (X, y)
        Finite rows (n, n_features), float32 or float64 as `job.dtype` says, and their labels, (n,). Blocks may have any
        number of rows; only as many are held as make one.
    job : Job
    last : bool
        Whether the epoch ends with this shard.
    first : int
        The number of the shard's first row among the rows of all shards; where rows are dealt to folds, it decides.

    Returns
    -------
    State

    Raises
    ------
    ValueError
        For a label that `job.labels` does not have.
    """
    trainee = job.trainee()
    restore(trainee, state)
    rows, engine = job.counted(), trainee.engine
    trainee.first = first - len(state.y)
    pieces = [(state.X, state.y)] if len(state.y) else []
    coded = ((X, encode_known(y, job.labels, len(X)).astype(np.float64)) for X, y in blocks)
    losses, position = engine.own(state.losses.copy()), state.rows
    waiting: Piece = state.X[:0], state.y[:0]
    size, tile, batch = trainee.block_rows, engine.tile, trainee.batch_size
    for X, y in recut(_after(pieces, coded), size, tile, batch, position):
        end = position + len(y)
        if not last and next_cut(position, end, size, tile, batch) < end:
            waiting = X.copy(), y.copy()  # copies, or a few rows would hold all of the shard's
            break
        trainee.train(rows.standardised(X), y, None, losses)
        position = end
    if last:
        trainee.end_epoch()
    return State(*job.parts(trainee), np.asarray(losses, dtype=np.float64), position, *waiting, state.largest)


def _after(first: list[Piece], others: Iterable[Piece]) -> Iterator[Piece]:
    yield from first
    yield from others


def fit_piece(state: State, blocks: Iterable[Piece], job: Job, rows: int, first: int = 0) -> State:
    """Train on one shard's share of a round of averaging.

    All shards start from the same `state`; together they have so many `rows`. What this returns is for `merge`: its
    losses and rows are the shard's own.
    """
    before = replace(state, losses=np.zeros_like(state.losses), rows=0)
    after = fit_shard(before, blocks, replace(job, learner=job.learner.alone(state)), first=first)
    return job.learner.round(state, after, rows) if after.rows else after
