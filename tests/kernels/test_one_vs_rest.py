"""The kernel that learns several classes in one pass: every class is a run of its own."""

# ruff: noqa: E501 - a line a mistake

from dataclasses import dataclass, replace

import numpy as np
import pytest
from compare import distance
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake
from problems import FEWER, SEEDS, variants
from test_many_neurons import planted

from tinynet_fast.kernels import reference, strict
from tinynet_fast.kernels.fast import many_neurons, one_vs_rest

pytestmark = pytest.mark.any_cpu
pytest.importorskip("numba", reason="Numba compiles the kernels that share a pass")


@dataclass(frozen=True)
class ClassesProblem:
    """Rows of classes 0, 1, ..., and a column of options and of starting weights (the bias last) for each lane."""

    X: np.ndarray
    codes: np.ndarray
    schedule: np.ndarray
    options: np.ndarray
    start: np.ndarray
    averaged: bool = True
    watched: bool = True
    cuts: tuple[int, ...] = ()

    def solve(self, fast, kernel=one_vs_rest):
        """(weights and biases, their means, objectives), a column a class."""
        d, m = self.start.shape[0] - 1, self.start.shape[1]
        options, sums = many_neurons.aligned(one_vs_rest.N_OPTIONS, m), many_neurons.aligned(one_vs_rest.N_SUMS, m)
        options[:] = self.options
        state = many_neurons.aligned((d + 1) * (1 + self.averaged), m)
        state[: d + 1] = self.start
        kernel.clear(sums)
        for a, b in zip((0, *self.cuts), (*self.cuts, len(self.X)), strict=True):
            rows = self.X[a:b], self.codes[a:b], self.schedule[a:b]
            kernel.train(*rows, options, state, sums, self.averaged, self.watched, fast)
        means = state[d + 1 :] if self.averaged else np.zeros_like(self.start)
        return state[: d + 1], means, kernel.objectives(sums)

    def solve_alone(self, k, module=strict):
        """The same numbers for class k by itself, a row at a time, from the reference's rule."""
        own = np.asarray if module is strict else np.ndarray.tolist
        w, b = own(self.start[:-1, k].copy()), own(self.start[-1:, k].copy())
        means, paid = own(np.zeros(len(self.start))), own(np.zeros(len(self.start)))
        factor, code, positive, negative, l2, bias_scale = self.options[:, k]
        objective = 0.0
        for x, row_code, row in zip(self.X.astype(float), self.codes, self.schedule, strict=True):
            y, weight = (1.0, positive) if row_code == code else (0.0, negative)
            rate = factor * row[0]
            schedule = [[rate * (weight * row[2]), max(0.0, 1.0 - l2 * rate), 0.0, row[3] * self.averaged]]
            objective += reference.cross_entropy(reference.logit(x, w, b), y) + l2 / 2 * sum(v * v for v in w)
            rows = own(x[np.newaxis].copy()), own(np.array([y])), own(np.array(schedule))
            module.sgd_regularized_epochs(
                *rows, own(np.array([0.0, 0.0, bias_scale])), w, b, means, paid, own(np.zeros(1))
            )
        return np.append(w, b), np.asarray(means), objective

    def check(self, fast, kernel=one_vs_rest, module=strict, only=None):
        """AssertionError where a class is not the one trained alone."""
        weights, means, objectives = self.solve(fast, kernel)
        for k in range(self.start.shape[1]) if only is None else only:
            ref_weights, ref_means, ref_objective = self.solve_alone(k, module)
            if fast:
                assert distance(weights[:, k], ref_weights) <= 1e-12
                assert distance(means[:, k], ref_means) <= 1e-12
            else:
                np.testing.assert_array_equal(weights[:, k], ref_weights)
                np.testing.assert_array_equal(means[:, k], ref_means)
            if self.watched:
                assert objectives[k] == pytest.approx(ref_objective, rel=1e-11, abs=1e-13 * (1 + len(self.X)))


