"""`tinynet-fast trace`: the first step of a tutorial's problem, or a model's next step on rows of a file."""

import os
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.models import MLP, Ensemble, Neuron, OneVsRest, load
from tinynet_fast.models.outputs import output_of
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.proof.trace_torch import torch_gradients
from tinynet_fast.proof.trace_view import MLPTrace, NeuronTrace
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.datasets import exam_scores, height_weight, study_hours
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import target_in
from tinynet_fast.rows.kept import read_whole
from tinynet_fast.rows.numbers import read_numbers
from tinynet_fast.scoring import open_for
from tinynet_fast.training.checks import check_whole
from tinynet_fast.training.losses import LABELS, LINEAR, choose_loss

NUMBERS_RATE = 0.01  # at 0.1 a step of the exam scores would overshoot

Path = str | os.PathLike[str]


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
    separator: str | None = None,
    encoding: str | None = None,
    output: str | None = None,
    loss: str | None = None,
    delta: float | None = None,
    quantile: float | None = None,
    gamma: float | None = None,
) -> NeuronTrace | MLPTrace:
    """Trace the first step of a tutorial's problem, or the next step of a model on rows of a file.

    Parameters
    ----------
    model, data : path, optional
        A model file, and a file of any format with rows. Give both, or neither for the tutorials' problems.
    target : str, optional
        The column with the labels or numbers. The default is the one that the model was trained on.
    row, rows : int
        The first data row, counted from 1, and how many rows make a network's batch.
    learning_rate : float, optional
        The default is 0.1 for a neuron, 0.15 for a network, and 0.01 if numbers are learned.
    network : bool
        Without a model: trace the network on the four rows of heights and weights, not the neuron on its first row. If
        numbers are learned, it is the six rows of exam scores.
    torch : bool
        Put PyTorch's gradients into the trace.
    drop_missing : bool
        Leave out rows of the file with a missing value. The other rows keep their numbers.
    separator, encoding : str, optional
        Of a CSV file, for a model that was trained on a table. By default they are found.
    output, loss, delta, quantile, gamma : optional
        Without a model: what is learned, and by which loss, as for `train_neuron`. A model's file says it.

    Raises
    ------
    ValueError
        If options do not go together; and whatever reading, tracing and PyTorch raise.
    """
    check_whole("row", row)
    check_whole("rows", rows)
    given = {"output": output, "loss": loss, "delta": delta, "quantile": quantile, "gamma": gamma}
    learned = {name: value for name, value in given.items() if value is not None}
    rate: dict[str, Any] = {} if learning_rate is None else {"learning_rate": learning_rate}
    trace: NeuronTrace | MLPTrace
    if model is not None and data is not None:
        reading = {"drop_missing": drop_missing, "separator": separator, "encoding": encoding}
        if learned:
            raise ValueError(f"{model} says what it learned, and by which loss: leave {next(iter(learned))} out")
        fitted = _traceable(model, many=network or rows != 1)
        target = target or fitted.training.get("target")
        if target is None:
            raise ValueError(f"{model} does not say which column of {data} it learns: name the target")
        trace = _next_step(fitted, *_chosen_rows(fitted, data, target, row, rows, reading), rate)
    elif model is not None or data is not None or target is not None:
        raise ValueError("a step on your own rows needs a model file and a file of rows: name both")
    elif row != 1 or rows not in (1, 4 if network else 1):
        raise ValueError(f"row={row}, rows={rows} choose rows of a file: name one, and a model file")
    else:
        trace = (_first_network_step if network else _first_neuron_step)(rate, learned)
    if not torch:
        return trace
    if isinstance(trace, NeuronTrace):  # both lines are the same, for two types
        return replace(trace, torch=torch_gradients(trace))
    return replace(trace, torch=torch_gradients(trace))


def _first_neuron_step(rate: dict[str, Any], learned: dict[str, Any]) -> NeuronTrace:
    numbers = learned.get("output") == LINEAR
    table = exam_scores() if numbers else study_hours()
    options = ({"learning_rate": NUMBERS_RATE} if numbers else {}) | rate | learned
    return replace(trace_neuron(table.X[0], table.y[0], weights=0.1, **options), features=table.features)


