"""What the user asks of a trainer, checked, in one object: options, rows, labels. `options.py` checks and fills it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels.engines import FAST, Engine, choose
from tinynet_fast.rows.blocks import Order, Rows, is_streamed
from tinynet_fast.training.augment import Augmentation, augmentation
from tinynet_fast.training.checkpoints import Checkpoint
from tinynet_fast.training.losses import LINEAR, ChosenLoss, choose_loss

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows

BLOCKS = "blocks"  # shuffle: blocks of rows, and the rows within each


@dataclass
class Options:
    """The options that every trainer has, checked, and the rows they concern."""

    rows: "Rows | StreamRows"
    labels: Any  # (n_labels,) array; None if numbers are learned
    features: list[str] | None
    engine: Engine
    engine_name: str = field(default="", init=False)  # once kernels are compiled: the engine, with how they were
    epochs: int
    shuffle: bool | str = False
    seed: int | None = None
    validation: Any = None  # a share of the rows, True if validation rows were given, or None
    patience: int | None = None
    callback: Callable[[Any], Any] | None = None
    progress: bool = False
    threads: int = 1  # that may train; the weights do not depend on it
    validation_loss: Callable[[Any], float] | None = None
    checkpoint: Checkpoint | None = None
    largest: float = np.inf  # for the fast engine: the largest sample weight * (|x|^2 + 1) of a row
    limit: float = np.inf  # for rows that are measured while they are read: the largest value that the engine may get
    recorded: dict[str, Any] = field(default_factory=dict)  # more entries for the model's file and the checkpoint
    loss: ChosenLoss = field(default_factory=choose_loss)
    augment: Augmentation | None = None  # what changes the rows anew in each epoch
    asked: dict[str, Any] = field(default_factory=dict)  # all that the trainer was given
    targets: list[str] | None = None  # the names of the columns of numbers that are learned

    @property
    def numbers(self) -> bool:
        """Whether numbers are learned, and not labels."""
        return self.loss.of == LINEAR

    @property
    def n_targets(self) -> int:
        """How many numbers a row has to learn; 1 for a label."""
        if not self.numbers:
            return 1
        return self.rows.n_targets if is_streamed(self.rows) else self.in_memory.codes.n_targets  # type: ignore[attr-defined]

    @property
    def order(self) -> Order | None:
        """The order in which the rows are visited; None for the order that they have."""
        return Order(self.seed or 0, by_blocks=self.shuffle == BLOCKS) if self.shuffle else None

    @property
    def streams(self) -> bool:
        return is_streamed(self.rows)

    @property
    def in_memory(self) -> Rows:
        """The rows, if they are known to be in memory."""
        assert isinstance(self.rows, Rows)
        return self.rows

    def for_raw_inputs(self, model: Any) -> Any:
        """The model of raw inputs and of raw numbers, if it was trained on standardised ones."""
        if self.rows.mean is not None and self.rows.scale is not None:
            model = model.for_raw_inputs(self.rows.mean, self.rows.scale, self.engine.is_portable)
        if self.rows.y_mean is not None and self.rows.y_scale is not None:
            model = model.for_raw_targets(self.rows.y_mean, self.rows.y_scale)
        return model

    def augment_rows(self, noise: float, mixup: float = 0.0, batch_size: int | None = None) -> None:
        """Change the rows anew in each epoch; see `augment.py`."""
        if not (noise or mixup):
            return
        rows, numbers = self.rows, self.numbers
        self.augment = augmentation(rows, self.features, self.seed or 0, noise, mixup, batch_size, numbers)
        self.recorded |= {name: amount for name, amount in (("noise", noise), ("mixup", mixup)) if amount}

    def augmented(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, epoch: int = 0, position: int = 0
    ) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """The rows to train on in place of a block that begins with the `position`-th row of the epoch."""
        if self.augment is None:
            return X, y, sample_weight
        return self.augment.rows(X, y, sample_weight, epoch, position)

    def choose_engine(self, limit: float, has_kernel: bool = True) -> None:
        """Leave the rows to `strict` if a row is larger than `limit`, up to which `fast` keeps its promise.

        Streamed rows are not known yet, and noise makes rows longer, so the loop measures such rows. A resumed run
        keeps its engine.
        """
        found = None if self.checkpoint is None else self.checkpoint.found
        was_strict = found is not None and found["engine"] == "strict"
        asked, streams = self.engine, self.streams
        largest = 0.0 if streams else self.largest
        self.engine = choose(asked, largest, limit, has_kernel=has_kernel and not was_strict)
        if self.engine is FAST and (streams or self.augment is not None):
            self.limit, self.largest = limit, 0.0
