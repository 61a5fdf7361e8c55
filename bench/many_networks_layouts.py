"""Compare what `sweep_mlp` trains side by side, folds and labels, with own fits of `train_mlp`; and float32 networks.

    python bench/many_networks_layouts.py [--rounds 7]

Contenders take turns in one process, on one thread. Weights are compared before anything is timed. Times are medians of
the process's CPU time, so that other programs on the machine disturb them less. A sweep with folds also judges each
network on the rows that it holds out, and own fits do not. It prints Markdown, and writes it to
bench/results/many_networks_layouts.md.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from tinynet_fast import OneVsRest, sweep_mlp, train_mlp
from tinynet_fast.training import network_passes

RESULTS = Path(__file__).parent / "results" / "many_networks_layouts.md"
FOLD_BY_FOLD = np.inf  # for `network_passes.SURELY`
ADAM = {"batch_size": 32, "optimizer": "adam", "epochs": 3}


def flat(model):
    return np.concatenate([part.ravel() for part in (*model.weights, *model.biases)]).astype(float)


class Work:
    """Networks of 16 inputs and 16 units, trained by one sweep, and each by its own fit."""

    def __init__(self, name, n, promise=1e-12, rates=1, folds=None, labels=2, **options):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((n, 16)).astype(options.get("dtype", "float64"))
        sums = self.X[:, 0] * self.X[:, 1] + 0.3 * rng.standard_normal(n)
        self.y = np.searchsorted(np.quantile(sums, np.arange(1, labels) / labels), sums)
        self.name, self.promise, self.rates = name, promise, np.geomspace(1e-3, 1e-2, rates).tolist()
        self.fold = None if folds is None else rng.permutation(np.arange(n) % folds)
        self.options = {"hidden": (16,), "seed": 1, **options}
        self.classes = range(labels) if labels > 2 else [None]

    def sweep(self, surely=network_passes.SURELY, **more):
        before, network_passes.SURELY = network_passes.SURELY, surely
        own = {"output": "one_vs_rest"} if len(self.classes) > 1 else {}
        try:
            return sweep_mlp(self.X, self.y, learning_rate=self.rates, folds=self.fold, **(self.options | own | more))
        finally:
            network_passes.SURELY = before

    def alone(self):
        """The networks of the sweep, in its order, each from a fit of its own."""
        folds = [-1] if self.fold is None else range(-1, int(self.fold.max()) + 1)
        models = []
        for rate in self.rates:
            for f in folds:
                kept = slice(None) if f < 0 else self.fold != f
                for label in self.classes:
                    y = self.y[kept] if label is None else (self.y[kept] == label).astype(int)
                    models.append(train_mlp(self.X[kept], y, learning_rate=rate, **self.options).model)
        return models

    def compared(self):
        """The largest distance between the networks of the sweep and those of own fits."""
        found = [
            m for model in self.sweep().models for m in (model.members if isinstance(model, OneVsRest) else [model])
        ]
        pairs = [(flat(a), flat(b)) for a, b in zip(found, self.alone(), strict=True)]
        return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)

    def contenders(self):
        table = {"sweep_mlp": self.sweep, "train_mlp, in turn": self.alone}
        if self.fold is not None:
            table["sweep_mlp, fold by fold"] = lambda: self.sweep(FOLD_BY_FOLD)
        if "dtype" in self.options:
            table["sweep_mlp, float64"] = lambda: self.sweep(dtype="float64")
        return table


def measure(work, rounds):
    apart = work.compared()
    assert apart <= work.promise, apart
    seconds = {name: [] for name in work.contenders()}
    for _ in range(rounds):
        for name, call in work.contenders().items():
            started = time.process_time()
            call()
            seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    networks = len(work.alone())
    lines = [f"## {work.name}: {networks} networks (weights {apart:.0e} apart)", ""]
    lines += ["| who | CPU seconds | times as long |", "| --- | --- | --- |"]
    lines += [f"| {name} | {each:.3f} | {each / medians['sweep_mlp']:.2f} |" for name, each in medians.items()]
    print("\n".join([*lines, ""]), flush=True)
    return [*lines, ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")  # networks that learn little in a few epochs
    text = [f"# Folds, labels, float32: {platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}", ""]
    works = (
        Work("2 rates, 5 folds, batches of 32, 20,000 x 16", 20_000, rates=2, folds=5, **ADAM),
        Work("4 rates, 5 folds, batches of 32, 20,000 x 16", 20_000, rates=4, folds=5, **ADAM),
        Work("8 rates, 5 folds, batches of 32, 20,000 x 16", 20_000, rates=8, folds=5, **ADAM),
        Work("5 folds, a row at a time, 5,000 x 16", 5_000, folds=5, batch_size=1, epochs=3),
        Work("8 labels against the rest, batches of 32, 20,000 x 16", 20_000, labels=8, **ADAM),
        Work("float32, 8 rates, batches of 32, 20,000 x 16", 20_000, 0.0, rates=8, dtype="float32", **ADAM),
    )
    for work in works:
        text += measure(work, rounds)
    RESULTS.write_text("\n".join(text))


if __name__ == "__main__":
    main()
