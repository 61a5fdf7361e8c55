"""Scores of early stopping: scikit-learn's bits, and its functions for whoever scores in a way of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="the scores are scikit-learn's")
from scipy import sparse
from sklearn import linear_model, neural_network
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, r2_score

from tinynet_fast.sklearn import MLPClassifier, MLPRegressor, SGDClassifier, SGDRegressor, scores

RNG = np.random.default_rng(2)
X = RNG.standard_normal((300, 4))
Y = np.array(["no", "yes", "perhaps"])[np.digitize(X[:, 0] + RNG.standard_normal(300), [-0.3, 0.5])]
NUMBERS = X @ np.array([1.0, -1.0, 0.5, 0.0]) + RNG.standard_normal(300)
WEIGHT = RNG.random(300) + 0.1
STOPPING = {"early_stopping": True, "random_state": 0, "max_iter": 12, "tol": None}
KINDS = st.sampled_from([np.float32, np.float64])
WEIGHTS = st.sampled_from(["none", "float32", "float64", "int64"])


def weights(rng, kind, n):
    if kind == "none":
        return None
    return rng.integers(1, 5, n) if kind == "int64" else rng.random(n).astype(kind)


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.sampled_from(["f4", "f8", "i8", "U3"]), WEIGHTS)
def test_accuracy_is_scikit_learns(seed, n, kind, weighted):
    rng = np.random.default_rng(seed)
    labels, predicted = (rng.integers(0, 3, n).astype(kind) for _ in range(2))
    weight = weights(rng, weighted, n)
    assert scores.accuracy(labels, predicted, weight) == accuracy_score(labels, predicted, sample_weight=weight)


def test_accuracy_of_several_labels_a_row():
    labels, predicted = RNG.integers(0, 2, (2, 40, 3))
    assert scores.accuracy(labels, predicted, WEIGHT[:40]) == accuracy_score(
        labels, predicted, sample_weight=WEIGHT[:40]
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 400), st.sampled_from([(), (1,), (3,)]), KINDS, KINDS, WEIGHTS)
def test_r2_is_scikit_learns(seed, n, targets, kind, other, weighted):
    rng = np.random.default_rng(seed)
    numbers, predicted = (rng.standard_normal((n, *targets)).astype(each) for each in (kind, other))
    weight = weights(rng, weighted, n)
    assert scores.r2(numbers, predicted, weight) == r2_score(numbers, predicted, sample_weight=weight)


@pytest.mark.parametrize("targets", [(), (2,)])
def test_r2_of_what_has_no_variance(targets):
    same, other = np.ones((5, *targets)), RNG.standard_normal((5, *targets))
    assert scores.r2(same, same) == 1.0
    assert scores.r2(same, other) == 0.0
    assert scores.r2(other, other) == 1.0
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(scores.r2(same[:1], other[:1]))
    with pytest.raises(ValueError, match="NaN"):
        scores.r2(same, np.full_like(same, np.nan))


def outcome(score, *rows):
    try:
        return score(*rows, sample_weight=np.zeros(300))
    except (ValueError, ArithmeticError) as error:
        return type(error), str(error)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rows_that_weigh_nothing_are_left_to_scikit_learn():
    """The rows that are held out may all be such rows by chance."""
    assert outcome(scores.accuracy, Y, Y) == outcome(accuracy_score, Y, Y)
    assert str(outcome(scores.r2, NUMBERS, X[:, 0])) == str(outcome(r2_score, NUMBERS, X[:, 0]))


class Counted(SGDClassifier):
    """It predicts in its own way."""

    predictions = 0

    def predict(self, X):
        Counted.predictions += 1
        return super().predict(X)


class Scored(SGDRegressor):
    """A score of its own, by which training stops after the first epochs."""

    def score(self, X, y, sample_weight=None):
        return -1.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", ["hinge", "log_loss", "squared_error"])
def test_epochs_are_those_of_scikit_learn(kind, dtype, loss, monkeypatch):
    """A score with another bit would change which epoch is the last. scikit-learn's own is called once a class."""
    asked, begin = [], scores.Checked.__init__

    def counted(self, theirs, ours):
        begin(self, lambda *given: asked.append(given) or theirs(*given), ours)

    monkeypatch.setattr(scores.Checked, "__init__", counted)
    options = {"loss": loss, **STOPPING, "max_iter": 60, "tol": 1e-3, "n_iter_no_change": 3}
    rows = kind(X.astype(dtype))
    if loss == "squared_error":
        comp, ref, learned = SGDRegressor(**options), linear_model.SGDRegressor(**options), NUMBERS
    else:
        comp, ref, learned = SGDClassifier(engine="exact", **options), linear_model.SGDClassifier(**options), Y
    comp.fit(rows, learned, sample_weight=WEIGHT)
    ref.fit(rows, learned, sample_weight=WEIGHT)
    assert comp.n_iter_ == ref.n_iter_ > 3
    np.testing.assert_array_equal(comp.coef_, ref.coef_)
    assert len(asked) == (1 if loss == "squared_error" else 3)


def test_predictions_and_scores_of_subclasses_are_asked():
    Counted.predictions = 0
    Counted(**STOPPING).fit(X, Y == "no")
    assert Counted.predictions == 12
    assert Scored(**STOPPING | {"tol": 1e-3, "n_iter_no_change": 2}).fit(X, NUMBERS).n_iter_ == 3


def test_another_score_at_the_first_call_is_not_used_again():
    checked = scores.Checked(lambda w, b: 0.5, lambda w, b: 0.25)
    assert [checked(X[0], 0.0) for _ in range(3)] == [0.5] * 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("ours", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("several", [False, True])
def test_scores_of_networks_are_scikit_learns(ours, several):
    peer = getattr(neural_network, ours.__name__)
    options = {"hidden_layer_sizes": (5,), "learning_rate_init": 0.05, **STOPPING, "tol": 0.0, "n_iter_no_change": 100}
    learned = np.column_stack([NUMBERS, X[:, 1]]) if several else NUMBERS
    if ours is MLPClassifier:
        learned = (learned > 0).astype(int)
    comp, ref = (kind(**options).fit(X, learned) for kind in (ours, peer))
    assert comp.validation_scores_ == pytest.approx(ref.validation_scores_, abs=1e-9)
    assert len(set(comp.validation_scores_)) > 3
