"""What is shown of small examples, whole: texts, tables and pictures. `shown_texts.txt` holds it, one after the other.

A change that is wanted is written with `python tests/test_shown_texts.py`; look at the difference before you keep it.
"""

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console

from tinynet_fast import MLP, Ensemble, Neuron
from tinynet_fast.markup.curves import Axis, Curve, bar, chart
from tinynet_fast.proof import trace_view
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.tables import number_view, report_html, summary
from tinynet_fast.tables.number_report import NumberReport
from tinynet_fast.tables.report import Report

SHOWN = Path(__file__).with_name("shown_texts.txt")
P = np.array([0.9, 0.8, 0.6, 0.4, 0.3, 0.1])


def two_labels(threshold=0.5):
    return Report.of(
        np.array(["fail", "pass"]), np.stack([1 - P, P], axis=1), np.array([1, 1, 0, 1, 0, 0]), [3, 1], threshold
    )


def many_labels(k, right=0.6):
    """Three rows of each label, of which the last is taken for the next label; the first label has three rows more."""
    codes = np.concatenate([np.arange(3 * k) // 3, [0, 0, 0]])
    predicted = (codes + (np.arange(len(codes)) % 3 == 2)) % k
    p = np.full((len(codes), k), (1 - right) / (k - 1))
    p[np.arange(len(codes)), predicted] = right
    return Report.of(np.array([f"label {i}" for i in range(k)]), p, codes, np.ones(k))


def numbers(scale=1.0, **options):
    y = scale * np.array([1.0, 2.0, 4.0, 3.0, 7.0, 5.0, 6.0, 8.0, 9.0, 10.0, 12.0, 11.0])
    return NumberReport.of(y + scale * np.tile([0.5, -0.25, 0.0], 4), y, **options)


def neuron(n, **options):
    return Neuron(weights=np.arange(n) - 1.5, bias=0.25, labels=np.array(["no", "yes"]), **options)


def network(*sizes, k=2):
    shapes = list(pairwise(sizes))
    return MLP(
        weights=[np.arange(float(a * b)).reshape(a, b) / 4 - 1 for a, b in shapes],
        biases=[np.arange(float(b)) / 8 for _, b in shapes], activation="relu", labels=np.arange(k),
    )  # fmt: skip


def without_style(html):
    return html.partition("</style>\n")[2]


def texts() -> Iterator[tuple[str, str]]:
    for threshold in (0.5, 0.7):
        yield f"two labels, threshold {threshold}", str(two_labels(threshold))
    for k in (3, 12, 13):
        yield f"{k} labels", str(many_labels(k))
    yield "13 labels, all right", str(Report.of(np.arange(13), np.eye(13), np.arange(13)))
    yield (
        "page, 3 labels",
        report_html.labels(many_labels(3), caption="of three") + report_html.confusion(many_labels(3)),
    )
    for k in (20, 21, 60, 61):
        pages = report_html.labels(many_labels(k)), report_html.confusion(many_labels(k))
        yield (
            f"page, {k} labels",
            "\n".join(f"{page.count('<tr>')} lines, {page[:60]} ... {page[-200:]}" for page in pages),
        )
    yield "page, curves", report_html._curves(two_labels())
    for scale, options in ((1.0, {}), (1e4, {"mean": 6e4, "loss": ("huber", 1.0)}), (1e15, {"name": "cost"})):
        report = numbers(scale, **options)
        yield f"numbers, {scale:g}", str(report)
        yield (
            f"page, numbers, {scale:g}",
            report_html.number_summary(report)
            + report_html.number_scores(report)
            + report_html.number_errors(report)
            + report_html._number_curves(report),
        )
    yield "amounts", " ".join(map(number_view.amount, (None, 0.0, 9999.0, 1e4, -12345.678, 1e15, 999999999999999.0)))
    for k in (2, 3, 8, 9):
        yield f"learned, {k} labels", summary.learned(network(2, 1 if k == 2 else k, k=k))
    yield "12 and 13 names", summary._some(list("abcdefghijkl")) + "\n" + summary._some(list("abcdefghijklm"))
    curves = [
        Curve("a", np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.25, 2.0])),
        Curve("b", np.arange(1.0, 4), np.ones(3)),
    ]
    yield "two curves", chart("Losses", curves, Axis("epoch"), Axis("loss"))
    yield "a curve, logarithmic", chart("", curves[:1], Axis("epoch", log=True), Axis("loss", log=True))
    yield "a share", chart("", curves[:1], Axis("share", low=0.0, high=5.0), Axis("loss", low=-1.0))
    yield "many points", chart("", [Curve("", np.arange(1.0, 202), np.arange(201.0) ** 2)], Axis("x"), Axis("y"))
    yield "bars", "\n".join(bar(value, 2.0) for value in (-2.0, -0.5, 0.0, 1.0, 3.0))
    yield "texts", "\n".join(without_style(model._repr_html_()) for model in (
        neuron(3, features=["a", "b", "c"], training={"l2": 0.5, "epochs": 1000, "engine": "fast", "seed": 0}),
        neuron(3, threshold=0.75, training={"deviations": [1.0, 3.0, 0.1]}), neuron(20), neuron(21), network(2, 3, 1),
        network(2, 7, k=7), Ensemble(members=[neuron(2)] * 21, labels=np.array(["no", "yes"])),
    ))  # fmt: skip
    yield (
        "models",
        "\n".join(map(repr, (neuron(1), neuron(1000), network(2, 3, 1), network(2, 4, k=4), network(2, 5, k=5)))),
    )
    yield from traces()


