"""Data larger than memory: paths, Arrow streams and iterators, read as chunks of rows in order.

`open_source` looks at what it is given and opens it; what all sources have in common is `Source` in `base.py`.
"""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.data.files import COMPRESSED, EmptyFileError, TableError
from tinynet_fast.data.pipes import Spooled, is_address, local_path
from tinynet_fast.data.sources.base import FIRST_INDEX, Chunk, Like, Source, Stamp, need

__all__ = ["FIRST_INDEX", "Chunk", "Like", "Source", "TableError", "has_names", "is_source", "need", "open_source"]

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc",
    ".feather": "ipc",
    ".ipc": "ipc",
    ".arrows": "ipc stream",
    ".npy": "npy",
    ".svm": "svmlight",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
}


def is_source(X: Any) -> bool:
    """Whether X is to be streamed: paths, Arrow readers and datasets, iterators and functions that make them.

    Frames and arrays are not: they stay in memory. In a list of texts each has to look like a path.
    """
    from tinynet_fast.data.sources.objects import is_arrow

    if isinstance(X, (str, os.PathLike, Source)):
        return True
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, os.PathLike) or _looks_like_path(item) for item in X)
    if isinstance(X, (np.ndarray, type)):
        return False
    if is_arrow(X):
        return True
    return hasattr(X, "__next__") or (callable(X) and not hasattr(X, "__array__") and not hasattr(X, "__len__"))


def has_names(X: Any) -> bool:
    """Whether the columns of `X`, which `open_source` takes, have names to look them up by."""
    from tinynet_fast.data.sources.objects import is_arrow

    if isinstance(X, Source):
        return X.names is not None
    if _names_files(X):
        first = X if isinstance(X, (str, os.PathLike)) else X[0]
        return _format(Path(first)) not in ("npy", "svmlight")
    return is_arrow(X)


def _names_files(X: Any) -> bool:
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, (str, os.PathLike)) for item in X)
    return isinstance(X, (str, os.PathLike))


def _looks_like_path(item: Any) -> bool:
    return isinstance(item, str) and (_format(Path(item)) is not None or glob.has_magic(item))


def open_source(
    X: Any,
    y: Any = None,
    *,
    features: Sequence[str] | None = None,
    drop_missing: bool = False,
    like: Like | None = None,
) -> Source:
    """Open rows that need not fit in memory.

    Parameters
    ----------
    X : path, glob, list of paths, pyarrow Dataset or RecordBatchReader, iterator, callable, or Source
        Files: CSV and .tsv (also .gz, .bz2, .zst), Parquet, Arrow IPC and Feather, .npy, svmlight. Files without rows
        are left out. A pipe, or "-" for standard input, is read once, into a temporary file; it is CSV unless its name
        says otherwise. An iterator gives blocks (X, y); a callable makes such an iterator for each pass.
    y : str, optional
        The name of the target column. For .npy an array, a path, or the number of a column. None for prediction.
    features : sequence of str, optional
        The columns to take, in this order; all but the target if left out. Spaces around the names in a CSV file do
        not count.
    drop_missing : bool
        Leave rows with a missing value out, and count them.
    like : Like, optional
        What the rows were that a model was trained on, for svmlight files, which do not say how wide their rows are.

    Raises
    ------
    TableError
        A ValueError naming file, line or row, and column.
    OSError
        If a file is missing or cannot be read.
    ImportError
        If pyarrow or scikit-learn is needed and not installed.

    Examples
    --------
    >>> from tinynet_fast.data.sources import open_source
    >>> source = open_source(lambda: iter([([[1.0], [2.0]], [0, 1])]))
    >>> [chunk.y.tolist() for chunk in source.chunks()]
    [[0, 1]]
    """
    from tinynet_fast.data.sources.objects import is_arrow

    if isinstance(X, Source):
        return X
    features = _checked(features)
    if _names_files(X):
        return _open_files(_paths(X), y, features, drop_missing, like)
    if is_arrow(X):
        return _open_arrow(X, y, features, drop_missing)
    if is_source(X):
        return _open_iterator(X, y, features, drop_missing)
    raise TableError(f"X is a {type(X).__name__}; a path, an Arrow reader or an iterator of blocks is needed")


