"""Paths that are no plain files: pipes and standard input, which can be read only once, and network addresses.

A pipe is copied to a temporary file first, so it is opened once and can still be read several times.
"""

import os
import re
import shutil
import stat
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

from tinynet_fast.kernels.compiler.interrupts import TEMPORARY
from tinynet_fast.rows.files import TableError

STDIN = ("-", "/dev/stdin")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # `Path` makes one slash of two; a drive of Windows is one letter


class Spooled(type(Path())):  # type: ignore[misc]
    """The path of a copy of a pipe. Messages show the pipe's name. The copy is removed with this object."""

    shown = ""

    def __str__(self) -> str:
        return self.shown or self.__fspath__()

    def __fspath__(self) -> str:
        return os.path.join(*self.parts)


def local_path(path: str | os.PathLike[str]) -> Path:
    """A path that can be opened many times. If `path` is a pipe or standard input, it is the path of a copy.

    Raises
    ------
    TableError
        If the path is an address such as s3://bucket/file.csv, a device, or a terminal.
    OSError
        If a pipe cannot be read, or its copy cannot be written.
    """
    text = os.fspath(path)
    if is_pipe(text):
        return _copied(text)
    if is_address(text):
        scheme = text.partition(":")[0].lower()
        if scheme == "file":
            raise TableError(f"{text}: leave file:// out and name the path")
        raise TableError(
            f"{text}: only files on this machine are read here: copy the file, or train with tinynet_fast.dask or "
            f"tinynet_fast.spark, which read Parquet files on {scheme}://"
        )
    return Path(text)


def is_address(text: str) -> bool:
    """Whether a path is a URL and not a file on this machine."""
    return ADDRESS.match(text) is not None and not os.path.lexists(text)


def is_pipe(text: str) -> bool:
    """Whether a path is a pipe or standard input. Opens nothing."""
    if text in STDIN:
        return True
    try:
        mode = os.stat(text).st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise TableError(f"{text}: this is a device; name a file or a pipe")
    return stat.S_ISFIFO(mode)


def _copied(text: str) -> Path:
    folder = tempfile.mkdtemp(prefix="tinynet_fast-")
    copy = Spooled(folder, "stdin" if text in STDIN else os.path.basename(text))
    copy.shown = "standard input" if text in STDIN else text
    TEMPORARY.update({os.fspath(copy): None, folder: None})
    remove = weakref.finalize(copy, _remove, os.fspath(copy), folder)
    try:
        with open(copy, "wb") as file, _opened(text) as pipe:
            shutil.copyfileobj(pipe, file, 1 << 20)
    except BaseException as error:
        remove()
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            raise OSError(error.errno, f"{error.strerror}, while it was copied into {folder}", copy.shown) from None
        raise
    return copy


def _remove(copy: str, folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path in (copy, folder):
        TEMPORARY.pop(path, None)


def _opened(text: str) -> Any:
    if text not in STDIN:
        return open(text, "rb")
    try:
        number = sys.stdin.fileno()
    except (AttributeError, ValueError):  # of a notebook, or of a program without a console
        raise TableError(f"{text}: there is no standard input to read; name a file") from None
    if os.isatty(number):
        raise TableError(f"{text}: standard input is a terminal; pipe a CSV file into it, or name a file")
    return open(os.dup(number), "rb")
