"""Columns that only number the rows: an index that pandas or Dask wrote, and inputs that look like row numbers."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.rows.messages import listed

INDEX = re.compile(r"__index_level_\d+__|__null_dask_index__")
NAMELESS = re.compile(r"|unnamed: *\d.*")  # what an index without a name is called in a CSV file, and by pandas
ROW_NUMBER = re.compile(r"index|idx|id|no|nr|rows?|row[_ .]?(id|idx|index|names?|no|nr|num|number)")
IDENTIFIER = re.compile(r"(^|[ _.-])(?i:id|nr|no|key|code|number)$|[a-z](Id|ID|Nr|No)$")
FEWEST_ROWS = 3  # fewer rows count up by chance
DISTINCT_ROWS = 20  # in fewer rows a true count (the number of rooms, say) may hold no value twice
LONGEST_STEP = 3  # average step of a column that counts up, from which some rows may be missing
LOOKED_AT = 1000  # rows


def index_columns(names: Iterable[str], schema: Any = None) -> frozenset[str]:
    """The columns that are an index, by their names or by what pandas noted in an Arrow schema."""
    found = {name for name in names if INDEX.fullmatch(name)}
    try:
        noted = schema.pandas_metadata or {}
        found |= {name for name in noted.get("index_columns", []) if isinstance(name, str)}
    except (AttributeError, TypeError, ValueError, RecursionError):
        pass  # there is no schema, or its notes are not those of pandas
    return frozenset(found)


def warn_of_row_numbers(names: Sequence[str] | None, X: Any) -> None:
    """Warn of inputs that look like row numbers: by their names, and by whole numbers that fit.

    A column without a name is an index that was written with the rows. The rows may have been shuffled before, so any
    whole numbers count. A column that is named like a row number has to count up, or hold no value twice.

    Parameters
    ----------
    names : sequence of str, or None
    X : (n, n_features) array
        The first rows. Only the first 1,000 are looked at.

    Warns
    -----
    TrainingWarning
        Once, with all such columns and the remedy.
    """
    found = row_numbers(names, X) if names else []
    if not found:
        return
    assert names is not None
    lost = {names[j] for j in found}
    called = listed([repr(name) if name else "'' (a column without a name)" for name in sorted(lost)])
    others = listed([name for name in names if name not in lost])
    remedy = f", for example by naming the other inputs in features ({others})" if others else ""
    said = f"inputs {called} look like row numbers, which say nothing about new rows: leave them out"
    if len(found) == 1:
        said = f"input {called} looks like a row number, which says nothing about new rows: leave the column out"
    warn(f"the {said}{remedy}", TrainingWarning)


def row_numbers(names: Sequence[str] | None, X: Any) -> list[int]:
    """The places of inputs that look like row numbers (see `warn_of_row_numbers`)."""
    return [j for j in suspects(names) if _counts(np.asarray(X[:LOOKED_AT, j], np.float64), names[j])]  # type: ignore[index]


def is_nameless(name: str) -> bool:
    """Whether a column has no name, or the name that pandas gives to one."""
    return NAMELESS.fullmatch(_plain(name)) is not None


def is_identifier(name: str, column: np.ndarray) -> bool:
    """Whether a column is named like an identifier, such as PassengerId, and holds no whole number twice."""
    named = IDENTIFIER.search(name.strip()) is not None and len(column) >= DISTINCT_ROWS
    return named and bool((np.floor(column) == column).all()) and len(np.unique(column)) == len(column)


def _counts(column: np.ndarray, name: str) -> bool:
    """Whether the values of a column, which has no name or is named like a row number, look like row numbers."""
    whole = len(column) >= FEWEST_ROWS and bool((np.floor(column) == column).all())
    return whole and (is_nameless(name) or _numbers_rows(column))


def _numbers_rows(column: np.ndarray) -> bool:
    """Whether whole numbers differ in every row, and not by chance."""
    if len(column) >= DISTINCT_ROWS:
        return len(np.unique(column)) == len(column)
    rising = bool((column[1:] > column[:-1]).all())
    return rising and column[0] >= 0 and column[-1] <= LONGEST_STEP * len(column)


def suspects(names: Sequence[str] | None) -> list[int]:
    """The places of inputs that have no name or are named like a row number."""
    plain = [_plain(name) for name in names or ()]
    return [j for j, name in enumerate(plain) if NAMELESS.fullmatch(name) or ROW_NUMBER.fullmatch(name)]


def _plain(name: str) -> str:
    return name.strip().lower()
