"""What pictures of small examples hold: titles, axes, lines, points, bars, texts. `shown_pictures.txt` has it in words.

A change that is wanted is written with `python tests/test_shown_pictures.py`; look at the difference first.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from shown import assert_is_shown
from test_shown_texts import many_labels, network, neuron, numbers, two_labels

from tinynet_fast import Neuron

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from tinynet_fast import plots
from tinynet_fast.tables.report import Report

SHOWN = Path(__file__).with_name("shown_pictures.txt")
X1 = np.array([0.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0]).reshape(-1, 1)
X2 = np.column_stack([X1[:, 0], X1[::-1, 0] ** 2])
CODES = np.array([0, 0, 1, 1, 0, 1, 1, 1])


def near(values) -> str:
    return " ".join(f"{value + 0.0:.3g}" for value in np.ravel(np.asarray(values, dtype=float)))


def points(x, y) -> str:
    """How many, and some of them: all, of a few."""
    some = np.unique(np.linspace(0, len(x) - 1, min(len(x), 8)).astype(int))
    sums = np.nansum(x), np.nansum(y)
    return f"{len(x)} points, sums {near(sums)}: " + ", ".join(near([x[i], y[i]]) for i in some)


def label_of(found) -> str:
    """The label in a legend; others begin with `_`."""
    return "" if found.get_label().startswith("_") else found.get_label()


def words(ax) -> Iterator[str]:
    yield f"{ax.get_title()!r}, {ax.get_xlabel()!r} by {ax.get_ylabel()!r}, {ax.get_xscale()} and {ax.get_yscale()}"
    size = near(ax.figure.get_size_inches())
    yield f"from {near(ax.get_xlim())} and {near(ax.get_ylim())}, aspect {ax.get_aspect()}, {size} inches"
    for axis in (ax.xaxis, ax.yaxis):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if type(axis.get_major_locator()).__name__ == "FixedLocator":
            yield f"ticks {near(axis.get_ticklocs())}: {labels}"
    for line in ax.get_lines():
        x, y = (np.asarray(values, dtype=float) for values in line.get_data())
        yield f"line {label_of(line)!r} {line.get_linestyle()} {line.get_marker()} {line.get_color()}: {points(x, y)}"
    for found in ax.collections:
        offsets = np.asarray(found.get_offsets(), dtype=float)
        name = f"{type(found).__name__} {label_of(found)!r}"
        if offsets.any():
            yield f"{name}, size {near(found.get_sizes()[:1])}: {points(*offsets.T)}"
        elif hasattr(found, "get_segments"):
            yield f"{name}: {near(found.get_segments())}"
    for patch in ax.patches:
        box = patch.get_path().transformed(patch.get_patch_transform()).get_extents()
        yield f"patch {near(box)}, {near(patch.get_facecolor())}"
    for image in ax.images:
        yield f"image {image.get_array().shape} {near(image.get_extent())}, mean {near(image.get_array().mean())}"
    for text in ax.texts:
        yield f"text {text.get_text()!r} at {near(text.get_position())}, {text.get_color()}"
    legend = ax.get_legend()
    if legend is not None:
        yield f"legend {legend.get_title().get_text()!r}: {[text.get_text() for text in legend.get_texts()]}"


def linear(n, **options):
    return Neuron(weights=np.arange(n) + 0.5, bias=1.0, labels=None, output="linear", **options)


def result(losses, validation=None, **options):
    found = {"loss_history": np.array(losses, dtype=float), "model": neuron(2), "best_epoch": None} | options
    history = None if validation is None else np.array(validation, dtype=float)
    return SimpleNamespace(validation_loss_history=history, **found)


def pictures():
    for threshold in (0.5, 0.7, 0.95):
        for name in ("calibration_curve", "thresholds", "roc", "precision_recall", "confusion"):
            yield f"{name}, two labels, threshold {threshold}", getattr(plots, name)(two_labels(threshold))
    for k in (3, 4, 5, 8, 9, 12, 13, 41):
        yield f"confusion, {k} labels", plots.confusion(many_labels(k))
    one = Report.of(np.array(["a", "b"]), np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([0, 1, 1]))
    yield "confusion, a label with one row", plots.confusion(one)
    for name in ("calibration_curve", "thresholds", "roc", "precision_recall"):
        yield f"{name}, 3 labels", getattr(plots, name)(many_labels(3))
        yield f"{name}, 13 labels", getattr(plots, name)(many_labels(13))
    for name, scale in product(("predictions", "residuals"), (1.0, 100.0)):
        yield f"{name}, {scale}", getattr(plots, name)(numbers(scale, name="cost" if scale > 1 else None))
    two = neuron(2, threshold=0.75, features=["a", "b"])
    yield "boundary, one input", plots.decision_boundary(Neuron(weights=[1.0], bias=-2.0, labels=[0, 1]), X1, CODES)
    plain = Neuron(weights=[1.0, -0.5], bias=0.5, labels=[0, 1])
    yield "boundary, two inputs", plots.decision_boundary(plain, X2, CODES)
    yield (
        "boundary, another threshold",
        plots.decision_boundary(two, X2 + np.arange(8)[:, np.newaxis] / 100, two.labels[CODES]),
    )
    yield "boundary, three labels, one input", plots.decision_boundary(network(1, 3, k=3), X1, CODES + (X1[:, 0] > 2))
    yield "boundary, three labels", plots.decision_boundary(network(2, 3, k=3), X2, CODES + (X1[:, 0] > 2))
    yield "boundary, a number", plots.decision_boundary(linear(1, training={"target": "cost"}), X1, X1[:, 0] * 2)
    yield "boundary, a number of two inputs", plots.decision_boundary(linear(2), X2, X2[:, 1])
    deviations = {"deviations": [1.0, 3.0, 0.1]}
    yield "contributions", plots.contributions(neuron(3, training=deviations))
    yield "contributions, numbers", plots.contributions(linear(3, training=deviations | {"target": "cost"}))
    yield "contributions, 25 inputs", plots.contributions(neuron(25, training={"deviations": [1.0] * 25}))
    three, codes = np.column_stack([X2, X1]), CODES + (X1[:, 0] > 2)
    yield "contributions, three labels", plots.contributions(network(3, 3, k=3), three, codes)
    falling = 10.0 / np.arange(1.0, 61.0)
    losses = {
        "losses": [4.0, 3.0, 2.0, 1.5], "one epoch": [1.0], "many epochs": falling, "flat": [1.0, 0.9, 0.8, 0.7],
        "high at first": [100.0, 1.0, 0.9, 0.8, 0.7, 0.6], "high, few": [100.0, 1.0, 0.9, 0.8],
        "gaps": [1.0, np.nan, 0.5],
    }  # fmt: skip
    for name, history in losses.items():
        yield f"loss_curves, {name}", plots.loss_curves(list(history))
        yield (
            f"loss_curves, {name}, of a result",
            plots.loss_curves(result(history, history, best_epoch=len(history) // 2)),
        )
    yield (
        "loss_curves, a network",
        plots.loss_curves(result(losses["losses"], [5.0, 4.0, 4.0, 4.5], model=network(2, 1))),
    )


def whole() -> str:
    from matplotlib import pyplot

    parts = []
    for name, ax in pictures():
        every = [line for each in ax.figure.axes for line in words(each)]
        pyplot.close(ax.figure)
        parts.append(f"== {name}\n" + "\n".join(every) + "\n")
    return "".join(parts)


def test_what_pictures_hold():
    assert_is_shown(whole(), SHOWN)


if __name__ == "__main__":
    SHOWN.write_text(whole(), encoding="utf-8")
