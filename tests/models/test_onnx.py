"""`to_onnx`: onnxruntime gives the labels and probabilities of the model."""

import json
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, train, train_neuron
from tinynet_fast.models.layers import ACTIVATIONS

FEATURES = ["age", "höhe", 'c "quoted"', "year"]
KINDS = {np.float32: 1e-6, np.float64: 1e-12}


def rows(dtype, n=400):
    """Inputs of very different sizes; the last one has a large mean, as years have."""
    X = np.random.default_rng(1).standard_normal((n, 4)) * [1.0, 30.0, 1e-3, 8.0] + [0.0, 100.0, 0.0, 2000.0]
    return X.astype(dtype)


def weights(n_outputs, seed=0):
    """Weights and a bias for such inputs, with sums of ordinary size."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((4, n_outputs)) / np.array([1.0, 30.0, 1e-3, 8.0])[:, np.newaxis]
    return w, rng.standard_normal(n_outputs) - np.array([0.0, 100.0, 0.0, 2000.0]) @ w


def network(labels, activation="tanh", hidden=(5, 3), **options):
    rng = np.random.default_rng(2)
    first, bias = weights(hidden[0])
    sizes = [*hidden, 1 if len(labels) == 2 else len(labels)]
    later = [rng.standard_normal(shape) for shape in pairwise(sizes)]
    biases = [bias, *(rng.standard_normal(size) for size in sizes[1:])]
    return MLP(weights=[first, *later], biases=biases, activation=activation, labels=labels, **options)


def neuron(labels=(0, 1), **options):
    w, bias = weights(1)
    return Neuron(weights=w[:, 0], bias=bias[0], labels=np.array(labels), **options)


MODELS = {
    "neuron": neuron(),
    "neuron, texts": neuron(["pass", "fail"], threshold=0.3, features=FEATURES),
    "neuron, bool": neuron([True, False]),
    "neuron, other numbers": neuron([-1.5, 2.0]),
    "neuron, small types": neuron(np.array([7, 3], dtype=np.uint8)),
    "neuron, large numbers": neuron(np.array([1, 2**64 - 1], dtype=np.uint64)),
    "network, threshold": network(["no", "yes"], hidden=(3,), threshold=0.7),
    "network, three texts": network(["b", "a", "ü"]),
    "network, three numbers": network([5, -1, 2**40], hidden=(6,)),
    "network, no hidden layer": MLP(weights=[weights(3)[0]], biases=[weights(3)[1]], labels=[0, 1, 2]),
    **{f"network, {name}": network([0, 1], name) for name in ACTIVATIONS},
    **{f"network, {name}, three": network([0, 1, 2], name) for name in ACTIVATIONS},
}


def run(session, X):
    return session.run(["label", "probabilities"], {"X": X})


@pytest.fixture
def session_of():
    """Makes a session of onnxruntime from a graph or a path."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

    def session_of(model):
        source = model if isinstance(model, str) else model.SerializeToString()
        return runtime.InferenceSession(source, providers=["CPUExecutionProvider"])

    return session_of


