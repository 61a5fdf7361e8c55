"""Losses by epoch: of one run, and of each learning rate of a sweep."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.plots.drawing import DARK, MIDDLE, MOST_NAMED, STYLES, axes, legend_below, matplotlib
from tinynet_fast.training.view import WIDE, first_epochs, is_early, names_of_losses

FEWEST = 5  # epochs from which on the first ones may be cut off
TOO_HIGH = 3.0  # they are cut off if they are this many times as high as all later ones
FLAT = 0.6  # the axis starts at 0 if the lowest loss is below this part of the highest
DEEPEST = 1e-6  # how far below the largest loss such an axis goes


def loss_curves(result: Any, ax: Any = None) -> Any:
    """Draw the training loss of each epoch and, if there were validation rows, their loss.

    Parameters
    ----------
    result : TrainingResult, or (epochs,) array
        The result of `train_neuron` or `train_mlp`, or the losses alone.
    ax : matplotlib Axes, optional
        Where to draw. The default is a new figure.

    Returns
    -------
    Axes
        A neuron's training loss is a sum of squared errors, and its validation loss a mean log loss. So the second one
        has its own axis, on the right; also with numbers, if the first is a sum and the second a mean. If the first
        epochs are much higher than all later ones, they are cut off, and the title says so. If the losses change
        little, the axis does not start at 0. If nearly all of the change is in the first of many epochs, the axis of
        epochs is logarithmic.

    Examples
    --------
    >>> from tinynet_fast import plots, train_neuron
    >>> result = train_neuron([1, 2, 3, 4], [0, 0, 1, 1], epochs=100)
    >>> plots.loss_curves(result).get_xlabel()
    'epoch'
    """
    if isinstance(result, (np.ndarray, list, tuple)):
        return _losses_alone(np.asarray(result, dtype=np.float64), axes(ax))
    check_result(result, "model", "loss_curves takes what train_neuron or train_mlp returns")
    ax = axes(ax)
    epochs = np.arange(len(result.loss_history))
    name, other_name = names_of_losses(result.model)
    squared = name != other_name  # two axes
    marker = "o" if len(epochs) == 1 else None  # a line needs two points
    lines = ax.plot(epochs, result.loss_history, color=DARK, marker=marker, label="training")
    ax.set(xlabel="epoch", ylabel=name)
    left: list[np.ndarray] = [result.loss_history]
    right: list[np.ndarray] = []
    if result.validation_loss_history is not None:
        other = ax.twinx() if squared else ax
        (right if squared else left).append(result.validation_loss_history)
        how = {"color": MIDDLE, "linestyle": "--", "marker": marker}
        lines += other.plot(epochs, result.validation_loss_history, label="validation", **how)
        if squared:
            other.set_ylabel(f"validation {other_name}", color=MIDDLE)
        if result.best_epoch is not None:
            label = f"best: epoch {result.best_epoch}"
            lines.append(ax.axvline(result.best_epoch, color="0.5", linestyle=":", label=label))
        legend_below(ax, handles=lines)
    cut = fit_losses(ax, left)
    if right:
        cut += fit_losses(other, right)
    ax.set_title("Loss by epoch" + (f"\n(the first epochs, up to {', '.join(cut)}, are cut off)" if cut else ""))
    return ax


def _losses_alone(losses: np.ndarray, ax: Any) -> Any:
    ax.plot(np.arange(len(losses)), losses, color=DARK, marker="o" if len(losses) == 1 else None)
    cut = fit_losses(ax, [losses])
    ax.set(xlabel="epoch", ylabel="loss")
    ax.set_title("Loss by epoch" + (f"\n(the first epochs, up to {cut[0]}, are cut off)" if cut else ""))
    return ax


def fit_losses(ax: Any, curves: Sequence[np.ndarray]) -> list[str]:
    """Limit the axis of losses so that the curves fill it; the axis of epochs too, if most happens in the first ones.

    Returns
    -------
    list of str
        The highest loss, if the first epochs are cut off; otherwise nothing.
    """
    cut: list[str] = []
    shown = np.concatenate(curves)
    shown = shown[np.isfinite(shown)]
    later = np.concatenate([curve[first_epochs(curves) :] for curve in curves])
    later = later[np.isfinite(later)]
    if len(shown) == 0:
        return cut
    if len(curves[0]) >= FEWEST and len(later) and 0.0 < TOO_HIGH * later.max() < shown.max():
        cut, shown = [f"{shown.max():,.4g}"], later
    low, high = float(shown.min()), float(shown.max())
    if not cut and is_early(curves):
        ax.set_xscale("symlog", linthresh=1.0, linscale=0.3)
        ax.set_xlim(-0.1, len(curves[0]))
        ax.xaxis.set_major_formatter("{x:g}")
    elif ax.get_xscale() == "linear":
        ax.xaxis.get_major_locator().set_params(integer=True)  # epochs are whole
    margin = 0.05 * (high - low) or 0.05 * high or 1.0
    ax.set_ylim(low - margin if FLAT * high < low < high else 0.0, high + margin)
    return cut


def learning_rates(result: Any, ax: Any = None) -> Any:
    """Draw the loss of each epoch for each learning rate of a sweep, as in the tutorials' learning-rate lab.

    Parameters
    ----------
    result : SweepResult or MLPSweepResult
        The result of `sweep` or `sweep_mlp`. Models of cross-validation folds are not drawn.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        The best model's curve is thick and named in the legend. If a model diverged, its curve ends in a cross at its
        last finite loss. If its steps can overshoot, the legend calls it unstable. If the losses differ by a factor of
        more than 10, the axis is logarithmic.

    Examples
    --------
    >>> from tinynet_fast import plots, sweep
    >>> result = sweep([1, 2, 3, 4], [0, 0, 1, 1], learning_rate=[0.01, 0.1, 0.5], epochs=100)
    >>> len(plots.learning_rates(result).lines)
    3
    """
    check_result(result, "fold", "learning_rates takes what sweep returns")
    ours, ax = ax is None, axes(ax)
    chosen = np.flatnonzero(result.fold < 0)
    epochs = np.arange(result.epochs)
    shades = matplotlib().colormaps["viridis"](np.linspace(0.0, 0.85, len(chosen)))
    networks = not hasattr(result, "unstable")
    for k, i in enumerate(chosen):
        loss, best = result.loss_history[:, i], i == result.best
        name = result.name(int(i))
        remark = " (diverged)" if result.diverged[i] else " (best)" if best else ""
        if not (remark or networks) and result.unstable[i]:
            remark = " (unstable)"
        style = {"color": shades[k], "linestyle": STYLES[k % len(STYLES)], "linewidth": 3.0 if best else 1.5}
        shown = len(chosen) <= MOST_NAMED or best
        marker = "o" if result.epochs == 1 else None
        ax.plot(epochs, loss, label=name + remark if shown else None, marker=marker, zorder=3 if best else 2, **style)
        if result.diverged[i]:
            last = np.flatnonzero(np.isfinite(loss))[-1:]
            ax.plot(epochs[last], loss[last], "x", color=shades[k], markersize=10, markeredgewidth=2, zorder=4)
    loss = "mean loss of the epoch" if networks else "total loss (sum of squared errors)"
    ax.set(xlabel="epoch", ylabel=loss, title="Loss by learning rate")
    _fit_sweep(ax, result.loss_history[:, chosen])
    legend_below(ax, grow=ours, title="options" if networks else "learning rate")
    return ax


def _fit_sweep(ax: Any, losses: np.ndarray) -> None:
    """Limit the axis so that every curve can be seen: a logarithmic one if the losses differ much."""
    shown = losses[np.isfinite(losses) & (losses > 0.0)]
    fit_losses(ax, list(losses.T))
    if len(shown) and shown.max() > WIDE * shown.min():
        ax.set_yscale("log")
        ax.set_ylim(bottom=max(float(shown.min()), DEEPEST * float(shown.max())) / 1.2, top=1.2 * float(shown.max()))


def check_result(result: Any, name: str, message: str) -> None:
    """ValueError with the message if a result has no loss history or lacks the attribute `name`."""
    if not (hasattr(result, "loss_history") and hasattr(result, name)):
        raise ValueError(f"{message}, and this is a {type(result).__name__}")
