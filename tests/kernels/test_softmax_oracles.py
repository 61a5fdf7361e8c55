"""A neuron for more than two labels: rows by hand and other programs, and mistakes, planted in copies, that are caught."""

# ruff: noqa: E501 - a line a mistake

import math
from dataclasses import replace

import numpy as np
import pytest
from compare import distance
from planted import Mistake, plain_copies, plain_copy
from softmax_problems import SoftmaxProblem, bound_of, engines, problem

from tinynet_fast.kernels import reference, vectorized
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.engines import FAST, NUMPY, REFERENCE, TILE
from tinynet_fast.kernels.fast import functions, many_neurons, one_vs_rest, softmax_neuron

pytestmark = pytest.mark.any_cpu
pytest.importorskip("numba", reason="Numba compiles the kernels of a softmax")

# --- what is not this package -----------------------------------------------------------------------------------------


def two_rows_by_hand(engine):
    """Two rows of one input, three labels, each number written out: l2 shrinks first, and the mean comes after."""
    X, y = np.array([[2.0], [-1.0]]), np.array([1.0, 2.0])
    schedule = np.array([[0.5, 0.9, 0.0, 1.0], [0.25, 0.8, 0.0, 0.5]])
    start = np.array([[0.1, -0.2, 0.3], [0.0, 0.1, -0.1]])
    # Row 0: z = 2 w + b
    a, b, c = math.exp(0.2), math.exp(-0.4 + 0.1), math.exp(0.6 - 0.1)
    e = a / (a + b + c), b / (a + b + c) - 1.0, c / (a + b + c)
    w = [0.9 * 0.1 - 0.5 * e[0] * 2.0, 0.9 * -0.2 - 0.5 * e[1] * 2.0, 0.9 * 0.3 - 0.5 * e[2] * 2.0]
    v = [-0.5 * e[0], 0.1 - 0.5 * e[1], -0.1 - 0.5 * e[2]]
    # Row 1: z = -w + b
    a, b, c = math.exp(v[0] - w[0]), math.exp(v[1] - w[1]), math.exp(v[2] - w[2])
    f = a / (a + b + c), b / (a + b + c), c / (a + b + c) - 1.0
    after = [0.8 * w[0] + 0.25 * f[0], 0.8 * w[1] + 0.25 * f[1], 0.8 * w[2] + 0.25 * f[2]]
    bias = [v[0] - 0.25 * f[0], v[1] - 0.25 * f[1], v[2] - 0.25 * f[2]]
    weights, means, paid, losses = SoftmaxProblem(X, y, schedule, start).solve(engine)
    np.testing.assert_allclose(weights, [after, bias], rtol=1e-13)
    np.testing.assert_allclose(means, np.add([after, bias], [w, v]) / 2.0, rtol=1e-13)
    assert not paid.any()
    assert losses == pytest.approx([sum(x * x for x in e) + sum(x * x for x in f)], rel=1e-13)


def l1_by_hand(engine):
    """A row of one input: each weight pays 0.05, and stops at zero; biases pay nothing."""
    start, schedule = np.array([[0.3, -0.02, -0.4], [0.1, 0.2, 0.3]]), np.array([[0.0, 1.0, 0.05, 0.0]])
    weights, means, paid, _ = SoftmaxProblem(np.ones((1, 1)), np.zeros(1), schedule, start).solve(engine)
    np.testing.assert_allclose(weights, [[0.25, 0.0, -0.35], [0.1, 0.2, 0.3]], rtol=1e-14)
    np.testing.assert_allclose(paid, [[-0.05, 0.02, 0.05], [0.05, 0.05, 0.05]], rtol=1e-13)
    assert not means.any()


def one_neuron_for_two_labels(engine):
    """Of two labels, the difference of the weights is a neuron's that takes steps twice as long."""
    rng = np.random.default_rng(2)
    made = problem(rng, 23, 3, 2, l2=0.1, averaged=True)
    weights, means, _, losses = made.solve(engine)
    w, b = made.start[:-1, 1] - made.start[:-1, 0], made.start[-1:, 1] - made.start[-1:, 0]
    mean, squares = np.zeros(4), np.zeros(1)
    schedule = made.schedule * [2.0, 1.0, 1.0, 1.0]
    vectorized.sgd_regularized_epochs(
        made.X, made.y, schedule, np.array([0.0, 0.0, 1.0]), w, b, mean, np.zeros(4), squares
    )
    np.testing.assert_allclose(weights[:, 1] - weights[:, 0], np.append(w, b), rtol=1e-11)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], mean, rtol=1e-11)
    assert losses == pytest.approx(2.0 * squares, rel=1e-12)


