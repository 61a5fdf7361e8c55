"""What is decided from sizes and from estimates of time: how rows are cut, and which rates are searched.

`decisions.txt` holds the decisions for some sizes. A change that is wanted is written with
`python tests/training/test_decisions.py`; look at the difference before you keep it.
"""

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from shown import assert_is_shown

from tinynet_fast.kernels.point_functions import LEAST_SQUARES, LOG_LOSS
from tinynet_fast.models import Neuron
from tinynet_fast.training import (
    block_segments,
    junctions,
    network_rate,
    neuron_rate,
    outcome,
    progress,
    rate_search,
    segment_group,
    segments,
    view,
)
from tinynet_fast.training.losses import LABELS, LINEAR, choose_loss

DECISIONS = Path(__file__).with_name("decisions.txt")
LOSSES = {"log loss": LOG_LOSS, "squared error": LEAST_SQUARES}
SIZES = [(500, 1), (1000, 20), (20_000, 2), (100_000, 8), (1_000_000, 3)]


class Sized:
    """Rows of which only the size is known."""

    def __init__(self, n, d):
        self.count, self.n_features = n, d

    def __len__(self):
        return self.count


def options(n, d, epochs=100):
    return SimpleNamespace(rows=Sized(n, d), epochs=epochs, engine=block_segments.FAST)


def shown(value) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    return " ".join(map(shown, value)) if isinstance(value, list | tuple | np.ndarray) else str(value)


