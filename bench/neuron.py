"""One neuron: an epoch for several widths, numbers of rows and options, by all libraries that make the same updates."""

from tinynet_fast.proof.bench.measure import measure as measure_problem
from tinynet_fast.proof.bench.neuron import CONTENDERS, neuron_problem

WIDTHS = ((1_000_000, 1), (1_000_000, 2), (1_000_000, 4), (500_000, 16), (200_000, 64), (100_000, 256))
ROWS = (10_000, 100_000, 1_000_000, 10_000_000, 50_000_000)  # of 2 inputs; the last (1.2 GB) is for full runs
OURS = CONTENDERS[:3]
OPTIONS = (
    {"rows": 500_000, "features": 16, "dtype": "float32"},
    {"rows": 100_000, "features": 256, "dtype": "float32"},
    {"rows": 500_000, "features": 16, "shuffle": True, "seed": 0},
    {"rows": 500_000, "features": 16, "average": True},
    {"rows": 500_000, "features": 16, "l2": 1e-4},
    {"rows": 500_000, "features": 16, "l2": 1e-4, "average": True},
)


def measure(size):
    few = size.rows(min(size.rounds, 3), size.rounds)
    widths = [{"rows": n, "features": d} for n, d in WIDTHS]
    heights = [{"rows": n, "features": 2} for n in size.rows(ROWS[:-1], ROWS)]
    for family, problems, table, rounds in (
        ("one neuron, an epoch", widths, CONTENDERS, size.rounds),
        ("one neuron, options", OPTIONS, CONTENDERS, few),
        ("one neuron, by rows", heights, OURS, few),
    ):
        for options in problems:
            problem = neuron_problem(**options)
            yield family, measure_problem(problem, table, rounds, size.floors.of(problem.X))
