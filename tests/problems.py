"""Problems for kernels, generated: every width, order of magnitude, step and block boundary worth trying."""

from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise, product

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS, LOSSES
from tinynet_fast.models.layers import ACTIVATIONS
from tinynet_fast.proof.problems import NetworkProblem, NeuronProblem, can_solve, regularized_problem
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.optimizer import OPTIMIZERS, Optimizer
from tinynet_fast.training.schedules import SMOOTH

LABELLED = [loss.code for loss in LOSSES["labels"].values()]

SEEDS = st.integers(0, 2**32 - 1)
FEWER = settings(max_examples=-(-settings.default.max_examples // 4))  # where an example takes a fifth of a second


def variants(*choices, without=()):
    """Tuples with a value of each choice, for what a kernel is compiled for, which takes a second or more for each.

    All of them in a deep run; otherwise few, of which every two values of two choices are together in one. `without`
    has pairs of values that a kernel does not take together.
    """
    every = tuple(chosen for chosen in product(*choices) if not any(set(pair) <= set(chosen) for pair in without))
    few = settings.default.max_examples < 1000
    return st.sampled_from(_pairs(every) if few else every)


@cache
def _pairs(every):
    def pairs(chosen):
        return set(combinations(enumerate(chosen), 2))

    found = []
    missing = set().union(*map(pairs, every))
    while missing:
        found.append(max(every, key=lambda chosen: len(missing & pairs(chosen))))
        missing -= pairs(found[-1])
    return found


def one_type(rng, X, kind):
    """The rows as somebody might have stored them."""
    if kind == "bool":
        return X > 0
    if kind in ("int8", "int64"):
        return np.clip(X * 3, -100, 100).astype(kind)
    with np.errstate(over="ignore"):  # a float32 may be infinite then; no problem is made of that
        return X.astype(kind)


def one_order(X, order):
    """The same rows in another place in memory."""
    if order == "F":
        return np.asfortranarray(X)
    if order == "strided":
        return np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
    if order == "reversed":
        return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    return X


@st.composite
def neuron_problems(draw, within_bound):
    """A neuron's rows and steps. Within the bound, step * (|x|^2 + 1) is at most 8 for every row; 2 for numbers."""
    rng = np.random.default_rng(draw(SEEDS))
    n, d = draw(st.integers(0, 300)), draw(st.integers(1, 70))
    scale = 10.0 ** draw(st.sampled_from([0, 0, 0, -3, 3, -160, -310, *([] if within_bound else [100, 300])]))
    X = rng.standard_normal((n, d)) * scale
    X = one_type(rng, X, draw(st.sampled_from(["float64", "float64", "float32", "int8", "int64", "bool"])))
    X = one_order(X, draw(st.sampled_from(["C", "F", "strided", "reversed"])))
    if X.dtype == np.float32 and not np.isfinite(X).all():
        X = np.zeros_like(X)
    with np.errstate(over="ignore"):
        longest = np.max((X.astype(float) ** 2).sum(axis=1), initial=0.0) + 1.0
    rate = 10.0 ** draw(st.floats(-6, 1 if within_bound else 4))
    linear = draw(st.sampled_from([False, False, True]))
    step = np.full(n, min(rate, (2.0 if linear else 8.0) / longest) if within_bound else rate)
    if draw(st.booleans()):
        step *= rng.random(n) * (rng.random(n) < 0.7)
    weights = rng.standard_normal(d) * 10.0 ** draw(st.sampled_from([-300, -2, 0, 0, 2, 4])) / max(scale, 1.0)
    y = (rng.random(n) < draw(st.sampled_from([0.0, 0.5, 0.5, 1.0]))).astype(float)
    y = rng.standard_normal(n) * 10.0 ** draw(st.sampled_from([-3, 0, 3])) if linear else y
    order = rng.permutation(n) if draw(st.booleans()) else slice(None)
    bias = float(rng.standard_normal())
    epochs, block = draw(st.integers(1, 4)), draw(st.integers(1, n + 1))
    kernel = "sgd_linear_epochs" if linear else "sgd_epochs"
    return NeuronProblem(X[order], y[order], step[order], weights, bias, epochs, block, kernel)


@st.composite
def shapes(draw):
    """What gives losses their shape."""
    return {
        "delta": draw(st.sampled_from([1e-3, 1.0, 100.0])),
        "quantile": draw(st.sampled_from([0.01, 0.5, 0.9])),
        "gamma": draw(st.sampled_from([0.0, 0.5, 2.0, 5.0])),
    }


@st.composite
def regularized_problems(draw, within_bound):
    """A neuron's problem with any penalties, averaging from any row, any loss."""
    problem = draw(neuron_problems(within_bound))
    l2, l1 = (draw(st.sampled_from([0.0, 1e-4, 0.1, 1.0, *([] if within_bound else [1e3])])) for _ in range(2))
    rng = np.random.default_rng(draw(SEEDS))
    of = "linear" if problem.kernel == "sgd_linear_epochs" else "labels"
    loss = choose_loss(draw(st.sampled_from(list(LOSSES[of]))), of, **draw(shapes()))
    if loss.name == "poisson":
        problem = replace(problem, y=rng.poisson(2.0, len(problem.y)).astype(float))
        problem = (
            replace(problem, step=problem.step * 1e-3, weights=problem.weights * 1e-3) if within_bound else problem
        )
    result = regularized_problem(rng, problem, l2, l1, draw(st.integers(0, 20)), loss)
    return replace(result, bias_scale=draw(st.sampled_from([1.0, 1.0, 0.01, 0.0])))


def without_what_is_left_to_strict(engine, problem):
    """The problem as it is, or without what the engine has no kernel for: l1, squared error, a bias that lags."""
    if can_solve(engine, problem):
        return problem
    loss = problem.loss if problem.loss in SMOOTH else LOG_LOSS if problem.loss in LABELLED else LEAST_SQUARES
    return replace(problem, schedule=problem.schedule * [1.0, 1.0, 0.0, 1.0], loss=loss, bias_scale=1.0)


@st.composite
def network_problems(draw):
    """A network's rows, its layers and its batches, which need not divide the rows."""
    rng = np.random.default_rng(draw(SEEDS))
    n, d = draw(st.integers(0, 120)), draw(st.integers(1, 12))
    sizes = (d, *draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)), draw(st.sampled_from([1, 1, 3])))
    params = rng.standard_normal(sum((a + 1) * b for a, b in pairwise(sizes)))
    params *= draw(st.sampled_from([0.3, 1.0, 1.0, 5.0]))
    X = one_type(rng, rng.standard_normal((n, d)), draw(st.sampled_from(["float64", "float32", "int8", "bool"])))
    X = one_order(X, draw(st.sampled_from(["C", "F", "strided", "reversed"])))
    y = (rng.random(n) < 0.5).astype(float)
    activation = draw(st.sampled_from(sorted(ACTIVATIONS)))
    batch_size, block = draw(st.integers(1, n + 2)), draw(st.integers(1, n + 1))
    epochs, outputs = draw(st.integers(1, 2)), sizes[-1]
    if outputs > 1:
        y = rng.integers(0, outputs, n).astype(float)
    weight = rng.random(n) * (rng.random(n) < 0.8) if draw(st.booleans()) else None
    dropout = draw(st.sampled_from([0.0, 0.0, 0.3]))
    mask = (rng.random((n, sum(sizes[1:-1]))) >= dropout) / (1.0 - dropout) if dropout else None
    loss = draw(st.sampled_from([0, 0, 1])) if outputs == 1 else 0
    steps = draw(optimizers())
    return NetworkProblem(X, y, sizes, activation, params, batch_size, steps, epochs, block, loss, weight, mask)


@st.composite
def optimizers(draw):
    """Every way to step. (Adam's first steps are as long as the learning rate whatever the gradient is, so that one of
    nothing but rounding errors shows: the rate is small.)"""
    penalties = {"l2": draw(st.sampled_from([0.0, 0.01])), "weight_decay": draw(st.sampled_from([0.0, 0.1]))}
    schedule = draw(st.sampled_from(["constant", "constant", "invscaling", "cosine"]))
    name = draw(st.sampled_from(["sgd", "sgd", *(name for name in OPTIMIZERS if name != "sgd")]))
    if name != "sgd":
        return Optimizer(10.0 ** draw(st.floats(-4, -3)), name, schedule=schedule, **penalties)
    momentum = draw(st.sampled_from([0.0, 0.9]))
    nesterov = momentum > 0.0 and draw(st.booleans())
    rate = 10.0 ** draw(st.floats(-4, -1))
    return Optimizer(rate, momentum=momentum, nesterov=nesterov, schedule=schedule, **penalties)
