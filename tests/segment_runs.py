"""Runs of a neuron in segments, for their tests: rows, constants by which short runs have segments, the comparison."""

from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from compare import distance, flat

from tinynet_fast import train_neuron
from tinynet_fast.training import junctions

# Constants of `training/segments.py` by which short runs are trained in segments too.
EPOCHS = {
    "LEAST_SECONDS": 0.0,
    "LEAST_ROWS": 0,
    "MEASURED": 1.0,
    "MEASURING_SHARE": 1e9,
    "LOOKING_SHARE": 1e9,
    "FIRST_TRY": 1 << 40,
    "FIRST_MEASURED": 1 << 40,
    "BURN_IN_SHARE": 1e9,
}

# Rows that may never let two runs meet.
KINDS = ["as drawn", "collinear", "constant", "rare", "late", "sorted", "large offset", "float32"]


def pass_fail(n, d, seed):
    """Rows on which two runs meet soon: labels with some chance, inputs that do not depend on each other."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, (X @ rng.standard_normal(d) / np.sqrt(d) + rng.logistic(size=n) > 0).astype(float)


def numbers(n, d, seed):
    """Rows on which two runs of a linear neuron meet soon."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) * 3.0 + 5.0 + rng.standard_normal(n)


# Options of a neuron, the rows on which two runs of it meet soon, and the bound of its steps.
LOG, LINEAR = ({}, pass_fail, 8.0), ({"output": "linear"}, numbers, 2.0)
NEURONS = pytest.mark.parametrize(("neuron", "rows", "bound"), [LOG, LINEAR], ids=["log loss", "linear"])


def rows_of_kind(rng, kind, n, d, powers, linear=False):
    """Rows of one of KINDS, whose inputs are of sizes up to 10**powers; labels that are separable or nearly random.

    If `linear`, numbers, whose noise is small or large.
    """
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-powers, powers, d)
    y = X @ rng.standard_normal(d) + rng.standard_normal(n) * 10.0 ** rng.integers(-3, 3)
    if not linear:
        y = (y > 0).astype(float)
        y[:2] = 0.0, 1.0
    if kind == "collinear":
        X = np.column_stack([X, X.sum(axis=1), X[:, 0] * (1 + 1e-9)])
    if kind == "constant":
        X[:, 0] = rng.choice([0.0, 1.0, 50.0])
    if kind == "rare":
        X[:, 0] = 0.0
        X[rng.integers(n), 0] = 1.0
    if kind == "late":
        X = np.column_stack([X, np.arange(n) >= n - 2])
    if kind == "sorted":
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    if kind == "large offset":
        X += 30.0
    return X.astype(np.float32) if kind == "float32" else X, y


@contextmanager
def settings_of(part, **values):
    """Other constants of a module, by which short runs are trained in segments too, or none are."""
    before = {name: getattr(part, name) for name in values}
    vars(part).update(values)
    try:
        yield
    finally:
        vars(part).update(before)


@contextmanager
def always(part, constants):
    """Train in segments whether it pays or not; `constants` are those of the module `part`."""
    with ExitStack() as stack:
        stack.enter_context(settings_of(junctions, PAYS=1e9))
        stack.enter_context(settings_of(part, **{name: v for name, v in constants.items() if hasattr(part, name)}))
        yield


def largest_rate(X, limit=8.0):
    """The largest rate at which no step overshoots."""
    return limit / ((np.asarray(X, float) ** 2).sum(axis=1).max() + 1.0)


def assert_reference(result, *arguments, **options):
    """A result has the weights and losses of the same run with `strict`."""
    options.pop("n_jobs", None)
    assert_same(result, train_neuron(*arguments, **options, engine="strict"), arguments[0], **options)


def assert_same(result, ref, X, learning_rate=0.1, **options):
    """A result has the weights and losses of `ref`, the result of `strict` from the same rows and options.

    If updates cancel each other, so that weights end far shorter than one update, the rounding of all counts.
    """
    if distance(flat(result.model), flat(ref.model)) > 1e-12:
        longest = np.sqrt((np.asarray(X, float) ** 2).sum(axis=1).max() + 1.0)
        update = learning_rate * longest
        assert np.linalg.norm(flat(ref.model)) < 1e-3 * update
        assert np.linalg.norm(flat(result.model) - flat(ref.model)) <= 1e-16 * update * ref.rows * ref.epochs
    np.testing.assert_allclose(result.loss_history, ref.loss_history, rtol=1e-11, atol=1e-13)
