"""Compares `SGDClassifier` on CSR rows with scikit-learn's, and its kernel with the reference on dense rows."""

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from compare import distance
from samples import assert_bits, flat
from test_sklearn_sgd import assert_same

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

from tinynet_fast.sklearn import SGDClassifier  # noqa: E402

engines = pytest.mark.parametrize("engine", ["fast", "exact", "strict"])


def rows(n=250, d=40, classes=2, density=0.15, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random(n, d, density, "csr", random_state=seed, data_rvs=rng.standard_normal)
    y = (X @ rng.standard_normal((d, classes)) + 0.5 * rng.gumbel(size=(n, classes))).argmax(axis=1)
    return X, y, rng.random(n) * (rng.random(n) < 0.9)


@lru_cache(maxsize=1)
def fitted(penalty, schedule):
    """What scikit-learn makes of every combination of the other options: the same for every engine."""
    fits = []
    options = {"penalty": penalty, "learning_rate": schedule, "alpha": 0.01, "eta0": 0.05, "n_iter_no_change": 2}
    for classes, average, intercept, shuffle, weighted, tol in product(
        (2, 3), (False, True, 700), (True, False), (False, True), ("", "classes", "classes and rows"), (None, 1e-2)
    ):
        X, y, sample_weight = rows(classes=classes)
        options |= {"average": average, "fit_intercept": intercept, "shuffle": shuffle, "random_state": 5, "tol": tol}
        options |= {"class_weight": {0: 0.5, 1: 3.0} if weighted else None, "max_iter": 6 if tol is None else 300}
        given = {"sample_weight": sample_weight if weighted == "classes and rows" else None}
        fits.append((options.copy(), X, y, given, linear.SGDClassifier(loss="log_loss", **options).fit(X, y, **given)))
    return fits


@engines
@pytest.mark.parametrize("schedule", ["constant", "optimal", "invscaling", "adaptive"])
@pytest.mark.parametrize("penalty", [None, "l2", "l1", "elasticnet"])
def test_weights_are_scikit_learns(engine, penalty, schedule):
    """The weights for every combination of the other options, with and without a tolerance."""
    for options, X, y, given, ref in fitted(penalty, schedule):
        assert_same(SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y, **given), ref)


@engines
def test_other_ways_to_hand_rows_over(engine):
    X, y, sample_weight = rows()
    options = {"random_state": 1, "alpha": 0.01, "max_iter": 3, "tol": None}
    ref = SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y, sample_weight=sample_weight)
    for other in (X.tocsc(), X.tocoo(), sp.csr_array(X)):
        comp = SGDClassifier(loss="log_loss", engine=engine, **options).fit(other, y, sample_weight=sample_weight)
        np.testing.assert_array_equal(flat(comp), flat(ref))
        np.testing.assert_allclose(comp.predict_proba(other), comp.predict_proba(X.toarray()), rtol=1e-12)
    single = X.astype(np.float32)
    comp = SGDClassifier(loss="log_loss", engine=engine, **options).fit(single, y, sample_weight=sample_weight)
    if engine == "strict":  # the weights of the same numbers in float64
        ref = SGDClassifier(loss="log_loss", engine=engine, **options)
        ref.fit(single.astype(np.float64), y, sample_weight=sample_weight)
        assert distance(flat(comp), flat(ref)) <= 1e-12
    else:
        assert comp.coef_.dtype == np.float32
        assert_bits(comp, linear.SGDClassifier(loss="log_loss", **options).fit(single, y, sample_weight=sample_weight))


@engines
def test_partial_fit_early_stopping_and_warm_start(engine):
    X, y, _ = rows(400)
    ref, comp = (make(loss="log_loss", random_state=3, alpha=0.01) for make in (linear.SGDClassifier, SGDClassifier))
    comp.set_params(engine=engine)
    for start in range(0, 400, 100):
        part = slice(start, start + 100)
        assert_same(comp.partial_fit(X[part], y[part], [0, 1]), ref.partial_fit(X[part], y[part], [0, 1]))
    options = {"early_stopping": True, "tol": None, "max_iter": 4, "warm_start": True, "random_state": 1}
    for model in (ref, comp):
        model.set_params(**options)
    for _ in range(2):
        assert_same(comp.fit(X, y), ref.fit(X, y))


def test_a_penalty_that_leaves_nothing():
    """With a rate of 1 / alpha each row starts from weights of zero, and with a scale of one."""
    X, y, _ = rows()
    options = {"learning_rate": "constant", "eta0": 0.5, "alpha": 2.0, "shuffle": False, "tol": None, "max_iter": 2}
    ref = linear.SGDClassifier(loss="log_loss", **options).fit(X, y)
    comp = SGDClassifier(loss="log_loss", **options).fit(X, y)
    assert np.count_nonzero(comp.coef_) == X[-1].nnz
    assert_same(comp, ref)
