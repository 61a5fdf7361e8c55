"""Trains many epochs of one neuron side by side, in segments.

Per-row SGD waits for itself: a row needs the weights after the row before. So the epochs are cut into segments of some
epochs each, and all segments are trained at once, each in a lane of the registers (`many_neurons.py`). But a segment
needs the weights that the segment before it ends with. It begins with a guess, the present weights, and first trains on
the last rows of an epoch, its burn-in, until the guess no longer matters. When all segments are trained,
`junctions.py` compares the weights after each burn-in with those that the segment before ended with. If they are too
far apart, training goes on from that junction without segments.

How many rows two runs need until they meet depends on the rows and the rate. `_measure` finds out: two neurons, one
with the first weights and one with the present ones, train on the same rows until their weights are the same.
"""

import math
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels.engines import MOST_VALUES
from tinynet_fast.kernels.fast.many_neurons import WIDTH
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.junctions import Junctions, Meeting, choose_cut, seconds_in_turn
from tinynet_fast.training.loop import visit
from tinynet_fast.training.many_neurons import ALL_ROWS, ROW_SECONDS, VALUE_SECONDS, ManyNeurons
from tinynet_fast.training.neuron_updates import DenseNeuron
from tinynet_fast.training.options import Options

if TYPE_CHECKING:
    from concurrent.futures import Executor

# The most rows that are measured, as a share of all. They take up to 9% of the time: two neurons cost as much as eight.
MEASURED = 1 / 32
# Shorter runs are trained in turn, and runs of fewer rows, because each epoch takes Python some time.
LEAST_SECONDS, LEAST_ROWS = 0.002, 500
# Runs of at most this many epochs are trained in turn: a register has eight lanes.
LEAST_EPOCHS = 8
# The first group of segments may take this share of the time of all epochs, unless all rows were measured.
FIRST_SHARE = 0.05
# A later group may take this long. Callbacks wait for it, and Ctrl-C too.
GROUP_SECONDS = 0.5
# Rows that a call of the kernel takes, and about how long a call takes beside the rows.
BLOCK_ROWS, CALL_SECONDS = 1 << 14, 2.5e-5
# A group keeps the weights after each epoch: at most this many numbers, 64 MB.
KEPT_VALUES = 1 << 23
# What a register costs if 1, 2, 3, 4 of them are trained at once.
REGISTER_COSTS = (2.5, 1.45, 1.1, 1.0)
SEGMENTS = (8, 16, 24, 32, 64, 128)


@dataclass(frozen=True)
class Layout:
    """How a group of epochs is cut: into `segments` segments of `epochs` epochs each."""

    segments: int
    epochs: int


def is_long(options: Options) -> bool:
    """Whether segments can pay, as far as is known before the first epoch."""
    n, d = options.rows.count, options.rows.n_features
    long = n is None or (n >= LEAST_ROWS and seconds_in_turn(n * options.epochs, d) >= LEAST_SECONDS)
    return options.epochs > LEAST_EPOCHS and long


