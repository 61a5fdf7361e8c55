"""What a notebook shows of a model: its weights or layers, and how it was trained. All tables are of bounded size."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet_fast.markup.curves import bar
from tinynet_fast.markup.elements import MOST_LINES, Html, frame, name, paragraph, table
from tinynet_fast.models.outputs import SIGMOID
from tinynet_fast.models.sandwich import input_names
from tinynet_fast.rows.messages import LONGEST_NAME, printable

Model = Any  # `base.Model`, whose classes import this module

FEW, MOST_OUTPUTS = 4, 6  # labels that a repr names; outputs whose weights are shown
OPTIONS = ("loss", "learning_rate", "optimizer", "batch_size", "l2", "l1", "epochs", "seed", "engine", "rows")


def inputs(n: int) -> str:
    return f"{n:,} input{'s' * (n != 1)}"


def predicted(model: Model) -> str:
    """What a model predicts and which engine trained it, for its `repr`."""
    if model.numbers:
        what = str(model.output) if model.n_outputs == 1 else f"{model.n_outputs} outputs, {model.output}"
    else:
        labels = [_label(label) for label in model.labels[:FEW].tolist()]
        k = len(model.labels)
        what = f"labels {' and '.join(labels)}" if k == 2 else f"{k} labels: {', '.join(labels)}" + ", ..." * (k > FEW)
    engine = model.training.get("engine")
    return what + (f", engine {printable(str(engine), LONGEST_NAME)}" if engine else "")


def _label(label: Any) -> str:
    return f"{label:.6g}" if isinstance(label, float) else printable(str(label), LONGEST_NAME) or "''"


def neuron_html(model: Model) -> str:
    """Show the weights: all, or the largest of many."""
    return frame(_weights(model), _trained(model))


def mlp_html(model: Model) -> str:
    """Show the layers; of a network without hidden units, the weights."""
    return frame(_weights(model) if len(model.weights) == 1 else _layers(model), _trained(model))


def ensemble_html(model: Model) -> str:
    """Show the members."""
    n = len(model.members)
    members = [(i, member) for i, member in enumerate(model.members[:MOST_LINES])]
    more = paragraph(f"and {n - MOST_LINES:,} more models") if n > MOST_LINES else ""
    return frame(table(("", "model"), members, model, kind="text"), more)


def _weights(model: Model) -> Html:
    """A line for each input, and one for the bias. If the inputs' deviations are known, the lines are in the order of
    what the inputs contribute.
    """
    weights, biases, _ = model._layers[0]
    names = input_names(_known_names(model), len(weights))
    deviations = np.asarray(model.training.get("deviations") or [], dtype=np.float64)
    weighed = deviations.shape == (len(weights),) and model.n_outputs == 1
    size = np.sqrt(np.mean(weights**2, axis=1)) * (deviations if weighed else 1.0)
    order = np.argsort(-size, kind="stable") if weighed or len(weights) > MOST_LINES else np.arange(len(weights))
    columns = ["input", *_output_names(model), *(["weight times deviation"] if weighed else [])]
    lines = []
    for j in order[:MOST_LINES].tolist():
        contribution = [bar(weights[j, 0] * deviations[j], size[order[0]])] if weighed else []
        lines.append([name(names[j]), *_numbers(weights[j]), *contribution])
    lines.append(["bias", *_numbers(biases), *([""] if weighed else [])])
    shown = [f"the {MOST_LINES} inputs with the largest weights"] if len(weights) > MOST_LINES else []
    more = [f"{MOST_OUTPUTS} of {len(biases):,} outputs"] if len(biases) > MOST_OUTPUTS else []
    return table(columns, lines, "; ".join([repr(model), *shown, *more]))


def _known_names(model: Model) -> list[str] | None:
    """The inputs' names; None if someone gave a model too few or too many."""
    return model.features if model.features and len(model.features) == model.n_features else None


def _output_names(model: Model) -> list[Html]:
    if model.n_outputs == 1:
        return [Html("weight")]
    names = (model.targets or range(model.n_outputs)) if model.numbers else map(_label, model.labels.tolist())
    return [name(each) for each in list(names)[:MOST_OUTPUTS]]


def _numbers(values: np.ndarray) -> Iterator[str]:
    return (f"{value:.4g}" for value in values[:MOST_OUTPUTS].tolist())


def _layers(model: Model) -> Html:
    lines = [
        (f"layer {k}", f"{weights.shape[0]:,}", f"{weights.shape[1]:,}", how, f"{weights.size + biases.size:,}")
        for k, (weights, biases, how) in enumerate(model._layers[:MOST_LINES], 1)
    ]
    return table(("layer", "inputs", "units", "activation", "weights and biases"), lines, model)


def _trained(model: Model) -> Html:
    """The options and the outcome that the model keeps of its training."""
    known = [(option, model.training.get(option)) for option in OPTIONS]
    pairs = [(option.replace("_", " "), _value(value)) for option, value in known if _is_plain(value)]
    if model.output == SIGMOID and model.threshold != 0.5:
        pairs.append(("threshold", f"{model.threshold:g}"))
    return paragraph(", ".join(" ".join(pair) for pair in pairs), "soft") if pairs else Html("")


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != 0


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
