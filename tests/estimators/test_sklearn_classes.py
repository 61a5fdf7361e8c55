"""Many classes in one pass over the rows: each has the weights of the class trained separately."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from compare import distance
from samples import drawn

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from tinynet_fast.sklearn import SGDClassifier, sgd_classes  # noqa: E402
from tinynet_fast.sklearn.labels import classes_of  # noqa: E402
from tinynet_fast.sklearn.sgd_shared_pass import SharedPass, _Group  # noqa: E402
from tinynet_fast.sklearn.sgd_training import OneClass  # noqa: E402

engines = pytest.mark.parametrize("engine", ["fast", "strict"])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few rows that are shuffled are for the fast kernels too, so that they are tested."""
    monkeypatch.setattr(sgd_classes, "FEW_VALUES", 0)


def rows(n=500, d=5, classes=4, seed=0):
    X, y, rng = drawn(n, d, classes, seed)
    assert len(np.unique(y)) == classes
    return X, y, rng.random(n) * (rng.random(n) < 0.9)


def flat(model, row=slice(None)):
    return np.append(model.coef_[row].ravel(), model.intercept_[row])


@pytest.fixture
def passes(monkeypatch):
    """Records how many classes each pass over the rows trained."""
    counts, one_pass = [], SharedPass._pass

    def counted(self, done):
        counts.append(len(self.going))
        return one_pass(self, done)

    monkeypatch.setattr(SharedPass, "_pass", counted)
    return counts


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("schedule", ["constant", "optimal", "invscaling", "adaptive"])
def test_each_class_is_trained_as_if_alone(schedule, passes):
    """With "strict" they have the same bits. Classes that stop are taken out, and the others go on.

    With "fast" they share passes as long as no step overshoots; else each has scikit-learn's bits.
    """
    X, y, sample_weight = rows()
    y[y == 2] = np.where(np.arange((y == 2).sum()) < 2, 2, 3)  # a class of two rows stops before the others
    for average, intercept, tol in product((False, 50), (True, False), (None, 1e-2)):
        options = {"learning_rate": schedule, "average": average, "fit_intercept": intercept, "tol": tol}
        options |= {"shuffle": False, "max_iter": 30, "alpha": 0.02, "eta0": 0.02, "n_iter_no_change": 2}
        alone = [
            SGDClassifier(loss="log_loss", engine="strict", **options).fit(X, y == k, sample_weight=sample_weight)
            for k in range(4)
        ]
        for engine in ("fast", "strict"):
            passes.clear()
            comp = SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y, sample_weight=sample_weight)
            epochs = [model.n_iter_ for model in alone]
            if engine == "strict" or (intercept and schedule != "optimal"):  # whose first steps overshoot
                assert passes == [sum(n > epoch for n in epochs) for epoch in range(max(epochs))]
                assert comp.engine_ == engine
                for k, ref in enumerate(alone):
                    if engine == "strict":
                        np.testing.assert_array_equal(flat(comp, k), flat(ref))
                    assert distance(flat(comp, k), flat(ref)) <= 1e-12
            else:
                assert passes == []
                assert comp.engine_ == "exact"
                theirs = linear.SGDClassifier("log_loss", **options).fit(X, y, sample_weight=sample_weight)
                np.testing.assert_array_equal(flat(comp), flat(theirs))
        if tol and schedule in ("constant", "invscaling"):
            assert len(set(epochs)) > 1


@engines
@pytest.mark.parametrize("classes", [3, 8, 9, 33, 70])
def test_numbers_of_classes(engine, classes):
    """With full and partly filled registers, and more classes than fit a call, the weights are scikit-learn's."""
    X, y, _ = rows(2000, 6, classes)
    options = {"shuffle": False, "learning_rate": "constant", "max_iter": 2, "tol": None, "alpha": 0.01}
    comp, ref = (
        SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y),
        linear.SGDClassifier("log_loss", **options).fit(X, y),
    )
    assert distance(flat(comp), flat(ref)) <= 1e-10
    assert comp.engine_ == engine
    assert (comp.n_iter_, comp.t_) == (ref.n_iter_, ref.t_)


def test_steps_that_overshoot_are_taken_exactly(passes):
    X, y, _ = rows(20_000, 3)
    options = {"shuffle": False, "max_iter": 2, "tol": None, "loss": "log_loss"}

    def both(*start, **more):
        comp, ref = (make(**options | more).fit(X, y, *start) for make in (SGDClassifier, linear.SGDClassifier))
        assert distance(flat(comp), flat(ref)) <= 1e-10
        if comp.engine_ == "exact":
            np.testing.assert_array_equal(flat(comp), flat(ref))
        return comp.engine_

    assert both(learning_rate="constant", eta0=20.0) == "exact"
    assert both(alpha=0.1) == "exact"  # the first rates are too large to share a pass
    assert passes == []
    assert both(alpha=0.1, shuffle=True, random_state=0) == "mixed"  # each class by itself: the later ones are not
    assert both(learning_rate="constant", eta0=0.01, class_weight={1: 5000.0}) == "exact"
    start = np.full((4, 3), 1e6)
    assert both(start, np.zeros(4), learning_rate="constant", eta0=1e-4) == "exact"
    assert passes == []
    assert both(learning_rate="constant", eta0=0.01) == "fast"
    assert passes == [4, 4]


