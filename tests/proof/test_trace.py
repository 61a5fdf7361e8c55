"""A traced step, compared with the reference's kernels, finite differences, steps by hand, and PyTorch."""

import io
import math
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tinynet_fast.kernels import reference
from tinynet_fast.models.layers import ACTIVATIONS, layer_table
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.proof.trace_run import run_trace
from tinynet_fast.proof.trace_torch import TorchMissingError, torch_gradients
from tinynet_fast.proof.trace_view import MLPTrace, NeuronTrace, render
from tinynet_fast.rows.datasets import height_weight

Network = tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray], float]

RULE = [1.0, float(reference.LOG_LOSS), float(reference.SGD), 0.0, 0.0, 0.0]  # of one row a batch


def bits(*values: Any) -> bytes:
    """The bit patterns, in which -0.0 differs from 0.0."""
    return np.concatenate([np.ravel(np.asarray(value, dtype=np.float64)) for value in values]).tobytes()


def flat(weights: Any, biases: Any) -> np.ndarray:
    """All parameters in the reference's order: for each layer the weights, input by input, then the biases."""
    layers = zip(weights, biases, strict=True)
    return np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for layer in layers for part in layer])


def random_neuron(seed: int) -> tuple[list[float], int, list[float], float, float]:
    """Inputs from tiny ones to some for which exp overflows, and some zeros."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    x = rng.standard_normal(n) * 10.0 ** rng.integers(-6, 4) * (rng.random(n) < 0.9)
    weights, bias = rng.standard_normal(n), float(rng.standard_normal())
    return x.tolist(), int(rng.integers(2)), weights.tolist(), bias, float(rng.uniform(1e-3, 3.0))


def random_network(seed: int, layers: int, rows: int) -> Network:
    rng = np.random.default_rng([seed, layers, rows])
    sizes = [*rng.integers(1, 7, size=layers + 1).tolist(), 1]
    X = rng.standard_normal((rows, sizes[0])) * 10.0 ** rng.integers(-2, 2) * (rng.random((rows, sizes[0])) < 0.9)
    weights = [rng.standard_normal((a, b)) for a, b in pairwise(sizes)]
    biases = [rng.standard_normal(b) for b in sizes[1:]]
    return X, rng.integers(0, 2, size=rows), weights, biases, float(rng.uniform(1e-3, 2.0))


def traced(network: Network, activation: str) -> MLPTrace:
    X, y, weights, biases, rate = network
    return trace_mlp(X, y, weights=weights, biases=biases, activation=activation, learning_rate=rate)


def shown(what: Any, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# --- bit for bit ------------------------------------------------------------------------------------------------------


def test_neuron_is_the_reference_bit_for_bit() -> None:
    for seed in range(500):
        x, y, weights, bias, rate = random_neuron(seed)
        ref_weights, ref_bias, ref_loss = list(weights), [bias], [0.0]
        reference.sgd_epochs([x], [float(y)], [rate], ref_weights, ref_bias, ref_loss)
        ref_z = reference.logit(x, weights, [bias])
        ref_rest = [reference.sigmoid(ref_z), reference.cross_entropy(ref_z, y)]

        comp = trace_neuron(x, y, weights=weights, bias=bias, learning_rate=rate)
        assert bits(comp.weights_after, comp.bias_after, comp.squared_error) == bits(ref_weights, ref_bias, ref_loss)
        assert bits(comp.z, comp.prediction, comp.cross_entropy) == bits(ref_z, ref_rest)
        assert bits(comp.weights_before, comp.bias_before) == bits(weights, bias)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network_is_the_reference_bit_for_bit(activation: str, layers: int, rows: int) -> None:
    for seed in range(40):
        X, y, weights, biases, rate = network = random_network(seed, layers, rows)
        table = layer_table([X.shape[1], *map(len, biases)], activation).tolist()
        params = flat(weights, biases).tolist()
        count = X.shape[1] + sum(map(len, biases))
        values, deltas, gradient = [0.0] * count, [0.0] * count, [0.0] * len(params)
        units = [values, deltas]

        comp = traced(network, activation)
        for x, label, row in zip(X.tolist(), y.tolist(), comp.rows, strict=True):
            reference.network_forward(x, [], table, params, units)
            ref_z = deltas[-1]
            reference.network_backward([float(label)], 0, 1.0, RULE, table, params, units, gradient)
            assert bits(row.z, row.cross_entropy) == bits(ref_z, reference.cross_entropy(ref_z, label))
            assert bits(row.inputs, *row.outputs) == bits(values)
            assert bits(*row.deltas) == bits(deltas[X.shape[1] :])
            assert bits(row.sums[-1], row.outputs[-1], row.deltas[-1]) == bits(row.z, row.prediction, row.error)
        assert bits(flat(comp.gradients.weights, comp.gradients.biases)) == bits([g / rows for g in gradient])

        state, losses, pending = [params, *([0.0] * len(params) for _ in range(3))], [0.0], [0.0, 0.0]
        labels, rule = y.astype(float).tolist(), [rows, *RULE[1:]]
        given = [1.0] * rows, [[]], [[rate, 1.0, 0.0, 0.0]], rule
        reference.network_epochs(X.tolist(), labels, *given, table, state, units, pending, losses)
        assert bits(flat(comp.weights_after, comp.biases_after), comp.loss) == bits(params, losses[0] / rows)


# --- oracles that share no line with the reference --------------------------------------------------------------------


def central_differences(loss: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    h = 1e-5
    return np.array([(loss(at + h * unit) - loss(at - h * unit)) / (2 * h) for unit in np.eye(len(at))])


def test_neuron_gradients_are_the_slopes_of_the_loss() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x, y, start = rng.standard_normal(5), int(rng.integers(2)), rng.standard_normal(6)

        def loss(params: np.ndarray, x: np.ndarray = x, y: int = y) -> float:
            z = x @ params[:-1] + params[-1]
            return float(np.logaddexp(0.0, -z if y else z))

        comp = trace_neuron(x, y, weights=start[:-1], bias=start[-1])
        ref = central_differences(loss, start)
        assert np.allclose([*comp.gradients.weights, comp.gradients.bias], ref, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network_gradients_are_the_slopes_of_the_loss(activation: str, layers: int) -> None:
    squash: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0.0),
        "leaky_relu": lambda z: np.where(z > 0.0, z, 0.01 * z),
        "silu": lambda z: z / (1.0 + np.exp(-z)),
        "identity": lambda z: z,
    }
    rng = np.random.default_rng(layers)
    sizes = [3, *[4] * layers, 1]
    X, y = rng.standard_normal((5, 3)), np.array([0, 1, 1, 0, 1])
    weights = [rng.standard_normal((a, b)) for a, b in pairwise(sizes)]
    biases = [rng.standard_normal(b) for b in sizes[1:]]

    def loss(params: np.ndarray) -> float:
        signal, place = X, 0
        for layer, (a, b) in enumerate(pairwise(sizes)):
            w, place = params[place : place + a * b].reshape(a, b), place + a * b
            z, place = signal @ w + params[place : place + b], place + b
            signal = squash["sigmoid" if layer == layers else activation](z)
        return float(-np.mean(np.log(np.where(y == 1, signal[:, 0], 1.0 - signal[:, 0]))))

    comp = trace_mlp(X, y, weights=weights, biases=biases, activation=activation)
    assert comp.loss == pytest.approx(loss(flat(weights, biases)), rel=1e-14)
    ref = central_differences(loss, flat(weights, biases))
    tolerance = 5e-8 if activation == "identity" else 1e-9  # its sums are the largest, and bend the loss the most
    assert np.allclose(flat(comp.gradients.weights, comp.gradients.biases), ref, rtol=0.0, atol=tolerance)


def test_the_tutorials_first_row_by_hand() -> None:
    comp = run_trace()
    assert isinstance(comp, NeuronTrace)
    assert (comp.inputs, comp.label, comp.learning_rate, comp.features) == ([1.0], 0.0, 0.1, ["study_hours"])
    assert (comp.products, comp.z) == ([0.1], 0.1)
    assert comp.prediction == comp.error == 0.52497918747894 == 1.0 / (1.0 + math.exp(-0.1))
    assert comp.squared_error == 0.52497918747894 * 0.52497918747894
    assert comp.cross_entropy == pytest.approx(-math.log(1.0 - 0.52497918747894), rel=1e-15)
    assert (comp.gradients.weights, comp.gradients.bias) == ([0.52497918747894], 0.52497918747894)
    assert (comp.weight_nudges, comp.bias_nudge) == ([0.1 * 0.52497918747894], 0.1 * 0.52497918747894)
    assert comp.weights_after == [0.1 - 0.1 * 0.52497918747894]
    assert comp.bias_after == -0.1 * 0.52497918747894


def test_two_inputs_by_hand() -> None:
    # 2 * 0.5 + (-1) * 0.25 - 0.75 = 0, so the prediction is a half and, for a pass, the error minus a half
    comp = trace_neuron([2.0, -1.0], True, weights=[0.5, 0.25], bias=-0.75, learning_rate=0.5)
    assert (comp.products, comp.z, comp.prediction, comp.error) == ([1.0, -0.25], 0.0, 0.5, -0.5)
    assert (comp.squared_error, comp.cross_entropy) == (0.25, math.log(2.0))
    assert (comp.gradients.weights, comp.weight_nudges) == ([-1.0, 0.5], [-0.5, 0.25])
    assert (comp.weights_after, comp.bias_after) == ([1.0, 0.0], -0.5)


def test_a_network_by_hand() -> None:
    # two rows through 1-1-1 with relu; the second never gets past the hidden unit
    comp = trace_mlp([2.0, -2.0], [0, 1], weights=[[[0.5]], [[-1.0]]], biases=[[0.0], [1.0]], activation="relu")
    first, second = comp.rows
    assert (first.sums, first.outputs, first.deltas) == ([[1.0], [0.0]], [[1.0], [0.5]], [[-0.5], [0.5]])
    p = 1.0 / (1.0 + math.exp(-1.0))
    assert (second.sums, second.outputs, second.deltas) == ([[-1.0], [1.0]], [[0.0], [p]], [[0.0], [p - 1.0]])
    assert comp.loss == pytest.approx((math.log(2.0) - math.log(p)) / 2.0, rel=1e-15)
    assert comp.gradients.weights == [[[-0.5]], [[0.25]]]
    assert comp.gradients.biases == [[-0.25], [(0.5 + (p - 1.0)) / 2.0]]
    assert comp.weights_after == [[[0.5 + 0.15 * 0.5]], [[-1.0 - 0.15 * 0.25]]]
    assert comp.biases_after == [[0.15 * 0.25], [1.0 - 0.15 * ((0.5 + (p - 1.0)) / 2.0)]]


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def test_the_height_weight_step_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    rows, draw = height_weight(), np.random.RandomState(42)
    w1, w2 = (torch.tensor(draw.randn(*shape) * 0.3, requires_grad=True) for shape in ((2, 4), (4, 1)))
    b1, b2 = (torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in (4, 1))
    prediction = torch.sigmoid(torch.sigmoid(torch.tensor(rows.X) @ w1 + b1) @ w2 + b2)
    loss = torch.nn.BCELoss()(prediction[:, 0], torch.tensor(rows.y, dtype=torch.float64))
    loss.backward()
    torch.optim.SGD([w1, w2, b1, b2], lr=0.15).step()

    comp = run_trace(network=True, torch=True)
    assert isinstance(comp, MLPTrace)
    assert comp.torch is not None
    assert comp.loss == pytest.approx(loss.item(), abs=1e-14)
    assert round(comp.loss, 4) == 0.7805
    ref = flat([w1.grad.numpy(), w2.grad.numpy()], [b1.grad.numpy(), b2.grad.numpy()])
    after = flat([w1.detach().numpy(), w2.detach().numpy()], [b1.detach().numpy(), b2.detach().numpy()])
    assert np.abs(flat(comp.gradients.weights, comp.gradients.biases) - ref).max() <= 1e-14
    assert np.abs(flat(comp.torch.weights, comp.torch.biases) - ref).max() <= 1e-14
    assert np.abs(flat(comp.weights_after, comp.biases_after) - after).max() <= 1e-14


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_torch_gradients_have_the_traces_shape_and_values(activation: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    for seed in range(10):
        rng = np.random.default_rng(seed)
        weights, biases = [rng.standard_normal(s) for s in ((3, 4), (4, 2), (2, 1))], [np.ones(n) for n in (4, 2, 1)]
        X, y = rng.standard_normal((3, 3)), [0, 1, 1]
        comp = trace_mlp(X, y, weights=weights, biases=biases, activation=activation)
        ref = torch_gradients(comp)
        assert [np.shape(w) for w in ref.weights] == [np.shape(w) for w in comp.gradients.weights]
        difference = flat(comp.gradients.weights, comp.gradients.biases) - flat(ref.weights, ref.biases)
        assert np.abs(difference).max() <= 1e-14
        neuron = trace_neuron(X[0], 1, weights=weights[1][:3, 0], bias=0.5)
        ref_neuron = torch_gradients(neuron)
        assert neuron.gradients.weights == pytest.approx(ref_neuron.weights, abs=1e-14)
        assert neuron.gradients.bias == pytest.approx(ref_neuron.bias, abs=1e-14)


def test_a_saturated_row_beside_pytorch_is_explained() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    comp = trace_neuron(40.0, 0, weights=1.0)
    assert comp.gradients.bias == 1.0
    assert torch_gradients(comp).bias < 1e-3
    assert "binary_cross_entropy_with_logits" in shown(render(comp, torch_gradients(comp)))
    assert "with_logits" not in shown(render(trace_neuron(1.0, 0), torch_gradients(trace_neuron(1.0, 0))))


def test_without_pytorch_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TorchMissingError, match="pip install torch") as caught:
        run_trace(torch=True)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, ValueError)
