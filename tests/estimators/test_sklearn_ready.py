"""Rows and options that scikit-learn would not change do not go through its checks; whatever else does."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import config_context
from sklearn import linear_model as theirs
from sklearn.base import clone

from tinynet_fast.sklearn import SGDClassifier, SGDRegressor, validation
from tinynet_fast.sklearn.validation import are_ready, checked_rows

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Y = (X[:, 0] > 0.0).astype(int)
ODD = {
    "list": lambda X: X.tolist(),
    "F order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "big-endian": lambda X: X.astype(">f8"),
    "int": lambda X: (X * 10).astype(int),
    "bool": lambda X: X > 0.0,
    "objects": lambda X: X.astype(object),
    "matrix": lambda X: np.ma.masked_array(X),
    "read-only": lambda X: np.broadcast_to(X, X.shape),
}


def model(**options):
    return SGDClassifier(loss="log_loss", random_state=0, **options)


@pytest.fixture
def asked(monkeypatch):
    """How often scikit-learn was asked to check rows."""
    calls = []

    def validate(*arguments, **named):
        calls.append(arguments)
        return before(*arguments, **named)

    before = validation.validate_data
    monkeypatch.setattr(validation, "validate_data", validate)
    return calls


def test_plain_arrays_are_not_asked_about(asked):
    comp, ref = model().fit(X, Y), theirs.SGDClassifier("log_loss", random_state=0).fit(X, Y)
    comp.partial_fit(X[:7], Y[:7])
    ref.partial_fit(X[:7], Y[:7])
    for method in ("predict_proba", "predict", "decision_function"):
        np.testing.assert_allclose(getattr(comp, method)(X), getattr(ref, method)(X), rtol=1e-12)
    np.testing.assert_array_equal(comp.coef_, ref.coef_)
    assert comp.n_features_in_ == 3
    assert asked == []


@pytest.mark.parametrize("form", ODD)
def test_other_rows_have_scikit_learns_results(form):
    rows = ODD[form](X)
    comp, ref = model(engine="exact").fit(rows, Y), theirs.SGDClassifier("log_loss", random_state=0).fit(rows, Y)
    np.testing.assert_array_equal(comp.coef_, ref.coef_)
    assert comp.coef_.dtype == ref.coef_.dtype
    for method in ("predict", "decision_function"):
        found, expected = getattr(comp, method)(rows), getattr(ref, method)(rows)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("labels", [["a", "b", "c"], [2, 5, 7], [-1.0, 0.0, 1.0]], ids=str)
def test_predict_is_scikit_learns(classes, labels):
    y = np.array(labels)[np.arange(40) % classes]
    comp, ref = model().fit(X, y), theirs.SGDClassifier("log_loss", random_state=0).fit(X, y)
    np.testing.assert_array_equal(comp.predict(X), ref.predict(X))
    assert comp.predict(X).dtype == ref.predict(X).dtype
    np.testing.assert_array_equal(comp.sparsify().predict(X), ref.predict(X))


@pytest.mark.parametrize("method", ["predict_proba", "predict", "decision_function"])
def test_what_scikit_learn_refuses_it_still_refuses(method):
    comp, gap = model().fit(X, Y), X[:1].copy()
    gap[0, 1] = np.nan
    for rows, message in (
        (X[:, :2], "X has 2 features, but SGDClassifier is expecting 3 features"),
        (X[:, :2].copy(), "X has 2 features, but SGDClassifier is expecting 3 features"),
        (X[:0], "Found array with 0 sample"),
        (X[0], "Expected 2D array, got 1D array instead"),
        (gap, r"X\[0, 1\] is NaN"),
        (gap.astype(np.float32), r"X\[0, 1\] is NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            getattr(comp, method)(rows)


def test_targets_that_are_refused():
    for y, message in ((None, "requires y to be passed"), (Y[:-1], "inconsistent numbers"), (Y[:0], "inconsistent")):
        with pytest.raises(ValueError, match=message):
            model().fit(X, y)
    y = Y.astype(float)
    y[3] = np.inf
    with pytest.raises(ValueError, match="Input y contains infinity"):
        model().fit(X, y)
    with pytest.warns(UserWarning, match="A column-vector y was passed"):
        model().fit(X, Y[:, np.newaxis])


def test_names_of_columns_are_asked_for():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    comp = model().fit(frame, Y)
    assert comp.feature_names_in_.tolist() == ["a", "b", "c"]
    for method in ("predict_proba", "predict"):
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            getattr(comp, method)(X)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        comp.partial_fit(X, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        comp.predict(frame[["b", "a", "c"]])
    comp.fit(X, Y)
    assert not hasattr(comp, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but SGDClassifier was fitted without"):
        comp.predict(frame)


def test_assume_finite_goes_to_scikit_learn():
    rows = X.copy()
    rows[0, 0] = np.nan
    with config_context(assume_finite=True):
        comp, ref = model().fit(X, Y), theirs.SGDClassifier("log_loss", random_state=0).fit(X, Y)
        np.testing.assert_array_equal(comp.decision_function(rows)[1:], ref.decision_function(rows)[1:])


@pytest.mark.parametrize("kind", [SGDClassifier, SGDRegressor])
def test_options_are_checked_once_for_each_value(kind, monkeypatch):
    """Values that are equal and of another type, values that can change in place, and wrong ones are checked again."""
    calls = []

    def check(*arguments, **named):
        calls.append(arguments)
        return before(*arguments, **named)

    before = validation.validate_parameter_constraints
    monkeypatch.setattr(validation, "validate_parameter_constraints", check)
    validation._check_options.cache_clear()
    comp = kind(random_state=0)
    comp.fit(X, Y)
    clone(comp).fit(X, Y)
    assert len(calls) == 1
    for wrong in ({"alpha": -1.0}, {"shuffle": 1}, {"max_iter": 2.5}, {"tol": "much"}):
        for _ in range(2):
            with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter of {kind.__name__} must be"):
                clone(comp).set_params(**wrong).fit(X, Y)
    assert len(calls) == 9
    clone(comp).set_params(random_state=np.random.RandomState(0)).fit(X, Y)
    assert len(calls) == 9  # scikit-learn's own check
    comp.fit(X, Y)
    assert len(calls) == 9


def test_a_shared_random_state_is_drawn_from():
    """An instance is not seeded anew, and its numbers go on between calls as in scikit-learn."""
    comp, ref = np.random.RandomState(5), np.random.RandomState(5)
    for _ in range(2):
        ours = SGDClassifier(loss="log_loss", random_state=comp).fit(X, Y)
        their = theirs.SGDClassifier("log_loss", random_state=ref).fit(X, Y)
        np.testing.assert_array_equal(ours.coef_, their.coef_)
    assert comp.randint(1 << 30) == ref.randint(1 << 30)


def test_estimators_that_are_not_fitted_say_so():
    for method in ("predict_proba", "predict", "decision_function"):
        with pytest.raises(ValueError, match="not fitted yet"):
            getattr(model(), method)(X)


def test_rows_are_ready_or_not():
    assert are_ready(X)
    assert are_ready(X.astype(np.float32))
    for form in ("list", "F order", "strided", "float16", "big-endian", "int", "bool", "objects", "matrix"):
        assert not are_ready(ODD[form](X)), form
    assert not are_ready(X[:0])
    assert not are_ready(X[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        comp = pickle.loads(pickle.dumps(model().fit(X, Y)))
        assert checked_rows(comp, X) is X
    assert not [warning for warning in caught if "feature names" in str(warning.message)]
