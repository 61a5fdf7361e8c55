"""The page shows every number and every name as it is, needs nothing else, and is written whole or not at all."""

import base64
import re
import xml.etree.ElementTree
from types import SimpleNamespace

import numpy as np
import pytest
from html_page import HOSTILE, Page

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.columns import Columns
from tinynet_fast.columns.kinds import Hashed, Levels, Numbers
from tinynet_fast.rows.messages import printable
from tinynet_fast.tables import report_html
from tinynet_fast.tables.evaluate import evaluate
from tinynet_fast.tables.page import _value, page, write_page
from tinynet_fast.tables.report import Report
from tinynet_fast.tables.report_view import number


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 2))
    return X, np.where(X[:, 0] + 0.5 * rng.standard_normal(120) > 0, "pass", "fail")


def test_every_number_is_shown(rows):
    result = train_neuron(*rows, epochs=5, validation=0.25, seed=0)
    report = evaluate(result.model, *rows)
    seen = Page(page(report, result.model, result, *rows))
    text = " ".join(seen.texts)
    for score in (report.accuracy, report.log_loss, report.brier, report.auc, report.per_label[1].f1):
        assert number(score.value) in seen.texts
        assert f"{score.low:.3f} to {score.high:.3f}" in seen.texts
    for count in report.confusion.ravel():
        assert str(count) in seen.texts
    assert f"{report.baseline.log_loss:.4f}" in seen.texts
    assert "those of the training rows are not known" in text
    assert "script" not in seen.tags
    assert all(link.startswith("data:image/svg+xml;base64,") for link in seen.links)


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_names_are_shown_as_they_are(hostile, rows):
    X, y = rows[0], np.where(rows[1] == "pass", hostile, "fail")
    kinds = [Levels(hostile, [hostile, "x"], [0.5, 0.5]), Hashed("id", 2), Numbers("n", 0.0, gaps=True)]
    columns = Columns(kinds)
    model = train_neuron(np.concatenate([X, X, X], axis=1), y, epochs=2, seed=0).model
    model.features, model.columns = columns.inputs, columns
    model.training |= {"deviations": [1.0] * 6, "target": hostile, "left_out": {hostile: "all values are different"}}
    report = evaluate(model, np.concatenate([X, X, X], axis=1), y)
    text = page(report, model)
    text.encode()
    seen = Page(text)
    assert set(seen.tags) <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "strong", "ul", "li", "div"),
        *("table", "thead", "tbody", "tr", "th", "td", "br", "span", "figure", "img", "figcaption"),
    }
    shown = printable(hostile, 60)
    # a column that is used and one that is not, the target, the label, and it twice in the confusion matrix
    assert seen.texts.count(shown) == 6
    assert any(shown in part and "predicted" in part for part in seen.texts)
    assert "\x1b" not in text


def test_pictures_are_svg_that_can_run_nothing(rows, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result = train_mlp(*rows, epochs=3, seed=0)
    report = evaluate(result.model, *rows)
    text = page(report, result.model, result, *rows)
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text)
    assert len(pictures) == 7
    assert len(re.findall(r"<img alt=\"[^\"]+\"", text)) == 7
    for picture in pictures:
        root = xml.etree.ElementTree.fromstring(base64.b64decode(picture))
        assert root.tag.endswith("svg")
        assert not [element for element in root.iter() if element.tag.endswith("script")]
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)  # the pictures are only counted
    assert len(re.findall("<figure>", page(report, result.model))) == 5  # without the loss, and without rows
    assert len(re.findall("<figure>", page(report, result.model, result.loss_history))) == 6


@pytest.mark.parametrize("k", [3, 30, 90])
def test_many_labels(k):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, 2)), np.array([f"id {i % k}" for i in range(600)])
    model = train_mlp(X, y, epochs=1, seed=0).model
    seen = Page(page(evaluate(model, X, y), model))
    text = " ".join(seen.texts)
    assert ("The most frequent mistakes" in text) == (k > 20)
    assert ("and 30 more labels" in text) == (k == 90)


def test_rows_that_define_little(rows):
    model = train_neuron(*rows, epochs=2, seed=0).model
    text = page(evaluate(model, rows[0][:1], rows[1][:1]), model)
    assert "undefined" in text
    assert "nan" not in re.sub('base64,[^"]*', "", text).lower().replace("tinynet", "").split()


def test_without_rows_the_page_shows_the_model(rows):
    result = train_neuron(*rows, epochs=2, seed=0)
    text = " ".join(Page(page(None, result.model, result)).texts)
    assert "No rows were held out" in text
    assert "Scores" not in text
    assert "Neuron(2 inputs" in text
    assert "Pictures" not in " ".join(Page(page(None, result.model)).texts)


def test_files(rows, tmp_path, monkeypatch):
    result = train_neuron(*rows, epochs=2, seed=0)
    report = evaluate(result.model, *rows)
    path = tmp_path / "report.html"
    write_page(path, report, result.model, result)
    assert path.read_text(encoding="utf-8") == page(report, result.model, result)
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path.write_text("old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)  # no picture is kept
    with pytest.raises(ValueError, match="loss_curves takes what"):
        write_page(path, report, result.model, "no result")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]


def test_without_matplotlib_the_page_says_so(rows, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    result = train_neuron(*rows, epochs=2, seed=0)
    seen = Page(page(evaluate(result.model, *rows), result.model, result))
    assert "img" not in seen.tags
    assert any("pip install 'tinynet-fast[plot]'" in text for text in seen.texts)


def test_values_of_options():
    assert [_value(value) for value in (True, False, 3, 0.123456789, 1e-10, "sgd")] == [
        *("yes", "no", "3", "0.123457", "1e-10", "sgd")
    ]


@pytest.mark.parametrize("count", [1, 200, 201, 203])
def test_at_most_two_hundred_columns_are_shown(count):
    kinds = [SimpleNamespace(name=f"column{k}", kind="hashed", buckets=8) for k in range(count)]
    page = report_html.columns(SimpleNamespace(columns=SimpleNamespace(kinds=kinds), training={}))
    assert page.count("hashed to 8 inputs") == min(count, 200)
    assert ("more columns" in page) == (count > 200)
    assert count <= 200 or f"and {count - 200} more columns that are used" in page


def test_the_roc_curve_ends_at_the_corner():
    """By hand: of three rows, one is no "b", and the least likely one is."""
    report = Report.of(np.array(["a", "b"]), np.array([[0.1, 0.9], [0.4, 0.6], [0.8, 0.2]]), np.array([1, 0, 1]))
    roc = report_html._curves(report).split("<svg")[1]
    ends = [points.split()[-1] for points in re.findall('points="([^"]*)"', roc)]
    assert ends[0] in ends[1:]  # where the line of chance ends
