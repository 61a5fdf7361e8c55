"""The kernels for rows stored as CSR: rows worked by hand, and mistakes, planted in copies, that are caught."""

# ruff: noqa: E501 - a line a mistake

import math
from dataclasses import replace

import numpy as np
import pytest
from compare import distance
from planted import Mistake, plain_copy
from sparse_problems import REFERENCE, Problem, assert_same, example
from test_planted_mistakes import planted

from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.engines import ENGINES, FAST
from tinynet_fast.kernels.fast import sparse

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
