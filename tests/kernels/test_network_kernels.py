"""The fast engine's network kernels against the plain loops, update by update."""

# ruff: noqa: E501 - a line a mistake

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_problems import differences, problems, random_problem, saturated_problems
from planted import Mistake, plain_copies
from problems import FEWER

from tinynet_fast.kernels import strict, vectorized
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.fast import (
    functions,
    narrow_network,
    network,
    network_points,
    network_room,
    network_steps,
    network_tiles,
)
from tinynet_fast.kernels.reference import (
    ACTIVATIONS,
    ADAGRAD,
    ADAM,
    CLIPPED_LOG_LOSS,
    HUBER,
    IDENTITY,
    LEAKY_RELU,
    LEAST,
    LEAST_SQUARES,
    LOG_LOSS,
    NESTEROV,
    POISSON,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    SILU,
    TANH,
)
from tinynet_fast.proof.validate import distance

pytestmark = pytest.mark.any_cpu

# --- against the plain loops ------------------------------------------------------------------------------------------


@given(problem=problems())
@FEWER
def test_every_update_is_the_references(problem):
    worst = differences(problem, network)
    assert worst.max() <= 1e-12, worst


@given(problem=problems(), cuts=st.lists(st.integers(1, 3), max_size=2))
def test_blocks_change_no_bit(problem, cuts):
    """A batch that goes through in tiles, cut where a tile ends: the gradient and `pending` carry it over."""
    problem.rule[0] = len(problem.X) + 1
    whole, cut = (problem.run(network, problem.state, cuts=[network.TILE * c for c in k]) for k in ((), cuts))
    for comp, ref in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@pytest.mark.parametrize("batch", [3, network.TILE, 2 * network.TILE, 3 * network.TILE])
def test_blocks_change_no_bit_of_many_tiles(batch):
    rng, n = np.random.default_rng(1), 3 * network.TILE
    problem = random_problem(rng, n, (2, 3, 1), TANH, batch, weights=True)
    whole = problem.run(network, problem.state)
    step = max(batch, network.TILE) if batch > 3 else 3 * 43
    for cuts in ((step,), range(step, n, step)):
        for comp, ref in zip(problem.run(network, problem.state, cuts=cuts), whole, strict=True):
            np.testing.assert_array_equal(comp, ref, strict=True)
    worst = differences(problem, network)
    assert worst.max() <= 1e-12, worst


@given(problem=problems())
@FEWER
def test_clipping_changes_the_loss_alone(problem):
    for kernels in (network, strict):
        problem.rule[1], problem.rule[5] = LOG_LOSS, LEAST
        ref = problem.run(kernels, problem.state)
        problem.rule[1] = CLIPPED_LOG_LOSS
        comp = problem.run(kernels, problem.state)
        np.testing.assert_array_equal(comp[0], ref[0])
        np.testing.assert_array_equal(comp[1], ref[1])


def test_losses_are_clipped():
    for problem in saturated_problems():
        sums = np.empty((21, problem.layers[-1, 1]))
        network.network_logits(problem.X, problem.layers, problem.state[0], problem.scratch(network), sums)
        if sums.shape[1] == 1:
            sums = np.hstack([np.zeros((21, 1)), sums])
        powers = np.exp(sums - sums.max(axis=1, keepdims=True))
        probability = (powers / powers.sum(axis=1, keepdims=True))[np.arange(21), problem.y.astype(int)]
        ref = np.sum(problem.weight * -np.log(np.clip(probability, LEAST, 1.0 - LEAST)))
        assert not ((probability < 1e-3) & (probability > LEAST)).any()
        for kernels in (network, strict, vectorized):
            assert problem.run(kernels, problem.state)[2][0] == pytest.approx(ref, rel=1e-13)


@given(problem=problems())
def test_logits(problem):
    layers, params, n = problem.layers, problem.state[0], len(problem.X)
    comp, ref = (np.empty((n, int(layers[-1, 1]))) for _ in range(2))
    network.network_logits(problem.X, layers, params, network_room.network_scratch(layers), comp)
    strict.network_logits(np.asarray(problem.X, dtype=float), layers, params, problem.scratch(strict), ref)
    assert distance(comp.ravel(), ref.ravel()) <= 1e-12


