"""A model for other programs: an ONNX graph, or an estimator of scikit-learn's."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.models import files
from tinynet_fast.models.as_sklearn import fitted_estimator
from tinynet_fast.models.onnx_graph import network_graph
from tinynet_fast.rows.messages import listed

if TYPE_CHECKING:
    from tinynet_fast.columns import Columns


class Conversions:
    """What `Model` has for this."""

    if TYPE_CHECKING:  # what `Model` says about itself
        labels: np.ndarray
        features: list[str] | None
        training: dict[str, Any]
        columns: Columns | None

        @property
        def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]: ...

        def limit(self, threshold: float | None) -> float: ...

    def to_onnx(self, path: str | os.PathLike[str] | None = None, *, dtype: Any = "float32") -> Any:
        """Return the model as an `onnx.ModelProto`, and write it to `path` if there is one. Needs `tinynet-fast[onnx]`.

        The graph has the input `X`, (n, n_features). For labels it has two outputs. `label`, (n,), is what `predict`
        gives with the model's `threshold`: int64, float64, bool or strings. `probabilities`, (n, n_labels), are those
        of `label_probabilities`; after loss="hinge" there are `margins` instead, the sums of `decision_function`. For
        numbers the only output is `prediction`, (n,) or (n, n_outputs), what `predict` gives. The graph takes the
        inputs by position. If the inputs have names, these are in its metadata `features`, as JSON.

        Parameters
        ----------
        path : path, optional
            The file is written whole or not at all.
        dtype : {"float32", "float64"}
            The type of `X`, and of `probabilities` or numbers. The graph calculates in float64 in between, so for the
            same input the probabilities are those of `predict_proba`, rounded to this type: to 1e-7 or 1e-14.

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
        `sklearn.neural_network`) for a network; for numbers an `SGDRegressor` or, for a network, for several numbers
        and after loss="poisson", an `MLPRegressor`. Its `partial_fit` takes plain steps at the learning rate that this
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
