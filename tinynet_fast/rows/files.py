"""CSV files into columns, with errors that name file, line and column.

Parsing is pyarrow's where it is installed and the standard library's otherwise. When a value turns out to be wrong the
file is read once more, by the standard library, to find its line.
"""

import csv
import importlib
import io
import os
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.arrays import listed
from tinynet_fast.rows.messages import printable

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None"]
BLOCK_BYTES = 1 << 20  # that pyarrow parses at a time
COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
WIDE_TEXT = 1 << 24  # bytes of a column of texts that may all be stored as wide as the longest
LONGEST_CELL = 2**31 - 1  # characters
WHOLE = re.compile(r"[ \t]*-?[0-9]{1,99}[ \t]*")  # whole numbers, and numbers, as pyarrow tells them from text
NUMBER = re.compile(r"[ \t]*[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)[ \t]*", re.IGNORECASE)
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


ZERO_AT_END = "ends in a zero character, which NumPy drops: use another label"


class TableError(ValueError):
    """A table that cannot be used. The message names the file, the line and the column.

    It has one line of at most `messages.LONGEST` printable characters, whatever the file holds.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class EmptyFileError(TableError):
    """A text file with neither names nor rows."""


def checked_features(features: Sequence[str] | None) -> list[str] | None:
    """The names of columns that were chosen; TableError for anything but a list of texts. None stays None."""
    if features is None:
        return None
    if isinstance(features, str) or not np.iterable(features) or not all(isinstance(name, str) for name in features):
        raise TableError("features: a list of column names is needed")
    return list(map(str, features))


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that stands for a second time; None if there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def no_such_column(path: Any, name: str, names: Sequence[str]) -> TableError:
    """The error for a column that is not there, naming those that are."""
    return TableError(f"{path}: no column {name!r}; it has {listed(list(map(_shown, names)))}")


def _shown(name: str) -> str:
    return name if name == name.strip() else repr(name)


def delimiter_of(path: Path) -> str:
    """What separates the cells of a file: a tab if its name ends in .tsv, compressed or not; else a comma."""
    return "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]] else ","


def csv_reader(lines: Iterable[str], delimiter: str = ",") -> Any:
    """A strict reader of the csv module that takes cells of any length."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))  # of the whole process: csv has no other one
    return csv.reader(lines, delimiter=delimiter, strict=True)


def csv_mistake(error: csv.Error) -> str:
    """What the csv module says, with the remedy where it has none."""
    return f"{error}: close the quote that is left open" if "unexpected end" in str(error) else str(error)


def not_a_number(text: str) -> str:
    """What to say of a cell that is no number: which characters in it are seldom seen, and the remedy."""
    odd = next((c for c in text if not c.isalnum() and not " " < c < "\x7f" and c != " "), None)
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    if odd is not None:
        shown += f" (which holds U+{ord(odd):04X}, {unicodedata.name(odd, 'a control character').lower()})"
    return f"{shown} is not a number: correct it, or leave the column out"


@dataclass(frozen=True)
class Column:
    """A column's values as float64, int64, bool or text (objects for a very long one), and which are missing."""

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
        """The columns `names` as (n, len(names)) float64; TableError for text, a missing or an infinite value.

        The error names the first row with such a value, and the first column of that row. Spaces around names do not
        count.
        """
        X, names = np.empty((len(self), len(names))), [name.strip() for name in names]
        first, wrong = len(self), ""
        for j, name in enumerate(names):
            column = self.column(name)
            values: Any = column.values
            if values.dtype.kind in "UO":
                values = [float(text) if is_number(text) else np.nan for text in values.tolist()]
            X[:, j] = values
            bad = column.missing | ~np.isfinite(X[:, j])
            if bad.any() and (row := int(np.argmax(bad))) < first:
                first, wrong = row, name
        if wrong:
            value, missing = (
                self.columns[wrong].values[first : first + 1].tolist()[0],
                self.columns[wrong].missing[first],
            )
            if isinstance(value, str) and not missing and not is_number(value):
                raise TableError(f"{self.where(first)}, column {wrong!r}: {not_a_number(value)}")
            self._refuse(wrong, first, "is missing" if missing else "is not finite")
        return X

    def labels(self, name: str) -> np.ndarray:
        """The column `name` as labels; TableError for a missing one."""
        column = self.column(name)
        if column.missing.any():
            self._refuse(name, int(np.argmax(column.missing)), "is missing")
        return column.values

    def where(self, row: int) -> str:
        """The file and the line on which data row `row`, counted from 0, starts."""
        for i, (line, _) in enumerate(_records(self.path)):
            if i == row + 1:
                return f"{self.path}, line {line}"
        return f"{self.path}, row {row + 1}"

    def _refuse(self, name: str, row: int, why: str) -> None:
        value = (
            "the value"
            if self.columns[name].missing[row]
            else repr(self.columns[name].values[row : row + 1].tolist()[0])
        )
        raise TableError(f"{self.where(row)}, column {name!r}: {value} {why}: fill it or drop the row")


