"""Data larger than memory: paths, Arrow streams and iterators, read as chunks of rows in order.

`open_source` looks at what it is given and opens it; what all sources have in common is `Source` in `base.py`.
"""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import EmptyFileError, TableError, checked_features
from tinynet_fast.rows.formats.base import NPY_LABELS, Chunk, Like, Source, Stamp, need
from tinynet_fast.rows.formats.paths import COMPRESSED, FORMATS, File, Local, format_of, search, search_all
from tinynet_fast.rows.pipes import Spooled, is_address, is_pipe, local_path
from tinynet_fast.rows.sparse import FIRST_INDEX

__all__ = ["FIRST_INDEX", "Chunk", "Like", "Source", "TableError", "is_source", "need", "open_source"]


def is_source(X: Any) -> bool:
    """Whether X is to be streamed: paths, Arrow readers and datasets, iterators and functions that make them.

    Frames and arrays are not: they stay in memory. In a list of texts each has to look like a path.
    """
    from tinynet_fast.rows.formats.iterators import is_arrow

    if isinstance(X, (str, os.PathLike, Source)):
        return True
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, os.PathLike) or _looks_like_path(item) for item in X)
    if isinstance(X, (np.ndarray, type)):
        return False
    if is_arrow(X):
        return True
    return hasattr(X, "__next__") or (callable(X) and not hasattr(X, "__array__") and not hasattr(X, "__len__"))


def first_format(X: Any) -> str | None:
    """The format of the first of some files. A pipe is read once, so it is not opened here."""
    first = os.fspath(X[0] if isinstance(X, (list, tuple)) else X)
    return format_of(first if is_pipe(first) else _files(first)[0][0].path)


def names_files(X: Any) -> bool:
    """Whether X is a path or a list of nothing but paths and texts."""
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, (str, os.PathLike)) for item in X)
    return isinstance(X, (str, os.PathLike))


def _looks_like_path(item: Any) -> bool:
    return isinstance(item, str) and (format_of(item) is not None or glob.has_magic(item) or os.path.isdir(item))


