"""Compare networks of float32 with networks of float64: the same rows, from the same weights.

    python bench/float32.py [--rounds 9] [--page FILE]

The contenders take turns in one process and one thread. Weights are compared before anything is timed: after an epoch
those of float32 are within 1e-2 of those of float64. (Steps of Adam are as long for a gradient of 1e-9, which float32
may not see, as for any other. Without such gradients the distance is 1e-6.) Float32 is timed on rows of float32, and on
rows of float64, which are rounded as they are read. Times are medians of the training alone.
"""

import argparse
import os
import statistics
import warnings
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from tinynet_fast import TrainingWarning, train_mlp
from tinynet_fast.kernels.compiler.jit import no_copies
from tinynet_fast.models.layers import flatten

# rows, inputs, hidden units, options
RUNS = (
    (100_000, 64, (16,), {}),
    (100_000, 64, (16,), {"batch_size": 256}),
    (100_000, 64, (16,), {"batch_size": 32}),
    (100_000, 16, (32,), {"activation": "tanh"}),
    (100_000, 8, (16,), {"activation": "relu", "batch_size": 64}),
    (100_000, 20, (64, 64), {"activation": "relu", "batch_size": 128, "optimizer": "adam", "learning_rate": 0.001}),
    (100_000, 2, (4,), {}),
)
CONTENDERS = {  # the types of the network and of its rows
    "float64": ("float64", np.float64),
    "float32": ("float32", np.float32),
    "float32, rows of float64": ("float32", np.float64),
}
COLUMNS = ("run", *(f"{name}, ns a row" for name in CONTENDERS), "times as fast", "rows of float64", "weights apart")


def measure(n, d, hidden, options, rounds):
    """A line of the page."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    y = (X[:, 0] + rng.standard_normal(n) > 0).astype(int)
    rows = {kind: X.astype(kind) for kind in (np.float32, np.float64)}

    def run(dtype, kind):
        return train_mlp(rows[kind], y, hidden=hidden, epochs=1, seed=0, dtype=dtype, **options)

    results = {name: run(*how) for name, how in CONTENDERS.items()}
    ref, comp, same = (flatten(r.model.weights, r.model.biases).astype(float) for r in results.values())
    off = float(np.linalg.norm(comp - ref) / np.linalg.norm(ref))
    assert off <= 1e-2, off
    assert np.array_equal(comp, same)
    seconds = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, how in CONTENDERS.items():
            seconds[name].append(run(*how).seconds)
    a_row = {name: statistics.median(values) / n * 1e9 for name, values in seconds.items()}
    faster = [f"{a_row['float64'] / a_row[name]:.2f}" for name in list(CONTENDERS)[1:]]
    shape = "-".join(map(str, (d, *hidden, 1)))
    what = ", ".join(f"{name} {value}" for name, value in options.items())
    figures = [f"{n:,} x {shape}{', ' * bool(what)}{what}", *(f"{value:.1f}" for value in a_row.values()), *faster]
    return f"| {' | '.join([*figures, f'{off:.0e}'])} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", TrainingWarning)  # an epoch is for the clock
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    print("\n".join(lines))
    with no_copies():
        for run in RUNS:
            lines.append(measure(*run, asked.rounds))
            print(lines[-1], flush=True)
    if asked.page is not None:
        text = __doc__.split("\n\n", 2)
        asked.page.write_text("\n".join([f"# {text[0]}", "", text[2].strip(), "", *lines]) + "\n")


if __name__ == "__main__":
    main()
