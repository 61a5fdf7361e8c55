"""What may be passed as X and y, and the errors for bad input."""

import numpy as np
import pytest
from compare import assert_keeps, flat

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.rows.arrays import as_matrix, encode_labels
from tinynet_fast.rows.blocks import standardisation

ROWS = [[1.0, 8.0], [2.0, 4.0], [3.0, 5.0], [4.0, 6.0]]
PASSED = [0, 0, 1, 1]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


FORMS = {
    "list": lambda X: X.tolist(),
    "tuples": lambda X: [tuple(row) for row in X.tolist()],
    "rows as arrays": list,
    "F order": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only,
    "objects": lambda X: X.astype(object),
    "big-endian": lambda X: X.astype(">f8"),
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "long double": lambda X: X.astype(np.longdouble),
    "int8": lambda X: X.astype(np.int8),
    "int64": lambda X: X.astype(np.int64),
    "uint64": lambda X: X.astype(np.uint64),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_rows_trains_the_same(form, engine):
    X = FORMS[form](np.array(ROWS))
    ref = train_neuron(np.array(ROWS), PASSED, epochs=20, engine=engine)
    comp = train_neuron(X, PASSED, epochs=20, engine=engine)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert_keeps(0.0, comp.model.predict_proba(X), ref.model.predict_proba(ROWS))


def test_booleans_as_inputs(engine):
    ref = train_neuron([[0.0], [1.0]], [0, 1], engine=engine)
    comp = train_neuron(np.array([[False], [True]]), [0, 1], engine=engine)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))


def test_memory_mapped(tmp_path, engine):
    np.save(tmp_path / "X.npy", np.array(ROWS))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    ref = train_neuron(ROWS, PASSED, epochs=5, engine=engine)
    assert_keeps(0.0, flat(train_neuron(X, PASSED, epochs=5, engine=engine).model), flat(ref.model))


def test_input_is_not_changed(engine):
    X, y = np.array(ROWS), np.array(PASSED, float)
    train_neuron(X, y, epochs=3, shuffle=True, engine=engine)
    assert X.tolist() == ROWS
    assert y.tolist() == PASSED


def test_an_array_is_not_copied():
    X = np.array(ROWS, dtype=np.float32)
    assert as_matrix(X) is X
    assert np.shares_memory(as_matrix(X[:, 0]), X)


class Frame:
    """The smallest frame: named columns, which a list of names selects."""

    def __init__(self, columns):
        self.table, self.columns = columns, list(columns)

    def __array__(self, dtype=None, copy=None):
        return np.column_stack(list(self.table.values())).astype(dtype or float)

    def __getitem__(self, names):
        return Frame({name: self.table[name] for name in names})


def test_a_frame_names_its_columns():
    study, sleep = np.array(ROWS).T
    model = train_neuron(Frame({"study": study, "sleep": sleep}), PASSED, epochs=5).model
    assert model.features == ["study", "sleep"]
    ref = model.predict_proba(ROWS)
    other = Frame({"sleep": sleep, "age": study * 0, "study": study})  # another order, and a column more
    np.testing.assert_array_equal(model.predict_proba(other), ref)


def test_arrays_without_dimensions_are_numbers():
    assert as_matrix([np.array(1.0), np.array(2.0)]).tolist() == [[1.0], [2.0]]


# --- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([0, 0, 1, 1], [0, 1]),
        ([False, False, True, True], [False, True]),
        ([-1.0, -1.0, 1.0, 1.0], [-1.0, 1.0]),
        (["fail", "fail", "pass", "pass"], ["fail", "pass"]),
        (np.array(["no", "no", "yes", "yes"], dtype=object), ["no", "yes"]),
        (np.array([[2], [2], [5], [5]], dtype=np.uint8), [2, 5]),
        ([["a"], ["a"], ["b"], ["b"]], ["a", "b"]),
    ],
)
def test_any_two_labels(y, labels, engine):
    result = train_neuron([1, 2, 3, 4], y, weights=0.1, epochs=1000, engine=engine)
    assert result.model.labels.tolist() == labels
    assert type(result.model.labels.tolist()[0]) is type(labels[0])
    assert result.model.predict([1, 4]).tolist() == labels
    ref = train_neuron([1, 2, 3, 4], PASSED, weights=0.1, epochs=1000, engine=engine)
    assert_keeps(0.0, flat(result.model), flat(ref.model))


def test_codes_give_the_labels_back():
    y = np.array(["pass", "fail", "pass"])
    codes, labels = encode_labels(y, 3)
    assert labels[codes[:]].tolist() == y.tolist()


# --- bad input --------------------------------------------------------------------------------------------------------

