"""`MLPClassifier` beside scikit-learn's: raw data, all options, sequences of calls, what is printed."""

import warnings
from copy import deepcopy
from functools import lru_cache

import joblib
import numpy as np
import pytest
from samples import drawn, flat

peers = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")

import scipy.sparse as sp  # noqa: E402
from sklearn import datasets  # noqa: E402

from tinynet_fast import TrainingWarning  # noqa: E402
from tinynet_fast.sklearn import MLPClassifier  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]
SAME = "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "validation_scores_"
NUMBERS = "loss_curve_", "loss_", "best_loss_", "best_validation_score_"


def assert_same(comp, ref, X):
    """The same attributes and predictions."""
    for name in SAME:
        assert getattr(comp, name, None) == getattr(ref, name, None), name
    for name in NUMBERS:
        theirs = getattr(ref, name, None)
        if theirs is None:
            assert getattr(comp, name, None) is None
        else:
            np.testing.assert_allclose(getattr(comp, name), theirs, rtol=1e-8, err_msg=name)
            assert np.asarray(getattr(comp, name)).dtype == np.asarray(theirs).dtype, name
    assert [part.dtype for part in comp.coefs_ + comp.intercepts_] == [p.dtype for p in ref.coefs_ + ref.intercepts_]
    np.testing.assert_array_equal(comp.classes_, ref.classes_, strict=True)
    np.testing.assert_array_equal(comp.predict(X), ref.predict(X), strict=True)
    probabilities = ref.predict_proba(X)
    assert comp.predict_proba(X).dtype == probabilities.dtype
    np.testing.assert_allclose(comp.predict_proba(X), probabilities, rtol=1e-6, atol=1e-8)
    if comp.engine_ == "scikit-learn":
        np.testing.assert_array_equal(flat(comp), flat(ref))


