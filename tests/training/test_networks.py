"""`train_mlp`: what each option means, many classes, options that make no sense. See also `test_learning.py`."""

import os
import tracemalloc

import numpy as np
import pytest
from compare import assert_keeps, flat

from tinynet_fast import MLP, Neuron, TrainingDivergedError, load, train_mlp
from tinynet_fast.kernels import engines
from tinynet_fast.rows.blocks import SPLIT_STREAM
from tinynet_fast.training.network_updates import MASK_STREAM
from tinynet_fast.training.optimizer import OPTIMIZERS


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    return X, np.digitize(X[:, 0] - X[:, 1], [-0.5, 0.5])


@pytest.fixture
def pair(table):
    return table[0], (table[1] > 0).astype(int)


# --- many classes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [[0, 1, 2], ["high", "low", "middle"], [-1.5, 0.0, 7.25]], ids=str)
def test_three_classes(names, table, engine, tmp_path):
    """Predicted labels have the type of the training labels, and a saved model is the same when loaded."""
    X, y = table[0], np.array(names)[table[1]]
    result = train_mlp(X, y, epochs=500, learning_rate=1.0, seed=0, engine=engine)
    model = result.model
    assert model.labels.tolist() == names
    assert [w.shape for w in model.weights] == [(3, 4), (4, 3)]
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-14)
    np.testing.assert_allclose(
        np.log(probabilities),
        model.decision_function(X) - np.log(np.exp(model.decision_function(X)).sum(axis=1, keepdims=True)),
        atol=1e-12,
    )
    assert (model.predict(X) == np.array(names)[probabilities.argmax(axis=1)]).all()
    assert model.predict(X).dtype == np.array(names).dtype
    assert model.score(X, y) == np.mean(model.predict(X) == y) >= 0.95
    codes = table[1]
    assert model.loss(X, y) == pytest.approx(-np.log(probabilities[np.arange(60), codes]).mean(), rel=1e-12)
    assert result.loss_history[0] == pytest.approx(np.log(3), abs=0.2)
    model.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.labels.tolist() == names
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)
    assert model.predict([X[0]]).shape == (1,)


def test_three_classes_with_validation_and_patience(table):
    X, y = table
    result = train_mlp(X, y, epochs=300, learning_rate=1.0, seed=0, validation=0.3, patience=300)
    assert result.validation_loss_history[-1] < result.validation_loss_history[0] / 2
    with pytest.raises(ValueError, match=r"validation y\[1\] is 9, an unknown label: the model knows 0, 1 and 2"):
        train_mlp(X, y, epochs=1, validation=([[1, 2, 3]] * 2, [0, 9]))
    with pytest.raises(ValueError, match="leaves no row of a label: change the seed"):
        train_mlp([1, 2, 3, 4], [0, 1, 2, 2], seed=0, validation=0.5)


def test_a_loss_is_the_same_in_blocks(table, pair, monkeypatch):
    for X, y in (table, pair):
        model = train_mlp(X, y, epochs=5, seed=0).model
        ref = model.loss(X, y)
        monkeypatch.setattr("tinynet_fast.models.base.COMPILED_FROM", 64)  # 22 rows
        assert model.loss(X, y) == pytest.approx(ref, rel=1e-14)
        monkeypatch.undo()


def test_the_memory_of_a_loss_does_not_grow_with_the_rows():
    X, codes = np.random.default_rng(0).standard_normal((1_000_000, 2)), np.arange(1_000_000) % 2
    model = Neuron(weights=[1.0, -1.0])
    tracemalloc.start()
    try:
        model.mean_loss(X, codes)
        assert tracemalloc.get_traced_memory()[1] < 10e6  # 40 bytes a row otherwise
    finally:
        tracemalloc.stop()


def test_patience_without_a_finite_validation_loss():
    """No validation loss is finite, so no epoch is the best, and it stops after `patience` epochs."""
    options = {"activation": "relu", "learning_rate": 1.0, "init_scale": 10.0, "patience": 2, "seed": 0}
    result = train_mlp([1, 2, 3, 4], [0, 0, 1, 1], epochs=50, validation=([[1e308], [1e308]], [0, 1]), **options)
    assert result.epochs == 2
    assert result.best_epoch is None


def test_many_classes_have_no_threshold(table):
    model = train_mlp(*table, epochs=1, seed=0).model
    with pytest.raises(ValueError, match="a threshold is for two labels; this model knows 3"):
        model.predict(table[0], threshold=0.5)
    with pytest.raises(ValueError, match=r"y\[0\] is 4, an unknown label: the model knows 0, 1 and 2"):
        model.score(table[0][:1], [4])