def finite_differences(engine):
    """A row moves each weight by its step times the slope of the row's cross-entropy, which is measured here."""

    def cross_entropy(x, label, weights):
        z = x @ weights[:-1] + weights[-1]
        return math.log(sum(math.exp(s) for s in z)) - z[label]

    rng = np.random.default_rng(3)
    for label in range(4):
        made = problem(rng, 1, 3, 4)
        made = replace(made, y=np.array([float(label)]), schedule=np.array([[0.1, 1.0, 0.0, 0.0]]))
        moved = made.solve(engine)[0] - made.start
        for place in np.ndindex(made.start.shape):
            above, below = made.start.copy(), made.start.copy()
            above[place] += 1e-6
            below[place] -= 1e-6
            slope = (cross_entropy(made.X[0], label, above) - cross_entropy(made.X[0], label, below)) / 2e-6
            assert moved[place] == pytest.approx(-0.1 * slope, abs=1e-9)


BY_HAND = [two_rows_by_hand, l1_by_hand, one_neuron_for_two_labels, finite_differences]


@engines
@pytest.mark.parametrize("oracle", BY_HAND, ids=lambda oracle: oracle.__name__)
def test_oracles(engine, oracle):
    if oracle is l1_by_hand and engine.smooth_only:
        pytest.skip("this engine leaves l1 to strict")
    oracle(engine)


@engines
def test_against_pytorch(engine):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)  # for so few rows a second thread is only in the way
    made = problem(np.random.default_rng(4), 40, 6, 5)
    weights = torch.tensor(made.start, requires_grad=True)
    for x, label, row in zip(made.X, made.y, made.schedule, strict=True):
        z = torch.tensor(x) @ weights[:-1] + weights[-1]
        loss = torch.nn.functional.cross_entropy(z[None], torch.tensor([int(label)]))
        (gradient,) = torch.autograd.grad(loss, weights)
        weights = (weights - gradient * float(row[0])).detach().requires_grad_()
    assert distance(made.solve(engine)[0], weights.detach().numpy()) <= 1e-12


@engines
def test_against_scikit_learns_network_without_hidden_layers(engine):
    """Its batches of one row are the same updates; its alpha is l2."""
    linear = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
    made = problem(np.random.default_rng(4), 40, 6, 5)
    rate, alpha = 0.3 * bound_of(made.X), 0.01
    options = {"solver": "sgd", "batch_size": 1, "shuffle": False, "momentum": 0.0, "alpha": alpha}
    peer = linear.MLPClassifier(hidden_layer_sizes=(), learning_rate_init=rate, random_state=0, **options)
    peer.partial_fit(made.X[:1], made.y[:1], classes=np.arange(5.0))
    start = np.vstack([peer.coefs_[0], peer.intercepts_[0]])
    peer.partial_fit(made.X, made.y)
    schedule = np.tile([rate, 1.0 - rate * alpha, 0.0, 0.0], (40, 1))
    comp = replace(made, start=start, schedule=schedule).solve(engine)[0]
    assert distance(comp, np.vstack([peer.coefs_[0], peer.intercepts_[0]])) <= 1e-12


def test_the_weights_are_parameters_of_a_network():
    """A network of one softmax layer has the same sums, so `network_logits` predicts."""
    made = problem(np.random.default_rng(5), 8, 3, 4)
    layers, units, out = [[3, 4, reference.SOFTMAX]], np.zeros((2, 7)).tolist(), np.zeros((8, 4)).tolist()
    reference.network_logits(made.X.tolist(), layers, made.start.ravel().tolist(), units, out)
    np.testing.assert_allclose(out, made.X @ made.start[:-1] + made.start[-1], rtol=1e-13)


@pytest.mark.parametrize("k", [2, 3, 10])
def test_steps_within_the_bound_move_no_two_runs_apart(k):
    """And beyond it they can: two labels, each with the probability 1/2."""
    rng = np.random.default_rng(k)
    for keep in (1.0, 0.5):
        for _ in range(200):
            made = problem(rng, 1, 2, k, size=rng.choice([0.1, 1.0, 5.0]))
            step = bound_of(made.X) * (1.0 + keep) / 2.0
            made = replace(made, schedule=np.array([[step, keep, 0.0, 0.0]]))
            other = replace(made, start=made.start + 1e-3 * rng.standard_normal(made.start.shape))
            apart = np.linalg.norm(made.solve(NUMPY)[0] - other.solve(NUMPY)[0])
            assert apart <= np.linalg.norm(made.start - other.start) * (1.0 + 1e-9)
    made = problem(rng, 1, 2, 2)
    start = np.zeros((3, 2))
    towards = 1e-6 * np.append(made.X[0], 1.0)[:, np.newaxis] * [1.0, -1.0]
    for factor, farther in ((0.999, False), (1.001, True)):
        made = replace(made, schedule=np.array([[factor * bound_of(made.X), 1.0, 0.0, 0.0]]))
        one, other = replace(made, start=start), replace(made, start=start + towards)
        moved = np.linalg.norm(one.solve(NUMPY)[0] - other.solve(NUMPY)[0])
        assert (moved > np.linalg.norm(towards)) == farther


