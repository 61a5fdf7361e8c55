"""A traced step of numbers and of every loss: the reference's kernels, steps and losses by hand, slopes, PyTorch."""

import io
import json
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tinynet_fast import MLP, Neuron, load, train_mlp, train_neuron
from tinynet_fast.kernels import reference
from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.models.layers import layer_table
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.proof.trace_run import run_trace
from tinynet_fast.proof.trace_torch import LOSSES as TORCH_LOSSES
from tinynet_fast.proof.trace_torch import torch_gradients
from tinynet_fast.proof.trace_view import render
from tinynet_fast.proof.trace_words import WORDS
from tinynet_fast.rows.datasets import exam_scores
from tinynet_fast.rows.files import TableError

SHAPES = {"huber": {"delta": 0.75}, "quantile": {"quantile": 0.875}, "focal": {"gamma": 1.5}}
CASES = [(of, name) for of in LOSSES for name in LOSSES[of]]
OUTPUTS = {"hinge": "margin", "poisson": "exp"}

# From the papers, of one row: the sum, and what is true of the row. Numbers: what a step follows.
BY_HAND = {
    ("labels", "log_loss"): lambda z, y: math.log1p(math.exp(-z if y else z)),
    ("labels", "squared_error"): lambda z, y: (1 / (1 + math.exp(-z)) - y) ** 2,
    ("labels", "hinge"): lambda z, y: max(0.0, 1 - z * (1 if y else -1)),
    ("labels", "focal"): lambda z, y: (
        (1 - 1 / (1 + math.exp(-z if y else z))) ** 1.5 * math.log1p(math.exp(-z if y else z))
    ),
    ("linear", "squared_error"): lambda z, y: (z - y) ** 2 / 2,
    ("linear", "huber"): lambda z, y: (z - y) ** 2 / 2 if abs(z - y) < 0.75 else 0.75 * (abs(z - y) - 0.375),
    ("linear", "absolute_error"): lambda z, y: abs(z - y),
    ("linear", "quantile"): lambda z, y: 0.875 * (y - z) if y > z else 0.125 * (z - y),
    ("linear", "poisson"): lambda z, y: math.exp(z) - y * z,
}


def options_of(of: str, name: str) -> dict[str, Any]:
    return {"output": None if of == "labels" else "linear", "loss": name, **SHAPES.get(name, {})}


def random_row(seed: int, of: str) -> tuple[np.ndarray, float, np.ndarray]:
    """Inputs, what is true, and weights with the bias last."""
    rng = np.random.default_rng([seed, len(of)])
    true = float(rng.integers(2)) if of == "labels" else float(np.abs(rng.normal(1.0, 1.5)))
    return rng.standard_normal(4), true, rng.standard_normal(5) * 0.6


def bits(*values: Any) -> bytes:
    return np.concatenate([np.ravel(np.asarray(value, dtype=np.float64)) for value in values]).tobytes()


def test_every_loss_has_words_and_a_function_of_pytorch():
    assert set(WORDS) == {loss.code for losses in LOSSES.values() for loss in losses.values()}
    assert set(TORCH_LOSSES) == {(of == "labels", name) for of, name in CASES}
    assert set(BY_HAND) == set(CASES)


# --- bit for bit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "name"), CASES)
def test_a_neurons_step_is_the_references(of, name):
    loss, shape = LOSSES[of][name], next(iter(SHAPES.get(name, {"": 0.0}).values()))
    for seed in range(100):
        x, y, start = random_row(seed, of)
        ref_weights, ref_bias, losses = start[:-1].tolist(), [start[-1].item()], [0.0]
        rule, rest = [float(loss.code), shape, 1.0, 0.0, 0.0, 0.0], ([0.0] * 5, [0.0] * 5, losses)
        reference.sgd_regularized_epochs([x.tolist()], [y], [[0.3, 1.0, 0.0, 0.0]], rule, ref_weights, ref_bias, *rest)
        comp = trace_neuron(x, y, weights=start[:-1], bias=start[-1], learning_rate=0.3, **options_of(of, name))
        assert bits(comp.weights_after, comp.bias_after) == bits(ref_weights, ref_bias)
        in_history = comp.loss if name in ("huber", "absolute_error", "quantile", "poisson", "hinge") else None
        assert losses == [comp.squared_error if in_history is None else in_history]


