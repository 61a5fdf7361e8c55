"""Decides which runs of one neuron are trained in segments. `segments.py` and `block_segments.py` train them."""

from functools import cache
from typing import TYPE_CHECKING, Any

from tinynet_fast.kernels.engines import FAST
from tinynet_fast.rows.team import Team
from tinynet_fast.training.junctions import Junctions
from tinynet_fast.training.neuron_updates import DenseNeuron
from tinynet_fast.training.options import Options
from tinynet_fast.training.schedules import PLAIN

if TYPE_CHECKING:
    from tinynet_fast.training.segments import Segments


def side_by_side(
    neuron: Any, options: Options, junctions: Junctions, team: Team, later: bool = False
) -> "Segments | None":
    """Let long blocks and many epochs be trained in segments; returns what does so with epochs.

    `later` says that `fast` trains later, though another engine does so now.
    """
    penalties, n = neuron.penalties, options.rows.count
    fast = options.engine is FAST or later
    kernel = penalties.smooth and penalties.loss.code in PLAIN
    if type(neuron) is not DenseNeuron or not fast or not kernel or options.checkpoint is not None or options.augment:
        return None
    blocks, epochs = _of_segments()
    if penalties.none and options.rows.n_features <= blocks.MOST_FEATURES and (n is None or n >= blocks.LEAST_ROWS):
        neuron.in_segments = blocks.BlockSegments(neuron.start, junctions, team, penalties.loss.code)
        neuron.repeats = False  # one epoch a call
        neuron.block_rows = neuron.batch_size = blocks.block_rows(options.rows.n_features)
    repeated = neuron.schedule.is_constant and not options.shuffle and epochs.is_long(options, penalties.loss.code)
    return epochs.Segments(neuron, options, junctions, team) if repeated else None


@cache
def _of_segments() -> tuple[Any, Any]:
    """The modules that train in segments: 10 ms to import, which not every run needs."""
    from tinynet_fast.training import block_segments, segments

    return block_segments, segments
