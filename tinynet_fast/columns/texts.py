"""Texts of a person's table: which are missing, which mean a number, which say yes or no, and which are dates.

Numbers may have thousands separators, a decimal comma or a percent sign. `decimal` is the table's decimal mark. If
nothing in the table tells which one it uses, it is None, and numbers are read with a point.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tinynet_fast.rows.formats.cells import MISSING, NUMBER

GAPS = frozenset([*MISSING, "?"])  # texts that stand for a missing value, beside those that the user names
YES_NO = ({"yes": 1.0, "no": 0.0}, {"true": 1.0, "false": 0.0}, {"y": 1.0, "n": 0.0})  # words for 1 and 0, in any case
_PEOPLE = (  # thousands are separated by the other mark, a space or a '; 0.125 and 1.5e3 have none
    r"[+-]?([1-9][0-9]{0,2}([OTHER' \u00a0\u202f][0-9]{3})+(MARK[0-9]*)?"
    r"|([0-9]+(MARK[0-9]*)?|MARK[0-9]+)(e[+-]?[0-9]+)?)\s?%?"
)
NUMBERS = {  # numbers as people write them, by the decimal mark
    mark: re.compile(_PEOPLE.replace("OTHER", other).replace("MARK", f"[{mark}]"), re.IGNORECASE)
    for mark, other in (".,", ",.")
}
PLAIN = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?(e[+-]?[0-9]{1,2})?")  # short enough to be exact
MINUS = "\u2212"  # the sign that typesetters use
MOST_MISTAKES = 0.05  # share of a column's texts: if no more than this are not numbers, they are taken for mistakes
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+\s?%?")  # numbers with points between thousands
SEPARATORS = re.compile(r"[' \u00a0\u202f]")
DATES = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})( .*)?|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
)


def is_gap(text: str | None, named: frozenset[str] = frozenset()) -> bool:
    """Whether a text stands for a missing value: one of `GAPS`, or one that the user named."""
    return text is None or text in GAPS or text in named or text.casefold() == "nan"


def as_number(text: str, decimal: str | None) -> float | None:
    """The number that a text means, or None if it is not a number. 12% is 0.12."""
    text = text.replace(MINUS, "-")
    if decimal != "," and NUMBER.fullmatch(text):
        return float(text)
    mark = decimal or "."
    if not NUMBERS[mark].fullmatch(text):
        return None
    plain = SEPARATORS.sub("", text).replace("," if mark == "." else ".", "").replace(mark, ".")
    return float(plain.rstrip("%")) / 100.0 if plain.endswith("%") else float(plain)


def as_level(text: str) -> str:
    """Return a text as it is, but 3 for 3.0 and true for True, because frames have 3.0 and True. 007 stays 007."""
    if text.casefold() in ("true", "false"):
        return text.casefold()
    if not PLAIN.fullmatch(text):
        return text
    number = float(text)
    return repr(int(number)) if number == int(number) else repr(number)


def mistakes_allowed(n: int) -> float:
    """Return how many of n texts in a column of numbers may be something else."""
    return max(MOST_MISTAKES * n, 1)


@dataclass(frozen=True)
class Marks:
    """What the texts of a column say about the decimal mark.

    Attributes
    ----------
    shown : str or None
        The mark that they show: nearly all are numbers with this mark, and fewer are with the other.
    double : str or None
        A text that is one number if the mark is a point, and another one if it is a comma; None if there is none.
    thousands : str or None
        Such a text that probably has a point between thousands: all points could stand there, and other numbers have
        none.
    """

    shown: str | None = None
    double: str | None = None
    thousands: str | None = None

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Marks":
        """Look at the texts of one column, without those for a missing value."""
        point, comma = ([as_number(text, mark) for text in texts] for mark in ".,")
        fits = [len(texts) - numbers.count(None) for numbers in (point, comma)]
        most, allowed = max(fits), mistakes_allowed(len(texts))
        if most < len(texts) - allowed or (most < len(texts) and most <= 2 * (len(texts) - most)) or not most:
            return cls()
        if fits[0] != fits[1]:
            return cls(".,"[fits.index(most)])
        double = [text for text, a, b in zip(texts, point, comma, strict=True) if a != b]
        if not double:
            return cls()
        pointed = [text for text in texts if "." in text]
        mixed = 0 < len(pointed) < len(texts) and all(map(THOUSANDS.fullmatch, pointed))
        return cls(None, double[0], pointed[0] if mixed else None)


def yes_no(texts: Sequence[str]) -> dict[str, float] | None:
    """The words, in lower case, that these texts use for 1 and 0. None for other texts, or if only one is used."""
    lower = {text.casefold() for text in texts}
    return next((words for words in YES_NO if lower == set(words)), None)


def are_dates(texts: Sequence[str]) -> bool:
    """Whether more than nine in ten of the texts look like dates or times."""
    found = sum(1 for text in texts if DATES.fullmatch(text))
    return len(texts) > 0 and found > 0.9 * len(texts)
