"""The one training loop, which every trainer runs: epochs over rows in some order, until a rule says stop.

What differs between trainers is handed in: a pass over the rows (`visit` takes blocks of them in an order to a kernel),
the most epochs that it may take, and observers, which are told of each epoch and may end the run: rules to stop,
callbacks, checkpoints, progress. What an update does is in the kernels.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any

# Told after an epoch how many epochs are done, and whether this was the last; a true answer makes it the last.
Observer = Callable[[int, bool], Any]


def run_epochs(
    one_pass: Callable[[int], int], most: int, observers: Sequence[Observer] = (), done: int = 0
) -> Iterator[tuple[int, bool]]:
    """Train, and yield after each pass how many epochs are done and whether that was the last.

    Because it yields, several runs can go on side by side.

    Parameters
    ----------
    one_pass : callable
        Visits all rows once, given the number of epochs done, or for several epochs at once; returns how many.
    most : int
        The run ends when this many epochs are done.
    observers : sequence of callables
        Called in turn after each pass; see `Observer`.
    done : int
        Epochs that were done before, if a run is resumed.
    """
    last = done >= most
    while not last:
        done += one_pass(done)
        last = done >= most
        for observer in observers:
            last = bool(observer(done, last)) or last
        yield done, last


def finish(loop: Iterable[tuple[int, bool]]) -> int:
    """Run a loop to its end. Returns how many epochs are done."""
    done = 0
    for done, _ in loop:  # noqa: B007 - the last one counts
        pass
    return done


def visit(blocks: Iterable[tuple[Any, ...]], train: Callable[..., Any]) -> None:
    """One pass: hand each block to `train`, in order. Blocks that are read from files are closed, whatever happens."""
    with closing(blocks) if isinstance(blocks, Generator) else nullcontext():
        for block in blocks:
            train(*block)


@dataclass
class Tolerance:
    """scikit-learn's rule to stop: the watched number, which should be small, did not come down by `tol` for a while.

    `tol` None never stops. `patience` is the number of epochs in a row without progress after which training stops.
    """

    tol: float | None
    patience: int
    best: float = math.inf
    waited: int = 0

    def stops(self, value: float) -> bool:
        """Take in the number of an epoch; whether to stop after it."""
        if self.tol is None:
            return False
        # A score that is better by exactly tol is progress, an objective that is as good as best - tol is too.
        self.waited = self.waited + 1 if value > self.best - self.tol else 0
        self.best = min(self.best, value)
        return self.waited >= self.patience
