"""How good a model of numbers is on rows whose numbers are known, and what it predicts for one or two inputs."""

from typing import Any

import numpy as np

from tinynet_fast.models import MLP, Neuron
from tinynet_fast.plots.drawing import (
    DARK,
    LONGEST,
    MIDDLE,
    MOST_POINTS,
    as_it_is,
    axes,
    legend_below,
    matplotlib,
)
from tinynet_fast.plots.judged import JudgedNumbers, judge_numbers

GRID = 200  # points along each axis of a picture of predictions
MANY = 500  # if there are more rows, their markers are small
PARTS = 10  # of equal size, of rows sorted by prediction; the quartiles of the errors of each are drawn
FEWEST = 5  # rows of a part


def predictions(model: Any, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw the predicted number of each row against the true one. On the diagonal they are the same.

    Parameters
    ----------
    model : NumberReport, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows that the model was not trained on, as for `predict`, and their numbers or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        If there are more than 5,000 rows, every k-th one is drawn.

    Raises
    ------
    ValueError
        For a model of labels, or of several numbers a row.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.exam_scores()
    >>> model = train_neuron(X, y, output="linear", standardize=True, learning_rate=0.01, epochs=500).model
    >>> plots.predictions(model, X, y).get_ylabel()
    'predicted number'
    """
    judged = judge_numbers(model, X, y)
    ax = axes(ax)
    low, high = (float(end(np.concatenate([judged.y, judged.predictions]))) for end in (np.min, np.max))
    margin = 0.04 * (high - low) or 1.0
    limits = low - margin, high + margin
    ax.plot(limits, limits, color="0.5", linestyle=":", label="predicted = true")
    _scatter(ax, judged.y, judged.predictions)
    name = _name(judged)
    ax.set(xlabel=f"true {name}", ylabel=f"predicted {name}", title="Predicted against true", xlim=limits, ylim=limits)
    legend_below(ax)
    return ax


def residuals(model: Any, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw the error of each row, true less predicted, against its prediction.

    If the model is right on average, the errors lie around 0 wherever the prediction is.

    Parameters
    ----------
    model : NumberReport, Neuron or MLP
        A report has its rows; a model needs X and y.
    X, y
        Rows that the model was not trained on, as for `predict`, and their numbers or the name of their column.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        Rows are sorted by prediction and cut into up to ten parts of equal size, of at least five rows. A mark shows
        the median of the errors of each part, and a bar their quartiles.

    Raises
    ------
    ValueError
        For a model of labels, or of several numbers a row.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.exam_scores()
    >>> model = train_neuron(X, y, output="linear", standardize=True, learning_rate=0.01, epochs=500).model
    >>> plots.residuals(model, X, y).get_ylabel()
    'error: true less predicted'
    """
    judged = judge_numbers(model, X, y)
    ax = axes(ax)
    ax.axhline(0.0, color="0.5", linestyle=":", label="no error")
    _scatter(ax, judged.predictions, judged.errors)
    parts = np.array_split(np.argsort(judged.predictions, kind="stable"), min(PARTS, len(judged.y) // FEWEST) or 1)
    quartiles = np.array([np.quantile(judged.errors[part], [0.25, 0.5, 0.75]) for part in parts])
    places = [float(np.median(judged.predictions[part])) for part in parts]
    ends = np.abs(quartiles[:, [0, 2]] - quartiles[:, [1]]).T
    how = {"color": MIDDLE, "marker": "s", "linestyle": "none", "capsize": 3, "zorder": 4}
    ax.errorbar(places, quartiles[:, 1], yerr=ends, label="median and quartiles", **how)
    name = _name(judged)
    ax.set(xlabel=f"predicted {name}", ylabel="error: true less predicted", title="Errors")
    legend_below(ax)
    return ax


def draw_curve(ax: Any, model: Neuron | MLP, edges: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """The predicted number against the one input, and the rows."""
    ax.plot(edges[:, 0], model.predict(edges), color=MIDDLE, label="prediction", zorder=4)
    _scatter(ax, x, y)
    ax.set(ylabel=as_it_is(model.training.get("target") or "number", LONGEST), title="Prediction and rows")


def draw_surface(ax: Any, model: Neuron | MLP, edges: np.ndarray, rows: np.ndarray, y: np.ndarray) -> None:
    """The predicted number as shading over a grid of two inputs, and the rows, whose shades are their true numbers."""
    grid = np.stack(np.meshgrid(*edges.T), axis=-1)
    surface = model.predict(grid.reshape(-1, 2)).reshape(GRID, GRID)
    low, high = float(min(surface.min(), y.min())), float(max(surface.max(), y.max()))
    shade = {"cmap": matplotlib().colormaps["viridis"], "vmin": low, "vmax": high}
    extent = (*edges[[0, -1], 0], *edges[[0, -1], 1])
    shading = ax.imshow(surface, extent=extent, origin="lower", aspect="auto", interpolation="bilinear", **shade)
    ax.figure.colorbar(shading, ax=ax, label=as_it_is(model.training.get("target") or "number", LONGEST))
    size = 10 if len(y) > MANY else 36
    ax.scatter(*rows.T, c=y, s=size, edgecolor="white", linewidth=0.8, zorder=3, label="rows, true numbers", **shade)
    ax.set_title("Prediction (shading) and rows")


def _scatter(ax: Any, x: np.ndarray, y: np.ndarray) -> None:
    """The rows, every k-th one if they are many."""
    step = -(-len(x) // MOST_POINTS)
    size = 8 if len(x) > MANY else 24
    ax.scatter(x[::step], y[::step], s=size, color=DARK, alpha=0.5, linewidth=0.0, label="rows")


def _name(judged: JudgedNumbers) -> str:
    return as_it_is(judged.name or "number", LONGEST)
