"""Several neurons on the same rows: one for each target, or one for each label against the rest.

Each is a `DenseNeuron` or a `SparseNeuron` that sees its own column of what is to be learned, so its weights are those
that it has when it is trained alone.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import Engine
from tinynet_fast.models import Neuron
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.values import is_finite
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.neuron_updates import DenseNeuron


class SeveralNeurons:
    """Neurons that are trained on each block of rows in turn. The loss is the sum of theirs.

    Parameters
    ----------
    neurons : sequence of DenseNeuron
    one_vs_rest : bool
        Whether a neuron learns 1 for the rows of its own label and 0 for the others; else it learns its target.
    """

    batch_size: int | None = None
    kernels: Hashable = None

    def __init__(self, neurons: Sequence[DenseNeuron], one_vs_rest: bool) -> None:
        self.neurons, self.one_vs_rest, first = list(neurons), one_vs_rest, neurons[0]
        self.learning_rate, self.repeats, self.penalties = first.learning_rate, first.repeats, first.penalties
        self.block_rows = max(first.block_rows // len(neurons) // first.engine.tile, 1) * first.engine.tile
        self.start = np.concatenate([neuron.start for neuron in neurons])
        self.totals = np.zeros(
            len(neurons)
        )  # each one's loss in this epoch, so that no sum depends on where blocks end
        self.counts = tuple(f"{name}_{k}" for k, neuron in enumerate(neurons) for name in neuron.counts)

    @property
    def row(self) -> int:
        return self.neurons[0].row

    def train(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        sums = np.zeros((len(self.neurons), len(losses)))
        for k, neuron in enumerate(self.neurons):
            target = (y == k).astype(np.float64) if self.one_vs_rest else np.ascontiguousarray(y[:, k] if len(y) else y)
            sums[k, 0] = self.totals[k]
            own = neuron.engine.own(sums[k])
            neuron.train(X, target.reshape(-1), sample_weight, own)
            sums[k] = own
        self.totals = sums[:, -1]
        for i, total in enumerate(sums.sum(axis=0).tolist()):
            losses[i] = total

    def cut_for(self, engine: Engine, options: Any) -> None:
        for neuron in self.neurons:
            neuron.cut_for(engine, options)

    def use(self, engine: Engine) -> None:
        for neuron in self.neurons:
            neuron.use(engine)

    def end_epoch(self) -> None:
        self.totals = np.zeros(len(self.neurons))

    def epoch_loss(self, total: np.ndarray) -> np.ndarray:
        return total

    def state(self) -> Arrays:
        states = [neuron.state() for neuron in self.neurons]
        arrays = {f"{name}_{k}": array for k, state in enumerate(states) for name, array in state.items()}
        return {**arrays, "totals": self.totals.copy()}

    def is_finite(self) -> bool:
        return is_finite(self.totals) and all(neuron.is_finite() for neuron in self.neurons)

    def _of_one(self, state: Arrays, k: int) -> Arrays:
        """The part of a state that belongs to neuron k."""
        return {name: state[f"{name}_{k}"] for name in self.neurons[k].state()}

    def restore(self, state: Arrays) -> None:
        for k, neuron in enumerate(self.neurons):
            neuron.restore(self._of_one(state, k))
        self.totals = state["totals"].copy()

    def check_counts(self, state: Arrays, epoch: int, rows: int) -> None:
        for k, neuron in enumerate(self.neurons):
            neuron.check_counts(self._of_one(state, k), epoch, rows)

    def options(self) -> dict[str, Any]:
        return self.neurons[0].options()

    def parameters(self) -> tuple[Any, Any]:
        """(n_features, n_outputs) weights and (n_outputs,) biases as they are now."""
        weights, biases = zip(*(neuron.parameters() for neuron in self.neurons), strict=True)
        return np.column_stack(weights), np.array(biases)

    def model(self) -> Neuron:
        return self.neurons[0].model_with(*zip(*(neuron.predicting() for neuron in self.neurons), strict=True))

    def last_rate(self) -> float | None:
        return self.neurons[0].last_rate()

    def safe_learning_rate(self, rows: Rows) -> float:
        return min(neuron.safe_learning_rate(rows) for neuron in self.neurons)
