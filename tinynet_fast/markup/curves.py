"""Curves as SVG inside HTML, for notebooks: drawn without matplotlib, which takes longer to import than to train.

Axes and texts have the colour of the text around them. The colours of curves can be told from white and from black, and
curves differ in dashes too.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinynet_fast.markup.elements import Html, text

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 22, 10, 38  # between the edge and the axes
MOST_POINTS = 200  # of a curve: more than one in two dots of the picture shows nothing
LOOKS = (("#2f7ed8", ""), ("#d9601a", "7 3"), ("#3f9b4f", "2 3"), ("#a15fc0", "9 3 2 3"), ("#8a8a2a", "4 2"))
SMALLEST, LARGEST = 1e-300, 1e300  # beyond these, numbers are drawn as these: so no step of an axis is 0 or infinite
BAR = 60  # the length of the longest bar in a table
LINE, LEGEND = 16, 92  # the height of a line of the legend, and from where on it is drawn


class Curve(NamedTuple):
    """A curve and its name; points that are not finite are left out."""

    name: str
    x: np.ndarray
    y: np.ndarray


class Axis(NamedTuple):
    """The name of an axis, and how it is drawn: from `low` to `high`, or as far as the curves go."""

    name: str
    log: bool = False
    low: float | None = None
    high: float | None = None


class _Scale:
    """From numbers to places in the picture."""

    def __init__(self, axis: Axis, values: np.ndarray, start: float, end: float) -> None:
        low = float(values.min()) if axis.low is None else axis.low
        high = float(values.max()) if axis.high is None else axis.high
        if not low < high:
            around = (abs(low) or 1.0) / 2.0
            low, high = (low / 2.0, low * 2.0) if axis.log else (low - around, low + around)
        self.log, self.low, self.high, self.start, self.end = axis.log, low, high, start, end

    def __call__(self, values: np.ndarray) -> np.ndarray:
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log(values), math.log(low), math.log(high)
        scale = max(abs(low), abs(high))  # divide first: the distance of two numbers may be no float64
        part = (values / scale - low / scale) / (high / scale - low / scale)
        return np.asarray(self.start + part * (self.end - self.start))

    def ticks(self) -> list[float]:
        """Two to six round numbers."""
        if self.log and self.high >= 10.0 * self.low:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**k for k in range(first, last + 1, 1 + (last - first) // 5)]
        rough = self.high / 4.0 - self.low / 4.0
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= 0.999 * rough)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def chart(title: str, curves: Sequence[Curve], x: Axis, y: Axis) -> Html:
    """A figure with up to five curves; nothing if no curve has a point."""
    kept = [curve for curve in (_cleaned(curve, x.log, y.log) for curve in curves[: len(LOOKS)]) if len(curve.x)]
    if not kept:
        return Html("")
    legend = LINE * len(kept) if len(kept) > 1 else 0
    across = _Scale(x, np.concatenate([curve.x for curve in kept]), LEFT, WIDTH - RIGHT)
    up = _Scale(y, np.concatenate([curve.y for curve in kept]), HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, up, x.name, y.name)]
    for i, curve in enumerate(kept):
        parts.append(_line(LOOKS[i], across(curve.x), up(curve.y)))
        if legend:
            at = HEIGHT + LINE * i + 8
            parts.append(_line(LOOKS[i], np.array([LEFT, LEGEND - 6.0]), np.array([at, at])))
            parts.append(_words(curve.name, LEGEND, at + 4, "start"))
    label = text(f"{title}: {y.name} against {x.name}" + "".join(f"; {_ends(curve)}" for curve in kept))
    head = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + legend + 4}" role="img" aria-label="{label}" font-size="11" fill="none">'
    )
    return Html(f"<figure><figcaption>{text(title)}</figcaption>{head}{''.join(parts)}</svg></figure>")


def bar(value: float, largest: float) -> Html:
    """A number, and a bar that goes to the right if it is above 0, else to the left; `largest` is the longest one's."""
    length = BAR * min(abs(value) / largest, 1.0) if largest > 0.0 else 0.0
    place = f'x="{BAR - (length if value < 0.0 else 0.0):.1f}" width="{length:.1f}" fill="{LOOKS[int(value < 0.0)][0]}"'
    axis = f'<path d="M{BAR} 0V12" stroke="currentColor" stroke-opacity="0.5"/>'
    drawn = f'<svg width="{2 * BAR}" height="12" aria-hidden="true"><rect y="2" height="8" {place}/>{axis}</svg>'
    return Html(f"{value:.4g} {drawn}")


def charts(*figures: Html) -> Html:
    """Figures beside each other, if there is room."""
    drawn = [figure for figure in figures if figure]
    return Html(f'<div class="charts">{"".join(drawn)}</div>' if drawn else "")


def _cleaned(curve: Curve, log_x: bool, log_y: bool) -> Curve:
    """The points that can be drawn, and of many some at equal distances."""
    x, y = np.asarray(curve.x, dtype=np.float64), np.asarray(curve.y, dtype=np.float64)
    if len(x) > MOST_POINTS:
        last = len(x) - 1
        places = np.geomspace(1, len(x), MOST_POINTS) - 1 if log_x else np.linspace(0, last, MOST_POINTS)
        chosen = np.unique(places.round().astype(np.intp).clip(0, last))
        x, y = x[chosen], y[chosen]
    y = np.where(np.abs(y) < SMALLEST, 0.0, np.clip(y, -LARGEST, LARGEST))
    good = np.isfinite(x) & np.isfinite(y) & ((x > 0.0) | (not log_x)) & ((y > 0.0) | (not log_y))
    return Curve(curve.name, x[good], y[good])


def _grid(across: _Scale, up: _Scale, x_name: str, y_name: str) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    lines, words = [f"M{LEFT} {bottom}H{right}"], []
    for tick, at in zip(across.ticks(), across(np.array(across.ticks())), strict=True):
        lines.append(f"M{at:.1f} {bottom}v4")
        words.append(_words(f"{tick:,.6g}", at, bottom + 16, "middle"))
    for tick, at in zip(up.ticks(), up(np.array(up.ticks())), strict=True):
        lines.append(f"M{LEFT} {at:.1f}H{right}")
        words.append(_words(f"{tick:.4g}", LEFT - 6, at + 4, "end"))
    words.append(_words(x_name, (LEFT + right) / 2, HEIGHT - 5, "middle"))
    turned = f'transform="rotate(-90 12 {(TOP + bottom) / 2:.0f})"'
    words.append(_words(y_name, 12, (TOP + bottom) / 2, "middle", turned))
    return [f'<path d="{"".join(lines)}" stroke="currentColor" stroke-opacity="0.25"/>', *words]


def _words(words: str, x: float, y: float, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" {more}>{text(words, 60)}</text>'


def _line(look: tuple[str, str], x: np.ndarray, y: np.ndarray) -> str:
    colour, dashes = look
    if len(x) == 1:
        return f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="3.5" fill="{colour}"/>'
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{points}" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dashed}/>'


def _ends(curve: Curve) -> str:
    """For those who cannot see the picture: where a curve starts and ends."""
    return f"{curve.name} from {curve.y[0]:.4g} to {curve.y[-1]:.4g}"
