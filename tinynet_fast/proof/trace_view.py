"""What a traced step holds, and how it is shown: tables that fit 80 columns. `trace.py` computes the numbers."""

from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, cast

from rich.console import Group, RenderableType
from rich.text import Text

from tinynet_fast.models.view import inputs
from tinynet_fast.proof.trace_tables import Line, cut_short, named_table, two_columns
from tinynet_fast.proof.trace_words import PREDICTIONS, Words, head_of, words_of

LINES = 60  # that a table shows at most, about; a network of 784 inputs and 128 units has 100,000 weights
SATURATED = 27.6  # if |z| is larger, PyTorch's loss keeps the sigmoid's slope at 1e-12 and its gradient is too small

Layers = list[list[list[float]]]  # weights by layer, input and unit


@dataclass(frozen=True, repr=False)
class NeuronGradients:
    """The derivative of a row's loss with respect to each weight, and to the bias."""

    weights: list[float]
    bias: float

    def __repr__(self) -> str:
        return f"NeuronGradients({inputs(len(self.weights))}, bias {self.bias:.6g})"


@dataclass(frozen=True, repr=False)
class MLPGradients:
    """The derivative of a batch's mean loss: `weights[layer][input][unit]`, `biases[layer][unit]`."""

    weights: Layers
    biases: list[list[float]]

    def __repr__(self) -> str:
        return f"MLPGradients({_sizes(self.weights)})"


