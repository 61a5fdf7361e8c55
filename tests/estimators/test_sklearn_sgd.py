"""`tinynet_fast.sklearn.SGDClassifier` has the same weights as scikit-learn's, with all options."""

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from compare import distance
from samples import assert_bits, drawn, flat

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

from sklearn.exceptions import ConvergenceWarning, NotFittedError  # noqa: E402
from sklearn.model_selection import StratifiedShuffleSplit  # noqa: E402

from tinynet_fast.sklearn import SGDClassifier, sgd_classes  # noqa: E402
from tinynet_fast.sklearn.sgd_classes import WIDE, Data  # noqa: E402
from tinynet_fast.sklearn.sgd_training import OneClass  # noqa: E402
from tinynet_fast.training.loop import Tolerance  # noqa: E402
from tinynet_fast.training.schedules import Schedule  # noqa: E402

engines = pytest.mark.parametrize("engine", ["fast", "exact", "strict"])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few rows that are shuffled are for the fast kernels too, so that they are tested."""
    monkeypatch.setattr(sgd_classes, "FEW_VALUES", 0)


def rows(n=300, d=6, classes=2, seed=0):
    X, y, rng = drawn(n, d, classes, seed)
    return X, y, rng.random(n) * (rng.random(n) < 0.9)


def assert_same(comp, ref):
    assert distance(flat(comp), flat(ref)) <= 1e-10
    assert comp.coef_.shape == ref.coef_.shape
    assert (comp.n_iter_, comp.t_) == (ref.n_iter_, ref.t_)
    assert comp.classes_.tolist() == ref.classes_.tolist()


# --- the same weights -------------------------------------------------------------------------------------------------


schedules = pytest.mark.parametrize("schedule", ["constant", "optimal", "invscaling", "adaptive"])
penalties = pytest.mark.parametrize("penalty", [None, "l2", "l1", "elasticnet"])


@lru_cache(maxsize=1)
def fitted(penalty, schedule):
    """What scikit-learn makes of every combination of the other options: the same for every engine."""
    fits = []
    options = {"penalty": penalty, "learning_rate": schedule, "alpha": 0.01, "eta0": 0.05, "power_t": 0.3}
    for classes, average, intercept, shuffle, weighted in product(
        (2, 3), (False, True, 700), (True, False), (False, True), ("", "classes", "classes and rows")
    ):
        X, y, sample_weight = rows(classes=classes)
        options |= {"average": average, "fit_intercept": intercept, "shuffle": shuffle, "random_state": 5}
        options |= {"class_weight": {0: 0.5, 1: 3.0} if weighted else None, "max_iter": 6, "tol": None}
        given = {"sample_weight": sample_weight if weighted == "classes and rows" else None}
        fits.append((options.copy(), X, y, given, linear.SGDClassifier(loss="log_loss", **options).fit(X, y, **given)))
    return fits


@engines
@schedules
@penalties
def test_weights_are_scikit_learns(engine, penalty, schedule):
    """The weights after six epochs, for every combination of the other options."""
    for options, X, y, given, ref in fitted(penalty, schedule):
        assert_same(SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y, **given), ref)


@lru_cache(maxsize=1)
def stopped(penalty, schedule):
    """Fits of scikit-learn that end early: the same for every engine."""
    fits = []
    for (classes, d), shuffle, patience in product([(2, 3), (2, 9), (3, 5)], (False, True), (1, 5)):
        X, y, sample_weight = rows(400, d, classes, seed=d)
        options = {"penalty": penalty, "learning_rate": schedule, "alpha": 0.005, "eta0": 0.1, "shuffle": shuffle}
        options |= {"n_iter_no_change": patience, "max_iter": 200, "random_state": 1, "tol": 1e-3}
        given = {"sample_weight": sample_weight}
        fits.append((options, X, y, given, linear.SGDClassifier(loss="log_loss", **options).fit(X, y, **given)))
    return fits


@engines
@schedules
@penalties
def test_stops_when_scikit_learn_stops(engine, penalty, schedule):
    """Stopping depends on the objective of every row, so one wrong row would change the last epoch."""
    for options, X, y, given, ref in stopped(penalty, schedule):
        assert 1 < ref.n_iter_ < 200
        assert_same(SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y, **given), ref)


def test_defaults_but_the_loss_are_scikit_learns():
    X, y, _ = rows(500, 8)
    comp = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    assert_same(comp, linear.SGDClassifier(loss="log_loss", random_state=0).fit(X, y))
    theirs, ours = linear.SGDClassifier().get_params(), SGDClassifier().get_params()
    assert ours.items() - theirs.items() == {("engine", "fast")}
    assert theirs.keys() <= ours.keys()


@engines
def test_rows_held_out_are_scikit_learns(engine):
    """Without a tolerance early stopping only holds rows out, and the same ones as scikit-learn."""
    for classes in (2, 3):
        X, y, sample_weight = rows(200, 4, classes)
        options = {"early_stopping": True, "validation_fraction": 0.3, "tol": None, "max_iter": 5, "random_state": 7}
        options |= {"alpha": 0.01}
        ref = linear.SGDClassifier(loss="log_loss", **options).fit(X, y, sample_weight=sample_weight)
        comp = SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y, sample_weight=sample_weight)
        assert_same(comp, ref)


def test_early_stopping_watches_the_accuracy_of_rows_held_out():
    """With "strict" it is their accuracy; the others stop where scikit-learn does, which scores other numbers."""
    X, y, _ = rows(600, 4)
    options = {"early_stopping": True, "tol": 1e-3, "n_iter_no_change": 3, "random_state": 0, "shuffle": False}
    plain = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01}
    comp = SGDClassifier(engine="strict", **plain, **options).fit(X, y)
    held = Data(X, y, y, None).held_out(SGDClassifier(loss="log_loss", **options))
    watch, scores = Tolerance(tol=1e-3, patience=3), []
    for epochs in range(1, comp.n_iter_ + 1):
        alone = SGDClassifier(**plain, shuffle=False, max_iter=epochs, tol=None)
        scores.append(alone.fit(X[~held], y[~held]).score(X[held], y[held]))
        assert watch.stops(-scores[-1]) == (epochs == comp.n_iter_)
    assert distance(flat(comp), flat(alone)) <= 1e-12
    ref = linear.SGDClassifier(**plain, **options).fit(X, y)
    for engine in ("fast", "exact"):
        comp = SGDClassifier(engine=engine, **plain, **options).fit(X, y)
        assert_bits(comp, ref)
        assert comp.engine_ == "exact"


@engines
def test_warm_start_and_given_weights(engine):
    for classes in (2, 3):
        X, y, _ = rows(classes=classes)
        options = {"warm_start": True, "max_iter": 2, "tol": None, "random_state": 1, "alpha": 0.01}
        ref = linear.SGDClassifier(loss="log_loss", **options)
        comp = SGDClassifier(loss="log_loss", engine=engine, **options)
        for _ in range(3):
            assert_same(comp.fit(X, y), ref.fit(X, y))
        coef, intercept = ref.coef_ + 1.0, ref.intercept_ - 1.0
        assert_same(comp.fit(X, y, coef, intercept), ref.fit(X, y, coef, intercept))


def test_float32_rows():
    """They give scikit-learn's bits, in float32; with "strict" the weights of the same numbers in float64."""
    X, y, sample_weight = rows()
    X = X.astype(np.float32)
    for weight, average in product((None, sample_weight), (False, True)):
        options = {"loss": "log_loss", "random_state": 0, "average": average}
        ref = linear.SGDClassifier(**options).fit(X, y, sample_weight=weight)
        for engine in ("fast", "exact"):
            comp = SGDClassifier(engine=engine, **options).fit(X, y, sample_weight=weight)
            assert comp.coef_.dtype == np.float32
            assert comp.engine_ == "exact"
            assert_bits(comp, ref)
    ref = SGDClassifier(loss="log_loss", engine="strict", random_state=0).fit(X.astype(np.float64), y)
    comp = SGDClassifier(loss="log_loss", engine="strict", random_state=0).fit(X, y)
    assert comp.coef_.dtype == np.float64
    assert distance(flat(comp), flat(ref)) <= 1e-12


