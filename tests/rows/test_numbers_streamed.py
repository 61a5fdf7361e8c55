"""Numbers to learn by every door through which rows come as a stream."""

import gzip
import os
import threading

import numpy as np
import pytest
from test_numbers import LINEAR, NAMES, ROWS, made_rows, same

from tinynet_fast import train_neuron
from tinynet_fast.rows.files import TableError

rows = pytest.fixture(scope="module")(made_rows)


def doors(X, Y, folder):
    """The same rows by every door: (X, y of the first number, y of both or None if the door has no name for them)."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow writes the files")
    from pyarrow import csv, dataset, feather, parquet

    table = pa.table({"p": Y[:, 0], "a": X[:, 0], "b": X[:, 1], "q": Y[:, 1], "c": X[:, 2]})
    csv.write_csv(table, folder / "d.csv")
    (folder / "d.csv.gz").write_bytes(gzip.compress((folder / "d.csv").read_bytes()))
    parquet.write_table(table, folder / "d.parquet", row_group_size=70)
    feather.write_feather(table, folder / "d.arrow", chunksize=70)
    (folder / "parts").mkdir()
    for k in range(4):
        parquet.write_table(table.slice(100 * k, 100), folder / "parts" / f"part.{k}.parquet")
    np.save(folder / "all.npy", np.column_stack([Y[:, 0], X]))
    np.save(folder / "X.npy", X)
    np.save(folder / "Y.npy", Y)
    np.save(folder / "p.npy", Y[:, 0])
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    return {
        "csv": (folder / "d.csv", "p", ["p", "q"]),
        "csv.gz": (folder / "d.csv.gz", "p", ["p", "q"]),
        "parquet": (folder / "d.parquet", "p", ["p", "q"]),
        "arrow": (folder / "d.arrow", "p", ["p", "q"]),
        "folder": (folder / "parts", "p", ["p", "q"]),
        "dataset": (dataset.dataset(folder / "d.parquet"), "p", ["p", "q"]),
        "npy, a column": (folder / "all.npy", 0, None),
        "npy, a file": (folder / "X.npy", folder / "p.npy", folder / "Y.npy"),
        "npy, an array": (folder / "X.npy", Y[:, 0], Y),
        "pipe": (pipe, "p", ["p", "q"]),
        "blocks": ((X, Y), None, None),
    }


DOORS = [
    *("csv", "csv.gz", "parquet", "arrow", "folder", "dataset", "npy, a column", "npy, a file", "npy, an array"),
    *("pipe", "blocks"),
]
OPTIONS = {
    "plain": {},
    "standardised": {"standardize": True, "standardize_y": True},
    "huber": {"loss": "huber", "delta": 0.5, "l2": 1e-3, "average": True},
    "shuffled": {"shuffle": True, "seed": 3},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_the_weights_of_memory(door, options, rows, tmp_path, monkeypatch):
    from tinynet_fast.rows.formats import base

    monkeypatch.setattr(base, "CHUNK_BYTES", 500)
    X, Y = rows
    asked = LINEAR | OPTIONS[options]
    given, one, both = doors(X, Y, tmp_path)[door]
    features = NAMES if door in ("csv", "csv.gz", "parquet", "arrow", "folder", "dataset", "pipe") else None

    def train(y, features=None):
        if door == "blocks":
            size = 70 if y is Y else 33
            return train_neuron(lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, ROWS, size)), **asked)
        if door == "pipe":
            threading.Thread(target=lambda: given.write_bytes((tmp_path / "d.csv").read_bytes()), daemon=True).start()
        return train_neuron(given, y, features=features, **asked)

    if door == "blocks" and options == "shuffled":
        with pytest.raises(ValueError, match="shuffle=True asks for all rows in memory"):
            train(Y)
        return
    same(train_neuron(X, Y[:, 0], **asked), train(Y[:, 0] if door == "blocks" else one, features))
    both = Y if door == "blocks" else both
    if both is not None:
        same(train_neuron(X, Y, **asked), train(both))


def test_sparse_rows_of_a_file(rows, tmp_path):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn writes the file")
    sparse = pytest.importorskip("scipy.sparse", reason="the rows are SciPy's")
    X, Y = rows
    X = np.where(np.abs(X) > 1.0, X, 0.0)
    datasets.dump_svmlight_file(X, Y[:, 0], str(tmp_path / "d.svm"), zero_based=False)
    X, y = datasets.load_svmlight_file(str(tmp_path / "d.svm"))  # the text has 16 digits of each number
    same(train_neuron(sparse.csr_array(X), y, **LINEAR), train_neuron(tmp_path / "d.svm", **LINEAR))


@pytest.mark.parametrize("kind", ["csv", "parquet", "blocks"])
def test_rows_are_held_out_by_the_same_hashes(kind, rows, tmp_path):
    X, Y = rows
    given, _, both = doors(X, Y, tmp_path)[kind]
    if kind == "blocks":
        given = lambda: ((X[i : i + 90], Y[i : i + 90]) for i in range(0, ROWS, 90))  # noqa: E731
    result = train_neuron(given, both, validation=0.25, seed=4, **LINEAR)
    from tinynet_fast.rows.stream import HoldOut

    held = HoldOut(0.25, 4).held(0, ROWS)
    ref = train_neuron(X[~held], Y[~held], validation=(X[held], Y[held]), **LINEAR)
    same(ref, result)
    np.testing.assert_allclose(result.validation_loss_history, ref.validation_loss_history, rtol=1e-13)
    errors = result.model.predict(X[held]) - Y[held]
    assert result.validation_loss_history[-1] == pytest.approx(np.mean((errors**2).sum(axis=1)), rel=1e-12)


def test_a_share_of_rows_in_memory_needs_no_row_of_each_number(rows):
    X, Y = rows
    result = train_neuron(X, Y[:, 0], validation=0.3, seed=1, standardize_y=True, **LINEAR)
    assert result.rows == 280
    assert result.validation_loss_history[-1] < 0.02  # in units of y: its noise has a variance of 0.01


TABLE = "a,b,p,q\n" + "".join(f"{i % 7},{i % 5},{i * 0.1:.1f},{i % 3}\n" for i in range(50))


@pytest.mark.parametrize(
    ("text", "y", "options", "message"),
    [
        ("", "z", {}, r"a.csv: no column 'z'; it has a, b, p, q"),
        ("", ["p", "z"], {}, "a.csv: no column 'z'"),
        ("", ["p", "p"], {}, "y names the column 'p' twice"),
        ("", "p", {"features": ["a", "p"]}, "features: 'p' is the target; leave it out of the features"),
        ("", ["a", "b", "p", "q"], {}, "no column beside the target 'a', 'b', 'p', 'q'"),
        ("", None, {}, r"a.csv: the rows have no numbers to learn: name the column that holds the numbers"),
        ("1,2,tall,3\n", "p", {}, r"a.csv, line 52, column 'p': 'tall' is not a number"),
        ("1,2,,3\n", "p", {}, r"a.csv, line 52, column 'p': the value is missing: fill it or drop the row"),
        ("1,2,3,NA\n", ["p", "q"], {}, r"a.csv, line 52, column 'q': the value is missing"),
        ("1,2,inf,3\n", "p", {}, r"a.csv, line 52, column 'p': inf is not finite"),
        ("1,2,-1,3\n", "p", {"loss": "poisson"}, r"line 52, column 'p' is -1.0: loss='poisson' learns counts"),
    ],
)
def test_errors_of_files(text, y, options, message, tmp_path):
    (tmp_path / "a.csv").write_text(TABLE + text)
    with pytest.raises(TableError, match=message):
        train_neuron(tmp_path / "a.csv", y, **LINEAR | options)


@pytest.mark.parametrize("y", ["p", ["p", "q"]])
def test_rows_with_a_missing_number_are_left_out(y, tmp_path):
    (tmp_path / "a.csv").write_text(TABLE + "1,2,,3\n1,2,7,3\n")
    (tmp_path / "b.csv").write_text(TABLE + "1,2,7,3\n")
    comp = train_neuron(tmp_path / "a.csv", y, drop_missing=True, **LINEAR)
    assert comp.dropped_rows == 1
    same(train_neuron(tmp_path / "b.csv", y, **LINEAR), comp)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([([[1.0]], ["tall"])], r"block 0: y\[0\] is 'tall', which is no number"),
        ([([[1.0]], [1.0]), ([[1.0], [2.0]], [1.0, None])], "block 1, row 2, the label: the value is missing"),
        ([([[1.0]], [[1.0, 2.0]]), ([[1.0]], [1.0])], "block 1: 1 numbers a row, and block 0 has 2"),
        ([([[1.0]], [1.0, 2.0])], "block 0: 2 numbers for 1 rows: one number a row is needed"),
        ([([[1.0]], [[1.0, float("inf")]])], "block 0, row 1, the label: inf is not finite"),
    ],
)
def test_errors_of_blocks(blocks, message):
    with pytest.raises(TableError, match=message):
        train_neuron(lambda: iter(blocks), **LINEAR)


def test_errors_of_npy_files(tmp_path):
    np.save(tmp_path / "X.npy", np.ones((4, 2)))
    np.save(tmp_path / "t.npy", np.array(["1", "2", "tall", "4"]))
    np.save(tmp_path / "y.npy", np.array([1.0, np.nan, 2.0, 3.0]))
    for y, message in (
        (np.ones((4, 0)), r"4 rows and numbers of shape \(4, 0\)|shape \(4, 0\)"),
        (np.ones(3), r"4 rows and numbers of shape \(3,\): one a row is needed"),
        (tmp_path / "t.npy", "X.npy, row 3, the label is 'tall', which is no number"),
        (tmp_path / "y.npy", "X.npy, row 2, the label: the value is missing"),
        ([1.0, 2.0, None, 3.0], "X.npy, row 3, the label: the value is missing"),
    ):
        with pytest.raises(TableError, match=message):
            train_neuron(tmp_path / "X.npy", y, **LINEAR)
    np.save(tmp_path / "t.npy", np.array(["1", "2", "3.5", "4"]))
    comp = train_neuron(tmp_path / "X.npy", tmp_path / "t.npy", **LINEAR)
    same(train_neuron(np.ones((4, 2)), [1.0, 2.0, 3.5, 4.0], **LINEAR), comp)


def test_rows_that_can_be_read_once_need_no_pass_for_labels(rows):
    X, Y = rows
    once = train_neuron(iter([(X[:100], Y[:100]), (X[100:], Y[100:])]), **LINEAR | {"epochs": 1})
    same(train_neuron(X, Y, **LINEAR | {"epochs": 1}), once)
    with pytest.raises(ValueError, match="can be read once only"):
        train_neuron(iter([(X, Y)]), standardize_y=True, **LINEAR | {"epochs": 1})
