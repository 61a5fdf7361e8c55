"""What our searches leave to scikit-learn: warnings, failures, callbacks, other estimators; and threads."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

import joblib
import sklearn
from searches import (
    NET,
    RATES,
    SGD,
    WEIGHT,
    WITH_RATE,
    X,
    Y,
    Z,
    both,
    compare,
    in_a_pipeline,
)
from sklearn import linear_model, model_selection
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tinynet_fast.sklearn import (
    GridSearchCV,
    MLPClassifier,
    MLPRegressor,
    SGDClassifier,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Loud(TransformerMixin, BaseEstimator):
    """A transformer that does something besides transforming."""

    def __init__(self, what="warn"):
        self.what = what

    def fit(self, X, y=None):
        if self.what == "warn":
            warnings.warn("loud", UserWarning, stacklevel=2)
        elif self.what == "fail":
            raise ValueError("the transformer fails")
        self.by_ = np.random.uniform(0.9, 1.1) if self.what == "draw" else 1.0
        return self

    def transform(self, X):
        return X * self.by_


def test_transformers_that_warn_draw_or_fail_are_fitted_by_each_candidate():
    grid = {"sgdclassifier__alpha": [1e-4, 1e-2]}
    with pytest.warns(UserWarning, match="loud") as told:
        found = GridSearchCV(in_a_pipeline(SGDClassifier(**SGD), Loud()), grid, cv=3).fit(X, Y)
    assert sum("loud" in str(each.message) for each in told) == 7
    assert found.shared_ == 0

    def drawn(kind):
        np.random.seed(5)
        found = kind(in_a_pipeline(SGDClassifier(**SGD), Loud("draw"), StandardScaler()), grid, cv=3).fit(X, Y)
        return found, np.random.get_state()[1]

    (ref, ref_state), (comp, comp_state) = drawn(model_selection.GridSearchCV), drawn(GridSearchCV)
    compare(ref, comp)
    assert comp.shared_ == 0
    assert (ref_state == comp_state).all()
    with pytest.raises(ValueError, match=r"All the 6 fits failed(.|\n)*the transformer fails"):
        GridSearchCV(in_a_pipeline(SGDClassifier(**SGD), Loud("fail")), grid, cv=3).fit(X, Y)


def test_numbers_from_the_global_generator_are_drawn_in_scikit_learns_order():
    def drawn(kind, **options):
        np.random.seed(5)
        return kind(MLPClassifier(**{**NET, "random_state": None}), RATES, cv=3, **options).fit(X, Y)

    ref, comp = drawn(model_selection.GridSearchCV), drawn(GridSearchCV)
    compare(ref, comp)
    assert comp.shared_ == 0
    assert drawn(GridSearchCV, n_jobs=2).shared_ == 3


def test_a_generator_as_random_state():
    assert both(MLPClassifier(**{**NET, "random_state": np.random.RandomState(3)}), RATES, X, Y).shared_ == 3
    model = in_a_pipeline(SGDClassifier(**SGD), PCA(2, svd_solver="randomized", random_state=np.random.RandomState(3)))
    assert both(model, {"sgdclassifier__alpha": [1e-4, 1e-2]}, X, Y).shared_ == 2


FAILS = {"alpha": [1e-4, -1.0], "eta0": [0.01, 0.05]}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_fits_that_fail(n_jobs):
    with joblib.parallel_config("threading"):  # scikit-learn runs them again, and its processes take seconds to start
        check_fits_that_fail(n_jobs)


def check_fits_that_fail(n_jobs):
    def failed(kind, **options):
        with pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 12"):
            return kind(SGDClassifier(**WITH_RATE), FAILS, cv=3, **options).fit(X, Y)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One or more of the test scores are non-finite")
        ref, comp = failed(model_selection.GridSearchCV), failed(GridSearchCV, n_jobs=n_jobs)
    compare(ref, comp)
    assert comp.shared_ == 2
    ref, comp = failed(model_selection.GridSearchCV, error_score=-1.0), failed(GridSearchCV, error_score=-1.0)
    compare(ref, comp)
    with pytest.raises(ValueError, match="'alpha' parameter of SGDClassifier must be"):
        GridSearchCV(SGDClassifier(**WITH_RATE), FAILS, cv=3, error_score="raise", n_jobs=n_jobs).fit(X, Y)
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        GridSearchCV(SGDClassifier(**WITH_RATE), {"alpha": [-1.0, -2.0]}, cv=3, n_jobs=n_jobs).fit(X, Y)
    with pytest.raises(ValueError, match="Invalid parameter 'alhpa' for estimator SGDClassifier"):
        GridSearchCV(SGDClassifier(**WITH_RATE), {"alhpa": [1.0]}, cv=3, n_jobs=n_jobs).fit(X, Y)


def test_a_network_that_diverges():
    """One candidate fails in the middle of its training; the others are as they are without it."""

    def diverged(kind):
        grid = {"learning_rate_init": [0.01, 1e200], "solver": ["sgd"], "activation": ["identity"]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind(MLPRegressor(**NET), grid, cv=3).fit(X, Z)

    ref, comp = diverged(model_selection.GridSearchCV), diverged(GridSearchCV)
    assert np.isnan(ref.cv_results_["mean_test_score"]).tolist() == [False, True]
    compare(ref, comp)
    assert comp.shared_ == 1


def test_scores_that_fail():
    def fails(model, X, y):
        raise ValueError("no score")

    def scored(kind, scoring):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = kind(SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, cv=3, scoring=scoring, refit=False)
            found.fit(X, Y)
        return found, sorted(each.category.__name__ for each in told)

    for scoring in (fails, {"one": fails, "two": "accuracy"}):
        (ref, ref_told), (comp, comp_told) = (
            scored(model_selection.GridSearchCV, scoring),
            scored(GridSearchCV, scoring),
        )
        compare(ref, comp)
        assert ref_told == comp_told
    with pytest.raises(ValueError, match="no score"):
        GridSearchCV(SGDClassifier(**SGD), {"alpha": [1.0]}, scoring=fails, error_score="raise", cv=3).fit(X, Y)
    with pytest.raises(ValueError, match="scoring must return a number"):
        GridSearchCV(SGDClassifier(**SGD), {"alpha": [1.0]}, scoring=lambda *rest: "x", cv=3).fit(X, Y)


class Ours(SGDClassifier):
    """A subclass, which may have changed anything."""


ASIDE = {
    "an estimator of scikit-learn's": (linear_model.SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, {}),
    "a subclass": (Ours(**SGD), {"alpha": [1e-4, 1e-2]}, {}),
    "a pipeline with a memory": (
        make_pipeline(StandardScaler(), SGDClassifier(**SGD), memory="memory"),
        {"sgdclassifier__alpha": [1e-4, 1e-2]},
        {},
    ),
    "scikit-learn's own steps": (MLPClassifier(engine="exact", **NET), RATES, {}),
}


@pytest.mark.parametrize("case", ASIDE)
def test_what_it_leaves_to_scikit_learn(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    estimator, grid, options = ASIDE[case]
    assert both(estimator, grid, X, Y, **options).shared_ == 0


def test_candidates_of_two_kinds():
    model = make_pipeline(StandardScaler(), SGDClassifier(**SGD))
    grid = {"sgdclassifier": [SGDClassifier(**SGD), linear_model.SGDClassifier(**SGD), MLPClassifier(**NET)]}
    assert both(model, grid, X, Y).shared_ == 2


def test_messages_are_scikit_learns(capsys):
    for verbose in (1, 3):
        said = []
        for kind in (model_selection.GridSearchCV, GridSearchCV):
            kind(SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, cv=3, verbose=verbose).fit(X, Y)
            said.append(
                [line.partition("total time")[0].replace(".", "") for line in capsys.readouterr().out.splitlines()]
            )
        assert said[0] == said[1]
        assert said[0]


def test_it_steps_aside_if_metadata_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = SGDClassifier(**SGD).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=3).fit(X, Y, sample_weight=WEIGHT)
    assert found.shared_ == 0


def test_callbacks_are_told():
    callback = pytest.importorskip("sklearn.callback")
    search = GridSearchCV(SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, cv=3, refit=False)
    search.set_callbacks(callback.ProgressBar())
    search.fit(X, Y)
    assert search.shared_ == 0


def test_threads_have_the_callers_options():
    """What `config_context` says holds in every thread."""
    seen = []

    def noted(X):
        seen.append(sklearn.get_config()["assume_finite"])
        return X

    model = in_a_pipeline(SGDClassifier(**SGD), FunctionTransformer(noted))
    with sklearn.config_context(assume_finite=True):
        GridSearchCV(model, {"sgdclassifier__alpha": [1e-4, 1e-2]}, cv=3, n_jobs=2, refit=False).fit(X, Y)
    assert seen
    assert all(seen)


def test_without_the_place_where_fits_are_run_it_is_scikit_learns(monkeypatch):
    """Another version of scikit-learn may be built otherwise."""
    from tinynet_fast.sklearn import grid_search

    monkeypatch.setattr(grid_search, "PLACE", "another name")
    assert both(SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, X, Y).shared_ == 0


def test_ctrl_c_ends_the_search(monkeypatch):
    """A network swallows it when it is fitted alone; here it must end all threads."""
    from tinynet_fast.sklearn.mlp_batches import KernelBatches

    epoch, calls = KernelBatches.epoch, []

    def interrupted(self, order):
        calls.append(self)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return epoch(self, order)

    monkeypatch.setattr(KernelBatches, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(
            MLPClassifier(**{**NET, "max_iter": 5000, "tol": 0.0, "n_iter_no_change": 5000}), RATES, cv=3, n_jobs=2
        ).fit(X, Y)
    assert len(calls) < 1000
