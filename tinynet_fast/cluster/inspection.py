"""What a shard holds: how many rows and which labels, read before training; its inputs, checked while they are read."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import COMPILING, Piece
from tinynet_fast.kernels.engines import FAST, STABILITY_BOUND, compiles
from tinynet_fast.rows.arrays import encode_known, find_labels
from tinynet_fast.rows.blocks import Moments, Rows
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.base import settle
from tinynet_fast.rows.labels import too_many
from tinynet_fast.rows.values import is_masked, is_missing
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.mlp import MOST_LABELS

AT_ONCE = 1 << 13  # labels that are compared together: they fit the first cache


@dataclass(frozen=True, eq=False)
class ShardLabels:
    """How many rows a shard has, or all shards together, and the different labels of these rows, sorted.

    `counts` says how many rows have each label; it is empty if that was not counted.
    """

    rows: int = 0
    labels: np.ndarray = field(default_factory=lambda: np.empty(0))
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def arrays(self) -> Arrays:
        return {"rows": np.array(self.rows), "labels": self.labels, "counts": self.counts}

    @classmethod
    def of(cls, arrays: Arrays) -> "ShardLabels":
        return cls(int(arrays["rows"]), arrays["labels"], arrays["counts"])


def read_labels(
    blocks: Iterable[np.ndarray], shard: int, labels: np.ndarray | None = None, count: bool = False
) -> ShardLabels:
    """Read a shard's labels. TableError, naming the row, for a label that cannot be learned or is not in `labels`.

    With `count`, the rows of each label are counted, which takes 5 ns a row and not 2.
    """
    seen, rows, counts = np.empty(0), 0, Counter[Any]()
    for block in blocks:
        for low in range(0, len(block), AT_ONCE):
            y = block[low : low + AT_ONCE]
            if not _all_of(seen, y):
                where = partial(place_after, shard, rows)
                nothing = np.empty((len(y), 0))
                settle(nothing, y, True, _missing(y), drop=False, names=None, target=None, where=where)
                if y.dtype.kind not in "biufU":
                    raise TableError(f"partition {shard}: labels of type {y.dtype}: use numbers, booleans or text")
                if labels is not None:
                    _check_known(labels, y, shard, rows)
                seen = _more(seen, y, shard, rows)
            if count:
                found, numbers = np.unique(y, return_counts=True)
                counts.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
            rows += len(y)
    return ShardLabels(rows, seen, np.array([counts[label] for label in seen.tolist() if count], np.int64))


def _missing(y: np.ndarray) -> np.ndarray | None:
    """Which of these labels are missing, if they are Python objects; None if no label is missing."""
    if y.dtype.kind != "O":
        return None
    gone = np.array([is_missing(label) for label in y.tolist()])
    return gone if gone.any() else None


def _all_of(labels: np.ndarray, y: np.ndarray) -> bool:
    """Whether `y` has no label but these. This takes 2 ns a row; to look for other labels takes 9."""
    if not len(labels) or y.dtype.kind == "O" or (labels.dtype.kind == "U") != (y.dtype.kind == "U"):
        return False
    other = y != labels[0]
    for label in labels[1:]:
        other &= y != label
    return not other.any()


class Inspection:
    """Checks inputs while they are read: refuses values that are not finite, and keeps the largest |x|^2 + 1.

    That is times the row's weight, if rows have weights.
    """

    def __init__(self, shard: int, row: int, names: list[str] | None, largest: float = 0.0) -> None:
        self.shard, self.row, self.names, self.largest = shard, row, names, largest

    def of(
        self,
        blocks: Iterable[Piece],
        rows: Rows | None = None,
        limit: float = np.inf,
        weights_of: Callable[[np.ndarray], np.ndarray | None] = lambda y: None,
    ) -> Iterator[Piece]:
        """Yield the blocks. Stop at the first with a row whose |x|^2 + 1, as `rows` standardises it, is above `limit`.

        TableError, naming the place, for a value that is missing or not finite.
        """
        for X, y in blocks:
            bound = row_bound(X if rows is None else rows.standardised(X), weights_of(y))
            if not np.isfinite(bound):
                where = partial(place_after, self.shard, self.row)
                settle(X, None, False, None, drop=False, names=self.names, target=None, where=where)
            self.largest, self.row = max(self.largest, bound), self.row + len(X)
            if bound > limit:
                return
            yield X, y


def place(shard: int, row: int) -> str:
    """A row for a message, both counted from 0."""
    return f"partition {shard}, row {row}"


def place_after(shard: int, row: int, i: int) -> str:
    """The i-th row from number `row` on."""
    return place(shard, row + i)


def row_bound(X: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """The largest sample weight * (|x|^2 + 1) of the rows; infinity if a row is not finite."""
    if not compiles():
        lengths = np.einsum("ij,ij->i", X, X, dtype=np.float64) + 1.0
        largest = float((lengths if sample_weight is None else lengths * sample_weight).max(initial=0.0))
        return largest if np.isfinite(largest) else np.inf
    rows = FAST.rows(X)
    with COMPILING:
        FAST.row_bound(rows[:0])
    return FAST.row_bound(rows, sample_weight)


def _more(seen: np.ndarray, y: np.ndarray, shard: int, row: int) -> np.ndarray:
    """The labels in `seen` and in `y`, together."""
    if len(seen) and (seen.dtype.kind == "U") != (y.dtype.kind == "U"):
        raise TableError(f"{place(shard, row)}: the label is of another kind than those before: use numbers or text")
    labels = np.union1d(seen, y) if len(seen) else np.unique(y)
    if len(labels) > MOST_LABELS:
        raise TableError(f"partition {shard}: {too_many(MOST_LABELS)}")
    return labels


def _check_known(labels: np.ndarray, y: np.ndarray, shard: int, row: int) -> None:
    try:
        encode_known(y, labels, len(y))
    except ValueError as error:
        i = int(np.argmax(np.logical_and.reduce([y != label for label in labels])))
        raise TableError(f"{place(shard, row + i)}: {error}") from None


def merge_labels(parts: Sequence[ShardLabels], known: np.ndarray | None, most: int) -> ShardLabels:
    """Add up the rows and labels of all shards. ValueError if there is no row, only one label, or more than `most`."""
    rows = sum(part.rows for part in parts)
    if not rows:
        raise ValueError("the partitions have no rows: at least one is needed")
    used = [part for part in parts if part.rows]
    if len({part.labels.dtype.kind == "U" for part in used}) > 1:
        raise ValueError("some partitions have text for labels and some numbers: give all the same")
    if known is None:
        labels = find_labels(_checked_pairs(used, most), None if most == 2 else most, rows)
        return ShardLabels(rows, labels, _counted(used, labels))
    absent = [label for label in known if not any((part.labels == label).any() for part in used)]
    if absent:
        raise ValueError(f"no row has the label {absent[0].item()!r}: leave it out of labels")
    return ShardLabels(rows, known, _counted(used, known))


def _counted(parts: Sequence[ShardLabels], labels: np.ndarray) -> np.ndarray:
    """The rows of each label in all shards; 0 if they were not counted."""
    return np.array(
        [sum(int(part.counts[part.labels == label].sum()) for part in parts if len(part.counts)) for label in labels]
    )


def _checked_pairs(parts: Sequence[ShardLabels], most: int) -> Iterable[np.ndarray]:
    labels: np.ndarray | None = None
    for part in parts:
        labels = part.labels if labels is None else np.union1d(labels, part.labels)
        if most == 2 and len(labels) > 2:
            shown = ", ".join(repr(label.item()) for label in labels[:12])
            raise ValueError(f"y holds the labels {shown}: this trains pass or fail, so keep the rows of two labels")
        yield part.labels


def merge_moments(parts: Sequence[Moments]) -> Moments:
    """The moments of all rows, merged in the order of the shards."""
    total = Moments(len(parts[0].mean))
    for part in parts:
        total.merge(part)
    return total


def safe_rate(largest: float, start: np.ndarray, bound: float = STABILITY_BOUND) -> float:
    """The rate at which rate * `largest`, the length of the longest row, is `bound`; 0.0 if no rate is safe."""
    return bound / largest if np.isfinite(largest) and np.max(np.abs(start)) < 1e100 else 0.0


def label_array(y: Any) -> np.ndarray:
    """Labels as an array of numbers, booleans or text; objects become text or booleans if all of them are."""
    array = np.asarray(y)
    if is_masked(y):  # `read_labels` names the row of a missing label
        array = array.astype(object)
        array[np.ma.getmaskarray(y)] = None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind == "O":
        labels = array.tolist()
        if all(type(label) is str for label in labels):
            return array.astype(str)
        if all(isinstance(label, str) for label in labels):
            return np.array([str.__str__(label) for label in labels], dtype=str)  # of a text Enum, its value
        if all(isinstance(label, bool) for label in labels):
            return array.astype(bool)
    return array
