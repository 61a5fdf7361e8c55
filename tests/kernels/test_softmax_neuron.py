"""A neuron for more than two labels: every engine makes the updates of softmax regression, a row at a time."""

from dataclasses import replace

import numpy as np
import pytest
from compare import distance
from hypothesis import given
from problems import FEWER
from softmax_problems import HERE, engines, problem, problems, promising

from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.engines import FAST, NUMPY, REFERENCE, STRICT, TILE

pytestmark = pytest.mark.any_cpu
pytest.importorskip("numba", reason="Numba compiles the kernels of a softmax")


# --- the promise ------------------------------------------------------------------------------------------------------


@promising
@given(problems())
@FEWER
def test_engines_keep_their_promises(engine, problem):
    problem.check(engine)


@promising
@pytest.mark.parametrize("k", [2, 3, 7, 8, 9, 16, 17, 24, 25, 32, 33, 40, 48, 49, 64, 65, 100, 256])
def test_every_number_of_registers_and_groups(engine, k):
    """One to four registers of eight labels, and groups of three or four registers."""
    rng = np.random.default_rng(k)
    for averaged in (False, True):
        problem(rng, 7, 3, k, l2=0.1 * averaged, averaged=averaged).check(engine)


@promising
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_rows(engine, n):
    made = problem(np.random.default_rng(n), n, 4, 5, averaged=True, l2=0.1, l1=0.1)
    replace(made, epochs=2).check(engine)


@promising
@pytest.mark.parametrize("d", [64, 131])
def test_wide_rows(engine, d):
    rng = np.random.default_rng(d)
    for dtype in (np.float64, np.float32):
        problem(rng, 9, d, 10, l2=0.01, averaged=True, dtype=dtype).check(engine)


@pytest.mark.parametrize("averaged", [False, True])
def test_blocks_change_no_bit(averaged):
    """Cut at multiples of a tile; and calls for an epoch are the same as a call for all."""
    if FAST not in HERE:
        pytest.skip("nothing can be compiled here")
    made = problem(np.random.default_rng(1), 2 * TILE + 31, 3, 5, l2=0.1, averaged=averaged)
    whole = replace(made, epochs=2).solve(FAST)
    for cuts in ((TILE,), (2 * TILE,), (TILE, 2 * TILE)):
        for comp, ref in zip(replace(made, epochs=2, cuts=cuts).solve(FAST), whole, strict=True):
            np.testing.assert_array_equal(comp, ref, strict=True)


@promising
def test_means_that_start_late(engine):
    """The first call has no means at all, so that `fast` takes other code for it."""
    made = problem(np.random.default_rng(1), TILE + 60, 3, 4)
    share = 1.0 / np.maximum(np.arange(len(made.X)) - TILE, 1.0) * (np.arange(len(made.X)) > TILE)
    made = replace(made, schedule=np.column_stack([made.schedule[:, :3], share]))
    for cuts in ((), (TILE,)):
        replace(made, cuts=cuts).check(engine)


@promising
@pytest.mark.parametrize("size", [240.0, 260.0, 700.0, 1e5])
@pytest.mark.parametrize("k", [3, 40])
def test_huge_sums(engine, size, k):
    """Sums around the largest that exp takes as they are, and far beyond it, of either sign: no NaN."""
    rng = np.random.default_rng(int(size))
    for sign in (1.0, -1.0):
        made = problem(rng, 20, 2, k, reach=0.1)
        start = made.start.copy()
        start[-1] += sign * size  # one label far from the others, then all
        for column in (0, slice(None)):
            far = made.start.copy()
            far[-1, column] = start[-1, column]
            comp, ref = replace(made, start=far).solve(engine), replace(made, start=far).solve(REFERENCE)
            assert np.isfinite(comp[0]).all()
            assert distance(comp[0], ref[0]) <= engine.promise
            np.testing.assert_allclose(comp[3], ref[3], rtol=max(engine.promise, 1e-15 * size), atol=1e-14)


@engines
def test_a_run_that_diverges_shows(engine):
    made = problem(np.random.default_rng(0), 6, 2, 3)
    for bad in (np.nan, np.inf, -np.inf):
        start = made.start.copy()
        start[0, 1] = bad
        with np.errstate(all="ignore"):
            assert np.isnan(replace(made, start=start).solve(engine)[0]).all()


@engines
def test_steps_of_zero(engine):
    """Nothing moves, and the losses are those of the weights as they are."""
    made = problem(np.random.default_rng(0), 13, 3, 4)
    still = replace(made, schedule=np.tile([0.0, 1.0, 0.0, 0.0], (13, 1)))
    weights, means, paid, losses = still.solve(engine)
    np.testing.assert_array_equal(weights, made.start)
    assert not means.any()
    assert not paid.any()
    p = np.exp(made.X @ made.start[:-1] + made.start[-1])
    error = p / p.sum(axis=1, keepdims=True) - (made.y[:, np.newaxis] == np.arange(4))
    assert losses == pytest.approx([(error**2).sum()], rel=1e-13)


@engines
@pytest.mark.parametrize("k", [5, 40])
def test_labels_that_no_row_has_tie(engine, k):
    """They start equal and get the same updates: their weights stay equal, bit for bit unless BLAS sums."""
    made = problem(np.random.default_rng(0), 30, 3, k, l2=0.1)
    comp = replace(made, y=made.y % 3, start=np.zeros((4, k))).solve(engine)[0]
    np.testing.assert_allclose(comp[:, 3:], comp[:, 3:4].repeat(k - 3, axis=1), rtol=1e-13 if engine is NUMPY else 0.0)
    assert np.abs(comp.sum(axis=1)).max() <= 1e-14 * k  # errors sum to 0


@pytest.mark.skipif(simd.UNCOMPILED, reason="in plain Python these rows take minutes")
@pytest.mark.skipif(FAST not in HERE, reason="nothing can be compiled here")
@pytest.mark.parametrize(("n", "d", "k", "reach", "l2"), [(500_000, 2, 3, 1e-3, 1e-4), (20_000, 64, 10, 1.0, 0.0)])
def test_fast_does_not_drift(n, d, k, reach, l2):
    """Many rows, and steps as long as they may be."""
    made = replace(problem(np.random.default_rng(9), n, d, k, reach, l2=l2, averaged=True), epochs=3)
    made.check(FAST, made.solve(STRICT))