def read_csv(path: str | os.PathLike[str]) -> Table:
    """The CSV file at `path`: UTF-8, column names in the first line, separated by commas, or by tabs in a .tsv file.

    Spaces around column names are left out. A pipe, or "-" for standard input, is read once.

    Raises
    ------
    TableError
        A ValueError naming file, line and column: for an empty file, rows of unequal length, text that is not UTF-8.
    OSError
        If the file is missing or cannot be read.
    """
    from tinynet_fast.rows.pipes import local_path

    target = local_path(path)
    with target.open("rb"):  # a plain OSError for what cannot be opened, whoever parses
        pass
    try:
        import pyarrow  # noqa: F401

        read = _read_with_pyarrow
    except ImportError:
        read = _read_with_csv
    try:
        columns = read(target)
    except (EOFError, zlib.error, OSError) as error:  # an OSError without a number is of what unpacks the file
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise TableError(f"{target}: not a whole file of its kind, or a damaged one: {error}") from None
    table = Table(target, columns)
    if len(table) == 0:
        raise TableError(f"{path}: no rows below the column names")
    return table


def _read_with_pyarrow(path: Path) -> dict[str, Column]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    yes, no = ([text for text, value in BOOLEANS.items() if value is wanted] for wanted in (True, False))
    options = {"null_values": MISSING, "strings_can_be_null": True, "true_values": yes, "false_values": no}
    parse = arrow_csv.ParseOptions(newlines_in_values=True, delimiter=delimiter_of(path))
    blocks = arrow_csv.ReadOptions(block_size=BLOCK_BYTES)

    def read(**types: Any) -> Any:
        convert = arrow_csv.ConvertOptions(**options, **types)
        whole = _cuts_a_line_break(path)
        with opened(path) as file:
            data = _WholeLineBreaks(file) if whole else path
            return arrow_csv.read_csv(data, read_options=blocks, parse_options=parse, convert_options=convert)

    try:
        table = read()
        names = [name.strip() for name in table.column_names]
        times = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
        if times:  # as the file has them: a label is not to be rewritten
            table = read(column_types=dict.fromkeys(times, pa.string()))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return _read_with_csv(path)  # which names the line, and reads rows longer than a block
    text = [column for column in table.columns if pa.types.is_string(column.type) or pa.types.is_binary(column.type)]
    ends = [str(column[-1]) for column in text if len(column)]
    open_quote = any("\n" in end or "\r" in end for end in ends)  # or a line break in the last row's text
    not_utf8 = any(pa.types.is_binary(column.type) for column in text)
    if open_quote or not_utf8 or len(set(names)) != len(names):
        _read_with_csv(path)  # pyarrow lets these pass
    columns = {}
    for name, column in zip(names, table.columns, strict=True):
        missing = np.asarray(column.is_null(), dtype=bool)
        kind = column.type
        if pa.types.is_null(kind):
            columns[name] = Column(np.zeros(len(missing)), missing)
            continue
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            values = _texts(["" if v is None else v for v in column.cast(pa.string()).to_pylist()])
        else:
            zero = pa.scalar(False if pa.types.is_boolean(kind) else 0, kind)
            values = column.fill_null(zero).to_numpy()
        columns[name] = Column(values, missing)
    return columns


