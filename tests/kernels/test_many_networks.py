"""Networks side by side: each is the network that the plain loops train alone, whatever its neighbours become."""

# ruff: noqa: E501 - a line a mistake

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_problems import Problem, any_options, random_problem
from planted import Mistake, plain_copies
from problems import FEWER

from tinynet_fast.kernels import strict
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.fast import (
    functions,
    many_networks,
    many_networks_tiles,
    many_neurons,
    network,
    network_points,
    network_room,
    network_steps,
    network_tiles,
)
from tinynet_fast.kernels.layout import PENDING_WEIGHT
from tinynet_fast.kernels.reference import (
    ACTIVATIONS,
    ADAGRAD,
    ADAM,
    HINGE,
    HUBER,
    LEAST_SQUARES,
    LOG_LOSS,
    NESTEROV,
    POISSON,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    SILU,
    TANH,
)
from tinynet_fast.proof.validate import distance

pytestmark = pytest.mark.any_cpu

WIDTH, TILE = many_networks.WIDTH, many_networks.TILE
OWN = np.array([many_networks.NOBODY, 0.0, 1.0, 2.0, 1.0, many_networks.NOBODY, 0.0, 2.0])
CLASSES = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 2.0, 0.0])
NO_CLASSES = np.full(WIDTH, many_networks.NOBODY)
NO_MARKS, NO_ORDER, NO_MASK = np.empty(0), np.empty((0, WIDTH), np.int64), np.empty((1, 0, WIDTH))


@dataclass
class Group:
    """Eight networks: what `network_epochs` takes, and each network alone."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    marks: np.ndarray
    order: np.ndarray
    alone: list[Problem]
    classes: np.ndarray

    @property
    def layers(self):
        return self.alone[0].layers

    @property
    def steps(self):
        return len(self.order) or len(self.X)

    def state(self, states=None):
        state = many_networks.aligned_state(self.layers)
        state[:] = stacked([p.state for p in self.alone] if states is None else states)
        return state

    def run(self, state, kernels=many_networks, epochs=1, cuts=(), rows=None, first=0):
        """Train on steps `rows`, in calls that end at `cuts`, from copies of `state`; the state, pending, losses."""
        copy = many_networks.aligned_state(self.layers)
        copy[:], pending, losses = state, np.zeros((2, WIDTH)), np.zeros((epochs, WIDTH))
        units, rule = kernels.scratch(self.layers), stacked([p.rule for p in self.alone])
        mask, schedule = (stacked([getattr(p, name) for p in self.alone]) for name in ("mask", "schedule"))
        rows, done, targets = rows or (0, self.steps), first, self.alone[0].targets
        ends = sorted({rows[0], *(c for c in cuts if rows[0] < c < rows[1]), rows[1]})
        for part in (slice(a, b) for a, b in pairwise(ends)):
            own = slice(None) if len(self.order) else part  # with an order, all rows are there
            y = self.y.reshape(len(self.X), targets)[own].ravel()
            given = self.X[own], y, self.weight[own], self.marks[own], np.stack([OWN, self.classes]), self.order[part]
            updates = epochs * ((int(pending[0, 0]) + part.stop - part.start) // self.alone[0].batch)
            now = np.ascontiguousarray(schedule[done : done + updates + 1])
            factors = np.ascontiguousarray(mask[part]) if mask.shape[1] else mask
            kernels.network_epochs(*given, factors, now, rule, self.layers, copy, units, pending, losses)
            done += updates
        return copy, pending, losses

    def differences(self, kernels=many_networks):
        """As `network_problems.differences`: the worst of all networks, each update from the plain loops' own state."""
        states, worst, batch = [p.state for p in self.alone], np.zeros(5), self.alone[0].batch
        for k, start in enumerate(range(0, self.steps, batch)):
            rows = start, min(start + batch, self.steps)
            state, pending, losses = self.run(self.state(states), kernels, rows=rows, first=k)
            for i, problem in enumerate(self.alone):
                ref = problem.run(strict, states[i], rows=rows, first=k)
                pairs = [*zip(state[..., i], ref[0], strict=True), (losses[:, i], ref[2])]
                off = [distance(a, b, least) for (a, b), least in zip(pairs, problem.floors(), strict=True)]
                worst = np.maximum(worst, off)
                np.testing.assert_allclose(pending[:, i], ref[1], rtol=1e-14)
                states[i] = ref[0]
            if not max(np.abs(s).max() for s in states) < 1e6:
                break  # a run diverges
        return worst


def stacked(arrays):
    return np.ascontiguousarray(np.stack(arrays, axis=-1))


