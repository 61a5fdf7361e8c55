"""Tables in files, with columns of any kind: read whole, or block by block."""

from bisect import bisect_right
from collections.abc import Generator
from contextlib import closing
from typing import Any

from tinynet_fast.rows.formats import Source
from tinynet_fast.rows.kept import fits
from tinynet_fast.rows.tables import Table, Texts, column_of, joined


def blocks_of(source: Source) -> Generator[Table, None, None]:
    """The rows of a source of raw columns, block by block."""
    with closing(source.raw_blocks()) as blocks:
        for block in blocks:
            columns = {
                name: Texts.of(column) if isinstance(column, list) else column_of(column)
                for name, column in block.columns.items()
            }
            yield Table(columns, block.rows, block.where, source.place)


def read_table(source: Source, limited: bool = False) -> Table | None:
    """All rows of a source of raw columns; if `limited`, None if they do not fit in memory (see `kept.fits`)."""
    if limited and source.n_rows is not None and not fits(source.n_rows, source.n_features):
        return None
    tables: list[Table] = []
    firsts: list[int] = []
    rows = 0
    with closing(blocks_of(source)) as blocks:
        for table in blocks:
            tables.append(table)
            firsts.append(rows)
            rows += len(table)
            if limited and not fits(rows, source.n_features):
                return None
    places: list[Any] = [table.where for table in tables]

    def where(i: int) -> str:
        block = bisect_right(firsts, i) - 1
        return str(places[block](i - firsts[block]))

    return joined(tables, where)
