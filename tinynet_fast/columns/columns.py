"""All columns that a model reads, in order. They turn the rows of a table into numbers, the model's inputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.columns.kinds import KINDS, Kind
from tinynet_fast.columns.looking import mark_in
from tinynet_fast.columns.reading import Reading
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.tables import Table, table_of

BLOCK_VALUES = 1 << 21  # numbers that are encoded at once: writing a column is faster if its rows stay in the cache
MOST_COLUMNS = 1 << 16  # in a model's file


@dataclass(frozen=True, repr=False)
class Columns:
    """The columns of a table that are a model's inputs, and how each is turned into numbers.

    Attributes
    ----------
    kinds : list of Numbers, Levels and Hashed
        One for each column, in the order of the inputs.
    decimal : str or None
        The decimal mark of the table that was trained on. It is used for tables that do not show theirs.
    gaps : tuple of str
        Texts that stand for a missing value, beside the usual ones.
    fills : bool
        Whether a missing value is filled. If not, it is an error.
    """

    kinds: list[Kind]
    decimal: str | None = None
    gaps: tuple[str, ...] = ()
    fills: bool = True

    def __repr__(self) -> str:
        return f"Columns({len(self.kinds):,}: {listed(self.names)})"

    @property
    def names(self) -> list[str]:
        """The names of the table's columns."""
        return [kind.name for kind in self.kinds]

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs. A name that would stand twice gets a number."""
        seen: dict[str, int] = {}
        for kind in self.kinds:
            for name in kind.inputs:
                unique, more = name, 2
                while unique in seen:
                    unique, more = f"{name} ({more})", more + 1
                seen[unique] = 1
        return list(seen)

    @property
    def width(self) -> int:
        """The number of inputs."""
        return sum(kind.width for kind in self.kinds)

    @property
    def sources(self) -> list[str]:
        """For each input the name of the column that it comes from."""
        return [kind.name for kind in self.kinds for _ in range(kind.width)]

    @property
    def numbers(self) -> np.ndarray:
        """Which inputs are numbers (or yes and no), not 0 or 1 for a level or a missing value: (n_inputs,) bool."""
        return np.array([k == 0 and kind.kind == "numbers" for kind in self.kinds for k in range(kind.width)])

    @property
    def plain(self) -> bool:
        """Whether every column is one number without gaps, so that rows of numbers need no names."""
        return all(kind.width == 1 and kind.kind == "numbers" for kind in self.kinds)

    def reading(self, table: Table, *others: str) -> Reading:
        """Return how the cells of the model's columns, and of the columns `others`, are read in this table."""
        gaps = frozenset(self.gaps)
        return Reading(mark_in(table, [*self.names, *others], gaps, self.decimal), gaps, self.fills)

    def encode(self, table: Table, reading: Reading | None = None) -> np.ndarray:
        """Return the inputs of a table's rows: (n, len(inputs)) float64, finite.

        Raises
        ------
        ValueError
            If a column is missing, or if a cell does not fit its column. The message names the place.
        """
        table = table.chosen(self.names)
        reading = self.reading(table) if reading is None else reading
        edges = np.cumsum([0, *(kind.width for kind in self.kinds)]).tolist()
        X = np.empty((len(table), edges[-1]))
        for rows, part in table.slices(BLOCK_VALUES // edges[-1]):
            for kind, first, last in zip(self.kinds, edges, edges[1:], strict=False):
                kind.encode(part, reading, X[rows, first:last])
        return X

    def encode_rows(self, X: Any, name: str = "X") -> np.ndarray | None:
        """Return the inputs of rows in memory whose columns have names (see `table_of`); None if they have none."""
        table = table_of(X, name, self.names)
        if table is None:
            return None
        if not len(table):
            raise ValueError(f"{name} has no rows: one is needed")
        reading = self.reading(table)
        X = self.encode(table, reading)
        if len(table) > 1 and len(table) in reading.new.values():  # in all rows: they may be written in another way
            reading.warn_of_new(table.place, len(table))
        return X

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, from which `from_json` makes the same columns."""
        kinds = [{"name": kind.name, "kind": kind.kind} | kind.to_json() for kind in self.kinds]
        return {"decimal": self.decimal, "gaps": list(self.gaps), "fills": self.fills, "columns": kinds}

    @classmethod
    def from_json(cls, found: Any) -> "Columns":
        """The columns in a model's file; ValueError if a field is wrong."""
        if not isinstance(found, dict) or not isinstance(found["columns"], list):
            raise ValueError("field 'table' does not hold columns")
        if not 1 <= len(found["columns"]) <= MOST_COLUMNS:
            raise ValueError(f"field 'table' holds {len(found['columns'])} columns")
        if found["decimal"] not in (None, ".", ",") or type(found["fills"]) is not bool or not _texts(found["gaps"]):
            raise ValueError("field 'table': 'decimal', 'gaps' or 'fills' is wrong")
        kinds = []
        for column in found["columns"]:
            if not isinstance(column, dict) or not isinstance(column["name"], str) or column["kind"] not in list(KINDS):
                raise ValueError("field 'table' holds a column without a name, or of an unknown kind")
            kinds.append(KINDS[column["kind"]](column["name"], column))
        columns = cls(kinds, found["decimal"], tuple(found["gaps"]), found["fills"])
        if len(set(columns.names)) < len(kinds):
            raise ValueError("field 'table' names a column twice")
        return columns


def _texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
