"""The kernel for narrow networks against the plain loops, update by update, and where it hands over to the others."""

# ruff: noqa: E501 - a line a mistake

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_problems import differences, random_problem
from planted import Mistake
from test_network_kernels import caught, planted

from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.fast import narrow_network, network, network_points
from tinynet_fast.kernels.reference import ADAM, NESTEROV, RELU, RMSPROP, SGD, SIGMOID, SILU, TANH

pytestmark = pytest.mark.any_cpu

TILE, FEW = network.TILE, narrow_network.FEW
SHAPES = [(2, 4), (1, 1), (3, 2), (4, 3)]  # a shape takes more than a second to compile
if UNCOMPILED:
    SHAPES = list(product(range(1, narrow_network.NARROW + 1), repeat=2))
NARROW = st.sampled_from(SHAPES)


@st.composite
def narrow_problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 20 if UNCOMPILED else 300))
    return random_problem(
        rng,
        n,
        (*draw(NARROW), 1),
        SIGMOID,
        draw(st.integers(1, n + 2) | st.sampled_from([1, 2, 3, 4, 5, 8, 32])),
        draw(st.sampled_from([SGD, NESTEROV])),
        scale=draw(st.sampled_from([0.1, 0.5, 0.5, 2.0])),  # the last saturates
        weights=draw(st.booleans()),
        keep=draw(st.sampled_from([1.0, 0.99])),
        l2=draw(st.sampled_from([0.0, 0.01])),
        share=draw(st.sampled_from([0.0, 0.9])),
        dtype=draw(st.sampled_from([np.float64, np.float64, np.float32])),
    )


def serves(problem):
    return narrow_network.serves(problem.mask, problem.rule, problem.layers)


@given(problem=narrow_problems())
def test_every_update_is_the_references(problem):
    assert serves(problem)
    worst = differences(problem, narrow_network)
    assert worst.max() <= 1e-12, worst


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape(shape):
    rng = np.random.default_rng(0)
    problem = random_problem(rng, 20, (*shape, 1), SIGMOID, 3, NESTEROV, scale=0.5, weights=True, keep=0.99, share=0.9)
    assert differences(problem, narrow_network).max() <= 1e-12


@given(problem=narrow_problems(), cuts=st.lists(st.integers(1, 3), max_size=2))
def test_blocks_change_no_bit(problem, cuts):
    problem.rule[0] = len(problem.X) + 1
    whole, cut = (problem.run(narrow_network, problem.state, cuts=[TILE * c for c in k]) for k in ((), cuts))
    for comp, ref in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@pytest.mark.parametrize("batch", [1, 3, 5, TILE, 2 * TILE, 3 * TILE])
