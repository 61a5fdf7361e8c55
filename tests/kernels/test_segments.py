"""Neurons that train on rows of their own: each is a run of its own, and sees its own rows alone."""

# ruff: noqa: E501 - a line a mistake

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from compare import distance
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, plain_copies
from problems import FEWER, SEEDS, variants

from tinynet_fast.kernels import reference, strict
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, has_numba
from tinynet_fast.kernels.fast import many_neurons, segments
from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS
from tinynet_fast.training.losses import LABELS, LINEAR, choose_loss
from tinynet_fast.training.schedules import PLAIN

pytestmark = pytest.mark.any_cpu
OF = {LOG_LOSS: LABELS, LEAST_SQUARES: LINEAR}  # what is predicted
STEPPED = UNCOMPILED or has_numba()  # the library has no kernels for a step for each row


@dataclass(frozen=True)
class SegmentsProblem:
    """Rows, a step for all or each of them, and for each lane its first row and a column of starting weights."""

    X: np.ndarray
    y: np.ndarray
    step: np.ndarray
    base: np.ndarray
    count: int
    start: np.ndarray
    cuts: tuple[int, ...] = ()
    loss: int = LOG_LOSS

    def solve(self, kernel=segments):
        """(weights and biases, a column a lane; squared errors)."""
        state, squares = kernel.aligned(*self.start.shape), np.zeros(len(self.base))
        state[:] = self.start
        for a, b in zip((0, *self.cuts), (*self.cuts, self.count), strict=True):
            kernel.train(self.X, self.y, self.step, self.base + a, b - a, state, squares, self.loss)
        return state, squares

    def solve_alone(self, k, module=strict):
        """The same numbers for lane k by itself, from the reference."""
        own = np.asarray if module is strict else np.ndarray.tolist
        rows = slice(self.base[k], self.base[k] + self.count)
        steps = np.broadcast_to(self.step, len(self.y))[rows]
        X = self.X[rows].astype(np.float64)
        w, b, losses = own(self.start[:-1, k].copy()), own(self.start[-1:, k].copy()), own(np.zeros(1))
        getattr(module, PLAIN[self.loss])(own(X), own(self.y[rows].copy()), own(steps.copy()), w, b, losses)
        return np.append(w, b), losses[0]

    def check(self, kernel=segments, module=strict):
        """AssertionError where a lane is not the neuron trained alone."""
        weights, squares = self.solve(kernel)
        for k in range(len(self.base)):
            ref_weights, ref_squares = self.solve_alone(k, module)
            assert distance(weights[:, k], ref_weights) <= 1e-12
            assert squares[k] == pytest.approx(ref_squares, rel=1e-11, abs=1e-14 * (1 + self.count))


def problem(rng, d, m, count, *, apart=False, scale=1.0, dtype=np.float64, stepped=False, reach=1.0, loss=LOG_LOSS):
    """Rows that lanes share, as chance has it, or where they are `apart`, none; in between and around them are NaN.

    Steps are up to `reach` of what is stable.
    """
    n = m * (count + 3) + 5 if apart else count + 3 * m
    base = rng.permutation(m) * (count + 3) + 4 if apart else rng.integers(0, n - count + 1, m)
    X = (rng.standard_normal((n, d)) * scale).astype(dtype)
    longest = float(np.max((X.astype(float) ** 2).sum(axis=1), initial=0.0)) + 1.0
    step = np.full(1, choose_loss(of=OF[loss]).bound / longest * reach)
    if stepped:
        step = step * rng.random(n) * (rng.random(n) < 0.8)
    y = rng.standard_normal(n) * 10.0 if loss == LEAST_SQUARES else (rng.random(n) < 0.5).astype(float)
    start = rng.standard_normal((d + 1, m)) / max(scale, 1.0)
    used = (base + np.arange(count)[:, np.newaxis]).ravel()
    outside = np.setdiff1d(np.arange(n), used)
    X[outside] = y[outside] = np.nan
    if stepped:
        step[outside] = np.nan
    return SegmentsProblem(X, y, step, base.astype(np.int64), count, start, loss=loss)


WIDTHS = *range(1, segments.NARROW + 1), 0  # 0: wide rows
KERNELS = variants(WIDTHS, (np.float64, np.float32), (False, True) if STEPPED else (False,), tuple(PLAIN))


