"""The bytes of CSV files, cut where records end. One piece can be read again, to find the line of a mistake."""

import codecs
import csv
import importlib
import io
import os
import re
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import EmptyFileError, Library, TableError, has_pyarrow, need
from tinynet_fast.rows.formats.base import told
from tinynet_fast.rows.formats.dialect import (
    NAMED,
    ROW_NAMES,
    AsUtf8,
    encoding_of,
    first_records,
    has_row_names,
    separator_of,
)
from tinynet_fast.rows.formats.registry import COMPRESSED

pa = Library("pyarrow")
PIECE_BYTES = 1 << 21
HEAD_BYTES = 1 << 16  # read first, to find the names
LONGEST_RECORD = 1 << 24  # bytes: in a longer row, or row of names, a quote is probably left open
TAIL_BYTES = 1 << 14  # at the end of a block, searched first for a line break
LONGEST_CELL = int(np.iinfo(np.int32).max)  # characters
BOM = codecs.BOM_UTF8
SAVE = "save the file as UTF-8"
NAME = f"{SAVE}, or name its encoding: encoding='latin-1', on the command line --encoding latin-1"


def record_ends(block: bytes, delimiter: str, lone_cr: bool = True) -> np.ndarray:
    """The places in `block` at which records end: after each LF, CR or CR LF that is not in quotes.

    The block begins with a record. A CR at its end does not count, because its LF may come with the next block. With
    `lone_cr` False no CR without an LF counts, which saves a quarter of the time of reading a file.

    A quote opens a cell only at the cell's beginning. If every second quote, from the first, stands there, counting
    quotes tells what is in quotes. Otherwise (5" pipe), quoted cells are searched one by one.
    """
    values = np.frombuffer(block, np.uint8)
    breaks = np.flatnonzero(values == ord("\n"))
    if lone_cr and b"\r" in block:
        alone = np.flatnonzero(values[:-1] == ord("\r"))
        breaks = np.union1d(breaks, alone[values[alone + 1] != ord("\n")])
    quotes = np.flatnonzero(values == ord('"')) if len(breaks) else breaks
    if len(quotes):
        before = values[np.maximum(quotes[::2] - 1, 0)]
        openers = np.frombuffer(f'{delimiter}"\r\n'.encode(), np.uint8)
        if not (np.isin(before, openers) | (quotes[::2] == 0)).all():
            cells = [(cell.start(), cell.end() - len(cell[1])) for cell in _quoted(delimiter).finditer(block)]
            quotes = np.array(cells, np.intp).reshape(-1)
        breaks = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    return breaks + 1


@cache
def _quoted(delimiter: str) -> re.Pattern[bytes]:
    """A cell in quotes; the last group is empty if the quote is still open.

    Its "++" never go back. Without that, `re` took 60 bytes of memory for each byte of a cell.
    """
    return re.compile(rb"(?:^|(?<=[" + re.escape(delimiter.encode()) + rb'\r\n]))"(?:[^"]++|"")*+("|\Z)')


def has_quote(block: memoryview) -> bool:
    """Whether a quote character is in `block`. NumPy searches 26 bytes a ns, `re` 3.5."""
    return bool((np.frombuffer(block, np.uint8) == ord('"')).any())


def well_quoted(block: memoryview, delimiter: str) -> bool:
    """Whether each quote in `block` opens or closes a whole cell, or is doubled inside one.

    pyarrow also reads other quotes, such as one that is left open until the next cell in quotes, and joins rows there.
    """
    values = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(values == ord('"'))
    if not len(quotes):
        return True
    beside = np.zeros(256, bool)
    beside[np.frombuffer(f'{delimiter}"\r\n'.encode(), np.uint8)] = True
    opening, closing = quotes[::2], quotes[1::2]
    before, after = values[np.maximum(opening - 1, 0)], values[np.minimum(closing + 1, len(values) - 1)]
    return len(opening) == len(closing) and bool((beside[before] | (opening == 0)).all() and beside[after].all())


def last_end(block: memoryview, delimiter: str) -> int:
    """The end of the last whole record in `block`; 0 if there is none."""
    if not has_quote(block):
        before = max(len(block) - TAIL_BYTES, 0)
        end = bytes(block[before:]).rfind(b"\n") + 1
        if end:
            return before + end
    text = bytes(block)
    ends = record_ends(text, delimiter, lone_cr=False)  # any end will do
    if not len(ends):
        ends = record_ends(text, delimiter)
    return int(ends[-1]) if len(ends) else 0


