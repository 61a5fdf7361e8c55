"""A network's layers: as lists of weights and biases, as the kernels' table and flat parameters, and their checks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.kernels import reference
from tinynet_fast.rows.values import is_finite

ACTIVATIONS = reference.ACTIVATIONS


def check_activation(activation: Any) -> int:
    """Return the kernels' code of an activation; ValueError if there is none with this name."""
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(f"there is no activation {activation!r}: use one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation]


def layer_table(sizes: Sequence[int], activation: str, output: str = "") -> np.ndarray:
    """The kernels' table of layers, (n_layers, 3) int64: inputs, outputs, activation.

    `output` says what the last layer is, by a name of `OUTPUT_ACTIVATIONS`. If it is left out: a sigmoid, or a softmax
    if there is more than one output.
    """
    last = reference.OUTPUT_ACTIVATIONS[output or ("sigmoid" if sizes[-1] == 1 else "softmax")]
    codes = [check_activation(activation)] * (len(sizes) - 2) + [last]
    return np.array(list(zip(sizes[:-1], sizes[1:], codes, strict=True)), dtype=np.int64)


def flatten(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> np.ndarray:
    """The kernels' flat parameters: for each layer the weights, input by input, then the biases."""
    return np.concatenate([part for layer in zip(weights, biases, strict=True) for part in layer], axis=None)


def views(params: np.ndarray, layers: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A list of weights and a list of biases, which share the memory of flat parameters."""
    weights, biases, p = [], [], 0
    for inputs, outputs, _ in layers.tolist():
        weights.append(params[p : p + inputs * outputs].reshape(inputs, outputs))
        p += inputs * outputs
        biases.append(params[p : p + outputs])
        p += outputs
    return weights, biases


def unflatten(params: np.ndarray, layers: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The opposite of `flatten`: a list of weights and a list of biases."""
    return views(params.copy(), layers)


def check_layers(weights: Any, biases: Any, n_outputs: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return weights and biases as float64 arrays. ValueError, naming the layer, if shapes or values do not fit."""
    if not (isinstance(weights, (list, tuple)) and isinstance(biases, (list, tuple))):
        raise ValueError("weights and biases are lists: an array of weights and one of biases a layer")
    if len(weights) != len(biases) or len(weights) == 0:
        raise ValueError(f"{len(weights)} layers of weights and {len(biases)} of biases: one of each a layer is needed")
    checked: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    fan_in = None
    for layer in range(len(weights)):
        try:
            w, b = np.array(weights[layer], dtype=np.float64), np.array(biases[layer], dtype=np.float64).reshape(-1)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"weights[{layer}] or biases[{layer}] is not a table of numbers") from None
        w = w[:, np.newaxis] if w.ndim == 1 and len(b) == 1 else w
        wrong_end = layer == len(weights) - 1 and len(b) != n_outputs
        if w.ndim != 2 or w.shape[1] != len(b) or 0 in w.shape or fan_in not in (None, len(w)) or wrong_end:
            needed = f"({fan_in or 'inputs'}, {n_outputs if layer == len(weights) - 1 else 'units'})"
            raise ValueError(f"weights[{layer}] has shape {w.shape} and biases[{layer}] {b.shape}; {needed} is needed")
        if not (is_finite(w) and is_finite(b)):
            raise ValueError(f"weights[{layer}] or biases[{layer}] holds NaN or infinity: start from finite numbers")
        checked[0].append(w)
        checked[1].append(b)
        fan_in = len(b)
    return checked
