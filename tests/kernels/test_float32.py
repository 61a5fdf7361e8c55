"""Networks of float32: every engine against the plain loops on `array("f")`, and the parts that serve two types."""

from array import array

import numpy as np
import pytest
from network_problems import random_problem

from tinynet_fast.kernels import reference, strict_single
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, kernel
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.fast import functions
from tinynet_fast.kernels.reference import (
    ADAM,
    HUBER,
    LEAST_SQUARES,
    NESTEROV,
    POISSON,
    RELU,
    SIGMOID,
    SILU,
    SQUARED_ERROR,
    TANH,
)
from tinynet_fast.proof.validate import distance
from tinynet_fast.rows.team import Team

pytest.importorskip("numba", reason="the library has no kernels of float32 networks")

CASES = {
    "sigmoid, every row": ((40, (9, 4, 1), SIGMOID), {}),
    "tanh, weights": ((50, (8, 16, 3, 1), TANH, 17), {"weights": True, "l2": 0.01}),
    "relu, nesterov, decay": ((37, (2, 5, 1), RELU, 8), {"optimizer": NESTEROV, "keep": 0.99}),
    "softmax, adam, dropout": ((40, (5, 9, 3), SILU, 16), {"optimizer": ADAM, "rate": 1e-3, "dropout": 0.3}),
    "squared error, a row at a time": ((9, (3, 4, 1), TANH, 1), {"loss": SQUARED_ERROR}),
    "several numbers": ((30, (3, 9, 2), TANH, 10), {"loss": LEAST_SQUARES}),
    "huber": ((30, (3, 4, 1), TANH, 10), {"loss": HUBER, "shape": 0.7}),
    "counts": ((30, (3, 4, 1), SIGMOID, 10), {"loss": POISSON}),
    "more than a tile": ((300, (3, 4, 1), SIGMOID), {}),
}
ENGINE_NAMES = ["numpy", "strict", "fast"]


def problem_of(case):
    given, options = CASES[case]
    return random_problem(np.random.default_rng(len(case)), *given, **options)


