"""CSV files into columns, with errors that name file, line and column.

Parsing is pyarrow's where it is installed and the standard library's otherwise. When a value turns out to be wrong the
file is read once more, by the standard library, to find its line.
"""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.data.arrays import listed

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None"]
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class TableError(ValueError):
    """A table that cannot be used. The message names the file, the line and the column."""


def no_such_column(path: Any, name: str, names: Sequence[str]) -> TableError:
    """The error for a column that is not there, naming those that are."""
    return TableError(f"{path}: no column {name!r}; it has {listed(names)}")


@dataclass(frozen=True)
class Column:
    """A column's values as float64, int64, bool or text, and which of them are missing."""

    values: np.ndarray
    missing: np.ndarray


@dataclass(frozen=True)
class Table:
    """A CSV file's columns, by name and in order."""

    path: Path
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def column(self, name: str) -> Column:
        """The column `name`; TableError where there is none, naming those that there are."""
        if name not in self.columns:
            raise no_such_column(self.path, name, list(self.columns))
        return self.columns[name]

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """The columns `names` as (n, len(names)) float64; TableError for text, a missing or an infinite value."""
        X = np.empty((len(self), len(names)))
        for j, name in enumerate(names):
            column = self.column(name)
            self._refuse(name, column.missing, "is missing: fill it or drop the row")
            if column.values.dtype.kind == "U":
                bad = np.array([not _is_number(text) for text in column.values])
                self._refuse(name, bad, "is not a number: correct it, or leave the column out")
            X[:, j] = column.values
            self._refuse(name, ~np.isfinite(X[:, j]), "is not finite: fill it or drop the row")
        return X

    def labels(self, name: str) -> np.ndarray:
        """The column `name` as labels; TableError for a missing one."""
        column = self.column(name)
        self._refuse(name, column.missing, "is missing: fill it or drop the row")
        return column.values

    def where(self, row: int) -> str:
        """The file and the line on which data row `row`, counted from 0, starts."""
        for i, (line, _) in enumerate(_records(self.path)):
            if i == row + 1:
                return f"{self.path}, line {line}"
        return f"{self.path}, row {row + 1}"

    def _refuse(self, name: str, bad: np.ndarray, why: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            value = "the value" if self.columns[name].missing[row] else repr(self.columns[name].values[row].item())
            raise TableError(f"{self.where(row)}, column {name!r}: {value} {why}")


def read_csv(path: str | os.PathLike[str]) -> Table:
    """The CSV file at `path`: UTF-8, comma-separated, column names in the first line.

    Raises
    ------
    TableError
        A ValueError naming file, line and column: for an empty file, rows of unequal length, text that is not UTF-8.
    OSError
        Where the file is missing or cannot be read.
    """
    target = Path(path)
    with target.open("rb"):  # a plain OSError for what cannot be opened, whoever parses
        pass
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        columns = _read_with_csv(target)
    else:
        columns = _read_with_pyarrow(target)
    table = Table(target, columns)
    if len(table) == 0:
        raise TableError(f"{path}: no rows below the column names")
    return table


def _read_with_pyarrow(path: Path) -> dict[str, Column]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    yes, no = ([text for text, value in BOOLEANS.items() if value is wanted] for wanted in (True, False))
    options = {"null_values": MISSING, "strings_can_be_null": True, "true_values": yes, "false_values": no}
    parse = arrow_csv.ParseOptions(newlines_in_values=True)

    def read(**types: Any) -> Any:
        return arrow_csv.read_csv(
            path, parse_options=parse, convert_options=arrow_csv.ConvertOptions(**options, **types)
        )

    try:
        table = read()
        times = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
        if times:  # as the file has them: a label is not to be rewritten
            table = read(column_types=dict.fromkeys(times, pa.string()))
    except pa.ArrowInvalid as error:
        _read_with_csv(path)  # which names the line
        raise TableError(f"{path}: {str(error).splitlines()[0]}") from None
    text = [column for column in table.columns if pa.types.is_string(column.type) or pa.types.is_binary(column.type)]
    open_quote = any(len(column) and "\n" in str(column[-1]) for column in text)  # or a break in the last row's text
    not_utf8 = any(pa.types.is_binary(column.type) for column in text)
    if open_quote or not_utf8 or len(set(table.column_names)) != table.num_columns:
        _read_with_csv(path)  # pyarrow lets these pass
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        missing = np.asarray(column.is_null(), dtype=bool)
        kind = column.type
        if pa.types.is_null(kind):
            columns[name] = Column(np.zeros(len(missing)), missing)
            continue
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            values = np.array(["" if v is None else v for v in column.cast(pa.string()).to_pylist()], dtype=str)
        else:
            zero = pa.scalar(False if pa.types.is_boolean(kind) else 0, kind)
            values = column.fill_null(zero).to_numpy()
        columns[name] = Column(values, missing)
    return columns


def _read_with_csv(path: Path) -> dict[str, Column]:
    records = _records(path)
    try:
        _, names = next(records)
    except StopIteration:
        raise TableError(f"{path}: the file is empty") from None
    if len(set(names)) != len(names):
        repeated = next(name for i, name in enumerate(names) if name in names[:i])
        raise TableError(f"{path}, line 1: column name {repeated!r} stands more than once; rename one")
    cells: list[list[str]] = [[] for _ in names]
    for line, record in records:
        if len(record) != len(names):
            raise TableError(f"{path}, line {line}: {len(record)} values where the first line names {len(names)}")
        for column, text in zip(cells, record, strict=True):
            column.append(text)
    return {name: as_column(column) for name, column in zip(names, cells, strict=True)}


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file that are not empty, each with the line on which it starts."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        line = 1
        try:
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + 1
        except csv.Error as error:
            raise TableError(f"{path}, line {line}: {error}") from None
        except UnicodeDecodeError:
            raise TableError(f"{path}, near line {line}: not UTF-8 text; save the file as UTF-8") from None


def as_column(cells: list[str]) -> Column:
    """Whole numbers, numbers, booleans, or else text: the first that all cells are."""
    missing = np.array([cell in MISSING for cell in cells], dtype=bool)
    present = [cell for cell in cells if cell not in MISSING]
    values: Any
    if all(re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", cell) for cell in present):
        values = [0 if gone else int(cell) for cell, gone in zip(cells, missing, strict=True)]
        return Column(np.array(values, dtype=np.int64 if present else np.float64), missing)
    if all(_is_number(cell) for cell in present):
        values = [0.0 if gone else float(cell) for cell, gone in zip(cells, missing, strict=True)]
        return Column(np.array(values), missing)
    if all(cell in BOOLEANS for cell in present):
        return Column(np.array([BOOLEANS.get(cell, False) for cell in cells]), missing)
    return Column(np.array(["" if gone else cell for cell, gone in zip(cells, missing, strict=True)]), missing)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
