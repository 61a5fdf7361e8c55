"""Prediction: the probabilities of many rows, and of a single row that is passed as a list."""

from contextlib import suppress

import numpy as np
from family import check
from neuron import WIDTHS

from tinynet_fast import MLP, Neuron
from tinynet_fast.proof.bench.measure import race
from tinynet_fast.proof.bench.network import network_problem, torch_layers
from tinynet_fast.rows.datasets import make_pass_fail

LIMIT = 1e-13
CALLS = 100  # how often a turn predicts the single row
NETWORK = 1_000_000, (16, 32, 1)


def many_rows(name, runs, X, size):
    """Nanoseconds per row, after all probabilities were compared with NumPy's formula."""
    apart = {who: check(name, who, run(), runs["NumPy"](), LIMIT) for who, run in runs.items()}
    least = size.floors.of(X, chain=False)
    options = {"shape": X.shape, "unit": "ns a row", "scale": 1e9 / len(X), "floors": least, "apart": apart}
    return race(name, runs, size.rounds, **options)


def neuron(n, d, size):
    rows = make_pass_fail(n, d)
    model = Neuron(weights=rows.weights, bias=rows.bias)
    w, b = rows.weights, rows.bias
    row = rows.X[0].tolist()
    runs = {
        "tinynet_fast": lambda: model.predict_proba(rows.X),
        "NumPy": lambda: 1 / (1 + np.exp(-(rows.X @ w + b))),
    }
    single = {"tinynet_fast": lambda: [model.predict_proba(row) for _ in range(CALLS)]}
    with suppress(ImportError):
        from sklearn.linear_model import SGDClassifier

        peer = SGDClassifier(loss="log_loss").fit(rows.X[:1000], rows.y[:1000])
        peer.coef_, peer.intercept_ = w[np.newaxis].copy(), np.array([b])
        runs["scikit-learn"] = lambda: peer.predict_proba(rows.X)[:, 1]
        single["scikit-learn"] = lambda: [peer.predict_proba([row])[0, 1] for _ in range(CALLS)]
    name, ref = f"{n:,} x {d}", runs["NumPy"]()[0]
    yield "prediction, many rows", many_rows(name, runs, rows.X, size)
    apart = {
        who: check(f"one row of {d}", who, np.ravel(run())[:1], np.array([ref]), LIMIT) for who, run in single.items()
    }
    options = {"shape": (1, d), "unit": "µs", "scale": 1e6 / CALLS, "apart": apart}
    yield "prediction, one row", race(f"1 x {d}", single, size.rounds, **options)


def network(size):
    n, layers = NETWORK
    problem = network_problem("", n, layers)
    W1, W2 = problem.start
    model = MLP(weights=[W1, W2], biases=[np.zeros(W1.shape[1]), np.zeros(1)])

    def by_numpy():
        return 1 / (1 + np.exp(-((1 / (1 + np.exp(-(problem.X @ W1)))) @ W2)))[:, 0]

    runs = {"tinynet_fast": lambda: model.predict_proba(problem.X), "NumPy": by_numpy}
    with suppress(ImportError):
        import torch

        net = torch.nn.Sequential(torch_layers([W1, W2]), torch.nn.Sigmoid())

        def by_torch():
            with torch.inference_mode():
                return net(torch.from_numpy(problem.X)).numpy()[:, 0]

        runs["PyTorch"] = by_torch
    yield "prediction, many rows", many_rows(f"network, {n:,} rows, 16-32-1", runs, problem.X, size)


def measure(size):
    for n, d in WIDTHS[1:2] + WIDTHS[3:]:
        yield from neuron(n, d, size)
    yield from network(size)
