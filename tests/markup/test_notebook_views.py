"""What models, results, sweeps and reports show at the prompt (a line) and in a notebook (tables and curves)."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from html_page import HOSTILE, Page

from tinynet_fast import (
    Ensemble,
    Neuron,
    bootstrap,
    evaluate,
    reproduce,
    sweep,
    sweep_mlp,
    train,
    train_mlp,
    train_neuron,
)
from tinynet_fast.columns.kinds import Levels
from tinynet_fast.datasets import make_pass_fail, study_and_sleep
from tinynet_fast.proof.portable import PortableValidation
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.proof.validate import Validation, Verdict

ROWS = make_pass_fail(300, 40, seed=3)
X, Y = ROWS.X, np.where(ROWS.y > 0, "pass", "fail")
TABLE = {
    "hours": np.arange(60) % 17,
    "school": [f"s{i % 5}" for i in range(60)],
    "price": np.arange(60) % 17 * 1.7 + np.arange(60) * 0.01,
    "result": np.where(np.arange(60) % 17 + np.arange(60) % 7 > 10, "pass", "fail"),
}
OPTIONS = {"learning_rate": 0.01, "epochs": 3}


def epochs_of(X, y):
    seen = []
    train_neuron(X, y, **OPTIONS, callback=seen.append, validation=0.2, seed=0)
    return seen[-1]


def traced_network():
    wide = np.full((40, 3), 0.1).tolist()
    weights, biases = [wide, [[0.1], [0.2], [0.3]]], [[0.0] * 3, [0.0]]
    return trace_mlp(X[:2], [0, 1], weights=weights, biases=biases, learning_rate=0.1)


VERDICTS = [Verdict(engine, "a case", 10, 0, 0.0, 0.0, engine == "strict") for engine in ("strict", "numpy")]
SHOWN = {  # how each is made, and its repr
    "neuron": (lambda: train_neuron(X, Y, **OPTIONS).model, r"Neuron\(40 inputs, labels fail and pass, engine fast\)"),
    "one input": (lambda: Neuron(weights=[2.0]), r"Neuron\(1 input, labels 0 and 1\)"),
    "softmax": (
        lambda: train_neuron(X, np.arange(300) % 9, **OPTIONS).model,
        r"Neuron\(40 inputs, 9 labels: 0, 1, 2, 3, \.\.\., engine fast\)",
    ),
    "network": (
        lambda: train_mlp(X, Y, hidden=(5, 3), seed=0, **OPTIONS).model,
        r"MLP\(40-5-3-1, sigmoid, labels fail and pass, engine fast\)",
    ),
    "network without hidden units": (
        lambda: train_mlp(X, np.arange(300) % 3, hidden=(), seed=0, **OPTIONS).model,
        r"MLP\(40-3, sigmoid, 3 labels: 0, 1, 2, engine fast\)",
    ),
    "ensemble": (
        lambda: sweep(X, Y, learning_rate=np.geomspace(1e-3, 0.1, 30), epochs=2).ensemble(25),
        r"Ensemble\(25 models of 40 inputs, labels fail and pass, engine lanes\)",
    ),
    "result": (
        lambda: train_neuron(X, Y, **OPTIONS),
        r"TrainingResult\(Neuron\(.*\), 3 epochs of 300 rows, sum of squared errors \d\S+\)",
    ),
    "result of a rate that was found": (
        lambda: train_neuron(X, Y, learning_rate="auto", epochs=80, validation=0.2, patience=5, seed=0),
        r"TrainingResult\(Neuron\(.*\), \d+ epochs of 240 rows, weights of epoch \d+, sum of squared errors \d\S+\)",
    ),
    "result of numbers": (
        lambda: train_mlp(X, X[:, 0], output="linear", seed=0, validation=0.2, **OPTIONS),
        r"TrainingResult\(MLP\(.*, linear, engine fast\), 3 epochs of 240 rows, mean squared error \d\S+\)",
    ),
    "search": (
        lambda: train_neuron(X, Y, learning_rate="auto", epochs=3).rate_search,
        r"RateSearch\(learning_rate=\S+: of 256 rates .*\)",
    ),
    "sweep": (
        lambda: sweep(X, Y, learning_rate=[0.01, 0.1], l2=[0.0, 0.1], average=[False, True], epochs=2, folds=3),
        r"SweepResult\(32 models, 2 epochs, 3 folds, best: learning rate 0.\d+, l2 \S+(, averaged)?\)",
    ),
    "sweep of networks": (
        lambda: sweep_mlp(X, Y, hidden=[(2,), (3,)], learning_rate=[0.1, 0.3], epochs=2, seed=1),
        r"MLPSweepResult\(4 networks, best: hidden=\d, learning_rate=0.\d\)",
    ),
    "bootstrap": (
        lambda: bootstrap(X, Y, n=8, epochs=3, learning_rate=0.01, seed=0),
        r"BootstrapResult\(8 samples of 300 rows, 40 inputs\)",
    ),
    "table": (
        lambda: train(TABLE, "result", epochs=20),
        r"TableResult\(Neuron\(\d+ inputs, labels fail and pass, engine fast\), 60 rows, Report\(12 rows, .*\)\)",
    ),
    "table of numbers": (
        lambda: train(TABLE, "price", hidden=(), epochs=20, exclude=["result"]),
        r"TableResult\(Neuron\(\d+ inputs, linear, engine fast\), 60 rows, NumberReport\(12 rows, .*\)\)",
    ),
    "table without a report": (
        lambda: train({name: values[:15] for name, values in TABLE.items()}, "result", epochs=5),
        r"TableResult\(Neuron\(.*\), 15 rows, none held out\)",
    ),
    "report": (
        lambda: evaluate(train_neuron(X, Y, **OPTIONS).model, X, Y),
        r"Report\(300 rows, 2 labels, accuracy 0\.\d+\)",
    ),
    "report of many labels": (
        lambda: evaluate(train_neuron(X, np.arange(300) % 30, **OPTIONS).model, X, np.arange(300) % 30),
        r"Report\(300 rows, 30 labels, accuracy 0\.\d+\)",
    ),
    "report of numbers": (
        lambda: evaluate(train_neuron(X, X[:, 0], output="linear", **OPTIONS).model, X, X[:, 0]),
        r"NumberReport\(300 rows, R squared \S+\)",
    ),
}
LINES = {  # what has a repr alone
    "epoch": (lambda: epochs_of(X, Y), r"Epoch\(2, loss \S+, validation loss \S+, Neuron\(.*\)\)"),
    "columns": (lambda: train(TABLE, "result", epochs=5).model.columns, r"Columns\(3: hours, school, price\)"),
    "levels": (
        lambda: Levels("city", [f"c{i}" for i in range(200)], [0.005] * 200),
        r"Levels\(city, 200 levels: c0, .* and 188 more\)",
    ),
    "rows": (lambda: ROWS, r"PassFail\(300 rows of 40 inputs\)"),
    "tutorial": (study_and_sleep, r"Table\(10 rows, inputs study_hours and sleep_hours\)"),
    "validation": (lambda: Validation(VERDICTS[:1], {}), r"Validation\(every promise kept, 1 verdicts on 1 engines\)"),
    "broken": (lambda: Validation(VERDICTS, {}), r"Validation\(1 promises broken, 2 verdicts on 2 engines\)"),
    "portable": (
        lambda: PortableValidation({"a": "x"}, {"a": "x"}, {}),
        r"PortableValidation\(1 trainings, as on every machine, digest \w{12}\.\.\.\)",
    ),
    "not portable": (
        lambda: PortableValidation({"a": "x"}, {"a": "y"}, {}),
        r"PortableValidation\(1 trainings, 1 of them different .*\)",
    ),
    "reproduction": (
        lambda: reproduce(train_neuron(X, Y, engine="portable", epochs=1).model, X, Y),
        r"Reproduction\(reproduced, Neuron\(.*, engine portable\)\)",
    ),
    "trace": (
        lambda: trace_neuron(X[0], 1, weights=0.1, bias=0.0, learning_rate=0.1),
        r"NeuronTrace\(40 inputs, label 1, prediction \S+, loss \S+, learning rate 0.1\)",
    ),
    "gradients": (
        lambda: trace_neuron(X[0], 1, weights=0.1, bias=0.0, learning_rate=0.1).gradients,
        r"NeuronGradients\(40 inputs, bias \S+\)",
    ),
    "trace of a network": (
        traced_network,
        r"MLPTrace\(40-3-1, sigmoid, 2 rows, mean loss \S+, learning rate 0.1\)",
    ),
    "row": (lambda: traced_network().rows[1], r"RowTrace\(40 inputs, true value 1, prediction \S+, loss \S+\)"),
    "gradients of a network": (lambda: traced_network().gradients, r"MLPGradients\(40-3-1\)"),
    "judged": (
        lambda: evaluate(train_neuron(X, Y, **OPTIONS).model, X, Y).judged,
        r"Judged\(300 rows, 2 labels\)",
    ),
}


@pytest.mark.parametrize("kind", [*SHOWN, *LINES])
def test_a_repr_is_one_short_line(kind):
    make, expected = (SHOWN | LINES)[kind]
    line = repr(make())
    assert re.fullmatch(expected, line), line
    assert len(line) < 240
    assert "nan" not in line.lower()


@pytest.mark.parametrize("kind", SHOWN)
def test_a_notebook_shows_tables_and_curves(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # it is not imported
    shown = SHOWN[kind][0]()._repr_html_()
    seen = Page(shown)
    assert "nan" not in " ".join(seen.texts).lower().replace("tinynet", "").split()
    assert len(shown) < 40_000
    assert shown.count("<table") == shown.count("<caption>") + shown.count("<p>The most frequent mistakes:</p>") or (
        kind == "report of many labels"
    )
    assert "<th>" not in shown
    assert shown.count("<svg viewBox") == shown.count('role="img" aria-label="')
    assert seen.tags.count("tr") < 100


def texts(thing):
    return Page(thing._repr_html_()).texts


def test_weights_are_shown():
    neuron = Neuron(weights=[1.25, -2.5], bias=0.75, features=["a", "b"])
    assert {"a", "1.25", "b", "-2.5", "bias", "0.75"} <= set(texts(neuron))
    neuron = Neuron(weights=np.linspace(-1, 2, 256))
    shown = texts(neuron)
    assert "the 20 inputs with the largest weights" in " ".join(shown)
    assert shown.count("2") == 1
    assert "x255" in shown
    assert "x80" not in shown  # near 0
    assert neuron._repr_html_().count("<tr>") == 22  # the columns' names and the bias


def test_what_inputs_contribute_decides_on_their_order():
    training = {"deviations": [10.0, 0.1, 1.0]}
    shown = texts(Neuron(weights=[1.0, 5.0, -2.0], features=["a", "b", "c"], training=training))
    assert [text for text in shown if text in ("a", "b", "c")] == ["a", "c", "b"]
    assert {"10 ", "-2 ", "0.5 "} <= set(shown)
    wrong = Neuron(weights=[1.0, 5.0], training=training)  # of another model
    assert "weight times deviation" not in texts(wrong)


def test_a_large_sweep_shows_the_best():
    small = sweep(X, Y, learning_rate=[0.01, 0.1], epochs=2)
    n = 10_000
    losses = np.tile(np.linspace(2.0, 1.0, n), (2, 1))
    many = replace(
        small,
        weights=np.ones((n, 40)),
        biases=np.zeros(n),
        combination=np.arange(n),
        fold=np.full(n, -1),
        loss_history=losses,
        progressive_loss=losses,
        held_out_loss=np.full(n, np.nan),
        best=n - 1,
        **{name: np.zeros(n) for name in ("l2", "average", "diverged", "unstable")},
        learning_rate=np.arange(n) / n,
    )
    shown = many._repr_html_()
    assert shown.count("<tr>") == 21
    assert "the 20 best of 10,000 combinations" in shown
    assert "<strong>0.9999</strong>" in shown
    assert shown.index("0.9999") < shown.index("0.9998")
    assert len(shown) < 20_000


def test_sweeps_in_which_models_diverged():
    result = sweep(X, Y, learning_rate=[0.01, 0.1], epochs=2)
    broken = replace(result, diverged=np.array([False, True]), best=0)
    assert "diverged" in texts(broken)
    broken = replace(result, diverged=np.ones(2, bool), best=None)
    assert repr(broken) == "SweepResult(2 models, 2 epochs, all diverged)"
    assert "<svg" not in broken._repr_html_()


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_names_and_labels_are_shown_as_they_are(hostile):
    names = [hostile, *(f"x{j}" for j in range(1, 40))]
    y = np.where(Y == "pass", hostile, "fail")
    model = train_neuron(X, y, **OPTIONS).model
    model.features = names
    model.training |= {"engine": hostile, "target": hostile, "loss": hostile}
    network = train_mlp(X, np.where(X[:, 0] > 1, "other", y), hidden=(), seed=0, **OPTIONS).model
    result = replace(train_neuron(X, y, **OPTIONS), model=model)
    samples = replace(bootstrap(X, y, n=8, epochs=2, learning_rate=0.01, seed=0), model=model)
    table = train({hostile: TABLE["hours"], "b": TABLE["school"], "y": TABLE["result"]}, "y", epochs=5)
    for thing in (model, network, result, samples, evaluate(model, X, y), table, Ensemble.of([model, model])):
        shown = thing._repr_html_()
        seen = Page(shown)
        assert {"script", "b"}.isdisjoint(seen.tags)
        assert "\x1b" not in shown + repr(thing)
        assert repr(thing).isprintable()
        shown.encode()