# --- planted mistakes -------------------------------------------------------------------------------------------------

IN_FAST = [
    Mistake("no bias update", "bias = bring_in_two(1.0, 1.0, ...)", "bias = bring_in_two(0.0, 1.0, ...)"),
    Mistake("bias of the second row forgotten", "bias = bring_in_two(1.0, 1.0, ...)", "bias = bring_in_two(1.0, 0.0, ...)"),
    Mistake("bias penalised", "bias = bring_in_two(1.0, 1.0, row + d, p, 1.0, ...)", "bias = bring_in_two(1.0, 1.0, row + d, p, keep_p, ...)", "sweep", given="w = bring_in_two(x, y, row + j, p, keep_p, ...)"),
    Mistake("second row does not know the first", "fma(-coupling, ..., z)", "z"),
    Mistake("second row does not know the first's bias", "coupling = dot_rows(...) + 1.0", "coupling = dot_rows(...)"),
    Mistake("second row does not know the first's shrinking", "fma(keep, z_ahead, bias)", "z_ahead + bias"),
    Mistake("bias shrinks before the second row", "fma(keep, z_ahead, bias)", "keep * (z_ahead + bias)"),
    Mistake("rows brought in swapped", "before, last, former = i, ahead, ...", "before, last, former = ahead, i, ..."),
    Mistake("shares swapped", "former = keep, schedule[i, at.SHARE], schedule[ahead, at.KEEP], schedule[ahead, at.SHARE]", "former = keep, schedule[ahead, at.SHARE], schedule[ahead, at.KEEP], schedule[i, at.SHARE]"),
    Mistake("second keep forgotten", "former = keep, ..., schedule[ahead, at.KEEP], ...", "former = keep, ..., 1.0, ..."),
    Mistake("one keep decides", "keep_p == 1.0 and keep_q == 1.0", "keep_p == 1.0 or keep_q == 1.0"),
    Mistake("odd row at the end taken twice", "if ahead > i: ...\nelse: ...", "if True: ..."),
    Mistake("last row of an odd number brings in another", "if ahead > i: ...\nelse: clear(...)", "if ahead > i: ...\nelse: pass"),
    Mistake("last rows not brought in", "if n > 0: ...", "if n < 0: ...", "epochs"),
    Mistake("an epoch starts with old nudges", "clear(table, NUDGES, lanes)", "pass"),
    Mistake("an epoch starts with old nudges of a second row", "clear(table, NUDGES, lanes); clear(table, NUDGES_AHEAD, lanes)", "clear(table, NUDGES, lanes)"),
    Mistake("squares of the tile before counted again", "clear(table, SQUARES, lanes)", "pass"),
    Mistake("the first group alone cleared", "range(row * every, row * every + every, ...)", "range(row * every, row * every + 1, ...)"),
    Mistake("own label forgotten", "where(load(...) == y, 1.0, 0.0)", "where(load(...) == y, 0.0, 0.0)"),
    Mistake("wrong sign", "fma(load(...), share, -own)", "fma(load(...), -share, own)"),
    Mistake("not normalised", "share = 1.0 / total_of(total)", "share = 1.0"),
    Mistake("one register's total", "for other in others: first = first + other\nreturn sum_of(first)", "return sum_of(first)"),
    Mistake("lanes without a label count", "where(code < 0.0, 0.0, fma(...))", "fma(...)"),
    Mistake("no shift", "if not largest_of(far) < NEAR: ...", "pass"),
    Mistake("shift too late", "NEAR = 250.0", "NEAR = 800.0"),
    Mistake("one register's largest", "for other in others: first = larger(other, first)", "pass"),
    Mistake("shift by a lane without a label", "larger(where(code < 0.0, -np.inf, z), top)", "larger(z, top)"),
    Mistake("only positive sums are far", "larger(size_of(z), far)", "larger(z, far)"),
    Mistake("exp of very little", "FARTHEST = -700.0", "FARTHEST = -9.0"),
    Mistake("exp of what is below what it takes", "clamp(load(...) - largest, FARTHEST, 0.0)", "load(...) - largest"),
    Mistake("group by the first group's nudges", "p = load(table, NUDGES * every + g * m, lanes)", "p = load(table, NUDGES * every, lanes)"),
    Mistake("groups share weights", "(X.shape[1] + 1) * (1 + len(averaged))", "0"),
    Mistake("label of the row before", "learn(table, SUMS, 0.0, NUDGES, y[i], ...)", "learn(table, SUMS, 0.0, NUDGES, y[i - 1], ...)"),
    Mistake("step of the first row for both", "step = schedule[ahead, at.STEP]", "step = schedule[i, at.STEP]", "epochs", given="ahead, keep = min(i + 1, n - 1), ..."),
    Mistake("loss not squared", "fma(error, error, squares)", "squares + error"),
    Mistake("means not given back", "_take(parts[:, 1], means)", "pass"),
    Mistake("means not taken up", "_put(means, parts[:, 1])", "pass"),
]  # fmt: skip
IN_REFERENCE = [
    Mistake("no bias update", "weights[d][u] -= step * errors[u]", "pass", "sgd_softmax_epochs"),
    Mistake("no bias in the sums", "errors[u] += weights[d][u]", "pass", "sgd_softmax_epochs"),
    Mistake("wrong sign", "keep * weights[j][u] - (step * errors[u]) * X[i][j]", "keep * weights[j][u] + (step * errors[u]) * X[i][j]"),
    Mistake("l2 twice", "keep * weights[j][u] - ...", "keep * keep * weights[j][u] - ..."),
    Mistake("penalty after the update", "keep * weights[j][u] - (step * errors[u]) * X[i][j]", "keep * (weights[j][u] - (step * errors[u]) * X[i][j])"),
    Mistake("not normalised", "math.exp(errors[u] - norm)", "math.exp(errors[u])", "sgd_softmax_epochs"),
    Mistake("no label is right", "1.0 if u == int(y[i]) else 0.0", "0.0"),
    Mistake("the label before is right", "1.0 if u == int(y[i]) else 0.0", "1.0 if u == int(y[i]) - 1 else 0.0"),
    Mistake("absolute error as the loss", "losses[epoch] += errors[u] * errors[u]", "losses[epoch] += abs(errors[u])"),
    Mistake("mean of the weights before the row", "means[j][u] += share * (weights[j][u] - means[j][u])", "means[j][u] += share * (weights[j][u] + step * errors[u] - means[j][u])", "sgd_softmax_epochs", given="weights[d][u] -= step * errors[u]"),
    Mistake("bias left out of the mean", "range(d + 1)", "range(d)", "sgd_softmax_epochs"),
    Mistake("l1 twice", "paid[d][u] += cut", "paid[d][u] += 2.0 * cut"),
    Mistake("l1 not paid", "paid[j][u] += weights[j][u] - before", "pass"),
]  # fmt: skip


