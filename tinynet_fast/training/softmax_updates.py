"""The neuron for more than two labels that `train_neuron` trains: a sum for each label, and their softmax."""

from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import SOFTMAX_BOUND
from tinynet_fast.training.history import Arrays, all_finite
from tinynet_fast.training.neuron_updates import DenseNeuron


class SoftmaxNeuron(DenseNeuron):
    """Softmax regression on dense rows. Its arrays have a row for each input and a last one for the biases."""

    arrays = ("weights", "means", "paid")

    @property
    def bound(self) -> float:
        return SOFTMAX_BOUND

    def first_state(self) -> Arrays:
        zeros = np.zeros(len(self.start))
        self.errors = self.engine.own(np.zeros(len(self.labels)))
        return {"weights": self.start, "means": zeros, "paid": zeros, "row": np.zeros(1)}

    def train(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        engine, schedule_rows = self.engine, self.schedule_rows(len(y), sample_weight)
        arrays = self.weights, self.means, self.paid, self.errors
        engine.kernels.sgd_softmax_epochs(engine.rows(X), engine.own(y), engine.own(schedule_rows), *arrays, losses)
        self.row += len(y) * len(losses)

    def state(self) -> Arrays:
        return {name: np.ravel(array) for name, array in super().state().items()}

    def is_finite(self) -> bool:
        return all_finite(self.state())

    def restore(self, state: Arrays) -> None:
        shape = -1, len(self.labels)
        super().restore({name: array if name == "row" else array.reshape(shape) for name, array in state.items()})

    def parameters(self) -> tuple[Any, Any]:
        return np.asarray(self.weights)[:-1], np.asarray(self.weights)[-1]

    def mean_parameters(self) -> tuple[Any, Any]:
        return np.asarray(self.means)[:-1], np.asarray(self.means)[-1]
