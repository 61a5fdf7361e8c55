"""Every engine against the reference on generated problems: `strict` to the last bit, others within their promise."""

import ast
import inspect
import os

import numpy as np
import pytest
from compare import assert_keeps, flat
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.kernels import array_functions, engines, layout, point_functions, reference, strict, vectorized
from tinynet_fast.rows.datasets import make_pass_fail

pytestmark = pytest.mark.any_cpu

PROMISES = {name: engine.promise for name, engine in engines.ENGINES.items() if name != "reference"}


def rows(rng, n, d, scale=1.0):
    X = rng.standard_normal((n, d)) * scale
    y = (rng.random(n) < 0.5).astype(int)
    y[:2] = 0, 1
    return X, y


@pytest.mark.parametrize("name", PROMISES)
@given(
    n=st.integers(2, 300),
    d=st.integers(1, 70),
    rate=st.floats(-6, 0).map(lambda power: 10.0**power),
    epochs=st.integers(1, 4),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_neuron_is_the_reference(name, n, d, rate, epochs, shuffle, seed):
    rng = np.random.default_rng(seed)
    X, y = rows(rng, n, d)
    rate = min(rate, 8.0 / (1.0 + (X * X).sum(axis=1).max()))
    options = {
        "weights": rng.standard_normal(d),
        "bias": float(rng.standard_normal()),
        "learning_rate": rate,
        "epochs": epochs,
        "shuffle": shuffle,
        "seed": seed,
    }
    ref = train_neuron(X, y, engine="reference", **options)
    comp = train_neuron(X, y, engine=name, **options)
    assert comp.engine in (name, "strict")
    assert_keeps(PROMISES[name], flat(comp.model), flat(ref.model))
    assert_keeps(PROMISES[name], comp.loss_history, ref.loss_history)


@pytest.mark.parametrize("name", PROMISES)
@pytest.mark.parametrize("options", [{}, {"l2": 0.1, "average": True}, {"l1": 0.01}])
def test_sparse_rows_are_the_references(name, options):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy makes the rows")
    rng = np.random.default_rng(0)
    X, y = rows(rng, 200, 6)
    X = sparse.csr_array(np.where(rng.random(X.shape) < 0.5, X, 0.0))
    ref, comp = (train_neuron(X, y, engine=engine, epochs=2, **options) for engine in ("reference", name))
    assert comp.engine == name
    assert_keeps(PROMISES[name], flat(comp.model), flat(ref.model))


@pytest.mark.parametrize("name", engines.ENGINES)
def test_a_batch_without_weight_moves_nothing(name):
    engine = engines.ENGINES[name]
    state = engine.own(np.arange(8.0).reshape(4, 2))
    layers = engine.own(np.array([[1, 1, reference.SIGMOID]]), np.int64)
    rule = engine.own(np.array([1.0, reference.LOG_LOSS, reference.ADAM, 0.9, 0.999]))
    engine.kernels.network_update(0.0, engine.own(np.array([0.1, 0.9, 0.1, 1e-8])), rule, layers, state)
    np.testing.assert_array_equal(state, [[0.0, 1.0], [0.0, 0.0], [4.0, 5.0], [6.0, 7.0]])


@pytest.mark.parametrize("activation", reference.ACTIVATIONS.values(), ids=list(reference.ACTIVATIONS))
def test_activations_at_zero(activation):
    """Some slopes jump there."""
    ref, comp = reference.activate(0.0, activation), vectorized.activate(np.zeros(1), activation)
    assert [float(np.ravel(value)[0]) for value in comp] == list(ref)


@pytest.mark.parametrize("name", PROMISES)
@given(
    n=st.integers(2, 120),
    d=st.integers(1, 12),
    hidden=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    activation=st.sampled_from(["sigmoid", "tanh", "relu"]),
    batch_size=st.one_of(st.none(), st.integers(1, 130)),
    epochs=st.integers(1, 3),
    steps=st.sampled_from(
        [
            {},
            {"momentum": 0.9, "nesterov": True, "schedule": "cosine"},
            {"optimizer": "adam", "learning_rate": 0.001, "weight_decay": 0.1},
            {"l2": 0.01, "schedule": "invscaling"},
        ]
    ),
    classes=st.sampled_from([2, 2, 4]),
    weighted=st.booleans(),
    dropout=st.sampled_from([0.0, 0.0, 0.4]),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_network_is_the_reference(
    name, n, d, hidden, activation, batch_size, epochs, steps, classes, weighted, dropout, shuffle, seed
):
    rng = np.random.default_rng(seed)
    X, y = rows(rng, n, d)
    if classes > 2 and n >= classes:
        y = np.where(np.arange(n) < classes, np.arange(n), rng.integers(0, classes, n))
    options = (
        {
            "dropout": dropout,
            "sample_weight": rng.random(n) + 0.1 if weighted else None,
            "hidden": hidden,
            "activation": activation,
            "batch_size": batch_size,
            "epochs": epochs,
            "shuffle": shuffle,
            "seed": seed,
        }
        | {"learning_rate": 0.1}
        | steps
    )
    ref = train_mlp(X, y, engine="reference", **options)
    comp = train_mlp(X, y, engine=name, **options)
    assert_keeps(PROMISES[name], flat(comp.model), flat(ref.model))
    assert_keeps(PROMISES[name], comp.loss_history, ref.loss_history)


def test_fast_says_who_ran():
    """Within the stability bound the fast engine; beyond it, and for what it has no kernel for, strict, bit for bit."""
    X, y = rows(np.random.default_rng(0), 100, 3)
    bound = 8.0 / ((X * X).sum(axis=1).max() + 1.0)
    assert train_neuron(X, y, learning_rate=bound * 0.999, epochs=1).engine == "fast"
    beyond = train_neuron(X, y, learning_rate=bound * 1.001, epochs=3)
    assert beyond.engine == "strict"
    ref = train_neuron(X, y, learning_rate=bound * 1.001, epochs=3, engine="reference")
    assert_keeps(0.0, flat(beyond.model), flat(ref.model))
    weights = np.ones(100)
    weights[7] = 100.0  # a heavy row is a long step
    assert train_neuron(X, y, learning_rate=bound * 0.9, sample_weight=weights, epochs=1).engine == "strict"
    assert train_neuron(X, y, learning_rate=bound * 0.001, sample_weight=weights, epochs=1).engine == "fast"
    assert train_neuron(X, y, schedule="invscaling", epochs=1).engine == "fast"
    for options in ({"l2": 0.1}, {"average": True}, {"l2": 0.1, "average": 50}):
        assert train_neuron(X, y, learning_rate=bound * 0.999, epochs=1, **options).engine == "fast"
        assert train_neuron(X, y, learning_rate=bound * 1.001, epochs=1, **options).engine == "strict"
        for other in ({"l1": 0.1}, {"loss": "squared_error"}):
            assert train_neuron(X, y, learning_rate=bound * 0.1, epochs=1, **options, **other).engine == "strict"
    assert train_neuron(X, y, schedule="optimal", l2=100.0, epochs=1).engine == "fast"
    assert train_neuron(X, y, schedule="optimal", l2=0.1, epochs=1).engine == "strict"  # the first rate is 1.78
    heavy, light = np.ones(5000), np.full(5000, 1e-3)  # the weights of rows that are standardised, in two blocks
    heavy[4500] = 1000.0
    many = np.random.default_rng(0).standard_normal((5000, 3)) * 1e3  # raw rows would be far too long
    for weights, engine in ((None, "fast"), (light, "fast"), (heavy, "strict")):
        options = {"sample_weight": weights, "standardize": True, "learning_rate": 0.01, "epochs": 1}
        assert train_neuron(many, np.arange(5000) % 2, **options).engine == engine
    assert train_mlp(X, y, epochs=1).engine == "fast"
    start = {"weights": [np.full((3, 4), 2e3), np.ones((4, 1))], "biases": [np.zeros(4), np.zeros(1)]}
    far_out = train_mlp(X, y, epochs=2, **start)
    assert far_out.engine == "strict"
    ref = train_mlp(X, y, epochs=2, engine="reference", **start)
    assert_keeps(0.0, flat(far_out.model), flat(ref.model))


compiled_only = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="in plain Python these rows take minutes"
)


@compiled_only
@pytest.mark.parametrize(
    ("n", "d", "reach", "dtype", "epochs"),
    [(10_000_000, 2, 1e-3, np.float64, 1), (20_000, 256, 1.0, np.float64, 3), (20_000, 256, 1.0, np.float32, 3)],
)
def test_fast_does_not_drift(n, d, reach, dtype, epochs):
    """Ten million rows, and 256 inputs with steps at the stability bound: still within 1e-12."""
    data = make_pass_fail(n, d, seed=9, dtype=dtype)
    rate = reach * 8.0 / (np.einsum("ij,ij->i", data.X, data.X, dtype=float).max() + 1.0) * (1 - 1e-6)
    ref = train_neuron(data.X, data.y, learning_rate=rate, epochs=epochs, engine="strict")
    comp = train_neuron(data.X, data.y, learning_rate=rate, epochs=epochs)
    assert comp.engine == "fast"
    assert_keeps(1e-12, flat(comp.model), flat(ref.model))
    assert_keeps(1e-12, comp.loss_history, ref.loss_history)


@compiled_only
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize(
    "steps",
    [{"learning_rate": 0.1}, {"learning_rate": 0.02, "momentum": 0.9}, {"optimizer": "adam", "learning_rate": 0.01}],
    ids=["plain", "momentum", "adam"],
)
def test_how_far_networks_drift(activation, steps):
    """2,000 updates on standardised inputs: the promise is for one of them, and differences grow from one to the next.
    Seen here: 1e-11 at most, 1e-15 as a rule."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((256, 8))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    options = {"hidden": (16, 8), "activation": activation, "init": "glorot", "batch_size": 32, "seed": 0, **steps}
    for epochs, promise in ((1, 1e-13), (250, 1e-9)):
        ref = train_mlp(X, y, epochs=epochs, engine="strict", **options)
        comp = train_mlp(X, y, epochs=epochs, **options)
        assert comp.engine == "fast"
        assert_keeps(promise, flat(comp.model), flat(ref.model))


@compiled_only
def test_fast_where_every_row_is_separated():
    """Sums run far out, where the sigmoid is flat and no rounding is forgiven."""
    rng = np.random.default_rng(3)
    for d in (1, 2, 16):
        X = rng.standard_normal((3000, d))
        y = (X[:, 0] > 0).astype(int)
        rate = 8.0 / ((X * X).sum(axis=1).max() + 1.0) * 0.999
        ref = train_neuron(X, y, learning_rate=rate, epochs=100, engine="strict")
        comp = train_neuron(X, y, learning_rate=rate, epochs=100)
        assert comp.engine == "fast"
        assert_keeps(1e-12, flat(comp.model), flat(ref.model))


def test_unknown_engine():
    with pytest.raises(ValueError, match="no engine 'warp': use one of reference, numpy, strict, fast"):
        train_neuron([1, 2], [0, 1], engine="warp")


# --- the twins --------------------------------------------------------------------------------------------------------


def functions(module):
    tree = ast.parse(inspect.getsource(module))
    return [
        (node.name, [a.arg for a in node.args.args])
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
    ]


SPECIFICATION = functions(point_functions) + functions(reference)


def in_order(module):
    """The functions of a module that takes some of them from the reference, as `functions` has them."""
    names = [name for name, _ in SPECIFICATION]
    found = [(name, getattr(value, "py_func", value)) for name, value in vars(module).items() if name in names]
    return [(name, list(inspect.signature(function).parameters)) for name, function in found]


def test_what_strict_has_is_the_references_own_code():
    """All but what is written by hand, which is listed here with its name so that nothing is added unseen."""
    by_hand = {"sigmoid", "exponential", "sgd_epochs", "sparse_dot", "sgd_sparse_epochs"}
    for name, _ in SPECIFICATION:
        comp = getattr(strict, name)
        same = getattr(comp, "py_func", comp).__code__ is getattr(reference, name).__code__
        assert same == (name not in by_hand), name


def test_twins_hold_the_same_functions_in_the_same_order():
    assert in_order(strict) == SPECIFICATION
    assert functions(array_functions) == functions(point_functions)
    assert functions(vectorized) == functions(reference)


@pytest.mark.parametrize(
    ("largest", "limit", "fits"),
    [(2.0, 2.0, True), (2.1, 2.0, False), (1e300, np.inf, True), (np.inf, np.inf, False), (np.nan, np.inf, False)],
)
def test_fast_is_given_rows_within_the_limit(largest, limit, fits):
    fast, exact = engines.ENGINES["fast"], engines.ENGINES["strict"]
    assert engines.choose(fast, largest, limit) is (fast if fits else exact)
    assert engines.choose(fast, largest, limit, has_kernel=False) is exact
    for asked in engines.ENGINES.values():
        assert asked is fast or engines.choose(asked, largest, limit, has_kernel=False) is asked


def imported(module):
    tree = ast.parse(inspect.getsource(module))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return [alias.name for node in imports for alias in node.names]


def test_reference_stands_alone():
    """It computes with `math` alone. The names of places in arrays are numbers, and come from nowhere else."""
    assert imported(reference) == ["math", "layout", "*"]
    assert imported(point_functions) == ["math", "NamedTuple"]
    assert imported(layout) == []
    assert all(isinstance(value, int) for name, value in vars(layout).items() if not name.startswith("__"))
    for module in (reference, point_functions):
        tree = ast.parse(inspect.getsource(module))
        assert "sum(" not in "".join(ast.unparse(node) for node in tree.body[1:])
