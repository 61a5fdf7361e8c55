"""`tinynet_fast.sklearn.MLPRegressor` has scikit-learn's weights and loss curve, with all options and solvers."""

import pickle
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from compare import distance
from samples import flat

peers = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")

import scipy.sparse as sp  # noqa: E402
from sklearn.base import clone  # noqa: E402

from tinynet_fast.sklearn import MLPRegressor  # noqa: E402
from tinynet_fast.sklearn.mlp_kernels import KernelNetwork  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]
engines = pytest.mark.parametrize("engine", ["fast", "strict"])
SOLVERS = {
    "plain": {"solver": "sgd", "momentum": 0.0},
    "Nesterov": {"solver": "sgd", "momentum": 0.8},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "momentum": 0.3},
    "adam": {"solver": "adam"},
    "lbfgs": {"solver": "lbfgs"},
}
rng = np.random.default_rng(0)
X = rng.standard_normal((130, 5))
Y = np.column_stack([X[:, 0] - X[:, 1] ** 2, np.sin(X[:, 2])]) + 0.1 * rng.standard_normal((130, 2))
COUNTS = rng.poisson(np.exp(0.3 * X[:, 0] + 1.0)).astype(float)
WEIGHT = rng.random(130) + 0.1
TWICE = np.column_stack([COUNTS, COUNTS[::-1]])
TARGETS = {"one": Y[:, 0], "a column": Y[:, :1], "two": Y, "counts": COUNTS, "counts twice": TWICE}
SETTINGS = {"hidden_layer_sizes": (6, 4), "max_iter": 12, "random_state": 1, "learning_rate_init": 0.01}
SAME = "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"
NUMBERS = "loss_curve_", "loss_", "best_loss_", "best_validation_score_", "validation_scores_"


def assert_same(comp, ref, rows=X, most=1e-10):
    for name in SAME:
        assert getattr(comp, name, None) == getattr(ref, name, None), name
    for name in NUMBERS:
        theirs = getattr(ref, name, None)
        if theirs is None:
            assert getattr(comp, name, None) is None
        else:
            np.testing.assert_allclose(getattr(comp, name), theirs, rtol=most, atol=most, err_msg=name)
    assert distance(flat(comp), flat(ref)) <= most
    predicted = ref.predict(rows)
    np.testing.assert_allclose(comp.predict(rows), predicted, rtol=100 * most, atol=most)
    assert (comp.predict(rows).shape, comp.predict(rows).dtype) == (predicted.shape, predicted.dtype)


def both(options, y, *weight, engine="fast", rows=X):
    settings = SETTINGS | options
    ref, comp = peers.MLPRegressor(**settings), MLPRegressor(engine=engine, **settings)
    return comp.fit(rows, y, *weight), ref.fit(rows, y, *weight)


@lru_cache(maxsize=1)
def fitted(name, solver):
    """What scikit-learn makes of combinations of the other options: the same for every engine."""
    fits = []
    early_stopping = (False,) if solver == "lbfgs" else (False, True)
    for activation, early, weight in product(("relu", "identity", "tanh"), early_stopping, ((), (WEIGHT,))):
        options = SETTINGS | SOLVERS[solver] | {"activation": activation, "early_stopping": early}
        options |= {"loss": "poisson" if "counts" in name else "squared_error", "learning_rate_init": 0.002}
        fits.append((options, weight, peers.MLPRegressor(**options).fit(X, TARGETS[name], *weight)))
    return fits


@engines
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", TARGETS)
def test_it_is_scikit_learns(name, solver, engine):
    for options, weight, ref in fitted(name, solver):
        comp = MLPRegressor(engine=engine, **options).fit(X, TARGETS[name], *weight)
        assert comp.engine_ == engine
        assert_same(comp, ref, most=1e-8 if solver == "lbfgs" else 1e-10)


def test_other_options():
    for options in ({"activation": "logistic", "batch_size": 7}, {"shuffle": False, "alpha": 0.3}, {"tol": 0.5}):
        assert_same(*both(options | {"hidden_layer_sizes": ()}, Y))
        assert_same(*both(options, Y[:, 0]))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_and_float32(solver):
    thin = X * (X > 0.0)
    for rows in (sp.csr_matrix(thin), sp.csc_array(thin)):
        comp, ref = both({"solver": solver}, Y, rows=rows)
        assert comp.engine_ == "fast"
        assert_same(comp, ref, rows, most=1e-8)
    for rows in (X.astype(np.float32), sp.csr_array(thin.astype(np.float32))):
        comp, ref = both({"solver": solver}, Y.astype(np.float32), rows=rows)
        assert comp.engine_ == "scikit-learn"
        assert [part.dtype for part in comp.coefs_] == [part.dtype for part in ref.coefs_]
        np.testing.assert_array_equal(flat(comp), flat(ref))
    few = sp.random_array((130, 60), density=0.05, random_state=0, format="csr")
    comp, ref = both({"solver": solver}, Y, rows=few)
    assert comp.engine_ == "scikit-learn"
    np.testing.assert_array_equal(flat(comp), flat(ref))


def test_parameters_are_scikit_learns():
    theirs, ours = peers.MLPRegressor().get_params(), MLPRegressor().get_params()
    assert ours == theirs | {"engine": "fast"}
    assert MLPRegressor().set_params(**theirs).get_params() == ours
    model = MLPRegressor("poisson", (3,), "tanh", engine="strict")
    assert clone(model).get_params() == model.get_params()


