"""A person's table in memory: named columns of numbers or texts, from a frame, files, or rows with names.

What a column means (a number, levels, yes or no) is decided in `columns/`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.rows.blocks import slices
from tinynet_fast.rows.files import Library
from tinynet_fast.rows.formats.columns import is_number, numeric
from tinynet_fast.rows.frames import named_columns
from tinynet_fast.rows.index_columns import index_columns
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.values import is_masked, is_missing, is_several

LARGEST = 1 << 53  # whole numbers up to this are exact as float64; a column with larger ones is kept as texts
pa = Library("pyarrow")
pc = Library("pyarrow.compute")


class Texts:
    """A column of texts, without spaces around them. Each different text is kept once.

    Attributes
    ----------
    codes : (n,) int32 array
        For each row the place of its text, or -1 if the row has none.
    texts : list of str
        The different texts, in the order in which they first occur.
    """

    def __init__(self, codes: np.ndarray, texts: Sequence[str]) -> None:
        stripped: dict[str, int] = {}
        places = [stripped.setdefault(text.strip(), len(stripped)) for text in texts]
        if len(stripped) < len(texts) or list(stripped) != list(texts):
            codes = np.array([*places, -1], np.int32)[codes]
        self.codes, self.texts = codes.astype(np.int32, copy=False), list(stripped)

    @classmethod
    def of(cls, values: Sequence[str | None]) -> "Texts":
        """The column of these texts; None is a missing one."""
        seen: dict[str, int] = {}
        codes = [-1 if text is None else seen.setdefault(text, len(seen)) for text in values]
        return cls(np.array(codes, np.int32), list(seen))

    @classmethod
    def of_arrow(cls, column: Any) -> "Texts":
        """The column of an Arrow array of texts, or of a dictionary of texts."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.unify_dictionaries().combine_chunks() if coded.num_chunks > 1 else coded.chunk(0)
        codes = coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        texts = coded.dictionary.cast(pa.string()).to_pylist()
        gone = [place for place, text in enumerate(texts) if text is None]
        if gone:
            codes = np.where(np.isin(codes, gone), -1, codes)
        return cls(codes, ["" if text is None else text for text in texts])

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> "Texts":
        part = Texts(self.codes[:0], ())
        part.codes, part.texts = self.codes[rows], self.texts
        return part

    def sample(self, most: int) -> list[str]:
        """The different texts of the first `most` rows."""
        return self[:most].used

    def plain_numbers(self, gaps: frozenset[str]) -> np.ndarray | None:
        """The texts as numbers, NaN for a missing one and for one of `gaps`. None if this is not quick to find out."""
        return None

    @property
    def used(self) -> list[str]:
        """The texts that a row has."""
        there = np.zeros(len(self.texts) + 1, bool)
        there[self.codes] = True
        return [text for text, seen in zip(self.texts, there[:-1].tolist(), strict=True) if seen]

    def mapped(self, values: Mapping[str, float] | Sequence[float], missing: float) -> np.ndarray:
        """A number for each row: (n,) float64. `values` has one for each text, by the text or by its place."""
        if isinstance(values, Mapping):
            values = [values[text] for text in self.texts]
        return np.array([*values, missing], np.float64)[self.codes]


class ArrowTexts(Texts):
    """A column of texts in an Arrow array. Its different texts are looked for only when they are needed.

    `rows` are the numbers of its rows in `source`; None if it has all of them.
    """

    def __init__(self, source: Any, rows: np.ndarray | None = None) -> None:
        self.source, self.rows = source, rows
        self.parsed: dict[frozenset[str], np.ndarray | None] = {}  # `plain_numbers`, by the texts for a missing value

    @property
    def column(self) -> Any:
        """The texts as an Arrow array, without spaces around them."""
        column = self.source if self.rows is None else self.source.take(pa.array(self.rows))
        return pc.utf8_trim_whitespace(column)

    def __getattr__(self, name: str) -> Any:
        if name not in ("codes", "texts"):
            raise AttributeError(name)
        found = Texts.of_arrow(self.column)
        self.codes, self.texts = found.codes, found.texts
        return getattr(self, name)

    def __len__(self) -> int:
        return len(self.source) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: Any) -> Texts:
        chosen = ArrowTexts(self.source, (np.arange(len(self)) if self.rows is None else self.rows)[rows])
        chosen.parsed = {gaps: None if found is None else found[rows] for gaps, found in self.parsed.items()}
        return chosen

    def sample(self, most: int) -> list[str]:
        texts = ArrowTexts(self.source, np.arange(len(self))[:most] if self.rows is None else self.rows[:most])
        return [text for text in texts.column.unique().to_pylist() if text is not None]

    def plain_numbers(self, gaps: frozenset[str]) -> np.ndarray | None:
        if gaps not in self.parsed:
            column = self.column
            gone = pc.is_in(column, value_set=pa.array(sorted(gaps), column.type))
            try:
                numbers = pc.if_else(gone, pa.scalar(None, column.type), column).cast(pa.float64())
                found = numeric(numbers, np.dtype(np.float64))
                missing = numbers.null_count
                self.parsed[gaps] = found if np.count_nonzero(np.isnan(found)) == missing else None  # a text was NAN
            except pa.ArrowInvalid:
                self.parsed[gaps] = None
        return self.parsed[gaps]


