"""`train_neuron`: one neuron by per-row SGD, the tutorial's rule. The loop over blocks is in `run.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet_fast.data.arrays import Rows
from tinynet_fast.kernels.engines import Engine
from tinynet_fast.models import Neuron
from tinynet_fast.training.run import Epoch, Plan, TrainingResult, check_rate, plan, run, stable_rate

STABILITY_BOUND = 8.0  # a step cannot overshoot while step * (|x|^2 + 1) is at most this: the sigmoid's slope is <= 1/4


def train_neuron(
    X: Any,
    y: Any,
    *,
    learning_rate: float = 0.1,
    epochs: int = 100,
    weights: Any = 0.0,
    bias: float = 0.0,
    shuffle: bool = False,
    seed: int | None = None,
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    progress: bool = False,
    callback: Callable[[Epoch[Neuron]], Any] | None = None,
) -> TrainingResult[Neuron]:
    """Train one neuron: for each row predict, measure the error, nudge the weights; then the next row.

    For a row x with label 0 or 1::

        raw        = x[0]*w[0] + x[1]*w[1] + ... + bias
        prediction = 1 / (1 + exp(-raw))
        error      = prediction - actual
        w[j]      -= (learning_rate * error) * x[j]
        bias      -= learning_rate * error

    which is stochastic gradient descent on cross-entropy, a row at a time (Bishop, Pattern Recognition and Machine
    Learning, 2006, section 4.3.2).

    Parameters
    ----------
    X : (n,) or (n, n_features)
        A list of numbers or of rows, a NumPy array of any real dtype, order and stride (read-only or memory-mapped
        too), or a frame that NumPy can read. It is never copied whole; computing is in float64.
    y : (n,)
        0/1, booleans, or any two labels. The larger in sorting order is the one whose probability is learned.
    learning_rate : float
        How far a row moves the weights. While learning_rate * (|x|**2 + 1) <= 8 for every row, no step overshoots.
    epochs : int
        Passes over the rows.
    weights : float or (n_features,)
        Where to start: one number for all weights, or one each.
    bias : float
        Where the bias starts.
    shuffle : bool
        Visit the rows in a new random order in each epoch. The order depends on `seed` and the epoch alone, so it is
        the same in every engine.
    seed : int, optional
        From 0 to 2**32 - 1. Drawn, and given back in the result, where it is needed and left out.
    validation : (X, y) or float, optional
        Rows whose loss is measured after each epoch and which are not trained on, or the fraction of rows to hold out.
    patience : int, optional
        Stop after so many epochs in a row without a lower validation loss, and return the weights of the best epoch.
    engine : {"fast", "strict", "numpy", "reference"}
        Who does the arithmetic; the result's `engine` says which one really ran.
    progress : bool
        Show a progress bar on stderr.
    callback : callable, optional
        Called with an `Epoch` after each epoch; training stops when it returns something true.

    Returns
    -------
    TrainingResult
        `model` is a `Neuron`, `loss_history` the sum of squared errors in each epoch.

    Raises
    ------
    ValueError
        For missing values, ragged rows, one label only or a senseless option; it names the place and the remedy.
    TrainingDivergedError
        Where the weights overflow.

    Examples
    --------
    >>> from tinynet_fast import train_neuron
    >>> result = train_neuron([1, 2, 3, 4], [0, 0, 1, 1], weights=0.1, learning_rate=0.1, epochs=1000)
    >>> result.model.weights, result.model.bias
    (array([4.30186855]), -10.50801155978499)
    >>> result.model.predict([2.4, 2.5])
    array([0, 1])
    """
    rate = check_rate("learning_rate", learning_rate)
    job = plan(
        X,
        y,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=False,
        validation=validation,
        patience=patience,
        engine=engine,
        progress=progress,
        callback=callback,
    )
    start = _start(weights, bias, job.rows.n_features)
    return run(_NeuronTrainee(job, start, rate), job)


def _start(weights: Any, bias: Any, n_features: int) -> np.ndarray:
    """The starting weights and, last, the bias."""
    try:
        w, b = np.asarray(weights, dtype=np.float64), float(bias)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("weights and bias are numbers: one for each input, or one for all, and a bias") from None
    if w.shape not in ((), (n_features,)):
        raise ValueError(f"weights has shape {w.shape}; one number, or ({n_features},) as X has columns, is needed")
    if not (np.isfinite(w).all() and np.isfinite(b)):
        raise ValueError("weights or bias holds NaN or infinity: start from finite numbers")
    return np.append(np.broadcast_to(w, n_features), b)


class _NeuronTrainee:
    batch_size: int | None = None

    def __init__(self, job: Plan, start: np.ndarray, learning_rate: float) -> None:
        self.engine: Engine = job.engine
        self.learning_rate = learning_rate
        self.labels, self.features = job.labels, job.features
        self.block_rows = job.engine.block_rows(job.rows.n_features, 2 * job.rows.n_features)
        self.sgd_epochs = job.engine.kernels.sgd_epochs
        self.step = self.engine.own(np.full(min(self.block_rows, len(job.rows)), learning_rate))
        self.restore(start)

    def train(self, X: Any, y: Any, losses: Any) -> None:
        self.sgd_epochs(X, y, self.step, self.weights, self.bias, losses)

    def end_epoch(self) -> None:
        pass

    def epoch_loss(self, total: np.ndarray, rows: int) -> np.ndarray:
        return total

    def parameters(self) -> np.ndarray:
        return np.append(self.weights, self.bias)

    def restore(self, parameters: np.ndarray) -> None:
        self.weights = self.engine.own(parameters[:-1].copy())
        self.bias = self.engine.own(parameters[-1:].copy())

    def options(self) -> dict[str, Any]:
        return {"trainer": "train_neuron", "learning_rate": self.learning_rate}

    def model(self) -> Neuron:
        return Neuron(weights=self.weights, bias=self.bias[0], labels=self.labels, features=self.features)

    def safe_learning_rate(self, rows: Rows) -> float:
        return stable_rate(rows, STABILITY_BOUND)
