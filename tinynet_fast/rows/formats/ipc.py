"""Arrow IPC files (Feather) and IPC streams."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.arrow import Batches, Layout, check_rows, joined, labels, whole
from tinynet_fast.rows.formats.base import REMEDY, Block, Part, repeated_name, rows_a_chunk, target_name, told

LARGE_BATCH = 1 << 25  # bytes from which on a batch is mapped and not read: it would stand in memory whole


class IpcPart(Part):
    """An Arrow IPC file. A block's place is its first row."""

    anywhere = True

    def __init__(self, path: Path, layout: Layout, size: int) -> None:
        self.path, self.layout, self.size = path, layout, size
        with told(path), self._file() as (_, reader):
            schema = reader.schema
            repeated_name(path, schema.names)
        with told(path), self._file(schema.names[-1:]) as (_, reader):  # one column tells how long a batch is
            self.batches = [reader.get_batch(k).num_rows for k in range(reader.num_record_batches)]
            self.n_rows = sum(self.batches)
            check_rows(self.n_rows, size)
        if self.n_rows:  # columns without values often have other types
            layout.check_schema(path, schema)
        self.columns = [*layout.names] + ([] if layout.target is None else [layout.target])

    def _file(self, columns: list[str] | None = None) -> "_Opened":
        return _Opened(self.path, self.size, columns)

    def where(self, place: Any, i: int) -> str:
        return f"{self.path}, row {place + i + 1}"

    def _read(self, columns: list[str], start: int, stop: int, rows: int) -> Iterator[tuple[int, Any]]:
        """Batches with the rows [start, stop), each with the row it begins with; short ones are joined to `rows`."""
        row = start
        for batch in joined(self._stored(columns, start, stop), rows):
            yield row, batch
            row += batch.num_rows

    def _stored(self, columns: list[str], start: int, stop: int) -> Iterator[Any]:
        """The file's batches, or what they have of the rows [start, stop)."""
        with told(self.path), self._file(columns) as (_, reader):
            first = 0
            for k, n in enumerate(self.batches):
                low, high = max(start - first, 0), min(stop - first, n)
                if low < high:
                    yield whole(reader.get_batch(k)).slice(low, high - low)
                first += n

    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        rows = self.layout.chunk_rows
        stop = sum(self.batches) if stop is None else stop
        for row, batch in self._read(self.columns, start, stop, rows):
            for low in range(0, batch.num_rows, rows):
                with told(self.path):
                    block = self._block(batch.slice(low, rows), row + low)
                yield block

    def _block(self, batch: Any, row: int) -> Block:
        columns = [batch.column(name) for name in self.layout.names]
        target = None if self.layout.target is None else batch.column(self.layout.target)
        return self.layout.block(columns, target, row, lambda i: self.where(row, i))

    def labels(self) -> Iterator[np.ndarray]:
        target = self.layout.target
        assert target is not None
        for row, batch in self._read([target], 0, sum(self.batches), rows_a_chunk(1)):
            y, gone = labels(batch.column(target), partial(self.where, row), self.layout.decimals)
            if gone is not None:
                place = self.where(row, int(np.argmax(gone)))
                raise TableError(f"{place}, {target_name(target)}: the value is missing: {REMEDY}")
            yield y


class _Opened:
    """An IPC file that is open, with a reader of some of its columns."""

    def __init__(self, path: Path, size: int, columns: list[str] | None) -> None:
        self.path, self.size, self.columns = path, size, columns

    def __enter__(self) -> Any:
        import pyarrow as pa
        from pyarrow import ipc

        self.file = pa.OSFile(os.fspath(self.path))
        reader = ipc.open_file(self.file)
        if self.size > LARGE_BATCH * max(reader.num_record_batches, 1):
            self.file.close()
            self.file = pa.memory_map(os.fspath(self.path))
            reader = ipc.open_file(self.file)
        if self.columns is not None:
            wanted = [reader.schema.get_field_index(name) for name in self.columns]
            reader = ipc.open_file(self.file, options=ipc.IpcReadOptions(included_fields=wanted))
        return self.file, reader

    def __exit__(self, *_: Any) -> None:
        self.file.close()


def stream_part(path: Path, layout: Layout) -> Batches:
    """An IPC stream in a file."""
    import pyarrow as pa
    from pyarrow import ipc

    def batches() -> Iterator[Any]:
        with told(path), pa.OSFile(os.fspath(path)) as file:
            for batch in ipc.open_stream(file):
                check_rows(batch.num_rows, path.stat().st_size)
                yield whole(batch).select(columns)

    with told(path), pa.OSFile(os.fspath(path)) as file:
        layout.check_schema(path, ipc.open_stream(file).schema)
    columns = [*layout.names] + ([] if layout.target is None else [layout.target])
    return Batches(str(path), layout, lambda: joined(batches(), layout.chunk_rows))
