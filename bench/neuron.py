"""One neuron: what a row costs in an epoch and in prediction, with each engine and each peer that is installed.

Every contender trains the same rows in the same order, and its weights are compared before it is timed. The cost of an
epoch is that of a run of several less that of a run of one, so that nobody's checks and preparations are counted; they
are in the time to a first model, which is measured by itself. `python bench/neuron.py --help`
"""

import argparse
import json
from contextlib import suppress

from measure import machine, one_thread, peak_memory, take_turns

one_thread()

import math  # noqa: E402

import numpy as np  # noqa: E402
from numba import njit  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tinynet_fast import Neuron, train_neuron  # noqa: E402
from tinynet_fast.data.datasets import make_pass_fail  # noqa: E402
from tinynet_fast.kernels import reference  # noqa: E402

PROBLEMS = [(1_000_000, 2), (500_000, 16), (200_000, 64), (100_000, 256)]
RATE, SAMPLE_VALUES, MORE = 0.001, 100_000, 4
LIMITS = {"fast": 1e-12, "numpy": 1e-12, "plain njit": 1e-12, "scikit-learn": 1e-9}  # the others: to the last bit


def ours(engine):
    def run(X, y, epochs):
        result = train_neuron(X, y, learning_rate=RATE, epochs=epochs, engine=engine)
        assert result.engine == engine
        return np.append(result.model.weights, result.model.bias)

    return run


def plain_loop(X, y, epochs):
    """The reference kernel alone, on lists made beforehand: nothing of this package around it."""
    weights, bias = [0.0] * len(X[0]), [0.0]
    reference.sgd_epochs(X, y, [RATE] * len(y), weights, bias, [0.0] * epochs)
    return np.array(weights + bias)


@njit(error_model="numpy")
def _plain_njit(X, y, weights, bias, epochs):
    for _ in range(epochs):
        for i in range(len(X)):
            z = bias
            for j in range(len(weights)):
                z += X[i, j] * weights[j]
            error = 1.0 / (1.0 + math.exp(-z)) - y[i]
            for j in range(len(weights)):
                weights[j] -= RATE * error * X[i, j]
            bias -= RATE * error
    return bias


def plain_njit(X, y, epochs):
    """The loop that anybody would write with Numba."""
    weights = np.zeros(X.shape[1])
    bias = _plain_njit(X, y, weights, 0.0, epochs)
    return np.append(weights, bias)


def scikit_learn():
    from sklearn.linear_model import SGDClassifier

    options = {"loss": "log_loss", "penalty": None, "learning_rate": "constant", "eta0": RATE, "shuffle": False}

    def run(X, y, epochs):
        model = SGDClassifier(max_iter=epochs, tol=None, **options).fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return run


def contenders():
    table = {"fast": ours("fast"), "strict": ours("strict"), "plain njit": plain_njit}
    with suppress(ImportError):
        table["scikit-learn"] = scikit_learn()
    return table


@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def _read(values):
    total = values[0] * 0
    for i in range(len(values)):
        total += values[i]
    return total


def check_equal(table, X, y):
    """How far each contender's weights are from the plain loop's, norm-wise; ends the run where that is too far."""
    ref = plain_loop(X.tolist(), y.tolist(), 2)
    apart = {}
    for name, run in table.items():
        apart[name] = float(np.linalg.norm(run(X, y, 2) - ref) / np.linalg.norm(ref))
        if not apart[name] <= LIMITS.get(name, 0.0):
            raise SystemExit(
                f"{name}: weights {apart[name]:.1e} from the plain loop's at {X.shape[1]} inputs: not timed"
            )
    return apart


def measure(n, d, rounds, dtype=np.float64):
    rows = make_pass_fail(n, d, dtype=dtype)
    few = SAMPLE_VALUES // d
    table, X, y = contenders(), rows.X[:few].astype(np.float64), rows.y[:few]
    apart = check_equal(table, X, y)
    runs = {(who, k): lambda run=run, k=k: run(rows.X, rows.y, k) for who, run in table.items() for k in (1, 1 + MORE)}
    runs["read"] = lambda: _read(rows.X.ravel())
    lists, labels = X.tolist(), y.tolist()
    slow = {"plain Python loop": lambda k: plain_loop(lists, labels, k), "numpy": lambda k: ours("numpy")(X, y, k)}
    apart["numpy"] = check_equal({"numpy": ours("numpy")}, X, y)["numpy"]
    runs |= {(who, k): lambda run=run, k=k: run(k) for who, run in slow.items() for k in (1, 2)}
    seconds = take_turns(runs, rounds)
    cost = {who: (seconds[who, 1 + MORE] - seconds[who, 1]) / MORE / n * 1e9 for who in table}
    cost |= {who: (seconds[who, 2] - seconds[who, 1]) / few * 1e9 for who in slow}
    first = {who: seconds[who, 1] / n * 1e9 for who in table}
    read = seconds["read"] / n * 1e9
    return {
        "rows": n,
        "features": d,
        "dtype": np.dtype(dtype).name,
        "ns_a_row": cost,
        "first_epoch_ns_a_row": first,
        "read_once_ns_a_row": read,
        "apart": apart,
    }