@dataclass(frozen=True, repr=False)
class _Trace:
    """Both traces can become JSON and can be printed by rich.

    `output` says what the output's sum z becomes: "sigmoid", a probability; "linear", the number z; "exp", the number
    exp(z); or "margin", z itself, whose sign decides. `loss_name` is the loss that the step makes smaller, and
    `loss_shape` its `delta`, `quantile` or `gamma`, or None.
    """

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values; floats come back from `json` bit for bit."""
        return asdict(self)

    def __rich__(self) -> Group:
        return render(cast(Any, self))

    @property
    def words(self) -> Words:
        """What the loss is called."""
        trace = cast(Any, self)
        return words_of(trace.output, trace.loss_name, trace.loss_shape)

    @property
    def is_usual(self) -> bool:
        """Whether labels are learned by cross-entropy, as in the tutorials."""
        return cast(Any, self).loss_name == "log_loss"

    @property
    def truth(self) -> str:
        """What is true of a row."""
        return "number" if cast(Any, self).output in ("linear", "exp") else "label"

    @property
    def head(self) -> str:
        """What is unusual, for the first line."""
        trace = cast(Any, self)
        return head_of(trace.output, trace.loss_name, trace.loss_shape)


@dataclass(frozen=True, repr=False)
class NeuronTrace(_Trace):
    """One neuron, one row, one step. Each list has an entry for each input.

    `products` are input * weight. `z` is their sum from left to right, and then the bias. `prediction` is what `output`
    makes of it. `label` is what is true of the row: 0 or 1, or a number. `error` is prediction - label; a margin has
    none. `loss` is what the step makes smaller, and `slope` its derivative with respect to z: for cross-entropy it is
    the error itself. So it is for the squared error of a number, because the step follows half of it. The gradient is
    slope * input for a weight, and the slope for the bias. The step subtracts `bias_nudge` and `weight_nudges`, which
    are (learning_rate * slope) * input. `cross_entropy` repeats the loss if it is that one. `torch` holds PyTorch's
    gradients if they were asked for.
    """

    inputs: list[float]
    label: float
    learning_rate: float
    weights_before: list[float]
    bias_before: float
    products: list[float]
    z: float
    prediction: float
    error: float | None
    squared_error: float | None
    cross_entropy: float | None
    loss: float
    slope: float
    gradients: NeuronGradients
    weight_nudges: list[float]
    bias_nudge: float
    weights_after: list[float]
    bias_after: float
    output: str
    loss_name: str
    loss_shape: float | None
    features: list[str] | None = None
    torch: NeuronGradients | None = None

    def __repr__(self) -> str:
        row = f"{self.truth} {self.label:.6g}, prediction {self.prediction:.6g}, loss {self.loss:.6g}"
        return f"NeuronTrace({inputs(len(self.inputs))}, {row}, learning rate {self.learning_rate:.6g})"


@dataclass(frozen=True, repr=False)
class RowTrace:
    """One row through a network and back. `sums`, `outputs` and `deltas` are indexed [layer][unit].

    `sums` are the units' z, `outputs` their activations, and `deltas` the derivatives of the row's loss with respect to
    each z. (Of half the loss, if numbers are learned by their squared error.) The last layer is the output unit: its z,
    its prediction, and as the delta the slope of the loss, which for cross-entropy is the error.
    """

    inputs: list[float]
    label: float
    sums: list[list[float]]
    outputs: list[list[float]]
    deltas: list[list[float]]
    z: float
    prediction: float
    error: float | None
    cross_entropy: float | None
    loss: float

    def __repr__(self) -> str:
        row = f"{self.label:.6g}, prediction {self.prediction:.6g}, loss {self.loss:.6g}"
        return f"RowTrace({inputs(len(self.inputs))}, true value {row})"


@dataclass(frozen=True, repr=False)
class MLPTrace(_Trace):
    """A network, one batch, one step. Weights are indexed [layer][input][unit], biases [layer][unit].

    `loss` is the rows' mean loss before the step, and `gradients` is the mean of the rows' gradients. `torch` holds
    PyTorch's gradients if they were asked for.
    """

    activation: str
    learning_rate: float
    weights_before: Layers
    biases_before: list[list[float]]
    rows: list[RowTrace]
    loss: float
    gradients: MLPGradients
    weights_after: Layers
    biases_after: list[list[float]]
    output: str
    loss_name: str
    loss_shape: float | None
    features: list[str] | None = None
    torch: MLPGradients | None = None

    def __repr__(self) -> str:
        batch = f"{len(self.rows):,} row{'s' * (len(self.rows) != 1)}, mean loss {self.loss:.6g}"
        network = f"{_sizes(self.weights_before)}, {self.activation}"
        return f"MLPTrace({network}, {batch}, learning rate {self.learning_rate:.6g})"


def _sizes(weights: Layers) -> str:
    """The inputs and the units of each layer: "2-4-1"."""
    return "-".join(str(len(layer)) for layer in weights) + f"-{len(weights[-1][0])}"


# --- the tables -------------------------------------------------------------------------------------------------------


def render(
    trace: NeuronTrace | MLPTrace,
    torch: NeuronGradients | MLPGradients | None = None,
    lines: int | None = LINES,
) -> Group:
    """Show the step as tables: forward, backward, every parameter before and after, PyTorch's gradients beside ours.

    Parameters
    ----------
    trace : NeuronTrace or MLPTrace
    torch : NeuronGradients or MLPGradients, optional
        The result of `torch_gradients(trace)`. The default is the trace's own, if it has them.
    lines : int, optional
        About how many lines a table has at most; a longer one is cut in the middle. None for all lines.
    """
    torch = torch or trace.torch
    if isinstance(trace, NeuronTrace):
        parts = _neuron(trace, lines)
        sums = [trace.z]
    else:
        parts = _network(trace, lines)
        sums = [row.z for row in trace.rows]
    if torch is not None:
        parts += _beside_torch(trace, torch, sums, lines)
    return Group(*(line for part in parts for line in (part, Text())))


def _neuron(trace: NeuronTrace, lines: int | None) -> list[RenderableType]:
    names = _input_names(trace.features, len(trace.inputs))
    forward = zip(names, trace.inputs, trace.weights_before, trace.products, strict=True)
    ours = trace.gradients
    backward = zip(
        [*names, "bias"],
        [*ours.weights, ours.bias],
        [*trace.weight_nudges, trace.bias_nudge],
        [*trace.weights_before, trace.bias_before],
        [*trace.weights_after, trace.bias_after],
        strict=True,
    )
    slope = "error" if trace.is_usual else "slope"
    head = f"One step of a neuron, inputs: {len(names)}{trace.head}, learning rate: {trace.learning_rate:.10g}"
    return [
        Text(head, style="bold"),
        named_table("Forward", ["input", "x", "weight", "x * weight"], forward, lines),
        two_columns(
            ("bias", trace.bias_before),
            ("z = products from left to right, then the bias", trace.z),
            (PREDICTIONS[trace.output], trace.prediction),
            (trace.truth, trace.label),
            *_error_lines(trace),
            *_loss_lines(trace),
            (f"nudge = learning rate * {slope}", trace.bias_nudge),
        ),
        named_table(
            f"Backward: gradient = {slope} * x, after = before - nudge * x",
            ["weight of", "gradient", "nudge * x", "before", "after"],
            backward,
            lines,
        ),
    ]


def _error_lines(trace: NeuronTrace) -> list[tuple[str, float | str]]:
    if trace.error is None or trace.squared_error is None:
        return []
    return [
        (f"error = prediction - {trace.truth}", trace.error),
        ("squared error = error * error", trace.squared_error),
    ]


def _loss_lines(trace: NeuronTrace) -> list[tuple[str, float | str]]:
    """The loss, unless it is the squared error, and its slope, unless it is the error as in the tutorials."""
    words = trace.words
    lines: list[tuple[str, float | str]] = [(f"{words.name} = {words.formula}", trace.loss)] if words.formula else []
    return lines if trace.is_usual else [*lines, (f"slope = {words.slope}", trace.slope)]


def _network(trace: MLPTrace, lines: int | None) -> list[RenderableType]:
    shape = "-".join(str(n) for n in (len(trace.weights_before[0]), *(len(b) for b in trace.biases_before)))
    rows = [
        (str(i), f"{row.label:.10g}", row.z, row.prediction, "" if row.error is None else row.error, row.loss)
        for i, row in enumerate(trace.rows, 1)
    ]
    head = f"One step of a {shape} network, {trace.activation}, rows: {len(trace.rows)}{trace.head}, "
    parts: list[RenderableType] = [
        Text(head + f"learning rate: {trace.learning_rate:.10g}", style="bold"),
        named_table("Rows", ["row", trace.truth, "output z", "prediction", "error", trace.words.name], rows, lines),
        two_columns((f"loss = mean {trace.words.name}", trace.loss)),
        named_table(
            f"Units: output = activation(z), delta = d {trace.words.stepped} / d z",
            ["row", "unit", "z", "output", "delta"],
            _units(trace, lines),
            None,
        ),
    ]
    for layer in range(len(trace.weights_before)):
        columns = (
            _layer_values(trace.weights_before[layer], trace.biases_before[layer]),
            _layer_values(trace.gradients.weights[layer], trace.gradients.biases[layer]),
            _layer_values(trace.weights_after[layer], trace.biases_after[layer]),
        )
        title = f"Layer {layer + 1}{_layer_role(trace, layer)}: after = before - learning rate * mean gradient"
        body = zip(_layer_names(trace, layer), *columns, strict=True)
        parts.append(named_table(title, ["weight from > to", "before", "mean gradient", "after"], body, lines))
    return parts


def _units(trace: MLPTrace, lines: int | None) -> list[Line]:
    """Every row's inputs and units. Wide layers are cut in the middle, so that every layer is shown."""
    names = _input_names(trace.features, len(trace.rows[0].inputs))
    parts: list[list[Line]] = []
    for i, row in enumerate(trace.rows, 1):
        parts.append([(str(i), name, "", value, "") for name, value in zip(names, row.inputs, strict=True)])
        for layer in range(len(row.sums)):
            numbers = zip(row.sums[layer], row.outputs[layer], row.deltas[layer], strict=True)
            parts.append([(str(i), name, *unit) for name, unit in zip(_unit_names(trace, layer), numbers, strict=True)])
    if lines is not None and sum(map(len, parts)) > lines:
        parts = [cut_short(part, max(lines // len(parts), 2)) for part in parts]
    return list(chain.from_iterable(parts))


def _beside_torch(
    trace: NeuronTrace | MLPTrace, torch: NeuronGradients | MLPGradients, sums: list[float], lines: int | None
) -> list[RenderableType]:
    if isinstance(trace, NeuronTrace):
        of, names = "weight of", [*_input_names(trace.features, len(trace.inputs)), "bias"]
    else:
        of = "weight from > to"
        names = [name for layer in range(len(trace.weights_before)) for name in _layer_names(trace, layer)]
    ours, theirs = _flat(trace.gradients), _flat(torch)
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    body = zip(names, ours, theirs, (f"{difference:.1e}" for difference in differences), strict=True)
    parts: list[RenderableType] = [
        named_table("Gradients beside PyTorch's", [of, "ours", "PyTorch", "difference"], body, lines),
        two_columns(("largest difference", f"{max(map(abs, differences)):.1e}")),
    ]
    if trace.is_usual and max(map(abs, sums)) > SATURATED:
        parts.append(
            Text(
                f"A row has |z| above {SATURATED}. For such rows PyTorch's binary_cross_entropy keeps the sigmoid's "
                "slope at 1e-12, so its gradient is too small. binary_cross_entropy_with_logits gives the exact one."
            )
        )
    return parts


# --- names and places -------------------------------------------------------------------------------------------------


def _input_names(features: list[str] | None, n: int) -> list[str]:
    return features or [f"x{j}" for j in range(n)]


def _unit_names(trace: MLPTrace, layer: int) -> list[str]:
    if layer == len(trace.biases_before) - 1:
        return ["output"]
    return [f"h{layer + 1}.{u + 1}" for u in range(len(trace.biases_before[layer]))]


def _layer_names(trace: MLPTrace, layer: int) -> list[str]:
    """A name for each weight of a layer, input by input, then for each bias."""
    first = layer == 0
    sources = _input_names(trace.features, len(trace.weights_before[0])) if first else _unit_names(trace, layer - 1)
    units = _unit_names(trace, layer)
    return [f"{source} > {unit}" for source in sources for unit in units] + [f"bias > {unit}" for unit in units]


def _layer_role(trace: MLPTrace, layer: int) -> str:
    return ", output" if layer == len(trace.weights_before) - 1 else ""


def _layer_values(weights: list[list[float]], biases: list[float]) -> list[float]:
    return [*chain.from_iterable(weights), *biases]


def _flat(gradients: NeuronGradients | MLPGradients) -> list[float]:
    if isinstance(gradients, NeuronGradients):
        return [*gradients.weights, gradients.bias]
    layers = zip(gradients.weights, gradients.biases, strict=True)
    return [value for weights, biases in layers for value in _layer_values(weights, biases)]
