"""The kernels in scikit-learn's order of operations: against formulas, plain Python, and each other.

That the bits are scikit-learn's is tested with the estimators; here nothing but the kernels is needed.
"""

import math
from itertools import product

import exact_runs
import numpy as np
import pytest
from compare import distance
from exact_runs import rows, solve
from plain_sgd import CLASSES, SHAPES, Plain, plain_loss, plain_slope
from planted import Mistake, plain_copies

from tinynet_fast.kernels import exact, exact_losses, exact_sweeps
from tinynet_fast.kernels.exact import (
    ADAPTIVE,
    CONSTANT,
    DONE,
    ELASTICNET,
    INVSCALING,
    L1_PENALTY,
    L2_PENALTY,
    LOOK,
    NO_PENALTY,
    OPTIMAL,
    OVERFLOW,
    PA1,
    PA2,
    PAUSE,
    SETTLE,
)
from tinynet_fast.kernels.exact_losses import (
    HINGE,
    HUBER,
    INSENSITIVE,
    LOG_LOSS,
    MODIFIED_HUBER,
    SQUARED_ERROR,
)

KINDS = range(8)
kinds = pytest.mark.parametrize("kind", KINDS)
sides = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
both_floats = pytest.mark.parametrize("dtype", [np.float64, np.float32])


# --- losses and their derivatives -------------------------------------------------------------------------------------


def point(kind, shape, y, p):
    """The kernel's loss and slope: those of a row of one input, with a weight of 0 and a rate of 1."""
    run = solve(np.ones((1, 1)), np.array([y]), bias=p, loss=kind, shape=shape, eta0=1.0, watched=1, epochs=1)
    return float(run.objective), -float(run.weights[0])


def labels(kind):
    return (0.0, 1.0) if kind == LOG_LOSS else (-1.0, 1.0) if kind in CLASSES else (-0.4, 2.5)


@pytest.mark.any_cpu
@kinds
def test_losses_and_slopes_are_their_formulas(kind):
    for shape, y, p in product(SHAPES.get(kind, (0.0,)), labels(kind), np.linspace(-50.0, 50.0, 101) + 0.01):
        ref = plain_loss(kind, shape, y, float(p)), plain_slope(kind, shape, y, float(p))
        assert point(kind, shape, y, p) == pytest.approx(ref, rel=1e-13, abs=3e-14)


@pytest.mark.any_cpu
@sides
def test_rows_are_counted(is_sparse):
    """What scikit-learn's verbose output calls T: the rows of all epochs."""
    run = solve(*rows(LOG_LOSS), loss=LOG_LOSS, eta0=0.1, epochs=3, is_sparse=is_sparse)
    assert run.state[exact.COUNT] == 3 * 40


@pytest.mark.any_cpu
@kinds
def test_slopes_are_those_of_the_losses(kind):
    h = 1e-5
    for shape, y, p in product(SHAPES.get(kind, (0.0,)), labels(kind), np.linspace(-45.0, 45.0, 61) + 0.0123):
        low, high = (point(kind, shape, y, p + step)[0] for step in (-h, h))
        assert point(kind, shape, y, p)[1] == pytest.approx((high - low) / (2.0 * h), rel=1e-6, abs=1e-6)


def test_slopes_at_their_kinks_and_limits():
    assert [point(HINGE, 1.0, y, y)[1] for y in (-1.0, 1.0)] == [1.0, -1.0]
    assert [point(HINGE, 0.0, y, 0.0)[1] for y in (-1.0, 1.0)] == [1.0, -1.0]
    assert [point(MODIFIED_HUBER, 0.0, 1.0, p)[1] for p in (1.0, -1.0)] == [0.0, -4.0]
    assert [point(HUBER, 0.5, 0.0, p)[1] for p in (0.5, -0.5)] == [0.5, -0.5]
    assert [point(INSENSITIVE, 0.5, 0.0, p)[1] for p in (0.5, -0.5)] == [0.0, 0.0]
    assert [point(SQUARED_ERROR, 0.0, y, 0.0)[1] for y in (-1e13, 1e13)] == [1e12, -1e12]  # a slope counts no more
    assert point(LOG_LOSS, 0.0, 0.0, -800.0) == (0.0, 0.0)


# --- the whole loop ---------------------------------------------------------------------------------------------------


PENALTIES = [
    {"penalty": NO_PENALTY},
    {"penalty": L1_PENALTY, "l1_ratio": 1.0},
    {"penalty": L2_PENALTY},
    {"penalty": ELASTICNET, "l1_ratio": 0.3},
]
STARTS = {"start": np.array([0.3, -0.2, 0.0, 0.5]), "bias": 0.1}


