"""Results as tables for a terminal and in Markdown: medians, half the interquartile range, ratios, differences of the
weights from the plain loop's, floors."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tinynet_fast.proof.bench.core import results_of
from tinynet_fast.proof.bench.measure import Figure, Result


def number(value: float) -> str:
    """Write a number with about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def head(results: Sequence[Result]) -> tuple[str, ...]:
    """The columns' names. If all results have the same unit, one column is named after it."""
    units = {result.unit for result in results}
    return "who", "/".join(units) if len(units) == 1 else "median", "±", "× ours", "apart", "remark"


def lines(result: Result, unit: str) -> Iterator[tuple[str, ...]]:
    """The cells of a result's lines: contenders, floors, and contenders that are not installed."""
    ours = 0.0 if "fast" in result.missing else result.figures[0].median
    shown = "" if result.unit == unit else f" {result.unit}"
    for figure in result.figures:
        spread = f"{(figure.high - figure.low) / 2 / figure.median:.0%}" if figure.high > figure.low else ""
        apart = "" if figure.apart is None else f"{figure.apart:.0e}" if figure.apart else "0"
        if figure.median <= 0.0:
            yield figure.who, "", "", "", apart, "an epoch was lost in the noise"
            continue
        ratio = number(figure.median / ours) if ours else ""
        yield figure.who, f"{number(figure.median)}{shown}", spread, ratio, apart, _remark(result, figure)
    for name, value in result.floors.items():
        yield f"floor: {name}", f"{number(value)}{shown}", "", number(value / ours), "", ""
    for who in result.missing:
        yield who, "", "", "", "", "not installed: skipped"


def _remark(result: Result, figure: Figure) -> str:
    some = f"first {figure.rows:,} rows" if figure.rows not in (None, result.rows) else ""
    return "; ".join(filter(None, (figure.remark, some)))


def rich_table(title: str, results: Sequence[Result]) -> Table:
    table, names = Table(title=title, title_justify="left"), head(results)
    for k, name in enumerate(names):
        widths = {"no_wrap": True} if 1 <= k <= 4 else {"min_width": 21 if k == 0 else 12}
        table.add_column(name, justify="right" if 1 <= k <= 4 else "left", **widths)
    for result in results:
        table.add_row(result.problem, style="bold")
        for cells in lines(result, names[1]):
            table.add_row(*cells)
        table.add_section()
    return table


def markdown(title: str, results: Sequence[Result]) -> str:
    names = head(results)
    rows = [names, ("---",) * len(names)]
    for result in results:
        rows += [(f"**{result.problem}**", *[""] * (len(names) - 1)), *lines(result, names[1])]
    return f"## {title}\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def facts(document: dict[str, Any]) -> str:
    """Describe the machine and its floors, if they were measured, in two lines."""
    words = ", ".join(f"{name} {value}" for name, value in document["machine"].items())
    floors = document["floors"]
    if not floors:
        return (
            f"{words}.\nThe floors are not known: Numba, which compiles the loops that measure them, is not installed."
        )
    speed, chain = f"{floors['gigabytes_a_second']:.1f} GB/s", f"{floors['chain_ns']:.1f} ns"
    return f"{words}.\nOne core reads {speed}; from a row's error to the next row's it takes {chain} at least."


def print_document(console: Console, document: dict[str, Any]) -> None:
    for family in document["families"]:
        console.print(rich_table(family, results_of(document, family)))
    console.print(facts(document), soft_wrap=True, highlight=False, markup=False)
