"""Pictures of training and of models. Each function draws on a matplotlib `Axes` and returns it.

Curves and labels differ in line style or marker, not only in colour, so that pictures can be read in greyscale.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.models import MLP, Neuron
from tinynet_fast.models.files import atomic_file
from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.frames import label_column, rows_for
from tinynet_fast.rows.messages import printable
from tinynet_fast.rows.sparse import is_sparse
from tinynet_fast.training.checks import check_whole

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
DARK, MIDDLE, LIGHT = "#1b2a49", "#c1440e", "#e6a817"
GRID = 200  # points along each axis of a picture of probabilities
MOST_POINTS = 5_000  # if there are more rows, every k-th one is drawn
MOST_NAMED = 12  # if there are more curves, only the best one is in the legend


def loss_curves(result: Any, ax: Any = None) -> Any:
    """Draw the training loss of each epoch and, if there were validation rows, their loss.

    Parameters
    ----------
    result : TrainingResult
        The result of `train_neuron` or `train_mlp`.
    ax : matplotlib Axes, optional
        Where to draw. The default is a new figure.

    Returns
    -------
    Axes
        A neuron's training loss is a sum of squared errors, and its validation loss a mean log loss. So the second one
        has its own axis, on the right.
    """
    _check_result(result, "model", "loss_curves takes what train_neuron or train_mlp returns")
    ax = _axes(ax)
    epochs = np.arange(len(result.loss_history))
    squared = isinstance(result.model, Neuron) or result.model.training.get("loss") == "squared_error"
    squares = "sum of squared errors" if isinstance(result.model, Neuron) else "mean squared error"
    name = squares if squared else "mean cross-entropy [nats a row]"
    marker = "o" if len(epochs) == 1 else None  # a line needs two points
    lines = ax.plot(epochs, result.loss_history, color=DARK, marker=marker, label="training")
    ax.set(xlabel="epoch", ylabel=name, title="Loss by epoch")
    if result.validation_loss_history is not None:
        other = ax.twinx() if squared else ax
        how = {"color": MIDDLE, "linestyle": "--", "marker": marker}
        lines += other.plot(epochs, result.validation_loss_history, label="validation", **how)
        if squared:
            other.set_ylabel("validation log loss [nats a row]")
            other.set_ylim(bottom=0.0)
        if result.best_epoch is not None:
            label = f"best: epoch {result.best_epoch}"
            lines.append(ax.axvline(result.best_epoch, color="0.5", linestyle=":", label=label))
        ax.legend(handles=lines)
    ax.set_ylim(bottom=0.0)
    return ax


def learning_rates(result: Any, ax: Any = None) -> Any:
    """Draw the total loss of each epoch for each learning rate of a sweep, as in the tutorials' learning-rate lab.

    Parameters
    ----------
    result : SweepResult
        The result of `sweep`. Models of cross-validation folds are not drawn.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        The best model's curve is thick and named in the legend. If a model diverged, its curve ends in a cross at its
        last finite loss. If its steps can overshoot, the legend calls it unstable.
    """
    _check_result(result, "fold", "learning_rates takes what sweep returns")
    ax = _axes(ax)
    chosen = np.flatnonzero(result.fold < 0)
    epochs = np.arange(result.epochs)
    shades = _matplotlib().colormaps["viridis"](np.linspace(0.0, 0.85, len(chosen)))
    several = {name: len(np.unique(getattr(result, name)[chosen])) > 1 for name in ("l2", "average")}
    for k, i in enumerate(chosen):
        loss, best = result.loss_history[:, i], i == result.best
        name = f"{result.learning_rate[i]:.4g}"
        name += f", l2 {result.l2[i]:.3g}" if several["l2"] else ""
        name += ", averaged" if several["average"] and result.average[i] else ""
        remark = (
            " (diverged)" if result.diverged[i] else " (best)" if best else " (unstable)" if result.unstable[i] else ""
        )
        style = {"color": shades[k], "linestyle": STYLES[k % len(STYLES)], "linewidth": 3.0 if best else 1.5}
        named = len(chosen) <= MOST_NAMED or best
        marker = "o" if result.epochs == 1 else None
        ax.plot(epochs, loss, label=name + remark if named else None, marker=marker, zorder=3 if best else 2, **style)
        if result.diverged[i]:
            last = np.flatnonzero(np.isfinite(loss))[-1:]
            ax.plot(epochs[last], loss[last], "x", color=shades[k], markersize=10, markeredgewidth=2, zorder=4)
    ax.set(xlabel="epoch", ylabel="total loss (sum of squared errors)", title="Loss by learning rate")
    ax.set_ylim(bottom=0.0)
    ax.legend(title="learning rate")
    return ax


def decision_boundary(model: Neuron | MLP, X: Any, y: Any, ax: Any = None) -> Any:
    """Draw rows, and the line at which the prediction of a model with one or two inputs changes.

    Parameters
    ----------
    model : Neuron or MLP
        For two labels, with one or two inputs.
    X : (n, 1) or (n, 2)
        The rows to draw. As for `predict`, columns are matched by name.
    y : (n,), or str
        Their labels, or the name of the column of `X` with the labels.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        One input: the probability as a curve, the rows at 0 and 1, and the threshold. Two inputs: the probability as
        shading, a line where it equals the threshold, and a marker for each row. If there are more than 5,000 rows,
        every k-th one is drawn.
    """
    ax = _axes(ax)
    rows, codes = _rows(model, X, y)
    if model.n_features > 2:
        raise ValueError(f"the model has {model.n_features} inputs; a boundary is drawn for one or two")
    names = model.features or (["input"] if model.n_features == 1 else ["first input", "second input"])
    names = [_as_it_is(name) for name in names]
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 1.0)
    edges = np.linspace(low - margin, high + margin, GRID)
    step = -(-len(rows) // MOST_POINTS)
    rows, codes = rows[::step], codes[::step]
    probability = f"probability of {_as_it_is(model.labels[1])}"
    if model.n_features == 1:
        ax.plot(edges[:, 0], model.predict_proba(edges), color=DARK, label="probability")
        ax.axhline(model.threshold, color="0.5", linestyle=":", label=f"threshold {model.threshold:g}")
        _scatter(ax, model, rows[:, 0], codes.astype(float), codes)
        ax.set(xlabel=names[0], ylabel=probability, title="Probability and rows", ylim=(-0.05, 1.05))
    else:
        _shade(ax, model, edges, probability)
        _scatter(ax, model, rows[:, 0], rows[:, 1], codes)
        ax.set(xlabel=names[0], ylabel=names[1], title="Decision boundary")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4)  # below the picture, away from the rows
    return ax


def _shade(ax: Any, model: Neuron | MLP, edges: np.ndarray, label: str) -> None:
    """Shade the probability of a model of two inputs over a grid, with a line at the threshold."""
    grid = np.stack(np.meshgrid(*edges.T), axis=-1)
    probability = model.predict_proba(grid.reshape(-1, 2)).reshape(GRID, GRID)
    extent = (*edges[[0, -1], 0], *edges[[0, -1], 1])
    greys = _matplotlib().colors.LinearSegmentedColormap.from_list("greys", ["1.0", "0.55"])
    shade = {"cmap": greys, "vmin": 0.0, "vmax": 1.0, "interpolation": "bilinear"}
    shading = ax.imshow(probability, extent=extent, origin="lower", aspect="auto", **shade)
    ax.figure.colorbar(shading, ax=ax, label=label, ticks=np.linspace(0, 1, 6))
    if probability.min() < model.threshold < probability.max():
        ax.contour(*np.moveaxis(grid, -1, 0), probability, levels=[model.threshold], colors=[DARK])
        ax.plot([], [], color=DARK, label=f"probability {model.threshold:g}")


def calibration_curve(model: Neuron | MLP, X: Any, y: Any, ax: Any = None, *, bins: int = 10) -> Any:
    """Draw how often rows have the second label, against the probability that the model predicted for them.

    Rows are sorted by probability and cut into `bins` parts of equal size (DeGroot and Fienberg, The Statistician 32,
    1983). If the model's probabilities are right, the curve lies on the diagonal.

    Parameters
    ----------
    model : Neuron or MLP
        For two labels.
    X, y
        Rows that the model was not trained on, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional
    bins : int
        The number of parts, or less if there are fewer rows.

    Returns
    -------
    Axes
        Bars show two standard errors of each share.
    """
    ax = _axes(ax)
    rows, codes = _rows(model, X, y)
    bins = check_whole("bins", bins)
    probability = model.predict_proba(rows)
    parts = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(rows)))
    said = np.array([probability[part].mean() for part in parts])
    share = np.array([codes[part].mean() for part in parts])
    error = 2.0 * np.sqrt(share * (1.0 - share) / [len(part) for part in parts])
    ax.plot([0, 1], [0, 1], color="0.5", linestyle=":", label="as said")
    ax.errorbar(said, share, yerr=error, color=DARK, marker="o", capsize=3, label=f"rows, in {len(parts)} equal parts")
    label = _as_it_is(model.labels[1])
    ax.set(xlabel=f"probability of {label}, as said", ylabel=f"share that is {label}")
    ax.set(title="Calibration", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ax.legend(loc="upper left")
    return ax


def thresholds(model: Neuron | MLP, X: Any, y: Any, ax: Any = None) -> Any:
    """Draw precision, recall and accuracy of the second label for every threshold.

    Parameters
    ----------
    model : Neuron or MLP
        For two labels.
    X, y
        Rows, as for `predict`, and their labels or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        The curves end at the largest probability. Above it no row is predicted to have the second label, so there is
        no precision.
    """
    ax = _axes(ax)
    rows, codes = _rows(model, X, y)
    probability = model.predict_proba(rows)
    order = np.argsort(-probability, kind="stable")
    probability, hits = probability[order], np.cumsum(codes[order])
    last = np.flatnonzero(np.diff(probability, append=-1.0))  # the last row of each probability
    called, hit = last + 1.0, hits[last]
    total = float(hits[-1])
    accuracy = (hit + (len(rows) - total) - (called - hit)) / len(rows)
    curves = (
        ("precision", hit / called, "-", DARK),
        ("recall", hit / max(total, 1.0), "--", MIDDLE),
        ("accuracy", accuracy, "-.", LIGHT),
    )
    for name, values, style, colour in curves:
        ax.plot(probability[last], values, linestyle=style, color=colour, drawstyle="steps-post", label=name)
    ax.axvline(model.threshold, color="0.5", linestyle=":", label=f"threshold {model.threshold:g}")
    ax.set(xlabel=f"threshold on the probability of {_as_it_is(model.labels[1])}", ylabel="share of rows")
    ax.set(title="Threshold against precision and recall", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.legend(loc="lower center")
    return ax


def _check_result(result: Any, name: str, message: str) -> None:
    """ValueError with the message if a result has no loss history or lacks the attribute `name`."""
    if not (hasattr(result, "loss_history") and hasattr(result, name)):
        raise ValueError(f"{message}, and this is a {type(result).__name__}")


def _axes(ax: Any) -> Any:
    """`ax`, or the axes of a new figure. The figure is not one of pyplot's, so it need not be closed."""
    return _matplotlib().figure.Figure(figsize=(7.0, 4.5), layout="constrained").subplots() if ax is None else ax


