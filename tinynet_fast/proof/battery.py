"""The battery of `validate`: named cases, each with problems of many widths, shapes and options."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import STABILITY_BOUND
from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.models.layers import ACTIVATIONS
from tinynet_fast.proof.problems import (
    NetworkProblem,
    NeuronProblem,
    Problem,
    TrainerProblem,
    network_problem,
    neuron_problem,
    regularized_problem,
)
from tinynet_fast.rows.arrays import check_finite, encode_labels
from tinynet_fast.rows.blocks import standardisation
from tinynet_fast.rows.frames import training_rows
from tinynet_fast.training.losses import LINEAR, choose_loss
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.optimizer import OPTIMIZERS, Optimizer

WIDTHS = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 70)
SHAPES = ((1,), (4,), (9, 5), (7, 6, 5))
ROWS = 120  # of each random problem
OWN_VALUES, OWN_ROWS = 100_000, 20_000  # how much of a user's data the plain loop gets: it takes about a second
Case = tuple[str, Sequence[Problem], bool]  # name, problems, and whether every engine has to keep its promise


def battery(turns: int) -> Iterator[Case]:
    """All cases, `turns` times with other random numbers. The numbers are the same on every machine."""
    for turn in range(turns):
        rng = np.random.default_rng([2011, turn])
        for make in (neuron_cases, regularized_cases, network_cases, single_cases, trainer_cases):
            yield from make(rng, ROWS)


def neuron_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    def problems(**options: Any) -> list[NeuronProblem]:
        return [neuron_problem(rng, rows, d, **options) for d in WIDTHS]

    yield "neuron, small steps", problems(reach=1e-5), True
    yield "neuron, steps at the stability bound", problems(reach=1.0), True
    yield "neuron, a step for each row, some zero", problems(reach=0.3, vary=True), True
    yield "neuron, inputs of 1e-160", problems(scale=1e-160, reach=0.01), True
    yield "neuron, inputs of 1e3", problems(scale=1e3, reach=0.5), True
    saturated = [neuron_problem(rng, rows, d, reach=0.1) for d in WIDTHS]
    reach = 10.0 ** np.linspace(0, 4, len(saturated))
    far = [replace(p, weights=p.weights * r) for p, r in zip(saturated, reach, strict=True)]
    yield "neuron, sums as far out as 1e4", far, True
    yield "neuron, steps beyond the stability bound", problems(reach=50.0), False
    yield "linear neuron, small steps", problems(reach=1e-5, linear=True), True
    yield "linear neuron, steps at the stability bound", problems(reach=1.0, linear=True), True
    yield "linear neuron, a step for each row, some zero", problems(reach=0.3, vary=True, linear=True), True


def regularized_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    kinds: dict[str, tuple[float, float, int, str]] = {
        "l2": (0.1, 0.0, 0, "log_loss"),
        "l1": (0.0, 0.02, 0, "log_loss"),
        "averaged": (0.0, 0.0, 5, "log_loss"),
        "l2, averaged": (0.1, 0.0, 10, "log_loss"),
        "squared error": (0.0, 0.0, 0, "squared_error"),
        "l2, l1, averaged, squared error": (0.1, 0.02, 1, "squared_error"),
    }
    for name, options in kinds.items():
        neurons = [neuron_problem(rng, rows, d, reach=0.1) for d in WIDTHS]
        yield f"neuron, {name}", [regularized_problem(rng, p, *options) for p in neurons], True
    for scale in (0.01, 0.0):
        neurons = [neuron_problem(rng, rows, d, reach=0.1) for d in WIDTHS]
        slow = [replace(regularized_problem(rng, p, 0.1, 0.0, 5, "log_loss"), bias_scale=scale) for p in neurons]
        yield f"neuron, a bias that moves {scale:g} times as far", slow, True
    for of, losses in LOSSES.items():
        for loss in losses:
            chosen = choose_loss(loss, of, delta=0.5, quantile=0.8)
            neurons = [neuron_problem(rng, rows, d, reach=0.1, linear=of == LINEAR) for d in WIDTHS]
            if loss == "poisson":
                neurons = [replace(p, y=rng.poisson(2.0, rows).astype(float)) for p in neurons]
            problems = [regularized_problem(rng, p, 0.1, 0.0, 5, chosen) for p in neurons]
            yield f"{of}, {loss.replace('_', ' ')}", problems, loss != "poisson"  # exp makes rounding grow


def network_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    for activation in ACTIVATIONS:
        for hidden in SHAPES:
            batches = [(d, size) for d in (1, 6) for size in (1, 7, 32, rows)]
            problems = [network_problem(rng, rows, (d, *hidden, 1), activation, size) for d, size in batches]
            yield f"network, {'-'.join(map(str, hidden))} hidden, {activation}", problems, True
    steps: dict[str, dict[str, Any]] = {
        "momentum": {"momentum": 0.9},
        "Nesterov's momentum, l2, weight decay": {"momentum": 0.9, "nesterov": True, "l2": 0.1, "weight_decay": 0.2},
        "weight decay, invscaling": {"weight_decay": 0.5, "schedule": "invscaling"},
    }
    shapes: tuple[tuple[int, ...], ...] = ((2, 4, 1), (5, 9, 6, 1))
    for name, how in steps.items():
        problems = [network_problem(rng, rows, s, "tanh", 8, Optimizer(0.05, **how)) for s in shapes]
        yield f"network, {name}", problems, True
    # Steps of Adam and its kind are as long as the rate even if the gradient is only rounding errors. So it is small.
    adam = Optimizer(0.001, "adam", weight_decay=0.1)
    yield "network, Adam", [network_problem(rng, rows, s, "sigmoid", 8, adam) for s in shapes], True
    others = [name for name in OPTIMIZERS if name not in ("sgd", "adam")]
    for name in others:
        problems = [network_problem(rng, rows, s, "sigmoid", 8, Optimizer(0.001, name)) for s in shapes]
        yield f"network, {name}", problems, True
    kinds: dict[str, tuple[int, dict[str, Any]]] = {
        "squared error": (1, {"loss": "squared_error"}),
        "sample weights": (1, {"weighted": True}),
        "dropout": (1, {"dropout": 0.5}),
        "three classes": (3, {}),
        "ten classes, sample weights, dropout": (10, {"weighted": True, "dropout": 0.2}),
    }
    for name, (outputs, kind) in kinds.items():
        problems = [network_problem(rng, rows, (*s[:-1], outputs), "relu", 8, **kind) for s in shapes]
        yield f"network, {name}", problems, True
    for of, losses in LOSSES.items():
        for loss in losses:
            chosen = choose_loss(loss, of, delta=0.5, quantile=0.8)
            sizes = [(*s[:-1], k) for s in shapes for k in ((1, 3) if of == LINEAR else (1,))]
            problems = [network_problem(rng, rows, s, "tanh", 8, Optimizer(0.01), loss=chosen) for s in sizes]
            yield f"network of {'numbers' if of == LINEAR else of}, {loss}", problems, True


def single_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    """Networks of float32, with few updates: a difference of 1e-7 can grow from update to update."""
    kinds: dict[str, dict[str, Any]] = {
        "sigmoid, momentum": {"activation": "sigmoid", "steps": Optimizer(0.05, momentum=0.9)},
        "tanh, l2, sample weights": {"activation": "tanh", "steps": Optimizer(0.05, l2=0.1), "weighted": True},
        "Adam, dropout": {"activation": "silu", "steps": Optimizer(0.001, "adam"), "dropout": 0.2},
    }
    shapes: tuple[tuple[int, ...], ...] = ((2, 4, 1), (5, 9, 6, 1), (20, 17, 3))
    for name, kind in kinds.items():
        problems = [network_problem(rng, rows, s, batch_size=32, **kind) for s in shapes]
        yield f"float32, {name}", [replace(p, dtype="float32") for p in problems], True


def trainer_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    X = rng.standard_normal((rows, 5))
    y = np.where(X[:, 0] + rng.standard_normal(rows) > 0, "pass", "fail")
    forms = {
        "float64": X,
        "float32": X.astype(np.float32),
        "whole numbers": (X * 3).astype(np.int16),
        "columns first, reversed": np.asfortranarray(X[::-1, ::-1]),
    }
    for name, form in forms.items():
        options: dict[str, Any] = {"epochs": 3, "shuffle": True, "seed": 7}

        def neuron(engine: str, form: Any = form, options: dict[str, Any] = options) -> Any:
            return train_neuron(form, y, engine=engine, learning_rate=0.05, **options)

        def network(engine: str, form: Any = form, options: dict[str, Any] = options) -> Any:
            return train_mlp(form, y, engine=engine, hidden=(6,), activation="tanh", batch_size=16, **options)

        yield f"trainers, {name}, shuffled", [TrainerProblem(form, neuron), TrainerProblem(form, network)], True
    yield from _segment_cases(rng)
    yield from _falling_cases(rng, 10 * rows)


def _falling_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    """Rates that fall from where steps overshoot, so that `fast` takes over from `strict`. (NumPy promises nothing.)"""
    X = rng.standard_normal((rows, 5))
    y = X[:, 0] + rng.logistic(size=rows) > 0
    kinds: tuple[dict[str, Any], ...] = (
        {"schedule": "invscaling", "learning_rate": 2.0},
        {"schedule": "cosine", "learning_rate": 1.0, "l2": 1e-4, "average": True},
        {"schedule": "optimal", "l2": 0.01},
    )

    def problem(options: dict[str, Any]) -> TrainerProblem:
        return TrainerProblem(X, lambda engine: train_neuron(X, y, engine=engine, epochs=2, **options), numpy=False)

    yield "trainers, a rate that falls until no step can overshoot", [problem(kind) for kind in kinds], True


def _segment_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Runs that are long enough for segments in `fast`: many epochs, and one of many rows."""
    runs: tuple[tuple[str, int, int, dict[str, Any]], ...] = (
        ("epochs", 500, 700, {}),
        ("averaged epochs", 500, 700, {"average": True}),
        ("rows of one epoch", 70_000, 1, {}),
    )
    for name, rows, epochs, options in runs:
        X = rng.uniform(-1.5, 1.5, (rows, 2))
        y = X[:, 0] + rng.logistic(size=rows) > 0

        given = {"learning_rate": 1.0, "epochs": epochs, **options}

        def neuron(engine: str, X: Any = X, y: Any = y, given: dict[str, Any] = given) -> Any:
            return train_neuron(X, y, engine=engine, **given)

        yield f"trainers, {name} in segments", [TrainerProblem(X, neuron, numpy=False)], True