def test_numbers_are_not_classes():
    with pytest.raises(ValueError, match="y holds more than 256 different labels: this learns classes, not numbers"):
        train_mlp(np.arange(300), np.arange(300))


def test_layers_of_many_classes():
    with pytest.raises(ValueError, match=r"weights\[0\] has shape \(2, 1\) and biases\[0\] \(1,\); \(inputs, 3\)"):
        MLP(weights=[[[1.0], [2.0]]], biases=[[0.0]], labels=["a", "b", "c"])
    with pytest.raises(ValueError, match="two different ones are needed"):
        MLP(weights=[np.ones((2, 3))], biases=[np.zeros(3)], labels=["a", "b", "a"])


# --- sample weights ---------------------------------------------------------------------------------------------------


def test_a_weight_of_two_is_the_row_twice(pair, engine):
    X, y = pair
    twice = np.repeat([1, 2], 30)
    options = {"epochs": 20, "seed": 0, "engine": engine}
    ref = train_mlp(np.repeat(X, twice, axis=0), np.repeat(y, twice), **options)
    comp = train_mlp(X, y, sample_weight=twice, **options)
    assert_keeps(1e-12, flat(comp.model), flat(ref.model))
    assert_keeps(1e-12, comp.loss_history, ref.loss_history)


def test_weights_that_are_next_to_nothing(engine):
    """A batch's gradient is divided by the sum of its sample weights, and 1 / that sum may be infinite."""
    options = {"sample_weight": [1, 1, 1e-310, 1e-310], "batch_size": 2, "epochs": 3, "seed": 0}
    ref = train_mlp([1, 2, 3, 4], [0, 0, 1, 1], engine="reference", **options)
    comp = train_mlp([1, 2, 3, 4], [0, 0, 1, 1], engine=engine, **options)
    assert_keeps(1e-12, flat(comp.model), flat(ref.model))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_batches_without_weight_change_nothing(pair, engine, optimizer):
    """Rows 20 to 39 are two batches of weight 0; only Adam's count of updates notices."""
    X, y = pair
    weight = np.ones(60)
    weight[20:40] = 0.0
    kept = weight > 0
    options = {"epochs": 1, "seed": 0, "engine": engine, "batch_size": 10, "optimizer": optimizer}
    comp = train_mlp(X, y, sample_weight=weight, **options)
    ref = train_mlp(X[kept], y[kept], **options)
    assert np.isfinite(flat(comp.model)).all()
    if optimizer != "adam":
        assert_keeps(engines.ENGINES[engine].promise, flat(comp.model), flat(ref.model))
        assert_keeps(engines.ENGINES[engine].promise, comp.loss_history, ref.loss_history)


# --- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 1, 7, 60])
def test_dropout_depends_on_seed_and_epoch_alone(pair, engine, batch_size, monkeypatch):
    X, y = pair
    options = {"epochs": 3, "dropout": 0.5, "batch_size": batch_size, "engine": engine, "hidden": (5, 4)}
    ref = train_mlp(X, y, seed=1, **options)
    reference = train_mlp(X, y, seed=1, **options | {"engine": "reference"})
    assert_keeps(engines.ENGINES[engine].promise, flat(ref.model), flat(reference.model))
    monkeypatch.setattr(engines, "MOST_ROWS", 8)
    monkeypatch.setattr(engines, "CHUNK", 8)
    comp = train_mlp(X, y, seed=1, **options)
    assert_keeps(engines.ENGINES[engine].promise, flat(comp.model), flat(ref.model))
    weights, biases = ref.model.weights, ref.model.biases
    one, other = (train_mlp(X, y, seed=s, weights=weights, biases=biases, **options) for s in (1, 2))
    assert (flat(one.model) != flat(other.model)).any()


def test_dropout_leaves_out_the_share_that_is_asked_for(pair):
    """With one row an update, a unit's weight to the output changes only if the row does not leave the unit out."""
    X = pair[0]
    start = {"weights": [np.ones((3, 400)), np.full((400, 1), 0.01)], "biases": [np.zeros(400), np.zeros(1)]}
    result = train_mlp(X[:2], [0, 1], hidden=(400,), dropout=0.3, epochs=1, batch_size=1, seed=4, **start)
    dropped_in_both = np.mean(result.model.weights[1] == 0.01)
    assert 0.04 < dropped_in_both < 0.15  # 0.09 is expected


def test_random_numbers_of_their_own():
    """The rows held out, the order of the rows and the units left out are drawn from separate streams."""
    streams = [[7, SPLIT_STREAM], *([7, epoch] for epoch in range(3)), *([7, epoch, MASK_STREAM] for epoch in range(3))]
    assert len({np.random.default_rng(stream).random() for stream in streams}) == len(streams)


