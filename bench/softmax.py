"""Compare softmax regression with scikit-learn's one neuron a label against the rest: nanoseconds a row, for one epoch.

    python bench/softmax.py [--rounds 9]

The contenders take turns in one process. The weights of `fast` are compared with those of `strict` before anything is
timed. scikit-learn minimises another loss, so that its weights are others; it visits the same rows in the same order
and goes through them once for each label.
"""

import argparse
import statistics
import warnings

from family import check, cpu_turns, run

# ruff: isort: split
import numpy as np

from tinynet_fast.kernels.engines import FAST, SOFTMAX_BOUND, STRICT

# rows, inputs, labels, l2
RUNS = (
    (200_000, 4, 3, 0.0),
    (200_000, 16, 10, 0.0),
    (60_000, 64, 10, 0.0),
    (60_000, 64, 10, 1e-4),
    (10_000, 784, 10, 0.0),
    (20_000, 64, 100, 0.0),
)
LIMIT = 1e-12


def problem(n, d, k):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    sums = X @ rng.standard_normal((d, k)) * 2.0 / np.sqrt(d)
    return X, (sums + rng.gumbel(size=(n, k))).argmax(axis=1)


def trained(engine, X, y, schedule, k):
    """The weights and biases of a run that starts at 0."""
    weights, means, paid = (np.zeros((X.shape[1] + 1, k)) for _ in range(3))
    engine.kernels.sgd_softmax_epochs(X, y, schedule, weights, means, paid, np.zeros(k), np.zeros(1))
    return weights


def contenders(n, d, k, l2):
    X, y = problem(n, d, k)
    rate = 0.5 * SOFTMAX_BOUND / ((X * X).sum(axis=1).max() + 1.0)
    schedule, own = np.tile([rate, 1.0 - rate * l2, 0.0, 0.0], (n, 1)), y.astype(float)
    runs = {engine.name: lambda engine=engine: trained(engine, X, own, schedule, k) for engine in (FAST, STRICT)}
    check(f"{n} x {d}, {k} labels", "fast", runs["fast"]().ravel(), runs["strict"]().ravel(), LIMIT)
    try:
        from sklearn.linear_model import SGDClassifier
    except ImportError:
        return runs
    options = {"loss": "log_loss", "max_iter": 1, "tol": None, "shuffle": False, "alpha": l2}
    peer = SGDClassifier(**options, learning_rate="constant", eta0=rate)
    return runs | {"scikit-learn": lambda: peer.fit(X, y)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # one epoch is not enough to converge
    for n, d, k, l2 in RUNS:
        seconds = cpu_turns(contenders(n, d, k, l2), arguments.rounds)
        medians = {who: statistics.median(times) / n * 1e9 for who, times in seconds.items()}
        shown = ", ".join(f"{who} {ns:,.0f} ({ns / medians['fast']:.1f} times)" for who, ns in medians.items())
        print(f"{n:,} x {d}, {k} labels, l2 {l2}: {shown}", flush=True)


if __name__ == "__main__":
    run(main)
