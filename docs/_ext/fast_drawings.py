"""The drawings of "How it is fast": each function returns a figure. None of them needs a results file."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from tinynet_fast.kernels.fast.row_error import DEGREE, NODES, RANGE, TABLE
from tinynet_fast.plots.drawing import COLOURS, DARK, LIGHT, MIDDLE, STYLES

BLUE, GREEN = COLOURS[3], COLOURS[4]


def _box(ax, x, y, width, words, colour, height=0.7):
    """A step of a row: it takes from x to x + width."""
    ax.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="none", alpha=0.35))
    ax.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=9)


def _arrow(ax, start, end):
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color="black", linewidth=1.0))


def chain():
    """Three rows in time, as the plain loop computes them and with look-ahead. Widths are about those of the cycles."""
    figure = Figure(figsize=(8.0, 4.4), layout="constrained")
    plain, ahead = figure.subplots(2, 1, sharex=True)
    dot, exp, divide, update = 4, 8, 5, 4
    row = dot + exp + divide + update
    for i in range(3):
        x, y = i * row, -i
        for width, words, colour in ((dot, "dot", BLUE), (exp, "exp", LIGHT), (divide, "divide", LIGHT)):
            _box(plain, x, y, width, words, colour)
            x += width
        _box(plain, x, y, update, "update", GREEN)
        if i < 2:
            _arrow(plain, (x + update, y + 0.35), (x + update, y - 0.3))
    plain.set_title("The plain loop: each row waits for the whole row before it", fontsize=11)
    wait, polynomial = 2, 5
    for i in range(3):
        x, y = dot + i * (wait + polynomial), -i
        _box(ahead, x - dot, y, dot, "dot", BLUE)
        _box(ahead, x, y, wait, "+", MIDDLE)
        _box(ahead, x + wait, y, polynomial, "sigmoid", MIDDLE)
        _box(ahead, x + wait + polynomial, y, update, "update", GREEN)
        if i < 2:
            _arrow(ahead, (x + wait + polynomial, y + 0.35), (x + wait + polynomial + 0.1, y - 0.3))
    ahead.set_title("With look-ahead: a row waits for one multiply-add and the sigmoid", fontsize=11)
    for ax in (plain, ahead):
        ax.set(xlim=(-0.5, 3 * row + 0.5), ylim=(-2.4, 1.0), yticks=[0.35, -0.65, -1.65])
        ax.set_yticklabels(["row 0", "row 1", "row 2"])
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(left=False, bottom=False, labelbottom=False)
    ahead.set_xlabel("time")
    return figure


def _sigmoid_series(z, degree):
    """(degree + 1, len(z)): the terms' coefficients of the sigmoid's Taylor series around each z.

    p' = p - p^2 gives each coefficient from those before: (k + 1) c[k+1] = c[k] - sum of c[j] c[k-j].
    """
    c = [1.0 / (1.0 + np.exp(-z))]
    for k in range(degree):
        c.append((c[k] - sum(c[j] * c[k - j] for j in range(k + 1))) / (k + 1))
    return np.array(c)


def sigmoid_error():
    """The largest error of a table of polynomials, by their degree, for several numbers of nodes."""
    nodes = np.linspace(-12.0, 12.0, 385).astype(np.longdouble)
    most = 15
    series = _sigmoid_series(nodes, most)
    ax = Figure(figsize=(7.0, 4.2), layout="constrained").subplots()
    degrees = np.arange(1, most + 1)
    for k, per_unit in enumerate((2, 4, 8, 16)):
        away = np.longdouble(0.5) / per_unit
        errors = []
        for degree in degrees:
            value = np.zeros_like(nodes)
            for c in series[degree::-1]:
                value = value * away + c
            errors.append(float(np.abs(value - 1.0 / (1.0 + np.exp(-(nodes + away)))).max()))
        ax.plot(degrees, errors, marker="osD^"[k], linestyle=STYLES[k], color=COLOURS[k], label=f"{per_unit} a unit")
    ax.axhline(1.1e-16, color="0.35", linewidth=1)
    ax.text(1.0, 1.4e-16, "half the last bit of a float64 near 1", fontsize=9, va="bottom")
    ax.set(yscale="log", xlabel="degree of the polynomial", ylabel="largest error", ylim=(1e-19, 0.1))
    ax.legend(title="nodes", fontsize=9)
    return ax.figure


def table_error():
    """How far the kernel's own table is from the sigmoid, computed with more digits where the machine has them."""
    ax = Figure(figsize=(7.0, 3.4), layout="constrained").subplots()
    z = np.linspace(-12.0, 12.0, 1201)
    node = np.rint(z * NODES)
    coefficients = TABLE.reshape(-1, DEGREE + 1)[(node + RANGE * NODES).astype(int)].T
    t, value = z * NODES - node, np.zeros_like(z)
    for c in coefficients[::-1]:
        value = value * t + c
    exact = 1.0 / (1.0 + np.exp(-z.astype(np.longdouble)))
    ax.plot(z, np.abs(value - exact).astype(float) / 1e-16, ".", markersize=3, color=MIDDLE)
    ax.axhline(3.1, color="0.35", linewidth=1)
    ax.text(-12.0, 3.15, "3.1e-16, the bound", fontsize=9, va="bottom")
    ax.set(xlabel="the sum z", ylabel="error, in units of 1e-16", ylim=(0.0, 3.7))
    return ax.figure


def segments():
    """Rows in turn, and the same rows cut into four segments with burn-ins and the gaps that are compared."""
    ax = Figure(figsize=(8.0, 3.6), layout="constrained").subplots()
    length, burn = 6.0, 2.0
    _box(ax, 0.0, 4.2, 4 * length, "all rows, in turn", DARK, height=0.6)
    for i in range(4):
        start, y = i * length, 2.7 - i * 0.9
        if i:
            _box(ax, start - burn, y, burn, "burn-in", LIGHT, height=0.6)
        _box(ax, start, y, length, f"segment {i + 1}", BLUE, height=0.6)
        if i:
            ax.plot([start, start], [y + 0.6, y + 0.9], color=MIDDLE, linewidth=2.5)
            ax.text(start + 0.2, y + 0.75, f"gap {i}", fontsize=9, va="center")
    ax.set(xlim=(-0.2, 4 * length + 0.2), ylim=(-0.4, 5.0), xlabel="rows", yticks=[])
    ax.spines["left"].set_visible(False)
    ax.tick_params(bottom=False, labelbottom=False)
    return ax.figure


def lanes():
    """Where the numbers of a register come from, for a network, a sweep and segments."""
    ax = Figure(figsize=(8.0, 3.0), layout="constrained").subplots()
    kinds = (("a network's batch", "row"), ("a sweep", "model"), ("segments of a neuron", "part"))
    for k, (name, word) in enumerate(kinds):
        y = 2.0 - k
        ax.text(-0.2, y + 0.35, name, ha="right", va="center", fontsize=10)
        for lane in range(8):
            _box(ax, lane * 1.55, y, 1.45, f"{word} {lane + 1}", COLOURS[(3, 4, 2)[k]])
    ax.set(xlim=(-4.4, 12.5), ylim=(-0.3, 3.2), yticks=[], xticks=[])
    ax.text(6.2, 2.95, "eight numbers in one register, computed by one instruction", ha="center", fontsize=10)
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax.figure
