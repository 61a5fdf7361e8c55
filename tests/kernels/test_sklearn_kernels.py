"""The kernels of the drop-in estimators, each against the reference or against plain Python."""

from itertools import product

import numpy as np
import pytest
from compare import distance
from planted import Mistake, plain_copy

from tinynet_fast.kernels import reference
from tinynet_fast.kernels.fast import objective, prediction, row_order
from tinynet_fast.kernels.fast.regularized_neuron import sgd_regularized_epochs
from tinynet_fast.training.schedules import Penalties, Schedule

pytestmark = pytest.mark.any_cpu


def rows(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, (rng.random(n) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)


# --- the order of rows and their schedule -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**31 - 2])
def test_shuffle(seed):
    """The generator and the exchange in plain Python; a seed of 0 stands for 1."""
    index, state = list(range(50)), seed or 1
    for i in range(49):
        for shift in (13, -17, 5):
            state ^= (state << shift if shift > 0 else state >> -shift) & 0xFFFFFFFF
        j = i + (state & 0x7FFFFFFF) % (50 - i)
        index[i], index[j] = index[j], index[i]
    comp = np.arange(50)
    row_order.shuffle(comp, seed)
    assert comp.tolist() == index


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("labels", [np.uint8, np.float64])
def test_gather(dtype, labels):
    X, y = rows(100, 5)
    X, y = X.astype(dtype), y.astype(labels)
    index = np.random.default_rng(1).integers(0, 100, 37)
    X_out, y_out = np.empty((37, 5), dtype), np.empty(37)
    row_order.gather(X, y, index, X_out, y_out)
    np.testing.assert_array_equal(X_out, X[index], strict=True)
    np.testing.assert_array_equal(y_out, y[index].astype(float), strict=True)


@pytest.mark.parametrize("name", ["constant", "invscaling", "optimal"])
def test_schedule_rows_are_those_of_the_trainers(name):
    """The kernel's one pass against the arrays that `train_neuron` makes."""
    for weighted, average, row in product((False, True), (0, 1, 1005), (0, 1000)):
        rates = Schedule(0.3, name, 0.4, 0.02)
        penalties = Penalties(0.5, 0.1, average, "log_loss")
        weight = np.random.default_rng(0).random(50) if weighted else None
        ref = penalties.schedule_rows(rates.rates(row, 50), weight, row)
        comp = np.full((50, 4), np.nan)
        kind = {"invscaling": row_order.INVSCALING, "optimal": row_order.OPTIMAL}.get(name, row_order.CONSTANT)
        weights = np.empty(0) if weight is None else weight
        row_order.fill_schedule(kind, 0.3, 0.4, 0.02**-0.75, 0.02, row, weights, 0.5, 0.1, average, comp)
        np.testing.assert_allclose(comp, ref, rtol=1e-14)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_both_probabilities(d):
    X, _ = rows(1500, d)
    weights, bias, ref, comp = np.arange(1.0, d + 1), np.array([0.5]), np.empty(1500), np.empty((1500, 2))
    assert prediction.predict_proba(X, weights, bias, ref)
    assert prediction.predict_both(X, weights, bias, comp)
    np.testing.assert_array_equal(comp, np.column_stack([1.0 - ref, ref]))
    X[700, 0] = np.nan
    assert not prediction.predict_both(X, weights, bias, comp)


# --- sums and objectives ----------------------------------------------------------------------------------------------


def problem(d, l1=0.0, n=601):
    X, y = rows(n, d)
    rng = np.random.default_rng(1)
    schedule = Penalties(0.05, l1, 10, "log_loss").schedule_rows(np.full(n, 0.1), rng.random(n), 0)
    return X, y, schedule, rng.standard_normal(d), np.array([0.3])


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 9])
def test_kernels_leave_each_rows_sum(d):
    """The reference a row at a time: its bits from the exact kernel, 1e-12 from the fast one."""
    for l1, bias_scale in product((0.0, 0.02), (1.0, 0.01)):
        X, y, schedule, start, b0 = problem(d, l1)
        rule = [0.0, 0.0, bias_scale]
        w, b, means, paid = start.tolist(), b0.tolist(), [0.0] * (d + 1), [0.0] * (d + 1)
        logits, penalties, last = [], [], 0.01 * (start @ start) / 2 + 0.03 * np.abs(start).sum()
        for x, label, row in zip(X.tolist(), y.tolist(), schedule.tolist(), strict=True):
            logits.append(reference.logit(x, w, b))
            penalties.append(last)
            unpaid = list(w), list(b), list(means), list(paid)
            reference.sgd_regularized_epochs([x], [label], [[*row[:2], 0.0, row[3]]], rule, *unpaid, [0.0])
            last = 0.01 * sum(v * v for v in unpaid[0]) / 2 + 0.03 * sum(map(abs, unpaid[0]))
            reference.sgd_regularized_epochs([x], [label], [row], rule, w, b, means, paid, [0.0])
        state = start.copy(), b0.copy(), np.zeros(d + 1), np.zeros(d + 1)
        comp, comp_penalties = np.zeros(len(y)), np.zeros(len(y))
        carried = np.array([penalties[0]])
        penalty = np.array([0.01, 0.03])
        for part in (slice(0, 100), slice(100, 601)):
            objective.sgd_logits_epoch(
                X[part], y[part], schedule[part], bias_scale, *state, comp[part], penalty, carried, comp_penalties[part]
            )
        np.testing.assert_array_equal(np.concatenate(state), w + b + means + paid)
        np.testing.assert_array_equal(comp, logits)
        np.testing.assert_allclose(comp_penalties, penalties, rtol=1e-13)
        state, carried = (start.copy(), b0.copy(), np.zeros(d + 1), np.zeros(d + 1)), np.array([penalties[0]])
        comp, comp_penalties = np.zeros(20), np.zeros(20)
        for i in range(20):  # rows that come one at a time
            part = slice(i, i + 1)
            objective.sgd_logits_epoch(
                X[part], y[part], schedule[part], bias_scale, *state, comp[part], penalty, carried, comp_penalties[part]
            )
        np.testing.assert_allclose(comp_penalties, penalties[:20], rtol=1e-13)
        state, comp = (start.copy(), b0.copy(), np.zeros(d + 1), np.zeros(d + 1)), np.zeros(len(y))
        objective.sgd_logits_epoch(X, y, schedule, bias_scale, *state, comp, penalty, carried, np.empty(0))
        np.testing.assert_array_equal(comp, logits)
        if not l1 and bias_scale == 1.0:
            state, comp = (start.copy(), b0.copy(), np.zeros(d + 1), np.zeros(d + 1)), np.zeros(len(y))
            sgd_regularized_epochs(X, y, schedule, np.array(rule), *state, np.zeros(1), comp)
            assert distance(comp, logits) <= 1e-12
            assert distance(np.concatenate(state), w + b + means + paid) <= 1e-12