def assert_plain(kind, is_sparse, dtype=np.float64, promise=1e-12, **options):
    X, y = rows(kind)
    X[7] = 0.0
    X, y = X.astype(dtype).astype(float), y.astype(dtype).astype(float)
    weight = np.random.default_rng(1).integers(0, 8, len(X)) / 4.0
    options = {"loss": kind, "watched": 1, "positive": 1.5, "negative": 0.5} | options
    ref = Plain(X, y, **STARTS, sample_weight=weight, **options)
    comp = solve(X, y, **STARTS, sample_weight=weight, is_sparse=is_sparse, dtype=dtype, **options)
    assert distance(comp.learned, ref.learned) <= promise
    assert distance([comp.objective, comp.loss], [ref.objective, ref.loss]) <= promise
    assert comp.t == ref.t
    assert comp.reasons[-1] == DONE


@sides
@kinds
@pytest.mark.any_cpu
@pytest.mark.parametrize("average_from", [0, 1, 50])
def test_a_run_is_that_of_plain_python(kind, average_from, is_sparse):
    for shape, penalty, rate in product(SHAPES.get(kind, (0.0,)), PENALTIES, (CONSTANT, OPTIMAL, INVSCALING)):
        scale = 0.01 if is_sparse else 1.0
        options = penalty | {"shape": shape, "learning_rate": rate, "average_from": average_from, "bias_scale": scale}
        assert_plain(kind, is_sparse, **options)


@sides
@kinds
def test_rows_of_float32(kind, is_sparse):
    for penalty, average_from in product(PENALTIES, (0, 1)):
        options = penalty | {"shape": SHAPES.get(kind, (0.0,))[0], "average_from": average_from}
        assert_plain(kind, is_sparse, np.float32, 2e-5, **options)


@sides
@pytest.mark.parametrize("rate", [PA1, PA2])
@pytest.mark.parametrize("kind", [HINGE, INSENSITIVE])
def test_passive_aggressive_steps(kind, rate, is_sparse):
    for penalty in PENALTIES:
        assert_plain(kind, is_sparse, learning_rate=rate, shape=SHAPES[kind][0], eta0=0.3, **penalty)


@sides
def test_a_run_without_intercept_or_sample_weights(is_sparse):
    X, y = rows(LOG_LOSS)
    options = {"penalty": L2_PENALTY, "bias_scale": 0.0}
    ref = Plain(X, y, **STARTS, sample_weight=np.ones(len(X)), loss=LOG_LOSS, **options)
    comp = solve(X, y, **STARTS, loss=LOG_LOSS, is_sparse=is_sparse, **options)
    assert comp.bias == STARTS["bias"]
    assert distance(comp.learned, ref.learned) <= 1e-12
    assert comp.objective == comp.loss == 0.0  # nobody watches them


@both_floats
@pytest.mark.any_cpu
@pytest.mark.parametrize("average_from", [0, 30])
def test_sparse_rows_have_the_bits_of_dense_ones(average_from, dtype):
    for kind, penalty, rate in product(KINDS, PENALTIES, (CONSTANT, OPTIMAL)):
        X, y = rows(kind)
        options = penalty | {"loss": kind, "shape": SHAPES.get(kind, (0.0,))[0], "learning_rate": rate}
        options |= {"average_from": average_from, "watched": 1, "shuffled": 1, "seed": 5, "dtype": dtype}
        ref, comp = (solve(X, y, **STARTS, is_sparse=is_sparse, **options) for is_sparse in (False, True))
        np.testing.assert_array_equal(comp.learned, ref.learned)
        assert (comp.objective, comp.loss, comp.t) == (ref.objective, ref.loss, ref.t)
        np.testing.assert_array_equal(comp.places, ref.places)


# --- how a run is cut -------------------------------------------------------------------------------------------------


@sides
@both_floats
def test_pauses_change_no_bit(dtype, is_sparse):
    X, y = rows(LOG_LOSS)
    for penalty, average_from, rate in product(PENALTIES, (0, 30), (CONSTANT, PA1)):
        kind = LOG_LOSS if rate == CONSTANT else SQUARED_ERROR
        options = penalty | {"loss": kind, "average_from": average_from, "watched": 1, "learning_rate": rate}
        options |= {"shuffled": 1, "seed": 3, "is_sparse": is_sparse, "dtype": dtype}
        ref = solve(X, y, **STARTS, **options)
        assert ref.reasons == [DONE]
        for most in (1, 7, 40, 41):
            comp = solve(X, y, **STARTS, most=most, **options)
            assert comp.reasons == [PAUSE] * (len(comp.reasons) - 1) + [DONE]
            assert len(comp.reasons) >= 120 // most
            np.testing.assert_array_equal(comp.learned, ref.learned)
            np.testing.assert_array_equal(comp.state, ref.state)


