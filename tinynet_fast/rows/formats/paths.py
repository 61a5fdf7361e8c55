"""Finds the files that a path, a pattern or a folder stands for, on this machine or on a filesystem of fsspec."""

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats.base import File
from tinynet_fast.rows.formats.registry import format_of
from tinynet_fast.rows.pipes import is_address, is_pipe, local_path

PAIR = re.compile(r"([^=]+)=(.*)")
HIDDEN = ("_", ".")  # _SUCCESS, _metadata, .part.crc
TABLE_LOG = "_delta_log"
SEPARATORS = f"[{re.escape(os.sep + (os.altsep or ''))}]"
ANY_DEPTH = re.compile(rf"(?:^|(?<={SEPARATORS}))\*\*(?:{SEPARATORS}+\*\*)*(?={SEPARATORS}|$)")
MOST_WAYS = 1000  # by which links may lead to one folder


class Files(Protocol):
    """What a search needs of a filesystem."""

    def is_folder(self, path: str) -> bool: ...

    def exists(self, path: str) -> bool: ...

    def entries(self, folder: str) -> Iterable[tuple[str, bool]]:
        """The paths in a folder, and whether each is a folder."""

    def matches(self, pattern: str) -> Iterable[tuple[str, bool]]:
        """The paths that match a pattern, and whether each is a folder."""

    def identity(self, folder: str) -> Any:
        """Equal for two paths that lead to one folder by links."""

    def absolute(self, path: str) -> str: ...


class Ways:
    """Counts the ways in which a search came to each folder, so that links cannot lead it in circles or for ever.

    Several links to one folder are all followed, since the names on the way can be values of rows.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.found: Counter[Any] = Counter()

    def into(self, folder: str, above: frozenset[Any]) -> frozenset[Any] | None:
        """`above` with `folder` added; None if `folder` is one of those above it, to which a link led back."""
        here = self.files.identity(folder)
        if here in above:
            return None
        self.found[here] += 1
        if self.found[here] > MOST_WAYS:
            raise TableError(
                f"{folder}: links lead to this folder in more than {MOST_WAYS:,} ways: remove links, or name the "
                "files by patterns without **"
            )
        return above | {here}


class Local:
    """The filesystem of this machine."""

    is_folder, exists = staticmethod(os.path.isdir), staticmethod(os.path.lexists)

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        with os.scandir(folder) as found:  # (isdir, unlike the entry's is_dir, takes a link to itself for no folder)
            return [
                (entry.path, os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()) for entry in found
            ]

    def matches(self, pattern: str) -> list[tuple[str, bool]]:
        return [(path, os.path.isdir(path)) for path in self._found(pattern)]

    def _found(self, pattern: str) -> list[str]:
        """As glob.glob(pattern, recursive=True), which runs in circles if links lead back."""
        anywhere = ANY_DEPTH.search(pattern)
        if anywhere is None:
            return glob.glob(pattern)
        above, below = pattern[: anywhere.start()], pattern[anywhere.end() :]
        paths: dict[str, None] = {}
        for folder in self._folders(glob.glob(above) if above else [""]):
            name = glob.escape(folder)
            if below.strip(os.sep + (os.altsep or "")):
                paths |= dict.fromkeys(self._found(name + re.sub(f"^{SEPARATORS}+", "", below)))
            else:
                paths[folder] = None
                if not below:
                    paths |= dict.fromkeys(path for path in glob.glob(f"{name}*") if not os.path.isdir(path))
        paths.pop("", None)
        return list(paths)

    def _folders(self, folders: list[str]) -> Iterable[str]:
        """The folders and all folders in them, without hidden ones. Paths end in a separator or are empty."""
        ways = Ways(self)
        waiting = [(folder, frozenset[Any]()) for folder in folders if os.path.isdir(folder or os.curdir)]
        while waiting:
            folder, above = waiting.pop()
            try:
                inside = ways.into(folder, above)
                entries = [] if inside is None else self.entries(folder or os.curdir)
            except OSError:  # as glob does with a folder that may not be read
                inside, entries = above, []
            if inside is None:
                continue
            yield folder
            for path, is_folder in entries:
                name = os.path.basename(path)
                if is_folder and not name.startswith("."):
                    waiting.append((f"{folder}{name}{os.sep}", inside))

    def identity(self, folder: str) -> Any:
        status = os.stat(folder or os.curdir)
        return status.st_dev, status.st_ino

    def absolute(self, path: str) -> str:
        return os.path.abspath(path).replace(os.sep, "/")


class Remote:
    """A filesystem of fsspec."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def exists(self, path: str) -> bool:
        return "file" in self.filesystem.protocol and os.path.lexists(
            path
        )  # elsewhere it is a request for each pattern

    def is_folder(self, path: str) -> bool:
        return not self.filesystem.isfile(path) and self.filesystem.isdir(path)  # over HTTP the second reads the file

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        return self._sorted_out({entry["name"]: entry for entry in self.filesystem.ls(folder, detail=True)}, folder)

    def matches(self, pattern: str) -> list[tuple[str, bool]]:
        return self._sorted_out(self.filesystem.glob(pattern, detail=True), pattern)

    def identity(self, folder: str) -> Any:
        return folder

    @staticmethod
    def _sorted_out(found: dict[str, Any], asked: str) -> list[tuple[str, bool]]:
        own = asked.rstrip("/")  # stores of objects may list a folder as an entry of itself
        return [(name, info["type"] == "directory") for name, info in found.items() if name.rstrip("/") != own]

    def absolute(self, path: str) -> str:
        return path


