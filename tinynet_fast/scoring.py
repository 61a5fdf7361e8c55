"""Predictions for rows that need not fit in memory: from any source to a CSV or Parquet file, block by block."""

import csv
import io
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from tinynet_fast.columns.encoded import EncodedSource
from tinynet_fast.models import Model, Neuron
from tinynet_fast.models.files import atomic_file
from tinynet_fast.models.outputs import MARGIN
from tinynet_fast.rows.arrays import check_table
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import (
    FIRST_INDEX,
    Like,
    Source,
    format_in,
    is_source,
    names_files,
    need,
    open_raw,
    open_source,
)
from tinynet_fast.rows.formats.base import rows_a_chunk
from tinynet_fast.rows.formats.cells import is_number
from tinynet_fast.rows.frames import rows_for
from tinynet_fast.rows.sparse import as_csr, is_sparse
from tinynet_fast.rows.tables import table_of
from tinynet_fast.rows.team import Team

__all__ = ["predict_file"]

PARQUET = (".parquet", ".pq")
PLAIN = (".csv", ".txt", "")
FORMULA = re.compile(r"'*\s*[=+\-@\uff1d\uff0b\uff0d\uff20].", re.DOTALL)  # the start of one, also with wide characters
GROUP_ROWS = 1 << 18  # rows of a row group of a Parquet file: 6 MB


class Scores(NamedTuple):
    """Predictions for some rows.

    `rows` are their numbers, counted from 1. `values` is (n, k) float64, with a column for each name that
    `value_columns` returns: probabilities, margins, or the numbers that are predicted. `codes` are the indices of the
    predicted labels; None if numbers are predicted.
    """

    rows: np.ndarray
    values: np.ndarray
    codes: np.ndarray | None


def value_columns(model: Model) -> list[str]:
    """The names of the columns of values: P(label), or margin(label), for the second of two labels or for each of more.

    A number that is predicted is called "prediction". Several have the names of the targets, or if these are not known
    or not different, "prediction 1" and so on.
    """
    if model.numbers:
        several = [f"prediction {k + 1}" for k in range(model.n_outputs)]
        named = [] if model.targets is None or "row" in model.targets else list(dict.fromkeys(model.targets))
        return ["prediction"] if model.n_outputs == 1 else named if len(named) == model.n_outputs else several
    what = "margin" if model.output == MARGIN else "P"
    return [f"{what}({label})" for label in (model.labels[1:] if model.n_outputs == 1 else model.labels).tolist()]


def check_output(output: str | os.PathLike[str]) -> None:
    """ValueError if predictions cannot be written in the format that the file's name stands for."""
    if Path(output).suffix.lower() not in (*PARQUET, *PLAIN):
        raise ValueError(f"{output}: predictions are written as .csv or .parquet; name the file so")


