"""One training step, number by number: what a learner lays beside `loss.backward()`.

The arithmetic is that of `kernels/reference.py`, operation by operation in the same order, with every number on the
way kept: the weights after a traced step are the reference's, bit for bit. What a trace holds: `trace_view.py`.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, overload

import numpy as np

from tinynet_fast.kernels.reference import SIGMOID, activate, cross_entropy, sigmoid, slope
from tinynet_fast.models import MLP, Neuron, load
from tinynet_fast.models.layers import check_activation, check_layers
from tinynet_fast.proof.trace_view import Layers, MLPGradients, MLPTrace, NeuronGradients, NeuronTrace, RowTrace
from tinynet_fast.rows.arrays import check_finite, encode_known
from tinynet_fast.rows.columns import named_weights, training_rows
from tinynet_fast.rows.datasets import height_weight, study_hours
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.whole import read_whole, target_in
from tinynet_fast.scoring import open_for
from tinynet_fast.training.checks import check_rate, check_whole

NEURON_RATE, NETWORK_RATE = 0.1, 0.15  # the tutorials' learning rates
Path = str | os.PathLike[str]


class TorchMissingError(ImportError, ValueError):
    """PyTorch cannot be imported. A ValueError too, which the command line prints in one line."""


# --- one neuron -------------------------------------------------------------------------------------------------------


def trace_neuron(
    x: Any, y: Any, *, weights: Any = 0.0, bias: float = 0.0, learning_rate: float = NEURON_RATE
) -> NeuronTrace:
    """One step of `train_neuron` on one row, with every number on the way.

    Parameters
    ----------
    x : number or (n_features,)
        The row's inputs.
    y : 0 or 1
    weights : float or (n_features,)
        Where the step starts: one number for all weights, or one each.
    bias, learning_rate : float

    Raises
    ------
    ValueError
        For what is no row of finite numbers, another label than 0 or 1, a senseless option, or a step that overflows.

    Examples
    --------
    >>> from tinynet_fast.proof.trace import trace_neuron
    >>> step = trace_neuron(1, 0, weights=0.1)
    >>> step.z, step.error, step.weights_after
    (0.1, 0.52497918747894, [0.047502081252106004])
    """
    rate = check_rate("learning_rate", learning_rate)
    inputs, names = _one_row(x)
    label = float(_codes([y], 1)[0])
    w, b = _neuron_start(named_weights(weights, names), bias, len(inputs))

    products = [inputs[j] * w[j] for j in range(len(w))]
    z = 0.0
    for product in products:
        z += product
    z += b
    prediction = sigmoid(z)
    error = prediction - label
    nudge = rate * error
    nudges = [nudge * value for value in inputs]
    trace = NeuronTrace(
        inputs=inputs,
        label=label,
        learning_rate=rate,
        weights_before=w,
        bias_before=b,
        products=products,
        z=z,
        prediction=prediction,
        error=error,
        squared_error=error * error,
        cross_entropy=cross_entropy(z, label),
        gradients=NeuronGradients(weights=[error * value for value in inputs], bias=error),
        weight_nudges=nudges,
        bias_nudge=nudge,
        weights_after=[w[j] - nudges[j] for j in range(len(w))],
        bias_after=b - nudge,
        features=names,
    )
    _check_step(trace)
    return trace


def _one_row(x: Any) -> tuple[list[float], list[str] | None]:
    """The row's inputs, and their names if they have any."""
    nested = getattr(x, "ndim", 0) == 2 or (isinstance(x, (list, tuple)) and x and isinstance(x[0], (list, tuple)))
    matrix, _, names = training_rows(x if nested else [x], None, name="x")
    if len(matrix) != 1:
        raise ValueError(f"x has {len(matrix)} rows; a neuron learns from one row at a time: pass one")
    check_finite(matrix, "x", names)
    return [float(value) for value in matrix[0]], names


def _neuron_start(weights: Any, bias: Any, n_features: int) -> tuple[list[float], float]:
    try:
        w, b = np.asarray(weights, dtype=np.float64), float(bias)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("weights and bias are numbers: one for each input, or one for all, and a bias") from None
    if w.shape not in ((), (n_features,)):
        raise ValueError(f"weights has shape {w.shape}; one number, or ({n_features},) as x has inputs, is needed")
    if not (np.isfinite(w).all() and np.isfinite(b)):
        raise ValueError("weights or bias holds NaN or infinity: start from finite numbers")
    return np.broadcast_to(w, n_features).tolist(), b


