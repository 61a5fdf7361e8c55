"""How good a model is on rows with known labels: calibration, thresholds, ROC, precision and recall, confusion.

Each picture takes a report, or a model with rows and their labels. If there are more than two labels, there is a curve
for each, one label against the rest.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinynet_fast.plots.drawing import (
    DARK,
    LIGHT,
    LONGEST,
    MIDDLE,
    Style,
    as_it_is,
    axes,
    in_legend,
    legend_below,
    legend_beside,
    matplotlib,
    named,
    style,
    thinned,
)
from tinynet_fast.plots.judged import Judged, judge
from tinynet_fast.training.checks import check_whole

MOST_COUNTS, MOST_TICKS = 12, 40  # labels of which the cells' counts, and the names, are written
SMALL = 0.5  # if all probabilities are below this, the axis ends a little above the largest


def calibration_curve(model: Any, X: Any = None, y: Any = None, ax: Any = None, *, bins: int = 10) -> Any:
    """Draw how often rows have a label, against the probability that the model predicted for them.

    Rows are sorted by probability and cut into `bins` parts of equal size (DeGroot and Fienberg, The Statistician 32,
    1983). If the model's probabilities are right, the curve lies on the diagonal.

    Parameters
    ----------
    model : Report, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows that the model was not trained on, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional
    bins : int
        The number of parts; if there are fewer rows, each row is a part.

    Returns
    -------
    Axes
        For two labels, the curve of the second, with bars of two standard errors of each share. If all probabilities
        are small, the axes end a little above the largest.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.calibration_curve(model, X, y).get_xlabel()
    'predicted probability of 1'
    """
    ax = axes(ax)
    bins = check_whole("bins", bins)
    judged = judge(model, X, y)
    top = 0.0
    ax.plot([0, 1], [0, 1], color="0.5", linestyle=":", label="perfect calibration")
    for i, how in _curves(judged):
        probability, true = judged.probabilities[:, i], judged.codes == i
        parts = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(true)))
        predicted = np.array([probability[part].mean() for part in parts])
        share = np.array([true[part].mean() for part in parts])
        error = 2.0 * np.sqrt(share * (1.0 - share) / [len(part) for part in parts])
        top = max(top, float(np.max(share + error)), float(np.max(predicted)))
        look = {"color": how.colour, "marker": how.marker, "linestyle": how.line}
        if len(judged.drawn) == 1:
            ax.errorbar(predicted, share, yerr=error, capsize=3, label=f"rows, in {len(parts)} equal parts", **look)
        else:
            ax.plot(predicted, share, label=_name(judged, i), **look)
    limits = (-0.02 * top, 1.08 * top) if 0.0 < top < SMALL else (-0.02, 1.02)
    label = _one_label(judged)
    ax.set(xlabel=f"predicted probability{label and f' of {label}'}", ylabel=f"share that is {label or 'the label'}")
    ax.set(title="Calibration", xlim=limits, ylim=limits, aspect="equal")
    ax.locator_params(nbins=6)
    legend_beside(ax)
    return ax


def thresholds(model: Any, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw precision, recall and accuracy of the second label for every threshold.

    Parameters
    ----------
    model : Report, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        The curves end at the largest probability. Above it no row is predicted to have the label, so there is no
        precision. For more than two labels: precision and recall of each.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.thresholds(model, X, y).get_xlabel()
    'threshold on the probability of 1'
    """
    ax = axes(ax)
    judged = judge(model, X, y)
    two, n, top = len(judged.drawn) == 1, len(judged.codes), 0.0
    for i, how in _curves(judged):
        limit, called, hit = judged.counts(i)
        total = float(hit[-1])
        top = max(top, float(limit[0]))
        precision, recall = hit / called, hit / max(total, 1.0)
        curves: list[tuple[str | None, np.ndarray, str, str]] = [
            ("precision" if two else _name(judged, i), precision, "-", DARK if two else how.colour),
            ("recall" if two else None, recall, "--", MIDDLE if two else how.colour),
        ]
        if two:
            curves.append(("accuracy", (hit + (n - total) - (called - hit)) / n, "-.", LIGHT))
        at = thinned(len(limit))
        for label, values, line, colour in curves:
            shown = {"linestyle": line, "color": colour, "label": label}
            ax.plot(limit[at], values[at], drawstyle="steps-post", **shown)
    right = 1.05 * top if 0.0 < top < SMALL else 1.02
    if judged.threshold is not None:
        none = "" if judged.threshold <= right else " (larger than all)"
        label = f"threshold {judged.threshold:g}{none}"
        place = [judged.threshold] * 2 if not none else [np.nan] * 2
        ax.plot(place, [0, 1], color="0.5", linestyle=":", label=label, transform=ax.get_xaxis_transform())
    else:
        for what, line in (("precision", "-"), ("recall", "--")):
            ax.plot([], [], color="0.4", linestyle=line, label=what)
    label = _one_label(judged)
    ax.set(xlabel=f"threshold on the probability of {label or 'each label'}", ylabel="share of rows")
    ax.set(title="Threshold against precision and recall", xlim=(-0.02 * right / 1.02, right), ylim=(-0.02, 1.02))
    legend_below(ax) if two else legend_beside(ax)
    return ax


