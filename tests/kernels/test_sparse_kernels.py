"""The kernels for rows stored as CSR: against rows worked by hand, the same rows dense, and the reference."""

# ruff: noqa: E501 - a line a mistake

import inspect
import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from compare import assert_keeps, distance
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, plain_copy
from test_planted_mistakes import planted

from tinynet_fast.kernels import layout, reference, strict, vectorized
from tinynet_fast.kernels.engines import ENGINES, FAST
from tinynet_fast.kernels.fast import sparse
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.schedules import Penalties

REFERENCE = ENGINES["reference"]
PROMISING = [engine for engine in ENGINES.values() if engine is not REFERENCE]


@dataclass(frozen=True)
class Problem:
    """Rows, given dense with what is `stored`, and how a neuron is trained on them."""

    X: np.ndarray
    stored: np.ndarray
    y: np.ndarray
    schedule: np.ndarray
    weights: np.ndarray
    bias: float = 0.1
    loss: str = "log_loss"
    bias_scale: float = 1.0
    penalty: tuple = (0.0, 0.0, 0.0)  # l2, l1, watched
    epochs: int = 1
    block: int = 10_000
    order: np.ndarray | None = None
    indices: str = "int32"

    @property
    def rule(self):
        chosen = choose_loss(self.loss)
        return np.array([chosen.code, chosen.shape, self.bias_scale, *self.penalty])

    @property
    def places(self):
        return np.arange(len(self.X)) if self.order is None else self.order

    def csr(self, engine):
        """data, indices, indptr as the engine takes them."""
        rows = self.X[self.stored], np.nonzero(self.stored)[1].astype(self.indices)
        arrays = *rows, np.concatenate([[0], self.stored.sum(axis=1).cumsum()])
        return [array.tolist() for array in arrays] if engine.module == "reference" else arrays

    def solve(self, engine, calls_an_epoch=True):
        """Weights and bias; their means; what was paid, asked for and watched; losses."""
        own, d = engine.own, len(self.weights)
        exact = engine is ENGINES["strict"]
        kernel = sparse.sgd_sparse_epochs_exact if exact else engine.kernels.sgd_sparse_epochs
        v, bias, state = own(self.weights.copy()), own(np.array([self.bias])), np.zeros(8)
        sums, paid, losses = own(np.zeros(d)), own(np.zeros(d)), own(np.zeros(self.epochs))
        state[[layout.SCALE, layout.B]] = 1.0
        state, rule = own(state), own(self.rule)
        slots = [own(np.zeros(1)) for _ in range(self.epochs)] if calls_an_epoch else [losses]
        for slot in slots:
            for start in range(0, len(self.places), self.block):
                part = slice(start, start + self.block)
                order = self.places[part].tolist() if engine.module == "reference" else self.places[part]
                given = order, own(self.y[part]), own(self.schedule[part]), rule
                kernel(*self.csr(engine), *given, v, bias, sums, paid, state, slot)
        getattr(engine.kernels, "sparse_rescale", strict.sparse_rescale)(v, sums, state)
        losses = np.concatenate(slots)
        seen = np.asarray(state)[[layout.OWED, layout.SQUARE, layout.SIZE, layout.OBJECTIVE]]
        return np.append(v, bias), np.append(sums, state[layout.MEAN_BIAS]), np.append(paid, seen), losses

    def solve_dense(self, engine=REFERENCE):
        """The same, by the kernel for dense rows."""
        own, d = engine.own, len(self.weights)
        w, bias, losses = own(self.weights.copy()), own(np.array([self.bias])), own(np.zeros(self.epochs))
        means, paid, X = own(np.zeros(d + 1)), own(np.zeros(d + 1)), np.where(self.stored, self.X, 0.0)[self.places]
        given = own(X), own(self.y), own(self.schedule), own(self.rule)
        engine.kernels.sgd_regularized_epochs(*given, w, bias, means, paid, losses)
        return np.append(w, bias), np.array(means), np.array(paid), np.array(losses)


