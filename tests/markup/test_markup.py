"""HTML for notebooks: no text becomes an element, and curves stay in their picture, whatever their numbers are."""

import re
import xml.etree.ElementTree

import numpy as np
import pytest
from html_page import HOSTILE, Page

from tinynet_fast.markup.curves import HEIGHT, MOST_POINTS, WIDTH, Axis, Curve, bar, chart, charts
from tinynet_fast.markup.elements import Html, facts, frame, name, paragraph, table, text

X, Y = Axis("epoch"), Axis("loss")


def drawn(figure):
    """The picture as XML, and the points of its curves."""
    root = xml.etree.ElementTree.fromstring(re.search("<svg.*</svg>", figure, re.DOTALL)[0])
    lines = [line.get("points").split() for line in root.iter("polyline")]
    return root, [np.array([point.split(",") for point in line], dtype=float) for line in lines]


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_texts_are_shown_as_they_are(hostile):
    curve = Curve(hostile, np.arange(3), np.arange(3))
    figure = chart(hostile, [curve, curve], Axis(hostile), Axis(hostile))
    shown = frame(
        table([hostile], [[hostile, hostile]], hostile), paragraph(hostile), facts([(hostile, hostile)]), figure
    )
    seen = Page(shown)
    assert {"script", "b"}.isdisjoint(seen.tags)
    assert "\x1b" not in shown
    assert seen.texts.count(text(hostile) and Page(text(hostile)).texts[0]) >= 8
    drawn(figure)  # it is XML


def test_html_is_not_escaped_twice():
    assert text(Html("<br>")) == "<br>"
    assert text("<br>") == "&lt;br&gt;"
    assert name("") == "&#39;&#39;"


def test_tables_name_their_rows_and_columns():
    shown = table(["a", "b"], [["x", 1], ["y", 2]], "what it is")
    assert shown.count('<th scope="col">') == 2
    assert shown.count('<th scope="row">') == 2
    assert "<caption>what it is</caption>" in shown
    assert "<thead>" not in facts([("a", 1), ("b", None), ("c", "")])
    assert facts([("a", 1), ("b", None), ("c", "")]).count("<tr>") == 1


NUMBERS = {
    "one": [3.0],
    "the same": [3.0, 3.0],
    "zeros": [0.0, 0.0, 0.0],
    "tiny": [0.0, 5e-324, 1e-310],
    "huge": [-1.7e308, 1.7e308, 0.0],
    "gaps": [1.0, np.nan, np.inf, 2.0],
    "many": np.cos(np.arange(100_000)),
    "far": [1e300, 1e300 * (1 + 2e-16), 1e300],
    "close": [1.0, 1.0 + 2.3e-16],
}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", NUMBERS)
def test_curves_stay_in_the_picture(values, log):
    y = np.asarray(NUMBERS[values])
    figure = chart("losses", [Curve("a", np.arange(1.0, len(y) + 1.0), y)], Axis("epoch", log), Axis("loss", log))
    if log and not (y[np.isfinite(y)] > 1e-300).any():
        assert figure == ""
        return
    root, lines = drawn(figure)
    for points in lines:
        assert len(points) <= MOST_POINTS
        assert (points >= 0.0).all()
        assert (points <= [WIDTH, HEIGHT]).all()
    assert "nan" not in figure
    assert len(figure) < 6_000
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("losses: loss against epoch; a from ")


def test_a_curve_goes_through_its_points():
    """The left end is at the lowest x, and twice the height is twice as far from the axis."""
    _, (points,) = drawn(chart("", [Curve("", np.array([0, 1, 4]), np.array([0, 1, 2]))], X, Y))
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x2 - x0 == pytest.approx(4 * (x1 - x0), abs=0.3)
    assert y0 - y2 == pytest.approx(2 * (y0 - y1), abs=0.3)
    _, (points,) = drawn(chart("", [Curve("", np.array([1, 10, 100]), np.array([1, 2, 3]))], Axis("", log=True), Y))
    assert points[2, 0] - points[0, 0] == pytest.approx(2 * (points[1, 0] - points[0, 0]), abs=0.3)


def test_axes_have_round_numbers():
    texts = Page(chart("", [Curve("", np.array([1, 1000]), np.array([0.0, 1.0155]))], X, Y)).texts
    assert {"500", "1,000", "0", "0.5", "1"} <= set(texts)
    texts = Page(chart("", [Curve("", np.array([1e-6, 1e3]), np.array([0.0, 1.0]))], Axis("", log=True), Y)).texts
    assert {"1e-06", "0.0001", "0.01", "1", "100"} <= set(texts)


def test_nothing_is_drawn_without_points():
    assert chart("", [], X, Y) == ""
    assert chart("", [Curve("a", np.array([1.0]), np.array([np.nan]))], X, Y) == ""
    assert charts("", "") == ""


def test_curves_differ_in_more_than_colour():
    curves = [Curve(str(i), np.arange(3), np.arange(3) + i) for i in range(7)]
    root, lines = drawn(chart("", curves, X, Y))
    assert len(lines) == 10  # five, and their lines in the legend
    dashes = [line.get("stroke-dasharray") for line in root.iter("polyline")]
    assert len(set(dashes)) == 5


def test_bars_go_to_their_side():
    def place(value):
        rect = next(drawn(bar(value, 2.0))[0].iter("rect"))
        return float(rect.get("x")), float(rect.get("x")) + float(rect.get("width"))

    assert place(2.0) == (60.0, 120.0)
    assert place(-1.0) == (30.0, 60.0)
    assert place(9.0) == (60.0, 120.0)
    assert drawn(bar(0.0, 0.0))[0] is not None