def test_a_trained_model_leaves_no_unit_out(pair):
    model = train_mlp(*pair, dropout=0.5, epochs=2, seed=0).model
    (w1, w2), (b1, b2) = model.weights, model.biases
    hidden = 1 / (1 + np.exp(-(pair[0] @ w1 + b1)))
    np.testing.assert_allclose(model.predict_proba(pair[0]), 1 / (1 + np.exp(-(hidden @ w2 + b2)[:, 0])), rtol=1e-12)
    assert model.training["dropout"] == 0.5


def test_dropout_in_blocks_of_the_fast_engine(monkeypatch):
    X = np.random.default_rng(0).standard_normal((2000, 3))
    options = {"dropout": 0.3, "epochs": 2, "seed": 1, "batch_size": 700}
    ref = train_mlp(X, X[:, 0] > 0, **options)
    monkeypatch.setattr(engines, "MOST_ROWS", 256)
    comp = train_mlp(X, X[:, 0] > 0, **options)
    assert comp.engine == "fast"
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert_keeps(0.0, comp.loss_history, ref.loss_history)


# --- steps ------------------------------------------------------------------------------------------------------------


def test_schedules(pair, engine):
    """With full batches an epoch is one update, so the difference of the parameters after two epochs is a step."""
    X, y = pair
    rates = {"constant": [1, 1, 1, 1], "invscaling": [1, 2**-0.5, 3**-0.5, 0.5], "cosine": [1, 0.853553, 0.5, 0.146447]}
    options = {"seed": 0, "engine": engine}
    for schedule, ref in rates.items():
        seen = [flat(train_mlp(X, y, epochs=1, learning_rate=1e-300, **options).model)]
        watch = {"callback": lambda epoch, seen=seen: seen.append(flat(epoch.model))}
        train_mlp(X, y, schedule=schedule, epochs=4, learning_rate=1e-6, **watch, **options)
        steps = np.diff(np.array(seen), axis=0)
        assert np.linalg.norm(steps, axis=1) / np.linalg.norm(steps[0]) == pytest.approx(ref, rel=1e-4)


@pytest.mark.parametrize(
    ("init", "deviation"), [("normal", 0.2), ("glorot", (2 / 250) ** 0.5), ("he", (2 / 50) ** 0.5)]
)
def test_first_weights(init, deviation):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 50))
    options = {"hidden": (200,), "init": init, "init_scale": 0.2, "epochs": 1, "learning_rate": 1e-300}
    w = train_mlp(X, [0, 1, 0, 1], seed=3, **options).model.weights[0]
    assert w.std() == pytest.approx(deviation, rel=0.03)
    assert abs(w.mean()) < 0.01
    again, other = (train_mlp(X, [0, 1, 0, 1], seed=s, **options).model.weights[0] for s in (3, 4))
    assert (again == w).all()
    assert (other != w).any()
    if init == "glorot":
        assert np.abs(w).max() <= np.sqrt(6 / 250)


def test_squared_error_history(pair, engine):
    X, y = pair
    result = train_mlp(X, y, loss="squared_error", epochs=50, learning_rate=2.0, seed=0, engine=engine)
    last = train_mlp(X, y, loss="squared_error", epochs=49, learning_rate=2.0, seed=0, engine=engine).model
    assert result.loss_history[-1] == pytest.approx(np.mean((last.predict_proba(X) - y) ** 2), rel=1e-10)
    assert result.loss_history[-1] < result.loss_history[0]


def test_a_model_says_how_it_was_trained(pair, tmp_path):
    options = {"optimizer": "adam", "learning_rate": 0.01, "beta_1": 0.8, "l2": 0.1, "dropout": 0.1, "batch_size": 7}
    train_mlp(*pair, epochs=2, seed=0, schedule="cosine", **options).model.save(tmp_path / "m.json")
    training = load(tmp_path / "m.json").training
    assert options.items() <= training.items()
    assert training["schedule"] == "cosine"
    assert training["loss"] == "log_loss"


@pytest.mark.parametrize(
    ("optimizer", "own"),
    [
        ("sgd", {"momentum": 0.5, "nesterov": True}),
        ("rmsprop", {"beta_2": 0.9, "epsilon": 1e-6}),
        ("adagrad", {"epsilon": 1e-6}),
    ],
)
def test_a_model_names_the_options_that_its_optimizer_has(pair, optimizer, own):
    training = train_mlp(*pair, epochs=2, seed=0, optimizer=optimizer, **own).model.training
    assert training["optimizer"] == optimizer
    found = {name for name in ("momentum", "nesterov", "beta_1", "beta_2", "epsilon") if name in training}
    assert found == set(own)
    assert own.items() <= training.items()


