"""Columns from the names of folders, as in year=2020/part.0.parquet."""

from collections.abc import Callable, Generator
from contextlib import closing
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.rows.files import Library, TableError, has_pyarrow, no_such_column
from tinynet_fast.rows.formats.arrow import Layout
from tinynet_fast.rows.formats.base import REMEDY, Chunk, File, Part, RawBlock

pa = Library("pyarrow")
NOTHING = "__HIVE_DEFAULT_PARTITION__"  # a folder's value for rows without one
LABELS_AT_ONCE = 1 << 16

Value = int | float | str | None


def typed(texts: list[str]) -> list[Value]:
    """Texts as whole numbers, numbers, or else text: the first that fits all. None for a missing value."""
    there = [text for text in texts if text != NOTHING]
    for kind in (_whole, _number):
        try:
            values: dict[str, Value] = {text: kind(text) for text in there}
        except ValueError:
            continue
        break
    else:
        values = {text: text for text in there}
    return [values.get(text) for text in texts]


def _whole(text: str) -> int:
    if len(text) > 18 or "_" in text:
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    if "_" in text or not np.isfinite(float(text)):
        raise ValueError
    return float(text)


def with_folders(layout: Layout, files: list[File]) -> Layout:
    """`layout`, or one that also has the columns of the files' folders.

    Such a column is an input by default if the search found the folder, or if files differ in its value. If the user
    wrote it in the path, with one value for all files, it has to be named in `features`.
    """
    names = list(dict.fromkeys(name for file in files for name in file.values))
    if not names:
        return layout
    values: dict[str, dict[str, Value]] = {file.path: {} for file in files}
    default = []
    for name in names:
        having = [file for file in files if name in file.values]
        texts = [file.values[name] for file in having]
        same = [None if text == NOTHING else text for text in texts]
        for file, value in zip(having, same if layout.raw else typed(texts), strict=True):
            values[file.path][name] = value
        if len(set(texts)) > 1 or any(name in file.found for file in having):
            default.append(name)
    return FolderLayout(layout, values, default)


class FolderLayout(Layout):
    """A layout for the columns in the files; `whole` is the layout with those from folders.

    A column that the first file itself holds is not taken from folders. Any other column from folders must be there for
    all files.
    """

    def __init__(self, layout: Layout, values: dict[str, dict[str, Value]], default: list[str]) -> None:
        super().__init__(layout.target, None if layout.open_ended else layout.names)
        self.raw, self.drop, self.values, self.default = layout.raw, layout.drop, values, default
        self.label, self.wanted = layout.target, None if layout.open_ended else list(layout.names)
        self.added: list[str] = []
        self.label_added = False

    def check_names(self, path: Any, columns: list[str], index: frozenset[str] = frozenset()) -> None:
        here = self.values[str(path)]
        if not self.first:
            names = dict.fromkeys(name for values in self.values.values() for name in values)
            elsewhere = [name for name in names if name not in columns]
            self.label_added = self.label in elsewhere
            self.target = None if self.label_added else self.label
            wanted = self.default if self.wanted is None else self.wanted
            self.added = [name for name in wanted if name in elsewhere and name != self.label]
            if self.wanted is not None:
                self.names = [name for name in self.wanted if name not in self.added]
                if not self.names:
                    raise TableError("features: name at least one column that is in the files themselves")
        for name in self.used:
            if name not in here:
                if name in columns:
                    raise TableError(
                        f"{path}: the file itself holds the column {name!r}, which others have from their folders: "
                        "give files that have it from one place"
                    )
                raise no_such_column(path, name, [*columns, *here])
        for name in self.added:
            if isinstance(here[name], str) and not self.raw:
                raise TableError(
                    f"{path}, column {name!r}: the folder's name holds the text {here[name]!r}, no number: leave the "
                    "column out of the features"
                )
        super().check_names(path, columns, index)

    @property
    def used(self) -> list[str]:
        """The columns that come from folders."""
        return [*self.added, *([str(self.label)] if self.label_added else [])]

    @property
    def whole(self) -> Layout:
        names = [*self.names, *self.added] if self.wanted is None else self.wanted
        layout = Layout(self.label, names)
        layout.raw, layout.drop, layout.first = self.raw, self.drop, self.first
        layout.dtype = np.dtype(np.float64) if self.added else self.dtype
        return layout


