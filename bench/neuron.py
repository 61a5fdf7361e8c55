"""One neuron, one epoch: what a row costs with each engine and each peer that is installed. `python bench/neuron.py`

Every contender trains the same rows in the same order, and its weights are compared before it is timed. Plain Python
and NumPy are timed on the first rows only, and so is what they are compared with.
"""

import argparse
import json
from contextlib import suppress

from measure import machine, one_thread, peak_memory, take_turns

one_thread()

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tinynet_fast import train_neuron  # noqa: E402
from tinynet_fast.data.datasets import make_pass_fail  # noqa: E402
from tinynet_fast.kernels import reference  # noqa: E402

PROBLEMS = [(1_000_000, 2), (500_000, 16), (200_000, 64), (100_000, 256)]
RATE, SAMPLE_VALUES = 0.001, 100_000
OURS = ("strict", "numpy", "reference")


def ours(X, y, engine):
    model = train_neuron(X, y, learning_rate=RATE, epochs=1, engine=engine).model
    return np.append(model.weights, model.bias)


def plain_loop(X, y):
    """The reference kernel alone, on lists made beforehand: nothing of this package around it."""
    rows, labels, step = X.tolist(), y.tolist(), [RATE] * len(y)

    def run():
        weights, bias = [0.0] * X.shape[1], [0.0]
        reference.sgd_epochs(rows, labels, step, weights, bias, [0.0])
        return np.array(weights + bias)

    return run


def scikit_learn(X, y):
    from sklearn.linear_model import SGDClassifier

    options = {"loss": "log_loss", "penalty": None, "learning_rate": "constant", "eta0": RATE, "shuffle": False}

    def run():
        model = SGDClassifier(max_iter=1, tol=None, **options).fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return run


def contenders(X, y):
    table = {engine: lambda engine=engine: ours(X, y, engine) for engine in OURS}
    table["plain Python loop"] = plain_loop(X, y)
    with suppress(ImportError):
        table["scikit-learn"] = scikit_learn(X, y)
    return table


def measure(n, d, rounds):
    rows = make_pass_fail(n, d)
    few = min(n, SAMPLE_VALUES // d)
    sample, whole = (contenders(rows.X[:m], rows.y[:m]) for m in (few, n))
    ref = sample["plain Python loop"]()
    apart = {}
    for name, run in sample.items():
        apart[name] = float(np.linalg.norm(run() - ref) / np.linalg.norm(ref))
        limit = (
            1e-9 if name == "scikit-learn" else 0.0 if name in ("strict", "reference", "plain Python loop") else 1e-12
        )
        if not apart[name] <= limit:
            raise SystemExit(f"{name}: weights {apart[name]:.1e} from the plain loop's at {d} features: not timed")
    slow = ("numpy", "reference", "plain Python loop")
    seconds = take_turns(sample, rounds)
    fast = take_turns({name: run for name, run in whole.items() if name not in slow}, rounds)
    cost = {name: (fast[name] / n if name in fast else seconds[name] / few) * 1e9 for name in sample}
    return {"rows": n, "features": d, "sample": few, "ns_a_row": cost, "apart": apart}


def memory(n, d):
    rows = make_pass_fail(n, d)
    ours(rows.X[:10], rows.y[:10], "strict")
    before = peak_memory()
    ours(rows.X, rows.y, "strict")
    return peak_memory() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", help="write the figures to this file too")
    arguments = parser.parse_args()
    extra = memory(1_000_000, 2)
    results = [measure(n, d, arguments.rounds) for n, d in PROBLEMS]
    console = Console(highlight=False, width=120)
    facts = machine()
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()) + "; one thread, medians")
    table = Table(
        "rows x features", "who", "ns a row", "strict is faster by", "weights apart", title="one neuron, one epoch"
    )
    for result in results:
        for name, cost in result["ns_a_row"].items():
            ratio = cost / result["ns_a_row"]["strict"]
            size = f"{result['rows']:,} x {result['features']}" if name == OURS[0] else ""
            table.add_row(size, name, f"{cost:,.1f}", f"{ratio:,.1f}", f"{result['apart'][name]:.0e}")
    console.print(table)
    console.print(f"memory beyond the input, 1,000,000 x 2, strict: {extra:.1f} MB")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": facts, "memory_mb": extra, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
