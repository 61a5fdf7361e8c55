"""The network that `train_mlp` trains, block by block: its arrays, and the calls of its kernels."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.models import MLP
from tinynet_fast.models.layers import layer_table, unflatten
from tinynet_fast.models.outputs import output_of
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.team import Team
from tinynet_fast.rows.values import is_finite
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.losses import LINEAR, ChosenLoss
from tinynet_fast.training.optimizer import Optimizer, batches_that_move
from tinynet_fast.training.options import Options
from tinynet_fast.training.resume import StateError, whole
from tinynet_fast.training.trainable import stable_rate

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows

MASK_STREAM = 2  # dropout's own stream of random numbers; not 1, as (seed, epoch 0, 1) is (seed, SPLIT_STREAM) in words
# About how long a row takes for each parameter; how much work a thread needs in a batch, so that it is not lost in
# waiting for the others (1 us or two); and in a call of the kernel, which wakes the other threads (20 us).
ROW_SECONDS, SHARE_SECONDS, CALL_SECONDS = 1.5e-10, 1e-5, 2e-4
MOST_TIMES = 4  # as many rows as one thread's, at most, go into a call: they may have to be copied
ARRAYS = ("parameters", "gradient", "first_moment", "second_moment")  # the rows of the kernels' state


class Network:
    """A network, and what its optimizer remembers of gradients.

    `updates`, `epochs` and `position` count finished updates, finished epochs and the rows of the epoch so far.
    `pending` is for the rows that wait for the end of their batch: their number and the sum of their sample weights.
    """

    counts: tuple[str, ...] = ("updates", "epochs", "pending", "position")

    def __init__(
        self,
        options: Options,
        start: np.ndarray,
        sizes: list[int],
        activation: str,
        optimizer: Optimizer,
        batch_size: int | None,
        loss: ChosenLoss,
        dropout: float,
        team: Team | None = None,
        dtype: Any = np.float64,
    ) -> None:
        own = options.engine.own
        self.engine, self.dtype = options.engine, np.dtype(dtype)
        self.is_single = self.dtype == np.float32
        self.optimizer, self.learning_rate = optimizer, optimizer.schedule.learning_rate
        self.activation, self.labels, self.features = activation, options.labels, options.features
        self.loss, self.targets = loss, options.targets
        self.output = output_of(loss, 0 if options.labels is None else len(options.labels))
        self.dropout, self.seed, self.hidden_units = dropout, options.seed, sum(sizes[1:-1])
        n = len(options.rows)
        self.n_rows, self.size = n, min(batch_size or n, n)
        self.batch_size: int | None = self.size
        self.copies = 1 if options.augment is None else options.augment.copies  # rows that kernels get for a row
        self.rule = own(optimizer.rule(self.size * self.copies, loss.code, loss.shape))
        optimizer.schedule.updates = options.epochs * -(-n // self.size)
        self.repeats = n % self.size == 0 and not dropout  # a short last batch is left to end_epoch
        masked = self.hidden_units if dropout else 0
        self.block_rows = options.engine.block_rows(sizes[0] + masked, 3 * len(start) + 20 * sum(sizes))
        if options.augment is not None and options.augment.mixes:  # blocks hold whole batches
            self.block_rows = max(self.block_rows // self.copies, self.size)
        self.table, self.start, self.no_mask = layer_table(sizes, activation, self.output), start, own(np.empty((1, 0)))
        self.team = Team() if team is None else team
        self.shared: Any = None
        self.threads = self._threads()
        self.block_rows *= min(self.threads, MOST_TIMES)  # so that calls take as long as those of one thread
        updates = min(optimizer.schedule.updates, self.block_rows // self.size + 1)  # of all epochs, or of a block
        self.constant_rows = own(optimizer.schedule_rows(0, updates)) if optimizer.is_constant else None
        self.layers, self.units = own(self.table, np.int64), options.engine.scratch(self.table, self.dtype)
        self.ones = np.ones(min(self.block_rows, n))
        self.total_weight = options.rows.total_weight
        self.generator: np.random.Generator | None = None
        self.pending: Any
        zeros = {name: np.zeros(len(start)) for name in ARRAYS[1:]}
        counts = {"updates": np.zeros(1), "epochs": np.zeros(1), "pending": np.zeros(2), "position": np.zeros(1)}
        self.restore({"parameters": start, **zeros, **counts})

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        own, n, size = self.engine.own, len(y), self.size * self.copies
        y = self._single(y.reshape(-1))  # several targets of a row one after another
        updates, rows = (int(self.pending[at.PENDING_ROWS]) + n) // size * len(losses), self.constant_rows
        if sample_weight is not None:
            moves = np.tile(batches_that_move(sample_weight, self.pending, size), len(losses))
            updates = int(np.count_nonzero(moves))
            rows = own(self.optimizer.schedule_rows_for(self.updates, moves)) if rows is None else rows
        elif rows is None:
            rows = own(self.optimizer.schedule_rows(self.updates, updates))
        given = (
            self.engine.rows(X),
            own(y),
            own(self.ones[:n] if sample_weight is None else sample_weight),
            own(self._mask(n // self.copies)) if self.dropout else self.no_mask,
            rows,
            self.rule,
            self.layers,
            self.kernel_state,
        )
        if self.threads > 1 and self.engine.can("NetworkTeam"):
            if self.shared is None:
                team = self._kernels.NetworkTeam
                self.shared = team(self.table, len(self.start), size, self.threads, self.dtype)
            self.shared.network_epochs(self.team.map, *given, self.pending, losses)
        else:
            self._kernels.network_epochs(*given, self.units, self.pending, losses)
        self.updates += updates
        self.epochs += len(losses) - 1  # `end_epoch` adds one more
        self.position += n // self.copies

    def _single(self, numbers: Any) -> np.ndarray:
        """Numbers of float64 as they are, or rounded to float32 if that is the network's type."""
        if not self.is_single:
            return numbers
        with np.errstate(over="ignore"):
            return np.asarray(numbers, np.float32).astype(np.float64)

    @property
    def _kernels(self) -> Any:
        return self.engine.network_kernels(self.dtype)

    def _mask(self, n: int) -> np.ndarray:
        """The factors of dropout for the next `n` rows of the epoch. They do not depend on how blocks are cut."""
        if self.generator is None:
            self.generator = mask_generator(self.seed, self.epochs, self.position * self.hidden_units)
        mask = dropout_factors(self.generator, (n, self.hidden_units), self.dropout)
        return mask if self.copies == 1 else np.repeat(mask, self.copies, axis=0)

    def use(self, engine: Engine) -> None:
        if engine is not self.engine:
            arrays = self.state()
            self.engine, self.units = engine, engine.scratch(self.table, self.dtype)
            self.kernel_state = engine.network_state([arrays[name] for name in ARRAYS], self.dtype)

    @property
    def kernels(self) -> Hashable:
        how = self.optimizer.name, self.optimizer.nesterov, self.threads > 1, self.is_single
        return self.loss.code, *how, bool(self.dropout), self.table.tobytes()

    def _threads(self) -> int:
        """How many threads share a batch. Nothing depends on it but the time."""
        if self.team.threads == 1 or not self.engine.can("NetworkTeam") or UNCOMPILED:
            return 1
        a_row = ROW_SECONDS * len(self.start) * self.copies
        if min(self.n_rows, self.block_rows) * a_row < CALL_SECONDS:
            return 1
        mask = np.empty((1, self.hidden_units)) if self.dropout else self.no_mask
        tiles = self._kernels.shared_tiles(mask, self.rule, self.table)
        return max(min(self.team.threads, tiles, int(self.size * a_row / SHARE_SECONDS)), 1)

    def end_epoch(self) -> None:
        if self.pending[at.PENDING_ROWS]:
            schedule_row = self.engine.own(self.optimizer.schedule_rows(self.updates, 1))[0]
            self._kernels.network_update(
                self.pending[at.PENDING_WEIGHT], schedule_row, self.rule, self.layers, self.kernel_state
            )
            self.updates += int(self.pending[at.PENDING_WEIGHT] > 0.0)
            self.pending[at.PENDING_ROWS] = self.pending[at.PENDING_WEIGHT] = 0.0
        self.epochs += 1
        self.position = 0
        self.generator = None

    def epoch_loss(self, total: np.ndarray) -> np.ndarray:
        return total / self.total_weight

    def state(self) -> Arrays:
        arrays = dict(zip(ARRAYS, np.array(self.kernel_state, dtype=np.float64), strict=True))
        counts = {name: np.array([float(getattr(self, name))]) for name in ("updates", "epochs", "position")}
        return {**arrays, **counts, "pending": np.array(self.pending, dtype=np.float64)}

    def is_finite(self) -> bool:
        state = [self.kernel_state] if isinstance(self.kernel_state, np.ndarray) else self.kernel_state
        return all(map(is_finite, map(np.asarray, (*state, self.pending))))

    def restore(self, state: Arrays) -> None:
        self.kernel_state = self.engine.network_state([state[name] for name in ARRAYS], self.dtype)
        self.updates, self.epochs, self.position = (int(state[k][0]) for k in ("updates", "epochs", "position"))
        self.pending = self.engine.own(state["pending"].copy())
        self.generator = None

    def check_counts(self, state: Arrays, epoch: int, rows: int) -> None:
        pending, pending_weight = state["pending"]
        most = epoch * -(-self.n_rows // self.size) + rows // self.size
        whole("the number of updates", state["updates"][0], most)
        if (state["epochs"][0], state["position"][0], pending) != (epoch, rows, rows % self.size * self.copies):
            raise StateError(f"the parameters are not those after {epoch:,} epochs and {rows:,} rows")
        if not pending_weight >= 0.0:
            raise StateError("the weight of the rows that wait is below 0")

    def options(self) -> dict[str, Any]:
        own = {"batch_size": self.size, **self.loss.options(), "dropout": self.dropout}
        if self.is_single:
            own["dtype"] = self.dtype.name
        return {"trainer": "train_mlp", **self.optimizer.options(), **own}

    def model(self) -> MLP:
        weights, biases = unflatten(np.asarray(self.kernel_state[at.PARAMETERS]), self.table)
        return MLP(
            weights=weights,
            biases=biases,
            activation=self.activation,
            labels=self.labels,
            features=self.features,
            output=self.output,
            targets=self.targets,
            training=self.loss.options(),
            dtype=self.dtype.name,
        )

    def last_rate(self) -> float | None:
        return None

    def safe_learning_rate(self, rows: "Rows | StreamRows") -> float:
        """A hundredth of a neuron's bound, at most a tenth of the rate that failed: no tight bound is known.

        Numbers are errors at first, which move the hidden units: the bound is divided by the largest of them.
        """
        rate = stable_rate(rows, 0.01 * (self.loss.bound or 2.0), self.start)
        if self.loss.of == LINEAR and rate > 0.0:
            rate /= max(1.0, *(float(np.abs(y).max(initial=0.0)) for _, y, _ in rows.blocks(1 << 12)))
        return min(self.learning_rate / 10.0, rate)


def mask_generator(seed: int | None, epoch: int, drawn: int) -> np.random.Generator:
    """What draws an epoch's factors of dropout, after the first `drawn` of them."""
    generator = np.random.default_rng([seed or 0, epoch, MASK_STREAM])
    generator.bit_generator.advance(drawn)  # type: ignore[attr-defined]
    return generator


def dropout_factors(generator: np.random.Generator, shape: tuple[int, int], dropout: float) -> np.ndarray:
    """The next factors of dropout: (rows, hidden units)."""
    return np.asarray((generator.random(shape) >= dropout) / (1.0 - dropout))