@given(problem=problems(), total=st.sampled_from([0.0, 0.5, 7.0]))
def test_update(problem, total):
    rng = np.random.default_rng(1)
    comp = problem.state.copy()
    comp[1] = rng.standard_normal(comp.shape[1])
    ref = comp.copy()
    network.network_update(total, problem.schedule[0], problem.rule, problem.layers, comp)
    strict.network_update(total, problem.schedule[0], problem.rule, problem.layers, ref)
    for a, b in zip(comp, ref, strict=True):
        assert distance(a, b) <= 1e-14


def test_a_relu_on_its_kink():
    """Sums of 0.1 * 3 - 0.3 and the like: a last bit decides whether the unit is on, so they are the reference's bits."""
    rng = np.random.default_rng(2)
    problem = random_problem(rng, 100 if not UNCOMPILED else 9, (3, 5, 4, 1), RELU)
    problem.X[:] = rng.integers(-3, 4, problem.X.shape)
    problem.state[0] = rng.integers(-3, 4, problem.state.shape[1]) / 10.0
    problem.state[2] = 0.0
    worst = differences(problem, network)
    assert worst.max() <= 1e-12, worst


@pytest.mark.parametrize("batch", [4, 12])
def test_several_epochs_in_one_call_are_as_many_calls(batch):
    problem = random_problem(np.random.default_rng(3), 12, (2, 4, 1), batch=batch)
    problem.schedule[:] = problem.schedule[0]
    state = problem.state
    for _ in range(3):
        state = problem.run(network, state)[0]
    np.testing.assert_array_equal(problem.run(network, problem.state, epochs=3)[0], state)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("sizes", [(2, 3, 1), (2, 3, 3)])
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=list(ACTIVATIONS))
def test_a_diverged_run_shows(sizes, activation, bad):
    """Parameters that are not finite leave parameters or losses that are not finite, as in the reference."""
    problem = random_problem(np.random.default_rng(4), 10, sizes, activation)
    problem.state[0, -1] = bad
    for kernels in (strict, network):
        state, _, losses = problem.run(kernels, problem.state)
        assert not (np.isfinite(state[0]).all() and np.isfinite(losses).all())


@pytest.mark.skipif(UNCOMPILED, reason="too slow")
def test_how_differences_grow():
    """Two thousand updates from the same start, without coming back to the reference's state.

    Steps that descend do not let them grow: 2.5e-16 at most was seen in parameters, 1.6e-15 in losses, relu included.
    Steps that are far too long do, whatever the engine: with Nesterov's momentum at 0.9 and a rate of 0.1, a row at a
    time and labels at random, a 10-13-1 network was 5e-7 away after 266 updates, each of which kept its 1e-12.
    """
    rng = np.random.default_rng(5)
    for activation in ACTIVATIONS.values():
        for optimizer in (SGD, ADAM, RMSPROP, ADAGRAD):
            problem = random_problem(
                rng, 200, (5, 8, 1), activation, 10, optimizer, share=0.0 if not optimizer else 0.9
            )
            problem.schedule = np.tile(problem.schedule[0] * [0.2, 1.0, 1.0, 1.0], (3000, 1))
            problem.y = (problem.X[:, 0] > 0).astype(float)
            ref, comp = (problem.run(kernels, problem.state, epochs=100) for kernels in (strict, network))
            assert distance(comp[0][0], ref[0][0]) <= 1e-13
            np.testing.assert_allclose(comp[2], ref[2], rtol=1e-12)


# --- planted mistakes -------------------------------------------------------------------------------------------------


def planted(mistake=None, into=None, kernels=network):
    """The network's kernels in plain Python, with the mistake in one of the files."""
    modules = simd, functions, network_steps, network_room, network_points, network_tiles, network, narrow_network
    return plain_copies(*modules, mistake=mistake, into=into)[kernels]