@st.composite
def problems(draw, apart=None):
    rng = np.random.default_rng(draw(SEEDS))
    d, dtype, stepped, loss = draw(KERNELS)
    d = d or draw(st.integers(segments.NARROW + 1, 64))
    m, count = 8 * draw(st.integers(1, 4)), 8 * draw(st.integers(0, 6))
    made = problem(
        rng,
        d,
        m,
        count,
        apart=draw(st.booleans()) if apart is None else apart,
        scale=draw(st.sampled_from([1.0, 1.0, 1e-3, 1e3, 1e-160])),
        dtype=dtype,
        stepped=stepped,
        reach=draw(st.sampled_from([1.0, 1e-3])),
        loss=loss,
    )
    return replace(made, cuts=tuple(sorted(8 * cut for cut in draw(st.lists(st.integers(0, count // 8), max_size=3)))))


@given(problems())
@FEWER
def test_every_lane_is_a_run_of_its_own(problem):
    problem.check()


def test_against_the_reference_itself():
    for loss in PLAIN:
        problem(np.random.default_rng(1), 3, 8, 40, stepped=STEPPED, loss=loss).check(module=reference)
        problem(np.random.default_rng(1), 12, 8, 40, loss=loss).check(module=reference)


def test_a_lane_may_begin_anywhere():
    """All lanes at one row, and each a row after the next: they overlap, and are in no order."""
    made = problem(np.random.default_rng(2), 2, 16, 24)
    X, y = np.nan_to_num(made.X, nan=0.5), np.nan_to_num(made.y)
    for base in (np.full(16, 7), np.arange(16)[::-1], np.arange(16) * 3):
        replace(made, X=X, y=y, base=base.astype(np.int64)).check()


@given(problems())
@FEWER
def test_cuts_change_no_bit(problem):
    for comp, ref in zip(problem.solve(), replace(problem, cuts=()).solve(), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@given(problems(apart=True), st.data())
@FEWER
def test_no_lane_sees_another(problem, data):
    """Lane k has other rows, or NaN in them, or weights that are NaN; the others have the same bits."""
    k = data.draw(st.integers(0, len(problem.base) - 1))
    X, start = problem.X.copy(), problem.start.copy()
    own = slice(problem.base[k], problem.base[k] + problem.count)
    change = data.draw(st.sampled_from(["rows", "NaN", "weights"]))
    if change == "rows":
        X[own] = -2.0 * X[own]
    elif change == "NaN":
        X[own][data.draw(st.integers(0, 7)) :][:1, -1] = np.nan
    else:
        start[0, k] = np.nan
    with np.errstate(all="ignore"):
        comp, ref = replace(problem, X=X, start=start).solve(), problem.solve()
    others = np.arange(len(problem.base)) != k
    for a, b in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(a[..., others], b[..., others], strict=True)
    if change == "weights" or (change == "NaN" and problem.count):
        assert np.isnan(comp[0][:, k]).any()


@given(problems(), SEEDS)
@FEWER
def test_any_eight_lanes_have_the_same_bits(problem, seed):
    some = np.random.default_rng(seed).permutation(len(problem.base))[:8]
    few = replace(problem, base=problem.base[some], start=problem.start[:, some])
    for comp, ref in zip(few.solve(), problem.solve(), strict=True):
        np.testing.assert_array_equal(comp, ref[..., some], strict=True)


def test_squares_are_added():
    made = problem(np.random.default_rng(3), 2, 8, 16)
    state, squares = made.start.copy(), np.full(8, 1000.0)
    segments.train(made.X, made.y, made.step, made.base, 16, state, squares)
    assert squares == pytest.approx(1000.0 + made.solve()[1], rel=1e-15)


# --- planted mistakes -------------------------------------------------------------------------------------------------

PLANTED = [
    Mistake("rows of the first register", "(base[first + k] + row) * d", "(base[k] + row) * d"),
    Mistake("rows of the lane before", "(base[first + k] + row) * d", "(base[first + k - 1] + row) * d"),
    Mistake("always the first row", "(base[first + k] + row) * d", "base[first + k] * d"),
    Mistake("a row late", "(base[first + k] + row) * d", "(base[first + k] + row + 1) * d"),
    Mistake("not turned", "transpose([load(values, place + c) for place in places])", "[load(values, place + c) for place in places]"),
    Mistake("the first numbers of a tile only", "load(values, place + c)", "load(values, place)"),
    Mistake("some numbers left out", "for c in range(0, TILE * d, REGISTER): ...", "for c in range(0, TILE * (d - 1), REGISTER): ..."),
    Mistake("labels over the last inputs", "labels, steps = TILE * d * REGISTER, ...", "labels, steps = TILE * (d - 1) * REGISTER, ..."),
    Mistake("steps over the labels", "labels, steps = ..., TILE * (d + 1) * REGISTER", "labels, steps = ..., TILE * d * REGISTER"),
    Mistake("steps over the labels of wide rows", "nudges, labels, steps = ..., (size + 1 + TILE) * m", "nudges, labels, steps = ..., (size + 1) * m"),
    Mistake("nudges over the last weights", "nudges, labels, steps = size * m, ...", "nudges, labels, steps = (size - 1) * m, ..."),
    Mistake("no room for steps", "size = TILE * (d + 1 + len(stepped))", "size = TILE * (d + 1)"),
    Mistake("step of the first row", "load(scratch, own_step) if stepped else step", "step"),
    Mistake("label of the first row", "at = first * size + i * REGISTER", "at = first * size"),
    Mistake("label of the first row of wide rows", "place = first * TILE + (i - start) * REGISTER", "place = first * TILE"),
    Mistake("inputs of the first row", "row = first * size + i * d * REGISTER", "row = first * size"),
    Mistake("no bias in the sum", "z = weights[d]", "z = weights[d] * 0.0"),
    Mistake("no bias update", "weights[d] - nudge", "weights[d]"),
    Mistake("wrong sign", "fma(-nudge, x[j], weights[j])", "fma(nudge, x[j], weights[j])"),
    Mistake("errors not squared", "fma(error, error, load(squares, first))", "load(squares, first) + error"),
    Mistake("linear: a sigmoid", "KINDS[loss]", "0"),
    Mistake("squares not added", "fma(error, error, load(squares, first))", "error * error"),
    Mistake("one register's squares", "store(squares, first, ...)", "store(squares, 0, ...)", "nudge_of"),
    Mistake("overlap counted twice", "where(full(skip[0]) > NUMBERS, 0.0, x)", "x"),
    Mistake("overlap too long", "skip = (np.float64(last + REGISTER - d),)", "skip = (np.float64(last + REGISTER - d + 1),)"),
    Mistake("weights of the last block shifted", "load_block(state, (d - REGISTER) * m + first, m, ..., skip)", "load_block(state, (d - REGISTER - 1) * m + first, m, ..., skip)"),
    Mistake("weights not turned", "enumerate(transpose([load(state, at + j * m) for j in range(REGISTER)]))", "enumerate([load(state, at + j * m) for j in range(REGISTER)])"),
    Mistake("wrong sign of wide rows", "fma(-full(scratch[nudges + k]), ...)", "fma(full(scratch[nudges + k]), ...)"),
    Mistake("one nudge for eight lanes", "-full(scratch[nudges + k])", "-full(scratch[nudges])"),
    Mistake("sums with the row before", "load(X, place + (c + further))", "load(X, place + c)"),
    Mistake("sums of the last block alone", "fma(x[k], weights[k], sums[k])", "x[k] * weights[k]"),
    Mistake("another row brought in", "before = i", "before = start", given="for i in range(start, start + TILE): ..."),
    Mistake("no bias update of wide rows", "bias = load(state, ...) - load(scratch, own)", "bias = load(state, ...)"),
    Mistake("no bias in the sum of wide rows", "z = sums_of_lanes(sums) + bias", "z = sums_of_lanes(sums)"),
    Mistake("last row of a call not brought in", "if count > 0: ...", "if count < 0: ..."),
    Mistake("last bias of a call", "store(state, d * m + first, load(state, d * m + first) - load(scratch, own))", "pass"),
    Mistake("last row of a call in the last block alone", "for c in range(0, last, REGISTER): move_block(...)", "pass"),
    Mistake("last block stored elsewhere", "store_block(state, (d - REGISTER) * m + first, m, ...)", "store_block(state, (d - REGISTER - 1) * m + first, m, ...)"),
]  # fmt: skip


def planted(mistake=None):
    """A copy of the kernel in plain Python, where registers are arrays."""
    return plain_copies(simd, many_neurons, segments, mistake=mistake, into=segments)[segments]


def caught(kernel):
    """Whether a case with few rows tells the kernel from the rule."""
    rng = np.random.default_rng(5)
    try:
        for d in (2, segments.NARROW + 2):
            for stepped, loss in product((False, True), PLAIN):
                made = problem(rng, d, 16, 24, stepped=stepped, loss=loss)
                replace(made, cuts=(8,)).check(kernel)
    except (AssertionError, ValueError):  # a shorter slice of an array than eight lanes is an error in plain Python
        return True
    return False


def test_a_copy_without_a_mistake_passes():
    assert not caught(planted())


@pytest.mark.parametrize("mistake", PLANTED, ids=str)
def test_planted_mistakes_are_caught(mistake):
    with np.errstate(all="ignore"):
        assert caught(planted(mistake))