def test_who_ran(monkeypatch):
    X, y, _ = rows(20_000, 3)

    def engine(X=X, labels=y, loss="log_loss", **options):
        return SGDClassifier(loss=loss, **options).fit(X, labels).engine_

    constant = {"learning_rate": "constant"}
    assert engine(**constant) == "fast"
    for options in (
        {"penalty": "l1"},
        {"fit_intercept": False},
        {"early_stopping": True},
        {"verbose": 1},
        {"class_weight": {0: -0.1}},
        {"X": X.astype(np.float32)},
        {"eta0": 100.0},
        {"loss": "hinge"},
        {"engine": "exact"},
    ):
        assert engine(**constant | options) == "exact", options
    assert engine(engine="strict") == "strict"
    assert engine(engine="strict", learning_rate="constant", eta0=100.0) == "strict"
    for d, shuffle, ran in ((WIDE - 1, True, "fast"), (WIDE, True, "exact"), (WIDE, False, "fast")):
        wide = rows(300, d)  # which the exact kernels train faster if they are shuffled
        assert engine(*wide[:2], learning_rate="constant", shuffle=shuffle) == ran
    monkeypatch.undo()
    assert engine(**constant) == "exact"  # which is faster for so few
    assert engine(shuffle=False, **constant) == "fast"
    optimal = engine(np.tile(X, (10, 1)), np.tile(y, 10), alpha=0.1)
    assert optimal == "mixed"  # the first rates are too large for the fast kernels, the later ones are not


