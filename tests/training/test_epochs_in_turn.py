"""Epochs that differ, of few rows, are trained in one pass: to the same bits as epochs one by one."""

import numpy as np
import pytest

from tinynet_fast import TrainingDivergedError, sweep_mlp, train_mlp, train_neuron
from tinynet_fast.rows.blocks import Order
from tinynet_fast.training import run

RNG = np.random.default_rng(4)
X = RNG.standard_normal((53, 3))
Y = np.array(["no", "yes", "perhaps"])[np.digitize(X[:, 0], [-0.3, 0.5])]
TWO = np.where(X[:, 0] > 0.1, "pass", "fail")
NUMBERS = X @ np.array([[1.0, 0.0], [-1.0, 2.0], [0.5, 1.0]])
WEIGHTS = RNG.integers(0, 3, 53).astype(float)
SHUFFLED = {"shuffle": True, "seed": 3}

NEURONS = {
    "shuffled": SHUFFLED,
    "by blocks": {"shuffle": "blocks", "seed": 3},
    "averaged": {"average": 60},
    "a schedule": {"schedule": "invscaling", **SHUFFLED},
    "penalties": {"l1": 1e-3, "l2": 1e-2, **SHUFFLED},
    "sample weights": {"sample_weight": WEIGHTS, **SHUFFLED},
    "standardised": {"standardize": True, **SHUFFLED},
    "noise": {"noise": 0.3, **SHUFFLED},
    "three labels": {"y": Y, **SHUFFLED},
    "one against the rest": {"y": Y, "output": "one_vs_rest", **SHUFFLED},
    "numbers": {"y": NUMBERS[:, 0], "output": "linear", "standardize_y": True, **SHUFFLED},
    "steps that overshoot": {"learning_rate": 5.0, **SHUFFLED},
    "strict": {"engine": "strict", **SHUFFLED},
    "portable": {"engine": "portable", **SHUFFLED},
    "reference": {"engine": "reference", **SHUFFLED},
    "numpy": {"engine": "numpy", **SHUFFLED},
}
NETWORKS = {
    "shuffled": SHUFFLED,
    "short last batch": {"batch_size": 10},
    "Adam": {"optimizer": "adam", "batch_size": 10, **SHUFFLED},
    "a schedule": {"schedule": "cosine", "batch_size": 7, **SHUFFLED},
    "dropout": {"dropout": 0.4, "seed": 3},
    "sample weights": {"sample_weight": WEIGHTS, "batch_size": 10, **SHUFFLED},
    "mixup": {"mixup": 0.3, "batch_size": 10, **SHUFFLED},
    "two numbers": {"y": NUMBERS, "output": "linear", **SHUFFLED},
    "float32": {"dtype": "float32", "engine": "reference", **SHUFFLED},
    "reference": {"engine": "reference", "batch_size": 10, **SHUFFLED},
    "portable": {"engine": "portable", "dropout": 0.4, "batch_size": 10, **SHUFFLED},
}
CASES = [(train_neuron, name, case) for name, case in NEURONS.items()]
CASES += [(train_mlp, name, case) for name, case in NETWORKS.items()]


def parameters(result):
    model = result.model
    parts = [*model.weights, *model.biases] if hasattr(model, "biases") else [model.weights, model.bias]
    return np.concatenate([np.ravel(part) for part in parts])


def epochs_of_passes(monkeypatch):
    """A list of the epochs of each pass that trained several in turn, which grows."""
    passes, in_turn = [], run.Run._in_turn
    monkeypatch.setattr(run.Run, "_in_turn", lambda self, k: (passes.append(k), in_turn(self, k))[1])
    return passes


@pytest.mark.parametrize(("train", "name", "case"), CASES, ids=[f"{t.__name__} {name}" for t, name, _ in CASES])
def test_the_same_bits_as_one_by_one(train, name, case, monkeypatch):
    """A callback sees each epoch, so epochs come one by one then."""
    monkeypatch.setattr(Order, "BLOCK_VALUES", 3 * 20)
    monkeypatch.setattr(run, "MOST_IN_TURN", 4)
    passes = epochs_of_passes(monkeypatch)
    options = {"y": TWO, "epochs": 9, "learning_rate": 0.05, "seed": 3} | case
    together = train(X, **options)
    assert passes[0] == 4
    assert sum(passes) in (8, 9)  # the last may be alone
    passes.clear()
    alone = train(X, **options, callback=lambda epoch: False)
    assert passes == []
    np.testing.assert_array_equal(parameters(together), parameters(alone))
    np.testing.assert_array_equal(together.loss_history, alone.loss_history)
    assert together.epochs == 9


def test_an_epoch_that_diverges_is_named(monkeypatch):
    """The pass is undone, and its epochs are trained one by one."""
    passes = epochs_of_passes(monkeypatch)
    options = {
        "learning_rate": 1e200,
        "epochs": 50,
        "engine": "strict",
        "batch_size": 10,
        "optimizer": "sgd",
    } | SHUFFLED
    with pytest.raises(TrainingDivergedError) as together:
        train_mlp(1e3 * X, NUMBERS, output="linear", **options)
    assert passes == [50]
    with pytest.raises(TrainingDivergedError) as alone:
        train_mlp(1e3 * X, NUMBERS, output="linear", **options, callback=lambda epoch: False)
    assert str(together.value) == str(alone.value)


def test_checkpoints_after_every_block_are_of_every_epoch(tmp_path, monkeypatch):
    passes = epochs_of_passes(monkeypatch)
    given = {"epochs": 5, "checkpoint": tmp_path / "c.json", **SHUFFLED}
    train_neuron(X, TWO, checkpoint_seconds=0, **given)
    assert passes == []
    assert train_neuron(X, TWO, **given | {"epochs": 12}).epochs == 12
    assert passes == [7]


def test_networks_side_by_side(monkeypatch):
    passes = epochs_of_passes(monkeypatch)
    given = {"epochs": 6, "hidden": (3,), "batch_size": 10, **SHUFFLED}
    swept = sweep_mlp(X, TWO, learning_rate=[0.01 * k for k in range(1, 9)], **given)
    assert passes == [6]
    for k, model in enumerate(swept.models, 1):
        alone = train_mlp(X, TWO, learning_rate=0.01 * k, **given, callback=lambda epoch: False)
        for ours, theirs in zip(model.weights, alone.model.weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)
