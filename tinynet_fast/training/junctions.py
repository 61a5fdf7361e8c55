"""The junctions of segments that are trained side by side: how far the weights can be from those of rows in turn.

Why this is a proof. An update is w -> w - s (f(x.w) - y) x, where x has a 1 appended for the bias, and f is the
sigmoid, or f(z) = z for a linear neuron. Its derivative I - s f' x x^T has eigenvalues between 1 - s h |x|^2 and 1,
where h is the largest f': 1/4 for the sigmoid and 1 for a linear neuron. So while s |x|^2 <= 2 / h (8, or 2), which
`fast` asks of every row, two runs over the same rows from different weights never move apart. (With l2, which keeps a
share k of the weights: while s |x|^2 <= (1 + k) / h.) A gap is the distance between the weights with which a segment
starts and those with which the one before it ended. The last weights differ from those of rows in turn by at most the
sum of all gaps, plus rounding. It does not matter how the weights that a segment starts with were guessed.
"""

import math
from typing import TypeVar

import numpy as np

from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS
from tinynet_fast.training.result import Certificate

Cut = TypeVar("Cut")  # a way to cut rows into segments

# The sum of all gaps may be at most this share of the weights' length: half of what `fast` promises.
MOST_OFF = 5e-13
# Two runs have met if they differ by at most this share of the weights' length.
MET = 1e-15
# Shorter weights are trained in turn, because the squares of their numbers could be too small for a float.
SHORTEST = 1e-100
# A burn-in has this many times the rows that two runs needed to meet.
MARGIN = 1.25
# Estimates of the time of a row in turn, and of each number in it.
IN_TURN = {LOG_LOSS: (5.5e-9, 5.5e-10), LEAST_SQUARES: (3.3e-9, 4.5e-10)}
# Segments are trained if they take at most this share of the time of rows in turn.
PAYS = 0.9
# A cut has to suit each of these numbers of threads, the smaller ones first. For none of them may it take more than
# MORE_SECONDS times as long as the best of the cuts that suit the smaller numbers.
THREADS, MORE_SECONDS = (1, 2, 8), 1.12


class Junctions:
    """The junctions of one run so far."""

    def __init__(self) -> None:
        self.segments = self.rows_again = self.burn_in = 0
        self.off = self.worst_gap = 0.0
        self.length = 1.0  # of the last weights

    def stand(
        self, starts: np.ndarray, ends: np.ndarray, rows: int | list[int], burn_in: int, together: int = 1
    ) -> int:
        """Compare the weights at the junctions of segments that lie in a row.

        Parameters
        ----------
        starts, ends : (segments, n_features + 1) float64 arrays
            The weights and, last, the bias of each segment before its first row and after its last row.
        rows : int or list of int
            How many rows a segment has, or each of them.
        burn_in : int
            On how many rows a segment was trained beforehand, at most.
        together : int
            So many segments in a row stand together or not at all.

        Returns
        -------
        int
            How many of the first segments stand. If it is not all of them, the rows of the others are to be trained
            once more.
        """
        with np.errstate(all="ignore"):
            gaps = np.append(0.0, np.linalg.norm(ends[:-1] - starts[1:], axis=1))
            off, lengths = self.off + np.cumsum(gaps), np.linalg.norm(ends, axis=1)
            fit = (off <= MOST_OFF * lengths) & (lengths >= SHORTEST)  # not if there is a NaN
        count = int(np.argmin(np.append(fit, False))) // together * together
        if count:
            self.off, self.length = float(off[count - 1]), float(lengths[count - 1])
            self.worst_gap = max(self.worst_gap, float((gaps[:count] / lengths[:count]).max()))
        self.segments += count
        self.rows_again += int(np.broadcast_to(rows, len(ends))[count:].sum())
        self.burn_in = burn_in
        return count

    @property
    def certificate(self) -> Certificate | None:
        """None if no segments were trained."""
        if not self.segments:
            return None
        return Certificate(self.segments, self.burn_in, self.worst_gap, self.off / self.length, self.rows_again)


def safe_bound(rate: float, l2: float, bound: float) -> float:
    """The largest sample weight * (|x|^2 + 1) of a row at which no two runs move apart; 0.0 for a rate of 0.0.

    `bound` is the loss's: the largest step * (|x|^2 + 1) of a row whose step does not overshoot without l2.
    """
    return bound / 2.0 * (1.0 + max(0.0, 1.0 - rate * l2)) / rate if rate > 0.0 else 0.0


def seconds_in_turn(rows: int, n_features: int, loss: int) -> float:
    """About how long rows take without segments."""
    row, value = IN_TURN[loss]
    return rows * (row + n_features * value)


def choose_cut(found: list[tuple[list[float], Cut]], in_turn: float) -> Cut | None:
    """The way to cut rows into segments, or None if rows in turn are about as fast.

    It is the same for any number of threads: of the cuts that are nearly the fastest for one thread, those that are
    nearly the fastest for two, and so on.

    Parameters
    ----------
    found : list of (seconds, Cut)
        The seconds that each number of THREADS takes, and the way to cut.
    in_turn : float
        The seconds that rows in turn take.
    """
    if not found or min(seconds[0] for seconds, _ in found) > PAYS * in_turn:
        return None
    for k in range(len(THREADS)):
        most = MORE_SECONDS * min(seconds[k] for seconds, _ in found)
        found = [(seconds, cut) for seconds, cut in found if seconds[k] <= most]
    return min(found, key=lambda each: each[0][-1])[1]


def have_met(weights: np.ndarray, others: np.ndarray, junctions: int) -> bool:
    """Whether two runs are so near to each other that this many gaps of that width would be narrow enough."""
    length = _length(weights)
    return length >= SHORTEST and junctions * _length(weights - others) <= MOST_OFF * length


class Meeting:
    """Finds out how long a burn-in has to be, from two runs over the same rows that start at different weights.

    Parameters
    ----------
    weights, others : (n_features + 1,) float64 arrays
        Where the two runs start.
    most : int
        After how many rows to stop.
    """

    def __init__(self, weights: np.ndarray, others: np.ndarray, most: int) -> None:
        self.burn_in: int | None = None
        self.most, self.apart = most, _length(weights - others)

    def is_over(self, weights: np.ndarray, others: np.ndarray, rows: int) -> bool:
        """Whether to stop. After `rows` rows the two runs have these weights; if they have met, `burn_in` is set."""
        length, off = _length(weights), _length(weights - others)
        if off <= MET * length and length >= SHORTEST:
            self.burn_in = math.ceil(MARGIN * rows)
            return True
        if length < SHORTEST or not off < self.apart:  # also for NaN
            return 8 * rows > self.most
        # Runs meet more slowly towards the end. So if up to twice their speed so far is not enough, they will not meet.
        left = math.log(off / (MET * length)) * rows / math.log(self.apart / off)
        return rows >= self.most or (8 * rows > self.most and left > (2.0 - rows / self.most) * (self.most - rows))


def _length(weights: np.ndarray) -> float:
    """The bits of `np.linalg.norm`, in a fraction of its time: short runs are compared every few hundred rows."""
    weights = weights.ravel()  # BLAS adds numbers that lie apart in another order
    return math.sqrt(weights.dot(weights))