def natural_key(path: str) -> tuple[list[Any], str]:
    """A key that sorts part.2 before part.10: numbers in names compare as numbers, as in Dask."""
    parts = re.split(r"([0-9]+)", path)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path


def search(item: str, files: Files) -> list[File]:
    """The files that a path, a pattern or a folder stands for, in natural order.

    In a folder, names that begin with "_" or "." are skipped. Folders in it are searched if they are called
    `name=value`. All files of a folder must have one readable format.

    Raises
    ------
    TableError
        If there is no file, or a folder holds files of several formats or of none that is known.
    """
    if glob.has_magic(item) and not files.exists(item):
        fixed = files.absolute(item).split("/")
        depth = next(i for i, part in enumerate(fixed) if glob.has_magic(part))
        paths = _matching(item, files, depth)
        if not paths:
            raise TableError(f"{item}: no file matches this pattern; correct it")
    elif files.is_folder(item):
        depth = len(files.absolute(item.rstrip("/") or "/").split("/"))
        paths = _in_folder(item, files, Ways(files))
        if not paths:
            raise TableError(
                f"{item}: no file is in this folder; name the files of its folders by a pattern, as folder/**/*.parquet"
            )
        _check_formats(sorted(paths, key=natural_key))
    else:
        return [_file(item, files, len(files.absolute(item).split("/")))]
    return [_file(path, files, depth) for path in sorted(set(paths), key=natural_key)]


def _in_folder(folder: str, files: Files, ways: Ways, above: frozenset[Any] = frozenset()) -> list[str]:
    paths: list[str] = []
    inside = ways.into(folder, above)
    if inside is None:
        return paths
    for path, is_folder in files.entries(folder):
        name = os.path.basename(path.rstrip("/"))
        if name == TABLE_LOG:
            raise TableError(
                f"{folder}: this is a Delta table, whose folder may hold rows that were deleted: read it with a Delta "
                "reader and pass the frame"
            )
        if name.startswith(HIDDEN):
            continue
        if not is_folder:
            paths.append(path)
        elif PAIR.fullmatch(name):
            paths += _in_folder(path, files, ways, inside)
    return paths


def _matching(pattern: str, files: Files, depth: int) -> list[str]:
    """The files that match a pattern, and the files in folders `name=value` that match it."""
    asked = tuple(part[0] for part in files.absolute(pattern).split("/")[depth:] if part.startswith(HIDDEN))
    paths, ways = [], Ways(files)
    for path, is_folder in files.matches(pattern):
        below = files.absolute(path).split("/")[depth:]
        if any(part.startswith(HIDDEN) and not part.startswith(asked) for part in below):
            continue
        if not is_folder:
            paths.append(path)
        elif below and PAIR.fullmatch(below[-1]):
            paths += _in_folder(path, files, ways)
    return paths


def _check_formats(paths: list[str]) -> None:
    first, kind = paths[0], format_of(paths[0])
    for path in paths:
        other, remedy = format_of(path), "name the files that are meant by a pattern, as folder/*.parquet"
        if other is None:
            raise TableError(f"{path}: a file of unknown format in a folder that is to be read: {remedy}")
        if other != kind:
            raise TableError(f"{path}: {other}, and {first} is {kind}: {remedy}")


def _file(path: str, files: Files, depth: int) -> File:
    """A file with the values of its folders. The user wrote the first `depth` names of its path."""
    folders = files.absolute(path).split("/")[:-1]
    values: dict[str, str] = {}
    found = set()
    for i in range(len(folders) - 1, -1, -1):
        pair = PAIR.fullmatch(folders[i])
        if pair is None:
            break
        name = unquote(pair[1])
        values = {name: unquote(pair[2])} | values
        if i >= depth:
            found.add(name)
    return File(path, values, frozenset(found))


def search_all(X: Any, one: Callable[[str], list[File]]) -> list[File]:
    """The files that a path or a list of paths stands for, each searched for by `one`."""
    files = []
    for item in X if isinstance(X, (list, tuple)) else [X]:
        text = os.fspath(item)
        files += one(os.fsdecode(text) if isinstance(text, bytes) else text)
    return files


def local_files(X: Any) -> tuple[list[File], list[Path]]:
    """The files on this machine that a path, a pattern, a folder or a list of them stands for, and what to open for
    each."""
    copies: dict[str, Path] = {}

    def one(item: str) -> list[File]:
        if is_pipe(item) or is_address(item):
            path = local_path(item)
            copies[str(path)] = path
            return [File(str(path))]
        return [replace(file, path=str(Path(file.path))) for file in search(item, Local())]

    files = search_all(X, one)
    return files, [copies.get(file.path, Path(file.path)) for file in files]


def looks_like_path(item: Any) -> bool:
    """Whether an item of a list of texts is taken for a path."""
    return isinstance(item, str) and (format_of(item) is not None or glob.has_magic(item) or os.path.isdir(item))
