"""Rows that a second thread reads while they are trained on, cut into blocks that suit the updates.

`formats` holds what reads them. Here as in memory, what happens to a row depends only on its number, never on how files
or chunks are cut.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.rows.ahead import read_ahead
from tinynet_fast.rows.blocks import Moments, Order
from tinynet_fast.rows.cuts import recut
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import Chunk, Source
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.kept import Kept, Piece, fits, in_places, joined
from tinynet_fast.rows.labels import LongestRun
from tinynet_fast.rows.messages import shown
from tinynet_fast.rows.numbers import TargetMoments
from tinynet_fast.rows.sampling import draw_from, row_hashes
from tinynet_fast.rows.sparse import empty_csr
from tinynet_fast.rows.stream_targets import StreamLabels, StreamNumbers

HASHED_ROWS = 1 << 18  # rows whose hashes are made at a time
LOSS_ROWS = 4096  # held-out rows whose loss is summed at a time

KEPT_REMEDY = "Pass shuffle=True"
REMEDY = "Shuffle the rows in the file once (shuffle='blocks' mixes only the rows within a block)"


def can_be_kept(source: Source) -> bool:
    """Whether the rows may be kept in memory: rows of files and datasets, unless they are known to be too many.

    A function that makes iterators may give other rows each time, so its rows are read again.
    """
    fixed = source.repeatable and (len(source.stamps) > 0 or source.kind == "arrow")
    return fixed and (source.n_rows is None or fits(source.n_rows, source.n_features))


@dataclass(frozen=True)
class HoldOut:
    """Decides which rows are held out, each by a hash of its number and the seed alone."""

    share: float
    seed: int

    def held(self, start: int, stop: int) -> np.ndarray:
        """(stop - start,) bool: True for a row that is held out."""
        return row_hashes(self.seed, start, stop) < np.uint64(min(self.share, 1.0 - 2.0**-53) * 2.0**64)


class StreamRows:
    """The rows of a source as training takes them: what `Rows` is for arrays in memory.

    `target` reads labels or numbers; what is said of codes here also holds for numbers. `source_rows` counts the rows
    that were not left out, and `count` the rows to train on; both are None until they are known. Rows have the numbers
    of the source, which also numbers the rows that are left out. So the same rows are held out whatever columns are
    read.

    With `keep`, the first complete pass keeps the rows in `memory` if they fit, and later passes take them from there.
    """

    sample_weight = None

    def __init__(
        self,
        source: Source,
        target: np.ndarray | StreamLabels | StreamNumbers,  # an array holds the labels
        hold_out: HoldOut | None,
        keep: bool = False,
    ) -> None:
        self.source, self.hold_out = source, hold_out
        self.target = StreamLabels(target) if isinstance(target, np.ndarray) else target
        self._resumed = False  # whether this epoch did not begin with its first row
        self.looked = False  # whether inputs were checked for row numbers
        self.keep = keep and can_be_kept(source)
        self.memory: Kept | None = None
        self.is_sorted = False  # whether there was a warning of a long run of one label
        self._order_known = False  # whether an epoch was checked for such runs
        self.mean: np.ndarray | None = None
        self.scale: np.ndarray | None = None
        self.reach = 0.0  # as in `Rows`
        self.source_rows: int | None = None
        self.count: int | None = None
        if source.n_rows is not None:
            self.counted(source.n_rows)

    def __len__(self) -> int:
        if self.count is None:
            raise TypeError("these rows have not been counted yet")
        return self.count

    @property
    def n_features(self) -> int:
        return self.source.n_features

    @property
    def n_targets(self) -> int:
        return self.target.n_targets

    @property
    def total_weight(self) -> float:
        """The sum of the rows' weights, which come from their labels; these must have been counted."""
        weights = self.target.weights
        if weights is None:
            return float(len(self))
        assert isinstance(self.target, StreamLabels)
        assert self.target.counts is not None
        return float(self.target.counts @ weights)

    @property
    def largest_weight(self) -> float:
        return 1.0 if self.target.weights is None else float(self.target.weights.max())

    def weights_of(self, codes: np.ndarray) -> np.ndarray | None:
        """How much rows with these codes count; None if all rows count 1."""
        return self.target.weights_of(codes)

    def nothing(self) -> Any:
        """An empty block with the right type and width."""
        if self.source.sparse:
            return empty_csr(self.n_features)
        return self.standardised(np.empty((0, self.n_features), self.source.dtype))

    def read_beforehand(
        self,
        standardize: bool,
        standardize_y: bool = False,
        count_labels: bool = False,
        why: str = "",
        in_order: bool = False,
    ) -> None:
        """Count the rows in one pass.

        If `standardize`, compute the means and deviations of inputs, if `standardize_y`, those of the numbers to learn;
        if `count_labels`, count the rows of each label. `why` is what a message says about rows that can be read once.
        `in_order` is as for `Moments`.
        """
        if self.count is not None and not (standardize or standardize_y or count_labels):
            return
        self.keep_if_they_fit()
        if not self.source.repeatable:
            raise ValueError(
                f"these rows can be read once only, and {why or 'must be counted or measured first'}: write them to a "
                "file, or give a function that returns a new iterator each time"
            )
        moments, of_targets = Moments(self.n_features, in_order), TargetMoments(self.n_targets, in_order)
        target = self.target
        counts = np.zeros(len(target.labels) if isinstance(target, StreamLabels) else 0, np.int64)
        with closing(self._kept(held=False)) as pieces:
            rows = moments.block_rows
            for X, codes in recut(pieces, rows, batch_size=rows) if standardize else pieces:
                if standardize:
                    moments.add(X)
                if standardize_y:
                    of_targets.add(codes)
                if count_labels:
                    counts += np.bincount(codes, minlength=len(counts))
        self.check_labels()
        if standardize:
            self.mean, self.scale = moments.standardisation(self.source.names)
        if standardize_y and isinstance(target, StreamNumbers):
            target.mean, target.scale = of_targets.standardisation(target.names)
        if count_labels and isinstance(target, StreamLabels):
            target.counts = counts

    @property
    def y_mean(self) -> np.ndarray | None:
        return self.target.mean if isinstance(self.target, StreamNumbers) else None

    @property
    def y_scale(self) -> np.ndarray | None:
        return self.target.scale if isinstance(self.target, StreamNumbers) else None

    def blocks(
        self,
        size: int,
        order: Order | None = None,
        epoch: int = 0,
        batch_size: int | None = None,
        start: int = 0,
        tile: int = 1,
    ) -> Generator[tuple[Any, np.ndarray, np.ndarray | None], None, None]:
        """As `Rows.blocks`. Blocks may be cut at multiples of `tile` rows, which changes no bit of the weights."""
        pieces = self._kept(False, start) if order is None else self._in_order(order, epoch, start)
        self._resumed = start > 0
        if epoch == start == 0 and not self._order_known and isinstance(self.target, StreamLabels):
            pieces = self._watched(pieces, self.target.labels)
        with closing(pieces):
            for X, codes in recut(pieces, size, tile, batch_size, start):
                yield self.standardised(X), self.target.floats(codes), self.target.weights_of(codes)

    def _watched(self, pieces: Generator[Piece, None, None], labels: np.ndarray) -> Generator[Piece, None, None]:
        """The pieces of the first epoch; warns after them if one label runs on for very long."""
        runs = LongestRun()
        with closing(pieces):
            for piece in pieces:
                runs.add(piece[1])
                yield piece
        self._order_known = True
        self.is_sorted = runs.too_long
        runs.warn(labels, KEPT_REMEDY if self.memory is not None else REMEDY)

    def standardised(self, X: Any) -> Any:
        return X if self.mean is None else (X - self.mean) / self.scale

    def some(self, n: int) -> Piece:
        """About `n` of the rows to train on, drawn in one pass over all of them."""
        if not self.source.repeatable:
            raise ValueError(
                "learning_rate='auto' reads the rows before training, and these can be read once only: give a rate, "
                "write them to a file, or give a function that returns a new iterator each time"
            )
        with closing(self._kept(held=False)) as pieces:
            X, codes = draw_from(pieces, n)
        self.check_labels()
        return self.standardised(X), self.target.floats(codes) if isinstance(self.target, StreamNumbers) else codes

    def check_labels(self) -> None:
        """ValueError if, after a pass, no row to train on has one of the labels.

        Of numbers, warn if all are the same.
        """
        target = self.target
        if isinstance(target, StreamNumbers):
            if not self._resumed:
                target.check(self.source.place)
            return
        if target.unseen.any() and self.source.repeatable:  # a pass that was resumed did not see the rows before
            with closing(self._kept(held=False)) as pieces:
                for _ in pieces:
                    if not target.unseen.any():
                        break
        if not target.unseen.any():
            return
        wrong = f"no row has the label {shown(target.labels[np.argmax(target.unseen)])}: leave it out of labels"
        if self.hold_out is not None:
            share, seed = self.hold_out.share, self.hold_out.seed
            wrong = f"validation={share} with seed={seed} leaves no row of a label: change the seed"
        raise TableError(f"{self.source.place}: {wrong}")

    def held_loss(self, model: Any) -> float:
        """The model's mean loss on the rows that are held out."""
        total, rows = 0.0, 0
        with closing(self._kept(held=True)) as pieces:
            for X, codes in recut(pieces, LOSS_ROWS, batch_size=LOSS_ROWS):
                total += model.mean_loss(X, codes) * len(codes)
                rows += len(codes)
        if not rows:
            raise ValueError("no row is held out: raise validation, or change the seed")
        return total / rows

    def _numbered(
        self, start: int = 0, stop: int | None = None
    ) -> Generator[tuple[int, Chunk, np.ndarray], None, None]:
        """Yield the number of a chunk's first row, the chunk, and the codes of its labels."""
        row = start
        self.source.check_unchanged()
        with closing(read_ahead(self.source.chunks(start, stop))) as chunks:
            for chunk in chunks:
                if row == 0 and not self.looked:
                    self.looked = True
                    warn_of_row_numbers(self.source.names, chunk.X)
                yield row, chunk, self.target.read(self.source, chunk, row)
                row += chunk.rows
        self.source.check_unchanged()

    def counted(self, rows: int, dropped: int | None = None, count: int | None = None) -> None:
        """Note that the source has `rows` rows, beside those `dropped`, and that `count` of them are trained on.

        ValueError if an earlier pass found another number.
        """
        if self.source_rows not in (None, rows):
            raise TableError(
                f"the rows were {self.source_rows:,} and are {rows:,} now: they must not change in training"
            )
        self.source_rows = rows
        if dropped is not None:
            self.source.dropped = dropped
        if self.count is None:
            self.count = rows if count is None else count
            if self.hold_out is not None and count is None:
                starts = range(0, rows, HASHED_ROWS)
                held = (self.hold_out.held(start, min(start + HASHED_ROWS, rows)) for start in starts)
                self.count -= sum(int(mask.sum()) for mask in held)

    def _held(self, row: int, chunk: Chunk) -> np.ndarray:
        """Which rows of a chunk, whose first row has the number `row`, are held out."""
        assert self.hold_out is not None
        held = self.hold_out.held(row, row + chunk.rows)
        return held if chunk.kept is None else held[chunk.kept]

    def keep_if_they_fit(self) -> None:
        """Keep the rows of the next complete pass, also if there are not several epochs."""
        self.keep = can_be_kept(self.source)

    def read_whole(self) -> bool:
        """Read all rows into memory. Returns whether they fit."""
        self.keep_if_they_fit()
        if self.memory is None and self.keep:
            with closing(self._kept(held=False)) as pieces:
                for _ in pieces:
                    if not self.keep:
                        break
        return self.memory is not None

    def _kept(self, held: bool, start: int = 0) -> Generator[Piece, None, None]:
        """The rows to train on, from the `start`-th, or the rows held out, in the order of the source."""
        if self.memory is not None:
            yield from self.memory.pieces(held, start)
            return
        with closing(self.split_pieces(start)) as both:
            for trained, held_out in both:
                yield trained if held_out is None or not held else held_out

    def split_pieces(self, start: int = 0) -> Generator[tuple[Piece, Piece | None], None, None]:
        """Yield the rows to train on, from the `start`-th, and the rows held out, chunk by chunk.

        The rows held out are None if no rows are to be held out. A complete pass also counts the rows.
        """
        memory = Kept(self.n_features) if self.keep and start == 0 else None
        first, skipped = start, 0
        if self.source.drop_missing:  # which rows are left out is known only after reading them
            first, skipped = 0, start
        elif self.hold_out is not None and start:
            first = self._source_row(start - 1) + 1
        rows, count = first, 0
        with closing(self._numbered(first)) as chunks:
            for row, chunk, codes in chunks:
                trained, held_out, mask = (chunk.X, codes), None, chunk.kept
                if self.hold_out is not None:
                    held = self._held(row, chunk)
                    trained, held_out = (chunk.X[~held], codes[~held]), (chunk.X[held], codes[held])
                    mask = np.zeros(chunk.rows, bool)
                    mask[chunk.numbers()[~held]] = True
                rows, count = rows + len(codes), count + len(trained[1])
                self.target.note(trained[1])
                if memory is not None:
                    memory.add(trained, held_out, mask)
                    self.keep = memory.whole
                if skipped:
                    X, codes = trained
                    trained, skipped = (X[skipped:], codes[skipped:]), max(skipped - len(X), 0)
                yield trained, held_out
        self.counted(rows, count=None if first else count)
        if memory is not None and memory.whole:
            self.memory = memory

    def _source_row(self, trained: int) -> int:
        """The number in the source of the `trained`-th row to train on, if no row is left out."""
        assert self.hold_out is not None
        start = 0
        while True:
            kept = np.flatnonzero(~self.hold_out.held(start, start + HASHED_ROWS))
            if trained < len(kept):
                return start + int(kept[trained])
            trained -= len(kept)
            start += HASHED_ROWS

    def _in_order(self, order: Order, epoch: int, start: int) -> Generator[Piece, None, None]:
        """The rows from the `start`-th, one block of the order after the other, each in its own order."""
        if self.memory is not None:
            yield from self.memory.in_order(order, epoch, start)
            return
        n, size = self.source.all_rows, order.block_rows(self.n_features)
        assert n is not None
        for block in order.blocks(n, self.n_features, epoch):
            first, last = block * size, min((block + 1) * size, n)
            inside = order.within(block, last - first, epoch)
            if self.hold_out is not None:
                inside = inside[~self.hold_out.held(first, last)[inside]]
            if not self.source.drop_missing and start >= len(inside):
                start -= len(inside)
                continue
            X, codes, places = self._block(first, last)
            inside = places[inside]
            inside = inside[inside >= 0]
            inside, start = inside[start:], max(start - len(inside), 0)
            self.target.note(codes[inside])
            yield from in_places((X, codes), inside)

    def _block(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows [first, last) of the source, their codes, and the place of each among those kept, -1 if left out."""
        with closing(self._numbered(first, last)) as numbered:
            chunks = [(chunk, codes) for _, chunk, codes in numbered]
        X, codes = joined([(chunk.X, codes) for chunk, codes in chunks])
        kept = np.concatenate([np.ones(chunk.rows, bool) if chunk.kept is None else chunk.kept for chunk, _ in chunks])
        return X, codes, np.where(kept, np.cumsum(kept) - 1, -1)
