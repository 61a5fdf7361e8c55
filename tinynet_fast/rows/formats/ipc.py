"""Arrow IPC files (Feather) and IPC streams."""

import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tinynet_fast.rows.files import Library, need
from tinynet_fast.rows.formats.arrow import ArrowPart, Batches, Layout, check_rows, joined, whole
from tinynet_fast.rows.formats.base import repeated_name, told
from tinynet_fast.rows.formats.registry import Asked, Format
from tinynet_fast.rows.formats.source import Source
from tinynet_fast.rows.formats.tables import open_table

pa = Library("pyarrow")
arrow_ipc = Library("pyarrow.ipc")
LARGE_BATCH = 1 << 25  # bytes: files with larger batches are mapped, because a batch that is read is in memory whole


class IpcPart(ArrowPart):
    """An Arrow IPC file."""

    anywhere = True

    def __init__(self, path: Path, layout: Layout, size: int) -> None:
        self.path, self.layout, self.size = path, layout, size
        with told(path), self._reader() as reader:
            schema = reader.schema
            repeated_name(path, schema.names)
        with told(path), self._reader(schema.names[-1:]) as reader:  # one column is enough to see how long batches are
            self.batches = [reader.get_batch(k).num_rows for k in range(reader.num_record_batches)]
            self.n_rows = sum(self.batches)
            check_rows(self.n_rows, size)
        if self.n_rows:  # columns without values often have other types
            layout.check_schema(path, schema)

    @contextmanager
    def _reader(self, columns: list[str] | None = None) -> Iterator[Any]:
        """A reader of the file, or of some of its columns, while the file is open."""
        path = os.fspath(self.path)
        file = pa.OSFile(path)
        try:
            reader = arrow_ipc.open_file(file)
            if self.size > LARGE_BATCH * max(reader.num_record_batches, 1):
                file.close()
                file = pa.memory_map(path)
                reader = arrow_ipc.open_file(file)
            if columns is not None:
                wanted = [reader.schema.get_field_index(name) for name in columns]
                reader = arrow_ipc.open_file(file, options=arrow_ipc.IpcReadOptions(included_fields=wanted))
            yield reader
        finally:
            file.close()

    def _batches(self, start: int, stop: int | None) -> Generator[tuple[int, Any], None, None]:
        row, stop = start, sum(self.batches) if stop is None else stop
        with closing(self._stored(start, stop)) as stored:
            for batch in joined(stored, self.layout.chunk_rows):
                yield row, batch
                row += batch.num_rows

    def _stored(self, start: int, stop: int) -> Generator[Any, None, None]:
        """The rows [start, stop) in the file's own batches."""
        with told(self.path), self._reader(self.layout.columns) as reader:
            first = 0
            for k, n in enumerate(self.batches):
                low, high = max(start - first, 0), min(stop - first, n)
                if low < high:
                    yield whole(reader.get_batch(k)).slice(low, high - low)
                first += n


def stream_part(path: Path, layout: Layout) -> Batches:
    """An IPC stream in a file."""

    def stored() -> Generator[Any, None, None]:
        with told(path), pa.OSFile(os.fspath(path)) as file:
            for batch in arrow_ipc.open_stream(file):
                check_rows(batch.num_rows, path.stat().st_size)
                yield whole(batch).select(layout.columns)

    def batches() -> Generator[Any, None, None]:
        with closing(stored()) as each:
            yield from joined(each, layout.chunk_rows)

    with told(path), pa.OSFile(os.fspath(path)) as file:
        layout.check_schema(path, arrow_ipc.open_stream(file).schema)
    return Batches(str(path), layout, batches)


def _open_files(asked: Asked) -> Source:
    need("pyarrow")
    return open_table(asked, "ipc", lambda stamp, layout: IpcPart(stamp.path, layout, stamp.size))


def _open_streams(asked: Asked) -> Source:
    need("pyarrow")
    return open_table(asked, "ipc stream", lambda stamp, layout: stream_part(stamp.path, layout))


FORMATS = [
    Format("ipc", (".arrow", ".feather", ".ipc"), _open_files),
    Format("ipc stream", (".arrows",), _open_streams),
]
