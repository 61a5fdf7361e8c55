"""Values in the columns of frames: what is taken for a number, and errors that name the row and the column."""

import datetime
from decimal import Decimal

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, auto_rate, plots, sweep, train_mlp, train_neuron, validate
from tinynet_fast.rows.frames import _column
from tinynet_fast.scoring import predict_file

HOURS = [1.0, 2.0, 3.0, 4.0]
Y = [0, 0, 1, 1]
DAY = datetime.datetime(2020, 1, 2)
LATER = "a date or a time: turn it into a number first"


def frame(library, values, dtype=None):
    """Two columns, "hours" and "x"."""
    module = pytest.importorskip(library)
    if library == "pyarrow":
        return module.table({"hours": HOURS, "x": module.array(values, dtype and dtype(module))})
    column = module.Series(values, dtype=dtype(module) if callable(dtype) else dtype)
    return module.DataFrame({"hours": HOURS, "x": column})


BAD = {
    "pandas, missing": ("pandas", [1.0, 2.0, None, 4.0], None, r"\[2, 'x'\] is NaN: drop the row or fill the column"),
    "pandas, Int64": ("pandas", [1, 2, None, 4], "Int64", r"\[2, 'x'\] is (NaN|missing)"),
    "pandas, boolean": ("pandas", [True, None, None, False], "boolean", r"\[1, 'x'\] is missing"),
    "pandas, str": ("pandas", ["a", "b", "c", "d"], "str", r"\[0, 'x'\] is 'a', which is no real number"),
    "pandas, Arrow's text": (
        "pandas",
        ["1", None, "c", "d"],
        "string[pyarrow]",
        r"\[0, 'x'\] is '1', which is no real",
    ),
    "pandas, a category": ("pandas", ["a", "b", "a", "b"], "category", r"\[0, 'x'\] is 'a', which is no real number"),
    "pandas, a time": ("pandas", [DAY] * 4, None, rf"\[0, 'x'\] is 2020-01-02.*, {LATER}"),
    "pandas, a time with a zone": ("pandas", [DAY.replace(tzinfo=datetime.UTC)] * 4, None, rf"\[0, 'x'\] .*, {LATER}"),
    "pandas, NaT": ("pandas", [DAY, None, DAY, DAY], None, rf"\[0, 'x'\] is 2020-01-02.*, {LATER}"),
    "pandas, a duration": ("pandas", [datetime.timedelta(1)] * 4, None, rf"\[0, 'x'\] is .*, {LATER}"),
    "pandas, lists": ("pandas", [[1, 2]] * 4, None, r"\[0, 'x'\] holds several values: give each a column"),
    "pandas, complex": ("pandas", [1j] * 4, None, r"\[:, 'x'\] holds values of type complex128"),
    "polars, missing": ("polars", [1, None, 3, 4], None, r"\[1, 'x'\] is (NaN|missing)"),
    "polars, text": ("polars", ["a", "b", "c", "d"], None, r"\[0, 'x'\] is 'a', which is no real number"),
    "polars, Enum": ("polars", ["a", "b", "a", "b"], lambda pl: pl.Enum(["a", "b"]), r"\[0, 'x'\] is 'a', which"),
    "polars, a date": ("polars", [DAY.date()] * 4, None, rf"\[0, 'x'\] is 2020-01-02, {LATER}"),
    "polars, a duration": ("polars", [datetime.timedelta(1)] * 4, None, rf"\[0, 'x'\] is .*, {LATER}"),
    "polars, arrays": ("polars", [[1, 2]] * 4, lambda pl: pl.Array(pl.Int64, 2), r"\[0, 'x'\] holds several values"),
    "polars, lists": ("polars", [[1, 2]] * 4, None, r"\[0, 'x'\] holds several values"),
    "pyarrow, missing": ("pyarrow", [True, False, None, True], None, r"\[2, 'x'\] is missing"),
    "pyarrow, nothing": ("pyarrow", [None] * 4, None, r"\[0, 'x'\] is missing"),
    "pyarrow, text": ("pyarrow", ["a", "b", "c", "d"], None, r"\[0, 'x'\] is 'a', which is no real number"),
    "pyarrow, a date": ("pyarrow", [DAY.date()] * 4, None, rf"\[0, 'x'\] is 2020-01-02, {LATER}"),
    "pyarrow, lists": ("pyarrow", [[1, 2]] * 4, None, r"\[0, 'x'\] holds several values"),
    "pyarrow, infinity": ("pyarrow", [1.0, 2.0, 3.0, np.inf], None, r"\[3, 'x'\] is infinite"),
}