def own_cases(X: Any, y: Any) -> Iterator[Case]:
    """Cases on a user's rows; ValueError if they cannot be trained on."""
    matrix, y, names = training_rows(X, y)
    check_finite(matrix, columns=names)
    codes, _ = encode_labels(y, len(matrix))
    n = max(2, min(len(matrix), OWN_ROWS, OWN_VALUES // matrix.shape[1]))
    rows = np.asarray(matrix[:n], dtype=np.float64)
    labels = codes[:n].astype(np.float64)
    longest = float(np.max(np.einsum("ij,ij->i", rows, rows))) + 1.0
    if not np.isfinite(longest):
        raise ValueError("the inputs are too large to train on as they are: standardise them first")
    for reach in (1e-3, 1.0):
        step = np.full(n, reach * STABILITY_BOUND / longest)
        problem = NeuronProblem(rows, labels, step, np.zeros(rows.shape[1]), 0.0, block=997)
        yield f"your rows, neuron, rate {step[0]:.2g}", [problem], True
    mean, scale = standardisation(rows, None)
    inputs = (rows - mean) / scale
    base = network_problem(np.random.default_rng(0), 1, (rows.shape[1], 4, 1), "sigmoid", 32)
    few = slice(0, max(2, n // 8))
    network = NetworkProblem(inputs[few], labels[few], base.sizes, "sigmoid", base.params * 0.3, 32, block=97)
    yield "your rows, standardised, network with 4 hidden", [network], True
