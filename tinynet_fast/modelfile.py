"""Model files: JSON that any language can read, written whole or not at all, checked on the way in.

What is in a model is decided in `models.py`. Python writes a float with the shortest digits that give the same float
back, so weights survive the file bit for bit. Nothing is ever unpickled.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tinynet_fast._version import __version__

FORMAT_VERSION = 1
LONGEST_NAME = 40  # characters of a file's name in that of its temporary file; systems take 255 bytes


class ModelFileError(ValueError):
    """A file that is no model, or one that this version cannot read. The message names the file and the place."""


def check_folder(path: Path) -> None:
    """ValueError, before anything is computed, where there is no folder to write `path` to."""
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; make it first")


@contextmanager
def atomic_file(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """A file to write `path` with ("w" text, "wb" bytes): flushed, and renamed over `path` at the end, or gone."""
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
        with open(path, mode, **text) as file:  # a pipe or a device is written to, never replaced
            yield file
        return

    import tempfile  # costs a tenth of importing NumPy: only who saves pays for it

    target = Path(os.path.realpath(path))  # through a link, so that the file it points to is replaced and not the link
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file", str(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target, os.getpid()), suffix=".tmp")
    except OSError as error:  # name the file that was asked for and not the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_left_over(path: Path) -> None:
    """Remove the temporary files that processes of this machine were killed while writing `path` with."""
    before, after = _prefix(path, 0).rsplit("0", 1)
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after) + r"\w+\.tmp")
    for name in os.listdir(path.parent or "."):
        found = pattern.fullmatch(name)
        if found and not _is_running(int(found[1])):
            (path.parent / name).unlink(missing_ok=True)


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def shortened(error: object, most: int = 200) -> str:
    """An error's text on one line, cut to `most` characters, with control characters escaped."""
    text = " ".join(str(error).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= most else f"{text[:most]}..."


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of the model in `path`; ModelFileError for a truncated, foreign or newer file."""
    import json

    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text)
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
    except ValueError as error:  # a number of thousands of digits
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
