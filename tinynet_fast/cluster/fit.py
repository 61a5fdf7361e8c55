"""`ShardOptions`, all that a worker needs to know, and `fit_shard`, which trains on one shard."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from threading import Lock
from typing import Any, Protocol

import numpy as np

from tinynet_fast.cluster.state import State
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.rows.arrays import Codes, encode_known
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.cuts import next_cut, recut
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.training.loop import visit
from tinynet_fast.training.losses import LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.options import Options

COMPILING = Lock()  # held while kernels may be compiled, so that only one thread of a worker compiles

Piece = tuple[np.ndarray, np.ndarray]  # rows and their labels, or their numbers


class Recipe(Protocol):
    """How a neuron, a network or a sweep is trained on shards. Picklable."""

    def trainable(self, options: Options) -> Any:
        """Make a `Trainable` of `training/trainable.py`. `options.rows` has no rows, only their number and type."""

    def alone(self, state: State) -> "Recipe":
        """The recipe for one shard's part of a round, from the state that all shards start with."""

    def round(self, before: State, after: State, rows: int) -> State:
        """Turn this shard's result into its contribution to the round; `rows` is the total over all shards."""


class Counted(Rows):
    """Rows that are elsewhere: how many there are, how wide, of what type, and what they weigh together."""

    def __init__(self, options: "ShardOptions") -> None:
        k, numbers = options.n_targets, options.loss.of == LINEAR
        codes = Numbers(np.empty(0 if k == 1 else (0, k))) if numbers else Codes(np.empty(0), np.arange(2))
        super().__init__(np.empty((0, options.n_features), options.dtype), codes)
        self.mean, self.scale, self.y_mean, self.y_scale = options.mean, options.scale, options.y_mean, options.y_scale
        self.rows, self.weight = options.rows, options.total_weight

    def __len__(self) -> int:
        return self.rows

    @property
    def total_weight(self) -> float:
        return float(self.rows) if self.weight is None else self.weight


@dataclass(frozen=True, eq=False)
class ShardOptions:
    """Checked options, and what all shards have in common. Picklable.

    Attributes
    ----------
    recipe : Recipe
    engine : str
        Which engine trains on every shard. "fast" only if it keeps its promise on all rows.
    n_features, rows : int
        The width of a row, and the number of rows of all shards together.
    dtype : str
        "float32" if every shard has float32, else "float64".
    labels : (2,) array or longer, or None
        None if numbers are learned.
    features : list of str, or None
    mean, scale : (n_features,) arrays, or None
        If rows are standardised, what is subtracted, and what they are divided by.
    limit : float
        The engine keeps its promise on rows whose |x|^2 + 1 is at most this.
    seen : bool
        Whether an earlier epoch found all rows finite and within the limit.
    loss : ChosenLoss
    n_targets : int
        How many numbers a row has to learn; 1 for a label.
    targets : list of str, or None
        The names of their columns.
    y_mean, y_scale : (n_targets,) arrays, or () for one target, or None
        If numbers are standardised, what is subtracted, and what they are divided by.
    weights : (n_labels,) array, or None
        How much rows of each label count.
    total_weight : float, or None
        The sum of the weights of all rows, if they have some.
    """

    recipe: Recipe
    engine: str
    n_features: int
    rows: int
    dtype: str
    labels: Any
    features: list[str] | None = None
    epochs: int = 1
    seed: int | None = None
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    limit: float = np.inf
    seen: bool = False
    loss: ChosenLoss = field(default_factory=choose_loss)
    n_targets: int = 1
    targets: list[str] | None = None
    y_mean: np.ndarray | None = None
    y_scale: np.ndarray | None = None
    weights: np.ndarray | None = None
    total_weight: float | None = None

    def counted(self) -> Counted:
        """The number and type of the rows, as a trainer wants them."""
        return Counted(self)

    def coded(self, y: np.ndarray) -> np.ndarray:
        """Labels as codes, and numbers as they are: float64. ValueError for a label that is not in `labels`."""
        return y if self.labels is None else encode_known(y, self.labels, len(y)).astype(np.float64)

    def weights_of(self, codes: np.ndarray) -> np.ndarray | None:
        """How much rows with these codes count; None if all count 1."""
        return None if self.weights is None else self.weights[codes.astype(np.intp)]

    def weights_of_labels(self, y: np.ndarray) -> np.ndarray | None:
        """The same for labels."""
        return None if self.weights is None else self.weights_of(self.coded(y))

    def local(self) -> Options:
        """The same options in the form that the trainers of one machine take."""
        return Options(
            rows=self.counted(),
            labels=self.labels,
            features=self.features,
            engine=ENGINES[self.engine],
            epochs=self.epochs,
            seed=self.seed,
            loss=self.loss,
            targets=self.targets,
        )

    def trainable(self) -> Any:
        """Make what is trained, and compile its kernels."""
        options = self.local()
        trainable = self.recipe.trainable(options)
        with COMPILING:
            losses = options.engine.own(np.zeros(n_losses(trainable)))
            trainable.train(options.rows.nothing(), np.empty(0), None, losses)
        return trainable

    def start(self) -> State:
        """The state before the first row."""
        trainable = self.recipe.trainable(self.local())
        return state_of(trainable, np.zeros(n_losses(trainable)))