def predict_file(
    model: Model,
    data: Any,
    output: str | os.PathLike[str],
    *,
    features: Sequence[str] | None = None,
    threshold: float | None = None,
    drop_missing: bool = False,
    formulas: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
    progress: Callable[[int], Any] | None = None,
    n_jobs: int | None = None,
) -> int:
    """Predict every row of `data` and write row numbers, probabilities and predictions to `output`, block by block.

    The columns are `row`, which counts from 1, `P(label)` and `prediction`. With two labels there is one column of
    probabilities, for the second label. With more labels there is one for each. Rows in memory (a frame, an array) are
    predicted as one block. A model of numbers gives `row` and `prediction`, or for several numbers a column for each,
    with the names of the targets. After loss="hinge" there are margins, `margin(label)`, in place of probabilities.

    Parameters
    ----------
    model : Neuron or MLP
    data : any source that `open_source` takes, or rows in memory
        A path, a pattern, a folder, a list of paths, a pyarrow Dataset or RecordBatchReader, an iterator of blocks, a
        Source; a frame, an array or a sparse matrix. A dict, or a Series whose index has the names, is one row. Blocks
        are (X, y), where y is ignored and may be None.
    output : path
        A Parquet file if it ends in .parquet or .pq; CSV if it ends in .csv, .txt or nothing. If anything fails, an old
        file stays as it was.
    features : sequence of str, optional
        The columns that are the model's inputs, in its order. By default columns are matched by the model's own names.
        If the model or the rows have no names, all columns are taken in their order.
    threshold : float, optional
        The second of two labels is predicted if its probability is at least this. The default is the model's own.
    drop_missing : bool
        Leave out rows with a missing value. The other rows keep the numbers that they have in `data`.
    formulas : bool
        Write labels to CSV files unchanged. The default puts a ' before a label that a spreadsheet would run as a
        formula, such as =1+2, because a formula from someone else's file can run programs. Numbers and single
        characters are never changed.
    separator, encoding : str, optional
        Of CSV files, for a model that was trained on a table. By default they are found.
    progress : callable, optional
        Called with the number of rows that were predicted so far.
    n_jobs : int, optional
        How many threads predict, None for one and -1 for one on each core; never more than there are cores. The file is
        the same. One thread writes, so this helps most with large networks and Parquet files: CSV takes longer to write
        than most models take to predict.

    Returns
    -------
    int
        How many rows were predicted.

    Raises
    ------
    ValueError
        If a row cannot be predicted, naming the place (see `open_source`); if the number of columns is not the number
        of inputs; if `output` is one of the files that are read, or its name stands for another format.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from tinynet_fast import scoring, train_neuron
    >>> model = train_neuron([1, 2, 3, 4], ["fail", "fail", "pass", "pass"], epochs=1000).model
    >>> with TemporaryDirectory() as folder:
    ...     rows = scoring.predict_file(model, [[1.5], [3.5]], Path(folder, "answers.csv"))
    ...     lines = Path(folder, "answers.csv").read_text().splitlines()
    >>> rows, lines[0]
    (2, 'row,P(pass),prediction')
    """
    check_output(output)
    source = open_for(model, data, features, drop_missing, separator=separator, encoding=encoding)
    for stamp in source.stamps:
        if Path(output).exists() and os.path.samefile(output, stamp.path):
            raise ValueError(f"{output}: that is the data itself; name another file to write to")
    return write_scores(scores(model, source, threshold, progress, n_jobs), model, output, formulas)


def open_for(
    model: Model,
    data: Any,
    features: Sequence[str] | None = None,
    drop_missing: bool = False,
    y: Any = None,
    dense: bool = False,
    separator: str | None = None,
    encoding: str | None = None,
) -> Source:
    """Open `data` with the model's inputs as columns and `y` as labels; TableError if the columns do not fit.

    Rows of svmlight files stay sparse if the model takes sparse rows, unless `dense`. `separator` and `encoding` are
    for models that were trained on a table.
    """
    if isinstance(y, str) and y in (model.features or ()):
        raise TableError(f"the target {y!r} is an input of the model: name the column with the true labels")
    if model.columns is not None and not by_position(model, data):
        return encoded(model, data, drop_missing, y, separator=separator, encoding=encoding)  # type: ignore[return-value]
    for name, given in (("separator", separator), ("encoding", encoding)):
        if given is not None:
            raise ValueError(f"{name}={given!r} is for CSV files and models that were trained on a table")
    if not is_source(data) and not names_files(data):
        if model.n_features > 1 and _is_flat(data):
            names = model.features if features is None else list(features)
            data, features = rows_for(data, names, model.n_features), None
        data = _dense_blocks(data, drop_missing) if is_sparse(data) else iter([(data, None)])
    like = Like(model.n_features, model.training.get(FIRST_INDEX))
    source = open_source(data, y, features=features, drop_missing=drop_missing, like=like, names=model.features)
    if source.n_features != model.n_features:
        remedy = "name the columns that it was trained on (features=[...])"
        if source.names is None or source.kind == "iterator":  # columns cannot be chosen there
            remedy = "give rows with the inputs that it was trained on, in the same order"
        raise TableError(
            f"{source.place}: {source.n_features} columns where the model has {model.n_features} inputs: {remedy}"
        )
    return source.as_sparse() if isinstance(model, Neuron) and not dense else source