def traces() -> Iterator[tuple[str, str]]:
    """A step of a neuron and of a network, as tables. Six lines cut the longer ones."""
    console = Console(width=100, color_system=None, force_terminal=False, legacy_windows=False, file=io.StringIO())

    def printed(trace, **options):
        with console.capture() as captured:
            console.print(trace_view.render(trace, **options))
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    x, weights = [1.0, -2.0, 0.5], [0.25, 0.5, -1.0]
    numbers = {"output": "linear"}
    for options in (
        {},
        {"loss": "hinge"},
        {"loss": "focal"},
        numbers,
        numbers | {"loss": "huber"},
        numbers | {"loss": "quantile"},
    ):
        yield f"a step, {options}", printed(trace_neuron(x, 1, weights=weights, bias=0.5, **options))
    step = trace_neuron(x, 1, weights=weights, bias=0.5)
    theirs = trace_view.NeuronGradients([0.0, 1.0, -1.0], 2.0)
    yield "a step beside PyTorch", repr(step) + "\n" + printed(step, torch=theirs)
    far = trace_neuron([float(i) for i in range(9)], 0, weights=1.0)
    yield "a step of nine inputs", printed(far, lines=6, torch=trace_view.NeuronGradients([0.0] * 9, 0.0))
    shapes = (3, 2), (2, 2), (2, 1)
    layers = (
        [np.arange(float(a * b)).reshape(a, b) / 4 - 0.5 for a, b in shapes],
        [np.arange(float(b)) / 8 for _, b in shapes],
    )
    for options in ({}, {"loss": "squared_error"}, numbers | {"activation": "tanh"}):
        step = trace_mlp([x, weights], [1, 0], weights=layers[0], biases=layers[1], **options)
        for lines in (60, 6):
            yield f"a step of a network, {options}, lines {lines}", repr(step) + "\n" + printed(step, lines=lines)
    yield "a network beside PyTorch", printed(step, torch=step.gradients)


def whole() -> str:
    return "".join(f"== {name}\n{text}\n" for name, text in texts())


def test_what_is_shown():
    """Compared one by one, so that a difference is easy to read."""
    ref = SHOWN.read_text(encoding="utf-8").split("== ")
    comp = whole().split("== ")
    assert len(comp) == len(ref)
    for text, shown in zip(comp, ref, strict=True):
        assert text == shown


if __name__ == "__main__":
    SHOWN.write_text(whole(), encoding="utf-8")