def roc(model: Any, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw the share of the rows with a label that are predicted to have it, against the same share of other rows.

    Parameters
    ----------
    model : Report, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        The legend names the area under each curve. For two labels, a dot shows the model's threshold.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.roc(model, X, y).get_xlabel()
    'false positive rate: others called 1'
    """
    ax = axes(ax)
    judged = judge(model, X, y)
    ax.plot([0, 1], [0, 1], color="0.5", linestyle=":", label="chance")
    drawn = False
    for i, how in _curves(judged):
        _, called, hit = judged.counts(i)
        total, others = hit[-1], called[-1] - hit[-1]
        if total == 0 or others == 0:
            continue
        x, height = np.append(0.0, (called - hit) / others), np.append(0.0, hit / total)
        area = float(np.sum(np.diff(x) * (height[1:] + height[:-1]) / 2.0))
        drawn = True
        label = f"AUC {area:.3f}" if len(judged.drawn) == 1 else _name(judged, i, f" {area:.3f}")
        at = thinned(len(x))
        ax.plot(x[at], height[at], color=how.colour, linestyle=how.line, label=label)
    if judged.threshold is not None and drawn:
        called, true = judged.predicted == 1, judged.codes == 1
        point = np.mean(called[~true]), np.mean(called[true])
        _dot(ax, judged, point)
    _say_if_empty(ax, drawn)
    label = _one_label(judged)
    about = (f": others called {label}", f": {label} that is found") if label else ("", "")
    ax.set(xlabel=f"false positive rate{about[0]}", ylabel=f"true positive rate{about[1]}")
    ax.set(title="ROC curve", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    legend_beside(ax)
    return ax


def precision_recall(model: Any, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw precision (the share of the rows predicted to have a label that have it) against recall.

    Recall is the share of the rows with the label that are predicted to have it.

    Parameters
    ----------
    model : Report, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        The legend names the average precision (AP): the mean of the precisions at which each row with the label is
        found. For two labels, a dot shows the model's threshold, and a line the share of the label among all rows.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.precision_recall(model, X, y).get_xlabel()
    'recall of 1'
    """
    ax = axes(ax)
    judged = judge(model, X, y)
    drawn = False
    for i, how in _curves(judged):
        _, called, hit = judged.counts(i)
        if hit[-1] == 0:
            continue
        drawn = True
        precision, recall = hit / called, hit / hit[-1]
        average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
        label = f"AP {average:.3f}" if len(judged.drawn) == 1 else _name(judged, i, f" {average:.3f}")
        at = thinned(len(recall))
        shown = {"color": how.colour, "linestyle": how.line, "label": label, "drawstyle": "steps-pre"}
        marker = how.marker if len(recall) == 1 else None  # a line needs two points
        ax.plot(recall[at], precision[at], marker=marker, **shown)
        if len(judged.drawn) == 1:
            share = hit[-1] / called[-1]
            ax.axhline(share, color="0.5", linestyle=":", label=f"share {share:.3g}")
    if judged.threshold is not None and drawn and (judged.predicted == 1).any():
        called, true = judged.predicted == 1, judged.codes == 1
        point = np.mean(called[true]), np.mean(true[called])
        _dot(ax, judged, point)
    _say_if_empty(ax, drawn)
    label = _one_label(judged)
    of = f" of {label}" if label else ""
    ax.set(xlabel=f"recall{of}", ylabel=f"precision{of}", title="Precision and recall")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    legend_beside(ax)
    return ax


def confusion(model: Any, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw how many rows of each label are predicted to have each label.

    Parameters
    ----------
    model : Report, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        Cells are shaded by the share of the rows of the true label. Their counts are written if there are up to 12
        labels.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.confusion(model, X, y).get_title()
    'Confusion matrix'
    """
    ax = axes(ax)
    judged = judge(model, X, y)
    k = len(judged.labels)
    counts = np.bincount(judged.codes * k + judged.predicted, minlength=k * k).reshape(k, k)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    blues = matplotlib().colors.LinearSegmentedColormap.from_list("blues", ["#ffffff", DARK])
    shading = ax.imshow(share, cmap=blues, vmin=0.0, vmax=1.0)
    ax.figure.colorbar(shading, ax=ax, label="share of the rows of the true label")
    if k <= MOST_COUNTS:
        size = 11 if k <= 4 else 9 if k <= 8 else 7
        for i, j in np.ndindex(k, k):
            colour = "white" if share[i, j] > 0.5 else DARK
            ax.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", color=colour, fontsize=size)
    every = -(-k // MOST_TICKS)
    names = [as_it_is(label, LONGEST if k <= 4 else 12) for label in judged.labels[::every]]
    long = sum(map(len, names)) > 30
    ax.set_xticks(np.arange(0, k, every), names, rotation=90 if long else 0)
    ax.set_yticks(np.arange(0, k, every), names)
    if k > MOST_COUNTS:
        ax.tick_params(labelsize=6)
    ax.set(xlabel="predicted", ylabel="true", title="Confusion matrix")
    return ax


def _curves(judged: Judged) -> Iterator[tuple[int, Style]]:
    """The labels that have a curve, and the curve's style."""
    for k, i in enumerate(judged.drawn):
        yield i, style(k)


def _name(judged: Judged, i: int, more: str = "") -> str | None:
    """What the legend calls the curve of label i of more than two."""
    return named(i, [in_legend(label) for label in judged.labels], more)


def _one_label(judged: Judged) -> str:
    """The name of the second of two labels; nothing if there are more."""
    return as_it_is(judged.labels[1], LONGEST) if len(judged.labels) == 2 else ""


def _dot(ax: Any, judged: Judged, point: tuple[Any, Any]) -> None:
    """Show where the model's threshold is on a curve."""
    how = {"marker": "o", "color": MIDDLE, "linestyle": "none", "clip_on": False, "zorder": 4}
    ax.plot(*point, label=f"threshold {judged.threshold:g}", **how)


def _say_if_empty(ax: Any, drawn: bool) -> None:
    if not drawn:
        ax.text(0.5, 0.5, "undefined: the rows\nhave one label only", ha="center", va="center", backgroundcolor="white")
