"""Checks against what is not this package: rows worked by hand, finite differences, scikit-learn, PyTorch.

Each takes an engine and raises AssertionError where the engine's kernels are wrong. The tests run them on every engine
as it is, and on engines with a planted mistake; a mistake that the reference and its twins shared would be found here.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tinynet_fast.models import flatten, layer_table, unflatten
from tinynet_fast.proof.validation import NetworkProblem, NeuronProblem, RegularizedProblem, distance
from tinynet_fast.training.optimizer import Optimizer

SHAPES = ((3, 4, 1), (2, 3, 2, 1), (3, 2, 4, 3, 1))
ACTIVATIONS = ("sigmoid", "tanh", "relu")


# --- by hand ----------------------------------------------------------------------------------------------------------


def two_rows_by_hand(engine):
    """Two rows, two inputs, steps of 0.5 and 0.25, each number written out."""
    X, y = np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([0.0, 1.0])
    problem = NeuronProblem(X, y, np.array([0.5, 0.25]), np.array([0.2, -0.4]), 0.1, epochs=1, block=2)
    # Row 0: z = 0.2 - 0.8 + 0.1 = -0.5, prediction p, error p - 0, nudge p / 2
    p = 1 / (1 + math.exp(0.5))
    w0, w1, b = 0.2 - p / 2 * 1.0, -0.4 - p / 2 * 2.0, 0.1 - p / 2
    # Row 1: z = -w0 + w1 / 2 + b, error q - 1, nudge (q - 1) / 4
    q = 1 / (1 + math.exp(w0 - 0.5 * w1 - b))
    nudge = (q - 1) / 4
    params, losses = problem.solve(engine)
    assert params == pytest.approx([w0 + nudge, w1 - nudge * 0.5, b - nudge], rel=1e-14)
    assert losses == pytest.approx([p * p + (q - 1) ** 2], rel=1e-14)


def four_students(engine):
    """The tutorial's four rows for 1,000 epochs, in blocks of three rows and all in one call."""
    X, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0.0, 0.0, 1.0, 1.0])
    for block in (3, 4):
        problem = NeuronProblem(X, y, np.full(4, 0.1), np.array([0.1]), 0.0, epochs=1000, block=block)
        params, losses = problem.solve(engine)
        assert params == pytest.approx([4.3018685464211535, -10.50801155978499], rel=1e-12)
        assert losses[[0, 100, 200, 900]] == pytest.approx([1.0155, 0.2670, 0.1557, 0.0291], abs=5e-5)


def network_by_hand(engine):
    """One row through 1-1-1: z1 = 0.5 * 2 + 0.1, a = tanh(z1), z2 = 1.5 a - 0.2, and the chain rule back."""
    X, y, params = np.array([[2.0]]), np.array([1.0]), np.array([0.5, 0.1, 1.5, -0.2])
    problem = NetworkProblem(X, y, (1, 1, 1), "tanh", params, 1, Optimizer(0.1), epochs=1)
    a = math.tanh(0.5 * 2.0 + 0.1)
    p = 1 / (1 + math.exp(-(1.5 * a - 0.2)))
    d2 = p - 1.0
    d1 = d2 * 1.5 * (1 - a * a)
    comp, losses = problem.solve(engine)
    assert comp == pytest.approx([0.5 - 0.1 * d1 * 2.0, 0.1 - 0.1 * d1, 1.5 - 0.1 * d2 * a, -0.2 - 0.1 * d2], rel=1e-14)
    assert losses == pytest.approx([-math.log(p)], rel=1e-14)


def regularized_by_hand(engine):
    """Two rows of one input: l2 shrinks first, and the mean is of the weights after each row."""
    plan = np.array([[0.5, 0.9, 0.0, 1.0], [0.25, 0.8, 0.0, 0.5]])
    e = 1 / (1 + math.exp(-0.4)) - 1.0
    w, b = 0.9 * 0.3 - 0.5 * e, 0.1 - 0.5 * e
    e = 1 / (1 + math.exp(-(2.0 * w + b)))
    after, bias = 0.8 * w - 0.25 * e * 2.0, b - 0.25 * e
    problem = RegularizedProblem(
        np.array([[1.0], [2.0]]), np.array([1.0, 0.0]), plan, 0, np.array([0.3]), 0.1, epochs=1, block=2
    )
    state, _ = problem.solve(engine)
    assert state == pytest.approx([after, bias, (w + after) / 2, (b + bias) / 2, 0.0, 0.0], rel=1e-14)