@dataclass(frozen=True)
class Unusable:
    """A column that cannot be an input, such as dates, lists or bytes. `what` says which."""

    what: str
    rows: int

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: Any) -> "Unusable":
        return replace(self, rows=len(np.arange(self.rows)[rows]))


Column = np.ndarray | Texts | Unusable


@dataclass(frozen=True)
class Table:
    """Rows with named columns.

    Attributes
    ----------
    columns : dict
        For each name, in order: a (n,) float64 array, NaN for a missing value; `Texts`; or `Unusable`.
    n_rows : int
    where : callable
        Names the place of row i, counted from 0: "students.csv, line 12", or "X[10]".
    place : str
        Names the table: the first file, or "X".
    named : bool
        Whether the columns have names of their own; False for an array of numbers.
    dropped : int
        How many rows were left out for a missing value when the table was read.
    """

    columns: dict[str, Column]
    n_rows: int
    where: Callable[[int], str]
    place: str = "X"
    named: bool = True
    dropped: int = 0

    def __len__(self) -> int:
        return self.n_rows

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def cell(self, i: int, name: str) -> str:
        """The place of a cell, for messages."""
        return f"{self.where(i)}, column {name!r}"

    def take(self, rows: np.ndarray) -> "Table":
        """The rows with these numbers, or those for which a mask is True."""
        numbers = np.arange(self.n_rows)[rows]
        columns: dict[str, Column] = {name: column[numbers] for name, column in self.columns.items()}
        return Table(columns, len(numbers), lambda i: self.where(int(numbers[i])), self.place, self.named)

    def slices(self, most: int) -> Iterator[tuple[slice, "Table"]]:
        """The rows in parts of at most `most` rows, which share the columns' memory."""
        for part in slices(self.n_rows, most):
            columns: dict[str, Column] = {name: column[part] for name, column in self.columns.items()}
            n = len(range(*part.indices(self.n_rows)))
            yield part, replace(self, columns=columns, n_rows=n, where=partial(self._after, part.start))

    def _after(self, first: int, i: int) -> str:
        return self.where(first + i)

    def chosen(self, names: Sequence[str]) -> "Table":
        """Return these columns, in this order. ValueError, which names them, if some are missing."""
        _check_names(names, self.names, self.place)
        return replace(self, columns={name: self.columns[name] for name in names})


def _check_names(wanted: Sequence[str], names: Sequence[str], place: str) -> None:
    missing = [repr(name) for name in wanted if name not in set(names)]
    if missing:
        many = "columns" if len(missing) > 1 else "column"
        raise ValueError(f"{place} has no {many} {listed(missing)}; it has {listed(list(names))}")


def joined(tables: Sequence[Table], where: Callable[[int], str]) -> Table:
    """The rows of several tables that have the same columns."""
    if len(tables) == 1:
        return replace(tables[0], where=where)
    columns = {name: _joined([table.columns[name] for table in tables]) for name in tables[0].names}
    return Table(columns, sum(map(len, tables)), where, tables[0].place)


def _joined(parts: list[Column]) -> Column:
    if any(isinstance(part, Unusable) for part in parts):
        what = next(part.what for part in parts if isinstance(part, Unusable))
        return Unusable(what, sum(map(len, parts)))
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)  # type: ignore[arg-type]
    if all(isinstance(part, ArrowTexts) for part in parts):
        chunks = [chunk for part in parts for chunk in _chunks_of(part.column)]  # type: ignore[union-attr]
        return ArrowTexts(pa.chunked_array(chunks))
    seen: dict[str, int] = {}
    codes = []
    for part in map(as_texts, parts):
        places = [seen.setdefault(text, len(seen)) for text in part.texts]
        codes.append(np.array([*places, -1], np.int32)[part.codes])
    return Texts(np.concatenate(codes), list(seen))


def _chunks_of(column: Any) -> list[Any]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def as_texts(column: Any) -> Texts:
    """Return a column of texts as it is, and numbers as texts: 3 for 3.0."""
    if isinstance(column, Texts):
        return column
    values, codes = np.unique(column, return_inverse=True)
    texts = [repr(int(v)) if v == int(v) else repr(v) for v in values[~np.isnan(values)].tolist()]
    return Texts(np.where(np.isnan(column), -1, codes), texts)