@pytest.mark.parametrize("schedule", ["constant", "optimal", "invscaling"])
@pytest.mark.parametrize("power_t", [0.3, 2000.0])
def test_the_first_rate_of_a_block_is_the_schedules(schedule, power_t):
    """The rate decides which engine takes a block. A power that overflows gives a rate of 0."""
    rates = Schedule(0.3, schedule, power_t, 0.02)
    for row in (0, 1, 1000):
        neuron = type("Neuron", (), {"options": type("Options", (), {"schedule": rates}), "rate": 0.3, "row": row})
        assert OneClass._first_rate(neuron) == pytest.approx(rates.rates(row, 1)[0], rel=1e-14)


# --- partial_fit ------------------------------------------------------------------------------------------------------


def by_parts(model, size, X, y, sample_weight):
    """The model after rows in chunks of `size`."""
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        model.partial_fit(X[part], y[part], np.unique(y), sample_weight[part])
    return model


@pytest.mark.parametrize("penalty", [None, "l2", "l1", "elasticnet"])
@pytest.mark.parametrize("average", [False, 100])
def test_chunks_give_the_same_bits(penalty, average):
    """With "strict". With "fast" they give the same weights, or scikit-learn's if those depend on the chunks."""
    for classes, schedule in product((2, 3), ("constant", "optimal", "invscaling")):
        X, y, sample_weight = rows(1000, 5, classes)
        options = {"penalty": penalty, "average": average, "learning_rate": schedule, "shuffle": False, "alpha": 0.01}
        ref = SGDClassifier(loss="log_loss", engine="strict", max_iter=1, tol=None, **options)
        ref.partial_fit(X, y, np.arange(classes), sample_weight)
        l1 = penalty in ("l1", "elasticnet")
        if not (average and l1):  # scikit-learn's means depend on how rows are cut into calls
            whole = SGDClassifier(loss="log_loss", engine="strict", max_iter=1, tol=None, **options)
            whole.fit(X, y, None, None, sample_weight)
            np.testing.assert_array_equal(flat(whole), flat(ref))
        theirs = by_parts(linear.SGDClassifier(loss="log_loss", **options), 256, X, y, sample_weight)
        for engine, size in (("strict", 1000), ("strict", 130), ("strict", 7), ("fast", 256), ("exact", 256)):
            comp = by_parts(SGDClassifier(loss="log_loss", engine=engine, **options), size, X, y, sample_weight)
            if engine == "strict":
                np.testing.assert_array_equal(flat(comp), flat(ref))
            elif engine == "exact":
                assert_bits(comp, theirs)
            else:
                assert_same(comp, theirs)
            if not (average or l1):
                assert distance(flat(comp), flat(ref)) <= (1e-12 if engine == "fast" else 1e-10)
            assert comp.t_ == 1001.0


