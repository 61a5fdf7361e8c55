"""Both estimators in scikit-learn's own tools: its checks, pipelines, searches, calibration, frames."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from compare import distance

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from joblib import Parallel, delayed, parallel_config
from sklearn import linear_model, neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier

ESTIMATORS = [
    SGDClassifier(loss="log_loss", max_iter=5),
    SGDClassifier(loss="log_loss", max_iter=5, engine="strict"),
    MLPClassifier(max_iter=100),
    MLPClassifier(max_iter=100, engine="strict"),
]


def not_for_sgd(estimator):
    """A row of weight 2 is one step twice as long, not two steps: so in every SGD a row at a time, scikit-learn's too,
    whose own estimator is listed with the same words."""
    if isinstance(estimator, SGDClassifier):
        words = "sample_weight is not equivalent to removing/repeating samples."
        return {f"check_sample_weight_equivalence_on_{kind}_data": words for kind in ("dense", "sparse")}
    return {}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=not_for_sgd)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


X, Y = make_classification(300, 6, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
MODELS = [
    SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, max_iter=20, tol=None, random_state=0),
    MLPClassifier((5,), learning_rate_init=0.02, max_iter=20, tol=1e3, random_state=0),  # tol: stops after 11 epochs
]
models = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def weights(model):
    parts = [model.coef_, model.intercept_] if hasattr(model, "coef_") else [*model.coefs_, *model.intercepts_]
    return np.concatenate([np.ravel(part) for part in parts])


@models
def test_copies(model):
    """A clone has the options but not the weights; a pickle has both, and goes on as the original does."""
    assert clone(model).get_params() == model.get_params()
    assert clone(model).set_params(engine="strict").engine == "strict"
    ref = clone(model).fit(X, Y)
    assert not hasattr(clone(ref), "classes_")
    comp = pickle.loads(pickle.dumps(ref))
    np.testing.assert_array_equal(comp.predict_proba(X), ref.predict_proba(X))
    np.testing.assert_array_equal(weights(comp.partial_fit(X, Y)), weights(ref.partial_fit(X, Y)))


@models
def test_pipelines_searches_and_calibration(model):
    ref = clone(model).fit(StandardScaler().fit_transform(X), Y)
    comp = make_pipeline(StandardScaler(), clone(model)).fit(X, Y)
    np.testing.assert_array_equal(weights(comp[-1]), weights(ref))
    search = GridSearchCV(comp, {f"{comp.steps[-1][0]}__alpha": [1e-4, 1e3]}, cv=3).fit(X, Y)
    assert list(search.best_params_.values()) == [1e-4]
    calibrated = CalibratedClassifierCV(clone(model), cv=3).fit(X, Y)
    assert calibrated.score(X, Y) > 0.6
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    assert cross_val_predict(clone(model), X, Y, method="predict_log_proba", cv=3).shape == (300, 3)


def fitted_weights(model):
    return weights(clone(model).fit(X, Y))


@models
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblib(model, backend):
    """Threads and processes give the same bits."""
    ref = fitted_weights(model)
    with parallel_config(backend=backend, n_jobs=2):
        for comp in Parallel()(delayed(fitted_weights)(model) for _ in range(4)):
            np.testing.assert_array_equal(comp, ref)


FIRST = """
import numpy as np
from tinynet_fast.sklearn import SGDClassifier
X, y = np.random.default_rng(0).standard_normal((3000, 7)), np.arange(3000) % 8
SGDClassifier(loss="log_loss", n_jobs=8, penalty="l1", learning_rate="constant", max_iter=2, tol=None).fit(X, y)
"""


def test_threads_that_are_the_first_to_compile(tmp_path):
    """The cache is empty, and eight threads need the same kernels."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", FIRST], check=True, env=environment, timeout=120)


def test_classes_side_by_side():
    for penalty in ("l2", "l1"):
        ref, comp = (clone(MODELS[0]).set_params(n_jobs=n, penalty=penalty).fit(X, Y) for n in (None, 2))
        np.testing.assert_array_equal(weights(comp), weights(ref))


