"""Compare whole runs of a neuron in segments with the same runs in turn, with two threads, and with scikit-learn.

    python bench/segments.py [--rounds 9]

The contenders take turns in one process. Their weights are compared before anything is timed. Times are CPU time for
one thread, which other processes on the machine change less, and wall time where threads are compared.
"""

import argparse
import os
import statistics
import time
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its idle threads spin for 20 ms, on the core of the second thread

import numpy as np

from tinynet_fast import train_neuron
from tinynet_fast.kernels.fast import floors
from tinynet_fast.training import block_segments, segments

# rows, inputs, rate, epochs
RUNS = (
    (1_000_000, 2, 0.1, 1),
    (1_000_000, 2, 0.01, 1),
    (1_000_000, 2, 0.001, 1),
    (1_000_000, 4, 0.1, 1),
    (500_000, 8, 0.1, 1),
    (500_000, 16, 0.1, 1),
    (1_000_000, 2, 0.1, 20),
    (1_000_000, 2, 0.1, 200),
    (500_000, 16, 0.1, 20),
    (500_000, 16, 0.1, 100),
    (10_000, 8, 0.1, 500),
    (10_000, 8, 0.1, 5000),
    (10_000, 8, 0.001, 500),
    (200_000, 64, 0.05, 20),
    (200_000, 64, 0.05, 100),
    (100_000, 256, 0.02, 40),
)


def problem(n, d):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, (X @ rng.standard_normal(d) * 2.0 / np.sqrt(d) + rng.logistic(size=n) > 0).astype(np.float64)


def in_turn(run):
    """`run` without segments."""
    before = block_segments.LEAST_ROWS, segments.LEAST_SECONDS

    def without():
        segments.LEAST_SECONDS, block_segments.LEAST_ROWS = float("inf"), 1 << 60
        try:
            return run()
        finally:
            block_segments.LEAST_ROWS, segments.LEAST_SECONDS = before

    return without


def sklearn_fit(X, y, rate, epochs):
    from sklearn.linear_model import SGDClassifier

    def fit():
        options = {"learning_rate": "constant", "eta0": rate, "shuffle": False, "max_iter": epochs, "tol": None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SGDClassifier(loss="log_loss", penalty=None, **options).fit(X, y)

    return fit


def flat(result):
    return np.append(result.model.weights, result.model.bias)


def measure(n, d, rate, epochs, rounds):
    X, y = problem(n, d)

    def run(n_jobs=None):
        return train_neuron(X, y, learning_rate=rate, epochs=epochs, n_jobs=n_jobs)

    contenders = {"in turn": in_turn(run), "segments": run, "two threads": lambda: run(2)}
    results = {name: contender() for name, contender in contenders.items()}
    ref, comp = flat(results["in turn"]), flat(results["segments"])
    off = np.linalg.norm(comp - ref) / np.linalg.norm(ref)
    assert off <= 1e-12, off
    assert np.array_equal(flat(results["two threads"]), comp)
    # scikit-learn is timed for few epochs, and its time multiplied: nothing of a fit but its epochs takes long.
    few = min(epochs, 3)
    contenders["scikit-learn"] = sklearn_fit(X, y, rate, few)
    contenders["reading"] = lambda: floors.read(X.reshape(-1))
    cpu, wall = ({name: [] for name in contenders} for _ in range(2))
    for _ in range(rounds):
        for name, contender in contenders.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            contender()
            scale = {"scikit-learn": epochs / few, "reading": epochs}.get(name, 1.0)
            wall[name].append((time.perf_counter() - started) * scale)
            cpu[name].append((time.process_time() - cpu_started) * scale)
    a_row = {name: statistics.median(values) / n / epochs * 1e9 for name, values in cpu.items()}
    threads = statistics.median(np.array(wall["segments"]) / np.array(wall["two threads"]))
    c = results["segments"].certificate
    figures = (
        f"{a_row['in turn']:.2f}",
        f"{a_row['segments']:.2f}",
        f"{a_row['in turn'] / a_row['segments']:.2f}",
        f"{a_row['scikit-learn'] / a_row['segments']:.1f}",
        f"{a_row['reading']:.2f}",
        f"{threads:.2f}",
        f"{off:.0e}",
        "none" if c is None else f"{c.segments}, {c.burn_in:,}, {c.bound:.0e}",
    )
    print(f"| {n:,} x {d}, {epochs} epochs, rate {rate} | {' | '.join(figures)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    columns = (
        "run",
        "in turn, ns a row",
        "segments, ns",
        "times as fast",
        "times as fast as scikit-learn",
        "reading, ns",
    )
    columns += "two threads, times as fast", "weights apart", "segments, burn-in, bound"
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for run in RUNS:
        measure(*run, rounds)


if __name__ == "__main__":
    main()
