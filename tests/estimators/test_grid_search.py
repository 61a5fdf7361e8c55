"""Our searches give scikit-learn's results, whatever they share."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

import joblib
import sklearn
from sklearn import linear_model, model_selection, neural_network
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tinynet_fast.sklearn import (
    GridSearchCV,
    MLPClassifier,
    MLPRegressor,
    RandomizedSearchCV,
    SGDClassifier,
    SGDRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
THEIRS = {
    SGDClassifier: linear_model.SGDClassifier,
    SGDRegressor: linear_model.SGDRegressor,
    MLPClassifier: neural_network.MLPClassifier,
    MLPRegressor: neural_network.MLPRegressor,
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
Y = (X @ [1.0, -2.0, 0.5, 0.0] + RNG.normal(size=90) > 0.0).astype(int)
Z = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.normal(size=90)
THREE = np.array(["a", "b", "c"])[np.digitize(Z, [-1.0, 1.0])]
WEIGHT = RNG.uniform(0.5, 2.0, size=90)
GROUPS = np.arange(90) % 7
NET = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0, "batch_size": 16}
RATES = {"learning_rate_init": [0.001, 0.03, 0.01]}
SGD = {"max_iter": 20, "random_state": 0}
ALPHAS = {"alpha": [1e-4, 1e-2], "eta0": [0.01, 0.05]}
WITH_RATE = {**SGD, "learning_rate": "constant"}


def compare(ref, comp, close=0.0):
    """All results but the times; scores to `close`."""
    assert list(ref.cv_results_) == list(comp.cv_results_)
    for key, value in ref.cv_results_.items():
        if "_time" in key:
            assert (comp.cv_results_[key] >= 0.0).all()
        elif "test_" in key or "train_" in key:
            np.testing.assert_allclose(comp.cv_results_[key], value, rtol=0.0, atol=close, err_msg=key)
        else:
            np.testing.assert_equal(comp.cv_results_[key], value, key)
    for name in ("best_index_", "best_params_", "n_splits_", "multimetric_"):
        assert getattr(ref, name, None) == getattr(comp, name, None)
    assert vars(ref).keys() == vars(comp).keys() - {"shared_"}
    if hasattr(ref, "best_score_"):
        assert comp.best_score_ == pytest.approx(ref.best_score_, rel=0.0, abs=close, nan_ok=True)


def both(estimator, grid, *rows, fit=None, **options):
    """scikit-learn's search and ours over the same estimator, which is one of ours."""
    searches = [
        kind(clone(estimator), grid, **{"cv": 3, **options}).fit(*rows, **(fit or {}))
        for kind in (model_selection.GridSearchCV, GridSearchCV)
    ]
    compare(*searches)
    return searches[1]


def in_a_pipeline(model, *before):
    return make_pipeline(*(before or (StandardScaler(),)), model)


def prefixed(name, grid):
    return {f"{name}__{key}": values for key, values in grid.items()}


