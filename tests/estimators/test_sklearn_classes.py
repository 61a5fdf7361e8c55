"""Many classes in one pass over the rows: each has the weights of the class trained separately."""

from itertools import product

import numpy as np
import pytest
from compare import distance
from samples import drawn

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from tinynet_fast.sklearn import SGDClassifier  # noqa: E402
from tinynet_fast.sklearn.sgd_shared_pass import SharedPass, _Group  # noqa: E402

engines = pytest.mark.parametrize("engine", ["fast", "strict"])


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
    """With "strict" they have the same bits. Classes that stop are taken out, and the others go on."""
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
            assert passes == [sum(n > epoch for n in epochs) for epoch in range(max(epochs))]
            for k, ref in enumerate(alone):
                if engine == "strict":
                    np.testing.assert_array_equal(flat(comp, k), flat(ref))
                assert distance(flat(comp, k), flat(ref)) <= 1e-12
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


def test_steps_that_overshoot_are_taken_strictly():
    X, y, _ = rows(20_000, 3)
    options = {"shuffle": False, "max_iter": 2, "tol": None}
    huge = {"learning_rate": "constant", "eta0": 20.0}
    comp, ref = (
        SGDClassifier(loss="log_loss", engine=engine, **options, **huge).fit(X, y) for engine in ("fast", "strict")
    )
    assert comp.engine_ == "strict"
    np.testing.assert_array_equal(flat(comp), flat(ref))
    comp, ref = (
        SGDClassifier(loss="log_loss", engine=engine, alpha=0.1, **options).fit(X, y) for engine in ("fast", "strict")
    )
    assert comp.engine_ == "mixed"  # the first rates are too large, the later ones are not
    assert distance(flat(comp), flat(ref)) <= 1e-12
    heavy = {"learning_rate": "constant", "eta0": 0.01, "class_weight": {1: 5000.0}}
    assert SGDClassifier(loss="log_loss", **options, **heavy).fit(X, y).engine_ == "strict"
    start = np.full((4, 3), 1e6)
    far = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=1e-4, **options).fit(X, y, start, np.zeros(4))
    assert far.engine_ == "strict"


def test_one_order_for_all_classes_with_fast():
    """All classes share the order of the first; with "strict" each has its own, as in scikit-learn."""
    X, y, _ = rows()
    options = {"max_iter": 3, "tol": None, "random_state": 4, "learning_rate": "constant"}
    own = linear.SGDClassifier("log_loss", **options).fit(X, y)
    strict, fast = (SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y) for engine in ("strict", "fast"))
    assert distance(flat(strict), flat(own)) <= 1e-10
    assert distance(flat(fast, 0), flat(own, 0)) <= 1e-10
    assert distance(flat(fast, 1), flat(own, 1)) > 1e-4
    l1 = options | {"penalty": "l1"}
    own, fast = linear.SGDClassifier("log_loss", **l1).fit(X, y), SGDClassifier(loss="log_loss", **l1).fit(X, y)
    assert distance(flat(fast), flat(own)) <= 1e-10


def test_float32_rows():
    X, y, _ = rows()
    ref = SGDClassifier(loss="log_loss", random_state=0, alpha=0.01).fit(X.astype(np.float32).astype(float), y)
    comp = SGDClassifier(loss="log_loss", random_state=0, alpha=0.01).fit(X.astype(np.float32), y)
    np.testing.assert_array_equal(flat(comp), flat(ref))


@engines
def test_weights_that_overflow(engine):
    X, y, _ = rows()
    model = SGDClassifier(loss="log_loss", engine=engine, learning_rate="constant", eta0=1e300, shuffle=False)
    with pytest.raises(ValueError, match="overflow in epoch 1: scale the inputs"):
        model.fit(X * 1e10, y)


def test_epochs_are_told_and_counted(capsys):
    X, y, _ = rows()
    with pytest.warns(ConvergenceWarning, match="All 3 epochs ran"):
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
    options = {"tol": None, "max_iter": 2, "shuffle": False, "alpha": 0.01}
    start = np.ones((4, 5)), np.ones(4)
    ref = linear.SGDClassifier("log_loss", **options).fit(X, y, start[0].copy(), start[1].copy())  # written into
    assert distance(flat(SGDClassifier(loss="log_loss", **options).fit(X, y, *start)), flat(ref)) <= 1e-10
    monkeypatch.setattr(owner, name, mistake)
    assert distance(flat(SGDClassifier(loss="log_loss", **options).fit(X, y, *start)), flat(ref)) > 1e-10