@pytest.mark.parametrize("engine", ["fast", "exact", "strict"])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_each_class_has_its_own_order(engine, penalty, passes):
    """As in scikit-learn; so shuffled classes share no pass, and another class's order would give other weights."""
    X, y, _ = rows()
    options = {"max_iter": 3, "tol": None, "random_state": 4, "learning_rate": "constant", "penalty": penalty}
    own = linear.SGDClassifier("log_loss", **options).fit(X, y)
    comp = SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y)
    assert distance(flat(comp), flat(own)) <= 1e-10
    if engine == "exact":
        np.testing.assert_array_equal(flat(comp), flat(own))
    assert passes == []
    alone = linear.SGDClassifier("log_loss", **options).fit(X, y == 1)  # in the order that the seed gives one class
    assert distance(flat(comp, 1), flat(alone)) > 1e-4


def test_float32_rows(passes):
    X, y, _ = rows()
    options = {"loss": "log_loss", "learning_rate": "constant", "shuffle": False, "alpha": 0.01}
    ref = linear.SGDClassifier(**options).fit(X.astype(np.float32), y)
    for engine in ("fast", "exact"):
        comp = SGDClassifier(engine=engine, **options).fit(X.astype(np.float32), y)
        assert comp.coef_.dtype == np.float32
        np.testing.assert_array_equal(flat(comp), flat(ref))
    assert passes == []
    ref, comp = (SGDClassifier(engine="strict", **options).fit(X.astype(np.float32).astype(kind), y) for kind in "df")
    np.testing.assert_array_equal(flat(comp), flat(ref))


@engines
def test_weights_that_overflow(engine):
    X, y, _ = rows()
    model = SGDClassifier(loss="log_loss", engine=engine, learning_rate="constant", eta0=1e300, shuffle=False)
    words = {"fast": "overflow occurred at epoch #1. Scaling", "strict": "overflow in epoch 1: scale the inputs"}
    with pytest.raises(ValueError, match=words[engine]):
        model.fit(X * 1e10, y)


def test_epochs_are_told_and_counted(capsys):
    X, y, _ = rows()
    with pytest.warns(ConvergenceWarning, match="Maximum number of iteration reached before convergence"):
        SGDClassifier(loss="log_loss", verbose=1, max_iter=3, random_state=0).fit(X, y)
    assert capsys.readouterr().out.count("-- Epoch") == 3 * 4


# --- the checks above can fail ----------------------------------------------------------------------------------------


def shifted(self):
    """Each class gets its neighbour's weights."""
    self.values[:] = np.roll(self.values, 1, axis=1)
    return store(self)


def nothing(self):
    """The earlier weights are not copied into the kernel's layout."""


def another_weight(self, rows, n):
    made = make_rows(self, rows, n)
    made[0, 2] = 0.5
    return made


def without_last_row(self, rows, n):
    block(self, rows[:-1] if isinstance(rows, np.ndarray) else slice(rows.start, rows.stop - 1), n - 1)


store, make_rows, block = _Group.store, SharedPass._row_numbers, SharedPass._train


@pytest.mark.parametrize(
    ("owner", "name", "mistake"),
    [
        (_Group, "store", shifted),
        (_Group, "load", nothing),
        (SharedPass, "_row_numbers", another_weight),
        (SharedPass, "_train", without_last_row),
    ],
)
def test_planted_mistakes_are_seen(owner, name, mistake, monkeypatch):
    X, y, _ = rows()
    options = {"tol": None, "max_iter": 2, "shuffle": False, "alpha": 0.01, "learning_rate": "constant"}
    start = np.ones((4, 5)), np.ones(4)
    ref = linear.SGDClassifier("log_loss", **options).fit(X, y, start[0].copy(), start[1].copy())  # written into
    assert distance(flat(SGDClassifier(loss="log_loss", **options).fit(X, y, *start)), flat(ref)) <= 1e-10
    monkeypatch.setattr(owner, name, mistake)
    assert distance(flat(SGDClassifier(loss="log_loss", **options).fit(X, y, *start)), flat(ref)) > 1e-10


def test_measurements_are_no_classes():
    """scikit-learn's message says what may be meant."""
    with pytest.raises(ValueError, match="Maybe you are trying to fit a classifier"):
        classes_of(np.array([0.5, 1.25, 3.0]))
    assert classes_of(np.array([3.0, 1.0, 3.0])).tolist() == [1.0, 3.0]


@pytest.mark.parametrize(("weights", "bias"), [(np.inf, 0.0), (0.0, np.inf), (0.0, np.nan)])
def test_weights_and_the_bias_have_to_be_finite(weights, bias):
    arrays = SimpleNamespace(weights=np.array([1.0, weights]), bias=np.array([bias]))
    with pytest.raises(ValueError, match="Floating-point under-/overflow in epoch 3"):
        OneClass.check_finite(SimpleNamespace(arrays=arrays), 3)
    arrays.weights[:], arrays.bias[:] = 1.0, 2.0
    OneClass.check_finite(SimpleNamespace(arrays=arrays), 3)
