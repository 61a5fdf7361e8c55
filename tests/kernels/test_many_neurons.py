"""The lanes kernel: every model is a run of its own, whoever is beside it, wherever the rows are cut."""

# ruff: noqa: E501 - a line a mistake

from dataclasses import dataclass, replace

import numpy as np
import pytest
from compare import distance
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, plain_copies
from problems import FEWER, SEEDS, variants

from tinynet_fast.kernels import poisson, reference, strict
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.simd import load, store
from tinynet_fast.kernels.fast import many_neurons, one_vs_rest
from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS

pytestmark = pytest.mark.any_cpu
SEED = 12  # of the draws
MOST_TIMES = 7.0  # about how often a row of some hundred is drawn at most


@dataclass(frozen=True)
class LanesProblem:
    """Rows, and a column of options and of starting weights (the bias last) for each model."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    folds: np.ndarray | None
    rates: np.ndarray
    l2: np.ndarray
    held: np.ndarray
    start: np.ndarray
    penalised: bool
    cuts: tuple[int, ...] = ()
    marked: int = many_neurons.FOLDS  # if it says that rows are drawn, there are no folds and no losses
    numbers: np.ndarray | None = None  # of the models, by which rows are drawn; 0, 1, 2 and so on if None
    loss: int = LOG_LOSS

    def solve(self, kernel=many_neurons):
        """(weights and biases, their means, squared errors, log losses, held-out log losses), a column a model."""
        d, m = self.start.shape[0] - 1, self.start.shape[1]
        options, sums = many_neurons.aligned(many_neurons.N_OPTIONS, m), many_neurons.aligned(many_neurons.N_SUMS, m)
        numbers = np.arange(m) if self.numbers is None else self.numbers
        own = poisson.model_keys(numbers) if self.draws else self.held
        options[:] = self.rates, np.maximum(0.0, 1.0 - self.rates * self.l2), own
        means = self.penalised or self.marked == many_neurons.MEANS
        state = many_neurons.aligned(many_neurons.rows_with_means(d, m) if means else d + 1, m)
        state[: d + 1] = self.start
        kernel.clear(sums)
        for a, b in zip((0, *self.cuts), (*self.cuts, len(self.y)), strict=True):
            marks = None if self.folds is None else self.folds[a:b]
            marks = poisson.row_keys(SEED, np.arange(a, b)) if self.draws else marks
            arrays = options, state, sums
            given = *arrays, self.penalised, self.marked, self.loss
            kernel.train(self.X[a:b], self.y[a:b], self.weights[a:b], marks, *given)
        half = len(state) // 2
        averaged = state[half : half + d + 1] if means else np.zeros_like(self.start)
        if self.marked == many_neurons.MEANS:
            averaged = state[: d + 1] + averaged / max(len(self.y), 1)
        return state[: d + 1], averaged, sums[many_neurons.SQUARES], *kernel.log_losses(sums)

    @property
    def draws(self):
        return self.marked != many_neurons.FOLDS

    def solve_alone(self, k, module=strict):
        """The same numbers for model k by itself, from the reference's rule."""
        d = len(self.start) - 1
        trained = np.ones(len(self.y), bool) if self.folds is None else self.folds != self.held[k]
        own = np.asarray if module is strict else np.ndarray.tolist
        w, b = own(self.start[:d, k].copy()), own(self.start[d:, k].copy())
        means, paid, losses = (own(np.zeros(size)) for size in (d + 1, d + 1, 1))
        logs, row = [0.0, 0.0], 0
        for i, x in enumerate(np.asarray(self.X, np.float64)):
            z = reference.logit(x, w, b)
            if self.loss == LOG_LOSS:
                logs[not trained[i]] += min(reference.cross_entropy(z, self.y[i]), many_neurons.FARTHEST)
            if trained[i]:
                row += 1
                times = poisson.poisson_weight(SEED, i, k) if self.draws else 1.0
                step, keep = self.rates[k] * self.weights[i] * times, max(0.0, 1.0 - self.rates[k] * self.l2[k])
                schedule = np.array([[step, keep, 0.0, 1.0 / row]])
                X, y = np.ascontiguousarray(x[np.newaxis]), self.y[i : i + 1]
                module.sgd_regularized_epochs(
                    own(X),
                    own(y),
                    own(schedule),
                    own(np.array([float(self.loss), 0.0, 1.0])),
                    w,
                    b,
                    means,
                    paid,
                    losses,
                )
        return np.append(w, b), np.asarray(means), losses[0], *logs

    def check(self, kernel=many_neurons, module=strict, only=None):
        """AssertionError where a model is not the one trained alone."""
        weights, means, squares, logs, held_logs = self.solve(kernel)
        for k in range(len(self.rates)) if only is None else only:
            ref_weights, ref_means, ref_squares, ref_logs, ref_held = self.solve_alone(k, module)
            assert distance(weights[:, k], ref_weights) <= 1e-12
            if (self.penalised or self.marked == many_neurons.MEANS) and len(self.y):
                assert distance(means[:, k], ref_means) <= 1e-12
            if self.draws:
                continue
            comp, ref = (squares[k], logs[k], held_logs[k]), (ref_squares, ref_logs, ref_held)
            assert comp == pytest.approx(ref, rel=1e-11, abs=1e-14 * (1 + len(self.y)))