@st.composite
def problems(draw, l1=True, penalties=True, losses=("log_loss", "squared_error")):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(0, 60)), draw(st.integers(1, 40))
    stored = rng.random((n, d)) < draw(st.sampled_from([0.0, 0.05, 0.3, 0.9, 1.0]))
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.9)  # some zeros are stored
    longest = np.max((np.where(stored, X, 0.0) ** 2).sum(axis=1), initial=0.0) + 1.0
    rate = min(10.0 ** draw(st.floats(-3, 1)), 8.0 / longest)
    l2, l1_penalty = (draw(st.sampled_from([0.0, 0.0, 0.01, 0.5, 5.0])) for _ in range(2))
    l2, l1_penalty = l2 if penalties else 0.0, l1_penalty / 50.0 if l1 and penalties else 0.0
    average, loss = draw(st.sampled_from([0, 0, 1, 20])), draw(st.sampled_from(losses))
    weight = rng.random(n) * (rng.random(n) < 0.7) if draw(st.booleans()) else None
    schedule = Penalties(l2, l1_penalty, average if penalties else 0, loss).schedule_rows(np.full(n, rate), weight, 0)
    watched = (l2, l1_penalty, float(draw(st.booleans())))
    return Problem(
        X,
        stored,
        (rng.random(n) < 0.5).astype(float),
        schedule,
        rng.standard_normal(d) * draw(st.sampled_from([0.0, 1.0])),
        float(rng.standard_normal()),
        loss,
        draw(st.sampled_from([1.0, 0.01])),
        watched,
        1 if schedule[:, 3].any() else draw(st.integers(1, 3)),  # shares count the rows of one epoch
        draw(st.integers(1, n + 1)),
        rng.permutation(n) if draw(st.booleans()) else None,
    )


def named(engines):
    return pytest.mark.parametrize("engine", engines, ids=lambda engine: engine.name)


def assert_same(engine, comp, ref):
    """Bit for bit, or weights and bias, means and losses each within the promise."""
    for i, (one, other) in enumerate(zip(comp, ref, strict=True)):
        if engine.promise == 0.0 or i != 2:
            assert_keeps(engine.promise, one, other)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def for_engine(engine, problem):
    """The fast engine leaves squared error to the strict one."""
    return replace(problem, loss="log_loss") if engine.module == "fast" else problem


# --- against the reference --------------------------------------------------------------------------------------------


@named(PROMISING)
@given(problem=problems())
def test_sparse_rows(engine, problem):
    problem = for_engine(engine, problem)
    assert_same(engine, problem.solve(engine), problem.solve(REFERENCE))


@named(PROMISING)
@given(problem=problems(), block=st.integers(1, 61))
def test_sparse_blocks_and_epochs_change_no_bit(engine, problem, block):
    """Cut into calls anywhere; and with all epochs in one call, where the schedule is the same in each."""
    problem = for_engine(engine, problem)
    whole = replace(problem, block=len(problem.X) + 1)
    for one, ref in zip(replace(problem, block=block).solve(engine)[:3], whole.solve(engine)[:3], strict=True):
        np.testing.assert_array_equal(one, ref, strict=True)
    for one, ref in zip(whole.solve(engine, calls_an_epoch=False), whole.solve(engine), strict=True):
        np.testing.assert_array_equal(one, ref, strict=True)


@pytest.mark.parametrize(("values", "indices"), [("float32", "int32"), ("float64", "int64")])
@named([ENGINES[name] for name in ("numpy", "strict", "fast")])
def test_other_types_are_read_as_they_are(engine, values, indices):
    problem = example(300, 40)
    problem = replace(problem, X=problem.X.astype(values), indices=indices)
    wide = replace(problem, X=problem.X.astype(np.float64), indices="int32")
    assert_same(engine, problem.solve(engine), wide.solve(REFERENCE))


@pytest.mark.parametrize("values", ["float32", "float64"])
@pytest.mark.parametrize("numba", [True, False])
def test_stored_values_are_of_a_type_with_kernels(monkeypatch, numba, values):
    """The library of kernels takes float64 alone; what Numba compiles takes rows as they are, and nothing is copied."""
    monkeypatch.setattr(sparse, "has_numba", lambda: numba)
    data = np.array([0.1, 1e-30, -3.0], values)
    comp = sparse.stored_values(data)
    assert comp.dtype == (values if numba else "float64")
    assert (comp is data) == (comp.dtype == data.dtype)
    np.testing.assert_array_equal(comp, data)