def by_position(model: Model, data: Any) -> bool:
    """Whether columns are taken in their order: the file names none, and the model reads one number from each."""
    assert model.columns is not None
    kind = format_in(data) if is_source(data) else None
    return model.columns.plain and kind is not None and not kind.has_names


def encoded(model: Model, data: Any, drop_missing: bool = False, y: Any = None, **reading: str | None) -> EncodedSource:
    """Open `data`, files or rows in memory, as the rows of numbers that a model of a person's table takes.

    `y` names the column of the labels, or is a condition on one; None reads no labels. `reading` are options of
    `open_raw`: `separator` and `encoding`.
    """
    assert model.columns is not None
    if is_source(data) or names_files(data):
        source = open_raw(data, **reading)
        target = None if y is None else model.target_of(y, source.names or [], source.place)
        wanted = model.columns.names + ([] if target is None else [target.name])
        return EncodedSource(source.only(list(dict.fromkeys(wanted))), model.columns, target, drop_missing)
    table = table_of(data, "X", None if y is not None else model.columns.names)
    if table is None:
        raise ValueError(f"X is a {type(data).__name__} without named columns: pass a frame, a dict or a path")
    target = None if y is None else model.target_of(y, table.names, "X")
    return EncodedSource(table, model.columns, target, drop_missing)


def _dense_blocks(X: Any, drop_missing: bool) -> Iterator[Any]:
    """Make dense blocks of sparse rows in memory: every model takes those, and they need little memory."""
    if not drop_missing:
        as_csr(X)  # its error names the row of a missing value
    check_table(X.shape, "X")
    matrix, step = X.tocsr(), rows_a_chunk(X.shape[1])
    return ((matrix[start : start + step].toarray(), None) for start in range(0, X.shape[0], step))


def _is_flat(data: Any) -> bool:
    """Whether `data` is a Series or an array of one dimension: if there are several inputs, it is one row."""
    return getattr(data, "ndim", 2) == 1 and getattr(data.dtype, "names", None) is None and not is_sparse(data)


def scores(
    model: Model,
    source: Source,
    threshold: float | None = None,
    progress: Callable[[int], Any] | None = None,
    n_jobs: int | None = None,
) -> Iterator[Scores]:
    """Predict block by block. ValueError after the last block if a file changed in the meantime."""
    return _scores(model, source, model.limit(threshold), progress, Team.of(n_jobs))


def _scores(
    model: Model, source: Source, limit: float, progress: Callable[[int], Any] | None, team: Team
) -> Iterator[Scores]:
    def answer(numbered: tuple[int, Any]) -> tuple[int, Scores | None]:
        first, chunk = numbered
        found = scored(model, chunk.X, first + chunk.numbers(), limit) if len(chunk.X) else None
        return first + chunk.rows - 1, found

    with team, closing(_numbered(source)) as numbered, closing(team.in_order(answer, numbered)) as answers:
        for done, found in answers:
            if found is not None:
                yield found
            if progress is not None:
                progress(done)
    source.check_unchanged()


def _numbered(source: Source) -> Generator[tuple[int, Any], None, None]:
    """The chunks of a source, each with the number of its first row, counted from 1."""
    first = 1
    with closing(source.chunks()) as chunks:
        for chunk in chunks:
            yield first, chunk
            first += chunk.rows


