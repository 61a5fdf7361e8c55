"""Readers turn what a worker has of a shard (arrays, a frame, a file, Arrow batches) into blocks of rows.

Each reader has a twin that reads the labels, or the numbers to learn, alone. Numbers are columns that are read like
inputs, and so checked like them.
"""

import os
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import Piece
from tinynet_fast.cluster.inspection import label_array, place, place_after
from tinynet_fast.cluster.number_columns import Targets, number_names, with_targets
from tinynet_fast.cluster.tasks import Share
from tinynet_fast.rows.files import Library, TableError, checked_features, no_such_column
from tinynet_fast.rows.formats.arrow import Batches, Layout
from tinynet_fast.rows.formats.base import Chunk, File, Part, settle
from tinynet_fast.rows.formats.columns import labels, numeric
from tinynet_fast.rows.formats.folders import in_folders, with_folders
from tinynet_fast.rows.formats.number_targets import columns_with
from tinynet_fast.rows.formats.parquet import BUFFER, ParquetPart
from tinynet_fast.rows.formats.paths import Remote, search
from tinynet_fast.rows.formats.registry import format_of
from tinynet_fast.rows.numbers import check_targets, numbers_and_gaps, read_numbers
from tinynet_fast.rows.values import is_masked

pa = Library("pyarrow")
parquet = Library("pyarrow.parquet")

# Rows of an array in a block. The arrays made for each block stay below 128 KB: from there on malloc asks the system
# for memory, and on Dask's workers gives it back each time. There an averaged epoch of 16 inputs took 42 ns a row with
# blocks of 65,536 rows, 29 with 15,872, 25 with 8,192 and 29 with 3,840; elsewhere it took 22.
ROWS = 8192
FRAME_ROWS = 1 << 16  # rows of a frame in a block: to convert a block costs more than its memory
AT_ONCE = 16  # Parquet files whose footers are read at the same time: each is a request or two, which mostly wait


@dataclass(frozen=True)
class ArrayReader:
    """Rows in a NumPy array, and in another their labels or, if there are `n_targets`, their numbers."""

    n_features: int
    dtype: str
    n_targets: int = 0

    def __call__(self, share: Share, X: Any, y: Any) -> Iterator[Piece]:
        codes = self._numbers(share, y) if self.n_targets else label_array(y)
        if not isinstance(X, np.ndarray):
            raise TableError(f"partition {share.shard}: its rows are a {type(X).__name__}: make them a NumPy array")
        if X.ndim != 2 or X.shape[1] != self.n_features or len(X) != len(codes):
            raise TableError(
                f"partition {share.shard}: rows of shape {X.shape} and {len(codes)} labels; (n, {self.n_features}) "
                "and n are needed: cut both alike"
            )
        stop = len(X) if share.stop is None else min(share.stop, len(X))
        for low in range(share.start, stop, ROWS):
            part = slice(low, min(low + ROWS, stop))
            rows = X[part]
            if is_masked(rows):
                rows = np.ma.filled(rows.astype(self.dtype), np.nan)  # NaN, so that `Inspection` names the place
            yield np.ascontiguousarray(rows, self.dtype), codes[part]

    def _numbers(self, share: Share, y: Any) -> np.ndarray:
        """Numbers that were checked before training."""
        numbers = numbers_and_gaps(y, f"partition {share.shard}, y")
        check_targets(numbers, self.n_targets, f"partition {share.shard}, y")
        return np.ascontiguousarray(numbers)


@dataclass(frozen=True)
class ArrayNumbers:
    """Numbers to learn in an array, checked."""

    n_targets: int

    def __call__(self, share: Share, y: Any) -> Iterator[np.ndarray]:
        n_targets = self.n_targets if len(y) else None
        yield read_numbers(y, len(y), n_targets, f"partition {share.shard}, y")


def array_labels(share: Share, y: Any) -> Iterator[np.ndarray]:
    """Labels in an array."""
    yield label_array(y)


class _Placed(Batches):
    """Arrow batches of a partition. Messages count its rows from 0."""

    def __init__(self, share: Share, layout: Layout, batches: Iterable[Any]) -> None:
        super().__init__(f"partition {share.shard}", layout, lambda: iter(batches))
        self.share = share

    def where(self, place_: Any, i: int) -> str:
        return place(self.share.shard, self.share.start + place_ + i)


class _Packed(_Placed):
    """Batches of two columns: lists with all inputs of a row, in the order of memory, and labels.

    If there is no target, there are no labels.
    """

    def _block(self, batch: Any, row: int) -> Chunk:
        y, gone = (None, None) if self.layout.target is None else labels(batch.column(1))
        X = numeric(batch.column(0).flatten(), self.layout.dtype).reshape(batch.num_rows, len(self.layout.names))
        return self.layout.settled(X, y, True, gone, row, lambda i: self.where(row, i))  # X is checked in training


