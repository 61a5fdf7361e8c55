"""The drop-in estimators beside scikit-learn's: fit, predict_proba, in one process, with one thread, in turns.

Equality comes first: the two are given the same options and the same `random_state`, and their weights (or loss curves)
are compared before anything is timed. What is timed is what a user calls, checks of the input and all.
`python bench/sklearn_peers.py --help`
"""

import argparse
import json
import warnings

from measure import machine, one_thread, take_turns

one_thread()

import numpy as np  # noqa: E402
import scipy.sparse as sp  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.linear_model import SGDClassifier as TheirSGD  # noqa: E402
from sklearn.neural_network import MLPClassifier as TheirMLP  # noqa: E402

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier  # noqa: E402

STEADY = {"learning_rate": "constant", "eta0": 0.01, "shuffle": False}
TEN = {"max_iter": 10, "tol": None, "random_state": 0}
# name, rows, inputs, classes, options, how many times as fast is asked for
SGD = (
    ("10 epochs, plain", 500_000, 16, 2, TEN | STEADY | {"penalty": None}, 4),
    ("10 epochs, l2", 500_000, 16, 2, TEN | STEADY, 4),
    ("10 epochs, defaults", 500_000, 16, 2, TEN, 4),
    ("10 epochs, defaults, unshuffled", 500_000, 16, 2, TEN | {"shuffle": False}, 4),
    ("10 epochs, tolerance watched", 500_000, 16, 2, TEN | {"tol": 1e-3, "n_iter_no_change": 10}, None),
    ("10 epochs, averaged", 500_000, 16, 2, TEN | STEADY | {"average": True}, None),
    ("10 epochs, l1", 500_000, 16, 2, TEN | STEADY | {"penalty": "l1"}, None),
    ("10 classes", 100_000, 64, 10, TEN | STEADY, 8),
    ("10 classes, shuffled", 100_000, 64, 10, TEN | STEADY | {"shuffle": True}, 8),
    ("10 classes, defaults", 100_000, 64, 10, TEN, 8),
    ("10 classes, averaged", 100_000, 64, 10, TEN | STEADY | {"average": True}, None),
    ("defaults, 200 rows", 200, 4, 2, {"random_state": 0}, None),
)
SPARSE = (
    ("sparse, 5 epochs, defaults", TEN | {"max_iter": 5}, 2),
    ("sparse, 5 epochs, unshuffled", TEN | STEADY | {"max_iter": 5}, 2),
    ("sparse, 5 epochs, l1", TEN | {"max_iter": 5, "penalty": "l1"}, 2),
)
MLP = (
    ("network, 100 units, Adam: defaults", {}, 5),
    ("network, 16 units, Adam", {"hidden_layer_sizes": (16,)}, 5),
    ("network, 100 units, momentum", {"solver": "sgd"}, 5),
)


class OneSeed(np.random.RandomState):
    """Gives scikit-learn's classes, which draw a seed each, the first one's: ours share its order of the rows."""

    def randint(self, low, high=None, size=None, dtype=int):
        drawn = super().randint(low, high, size, dtype)
        return drawn if size is None else np.full(size, drawn[0])


def rows(n, d, classes):
    """Normal rows, and labels that a linear model can learn in part."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, (0.5 * X @ rng.standard_normal((d, classes)) + rng.gumbel(size=(n, classes))).argmax(axis=1)


def sparse_rows(n, d, stored):
    rng = np.random.default_rng(0)
    places = rng.integers(0, d, n * stored)
    X = sp.csr_matrix((rng.standard_normal(n * stored), places, np.arange(n + 1) * stored), shape=(n, d))
    X.sum_duplicates()
    return X, (0.3 * X @ rng.standard_normal(d) + rng.standard_normal(n) > 0.0).astype(int)


def apart(comp, ref):
    """The norm-wise relative difference of what was learned, and the most that is allowed."""
    if hasattr(ref, "loss_curve_"):
        comp, ref, limit = np.array(comp.loss_curve_), np.array(ref.loss_curve_), 1e-8
    else:
        assert comp.n_iter_ == ref.n_iter_
        limit = 1e-10
        comp, ref = (np.append(model.coef_.ravel(), model.intercept_) for model in (comp, ref))
    return float(np.linalg.norm(comp - ref) / np.linalg.norm(ref)), limit


def measure_fit(name, X, y, ours, theirs, wanted, rounds):
    off, limit = apart(ours.fit(X, y), theirs.fit(X, y))
    assert off <= limit, f"{name}: {off:.1e} apart"
    seconds = take_turns({"tinynet_fast": lambda: ours.fit(X, y), "scikit-learn": lambda: theirs.fit(X, y)}, rounds)
    return {"name": name, "rows": X.shape[0], "features": X.shape[1], "seconds": seconds, "apart": off, "asked": wanted}


def measure_prediction(n, d, classes, wanted, rounds):
    X, y = rows(n, d, classes)
    ours, theirs = SGDClassifier(**TEN).fit(X, y), TheirSGD("log_loss", **TEN).fit(X, y)
    theirs.coef_, theirs.intercept_ = ours.coef_, ours.intercept_
    off = float(np.abs(ours.predict_proba(X) - theirs.predict_proba(X)).max())
    assert off <= 1e-14
    models = {"tinynet_fast": ours, "scikit-learn": theirs}
    seconds = take_turns({who: lambda model=model: model.predict_proba(X) for who, model in models.items()}, 3 * rounds)
    name = f"predict_proba, {classes} classes"
    return {"name": name, "rows": n, "features": d, "seconds": seconds, "apart": off, "asked": wanted}


def measure(rounds):
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name, n, d, classes, options, wanted in SGD:
        theirs = options | ({"random_state": OneSeed(0)} if classes > 2 else {})
        models = SGDClassifier(**options), TheirSGD("log_loss", **theirs)
        yield measure_fit(name, *rows(n, d, classes), *models, wanted, rounds)
    matrix = sparse_rows(200_000, 50_000, 50)
    for name, options, wanted in SPARSE:
        yield measure_fit(name, *matrix, SGDClassifier(**options), TheirSGD("log_loss", **options), wanted, rounds)
    for d in (2, 16, 64):
        yield measure_prediction(500_000, d, 2, 4, rounds)
    for name, options, wanted in MLP:
        models = (make(max_iter=3, random_state=0, **options) for make in (MLPClassifier, TheirMLP))
        yield measure_fit(name, *rows(100_000, 16, 2), *models, wanted, min(rounds, 3))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the figures to this file too")
    arguments = parser.parse_args()
    console, facts, results = Console(highlight=False, width=120), machine(), []
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()) + "; one thread, medians")
    table = Table("what", "rows x inputs", "scikit-learn, ms", "ours, ms", "times as fast", "asked", "apart")
    for result in measure(arguments.rounds):
        results.append(result)
        ours, theirs = (result["seconds"][who] * 1e3 for who in ("tinynet_fast", "scikit-learn"))
        asked = f"{result['asked']}" if result["asked"] else ""
        size = f"{result['rows']:,} x {result['features']:,}"
        figures = f"{theirs:,.1f}", f"{ours:,.1f}", f"{theirs / ours:.2f}", asked, f"{result['apart']:.0e}"
        table.add_row(result["name"], size, *figures)
    console.print(table)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": facts, "results": results}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
