"""How everything is measured: results are checked first, then contenders take turns in one process.

Medians and quartiles count. On a shared machine an absolute time means little, but a ratio of two contenders that took
turns is meaningful.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from tinynet_fast.kernels.engines import compiles
from tinynet_fast.proof.bench import gcc
from tinynet_fast.proof.validate import distance

LEAST_TURN, LONG_TURN = 0.02, 0.5  # seconds
OWN_CORE, TRIES = 0.97, 3  # if another process had the core for more than 3% of a turn, run it again, at most 3 times
KERNELS = "compiled kernels"  # from the library, or compiled by Numba
GCC = "gcc"  # that can compile the loops in C
CHECKED_EPOCHS = 2
CHECKED_VALUES = 100_000  # how many values of a problem the plain Python loop gets

Run = Callable[[int], np.ndarray]  # train this many epochs from the start; return all parameters in one vector
K = TypeVar("K", bound=Hashable)


class NotEqualError(Exception):
    """A contender's weights differ by more than it states. Nothing is timed."""


class Problem(Protocol):
    """Rows to learn from, and for how many epochs after the first, which is not timed."""

    @property
    def name(self) -> str: ...
    @property
    def X(self) -> np.ndarray: ...
    @property
    def more(self) -> int: ...

    def first(self, rows: int) -> Self:
        """The same problem with only the first rows."""

    def solve(self, engine: str, epochs: int) -> np.ndarray:
        """Train with one of our engines and return the parameters."""


@dataclass(frozen=True)
class Contender:
    """An engine, a loop or a library that trains on a problem's rows.

    Attributes
    ----------
    name : str
    make : callable
        Takes a problem, prepares its rows for this contender (which is not timed) and returns the run.
    limit : float
        The largest norm-wise relative difference from the plain loop's weights; 0.0 means the same bits.
    remark : str
        Why the difference is not smaller, if that needs a reason. It is shown beside the figure.
    needs : str
        The module that must be installed, or KERNELS, or GCC.
    can : callable
        Whether the contender can make the updates of a problem.
    budget : callable, optional
        How many rows of a problem it gets, over all epochs, if all rows would take too long.
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
        if self.needs == GCC:
            return gcc.library() is not None
        try:
            import_module(self.needs or "tinynet_fast")
        except (ImportError, OSError):  # OSError: a library that the module needs is missing
            return False
        return True

    def share(self, problem: Problem) -> tuple[int, int]:
        """How many of the problem's rows it gets, and for how many epochs after the first."""
        if self.budget is None:
            return len(problem.X), problem.more
        rows = min(self.budget(problem), len(problem.X))
        return rows, max(1, min(problem.more, self.budget(problem) // rows))


@dataclass(frozen=True)
class Figure:
    """A contender's median and quartiles on `rows` rows, in the result's unit."""

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
    """A problem's figures, ours first, with its floors and the contenders that are not installed."""

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
        """How many times as long `who` took as the first contender, or as `to`."""
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
    """Time each of `runs` once in each round, in turns, after a round to warm up. Return the seconds.

    A turn lasts at least LEAST_TURN seconds: a shorter run is repeated, and the mean counts. Otherwise caches and clock
    would still be in the state in which the last contender left them. If another process took the core away during a
    short turn, the turn is repeated, TRIES times in all, and the shortest counts.
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
    """Return the mean seconds of a run, and for what share of the time this process had a core."""
    start, worked, times, spent = time.perf_counter(), time.process_time(), 0, 0.0
    while not times or spent < LEAST_TURN:
        run()
        times, spent = times + 1, time.perf_counter() - start
    return spent / times, (time.process_time() - worked) / spent


def figure(who: str, values: Iterable[float], **facts: Any) -> Figure:
    """Make a figure of the rounds' values: their median and quartiles."""
    low, median, high = (float(q) for q in np.quantile(np.asarray(values), [0.25, 0.5, 0.75]))
    return Figure(who, median, low, high, **facts)


def check_equal(problem: Problem, table: Sequence[Contender]) -> dict[str, tuple[Run, float]]:
    """Return each contender's run, and how far its weights are from the plain loop's.

    First `strict` must have the plain Python loop's bits on some rows. Then each contender is compared with `strict` on
    all the rows that it is timed on. Without compiled kernels the plain loop takes the place of `strict`.

    Raises
    ------
    NotEqualError
        If weights differ by more than the contender states.
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
    """Measure nanoseconds per row and epoch of each installed contender that can solve the problem.

    An epoch's cost is the time of a run of several epochs minus that of a run of one. So checks and preparations are
    not counted.
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
    """Time whole calls in turns. Figures are seconds times `scale`, in `unit`. `facts` (apart, remark): by contender.

    Check before that the results are equal.
    """
    seconds = take_turns(runs, rounds)
    figures = [
        figure(who, seconds[who] * scale, **{fact: values[who] for fact, values in facts.items() if who in values})
        for who in runs
    ]
    rows, features = shape
    return Result(name, rows, features, unit, figures, dict(floors or {}))
