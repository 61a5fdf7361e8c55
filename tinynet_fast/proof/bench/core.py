"""What `tinynet-fast bench` runs: one neuron of several widths and two small networks, by all installed contenders."""

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.kernels.compiler.jit import has_numba
from tinynet_fast.proof.bench.floors import Floors, measure_floors
from tinynet_fast.proof.bench.machine import machine
from tinynet_fast.proof.bench.measure import Problem, Result, measure
from tinynet_fast.proof.bench.network import CONTENDERS as NETWORKS
from tinynet_fast.proof.bench.network import network_problem, tutorial_problem
from tinynet_fast.proof.bench.neuron import CONTENDERS as NEURONS
from tinynet_fast.proof.bench.neuron import neuron_problem

NEURON, NETWORK = "one neuron, an epoch", "small networks, an epoch"
SIZES = ((1_000_000, 2), (500_000, 16), (200_000, 64), (100_000, 256))
Make = Callable[[], Problem]


def core_problems(quick: bool) -> list[tuple[str, Make]]:
    """Families, and how to make their problems. Networks are so small that NumPy uses one thread for them."""
    share = 5 if quick else 1
    neurons: list[Make] = [partial(neuron_problem, n // share, d) for n, d in SIZES]
    networks: list[Make] = [tutorial_problem, partial(network_problem, "full batch", 20_000, (2, 4, 1), more=20)]
    return [(NEURON, make) for make in neurons] + [(NETWORK, make) for make in networks]


def run_core(
    problems: list[tuple[str, Make]],
    rounds: int,
    tell: Callable[[str], Any],
) -> dict[str, Any]:
    """Measure everything and return plain JSON values. `tell` is called before each step with its name.

    Raises
    ------
    NotEqualError
        If a contender's weights differ from the plain loop's by more than it states.
    """
    tables = {NEURON: NEURONS, NETWORK: NETWORKS}
    tell("the floors")
    floors = measure_floors() if has_numba() else None  # Numba compiles their loops
    families: dict[str, list[Result]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # one epoch is timed, even if it is too short to learn
        for family, make in problems:
            problem = make()
            tell(f"{family}: {problem.name}")
            least = floors.of(problem.X) if floors and family == NEURON else {}
            families.setdefault(family, []).append(measure(problem, tables[family], rounds, least))
    return document(families, floors)


def document(families: dict[str, list[Result]], floors: Floors | None) -> dict[str, Any]:
    """The content of a results file: the date, the machine, its floors if known, and each family's results."""
    today = datetime.now(UTC).date().isoformat()
    return {
        "machine": machine(),
        "floors": floors.to_json() if floors else {},
        "families": {
            name: {"date": today, "results": [result.to_json() for result in results]}
            for name, results in families.items()
        },
    }


def results_of(document: dict[str, Any], family: str) -> list[Result]:
    """Read a family's results from such a document."""
    return [Result.from_json(values) for values in document["families"][family]["results"]]
