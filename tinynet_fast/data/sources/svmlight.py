"""svmlight / LIBSVM text, parsed by scikit-learn piece by piece and handed out as dense rows or as CSR."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.data.files import TableError
from tinynet_fast.data.sources.base import Block, Like, Part, need, rows_a_chunk, settle
from tinynet_fast.data.sparse import as_csr, empty_csr

PIECE_BYTES = 1 << 20


def settle_on_one_base(parts: "list[SvmlightPart]", like: Like | None) -> tuple[int, int]:
    """Give all files one width, and one number from which indices count: returns both.

    Files to predict are taken as those that the model was trained on (`like`): inputs that no row has are 0.0. Indices
    count from 1 unless one of them is 0, as scikit-learn decides it.
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
    for part in parts:
        part.n_features, part.zero_based = width, first == 0
    return width, first


class SvmlightPart(Part):
    """A text file of "label index:value ..." lines. A block's place is its piece's offset and a row in it.

    `smallest` and `largest` are the indices in it, as it writes them; None and -1 if no row has a value.
    """

    def __init__(self, path: Path, drop: bool) -> None:
        self.path, self.drop = path, drop
        need("sklearn.datasets")
        self.smallest: int | None = None
        self.largest, self.stored, rows = -1, 0, 0
        for _, X, _ in self._pieces(None, True):
            rows, self.stored = rows + X.shape[0], self.stored + X.nnz
            if X.nnz:
                low, self.largest = int(X.indices.min()), max(self.largest, int(X.indices.max()))
                self.smallest = low if self.smallest is None else min(self.smallest, low)
        self.n_rows, self.counted = None if rows else 0, rows
        self.n_features, self.zero_based = 0, False  # `settle_on_one_base` says what they are

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

    def _pieces(self, n_features: int | None, zero_based: bool) -> Iterator[tuple[int, Any, np.ndarray]]:
        from sklearn.datasets import load_svmlight_file

        with self.path.open("rb") as file:
            offset, rest = 0, b""
            while block := file.read(PIECE_BYTES):
                cut = block.rfind(b"\n") + 1
                if not cut:
                    rest += block
                    continue
                piece, rest = rest + block[:cut], block[cut:]
                yield self._parsed(load_svmlight_file, piece, offset, n_features, zero_based)
                offset += len(piece)
            if rest:
                yield self._parsed(load_svmlight_file, rest, offset, n_features, zero_based)

    def _parsed(self, load: Any, piece: bytes, offset: int, n_features: int | None, zero_based: bool) -> Any:
        try:
            X, y = load(io.BytesIO(piece), n_features=n_features, zero_based=zero_based)
        except (ValueError, IndexError, OverflowError) as error:
            line = self._lines_before(offset)
            for number, text in enumerate(piece.splitlines(keepends=True), line + 1):
                try:
                    load(io.BytesIO(text), n_features=n_features, zero_based=zero_based)
                except (ValueError, IndexError, OverflowError) as wrong:
                    said = " ".join(str(wrong).split())
                    raise TableError(f"{self.path}, line {number}: {said}; 'label index:value ...' is needed") from None
            raise TableError(f"{self.path}, after line {line}: {error}") from None
        return offset, X, y

    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        rows = rows_a_chunk(self.n_features)
        for offset, sparse, y in self._pieces(self.n_features, self.zero_based):
            if self.sparse:
                yield self._sparse_block(sparse, y, offset)
                continue
            for low in range(0, sparse.shape[0], rows):
                yield self._block(sparse[low : low + rows], y[low : low + rows], (offset, low))

    def _block(self, sparse: Any, y: np.ndarray, place: Any) -> Block:
        def where(i: int) -> str:
            return self.where(place, i)

        X = np.ascontiguousarray(sparse.toarray(), np.float64)
        finite = bool(np.isfinite(X).all())
        X, labels, kept = settle(X, y, finite, None, drop=self.drop, names=None, target=None, where=where)
        return Block(X, labels, place, kept)

    def _sparse_block(self, sparse: Any, y: np.ndarray, offset: int) -> Block:
        """All rows of a piece as CSR. A row with a value that is not finite is made dense, and refused or left out."""
        wrong = ~np.isfinite(y)
        wrong[np.repeat(np.arange(len(y)), np.diff(sparse.indptr))[~np.isfinite(sparse.data)]] = True
        kept = None
        if wrong.any():
            kept = np.ones(len(y), bool)
            for i in np.flatnonzero(wrong).tolist():
                block = self._block(sparse[i : i + 1], y[i : i + 1], (offset, i))
                kept[i] = len(block.X) > 0
            sparse, y = sparse[kept], y[kept]
        return Block(as_csr(sparse) if len(y) else empty_csr(self.n_features), y, (offset, 0), kept)

    def labels(self) -> Iterator[np.ndarray]:
        for offset, _, y in self._pieces(self.n_features, self.zero_based):
            if not np.isfinite(y).all():
                raise TableError(f"{self.where((offset, 0), int(np.argmin(np.isfinite(y))))}: the label is {y.min()}")
            yield y
