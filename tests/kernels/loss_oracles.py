"""Checks of linear neurons and of every loss against what is not this package; used as those of `oracles.py` are."""

import math

import numpy as np
import pytest
from oracles import slopes

from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.proof.problems import NeuronProblem, RegularizedProblem, can_solve
from tinynet_fast.proof.validate import distance

# The losses of one row as textbooks write them, from its sum z and its label or number y.
WRITTEN_OUT = {
    ("labels", "log_loss"): lambda z, y: math.log(1 + math.exp(-z if y else z)),
    ("labels", "squared_error"): lambda z, y: (1 / (1 + math.exp(-z)) - y) ** 2,
    ("labels", "hinge"): lambda z, y: max(0.0, 1 - (2 * y - 1) * z),
    ("labels", "focal"): lambda z, y: -((1 - _right(z, y)) ** 1.5) * math.log(_right(z, y)),
    ("linear", "squared_error"): lambda z, y: (z - y) ** 2,
    ("linear", "huber"): lambda z, y: (z - y) ** 2 / 2 if abs(z - y) < 0.7 else 0.7 * abs(z - y) - 0.245,
    ("linear", "absolute_error"): lambda z, y: abs(z - y),
    ("linear", "quantile"): lambda z, y: 0.8 * (y - z) if y > z else 0.2 * (z - y),
    ("linear", "poisson"): lambda z, y: math.exp(z) - y * z,
}
SHAPES = {"focal": 1.5, "huber": 0.7, "quantile": 0.8}
# A step follows half the squared error of a number.
HALF = {("linear", "squared_error"): 0.5}
# A neuron's history has the squared errors of these.
SQUARED = [("labels", "log_loss"), ("labels", "focal"), ("labels", "squared_error")]


def _right(z, y):
    """The probability of the true label."""
    p = 1 / (1 + math.exp(-z))
    return p if y else 1 - p


def linear_by_hand(engine):
    """Two rows, two inputs, steps of 0.1 and 0.2, each number written out; then twice as many epochs."""
    X, y = np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([3.0, -2.0])
    problem = NeuronProblem(
        X, y, np.array([0.1, 0.2]), np.array([0.2, -0.4]), 0.1, epochs=1, block=2, kernel="sgd_linear_epochs"
    )
    # Row 0: prediction 0.2 - 0.8 + 0.1 = -0.5, error -3.5, nudge -0.35
    w0, w1, b = 0.2 + 0.35, -0.4 + 0.7, 0.1 + 0.35
    # Row 1: prediction -0.55 + 0.15 + 0.45 = 0.05, error 2.05, nudge 0.41
    params, losses = problem.solve(engine)
    assert params == pytest.approx([w0 + 0.41, w1 - 0.205, b - 0.41], rel=1e-14)
    assert losses == pytest.approx([3.5**2 + 2.05**2], rel=1e-14)


def four_scores(engine):
    """Hours of study and a score of 10 + 20 * hours: the loop finds the line, and the error shrinks as it should."""
    X, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([30.0, 50.0, 70.0, 90.0])
    for block in (3, 4):
        problem = NeuronProblem(
            X, y, np.full(4, 0.05), np.zeros(1), 0.0, epochs=2000, block=block, kernel="sgd_linear_epochs"
        )
        params, losses = problem.solve(engine)
        assert params == pytest.approx([20.0, 10.0], rel=1e-9)
        assert losses[0] > 1000.0
        assert losses[-1] < 1e-15


def losses_by_hand(engine):
    """Each loss: a row's update over minus its step is the slope of the loss as it is written out above."""
    rng = np.random.default_rng(7)
    for kind, written in WRITTEN_OUT.items():
        of, name = kind
        for _ in range(6):
            x, at = rng.standard_normal(3), rng.standard_normal(4)
            y = float(rng.integers(0, 2)) if of == "labels" else float(rng.integers(0, 4))
            schedule, code = np.array([[0.01, 1.0, 0.0, 0.0]]), LOSSES[of][name].code
            problem = RegularizedProblem(
                x[np.newaxis], np.array([y]), schedule, code, at[:-1], at[-1], 1, 1, shape=SHAPES.get(name, 0.0)
            )
            if not can_solve(engine, problem):
                continue
            comp, losses = problem.solve(engine)

            def loss(params, x=x, y=y, written=written):
                return written(x @ params[:-1] + params[-1], y)

            ref = HALF.get(kind, 1.0) * slopes(loss, at)
            np.testing.assert_allclose((at - comp[:4]) / 0.01, ref, rtol=1e-6, atol=1e-8, err_msg=name)
            shown = (_right(x @ at[:-1] + at[-1], 1.0) - y) ** 2 if kind in SQUARED else loss(at)
            assert losses[0] == pytest.approx(shown, rel=1e-12), name