def _checked(features: Sequence[str] | None) -> list[str] | None:
    if features is None:
        return None
    if isinstance(features, str) or not all(isinstance(name, str) for name in features):
        raise TableError("features: a list of column names is needed")
    return list(features)


def _format(path: Path) -> str | None:
    name = Path(path.name.lower())
    if name.suffix in COMPRESSED and FORMATS.get(Path(name.stem).suffix) == "csv":
        return "csv"
    return FORMATS.get(name.suffix, "csv" if isinstance(path, Spooled) else None)


def _paths(X: Any) -> list[Path]:
    """The files that a path, a glob or a list of them stands for; those of a glob are sorted."""
    paths: list[Path] = []
    for item in X if isinstance(X, (list, tuple)) else [X]:
        text = os.fspath(item)
        if isinstance(text, bytes):
            text = os.fsdecode(text)
        if glob.has_magic(text) and not os.path.lexists(text) and not is_address(text):
            found = sorted(name for name in glob.glob(text, recursive=True) if not os.path.isdir(name))
            if not found:
                raise TableError(f"{text}: no file matches this pattern; correct it")
            paths += map(Path, found)
        else:
            paths.append(local_path(text))
    return paths


def _open_files(paths: list[Path], y: Any, features: list[str] | None, drop: bool, like: Like | None) -> Source:
    kinds = []
    for path in paths:
        if path.is_dir():
            Stamp.of(path)  # which says what to do
        kind = _format(path)
        if kind is None:
            known = ", ".join(FORMATS)
            raise TableError(f"{path}: unknown suffix {path.suffix!r}; {known} are read, and .csv.gz, .csv.zst")
        kinds.append(kind)
    kind = kinds[0]
    for path, other in zip(paths, kinds, strict=True):
        if other != kind:
            raise TableError(f"{path}: {other}, and {paths[0]} is {kind}: give files of one format at a time")
    stamps = _with_bytes(kind, [Stamp.of(path) for path in paths])
    paths = [stamp.path for stamp in stamps]
    if kind in ("npy", "svmlight"):
        if features is not None:
            raise TableError(f"{paths[0]}: its columns have no names; leave features out")
        if kind == "svmlight":
            return _open_svmlight(paths, stamps, y, drop, like)
        return _open_npy(paths, stamps, y, drop)
    return _open_tables(kind, stamps, y, features, drop)


def _with_bytes(kind: str, stamps: list[Stamp]) -> list[Stamp]:
    """The files that hold something. A text file without a byte is left out, unless there is no other file."""
    text = kind in ("csv", "svmlight")
    full = [stamp for stamp in stamps if stamp.size > 0]
    for stamp in stamps:
        if stamp.size == 0 and not (full and text and stamp.path.suffix.lower() not in COMPRESSED):
            raise TableError(f"{stamp.path}: the file is empty")
    return full


def _with_rows(parts: list[Any], why: str) -> list[Any]:
    """The parts that have rows, or may have; TableError if none does."""
    found = [part for part in parts if part.n_rows != 0]
    if not found:
        raise TableError(f"{parts[0].path}: {why}")
    return found


def _layout(y: Any, features: list[str] | None, drop: bool) -> Any:
    from tinynet_fast.data.sources.arrow import Layout

    if y is not None and not isinstance(y, str):
        raise TableError(f"y is a {type(y).__name__}; here it is the name of the target column")
    layout = Layout(y, features)
    layout.drop = drop
    return layout


def _open_tables(kind: str, stamps: list[Stamp], y: Any, features: list[str] | None, drop: bool) -> Source:
    need("pyarrow")
    from tinynet_fast.data.sources import csv, ipc, parquet

    if kind == "csv":  # whose names have no spaces around them
        y = y.strip() if isinstance(y, str) else y
        features = None if features is None else [name.strip() for name in features]
    layout, labels = _layout(y, features, drop), csv.Labels()
    makers: dict[str, Callable[[Stamp], Any]] = {
        "csv": lambda stamp: csv.CsvPart(stamp.path, layout, labels),
        "parquet": lambda stamp: parquet.ParquetPart(stamp.path, layout),
        "ipc": lambda stamp: ipc.IpcPart(stamp.path, layout, stamp.size),
        "ipc stream": lambda stamp: ipc.stream_part(stamp.path, layout),
    }
    parts = []
    for k, stamp in enumerate(stamps, 1):
        try:
            parts.append(makers[kind](stamp))
        except EmptyFileError:  # of nothing but line breaks
            if k == len(stamps) and not parts:
                raise
    why = "no rows below the column names" if kind == "csv" else "no rows: at least one is needed"
    parts = _with_rows(parts, why)
    return _source(kind, parts, layout, stamps=stamps)


