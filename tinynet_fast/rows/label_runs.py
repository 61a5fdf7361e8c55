"""The longest run of one label in rows that come block by block, and when it is too long to train on."""

import math

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn

GROUP = 1024  # labels that are compared at once: a minimum and a maximum are 20 times as fast as finding each change
LONG_RUN = 20_000  # rows: a shorter run is never warned of
LONG_SHARE = 0.05  # of the rows: with 20 labels that are equally frequent, sorted rows have runs of this share
BY_CHANCE = 1e-6  # a run that shuffled rows have with a higher probability is never warned of


class LongestRun:
    """Counts the rows, the rows of each label, and the longest run of one label, over blocks of codes.

    Attributes
    ----------
    rows : int
        How many rows were added.
    longest : int
        The length of the longest run. Runs below 2 * GROUP rows may be counted as shorter.
    code : int
        The label of that run.
    """

    def __init__(self) -> None:
        self.rows, self.longest, self.code = 0, 0, -1
        self._open, self._last = 0, -1  # the run that the next block may continue
        self._counts = np.zeros(256, np.int64)

    def add(self, codes: np.ndarray) -> None:
        """Take in the codes of the next rows: (n,) uint8."""
        n = len(codes)
        if n == 0:
            return
        self.rows += n
        if codes.max() > 1:
            counts = np.bincount(codes)
            self._counts[: len(counts)] += counts
        else:
            ones = np.count_nonzero(codes)
            self._counts[:2] += n - ones, ones
        first, last, (length, code) = _runs(codes)
        self._note(first + (self._open if codes[0] == self._last else 0), codes[0])
        self._note(length, code)
        self._note(last, codes[-1])
        self._open = last if first < n else self._open + n if codes[0] == self._last else n
        self._last = int(codes[-1])

    def _note(self, length: int, code: int) -> None:
        if length > self.longest:
            self.longest, self.code = length, int(code)

    @property
    def too_long(self) -> bool:
        """Whether the run is long, a large share of the rows, and longer than chance makes it in shuffled rows.

        If a share p of n rows have other labels, shuffled rows have a run of k with a probability of at most
        n p (1 - p)**k.
        """
        if self.longest < max(LONG_RUN, LONG_SHARE * self.rows):
            return False
        others = self.rows - int(self._counts[self.code])
        return others > 0 and math.log(others) - self.longest * others / self.rows < math.log(BY_CHANCE)

    def warn(self, labels: np.ndarray, remedy: str) -> None:
        """Issue a TrainingWarning if the run is too long. `labels` are those that codes stand for."""
        if self.too_long:
            warn(
                f"{self.longest:,} of {self.rows:,} rows follow each other with the label "
                f"{labels[self.code].item()!r}: trained in this order, the model forgets the labels before. {remedy}",
                TrainingWarning,
            )


def _runs(codes: np.ndarray) -> tuple[int, int, tuple[int, int]]:
    """The lengths of the first and the last run, and the length and the code of the longest run between them."""
    n = len(codes)
    if n > 4 * GROUP:
        groups = codes[: n // GROUP * GROUP].reshape(-1, GROUP)
        if not (groups.min(axis=1) == groups.max(axis=1)).any():  # each group has a change, so no run is long
            first, last = _changes(codes[:GROUP]), _changes(codes[-2 * GROUP :])
            return int(first[0]), 2 * GROUP - int(last[-1]), (0, 0)
    changes = _changes(codes)
    if not len(changes):
        return n, n, (0, 0)
    between = np.diff(changes)
    at = int(np.argmax(between)) if len(between) else 0
    longest = (int(between[at]), int(codes[changes[at]])) if len(between) else (0, 0)
    return int(changes[0]), n - int(changes[-1]), longest


def _changes(codes: np.ndarray) -> np.ndarray:
    """Where a code differs from the one before."""
    return np.flatnonzero(codes[1:] != codes[:-1]) + 1
