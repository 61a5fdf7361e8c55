"""`tinynet_fast.sklearn.SGDRegressor` has the bits of scikit-learn's."""

from itertools import product

import joblib
import numpy as np
import pytest
from samples import assert_bits

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

import scipy.sparse as sp  # noqa: E402

from tinynet_fast.kernels import exact_losses  # noqa: E402
from tinynet_fast.sklearn import SGDRegressor  # noqa: E402
from tinynet_fast.sklearn.sgd_exact import LOSSES  # noqa: E402

losses = pytest.mark.parametrize("loss", sorted(linear.SGDRegressor.loss_functions))
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(n=150, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n), rng.random(n)


def both(**options):
    return SGDRegressor(random_state=3, **options), linear.SGDRegressor(random_state=3, **options)


@losses
@pytest.mark.parametrize("penalty", [None, "l2", "l1", "elasticnet"])
def test_fit(loss, penalty):
    """Until training stops by itself, and with an adaptive rate until it has fallen a few times.

    With the default rate some losses take hundreds of epochs to stop, and each of them is scored.
    """
    X, y, weight = rows()
    rate = {"eta0": 0.1} if loss in ("huber", "epsilon_insensitive") else {}
    for make, dtype, average, given in product(
        (np.asarray, sp.csr_matrix), (np.float64, np.float32), (False, 20), ({}, {"sample_weight": weight})
    ):
        for more in ({}, {"early_stopping": True}, {"learning_rate": "adaptive", "max_iter": 30}):
            comp, ref = both(loss=loss, penalty=penalty, average=average, **rate, **more)
            matrix = make(X.astype(dtype))
            assert_bits(comp.fit(matrix, y, **given), ref.fit(matrix, y, **given))
            np.testing.assert_array_equal(comp.predict(matrix), ref.predict(matrix))


def test_options_without_values_of_their_own():
    comp, ref = both()
    assert comp.get_params() == ref.get_params()


@pytest.mark.parametrize("options", [{}, {"penalty": "l1"}, {"average": True}, {"average": 200}], ids=str)
def test_partial_fit_and_warm_start(options, tmp_path):
    X, y, _ = rows()
    comp, ref = both(**options)
    for start in range(0, 150, 50):
        part = slice(start, start + 50)
        assert_bits(comp.partial_fit(X[part], y[part]), ref.partial_fit(X[part], y[part]))
    joblib.dump(comp, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert_bits(mapped.partial_fit(X, y), ref.partial_fit(X, y))
    comp, ref = both(warm_start=True, max_iter=3, tol=None, **options)
    for _ in range(2):
        assert_bits(comp.fit(X, y), ref.fit(X, y))


def test_starting_weights_are_not_written_to():
    X, y, _ = rows()
    start, bias = np.ones(5), np.ones(1)
    comp, ref = both(max_iter=2, tol=None)
    comp.fit(X, y, start, bias)
    assert (start == 1.0).all()
    assert (bias == 1.0).all()
    assert_bits(comp, ref.fit(X, y, start.copy(), bias.copy()))


@losses
def test_another_loss_is_seen(loss, monkeypatch):
    """The checks above can fail."""
    X, y, _ = rows()
    monkeypatch.setitem(LOSSES, loss, (exact_losses.SQUARED_ERROR + (loss == "squared_error"), 0.5))
    comp, ref = both(loss=loss, max_iter=2, tol=None)
    assert not np.array_equal(comp.fit(X, y).coef_, ref.fit(X, y).coef_)
