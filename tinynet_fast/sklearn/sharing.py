"""What the fits of a search share inside our estimators: checked rows, encoded labels, orders of rows.

Without a search nothing is kept, and everything is computed as ever. The search is in `shared_fits.py`.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

MOST_VALUES = 1 << 23  # of orders that are kept: 64 MB
Found = TypeVar("Found")


def place(array: Any) -> Hashable:
    """What is the same for two views of the same numbers; of what is no array, for the same object.

    scikit-learn reshapes the checked `y` of a regressor in each fit: that is the same column each time.
    """
    if not isinstance(array, np.ndarray):
        return id(array)
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


class Shared:
    """What was computed from some arrays. They are kept with it, so that no other array gets their address.

    Threads may use it side by side: two may compute the same thing, and one of the answers stays.
    """

    def __init__(self) -> None:
        self._found: dict[Any, tuple[Any, Any]] = {}

    def get(self, name: Hashable, arrays: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        key = name, *map(place, arrays)
        if key not in self._found:
            self._found[key] = compute(), arrays
        return self._found[key][0]


class Orders:
    """Permutations, by the state of the generator that they were drawn with.

    Attributes
    ----------
    stopped : bool
        Whether a thread of the search has failed or was interrupted, so that the others need not go on.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[np.ndarray, Any]] = {}
        self._values, self.stopped = 0, False

    def shuffled(self, generator: np.random.RandomState, n: int) -> np.ndarray:
        """What `shuffled` returns; the generator moves on as if it had drawn."""
        key = n, state_of(generator)
        if key in self._kept:
            places, after = self._kept[key]
            generator.set_state(after)
            return places
        places = _draw(generator, n)
        if self._values + n <= MOST_VALUES:
            self._values += n
            self._kept[key] = places, generator.get_state()
        return places


class Sharing:
    """What the fits of one job share: with other jobs on the same rows, with all jobs of the search, and by themselves.

    Attributes
    ----------
    waiting : list
        Runs of networks that are prepared, and wait to be trained epoch by epoch in turn: `train_in_turn`.
    """

    def __init__(self, shared: Shared, orders: Orders) -> None:
        self.shared, self.orders, self.waiting = shared, orders, list[Any]()
        self.latest: dict[Any, tuple[Any, tuple[Any, ...], Any]] = {}


_now: ContextVar[Sharing | None] = ContextVar("sharing", default=None)


@contextmanager
def sharing(these: Sharing) -> Iterator[None]:
    """In the meantime, fits of this thread share these."""
    before = _now.set(these)
    try:
        yield
    finally:
        _now.reset(before)


def waits(run: Any) -> bool:
    """Whether a run that is prepared is trained later, in turn with others."""
    now = _now.get()
    if now is not None:
        now.waiting.append(run)
    return now is not None


def train_in_turn(runs: list[Any]) -> list[Any]:
    """Train all runs, an epoch of each in turn, so that they use the same rows while these are in the cache.

    Returns those that failed. A `run` has a `loop()`, as `run_epochs` returns it.
    """
    now = _now.get()
    failed, left = [], [(run, run.loop()) for run in runs]
    while left:
        going = []
        for run, loop in left:
            if now is not None and now.orders.stopped:
                return runs
            try:
                if next(loop, None) is not None:
                    going.append((run, loop))
            except Exception:  # scikit-learn fits it again, and says what is wrong
                failed.append(run)
        left = going
    return failed


def once(name: Hashable, arrays: tuple[Any, ...], compute: Callable[[], Found]) -> Found:
    """What `compute` returns; for fits that share, it is called once for the same arrays. Do not write to it."""
    now = _now.get()
    found: Found = compute() if now is None else now.shared.get(name, arrays, compute)
    return found


def latest(name: Any, arrays: tuple[Any, ...], compute: Callable[[bool], Found]) -> Found:
    """Like `once`, but only the last answer of that name is kept. `compute` is told whether its answer is kept."""
    now = _now.get()
    if now is None:
        return compute(False)
    kept, places = now.latest.get(name), tuple(map(place, arrays))
    if kept is None or kept[0] != places:
        kept = now.latest[name] = places, arrays, compute(True)
    found: Found = kept[2]
    return found


def drawn(name: Any, arrays: tuple[Any, ...], generator: np.random.RandomState, compute: Callable[[], Found]) -> Found:
    """Like `once`, for what is drawn from a generator, which moves on as if it had drawn. Do not write to it."""
    if _now.get() is None:
        return compute()
    found: tuple[Found, Any] = once((name, state_of(generator)), arrays, lambda: (compute(), generator.get_state()))
    generator.set_state(found[1])
    return found[0]


def state_of(generator: np.random.RandomState) -> Hashable:
    """Generators for which this is the same draw the same numbers."""
    state: Any = generator.get_state()
    return state[1].tobytes(), *state[2:]


def shuffled(generator: np.random.RandomState, n: int) -> np.ndarray:
    """(n,) int64: scikit-learn's new places of `n` rows. Do not write to it."""
    now = _now.get()
    return _draw(generator, n) if now is None else now.orders.shuffled(generator, n)


def _draw(generator: np.random.RandomState, n: int) -> np.ndarray:
    """What scikit-learn's `shuffle` does, in a tenth of its time."""
    places = np.arange(n)
    generator.shuffle(places)
    return places
