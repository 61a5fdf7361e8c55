"""`to_onnx` and `to_sklearn` of models that predict numbers, counts, margins, or labels one against the rest."""

from itertools import pairwise

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron

X = np.random.default_rng(1).standard_normal((300, 3))
KINDS = {np.float32: 1e-6, np.float64: 1e-12}


def neuron(outputs=1, **options):
    rng = np.random.default_rng(outputs)
    w, b = rng.standard_normal((3, outputs)), rng.standard_normal(outputs)
    return Neuron(weights=w[:, 0] if outputs == 1 else w, bias=b[0] if outputs == 1 else b, **options)


def network(outputs=1, activation="tanh", hidden=(4, 3), **options):
    rng = np.random.default_rng(outputs)
    sizes = [3, *hidden, outputs]
    made = [rng.standard_normal(shape) for shape in pairwise(sizes)]
    biases = [rng.standard_normal(size) for size in sizes[1:]]
    return MLP(weights=made, biases=biases, activation=activation, **options)


NUMBERS = {
    "neuron": neuron(output="linear"),
    "neuron, two targets": neuron(2, output="linear", targets=["a", "b"]),
    "neuron, counts": neuron(output="exp"),
    "network": network(output="linear"),
    "network, identity": network(output="linear", activation="identity"),
    "network, two targets": network(2, output="linear"),
    "network, counts": network(2, "relu", output="exp"),
    "network, no hidden layer": network(2, hidden=(), output="linear"),
}
LABELS = {
    "neuron, margin": neuron(output="margin", labels=["no", "yes"]),
    "neuron, three margins": neuron(3, output="margin", labels=["b", "a", "c"]),
    "neuron, one against the rest": neuron(3, output="one_vs_rest", labels=[5, 3, 4]),
    "neuron, softmax": neuron(3, output="softmax", labels=[5, 3, 4]),
    "network, margin": network(output="margin", labels=[False, True]),
}


@pytest.fixture
def session_of():
    """Makes a session of onnxruntime from a model."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return lambda model: runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("dtype", KINDS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("model", NUMBERS.values(), ids=NUMBERS)
def test_onnxruntime_predicts_the_same_numbers(model, dtype, session_of):
    session, rows = session_of(model.to_onnx(dtype=dtype)), X.astype(dtype)
    assert [output.name for output in session.get_outputs()] == ["prediction"]
    (found,) = session.run(None, {"X": rows})
    ref = model.predict(rows)
    assert (found.dtype, found.shape) == (dtype, ref.shape)
    np.testing.assert_allclose(found, ref, rtol=0.0, atol=KINDS[dtype] * np.abs(ref).max())


@pytest.mark.parametrize("dtype", KINDS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("model", LABELS.values(), ids=LABELS)
def test_onnxruntime_predicts_the_same_labels(model, dtype, session_of):
    session, rows = session_of(model.to_onnx(dtype=dtype)), X.astype(dtype)
    name = "margins" if model.output == "margin" else "probabilities"
    labels, found = session.run(["label", name], {"X": rows})
    ref = model.decision_function(rows) if model.output == "margin" else model.label_probabilities(rows)
    assert found.shape == ref.shape
    np.testing.assert_allclose(found, ref, rtol=0.0, atol=KINDS[dtype] * np.abs(ref).max())
    assert labels.tolist() == model.predict(rows).tolist()


def test_no_label_is_likely(session_of):
    """All sigmoids are 0: each label gets the same share, as in the model."""
    model = Neuron(weights=np.ones((1, 3)), bias=np.zeros(3), output="one_vs_rest", labels=[0, 1, 2])
    found = session_of(model.to_onnx(dtype="float64")).run(["probabilities"], {"X": np.array([[-1e6]])})[0]
    np.testing.assert_allclose(found, 1 / 3)


@pytest.mark.parametrize("model", (NUMBERS | LABELS).values(), ids=NUMBERS | LABELS)
def test_scikit_learns_estimators_predict_the_same(model):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    if isinstance(model, MLP) and model.output == "margin":
        with pytest.raises(ValueError, match=r"no network that learns by loss='hinge': use to_onnx"):
            model.to_sklearn()
        return
    comp = model.to_sklearn()
    if model.numbers:
        np.testing.assert_allclose(comp.predict(X), model.predict(X), rtol=1e-12, atol=1e-12)
        comp.partial_fit(X, np.abs(model.predict(X)))
    else:
        assert comp.predict(X).tolist() == model.predict(X).tolist()
        comp.partial_fit(X, model.predict(X))


def test_the_estimators_are_scikit_learns():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    kinds = {name: type(model.to_sklearn()).__name__ for name, model in NUMBERS.items()}
    assert kinds["neuron"] == "SGDRegressor"
    assert set(kinds.values()) == {"SGDRegressor", "MLPRegressor"}
    assert NUMBERS["network, counts"].to_sklearn().loss == "poisson"


def test_outputs_that_networks_do_not_have():
    with pytest.raises(ValueError, match="use 'softmax', or a Neuron"):
        network(3, output="one_vs_rest", labels=[0, 1, 2])
    with pytest.raises(ValueError, match="use 'softmax', or a Neuron"):
        network(3, output="margin", labels=[0, 1, 2])
