"""Trains many epochs of one neuron side by side, in segments.

Per-row SGD waits for itself: a row needs the weights after the row before. So the epochs are cut into segments, and
many of them are trained at once. Segments over the same rows are lanes of the registers (`many_neurons.py`). There are
two ways to cut. If there are few rows, a segment is some epochs. If there are many, all epochs are cut at the same rows
into slices, and a segment is a slice in one epoch. The lanes of another slice can be trained by another thread.

A segment needs the weights that the segment before it ends with. It begins with a guess, the present weights, and first
trains on the rows before its own, its burn-in, until the guess no longer matters. When all segments are trained,
`junctions.py` compares the weights after each burn-in with those that the segment before ended with. If they are too
far apart, training goes on from that junction without segments.

How many rows two runs need until they meet depends on the rows and the rate. `_measure` finds out: two neurons, one
with the first weights and one with the present ones, train on the same rows until their weights are the same. A burn-in
is on other rows. So one more lane begins it with the first weights, and if the two do not meet there, no segment is
trained.
"""

import math
from collections.abc import Iterator

import numpy as np

from tinynet_fast.kernels.fast.many_neurons import WIDTH
from tinynet_fast.rows.team import Team
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.junctions import THREADS, Junctions, Meeting, choose_cut, safe_bound, seconds_in_turn
from tinynet_fast.training.many_neurons import ManyNeurons
from tinynet_fast.training.neuron_updates import DenseNeuron
from tinynet_fast.training.options import Options
from tinynet_fast.training.segment_group import PACES, EpochGroup, GroupCut, blocks, neurons, pass_seconds

# The most rows that are measured, as a share of all, and the most time. (Two neurons cost as much as eight.)
MEASURED, MEASURING_SHARE = 1 / 32, 0.08
# Two runs are first compared after LOOK_ROWS rows, and then each time a sixteenth more rows were trained on. Comparing
# takes about LOOK_SECONDS each time, and may take LOOKING_SHARE of the time of the run in all.
LOOK_ROWS, LOOK_SECONDS, LOOKING_SHARE = 256, 3.5e-5, 0.04
EPOCH_SECONDS = 4e-5  # about how long an epoch of few rows takes Python
# A run that is stopped early should lose little time. So the first epochs, one in FIRST_TRY, are trained in turn. Then
# FIRST_MEASURED rows are measured at most, or two epochs, or half of the epochs that are done. And no more epochs are
# trained ahead than MOST_AHEAD, or four times those that are done.
FIRST_TRY, FIRST_MEASURED, MOST_AHEAD = 128, 1 << 13, 128
# Shorter runs are trained in turn, and runs of fewer rows, because each epoch takes Python some time.
LEAST_SECONDS, LEAST_ROWS = 0.002, 500
# Runs of at most this many epochs are trained in turn: a register has eight lanes.
LEAST_EPOCHS = 8
# Averages over more rows are trained in turn. The reference's own mean of a million rows is off by 4e-14, because it is
# rounded at each row, and more with more rows. Means of segments are added, which rounds otherwise.
MOST_AVERAGED = 10_000_000
# The burn-ins of a group may take this share of the time of all epochs: it is lost if they are too short.
BURN_IN_SHARE = 0.05
# About how long a group may take. Callbacks wait for it, and Ctrl-C too.
GROUP_SECONDS = 0.5
# A group keeps the weights after each epoch: at most this many numbers, 64 MB.
KEPT_VALUES = 1 << 23
# How many registers may train on the same rows, and into how many slices the rows may be cut.
REGISTERS, SLICES = (1, 2, 3, 4, 5, 6, 8, 12, 16), (1, 2, 4, 8)


def is_long(options: Options, loss: int) -> bool:
    """Whether segments can pay, as far as is known before the first epoch."""
    n, d = options.rows.count, options.rows.n_features
    long = n is None or (n >= LEAST_ROWS and seconds_in_turn(n * options.epochs, d, loss) >= LEAST_SECONDS)
    return options.epochs > LEAST_EPOCHS and long


