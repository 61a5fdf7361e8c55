"""One training step, number by number, for learners to compare with `loss.backward()`.

The operations and their order are those of `kernels/reference.py`, so the weights after a traced step are the
reference's, bit for bit. Here every number on the way is kept. `trace_view.py` says what a trace holds.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet_fast.kernels.point_functions import (
    HINGE,
    LOG_LOSS,
    OUTPUT_ACTIVATIONS,
    activate,
    cross_entropy,
    loss_slope,
    predicted,
    row_loss,
)
from tinynet_fast.models.layers import check_activation, check_layers
from tinynet_fast.models.outputs import output_of
from tinynet_fast.proof.trace_view import Layers, MLPGradients, MLPTrace, NeuronGradients, NeuronTrace, RowTrace
from tinynet_fast.rows.arrays import check_finite, encode_known
from tinynet_fast.rows.frames import training_rows
from tinynet_fast.training.checks import check_rate
from tinynet_fast.training.losses import LABELS, LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.neuron_kinds import first_weights
from tinynet_fast.training.targets import read_targets

NEURON_RATE, NETWORK_RATE = 0.1, 0.15  # the tutorials' learning rates


# --- one neuron -------------------------------------------------------------------------------------------------------


def trace_neuron(
    x: Any,
    y: Any,
    *,
    weights: Any = 0.0,
    bias: float = 0.0,
    learning_rate: float = NEURON_RATE,
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
) -> NeuronTrace:
    """Make one step of `train_neuron` on one row and keep every number on the way.

    Parameters
    ----------
    x : number or (n_features,)
        The row's inputs.
    y : 0 or 1, or a number
        The row's label; with ``output="linear"`` the number to learn.
    weights : float or (n_features,)
        The weights before the step: one number for all, or one for each input.
    bias, learning_rate : float
    output : {None, "linear"}
        None: `y` is a label. "linear": it is a number.
    loss, delta, quantile, gamma
        The loss that the step makes smaller, and the shapes of losses, as for `train_neuron`.

    Raises
    ------
    ValueError
        If `x` is not one row of finite numbers, the label is not 0 or 1, the number is not one that the loss can
        learn, an option makes no sense, or the step overflows.

    Examples
    --------
    >>> from tinynet_fast.proof.trace import trace_neuron
    >>> step = trace_neuron(1, 0, weights=0.1)
    >>> step.z, step.error, step.weights_after
    (0.1, 0.52497918747894, [0.047502081252106004])

    A number: two hours of study, and a score of 5.

    >>> step = trace_neuron(2, 5, weights=1.5, output="linear")
    >>> step.prediction, step.error, step.squared_error, step.weights_after, step.bias_after
    (3.0, -2.0, 4.0, [1.9], 0.2)
    """
    rate = check_rate("learning_rate", learning_rate)
    chosen = choose_loss(loss, _of(output), delta=delta, quantile=quantile, gamma=gamma)
    inputs, names = _one_row(x)
    (label,) = _actual([y], 1, chosen)
    ((*w, b),) = first_weights(weights, bias, len(inputs), names).tolist()

    products = [value * weight for value, weight in zip(inputs, w, strict=True)]
    z = 0.0
    for product in products:  # one by one, as the reference adds them
        z += product
    z += b
    prediction = predicted(z, chosen.code)
    error = None if chosen.code == HINGE else prediction - label
    slope = loss_slope(z, prediction, label, chosen.code, chosen.shape)
    nudge = rate * slope
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
        squared_error=None if error is None else error * error,
        cross_entropy=cross_entropy(z, label) if chosen.code == LOG_LOSS else None,
        loss=row_loss(z, prediction, label, chosen.code, chosen.shape),
        slope=slope,
        gradients=NeuronGradients(weights=[slope * value for value in inputs], bias=slope),
        weight_nudges=nudges,
        bias_nudge=nudge,
        weights_after=[before - moved for before, moved in zip(w, nudges, strict=True)],
        bias_after=b - nudge,
        features=names,
        **_learned(chosen),
    )
    _check_step(trace)
    return trace


def _one_row(x: Any) -> tuple[list[float], list[str] | None]:
    """The row's inputs, and their names if there are any."""
    nested = getattr(x, "ndim", 0) == 2 or (isinstance(x, (list, tuple)) and x and isinstance(x[0], (list, tuple)))
    matrix, _, names = training_rows(x if nested else [x], None, name="x")
    if len(matrix) != 1:
        raise ValueError(f"x has {len(matrix)} rows; a neuron learns from one row at a time: pass one")
    check_finite(matrix, "x", names)
    return [float(value) for value in matrix[0]], names


