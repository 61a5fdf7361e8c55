"""Arrow columns into rows: what types mean, one chunk's conversion. Used for Parquet, IPC and streams of batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.rows.files import TableError, first_repeated, no_such_column
from tinynet_fast.rows.formats.base import Block, Part, repeated_name, rows_a_chunk, settle, target_name, told
from tinynet_fast.rows.index_columns import index_columns
from tinynet_fast.rows.messages import LONGEST_NAME, printable

LONGEST_LABEL = 256  # characters that labels of any number of rows may have
LABEL_BYTES = 1 << 26  # of longer ones: NumPy stores each label of a chunk as wide as the longest
MOST_ROWS_A_BYTE = 1 << 16  # of a file: packed rows that are all the same need a byte for some 5,000
EXACT_DIGITS = 15  # a float64 tells all decimals of so many digits apart
MOST_DECIMALS = 1 << 16  # labels that are remembered, to tell those of later rows from them
JOINED_BYTES = 1 << 25  # of short batches that become one
COMPILED_FROM = 1 << 16  # values from which on the compiled kernel turns columns: less is done before Numba is there


class Layout:
    """Which columns are the inputs and which is the target, in every file of a source.

    `features` None stands for every column but the target and an index that pandas or Dask wrote (also one with a
    name); the first file's columns rule then.
    """

    def __init__(self, target: str | None, features: Sequence[str] | None) -> None:
        self.target, self.open_ended = target, features is None
        self.names: list[str] = [] if features is None else list(features)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.kind, self.drop, self.first = "", False, ""
        self.decimals = Decimals(target)
        repeated = first_repeated(self.names)
        if repeated is not None:
            raise TableError(f"features: {repeated!r} is named twice; name each column once")
        if features is not None and not self.names:
            raise TableError("features: name at least one column")
        if target in self.names:
            raise TableError(f"features: {target!r} is the target; leave it out of the features")

    @property
    def whole(self) -> "Layout":
        """The layout of the rows, with the columns that come from the names of folders."""
        return self

    def check_names(self, path: Any, columns: list[str], index: frozenset[str] = frozenset()) -> None:
        """TableError if a file lacks a column, or has one that the first file does not have.

        `index` names columns that are an index, beside those that are known by their names.
        """
        repeated_name(path, columns)
        index |= index_columns(columns)
        there = set(columns)
        if self.target is not None and self.target not in there:
            raise no_such_column(path, self.target, columns)
        if not self.first:
            self.first = str(path)
            if self.open_ended:
                self.names = [name for name in columns if name != self.target and name not in index]
            if not self.names:
                beside = f"the target {self.target!r}" + (f" and the index {', '.join(sorted(index))}" if index else "")
                raise TableError(f"{path}: it has no column beside {beside}; name another file, or the features")
        missing = [name for name in self.names if name not in there]
        if missing:
            raise no_such_column(path, missing[0], columns)
        known = {*self.names, self.target, *index}
        more = [name for name in columns if name not in known] if self.open_ended else []
        if more:
            raise TableError(f"{path}: column {more[0]!r} is not in {self.first}; remove it, or name the features")

    def check_schema(self, path: Any, schema: Any) -> None:
        """`check_names`, and the columns' types: rows become float64 where one input is not float32."""
        import pyarrow as pa

        self.check_names(path, schema.names, index_columns(schema.names, schema))
        for name in self.names:
            kind = schema.field(name).type
            if pa.types.is_dictionary(kind):  # categories of pandas: numbers, if all of them are
                kind = kind.value_type
            if not (is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
                raise TableError(
                    f"{path}, row 1, column {name!r}: the column holds {kind}, no numbers: "
                    "convert it, or leave it out of the features"
                )
            if not pa.types.is_float32(kind):
                self.dtype = np.dtype(np.float64)
        if self.target is not None:
            kind = schema.field(self.target).type
            if pa.types.is_nested(kind):
                raise TableError(f"{path}, column {self.target!r}: it holds {kind}: use numbers, booleans or text")
            self.check_target(path, label_kind(kind))

    def check_target(self, path: Any, kind: str) -> None:
        """TableError where one file has text for labels and another numbers."""
        if kind and self.kind and kind != self.kind:
            raise TableError(f"{path}, column {self.target!r}: it holds {kind} where {self.first} has {self.kind}")
        self.kind = self.kind or kind

    @property
    def chunk_rows(self) -> int:
        return rows_a_chunk(len(self.names), self.dtype.itemsize)

    def block(self, columns: list[Any], target: Any, place: Any, where: Callable[[int], str]) -> Block:
        """The rows of some columns (Arrow arrays, in order) and of the target's (None without one)."""
        n = len(columns[0])
        X = empty_rows(n, len(columns), self.dtype)
        finite = fill(columns, X, 0)
        y, gone = (None, None) if self.target is None else labels(target, where, self.decimals)
        return self.settled(X, y, finite, gone, place, where)

    def settled(self, X: Any, y: Any, finite: bool, gone: Any, place: Any, where: Callable[[int], str]) -> Block:
        """A block without its missing values."""
        options: dict[str, Any] = {"names": self.names, "target": self.target, "drop": self.drop}
        X, y, kept = settle(X, y, finite, gone, where=where, **options)
        return Block(X, y, place, kept)


def empty_rows(n: int, width: int, dtype: Any) -> np.ndarray:
    """(n, width) to be filled, in memory of Arrow's pool, which keeps it from chunk to chunk: a tenth less time."""
    import pyarrow as pa

    size = n * width * np.dtype(dtype).itemsize
    return np.frombuffer(pa.allocate_buffer(size), dtype, n * width).reshape(n, width)


def is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def label_kind(kind: Any) -> str:
    """What labels of an Arrow type are: "numbers", "booleans" or "text"; "" where there is nothing to tell from."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return ""
    if pa.types.is_dictionary(kind):
        return label_kind(kind.value_type)
    return "booleans" if pa.types.is_boolean(kind) else "numbers" if is_number(kind) else "text"


def numeric(column: Any, dtype: np.dtype) -> np.ndarray:
    """An Arrow array of numbers or booleans as a contiguous array of `dtype`, NaN where a value is missing."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan, dtype)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    values = column.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values, dtype)


def fill(columns: Sequence[Any], X: np.ndarray, first: int) -> bool:
    """X[:, first + k] = columns[k], NaN where a value is missing. Returns whether all of them are finite."""
    if X.size >= COMPILED_FROM:
        from tinynet_fast.kernels.fast.columns import put_columns

        return put_columns([numeric(column, X.dtype) for column in columns], X, first)
    finite = True
    for k, column in enumerate(columns, first):
        X[:, k] = numeric(column, X.dtype)
        finite = finite and bool(np.isfinite(X[:, k]).all())
    return finite


class Decimals:
    """The decimals that were labels so far, and the float64 that each became. They may stand in several files."""

    def __init__(self, target: str | None = None) -> None:
        self.target, self.seen = target, {}  # type: ignore[var-annotated]

    def floats(self, column: Any, where: Callable[[int], str] | None) -> Any:
        """An Arrow array of decimals as float64; TableError if two different ones become one number."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if column.type.precision > EXACT_DIGITS:
            different = column.unique().drop_null()
            for value, number in zip(different.to_pylist(), different.cast(pa.float64()).to_pylist(), strict=True):
                other = self.seen.get(number, value)
                if other != value:
                    row = pc.index(column, pa.scalar(value, column.type)).as_py()
                    place = "" if where is None else f"{where(row)}, "
                    raise TableError(
                        f"{place}{target_name(self.target)}: the labels {other} and {value} are decimals that a "
                        "float64 cannot tell apart: use text or smaller numbers"
                    )
                if len(self.seen) < MOST_DECIMALS:
                    self.seen[number] = value
        return column.cast(pa.float64())


def labels(
    column: Any, where: Callable[[int], str] | None = None, decimals: Decimals | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """An Arrow array as labels (numbers, booleans or text), and which of them are missing (None: none).

    `decimals` are those of the rows before, if there are any.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = np.asarray(column.is_null()) if column.null_count else None
    kind = column.type
    if pa.types.is_null(kind):
        return np.zeros(len(column)), gone
    if not pa.types.is_dictionary(kind) and label_kind(kind) == "text":
        column = column.cast(pa.string()).dictionary_encode()
        kind = column.type
    if pa.types.is_dictionary(kind):
        if not len(column.dictionary):
            return np.zeros(len(column), dtype="U1"), gone
        if label_kind(kind) == "text":
            return _coded_texts(column, where)
        inside = None if where is None else lambda i: f"{where(0)} or below"  # where a row of the dictionary is used
        values, lost = labels(column.dictionary, inside, decimals)
        if lost is not None:  # a missing value that the dictionary itself holds
            gone = np.asarray(pc.is_null(column.dictionary_decode()))
        indices = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return values[indices], gone
    if pa.types.is_decimal(kind):
        column = (decimals or Decimals()).floats(column, where)
        kind = column.type
    if gone is not None:
        column = column.fill_null(pa.scalar(False if pa.types.is_boolean(kind) else 0, kind))
    return column.to_numpy(zero_copy_only=False), gone


def _coded_texts(column: Any, where: Callable[[int], str] | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The texts of a dictionary array, and which are missing (None: none).

    The dictionary may be that of many more rows, so only what stands in these ones is looked at.
    """
    codes, dictionary = column.indices.fill_null(0).to_numpy(zero_copy_only=False), column.dictionary
    there = None
    if column.null_count or dictionary.null_count:
        there = np.asarray(column.is_valid()) & np.asarray(dictionary.is_valid())[codes]
    gone, some = (None, codes) if there is None else (~there, codes[there])
    if len(dictionary) > len(codes):
        used = np.unique(some)
        places = np.searchsorted(used, some)
    else:
        mask = np.zeros(len(dictionary), bool)
        mask[some] = True
        used = np.flatnonzero(mask)
        places = some if len(used) == len(mask) else (np.cumsum(mask) - 1)[some]
    if not len(used):
        return np.zeros(len(codes), dtype="U1"), gone
    texts = _texts(dictionary if len(used) == len(dictionary) else dictionary.take(used), len(codes), where)
    if there is None:
        return texts[places], gone
    values = np.zeros(len(codes), texts.dtype)
    values[there] = texts[places]
    return values, gone


def _texts(dictionary: Any, rows: int, where: Callable[[int], str] | None) -> np.ndarray:
    import pyarrow as pa

    texts = ["" if text is None else text for text in dictionary.cast(pa.string()).to_pylist()]
    lost = [text for text in texts if text.endswith("\0")]
    if lost:
        place = "" if where is None else f"{where(0)} or below: "
        raise TableError(
            f"{place}the label {lost[0][:40]!r}: NumPy drops zero characters at the end: use another label"
        )
    long = too_long(texts, rows)
    if long is not None:
        raise TableError(("" if where is None else f"{where(0)} or below: ") + long_label(long, rows))
    return np.array(texts, dtype=str)


def too_long(texts: list[str], rows: int) -> str | None:
    """The longest of some texts if it is too long to be a label of so many rows; else None."""
    longest = max(texts, key=len, default="")
    return longest if len(longest) > LONGEST_LABEL and 4 * len(longest) * rows > LABEL_BYTES else None


def long_label(label: str, rows: int) -> str:
    shown = printable(repr(label), LONGEST_NAME)
    return f"a label of {len(label):,} characters in {rows:,} rows, {shown}: use at most {LONGEST_LABEL}"


def check_rows(rows: int, size: int) -> None:
    """ValueError if a file of `size` bytes claims more rows than it can hold: columns of nothing take no byte a row."""
    if not 0 <= rows <= MOST_ROWS_A_BYTE * size:
        raise ValueError(f"{rows:,} rows in {size:,} bytes")


def whole(batch: Any) -> Any:
    """A record batch whose every value was checked to lie in its own memory.

    Arrow checks neither lengths nor offsets of what it reads, so a damaged file would be read beyond its end. For
    numbers this looks at lengths alone, for texts at each one. Raises ArrowInvalid if the batch is damaged.
    """
    batch.validate(full=True)
    return batch


def check_codes(column: Any) -> None:
    """ValueError if a dictionary array has an index outside of its dictionary: Arrow does not check what it reads."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        least, most = pc.min_max(column.indices).as_py().values()
        if least is not None and not 0 <= least <= most < len(column.dictionary):
            raise ValueError(f"a value {least if least < 0 else most} of a dictionary of {len(column.dictionary)}")


def joined(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """Record batches, where short ones in a row become one of at most `rows` rows: a block costs training 0.9 ms.

    The batches have to be whole, since joining reads all values. Where reading ends by an error, the rows above it come
    first, so that an error in these is the one that is told.
    """
    waiting: list[Any] = []
    n = size = 0
    failed: Exception | None = None
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:
            failed, batch = error, None
        large = batch is not None and (batch.num_rows >= rows or batch.nbytes >= JOINED_BYTES)
        if waiting and (batch is None or large or n + batch.num_rows > rows or size >= JOINED_BYTES):
            yield from _as_one(waiting)
            waiting, n, size = [], 0, 0
        if batch is None:
            break
        if large:
            yield batch
            continue
        waiting.append(batch)
        n, size = n + batch.num_rows, size + batch.nbytes
        if n == rows:
            yield from _as_one(waiting)
            waiting, n, size = [], 0, 0
    if failed is not None:
        raise failed


def _as_one(batches: list[Any]) -> list[Any]:
    """Some record batches as one, or as they are if Arrow cannot join them: dictionaries can be too large together."""
    import pyarrow as pa

    if len(batches) == 1:
        return batches
    try:
        return [pa.concat_batches(batches)]
    except pa.ArrowException:
        return batches


class Batches(Part):
    """Record batches one after the other: a Dataset, a RecordBatchReader, an IPC stream."""

    def __init__(self, name: str, layout: Layout, batches: Callable[[], Iterator[Any]]) -> None:
        self.name, self.layout, self.batches = name, layout, batches

    def where(self, place: Any, i: int) -> str:
        return f"{self.name}, row {place + i + 1}"

    def read(self, start: int, stop: int | None) -> Iterator[Block]:
        row, layout = 0, self.layout
        for batch in self.batches():
            with told(self.name):
                whole(batch)
            for low in range(0, batch.num_rows, layout.chunk_rows):
                with told(self.name):
                    block = self._block(batch.slice(low, layout.chunk_rows), row + low)
                yield block
            row += batch.num_rows

    def _block(self, batch: Any, row: int) -> Block:
        columns = [batch.column(name) for name in self.layout.names]
        target = None if self.layout.target is None else batch.column(self.layout.target)
        block = self.layout.block(columns, target, row, lambda i: self.where(row, i))
        if block.y is None or block.y.flags.owndata:
            return block
        return replace(block, y=block.y.copy())  # a view of the batch, whose memory a reader may fill again