MISTAKES = {
    functions: [
        Mistake("bias never reached", "r2 = r * r; r4 = r2 * r2", "r2 = r + r; r4 = r2 * r2", "power"),
        Mistake("tanh without its sign", "return where(negative, -a, a)", "return a"),
        Mistake("a polynomial's last digit", "0.16666666666666669", "0.1666667"),
    ],
    simd: [
        Mistake("a lane lost in the sum", "list(range(1, width, 2))", "list(range(0, width, 2))"),
        Mistake("rows and inputs not turned", "for apart in (1, 2, 4): ...", "for apart in (1, 2): ..."),
    ],
    network_points: [
        Mistake("sigmoid's slope is tanh's", "fma(-a, a, a)", "fma(-a, a, 1.0)"),
        Mistake("tanh's slope is sigmoid's", "fma(-a, a, 1.0)", "fma(-a, a, a)"),
        Mistake("relu leaks", "where(z > 0.0, z, 0.0)", "where(z > 0.0, z, 0.01 * z)"),
        Mistake("leaky_relu does not leak", "where(z > 0.0, 1.0, LEAK)", "where(z > 0.0, 1.0, 0.0)"),
        Mistake("silu's slope is its sigmoid", "fma(a, 1.0 - share, share)", "share"),
        Mistake("half the gradient of squared error", "(2.0 * p * (1.0 - p))", "(p * (1.0 - p))"),
        Mistake("wrong side of the decision free", "where(s < 0.0, -s, 0.0)", "0.0 * s"),
        Mistake("weights left out of the loss", "fma(weight, value, total)", "total + value", "each_loss"),
        Mistake("weights left out of the delta", "store(work, deltas + at, weight * slope)", "store(work, deltas + at, slope)", "each_loss"),
        Mistake("probability not clipped", "clamp(where(y > 0.5, p, 1.0 - p), least, 1.0 - least)", "where(y > 0.5, p, 1.0 - p)"),
        Mistake("clipped loss of the other class", "where(y > 0.5, p, 1.0 - p)", "where(y > 0.5, 1.0 - p, p)"),
        Mistake("softmax's probability not clipped", "clamp(log_total + (largest - own), least, most)", "log_total + (largest - own)"),
        Mistake("product of 1 + e without its cross term", "fma(product, e, product + e)", "product + e"),
        Mistake("half the slope of least squares", "return error, error * error", "return 0.5 * error, error * error", "least_squares"),
        Mistake("Huber's loss without its half", "slope * (error - 0.5 * slope)", "slope * (error - slope)"),
        Mistake("Huber's slope not clipped", "clamp(error, -delta, delta)", "clamp(error, -delta, 2.0 * delta)"),
        Mistake("Poisson's loss without y", "mean - y * z", "mean - z"),
        Mistake("softmax's label one off", "norm = ...; label = y", "norm = ...; label = y - 1.0"),
    ],
    network_tiles: [
        Mistake("blame without the slope", "sums[u * rows + r] * read(work, at) if rule == \"blame\" else sums[u * rows + r]", "sums[u * rows + r]"),
        Mistake("gradient replaced by the tile's", "store(state, p + size, load(state, p + size, outputs) + g)", "store(state, p + size, g)"),
        Mistake("last rows of a tile counted twice", "w = gather_for(...) * first_for(...)", "w = gather_for(...)"),
    ],
    network_steps: [
        Mistake("Nesterov as plain momentum", "share if nesterov else 1.0, 1.0 if nesterov else 0.0", "1.0, 0.0"),
        Mistake("bias decays", "at, keep, l2 = at + RULES, 1.0, 0.0", "at += RULES"),
        Mistake("momentum lost", "first = share * first - move", "first = -move"),
        Mistake("l2 lost", "rate * fma(x, l2, g * per_row)", "rate * (g * per_row)"),
        Mistake("Adam without the root", "sqrt(second)", "second"),
        Mistake("the batch's gradient kept", "store(state, at + size, full(0.0, width))", "pass"),
        Mistake("Adam's gradient without its mean", "move = first = ...", "first = ..."),
        Mistake("RMSprop without the square", "fma(1.0 - share2, g * g, share2 * second)", "fma(1.0 - share2, g, share2 * second)"),
        Mistake("Adagrad forgets", "fma(g, g, second)", "g * g"),
    ],
    network: [
        Mistake("odd input forgotten", "if inputs & 1: ...", "if False: ..."),
        Mistake("mask of the layer before", "column += outputs", "pass", "forward"),
        Mistake("mask left off the slopes", "work[values + u * stride + r] *= ...; work[slopes + u * stride + r] *= ...", "work[values + u * stride + r] *= ...", "apply_mask"),
        Mistake("batch a row too long", "filled + m == batch", "filled + m > batch"),
        Mistake("weight of the tile for the batch's", "pending[layout.PENDING_WEIGHT] += total", "pending[layout.PENDING_WEIGHT] = total"),
        Mistake("the first target for all", "sums, delta = target + u * stride, deltas + u * stride", "sums, delta = target + u * stride, deltas"),
        Mistake("labels for several targets", "true = labels if outputs == 1 else delta", "true = labels"),
        Mistake("a step before the blame", "if layer > 0: ...", "if layer > 1: ...", "backward"),
        Mistake("one weight that is not 1 overlooked", "work[labels + FOUND + 1] == 0.0", "True"),
    ],
}  # fmt: skip


