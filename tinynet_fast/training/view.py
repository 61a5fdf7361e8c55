"""What a notebook shows of a training, a search for a rate, a sweep and a bootstrap: small tables and curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.markup.curves import LOOKS, Axis, Curve, chart, charts
from tinynet_fast.markup.elements import MOST_LINES, Html, facts, frame, name, paragraph, strong, table
from tinynet_fast.models import Neuron

Result = Any  # the classes of `result.py`, `sweep_result.py` and so on, which import this module

START = 0.1  # the part of the epochs that counts as the first ones
MANY = 50  # epochs from which on their axis may be logarithmic
STEEP = 0.2  # it is if the epochs after the first ones change the loss by less than this part of its range
WIDE = 10.0  # losses have a logarithmic axis if the largest is this many times the smallest
BEYOND = 20.0  # losses of a search are drawn up to this many times the least


def names_of_losses(model: Any) -> tuple[str, str]:
    """What the training loss and the validation loss of a model are."""
    loss, neuron = str(model.training.get("loss", "squared_error")), isinstance(model, Neuron)
    if model.numbers or model.output == "margin":
        what = "squared error" if loss == "squared_error" else f"{loss.replace('_', ' ')} loss"
        total = "sum of squared errors" if loss == "squared_error" else f"sum of the {what}"
        unit = " [in deviations]" if model.training.get("standardize_y") else ""
        return (total if neuron else f"mean {what}") + unit, f"mean {what}"
    if neuron:
        return "sum of squared errors", "log loss [nats a row]"
    if loss in ("squared_error", "focal"):
        return f"mean {loss.replace('_', ' ')}", "log loss [nats a row]"
    return "mean cross-entropy [nats a row]", "mean cross-entropy [nats a row]"


def first_epochs(curves: Sequence[np.ndarray]) -> int:
    """How many epochs count as the first ones."""
    return max(1, int(START * max(map(len, curves))))


def is_early(curves: Sequence[np.ndarray]) -> bool:
    """Whether nearly all of the change is in the first of many epochs."""
    later = np.concatenate([curve[first_epochs(curves) :] for curve in curves])
    shown = np.concatenate(curves)
    later, shown = later[np.isfinite(later)], shown[np.isfinite(shown)]
    return bool(len(curves[0]) >= MANY and len(later) and np.ptp(later) < STEEP * np.ptp(shown))


def result_html(result: Result) -> str:
    """Show the outcome, the curves of the losses, and the model."""
    own, other = names_of_losses(result.model)
    validation = result.validation_loss_history
    rate, best = result.learning_rate, result.best_epoch
    last = len(result.loss_history) - 1
    shown = [
        ("rows", f"{result.rows:,}" + (f", and {result.dropped_rows:,} left out" if result.dropped_rows else "")),
        ("epochs", f"{result.epochs:,}" + ("" if best is None else f"; the model has the weights of epoch {best:,}")),
        (own, f"{result.loss_history[0]:.6g} in the first epoch, {result.loss_history[-1]:.6g} in the last"),
        (f"validation {other}", None if validation is None else f"{validation[last if best is None else best]:.6g}"),
        ("learning rate", None if rate is None else f"{rate:.6g}"),
        ("search", None if result.rate_search is None else result.rate_search.reason),
        ("engine", f"{result.engine!s}, {result.seconds:.3g} seconds"),
        ("side by side", None if result.certificate is None else result.certificate.meaning),
        ("seed", result.seed),
    ]
    losses = [losses_chart("Training loss", own, [("training", result.loss_history)])]
    if validation is not None:
        curve = ("validation", validation)
        if own == other:
            losses = [losses_chart("Loss", own, [("training", result.loss_history), curve])]
        else:
            losses.append(losses_chart("Validation loss", other, [curve]))
    return frame(facts(shown, "Training"), charts(*losses), Html(result.model._repr_html_()))


def losses_chart(title: str, what: str, curves: Sequence[tuple[str, np.ndarray]], log: bool = False) -> Html:
    """Losses by epoch, counted from 1 so that the axis of epochs can be logarithmic."""
    drawn = [Curve(label, np.arange(1.0, len(losses) + 1.0), losses) for label, losses in curves]
    x = Axis("epoch (log)" if (early := is_early([losses for _, losses in curves])) else "epoch", early)
    return chart(title, drawn, x, Axis(what, log, None if log else _bottom([losses for _, losses in curves])))


def _bottom(curves: Sequence[np.ndarray]) -> float | None:
    """An axis of losses starts at 0 unless that hides how they change."""
    shown = np.concatenate(curves)
    shown = shown[np.isfinite(shown)]
    return 0.0 if len(shown) and 0.0 <= shown.min() < 0.6 * shown.max() else None


def search_html(search: Result) -> str:
    """Show which rate was kept, why, and the loss of each rate."""
    most = BEYOND * float(np.nanmin(np.abs(search.losses)) if np.isfinite(search.losses).any() else 1.0)
    curve = Curve("loss", search.rates, np.where(search.losses > most, np.nan, search.losses))
    return frame(
        paragraph(search.reason),
        charts(chart(f"Mean {search.loss} by rate", [curve], Axis("learning rate (log)", log=True), Axis(search.loss))),
    )


def sweep_html(result: Result) -> str:
    """Show the best models in a table, and the losses of a few."""
    scores = result.scores()
    order = np.argsort(scores, kind="stable")[:MOST_LINES] * (len(result) // len(scores))
    lines = []
    for i in order.tolist():
        cells = [*result.cells(i), result.remark(i)]
        lines.append([strong(cell) for cell in cells] if i == result.best else cells)
    few = f"; the {MOST_LINES} best of {len(scores):,} combinations" if len(scores) > MOST_LINES else ""
    kept = [int(i) for i in order[: len(LOOKS)] if not result.diverged[i]]
    curves = [(result.name(i), result.loss_history[:, i]) for i in kept]
    return frame(
        table(result.columns, lines, f"{result.title}{few}"),
        charts(losses_chart(f"Loss of the best{' few' * (len(kept) > 1)}", result.loss_name, curves, _is_wide(curves)))
        if curves
        else "",
    )


def _is_wide(curves: Sequence[tuple[str, np.ndarray]]) -> bool:
    losses = np.concatenate([losses for _, losses in curves])
    shown = losses[np.isfinite(losses) & (losses > 0.0)]
    return bool(len(shown) and shown.max() > WIDE * shown.min())


def bootstrap_html(result: Result) -> str:
    """Show weights with their standard errors and intervals: all, or the largest of many."""
    weights = result.model.weights
    order = np.arange(len(weights))
    if len(weights) > MOST_LINES:
        order = np.argsort(-np.abs(weights), kind="stable")[:MOST_LINES]
    lines = result.lines()
    chosen = [lines[j] for j in [*order.tolist(), len(weights)]]
    few = f"; the {MOST_LINES} largest of {len(weights):,} weights" if len(weights) > MOST_LINES else ""
    about = f"learning rate {result.learning_rate:.6g}, l2 {result.l2:.6g}, seed {result.seed}"
    columns = ("input", *result.columns()[1:])
    shown = ([name(each), *cells] for each, *cells in chosen)
    return frame(table(columns, shown, f"{result.title}{few}"), paragraph(about, "soft"))
