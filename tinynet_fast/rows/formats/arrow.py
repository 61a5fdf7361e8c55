"""Tables whose columns have names: which columns to read, and parts that come as Arrow record batches."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.rows.ahead import close
from tinynet_fast.rows.files import Library, TableError, first_repeated, no_such_column
from tinynet_fast.rows.formats.base import Chunk, Part, RawBlock, repeated_name, rows_a_chunk, settle, told
from tinynet_fast.rows.formats.columns import Decimals, empty_rows, fill, is_number, label_kind, labels
from tinynet_fast.rows.index_columns import index_columns

pa = Library("pyarrow")
pc = Library("pyarrow.compute")
MOST_ROWS_A_BYTE = 1 << 16  # of a file: equal rows, packed, need a byte for about 5,000
RAW_BYTES = 32  # that a cell is taken to need if it may be a text
JOINED_BYTES = 1 << 25  # short batches are joined up to this size


class Layout:
    """Which columns are the inputs and which is the target, in every file of a source.

    If `features` is None, the inputs are all columns of the first file but the target and an index that pandas or Dask
    wrote (also one with a name). If `raw`, the columns may have any type, and are read as the file has them.
    """

    raw = False

    def __init__(self, target: str | None, features: Sequence[str] | None) -> None:
        self.target, self.open_ended = target, features is None
        self.names: list[str] = [] if features is None else list(features)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.kind, self.drop, self.first = "", False, ""
        self.decimals = Decimals(target)
        repeated = first_repeated(self.names)
        if repeated is not None:
            raise TableError(f"features: {repeated!r} is named twice; name each column once")
        if features is not None and not self.names:
            raise TableError("features: name at least one column")
        if target in self.names:
            raise TableError(f"features: {target!r} is the target; leave it out of the features")

    @property
    def whole(self) -> "Layout":
        """The layout of the rows with the columns that come from names of folders."""
        return self

    def check_names(self, path: Any, columns: list[str], index: frozenset[str] = frozenset()) -> None:
        """TableError if a file lacks a column, or has one that the first file does not have.

        `index` names columns that are an index, beside those that are known by their names.
        """
        repeated_name(path, columns)
        index |= index_columns(columns)
        there = set(columns)
        if self.target is not None and self.target not in there:
            raise no_such_column(path, self.target, columns)
        if not self.first:
            self.first = str(path)
            if self.open_ended:
                self.names = [name for name in columns if name != self.target and name not in index]
            if not self.names:
                beside = [] if self.raw else [f"the target {self.target!r}"]
                beside += [f"the index {', '.join(sorted(index))}"] if index else []
                raise TableError(
                    f"{path}: it has no column beside {' and '.join(beside)}; name another file, or the features"
                )
        missing = [name for name in self.names if name not in there]
        if missing:
            raise no_such_column(path, missing[0], columns)
        known = {*self.names, self.target, *index}
        more = [name for name in columns if name not in known] if self.open_ended else []
        if more:
            raise TableError(f"{path}: column {more[0]!r} is not in {self.first}; remove it, or name the features")

    def check_schema(self, path: Any, schema: Any) -> None:
        """`check_names`, and a check of types. Rows become float64 unless all inputs are float32."""
        self.check_names(path, schema.names, index_columns(schema.names, schema))
        for name in [] if self.raw else self.names:
            kind = schema.field(name).type
            if pa.types.is_dictionary(kind):  # categories of pandas: numbers, if all of them are
                kind = kind.value_type
            if not (is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
                raise TableError(
                    f"{path}, row 1, column {name!r}: the column holds {kind}, no numbers: "
                    "convert it, or leave it out of the features"
                )
            if not pa.types.is_float32(kind):
                self.dtype = np.dtype(np.float64)
        if self.target is not None:
            kind = schema.field(self.target).type
            if pa.types.is_nested(kind):
                raise TableError(f"{path}, column {self.target!r}: it holds {kind}: use numbers, booleans or text")
            self.check_target(path, label_kind(kind))

    def check_target(self, path: Any, kind: str) -> None:
        """TableError if the labels of one file are text and those of another are numbers."""
        if kind and self.kind and kind != self.kind:
            raise TableError(f"{path}, column {self.target!r}: it holds {kind} where {self.first} has {self.kind}")
        self.kind = self.kind or kind

    @property
    def chunk_rows(self) -> int:
        return rows_a_chunk(len(self.names), RAW_BYTES if self.raw else self.dtype.itemsize)

    @property
    def columns(self) -> list[str]:
        """The columns to read: the inputs, and the target if there is one."""
        return self.names if self.target is None else [*self.names, self.target]

    def of_labels(self) -> "Layout":
        """The layout of the same rows without inputs."""
        other = copy(self)
        other.names, other.dtype = [], np.dtype(np.float64)
        return other

    def block(self, columns: list[Any], target: Any, place: Any, where: Callable[[int], str]) -> Chunk:
        """The rows of some columns (Arrow arrays, in order) and of the target's (None without one)."""
        X = empty_rows(len(columns[0] if columns else target), len(columns), self.dtype)
        finite = fill(columns, X, 0)
        y, gone = (None, None) if self.target is None else labels(target, where, self.decimals)
        return self.settled(X, y, finite, gone, place, where)

    def settled(self, X: Any, y: Any, finite: bool, gone: Any, place: Any, where: Callable[[int], str]) -> Chunk:
        """A chunk of these rows after `settle` checked them."""
        options: dict[str, Any] = {"names": self.names, "target": self.target, "drop": self.drop}
        X, y, kept = settle(X, y, finite, gone, where=where, **options)
        return Chunk(X, y, place, kept)


