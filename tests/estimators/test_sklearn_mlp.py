"""`tinynet_fast.sklearn.MLPClassifier` has the same loss curve as scikit-learn's, with all options."""

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from compare import distance
from samples import drawn, flat

peers = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")

from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from tinynet_fast.sklearn import MLPClassifier  # noqa: E402
from tinynet_fast.sklearn.mlp_batches import KernelBatches  # noqa: E402

SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "Nesterov": {"solver": "sgd", "momentum": 0.8},
    "momentum 1": {"solver": "sgd", "momentum": 1.0, "learning_rate_init": 0.001},
    "adam": {"solver": "adam"},
    "adam, other betas": {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive"},
}
engines = pytest.mark.parametrize("engine", ["fast", "strict"])


def rows(n=110, d=6, classes=2, seed=0):
    X, y, rng = drawn(n, d, classes, seed)
    return X, y, rng.random(n) + 0.1


def assert_same(comp, ref):
    """Compare the loss curve, the weights and the other attributes."""
    assert (comp.n_iter_, comp.t_, comp.n_layers_, comp.n_outputs_, comp.out_activation_) == (
        ref.n_iter_,
        ref.t_,
        ref.n_layers_,
        ref.n_outputs_,
        ref.out_activation_,
    )
    np.testing.assert_allclose(comp.loss_curve_, ref.loss_curve_, rtol=1e-8)
    assert comp.loss_ == comp.loss_curve_[-1]
    assert distance(flat(comp), flat(ref)) <= 1e-8
    assert comp.validation_scores_ == ref.validation_scores_
    assert comp.best_validation_score_ == ref.best_validation_score_
    assert comp.best_loss_ == (None if ref.best_loss_ is None else pytest.approx(ref.best_loss_, rel=1e-8))
    assert comp.classes_.tolist() == ref.classes_.tolist()


@lru_cache(maxsize=1)
def fitted(solver, activation):
    """What scikit-learn makes of combinations of the other options: the same for every engine."""
    fits = []
    for classes, (hidden, size), shuffle, early, weighted in product(
        (2, 4), (((5,), "auto"), ((4, 3), 16), ((), 40)), (False, True), (False, True), (False, True)
    ):
        X, y, sample_weight = rows(classes=classes)
        options = {"learning_rate_init": 0.02, "alpha": 0.01, "max_iter": 12, "n_iter_no_change": 3, "tol": 1e-2}
        options |= SOLVERS[solver] | {"activation": activation, "hidden_layer_sizes": hidden, "batch_size": size}
        options |= {"shuffle": shuffle, "early_stopping": early, "random_state": 2}
        given = {"sample_weight": sample_weight} if weighted else {}
        fits.append((options, X, y, given, peers.MLPClassifier(**options).fit(X, y, **given)))
    return fits


@engines
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_loss_curve_is_scikit_learns(engine, solver, activation):
    """With combinations of the other options. Both draw the same random numbers.

    Twelve epochs are enough for some fits to stop earlier by themselves, and for an adaptive rate to fall twice.
    """
    for options, X, y, given, ref in fitted(solver, activation):
        assert_same(MLPClassifier(engine=engine, **options).fit(X, y, **given), ref)


def test_defaults_are_scikit_learns():
    X, y, _ = rows(300, 8)
    options = {"max_iter": 12, "n_iter_no_change": 3, "tol": 0.1, "random_state": 0}
    assert_same(MLPClassifier(**options).fit(X, y), peers.MLPClassifier(**options).fit(X, y))
    theirs, ours = peers.MLPClassifier().get_params(), MLPClassifier().get_params()
    assert ours == theirs | {"engine": "fast", "class_weight": None}
    known = {name: value for name, value in ours.items() if name in theirs}
    assert peers.MLPClassifier().set_params(**known).get_params() == theirs
    assert MLPClassifier().set_params(**theirs).get_params() == ours


@engines
def test_partial_fit_is_scikit_learns(engine):
    for solver, classes in product(("momentum", "adam", "invscaling", "adaptive"), (2, 3)):
        X, y, sample_weight = rows(400, 4, classes)
        options = SOLVERS[solver] | {"random_state": 1, "batch_size": 30, "n_iter_no_change": 2, "tol": 0.5}
        ref, comp = peers.MLPClassifier(**options), MLPClassifier(engine=engine, **options)
        for start in range(0, 400, 50):
            part = slice(start, start + 50)
            ref.partial_fit(X[part], y[part], sample_weight[part], np.arange(classes))
            comp.partial_fit(X[part], y[part], sample_weight[part], np.arange(classes))
            assert_same(comp, ref)


