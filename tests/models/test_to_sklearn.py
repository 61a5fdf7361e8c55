"""`to_sklearn`: a fitted estimator of scikit-learn's own that predicts as the model does."""

import pickle
import sys
from itertools import pairwise

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail

X = np.random.default_rng(1).standard_normal((300, 3))
NAMES = ["age", "height", "year"]


@pytest.fixture
def sklearn():
    return pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def neuron(labels=(0, 1), **options):
    return Neuron(weights=[1.0, -2.0, 0.5], bias=0.3, labels=np.array(labels), **options)


def network(labels, activation="tanh", hidden=(4, 3), **options):
    rng = np.random.default_rng(2)
    sizes = [3, *hidden, 1 if len(labels) == 2 else len(labels)]
    made = [rng.standard_normal(shape) for shape in pairwise(sizes)]
    biases = [rng.standard_normal(size) for size in sizes[1:]]
    return MLP(weights=made, biases=biases, activation=activation, labels=labels, **options)


MODELS = {
    "neuron": neuron(),
    "neuron, labels not sorted": neuron(["pass", "fail"]),
    "neuron, threshold": neuron(["no", "yes"], threshold=0.8),
    "neuron, threshold, labels not sorted": neuron([True, False], threshold=0.1),
    "neuron, numbers": neuron([-1.0, 2.0]),
    "network": network([0, 1]),
    "network, labels not sorted": network(["pass", "fail"], "relu", threshold=0.25),
    "network, logistic": network([3, 2, 1], "sigmoid"),
    "network, texts": network(["b", "a", "c", "ü"], "relu", (7,)),
    "network, no hidden layer": network([0, 1, 2], hidden=()),
    "network, one unit": network([0, 1], hidden=()),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_it_predicts_the_same(model, sklearn):
    comp = model.to_sklearn()
    assert comp.classes_.tolist() == sorted(model.labels.tolist())
    order = np.searchsorted(comp.classes_, model.labels)
    np.testing.assert_allclose(comp.predict_proba(X)[:, order], model.label_probabilities(X), rtol=0.0, atol=1e-14)
    assert comp.predict(X).tolist() == model.predict(X).tolist()
    assert comp.n_features_in_ == 3
    assert comp.score(X, model.predict(X)) == 1.0
    again = pickle.loads(pickle.dumps(comp))
    np.testing.assert_array_equal(again.predict_proba(X), comp.predict_proba(X))


def test_the_classes_are_scikit_learns(sklearn):
    found = [MODELS[name].to_sklearn() for name in ("neuron", "neuron, threshold", "network", "network, one unit")]
    kinds = ["SGDClassifier", "FixedThresholdClassifier", "MLPClassifier", "SGDClassifier"]
    assert [type(model).__name__ for model in found] == kinds
    assert all(type(model).__module__.startswith("sklearn.") for model in found)


@pytest.mark.filterwarnings("error")
def test_names_of_inputs_are_kept(sklearn):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    for model in (neuron(features=NAMES), neuron(features=NAMES, threshold=0.2), network([0, 1, 2], features=NAMES)):
        comp = model.to_sklearn()
        frame = pandas.DataFrame(X, columns=NAMES)
        assert comp.feature_names_in_.tolist() == NAMES
        assert comp.predict(frame).tolist() == model.predict(frame).tolist()
        with pytest.raises(ValueError, match="feature names should match"):
            comp.predict(frame[NAMES[::-1]])


def test_partial_fit_goes_on_at_the_same_rate(sklearn):
    """For a neuron with the very steps that training would take: 3 epochs and 2 of scikit-learn's are 5 epochs."""
    rows = make_pass_fail(200, 3, seed=2)
    labels = np.where(rows.y == 1, "pass", "fail")
    comp = train_neuron(rows.X, labels, epochs=3, learning_rate=0.03).model.to_sklearn().set_params(shuffle=False)
    for _ in range(2):
        comp.partial_fit(rows.X, labels)
    ref = train_neuron(rows.X, labels, epochs=5, learning_rate=0.03).model
    np.testing.assert_allclose(comp.coef_[0], ref.weights, rtol=1e-10)
    np.testing.assert_allclose(comp.intercept_, ref.bias, rtol=1e-10)


def test_partial_fit_goes_on_with_a_network(sklearn):
    rows = make_pass_fail(200, 3, seed=2)
    options = {"hidden": (4,), "activation": "tanh", "learning_rate": 0.03, "batch_size": 10, "seed": 1}
    labels = rows.y.astype(int)
    comp = train_mlp(rows.X, labels, epochs=3, **options).model.to_sklearn().set_params(shuffle=False, batch_size=10)
    comp.partial_fit(rows.X, labels)
    ref = train_mlp(rows.X, labels, epochs=4, **options).model
    for k in range(2):
        np.testing.assert_allclose(comp.coefs_[k], ref.weights[k], rtol=1e-10)
        np.testing.assert_allclose(comp.intercepts_[k], ref.biases[k], rtol=1e-10)
    assert comp.t_ == 200


def test_the_model_keeps_its_weights(sklearn):
    for model in (neuron(), network([0, 1, 2])):
        ref = model.predict_proba(X)
        comp = model.to_sklearn()
        comp.partial_fit(X, model.predict(X))
        np.testing.assert_array_equal(model.predict_proba(X), ref)
        assert np.abs(comp.predict_proba(X)[:, -1] - model.label_probabilities(X)[:, -1]).max() > 1e-5


def test_what_cannot_be_converted(sklearn, monkeypatch):
    for name in ("leaky_relu", "silu"):
        with pytest.raises(ValueError, match=f"scikit-learn has no activation '{name}': .* or use to_onnx"):
            network([0, 1], name).to_sklearn()
    with pytest.raises(ValueError, match=r"takes the labels .* for measurements: set"):
        neuron([0.5, 1.5]).to_sklearn()
    monkeypatch.setitem(sys.modules, "sklearn.frozen", None)
    with pytest.raises(ImportError, match=r"pip install 'tinynet-fast\[sklearn\]'"):
        neuron().to_sklearn()