@pytest.mark.parametrize("weights", [False, True])
def test_blocks_change_no_bit_of_many_batches(batch, weights):
    rng, n = np.random.default_rng(1), 3 * TILE
    problem = random_problem(rng, n, (2, 4, 1), SIGMOID, batch, NESTEROV, weights=weights)
    problem.weight[: 2 * TILE] = 1.0  # whether a tile has other weights is the tile's own affair
    whole = problem.run(narrow_network, problem.state)
    step = batch * -(-TILE // batch)
    for cuts in ((step,), range(step, n, step)):
        for comp, ref in zip(problem.run(narrow_network, problem.state, cuts=cuts), whole, strict=True):
            np.testing.assert_array_equal(comp, ref, strict=True)
    worst = differences(problem, narrow_network)
    assert worst.max() <= 1e-12, worst


def test_a_tile_that_was_begun_is_filled_first():
    """Where the next tile begins does not depend on where the call began."""
    problem = random_problem(np.random.default_rng(2), 3 * TILE, (2, 4, 1), SIGMOID, 3 * TILE, SGD)
    runs = [problem.run(narrow_network, problem.state, cuts=cuts) for cuts in ((TILE // 2,), (TILE // 2, TILE))]
    for comp, ref in zip(*runs, strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@pytest.mark.parametrize("n", [FEW, 12])
def test_several_epochs_in_one_call_are_as_many_calls(n):
    """Of rows that are one tile, which then are not read again, and of several batches."""
    for batch in (n, 2):
        problem = random_problem(np.random.default_rng(3), n, (2, 4, 1), batch=batch)
        problem.schedule[:] = problem.schedule[0]
        state = problem.state
        for _ in range(3):
            state = problem.run(narrow_network, state)[0]
        np.testing.assert_array_equal(problem.run(narrow_network, problem.state, epochs=3)[0], state)


@pytest.mark.parametrize("n", [1, FEW, 10])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_run_shows(n, bad):
    problem = random_problem(np.random.default_rng(4), n, (2, 3, 1))
    problem.state[0, -1] = bad
    state, _, losses = problem.run(narrow_network, problem.state)
    assert not (np.isfinite(state[0]).all() and np.isfinite(losses).all())


@pytest.mark.parametrize("n", [FEW, 10])
def test_a_batch_without_weight_moves_nothing(n):
    problem = random_problem(np.random.default_rng(5), n, (2, 4, 1), optimizer=NESTEROV, keep=0.9, l2=0.1)
    problem.weight[:] = 0.0
    state, pending, losses = problem.run(narrow_network, problem.state)
    np.testing.assert_array_equal(state, problem.state)
    assert not pending.any()
    assert not losses.any()


@pytest.mark.skipif(UNCOMPILED, reason="too slow")
@pytest.mark.parametrize("batch", [1, 4, 10])
def test_how_differences_grow(batch):
    """Two thousand updates or more from the same start: 4e-15 at most was seen in parameters."""
    from tinynet_fast.kernels import strict

    problem = random_problem(np.random.default_rng(5), 200, (2, 4, 1), SIGMOID, batch, share=0.0)
    problem.schedule = np.tile(problem.schedule[0] * [0.2, 1.0, 1.0, 1.0], (20_001, 1))
    problem.y = (problem.X[:, 0] > 0).astype(float)
    ref, comp = (problem.run(kernels, problem.state, epochs=100) for kernels in (strict, narrow_network))
    np.testing.assert_allclose(comp[0][0], ref[0][0], rtol=1e-12)
    np.testing.assert_allclose(comp[2], ref[2], rtol=1e-12)


OTHERS = {
    "tanh": {"activation": TANH},
    "relu": {"activation": RELU},
    "Adam": {"optimizer": ADAM},
    "RMSprop": {"optimizer": RMSPROP},
    "silu": {"activation": SILU},
    "squared error": {"loss": 1},
    "dropout": {"dropout": 0.3},
    "more inputs": {"sizes": (5, 4, 1)},
    "more units": {"sizes": (2, 5, 1)},
    "two hidden layers": {"sizes": (2, 3, 3, 1)},
    "three classes": {"sizes": (2, 4, 3)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_passed_on(name):
    options = {"sizes": (2, 4, 1), "optimizer": SGD} | OTHERS[name]
    problem = random_problem(np.random.default_rng(6), 9, **options)
    assert not serves(problem)
    for comp, ref in zip(*(problem.run(k, problem.state) for k in (narrow_network, network)), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


# --- planted mistakes -------------------------------------------------------------------------------------------------

MISTAKES = [
    Mistake("bias left out of the hidden sums", "zs = param[d * h : d * h + h]", "zs = [0.0 * each for each in param[d * h : d * h + h]]"),
    Mistake("bias left out of the output's sum", "z, h = param[-1], len(a)", "z, h = 0.0 * param[-1], len(a)"),
    Mistake("slope left out", "param[u - len(a) - 1] * fma(-a[u], a[u], a[u])", "param[u - len(a) - 1]"),
    Mistake("weight left out of the delta", "error = w * (p - label)", "error = p - label", "_few"),
    Mistake("weight left out of the delta of many rows", "load(work, labels + TILE + i * REGISTER) * (p - y)", "p - y"),
    Mistake("bias decays", "keep = keep * decay + (1.0 - decay)", "keep = keep + 0.0 * decay"),
    Mistake("bias has l2", "descended(x, first, g, per_row, rate, keep, l2 * decay, ...)", "descended(x, first, g, per_row, rate, keep, l2, ...)"),
    Mistake("gradient replaced by the tile's", "g = summed + sums_of(...)", "g = sums_of(...)"),
    Mistake("the batch's gradient kept", "where(grows > 0.0, g, 0.0)", "g"),
    Mistake("a gradient lost between tiles", "where(grows > 0.0, g, 0.0)", "0.0 * g"),
    Mistake("a step before the batch ends", "store(state, start, where(moves > 0.0, moved, x))", "store(state, start, moved)"),
    Mistake("velocity changed before the batch ends", "store(state, start + 2 * size, where(moves > 0.0, velocity, first))", "store(state, start + 2 * size, velocity)"),
    Mistake("few rows counted twice", "gather(weight, ...) * first(m, width)", "gather(weight, ...)"),
    Mistake("weight left out of the loss of few rows", "sum_of(w * (wrong + log1p(e)), width)", "sum_of(first(m, width) * (wrong + log1p(e)), width)", "_few", given="label, w = gather(...), gather(...) * first(m, width)"),
    Mistake("one weight that is not 1 overlooked", "if work[labels + FOUND + 1] != 0.0: ...", "if False: ..."),
    Mistake("product of 1 + e without its cross term", "fma(product, e, product + e)", "product + e"),
    Mistake("rows and inputs not turned", "REGISTER + places[r][1] if places[r][0] == k else stay[r]", "REGISTER + places[r][1] if places[r][0] > k else stay[r]"),
    Mistake("last rows of a tile from its start", "collect(address(X), (start + full) * d, ...)", "collect(address(X), start * d, ...)"),
    Mistake("batch a row too long", "filled == batch", "filled > batch"),
    Mistake("weight of the tile for the batch's", "filled += m; weights += total", "filled += m; weights = total"),
    Mistake("Nesterov as plain momentum", "(share, 1.0) if rule[layout.OPTIMIZER] == NESTEROV else (1.0, 0.0)", "(1.0, 0.0)"),
]  # fmt: skip


def few_problems():
    """Small, and together through every line."""
    for seed, (n, sizes, batch, optimizer, weights) in enumerate(
        (
            (4, (2, 4, 1), 4, SGD, False),
            (7, (3, 2, 1), 3, NESTEROV, True),
            (11, (2, 4, 1), 11, SGD, True),
            (16, (3, 3, 1), 16, NESTEROV, False),
            (24, (4, 1, 1), 8, SGD, True),
            (TILE + 8, (1, 1, 1), TILE + 8, NESTEROV, True),
            (TILE + 3, (1, 2, 1), TILE + 9, SGD, False),
        )
    ):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng, n, sizes, SIGMOID, batch, optimizer, weights=weights, keep=0.9, l2=0.1)
        problem.state[2] = rng.standard_normal(problem.state.shape[1])
        yield problem


def test_every_line():
    """With coverage measured: `few_problems` goes through all of them, whatever Hypothesis comes up with."""
    for problem in few_problems():
        assert differences(problem, narrow_network).max() <= 1e-12


def test_a_copy_without_a_mistake_passes():
    assert not caught(planted(kernels=narrow_network), few_problems)


SHARED = [
    Mistake("probability of the other class", "where(negative, e, 1.0) / (1.0 + e)", "where(negative, 1.0, e) / (1.0 + e)"),
    Mistake("loss of the other class", "s = where(y > 0.5, z, -z)", "s = where(y > 0.5, -z, z)"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_planted_mistakes(mistake):
    with np.errstate(all="ignore"):
        assert caught(planted(mistake, narrow_network, narrow_network), few_problems)


@pytest.mark.parametrize("mistake", SHARED, ids=str)
def test_planted_mistakes_in_what_it_shares(mistake):
    with np.errstate(all="ignore"):
        assert caught(planted(mistake, network_points, narrow_network), few_problems)
