"""Kernels check no bounds, so what anyone can assign or build by hand is checked. A call that fails changes nothing.

The rows of MIGRATION.md's table of differences are here too, unless another file has them.
"""

import warnings

import numpy as np
import pytest
from samples import drawn

sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import linear_model, neural_network  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier, SGDRegressor, partial_fit_stream  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y, _ = drawn(150, 4, 2, seed=3)
MODELS = [
    SGDClassifier(loss="log_loss", engine="exact", max_iter=5, random_state=0),
    SGDClassifier(loss="log_loss", engine="fast", max_iter=5, random_state=0),
    SGDClassifier(loss="log_loss", engine="strict", max_iter=5, random_state=0),
    SGDRegressor(max_iter=5, random_state=0),
]
NAMES = ["exact", "fast", "strict", "regressor"]
models = pytest.mark.parametrize("model", MODELS, ids=NAMES)


def fitted(model, X=X, y=Y):
    return type(model)(**model.get_params()).fit(X, y)


def state(model):
    return {name: np.copy(value) if isinstance(value, np.ndarray) else value for name, value in vars(model).items()}


def assert_unchanged(model, before):
    assert vars(model).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(model, name), value, err_msg=name)


@models
@pytest.mark.parametrize("width", [2, 7])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_weights_of_another_width(model, width, kind):
    rows, comp = kind(X), fitted(model)
    comp.coef_ = np.ones((1, width)) if comp.coef_.ndim == 2 else np.ones(width)
    with pytest.raises(ValueError, match=r"coef_ has shape .* fits these rows"):
        comp.partial_fit(rows, Y)


@models
def test_weights_of_whole_numbers_train_as_floats(model):
    comp, ref = fitted(model), fitted(model)
    comp.coef_ = np.arange(4).reshape(comp.coef_.shape)
    ref.coef_ = comp.coef_.astype(float)
    np.testing.assert_array_equal(comp.partial_fit(X, Y).coef_, ref.partial_fit(X, Y).coef_)
    assert comp.coef_.dtype == np.float64


@models
def test_weights_that_are_not_finite(model):
    comp = fitted(model)
    comp.coef_ = np.full_like(comp.coef_, np.nan)
    with pytest.raises(ValueError, match="coef_ holds NaN or infinity"):
        comp.partial_fit(X, Y)


@models
def test_a_matrix_whose_indices_are_too_large(model):
    rows = sparse.csr_array(X)
    rows.indices = rows.indices.copy()
    rows.indices[5] = 10**6
    with pytest.raises(ValueError, match="indices must be < 4"):
        fitted(model, rows)


@models
def test_a_matrix_of_strided_parts(model):
    rows = sparse.csr_array(X)
    rows.data = np.repeat(rows.data, 2)[::2]
    np.testing.assert_array_equal(fitted(model, rows).coef_, fitted(model, sparse.csr_array(X)).coef_)


@models
def test_a_fit_that_fails_changes_nothing(model):
    comp = fitted(model)
    before = state(comp)
    y = np.arange(150) % 3 if hasattr(model, "class_weight") else Y
    with pytest.raises(ValueError, match=r"under-/overflow|infinity|NaN"), np.errstate(all="ignore"):
        comp.fit(X * 1e200, y)
    assert_unchanged(comp, before)
    with pytest.raises(ValueError, match=r"infinity|NaN"):
        comp.partial_fit(np.full_like(X, np.inf), Y)
    assert_unchanged(comp, before)


def test_a_first_call_that_fails_may_be_made_again():
    comp = SGDClassifier(loss="log_loss", random_state=0)
    with pytest.raises(ValueError, match="y holds 9"):
        comp.partial_fit(X, np.where(Y, 9, 0), classes=[0, 1])
    ref = SGDClassifier(loss="log_loss", random_state=0).partial_fit(X, Y, classes=[0, 1])
    np.testing.assert_array_equal(comp.partial_fit(X, Y, classes=[0, 1]).coef_, ref.coef_)


@pytest.mark.parametrize("shape", [(1, 9), (1, 2)])
def test_probabilities_of_weights_that_do_not_fit(shape):
    comp = fitted(MODELS[1])
    comp.coef_ = np.ones(shape)
    with pytest.raises(ValueError, match=r"size 4|4 features|mismatch"):
        comp.predict_proba(X)


@pytest.mark.parametrize(("layer", "shape"), [(0, (9000, 5)), (1, (3, 1)), (0, (4, 9)), (0, (2, 5))])
def test_probabilities_of_layers_that_do_not_fit(layer, shape):
    comp = MLPClassifier((5,), max_iter=2, random_state=0).fit(X, Y)
    comp.coefs_[layer] = np.ones(shape)
    with pytest.raises(ValueError, match=r"mismatch|broadcast"):
        comp.predict_proba(X)