@named(PROMISING)
@given(problem=problems())
def test_sums_of_sparse_rows(engine, problem):
    ref, comp = [0.0] * len(problem.X), np.zeros(len(problem.X))
    given = problem.weights.tolist(), [problem.bias]
    reference.sparse_logits(*problem.csr(REFERENCE), problem.places.tolist(), *given, ref)
    given = problem.weights, np.array([problem.bias])
    engine.kernels.sparse_logits(*problem.csr(engine), problem.places, *given, comp)
    if engine.promise == 0.0:
        assert comp.tolist() == ref
    size = np.abs(np.where(problem.stored, problem.X, 0.0)[problem.places]) @ np.abs(problem.weights)
    assert (np.abs(comp - ref) <= 1e-14 * (size + abs(problem.bias))).all()


def test_largest_square_norm():
    problem = example(200, 30)
    data, _, indptr = problem.csr(ENGINES["strict"])
    norms, weight = (np.where(problem.stored, problem.X, 0.0) ** 2).sum(axis=1) + 1.0, np.linspace(0.0, 2.0, 200)
    assert sparse.sparse_row_bound(data, indptr, np.ones(1)) == pytest.approx(norms.max(), rel=1e-13)
    assert sparse.sparse_row_bound(data, indptr, weight) == pytest.approx((norms * weight).max(), rel=1e-13)


# --- against the same rows, dense -------------------------------------------------------------------------------------


@given(problem=problems(penalties=False))
def test_without_penalties_the_bits_are_those_of_dense_rows(problem):
    for engine in (REFERENCE, ENGINES["strict"]):
        comp, ref = problem.solve(engine), problem.solve_dense(engine)
        np.testing.assert_array_equal(comp[0], ref[0])
        np.testing.assert_array_equal(replace(problem, block=10_000).solve(engine)[3], ref[3])


@given(problem=problems(l1=False, losses=("log_loss",)))
def test_l2_and_averaging_give_the_weights_of_dense_rows(problem):
    comp, ref = problem.solve(REFERENCE), problem.solve_dense()
    assert distance(comp[0], ref[0]) <= 1e-12
    assert np.linalg.norm(comp[1] - ref[1]) <= 1e-12 * max(np.linalg.norm(ref[1]), np.linalg.norm(ref[0]))


@given(problem=problems())
def test_l1_of_rows_that_store_every_input_is_that_of_dense_rows(problem):
    problem = replace(
        problem, stored=np.ones_like(problem.stored), schedule=problem.schedule * 0.1 + [0.0, 0.9, 0.0, 0.0]
    )
    comp, ref = problem.solve(REFERENCE), problem.solve_dense()
    scale = max(np.linalg.norm(ref[0]), 1.0)
    assert np.linalg.norm(comp[0] - ref[0]) <= 1e-10 * scale
    assert np.linalg.norm(comp[2][: len(ref[2])] - ref[2]) <= 1e-10 * max(np.linalg.norm(ref[2]), scale)


# --- rows worked by hand ----------------------------------------------------------------------------------------------

THREE = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]])  # the last stores nothing
START = np.array([0.3, 0.7, -0.1])


def by_hand(schedule, **options):
    schedule = np.array(schedule, dtype=float)
    return Problem(THREE, THREE != 0.0, np.array([1.0, 0.0, 1.0]), schedule, START, 0.1, **options)


def sigmoid(z):
    return 1.0 / (1.0 + math.exp(-z))


def plain_by_hand(engine):
    """Three rows, and each moves what it stores and the bias."""
    e = sigmoid(0.3 - 0.2 + 0.1) - 1.0
    w0, w2, b, losses = 0.3 - 0.5 * e, -0.1 - 0.5 * e * 2.0, 0.1 - 0.5 * e, e * e
    e = sigmoid(b - w2)
    w2, b, losses = w2 + 0.5 * e, b - 0.5 * e, losses + e * e
    e = sigmoid(b) - 1.0
    b, losses = b - 0.5 * e, losses + e * e
    comp = by_hand([[0.5, 1.0, 0.0, 0.0]] * 3).solve(engine)
    assert comp[0] == pytest.approx([w0, 0.7, w2, b], rel=1e-14)
    assert comp[3] == pytest.approx([losses], rel=1e-14)


