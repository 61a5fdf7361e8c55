"""The kinds of columns: numbers, levels and hashed levels. Each turns a column into inputs, and is kept as JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np

from tinynet_fast.columns.reading import Reading, numbers_of, texts_of
from tinynet_fast.columns.texts import as_level
from tinynet_fast.rows.messages import LONGEST_NAME, listed, printable
from tinynet_fast.rows.tables import Table

MOST_LEVELS = 256  # of one column; more are refused, or hashed if the user asks for it
MOST_BUCKETS = 1 << 12  # of a hashed column


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, or of yes and no: one input, and if `gaps`, another that is 1 if the value is missing.

    Attributes
    ----------
    fill : float
        The median of the rows that were trained on. A missing value counts as this.
    gaps : bool
        Whether there is an input for missing values. There is one if a row that was trained on had a missing value.
    words : dict or None
        The words for 1 and 0, in lower case.
    percent : bool
        Whether the numbers had a percent sign.
    """

    kind: ClassVar[str] = "numbers"
    name: str
    fill: float
    gaps: bool
    words: Mapping[str, float] | None = None
    percent: bool = False

    @property
    def width(self) -> int:
        """The number of inputs."""
        return 1 + self.gaps

    @property
    def inputs(self) -> list[str]:
        return [self.name, *_for_gaps(self)]

    def encode(self, table: Table, reading: Reading, out: np.ndarray) -> None:
        """Fill `out`, (n, len(inputs)), with the inputs of the table's rows."""
        numbers = numbers_of(table, self.name, reading, self.words, self.percent)
        gone = np.isnan(numbers)
        reading.note_missing(table, self.name, gone)
        out[:, 0] = np.where(gone, self.fill, numbers)
        if self.gaps:
            out[:, 1] = gone

    def to_json(self) -> dict[str, Any]:
        words = None if self.words is None else dict(self.words)
        return {"fill": self.fill, "gaps": self.gaps, "words": words, "percent": self.percent}

    @classmethod
    def from_json(cls, name: str, found: dict[str, Any]) -> "Numbers":
        words = found["words"]
        if type(found["fill"]) not in (int, float) or not np.isfinite(found["fill"]) or type(found["gaps"]) is not bool:
            raise ValueError(f"column {name!r}: 'fill' is not a finite number, or 'gaps' is not true or false")
        if words is not None and not (
            isinstance(words, dict) and all(type(value) is float and value in (0.0, 1.0) for value in words.values())
        ):
            raise ValueError(f"column {name!r}: 'words' does not give 0.0 or 1.0 for each word")
        if type(found["percent"]) is not bool or (found["percent"] and words is not None):
            raise ValueError(f"column {name!r}: 'percent' is not true or false, or there are 'words' too")
        return cls(name, float(found["fill"]), found["gaps"], words, found["percent"])


@dataclass(frozen=True, repr=False)
class Levels:
    """A column of texts with few different values, its levels. Each level has an input, which is 1 if the row has it.

    Levels that few rows have are rare and share one input. A level that training had not seen counts as rare. If there
    is no input for rare levels, it counts as the average of all rows: each input is then the share of rows that have
    its level. A missing value counts as this average too, if there is no input for missing values.

    Attributes
    ----------
    levels : list of str
        Sorted.
    shares : list of float
        For each input the share of the rows for which it is 1: levels, then rare levels, then missing values.
    rare, gaps : bool
        Whether there is an input for rare levels, and one for missing values.
    """

    kind: ClassVar[str] = "levels"
    name: str
    levels: list[str]
    shares: list[float]
    rare: bool = False
    gaps: bool = False

    def __repr__(self) -> str:
        return f"Levels({printable(self.name, LONGEST_NAME)}, {len(self.levels):,} levels: {listed(self.levels)})"

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.shares)

    @property
    def inputs(self) -> list[str]:
        rare = [f"{self.name}: other"] if self.rare else []
        return [f"{self.name}={level}" for level in self.levels] + rare + _for_gaps(self)

    def encode(self, table: Table, reading: Reading, out: np.ndarray) -> None:
        """Fill `out`, (n, len(inputs)), with the inputs of the table's rows."""
        texts = texts_of(table, self.name, reading)
        reading.note_missing(table, self.name, texts.codes < 0)
        known = self._places
        average = len(self.shares)  # the last row of `rows`
        new = len(self.levels) if self.rare else average
        missing = average - 1 if self.gaps else average
        rows = np.vstack([np.eye(average), self.shares])
        places = np.array([*(known.get(text, known.get(as_level(text), new)) for text in texts.texts), missing])[
            texts.codes
        ]
        strange = (places == new) & (texts.codes >= 0)
        if strange.any() and not self.rare:
            reading.new[self.name] += int(np.count_nonzero(strange))
        out[:] = rows[places]

    @property
    def _places(self) -> dict[str, int]:
        """The place of each level; also of 3 if the level is 3.0, as some files have it."""
        own = {level: place for place, level in enumerate(self.levels)}
        return {as_level(level): place for level, place in own.items()} | own

    def to_json(self) -> dict[str, Any]:
        return {"levels": self.levels, "shares": self.shares, "rare": self.rare, "gaps": self.gaps}

    @classmethod
    def from_json(cls, name: str, found: dict[str, Any]) -> "Levels":
        levels, shares, rare, gaps = (found[key] for key in ("levels", "shares", "rare", "gaps"))
        if not (isinstance(levels, list) and all(isinstance(level, str) for level in levels)):
            raise ValueError(f"column {name!r}: 'levels' is not a list of texts")
        if len(levels) > MOST_LEVELS:
            raise ValueError(f"column {name!r} has {len(levels):,} levels, more than {MOST_LEVELS}")
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
    def width(self) -> int:
        """The number of inputs."""
        return self.buckets + self.gaps

    @property
    def inputs(self) -> list[str]:
        return [f"{self.name}#{bucket}" for bucket in range(self.buckets)] + _for_gaps(self)

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
        digest = blake2b(as_level(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
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


def _for_gaps(kind: "Kind") -> list[str]:
    """The name of the input that is 1 if the value is missing; nothing if there is no such input."""
    return [f"{kind.name} is missing"] if kind.gaps else []


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0.0 <= value <= 1.0


Kind = Numbers | Levels | Hashed
KINDS: dict[str, Callable[[str, dict[str, Any]], Kind]] = {
    kind.kind: kind.from_json for kind in (Numbers, Levels, Hashed)
}
