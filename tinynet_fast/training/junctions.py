"""What is known of rows that were trained in segments, side by side: how far the weights can be from those in turn.

Why this is a proof. An update is w -> w - s (sigmoid(x.w) - y) x, where x has a 1 appended for the bias. Its derivative
I - s sigmoid' x x^T has eigenvalues between 1 - s |x|^2 / 4 and 1. So while s |x|^2 <= 8, which `fast` asks of every
row, two runs over the same rows from different weights never move apart. (With l2, which keeps a share k of the
weights: while s |x|^2 <= 4 (1 + k).) A gap is the distance between the weights with which a segment starts and those
with which the one before it ended. The last weights differ from those of rows in turn by at most the sum of all gaps,
plus rounding. It does not matter how the weights that a segment starts with were guessed.
"""

import math

import numpy as np

from tinynet_fast.training.result import Certificate

MOST_OFF = 5e-13  # the most that the sum of all gaps may be of the weights' length: half of what `fast` promises
MET = 1e-15  # two runs have met if they differ by less than this share of the weights' length
SHORTEST = 1e-100  # shorter weights are trained in turn: the squares of their numbers could be too small for a float
MARGIN = 1.25  # a burn-in has this many times the rows that two runs needed to meet
ROW_SECONDS, VALUE_SECONDS = 5.5e-9, 5.5e-10  # the time of a row in turn, and of each of its numbers
PAYS = 0.9  # segments are trained if they take at most this share of the time of rows in turn
MORE_SEGMENTS = 1.1  # more segments, for more threads, if one thread then takes at most this many times as long


class Junctions:
    """The junctions of one run so far. `burn_in` is for those who make segments: None until it is known."""

    def __init__(self) -> None:
        self.burn_in: int | None = None
        self.segments = self.rows_again = 0
        self.off = self.worst_gap = 0.0
        self.length = 1.0  # of the last weights

    def stand(self, starts: np.ndarray, ends: np.ndarray, rows: int) -> int:
        """Compare the weights at the junctions of segments that lie in a row.

        Parameters
        ----------
        starts, ends : (segments, n_features + 1) float64 arrays
            The weights and, last, the bias of each segment before its first row and after its last row.
        rows : int
            How many rows a segment has.

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
        count = int(np.argmin(np.append(fit, False)))
        if count:
            self.off, self.length = float(off[count - 1]), float(lengths[count - 1])
            self.worst_gap = max(self.worst_gap, float((gaps[:count] / lengths[:count]).max()))
        self.segments += count
        self.rows_again += (len(ends) - count) * rows
        return count

    @property
    def certificate(self) -> Certificate | None:
        """None if no segments were trained."""
        if not self.segments or self.burn_in is None:
            return None
        return Certificate(self.segments, self.burn_in, self.worst_gap, self.off / self.length, self.rows_again)


def seconds_in_turn(rows: int, n_features: int) -> float:
    """About how long rows take without segments."""
    return rows * (ROW_SECONDS + n_features * VALUE_SECONDS)


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
        """Whether to stop after so many rows, at these weights; `burn_in` is set if the runs have met."""
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
