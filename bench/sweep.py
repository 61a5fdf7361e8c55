"""Many models in one pass: `sweep` against a fit for each model, by scikit-learn and by `train_neuron`.

Every model's weights are compared with its own fit before anything is timed. Times are of whole calls, checks and all;
a fit for each model is timed for two of them and multiplied. `python bench/sweep.py --help`
"""

import argparse
import json
import os
from contextlib import suppress

from measure import machine, one_thread, take_turns

one_thread()

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tinynet_fast import Neuron, sweep, train_neuron  # noqa: E402
from tinynet_fast.data.datasets import make_pass_fail  # noqa: E402

PROBLEMS = [(1_000_000, 2), (300_000, 16), (100_000, 64)]
MODELS, FITTED = 32, 2  # how many models, and how many of them are really fitted by themselves
CROSS_VALIDATION = 500_000, 16, 8, 5  # rows, features, rates, folds
LIMITS = {"train_neuron": 1e-12, "scikit-learn": 1e-9}


def ours(X, y, rate):
    model = train_neuron(X, y, learning_rate=rate, epochs=1).model
    return np.append(model.weights, model.bias)


def classifier(**options):
    from sklearn.linear_model import SGDClassifier

    options = {"loss": "log_loss", "penalty": None, "learning_rate": "constant", "shuffle": False} | options
    return SGDClassifier(max_iter=1, tol=None, **options)


def scikit_learn(X, y, rate):
    model = classifier(eta0=rate).fit(X, y)
    return np.append(model.coef_, model.intercept_)


def peers():
    table = {"train_neuron": ours}
    with suppress(ImportError):
        import sklearn  # noqa: F401

        table["scikit-learn"] = scikit_learn
    return table


def check_equal(X, y, rates):
    """How far the sweep's weights are from each peer's, norm-wise; ends the run where that is too far."""
    result, apart = sweep(X, y, learning_rate=rates), {}
    for name, run in peers().items():
        refs = [run(X, y, rate) for rate in rates]
        comps = np.column_stack([result.weights, result.biases])
        apart[name] = max(
            float(np.linalg.norm(comp - ref) / np.linalg.norm(ref)) for comp, ref in zip(comps, refs, strict=True)
        )
        if not apart[name] <= LIMITS[name]:
            raise SystemExit(f"weights {apart[name]:.1e} from {name}'s at {X.shape[1]} inputs: not timed")
    return apart


