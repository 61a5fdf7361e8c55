"""Compare neurons that predict numbers with scikit-learn's SGDRegressor: one epoch, and many.

    python bench/linear.py [--rounds 9]

The contenders take turns in one process and one thread. Weights are compared before anything is timed: a linear neuron
has the strict engine's to 1e-12, and SGDRegressor's to 1e-9 (which adds up in another order). Poisson's loss is not
one of SGDRegressor's; its rows are compared with the strict engine alone. Times are medians.
"""

import argparse
import os
import statistics
import time
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from tinynet_fast import train_neuron

# rows, inputs, epochs, loss, rate
RUNS = (
    (1_000_000, 2, 1, "squared_error", 0.01),
    (500_000, 8, 1, "squared_error", 0.01),
    (500_000, 16, 1, "squared_error", 0.01),
    (10_000, 2, 1, "squared_error", 0.01),
    (10_000, 8, 500, "squared_error", 0.01),
    (500_000, 16, 20, "squared_error", 0.01),
    (1_000_000, 2, 1, "huber", 0.01),
    (500_000, 16, 1, "huber", 0.01),
    (1_000_000, 2, 1, "poisson", 0.001),
    (500_000, 16, 1, "poisson", 0.001),
)
FEW = 3  # the most epochs that scikit-learn is timed for, since nearly all time of its fits goes into epochs


def problem(n, d, loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    z = X @ rng.standard_normal(d) / np.sqrt(d)
    return X, rng.poisson(np.exp(0.5 * z)).astype(np.float64) if loss == "poisson" else z + rng.standard_normal(n)


def sklearn_fit(X, y, loss, rate, epochs):
    """A fit of the same updates; None if there is none. Its `epsilon` is our delta."""
    from sklearn.linear_model import SGDRegressor

    def fit():
        options = {"learning_rate": "constant", "eta0": rate, "shuffle": False, "max_iter": epochs, "tol": None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SGDRegressor(loss=loss, epsilon=1.0, penalty=None, **options).fit(X, y)

    return None if loss == "poisson" else fit


def distance(comp, ref):
    return float(np.linalg.norm(comp - ref) / np.linalg.norm(ref))


def measure(n, d, epochs, loss, rate, rounds):
    X, y = problem(n, d, loss)

    def run(engine="fast", epochs=epochs):
        return train_neuron(X, y, output="linear", loss=loss, learning_rate=rate, epochs=epochs, engine=engine)

    few = min(epochs, FEW)
    fit = sklearn_fit(X, y, loss, rate, few)
    result, ref = run(), run("strict")
    off = distance(np.append(result.model.weights, result.model.bias), np.append(ref.model.weights, ref.model.bias))
    assert off <= 1e-12, off
    contenders = {"neuron": run, "strict": lambda: run("strict", few)}
    if fit is not None:
        model, comp = fit(), run(epochs=few).model
        theirs = distance(np.append(comp.weights, comp.bias), np.append(model.coef_, model.intercept_))
        assert theirs <= 1e-9, theirs
        contenders["scikit-learn"] = fit
    seconds, training = {name: [] for name in contenders}, []
    for _ in range(rounds):
        for name, contender in contenders.items():
            started = time.perf_counter()
            trained = contender()
            seconds[name].append((time.perf_counter() - started) * (1.0 if name == "neuron" else epochs / few))
            if name == "neuron":
                training.append(trained.seconds)
    a_row = {name: statistics.median(values) / n / epochs * 1e9 for name, values in seconds.items()}
    theirs = a_row.get("scikit-learn")
    figures = (
        result.engine,
        f"{a_row['neuron']:.2f}",
        f"{statistics.median(training) / n / epochs * 1e9:.2f}",
        f"{a_row['strict']:.2f}",
        "" if theirs is None else f"{theirs:.1f}",
        "" if theirs is None else f"{theirs / a_row['neuron']:.1f}",
        f"{off:.0e}",
        "none" if result.certificate is None else f"{result.certificate.segments}",
    )
    print(f"| {n:,} x {d}, {epochs} epoch{'s' * (epochs > 1)}, {loss} | {' | '.join(figures)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    columns = (
        "run",
        "engine",
        "neuron, ns a row",
        "of these training",
        "strict, ns",
        "scikit-learn, ns",
        "times as fast",
        "weights apart",
        "segments",
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for run in RUNS:
        measure(*run, rounds)


if __name__ == "__main__":
    main()
