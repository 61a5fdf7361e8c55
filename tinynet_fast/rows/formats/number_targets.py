"""Opens rows that have numbers to learn, one for each row or several. `open_source` opens rows that have labels."""

from collections.abc import Generator, Sequence
from contextlib import closing
from copy import copy
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, checked_features, first_repeated, no_such_column
from tinynet_fast.rows.formats import format_in, names_files, open_source
from tinynet_fast.rows.formats.base import Chunk, Part
from tinynet_fast.rows.formats.iterators import is_arrow
from tinynet_fast.rows.formats.source import Source
from tinynet_fast.rows.frames import target_names


class WithNumbers(Part):
    """A part of which some columns are numbers to learn and the others are inputs.

    So numbers are read as inputs are: missing values, infinity and text are found where inputs have them.
    """

    def __init__(self, part: Part, places: list[int], width: int) -> None:
        self.inner, self.path, self.n_rows, self.anywhere = part, part.path, part.n_rows, part.anywhere
        self.places, self.inputs = places, [j for j in range(width) if j not in places]

    def where(self, place: Any, i: int) -> str:
        return self.inner.where(place, i)

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        with closing(self.inner.read(start, stop)) as chunks:
            for chunk in chunks:
                y = chunk.X.take(self.places, axis=1).astype(np.float64)
                y = y[:, 0].copy() if len(self.places) == 1 else y
                yield Chunk(chunk.X.take(self.inputs, axis=1), y, chunk.place, chunk.kept)


def open_numbers(X: Any, y: Any = None, *, features: Sequence[str] | None = None, drop_missing: bool = False) -> Source:
    """Open rows that need not fit in memory, and that have numbers to learn.

    Parameters
    ----------
    X, features, drop_missing
        As for `open_source`.
    y : str or list of str, optional
        The name of the column of numbers, or the names of several. For .npy the number of a column, or an array or a
        file of numbers, (n,) or (n, k). Left out for svmlight files and for blocks (X, y).

    Raises
    ------
    TableError, OSError, ImportError
        As `open_source` does.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinynet_fast.rows.formats.number_targets import open_numbers
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("size,rooms,price\\n50,2,110.5\\n80,3,170\\n")
    ...     [(chunk.X.tolist(), chunk.y.tolist()) for chunk in open_numbers(path, "price").chunks()]
    [([[50.0, 2.0], [80.0, 3.0]], [110.5, 170.0])]
    """
    targets = target_names(y, y if isinstance(y, (list, tuple)) else None) if _has_names(X) else None  # texts are names
    if targets is None:
        return open_source(X, y, features=features, drop_missing=drop_missing, numbers=True)
    targets = [name.strip() for name in targets] if _is_csv(X) else targets
    columns = columns_with(targets, features)
    return with_numbers(open_source(X, features=columns, drop_missing=drop_missing), targets)


def columns_with(targets: list[str], features: Sequence[str] | None) -> list[str] | None:
    """The columns to read, inputs and then targets; None if all others are inputs. TableError for a repeated name."""
    twice, features = first_repeated(targets), checked_features(features)
    if twice is not None:
        raise TableError(f"y names the column {twice!r} twice: name each target once")
    taken = next((name for name in targets if name in (features or ())), None)
    if taken is not None:
        raise TableError(f"features: {taken!r} is the target; leave it out of the features")
    return None if features is None else [*features, *targets]


def target_places(names: list[str], targets: list[str], place: Any) -> list[int]:
    """The places of the targets among all columns. TableError if one is missing, or if there is no other column."""
    lost = next((name for name in targets if name not in names), None)
    if lost is not None:
        raise no_such_column(place, lost, names)
    if len(names) == len(targets):
        raise TableError(
            f"{place}: it has no column beside the target {', '.join(map(repr, targets))}; name another file, "
            "or the features"
        )
    return [names.index(name) for name in targets]


def with_numbers(source: Source, targets: list[str]) -> Source:
    """The same rows, with some of their columns as numbers to learn."""
    assert source.names is not None
    places = target_places(source.names, targets, source.place)
    other, width = copy(source), source.n_features
    other.names = [name for name in source.names if name not in targets]
    other.parts = [WithNumbers(part, places, width) for part in source.parts]
    other.n_features, other.n_targets, other.labelled = len(other.names), len(targets), True
    other.target = targets[0] if len(targets) == 1 else targets
    other.label_texts, other._index, other._indexed = None, [], 0
    return other


def _has_names(X: Any) -> bool:
    """Whether the columns of a source have names, by which some can be taken."""
    if not names_files(X):
        return is_arrow(X)
    found = format_in(X)
    return found is None or found.has_names


def _is_csv(X: Any) -> bool:
    found = format_in(X) if names_files(X) else None
    return found is not None and found.name == "csv"
