"""Small networks: an epoch in one full batch, in batches of 32, and one row at a time."""

from tinynet_fast.proof.bench.measure import measure as measure_problem
from tinynet_fast.proof.bench.network import CONTENDERS, network_problem, tutorial_problem

ROWS = 100_000
PROBLEMS = (
    ("full batch", (2, 4, 1), {"more": 4}),
    ("full batch", (16, 32, 1), {}),
    ("full batch", (64, 16, 1), {}),
    ("batches of 32", (2, 4, 1), {"batch": 32, "more": 4}),
    ("batches of 32, Adam", (16, 32, 16, 1), {"batch": 32, "optimizer": "adam"}),
    ("one row at a time", (2, 4, 1), {"batch": 1, "more": 4}),
)


def measure(size):
    yield "networks, an epoch", measure_problem(tutorial_problem(), CONTENDERS, size.rounds)
    for title, layers, options in PROBLEMS:
        problem = network_problem(title, ROWS, layers, **options)
        yield "networks, an epoch", measure_problem(problem, CONTENDERS, size.rounds)
