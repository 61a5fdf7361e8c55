"""Small networks: what a row costs in training and in prediction, against NumPy, PyTorch and scikit-learn.

Every contender makes the same updates from the same parameters and is compared with our plain loops (`strict`) before
it is timed. A cost is that of a run of several epochs less that of a run of one, so that nobody's preparations are
counted; the four rows are timed whole. Each is written as a good user of it would: see the functions below.
`python bench/network.py --help`
"""

import argparse
import json
from contextlib import suppress
from itertools import pairwise

from measure import machine, one_thread, take_turns

one_thread()

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tinynet_fast import MLP, train_mlp  # noqa: E402
from tinynet_fast.data.datasets import make_pass_fail  # noqa: E402

# name, rows, inputs, hidden, batch (None: all), optimizer, epochs (few, many), rows of the slow contenders, targets
WORK = (
    ("height/weight, 4 rows, 4 hidden", 4, 2, (4,), None, "sgd", (0, 4000), 4, {"numpy": 120, "pytorch": 1000}),
    ("full batch, 4 hidden", 100_000, 2, (4,), None, "sgd", (1, 5), None, {"numpy": 7, "pytorch": 4}),
    ("full batch, 32 hidden", 100_000, 16, (32,), None, "sgd", (1, 3), None, {"numpy": 2, "pytorch": 2}),
    ("full batch, 16 hidden", 100_000, 64, (16,), None, "sgd", (1, 3), None, {"numpy": 1.3, "pytorch": 1.3}),
    ("batches of 32, 4 hidden", 100_000, 2, (4,), 32, "sgd", (1, 5), 20_000, {"pytorch": 250, "scikit-learn": 80}),
    ("batches of 32, 32-16", 100_000, 16, (32, 16), 32, "adam", (1, 3), 20_000, {"pytorch": 20, "scikit-learn": 10}),
    ("one row at a time, 4 hidden", 100_000, 2, (4,), 1, "sgd", (1, 5), 1_000, {"pytorch": 1000}),
)  # fmt: skip
RATES, EPSILON = {"sgd": 0.15, "adam": 0.001}, 1e-12
# PyTorch and we add epsilon to the corrected root, scikit-learn to the uncorrected one: it is kept small.
LIMIT = {"sgd": 1e-9, "adam": 1e-6}


def start(sizes):
    draw = np.random.RandomState(42)
    return [draw.randn(a, b) * 0.3 for a, b in pairwise(sizes)]


def flat(weights, biases):
    return np.concatenate([np.ravel(part) for pair in zip(weights, biases, strict=True) for part in pair])


def ours(engine):
    def run(X, y, weights, batch, optimizer, epochs):
        result = train_mlp(
            X, y, hidden=[len(w) for w in weights[1:]], weights=weights, batch_size=batch, epochs=epochs,
            learning_rate=RATES[optimizer], optimizer=optimizer, epsilon=EPSILON, engine=engine,
        )  # fmt: skip
        assert result.engine == engine
        return flat(result.model.weights, result.model.biases)

    return run


def numpy_loop(X, y, weights, batch, optimizer, epochs):
    """The tutorial's loop, with its loss each epoch, for one hidden layer and all rows at once."""

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    assert (optimizer, batch, len(weights)) == ("sgd", None, 2)
    (W1, W2), rate, y = (w.copy() for w in weights), RATES["sgd"], y[:, np.newaxis]
    b1, b2 = np.zeros((1, W1.shape[1])), np.zeros((1, 1))
    losses = []
    for _ in range(epochs):
        a1 = sigmoid(X @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        losses.append(-np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2)))
        dz2 = a2 - y
        dz1 = (dz2 @ W2.T) * a1 * (1 - a1)
        W2 -= rate * (a1.T @ dz2 / len(X))
        b2 -= rate * dz2.mean(axis=0, keepdims=True)
        W1 -= rate * (X.T @ dz1 / len(X))
        b1 -= rate * dz1.mean(axis=0, keepdims=True)
    return flat((W1, W2), (b1, b2))


def pytorch():
    import torch
    from torch import nn

    torch.set_num_threads(1)

    def run(X, y, weights, batch, optimizer, epochs):
        """`nn.Sequential` and a loss on logits, in double; the optimizers' fused kernels, which are their fastest."""
        layers = []
        for w in weights:
            layer = nn.Linear(*w.shape, dtype=torch.float64)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(w.T))
                layer.bias.zero_()
            layers += [layer, nn.Sigmoid()]
        net, loss = nn.Sequential(*layers[:-1]), nn.BCEWithLogitsLoss()
        kind, options = (torch.optim.SGD, {}) if optimizer == "sgd" else (torch.optim.Adam, {"eps": EPSILON})
        step = kind(net.parameters(), lr=RATES[optimizer], fused=True, **options)
        rows, labels, size = torch.from_numpy(X), torch.from_numpy(y)[:, None], batch or len(X)
        for _ in range(epochs):
            for at in range(0, len(X), size):
                step.zero_grad()
                loss(net(rows[at : at + size]), labels[at : at + size]).backward()
                step.step()
        parts = [p.detach().numpy().T for p in net.parameters()]
        return flat(parts[::2], parts[1::2])

    return run


