"""Safe output: characters that the encoding lacks are replaced, and characters that would control a terminal."""

import codecs
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from tinynet_fast.rows.messages import escaped

PLAIN = {"±": "+-", "×": "x", "…": "...", "µ": "u", "²": "2", "→": "->"}
HANDLER = "tinynet_fast.plain"


def never_fail() -> None:
    """Let both streams replace characters that their encoding lacks by plain ones, or by escapes like \\xfc."""
    codecs.register_error(HANDLER, _plain)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it is closed
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not _holds_all(stream.encoding):
            reconfigure(errors=HANDLER)


def hold_data(texts: list[str]) -> None:
    """Let standard output write these texts unchanged: switch it to UTF-8 if its encoding lacks a character."""
    try:
        "".join(texts).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")


def harmless(text: str) -> str:
    """Escape characters that would control a terminal, because names come from other people's files. Keep newlines."""
    return escaped(text, but="\n")


class SafeConsole(Console):
    """A console that makes every text harmless, also those in tables."""

    def on_broken_pipe(self) -> None:
        """Raise the error, so that the command line ends quietly."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(harmless(text), **options)


class Late:
    """Standard output that holds back the first 16 MB, so that an error before that prints nothing else."""

    HELD_CHARACTERS = 1 << 24

    def __init__(self) -> None:
        self._held: list[str] | None = []
        self._length = 0

    def write(self, text: str) -> None:
        """Print the text now, or keep it for later."""
        if self._held is None:
            self._print(text)
            return
        self._held.append(text)
        self._length += len(text)
        if self._length > self.HELD_CHARACTERS:
            self.finish()

    def finish(self) -> None:
        """Print what was kept. From now on, print at once."""
        if self._held is not None:
            self._print("".join(self._held))
        self._held = None

    def _print(self, text: str) -> None:
        sys.stdout.write(harmless(text) if sys.stdout.isatty() else text)


def _holds_all(encoding: str | None) -> bool:
    return (encoding or "ascii").lower().replace("_", "-").startswith("utf")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in lost), error.end
