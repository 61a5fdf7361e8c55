"""Shared by all formats: chunks of rows, parts (files or streams), checks of values, and errors for bad files."""

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, first_repeated
from tinynet_fast.rows.messages import printable

CHUNK_BYTES = 1 << 21  # of a chunk's rows, so that they stay in the cache until they are trained on
DROPPING = " (drop_missing=True leaves such rows out)"  # on one machine
REMEDY = f"fill it or drop the row{DROPPING}"


@dataclass(frozen=True)
class Chunk:
    """Some rows in their order.

    Attributes
    ----------
    X : (n, n_features) C-contiguous array, or CSR after `Source.as_sparse`
        float32 where every feature is stored as float32, else float64; the same in all chunks of a source.
    y : (n,) array, or None
        Labels as the source has them: numbers, booleans or text. None for a source without a target. If there are
        several numbers to learn: (n, n_targets) float64.
    place : object
        What the part that was read needs to find these rows again; None for a part of a chunk.
    kept : (m,) bool array, or None
        Which of the source's next m rows these n are; the others were left out. None if no row was left out.
    """

    X: Any
    y: np.ndarray | None
    place: Any = None
    kept: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """How many rows of the source this stands for, with those that were left out."""
        return len(self.X) if self.kept is None else len(self.kept)

    def numbers(self) -> np.ndarray:
        """(n,) the places of these rows among them."""
        return np.arange(len(self.X)) if self.kept is None else np.flatnonzero(self.kept)

    def part(self, low: int, high: int) -> "Chunk":
        """The rows [low, high), counted with those that were left out."""
        if low == 0 and high == self.rows:
            return self
        first, last, kept = low, high, self.kept
        if kept is not None:
            first, last, kept = int(kept[:low].sum()), int(kept[:high].sum()), kept[low:high]
        return Chunk(self.X[first:last], None if self.y is None else self.y[first:last], None, kept)


@dataclass(frozen=True)
class RawBlock:
    """Some rows with their columns as the file has them.

    Attributes
    ----------
    columns : dict
        For each name, in order: an Arrow array of the file's own type. Cells of CSV files are text, with nothing turned
        into null and no space removed; they are a list of str if pyarrow is missing or does not read a part of a file.
    rows : int
        How many rows there are.
    where : callable
        Names the place of row i, counted from 0: "students.csv, line 12".
    place : object
        What the part that was read needs to find these rows again.
    """

    columns: dict[str, Any]
    rows: int
    where: Callable[[int], str]
    place: Any = None


@dataclass(frozen=True)
class File:
    """A file to read.

    Attributes
    ----------
    path : str
        A local path, or an address.
    values : dict
        Names and texts of the folders `name=text` that lie directly above the file.
    found : set
        The names that the user did not write: a search in a folder, or a pattern, found them.
    """

    path: str
    values: dict[str, str] = field(default_factory=dict)
    found: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Like:
    """The rows that a model was trained on: how many inputs, and the first svmlight index (None: not known)."""

    n_features: int
    first_index: int | None = None


class Part(ABC):
    """One file or stream. `n_rows` and `read(start, stop)` count all rows, with those that are left out."""

    path: Any  # its name in messages
    n_rows: int | None = None
    anywhere = False  # whether `read` can start at any row, at the cost of the rows read
    stores_sparse = False  # whether blocks can hold CSR
    sparse = False  # whether they do
    drop = False  # whether rows with a missing value are left out
    names: list[str] | None = None  # of the inputs
    target: Any = None  # the column of the labels
    n_targets = 1  # how many numbers a row has to learn

    @abstractmethod
    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        """The rows [start, stop) if the part is readable anywhere; otherwise all its rows."""

    def where(self, place: Any, i: int) -> str:
        """Name row `i`, counted from 0, of the chunk that was read at `place` (here the number of its first row)."""
        return f"{self.path}, row {place + i + 1}"

    def settled(self, X: np.ndarray, y: np.ndarray | None, place: Any, gone: np.ndarray | None = None) -> Chunk:
        """Make a chunk of these rows after `settle` checked them."""
        options: dict[str, Any] = {"drop": self.drop, "names": self.names, "target": self.target}
        finite = bool(np.isfinite(X).all())
        X, y, kept = settle(X, y, finite, gone, where=partial(self.where, place), **options)
        return Chunk(X, y, place, kept)

    def raw(self) -> Generator[RawBlock, None, None]:
        """All rows with their columns as the file has them."""
        raise TableError(f"{self.path}: its columns have no names, and files whose columns have names are needed here")
        yield

    def only(self, names: list[str]) -> "Part":
        """The same rows with some of the columns that `raw` gives."""
        raise TableError(f"{self.path}: its columns have no names, by which some could be chosen")

    def labels(self) -> Generator[np.ndarray, None, None]:
        """The labels of all rows, without the inputs where that is possible. Missing labels are refused."""
        with closing(self.read(0, None)) as blocks:
            for block in blocks:
                assert block.y is not None
                yield block.y