@dataclass(frozen=True)
class BatchReader:
    """Arrow record batches, which hold exactly the share's rows."""

    layout: Layout
    targets: Targets | None = None
    batches = _Placed

    def __call__(self, share: Share, batches: Iterable[Any]) -> Iterator[Piece]:
        part = with_targets(self.batches(share, self.layout, batches), self.targets)
        with closing(part.read(0, None)) as blocks:
            for block in blocks:
                assert block.y is not None
                if len(block.y):
                    yield block.X, block.y


class PackedReader(BatchReader):
    """The same for batches whose inputs are one list a row."""

    batches = _Packed


@dataclass(frozen=True)
class BatchLabels:
    """The labels in Arrow record batches of one column."""

    layout: Layout

    def __call__(self, share: Share, batches: Iterable[Any]) -> Iterator[np.ndarray]:
        row = 0
        for batch in batches:
            y, gone = labels(batch.column(0), None, self.layout.decimals)
            nothing, where = np.empty((len(y), 0)), partial(place_after, share.shard, row)
            settle(nothing, y, True, gone, drop=False, names=None, target=self.layout.target, where=where)
            yield y
            row += len(y)


@dataclass(frozen=True)
class FrameReader:
    """A pandas frame, turned into Arrow a block at a time."""

    layout: Layout
    targets: Targets | None = None

    def __call__(self, share: Share, frame: Any) -> Iterator[Piece]:
        columns = self.layout.columns
        if not _has_rows(share, frame, columns):
            return
        stop = len(frame) if share.stop is None else min(share.stop, len(frame))
        first = pa.RecordBatch.from_pandas(frame.iloc[share.start : share.start + 1][columns], preserve_index=False)
        copy(self.layout).check_schema(f"partition {share.shard}", first.schema)  # Dask's sample may have other types
        batches = (
            pa.RecordBatch.from_pandas(frame.iloc[low : min(low + FRAME_ROWS, stop)][columns], preserve_index=False)
            for low in range(share.start, stop, FRAME_ROWS)
        )
        yield from BatchReader(self.layout, self.targets)(share, batches)


def _has_rows(share: Share, frame: Any, columns: list[Any]) -> bool:
    """Whether a partition has rows; TableError if it has rows and lacks a column."""
    missing = [name for name in columns if name not in frame.columns]
    if len(frame) and missing:
        raise no_such_column(f"partition {share.shard}", missing[0], list(map(str, frame.columns)))
    return len(frame) > 0


@dataclass(frozen=True)
class FrameLabels:
    """The labels of a pandas frame."""

    layout: Layout

    def __call__(self, share: Share, frame: Any) -> Iterator[np.ndarray]:
        if _has_rows(share, frame, [self.layout.target]):
            batch = pa.RecordBatch.from_pandas(frame[[self.layout.target]], preserve_index=False)
            yield from BatchLabels(self.layout)(share, [batch])


class RemoteParquet(ParquetPart):
    """A Parquet file on a filesystem that fsspec opens. A row group's bytes come together, in a few requests.

    Local files are read a little of each column at a time. With fsspec that transferred 26 times a file's bytes: it
    forgets what it has read ahead of one column when it reads the next.
    """

    def __init__(self, filesystem: Any, url: str, layout: Layout) -> None:
        self.filesystem = filesystem
        super().__init__(url, layout)  # type: ignore[arg-type]

    def _size(self) -> int:
        return int(self.filesystem.size(str(self.path)) or sys.maxsize)  # not every server says

    def _open(self) -> Any:
        file = self.filesystem.open(str(self.path), block_size=BUFFER)
        return parquet.ParquetFile(file, pre_buffer=True, read_dictionary=list(self.coded))

    def _record_batches(
        self, file: Any, groups: list[int], size: int, columns: list[str]
    ) -> Generator[Any, None, None]:
        for group in groups:  # one by one: several groups asked for together all arrive before the first is handed on
            yield from super()._record_batches(file, [group], size, columns)


def parquet_part(url: str, options: dict[str, Any], layout: Layout) -> Part:
    """A Parquet file that fsspec finds, with the columns that the names of its folders add."""
    filesystem, path = _filesystem(url, options)
    if isinstance(filesystem, need("fsspec.implementations.local").LocalFileSystem):
        return in_folders(layout, ParquetPart(Path(path), layout), path)
    return in_folders(layout, RemoteParquet(filesystem, url, layout), url)


