"""A person's table as a source of rows of numbers. Predictions and reports on files of any size read it."""

from collections.abc import Generator
from contextlib import closing

import numpy as np

from tinynet_fast.columns.columns import Columns
from tinynet_fast.columns.looking import marks_in
from tinynet_fast.columns.reading import Reading, gaps
from tinynet_fast.columns.target import Target
from tinynet_fast.columns.texts import Marks
from tinynet_fast.rows.formats import Source
from tinynet_fast.rows.formats.base import Chunk
from tinynet_fast.rows.table_files import blocks_of
from tinynet_fast.rows.tables import Table


class EncodedSource:
    """The rows of a table, encoded block by block.

    Parameters
    ----------
    rows : Source or Table
        Files with raw columns, or a table in memory.
    columns : Columns
    target : Target, optional
        The labels or numbers to read; None for rows that need none.
    drop_missing : bool
        Leave rows with a missing value out, and count them.
    """

    label_texts = None  # as `Source` has it

    def __init__(self, rows: Source | Table, columns: Columns, target: Target | None, drop_missing: bool) -> None:
        self.rows, self.columns, self.target, self.drop_missing = rows, columns, target, drop_missing
        self.names, self.n_features = columns.inputs, columns.width
        self.read = [*columns.names, *([target.name] if target else [])]  # the columns of the table
        self.stamps = () if isinstance(rows, Table) else rows.stamps
        self.place = rows.place
        self.n_rows = None
        self.reading = Reading(columns.decimal, frozenset(columns.gaps), columns.fills)
        self._decided = False  # whether rows were read that would be other numbers with the other decimal mark

    def blocks(self) -> Generator[Table, None, None]:
        """The table's rows, as they are."""
        if isinstance(self.rows, Table):
            yield self.rows
        else:
            yield from blocks_of(self.rows)

    def chunks(self) -> Generator[Chunk, None, None]:
        """The rows as numbers, with what is true of them if there is a target. After the last, warn of new levels."""
        self.reading.new.clear()
        rows = 0
        with closing(self.blocks()) as tables:
            for table in tables:
                rows += len(table)
                yield self._chunk(table)
        self.reading.warn_of_new(self.place, rows)

    def _chunk(self, table: Table) -> Chunk:
        self._look(table)
        kept = y = None
        gone = np.zeros(len(table), bool)
        if self.drop_missing:
            for name in self.read:
                gone |= gaps(table.chosen([name]), name, self.reading)
        if self.target is not None:
            y, unlabelled = self.target.values(table, self.reading)
            if (unlabelled & ~gone).any():
                row = int(np.argmax(unlabelled & ~gone))
                raise ValueError(
                    f"{table.cell(row, self.target.name)}: the {self.target.what} is missing: fill it, or leave "
                    "such rows out (drop_missing=True)"
                )
        if gone.any():
            kept = ~gone
            table, y = table.take(kept), None if y is None else y[kept]
        return Chunk(self.columns.encode(table, self.reading), y, None, kept)

    def _look(self, table: Table) -> None:
        """Find the decimal mark; ValueError if rows that were read before may have had another one."""
        known, named = self.reading.decimal, self.reading.gaps
        marks = marks_in(table, self.read, named, known)
        if marks.shown not in (None, known or "."):
            if self._decided:
                words = ("comma", "point") if marks.shown == "," else ("point", "comma")
                raise ValueError(
                    f"{table.where(0)}, or below: a decimal {words[0]}, and rows before were read with a decimal "
                    f"{words[1]}: write them alike"
                )
            self.reading.decimal = marks.shown
        self._decided = self._decided or marks != Marks()

    def where(self, row: int) -> str:
        """The place of a row, counted from 0."""
        with closing(self.blocks()) as tables:
            for table in tables:
                if row < len(table):
                    return table.where(row)
                row -= len(table)
        return f"row {row + 1}"

    def check_unchanged(self) -> None:
        """TableError if a file was changed since it was opened."""
        if not isinstance(self.rows, Table):
            self.rows.check_unchanged()