def problem(
    rng, n, d, m, folds=0, penalised=False, scale=1.0, dtype=np.float64, weighted=False, reach=1.0, loss=LOG_LOSS
):
    """Rates are up to `reach` of what is stable."""
    X = (rng.standard_normal((n, d)) * scale).astype(dtype)
    y = rng.standard_normal(n) * 10.0 if loss == LEAST_SQUARES else (rng.random(n) < 0.5).astype(float)
    weights = rng.random(n) * 2.0 * (rng.random(n) < 0.8) if weighted else np.ones(n)
    longest = float(np.max(weights * ((X.astype(float) ** 2).sum(axis=1) + 1.0), initial=1.0))
    rates = (2.0 if loss == LEAST_SQUARES else 8.0) / longest * reach * np.exp(-8.0 * rng.random(m))
    l2 = rng.choice([0.0, 1e-3, 0.3], m) / max(rates.max(), 1.0) if penalised else np.zeros(m)
    held = rng.integers(-1, folds, m).astype(float) if folds else np.full(m, many_neurons.NOBODY)
    fold_of_row = rng.integers(0, folds, n).astype(float) if folds else None
    start = rng.standard_normal((d + 1, m)) / max(scale, 1.0)
    return LanesProblem(X, y, weights, fold_of_row, rates, l2, held, start, penalised, loss=loss)


