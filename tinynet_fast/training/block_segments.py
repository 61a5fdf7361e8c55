"""Trains one block of many rows in segments, side by side: rows of one epoch, in whatever order they come.

A block is cut into segments of equally many rows, each of which is trained in a lane of the registers
(`kernels/fast/segments.py`). Each but the first begins with the weights from before the block, which are a guess, and
first trains on the rows before its own, its burn-in. `junctions.py` compares the weights after each burn-in with those
that the segment before ended with. From the first junction at which they are too far apart, rows are trained in turn.

How many rows two runs need until they meet depends on the rows and the rate. This is measured in the first block, after
some of its rows were trained in turn: one run begins with the first weights, and one with the weights after these rows.
"""

import math
from contextlib import suppress
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import MissingCompilerError, has_numba
from tinynet_fast.kernels.engines import FAST
from tinynet_fast.kernels.fast import segments as kernel
from tinynet_fast.kernels.fast.segments import TILE, WIDTH
from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS
from tinynet_fast.rows.team import Team
from tinynet_fast.training.junctions import THREADS, Junctions, Meeting, choose_cut, seconds_in_turn
from tinynet_fast.training.schedules import PLAIN

# The most that a block may hold, 8 MB of float64. The more it holds, the fewer burn-ins there are. But a block of rows
# from a file is put together from pieces: with 64 MB, 1,000,000 rows of 16 inputs took 152 ns each instead of 72.
BLOCK_ROWS, BLOCK_VALUES = 1 << 20, 1 << 20
# With more features, blocks are too short to gain from segments.
MOST_FEATURES = 8
# Shorter blocks are trained in turn.
LEAST_ROWS = 1 << 16
# The most rows that are measured, as a share of the first block. They take up to 10% of its time; if two runs cannot
# meet, an eighth of that.
MEASURED = 1 / 40
# Estimates of the time of a row in a segment, by the number of segments at once, and of each number in the row.
ROW_SECONDS = {LOG_LOSS: {8: 2.8e-9, 16: 1.5e-9, 32: 1.1e-9}, LEAST_SQUARES: {8: 1.1e-9, 16: 1e-9, 32: 1.1e-9}}
VALUE_SECONDS = {LOG_LOSS: 4.8e-10, LEAST_SQUARES: 4e-10}
# The most segments that one thread trains at once.
MANY = 32
SEGMENTS = (8, 16, 32, 64, 128)


