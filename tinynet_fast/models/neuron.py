"""The model of one neuron."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from tinynet_fast.kernels import reference, vectorized
from tinynet_fast.kernels.engines import ENGINES, PORTABLE, Engine
from tinynet_fast.models import base
from tinynet_fast.models.fields import finite
from tinynet_fast.models.outputs import DEVIATIONS, SIGMOID
from tinynet_fast.models.sandwich import input_names, standard_errors
from tinynet_fast.models.threads import by_threads
from tinynet_fast.models.view import inputs, neuron_html, predicted
from tinynet_fast.rows.arrays import as_float, as_matrix, as_sample_weight
from tinynet_fast.rows.blocks import slices, sum_in_order
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.values import is_finite


@dataclass(kw_only=True, eq=False, repr=False)
class Neuron(base.Model):
    """One neuron: sigmoid(X @ weights + bias). Or several side by side, for more than two labels or several numbers.

    `output` says what its sums are; see `Model`.

    Parameters
    ----------
    weights : (n_features,) float64 array, or (n_features, n_outputs)
    bias : float, or (n_outputs,) float64 array
    """

    weights: np.ndarray
    bias: Any = 0.0

    _sparse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.weights = np.array(self.weights, dtype=np.float64, ndmin=1)
        bias = np.array(self.bias, dtype=np.float64)
        self.bias = bias.item() if bias.size == 1 else bias
        super().__post_init__()
        n, finite_numbers = self.n_outputs, is_finite(self.weights) and is_finite(bias)
        shapes = (self.weights.shape[1:], () if bias.size == 1 else bias.shape)
        if not self.weights.size or shapes != (((), ()) if n == 1 else ((n,), (n,))) or not finite_numbers:
            raise ValueError(
                "weights and bias are finite numbers: one weight for each input, of at least one, and a bias"
                + (f"; for {n} outputs, weights are (n_features, {n}) and bias is ({n},)" if n > 1 else "")
            )

    def __repr__(self) -> str:
        return f"Neuron({inputs(self.n_features)}, {predicted(self)})"

    _repr_html_ = neuron_html

    @property
    def n_features(self) -> int:
        return len(self.weights)

    @property
    def _n_numbers(self) -> int:
        return int(np.prod(self.weights.shape[1:]))

    @property
    def _arrays(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights and bias of each output as the kernels take them."""
        weights = self.weights.reshape(self.n_features, -1).T
        biases = np.array(self.bias, ndmin=1).reshape(-1, 1)
        return [(np.ascontiguousarray(w), b) for w, b in zip(weights, biases, strict=True)]

    @property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        return [(self.weights.reshape(self.n_features, -1).copy(), np.reshape(self.bias, -1).copy(), self.output)]

    def _logits(self, blocks: Iterator[tuple[np.ndarray, np.ndarray]], n_rows: int) -> None:
        if self.is_portable:
            for X, out in blocks:
                for k, arrays in enumerate(self._arrays):
                    out[:, k] = PORTABLE.logits(X, *arrays)
            return
        if self.n_outputs == 1:
            ((weights, bias),) = self._arrays
            for X, out in blocks:
                vectorized.logits(np.ascontiguousarray(X, dtype=np.float64), weights, bias, out[:, 0])
            return
        for X, out in blocks:
            with np.errstate(over="ignore", invalid="ignore"):
                np.matmul(np.ascontiguousarray(X, dtype=np.float64), self.weights, out=out)
                out += self.bias

    def checked_logits(self, matrix: Any) -> np.ndarray:
        if not isinstance(matrix, CSR):
            return super().checked_logits(matrix)
        if self.is_portable:
            sums = [PORTABLE.sparse_logits(matrix, *of_one) for of_one in self._arrays]
            return sums[0] if self.n_outputs == 1 else np.column_stack(sums)
        out = np.empty((self.n_outputs, len(matrix)))
        engine = ENGINES["fast" if matrix.stored >= base.COMPILED_FROM else "numpy"]
        for of_one, row in zip(self._arrays, out, strict=True):
            engine.kernels.sparse_logits(*matrix.arrays, *of_one, row)
        return out[0] if self.n_outputs == 1 else np.ascontiguousarray(out.T)

    def predict_proba(self, X: Any, *, n_jobs: int | None = None) -> np.ndarray:
        if self.output != SIGMOID:
            return super().predict_proba(X, n_jobs=n_jobs)
        rows = max(base.COMPILED_FROM // self.n_features, 1)
        return by_threads(self, self._probabilities, X, n_jobs, rows)

    def _probabilities(self, X: Any) -> np.ndarray:
        if self.output != SIGMOID or self.is_portable:
            return super()._probabilities(X)
        if type(X) is list:
            probability = self._one_probability(X)
            if probability is not None:
                return np.array([probability])
        elif isinstance(X, np.ndarray) and X.size >= base.COMPILED_FROM and X.shape[1:] == (self.n_features,):
            probabilities = self._many_probabilities(as_matrix(X), ENGINES["fast"])
            if probabilities is not None:
                return probabilities
        return super()._probabilities(X)

    def _one_probability(self, X: list[Any]) -> float | None:
        """Predict one row that is given as a list, in plain Python, because to make an array takes longer.

        None if `X` is not one row of finite numbers of the right length; the usual way then says what is wrong.
        """
        row = X[0] if len(X) == 1 and type(X[0]) is list else X
        if len(row) != self.n_features or (row is X and len(row) == 1 and type(row[0]) is list):
            return None
        z = self.bias
        for x, w in zip(row, self.weights.tolist(), strict=True):
            if type(x) is not float and type(x) is not int:
                return None
            z += x * w
        return reference.sigmoid(z) if -sys.float_info.max <= z <= sys.float_info.max else None

    def _many_probabilities(self, X: np.ndarray, engine: Engine) -> np.ndarray | None:
        """Predict with the compiled kernel, block by block. None if a sum is not finite, as in `_one_probability`."""
        from tinynet_fast.kernels.fast import prediction  # here, because it may import Numba

        ((weights, bias),), out = self._arrays, np.empty(len(X))
        for part in slices(len(X), base.COMPILED_FROM // self.n_features):
            if not prediction.predict_proba(engine.rows(X[part]), weights, bias, out[part]):
                return None
        return out

    def standard_errors(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, l2: float | None = None
    ) -> np.ndarray:
        """How sure the weights are: the standard error of each weight and, last, of the bias, by the sandwich estimate.

        If the rows were others of the same kind, the weights would be different, by about so much: the weight plus and
        minus 1.96 standard errors holds the true one in 95 of 100 cases. The estimate is for weights of nearly the
        least log loss, such as those of a long run with average=True (Polyak and Juditsky, 1992). It is right even if
        the model is not (White, 1982). `bootstrap` also gives intervals, of probabilities too.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            The rows that the neuron was trained on. SciPy's sparse rows are refused.
        y : (n,), or str
            Their labels, as in training. For a neuron that was trained on a table, it may be left out.
        sample_weight : (n,), optional
            What each row counted for.
        l2 : float, optional
            The penalty of the training; by default the one that `training` records, or 0.

        Returns
        -------
        (n_features + 1,) float64 array

        Raises
        ------
        ValueError
            For bad rows and labels, as in training; and if there are no standard errors: an input never changes, or
            inputs are collinear. The message names them.

        Warns
        -----
        TrainingWarning
            If the weights are more than half a standard error away from those of least loss, or if the inputs tell the
            labels apart in every row, so that there are no weights of least loss.

        Examples
        --------
        >>> from tinynet_fast import train_neuron
        >>> from tinynet_fast.datasets import make_pass_fail
        >>> rows = make_pass_fail(1000, 2)
        >>> model = train_neuron(rows.X, rows.y, learning_rate=0.01, average=True, epochs=50).model
        >>> model.standard_errors(rows.X, rows.y).round(2)
        array([0.08, 0.07, 0.07])
        """
        if self.output != SIGMOID:
            raise ValueError("standard errors are those of a neuron for two labels that was trained with the log loss")
        matrix = self.dense_rows(X)
        codes, weights = self.codes(X, y, len(matrix)), as_sample_weight(sample_weight, len(matrix))
        penalty = as_float(self.training.get("l2", 0.0) if l2 is None else l2)
        if penalty is None or not 0.0 <= penalty < np.inf:
            raise ValueError(f"l2 is {l2!r}; a finite number of at least 0 is needed")
        return standard_errors(
            matrix,
            codes,
            weights,
            np.append(self.weights, self.bias),
            penalty,
            bool(self.training.get("standardize")),
            input_names(self.features, self.n_features),
        )

    def dense_rows(self, X: Any) -> np.ndarray:
        """The inputs of rows as a checked matrix, for what cannot use sparse rows; ValueError for these."""
        matrix = self._matrix(X)
        if isinstance(matrix, CSR):
            raise ValueError("sparse rows have no standard errors and intervals here: pass X.toarray()")
        return np.asarray(matrix)

    def for_raw_inputs(self, mean: np.ndarray, scale: np.ndarray, in_order: bool = False) -> Self:
        """Change this neuron so that it gives for x what it gave for (x - mean) / scale, and return it.

        `in_order` has the sum over the inputs go from the first to the last, on every machine.
        """
        self.weights = self.weights / (scale if self.n_outputs == 1 else scale[:, np.newaxis])
        self.bias = self.bias - (sum_in_order((mean * self.weights.T).T) if in_order else mean @ self.weights)
        self.bias = float(self.bias) if self.n_outputs == 1 else self.bias
        return self

    def for_raw_targets(self, mean: np.ndarray, scale: np.ndarray) -> Self:
        """Change this neuron so that it gives mean + scale * z where it gave the number z, and return it."""
        self.weights = self.weights * scale
        self.bias = self.bias * scale + mean
        self.bias = float(np.reshape(self.bias, -1)[0]) if self.n_outputs == 1 else self.bias
        self.training[DEVIATIONS] = np.reshape(scale, -1).tolist()
        return self

    def _fields(self) -> dict[str, Any]:
        return {"kind": "neuron", "weights": self.weights.tolist(), "bias": np.asarray(self.bias).tolist()}

    @classmethod
    def _from_fields(cls, found: dict[str, Any], common: dict[str, Any]) -> "Neuron":
        several = int(isinstance(found["bias"], list))
        return cls(
            weights=finite(found["weights"], "weights", 1 + several),
            bias=finite(found["bias"], "bias", several),
            **common,
        )
