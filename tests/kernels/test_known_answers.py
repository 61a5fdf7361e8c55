"""Numbers worked out with nothing but `math` and NumPy: every engine has to give them."""

import math

import numpy as np
import pytest
from compare import distance

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.rows.datasets import height_weight, study_hours

EXACT = ("reference", "strict")


def tutorial_neuron(epochs):
    """The tutorial's loop, written out: the oracle for one neuron."""
    weight, bias = 0.1, 0.0
    for _ in range(epochs):
        for hours, actual in [(1, 0), (2, 0), (3, 1), (4, 1)]:
            error = 1 / (1 + math.exp(-(hours * weight + bias))) - actual
            weight -= 0.1 * error * hours
            bias -= 0.1 * error
    return weight, bias


def test_four_rows(engine):
    result = train_neuron(
        [1, 2, 3, 4], [0, 0, 1, 1], weights=0.1, bias=0.0, learning_rate=0.1, epochs=1000, engine=engine
    )
    ref = 4.3018685464211535, -10.50801155978499
    comp = float(result.model.weights[0]), result.model.bias
    assert ref == tutorial_neuron(1000)
    assert distance(comp, ref) <= 1e-12
    if result.engine in EXACT:
        assert comp == ref
    np.testing.assert_allclose(result.loss_history[[0, 100, 200, 900]], [1.0155, 0.2670, 0.1557, 0.0291], atol=5e-5)
    assert result.loss_history.shape == (1000,)
    assert result.model.predict_proba([2.5]) == pytest.approx(0.5614, abs=5e-5)
    assert result.model.predict([2.5]) == 1


def test_the_rule_is_at_least_the_threshold():
    result = train_neuron([1, 2], [0, 1], epochs=1)
    result.model.weights[:], result.model.bias = 0.0, 0.0
    assert result.model.predict_proba([5.0]) == 0.5
    assert result.model.predict([5.0]) == 1


def test_one_row_by_hand(engine):
    """Row (3, label 1) from weight 0.1 and bias 0: z = 0.3, prediction 0.57444, error -0.42556."""
    result = train_neuron([[3.0], [3.0]], [1, 0], weights=0.1, learning_rate=0.1, epochs=1, engine=engine)
    w, b, total = 0.1, 0.0, 0.0
    for actual in (1, 0):
        error = 1 / (1 + math.exp(-(3.0 * w + b))) - actual
        total += error * error
        w, b = w - 0.1 * error * 3.0, b - 0.1 * error
    assert result.model.weights[0] == pytest.approx(w, rel=1e-15)
    assert result.model.bias == pytest.approx(b, rel=1e-15)
    assert result.loss_history[0] == pytest.approx(total, rel=1e-15)


def tutorial_network(epochs):
    """The second tutorial's NumPy code: the oracle for the network."""
    X, y, _ = height_weight()
    y = y.reshape(-1, 1)
    draw = np.random.RandomState(42)
    W1, W2 = draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3
    b1, b2 = np.zeros((1, 4)), np.zeros((1, 1))
    losses = []
    for _ in range(epochs):
        a1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
        out = 1 / (1 + np.exp(-(a1 @ W2 + b2)))
        losses.append(float(-np.mean(y * np.log(out) + (1 - y) * np.log(1 - out))))
        dz2 = out - y
        dz1 = (dz2 @ W2.T) * a1 * (1 - a1)
        W2 -= 0.15 * (a1.T @ dz2 / 4)
        b2 -= 0.15 * dz2.mean(axis=0, keepdims=True)
        W1 -= 0.15 * (X.T @ dz1 / 4)
        b1 -= 0.15 * dz1.mean(axis=0, keepdims=True)
    return losses, W1, b1, W2, b2


def test_height_and_weight(engine):
    X, y, _ = height_weight()
    result = train_mlp(X, y, hidden=(4,), learning_rate=0.15, epochs=4000, seed=42, engine=engine)
    losses, W1, b1, W2, b2 = tutorial_network(4000)
    np.testing.assert_allclose(result.loss_history, losses, rtol=1e-10)
    np.testing.assert_allclose(result.loss_history[[0, 400, 3600]], [0.7805, 0.0202, 0.0021], atol=5e-5)
    for comp, ref in zip([*result.model.weights, *result.model.biases], [W1, W2, b1, b2], strict=True):
        assert distance(comp.ravel(), ref.ravel()) <= 1e-10
    np.testing.assert_allclose(result.model.predict_proba(X), [0.0025, 0.9986, 0.9986, 0.0023], atol=5e-5)
    assert result.model.predict_proba([1, 5]) == pytest.approx(0.9980, abs=5e-5)


def test_weights_given_are_the_weights_drawn(engine):
    X, y, _ = height_weight()
    draw = np.random.RandomState(42)
    weights = [draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3]
    ref = train_mlp(X, y, seed=42, epochs=50, engine=engine)
    comp = train_mlp(X, y, weights=weights, biases=[np.zeros(4), np.zeros(1)], epochs=50, engine=engine)
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
    assert comp.seed is None


def test_four_students_are_the_dataset():
    X, y, names = study_hours()
    assert X.tolist() == [[1], [2], [3], [4]]
    assert y.tolist() == [0, 0, 1, 1]
    assert names == ["study_hours"]
