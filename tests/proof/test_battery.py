"""The battery: which problems there are, that own rows become problems, and that problems are solved as they should."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.point_functions import SQUARED_ERROR
from tinynet_fast.models.layers import ACTIVATIONS
from tinynet_fast.proof import battery
from tinynet_fast.proof.problems import NetworkProblem, can_solve, network_problem, neuron_problem, regularized_problem
from tinynet_fast.training.optimizer import Optimizer

REFERENCE = ENGINES["reference"]


@pytest.fixture(scope="module")
def cases():
    found = list(battery.battery(1))
    assert len({name for name, _, _ in found}) == len(found)
    return {name: problems for name, problems, _ in found}


def reach(problem):
    """The largest step times (|x|^2 + 1): at most 8 within the stability bound."""
    return (problem.step * ((problem.X**2).sum(axis=1) + 1.0).max()).max()


def test_turns_are_the_same_cases_with_other_numbers():
    once, twice = list(battery.battery(1)), list(battery.battery(2))
    assert [name for name, _, _ in twice] == [name for name, _, _ in once] * 2
    first, again, other = once[0][1][3].X, twice[0][1][3].X, twice[len(once)][1][3].X
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_cases(cases):
    """A neuron of every width, networks of every shape and activation, every option, the trainers."""
    for name, problems in cases.items():
        if name.startswith("neuron"):
            assert [p.X.shape for p in problems] == [(120, d) for d in (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 70)]
        assert all(len(p.X) == 120 for p in problems) or name.endswith(("in segments", "overshoot"))
    assert [name for name, _, everyone in battery.battery(1) if not everyone] == [
        "neuron, steps beyond the stability bound",
        "linear, poisson",
    ]
    count = {kind: sum(name.startswith(kind) for name in cases) for kind in ("neuron", "network", "trainers")}
    assert count == {"neuron": 15, "network": 44, "trainers": 8}
    shapes = {(p.activation, p.sizes) for name, problems in cases.items() if " hidden, " in name for p in problems}
    assert len(shapes) == len(ACTIVATIONS) * 4 * 2
    tanh = cases["network, 9-5 hidden, tanh"]
    assert [(p.sizes, p.batch_size) for p in tanh] == [((d, 9, 5, 1), b) for d in (1, 6) for b in (1, 7, 32, 120)]


@pytest.mark.parametrize("rows", ["epochs", "averaged epochs", "rows of one epoch"])
def test_runs_in_segments(cases, rows):
    (problem,) = cases[f"trainers, {rows} in segments"]
    assert problem.train("fast").certificate.segments >= 32
    assert [name for name, engine in ENGINES.items() if not can_solve(engine, problem)] == ["numpy"]


def test_steps_and_sums_of_neurons(cases):
    reached = {name: [reach(p) for p in problems] for name, problems in cases.items() if hasattr(problems[0], "step")}
    for name, expected in {
        "neuron, small steps": 8e-5,
        "neuron, steps at the stability bound": 8.0,
        "neuron, inputs of 1e3": 4.0,
        "neuron, inputs of 1e-160": 0.08,
        "neuron, steps beyond the stability bound": 400.0,
    }.items():
        assert reached[name] == pytest.approx([expected] * 13)
    varied = cases["neuron, a step for each row, some zero"]
    assert all(reach(p) <= 2.4 and 0.1 < (p.step == 0.0).mean() < 0.3 and len(set(p.step)) > 80 for p in varied)
    assert all(np.abs(p.X).max() < 1e-158 for p in cases["neuron, inputs of 1e-160"])
    assert all(np.abs(p.X).max() > 1e3 and np.abs(p.weights).max() < 0.01 for p in cases["neuron, inputs of 1e3"])
    sums = [np.abs(p.X @ p.weights + p.bias).max() for p in cases["neuron, sums as far out as 1e4"]]
    assert sums[0] < 10.0
    assert sums[-1] > 1e4
    sizes = [np.abs(p.weights).mean() for p in cases["neuron, sums as far out as 1e4"]]
    assert 4e3 < sizes[-1] < 1.6e4
    blocks = [p.block for problems in cases.values() for p in problems if hasattr(p, "block")]
    assert 0.4 < np.mean([block == 120 for block in blocks]) < 0.6
    assert min(blocks) >= 1
    assert max(blocks) == 120


def test_options_of_neurons(cases):
    for name, l2, l1, average_from in [
        ("l2", 0.1, 0.0, 0),
        ("l1", 0.0, 0.02, 0),
        ("averaged", 0.0, 0.0, 5),
        ("l2, averaged", 0.1, 0.0, 10),
        ("squared error", 0.0, 0.0, 0),
        ("l2, l1, averaged, squared error", 0.1, 0.02, 1),
        ("a bias that moves 0.01 times as far", 0.1, 0.0, 5),
    ]:
        for problem in cases[f"neuron, {name}"]:
            step, keep, cut, share = problem.schedule.T
            rate = 0.1 * 8.0 / ((problem.X**2).sum(axis=1).max() + 1.0)
            assert 0.8 * rate < step.max() <= rate  # sample weights are between 0 and 1
            assert step.min() < 0.2 * rate
            np.testing.assert_allclose(keep, 1.0 - l2 * rate)
            np.testing.assert_allclose(cut, l1 * rate)
            assert np.flatnonzero(share).tolist() == (list(range(average_from - 1, 120)) if average_from else [])
    losses = {name: problems[0].loss for name, problems in cases.items() if hasattr(problems[0], "schedule")}
    assert {name for name, loss in losses.items() if loss == SQUARED_ERROR} == {
        name for name in losses if "squared error" in name and not name.startswith("linear")
    }
    assert cases["neuron, a bias that moves 0.01 times as far"][0].bias_scale == 0.01
    assert cases["neuron, a bias that moves 0 times as far"][0].bias_scale == 0.0


def test_options_of_networks(cases):
    assert all((p.weight == 0.0).any() and (p.weight > 0.0).any() for p in cases["network, sample weights"])
    for name, dropped in (("network, dropout", 0.5), ("network, ten classes, sample weights, dropout", 0.2)):
        for problem in cases[name]:
            assert problem.mask.shape == (120, sum(problem.sizes[1:-1]))
            assert set(np.unique(problem.mask)) == {0.0, 1.0 / (1.0 - dropped)}
            assert (problem.mask == 0.0).mean() == pytest.approx(dropped, abs=0.1)
    for name, classes in (("three classes", 3), ("ten classes, sample weights, dropout", 10), ("squared error", 2)):
        for problem in cases[f"network, {name}"]:
            assert set(problem.y) == set(range(classes))
            assert problem.sizes[-1] == (classes if classes > 2 else 1)
    assert cases["network, squared error"][0].loss == SQUARED_ERROR
    steps = {name: problems[0].steps for name, problems in cases.items() if name.startswith("network")}
    assert [name for name in steps if steps[name].name == "adam"] == ["network, Adam"]
    nesterov = "network, Nesterov's momentum, l2, weight decay"
    assert [name for name in steps if steps[name].momentum] == ["network, momentum", nesterov]
    assert [name for name in steps if steps[name].nesterov] == [name for name in steps if steps[name].l2] == [nesterov]
    scheduled = "network, weight decay, invscaling"
    assert [name for name in steps if not steps[name].schedule.is_constant] == [scheduled]
    assert [name for name in steps if steps[name].weight_decay] == [nesterov, scheduled, "network, Adam"]
    assert len(cases["network, Adam"][0].params) == sum((a + 1) * b for a, b in pairwise((2, 4, 1)))


def test_the_fast_engine_leaves_some_problems_to_strict():
    rng, fast, strict = np.random.default_rng(0), ENGINES["fast"], ENGINES["strict"]
    neuron = neuron_problem(rng, 10, 2)
    smooth = regularized_problem(rng, neuron, 0.1, 0.0, 1, "log_loss")
    others = [
        regularized_problem(rng, neuron, 0.1, l1, 1, loss) for l1, loss in ((0.1, "log_loss"), (0.0, "squared_error"))
    ]
    others.append(replace(smooth, bias_scale=0.5))
    assert [can_solve(fast, p) for p in (neuron, smooth, *others)] == [True, True, False, False, False]
    assert all(can_solve(strict, p) for p in (neuron, smooth, *others))
    network = network_problem(rng, 10, (2, 3, 1), "tanh", 4)
    assert can_solve(fast, network) == fast.can("network_epochs")
    trainer = next(problems for name, problems, _ in battery.battery(1) if name.startswith("trainers"))[0]
    assert all(can_solve(engine, trainer) for engine in ENGINES.values())


@pytest.mark.parametrize("block", [1, 4, 10, 11, 64])
def test_blocks_change_no_bit_of_the_reference(block):
    """And the losses are one for each epoch, in order: those of the same epochs, one at a time."""
    rng = np.random.default_rng(5)
    neuron = neuron_problem(rng, 10, 3)
    regularized = regularized_problem(rng, neuron, 0.1, 0.01, 3, "log_loss")
    networks = [
        network_problem(rng, 10, (3, 2, 1), "tanh", size, Optimizer(0.1, momentum=0.5, schedule="invscaling"))
        for size in (1, 3, 5, 10)
    ]
    for problem in (neuron, regularized, *networks):
        ref, ref_losses = replace(problem, block=3, epochs=3).solve(REFERENCE)
        comp, losses = replace(problem, block=block, epochs=3).solve(REFERENCE)
        assert losses.shape == (3,)
        assert len(set(losses)) == 3
        np.testing.assert_array_equal(comp, ref)
        np.testing.assert_array_equal(losses, ref_losses)
        first, first_losses = replace(problem, block=block, epochs=1).solve(REFERENCE)
        assert first_losses[0] == losses[0]
        assert not np.array_equal(first, comp)


def test_a_short_last_batch_makes_an_update_of_its_own():
    """Ten rows in batches of four, twice: as six networks in turn, each with its batch and the next learning rate."""
    rng = np.random.default_rng(6)
    X, y, params = rng.standard_normal((10, 2)), np.array([0.0, 1.0] * 5), rng.standard_normal(13)
    problem = NetworkProblem(X, y, (2, 3, 1), "tanh", params, 4, Optimizer(0.5, schedule="invscaling"), 2, block=10)
    comp, losses = problem.solve(REFERENCE)
    total = np.zeros(2)
    for i, part in enumerate([slice(0, 4), slice(4, 8), slice(8, 10)] * 2):
        rate = Optimizer(0.5, schedule="invscaling").schedule_rows(i, 1)[0, 0]
        one = NetworkProblem(X[part], y[part], (2, 3, 1), "tanh", params, len(X[part]), Optimizer(rate), 1, block=10)
        params, loss = one.solve(REFERENCE)
        total[i // 3] += loss[0]
    np.testing.assert_array_equal(comp, params)
    assert losses == pytest.approx(total, rel=1e-14)


def test_sample_weights_and_masks_go_with_their_rows():
    """A row of weight 0 in a batch of its own is no row, and a mask of zeros is a network of its output's bias."""
    rng = np.random.default_rng(7)
    whole = network_problem(rng, 12, (2, 3, 1), "tanh", 1, Optimizer(0.5))
    kept = np.arange(12) % 3 != 1
    weighted = replace(whole, weight=kept * 1.0, block=5)
    rest = replace(whole, X=whole.X[kept], y=whole.y[kept], block=8)
    for comp, ref in zip(weighted.solve(REFERENCE), rest.solve(REFERENCE), strict=True):
        np.testing.assert_array_equal(comp, ref)
    off = replace(whole, mask=np.where(kept, 1.0, 0.0)[:, np.newaxis] * np.ones((12, 3)), epochs=1)
    comps = [replace(off, block=block).solve(REFERENCE) for block in (1, 5, 12)]
    for params, losses in comps:
        np.testing.assert_array_equal(params, comps[0][0])
        assert losses == pytest.approx(comps[0][1], rel=1e-14)
    one = replace(off, X=off.X[1:2], y=off.y[1:2], mask=off.mask[1:2])
    np.testing.assert_array_equal(one.solve(REFERENCE)[0][:-1], one.params[:-1])


