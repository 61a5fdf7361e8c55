"""Parquet files. pyarrow's threads decode the next rows while the rows before them are made from their columns.

Each column is read a little at a time, so memory does not depend on the size of row groups. (Tried and dropped: our own
threads, each with some of the columns. They were as fast on two free cores, and took 1.4 times as long on busy ones.)
"""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from tinynet_fast.rows.ahead import one_ahead
from tinynet_fast.rows.files import Library, need
from tinynet_fast.rows.formats.arrow import ArrowPart, Layout, check_codes, check_rows, joined
from tinynet_fast.rows.formats.base import told
from tinynet_fast.rows.formats.columns import label_kind
from tinynet_fast.rows.formats.registry import Asked, Format
from tinynet_fast.rows.formats.source import Source
from tinynet_fast.rows.formats.tables import open_table
from tinynet_fast.rows.team import cores

pq = Library("pyarrow.parquet")
CHUNKS_AT_ONCE = 2  # that are decoded together: each call costs pyarrow about 10 µs a column
NOT_CODED = "Not yet implemented"
BUFFER = 1 << 16  # bytes of a column read from the file at a time


class ParquetPart(ArrowPart):
    """A Parquet file."""

    anywhere = True
    coded: tuple[str, ...] = ()  # columns of text, in which each different text is stored once

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        with told(path):
            file = self._open()
            # (The metadata of columns would tell more, but reading it from a damaged file ends the process.)
            self.groups = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
            self.n_rows = sum(self.groups)
            check_rows(self.n_rows, self._size())
            if self.n_rows != file.metadata.num_rows or min(self.groups, default=0) < 0:
                raise ValueError(f"{file.metadata.num_rows:,} rows, and {self.n_rows:,} in its parts")
            if self.n_rows:  # columns without values often have other types
                layout.check_schema(path, file.schema_arrow)
                if layout.target is not None and label_kind(file.schema_arrow.field(layout.target).type) == "text":
                    self.coded = (layout.target,)
            file.close()

    def _size(self) -> int:
        """The size of the file in bytes."""
        return self.path.stat().st_size

    def _open(self) -> Any:
        return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER, read_dictionary=list(self.coded))

    def _record_batches(
        self, file: Any, groups: list[int], size: int, columns: list[str]
    ) -> Generator[Any, None, None]:
        done = 0
        try:
            for batch in file.iter_batches(size, row_groups=groups, columns=columns, use_threads=cores() > 1):
                for column in batch.columns:
                    check_codes(column)
                yield batch
                done += batch.num_rows
        except (NotImplementedError, OSError) as error:
            if not self.coded or NOT_CODED not in str(error):
                raise
        else:
            return
        self.coded = ()  # pyarrow makes no dictionary of texts that are stored as lengths or differences
        plain = self._open()
        try:
            for batch in self._record_batches(plain, groups, size, columns):
                new = batch.slice(min(done, batch.num_rows))
                done -= batch.num_rows - new.num_rows
                if new.num_rows:
                    yield new
        finally:
            plain.close()

    def _batches(self, start: int, stop: int | None) -> Generator[tuple[int, Any], None, None]:
        return one_ahead(self._decoded(start, sum(self.groups) if stop is None else stop))

    def _decoded(self, start: int, stop: int) -> Generator[tuple[int, Any], None, None]:
        """Batches of the rows [start, stop), each with the number of its first row. Earlier row groups are skipped."""
        group = row = 0
        while group < len(self.groups) and row + self.groups[group] <= start:
            row += self.groups[group]
            group += 1
        with told(self.path):
            file = self._open()
            try:
                groups, size = list(range(group, len(self.groups))), CHUNKS_AT_ONCE * self.layout.chunk_rows
                stored = self._record_batches(file, groups, size, self.layout.columns)  # cut at row groups
                with closing(stored):
                    for batch in joined(stored, size):
                        low, high = max(start - row, 0), min(stop - row, batch.num_rows)
                        if low < high:
                            yield row + low, batch.slice(low, high - low)
                        row += batch.num_rows
                        if row >= stop:
                            return
                if row < stop:
                    raise ValueError(f"it ends after {row:,} of {sum(self.groups):,} rows")
            finally:
                file.close()


def _open_files(asked: Asked) -> Source:
    need("pyarrow")
    return open_table(asked, "parquet", lambda stamp, layout: ParquetPart(stamp.path, layout))


FORMATS = [Format("parquet", (".parquet", ".pq"), _open_files)]