@sides
@both_floats
@pytest.mark.parametrize("penalty", PENALTIES[2:], ids=["l2", "elasticnet"])
def test_a_scale_that_gets_too_small_is_multiplied_in(penalty, dtype, is_sparse):
    """Without means the kernel does it; means are settled outside, in the middle of a row.

    A mean of weights loses as many digits as their scale has lost. With l1 it also depends on when it is settled.
    """
    exact_to, mean_to = (1e-12, 1e-6) if dtype == np.float64 else (2e-5, 2e-2)
    for average_from in (0, 1, 100):
        options = penalty | {"loss": LOG_LOSS, "average_from": average_from, "alpha": 8.0, "eta0": 0.05}
        X, y = (part.astype(dtype).astype(float) for part in rows(LOG_LOSS))
        ref = Plain(X, y, **STARTS, sample_weight=np.ones(len(X)), **options)
        options |= {"is_sparse": is_sparse, "dtype": dtype}
        comp, cut = (solve(X, y, **STARTS, **options, most=most) for most in (9999, 1))
        np.testing.assert_array_equal(cut.learned, comp.learned)
        assert distance([*comp.weights, comp.bias, comp.mean_bias], [*ref.w, ref.b, ref.mean_bias]) <= exact_to
        if penalty["penalty"] == L2_PENALTY and average_from:
            assert distance(comp.means, ref.mean) <= mean_to
        assert comp.reasons == [SETTLE] * (len(comp.reasons) - 1) + [DONE]
        assert (len(comp.reasons) > 1) == (average_from > 0)


@sides
def test_a_penalty_that_leaves_nothing(is_sparse):
    """A rate times alpha of 1 and more shrinks the weights to 0 before each step, and their scale becomes 1."""
    assert_plain(LOG_LOSS, is_sparse, penalty=L2_PENALTY, eta0=0.5, alpha=2.5)


@sides
@pytest.mark.parametrize("shuffled", [0, 1])
def test_held_rows_are_not_trained_on(shuffled, is_sparse):
    X, y = rows(LOG_LOSS)
    held = np.arange(len(X)) % 3 == 1
    X[held] = np.nan
    options = {"loss": LOG_LOSS, "penalty": L2_PENALTY, "watched": 1, "epochs": 1, "is_sparse": is_sparse}
    comp = solve(X, y, **STARTS, held=held, shuffled=shuffled, seed=4, **options)
    assert (comp.places == np.arange(len(X))).all() == (not shuffled)
    order = comp.places[~held[comp.places]]
    np.testing.assert_array_equal(comp.rows, order)
    ref = solve(X[order], y[order], **STARTS, **options)
    np.testing.assert_array_equal(comp.learned, ref.learned)
    assert comp.objective == ref.objective


@sides
@pytest.mark.parametrize("in_weights", [False, True])
def test_weights_that_overflow(in_weights, is_sparse):
    """The run stops at the end of the epoch, whether weights or only the bias are infinite."""
    X, y = np.full((2, 1), 1e300 if in_weights else 0.0), np.full(2, 1e13)
    comp = solve(X, y, loss=SQUARED_ERROR, eta0=1e300, bias_scale=0.0 if in_weights else 1.0, is_sparse=is_sparse)
    assert comp.reasons == [OVERFLOW]
    assert math.isfinite(comp.bias) == in_weights
    assert comp.state[exact.EPOCH] == 1.0


# --- when a run ends --------------------------------------------------------------------------------------------------


@sides
def test_each_epoch_can_be_looked_at(is_sparse):
    X, y = rows(LOG_LOSS)
    comp = solve(X, y, loss=LOG_LOSS, one_epoch=1, is_sparse=is_sparse)
    ref = solve(X, y, loss=LOG_LOSS, epochs=1, is_sparse=is_sparse)
    assert (comp.reasons, ref.reasons) == ([LOOK], [DONE])
    assert comp.state[exact.EPOCH] == ref.state[exact.EPOCH] == 1.0
    np.testing.assert_array_equal(comp.learned, ref.learned)