def _of(output: Any) -> str:
    """What is predicted, for `choose_loss`; ValueError if no step of this output is traced."""
    if output is None or (isinstance(output, str) and output == LINEAR):
        return LABELS if output is None else LINEAR
    raise ValueError(f"no step with the output {output!r} is traced: use 'linear' for numbers, or leave it out")


def _actual(y: Any, n_rows: int, loss: ChosenLoss) -> list[float]:
    """The label of each row, 0.0 or 1.0, or the number that it has to learn."""
    if loss.of == LINEAR:
        return list(map(float, read_targets(y, n_rows, loss, 1).y))
    return [float(code) for code in encode_known(y, np.array([0, 1]), n_rows)]


def _learned(loss: ChosenLoss) -> dict[str, Any]:
    """The fields of a trace that say what is learned, and by which loss."""
    shape = loss.shape if loss.shape_name else None
    return {"output": output_of(loss, 2), "loss_name": loss.name, "loss_shape": shape}


def _check_step(trace: NeuronTrace | MLPTrace) -> None:
    """Raise ValueError for the first number that overflowed: JSON cannot hold it, and it explains nothing."""
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
    X: Any,
    y: Any,
    *,
    weights: Any,
    biases: Any,
    activation: str = "sigmoid",
    learning_rate: float = NETWORK_RATE,
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
) -> MLPTrace:
    """Make one step of `train_mlp` on one batch and keep every number on the way.

    Parameters
    ----------
    X : (n,) or (n, n_features)
        The rows of the batch.
    y : (n,) of 0 or 1, or of numbers
    weights : list of (fan_in, fan_out)
        The weights before the step, one table for each layer. The last layer has one output.
    biases : list of (fan_out,)
    activation : {"sigmoid", "tanh", "relu", "leaky_relu", "silu", "identity"}
        What the hidden units do to their sums.
    learning_rate : float
    output, loss, delta, quantile, gamma
        As for `trace_neuron`.

    Raises
    ------
    ValueError
        As for `trace_neuron`, and if the layers do not fit each other or the rows.

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
    chosen = choose_loss(loss, _of(output), delta=delta, quantile=quantile, gamma=gamma)
    matrix, y, names = training_rows(X, y, numbers=chosen.of == LINEAR)
    check_finite(matrix, columns=names)
    labels = _actual(y, len(matrix), chosen)
    checked = check_layers(weights, biases, 1)
    if matrix.shape[1] != len(checked[0][0]):
        raise ValueError(
            f"X has {matrix.shape[1]} columns and weights[0] has {len(checked[0][0])} rows: one row an input is needed"
        )
    w, b = [layer.tolist() for layer in checked[0]], [layer.tolist() for layer in checked[1]]

    inputs = matrix.astype(np.float64).tolist()
    rows = [_trace_row(x, label, w, b, code, chosen) for x, label in zip(inputs, labels, strict=True)]
    total = 0.0
    for row in rows:
        total += row.loss
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
        **_learned(chosen),
    )
    _check_step(trace)
    return trace


def _moved(table: list[list[float]], gradient: list[list[float]], learning_rate: float) -> list[list[float]]:
    pairs = (zip(*lines, strict=True) for lines in zip(table, gradient, strict=True))
    return [[value - learning_rate * slope for value, slope in line] for line in pairs]


def _trace_row(
    x: list[float], label: float, weights: Layers, biases: list[list[float]], code: int, loss: ChosenLoss
) -> RowTrace:
    """One row forward as in the reference's `network_forward`, then back as in `network_backward`."""
    last_code = OUTPUT_ACTIVATIONS[output_of(loss, 2)]
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
        source = [activate(z, last_code if last else code)[0] for z in sums[layer]]
        outputs.append(source)
    z, prediction = sums[-1][0], outputs[-1][0]
    deltas = [[loss_slope(z, prediction, label, loss.code, loss.shape)]]
    for layer in range(len(weights) - 1, 0, -1):
        below = []
        for j in range(len(weights[layer])):
            blame = 0.0
            for u in range(len(deltas[0])):
                blame += weights[layer][j][u] * deltas[0][u]
            _, slope = activate(sums[layer - 1][j], code)
            below.append(blame * slope)
        deltas.insert(0, below)
    return RowTrace(
        inputs=x,
        label=label,
        sums=sums,
        outputs=outputs,
        deltas=deltas,
        z=z,
        prediction=prediction,
        error=None if loss.code == HINGE else prediction - label,
        cross_entropy=cross_entropy(z, label) if loss.code == LOG_LOSS else None,
        loss=row_loss(z, prediction, label, loss.code, loss.shape),
    )


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
