"""`to_sklearn` of an estimator: scikit-learn's own class with the same weights, which needs no tinynet_fast."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from samples import flat

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import linear_model, neural_network
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier, SGDRegressor
from tinynet_fast.sklearn.convert import to_sklearn

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])
SGD = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, shuffle=False, max_iter=5, tol=None)
MLP = MLPClassifier((5,), max_iter=5, random_state=0, shuffle=False)
MODELS = {
    "sgd": SGD,
    "sgd, averaged": clone(SGD).set_params(average=True),
    "sgd, optimal": clone(SGD).set_params(learning_rate="optimal"),
    "sgd, exact": clone(SGD).set_params(engine="exact", shuffle=True, penalty="elasticnet"),
    "sgd, exact, averaged": clone(SGD).set_params(engine="exact", learning_rate="optimal", average=100),
    "sgd, not averaged yet": clone(SGD).set_params(engine="exact", average=900, max_iter=2),
    "network": MLP,
    "network, sgd": clone(MLP).set_params(solver="sgd", learning_rate="adaptive", learning_rate_init=0.1),
}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def theirs_for(model):
    library = linear_model if isinstance(model, SGDClassifier) else neural_network
    return getattr(library, type(model).__name__)


@models
@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_predicts_the_same(model, n_classes):
    rows = n_classes > Y
    ref = clone(model).fit(X[rows], NAMES[Y[rows]])
    comp = to_sklearn(ref)
    assert type(comp) is theirs_for(model)
    np.testing.assert_allclose(comp.predict_proba(X), ref.predict_proba(X), rtol=0.0, atol=1e-14)
    assert comp.predict(X).tolist() == ref.predict(X).tolist()
    np.testing.assert_array_equal(flat(comp), flat(ref))
    options = comp.get_params()
    assert {name: options[name] for name in options if name in ref.get_params()} == {
        name: value for name, value in ref.get_params().items() if name in options
    }


@models
@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_goes_on_as_ours_does(model, n_classes):
    rows = n_classes > Y
    ref = clone(model).set_params(random_state=0).fit(X[rows], Y[rows])
    comp = to_sklearn(ref)
    for _ in range(3):
        ref.partial_fit(X[rows], Y[rows])
        comp.partial_fit(X[rows], Y[rows])
        if getattr(model, "engine", "") == "exact":
            np.testing.assert_array_equal(flat(comp), flat(ref))
        else:
            np.testing.assert_allclose(flat(comp), flat(ref), rtol=1e-9, atol=1e-9)
    assert comp.t_ == ref.t_


@pytest.mark.parametrize("average", [False, 10])
def test_regression(average):
    y = X @ [1.0, -2.0, 0.5, 0.0] + 3.0
    ref = SGDRegressor(average=average, random_state=0).fit(X, y)
    comp = to_sklearn(ref)
    assert type(comp) is linear_model.SGDRegressor
    for _ in range(3):
        np.testing.assert_array_equal(comp.predict(X), ref.predict(X))
        for model in (comp, ref):
            model.partial_fit(X, y)


@models
def test_it_has_the_attributes_of_scikit_learns(model):
    comp = to_sklearn(clone(model).set_params(random_state=0).fit(X, Y))
    ref = theirs_for(model)(**comp.get_params()).fit(X, Y)
    public = {name for name in vars(ref) if not name.startswith("_")}
    assert {name for name in vars(comp) if not name.startswith("_")} == public
    np.testing.assert_allclose(flat(comp.fit(X, Y)), flat(ref), rtol=1e-12)


@models
def test_it_is_a_copy(model):
    ref = clone(model).fit(X, Y)
    before = flat(ref).copy()
    to_sklearn(ref).partial_fit(X, Y)
    np.testing.assert_array_equal(flat(ref), before)


def test_they_are_unpickled_without_this_package(tmp_path):
    fitted = [clone(model).fit(X, Y) for model in MODELS.values()] + [SGDRegressor(average=True).fit(X, Y)]
    (tmp_path / "models.pickle").write_bytes(pickle.dumps([to_sklearn(model) for model in fitted]))
    code = (
        "import sys, pickle; sys.modules['tinynet_fast'] = None\n"
        "models = pickle.load(open('models.pickle', 'rb'))\n"
        f"print([model.predict({X[::30].tolist()}).tolist() for model in models])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == str([model.predict(X[::30]).tolist() for model in fitted])


def test_rates_that_were_found():
    ref = clone(SGD).set_params(learning_rate="auto").fit(X, Y)
    comp = to_sklearn(ref)
    assert (comp.learning_rate, comp.eta0) == ("constant", min(ref.eta0_))
    comp.partial_fit(X, Y)


def test_what_was_not_fitted():
    for model in (SGD, MLP):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            to_sklearn(clone(model))
