"""What a neuron and a network share: labels or numbers, names, prediction in blocks, scores, saving."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from tinynet_fast.columns import Columns, Target
from tinynet_fast.kernels.engines import PORTABLE
from tinynet_fast.models import files, outputs
from tinynet_fast.models.conversions import Conversions
from tinynet_fast.models.fields import check_threshold
from tinynet_fast.models.threads import by_threads
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.blocks import slices
from tinynet_fast.rows.files import first_repeated
from tinynet_fast.rows.frames import label_column, number_columns, rows_for
from tinynet_fast.rows.labels import as_labels
from tinynet_fast.rows.messages import listed
from tinynet_fast.rows.numbers import read_numbers
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.tables import table_of
from tinynet_fast.rows.values import is_finite

COMPILED_FROM = 1 << 18  # values in X from which on the compiled kernel predicts; fewer do not repay importing Numba
BLOCK_VALUES = 1 << 17  # values predicted at a time: 1 MB of float64, which stays in the second cache


@dataclass(kw_only=True, eq=False)
class Model(Conversions):
    """What a neuron and a network have in common.

    Attributes
    ----------
    labels : (2,) array, or (n_labels,) for more than two; empty if numbers are predicted
        The labels, as they were given in training. If there are two, the probability of the second is predicted.
    output : {"sigmoid", "softmax", "one_vs_rest", "margin", "linear", "exp"}
        What the outputs are. Of labels: the sigmoid of one sum; the softmax of a sum for each label; for each label the
        sigmoid of its own sum; or sums whose signs decide, which are no probabilities (loss="hinge"). Of numbers: the
        sum itself, or exp of it (loss="poisson"). If it is left out: "sigmoid" for two labels, "softmax" for more.
    targets : list of str, or None
        The names of the numbers that are predicted, if there are several.
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
    output: str = ""
    targets: list[str] | None = None

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
        """One for two labels or for one number; otherwise one for each label or number."""
        return self._n_numbers if self.numbers else 1 if len(self.labels) == 2 else len(self.labels)

    @property
    def numbers(self) -> bool:
        """Whether numbers are predicted, and not labels."""
        return self.output in outputs.NUMBERS

    @property
    def _n_numbers(self) -> int:
        """How many numbers are predicted for a row."""
        raise NotImplementedError

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
        numbers = self.numbers
        self.labels = np.empty(0) if numbers else np.array(self.labels)
        self.output = outputs.check_output(self.output, len(self.labels))
        if self.labels.dtype.kind not in "biufU":
            self.labels = as_labels(self.labels, "labels")
        if self.features is not None:
            self.features = list(map(str, self.features))
        few = len(self.labels) < 2 and not numbers
        if self.labels.ndim != 1 or few or len(set(self.labels.tolist())) < len(self.labels):
            raise ValueError(f"labels are {self.labels.tolist()!r}; two different ones are needed")
        if self.labels.dtype.kind == "f" and not is_finite(self.labels):
            raise ValueError(f"labels are {self.labels.tolist()!r}; finite ones are needed")
        if self.features is not None and len(set(self.features)) < len(self.features):
            raise ValueError(f"the feature {first_repeated(self.features)!r} is named twice")
        if self.columns is not None and self.features != self.columns.inputs:
            raise ValueError("the features are not the inputs that the columns make")

    @classmethod
    def trained(cls, **fields: Any) -> Self:
        """For trainers: a model whose fields were made and checked there. They are kept as they are."""
        model = object.__new__(cls)
        vars(model).update(threshold=0.5, columns=None, target=None, **fields)
        return model

    @property
    def is_portable(self) -> bool:
        """Whether engine="portable" trained the model: then it predicts the same bits on every machine, too."""
        return self.training.get("engine") == PORTABLE.name

    def decision_function(self, X: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """The last unit's sum for each row, before the sigmoid. For more than two labels, or several numbers: a sum for
        each of them.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            Columns with names are matched with `features`, in any order; other columns are ignored. One row may be
            given as a 1-D list of `n_features` numbers, a dict, a named tuple, or a pandas Series whose index has the
            names. If the model has one input, a 1-D list holds one number for each row. A neuron also takes a SciPy
            sparse matrix or array, and then only looks at the values that are stored.
        n_jobs : int, optional
            How many threads predict, None for one and -1 for one on each core; never more than there are cores. The
            sums are the same bits. Few rows, and sparse ones, are predicted by one thread.

        Returns
        -------
        (n,) float64 array, or (n, n_outputs)

        Raises
        ------
        ValueError
            For NaN, infinity, ragged rows, a missing column, or a number of columns that differs from the number of
            inputs. The message names the place.
        """
        return by_threads(self, lambda part: self.checked_logits(self._matrix(part)), X, n_jobs, self._block_rows)

    @property
    def _block_rows(self) -> int:
        """How many rows are predicted at a time."""
        return max(BLOCK_VALUES // self.n_features, 1)

    def checked_logits(self, matrix: Any) -> np.ndarray:
        """`decision_function` for rows that were checked before: a finite matrix of the right width, or a CSR."""
        out = np.empty((len(matrix), self.n_outputs))
        parts = slices(len(matrix), self._block_rows)
        self._logits(((matrix[part], out[part]) for part in parts), len(matrix))
        return out if self.n_outputs > 1 else out[:, 0]

    def predict_proba(self, X: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """The probability of the second label for each row: sigmoid(decision_function(X)), (n,) float64.

        For more than two labels: the probability of each label, (n, n_labels): softmax(decision_function(X)), or, one
        against the rest, each label's sigmoid divided by the sum of all. `X` and `n_jobs` are as for
        `decision_function`.

        Raises
        ------
        ValueError
            As `decision_function`, and if the model has no probabilities: it predicts numbers, or was trained with
            loss="hinge".

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0).predict_proba([2.5])
        array([0.5])
        """
        self._check_probabilities()
        return by_threads(self, self._probabilities, X, n_jobs, self._block_rows)

    def _probabilities(self, X: Any) -> np.ndarray:
        """`predict_proba`, by one thread."""
        z = self.decision_function(X)
        for part in slices(len(z), BLOCK_VALUES // self.n_outputs):
            z[part] = outputs.probabilities(z[part], self.output, self.is_portable)
        return z

    def _check_probabilities(self) -> None:
        """ValueError if the model has no probabilities."""
        if self.numbers:
            raise ValueError("the model predicts numbers, which have no probabilities: use predict")
        if self.output == outputs.MARGIN:
            raise ValueError(
                "the model was trained with loss='hinge', whose sums are no probabilities: use predict or "
                "decision_function, or train with loss='log_loss'"
            )

    def label_probabilities(self, X: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """The probability of each label for each row: (n, n_labels) float64, for two labels as well."""
        p = self.predict_proba(X, n_jobs=n_jobs)
        return np.column_stack([1.0 - p, p]) if p.ndim == 1 else p

    def predict(self, X: Any, threshold: float | None = None, *, n_jobs: int | None = None) -> np.ndarray:
        """The label of each row: the second of two labels if its probability is at least `threshold`.

        With more than two labels it is the most probable label, and there is no threshold. Labels have the type that
        they had in training. A model of numbers returns these: (n,) float64, or (n, n_outputs) for several.

        Parameters
        ----------
        X : (n, n_features) list of rows, array or frame
            As for `decision_function`.
        threshold : float, optional
            From 0 to 1. The default is the model's own `threshold`, which is 0.5 unless set.
        n_jobs : int, optional
            As for `decision_function`.

        Examples
        --------
        >>> from tinynet_fast import Neuron
        >>> Neuron(weights=[2.0], bias=-5.0).predict([1, 2.5, 4])
        array([0, 1, 1])
        """
        limit = self.limit(threshold)
        if self.numbers:
            return outputs.numbers(self.decision_function(X, n_jobs=n_jobs), self.output, self.is_portable)
        if self.output == outputs.MARGIN:
            return self.labels[self._places(self.decision_function(X, n_jobs=n_jobs))]
        probabilities = self.predict_proba(X, n_jobs=n_jobs)
        if self.n_outputs > 1:
            return self.labels[probabilities.argmax(axis=1)]
        return self.labels[(probabilities >= limit).astype(np.intp)]

    def _places(self, z: np.ndarray) -> np.ndarray:
        """The place of each row's label in `labels`, from the sums; with the model's own threshold."""
        if z.ndim == 2:
            return z.argmax(axis=1)
        margin = self.output == outputs.MARGIN
        passes = z >= 0.0 if margin else outputs.probabilities(z, self.output, self.is_portable) >= self.threshold
        return np.asarray(passes, dtype=np.intp)

    def limit(self, threshold: float | None) -> float:
        """Return `threshold`, or the model's own if it is None; ValueError if it is none for this model."""
        if threshold is not None and (self.n_outputs > 1 or self.numbers or self.output == outputs.MARGIN):
            what = "predicts numbers" if self.numbers else f"knows {len(self.labels)}"
            what = "has no probabilities" if self.output == outputs.MARGIN else what
            raise ValueError(f"a threshold is for two labels; this model {what}: leave it out")
        return check_threshold(self.threshold if threshold is None else threshold)

    def score(self, X: Any, y: Any) -> float:
        """The share of rows whose label is predicted correctly. `y` may name a column of `X`.

        For numbers it is R squared: 1 less the part of their variance that is left in the errors; for several numbers
        the mean of theirs.
        """
        z = self.decision_function(X)
        if self.numbers:
            return outputs.r_squared(outputs.numbers(z, self.output), self.true_numbers(X, y, len(z)))
        return float(np.mean(self._places(z) == self.codes(X, y, len(z))))

    def loss(self, X: Any, y: Any) -> float:
        """The mean cross-entropy (log loss) of the rows, in nats a row. `y` may name a column of `X`.

        For numbers it is the mean of the loss that the model was trained by, or the mean squared error if that is not
        known; for several numbers, the sum of theirs. After loss="hinge" it is the mean of that.
        """
        matrix = self._matrix(X)
        return self.mean_loss(matrix, (self.true_numbers if self.numbers else self.codes)(X, y, len(matrix)))

    def true_numbers(self, X: Any, y: Any, n_rows: int) -> np.ndarray:
        """The number of each row, (n_rows,), or (n_rows, n_outputs). `y` may name a column of `X`, or several.

        If the model was trained on a table, `y` may be None for the column that was learned.
        """
        if self.columns is not None and (y is None or isinstance(y, str)):
            y = self.true_labels(X, y)
        return read_numbers(number_columns(X, y), n_rows, self.n_outputs)

    def codes(self, X: Any, y: Any, n_rows: int) -> np.ndarray:
        """For each row the place of its label in `labels`: (n_rows,) int. `y` may name a column of `X`.

        If the model was trained on a table, `y` may also be a condition, as in training, and may be None for the column
        or the condition that was learned.
        """
        if self.columns is None or not (y is None or isinstance(y, str)):
            return encode_known(label_column(X, y), self.labels, n_rows)
        return encode_known(self.true_labels(X, y), self.labels, n_rows)

    def true_labels(self, X: Any, y: str | None = None) -> np.ndarray:
        """The labels or numbers of a table's rows, as they were in training; ValueError if one is missing."""
        table = table_of(X)
        if table is None or self.columns is None:
            what = "numbers" if self.numbers else "labels"
            raise ValueError(f"X is a {type(X).__name__} without named columns: pass the {what} as y")
        target = self.target_of(y, table.names, table.place)
        values, gone = target.values(table, self.columns.reading(table, target.name))
        if gone.any():
            place = table.cell(int(np.argmax(gone)), target.name)
            raise ValueError(f"{place}: the {target.what} is missing: leave the row out")
        return values

    def mean_loss(self, matrix: Any, y: np.ndarray) -> float:
        """`loss` for rows that were checked before: a finite matrix, and for each row the index of its label, or its
        number."""
        if not (isinstance(matrix, CSR) or (isinstance(matrix, np.ndarray) and matrix.ndim == 2)):
            matrix = self._matrix(matrix)  # a frame, for example
        row_values = int(matrix.row_values if isinstance(matrix, CSR) else matrix.shape[1])
        total, loss = 0.0, outputs.loss_in(self.training, self.output)
        for part in slices(len(matrix), -(-COMPILED_FROM // row_values)):  # temporary arrays stay small
            total += outputs.sum_of_losses(self.checked_logits(matrix[part]), y[part], self.output, loss)
        return total / len(matrix)

    def target_of(self, y: str | None, columns: list[str], place: str = "X") -> Target:
        """The column of labels or numbers, or the condition on one, that `y` names. None is what was learned."""
        if self.target is not None and y in (None, self.target.name, self.target.words):
            return self.target
        if y is None:
            what = "number" if self.numbers else "label"
            raise ValueError(f"the model does not know which column it learned: name the column of {what}s")
        return Target.of(y, columns, place=place, numbers=self.numbers)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path` as JSON. If anything fails, the old file stays as it was.

        `load(path)` returns the same model, bit for bit. A pipe or a device is written to directly.
        """
        if self.features is not None and len(self.features) != self.n_features:
            raise ValueError(f"{len(self.features)} feature names for {self.n_features} inputs: name each input once")
        common: dict[str, Any] = {
            "labels": self.labels.tolist(),
            "label_dtype": self.labels.dtype.str,
            "features": None if self.features is None else list(self.features),
            "threshold": check_threshold(self.threshold),
            "training": self.training,
        }
        if self.output != outputs.check_output("", len(self.labels)):
            common |= {"output": self.output, "targets": self.targets}
        if self.columns is not None:
            common |= {"table": self.columns.to_json(), "target": self.target and self.target.to_json()}
        files.write(path, self._fields() | common)

    def _matrix(self, X: Any) -> Any:
        if isinstance(X, (str, os.PathLike)):
            raise ValueError(
                f"X is {str(X)!r}, a path, but models read rows in memory: for files use evaluate(model, path) or "
                "tinynet_fast.scoring.predict_file(model, path, output)"
            )
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


def check_model(model: Any) -> None:
    """ValueError if `model` is none, such as the path of one."""
    if not isinstance(model, Model):
        raise ValueError(
            f"model is a {type(model).__name__}; a Neuron or an MLP is needed (tinynet_fast.load reads one)"
        )
