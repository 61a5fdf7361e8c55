"""Checks against what is not this package: rows worked by hand and finite differences. `peer_oracles.py` has more.

Each takes an engine and raises AssertionError where the engine's kernels are wrong. The tests run them on every engine
as it is, and on engines with a planted mistake; a mistake that the reference and its twins shared would be found here.
"""

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest

from tinynet_fast.kernels.point_functions import (
    ABSOLUTE_ERROR,
    CLIPPED_LOG_LOSS,
    FOCAL,
    HINGE,
    HUBER,
    LEAST,
    LEAST_SQUARES,
    POISSON,
    QUANTILE,
)
from tinynet_fast.models.layers import flatten, layer_table, unflatten
from tinynet_fast.proof.problems import NetworkProblem, NeuronProblem, RegularizedProblem, can_solve
from tinynet_fast.training.optimizer import Optimizer

SHAPES = ((3, 4, 1), (2, 3, 2, 1), (3, 2, 4, 3, 1))
ACTIVATIONS = {  # from the papers, in NumPy
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.maximum(z, 0) + 0.01 * np.minimum(z, 0),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "identity": lambda z: z,
}
EACH_OUTPUT = {  # losses of sums z and of what is true, y: the option's name, the output, the shape, and the formula
    LEAST_SQUARES: ("linear", 0.0, lambda z, y, q: (z - y) ** 2),
    HUBER: ("linear", 0.6, lambda z, y, q: np.where(abs(z - y) <= q, (z - y) ** 2 / 2, q * (abs(z - y) - q / 2))),
    ABSOLUTE_ERROR: ("linear", 0.0, lambda z, y, q: abs(z - y)),
    QUANTILE: ("linear", 0.8, lambda z, y, q: np.where(y > z, q * (y - z), (1 - q) * (z - y))),
    POISSON: ("exp", 0.0, lambda z, y, q: np.exp(z) - y * z),
    HINGE: ("margin", 0.0, lambda z, y, q: np.maximum(0, 1 - (2 * y - 1) * z)),
    FOCAL: ("sigmoid", 1.5, lambda z, y, q: -((1 - right(z, y)) ** q) * np.log(right(z, y))),
    CLIPPED_LOG_LOSS: ("sigmoid", LEAST, lambda z, y, q: -np.log(np.clip(right(z, y), q, 1 - q))),
}


def right(z, y):
    """The probability of the true label."""
    return 1 / (1 + np.exp((1 - 2 * y) * z))


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
    schedule = np.array([[0.5, 0.9, 0.0, 1.0], [0.25, 0.8, 0.0, 0.5]])
    e = 1 / (1 + math.exp(-0.4)) - 1.0
    w, b = 0.9 * 0.3 - 0.5 * e, 0.1 - 0.5 * e
    e = 1 / (1 + math.exp(-(2.0 * w + b)))
    after, bias = 0.8 * w - 0.25 * e * 2.0, b - 0.25 * e
    problem = RegularizedProblem(
        np.array([[1.0], [2.0]]), np.array([1.0, 0.0]), schedule, 0, np.array([0.3]), 0.1, epochs=1, block=2
    )
    state, _ = problem.solve(engine)
    assert state == pytest.approx([after, bias, (w + after) / 2, (b + bias) / 2, 0.0, 0.0], rel=1e-14)


def regularized_l1_by_hand(engine):
    """Two rows of one input: l2 shrinks first, the mean is taken, l1 stops at zero and remembers what it is owed."""
    schedule = np.array([[0.5, 0.9, 0.05, 1.0], [0.5, 0.8, 0.7, 0.5]])
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
        problem = RegularizedProblem(sign * X, y, schedule, 0, np.array([sign * 0.3]), 0.1, epochs=1, block=2)
        state, _ = problem.solve(engine)
        assert state == pytest.approx([sign * after, b, sign * mean_w, mean_b, sign * paid, 0.75], rel=1e-13)


