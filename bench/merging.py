"""Draw docs/merging.svg: runs over the same rows that start at other weights end at the same. `python bench/merging.py`

The loop is the plain one, in NumPy for all runs at once.
"""

import hashlib
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from tinynet_fast.models.files import atomic_file
from tinynet_fast.plots import DARK, LIGHT, MIDDLE, STYLES

TARGET = Path(__file__).parent.parent / "docs" / "merging.svg"
ROWS, RATES, SHOWN_RATE, SHOWN_ROWS = 1_000_000, (0.1, 0.01, 0.001), 0.01, 30_000
STARTS = np.array([[6.0, -4.0, 3.0], [3.5, 5.0, -2.0], [0.0, 0.0, 0.0], [-2.5, -3.0, 5.0], [-5.0, 4.0, 1.0]])
EQUAL = 3e-17  # a distance of 0 is drawn here
COLOURS = MIDDLE, LIGHT, DARK, "#5b7fa6", "#6a994e"


def table():
    """Rows of two inputs and a column of ones for the bias, and labels that are partly chance."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, 2))
    y = X @ [1.5, -1.0] + 0.5 + rng.logistic(size=ROWS) > 0.0
    return np.column_stack([X, np.ones(ROWS)]), y.astype(np.float64)


def weights_after(X, y, rate, starts, rows):
    """(rows, runs, 3): the weights and the bias of each run after each number of rows in `rows`."""
    weights, kept, wanted = starts.copy(), [], set(rows)
    for i in range(max(rows)):
        error = 1.0 / (1.0 + np.exp(-(weights @ X[i]))) - y[i]
        weights -= rate * error[:, np.newaxis] * X[i]
        if i + 1 in wanted:
            kept.append(weights.copy())
    return np.array(kept)


def numbers_of_rows(most):
    """About evenly spaced on a log scale."""
    return np.unique(np.geomspace(1, most, 400).astype(int)).tolist()


def draw():
    """The figure: on the left a weight of each run, on the right how far two of the runs are apart."""
    X, y = table()
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = numbers_of_rows(SHOWN_ROWS)
    first = weights_after(X, y, SHOWN_RATE, STARTS, rows)[:, :, 0]
    for k, colour in enumerate(COLOURS):
        left.plot(rows, first[:, k], color=colour, linestyle=STYLES[k])
        left.annotate(
            f"starts at {STARTS[k, 0]:g}", (1.0, STARTS[k, 0]), (0, 4), textcoords="offset points", fontsize=9
        )
    left.set(xscale="log", xlabel="rows", ylabel="first weight", ylim=(-6.0, 7.2))
    left.set_title(f"Five runs over the same rows, learning rate {SHOWN_RATE}", fontsize=11)
    for rate, colour, style in zip(RATES, (DARK, MIDDLE, "#5b7fa6"), STYLES, strict=False):
        rows = numbers_of_rows(int(1000 / rate))
        runs = weights_after(X, y, rate, STARTS[[0, 4]], rows)
        apart = np.linalg.norm(runs[:, 0] - runs[:, 1], axis=1) / np.linalg.norm(runs[:, 0], axis=1)
        end = int(np.argmax(apart == 0.0))
        assert not apart[end:].any()
        apart[end] = EQUAL
        right.plot(rows[: end + 1], apart[: end + 1], color=colour, linestyle=style, label=f"learning rate {rate:g}")
        right.plot(rows[end], EQUAL, "o", color=colour)
    right.plot([], [], "o", color="0.4", label="from here on the same bits")
    right.set(xscale="log", yscale="log", xlabel="rows", ylabel="distance / length of the weights", ylim=(1e-17, 10.0))
    right.set_yticks([10.0**-k for k in range(0, 17, 4)])
    right.set_title("The first and the last run: how far apart?", fontsize=11)
    right.legend(fontsize=9, loc="lower left")
    return figure


def digest():
    """Identifies the script that a picture was drawn by."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


if __name__ == "__main__":
    with rc_context({"svg.hashsalt": "merging", "svg.fonttype": "none"}), atomic_file(TARGET, "wb") as file:
        drawn = draw()
        drawn.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Identifier": digest()})
