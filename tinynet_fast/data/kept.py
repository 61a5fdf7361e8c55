"""Rows that are few enough to keep: how many those are, and a source's rows in memory once they were read."""

from collections.abc import Iterator

import numpy as np

from tinynet_fast.data.rows import Order, picked

MEMORY_BYTES = 1 << 28  # of float64 rows. The same on every machine, so that a file gives the same model on all of them
PICKED_ROWS = 1 << 14  # rows that are put into an epoch's order at a time

Piece = tuple[np.ndarray, np.ndarray]  # rows and their codes


def fits(n_rows: int, n_features: int) -> bool:
    """Whether this many rows are kept in memory. They count as float64, whatever type they are stored as."""
    return n_rows * max(n_features, 1) * 8 <= MEMORY_BYTES


class Kept:
    """A source's rows as one pass read them: the rows that are trained on, and the rows that are held out.

    Pieces are kept as they came and not joined, which would need the memory twice.
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.rows = 0  # all of them
        self.whole = True  # False once they are too many, and then nothing is kept
        self._pieces: dict[bool, list[Piece]] = {False: [], True: []}
        self._held: list[np.ndarray] = []

    def add(self, trained: Piece, held_out: Piece | None = None, held: np.ndarray | None = None) -> None:
        """Keep the next rows. `held` is True for each row that belongs to `held_out`."""
        self.rows += len(trained[1]) + (0 if held_out is None else len(held_out[1]))
        self.whole = self.whole and fits(self.rows, self.n_features)
        if not self.whole:
            self._pieces, self._held = {False: [], True: []}, []
            return
        self._pieces[False].append(trained)
        if held_out is not None and held is not None:
            self._pieces[True].append(held_out)
            self._held.append(held)

    def pieces(self, held: bool, start: int = 0) -> Iterator[Piece]:
        """The rows that are trained on, or those held out, from the `start`-th of them, in the source's order."""
        for X, codes in self._pieces[held]:
            if start < len(codes):
                yield (X[start:], codes[start:]) if start else (X, codes)
            start = max(start - len(codes), 0)

    def in_order(self, order: Order, epoch: int, start: int) -> Iterator[Piece]:
        """The rows that are trained on in the epoch's order, from the `start`-th."""
        X, codes = self._joined()
        places = self._places(order, epoch, len(codes))[start:]
        for first in range(0, len(places), PICKED_ROWS):
            part = places[first : first + PICKED_ROWS]
            yield picked(X, part), codes[part]

    def _places(self, order: Order, epoch: int, trained: int) -> np.ndarray:
        """The order of the rows that are trained on. Blocks are counted over all rows, also those held out."""
        if not order.by_blocks or not self._held:
            return order.permutation(trained, self.n_features, epoch)
        held = np.concatenate(self._held)
        places = order.permutation(self.rows, self.n_features, epoch)
        return (np.cumsum(~held) - 1)[places[~held[places]]]

    def _joined(self) -> Piece:
        pieces = self._pieces[False]
        if len(pieces) > 1:
            joined = np.concatenate([X for X, _ in pieces]), np.concatenate([codes for _, codes in pieces])
            self._pieces[False] = pieces = [joined]
        return pieces[0]