def regularized_bias_by_hand(engine):
    """Two rows of one input, whose bias moves a hundredth as far as the step says."""
    e = 1 / (1 + math.exp(-0.4)) - 1.0
    w, b = 0.3 - 0.5 * e, 0.1 - 0.01 * 0.5 * e
    e = 1 / (1 + math.exp(-(2.0 * w + b)))
    after, bias = w - 0.25 * e * 2.0, b - 0.01 * 0.25 * e
    schedule = np.array([[0.5, 1.0, 0.0, 1.0], [0.25, 1.0, 0.0, 0.5]])
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 0.0])
    problem = RegularizedProblem(X, y, schedule, 0, np.array([0.3]), 0.1, epochs=1, block=2, bias_scale=0.01)
    state, _ = problem.solve(engine)
    assert state == pytest.approx([after, bias, (w + after) / 2, (b + bias) / 2, 0.0, 0.0], rel=1e-14)


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

        schedule = np.array([[0.01, 1.0, 0.0, 0.0]])
        problem = RegularizedProblem(x[np.newaxis], np.array([actual]), schedule, 1, at[:-1], at[-1], epochs=1, block=1)
        comp, losses = problem.solve(engine)
        np.testing.assert_allclose((at - comp[:4]) / 0.01, slopes(loss, at), rtol=1e-6, atol=1e-8)
        assert losses[0] == pytest.approx(loss(at), rel=1e-12)


def mean_loss(params, problem):
    """The weighted mean loss of a network's problem, in NumPy and from the definition."""
    weights, biases = unflatten(params, layer_table(problem.sizes, problem.activation))
    a, first = problem.X, 0
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        a = ACTIVATIONS[problem.activation](a @ w + b)
        if problem.mask is not None:
            a = a * problem.mask[:, first : first + len(b)]
        first += len(b)
    z, y = a @ weights[-1] + biases[-1], problem.y.astype(int)
    weight = np.ones(len(y)) if problem.weight is None else problem.weight
    if problem.loss in EACH_OUTPUT:
        losses = EACH_OUTPUT[problem.loss][2](z, problem.y.reshape(z.shape), problem.shape).sum(axis=1)
    elif z.shape[1] > 1:
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        losses = -np.log(p[np.arange(len(y)), y])
    else:
        p = 1 / (1 + np.exp(-z[:, 0]))
        losses = (p - y) ** 2 if problem.loss else np.logaddexp(0, (1 - 2 * y) * z[:, 0])
    return float((weight * losses).sum() / weight.sum())


def network_problem(sizes, activation, n=5, seed=2, **options):
    """A few normal rows of each class; `weighted` and `masked` ask for sample weights and for dropout's factors."""
    rng = np.random.default_rng(seed)
    params = rng.standard_normal(sum((a + 1) * b for a, b in pairwise(sizes)))
    X, y = rng.standard_normal((n, sizes[0])), (np.arange(n) % max(2, sizes[-1])).astype(float)
    if options.pop("weighted", False):
        options["weight"] = rng.random(n) + 0.5
    if options.pop("masked", False):
        options["mask"] = (rng.random((n, sum(sizes[1:-1]))) < 0.6) / 0.6
    if options.get("loss") in EACH_OUTPUT:
        options["output"], options["shape"], _ = EACH_OUTPUT[options["loss"]]
        y = (rng.random((n, sizes[-1])) < 0.5).astype(float)
        if options["output"] in ("linear", "exp"):
            y = rng.standard_normal(y.shape) if options["output"] == "linear" else rng.poisson(2.0, y.shape) + 0.0
            params *= 0.5
    return NetworkProblem(X, y, sizes, activation, params, options.pop("batch_size", n), **options)


def network_gradient(engine):
    """A batch's update over minus the rate is the slope of the batch's weighted mean loss."""
    kinds = [{}, {"loss": 1}, {"weighted": True}, {"masked": True}, {"loss": 1, "weighted": True, "masked": True}]
    for sizes in (*SHAPES, (3, 4, 3), (2, 3, 2, 4)):
        for activation, kind in product(ACTIVATIONS, kinds):
            if sizes[-1] > 1 and kind.get("loss"):
                continue
            problem = network_problem(sizes, activation, steps=Optimizer(0.01), epochs=1, **kind)
            params, losses = problem.solve(engine)
            ref = slopes(partial(mean_loss, problem=problem), problem.params)
            np.testing.assert_allclose((problem.params - params) / 0.01, ref, rtol=1e-5, atol=1e-7)
            total = len(problem.y) if problem.weight is None else problem.weight.sum()
            assert losses[0] / total == pytest.approx(mean_loss(problem.params, problem), rel=1e-12)