def problem(rng, n, d, m, scale=1.0, dtype=np.float64, reach=1.0, l2=True, bias_scale=1.0):
    """Rates are up to `reach` of what is stable."""
    X = (rng.standard_normal((n, d)) * scale).astype(dtype)
    norms = (X.astype(float) ** 2).sum(axis=1)
    weight = rng.random(n) * (rng.random(n) < 0.9)
    share = np.where(np.arange(n) >= 5, 1.0 / np.maximum(np.arange(n) - 4.0, 1.0), 0.0)
    schedule = np.column_stack([1.0 / (1.0 + 0.05 * np.arange(n)), norms, weight, share])
    options = np.empty((one_vs_rest.N_OPTIONS, m))
    rates = 4.0 / float(np.max(norms + 1.0, initial=1.0)) * reach * np.exp(-6.0 * rng.random(m))
    ones = np.ones(m)
    options[:] = rates, np.arange(m), 2.0 * rng.random(m), ones, 0.0 * ones, bias_scale * ones
    if l2:
        options[one_vs_rest.L2] = rng.choice([0.0, 1e-3, 0.3], m) / max(rates.max(), 1.0)
    start = rng.standard_normal((d + 1, m)) / max(scale, 1.0)
    return ClassesProblem(X, rng.integers(0, m, n).astype(float), schedule, options, start)


