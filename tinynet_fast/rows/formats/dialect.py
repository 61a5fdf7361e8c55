"""How a CSV file is written: what separates its cells, in which encoding it is, and whether R named its rows.

The separator is not found by `csv.Sniffer`, which takes letters and spaces for separators of ordinary files.
"""

import codecs
import csv
import io
import re
from itertools import islice
from typing import Any

from tinynet_fast.rows.files import TableError

SEPARATORS = ",;\t|"  # in this order if several fit
SPELLED = {"\\t": "\t", "tab": "\t"}  # as people write a tab on the command line
LOOKED_AT = 100  # records
NAMED = re.compile(rb'"?sep=([^\w\s"]|\t)"?\r?\n')  # a first line that Excel understands
ROW_NAMES = "__index_level_0__"  # what pandas calls an index without a name, which is never an input
MARKS: dict[bytes, str | None] = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: None}
MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # after UTF-32, whose mark begins alike
BLOCK_BYTES = 1 << 18  # that are decoded at once


def checked_separator(text: str | None) -> str | None:
    """The separator that `text` names, or None. TableError if it cannot be one."""
    if text is None:
        return None
    separator = SPELLED.get(text, text)
    if not isinstance(text, str) or len(separator) != 1 or not separator.isascii() or separator in '"\r\n\0':
        raise TableError(f"separator: {text!r} is not one character such as ',', ';', '|' or a tab")
    return separator


def checked_encoding(name: str | None) -> str | None:
    """The encoding that is called `name`, None for UTF-8. TableError if it is not known, or not of text."""
    if name is None:
        return None
    try:
        if "a,1\n".encode(name).decode(name) != "a,1\n":
            raise LookupError
        found = codecs.lookup(name).name
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, TypeError, ValueError):
        raise TableError(
            f"encoding: {name!r} is not a known encoding of text: use for example 'latin-1', 'cp1252' or 'utf-16'"
        ) from None
    return None if found in ("utf-8", "utf-8-sig") else found


def encoding_of(head: bytes, named: str | None) -> str | None:
    """The encoding of a file with these first bytes, None for UTF-8. A mark at its beginning wins over a name."""
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), named)


def separator_of(head: bytes, whole: bool) -> str:
    """Return the separator that cuts the first line into two names or more, and most rows below into as many cells.

    A comma is taken if nothing else fits better. `whole` tells whether `head` is the whole file.
    """
    best, most = ",", 0.0
    for separator in SEPARATORS:
        rows = first_records(head, separator, whole)
        width = len(rows[0]) if rows else 0
        if width < 2:
            continue
        same = sum(len(row) == width for row in rows[1:])
        share = same / (len(rows) - 1) if len(rows) > 1 and not has_row_names(rows) else 1.0
        if share == 1.0:
            return separator
        if share > most:
            best, most = separator, share
    return best


def first_records(head: bytes, separator: str, whole: bool) -> list[list[str]]:
    """The first records, without one that is cut. Only their cells are counted, so the encoding does not matter."""
    reader = csv.reader(io.StringIO(head.decode("latin-1"), newline=""), delimiter=separator)
    try:
        rows = list(islice(reader, LOOKED_AT))
    except csv.Error:
        return []
    cut = len(rows) < LOOKED_AT and not whole
    return [row for row in (rows[:-1] if cut and len(rows) > 1 else rows) if row]


def has_row_names(rows: list[list[str]]) -> bool:
    """Whether R's write.table named the rows: all but the first have one cell more, and begin with different names.

    (A separator at the end of each row also gives one cell more, but an empty one.)
    """
    below = rows[1:]
    if len(below) < 2 or any(len(row) != len(rows[0]) + 1 for row in below):
        return False
    return len({row[0] for row in below}) == len(below) and any(row[-1].strip() for row in below)


class AsUtf8(io.RawIOBase):
    """A file of text in another encoding, read as UTF-8."""

    def __init__(self, file: Any, encoding: str, path: Any) -> None:
        self.file, self.encoding, self.path = file, encoding, path
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.ready, self.ended = memoryview(b""), False
        self.lines, self.last = 0, ""  # lines that have ended so far, and the last text

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        done = 0
        while done < len(room) and not (self.ended and not self.ready):
            if not self.ready:
                self._next()
            n = min(len(room) - done, len(self.ready))
            room[done : done + n] = self.ready[:n]
            self.ready, done = self.ready[n:], done + n
        return done

    def _next(self) -> None:
        block = self.file.read(BLOCK_BYTES)
        self.ended, state = not block, self.decoder.getstate()
        try:
            text = self.decoder.decode(block, self.ended)
        except UnicodeDecodeError as error:
            good = max(len(block) - len(error.object) + error.start, 0)  # the decoder may hold bytes from before
            self.decoder.setstate(state)
            self._count(self.decoder.decode(block[:good]))
            raise TableError(
                f"{self.path}, line {self.lines + 1}: not {self.encoding} text: name another encoding, or save the "
                "file as UTF-8"
            ) from None
        self._count(text)
        self.ready = memoryview(text.encode())

    def _count(self, text: str) -> None:
        """Count the lines that end in `text`, with LF, CR or both."""
        self.lines += text.count("\n") + text.count("\r") - text.count("\r\n")
        self.lines -= self.last.endswith("\r") and text.startswith("\n")
        self.last = text[-1:]

    def close(self) -> None:
        self.file.close()
        super().close()