def _read(file: Any, size: int) -> bytes:
    """The next `size` bytes, or fewer at the end."""
    blocks = []
    while size > 0 and (block := file.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


class CsvBytes:
    """A CSV file's bytes: the column names, and pieces of whole records.

    If no `separator` is given, tabs separate the cells of a file whose name ends in .tsv, compressed or not; in other
    files the separator is found. With `encodings`, the file may have another encoding than UTF-8: that of a mark at its
    beginning, or `encoding`. All places are then those of its text as UTF-8.
    """

    def __init__(
        self, path: Path, separator: str | None = None, encoding: str | None = None, encodings: bool = False
    ) -> None:
        endings = [suffix.lower() for suffix in path.suffixes[-2:]]
        self.path, self.delimiter = path, separator or ("\t" if ".tsv" in endings else "")
        self.encoding: str | None = None
        self.encodings, self.row_names = encodings, False
        self.compression = COMPRESSED.get(path.suffix.lower())
        self.by_pyarrow = has_pyarrow()
        if self.compression == "zstd":
            need("pyarrow")
        if encodings:
            with told(path), self._open() as file:
                self.encoding = encoding_of(_read(file, len(codecs.BOM_UTF32_LE)), encoding)
        self.names, self.offset = self._header()

    def _open(self) -> Any:
        file = self._stored()
        return file if self.encoding is None else AsUtf8(file, self.encoding, self.path)

    def _stored(self) -> Any:
        if self.compression is None:
            return self.path.open("rb", buffering=0)
        if self.by_pyarrow:
            return pa.input_stream(os.fspath(self.path), compression=self.compression)
        return importlib.import_module(self.compression).open(self.path)

    def _header(self) -> tuple[list[str], int]:
        """The column names, and where the rows below them begin."""
        with told(self.path), self._open() as file:
            text = _read(file, HEAD_BYTES)
            whole = len(text) < HEAD_BYTES
            skipped = len(text) - len(text := text.removeprefix(BOM))
            if not self.delimiter:
                named = NAMED.match(text)
                if named is not None:
                    self.delimiter, skipped, text = named[1].decode(), skipped + named.end(), text[named.end() :]
                else:
                    self.delimiter = separator_of(text.lstrip(b"\r\n"), whole)
            while text:
                rest = text.lstrip(b"\r\n")  # empty lines before the names
                skipped, text = skipped + len(text) - len(rest), rest
                ends = record_ends(text, self.delimiter)
                if len(ends):
                    break
                if len(text) > LONGEST_RECORD:
                    raise self._endless(skipped, len(text))
                more = _read(file, max(len(text), HEAD_BYTES))  # twice as much each time
                if not more:
                    break
                text += more
        if not text.strip():
            raise EmptyFileError(f"{self.path}: the file is empty")
        end = int(ends[0]) if len(ends) else len(text)
        if end > LONGEST_RECORD:
            raise self._endless(skipped, end)
        if self.encodings and b"\0" in text[:end]:
            raise TableError(
                f"{self.path}, line 1: it holds zero bytes, so it is no text, or UTF-16 without a mark: {SAVE}"
            )
        (_, names), *_ = self.records(text[:end], 1 + self.lines_before(skipped))
        self.row_names = has_row_names(first_records(text, self.delimiter, whole))
        return [*[ROW_NAMES] * self.row_names, *(name.strip() for name in names)], skipped + end

    def _endless(self, offset: int, length: int) -> TableError:
        place = f"{self.path}, line {self.lines_before(offset) + 1}"
        return TableError(f"{place}: no end of this row in {length:,} bytes: is a quote left open?")

    def pieces(self, size: int = PIECE_BYTES) -> Generator[tuple[int, memoryview], None, None]:
        """The records below the names: whole ones, in pieces of about `size` bytes, each with its offset.

        Pieces are read into memory from Arrow's pool, which is used again. With new `bytes` each time, cutting took a
        third of the time of parsing.
        """
        memory = pa.allocate_buffer if self.by_pyarrow else bytearray
        with told(self.path), self._open() as file:
            self._skip(file, self.offset)
            offset, rest, wanted = self.offset, b"", size
            while True:
                room = memoryview(memory(len(rest) + wanted)).cast("B")
                room[: len(rest)] = rest
                n = file.readinto(room[len(rest) :])
                if not n:
                    break
                block = room[: len(rest) + n]
                end = last_end(block, self.delimiter)
                if end:
                    yield offset, block[:end]
                    offset, rest, wanted = offset + end, bytes(block[end:]), size
                    continue
                rest, wanted = bytes(block), 2 * wanted  # so that a long record is not searched many times
                if len(rest) > LONGEST_RECORD:
                    raise self._endless(offset, len(rest))
            if rest:
                if not len(record_ends(rest + b"\n", self.delimiter)):  # a quote is left open, which pyarrow lets pass
                    for _ in self.records(rest, self.lines_before(offset) + 1):
                        pass
                yield offset, memoryview(rest)

    def _skip(self, file: Any, n: int) -> bytes:
        last = b""
        while n > 0 and (block := file.read(min(n, PIECE_BYTES))):
            n, last = n - len(block), block
        return last

    def lines_before(self, offset: int) -> int:
        """How many lines end before `offset`, counted as the csv module counts them."""
        lines, ended_with_cr = 0, False
        with told(self.path), self._open() as file:
            while offset > 0 and (block := file.read(min(offset, PIECE_BYTES))):
                lines += line_breaks(block) - (ended_with_cr and block.startswith(b"\n"))
                offset, ended_with_cr = offset - len(block), block.endswith(b"\r")
        return lines

    def piece(self, offset: int, length: int) -> bytes:
        """These bytes, read again."""
        with told(self.path), self._open() as file:
            self._skip(file, offset)
            return _read(file, length)

    def records(self, data: bytes | memoryview, first_line: int) -> Iterator[tuple[int, list[str]]]:
        """A piece's records that are not empty, each with the line on which it starts. TableError for bad ones."""
        piece = bytes(data)
        try:
            text = piece.decode("utf-8")
        except UnicodeDecodeError as error:
            line = first_line + line_breaks(piece[: error.start])
            raise TableError(f"{self.path}, line {line}: not UTF-8 text; {NAME if self.encodings else SAVE}") from None
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))  # of the whole process: csv has no other one
        line, reader = first_line, csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True)
        try:
            for record in reader:
                if record:
                    yield line, record
                line = first_line + reader.line_num
        except csv.Error as error:
            remedy = ": close the quote that is left open" if "unexpected end" in str(error) else ""
            raise TableError(f"{self.path}, line {line}: {error}{remedy}") from None


def line_breaks(data: bytes) -> int:
    """How many lines end in `data`, with LF, CR or both."""
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
