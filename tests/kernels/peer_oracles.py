"""Checks against other people's programs, scikit-learn and PyTorch; used as those of `oracles.py` are."""

from dataclasses import replace
from functools import cache
from itertools import cycle, product

import numpy as np
import pytest
from oracles import ACTIVATIONS, EACH_OUTPUT, SHAPES, network_problem

from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.point_functions import (
    ABSOLUTE_ERROR,
    CLIPPED_LOG_LOSS,
    HINGE,
    HUBER,
    LEAST_SQUARES,
    POISSON,
    QUANTILE,
)
from tinynet_fast.models.layers import flatten, layer_table, unflatten
from tinynet_fast.proof.problems import NeuronProblem, can_solve
from tinynet_fast.proof.validate import distance
from tinynet_fast.training.optimizer import Optimizer

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
    "optimal, both penalties": (
        {"penalty": "elasticnet", "alpha": 1e-3, "l1_ratio": 0.3, "learning_rate": "optimal"},
        {"l2": 7e-4, "l1": 3e-4, "schedule": "optimal"},
    ),
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


TORCH = {
    "plain": ({}, {}),
    "momentum": ({"momentum": 0.9}, {"momentum": 0.9}),
    "Nesterov's momentum": ({"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "nesterov": True}),
    "l2": ({"weight_decay": 0.01}, {"l2": 0.01}),
    "adam": ({"betas": (0.9, 0.999)}, {"name": "adam"}),
    "adamw": (
        {"betas": (0.8, 0.99), "weight_decay": 0.1},
        {"name": "adam", "beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.1},
    ),
    "rmsprop": ({"alpha": 0.99, "weight_decay": 0.01}, {"name": "rmsprop", "beta_2": 0.99, "l2": 0.01}),
    "adagrad": ({"eps": 1e-8, "weight_decay": 0.01}, {"name": "adagrad", "l2": 0.01}),
}


def torch_network(engine, name="plain", steps=500, **kind):
    """PyTorch in float64: parameters after `steps` updates, full batch and mini-batch; the largest difference seen."""
    return max(distance(problem.solve(engine)[0], ref) for problem, ref in trained_by_torch(name, steps, **kind))


@cache
def trained_by_torch(name, steps, outputs=1, **kind):
    """Networks and the parameters that PyTorch comes to. They are the same for every engine."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)  # for so few rows a second thread is only in the way
    theirs, ours = TORCH[name]
    rate, trained = 0.005 if ours.get("name") else 0.05, []
    for sizes, activation, batch in zip(cycle(SHAPES), ACTIVATIONS, (24, 8, 5, 24, 8), strict=False):
        sizes, batches = (*sizes[:-1], outputs), -(-24 // batch)
        options = {"steps": Optimizer(rate, **ours), "epochs": -(-steps // batches)}
        problem = network_problem(sizes, activation, n=24, batch_size=batch, block=24, **options, **kind)
        parts = unflatten(problem.params, layer_table(sizes, activation))
        w, b = ([torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in parts[k]] for k in (0, 1))
        makers = {"adamw": "AdamW", "adam": "Adam", "rmsprop": "RMSprop", "adagrad": "Adagrad"}
        make = getattr(torch.optim, makers.get(name, "SGD"))
        optimizer = make([{"params": w, **theirs}, {"params": b, **theirs, "weight_decay": 0.0}], lr=rate)
        for _ in range(problem.epochs):
            for start in range(0, 24, batch):
                loss = torch_loss(torch, problem, w, b, slice(start, start + batch))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        trained.append((problem, flatten(*[[part.detach().numpy() for part in parts] for parts in (w, b)])))
    return trained


def torch_loss(torch, problem, w, b, part):
    """The weighted mean loss of a batch, by PyTorch's own functions."""
    functional, a, first = torch.nn.functional, torch.tensor(problem.X[part]), 0
    for k in range(len(w) - 1):
        a = a @ w[k] + b[k]
        if problem.activation != "identity":
            a = getattr(torch if hasattr(torch, problem.activation) else functional, problem.activation)(a)
        if problem.mask is not None:
            a = a * torch.tensor(problem.mask[part, first : first + len(b[k])])
        first += len(b[k])
    z, y = a @ w[-1] + b[-1], torch.tensor(problem.y[part])
    if problem.loss in EACH_OUTPUT:
        losses = torch_losses(torch, problem, z, y.reshape(z.shape)).sum(dim=1)
    elif z.shape[1] > 1:
        losses = functional.cross_entropy(z, y.long(), reduction="none")
    elif problem.loss:
        losses = (torch.sigmoid(z[:, 0]) - y) ** 2
    else:
        losses = functional.binary_cross_entropy_with_logits(z[:, 0], y, reduction="none")
    weight = torch.ones_like(losses) if problem.weight is None else torch.tensor(problem.weight[part])
    return (weight * losses).sum() / weight.sum()


def torch_losses(torch, problem, z, y):
    """The loss of each output, by PyTorch's own functions where it has them; half of the squared error."""
    functional, loss, q = torch.nn.functional, problem.loss, problem.shape
    if loss == LEAST_SQUARES:
        return 0.5 * functional.mse_loss(z, y, reduction="none")
    if loss == HUBER:
        return functional.huber_loss(z, y, delta=q, reduction="none")
    if loss == ABSOLUTE_ERROR:
        return functional.l1_loss(z, y, reduction="none")
    if loss == QUANTILE:
        return torch.maximum(q * (y - z), (q - 1.0) * (y - z))
    if loss == POISSON:
        return functional.poisson_nll_loss(z, y, log_input=True, full=False, reduction="none")
    if loss == HINGE:
        return torch.relu(1.0 - (2.0 * y - 1.0) * z)
    entropy = functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    return entropy if loss == CLIPPED_LOG_LOSS else (1.0 - torch.exp(-entropy)) ** q * entropy


def torch_gradients(engine):
    """One batch's gradient against autograd: the largest norm-wise difference over activation, loss and depth."""
    able = [(problem, ref) for problem, ref in gradients_by_torch() if can_solve(engine, problem)]
    return max(distance(engine_gradient(engine, problem), ref) for problem, ref in able)


@cache
def gradients_by_torch():
    """Networks and the gradients of autograd. They are the same for every engine."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found, n = [], 9 if UNCOMPILED else 33  # a register of rows and one more; compiled, four registers
    for hidden in ((5,), (4, 3), (3, 4, 2), (20, 17), (2, 2, 2, 2)):
        for activation, outputs, loss, weighted in product(ACTIVATIONS, (1, 3), (0, 1, *EACH_OUTPUT), (False, True)):
            if outputs > 1 and loss == 1:
                continue
            sizes, rate = (4, *hidden, outputs), 2.0**-3
            options = {"loss": loss, "weighted": weighted, "masked": weighted, "steps": Optimizer(rate), "epochs": 1}
            problem = network_problem(sizes, activation, n=n, block=n, **options)
            problem = replace(problem, params=problem.params * 0.5)
            parts = unflatten(problem.params, layer_table(sizes, activation))
            w, b = ([torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in parts[k]] for k in (0, 1))
            torch_loss(torch, problem, w, b, slice(None)).backward()
            found.append((problem, flatten(*[[part.grad.numpy() for part in parts] for parts in (w, b)])))
    return found


def engine_gradient(engine, problem):
    """The gradient that an engine's kernel sums up over a batch that is a row longer than the rows it is given."""
    own, table, n = engine.own, layer_table(problem.sizes, problem.activation, problem.output), len(problem.X)
    state, pending = own(np.vstack([problem.params, np.zeros((3, len(problem.params)))])), own(np.zeros(2))
    weight = np.ones(n) if problem.weight is None else problem.weight
    mask = np.empty((1, 0)) if problem.mask is None else problem.mask
    rule = problem.steps.rule(n + 1, problem.loss, problem.shape)
    given = [own(part) for part in (problem.y.reshape(-1), weight, mask, np.empty((0, 4)), rule)]
    scratch = engine.scratch(table), pending, own(np.zeros(1))
    engine.kernels.network_epochs(engine.rows(problem.X), *given, own(table, np.int64), state, *scratch)
    return np.array(state[1]) / pending[1]