def block_rows(n_features: int) -> int:
    """The rows of a block: the same number however they are stored, so that a file has the bits of its rows."""
    return max(min(BLOCK_ROWS, BLOCK_VALUES // n_features // FAST.tile * FAST.tile), FAST.tile)


class BlockSegments:
    """Trains blocks of one run of a neuron without penalties, whose steps do not overshoot.

    Parameters
    ----------
    start : (n_features + 1,) float64 array
        The weights and, last, the bias before the first row.
    junctions : Junctions
    team : Team
    loss : int
        LOG_LOSS or LEAST_SQUARES.
    """

    def __init__(self, start: np.ndarray, junctions: Junctions, team: Team, loss: int = LOG_LOSS) -> None:
        self.start, self.junctions, self.team, self.loss = start, junctions, team, loss
        self.in_turn = getattr(FAST.kernels, PLAIN[loss])
        self.burn_in: int | None = None
        self.first_rate = 0.0
        self.given_up = False

    def train(
        self, X: Any, y: np.ndarray, step: np.ndarray, rate: float, weights: Any, bias: Any, loss: np.ndarray
    ) -> int:
        """Train on the first rows of a block. Returns how many.

        Parameters
        ----------
        X, y : (n, n_features) array of float64 or float32, and (n,) float64 array
        step : (n,) float64 array, or (1,) if all rows have the same
        rate : float
            The learning rate of the last row.
        weights, bias : (n_features,) and (1,) float64 arrays
            They are changed in place.
        loss : (1,) float64 array
            The squares of the errors are added to it.
        """
        now = np.append(weights, bias)
        done = self._train_block(X, y, step, rate, now, loss)
        weights[:], bias[:] = now[:-1], now[-1]
        return done

    def _train_block(
        self, X: Any, y: np.ndarray, step: np.ndarray, rate: float, now: np.ndarray, loss: np.ndarray
    ) -> int:
        """`train` with the weights and, last, the bias in `now`."""
        n, done = len(y), 0
        # Without Numba there are only kernels for float64 and for one step for all rows.
        compiled = has_numba() or (X.dtype == np.float64 and len(step) == 1)
        if self.given_up or n < LEAST_ROWS or not compiled:
            return 0
        if self.burn_in is None:
            done = int(n * MEASURED) // TILE * TILE
            steps = step[:done] if len(step) > 1 else np.full(done, step[0])
            self.in_turn(X[:done], y[:done], steps, now[:-1], now[-1:], loss)
            with suppress(MissingCompilerError):  # the library has no segments for the oldest CPUs
                self.burn_in, self.first_rate = self._measure(X, y, step, done, now), rate
        if self.burn_in is None:
            self.given_up = True
            return done
        if not rate > 0.0:
            return done
        burn_in = math.ceil(self.burn_in * self.first_rate / rate / TILE) * TILE
        segments = _segments(n - done, X.shape[1], burn_in, self.loss)
        if segments:
            done += self._train(X, y, step, done, segments, burn_in, now, loss)
        return done

    def _train(
        self,
        X: Any,
        y: np.ndarray,
        step: np.ndarray,
        first: int,
        k: int,
        burn_in: int,
        now: np.ndarray,
        loss: np.ndarray,
    ) -> int:
        """Train `k` segments of the rows from `first` on. Returns the rows of those that stand."""
        length = (len(y) - first) // k // TILE * TILE
        base = first + length * np.arange(k)
        state, squares = kernel.aligned(len(now), k), np.zeros(k)
        state[:] = now[:, np.newaxis]
        early = base - burn_in
        early[0] = first  # rows that the first segment does not need to know
        self._side_by_side(X, y, step, early, burn_in, state, squares)
        state[:, 0] = now
        starts = state.T.copy()
        squares[:] = 0.0
        self._side_by_side(X, y, step, base, length, state, squares)
        stand = self.junctions.stand(starts, state.T, length, burn_in)
        self.given_up = stand < k
        if stand:
            now[:] = state[:, stand - 1]
            loss[0] += squares[:stand].sum()
        return stand * length

    def _side_by_side(
        self,
        X: Any,
        y: np.ndarray,
        step: np.ndarray,
        base: np.ndarray,
        count: int,
        state: np.ndarray,
        squares: np.ndarray,
    ) -> None:
        """Call the kernel for some lanes at a time, which the threads of the team share."""

        def train(lanes: slice) -> None:
            part, errors = kernel.aligned(len(state), len(base[lanes])), squares[lanes].copy()
            part[:] = state[:, lanes]
            kernel.train(X, y, step, base[lanes], count, part, errors, self.loss)
            state[:, lanes], squares[lanes] = part, errors

        size = _lanes(len(base), self.team.threads)
        self.team.map(train, [slice(begin, begin + size) for begin in range(0, len(base), size)])

    def _measure(self, X: Any, y: np.ndarray, step: np.ndarray, first: int, now: np.ndarray) -> int | None:
        """The burn-in that these rows need, or None if two runs do not meet in time."""
        most = int(len(y) * MEASURED)
        size = max(most // 64 // TILE * TILE, 128)
        state, squares = kernel.aligned(len(now), WIDTH), np.zeros(WIDTH)
        state[:] = now[:, np.newaxis]
        state[:, 1] = self.start
        meeting = Meeting(now, self.start, most)
        for rows in range(size, most + size, size):
            base = np.full(WIDTH, first + rows - size)
            kernel.train(X, y, step, base, size, state, squares, self.loss)
            if meeting.is_over(state[:, 0], state[:, 1], rows):
                break
        return meeting.burn_in


def _lanes(segments: int, threads: int) -> int:
    """How many segments one thread trains at once: 8, 16 or 32."""
    return next(lanes for lanes in (WIDTH, 2 * WIDTH, MANY) if lanes * threads >= segments or lanes == MANY)


def _segments(n: int, n_features: int, burn_in: int, loss: int) -> int | None:
    """How many segments to cut `n` rows into; None if rows in turn are about as fast."""
    found = []
    for k in SEGMENTS:
        length = n // k // TILE * TILE
        if length >= burn_in:  # else a segment would need rows from before the first one
            seconds = []
            for threads in THREADS:
                lanes = _lanes(k, threads)
                row = ROW_SECONDS[loss][lanes] + VALUE_SECONDS[loss] * n_features
                seconds.append(math.ceil(k / lanes / threads) * lanes * (length + burn_in) * row)
            found.append((seconds, k))
    return choose_cut(found, seconds_in_turn(n, n_features, loss))
