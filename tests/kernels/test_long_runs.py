"""Long runs: rounding errors that are too small to see in hundreds of rows add up over hundreds of thousands.

By default a problem has 300,000 updates or so, and may use a tenth of an engine's promise, since errors grow. With
HYPOTHESIS_PROFILE=deep (`make test-deep`) it has up to ten million, and may use all of the promise.
"""

import math
import os

import numpy as np
import pytest
from compare import distance, flat
from planted import Mistake, jit_copy

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.cluster.recipes import blend
from tinynet_fast.kernels import strict
from tinynet_fast.kernels.compiler import jit
from tinynet_fast.kernels.engines import compiles
from tinynet_fast.kernels.fast import one_vs_rest, regularized_neuron
from tinynet_fast.training.schedules import Penalties

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
ROWS = 10_000_000 if DEEP else 300_000
ALLOWED = 1e-12 if DEEP else 1e-13

pytestmark = pytest.mark.skipif(
    jit.UNCOMPILED or not compiles(), reason="300,000 rows take too long without compiled kernels"
)


def rows(n, d, separable=True, dtype=np.float64):
    """Standard normal rows, labelled by their first input, with noise unless they are to be separable."""
    rng = np.random.default_rng(d)
    X = rng.standard_normal((n, d)).astype(dtype)
    return X, (X[:, 0] > (0.0 if separable else rng.standard_normal(n))).astype(np.float64)


def assert_stays(comp, ref, allowed=ALLOWED):
    """Weights, bias and losses of two results of `train_neuron` or `train_mlp`."""
    assert distance(flat(comp.model), flat(ref.model)) <= allowed
    assert distance(comp.loss_history, ref.loss_history) <= allowed


# --- one neuron -------------------------------------------------------------------------------------------------------