def squared_error_by_hand(engine):
    p = sigmoid(0.2)
    e = (p - 1.0) * 2.0 * p * (1.0 - p)
    problem = by_hand([[0.5, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], loss="squared_error")
    assert problem.solve(engine)[0] == pytest.approx([0.3 - 0.5 * e, 0.7, -0.1 - e, 0.1 - 0.5 * e], rel=1e-14)


def l2_and_mean_by_hand(engine):
    """Every weight shrinks at every row, stored or not; the mean is of the weights after the rows; the bias is slow."""
    keeps, w, b, seen = (0.9, 1e-4, 0.8), START, 0.1, []
    for x, y, keep in zip(THREE, (1.0, 0.0, 1.0), keeps, strict=True):
        e = sigmoid(float(x @ w) + b) - y
        w, b = keep * w - 0.5 * e * x, b - 0.01 * 0.5 * e
        seen.append(np.append(w, b))
    schedule = [[0.5, keep, 0.0, share] for keep, share in zip(keeps, (1.0, 1 / 2, 1 / 3), strict=True)]
    weights, means, _, _ = by_hand(schedule, bias_scale=0.01).solve(engine)
    assert weights == pytest.approx(seen[-1], rel=1e-13)
    assert means == pytest.approx(np.mean(seen, axis=0), rel=1e-12)


def l1_by_hand(engine):
    """The first row pays for its own two inputs; the second for both rows on its one; input 1 is in none and pays none.

    Input 0 goes to zero and no further, and what it could not pay is not carried over to its sign.
    """
    e = sigmoid(0.2) - 1.0
    w0, w2, b = 0.3 - 0.5 * e, -0.1 - 0.5 * e * 2.0, 0.1 - 0.5 * e  # 0.525, 0.350 and 0.325
    paid0, paid2 = -0.4, -w2  # of the 0.4 that was asked for: input 0 all of it, input 2 no more than it has
    e = sigmoid(b)  # input 2 stands at zero
    before = 0.5 * e
    after = max(0.0, before - (0.4 + 0.3 + paid2))
    comp = by_hand([[0.5, 1.0, 0.4, 0.0], [0.5, 1.0, 0.3, 0.0], [0.0, 1.0, 0.2, 0.0]]).solve(engine)
    assert comp[0] == pytest.approx([w0 - 0.4, 0.7, after, b - 0.5 * e], rel=1e-13)
    assert comp[2][:4] == pytest.approx([paid0, 0.0, paid2 + after - before, 0.9], rel=1e-13)
    assert 0.0 < w2 < 0.4 < w0


def objective_by_hand(engine):
    """What a row comes to before its update, with the penalty of the weights that the last row stored."""
    schedule = [[0.5, 0.9, 0.0, 0.0], [0.0, 0.8, 0.0, 0.0], [0.5, 1.0, 0.0, 0.0]]
    comp = by_hand(schedule, penalty=(0.2, 0.3, 1.0)).solve(engine)
    total = math.log(1.0 + math.exp(-0.2))
    e = sigmoid(0.2) - 1.0
    w0, w2, b = 0.27 - 0.5 * e, -0.09 - e, 0.1 - 0.5 * e
    square, size = w0 * w0 + w2 * w2, abs(w0) + abs(w2)
    total += math.log(1.0 + math.exp(b - w2)) + 0.1 * square + 0.3 * size
    total += math.log(1.0 + math.exp(-b)) + 0.1 * 0.64 * square + 0.3 * 0.8 * size  # shrunk, since nothing was nudged
    assert comp[2][-1] == pytest.approx(total, rel=1e-13)


def sums_by_hand(engine):
    out = engine.own(np.zeros(2))
    rows, order = by_hand([[0.0] * 4] * 3).csr(engine), [1, 0] if engine is REFERENCE else np.array([1, 0])
    engine.kernels.sparse_logits(*rows, order, engine.own(START), engine.own(np.array([0.1])), out)
    assert list(out) == pytest.approx([0.2, 0.2], rel=1e-14)


def dense_rows(engine):
    """Not by hand, but by kernels that know nothing of stored values."""
    for l2, average in ((0.0, 0), (0.05, 1), (9.0, 40)):
        problem = replace(example(120, 12, l2, average), order=np.random.default_rng(5).permutation(120))
        comp, ref = problem.solve(engine), problem.solve_dense()
        assert distance(comp[0], ref[0]) <= 1e-12
        assert distance(comp[1], ref[1]) <= 1e-12


ORACLES = (
    plain_by_hand,
    squared_error_by_hand,
    l2_and_mean_by_hand,
    l1_by_hand,
    objective_by_hand,
    sums_by_hand,
    dense_rows,
)


def example(n, d, l2=0.05, average=1, l1=0.0):
    rng = np.random.default_rng(3)
    stored = rng.random((n, d)) < 0.3
    schedule = Penalties(l2, l1, average, "log_loss").schedule_rows(np.full(n, 0.1), rng.random(n), 0)
    y = (rng.random(n) < 0.5).astype(float)
    penalty = (l2, l1, 1.0)
    return Problem(
        rng.standard_normal((n, d)), stored, y, schedule, rng.standard_normal(d), 0.2, "log_loss", 0.01, penalty
    )


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.__name__)
def test_oracles(engine, oracle):
    if not (engine == "fast" and oracle is squared_error_by_hand):
        oracle(ENGINES[engine])