def table_of(X: Any, name: str = "X", names: Sequence[str] | None = None) -> Table | None:
    """Rows in memory whose columns have names, as a table; None if they have none.

    `X` is a frame of pandas, polars, Arrow or another library, a structured array, a dict of columns, a list of dicts
    or named tuples, or one row: a dict, a named tuple or a Series. `names` are the columns to read; others are left
    out.
    """
    if isinstance(X, Table):
        return X
    if isinstance(X, Mapping) and X and all(map(is_several, X.values())):
        labels, columns = list(X), X
    else:
        found = named_columns(X, name, names)
        if found is None:
            return None
        labels, columns = found
    index = index_columns(map(str, labels), getattr(columns, "schema", None)) - set(names or ())
    kept = [label for label in labels if str(label) not in index and (names is None or str(label) in set(names))]
    own = list(map(str, kept))
    twice = next((label for label in own if own.count(label) > 1), None)
    if twice is not None:
        raise ValueError(f"{name} has {own.count(twice)} columns named {twice!r}: rename or drop one")
    _check_names(names or (), list(map(str, labels)), name)
    read = {str(label): column_of(columns[label]) for label in kept}
    lengths = {len(column) for column in read.values()} or {0}
    if len(lengths) > 1:
        raise ValueError(f"{name} has columns of different lengths, {min(lengths):,} and {max(lengths):,} rows")
    return Table(read, lengths.pop(), lambda i: f"{name}[{i}]", name)


def column_of(values: Any) -> Column:
    """Return a column of any library as numbers or `Texts`; or as `Unusable`, which says what it is instead."""
    if type(values).__module__.startswith("polars"):
        values = values.to_arrow()
    if hasattr(values, "type") and hasattr(values, "null_count"):
        return _of_arrow(values)
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if getattr(getattr(values, "dtype", None), "categories", None) is not None:
        return Texts.of([None if is_missing(value) else str(value) for value in values])
    if getattr(values, "ndim", 1) != 1:
        return Unusable(f"an array of {values.ndim} dimensions", len(values))
    if is_masked(values):
        values = [
            None if gone else value for value, gone in zip(values.tolist(), np.ma.getmaskarray(values), strict=True)
        ]
        kind = "O"
    if kind in "iuf" and isinstance(getattr(values, "dtype", None), np.dtype):
        array = np.asarray(values)
        if kind != "f" and len(array) and not -LARGEST <= int(array.min()) <= int(array.max()) <= LARGEST:
            return Texts.of(list(map(str, array.tolist())))
        return np.array(array, np.float64)
    if kind in "mM":
        return Unusable("dates" if kind == "M" else "lengths of time", len(values))
    return _of_objects(values.tolist() if hasattr(values, "tolist") else list(values))


def _of_arrow(column: Any) -> Column:
    kind = column.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            decoded = column.cast(kind.value_type)
            return decoded if isinstance(decoded, Texts) else as_texts(_of_arrow(decoded))
        return Texts.of_arrow(column)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(kind):
        codes = column.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
        return Texts(codes, ["false", "true"])
    if is_number(kind):
        numbers = numeric(column, np.dtype(np.float64))
        large = pa.types.is_integer(kind) and bool((np.abs(numbers) > LARGEST - 1).any())
        return ArrowTexts(column.cast(pa.string())) if large else numbers
    if _is_text(kind):
        return ArrowTexts(column if pa.types.is_string(kind) else column.cast(pa.string()))
    temporal = pa.types.is_temporal(kind)
    return Unusable("dates" if temporal else str(kind), len(column))


def _is_text(kind: Any) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _of_objects(values: list[Any]) -> Column:
    """A column of Python objects. Numbers among texts are written as texts."""
    gaps = list(map(is_missing, values))
    kinds = {type(value) for value, gap in zip(values, gaps, strict=True) if not gap}
    if all(issubclass(kind, (bool, np.bool_)) for kind in kinds) and kinds:
        return Texts(np.array([-1 if gap else int(v) for v, gap in zip(values, gaps, strict=True)]), ["false", "true"])
    if all(_is_real(kind) for kind in kinds):
        if any(type(v) is int and not -LARGEST <= v <= LARGEST for v in values):
            return Texts.of([None if gap else _text(value) for value, gap in zip(values, gaps, strict=True)])
        return np.array([np.nan if gap else float(v) for v, gap in zip(values, gaps, strict=True)], np.float64)
    strange = next((k for k in kinds if not (issubclass(k, (str, bool, np.bool_)) or _is_real(k))), None)
    if strange is not None:
        dates = hasattr(strange, "isoformat") or issubclass(strange, np.datetime64)
        return Unusable("dates" if dates else f"values of type {strange.__name__}", len(values))
    return Texts.of([None if gap else _text(value) for value, gap in zip(values, gaps, strict=True)])


def _is_real(kind: type) -> bool:
    return issubclass(kind, (int, float, np.integer, np.floating)) or kind.__name__ in ("Decimal", "Fraction")


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return repr(int(value)) if value == int(value) else repr(float(value))
