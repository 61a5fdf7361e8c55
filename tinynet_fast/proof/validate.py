"""`validate()`: run every engine against the reference on this machine, on a fixed battery of problems.

The property tests run the same comparisons on generated problems. `test_planted_mistakes.py` plants mistakes in the
kernels and shows that the battery finds them.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.kernels.compiler.jit import no_copies, noting
from tinynet_fast.kernels.engines import ENGINES, REFERENCE, Engine
from tinynet_fast.proof.battery import Case, battery, own_cases
from tinynet_fast.proof.facts import facts
from tinynet_fast.proof.problems import Problem, Solutions, can_solve, promise
from tinynet_fast.proof.solvers import INTERPRETED, Solvers
from tinynet_fast.rows.team import Team, check_jobs

LEAST_LOSS = 1e-6  # the squared error of a prediction that is 0.001 off
DEEP = 20  # times as many problems


@dataclass(frozen=True)
class Verdict:
    """One engine's result for one case.

    Attributes
    ----------
    engine, case : str
    rows : int
        Rows trained, over all the problems of the case.
    ulps : int
        The largest difference of a weight, a bias or a loss from the reference, in units in the last place.
    difference : float
        The largest norm-wise relative difference of parameters or losses from the reference. If an epoch's loss is
        below 1e-6 a row, its difference is divided by 1e-6 a row instead.
    promise : float
        The largest `difference` that is allowed; 0.0 means bit for bit.
    kept : bool
        Whether the promise was kept.
    """

    engine: str
    case: str
    rows: int
    ulps: int
    difference: float
    promise: float
    kept: bool


@dataclass(frozen=True, repr=False)
class Validation:
    """The result of `validate`: a verdict for each engine and case, and facts about this machine."""

    verdicts: list[Verdict]
    facts: dict[str, str]

    def __repr__(self) -> str:
        broken = sum(not verdict.kept for verdict in self.verdicts)
        kept = f"{broken} promises broken" if broken else "every promise kept"
        return f"Validation({kept}, {len(self.verdicts)} verdicts on {len({v.engine for v in self.verdicts})} engines)"

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return all(verdict.kept for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {"kept": self.kept, "verdicts": [asdict(v) for v in self.verdicts], "facts": self.facts}


def ulps(comp: np.ndarray, ref: np.ndarray) -> int:
    """The largest distance between numbers at the same place, counted in floats."""
    places = []  # of each number among all floats in order, with 0 for 0.0
    for array in (comp, ref):
        bits = np.ascontiguousarray(array, dtype=np.float64).view(np.int64).tolist()
        places.append([b if b >= 0 else -(b & 0x7FFFFFFFFFFFFFFF) for b in bits])
    return max((abs(a - b) for a, b in zip(*places, strict=True)), default=0)


def distance(comp: np.ndarray, ref: np.ndarray, least: float = 0.0) -> float:
    """The norm of the difference, divided by the norm of `ref` or by `least`, whichever is larger.

    Infinity if one of the two is finite and the other is not.
    """
    scale = float(np.max(np.abs(ref), initial=0.0))
    if np.array_equal(comp, ref, equal_nan=True):
        return 0.0
    if not (np.isfinite(comp).all() and np.isfinite(scale)):
        return float("inf")
    scale = scale or 1.0  # divide first, so that no square overflows; if all of `ref` is zero, the difference counts
    return float(np.linalg.norm((comp - ref) / scale) / max(np.linalg.norm(ref / scale) or 1.0, least / scale))


def reference_solutions(problems: Sequence[Problem]) -> Solutions:
    """What the reference makes of the problems: most of the time of `validate`."""
    return [problem.solve(REFERENCE) for problem in problems]


def judge(
    engine: Engine,
    name: str,
    problems: Sequence[Problem],
    refs: Solutions | None = None,
    comps: Solutions | None = None,
) -> Verdict:
    """Solve each problem with the engine, and compare parameters and losses with those of the reference, `refs`.

    `comps` are the engine's own, if they are known.
    """
    far: list[int] = []
    apart: list[float] = []
    ways: set[str] = set()
    refs = reference_solutions(problems) if refs is None else refs
    for k, (problem, ref) in enumerate(zip(problems, refs, strict=True)):
        with noting() as ways_now:
            comp = problem.solve(engine) if comps is None else comps[k]
        ways |= ways_now
        # A prediction of almost 1 has an error with few exact digits. So a loss below LEAST_LOSS a row counts as that.
        apart += [distance(comp[0], ref[0]), distance(comp[1], ref[1], LEAST_LOSS * len(problem.X))]
        far += map(ulps, comp, ref)
    allowed = promise(engine, problems[0])
    kept = all(off <= allowed for off in apart) and (allowed > 0.0 or max(far) == 0)
    rows = sum(len(problem.X) for problem in problems)
    return Verdict(engine.named(ways), name, rows, max(far), max(apart), allowed, kept)


def validate(
    X: Any = None,
    y: Any = None,
    *,
    deep: bool = False,
    engines: Sequence[Engine] | None = None,
    progress: Callable[[str], Any] | None = None,
    n_jobs: int | None = None,
) -> Validation:
    """Run every engine against the reference on this machine, and report whether each kept its promise.

    It compares weights and losses on a fixed set of problems. This takes some seconds.

    Parameters
    ----------
    X, y : optional
        Your own rows and labels, as for `train_neuron`, but in memory and not sparse. The engines are compared on the
        first of them, too: on as many as the plain loop trains on in about a second.
    deep : bool
        Run twenty times as many problems.
    engines : sequence of Engine, optional
        The default is all but the reference.
    progress : callable, optional
        Called with the name of each case before it runs; with several threads, by any of them.
    n_jobs : int, optional
        How many threads work on the cases, None for one and -1 for one on each core; never more than there are cores.
        Beside each but the first runs a process that solves them with the engines in plain Python. The report is the
        same.

    Returns
    -------
    Validation
        `kept` is True if every promise was kept. `verdicts` has the figures for each engine and case.

    Examples
    --------
    >>> from tinynet_fast import validate
    >>> validate().kept
    True
    """
    if (X is None) != (y is None):
        raise ValueError("X and y go together: pass both, or neither")
    check_jobs(n_jobs)
    chosen = list(engines) if engines is not None else [e for e in ENGINES.values() if e is not REFERENCE]
    own = [] if X is None else list(own_cases(X, y))  # before the battery, so that bad rows are refused at once
    turns = DEEP if deep else 1
    with warnings.catch_warnings(), no_copies():
        warnings.simplefilter("ignore", TrainingWarning)  # the problems are there to be computed, not to be learned
        verdicts = _verdicts(chosen, turns, own, progress, n_jobs)
    return Validation(merged(verdicts), facts())


def _verdicts(
    engines: Sequence[Engine],
    turns: int,
    more: Iterable[Case],
    progress: Callable[[str], Any] | None,
    n_jobs: int | None,
) -> list[Verdict]:
    def judged(numbered: tuple[int | None, Case]) -> list[Verdict]:
        number, (name, problems, everyone) = numbered
        if progress:
            progress(name)
        able = [e for e in engines if (everyone or e.promise == 0.0) and can_solve(e, problems[0])]
        if not able:
            return []
        known = {} if number is None else solvers.solve(number)
        refs = known.get(REFERENCE.name) or reference_solutions(problems)
        own = [known.get(e.name) if e in INTERPRETED else None for e in able]  # not for one that only has the name
        return [judge(engine, name, problems, refs, comps) for engine, comps in zip(able, own, strict=True)]

    cases = chain(enumerate(battery(turns)), ((None, case) for case in more))
    with (
        Solvers(turns) as solvers,
        Team.of(n_jobs) as team,
        closing(team.in_order(judged, cases, solvers.close)) as answers,
    ):
        return [verdict for each in answers for verdict in each]


def merged(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """One verdict for each engine and case, engine by engine, with the largest differences and the sum of rows."""
    together: dict[str, dict[str, list[Verdict]]] = {}
    for v in verdicts:
        together.setdefault(v.engine, {}).setdefault(v.case, []).append(v)
    return [
        Verdict(
            engine,
            case,
            rows=sum(v.rows for v in seen),
            ulps=max(v.ulps for v in seen),
            difference=max(v.difference for v in seen),
            promise=seen[0].promise,
            kept=all(v.kept for v in seen),
        )
        for engine, cases in together.items()
        for case, seen in cases.items()
    ]
