"""Numbers to learn: how they are read and checked in memory, and by every door through which rows come as a stream."""

import datetime
import gzip
import json
import os
import threading

import numpy as np
import pytest
from tables import write

from tinynet_fast import TrainingWarning, train_neuron
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.numbers import Numbers, TargetMoments, read_numbers
from tinynet_fast.rows.sampling import draw_from, drawn_rows

NAMES = ["a", "b", "c"]
LINEAR = {"output": "linear", "learning_rate": 0.02, "epochs": 3}
ROWS = 400


@pytest.fixture(scope="module")
def rows():
    """400 rows of three inputs, and two numbers to learn."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((ROWS, 3))
    first = X @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.standard_normal(ROWS)
    return X, np.column_stack([first, 10.0 - 4.0 * X[:, 1] + 0.1 * rng.standard_normal(ROWS)])


def same(ref, comp):
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)
    np.testing.assert_array_equal(comp.model.bias, ref.model.bias)


# --- in memory --------------------------------------------------------------------------------------------------------


def frame(library, **columns):
    module = pytest.importorskip(library, reason=f"the frame is one of {library}")
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


@pytest.mark.parametrize(
    ("y", "ref"),
    [
        ([1, 2, 3], [1.0, 2.0, 3.0]),
        ((1, 2.5, True), [1.0, 2.5, 1.0]),
        ([True, False, True], [1.0, 0.0, 1.0]),
        (["1", " 2.5", "-3e2"], [1.0, 2.5, -300.0]),
        ([[1], [2], [3]], [1.0, 2.0, 3.0]),
        ([[1, 2], [3, 4], [5, 6]], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        ([{"p": 1, "q": 2}] * 3, [[1.0, 2.0]] * 3),
        (np.arange(3, dtype=np.uint8), [0.0, 1.0, 2.0]),
        (np.arange(6.0).reshape(2, 3).T, [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]),
        (np.array([1.5, 2.5, 3.5], np.float16)[::-1], [3.5, 2.5, 1.5]),
        (np.array([1.0, 2.0, 3.0], np.longdouble), [1.0, 2.0, 3.0]),
        (np.ma.array([1.0, 2.0, 3.0], mask=False), [1.0, 2.0, 3.0]),
        (np.array([1, 2, 3], dtype=object), [1.0, 2.0, 3.0]),
        (np.array([(1, 2.0)] * 3, dtype=[("p", int), ("q", float)]), [[1.0, 2.0]] * 3),
    ],
)
def test_what_is_read(y, ref):
    comp = read_numbers(y, 3)
    assert comp.dtype == np.float64
    assert comp.tolist() == ref
    assert Numbers(comp).n_targets == (1 if np.ndim(ref) == 1 else 2)
    assert Numbers(comp).as_floats(np.array([2, 0])).flags.c_contiguous


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_and_series(library):
    several = frame(library, p=[1, 2, 3], q=[0.5, 1.5, 2.5])
    assert read_numbers(several, 3).tolist() == [[1.0, 0.5], [2.0, 1.5], [3.0, 2.5]]
    assert read_numbers(frame(library, p=[1, 2, 3]), 3).tolist() == [1.0, 2.0, 3.0]
    assert read_numbers(several["q"], 3).tolist() == [0.5, 1.5, 2.5]
    with pytest.raises(ValueError, match=r"y\[1, 'q'\] is 'tall', which is no number"):
        read_numbers(frame(library, p=[1, 2, 3], q=["1", "tall", "2"]), 3)
    with pytest.raises(ValueError, match=r"y\[2, 'q'\] is missing"):
        read_numbers(frame(library, p=[1, 2, 3], q=[1.0, 2.0, None]), 3)


def test_float64_is_not_copied():
    y = np.arange(5.0)
    assert np.shares_memory(read_numbers(y, 5), y)
    assert np.shares_memory(Numbers(read_numbers(y, 5)).as_floats(slice(1, 4)), y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 2, "tall"], r"y\[2\] is 'tall', which is no number: convert it or drop the row; to learn labels, leave"),
        (["1", "2", "1_000"], r"y\[2\] is '1_000', which is no number"),
        ([[1, 2], [3, "x"], [5, 6]], r"y\[1, 1\] is 'x', which is no number"),
        ([b"1", b"2", b"3"], r"which is no number"),
        ([1, None, 2], r"y\[1\] is missing: drop the row or fill"),
        ([1, 2, float("nan")], r"y\[2\] is missing"),
        (["1", "nan", "2"], r"y\[1\] is missing"),
        ([1, 2, float("inf")], r"y\[2\] is not finite"),
        ([[1, 2], [3, float("inf")], [5, 6]], r"y\[1, 1\] is not finite"),
        (np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), r"y\[1\] is missing"),
        ([datetime.date(2020, 1, 1)] * 3, r"y\[0\] is 2020-01-01, a date or a time: turn it into a number"),
        (np.array(["2020-01-01"] * 3, "M8[D]"), r"y\[0\] is 2020-01-01, a date or a time"),
        (np.array([1, 2, 3], "m8[s]"), r"y\[0\] is 1 seconds, a date or a time"),
        ([1j, 2, 3], "y holds values of type complex128: convert them to real numbers"),
        ([10**400, 1, 2], r"y\[0\] is too large for a float64"),
        ([[[1, 2], 2], [3, 4], [5, 6]], "several values|one number a row"),
        ([1, 2], "X has 3 rows and y has 2 values: one for each row"),
        (np.zeros((3, 1, 1)), r"y has the shape \(3, 1, 1\); \(n,\) is needed, or \(n, k\)"),
        (np.zeros((3, 0)), r"y has the shape \(3, 0\)"),
        ([[1, 2], [3], [4, 5]], "y holds several values in a row: one number a row"),
        (iter([1, 2, 3]), r"y is a list_iterator: pass list\(y\), with one number a row"),
        ({"p": [1, 2, 3]}, "y is a dict of columns: pass a frame"),
        (5, "y is of type int: pass a list or an array with one number a row"),
        (None, "y is missing: pass a number for each row, or the name of the column"),
    ],
)
def test_what_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        read_numbers(y, 3)
    with pytest.raises(ValueError, match=message):
        train_neuron([[1.0], [2.0], [3.0]], y, **LINEAR)


def test_another_number_of_targets_is_refused():
    assert read_numbers([[1, 2]] * 3, 3, 2).shape == (3, 2)
    with pytest.raises(ValueError, match="y has 2 numbers a row, and 1 is learned: give the columns that are learned"):
        read_numbers([[1, 2]] * 3, 3, 1)
    with pytest.raises(ValueError, match="validation y has 1 numbers a row, and 2 are learned"):
        train_neuron([1.0, 2.0], [[1, 2], [3, 4]], validation=([1.0], [1.0]), **LINEAR)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_a_frame_by_name(library, rows):
    X, Y = rows
    table = frame(library, p=Y[:, 0], a=X[:, 0], b=X[:, 1], q=Y[:, 1], c=X[:, 2])
    ref = train_neuron(X, Y, **LINEAR)
    comp = train_neuron(table, ["p", "q"], **LINEAR)
    same(ref, comp)
    assert comp.model.features == NAMES
    assert comp.model.targets == ["p", "q"]
    assert comp.model.score(table, ["p", "q"]) == ref.model.score(X, Y)
    same(train_neuron(X[:, [2, 0]], Y[:, 1], **LINEAR), train_neuron(table, "q", features=["c", "a"], **LINEAR))
    same(train_neuron(X, Y[:, 0], **LINEAR), train_neuron(table, ["p"], features=NAMES, **LINEAR))
    numbers = frame(library, p=Y[:, 0], q=Y[:, 1])
    assert train_neuron(X, numbers, **LINEAR).model.targets == ["p", "q"]
    held = train_neuron(table, ["p", "q"], validation=(table, ["p", "q"]), **LINEAR)
    np.testing.assert_array_equal(
        held.validation_loss_history, train_neuron(X, Y, validation=(X, Y), **LINEAR).validation_loss_history
    )
    for y, message in (
        (["p", "z"], "X has no column 'z'; it has p, a, b, q, c"),
        ("z", "X has no column 'z'"),
        (["p", "p"], "y names a column twice"),
    ):
        with pytest.raises(ValueError, match=message):
            train_neuron(table, y, **LINEAR)
    with pytest.raises(ValueError, match="name at least one column beside the target"):
        train_neuron(table, ["p", "q"], features=["a", "q"], **LINEAR)


def test_names_need_a_frame_and_text_is_not_taken_for_names():
    with pytest.raises(ValueError, match="y names the columns p, q, and X is a ndarray without named columns"):
        train_neuron(np.ones((3, 2)), ["p", "q"], **LINEAR)
    with pytest.raises(ValueError, match=r"y\[0\] is 'p', which is no number"):
        train_neuron(np.ones((2, 2)), ["p", "q"], **LINEAR)
    X = [[1.0], [2.0], [4.0]]
    same(train_neuron(X, [1, 2, 3], **LINEAR), train_neuron(X, ["1", "2", "3"], **LINEAR))


def test_names_of_columns_may_be_numbers(rows, tmp_path):
    X, Y = rows
    values = dict(zip(["2020", "2021", "2022", "a", "b"], np.column_stack([Y, X]).T, strict=True))
    ref = train_neuron(np.column_stack([X[:, 0], X[:, 1], X[:, 2]]), Y, **LINEAR)
    comp = train_neuron(frame("pandas", **values), ["2020", "2021"], **LINEAR)
    same(ref, comp)
    assert comp.model.targets == ["2020", "2021"]
    same(
        ref,
        train_neuron(write(tmp_path / "d.csv", [*values], np.array([*values.values()]).T), ["2020", "2021"], **LINEAR),
    )


def test_text_labels_of_a_frame_are_still_labels():
    table = frame("pandas", a=[1.0, 2.0, 3.0, 4.0])
    assert train_neuron(table, ["no", "no", "yes", "yes"]).model.labels.tolist() == ["no", "yes"]


# --- as a stream ------------------------------------------------------------------------------------------------------


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


# --- the numbers as a whole -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_a_constant_is_warned_of(streamed):
    X = np.linspace(-1.0, 1.0, 30)[:, np.newaxis]
    Y = np.column_stack([np.full(30, 7.0), X[:, 0]])

    def train(y, **options):
        return train_neuron(*((lambda: iter([(X, y)]),) if streamed else (X, y)), **LINEAR | options)

    with pytest.warns(TrainingWarning, match="y is 7.0 in every row, so that there is nothing to learn"):
        train(Y[:, 0])
    with pytest.warns(TrainingWarning, match=r"y\[:, 0\] is 7.0 in every row") as caught:
        result = train(Y, standardize_y=True, epochs=200)
    assert len(caught) == 1
    np.testing.assert_allclose(result.model.predict(X)[:, 0], 7.0, atol=1e-6)
    with pytest.raises(ValueError, match="y is 0 in every row, and loss='poisson' learns a mean above 0"):
        train(0.0 * Y[:, 0], loss="poisson")
    with pytest.raises(ValueError, match=r"is -7\.0: loss='poisson' learns counts, of at least 0"):
        train(-Y[:, 0], loss="poisson")


@pytest.mark.parametrize("n_targets", [1, 3])
def test_standardised_numbers_are_folded_back(n_targets, rows):
    """By hand: train on (y - mean) / deviation, and predict mean + deviation * what that model predicts."""
    X, _ = rows
    Y = 50.0 + 20.0 * (X @ np.random.default_rng(1).standard_normal((3, n_targets)))
    Y = Y[:, 0] if n_targets == 1 else Y
    mean, scale = Y.mean(axis=0), Y.std(axis=0)
    inner = train_neuron(X, (Y - mean) / scale, **LINEAR).model
    comp = train_neuron(X, Y, standardize_y=True, **LINEAR).model
    np.testing.assert_allclose(comp.predict(X), mean + scale * inner.predict(X), rtol=1e-10)
    assert comp.training["standardize_y"] is True


def test_moments_of_numbers_do_not_depend_on_the_pieces():
    y = 1e6 + np.random.default_rng(0).standard_normal((10_000, 2))
    ref = None
    for sizes in ([10_000], [1] * 50 + [9_950], [4096, 4096, 1808], [3000, 7000]):
        moments, start = TargetMoments(2), 0
        for size in sizes:
            moments.add(y[start : start + size])
            start += size
        comp = moments.standardisation()
        ref = comp if ref is None else ref
        np.testing.assert_array_equal(comp, ref)
    np.testing.assert_allclose(ref, [y.mean(axis=0), y.std(axis=0)], rtol=1e-9)
    moments = TargetMoments(1)
    moments.add(np.array([1e300, -1e300]))
    with pytest.raises(ValueError, match="column 'y' is too large to standardise"):
        moments.standardisation()


def test_rows_with_numbers_are_drawn_without_regard_to_them():
    X, y = np.arange(5000.0)[:, np.newaxis], np.random.default_rng(0).standard_normal(5000)
    ref = draw_from([(X, y)], 300)
    comp = draw_from([(X[i : i + 77], y[i : i + 77]) for i in range(0, 5000, 77)], 300)
    np.testing.assert_array_equal(comp[0], ref[0])
    np.testing.assert_array_equal(comp[1], y[ref[0][:, 0].astype(int)])
    assert len(ref[1]) == 300
    drawn = drawn_rows(5000, 10, None)
    assert len(drawn) == 500
    assert np.all(np.diff(drawn) > 0)


def test_a_checkpoint_goes_on_with_numbers(rows, tmp_path):
    X, Y = rows
    path, asked = tmp_path / "c.json", LINEAR | {"standardize_y": True}
    train_neuron(X, Y, checkpoint=path, **asked)
    comp = train_neuron(X, Y, checkpoint=path, **asked | {"epochs": 6})
    same(train_neuron(X, Y, **asked | {"epochs": 6}), comp)
    assert json.loads(path.read_text())["options"]["labels"] is None
    for y, options in ((2.0 * Y, {}), (Y, {"standardize_y": False}), (Y, {"loss": "huber"})):
        with pytest.raises(ValueError, match="a checkpoint of another run"):
            train_neuron(X, y, checkpoint=path, **asked | {"epochs": 6} | options)
    table = write(tmp_path / "d.csv", [*NAMES, "p", "q"], np.column_stack([X, Y]).tolist())
    path = tmp_path / "s.json"
    train_neuron(table, ["p", "q"], checkpoint=path, **asked)
    same(comp, train_neuron(table, ["p", "q"], checkpoint=path, **asked | {"epochs": 6}))
    with pytest.raises(ValueError, match=r"target was .* and is"):
        train_neuron(table, ["q", "p"], checkpoint=path, **asked | {"epochs": 6})


def test_labels_that_look_like_measurements_name_the_remedy():
    with pytest.raises(ValueError, match="To learn the numbers themselves, use output='linear'"):
        train_neuron(np.arange(100.0), np.arange(100.0) / 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [0, 1]}, "output='linear' learns numbers: leave one of the two out"),
        (
            {"class_weight": "balanced"},
            "class_weight is for labels, and output='linear' learns numbers: weight the rows",
        ),
        ({"standardize_y": 1}, "standardize_y is 1; True or False"),
        ({"standardize_y": True, "loss": "poisson"}, "standardize_y would make counts negative"),
        ({"standardize_y": True, "output": None}, "standardize_y is for numbers, and labels are learned"),
    ],
)
def test_options_that_are_not_for_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        train_neuron([1.0, 2.0, 3.0], [0, 1, 1], **LINEAR | options)
