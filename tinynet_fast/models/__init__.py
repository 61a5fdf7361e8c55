"""Neuron and MLP: what training returns. They predict, save and load; how they are trained is in `training/`."""

import os
import re
import sys
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from tinynet_fast.kernels import reference, vectorized
from tinynet_fast.kernels.engines import CHUNK, ENGINES
from tinynet_fast.models import files
from tinynet_fast.models.layers import check_activation, check_layers, flatten, layer_table
from tinynet_fast.rows.arrays import as_labels, as_matrix, encode_known
from tinynet_fast.rows.columns import label_column, rows_for
from tinynet_fast.rows.files import first_repeated
from tinynet_fast.rows.sparse import CSR, FIRST_INDEX

LABEL_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U[0-9]{1,9})")  # of a model's file
KINDS: dict[str, set[type]] = {"U": {str}, "b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}
MOST_IN_FILE, MOST_LABEL_BYTES = 1 << 16, 1 << 26  # labels that a file may hold, and what they may take in memory
LONGEST_LABEL = 1000  # characters; the type in a file may be wider only if a label is
COMPILED_FROM = 1 << 18  # inputs from which on the compiled kernel predicts: less is done before Numba is imported
BLOCK_VALUES = 1 << 17  # inputs predicted at a time: 1 MB of float64, which stays in the second cache


@dataclass(kw_only=True, eq=False)
class Model:
    """What a neuron and a network have in common.

    Attributes
    ----------
    labels : (2,) array, or (n_classes,) for a network of more than two classes
        The labels, as they were given in training. Of two the second is the one whose probability is predicted.
    features : list of str, or None
        The names of the inputs, in order.
    threshold : float
        `predict` answers with the second of two labels if its probability is at least this.
    training : dict
        How the model was trained: options and outcome, as plain JSON values.
    """

    labels: np.ndarray = field(default_factory=lambda: np.array([0, 1]))
    features: list[str] | None = None
    threshold: float = 0.5
    training: dict[str, Any] = field(default_factory=dict)

    _sparse: ClassVar[bool] = False  # whether SciPy's sparse rows are read as they are

    @property
    def n_features(self) -> int:
        raise NotImplementedError

    @property
    def n_outputs(self) -> int:
        """One for two labels; else one for each label."""
        return 1 if len(self.labels) == 2 else len(self.labels)

    def _logits(self, X: np.ndarray, out: np.ndarray) -> None:
        raise NotImplementedError

    def _fields(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def _from_fields(cls, fields: dict[str, Any], common: dict[str, Any]) -> "Model":
        raise NotImplementedError

    def __post_init__(self) -> None:
        self.labels = np.array(self.labels)
        if self.labels.dtype.kind not in "biufU":
            self.labels = as_labels(self.labels, "labels")
        if self.features is not None:
            self.features = list(map(str, self.features))
        if self.labels.ndim != 1 or len(self.labels) < 2 or len(set(self.labels.tolist())) < len(self.labels):
            raise ValueError(f"labels are {self.labels.tolist()!r}; two different ones are needed")
        if self.labels.dtype.kind == "f" and not np.isfinite(self.labels).all():
            raise ValueError(f"labels are {self.labels.tolist()!r}; finite ones are needed")
        if self.features is not None and len(set(self.features)) < len(self.features):
            raise ValueError(f"the feature {first_repeated(self.features)!r} is named twice")

    def decision_function(self, X: Any) -> np.ndarray:
        """The last unit's sum for each row, before the sigmoid; for more than two classes a sum for each class.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            Columns that have names are matched with `features`, in any order, and other columns are left out. A 1-D
            list of `n_features` numbers is one row; so is a dict, a named tuple, or a pandas Series whose index has the
            names. With one input a 1-D list is one number for each row. For a neuron also a SciPy sparse matrix or
            array, whose rows cost what they store.

        Returns
        -------
        (n,) float64 array, or (n, n_classes) for more than two

        Raises
        ------
        ValueError
            For NaN, infinity, ragged rows, a column that is missing, or another number of columns than the model has
            inputs; the message names the place.
        """
        return self.checked_logits(self._matrix(X))

    def checked_logits(self, matrix: Any) -> np.ndarray:
        """`decision_function` of rows that have been checked: a finite matrix of the right width, or a CSR."""
        out = np.empty((len(matrix), self.n_outputs))
        rows = max(BLOCK_VALUES // self.n_features, 1)
        for start in range(0, len(matrix), rows):
            block = np.ascontiguousarray(matrix[start : start + rows], dtype=np.float64)
            self._logits(block, out[start : start + rows])
        return out if self.n_outputs > 1 else out[:, 0]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of the second label for each row: sigmoid(decision_function(X)), (n,) float64.

        For more than two classes the probability of each label, (n, n_classes): softmax(decision_function(X)).

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0).predict_proba([2.5])
        array([0.5])
        """
        z = self.decision_function(X)
        rows = BLOCK_VALUES // self.n_outputs
        for start in range(0, len(z), rows):
            part = z[start : start + rows]
            part[:] = vectorized.sigmoid(part) if z.ndim == 1 else _softmax(part)
        return z

    def predict(self, X: Any, threshold: float | None = None) -> np.ndarray:
        """The label of each row, of the training labels' type: the second one if its probability >= threshold.

        With more than two labels it is the most probable one, and there is no threshold.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            As for `decision_function`.
        threshold : float, optional
            From 0 to 1. If it is left out, the model's own `threshold`, which is 0.5 unless set.

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0).predict([1, 2.5, 4])
        array([0, 1, 1])
        """
        if threshold is not None and self.n_outputs > 1:
            raise ValueError(f"a threshold is for two labels; this model knows {len(self.labels)}: leave it out")
        limit = check_threshold(self.threshold if threshold is None else threshold)
        probabilities = self.predict_proba(X)
        if self.n_outputs > 1:
            return self.labels[probabilities.argmax(axis=1)]
        return self.labels[(probabilities >= limit).astype(np.intp)]

    def score(self, X: Any, y: Any) -> float:
        """The share of rows whose label is predicted correctly. `y` may be the name of a column of `X`."""
        z = self.decision_function(X)
        codes = encode_known(label_column(X, y), self.labels, len(z))
        predicted = z.argmax(axis=1) if self.n_outputs > 1 else vectorized.sigmoid(z) >= self.threshold
        return float(np.mean(predicted == codes))

    def loss(self, X: Any, y: Any) -> float:
        """The mean cross-entropy (log loss) of the rows, in nats a row. `y` may be the name of a column of `X`."""
        matrix = self._matrix(X)
        return self.mean_cross_entropy(matrix, encode_known(label_column(X, y), self.labels, len(matrix)))

    def mean_cross_entropy(self, matrix: Any, codes: np.ndarray) -> float:
        """`loss` of rows that have been checked: a finite matrix, and a code a row for the labels."""
        if not (isinstance(matrix, CSR) or (isinstance(matrix, np.ndarray) and matrix.ndim == 2)):
            matrix = self._matrix(matrix)  # of a frame, say
        total, rows = 0.0, -(-COMPILED_FROM // row_values(matrix))
        for start in range(0, len(matrix), rows):  # five numbers a row for all rows would be more than the rows are
            z, y = self.checked_logits(matrix[start : start + rows]), codes[start : start + rows]
            if self.n_outputs > 1:
                total += float(np.sum(vectorized.log_total(z, 0, self.n_outputs) - z[np.arange(len(z)), y]))
            else:
                total += float(np.sum(vectorized.cross_entropy(z, y)))
        return total / len(matrix)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path` as JSON: the whole new file, or, if anything fails, the old one untouched.

        `load(path)` returns the same model, bit for bit. A pipe or a device is written to directly.
        """
        if self.features is not None and len(self.features) != self.n_features:
            raise ValueError(f"{len(self.features)} feature names for {self.n_features} inputs: name each input once")
        common = {
            "labels": self.labels.tolist(),
            "label_dtype": self.labels.dtype.str,
            "features": None if self.features is None else list(self.features),
            "threshold": check_threshold(self.threshold),
            "training": self.training,
        }
        files.write(path, self._fields() | common)

    def _matrix(self, X: Any) -> Any:
        return rows_for(X, self.features, self.n_features, sparse=self._sparse)


def row_values(matrix: Any) -> int:
    """How many values a row has, or on the average stores."""
    return int(matrix.row_values if isinstance(matrix, CSR) else matrix.shape[1])


@dataclass(kw_only=True, eq=False, repr=False)
class Neuron(Model):
    """One neuron: sigmoid(X @ weights + bias).

    Parameters
    ----------
    weights : (n_features,) float64 array
    bias : float
    """

    weights: np.ndarray
    bias: float = 0.0

    _sparse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_outputs > 1:
            raise ValueError(f"a neuron tells two labels apart, not {len(self.labels)}: use a network")
        self.weights = np.array(self.weights, dtype=np.float64, ndmin=1)
        self.bias = float(self.bias)
        if (
            self.weights.ndim != 1
            or not len(self.weights)
            or not (np.isfinite(self.weights).all() and np.isfinite(self.bias))
        ):
            raise ValueError(
                "weights and bias are finite numbers: one weight for each input, of at least one, and a bias"
            )

    def __repr__(self) -> str:
        return f"Neuron({self.n_features} inputs, labels {self.labels.tolist()})"

    @property
    def n_features(self) -> int:
        return len(self.weights)

    def _logits(self, X: np.ndarray, out: np.ndarray) -> None:
        vectorized.logits(X, self.weights, [self.bias], out[:, 0])

    def checked_logits(self, matrix: Any) -> np.ndarray:
        if not isinstance(matrix, CSR):
            return super().checked_logits(matrix)
        out = np.empty(len(matrix))
        engine = ENGINES["fast" if matrix.stored >= COMPILED_FROM else "numpy"]
        weights, bias = np.ascontiguousarray(self.weights), np.array([self.bias])
        engine.kernels.sparse_logits(*matrix.arrays, weights, bias, out)
        return out

    def predict_proba(self, X: Any) -> np.ndarray:
        if type(X) is list:
            probability = self._one_probability(X)
            if probability is not None:
                return np.array([probability])
        elif isinstance(X, np.ndarray) and X.size >= COMPILED_FROM and X.shape[1:] == (self.n_features,):
            probabilities = self._many_probabilities(as_matrix(X))
            if probabilities is not None:
                return probabilities
        return super().predict_proba(X)

    def _one_probability(self, X: list[Any]) -> float | None:
        """The probability of a row given as a list, in plain Python: an array would cost more than the row. None where
        `X` is not one row of as many finite numbers as there are inputs, which is for others to judge."""
        row = X[0] if len(X) == 1 and type(X[0]) is list else X
        if len(row) != self.n_features or (row is X and len(row) == 1 and type(row[0]) is list):
            return None
        z = self.bias
        for x, w in zip(row, self.weights.tolist(), strict=True):
            if type(x) is not float and type(x) is not int:
                return None
            z += x * w
        return reference.sigmoid(z) if -sys.float_info.max <= z <= sys.float_info.max else None

    def _many_probabilities(self, X: np.ndarray) -> np.ndarray | None:
        """The compiled kernel, block by block; None where a sum is not finite, which is for others to judge."""
        from tinynet_fast.kernels.fast import prediction

        engine, out = ENGINES["fast"], np.empty(len(X))
        weights, bias = np.ascontiguousarray(self.weights), np.array([self.bias])
        size = max(COMPILED_FROM // self.n_features, 1)
        for start in range(0, len(X), size):
            part = slice(start, start + size)
            if not prediction.predict_proba(engine.rows(X[part]), weights, bias, out[part]):
                return None
        return out

    def for_raw_inputs(self, mean: np.ndarray, scale: np.ndarray) -> Self:
        """The neuron that gives for x what this one gives for (x - mean) / scale; changes this one."""
        self.weights = self.weights / scale
        self.bias = float(self.bias - self.weights @ mean)
        return self

    def _fields(self) -> dict[str, Any]:
        return {"kind": "neuron", "weights": self.weights.tolist(), "bias": self.bias}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any], common: dict[str, Any]) -> "Neuron":
        return cls(weights=_finite(fields, "weights", 1), bias=float(_finite(fields, "bias", 0)), **common)


