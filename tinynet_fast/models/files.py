"""Model files: JSON that any language can read. A file is written whole or not at all.

`fields.py` checks what is in a model. Python writes a float with the shortest digits that give the same float back, so
the file keeps every bit of the weights. Nothing is ever unpickled.
"""

import errno
import hashlib
import io
import json
import os
import platform
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

from tinynet_fast._version import __version__
from tinynet_fast.kernels.compiler.interrupts import TEMPORARY, done
from tinynet_fast.rows.messages import printable

# 5: a network for each label. 4: several models in one file. 3: models of other outputs than before. 2: models that
# read a person's table. Other models are written in format 1.
FORMAT_VERSION = 5
LONGEST_NAME = 40  # characters of a file's name that its temporary file's name repeats; systems allow 255 bytes
MOST_FILES = 1000  # files of a folder that are checked before each write: this takes 0.5 ms, writing a model 0.7 ms
STARTED = time.time()  # every file that this process writes is newer


class ModelFileError(ValueError):
    """The file is not a model, or this version cannot read it. The message names the file and the place."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def mode_of(path: Path) -> int | None:
    """What kind of file `path` is, for the functions of `stat`; None if there is none.

    It raises OSError if that cannot be known. From Python 3.14 on, `Path.exists` says then that there is none.
    """
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_folder(path: Path) -> None:
    """Raise ValueError if the folder of `path` does not exist. Call this before a long computation."""
    if not stat.S_ISDIR(mode_of(path.parent) or 0):
        raise ValueError(f"{path}: there is no folder {path.parent}; make it first")


class _Raw(io.FileIO):
    """A file whose errors name the path that the user gave, not the temporary file that is written."""

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
    """Errors of the system inside this block name `path` instead of a temporary file or no file."""
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
    """Open a temporary file ("w" text, "wb" bytes) that replaces `path` at the end. If anything fails it is removed."""
    if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
        with _telling(path):  # a pipe or a device must be written to, never replaced
            raw = _Raw(os.fspath(path), "w", path)
        with _buffered(raw, mode) as file:
            yield file
        return

    target = Path(os.path.realpath(path))  # if `path` is a link, replace the file that it points to
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file", str(path))
    remove_left_over(target, MOST_FILES)
    temporary = f"{target.parent / _prefix(target, os.getpid())}{os.urandom(8).hex()}.tmp"
    TEMPORARY[temporary] = None
    try:
        with _telling(path):
            # Create the file with its final rights: the umask cannot be read without changing it for all threads.
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
        done(f"{path} was written")
    except BaseException:
        with suppress(OSError):  # the first error is the one to report
            os.unlink(temporary)
        raise
    finally:
        TEMPORARY.pop(temporary, None)


def remove_left_over(path: Path, most: int | None = None) -> None:
    """Remove temporary files for `path` that killed processes of this machine left behind.

    Checks at most `most` files of the folder. Files that this user may not list or remove stay; they do no harm.
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
    """Whether the process that wrote this file has ended. In a container it may have had our own process number."""
    return os.stat(temporary).st_mtime < STARTED if process == os.getpid() else not _is_running(process)


def _prefix(path: Path, process: int) -> str:
    """The start of a temporary file's name: the final file's name, shortened with a hash if it is long, a hash of the
    machine's name, and the process number."""

    def digest(text: str) -> str:
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()

    name = path.name if len(path.name) <= LONGEST_NAME else f"{path.name[:LONGEST_NAME]}-{digest(path.name)}"
    return f".{name}.{digest(platform.node())}-{process}-"


def _is_running(process: int) -> bool:
    """Whether there may be a process with this number."""
    if os.name != "nt":  # on Windows this call would end the process
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):  # it belongs to somebody else, or the number is too large to ask for
            pass
    return True


def write(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write a model's fields to `path`, whole or not at all."""
    head = {
        "format": "tinynet_fast model",
        "format_version": _format(content),
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


def _format(content: dict[str, Any]) -> int:
    """The oldest format that can hold a model with these fields."""
    if any("members" in each for each in content.get("members", ())) or content["kind"] == "one_vs_rest":
        return 5
    return 4 if "members" in content else 3 if "output" in content else 2 if "table" in content else 1


def shortened(error: object, most: int = 200) -> str:
    """An error's text as one printable line of at most `most` characters."""
    return printable(" ".join(str(error).split()), most)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands in it twice")
    return found


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of the model file `path`; ModelFileError for a truncated, foreign or newer file."""
    content = _read_json(path)
    if not isinstance(content, dict) or content.get("format") != "tinynet_fast model":
        raise ModelFileError(f"{path}: not a model file: it lacks the field 'format' with 'tinynet_fast model'")
    version = content.get("format_version")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"{path}: field 'format_version' is {shortened(repr(version), 40)}, not a version number")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: written by {shortened(content.get('written_by', 'an unknown version'), 40)} in format "
            f"{shortened(version, 40)}; "
            f"this is tinynet_fast {__version__}, which reads up to format {FORMAT_VERSION}: upgrade it"
        )
    return content


def _read_json(path: str | os.PathLike[str]) -> Any:
    """The JSON value in `path`; ModelFileError, with the place, if it is not valid JSON."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_table)
        if "\\ud" in text.lower():  # half a character may be written as an escape; it could not be saved again
            json.dumps(content, ensure_ascii=False).encode("utf-8")
        return content
    except UnicodeEncodeError:
        wrong = "a text in it is half a character (a lone surrogate)"
    except UnicodeDecodeError as error:
        wrong = f"byte {error.start} is not UTF-8 text"
    except json.JSONDecodeError as error:
        raise ModelFileError(
            f"{path}, line {error.lineno}, column {error.colno}: not a model file, or a truncated one: {error.msg}"
        ) from None
    except RecursionError:
        wrong = "nested too deeply"
    except ValueError as error:  # a number of thousands of digits, a field that stands twice
        wrong = shortened(error)
    raise ModelFileError(f"{path}: not a model file: {wrong}")
