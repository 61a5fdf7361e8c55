"""Texts, tables and their frame as HTML. What is not `Html` already is escaped, so no name can become an element."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

from tinynet_fast.rows.messages import printable

LONGEST, LONGEST_TEXT = 60, 300  # characters of a name and of a line of text
MOST_LINES = 20  # of a table in a notebook

# Colours are the notebook's own, so that tables can be read on light and on dark pages.
STYLE = """
.tinynet { font-size: 0.95em; line-height: 1.4; overflow-wrap: break-word; }
.tinynet p { margin: 0.3em 0; } .tinynet .soft { opacity: 0.8; } .tinynet .wide { overflow-x: auto; }
.tinynet table { border-collapse: collapse; margin: 0.4em 0; font-size: inherit; font-variant-numeric: tabular-nums; }
.tinynet caption { caption-side: top; text-align: left; font: inherit; font-weight: 600; padding: 0.2em 0;
  color: inherit; white-space: nowrap; }
.tinynet th, .tinynet td { padding: 0.15em 1.2em 0.15em 0; text-align: right; white-space: nowrap; color: inherit;
  background: none; border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35); }
.tinynet tr { background: none; } .tinynet thead th { font-weight: 600; vertical-align: bottom; }
.tinynet tbody th { font-weight: 400; } .tinynet th:first-child, .tinynet .text td { text-align: left; }
.tinynet .text td { white-space: normal; } .tinynet .text th { vertical-align: top; }
.tinynet .charts { display: flex; flex-wrap: wrap; gap: 0 1.5em; }
.tinynet figure { margin: 0.4em 0; flex: 0 1 26em; min-width: 0; }
.tinynet figure svg { display: block; width: 100%; height: auto; }
.tinynet figcaption { font-weight: 600; }
"""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: Any, most: int = LONGEST_TEXT) -> Html:
    """A name or a text as HTML that shows it as it is, whatever it holds. `Html` stays as it is."""
    return value if isinstance(value, Html) else Html(html.escape(printable(str(value), most)))


def name(value: Any) -> Html:
    """A name as short HTML; an empty one can be seen."""
    return text(value, LONGEST) or Html("&#39;&#39;")


def strong(value: Any) -> Html:
    return Html(f"<strong>{text(value)}</strong>")


def paragraph(value: Any, kind: str = "") -> Html:
    """A paragraph; `kind` is "soft", "lead" or nothing."""
    return Html(f"<p{_kind(kind)}>{text(value)}</p>")


def table(columns: Sequence[Any], rows: Iterable[Sequence[Any]], caption: Any = "", kind: str = "") -> Html:
    """A table. The first cell of each row names the row. `columns` may be empty; kind="text" is for long texts."""
    head = "".join(f'<th scope="col">{text(column)}</th>' for column in columns)
    above = (f"<caption>{text(caption)}</caption>\n" if caption else "") + (
        f"<thead><tr>{head}</tr></thead>\n" if head else ""
    )
    body = "\n".join(
        f'<tr><th scope="row">{text(first)}</th>{"".join(f"<td>{text(cell)}</td>" for cell in others)}</tr>'
        for first, *others in rows
    )
    return Html(f'<div class="wide"><table{_kind(kind)}>\n{above}<tbody>\n{body}\n</tbody></table></div>')


def facts(pairs: Iterable[tuple[str, Any]], caption: Any = "") -> Html:
    """A table of names and values, without those that are None or empty."""
    return table((), [pair for pair in pairs if pair[1] not in (None, "")], caption, kind="text")


def frame(*parts: str) -> str:
    """What a notebook shows: the parts, and the style that they need."""
    return f'<div class="tinynet">\n<style>{STYLE}</style>\n' + "\n".join(part for part in parts if part) + "\n</div>"


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
