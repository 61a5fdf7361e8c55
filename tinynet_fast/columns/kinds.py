"""The kinds of columns: numbers, levels and hashed levels. Each turns a column into inputs, and is kept as JSON."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np

from tinynet_fast.columns.texts import GAPS, as_number, is_gap
from tinynet_fast.rows.messages import LONGEST_NAME, printable
from tinynet_fast.rows.tables import Table, Texts, Unusable, as_texts

MOST_BUCKETS = 1 << 12  # of a hashed column


@dataclass
class Reading:
    """How the cells of a table are read, and what was met while they were.

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


def texts_of(table: Table, name: str, reading: Reading) -> Texts:
    """A column as texts in which gaps have the code -1; ValueError for dates and the like."""
    column = table.columns[name]
    if isinstance(column, Unusable):
        raise ValueError(f"{table.place}, column {name!r} {unusable(column)}")
    texts = as_texts(column)
    return without_gaps(texts, reading)


def without_gaps(texts: Texts, reading: Reading) -> Texts:
    """The same column; texts that stand for a missing value have the code -1."""
    gone = [is_gap(text, reading.gaps) for text in texts.texts]
    if not any(gone):
        return texts
    codes = np.where(np.array([*gone, True])[texts.codes], -1, texts.codes)
    return Texts(codes, texts.texts)


def numbers_of(table: Table, name: str, reading: Reading, words: Mapping[str, float] | None = None) -> np.ndarray:
    """A column as numbers, NaN where a value is missing; ValueError, naming the place, for another text."""
    column = table.columns[name]
    plain = plain_numbers(column, reading) if words is None else None
    if plain is not None:
        numbers = plain
    elif isinstance(column, Texts):
        texts = without_gaps(column, reading)
        values = [word_or_number(text, reading.decimal, words) for text in texts.texts]
        wrong = [place for place, text in enumerate(texts.texts) if values[place] is None and text in set(texts.used)]
        if wrong:
            row = int(np.argmax(np.isin(texts.codes, wrong)))
            text = printable(repr(texts.texts[texts.codes[row]]), LONGEST_NAME)
            meant = "a number" if words is None else " or ".join(repr(word) for word in words)
            raise ValueError(f"{table.cell(row, name)}: {text} is not {meant}: correct it, or leave the row out")
        numbers = texts.mapped([np.nan if value is None else value for value in values], np.nan)
    elif isinstance(column, Unusable):
        raise ValueError(f"{table.place}, column {name!r} {unusable(column)}")
    else:
        numbers = np.array(column, np.float64)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise ValueError(f"{table.cell(int(np.argmax(infinite)), name)} is infinite: correct it, or leave the row out")
    return numbers


def gaps(table: Table, name: str, reading: Reading) -> np.ndarray:
    """Which rows have no value in a column."""
    column = table.columns[name]
    if isinstance(column, np.ndarray):
        return np.isnan(column)
    if isinstance(column, Texts):
        return without_gaps(column, reading).codes < 0
    return np.zeros(len(table), bool)


def plain_numbers(column: Any, reading: Reading) -> np.ndarray | None:
    """A column of texts as numbers, if all are written as programs write them, and that is quick to tell."""
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


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, or of yes and no: one input, and one that is 1 where a value is missing.

    Attributes
    ----------
    fill : float
        The median of the rows that were trained on. A missing value counts as this.
    gaps : bool
        Whether there is an input for missing values: there is if a row that was trained on had one.
    words : dict or None
        The words for 1 and 0, in lower case.
    """

    kind: ClassVar[str] = "numbers"
    name: str
    fill: float
    gaps: bool
    words: Mapping[str, float] | None = None

    @property
    def inputs(self) -> list[str]:
        return [self.name, f"{self.name} is missing"] if self.gaps else [self.name]

    def encode(self, table: Table, reading: Reading, out: np.ndarray) -> None:
        """Fill `out`, (n, len(inputs)), with the inputs of the table's rows."""
        numbers = numbers_of(table, self.name, reading, self.words)
        gone = np.isnan(numbers)
        reading.note_missing(table, self.name, gone)
        out[:, 0] = np.where(gone, self.fill, numbers)
        if self.gaps:
            out[:, 1] = gone

    def to_json(self) -> dict[str, Any]:
        return {"fill": self.fill, "gaps": self.gaps, "words": None if self.words is None else dict(self.words)}

    @classmethod
    def from_json(cls, name: str, found: dict[str, Any]) -> "Numbers":
        words = found["words"]
        if type(found["fill"]) not in (int, float) or not np.isfinite(found["fill"]) or type(found["gaps"]) is not bool:
            raise ValueError(f"column {name!r}: 'fill' is not a finite number, or 'gaps' is not true or false")
        if words is not None and not (
            isinstance(words, dict) and all(type(value) is float and value in (0.0, 1.0) for value in words.values())
        ):
            raise ValueError(f"column {name!r}: 'words' does not give 0.0 or 1.0 for each word")
        return cls(name, float(found["fill"]), found["gaps"], words)