@engines
def test_partial_fit_and_warm_start(engine):
    options = {"random_state": 1, "batch_size": 16, "hidden_layer_sizes": (6,), "max_iter": 3}
    ref, comp = peers.MLPRegressor(**options), MLPRegressor(engine=engine, **options)
    for start in (0, 40, 80):
        part = slice(start, start + 40)
        assert_same(comp.partial_fit(X[part], Y[part], WEIGHT[part]), ref.partial_fit(X[part], Y[part], WEIGHT[part]))
    ref.set_params(warm_start=True)
    comp.set_params(warm_start=True)
    for _ in range(2):
        assert_same(comp.fit(X, Y), ref.fit(X, Y))
    with pytest.raises(ValueError, match=r"y has 1 columns, and the network to go on from has 2 outputs: give as many"):
        comp.fit(X, Y[:, 0])


def test_validation_rows():
    held = {"X_val": X[100:], "y_val": Y[100:], "sample_weight_val": WEIGHT[100:]}
    settings = {"hidden_layer_sizes": (6,), "max_iter": 15, "random_state": 0}
    comp = MLPRegressor(**settings).fit(X[:100], Y[:100], **held)
    assert len(comp.validation_loss_curve_) == comp.n_iter_ == 15
    half = 0.5 * np.average((comp.predict(X[100:]) - Y[100:]) ** 2, axis=0, weights=WEIGHT[100:]).mean()
    assert comp.validation_loss_curve_[-1] == pytest.approx(half, rel=1e-12)
    early = MLPRegressor(early_stopping=True, **settings).fit(X[:100], Y[:100], **held)
    assert early.validation_scores_[-1] == pytest.approx(comp.score(X[100:], Y[100:], WEIGHT[100:]), rel=1e-9)
    with pytest.raises(ValueError, match="y_val has 1 columns and y has 2: give a number for each output"):
        comp.fit(X[:100], Y[:100], X_val=X[100:], y_val=Y[100:, 0])
    with pytest.raises(ValueError, match=r"X_val, y_val: .*NaN"):
        comp.fit(X[:100], Y[:100], X_val=X[100:], y_val=np.full((30, 2), np.nan))
    with pytest.raises(ValueError, match="solver='lbfgs' has none"):
        MLPRegressor(solver="lbfgs").fit(X, Y, X_val=X, y_val=Y)
    with pytest.raises(ValueError, match=r"y_val\[3\] is -1.0, and loss='poisson' is for counts"):
        MLPRegressor(loss="poisson").fit(X, COUNTS, X_val=X, y_val=np.where(np.arange(130) == 3, -1.0, COUNTS))


def test_input_that_is_refused():
    with pytest.raises(ValueError, match=r"y\[0, 1\] is -1.0, and loss='poisson' is for counts, which are at least 0"):
        MLPRegressor(loss="poisson").fit(X[:2], [[0.0, -1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match=r"X\[3, 1\] is NaN"):
        MLPRegressor().fit(np.where(np.arange(650).reshape(130, 5) == 16, np.nan, X), Y)
    with pytest.raises(ValueError, match="'loss' parameter of MLPRegressor"):
        MLPRegressor(loss="huber").fit(X, Y)
    with pytest.raises(ValueError, match=r"non-finite param.* in epoch 2: scale"), np.errstate(all="ignore"):
        MLPRegressor(solver="sgd", learning_rate_init=1e200, tol=1e3, n_iter_no_change=2).fit(X, Y)


def test_to_sklearn_and_pickles():
    comp, _ = both({"loss": "poisson", "solver": "lbfgs"}, COUNTS)
    theirs = comp.to_sklearn()
    assert type(theirs) is peers.MLPRegressor
    np.testing.assert_allclose(theirs.predict(X), comp.predict(X), rtol=1e-12)
    assert not vars(theirs).keys() & {"engine", "engine_", "validation_loss_curve_"}
    again = pickle.loads(pickle.dumps(comp))
    np.testing.assert_array_equal(again.predict(X), comp.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_skl2onnx_converts_it(dtype):
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    import tinynet_fast.sklearn.onnx  # noqa: F401 - here, because it needs skl2onnx

    rows = X.astype(dtype)
    for y, loss in ((Y[:, 0], "squared_error"), (Y, "squared_error"), (COUNTS, "poisson")):
        model, _ = both({"loss": loss}, y)
        source = skl2onnx.to_onnx(model, rows[:1]).SerializeToString()
        session = runtime.InferenceSession(source, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: rows})
        ref = model.predict(rows).reshape(len(rows), -1)
        assert (found.dtype, found.shape) == (dtype, ref.shape)
        most = (1e-6 if dtype == np.float32 else 1e-12) * np.abs(ref).max()
        np.testing.assert_allclose(found, ref, rtol=0.0, atol=most)


def test_a_mistake_would_be_seen(monkeypatch):
    """The checks above can fail: with half the loss, or without the penalty, the curve is another."""
    assert_same(*both({"alpha": 0.5}, Y))
    whole = KernelNetwork.mean_loss
    monkeypatch.setattr(KernelNetwork, "mean_loss", lambda self, total, *rest: whole(self, 0.5 * total, *rest))
    with pytest.raises(AssertionError):
        assert_same(*both({"alpha": 0.5}, Y))
    monkeypatch.undo()
    comp, _ = both({"alpha": 0.0, "solver": "lbfgs"}, Y)
    _, ref = both({"alpha": 0.5, "solver": "lbfgs"}, Y)
    with pytest.raises(AssertionError):
        assert_same(comp, ref)