def _matplotlib() -> Any:
    try:  # here, because it is optional and slow to import
        import matplotlib.figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'tinynet-fast[plot]'") from None
    return matplotlib


def _rows(model: Neuron | MLP, X: Any, y: Any) -> tuple[Any, np.ndarray]:
    """The rows with their columns matched by name, and 0 or 1 for each.

    Rows are float64. Sparse rows for a neuron of more than two inputs, for which no boundary is drawn, are CSR.
    """
    if len(model.labels) != 2:
        raise ValueError(f"the picture is for two labels; this model knows {len(model.labels)}")
    X = X.toarray() if is_sparse(X) and model.n_features <= 2 else X
    matrix = rows_for(X, model.features, model.n_features, sparse=isinstance(model, Neuron))
    matrix = matrix if is_sparse(matrix) else matrix.astype(np.float64)
    return matrix, encode_known(label_column(X, y), model.labels, len(matrix))


def _as_it_is(name: Any) -> str:
    """A name that matplotlib draws letter by letter; text between two $ would become mathematics."""
    return printable(str(name)).replace("$", r"\$")


def _scatter(ax: Any, model: Neuron | MLP, x: np.ndarray, height: np.ndarray, codes: np.ndarray) -> None:
    for code, marker, colour in ((0, "o", LIGHT), (1, "^", MIDDLE)):
        part, small = codes == code, len(x) > 500
        size, edge = (10, "none") if small else (36, DARK)
        label = _as_it_is(model.labels[code])
        label = f" {label}" if label[:1] in ("", "_") else label  # matplotlib would leave it out of the legend
        ax.scatter(x[part], height[part], s=size, marker=marker, color=colour, edgecolor=edge, label=label, zorder=3)


def save(ax: Any, path: str | os.PathLike[str]) -> None:
    """Write the figure of `ax` to `path`, a .png or .svg file. If anything fails, an old file stays as it was.

    Raises
    ------
    ValueError
        If the name ends in something else.
    """
    kind = check_name(path)
    with atomic_file(path, "wb") as file:
        ax.figure.savefig(file, format=kind, dpi=150)


def check_name(path: str | os.PathLike[str]) -> str:
    """Return "png" or "svg" by the file's name; ValueError for another name, ImportError without matplotlib."""
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise ValueError(f"{path}: pictures are written as .png or .svg; name the file so")
    _matplotlib()
    return kind