def settle(
    X: np.ndarray,
    y: np.ndarray | None,
    finite: bool,
    gone: np.ndarray | None,
    *,
    drop: bool,
    names: list[str] | None,
    target: Any,
    where: Callable[[int], str],
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Refuse or leave out rows with a missing value, and refuse infinity.

    A missing input is NaN in `X`. `gone` tells which labels are missing, and `finite` whether all of `X` is known to be
    finite. The error names the first row that is refused.

    Returns
    -------
    X, y, kept
        The rows, their labels, and which rows were kept (None: all).
    """
    if y is not None and y.dtype.kind == "f":
        nan = np.isnan(y) if y.ndim == 1 else np.isnan(y).any(axis=1)
        if nan.any():
            gone = nan if gone is None else gone | nan
    kept = None
    if not finite or gone is not None:
        missing = np.isnan(X)
        lost = missing.any(axis=1)
        if gone is not None:
            lost |= gone
        if lost.any():
            i = int(np.argmax(lost))
            if not drop and not np.isinf(X[:i]).any():  # unless a row above holds infinity
                column = column_name(names, int(np.argmax(missing[i]))) if missing[i].any() else target_name(target)
                raise TableError(f"{where(i)}, {column}: the value is missing: {REMEDY}")
            kept = ~lost
            X, y = X[kept], None if y is None else y[kept]
    if not finite and not np.isfinite(X).all():
        i, j = (int(k) for k in np.argwhere(np.isinf(X))[0])
        place = where(i if kept is None else int(np.flatnonzero(kept)[i]))
        raise TableError(f"{place}, {column_name(names, j)}: {X[i, j]} is not finite: correct it or remove the row")
    if y is not None and y.dtype.kind == "f" and not np.isfinite(y).all():
        at = tuple(np.argwhere(~np.isfinite(y))[0].tolist())
        place = where(at[0] if kept is None else int(np.flatnonzero(kept)[at[0]]))
        raise TableError(f"{place}, {target_name(target)}: {y[at]} is not finite: correct it or remove the row")
    return X, y, kept


@contextmanager
def told(path: Any) -> Iterator[None]:
    """Turn any error of a file's reader into a TableError that names the file.

    A damaged file can cause any error: in text, in numbers, or of memory. An error of the system, such as a disk that
    cannot be read, stays an OSError and gets the file's name.
    """
    try:
        yield
    except TableError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is not None and error.errno != errno.EINVAL:  # EINVAL: a place outside the file
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
        raise damaged(path, error) from None
    except MemoryError as error:
        raise damaged(path, error, "a damaged file, or too little memory for it") from None
    except Exception as error:
        raise damaged(path, error) from None


def damaged(path: Any, error: Exception, what: str = "not a whole file of its kind, or a damaged one") -> TableError:
    """The error for a file that a reader could not read."""
    said = " ".join(str(error).split()) or type(error).__name__
    return TableError(f"{path}: {what}: {printable(said, 200)}")


def column_name(names: list[str] | None, j: int) -> str:
    return f"column {j}" if names is None else f"column {names[j]!r}"


def target_name(target: Any) -> str:
    return "the label" if target is None else f"column {target!r}"


def rows_a_chunk(n_columns: int, itemsize: int = 8) -> int:
    """How many rows make a chunk; at least one."""
    return max(CHUNK_BYTES // (max(n_columns, 1) * itemsize), 1)


def repeated_name(path: Any, names: list[str]) -> None:
    """TableError where two columns have one name."""
    name = first_repeated(names)
    if name is not None:
        place = f"{path}, line 1" if ".csv" in str(path).lower() else path
        raise TableError(f"{place}: column name {name!r} stands more than once; rename one")
