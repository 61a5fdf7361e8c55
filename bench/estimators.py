"""Compare the drop-in estimators with scikit-learn's: whole calls of `fit`, on dense and on sparse rows.

Both get the same options and the same `random_state`. Weights (or loss curves) are compared before anything is timed.
"""

import warnings

import numpy as np
from family import check

from tinynet_fast.proof.bench.measure import race

STEADY = {"learning_rate": "constant", "eta0": 0.01, "shuffle": False}
TEN = {"max_iter": 10, "tol": None, "random_state": 0}
# name, rows, inputs, classes, options, whether quick runs measure it too
SGD = (
    ("10 epochs, plain", 500_000, 16, 2, TEN | STEADY | {"penalty": None}, True),
    ("10 epochs, l2", 500_000, 16, 2, TEN | STEADY, True),
    ("10 epochs, defaults", 500_000, 16, 2, TEN, True),
    ("10 epochs, defaults, unshuffled", 500_000, 16, 2, TEN | {"shuffle": False}, False),
    ("10 epochs, tolerance watched", 500_000, 16, 2, TEN | {"tol": 1e-3, "n_iter_no_change": 10}, False),
    ("10 epochs, averaged", 500_000, 16, 2, TEN | STEADY | {"average": True}, True),
    ("10 epochs, l1", 500_000, 16, 2, TEN | STEADY | {"penalty": "l1"}, True),
    ("10 classes", 100_000, 64, 10, TEN | STEADY, True),
    ("10 classes, shuffled", 100_000, 64, 10, TEN | STEADY | {"shuffle": True}, False),
    ("10 classes, defaults", 100_000, 64, 10, TEN, False),
    ("10 classes, averaged", 100_000, 64, 10, TEN | STEADY | {"average": True}, False),
    ("defaults, 200 rows", 200, 4, 2, {"random_state": 0}, True),
)
SPARSE = (
    ("5 epochs, defaults", TEN | {"max_iter": 5}, True),
    ("5 epochs, unshuffled", TEN | STEADY | {"max_iter": 5}, True),
    ("5 epochs, l1", TEN | {"max_iter": 5, "penalty": "l1"}, False),
)
SPARSE_SHAPE = 200_000, 50_000, 50  # rows, inputs, stored values a row
MLP = (
    ("network, 100 units, Adam: defaults", {}, True),
    ("network, 16 units, Adam", {"hidden_layer_sizes": (16,)}, False),
    ("network, 100 units, momentum", {"solver": "sgd"}, False),
)


def rows(n, d, classes):
    """Rows drawn from a normal distribution, and labels that a linear model can partly learn."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, (0.5 * X @ rng.standard_normal((d, classes)) + rng.gumbel(size=(n, classes))).argmax(axis=1)


def sparse_rows(n, d, stored):
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    places = rng.integers(0, d, n * stored)
    X = sp.csr_matrix((rng.standard_normal(n * stored), places, np.arange(n + 1) * stored), shape=(n, d))
    X.sum_duplicates()
    return X, (0.3 * X @ rng.standard_normal(d) + rng.standard_normal(n) > 0.0).astype(int)


def apart(name, comp, ref):
    """The norm-wise relative difference between the weights (or loss curves) of the two estimators."""
    if hasattr(ref, "loss_curve_"):
        return check(name, "the loss curve", np.array(comp.loss_curve_), np.array(ref.loss_curve_), 1e-8)
    if comp.n_iter_ != ref.n_iter_:
        raise SystemExit(f"{name}: {comp.n_iter_} epochs, but scikit-learn took {ref.n_iter_}: nothing is timed")
    learned = (np.append(model.coef_.ravel(), model.intercept_) for model in (comp, ref))
    return check(name, "the estimator", *learned, 1e-10)


def fit(name, X, y, ours, theirs, rounds):
    off = apart(name, ours.fit(X, y), theirs.fit(X, y))
    runs = {"tinynet_fast": lambda: ours.fit(X, y), "scikit-learn": lambda: theirs.fit(X, y)}
    return race(f"{name}: {X.shape[0]:,} x {X.shape[1]:,}", runs, rounds, shape=X.shape, apart={"scikit-learn": off})


def measure(size):
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import SGDClassifier as TheirSGD
        from sklearn.neural_network import MLPClassifier as TheirMLP
    except ImportError:
        return
    from tinynet_fast.sklearn import MLPClassifier, SGDClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    rounds = size.rounds if size.full else 3
    for name, n, d, classes, options, quick in SGD:
        if quick or size.full:
            models = SGDClassifier(loss="log_loss", **options), TheirSGD("log_loss", **options)
            yield "SGDClassifier", fit(name, *rows(n, d, classes), *models, rounds)
    matrix = sparse_rows(*SPARSE_SHAPE)
    for name, options, quick in SPARSE:
        if quick or size.full:
            models = SGDClassifier(loss="log_loss", **options), TheirSGD("log_loss", **options)
            yield "SGDClassifier on CSR, 50 values a row", fit(name, *matrix, *models, rounds)
    for name, options, quick in MLP:
        if quick or size.full:
            models = (make(max_iter=3, random_state=0, **options) for make in (MLPClassifier, TheirMLP))
            yield "MLPClassifier", fit(name, *rows(100_000, 16, 2), *models, 3)
