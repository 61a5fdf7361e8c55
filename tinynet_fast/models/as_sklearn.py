"""A model as a fitted estimator of scikit-learn's own."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.models.outputs import EXP, LINEAR, MARGIN, NUMBERS, SIGMOID, SOFTMAX

NAMES = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "identity": "identity"}  # ours: theirs
USUAL_RATE = 0.01

Layer = tuple[np.ndarray, np.ndarray, str]  # weights, biases, and what the units do to their sums


def fitted_estimator(
    layers: Sequence[Layer], labels: np.ndarray, threshold: float, features: list[str] | None, training: dict[str, Any]
) -> Any:
    """Return an `SGDClassifier` for one layer, or an `MLPClassifier`, that predicts as these layers do.

    It is a regressor of the same kind if the last layer gives numbers. The last layer's activation is the model's
    `output`. If there are two labels and the threshold is not 0.5, it is inside a `FixedThresholdClassifier`.
    """
    try:
        from sklearn.frozen import FrozenEstimator  # here, because scikit-learn is optional and takes a second
        from sklearn.model_selection import FixedThresholdClassifier
    except ImportError as error:
        raise ImportError("to_sklearn needs scikit-learn 1.8 or newer: pip install 'tinynet-fast[sklearn]'") from error
    if labels.dtype.kind == "f" and (labels % 1.0 != 0.0).any():
        raise ValueError(f"scikit-learn takes the labels {labels.tolist()} for measurements: set model.labels to texts")
    rate = training.get("learning_rate")
    rate = float(rate) if isinstance(rate, (int, float)) and rate > 0 else USUAL_RATE
    output = layers[-1][2]
    if output in NUMBERS:
        one = len(layers) == 1 and output == LINEAR and len(layers[0][1]) == 1
        model = _linear_numbers(layers[0], rate) if one else _network_of_numbers(layers, rate)
        classes = labels
    else:
        layers, classes = _sorted(layers, labels)
        linear = len(layers) == 1 and output != SOFTMAX
        model = _linear(layers[0], classes, rate) if linear else _network(layers, classes, rate)
    if features is not None:
        model.feature_names_in_ = np.array(features, dtype=object)
    if threshold == 0.5 or output != SIGMOID:
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

    weights, biases, output = layer
    loss = "hinge" if output == MARGIN else "log_loss"
    model = SGDClassifier(loss, penalty=None, learning_rate="constant", eta0=rate)
    model.coef_, model.intercept_ = weights.T.copy(), biases.copy()
    model.classes_, model.n_features_in_, model.n_iter_, model.t_ = classes, len(weights), 1, 1.0
    return model


def _linear_numbers(layer: Layer, rate: float) -> Any:
    from sklearn.linear_model import SGDRegressor  # here, as above

    weights, biases, _ = layer
    model = SGDRegressor(penalty=None, learning_rate="constant", eta0=rate)
    model.coef_, model.intercept_ = weights[:, 0].copy(), biases.copy()
    model.n_features_in_, model.n_iter_, model.t_ = len(weights), 1, 1.0
    return model


def _network(layers: Sequence[Layer], classes: np.ndarray, rate: float) -> Any:
    from sklearn.neural_network import MLPClassifier  # here, as above

    if layers[-1][2] == MARGIN:
        raise ValueError("scikit-learn has no network that learns by loss='hinge': use to_onnx, or another loss")
    return _with_layers(MLPClassifier, layers, rate, classes[:1], classes=classes)


def _network_of_numbers(layers: Sequence[Layer], rate: float) -> Any:
    from sklearn.neural_network import MLPRegressor  # here, as above

    outputs = len(layers[-1][1])
    loss = "poisson" if layers[-1][2] == EXP else "squared_error"
    return _with_layers(partial(MLPRegressor, loss), layers, rate, np.ones((1, outputs) if outputs > 1 else 1))


def _with_layers(kind: Any, layers: Sequence[Layer], rate: float, first: np.ndarray, **known: Any) -> Any:
    """A network of scikit-learn's with these layers. It has trained on one row, for which `first` is what is true."""
    activation = layers[0][2] if len(layers) > 1 else "relu"  # without a hidden layer it does not matter
    if activation not in NAMES:
        raise ValueError(
            f"scikit-learn has no activation {activation!r}: train with one of {', '.join(NAMES)}, or use to_onnx"
        )
    model = kind(
        tuple(len(biases) for _, biases, _ in layers[:-1]),
        activation=NAMES[activation],
        solver="sgd",
        alpha=0.0,
        learning_rate_init=rate,
        momentum=0.0,
        random_state=0,
    )
    # One step on a row of zeros lets scikit-learn make all that a fitted network has. The weights are replaced.
    model.partial_fit(np.zeros((1, len(layers[0][0]))), first, **known)
    model.coefs_ = [weights.copy() for weights, _, _ in layers]
    model.intercepts_ = [biases.copy() for _, biases, _ in layers]
    model.t_, model.loss_curve_, model.loss_, model.best_loss_ = 0, [], np.inf, np.inf
    return model
