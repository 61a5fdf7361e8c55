"""skl2onnx converts the estimators, and onnxruntime gives their labels and probabilities."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier, SGDRegressor

DATA = {load.__name__: load(return_X_y=True) for load in (load_breast_cancer, load_iris, load_wine, load_digits)}
PRECISION = {np.float32: 1e-6, np.float64: 1e-12}
dtypes = pytest.mark.parametrize("dtype", PRECISION, ids=lambda dtype: dtype.__name__)
datasets = pytest.mark.parametrize("data", DATA)

SGD = SGDClassifier(loss="log_loss", max_iter=20, tol=None, random_state=0)
SMALL_STEPS = clone(SGD).set_params(learning_rate="constant", eta0=0.01)
MLP = MLPClassifier((8,), max_iter=20, tol=0.0, learning_rate_init=0.01, random_state=0)
MODELS = {
    "sgd": SMALL_STEPS,
    "sgd, averaged": clone(SMALL_STEPS).set_params(average=True, penalty="l1"),
    "sgd, auto": clone(SGD).set_params(learning_rate="auto"),
    "network": MLP,
    "network, two layers": clone(MLP).set_params(hidden_layer_sizes=(5, 4), activation="tanh"),
    "network, logistic": clone(MLP).set_params(activation="logistic", solver="sgd", learning_rate_init=0.1),
}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def converted():
    """Makes a function from a fitted model: rows to labels and probabilities, by onnxruntime."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    import tinynet_fast.sklearn.onnx  # noqa: F401 - here, because it needs skl2onnx

    def converted(model, rows, **options):
        options = {"options": {"zipmap": False}} | options
        source = skl2onnx.to_onnx(model, rows[:1], **options).SerializeToString()
        session = runtime.InferenceSession(source, providers=["CPUExecutionProvider"])
        return lambda X: session.run(None, {session.get_inputs()[0].name: X})

    return converted


def assert_same(found, model, X, most):
    labels, probabilities = found
    with np.errstate(invalid="ignore"):  # scikit-learn 1.8 divides 0 by 0 if no class is likely; 1.9 and ONNX share 1
        ref = model.predict_proba(X)
    np.testing.assert_allclose(probabilities, np.nan_to_num(ref, nan=1.0 / ref.shape[1]), rtol=0.0, atol=most)
    assert labels.tolist() == model.predict(X).tolist()


@models
@datasets
@dtypes
def test_pipelines(model, data, dtype, converted):
    X, y = DATA[data]
    X = X.astype(dtype)
    model = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    assert_same(converted(model, X)(X), model, X, PRECISION[dtype])


@datasets
@dtypes
def test_raw_rows(data, dtype, converted):
    """With sums in the hundreds all probabilities of a row can be 0 or 1. The largest sum still gives the label."""
    X, y = DATA[data]
    model = clone(SGD).fit(X, y)
    X = X.astype(dtype)
    assert_same(converted(model, X)(X), model, X, PRECISION[dtype])
    assert np.abs(model.decision_function(X)).max() > 500


@datasets
@dtypes
@pytest.mark.parametrize("loss", ["hinge", "modified_huber", "squared_hinge", "perceptron", "huber"])
def test_losses(loss, data, dtype, converted):
    """Two losses have probabilities. For the others the second output has the sums, for two classes of both signs."""
    X, y = DATA[data]
    model = make_pipeline(StandardScaler(), clone(SGD).set_params(loss=loss)).fit(X, y)
    X = X.astype(dtype)
    labels, scores = converted(model, X)(X)
    assert labels.tolist() == model.predict(X).tolist()
    if loss == "modified_huber":
        ref, most = model.predict_proba(X), 20 * PRECISION[dtype]
    else:
        ref = model.decision_function(X)
        ref = np.column_stack([-ref, ref]) if ref.ndim == 1 else ref
        most = PRECISION[dtype] * np.abs(ref).max()
    np.testing.assert_allclose(scores, ref, rtol=0.0, atol=most)


@dtypes
@pytest.mark.parametrize("loss", ["squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"])
def test_regression(loss, dtype, converted):
    X, y = load_diabetes(return_X_y=True)
    for trained_on in (X, X.astype(np.float32)):
        model = make_pipeline(StandardScaler(), SGDRegressor(loss=loss, random_state=0)).fit(trained_on, y)
        rows = X.astype(dtype)
        (found,) = converted(model, rows, options=None)(rows)
        ref = model.predict(rows)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.ravel(), ref, rtol=0.0, atol=PRECISION[dtype] * np.abs(ref).max())


