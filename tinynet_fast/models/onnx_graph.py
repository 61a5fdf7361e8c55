"""A model as an ONNX graph, which other programs run without Python and without this package."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.kernels.reference import LEAK
from tinynet_fast.models.outputs import EXP, MARGIN, NUMBERS, ONE_VS_REST, SIGMOID, SOFTMAX

FAR = 700.0  # exp of it is finite
OPSET, IR_VERSION = 17, 8  # of 2022: they have all that the graph needs, and runtimes that are some years old read them


class Graph:
    """Nodes and constants of an ONNX graph. Each method adds nodes and returns the name of what they compute."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, name: str) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        name = name or f"{operator}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def layer(self, below: str, weights: np.ndarray, biases: np.ndarray, k: int) -> str:
        """The sums of the k-th layer."""
        return self.node("Gemm", below, self.constant(weights, f"weights_{k}"), self.constant(biases, f"biases_{k}"))

    def activation(self, sums: str, activation: str, k: int) -> str:
        """What the hidden units of the k-th layer send on."""
        if activation == "identity":
            return sums
        if activation == "silu":
            return self.node("Mul", sums, self.node("Sigmoid", sums))
        if activation == "leaky_relu":  # onnxruntime has no LeakyRelu for float64; LEAK is below 1
            return self.node("Max", sums, self.node("Mul", sums, self.constant(LEAK, f"leak_{k}")))
        return self.node({"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}[activation], sums)

    def numbers(self, sums: str, output: str, n_outputs: int) -> str:
        """The predicted numbers, (n,) or (n, n_outputs)."""
        found = self.node("Exp", sums) if output == EXP else sums
        return self.node("Reshape", found, self.constant([-1], "flat")) if n_outputs == 1 else found

    def outputs(self, sums: str, output: str, labels: np.ndarray, threshold: float) -> str:
        """The probability of each label, or the margins. It also adds the output `label`."""
        if output == SIGMOID:
            second = self.node("Sigmoid", sums)
            first = self.node("Sub", self.constant(1.0, "one"), second)
            found, code = self.node("Concat", first, second, axis=1), self.reached(second, threshold)
        elif output == MARGIN and len(labels) == 2:
            found, code = self.node("Reshape", sums, self.constant([-1], "one_column")), self.reached(sums, 0.0)
        else:
            found = {SOFTMAX: self.softmax, ONE_VS_REST: self.shares}.get(output, str)(sums)
            code = self.node("ArgMax", found, axis=1, keepdims=0)
        self.node("Gather", self.constant(labels, "labels"), code, name="label")
        return found

    def softmax(self, sums: str) -> str:
        return self.node("Softmax", sums, axis=1)

    def shares(self, sums: str) -> str:
        """Each label's sigmoid as its share of the sum of all: a softmax of the logarithms -log(1 + exp(-z)).

        A quotient would be 0 / 0 where all sigmoids are. (onnxruntime has no Softplus for float64.)
        """
        limited = self.node("Min", self.node("Neg", sums), self.constant(FAR, "far"))
        powers = self.node("Add", self.node("Exp", limited), self.constant(1.0, "one"))
        return self.softmax(self.node("Neg", self.node("Log", powers)))

    def reached(self, values: str, threshold: float) -> str:
        """(n,): 1 where a value is at least the threshold, else 0."""
        reached = self.node("GreaterOrEqual", values, self.constant(threshold, "threshold"))
        code = self.node("Cast", reached, to=self.onnx.TensorProto.INT64)
        return self.node("Reshape", code, self.constant([-1], "flat"))


def network_graph(
    layers: Sequence[tuple[np.ndarray, np.ndarray, str]],
    labels: np.ndarray,
    threshold: float,
    features: list[str] | None,
    dtype: Any,
) -> Any:
    """Return the graph of a network, an `onnx.ModelProto`. A neuron is a network of one layer.

    Parameters
    ----------
    layers : sequence of ((fan_in, fan_out) array, (fan_out,) array, str)
        Weights, biases and activation. The last layer's is the model's `output`.
    labels, threshold, features
        The model's own.
    dtype : {"float32", "float64"}
        The type of the input and of the probabilities or numbers. Everything in between is float64.
    """
    kind = _float_type(dtype)
    onnx = _library()
    graph = Graph(onnx)
    number = onnx.helper.np_dtype_to_tensor_dtype(kind)
    units = graph.node("Cast", "X", to=onnx.TensorProto.DOUBLE)
    for k, (weights, biases, activation) in enumerate(layers):
        sums = graph.layer(units, weights, biases, k)
        if k < len(layers) - 1:
            units = graph.activation(sums, activation, k)
    tensor, output, width = onnx.helper.make_tensor_value_info, layers[-1][2], len(layers[-1][1])
    shape: list[Any] = ["n"] if width == 1 else ["n", width]
    if output in NUMBERS:
        name, found, outputs = "prediction", graph.numbers(sums, output, width), []
    else:
        labels = _stored(labels)
        name, found = "margins" if output == MARGIN else "probabilities", graph.outputs(sums, output, labels, threshold)
        shape = shape if output == MARGIN else ["n", len(labels)]
        outputs = [tensor("label", onnx.helper.np_dtype_to_tensor_dtype(labels.dtype), ["n"])]
    graph.node("Cast", found, name=name, to=number)
    inputs, outputs = [tensor("X", number, ["n", len(layers[0][0])])], [*outputs, tensor(name, number, shape)]
    made = onnx.helper.make_graph(graph.nodes, "tinynet_fast", inputs, outputs, graph.constants)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(made, producer_name="tinynet_fast", opset_imports=opsets, ir_version=IR_VERSION)
    if features is not None:
        onnx.helper.set_model_props(model, {"features": json.dumps(features)})
    onnx.checker.check_model(model)
    return model


def _library() -> Any:
    """The package onnx; ImportError with the remedy if it is not installed."""
    try:
        import onnx  # here, because it is optional and takes a third of a second
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError("to_onnx needs the package onnx: pip install 'tinynet-fast[onnx]'") from error
    return onnx


def _float_type(dtype: Any) -> np.dtype:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind in (np.float32, np.float64):
        return kind
    raise ValueError(f"dtype is {dtype!r}; use 'float32' or 'float64'")


def _stored(labels: np.ndarray) -> np.ndarray:
    """The labels in a type that runtimes have: bool, int64 (uint64 for very large ones), float64 or text."""
    if labels.dtype.kind in "iu":
        return labels if labels.max() > np.iinfo(np.int64).max else labels.astype(np.int64)
    return labels.astype({"b": np.bool_, "f": np.float64, "U": np.object_}[labels.dtype.kind])
