"""Rows, options and comparisons for the tests of searches."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

from sklearn import linear_model, model_selection, neural_network
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import (
    GridSearchCV,
    MLPClassifier,
    MLPRegressor,
    SGDClassifier,
    SGDRegressor,
)

THEIRS = {
    SGDClassifier: linear_model.SGDClassifier,
    SGDRegressor: linear_model.SGDRegressor,
    MLPClassifier: neural_network.MLPClassifier,
    MLPRegressor: neural_network.MLPRegressor,
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
Y = (X @ [1.0, -2.0, 0.5, 0.0] + RNG.normal(size=90) > 0.0).astype(int)
Z = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.normal(size=90)
THREE = np.array(["a", "b", "c"])[np.digitize(Z, [-1.0, 1.0])]
WEIGHT = RNG.uniform(0.5, 2.0, size=90)
GROUPS = np.arange(90) % 7
NET = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0, "batch_size": 16}
RATES = {"learning_rate_init": [0.001, 0.03, 0.01]}
SGD = {"max_iter": 20, "random_state": 0}
ALPHAS = {"alpha": [1e-4, 1e-2], "eta0": [0.01, 0.05]}
WITH_RATE = {**SGD, "learning_rate": "constant"}


def compare(ref, comp, close=0.0):
    """All results but the times; scores to `close`."""
    assert list(ref.cv_results_) == list(comp.cv_results_)
    for key, value in ref.cv_results_.items():
        if "_time" in key:
            assert (comp.cv_results_[key] >= 0.0).all()
        elif "test_" in key or "train_" in key:
            np.testing.assert_allclose(comp.cv_results_[key], value, rtol=0.0, atol=close, err_msg=key)
        else:
            np.testing.assert_equal(comp.cv_results_[key], value, key)
    for name in ("best_index_", "best_params_", "n_splits_", "multimetric_"):
        assert getattr(ref, name, None) == getattr(comp, name, None)
    assert vars(ref).keys() == vars(comp).keys() - {"shared_"}
    if hasattr(ref, "best_score_"):
        assert comp.best_score_ == pytest.approx(ref.best_score_, rel=0.0, abs=close, nan_ok=True)


def both(estimator, grid, *rows, fit=None, close=0.0, **options):
    """scikit-learn's search and ours over the same estimator, which is one of ours; scores to `close`."""
    searches = [
        kind(clone(estimator), grid, **{"cv": 3, **options}).fit(*rows, **(fit or {}))
        for kind in (model_selection.GridSearchCV, GridSearchCV)
    ]
    compare(*searches, close)
    return searches[1]


def in_a_pipeline(model, *before):
    return make_pipeline(*(before or (StandardScaler(),)), model)


def prefixed(name, grid):
    return {f"{name}__{key}": values for key, values in grid.items()}