def _cuts_a_line_break(path: Path) -> bool:
    """Whether a block of pyarrow's may end between the CR and the LF of a line break. It loses such an LF in a cell."""
    if path.suffix.lower() in COMPRESSED:
        return True
    with path.open("rb", buffering=0) as file:
        for end in range(BLOCK_BYTES, os.fstat(file.fileno()).st_size, BLOCK_BYTES):
            file.seek(end - 1)
            if file.read(2) == b"\r\n":
                return True
    return False


class _WholeLineBreaks(io.RawIOBase):
    """A file as pyarrow reads it, in blocks, none of which ends with a CR."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        block: bytes = self.file.read(max(size // 2, 1))
        while block.endswith(b"\r") and (more := self.file.read(1)):
            block += more
        return block


def _read_with_csv(path: Path) -> dict[str, Column]:
    records = _records(path)
    try:
        names = [name.strip() for name in next(records)[1]]
    except StopIteration:
        raise TableError(f"{path}: the file is empty") from None
    repeated = first_repeated(names)
    if repeated is not None:
        raise TableError(f"{path}, line 1: column name {repeated!r} stands more than once; rename one")
    cells: list[list[str]] = [[] for _ in names]
    for line, record in records:
        if len(record) != len(names):
            raise TableError(f"{path}, line {line}: {len(record)} values where the first line names {len(names)}")
        for column, text in zip(cells, record, strict=True):
            column.append(text)
    return {name: as_column(column) for name, column in zip(names, cells, strict=True)}


def opened(path: Path) -> Any:
    """A file's bytes, unpacked if its name ends as that of a compressed file."""
    ending = path.suffix.lower()
    if ending not in COMPRESSED:
        return path.open("rb")
    if ending == ".zst":
        import pyarrow as pa

        return pa.input_stream(os.fspath(path), compression="zstd")
    return importlib.import_module(COMPRESSED[ending]).open(path)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file that are not empty, each with the line on which it starts."""
    with opened(path) as data, io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as file:
        reader = csv_reader(file, delimiter_of(path))
        line = 1
        try:
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + 1
        except csv.Error as error:
            raise TableError(f"{path}, line {line}: {csv_mistake(error)}") from None
        except UnicodeDecodeError:
            with opened(path) as data:
                raise not_utf8(path, data.read(), 1) from None


def not_utf8(path: Path, data: bytes, first_line: int) -> TableError:
    """The error for bytes that are no UTF-8 text, the first of which is on line `first_line`."""
    try:
        data.decode()
        start = len(data)
    except UnicodeDecodeError as error:
        start = error.start
    return TableError(f"{path}, line {first_line + line_breaks(data[:start])}: not UTF-8 text; save the file as UTF-8")


def line_breaks(data: bytes) -> int:
    """How many lines end in `data`, with LF, CR or both."""
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def as_column(cells: list[str]) -> Column:
    """Whole numbers, numbers, booleans, or else text: the first that all cells are, as pyarrow tells them apart."""
    missing = np.array([cell in MISSING for cell in cells], dtype=bool)
    present = [cell for cell in cells if cell not in MISSING]
    values: Any
    if all(WHOLE.fullmatch(cell) and -(2**63) <= int(cell) < 2**63 for cell in present):
        values = [0 if gone else int(cell) for cell, gone in zip(cells, missing, strict=True)]
        return Column(np.array(values, dtype=np.int64 if present else np.float64), missing)
    if all(NUMBER.fullmatch(cell) for cell in present):
        values = [0.0 if gone else float(cell) for cell, gone in zip(cells, missing, strict=True)]
        return Column(np.array(values), missing)
    if all(cell in BOOLEANS for cell in present):
        return Column(np.array([BOOLEANS.get(cell, False) for cell in cells]), missing)
    return Column(_texts(["" if gone else cell for cell, gone in zip(cells, missing, strict=True)]), missing)


def _texts(cells: list[str]) -> np.ndarray:
    """Texts as NumPy's, unless one is so long that all of them would take far more memory than the file: as objects."""
    wide = 4 * max(map(len, cells), default=0) * len(cells)
    return np.array(cells, dtype=object if wide > max(WIDE_TEXT, 16 * sum(map(len, cells))) else str)


def is_number(text: str) -> bool:
    """Whether a cell is a number as Python writes them, without underscores."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
