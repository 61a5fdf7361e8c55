"""A model as a fitted estimator of scikit-learn's own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

NAMES = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "identity": "identity"}  # ours: theirs
USUAL_RATE = 0.01

Layer = tuple[np.ndarray, np.ndarray, str]  # weights, biases, and what the units do to their sums


def fitted_estimator(
    layers: Sequence[Layer], labels: np.ndarray, threshold: float, features: list[str] | None, training: dict[str, Any]
) -> Any:
    """Return an `SGDClassifier` for one layer, or an `MLPClassifier`, that predicts as these layers do.

    If there are two labels and the threshold is not 0.5, it is inside a `FixedThresholdClassifier`.
    """
    try:
        from sklearn.frozen import FrozenEstimator  # here, because scikit-learn is optional and takes a second
        from sklearn.model_selection import FixedThresholdClassifier
    except ImportError as error:
        raise ImportError("to_sklearn needs scikit-learn 1.8 or newer: pip install 'tinynet-fast[sklearn]'") from error
    if labels.dtype.kind == "f" and (labels % 1.0 != 0.0).any():
        raise ValueError(f"scikit-learn takes the labels {labels.tolist()} for measurements: set model.labels to texts")
    layers, classes = _sorted(layers, labels)
    rate = training.get("learning_rate")
    rate = float(rate) if isinstance(rate, (int, float)) and rate > 0 else USUAL_RATE
    model = (
        _linear(layers[0], classes, rate) if len(classes) == 2 and len(layers) == 1 else _network(layers, classes, rate)
    )
    if features is not None:
        model.feature_names_in_ = np.array(features, dtype=object)
    if threshold == 0.5 or len(classes) > 2:
        return model
    second = labels[1].item()
    whole = FixedThresholdClassifier(
        FrozenEstimator(model), threshold=threshold, pos_label=second, response_method="predict_proba"
    )
    return whole.fit(np.zeros((2, len(layers[0][0]))), classes)  # trains nothing: the estimator is frozen


def _sorted(layers: Sequence[Layer], labels: np.ndarray) -> tuple[list[Layer], np.ndarray]:
    """The layers, with outputs in the order of the sorted labels, as scikit-learn needs them; and the sorted labels."""
    order = np.argsort(labels)
    weights, biases, activation = layers[-1]
    if len(labels) > 2:
        weights, biases = weights[:, order], biases[order]
    elif order[0] == 1:
        weights, biases = -weights, -biases
    return [*layers[:-1], (weights, biases, activation)], labels[order]


def _linear(layer: Layer, classes: np.ndarray, rate: float) -> Any:
    from sklearn.linear_model import SGDClassifier  # here, as above

    weights, biases, _ = layer
    model = SGDClassifier("log_loss", penalty=None, learning_rate="constant", eta0=rate)
    model.coef_, model.intercept_ = weights.T.copy(), biases.copy()
    model.classes_, model.n_features_in_, model.n_iter_, model.t_ = classes, len(weights), 1, 1.0
    return model


def _network(layers: Sequence[Layer], classes: np.ndarray, rate: float) -> Any:
    from sklearn.neural_network import MLPClassifier  # here, as above

    activation = layers[0][2] if len(layers) > 1 else "relu"  # without a hidden layer it does not matter
    if activation not in NAMES:
        raise ValueError(
            f"scikit-learn has no activation {activation!r}: train with one of {', '.join(NAMES)}, or use to_onnx"
        )
    model = MLPClassifier(
        tuple(len(biases) for _, biases, _ in layers[:-1]),
        activation=NAMES[activation],
        solver="sgd",
        alpha=0.0,
        learning_rate_init=rate,
        momentum=0.0,
        random_state=0,
    )
    # One step on a row of zeros lets scikit-learn make all that a fitted network has. The weights are replaced.
    model.partial_fit(np.zeros((1, len(layers[0][0]))), classes[:1], classes=classes)
    model.coefs_ = [weights.copy() for weights, _, _ in layers]
    model.intercepts_ = [biases.copy() for _, biases, _ in layers]
    model.t_, model.loss_curve_, model.loss_, model.best_loss_ = 0, [], np.inf, np.inf
    return model
