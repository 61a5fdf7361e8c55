"""Eight threads train their first models at once, round after round, to one thread's bits. See `test_threads.py`."""

import sys
import threading

import numpy as np
from mutations import QUICK

from tinynet_fast import sweep, train_mlp, train_neuron

# Each width up to four has kernels of its own, which take a second or two each to compile.
WIDTHS = (2, 5) if QUICK else (1, 2, 3, 4, 5, 16)
rng = np.random.default_rng(0)
TABLES = {}
for d in WIDTHS:
    for dtype in (np.float64, np.float32):
        X = rng.standard_normal((300, d)).astype(dtype)
        TABLES[d, dtype] = X, (X[:, 0] > rng.standard_normal(300)).astype(int)


def jobs():
    """A problem for each kernel that a thread may be the first to need."""
    for (d, dtype), (X, y) in TABLES.items():
        yield lambda X=X, y=y: train_neuron(X, y, learning_rate=0.01, epochs=2).model.weights
        yield lambda X=X, y=y: train_neuron(X, y, learning_rate=0.01, epochs=2, l2=1e-3, average=True).model.weights
        if dtype == np.float64:
            yield lambda X=X, y=y: train_neuron(X, y, epochs=2, engine="strict").model.weights
            yield lambda X=X, y=y: sweep(X, y, learning_rate=[0.01, 0.02], epochs=2).weights
        if d in (2, 5):
            yield lambda X=X, y=y: train_mlp(X, y, hidden=(4,), epochs=2, seed=0).model.weights[0]
            yield lambda X=X, y=y: train_mlp(X, y, hidden=(4,), epochs=2, batch_size=32, seed=0).model.weights[0]


JOBS = list(jobs())


def together(order):
    """Run all jobs on eight threads that start at once; gives the results and the errors."""
    found, errors, barrier = [None] * len(JOBS), [], threading.Barrier(8)

    def work(mine):
        barrier.wait()
        for k in mine:
            try:
                found[k] = np.array(JOBS[k]())
            except BaseException as error:
                errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=work, args=(order[t::8],)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, errors


def main(rounds, first):
    sys.setswitchinterval(1e-6)
    ref = [np.array(job()) for job in JOBS] if first == "alone" else None
    for k in range(rounds):
        found, errors = together(np.random.default_rng(k).permutation(len(JOBS)).tolist())
        if errors:
            sys.exit(f"round {k}: {len(errors)} errors, {errors[0]}")
        ref = [np.array(job()) for job in JOBS] if ref is None else ref
        for comp, alone in zip(found, ref, strict=True):
            np.testing.assert_array_equal(comp, alone)
    print("the same bits")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
