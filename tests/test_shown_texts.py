"""What is shown of small examples, whole: texts, tables and pictures. `shown_texts.txt` holds it, one after the other.

A change that is wanted is written with `python tests/test_shown_texts.py`; look at the difference before you keep it.
"""

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from rich.console import Console
from shown import assert_is_shown

from tinynet_fast import MLP, Ensemble, Neuron
from tinynet_fast.markup.curves import Axis, Curve, bar, chart
from tinynet_fast.proof import trace_view
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.tables import number_view, report_html, summary
from tinynet_fast.tables.number_report import NumberReport
from tinynet_fast.tables.report import Report
from tinynet_fast.training.bootstrap_result import BootstrapResult
from tinynet_fast.training.result import Certificate, Epoch, RateSearch, TrainingResult
from tinynet_fast.training.sweep_mlp_result import MLPSweepResult
from tinynet_fast.training.sweep_result import SweepResult

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
    return re.sub("<style>.*?</style>\n", "", html, flags=re.DOTALL)


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
    yield from results()
    yield from summaries()


def console():
    return Console(width=100, color_system=None, force_terminal=False, legacy_windows=False, file=io.StringIO())


def printed(value):
    printer = console()
    with printer.capture() as captured:
        printer.print(value)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def step_of(trace, **options):
    return printed(trace_view.render(trace, **options))


