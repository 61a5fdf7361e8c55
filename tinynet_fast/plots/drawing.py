"""What all pictures share: axes, colours, names, legends, and files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinynet_fast.models.files import atomic_file
from tinynet_fast.rows.messages import printable

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
DARK, MIDDLE, LIGHT = "#1b2a49", "#c1440e", "#e6a817"
COLOURS = (DARK, MIDDLE, LIGHT, "#3a86c8", "#4f8f4f", "#8e5ea2", "#7f7f7f", "#b8577a", "#2a9d8f", "#8a6d3b")
MARKERS = "o^sDvP*Xhp"
MOST_POINTS = 5_000  # if there are more rows, every k-th one is drawn; the most points of a curve
MOST_NAMED = 12  # if there are more curves, only some are in the legend
LONGEST = 24  # characters of a name in a picture
WIDTH, HEIGHT, LINE = 7.0, 4.5, 0.2  # inches of a new figure, and of a line of its legend
ROOM, SYMBOL = 84, 7  # characters that fit below a picture, and those that take the place of a line and a gap
BELOW = -38.0 / 72.0  # inches from the axes to a legend below: the numbers and the name of the axis are between


class Style(NamedTuple):
    """How a label is drawn. The first six labels differ in every part, the first ten in colour and marker."""

    colour: str
    line: Any
    marker: str


def style(i: int) -> Style:
    """The style of label or curve number i."""
    return Style(COLOURS[i % len(COLOURS)], STYLES[i % len(STYLES)], MARKERS[i % len(MARKERS)])


def axes(ax: Any) -> Any:
    """`ax`, or the axes of a new figure. The figure is not one of pyplot's, so it need not be closed."""
    return matplotlib().figure.Figure(figsize=(WIDTH, HEIGHT), layout="constrained").subplots() if ax is None else ax


def matplotlib() -> Any:
    """The library, or ImportError with the remedy."""
    try:  # here, because it is optional and slow to import
        import matplotlib.figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'tinynet-fast[plot]'") from None
    return matplotlib


def as_it_is(name: Any, most: int | None = None) -> str:
    """A name that matplotlib draws letter by letter; text between two $ would become mathematics."""
    text = printable(str(name)) if most is None else printable(str(name), most)
    return text.replace("$", r"\$")


def in_legend(name: Any) -> str:
    """A name for the legend, from which matplotlib leaves out an empty one and one that starts with _."""
    text = as_it_is(name, LONGEST)
    return f" {text}" if text[:1] in ("", "_") else text


def named(i: int, names: Sequence[str], more: str = "") -> str | None:
    """What the legend calls curve i of several: its name and `more`, or how many others there are, or nothing."""
    if len(names) <= MOST_NAMED or i < MOST_NAMED - 1:
        return names[i] + more
    return f"and {len(names) - MOST_NAMED + 1} more" if i == MOST_NAMED - 1 else None


def legend_below(ax: Any, grow: bool = False, **options: Any) -> None:
    """Put the legend below the axes, where it covers nothing, in as many columns as have room.

    If the figure is ours to `grow`, a legend of many lines makes it higher, and the axes keep their height.
    """
    names = [handle.get_label() for handle in options.get("handles", ax.get_legend_handles_labels()[0])]
    columns = max(1, min(4, ROOM // (SYMBOL + max(map(len, names)))))
    lines = -(-len(names) // columns)
    if grow and lines > 2:
        ax.figure.set_size_inches(WIDTH, HEIGHT + LINE * (lines - 2))
    shift = matplotlib().transforms.ScaledTranslation(0.0, BELOW, ax.figure.dpi_scale_trans)
    place = {"bbox_to_anchor": (0.5, 0.0), "bbox_transform": ax.transAxes + shift, "borderaxespad": 0.0}
    ax.legend(loc="upper center", ncols=columns, **place, **options)


def legend_beside(ax: Any) -> None:
    """Put the legend to the right of the axes, where it covers nothing."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0)


def thinned(n: int) -> Any:
    """Return which of `n` points of a curve to draw: all, or if there are very many, some at equal distances."""
    return slice(None) if n <= MOST_POINTS else np.unique(np.linspace(0, n - 1, MOST_POINTS).astype(np.intp))


def save(ax: Any, path: str | os.PathLike[str]) -> None:
    """Write the figure of `ax` to `path`, a .png or .svg file. If anything fails, an old file stays as it was.

    Parameters
    ----------
    ax : matplotlib Axes
        What a function of this module returned.
    path : str or path
        The file's name, which ends in .png or .svg.

    Raises
    ------
    ValueError
        If the name ends in something else.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from tinynet_fast import plots, train_neuron
    >>> result = train_neuron([1, 2, 3, 4], [0, 0, 1, 1], epochs=100)
    >>> with TemporaryDirectory() as folder:
    ...     plots.save(plots.loss_curves(result), Path(folder, "losses.png"))
    """
    kind = check_name(path)
    with atomic_file(path, "wb") as file:
        ax.figure.savefig(file, format=kind, dpi=150)


def check_name(path: str | os.PathLike[str]) -> str:
    """Return "png" or "svg" by the file's name; ValueError for another name, ImportError without matplotlib.

    Parameters
    ----------
    path : str or path
        Nothing is written to it.

    Examples
    --------
    >>> from tinynet_fast import plots
    >>> plots.check_name("losses.png")
    'png'
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise ValueError(f"{path}: pictures are written as .png or .svg; name the file so")
    matplotlib()
    return kind