@pytest.mark.parametrize(("of", "name"), CASES)
def test_a_networks_step_is_the_references(of, name):
    loss, shape = LOSSES[of][name], next(iter(SHAPES.get(name, {"": 0.0}).values()))
    output = OUTPUTS.get(name, "sigmoid" if of == "labels" else "linear")
    table = layer_table([4, 3, 1], "tanh", output).tolist()
    for seed in range(20):
        rng = np.random.default_rng([seed, 7])
        rows = [random_row(seed + 100 * k, of) for k in range(3)]
        X, y = np.array([row[0] for row in rows]), [row[1] for row in rows]
        weights, biases = [rng.standard_normal((4, 3)), rng.standard_normal((3, 1))], [np.ones(3), np.ones(1) * 0.5]
        parts = (weights[0], biases[0], weights[1], biases[1])
        params = np.concatenate([np.ravel(part) for part in parts]).tolist()
        state, losses, pending = [params, *([0.0] * len(params) for _ in range(3))], [0.0], [0.0, 0.0]
        rule, units = [3.0, float(loss.code), float(reference.SGD), 0.0, 0.0, shape], [[0.0] * 8, [0.0] * 8]
        given = [1.0] * 3, [[]], [[0.1, 1.0, 0.0, 0.0]], rule
        reference.network_epochs(X.tolist(), y, *given, table, state, units, pending, losses)

        kind = {"activation": "tanh", "learning_rate": 0.1, **options_of(of, name)}
        comp = trace_mlp(X, y, weights=weights, biases=biases, **kind)
        after = (comp.weights_after[0], comp.biases_after[0], comp.weights_after[1], comp.biases_after[1])
        assert bits(*after) == bits(params)
        assert comp.loss == losses[0] / 3


# --- oracles that share no line with the reference --------------------------------------------------------------------


def test_a_linear_step_by_hand():
    # 2 * 1.5 + 8 * 0.25 + 1 = 6, four too few: each weight grows by 0.125 * 4 times its input
    comp = trace_neuron([2, 8], 10, weights=[1.5, 0.25], bias=1.0, learning_rate=0.125, output="linear")
    assert (comp.products, comp.z, comp.prediction, comp.label) == ([3.0, 2.0], 6.0, 6.0, 10.0)
    assert (comp.error, comp.squared_error, comp.loss, comp.slope) == (-4.0, 16.0, 16.0, -4.0)
    assert (comp.weight_nudges, comp.bias_nudge) == ([-1.0, -4.0], -0.5)
    assert (comp.weights_after, comp.bias_after) == ([2.5, 4.25], 1.5)
    assert (comp.output, comp.loss_name, comp.loss_shape, comp.cross_entropy) == ("linear", "squared_error", None, None)


def test_a_linear_network_by_hand():
    # relu(2 * 0.5) = 1 and 1 * 3 + 1 = 4, two too many
    comp = trace_mlp(
        [2.0], [2.0], weights=[[[0.5]], [[3.0]]], biases=[[0.0], [1.0]], activation="relu", output="linear"
    )
    (row,) = comp.rows
    assert (row.sums, row.outputs, row.deltas) == ([[1.0], [4.0]], [[1.0], [4.0]], [[6.0], [2.0]])
    assert (row.prediction, row.error, row.loss, comp.loss) == (4.0, 2.0, 4.0, 4.0)
    assert comp.gradients.weights == [[[12.0]], [[2.0]]]


@pytest.mark.parametrize(("of", "name"), CASES)
def test_losses_and_slopes_are_those_of_the_papers(of, name):
    h, by_hand = 1e-6, BY_HAND[of, name]
    for seed in range(50):
        x, y, start = random_row(seed, of)
        comp = trace_neuron(x, y, weights=start[:-1], bias=start[-1], **options_of(of, name))
        half = 2.0 if (of, name) == ("linear", "squared_error") else 1.0
        assert comp.loss == pytest.approx(half * by_hand(comp.z, y), rel=1e-12, abs=1e-15)
        ref = (by_hand(comp.z + h, y) - by_hand(comp.z - h, y)) / (2.0 * h)
        assert comp.slope == pytest.approx(ref, abs=1e-8)
        assert comp.gradients.weights == [comp.slope * value for value in x]


