"""The benchmarks: results are compared before anything is timed, files keep results, and the command works.

Sizes are tiny, and no test depends on a time.
"""

import json
import math
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tinynet_fast.kernels import reference
from tinynet_fast.kernels.fast import floors
from tinynet_fast.proof.bench import core, gcc, machine, measure, network, neuron, show
from tinynet_fast.proof.bench.floors import Floors, measure_floors
from tinynet_fast.proof.bench.measure import Contender, NotEqualError, Result

ROWS = 300


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch):
    monkeypatch.setattr(measure, "LEAST_TURN", 0.0)
    monkeypatch.setattr(measure, "TRIES", 1)
    monkeypatch.setattr(measure, "CHECKED_VALUES", 200)


@pytest.fixture
def problem():
    return replace(neuron.neuron_problem(ROWS, 2), more=1)


def wrong(problem):
    """Learns the right weights, except for the last digits of one."""
    run = neuron.plain_loop(problem)
    return lambda epochs: run(epochs) * np.array([1.0, 1.0 + 1e-10, 1.0])


SMALL_NETWORKS = [
    replace(network.tutorial_problem(), more=2),
    network.network_problem("full batch", 40, (2, 4, 1), more=1),
    network.network_problem("batches", 96, (3, 5, 2, 1), batch=32, more=1),
    network.network_problem("batches, Adam", 96, (3, 4, 1), batch=32, optimizer="adam", more=1),
    network.network_problem("one row", 20, (2, 3, 1), batch=1, more=1),
]


@pytest.mark.parametrize("contender", neuron.CONTENDERS, ids=lambda c: c.name)
@pytest.mark.parametrize(
    "options", [{}, {"dtype": "float32"}, {"l2": 0.01}, {"average": True}, {"shuffle": True, "seed": 1}], ids=str
)
def test_every_contender_for_a_neuron_learns_the_plain_loops_weights(contender, options):
    if not contender.installed:
        pytest.skip(f"{contender.name} is not installed")
    problem = neuron.neuron_problem(ROWS, 3, **options)
    if not contender.can(problem):
        pytest.skip(f"{contender.name} has no such update")
    problem = problem.first(min(contender.share(problem)[0], ROWS))
    apart = measure.distance(contender.make(problem)(2), problem.solve("reference", 2))
    assert apart <= contender.limit <= 1e-4
    assert contender.limit <= 1e-6 or contender.remark  # a difference that shows is stated


@pytest.mark.parametrize("contender", network.CONTENDERS, ids=lambda c: c.name)
@pytest.mark.parametrize("problem", SMALL_NETWORKS, ids=lambda p: p.title)
def test_every_contender_for_a_network_learns_the_plain_loops_weights(contender, problem):
    if not contender.installed or not contender.can(problem):
        pytest.skip(f"{contender.name} is not installed, or has no such update")
    apart = measure.distance(contender.make(problem)(2), problem.solve("reference", 2))
    assert apart <= contender.limit <= 1e-6


def test_loops_in_c_of_any_size_learn_the_plain_loops_weights():
    """Sizes that have a copy of their own and others, and batches that do not fill a tile."""
    loops = [
        table.CONTENDERS[[c.name for c in table.CONTENDERS].index("C, gcc -O3 -ffast-math")]
        for table in (neuron, network)
    ]
    if not loops[0].installed:
        pytest.skip("there is no gcc that can compile the loops")
    problems = [(loops[0], neuron.neuron_problem(50, d)) for d in (1, 2, 4, 5, 16, 64, 256)]
    for sizes in ((2, 4, 1), (16, 32, 1), (64, 16, 1), (3, 7, 1)):
        for batch in (None, 1, 2, 3, 32, 33, 45):
            problems.append((loops[1], network.network_problem("loops", 50, sizes, batch=batch)))
    for contender, problem in problems:
        apart = measure.distance(contender.make(problem)(3), problem.solve("reference", 3))
        assert apart <= 1e-12, problem.name
    smallest = np.array([5e-324])
    assert (smallest * 1.0 > 0.0).all()  # -ffast-math has not changed how this process rounds


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_figures_name_the_version_of_gcc():
    said = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout
    assert machine.machine()["gcc"] in said.splitlines()[0]


