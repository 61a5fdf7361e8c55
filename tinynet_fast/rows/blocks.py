"""Hands out checked rows in blocks: in an order that a seed decides, and standardised if asked for."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, ClassVar, Literal, Protocol, TypeGuard, TypeVar

import numpy as np

from tinynet_fast.rows.arrays import as_float
from tinynet_fast.rows.permutations import permutations
from tinynet_fast.rows.team import Team, threads_for

# Threads share the rows if there are SHARED_FROM values, which one thread measures in 5 ms, some LIST_VALUES at a time.
SHARED_FROM, LIST_VALUES = 1 << 20, 1 << 18
BOUND_ROWS = 4096  # whose lengths are measured at a time
SPLIT_STREAM = 2**32  # the stream of random numbers that holds rows out; epochs have those below it
Answer = TypeVar("Answer")
Streamed = TypeVar("Streamed")  # `StreamRows`: to name it here would import what imports this


class Targets(Protocol):
    """What rows are to learn: `Codes` of labels, or `Numbers`."""

    def __getitem__(self, part: Any) -> np.ndarray: ...

    def as_floats(self, part: Any) -> np.ndarray: ...


class Rows:
    """Checked rows, their label codes and sample weights, handed out in blocks. `index` holds the rows to use.

    If `mean` and `scale` are set, (n_features,) each, blocks hold (X - mean) / scale. So do the numbers to learn, if
    `y_mean` and `y_scale` are set: (n_targets,) each, or () if there is one target.
    """

    def __init__(
        self,
        X: Any,  # an array, or anything with a shape that gives rows by their numbers
        codes: Targets,
        index: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        self.X, self.codes, self.index, self.sample_weight = X, codes, index, sample_weight
        self.mean: np.ndarray | None = None
        self.scale: np.ndarray | None = None
        self.y_mean: np.ndarray | None = None
        self.y_scale: np.ndarray | None = None
        self.reach = 0.0  # how much longer training can make a row, by noise
        self.count: int = len(X) if index is None else len(index)
        self.n_features: int = X.shape[1]

    def __len__(self) -> int:
        return self.count

    @property
    def total_weight(self) -> float:
        """The sum of the sample weights; infinity if it is too large for a float."""
        if self.sample_weight is None:
            return float(len(self))
        with np.errstate(over="ignore"):
            return float((self.sample_weight if self.index is None else self.sample_weight[self.index]).sum())

    @property
    def largest_weight(self) -> float:
        return 1.0 if self.sample_weight is None else float(self.sample_weight.max())

    def nothing(self) -> Any:
        """An empty block with the right type and width."""
        return self.standardised(self.X[:0])

    def standardise(self, names: Sequence[str] | None, n_jobs: int | None = None, in_order: bool = False) -> None:
        """Compute the means and deviations of the rows, and hand out standardised blocks from now on."""
        self.mean, self.scale = standardisation(self.X, names, n_jobs, self.index, in_order)

    def standardised(self, X: Any) -> Any:
        return X if self.mean is None else (X - self.mean) / self.scale

    def standardised_y(self, y: np.ndarray) -> np.ndarray:
        return y if self.y_mean is None else (y - self.y_mean) / self.y_scale

    def blocks(
        self,
        size: int,
        order: "Order | None" = None,
        epoch: int = 0,
        batch_size: int | None = None,
        start: int = 0,
        tile: int = 1,
    ) -> Generator[tuple[np.ndarray, np.ndarray, np.ndarray | None], None, None]:
        """The rows in the epoch's order, at most `size` at a time, with their labels as float64 and sample weights.

        With a `batch_size`, a block ends with a batch or lies within one. Rows before the `start`-th are left out.
        `tile` is ignored here (see `StreamRows.blocks`).
        """
        places = None if order is None else order.permutation(self.count, self.n_features, epoch)
        index = self.index if places is None else places if self.index is None else self.index[places]
        for first, last in _cuts(self.count, size, batch_size):
            first = max(first, start)
            if first < last:
                yield self._block(slice(first, last) if index is None else index[first:last])

    def epochs(
        self, order: "Order | None", first: int, count: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """The rows of several epochs, the `first`-th and those after it, an epoch at a time (see `blocks`).

        They are gathered at once: for few rows, what is done around each block takes longer than the block. So all of
        them should fit in one block. If `order` is None, every epoch gets the same arrays: do not write into them.
        """
        if order is None:
            yield from repeat(self._block(slice(0, self.count) if self.index is None else self.index), count)
            return
        places = order.permutations(self.count, self.n_features, first, count).reshape(-1)
        X, y, weights = self._block(places if self.index is None else self.index[places])
        for part in slices(count * self.count, self.count):
            yield X[part], y[part], None if weights is None else weights[part]

    def _block(self, part: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        weights = None if self.sample_weight is None else self.sample_weight[part]
        return self.standardised(picked(self.X, part)), self.standardised_y(self.codes.as_floats(part)), weights

    def largest(self, bound: Callable[[Any, Any], float], n_jobs: int | None = None) -> float:
        """The largest `bound` of the rows and sample weights of a block. Threads share the blocks."""

        def of_blocks(parts: Sequence[slice]) -> float:
            blocks = (self._block(part if self.index is None else self.index[part]) for part in parts)
            return max(bound(X, weights) for X, _, weights in blocks)

        return max(shared(of_blocks, self.count, self.n_features, BOUND_ROWS, n_jobs))


def picked(X: Any, part: Any) -> Any:
    """`X[part]`, for a slice or an array of row numbers.

    With row numbers, `take` is 7 times as fast as an index for 2 inputs, 2.6 times for 16 and 1.2 times for 256. But it
    would first copy all rows if they do not lie in one piece.
    """
    if isinstance(X, np.ndarray) and isinstance(part, np.ndarray) and X.flags.c_contiguous and X.flags.aligned:
        return X.take(part, axis=0)
    return X[part]


def is_streamed(rows: Rows | Streamed) -> TypeGuard[Streamed]:
    """Whether rows are `StreamRows`, which are read while they are trained on. This does not import what reads them."""
    return not isinstance(rows, Rows)


@dataclass(frozen=True)
class Order:
    """The order of rows, drawn anew for each epoch from the seed and the epoch alone.

    By rows, it is any order of all rows. By blocks, it is an order of blocks of neighbouring rows, and an order of the
    rows within each block, so that no more than one block has to be in memory. The number of rows in a block does not
    depend on how the rows are stored.
    """

    seed: int
    by_blocks: bool = False

    BLOCK_VALUES: ClassVar[int] = 1 << 23  # 64 MB of float64
    STREAM: ClassVar[int] = 2**33  # of random numbers: epochs have those below 2**32, held-out rows have 2**32

    def block_rows(self, n_features: int) -> int:
        """Rows in a block; the last block may have fewer."""
        return max(self.BLOCK_VALUES // n_features, 1)

    def blocks(self, n_rows: int, n_features: int, epoch: int) -> np.ndarray:
        """The numbers of the blocks, in the epoch's order."""
        count = -(-n_rows // self.block_rows(n_features))
        return permutations([self.seed, epoch, self.STREAM], count)[0]

    def within(self, block: int, n_rows: int, epoch: int) -> np.ndarray:
        """The order of the `n_rows` rows of a block, counted from its first."""
        return permutations([self.seed, epoch, self.STREAM, int(block)], n_rows)[0]

    def permutation(self, n_rows: int, n_features: int, epoch: int) -> np.ndarray:
        """The order of all rows."""
        return self.permutations(n_rows, n_features, epoch, 1)[0]

    def permutations(self, n_rows: int, n_features: int, first: int, count: int) -> np.ndarray:
        """The orders of several epochs, the `first`-th and those after it: (count, n_rows) int64."""
        if not self.by_blocks:
            return permutations([self.seed, first], n_rows, count)
        return np.stack([self._permutation_by_blocks(n_rows, n_features, first + k) for k in range(count)])

    def _permutation_by_blocks(self, n_rows: int, n_features: int, epoch: int) -> np.ndarray:
        size, parts = self.block_rows(n_features), []
        for block in self.blocks(n_rows, n_features, epoch).tolist():
            first = block * size
            parts.append(first + self.within(block, min(size, n_rows - first), epoch))
        return np.concatenate(parts)


class Moments:
    """Means and deviations in one pass, merged block by block (Chan, Golub and LeVeque, 1983).

    Differences from the first row are summed. A column that never changes has differences of exactly 0, so its
    deviation is exactly 0 too. A column whose changes are small beside its values loses no digits.

    If all blocks but the last have `block_rows` rows, the bits do not depend on how the rows are stored.
    """

    ROWS, NARROW = 4096, 16
    MOST_VALUES = 1 << 24  # of a block of very wide rows: 128 MB

    def __init__(self, n_features: int, in_order: bool = False) -> None:
        self.in_order = in_order  # whether sums go from the first row to the last, on every machine
        self.block_rows = max(min(self.ROWS, self.MOST_VALUES // n_features), 1)
        self.rows = 0
        self.first = np.zeros(n_features)
        self.mean, self.squares = np.zeros(n_features), np.zeros(n_features)  # of the differences

    def add(self, X: np.ndarray) -> None:
        """Add a block of rows."""
        if not self.rows:
            self.begin(X)
        self.include(len(X), *self.of_block(X))

    def begin(self, X: np.ndarray) -> None:
        """Take differences from the first of these rows."""
        self.first = np.asarray(X[0]).astype(np.float64)

    def of_block(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean of a block's differences, and the sum of the squares around it. This changes nothing."""
        with np.errstate(over="ignore", invalid="ignore"):  # `standardisation` names the column
            # NumPy's sums depend on how values lie in memory, so the width alone decides that. With a column's values
            # side by side, rows of 2 inputs take a fifth of the time, and wide rows three times as much.
            order: Literal["C", "F"] = "C" if X.shape[1] <= self.NARROW else "F"
            block = np.subtract(X.T, self.first[:, np.newaxis], order=order, dtype=np.float64)
            mean = sum_in_order(block.T) / len(X) if self.in_order else block.mean(axis=1)
            block -= mean[:, np.newaxis]
            squares = sum_in_order((block * block).T) if self.in_order else np.einsum("ji,ji->j", block, block)
            return mean, squares

    def include(self, n: int, mean: np.ndarray, squares: np.ndarray) -> None:
        """Add a block of `n` rows by what `of_block` returned for it."""
        with np.errstate(over="ignore", invalid="ignore"):
            self._merge(n, mean, squares)

    def merge(self, other: "Moments") -> None:
        """Add the rows of other moments."""
        if not self.rows:
            self.first = other.first
        if other.rows:
            with np.errstate(over="ignore", invalid="ignore"):
                self._merge(other.rows, (other.first - self.first) + other.mean, other.squares)

    def _merge(self, n: int, mean: np.ndarray, squares: np.ndarray) -> None:
        off, total = mean - self.mean, self.rows + n
        self.squares = self.squares + squares + off * off * (self.rows * (n / total))
        self.mean = self.mean + off * (n / total)
        self.rows = total

    def standardisation(self, names: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
        """Each column's mean and standard deviation.

        A column that never changes gets an infinite deviation. Standardised, it is 0 whatever value comes later, and a
        model of the original values gives it the weight 0. The same holds for a column whose changes are only rounding
        (a deviation of at most 1e-15 times the mean): such a model could not tell its values apart.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = self.first + self.mean, self.squares / max(self.rows, 1)
        scale = np.sqrt(variance)
        large = ~(np.isfinite(mean) & np.isfinite(scale))
        if large.any():
            raise ValueError(_cannot(large, names, "large", "divide"))
        small = (variance < np.finfo(np.float64).tiny) & ((variance > 0.0) | (self.mean != 0.0))
        if small.any():  # it changes, and the squares have lost digits or are 0
            raise ValueError(_cannot(small, names, "small", "multiply"))
        scale[scale <= np.abs(mean) * 1e-15] = np.inf
        return mean, scale


def sum_in_order(values: np.ndarray) -> np.ndarray:
    """The sum of the rows of an array, from the first to the last. NumPy's sums and products take orders of their own,
    which may depend on the CPU."""
    return np.asarray(np.add.accumulate(values, axis=0)[-1])


def _cannot(columns: np.ndarray, names: Sequence[str] | None, size: str, remedy: str) -> str:
    j = int(np.argmax(columns))
    return f"column {repr(names[j]) if names else j} is too {size} to standardise: {remedy} it by a power of ten first"


def check_held_share(validation: Any) -> float:
    """The share of the rows to hold out as a float; ValueError if it is not between 0 and 1."""
    share = as_float(validation)
    if share is None or not 0.0 < share < 1.0:
        raise ValueError(f"validation={validation} is no share of the rows: a number between 0 and 1 is needed")
    return share


def split_rows(n_rows: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw which rows to hold out. Returns the numbers of the rows to train on and of those held out, both rising."""
    held = round(n_rows * check_held_share(fraction))
    if not 0 < held < n_rows:
        raise ValueError(f"validation={fraction} holds out {held} of {n_rows} rows: both parts need at least one")
    order = np.random.default_rng([seed, SPLIT_STREAM]).permutation(n_rows)
    return np.sort(order[held:]), np.sort(order[:held])


def standardisation(
    X: np.ndarray,
    names: Sequence[str] | None,
    n_jobs: int | None = None,
    index: np.ndarray | None = None,
    in_order: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Each column's mean and standard deviation, as `Moments.standardisation` defines them.

    `index` has the numbers of the rows that count; all of them if it is None. Threads share the blocks, whose sums are
    added in the order of the rows: the bits do not depend on `n_jobs`. `in_order` is as for `Moments`.
    """
    moments, n = Moments(X.shape[1], in_order), len(X) if index is None else len(index)

    def rows(part: slice) -> np.ndarray:
        return picked(X, part if index is None else index[part])

    def of_blocks(parts: Sequence[slice]) -> list[tuple[int, np.ndarray, np.ndarray]]:
        return [(part.stop - part.start, *moments.of_block(rows(part))) for part in parts]

    if n:
        moments.begin(rows(slice(0, 1)))
    for found in shared(of_blocks, n, X.shape[1], moments.block_rows, n_jobs):
        for each in found:
            moments.include(*each)
    return moments.standardisation(names)


def shared(
    work: Callable[[Sequence[slice]], Answer], n_rows: int, n_features: int, block_rows: int, n_jobs: int | None
) -> list[Answer]:
    """Cut rows into blocks of `block_rows`, and let threads work on lists of neighbouring blocks; answers in order.

    The blocks do not depend on the number of threads, but the lists do.
    """
    parts = list(slices(n_rows, block_rows))
    threads = threads_for(n_jobs)
    if threads == 1 or n_rows * n_features < SHARED_FROM:
        return [work(parts)]
    each = max(LIST_VALUES // (block_rows * n_features), 1)
    with Team.of(threads) as team:
        return team.map(work, [parts[k : k + each] for k in range(0, len(parts), each)])


def slices(n_rows: int, most: int) -> Iterator[slice]:
    """Cut `n_rows` rows into parts of at most `most` rows, and of one row if `most` is 0."""
    most = max(most, 1)
    for start in range(0, n_rows, most):
        yield slice(start, min(start + most, n_rows))


def _cuts(n: int, size: int, batch_size: int | None) -> Iterator[tuple[int, int]]:
    batch = batch_size or n
    if batch <= size:
        batch = size = size // batch * batch
    for batch_start in range(0, n, batch):
        batch_stop = min(batch_start + batch, n)
        for start in range(batch_start, batch_stop, size):
            yield start, min(start + size, batch_stop)