# --- the checks above can fail ----------------------------------------------------------------------------------------

IN_THE_REFERENCE_TOO = [
    Mistake("row by place in memory", "start, stop = indptr[order[i]], indptr[order[i] + 1]", "start, stop = indptr[i], indptr[i + 1]"),
    Mistake("last stored value left out", "for p in range(start, stop): v[indices[p]] -= factor * data[p]", "for p in range(start, stop - 1): v[indices[p]] -= factor * data[p]"),
    Mistake("only the last value counts", "z += v[indices[p]] * data[p]", "z = v[indices[p]] * data[p]"),
    Mistake("no penalty", "state[at.SCALE] *= keep", "state[at.SCALE] *= 1.0"),
    Mistake("nudge of v not rescaled", "factor = nudge / scale", "factor = nudge"),
    Mistake("weights lost with the scale", "v[j] *= state[at.SCALE]", "pass"),
    Mistake("mean lost with the scale", "sums[j] = (sums[j] + state[at.A] * v[j]) / state[at.B]", "sums[j] = sums[j] + state[at.A] * v[j]"),
    Mistake("mean with another factor", "added = state[at.A] * factor", "added = state[at.A] * nudge", "sgd_sparse_epochs", given="factor = nudge / scale"),
    Mistake("mean not diluted", "state[at.B] /= 1.0 - share", "pass"),
    Mistake("mean without the scale", "state[at.A] += share * state[at.B] * scale", "state[at.A] += share * state[at.B]"),
    Mistake("bias not in the mean", "state[at.MEAN_BIAS] += share * (bias[0] - state[at.MEAN_BIAS])", "pass"),
    Mistake("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge", "sgd_sparse_epochs"),
    Mistake("what is owed is forgotten", "state[at.OWED] += cut", "state[at.OWED] = cut"),
    Mistake("l1 paid twice", "paid[indices[p]] += scale * (v[indices[p]] - before)", "pass"),
    Mistake("half the gradient of squared error", "error * (2.0 * prediction * (1.0 - prediction))", "error * (prediction * (1.0 - prediction))"),
    Mistake("objective after the update", "state[at.SQUARE], state[at.SIZE] = square * (scale * scale), size * scale", "state[at.SQUARE], state[at.SIZE] = square, size"),
    Mistake("penalty of the weights as they were", "state[at.SQUARE] *= keep * keep; state[at.SIZE] *= keep", "pass"),
    Mistake("all of l2 in the objective", "0.5 * l2 * state[at.SQUARE]", "l2 * state[at.SQUARE]"),
    Mistake("sums without a bias", "out[i] = sparse_dot(...) + bias[0]", "out[i] = sparse_dot(...)"),
]  # fmt: skip
IN_STRICT = [
    Mistake("right to left", "for p in range(start, stop): ...", "for p in range(stop - 1, start - 1, -1): ...", "sparse_dot"),
    Mistake("a sum that starts beside zero", "z = 0.0", "z = 1e-17", "sparse_dot"),
    Mistake("grouping of the nudge", "v[...] -= factor * data[...]", "v[...] -= nudge * (data[...] / scale)", "sgd_sparse_epochs", given="factor = nudge / scale"),
    Mistake("losses of all epochs in the first slot", "losses[epoch] += history_loss(...)", "losses[0] += history_loss(...)", "sgd_sparse_epochs"),
]  # fmt: skip
IN_NUMPY = [
    Mistake("l1 paid twice", "paid[stored] += scale * (v[stored] - before)", "pass"),
    Mistake("mean with another factor", "sums[stored] += state[at.A] * (nudge / scale) * x", "sums[stored] += state[at.A] * nudge * x"),
    Mistake("mean lost with the scale", "sums[:] = (sums + state[at.A] * v[: len(sums)]) / state[at.B]", "pass"),
    Mistake("squares without the scale", "w = scale * v[stored]", "w = v[stored]"),
]  # fmt: skip
IN_FAST = [
    Mistake("a value in four left out", "z3 += v[np.uint64(indices[np.uint64(p + 3)])] * data[np.uint64(p + 3)]", "pass"),
    Mistake("a value too many", "range(start + 4 * fours, stop)", "range(start + 4 * fours - (fours > 0), stop)"),
    Mistake("no penalty", "scale *= keep", "scale *= 1.0"),
    Mistake("the bias moves as far as ever", "b -= bias_scale * nudge", "b -= nudge"),
    Mistake("mean with another factor", "state[at.A] * factor", "state[at.A] * nudge", "epochs", given="factor = nudge * inverse"),
    Mistake("l1 paid twice", "paid[j] = has + scale * (after - before)", "pass"),
    Mistake("l1 past zero", "left if left > 0.0 else 0.0", "left"),
    Mistake("l1 of the other sign", "(owed + has) if before > 0.0 else (owed - has)", "(owed + has) if before < 0.0 else (owed - has)"),
    Mistake("nudge not rescaled", "factor = nudge * inverse", "factor = nudge", "epochs", given="inverse = 1.0 / scale"),
    Mistake("loss of the last row", "loss += error * error", "loss = error * error"),
    Mistake("magnitudes with their sign", "size += abs(v[np.uint64(indices[np.uint64(p)])])", "size += v[np.uint64(indices[np.uint64(p)])]"),
]  # fmt: skip


