"""What streamed rows are to learn: labels, which become codes, or numbers. `StreamRows` has one of these."""

from typing import Any

import numpy as np

from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import Chunk, Source
from tinynet_fast.rows.formats.base import target_name
from tinynet_fast.rows.messages import shown
from tinynet_fast.rows.numbers import TargetRange, below_zero, first_below_zero, number_of


class StreamLabels:
    """Labels: their codes are places in `labels`.

    Attributes
    ----------
    unseen : (n_labels,) bool array
        The labels that no row to train on has had so far.
    weights : (n_labels,) float64 array, or None
        How much a row of each label counts; None if all count 1.
    counts : (n_labels,) int array, or None
        How many rows to train on have each label; None if they were not counted.
    """

    n_targets = 1

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        self.unseen = np.ones(len(labels), dtype=bool)
        self.weights: np.ndarray | None = None
        self.counts: np.ndarray | None = None

    def read(self, source: Source, chunk: Chunk, row: int) -> np.ndarray:
        """The codes of a chunk's rows, (n,) uint8. TableError for a label that is not among those known.

        The chunk's first row has the number `row`.
        """
        y = chunk.y
        assert y is not None
        try:
            return encode_known(y, self.labels, len(y))
        except ValueError:
            other = np.logical_and.reduce([y != label for label in self.labels])
            if not other.any():
                raise
            i = int(np.argmax(other))
            known = ", ".join(map(shown, self.labels[:12]))
            raise TableError(
                f"{source.where(row + int(chunk.numbers()[i]))}: the label {shown(y[i])} is not among {known}: "
                "correct it, leave the row out, or name all labels with labels="
            ) from None

    def note(self, codes: np.ndarray) -> None:
        """Note the codes of rows that are trained on."""
        if self.unseen.any():
            self.unseen &= np.bincount(codes, minlength=len(self.labels)) == 0

    def floats(self, codes: np.ndarray) -> np.ndarray:
        """For the kernels."""
        return codes.astype(np.float64)

    def weights_of(self, codes: np.ndarray) -> np.ndarray | None:
        """How much each row counts; None if all count 1."""
        return None if self.weights is None else self.weights[codes]


class StreamNumbers:
    """Numbers, one for each row or several. With `counts`, they must not be below 0 (Poisson).

    If `mean` and `scale` are set (see `TargetMoments`), the kernels get (y - mean) / scale.
    """

    weights = None

    def __init__(self, n_targets: int, names: list[str] | None, counts: bool) -> None:
        self.n_targets, self.names, self.counts_only = n_targets, names, counts
        self.range = TargetRange(names)
        self.mean: np.ndarray | None = None
        self.scale: np.ndarray | None = None
        self._checked = False

    def read(self, source: Source, chunk: Chunk, row: int) -> np.ndarray:
        """The numbers of a chunk's rows as float64: (n,), or (n, n_targets) for several."""
        y = chunk.y
        assert y is not None
        numbers = self._from_texts(y, source, chunk, row) if y.dtype.kind == "U" else y.astype(np.float64, copy=False)
        finite = np.isfinite(numbers)
        if not finite.all():
            i = int(np.argwhere(~finite)[0][0])
            raise TableError(
                f"{self._place(source, chunk, row, i)}: {y[i]} is not finite: correct it or remove the row"
            )
        below = first_below_zero(numbers) if self.counts_only else None
        if below is not None:
            raise TableError(f"{self._place(source, chunk, row, below)} {below_zero(numbers[below])}")
        return numbers

    def _from_texts(self, y: np.ndarray, source: Source, chunk: Chunk, row: int) -> np.ndarray:
        numbers = np.empty(y.shape)
        for place, text in np.ndenumerate(y):
            try:
                numbers[place] = number_of(text)
            except ValueError as error:
                raise TableError(f"{self._place(source, chunk, row, place[0])} {error}") from None
        return numbers

    def _place(self, source: Source, chunk: Chunk, row: int, i: int) -> str:
        return f"{source.where(row + int(chunk.numbers()[i]))}, {target_name(source.target)}"

    def note(self, numbers: np.ndarray) -> None:
        """Note the numbers of rows that are trained on."""
        if not self._checked:
            self.range.add(numbers)

    def check(self, place: str) -> None:
        """After a pass: TableError if all are 0 and must not be; a TrainingWarning if all are the same."""
        if self._checked:
            return
        self._checked = True
        if self.counts_only:
            try:
                self.range.check_counts()
            except ValueError as error:
                raise TableError(f"{place}: {error}") from None
        self.range.warn_of_constants()

    def floats(self, numbers: np.ndarray) -> np.ndarray:
        """For the kernels: standardised if asked for."""
        return numbers if self.mean is None else (numbers - self.mean) / self.scale

    def weights_of(self, numbers: Any) -> None:
        """None: all rows count 1."""
