"""The kernels that pages run, in WebAssembly under Node: Python's bits with engine="portable"."""

import json
import re
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from node import compiled, skip_without_wasm
from page_rows import pass_fail_rows

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.kernels import portable, reference
from tinynet_fast.kernels.engines import STABILITY_BOUND
from tinynet_fast.models.layers import ACTIVATIONS
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.rows.datasets import height_weight, quiz_and_attendance, study_and_sleep, study_hours

skip_without_wasm()

TABLES = {"study_hours": study_hours, "study_and_sleep": study_and_sleep, "height_weight": height_weight}
LARGEST = 103_000  # bytes of the script; 27,000 of them are the table of the sigmoid


def table(name):
    return TABLES[name]() if name in TABLES else random_table(*map(int, name.split("x")))


def random_table(n, d):
    rng = np.random.default_rng(n * d)
    X = rng.standard_normal((n, d))
    return X, (X[:, 0] + rng.standard_normal(n) > 0).astype(float), None


def network_2_4_1():
    draw = np.random.RandomState(42)
    weights = [draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3]
    return {"weights": weights, "biases": [np.zeros(4), np.zeros(1)]}


def random_network(*sizes):
    rng = np.random.default_rng(sizes)
    weights = [rng.standard_normal(pair) for pair in pairwise(sizes)]
    return {"weights": weights, "biases": [rng.standard_normal(size) for size in sizes[1:]]}


def assert_same_layers(comp, ref, names=("weights", "biases")):
    for name, layers in zip(names, (ref.weights, ref.biases), strict=True):
        for found, wanted in zip(comp[name], layers, strict=True):
            np.testing.assert_array_equal(found, wanted)


# --- the module -------------------------------------------------------------------------------------------------------


def test_the_script_is_small_and_the_module_imports_nothing(script):
    assert script.stat().st_size < LARGEST
    program = f"""
        require("vm").runInThisContext(require("fs").readFileSync({json.dumps(str(script))}, "utf8"))
        const module = new WebAssembly.Module(Buffer.from(TinyNetKernels.module, "base64"))
        console.log(WebAssembly.Module.imports(module).length)
    """
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_the_script_is_not_written_again_if_it_is_the_same(script):
    before = script.stat().st_mtime_ns
    compiled(script)
    assert script.stat().st_mtime_ns == before


# --- one neuron -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TABLES, "300x1", "40x7", "60x19", "50x32", "33x64"])
def test_a_neuron_has_the_bits_of_python(net, name):
    X, y, _ = table(name)
    for epochs, rate in ((1, 0.01), (7, 0.1), (1000, 0.05)):
        ref = train_neuron(X, y, learning_rate=rate, epochs=epochs, engine="portable")
        comp = net.trainNeuron({"X": X, "y": y, "learningRate": rate, "epochs": epochs})
        assert comp["weights"] == ref.model.weights.tolist()
        assert comp["bias"] == ref.model.bias
        assert comp["losses"] == ref.loss_history.tolist()
        found = net.predictNeuron(X, comp["weights"], comp["bias"])
        np.testing.assert_array_equal(found, ref.model.predict_proba(X))
        np.testing.assert_array_equal(
            [net.logit(x, comp["weights"], comp["bias"]) for x in X], ref.model.decision_function(X)
        )


def test_a_neuron_has_the_weights_of_the_plain_loop(net):
    X, y, _ = random_table(200, 2)
    weights, bias, losses = [0.0, 0.0], [0.0], [0.0] * 3
    reference.sgd_epochs(X.tolist(), y.tolist(), [0.1] * 200, weights, bias, losses)
    comp = net.trainNeuron({"X": X, "y": y, "learningRate": 0.1, "epochs": 3})
    np.testing.assert_allclose([*comp["weights"], comp["bias"], *comp["losses"]], [*weights, *bias, *losses], 1e-12)