SAME = {
    "SGDClassifier": (SGDClassifier(**WITH_RATE), ALPHAS, Y, {}),
    "SGDClassifier, three classes": (SGDClassifier(loss="log_loss", **SGD), {"alpha": [1e-4, 1e-2]}, THREE, {}),
    "SGDClassifier, exact": (SGDClassifier(engine="exact", **SGD), {"alpha": [1e-4, 1e-2]}, Y, {}),
    "SGDClassifier, losses": (SGDClassifier(**SGD), {"loss": ["hinge", "log_loss", "perceptron"]}, Y, {}),
    "SGDRegressor": (SGDRegressor(**SGD), {"alpha": [1e-4, 1e-2], "penalty": ["l1", "l2"]}, Z, {}),
    "MLPClassifier": (MLPClassifier(**NET), RATES, Y, {}),
    "MLPClassifier, three classes": (MLPClassifier(**NET), RATES, THREE, {"return_train_score": True}),
    "MLPClassifier, shapes and seeds": (
        MLPClassifier(**NET),
        [{"hidden_layer_sizes": [(3,), (4, 2)], "random_state": [1, 2]}, {"alpha": [0.0, 1.0]}],
        Y,
        {},
    ),
    "MLPClassifier, solvers": (MLPClassifier(**NET), {"solver": ["adam", "sgd", "lbfgs"]}, Y, {}),
    "MLPClassifier, early stopping": (MLPClassifier(early_stopping=True, **NET), RATES, Y, {}),
    "MLPClassifier, no shuffle": (MLPClassifier(shuffle=False, **NET), RATES, Y, {}),
    "MLPRegressor": (MLPRegressor(**NET), RATES, Z, {"scoring": ["r2", "neg_mean_absolute_error"], "refit": "r2"}),
    "several numbers": (MLPRegressor(**NET), RATES, np.column_stack([Z, X[:, 0]]), {}),
    "train scores": (SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, Y, {"return_train_score": True}),
    "a scorer by name": (SGDClassifier(loss="log_loss", **SGD), {"alpha": [1e-4, 1e-2]}, Y, {"scoring": "roc_auc"}),
    "a scorer of ours": (MLPRegressor(**NET), RATES, Z, {"scoring": make_scorer(mean_absolute_error)}),
    "a function": (MLPRegressor(**NET), RATES, Z, {"scoring": lambda model, X, y: -np.ptp(model.predict(X) - y)}),
    "a function with several scores": (
        MLPRegressor(**NET),
        RATES,
        Z,
        {"scoring": lambda model, X, y: {"a": model.score(X, y), "b": 1.0}, "refit": "a"},
    ),
    "several scorers": (
        SGDClassifier(loss="log_loss", **SGD),
        {"alpha": [1e-4, 1e-2]},
        Y,
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss", "return_train_score": True},
    ),
    "no refit": (SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, Y, {"refit": False}),
    "a function chooses": (SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, Y, {"refit": lambda results: 1}),
    "an iterable of folds": (
        SGDClassifier(**SGD),
        {"alpha": [1e-4, 1e-2]},
        Y,
        {"cv": list(KFold(4, shuffle=True, random_state=3).split(X))},
    ),
    "random folds": (SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, Y, {"cv": ShuffleSplit(4, random_state=3)}),
    "a pipeline": (in_a_pipeline(SGDClassifier(**SGD)), {"sgdclassifier__alpha": [1e-4, 1e-2]}, Y, {}),
    "a pipeline of a network": (in_a_pipeline(MLPClassifier(**NET)), prefixed("mlpclassifier", RATES), Y, {}),
    "a pipeline whose steps change": (
        in_a_pipeline(SGDClassifier(**SGD)),
        {"standardscaler__with_mean": [True, False], "sgdclassifier__alpha": [1e-4, 1e-2]},
        Y,
        {"return_train_score": True},
    ),
    "a pipeline whose steps are replaced": (
        in_a_pipeline(SGDClassifier(**SGD)),
        {"standardscaler": ["passthrough", StandardScaler(), PCA(2)], "sgdclassifier__alpha": [1e-4, 1e-2]},
        Y,
        {},
    ),
    "a pipeline and a function": (
        in_a_pipeline(SGDClassifier(**SGD)),
        {"sgdclassifier__alpha": [1e-4, 1e-2]},
        Y,
        {"scoring": lambda model, X, y: model.score(X, y) + model[0].mean_[0], "return_train_score": True},
    ),
    "a pipeline of one step": (make_pipeline(SGDClassifier(**SGD)), {"sgdclassifier__alpha": [1e-4, 1e-2]}, Y, {}),
}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("case", SAME)
def test_the_results_are_scikit_learns(case, n_jobs):
    """Over the same estimator, bit for bit; `n_jobs` changes nothing. All candidates share."""
    estimator, grid, y, options = SAME[case]
    ref = model_selection.GridSearchCV(clone(estimator), grid, **{"cv": 3, **options}).fit(X, y)
    comp = GridSearchCV(clone(estimator), grid, n_jobs=n_jobs, **{"cv": 3, **options}).fit(X, y)
    compare(ref, comp)
    assert comp.shared_ == len(comp.cv_results_["params"])
    if comp.refit:
        assert (comp.predict(X) == ref.predict(X)).all()


