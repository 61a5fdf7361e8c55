"""What a run of `run.py` trains, as protocols, and the rate at which rows cannot make it run away."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tinynet_fast.kernels.engines import Engine
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.sparse import CSR, square_norms
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.result import M_co

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows

FAR_OUT = 1e100  # parameters that start larger may overflow at any rate


class Trainable(Protocol[M_co]):
    """What a run trains: named arrays, which change with each block of rows."""

    batch_size: int | None  # rows in an update, if blocks must not cut an update's rows apart
    block_rows: int
    learning_rate: float
    start: np.ndarray  # the parameters before the first row
    repeats: bool  # whether every epoch does the same, so that one call may run several
    counts: tuple[str, ...]  # the names of the arrays that count rows, updates or epochs

    @property
    def kernels(self) -> Hashable:
        """What its kernels depend on, beside the engine and the type and width of rows; None if that is not known."""

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        """Make a pass over a block of rows for each entry of `losses`, and add the block's loss to it."""

    def use(self, engine: Engine) -> None:
        """Go on with another engine."""

    def end_epoch(self) -> None:
        """Make the update that is left at the end of an epoch, if there is one."""

    def epoch_loss(self, total: np.ndarray) -> np.ndarray:
        """The entry in the history for this sum of the rows' losses."""

    def state(self) -> Arrays:
        """Copies of all arrays that training changes, (k,) float64 each."""

    def is_finite(self) -> bool:
        """Whether no array holds NaN or infinity."""

    def restore(self, state: Arrays) -> None:
        """Go back to a state that `state` returned."""

    def check_counts(self, state: Arrays, epoch: int, rows: int) -> None:
        """StateError if a state's counts are not those after `epoch` epochs and `rows` rows of the next one."""

    def options(self) -> dict[str, Any]:
        """How it is trained, for the model's file."""

    def model(self) -> M_co:
        """A model with the parameters as they are now."""

    def last_rate(self) -> float | None:
        """The learning rate of the last row that was trained on; None if no bound on a step is known."""

    def safe_learning_rate(self, rows: "Rows | StreamRows") -> float:
        """A rate at which these rows cannot make the parameters run away; 0.0 if there is none."""


class EpochsAhead(Protocol):
    """What trains several epochs at once, after the first one."""

    given_up: bool  # whether the other epochs are trained in turn
    next_try: int  # after how many epochs it may train some

    def next(self, done: int) -> np.ndarray | None:
        """Train the next epochs. Returns their losses, or None if they have to be trained in turn."""


def stable_rate(rows: "Rows | StreamRows", bound: float, start: np.ndarray) -> float:
    """The rate at which rate * (|x|**2 + 1) is `bound` for the longest row x.

    It is 0.0 if that is too small for a float, if the parameters start so large that they overflow at any rate, or if
    the rows cannot be read again.
    """
    if np.max(np.abs(start)) > FAR_OUT or (is_streamed(rows) and not rows.source.repeatable):
        return 0.0
    largest = max(1.0, *(_magnitude(X) for X, _, _ in rows.blocks(1 << 12)))
    norm = max(float(square_norms(X, largest).max()) for X, _, _ in rows.blocks(1 << 12))  # cannot overflow
    if rows.reach:
        norm = (norm**0.5 + rows.reach / largest) ** 2
    return bound / largest / largest / (norm + 1.0 / largest / largest)


def _magnitude(X: Any) -> float:
    return X.largest_magnitude() if isinstance(X, CSR) else float(np.abs(X.astype(np.float64)).max())