@pytest.mark.parametrize(("library", "values", "dtype", "message"), BAD.values(), ids=BAD)
def test_every_function_names_row_and_column(library, values, dtype, message, tmp_path):
    bad, good = frame(library, values, dtype), frame(library, HOURS)
    neuron = Neuron(weights=[1.0, 1.0], features=["hours", "x"])
    network = MLP(weights=[np.ones((2, 1))], biases=[np.zeros(1)], features=["hours", "x"])
    doors = {
        "X": (
            lambda: train_neuron(bad, Y),
            lambda: train_neuron(bad, Y, standardize=True),
            lambda: train_mlp(bad, Y),
            lambda: sweep(bad, Y),
            lambda: auto_rate(bad, Y),
            lambda: validate(bad, Y, engines=()),
            lambda: neuron.predict(bad),
            lambda: network.predict_proba(bad),
            lambda: neuron.score(bad, Y),
            lambda: network.loss(bad, Y),
            lambda: plots.thresholds(neuron, bad, Y),
        ),
        "validation X": (
            lambda: train_neuron(good, Y, validation=(bad, Y)),
            lambda: train_mlp(good, Y, validation=(bad, Y)),
        ),
    }
    for name, calls in doors.items():
        for call in calls:
            with pytest.raises(ValueError, match="^" + name + message):
                call()
    with pytest.raises(ValueError, match=r"block 0.*'x'"):
        train_neuron(lambda: iter([(bad, Y)]))
    with pytest.raises(ValueError, match=r"block 0.*'x'"):
        predict_file(neuron, bad, tmp_path / "answers.csv")


GOOD = {
    "pandas, Int64": ("pandas", HOURS, "Int64"),
    "pandas, Float64": ("pandas", HOURS, "Float64"),
    "pandas, Arrow's": ("pandas", [1, 2, 3, 4], "int64[pyarrow]"),
    "pandas, a category of numbers": ("pandas", HOURS, "category"),
    "pandas, sparse": ("pandas", HOURS, "Sparse[float]"),
    "pandas, objects": ("pandas", [1, 2.0, Decimal(3), np.float32(4)], "object"),
    "polars, decimals": ("polars", [Decimal(k) for k in (1, 2, 3, 4)], None),
    "pyarrow, decimals": ("pyarrow", [Decimal(k) for k in (1, 2, 3, 4)], None),
    "pyarrow, codes of a dictionary": ("pyarrow", HOURS, lambda pa: pa.dictionary(pa.int8(), pa.float64())),
}


@pytest.mark.parametrize(("library", "values", "dtype"), GOOD.values(), ids=GOOD)
def test_numbers_of_any_type(library, values, dtype):
    rows = np.column_stack([HOURS, HOURS])
    good = frame(library, values, dtype)
    comp = train_neuron(good, Y, epochs=5)
    np.testing.assert_array_equal(comp.model.weights, train_neuron(rows, Y, epochs=5).model.weights)
    np.testing.assert_array_equal(comp.model.predict_proba(good), comp.model.predict_proba(rows))


@pytest.mark.parametrize(
    ("library", "values", "dtype"),
    [
        ("pandas", [True, False, True, True], "boolean"),
        ("pandas", [True, False, True, True], "bool"),
        ("polars", [True, False, True, True], None),
        ("pyarrow", [True, False, True, True], None),
    ],
)
def test_booleans(library, values, dtype):
    comp = train_neuron(frame(library, values, dtype), Y, epochs=5).model.weights
    np.testing.assert_array_equal(comp, train_neuron(np.column_stack([HOURS, values]), Y, epochs=5).model.weights)


ROWS = {"a": [1.0, 2.0, 3.0, None, 5.0], "b": [1.0, None, 3.0, 4.0, 5.0]}