# --- what differs from scikit-learn (MIGRATION.md) --------------------------------------------------------------------


@models
def test_rows_of_float32_after_rows_of_float64_are_converted(model):
    small = X.astype(np.float32)
    comp = fitted(model).partial_fit(small, Y)
    ref = fitted(model).partial_fit(small.astype(np.float64), Y)
    np.testing.assert_allclose(comp.coef_, ref.coef_, rtol=1e-12)
    if model.get_params().get("engine") in ("exact", "fast"):
        theirs = linear_model.SGDClassifier(loss="log_loss", max_iter=5, random_state=0).fit(X, Y)
        with pytest.raises(TypeError):
            theirs.partial_fit(small, Y)


@pytest.mark.parametrize("model", MODELS[:2], ids=NAMES[:2])
def test_averaging_may_begin_between_two_calls(model):
    comp = fitted(model).set_params(average=True).partial_fit(X, Y)
    assert comp._average_coef.any()
    theirs = linear_model.SGDClassifier(loss="log_loss", max_iter=5, random_state=0).fit(X, Y)
    with pytest.raises(AttributeError):
        theirs.set_params(average=True).partial_fit(X, Y)


@models
def test_sparse_weights_become_dense_first(model):
    ref = fitted(model).partial_fit(X, Y)
    np.testing.assert_array_equal(fitted(model).sparsify().partial_fit(X, Y).coef_, ref.coef_)


def test_a_logarithm_of_a_probability_of_zero():
    far, _, _ = drawn(60, 4, 2, seed=1)
    comp, ref = fitted(MODELS[1], far * 1e4, Y[:60]), linear_model.SGDClassifier(loss="log_loss", random_state=0)
    with np.errstate(divide="ignore"):
        theirs = ref.set_params(max_iter=5).fit(far * 1e4, Y[:60]).predict_log_proba(far * 1e4)
        ours = comp.predict_log_proba(far * 1e4)
    assert np.isinf(theirs[:, 1]).any()
    np.testing.assert_allclose(ours[:, 1], np.maximum(theirs[:, 1], -700.0), atol=1e-9)
    np.testing.assert_allclose(ours[:, 0], theirs[:, 0], atol=1e-9)


def test_epochs_of_several_classes_are_printed_together(capsys):
    y = np.arange(150) % 3
    options = {"loss": "log_loss", "verbose": 1, "early_stopping": True, "max_iter": 3, "random_state": 0}
    SGDClassifier(**options).fit(X, y)
    ours = [line for line in capsys.readouterr().out.splitlines() if line.startswith("-- Epoch")]
    linear_model.SGDClassifier(**options).fit(X, y)
    theirs = [line for line in capsys.readouterr().out.splitlines() if line.startswith("-- Epoch")]
    assert ours == sorted(theirs)
    assert ours != theirs


def test_a_network_whose_layout_changed_says_so():
    comp, ref = MLPClassifier((4,), max_iter=2), neural_network.MLPClassifier((4,), max_iter=2)
    for model in (comp, ref):
        model.set_params(warm_start=True).fit(X, Y).set_params(hidden_layer_sizes=(5,))
    with pytest.warns(UserWarning, match="hidden_layer_sizes"):
        comp.fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        ref.fit(X, Y)


def test_a_batch_of_no_weight_moves_nothing():
    weight = (np.arange(150) > 0).astype(float)
    options = {"hidden_layer_sizes": (3,), "batch_size": 1, "max_iter": 2, "random_state": 0}
    assert np.isfinite(MLPClassifier(**options).fit(X, Y, sample_weight=weight).loss_)
    with pytest.raises(ZeroDivisionError):
        neural_network.MLPClassifier(**options).fit(X, Y, sample_weight=weight)


# --- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_of_numbers_trains_a_regressor(tmp_path):
    y = X @ np.array([1.0, -2.0, 0.5, 0.0])
    np.savetxt(tmp_path / "rows.csv", np.column_stack([X, y]), delimiter=",", header="a,b,c,d,y", comments="")
    comp, ref = SGDRegressor(random_state=0), SGDRegressor(random_state=0)
    partial_fit_stream(comp, tmp_path / "rows.csv", "y", epochs=2)
    for _ in range(2):
        ref.partial_fit(X, y)
    np.testing.assert_allclose(comp.coef_, ref.coef_, rtol=1e-12)
    assert list(comp.feature_names_in_) == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="leave classes out"):
        partial_fit_stream(comp, tmp_path / "rows.csv", "y", classes=[0, 1])
    with pytest.raises(TypeError, match="has no partial_fit"):
        partial_fit_stream(MLPClassifier(solver="lbfgs"), tmp_path / "rows.csv", "y")
