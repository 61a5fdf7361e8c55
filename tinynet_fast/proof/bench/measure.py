"""How everything is measured: shown equal first, then in turns within one process; medians and quartiles count.

On a shared machine an absolute time means little; a ratio of two that took turns means something.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from tinynet_fast.kernels.engines import compiles
from tinynet_fast.proof.validate import distance

LEAST_TURN, LONG_TURN = 0.02, 0.5  # seconds
OWN_CORE, TRIES = 0.97, 3  # the share of a turn below which somebody else had the core, and how often it is run then
KERNELS = "compiled kernels"  # of the library, or by Numba
CHECKED_EPOCHS = 2
CHECKED_VALUES = 100_000  # how much of a problem the plain Python loop is given

Run = Callable[[int], np.ndarray]  # trains so many epochs from the start; all parameters in one vector
K = TypeVar("K", bound=Hashable)


class NotEqualError(Exception):
    """A contender learned other weights than it says; nothing is timed."""


class Problem(Protocol):
    """Rows to learn from, how, and for how many epochs more than one (the first is not counted)."""

    @property
    def name(self) -> str: ...
    @property
    def X(self) -> np.ndarray: ...
    @property
    def more(self) -> int: ...

    def first(self, rows: int) -> Self:
        """The same with the first rows alone."""

    def solve(self, engine: str, epochs: int) -> np.ndarray:
        """The parameters that one of our engines learns."""


@dataclass(frozen=True)
class Contender:
    """Somebody who learns a problem's rows.

    Attributes
    ----------
    name : str
    make : callable
        Given a problem, puts its rows as this contender wants them (which is not timed) and returns the run.
    limit : float
        The largest norm-wise relative difference from the plain loop's weights; 0.0 means the same bits.
    remark : str
        Why it is not closer, where it is not; shown beside the figure.
    needs : str
        The module that has to be installed, or KERNELS.
    can : callable
        Whether it makes the updates of a problem.
    budget : callable, optional
        How many rows of a problem it is given, epochs together, where all would take it too long.
    """

    name: str
    make: Callable[[Any], Run]
    limit: float = 0.0
    remark: str = ""
    needs: str = ""
    can: Callable[[Any], bool] = lambda problem: True
    budget: Callable[[Any], int] | None = None

    @property
    def installed(self) -> bool:
        if self.needs == KERNELS:
            return compiles()
        try:
            import_module(self.needs or "tinynet_fast")
        except (ImportError, OSError):  # OSError: a library that it needs is missing
            return False
        return True

    def share(self, problem: Problem) -> tuple[int, int]:
        """How many of the problem's rows it is given, and for how many epochs more than one."""
        if self.budget is None:
            return len(problem.X), problem.more
        rows = min(self.budget(problem), len(problem.X))
        return rows, max(1, min(problem.more, self.budget(problem) // rows))


@dataclass(frozen=True)
class Figure:
    """What was measured of a contender: the median and the quartiles, of `rows` rows, in the result's unit."""

    who: str
    median: float
    low: float
    high: float
    rows: int | None = None
    apart: float | None = None
    limit: float | None = None
    remark: str = ""


@dataclass(frozen=True)
class Result:
    """A problem's figures, ours first, with the floor that it cannot go below and who was not installed."""

    problem: str
    rows: int
    features: int
    unit: str
    figures: list[Figure]
    floors: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def of(self, who: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.who == who), None)

    def ratio(self, who: str, to: str | None = None) -> float:
        """How many times as long as the first, or as `to`, it took."""
        one, other = self.of(who), self.of(to) if to else self.figures[0]
        if one is None or other is None:
            raise KeyError(f"{self.problem}: no figure of {who} and {to or 'ours'}")
        return one.median / other.median

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "figures": [Figure(**figure) for figure in values["figures"]]})


