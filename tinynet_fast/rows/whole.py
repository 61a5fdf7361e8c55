"""A source's rows read whole, whatever its format: for training and pictures that need all rows at once."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.formats import Source, first_format
from tinynet_fast.rows.kept import fits


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
    """Read all rows; if `limited`, return None for a source whose rows do not fit in memory (see `kept.fits`).

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
    """While all rows are read: chunks of CSV files hold codes for labels, which the function turns back."""
    texts = source.label_texts
    if texts is None:
        yield lambda y: y
        return
    texts.start_over(waits=True)
    try:
        yield texts.values_of
    finally:
        texts.start_over()


def target_in(path: str | os.PathLike[str], target: str) -> Any:
    """What the target is called in a file's format: a column's name; for .npy the labels' file or a column's number."""
    kind = first_format(path)
    if kind == "svmlight":
        return None
    if kind != "npy":
        return target
    try:
        return int(target)
    except ValueError:
        return Path(target)
