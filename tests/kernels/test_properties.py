"""One sentence, on generated problems: an engine's weights and losses are the reference's, within its promise.

A new engine is tested by being listed in `tinynet_fast.kernels.engines`.
"""

from dataclasses import replace

import numpy as np
import pytest
from compare import assert_keeps, needs_numba
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import network_problems, neuron_problems, regularized_problems, without_what_is_left_to_strict

from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.proof.problems import neuron_problem, regularized_problem
from tinynet_fast.proof.validate import REFERENCE, distance, judge, ulps
from tinynet_fast.training.losses import choose_loss

pytestmark = pytest.mark.any_cpu

PROMISING = [engine for engine in ENGINES.values() if engine is not REFERENCE]
REGULARIZED = [engine for engine in PROMISING if engine.can("sgd_regularized_epochs")]
NETWORKS = [engine for engine in PROMISING if engine.can("network_epochs")]
EXACT = [engine for engine in PROMISING if engine.promise == 0.0]


def named(engines):
    return pytest.mark.parametrize("engine", engines, ids=lambda engine: engine.name)


@named(PROMISING)
@given(problem=neuron_problems(within_bound=True))
def test_neuron_within_the_stability_bound(engine, problem):
    assert judge(engine, "neuron", [problem]).kept


@named(PROMISING)
@pytest.mark.parametrize("width", range(1, 7))
def test_neuron_of_every_narrow_width(engine, width):
    """`fast` keeps up to four weights in registers, with code of its own for each width."""
    rng = np.random.default_rng(width)
    problems = [neuron_problem(rng, 50, width, vary=True, linear=linear) for linear in (False, True)]
    if engine in REGULARIZED:
        losses = (0, choose_loss("log_loss")), (1, choose_loss(of="linear")), (1, choose_loss("huber", "linear"))
        problems += [regularized_problem(rng, problems[k], 0.1, 0.0, 3, loss) for k, loss in losses]
    assert judge(engine, "neuron", problems).kept


@named(PROMISING)
@pytest.mark.parametrize("width", [160, 161, 162, 163, 164, 200])
def test_neuron_of_long_rows(engine, width):
    """`fast` asks for rows of more than 1,280 bytes line by line, in code of its own."""
    rng = np.random.default_rng(width)
    problem = neuron_problem(rng, 23, width, vary=True)
    narrow = replace(problem, X=np.tile(problem.X, 2).astype(np.float32).astype(np.float64))
    narrow = replace(narrow, weights=np.tile(problem.weights, 2), step=problem.step / 3.0)
    linear = replace(narrow, kernel="sgd_linear_epochs", step=narrow.step / 4.0)
    narrow32 = [replace(each, X=narrow.X.astype(np.float32)) for each in (narrow, linear)]
    assert judge(engine, "neuron", [problem, narrow, linear, *narrow32]).kept


