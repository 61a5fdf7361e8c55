"""Rows that a program hands over: Arrow datasets and readers, and iterators of (X, y) blocks."""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, need
from tinynet_fast.rows.formats.arrow import Batches
from tinynet_fast.rows.formats.base import Chunk, Part
from tinynet_fast.rows.formats.source import Source
from tinynet_fast.rows.formats.tables import layout_of, source_of
from tinynet_fast.rows.frames import block_rows
from tinynet_fast.rows.labels import labels_and_gaps
from tinynet_fast.rows.numbers import numbers_and_gaps, targets_in
from tinynet_fast.rows.values import is_masked

FRAMES = {"pandas", "polars", "modin", "narwhals", "cudf"}  # libraries whose frames stay in memory


def is_arrow(X: Any) -> bool:
    """Whether X is an Arrow dataset, reader or stream, and not a frame."""
    library = type(X).__module__.partition(".")[0]
    if library == "pyarrow":
        return hasattr(X, "scanner") or hasattr(X, "read_next_batch")
    return library not in FRAMES and hasattr(X, "__arrow_c_stream__")


def kept_apart(values: Any, given: Any) -> Any:
    """`values`, copied if they may share memory with `given`: the iterator may write its next rows there.

    Blocks are read ahead of training, so the next block is made before this one is used.
    """
    if values is None or isinstance(given, (list, tuple)):  # NumPy makes a new array of these
        return values
    if isinstance(given, np.ndarray) and not np.may_share_memory(values, given):
        return values
    return values.copy()


def pair_of(block: Any) -> tuple[Any, Any]:
    """A block's rows and its labels, None if it has none."""
    return block if isinstance(block, tuple) and len(block) == 2 else (block, None)


def is_empty(block: Any) -> bool:
    """Whether a block has neither rows nor labels."""
    X, y = pair_of(block)
    return all(_has_nothing(values) for values in (X, () if y is None else y))


def _has_nothing(values: Any) -> bool:
    shape = getattr(values, "shape", None)  # sparse rows have one, and no length
    if isinstance(shape, tuple):
        return len(shape) > 0 and shape[0] == 0
    return hasattr(values, "__len__") and len(values) == 0


def masked_as_nan(X: Any) -> Any:
    """Rows of `numpy.ma` with NaN in place of masked values; other rows as they are."""
    if not is_masked(X):
        return X
    return X.astype(X.dtype if X.dtype.kind == "f" else np.float64).filled(np.nan)