@dataclass(frozen=True)
class Levels:
    """A column of texts with few different values, its levels: an input for each, which is 1 where a row has it.

    Levels that few rows have share one input, which levels that training had not seen get too. If there is no such
    input, a new level counts as the average of all rows: each input is then the share of rows that have its level. The
    same holds for missing values.

    Attributes
    ----------
    levels : list of str
        In sorting order.
    shares : list of float
        The share of the rows that each input is 1 for: of each level, then of rare levels and of missing values.
    rare, gaps : bool
        Whether there is an input for rare levels, and one for missing values.
    """

    kind: ClassVar[str] = "levels"
    name: str
    levels: list[str]
    shares: list[float]
    rare: bool = False
    gaps: bool = False

    @property
    def inputs(self) -> list[str]:
        rare = [f"{self.name}: other"] if self.rare else []
        return [f"{self.name}={level}" for level in self.levels] + rare + self._gap_inputs

    @property
    def _gap_inputs(self) -> list[str]:
        return [f"{self.name} is missing"] if self.gaps else []

    def encode(self, table: Table, reading: Reading, out: np.ndarray) -> None:
        """Fill `out`, (n, len(inputs)), with the inputs of the table's rows."""
        texts = texts_of(table, self.name, reading)
        reading.note_missing(table, self.name, texts.codes < 0)
        known = {level: place for place, level in enumerate(self.levels)}
        average = len(self.shares)  # the last row of `rows`
        new = len(self.levels) if self.rare else average
        missing = average - 1 if self.gaps else average
        rows = np.vstack([np.eye(average), self.shares])
        places = np.array([*(known.get(text, new) for text in texts.texts), missing])[texts.codes]
        strange = places == new
        if strange.any() and not self.rare:
            strange &= texts.codes >= 0
        if strange.any() and not self.rare:
            reading.new[self.name] += int(np.count_nonzero(strange))
        out[:] = rows[places]

    def to_json(self) -> dict[str, Any]:
        return {"levels": self.levels, "shares": self.shares, "rare": self.rare, "gaps": self.gaps}

    @classmethod
    def from_json(cls, name: str, found: dict[str, Any]) -> "Levels":
        levels, shares, rare, gaps = (found[key] for key in ("levels", "shares", "rare", "gaps"))
        if not (isinstance(levels, list) and all(isinstance(level, str) for level in levels)):
            raise ValueError(f"column {name!r}: 'levels' is not a list of texts")
        if len(set(levels)) < len(levels) or type(rare) is not bool or type(gaps) is not bool:
            raise ValueError(f"column {name!r}: a level stands twice, or 'rare' or 'gaps' is not true or false")
        wanted = len(levels) + rare + gaps
        if not (isinstance(shares, list) and len(shares) == wanted and all(map(_is_share, shares)) and shares):
            raise ValueError(f"column {name!r}: 'shares' does not hold {wanted} shares")
        return cls(name, levels, [float(share) for share in shares], rare, gaps)


@dataclass(frozen=True)
class Hashed:
    """A column with very many levels. Each level falls into one of `buckets` inputs, by a hash of its text.

    Levels that fall into one bucket are not told apart (Weinberger and others, ICML 2009, without the sign).
    """

    kind: ClassVar[str] = "hashed"
    name: str
    buckets: int
    gaps: bool = False

    @property
    def inputs(self) -> list[str]:
        return [f"{self.name}#{bucket}" for bucket in range(self.buckets)] + (
            [f"{self.name} is missing"] if self.gaps else []
        )

    def encode(self, table: Table, reading: Reading, out: np.ndarray) -> None:
        """Fill `out`, (n, len(inputs)), with the inputs of the table's rows."""
        texts = texts_of(table, self.name, reading)
        gone = texts.codes < 0
        reading.note_missing(table, self.name, gone)
        places = np.array([*map(self.bucket, texts.texts), self.buckets if self.gaps else -1])[texts.codes]
        out[:] = 0.0
        rows = np.flatnonzero(places >= 0)
        out[rows, places[rows]] = 1.0

    def bucket(self, text: str) -> int:
        """The bucket of a text: the same on every machine."""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.buckets

    def to_json(self) -> dict[str, Any]:
        return {"buckets": self.buckets, "gaps": self.gaps}

    @classmethod
    def from_json(cls, name: str, found: dict[str, Any]) -> "Hashed":
        if type(found["buckets"]) is not int or not 2 <= found["buckets"] <= MOST_BUCKETS:
            raise ValueError(f"column {name!r}: 'buckets' is not a number from 2 to {MOST_BUCKETS}")
        if type(found["gaps"]) is not bool:
            raise ValueError(f"column {name!r}: 'gaps' is not true or false")
        return cls(name, found["buckets"], found["gaps"])


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0.0 <= value <= 1.0


Kind = Numbers | Levels | Hashed
KINDS: dict[str, Callable[[str, dict[str, Any]], Kind]] = {
    kind.kind: kind.from_json for kind in (Numbers, Levels, Hashed)
}