def group(rng, n, sizes, *args, folds=False, own_order=False, classes=False, **options):
    """Networks of `random_problem` that share their rows, and else have nothing in common."""
    share = options.get("share", 0.9)
    shared = random_problem(rng, n, sizes, *args, **options)
    if classes:
        shared.y[:] = rng.integers(0, 3, n)
    marks = rng.integers(0, 3, n).astype(float) if folds else NO_MARKS
    order = np.stack([rng.permutation(n) for _ in range(WIDTH)], axis=1) if own_order and n else NO_ORDER
    alone = []
    for k in range(WIDTH):
        own = random_problem(rng, n, sizes, *args, **options)
        rule = shared.rule.copy()
        rule[3:5] = share * rng.uniform(0.8, 1.0), rng.uniform(0.99, 0.999)
        weight = np.where(marks == OWN[k], 0.0, shared.weight) if folds else shared.weight
        rows = order[:, k] if len(order) else slice(None)
        y = shared.y.reshape(n, shared.targets)[rows].ravel()
        y = (y == CLASSES[k]).astype(float) if classes else y
        mine = replace(own, X=np.ascontiguousarray(shared.X[rows]), y=y, weight=weight[rows], rule=rule)
        mine.schedule[:, 1:3] *= rng.uniform(0.9, 1.0)
        alone.append(mine)
    return Group(
        shared.X, shared.y, shared.weight, marks, np.ascontiguousarray(order), alone, CLASSES if classes else NO_CLASSES
    )


WIDTHS = st.integers(1, 5) if UNCOMPILED else st.integers(1, 20)


@st.composite
def groups(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 12 if UNCOMPILED else 100))
    sizes = (draw(WIDTHS), *draw(st.lists(WIDTHS, min_size=1, max_size=2)), draw(st.sampled_from([1, 1, 3])))
    options = any_options(draw, n, sizes[-1])
    classes = sizes[-1] == 1 and draw(st.booleans())
    return group(rng, n, sizes, folds=draw(st.booleans()), own_order=draw(st.booleans()), classes=classes, **options)


# --- against the plain loops ------------------------------------------------------------------------------------------


@given(networks=groups())
@FEWER
def test_every_update_of_every_network_is_the_references(networks):
    worst = networks.differences()
    assert worst.max() <= 1e-12, worst


def test_a_relu_on_its_kink():
    """A last bit decides whether a unit is on, so sums are the reference's bits."""
    rng = np.random.default_rng(2)
    networks = group(rng, 9 if UNCOMPILED else 50, (3, 5, 4, 1), RELU, 4)
    networks.X[:] = rng.integers(-3, 4, networks.X.shape)
    for problem in networks.alone:
        problem.X[:] = networks.X
        problem.state[0] = rng.integers(-3, 4, problem.state.shape[1]) / 10.0
        problem.state[2] = 0.0
    worst = networks.differences()
    assert worst.max() <= 1e-12, worst


@pytest.mark.parametrize("scale", [30.0, 1000.0])
def test_saturated_units(scale):
    """Sums far beyond those at which a sigmoid is 0 or 1 to the last bit; four units share a division."""
    rng = np.random.default_rng(3)
    networks = group(rng, 11, (3, 6, 1), SIGMOID, 4, scale=scale, rate=1e-3)
    worst = networks.differences()
    assert worst.max() <= 1e-12, worst


@given(networks=groups(), total=st.sampled_from([0.0, 0.5, 7.0]))
@FEWER
def test_update(networks, total):
    rng = np.random.default_rng(1)
    state, pending, totals = networks.state(), np.ones((2, WIDTH)), np.full(WIDTH, total)
    state[1], totals[2] = rng.standard_normal(state[1].shape), 0.0
    before, pending[PENDING_WEIGHT] = state.copy(), totals
    schedule, rule = (stacked([p.schedule[0] for p in networks.alone]), stacked([p.rule for p in networks.alone]))
    many_networks.network_update(schedule, rule, networks.layers, state, pending)
    assert not pending.any()
    for k, problem in enumerate(networks.alone):
        ref = np.ascontiguousarray(before[..., k])
        strict.network_update(totals[k], problem.schedule[0], problem.rule, problem.layers, ref)
        for a, b in zip(state[..., k], ref, strict=True):
            assert distance(a, b) <= 1e-14


# --- networks side by side --------------------------------------------------------------------------------------------


@given(networks=groups(), cuts=st.lists(st.integers(1, 5), max_size=2))
@FEWER
def test_cuts_change_no_bit(networks, cuts):
    for problem in networks.alone:
        problem.rule[0] = networks.steps + 1
    whole, cut = (networks.run(networks.state(), cuts=[TILE * c for c in k]) for k in ((), cuts))
    for comp, ref in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(comp, ref, strict=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=list(ACTIVATIONS))