def regularized_l1_by_hand(engine):
    """Two rows of one input: l2 shrinks first, the mean is taken, l1 stops at zero and remembers what it is owed."""
    plan = np.array([[0.5, 0.9, 0.05, 1.0], [0.5, 0.8, 0.7, 0.5]])
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 0.0])
    e = 1 / (1 + math.exp(-0.4)) - 1.0
    w, b = 0.9 * 0.3 - 0.5 * e, 0.1 - 0.5 * e
    mean_w, mean_b = w, b
    w -= 0.05  # all of it is paid
    e = 1 / (1 + math.exp(-(2.0 * w + b)))
    before = 0.8 * w - 0.5 * e * 2.0
    b -= 0.5 * e
    mean_w, mean_b = (mean_w + before) / 2, (mean_b + b) / 2
    assert -0.7 < before < 0.0  # 0.75 is owed, 0.05 paid while the weight was positive; now it is pulled up to zero
    after = min(0.0, before + (0.75 - -0.05))
    paid = after - before - 0.05
    for sign in (
        1.0,
        -1.0,
    ):  # mirrored: the same sums, and the weight comes to zero from the other side
        problem = RegularizedProblem(sign * X, y, plan, 0, np.array([sign * 0.3]), 0.1, epochs=1, block=2)
        state, _ = problem.solve(engine)
        assert state == pytest.approx([sign * after, b, sign * mean_w, mean_b, sign * paid, 0.75], rel=1e-13)


# --- finite differences -----------------------------------------------------------------------------------------------


def slopes(loss, at, h=1e-6):
    """The gradient of `loss` by central differences."""
    at = np.asarray(at, dtype=float)
    steps = h * np.eye(len(at))
    return np.array([(loss(at + step) - loss(at - step)) / (2 * h) for step in steps])


def neuron_gradient(engine):
    """A row's update over minus its step is the slope of the row's cross-entropy at the weights before."""
    rng = np.random.default_rng(1)
    for d in (1, 2, 5):
        for actual in (0.0, 1.0):
            x, at = rng.standard_normal(d), rng.standard_normal(d + 1)

            def loss(params, x=x, actual=actual):
                p = 1 / (1 + np.exp(-(x @ params[:-1] + params[-1])))
                return -(actual * np.log(p) + (1 - actual) * np.log(1 - p))

            step = np.array([0.01])
            problem = NeuronProblem(x[np.newaxis], np.array([actual]), step, at[:-1], at[-1], epochs=1, block=1)
            params, _ = problem.solve(engine)
            np.testing.assert_allclose((at - params) / 0.01, slopes(loss, at), rtol=1e-6, atol=1e-8)


def squared_error_gradient(engine):
    """With that loss a row's update over minus its step is the slope of the squared error of the prediction."""
    rng = np.random.default_rng(4)
    for actual in (0.0, 1.0):
        x, at = rng.standard_normal(3), rng.standard_normal(4)

        def loss(params, x=x, actual=actual):
            return (1 / (1 + np.exp(-(x @ params[:-1] + params[-1]))) - actual) ** 2

        plan = np.array([[0.01, 1.0, 0.0, 0.0]])
        problem = RegularizedProblem(x[np.newaxis], np.array([actual]), plan, 1, at[:-1], at[-1], epochs=1, block=1)
        comp, losses = problem.solve(engine)
        np.testing.assert_allclose((at - comp[:4]) / 0.01, slopes(loss, at), rtol=1e-6, atol=1e-8)
        assert losses[0] == pytest.approx(loss(at), rel=1e-12)


def mean_loss(params, X, y, sizes, activation):
    """Mean cross-entropy of a network, in NumPy and from the definition."""
    weights, biases = unflatten(params, layer_table(sizes, activation))
    act = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[activation]
    a = X
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        a = act(a @ w + b)
    p = 1 / (1 + np.exp(-(a @ weights[-1] + biases[-1])[:, 0]))
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def network_problem(sizes, activation, n=5, seed=2, **options):
    rng = np.random.default_rng(seed)
    params = rng.standard_normal(sum((a + 1) * b for a, b in pairwise(sizes)))
    X, y = rng.standard_normal((n, sizes[0])), (np.arange(n) % 2).astype(float)
    return NetworkProblem(X, y, sizes, activation, params, options.pop("batch_size", n), **options)


def network_gradient(engine):
    """A batch's update over minus the rate is the slope of the batch's mean cross-entropy."""
    for sizes in SHAPES:
        for activation in ACTIVATIONS:
            problem = network_problem(sizes, activation, steps=Optimizer(0.01), epochs=1)
            params, losses = problem.solve(engine)

            def loss(at, problem=problem, activation=activation):
                return mean_loss(at, problem.X, problem.y, problem.sizes, activation)

            ref = slopes(loss, problem.params)
            np.testing.assert_allclose((problem.params - params) / 0.01, ref, rtol=1e-5, atol=1e-7)
            assert losses[0] / len(problem.y) == pytest.approx(loss(problem.params), rel=1e-12)


# --- other people's programs ------------------------------------------------------------------------------------------