def test_chunks_of_256_rows_give_the_same_bits_in_fast():
    X, y, _ = rows(2000, 5)
    ref = SGDClassifier(loss="log_loss", learning_rate="constant", max_iter=1, tol=None, shuffle=False).fit(X, y)
    comp = SGDClassifier(loss="log_loss", learning_rate="constant", shuffle=False)
    for start in range(0, 2000, 512):
        comp.partial_fit(X[start : start + 512], y[start : start + 512], [0, 1])
    np.testing.assert_array_equal(flat(comp), flat(ref))


@engines
def test_partial_fit_is_scikit_learns(engine):
    for classes, penalty in product((2, 3), (None, "l2")):
        X, y, _ = rows(400, 4, classes)
        options = {"penalty": penalty, "random_state": 3, "alpha": 0.01}
        ref, comp = (
            linear.SGDClassifier(loss="log_loss", **options),
            SGDClassifier(loss="log_loss", engine=engine, **options),
        )
        for start in range(0, 400, 100):
            part = slice(start, start + 100)
            ref.partial_fit(X[part], y[part], classes=np.arange(classes))
            comp.partial_fit(X[part], y[part], classes=np.arange(classes))
            assert_same(comp, ref)


def test_weights_that_were_set_between_calls_count():
    X, y, _ = rows()
    ref, comp = linear.SGDClassifier(loss="log_loss", shuffle=False), SGDClassifier(loss="log_loss", shuffle=False)
    for model in (ref, comp):
        model.partial_fit(X, y, classes=[0, 1])
        model.coef_ = np.ones_like(model.coef_)
        model.partial_fit(X, y)
    assert_same(comp, ref)


# --- predictions ------------------------------------------------------------------------------------------------------


def test_predictions_are_scikit_learns():
    for classes, dtype in product((2, 3), (np.float64, np.float32)):
        X, y, _ = rows(classes=classes)
        X, labels = X.astype(dtype), np.array(["fail", "pass", "resit"])[y]
        comp, ref = (
            make(loss="log_loss", random_state=0).fit(X, labels) for make in (SGDClassifier, linear.SGDClassifier)
        )
        np.testing.assert_allclose(comp.predict_proba(X), ref.predict_proba(X), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(comp.predict_proba(X), comp._predict_proba_lr(X), rtol=2e-5, atol=1e-9)
        np.testing.assert_array_equal(comp.predict_log_proba(X), np.log(comp.predict_proba(X)))
        np.testing.assert_array_equal(comp.predict(X), ref.predict(X))
        np.testing.assert_array_equal(comp.classes_[comp.predict_proba(X).argmax(axis=1)], comp.predict(X))
        rounding = 1e-12 if dtype == np.float64 else 1e-6
        np.testing.assert_allclose(comp.predict_proba(X).sum(axis=1), 1.0, rtol=rounding)


def test_sparse_weights_predict():
    X, y, _ = rows()
    model = SGDClassifier(loss="log_loss", penalty="l1", alpha=0.15, random_state=0).fit(X, y)
    assert (model.coef_ == 0.0).any()
    ref = model.predict_proba(X)
    np.testing.assert_allclose(model.sparsify().predict_proba(X), ref, rtol=1e-12)
    np.testing.assert_array_equal(model.densify().predict_proba(X), ref)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge", "engine": "strict"}, "engine='strict' has no kernel for loss='hinge': use engine='fast'"),
        ({"alpha": 0.0}, "alpha must be > 0"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be set"),
        ({"engine": "numpy"}, "'engine' parameter"),
        ({"learning_rate": "pa3"}, "'learning_rate' parameter"),
        ({"learning_rate": "pa1"}, "Learning rate 'pa1' only works with loss 'hinge'"),
        ({"learning_rate": "constant", "eta0": 1e300}, "overflow occurred at epoch #1. Scaling input data with"),
        ({"learning_rate": "constant", "eta0": 1e300, "engine": "strict"}, "overflow in epoch 1: scale the inputs"),
    ],
)
def test_options_that_are_refused(options, message):
    X, y, _ = rows()
    with pytest.raises(ValueError, match=message):
        SGDClassifier(**{"loss": "log_loss"} | options).fit(X * 1e10, y)


