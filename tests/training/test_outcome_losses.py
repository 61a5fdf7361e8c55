"""For every loss: a warning if a model is worse than the best constant answer, and none if it is useful."""

import warnings

import numpy as np
import pytest

from tinynet_fast import Neuron, TrainingWarning, train_neuron
from tinynet_fast.errors import rounded_down
from tinynet_fast.training.look import _best_constant, look, loss_of_constant
from tinynet_fast.training.losses import choose_loss

LOSSES = {
    "squared_error": {},
    "huber": {"delta": 0.7},
    "absolute_error": {},
    "quantile": {"quantile": 0.2},
    "poisson": {},
}
WORDS = {
    "squared_error": "the mean of y",
    "huber": "the median of y",
    "absolute_error": "the median of y",
    "quantile": "the 0.2 quantile of y",
    "poisson": "the mean of y",
}


@pytest.fixture(scope="module")
def rows():
    """2,000 rows of three inputs, and a count that depends on the first."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 3))
    return X, rng.poisson(np.exp(0.7 * X[:, 0] + 1.0)).astype(float)


def messages(train, *arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(*arguments, **options)
    assert all(issubclass(warning.category, TrainingWarning) for warning in caught)
    return [str(warning.message) for warning in caught]


def blocks(X, y):
    return lambda: ((X[i : i + 300], y[i : i + 300]) for i in range(0, len(X), 300))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_useful_and_useless_models_of_numbers(loss, streamed, rows):
    X, y = rows
    options = {"output": "linear", "loss": loss, **LOSSES[loss]}

    def train(y, **more):
        return messages(train_neuron, *((blocks(X, y),) if streamed else (X, y)), **options | more)

    assert train(y, learning_rate=0.01, epochs=5) == []
    (message,) = train(y, learning_rate=1e-12, epochs=1, bias=-3.0 if loss != "poisson" else 4.0)
    assert "the model gives the same answer for every row" in message
    (message,) = train(y, learning_rate=1e-9, epochs=1, weights=[3.0, -2.0, 1.0])
    assert f"the model is worse than always answering {WORDS[loss]}" in message


def best_constant(y, loss):
    """The least mean loss of a constant, by trying 20,001 of them."""
    shape = loss.shape
    tried = np.linspace(y.min(), y.max(), 20_001)[:, np.newaxis]
    error = tried - y
    if loss.name == "squared_error":
        return (error**2).mean(axis=1).min()
    if loss.name == "absolute_error":
        return np.abs(error).mean(axis=1).min()
    if loss.name == "quantile":
        return np.maximum((1 - shape) * error, -shape * error).mean(axis=1).min()
    if loss.name == "huber":
        small = np.abs(error) <= shape
        return np.where(small, 0.5 * error**2, shape * (np.abs(error) - 0.5 * shape)).mean(axis=1).min()
    tried = np.maximum(tried, 1e-9)
    return (tried - y * np.log(tried)).mean(axis=1).min()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_best_constant(loss, rows):
    _, y = rows
    y = y[:201]
    chosen = choose_loss(loss, "linear", **LOSSES[loss])
    comp, ref = loss_of_constant(y, chosen), best_constant(y, chosen)
    assert comp == pytest.approx(ref, rel=0.02 if loss == "huber" else 1e-6)
    assert comp >= ref - 1e-6 * abs(ref)
    several = np.column_stack([y, 2.0 * y])
    twice = loss_of_constant(2.0 * y, chosen)
    assert loss_of_constant(several, chosen) == pytest.approx(comp + twice, rel=1e-12)


def test_the_best_constant_of_a_quantile_that_no_row_reaches():
    """Shares whose sum is a little below 1: the last number is the answer."""
    y, shares = np.array([3.0, 1.0, 2.0]), np.array([0.3, 0.3, 0.3])
    assert _best_constant(y, shares, choose_loss("quantile", "linear", quantile=0.95)) == 3.0
    assert _best_constant(y, shares, choose_loss("quantile", "linear", quantile=0.2)) == 1.0


def test_weights_move_the_best_constant():
    """By hand: the numbers 0, 1, 5 with the weights 1, 1, 2 have the mean 11/4 and the median 1."""
    X, y, weights = np.zeros((30, 1)), np.tile([0.0, 1.0, 5.0], 10), np.tile([1.0, 1.0, 2.0], 10)
    zero = Neuron(weights=[0.0], output="linear")
    seen = look(zero, [(X, y, weights)], choose_loss("squared_error", "linear"))
    assert seen.loss_of_constant == pytest.approx(np.average((y - 11 / 4) ** 2, weights=weights))
    assert seen.loss == pytest.approx(np.average(y**2, weights=weights))
    seen = look(zero, [(X, y, weights)], choose_loss("absolute_error", "linear"))
    assert seen.loss_of_constant == pytest.approx(np.average(np.abs(y - 1.0), weights=weights))


def test_overshooting_steps_have_the_bound_of_their_loss():
    """Half the squared error of a number has a second derivative of 1, so steps are safe up to 2 and not 8."""
    rng = np.random.default_rng(1)
    X = 30.0 * rng.standard_normal((200, 2))
    y = rng.standard_normal(200)
    largest = np.max((X * X).sum(axis=1) + 1.0)
    options = {"output": "linear", "epochs": 1}
    (message,) = messages(train_neuron, X, y, learning_rate=3.9 / largest, **options)
    assert "learning_rate * (|x|**2 + 1) is above 2 for" in message
    assert f"learning_rate={rounded_down(2.0 / largest, 2)} is safe too" in message
    assert "standardize=True" in message


def test_large_numbers_are_to_be_standardised(rows):
    X, y = rows
    options = {"output": "linear", "loss": "huber", "learning_rate": 0.01, "epochs": 1}
    (message,) = messages(train_neuron, X, 1e4 * (5.0 + y), **options)
    assert "The numbers in y are large: standardise them too, with standardize_y=True" in message
    assert messages(train_neuron, X, 1e4 * (5.0 + y), standardize_y=True, **options) == []
    (message,) = messages(
        train_neuron, X, y, standardize_y=True, weights=[3.0, -2.0, 1.0], **options | {"learning_rate": 1e-9}
    )
    assert "(of the standardised y)" in message
    assert "these inputs do not tell how large y is" in message


def test_several_numbers_and_a_constant_one(rows):
    X, y = rows
    Y = np.column_stack([y, -y])
    options = {"output": "linear", "learning_rate": 0.01, "epochs": 3}
    assert messages(train_neuron, X, Y, **options) == []
    (message,) = messages(train_neuron, X, Y, **options | {"learning_rate": 1e-9}, weights=5.0)
    assert "is worse than always answering the mean of y" in message
    (message,) = messages(train_neuron, X, 0.0 * y + 3.0, **options)
    assert "y is 3.0 in every row" in message


@pytest.mark.parametrize("loss", ["hinge", "focal", "log_loss", "squared_error"])
@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("streamed", [False, True])
def test_losses_of_labels(loss, n_labels, streamed, rows):
    X, _ = rows
    y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [1.0] if n_labels == 2 else [-0.5, 1.0])
    options = {"loss": loss, "output": "one_vs_rest" if n_labels == 3 else None, "labels": range(n_labels)}

    def train(**more):
        return messages(train_neuron, *((blocks(X, y),) if streamed else (X, y)), **options | more)

    assert train(learning_rate=0.05, epochs=5) == []
    (message,) = train(learning_rate=1e-9, epochs=1, weights=[-5.0, 0.0, 4.0])
    constant = "the more frequent label" if loss == "hinge" else "the labels' shares"
    assert f"the model is worse than always answering {constant}" in message
    assert "these inputs do not tell the labels apart" in message


def test_rows_weighted_by_their_labels_are_judged_with_these_weights(rows):
    """Balanced weights make a rare label as heavy as the others: always answering the rare one is then no worse."""
    X, _ = rows
    y = (X[:, 0] > 1.5).astype(int)
    for given in ((X, y), (blocks(X, y),)):
        assert messages(train_neuron, *given, class_weight="balanced", learning_rate=0.05, epochs=5) == []