def _source(kind: str, parts: list[Any], layout: Any, **options: Any) -> Source:
    return Source(
        kind,
        parts,
        names=layout.names,
        n_features=len(layout.names),
        dtype=layout.dtype,
        target=layout.target,
        drop_missing=layout.drop,
        **options,
    )


def _open_npy(paths: list[Path], stamps: list[Stamp], y: Any, drop: bool) -> Source:
    from tinynet_fast.data.sources.npy import NpyFile, NpyPart

    labels: list[Any] = [y] * len(paths)
    content = None
    if isinstance(y, (str, os.PathLike)) or (isinstance(y, (list, tuple)) and is_source(y)):
        label_paths = _paths(y)
        if len(label_paths) != len(paths):
            raise TableError(f"{len(paths)} files of rows and {len(label_paths)} of labels: give one for each")
        stamps = stamps + [Stamp.of(path) for path in label_paths]
        labels = [NpyFile(path) for path in label_paths]
    elif y is not None and (isinstance(y, bool) or not isinstance(y, (int, np.integer))):
        if len(paths) > 1:
            raise TableError("y is an array for several files of rows: give the path of each one's labels")
        array = np.asarray(y)
        if array.dtype.kind not in "biufU":
            raise TableError(f"y holds labels of type {array.dtype}: use numbers, booleans or text")
        labels, content = [array], lambda: _digest(array)
    parts = [NpyPart(path, part, drop) for path, part in zip(paths, labels, strict=True)]
    parts = _with_rows(parts, f"an array of shape {parts[0].file.shape}; rows and columns, (n, d), are needed")
    for part in parts:
        if part.width != parts[0].width:
            raise TableError(f"{part.path}: {part.width} columns, and {parts[0].path} has {parts[0].width}")
    dtype = np.float32 if all(part.dtype == np.float32 for part in parts) else np.float64
    for part in parts:
        part.dtype = np.dtype(dtype)
    options: dict[str, Any] = {"target": parts[0].column, "stamps": stamps, "drop_missing": drop, "content": content}
    options["labelled"] = y is not None
    return Source("npy", [*parts], names=None, n_features=parts[0].width, dtype=dtype, **options)


def _digest(array: np.ndarray) -> dict[str, Any]:
    import hashlib

    digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
    return {"rows": len(array), "dtype": array.dtype.str, "digest": digest}


def _open_svmlight(paths: list[Path], stamps: list[Stamp], y: Any, drop: bool, like: Like | None) -> Source:
    from tinynet_fast.data.sources.svmlight import SvmlightPart, settle_on_one_base

    if y is not None:
        raise TableError(f"{paths[0]}: svmlight files hold their labels; leave y out")
    parts = _with_rows([SvmlightPart(path, drop) for path in paths], "the file is empty")
    width, first_index = settle_on_one_base(parts, like)
    return Source(
        "svmlight",
        [*parts],
        names=None,
        n_features=width,
        dtype=np.float64,
        stamps=stamps,
        drop_missing=drop,
        labelled=True,
        training={FIRST_INDEX: first_index},
    )


def _open_arrow(X: Any, y: Any, features: list[str] | None, drop: bool) -> Source:
    from tinynet_fast.data.sources.objects import arrow_part

    layout = _layout(y, features, drop)
    part, repeatable = arrow_part(X, layout)
    return _source("arrow", [part], layout, repeatable=repeatable)


def _open_iterator(X: Iterator[Any] | Callable[[], Any], y: Any, features: list[str] | None, drop: bool) -> Source:
    from tinynet_fast.data.sources.objects import IteratorPart

    if y is not None:
        raise TableError("y: an iterator gives its labels in its blocks, (X, y); leave y out")
    if features is not None:
        raise TableError("features: the columns of blocks have no names; leave features out")
    part = IteratorPart(X, drop)
    return Source(
        "iterator",
        [part],
        names=None,
        n_features=part.n_features,
        dtype=part.dtype,
        repeatable=part.repeatable,
        drop_missing=drop,
        labelled=part.labelled,
    )
