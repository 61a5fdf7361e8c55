"""Interrupt runs at random moments, one after the other, and print what came of each. Run by `test_interrupts.py`.

It is a process of its own, because an interrupt that comes late would end the tests.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from outcomes import learned

from tinynet_fast import auto_rate, sweep, train_mlp, train_neuron
from tinynet_fast.kernels.compiler.interrupts import TerminatedError
from tinynet_fast.scoring import predict_file

LONG = 10**8  # epochs that nobody waits for


def rows(n, d):
    rng = np.random.default_rng(d)
    X = rng.standard_normal((n, d))
    return X, (X[:, 0] > rng.standard_normal(n)).astype(int)


def make_trainers(folder):
    """Runs with a checkpoint, by name: how to start one, and after how many epochs it has taken about 0.3 s."""
    X, y = rows(100_000, 16)
    wide, of_wide = rows(5_000, 300)
    small, of_small = rows(1_000, 4)
    table, names = np.column_stack([X, y])[:40_000], ",".join([*(f"x{j}" for j in range(16)), "y"])
    np.savetxt(folder / "rows.csv", table, delimiter=",", header=names, comments="", fmt="%.6g")
    np.save(folder / "rows.npy", table)

    def neuron(X, y, **options):
        return lambda **others: train_neuron(X, y, learning_rate=0.01, **options | others)

    def network(X, y, **options):
        return lambda **others: train_mlp(X, y, seed=0, **options | others)

    mini = {"batch_size": 64, "optimizer": "adam", "dropout": 0.2, "shuffle": True}
    found = {
        "neuron": (neuron(X, y), 200),
        "shuffled": (neuron(X, y, shuffle=True, seed=1, average=True), 40),
        "wide": (neuron(wide, of_wide, schedule="cosine", validation=0.2, patience=10**6, seed=1), 300),
        "small": (neuron(small, of_small), 30_000),
        "strict": (neuron(X, y, engine="strict", l2=1e-4), 60),
        "numpy": (neuron(small, of_small, engine="numpy"), 30),
        "reference": (neuron(small, of_small, engine="reference"), 100),
        "csv": (neuron(folder / "rows.csv", "y", standardize=True), 15),
        "npy": (neuron(folder / "rows.npy", -1, shuffle="blocks", seed=1, validation=0.2), 60),
        "network": (network(X, y, hidden=(16,)), 10),
        "adam": (network(small, of_small, hidden=(8, 4), **mini), 300),
        "large": (network(wide, of_wide, hidden=(200,), batch_size=256), 3),
    }
    try:
        import scipy.sparse
    except ImportError:
        return found
    stored = scipy.sparse.csr_matrix(np.where(np.abs(wide) > 1.0, wide, 0.0))
    return found | {"sparse": (neuron(stored, of_wide, l2=1e-4, average=True), 60)}


def make_others(folder):
    """What has no checkpoint, by name."""
    X, y = rows(100_000, 16)
    model = train_neuron(folder / "rows.csv", "y", epochs=1).model
    return {
        "sweep": lambda: sweep(X, y, learning_rate=[0.001, 0.01, 0.02], folds=3, epochs=LONG),
        "rate": lambda: [auto_rate(X, y) for _ in range(1000)],
        "predict": lambda: [predict_file(model, folder / "rows.csv", folder / "out.csv") for _ in range(1000)],
    }


def interrupted(run, seconds, number):
    """Run, and send the signal after `seconds`. Returns what `run` returned, or None, what it raised, and how late."""
    sent, result = [], None

    def send():
        time.sleep(seconds)
        sent.append(time.monotonic())
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    try:
        thread.start()
        result = run()
        while True:  # it was faster than the signal
            time.sleep(0.001)
            if sent and time.monotonic() - sent[0] > 1.0:
                return result, None, 0.0
    except KeyboardInterrupt as interrupt:
        came = time.monotonic()
        thread.join()
        return result, interrupt, came - sent[0]


def report(name, delay, *said):
    print(name, f"{delay:.4f}", *said, flush=True)


def stop_once(draw, name, run, path):
    """One signal in a run without an end: it has to arrive, and name the checkpoint if there is one."""
    path.unlink(missing_ok=True)
    options = {}
    if name not in ("sweep", "rate", "predict") and draw.random() < 0.8:
        options = {"checkpoint": path, "checkpoint_seconds": draw.choice((0, 0.05, 1e9))}
    number = draw.choice((signal.SIGINT, signal.SIGTERM))
    _, error, delay = interrupted(lambda: run(**options), draw.uniform(0.0, 0.6), number)
    wanted = TerminatedError if number == signal.SIGTERM else KeyboardInterrupt
    if type(error) is not wanted:
        report(name, delay, "lost")
    elif options and path.exists() and str(path) not in str(error):
        report(name, delay, "silent")
    else:
        report(name, delay, "stopped")


def stop_again_and_again(draw, name, run, epochs, path):
    """Signals in a run until it comes to its end: it has to come to the weights of a run without signals."""
    path.unlink(missing_ok=True)  # runs without a checkpoint are trained in segments, and have other last bits
    ref, result = learned(run(epochs=epochs, checkpoint=path, checkpoint_seconds=1e9)), None
    path.unlink(missing_ok=True)
    while result is None:
        number, options = draw.choice((signal.SIGINT, signal.SIGTERM)), {"checkpoint": path, "epochs": epochs}
        result, error, delay = interrupted(
            lambda options=options: run(checkpoint_seconds=1e9, **options), draw.uniform(0.02, 0.3), number
        )
        report(name, delay, "finished" if error is None or result is not None else "stopped")
    report(name, 0.0, "the same" if np.array_equal(learned(result), ref) else "other weights")


def terminate(number, frame):
    raise TerminatedError


def main(seed, count, folder):
    folder = Path(folder)
    draw, trainers = random.Random(seed), make_trainers(folder)
    runs = {name: lambda run=run, **options: run(epochs=LONG, **options) for name, (run, _) in trainers.items()}
    runs |= make_others(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminate)
    for name, run in runs.items():  # so that nothing is compiled later, which a signal waits for
        trainers[name][0](epochs=2) if name in trainers else interrupted(run, 0.1, signal.SIGINT)
    names = sorted(runs)
    for k in range(count):
        name = names[k % len(names)]
        if name in trainers and (k + k // len(names)) % 2:  # each name gets both in turn
            stop_again_and_again(draw, name, *trainers[name], folder / f"{name}.json")
        else:
            stop_once(draw, name, runs[name], folder / f"{name}.json")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
