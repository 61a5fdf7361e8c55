"""svmlight / LIBSVM text, parsed by scikit-learn piece by piece and handed out as dense rows."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.data.files import TableError
from tinynet_fast.data.sources.base import Block, Part, need, rows_a_chunk, settle

PIECE_BYTES = 1 << 20


class SvmlightPart(Part):
    """A text file of "label index:value ..." lines. A block's place is its piece's offset and a row in it.

    Whether indices count from 0 or 1 is decided by the whole file, as scikit-learn does: from 1 where no index is 0.
    """

    def __init__(self, path: Path, drop: bool) -> None:
        self.path, self.drop = path, drop
        need("sklearn.datasets")
        smallest, largest, rows = None, -1, 0
        for _, X, _ in self._pieces(None, True):
            rows += X.shape[0]
            if X.nnz:
                low, high = int(X.indices.min()), int(X.indices.max())
                smallest, largest = low if smallest is None else min(smallest, low), max(largest, high)
        if rows == 0:
            raise TableError(f"{path}: the file is empty")
        if smallest is None:
            raise TableError(f"{path}: no row has a value; at least one input is needed")
        self.zero_based = smallest == 0
        self.n_features = largest + 1 if self.zero_based else largest

    def settle_on(self, n_features: int, zero_based: bool) -> None:
        """As the other files of the source have it."""
        self.n_features, self.zero_based = n_features, zero_based

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
            for low in range(0, sparse.shape[0], rows):
                X = np.ascontiguousarray(sparse[low : low + rows].toarray(), np.float64)
                yield self._block(X, y[low : low + rows], (offset, low))

    def _block(self, X: np.ndarray, y: np.ndarray, place: Any) -> Block:
        def where(i: int) -> str:
            return self.where(place, i)

        finite = bool(np.isfinite(X).all())
        X, labels, kept = settle(X, y, finite, None, drop=self.drop, names=None, target=None, where=where)
        return Block(X, labels, place, kept)

    def labels(self) -> Iterator[np.ndarray]:
        for offset, _, y in self._pieces(self.n_features, self.zero_based):
            if not np.isfinite(y).all():
                raise TableError(f"{self.where((offset, 0), int(np.argmin(np.isfinite(y))))}: the label is {y.min()}")
            yield y
