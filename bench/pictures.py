"""Pictures of a results file. Each function draws on a matplotlib `Axes` and returns it; `draw` writes all pictures.

A picture file holds the digest of the results that it shows, so that a test can tell whether it is up to date.
"""

import hashlib
import json

from matplotlib.figure import Figure

from tinynet_fast.models.files import atomic_file
from tinynet_fast.plots import DARK, LIGHT, MIDDLE, STYLES
from tinynet_fast.proof.bench.core import results_of

NEURON, BY_ROWS = "one neuron, an epoch", "one neuron, by rows"
LOG_LOSS = "time to a log loss, everything counted"
MARKERS = "osD^vP*X<>h"
COLOURS = (MIDDLE, DARK, "#5b7fa6", LIGHT, "#6a994e", "#8d6a9f", "#555555", "#a9a9a9", "#3aa6a0", "#7a5c3e", "#d98cb3")
LEAST_ABOVE = 1e-6  # losses that are closer to the least are drawn here


def _style(k):
    colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
    return {"color": colour, "marker": marker, "linestyle": STYLES[k % len(STYLES)], "markersize": 5}


def rows_per_second(ax, result):
    """Rows per second: one bar for each contender, on a log scale."""
    figures = sorted(result.figures, key=lambda f: -f.median)
    speeds = [1e9 / f.median for f in figures]
    bars = ax.barh([f.who for f in figures], speeds, color=[MIDDLE if f.who == "fast" else DARK for f in figures])
    ax.bar_label(bars, [f"{float(f'{speed:.3g}'):,.0f}" for speed in speeds], padding=3, fontsize=9)
    ax.set(xscale="log", xlabel="rows a second", title=f"One neuron, {result.problem}: the same weights, one thread")
    ax.set_xlim(min(speeds) / 2, max(speeds) * 12)
    return ax


def cost_by_features(ax, results):
    """Nanoseconds per row by width, with both floors, below which no contender can get."""
    widths = [result.features for result in results]
    for k, figure in enumerate(results[0].figures):
        cost = [result.of(figure.who).median for result in results]
        ax.plot(widths, cost, label=figure.who, **_style(k))
    reading = [result.floors["reading memory"] for result in results]
    chain = results[0].floors["the chain"]
    ax.plot(widths, reading, color="0.35", linestyle="-", linewidth=1, label="floor: reading memory")
    ax.axhline(chain, color="0.35", linestyle="--", linewidth=1, label="floor: the chain from row to row")
    ax.fill_between(widths, [max(r, chain) for r in reading], 0.3, color="0.9")
    ax.set(xscale="log", yscale="log", xlabel="features", ylabel="ns a row", title="One neuron: cost of a row by width")
    ax.set_xticks(widths, [str(d) for d in widths], minor=False)
    ax.set_ylim(bottom=0.3)
    ax.minorticks_off()
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def cost_by_rows(ax, results):
    """Nanoseconds per row by the number of rows."""
    rows = [result.rows for result in results]
    for k, figure in enumerate(results[0].figures):
        ax.plot(rows, [result.of(figure.who).median for result in results], label=figure.who, **_style(k))
    chain = results[0].floors["the chain"]
    ax.axhline(chain, color="0.35", linestyle="--", linewidth=1, label="floor: the chain from row to row")
    ax.set(xscale="log", xlabel="rows of 2 features", ylabel="ns a row", title="One neuron: cost of a row by rows")
    ax.set_ylim(bottom=0.0)
    ax.legend(fontsize=8)
    return ax


def loss_by_time(ax, result):
    """How far each solver is above the least log loss, by the seconds of a whole call."""
    for k, (who, points) in enumerate(result.facts["seconds_and_loss"].items()):
        seconds, above = zip(*points, strict=True)
        ax.plot(seconds, [max(value, LEAST_ABOVE) for value in above], label=who, **_style(k))
    ax.set(xscale="log", yscale="log", xlabel="seconds of a whole call", ylabel="log loss above the least, relative")
    ax.set_title(f"Log loss against wall time, {result.problem}")
    ax.text(0.01, 0.01, f"at the bottom: {LEAST_ABOVE:.0e} or less", transform=ax.transAxes, fontsize=8)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def digest(document):
    """A digest that identifies the results that a picture shows."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def path_of(path, name):
    return path.with_name(f"{path.stem}-{name}.png")


def drawers(document):
    """The pictures for which there are results: by name, a function that draws on axes."""
    there, found = document["families"], {}
    if NEURON in there:
        results = results_of(document, NEURON)
        two = next(result for result in results if result.features == 2)
        found["rows-per-second"] = lambda ax: rows_per_second(ax, two)
        found["features"] = lambda ax: cost_by_features(ax, results)
    if BY_ROWS in there:
        found["rows"] = lambda ax: cost_by_rows(ax, results_of(document, BY_ROWS))
    if LOG_LOSS in there:
        found["log-loss"] = lambda ax: loss_by_time(ax, results_of(document, LOG_LOSS)[0])
    return found


def drawn(put):
    """A figure of the usual size, drawn by one of `drawers`."""
    return put(Figure(figsize=(8.0, 4.5), layout="constrained").subplots()).figure


def draw(document, path):
    """Write every picture for which there are results, beside the results file. Returns their paths."""
    found = drawers(document)
    for name, put in found.items():
        with atomic_file(path_of(path, name), "wb") as file:
            drawn(put).savefig(file, format="png", dpi=100, metadata={"Results": digest(document), "Software": None})
    return [path_of(path, name) for name in found]
