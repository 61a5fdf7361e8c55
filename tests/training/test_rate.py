"""`auto_rate` finds a rate within 1 % of the best of a finer grid, for rows of every scale, and always the same."""

import numpy as np
import pytest

from tinynet_fast import sweep, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail, quiz_and_attendance, study_hours
from tinynet_fast.training.many_neurons import mean_log_losses
from tinynet_fast.training.rate_search import DECADES, auto_rate
from tinynet_fast.training.result import RateSearch


def synthetic(d, column_scale=1.0, flipped=0.0, seed=0):
    rows = make_pass_fail(4000, d, seed=seed)
    flip = np.random.default_rng(seed).random(4000) < flipped
    return rows.X * column_scale, np.where(flip, 1 - rows.y, rows.y)


def scikit_learn_set(name, standardised):
    datasets = pytest.importorskip("sklearn.datasets")
    data = getattr(datasets, f"load_{name}")()
    kept = data.target != 2 if name == "wine" else slice(None)
    X, y = data.data[kept], data.target[kept] == (3 if name == "digits" else 1)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    return ((X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9) if standardised else X), y


def imbalanced():
    """One row in a hundred has the label 1."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((6000, 5)), np.arange(6000) % 100 == 0
    X[y, 0] += 2.0
    return X, y


def correlated():
    """Twelve columns: four noisy copies of each of three."""
    rng = np.random.default_rng(3)
    X = np.repeat(rng.standard_normal((4000, 3)), 4, axis=1) + 0.01 * rng.standard_normal((4000, 12))
    return X, X.sum(axis=1) + rng.standard_normal(4000) > 0


CASES = {
    "four students": lambda: study_hours()[:2],
    "ten students": lambda: quiz_and_attendance()[:2],
    "1 feature": lambda: synthetic(1),
    "2 features": lambda: synthetic(2),
    "64 features": lambda: synthetic(64),
    "256 features": lambda: synthetic(256),
    "imbalance": imbalanced,
    "correlated columns": correlated,
    "noise": lambda: synthetic(10, flipped=0.3),
    "times 1e6": lambda: synthetic(4, 1e6),
    "times 1e-6": lambda: synthetic(4, 1e-6),
    "columns of unlike scale": lambda: synthetic(4, [1e-6, 1.0, 1.0, 1e6]),
    "cancer": lambda: scikit_learn_set("breast_cancer", False),
    "cancer standardised": lambda: scikit_learn_set("breast_cancer", True),
    "digits": lambda: scikit_learn_set("digits", False),
    "digits standardised": lambda: scikit_learn_set("digits", True),
    "wine": lambda: scikit_learn_set("wine", False),
    "wine standardised": lambda: scikit_learn_set("wine", True),
}


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_within_a_hundredth_of_a_fine_grid(name, average):
    X, y = CASES[name]()
    for epochs in (1, 10):
        search = auto_rate(X, y, epochs=epochs, average=average)
        fine = search.rates[-1] * np.geomspace(10.0**-DECADES, 1.0, 600)
        models = sweep(X, y, learning_rate=fine, epochs=epochs, average=average)
        codes = (np.asarray(y) == np.max(y)).astype(np.uint8)
        least = np.nanmin(
            mean_log_losses(np.column_stack([models.weights, models.biases]), np.asarray(X, float), codes)
        )
        result = train_neuron(X, y, learning_rate=search.learning_rate, epochs=epochs, average=average)
        assert result.model.loss(X, y) <= 1.01 * least


def test_same_rate_every_time():
    X, y = synthetic(5)
    first, second = auto_rate(X, y), auto_rate(X.tolist(), y.tolist(), n_jobs=2)
    assert first.learning_rate == second.learning_rate
    np.testing.assert_array_equal(first.losses, second.losses)
    assert first.learning_rate in first.rates
    assert (np.diff(first.rates) > 0).all()
    assert f"learning_rate={first.learning_rate:.4g}: of " in first.reason


def test_the_reason_names_the_least_loss():
    rates, losses = np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.25, np.nan])
    assert RateSearch(0.2, rates, losses, 2_000, 7).reason == (
        "learning_rate=0.2: of 3 rates from 0.1 to 0.4, each trained on 2,000 rows for 7 epochs, "
        "the least log loss, 0.25"
    )
    for rate, loss in [(0.1, 0.5), (0.4, 0.125)]:
        at_end = RateSearch(rate, rates, np.array([0.5, 0.75, 0.125]), 5, 1).reason
        assert at_end.endswith(f"the least log loss, {loss} (at the end of the range)")


def test_more_rows_than_a_search_takes():
    """One row in six is drawn. `test_rate_rows.py` tests which rows."""
    rows = make_pass_fail(200_000, 2)
    search = auto_rate(rows.X, rows.y, epochs=50)
    assert (search.rows, search.epochs) == (33_334, 7)


def test_mean_log_losses():
    rows = make_pass_fail(3000, 3)
    models = np.random.default_rng(0).standard_normal((37, 4))
    comp = mean_log_losses(models, rows.X, rows.y.astype(np.uint8))
    z = np.where(rows.y == 1, 1, -1)[:, np.newaxis] * (rows.X @ models[:, :3].T + models[:, 3])
    assert comp == pytest.approx(np.logaddexp(0, -z).mean(axis=0), rel=1e-13)


def test_bad_input():
    with pytest.raises(ValueError, match="too large for any learning rate"):
        auto_rate([1e200, 2e200], [0, 1])
    with pytest.raises(ValueError, match=r"X\[0, 0\] is NaN"):
        auto_rate([np.nan, 1.0], [0, 1])
    with pytest.raises(ValueError, match="every learning rate diverges"):
        auto_rate([1.0, 2.0], [0, 1], weights=1e308)
    with pytest.raises(ValueError, match="epochs is 0"):
        auto_rate([1.0, 2.0], [0, 1], epochs=0)


def test_files_are_read_first():
    with pytest.raises(ValueError, match=r"^auto_rate takes rows in memory: read them first"):
        auto_rate("a.csv", "t")