class Segments:
    """The epochs of a neuron after the first one, trained in groups of segments; `next` hands them out."""

    def __init__(
        self, neuron: DenseNeuron, options: Options, junctions: Junctions, pool: "Executor | None" = None
    ) -> None:
        self.neuron, self.options, self.junctions, self.d = neuron, options, junctions, options.rows.n_features
        self.pool, self.given_up = pool, False
        self.burn_in: int | None = None
        self.ready: deque[tuple[Arrays, np.ndarray]] = deque()  # the arrays after some epochs, and their losses
        rate, l2 = neuron.schedule.learning_rate, neuron.penalties.l2
        self.each = np.array([rate, l2, 0.0])
        self.safe_bound = 4.0 * (1.0 + max(0.0, 1.0 - rate * l2)) / rate

    def next(self, done: int) -> np.ndarray | None:
        """Train the next epochs. Returns their losses, or None if they have to be trained in turn."""
        if not self.ready and not self.given_up:
            self._train_group(self.options.epochs - done)
        if not self.ready:
            return None
        state, losses = self.ready.popleft()
        self.neuron.restore(state)
        return losses

    # --- one group ----------------------------------------------------------------------------------------------------

    def _train_group(self, epochs: int) -> None:
        """Train some of the next `epochs` epochs, or give up."""
        seconds = GROUP_SECONDS
        if self.burn_in is None:
            in_turn = seconds_in_turn(epochs * len(self.options.rows), self.d)
            if is_long(self.options) and self.options.largest <= self.safe_bound:
                self.burn_in = self._measure(int(epochs * len(self.options.rows) * MEASURED))
            if self.burn_in is not None and self.burn_in < len(self.options.rows):
                seconds = min(seconds, FIRST_SHARE * in_turn)
        layout = None if self.burn_in is None else self._layout(epochs, self.burn_in, seconds)
        if layout is None:
            self.given_up = True
            return
        with np.errstate(all="ignore"):
            starts = self._burnt_in(layout)
            neurons = self._neurons(starts)
            passes = [self._pass(neurons) for _ in range(layout.epochs)]
        weights, losses = (np.stack(parts, axis=1) for parts in zip(*passes, strict=True))
        used = min(math.ceil(epochs / layout.epochs), layout.segments)  # those beyond have no epochs to train
        rows = layout.epochs * len(self.options.rows)
        stand = self.junctions.stand(starts[:used], weights[:used, -1], rows, self.burn_in or 0)
        self.given_up = stand < used
        if stand:
            self._hand_out(*(part[:stand].reshape(stand * layout.epochs, -1)[:epochs] for part in (weights, losses)))

    def _burnt_in(self, layout: Layout) -> np.ndarray:
        """(segments, n_features + 1): each segment's weights after its burn-in; the present ones for the first.

        A segment that is nearer to the first row of the group than its burn-in is long begins there, where the weights
        are known, and is trained on all that comes before it.
        """
        n, now = len(self.options.rows), self._now()
        burn_in = self.burn_in or 0
        starts = np.tile(now, (layout.segments, 1))
        first_epochs = np.arange(layout.segments) * layout.epochs
        for left in range(math.ceil(burn_in / n), 0, -1):  # epochs
            starts[first_epochs <= left] = now
            guesses = self._neurons(starts)
            visit(self._blocks(max(n - burn_in, 0)), guesses.train)
            starts = guesses.weights()
        starts[0] = now
        return starts

    def _pass(self, neurons: ManyNeurons) -> tuple[np.ndarray, np.ndarray]:
        """One epoch of every segment. Returns the weights after it, and its losses."""
        neurons.clear()
        visit(self._blocks(), neurons.train)
        return neurons.weights(), neurons.squares()

    def _hand_out(self, weights: np.ndarray, losses: np.ndarray) -> None:
        """Make the epochs ready: one by one if something looks at each, and otherwise all at once."""
        options, state, row = self.options, self.neuron.state(), self.neuron.row
        one_by_one = options.callback is not None or options.validation_loss is not None
        k = 1 if one_by_one else len(losses)
        for last in range(k, len(losses) + 1, k):
            after = {"weights": weights[last - 1, :-1], "bias": weights[last - 1, -1:]}
            after["row"] = np.array([float(row + last * len(options.rows))])
            self.ready.append(({**state, **after}, losses[last - k : last, 0]))

    # --- neurons and rows ---------------------------------------------------------------------------------------------

    def _now(self) -> np.ndarray:
        return np.append(self.neuron.weights, self.neuron.bias)

    def _neurons(self, starts: np.ndarray) -> ManyNeurons:
        m = len(starts)
        neurons = ManyNeurons(np.tile(self.each, (m, 1)), starts, np.full(m, ALL_ROWS), self.options.threads)
        neurons.pool = self.pool
        return neurons

    def _blocks(self, start: int = 0) -> Iterator[tuple[Any, ...]]:
        """The rows of an epoch from the `start`-th, as `ManyNeurons.train` takes them."""
        options, tile = self.options, self.options.engine.tile
        size = max(min(BLOCK_ROWS, MOST_VALUES // self.d) // tile, 1) * tile  # streams are cut at tiles
        begin = start // size * size
        with closing(options.rows.blocks(size, None, 1, None, begin, tile)) as blocks:
            for X, y, weights in blocks:
                left_out = max(start - begin, 0)
                begin += len(y)
                rows = X[left_out:], y[left_out:], np.ones(len(y)) if weights is None else weights
                yield options.engine.rows(rows[0]), rows[1], rows[2][left_out:], None

    # --- when it pays -------------------------------------------------------------------------------------------------

    def _measure(self, most: int) -> int | None:
        """The burn-in that these rows need, or None if two runs do not meet within `most` rows."""
        now = self._now()
        two = self._neurons(np.stack((now, self.neuron.start)))
        meeting = Meeting(now, self.neuron.start, most)
        for rows in self._measured(two, most):
            weights, others = two.weights()
            if meeting.is_over(weights, others, rows):
                break
        return meeting.burn_in

    def _measured(self, two: ManyNeurons, most: int) -> Iterator[int]:
        """Train two neurons on some rows at a time, epoch after epoch. Yields how many rows that was.

        Where it stops to look depends on no block that rows come in: a file has the burn-in of its rows in memory.
        """
        size, rows = max(most // 128, 128) * 2, 0
        for _ in count():
            seen = 0  # rows of this epoch
            for X, y, weights, folds in self._blocks():
                begin = 0
                while begin < len(y):
                    part = slice(begin, min(len(y), begin + size - seen % size))
                    two.train(X[part], y[part], weights[part], folds)
                    taken, begin = part.stop - begin, part.stop
                    seen, rows = seen + taken, rows + taken
                    if seen % size == 0 or seen == len(self.options.rows):
                        yield rows
                        if rows >= most:
                            return

    def _layout(self, epochs: int, burn_in: int, most_seconds: float) -> Layout | None:
        """The layout that takes the least time an epoch, or None if epochs in turn are about as fast."""
        n = len(self.options.rows)
        found: list[tuple[float, Layout]] = []
        for segments in SEGMENTS:
            registers = segments // WIDTH
            a_row = registers * REGISTER_COSTS[min(registers, 4) - 1] * (ROW_SECONDS + VALUE_SECONDS * self.d)
            an_epoch = n * a_row + math.ceil(n / BLOCK_ROWS) * math.ceil(registers / 4) * CALL_SECONDS
            before = burn_in / n * an_epoch
            in_memory = KEPT_VALUES // (segments * (self.d + 1))
            length = max(min(math.ceil(epochs / segments), int((most_seconds - before) / an_epoch), in_memory), 1)
            seconds = (before + length * an_epoch) / min(segments * length, epochs)
            found.append((seconds, Layout(segments, length)))
        return choose_cut(found, seconds_in_turn(n, self.d))
