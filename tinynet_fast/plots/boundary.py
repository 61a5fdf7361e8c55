"""Rows of one or two inputs, and where the prediction changes."""

from typing import Any

import numpy as np

from tinynet_fast.models import MLP, Neuron
from tinynet_fast.plots.drawing import (
    DARK,
    LIGHT,
    LONGEST,
    MIDDLE,
    MOST_POINTS,
    Style,
    as_it_is,
    axes,
    in_legend,
    legend_below,
    matplotlib,
    named,
    style,
)
from tinynet_fast.plots.numbers import GRID, MANY, draw_curve, draw_surface
from tinynet_fast.rows.sparse import is_sparse

CROWDED = 100  # if there are more rows of one input, they lie in a band and not on a line
MOST_VALUES = 60  # of an input with fewer different values, rows that coincide are moved apart
BAND = 0.08  # the height of the band of rows above 1 and below 0
MOVED = "rows that coincide are moved apart"


def decision_boundary(model: Neuron | MLP, X: Any, y: Any, ax: Any = None) -> Any:
    """Draw rows, and the line at which the prediction of a model with one or two inputs changes.

    For a model of numbers: rows, and the number that it predicts.

    Parameters
    ----------
    model : Neuron or MLP
        With one or two inputs.
    X : (n, 1) or (n, 2)
        The rows to draw. As for `predict`, columns are matched by name.
    y : (n,), or str
        Their labels or numbers, or the name of the column of `X` with these.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        One input: the probability as a curve (one for each label, if there are more than two), the rows beyond 0 and 1,
        and the threshold. Two inputs: the probability as shading, a line where it equals the threshold, and a marker
        for each row; for more than two labels, the regions of the labels and the lines between them. If there are more
        than 5,000 rows, every k-th one is drawn. Rows that coincide are moved apart, and the title says so. Numbers:
        the prediction as a curve, or as shading on which the rows have the shades of their true numbers.

    Raises
    ------
    ValueError
        If the model has more than two inputs, no probabilities, or predicts several numbers.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.decision_boundary(model, X, y).get_xlabel()
    'first input'
    """
    ax = axes(ax)
    if model.n_features > 2:
        raise ValueError(f"the model has {model.n_features} inputs; a boundary is drawn for one or two")
    if model.numbers and model.n_outputs > 1:
        raise ValueError(f"the model predicts {model.n_outputs} numbers; this picture is drawn for one")
    rows, codes = _rows(model, X, y)
    names = model.features or (["input"] if model.n_features == 1 else ["first input", "second input"])
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 1.0)
    edges = np.linspace(low - margin, high + margin, GRID)
    step = -(-len(rows) // MOST_POINTS)
    rows, codes = rows[::step], codes[::step]
    ax.set_xlabel(as_it_is(names[0]))
    if model.n_features == 2:
        ax.set_ylabel(as_it_is(names[1]))
    if model.numbers and model.n_features == 1:
        draw_curve(ax, model, edges, rows[:, 0], codes)
    elif model.numbers:
        draw_surface(ax, model, edges, rows, codes)
    elif model.n_features == 1:
        _draw_curves(ax, model, edges, rows[:, 0], codes)
    else:
        (_shade if len(model.labels) == 2 else _regions)(ax, model, edges)
        places = moved_apart(rows)
        _scatter(ax, model, places[:, 0], places[:, 1], codes)
        ax.set_title("Decision boundary" + (f"\n({MOVED})" if places is not rows else ""))
    legend_below(ax)
    return ax


def moved_apart(rows: np.ndarray) -> np.ndarray:
    """The rows, or if several coincide, copies that are moved a little along inputs with few different values."""
    if len(np.unique(rows, axis=0)) == len(rows):
        return rows
    rng, moved = np.random.default_rng(0), rows
    for j in range(rows.shape[1]):
        values = np.unique(rows[:, j])
        if 1 < len(values) <= MOST_VALUES:
            moved = moved.copy() if moved is rows else moved
            moved[:, j] += 0.3 * np.diff(values).min() * rng.uniform(-1.0, 1.0, len(rows))
    return moved


def _draw_curves(ax: Any, model: Neuron | MLP, edges: np.ndarray, x: np.ndarray, codes: np.ndarray) -> None:
    """The probability against the one input, and the rows: of two labels at 0 and 1, of more in bands below 0."""
    two, k = len(model.labels) == 2, len(model.labels)
    probability = model.predict_proba(edges)
    if two:
        ax.plot(edges[:, 0], probability, color=DARK, label="probability")
        ax.axhline(model.threshold, color="0.5", linestyle=":", label=f"threshold {model.threshold:g}")
    else:
        for i in range(k):
            ax.plot(edges[:, 0], probability[:, i], color=style(i).colour, linestyle=style(i).line)
    places = moved_apart(np.stack([x, codes], axis=1).astype(np.float64))[:, 0] if len(x) > 1 else x
    coincide = len(np.unique(np.stack([x, codes], axis=1), axis=0)) < len(x)
    crowded = not two or coincide or len(x) > CROWDED
    band = np.random.default_rng(1).uniform(0.2, 1.0, len(x)) if crowded else np.zeros(len(x))
    heights = np.where(codes == 1, 1.0 + BAND * band, -BAND * band) if two else -BAND * (codes + band)
    _scatter(ax, model, places, heights, codes)
    below, above = (0.05, 0.05) if not crowded else (0.1, 0.1) if two else (BAND * k + 0.04, 0.05)
    what = f"probability of {as_it_is(model.labels[1], LONGEST)}" if two else "probability of each label"
    title = "Probability and rows" + (f"\n({MOVED})" if coincide else "")
    ax.set(ylabel=what, title=title, ylim=(-below, 1.0 + above), yticks=np.linspace(0.0, 1.0, 6))


def _shade(ax: Any, model: Neuron | MLP, edges: np.ndarray) -> None:
    """Shade the probability of a model of two inputs over a grid, with a line at the threshold."""
    grid = np.stack(np.meshgrid(*edges.T), axis=-1)
    probability = model.predict_proba(grid.reshape(-1, 2)).reshape(GRID, GRID)
    greys = matplotlib().colors.LinearSegmentedColormap.from_list("greys", ["1.0", "0.55"])
    shade = {"cmap": greys, "vmin": 0.0, "vmax": 1.0, "interpolation": "bilinear"}
    shading = ax.imshow(probability, extent=_extent(edges), origin="lower", aspect="auto", **shade)
    label = f"probability of {as_it_is(model.labels[1])}"
    ax.figure.colorbar(shading, ax=ax, label=label, ticks=np.linspace(0, 1, 6))
    if probability.min() < model.threshold < probability.max():
        ax.contour(*np.moveaxis(grid, -1, 0), probability, levels=[model.threshold], colors=[DARK])
        ax.plot([], [], color=DARK, label=f"probability {model.threshold:g}")


def _regions(ax: Any, model: Neuron | MLP, edges: np.ndarray) -> None:
    """Colour the region of each label of a model of two inputs, with lines between them."""
    grid = np.stack(np.meshgrid(*edges.T), axis=-1)
    best = model.predict_proba(grid.reshape(-1, 2)).argmax(axis=1).reshape(GRID, GRID)
    tints = np.array([matplotlib().colors.to_rgb(style(i).colour) for i in range(len(model.labels))])
    ax.imshow(0.75 + 0.25 * tints[best], extent=_extent(edges), origin="lower", aspect="auto", interpolation="nearest")
    for i in np.unique(best):
        if (best == i).any() and (best != i).any():
            ax.contour(*np.moveaxis(grid, -1, 0), best == i, levels=[0.5], colors=["0.4"], linewidths=0.8)


def _extent(edges: np.ndarray) -> tuple[float, ...]:
    return (*edges[[0, -1], 0], *edges[[0, -1], 1])


def _scatter(ax: Any, model: Neuron | MLP, x: np.ndarray, height: np.ndarray, codes: np.ndarray) -> None:
    two = (Style(LIGHT, "-", "o"), Style(MIDDLE, "-", "^"))
    size, edge = (10, "none") if len(x) > MANY else (36, DARK)
    names = [in_legend(label) for label in model.labels]
    for code in range(len(names)):
        part, how = codes == code, two[code] if len(names) == 2 else style(code)
        what = {"marker": how.marker, "color": how.colour, "label": named(code, names)}
        ax.scatter(x[part], height[part], s=size, edgecolor=edge, linewidth=0.8, zorder=3, **what)


def _rows(model: Neuron | MLP, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The rows as the model's inputs, float64, and the place of each row's label, or its number."""
    matrix = model._matrix(X.toarray() if is_sparse(X) and model.n_features <= 2 else X)
    matrix = matrix.astype(np.float64) if isinstance(matrix, np.ndarray) else matrix
    if model.numbers:
        return matrix, model.true_numbers(X, y, len(matrix))
    return matrix, model.codes(X, y, len(matrix)).astype(np.intp)