def measure_prediction(n, d, rounds):
    rows = make_pass_fail(n, d)
    model = Neuron(weights=rows.weights, bias=rows.bias)
    w, b = rows.weights, rows.bias

    def by_numpy():
        return 1 / (1 + np.exp(-(rows.X @ w + b)))

    runs = {"tinynet_fast": lambda: model.predict_proba(rows.X), "numpy": by_numpy}
    row = rows.X[0].tolist()
    one = {"tinynet_fast, one row": lambda: [model.predict_proba(row) for _ in range(100)]}
    with suppress(ImportError):
        from sklearn.linear_model import SGDClassifier

        peer = SGDClassifier(loss="log_loss").fit(rows.X[:1000], rows.y[:1000])
        peer.coef_, peer.intercept_ = w[np.newaxis].copy(), np.array([b])
        runs["scikit-learn"] = lambda: peer.predict_proba(rows.X)[:, 1]
        one["scikit-learn, one row"] = lambda: [peer.predict_proba([row]) for _ in range(100)]
    for run in runs.values():
        np.testing.assert_allclose(run(), by_numpy(), rtol=1e-13)
    runs["read"] = lambda: _read(rows.X.ravel())
    seconds = take_turns(runs | one, rounds)
    cost = {who: seconds[who] / n * 1e9 for who in runs}
    return {"rows": n, "features": d, "ns_a_row": cost, "us_one_row": {who: seconds[who] * 1e4 for who in one}}


def measure_sizes(rounds):
    """Does a row cost the same in a small table and in one of many gigabytes? 2 inputs, the fast engine."""
    costs = {}
    for n in (10_000, 100_000, 1_000_000, 10_000_000, 50_000_000):
        rows, more = make_pass_fail(n, 2), max(MORE, 4_000_000 // n)
        runs = {k: lambda k=k, rows=rows: ours("fast")(rows.X, rows.y, k) for k in (1, 1 + more)}
        seconds = take_turns(runs, 3 if n > 1_000_000 else rounds)
        costs[n] = (seconds[1 + more] - seconds[1]) / more / n * 1e9
    return costs


def memory(n, d):
    rows = make_pass_fail(n, d)
    for engine in ("fast", "strict"):
        ours(engine)(rows.X[:1000], rows.y[:1000], 1)
    before = peak_memory()
    for engine in ("fast", "strict"):
        ours(engine)(rows.X, rows.y, 1)
    return peak_memory() - before


def show(console, training, prediction, extra):
    table = Table(
        "rows x inputs", "who", "ns a row", "fast takes 1 /", "with checks", "apart", title="training, an epoch"
    )
    for result in training:
        size = f"{result['rows']:,} x {result['features']} {result['dtype']}"
        fast = result["ns_a_row"]["fast"]
        for who, cost in result["ns_a_row"].items():
            first, apart = result["first_epoch_ns_a_row"].get(who), result["apart"].get(who, 0.0)
            checked = f"{first:,.1f}" if first else ""
            table.add_row(size, who, f"{cost:,.1f}", f"{cost / fast:.2f}", checked, f"{apart:.0e}")
            size = ""
        read = result["read_once_ns_a_row"]
        table.add_row("", "reading the rows once", f"{read:.1f}", f"{read / fast:.2f}")
    console.print(table)
    table = Table("rows x inputs", "who", "ns a row", "ours takes 1 /", title="predict_proba")
    for result in prediction:
        size, mine = f"{result['rows']:,} x {result['features']}", result["ns_a_row"]["tinynet_fast"]
        for who, cost in result["ns_a_row"].items():
            name = "reading the rows once" if who == "read" else who
            table.add_row(size, name, f"{cost:,.2f}", f"{cost / mine:.2f}")
            size = ""
        one = list(result["us_one_row"].items())
        for who, cost in one:
            table.add_row("", who, f"{cost:,.2f} us", f"{cost / one[0][1]:.1f}")
    console.print(table)
    console.print(f"memory beyond the input, training 1,000,000 x 2: {extra:.1f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", action="store_true", help="also measure 10,000 to 50,000,000 rows (4 GB of memory)")
    parser.add_argument("--json", help="write the figures to this file too")
    arguments = parser.parse_args()
    extra = memory(1_000_000, 2)
    training = [measure(n, d, arguments.rounds) for n, d in PROBLEMS]
    training.append(measure(100_000, 256, arguments.rounds, np.float32))
    prediction = [measure_prediction(n, d, arguments.rounds) for n, d in PROBLEMS]
    sizes = measure_sizes(arguments.rounds) if arguments.sizes else {}
    facts = machine()
    console = Console(highlight=False, width=120)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()) + "; one thread, medians")
    show(console, training, prediction, extra)
    for n, cost in sizes.items():
        console.print(f"{n:,} x 2, fast, an epoch: {cost:.2f} ns a row")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            results = {"training": training, "prediction": prediction, "memory_mb": extra, "sizes": sizes}
            json.dump({"machine": facts} | results, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
