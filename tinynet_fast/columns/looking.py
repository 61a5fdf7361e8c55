"""Looks at a table to find what each column is, and the decimal mark of its numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinynet_fast.columns.kinds import MOST_BUCKETS, MOST_LEVELS, Hashed, Kind, Levels, Numbers
from tinynet_fast.columns.reading import (
    Reading,
    numbers_of,
    percent_in,
    plain_numbers,
    texts_of,
    unusable,
    without_gaps,
    word_or_number,
)
from tinynet_fast.columns.texts import GAPS, Marks, are_dates, as_number, is_gap, mistakes_allowed, yes_no
from tinynet_fast.rows.index_columns import is_nameless
from tinynet_fast.rows.messages import LONGEST_NAME, listed, printable
from tinynet_fast.rows.tables import Table, Texts, Unusable

FEWEST_OF_LEVEL = 3  # rows that a level needs for an input of its own
LOOKED_AT = 1000  # first rows of a column
ROW_NUMBERS = "it has no name and numbers the rows"
IDENTIFIER = "every row has a value of its own, as an identifier has"


@dataclass
class Choice:
    """What the user said about columns, and what was found.

    Attributes
    ----------
    exclude, levels : sequence of str
        Columns to leave out, and columns whose numbers are names of levels.
    hashed : dict
        Columns whose levels are hashed, and into how many buckets.
    left_out : dict
        The columns from which nothing can be learned, and why.
    notes : dict
        For each column that is used, what it is, in words.
    """

    exclude: Sequence[str] = ()
    levels: Sequence[str] = ()
    hashed: Mapping[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def check(self, names: Sequence[str], place: str) -> None:
        """ValueError if an option names a column that is not there, or a number of buckets that is not allowed."""
        for option, named in (("exclude", self.exclude), ("levels", self.levels), ("hashed", list(self.hashed))):
            missing = [name for name in named if name not in names]
            if missing:
                raise ValueError(f"{place} has no column {missing[0]!r}, which {option} names; it has {listed(names)}")
        for name, buckets in self.hashed.items():
            if type(buckets) is not int or not 2 <= buckets <= MOST_BUCKETS:
                raise ValueError(f"hashed={{{name!r}: {buckets!r}}}: a number from 2 to {MOST_BUCKETS} is needed")


def mark_in(
    table: Table, names: Iterable[str], named: frozenset[str] = frozenset(), known: str | None = None
) -> str | None:
    """Return the decimal mark of a table: the one that some of its columns show, else `known`.

    ValueError if columns show different marks, or if a point may stand between thousands and nothing tells. `named`
    are texts that stand for a missing value.
    """
    return marks_in(table, names, named, known).shown or known


def marks_in(table: Table, names: Iterable[str], named: frozenset[str], known: str | None) -> Marks:
    """What some columns of a table say about the decimal mark. (See `mark_in`.)"""
    found: dict[str, Marks] = {}
    for name in names:
        column = table.columns.get(name)
        if isinstance(column, Texts):
            found[name] = _marks_of(column, named)
    shown: dict[str, str] = {}  # for each mark the first column
    for name, marks in found.items():
        if marks.shown is not None:
            shown.setdefault(marks.shown, name)
    if len(shown) == 2:
        raise ValueError(
            f"{table.place}: column {shown[',']!r} has numbers with a decimal comma, column {shown['.']!r} with a "
            "decimal point: write them alike, name one with decimal=, or leave a column out"
        )
    if not shown and known is None:
        for name, marks in found.items():
            if marks.thousands is not None:
                raise ValueError(
                    f"{table.place}, column {name!r}: {marks.thousands!r} may have a decimal point or a point between "
                    "thousands, and no other number tells: write it without a point, or name the mark (decimal='.' or "
                    "decimal=',')"
                )
    double = next((marks.double for marks in found.values() if marks.double is not None), None)
    return Marks(next(iter(shown), None), double)


def _marks_of(column: Texts, named: frozenset[str]) -> Marks:
    """What a column says about the decimal mark. All of its texts are read only if the first ones leave it open."""
    texts = [text for text in column.sample(LOOKED_AT) if not is_gap(text, named)]
    marks = Marks.of(texts)
    open_still = marks.shown is None and (marks.double is not None or all(as_number(t, ",") is not None for t in texts))
    if not open_still or len(column) <= LOOKED_AT:
        return marks
    if marks.double is None and column.plain_numbers(GAPS | named) is not None:
        return Marks()  # numbers of programs: a point, or nothing
    return Marks.of([text for text in column.used if not is_gap(text, named)])


def kinds_of(table: Table, reading: Reading, choice: Choice) -> list[Kind]:
    """Return what each column of the table is. If nothing can be learned from one, it is left out; `choice` says why.

    Raises
    ------
    ValueError
        For dates, mistakes among numbers, and too many levels. The message names the place and the remedy.
    """
    found: list[Kind] = []
    for name in table.names:
        kind, note = _kind_of(table, name, reading, choice)
        if kind is None:
            choice.left_out[name] = note
        else:
            choice.notes[name] = note
            found.append(kind)
    if not found:
        reasons = "; ".join(f"{name!r}: {why}" for name, why in list(choice.left_out.items())[:3])
        raise ValueError(f"{table.place}: no column can be learned from ({reasons}): add one that says something")
    return found


def _kind_of(table: Table, name: str, reading: Reading, choice: Choice) -> tuple[Kind | None, str]:
    """Return what a column is, and this in words; or None and the reason, if nothing can be learned from it."""
    column = table.columns[name]
    if isinstance(column, Unusable):
        raise ValueError(f"{table.place}, column {name!r} {unusable(column)}")
    if name in choice.hashed:
        return _hashed(table, name, reading, choice.hashed[name])
    if name in choice.levels:
        return _levels(table, name, reading)
    if isinstance(column, np.ndarray) or plain_numbers(column, reading) is not None:
        return _numbers(table, name, reading)
    texts = without_gaps(column, reading)
    used = texts.used
    if not used:
        return None, "it has no values"
    words = yes_no(used)
    if words is not None:
        return _numbers(table, name, reading, words)
    if all(as_number(text, reading.decimal) is not None for text in used):
        return _numbers(table, name, reading)
    if are_dates(used[:LOOKED_AT]):
        raise ValueError(f"{table.place}, column {name!r} {unusable(Unusable('dates', 0))}")
    _refuse_mistakes(table, name, texts, reading)
    return _levels(table, name, reading)


def _refuse_mistakes(table: Table, name: str, texts: Texts, reading: Reading) -> None:
    """ValueError if nearly all rows of a column hold a number, and the others something else."""
    wrong = [word_or_number(text, reading.decimal, None) is None for text in texts.texts]
    mistakes = (texts.codes >= 0) & np.array([*wrong, False])[texts.codes]
    there = int(np.count_nonzero(texts.codes >= 0))
    count = int(np.count_nonzero(mistakes))
    if 0 < count <= mistakes_allowed(there) and there > 2 * count:
        row = int(np.argmax(mistakes))
        text = texts.texts[texts.codes[row]]
        raise ValueError(
            f"{table.cell(row, name)}: {printable(repr(text), LONGEST_NAME)} is not a number, but {there - count:,} "
            f"others of {there:,} are: correct it; or, if it stands for a missing value, name it with "
            f"na=[{text!r}]; or, if the column holds names, with levels=[{name!r}]"
        )


def _numbers(
    table: Table, name: str, reading: Reading, words: Mapping[str, float] | None = None
) -> tuple[Kind | None, str]:
    percent = words is None and percent_in(table, name, reading)
    values = numbers_of(table, name, reading, words, percent)
    there = values[~np.isnan(values)]
    gone = len(values) - len(there)
    if not len(there):
        return None, "it has no values"
    if there.min() == there.max() and not gone:
        return None, "all rows have the same value"
    if words is None and is_nameless(name) and bool((np.floor(there) == there).all()):
        return None, ROW_NUMBERS
    what = "numbers" if words is None else f"1 for {next(iter(words))}"
    if gone:
        reading.note_missing(table, name, np.isnan(values))
        what += f", {gone:,} missing"
    return Numbers(name, float(np.median(there)), bool(gone), words, percent), what


def _levels(table: Table, name: str, reading: Reading) -> tuple[Kind | None, str]:
    texts = texts_of(table, name, reading)
    n = len(texts)
    counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.texts))
    gone = n - int(counts.sum())
    levels = sorted(text for text, count in zip(texts.texts, counts, strict=True) if count >= FEWEST_OF_LEVEL)
    used = int(np.count_nonzero(counts))
    rare = used - len(levels)
    if used == 0:
        return None, "it has no values"
    if used == 1 and not gone:
        return None, "all rows have the same value"
    if not levels and not gone:
        if used == n:
            return None, IDENTIFIER
        return None, f"its {used:,} levels have less than {FEWEST_OF_LEVEL} rows each"
    if len(levels) > MOST_LEVELS:
        raise ValueError(
            f"{table.place}, column {name!r} has {used:,} levels, more than {MOST_LEVELS}: leave it out "
            f"(exclude=[{name!r}]), or let it share inputs (hashed={{{name!r}: 64}})"
        )
    if gone:
        reading.note_missing(table, name, texts.codes < 0)
    of = dict(zip(texts.texts, counts.tolist(), strict=True))
    shares = [of[level] / n for level in levels]
    if rare:
        shares.append((int(counts.sum()) - sum(of[level] for level in levels)) / n)
    if gone:
        shares.append(gone / n)
    what = f"{len(levels)} level{'s' if len(levels) != 1 else ''}"
    if rare:
        what = f"{what}, {rare:,} rare together" if levels else f"{rare:,} rare levels together"
    what += f", {gone:,} missing" if gone else ""
    return Levels(name, levels, shares, bool(rare), bool(gone)), what


def _hashed(table: Table, name: str, reading: Reading, buckets: int) -> tuple[Kind, str]:
    texts = texts_of(table, name, reading)
    gone = bool((texts.codes < 0).any())
    if gone:
        reading.note_missing(table, name, texts.codes < 0)
    return Hashed(name, buckets, gone), f"{len(texts.used):,} levels in {buckets} buckets"