def measure(n, d, rounds):
    rows = make_pass_fail(n, d)
    rates = np.geomspace(1e-4, 1e-2, MODELS)
    apart = check_equal(rows.X[:20_000], rows.y[:20_000], rates[:: MODELS // 8])
    some = rates[:: MODELS // FITTED]
    runs = {name: lambda run=run: [run(rows.X, rows.y, rate) for rate in some] for name, run in peers().items()}
    runs["sweep"] = lambda: sweep(rows.X, rows.y, learning_rate=rates)
    runs["sweep, 2 threads"] = lambda: sweep(rows.X, rows.y, learning_rate=rates, n_jobs=2)
    runs["sweep of 64"] = lambda: sweep(rows.X, rows.y, learning_rate=np.repeat(rates, 2))
    runs["sweep of 64, 2 threads"] = lambda: sweep(rows.X, rows.y, learning_rate=np.repeat(rates, 2), n_jobs=2)
    seconds = take_turns(runs, rounds)
    models = dict.fromkeys(peers(), FITTED) | {name: MODELS * (1 + ("64" in name)) for name in runs if "sw" in name}
    return {
        "rows": n,
        "features": d,
        "models": MODELS,
        "ns_a_row_and_model": {name: seconds[name] / n / models[name] * 1e9 for name in runs},
        "apart": apart,
    }


def measure_cross_validation(rounds):
    """8 rates, 5 folds, both on all cores; the grid search refits its best, and the sweep trains all on all rows."""
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    n, d, n_rates, k = CROSS_VALIDATION
    rows, rates = make_pass_fail(n, d), np.geomspace(1e-4, 1e-2, n_rates)
    fold = np.random.default_rng(0).permutation(n) % k
    cores = os.cpu_count()

    def grid_search(X=rows.X, y=rows.y, fold=fold):
        grid, cv = {"eta0": rates}, PredefinedSplit(fold)
        return GridSearchCV(classifier(), grid, scoring="neg_log_loss", cv=cv, n_jobs=cores).fit(X, y)

    def ours(X=rows.X, y=rows.y, fold=fold):
        return sweep(X, y, learning_rate=rates, folds=fold, n_jobs=cores)

    few = rows.X[:20_000], rows.y[:20_000], fold[:20_000]
    apart = float(np.max(np.abs(ours(*few).scores() / -grid_search(*few).cv_results_["mean_test_score"] - 1)))
    if not apart <= 1e-9:
        raise SystemExit(f"cross-validated losses {apart:.1e} from GridSearchCV's: not timed")
    seconds = take_turns({"GridSearchCV": grid_search, "sweep": ours}, rounds)
    return {"rows": n, "features": d, "rates": n_rates, "folds": k, "cores": cores, "seconds": seconds, "apart": apart}


def measure_auto(rounds):
    """A rate that nobody gave and an averaged pass with it, against L-BFGS; whole calls."""
    from sklearn.linear_model import LogisticRegression

    n, d = 500_000, 16
    rows = make_pass_fail(n, d)
    exact = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000).fit(rows.X, rows.y)
    codes = rows.y.astype(np.uint8)

    def auto():
        return train_neuron(rows.X, rows.y, learning_rate="auto", average=True, epochs=1).model

    def loss(weights, bias):
        return Neuron(weights=np.ravel(weights), bias=float(np.ravel(bias)[0])).mean_cross_entropy(rows.X, codes)

    model, least = auto(), loss(exact.coef_, exact.intercept_)
    apart = loss(model.weights, model.bias) / least - 1
    if not apart <= 5e-4:
        raise SystemExit(f"log loss {apart:.1e} above the least: not timed")
    seconds = take_turns({"auto": auto, "L-BFGS": lambda: LogisticRegression().fit(rows.X, rows.y)}, rounds)
    return {"rows": n, "features": d, "seconds": seconds, "above_least": apart}


def show(console, results, cross_validation, auto):
    table = Table(
        "rows x inputs", "who", "ns a row and model", "sweep takes 1 /", "apart", title="32 learning rates, an epoch"
    )
    for result in results:
        size, cost = f"{result['rows']:,} x {result['features']}", result["ns_a_row_and_model"]
        for who, ns in cost.items():
            apart = f"{result['apart'][who]:.0e}" if who in result["apart"] else ""
            table.add_row(size, who, f"{ns:.2f}", f"{ns / cost['sweep']:.2f}", apart)
            size = ""
    console.print(table)
    if cross_validation:
        seconds = cross_validation["seconds"]
        console.print(
            f"{cross_validation['folds']}-fold cross-validation of {cross_validation['rates']} rates, "
            f"{cross_validation['rows']:,} x {cross_validation['features']}, {cross_validation['cores']} cores: "
            f"GridSearchCV {seconds['GridSearchCV']:.2f} s, sweep {seconds['sweep']:.3f} s, "
            f"{seconds['GridSearchCV'] / seconds['sweep']:.1f} times; scores {cross_validation['apart']:.0e} apart"
        )
        seconds = auto["seconds"]
        console.print(
            f"auto_rate and an averaged pass, {auto['rows']:,} x {auto['features']}: {seconds['auto'] * 1e3:.0f} ms, "
            f"log loss {auto['above_least']:.4%} above the least; LogisticRegression() {seconds['L-BFGS'] * 1e3:.0f} "
            f"ms, {seconds['L-BFGS'] / seconds['auto']:.1f} times"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the figures to this file too")
    arguments = parser.parse_args()
    results, cross_validation, auto = [measure(n, d, arguments.rounds) for n, d in PROBLEMS], None, None
    with suppress(ImportError):
        cross_validation, auto = measure_cross_validation(max(arguments.rounds // 2, 1)), measure_auto(arguments.rounds)
    facts = machine()
    console = Console(highlight=False, width=120)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()) + "; medians")
    show(console, results, cross_validation, auto)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            figures = {"sweep": results, "cross_validation": cross_validation, "auto": auto}
            json.dump({"machine": facts} | figures, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
