"""Compare the engine `portable` with `strict`: neurons, networks and a sweep, on the same rows.

    python bench/portable.py [--rounds 15]

The engines take turns in one process and one thread. Weights are compared before anything is timed: they are the same
to 1e-12. Kernels of neurons are called by themselves, networks and sweeps by their trainers. Times are medians.
"""

import argparse
import os
import statistics
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.kernels.engines import PORTABLE, STRICT

RATES = np.geomspace(1e-3, 0.1, 32).tolist()  # of the sweep; `strict` trains its neurons one after the other


def rows(n, d):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, (X[:, 0] + rng.standard_normal(n) > 0.0).astype(np.float64)


def neuron(d, n=20_000):
    """What trains a neuron for one epoch with an engine, and returns the weights."""
    X, y = rows(n, d)
    step = np.full(n, 0.01)

    def run(engine):
        weights, bias = np.zeros(d), np.zeros(1)
        engine.kernels.sgd_epochs(X, y, step, weights, bias, np.zeros(1))
        return np.append(weights, bias)

    return run


def network(activation, n=10_000, d=16):
    X, y = rows(n, d)
    options = {"hidden": (16,), "activation": activation, "batch_size": 32, "epochs": 2, "seed": 1}

    def run(engine):
        model = train_mlp(X, y, engine=engine.name, **options).model
        return np.concatenate([*(w.ravel() for w in model.weights), *model.biases])

    return run


def many(n=5_000, d=16):
    X, y = rows(n, d)

    def run(engine):
        if engine is PORTABLE:
            return sweep(X, y, learning_rate=RATES, engine=engine.name).weights.ravel()
        models = (train_neuron(X, y, learning_rate=rate, epochs=1, engine=engine.name).model for rate in RATES)
        return np.concatenate([model.weights for model in models])

    return run


RUNS = {f"neuron, {d} inputs": neuron(d) for d in (2, 16, 64)}
RUNS |= {f"network 16-16-1, {activation}": network(activation) for activation in ("sigmoid", "tanh")}
RUNS |= {f"sweep of {len(RATES)} neurons, 16 inputs": many()}


def measure(name, run, rounds):
    comp, ref = run(PORTABLE), run(STRICT)
    off = float(np.linalg.norm(comp - ref) / np.linalg.norm(ref))
    assert off <= 1e-12, (name, off)
    seconds = {PORTABLE: [], STRICT: []}
    for _ in range(rounds):
        for engine, times in seconds.items():
            started = time.perf_counter()
            run(engine)
            times.append(time.perf_counter() - started)
    ours, theirs = (1e3 * statistics.median(times) for times in seconds.values())
    print(f"| {name} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f} | {off:.0e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print("| run | strict, ms | portable, ms | times as fast | weights apart |\n|---|---|---|---|---|")
    for name, run in RUNS.items():
        measure(name, run, rounds)


if __name__ == "__main__":
    main()
