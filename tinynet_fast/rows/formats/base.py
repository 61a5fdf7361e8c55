"""What all sources of rows have: chunks in order, places for messages, fingerprints. Formats stand beside it."""

import errno
import hashlib
import os
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinynet_fast.rows.arrays import listed
from tinynet_fast.rows.files import TableError, first_repeated
from tinynet_fast.rows.messages import printable

CHUNK_BYTES = 1 << 21  # of a chunk's rows: in the second and third cache until they are trained on
FINGERS, FINGER_BYTES = 256, 1 << 18  # parts of a file that its fingerprint is made from, and their size
DROPPING = " (drop_missing=True leaves such rows out)"  # on one machine
NPY_LABELS = "give the number of the column that holds the labels (y=-1), an array of them, or a file's path"
REMEDY = f"fill it or drop the row{DROPPING}"
T = TypeVar("T")


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
    sparse = False  # whether blocks hold CSR

    @abstractmethod
    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        """The rows [start, stop) where the part is readable anywhere; all its rows otherwise."""

    def where(self, place: Any, i: int) -> str:
        """Name row `i`, counted from 0, of the block that was read at `place`: here the number of its first row."""
        return f"{self.path}, row {place + i + 1}"

    def labels(self) -> Iterator[np.ndarray]:
        """The target column alone, of all rows; refuses missing labels."""
        for block in self.read(0, None):
            assert block.y is not None
            yield block.y