def swept(folds, judged, n=3, output="", **options):
    """A sweep of `n` rates, of which the last diverged."""
    k = n * (folds + 1)
    fold, number = np.tile(np.arange(-1, folds), n), np.arange(k)
    held = np.where(fold >= 0, 0.5 - number / 100, np.nan) if folds else np.full(k, np.nan)
    losses = np.linspace(9.0, 1.0, 2 * k).reshape(2, k)
    return SweepResult(
        weights=np.outer(number, [1.0, 2.0]), biases=number / 4, learning_rate=0.1 * 2.0 ** (number // (folds + 1)),
        l2=np.zeros(k), average=np.full(k, folds > 1), combination=number // (folds + 1), fold=fold,
        loss_history=losses, progressive_loss=losses / 10, held_out_history=losses,
        held_out_loss=number / 8.0 if judged else held, diverged=number // (folds + 1) == n - 1, unstable=number == 0,
        best=None, labels=np.array(["no", "yes"]), features=["a", "b"], epochs=2, shuffle=True, seed=7, seconds=0.125,
        output=output, **options,
    )  # fmt: skip


def swept_networks(folds, tried):
    k = 2 * (folds + 1)
    number, half = np.arange(k), folds + 1
    options = {"learning_rate": [0.1] * half + [0.25] * half, "hidden": [()] * half + [(3, 2)] * half, "seed": [1] * k}
    return MLPSweepResult(
        options=options,
        tried=tried, combination=number // (folds + 1), fold=np.tile(np.arange(-1, folds), 2),
        loss_history=np.linspace(9.0, 1.0, 2 * k).reshape(2, k), held_out_loss=np.where(folds, number / 8.0, np.nan),
        diverged=np.zeros(k, bool), side_by_side=np.ones(k, bool), engines=["fast"] * (k - 1) + ["strict"], best=None,
        labels=np.arange(2), features=None, epochs=1, seconds=0.5, output="", make=lambda i: network(2, 1),
    )  # fmt: skip


def summaries() -> Iterator[tuple[str, str]]:
    """What `train` says at its end, of results made by hand."""
    training = TrainingResult(neuron(3), np.ones(1), None, "fast", 1000, None, 0, 0.125)
    searched = RateSearch(0.1, np.array([0.01, 0.1, 1.0]), np.array([0.6, 0.5, np.nan]), 1000, 2)
    stopped = TrainingResult(network(3, 4, 2, 1), np.ones(1), None, "fast", 9, 5, 0, 2.0, rate_search=searched)
    flat = TrainingResult(network(3, 4, k=4), np.ones(1), None, "strict", 1, None, 0, 2.0)
    columns = {"hours": "numbers", "sleep": "numbers, 3 missing", "tutor": "1 for yes, 2 missing", "school": "4 levels"}
    kinds = {"columns": columns, "left_out": {"id": "it numbers the rows"}, "new": {"school": 2}, "decided": "so"}
    nothing = {"columns": {"a": "numbers"}, "left_out": {}, "new": {}, "decided": ""}
    for trained, judged, more in (
        (training, two_labels(), kinds | {"held_out": 6, "rows": 1000, "dropped": 20, "refit": True, "options": {}}),
        (
            stopped,
            two_labels(),
            nothing | {"held_out": 0, "rows": 1000, "dropped": 0, "refit": False, "options": {"hidden": 4}},
        ),
        (flat, None, nothing | {"held_out": 6, "rows": 1000, "dropped": 0, "refit": False, "options": {}}),
        (training, two_labels(), nothing | {"held_out": 6, "rows": 10, "dropped": 0, "refit": False, "options": {}}),
    ):
        found = SimpleNamespace(training=trained, model=trained.model, report=judged, reason="by hand", **more)
        printer = console()
        with printer.capture() as captured:
            summary.print_summary(printer, found, ["model: m.json", "page: p.html"], "data.csv", "m.json")
        lines = [line.rstrip() for line in captured.get().splitlines()]
        yield (
            f"summary of {trained.model!r}, {found.held_out} held out",
            "\n".join([*lines, "--", summary.summary(found)]),
        )


def results() -> Iterator[tuple[str, str]]:
    """Of trainers, sweeps, searches and bootstraps, made by hand."""
    losses = np.array([3.0, 2.0, 1.5])
    search = RateSearch(0.1, np.array([0.01, 0.1, 1.0]), np.array([0.6, 0.5, np.nan]), 1000, 2)
    at_end = RateSearch(1.0, np.array([0.01, 1.0]), np.array([50.0, 0.5]), 10, 1, "squared error")
    sure = Certificate(1000, 2000, 1e-16, 2e-15, 3000), Certificate(8, 256, 0.0, 0.0, 0)
    trained = [
        TrainingResult(neuron(2, training={"learning_rate": 0.5}), losses, None, "fast", 3, None, None, 0.125),
        TrainingResult(
            neuron(2), losses, losses / 2, "strict", 3, 1, 7, 12.5, rate_search=search, rows=1000, dropped_rows=20,
            certificate=sure[0],
        ),
        TrainingResult(network(2, 3, 1), losses[:1], losses[:1], "numpy", 1, 0, 7, 1e-4, rows=1, certificate=sure[1]),
        TrainingResult(network(2, 3, 1), losses, losses[::-1], "numpy", 3, None, 0, 1e-4, rows=5000),
    ]  # fmt: skip
    for i, each in enumerate(
        [*trained, search, at_end, Epoch(3, 0.25, None, neuron(2)), Epoch(0, 0.25, 0.5, neuron(2))]
    ):
        html = without_style(each._repr_html_()) if hasattr(each, "_repr_html_") else ""
        yield f"result {i}", f"{each!r}\n{html}"
    sweeps = [swept(0, False), swept(0, True), swept(2, False), swept(0, True, n=22, output="linear")]
    for i, each in enumerate([*sweeps, swept_networks(0, []), swept_networks(2, ["learning_rate", "hidden"])]):
        each.judge()
        scores = " ".join(f"{score:.6g}" for score in each.scores())
        html = without_style(each._repr_html_())
        models = f"{each.best}, {each.best_model!r}, {each.folds}, {each.judged_on_other_rows}, {each.engine}"
        yield f"sweep {i}", f"{each!r}\n{scores}\n{models}\n{printed(each.table())}\n{html[: html.find('<figure')]}"
        yield f"ensemble of sweep {i}", repr(each.ensemble(2))
    sample = np.outer(np.arange(5.0) - 2.0, np.arange(1.0, 4.0))
    boot = BootstrapResult(sample, np.arange(5.0), neuron(3), 0.25, 0.5, 0.001, True, 1000, 1, 7, 1.5)
    rows = " ".join(f"{p:.6g}" for p in boot.predict_interval(np.eye(3) / 4).ravel())
    shown = printed(boot.table(0.5)), printed(boot.table()), without_style(boot._repr_html_()), rows
    yield "bootstrap", "\n".join([repr(boot), *shown])


def traces() -> Iterator[tuple[str, str]]:
    """A step of a neuron and of a network, as tables. Six lines cut the longer ones."""
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
        yield f"a step, {options}", step_of(trace_neuron(x, 1, weights=weights, bias=0.5, **options))
    step = trace_neuron(x, 1, weights=weights, bias=0.5)
    theirs = trace_view.NeuronGradients([0.0, 1.0, -1.0], 2.0)
    yield "a step beside PyTorch", repr(step) + "\n" + step_of(step, torch=theirs)
    far = trace_neuron([float(i) for i in range(9)], 0, weights=1.0)
    yield "a step of nine inputs", step_of(far, lines=6, torch=trace_view.NeuronGradients([0.0] * 9, 0.0))
    shapes = (3, 2), (2, 2), (2, 1)
    layers = (
        [np.arange(float(a * b)).reshape(a, b) / 4 - 0.5 for a, b in shapes],
        [np.arange(float(b)) / 8 for _, b in shapes],
    )
    for options in ({}, {"loss": "squared_error"}, numbers | {"activation": "tanh"}):
        step = trace_mlp([x, weights], [1, 0], weights=layers[0], biases=layers[1], **options)
        for lines in (60, 6):
            yield f"a step of a network, {options}, lines {lines}", repr(step) + "\n" + step_of(step, lines=lines)
    yield "a network beside PyTorch", step_of(step, torch=step.gradients)


def whole() -> str:
    return "".join(f"== {name}\n{text}\n" for name, text in texts())


def test_what_is_shown():
    assert_is_shown(whole(), SHOWN)


if __name__ == "__main__":
    SHOWN.write_text(whole(), encoding="utf-8")