@pytest.mark.parametrize("form", ["objects", "one column of objects", "dicts", "Decimals"])
def test_the_first_bad_row_is_named(form):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(ROWS)
    if form == "dicts":
        X = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    elif form == "Decimals":
        X = X.map(lambda value: None if value != value else Decimal(value)).astype(object)
    else:
        X = X.astype(object if form == "objects" else {"a": object})
        X["a"] = X["a"].where(X["a"].notna(), None)
    for use in (lambda: train_neuron(X, [0, 0, 1, 1, 1]), lambda: Neuron(weights=[1, 2]).predict(X)):
        with pytest.raises(ValueError, match=r"^X\[1, 'b'\] is (missing|NaN)"):
            use()


LABELS = {
    "pandas, a category": ("pandas", ["no", "no", "yes", "yes"], "category"),
    "pandas, str": ("pandas", ["no", "no", "yes", "yes"], "str"),
    "pandas, objects": ("pandas", ["no", "no", "yes", "yes"], "object"),
    "pandas, boolean": ("pandas", [False, False, True, True], "boolean"),
    "pandas, Int64": ("pandas", [3, 3, 5, 5], "Int64"),
    "polars, Enum": ("polars", ["no", "no", "yes", "yes"], lambda pl: pl.Enum(["yes", "no"])),
    "polars, Categorical": ("polars", ["no", "no", "yes", "yes"], lambda pl: pl.Categorical),
    "pyarrow, codes of a dictionary": (
        "pyarrow",
        ["no", "no", "yes", "yes"],
        lambda pa: pa.dictionary(pa.int8(), pa.string()),
    ),
}


@pytest.mark.parametrize(("library", "values", "dtype"), LABELS.values(), ids=LABELS)
def test_labels_in_a_column(library, values, dtype):
    rows = frame(library, values, dtype)
    column = rows["x"]
    hours = np.array(HOURS)[:, np.newaxis]
    for result in (train_neuron(rows, "x"), train_neuron(hours, column), train_neuron(lambda: iter([(hours, column)]))):
        assert result.model.labels.tolist() == [values[0], values[-1]]
        assert result.model.score(hours, column) == result.model.score(hours, values)


def test_a_label_that_is_missing():
    for library, values, dtype in (
        ("pandas", ["a", "b", None, "a"], "category"),
        ("pandas", [1, 0, None, 1], "Int64"),
        ("polars", [True, False, None, True], None),
        ("pyarrow", ["a", "b", None, "a"], None),
    ):
        with pytest.raises(ValueError, match=r"X\[2, 'x'\] is missing: drop the row or fill the label first"):
            train_neuron(frame(library, values, dtype), "x")


@pytest.mark.parametrize("network", [False, True])
def test_estimators_name_row_and_column(network):
    """Before scikit-learn's own error."""
    sk = pytest.importorskip("tinynet_fast.sklearn", reason="scikit-learn is what it is for")

    def model():
        how = {"max_iter": 20, "tol": 1e9, "n_iter_no_change": 1}
        return sk.MLPClassifier((2,), **how) if network else sk.SGDClassifier(loss="log_loss", **how)

    good = frame("pandas", HOURS)
    fitted = model().partial_fit(good, Y, classes=[0, 1])
    for case in ("pandas, missing", "pandas, str", "pandas, a time"):
        library, values, dtype, message = BAD[case]
        bad = frame(library, values, dtype)
        for name, call in (
            ("X", lambda bad=bad: model().fit(bad, Y)),
            ("X", lambda bad=bad: fitted.partial_fit(bad, Y)),
            ("X", lambda bad=bad: fitted.predict(bad)),
            ("X", lambda bad=bad: fitted.predict_proba(bad)),
            ("X", lambda bad=bad: fitted.score(bad, Y)),
            ("X_val", lambda bad=bad: model().fit(good, Y, X_val=bad, y_val=Y)),
        ):
            with pytest.raises((ValueError, TypeError), match=name + message):
                call()


@pytest.mark.parametrize("values", [np.array([1.0, None], object), [1.0, None], np.array([1.0, np.nan])])
def test_missing_values_to_fill_are_nan(values):
    """Of numbers as of objects; without filling, a missing object is an error that names its place."""
    np.testing.assert_array_equal(_column(values, "a", "X", fill=True), [1.0, np.nan])
    if not isinstance(values, np.ndarray) or values.dtype == object:
        with pytest.raises(ValueError, match=r"^X\[1, 'a'\] is missing"):
            _column(values, "a", "X", fill=False)
