"""A traced step, compared with the reference's kernels, finite differences, steps by hand, and PyTorch."""

import io
import json
import math
import sys
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tinynet_fast import MLP, Neuron
from tinynet_fast.kernels import reference
from tinynet_fast.models.layers import ACTIVATIONS, layer_table
from tinynet_fast.proof import trace_view
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.proof.trace_run import run_trace
from tinynet_fast.proof.trace_torch import TorchMissingError, torch_gradients
from tinynet_fast.proof.trace_view import MLPTrace, NeuronTrace, render
from tinynet_fast.rows.datasets import height_weight
from tinynet_fast.rows.files import TableError

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


# --- JSON and tables --------------------------------------------------------------------------------------------------


def shown(what: Any, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_json_gives_every_number_back() -> None:
    for seed in range(20):
        x, y, weights, bias, rate = random_neuron(seed)
        neuron = trace_neuron(x, y, weights=weights, bias=bias, learning_rate=rate)
        network = traced(random_network(seed, 2, 3), "tanh")
        for trace in (neuron, network, run_trace(network=True)):
            ref = trace.to_json()
            comp = json.loads(json.dumps(ref, allow_nan=False))
            assert repr(comp) == repr(ref)  # repr tells every float from every other, and -0.0 from 0.0


def test_tables_show_every_number_within_80_columns() -> None:
    x, y, weights, bias, rate = random_neuron(3)
    neuron = trace_neuron(np.array(x) * -1e-7, y, weights=np.array(weights) * 1e-5, bias=bias, learning_rate=rate)
    network = traced(random_network(1, 2, 3), "relu")
    for trace in (neuron, network):
        text = shown(render(trace, trace.gradients, lines=None))
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        for value in numbers(trace.to_json()):
            assert f"{value:.10g}" in text
        assert "PyTorch" in text
        assert "PyTorch" not in shown(trace)


def numbers(value: Any) -> list[float]:
    if isinstance(value, (dict, list)):
        return list(chain.from_iterable(map(numbers, value.values() if isinstance(value, dict) else value)))
    return [value] if isinstance(value, float) else []


def test_a_long_table_says_what_it_leaves_out() -> None:
    trace = trace_neuron(np.arange(1000.0), 1, weights=1e-9)
    text = shown(render(trace, lines=11))
    assert text.count("... 989 more") == 1
    assert text.count("... 990 more") == 1  # this one has a bias as well
    assert [name in text for name in ("x5 ", "x6 ", "x994 ", "x995 ")] == [True, False, False, True]
    assert "more" not in shown(render(trace, lines=None))
    assert len(shown(trace).splitlines()) < 160


def test_a_wide_networks_table_shows_every_layer() -> None:
    weights, biases = [np.full((300, 50), 1e-3), np.ones((50, 1))], [np.zeros(50), np.zeros(1)]
    text = shown(trace_mlp(np.ones((2, 300)), [0, 1], weights=weights, biases=biases))
    assert [text.count(name) for name in ("... 290 more", "... 40 more")] == [2, 2]  # ten of each layer in each row
    assert len([line for line in text.splitlines() if line[:1] in ("1", "2") and " output " in line]) == 2
    assert len(text.splitlines()) < 200


def test_names_with_brackets_are_not_taken_for_markup(tmp_path: Path) -> None:
    Neuron(weights=np.array([1.0]), features=["[red]h"], training={"target": "y"}).save(tmp_path / "m.json")
    (tmp_path / "d.csv").write_text("[red]h,y\n1,0\n")
    assert "[red]h" in shown(run_trace(model=tmp_path / "m.json", data=tmp_path / "d.csv"))


# --- run_trace --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text("b,verdict,a\n1,no,10\n2,yes,20\n3,no,30\n4,maybe,40\n")
    common: dict[str, Any] = {"labels": np.array(["no", "yes"]), "features": ["a", "b"]}
    Neuron(weights=np.array([0.5, -1.0]), bias=0.25, training={"target": "verdict"}, **common).save(
        tmp_path / "neuron.json"
    )
    weights = [np.array([[0.1, -0.2], [0.3, 0.4]]), np.array([[1.0], [-1.0]])]
    biases = [np.array([0.0, 0.1]), np.array([0.2])]
    MLP(weights=weights, biases=biases, activation="tanh", **common).save(tmp_path / "mlp.json")
    return tmp_path


def test_a_models_further_step(folder: Path) -> None:
    comp = run_trace(model=folder / "neuron.json", data=folder / "d.csv", row=2)
    ref = trace_neuron([20.0, 2.0], 1, weights=[0.5, -1.0], bias=0.25, learning_rate=0.1)
    assert comp.to_json() == ref.to_json() | {"features": ["a", "b"]}

    comp_network = run_trace(
        model=folder / "mlp.json", data=folder / "d.csv", target="verdict", row=2, rows=2, learning_rate=0.5
    )
    weights, biases = [[[0.1, -0.2], [0.3, 0.4]], [[1.0], [-1.0]]], [[0.0, 0.1], [0.2]]
    ref_network = trace_mlp(
        [[20, 2], [30, 3]], [1, 0], weights=weights, biases=biases, activation="tanh", learning_rate=0.5
    )
    assert comp_network.to_json() == ref_network.to_json() | {"features": ["a", "b"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "neuron.json"}, "name both"),
        ({"data": "d.csv"}, "name both"),
        ({"target": "verdict"}, "name both"),
        ({"row": 2}, "choose rows of a file"),
        ({"rows": 4}, "choose rows of a file"),
        ({"row": 0}, "row is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("nan"), "network": True}, "learning_rate is nan"),
        ({"model": "neuron.json", "data": "d.csv", "rows": 2}, "one row at a time"),
        ({"model": "neuron.json", "data": "d.csv", "network": True}, "leave network and rows out"),
        ({"model": "neuron.json", "data": "d.csv", "row": 5}, "there is no row 5; it has 4 rows"),
        (
            {"model": "neuron.json", "data": "d.csv", "row": 4},
            r"d.csv, line 5, column 'verdict': unknown label 'maybe'",
        ),
        ({"model": "mlp.json", "data": "d.csv"}, "name the target"),
        ({"model": "mlp.json", "data": "d.csv", "target": "x"}, "no column 'x'; it has b, verdict, a"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    options = {name: folder / value if name in ("model", "data") else value for name, value in options.items()}
    with pytest.raises(ValueError, match=message):
        run_trace(**options)


def test_a_file_with_other_columns_is_refused(folder: Path) -> None:
    Neuron(weights=np.array([1.0])).save(folder / "unnamed.json")
    with pytest.raises(TableError, match="2 columns where the model has 1 inputs"):
        run_trace(model=folder / "unnamed.json", data=folder / "d.csv", target="verdict")


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1.0, float("nan")], 0, {}, r"x\[0, 1\] is NaN"),
        ([1.0, float("inf")], 0, {}, r"x\[0, 1\] is infinite"),
        ([1.0, "a"], 0, {}, r"x\[0, 1\] is 'a'"),
        ([1.0, None], 0, {}, r"x\[0, 1\] is missing"),
        ([], 0, {}, "no columns"),
        ([[1.0], [2.0]], 0, {}, "x has 2 rows"),
        (1.0, 2, {}, "unknown label"),
        (1.0, "no", {}, "unknown label"),
        (1.0, None, {}, "missing"),
        (1.0, [0, 1], {}, "one label a row"),
        (1.0, 0, {"weights": [1.0, 2.0]}, r"weights has shape \(2,\)"),
        (1.0, 0, {"weights": "w"}, "weights and bias are numbers"),
        (1.0, 0, {"bias": float("inf")}, "NaN or infinity"),
        (1.0, 0, {"bias": 10**400}, "weights and bias are numbers"),
        (1.0, 0, {"learning_rate": -1.0}, "learning_rate is -1.0"),
        (1e200, 0, {"weights": 1e200}, r"the step overflows, products\[0\] is inf"),
        (1e200, 0, {"learning_rate": 1e200}, r"the step overflows, weight_nudges\[0\] is inf"),
    ],
)
def test_neuron_refuses(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trace_neuron(x, y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X": [[1.0, 2.0], [3.0]]}, r"X\[1\] has 1 values"),
        ({"X": [[1.0, float("nan")]]}, r"X\[0, 1\] is NaN"),
        ({"X": [[1.0]]}, r"X has 1 columns and weights\[0\] has 2 rows"),
        ({"X": []}, "X has no rows"),
        ({"y": [0, 1]}, "X has 1 rows and y has 2 labels"),
        ({"y": [3]}, r"y\[0\] is 3, an unknown label"),
        ({"weights": [[[1.0], [1.0]], [[1.0], [1.0]]]}, r"weights\[1\] has shape \(2, 1\)"),
        ({"biases": [[0.0]]}, "2 layers of weights and 1 of biases"),
        ({"activation": "softmax"}, "no activation 'softmax'"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"X": [[1e308, 1e308]], "activation": "relu"}, r"the step overflows, rows\[0\].sums\[0\]\[0\] is inf"),
    ],
)
def test_network_refuses(options: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"X": [[1.0, 2.0]], "y": [1], "weights": [[[1.0], [1.0]], [[1.0]]], "biases": [[0.0], [0.0]]}
    with pytest.raises(ValueError, match=message):
        trace_mlp(**(good | options))


def test_any_container_is_taken_and_not_changed() -> None:
    x, weights = np.array([[1.5, -2.0]], dtype=np.float32), np.array([0.5, 0.25])
    ref = trace_neuron([1.5, -2.0], 1, weights=[0.5, 0.25])
    assert trace_neuron(x, np.True_, weights=weights) == trace_neuron(x[0], 1.0, weights=weights) == ref
    assert weights.tolist() == [0.5, 0.25]


def test_names_begin_and_values_end_in_one_column():
    console = Console(width=40, file=io.StringIO())
    console.print(trace_view._lines(("z", "1"), ("a longer name", 22.5)))
    assert console.file.getvalue().splitlines() == ["z                 1", "a longer name  22.5"]


def test_sparse_rows_are_not_traced():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    with pytest.raises(ValueError, match=r"is a sparse matrix, .*: pass .*toarray"):
        trace_mlp(sparse.csr_array([[1.0], [2.0]]), [0, 1], weights=[[[1.0]]], biases=[[0.0]])