class TablePart(Part):
    """A part of a table whose columns have names, as its `layout` says."""

    layout: Layout

    def labels(self) -> Generator[np.ndarray, None, None]:
        part = copy(self)
        part.layout = self.layout.of_labels()
        return Part.labels(part)

    def only(self, names: list[str]) -> "TablePart":
        part = copy(self)
        part.layout = copy(self.layout)
        part.layout.names = names
        return part


class ArrowPart(TablePart):
    """A part that is read as record batches. The place of a chunk is the number of its first row."""

    @abstractmethod
    def _batches(self, start: int, stop: int | None) -> Generator[tuple[int, Any], None, None]:
        """Record batches of the rows [start, stop), each with the number of its first row."""

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        rows = self.layout.chunk_rows
        with closing(self._batches(start, stop)) as batches:
            for row, batch in batches:
                for low in range(0, batch.num_rows, rows):
                    with told(self.path):
                        block = self._block(batch.slice(low, rows), row + low)
                    yield block

    def raw(self) -> Generator[RawBlock, None, None]:
        with closing(self._batches(0, None)) as batches:
            for row, batch in batches:
                with told(self.path):
                    whole(batch)  # texts, too, have to be UTF-8
                for low in range(0, batch.num_rows, self.layout.chunk_rows):
                    part, first = batch.slice(low, self.layout.chunk_rows), row + low
                    columns = {name: part.column(name) for name in self.layout.names}
                    yield RawBlock(columns, part.num_rows, partial(self.where, first), first)

    def _block(self, batch: Any, row: int) -> Chunk:
        columns = [batch.column(name) for name in self.layout.names]
        target = None if self.layout.target is None else batch.column(self.layout.target)
        return self.layout.block(columns, target, row, lambda i: self.where(row, i))


class Batches(ArrowPart):
    """Record batches one after the other: a Dataset, a RecordBatchReader, an IPC stream."""

    def __init__(self, name: str, layout: Layout, batches: Callable[[], Iterator[Any]]) -> None:
        self.path, self.layout, self.batches = name, layout, batches

    def _batches(self, start: int, stop: int | None) -> Generator[tuple[int, Any], None, None]:
        row, batches = 0, self.batches()
        try:
            for batch in batches:
                with told(self.path):
                    whole(batch)
                yield row, batch
                row += batch.num_rows
        finally:
            close(batches)

    def _block(self, batch: Any, row: int) -> Chunk:
        block = super()._block(batch, row)
        if block.y is None or block.y.flags.owndata:
            return block
        return replace(block, y=block.y.copy())  # a view of the batch, whose memory a reader may use again


def check_rows(rows: int, size: int) -> None:
    """ValueError if a file of `size` bytes claims more rows than it can hold: columns of nothing take no byte a row."""
    if not 0 <= rows <= MOST_ROWS_A_BYTE * size:
        raise ValueError(f"{rows:,} rows in {size:,} bytes")


def whole(batch: Any) -> Any:
    """Check that all values of a record batch lie in its own memory, and return it. ArrowInvalid if it is damaged.

    Arrow does not check lengths and offsets when it reads, so memory after a damaged file's end would be read. For
    numbers only lengths are checked, for texts each offset.
    """
    batch.validate(full=True)
    return batch


def check_codes(column: Any) -> None:
    """ValueError if a dictionary array has an index outside its dictionary, which Arrow does not check."""
    if pa.types.is_dictionary(column.type):
        least, most = pc.min_max(column.indices).as_py().values()
        if least is not None and not 0 <= least <= most < len(column.dictionary):
            raise ValueError(f"a value {least if least < 0 else most} of a dictionary of {len(column.dictionary)}")


def joined(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """Record batches; short ones are joined to at most `rows` rows, because training needs 0.9 ms for each block.

    The batches have to be `whole`, since joining reads all values. If reading ends with an error, the rows before it
    come first, so that an error in these rows is raised first.
    """
    waiting: list[Any] = []
    n = size = 0
    failed: Exception | None = None
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:
            failed, batch = error, None
        large = batch is not None and (batch.num_rows >= rows or batch.nbytes >= JOINED_BYTES)
        if waiting and (batch is None or large or n + batch.num_rows > rows or size >= JOINED_BYTES):
            yield from _as_one(waiting)
            waiting, n, size = [], 0, 0
        if batch is None:
            break
        if large:
            yield batch
            continue
        waiting.append(batch)
        n, size = n + batch.num_rows, size + batch.nbytes
        if n == rows:
            yield from _as_one(waiting)
            waiting, n, size = [], 0, 0
    if failed is not None:
        raise failed


def _as_one(batches: list[Any]) -> list[Any]:
    """Record batches as one, or as they are if Arrow cannot join them: dictionaries may be too large together."""
    if len(batches) == 1:
        return batches
    try:
        return [pa.concat_batches(batches)]
    except pa.ArrowException:
        return batches
