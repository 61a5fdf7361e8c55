"""Our searches give scikit-learn's results, whatever they share."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

from searches import (
    ALPHAS,
    GROUPS,
    NET,
    RATES,
    SGD,
    THEIRS,
    THREE,
    WEIGHT,
    WITH_RATE,
    X,
    Y,
    Z,
    both,
    compare,
    in_a_pipeline,
    prefixed,
)
from sklearn import model_selection
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import (
    GridSearchCV,
    MLPClassifier,
    MLPRegressor,
    RandomizedSearchCV,
    SGDClassifier,
    SGDRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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
