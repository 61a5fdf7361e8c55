"""Networks of a search that are trained in one pass, a lane each, end as their own `fit` ends."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

from hypothesis import given, settings
from hypothesis import strategies as st
from searches import NET, THREE, WEIGHT, X, Y, Z, both, in_a_pipeline, prefixed
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from tinynet_fast.kernels.fast import penalised_networks
from tinynet_fast.kernels.fast.many_networks import WIDTH
from tinynet_fast.sklearn import GridSearchCV, MLPClassifier, MLPRegressor, mlp_lanes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CLOSE = 1e-9  # norm-wise; the kernels keep 1e-12 for each update
EIGHT = {"learning_rate_init": np.geomspace(0.001, 0.1, WIDTH).tolist()}
FOLDS = KFold(3)


@pytest.fixture
def passes(monkeypatch):
    """The rows of each call of the kernel."""
    calls, kernel = [], penalised_networks.network_passes

    def counted(X, *rest):
        calls.append(len(X))
        kernel(X, *rest)

    monkeypatch.setattr(penalised_networks, "network_passes", counted)
    return calls


def searched(model, grid, X, y, **options):
    """Each fitted model of a search, with the rows that it was fitted on; and the search."""
    seen, folds = [], [(X[test], train) for train, test in FOLDS.split(X)]

    def kept(model, X, y):
        seen.append((model, next(train for rows, train in folds if (rows == X).all())))
        return 0.0

    found = GridSearchCV(model, grid, cv=FOLDS, scoring=kept, refit=False, **options).fit(X, y)
    return seen, found


def check(model, grid, y, X=X, **options):
    """All models of the search are those of their own fits: weights, losses, epochs. Returns how long each trained."""
    seen, found = searched(model, grid, X, y, **options)
    lasted = []
    for comp, train in seen:
        ref = clone(comp).fit(X[train], y[train])
        assert apart(comp, ref) <= CLOSE
        for name in ("n_iter_", "t_", "out_activation_", "engine_", "n_features_in_", "_no_improvement_count"):
            assert getattr(comp, name) == getattr(ref, name), name
        for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            a, b = getattr(comp, name), getattr(ref, name)
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=CLOSE, err_msg=name)
        assert comp._optimizer.learning_rate == pytest.approx(ref._optimizer.learning_rate, rel=1e-12)
        lasted.append(comp.n_iter_)
    assert len(seen) == len(found.cv_results_["params"]) * 3
    return lasted


def apart(a, b):
    """How far the weights of two models are apart, norm-wise."""
    a, b = (np.concatenate([part.ravel() for part in each.coefs_ + each.intercepts_]) for each in (a, b))
    return np.linalg.norm(a - b) / np.linalg.norm(b)


CASES = {
    "adam": (MLPClassifier(**NET), EIGHT, Y),
    "adam, one number for each option": (
        MLPClassifier(**NET),
        {"beta_1": [0.8, 0.9], "beta_2": [0.99, 0.999], "alpha": [0.0, 0.1]},
        Y,
    ),
    "descent": (MLPClassifier(solver="sgd", **NET), EIGHT, Y),
    "momenta": (MLPClassifier(solver="sgd", activation="tanh", **NET), {"momentum": np.linspace(0.1, 0.9, 8)}, Y),
    "a rate that adapts": (
        MLPClassifier(solver="sgd", learning_rate="adaptive", **{**NET, "max_iter": 40, "tol": 0.01}),
        {"learning_rate_init": np.geomspace(0.001, 2.0, 8)},
        Y,
    ),
    "three classes": (MLPClassifier(**NET), EIGHT, THREE),
    "several labels": (MLPClassifier(**NET), EIGHT, np.column_stack([Y, X[:, 0] > 0.0]).astype(int)),
    "numbers": (MLPRegressor(**NET), EIGHT, Z),
    "several numbers": (MLPRegressor(**NET), EIGHT, np.column_stack([Z, X[:, 0]])),
    "no shuffle": (MLPClassifier(shuffle=False, **NET), EIGHT, Y),
    "early stopping": (MLPClassifier(early_stopping=True, n_iter_no_change=2, **{**NET, "max_iter": 30}), EIGHT, Y),
    "early stopping of numbers": (MLPRegressor(early_stopping=True, n_iter_no_change=2, **NET), EIGHT, Z),
    "two layers": (MLPClassifier(**{**NET, "hidden_layer_sizes": (4, 3)}), EIGHT, Y),
}


@pytest.mark.parametrize("case", CASES)
def test_each_network_ends_as_by_itself(case, passes):
    model, grid, y = CASES[case]
    check(model, grid, y)
    assert passes


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_network_that_stops_leaves_the_others(n_jobs, passes):
    model = MLPClassifier(**{**NET, "max_iter": 60, "tol": 0.003, "n_iter_no_change": 3})
    lasted = check(model, {"learning_rate_init": np.geomspace(0.0003, 0.3, 12)}, Y, n_jobs=n_jobs)
    assert len(set(lasted)) > 3
    assert passes


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_options(data):
    draw = data.draw
    solver, classifier = draw(st.sampled_from(["adam", "sgd"])), draw(st.booleans())
    kind, y = (MLPClassifier, draw(st.sampled_from([Y, THREE]))) if classifier else (MLPRegressor, Z)
    options = {
        "solver": solver,
        "hidden_layer_sizes": draw(st.sampled_from([(3,), (5,), (2, 3)])),
        "activation": draw(st.sampled_from(["relu", "tanh", "logistic", "identity"])),
        "batch_size": draw(st.sampled_from([7, 16, 60, 200])),
        "shuffle": draw(st.booleans()),
        "tol": draw(st.sampled_from([0.0, 1e-4, 0.01])),
        "n_iter_no_change": draw(st.integers(1, 3)),
        "max_iter": draw(st.integers(1, 8)),
        "random_state": 0,
    }
    grid = {"learning_rate_init": [0.001, 0.003, 0.01, 0.02], "alpha": draw(st.sampled_from([[0.0, 0.1], [1e-4, 1.0]]))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # batches that are larger than the fold
        check(kind(**options), grid, y)


def test_results_are_those_of_scikit_learns_search(passes):
    """Over the same estimator: alone, after a scaler, with sample weights, and refitted."""
    assert both(MLPClassifier(**NET), EIGHT, X, Y, close=1e-12).shared_ == WIDTH
    assert both(MLPRegressor(**NET), EIGHT, X, Z, close=1e-9, return_train_score=True).shared_ == WIDTH
    count = len(passes)
    assert count
    pipeline = in_a_pipeline(MLPClassifier(**NET), StandardScaler())
    assert both(pipeline, prefixed("mlpclassifier", EIGHT), X, Y, close=1e-12).shared_ == WIDTH
    assert len(passes) > count
    count = len(passes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert both(MLPClassifier(**NET), EIGHT, X, Y, fit={"sample_weight": WEIGHT}).shared_ == WIDTH
    assert both(MLPClassifier(warm_start=True, **NET), EIGHT, X, Y).shared_ == WIDTH
    assert both(MLPClassifier(**NET), {"random_state": list(range(8))}, X, Y).shared_ == WIDTH
    assert both(MLPClassifier(**NET), {"learning_rate_init": [0.001, 0.01, 0.1]}, X, Y).shared_ == 3
    assert both(MLPClassifier(engine="strict", **NET), EIGHT, X, Y).shared_ == WIDTH
    assert len(passes) == count  # none of these has lanes


def test_a_network_that_diverges_leaves_the_others(passes):
    grid = {"learning_rate_init": [*np.geomspace(0.001, 0.01, 7), 1e200]}
    model = MLPRegressor(solver="sgd", activation="identity", **NET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = both(model, grid, X, Z, close=1e-9, refit=False)
    assert found.shared_ == 7
    assert np.isnan(found.cv_results_["mean_test_score"]).tolist() == [False] * 7 + [True]
    assert passes


def test_without_the_kernel_they_are_trained_in_turn(monkeypatch, passes):
    monkeypatch.setattr(mlp_lanes, "has_kernel", lambda: False)
    assert both(MLPClassifier(**NET), EIGHT, X, Y).shared_ == WIDTH
    assert not passes


def test_orders_that_differ_are_an_error(monkeypatch):
    """Nothing that a company does can lead here. If something did, scikit-learn would fit the network once more."""
    monkeypatch.setattr(mlp_lanes, "state_of", lambda generator: ())
    seeds = {"random_state": list(range(WIDTH))}
    found = both(MLPClassifier(**NET), seeds, X, Y, refit=False)
    assert found.shared_ == 1
