"""CSV files: cut into pieces where records end, and parsed by pyarrow in threads.

Inputs are always read as float64, so no value depends on where the file is cut. Labels get the type that `cells.infer`
gives the whole column; it is known after two different labels. If pyarrow is missing or does not read a piece, the csv
module parses it.
"""

from collections.abc import Callable, Collection, Generator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinynet_fast.rows.ahead import in_order
from tinynet_fast.rows.files import Library, TableError
from tinynet_fast.rows.formats.arrow import Layout, TablePart
from tinynet_fast.rows.formats.base import Chunk, RawBlock
from tinynet_fast.rows.formats.cells import BOOLEANS, MISSING, WHOLE, infer, is_number, not_a_number
from tinynet_fast.rows.formats.columns import empty_rows, fill, long_label, too_long
from tinynet_fast.rows.formats.records import BOM, CsvBytes, has_quote, well_quoted
from tinynet_fast.rows.formats.registry import Asked, Format
from tinynet_fast.rows.formats.source import Source
from tinynet_fast.rows.formats.tables import open_table
from tinynet_fast.rows.labels import EXACT_DIGITS, LOST_END, SeenFloats
from tinynet_fast.rows.messages import LONGEST_NAME, printable
from tinynet_fast.rows.team import cores

pa = Library("pyarrow")
arrow_csv = Library("pyarrow.csv")
KINDS = {"i": "numbers", "f": "numbers", "b": "booleans", "U": "text", "O": "text"}
YES, NO = ([text for text, value in BOOLEANS.items() if value is wanted] for wanted in (True, False))
MEANING: Any = {"null_values": MISSING, "strings_can_be_null": True, "true_values": YES, "false_values": NO}
LABEL_BYTES = 1 << 24  # of a block's labels
WIDE = 1 << 14  # columns from which on the csv module is faster: pyarrow takes 15 µs and 7 KB a column and piece
MOST_THREADS = 8  # that parse
SAMPLE_BYTES = 1 << 16  # read first, to find columns of booleans
T = TypeVar("T")


class Labels:
    """The different texts of the target column and their values, over all files of a source."""

    def __init__(self, place: str = "the labels") -> None:
        self.place = place  # for messages
        self.start_over()

    def start_over(self, waits: bool = False) -> None:
        """Forget all labels. With `waits`, rows get codes, which `values_of` turns into labels of one type later."""
        self.codes: dict[str, int] = {}
        self.values: dict[str, Any] = {}
        self.dtype: np.dtype[Any] = np.dtype(np.float64)  # of the values; text is as wide as the labels of a piece
        self.settled = False  # whether two labels are known: then numbers, booleans or text stay what they are
        self.waits = waits
        self.floats = SeenFloats()  # whole numbers that may not be exact as float64
        self.alike: str | None = None  # two of them that are equal as float64

    @property
    def kind(self) -> str:
        """Numbers, booleans or text: what the labels are so far."""
        return KINDS[self.dtype.kind]

    def values_of(self, codes: np.ndarray) -> np.ndarray:
        """The labels of rows with these codes."""
        values = infer(list(self.codes))
        self._check_apart(values.dtype)
        return (values if values.dtype.kind in "ifb" else values.astype(str))[codes]

    def learn(self, texts: list[str]) -> str | None:
        """Add new texts. Returns one that does not fit the type of the earlier ones, or None."""
        known: Collection[str] = self.codes if self.waits else self.values
        new = [text for text in texts if text not in known]
        if not new:
            return None
        lost = next((text for text in new if text.endswith("\0")), None)
        if lost is not None:
            label = printable(repr(lost), LONGEST_NAME)
            raise TableError(f"{self.place}: the label {label}: {LOST_END}")
        for text in new:
            if len(text) > EXACT_DIGITS and WHOLE.fullmatch(text):
                other = self.floats.other(int(text), float(text))
                self.alike = self.alike or (other and f"{other} and {int(text)}")
        if self.waits:
            self.codes |= {text: code for code, text in enumerate(new, len(self.codes))}
            return None
        was_text = bool(self.values) and self.kind == "text"  # text stays text
        found: np.ndarray = np.array(new, object) if was_text else infer(new)
        if self.values and KINDS[found.dtype.kind] != self.kind:
            if self.settled:
                return next((text for text in new if KINDS[infer([text]).dtype.kind] != self.kind), new[0])
            self.values = {text: text for text in self.values}
            found = np.array(new, object)
        numbers = bool(self.values) and found.dtype.kind in "if"
        self.dtype = np.result_type(self.dtype, found.dtype) if numbers else found.dtype
        self.values.update(zip(new, found.tolist(), strict=True))
        self._check_apart(self.dtype)
        first = next(iter(self.values.values()))
        self.settled = self.settled or any(value != first for value in self.values.values())
        return None

    def _check_apart(self, dtype: np.dtype[Any]) -> None:
        """TableError if two whole numbers are equal as float64."""
        if dtype.kind == "f" and self.alike is not None:
            raise TableError(
                f"{self.place}: the labels {self.alike} are one number as float64: put a letter before them"
            )

    def of(self, texts: list[str], indices: np.ndarray) -> np.ndarray:
        """The labels texts[indices], all of which are known; with `waits`, their codes."""
        if self.waits:
            return np.array([self.codes[text] for text in texts] or [0])[indices]
        if not texts:
            return np.zeros(len(indices), dtype="U1" if self.kind == "text" else self.dtype)
        kind = str if self.kind == "text" else self.dtype
        return np.array([self.values[text] for text in texts], dtype=kind)[indices]