class IteratorPart(Part):
    """Blocks (X, y) of an iterator, or of iterators that a function makes, one a pass. A place is a block's number.

    The first block with rows decides the width, whether rows are float32, and whether there are labels. If its columns
    have names and no `names` are given, it also decides which columns are read, and in which order. Blocks without rows
    are left out.
    """

    def __init__(self, X: Any, drop: bool, names: list[str] | None = None, numbers: bool = False) -> None:
        self.numbers = numbers  # whether blocks have numbers to learn, also several for each row
        self.names = names
        self.named: bool | None = None  # whether the first block has names; None until it is read
        self.drop, self.repeatable = drop, callable(X)
        self.given: Any = X
        self.last: Any = None
        blocks = self._make()
        self.first: Any = None
        for self.number, self.first in enumerate(blocks):  # the first block with rows, and its number
            if not is_empty(self.first):
                break
        else:
            raise TableError("the iterator of blocks gives no rows: at least one block with rows is needed")
        rows, y, _ = self._pair(self.first, self.number)
        self.n_features, self.labelled = rows.shape[1], y is not None
        self.dtype = np.dtype(np.float32 if rows.dtype == np.float32 else np.float64)
        self.text = y is not None and y.dtype.kind == "U"
        self.n_targets = y.shape[1] if y is not None and y.ndim == 2 else 1
        if self.repeatable:
            self.first = None
            getattr(blocks, "close", lambda: None)()
        else:
            self.rest = blocks

    def _make(self) -> Iterator[Any]:
        """An iterator over all blocks."""
        if not self.repeatable:
            return iter(self.given)
        made = self.given()
        if not hasattr(made, "__iter__") and not hasattr(made, "__next__"):
            raise TableError(f"the function returned a {type(made).__name__}: return an iterator of blocks (X, y)")
        blocks: Any = iter(made)
        if blocks is self.last:
            raise TableError(
                "the function returned the same iterator twice, and its rows can be read once only: "
                "return a new iterator each time"
            )
        self.last = blocks
        return blocks

    def _pair(self, block: Any, number: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """A block's rows, its labels (None without any), and which of those are missing (None: none)."""
        X, given = pair_of(block)
        if type(block) is tuple and len(block) != 2:  # a named tuple is one row
            raise TableError(
                f"block {number} is a tuple of {len(block)}: blocks are (X, y), or X as a list, an array or a frame; "
                "sample weights are for rows in memory"
            )
        try:
            rows = self._matrix(masked_as_nan(X))
            read: Any = numbers_and_gaps if self.numbers else labels_and_gaps
            found = None if given is None else read(given)
        except ValueError as error:
            raise TableError(f"block {number}: {error}") from None
        y, gone = found if isinstance(found, tuple) else (found, None)
        if y is not None and len(y) != len(rows):
            what = "number" if self.numbers else "label"
            raise TableError(f"block {number}: {len(y)} {what}s for {len(rows)} rows: one {what} a row is needed")
        return rows, None if y is None else kept_apart(y, given), gone

    def _matrix(self, X: Any) -> np.ndarray:
        """The columns of the first block, matched by name if there are names."""
        rows, names = block_rows(X, self.names)
        if self.named is None:
            self.named = names is not None
            self.names = names if self.names is None else self.names
        return rows

    def where(self, place: Any, i: int) -> str:
        return f"block {place}, row {i + 1}"

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        if self.repeatable:
            yield from self._blocks(enumerate(self._make()))
            return
        yield self._block(self.first, self.number)
        self.first = None  # which may be large
        yield from self._blocks(enumerate(self.rest, self.number + 1))

    def _blocks(self, blocks: Iterator[tuple[int, Any]]) -> Iterator[Chunk]:
        for k, block in blocks:
            if not is_empty(block):
                yield self._block(block, k)

    def _block(self, block: Any, number: int) -> Chunk:
        rows, y, gone = self._pair(block, number)
        if rows.shape[1] != self.n_features:
            raise TableError(f"block {number}: {rows.shape[1]} columns, and block {self.number} has {self.n_features}")
        all_gone = gone is not None and bool(gone.all())  # such labels have no kind
        if (y is not None) != self.labelled or (y is not None and (y.dtype.kind == "U") != self.text and not all_gone):
            raise TableError(
                f"block {number}: its labels are not of the kind of block {self.number}'s: "
                "give all blocks numbers or text"
            )
        if y is not None and targets_in(y) != self.n_targets:
            raise TableError(
                f"block {number}: {targets_in(y)} numbers a row, and block {self.number} has {self.n_targets}"
            )
        if self.dtype == np.float32 and rows.dtype != np.float32:
            raise TableError(
                f"block {number}: rows of {rows.dtype}, and block {self.number} has float32: give all the same dtype"
            )
        X = kept_apart(np.ascontiguousarray(rows, self.dtype), pair_of(block)[0])
        return self.settled(X, y, number, gone)


def open_arrow(X: Any, y: Any, features: list[str] | None, drop: bool, raw: bool = False) -> Source:
    """An Arrow dataset, which can be read again, or a reader or stream, which cannot."""
    layout, name, again = layout_of(y, features, drop, raw), type(X).__name__, hasattr(X, "scanner")
    pa = need("pyarrow")
    if not again and not hasattr(X, "read_next_batch"):
        X = pa.RecordBatchReader.from_stream(X)
    layout.check_schema(name, X.schema)

    def batches() -> Iterator[Any]:
        if not again:
            return map(_own, X) if raw else iter(X)
        options = {"batch_size": layout.chunk_rows, "batch_readahead": 2, "fragment_readahead": 1}
        return iter(X.scanner(columns=layout.columns, **options).to_batches())

    return source_of("arrow", [Batches(name, layout, batches)], layout, repeatable=again)


def _own(batch: Any) -> Any:
    """A batch in memory of its own: a reader may use the memory of its batches again."""
    return batch.take(np.arange(batch.num_rows))


def open_iterator(
    X: Any, y: Any, features: list[str] | None, columns: list[str] | None, drop: bool, numbers: bool
) -> Source:
    """An iterator of blocks, or a function that makes one. `columns` are taken from blocks whose columns have names."""
    if y is not None:
        raise TableError("y: an iterator gives its labels in its blocks, (X, y); leave y out")
    part = IteratorPart(X, drop, columns, numbers)
    if features is not None and not part.named:
        raise TableError("features: the columns of blocks have no names; leave features out")
    return Source(
        "iterator",
        [part],
        names=part.names,
        n_features=part.n_features,
        dtype=part.dtype,
        repeatable=part.repeatable,
        drop_missing=drop,
        labelled=part.labelled,
        label_remedy="give blocks (X, y)",
        n_targets=part.n_targets,
    )
