"""CSV files read whole by other code than the package's, to compare with: by pyarrow at once, or by the csv module."""

import bz2
import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinynet_fast.rows.formats.cells import BOOLEANS, MISSING, infer, is_number


@dataclass
class Table:
    """A file's columns by name: values, and which are missing; and the line on which each row starts."""

    path: Path
    columns: dict
    lines: list

    def _values(self, name):
        values, missing = self.columns[name.strip()]
        if missing.any():
            raise ValueError(f"row {np.argmax(missing)}, {name!r}: the value is missing")
        return values

    def matrix(self, names):
        """Some columns as float64; ValueError for what is missing, infinite or no number."""
        columns = []
        for values in map(self._values, names):
            texts = values.dtype.kind in "UO"
            if texts and not all(map(is_number, values.tolist())):
                raise ValueError("a text is no number")
            columns.append(np.array([float(value) for value in values.tolist()]))
            if not np.isfinite(columns[-1]).all():
                raise ValueError("a value is not finite")
        return np.column_stack(columns)

    labels = _values

    def where(self, row):
        return f"{self.path}, line {self.lines[row]}"


def read_csv(path, by_csv=False):
    """The table in a file. What pyarrow does not take the csv module reads, and so all files `by_csv`."""
    suffix, data = path.suffix, path.read_bytes()
    if suffix == ".zst":
        import pyarrow as pa

        data = pa.input_stream(pa.py_buffer(data), compression="zstd").read()
    data = {".gz": gzip.decompress, ".bz2": bz2.decompress}.get(suffix, bytes)(data)
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    names, columns, lines = _by_csv(data, delimiter) if by_csv else (None, None, None)
    if not by_csv:
        names, columns = _by_pyarrow(data, delimiter)
        try:
            own, cells, lines = _by_csv(data, delimiter)
        except ValueError:  # a cell such as ""1, which pyarrow takes
            if columns is None:
                raise
        names, columns = (own, cells) if columns is None else (names, columns)
    if len(set(names)) < len(names) or not len(columns[0][0]):
        raise ValueError("no rows, or a name twice")
    return Table(path, dict(zip(names, columns, strict=True)), lines)


def _by_csv(data, delimiter):
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True)
    records, lines, line = [], [], 1
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(str(error)) from None
    names, *rows = records
    if any(len(row) != len(names) for row in rows):
        raise ValueError("rows of unlike lengths")
    columns = []
    for j in range(len(names)):
        cells = [row[j] for row in rows]
        missing = np.array([cell in MISSING for cell in cells], bool)
        there = infer([cell for cell in cells if cell not in MISSING])
        values = np.zeros(len(cells), there.dtype)
        values[~missing] = there
        columns.append((values, missing))
    return [name.strip() for name in names], columns, lines[1:]


def _by_pyarrow(data, delimiter):
    """Names and columns; (None, None) for a file that pyarrow does not take, or takes for another one."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    yes, no = ([text for text, value in BOOLEANS.items() if value is wanted] for wanted in (True, False))
    options = {"null_values": MISSING, "strings_can_be_null": True, "true_values": yes, "false_values": no}

    def read(**types):  # in one block, for it loses the LF of a CR LF that lies in two
        return arrow_csv.read_csv(
            pa.py_buffer(data),
            read_options=arrow_csv.ReadOptions(block_size=max(len(data) + 1, 1 << 16), use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, delimiter=delimiter),
            convert_options=arrow_csv.ConvertOptions(**options, **types),
        )

    try:
        table = read()
        times = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
        table = read(column_types=dict.fromkeys(times, pa.string())) if times else table
        names = [name.strip() for name in table.column_names]
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None, None
    columns = []
    for column in table.columns:
        kind, missing = column.type, np.asarray(column.is_null(), bool)
        text = pa.types.is_string(kind) and len(column) > 0
        if pa.types.is_binary(kind) or (text and set(str(column[-1])) & set("\r\n")):
            return None, None  # no UTF-8, or perhaps a quote that is left open
        if pa.types.is_null(kind):
            columns.append((np.zeros(len(column)), missing))
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            zero = pa.scalar(False if pa.types.is_boolean(kind) else 0, kind)
            columns.append((column.fill_null(zero).to_numpy(), missing))
        else:
            columns.append((np.array(["" if text is None else text for text in column.to_pylist()]), missing))
    return names, columns