@models
def test_rows_may_have_another_type_than_in_training(model, converted):
    X, y = load_breast_cancer(return_X_y=True)
    model = clone(model).fit(StandardScaler().fit_transform(X).astype(np.float32), y)
    X = StandardScaler().fit_transform(X)
    assert_same(converted(model, X)(X), model, X, 1e-12 if next(iter(weights(model))).dtype == np.float64 else 1e-6)
    whole = np.round(10 * X).astype(np.int64)
    assert_same(converted(model, whole)(whole), model, whole, 1e-5)


def weights(model):
    return [model.coef_] if hasattr(model, "coef_") else model.coefs_


@models
@pytest.mark.parametrize("labels", [["no", "ja"], ["c", "a", "ü"], [7, -2, 3], [True, False]], ids=str)
def test_labels(model, labels, converted):
    X, y = load_iris(return_X_y=True)
    rows = y < len(labels)
    X, y = StandardScaler().fit_transform(X[rows]), np.array(labels)[y[rows]]
    model = clone(model).fit(X, y)
    assert_same(converted(model, X)(X), model, X, 1e-12)


@models
def test_options_of_skl2onnx(model, converted):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    model = clone(model).fit(X, np.array(["a", "b", "c"])[y])
    labels, rows = converted(model, X, options=None)(X)
    assert labels.tolist() == model.predict(X).tolist()
    ref = model.predict_proba(X)
    np.testing.assert_allclose([[row[name] for name in "abc"] for row in rows], ref, rtol=0.0, atol=1e-6)
    options = {"zipmap": False, "output_class_labels": True}
    assert converted(model, X, options=options)(X)[2].tolist() == ["a", "b", "c"]
    if isinstance(model, SGDClassifier):
        options = {"zipmap": False, "raw_scores": True}
        labels, sums = converted(model, X, options=options)(X)
        np.testing.assert_allclose(sums, model.decision_function(X), rtol=1e-5, atol=1e-5)
        assert labels.tolist() == model.predict(X).tolist()


@models
def test_inside_other_estimators(model, converted):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    voting = VotingClassifier(
        [("ours", clone(model)), ("theirs", LogisticRegression())], voting="soft", flatten_transform=False
    )
    for whole in (voting, CalibratedClassifierCV(clone(model), cv=3)):
        whole.fit(X, y)
        assert_same(converted(whole, X)(X), whole, X, 1e-6)


def ended(code):
    """What a Python process prints that runs `code` to its end."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def without_skl2onnx():
    """What a process prints that imports the estimators, and then our converters as if skl2onnx were not installed."""
    return ended("""
import sys, tinynet_fast.sklearn
print({"onnx", "skl2onnx"} & set(sys.modules))
sys.modules["skl2onnx"] = None
try:
    import tinynet_fast.sklearn.onnx
except ImportError as error:
    print(error)
""").splitlines()


def test_importing_the_estimators_imports_no_onnx():
    assert without_skl2onnx()[0] == "set()"


def test_without_skl2onnx():
    assert without_skl2onnx()[1:] == ["tinynet_fast.sklearn.onnx needs skl2onnx: pip install skl2onnx"]


CONVERT = """
import skl2onnx
from sklearn.datasets import load_iris
from tinynet_fast.sklearn import MLPClassifier, SGDClassifier

X, y = load_iris(return_X_y=True)
models = [model.fit(X, y) for model in (SGDClassifier(), MLPClassifier(max_iter=300))]


def convert(model):
    skl2onnx.to_onnx(model, X[:1])

"""


def test_skl2onnx_may_be_imported_before():
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    ended(CONVERT + "for model in models: convert(model)")


def test_if_skl2onnx_is_imported_afterwards_the_remedy_works():
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    remedy = "import tinynet_fast.sklearn.onnx"
    printed = ended(f"""
import tinynet_fast.sklearn
{CONVERT}
for model in models:
    try:
        convert(model)
    except RuntimeError as error:
        print(error)
{remedy}
for model in models:
    convert(model)
""").splitlines()
    assert len(printed) == 2  # an error for each model
    for error in printed:
        assert error.startswith("skl2onnx was imported after tinynet_fast.sklearn")
        assert f"add '{remedy}' before the conversion" in error
