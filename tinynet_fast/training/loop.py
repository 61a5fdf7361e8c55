"""The one training loop, which every trainer runs: epochs over the rows until something says stop.

Trainers pass in what differs between them: a function that makes one pass over the rows (`visit` hands blocks of rows
to a kernel), the largest number of epochs, and observers. Observers are told of each epoch and may end the run: early
stopping, callbacks, checkpoints, progress. The updates are in the kernels.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Called after an epoch with the number of epochs done, and whether this was the last. A true answer makes it the last.
Observer = Callable[[int, bool], Any]


def run_epochs(
    one_pass: Callable[[int], int], most: int, observers: Sequence[Observer] = (), done: int = 0
) -> Iterator[tuple[int, bool]]:
    """Train, and yield after each pass how many epochs are done and whether that was the last.

    It is a generator so that several runs can go on side by side.

    Parameters
    ----------
    one_pass : callable
        Given the number of epochs done, visits all rows once, or for several epochs at once; returns how many.
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
    """One pass: hand each block to `train`, in order. Files that blocks are read from are closed in any case."""
    try:
        for block in blocks:
            train(*block)
    finally:
        if isinstance(blocks, Generator):
            blocks.close()


@dataclass
class Tolerance:
    """scikit-learn's early stopping: stop if a loss has not come down by `tol` for `patience` epochs in a row.

    If `tol` is None, it never stops.
    """

    tol: float | None
    patience: int
    best: float = math.inf
    waited: int = 0

    def stops(self, value: float) -> bool:
        """Take in the loss of an epoch. Returns whether to stop after it."""
        if self.tol is None:
            return False
        # A loss that is lower by exactly `tol` is progress.
        self.waited = self.waited + 1 if value > self.best - self.tol else 0
        self.best = min(self.best, value)
        return self.waited >= self.patience