class Parsed(NamedTuple):
    """The rows of a piece: `offset` and `length` are its bytes in the file, `wrong` is the mistake that ends the rows.

    `texts` are the different texts of the target, and `indices` say which of them each row has, -1 for a missing one;
    both are None without a target.
    """

    offset: int
    length: int
    X: np.ndarray
    finite: bool
    texts: list[str] | None = None
    indices: Any = None
    wrong: TableError | None = None


class CsvPart(TablePart):
    """A CSV file. A chunk's place is its piece, as offset and length in bytes, and its first row in that."""

    def __init__(
        self, path: Path, layout: Layout, labels: Labels, separator: str | None = None, encoding: str | None = None
    ) -> None:
        self.path, self.layout, self.known = path, layout, labels
        self.bytes = CsvBytes(path, separator, encoding, encodings=layout.raw)
        self.columns = self.bytes.names
        layout.check_names(path, self.columns)
        layout.dtype = np.dtype(np.float64)
        self.booleans = self._columns_of_booleans()

    def _columns_of_booleans(self) -> set[str]:
        """Inputs whose first rows all say true or false: they are read as 1 and 0."""
        with closing(self.bytes.pieces(SAMPLE_BYTES)) as pieces:
            first = next(pieces, None)
        if first is None:
            self.n_rows = 0
            return set()
        offset, sample = first
        if not any(text.encode() in bytes(sample) for text in BOOLEANS):
            return set()
        records = self.bytes.records(sample, self.bytes.lines_before(offset) + 1)
        rows = [record for _, record in records if len(record) == len(self.columns)]
        found, inputs = set(), set(self.layout.names)
        for j, name in enumerate(self.columns):
            texts = [record[j] for record in rows if record[j] not in MISSING]
            if name in inputs and texts and all(text in BOOLEANS for text in texts):
                found.add(name)
        return found

    def where(self, place: Any, i: int) -> str:
        offset, length, first = place
        line = self.bytes.lines_before(offset) + 1
        for number, (at, _) in enumerate(self.bytes.records(self.bytes.piece(offset, length), line)):
            if number == first + i:
                return f"{self.path}, line {at}"
        return f"{self.path}, after line {line}"

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        if self.layout.target is not None and not (self.known.settled or self.known.waits):
            self._settle_labels()
        with closing(self._parsed(self.layout.names)) as pieces:
            for piece in pieces:
                rows = self._rows_at_once(piece)
                for low in range(0, len(piece.X), rows):
                    block = self._block(piece, low, low + rows)
                    if piece.wrong is None:
                        yield block
                if piece.wrong is not None:  # making the chunk raises a mistake in the rows before first
                    raise piece.wrong

    def _block(self, piece: Parsed, low: int, high: int) -> Chunk:
        place, y, gone = (piece.offset, piece.length, low), None, None
        where = partial(self.where, place)
        if piece.texts is not None:
            y, gone = self._labels(piece.texts, piece.indices[low:high], where)
        return self.layout.settled(piece.X[low:high], y, piece.finite, gone, place, where)

    def _labels(self, texts: list[str], indices: np.ndarray, where: Callable[[int], str]) -> tuple[Any, Any]:
        gone = None
        if len(indices) and indices.min() < 0:
            gone = indices < 0
            indices = np.where(gone, 0, indices)
        strange = self.known.learn(texts)
        if strange is not None:
            place = where(int(np.argmax(indices == texts.index(strange))))
            raise TableError(
                f"{place}, column {self.layout.target!r}: {printable(repr(strange), LONGEST_NAME)}, where the labels "
                f"before it are {self.known.kind}: correct it, or write all labels as text"
            )
        return self.known.of(texts, indices), gone

    def _rows_at_once(self, piece: Parsed) -> int:
        """How many rows make a block: all of a piece, or fewer if labels are long, for NumPy stores each as wide as the
        longest."""
        texts, n = piece.texts or [], len(piece.X)
        long = too_long(texts, n)
        if long is not None:
            line = self.where((piece.offset, piece.length, 0), int(np.argmax(piece.indices == texts.index(long))))
            raise TableError(f"{line}, column {self.layout.target!r}: {long_label(long, n)}")
        return max(LABEL_BYTES // (4 * max(map(len, texts), default=1) or 1), 1)

    def _settle_labels(self) -> None:
        """Read the target until two different labels, and so their type, are known."""
        with closing(self._parsed([])) as pieces:
            for piece in pieces:
                self.known.learn(piece.texts or [])
                if self.known.settled or piece.wrong is not None:  # a mistake is met again when the rows are read
                    return

    def _parsed(self, names: list[str]) -> Generator[Parsed, None, None]:
        return self._in_threads(partial(self._parse, names))

    def _in_threads(self, parse: Callable[[int, memoryview], T]) -> Generator[T, None, None]:
        """The parsed pieces in order. Threads parse them, so parsing must not change anything that parts share."""
        workers = max(min(pa.cpu_count(), cores(), MOST_THREADS), 1) if self.bytes.by_pyarrow else 1
        with closing(self.bytes.pieces()) as pieces:
            yield from in_order((partial(parse, offset, piece) for offset, piece in pieces), workers)

    def raw(self) -> Generator[RawBlock, None, None]:
        with closing(self._in_threads(self._raw)) as blocks:
            for block in blocks:
                if block.rows:
                    yield block

    def _raw(self, offset: int, piece: memoryview) -> RawBlock:
        """The cells of a piece as texts."""
        place, names = (offset, len(piece), 0), self.layout.names
        where = partial(self.where, place)
        plain = self.bytes.by_pyarrow and well_quoted(piece, self.bytes.delimiter)
        table = self._table(piece, dict.fromkeys(names, pa.string())) if plain else None
        if table is not None:
            return RawBlock(dict(zip(names, map(_one, table.columns), strict=True)), table.num_rows, where, place)
        try:
            rows = [self._whole(record, line) for line, record in self.bytes.records(piece, 1)]
        except TableError:  # whose line is counted now, from the file's beginning
            for line, record in self.bytes.records(piece, self.bytes.lines_before(offset) + 1):
                self._whole(record, line)
            raise
        at = {name: j for j, name in enumerate(self.columns)}
        return RawBlock({name: [row[at[name]] for row in rows] for name in names}, len(rows), where, place)

    def _parse(self, names: list[str], offset: int, piece: memoryview) -> Parsed:
        """The inputs `names` and the target of a piece."""
        if not self.bytes.by_pyarrow:
            return self._by_hand(names, offset, piece)
        kinds = {name: pa.bool_() if name in self.booleans else pa.float64() for name in names}
        target = self.layout.target
        if target is not None:
            kinds[target] = pa.dictionary(pa.int32(), pa.string())
        table = self._table(piece, kinds, **MEANING)
        if table is None:
            return self._by_hand(names, offset, piece)
        X = empty_rows(table.num_rows, len(names), np.float64)
        columns = [_one(column) for column in table.columns]
        finite = fill(columns[: len(names)], X, 0) if names else True
        if target is None:
            return Parsed(offset, len(piece), X, finite)
        labels = columns[-1]
        indices = labels.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Parsed(offset, len(piece), X, finite, labels.dictionary.to_pylist(), indices)

    def _table(self, piece: memoryview, kinds: dict[str, Any], **meaning: Any) -> Any:
        """These columns of a piece as an Arrow table; None if pyarrow does not read the piece."""
        mark = bytes(piece[: len(BOM)]) == BOM  # which pyarrow leaves out, but only there
        if mark or len(self.columns) > WIDE:
            return None
        quoted = has_quote(piece)
        try:
            return arrow_csv.read_csv(
                pa.py_buffer(piece),
                read_options=arrow_csv.ReadOptions(
                    column_names=self.columns, use_threads=False, block_size=max(len(piece) + 1, 1 << 16)
                ),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=quoted, delimiter=self.bytes.delimiter),
                convert_options=arrow_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), **meaning),
            )
        except pa.ArrowInvalid:
            return None

    def _by_hand(self, names: list[str], offset: int, piece: memoryview) -> Parsed:
        """As `_parse`, by the csv module: for numbers that only Python reads, for very wide rows, and for the first
        mistake in a piece, which is returned with the rows before it."""
        found = self._records(names, offset, piece, 1)
        if found.wrong is None:
            return found
        del found  # a record may be large
        return self._records(names, offset, piece, self.bytes.lines_before(offset) + 1)  # counted only for a mistake

    def _records(self, names: list[str], offset: int, piece: memoryview, first_line: int) -> Parsed:
        at = {name: j for j, name in enumerate(self.columns)}
        places = [(at[name], name) for name in names]
        target = None if self.layout.target is None else at[self.layout.target]
        rows: list[np.ndarray] = []
        answers: list[str | None] = []
        wrong = None
        try:
            for line, record in self.bytes.records(piece, first_line):
                rows.append(np.array(self._values(record, places, line)))
                answers.append(None if target is None or record[target] in MISSING else record[target])
        except TableError as error:
            wrong = error.with_traceback(None)  # a traceback would keep the record
        X = np.array(rows, np.float64).reshape(len(rows), len(names))
        finite, texts, indices = bool(np.isfinite(X).all()), None, None
        if target is not None:
            texts = list(dict.fromkeys(text for text in answers if text is not None))
            codes: dict[str | None, int] = {text: code for code, text in enumerate(texts)} | {None: -1}
            indices = np.array([codes[text] for text in answers], np.int32)
        return Parsed(offset, len(piece), X, finite, texts, indices, wrong)

    def _values(self, record: list[str], places: list[tuple[int, str]], line: int) -> list[float]:
        record = self._whole(record, line)
        return [self._value(record[j], name, line) for j, name in places]

    def _whole(self, record: list[str], line: int) -> list[str]:
        """A record; TableError if it has too few or too many cells."""
        if len(record) != len(self.columns):
            rest = "the rows above have" if self.bytes.row_names else "the first line names"
            found = f"{len(record)} values where {rest} {len(self.columns)}"
            raise TableError(f"{self.path}, line {line}: {found}")
        return record

    def _value(self, text: str, name: str, line: int) -> float:
        if text in MISSING:
            return np.nan
        if name in self.booleans:
            if text in BOOLEANS:
                return float(BOOLEANS[text])
            wrong = f"{text!r} is not true or false, as above: correct it, or leave the column out"
        elif is_number(text):
            return float(text)
        else:
            wrong = not_a_number(text)
        raise TableError(f"{self.path}, line {line}, column {name!r}: {wrong}")


def _one(column: Any) -> Any:
    """A column of a table as one array."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.unify_dictionaries().chunks)


def _open(asked: Asked) -> Source:
    """CSV files, whose columns' names have no spaces around them."""
    y = asked.y.strip() if isinstance(asked.y, str) else asked.y
    columns = None if asked.columns is None else [name.strip() for name in asked.columns]
    texts = Labels(f"{asked.first}, column {y!r}")
    return open_table(
        replace(asked, y=y, columns=columns),
        "csv",
        lambda stamp, layout: CsvPart(stamp.path, layout, texts, asked.separator, asked.encoding),
        "no rows below the column names",
        label_texts=texts,
    )


FORMATS = [Format("csv", (".csv", ".tsv"), _open, text=True, packed=True)]