@sides
@pytest.mark.parametrize("rate", [CONSTANT, ADAPTIVE])
def test_it_stops_if_the_objective_does_not_come_down(rate, is_sparse):
    """Watched from outside, an epoch at a time; "adaptive" takes a fifth of its rate instead, down to 1e-6."""
    X, y = rows(LOG_LOSS)
    options = {"loss": LOG_LOSS, "penalty": L2_PENALTY, "watched": 1, "is_sparse": is_sparse, "learning_rate": rate}
    comp = solve(X, y, **options, epochs=200, tol=1e-3)
    epochs, best, waited, eta, own = 0, math.inf, 0, 0.05, {"start": np.zeros(4), "bias": 0.1}
    while waited < 2:
        epochs += 1
        run = solve(X, y, **own, **options | {"learning_rate": CONSTANT}, epochs=1, eta0=eta)
        own, value = {"start": run.weights, "bias": run.bias}, run.objective / len(X)
        waited, best = waited + 1 if value > best - 1e-3 else 0, min(best, value)
        if waited == 2 and rate == ADAPTIVE and eta > 1e-6:
            eta, waited = eta / 5.0, 0
    assert comp.state[exact.EPOCH] == epochs < 200
    assert comp.state[exact.ETA] == eta
    assert distance(comp.weights, own["start"]) <= 1e-12


def test_a_score_that_gets_better_goes_on():
    given, state = np.zeros(exact.N_OPTIONS), np.zeros(exact.N_STATE)
    given[[exact.TOL, exact.PATIENCE]], state[exact.BEST] = (0.01, 2.0), np.inf
    ends = [bool(exact_runs.exact.stops(given, state, -score)) for score in (0.5, 0.6, 0.605, 0.7, 0.7, 0.7)]
    assert ends == [False, False, False, False, False, True]
    assert state[exact.BEST] == -0.7


# --- the checks above can fail ----------------------------------------------------------------------------------------

HALF = "update, half, state[HALF] = state[UPDATE], False, 0.0"
PLANTED = [
    (exact_losses, Mistake("epsilon left out", "beyond = off - shape", "beyond = off", "row_loss"), "losses"),
    (exact, Mistake("no limit to slopes", "slope = STEEPEST", "pass"), "kinks"),
    (exact, Mistake("rates a row late", "options[OFFSET] + state[T] - 1.0", "options[OFFSET] + state[T]"), "plain"),
    (exact, Mistake("another share", "share = 1.0 / rounded", "share = 1.0 / (rounded + 1.0)"), "plain"),
    (exact, Mistake("size not shrunk", "state[SIZE] *= np.float64(keep)", "pass", "shrink"), "plain"),
    (
        exact_sweeps,
        Mistake("l1 pays too much", "abs(before) - room / scale", "abs(before) - 2.0 * room / scale"),
        "plain",
    ),
    (exact, Mistake("owed is forgotten", "state[OWED] += ...", "state[OWED] = 0.0", "run_sparse"), "bits"),
    (exact, Mistake("update forgotten", HALF, HALF.replace("state[UPDATE]", "0.0"), "run_dense"), "settled"),
    (
        exact,
        Mistake("a row lost", "state[POSITION] = i", "state[POSITION] = i + 1", "run_dense", "return PAUSE"),
        "pauses",
    ),
    (exact, Mistake("held rows trained on", "held[place] == 0", "held[place] >= 0"), "held"),
    (exact, Mistake("infinite weights", "math.isfinite(weights[j])", "True"), "overflow"),
    (exact, Mistake("never patient", "state[WAITED] + 1.0 if worse else 0.0", "state[WAITED] + 1.0"), "stops"),
]


def planted(mistake=None, module=None):
    """A copy of the kernels in plain Python, with a mistake in a module, which asks for nothing beforehand."""
    copy = plain_copies(exact_losses, exact_sweeps, exact, mistake=mistake, into=module)[exact]
    copy.prefetch_far = copy.ask_for = lambda *_: None
    return copy


CHECKS = {
    "losses": lambda: test_losses_and_slopes_are_their_formulas(INSENSITIVE),
    "kinks": test_slopes_at_their_kinks_and_limits,
    "plain": lambda: test_a_run_is_that_of_plain_python(LOG_LOSS, 1, False),
    "bits": lambda: test_sparse_rows_have_the_bits_of_dense_ones(0, np.float64),
    "settled": lambda: test_a_scale_that_gets_too_small_is_multiplied_in(PENALTIES[2], np.float64, False),
    "pauses": lambda: test_pauses_change_no_bit(np.float64, False),
    "held": lambda: test_held_rows_are_not_trained_on(0, False),
    "overflow": lambda: test_weights_that_overflow(True, False),
    "stops": test_a_score_that_gets_better_goes_on,
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("check", CHECKS)
def test_copies_without_mistake(check, monkeypatch):
    monkeypatch.setattr(exact_runs, "exact", planted())
    CHECKS[check]()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("module", "mistake", "check"), PLANTED, ids=[str(mistake) for _, mistake, _ in PLANTED])
def test_planted_mistake(module, mistake, check, monkeypatch):
    monkeypatch.setattr(exact_runs, "exact", planted(mistake, module))
    with pytest.raises((AssertionError, IndexError)):
        CHECKS[check]()
