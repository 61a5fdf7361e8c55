"""`train_mlp` learns numbers: every engine, several targets, standardised targets, losses of labels, errors."""

import numpy as np
import pytest
from compare import distance

from tinynet_fast import TrainingDivergedError, load, train_mlp
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.models.layers import flatten

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 3))
Y = np.column_stack([X[:, 0] - X[:, 1] ** 2, np.sin(X[:, 2])]) + 0.05 * rng.standard_normal((60, 2))
COUNTS = rng.poisson(np.exp(0.5 * X[:, 0] + 1.0)).astype(float)
LABELS = (Y[:, 0] > 0.0).astype(int)
OPTIONS = {"hidden": (4,), "activation": "tanh", "batch_size": 7, "epochs": 3, "learning_rate": 0.02, "seed": 1}
CASES = {
    "squared_error": (Y[:, 0], {"loss": "squared_error"}),
    "squared_error, two": (Y, {}),
    "huber": (Y, {"loss": "huber", "delta": 0.4}),
    "absolute_error": (Y[:, 0], {"loss": "absolute_error"}),
    "quantile": (Y, {"loss": "quantile", "quantile": 0.8}),
    "poisson": (COUNTS, {"loss": "poisson"}),
    "poisson, two": (np.column_stack([COUNTS, COUNTS[::-1]]), {"loss": "poisson"}),
    "standardised": (1e3 * Y + 1e4, {"standardize": True, "standardize_y": True}),
}


def flat(model):
    return flatten(model.weights, model.biases)


@pytest.mark.parametrize("case", CASES)
def test_engines_agree(case, tmp_path):
    y, options = CASES[case]
    ref = train_mlp(X, y, output="linear", engine="reference", **OPTIONS | options)
    for engine in ("numpy", "strict", "fast"):
        comp = train_mlp(X, y, output="linear", engine=engine, **OPTIONS | options)
        ran = "strict" if engine == "fast" and case in ("absolute_error", "quantile") else engine
        assert comp.engine == ran
        if ran == "strict" and not UNCOMPILED:
            np.testing.assert_array_equal(flat(comp.model), flat(ref.model))
        assert distance(flat(comp.model), flat(ref.model)) <= 1e-12
        np.testing.assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-12)
    model = ref.model
    assert model.predict(X).shape == y.shape
    model.save(tmp_path / "model.json")
    np.testing.assert_array_equal(load(tmp_path / "model.json").predict(X), model.predict(X))
    with pytest.raises(ValueError, match="predicts numbers, which have no probabilities"):
        model.predict_proba(X)


@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "hinge", "focal"])
def test_losses_of_labels(loss):
    ref = train_mlp(X, LABELS, loss=loss, engine="reference", class_weight="balanced", **OPTIONS)
    weight = len(X) / (2 * np.bincount(LABELS))
    for engine in ("numpy", "strict", "fast"):
        comp = train_mlp(X, LABELS, loss=loss, engine=engine, sample_weight=weight[LABELS], **OPTIONS)
        assert comp.engine == ("strict" if engine == "fast" and loss in ("hinge", "focal") else engine)
        assert distance(flat(comp.model), flat(ref.model)) <= 1e-12
    assert ref.model.output == ("margin" if loss == "hinge" else "sigmoid")
    assert ref.model.score(X, LABELS) > 0.4


def test_histories_are_means_of_the_whole_loss():
    """A batch of all rows: the first loss is that of the start, summed over targets."""
    start = [rng.standard_normal((3, 4)), rng.standard_normal((4, 2))]
    options = {"hidden": (4,), "activation": "tanh", "weights": start, "epochs": 1, "learning_rate": 1e-9}
    result = train_mlp(X, Y, output="linear", **options)
    errors = np.tanh(X @ start[0]) @ start[1] - Y
    assert result.loss_history[0] == pytest.approx((errors**2).sum(axis=1).mean(), rel=1e-6)
    held = train_mlp(X, Y, output="linear", validation=(X, Y), **options)
    assert held.validation_loss_history[0] == pytest.approx(result.loss_history[0], rel=1e-6)


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_large_numbers_diverge_with_a_rate_that_is_safe(activation):
    options = {"hidden": (6,), "activation": activation, "output": "linear", "epochs": 100, "seed": 0}
    with pytest.raises(TrainingDivergedError) as error:
        train_mlp(X, 1e6 * Y, learning_rate=0.15, **options)
    assert 0.0 < error.value.safe_learning_rate < 0.015
    safe = train_mlp(X, 1e6 * Y, learning_rate=error.value.safe_learning_rate, **options)
    assert safe.loss_history[-1] <= safe.loss_history[0]
    best = train_mlp(X, 1e6 * Y, learning_rate=0.15, standardize_y=True, **options)
    assert best.loss_history[-1] < best.loss_history[0]


def test_options_that_are_refused():
    for options, message in (
        ({"output": "softmax"}, "no output 'softmax' of a network: use 'linear'"),
        ({"output": "linear", "loss": "hinge"}, "loss='hinge' is for labels"),
        ({"loss": "huber"}, "loss='huber' is for numbers: use output='linear'"),
        ({"output": "linear", "hidden": ()}, "hidden is empty"),
        ({"output": "linear", "loss": "huber", "delta": 0.0}, "delta"),
        ({"output": "linear", "class_weight": "balanced"}, "class_weight is for labels"),
    ):
        with pytest.raises(ValueError, match=message):
            train_mlp(X, LABELS, **options)
    with pytest.raises(ValueError, match="loss='hinge' is for two labels and y has 3: use 'log_loss'"):
        train_mlp(X, np.arange(60) % 3, loss="hinge")
