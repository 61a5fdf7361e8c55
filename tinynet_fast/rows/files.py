"""Shared by all readers of tables: the error for a bad table, checks of column names, and optional libraries."""

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.rows.messages import listed, printable


class TableError(ValueError):
    """A table that cannot be used. The message names the file, the line and the column.

    It has one line of at most `messages.LONGEST` printable characters, whatever the file holds.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class EmptyFileError(TableError):
    """A text file that has neither column names nor rows."""


def checked_features(features: Sequence[str] | None) -> list[str] | None:
    """The names of chosen columns, or None if none were chosen. TableError if they are no list of texts."""
    if features is None:
        return None
    if isinstance(features, str) or not np.iterable(features) or not all(isinstance(name, str) for name in features):
        raise TableError("features: a list of column names is needed")
    return list(map(str, features))


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time; None if there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def no_such_column(path: Any, name: str, names: Sequence[str]) -> TableError:
    """The error for a missing column. It names the columns that exist."""
    shown = [known if known == known.strip() else repr(known) for known in names]
    return TableError(f"{path}: no column {name!r}; it has {listed(shown)}")


class Library:
    """An optional library, imported when it is first used: pyarrow alone takes a tenth of a second."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(need(self.name), attribute)  # not from sys.modules, where a thread may see half a module


def need(module: str) -> Any:
    """Import pyarrow or a part of scikit-learn, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        library, extra = ("scikit-learn", "sklearn") if module.startswith("sklearn") else ("pyarrow", "io")
        raise ImportError(
            f"reading this needs {library}: pip install 'tinynet-fast[{extra}]' (or pip install {library})"
        ) from None


def has_pyarrow() -> bool:
    """Whether pyarrow can be imported."""
    try:
        need("pyarrow")
    except ImportError:
        return False
    return True