def test_no_network_sees_another(activation, bad):
    """One that diverges shows it, and the others keep their bits."""
    networks = group(np.random.default_rng(4), 10, (2, 3, 1), activation, 5)
    state = networks.state()
    ref = networks.run(state)
    state[0, -1, 3] = bad
    with np.errstate(all="ignore"):
        comp = networks.run(state)
    assert bad == 1e300 or not (np.isfinite(comp[0][0, :, 3]).all() and np.isfinite(comp[2][:, 3]).all())
    others = np.arange(WIDTH) != 3
    for a, b in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(a[..., others], b[..., others])


def test_spare_lanes_stay_zero():
    """Of a group of fewer networks: zeros, with schedules of zero."""
    networks = group(np.random.default_rng(5), 10, (2, 3, 1), SIGMOID, 4, ADAM)
    for problem in networks.alone[5:]:
        problem.state[:], problem.schedule[:, [0, 2]] = 0.0, 0.0
    state, _, losses = networks.run(networks.state())
    assert not state[0, :, 5:].any()
    assert np.isfinite(state).all()
    assert np.isfinite(losses).all()


def test_an_order_that_ends_early():
    """Networks whose rows are fewer: what is left of the last batch counts for nothing."""
    networks = group(np.random.default_rng(6), 12, (2, 3, 1), TANH, 5, own_order=True)
    ref = networks.run(networks.state(), rows=(0, 11))
    networks.order[11, :4] = -1
    comp, whole = networks.run(networks.state()), networks.run(networks.state(), rows=(0, 12))
    np.testing.assert_array_equal(comp[0][..., :4], ref[0][..., :4])
    np.testing.assert_array_equal(comp[1][PENDING_WEIGHT, :4], ref[1][PENDING_WEIGHT, :4])
    assert (comp[0][..., 4:] != ref[0][..., 4:]).any()
    assert whole[1][0].tolist() == [2.0] * WIDTH


def test_several_epochs_in_one_call_are_as_many_calls():
    networks = group(np.random.default_rng(7), 12, (2, 4, 1), batch=4, folds=True)
    for problem in networks.alone:
        problem.schedule[:] = problem.schedule[0]
    state = networks.state()
    for _ in range(3):
        state = networks.run(state)[0]
    np.testing.assert_array_equal(networks.run(networks.state(), epochs=3)[0], state)
    for problem in networks.alone:
        problem.schedule = problem.schedule[:1]  # one row is for all batches
    np.testing.assert_array_equal(networks.run(networks.state(), epochs=3)[0], state)


def test_losses_with_a_kernel():
    for loss, served in ((LOG_LOSS, True), (LEAST_SQUARES, True), (HUBER, True), (HINGE, False)):
        assert many_networks.serves(np.array([1.0, loss, 0.0, 0.0, 0.0, 0.0])) == served


# --- planted mistakes -------------------------------------------------------------------------------------------------

