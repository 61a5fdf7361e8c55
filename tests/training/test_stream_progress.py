"""What is told of a run whose rows are read while training: progress, speed, and the time left."""

import io
import itertools
import sys

import numpy as np
import pytest
from test_streaming import ROWS, Y, blocks, nothing_is_kept, write  # noqa: F401 - a fixture that every test uses

from tinynet_fast import train_neuron


def test_progress_has_speed_and_time_left(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tinynet_fast.training.progress.LINE_SECONDS", 0.0)
    X, y = write(tmp_path, "csv", ROWS.X, Y, [])
    train_neuron(X, y, epochs=2, progress=True, checkpoint=tmp_path / "run.json")  # in shorter blocks than without
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 1/2, ")
    assert " rows/s, loss so far 0." in first
    for word in ("epoch 2/2, ", " rows/s, ", " MB/s, ", "loss ", "0:00:00 left"):
        assert word in last


@pytest.mark.parametrize("tick", [1e-4, 10.0])
def test_progress_before_and_after_the_rows_are_counted(tick, capsys, monkeypatch):
    """The clock goes on by `tick` when it is read. A first pass over rows that are not counted has no time left."""
    clock = itertools.count(0.0, tick)
    monkeypatch.setattr("tinynet_fast.training.progress.perf_counter", lambda: next(clock))
    monkeypatch.setattr("tinynet_fast.training.progress.LINE_SECONDS", 0.0)
    rows = blocks(ROWS.X[:1000], Y[:1000], 300)
    result = train_neuron(rows, epochs=2, progress=True, average=True)  # without averaging, a block has all rows
    lines = [line.split(", ") for line in capsys.readouterr().err.splitlines()]
    ends = [k for k, line in enumerate(lines) if "so far" not in line[2]]
    assert ends[1] == len(lines) - 1
    assert ends[0] > 2
    seen = [float(line[1].removesuffix(" rows/s").replace(",", "")) * (k + 1) * tick for k, line in enumerate(lines)]
    for k in ends:  # all rows, once and twice
        assert seen[k] == pytest.approx(1000 * (1 + (k == ends[1])), abs=(k + 1) * tick)
    assert sorted(seen[: ends[0]]) == pytest.approx(seen[: ends[0]])
    assert [len(line) for line in lines] == [3] * (ends[0] - 1) + [4] * (len(lines) - ends[0] + 1)
    assert [lines[k][2] for k in ends] == [f"loss {loss:.6g}" for loss in result.loss_history]


def test_progress_of_a_file_counts_its_bytes(tmp_path, capsys, monkeypatch):
    clock = itertools.count(0.0, 1e-6)
    monkeypatch.setattr("tinynet_fast.training.progress.perf_counter", lambda: next(clock))
    monkeypatch.setattr("tinynet_fast.training.progress.LINE_SECONDS", 0.0)
    X, y = write(tmp_path, "csv", ROWS.X, Y, [])
    train_neuron(X, y, epochs=1, progress=True)
    lines = capsys.readouterr().err.splitlines()
    size = sum(path.stat().st_size for path in tmp_path.glob("*.csv"))
    assert f", {size / len(lines):,.0f} MB/s, " in lines[-1]


def test_progress_on_a_terminal_is_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    bars, moved, screen = pytest.importorskip("rich.progress"), [], Terminal()
    update = bars.Progress.update

    def told(self, task, **values):
        moved.append(values)
        update(self, task, **values)

    monkeypatch.setattr(bars.Progress, "update", told)
    monkeypatch.setattr(sys, "stderr", screen)
    train_neuron(ROWS.X[:20], Y[:20], epochs=3, progress=True, callback=lambda epoch: None)
    assert [values["completed"] for values in moved] == pytest.approx(np.repeat([1 / 3, 2 / 3, 1], 2))
    assert moved[-1]["text"].startswith("epoch 3/3, ")
    assert "epoch 3/3, " in screen.getvalue()
    assert screen.getvalue().rindex("\x1b[?25h") > screen.getvalue().rindex("\x1b[?25l")  # the cursor is back
    moved.clear()
    train_neuron(blocks(ROWS.X[:20], Y[:20], 10), epochs=1, progress=True)
    assert moved[-1]["completed"] == 1