def folder_values(layout: Layout) -> Callable[[], list[list[Value]]] | None:
    """A function that returns the values from folders, file by file; None if there are no such columns.

    They go into the fingerprint of the data, without the paths, which can be spelled in several ways.
    """
    if not isinstance(layout, FolderLayout) or not layout.used:
        return None
    return lambda: [[here.get(name) for name in layout.used] for here in layout.values.values()]


def in_folders(layout: Layout, part: Part, path: Any) -> Part:
    """A file's part, with the columns from its folders if the layout has such."""
    return InFolders(part, layout, path) if isinstance(layout, FolderLayout) and layout.used else part


def _repeated(value: Value, rows: int) -> Any:
    """A column of texts that all are `value`."""
    if not has_pyarrow():
        return ["" if value is None else value] * rows
    return pa.repeat(pa.scalar(value, pa.string()), rows)


class InFolders(Part):
    """A file whose rows get more columns, each with one value for all rows. Places are those of the file's part."""

    def __init__(self, part: Part, layout: FolderLayout, path: Any) -> None:
        self.inner, self.layout, self.path, self.here = part, layout, path, layout.values[str(path)]
        self.n_rows, self.anywhere = part.n_rows, part.anywhere

    def where(self, place: Any, i: int) -> str:
        return self.inner.where(place, i)

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        layout, whole = self.layout, self.layout.whole
        order = [(layout.names.index(name) if name in layout.names else None) for name in whole.names]
        missing = [name for name in layout.used if self.here[name] is None]
        with closing(self.inner.read(start, stop)) as chunks:
            for chunk in chunks:
                X, y = chunk.X, chunk.y
                if missing and not layout.drop:
                    place = self.where(chunk.place, 0)
                    raise TableError(f"{place}, column {missing[0]!r}: the value is missing: {REMEDY}")
                if missing:
                    y = None if layout.label is None else np.empty(0)
                    yield Chunk(np.empty((0, len(order)), whole.dtype), y, chunk.place, np.zeros(chunk.rows, bool))
                    continue
                if layout.added:
                    X = np.empty((len(X), len(order)), whole.dtype)
                    for j, k in enumerate(order):
                        X[:, j] = self.here[whole.names[j]] if k is None else chunk.X[:, k]
                if layout.label_added:
                    y = np.full(len(X), self.here[str(layout.label)])
                yield Chunk(X, y, chunk.place, chunk.kept)

    def only(self, names: list[str]) -> "InFolders":
        part, layout = copy(self), copy(self.layout)
        layout.wanted, layout.added = names, [name for name in names if name in self.layout.added]
        layout.names = [name for name in names if name not in layout.added]
        if not layout.names:
            raise TableError(f"{self.path}: name at least one column that is in the files themselves")
        part.inner, part.layout = self.inner.only(layout.names), layout
        return part

    def raw(self) -> Generator[RawBlock, None, None]:
        with closing(self.inner.raw()) as blocks:
            for block in blocks:
                columns = {name: block.columns.get(name) for name in self.layout.whole.names}
                for name in self.layout.added:
                    columns[name] = _repeated(self.here[name], block.rows)
                yield replace(block, columns=columns)

    def labels(self) -> Generator[np.ndarray, None, None]:
        if not self.layout.label_added:
            yield from self.inner.labels()
        elif self.n_rows is None or self.here[str(self.layout.label)] is None:
            yield from super().labels()
        else:
            for low in range(0, self.n_rows, LABELS_AT_ONCE):
                yield np.full(min(LABELS_AT_ONCE, self.n_rows - low), self.here[str(self.layout.label)])
