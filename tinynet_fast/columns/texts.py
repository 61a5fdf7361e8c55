"""Texts of a person's table: which are missing, which mean a number, which say yes or no, and which are dates.

Numbers may have thousands separators, a decimal comma or a percent sign. `decimal` is the table's decimal mark; None
means that nothing in the table tells which one it uses, and then a point is.
"""

import re
from collections.abc import Iterable, Sequence

from tinynet_fast.rows.formats.cells import MISSING, NUMBER

GAPS = frozenset([*MISSING, "?"])  # texts that stand for a missing value, beside those that the user names
YES_NO = ({"yes": 1.0, "no": 0.0}, {"true": 1.0, "false": 0.0}, {"y": 1.0, "n": 0.0})  # words for 1 and 0, in any case
_GROUPS = "(?=[+-]?[.,]?[0-9])[+-]?([0-9]{1,3}([%s' \u00a0\u202f][0-9]{3})+|[0-9]+)?"
NUMBERS = {  # numbers of people, by their decimal mark; thousands are separated by the other mark, a space or a '
    ".": re.compile(_GROUPS % "," + r"(\.[0-9]*)?(e[+-]?[0-9]+)?\s?%?", re.IGNORECASE),
    ",": re.compile(_GROUPS % "." + r"(,[0-9]*)?(e[+-]?[0-9]+)?\s?%?", re.IGNORECASE),
}
SEPARATORS = re.compile(r"[' \u00a0\u202f]")
DATES = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})( .*)?|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
)


def is_gap(text: str | None, named: frozenset[str] = frozenset()) -> bool:
    """Whether a text stands for a missing value: one of `GAPS`, or one that the user named."""
    return text is None or text in GAPS or text in named


def as_number(text: str, decimal: str | None) -> float | None:
    """The number that a text means, or None if it is not a number. 12% is 0.12."""
    if decimal != "," and NUMBER.fullmatch(text):
        return float(text)
    mark = decimal or "."
    if not NUMBERS[mark].fullmatch(text):
        return None
    plain = SEPARATORS.sub("", text).replace("," if mark == "." else ".", "").replace(mark, ".")
    return float(plain.rstrip("%")) / 100.0 if plain.endswith("%") else float(plain)


def decimal_mark(columns: Iterable[Sequence[str]]) -> str | None:
    """The decimal mark that texts of several columns show: "." or ","; None if they show none.

    A column shows one if all its texts are numbers with this mark, and not all are with the other. ValueError if one
    column shows a point and another one a comma.
    """
    shown = {mark for texts in columns for mark in [_mark_of(texts)] if mark is not None}
    if len(shown) == 2:
        raise ValueError("some columns have numbers with a decimal comma, others with a point: name one with decimal=")
    return shown.pop() if shown else None


def _mark_of(texts: Sequence[str]) -> str | None:
    if not texts:
        return None
    fits = [mark for mark in NUMBERS if all(as_number(text, mark) is not None for text in texts)]
    return fits[0] if len(fits) == 1 else None


def yes_no(texts: Sequence[str]) -> dict[str, float] | None:
    """The words, in lower case, that these texts use for 1 and 0; None if they are other texts, or all are the same."""
    lower = {text.casefold() for text in texts}
    return next((words for words in YES_NO if lower == set(words)), None)


def are_dates(texts: Sequence[str]) -> bool:
    """Whether most of the texts look like dates or times."""
    found = sum(1 for text in texts if DATES.fullmatch(text))
    return len(texts) > 0 and found > 0.9 * len(texts)