def test_a_neuron_goes_on_from_weights_and_from_flat_rows(net):
    X, y, _ = quiz_and_attendance()
    X = X / [100.0, 1.0]
    ref = train_neuron(X, y, learning_rate=0.1, epochs=9, engine="portable")
    given = {"X": X.ravel(), "y": y, "width": 2, "learningRate": 0.1}
    half = net.trainNeuron(given | {"epochs": 4})
    comp = net.trainNeuron(given | {"epochs": 5, "weights": half["weights"], "bias": half["bias"]})
    assert (comp["weights"], comp["bias"]) == (ref.model.weights.tolist(), ref.model.bias)
    assert half["losses"] + comp["losses"] == ref.loss_history.tolist()


def test_made_up_rows_are_those_of_python_in_several_blocks(net):
    n = 20_000
    rows = net.passFailRows(n, 7)
    X, y = pass_fail_rows(n, 7)
    assert rows["width"] == 2
    np.testing.assert_array_equal(rows["X"], X.ravel())
    np.testing.assert_array_equal(rows["y"], y)
    assert 0.4 < y.mean() < 0.6
    assert abs(np.corrcoef(X.T)[0, 1]) < 0.02
    ref = train_neuron(X, y, learning_rate=0.1, epochs=2, engine="portable")
    comp = net.trainNeuron({"X": X.ravel(), "y": y, "width": 2, "learningRate": 0.1, "epochs": 2})
    assert (comp["weights"], comp["bias"]) == (ref.model.weights.tolist(), ref.model.bias)
    assert comp["losses"] == ref.loss_history.tolist()
    np.testing.assert_array_equal(
        net.predictNeuron(X.ravel(), comp["weights"], comp["bias"]), ref.model.predict_proba(X)
    )


def test_rows_depend_on_the_seed(net):
    first, other = net.passFailRows(50), net.passFailRows(50, 4_294_967_295)
    np.testing.assert_array_equal(first["X"], pass_fail_rows(50)[0].ravel())
    np.testing.assert_array_equal(other["X"], pass_fail_rows(50, 4_294_967_295)[0].ravel())
    assert not np.array_equal(first["X"], other["X"])


def test_functions_of_one_number(net):
    for z in (-800.0, -40.0, -1.5, -1e-9, 0.0, 0.3, 7.0, 709.0):
        assert net.sigmoid(z) == portable.plain.sigmoid(z)
        for label in (0, 1):
            assert net.crossEntropy(z, label) == portable.plain.cross_entropy(z, label)
    for p in (0.0, 0.3, 1.0):
        assert (net.squaredError(p, 0), net.squaredError(p, 1)) == (p * p, (p - 1.0) * (p - 1.0))


@pytest.mark.parametrize("label", [0, 1])
def test_a_neurons_step_is_the_traced_one(net, label):
    x, weights, bias = [1.5, -2.0, 0.25], [0.3, 0.1, -0.7], 0.2
    ref = trace_neuron(x, label, weights=weights, bias=bias, learning_rate=0.1)
    comp = net.neuronStep({"x": x, "y": label, "weights": weights, "bias": bias, "learningRate": 0.1})
    assert (comp["products"], comp["z"]) == (ref.products, ref.z)
    close = {
        "prediction": ref.prediction,
        "error": ref.error,
        "squaredError": ref.squared_error,
        "crossEntropy": ref.cross_entropy,
        "nudges": ref.weight_nudges,
        "biasNudge": ref.bias_nudge,
        "weights": ref.weights_after,
        "bias": ref.bias_after,
    }
    assert {*comp} == {*close, "products", "z"}
    for name, wanted in close.items():
        np.testing.assert_allclose(comp[name], wanted, rtol=1e-14, err_msg=name)
    assert comp["weights"] == [w - nudge for w, nudge in zip(weights, comp["nudges"], strict=True)]
    assert comp["bias"] == bias - comp["biasNudge"]


