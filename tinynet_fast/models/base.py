"""What a neuron and a network share: labels, names, prediction in blocks, scores, saving."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tinynet_fast.columns import Columns, Target
from tinynet_fast.kernels import vectorized
from tinynet_fast.models import files
from tinynet_fast.models.as_sklearn import fitted_estimator
from tinynet_fast.models.fields import check_threshold
from tinynet_fast.models.onnx_graph import network_graph
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.blocks import slices
from tinynet_fast.rows.files import first_repeated
from tinynet_fast.rows.frames import label_column, rows_for
from tinynet_fast.rows.labels import as_labels
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.tables import table_of

COMPILED_FROM = 1 << 18  # values in X from which on the compiled kernel predicts; fewer do not repay importing Numba
BLOCK_VALUES = 1 << 17  # values predicted at a time: 1 MB of float64, which stays in the second cache


@dataclass(kw_only=True, eq=False)
class Model:
    """What a neuron and a network have in common.

    Attributes
    ----------
    labels : (2,) array, or (n_classes,) for a network of more than two classes
        The labels, as they were given in training. If there are two, the probability of the second is predicted.
    features : list of str, or None
        The names of the inputs, in order.
    threshold : float
        `predict` returns the second of two labels if its probability is at least this.
    training : dict
        How the model was trained: options and outcome, as plain JSON values.
    columns : Columns, or None
        How the inputs are made from the columns of a person's table. If a model has it, rows are tables: frames, rows
        with names, or files in `scoring`. `features` then names the inputs that are made from them.
    target : Target, or None
        What was learned: a column, or a condition on one.
    """

    labels: np.ndarray = field(default_factory=lambda: np.array([0, 1]))
    features: list[str] | None = None
    threshold: float = 0.5
    training: dict[str, Any] = field(default_factory=dict)
    columns: Columns | None = None
    target: Target | None = None

    _sparse: ClassVar[bool] = False  # whether the model reads SciPy's sparse rows without making them dense

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        raise NotImplementedError

    @property
    def read_columns(self) -> list[str] | None:
        """The names of the columns that rows need: of the person's table, or of the inputs; None if there are none."""
        return self.features if self.columns is None else self.columns.names

    @property
    def n_read(self) -> int:
        """The number of columns that rows need."""
        return self.n_features if self.columns is None else len(self.columns.kinds)

    @property
    def n_outputs(self) -> int:
        """One for two labels; otherwise one for each label."""
        return 1 if len(self.labels) == 2 else len(self.labels)

    def _logits(self, blocks: Iterator[tuple[np.ndarray, np.ndarray]], n_rows: int) -> None:
        """Fill `out` of each block (X, out) with the outputs' sums. All blocks together have `n_rows` rows."""
        raise NotImplementedError

    @property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        """The layers: (fan_in, fan_out) weights, (fan_out,) biases, and what the units do to their sums."""
        raise NotImplementedError

    def _fields(self) -> dict[str, Any]:
        """What a model file holds besides the fields that every model has."""
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
        if self.columns is not None and self.features != self.columns.inputs:
            raise ValueError("the features are not the inputs that the columns make")

    def decision_function(self, X: Any) -> np.ndarray:
        """The last unit's sum for each row, before the sigmoid. For more than two classes: a sum for each class.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            Columns with names are matched with `features`, in any order; other columns are ignored. One row may be
            given as a 1-D list of `n_features` numbers, a dict, a named tuple, or a pandas Series whose index has the
            names. If the model has one input, a 1-D list holds one number for each row. A neuron also takes a SciPy
            sparse matrix or array, and then only looks at the values that are stored.

        Returns
        -------
        (n,) float64 array, or (n, n_classes) for more than two

        Raises
        ------
        ValueError
            For NaN, infinity, ragged rows, a missing column, or a number of columns that differs from the number of
            inputs. The message names the place.
        """
        return self.checked_logits(self._matrix(X))

    def checked_logits(self, matrix: Any) -> np.ndarray:
        """`decision_function` for rows that were checked before: a finite matrix of the right width, or a CSR."""
        out = np.empty((len(matrix), self.n_outputs))
        parts = slices(len(matrix), BLOCK_VALUES // self.n_features)
        self._logits(((matrix[part], out[part]) for part in parts), len(matrix))
        return out if self.n_outputs > 1 else out[:, 0]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of the second label for each row: sigmoid(decision_function(X)), (n,) float64.

        For more than two classes: the probability of each label, (n, n_classes), softmax(decision_function(X)).

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0).predict_proba([2.5])
        array([0.5])
        """
        z = self.decision_function(X)
        for part in slices(len(z), BLOCK_VALUES // self.n_outputs):
            z[part] = vectorized.sigmoid(z[part]) if z.ndim == 1 else _softmax(z[part])
        return z

    def label_probabilities(self, X: Any) -> np.ndarray:
        """The probability of each label for each row: (n, n_labels) float64, for two labels as well."""
        p = self.predict_proba(X)
        return np.column_stack([1.0 - p, p]) if p.ndim == 1 else p

    def predict(self, X: Any, threshold: float | None = None) -> np.ndarray:
        """The label of each row: the second of two labels if its probability is at least `threshold`.

        With more than two labels it is the most probable label, and there is no threshold. Labels have the type that
        they had in training.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            As for `decision_function`.
        threshold : float, optional
            From 0 to 1. The default is the model's own `threshold`, which is 0.5 unless set.

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0).predict([1, 2.5, 4])
        array([0, 1, 1])
        """
        limit = self.limit(threshold)
        probabilities = self.predict_proba(X)
        if self.n_outputs > 1:
            return self.labels[probabilities.argmax(axis=1)]
        return self.labels[(probabilities >= limit).astype(np.intp)]

    def limit(self, threshold: float | None) -> float:
        """Return `threshold`, or the model's own if it is None; ValueError if it is none for this model."""
        if threshold is not None and self.n_outputs > 1:
            raise ValueError(f"a threshold is for two labels; this model knows {len(self.labels)}: leave it out")
        return check_threshold(self.threshold if threshold is None else threshold)

    def score(self, X: Any, y: Any) -> float:
        """The share of rows whose label is predicted correctly. `y` may name a column of `X`."""
        z = self.decision_function(X)
        codes = self.codes(X, y, len(z))
        predicted = z.argmax(axis=1) if self.n_outputs > 1 else vectorized.sigmoid(z) >= self.threshold
        return float(np.mean(predicted == codes))

    def loss(self, X: Any, y: Any) -> float:
        """The mean cross-entropy (log loss) of the rows, in nats a row. `y` may name a column of `X`."""
        matrix = self._matrix(X)
        return self.mean_cross_entropy(matrix, self.codes(X, y, len(matrix)))

    def codes(self, X: Any, y: Any, n_rows: int) -> np.ndarray:
        """For each row the place of its label in `labels`: (n_rows,) int. `y` may name a column of `X`.

        If the model was trained on a table, `y` may also be a condition, as in training, and may be None for the column
        or the condition that was learned.
        """
        if self.columns is None or not (y is None or isinstance(y, str)):
            return encode_known(label_column(X, y), self.labels, n_rows)
        return encode_known(self.true_labels(X, y), self.labels, n_rows)

    def true_labels(self, X: Any, y: str | None = None) -> np.ndarray:
        """The labels of a table's rows, as they were in training; ValueError if one is missing."""
        table = table_of(X)
        if table is None or self.columns is None:
            raise ValueError(f"X is a {type(X).__name__} without named columns: pass the labels as y")
        target = self.target_of(y, table.names, table.place)
        labels, gone = target.labels(table, self.columns.reading(table, target.name))
        if gone.any():
            raise ValueError(
                f"{table.cell(int(np.argmax(gone)), target.name)}: the label is missing: leave the row out"
            )
        return labels

    def mean_cross_entropy(self, matrix: Any, codes: np.ndarray) -> float:
        """`loss` for rows that were checked before: a finite matrix, and for each row the index of its label."""
        if not (isinstance(matrix, CSR) or (isinstance(matrix, np.ndarray) and matrix.ndim == 2)):
            matrix = self._matrix(matrix)  # a frame, for example
        row_values = int(matrix.row_values if isinstance(matrix, CSR) else matrix.shape[1])
        total = 0.0
        for part in slices(len(matrix), -(-COMPILED_FROM // row_values)):  # temporary arrays stay small
            z, y = self.checked_logits(matrix[part]), codes[part]
            if self.n_outputs > 1:
                total += float(np.sum(vectorized.log_total(z, 0, self.n_outputs) - z[np.arange(len(z)), y]))
            else:
                total += float(np.sum(vectorized.cross_entropy(z, y)))
        return total / len(matrix)

    def target_of(self, y: str | None, columns: list[str], place: str = "X") -> Target:
        """The column of labels, or the condition on one, that `y` names. None is what was learned."""
        if self.target is not None and y in (None, self.target.name, self.target.words):
            return self.target
        if y is None:
            raise ValueError("the model does not know which column it learned: name the column of labels")
        return Target.of(y, columns, place=place)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path` as JSON. If anything fails, the old file stays as it was.

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
        if self.columns is not None:
            common |= {"table": self.columns.to_json(), "target": self.target and self.target.to_json()}
        files.write(path, self._fields() | common)

    def to_onnx(self, path: str | os.PathLike[str] | None = None, *, dtype: Any = "float32") -> Any:
        """Return the model as an `onnx.ModelProto`, and write it to `path` if there is one. Needs `tinynet-fast[onnx]`.

        The graph has the input `X`, (n, n_features), and two outputs. `label`, (n,), is what `predict` gives with the
        model's `threshold`: int64, float64, bool or strings. `probabilities`, (n, n_labels), are those of
        `label_probabilities`. The graph takes the inputs by position. If the inputs have names, these are in its
        metadata `features`, as JSON.

        Parameters
        ----------
        path : path, optional
            The file is written whole or not at all.
        dtype : {"float32", "float64"}
            The type of `X` and of `probabilities`. The graph calculates in float64 in between, so for the same input
            the probabilities are those of `predict_proba`, rounded to this type: to 1e-7 or 1e-14.

        Raises
        ------
        ImportError
            If the package onnx is not installed.
        ValueError
            If the model reads columns of texts or with missing values, because the graph cannot read those. The message
            says how to convert the rest of the model.

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> graph = Neuron(weights=[2.0], bias=-5.0).to_onnx().graph
        >>> [output.name for output in graph.output]
        ['label', 'probabilities']
        """
        self._check_reads_numbers("an ONNX graph")
        model = network_graph(self._layers, self.labels, self.limit(None), self.features, dtype)
        if path is not None:
            with files.atomic_file(path, "wb") as file:
                file.write(model.SerializeToString())
        return model

    def to_sklearn(self) -> Any:
        """Return a fitted scikit-learn estimator that predicts as this model does. Needs `tinynet-fast[sklearn]`.

        It is an `SGDClassifier` (of `sklearn.linear_model`) for a neuron, and an `MLPClassifier` (of
        `sklearn.neural_network`) for a network. Its `partial_fit` takes plain steps at the learning rate that this
        model was trained with, or at 0.01 if that is not known. If the threshold is not 0.5, the estimator is inside a
        `FixedThresholdClassifier`. If the inputs have names, they are its `feature_names_in_`.

        The probabilities of both agree to 1e-12. For a row whose probability is 0.5 exactly, `predict` gives the second
        label here and the first in scikit-learn.

        Raises
        ------
        ImportError
            If scikit-learn is not installed.
        ValueError
            If the model reads columns of texts or with missing values, if scikit-learn does not have the activation, or
            if scikit-learn would take the labels for measurements.

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0, labels=["no", "yes"]).to_sklearn().predict([[1.0], [4.0]])
        array(['no', 'yes'], dtype='<U3')
        """
        self._check_reads_numbers("a scikit-learn estimator")
        return fitted_estimator(self._layers, self.labels, self.limit(None), self.features, self.training)

    def _check_reads_numbers(self, what: str) -> None:
        """ValueError if the columns of rows must be encoded before they are the model's inputs."""
        if self.columns is not None and not self.columns.plain:
            others = [kind.name for kind in self.columns.kinds if kind.kind != "numbers" or kind.width > 1]
            raise ValueError(
                f"{what} reads numbers, but this model reads texts or missing values in {listed(others)}. Convert the "
                "model of the encoded inputs, dataclasses.replace(model, columns=None), and encode rows with "
                "model.columns.encode_rows(rows)"
            )

    def _matrix(self, X: Any) -> Any:
        numbers = isinstance(X, np.ndarray) and X.dtype.names is None
        encoded = None if self.columns is None or numbers else self.columns.encode_rows(X)
        if encoded is not None:
            return encoded
        if self.columns is not None and not self.columns.plain and not numbers:
            raise ValueError(
                f"X is a {type(X).__name__} without names, and the model reads the columns "
                f"{listed(self.columns.names)}: pass a frame, or a dict for one row"
            )
        return rows_for(X, self.features, self.n_features, sparse=self._sparse)


def _softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z - vectorized.log_total(z, 0, z.shape[1])[:, np.newaxis])