MODULES = (
    simd, functions, many_neurons, network_steps, network_room, network_points, network_tiles, network,
    many_networks_tiles, many_networks,
)  # fmt: skip
MISTAKES = {
    many_neurons: [
        Mistake("the power of minus the sum", "fma(u, sign / STEP, ROUND)", "fma(u, 1.0 / STEP, ROUND)"),
        Mistake("an odd term's sign", "fma(f, sign * C1, C0)", "fma(f, C1, C0)"),
    ],
    network_steps: [
        Mistake("the quotients of neighbours", "[inverse * b, inverse * a]", "[inverse * a, inverse * b]", "quotients"),
        Mistake("a root of one step", "fma(-root, y, 1.0)", "0.0 * y", "quotients"),
        Mistake("the rule of the first network for all", "load(work, rule + k * REGISTER)", "full(work[rule + k * REGISTER])"),
        Mistake("the parameters after the last four", "one(state, p * REGISTER, size * REGISTER, how)", "pass", "_steps_of_networks"),
    ],
    many_networks_tiles: [
        Mistake("a sigmoid of four for another", "join([of_ab * b, of_ab * a, of_cd * d, of_cd * c])", "join([of_ab * a, of_ab * b, of_cd * d, of_cd * c])", "inverses"),
        Mistake("the first number of a gradient for all", "store(state, g, load(state, g) + sums[j * outputs + u])", "store(state, g, load(state, g) + sums[j * outputs])"),
        Mistake("dropout left off the slopes", "put_product(...); put_product(...)", "put_product(...)", "apply_mask"),
        Mistake("sums without biases", "[biases[u] for u in range(units) for _ in range(rows)]", "[full(0.0) for u in range(units) for _ in range(rows)]"),
        Mistake("wrong side of the decision free", "fma(w, where(wrong < 0.0, 0.0, wrong), total)", "total"),
        Mistake("losses of rows that are held out", "flip(z, 0.5 - y), w * e", "flip(z, 0.5 - y), e"),
        Mistake("a product without its cross term", "fma(x, y, x + y)", "x + y", "log_of_four"),
        Mistake("the last rows without a delta", "rest = points.each_loss(...)", "rest = full(0.0)"),
        Mistake("the last units without a sigmoid", "points.each_unit(...)", "pass"),
    ],
    many_networks: [
        Mistake("a fold that is trained on", "where(load(own, 0) == marks[i], 0.0, full(weight[i]))", "full(weight[i])"),
        Mistake("a weight overlooked", "where(w == 0.0, 0.0, w - 1.0)", "0.0 * w"),
        Mistake("biases decay", "((kept, l2), (full(1.0), full(0.0)))", "((kept, l2), (kept, full(0.0)))"),
        Mistake("biases have a penalty", "((kept, l2), (full(1.0), full(0.0)))", "((kept, l2), (full(1.0), l2))"),
        Mistake("a network without weight moves", "moves = total > 0.0", "moves = total > -1.0"),
        Mistake("Nesterov as plain momentum", "where(again > 0.5, share, 1.0)", "full(1.0)"),
        Mistake("eight numbers of another row", "own_row(order, at + k) * d + j", "own_row(order, at) * d + j", "turn_own"),
        Mistake("another network's row", "own_row(order, at + k) * d + j", "own_row(order, at) * d + j", "collect_own"),
        Mistake("the class of the first network for all", "own[CLASS * WIDTH + k] == label", "own[CLASS * WIDTH] == label"),
        Mistake("a class as its number", "where(load(own, CLASS * WIDTH) == y[i], full(1.0), full(0.0))", "full(y[i])"),
        Mistake("no row for a row", "away = i < 0 or ...", "away = False", "load_labels"),
        Mistake("the schedule of the first batch", "min(updates, schedule.shape[0] - 1)", "0"),
    ],
}  # fmt: skip


def few_groups():
    """Small, and together through every line."""
    for seed, (n, sizes, activation, batch, optimizer, options) in enumerate(
        (
            (9, (2, 3, 1), SIGMOID, 5, SGD, {"folds": True, "l2": 0.1, "keep": 0.9}),
            (7, (2, 5, 1), SIGMOID, 3, NESTEROV, {"own_order": True, "folds": True}),
            (6, (9, 2, 1), TANH, 3, ADAM, {"dropout": 0.3}),
            (5, (2, 3, 3), SILU, 2, RMSPROP, {"weights": True}),
            (5, (2, 3, 2), RELU, 5, ADAGRAD, {"loss": LEAST_SQUARES, "own_order": True}),
            (5, (2, 3, 1), SIGMOID, 5, SGD, {"weights": True, "own_order": True}),
            (4, (1, 2, 1), TANH, 1, ADAM, {"folds": True, "classes": True}),
            (6, (2, 2, 1), TANH, 3, SGD, {"own_order": True, "classes": True}),
            (4, (9, 2, 1), SILU, 2, SGD, {"own_order": True}),
            (5, (2, 3, 2), TANH, 8, SGD, {"loss": POISSON}),
        )
    ):
        yield group(np.random.default_rng(seed), n, sizes, activation, batch, optimizer, **options)


def test_every_line():
    """With coverage measured: `few_groups` goes through all of them, whatever Hypothesis comes up with."""
    for networks in few_groups():
        assert networks.differences().max() <= 1e-12


def caught(kernels):
    """Whether some network is not the reference's, step by step or in one call, or a row that is none counts."""
    with np.errstate(all="ignore"):
        try:
            if any(not networks.differences(kernels).max() <= 1e-12 for networks in few_groups()):
                return True
        except AssertionError:  # `pending` is wrong
            return True
        networks = group(np.random.default_rng(6), 9, (2, 3, 1), TANH, 4, own_order=True)
        ref = [problem.run(strict, problem.state)[0][0] for problem in networks.alone]
        comp = networks.run(networks.state(), kernels)[0][0]
        if not all(distance(comp[:, k], ref[k]) <= 1e-12 for k in range(WIDTH)):
            return True
        networks.order[8] = -1
        return bool(networks.run(networks.state(), kernels)[1][PENDING_WEIGHT].any())


def test_the_checks_pass_without_a_mistake():
    assert not caught(plain_copies(*MODULES)[many_networks])


@pytest.mark.parametrize(
    ("into", "mistake"),
    [(module, mistake) for module, mistakes in MISTAKES.items() for mistake in mistakes],
    ids=str,
)
def test_planted_mistakes_are_caught(into, mistake):
    assert caught(plain_copies(*MODULES, mistake=mistake, into=into)[many_networks])