def _first_network_step(rate: dict[str, Any], learned: dict[str, Any]) -> MLPTrace:
    numbers = learned.get("output") == LINEAR
    table = exam_scores() if numbers else height_weight()
    options = ({"learning_rate": NUMBERS_RATE} if numbers else {}) | rate | learned
    draw = np.random.RandomState(42)
    weights = [draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3]
    trace = trace_mlp(table.X, table.y, weights=weights, biases=[np.zeros(4), np.zeros(1)], **options)
    return replace(trace, features=table.features)


def _traceable(model: Path, many: bool) -> Neuron | MLP:
    """Load the model; ValueError if it has several outputs, or is a neuron and `many` rows are asked for."""
    fitted = load(model)
    if isinstance(fitted, (Ensemble, OneVsRest)):
        raise ValueError(f"{model} is several models, and a step is traced for one: save one of its members")
    if isinstance(fitted, Neuron) and many:
        raise ValueError(f"{model} is one neuron, which learns from one row at a time: leave network and rows out")
    if len(fitted.labels) > 2:
        raise ValueError(f"{model} knows {len(fitted.labels)} labels; a step is traced for two")
    if fitted.n_outputs > 1:
        raise ValueError(f"{model} predicts {fitted.n_outputs} numbers; a step is traced for one")
    return fitted


def _learned_by(fitted: Neuron | MLP) -> dict[str, Any]:
    """The output and the loss of a model, as options of a step. The usual loss of the output if its file names none."""
    of = LINEAR if fitted.numbers else LABELS
    names = [name for name in LOSSES[of] if output_of(choose_loss(name, of), 2) == fitted.output]
    name = fitted.training.get("loss")
    name = name if name in names else names[0]
    shape = LOSSES[of][name].shape
    options = {"output": LINEAR if fitted.numbers else None, "loss": name}
    return options | ({shape: fitted.training[shape]} if shape in fitted.training else {})


def _next_step(
    fitted: Neuron | MLP, X: np.ndarray, y: np.ndarray, names: list[str], rate: dict[str, Any]
) -> NeuronTrace | MLPTrace:
    y = y if fitted.numbers else encode_known(y, fitted.labels, len(X))
    learned = ({"learning_rate": NUMBERS_RATE} if fitted.numbers else {}) | _learned_by(fitted) | rate
    if isinstance(fitted, Neuron):
        return replace(trace_neuron(X[0], y[0], weights=fitted.weights, bias=fitted.bias, **learned), features=names)
    layers: dict[str, Any] = {"weights": fitted.weights, "biases": fitted.biases, "activation": fitted.activation}
    return replace(trace_mlp(X, y, **layers, **learned), features=names)


def _chosen_rows(
    fitted: Neuron | MLP, data: Path, target: str, row: int, rows: int, reading: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read the rows' inputs, their labels or numbers, and the inputs' names; TableError if the model cannot learn from
    these rows."""
    source = open_for(fitted, data, y=target_in(data, target), dense=True, **reading)
    table = read_whole(source)
    assert table is not None
    first = int(np.searchsorted(table.rows, row - 1))
    stop = first + rows
    if stop > len(table):
        whole = " without missing values" if table.dropped else ""
        raise TableError(f"{data}: there is no row {row - 1 + rows}; it has {len(table)} rows{whole}")
    if table.rows[first] != row - 1:
        raise TableError(f"{data}: row {row} has a missing value: choose another row")
    names = fitted.features or table.names or [f"x{j}" for j in range(fitted.n_features)]
    true = _numbers if fitted.numbers else _known_labels
    return table.X[first:stop], true(fitted, table, first, stop, target), names


def _known_labels(fitted: Neuron | MLP, table: Any, first: int, stop: int, target: str) -> np.ndarray:
    low, high = fitted.labels.tolist()
    labels: np.ndarray = table.y[first:stop]
    for i, label in enumerate(labels.tolist(), first):
        if label not in (low, high):
            place = f"{table.where(i)}, column {target!r}"
            raise TableError(f"{place}: unknown label {label!r}; the model knows {low!r} and {high!r}")
    return labels


def _numbers(fitted: Neuron | MLP, table: Any, first: int, stop: int, target: str) -> np.ndarray:
    try:
        return read_numbers(table.y[first:stop], stop - first, fitted.n_outputs)
    except ValueError as error:
        raise TableError(f"{table.where(first)}, column {target!r}: {error}") from None
