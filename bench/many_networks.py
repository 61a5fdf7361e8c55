"""Compare many networks in one pass with the same networks one after the other, with PyTorch and with scikit-learn.

    python bench/many_networks.py [--rounds 7]

Contenders take turns in one process; all but "two threads" have one thread. Weights are compared before anything is
timed: those of `sweep_mlp` with `train_mlp`'s to 1e-12, and PyTorch's with ours to 1e-9. (scikit-learn draws other
first weights, and its Adam adds epsilon elsewhere, so it does the same work to other weights.) Of contenders that take
one network after the other, a few are timed, and the time of all is in proportion. Times are medians of whole calls.
It prints Markdown, and writes it to bench/results/many_networks.md.
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

from tinynet_fast import sweep_mlp, train_mlp

RATES, SEEDS, ALONE = 8, 4, 2  # 32 networks; how many of them are trained one by one
RESULTS = Path(__file__).parent / "results" / "many_networks.md"


def flat(model):
    return np.concatenate([part.ravel() for part in (*model.weights, *model.biases)])


def distance(comp, ref):
    return float(np.linalg.norm(comp - ref) / np.linalg.norm(ref))


class Work:
    """32 networks: their rows and options, and the contenders."""

    def __init__(self, n, d, units, epochs, rates, **options):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((n, d))
        self.y = (self.X[:, 0] * self.X[:, 1] + 0.3 * rng.standard_normal(n) > 0.0).astype(np.int64)
        self.units, self.epochs, self.options = units, epochs, {"hidden": (units,), "epochs": epochs, **options}
        self.rates, self.seeds = np.geomspace(*rates, RATES), list(range(SEEDS))
        self.all = [(rate, seed) for rate in self.rates for seed in self.seeds]
        batch = options.get("batch_size")
        self.name = f"{len(self.all)} networks {d}-{units}-1, {n:,} x {d}, "
        self.name += f"batches of {batch}, {options['optimizer']}" if batch else "full batch"

    def sweep(self, **options):
        return sweep_mlp(self.X, self.y, learning_rate=self.rates, seed=self.seeds, **self.options, **options)

    def alone(self, which):
        rate, seed = self.all[which]
        return train_mlp(self.X, self.y, learning_rate=rate, seed=seed, **self.options)

    def compared(self):
        """The largest distance between the networks of the sweep and those that are trained alone."""
        models = self.sweep().models
        which = range(0, len(self.all), len(self.all) // 4)
        return max(distance(flat(models[k]), flat(self.alone(k).model)) for k in which)

    def contenders(self):
        """name -> (epochs, networks, call)."""
        step = len(self.all) // ALONE
        table = {
            "sweep_mlp": (self.epochs, len(self.all), self.sweep),
            "sweep_mlp, two threads": (self.epochs, len(self.all), lambda: self.sweep(n_jobs=2)),
            "train_mlp": (self.epochs, ALONE, lambda: [self.alone(k) for k in range(0, len(self.all), step)]),
        }
        peer = self.torch() if self.options.get("batch_size") is None else self.scikit_learn()
        return table | peer

    def scikit_learn(self):
        try:
            from sklearn.neural_network import MLPClassifier
        except ImportError:
            return {}
        batch, options = self.options["batch_size"], {"activation": "logistic", "alpha": 0.0, "shuffle": False}

        def fit():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                MLPClassifier(
                    (self.units,), solver="adam", batch_size=batch, max_iter=1, random_state=0, **options
                ).fit(self.X, self.y)

        return {"MLPClassifier": (1, 1, fit)}

    def torch(self):
        try:
            import torch
        except ImportError:
            return {}
        torch.set_num_threads(1)
        X, y = torch.tensor(self.X), torch.tensor(self.y, dtype=torch.float64)
        rates = torch.tensor([rate for rate, _ in self.all])

        def loss(parameters):
            w1, b1, w2, b2 = parameters
            z = (torch.sigmoid(X @ w1 + b1) @ w2 + b2)[:, 0]
            return torch.nn.functional.binary_cross_entropy_with_logits(z, y)

        gradients = torch.func.vmap(torch.func.grad(loss))

        def train(start, epochs):
            parameters = tuple(start)
            for _ in range(epochs):
                steps = gradients(parameters)
                parameters = tuple(
                    p - rates.reshape(-1, *[1] * (p.ndim - 1)) * g for p, g in zip(parameters, steps, strict=True)
                )
            return parameters

        firsts = [np.random.RandomState(seed) for _, seed in self.all]
        d, h = self.X.shape[1], self.units
        drawn = [(each.randn(d, h) * 0.3, each.randn(h, 1) * 0.3) for each in firsts]
        start = [
            torch.tensor(np.stack(parts))
            for parts in (
                [a for a, _ in drawn],
                np.zeros((len(drawn), h)),
                [b for _, b in drawn],
                np.zeros((len(drawn), 1)),
            )
        ]
        found = train(start, self.epochs)
        models = self.sweep().models
        off = max(
            distance(
                np.concatenate([found[i][k].ravel() for i in (0, 2, 1, 3)]),
                flat(model),
            )
            for k, model in enumerate(models)
        )
        assert off <= 1e-9, off
        return {"PyTorch, vmap": (1, len(self.all), lambda: train(start, 1))}


def measure(work, rounds):
    apart = work.compared()
    assert apart <= 1e-12, apart
    contenders = work.contenders()
    seconds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (epochs, networks, call) in contenders.items():
            started = time.perf_counter()
            call()
            took = time.perf_counter() - started
            seconds[name].append(took * work.epochs / epochs * len(work.all) / networks)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    lines = [f"## {work.name}, {work.epochs} epochs (weights {apart:.0e} apart)", ""]
    lines += ["| who | seconds | ns a row and network | times as long |", "| --- | --- | --- | --- |"]
    for name, median in medians.items():
        each = median / (len(work.X) * work.epochs * len(work.all)) * 1e9
        lines.append(f"| {name} | {median:.3f} | {each:.2f} | {median / medians['sweep_mlp']:.2f} |")
    print("\n".join([*lines, ""]), flush=True)
    return [*lines, ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    text = [f"# Many networks in one pass: {platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}", ""]
    text += measure(Work(100_000, 2, 4, 5, (0.05, 2.0)), rounds)
    text += measure(Work(20_000, 16, 16, 3, (3e-4, 1e-2), batch_size=32, optimizer="adam"), rounds)
    RESULTS.write_text("\n".join(text))


if __name__ == "__main__":
    main()
