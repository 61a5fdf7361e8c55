"""Compare two threads with one: networks that train in batches, and predictions of many rows.

    python bench/cores.py [--rounds 15] [--out bench/results/cores.md]

The contenders take turns in one process. Weights and predictions of all of them have the same bits, which is checked
first. Times are medians of the wall time of training, or of a call of `predict_proba`. The ceiling is how much two
threads do on this machine that have nothing to do with each other, each the work of one. The last columns have the
medians of each contender's own turns in which other processes had less than a tenth of a core, as /proc/stat has it.
"""

import argparse
import os
import sys
import threading
import time
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its idle threads spin for 20 ms, on the core of the second thread

import numpy as np

from tinynet_fast import MLP, Neuron, train_mlp
from tinynet_fast.proof.bench.machine import machine
from tinynet_fast.rows.team import cores

OTHERS = 0.1  # cores
# rows, inputs, hidden units, rows in a batch, optimizer, epochs
FITS = (
    (100_000, 64, (16,), None, "sgd", 5),
    (50_000, 64, (64,), 256, "sgd", 3),
    (50_000, 64, (64,), 1024, "sgd", 3),
    (50_000, 64, (64,), 256, "adam", 3),
    (50_000, 16, (32,), 256, "sgd", 8),
)
PREDICTIONS = (("network", 1_000_000, 16, 32), ("network", 200_000, 16, 32), ("neuron", 1_000_000, 16, 0))


def fit(n, d, hidden, batch, optimizer, epochs):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0.0).astype(np.int64)

    def run(n_jobs=None):
        options = {"batch_size": batch, "optimizer": optimizer, "learning_rate": 0.01, "epochs": epochs, "seed": 1}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few epochs teach a network nothing
            result = train_mlp(X, y, hidden=hidden, init="glorot", n_jobs=n_jobs, **options)
        return result.seconds, [w.tobytes() for w in (*result.model.weights, *result.model.biases)]

    shape = "-".join(map(str, (d, *hidden, 1)))
    return f"train {n:,} rows, {shape}, {f'batches of {batch}' if batch else 'full batch'}, {optimizer}", run


def prediction(kind, n, d, hidden):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    model = Neuron(weights=rng.standard_normal(d), bias=0.1)
    if kind == "network":
        weights = [rng.standard_normal((d, hidden)) * 0.3, rng.standard_normal((hidden, 1))]
        model = MLP(weights=weights, biases=[rng.standard_normal(hidden), np.zeros(1)])

    def run(n_jobs=None):
        started = time.perf_counter()
        found = model.predict_proba(X, n_jobs=n_jobs)
        return time.perf_counter() - started, found.tobytes()

    return f"predict_proba {n:,} rows, {f'{d}-{hidden}-1' if hidden else f'a neuron of {d} inputs'}", run


def two_alone(run):
    """Half of the time that two threads take, each for the work of one."""
    seconds = []
    other = threading.Thread(target=lambda: seconds.append(run()[0]))
    other.start()
    own = run()[0]
    other.join()
    return max(own, *seconds) / 2


def busy():
    """The seconds for which the cores of this machine were in use, to 10 ms; 0 if the system does not count them."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            counts = [int(word) for word in file.readline().split()[1:9]]
    except OSError:
        return 0.0
    return (sum(counts) - counts[3] - counts[4]) / os.sysconf("SC_CLK_TCK")


def turn(contender):
    """Its seconds, and how many cores other processes had in the meantime."""
    started, own, all_of_it = time.perf_counter(), time.process_time(), busy()
    seconds = contender()
    others = busy() - all_of_it - (time.process_time() - own)
    return seconds, others / (time.perf_counter() - started)


def measure(name, run, rounds):
    ref = run()[1]
    for n_jobs in (2, 16):
        assert run(n_jobs)[1] == ref, f"{name}: other bits with n_jobs={n_jobs}"
    contenders = [lambda: run()[0], lambda: run(2)[0], lambda: run(16)[0], lambda: two_alone(run)]
    turns = np.empty((4, rounds, 2))
    for k in range(rounds):
        for place in range(4):  # in turns that change, as a core that was idle is slow at first
            turns[(place + k) % 4, k] = turn(contenders[(place + k) % 4])
    free = turns[:, :, 1] < OTHERS
    figures = [f"{np.median(turns[0, :, 0]) * 1e3:.1f}"]
    for chosen in (np.ones_like(free), free):
        medians = [np.median(turns[k, chosen[k], 0]) if chosen[k].any() else np.nan for k in range(4)]
        figures += [f"{medians[0] / other:.2f}" for other in medians[1:]]
    return f"| {name} | {' | '.join(figures)} | {', '.join(map(str, free.sum(axis=1)))} of {rounds} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", type=int, help="one run, counted from 0")
    parser.add_argument("--out", help="a page to write")
    asked = parser.parse_args()
    columns = ("run", "one thread, ms", "two threads, times as fast", "16 asked for", "ceiling")
    columns += "two, free turns", "16, free turns", "ceiling, free turns", "free turns"
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    print(*lines, sep="\n", flush=True)
    runs = [fit(*given) for given in FITS] + [prediction(*given) for given in PREDICTIONS]
    for name, run in runs if asked.only is None else runs[asked.only : asked.only + 1]:
        lines.append(measure(name, run, asked.rounds))
        print(lines[-1], flush=True)
    if asked.out:
        with open(asked.out, "w", encoding="utf-8") as file:
            print(f"# All cores\n\n{__doc__.split('    python')[0].strip()}\n", file=file)
            print(f"{machine()['cpu']}, {cores()} cores, Python {sys.version.split()[0]}.\n", file=file)
            print(*lines, sep="\n", file=file)


if __name__ == "__main__":
    main()
