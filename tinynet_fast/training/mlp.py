"""`train_mlp`: a small network by full-batch, mini-batch or per-row gradient descent. The loop is in `run.py`."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinynet_fast.data.arrays import Rows
from tinynet_fast.models import MLP, check_activation, check_layers, flatten, layer_table, unflatten
from tinynet_fast.training.run import Epoch, Plan, TrainingResult, check_rate, check_whole, plan, run, stable_rate


def train_mlp(
    X: Any,
    y: Any,
    *,
    hidden: Sequence[int] = (4,),
    activation: str = "sigmoid",
    learning_rate: float = 0.15,
    epochs: int = 1000,
    batch_size: int | None = None,
    weights: Any = None,
    biases: Any = None,
    init_scale: float = 0.3,
    shuffle: bool = False,
    seed: int | None = None,
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    progress: bool = False,
    callback: Callable[[Epoch[MLP]], Any] | None = None,
) -> TrainingResult[MLP]:
    """Train a network of one or more hidden layers and one sigmoid output by gradient descent on cross-entropy.

    For each batch: forward through the layers, the output's error prediction - actual, back through the layers by the
    chain rule, and one step down the mean gradient of the batch (Rumelhart, Hinton and Williams, Learning
    representations by back-propagating errors, Nature 323, 1986).

    Parameters
    ----------
    X, y
        As for `train_neuron`.
    hidden : sequence of int
        Units in each hidden layer.
    activation : {"sigmoid", "tanh", "relu"}
        What the hidden units do to their sums.
    learning_rate : float
        The length of a step along the mean gradient.
    epochs : int
        Passes over the rows.
    batch_size : int, optional
        Rows in an update: all of them where left out, 1 for a row at a time. The last batch of an epoch may be shorter.
    weights : list of (fan_in, fan_out), optional
        Where to start, a table a layer. Where left out they are drawn layer by layer from a normal distribution as
        `numpy.random.RandomState(seed).randn(fan_in, fan_out) * init_scale`.
    biases : list of (fan_out,), optional
        Where the biases start; at zero where left out.
    init_scale : float
        The standard deviation of the weights that are drawn.
    shuffle, seed, validation, patience, engine, progress, callback
        As for `train_neuron`; `seed` also draws the weights.

    Returns
    -------
    TrainingResult
        `model` is an `MLP`, `loss_history` the mean binary cross-entropy of each epoch, in nats a row, each row
        measured before its batch's update.

    Raises
    ------
    ValueError, TrainingDivergedError
        As for `train_neuron`.

    Examples
    --------
    >>> from tinynet_fast import train_mlp
    >>> X, y = [[-2, -7], [5, 20], [3, 12], [-7, -20]], [0, 1, 1, 0]
    >>> result = train_mlp(X, y, hidden=(4,), epochs=4000, seed=42)
    >>> print(result.loss_history[[0, 400, 3600]].round(4))
    [0.7805 0.0202 0.0021]
    >>> result.model.predict(X)
    array([0, 1, 1, 0])
    """
    rate = check_rate("learning_rate", learning_rate)
    check_activation(activation)
    if batch_size is not None:
        batch_size = check_whole("batch_size", batch_size)
    units = [check_whole("a hidden layer's width", width) for width in np.atleast_1d(np.asarray(hidden)).tolist()]
    if not units:
        raise ValueError("hidden is empty: name the units of at least one layer, or use train_neuron")
    job = plan(
        X,
        y,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=weights is None,
        validation=validation,
        patience=patience,
        engine=engine,
        kernel="network_epochs",
        progress=progress,
        callback=callback,
    )
    sizes = [job.rows.n_features, *units, 1]
    start = _start(weights, biases, sizes, check_rate("init_scale", init_scale), job.seed)
    return run(_MLPTrainee(job, start, sizes, activation, rate, batch_size), job)


def _start(weights: Any, biases: Any, sizes: list[int], init_scale: float, seed: int | None) -> np.ndarray:
    """The starting parameters, flat. RandomState's stream is frozen for good, so a seed's weights never change."""
    if weights is None:
        draw = np.random.RandomState(seed)
        weights = [draw.randn(a, b) * init_scale for a, b in pairwise(sizes)]
    if biases is None:
        biases = [np.zeros(size) for size in sizes[1:]]
    weights, biases = check_layers(weights, biases)
    given = [len(weights[0]), *(len(b) for b in biases)]
    if given != sizes:
        shape = "-".join(map(str, given))
        raise ValueError(f"weights are those of a {shape} network; X and hidden ask for {'-'.join(map(str, sizes))}")
    return flatten(weights, biases)


class _MLPTrainee:
    def __init__(
        self,
        job: Plan,
        start: np.ndarray,
        sizes: list[int],
        activation: str,
        learning_rate: float,
        batch_size: int | None,
    ) -> None:
        self.engine = job.engine
        self.learning_rate, self.activation = learning_rate, activation
        self.labels, self.features = job.labels, job.features
        self.batch_size: int | None = min(batch_size or len(job.rows), len(job.rows))
        self.repeats = len(job.rows) % self.batch_size == 0  # a short last batch is left to end_epoch
        self.block_rows = job.engine.block_rows(job.rows.n_features, 3 * len(start) + 20 * sum(sizes))
        self.kernels = job.engine.kernels
        self.table = layer_table(sizes, activation)
        self.layers = job.engine.own(self.table, np.int64)
        self.values, self.deltas = job.engine.scratch(sum(sizes)), job.engine.scratch(sum(sizes))
        self.gradient = job.engine.own(np.zeros(len(start)))
        self.pending = job.engine.own(np.zeros(1), np.int64)
        self.start = start
        self.restore(start)

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        self.kernels.network_epochs(
            self.engine.own(X),
            self.engine.own(y),
            self.batch_size,
            self.learning_rate,
            self.layers,
            self.params,
            self.gradient,
            self.values,
            self.deltas,
            self.pending,
            losses,
        )

    def end_epoch(self) -> None:
        if self.pending[0]:
            self.kernels.network_update(self.pending[0], self.learning_rate, self.params, self.gradient)
            self.pending[0] = 0

    def epoch_loss(self, total: np.ndarray, rows: int) -> np.ndarray:
        return total / rows

    def parameters(self) -> np.ndarray:
        return np.array(self.params)

    def restore(self, parameters: np.ndarray) -> None:
        self.params = self.engine.own(parameters.copy())

    def options(self) -> dict[str, Any]:
        return {"trainer": "train_mlp", "learning_rate": self.learning_rate, "batch_size": self.batch_size}

    def model(self) -> MLP:
        weights, biases = unflatten(np.array(self.params), self.table)
        return MLP(
            weights=weights, biases=biases, activation=self.activation, labels=self.labels, features=self.features
        )

    def safe_learning_rate(self, rows: Rows) -> float:
        """A hundredth of a neuron's bound, at most a tenth of the rate that failed: no tight bound is known."""
        return min(self.learning_rate / 10.0, stable_rate(rows, 0.08, self.start))
