"""What `train` says at its end: what was read and used and how, how good the model is, and what to do next."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, Group
from rich.table import Table as Grid
from rich.text import Text

from tinynet_fast.markup import elements as markup
from tinynet_fast.markup.curves import charts
from tinynet_fast.models import Neuron
from tinynet_fast.rows.messages import escaped, printable
from tinynet_fast.tables.report_html import parts
from tinynet_fast.training.view import losses_chart, names_of_losses

TableResult = Any  # `train.TableResult`, which imports this module
MOST_COLUMNS = 12  # columns that the summary names
MOST_LABELS = 8
OF_LOSSES = {  # what a model of numbers predicts
    "squared_error": "as a number: its mean",
    "huber": "as a number: its mean, with large errors counting less",
    "absolute_error": "as a number: its median",
    "quantile": "as a number: a quantile of it",
    "poisson": "as a count: its mean",
}


def learned(model: Any) -> str:
    """Which labels the model tells apart, or which number it predicts."""
    if model.numbers:
        target = model.training.get("target") or "the target"
        return f"{printable(str(target))}, {OF_LOSSES.get(model.training.get('loss'), 'as a number')}"
    labels = [printable(str(label)) for label in model.labels.tolist()]  # on one line each
    if len(labels) == 2:
        return f"P({labels[1]}), the probability of {labels[1]}; the other label is {labels[0]}"
    more = f" and {len(labels) - MOST_LABELS} more" if len(labels) > MOST_LABELS else ""
    return f"a probability for each of {', '.join(labels[:MOST_LABELS])}{more}"


def print_summary(console: Console, result: TableResult, written: Iterable[str], data: str, model: Any) -> None:
    """Print what was read, learned and written, how good the model is, and what to do next."""
    console.print(_facts(result))
    if result.report is not None:
        console.print()
        console.print(f"On the {result.report.rows:,} rows {'held out' if result.held_out else 'of the other table'}:")
        console.print(result.report.scores())
    console.print()
    for line in written:
        console.print(line, soft_wrap=True)
    for line in _next_steps(result, data, model):
        console.print(line, soft_wrap=True)


def summary(result: TableResult) -> str:
    """The same as text of 80 columns, without what was written."""
    console = Console(width=80, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(_facts(result) if result.report is None else Group(_facts(result), "", result.report.scores()))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def facts(result: TableResult) -> Iterator[tuple[str, str]]:
    """What was read, learned and chosen: names, of which some are empty, and lines."""
    dropped = f"; {result.dropped:,} more left out for a missing value" if result.dropped else ""
    yield "rows", _rows(result) + dropped
    yield from _columns(result)
    yield "learned", learned(result.model)
    if result.decided:
        yield "", result.decided
    yield "model", _what(result)
    yield "options", result.reason
    if result.training.rate_search is not None:
        yield "", result.training.rate_search.reason


def _facts(result: TableResult) -> Grid:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts(result):
        grid.add_row(name, Text(escaped(text)))
    return grid


def result_html(result: TableResult) -> str:
    """What a notebook shows: the same, with how good the model is, its losses and its weights."""
    report, trial = result.report, result.trial
    head = markup.table((), facts(result), "Training on a table", kind="text")
    judged = () if report is None else parts(report)
    own, other = names_of_losses(trial.model)
    curves = [losses_chart("Training loss", own, [("training", trial.loss_history)])]
    if trial.validation_loss_history is not None:
        curves.append(losses_chart("Loss of the rows held out", other, [("held out", trial.validation_loss_history)]))
    return markup.frame(head, *judged, charts(*curves), result.model._repr_html_())


def _rows(result: TableResult) -> str:
    """How many rows were trained on and judged."""
    if result.report is None:
        return f"{result.rows:,} to train on; none held out to judge"
    if not result.held_out:
        return f"{result.rows:,} to train on; {result.report.rows:,} other rows to judge"
    split = f"{result.rows - result.held_out:,} to train on, {result.held_out:,} held out to judge"
    return f"{split}; then all {result.rows:,} to train on" if result.refit else split


def _columns(result: TableResult) -> Iterable[tuple[str, str]]:
    """What the columns are, a line for each kind."""
    kinds: dict[str, list[str]] = {"numbers": [], "yes or no": [], "levels": []}
    for name, what in result.columns.items():
        kind = "yes or no" if what.startswith("1 for ") else "levels" if " level" in what else "numbers"
        note = what.removeprefix("numbers").removeprefix(", ")
        note = note if kind != "yes or no" else note.partition(", ")[2]
        kinds[kind].append(printable(name, 30) + (f" ({note})" if note else ""))
    for kind, names in kinds.items():
        if names:
            yield kind, _some(names)
    if result.left_out:
        yield (
            "left out",
            _some([f"{printable(name, 30) or repr(name)} ({why})" for name, why in result.left_out.items()]),
        )
    if result.new:
        yield "new levels", _some([f"{printable(name, 30)} in {n:,} rows held out" for name, n in result.new.items()])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_COLUMNS} more" if len(names) > MOST_COLUMNS else ""
    return ", ".join(names[:MOST_COLUMNS]) + more


def _what(result: TableResult) -> str:
    model, training = result.model, result.training
    if isinstance(model, Neuron):
        kind = f"one neuron of {model.n_features} inputs"
    else:
        sizes = [len(biases) for biases in model.biases]
        hidden = f"hidden units {', '.join(map(str, sizes[:-1]))}" if len(sizes) > 1 else "no hidden units"
        kind = f"a network of {model.n_features} inputs, {hidden}, {sizes[-1]} output{'s' * (sizes[-1] > 1)}"
    best = "" if training.best_epoch is None else f", weights of epoch {training.best_epoch}"
    return f"{kind}; engine {training.engine}, {training.epochs:,} epochs in {training.seconds:.3f} s{best}"


def _next_steps(result: TableResult, data: str, model: Any) -> list[str]:
    steps = [f"next: tinynet-fast predict {model} NEW.csv, or tinynet-fast evaluate {model} OTHER.csv"]
    if not result.options.get("hidden") and not result.model.numbers:  # for numbers, a network was tried
        steps.append("      or train with --hidden 16, which can find what one neuron cannot")
    return steps
