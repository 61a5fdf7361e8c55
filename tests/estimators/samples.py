"""Rows that the tests of all estimators train on, and what an estimator has learned in one vector."""

import numpy as np


def drawn(n, d, classes, seed):
    """Rows and their labels, 0 and up, with the generator that they were drawn from."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = (X @ rng.standard_normal((d, classes)) + rng.gumbel(size=(n, classes))).argmax(axis=1)
    return X, y, rng


def flat(model):
    """The coefficients and, last, the intercepts of a linear model or a network."""
    parts = [model.coef_, model.intercept_] if hasattr(model, "coef_") else [*model.coefs_, *model.intercepts_]
    return np.concatenate([np.ravel(part) for part in parts])


def assert_bits(comp, ref):
    np.testing.assert_array_equal(comp.coef_, ref.coef_, strict=True)
    np.testing.assert_array_equal(comp.intercept_, ref.intercept_, strict=True)
    assert (comp.n_iter_, comp.t_) == (ref.n_iter_, ref.t_)
