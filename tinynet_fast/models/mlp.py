"""The model of a small network."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tinynet_fast.kernels.engines import CHUNK, FAST, NUMPY, PORTABLE, Engine
from tinynet_fast.kernels.point_functions import OUTPUT_ACTIVATIONS
from tinynet_fast.models import base
from tinynet_fast.models.fields import finite
from tinynet_fast.models.layers import check_activation, check_layers, flatten, layer_table
from tinynet_fast.models.outputs import DEVIATIONS, MARGIN
from tinynet_fast.models.view import mlp_html, predicted
from tinynet_fast.rows.blocks import sum_in_order

DTYPES = ("float64", "float32")


@dataclass(kw_only=True, eq=False, repr=False)
class MLP(base.Model):
    """A network of hidden layers. `output` says what it ends in; see `Model`. ("one_vs_rest" is for neurons.)

    Parameters
    ----------
    weights : list of (fan_in, fan_out) arrays
    biases : list of (fan_out,) arrays
    activation : {"sigmoid", "tanh", "relu", "leaky_relu", "silu", "identity"}
        What the hidden units do to their sums.
    dtype : {"float64", "float32"}
        The type of weights and biases, and of the numbers that go through the network when it predicts.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str = "sigmoid"
    dtype: str = "float64"
    _numbers: int = field(default=1, init=False, repr=False)  # the outputs of the last layer

    def __post_init__(self) -> None:
        if isinstance(self.biases, (list, tuple)) and self.biases:
            self._numbers = np.asarray(self.biases[-1]).size
        super().__post_init__()
        check_activation(self.activation)
        if self.output not in OUTPUT_ACTIVATIONS or (self.output == MARGIN and self.n_outputs > 1):
            raise ValueError(f"output is {self.output!r}, for {len(self.labels)} labels: use 'softmax', or a Neuron")
        self.weights, self.biases = check_layers(self.weights, self.biases, self.n_outputs)
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}: use one of {', '.join(DTYPES)}")
        if self.dtype == "float32":
            self.weights, self.biases = rounded(self.weights), rounded(self.biases)

    def __repr__(self) -> str:
        return f"MLP({'-'.join(map(str, self._sizes))}, {self.activation}, {predicted(self)})"

    _repr_html_ = mlp_html

    @property
    def n_features(self) -> int:
        return len(self.weights[0])

    @property
    def _n_numbers(self) -> int:
        return self._numbers

    @property
    def _sizes(self) -> list[int]:
        return [self.n_features, *map(len, self.biases)]

    @property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        activations = [self.activation] * (len(self.weights) - 1) + [self.output]
        return list(zip(self.weights, self.biases, activations, strict=True))

    def _logits(self, blocks: Iterator[tuple[np.ndarray, np.ndarray]], n_rows: int) -> None:
        layers, params = layer_table(self._sizes, self.activation, self.output), flatten(self.weights, self.biases)
        if self.is_portable:
            for X, out in blocks:
                out[:] = PORTABLE.network_logits(X, layers, params)
            return
        engine: Engine = NUMPY
        if (self.dtype == "float64" or FAST.has_singles) and n_rows * self.n_features >= base.COMPILED_FROM:
            engine = FAST
            units = engine.scratch(layers, params.dtype)
        else:  # `scratch` would make CHUNK rows of units
            units = np.empty((2, min(CHUNK, n_rows), sum(self._sizes)), params.dtype)
        for X, out in blocks:
            engine.kernels.network_logits(engine.rows(X), layers, params, units, out)

    def for_raw_inputs(self, mean: np.ndarray, scale: np.ndarray, in_order: bool = False) -> Self:
        """Change this network so that it gives for x what it gave for (x - mean) / scale, and return it.

        It is then float64: the first layer takes a difference of large numbers, in which float32 may lose all digits.
        `in_order` has the sum over the inputs go from the first to the last, on every machine.
        """
        self._widen()
        self.weights[0] = self.weights[0] / scale[:, np.newaxis]
        moved = sum_in_order((mean * self.weights[0].T).T) if in_order else mean @ self.weights[0]
        self.biases[0] = self.biases[0] - moved
        return self

    def for_raw_targets(self, mean: np.ndarray, scale: np.ndarray) -> Self:
        """Change this network so that it gives mean + scale * z where it gave the numbers z, and return it. It is then
        float64."""
        self._widen()
        self.weights[-1] = self.weights[-1] * scale
        self.biases[-1] = self.biases[-1] * scale + mean
        self.training[DEVIATIONS] = np.reshape(scale, -1).tolist()
        return self

    def _widen(self) -> None:
        """The same numbers as float64."""
        if self.dtype != "float64":
            self.dtype = "float64"
            self.weights, self.biases = ([a.astype(np.float64) for a in each] for each in (self.weights, self.biases))

    def _fields(self) -> dict[str, Any]:
        return {
            "kind": "mlp",
            "activation": self.activation,
            **({} if self.dtype == "float64" else {"dtype": self.dtype}),
            "weights": [w.tolist() for w in self.weights],
            "biases": [b.tolist() for b in self.biases],
        }

    @classmethod
    def _from_fields(cls, found: dict[str, Any], common: dict[str, Any]) -> "MLP":
        for name in ("weights", "biases"):
            if not isinstance(found[name], list) or not found[name]:
                raise ValueError(f"field {name!r} is not a list of layers")
        weights = [finite(w, "weights", 2) for w in found["weights"]]
        biases = [finite(b, "biases", 1) for b in found["biases"]]
        dtype = found.get("dtype", "float64")
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(f"field 'dtype' is not one of {', '.join(DTYPES)}")
        return cls(weights=weights, biases=biases, activation=found["activation"], dtype=dtype, **common)


def rounded(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays as float32; ValueError if one of their numbers is too large for it."""
    with np.errstate(over="ignore"):
        single = [array.astype(np.float32) for array in arrays]
    if not all(np.isfinite(array).all() for array in single):
        raise ValueError("weights or biases hold a number that is too large for float32: use dtype='float64'")
    return single