def test_input_that_is_refused():
    X, y, _ = rows()
    for bad, message in (
        (np.zeros(300), "greater than one; got 1 class"),
        (np.linspace(0, 1, 300), "Unknown label type"),
    ):
        with pytest.raises(ValueError, match=message):
            SGDClassifier(loss="log_loss").fit(X, bad)
    with pytest.raises(ValueError, match="NaN"):
        SGDClassifier(loss="log_loss").fit(np.where(X > 2.0, np.nan, X), y)
    with pytest.raises(ValueError, match="at least one non-zero"):
        SGDClassifier(loss="log_loss").fit(X, y, sample_weight=np.zeros(300))
    with pytest.raises(ValueError, match="Provided coef_init"):
        SGDClassifier(loss="log_loss").fit(X, y, coef_init=np.zeros(5))
    with pytest.raises(NotFittedError):
        SGDClassifier(loss="log_loss").predict_proba(X)
    model = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        model.predict_proba(np.where(X > 2.0, np.nan, X))
    with pytest.warns(ConvergenceWarning, match="Maximum number of iteration reached before convergence"):
        SGDClassifier(loss="log_loss", max_iter=2).fit(X, y)


def test_partial_fit_refuses():
    X, y, _ = rows()
    with pytest.raises(ValueError, match="early_stopping should be False"):
        SGDClassifier(loss="log_loss", early_stopping=True).partial_fit(X, y, [0, 1])
    with pytest.raises(ValueError, match="'balanced' is not supported"):
        SGDClassifier(loss="log_loss", class_weight="balanced").partial_fit(X, y, [0, 1])
    with pytest.raises(ValueError, match="classes must be passed"):
        SGDClassifier(loss="log_loss").partial_fit(X, y)
    with pytest.raises(ValueError, match="y holds 7, which is not among the classes"):
        SGDClassifier(loss="log_loss").partial_fit(X, np.where(y, 7, 0), [0, 1])


def test_verbose_says_what_happens(capsys):
    X, y, _ = rows()
    for engine in ("fast", "strict"):
        SGDClassifier(loss="log_loss", engine=engine, verbose=1, max_iter=3, tol=None, random_state=0).fit(X, y)
        assert capsys.readouterr().out.count("-- Epoch") == 3


# --- the checks above can fail ----------------------------------------------------------------------------------------


def test_a_fit_that_leaves_out_one_row_is_seen(monkeypatch):
    """The checks above can fail: with a planted mistake the weights are no longer scikit-learn's."""
    X, y, _ = rows()
    options = {"tol": None, "max_iter": 2, "shuffle": False, "learning_rate": "constant"}
    ref, whole = linear.SGDClassifier(loss="log_loss", **options).fit(X, y), OneClass._train
    monkeypatch.setattr(OneClass, "_train", lambda self, part, n: whole(self, slice(part.start, part.stop - 1), n - 1))
    with pytest.raises(AssertionError):
        assert_same(SGDClassifier(loss="log_loss", **options).fit(X, y), ref)


def test_weights_that_are_all_zero():
    X, y = np.arange(40.0)[:, np.newaxis], np.arange(40) % 2
    with pytest.raises(ValueError, match="Sample weights must contain at least one non-zero number"):
        SGDClassifier(loss="log_loss").fit(X, y, sample_weight=np.zeros(40))
    held = SGDClassifier(loss="log_loss", early_stopping=True, validation_fraction=0.1, random_state=0)
    split = StratifiedShuffleSplit(test_size=0.1, random_state=0)
    weights = np.ones(40)
    weights[next(split.split(X, y))[1]] = 0.0
    with pytest.raises(ValueError, match="The sample weights for validation set are all zero"):
        held.fit(X, y, sample_weight=weights)
