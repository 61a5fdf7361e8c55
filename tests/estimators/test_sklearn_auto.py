"""`SGDClassifier(learning_rate="auto")`: which rate it finds, and that it trains as a constant rate does."""

import pickle

import numpy as np
import pytest
from compare import distance
from samples import drawn, flat

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

import scipy.sparse as sp  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.metrics import log_loss  # noqa: E402

from tinynet_fast import auto_rate  # noqa: E402
from tinynet_fast.sklearn import SGDClassifier  # noqa: E402
from tinynet_fast.sklearn.sgd_classes import Data  # noqa: E402


def rows(n=400, d=5, classes=2, seed=0):
    X, y, rng = drawn(n, d, classes, seed)
    return X, y, rng.random(n) + 0.1


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("penalty", [None, "l2"])
def test_it_is_the_constant_rate_that_auto_rate_finds(penalty, average):
    X, y, weight = rows()
    options = {"penalty": penalty, "alpha": 0.02, "average": average, "max_iter": 4, "tol": None, "random_state": 0}
    options["class_weight"] = {0: 0.4, 1: 2.0}
    comp = SGDClassifier(loss="log_loss", learning_rate="auto", **options).fit(X, y, sample_weight=weight)
    weight_of_row = weight * np.where(y == 1, 2.0, 0.4)
    l2 = 0.02 if penalty else 0.0
    search = auto_rate(X, y, epochs=4, average=average, l2=l2, sample_weight=weight_of_row)
    assert comp.eta0_.tolist() == [search.learning_rate] == [comp.rate_search_[0].learning_rate]
    assert comp.rate_search_[0].reason == search.reason
    plain = auto_rate(X, y, epochs=4, average=not average, l2=5.0, sample_weight=None)
    assert plain.learning_rate != search.learning_rate  # so a search without the options would fail
    constant = options | {"learning_rate": "constant", "eta0": search.learning_rate}
    ref = SGDClassifier(loss="log_loss", **constant).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(flat(comp), flat(ref))
    theirs = linear.SGDClassifier(loss="log_loss", **constant).fit(X, y, sample_weight=weight)
    assert distance(flat(comp), flat(theirs)) <= 1e-10


@pytest.mark.parametrize("engine", ["fast", "strict"])
def test_each_class_has_its_own_rate(engine):
    X, y, weight = rows(classes=3)
    X[y == 2] *= 3.0
    options = {"shuffle": False, "max_iter": 3, "tol": None, "engine": engine}
    comp = SGDClassifier(loss="log_loss", learning_rate="auto", **options).fit(X, y, sample_weight=weight)
    assert comp.eta0_.shape == (3,)
    assert len(set(comp.eta0_)) > 1
    for k, rate in enumerate(comp.eta0_):
        search = auto_rate(X, y == k, epochs=3, l2=0.0001, sample_weight=weight)
        assert rate == search.learning_rate
        ref = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=rate, **options).fit(
            X, y == k, sample_weight=weight
        )
        assert distance(np.append(comp.coef_[k], comp.intercept_[k]), flat(ref)) <= 1e-12


def test_rows_held_out_and_where_training_starts():
    X, y, _ = rows()
    start, bias = np.full((1, 5), 2.0), np.array([-1.0])
    options = {"early_stopping": True, "max_iter": 3, "tol": None, "random_state": 3, "warm_start": True}
    comp = SGDClassifier(loss="log_loss", learning_rate="auto", **options).fit(X, y, start, bias)
    held = Data(X, y, y, None).held_out(comp)
    search = auto_rate(X[~held], y[~held], epochs=3, l2=0.0001, weights=start[0], bias=-1.0)
    assert comp.eta0_[0] == search.learning_rate
    weights, bias = comp.coef_[0].copy(), float(comp.intercept_[0])
    search = auto_rate(X[~held], y[~held], epochs=3, l2=0.0001, weights=weights, bias=bias)
    assert comp.fit(X, y).eta0_[0] == search.learning_rate


def test_partial_fit_keeps_the_rate_of_the_first_call():
    X, y, _ = rows(1024, classes=3)
    model = SGDClassifier(loss="log_loss", learning_rate="auto", shuffle=False)
    first, rest = slice(0, 256), slice(256, None)
    ref = clone(model).partial_fit(X[first], y[first], [0, 1, 2])
    rates = [auto_rate(X[first], y[first] == k, l2=0.0001).learning_rate for k in range(3)]
    assert ref.eta0_.tolist() == rates
    copy = pickle.loads(pickle.dumps(ref))
    ref.partial_fit(X[rest], y[rest])
    for start in range(256, 1024, 256):
        copy.partial_fit(X[start : start + 256], y[start : start + 256])
    assert copy.eta0_.tolist() == ref.eta0_.tolist() == rates
    assert distance(flat(copy), flat(ref)) <= 1e-12
    assert not hasattr(clone(ref), "eta0_")
    assert ref.fit(X, y).eta0_.tolist() != rates
    assert not hasattr(ref.set_params(learning_rate="constant").fit(X, y), "eta0_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "l1"}, "knows no penalty='l1': use penalty='l2' or None"),
        ({"penalty": "elasticnet"}, "knows no penalty='elasticnet'"),
        ({"fit_intercept": False}, "searches with an intercept: use fit_intercept=True"),
    ],
)
def test_options_that_are_refused(options, message):
    X, y, _ = rows()
    for method, given in (("fit", ()), ("partial_fit", ([0, 1],))):
        with pytest.raises(ValueError, match=message):
            getattr(SGDClassifier(loss="log_loss", learning_rate="auto", **options), method)(X, y, *given)


def test_sparse_rows():
    """The rate is `auto_rate`'s for the same rows, and no rate of a grid around it is much better on them."""
    rng = np.random.default_rng(3)
    X = sp.random(3000, 400, density=0.05, format="csr", random_state=3)
    X.data = rng.standard_normal(len(X.data))
    y = (X @ rng.standard_normal(400) + rng.logistic(size=3000) > 0).astype(int)
    options = {"penalty": "l2", "alpha": 1e-5, "average": True, "max_iter": 5, "tol": None, "random_state": 0}
    comp = SGDClassifier(loss="log_loss", learning_rate="auto", **options).fit(X, y)
    ref = auto_rate(X, y, epochs=5, l2=1e-5, average=True).learning_rate
    assert comp.eta0_ == pytest.approx([ref], rel=1e-12)

    def loss(model):
        return log_loss(y, model.predict_proba(X))

    others = [
        SGDClassifier(loss="log_loss", learning_rate="constant", eta0=ref * k, **options).fit(X, y)
        for k in (1 / 16, 1 / 4)
    ]
    assert loss(comp) < min(map(loss, others))


def test_rows_that_are_refused():
    X, y, _ = rows()
    with pytest.raises(ValueError, match="all of class 1 or all of others: pass more of them"):
        SGDClassifier(loss="log_loss", learning_rate="auto").partial_fit(X[y == 1], y[y == 1], [0, 1])
