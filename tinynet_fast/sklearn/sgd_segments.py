"""Lets the neuron of an `SGDClassifier` be trained in segments side by side, as `train_neuron` does.

Segments find the weights but not the objective of each row, which `tol` and `verbose` look at: with them, rows are
trained in turn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from tinynet_fast.kernels.engines import FAST
from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.team import Team
from tinynet_fast.sklearn.sgd_training import OneClass
from tinynet_fast.training.junctions import Junctions
from tinynet_fast.training.neuron_updates import DenseNeuron
from tinynet_fast.training.options import Options


class EpochSegments:
    """Trains the epochs of a neuron after the first one, several at a time."""

    def __init__(self, one: OneClass, options: Options, junctions: Junctions, team: Team) -> None:
        from tinynet_fast.training.segments import Segments  # 10 ms, which short runs do not need

        start = np.append(one.arrays.weights, one.arrays.bias)
        self.one = one
        self.dense = DenseNeuron(options, start, one.options.schedule, one.options.penalties)
        self.segments = Segments(self.dense, options, junctions, team)

    def next(self, done: int) -> int:
        """Train the next epochs. Returns how many; 0 if they have to be trained in turn."""
        one, dense = self.one, self.dense
        dense.weights[:], dense.bias[:], dense.row = one.arrays.weights, one.arrays.bias, one.row
        losses = self.segments.next(done)
        if losses is None:
            return 0
        one.arrays.weights[:], one.arrays.bias[:], one.row = dense.weights, dense.bias, dense.row
        return len(losses)


@contextmanager
def side_by_side(classes: list[Any], n_jobs: int | None, observed: bool) -> Iterator[Junctions]:
    """Let long blocks and, if nothing looks at single epochs (`observed`), many epochs be trained in segments."""
    junctions, one = Junctions(), classes[0]
    if len(classes) > 1 or type(one) is not OneClass or not _can(one):
        yield junctions
        return
    with Team(effective_n_jobs(n_jobs)) as team:
        _blocks(one, junctions, team)
        if not (observed or one.score) and one.options.schedule.is_constant:
            _epochs(one, junctions, team)
        yield junctions


def _can(one: OneClass) -> bool:
    """Whether segments have a kernel, pay, and have a proof: no step of the run may overshoot, and no rate of it rises.

    Rows that are gathered, because they are shuffled or some are held out, take as long in segments: most of the time
    goes into gathering them, which is faster in short blocks (500,000 x 16: 35 ms an epoch, and 43 in long ones).
    """
    options, weight = one.options, one.table.sample_weight
    smooth = options.penalties.smooth and not options.penalties.average_from and options.bias_scale == 1.0
    positive = min(one.weights) >= 0.0 and (weight is None or weight.min() >= 0.0)
    return one.places is None and smooth and positive and not options.watches_objective and one.engine_now() is FAST


def _blocks(one: OneClass, junctions: Junctions, team: Team) -> None:
    from tinynet_fast.training import block_segments  # 10 ms, which short runs do not need

    n, d = one.table.X.shape
    if one.plain and d <= block_segments.MOST_FEATURES and n >= block_segments.LEAST_ROWS:
        start = np.append(one.arrays.weights, one.arrays.bias)
        one.in_segments = block_segments.BlockSegments(start, junctions, team)
        one.longest_block = block_segments.block_rows(d)


def _epochs(one: OneClass, junctions: Junctions, team: Team) -> None:
    from tinynet_fast.training.segments import is_long  # 10 ms, which short runs do not need

    rows = slice(None)
    weight = one.row_weights(rows, one.labels) if one.weighted else None
    options = Options(
        rows=Rows(one.table.X, Codes(one.labels, np.arange(2, dtype=np.uint8)), sample_weight=weight),
        labels=np.arange(2),
        features=None,
        engine=FAST,
        epochs=one.options.max_iter,
        threads=team.threads,
        largest=one.table.largest * one.heaviest,
    )
    if is_long(options, one.options.penalties.loss.code):
        one.ahead = EpochSegments(one, options, junctions, team)
