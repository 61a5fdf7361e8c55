"""Parquet files, decoded by as many threads as pyarrow may use: each has some of the columns, and turns them into rows.

Threads share a chunk by columns and not by rows, so memory does not depend on how large the file's row groups are.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.data.files import TableError
from tinynet_fast.data.sources.arrow import Layout, fill, labels
from tinynet_fast.data.sources.base import REMEDY, Block, Part, rows_a_chunk, target_name

MOST_THREADS = 8
AHEAD = 2  # chunks worked on beside the one that is used
BUFFER = 1 << 16  # bytes of a column read from the file at a time


@contextmanager
def told(path: Path) -> Iterator[None]:
    """TableError naming the file for what Arrow finds wrong with it."""
    import pyarrow as pa

    try:
        yield
    except TableError:
        raise
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        said = " ".join(str(error).split())
        raise TableError(f"{path}: not a whole file of its kind, or a damaged one: {said}") from None


class ParquetPart(Part):
    """A Parquet file. A block's place is its first row."""

    anywhere = True

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        with told(path):
            file = self._open()
            layout.check_schema(path, file.schema_arrow)
            self.groups = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
            file.close()
        self.n_rows = sum(self.groups)

    def _open(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER)

    def where(self, place: Any, i: int) -> str:
        return f"{self.path}, row {place + i + 1}"

    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        import pyarrow as pa

        layout = self.layout
        stop = sum(self.groups) if stop is None else stop
        rows = layout.chunk_rows
        threads = max(min(pa.cpu_count(), MOST_THREADS, -(-len(layout.names) // 8)), 1)
        shares = [list(part) for part in np.array_split(np.arange(len(layout.names)), threads)]
        readers = [_Columns(self, [layout.names[j] for j in share], start, rows) for share in shares]
        readers[-1].target = layout.target
        pools = [ThreadPoolExecutor(1, "tinynet_fast-read") for _ in readers]
        waiting: list[tuple[int, np.ndarray, list[Future[Any]]]] = []
        try:
            for low in range(start, stop, rows):
                X = np.empty((min(rows, stop - low), len(layout.names)), layout.dtype)
                work = [
                    pool.submit(reader.put, X, int(share[0]))
                    for pool, reader, share in zip(pools, readers, shares, strict=True)
                ]
                waiting.append((low, X, work))
                if len(waiting) > AHEAD:
                    yield self._done(*waiting.pop(0))
            while waiting:
                yield self._done(*waiting.pop(0))
        finally:
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)
            for reader in readers:
                reader.close()

    def _done(self, row: int, X: np.ndarray, work: list[Future[Any]]) -> Block:
        with told(self.path):
            seen = [future.result() for future in work]
        finite = all(part[0] for part in seen)
        y, gone = seen[-1][1:]
        return self.layout.settled(X, y, finite, gone, row, lambda i: self.where(row, i))

    def labels(self) -> Iterator[np.ndarray]:
        target, row = self.layout.target, 0
        with told(self.path):
            file = self._open()
            try:
                for batch in file.iter_batches(rows_a_chunk(1), columns=[target], use_threads=False):
                    y, gone = labels(batch.column(0))
                    if gone is not None:
                        place = self.where(row, int(np.argmax(gone)))
                        raise TableError(f"{place}, {target_name(target)}: the value is missing: {REMEDY}")
                    yield y
                    row += len(y)
            finally:
                file.close()


class _Columns:
    """Some of a file's columns, read on from row `start`; for one thread."""

    def __init__(self, part: ParquetPart, names: list[str], start: int, rows: int) -> None:
        self.part, self.names, self.rows = part, names, rows
        self.target: str | None = None  # read as well
        self.file: Any = None
        self.skip, self.first = start, 0  # the row group in which row `start` is, and rows before it there
        while self.first < len(part.groups) and self.skip >= part.groups[self.first]:
            self.skip -= part.groups[self.first]
            self.first += 1
        self.rest: Any = None

    def put(self, X: np.ndarray, first: int) -> tuple[bool, np.ndarray | None, np.ndarray | None]:
        """The next len(X) rows into X[:, first:]; whether all are finite; labels, and which are missing."""
        at, finite, y, gone = 0, True, [], []
        while at < len(X):
            batch = self._next(len(X) - at)
            columns = batch.columns[: len(self.names)]
            finite = fill(columns, X[at : at + batch.num_rows], first) and finite
            if self.target is not None:
                values, missing = labels(batch.column(len(self.names)))
                y.append(values)
                gone.append(missing)
            at += batch.num_rows
        if self.target is None:
            return finite, None, None
        lost = [np.zeros(len(v), bool) if m is None else m for v, m in zip(y, gone, strict=True)]
        return finite, _joined(y), None if all(m is None for m in gone) else _joined(lost)

    def _next(self, most: int) -> Any:
        """At most so many of the rows that come next."""
        if self.file is None:
            self.file = self.part._open()
            self.order = self.names if self.target is None else [*self.names, self.target]
            groups = list(range(self.first, len(self.part.groups)))
            self.batches = self.file.iter_batches(self.rows, row_groups=groups, columns=self.order, use_threads=False)
        while self.rest is None or self.rest.num_rows == 0 or self.skip:
            if self.rest is None or self.rest.num_rows == 0:
                self.rest = next(self.batches).select(self.order)  # which come in the file's order
            gone = min(self.skip, self.rest.num_rows)
            self.rest, self.skip = self.rest.slice(gone), self.skip - gone
        batch, self.rest = self.rest.slice(0, most), self.rest.slice(most)
        return batch

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