BAD_X = [
    ([], "X has no rows"),
    (np.empty((0, 3)), "X has no rows"),
    (np.empty((4, 0)), "X has no columns"),
    (np.zeros((4, 2, 2)), "X has 3 dimensions; 2 are needed"),
    (3.0, "X is a float; a list of rows or an array"),
    ("rows", "rows: unknown suffix"),
    ([[1, 2], [3], [4, 5], [6, 7]], r"X\[1\] has 1 values and X\[0\] has 2 values: give every row the same inputs"),
    ([[1], [2], 3, [4]], r"X\[2\] has a single number and X\[0\] has 1 values"),
    ([[1], [2], [float("nan")], [4]], r"X\[2, 0\] is NaN: drop the row or fill the column"),
    ([[1, 2], [3, 4], [5, 6], [7, -np.inf]], r"X\[3, 1\] is infinite: drop the row"),
    (np.array([1, np.inf, 3, 4], np.float32), r"X\[1, 0\] is infinite"),
    (np.array([1, 2, 3, "1e400"], np.longdouble), r"X\[3, 0\] is too large for a float64"),
    ([[1], [None], [3], [4]], r"X\[1, 0\] is missing: drop the row or fill the column"),
    ([[1, 2], [1, "b"], [3, 4], [5, 6]], r"X\[1, 1\] is 'b', which is no real number"),
    (np.array([[1, 2], [1, "b"], [3, 4], [5, 6]], dtype=object), r"X\[1, 1\] is 'b', which is no real number"),
    ([[1, [2]], [3, 4], [5, 6], [7, 8]], r"X\[0, 1\] holds several values: give each"),
    ([[1, 2], [3, [4, [5]]], [5, 6], [7, 8]], r"X\[1, 1\] holds several values: give each"),
    (np.ma.masked_array([[1.0], [2], [3], [4]], [[0], [0], [1], [0]]), r"X\[2, 0\] is missing"),
    ([[1], [2], [10**400], [4]], r"X\[2, 0\] is too large for a float64"),
    (np.zeros((4, 2), complex), "X holds values of type complex128"),
    (np.zeros((4, 2), "M8[s]"), r"X\[0, 0\] is 1970-01-01.*, a date or a time"),
]


@pytest.mark.parametrize(("X", "message"), BAD_X)
@pytest.mark.parametrize("train", [train_neuron, train_mlp])
def test_bad_inputs_are_named(train, X, message):
    with pytest.raises(ValueError, match=message):
        train(X, PASSED, epochs=1)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1], "X has 4 rows and y has 2 labels"),
        ([1, 1, 1, 1], "y holds one label only, 1: training needs rows of both kinds"),
        (["pass"] * 4, "y holds one label only, 'pass'"),
        ([0, 1, float("nan"), 1], r"y\[2\] is nan: drop the row or fill the label"),
        ([0, 1, float("inf"), 1], r"y\[2\] is inf"),
        ([0, 1, None, 1], r"y\[2\] is missing"),
        (["a", None, "b", "b"], r"y\[1\] is missing"),
        (["a", 1, "b", "b"], "y mixes labels of type int, str"),
        ([[0, 1], [1, 0], [0, 1], [1, 0]], "y has 2 dimensions"),
        (np.ma.masked_array([0, 1, 0, 1], [0, 0, 1, 0]), r"y\[2\] is missing"),
        ([0, 1, 10**400, 1], "y holds a number that is too large for a float64"),
        (np.zeros(4, complex), "y holds labels of type complex128"),
    ],
)
def test_bad_labels_are_named(y, message):
    with pytest.raises(ValueError, match=message):
        train_neuron([1, 2, 3, 4], y, epochs=1)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 2, 1], r"y\[1\] is 1, beside 0 and 2: this trains pass or fail"),
        (["a", "b", "c", "a"], r"y\[1\] is 'b', beside 'a' and 'c'"),
    ],
)
def test_a_third_label_is_named_if_two_are_needed(y, message):
    with pytest.raises(ValueError, match=message):
        sweep([1, 2, 3, 4], y)


def test_a_masked_weight_is_missing():
    weights = np.ma.masked_array([1.0, 1.0, 1.0, 2.0], [0, 0, 0, 1])
    with pytest.raises(ValueError, match=r"^sample_weight\[3\] is missing: drop the row or give it a weight"):
        train_neuron([1, 2, 3, 4], PASSED, sample_weight=weights)


def test_a_late_nan_in_a_large_array_is_found():
    X = np.zeros((300_000, 3))
    X[1041, 2] = np.nan
    with pytest.raises(ValueError, match=r"X\[1041, 2\] is NaN"):
        train_neuron(X, np.arange(300_000) % 2)
    X[1041, 2], X[299_999, 0] = 0, np.inf
    with pytest.raises(ValueError, match=r"X\[299999, 0\] is infinite"):
        train_neuron(X, np.arange(300_000) % 2)


def test_standardisation():
    X = np.array([[1.0, 5.0, 1e9], [3.0, 5.0, 1e9 + 1]])
    mean, scale = standardisation(X, ["a", "b", "c"])
    np.testing.assert_allclose((X - mean) / scale, [[-1, 0, -1], [1, 0, 1]])


def test_standardised_weights_do_not_depend_on_memory_layout():
    X = np.random.default_rng(0).standard_normal((5000, 5)) * 3.0 + 1.0
    y, wide = X[:, 0] > 1.0, np.zeros((10_000, 5))
    wide[::2] = X
    ref = train_neuron(X, y, standardize=True, epochs=1, engine="strict").model
    for rows in (np.asfortranarray(X), wide[::2], X[:, ::-1].copy()[:, ::-1]):
        comp = train_neuron(rows, y, standardize=True, epochs=1, engine="strict").model
        np.testing.assert_array_equal(comp.weights, ref.weights)
        assert comp.bias == ref.bias


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, np.bool_, ">f8", str])
@pytest.mark.parametrize("step", [1, 2])
def test_codes_of_two_labels_as_floats(dtype, step):
    """Labels that are codes already are not copied; the second label comes after the part that is compared first."""
    y = np.repeat([1, 0, 1], [40_000, 30_000, 10_000]).astype(dtype)[::step]
    codes, labels = encode_labels(y, len(y))
    np.testing.assert_array_equal(labels, np.unique(y))
    comp = codes.as_floats(slice(10, None))
    np.testing.assert_array_equal(comp, np.unique(y, return_inverse=True)[1][10:])
    assert comp.dtype == np.float64
    assert comp.flags.c_contiguous
    assert np.shares_memory(comp, y) == (dtype is np.float64 and step == 1)


def test_text_is_no_table():
    for text in ("1 2", b"1 2"):
        with pytest.raises(ValueError, match="X is text; a list of rows or an array is needed"):
            as_matrix(text)
