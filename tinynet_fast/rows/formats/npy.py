"""NumPy's .npy files, stored by row or by column, read a chunk at a time."""

import hashlib
import math
import os
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.base import Chunk, Part, rows_a_chunk
from tinynet_fast.rows.formats.paths import local_files, looks_like_path
from tinynet_fast.rows.formats.registry import Asked, Format
from tinynet_fast.rows.formats.source import Source, Stamp, with_rows
from tinynet_fast.rows.labels import labels_and_gaps
from tinynet_fast.rows.messages import printable
from tinynet_fast.rows.numbers import numbers_and_gaps

LABELS = "give the number of the column that holds the labels (y=-1), an array of them, or a file's path"
LONGEST_HEADER = 10_000  # bytes, as in NumPy
MOST_DIMENSIONS = 64
KEPT_VALUES = 1 << 22  # that are read at once if values are stored by column: 32 MB of float64
LAST_CHARACTER = 0x10FFFF


class NpyFile:
    """An array in a .npy file: `rows(start, stop)` reads that part of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shape, self.by_column, self.dtype, self.offset = _header(path)
        if self.dtype.hasobject or self.dtype.kind not in "biufU" or self.dtype.itemsize == 0:
            raise TableError(f"{path}: it holds values of type {printable(str(self.dtype), 60)}: save numbers")
        size, there = self.offset + math.prod(self.shape) * self.dtype.itemsize, path.stat().st_size
        if there < size:
            raise TableError(f"{path}: truncated: it has {there:,} of {size:,} bytes; write it again")
        self.by_column = self.by_column and len(self.shape) > 1
        self.kept: tuple[int, int, np.ndarray] = (0, 0, np.empty((0, 0)))

    def rows(self, start: int, stop: int) -> np.ndarray:
        """The rows [start, stop), C-contiguous."""
        width = math.prod(self.shape[1:])
        with self.path.open("rb", buffering=0) as file:
            if self.by_column:
                values = self._by_column(file, start, stop, width)
            else:
                values = self._read(file, start * width, (stop - start) * width)
        return self._whole(values.reshape(stop - start, *self.shape[1:]), start)

    def _by_column(self, file: Any, start: int, stop: int, width: int) -> np.ndarray:
        """Rows of a file that is stored by column. More rows are read than needed, and kept for the next call.

        The file is not mapped into memory: if it became shorter meanwhile, that would end the process.
        """
        first, last, kept = self.kept
        if start < first or stop > last:
            first, last = start, min(max(start + KEPT_VALUES // width, stop), self.shape[0])
            kept = np.empty((last - first, width), self.dtype)
            for j in range(width):
                kept[:, j] = self._read(file, j * self.shape[0] + first, last - first)
            self.kept = first, last, kept
        return kept[start - first : stop - first]

    def _read(self, file: Any, first: int, count: int) -> np.ndarray:
        """`count` values of the file, from number `first` on."""
        file.seek(self.offset + first * self.dtype.itemsize)
        values = np.fromfile(file, self.dtype, count)
        if len(values) < count:
            raise TableError(f"{self.path}: it became shorter while it was read; start anew")
        return values

    def _whole(self, values: np.ndarray, start: int) -> np.ndarray:
        """Values that are safe to use: for booleans any byte but 0 is true, and text is checked."""
        if values.dtype.kind == "b":
            return values.view(np.uint8) != 0
        if values.dtype.kind == "U" and values.size:
            codes = values.reshape(len(values), -1).view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
            wrong = ((codes > LAST_CHARACTER) | ((codes >= 0xD800) & (codes < 0xE000))).any(axis=1)
            if wrong.any():
                place = f"{self.path}, row {start + int(np.argmax(wrong)) + 1}"
                raise TableError(f"{place}: the text holds what is no character: write the file again")
        return values


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """The shape, whether values are stored by column, their type, and where they begin."""
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd headers, which are checked below
            version = np.lib.format.read_magic(file)
            head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            if version[0] not in (1, 2, 3):
                raise ValueError(f"its format is {version[0]}.{version[1]}, and 1 to 3 are read")
            if version[0] > 1:
                length = int.from_bytes(file.read(4), "little")
                if length > LONGEST_HEADER:
                    raise ValueError(f"its header has {length:,} bytes")
                file.seek(-4, os.SEEK_CUR)
            shape, by_column, dtype = head(file)
            offset = file.tell()
    except Exception as error:  # the header is read as Python text, which can be wrong in any way
        if isinstance(error, OSError):
            raise
        said = str(error).splitlines() or [type(error).__name__]
        raise TableError(f"{path}: not a .npy file, or a truncated one: {printable(said[0], 200)}") from None
    if len(shape) > MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise TableError(f"{path}: not a .npy file, or a damaged one: its shape is none that an array can have")
    return shape, by_column, dtype, offset


class NpyPart(Part):
    """Rows in a .npy file. Labels are in a column of it, in another file, or in an array. `gone`: which are missing."""

    anywhere = True

    def __init__(self, path: Path, y: Any, drop: bool, gone: np.ndarray | None = None, numbers: bool = False) -> None:
        self.path, self.drop, self.gone, self.file = path, drop, gone, NpyFile(path)
        shape = self.file.shape
        if self.file.dtype.kind == "U":
            raise TableError(f"{path}: it holds text: save numbers")
        if len(shape) not in (1, 2) or shape[1:] == (0,):
            raise TableError(
                f"{path}: an array of shape {printable(str(shape), 100)}; rows and columns, (n, d), are needed"
            )
        self.n_rows, width = shape[0], shape[1] if len(shape) == 2 else 1
        self.y: Any = None
        if isinstance(y, (int, np.integer)) and not isinstance(y, bool):
            if not -width <= y < width or width == 1:
                raise TableError(f"{path}: no column {y} for the target; it has {width} columns, counted from 0")
            self.target = int(y) % width
            width -= 1
        elif y is not None:
            self.y = y
            if y.shape[:1] != (self.n_rows,) or len(y.shape) > 1 + numbers or y.shape[1:] == (0,):
                what = "numbers" if numbers else "labels"
                raise TableError(f"{path}: {self.n_rows} rows and {what} of shape {y.shape}: one a row is needed")
            self.n_targets = y.shape[1] if len(y.shape) == 2 else 1
        self.width = width
        self.dtype = np.dtype(np.float32 if self.file.dtype == np.float32 else np.float64)

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        stop = self.file.shape[0] if stop is None else stop
        rows = rows_a_chunk(self.width, self.dtype.itemsize)
        for low in range(start, stop, rows):
            yield self._block(low, min(low + rows, stop))

    def _block(self, low: int, high: int) -> Chunk:
        X, y = self.file.rows(low, high).reshape(high - low, -1), None
        if self.target is not None:
            y, X = X[:, self.target].copy(), np.delete(X, self.target, axis=1)
        elif self.y is not None:
            y = self.y.rows(low, high) if isinstance(self.y, NpyFile) else self.y[low:high]
            y = y[:, 0] if y.shape[1:] == (1,) else y
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused below
            X = np.ascontiguousarray(X, self.dtype)

        return self.settled(X, y, low, None if self.gone is None else self.gone[low:high])

    def labels(self) -> Generator[np.ndarray, None, None]:
        if isinstance(self.y, np.ndarray) and self.y.dtype.kind != "f" and self.gone is None:
            yield self.y
        else:
            yield from super().labels()


def _open(asked: Asked) -> Source:
    paths, stamps, drop = [stamp.path for stamp in asked.stamps], asked.stamps, asked.drop_missing
    y = asked.y
    labels: list[Any] = [y] * len(paths)
    content = gone = None
    if isinstance(y, (str, os.PathLike)) or _are_paths(y):
        _, label_paths = local_files(y)
        if len(label_paths) != len(paths):
            raise TableError(f"{len(paths)} files of rows and {len(label_paths)} of labels: give one for each")
        stamps = stamps + [Stamp.of(path) for path in label_paths]
        labels = [NpyFile(path) for path in label_paths]
    elif y is not None and (isinstance(y, bool) or not isinstance(y, (int, np.integer))):
        if len(paths) > 1:
            raise TableError("y is an array for several files of rows: give the path of each one's labels")
        array, gone = (_numbers_of_rows(y), None) if asked.numbers else _labels_of_rows(y)
        labels, content = [array], lambda: _digest(array, gone)
    parts = [NpyPart(path, part, drop, gone, asked.numbers) for path, part in zip(paths, labels, strict=True)]
    parts = with_rows(parts, f"an array of shape {parts[0].file.shape}; rows and columns, (n, d), are needed")
    for part in parts:
        if part.width != parts[0].width:
            raise TableError(f"{part.path}: {part.width} columns, and {parts[0].path} has {parts[0].width}")
        if part.n_targets != parts[0].n_targets:
            raise TableError(
                f"{part.path}: {part.n_targets} numbers a row, and {parts[0].path} has {parts[0].n_targets}"
            )
    dtype = np.dtype(np.float32 if all(part.dtype == np.float32 for part in parts) else np.float64)
    for part in parts:
        part.dtype = dtype
    return Source(
        "npy",
        [*parts],
        names=None,
        n_features=parts[0].width,
        dtype=dtype,
        target=parts[0].target,
        stamps=stamps,
        drop_missing=drop,
        content=content,
        labelled=y is not None,
        label_remedy=LABELS,
        n_targets=parts[0].n_targets,
    )


def _are_paths(y: Any) -> bool:
    several = isinstance(y, (list, tuple)) and len(y) > 0
    return several and all(isinstance(item, os.PathLike) or looks_like_path(item) for item in y)


def _labels_of_rows(y: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels in memory, one for each row, and which are missing (None: none)."""
    if np.ndim(y) == 0:
        raise TableError(f"y is a {type(y).__name__}: {LABELS}")
    try:
        return labels_and_gaps(y)
    except ValueError as error:
        raise TableError(str(error)) from None


def _numbers_of_rows(y: Any) -> np.ndarray:
    """Numbers in memory, one or several for each row, NaN for a missing one."""
    try:
        return numbers_and_gaps(y)
    except ValueError as error:
        raise TableError(str(error)) from None


def _digest(array: np.ndarray, gone: np.ndarray | None) -> dict[str, Any]:
    content = np.ascontiguousarray(array).tobytes() + (b"" if gone is None else gone.tobytes())
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return {"rows": len(array), "dtype": array.dtype.str, "digest": digest}


def _target(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return Path(text)


FORMATS = [Format("npy", (".npy",), _open, _target, has_names=False)]