def network_losses(engine):
    """The same for each loss that an output can have, one output and three; the squared error steps along its half."""
    for loss, outputs, activation in product(EACH_OUTPUT, (1, 3), ACTIVATIONS):
        for sizes, weighted in (((2, 3, outputs), False), ((3, 4, 2, outputs), True)):
            kind = {"loss": loss, "weighted": weighted, "masked": weighted, "seed": 5 + loss}
            problem = network_problem(sizes, activation, steps=Optimizer(0.01), epochs=1, **kind)
            if not can_solve(engine, problem):
                continue
            params, losses = problem.solve(engine)
            ref = slopes(partial(mean_loss, problem=problem), problem.params) * (0.5 if loss == LEAST_SQUARES else 1.0)
            np.testing.assert_allclose((problem.params - params) / 0.01, ref, rtol=1e-5, atol=1e-7)
            total = len(problem.y) if problem.weight is None else problem.weight.sum()
            assert losses[0] / total == pytest.approx(mean_loss(problem.params, problem), rel=1e-12)


STEPS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "Nesterov's momentum": {"momentum": 0.8, "nesterov": True},
    "l2": {"l2": 0.1},
    "weight decay": {"weight_decay": 0.5},
    "momentum, l2, weight decay": {"momentum": 0.5, "l2": 0.1, "weight_decay": 0.2},
    "adam": {"name": "adam"},
    "adam, other betas": {"name": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    "adamw": {"name": "adam", "weight_decay": 0.3, "l2": 0.05},
    "invscaling": {"schedule": "invscaling", "power_t": 0.7},
    "adam, cosine": {"name": "adam", "schedule": "cosine"},
    "rmsprop": {"name": "rmsprop"},
    "rmsprop, another share, l2, weight decay": {
        "name": "rmsprop",
        "beta_2": 0.9,
        "epsilon": 1e-3,
        "l2": 0.05,
        "weight_decay": 0.3,
    },
    "adagrad": {"name": "adagrad"},
    "adagrad, invscaling, l2": {
        "name": "adagrad",
        "epsilon": 1e-2,
        "schedule": "invscaling",
        "power_t": 0.7,
        "l2": 0.1,
    },
}


def network_steps(engine):
    """Four updates of every optimizer, with slopes for gradients and the papers' formulas for steps."""
    for options in STEPS.values():
        steps = Optimizer(0.05, **options)
        steps.schedule.updates = 4
        problem = network_problem((2, 3, 1), "tanh", n=6, batch_size=3, steps=steps, epochs=2, block=2)
        w, b = unflatten(np.ones_like(problem.params), layer_table(problem.sizes, "tanh"))
        is_weight = flatten(w, [np.zeros_like(part) for part in b])
        at, v, m, s = problem.params.copy(), 0.0, 0.0, 0.0
        for t in range(1, 5):
            part = slice(0, 3) if t % 2 else slice(3, 6)
            batch = replace(problem, X=problem.X[part], y=problem.y[part])
            g = slopes(partial(mean_loss, problem=batch), at) + options.get("l2", 0.0) * at * is_weight
            rate = {"invscaling": 0.05 / t**0.7, "cosine": 0.05 * (1 + math.cos(math.pi * (t - 1) / 4)) / 2}.get(
                options.get("schedule"), 0.05
            )
            at = at - rate * options.get("weight_decay", 0.0) * at * is_weight
            if options.get("name") == "adam":
                b1, b2 = options.get("beta_1", 0.9), options.get("beta_2", 0.999)
                m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g * g
                at = at - rate * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + options.get("epsilon", 1e-8))
            elif options.get("name") in ("rmsprop", "adagrad"):
                b2 = options.get("beta_2", 0.999)
                s = b2 * s + (1 - b2) * g * g if options["name"] == "rmsprop" else s + g * g
                at = at - rate * g / (np.sqrt(s) + options.get("epsilon", 1e-8))
            else:
                mu = options.get("momentum", 0.0)
                v = mu * v - rate * g
                at = at + (mu * v - rate * g if options.get("nesterov") else v)
        comp, _ = problem.solve(engine)
        np.testing.assert_allclose(comp, at, rtol=1e-5, atol=1e-6)


BY_HAND = (
    two_rows_by_hand,
    four_students,
    regularized_by_hand,
    regularized_l1_by_hand,
    regularized_bias_by_hand,
    network_by_hand,
    neuron_gradient,
    squared_error_gradient,
    network_gradient,
    network_losses,
    network_steps,
)
LEFT_TO_STRICT = (regularized_l1_by_hand, regularized_bias_by_hand, squared_error_gradient)  # by the fast engine