def test_adam_that_diverges_is_named(pair, engine):
    with pytest.raises(TrainingDivergedError, match="learning_rate"):
        train_mlp(pair[0] * 1e150, pair[1], optimizer="adam", learning_rate=1e200, activation="relu", engine=engine)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="in plain Python these rows take minutes")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 32},
        {"batch_size": 1, "optimizer": "adam", "learning_rate": 0.001},
        {"dropout": 0.5, "batch_size": 100},
    ],
    ids=str,
)
@pytest.mark.parametrize("engine", ["fast", "numpy"])
def test_memory_does_not_grow_with_the_rows(engine, options):
    if engine == "numpy" and options.get("batch_size"):
        pytest.skip("the NumPy engine takes minutes for so many batches")
    X = np.random.default_rng(0).standard_normal((2_000_000, 2), dtype=np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    train_mlp(X[:1000], y[:1000], epochs=1, seed=0, engine=engine, **options)
    tracemalloc.start()
    try:
        train_mlp(X, y, epochs=1, seed=0, engine=engine, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6


# --- options that make no sense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "hidden is empty"),
        ({"hidden": (4, 0)}, "a hidden layer's width is 0"),
        (
            {"activation": "softplus"},
            "no activation 'softplus': .*leaky_relu, silu, identity$",
        ),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"init_scale": -1}, "init_scale is -1"),
        (
            {"weights": [[[1.0]], [[1.0]]], "biases": [[0], [0]]},
            "those of a 1-1-1 network; X, hidden and y ask for 1-4-1",
        ),
        ({"weights": [[[1.0, 2.0]], [[1.0]]], "biases": [[0, 0], [0]]}, r"weights\[1\] has shape \(1, 1\)"),
        ({"weights": 5}, "weights and biases are lists"),
        ({"weights": ["a", "b"], "biases": [[0], [0]]}, r"weights\[0\] or biases\[0\] is not a table of numbers"),
        ({"weights": [[[float("nan")]], [[1.0]]], "biases": [[0], [0]], "hidden": 1}, "NaN or infinity"),
        ({"optimizer": "lbfgs"}, "no optimizer 'lbfgs': use one of sgd, adam, rmsprop, adagrad$"),
        ({"optimizer": None}, "no optimizer None"),
        ({"momentum": 1.0}, "momentum is 1.0; a number of at least 0 and below 1"),
        ({"momentum": -0.1}, "momentum is -0.1"),
        ({"momentum": 0.9, "optimizer": "adam"}, "momentum is an option of 'sgd'; with 'adam' use beta_1"),
        ({"momentum": 0.9, "optimizer": "rmsprop"}, "momentum is an option of 'sgd'; 'rmsprop' has none"),
        ({"nesterov": True}, "give a momentum above 0"),
        ({"nesterov": True, "optimizer": "adam"}, "momentum is an option of 'sgd'"),
        ({"hidden": [[1], [1, 2]]}, r"a hidden layer's width is \[1\]"),
        ({"schedule": ["constant"]}, r"no schedule \['constant'\]"),
        ({"nesterov": 1, "momentum": 0.9}, "nesterov is 1; True or False"),
        ({"beta_1": 1.0}, "beta_1 is 1.0"),
        ({"beta_2": "b"}, "beta_2 is 'b'"),
        ({"epsilon": 0.0}, "epsilon is 0"),
        ({"l2": -1.0}, "l2 is -1.0; a finite number of at least 0"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"dropout": 1.0}, "dropout is 1.0; a number of at least 0 and below 1"),
        ({"schedule": "optimal"}, "no schedule 'optimal': use one of constant, invscaling, cosine"),
        ({"power_t": -1.0}, "power_t is -1.0"),
        ({"loss": "hing"}, "no loss 'hing': use one of log_loss, squared_error, hinge, focal"),
        ({"init": "xavier"}, "no init 'xavier': use one of normal, glorot, he"),
        ({"sample_weight": [1, 2]}, r"sample_weight has shape \(2,\)"),
        (
            {"sample_weight": [1e308] * 4},
            "sample_weight adds up to more than a float64 holds: divide it by its largest",
        ),
        (
            {"sample_weight": [1, 0, 1, 0], "validation": 0.5, "seed": 1},
            "leaves no row with a weight",
        ),
    ],
)
def test_senseless_network_options(options, message):
    with pytest.raises(ValueError, match=message):
        train_mlp([1, 2, 3, 4], [0, 0, 1, 1], **{"epochs": 1} | options)


def test_squared_error_is_for_two_labels():
    with pytest.raises(ValueError, match="loss='squared_error' is for two labels and y has 3"):
        train_mlp([1, 2, 3], [0, 1, 2], loss="squared_error")