def test_calls_that_end_where_batches_do_give_the_same_bits():
    X, y, _ = rows(400, 4)
    options = {"shuffle": False, "batch_size": 20, "engine": "strict", "random_state": 0}
    ref = MLPClassifier(**options).partial_fit(X, y, classes=[0, 1])
    comp = MLPClassifier(**options)
    for start in range(0, 400, 100):
        comp.partial_fit(X[start : start + 100], y[start : start + 100], classes=[0, 1])
    np.testing.assert_array_equal(flat(comp), flat(ref))


@engines
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_start_and_weights_that_were_set(engine):
    for early in (False, True):
        X, y, _ = rows()
        options = {"warm_start": True, "max_iter": 4, "random_state": 1, "early_stopping": early, "tol": 1e-9}
        ref, comp = peers.MLPClassifier((5,), **options), MLPClassifier((5,), engine=engine, **options)
        for _ in range(3):
            assert_same(comp.fit(X, y), ref.fit(X, y))
        if early:
            continue  # scikit-learn would go back to the best weights of an earlier fit
        comp.coefs_, comp.intercepts_ = [2.0 * part for part in ref.coefs_], [1.0 + part for part in ref.intercepts_]
        ref.coefs_, ref.intercepts_ = [part.copy() for part in comp.coefs_], [part.copy() for part in comp.intercepts_]
        assert_same(comp.fit(X, y), ref.fit(X, y))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_predictions_are_scikit_learns():
    for classes, engine in product((2, 3), ("fast", "strict")):
        X, y, _ = rows(classes=classes)
        labels = np.array(["fail", "pass", "resit"])[y]
        ref = peers.MLPClassifier((5,), max_iter=5, random_state=0).fit(X, labels)
        comp = MLPClassifier((5,), max_iter=5, random_state=0, engine=engine).fit(X, labels)
        np.testing.assert_allclose(comp.predict_proba(X), ref.predict_proba(X), rtol=1e-9)
        np.testing.assert_allclose(comp.predict_log_proba(X), ref.predict_log_proba(X), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(comp.predict(X), ref.predict(X))
        assert comp.score(X, labels) == ref.score(X, labels)


def test_batches_without_weight_move_nothing():
    X, y, sample_weight = rows(100)
    sample_weight[20:40] = 0.0
    options = {
        "batch_size": 20,
        "shuffle": False,
        "tol": 1e3,
        "n_iter_no_change": 2,
        "random_state": 0,
        "solver": "sgd",
    }
    options |= {"momentum": 0.0, "alpha": 0.0}
    comp = MLPClassifier((4,), **options).fit(X, y, sample_weight)
    kept = np.r_[0:20, 40:100]
    ref = MLPClassifier((4,), **options).fit(X[kept], y[kept], sample_weight[kept])
    assert distance(flat(comp), flat(ref)) <= 1e-12


def test_very_large_first_weights_are_left_to_strict():
    X, y, _ = rows()
    model = MLPClassifier((4,), tol=1e3, n_iter_no_change=1, random_state=0).partial_fit(X, y, classes=[0, 1])
    assert model.engine_ == "fast"
    model.coefs_ = [1e6 * part for part in model.coefs_]
    assert model.partial_fit(X, y).engine_ == "strict"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "newton"}, "The 'solver' parameter of MLPClassifier must be a str among"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"),
        ({"engine": "reference"}, "'engine' parameter"),
        (
            {"early_stopping": True, "validation_fraction": 0.005},
            "should be greater or equal",
        ),
    ],
)
def test_options_that_are_refused(options, message):
    X, y, _ = rows()
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**options).fit(X, y)


def test_input_that_is_refused():
    X, y, _ = rows()
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier().fit(X, np.linspace(0, 1, 110))
    with pytest.raises(ValueError, match="NaN"):
        MLPClassifier().fit(np.where(X > 2.0, np.nan, X), y)
    with pytest.raises(ValueError, match="does not support early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`"):
        MLPClassifier().partial_fit(X, np.where(y, 7, 0), classes=[0, 1])
    with (
        pytest.raises(ValueError, match=r"non-finite param.* in epoch 2: scale"),
        np.errstate(all="ignore"),
    ):
        MLPClassifier(solver="sgd", learning_rate_init=1e200, tol=1e3, n_iter_no_change=2).fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPClassifier((2,), max_iter=2).fit(X, y)
    with pytest.warns(UserWarning, match="`batch_size` less than 1 or larger than sample size"):
        MLPClassifier((2,), batch_size=500, tol=1e3, n_iter_no_change=1).fit(X, y)


