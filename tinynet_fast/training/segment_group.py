"""A group of epochs of one neuron that are trained side by side; `segments.py` says how and why."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import MOST_VALUES
from tinynet_fast.kernels.fast.many_neurons import MOST, WIDTH
from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS
from tinynet_fast.rows.blocks import is_streamed
from tinynet_fast.rows.team import Team
from tinynet_fast.training.junctions import have_met
from tinynet_fast.training.many_neurons import ALL_ROWS, ManyNeurons, in_groups
from tinynet_fast.training.options import Options

BLOCK_ROWS = 1 << 14  # rows that a call of the kernel takes
CALL_SECONDS = 2.5e-5  # about how long a call takes beside its rows
# The bytes of weights that lie in the first cache.
CACHE = 1 << 15


@dataclass(frozen=True)
class Pace:
    """Estimates of the time of a pass.

    Attributes
    ----------
    waiting, latency : float
        How many seconds a row waits, however many registers are trained: for exp and a division, if there are any; and
        for each of its numbers, which waits for the sum so far.
    register, value : float
        How many seconds a register takes for a row, and for each number of it.
    out_of_cache : float
        How many times as long a number takes if the weights do not lie in the first cache.
    state_rows : int
        How many numbers a neuron keeps for each weight: 2 with means.
    """

    waiting: float
    latency: float
    register: float
    value: float
    out_of_cache: float
    state_rows: int


# By loss, and by whether neurons have l2 or averaging. Those of a loss were measured on the same machine, as in
# `junctions.py` and in `block_segments.py`; those of linear neurons on one whose clock is slower (2.1 GHz).
PACES = {
    (LOG_LOSS, False): Pace(2.4e-8, 6.5e-10, 1.7e-9, 3.7e-10, 1.4, 1),
    (LOG_LOSS, True): Pace(2.4e-8, 6.5e-10, 1.7e-9, 1e-9, 2.2, 2),
    (LEAST_SQUARES, False): Pace(5e-9, 1.3e-9, 0.0, 8e-10, 1.4, 1),
    (LEAST_SQUARES, True): Pace(6e-9, 1.3e-9, 2.8e-9, 2.1e-9, 1.8, 2),
}


@dataclass(frozen=True)
class GroupCut:
    """How a group of epochs is cut: into `slices` slices of the rows, each for `lanes` segments of `epochs` epochs.

    One of `epochs` and `slices` is 1.
    """

    lanes: int
    epochs: int
    slices: int

    def parts(self, n: int, n_features: int, pace: Pace, threads: int) -> int:
        """How many threads share the lanes of a slice. A few registers take about as long as one."""
        registers, most = math.ceil(self.lanes / WIDTH), math.ceil(threads / self.slices)
        return min(
            range(1, min(most, registers) + 1),
            key=lambda parts: pass_seconds(n, n_features, pace, math.ceil(registers / parts)),
        )

    def seconds(self, n: int, n_features: int, pace: Pace, threads: int) -> float:
        """About how long this many threads take for an epoch of all segments."""
        registers = math.ceil(math.ceil(self.lanes / WIDTH) / self.parts(n, n_features, pace, threads))
        rounds = math.ceil(self.slices / threads)
        return rounds * pass_seconds(n // self.slices, n_features, pace, registers)


def pass_seconds(n: int, n_features: int, pace: Pace, registers: int) -> float:
    """About how long one thread takes to train these registers of neurons on `n` rows."""
    calls = math.ceil(registers / MOST)
    state = 8 * WIDTH * (n_features + 1) * pace.state_rows  # bytes of a register
    out_of_cache = state * math.ceil(registers / calls) > CACHE
    value = pace.value * n_features * (pace.out_of_cache if out_of_cache else 1.0)
    a_row = calls * pace.waiting + max(pace.latency * n_features, registers * (pace.register + value))
    return n * a_row + math.ceil(n / BLOCK_ROWS) * calls * CALL_SECONDS


class SegmentLanes:
    """Segments over the same slice of the rows, each in a lane, which one thread trains.

    Attributes
    ----------
    numbers : (lanes,) int array
        Which segments of the slice these are.
    place : int
        Which slice it is.
    rows, early : (int, int)
        The first row of the slice and the row after its last one, and the same of its burn-in.
    neurons : ManyNeurons
    starts : (lanes, n_features + 1) float64 array
        Weights and, last, bias after the burn-in.
    after : list of (weights, means, losses)
        After each epoch, the weights and their means over its rows, (lanes, n_features + 1) each, and the squares of
        its errors (lanes,).
    """

    def __init__(self, numbers: np.ndarray, place: int, rows: tuple[int, int], early: tuple[int, int]) -> None:
        self.numbers, self.place, self.rows, self.early = numbers, place, rows, early
        self.neurons: ManyNeurons
        self.starts: np.ndarray
        self.after: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def train(self, rows: tuple[int, int], first: int, X: Any, y: np.ndarray, weights: np.ndarray) -> None:
        """Train on those of the given rows that are in a block, whose first row is number `first`."""
        part = slice(max(rows[0] - first, 0), max(rows[1] - first, 0))
        if part.start < min(part.stop, len(y)):
            self.neurons.train(X[part], y[part], weights[part], None)


class EpochGroup:
    """Some epochs of a run, which are trained side by side.

    Parameters
    ----------
    options : Options
    each : (float, float, float)
        The learning rate, l2, and 1.0 if means are needed, else 0.0.
    loss : int
    cut : GroupCut
    burn_in : int
        Rows; no more than a slice has if there are several.
    now, start : (n_features + 1,) float64 arrays
        The weights and, last, the bias before these epochs, and before the first row of the run.
    team : Team
    """

    def __init__(
        self,
        options: Options,
        each: tuple[float, float, float],
        loss: int,
        cut: GroupCut,
        burn_in: int,
        now: np.ndarray,
        start: np.ndarray,
        team: Team,
    ) -> None:
        self.options, self.cut, self.burn_in, self.team = options, cut, burn_in, team
        self.now, self.start, self.each, self.loss = now, start, each, loss
        n, tile = len(options.rows), options.engine.tile
        cuts = [*(n * k // cut.slices // tile * tile for k in range(cut.slices)), n]
        self.shares = np.diff(cuts) / n  # of the rows, which each slice has
        parts = cut.parts(n, options.rows.n_features, PACES[loss, any(each[1:])], team.threads)
        shares = in_groups(np.arange(cut.lanes), WIDTH, cut.lanes, parts)
        self.every = []
        for k, (first, last) in enumerate(pairwise(cuts)):
            end = first or n  # the first slice comes after the last one of the epoch before
            early = max(end - burn_in, 0) // tile * tile, end
            self.every += [SegmentLanes(numbers, k, (first, last), early) for numbers in shares]

    def train(self) -> bool:
        """Train. Returns False if burn-ins were too short; then nothing else was trained."""
        with np.errstate(all="ignore"):
            enough = self._side_by_side(self._burn)
            if all(enough):
                self._side_by_side(self._train)
        return all(enough)

    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Weights after burn-ins; weights after each epoch, their means over its rows, and its losses.

        Shapes are (lanes, slices, n_features + 1), (lanes, slices, epochs, n_features + 1), the means without `slices`,
        and (lanes, slices, epochs).
        """
        shape = self.cut.lanes, self.cut.slices, self.cut.epochs
        starts = np.empty((*shape[:2], len(self.now)))
        weights, means, losses = np.empty((*shape, len(self.now))), np.empty((*shape, len(self.now))), np.empty(shape)
        for lanes in self.every:
            at = lanes.numbers, lanes.place
            starts[at] = lanes.starts
            for k, after in enumerate(lanes.after):
                weights[(*at, k)], means[(*at, k)], losses[(*at, k)] = after
        return starts, weights, np.einsum("s,lsek->lek", self.shares, means), losses

    def _side_by_side(self, train: Callable[[list[SegmentLanes]], bool]) -> list[bool]:
        """Train all lanes, each by a thread of the team. A stream is read once for all of them."""
        rows = self.options.rows
        if is_streamed(rows) and rows.memory is None:
            return [train(self.every)]
        return self.team.map(train, [[lanes] for lanes in self.every])

    def _burn(self, every: list[SegmentLanes]) -> bool:
        """Train on burn-ins. Returns whether they were long enough.

        A segment that is nearer to the first row of the group than its burn-in is long begins there, where the weights
        are known, and is trained on all that comes before it.
        """
        rounds = math.ceil(self.burn_in / len(self.options.rows))  # a round is an epoch, or the end of one
        epochs, last = self.cut.epochs, self.cut.lanes - 1
        for lanes in every:
            # After the last segment there is one more lane, which begins with the first weights.
            lanes.starts = np.tile(self.now, (len(lanes.numbers) + (lanes.numbers[-1] == last), 1))
            lanes.starts[len(lanes.numbers) :] = self.start
        for left in range(rounds, 0, -1):
            for lanes in every:
                lanes.starts[: len(lanes.numbers)][lanes.numbers * epochs <= left] = self.now
                lanes.neurons = neurons(*self.each[:2], 0.0, lanes.starts, self.loss)
            self._visit(every, [lanes.early for lanes in every])
            for lanes in every:
                lanes.starts = lanes.neurons.weights()
        met = True
        for lanes in every:
            if lanes.numbers[-1] == last and last * epochs >= rounds:  # it took part in all rounds
                weights, others = lanes.starts[-2:]
                met = met and have_met(weights, others, last * self.cut.slices)
            lanes.starts = lanes.starts[: len(lanes.numbers)]
            if lanes.place == 0:
                lanes.starts[lanes.numbers == 0] = self.now
        return met

    def _train(self, every: list[SegmentLanes]) -> bool:
        """Train on the segments' own rows."""
        for lanes in every:
            lanes.neurons = neurons(*self.each, lanes.starts, self.loss)
        for _ in range(self.cut.epochs):
            for lanes in every:
                lanes.neurons.clear(means=True)
            self._visit(every, [lanes.rows for lanes in every])
            for lanes in every:
                trained = lanes.neurons
                lanes.after.append((trained.weights(), trained.parameters(), trained.squares()))
        return True

    def _visit(self, every: list[SegmentLanes], rows: list[tuple[int, int]]) -> None:
        """Train each of these on its rows."""
        for block in blocks(self.options, min(first for first, _ in rows), max(last for _, last in rows)):
            for lanes, own in zip(every, rows, strict=True):
                lanes.train(own, *block)


def neurons(rate: float, l2: float, average: float, starts: np.ndarray, loss: int) -> ManyNeurons:
    """A neuron for each row of `starts`, (m, n_features + 1), all with these options."""
    m = len(starts)
    return ManyNeurons(np.tile((rate, l2, average), (m, 1)), starts, np.full(m, ALL_ROWS), loss=loss)


def blocks(options: Options, start: int, stop: int) -> Iterator[tuple[int, Any, np.ndarray, np.ndarray]]:
    """The rows of an epoch from number `start` to before `stop`: a block's first number, X, y and weights."""
    tile = options.engine.tile
    size = max(min(BLOCK_ROWS, MOST_VALUES // options.rows.n_features) // tile, 1) * tile  # streams are cut at tiles
    first = start // size * size
    with closing(options.rows.blocks(size, None, 1, None, first, tile)) as found:
        for X, y, weights in found:
            part = slice(max(start - first, 0), stop - first)
            y = y[part]
            if len(y):
                weights = np.ones(len(y)) if weights is None else weights[part]
                yield first + part.start, options.engine.rows(X[part]), y, weights
            first += len(X)
            if first >= stop:
                return
