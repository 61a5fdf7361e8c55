"""The table of file formats. Each format's file says what it reads; `formats/__init__.py` fills the table."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynet_fast.rows.formats.base import File, Like
from tinynet_fast.rows.formats.source import Source, Stamp

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


@dataclass(frozen=True)
class Asked:
    """Files of one format to open, and the user's options (see `open_source`).

    `columns` are the columns to take if columns have names: `features`, or the names that a model knows. `files` also
    holds files of zero bytes, for which there is no stamp. If `raw`, columns are read as the files have them. If rows
    have `numbers` to learn, .npy files may give several for each row. `separator` and `encoding` are those of CSV
    files; None if they are to be found.
    """

    files: list[File]
    stamps: list[Stamp]
    y: Any
    features: list[str] | None
    columns: list[str] | None
    drop_missing: bool
    like: Like | None
    raw: bool = False
    separator: str | None = None
    encoding: str | None = None
    numbers: bool = False

    @property
    def first(self) -> Path:
        """The first file, for messages."""
        return self.stamps[0].path


@dataclass(frozen=True)
class Format:
    """A format: its name, the endings of its files, and the function that opens files.

    Files of a `text` format may have zero bytes if another file has some. A `packed` format is also read from .gz, .bz2
    and .zst files.
    """

    name: str
    endings: tuple[str, ...]
    open: Callable[[Asked], Source]
    target: Callable[[str], Any] = str  # what `y` is for a target named in text, as on the command line
    has_names: bool = True  # whether columns have names, by which they can be taken
    text: bool = False
    packed: bool = False


FORMATS: dict[str, Format] = {}  # by the endings


def format_at(path: str) -> Format | None:
    """The format that a file's name stands for, or None."""
    name = Path(os.path.basename(path).lower())
    if name.suffix not in COMPRESSED:
        return FORMATS.get(name.suffix)
    inside = FORMATS.get(Path(name.stem).suffix)
    return inside if inside is not None and inside.packed else None


def format_of(path: str) -> str | None:
    """The name of that format, or None."""
    found = format_at(path)
    return None if found is None else found.name
