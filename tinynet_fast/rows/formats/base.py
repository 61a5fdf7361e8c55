"""What all formats share: chunks and blocks of rows, parts, what is refused in rows, and what to say of bad files."""

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, first_repeated
from tinynet_fast.rows.messages import printable

CHUNK_BYTES = 1 << 21  # of a chunk's rows: in the second and third cache until they are trained on
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
        Labels as the source has them: numbers, booleans or text. None for a source without a target.
    kept : (m,) bool array, or None
        Which of the source's next m rows these n are; the others were left out. None if no row was left out.
    """

    X: Any
    y: np.ndarray | None
    kept: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """The rows of the source that this stands for, also those that were left out."""
        return len(self.X) if self.kept is None else len(self.kept)

    def numbers(self) -> np.ndarray:
        """(n,) the rows' places among those."""
        return np.arange(len(self.X)) if self.kept is None else np.flatnonzero(self.kept)

    def part(self, low: int, high: int) -> "Chunk":
        """The source's rows [low, high) of these."""
        if low == 0 and high == self.rows:
            return self
        first, last, kept = low, high, self.kept
        if kept is not None:
            first, last, kept = int(kept[:low].sum()), int(kept[:high].sum()), kept[low:high]
        return Chunk(self.X[first:last], None if self.y is None else self.y[first:last], kept)


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
        Those of the names that the user did not write: the search in a folder, or a pattern, brought them.
    """

    path: str
    values: dict[str, str] = field(default_factory=dict)
    found: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Like:
    """Rows that a model was trained on: how many inputs, and from what svmlight indices counted (None: not known)."""

    n_features: int
    first_index: int | None = None


@dataclass(frozen=True)
class Block:
    """Rows of one part (a file, or all of a stream), and where they come from.

    `place` is what the part needs to find them again; `kept` says which of its rows these are, None for all.
    """

    X: Any
    y: np.ndarray | None
    place: Any
    kept: np.ndarray | None = None


class Part(ABC):
    """One file or stream. `n_rows` and `read(start, stop)` count all its rows, also those that are left out."""

    path: Any  # what messages call it
    n_rows: int | None = None
    anywhere = False  # whether `read` costs about the rows that are read
    stores_sparse = False  # whether blocks can hold CSR
    sparse = False  # whether they do
    drop = False  # whether rows with a missing value are left out
    names: list[str] | None = None  # of the inputs
    target: Any = None  # the column of the labels

    @abstractmethod
    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        """The rows [start, stop) where the part is readable anywhere; all its rows otherwise."""

    def where(self, place: Any, i: int) -> str:
        """Name row `i`, counted from 0, of the block that was read at `place`: here the number of its first row."""
        return f"{self.path}, row {place + i + 1}"

    def settled(self, X: np.ndarray, y: np.ndarray | None, place: Any, gone: np.ndarray | None = None) -> Block:
        """A block of these rows, once `settle` took them; for parts whose `names` and `target` are their own."""
        options: dict[str, Any] = {"drop": self.drop, "names": self.names, "target": self.target}
        finite = bool(np.isfinite(X).all())
        X, y, kept = settle(X, y, finite, gone, where=partial(self.where, place), **options)
        return Block(X, y, place, kept)

    def labels(self) -> Iterator[np.ndarray]:
        """The target column alone, of all rows; refuses missing labels."""
        for block in self.read(0, None):
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
    """Refuse or leave out rows with a missing value, and refuse infinity: X, y, and which rows were kept (None: all).

    A missing input is NaN in `X`; `gone` says which labels are missing; `finite`, if it is True, that all of `X` is.
    The error names the first row that is refused.
    """
    if y is not None and y.dtype.kind == "f":
        nan = np.isnan(y)
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
            if not drop and not np.isinf(X[:i]).any():  # infinity in a row above comes first
                column = column_name(names, int(np.argmax(missing[i]))) if missing[i].any() else target_name(target)
                raise TableError(f"{where(i)}, {column}: the value is missing: {REMEDY}")
            kept = ~lost
            X, y = X[kept], None if y is None else y[kept]
    if not finite and not np.isfinite(X).all():
        i, j = (int(k) for k in np.argwhere(np.isinf(X))[0])
        place = where(i if kept is None else int(np.flatnonzero(kept)[i]))
        raise TableError(f"{place}, {column_name(names, j)}: {X[i, j]} is not finite: correct it or remove the row")
    if y is not None and y.dtype.kind == "f" and not np.isfinite(y).all():
        i = int(np.argmin(np.isfinite(y)))
        place = where(i if kept is None else int(np.flatnonzero(kept)[i]))
        raise TableError(f"{place}, {target_name(target)}: {y[i]} is not finite: correct it or remove the row")
    return X, y, kept


@contextmanager
def told(path: Any) -> Iterator[None]:
    """TableError naming the file for whatever a reader of files finds wrong with it.

    In a damaged file that may be any error: of text, of numbers, of memory that was asked for. An error of the system
    (a disk that cannot be read, say) stays an OSError and gets the file's name.
    """
    try:
        yield
    except TableError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is not None and error.errno != errno.EINVAL:  # that is a place outside of the file
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
        raise damaged(path, error) from None
    except MemoryError as error:
        raise damaged(path, error, "a damaged file, or too little memory for it") from None
    except Exception as error:
        raise damaged(path, error) from None


def damaged(path: Any, error: Exception, what: str = "not a whole file of its kind, or a damaged one") -> TableError:
    """The error for a file that a reader could not make sense of."""
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