def test_ctrl_c_keeps_what_was_learned(monkeypatch):
    X, y, _ = rows()
    whole, calls = KernelBatches.epoch, []

    def epoch(self, order):
        calls.append(order)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, order)

    monkeypatch.setattr(KernelBatches, "epoch", epoch)
    with pytest.warns(UserWarning, match="interrupted"):
        model = MLPClassifier((3,)).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    assert model.predict(X).shape == (110,)


def test_a_step_that_leaves_out_the_penalty_is_seen(monkeypatch):
    """The checks above can fail: with a planted mistake the curve is no longer scikit-learn's."""
    X, y, _ = rows()
    options = {"tol": 1e3, "n_iter_no_change": 5, "random_state": 0}
    ref = peers.MLPClassifier((4,), alpha=0.5, **options).fit(X, y)
    assert_same(MLPClassifier((4,), alpha=0.5, **options).fit(X, y), ref)
    with pytest.raises(AssertionError):
        assert_same(MLPClassifier((4,), alpha=0.0, **options).fit(X, y), ref)
    made = KernelBatches._schedule_rows

    def at_its_start(self, n):
        self.optimizer.t = 0  # Adam's count of updates
        return made(self, n)

    monkeypatch.setattr(KernelBatches, "_schedule_rows", at_its_start)
    with pytest.raises(AssertionError):
        assert_same(MLPClassifier((4,), alpha=0.5, **options).fit(X, y), ref)


def test_verbose_says_what_happens(capsys):
    X, y, _ = rows()
    model = MLPClassifier(max_iter=2, early_stopping=True, verbose=True, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        f"Iteration 1, loss = {model.loss_curve_[0]:.8f}",
        f"Validation score: {model.validation_scores_[0]:f}",
    ]
    assert said[2].startswith("Iteration 2, ")


def test_warm_start_keeps_its_classes():
    X, y, _ = rows()
    model = MLPClassifier(max_iter=1, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes"):
        model.fit(X, y + 1)


def test_a_row_that_is_held_out_is_too_few():
    X, y, _ = rows(n=12, classes=3)
    with pytest.raises(ValueError, match="The validation set is too small"):
        MLPClassifier(early_stopping=True, validation_fraction=0.01).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_class_weight_is_sample_weight():
    X, y, sample_weight = rows(classes=3)
    labels = np.array(["a", "b", "c"])[y]
    options = {"max_iter": 5, "random_state": 0, "hidden_layer_sizes": (5,)}
    counts = np.bincount(y)
    for class_weight, each in (
        ({"a": 2.0, "c": 0.5}, np.array([2.0, 1.0, 0.5])),
        ("balanced", len(y) / (3 * counts)),
    ):
        for solver in ("adam", "lbfgs"):
            comp = MLPClassifier(class_weight=class_weight, solver=solver, **options)
            ref = MLPClassifier(solver=solver, **options).fit(X, labels, each[y])
            np.testing.assert_array_equal(flat(comp.fit(X, labels)), flat(ref))
            ref.fit(X, labels, each[y] * sample_weight)
            np.testing.assert_array_equal(flat(comp.fit(X, labels, sample_weight)), flat(ref))
    early = MLPClassifier(class_weight={"a": 2.0}, early_stopping=True, **options).fit(X, labels)
    plain = MLPClassifier(early_stopping=True, **options).fit(X, labels)
    assert len(early.validation_scores_) == len(plain.validation_scores_)
    assert type(comp.to_sklearn()) is peers.MLPClassifier
    two = MLPClassifier(class_weight={0: 3.0}, **options).fit(X, y > 0)
    ref = MLPClassifier(**options).fit(X, y > 0, np.where(y > 0, 1.0, 3.0))
    np.testing.assert_array_equal(flat(two), flat(ref))
    np.testing.assert_array_equal(
        flat(MLPClassifier(class_weight={0: 3.0}, **options).partial_fit(X, y, classes=[0, 1, 2])),
        flat(MLPClassifier(**options).partial_fit(X, y, np.where(y == 0, 3.0, 1.0), classes=[0, 1, 2])),
    )


def test_class_weights_that_are_refused():
    X, y, _ = rows(classes=3)
    with pytest.raises(ValueError, match="'class_weight' parameter"):
        MLPClassifier(class_weight="heavy").fit(X, y)
    with pytest.raises(ValueError, match="finite weights of at least 0 are needed"):
        MLPClassifier(class_weight={0: -1.0}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight='balanced' counts all rows, and partial_fit sees some"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="class_weight is for one label a row"):
        MLPClassifier(class_weight="balanced").fit(X, np.eye(3, dtype=int)[y])