@named(EXACT)
@given(problem=neuron_problems(within_bound=False))
def test_neuron_beyond_the_stability_bound(engine, problem):
    """Rates, sums and inputs of any size, overflow to infinity and NaN included: still the same bits."""
    for comp, ref in zip(problem.solve(engine), problem.solve(REFERENCE), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@named(REGULARIZED)
@given(problem=regularized_problems(within_bound=True))
def test_regularized_neuron_within_the_stability_bound(engine, problem):
    assert judge(engine, "neuron", [without_what_is_left_to_strict(engine, problem)]).kept


@named(EXACT)
@given(problem=regularized_problems(within_bound=False))
def test_regularized_neuron_beyond_the_stability_bound(engine, problem):
    for comp, ref in zip(problem.solve(engine), problem.solve(REFERENCE), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@named(REGULARIZED)
@given(problem=neuron_problems(within_bound=True))
def test_a_schedule_that_adds_nothing_is_the_plain_update(engine, problem):
    """With keep 1, cut 0 and share 0 the regularised kernel gives the plain kernel's weights: bit for bit, unless it
    sums in an order of its own."""
    plain, plain_losses = problem.solve(engine)
    loss = choose_loss(of="linear" if problem.kernel == "sgd_linear_epochs" else "labels")
    same = regularized_problem(np.random.default_rng(0), problem, 0.0, 0.0, 0, loss)
    same.schedule[:, 0] = problem.step
    comp, losses = same.solve(engine)
    promise = engine.promise if engine.module == "fast" else 0.0
    assert_keeps(promise, comp[: len(plain)], plain)
    assert_keeps(promise, losses, plain_losses)


@named(REGULARIZED)
@given(problem=regularized_problems(within_bound=True), block=st.integers(1, 301))
def test_regularized_blocks_change_no_bit(engine, problem, block):
    """Cut at multiples of the engine's tile, in calls for an epoch or for all: the same bits."""
    problem = without_what_is_left_to_strict(engine, problem)
    whole = replace(problem, block=max(1, len(problem.X))).solve(engine)
    cut = replace(problem, block=-(-block // engine.tile) * engine.tile).solve(engine)
    for comp, ref in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@named(NETWORKS)
@given(problem=network_problems())
def test_network(engine, problem):
    assert judge(engine, "network", [problem]).kept


@named(EXACT)
@given(problem=neuron_problems(within_bound=True), block=st.integers(1, 301))
def test_neuron_blocks_change_no_bit(engine, problem, block):
    for comp, ref in zip(replace(problem, block=block).solve(engine), problem.solve(engine), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@named(EXACT)
@given(problem=network_problems(), block=st.integers(1, 121))
def test_network_blocks_change_no_bit(engine, problem, block):
    for comp, ref in zip(replace(problem, block=block).solve(engine), problem.solve(engine), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@named(PROMISING)
@given(problem=neuron_problems(within_bound=True))
def test_epochs_in_one_call_are_calls_one_by_one(engine, problem):
    own, kernel = engine.own, getattr(engine.kernels, problem.kernel)
    weights, bias, losses = own(problem.weights.copy()), own(np.array([problem.bias])), own(np.zeros(problem.epochs))
    kernel(own(problem.X), own(problem.y), own(problem.step), weights, bias, losses)
    block = max(1, len(problem.X) - 1) if engine.tile == 1 else -(-(len(problem.X) - 1) // engine.tile) * engine.tile
    ref, ref_losses = replace(problem, block=max(1, block)).solve(engine)
    np.testing.assert_array_equal(np.append(weights, bias), ref)
    np.testing.assert_array_equal(losses, ref_losses)


@named([engine for engine in PROMISING if engine.can("logits")])
@given(problem=neuron_problems(within_bound=True))
def test_sums_of_many_rows(engine, problem):
    own = engine.own
    out = own(np.zeros(len(problem.X)))
    engine.kernels.logits(own(problem.X), own(problem.weights), own(np.array([problem.bias])), out)
    ref = [0.0] * len(problem.X)
    reference.logits(problem.X.astype(float).tolist(), problem.weights.tolist(), [problem.bias], ref)
    if engine.promise == 0.0:
        assert list(out) == ref
    else:
        size = np.abs(problem.X.astype(float)) @ np.abs(problem.weights) + abs(problem.bias)
        assert (np.abs(np.asarray(out) - np.array(ref)) <= 1e-14 * size).all()


@named(NETWORKS)
@given(problem=network_problems())
def test_network_sums_of_many_rows(engine, problem):
    from tinynet_fast.models.layers import layer_table

    assume(len(problem.X))
    out = {}
    for who in (engine, REFERENCE):
        own, table = who.own, layer_table(problem.sizes, problem.activation)
        out[who.name] = own(np.zeros((len(problem.X), problem.sizes[-1])))
        layers, params = own(table, np.int64), own(problem.params)
        who.kernels.network_logits(own(problem.X), layers, params, who.scratch(table), out[who.name])
    assert distance(np.asarray(out[engine.name]), np.array(out["reference"])) <= engine.promise


# --- one number -------------------------------------------------------------------------------------------------------


@needs_numba
@given(z=st.floats(allow_nan=False))
def test_scalars_have_the_same_bits(z):
    assert strict.sigmoid(z) == reference.sigmoid(z)
    for activation in reference.ACTIVATIONS.values():
        a = reference.activate(z, activation)
        assert strict.activate(z, activation) == pytest.approx(a, rel=0.0, abs=0.0, nan_ok=True)
    for y in (0.0, 1.0):
        assert strict.cross_entropy(z, y) == reference.cross_entropy(z, y)


@given(z=st.floats(-1e4, 1e4))
def test_scalars_in_numpy_are_close(z):
    assert vectorized.sigmoid(z) == pytest.approx(reference.sigmoid(z), rel=1e-14, abs=1e-300)
    for activation in reference.ACTIVATIONS.values():
        a, slope = reference.activate(z, activation)
        comp, its_slope = vectorized.activate(z, activation)
        assert comp == pytest.approx(a, rel=1e-14, abs=1e-300)
        assert its_slope == pytest.approx(slope, rel=1e-14, abs=1e-15)  # silu's crosses zero
    for y in (0.0, 1.0):
        assert vectorized.cross_entropy(z, y) == pytest.approx(reference.cross_entropy(z, y), rel=1e-14)


@needs_numba
def test_where_exp_overflows():
    edge = strict.LARGEST
    assert np.isfinite(np.exp(edge))
    for z in (-edge, np.nextafter(-edge, -np.inf), np.nextafter(-edge, 0), -1e4, -np.inf):
        assert strict.sigmoid(z) == reference.sigmoid(z)
    assert reference.sigmoid(-1e4) == vectorized.sigmoid(-1e4) == 0.0
    assert reference.sigmoid(1e4) == strict.sigmoid(1e4) == vectorized.sigmoid(1e4) == 1.0
    assert reference.cross_entropy(-1e4, 1.0) == 1e4
    assert reference.cross_entropy(float("inf"), 1.0) == 0.0


# --- the yardsticks themselves ----------------------------------------------------------------------------------------


def test_ulps():
    one = np.array([1.0])
    assert ulps(one, one) == 0
    assert ulps(np.nextafter(one, 2), one) == 1
    assert ulps(np.array([0.0]), np.array([-0.0])) == 0
    assert ulps(np.array([5e-324]), np.array([-5e-324])) == 2
    assert ulps(np.empty(0), np.empty(0)) == 0


def test_distance():
    assert distance(np.array([3.0, 4.0]), np.array([3.0, 4.0])) == 0.0
    assert distance(np.array([3.0, 4.0 + 5e-10]), np.array([3.0, 4.0])) == pytest.approx(1e-10)
    assert distance(np.array([3e200, 4e200]), np.array([3e200, 4e200 * (1 + 1e-10)])) == pytest.approx(8e-11)
    assert distance(np.array([np.nan]), np.array([1.0])) == np.inf
    assert distance(np.array([1.0]), np.array([np.inf])) == np.inf
    assert distance(np.array([1e-3]), np.array([0.0])) == 1e-3