def torch_losses(engine):
    """Each loss: one SGD step a row in PyTorch, for 40 rows. Returns the largest norm-wise difference."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    f = torch.nn.functional
    written = {
        ("labels", "log_loss"): lambda z, y: f.binary_cross_entropy_with_logits(z, y),
        ("labels", "squared_error"): lambda z, y: f.mse_loss(torch.sigmoid(z), y),
        ("labels", "hinge"): lambda z, y: torch.relu(1 - (2 * y - 1) * z),
        ("labels", "focal"): lambda z, y: (
            (1 - torch.where(y > 0.5, torch.sigmoid(z), torch.sigmoid(-z))) ** 1.5
            * f.binary_cross_entropy_with_logits(z, y)
        ),
        ("linear", "squared_error"): lambda z, y: 0.5 * f.mse_loss(z, y),
        ("linear", "huber"): lambda z, y: f.huber_loss(z, y, delta=0.7),
        ("linear", "absolute_error"): lambda z, y: f.l1_loss(z, y),
        ("linear", "quantile"): lambda z, y: torch.maximum(0.8 * (y - z), 0.2 * (z - y)),
        ("linear", "poisson"): lambda z, y: f.poisson_nll_loss(z, y, log_input=True),
    }
    worst = 0.0
    for (of, name), loss in written.items():
        rng = np.random.default_rng(8)
        X, at = rng.standard_normal((40, 5)), rng.standard_normal(6) / 4.0
        y = rng.integers(0, 2, 40).astype(float) if of == "labels" else rng.poisson(2.0, 40) + 0.0
        schedule = np.tile([0.05, 1.0, 0.0, 0.0], (40, 1))
        problem = RegularizedProblem(
            X, y, schedule, LOSSES[of][name].code, at[:-1], at[-1], 1, 40, shape=SHAPES.get(name, 0.0)
        )
        if not can_solve(engine, problem):
            continue
        params = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        for x, target in zip(torch.tensor(X), torch.tensor(y), strict=True):
            (gradient,) = torch.autograd.grad(loss(x @ params[:-1] + params[-1], target), params)
            with torch.no_grad():
                params -= 0.05 * gradient
        worst = max(worst, distance(problem.solve(engine)[0][:6], params.detach().numpy()))
    assert worst <= 1e-12
    return worst


def sgd_estimators(engine):
    """scikit-learn's SGDRegressor and SGDClassifier at a constant rate. Returns the largest norm-wise difference."""
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    common = {"learning_rate": "constant", "shuffle": False, "tol": None, "max_iter": 3}
    peers = {
        ("linear", "squared_error"): linear.SGDRegressor("squared_error", **common),
        ("linear", "huber"): linear.SGDRegressor("huber", epsilon=0.7, **common),
        ("linear", "absolute_error"): linear.SGDRegressor("epsilon_insensitive", epsilon=0.0, **common),
        ("labels", "hinge"): linear.SGDClassifier("hinge", **common),
        ("labels", "log_loss"): linear.SGDClassifier("log_loss", **common),
    }
    worst = 0.0
    for (of, name), peer in peers.items():
        for seed, l2 in ((0, 0.0), (1, 0.05)):
            rng = np.random.default_rng(seed)
            X, rate = rng.standard_normal((200, 7)), 0.02
            y = X @ rng.standard_normal(7) + rng.standard_normal(200)
            y = (y > 0) + 0.0 if of == "labels" else y
            peer.set_params(eta0=rate, penalty="l2" if l2 else None, alpha=l2 or 1.0).fit(X, y)
            schedule = np.tile([rate, 1.0 - rate * l2, 0.0, 0.0], (200, 1))
            code, shape = LOSSES[of][name].code, SHAPES.get(name, 0.0)
            problem = RegularizedProblem(X, y, schedule, code, np.zeros(7), 0.0, 3, 200, shape=shape)
            if can_solve(engine, problem):
                worst = max(worst, distance(problem.solve(engine)[0][:8], np.append(peer.coef_, peer.intercept_)))
    assert worst <= 1e-10
    return worst


BY_HAND = (linear_by_hand, four_scores, losses_by_hand)
