"""Many models in one pass: `sweep` against a separate fit for each model, and cross-validation against a grid search.

Times are those of whole calls, with all checks. Only two of the separate fits are timed.
"""

import os
from contextlib import suppress
from dataclasses import replace

import numpy as np
from family import check

from tinynet_fast import sweep, train_neuron
from tinynet_fast.proof.bench.measure import race
from tinynet_fast.rows.datasets import make_pass_fail

PROBLEMS = ((1_000_000, 2), (300_000, 16), (100_000, 64))
MODELS, FITTED, CHECKED = 32, 2, 8  # how many models; how many of them are fitted separately, and how many compared
LIMITS = {"our own fits": 1e-12, "scikit-learn": 1e-9}
CROSS_VALIDATION = 500_000, 16, 8, 5  # rows, features, rates, folds


def ours(X, y, rate):
    model = train_neuron(X, y, learning_rate=rate, epochs=1).model
    return np.append(model.weights, model.bias)


def classifier(**options):
    from sklearn.linear_model import SGDClassifier

    options = {"loss": "log_loss", "penalty": None, "learning_rate": "constant", "shuffle": False} | options
    return SGDClassifier(loss="log_loss", max_iter=1, tol=None, **options)


def scikit_learn(X, y, rate):
    model = classifier(eta0=rate).fit(X, y)
    return np.append(model.coef_, model.intercept_)


def peers():
    table = {"our own fits": ours}
    with suppress(ImportError):
        import sklearn  # noqa: F401

        table["scikit-learn"] = scikit_learn
    return table


def rates_of_a_sweep(n, d, size):
    rows, rates = make_pass_fail(n, d), np.geomspace(1e-4, 1e-2, MODELS)
    name, few = f"{n:,} x {d}, {MODELS} rates", (rows.X[:20_000], rows.y[:20_000])
    some = rates[:: MODELS // CHECKED]
    result, apart = sweep(*few, learning_rate=some), {}
    for who, run in peers().items():
        pairs = zip(np.column_stack([result.weights, result.biases]), some, strict=True)
        apart[who] = max(check(name, who, comp, run(*few, rate), LIMITS[who]) for comp, rate in pairs)
    fitted = rates[:: MODELS // FITTED]
    runs = {
        "sweep": (MODELS, lambda: sweep(rows.X, rows.y, learning_rate=rates)),
        "sweep, 2 threads": (MODELS, lambda: sweep(rows.X, rows.y, learning_rate=rates, n_jobs=2)),
    } | {who: (FITTED, lambda run=run: [run(rows.X, rows.y, rate) for rate in fitted]) for who, run in peers().items()}
    return per_model(name, runs, size, (n, d), apart)


def per_model(name, runs, size, shape, apart):
    """Nanoseconds per row and model, for runs that fit different numbers of models."""
    seen = race(name, {who: run for who, (_, run) in runs.items()}, size.rounds, shape=shape, apart=apart)
    figures = []
    for figure in seen.figures:
        scale = 1e6 / shape[0] / runs[figure.who][0]  # from milliseconds per call
        values = (getattr(figure, part) * scale for part in ("median", "low", "high"))
        figures.append(replace(figure, **dict(zip(("median", "low", "high"), values, strict=True))))
    return replace(seen, figures=figures, unit="ns a row and model")


def cross_validation(size):
    """8 rates, 5 folds, all cores. The grid search refits its best model; the sweep trains all models on all rows."""
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

    name, few = (
        f"{n:,} x {d}, {n_rates} rates, {k} folds, {cores} cores",
        (rows.X[:20_000], rows.y[:20_000], fold[:20_000]),
    )
    scores = ours(*few).scores(), -grid_search(*few).cv_results_["mean_test_score"]
    apart = {"GridSearchCV": check(name, "GridSearchCV", *scores, 1e-9)}
    runs = {"sweep": ours, "GridSearchCV": grid_search}
    return race(name, runs, max(size.rounds // 2, 1), shape=(n, d), apart=apart)


def measure(size):
    for n, d in PROBLEMS:
        yield "sweep", rates_of_a_sweep(n, d, size)
    with suppress(ImportError):
        yield "cross-validation", cross_validation(size)