def test_without_gcc_its_contender_is_left_out(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(gcc, "library", gcc.library.__wrapped__)  # the answer is not kept
    assert not next(c for c in neuron.CONTENDERS if c.needs == measure.GCC).installed


def test_a_wrong_contender_ends_the_run_before_anything_is_timed(problem, monkeypatch):
    monkeypatch.setattr(measure, "take_turns", lambda *_: pytest.fail("timed"))
    table = (neuron.CONTENDERS[0], Contender("planted", wrong, 1e-12))
    with pytest.raises(NotEqualError, match=r"300 x 2: planted has weights \S+ from the plain loop's, where 1e-12 is"):
        measure.measure(problem, table, 1)
    infinite = Contender("planted", lambda problem: lambda epochs: np.full(3, np.nan), 1e-12)
    with pytest.raises(NotEqualError, match="planted has weights inf"):
        measure.measure(problem, (infinite,), 1)


def test_a_strict_engine_that_is_not_the_plain_loop_ends_the_run(problem, monkeypatch):
    solve = type(problem).solve
    monkeypatch.setattr(type(problem), "solve", lambda self, engine, k: solve(self, engine, k) + (engine == "strict"))
    with pytest.raises(NotEqualError, match="strict has not the plain loop's bits"):
        measure.measure(problem, neuron.CONTENDERS[:1], 1)


def test_a_stated_difference_is_shown(problem):
    stated = Contender("other", wrong, 1e-6, "rounds its weights", budget=lambda problem: 50)
    absent = Contender("absent", wrong, needs="no_such_module")
    result = measure.measure(problem, (neuron.CONTENDERS[0], stated, absent), 9, {"reading memory": 1.0})
    figure = result.of("other")
    assert (figure.rows, figure.limit) == (50, 1e-6)
    assert 1e-12 < figure.apart < 1e-6
    assert result.missing == ["absent"]
    cells = [" ".join(line) for line in show.lines(result, "ns a row")]
    assert "rounds its weights; first 50 rows" in cells[1]
    assert "e-11" in cells[1] or "e-10" in cells[1]
    assert "floor: reading memory 1.00" in cells[2]
    assert "not installed: skipped" in cells[3]
    assert "rounds its weights" in show.markdown("family", [result])


def test_a_budget_of_rows_is_kept(problem):
    """A contender gets no more rows than its budget, over all epochs, but an epoch at least."""
    problem = replace(problem, more=7)

    def share(budget):
        return Contender("a", wrong, budget=budget).share(problem)

    assert share(None) == share(lambda problem: 10_000) == (ROWS, 7)
    assert share(lambda problem: 50) == (50, 1)
    assert share(lambda problem: 2 * ROWS + 50) == (ROWS, 2)
    assert [neuron._values(most)(problem) for most in (10, 1)] == [5, 2]  # of two columns


def test_quick_benchmarks_have_a_fifth_of_the_rows():
    for quick, share in ((False, 1), (True, 5)):
        families, makers = zip(*core.core_problems(quick), strict=True)
        assert families == (core.NEURON,) * 4 + (core.NETWORK,) * 2
        sizes = [(1_000_000, 2), (500_000, 16), (200_000, 64), (100_000, 256)]
        assert [make.args for make in makers[:4]] == [(n // share, d) for n, d in sizes]
    assert [make().name for make in makers[4:]] == ["height/weight: 4 rows, 2-4-1", "full batch: 20,000 rows, 2-4-1"]


def test_an_engine_that_hands_the_rows_over_is_not_timed(problem):
    """`fast` has no kernel for l1, nor for very large weights."""
    with pytest.raises(RuntimeError, match=r"l1 0\.1: fast was asked for and strict"):
        replace(problem, options={"l1": 0.1}).solve("fast", 1)
    large = replace(SMALL_NETWORKS[1], X=SMALL_NETWORKS[1].X * 1e9)
    with pytest.raises(RuntimeError, match=r"full batch.*: fast was asked for and strict"):
        large.solve("fast", 1)


def test_a_negative_time_is_not_shown(problem):
    result = measure.measure(problem, neuron.CONTENDERS[:2], 1)
    ours, other = result.figures
    lost = replace(result, figures=[ours, replace(other, low=-9.0, median=-5.0, high=2.0)])
    assert list(show.lines(lost, "ns a row"))[1] == ("strict", "", "", "", "0", "an epoch was lost in the noise")


def test_turns_alternate_and_the_first_round_is_not_counted():
    said = []
    seconds = measure.take_turns({"a": lambda: said.append("a"), "b": lambda: said.append("b")}, 3)
    assert "".join(said) == "abababab"
    assert [len(times) for times in seconds.values()] == [3, 3]


def test_a_turn_that_lost_its_core_is_run_again(monkeypatch):
    turns = iter([(0.9, 1.0), (0.4, 0.5), (0.2, 0.6), (0.3, 1.0), (0.1, 0.99), (2.0, 0.5)])  # the first warms up
    monkeypatch.setattr(measure, "TRIES", 3)
    monkeypatch.setattr(measure, "one_turn", lambda run: next(turns))
    assert measure.take_turns({"a": None}, 3)["a"].tolist() == [0.2, 0.1, 2.0]


def test_a_result_comes_back_from_json(problem):
    result = measure.measure(problem, neuron.CONTENDERS[:2], 1, {"the chain": 2.0})
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert result.ratio("fast") == 1.0
    assert result.ratio("fast", "strict") == pytest.approx(1 / result.ratio("strict"))
    with pytest.raises(KeyError, match="no figure of nobody"):
        result.ratio("nobody")


def test_names_of_problems():
    X, y = np.zeros((1500, 2), np.float32), np.zeros(1500)
    assert neuron.NeuronProblem(X.astype(float), y).name == "1,500 x 2"
    assert neuron.NeuronProblem(X.astype(float), y, options={"average": True}).name == "1,500 x 2, averaged"
    options = {"average": True, "shuffle": True, "l2": 0.01, "l1": 1e-5}
    assert neuron.NeuronProblem(X, y, options=options).name == (
        "1,500 x 2, float32, averaged, shuffled, l2 0.01, l1 1e-05"
    )


def test_the_loops_that_measure_floors_are_correct():
    """The plain loop has the reference's weights, the reading loop the sum, and the chain its recurrence's value."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    y, weights = (X[:, 0] > 0).astype(float), np.zeros(3)
    ref, ref_bias = [0.0] * 3, [0.0]
    bias = floors.plain_njit(X, y, 0.1, weights, 0.0, 2)
    for _ in range(2):
        reference.sgd_epochs(X.tolist(), y.tolist(), [0.1] * 50, ref, ref_bias, [0.0])
    np.testing.assert_allclose([*weights, bias], [*ref, *ref_bias], rtol=1e-14)
    values = np.arange(1000.0)
    assert floors.read(values) == values.sum()
    error = 0.0
    for _ in range(5):
        error = float(np.polynomial.polynomial.polyval(0.3 - error * 0.1, floors.COEFFICIENTS))
    assert floors.chain(5, 0.3, 0.1, floors.COEFFICIENTS) == pytest.approx(error, rel=1e-14)
    assert floors.chain(0, 0.3, 0.1, floors.COEFFICIENTS) == 0.0
    distinct = np.arange(1.0, 9.0)  # the sigmoid's even powers are 0
    ref = np.polynomial.polynomial.polyval(0.3 - 0.1 * np.polynomial.polynomial.polyval(0.3, distinct), distinct)
    assert floors.chain(2, 0.3, 0.1, distinct) == pytest.approx(float(ref), rel=1e-14)
    t = np.array([-0.2, 0.1, 0.3])
    np.testing.assert_allclose(
        np.polynomial.polynomial.polyval(t, floors.COEFFICIENTS), 1 / (1 + np.exp(-t)), rtol=0, atol=1e-8
    )


def test_floors_are_the_shortest_times_in_their_units(monkeypatch):
    from tinynet_fast.proof.bench import floors as module

    def turns(runs, rounds):
        assert rounds == 4
        assert runs["read"]() == 3 * 125_000  # the sum of three megabytes of ones
        assert 0.4 < runs["chain"]() < 0.7
        return {"read": np.array([0.5, 0.003, 0.2]), "chain": np.array([0.02, 0.005])}

    monkeypatch.setattr(module, "take_turns", turns)
    found = measure_floors(rounds=4, megabytes=3)
    assert found.gigabytes_a_second == pytest.approx(1.0)
    assert found.chain_ns == pytest.approx(5.0)  # of a million steps
    assert found.reading_ns(4) == pytest.approx(40.0)
    assert found.reading_ns(4, 4) == pytest.approx(24.0)


def test_floors_are_positive_and_finite():
    floors = measure_floors(rounds=1, megabytes=1)
    assert all(math.isfinite(value) and value > 0.0 for value in floors.to_json().values())
    assert Floors(10.0, 5.0).or_lower(Floors(8.0, 4.0)) == Floors(10.0, 4.0)
    X = np.zeros((10, 4), np.float32)
    assert Floors(10.0, 5.0).of(X) == {"reading memory": 2.4, "the chain": 5.0}
    assert list(Floors(10.0, 5.0).of(X, chain=False)) == ["reading memory"]


def test_only_neurons_have_floors(monkeypatch):
    """The least time of a row is computed for a neuron's chain of updates."""
    given = []
    monkeypatch.setattr(core, "measure_floors", lambda: SimpleNamespace(of=lambda X: {"chain": 1.0}, to_json=dict))
    monkeypatch.setattr(core, "measure", lambda problem, table, rounds, least: given.append(least))
    monkeypatch.setattr(core, "document", lambda families, floors: families)
    monkeypatch.setattr(core, "has_numba", lambda: True)
    makes = [
        (core.NEURON, lambda: neuron.neuron_problem(10, 2)),
        (core.NETWORK, lambda: network.network_problem("a", 10, (2, 2, 1))),
    ]
    core.run_core(makes, 1, lambda step: None)
    assert given == [{"chain": 1.0}, {}]


def test_the_machine_names_versions_that_are_installed():
    facts = machine.machine()
    assert facts["numpy"] == np.__version__
    assert "numba" in facts
