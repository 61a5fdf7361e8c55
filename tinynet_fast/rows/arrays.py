"""Turns lists and arrays into a checked matrix, and labels into codes. `blocks.py` makes blocks of rows from these."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.rows.labels import as_labels, refuse_measurements, too_many
from tinynet_fast.rows.messages import MOST_NAMED, shown
from tinynet_fast.rows.values import decoded, is_masked, is_missing, is_several

DATES = "a date or a time: turn it into a number first (such as days since the first one), or leave the column out"
CHECKED_VALUES = 1 << 18  # values that are tested for NaN at a time, so that the test needs little memory
COMPARED = 1 << 15  # labels that are compared at a time, so that they stay in the second cache


class BadValue(ValueError):
    """A value that cannot be taken as a number. `row` says which row it is in."""

    row = 0

    @classmethod
    def at(cls, row: int, message: str) -> "BadValue":
        error = cls(message)
        error.row = row
        return error


def as_matrix(X: Any, name: str = "X", columns: Sequence[str] | None = None) -> np.ndarray:
    """`X` as a 2-D numeric array of rows, without a copy if it is an array already.

    A 1-D array or a list of numbers is one input a row. Raises ValueError for ragged rows, text, missing values and
    anything else that is not a table of real numbers. The message names the row and the column (by its name if
    `columns` are given). Rows with names, such as a frame, go through `frames.py` first.
    """
    if isinstance(X, (str, bytes)):
        raise ValueError(f"{name} is text; a list of rows or an array is needed")
    if is_masked(X):
        place = np.argwhere(np.ma.getmaskarray(X))[0]
        raise ValueError(_bad_value(None, tuple(place.tolist()), name, columns))
    if hasattr(X, "toarray"):
        raise ValueError(f"{name} is a sparse matrix, which train_neuron alone reads as it is: pass {name}.toarray()")
    if hasattr(X, "__array__"):
        array = np.asarray(decoded(X))
    elif isinstance(X, Sequence):
        array = _from_rows(X, name)
    else:
        raise ValueError(f"{name} is a {type(X).__name__}; a list of rows or an array is needed")
    if array.dtype.kind in "OUST":
        array = _from_objects(array, name, columns)
    if array.dtype.kind in "Mm" and array.size:
        raise ValueError(f"{_place(name, 0, 0, columns)} is {array.flat[0]}, {DATES}")
    if array.dtype.kind not in "biuf":
        where = name if columns is None else f"{name}[:, {columns[0]!r}]"
        raise ValueError(f"{where} holds values of type {array.dtype}: convert them to real numbers first")
    if array.ndim == 1:
        array = array[:, np.newaxis]
    check_table(array.shape, name)
    return array


def check_table(shape: tuple[int, ...], name: str) -> None:
    """ValueError if a table is empty or does not have two dimensions."""
    if len(shape) != 2:
        raise ValueError(f"{name} has {len(shape)} dimensions; 2 are needed, rows and inputs")
    if shape[0] == 0:
        raise ValueError(f"{name} has no rows: at least one is needed")
    if shape[1] == 0:
        raise ValueError(f"{name} has no columns: at least one input is needed")


def _from_rows(rows: Sequence[Any], name: str) -> np.ndarray:
    width = None
    for i, row in enumerate(rows):
        single = isinstance(row, (str, bytes)) or not hasattr(row, "__len__") or getattr(row, "shape", None) == ()
        length = None if single else len(row)
        if i == 0:
            width = length
        elif length != width:
            has, first = ("a single number" if k is None else f"{k} values" for k in (length, width))
            raise ValueError(f"{name}[{i}] has {has} and {name}[0] has {first}: give every row the same inputs")
    try:
        array = np.array(rows)
    except ValueError:  # rows of equal length with a list for a value
        table = np.empty((len(rows), width or 1), dtype=object)
        for place in np.ndindex(table.shape):
            table[place] = rows[place[0]][place[1]]
        return table
    return np.array(rows, dtype=object) if array.dtype.kind in "US" else array  # a text would turn numbers into text


def _from_objects(array: np.ndarray, name: str, columns: Sequence[str] | None) -> np.ndarray:
    """Convert Python objects to numbers one by one, so that an error can name the first value that is no number."""
    out = np.empty(array.shape)
    for place, value in np.ndenumerate(array):
        plain = type(value) in (float, int, bool) and value == value
        if not plain and (is_several(value) or isinstance(value, (str, bytes, complex)) or is_missing(value)):
            raise BadValue.at(place[0], _bad_value(value, place, name, columns))
        try:
            out[place] = value
        except (TypeError, ValueError, OverflowError):
            raise BadValue.at(place[0], _bad_value(value, place, name, columns)) from None
    return out


def _bad_value(value: Any, place: tuple[int, ...], name: str, columns: Sequence[str] | None) -> str:
    where = _place(name, place[0], place[1] if len(place) > 1 else 0, columns)
    value = str(value) if isinstance(value, np.str_) else value
    if is_several(value):
        return f"{where} holds several values: give each a column of its own, or leave the column out"
    if is_missing(value):
        return f"{where} is missing: drop the row or fill the column first"
    if isinstance(value, int):
        return f"{where} is too large for a float64: divide the column by a power of ten first"
    if hasattr(value, "isoformat") or hasattr(value, "total_seconds"):
        return f"{where} is {value}, {DATES}"
    return f"{where} is {value!r}, which is no real number: convert or drop the column first"


def _place(name: str, i: int, j: int, columns: Sequence[str] | None) -> str:
    """Row `i` and column `j` for a message: `X[3, 'hours']` if the columns have names, else `X[3, 0]`."""
    return f"{name}[{i}, {j if columns is None else repr(columns[j])}]"


def check_finite(X: np.ndarray, name: str = "X", columns: Sequence[str] | None = None) -> None:
    """Raise ValueError for the first NaN or infinity in `X`, naming its row and column."""
    if X.dtype.kind != "f":
        return
    rows = max(CHECKED_VALUES // X.shape[1], 1)
    for start in range(0, len(X), rows):
        finite = np.isfinite(X[start : start + rows])
        if X.dtype.itemsize > 8:  # a long double may be finite and still too large
            with np.errstate(over="ignore"):
                finite &= np.isfinite(X[start : start + rows].astype(np.float64))
        if not finite.all():
            i, j = np.argwhere(~finite)[0]
            value = X[start + i, j]
            what = "NaN" if np.isnan(value) else "infinite" if np.isinf(value) else "too large for a float64"
            place = _place(name, start + int(i), int(j), columns)
            raise BadValue.at(start + int(i), f"{place} is {what}: drop the row or fill the column first")


class Codes:
    """The code of each row's label: its place, 0 or 1 and so on, in the sorted `labels`.

    Codes are made when rows are asked for. A byte for every row could take more memory than all of training.
    """

    def __init__(self, y: np.ndarray, labels: np.ndarray) -> None:
        self.y, self.labels = y, labels
        self._are_labels = y.dtype == np.float64 and labels.tolist() == list(range(len(labels)))  # the codes

    def __getitem__(self, part: Any) -> np.ndarray:
        y = self.y[part]
        if len(self.labels) == 2:
            return np.asarray(y == self.labels[1]).view(np.uint8)
        return np.searchsorted(self.labels, y).astype(np.uint8)

    def as_floats(self, part: Any) -> np.ndarray:
        """The codes as float64, C-contiguous. A slice of labels that are codes already, 0.0 and 1.0, is not copied."""
        if self._are_labels:
            codes = np.asarray(self.y[part], order="C")
            return codes if codes.flags.aligned else codes.copy()
        return self[part].astype(np.float64)


def encode_labels(y: Any, n_rows: int, name: str = "y", most: int = 2) -> tuple[Codes, np.ndarray]:
    """Return a code for each row, 0 or 1 and so on, and the sorted labels that the codes stand for, at most `most`.

    Returns
    -------
    codes : Codes
    labels : (2,) array, or longer
        They keep their dtype: `labels[codes[:]]` are the labels as they came.
    """
    array = _label_array(y, n_rows, name)
    labels = _two_labels(array)
    if labels is None:
        labels = _looked_for(array, name, most)
    codes = Codes(array, labels)
    if array.dtype.kind == "U":  # text is compared once, and not in every epoch
        parts = [codes[start : start + CHECKED_VALUES] for start in range(0, len(array), CHECKED_VALUES)]
        codes = Codes(np.concatenate(parts), np.arange(len(labels)))
    return codes, labels


def _two_labels(array: np.ndarray) -> np.ndarray | None:
    """The two labels of rows that have two, sorted; None for any other rows.

    A part of the rows stays in the cache while it is compared with both: one pass over the memory instead of three.
    """
    first, second = array[:1], array[:0]
    for start in range(0, len(array), COMPARED):
        part = array[start : start + COMPARED]
        same = part == first
        known = np.count_nonzero(same)
        if known < len(part) and not len(second):
            place = same.argmin()
            second = part[place : place + 1]
        if len(second):
            known += np.count_nonzero(part == second)
        if known < len(part):  # NaN equals nothing, not even itself
            return None
    labels = np.concatenate((first, second), dtype=array.dtype)
    labels.sort()
    finite = array.dtype.kind != "f" or all(map(math.isfinite, labels.tolist()))
    return labels if len(labels) == 2 and finite else None


def _looked_for(array: np.ndarray, name: str, most: int) -> np.ndarray:
    """The sorted labels, at most `most` and more than one; ValueError for any others."""
    if array.dtype.kind in "biuf":
        labels = np.array([array.min(), array.max()], dtype=array.dtype)  # two scans: sorting a million costs more
        if not np.isfinite(labels).all():
            i = int(np.argmin(np.isfinite(array)))
            raise ValueError(f"{name}[{i}] is {array[i]}: drop the row or fill the label first")
        if most > 2 and _third(array, labels) is not None:
            labels = _distinct(array, most)
    else:
        labels = _distinct(array, most)
    if labels[0] == labels[-1]:
        raise ValueError(f"{name} holds one label only, {shown(labels[0])}: training needs rows of both kinds")
    if len(labels) > most > 2:
        raise ValueError(too_many(most, name))
    refuse_measurements(labels, len(array), name)
    third = _third(array, labels[[0, -1]]) if most == 2 else None
    if third is not None:
        low, high = shown(labels[0]), shown(labels[-1])
        raise ValueError(
            f"{name}[{third}] is {shown(array[third])}, beside {low} and {high}: "
            "this trains pass or fail, so keep the rows of two labels"
        )
    return labels


def find_labels(parts: Iterable[np.ndarray], most: int | None = None, rows: int | None = None) -> np.ndarray:
    """Return the sorted labels of rows that come in parts: at least two, and at most `most`.

    If `most` is 2, reading ends with the second label; training finds a third one later. Pass the number of `rows` if
    the parts do not hold a label for each row.
    """
    labels: np.ndarray | None = None
    waiting: list[np.ndarray] = []  # merged once they are as many as the labels, so that each is sorted a few times
    seen = 0
    for part in parts:
        seen += len(part)
        waiting.append(np.unique(part))
        if labels is None or sum(map(len, waiting)) >= len(labels):
            labels, waiting = _merged(labels, waiting), []
        if most is not None and len(labels) > most > 2:
            raise ValueError(too_many(most))
        if most == 2 and len(labels) >= 2:
            break
    labels = _merged(labels, waiting) if waiting else labels
    if labels is None or len(labels) < 2:
        one = "" if labels is None else f", {shown(labels[0])}"
        raise ValueError(f"y holds one label only{one}: training needs rows of both kinds")
    if most == 2 and len(labels) > 2:
        several = ", ".join(map(shown, labels[:MOST_NAMED]))
        raise ValueError(f"y holds the labels {several}: this trains pass or fail, so keep the rows of two labels")
    refuse_measurements(labels, seen if rows is None else rows)
    return labels


def _merged(labels: np.ndarray | None, parts: list[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate(parts if labels is None else [labels, *parts]))


def _distinct(array: np.ndarray, most: int) -> np.ndarray:
    """The different labels, sorted. If there are more than `most`, only some of them are returned."""
    labels = array[:0]
    for start in range(0, len(array), CHECKED_VALUES):
        labels = np.union1d(labels, array[start : start + CHECKED_VALUES])
        if len(labels) > most > 2:
            break
    return labels


def _third(array: np.ndarray, labels: np.ndarray) -> int | None:
    """The first row whose label is neither of two; None if there is none."""
    for start in range(0, len(array), CHECKED_VALUES):
        part = array[start : start + CHECKED_VALUES]
        other = (part != labels[0]) & (part != labels[1])
        if other.any():
            return start + int(np.argmax(other))
    return None


def encode_known(y: Any, labels: np.ndarray, n_rows: int, name: str = "y") -> np.ndarray:
    """Codes of labels that a model knows already; ValueError for the first label that it does not know."""
    array = _label_array(y, n_rows, name)
    codes = np.asarray(array == labels[1]).view(np.uint8)
    unknown = (codes == 0) & (array != labels[0])
    for code in range(2, len(labels)):
        this = array == labels[code]
        codes[this] = code
        unknown &= ~this
    if unknown.any():
        i = int(np.argmax(unknown))
        *some, last = map(shown, labels[:MOST_NAMED])
        last = last if len(labels) <= MOST_NAMED else f"{len(labels) - MOST_NAMED + 1} more"
        raise ValueError(
            f"{name}[{i}] is {shown(array[i])}, an unknown label: the model knows {', '.join(some)} and {last}; "
            "correct the label or drop the row"
        )
    return codes


def _label_array(y: Any, n_rows: int, name: str) -> np.ndarray:
    array = as_labels(y, name)
    if len(array) != n_rows:
        raise ValueError(f"X has {n_rows} rows and {name} has {len(array)} labels: one label a row is needed")
    return array


def as_float(value: Any) -> float | None:
    """A number as a float, infinity if it is too large for one; None if it is no real number."""
    if type(value) is float:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def as_sample_weight(sample_weight: Any, n_rows: int) -> np.ndarray | None:
    """Sample weights as float64, one for each row, or None; ValueError for the first that is not finite or below 0."""
    if sample_weight is None:
        return None
    if is_masked(sample_weight):
        i = int(np.argmax(np.ma.getmaskarray(sample_weight).reshape(-1)))
        raise ValueError(f"sample_weight[{i}] is missing: drop the row or give it a weight")
    try:
        weights = np.asarray(decoded(sample_weight), dtype=np.float64, order="C")  # kernels take no strides
    except (TypeError, ValueError, OverflowError):
        raise ValueError("sample_weight holds something that is no number: give each row a number") from None
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight has shape {weights.shape}; ({n_rows},), a weight for each row, is needed")
    bad = ~(np.isfinite(weights) & (weights >= 0.0))
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"sample_weight[{i}] is {weights[i]}; a finite number of at least 0 is needed")
    if not weights.any():
        raise ValueError("sample_weight is 0 for every row: give some row a weight")
    return weights