def few_problems():
    """Small, and together through every line."""
    for seed, (n, sizes, activation, batch, optimizer, loss, weights, dropout) in enumerate(
        (
            (11, (2, 4, 1), SIGMOID, 11, SGD, 0, False, 0.0),
            (40, (2, 5, 1), TANH, 40, NESTEROV, 0, False, 0.0),
            (16, (9, 12, 3, 1), SIGMOID, 8, ADAM, 0, True, 0.3),
            (10, (3, 5, 6, 4), RELU, 20, SGD, 0, True, 0.0),
            (9, (4, 8, 2, 1), TANH, 9, SGD, 1, True, 0.3),
            (network.TILE + 8, (1, 1, 1), SIGMOID, network.TILE + 8, NESTEROV, 0, True, 0.0),
            (40, (2, 2, 1), SIGMOID, 40, SGD, 0, False, 0.0),
            (16, (3, 9, 1), LEAKY_RELU, 8, RMSPROP, 0, True, 0.0),
            (17, (2, 5, 3), SILU, 9, ADAGRAD, 0, False, 0.3),
            (18, (3, 5, 1), IDENTITY, 9, SGD, LEAST_SQUARES, True, 0.0),
            (19, (2, 5, 3), TANH, 8, SGD, HUBER, True, 0.0),
            (20, (2, 3, 2), TANH, 8, ADAM, POISSON, True, 0.3),
        )
    ):
        rng = np.random.default_rng(seed)
        yield random_problem(
            rng, n, sizes, activation, batch, optimizer, loss=loss, weights=weights, dropout=dropout, keep=0.9, l2=0.1,
            shape=0.7 if loss == HUBER else 0.0,
        )  # fmt: skip
    yield from saturated_problems()
    for activation in (RELU, LEAKY_RELU):
        kink = random_problem(np.random.default_rng(2), 30, (3, 5, 4, 1), activation, scale=0.3)
        kink.X[:] = np.random.default_rng(3).integers(-3, 4, kink.X.shape)
        kink.state[0] = np.random.default_rng(4).integers(-3, 4, kink.state.shape[1]) / 10.0
        yield kink


def test_every_line():
    """With coverage measured: `few_problems` goes through all of them, whatever Hypothesis comes up with."""
    for problem in few_problems():
        assert differences(problem, network).max() <= 1e-12


def caught(kernels, problems=few_problems):
    try:
        return any(not differences(problem, kernels).max() <= 1e-12 for problem in problems())
    except AssertionError:  # `pending` is wrong
        return True


def test_a_copy_without_a_mistake_passes():
    assert not caught(planted())


@pytest.mark.parametrize(("into", "mistake"), [(into, m) for into in MISTAKES for m in MISTAKES[into]], ids=str)
def test_planted_mistakes(into, mistake):
    with np.errstate(all="ignore"):
        assert caught(planted(mistake, into))
