"""Rows that are few enough to keep: how many those are, and a source's rows in memory once they were read."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet_fast.rows.blocks import Order, picked
from tinynet_fast.rows.sparse import CSR, stacked

MEMORY_BYTES = 1 << 28  # of float64 rows. The same on every machine, so that a file gives the same model on all of them
PICKED_ROWS = 1 << 14  # rows that are put into an epoch's order at a time

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
    """The rows at these places, in their order, some at a time."""
    X, codes = rows
    for first in range(0, len(places), PICKED_ROWS):
        part = places[first : first + PICKED_ROWS]
        yield picked(X, part), codes[part]


class Kept:
    """A source's rows as one pass read them: the rows that are trained on, and the rows that are held out.

    Pieces are kept as they came and not joined, which would need the memory twice.
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.rows = 0  # of the source, also those that were left out for a missing value
        self._stored = 0  # values of sparse rows, each with the number of its input
        self.whole = True  # False once they are too many, and then nothing is kept
        self._pieces: dict[bool, list[Piece]] = {False: [], True: []}
        self._masks: list[np.ndarray | int] = []  # which of the source's next rows are trained on; a number: all

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
        """The rows that are trained on, or those held out, from the `start`-th of them, in the source's order."""
        for X, codes in self._pieces[held]:
            if start < len(codes):
                yield (X[start:], codes[start:]) if start else (X, codes)
            start = max(start - len(codes), 0)

    def in_order(self, order: Order, epoch: int, start: int) -> Iterator[Piece]:
        """The rows that are trained on in the epoch's order, from the `start`-th."""
        self._pieces[False] = [joined(self._pieces[False])]
        (rows,) = self._pieces[False]
        yield from in_places(rows, self._places(order, epoch, len(rows[1]))[start:])

    def _places(self, order: Order, epoch: int, trained: int) -> np.ndarray:
        """The order of the rows that are trained on. Blocks are counted over all of the source's rows."""
        if not order.by_blocks or trained == self.rows:
            return order.permutation(trained, self.n_features, epoch)
        mask = np.concatenate([np.ones(part, bool) if isinstance(part, int) else part for part in self._masks])
        places = order.permutation(self.rows, self.n_features, epoch)
        return (np.cumsum(mask) - 1)[places[mask[places]]]
