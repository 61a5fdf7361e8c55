"""A group of epochs of one neuron, each in an order of its own, that are trained side by side.

`segments.py` says how and why. The rows of each epoch are copied in its order beforehand, one epoch after the other. So
a segment is a run of rows of the copy, and each lane trains on rows of its own (`kernels/fast/segments.py`).
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import has_numba
from tinynet_fast.kernels.fast import row_order
from tinynet_fast.kernels.fast import segments as kernel
from tinynet_fast.kernels.fast.segments import TILE, WIDTH
from tinynet_fast.training.block_segments import ROW_SECONDS, VALUE_SECONDS, lanes_at_once
from tinynet_fast.training.junctions import THREADS, choose_cut, have_met, seconds_in_turn
from tinynet_fast.training.options import Options
from tinynet_fast.training.segment_group import Layout, blocks
from tinynet_fast.training.team import Team

# The most numbers of a table, 8 MB, and of the copies of a group, 32 MB.
TABLE_VALUES, COPIED_VALUES = 1 << 20, 1 << 22
MOST_FEATURES = 32  # with more, copying takes much longer than training
LANES = (8, 16, 32, 64, 128)
COPY_SECONDS = 1.5e-8  # about how long it takes to draw the order of an epoch and to copy its rows, for each row
THREADED_ROWS = 1 << 12  # shorter epochs are left to one thread: two would wait for each other in Python


def may_be_shuffled(options: Options) -> bool:
    """Whether epochs of these rows can be copied and trained side by side, as far as is known before the first one."""
    n, d = options.rows.count, options.rows.n_features
    compiled = has_numba() or options.rows.sample_weight is None  # the library has no kernel for steps of single rows
    return options.shuffle is True and d <= MOST_FEATURES and compiled and (n is None or n * d <= TABLE_VALUES)


class ShuffledRows:
    """All rows in memory, to be copied in the order of an epoch.

    Attributes
    ----------
    X, y : (n, n_features) array of float64 or float32, and (n,) float64 array
    step : (n,) float64 array, or (1,) if all rows have the same
    """

    def __init__(self, options: Options, rate: float) -> None:
        assert options.order is not None
        self.order = options.order
        _, X, y, weights = zip(*blocks(options, 0, len(options.rows)), strict=True)
        self.X, self.y, self.n = np.concatenate(X), np.concatenate(y), len(options.rows)
        one = options.rows.sample_weight is None
        self.step = np.array([rate]) if one else rate * np.concatenate(weights)
        if not has_numba():  # the library has kernels for float64 alone
            self.X = self.X.astype(np.float64)
        self.copies = self.X[:0], self.y[:0], self.step

    def copied(self, first: int, epochs: int, team: Team) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, y and steps of the epochs from number `first` on, and eight rows more that mean nothing.

        The next call writes into the same memory: fresh memory took 12 ns a row of 8 inputs more.
        """
        n = self.n
        if epochs * n + TILE > len(self.copies[1]):
            copies = epochs * n + TILE
            X, y = np.zeros((copies, self.X.shape[1]), self.X.dtype), np.zeros(copies)
            self.copies = X, y, self.step if len(self.step) == 1 else np.zeros(copies)
        X, y, step = self.copies

        def copy(k: int) -> None:
            rows, part = self.order.permutation(n, self.X.shape[1], first + k), slice(k * n, (k + 1) * n)
            row_order.gather(self.X, self.y, rows, X[part], y[part])
            if len(step) > 1:
                step[part] = self.step[rows]

        team.map(copy, range(epochs))
        return X, y, step


class ShuffledGroup:
    """Some epochs of a run, which are trained side by side.

    Parameters
    ----------
    rows : ShuffledRows
    first : int
        The number of the first of these epochs.
    layout, burn_in, now, start, team
        As for `Group`.
    """

    def __init__(
        self,
        rows: ShuffledRows,
        first: int,
        layout: Layout,
        burn_in: int,
        now: np.ndarray,
        start: np.ndarray,
        team: Team,
    ) -> None:
        self.layout, self.burn_in, self.now, self.start, self.n = layout, burn_in, now, start, rows.n
        self.team = team = team if self.n >= THREADED_ROWS else Team()
        self.X, self.y, self.step = rows.copied(first, layout.lanes * layout.epochs, team)
        self.base = np.arange(layout.lanes) * layout.epochs * self.n
        self.starts = np.empty((layout.lanes, len(now)))
        shape = layout.lanes, 1, layout.epochs
        self.weights, self.losses = np.empty((*shape, len(now))), np.empty(shape)

    def train(self) -> bool:
        """Train. Returns False if burn-ins were too short; then nothing else was trained."""
        size = lanes_at_once(self.layout.lanes, self.team.threads)
        lanes = [slice(first, first + size) for first in range(0, self.layout.lanes, size)]
        self.team.map(self._burn, lanes)
        if not self._burnt_long_enough():
            return False
        self.starts[0] = self.now
        self.team.map(self._train, lanes)
        return True

    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As `Group.table`, but there are no means: runs with averaging are not shuffled."""
        return self.starts[:, np.newaxis], self.weights, self.weights[:, 0], self.losses

    def _early(self) -> np.ndarray:
        return np.maximum(self.base - self.burn_in, 0)

    def _burn(self, lanes: slice) -> None:
        self.starts[lanes] = self._run(self._early()[lanes], self.burn_in, self.now)[0].T

    def _burnt_long_enough(self) -> bool:
        """Whether eight of the lanes end beside runs that begin with the first weights."""
        some = np.linspace(1, self.layout.lanes - 1, WIDTH).astype(np.intp)
        others, _ = self._run(self._early()[some], self.burn_in, self.start)
        pairs = zip(self.starts[some], others.T, strict=True)
        return all(have_met(weights, other, self.layout.lanes - 1) for weights, other in pairs)

    def _train(self, lanes: slice) -> None:
        state = self.starts[lanes].T
        for k in range(self.layout.epochs):
            base = self.base[lanes] + k * self.n
            state, self.losses[lanes, 0, k] = self._run(base, self.n, state.T)
            self.weights[lanes, 0, k] = state.T

    def _run(self, base: np.ndarray, count: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Train `count` rows from each of `base` on. Returns the weights, a column a lane, and the squares."""
        state, squares = kernel.aligned(len(self.now), len(base)), np.zeros(len(base))
        state[:] = np.broadcast_to(weights, (len(base), len(self.now))).T
        kernel.train(self.X, self.y, self.step, base, count, state, squares)
        return state, squares


def shuffled_layout(n: int, n_features: int, epochs: int, burn_in: int) -> Layout | None:
    """The layout to train the next epochs with, or None if epochs in turn are about as fast."""
    found = []
    for lanes in LANES:
        most = COPIED_VALUES // (lanes * n * (n_features + 2))
        length = min(math.ceil(epochs / lanes), most)
        if length * n < burn_in:  # else burn-ins would begin before the copied rows
            length = math.ceil(burn_in / n)
        if length > most:
            continue
        groups, seconds = math.ceil(epochs / (lanes * length)), []
        passes = groups * (length + burn_in / n) / epochs
        needless = groups * lanes * length / epochs - 1.0  # epochs that are copied for lanes that have none to train
        for threads in THREADS:
            size = lanes_at_once(lanes, threads)
            row = ROW_SECONDS[size] + VALUE_SECONDS * n_features
            a_row = passes * math.ceil(lanes / size / threads) * size * row + needless * COPY_SECONDS
            seconds.append(n * a_row)
        found.append((seconds, Layout(lanes, length, 1)))
    return choose_cut(found, seconds_in_turn(n, n_features))