@lru_cache(maxsize=1)
def raw_data(name, dtype):
    """Every second row of a data set, and what scikit-learn makes of them: the same for every engine."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X, y, fits = X[::2].astype(dtype), y[::2], []
    for activation in ("relu", "logistic", "tanh"):
        for solver, early in (("adam", False), ("sgd", True)):
            options = {"activation": activation, "solver": solver, "early_stopping": early, "max_iter": 12}
            options |= {"hidden_layer_sizes": (20,), "random_state": 1}
            fits.append((options, peers.MLPClassifier(**options).fit(X, y)))
    return X, y, fits


@pytest.mark.parametrize("engine", ["fast", "strict"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["wine", "breast_cancer", "digits", "iris"])
def test_raw_data(name, dtype, engine):
    """Inputs up to a thousand: a row whose probability is 0 to the last bit counts at most 36.04."""
    X, y, fits = raw_data(name, dtype)
    worst = 0.0
    for options, ref in fits:
        comp = MLPClassifier(engine=engine, **options).fit(X, y)
        assert comp.engine_ in ((engine, "strict") if dtype == np.float64 else ("scikit-learn",))
        assert_same(comp, ref, X)
        worst = max(worst, ref.loss_curve_[0])
    assert worst > 2.0 or name == "iris"


# --- all that there is, at random -------------------------------------------------------------------------------------


def problem(rng):
    """Rows, labels, sample weights and options of all kinds, and a sequence of calls."""

    def one(*choices):
        return choices[rng.integers(len(choices))]

    n, d, k = int(rng.integers(8, 120)), int(rng.integers(1, 9)), int(rng.integers(1, 5))
    X, codes, _ = drawn(n, d, max(k, 2), rng.integers(1000))
    codes, words = codes % k, np.array(["c", "a", "bb", "d"])
    y = one(
        codes, codes + 3, codes * 2.0 - 1.0, words[codes], words.astype(object)[codes], codes > 0, codes.astype("i1")
    )
    y = one(y, y, y, (rng.random((n, 3)) < 0.5).astype(int))
    X = one(X, X, X, X.astype(np.float32), sp.csr_matrix(X * (X > 0.0)), np.asfortranarray(X), (X * 3.0).astype(int))
    weight = one(None, None, None, rng.random(n) + 0.01, rng.standard_normal(n) + 0.5, np.ones(n, np.float32))
    options = {
        "hidden_layer_sizes": one((6,), 5, [4, 3], (), np.array([3])),
        "activation": one("relu", "tanh", "logistic", "identity"),
        "solver": one("adam", "adam", "sgd", "sgd", "lbfgs"),
        "alpha": one(1e-4, 0.0, 0.1),
        "batch_size": one("auto", 16, 1000, 7),
        "learning_rate": one("constant", "invscaling", "adaptive"),
        "learning_rate_init": one(1e-3, 1e-2),
        "max_iter": one(1, 10, 20),
        "shuffle": one(True, False),
        "random_state": int(rng.integers(1000)),
        "tol": one(1e-4, 1e-2, 0.1),
        "momentum": one(0.9, 0.0, 1.0),
        "nesterovs_momentum": one(True, False),
        "early_stopping": one(False, False, True),
        "n_iter_no_change": one(10, 2),
        "warm_start": one(False, True),
        "beta_1": one(0.9, 0.0),
        "epsilon": one(1e-8, 1e-2),
    }
    changes = {"alpha": 0.5}, {"learning_rate_init": 0.05}, {"warm_start": True}, {"solver": "sgd"}, {"engine": "exact"}
    calls = [one("fit", "fit", "partial_fit", "partial_fit", one(*changes)) for _ in range(rng.integers(1, 6))]
    return X, y, weight, options, calls


def outcome(model, X, y, weight, call, rows):
    """Call once. Returns the error or the warnings, as text."""
    given = {} if weight is None else {"sample_weight": weight}
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if isinstance(call, dict):
                model.set_params(**{name: value for name, value in call.items() if name in model.get_params()})
            elif call == "fit":
                model.fit(X, y, **given)
            else:
                classes = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
                given = {name: value[rows] for name, value in given.items()}
                model.partial_fit(X[rows], y[rows], classes=classes, **given)
    except (ValueError, AttributeError, TypeError, ZeroDivisionError) as error:
        return f"{type(error).__name__}: {str(error)[:40]}"
    return sorted(str(each.message) for each in said if issubclass(each.category, UserWarning))


@lru_cache(maxsize=1)
def sequences(part):
    """Sequences of calls, and what scikit-learn says and has learned after each call: the same for every engine."""
    found = []
    for seed in range(25 * part, 25 * part + 25):
        rng, after = np.random.default_rng(seed), []
        X, y, weight, options, calls = problem(rng)
        ref = peers.MLPClassifier(**options)
        for call in calls:
            rows = np.sort(rng.permutation(len(y))[: max(2, len(y) // 2)])
            said = outcome(ref, X, y, weight, call, rows)
            if "ufunc 'isnan'" in said:  # scikit-learn 1.8 cannot stop early if labels are words
                break
            after.append((call, rows, said, deepcopy(ref)))
            if isinstance(said, str):
                break
        found.append((seed, X, y, weight, options, after))
    return found


@pytest.mark.parametrize("engine", ["fast", "strict", "exact"])
@pytest.mark.parametrize("part", range(4))
def test_sequences_of_calls(part, engine):
    """The same attributes, weights, predictions, warnings and errors after each call."""
    ran = set()
    for seed, X, y, weight, options, after in sequences(part):
        comp = MLPClassifier(engine=engine, **options)
        for call, rows, said, ref in after:
            assert outcome(comp, X, y, weight, call, rows) == said, (seed, call)
            if not isinstance(said, str) and not isinstance(call, dict):
                assert_same(comp, ref, X)
                ran.add(comp.engine_)
    assert ran == ({"scikit-learn"} if engine == "exact" else {engine, "scikit-learn"})


# --- one by one -------------------------------------------------------------------------------------------------------


def rows(n=110, d=6, classes=2, seed=0):
    return drawn(n, d, classes, seed)[:2]


def test_what_runs_scikit_learns_own_steps():
    X, y = rows(classes=3)
    weight = np.where(np.arange(110) < 9, -0.1, 1.0)
    few = sp.random_array((110, 60), density=0.05, random_state=0, format="csr")
    for options, data in (
        ({"engine": "exact"}, (X, y)),
        ({"engine": "exact", "solver": "lbfgs", "max_fun": 90}, (X, y)),
        ({}, (few, y)),
        ({"solver": "lbfgs"}, (few, y)),
        ({}, (X, y, weight)),
    ):
        options = {"hidden_layer_sizes": (5,), "max_iter": 10, "random_state": 0} | options
        comp = MLPClassifier(**options).fit(*data)
        options.pop("engine", None)
        assert comp.engine_ == "scikit-learn"
        assert_same(comp, peers.MLPClassifier(**options).fit(*data), data[0])
        assert comp.validation_loss_curve_ is None


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_what_else_runs_on_our_kernels(solver):
    """Sparse rows in any format, several labels a row, "identity"; float32 does not."""
    X, y = rows(classes=3)
    many = np.eye(3, dtype=int)[y]
    for options, data in (
        ({"activation": "identity"}, (X, y)),
        ({}, (sp.csr_matrix(X * (X > 0.0)), y)),
        ({"batch_size": 16}, (sp.csc_array(X * (X > 0.0)), y)),
        ({"shuffle": False}, (sp.coo_array(X * (X > 0.0)), y)),
        ({}, (X.astype(np.float32), y)),
        ({}, (sp.csr_matrix((X * (X > 0.0)).astype(np.float32)), y)),
        ({}, (X, many)),
        ({"early_stopping": solver != "lbfgs"}, (X, many)),
        ({}, (X, y, np.ones(110, np.float32))),
    ):
        options = {"hidden_layer_sizes": (5,), "max_iter": 10, "random_state": 0, "solver": solver} | options
        comp = MLPClassifier(**options).fit(*data)
        assert comp.engine_ == ("fast" if data[0].dtype == np.float64 else "scikit-learn")
        assert_same(comp, peers.MLPClassifier(**options).fit(*data), data[0])


def test_validation_rows_where_scikit_learns_steps_run():
    X, y = rows(classes=3)
    plain = MLPClassifier((5,), max_iter=8, random_state=0)
    for data in (X, sp.csr_matrix(X), X.astype(np.float32)):
        comp = plain.fit(data[:80], y[:80], X_val=data[80:], y_val=y[80:])
        assert len(comp.validation_loss_curve_) == 8
        comp.set_params(early_stopping=True).fit(data[:80], y[:80], X_val=data[80:], y_val=y[80:])
        assert len(comp.validation_scores_) == comp.n_iter_
        plain.set_params(early_stopping=False)
    many = np.eye(3, dtype=int)[y]
    comp = plain.set_params(early_stopping=True).fit(X, many)
    assert len(comp.validation_loss_curve_) == comp.n_iter_
    with pytest.raises(ValueError, match="solver='lbfgs' has none"):
        MLPClassifier(solver="lbfgs").fit(X, y, X_val=X, y_val=y)


def test_one_class():
    X, y = rows()
    ref, comp = (
        kind((5,), max_iter=5, random_state=0).fit(X, y * 0 + 7) for kind in (peers.MLPClassifier, MLPClassifier)
    )
    assert_same(comp, ref, X)
    assert set(comp.predict(X)) == {7}


def test_early_stopping_may_change_between_calls():
    """scikit-learn fails with a TypeError or an AttributeError here."""
    X, y = rows()
    comp = MLPClassifier((5,), max_iter=5, random_state=0, early_stopping=True).fit(X, y)
    assert comp.best_loss_ is None
    comp.set_params(early_stopping=False).partial_fit(X, y)
    assert comp.best_loss_ == comp.loss_curve_[-1]
    comp = MLPClassifier((5,), max_iter=5, random_state=0, warm_start=True).fit(X, y)
    comp.set_params(early_stopping=True).fit(X, y)
    assert len(comp.validation_scores_) == comp.n_iter_
    assert comp.best_validation_score_ == max(comp.validation_scores_)


def test_a_class_too_rare_to_hold_out_is_named():
    X = rows(40)[0]
    labels = np.where(np.arange(40) == 3, "rare", "often")
    for kind, message in ((peers.MLPClassifier, "only 1 member"), (MLPClassifier, "only 1 member.*'True' is 'rare'")):
        with pytest.raises(ValueError, match=message):
            kind(early_stopping=True).fit(X, labels)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_models_that_are_mapped_into_memory(tmp_path, dtype, solver):
    """scikit-learn fails: "output array is read-only"."""
    X, y = rows()
    X = X.astype(dtype)
    ref = MLPClassifier((5,), solver=solver, random_state=0, max_iter=3).fit(X, y)
    joblib.dump(ref, tmp_path / "model")
    comp = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not comp.coefs_[0].flags.writeable
    np.testing.assert_array_equal(flat(comp.partial_fit(X, y)), flat(ref.partial_fit(X, y)))


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "sgd", "learning_rate": "adaptive"}])
def test_what_is_printed(options, capsys):
    X, y = rows()
    options = {"max_iter": 40, "n_iter_no_change": 2, "tol": 0.05, "random_state": 0, "verbose": True} | options
    printed = []
    for kind in (peers.MLPClassifier, MLPClassifier):
        kind(**options).fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[1] == printed[0]
    assert "did not improve more than tol=0.050000 for 2 consecutive epochs" in printed[1]


def test_other_numbers_of_layers_are_refused():
    X, y = rows()
    fitted = MLPClassifier((4,), max_iter=2, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\[4, 4\] does not fit"):
        fitted.set_params(hidden_layer_sizes=(4, 4)).fit(X, y)
    options = {"max_iter": 3, "warm_start": True, "random_state": 0}
    ref, comp = (kind((4,), **options).fit(X, y) for kind in (peers.MLPClassifier, MLPClassifier))
    ref.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    with pytest.warns(TrainingWarning, match=r"have \[4\] units: training goes on with these"):
        comp.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    assert_same(comp, ref, X)