@models
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames(model, library):
    """A frame gives the weights of its array; its names are kept, and other names are refused."""
    frames, names = pytest.importorskip(library), [f"column {j}" for j in range(6)]
    make = frames.table if library == "pyarrow" else frames.DataFrame
    frame = make({name: X[:, j] for j, name in enumerate(names)})
    labels = np.array(["a", "b", "c"])[Y]
    ref, comp = clone(model).fit(X, labels), clone(model).fit(frame, labels)
    known = hasattr(StandardScaler().fit(frame), "feature_names_in_")  # older versions do not see every frame's names
    assert comp.feature_names_in_.tolist() == names if known else not hasattr(comp, "feature_names_in_")
    np.testing.assert_array_equal(weights(comp), weights(ref))
    np.testing.assert_array_equal(comp.predict(frame), ref.predict(X))
    np.testing.assert_array_equal(comp.predict_proba(frame), ref.predict_proba(X))
    if known:
        with pytest.raises(ValueError, match="feature names should match"):
            comp.predict_proba(make({name.upper(): X[:, j] for j, name in enumerate(names)}))


@models
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_names_follow_scikit_learns_rule(model, library):
    """Every method needs the same names in the same order, and raises otherwise."""
    frames = pytest.importorskip(library)
    make = frames.table if library == "pyarrow" else frames.DataFrame
    frame = make({name: X[:, j] for j, name in enumerate("abcdef")})
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip("this version of scikit-learn does not see the names")
    fitted = clone(model).fit(frame, Y)
    for other in ({name: X[:, j] for j, name in enumerate("bacdef")}, dict.fromkeys("abcdez", X[:, 0])):
        for use in (
            fitted.predict,
            fitted.predict_proba,
            lambda rows: fitted.score(rows, Y),
            lambda rows: clone(fitted).fit(frame, Y).partial_fit(rows, Y),
            lambda rows: clone(fitted).fit(frame, Y, X_val=rows, y_val=Y),
        ):
            with pytest.raises(ValueError, match="feature names should match"):
                use(make(other))


def test_labels_in_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X).assign(result=np.array(["a", "b", "c"])[Y])
    for model in MODELS:
        comp = clone(model).fit(frame[[0, 1]].to_numpy(), frame["result"])
        ref = clone(model).fit(X[:, :2], frame["result"].to_numpy())
        assert comp.classes_.tolist() == ["a", "b", "c"]
        assert distance(weights(comp), weights(ref)) == 0.0


def test_without_scikit_learn():
    """Without scikit-learn there is one sentence with the remedy, and the rest of the package works."""
    code = "import sys; sys.modules['sklearn'] = None; import tinynet_fast; import tinynet_fast.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: tinynet_fast.sklearn needs scikit-learn 1.8 or newer: pip install" in done.stderr


def intervals(allowed):
    return [str(part) for part in allowed if isinstance(part, Interval)]


def test_options_may_have_the_values_that_scikit_learn_allows():
    """All but what is not offered here, and what is here alone."""
    own = {"engine"}, {"engine", "class_weight"}
    peers = linear_model.SGDClassifier, neural_network.MLPClassifier
    for ours, theirs, other in zip((SGDClassifier, MLPClassifier), peers, own, strict=True):
        for name in ours._parameter_constraints.keys() - other:
            comp, ref = (intervals(kind._parameter_constraints[name]) for kind in (ours, theirs))
            assert comp == ref, name
    for option in ({"average": -1}, {"average": 0}, {"engine": "numpy"}, {"learning_rate": "pa3"}, {"loss": "huge"}):
        with pytest.raises(ValueError, match=f"The '{next(iter(option))}' parameter"):
            SGDClassifier(**({"loss": "log_loss"} | option)).fit([[1.0], [2.0]], [0, 1])
    for option, same in (({"power_t": 0}, {"learning_rate": "constant"}), ({"average": 1}, {"average": True})):
        comp, ref = (
            SGDClassifier(loss="log_loss", learning_rate="invscaling", shuffle=False).set_params(**o)
            for o in (option, same)
        )
        assert distance(weights(comp.fit(X, Y)), weights(ref.fit(X, Y))) == 0.0
