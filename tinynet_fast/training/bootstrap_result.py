"""What `bootstrap` returns: standard errors, intervals, and a table. The training is in `bootstrap.py`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.models import Neuron
from tinynet_fast.models.sandwich import input_names
from tinynet_fast.models.view import inputs
from tinynet_fast.rows.arrays import as_float
from tinynet_fast.rows.blocks import slices
from tinynet_fast.training.view import bootstrap_html

PROBABILITIES = 1 << 20  # predicted at a time, of all neurons together: 8 MB


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapResult:
    """What a bootstrap returns. Row k of `weights` is the neuron of sample k.

    Attributes
    ----------
    weights : (n, n_features) float64 array
        The weights of each neuron, for inputs as they were given (`standardize` is undone).
    biases : (n,) float64 array
    model : Neuron
        The point estimate: the neuron that was trained with every row once, in the same pass.
    distance : float
        How far the model's weights are from those of least loss, in standard errors: the largest of all weights. NaN if
        inputs are collinear.
    learning_rate, l2 : float
        What all neurons were trained with.
    average : bool
    rows, epochs : int
        How many rows there are, and passes over them.
    seed : int
        The seed that was used or drawn: pass it again to repeat the bootstrap.
    seconds : float
        Wall time of training, without compiling, checking and searching for a rate.
    """

    weights: np.ndarray
    biases: np.ndarray
    model: Neuron
    distance: float
    learning_rate: float
    l2: float
    average: bool
    rows: int
    epochs: int
    seed: int
    seconds: float

    def __len__(self) -> int:
        return len(self.biases)

    def __repr__(self) -> str:
        return f"BootstrapResult({len(self)} samples of {self.rows:,} rows, {inputs(self.model.n_features)})"

    @property
    def parameters(self) -> np.ndarray:
        """(n, n_features + 1): the weights and, last, the bias of each neuron."""
        return np.column_stack([self.weights, self.biases])

    @property
    def standard_errors(self) -> np.ndarray:
        """(n_features + 1,): the standard error of each weight and, last, of the bias: how they spread over samples."""
        return np.asarray(self.parameters.std(axis=0, ddof=1))

    def interval(self, level: float = 0.95) -> np.ndarray:
        """(n_features + 1, 2): the lower and upper end for each weight and, last, for the bias.

        These are percentiles: at level 0.95 a fortieth of the neurons have a weight below the interval, and as many
        have one above it. ValueError if `level` is not between 0 and 1.
        """
        return np.asarray(np.quantile(self.parameters, _tails(level), axis=0).T)

    def predict_interval(self, X: Any, level: float = 0.95) -> np.ndarray:
        """(n_rows, 2): for each row the lower and upper end of the probability of the second label.

        It says how sure the probability is, not how sure the label: with many rows the interval is narrow, also around
        a probability of one half.

        Parameters
        ----------
        X : (n_rows, n_features) list of rows, array or frame
            As for `Neuron.predict_proba`.
        level : float
            Between 0 and 1, as for `interval`.
        """
        tails, matrix = _tails(level), self.model.dense_rows(X)
        ends = np.empty((len(matrix), 2))
        for part in slices(len(matrix), PROBABILITIES // len(self)):
            z = matrix[part].astype(np.float64, copy=False) @ self.weights.T + self.biases
            ends[part] = np.quantile(vectorized.sigmoid(z), tails, axis=1).T
        return ends

    @property
    def title(self) -> str:
        """What the table is of."""
        return f"{len(self):,} samples of {self.rows:,} rows, {self.epochs:,} epoch{'s' * (self.epochs != 1)}"

    def columns(self, level: float = 0.95) -> list[str]:
        """The names of the table's columns; that of the names of the weights is empty."""
        return ["", "weight", "standard error", f"{100.0 * level:g}% from", "to"]

    def lines(self, level: float = 0.95) -> list[list[str]]:
        """The table's texts, a list for each weight and, last, for the bias."""
        values = np.append(self.model.weights, self.model.bias), self.standard_errors, *self.interval(level).T
        names = input_names(self.model.features, self.model.n_features)
        return [[name, *(f"{number:.6g}" for number in numbers)] for name, *numbers in zip(names, *values, strict=True)]

    _repr_html_ = bootstrap_html

    def table(self, level: float = 0.95) -> Any:
        """A `rich.table.Table` with a row for each weight and for the bias: print it with `rich.print`."""
        from rich.table import Table  # slower to import than NumPy

        lines = self.lines(level)
        table = Table(*self.columns(level), title=self.title)
        for line in lines:
            table.add_row(*line)
        return table


def _tails(level: Any) -> np.ndarray:
    """The two shares of the neurons below the ends of an interval."""
    number = as_float(level)
    if number is None or not 0.0 < number < 1.0:
        raise ValueError(f"level is {level!r}; a number between 0 and 1 is needed, such as 0.95")
    return np.array([0.5 - number / 2.0, 0.5 + number / 2.0])