@pytest.mark.parametrize(("of", "name"), CASES)
def test_gradients_are_pytorchs(of, name):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    for seed in range(20):
        x, y, start = random_row(seed, of)
        neuron = trace_neuron(x, y, weights=start[:-1], bias=start[-1], **options_of(of, name))
        ref = torch_gradients(neuron)
        assert [*neuron.gradients.weights, neuron.gradients.bias] == pytest.approx([*ref.weights, ref.bias], abs=1e-13)
        rng = np.random.default_rng(seed)
        layers = {"weights": [rng.standard_normal((4, 3)), rng.standard_normal((3, 1))], "biases": [[0.5] * 3, [0.25]]}
        network = trace_mlp([x, -x], [y, 1.0], **layers, activation="silu", **options_of(of, name))
        ref_network = torch_gradients(network)
        for ours, theirs in zip(network.gradients.weights, ref_network.weights, strict=True):
            assert np.abs(np.subtract(ours, theirs)).max() <= 1e-13 * max(1.0, np.abs(theirs).max())
        for ours, theirs in zip(network.gradients.biases, ref_network.biases, strict=True):
            assert np.abs(np.subtract(ours, theirs)).max() <= 1e-13 * max(1.0, np.abs(theirs).max())


@pytest.mark.parametrize("name", ["absolute_error", "quantile"])
def test_a_kink_is_pytorchs_kink(name):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    comp = trace_neuron([1.0, 2.0], 3.0, weights=1.0, **options_of("linear", name))
    assert (comp.slope, torch_gradients(comp)) == (0.0, comp.gradients)


def test_training_repeats_the_traced_step():
    X, y, _ = exam_scores()
    comp = run_trace(output="linear")
    result = train_neuron(X[:1], y[:1], weights=0.1, learning_rate=0.01, epochs=1, output="linear", engine="reference")
    assert bits(comp.weights_after, comp.bias_after) == bits(result.model.weights, result.model.bias)
    assert comp.squared_error == result.loss_history[0]
    network = run_trace(output="linear", network=True, loss="huber", delta=20.0)
    options = {"learning_rate": 0.01, "epochs": 1, "output": "linear", "loss": "huber", "delta": 20.0, "seed": 42}
    ref = train_mlp(X, y, hidden=(4,), engine="reference", **options)
    assert bits(*network.weights_after, *network.biases_after) == bits(*ref.model.weights, *ref.model.biases)
    assert network.loss == ref.loss_history[0]


# --- tables and JSON --------------------------------------------------------------------------------------------------