KERNELS = variants((1, 2, 3, 4), (np.float64, np.float32), (False, True), (False, True))


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(SEEDS))
    registers, dtype, averaged, watched = draw(KERNELS)
    n, d, m = draw(st.integers(0, 50)), draw(st.integers(1, 20)), 8 * registers
    scale = draw(st.sampled_from([1.0, 1.0, 1e-3, 1e3]))
    made = problem(rng, n, d, m, scale, dtype, draw(st.sampled_from([1.0, 1e-3])), draw(st.booleans()))
    cuts = tuple(sorted(2 * cut for cut in draw(st.lists(st.integers(0, n // 2), max_size=3))))
    return replace(made, averaged=averaged, watched=watched, cuts=cuts)


engines = pytest.mark.parametrize("fast", [True, False], ids=["fast", "strict"])


@engines
@given(problems(), st.data())
@FEWER
def test_every_class_is_a_run_of_its_own(fast, problem, data):
    only = data.draw(st.lists(st.integers(0, problem.start.shape[1] - 1), min_size=1, max_size=3))
    problem.check(fast, only=only)


@engines
def test_against_the_reference_itself(fast):
    problem(np.random.default_rng(1), 40, 3, 8).check(fast, module=reference)


@pytest.mark.parametrize("bias_scale", [0.0, 0.01])
def test_a_bias_that_is_not_learned_or_learns_slowly(bias_scale):
    """And steps that overshoot: the same bits."""
    problem(np.random.default_rng(1), 40, 3, 8, bias_scale=bias_scale, reach=50.0).check(False)


def test_more_rows_than_a_product_holds():
    """Of factors near 2 in `strict`; in `fast` of factors as large as they come, with sums beyond them."""
    rng = np.random.default_rng(3)
    near = problem(rng, 1200, 2, 8, reach=1e-3)
    replace(near, start=near.start * 1e-3).check(False)
    replace(near, start=near.start * 1e-3).check(True, only=[0, 7])
    far = replace(near, start=np.where(np.arange(3)[:, np.newaxis] == 2, 300.0, near.start))
    for fast in (False, True):
        replace(far, options=far.options * [[1e-6], [1], [1], [1], [0], [1]]).check(fast, only=[0, 7])


@engines
@given(problems())
@FEWER
def test_cuts_change_no_bit(fast, problem):
    for comp, ref in zip(problem.solve(fast)[:2], replace(problem, cuts=()).solve(fast)[:2], strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@engines
@given(problems(), SEEDS)
def test_neighbours_change_no_bit(fast, problem, seed):
    """Six of the classes in another order, beside one that is NaN and a lane that is not used."""
    some = np.random.default_rng(seed).permutation(problem.start.shape[1])[:6]
    some = np.append(some, [0, 0])
    start, options = problem.start[:, some], problem.options[:, some]
    start[:, 6], options[one_vs_rest.CODE, 7] = np.nan, one_vs_rest.NO_CLASS
    with np.errstate(all="ignore"):
        few, every = replace(problem, options=options, start=start).solve(fast), problem.solve(fast)
    for comp, ref in zip(few, every, strict=True):
        np.testing.assert_array_equal(comp[..., :6], ref[..., some[:6]], strict=True)


# --- planted mistakes -------------------------------------------------------------------------------------------------

PLANTED = [
    Mistake("strict: no bias update", "bias = bring_in_strictly(1.0, d, bias_scale * nudge, ...)", "bias = bring_in_strictly(1.0, d, nudge * 0.0, ...)"),
    Mistake("strict: the bias's steps as large as others", "bias = bring_in_strictly(1.0, d, bias_scale * nudge, ...)", "bias = bring_in_strictly(1.0, d, nudge, ...)"),
    Mistake("strict: bias penalised", "bias = bring_in_strictly(1.0, d, bias_scale * nudge, 1.0, ...)", "bias = bring_in_strictly(1.0, d, bias_scale * nudge, keep, ...)", "strict_epoch", given="w = bring_in_strictly(np.float64(X[before, j]), j, nudge, keep, ...)"),
    Mistake("strict: last row not brought in", "if n > 0: ...", "if n < 0: ...", "strict_epoch"),
    Mistake("strict: fused", "keep * load(state, at, lanes) - nudge * x", "keep * (load(state, at, lanes) - nudge * x / keep)"),
    Mistake("strict: one class for all", "where(code == codes[i], 1.0, 0.0)", "where(code[0] == codes[i], 1.0, 0.0)"),
    Mistake("strict: weights of classes exchanged", "load_rows(options, (POSITIVE, NEGATIVE), lanes)", "load_rows(options, (NEGATIVE, POSITIVE), lanes)"),
    Mistake("strict: sample weight forgotten", "counts_for(...) * schedule[i, WEIGHT]", "counts_for(...)"),
    Mistake("strict: one rate for all rows", "now = rate * schedule[i, ROW_RATE]", "now = rate"),
    Mistake("strict: another row brought in", "before, share = i, schedule[i, SHARE]", "before, share = start, schedule[i, SHARE]", "strict_epoch", given="for i in range(start, ...): ..."),
    Mistake("strict: objective without its linear part", "total = total + (limit(z, 0.0, MANY) - y * z)", "pass"),
    Mistake("strict: objective without the penalty", "total = fma(l2 * 0.5, square, total)", "pass"),
    Mistake("strict: factors of the right label", "limit(probability, 1.0 - probability, 2.0)", "probability"),
    Mistake("strict: x.w with the bias", "next_square(square, keep, nudge, z - bias, ...)", "next_square(square, keep, nudge, z, ...)"),
    Mistake("strict: too many factors", "FACTORS = 512", "FACTORS = 4096"),
    Mistake("mean of the weights before the row", "mean + share * (w - mean)", "mean + share * (w - mean * 1.1)"),
    Mistake("norm forgotten", "nudge * norm - keep * 2.0 * dot", "nudge - keep * 2.0 * dot"),
    Mistake("keep not squared", "fma(keep * keep, square, ...)", "fma(keep, square, ...)"),
    Mistake("weights' square from nothing", "total = fma(w, w, total)", "total = w * w"),
    Mistake("objectives without exponents", "sums[EXPONENT].view(...) * math.log(2.0)", "sums[EXPONENT].view(...) * 0"),
    Mistake("fast: no bias update", "bias = bring_in_two(1.0, 1.0, ...)", "bias = bring_in_two(0.0, 1.0, ...)"),
    Mistake("fast: bias of the second row forgotten", "bias = bring_in_two(1.0, 1.0, ...)", "bias = bring_in_two(1.0, 0.0, ...)"),
    Mistake("fast: bias penalised", "bias = bring_in_two(1.0, 1.0, d, p, 1.0, share_p, q, 1.0, ...)", "bias = bring_in_two(1.0, 1.0, d, p, 1.0, share_p, q, keep_q, ...)", "sweep", given="w = bring_in_two(x, y, j, p, keep_p, share_p, q, keep_q, ...)"),
    Mistake("fast: second row does not know the first", "fma(1.0 - coupling, p, keep_p * dot_ahead)", "keep_p * dot_ahead"),
    Mistake("fast: second row does not know the first's shrinking", "fma(1.0 - coupling, p, keep_p * dot_ahead)", "fma(1.0 - coupling, p, dot_ahead)"),
    Mistake("fast: second row does not know the first's bias", "z = dot + (bias - p)", "z = dot + bias"),
    Mistake("fast: rows brought in swapped", "share_p, before, last = schedule[i, SHARE], i, ahead", "share_p, before, last = schedule[i, SHARE], ahead, i"),
    Mistake("fast: shares swapped", "share_q = schedule[ahead, SHARE]", "share_q = schedule[i, SHARE]", "fast_epoch", given="share_p, before, last = schedule[i, SHARE], i, ahead"),
    Mistake("fast: odd row at the end taken twice", "if ahead > i: ...", "if True: ..."),
    Mistake("fast: last rows not brought in", "if n > 0: ...", "if n < 0: ...", "fast_epoch"),
    Mistake("fast: penalty after the update", "w = fma(-x, p, load(state, at, lanes) * keep_p)", "w = fma(-x, p, load(state, at, lanes)) * keep_p"),
    Mistake("fast: second penalty forgotten", "w = fma(-y, q, w * keep_q)", "w = fma(-y, q, w)"),
    Mistake("fast: second penalty after the update", "w = fma(-y, q, w * keep_q)", "w = fma(-y, q, w) * keep_q"),
    Mistake("fast: shrunk twice", "w = fma(-y, q, w * keep_q)", "w = fma(-y, q, w * keep_q * keep_q)"),
    Mistake("fast: wrong sign", "side = where(code == row_code, -1.0, 1.0)", "side = where(code == row_code, 1.0, -1.0)"),
    Mistake("fast: weights of classes exchanged", "where(code == row_code, positive, negative)", "where(code == row_code, negative, positive)"),
    Mistake("fast: sample weight forgotten", "wrong * (now * (weight * row_weight))", "wrong * (now * weight)"),
    Mistake("fast: one rate for all rows", "now, u = rate * row_rate, ...", "now, u = rate, ..."),
    Mistake("fast: label of the row before", "learn(dot + bias, codes[i], ...)", "learn(dot + bias, codes[i - 1], ...)"),
    Mistake("fast: far sums count 44 nats", "limit(u, FARTHEST, MANY) - FARTHEST + total", "total"),
    Mistake("fast: product not brought down", "exponent, product = add_exponent(exponent, product), mantissa(product)", "exponent, product = add_exponent(exponent, product), product", "fast_epoch"),
    Mistake("fast: penalty of the second row forgotten", "share_q = schedule[ahead, SHARE]\nif len(watched) > 0:\n    product, total = product * factor, penalised(total, u, l2, square)\n    ...", "share_q = schedule[ahead, SHARE]\nif len(watched) > 0:\n    product, total = product * factor, penalised(total, u, 0.0 * l2, square)\n    ..."),
    Mistake("fast: square of the second row forgotten", "share_q = schedule[ahead, SHARE]\nif len(watched) > 0:\n    ...\n    square = next_square(...)", "share_q = schedule[ahead, SHARE]\nif len(watched) > 0:\n    ..."),
]  # fmt: skip


def caught(kernel):
    """Whether a case with few rows tells the kernel from the rule."""
    rng = np.random.default_rng(5)
    try:
        for averaged in (True, False):
            made = replace(problem(rng, 37, 3, 8), averaged=averaged, cuts=(10, 20))
            made.check(True, kernel)
            made.check(False, kernel)
        problem(rng, 37, 3, 8, bias_scale=0.5).check(False, kernel)
        near = problem(rng, 1200, 1, 8, reach=1e-3)
        near = replace(near, start=near.start * 1e-3, averaged=False)
        near.check(False, kernel, only=[0])
        far = replace(near, start=near.start + 300.0, options=near.options * [[1e-6], [1], [1], [1], [0], [1]])
        far.check(True, kernel, only=[0])
    except AssertionError:
        return True
    return False


def test_a_copy_without_a_mistake_passes():
    assert not caught(planted(module=one_vs_rest))


@pytest.mark.parametrize("mistake", PLANTED, ids=str)
def test_planted_mistakes_are_caught(mistake):
    with np.errstate(all="ignore"):
        assert caught(planted(mistake, one_vs_rest))