def take_turns(runs: Mapping[K, Callable[[], Any]], rounds: int) -> dict[K, np.ndarray]:
    """Seconds of each of `runs` in each round; a round to warm up, then they alternate.

    A turn lasts at least LEAST_TURN: who is done sooner runs again, and the mean counts. A single millisecond would be
    that of a processor whose caches and clock are still the last contender's. A turn in which another process took the
    core away is run again if it was short, TRIES times in all, and the shortest counts.
    """
    seconds: dict[K, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            taken = []
            for _ in range(TRIES if turn else 1):
                spent, share = one_turn(run)
                taken.append(spent)
                if share >= OWN_CORE or spent > LONG_TURN:
                    break
            if turn:
                seconds[name].append(min(taken))
    return {name: np.array(values) for name, values in seconds.items()}


def one_turn(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of a run, the mean of a turn's, and for what share of them this process had a core."""
    start, worked, times, spent = time.perf_counter(), time.process_time(), 0, 0.0
    while not times or spent < LEAST_TURN:
        run()
        times, spent = times + 1, time.perf_counter() - start
    return spent / times, (time.process_time() - worked) / spent


def figure(who: str, values: Iterable[float], **facts: Any) -> Figure:
    """The median and the quartiles of what each round came to."""
    low, median, high = (float(q) for q in np.quantile(np.asarray(values), [0.25, 0.5, 0.75]))
    return Figure(who, median, low, high, **facts)


def check_equal(problem: Problem, table: Sequence[Contender]) -> dict[str, tuple[Run, float]]:
    """Each contender's run on its share of the rows, and how far its weights are from the plain loop's.

    `strict` is held against the plain loop in Python, bit for bit, on as many rows as that does in no time; everybody
    is then held against `strict` on all the rows that it is timed with. Without compiled kernels the plain loop takes
    the place of `strict`.

    Raises
    ------
    NotEqualError
        Where the weights are further apart than the contender says.
    """
    some, exact = problem.first(max(CHECKED_VALUES // problem.X.shape[1], 2)), "strict" if compiles() else "reference"
    if not np.array_equal(some.solve(exact, CHECKED_EPOCHS), some.solve("reference", CHECKED_EPOCHS)):
        raise NotEqualError(f"{problem.name}: strict has not the plain loop's bits: nothing is timed")
    refs: dict[int, np.ndarray] = {}
    runs = {}
    for contender in table:
        rows, _ = contender.share(problem)
        part = problem.first(rows)
        if rows not in refs:
            refs[rows] = part.solve(exact, CHECKED_EPOCHS)
        run = contender.make(part)
        apart = distance(run(CHECKED_EPOCHS), refs[rows])
        if not apart <= contender.limit:
            raise NotEqualError(
                f"{problem.name}: {contender.name} has weights {apart:.1e} from the plain loop's, where "
                f"{contender.limit:.0e} is allowed: nothing is timed"
            )
        runs[contender.name] = run, apart
    return runs


def measure(
    problem: Problem, table: Sequence[Contender], rounds: int, floors: Mapping[str, float] | None = None
) -> Result:
    """Nanoseconds a row and epoch of each contender that can do the problem and is installed, ours (the first) first.

    The cost of an epoch is that of a run of several less that of a run of one, so that nobody's checks and preparations
    are counted.
    """
    able = [c for c in table if c.can(problem)]
    there = [c for c in able if c.installed]
    runs = check_equal(problem, there)
    turns = {}
    for contender in there:
        _, more = contender.share(problem)
        for epochs in (1, 1 + more):
            turns[contender.name, epochs] = partial(runs[contender.name][0], epochs)
    seconds = take_turns(turns, rounds)
    figures = []
    for contender in there:
        rows, more = contender.share(problem)
        spent = (seconds[contender.name, 1 + more] - seconds[contender.name, 1]) / more
        facts = {"rows": rows, "apart": runs[contender.name][1], "limit": contender.limit, "remark": contender.remark}
        figures.append(figure(contender.name, spent / rows * 1e9, **facts))
    missing = [c.name for c in able if c not in there]
    n, d = problem.X.shape
    return Result(problem.name, n, d, "ns a row", figures, dict(floors or {}), missing)


def race(
    name: str,
    runs: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    shape: tuple[int, int],
    unit: str = "ms",
    scale: float = 1e3,
    floors: Mapping[str, float] | None = None,
    **facts: Mapping[str, Any],
) -> Result:
    """Whole calls, in turns: seconds times `scale` in `unit`. Each of `facts` (apart, remark) is by contender.

    Whoever calls this has shown them equal.
    """
    seconds = take_turns(runs, rounds)
    figures = [
        figure(who, seconds[who] * scale, **{fact: values[who] for fact, values in facts.items() if who in values})
        for who in runs
    ]
    rows, features = shape
    return Result(name, rows, features, unit, figures, dict(floors or {}))
