"""Opens data that may be larger than memory: files, Arrow streams and iterators, read in chunks of rows.

`open_source` finds the format and calls the function that opens it. To add a format of files, write a file with
`FORMATS` (see `registry.py`) and name it in the loop below. `Source` in `source.py` is what all of them return.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, checked_features, need
from tinynet_fast.rows.formats import csv, ipc, npy, parquet, svmlight
from tinynet_fast.rows.formats.base import Chunk, Like, RawBlock
from tinynet_fast.rows.formats.dialect import checked_encoding, checked_separator
from tinynet_fast.rows.formats.iterators import is_arrow, open_arrow, open_iterator
from tinynet_fast.rows.formats.paths import local_files, looks_like_path
from tinynet_fast.rows.formats.registry import COMPRESSED, FORMATS, Asked, Format, format_at
from tinynet_fast.rows.formats.source import Source, Stamp
from tinynet_fast.rows.pipes import Spooled, is_pipe
from tinynet_fast.rows.sparse import FIRST_INDEX

__all__ = [
    "FIRST_INDEX",
    "Chunk",
    "Like",
    "RawBlock",
    "Source",
    "TableError",
    "is_source",
    "need",
    "open_raw",
    "open_source",
]

TEXT = ".txt"  # the ending of Excel's "Unicode text", and of many tables of R: CSV if a table is read as it is stored

for _module in (csv, parquet, ipc, npy, svmlight):
    FORMATS.update((ending, made) for made in _module.FORMATS for ending in made.endings)


def is_source(X: Any) -> bool:
    """Whether X is read in chunks: paths, Arrow readers and datasets, iterators and functions that make them.

    Frames and arrays are not; they stay in memory. In a list of texts, each has to look like a path.
    """
    if isinstance(X, (str, os.PathLike, Source)):
        return True
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, os.PathLike) or looks_like_path(item) for item in X)
    if isinstance(X, (np.ndarray, type)):
        return False
    if is_arrow(X):
        return True
    return hasattr(X, "__next__") or (callable(X) and not hasattr(X, "__array__") and not hasattr(X, "__len__"))


def format_in(X: Any) -> Format | None:
    """The format of files, by the name of the first one; None if X is no path, or the name does not tell.

    A pipe is read once, so it is not opened here.
    """
    item = X[0] if isinstance(X, (list, tuple)) and X else X
    if not isinstance(item, (str, os.PathLike)):
        return None
    first = os.fspath(item)
    return format_at(first if is_pipe(first) else local_files(first)[0][0].path)


def target_in(path: str | os.PathLike[str], target: str) -> Any:
    """What the target is called in a file's format: a column's name; for .npy the labels' file or a column's number."""
    found = format_in(path)
    return target if found is None else found.target(target)


def names_files(X: Any) -> bool:
    """Whether X is a path or a list of nothing but paths and texts."""
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, (str, os.PathLike)) for item in X)
    return isinstance(X, (str, os.PathLike))


def open_source(
    X: Any,
    y: Any = None,
    *,
    features: Sequence[str] | None = None,
    drop_missing: bool = False,
    like: Like | None = None,
    names: list[str] | None = None,
    numbers: bool = False,
) -> Source:
    """Open rows that need not fit in memory.

    Parameters
    ----------
    X : path, pattern, folder, list of these, pyarrow Dataset or RecordBatchReader, iterator, callable, or Source
        Files: CSV and .tsv (also .gz, .bz2, .zst), Parquet, Arrow IPC and Feather, .npy, svmlight. Commas, semicolons,
        tabs or "|" separate the cells of CSV files, and names that R gave the rows are no column. Files without rows
        are left out. The files of a folder or a pattern are read in natural order: part.2 comes before part.10. In a
        folder, names that begin with "_" or "." are skipped. Folders called name=value, as in
        year=2020/part.0.parquet, give each row one more column. A pipe, or "-" for standard input, is copied once into
        a temporary file; it is CSV unless its name says otherwise. An iterator gives blocks (X, y); a callable makes
        such an iterator for each pass.
    y : str, optional
        The name of the target column. For .npy an array, a path, or the number of a column, from 0. Left out for
        svmlight files and blocks, which hold their labels, and for prediction.
    features : sequence of str, optional
        The columns to take, in this order. If left out: all but the target and an index that pandas or Dask wrote
        (also one with a name, which pandas notes in Parquet and Arrow files). Spaces around the names in a CSV file do
        not count. Not for .npy and svmlight, whose columns have no names.
    drop_missing : bool
        Leave rows with a missing value out, and count them.
    like : Like, optional
        The width and the first index of the rows that a model was trained on. For svmlight files, which do not say how
        wide their rows are.
    names : list of str, optional
        The names of the inputs, as a model knows them. If `features` is left out and the columns have names, those
        with these names are taken. From other rows (.npy, svmlight, blocks of arrays) all columns, in their order.
    numbers : bool
        Whether the labels of .npy files and blocks are numbers to learn, one or several for each row. (For tables see
        `number_targets.open_numbers`.)

    Raises
    ------
    TableError
        A ValueError that names file, line or row, and column.
    OSError
        If a file is missing or cannot be read.
    ImportError
        If pyarrow (Parquet, Arrow, .csv.zst) or scikit-learn (svmlight) is needed and not installed.

    Examples
    --------
    >>> from tinynet_fast.rows.formats import open_source
    >>> source = open_source(lambda: iter([([[1.0], [2.0]], [0, 1])]))
    >>> [chunk.y.tolist() for chunk in source.chunks()]
    [[0, 1]]
    """
    if isinstance(X, Source):
        return X
    features = checked_features(features)
    columns = names if features is None else features
    if names_files(X):
        return _open_files(X, y, features, columns, drop_missing, like, numbers=numbers)
    if is_arrow(X):
        return open_arrow(X, y, columns, drop_missing)
    if is_source(X):
        return open_iterator(X, y, features, columns, drop_missing, numbers)
    raise TableError(f"X is a {type(X).__name__}; a path, an Arrow reader or an iterator of blocks is needed")


def open_raw(
    X: Any, *, separator: str | None = None, encoding: str | None = None, names: Sequence[str] | None = None
) -> Source:
    """Open a table as it is stored: `raw_blocks` of the source gives all columns by name, of any type.

    Parameters
    ----------
    X : path, pattern, folder, list of these, pyarrow Dataset or RecordBatchReader
        As for `open_source`, and .txt files, which are CSV. Files without column names (.npy, svmlight) and iterators
        of blocks are refused.
    separator : str, optional
        The character between the cells of a CSV file. If left out, it is found: a comma, a semicolon, a tab or "|".
    encoding : str, optional
        The encoding of a CSV file, such as "latin-1" or "cp1252". If left out: UTF-8, or UTF-16 with its mark.
    names : sequence of str, optional
        The columns to read, in this order. If left out: all but an index that pandas, Dask or R wrote.

    Raises
    ------
    TableError, OSError, ImportError
        As `open_source` does.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinynet_fast.rows.formats import open_raw
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("school;G3\\nGP;12\\nMS;9\\n")
    ...     [list(map(str, block.columns["school"])) for block in open_raw(path).raw_blocks()]
    [['GP', 'MS']]
    """
    columns = checked_features(names)
    texts: dict[str, Any] = {"separator": checked_separator(separator), "encoding": checked_encoding(encoding)}
    if names_files(X):
        return _open_files(X, None, columns, columns, False, None, raw=True, **texts)
    if is_arrow(X):
        return open_arrow(X, None, columns, False, raw=True)
    raise TableError(f"X is a {type(X).__name__}; a path, or an Arrow dataset or reader is needed")


def _open_files(
    X: Any,
    y: Any,
    features: list[str] | None,
    columns: list[str] | None,
    drop: bool,
    like: Like | None,
    raw: bool = False,
    numbers: bool = False,
    **texts: Any,
) -> Source:
    files, paths = local_files(X)
    kinds = [_format(path, raw) for path in paths]
    kind = kinds[0]
    for path, other in zip(paths, kinds, strict=True):
        if other != kind:
            raise TableError(f"{path}: {other.name}, and {paths[0]} is {kind.name}: give files of one format at a time")
    stamps = _with_bytes(kind, [Stamp.of(path) for path in paths])
    if raw and not kind.has_names:
        raise TableError(f"{stamps[0].path}: the columns of a {kind.name} file have no names, and they are needed here")
    given = [name for name, value in texts.items() if value is not None]
    if given and not kind.text:
        raise TableError(f"{stamps[0].path}: {given[0]} is for CSV files, and this is {kind.name}; leave it out")
    if features is not None and not kind.has_names:
        raise TableError(f"{stamps[0].path}: its columns have no names; leave features out")
    return kind.open(Asked(files, stamps, y, features, columns, drop, like, raw, numbers=numbers, **texts))


def _format(path: Path, raw: bool) -> Format:
    found = format_at(path.name)
    if found is None and (isinstance(path, Spooled) or (raw and path.suffix.lower() == TEXT)):
        return FORMATS[".csv"]
    if found is None:
        known = ", ".join(FORMATS)
        raise TableError(f"{path}: unknown suffix {path.suffix!r}; {known} are read, and .csv.gz, .csv.zst")
    return found


def _with_bytes(kind: Format, stamps: list[Stamp]) -> list[Stamp]:
    """The files that hold something. A text file without a byte is left out, unless there is no other file."""
    full = [stamp for stamp in stamps if stamp.size > 0]
    for stamp in stamps:
        if stamp.size == 0 and not (full and kind.text and stamp.path.suffix.lower() not in COMPRESSED):
            raise TableError(f"{stamp.path}: the file is empty")
    return full
