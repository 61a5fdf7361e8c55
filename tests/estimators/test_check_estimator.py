"""scikit-learn's `check_estimator`: nothing fails here that passes with its own class and the same options.

`make test-sklearn-bits` checks all configurations; without it a few stand for them.
"""

import os
import warnings
from collections import Counter

import pytest

pytest.importorskip("sklearn", minversion="1.8")

from sklearn import linear_model, neural_network
from sklearn.utils.estimator_checks import check_estimator

from tinynet_fast import sklearn as ours


# Subclasses of their classes: for some checks of its own classes scikit-learn takes other options than those given.
class SGDClassifier(linear_model.SGDClassifier):
    pass


class SGDRegressor(linear_model.SGDRegressor):
    pass


class MLPClassifier(neural_network.MLPClassifier):
    pass


class MLPRegressor(neural_network.MLPRegressor):
    pass


THEIRS = {each.__name__: each for each in (SGDClassifier, SGDRegressor, MLPClassifier, MLPRegressor)}
# (class, engine, options); those of ordinary tests first.
CONFIGURATIONS = [
    ("SGDClassifier", "fast", {"loss": "log_loss"}),
    ("SGDRegressor", None, {}),
    ("MLPClassifier", "fast", {"max_iter": 60, "hidden_layer_sizes": (10,)}),
    ("MLPRegressor", "fast", {"max_iter": 60, "hidden_layer_sizes": (10,)}),
    ("SGDClassifier", "exact", {"loss": "log_loss"}),
    ("SGDClassifier", "strict", {"loss": "log_loss", "learning_rate": "constant"}),
    ("SGDClassifier", "fast", {"loss": "hinge", "average": True}),
    ("SGDClassifier", "fast", {"loss": "log_loss", "early_stopping": True, "validation_fraction": 0.3}),
    ("SGDClassifier", "exact", {"loss": "modified_huber", "penalty": "l1", "average": 10}),
    ("SGDClassifier", "exact", {"loss": "perceptron", "learning_rate": "adaptive", "eta0": 0.1}),
    ("SGDClassifier", "fast", {"loss": "squared_hinge", "penalty": "elasticnet", "learning_rate": "invscaling"}),
    ("SGDClassifier", "fast", {"loss": "log_loss", "average": True, "warm_start": True, "class_weight": "balanced"}),
    ("SGDRegressor", None, {"loss": "huber", "average": True}),
    ("SGDRegressor", None, {"loss": "epsilon_insensitive", "early_stopping": True, "validation_fraction": 0.3}),
    ("MLPClassifier", "fast", {"solver": "sgd", "max_iter": 40, "early_stopping": True, "hidden_layer_sizes": (10,)}),
    ("MLPClassifier", "fast", {"solver": "lbfgs", "max_iter": 10, "hidden_layer_sizes": (3,)}),
    ("MLPRegressor", "fast", {"solver": "lbfgs", "max_iter": 10, "hidden_layer_sizes": (3,)}),
]
SOME = CONFIGURATIONS if os.environ.get("TINYNET_FAST_BITS") == "full" else CONFIGURATIONS[:5]


def outcomes(estimator):
    """How each check ended, by the check's name and how often it came before (with other parameters)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    seen, ends = Counter(), {}
    for each in results:
        name = each["check_name"]
        ends[name, seen[name]] = each
        seen[name] += 1
    return ends


@pytest.mark.parametrize(("name", "engine", "options"), SOME, ids=lambda value: str(value))
def test_nothing_fails_that_passes_there(name, engine, options):
    ref = outcomes(THEIRS[name](**options, random_state=0))
    mine = getattr(ours, name)(**options, random_state=0)
    comp = outcomes(mine.set_params(engine=engine) if engine else mine)
    passed = {check for check, result in ref.items() if result["status"] == "passed"}
    assert len(passed) > 30
    assert passed <= comp.keys(), "checks that are not run here"
    broken = {check: comp[check]["exception"] for check in passed if comp[check]["status"] != "passed"}
    assert not broken