def planted_fast(mistake=None):
    """A copy of the fast kernel in plain Python, where registers are arrays."""
    copies = plain_copies(
        simd, functions, many_neurons, one_vs_rest, softmax_neuron, mistake=mistake, into=softmax_neuron
    )
    return type(FAST)(copies[softmax_neuron])


def caught(engine):
    """Whether a few cases tell the kernel from the reference."""
    rng = np.random.default_rng(5)
    few = [
        problem(rng, 9, 3, 5, averaged=True),
        problem(rng, 8, 3, 5, l2=1.0),
        replace(problem(rng, 9, 2, 12, l2=0.3, averaged=True), cuts=(4, 7)),
        replace(problem(rng, 7, 2, 34, averaged=True, l2=0.5), epochs=2),
        replace(problem(rng, TILE + 4, 1, 2), epochs=2),
    ]
    alternating = few[0].schedule.copy()
    alternating[:, 1] = np.where(np.arange(9) % 2, 1.0, 0.5)
    few.append(replace(few[0], schedule=alternating))
    for size in (300.0, -300.0, 780.0, -1000.0, 1e4):
        far = problem(rng, 6, 2, 11, reach=0.1)
        both = np.array([far.start, far.start])
        both[0, -1] += size
        both[1, -1, 9] += size
        few += [replace(far, start=start) for start in both]
    try:
        for made in few:
            made.check(engine)
    except (AssertionError, IndexError):
        return True
    return False


def found_by_an_oracle(engine):
    for oracle in BY_HAND:
        try:
            oracle(engine)
        except (AssertionError, OverflowError):
            return True
    return False


def test_copies_without_a_mistake_pass():
    assert not caught(planted_fast())
    assert not found_by_an_oracle(type(REFERENCE)(plain_copy(reference)))


@pytest.mark.parametrize("mistake", IN_FAST, ids=str)
def test_planted_mistakes_are_caught(mistake):
    with np.errstate(all="ignore"):
        assert caught(planted_fast(mistake))


@pytest.mark.parametrize("mistake", IN_REFERENCE, ids=str)
def test_planted_mistakes_in_the_reference_are_found_by_an_oracle(mistake):
    assert found_by_an_oracle(type(REFERENCE)(plain_copy(reference, mistake)))
