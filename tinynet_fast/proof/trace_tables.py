"""The tables of a traced step: names on the left, numbers on the right, and lines left out in the middle."""

from collections.abc import Iterable

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

NAME_COLUMNS = ("row", "input", "unit", "weight of", "weight from > to")

Line = tuple[str | float, ...]


def named_table(title: str, columns: list[str], body: Iterable[Line], lines: int | None) -> Group:
    """A table with names on the left and numbers of ten digits on the right, of at most `lines` lines."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.show_edge = table.pad_edge = False
    for column in columns:
        is_name = column in NAME_COLUMNS
        # a name may continue on the next line, a number never does
        table.add_column(column, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    for line in cut_short(list(body), lines):
        table.add_row(*map(cell_text, line))
    return Group(Text(title, style="bold"), table)


def cut_short(body: list[Line], lines: int | None) -> list[Line]:
    """Keep `lines` lines, half from the start and half from the end, with a note of how many are left out."""
    if lines is None or len(body) <= lines:
        return body
    last = len(body) - lines // 2
    return [*body[: lines - lines // 2], (f"... {len(body) - lines:,} more",), *body[last:]]


def two_columns(*values: tuple[str, float | str]) -> Table:
    """Names, and beside each its value."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    for name, value in values:
        grid.add_row(name, cell_text(value))
    return grid


def cell_text(value: str | float) -> str:
    """A value as a cell shows it."""
    return escape(value) if isinstance(value, str) else f"{value:.10g}"
