"""The neuron that `train_neuron` trains, block by block: its arrays, and its kernels for dense and for sparse rows."""

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.engines import FAST, STABILITY_BOUND, Engine
from tinynet_fast.models import Neuron
from tinynet_fast.models.outputs import output_of
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.values import is_finite
from tinynet_fast.training.history import Arrays, all_finite
from tinynet_fast.training.options import Options
from tinynet_fast.training.resume import StateError
from tinynet_fast.training.schedules import PLAIN, Penalties, Schedule
from tinynet_fast.training.trainable import stable_rate

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows
    from tinynet_fast.training.block_segments import BlockSegments


class DenseNeuron:
    """A neuron on dense rows. `row` is the number of rows that it was trained on, over all epochs."""

    batch_size: int | None = None  # rows that must come in one block
    in_segments: "BlockSegments | None" = None  # trains long blocks side by side
    counts: tuple[str, ...] = ("row",)
    weights: Any
    bias: Any
    means: Any
    paid: Any
    sums: Any
    scales: Any
    arrays: tuple[str, ...] = ("weights", "bias", "means", "paid")
    make_model: Any = Neuron.trained
    constant: Any = np.empty(0)  # the steps of rows that have the same, as many as were needed so far
    constant_rows = np.empty((0, at.SCHEDULE_COLUMNS))  # and their schedule rows

    def __init__(self, options: Options, start: np.ndarray, schedule: Schedule, penalties: Penalties) -> None:
        self.engine, self.all_rows = options.engine, options.rows
        self.labels = np.empty(0) if options.labels is None else options.labels
        self.features, self.targets = options.features, options.targets
        self.schedule, self.penalties, self.learning_rate = schedule, penalties, schedule.learning_rate
        self.cut_for(options.engine, options)
        self.repeats = schedule.is_constant and not penalties.average_from
        averages = penalties.average_from > 0
        self.kernels: Hashable = penalties.none, penalties.loss.code, averages, len(self.labels)
        self.start = start
        self.restore(self.first_state())

    @cached_property
    def rule(self) -> np.ndarray:
        """The kernels' `rule`."""
        return self.penalties.rule()

    def cut_for(self, engine: Engine, options: Options) -> None:
        """Take blocks of as many rows as suit this engine."""
        d = self.row_values(options)
        self.block_rows = self.short_blocks = engine.block_rows(d, 2 * d)

    def row_values(self, options: Options) -> int:
        """How many values a row holds (on average, if rows are sparse)."""
        return options.rows.n_features

    def first_state(self) -> Arrays:
        """The arrays before the first row."""
        k = len(self.start)
        parts = {"weights": self.start[:-1], "bias": self.start[-1:], "means": np.zeros(k), "paid": np.zeros(k)}
        return {**parts, "row": np.zeros(1)}

    def train(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        own, kernels = self.engine.own, self.engine.kernels
        if self.penalties.none:
            rows, y, steps, done = self.engine.rows(X), own(y), self._steps(len(y), sample_weight), 0
            if self.in_segments is not None and self.engine is FAST and len(y):  # else segments would prove nothing
                done = self._train_in_segments(rows, y, steps, losses)
            step = self._constant_steps(len(y) - done) if steps is None else steps[done:]
            epochs = getattr(kernels, PLAIN[self.penalties.loss.code])
            epochs(rows[done:], y[done:], step, self.weights, self.bias, losses)
        else:
            schedule_rows = own(self.schedule_rows(len(y), sample_weight))
            arrays = self.weights, self.bias, self.means, self.paid
            kernels.sgd_regularized_epochs(self.engine.rows(X), own(y), schedule_rows, own(self.rule), *arrays, losses)
        self.row += len(y) * len(losses)

    def _train_in_segments(self, X: Any, y: np.ndarray, steps: Any, losses: Any) -> int:
        """Train on the first rows of a block. Returns how many."""
        assert self.in_segments is not None
        step = self._constant_steps(1)[:1] if steps is None else steps
        last_rate = self.schedule.rate(self.row + len(y) - 1)
        done = self.in_segments.train(X, y, step, last_rate, self.weights, self.bias, losses)
        if self.in_segments.given_up:  # shorter blocks cost less to put together
            self.block_rows, self.batch_size = self.short_blocks, None
        return done

    def _steps(self, n: int, sample_weight: np.ndarray | None) -> Any:
        """The step of each of the next `n` rows; None if all rows have the same."""
        if self.schedule.is_constant and sample_weight is None:
            return None
        rates = self.schedule.rates(self.row, n)
        with np.errstate(over="ignore"):
            return self.engine.own(rates if sample_weight is None else rates * sample_weight)

    def _constant_steps(self, n: int) -> Any:
        """The steps of at least `n` rows that have the same. They are kept: a fresh array can take 8 ns a row."""
        if n > len(self.constant):
            self.constant = self.engine.own(self.schedule.rates(0, n))
        return self.constant

    def schedule_rows(self, n: int, sample_weight: np.ndarray | None) -> np.ndarray:
        """The schedule rows of the next `n` rows. Constant ones are kept, because to make one takes 3 to 4 ns."""
        if not self.schedule.is_constant or sample_weight is not None:
            return self.penalties.schedule_rows(self.schedule.rates(self.row, n), sample_weight, self.row)
        if n > len(self.constant_rows):
            self.constant_rows = self.penalties.schedule_rows(self.schedule.rates(0, n), None, 0)
        if self.penalties.average_from:
            self.constant_rows[:n, 3] = self.penalties.shares(self.row, n)
        return self.constant_rows[:n]

    def use(self, engine: Engine) -> None:
        self.engine = engine

    def end_epoch(self) -> None:
        pass

    def epoch_loss(self, total: np.ndarray) -> np.ndarray:
        return total

    def state(self) -> Arrays:
        arrays = {name: np.array(getattr(self, name), dtype=np.float64) for name in self.arrays}
        return {**arrays, "row": np.array([float(self.row)])}

    def is_finite(self) -> bool:
        changed = ("weights", "bias") if self.penalties.none else self.arrays
        return all(is_finite(np.asarray(getattr(self, name))) for name in changed)

    def restore(self, state: Arrays) -> None:
        for name in self.arrays:
            setattr(self, name, self.engine.own(state[name].copy()))
        self.row = int(state["row"][0])

    def check_counts(self, state: Arrays, epoch: int, rows: int) -> None:
        trained = (epoch * len(self.all_rows) if epoch else 0) + rows
        if state["row"][0] != trained:
            raise StateError(f"the parameters are not those after {trained:,} rows")

    def options(self) -> dict[str, Any]:
        return {"trainer": "train_neuron", **self.schedule.options(), **self.penalties.options()}

    def model(self) -> Neuron:
        weights, bias = self.predicting()
        return self.model_with([weights], [bias])

    def model_with(self, weights: Sequence[Any], biases: Sequence[Any]) -> Neuron:
        """A model with the weights and the bias of each output."""
        one = len(biases) == 1
        w = np.array(weights[0], dtype=np.float64) if one else np.column_stack(list(weights))
        b = np.array(biases[0] if one else biases, dtype=np.float64)
        model: Neuron = self.make_model(
            weights=w,
            bias=b.item() if b.size == 1 else b,
            labels=self.labels.copy(),
            features=None if self.features is None else list(self.features),
            output=output_of(self.penalties.loss, len(self.labels), one_vs_rest=not one),
            targets=self.targets,
            training=self.penalties.loss.options(),
        )
        return model

    def predicting(self) -> tuple[Any, Any]:
        """The weights and the bias that the model predicts with."""
        return self.mean_parameters() if self.averages else self.parameters()

    @property
    def averages(self) -> bool:
        """Whether the model's weights are the means."""
        return 0 < self.penalties.average_from <= self.row

    def parameters(self) -> tuple[Any, Any]:
        """The weights and the bias as they are now."""
        return self.weights, self.bias[0]

    def mean_parameters(self) -> tuple[Any, Any]:
        """The mean weights and the mean bias so far."""
        return self.means[:-1], self.means[-1]

    @property
    def bound(self) -> float:
        """A step does not overshoot while step * (|x|**2 + 1) is at most this."""
        return self.penalties.loss.bound

    def last_rate(self) -> float | None:
        return self.schedule.rate(max(self.row - 1, 0))

    def safe_learning_rate(self, rows: "Rows | StreamRows") -> float:
        if self.schedule.name == "optimal":  # it does not use the rate
            return 0.0
        bound = self.bound
        if not bound > 0.0:  # as for a network
            return min(self.learning_rate / 10.0, stable_rate(rows, STABILITY_BOUND / 100.0, self.start))
        return stable_rate(rows, bound, self.start) / max(rows.largest_weight, 1.0)


class SparseNeuron(DenseNeuron):
    """A neuron on rows stored as CSR. Its arrays are all that the kernels keep, so a checkpoint loses no bit.

    Arrays that no option needs are empty, which saves memory if there are many inputs.
    """

    arrays = ("weights", "bias", "sums", "paid", "scales")
    make_model = Neuron  # it asks whether the weights are finite: their scale may make them infinite

    def row_values(self, options: Options) -> int:
        rows = options.rows
        return rows.source.row_values if is_streamed(rows) else int(options.in_memory.X.row_values)

    def first_state(self) -> Arrays:
        penalties, d = self.penalties, len(self.start) - 1
        sums, paid = np.zeros(d if penalties.average_from else 0), np.zeros(d if penalties.l1 > 0.0 else 0)
        scales = np.zeros(at.SPARSE_STATE)
        scales[[at.SCALE, at.B]] = 1.0
        parts = {"weights": self.start[:-1], "bias": self.start[-1:], "sums": sums, "paid": paid, "scales": scales}
        return {**parts, "row": np.zeros(1)}

    def train(self, X: CSR, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        engine, own = self.engine, self.engine.own
        schedule_rows = own(self.schedule_rows(len(y), sample_weight))
        arrays = self.weights, self.bias, self.sums, self.paid, self.scales
        engine.sgd_sparse_epochs(*engine.sparse_rows(X), own(y), schedule_rows, own(self.rule), *arrays, losses)
        self.row += len(y) * len(losses)

    def is_finite(self) -> bool:
        return all_finite(self.state())

    def parameters(self) -> tuple[Any, Any]:
        return np.asarray(self.weights) * self.scales[at.SCALE], self.bias[0]

    def mean_parameters(self) -> tuple[Any, Any]:
        v, scales = np.asarray(self.weights), self.scales
        means = (np.asarray(self.sums) + scales[at.A] * v) / scales[at.B]
        return means, scales[at.MEAN_BIAS]
