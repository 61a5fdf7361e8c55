"""How the cells of a table are read: as texts or as numbers, with the table's decimal mark and missing values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinynet_fast.columns.texts import GAPS, as_number, is_gap
from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.rows.messages import LONGEST_NAME, printable
from tinynet_fast.rows.tables import Table, Texts, Unusable, as_texts


@dataclass
class Reading:
    """How the cells of a table are read, and what was found while they were read.

    Attributes
    ----------
    decimal : str or None
        The table's decimal mark.
    gaps : frozenset of str
        Texts that stand for a missing value, beside the usual ones.
    fills : bool
        Whether a missing value is filled. If not, it is an error.
    missing, new : Counter
        For each column: how many values were missing, and how many were levels that training had not seen.
    """

    decimal: str | None
    gaps: frozenset[str] = frozenset()
    fills: bool = True
    missing: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)

    def note_missing(self, table: Table, name: str, gone: np.ndarray) -> None:
        """Count missing values; ValueError, naming the first one, if they are not filled."""
        if not gone.any():
            return
        if not self.fills:
            raise ValueError(
                f"{table.cell(int(np.argmax(gone)), name)}: the value is missing: fill it, or leave the row out "
                "(drop_missing=True)"
            )
        self.missing[name] += int(np.count_nonzero(gone))

    def warn_of_new(self, place: str, rows: int) -> None:
        """Warn of levels that no row trained on had."""
        if self.new:
            found = ", ".join(f"column {name!r} in {count:,} of {rows:,} rows" for name, count in self.new.items())
            warn(
                f"{place}: levels that no row trained on had, which count as the average of all rows: {found}. Are "
                "they written as in training?",
                TrainingWarning,
            )


def texts_of(table: Table, name: str, reading: Reading) -> Texts:
    """Return a column as texts, with the code -1 for a missing value; ValueError for dates and the like."""
    column = table.columns[name]
    if isinstance(column, Unusable):
        raise ValueError(f"{table.place}, column {name!r} {unusable(column)}")
    texts = as_texts(column)
    return without_gaps(texts, reading)


def without_gaps(texts: Texts, reading: Reading) -> Texts:
    """Return the same column, with the code -1 for texts that stand for a missing value."""
    gone = [is_gap(text, reading.gaps) for text in texts.texts]
    if not any(gone):
        return texts
    codes = np.where(np.array([*gone, True])[texts.codes], -1, texts.codes)
    return Texts(codes, texts.texts)


def numbers_of(
    table: Table,
    name: str,
    reading: Reading,
    words: Mapping[str, float] | None = None,
    percent: bool | None = None,
) -> np.ndarray:
    """Return a column as numbers, NaN for a missing value. ValueError, which names the place, for any other text.

    With `words` the column holds these words, or 1 and 0. If `percent` is True, its numbers have a percent sign, or are
    shares of 1, from -1 to 1. If it is False, no number may have a percent sign. None allows both.
    """
    column = table.columns[name]
    plain = plain_numbers(column, reading) if words is None else None
    if plain is not None:
        numbers = plain
    elif isinstance(column, Texts):
        texts = without_gaps(column, reading)
        values = [word_or_number(text, reading.decimal, words) for text in texts.texts]
        used = set(texts.used)
        wrong = [value is None and text in used for text, value in zip(texts.texts, values, strict=True)]
        if any(wrong):
            row, text = _first(texts, wrong)
            meant = "a number" if words is None else " or ".join(repr(word) for word in words)
            raise ValueError(f"{table.cell(row, name)}: {text} is not {meant}: correct it, or leave the row out")
        numbers = texts.mapped([np.nan if value is None else value for value in values], np.nan)
    elif isinstance(column, Unusable):
        raise ValueError(f"{table.place}, column {name!r} {unusable(column)}")
    else:
        numbers = np.array(column, np.float64)
    _check_numbers(table, name, numbers, words)
    if percent is not None:
        _check_percent(table, name, reading, numbers, percent)
    return numbers


def _first(texts: Texts, wrong: Sequence[bool]) -> tuple[int, str]:
    """The first row whose text is wrong, and the text as it is shown in messages."""
    row = int(np.argmax(np.array([*wrong, False])[texts.codes]))
    return row, printable(repr(texts.texts[texts.codes[row]]), LONGEST_NAME)


def _check_numbers(table: Table, name: str, numbers: np.ndarray, words: Mapping[str, float] | None) -> None:
    """ValueError if a number is infinite, or if it is neither 0 nor 1 and words stand for these."""
    infinite = np.isinf(numbers)
    if infinite.any():
        raise ValueError(f"{table.cell(int(np.argmax(infinite)), name)} is infinite: correct it, or leave the row out")
    if words is not None:
        other = ~(np.isnan(numbers) | (numbers == 0.0) | (numbers == 1.0))
        if other.any():
            row, meant = int(np.argmax(other)), " or ".join(repr(word) for word in words)
            raise ValueError(f"{table.cell(row, name)}: {numbers[row]:g} is not {meant}, nor 1 or 0: correct it")


def signs_in(table: Table, name: str, reading: Reading) -> np.ndarray:
    """Which rows of a column have a percent sign after a number: (n,) bool."""
    column = table.columns[name]
    if not isinstance(column, Texts) or plain_numbers(column, reading) is not None:
        return np.zeros(len(table), bool)
    signs = [text.endswith("%") for text in column.texts]
    return np.array([*signs, False])[column.codes]


def percent_in(table: Table, name: str, reading: Reading) -> bool:
    """Whether the numbers of a column have a percent sign. ValueError if only some have one; 0 needs none."""
    signs = signs_in(table, name, reading)
    if not signs.any():
        return False
    numbers = numbers_of(table, name, reading)
    without = ~(signs | np.isnan(numbers) | (numbers == 0.0))
    if without.any():
        raise ValueError(
            f"{table.cell(int(np.argmax(without)), name)} has no percent sign, and others in the column have one, see "
            f"{table.where(int(np.argmax(signs)))}: write all of them alike"
        )
    return True


def _check_percent(table: Table, name: str, reading: Reading, numbers: np.ndarray, percent: bool) -> None:
    """ValueError if a number has a percent sign and should not, or lacks one and is not a share of 1."""
    signs = signs_in(table, name, reading)
    with np.errstate(invalid="ignore"):
        wrong = ~signs & (np.abs(numbers) > 1.0) if percent else signs
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    place, number = table.cell(row, name), numbers[row]
    if percent:
        raise ValueError(
            f"{place}: {number:g} has no percent sign, and the column had one in training: write '{number:g}%', or "
            f"{number / 100:g}"
        )
    raise ValueError(
        f"{place}: '{100 * number:g}%' has a percent sign, and the column had none in training: write it as there"
    )


def gaps(table: Table, name: str, reading: Reading) -> np.ndarray:
    """Which rows have no value in a column."""
    column = table.columns[name]
    if isinstance(column, np.ndarray):
        return np.isnan(column)
    if isinstance(column, Texts):
        return without_gaps(column, reading).codes < 0
    return np.zeros(len(table), bool)


def plain_numbers(column: Any, reading: Reading) -> np.ndarray | None:
    """A column of texts as numbers; None unless all are written as programs do it, and this is quick to find out."""
    if not isinstance(column, Texts) or reading.decimal == ",":
        return None
    return column.plain_numbers(GAPS | reading.gaps)


def word_or_number(text: str, decimal: str | None, words: Mapping[str, float] | None) -> float | None:
    """The number that a text means, or that its word stands for; None if there is none."""
    word = None if words is None else words.get(text.casefold())
    return as_number(text, decimal) if word is None else word


def unusable(column: Unusable) -> str:
    """What to say of a column that cannot be an input, after its name."""
    if column.what == "dates":
        return (
            "holds dates: make numbers of them first (such as days since a day, the month or the weekday), or leave "
            "the column out (exclude=)"
        )
    return f"holds {column.what}: make numbers or texts of them first, or leave the column out (exclude=)"