class Segments:
    """The epochs of a neuron after the first one, trained in groups of segments; `next` hands them out."""

    def __init__(self, neuron: DenseNeuron, options: Options, junctions: Junctions, team: Team) -> None:
        self.neuron, self.options, self.junctions, self.d = neuron, options, junctions, options.rows.n_features
        self.team, self.given_up = team, False
        self.burn_in: int | None = None
        # A run may be stopped after any epoch, so the first ones are trained in turn, also if nothing looks at them.
        self.next_try = max(1, options.epochs // FIRST_TRY)
        self.ready: Iterator[tuple[Arrays, np.ndarray]] = iter(())  # the arrays after some epochs, and their losses
        rate, l2 = neuron.schedule.learning_rate, neuron.penalties.l2
        self.each = rate, l2, float(neuron.penalties.average_from > 0)
        self.loss = neuron.penalties.loss.code
        self.safe_bound = safe_bound(rate, l2, neuron.penalties.loss.bound)

    def next(self, done: int) -> np.ndarray | None:
        """Train the next epochs. Returns their losses, or None if they have to be trained in turn."""
        found = next(self.ready, None)
        if found is None and not self.given_up and done >= self.next_try:
            self._train_group(done, min(self.options.epochs - done, max(MOST_AHEAD, 4 * done)))
            found = next(self.ready, None)
        if found is None:
            return None
        state, losses = found
        self.neuron.restore(state)
        return losses

    def _train_group(self, done: int, epochs: int) -> None:
        """Train some of the next `epochs` epochs, or give up."""
        n, self.given_up = len(self.options.rows), True
        if self.burn_in is None and self._may_be_cut():
            most, now = self._most_measured(self.options.epochs - done), max(FIRST_MEASURED, 2 * n, done // 2 * n)
            self.burn_in = self._measure(min(most, now))
            if self.burn_in is None and now < most and 8 * done < self.options.epochs:
                self.given_up, self.next_try = False, 8 * done
        if self.burn_in is None:
            return
        cut = self._cut(epochs, self.burn_in)
        if cut is None:
            return
        group = EpochGroup(
            self.options, self.each, self.loss, cut, self.burn_in, self._now(), self.neuron.start, self.team
        )
        if not group.train():
            return
        starts, weights, means, losses = group.table()
        segments, k = cut.lanes * cut.slices, self.d + 1
        ends, rows = weights[:, :, -1].reshape(segments, k), cut.epochs * n // cut.slices
        stand = self.junctions.stand(starts.reshape(segments, k), ends, rows, self.burn_in, cut.slices)
        self.given_up = stand < segments
        if stand:
            lanes = slice(stand // cut.slices)
            after, squares = weights[lanes, -1].reshape(-1, k), losses[lanes].sum(axis=1).ravel()
            self._hand_out(after[:epochs], means[lanes].reshape(-1, k)[:epochs], squares[:epochs])

    def _hand_out(self, weights: np.ndarray, means: np.ndarray, losses: np.ndarray) -> None:
        """Make the epochs ready: one by one if something looks at each, and otherwise all at once.

        `means` are those of the weights in each epoch alone.
        """
        options, state, row, n = self.options, self.neuron.state(), self.neuron.row, len(self.options.rows)
        if self.each[2]:
            average = self.neuron.penalties.average_from
            before = row + 1 - average  # rows that are averaged
            sums = before * state["means"] + n * np.cumsum(means, axis=0)
            means = sums / (before + n * np.arange(1, len(means) + 1))[:, np.newaxis]
        one_by_one = options.callback is not None or options.validation_loss is not None
        k = 1 if one_by_one else len(losses)

        def after(last: int) -> tuple[Arrays, np.ndarray]:
            arrays = {"weights": weights[last - 1, :-1], "bias": weights[last - 1, -1:]}
            if self.each[2]:
                arrays["means"] = means[last - 1]
            return {**state, **arrays, "row": np.array([float(row + last * n)])}, losses[last - k : last]

        self.ready = map(after, range(k, len(losses) + 1, k))

    def _now(self) -> np.ndarray:
        return np.append(self.neuron.weights, self.neuron.bias)

    def _may_be_cut(self) -> bool:
        """Whether segments keep the promise and can pay, now that the rows were counted and measured."""
        options, n, average_from = self.options, len(self.options.rows), self.neuron.penalties.average_from
        if not is_long(options, self.loss) or options.largest > self.safe_bound:
            return False
        return not average_from or (average_from <= n and options.epochs * n <= MOST_AVERAGED)

    # --- when it pays -------------------------------------------------------------------------------------------------

    def _in_turn(self, epochs: int) -> float:
        """About how long so many epochs take without segments."""
        return seconds_in_turn(len(self.options.rows) * epochs, self.d, self.loss)

    def _measure(self, most: int) -> int | None:
        """The burn-in that these rows need, or None if two runs do not meet within `most` rows."""
        now = self._now()
        two = neurons(*self.each[:2], 0.0, np.stack((now, self.neuron.start)), self.loss)
        meeting = Meeting(now, self.neuron.start, most)
        for rows in self._measured(two, most):
            weights, others = two.weights()
            if meeting.is_over(weights, others, rows):
                break
        return meeting.burn_in

    def _most_measured(self, epochs: int) -> int:
        """The most rows to measure, so that it takes little of the time of these epochs."""
        n, d = len(self.options.rows), self.d
        an_epoch = pass_seconds(n, d, PACES[self.loss, self.each[1] > 0.0], 1) + EPOCH_SECONDS
        return int(epochs * n * min(MEASURED, MEASURING_SHARE * self._in_turn(1) / an_epoch))

    def _measured(self, two: ManyNeurons, most: int) -> Iterator[int]:
        """Train two neurons on some rows at a time, epoch after epoch. Yields how many rows that was.

        Where it stops to look depends on no block that rows come in: a file has the burn-in of its rows in memory.
        """
        in_turn = self._in_turn(self.options.epochs)
        looks = max(int(LOOKING_SHARE * in_turn / LOOK_SECONDS), 4)
        rows, due = 0, max(LOOK_ROWS, most // looks)
        while True:
            for first, X, y, weights in blocks(self.options, 0, len(self.options.rows)):
                begin = first
                while begin < first + len(y):
                    stop = min(begin + due - rows, first + len(y))
                    stop += stop % 2 if stop < first + len(y) else 0  # calls are cut at even rows
                    part = slice(begin - first, stop - first)
                    two.train(X[part], y[part], weights[part], None)
                    begin, rows = stop, rows + stop - begin
                    if rows >= due:
                        yield rows
                        if rows >= most:
                            return
                        due = rows + max(LOOK_ROWS, rows // 16, most // looks)

    def _cut(self, epochs: int, burn_in: int) -> GroupCut | None:
        """How to cut the next epochs, or None if epochs in turn are about as fast."""
        n, d, found = len(self.options.rows), self.d, []
        pace = PACES[self.loss, any(self.each[1:])]
        most_early = BURN_IN_SHARE * self._in_turn(self.options.epochs)
        for slices in SLICES:
            if slices > 1 and n // slices - self.options.engine.tile < burn_in:
                break
            for registers in REGISTERS:
                an_epoch, length, most_lanes = pass_seconds(n, d, pace, registers), 1, registers * WIDTH
                if slices == 1:
                    in_time = int(GROUP_SECONDS / an_epoch)
                    in_memory = KEPT_VALUES // (most_lanes * (d + 1))
                    length = max(min(math.ceil(epochs / most_lanes), in_time, in_memory), 1)
                cut = GroupCut(min(most_lanes, math.ceil(epochs / length)), length, slices)
                early = slices * burn_in / n
                if early * cut.seconds(n, d, pace, 1) > most_early:
                    continue
                passes = math.ceil(epochs / (cut.lanes * length)) * (length + early)
                seconds = [passes / epochs * cut.seconds(n, d, pace, threads) for threads in THREADS]
                found.append((seconds, cut))
        return choose_cut(found, self._in_turn(1))
