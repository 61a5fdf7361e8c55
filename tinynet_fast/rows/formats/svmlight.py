"""svmlight / LIBSVM text: scikit-learn parses it piece by piece, into dense rows or CSR."""

import io
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.rows.files import Library, TableError, need
from tinynet_fast.rows.formats.base import Chunk, Like, Part, rows_a_chunk
from tinynet_fast.rows.formats.registry import Asked, Format
from tinynet_fast.rows.formats.source import Source, with_rows
from tinynet_fast.rows.messages import printable
from tinynet_fast.rows.sparse import FIRST_INDEX, as_csr, empty_csr

datasets = Library("sklearn.datasets")
DENSE_VALUES = 1 << 28  # of dense rows: 2 GB
DENSE_VALUES_A_BYTE = 1 << 12  # or as many as this for each byte of the file, if that is more
PIECE_BYTES = 1 << 20
LONGEST_LINE = 1 << 24  # bytes, because a line is in memory whole
WIDEST = 1 << 20  # inputs that any file may have; more if the files have as many bytes

WRONG = (ValueError, IndexError, OverflowError)  # what scikit-learn raises for a bad line


def _wrong(lines: list[bytes]) -> Exception | None:
    """The error that scikit-learn raises for these lines, or None."""
    try:
        datasets.load_svmlight_file(io.BytesIO(b"\n".join(lines)), zero_based=True)
    except WRONG as error:
        return error
    return None


def settle_on_one_base(parts: "list[SvmlightPart]", like: Like | None) -> tuple[int, int]:
    """Set the width and the first index (0 or 1) for all files. Returns both.

    Files to predict are read like those that the model was trained on (`like`): inputs that no row has are 0.0.
    Otherwise indices count from 1 unless one of them is 0, as in scikit-learn.
    """
    found = [part for part in parts if part.smallest is not None]
    first = 0 if any(part.smallest == 0 for part in found) else 1
    if like is not None and like.first_index is not None and like.first_index < first:
        first = like.first_index
    elif like is not None and like.first_index == 1 and first == 0:
        place = next(part.path for part in found if part.smallest == 0)
        raise TableError(
            f"{place}: it has the index 0, and the model's inputs count from 1: write the file as those were"
        )
    width = max((part.largest + 1 - first for part in found), default=0)
    if like is not None:
        widest = next((part for part in found if part.largest + 1 - first > like.n_features), None)
        if widest is not None:
            raise TableError(
                f"{widest.path}: {width} columns where the model has {like.n_features} inputs: it has the index "
                f"{widest.largest}, and indices count from {first}; leave out what the model was not trained on"
            )
        width = like.n_features
    if width == 0:
        raise TableError(f"{parts[0].path}: no row has a value; at least one input is needed")
    if like is None and width > max(WIDEST, sum(part.size for part in parts)):
        part = max(parts, key=lambda part: part.largest)
        raise TableError(
            f"{part.place_of(part.largest)}: the index {part.largest} makes {width:,} inputs, more than the files have "
            "bytes: number the features that there are one after the other (1, 2, 3 and so on)"
        )
    for part in parts:
        part.n_features, part.zero_based, part.bounded = width, first == 0, like is None
    return width, first