def scikit_learn():
    from sklearn.neural_network import MLPClassifier

    def run(X, y, weights, batch, optimizer, epochs):
        model = MLPClassifier(
            [len(w) for w in weights[1:]], activation="logistic", solver=optimizer, alpha=0.0, momentum=0.0,
            nesterovs_momentum=False, batch_size=batch or len(X), learning_rate_init=RATES[optimizer], shuffle=False,
            epsilon=EPSILON,
        )  # fmt: skip
        model.partial_fit(X[: batch or len(X)], y[: batch or len(X)], classes=[0, 1])
        for coef, intercept, w in zip(model.coefs_, model.intercepts_, weights, strict=True):
            coef[...], intercept[...] = w, 0.0
        del model._optimizer
        for _ in range(epochs):
            model.partial_fit(X, y)
        return flat(model.coefs_, model.intercepts_)

    return run


def contenders(names):
    table = {"fast": ours("fast")}
    if "numpy" in names:
        table["numpy"] = numpy_loop
    with suppress(ImportError):
        table["pytorch"] = pytorch()
    if "scikit-learn" in names:
        with suppress(ImportError):
            table["scikit-learn"] = scikit_learn()
    return table


def rows_of(n, d):
    if n == 4:
        return np.array([[-2.0, -7.0], [5.0, 20.0], [3.0, 12.0], [-7.0, -20.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    rows = make_pass_fail(n, d)
    return rows.X, rows.y


def check_equal(table, X, y, weights, batch, optimizer):
    """How far each contender's parameters are from the plain loops', norm-wise; ends the run where that is too far."""
    ref = ours("strict")(X, y, weights, batch, optimizer, 2)
    apart = {}
    for name, run in table.items():
        apart[name] = float(np.linalg.norm(run(X, y, weights, batch, optimizer, 2) - ref) / np.linalg.norm(ref))
        if not apart[name] <= LIMIT[optimizer]:
            raise SystemExit(f"{name}: parameters {apart[name]:.1e} from the plain loops': not timed")
    return apart


def measure(name, n, d, hidden, batch, optimizer, epochs, few_rows, targets, rounds):
    X, y = rows_of(n, d)
    weights, table = start((d, *hidden, 1)), contenders(targets)
    few_rows = few_rows or n
    apart = check_equal(table, X[:few_rows], y[:few_rows], weights, batch, optimizer)
    rows = {who: n if who == "fast" else few_rows for who in table}
    low, high = epochs
    runs = {}
    for who, run in table.items():
        given = (X[: rows[who]], y[: rows[who]], weights, batch, optimizer)
        last = high if rows[who] == n else low + 1
        for k in (low, last):
            if k:
                runs[who, k] = lambda run=run, given=given, k=k: run(*given, k)
    seconds = take_turns(runs, rounds)
    cost = {}
    for who in table:
        last = high if rows[who] == n else low + 1
        spent = seconds[who, last] - seconds.get((who, low), 0.0)
        cost[who] = spent / (last - low) / rows[who] * 1e9
    return {
        "work": name,
        "rows": n,
        "inputs": d,
        "hidden": hidden,
        "ns_a_row": cost,
        "targets": targets,
        "apart": apart,
    }


def measure_prediction(n, d, hidden, rounds):
    rows = make_pass_fail(n, d)
    W1, W2 = start((d, hidden, 1))
    model = MLP(weights=[W1, W2], biases=[np.zeros(hidden), np.zeros(1)])

    def by_numpy():
        return 1 / (1 + np.exp(-((1 / (1 + np.exp(-(rows.X @ W1)))) @ W2)))[:, 0]

    runs = {"fast": lambda: model.predict_proba(rows.X), "numpy": by_numpy}
    with suppress(ImportError):
        import torch

        torch.set_num_threads(1)
        layers = [torch.nn.Linear(*w.shape, dtype=torch.float64) for w in (W1, W2)]
        with torch.no_grad():
            for layer, w in zip(layers, (W1, W2), strict=True):
                layer.weight.copy_(torch.from_numpy(w.T))
                layer.bias.zero_()
        net = torch.nn.Sequential(layers[0], torch.nn.Sigmoid(), layers[1], torch.nn.Sigmoid())

        def by_torch():
            with torch.inference_mode():
                return net(torch.from_numpy(rows.X)).numpy()[:, 0]

        runs["pytorch"] = by_torch
    ref = by_numpy()
    apart = {who: float(np.max(np.abs(run() / ref - 1))) for who, run in runs.items()}
    assert max(apart.values()) <= 1e-12
    cost = {who: seconds / n * 1e9 for who, seconds in take_turns(runs, rounds).items()}
    targets = {"numpy": 1.5, "pytorch": 1.5}
    shape = {"rows": n, "inputs": d, "hidden": [hidden]}
    return {"work": "predict_proba", **shape, "ns_a_row": cost, "targets": targets, "apart": apart}


def show(console, results):
    table = Table("work", "who", "ns a row", "fast takes 1 /", "target", "apart", title="small networks, an epoch")
    for result in results:
        work = f"{result['work']}: {result['rows']:,} x {result['inputs']}"
        for who, cost in result["ns_a_row"].items():
            ratio, target = cost / result["ns_a_row"]["fast"], result["targets"].get(who)
            missed = " missed" if target and ratio < target else ""
            row = (f"{cost:,.1f}", f"{ratio:,.2f}", f"{target or ''}{missed}", f"{result['apart'][who]:.0e}")
            table.add_row(work, who, *row)
            work = ""
    console.print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="the work whose name has this in it")
    parser.add_argument("--json", help="write the figures to this file too")
    arguments = parser.parse_args()
    results = [measure(*work, arguments.rounds) for work in WORK if (arguments.only or "") in work[0]]
    if (arguments.only or "") in "predict_proba":
        results.append(measure_prediction(1_000_000, 16, 32, arguments.rounds))
    facts = machine()
    console = Console(highlight=False, width=120)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()) + "; one thread, float64, medians")
    show(console, results)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": facts, "results": results}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
