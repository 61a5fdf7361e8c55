"""What shards are to learn, as it was asked for, and numbers to learn: read before training, and merged over shards.

Labels, which are read in the same pass, are in `inspection.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.cluster.inspection import merge_moments, place, place_after
from tinynet_fast.rows.blocks import Moments
from tinynet_fast.rows.cuts import recut
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.base import column_name, settle
from tinynet_fast.rows.numbers import TargetMoments, TargetRange, below_zero, first_below_zero
from tinynet_fast.training.checks import check_labels
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.losses import LINEAR, ChosenLoss
from tinynet_fast.training.options import check_of_targets
from tinynet_fast.training.targets import ClassWeight

MOMENTS = ("first", "mean", "squares", "rows")  # the attributes of `Moments`


@dataclass(frozen=True)
class Learned:
    """What is learned: numbers if the loss is of them, else labels, at most `most`.

    Attributes
    ----------
    labels : array or None
        The labels that the caller names.
    class_weight : ClassWeight or None
        How much rows of each label count.
    standardize_y : bool
        Whether numbers are standardised.
    """

    loss: ChosenLoss
    most: int = 2
    labels: np.ndarray | None = None
    class_weight: ClassWeight | None = None
    standardize_y: bool = False

    @property
    def numbers(self) -> bool:
        return self.loss.of == LINEAR


def learned(loss: ChosenLoss, most: int, labels: Any, class_weight: Any = None, standardize_y: Any = False) -> Learned:
    """The options of what is learned, checked; ValueError for one that does not go with the loss."""
    check_of_targets(loss, labels, class_weight, standardize_y)
    named = None if labels is None else check_labels(labels, most)
    return Learned(loss, most, named, None if class_weight is None else ClassWeight(class_weight), bool(standardize_y))


def are_numbers(options: dict[str, Any]) -> bool:
    """Whether the options of a trainer ask for numbers. (The trainer checks them later.)"""
    output = options.get("output")
    return isinstance(output, str) and output == LINEAR


def moments_arrays(moments: Moments) -> Arrays:
    """Moments as arrays by name; `moments_of` turns them into moments again."""
    return {name: np.array(getattr(moments, name), dtype=np.float64, ndmin=1) for name in MOMENTS}


def moments_of(arrays: Arrays) -> Moments:
    moments = Moments(len(arrays["first"]))
    moments.first, moments.mean, moments.squares = (arrays[name].copy() for name in MOMENTS[:3])
    moments.rows = int(arrays["rows"][0])
    return moments


@dataclass(frozen=True, eq=False)
class ShardNumbers:
    """How many rows a shard has, or all shards together, and the range and the moments of their numbers.

    `least` and `most` have an entry for each target; they are infinite if there is no row.
    """

    least: np.ndarray
    most: np.ndarray
    moments: Moments

    labels = counts = None

    @property
    def rows(self) -> int:
        return self.moments.rows

    @property
    def vary(self) -> bool:
        """Whether not all rows have the same numbers."""
        return bool((self.least < self.most).any())

    def arrays(self) -> Arrays:
        return {"least": self.least, "most": self.most, **moments_arrays(self.moments)}

    @classmethod
    def of(cls, arrays: Arrays) -> "ShardNumbers":
        return cls(arrays["least"], arrays["most"], moments_of(arrays))

    def standardisation(self, names: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
        """The mean and the deviation of each target, as `TargetMoments.standardisation` returns them."""
        total = TargetMoments(len(self.least))
        total.moments = self.moments
        return total.standardisation(names)

    def largest(self, mean: np.ndarray | None, scale: np.ndarray | None) -> float:
        """The largest magnitude of a number, standardised by these if they are given."""
        ends = np.array([self.least, self.most])
        return float(np.abs(ends if mean is None else (ends - mean) / scale).max())


@dataclass(frozen=True, eq=False)
class NumbersTask:
    """Check the numbers of a shard, and return their range and moments as `ShardNumbers.arrays` does.

    The blocks hold numbers alone: (n,) float64, or (n, n_targets) for several. TableError, naming the row, for a number
    that is missing or not finite, or below 0 if they must be counts.
    """

    n_targets: int
    names: list[str] | None
    counts: bool

    def __call__(self, blocks: Iterable[np.ndarray], share: Any) -> Arrays:
        row, seen, moments = 0, TargetRange(), Moments(self.n_targets)

        def checked() -> Iterable[tuple[np.ndarray, np.ndarray]]:
            nonlocal row
            for y in blocks:
                columns = y.reshape(len(y), self.n_targets)
                self._check(columns, share.shard, row)
                seen.add(columns)
                row += len(y)
                yield columns, y

        size = moments.block_rows
        for columns, _ in recut(iter(checked()), size, batch_size=size):  # moments depend on where blocks end
            moments.add(columns)
        least, most = (np.broadcast_to(end, self.n_targets).copy() for end in (seen.least, seen.most))
        return ShardNumbers(least, most, moments).arrays()

    def _check(self, y: np.ndarray, shard: int, row: int) -> None:
        finite, where = bool(np.isfinite(y).all()), partial(place_after, shard, row)
        settle(y, None, finite, None, drop=False, names=self.names, target=None, where=where)
        i = first_below_zero(y) if self.counts else None
        if i is not None:
            name = "y" if self.names is None else column_name(self.names, int(np.argmin(y[i])))
            raise TableError(f"{place(shard, row + i)}, {name} {below_zero(y[i])}")


def merge_numbers(parts: Sequence[ShardNumbers], loss: ChosenLoss, names: Sequence[str] | None) -> ShardNumbers:
    """The numbers of all shards. ValueError if there are no rows, or if the loss cannot learn them.

    Warn of a target that is the same in all rows.
    """
    if not any(part.rows for part in parts):
        raise ValueError("the partitions have no rows: at least one is needed")
    seen = TargetRange(names)
    least, most = (np.array([getattr(part, name) for part in parts]) for name in ("least", "most"))
    together = ShardNumbers(least.min(axis=0), most.max(axis=0), merge_moments([part.moments for part in parts]))
    one = len(together.least) == 1
    seen.least, seen.most = (end.reshape(() if one else -1) for end in (together.least, together.most))
    if loss.is_of_counts:
        seen.check_counts()
    seen.warn_of_constants()
    return together
