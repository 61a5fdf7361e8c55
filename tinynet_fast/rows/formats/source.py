"""A source of rows: the chunks of its parts in order, places for messages, and fingerprints of the data."""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, no_such_column
from tinynet_fast.rows.formats.base import Chunk, Part, RawBlock
from tinynet_fast.rows.messages import listed

FINGERS, FINGER_BYTES = 256, 1 << 18  # how many parts of a file make its fingerprint, and the size of each


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
        """TableError if the file changed since it was opened."""
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
        """Base name, size, and a digest of the content: all of it up to 64 MB, else parts that are spread evenly.

        A change in a larger file is not seen if the size stays and the change lies between those parts.
        """
        digest, parts = hashlib.blake2b(digest_size=16), -(-self.size // FINGER_BYTES)
        with self.path.open("rb") as file:
            for k in range(min(parts, FINGERS)):
                file.seek(k * (self.size - FINGER_BYTES) // (FINGERS - 1) if parts > FINGERS else k * FINGER_BYTES)
                digest.update(file.read(FINGER_BYTES))
        return {"name": self.path.name, "size": self.size, "digest": digest.hexdigest()}


@dataclass(eq=False)
class Source:
    """Rows that need not fit in memory, read in order, and read again if they are repeatable.

    Rows have the numbers that they have in the files. Rows that are left out have numbers, too.
    """

    kind: str  # the format's name, or what kind of stream this is
    parts: Sequence[Part]
    names: list[str] | None  # of the inputs, in order
    n_features: int
    dtype: Any  # of the rows: float32 if every feature is stored so, else float64
    target: str | int | list[str] | None = None
    stamps: Sequence[Stamp] = ()
    drop_missing: bool = False
    repeatable: bool = True  # whether `chunks` can be called again; not for a generator or a RecordBatchReader
    content: Callable[[], Any] | None = None  # returns what distinguishes the data, beside the files
    labelled: bool | None = None  # whether the rows have labels
    training: dict[str, Any] = field(default_factory=dict)  # JSON: what a model keeps so that it can read similar rows
    label_remedy: str = ""  # how to give labels to rows that have none
    label_texts: Any = None  # of CSV files: `csv.Labels`
    sparse: bool = False  # whether chunks hold CSR
    raw: bool = False  # whether columns are read as the files have them, by `raw_blocks`
    n_targets: int = 1  # how many numbers a row has to learn, if it does not have a label

    def __post_init__(self) -> None:
        self.dtype = np.dtype(self.dtype)
        if self.labelled is None:
            self.labelled = self.target is not None
        self.dropped = 0  # rows left out for a missing value in the last complete pass
        self.anywhere = all(part.anywhere for part in self.parts)  # whether `chunks(start)` reads only from there on
        rows = [part.n_rows for part in self.parts]
        # How many rows there are, with those that are left out, and how many `chunks` gives; None if that is not known.
        self.all_rows = None if None in rows else sum(n for n in rows if n is not None)
        self.n_rows = None if self.drop_missing else self.all_rows
        self.size_bytes = sum(stamp.size for stamp in self.stamps) if self.stamps else None
        self._begun = False
        self._index: list[tuple[int, int, Any]] = []  # see `_remember`
        self._indexed = 0  # rows that the index covers

    def chunks(self, start: int = 0, stop: int | None = None) -> Generator[Chunk, None, None]:
        """The rows [start, stop) in order. A source that is not readable anywhere is read from its beginning.

        Close it if you do not read it to its end: threads may be reading ahead. A chunk is empty if all its rows were
        left out. `dropped` is known after a pass over all rows.

        Raises TableError for a row that cannot be used, naming the file, the line or row, and the column.
        """
        self._begin()
        whole = start == 0 and stop is None
        return self._anywhere(start, stop) if self.anywhere and not whole else self._in_order(start, stop)

    def raw_blocks(self) -> Generator[RawBlock, None, None]:
        """All rows in order, with their columns as the files have them. TableError if a file changes meanwhile."""
        self._begin()
        self.check_unchanged()
        row = 0
        for number, part in enumerate(self.parts):
            with closing(part.raw()) as blocks:
                for block in blocks:
                    self._remember(row, block.rows, number, block.place)
                    row += block.rows
                    yield block
        self.check_unchanged()
        if not row:
            raise TableError(f"{self.place}: no rows: one is needed")

    def only(self, names: Sequence[str]) -> "Source":
        """The same rows with some of the columns of `raw_blocks`, in this order; files are not opened again."""
        assert self.names is not None
        lost = next((name for name in names if name not in self.names), None)
        if lost is not None:
            raise no_such_column(self.place, lost, self.names)
        other = copy(self)
        other.names, other.n_features, other._index, other._indexed = list(names), len(names), [], 0
        other.parts = [part.only(list(names)) for part in self.parts]
        return other

    def _begin(self) -> None:
        """TableError if the rows were read before, and can be read only once."""
        if self._begun and not self.repeatable:
            raise TableError(f"{self.kind}: it can be read only once; pass a function that makes a new one")
        self._begun = True

    def _anywhere(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        first = 0
        for part in self.parts:
            assert part.n_rows is not None
            last = first + part.n_rows
            low, high = max(start, first), last if stop is None else min(stop, last)
            if low < high:
                yield from part.read(low - first, high - first)
            first = last

    def _in_order(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        row = dropped = 0  # rows so far that were kept, and that were left out
        for number, part in enumerate(self.parts):
            with closing(part.read(0, None)) as chunks:
                for chunk in chunks:
                    n = chunk.rows
                    dropped += n - len(chunk.X)
                    self._remember(row, n, number, chunk.place)
                    low, high = max(start - row, 0), n if stop is None else min(stop - row, n)
                    if low < high:
                        yield chunk.part(low, high)
                    row += n
                    if stop is not None and row >= stop:
                        return
        self.dropped = dropped
        if row == dropped:
            kept = " without a missing value" if dropped else ""
            raise TableError(f"{self.place}: no rows{kept}: one is needed")

    def _remember(self, row: int, n: int, number: int, place: Any) -> None:
        """Remember the part and the place from which the `n` rows from `row` on were read."""
        if row == self._indexed and n:
            self._index.append((row, number, place))
            self._indexed += n

    @property
    def place(self) -> str:
        """What messages about all rows name: the first file, or the kind of source."""
        return str(self.stamps[0].path) if self.stamps else self.kind

    def as_sparse(self) -> "Source":
        """The same rows as CSR if they are stored so; else this source."""
        if not self.parts[0].stores_sparse:
            return self
        other = copy(self)
        other.parts, other.sparse, other._index, other._indexed = [copy(part) for part in self.parts], True, [], 0
        for part in other.parts:
            part.sparse = True
        return other

    @property
    def row_values(self) -> int:
        """How many values a row holds; if rows are CSR, the mean number of stored values, rounded up."""
        if not self.sparse:
            return self.n_features
        stored, rows = (sum(getattr(part, name) for part in self.parts) for name in ("stored", "counted"))
        return max(1, -(-stored // rows))

    def need_labels(self, what: str = "labels") -> None:
        """TableError if the rows have no labels, or no numbers to learn; it says how to name them."""
        if self.labelled:
            return
        remedy = self.label_remedy or f"give rows with {what}"
        if not self.label_remedy and self.names is not None:
            remedy = f"name the column that holds the {what} (y=...); it has {listed(self.names)}"
        raise TableError(f"{self.place}: the rows have no {what} to learn: {remedy}")

    def labels_only(self) -> Generator[np.ndarray, None, None]:
        """All labels in order: (n,) arrays."""
        if self.drop_missing or not self.repeatable:
            with closing(self.chunks()) as chunks:
                for chunk in chunks:
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
            with closing(self.raw_blocks() if self.raw else self.chunks(row, row + 1)) as blocks:
                for _ in blocks:
                    pass
        if row >= self._indexed:
            return f"row {row + 1}"
        at = bisect_right(self._index, row, key=lambda entry: entry[0]) - 1
        first, number, place = self._index[at]
        return self.parts[number].where(place, row - first)

    def fingerprint(self) -> dict[str, Any]:
        """What distinguishes these rows from others, as JSON values."""
        seen: dict[str, Any] = {"kind": self.kind, "names": self.names, "target": self.target}
        seen |= {"n_features": self.n_features, "dtype": self.dtype.name, "drop_missing": self.drop_missing}
        if self.sparse:
            seen["sparse"] = True
        if self.stamps:
            seen["files"] = [stamp.fingerprint() for stamp in self.stamps]
        if self.content is not None or not self.stamps:
            seen["content"] = self.content() if self.content is not None else None
        return seen

    def check_unchanged(self) -> None:
        """TableError if a file was changed or removed since the source was opened; it says which and how."""
        for stamp in self.stamps:
            stamp.check()


def with_rows(parts: list[Any], why: str) -> list[Any]:
    """The parts that have rows, or may have; TableError if none does."""
    found = [part for part in parts if part.n_rows != 0]
    if not found:
        raise TableError(f"{parts[0].path}: {why}")
    return found