OPTIONS = {
    "plain": {},
    "l2": {"learning_rate": 0.005, "l2": 2e-5},
    "small l2": {"learning_rate": 0.08, "l2": 1e-6},
    "tiny l2": {"learning_rate": 0.01, "l2": 1e-12},  # shrinks a weight by 45 units in its last place
    "averaged": {"average": True},
    "averaged late": {"average": ROWS // 3},
    "l2, averaged": {"l2": 2e-5, "average": True},
    "invscaling": {"l2": 1e-5, "schedule": "invscaling", "learning_rate": 0.1},
    "cosine, averaged": {"l2": 1e-5, "schedule": "cosine", "average": True},
    "shuffled": {"l2": 1e-6, "average": True, "shuffle": True, "seed": 1},
}


@pytest.mark.parametrize("separable", [True, False], ids=["separable", "noisy"])
@pytest.mark.parametrize("d", [2, 6, 16])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_fast(options, d, separable):
    X, y = rows(ROWS * 2 // max(d, 4), d, separable)
    runs = [train_neuron(X, y, **{"learning_rate": 0.01, "epochs": 2} | options, engine=e) for e in ("fast", "strict")]
    assert runs[0].engine == "fast"
    assert_stays(*runs)


def test_fast_with_sample_weights_and_float32():
    X, y = rows(ROWS // 2, 6, dtype=np.float32)
    weights = np.random.default_rng(0).random(len(y))
    options = {"learning_rate": 0.01, "epochs": 2, "l2": 1e-5, "average": True, "sample_weight": weights}
    assert_stays(*(train_neuron(X, y, engine=engine, **options) for engine in ("fast", "strict")))


@pytest.mark.parametrize("options", [{"l2": 1e-5}, {"average": True}, {"l1": 1e-6}], ids=["l2", "averaged", "l1"])
def test_numpy(options):
    X, y = rows(ROWS // 6, 6)
    assert_stays(*(train_neuron(X, y, learning_rate=0.01, epochs=1, engine=e, **options) for e in ("numpy", "strict")))


def test_strict_is_the_reference():
    X, y = rows(ROWS // 6, 3)
    runs = [train_neuron(X, y, epochs=1, l2=1e-5, average=True, engine=engine) for engine in ("strict", "reference")]
    np.testing.assert_array_equal(flat(runs[0].model), flat(runs[1].model), strict=True)
    np.testing.assert_array_equal(runs[0].loss_history, runs[1].loss_history, strict=True)


@pytest.mark.parametrize("options", [{"l2": 1e-3, "average": True}, {"l2": 1e-9}, {"l1": 1e-6}], ids=str)
def test_sparse(options):
    """The scale falls below the smallest that is allowed, and the weights are scaled, some thousand times."""
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    n, d, stored = ROWS // 3, 100, 5
    rng = np.random.default_rng(0)
    columns = rng.integers(0, d // stored, (n, stored)) + np.arange(stored) * (d // stored)
    arrays = rng.standard_normal(n * stored), columns.ravel(), np.arange(n + 1) * stored
    X = sparse.csr_array(arrays, shape=(n, d))
    y = np.asarray(X[:, :50].sum(axis=1)).ravel() > 0.0
    assert_stays(*(train_neuron(X, y, epochs=3, learning_rate=0.02, engine=e, **options) for e in ("fast", "strict")))


# --- many neurons at once ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separable", [True, False], ids=["separable", "noisy"])
def test_sweep(separable):
    X, y = rows(ROWS, 3, separable)
    grid = {"learning_rate": [0.005, 0.08], "l2": [0.0, 1e-11, 1e-6], "average": [False, True]}
    models = sweep(X, y, epochs=1, **grid)
    for k in range(len(models.weights)):
        options = {"learning_rate": models.learning_rate[k], "l2": models.l2[k], "average": bool(models.average[k])}
        ref = train_neuron(X, y, epochs=1, engine="strict", **options)
        assert distance(np.append(models.weights[k], models.biases[k]), flat(ref.model)) <= ALLOWED
        assert models.loss_history[0, k] == pytest.approx(ref.loss_history[0], rel=ALLOWED)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize(("alpha", "eta0"), [(2e-5, 0.05), (1e-12, 0.05), (1e-6, 0.005)])
def test_one_against_the_rest(alpha, eta0, average):
    pytest.importorskip("numba", reason="Numba compiles the kernels that share a pass")
    estimators = pytest.importorskip("tinynet_fast.sklearn", reason="scikit-learn is not installed")
    X, _ = rows(ROWS // 3, 4)
    y = np.digitize(X[:, 0], [-0.6, 0.6])
    options = {"learning_rate": "constant", "shuffle": False, "max_iter": 3, "tol": None}
    options |= {"alpha": alpha, "eta0": eta0, "average": average}
    comp, ref = (
        estimators.SGDClassifier(loss="log_loss", engine=engine, **options).fit(X, y) for engine in ("fast", "strict")
    )
    assert distance(np.c_[comp.coef_, comp.intercept_], np.c_[ref.coef_, ref.intercept_]) <= ALLOWED


# --- networks ---------------------------------------------------------------------------------------------------------

STEPS = {
    "plain": {"batch_size": 1},
    "decay": {"batch_size": 1, "weight_decay": 1e-7},
    "momentum": {"batch_size": 8, "momentum": 0.9, "l2": 1e-5},
    "adam": {"batch_size": 8, "optimizer": "adam", "learning_rate": 0.001, "weight_decay": 1e-4},
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("shape", [(2, 4), (5, 9)], ids=["narrow", "wide"])
def test_networks(shape, steps):
    """On separable rows training is stable, and a difference does not grow from update to update."""
    X, y = rows(ROWS // 3, shape[0])
    options = {"hidden": shape[1:], "epochs": 1, "learning_rate": 0.01, "seed": 0} | steps
    comp, ref = (train_mlp(X, y, engine=engine, **options) for engine in ("fast", "strict"))
    assert_stays(comp, ref)


def test_numpy_networks():
    X, y = rows(ROWS // 3, 3)
    for steps in (STEPS["momentum"], STEPS["adam"]):
        options = {"epochs": 1, "learning_rate": 0.01, "seed": 0} | steps | {"batch_size": 32}
        assert_stays(*(train_mlp(X, y, engine=engine, **options) for engine in ("numpy", "strict")))


# --- clusters ---------------------------------------------------------------------------------------------------------


def test_means_of_many_rounds():
    """A cluster brings each round's mean into the mean of all rounds."""
    rounds = np.random.default_rng(0).standard_normal(ROWS // 3) + 1.0
    mean = np.zeros(1)
    for done, value in enumerate(rounds):
        mean = blend(mean, value, 500 * done, 500)
    assert float(mean) == pytest.approx(math.fsum(rounds) / len(rounds), rel=ALLOWED)


# --- planted mistakes -------------------------------------------------------------------------------------------------

# Weights are shrunk by the product of several rows' keeps at once, rounded otherwise than row after row.
PRODUCTS = (
    (
        regularized_neuron,
        Mistake(
            "one neuron",
            """
            w = fma(-p0, input_at(X, k), c0 * weight_at(weights, j))
            ...
            w = fma(-p1, input_at(X, k + d), c1 * w)
            ...
            w = fma(-p2, input_at(X, k + 2 * d), c2 * w)
            ...
            w = fma(-p3, input_at(X, k + 3 * d), c3 * w)
            """,
            """
            w = fma(-p0, c1 * c2 * c3 * input_at(X, k), (c0 * c1 * c2 * c3) * weight_at(weights, j))
            w = fma(-p2, c3 * input_at(X, k + 2 * d), fma(-p1, c2 * c3 * input_at(X, k + d), w))
            w = fma(-p3, input_at(X, k + 3 * d), w)
            """,
        ),
    ),
    (
        one_vs_rest,
        Mistake(
            "one against the rest",
            "coupling = 1.0",
            "coupling = 1.0; p, keep_p, keep_q = p * keep_q, keep_p * keep_q, keep_q * 0.0 + 1.0",
            "sweep",
            given="w = bring_in_two(x, y, j, p, keep_p, share_p, q, keep_q, ...)",
        ),
    ),
)


def one_neuron(kernels, X, y, rate, l2):
    """The weights that `kernels` comes to."""
    weights, nothing = np.zeros(X.shape[1]), np.zeros(1)
    schedule = Penalties(l2, 0.0, 0, "log_loss").schedule_rows(np.full(len(X), rate), None, 0)
    means, paid = np.zeros(X.shape[1] + 1), np.zeros(X.shape[1] + 1)
    kernels.sgd_regularized_epochs(
        X, y, schedule, np.array([0.0, 0.0, 1.0]), weights, nothing, means, paid, np.zeros(2)
    )
    return weights


def one_class(kernels, X, y, rate, l2):
    """The same weights as those of a class, among eight of the same."""
    schedule, m = np.ones((len(X), 4)), kernels.WIDTH
    options, sums, state = (kernels.aligned(k, m) for k in (kernels.N_OPTIONS, kernels.N_SUMS, X.shape[1] + 1))
    options[:] = 1.0
    options[kernels.RATE], options[kernels.L2] = rate, l2
    for _ in range(2):
        kernels.train(X, y, schedule, options, state, sums, False, False, True)
    return state[:-1, 0]


@pytest.mark.skipif(not jit.has_numba(), reason="Numba compiles the copies")
@pytest.mark.parametrize(("module", "mistake"), PRODUCTS, ids=[m.name for _, m in PRODUCTS])
def test_a_product_of_keeps_shows(module, mistake):
    train = one_neuron if module is regularized_neuron else one_class
    given = *rows(300_000, 6), 0.005, 2e-5
    ref = one_neuron(strict, *given)
    assert distance(train(module, *given), ref) <= 1e-13
    assert distance(train(jit_copy(module, mistake), *given), ref) > 2e-13
