"""CSV files read whole by the standard library, for installations without pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import Column, Table, TableError, read_csv
from tinynet_fast.rows.formats.arrow import Layout, long_label, too_long
from tinynet_fast.rows.formats.base import Block, Part

KINDS = {"U": "text", "O": "text", "b": "booleans"}  # of labels; all others are numbers


class PlainCsvPart(Part):
    """A CSV file that is in memory. A block's place is its first row."""

    anywhere = True

    def __init__(self, path: Path, layout: Layout) -> None:
        self.layout, self.table = layout, read_csv(path)
        layout.check_names(path, list(self.table.columns))
        layout.dtype = np.dtype(np.float64)
        if layout.target is not None:
            labels = self.table.columns[layout.target].values
            layout.check_target(path, KINDS.get(labels.dtype.kind, "numbers"))
            if labels.dtype.kind == "O":
                texts = labels.tolist()
                long = too_long(texts, len(texts))
                if long is not None:
                    place = self.table.where(texts.index(long))
                    raise TableError(f"{place}, column {layout.target!r}: {long_label(long, len(texts))}")
        self.n_rows = len(self.table)

    def where(self, place: Any, i: int) -> str:
        return self.table.where(place + i)

    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        rows = slice(start, stop)
        X = np.column_stack([self._input(name) for name in self.layout.names])[rows]
        y = gone = None
        if self.layout.target is not None:
            column = self.table.columns[self.layout.target]
            y, gone = column.values[rows], column.missing[rows]
        finite = not np.isnan(X).any()
        yield self.layout.settled(X, y, finite, gone, start, lambda i: self.where(start, i))

    def _input(self, name: str) -> np.ndarray:
        """The column as float64, NaN where a value is missing; TableError for text and infinity."""
        column = self.table.columns[name]
        zero = "0" if column.values.dtype.kind in "UO" else column.values.dtype.type(0)
        filled = Column(np.where(column.missing, zero, column.values), np.zeros(len(column.missing), bool))
        values = Table(self.table.path, {name: filled}).matrix([name])[:, 0]
        values[column.missing] = np.nan
        return values
