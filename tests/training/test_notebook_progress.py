"""In a notebook, progress is one line that is changed in place, and that stays as a record at the end."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tinynet_fast import sweep, train, train_neuron
from tinynet_fast.datasets import make_pass_fail
from tinynet_fast.training import progress

ROWS = make_pass_fail(100, 2)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook was asked to show: for each line, its contents in turn."""
    lines = []

    def display(data, raw, display_id):
        assert raw
        assert display_id
        line = [data]
        lines.append(line)
        return SimpleNamespace(update=lambda data, raw: line.append(data))

    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return lines


def test_one_line_for_a_training(shown, capsys):
    train_neuron(ROWS.X, ROWS.y, epochs=30, progress=True)
    ((first, *_, last),) = shown
    assert first["text/plain"] == "training ..."
    assert last["text/plain"].startswith("epoch 30/30, ")
    assert last["text/plain"].endswith(" s")
    assert last["text/html"] == f"<div>{last['text/plain']}</div>"
    assert capsys.readouterr() == ("", "")


def test_it_changes_while_training_goes_on(shown, monkeypatch):
    monkeypatch.setattr(progress, "CELL_SECONDS", 0.0)
    train_neuron(ROWS.X, ROWS.y, epochs=4, progress=True, callback=lambda epoch: None)
    ((_, *between, _),) = shown
    bars = [data["text/html"] for data in between]
    assert any('<progress aria-label="training" value="0.5000"></progress> epoch 2/4, ' in bar for bar in bars)
    assert len(bars) >= 4


def test_it_does_not_change_more_often_than_can_be_seen(shown, monkeypatch):
    monkeypatch.setattr(progress, "perf_counter", lambda: 5.0)  # the time stands still
    train_neuron(ROWS.X, ROWS.y, epochs=50, progress=True, callback=lambda epoch: None)
    assert [len(line) for line in shown] == [2]


def test_it_says_that_training_was_stopped(shown):
    def stop(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_neuron(ROWS.X, ROWS.y, epochs=30, progress=True, callback=stop)
    assert shown[0][-1]["text/plain"].endswith("; stopped")
    with pytest.raises(ValueError, match="stop here"), progress.waiting(True, "choosing options ..."):
        raise ValueError("stop here")
    assert shown[1][-1]["text/plain"].startswith("choosing options: ")


def test_a_line_for_each_part_of_training_on_a_table(shown):
    table = {"x": ROWS.X[:, 0].tolist(), "result": np.where(ROWS.y > 0, "pass", "fail").tolist()}
    train(table, "result", progress=True)
    last = [line[-1]["text/plain"].partition("/")[0].partition(":")[0] for line in shown]
    assert last == ["choosing options", "epoch 500", "epoch 500"]


def test_nothing_is_shown_unless_asked_for(shown):
    train_neuron(ROWS.X, ROWS.y, epochs=3)
    with progress.waiting(False, "predicting ..."):
        pass
    assert shown == []


def test_elsewhere_nothing_changes(monkeypatch):
    assert not progress.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))  # imported, not running
    assert not progress.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))  # a terminal's
    assert not progress.in_notebook()


def test_a_sweep_shows_the_curves_of_the_five_best():
    X = np.random.default_rng(0).standard_normal((60, 2))
    swept = sweep(X, (X[:, 0] > 0).astype(int), learning_rate=[0.01 * k for k in range(1, 8)], epochs=3)
    page = swept._repr_html_()
    assert page.count("<polyline") == 2 * 5  # each curve, and its line in the legend
    (label,) = re.findall('aria-label="([^"]*)"', page)
    assert re.findall(r"; (0\.0\d) from", label) == ["0.07", "0.06", "0.05", "0.04", "0.03"]