def test_a_regularized_solution_has_means_and_penalties_too():
    rng = np.random.default_rng(8)
    problem = regularized_problem(rng, neuron_problem(rng, 20, 3), 0.1, 0.01, 3, "log_loss")
    params, _ = problem.solve(REFERENCE)
    weights, means, paid = params[:4], params[4:8], params[8:]
    assert params.shape == (12,)
    assert 0.0 < np.abs(weights - means).max() < 1.0
    assert (np.abs(paid[:3]) <= paid[3]).all()
    rates = 2 * 0.01 * 20 * 8.0 / ((problem.X**2).sum(axis=1).max() + 1.0)  # two epochs
    assert paid[3] == pytest.approx(rates)


# --- own rows ---------------------------------------------------------------------------------------------------------


def own(X, y):
    cases = list(battery.own_cases(X, y))
    assert all(everyone for _, _, everyone in cases)
    return [name for name, _, _ in cases], [problems[0] for _, problems, _ in cases]


def test_own_rows_become_two_neurons_and_a_network():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((400, 3)) * [1.0, 10.0, 0.1] + 5.0
    y = np.array(["no", "yes"])[(X[:, 1] > 5.0).astype(int)]
    names, (slow, quick, network) = own(X, y)
    assert names == [
        f"your rows, neuron, rate {slow.step[0]:.2g}",
        f"your rows, neuron, rate {quick.step[0]:.2g}",
        "your rows, standardised, network with 4 hidden",
    ]
    for neuron, expected in ((slow, 8e-3), (quick, 8.0)):
        np.testing.assert_array_equal(neuron.X, X)
        assert neuron.y.tolist() == (y == "yes").astype(float).tolist()
        assert (neuron.step == neuron.step[0]).all()
        assert neuron.step.shape == (400,)
        assert reach(neuron) == pytest.approx(expected)
        assert (neuron.weights.tolist(), neuron.bias, neuron.block) == ([0.0] * 3, 0.0, 997)
    np.testing.assert_allclose(network.X, ((X - X.mean(axis=0)) / X.std(axis=0))[:50], rtol=1e-9)
    assert network.y.tolist() == slow.y[:50].tolist()
    assert (network.sizes, network.activation, network.batch_size, network.block) == ((3, 4, 1), "sigmoid", 32, 97)
    assert 0.0 < np.abs(network.params).max() < 1.5


@pytest.mark.parametrize(
    ("rows", "width", "taken"), [(20_001, 1, 20_000), (901, 200, 500), (900, 200, 500), (3, 60_000, 2), (2, 1, 2)]
)
def test_as_many_own_rows_as_the_plain_loop_takes_in_a_second(rows, width, taken):
    X = np.random.default_rng(2).standard_normal((rows, width))
    _, (slow, _, network) = own(X, np.arange(rows) % 2)
    assert len(slow.X) == len(slow.y) == len(slow.step) == taken
    assert len(network.X) == len(network.y) == max(2, taken // 8)
    np.testing.assert_array_equal(slow.X, X[:taken])
    np.testing.assert_array_equal(slow.y, np.arange(taken) % 2)