@pytest.mark.parametrize("d", [1, 5])
def test_objective_of_rows(d):
    """Against the reference's cross-entropy and the squared length of the weights that each row meets."""
    for bias_scale, l2 in product((1.0, 0.0), (0.0, 0.3)):
        X, y, schedule, start, b0 = problem(d)
        X *= 3.0
        rule = [0.0, 0.0, bias_scale]
        w, b, nothing, logits, ref = start.tolist(), b0.tolist(), [0.0] * (d + 1), [], 0.0
        for x, label, row in zip(X.tolist(), y.tolist(), schedule.tolist(), strict=True):
            logits.append(reference.logit(x, w, b))
            ref += reference.cross_entropy(logits[-1], label) + l2 / 2 * sum(v * v for v in w)
            reference.sgd_regularized_epochs([x], [label], [row], rule, w, b, nothing, list(nothing), [0.0])
        squares, scratch = np.zeros(len(y)), np.zeros(objective.TILE)
        assert objective.rows_compiled("d")(X, squares) == pytest.approx((X**2).sum(axis=1).max() + 1, rel=1e-13)
        comp = objective.objective(np.array(logits), y, schedule, squares, l2, bias_scale, start, b0, scratch)
        assert comp == pytest.approx(ref, rel=1e-12)


# --- the checks above can fail ----------------------------------------------------------------------------------------

# module, mistake, and the check that must see it
PLANTED = [
    (objective, Mistake("twice the penalty", "0.5 * penalty[0] * square", "penalty[0] * square"), "sums"),
    (objective, Mistake("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge"), "sums"),
    (objective, Mistake("bias left out of the mean", "means[d] += share * (bias[0] - means[d])", "pass"), "sums"),
    (
        objective,
        Mistake("linear part left out", "total += max(z, 0.0) - y[i] * z", "total += max(z, 0.0)"),
        "objective",
    ),
    (objective, Mistake("keep left out", "2.0 * keep * p * (z - b)", "2.0 * p * (z - b)"), "objective"),
    (objective, Mistake("the bias moves as far as ever here too", "b -= bias_scale * p", "b -= p"), "objective"),
    (objective, Mistake("a factor too many", "factors = 1.0", "factors = 2.0", "objective"), "objective"),
    (row_order, Mistake("no state for seed 0", "state == 0", "state == 7"), "shuffle"),
    (row_order, Mistake("another shift", "np.uint32(17)", "np.uint32(16)"), "shuffle"),
    (row_order, Mistake("label not gathered", "y_out[i] = y[row]", "y_out[i] = y[i]"), "gather"),
    (
        row_order,
        Mistake("mean a row early", "averaged = t + 1.0 - average_from", "averaged = t - average_from"),
        "schedule",
    ),
    (row_order, Mistake("rates a row late", "offset + t - 1.0", "offset + t"), "schedule"),
]


def planted(module, mistake=None):
    """A copy of a module in plain Python, with a mistake, which asks for nothing beforehand."""
    copy = plain_copy(module, mistake)
    copy.prefetch = copy.prefetch_lines = copy.prefetch_lines_far = lambda *_: None
    return copy


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("module", "mistake", "check"), PLANTED, ids=[str(mistake) for _, mistake, _ in PLANTED])
def test_planted_mistake(module, mistake, check, monkeypatch):
    checks = {
        "sums": lambda: test_kernels_leave_each_rows_sum(3),
        "objective": lambda: test_objective_of_rows(2),
        "shuffle": lambda: [test_shuffle(seed) for seed in (0, 12345)],
        "gather": lambda: test_gather(np.float64, np.uint8),
        "schedule": lambda: [test_schedule_rows_are_those_of_the_trainers(name) for name in ("constant", "optimal")],
    }
    name = module.__name__.rpartition(".")[2]
    monkeypatch.setitem(globals(), name, planted(module))
    checks[check]()  # the copy itself passes
    monkeypatch.setitem(globals(), name, planted(module, mistake))
    with pytest.raises(AssertionError):
        checks[check]()