def first_update(engine, problem, rows=np.float64, threads=0):
    """Parameters, gradient, moments and losses after the first batch."""
    batch = min(problem.batch, len(problem.X))
    kernels, table = engine.network_kernels(np.float32), problem.layers
    state, pending, losses = engine.network_state(problem.state, np.float32), engine.own(np.zeros(2)), np.zeros(1)
    mask = problem.mask[:batch] if problem.mask.shape[1] else problem.mask
    losses, own = engine.own(losses), engine.own
    X = problem.X[:batch].astype(rows)
    y = own(problem.y[: batch * problem.targets].astype(np.float32))
    given = (engine.rows(X), y, own(problem.weight[:batch]), own(mask), own(problem.schedule), own(problem.rule))
    layers = own(table, np.int64)
    if threads:
        team = kernels.NetworkTeam(table, problem.state.shape[1], batch, threads, np.float32)
        with Team(threads, threads) as workers:
            team.network_epochs(workers.map, *given, layers, state, pending, losses)
    else:
        kernels.network_epochs(*given, layers, state, engine.scratch(table, np.float32), pending, losses)
    return [*(np.array(row, dtype=np.float64) for row in state), np.array(losses)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_an_update_is_the_references(case, name):
    problem, engine = problem_of(case), ENGINES[name]
    ref, comp = (first_update(e, problem) for e in (ENGINES["reference"], engine))
    assert np.array_equal(ref[0], ref[0].astype(np.float32))  # as float32 has them
    assert not np.array_equal(ref[0], problem.state[0].astype(np.float32))
    for a, b in zip(comp, ref, strict=True):
        assert distance(a, b) <= engine.single_promise
    assert np.array_equal(comp[0], comp[0].astype(np.float32))


@pytest.mark.parametrize("case", CASES)
def test_rows_of_float32_give_the_same_bits(case):
    problem = problem_of(case)
    comp, ref = (first_update(ENGINES["fast"], problem, rows) for rows in (np.float32, np.float64))
    for a, b in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", ["more than a tile", "softmax, adam, dropout"])
def test_threads_give_the_same_bits(case):
    problem = problem_of(case)
    comp, ref = (first_update(ENGINES["fast"], problem, threads=threads) for threads in (2, 0))
    for a, b in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_the_last_batch(name):
    problem, engine = problem_of("relu, nesterov, decay"), ENGINES[name]
    problem.state[1] = np.random.default_rng(1).standard_normal(problem.state.shape[1])
    states = [e.network_state(problem.state, np.float32) for e in (ENGINES["reference"], engine)]
    for e, state in zip((ENGINES["reference"], engine), states, strict=True):
        own = e.own
        given = own(problem.schedule[0]), own(problem.rule), own(problem.layers, np.int64)
        e.network_kernels(np.float32).network_update(3.0, *given, state)
    for a, b in zip(*states, strict=True):
        comp, ref = np.array(b, dtype=np.float64), np.array(a, dtype=np.float64)
        assert distance(comp, ref) <= engine.single_promise


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_sums_of_rows(name):
    problem, engine = problem_of("softmax, adam, dropout"), ENGINES[name]
    outs = []
    for e in (ENGINES["reference"], engine):
        out, own = e.own(np.zeros((len(problem.X), 3))), e.own
        units = e.scratch(problem.layers, np.float32)
        params = e.singles(problem.state[0])
        rows, layers = e.rows(problem.X), own(problem.layers, np.int64)
        e.network_kernels(np.float32).network_logits(rows, layers, params, units, out)
        outs.append(np.array(out))
    assert distance(outs[1].ravel(), outs[0].ravel()) <= max(engine.single_promise, 0.0)


def test_what_the_reference_rounds():
    """A row and a batch by hand: each number of `array("f")` is rounded when it is written, and nothing else is."""
    f = np.float32
    w, b, x, rate = f(0.3), f(0.1), f(0.7), 0.5
    a = f(1.0 / (1.0 + np.exp(-(float(x) * float(w) + float(b)))))
    error = f(float(a) - 1.0)
    ref = float(f(float(w) - rate * (float(x) * float(error))))
    state, units = [array("f", [w, b]), *([0.0, 0.0] for _ in range(3))], [array("f", [0.0, 0.0]) for _ in range(2)]
    rule, schedule = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [[rate, 1.0, 0.0, 1e-8]]
    given = [[float(x)]], [1.0], [1.0], [[]], schedule, rule, [[1, 1, SIGMOID]]
    reference.network_epochs(*given, state, units, [0.0, 0.0], [0.0])
    assert state[0][0] == ref


# --- parts ------------------------------------------------------------------------------------------------------------


def _applied(function):
    @simd.unrolled
    def one(out, x, at):
        simd.store(out, at, function(simd.read(x, at)))

    def each(out, x):
        for at in range(0, len(x), 16):
            one(out, x, at)

    each.__name__ = each.__qualname__ = f"each_{getattr(function, '__name__', 'of')}"
    return each if UNCOMPILED else kernel(each)


Z = np.concatenate([np.linspace(-110.0, 110.0, 1600), np.linspace(-1e-3, 1e-3, 64)]).astype(np.float32)
FUNCTIONS = {
    "exp": (functions.exp, lambda z: np.exp(z), -np.abs(Z[np.abs(Z) < 87.0])),
    "exp_of_any": (functions.exp_of_any, lambda z: np.exp(z), Z[Z > -87.0]),
    "sigmoid": (functions.sigmoid, lambda z: 1.0 / (1.0 + np.exp(-z)), Z[Z > -87.0]),
    "tanh": (functions.tanh, np.tanh, Z),
    "log1p_of_any": (functions.log1p_of_any, np.log1p, np.abs(Z) * 1e3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_float32(name):
    function, exact, x = FUNCTIONS[name]
    x = np.resize(x, len(x) // 16 * 16)
    comp = np.zeros(len(x), np.float32)
    with np.errstate(all="ignore"):
        _applied(function)(comp, x)
        ref = exact(x.astype(np.float64))
    finite = ref < np.finfo(np.float32).max
    np.testing.assert_array_equal(comp[~finite], np.inf)
    np.testing.assert_allclose(comp[finite], ref[finite], rtol=4e-7, atol=1e-38)


def test_odd_numbers_of_float32():
    odd = np.array([np.nan, np.inf, -np.inf, -200.0] * 4, np.float32)
    comp = np.zeros(16, np.float32)
    with np.errstate(all="ignore"):
        _applied(functions.sigmoid)(comp, odd)
    np.testing.assert_array_equal(comp[:4], np.array([np.nan, 1.0, 0.0, 0.0], np.float32))


def test_singles_are_read_as_floats():
    ones = strict_single.singles(np.array([0.1], np.float32))
    assert ones[0] == float(np.float32(0.1))