def of_blocks():
    yield "block_rows", [block_segments.block_rows(d) for d in (1, 2, 3, 7, 8, 1000, 10**6)]
    yield "lanes", [block_segments._lanes(k, t) for k, t in product((8, 16, 17, 64, 128), (1, 2, 3, 8))]
    for name, loss in LOSSES.items():
        for n, d in [*SIZES, (65_536, 2)]:
            early = (8, 100, 1000, n // 128, n // 64 + 1, n // 8, n)
            yield f"segments, {name}, {n} x {d}", [block_segments._segments(n, d, rows, loss) for rows in early]


def of_epochs():
    for name, loss in LOSSES.items():
        for epochs in (8, 9, 100):
            long = [segments.is_long(options(n, d, epochs), loss) for n, d in [(499, 1), (None, 1), *SIZES]]
            yield f"is_long, {name}, {epochs} epochs", long
        yield f"in turn, {name}", [junctions.seconds_in_turn(n, d, loss) for n, d in SIZES]
        for l2 in (0.0, 0.1):
            pace = segment_group.PACES[loss, l2 > 0.0]
            for n, d in SIZES:
                passes = [segment_group.pass_seconds(n, d, pace, r) for r in (1, 2, 3, 8, 9, 16)]
                yield f"pass, {name}, l2 {l2}, {n} x {d}", passes
                cuts = [segment_group.GroupCut(*cut) for cut in ((8, 5, 1), (13, 1, 4), (128, 1, 2), (64, 1, 8))]
                yield "  parts", [cut.parts(n, d, pace, t) for cut in cuts for t in (1, 2, 8)]
                yield "  seconds", [cut.seconds(n, d, pace, t) for cut in cuts for t in (1, 2, 8)]
                run = object.__new__(segments.Segments)
                run.options, run.d, run.loss, run.each = options(n, d), d, loss, (0.1, l2, 0.0)
                yield "  most measured", [run._most_measured(epochs) for epochs in (1, 10, 99)]
                for epochs, burn_in in ((10, 100), (99, 1000), (99, n // 2), (99, 3 * n)):
                    cut = run._cut(epochs, burn_in)
                    yield f"  cut of {epochs} epochs, burn-in {burn_in}", cut and [cut.lanes, cut.epochs, cut.slices]
                two = SimpleNamespace(train=lambda *_: None)
                for most in (600, 5000):
                    data = [
                        (low, np.zeros((high - low, 1)), *[np.zeros(high - low)] * 2)
                        for low, high in ((0, n // 3), (n // 3, n))
                    ]
                    with pytest.MonkeyPatch.context() as patch:
                        patch.setattr(segments, "blocks", lambda *_, data=data: iter(data))
                        yield f"  looks, most {most}", list(run._measured(two, most))[:12]


def of_junctions():
    yield (
        "safe_bound",
        [junctions.safe_bound(*each) for each in ((0.1, 0.0, 8.0), (0.1, 0.5, 2.0), (3.0, 1.0, 8.0), (0.0, 0.0, 8.0))],
    )
    cuts = [
        ([1.0, 1.0, 1.0], "a"),
        ([0.9, 0.8, 0.7], "b"),
        ([0.95, 0.5, 0.6], "c"),
        ([1.008, 0.5, 0.5], "d"),
        ([1.01, 0.1, 0.1], "e"),
    ]
    yield "choose_cut", [junctions.choose_cut(cuts, in_turn) for in_turn in (2.0, 1.0, 0.99)]
    yield "choose_cut of none", junctions.choose_cut([], 1.0)
    w = np.array([3.0, 4.0])
    yield (
        "have_met",
        [junctions.have_met(w, w + np.array([0.0, gap]), n) for gap in (1e-13, 1e-12, 5e-12) for n in (1, 2, 10)],
    )
    yield "have_met, short", [junctions.have_met(w * size, w * size, 1) for size in (1e-101, 1e-99, np.nan)]
    for gaps in (
        (1.0, 0.1, 1e-3, 1e-6, 1e-16),
        (1.0, 0.99, 0.98, 0.97, 0.96),
        (1.0, 1.0, 2.0, 0.5, 0.0),
        (np.nan,) * 5,
    ):
        for most in (400, 4000):
            meeting = junctions.Meeting(w, w + 2.0, most)
            over = [meeting.is_over(w, w + gap, 100 * (k + 1)) for k, gap in enumerate(gaps)]
            yield f"meeting, {gaps}, most {most}", [*over, meeting.burn_in]
    ends = np.cumsum(np.ones((6, 2)), axis=0)
    for gap in (0.0, 1e-13, 1e-12, 1e-11):
        for together in (1, 4):
            found = junctions.Junctions()
            starts = np.vstack([np.zeros(2), ends[:-1] + np.array([gap, 0.0])])
            stand = [found.stand(starts, ends, [10, 20, 30, 40, 50, 60], 7, together), found.stand(starts, ends, 5, 8)]
            kept = found.certificate
            yield f"stand, {gap}, {together}", [*stand, *([] if kept is None else vars(kept).values())]
    yield "no certificate", junctions.Junctions().certificate


def of_searches():
    yield "most_rows", [rate_search.most_rows(d) for d in (0, 1, 127, 128, 129, 1000)]
    for n, every in ((100, None), (65_535, None), (65_536, None), (1000, 400), (1000, 600)):
        drawn = rate_search.draw(2, n, (np.arange(n) % 2).astype(np.uint8).__getitem__, None, every)
        yield f"draw of {n}, {every}", drawn if drawn is None else len(drawn)
    for n, d, visits in ((10, 1, 10), (1000, 3, 1000), (1000, 3, 20_000), (16_383, 2, 30_000), (16_384, 2, 30_000)):
        rates = rate_search.grid(np.ones((n, d)), visits)
        yield f"grid, {n} x {d}, {visits} visits", [len(rates), rates[0], rates[-1]]
    with_more = [rate_search.with_more(np.array([1.0, 4.0, 16.0]), np.array(losses), np.log, 3) for losses in
                 ([1.0, 2.0, 3.0], [3.0, 2.0, np.nan], [3.0, 2.0, 1.0], [3.0, 1.0, 2.0])]  # fmt: skip
    yield "with_more", with_more
    X, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.0, 1000.0])
    for name, of, optimizer in product(("squared_error", "huber", "log_loss"), (LINEAR, LABELS), ("sgd", "adam")):
        if (name == "log_loss") == (of == LABELS):
            plan = SimpleNamespace(optimizer=SimpleNamespace(name=optimizer), loss=choose_loss(name, of))
            yield (
                f"range of rates, {name}, {optimizer}",
                [network_rate._range(X * s, y * s, plan) for s in (1e-6, 1.0, 1e4)],
            )
    rates = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    for losses in (
        [3.0, 2.0, 1.0, 0.5, np.nan],
        [3.0, 2.0, 1.0, np.nan, np.nan],
        [1.0, np.nan, np.nan, np.nan, np.nan],
    ):
        yield f"best, {losses}", [network_rate._best(rates, np.array(losses), shorter) for shorter in (False, True)]
    yield (
        "judged by",
        ", ".join(
            neuron_rate.judged_by(choose_loss(*each))
            for each in (("log_loss",), ("hinge",), ("squared_error", LINEAR), ("absolute_error", LINEAR))
        ),
    )


def of_looks():
    yield (
        "places",
        [len(np.arange(n)[outcome._places(n, most)]) for n in (1, 10, 100, 1000) for most in (1, 10, 64, 999)],
    )
    yield "places of 100, 7", np.arange(100)[outcome._places(100, 7)]
    for k in (7, 8, 16):
        yield (
            f"sorted, {k} labels in turn",
            [outcome.are_sorted(np.repeat(np.arange(20) % 2, m)) for m in (1, 2, k, 100)],
        )
    yield (
        "sorted",
        [outcome.are_sorted(np.repeat([0, 1], [n, m])) for n, m in ((1, 1), (8, 8), (10, 10), (100, 5), (500, 500))],
    )
    curve = np.concatenate([np.linspace(10.0, 1.0, 5), np.linspace(1.0, 0.5, 45)])
    yield "first epochs", [view.first_epochs([np.zeros(n)]) for n in (1, 9, 10, 19, 20, 50)]
    yield (
        "early",
        [view.is_early([c]) for c in (curve, curve[:-1], curve[::-1], np.append(curve, np.nan), np.full(60, np.nan))],
    )
    yield (
        "bottom",
        [view._bottom([np.array(c)]) for c in ([1.0, 2.0], [1.2, 2.0], [1.3, 2.0], [-1.0, 2.0], [0.0, 1.0], [np.nan])],
    )
    yield "wide", [view._is_wide([("a", np.array(c))]) for c in ([1.0, 10.0], [1.0, 10.1], [0.0, 1.0], [np.nan, -1.0])]
    kinds = {"labels": [0, 1], "output": ""}, {"labels": None, "output": "linear"}
    losses = {}, {"loss": "huber"}, {"loss": "focal"}, {"standardize_y": True}
    models = [Neuron(weights=[1.0], bias=0.0, training=loss, **kind) for kind, loss in product(kinds, losses)]
    yield "names of losses", " | ".join(", ".join(view.names_of_losses(model)) for model in models)
    yield "clock", [progress._clock(s) for s in (0.0, 0.6, 59.4, 59.6, 60.0, 3599.0, 3600.0, 86_399.0, 1e9)]


def whole() -> str:
    parts = {
        "blocks": of_blocks,
        "epochs": of_epochs,
        "junctions": of_junctions,
        "searches": of_searches,
        "looks": of_looks,
    }
    lines = {part: [f"{what}: {shown(found)}\n" for what, found in make()] for part, make in parts.items()}
    return "".join(f"== {part}\n" + "".join(lines[part]) for part in parts)


def test_decisions():
    assert_is_shown(whole(), DECISIONS)


if __name__ == "__main__":
    DECISIONS.write_text(whole(), encoding="utf-8")
