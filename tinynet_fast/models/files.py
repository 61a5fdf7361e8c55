"""Model files: JSON that any language can read, written whole or not at all, checked on the way in.

What is in a model is decided in `models.py`. Python writes a float with the shortest digits that give the same float
back, so weights survive the file bit for bit. Nothing is ever unpickled.
"""

import errno
import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

from tinynet_fast._version import __version__
from tinynet_fast.kernels.compiler.interrupts import TEMPORARY, written
from tinynet_fast.rows.messages import printable

FORMAT_VERSION = 1
LONGEST_NAME = 40  # characters of a file's name in that of its temporary file; systems take 255 bytes
MOST_FILES = 1000  # of a folder that are looked at before each write: 0.5 ms, of 0.7 ms for a model
STARTED = time.time()  # this process's files are written after this


class ModelFileError(ValueError):
    """A file that is no model, or one that this version cannot read. The message names the file and the place."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def check_folder(path: Path) -> None:
    """ValueError, before anything is computed, where there is no folder to write `path` to."""
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; make it first")


class _Raw(io.FileIO):
    """A file whose failed writes are told under the name that was asked for, which may not be its own."""

    def __init__(self, name: str, mode: str, path: str | os.PathLike[str], rights: int = 0o666) -> None:
        self.path = path
        super().__init__(name, mode, opener=lambda name, flags: os.open(name, flags, rights))

    def write(self, data: Any) -> int:
        with _telling(self.path):
            return super().write(data)

    def close(self) -> None:
        with _telling(self.path):
            super().close()


@contextmanager
def _telling(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the system refuses inside is told of `path`, and not of a temporary file or of no file at all."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def _buffered(raw: _Raw, mode: str) -> IO[Any]:
    binary = io.BufferedWriter(raw)
    return binary if "b" in mode else io.TextIOWrapper(binary, encoding="utf-8", newline="")


@contextmanager
def atomic_file(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """A file to write `path` with ("w" text, "wb" bytes): flushed, and renamed over `path` at the end, or gone."""
    if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
        with _telling(path):  # a pipe or a device is written to, never replaced
            raw = _Raw(os.fspath(path), "w", path)
        with _buffered(raw, mode) as file:
            yield file
        return

    target = Path(os.path.realpath(path))  # through a link, so that the file it points to is replaced and not the link
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file", str(path))
    remove_left_over(target, MOST_FILES)
    temporary = f"{target.parent / _prefix(target, os.getpid())}{os.urandom(8).hex()}.tmp"
    TEMPORARY[temporary] = None
    try:
        with _telling(path):
            # Made with the rights that it will have: to ask for the umask is to set it, for all threads.
            rights = target.stat().st_mode & 0o777 if target.exists() else None
            raw = _Raw(temporary, "x", path, 0o666 if rights is None else rights)
        with _buffered(raw, mode) as file:
            yield file
            file.flush()
            with _telling(path):
                os.fsync(file.fileno())
        with _telling(path):
            if rights is not None and os.stat(temporary).st_mode & 0o777 != rights:
                os.chmod(temporary, rights)
            os.replace(temporary, target)
        written(str(path))
    except BaseException:
        with suppress(OSError):  # what failed before is told
            os.unlink(temporary)
        raise
    finally:
        TEMPORARY.pop(temporary, None)


def remove_left_over(path: Path, most: int | None = None) -> None:
    """Remove the temporary files that processes of this machine were killed while writing `path` with.

    Looks at `most` files of the folder. What this user may not list or remove is left, for it is in nobody's way.
    """
    path = Path(os.path.realpath(path))
    before, after = _prefix(path, 0).rsplit("0", 1)
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after) + r"\w+\.tmp")
    with suppress(OSError), os.scandir(path.parent) as files:
        for file in islice(files, most):
            found = pattern.fullmatch(file.name)
            with suppress(OSError):
                if found and _is_left_over(file.path, int(found[1])):
                    os.unlink(file.path)


def _is_left_over(temporary: str, process: int) -> bool:
    """Whether the process that wrote this file has ended. In a container it may have had this process's number."""
    return os.stat(temporary).st_mtime < STARTED if process == os.getpid() else not _is_running(process)


def _prefix(path: Path, process: int) -> str:
    """What a temporary file's name begins with: the whole name of the file to be, or its hash, machine and process."""
    import hashlib
    import platform

    def digest(text: str) -> str:
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()

    name = path.name if len(path.name) <= LONGEST_NAME else f"{path.name[:LONGEST_NAME]}-{digest(path.name)}"
    return f".{name}.{digest(platform.node())}-{process}-"


def _is_running(process: int) -> bool:
    """Whether there may be a process with this number."""
    if os.name == "nt":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def write(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write a model's fields to `path`, whole or not at all."""
    import json

    head = {
        "format": "tinynet_fast model",
        "format_version": FORMAT_VERSION,
        "written_by": f"tinynet_fast {__version__}",
    }
    text = json.dumps(head | content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        with atomic_file(path) as file:
            file.write(text)
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(
            f"{path}: a text of the model holds half a character, {half!r} (a lone surrogate): use other texts"
        ) from None


def shortened(error: object, most: int = 200) -> str:
    """An error's text on one line, made printable."""
    return printable(" ".join(str(error).split()), most)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands in it twice")
    return found


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of the model in `path`; ModelFileError for a truncated, foreign or newer file."""
    import json

    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_each_once)
        if "\\ud" in text.lower():  # half a character may be written as an escape, and could not be saved again
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ModelFileError(f"{path}: not a model file: a text in it is half a character (a lone surrogate)") from None
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path}: not a model file: byte {error.start} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ModelFileError(
            f"{path}, line {error.lineno}, column {error.colno}: not a model file, or a truncated one: {error.msg}"
        ) from None
    except RecursionError:
        raise ModelFileError(f"{path}: not a model file: nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits, a name that stands twice
        raise ModelFileError(f"{path}: not a model file: {shortened(error)}") from None
    if not isinstance(content, dict) or content.get("format") != "tinynet_fast model":
        raise ModelFileError(f"{path}: not a model file: it lacks the field 'format' with 'tinynet_fast model'")
    version = content.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"{path}: field 'format_version' is {shortened(repr(version), 40)}, not a version number")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: written by {shortened(content.get('written_by', 'an unknown version'), 40)} in format "
            f"{shortened(version, 40)}; "
            f"this is tinynet_fast {__version__}, which reads up to format {FORMAT_VERSION}: upgrade it"
        )
    return content
