"""Turns Arrow columns into NumPy arrays of inputs and labels, and refuses labels that would become equal there."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.rows.files import Library, TableError
from tinynet_fast.rows.formats.base import target_name
from tinynet_fast.rows.labels import EXACT_DIGITS, LOST_END, SeenFloats
from tinynet_fast.rows.messages import LONGEST_NAME, printable

pa = Library("pyarrow")
pc = Library("pyarrow.compute")
LONGEST_LABEL = 256  # characters: labels up to this length are allowed for any number of rows
LABEL_BYTES = 1 << 26  # that longer labels may take; NumPy stores all labels of a chunk as wide as the longest
COMPILED_FROM = 1 << 16  # values from which on a compiled kernel is used; fewer are done before Numba is loaded


def empty_rows(n: int, width: int, dtype: Any) -> np.ndarray:
    """An empty (n, width) array in memory of Arrow's pool, which is used again for each chunk: a tenth less time."""
    size = n * width * np.dtype(dtype).itemsize
    return np.frombuffer(pa.allocate_buffer(size), dtype, n * width).reshape(n, width)


def is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def label_kind(kind: Any) -> str:
    """What labels of an Arrow type are: "numbers", "booleans" or "text"; "" if the type does not tell."""
    if pa.types.is_null(kind):
        return ""
    if pa.types.is_dictionary(kind):
        return label_kind(kind.value_type)
    return "booleans" if pa.types.is_boolean(kind) else "numbers" if is_number(kind) else "text"


def numeric(column: Any, dtype: np.dtype) -> np.ndarray:
    """An Arrow array of numbers or booleans as a contiguous array of `dtype`, NaN for a missing value."""
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
    """Set X[:, first + k] = columns[k], NaN for a missing value. Returns whether all values are finite."""
    if X.size >= COMPILED_FROM:
        from tinynet_fast.kernels.fast.columns import put_columns  # needs Numba, which takes a second

        return put_columns([numeric(column, X.dtype) for column in columns], X, first)
    finite = True
    for k, column in enumerate(columns, first):
        X[:, k] = numeric(column, X.dtype)
        finite = finite and bool(np.isfinite(X[:, k]).all())
    return finite


class Decimals(SeenFloats):
    """Remembers decimals that were labels, in all files."""

    def __init__(self, target: str | None = None) -> None:
        super().__init__()
        self.target = target

    def floats(self, column: Any, where: Callable[[int], str] | None) -> Any:
        """An Arrow array of decimals as float64; TableError if two different ones become one number."""
        if column.type.precision > EXACT_DIGITS:
            different = column.unique().drop_null()
            for value, number in zip(different.to_pylist(), different.cast(pa.float64()).to_pylist(), strict=True):
                other = self.other(value, number)
                if other is not None:
                    row = pc.index(column, pa.scalar(value, column.type)).as_py()
                    place = "" if where is None else f"{where(row)}, "
                    raise TableError(
                        f"{place}{target_name(self.target)}: the labels {other} and {value} are decimals that a "
                        "float64 cannot tell apart: use text or smaller numbers"
                    )
        return column.cast(pa.float64())


def labels(
    column: Any, where: Callable[[int], str] | None = None, decimals: Decimals | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """An Arrow array as labels (numbers, booleans or text), and which labels are missing (None: none).

    `where` names a row for messages. `decimals` remembers the labels of earlier rows.
    """
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

    The dictionary may belong to many more rows, so only the texts of these rows are used.
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
    texts = ["" if text is None else text for text in dictionary.cast(pa.string()).to_pylist()]
    place = "" if where is None else f"{where(0)} or below: "
    lost = [text for text in texts if text.endswith("\0")]
    if lost:
        raise TableError(f"{place}the label {lost[0][:40]!r}: {LOST_END}")
    long = too_long(texts, rows)
    if long is not None:
        raise TableError(f"{place}{long_label(long, rows)}")
    return np.array(texts, dtype=str)


def too_long(texts: list[str], rows: int) -> str | None:
    """The longest text if it is too long to be a label of `rows` rows; else None."""
    longest = max(texts, key=len, default="")
    return longest if len(longest) > LONGEST_LABEL and 4 * len(longest) * rows > LABEL_BYTES else None


def long_label(label: str, rows: int) -> str:
    shown = printable(repr(label), LONGEST_NAME)
    return f"a label of {len(label):,} characters in {rows:,} rows, {shown}: use at most {LONGEST_LABEL}"