@pytest.mark.parametrize("dtype", KINDS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_onnxruntime_predicts_the_same(model, dtype, session_of):
    X = rows(dtype)
    labels, probabilities = run(session_of(model.to_onnx(dtype=dtype)), X)
    ref = model.label_probabilities(X)
    assert 0.02 < ref.mean(axis=0).min() < 0.98  # the rows do not all look alike
    assert probabilities.dtype == dtype
    np.testing.assert_allclose(probabilities, ref, rtol=0.0, atol=KINDS[dtype])
    assert labels.tolist() == model.predict(X).tolist()
    assert run(session_of(model.to_onnx(dtype=dtype)), X[:1])[0].tolist() == model.predict(X[:1]).tolist()


def test_the_graph_means_the_same_to_onnx_itself():
    """The package onnx runs graphs too, slowly and by the standard."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx.reference import ReferenceEvaluator

    X = rows(np.float64, 20)
    for name in ("neuron, texts", "network, three texts", "network, silu", "network, leaky_relu, three"):
        model = MODELS[name]
        labels, probabilities = run(ReferenceEvaluator(model.to_onnx(dtype="float64")), X)
        np.testing.assert_allclose(probabilities, model.label_probabilities(X), rtol=0.0, atol=1e-12)
        assert labels.tolist() == model.predict(X).tolist()


def test_extreme_sums(session_of):
    session = session_of(Neuron(weights=[1.0]).to_onnx(dtype="float64"))
    labels, probabilities = run(session, np.array([[-1e6], [-800.0], [0.0], [800.0], [1e6]]))
    assert labels.tolist() == [0, 0, 1, 1, 1]
    assert probabilities[:, 1].tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_the_file_is_the_graph(tmp_path, session_of):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    model = MODELS["neuron, texts"]
    graph = model.to_onnx(tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == graph
    assert {prop.key: json.loads(prop.value) for prop in graph.metadata_props} == {"features": FEATURES}
    X = rows(np.float32)
    for comp, ref in zip(run(session_of(str(tmp_path / "model.onnx")), X), run(session_of(graph), X), strict=True):
        np.testing.assert_array_equal(comp, ref)


def test_a_path_that_cannot_be_written_names_it(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    with pytest.raises(OSError, match="nowhere"):
        neuron().to_onnx(tmp_path / "nowhere" / "model.onnx")


def test_a_trained_table_of_numbers(session_of):
    """The weights are folded for raw columns, so the graph takes the columns as they are."""
    X = rows(np.float64)
    columns = {name: X[:, j] for j, name in enumerate(FEATURES)}
    model = train(columns | {"passed": (X[:, 1] > 100).astype(int)}, "passed", seed=0).model
    labels, probabilities = run(session_of(model.to_onnx(dtype="float64")), X)
    np.testing.assert_allclose(probabilities, model.label_probabilities(columns), rtol=0.0, atol=1e-12)
    assert labels.tolist() == model.predict(columns).tolist()


def test_a_table_of_texts_is_refused_with_the_remedy(session_of):
    X = rows(np.float64)
    table = {"age": X[:, 0], "town": np.where(X[:, 1] > 100, "Bonn", "Rome"), "passed": (X[:, 1] > 100).astype(int)}
    model = train(table, "passed", seed=0).model
    for convert in (model.to_onnx, model.to_sklearn):
        with pytest.raises(
            ValueError, match=r"reads texts or missing values in town\. Convert the model of the encoded"
        ):
            convert()
    inputs = model.columns.encode_rows(table)
    labels, probabilities = run(session_of(replace(model, columns=None).to_onnx(dtype="float64")), inputs)
    np.testing.assert_allclose(probabilities, model.label_probabilities(table), rtol=0.0, atol=1e-12)
    assert labels.tolist() == model.predict(table).tolist()


def test_errors_name_the_remedy(monkeypatch):
    for dtype in ("float16", int, "double precision"):
        with pytest.raises(ValueError, match="use 'float32' or 'float64'"):
            neuron().to_onnx(dtype=dtype)
    with pytest.raises(ValueError, match=r"threshold is 2; a probability from 0 to 1"):
        replace(neuron(), threshold=2).to_onnx()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs the package onnx: pip install 'tinynet-fast\[onnx\]'"):
        neuron().to_onnx()


@pytest.mark.parametrize(("labels", "loss", "shape"), [
    ([0, 1], "log_loss", ["n", 2]), ([0, 1], "hinge", ["n"]), ([0, 1, 2], "log_loss", ["n", 3]),
])  # fmt: skip
def test_shapes_of_outputs(labels, loss, shape):
    """A column for each label; a margin is one number."""
    pytest.importorskip("onnx", reason="onnx makes the file")
    X = np.random.default_rng(0).standard_normal((40, 2))
    model = train_neuron(X, np.arange(40) % len(labels), loss=loss, epochs=1).model
    found = model.to_onnx().graph.output[1].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in found] == shape
