"""Batches whose rows all have sample weight 0 make no update and are not counted."""

import math

import numpy as np
import pytest
from compare import flat

from tinynet_fast import train_mlp
from tinynet_fast.training.optimizer import batches_that_move

SIZE = 4
STEPS = {
    "plain": {},
    "momentum": {"momentum": 0.9, "l2": 0.01},
    "Nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"optimizer": "adam", "weight_decay": 0.01},
    "Adam, invscaling": {"optimizer": "adam", "schedule": "invscaling"},
    "invscaling": {"schedule": "invscaling"},
}


def interleaved(kept, n=60, d=3):
    """Rows, labels and sample weights; batches whose `kept` is False have no weight."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), (np.arange(n) % 2).astype(float)
    return X, y, np.repeat(kept, SIZE)[:n] * (0.5 + rng.random(n))


def train(X, y, weight, engine="strict", hidden=(4,), **options):
    given = {"batch_size": SIZE, "epochs": 3, "learning_rate": 0.05, "seed": 0} | options
    return train_mlp(X, y, sample_weight=weight, engine=engine, hidden=hidden, **given)


@pytest.mark.parametrize("hidden", [(4,), (9, 5)], ids=["narrow", "wide"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_they_leave_no_trace(engine, steps, hidden):
    """At the start, in the middle and at the end, such batches change nothing in the trained network."""
    kept = np.array([0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0], bool)
    X, y, weight = interleaved(kept)
    comp = train(X, y, weight, engine, hidden, **steps)
    rows = weight > 0.0
    ref = train(X[rows], y[rows], weight[rows], engine, hidden, **steps)
    np.testing.assert_allclose(flat(comp.model), flat(ref.model), rtol=0.0 if engine == "strict" else 1e-12, atol=0.0)


@pytest.mark.parametrize("n", [59, 60])
@pytest.mark.parametrize("steps", [STEPS["Adam"], STEPS["invscaling"]], ids=["Adam", "invscaling"])
def test_engines_agree_where_the_last_batch_is_short(engine, steps, n):
    X, y, weight = interleaved(np.arange(15) % 3 == 0, n)
    comp, ref = (train(X, y, weight, who, **steps) for who in (engine, "reference"))
    np.testing.assert_allclose(flat(comp.model), flat(ref.model), rtol=1e-11)


@pytest.mark.parametrize("empty", [0, 5, 1000])
def test_adams_first_step_is_as_long_as_the_rate(empty):
    """Adam's first step by hand is rate * g / (|g| + epsilon), also after any number of batches without weight."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((empty + 2, 2)), np.arange(empty + 2) % 2
    weight = np.append(np.zeros(empty), [1.0, 1.0])
    start = [rng.standard_normal((2, 1)), np.array([[0.7]])]
    options = {"weights": start, "biases": [np.zeros(1), np.zeros(1)], "optimizer": "adam", "batch_size": 1}
    model = train(X, y, weight, hidden=(1,), epochs=1, learning_rate=0.01, **options).model

    hand, first, second = [*start[0][:, 0], 0.0, 0.7, 0.0], np.zeros(5), np.zeros(5)
    for t, row in enumerate((empty, empty + 1), 1):
        a = 1 / (1 + math.exp(-(X[row] @ hand[:2] + hand[2])))
        error = 1 / (1 + math.exp(-(a * hand[3] + hand[4]))) - y[row]
        blame = error * hand[3] * a * (1 - a)
        gradient = np.array([blame * X[row, 0], blame * X[row, 1], blame, error * a, error])
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        step = 0.01 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        hand = list(np.array(hand) - step)
        if t == 1:
            assert np.abs(step) == pytest.approx(np.full(5, 0.01), rel=1e-4)
    comp = [*model.weights[0][:, 0], *model.biases[0], *model.weights[1][:, 0], *model.biases[1]]
    assert comp == pytest.approx(hand, rel=1e-12)


def test_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    X, y, weight = interleaved(np.arange(15) % 3 == 1)
    comp = train(X, y, weight, epochs=1, optimizer="adam").model
    start = train(X, y, weight, epochs=1, learning_rate=1e-300).model
    layers = [torch.nn.Linear(3, 4, dtype=torch.float64), torch.nn.Linear(4, 1, dtype=torch.float64)]
    with torch.no_grad():
        for layer, weights, bias in zip(layers, start.weights, start.biases, strict=True):
            layer.weight[:], layer.bias[:] = torch.from_numpy(weights.T), torch.from_numpy(bias)
    adam = torch.optim.Adam([p for layer in layers for p in layer.parameters()], lr=0.05)
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    for batch in range(1, 15, 3):
        part = slice(batch * SIZE, batch * SIZE + SIZE)
        z = layers[1](torch.sigmoid(layers[0](torch.from_numpy(X[part]))))[:, 0]
        adam.zero_grad()
        each = loss(z, torch.from_numpy(y[part]), weight=torch.from_numpy(weight[part]), reduction="sum")
        (each / weight[part].sum()).backward()
        adam.step()
    for layer, weights, bias in zip(layers, comp.weights, comp.biases, strict=True):
        np.testing.assert_allclose(weights, layer.weight.detach().numpy().T, rtol=1e-10)
        np.testing.assert_allclose(bias, layer.bias.detach().numpy(), rtol=1e-10)


@pytest.mark.parametrize("solver", [{"solver": "adam"}, {"solver": "sgd", "momentum": 0.9}], ids=["adam", "sgd"])
@pytest.mark.parametrize("engine", ["fast", "strict"])
def test_the_estimator(engine, solver):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    estimators = pytest.importorskip("tinynet_fast.sklearn", reason="scikit-learn is not installed")
    X, y, weight = interleaved(np.arange(15) % 3 != 0)
    rows = weight > 0.0

    def fitted(X, y, weight):
        options = {"hidden_layer_sizes": (4,), "batch_size": SIZE, "max_iter": 1, "shuffle": False, "random_state": 0}
        model = estimators.MLPClassifier(**options, **solver, engine=engine, alpha=0.0)
        with pytest.warns(Warning, match="max|converge"):
            return np.concatenate([part.ravel() for part in model.fit(X, y, sample_weight=weight).coefs_])

    np.testing.assert_allclose(fitted(X, y, weight), fitted(X[rows], y[rows], weight[rows]), rtol=1e-13)


def test_batches_that_move():
    weight = np.array([0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.5])
    assert batches_that_move(weight, (0.0, 0.0), 2).tolist() == [True, False, False]
    assert batches_that_move(weight, (1.0, 0.0), 2).tolist() == [False, True, False, True]
    assert batches_that_move(weight, (1.0, 0.1), 2).tolist() == [True, True, False, True]
    assert batches_that_move(weight, (1.0, 0.1), 10).tolist() == []
    assert batches_that_move(weight[:0], (1.0, 0.1), 2).tolist() == []