@pytest.mark.parametrize("kind", THEIRS, ids=lambda kind: kind.__name__)
def test_the_results_are_those_of_their_estimators(kind):
    network = issubclass(kind, (MLPClassifier, MLPRegressor))
    options, grid = (NET, RATES) if network else (WITH_RATE, ALPHAS)
    y = Z if "Regressor" in kind.__name__ else Y
    ref = model_selection.GridSearchCV(THEIRS[kind](**options), grid, cv=4).fit(X, y)
    comp = GridSearchCV(kind(**options), grid, cv=4).fit(X, y)
    compare(ref, comp, 1e-8)


def test_it_is_scikit_learns_search():
    search = GridSearchCV(SGDClassifier(**SGD), {"alpha": [1e-4, 1e-2]}, cv=3)
    assert isinstance(search, model_selection.GridSearchCV)
    assert search.get_params().keys() == model_selection.GridSearchCV(search.estimator, {}).get_params().keys()
    assert repr(clone(search)) == repr(search)
    found = search.fit(X, Y)
    loaded = pickle.loads(pickle.dumps(found))
    assert (loaded.predict(X) == found.predict(X)).all()
    assert loaded.shared_ == 2
    assert found.score(X, Y) == loaded.score(X, Y)


def test_a_randomized_search_too():
    searches = [
        kind(SGDClassifier(**SGD), {"alpha": np.logspace(-5, 0, 20)}, n_iter=5, random_state=1, cv=3).fit(X, Y)
        for kind in (model_selection.RandomizedSearchCV, RandomizedSearchCV)
    ]
    compare(*searches)
    assert searches[1].shared_ == 5


@pytest.mark.parametrize("engine", ["fast", "exact", "strict"])
def test_sample_weights_and_groups(engine):
    model = SGDClassifier(loss="log_loss", engine=engine, **SGD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = both(
            model, {"alpha": [1e-4, 1e-2]}, X, Y, fit={"sample_weight": WEIGHT, "groups": GROUPS}, cv=GroupKFold(3)
        )
        assert found.shared_ == 2
        scores = found.cv_results_["split0_test_score"]
        without = both(model, {"alpha": [1e-4, 1e-2]}, X, Y, fit={"groups": GROUPS}, cv=GroupKFold(3))
        assert (without.cv_results_["split0_test_score"] != scores).any()


def test_sample_weights_of_a_network_and_in_a_pipeline():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert both(MLPClassifier(**NET), RATES, X, Y, fit={"sample_weight": WEIGHT}).shared_ == 3
        model, grid = in_a_pipeline(SGDClassifier(**SGD)), {"sgdclassifier__alpha": [1e-4, 1e-2]}
        weights = {"sgdclassifier__sample_weight": WEIGHT, "standardscaler__sample_weight": WEIGHT**2}
        assert both(model, grid, X, Y, fit=weights).shared_ == 2


def test_frames_lists_and_sparse_rows():
    pandas, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = SGDClassifier(**SGD)
    found = both(model, {"alpha": [1e-4, 1e-2]}, frame, pandas.Series(Y))
    assert found.feature_names_in_.tolist() == list("abcd")
    assert both(model, {"alpha": [1e-4, 1e-2]}, X.tolist(), Y.tolist()).shared_ == 2
    assert both(model, {"alpha": [1e-4, 1e-2]}, sparse.csr_array(X), Y).shared_ == 2
    assert both(MLPClassifier(**NET), RATES, frame, pandas.Series(THREE)).shared_ == 3
    # a network of sparse rows is trained as ever
    assert both(MLPClassifier(**NET), RATES, sparse.csr_array(X), Y).shared_ == 0
    assert both(MLPClassifier(**NET), RATES, X.astype(np.float32), Y).shared_ == 0


def test_a_column_of_labels_warns_as_often():
    """Each fit warns, though the labels are checked once."""

    def warned(kind):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            kind(MLPClassifier(**NET), RATES, cv=3).fit(X, Y[:, np.newaxis])
        return sorted((each.category.__name__, str(each.message)) for each in told)

    ref, comp = warned(model_selection.GridSearchCV), warned(GridSearchCV)
    assert comp == ref
    assert len(comp) > 9  # ConvergenceWarning is among them


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
    try:
        search.fit(X, Y)
    except ImportError:
        pytest.skip("the progress bar needs rich")
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
