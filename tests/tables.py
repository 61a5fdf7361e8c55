"""Tables that tests write and read back, and rows that they gather from sources."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_raw, open_source
from tinynet_fast.rows.messages import LONGEST


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return Path(path)


def read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def gather(source, start=0, stop=None):
    """All rows and labels of some chunks, after checks that every chunk has to pass."""
    X, y = [], []
    for chunk in source.chunks(start, stop):
        assert chunk.X.flags.c_contiguous
        assert chunk.X.dtype == source.dtype
        assert chunk.X.shape[1] == source.n_features
        assert chunk.rows > 0
        X.append(chunk.X)
        if chunk.y is not None:
            assert chunk.y.shape == (len(chunk.X),)
            y.append(chunk.y)
    rows = np.concatenate(X) if X else np.empty((0, source.n_features), source.dtype)
    return rows, np.concatenate(y) if y else None


def problem(n, d, seed, dtype=np.float64):
    """(n, d) inputs, and a label for each row that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)).astype(dtype), rng.choice(["fail", "pass"], n)


def fails(message, *arguments, **options):
    """Opening and reading rows has to be refused by a message that is short and printable."""
    _refused(message, lambda: open_source(*arguments, **options).chunks())


def _refused(message, read):
    with pytest.raises(TableError) as info:
        for _ in read():
            pass
    assert re.search(message, str(info.value)), str(info.value)
    assert len(str(info.value)) <= LONGEST
    assert str(info.value).isprintable()


def gather_raw(source):
    """All columns of a source as lists, and the place of each row."""
    columns, places = {name: [] for name in source.names}, []
    for block in source.raw_blocks():
        assert list(block.columns) == source.names
        for name, column in block.columns.items():
            values = column if isinstance(column, list) else column.to_pylist()
            assert len(values) == block.rows > 0
            columns[name] += values
        places += [block.where(i) for i in range(block.rows)]
    return columns, places


def fails_raw(message, *arguments, **options):
    """As `fails`, for rows that are read as files have them."""
    _refused(message, lambda: open_raw(*arguments, **options).raw_blocks())


def save_arrow(path, table):
    """Write an Arrow table in several row groups or batches, in the format that the ending names."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    if path.suffix == ".parquet":
        from pyarrow import parquet

        parquet.write_table(table, path, row_group_size=13)
        return
    with (pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream)(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=11)


def scores(out):
    """For each score in the report that the command line prints: the model's, and the baseline's."""
    found = re.findall(r"^(accuracy|log loss|Brier score|AUC).*? +([\d.]+) +[\d.]+ to [\d.]+ +([\d.]+)$", out, re.M)
    return {name: (float(model), float(baseline)) for name, model, baseline in found}


def text_of(out):
    """What was printed, with its lines joined."""
    return " ".join(out.split())