def _codes(y: Any, n_rows: int) -> list[float]:
    return [float(code) for code in encode_known(y, np.array([0, 1]), n_rows)]


def _check_step(trace: NeuronTrace | MLPTrace) -> None:
    """ValueError for the first number that overflowed: JSON has no infinity, and nobody learns from a NaN."""
    for place, value in _numbers(trace.to_json(), ""):
        if not math.isfinite(value):
            raise ValueError(
                f"the step overflows, {place} is {value}: standardise the inputs or lower the learning rate"
            )


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _numbers(part, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _numbers(part, f"{place}[{i}]")


# --- a network --------------------------------------------------------------------------------------------------------


def trace_mlp(
    X: Any, y: Any, *, weights: Any, biases: Any, activation: str = "sigmoid", learning_rate: float = NETWORK_RATE
) -> MLPTrace:
    """One step of `train_mlp` on one batch, with every number on the way.

    Parameters
    ----------
    X : (n,) or (n, n_features)
        The rows of the batch: one, or a few.
    y : (n,) of 0 or 1
    weights : list of (fan_in, fan_out)
        Where the step starts, a table a layer; the last layer has one output.
    biases : list of (fan_out,)
    activation : {"sigmoid", "tanh", "relu"}
        What the hidden units do to their sums.
    learning_rate : float

    Raises
    ------
    ValueError
        As `trace_neuron`, and for layers that do not fit one another or the rows.

    Examples
    --------
    >>> from tinynet_fast.proof.trace import trace_mlp
    >>> step = trace_mlp([[1, -1]], [1], weights=[[[0.5], [0.25]], [[1.0]]], biases=[[0.0], [0.0]], activation="relu")
    >>> step.rows[0].sums
    [[0.25], [0.25]]
    >>> step.gradients.biases == step.rows[0].deltas
    True
    """
    rate = check_rate("learning_rate", learning_rate)
    code = check_activation(activation)
    matrix, y, names = training_rows(X, y)
    check_finite(matrix, columns=names)
    labels = _codes(y, len(matrix))
    checked = check_layers(weights, biases, 1)
    if matrix.shape[1] != len(checked[0][0]):
        raise ValueError(
            f"X has {matrix.shape[1]} columns and weights[0] has {len(checked[0][0])} rows: one row an input is needed"
        )
    w, b = [layer.tolist() for layer in checked[0]], [layer.tolist() for layer in checked[1]]

    rows = [
        _trace_row(x, label, w, b, code) for x, label in zip(matrix.astype(np.float64).tolist(), labels, strict=True)
    ]
    total = 0.0
    for row in rows:
        total += row.cross_entropy
    gradients = _mean_gradients(rows, w)
    trace = MLPTrace(
        activation=activation,
        learning_rate=rate,
        weights_before=w,
        biases_before=b,
        rows=rows,
        loss=total / len(rows),
        gradients=gradients,
        weights_after=[_moved(*layer, rate) for layer in zip(w, gradients.weights, strict=True)],
        biases_after=_moved(b, gradients.biases, rate),
        features=names,
    )
    _check_step(trace)
    return trace


def _moved(table: list[list[float]], gradient: list[list[float]], learning_rate: float) -> list[list[float]]:
    pairs = (zip(*lines, strict=True) for lines in zip(table, gradient, strict=True))
    return [[value - learning_rate * slope for value, slope in line] for line in pairs]


def _trace_row(x: list[float], label: float, weights: Layers, biases: list[list[float]], code: int) -> RowTrace:
    """Forward as `network_forward`, back as `network_backward`."""
    sums: list[list[float]] = []
    outputs: list[list[float]] = []
    source = x
    for layer in range(len(weights)):
        sums.append([])
        for u in range(len(biases[layer])):
            z = 0.0
            for j in range(len(source)):
                z += source[j] * weights[layer][j][u]
            sums[layer].append(z + biases[layer][u])
        last = layer == len(weights) - 1
        source = [activate(z, SIGMOID if last else code) for z in sums[layer]]
        outputs.append(source)
    z, prediction = sums[-1][0], outputs[-1][0]
    error = prediction - label
    deltas = [[error]]
    for layer in range(len(weights) - 1, 0, -1):
        below = []
        for j in range(len(weights[layer])):
            blame = 0.0
            for u in range(len(deltas[0])):
                blame += weights[layer][j][u] * deltas[0][u]
            below.append(blame * slope(outputs[layer - 1][j], code))
        deltas.insert(0, below)
    return RowTrace(x, label, sums, outputs, deltas, z, prediction, error, cross_entropy(z, label))


def _mean_gradients(rows: list[RowTrace], weights: Layers) -> MLPGradients:
    w = [[[0.0] * len(units) for units in layer] for layer in weights]
    b = [[0.0] * len(layer[0]) for layer in weights]
    for row in rows:
        for layer, source in enumerate([row.inputs, *row.outputs[:-1]]):
            for u, delta in enumerate(row.deltas[layer]):
                b[layer][u] += delta
                for j in range(len(source)):
                    w[layer][j][u] += source[j] * delta
    n = len(rows)
    return MLPGradients(
        weights=[[[total / n for total in units] for units in layer] for layer in w],
        biases=[[total / n for total in units] for units in b],
    )


# --- beside PyTorch ---------------------------------------------------------------------------------------------------


@overload
def torch_gradients(trace: NeuronTrace) -> NeuronGradients: ...
@overload
def torch_gradients(trace: MLPTrace) -> MLPGradients: ...
def torch_gradients(trace: NeuronTrace | MLPTrace) -> NeuronGradients | MLPGradients:
    """What `loss.backward()` of PyTorch gives for the same step: float64, `binary_cross_entropy`, mean over rows.

    PyTorch keeps the sigmoid's slope in that loss above 1e-12, so its gradient fades where |z| is above 27.6.

    Raises
    ------
    TorchMissingError
        A ValueError and an ImportError: where PyTorch cannot be imported.
    """
    torch = _import_torch()

    def tensor(values: Any) -> Any:
        return torch.tensor(values, dtype=torch.float64)

    if isinstance(trace, NeuronTrace):
        rows, labels, hidden = [trace.inputs], [trace.label], torch.sigmoid
        weights, biases = [[[w] for w in trace.weights_before]], [[trace.bias_before]]
    else:
        rows, labels = [row.inputs for row in trace.rows], [row.label for row in trace.rows]
        weights, biases, hidden = trace.weights_before, trace.biases_before, getattr(torch, trace.activation)
    w, b = [[tensor(part).requires_grad_() for part in parts] for parts in (weights, biases)]
    signal = tensor(rows)
    for layer in range(len(w)):
        last = layer == len(w) - 1
        signal = (torch.sigmoid if last else hidden)(signal @ w[layer] + b[layer])
    torch.nn.functional.binary_cross_entropy(signal[:, 0], tensor(labels)).backward()
    if isinstance(trace, NeuronTrace):
        return NeuronGradients(weights=w[0].grad[:, 0].tolist(), bias=b[0].grad.item())
    return MLPGradients(weights=[part.grad.tolist() for part in w], biases=[part.grad.tolist() for part in b])


def _import_torch() -> Any:
    try:
        return import_module("torch")
    except ImportError as error:
        raise TorchMissingError(f"PyTorch cannot be imported ({error}): pip install torch") from None


# --- for the command line ---------------------------------------------------------------------------------------------


def run_trace(
    *,
    model: Path | None = None,
    data: Path | None = None,
    target: str | None = None,
    row: int = 1,
    rows: int = 1,
    learning_rate: float | None = None,
    network: bool = False,
    torch: bool = False,
    drop_missing: bool = False,
) -> NeuronTrace | MLPTrace:
    """The first step of a tutorial's problem, or one further step of a model on rows of a file.

    Parameters
    ----------
    model, data : path, optional
        A model file and the file, of any format, to take rows from; both, or neither for the tutorials' problems.
    target : str, optional
        The column with the labels; the one the model was trained on where left out.
    row, rows : int
        The first data row, counted from 1, and for a network how many make the batch.
    learning_rate : float, optional
        0.1 for a neuron and 0.15 for a network where left out.
    network : bool
        Without a model, the height/weight network and its four rows in place of the neuron and its first row.
    torch : bool
        Put PyTorch's gradients in the trace.
    drop_missing : bool
        Leave rows of the file with a missing value out. The other rows keep their numbers.

    Raises
    ------
    ValueError
        For options that do not go together; and whatever reading, tracing and PyTorch raise.
    """
    check_whole("row", row)
    check_whole("rows", rows)
    rate: dict[str, Any] = {} if learning_rate is None else {"learning_rate": learning_rate}
    trace: NeuronTrace | MLPTrace
    if model is not None and data is not None:
        trace = _further_step(model, data, target, row, rows, network, rate, drop_missing)
    elif model is not None or data is not None or target is not None:
        raise ValueError("a step on your own rows needs a model file and a file of rows: name both")
    elif row != 1 or rows not in (1, 4 if network else 1):
        raise ValueError(f"row={row}, rows={rows} choose rows of a file: name one, and a model file")
    else:
        trace = _first_network_step(rate) if network else _first_neuron_step(rate)
    if not torch:
        return trace
    if isinstance(trace, NeuronTrace):
        return replace(trace, torch=torch_gradients(trace))
    return replace(trace, torch=torch_gradients(trace))


def _first_neuron_step(rate: dict[str, Any]) -> NeuronTrace:
    table = study_hours()
    return replace(trace_neuron(table.X[0], table.y[0], weights=0.1, **rate), features=table.features)


def _first_network_step(rate: dict[str, Any]) -> MLPTrace:
    table = height_weight()
    draw = np.random.RandomState(42)
    weights = [draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3]
    trace = trace_mlp(table.X, table.y, weights=weights, biases=[np.zeros(4), np.zeros(1)], **rate)
    return replace(trace, features=table.features)


def _further_step(
    model: Path,
    data: Path,
    target: str | None,
    row: int,
    rows: int,
    network: bool,
    rate: dict[str, Any],
    drop_missing: bool,
) -> NeuronTrace | MLPTrace:
    fitted = load(model)
    if isinstance(fitted, Neuron) and (network or rows != 1):
        raise ValueError(f"{model} is one neuron, which learns from one row at a time: leave network and rows out")
    if len(fitted.labels) > 2:
        raise ValueError(f"{model} knows {len(fitted.labels)} labels; a step is traced for two")
    target = target or fitted.training.get("target")
    if target is None:
        raise ValueError(f"{model} does not say which column of {data} holds the labels: name the target")
    X, labels, names = _chosen_rows(fitted, data, target, row, rows, drop_missing)
    y = encode_known(labels, fitted.labels, rows)
    if isinstance(fitted, Neuron):
        return replace(trace_neuron(X[0], y[0], weights=fitted.weights, bias=fitted.bias, **rate), features=names)
    layers: dict[str, Any] = {"weights": fitted.weights, "biases": fitted.biases, "activation": fitted.activation}
    return replace(trace_mlp(X, y, **layers, **rate), features=names)


def _chosen_rows(
    fitted: Neuron | MLP, data: Path, target: str, row: int, rows: int, drop_missing: bool
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The rows' inputs and labels, and the inputs' names; TableError for rows that the model cannot learn from."""
    source = open_for(fitted, data, drop_missing=drop_missing, y=target_in(data, target), dense=True)
    table = read_whole(source)
    assert table is not None
    first = int(np.searchsorted(table.rows, row - 1))
    stop = first + rows
    if stop > len(table):
        whole = " without missing values" if table.dropped else ""
        raise TableError(f"{data}: there is no row {row - 1 + rows}; it has {len(table)} rows{whole}")
    if table.rows[first] != row - 1:
        raise TableError(f"{data}: row {row} has a missing value: choose another row")
    labels = table.y[first:stop]
    low, high = fitted.labels.tolist()
    for i, label in enumerate(labels.tolist(), first):
        if label not in (low, high):
            place = f"{table.where(i)}, column {target!r}"
            raise TableError(f"{place}: unknown label {label!r}; the model knows {low!r} and {high!r}")
    names = fitted.features or table.names or [f"x{j}" for j in range(fitted.n_features)]
    return table.X[first:stop], labels, names