@pytest.mark.parametrize("name", [*TABLES, "100x3"])
def test_a_sweep_has_the_bits_of_each_rate_alone(net, name):
    X, y, _ = table(name)
    rates, bound = [0.01, 0.1, 0.5, 1.0], STABILITY_BOUND / ((X * X).sum(axis=1).max() + 1.0)
    comp = net.sweep({"X": X, "y": y, "learningRates": rates, "epochs": 30})
    beside = sweep(X, y, learning_rate=rates, epochs=30, engine="portable")
    for k, rate in enumerate(rates):
        ref = train_neuron(X, y, learning_rate=rate, epochs=30, engine="portable")
        assert comp["weights"][k] == ref.model.weights.tolist()
        assert comp["biases"][k] == ref.model.bias
        assert comp["losses"][k] == ref.loss_history.tolist()
        if rate <= bound:  # above, steps overshoot, and Python's sweep sums in another order
            np.testing.assert_allclose(comp["weights"][k], beside.models[k].weights, rtol=1e-12)
    assert rates[0] <= bound


def test_a_rate_that_overflows_ends_no_sweep(net):
    given = {"X": [[1e200], [-1e200]], "y": [0, 1]}
    comp = net.sweep(given | {"learningRates": [1e-300, 1e300], "epochs": 5})
    assert np.isfinite(comp["weights"][0]).all()
    assert comp["weights"][1] == [None]  # JSON's word for it
    with pytest.raises(ValueError, match="the weights overflow at this learning rate"):
        net.trainNeuron(given | {"learningRate": 1e300, "epochs": 5})


# --- a network --------------------------------------------------------------------------------------------------------


def test_the_tutorials_network_after_4000_epochs(net):
    X, y, _ = height_weight()
    ref = train_mlp(X, y, hidden=(4,), learning_rate=0.15, epochs=4000, seed=42, engine="portable")
    comp = net.trainNetwork({"X": X, "y": y, "learningRate": 0.15, "epochs": 4000} | network_2_4_1())
    assert_same_layers(comp, ref.model)
    assert comp["losses"] == ref.loss_history.tolist()
    np.testing.assert_allclose(np.array(comp["losses"])[[0, 400, 3600]], [0.7805, 0.0202, 0.0021], atol=5e-5)
    np.testing.assert_array_equal(net.predictNetwork(X, comp), ref.model.predict_proba(X))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("sizes", "batch"),
    [((2, 4, 1), 1), ((2, 4, 1), 10), ((3, 8, 1), 4), ((2, 3, 2, 1), 3), ((1, 17, 9, 1), 7)],
)
def test_a_network_has_the_bits_of_python(net, activation, sizes, batch):
    X, y, _ = random_table(10, sizes[0])
    given, epochs = random_network(*sizes), 6
    options = {"learning_rate": 0.2, "epochs": epochs, "batch_size": batch, "activation": activation}
    ref = train_mlp(X, y, hidden=sizes[1:-1], **options, **given, engine="portable")
    comp = net.trainNetwork(
        {"X": X, "y": y, "learningRate": 0.2, "epochs": epochs, "batchSize": batch, "activation": activation} | given
    )
    assert_same_layers(comp, ref.model)
    assert comp["losses"] == ref.loss_history.tolist()
    assert comp["activation"] == activation
    np.testing.assert_array_equal(net.predictNetwork(X, comp), ref.model.predict_proba(X))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_networks_step_is_the_traced_one(net, activation):
    X, y, _ = random_table(5, 3)
    given = random_network(3, 4, 2, 1)
    comp = net.networkStep({"X": X, "y": y, "learningRate": 0.15, "activation": activation} | given)
    ref = trace_mlp(X, y, activation=activation, learning_rate=0.15, **given)
    assert_close(comp["gradients"]["weights"], ref.gradients.weights)
    assert_close(comp["gradients"]["biases"], ref.gradients.biases)
    assert comp["loss"] == pytest.approx(ref.loss, rel=1e-14)
    for row, wanted in zip(comp["rows"], ref.rows, strict=True):
        for name in ("inputs", "label", "sums", "outputs", "deltas", "z", "prediction", "error", "loss"):
            assert_close(row[name], getattr(wanted, name))
    trained = train_mlp(
        X, y, hidden=(4, 2), learning_rate=0.15, epochs=1, activation=activation, engine="portable", **given
    )
    assert_same_layers(comp, trained.model, ("weightsAfter", "biasesAfter"))