def sgd_classifier(engine, problems=10):
    """scikit-learn's SGDClassifier, epoch by epoch: the largest norm-wise difference seen."""
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    worst = 0.0
    for seed in range(problems):
        rng = np.random.default_rng(seed)
        n, d = int(rng.integers(20, 300)), int(rng.integers(1, 20))
        X, rate = rng.standard_normal((n, d)), 10.0 ** rng.uniform(-4, -0.5)
        y = (rng.random(n) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
        peer = linear.SGDClassifier(
            loss="log_loss", penalty=None, learning_rate="constant", eta0=rate, shuffle=False, tol=None
        )
        for epochs in range(1, 4):
            peer.partial_fit(X, y, classes=[0, 1])
            problem = NeuronProblem(X, y, np.full(n, rate), np.zeros(d), 0.0, epochs=epochs, block=n)
            comp, _ = problem.solve(engine)
            worst = max(worst, distance(comp, np.append(peer.coef_, peer.intercept_)))
    assert worst <= 1e-12
    return worst


# Averaging together with l1 is not here: scikit-learn's averaged weights then leave out what the penalty did between
# the rows and are not the mean of its weights. Ours are; `regularized_by_hand` and the test beside it hold that.
SGD_OPTIONS = {
    "l2": ({"penalty": "l2", "alpha": 0.01}, {"l2": 0.01}),
    "l1": ({"penalty": "l1", "alpha": 0.01}, {"l1": 0.01}),
    "elastic net": ({"penalty": "elasticnet", "alpha": 0.01, "l1_ratio": 0.25}, {"l2": 0.0075, "l1": 0.0025}),
    "averaged": ({"penalty": None, "average": True}, {"average": True}),
    "averaged from row 700, l2": ({"penalty": "l2", "alpha": 0.01, "average": 700}, {"l2": 0.01, "average": 700}),
    "invscaling": ({"penalty": None, "learning_rate": "invscaling"}, {"schedule": "invscaling"}),
    "invscaling, 0.25": (
        {"penalty": None, "learning_rate": "invscaling", "power_t": 0.25},
        {"schedule": "invscaling", "power_t": 0.25},
    ),
    "optimal": ({"penalty": "l2", "alpha": 1e-3, "learning_rate": "optimal"}, {"l2": 1e-3, "schedule": "optimal"}),
    "all at once": (
        {"penalty": "l2", "alpha": 0.01, "learning_rate": "invscaling", "average": 50},
        {"l2": 0.01, "schedule": "invscaling", "average": 50},
    ),
}


def sgd_classifier_options(train, name, weighted):
    """`train_neuron` with an option against scikit-learn's SGDClassifier, after three epochs, unshuffled."""
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    theirs, ours = SGD_OPTIONS[name]
    rng = np.random.default_rng(5)
    X = rng.standard_normal((400, 6))
    y = (rng.random(400) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    sample_weight = rng.random(400) * (rng.random(400) < 0.9) if weighted else None
    settings = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.05, "shuffle": False, "max_iter": 3}
    peer = linear.SGDClassifier(tol=None, **settings | theirs).fit(X, y, sample_weight=sample_weight)
    result = train(X, y, learning_rate=0.05, epochs=3, sample_weight=sample_weight, **ours)
    comp = np.append(result.model.weights, result.model.bias)
    return distance(comp, np.append(peer.coef_, peer.intercept_))


def torch_network(engine, steps=500):
    """PyTorch in float64: weights after `steps` updates, full batch and mini-batch; the largest difference seen."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    worst = 0.0
    for sizes, activation, batch in zip(SHAPES, ACTIVATIONS, (24, 8, 5), strict=True):
        problem = network_problem(sizes, activation, n=24, batch_size=batch, block=24)
        layers = layer_table(sizes, activation)
        weights, biases = unflatten(problem.params, layers)
        w = [torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in weights]
        b = [torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in biases]
        X, y = torch.tensor(problem.X), torch.tensor(problem.y)
        optimizer = torch.optim.SGD([*w, *b], lr=0.05)
        batches = -(-24 // batch)
        epochs = -(-steps // batches)
        for _ in range(epochs):
            for start in range(0, 24, batch):
                a = X[start : start + batch]
                for k in range(len(w) - 1):
                    a = getattr(torch, activation)(a @ w[k] + b[k])
                z = (a @ w[-1] + b[-1])[:, 0]
                loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y[start : start + batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        trained = replace(problem, epochs=epochs)
        ref = flatten([part.detach().numpy() for part in w], [part.detach().numpy() for part in b])
        worst = max(worst, distance(trained.solve(engine)[0], ref))
    assert worst <= 1e-10
    return worst


BY_HAND = (
    two_rows_by_hand,
    four_students,
    regularized_by_hand,
    regularized_l1_by_hand,
    network_by_hand,
    neuron_gradient,
    squared_error_gradient,
    network_gradient,
)
LEFT_TO_STRICT = (regularized_l1_by_hand, squared_error_gradient)  # by the fast engine