@dataclass(kw_only=True, eq=False, repr=False)
class MLP(Model):
    """A network of one or more hidden layers; one sigmoid output, or a softmax of an output for each of more labels.

    Parameters
    ----------
    weights : list of (fan_in, fan_out) float64 arrays
    biases : list of (fan_out,) float64 arrays
    activation : {"sigmoid", "tanh", "relu"}
        What the hidden units do to their sums.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        self.weights, self.biases = check_layers(self.weights, self.biases, self.n_outputs)

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in (self.n_features, *(len(b) for b in self.biases)))
        return f"MLP({sizes}, {self.activation}, labels {self.labels.tolist()})"

    @property
    def n_features(self) -> int:
        return len(self.weights[0])

    @property
    def _layers(self) -> np.ndarray:
        return layer_table([self.n_features, *(len(b) for b in self.biases)], self.activation)

    def _logits(self, X: np.ndarray, out: np.ndarray) -> None:
        layers, params = self._layers, flatten(self.weights, self.biases)
        units = np.empty((2, min(CHUNK, len(X)), int(layers[0, 0] + layers[:, 1].sum())))
        vectorized.network_logits(X, layers, params, units, out)

    def checked_logits(self, matrix: Any) -> np.ndarray:
        if matrix.size < COMPILED_FROM:
            return super().checked_logits(matrix)
        engine, layers, params = ENGINES["fast"], self._layers, flatten(self.weights, self.biases)
        units, out = engine.scratch(layers), np.empty((len(matrix), self.n_outputs))
        rows = max(BLOCK_VALUES // self.n_features, 1)
        for start in range(0, len(matrix), rows):
            part = slice(start, start + rows)
            engine.kernels.network_logits(engine.rows(matrix[part]), layers, params, units, out[part])
        return out if self.n_outputs > 1 else out[:, 0]

    def for_raw_inputs(self, mean: np.ndarray, scale: np.ndarray) -> Self:
        """The network that gives for x what this one gives for (x - mean) / scale; changes this one."""
        self.weights[0] = self.weights[0] / scale[:, np.newaxis]
        self.biases[0] = self.biases[0] - mean @ self.weights[0]
        return self

    def _fields(self) -> dict[str, Any]:
        return {
            "kind": "mlp",
            "activation": self.activation,
            "weights": [w.tolist() for w in self.weights],
            "biases": [b.tolist() for b in self.biases],
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any], common: dict[str, Any]) -> "MLP":
        for name in ("weights", "biases"):
            if not isinstance(fields[name], list) or not fields[name]:
                raise ValueError(f"field {name!r} is not a list of layers")
        return cls(
            weights=[_finite({"weights": w}, "weights", 2) for w in fields["weights"]],
            biases=[_finite({"biases": b}, "biases", 1) for b in fields["biases"]],
            activation=fields["activation"],
            **common,
        )


def load(path: str | os.PathLike[str]) -> Neuron | MLP:
    """The model in the file `path`, as `save` wrote it.

    Raises
    ------
    ModelFileError
        A ValueError that names the file and the place: for a truncated or foreign file, for fields that do not fit,
        and for a file in a newer format, naming the version that wrote it.
    OSError
        If the file is missing or cannot be read.
    """
    fields = files.read(path)
    try:
        kinds: dict[str, type[Neuron] | type[MLP]] = {"neuron": Neuron, "mlp": MLP}
        kind = kinds.get(fields["kind"])
        if kind is None:
            raise ValueError(f"field 'kind' is {fields['kind']!r}, not 'neuron' or 'mlp'")
        model = kind._from_fields(fields, _common_fields(fields))
        if model.features is not None and len(model.features) != model.n_features:
            raise ValueError(f"{len(model.features)} feature names for {model.n_features} inputs")
        return model
    except KeyError as error:
        raise files.ModelFileError(
            f"{path}: not a whole model file: field {files.shortened(error)} is missing"
        ) from None
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise files.ModelFileError(f"{path}: not a valid model file: {files.shortened(error)}") from None


def _common_fields(fields: dict[str, Any]) -> dict[str, Any]:
    features = fields["features"]
    if features is not None and not (isinstance(features, list) and all(isinstance(f, str) for f in features)):
        raise ValueError("field 'features' is not a list of names")
    if not isinstance(fields["training"], dict):
        raise ValueError("field 'training' is not a table of options")
    if holds_no_number(fields["training"]):
        raise ValueError("field 'training' holds NaN or infinity")
    if fields["training"].get(FIRST_INDEX, 1) not in (0, 1):
        raise ValueError(f"field 'training' says {FIRST_INDEX} that is neither 0 nor 1")
    return {
        "labels": _labels(fields["labels"], fields["label_dtype"]),
        "features": features,
        "threshold": check_threshold(fields["threshold"]),
        "training": fields["training"],
    }


def _labels(labels: Any, dtype: Any) -> np.ndarray:
    """Labels of a model's file in the type that they had; ValueError if they do not come back as they stand there."""
    if not isinstance(labels, list) or not isinstance(dtype, str) or not LABEL_TYPE.fullmatch(dtype):
        raise ValueError("field 'labels' does not hold two labels of a known type")
    kind = np.dtype(dtype.partition("U")[0] + "U1" if "U" in dtype else dtype).kind
    if not 2 <= len(labels) <= MOST_IN_FILE or not all(type(label) in KINDS[kind] for label in labels):
        raise ValueError("field 'labels' does not hold two labels of the type in 'label_dtype'")
    if kind == "U" and int(dtype.partition("U")[2]) > max(LONGEST_LABEL, *map(len, labels)):
        raise ValueError("field 'label_dtype' is wider than any label")
    if kind == "U" and 4 * len(labels) * max(map(len, labels)) > MOST_LABEL_BYTES:
        raise ValueError("field 'labels' holds labels that are too long for so many")
    with np.errstate(over="ignore"):  # a label that does not fit is told below
        array = np.array(labels, dtype=dtype)
    if array.tolist() != labels:
        raise ValueError("field 'labels' holds a label that does not fit the type in 'label_dtype'")
    return array


