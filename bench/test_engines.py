"""The contenders' epochs under pytest-benchmark, to compare the figures of one version with those of another.

Run `python -m pytest bench --benchmark-enable --benchmark-autosave`, and the next time add `--benchmark-compare`. For
ratios use `run.py` (between contenders) and `versions.py` (between versions), in which they take turns.
"""

import pytest

from tinynet_fast.proof.bench import network, neuron
from tinynet_fast.proof.bench.measure import check_equal

FEATURES = (2, 16, 64, 256)
LAYERS = ((16, 4, 1), (16, 32, 16, 1))


def time_an_epoch(benchmark, contender, problem):
    if not contender.installed or not contender.can(problem):
        pytest.skip(f"{contender.name} is not installed, or has no such update")
    rows, _ = contender.share(problem)
    run, _ = check_equal(problem, [contender])[contender.name]
    benchmark.group = problem.name
    benchmark.extra_info["rows"] = rows
    benchmark(run, 1)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("contender", neuron.CONTENDERS, ids=lambda c: c.name)
def test_neuron(benchmark, contender, features):
    time_an_epoch(benchmark, contender, neuron.neuron_problem(40_000 // features, features))


@pytest.mark.parametrize("layers", LAYERS, ids=str)
@pytest.mark.parametrize("contender", network.CONTENDERS, ids=lambda c: c.name)
def test_network(benchmark, contender, layers):
    time_an_epoch(benchmark, contender, network.network_problem("batches of 32", 2_000, layers, batch=32))
