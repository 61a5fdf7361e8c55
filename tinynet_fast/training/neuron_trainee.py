"""What `train_neuron` trains, block by block: parameters and their kernel, for dense rows and for sparse ones."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.models import Neuron
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.training.plan import Plan
from tinynet_fast.training.resume import StateError
from tinynet_fast.training.run import stable_rate
from tinynet_fast.training.schedules import STABILITY_BOUND, Penalties, Schedule

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows


class NeuronTrainee:
    batch_size: int | None = None

    def __init__(self, job: Plan, start: np.ndarray, schedule: Schedule, penalties: Penalties) -> None:
        self.engine: Engine = job.engine
        self.schedule, self.penalties, self.learning_rate = schedule, penalties, schedule.learning_rate
        self.labels, self.features, self.all_rows = job.labels, job.features, job.rows
        d = self.row_values(job)
        self.block_rows = job.engine.block_rows(d, 2 * d)
        self.repeats = schedule.is_constant and not penalties.average_from
        self.kernels = job.engine.kernels
        self.constant, self.constant_plan = self.engine.own(np.empty(0)), np.empty((0, 4))
        self.start = start
        self.begin()

    def row_values(self, job: Plan) -> int:
        """How many values a row holds."""
        return job.rows.n_features

    def begin(self) -> None:
        """The parameters before the first row. The last of them: rows trained on so far, over all epochs."""
        self.restore(np.concatenate([self.start, np.zeros(2 * len(self.start) + 1)]))

    def train(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        own = self.engine.own
        if self.penalties.none:
            rates = self._rates(len(y))
            with np.errstate(over="ignore"):
                step = rates if sample_weight is None else np.asarray(rates)[: len(y)] * sample_weight
            self.kernels.sgd_epochs(self.engine.rows(X), own(y), own(step), self.weights, self.bias, losses)
        else:
            plan = own(self._plan(len(y), sample_weight))
            state = (self.weights, self.bias, self.means, self.paid)
            self.kernels.sgd_regularized_epochs(
                self.engine.rows(X), own(y), plan, self.penalties.loss, 1.0, *state, losses
            )
        self.row += len(y) * len(losses)

    def _rates(self, n: int) -> Any:
        """The rates of the next `n` rows, or more of them. Those that do not change are kept."""
        if not self.schedule.is_constant:
            return self.schedule.rates(self.row, n)
        if n > len(self.constant):
            self.constant = self.engine.own(self.schedule.rates(0, n))
        return self.constant

    def _plan(self, n: int, sample_weight: np.ndarray | None) -> np.ndarray:
        """The plan of the next `n` rows. One that does not change is kept: to make it takes 3 to 4 ns a row."""
        if not self.schedule.is_constant or sample_weight is not None:
            return self.penalties.plan(self.schedule.rates(self.row, n), sample_weight, self.row)
        if n > len(self.constant_plan):
            self.constant_plan = self.penalties.plan(self.schedule.rates(0, n), None, 0)
        if self.penalties.average_from:
            self.constant_plan[:n, 3] = self.penalties.shares(self.row, n)
        return self.constant_plan[:n]

    def use(self, engine: Engine) -> None:
        self.engine, self.kernels = engine, engine.kernels

    def end_epoch(self) -> None:
        pass

    def epoch_loss(self, total: np.ndarray, rows: int) -> np.ndarray:
        return total

    def parameters(self) -> np.ndarray:
        return np.concatenate([self.weights, self.bias, self.means, self.paid, [float(self.row)]])

    def restore(self, parameters: np.ndarray) -> None:
        d = (len(parameters) - 4) // 3
        *parts, row = np.split(parameters, [d, d + 1, 2 * d + 2, 3 * d + 3])
        self.weights, self.bias, self.means, self.paid = (self.engine.own(part.copy()) for part in parts)
        self.row = int(row[0])

    def check_counts(self, parameters: np.ndarray, epoch: int, rows: int) -> None:
        trained = (epoch * len(self.all_rows) if epoch else 0) + rows
        if parameters[-1] != trained:
            raise StateError(f"the parameters are not those after {trained:,} rows")

    def options(self) -> dict[str, Any]:
        return {"trainer": "train_neuron", **self.schedule.options(), **self.penalties.options()}

    def model(self) -> Neuron:
        averaging = self.penalties.average_from and self.row >= self.penalties.average_from
        weights, bias = (self.means[:-1], self.means[-1]) if averaging else (self.weights, self.bias[0])
        return Neuron(weights=weights, bias=bias, labels=self.labels, features=self.features)

    def last_rate(self) -> float | None:
        return self.schedule.rate(max(self.row - 1, 0))

    def safe_learning_rate(self, rows: "Rows | StreamRows") -> float:
        if self.schedule.name == "optimal":  # which does not ask for a rate
            return 0.0
        largest = 1.0 if rows.sample_weight is None else float(rows.sample_weight.max())
        return stable_rate(rows, STABILITY_BOUND, self.start) / max(largest, 1.0)


class SparseTrainee(NeuronTrainee):
    """The same for rows stored as CSR. Its parameters are all that the kernels keep, so that a checkpoint loses no bit.

    What no option asks for has no slots: with many inputs a run carries v and the bias alone.
    """

    def row_values(self, job: Plan) -> int:
        return job.rows.source.row_values if is_streamed(job.rows) else int(job.in_memory.X.row_values)

    def begin(self) -> None:
        penalties, d = self.penalties, len(self.start) - 1
        self.sizes = [d, 1, d if penalties.average_from else 0, d if penalties.l1 > 0.0 else 0, 8, 1]
        self.rule = self.engine.own(np.array([penalties.loss, 1.0, penalties.l2, penalties.l1, 0.0]))
        parameters = np.zeros(sum(self.sizes))
        parameters[: d + 1] = self.start
        parameters[-9 + vectorized.SCALE] = parameters[-9 + vectorized.B] = 1.0
        self.restore(parameters)

    def train(self, X: CSR, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        own, kernel = self.engine.own, self.kernels.sgd_sparse_epochs
        if self.engine.module == "strict":
            from tinynet_fast.kernels.fast.sparse import sgd_sparse_epochs_exact as kernel
        plan = own(self._plan(len(y), sample_weight))
        rows = X.lists() if self.engine.module == "reference" else X.arrays
        state = self.weights, self.bias, self.sums, self.paid, self.state
        kernel(*rows, own(y), plan, self.rule, *state, losses)
        self.row += len(y) * len(losses)

    def parameters(self) -> np.ndarray:
        parts = self.weights, self.bias, self.sums, self.paid, self.state
        return np.concatenate([*parts, [float(self.row)]], dtype=np.float64)

    def restore(self, parameters: np.ndarray) -> None:
        *parts, row = np.split(parameters, np.cumsum(self.sizes)[:-1])
        self.weights, self.bias, self.sums, self.paid, self.state = (self.engine.own(part.copy()) for part in parts)
        self.row = int(row[0])

    def model(self) -> Neuron:
        v, state = np.asarray(self.weights), np.asarray(self.state)
        weights, bias = v * state[vectorized.SCALE], self.bias[0]
        if self.penalties.average_from and self.row >= self.penalties.average_from:
            weights = (np.asarray(self.sums) + state[vectorized.A] * v) / state[vectorized.B]
            bias = state[vectorized.MEAN_BIAS]
        return Neuron(weights=weights, bias=bias, labels=self.labels, features=self.features)
