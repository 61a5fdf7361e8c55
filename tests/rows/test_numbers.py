"""Numbers to learn: how they are read and checked in memory, and as a whole; see `test_numbers_streamed.py`."""

import datetime
import json

import numpy as np
import pytest
from tables import write

from tinynet_fast import TrainingWarning, train_neuron
from tinynet_fast.rows.numbers import Numbers, TargetMoments, read_numbers
from tinynet_fast.rows.sampling import draw_from, drawn_rows

NAMES = ["a", "b", "c"]
LINEAR = {"output": "linear", "learning_rate": 0.02, "epochs": 3}
ROWS = 400


def made_rows():
    """400 rows of three inputs, and two numbers to learn."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((ROWS, 3))
    first = X @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.standard_normal(ROWS)
    return X, np.column_stack([first, 10.0 - 4.0 * X[:, 1] + 0.1 * rng.standard_normal(ROWS)])


rows = pytest.fixture(scope="module")(made_rows)


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