def n_losses(trainable: Any) -> int:
    """How many sums of losses are kept: one, or several for a sweep."""
    return getattr(trainable, "n_losses", 1)


def state_of(trainable: Any, losses: np.ndarray, *others: Any) -> State:
    """The `State` of what is trained; `others` are its remaining fields."""
    values, counts = trainable.state(), {}
    for name in trainable.counts:
        counts[name] = values.pop(name)
    return State(values, counts, losses, *others)


def fit_shard(
    state: State, blocks: Iterable[Piece], options: ShardOptions, *, last: bool = True, first: int = 0, burn_in: int = 0
) -> State:
    """Train on the rows of a shard, from the state after the rows of earlier shards.

    The engine may cut an epoch only at multiples of its tile, which shards need not end at. Rows that are left over
    travel with the state to the next shard, so the weights are those of the same rows in one array.

    Parameters
    ----------
    state : State
    blocks : iterable of (X, y)
        Finite rows (n, n_features), float32 or float64 as `options.dtype` says, and their labels, (n,), or their
        numbers as float64, (n,) or (n, n_targets). Blocks may have any number of rows; one block is in memory at a
        time.
    options : ShardOptions
    last : bool
        Whether the epoch ends with this shard.
    first : int
        The number of the shard's first row among the rows of all shards. The fold of a row depends on its number.
    burn_in : int
        How many of the first rows only make a guess at a neuron's first weights matter no longer: a multiple of the
        engine's tile. After them the state keeps the weights in `burnt_in`, and losses are summed from 0 again.

    Returns
    -------
    State

    Raises
    ------
    ValueError
        For a label that is not in `options.labels`.
    """
    if burn_in:
        early, blocks = cut(blocks, burn_in)
        state = fit_shard(state, early, options, first=first)
        weights = np.append(state.values["weights"], state.values["bias"])
        state, first = replace(state, losses=np.zeros_like(state.losses), burnt_in=weights), first + burn_in
    trainable = options.trainable()
    trainable.restore(state.trained)
    rows, engine = options.counted(), ENGINES[options.engine]
    trainable.first = first - len(state.y)
    pieces = [(state.X, state.y)] if len(state.y) else []
    losses, position = engine.own(state.losses.copy()), state.rows
    waiting: Piece = state.X[:0], state.y[:0]
    size, tile, batch = trainable.block_rows, engine.tile, trainable.batch_size

    def whole_blocks() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Yield the blocks to train on; rows that are left for the next shard go into `waiting`."""
        nonlocal position, waiting
        for X, y in recut(chain(pieces, coded(blocks, options)), size, tile, batch, position):
            end = position + len(y)
            if not last and next_cut(position, end, size, tile, batch) < end:
                waiting = X.copy(), y.copy()  # as views, a few rows would keep all rows of the shard in memory
                return
            yield rows.standardised(X), rows.standardised_y(y), options.weights_of(y)
            position = end

    visit(whole_blocks(), lambda X, y, weights: trainable.train(X, y, weights, losses))
    if last:
        trainable.end_epoch()
    return state_of(trainable, np.asarray(losses, dtype=np.float64), position, *waiting, state.largest, state.burnt_in)


def coded(blocks: Iterable[Piece], options: ShardOptions) -> Iterator[Piece]:
    """Rows with the codes of their labels, or with their numbers. ValueError for a label that is not in `options`."""
    for X, y in blocks:
        yield X, options.coded(y)


def cut(blocks: Iterable[Piece], rows: int) -> tuple[Iterator[Piece], Iterator[Piece]]:
    """The blocks' first rows, and the others, which are there when the first ones were taken."""
    left, blocks = rows, iter(blocks)
    others: list[Piece] = []

    def early() -> Iterator[Piece]:
        nonlocal left
        while left and (block := next(blocks, None)) is not None:
            X, y = block
            taken = min(left, len(y))
            left -= taken
            if taken < len(y):
                others.append((X[taken:], y[taken:]))
            yield X[:taken], y[:taken]

    return early(), chain(others, blocks)


def fit_piece(state: State, blocks: Iterable[Piece], options: ShardOptions, rows: int, first: int = 0) -> State:
    """Train on one shard's part of a round of averaging, and return a state for `merge`.

    All shards start from the same `state`; `rows` is the total over all shards. The losses and rows of the returned
    state are those of this shard alone.
    """
    before = replace(state, losses=np.zeros_like(state.losses), rows=0)
    after = fit_shard(before, blocks, replace(options, recipe=options.recipe.alone(state)), first=first)
    return options.recipe.round(state, after, rows) if after.rows else after
