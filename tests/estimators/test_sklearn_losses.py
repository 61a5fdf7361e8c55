"""`SGDClassifier` with every loss and learning rate of scikit-learn's, and arrays that it must not write to."""

from itertools import product

import joblib
import numpy as np
import pytest
from samples import assert_bits, drawn

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

import scipy.sparse as sp  # noqa: E402
from test_sklearn_sgd import assert_same  # noqa: E402

from tinynet_fast.kernels import exact_losses  # noqa: E402
from tinynet_fast.sklearn import SGDClassifier  # noqa: E402
from tinynet_fast.sklearn.sgd_exact import LOSSES  # noqa: E402

losses = pytest.mark.parametrize("loss", LOSSES)


def both(X, y, engine="fast", **options):
    ref = linear.SGDClassifier(random_state=0, **options).fit(X, y)
    return SGDClassifier(random_state=0, engine=engine, **options).fit(X, y), ref


def test_there_are_all_losses_of_scikit_learns():
    assert LOSSES.keys() == linear.SGDClassifier.loss_functions.keys()


@losses
@pytest.mark.parametrize("engine", ["fast", "exact"])
def test_weights_are_scikit_learns(engine, loss):
    for classes, penalty, average, make in product(
        (2, 3), ("l2", "l1", "elasticnet", None), (False, True), (np.asarray, sp.csr_matrix)
    ):
        X, y, _ = drawn(120, 5, classes, 0)
        options = {"loss": loss, "penalty": penalty, "average": average, "alpha": 0.01, "max_iter": 4, "tol": None}
        comp, ref = both(make(X), y, engine, **options, learning_rate="constant", eta0=0.02)
        if engine == "exact" or loss != "log_loss":
            assert comp.engine_ == "exact"
            assert_bits(comp, ref)
        assert_same(comp, ref)
        np.testing.assert_array_equal(comp.predict(make(X)), ref.predict(make(X)))


def test_the_default_is_hinge():
    X, y, _ = drawn(300, 6, 2, 0)
    comp, ref = both(X, y)
    assert (comp.loss, comp.engine_) == ("hinge", "exact")
    assert_bits(comp, ref)
    assert not hasattr(comp, "predict_proba")


@pytest.mark.parametrize("rate", ["pa1", "pa2"])
def test_passive_aggressive_rates(rate):
    X, y, _ = drawn(200, 5, 2, 0)
    X[::9] = 0.0
    for penalty, make, average in product((None, "l2", "l1"), (np.asarray, sp.csr_matrix), (False, 10)):
        options = {"learning_rate": rate, "penalty": penalty, "average": average, "eta0": 0.3}
        assert_bits(*both(make(X), y, **options))
        with pytest.raises(ValueError, match=f"'{rate}' only works with loss 'hinge'"):
            both(X, y, loss="log_loss", **options)


def test_epsilon_counts_and_options_can_be_taken_over():
    X, y, _ = drawn(200, 5, 2, 0)
    for loss, (_, shape) in LOSSES.items():
        ref = linear.SGDClassifier(loss=loss, epsilon=0.7, random_state=1, learning_rate="constant")
        comp = SGDClassifier().set_params(**ref.get_params())
        assert comp.get_params() == ref.get_params() | {"engine": "fast"}
        assert_same(comp.fit(X, y), ref.fit(X, y))
        other = linear.SGDClassifier(loss=loss, random_state=1, learning_rate="constant").fit(X, y)
        assert np.array_equal(other.coef_, ref.coef_) == (shape is not None)


@losses
def test_strict_refuses_what_it_has_no_kernel_for(loss):
    X, y, _ = drawn(50, 3, 2, 0)
    model = SGDClassifier(loss=loss, engine="strict", random_state=0)
    if loss == "log_loss":
        assert model.fit(X, y).engine_ == "strict"
        return
    for method, given in (("fit", ()), ("partial_fit", ([0, 1],))):
        with pytest.raises(ValueError, match=f"engine='strict' has no kernel for loss='{loss}'"):
            getattr(model, method)(X, y, *given)


# --- arrays that belong to others -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["fast", "exact", "strict"])
def test_starting_weights_are_not_written_to(engine):
    for classes, average in product((2, 3), (False, True)):
        X, y, _ = drawn(100, 4, classes, 0)
        k = classes if classes > 2 else 1
        start, bias = np.ones((k, 4)), np.full(k, 0.5)
        for array in (start, bias):
            array.flags.writeable = False
        model = SGDClassifier(loss="log_loss", engine=engine, average=average, random_state=0)
        kept = model.fit(X, y, start, bias).coef_
        before = kept.copy()
        model.partial_fit(X, y)
        np.testing.assert_array_equal(kept, before)
        assert (start == 1.0).all()
        assert (bias == 0.5).all()


@pytest.mark.parametrize("engine", ["fast", "exact", "strict"])
@pytest.mark.parametrize("options", [{}, {"penalty": "l1"}, {"average": 3}, {"shuffle": False}], ids=str)
def test_a_model_in_a_read_only_file_goes_on(engine, options, tmp_path):
    X, y, _ = drawn(100, 4, 3, 0)
    ref = SGDClassifier(loss="log_loss", engine=engine, random_state=0, **options).partial_fit(X, y, [0, 1, 2])
    joblib.dump(ref, tmp_path / "model")
    comp = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not comp.coef_.flags.writeable
    for model in (comp, ref):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(comp.coef_, ref.coef_)
    np.testing.assert_array_equal(comp.intercept_, ref.intercept_)
    again = joblib.load(tmp_path / "model")
    assert not np.array_equal(again.coef_, comp.coef_)  # the file is as it was
    np.testing.assert_array_equal(again.fit(X, y).coef_, comp.fit(X, y).coef_)


# --- the checks above can fail ----------------------------------------------------------------------------------------


@losses
def test_another_loss_is_seen(loss, monkeypatch):
    X, y, _ = drawn(120, 5, 2, 0)
    kind, shape = LOSSES[loss]
    monkeypatch.setitem(
        LOSSES, loss, ((kind + 1) % (exact_losses.SQUARED_INSENSITIVE + 1), 0.9 if shape is None else shape)
    )
    comp, ref = both(X, y, "exact", loss=loss, learning_rate="constant", tol=None, max_iter=2)
    assert not np.array_equal(comp.coef_, ref.coef_)