class SvmlightPart(Part):
    """A text file of "label index:value ..." lines. A chunk's place is the offset of its piece and a row in that.

    `smallest` and `largest` are of the indices as written in the file; None and -1 if no row has a value.
    """

    stores_sparse = True

    def __init__(self, path: Path, drop: bool) -> None:
        self.path, self.drop, self.size = path, drop, path.stat().st_size
        need("sklearn.datasets")
        self.smallest: int | None = None
        self.largest, self.stored, rows = -1, 0, 0
        for _, X, _ in self._pieces(None, True):
            rows, self.stored = rows + X.shape[0], self.stored + X.nnz
            if X.nnz:
                low, self.largest = int(X.indices.min()), max(self.largest, int(X.indices.max()))
                self.smallest = low if self.smallest is None else min(self.smallest, low)
        self.n_rows, self.counted = None if rows else 0, rows
        self.n_features, self.zero_based = 0, False  # `settle_on_one_base` sets them
        self.bounded = False  # whether the files alone decide how wide rows are

    def where(self, place: Any, i: int) -> str:
        offset, first = place
        line, wanted = self._lines_before(offset), first + i
        with self.path.open("rb") as file:
            file.seek(offset)
            for number, text in enumerate(file, line + 1):
                if text.partition(b"#")[0].strip():
                    if wanted == 0:
                        return f"{self.path}, line {number}"
                    wanted -= 1
        return f"{self.path}, line {line + 1}"

    def _lines_before(self, offset: int) -> int:
        lines = 0
        with self.path.open("rb") as file:
            while offset > 0 and (block := file.read(min(offset, PIECE_BYTES))):
                lines, offset = lines + block.count(b"\n"), offset - len(block)
        return lines

    def place_of(self, index: int) -> str:
        """The first line that has this index."""
        with self.path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if str(index).encode() in text:
                    found = [part.partition(b":")[0] for part in text.partition(b"#")[0].split()[1:]]
                    if any(part.isdigit() and int(part) == index for part in found):
                        return f"{self.path}, line {number}"
        return f"{self.path}"

    def _cut(self) -> Generator[tuple[int, bytes], None, None]:
        """Pieces of whole lines, each with its offset."""
        with self.path.open("rb") as file:
            offset, rest, waiting = 0, [], 0  # type: int, list[bytes], int
            while block := file.read(PIECE_BYTES):
                cut = block.rfind(b"\n") + 1
                if cut:
                    piece = b"".join([*rest, block[:cut]])
                    yield offset, piece
                    offset, rest, waiting, block = offset + len(piece), [], 0, block[cut:]
                rest.append(block)
                waiting += len(block)
                if waiting > LONGEST_LINE:
                    place = f"{self.path}, line {self._lines_before(offset) + 1}"
                    raise TableError(f"{place}: no end of this line in {waiting:,} bytes: are line breaks missing?")
            if waiting:
                yield offset, b"".join(rest)

    def _pieces(self, n_features: int | None, zero_based: bool) -> Generator[tuple[int, Any, np.ndarray], None, None]:
        with closing(self._cut()) as cut:
            for offset, piece in cut:
                try:
                    X, y = datasets.load_svmlight_file(io.BytesIO(piece), n_features=n_features, zero_based=zero_based)
                except WRONG as error:
                    raise self._mistake(piece, offset, error) from None
                yield offset, X, y

    def _mistake(self, piece: bytes, offset: int, error: Exception) -> TableError:
        """The error for the first bad line of a piece, found by halving: a call takes longer than parsing a line."""
        lines = piece.split(b"\n")
        first, stop = 0, len(lines)
        while stop - first > 1:
            middle = (first + stop) // 2
            if _wrong(lines[first:middle]) is None:
                first = middle
            else:
                stop = middle
        error = _wrong(lines[first:stop]) or error
        said = "an index is too large" if isinstance(error, OverflowError) else " ".join(str(error).split())
        place = f"{self.path}, line {self._lines_before(offset) + first + 1}"
        return TableError(f"{place}: {printable(said, 200)}; 'label index:value ...' is needed")

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        rows = rows_a_chunk(self.n_features)
        if not self.sparse:
            self._check_dense()
        with closing(self._pieces(self.n_features, self.zero_based)) as pieces:
            for offset, sparse, y in pieces:
                if self.sparse:
                    yield self._sparse_block(sparse, y, offset)
                    continue
                for low in range(0, sparse.shape[0], rows):
                    yield self._block(sparse[low : low + rows], y[low : low + rows], (offset, low))

    def _check_dense(self) -> None:
        """TableError if dense rows would be far larger than the file."""
        values = self.counted * self.n_features
        if self.bounded and values > max(DENSE_VALUES, DENSE_VALUES_A_BYTE * self.size):
            raise TableError(
                f"{self.place_of(self.largest)}: the index {self.largest} makes rows of {self.n_features:,} inputs, "
                f"which are made dense here, {values:,} values for {self.size:,} bytes: train one neuron without "
                "standardize (--no-standardize), for which rows stay sparse, or number the features one after the other"
            )

    def _block(self, sparse: Any, y: np.ndarray, place: Any) -> Chunk:
        return self.settled(np.ascontiguousarray(sparse.toarray(), np.float64), y, place)

    def _sparse_block(self, sparse: Any, y: np.ndarray, offset: int) -> Chunk:
        """The rows of a piece as CSR, without rows that lack a value if these are left out."""
        kept = None
        if not (np.isfinite(y).all() and np.isfinite(sparse.data).all()):
            rows = np.repeat(np.arange(len(y)), np.diff(sparse.indptr))
            missing, wrong = np.isnan(y), ~np.isfinite(y)
            missing[rows[np.isnan(sparse.data)]] = True
            wrong[rows[~np.isfinite(sparse.data)]] = True
            refused = wrong & ~missing if self.drop else wrong
            if refused.any():  # as a dense row, for the message
                i = int(np.argmax(refused))
                self._block(sparse[i : i + 1], y[i : i + 1], (offset, i))
            if missing.any():
                kept = ~missing
                sparse, y = sparse[kept], y[kept]
        return Chunk(as_csr(sparse) if len(y) else empty_csr(self.n_features), y, (offset, 0), kept)

    def labels(self) -> Generator[np.ndarray, None, None]:
        with closing(self._pieces(self.n_features, self.zero_based)) as pieces:
            for offset, _, y in pieces:
                if not np.isfinite(y).all():
                    i = int(np.argmin(np.isfinite(y)))
                    raise TableError(f"{self.where((offset, 0), i)}: the label is {y[i]}")
                yield y


def _open(asked: Asked) -> Source:
    if asked.y is not None:
        raise TableError(f"{asked.first}: svmlight files hold their labels; leave y out")
    parts = [SvmlightPart(stamp.path, asked.drop_missing) for stamp in asked.stamps]
    parts = with_rows(parts, "the file is empty")
    width, first_index = settle_on_one_base(parts, asked.like)
    return Source(
        "svmlight",
        [*parts],
        names=None,
        n_features=width,
        dtype=np.float64,
        stamps=asked.stamps,
        drop_missing=asked.drop_missing,
        labelled=True,
        training={FIRST_INDEX: first_index},
    )


ENDINGS = (".svm", ".svmlight", ".libsvm")
FORMATS = [Format("svmlight", ENDINGS, _open, target=lambda text: None, has_names=False, text=True)]
