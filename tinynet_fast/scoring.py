"""Predictions for rows that need not fit in memory: any source in, a CSV or Parquet file out, block by block."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from tinynet_fast.data.files import TableError
from tinynet_fast.data.sources import FIRST_INDEX, Like, Source, has_names, need, open_source
from tinynet_fast.modelfile import atomic_file
from tinynet_fast.models import Model, Neuron, check_threshold

COLUMNS = ["row", "probability", "prediction"]
PARQUET = (".parquet", ".pq")
GROUP_ROWS = 1 << 18  # rows of a Parquet file's group: 6 MB


class Scores(NamedTuple):
    """Predictions of some rows: `rows` are their numbers, from 1; `codes` say which label each one gets."""

    rows: np.ndarray
    probability: np.ndarray
    codes: np.ndarray


def predict_file(
    model: Model,
    data: Any,
    output: str | os.PathLike[str],
    *,
    features: Sequence[str] | None = None,
    threshold: float | None = None,
    drop_missing: bool = False,
) -> int:
    """Predict every row of `data` and write row number, probability and prediction to `output`; memory stays flat.

    Parameters
    ----------
    model : Neuron or MLP
    data : whatever `open_source` takes
        A path, a glob, a list of paths, a pyarrow Dataset or RecordBatchReader, an iterator of blocks, a Source.
    output : path
        A Parquet file if it ends in .parquet or .pq; else CSV. It appears whole or not at all.
    features : sequence of str, optional
        The columns that are the model's inputs, in its order. If left out, the model's own names; if it has none, all
        columns.
    threshold : float, optional
        The probability from which on the second of two labels is predicted; the model's own if left out.
    drop_missing : bool
        Leave rows with a missing value out. The others keep the numbers that they have in the file.

    Returns
    -------
    int
        How many rows were predicted.

    Raises
    ------
    ValueError
        For a row that cannot be predicted, naming the place (see `open_source`); for another number of columns than
        the model has inputs; if `output` is one of the files that are read.
    """
    source = open_for(model, data, features, drop_missing)
    for stamp in source.stamps:
        if Path(output).exists() and os.path.samefile(output, stamp.path):
            raise ValueError(f"{output}: that is the data itself; name another file to write to")
    parquet = Path(output).suffix.lower() in PARQUET
    if parquet:
        need("pyarrow.parquet")
    blocks = scores(model, source, threshold)
    with atomic_file(output, "wb" if parquet else "w") as file:
        rows = write_parquet(blocks, model.labels, file) if parquet else write_csv(blocks, model.labels, file)
        source.check_unchanged()
    return rows


def open_for(model: Model, data: Any, features: Sequence[str] | None = None, drop_missing: bool = False) -> Source:
    """`data` with the model's inputs as columns; TableError if there are more or fewer."""
    if features is None and has_names(data):
        features = model.features
    like = Like(model.n_features, model.training.get(FIRST_INDEX))
    source = open_source(data, features=features, drop_missing=drop_missing, like=like)
    if source.n_features != model.n_features:
        place = source.stamps[0].path if source.stamps else source.kind
        remedy = "name the columns that it was trained on (features=[...])"
        if source.names is None:
            remedy = "give rows with the inputs that it was trained on, in the same order"
        raise TableError(
            f"{place}: {source.n_features} columns where the model has {model.n_features} inputs: {remedy}"
        )
    return source.as_sparse() if isinstance(model, Neuron) else source


def scores(model: Model, source: Source, threshold: float | None = None) -> Iterator[Scores]:
    """Predictions block by block: probabilities of the second of two labels, or of the most probable one of more."""
    if threshold is not None and model.n_outputs > 1:
        raise ValueError(f"a threshold is for two labels; this model knows {len(model.labels)}: leave it out")
    limit = check_threshold(model.threshold if threshold is None else threshold)
    return _scores(model, source, limit)


def _scores(model: Model, source: Source, limit: float) -> Iterator[Scores]:
    first = 1
    for chunk in source.chunks():
        probability = model.predict_proba(chunk.X)
        rows = np.arange(first, first + len(probability)) if chunk.rows is None else chunk.rows + 1
        if probability.ndim == 2:
            yield Scores(rows, probability.max(axis=1), probability.argmax(axis=1))
        else:
            yield Scores(rows, probability, (probability >= limit).astype(np.intp))
        first += len(rows)


def write_csv(blocks: Iterator[Scores], labels: np.ndarray, file: IO[str]) -> int:
    """Predictions as CSV; floats have the shortest digits that give them back. Returns how many rows there were."""
    texts, rows = [_cell(label) for label in labels.tolist()], 0
    file.write(",".join(COLUMNS) + "\n")
    for numbers, probability, codes in blocks:
        lines = zip(numbers.tolist(), probability.tolist(), codes.tolist(), strict=True)
        file.write("".join([f"{n},{p!r},{texts[code]}\n" for n, p, code in lines]))
        rows += len(codes)
    return rows


def _cell(label: Any) -> str:
    """A label as a CSV cell, in quotes where it needs them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(["", label])
    return line.getvalue()[1:-1]


def write_parquet(blocks: Iterator[Scores], labels: np.ndarray, file: IO[bytes]) -> int:
    """Predictions as Parquet: int64, float64 and the labels' type. Returns how many rows there were."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    answers = pa.array(labels.tolist())
    schema = pa.schema([pa.field("row", pa.int64()), ("probability", pa.float64()), ("prediction", answers.type)])
    rows, waiting, held = 0, [], 0
    with pq.ParquetWriter(file, schema, use_dictionary=["prediction"]) as writer:  # the others never repeat
        for numbers, probability, codes in blocks:
            waiting.append(pa.table([pa.array(numbers), probability, answers.take(pa.array(codes))], schema=schema))
            rows, held = rows + len(codes), held + len(codes)
            if held >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting, held = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    return rows
