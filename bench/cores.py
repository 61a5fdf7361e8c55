"""Compare two threads with one, for everything that takes `n_jobs`.

    python bench/cores.py [--rounds 15] [--only WORD] [--wait SECONDS] [--out bench/results/cores.md]

The contenders take turns in one process. Weights and predictions of all of them have the same bits, which is checked
first. Times are medians of the wall time of training, or of a call of `predict_proba`. The ceiling is how much two
threads do on this machine that have nothing to do with each other, each the work of one. The last columns have the
medians of each contender's own turns in which other processes had less than a tenth of a core, as /proc/stat has it.
With `--wait`, each turn waits for at most so long until that is so.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its idle threads spin for 20 ms, on the core of the second thread

import numpy as np

from tinynet_fast import MLP, Neuron, auto_rate, evaluate, train_mlp, train_neuron, validate
from tinynet_fast.proof.bench.machine import machine
from tinynet_fast.rows.blocks import standardisation
from tinynet_fast.rows.team import cores
from tinynet_fast.scoring import predict_file

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

    return (
        f"predict_proba {n:,} rows, {f'{d}-{hidden}-1' if hidden else f'a neuron of {d} inputs'}",
        timed(lambda n_jobs: model.predict_proba(X, n_jobs=n_jobs).tobytes()),
    )


def timed(work):
    """A contender: the seconds of a call, and what must be the same with any number of threads."""

    def run(n_jobs=None):
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = work(n_jobs)
        return time.perf_counter() - started, found

    return run


def others(folder):
    """The other doors: standardising, searches for a rate, files, reports and `validate`."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_000_000, 16))
    y = (X[:, 0] + rng.logistic(size=len(X)) > 0.0).astype(np.int64)
    numbers = X[:, 0] * 2.0 + rng.standard_normal(len(X))
    wide, some, few = rng.standard_normal((100_000, 256)), X[:100_000], X[:1000]
    names = [f"x{j}" for j in range(16)]
    sizes = ((16, 32), (32, 1)), ((16, 128), (128, 128), (128, 1))
    small, large = (
        MLP(
            weights=[rng.standard_normal(size) * 0.3 for size in layers],
            biases=[np.zeros(size[1]) for size in layers],
            features=names,
        )
        for layers in sizes
    )
    np.save(folder / "rows.npy", X[:300_000])
    table = ",".join([*names, "y"]) + "\n"
    table += "".join([",".join(map(repr, row)) + f",{label}\n" for row, label in zip(some.tolist(), y, strict=False)])
    (folder / "rows.csv").write_text(table, encoding="utf-8")

    def to_file(model, name):
        def work(n_jobs):
            predict_file(model, folder / "rows.npy", folder / name, n_jobs=n_jobs)
            return (folder / name).read_bytes()

        return timed(work)

    def found(search, **options):
        return timed(lambda n_jobs: repr(vars(search(n_jobs=n_jobs, learning_rate="auto", **options).rate_search)))

    def neuron(**options):
        return train_neuron(some, numbers[: len(some)], output="linear", **options)

    def network(**options):
        return train_mlp(few, y[: len(few)], hidden=16, batch_size=32, epochs=100, seed=1, **options)

    yield "standardise 1,000,000 x 16", timed(lambda n: [each.tobytes() for each in standardisation(X, None, n)])
    yield "standardise 100,000 x 256", timed(lambda n: [each.tobytes() for each in standardisation(wide, None, n)])
    yield "rate, 100,000 x 16, log loss", timed(lambda n: repr(vars(auto_rate(some, y[: len(some)], n_jobs=n))))
    yield "rate, 1,000 x 16, 50 epochs", timed(lambda n: repr(vars(auto_rate(few, y[: len(few)], epochs=50, n_jobs=n))))
    yield "rate, 100,000 x 16, numbers", found(neuron)
    yield "rate of a network, 1,000 x 16-16-1, with 100 epochs", found(network)
    yield "predict 300,000 rows, .npy to .parquet, 16-32-1", to_file(small, "out.parquet")
    yield "predict 300,000 rows, .npy to .parquet, 16-128-128-1", to_file(large, "out.parquet")
    yield "predict 300,000 rows, .npy to .csv, 16-32-1", to_file(small, "out.csv")
    yield (
        "evaluate 100,000 rows, .csv, 16-128-128-1",
        timed(lambda n: repr(evaluate(large, folder / "rows.csv", "y", n_jobs=n).to_json())),
    )
    yield "validate", timed(lambda n: repr(validate(n_jobs=n).to_json()))


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


def wait_for_others(seconds):
    """Wait until other processes leave the cores alone, but not for longer than `seconds`."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started, all_of_it = time.perf_counter(), busy()
        time.sleep(0.2)
        if (busy() - all_of_it) / (time.perf_counter() - started) < OTHERS:
            break


def turn(contender):
    """Its seconds, and how many cores other processes had in the meantime."""
    started, own, all_of_it = time.perf_counter(), sum(os.times()[:4]), busy()
    seconds = contender()
    theirs = busy() - all_of_it - (sum(os.times()[:4]) - own)
    return seconds, theirs / (time.perf_counter() - started)


def measure(name, run, rounds, seconds):
    ref = run()[1]
    for n_jobs in (2, 16):
        assert run(n_jobs)[1] == ref, f"{name}: other bits with n_jobs={n_jobs}"
    contenders = [lambda: run()[0], lambda: run(2)[0], lambda: run(16)[0], lambda: two_alone(run)]
    turns = np.empty((4, rounds, 2))
    for k in range(rounds):
        for place in range(4):  # in turns that change, as a core that was idle is slow at first
            wait_for_others(seconds)
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
    parser.add_argument("--only", default="", help="a word in the names of the runs to make")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds that a turn may wait for other processes")
    parser.add_argument("--out", help="a page to write")
    asked = parser.parse_args()
    columns = ("run", "one thread, ms", "two threads, times as fast", "16 asked for", "ceiling")
    columns += "two, free turns", "16, free turns", "ceiling, free turns", "free turns"
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    print(*lines, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = [fit(*given) for given in FITS] + [prediction(*given) for given in PREDICTIONS] + [*others(Path(folder))]
        for name, run in runs:
            if asked.only in name:
                lines.append(measure(name, run, asked.rounds, asked.wait))
                print(lines[-1], flush=True)
    if asked.out:
        with open(asked.out, "w", encoding="utf-8") as file:
            print(f"# All cores\n\n{__doc__.split('    python')[0].strip()}\n", file=file)
            print(f"{machine()['cpu']}, {cores()} cores, Python {sys.version.split()[0]}.\n", file=file)
            print(*lines, sep="\n", file=file)


if __name__ == "__main__":
    main()