def scored(model: Model, X: Any, rows: np.ndarray, limit: float) -> Scores:
    """Predict the rows `X`, whose numbers are `rows`."""
    if model.numbers:
        numbers = model.predict(X)
        _check_finite(numbers, rows)
        return Scores(rows, numbers.reshape(len(numbers), -1), None)
    found, limit = (model.decision_function(X), 0.0) if model.output == MARGIN else (model.predict_proba(X), limit)
    if found.ndim == 2:
        return Scores(rows, found, found.argmax(axis=1))
    return Scores(rows, found[:, np.newaxis], (found >= limit).astype(np.intp))


def _check_finite(numbers: np.ndarray, rows: np.ndarray) -> None:
    """ValueError if a predicted number is too large for a float64."""
    bad = ~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"row {rows[int(np.argmax(bad))]}: the prediction is too large for a float64: are the row's values in the "
            "units of the rows trained on?"
        )


def write_scores(blocks: Iterable[Scores], model: Model, output: str | os.PathLike[str], formulas: bool = False) -> int:
    """Write predictions to a Parquet or CSV file, whole or not at all. Return how many rows there were."""
    if Path(output).suffix.lower() not in PARQUET:
        with atomic_file(output, "w") as file:
            return write_csv(blocks, model, file, formulas)
    need("pyarrow.parquet")
    with atomic_file(output, "wb") as file:
        return write_parquet(blocks, model, file)


def write_csv(blocks: Iterable[Scores], model: Model, file: Any, formulas: bool) -> int:
    """Write predictions as CSV. Floats have the fewest digits that give them back. Return how many rows there were.

    Labels, and names of numbers, that look like formulas get a ' before them, unless `formulas`.
    """
    texts, count = [_cell(label if formulas else no_formula(label)) for label in model.labels.tolist()], 0
    names = [name if formulas else no_formula(name) for name in value_columns(model)]
    file.write(",".join(["row", *map(_cell, names), *(() if model.numbers else ("prediction",))]) + "\n")
    for rows, values, codes in blocks:
        if values.shape[1] == 1:
            cells: Iterable[str] = map(repr, values[:, 0].tolist())
        else:
            cells = (",".join(map(repr, row)) for row in values.tolist())
        if codes is None:
            file.write("".join([f"{n},{cell}\n" for n, cell in zip(rows.tolist(), cells, strict=True)]))
        else:
            numbered = zip(rows.tolist(), cells, codes.tolist(), strict=True)
            file.write("".join([f"{n},{cell},{texts[code]}\n" for n, cell, code in numbered]))
        count += len(rows)
    return count


def no_formula(label: Any) -> Any:
    """Return `label`, with a ' before it if it is a text that a spreadsheet would take for a formula."""
    risky = isinstance(label, str) and FORMULA.match(label) and not is_number(label)
    return f"'{label}" if risky else label


def _cell(label: Any) -> str:
    """A label as a CSV cell, in quotes if it needs them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(["", label])
    return line.getvalue()[1:-1]


def write_parquet(blocks: Iterable[Scores], model: Model, file: IO[bytes]) -> int:
    """Write predictions as Parquet: int64, float64 and the labels' type. Return how many rows there were."""
    import pyarrow as pa  # here, because it is optional and slow to import
    import pyarrow.parquet as pq

    answers = None if model.numbers else pa.array(model.labels.tolist())
    fields = [pa.field("row", pa.int64()), *((name, pa.float64()) for name in value_columns(model))]
    schema = pa.schema(fields if answers is None else [*fields, ("prediction", answers.type)])
    repeated = False if answers is None else ["prediction"]  # the other columns hold few values twice
    count, waiting, held = 0, [], 0
    with pq.ParquetWriter(file, schema, use_dictionary=repeated) as writer:
        for rows, values, codes in blocks:
            columns = [pa.array(rows), *map(pa.array, values.T)]
            if answers is not None:
                columns.append(answers.take(pa.array(codes)))
            waiting.append(pa.table(columns, schema=schema))
            count, held = count + len(rows), held + len(rows)
            if held >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting, held = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    return count