def assert_close(comp, ref):
    if isinstance(ref, list):
        assert len(comp) == len(ref)
        for found, wanted in zip(comp, ref, strict=True):
            assert_close(found, wanted)
    else:
        assert comp == pytest.approx(ref, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_gradients_are_those_of_finite_differences(net, activation):
    X, y, _ = random_table(4, 2)
    given = random_network(2, 3, 1)

    def loss(changed):
        return net.networkStep({"X": X, "y": y, "learningRate": 0.1, "activation": activation} | changed)["loss"]

    found = net.networkStep({"X": X, "y": y, "learningRate": 0.1, "activation": activation} | given)["gradients"]
    for kind in ("weights", "biases"):
        for k, layer in enumerate(given[kind]):
            for place in np.ndindex(layer.shape):
                losses = []
                for step in (-1e-6, 1e-6):
                    moved = [each.copy() for each in given[kind]]
                    moved[k][place] += step
                    losses.append(loss(given | {kind: moved}))
                slope = (losses[1] - losses[0]) / 2e-6
                assert np.array(found[kind][k])[place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


# --- what is refused --------------------------------------------------------------------------------------------------

ROWS = {"X": [[1, 2], [3, 4]], "y": [0, 1], "learningRate": 0.1}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"X": []}, "X has no rows"),
        ({"X": 3}, "X is neither an array of rows nor a Float64Array"),
        ({"X": [[1, 2], [3]]}, "X[1] does not have 2 numbers, as X[0] has"),
        ({"X": [[], []]}, "the rows of X are empty"),
        ({"X": [[1, "a"], [3, 4]]}, "X has a number that is not finite, at place 1"),
        ({"X": [1, 2, 3], "width": 2}, "X has 3 numbers: these are no rows of 2"),
        ({"width": 3}, "the rows of X have 2 numbers, and not 3"),
        ({"y": [0]}, "y has 1 labels for 2 rows"),
        ({"y": [0, 2]}, "y[1] is 2: a label is 0 or 1"),
        ({"y": 5}, "y is not an array of numbers"),
        ({"learningRate": 0}, "learningRate is 0: pass a number above 0"),
        ({"learningRate": None}, "learningRate is null: pass a number above 0"),
        ({"epochs": 1.5}, "epochs is 1.5: pass a whole number, 1 or more"),
        ({"epochs": 0}, "epochs is 0: pass a whole number, 1 or more"),
        ({"weights": [1]}, "there are 1 weights for rows of 2 numbers"),
        ({"bias": None}, "bias is null: pass a finite number"),
    ],
)
def test_a_neuron_refuses(net, wrong, said):
    net.trainNeuron(ROWS)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        net.trainNeuron(ROWS | wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"activation": "cube"}, 'there is no activation "cube"'),
        ({"activation": "toString"}, 'there is no activation "toString"'),
        ({"weights": []}, "weights is not a list of tables, one for each layer"),
        ({"biases": [[0, 0]]}, "biases is not a list with an entry a layer"),
        ({"weights": [[[1, 2]], [[1], [2]]]}, "weights[0] has 1 rows, and 2 numbers come in"),
        ({"weights": [[[1, 2], [1]], [[1], [2]]]}, "weights[0] does not fit biases[0]"),
        ({"weights": [[[1, 2], [1, 2]]], "biases": [[0, 0]]}, "the last layer has more than one unit"),
        ({"biases": [[0, None], [0]]}, "the network has a number that is not finite, at place 5"),
        ({"batchSize": 0}, "batchSize is 0: pass a whole number, 1 or more"),
        ({"learningRate": 1e300, "activation": "identity", "epochs": 9}, "the weights overflow at this learning rate"),
    ],
)
def test_a_network_refuses(net, wrong, said):
    given = {"weights": [[[1, 2], [3, 4]], [[1], [2]]], "biases": [[0, 0], [0]]}
    net.trainNetwork(ROWS | given)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        net.trainNetwork(ROWS | given | wrong)
