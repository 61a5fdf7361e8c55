"""Columns that say which row it is and nothing else: the index that pandas or Dask wrote, and row numbers."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.data.arrays import listed
from tinynet_fast.errors import TrainingWarning, warn

INDEX = re.compile(r"__index_level_\d+__|__null_dask_index__")
ROW_NUMBER = re.compile(r"|unnamed: *\d+|index|idx|id|no|nr|rows?|row[_ .]?(id|idx|index|names?|no|nr|num|number)")
FEWEST_ROWS = 3  # fewer rows count up by chance
LOOKED_AT = 1000  # rows


def index_columns(names: Iterable[str], schema: Any = None) -> frozenset[str]:
    """Those of the columns that are an index: by their names, or by what pandas noted in an Arrow schema."""
    found = {name for name in names if INDEX.fullmatch(name)}
    try:
        noted = schema.pandas_metadata or {}
        found |= {name for name in noted.get("index_columns", []) if isinstance(name, str)}
    except (AttributeError, TypeError, ValueError, RecursionError):
        pass  # there is no schema, or its notes are not those of pandas
    return frozenset(found)


def warn_of_row_numbers(names: Sequence[str] | None, X: Any, rows: np.ndarray | None = None) -> None:
    """Warn of inputs that are named like a row number and count up by one from 0 or 1.

    Parameters
    ----------
    names : sequence of str, or None
    X : (n, n_features) array
        The first rows. Only the first 1,000 are looked at.
    rows : (n,) int array, optional
        The rows' numbers in their file, if rows were left out. 0, 1, 2, ... if not given.

    Warns
    -----
    TrainingWarning
        For each such column, with the remedy.
    """
    for j in suspects(names):
        column = np.asarray(X[:LOOKED_AT, j], np.float64)
        away = column - (np.arange(len(column)) if rows is None else rows[:LOOKED_AT])
        if len(column) >= FEWEST_ROWS and away[0] in (0.0, 1.0) and (away == away[0]).all():
            assert names is not None
            others = listed([name for name in names if name != names[j]])
            called = f"{names[j]!r}" if names[j] else "'' (a column without a name)"
            warn(
                f"the input {called} counts the rows, which says nothing about new rows: leave it out by naming the "
                f"other inputs in features ({others})",
                TrainingWarning,
            )


def suspects(names: Sequence[str] | None) -> list[int]:
    """The places of inputs that are named like a row number."""
    return [j for j, name in enumerate(names or ()) if ROW_NUMBER.fullmatch(name.strip().lower())]
