"""Calls on few rows, whose time goes into checks and not into training: microseconds of a whole call.

Neurons stand beside the plain Python loop on lists and beside scikit-learn's `SGDClassifier` with the same updates,
networks beside the plain loop, and the drop-in estimators beside scikit-learn's, with the defaults of both.
"""

import warnings
from contextlib import suppress

import numpy as np
from family import check

from tinynet_fast import TrainingWarning, train_mlp, train_neuron
from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels import reference
from tinynet_fast.kernels.engines import n_units
from tinynet_fast.kernels.point_functions import LOG_LOSS
from tinynet_fast.models.layers import flatten, layer_table, views
from tinynet_fast.proof.bench.measure import race
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training.optimizer import Optimizer

ROWS = (4, 32, 200, 2_000)
FEATURES, HIDDEN = 8, 4
RATE = 0.01
SHUFFLED = 100  # epochs of a run that shuffles
LIMIT = 1e-9  # as elsewhere for another library that makes the same updates


def timed(family, n, runs, size):
    """The result of a family, after what all contenders learn or predict was compared with the last one's."""
    name, ref = f"{n:,} x {FEATURES}", list(runs.values())[-1]()
    apart = {who: check(f"{family}, {name}", who, run(), ref, LIMIT) for who, run in runs.items()}
    return family, race(name, runs, size.rounds, shape=(n, FEATURES), unit="µs", scale=1e6, apart=apart)


def plain_neuron(X, y):
    """An epoch of the plain loop, from lists: what a tutorial has."""
    rows, labels, steps = X.tolist(), y.tolist(), [RATE] * len(y)

    def run():
        weights, bias = [0.0] * FEATURES, [0.0]
        reference.sgd_epochs(rows, labels, steps, weights, bias, [0.0])
        return np.array(weights + bias)

    return run


def neuron(n, size):
    rows = make_pass_fail(n, FEATURES)
    X, y = rows.X, rows.y

    def ours():
        model = train_neuron(X, y, learning_rate=RATE, epochs=1).model
        return np.append(model.weights, model.bias)

    runs = {"tinynet_fast": ours}
    with suppress(ImportError):
        from sklearn.linear_model import SGDClassifier

        plain = {"penalty": None, "learning_rate": "constant", "eta0": RATE, "shuffle": False}
        peer = SGDClassifier("log_loss", max_iter=1, tol=None, **plain)

        def theirs():
            peer.fit(X, y)
            return np.append(peer.coef_, peer.intercept_)

        runs["scikit-learn"] = theirs
    return timed("small: train_neuron, an epoch", n, runs | {"plain Python loop": plain_neuron(X, y)}, size)


def shuffled(n, size):
    """Many epochs, each in an order of its own, which is drawn as `train_neuron` draws it."""
    rows = make_pass_fail(n, FEATURES)
    X, y = rows.X, rows.y

    def ours():
        model = train_neuron(X, y, learning_rate=RATE, epochs=SHUFFLED, shuffle=True, seed=0).model
        return np.append(model.weights, model.bias)

    def plain():
        weights, bias, steps = [0.0] * FEATURES, [0.0], [RATE] * n
        for epoch in range(SHUFFLED):
            order = np.random.default_rng([0, epoch]).permutation(n)
            reference.sgd_epochs(X[order].tolist(), y[order].tolist(), steps, weights, bias, [0.0])
        return np.array(weights + bias)

    runs = {"tinynet_fast": ours, "plain Python loop": plain}
    return timed(f"small: train_neuron, {SHUFFLED} shuffled epochs", n, runs, size)


def plain_network(X, y, start, layers):
    """One full batch of the plain loop, from lists."""
    rows, labels, weight, table = X.tolist(), y.tolist(), [1.0] * len(y), layers.tolist()
    steps = Optimizer(RATE)
    schedule, rule = steps.schedule_rows(0, 1).tolist(), steps.rule(len(y), LOG_LOSS).tolist()

    def run():
        state = [start.tolist(), *([0.0] * len(start) for _ in range(at.STATE_ROWS - 1))]
        units, pending = [[0.0] * n_units(layers) for _ in range(2)], [0.0, 0.0]
        changed = state, units, pending, [0.0]
        reference.network_epochs(rows, labels, weight, [[]], schedule, rule, table, *changed)
        return np.array(state[at.PARAMETERS])

    return run


def network(n, size):
    rows, draw = make_pass_fail(n, FEATURES), np.random.RandomState(0)
    X, y, layers = rows.X, rows.y, layer_table([FEATURES, HIDDEN, 1], "sigmoid")
    start = draw.randn((FEATURES + 1) * HIDDEN + HIDDEN + 1)
    weights, biases = views(start, layers)

    def ours():
        model = train_mlp(X, y, hidden=HIDDEN, weights=weights, biases=biases, learning_rate=RATE, epochs=1).model
        return flatten(model.weights, model.biases)

    runs = {"tinynet_fast": ours, "plain Python loop": plain_network(X, y, start, layers)}
    return timed("small: train_mlp, a full batch", n, runs, size)


def estimators(n, size):
    """`fit`, `partial_fit`, `predict_proba` and `predict` of both `SGDClassifier`s, with their defaults.

    With the fewest rows, they also predict a single row, as a service does.
    """
    from sklearn.linear_model import SGDClassifier as Theirs

    from tinynet_fast.sklearn import SGDClassifier as Ours

    rows = make_pass_fail(n, FEATURES)
    X, y = rows.X, rows.y.astype(np.int64)
    peers = {"tinynet_fast": Ours, "scikit-learn": Theirs}

    def learned(model):
        return np.append(model.coef_, model.intercept_)

    def fits(kind):
        model = kind(loss="log_loss", random_state=0)
        return lambda: learned(model.fit(X, y))

    def partial_fits(kind):
        """Each call goes on from the weights of the first."""
        model = kind(loss="log_loss", random_state=0).partial_fit(X, y, classes=[0, 1])
        first = {name: getattr(model, name) for name in ("coef_", "intercept_", "t_")}

        def run():
            for name, value in first.items():
                setattr(model, name, value.copy() if isinstance(value, np.ndarray) else value)
            return learned(model.partial_fit(X, y))

        return run

    def predicts(method, rows):
        def make(kind):
            model = kind(loss="log_loss", random_state=0).fit(X, y)
            return lambda: getattr(model, method)(rows)

        return make

    calls = [("fit", n, fits), ("partial_fit", n, partial_fits)]
    for few in (X, X[:1]) if n == min(ROWS) else (X,):
        calls += [(method, len(few), predicts(method, few)) for method in ("predict_proba", "predict")]
    for method, count, make in calls:
        yield timed(f"small: SGDClassifier.{method}", count, {who: make(kind) for who, kind in peers.items()}, size)


def measure(size):
    warnings.simplefilter("ignore", TrainingWarning)  # after one epoch a model may well be of no use
    for n in ROWS:
        yield neuron(n, size)
        yield shuffled(n, size)
        yield network(n, size)
        with suppress(ImportError):
            yield from estimators(n, size)