KINDS = (
    (many_neurons.FOLDS, LOG_LOSS, False),
    (many_neurons.FOLDS, LOG_LOSS, True),  # some rows belong to folds
    (many_neurons.FOLDS, LEAST_SQUARES, False),
    (many_neurons.DRAWS, LOG_LOSS, False),
    (many_neurons.MEANS, LOG_LOSS, False),
)
MEANS = KINDS[-1]  # which have no penalty
KERNELS = variants(
    (1, 2, 3, 4), KINDS, (np.float64, np.float32), ("plain", "penalised"), without=[(MEANS, "penalised")]
)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(SEEDS))
    registers, (marked, loss, folds), dtype, penalty = draw(KERNELS)
    n, d, m = draw(st.integers(0, 50)), draw(st.integers(1, 20)), 8 * registers
    draws = marked != many_neurons.FOLDS
    made = problem(
        rng,
        n,
        d,
        m,
        folds=draw(st.sampled_from([2, 5])) if folds else 0,
        penalised=penalty == "penalised",
        scale=draw(st.sampled_from([1.0, 1.0, 1e-3, 1e3, 1e-160])),
        dtype=dtype,
        weighted=draw(st.booleans()),
        reach=draw(st.sampled_from([1.0, 1e-3])) / (MOST_TIMES if draws else 1.0),
        loss=loss,
    )
    made = replace(made, marked=marked)
    return replace(made, cuts=tuple(sorted(2 * cut for cut in draw(st.lists(st.integers(0, n // 2), max_size=3)))))


@given(problems(), st.data())
@FEWER
def test_every_lane_is_a_run_of_its_own(problem, data):
    only = data.draw(st.lists(st.integers(0, len(problem.rates) - 1), min_size=1, max_size=4))
    problem.check(only=only)


def test_arrays_begin_with_a_cache_line():
    arrays = [many_neurons.aligned(rows, 8) for rows in range(1, 20)]
    for rows, array in enumerate(arrays, 1):
        assert (array.shape, array.ctypes.data % 64) == ((rows, 8), 0)
        assert not array.any()


def test_against_the_reference_itself():
    problem(np.random.default_rng(1), 40, 3, 8, folds=3, penalised=True, weighted=True).check(module=reference)
    problem(np.random.default_rng(1), 40, 3, 8, weighted=True, loss=LEAST_SQUARES).check(module=reference)
    for marked in (many_neurons.DRAWS, many_neurons.MEANS):
        made = problem(np.random.default_rng(1), 41, 3, 16, weighted=True, reach=1 / MOST_TIMES)
        replace(made, marked=marked).check(module=reference)


@given(problems())
def test_cuts_change_no_bit(problem):
    for comp, ref in zip(problem.solve(), replace(problem, cuts=()).solve(), strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@given(problems(), SEEDS)
def test_neighbours_change_no_bit(problem, seed):
    """Eight of the models alone, in another order, beside one that is NaN and one that overflows."""
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(problem.rates))[:6]
    some = np.append(some, [0, 0])
    start, rates = problem.start[:, some], problem.rates[some]
    start[:, 6], rates[7] = np.nan, 1e305
    alone = replace(problem, rates=rates, l2=problem.l2[some], held=problem.held[some], start=start, numbers=some)
    with np.errstate(all="ignore"):
        few, all_of_them = alone.solve(), problem.solve()
    for comp, ref in zip(few, all_of_them, strict=True):
        np.testing.assert_array_equal(comp[..., :6], ref[..., some[:6]], strict=True)
    assert np.isnan(few[0][:, 6]).all()


def far_out(n=100, sums=300.0):
    """Every row is on the wrong side of every model, as far as it counts, and stays there."""
    rng = np.random.default_rng(2)
    made = problem(rng, n, 2, 8, scale=1e-3)
    start = np.zeros((3, 8))
    start[2] = np.where(made.y[0] == 1.0, -sums, sums)
    return replace(made, y=np.full(n, made.y[0]), start=start, rates=np.full(8, 1e-3))


def test_log_losses_far_out_count_44_nats_a_row():
    squares, logs = far_out().solve()[2:4]
    assert logs == pytest.approx(np.full(8, 4400.0), rel=1e-14)
    assert squares == pytest.approx(np.full(8, 100.0), rel=1e-15)


def each_wrong_label(values, wrong, total):
    for start in range(0, len(values), 8):
        q, t = many_neurons.wrong_label(load(values, start, (0,)))
        store(wrong, start, q)
        store(total, start, t)


def test_wrong_label():
    """Within 6e-16 + 1.4e-16 |u| relative (3.4e-17 |u| with FMA) of the value in long double, and flat beyond 44."""
    wrong_labels = pytest.importorskip("numba", reason="Numba compiles this test").njit(each_wrong_label)
    n = 80_000 if type(wrong_labels).__name__ != "function" else 8_000
    u = np.linspace(-many_neurons.FARTHEST, many_neurons.FARTHEST, n)
    wrong, total = np.empty(n), np.empty(n)
    wrong_labels(u, wrong, total)
    odds, allowed = np.exp(u.astype(np.longdouble)), 6e-16 + 1.4e-16 * np.abs(u)
    if np.finfo(np.longdouble).eps < 1e-18:
        assert np.all(np.abs(wrong / (odds / (1 + odds)) - 1) < allowed)
        assert np.all(np.abs(total / (1 + odds) - 1) < allowed)
    u[:8] = -np.inf, -1e300, -many_neurons.FARTHEST, 0.0, many_neurons.FARTHEST, 1e300, np.inf, np.nan
    wrong_labels(u[:8], wrong, total)
    assert wrong[0] == wrong[1] == wrong[2] < 8e-20
    assert wrong[3] == 0.5
    assert (wrong[4:8] == 1.0).all()
    assert (total[4:8] == total[4]).all()


# --- planted mistakes -------------------------------------------------------------------------------------------------

PLANTED = [
    Mistake("no bias update", "load(state, d * m, lanes) - p - q", "load(state, d * m, lanes)"),
    Mistake("bias of the second row forgotten", "load(state, d * m, lanes) - p - q", "load(state, d * m, lanes) - p"),
    Mistake("coupling without the bias", "z_ahead, coupling = z, 1.0", "z_ahead, coupling = z, 0.0"),
    Mistake("second row does not know the first", "fma(-coupling, p, z_ahead)", "z_ahead"),
    Mistake("rows brought in swapped", "before, last = i, ahead", "before, last = ahead, i"),
    Mistake("no bias update with penalties", "z = bring_in(1.0, ...)", "z = bring_in(0.0, ...)"),
    Mistake("wrong sign", "flip(wrong * (rate * step), side)", "flip(wrong * (rate * step), -side)"),
    Mistake("bias penalised", "z = bring_in(1.0, d, nudge, 1.0, ...)", "z = bring_in(1.0, d, nudge, keep, ...)", "train_penalised", given="w = bring_in(np.float64(X[before, j]), j, nudge, keep, ...)"),
    Mistake("penalty after the update", "w = fma(-x, nudge, load(state, at, lanes) * keep)", "w = fma(-x, nudge, load(state, at, lanes)) * keep"),
    Mistake("last rows of a call not brought in", "if n > 0: ...", "if n < 0: ...", "train_plain"),
    Mistake("last row of a call not brought in with penalties", "if n > 0: ...", "if n < 0: ...", "train_penalised"),
    Mistake("another row brought in", "before = i", "before = start", "train_penalised", given="for i in range(start, ...): ..."),
    Mistake("held-out row trained on", "p, wrong, total = learn(z, ...); p = unless_held(folded, folds, i, held, p, 0.0)", "p, wrong, total = learn(z, ...)", "train_plain"),
    Mistake("held-out second row trained on", "q, wrong, total = learn(fma(...), ...); q = unless_held(folded, folds, i, held, q, 0.0)", "q, wrong, total = learn(fma(...), ...)", "train_plain"),
    Mistake("held-out row trained on with penalties", "nudge = unless_held(folded, folds, i, held, nudge, 0.0)", "pass", "train_penalised"),
    Mistake("held-out row in the loss", "wrong = unless_held(folded, folds, i, held, wrong, 0.0)", "pass", "count_row"),
    Mistake("held-out row shrinks", "keep = unless_held(folded, folds, i, held, keep, 1.0)", "pass", "train_penalised"),
    Mistake("held-out row averaged", "share = unless_held(..., full(1.0, lanes), 0.0)", "share = full(1.0, lanes)"),
    Mistake("held-out row in the progressive loss", "product * unless_held(..., total, 1.0)", "product * total"),
    Mistake("every row in the held-out loss", "where(held == folds[i], total, 1.0)", "total"),
    Mistake("mean of the weights before the row", "fma(share, w - mean, mean)", "fma(share, fma(x, nudge, w) - mean, mean)", "bring_in", given="w = fma(-x, nudge, ...)"),
    Mistake("mean over one row too many", "limit(rows, 1.0, MANY)", "rows + 1.0"),
    Mistake("sample weight forgotten", "flip(wrong * (rate * step), side)", "flip(wrong * rate, side)"),
    Mistake("linear: the error with another sign", "error = z - y", "error = y - z"),
    Mistake("linear: no number in the error", "error = z - y", "error = z"),
    Mistake("linear: a step along the whole squared error", "(error * (rate * step), error, ...)", "(2.0 * error * (rate * step), error, ...)"),
    Mistake("linear: sample weight forgotten", "(error * (rate * step), error, ...)", "(error * rate, error, ...)"),
    Mistake("linear: the nudge counted", "(error * (rate * step), error, ...)", "(error * (rate * step), error * (rate * step), ...)"),
    Mistake("linear: a log loss", "where(z > 0.0, 1.0, 1.0)", "where(z > 0.0, 2.0, 1.0)"),
    Mistake("linear: a sigmoid", "KINDS[loss]", "0"),
    Mistake("one rate for all", "flip(wrong * (rate * step), side)", "flip(wrong * (rate[0] * step), side)"),
    Mistake("loss of the right label", "fma(wrong, wrong, squares)", "fma(1.0 - wrong, 1.0 - wrong, squares)"),
    Mistake("loss after the last cut only", "store_rows(sums, LOSSES, (squares, ...), lanes)", "store_rows(sums, LOSSES, (squares - load_rows(sums, LOSSES, lanes)[0], ...), lanes)", "train_plain"),
    Mistake("loss after the last cut only, with penalties", "store_rows(sums, LOSSES, (squares, ...), lanes)", "store_rows(sums, LOSSES, (squares - load_rows(sums, LOSSES, lanes)[0], ...), lanes)", "train_penalised"),
    Mistake("exponents forgotten", "np.log(...) + exponents * math.log(2.0)", "np.log(...) + 0.0 * exponents"),
    Mistake("product not brought down", "exponent, product = add_exponent(exponent, product), mantissa(product)", "exponent, product = add_exponent(exponent, product), product", everywhere=True),
    Mistake("product overflows", "CHUNK = 16", "CHUNK = 64"),
    Mistake("sums limited too early", "FARTHEST = 44.0", "FARTHEST = 12.0"),
    Mistake("short polynomial", "high = fma(f2, C6, fma(f, sign * C5, C4))", "high = fma(f, sign * C5, C4)"),
    Mistake("single precision", "side = 0.5 - y", "side, z = 0.5 - y, np.float64(np.float32(z))", "learn", given="flip(z, side)"),
    Mistake("label of the row before", "learn(z, y[i], ...)", "learn(z, y[i - 1], ...)", everywhere=True),
    Mistake("odd row at the end taken twice", "if ahead > i: ...", "if True: ..."),
    Mistake("second row drawn as the first", "step = counted(marked, marks, ahead, own, weights[ahead])", "step = counted(marked, marks, i, own, weights[ahead])", given="ahead = min(i + 1, ...)"),
    Mistake("a row that is drawn has no sample weight", "where(..., drawn(...)) * weight", "where(..., drawn(...))"),
    Mistake("alias and column swapped", "where(bits < entry, bits >> WITHIN, entry & COLUMNS - 1)", "where(bits < entry, entry & COLUMNS - 1, bits >> WITHIN)"),
    Mistake("mean lacks the second row", "fma(y, q[k], fma(x, p[k], load(...)))", "fma(x, p[k], load(...))", "owe"),
    Mistake("second row owed as the first", "registers(q * (seen + 1.0))", "registers(q * seen)"),
    Mistake("mean of the bias forgotten", "owe(state, (half + d) * m, ...)", "pass"),
    Mistake("rows of earlier calls not counted", "sums[ROWS] += len(y)", "sums[ROWS] += 0 * len(y)"),
]  # fmt: skip


def planted(mistake=None, module=many_neurons):
    """A copy of a kernel in plain Python, where registers are arrays."""
    return plain_copies(simd, many_neurons, one_vs_rest, mistake=mistake, into=module)[module]


def caught(kernel):
    """Whether a case with few rows tells the kernel from the rule."""
    rng = np.random.default_rng(5)
    try:
        for folds, loss in ((0, LOG_LOSS), (2, LOG_LOSS), (0, LEAST_SQUARES)):
            for penalised in (False, True):
                made = problem(rng, 37, 3, 8, folds, penalised, weighted=True, loss=loss)
                replace(made, cuts=(10, 20)).check(kernel)
        made = problem(rng, 37, 3, 8, weighted=True, reach=1 / MOST_TIMES)
        for marked, penalised in ((many_neurons.DRAWS, False), (many_neurons.DRAWS, True), (many_neurons.MEANS, False)):
            replace(made, cuts=(10, 20), marked=marked, penalised=penalised).check(kernel)
        far = far_out()
        with np.errstate(all="ignore"):
            far.check(kernel, only=[0])
            replace(far, start=-far.start * 0.08).check(kernel, only=[0])
        u = np.linspace(-13.0, 13.0, 4001)
        np.testing.assert_allclose(kernel.wrong_label(u)[0], 1 / (1 + np.exp(-u)), rtol=4e-15)
    except AssertionError:
        return True
    return False


def test_a_copy_without_a_mistake_passes():
    assert not caught(planted())


@pytest.mark.parametrize("mistake", PLANTED, ids=str)
def test_planted_mistakes_are_caught(mistake):
    with np.errstate(all="ignore"):
        assert caught(planted(mistake))