@dataclass
class Stamp:
    """A file as it was when the source was opened."""

    path: Path
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        if path.is_dir():
            raise IsADirectoryError(21, "this is a folder; name its files, as in folder/*.csv", str(path))
        with path.open("rb"):  # a plain OSError for what cannot be opened, whoever reads it
            status = os.stat(path)
        return cls(path, status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """TableError where the file is not what it was."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            raise TableError(f"{self.path}: the file is gone since it was opened; put it back and start anew") from None
        if status.st_size != self.size:
            raise TableError(
                f"{self.path}: its size changed from {self.size:,} to {status.st_size:,} bytes since it was opened; "
                "start anew with the file as it is"
            )
        if status.st_mtime_ns != self.mtime_ns:
            raise TableError(f"{self.path}: it was written to since it was opened; start anew with the file as it is")

    def fingerprint(self) -> dict[str, Any]:
        """Base name, size, and a digest of the content: of all of it up to 64 MB, else of parts that are spread evenly.

        A larger file's change is not seen if it keeps the size and lies between those parts.
        """
        digest, parts = hashlib.blake2b(digest_size=16), -(-self.size // FINGER_BYTES)
        with self.path.open("rb") as file:
            for k in range(min(parts, FINGERS)):
                file.seek(k * (self.size - FINGER_BYTES) // (FINGERS - 1) if parts > FINGERS else k * FINGER_BYTES)
                digest.update(file.read(FINGER_BYTES))
        return {"name": self.path.name, "size": self.size, "digest": digest.hexdigest()}


class Source:
    """Rows that need not fit in memory, read in order, again and again if they are repeatable.

    Rows are numbered as the files have them: those that are left out have numbers, too.

    Attributes
    ----------
    names : list of str, or None
        The inputs, in order.
    n_features : int
    dtype : np.dtype
        Of the rows: float64, or float32 where every feature is stored so.
    n_rows : int or None
        How many rows `chunks` has, if that is known without reading.
    all_rows : int or None
        The same with those that are left out.
    repeatable : bool
        Whether `chunks` can be called again; not for a generator or a RecordBatchReader.
    anywhere : bool
        Whether `chunks(start)` costs about the rows that are read.
    dropped : int
        Rows left out for a missing value in the last complete pass.
    size_bytes : int or None
        Of the files.
    labelled : bool
        Whether the rows have labels.
    sparse : bool
        Whether chunks hold CSR.
    training : dict
        What a model has to keep of the rows, to read others like them; JSON values.
    """

    def __init__(
        self,
        kind: str,
        parts: list[Part],
        *,
        names: list[str] | None,
        n_features: int,
        dtype: Any,
        target: str | int | None = None,
        stamps: Iterable[Stamp] = (),
        drop_missing: bool = False,
        repeatable: bool = True,
        content: Callable[[], Any] | None = None,
        labelled: bool | None = None,
        training: dict[str, Any] | None = None,
    ) -> None:
        self.kind, self.parts, self.names, self.n_features = kind, parts, names, n_features
        self.dtype, self.target, self.stamps = np.dtype(dtype), target, list(stamps)
        self.drop_missing, self.repeatable, self._content = drop_missing, repeatable, content
        self.labelled = target is not None if labelled is None else labelled
        self.training: dict[str, Any] = training or {}
        self.sparse = False
        self.dropped = 0
        self.label_texts: Any = None  # of CSV files: `csv.Labels`
        self.anywhere = all(part.anywhere for part in parts)
        rows = [part.n_rows for part in parts]
        self.all_rows: int | None = None if None in rows else sum(n for n in rows if n is not None)
        self.n_rows = None if drop_missing else self.all_rows
        self.size_bytes: int | None = sum(stamp.size for stamp in self.stamps) if self.stamps else None
        self._begun = False
        self._index: list[tuple[int, int, Any]] = []  # see `_remember`
        self._indexed = 0  # rows that the index covers

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """The rows [start, stop) in order. A source that cannot be read anywhere is read from its beginning.

        A chunk may be empty if all of its rows were left out. `dropped` is known after all rows were read at once.

        Raises TableError for a row that cannot be used, naming the file, the line or row, and the column.
        """
        if self._begun and not self.repeatable:
            raise TableError(f"{self.kind}: it can be read only once; pass a function that makes a new one")
        self._begun = True
        whole = start == 0 and stop is None
        return self._anywhere(start, stop) if self.anywhere and not whole else self._in_order(start, stop)

    def _anywhere(self, start: int, stop: int | None) -> Iterator[Chunk]:
        first = 0
        for part in self.parts:
            assert part.n_rows is not None
            last = first + part.n_rows
            low, high = max(start, first), last if stop is None else min(stop, last)
            if low < high:
                for block in part.read(low - first, high - first):
                    yield Chunk(block.X, block.y, block.kept)
            first = last

    def _in_order(self, start: int, stop: int | None) -> Iterator[Chunk]:
        row = dropped = 0  # rows so far that were kept, and that were left out
        for number, part in enumerate(self.parts):
            blocks = part.read(0, None)
            try:
                for block in blocks:
                    chunk = Chunk(block.X, block.y, block.kept)
                    n = chunk.rows
                    dropped += n - len(block.X)
                    self._remember(row, n, number, block.place)
                    low, high = max(start - row, 0), n if stop is None else min(stop - row, n)
                    if low < high:
                        yield chunk.part(low, high)
                    row += n
                    if stop is not None and row >= stop:
                        return
            finally:
                close = getattr(blocks, "close", None)
                if close is not None:
                    close()
        self.dropped = dropped
        if row == dropped:
            kept = " without a missing value" if dropped else ""
            raise TableError(f"{self.place}: no rows{kept}: one is needed")

    def _remember(self, row: int, n: int, number: int, place: Any) -> None:
        """Keep the part and the place that the `n` rows from `row` on were read from."""
        if row == self._indexed and n:
            self._index.append((row, number, place))
            self._indexed += n

    @property
    def place(self) -> str:
        """What to name in a message about all rows: the first file, or the kind of source."""
        return str(self.stamps[0].path) if self.stamps else self.kind

    def as_sparse(self) -> "Source":
        """The same rows as CSR, if that is how they are stored (svmlight); else this source."""
        if self.kind != "svmlight":
            return self
        other = copy(self)
        other.parts, other.sparse, other._index, other._indexed = [copy(part) for part in self.parts], True, [], 0
        for part in other.parts:
            part.sparse = True
        return other

    @property
    def row_values(self) -> int:
        """How many values a row holds: those that it stores, on average and rounded up, if rows are CSR."""
        if not self.sparse:
            return self.n_features
        stored, rows = (sum(getattr(part, name) for part in self.parts) for name in ("stored", "counted"))
        return max(1, -(-stored // rows))

    def need_labels(self) -> None:
        """TableError, saying how labels are named, if the rows have none."""
        if self.labelled:
            return
        if self.kind == "iterator":
            remedy = "give blocks (X, y)"
        elif self.names is not None:
            remedy = f"name the column that holds the labels (y=...); it has {listed(self.names)}"
        elif self.kind == "npy":
            remedy = NPY_LABELS
        else:
            remedy = "give rows with labels"
        raise TableError(f"{self.place}: the rows have no labels to learn: {remedy}")

    def labels_only(self) -> Generator[np.ndarray, None, None]:
        """The target column alone, in order: (n,) arrays."""
        if self.drop_missing or not self.repeatable:
            for chunk in self.chunks():
                if chunk.y is not None and len(chunk.y):
                    yield chunk.y
            return
        for part in self.parts:
            yield from part.labels()

    def where(self, row: int) -> str:
        """The place of row `row`, counted from 0: "file.csv, line 12", or "file.parquet, row 7" counted from 1."""
        if self.anywhere:
            for part in self.parts:
                assert part.n_rows is not None
                if row < part.n_rows:
                    return part.where(row, 0)
                row -= part.n_rows
            return f"row {row + 1}"
        if row >= self._indexed and self.repeatable:
            for _ in self.chunks(row, row + 1):
                pass
        if row >= self._indexed:
            return f"row {row + 1}"
        at = bisect_right(self._index, row, key=lambda entry: entry[0]) - 1
        first, number, place = self._index[at]
        return self.parts[number].where(place, row - first)

    def fingerprint(self) -> dict[str, Any]:
        """What tells these rows from others, as plain JSON values."""
        seen: dict[str, Any] = {"kind": self.kind, "names": self.names, "target": self.target}
        seen |= {"n_features": self.n_features, "dtype": self.dtype.name, "drop_missing": self.drop_missing}
        if self.sparse:
            seen["sparse"] = True
        if self.stamps:
            seen["files"] = [stamp.fingerprint() for stamp in self.stamps]
        if self._content is not None or not self.stamps:
            seen["content"] = self._content() if self._content is not None else None
        return seen

    def check_unchanged(self) -> None:
        """TableError where a file was changed or removed since the source was opened, saying which and how."""
        for stamp in self.stamps:
            stamp.check()


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


def in_order(tasks: Iterable[Callable[[], T]], workers: int) -> Generator[T, None, None]:
    """What the tasks return, in their order, while a few of those to come are worked on. Closing it ends the work.

    Whoever does not need all of it has to close it: left to the garbage collector, it would swallow a Ctrl-C.
    """
    pool, waiting = ThreadPoolExecutor(workers, "tinynet_fast-read"), deque()  # type: ignore[var-annotated]
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def need(module: str) -> Any:
    """Import pyarrow, or say how to install it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        library, extra = ("scikit-learn", "sklearn") if module.startswith("sklearn") else ("pyarrow", "io")
        raise ImportError(
            f"reading this needs {library}: pip install 'tinynet-fast[{extra}]' (or pip install {library})"
        ) from None


def has_pyarrow() -> bool:
    """Whether pyarrow can be imported."""
    try:
        need("pyarrow")
    except ImportError:
        return False
    return True


def repeated_name(path: Any, names: list[str]) -> None:
    """TableError where two columns have one name."""
    name = first_repeated(names)
    if name is not None:
        place = f"{path}, line 1" if ".csv" in str(path).lower() else path
        raise TableError(f"{place}: column name {name!r} stands more than once; rename one")