def _filesystem(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The filesystem of an address, and the path in it; ValueError if fsspec does not know this kind of address."""
    try:
        filesystem, path = need("fsspec.core").url_to_fs(url, **options)
    except ValueError as error:
        raise TableError(f"{url}: {error}: correct the address, or install what fsspec needs for it") from None
    return filesystem, path


def parquet_files(
    X: Any, y: Any, features: Sequence[str] | None, options: dict[str, Any], numbers: bool = False
) -> tuple[list[str], Layout]:
    """The addresses of all files that paths, URLs, patterns and folders stand for, and the layout of their columns.

    All footers are read here, several at a time, because the types in every file decide the rows' type. Files without
    rows are left out.
    """
    items, layout = X if isinstance(X, (list, tuple)) else [X], target_layout("paths", y, features, numbers)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [pair for pairs in pool.map(partial(_addresses, options), items) for pair in pairs]
        layout = with_folders(layout, [file for _, file in found])
        rows: list[int | None] = []
        while not layout.first and len(rows) < len(found):  # up to the first file with rows, which sets the columns
            rows.append(parquet_part(found[len(rows)][0], options, layout).n_rows)
        rest = found[len(rows) :]
        rows += pool.map(lambda pair: parquet_part(pair[0], options, layout).n_rows, rest)
    urls = [url for (url, _), n in zip(found, rows, strict=True) if n]
    if not urls:
        raise TableError(f"{found[0][0]}: no rows: at least one is needed")
    return urls, layout


def _addresses(options: dict[str, Any], item: str | os.PathLike[str]) -> list[tuple[str, File]]:
    """The address of each file that a path, URL, pattern or folder stands for, and what `search` says about it."""
    text = os.fspath(item)
    filesystem, path = _filesystem(text, options)
    local = isinstance(filesystem, need("fsspec.implementations.local").LocalFileSystem)
    try:
        found = search(path, Remote(filesystem))
    except TableError as error:
        raise TableError(str(error).replace(path, text, 1)) from None
    addresses = []
    for file in found:
        url = filesystem.unstrip_protocol(file.path)
        if format_of(file.path) not in ("parquet", None):
            raise TableError(f"{url}: workers read Parquet files only: read others as a frame, and pass that")
        addresses.append((url, file if local else replace(file, path=url)))
    return addresses


def target_layout(what: str, y: Any, features: Sequence[str] | None, numbers: bool) -> Layout:
    """A layout whose labels are the column `y`; or one that reads the `numbers` in this column, or in several."""
    if numbers:
        return Layout(None, columns_with(number_names(what, y), features))
    if not isinstance(y, str):
        raise ValueError(f"y is a {type(y).__name__}; for {what} it is the name of the column of labels")
    return Layout(y, checked_features(features))


def are_paths(X: Any) -> bool:
    """Whether X is a path or a list of paths."""
    path = (str, os.PathLike)
    return isinstance(X, path) or (isinstance(X, (list, tuple)) and bool(X) and all(isinstance(p, path) for p in X))


def need(module: str, extra: str = "dask") -> Any:
    """Import a library that comes with Dask or Spark, or say how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise ImportError(f"this needs {module.partition('.')[0]}: pip install 'tinynet-fast[{extra},io]'") from None


@dataclass(frozen=True)
class ParquetReader:
    """A Parquet file that the worker opens itself. It skips row groups that have no rows of the share."""

    layout: Layout
    options: dict[str, Any]
    targets: Targets | None = None

    def __call__(self, share: Share, url: str) -> Iterator[Piece]:
        part = with_targets(parquet_part(url, self.options, self.layout), self.targets)
        with closing(part.read(share.start, share.stop)) as blocks:
            for block in blocks:
                assert block.y is not None
                yield block.X, block.y


@dataclass(frozen=True)
class ParquetLabels:
    """The labels of a Parquet file. Only the bytes of their column are read."""

    layout: Layout
    options: dict[str, Any]

    def __call__(self, share: Share, url: str) -> Iterator[np.ndarray]:
        return parquet_part(url, self.options, self.layout).labels()


@dataclass(frozen=True)
class ParquetNumbers:
    """The numbers to learn of a Parquet file. Only the bytes of their columns are read, if they are in the file."""

    layout: Layout
    options: dict[str, Any]
    targets: Targets

    def __call__(self, share: Share, url: str) -> Iterator[np.ndarray]:
        part, targets = parquet_part(url, self.options, self.layout), self.targets
        if all(name in self.layout.names for name in targets.names):  # not in the names of folders
            part, targets = part.only(targets.names), targets.alone
        with closing(with_targets(part, targets).read(0, None)) as blocks:
            for block in blocks:
                assert block.y is not None
                yield block.y