def shown(what: Any) -> str:
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def numbers(value: Any) -> list[float]:
    if isinstance(value, (dict, list)):
        return [number for part in (value.values() if isinstance(value, dict) else value) for number in numbers(part)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize(("of", "name"), CASES)
def test_every_number_is_shown(of, name):
    x, y, start = random_row(3, of)
    neuron = trace_neuron(x, y, weights=start[:-1], bias=start[-1], **options_of(of, name))
    layers = {"weights": [[[0.5], [0.1], [-0.3], [0.2]], [[0.7]]], "biases": [[0.0], [0.25]]}
    network = trace_mlp([x, -x], [y, 1.0], **layers, **options_of(of, name))
    for trace in (neuron, network):
        text = shown(trace)
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        for value in numbers(trace.to_json()):
            assert f"{value:.10g}" in text
        assert json.loads(json.dumps(trace.to_json(), allow_nan=False)) == trace.to_json()
        words = " ".join(text.split())
        assert ("error = slope" in words, "number" in words) == (False, of == "linear")
        assert ("cross-entropy" in words) == (name == "log_loss")


def test_the_words_hold_the_shape():
    text = shown(trace_neuron(1.0, 5.0, output="linear", loss="quantile", quantile=0.875))
    assert "quantile loss = 0.125 * error, -0.875 * error below 0" in text
    assert "slope = 0.125 if error > 0, -0.875 if error < 0" in text
    assert "slope = error, kept from -2.5 to 2.5" in shown(
        trace_neuron(1.0, 5.0, output="linear", loss="huber", delta=2.5)
    )


def test_only_cross_entropy_saturates_in_pytorch():
    text = shown(render(trace_neuron(40.0, 0, output="linear", weights=1.0), trace_neuron(40.0, 0).gradients))
    assert "with_logits" not in text


# --- run_trace --------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path):
    (tmp_path / "d.csv").write_text("sleep,score,hours\n8,58,1\n6,62.5,2\n9,?,3\n5,69,4\n")
    return tmp_path / "d.csv"


@pytest.mark.parametrize(("of", "name"), CASES)
@pytest.mark.parametrize("network", [False, True])
def test_a_models_further_step_is_by_its_own_loss(tmp_path, network, of, name):
    path, options = tmp_path / "m.json", options_of(of, name)
    y = [0, 1, 0, 1] if of == "labels" else [0.5, 2.0, 1.0, 3.0]
    lines = (f"{x},{true}" for x, true in zip((1, 2, -1, 3), y, strict=True))
    (tmp_path / "d.csv").write_text("\n".join(["x,score", *lines, ""]))
    common = {"epochs": 2, "learning_rate": 0.01, "features": ["x"], **options}
    train = (train_mlp, {"hidden": (2,), "seed": 0}) if network else (train_neuron, {})
    train[0](tmp_path / "d.csv", "score", **common, **train[1]).model.save(path)
    fitted = load(path)
    comp = run_trace(model=path, data=tmp_path / "d.csv", target="score", row=2, learning_rate=0.1)
    assert (comp.loss_name, comp.output) == (name, OUTPUTS.get(name, "sigmoid" if of == "labels" else "linear"))
    options["learning_rate"] = 0.1
    if isinstance(fitted, MLP):
        layers = {"weights": fitted.weights, "biases": fitted.biases}
        ref: Any = trace_mlp([[2.0]], y[1:2], **layers, **options)
    else:
        ref = trace_neuron([2.0], y[1], weights=fitted.weights, bias=fitted.bias, **options)
    assert comp.to_json() == ref.to_json() | {"features": ["x"]}


def test_a_model_without_a_known_loss_has_the_usual_one_of_its_output(tmp_path):
    for output, ref in (("linear", "squared_error"), ("exp", "poisson")):
        training = {"target": "score", "loss": "some_other"}
        Neuron(weights=[0.1, 0.2], output=output, features=["hours", "sleep"], training=training).save(
            tmp_path / "m.json"
        )
        comp = run_trace(model=tmp_path / "m.json", data=two_rows(tmp_path))
        assert (comp.loss_name, comp.learning_rate) == (ref, 0.01)


def two_rows(folder):
    (folder / "two.csv").write_text("sleep,score,hours\n8,58,1\n6,62.5,2\n")
    return folder / "two.csv"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "softmax"}, "no step with the output 'softmax' is traced: use 'linear'"),
        ({"output": ["linear"]}, "no step with the output"),
        ({"loss": "huber"}, "loss='huber' is for numbers: use output='linear'"),
        ({"output": "linear", "loss": "hinge"}, "loss='hinge' is for labels"),
        ({"output": "linear", "loss": "squared"}, "squared"),
        ({"output": "linear", "loss": "huber", "delta": 0.0}, "delta is 0.0"),
        ({"output": "linear", "loss": "quantile", "quantile": 1.0}, "quantile is 1.0"),
        ({"loss": "focal", "gamma": -1.0}, "gamma is -1.0"),
        ({"output": "linear", "loss": "poisson", "network": True, "learning_rate": "x"}, "learning_rate is 'x'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run_trace(**options)


def test_a_model_says_what_it_learned(tmp_path, data):
    names = ["hours", "sleep"]
    Neuron(weights=[0.1, 0.2], output="linear", features=names, training={"target": "score"}).save(tmp_path / "m.json")
    for options in ({"output": "linear"}, {"loss": "huber"}, {"delta": 2.0}):
        with pytest.raises(ValueError, match=f"by which loss: leave {next(iter(options))} out"):
            run_trace(model=tmp_path / "m.json", data=two_rows(tmp_path), **options)
    Neuron(weights=np.ones((2, 2)), bias=np.ones(2), output="linear", targets=["a", "b"]).save(tmp_path / "two.json")
    with pytest.raises(ValueError, match="predicts 2 numbers; a step is traced for one"):
        run_trace(model=tmp_path / "two.json", data=data, target="score")
    (tmp_path / "text.csv").write_text("sleep,score,hours\n8,58,1\n6,good,2\n")
    with pytest.raises(TableError, match=r"text.csv, line 3, column 'score': .*'good'"):
        run_trace(model=tmp_path / "m.json", data=tmp_path / "text.csv", row=2)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ("much", {}, "'much'"),
        (float("nan"), {}, r"y\[0\] is missing"),
        (float("inf"), {}, r"y\[0\] is not finite"),
        ([1.0, 2.0], {}, "2 numbers a row"),
        (-1.0, {"loss": "poisson"}, r"y\[0\] is -1"),
        (1.0, {"loss": "poisson", "weights": 800.0}, "the step overflows, prediction is inf"),
    ],
)
def test_numbers_that_cannot_be_learned_are_refused(y, options, message):
    with pytest.raises(ValueError, match=message):
        trace_neuron(1.0, y, output="linear", **options)


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("output", [None, "linear"])
def test_the_first_steps_are_those_of_the_tutorials(output, network):
    comp = run_trace(output=output, network=network)
    ref = {None: (0.15 if network else 0.1), "linear": 0.01}[output]
    assert comp.learning_rate == ref
    first = "study_hours" if output or not network else "height"
    assert comp.features[0] == first