def _finite(fields: dict[str, Any], name: str, ndim: int) -> np.ndarray:
    wrong = ValueError(f"field {name!r} does not hold finite numbers in {ndim} dimensions")
    if not _holds_numbers(fields[name], ndim):  # which NumPy might turn into text, true into 1, and null into NaN
        raise wrong
    array = np.array(fields[name])
    if array.dtype.kind not in "if" or array.ndim != ndim or not np.isfinite(array).all() or array.size == 0:
        raise wrong
    return array.astype(np.float64)


def _holds_numbers(values: Any, ndim: int) -> bool:
    """Whether JSON values are numbers in lists that are nested so deep."""
    if ndim == 0:
        return type(values) in (int, float)
    if ndim == 1:
        return isinstance(values, list) and set(map(type, values)) <= {int, float}
    return isinstance(values, list) and all(_holds_numbers(row, ndim - 1) for row in values)


def holds_no_number(value: Any) -> bool:
    """Whether NaN or infinity stands among JSON values, which could not be saved again."""
    if isinstance(value, dict):
        return any(map(holds_no_number, value.values()))
    if isinstance(value, list):
        return any(map(holds_no_number, value))
    return isinstance(value, float) and not np.isfinite(value)


def _softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z - vectorized.log_total(z, 0, z.shape[1])[:, np.newaxis])


def check_threshold(threshold: Any) -> float:
    """`threshold` as a float; ValueError if it is no probability."""
    number = isinstance(threshold, (int, float, np.number)) and not isinstance(threshold, bool)
    if number and 0.0 <= threshold <= 1.0:
        return float(threshold)
    raise ValueError(f"threshold is {threshold!r}; a probability from 0 to 1 is needed")
