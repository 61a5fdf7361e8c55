"""Rows for the problems, made from a seed, and what all problems of a trainer record."""

from pathlib import Path

import numpy as np


def table(n, d, classes=2, seed=0, dtype=np.float64, scale=1.0):
    """(n, d) rows and their labels 0, 1, ... The labels depend on a noisy sum of the inputs, so they can be learned.

    Small integers and booleans are made from the same numbers.
    """
    rng = np.random.default_rng([seed, n, d])
    X = rng.standard_normal((n, d))
    sums = X @ rng.standard_normal(d) + 0.5 * rng.standard_normal(n)
    y = np.searchsorted(np.quantile(sums, np.arange(1, classes) / classes), sums)
    if np.dtype(dtype).kind in "iu":
        X = np.round(3 * X)
    elif dtype is bool:
        X = X > 0
    return (X * scale if scale != 1.0 else X).astype(dtype), y


def row_weights(n, seed=0):
    """Weights of 0, 0.5, 1 and 1.5."""
    return np.random.default_rng([seed, n]).integers(0, 4, n) / 2


def sparse_table(n, d, stored=5, classes=2, seed=0, dtype=np.float64, places=np.int32):
    """CSR rows that store up to `stored` of `d` values each, and their labels."""
    import scipy.sparse as sp

    rng = np.random.default_rng([seed, n, d, stored])
    indices = np.sort(rng.integers(0, d, (n, stored)), axis=1).ravel()
    X = sp.csr_matrix((rng.standard_normal(n * stored), indices, np.arange(n + 1) * stored), shape=(n, d))
    X.sum_duplicates()
    sums = X @ rng.standard_normal(d) + 0.2 * rng.standard_normal(n)
    X = X.astype(dtype)
    X.indices, X.indptr = X.indices.astype(places), X.indptr.astype(places)
    return X, np.searchsorted(np.quantile(sums, np.arange(1, classes) / classes), sums)


def outcome(result, X, y):
    """A trainer's result, what its model predicts, its file, and what the model that is read back predicts."""
    from tinynet_fast import load

    model, path = result.model, Path("model.json")
    model.save(path)
    first = X[:1].tolist() if isinstance(X, np.ndarray) else X[:1]
    return {
        "result": result,
        "file": path.read_text(encoding="utf-8"),
        "again": load(path).predict_proba(X[:20]),
        "one row": model.predict_proba(first),
    } | predictions(model, X, y)


def predictions(model, X, y):
    """All predictions of a model for rows."""
    return {
        "sums": model.decision_function(X),
        "probabilities": model.predict_proba(X),
        "predicted": model.predict(X),
        "score": model.score(X, y),
        "loss": model.loss(X, y),
    }


def named(options):
    """Options as a part of a problem's name: l2=0.01, average."""
    shown = [key if value is True else f"{key}={_shown(value)}" for key, value in options.items()]
    return ", ".join(shown) or "as it comes"


def _shown(value):
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return getattr(value, "__name__", str(value))


def drawn(rng, choices):
    """One value of each option; those that are None, False or 0 are left out."""
    found = {key: values[rng.integers(len(values))] for key, values in choices.items()}
    return {key: value for key, value in found.items() if value}


def stopping_after(epochs):
    """A callback that ends training after this many epochs."""
    return lambda epoch: epoch.epoch + 1 >= epochs