def open_source(
    X: Any,
    y: Any = None,
    *,
    features: Sequence[str] | None = None,
    drop_missing: bool = False,
    like: Like | None = None,
    names: list[str] | None = None,
) -> Source:
    """Open rows that need not fit in memory.

    Parameters
    ----------
    X : path, pattern, folder, list of these, pyarrow Dataset or RecordBatchReader, iterator, callable, or Source
        Files: CSV and .tsv (also .gz, .bz2, .zst), Parquet, Arrow IPC and Feather, .npy, svmlight. Files without rows
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
    from tinynet_fast.rows.formats.iterators import is_arrow

    if isinstance(X, Source):
        return X
    features = checked_features(features)
    columns = names if features is None else features
    if names_files(X):
        return _open_files(X, y, features, columns, drop_missing, like)
    if is_arrow(X):
        return _open_arrow(X, y, columns, drop_missing)
    if is_source(X):
        return _open_iterator(X, y, features, columns, drop_missing)
    raise TableError(f"X is a {type(X).__name__}; a path, an Arrow reader or an iterator of blocks is needed")


def _kind(path: Path) -> str | None:
    return format_of(path.name) or ("csv" if isinstance(path, Spooled) else None)


def _files(X: Any) -> tuple[list[File], list[Path]]:
    """The local files that a path, a pattern, a folder or a list of them stands for, and what to open for each."""
    copies: dict[str, Path] = {}

    def one(item: str) -> list[File]:
        if is_pipe(item) or is_address(item):
            path = local_path(item)
            copies[str(path)] = path
            return [File(str(path))]
        return [replace(file, path=str(Path(file.path))) for file in search(item, Local())]

    files = search_all(X, one)
    return files, [copies.get(file.path, Path(file.path)) for file in files]


def _paths(X: Any) -> list[Path]:
    return _files(X)[1]


def _open_files(
    X: Any, y: Any, features: list[str] | None, columns: list[str] | None, drop: bool, like: Like | None
) -> Source:
    """`columns` are taken from files whose columns have names; files without names refuse `features`."""
    files, paths = _files(X)
    kinds = []
    for path in paths:
        kind = _kind(path)
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
    return _open_tables(kind, files, stamps, y, columns, drop)


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
    from tinynet_fast.rows.formats.arrow import Layout

    if y is not None and not isinstance(y, str):
        raise TableError(f"y is a {type(y).__name__}; here it is the name of the target column")
    layout = Layout(y, features)
    layout.drop = drop
    return layout


def _open_tables(
    kind: str, files: list[File], stamps: list[Stamp], y: Any, features: list[str] | None, drop: bool
) -> Source:
    if kind != "csv":
        need("pyarrow")
    from tinynet_fast.rows.formats import csv, ipc, parquet
    from tinynet_fast.rows.formats.folders import folder_values, in_folders, with_folders

    if kind == "csv":  # whose names have no spaces around them
        y = y.strip() if isinstance(y, str) else y
        features = None if features is None else [name.strip() for name in features]
    layout: Any = with_folders(_layout(y, features, drop), files)
    labels = csv.Labels(f"{stamps[0].path}, column {y!r}")
    makers: dict[str, Callable[[Stamp], Any]] = {
        "csv": lambda stamp: csv.CsvPart(stamp.path, layout, labels),
        "parquet": lambda stamp: parquet.ParquetPart(stamp.path, layout),
        "ipc": lambda stamp: ipc.IpcPart(stamp.path, layout, stamp.size),
        "ipc stream": lambda stamp: ipc.stream_part(stamp.path, layout),
    }
    parts = []
    for k, stamp in enumerate(stamps, 1):
        try:
            parts.append(in_folders(layout, makers[kind](stamp), stamp.path))
        except EmptyFileError:  # of nothing but line breaks
            if k == len(stamps) and not parts:
                raise
    why = "no rows below the column names" if kind == "csv" else "no rows: at least one is needed"
    content = folder_values(layout)
    source = _source(kind, _with_rows(parts, why), layout.whole, stamps=stamps, content=content)
    source.label_texts = labels if kind == "csv" else None
    return source


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
    from tinynet_fast.rows.formats.npy import NpyFile, NpyPart

    labels: list[Any] = [y] * len(paths)
    content = gone = None
    if isinstance(y, (str, os.PathLike)) or (isinstance(y, (list, tuple)) and is_source(y)):
        label_paths = _paths(y)
        if len(label_paths) != len(paths):
            raise TableError(f"{len(paths)} files of rows and {len(label_paths)} of labels: give one for each")
        stamps = stamps + [Stamp.of(path) for path in label_paths]
        labels = [NpyFile(path) for path in label_paths]
    elif y is not None and (isinstance(y, bool) or not isinstance(y, (int, np.integer))):
        if len(paths) > 1:
            raise TableError("y is an array for several files of rows: give the path of each one's labels")
        array, gone = _labels_of_rows(y)
        labels, content = [array], lambda: _digest(array, gone)
    parts = [NpyPart(path, part, drop, gone) for path, part in zip(paths, labels, strict=True)]
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


def _labels_of_rows(y: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """A label a row that came in memory, and which of them are missing (None: none)."""
    from tinynet_fast.rows.formats.iterators import block_labels

    if np.ndim(y) == 0:
        raise TableError(f"y is a {type(y).__name__}: {NPY_LABELS}")
    try:
        return block_labels(y)
    except ValueError as error:
        raise TableError(str(error)) from None


def _digest(array: np.ndarray, gone: np.ndarray | None) -> dict[str, Any]:
    import hashlib

    content = np.ascontiguousarray(array).tobytes() + (b"" if gone is None else gone.tobytes())
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return {"rows": len(array), "dtype": array.dtype.str, "digest": digest}


def _open_svmlight(paths: list[Path], stamps: list[Stamp], y: Any, drop: bool, like: Like | None) -> Source:
    from tinynet_fast.rows.formats.svmlight import SvmlightPart, settle_on_one_base

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
    from tinynet_fast.rows.formats.iterators import arrow_part

    layout = _layout(y, features, drop)
    part, repeatable = arrow_part(X, layout)
    return _source("arrow", [part], layout, repeatable=repeatable)


def _open_iterator(
    X: Iterator[Any] | Callable[[], Any], y: Any, features: list[str] | None, columns: list[str] | None, drop: bool
) -> Source:
    from tinynet_fast.rows.formats.iterators import IteratorPart

    if y is not None:
        raise TableError("y: an iterator gives its labels in its blocks, (X, y); leave y out")
    part = IteratorPart(X, drop, columns)
    if features is not None and not part.named:
        raise TableError("features: the columns of blocks have no names; leave features out")
    return Source(
        "iterator",
        [part],
        names=part.names,
        n_features=part.n_features,
        dtype=part.dtype,
        repeatable=part.repeatable,
        drop_missing=drop,
        labelled=part.labelled,
    )
