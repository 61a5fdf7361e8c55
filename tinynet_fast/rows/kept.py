"""A source's rows in memory: which fit there, those of a first pass that are kept, and all of them read at once."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.rows.blocks import Order, picked
from tinynet_fast.rows.formats import Source
from tinynet_fast.rows.sparse import CSR, stacked

MEMORY_BYTES = 1 << 28  # of float64 rows. A constant, so that a file gives the same model on every machine
PICKED_ROWS = 1 << 14  # rows that are reordered at a time

Piece = tuple[Any, np.ndarray]  # rows (an array, or CSR) and their codes


def fits(n_rows: int, n_features: int) -> bool:
    """Whether this many rows are kept in memory. They count as float64, whatever type they are stored as."""
    return n_rows * max(n_features, 1) * 8 <= MEMORY_BYTES


def joined(pieces: list[Piece]) -> Piece:
    """The rows of all pieces as one."""
    if len(pieces) == 1:
        return pieces[0]
    return stacked([X for X, _ in pieces]), np.concatenate([codes for _, codes in pieces])


def in_places(rows: Piece, places: np.ndarray) -> Iterator[Piece]:
    """Yield the rows at these places, in this order, some at a time."""
    X, codes = rows
    for first in range(0, len(places), PICKED_ROWS):
        part = places[first : first + PICKED_ROWS]
        yield picked(X, part), codes[part]


class Kept:
    """The rows of a source that one pass read: the rows to train on and the rows held out.

    Pieces are kept as they came. Joining them would need the memory twice.
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.rows = 0  # rows of the source, with those that were left out for a missing value
        self._stored = 0  # stored values of sparse rows; each takes the memory of two numbers
        self.whole = True  # becomes False if the rows are too many; then nothing is kept
        self._pieces: dict[bool, list[Piece]] = {False: [], True: []}
        self._masks: list[np.ndarray | int] = []  # of each piece: the rows to train on; their number if it is all

    def add(self, trained: Piece, held_out: Piece | None = None, mask: np.ndarray | None = None) -> None:
        """Keep the next rows. `mask` says which of the source's next rows are trained on; None if all of them are."""
        self.rows += len(trained[1]) if mask is None else len(mask)
        self._stored += sum(X.stored for X, _ in filter(None, (trained, held_out)) if isinstance(X, CSR))
        self.whole = self.whole and (
            fits(self._stored, 2) if isinstance(trained[0], CSR) else fits(self.rows, self.n_features)
        )
        if not self.whole:
            self._pieces, self._masks = {False: [], True: []}, []
            return
        self._pieces[False].append(trained)
        self._masks.append(len(trained[1]) if mask is None else mask)
        if held_out is not None:
            self._pieces[True].append(held_out)

    def pieces(self, held: bool, start: int = 0) -> Iterator[Piece]:
        """The rows to train on, or those held out, from the `start`-th of them, in the source's order."""
        for X, codes in self._pieces[held]:
            if start < len(codes):
                yield (X[start:], codes[start:]) if start else (X, codes)
            start = max(start - len(codes), 0)

    def in_order(self, order: Order, epoch: int, start: int) -> Iterator[Piece]:
        """The rows to train on in the epoch's order, from the `start`-th."""
        self._pieces[False] = [joined(self._pieces[False])]
        (rows,) = self._pieces[False]
        yield from in_places(rows, self._places(order, epoch, len(rows[1]))[start:])

    def _places(self, order: Order, epoch: int, trained: int) -> np.ndarray:
        """The order of the rows to train on. Blocks are cut from all rows of the source, also those held out."""
        if not order.by_blocks or trained == self.rows:
            return order.permutation(trained, self.n_features, epoch)
        mask = np.concatenate([np.ones(part, bool) if isinstance(part, int) else part for part in self._masks])
        places = order.permutation(self.rows, self.n_features, epoch)
        return (np.cumsum(mask) - 1)[places[mask[places]]]


@dataclass(frozen=True)
class WholeTable:
    """All rows of a source.

    Attributes
    ----------
    source : Source
    names : list of str, or None
        The inputs, in order.
    X : (n, n_features) float64 array
    y : (n,) array, or None
        Labels as the source has them.
    rows : (n,) int array
        The rows' numbers in the source, from 0. Rows that were left out for a missing value have numbers, too.
    n_rows : int
        How many rows the source has, with those that were left out.
    """

    source: Source
    names: list[str] | None
    X: np.ndarray
    y: Any
    rows: np.ndarray
    n_rows: int

    def __len__(self) -> int:
        return len(self.X)

    @property
    def dropped(self) -> int:
        """How many rows were left out for a missing value."""
        return self.n_rows - len(self.X)

    def where(self, i: int) -> str:
        """The file, and the line or row, of row `i`."""
        return self.source.where(int(self.rows[i]))


def read_whole(source: Source, limited: bool = False) -> WholeTable | None:
    """Read all rows; if `limited`, return None for a source whose rows do not fit in memory (see `fits`).

    A CSV file's labels get the type that all of them have: they are text if one of them is.
    """
    if limited and source.n_rows is not None and not fits(source.n_rows, source.n_features):
        return None
    X: list[np.ndarray] = []
    y: list[Any] = []
    numbers: list[np.ndarray] = []
    row, every = 0, source.chunks()  # type: int, Any
    source.check_unchanged()
    with labels_of_one_type(source) as typed, closing(every) as chunks:
        for chunk in chunks:
            X.append(chunk.X)
            y.append(chunk.y)
            numbers.append(row + chunk.numbers())
            row += chunk.rows
            if limited and not fits(sum(map(len, X)), source.n_features):
                return None
        labels = None if y[0] is None else typed(np.concatenate(y))
    source.check_unchanged()
    rows = np.concatenate(X, dtype=np.float64)
    return WholeTable(source, source.names, rows, labels, np.concatenate(numbers), row)


@contextmanager
def labels_of_one_type(source: Source) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """While all rows are read, chunks of CSV files hold codes. Yields the function that turns codes into labels."""
    texts = source.label_texts
    if texts is None:
        yield lambda y: y
        return
    texts.start_over(waits=True)
    try:
        yield texts.values_of
    finally:
        texts.start_over()