def planted_sparse(module, mistake=None):
    """A copy of the kernels with a mistake, as an engine, in plain Python."""
    if module is not sparse:
        engine = planted(module, mistake)
        engine.kernels.__dict__.update(ask_for=lambda *rows: None)
        return engine
    copy = plain_copy(sparse, mistake)
    copy.sparse_rescale = reference.sparse_rescale
    return type(FAST)(copy)


def broken_promise(engine):
    """Whether some example is not the reference's; by other sums, not by an oracle's."""
    order = np.random.default_rng(1).permutation(50)
    for l2, average, l1 in ((0.0, 0, 0.0), (0.05, 1, 0.0), (9.0, 20, 0.0), (0.05, 0, 0.05)):
        problem = replace(example(50, 12, l2, average, l1), order=order, epochs=2)
        with np.errstate(all="ignore"):
            try:
                for how in (True, False):
                    assert_same(engine, problem.solve(engine, how), problem.solve(REFERENCE, how))
            except AssertionError:
                return True
    return False


def found_by_an_oracle(engine):
    for oracle in ORACLES:
        try:
            oracle(engine)
        except AssertionError:
            return oracle.__name__
    return None


@pytest.mark.parametrize("module", [strict, vectorized, sparse], ids=["strict", "numpy", "fast"])
def test_a_copy_without_a_mistake_passes(module):
    assert not broken_promise(planted_sparse(module))


@pytest.mark.parametrize(
    ("module", "mistake"),
    [(module, m) for module, ms in ((strict, IN_STRICT), (vectorized, IN_NUMPY), (sparse, IN_FAST)) for m in ms],
    ids=lambda value: str(value) if isinstance(value, Mistake) else "",
)
def test_a_mistake_is_caught(module, mistake):
    assert broken_promise(planted_sparse(module, mistake))


@pytest.mark.parametrize("mistake", IN_THE_REFERENCE_TOO, ids=str)
def test_a_mistake_that_the_reference_shares_is_found_by_an_oracle(mistake):
    assert found_by_an_oracle(planted_sparse(reference, mistake))


def test_an_oracle_finds_nothing_in_the_reference():
    assert found_by_an_oracle(planted_sparse(reference)) is None


def test_twins():
    """The same functions with the same arguments in the same order, in the three files that are to be read side by
    side."""
    names = ("sparse_dot", "sparse_rescale", "sgd_sparse_epochs", "sparse_logits")
    for module in (reference, vectorized, strict):
        places = [list(vars(module)).index(name) for name in names]
        assert all(a < b for a, b in pairwise(places))
        for name in names:
            ours = getattr(module, name)
            ours = inspect.signature(getattr(ours, "py_func", ours))
            assert list(ours.parameters) == list(inspect.signature(getattr(reference, name)).parameters)
