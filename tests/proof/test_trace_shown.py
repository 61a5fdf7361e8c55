"""A traced step as JSON and as tables, of models and rows on the command line; and what cannot be traced."""

import io
import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from test_trace import random_network, random_neuron, shown, traced

from tinynet_fast import MLP, Neuron
from tinynet_fast.proof import trace_tables
from tinynet_fast.proof.trace import trace_mlp, trace_neuron
from tinynet_fast.proof.trace_run import run_trace
from tinynet_fast.proof.trace_view import render
from tinynet_fast.rows.files import TableError

# --- JSON and tables --------------------------------------------------------------------------------------------------


def test_json_gives_every_number_back() -> None:
    for seed in range(20):
        x, y, weights, bias, rate = random_neuron(seed)
        neuron = trace_neuron(x, y, weights=weights, bias=bias, learning_rate=rate)
        network = traced(random_network(seed, 2, 3), "tanh")
        for trace in (neuron, network, run_trace(network=True)):
            ref = trace.to_json()
            comp = json.loads(json.dumps(ref, allow_nan=False))
            assert repr(comp) == repr(ref)  # repr tells every float from every other, and -0.0 from 0.0


def test_tables_show_every_number_within_80_columns() -> None:
    x, y, weights, bias, rate = random_neuron(3)
    neuron = trace_neuron(np.array(x) * -1e-7, y, weights=np.array(weights) * 1e-5, bias=bias, learning_rate=rate)
    network = traced(random_network(1, 2, 3), "relu")
    for trace in (neuron, network):
        text = shown(render(trace, trace.gradients, lines=None))
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        for value in numbers(trace.to_json()):
            assert f"{value:.10g}" in text
        assert "PyTorch" in text
        assert "PyTorch" not in shown(trace)


def numbers(value: Any) -> list[float]:
    if isinstance(value, (dict, list)):
        return list(chain.from_iterable(map(numbers, value.values() if isinstance(value, dict) else value)))
    return [value] if isinstance(value, float) else []


def test_a_long_table_says_what_it_leaves_out() -> None:
    trace = trace_neuron(np.arange(1000.0), 1, weights=1e-9)
    text = shown(render(trace, lines=11))
    assert text.count("... 989 more") == 1
    assert text.count("... 990 more") == 1  # this one has a bias as well
    assert [name in text for name in ("x5 ", "x6 ", "x994 ", "x995 ")] == [True, False, False, True]
    assert "more" not in shown(render(trace, lines=None))
    assert len(shown(trace).splitlines()) < 160


def test_a_wide_networks_table_shows_every_layer() -> None:
    weights, biases = [np.full((300, 50), 1e-3), np.ones((50, 1))], [np.zeros(50), np.zeros(1)]
    text = shown(trace_mlp(np.ones((2, 300)), [0, 1], weights=weights, biases=biases))
    assert [text.count(name) for name in ("... 290 more", "... 40 more")] == [2, 2]  # ten of each layer in each row
    assert len([line for line in text.splitlines() if line[:1] in ("1", "2") and " output " in line]) == 2
    assert len(text.splitlines()) < 200


def test_names_with_brackets_are_not_taken_for_markup(tmp_path: Path) -> None:
    Neuron(weights=np.array([1.0]), features=["[red]h"], training={"target": "y"}).save(tmp_path / "m.json")
    (tmp_path / "d.csv").write_text("[red]h,y\n1,0\n")
    assert "[red]h" in shown(run_trace(model=tmp_path / "m.json", data=tmp_path / "d.csv"))


# --- run_trace --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text("b,verdict,a\n1,no,10\n2,yes,20\n3,no,30\n4,maybe,40\n")
    common: dict[str, Any] = {"labels": np.array(["no", "yes"]), "features": ["a", "b"]}
    Neuron(weights=np.array([0.5, -1.0]), bias=0.25, training={"target": "verdict"}, **common).save(
        tmp_path / "neuron.json"
    )
    weights = [np.array([[0.1, -0.2], [0.3, 0.4]]), np.array([[1.0], [-1.0]])]
    biases = [np.array([0.0, 0.1]), np.array([0.2])]
    MLP(weights=weights, biases=biases, activation="tanh", **common).save(tmp_path / "mlp.json")
    return tmp_path


def test_a_models_further_step(folder: Path) -> None:
    comp = run_trace(model=folder / "neuron.json", data=folder / "d.csv", row=2)
    ref = trace_neuron([20.0, 2.0], 1, weights=[0.5, -1.0], bias=0.25, learning_rate=0.1)
    assert comp.to_json() == ref.to_json() | {"features": ["a", "b"]}

    comp_network = run_trace(
        model=folder / "mlp.json", data=folder / "d.csv", target="verdict", row=2, rows=2, learning_rate=0.5
    )
    weights, biases = [[[0.1, -0.2], [0.3, 0.4]], [[1.0], [-1.0]]], [[0.0, 0.1], [0.2]]
    ref_network = trace_mlp(
        [[20, 2], [30, 3]], [1, 0], weights=weights, biases=biases, activation="tanh", learning_rate=0.5
    )
    assert comp_network.to_json() == ref_network.to_json() | {"features": ["a", "b"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "neuron.json"}, "name both"),
        ({"data": "d.csv"}, "name both"),
        ({"target": "verdict"}, "name both"),
        ({"row": 2}, "choose rows of a file"),
        ({"rows": 4}, "choose rows of a file"),
        ({"row": 0}, "row is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("nan"), "network": True}, "learning_rate is nan"),
        ({"model": "neuron.json", "data": "d.csv", "rows": 2}, "one row at a time"),
        ({"model": "neuron.json", "data": "d.csv", "network": True}, "leave network and rows out"),
        ({"model": "neuron.json", "data": "d.csv", "row": 5}, "there is no row 5; it has 4 rows"),
        (
            {"model": "neuron.json", "data": "d.csv", "row": 4},
            r"d.csv, line 5, column 'verdict': unknown label 'maybe'",
        ),
        ({"model": "mlp.json", "data": "d.csv"}, "name the target"),
        ({"model": "mlp.json", "data": "d.csv", "target": "x"}, "no column 'x'; it has b, verdict, a"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    options = {name: folder / value if name in ("model", "data") else value for name, value in options.items()}
    with pytest.raises(ValueError, match=message):
        run_trace(**options)


def test_a_file_with_other_columns_is_refused(folder: Path) -> None:
    Neuron(weights=np.array([1.0])).save(folder / "unnamed.json")
    with pytest.raises(TableError, match="2 columns where the model has 1 inputs"):
        run_trace(model=folder / "unnamed.json", data=folder / "d.csv", target="verdict")


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1.0, float("nan")], 0, {}, r"x\[0, 1\] is NaN"),
        ([1.0, float("inf")], 0, {}, r"x\[0, 1\] is infinite"),
        ([1.0, "a"], 0, {}, r"x\[0, 1\] is 'a'"),
        ([1.0, None], 0, {}, r"x\[0, 1\] is missing"),
        ([], 0, {}, "no columns"),
        ([[1.0], [2.0]], 0, {}, "x has 2 rows"),
        (1.0, 2, {}, "unknown label"),
        (1.0, "no", {}, "unknown label"),
        (1.0, None, {}, "missing"),
        (1.0, [0, 1], {}, "one label a row"),
        (1.0, 0, {"weights": [1.0, 2.0]}, r"weights has shape \(2,\)"),
        (1.0, 0, {"weights": "w"}, "weights and bias are numbers"),
        (1.0, 0, {"bias": float("inf")}, "NaN or infinity"),
        (1.0, 0, {"bias": 10**400}, "weights and bias are numbers"),
        (1.0, 0, {"learning_rate": -1.0}, "learning_rate is -1.0"),
        (1e200, 0, {"weights": 1e200}, r"the step overflows, products\[0\] is inf"),
        (1e200, 0, {"learning_rate": 1e200}, r"the step overflows, weight_nudges\[0\] is inf"),
    ],
)
def test_neuron_refuses(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trace_neuron(x, y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X": [[1.0, 2.0], [3.0]]}, r"X\[1\] has 1 values"),
        ({"X": [[1.0, float("nan")]]}, r"X\[0, 1\] is NaN"),
        ({"X": [[1.0]]}, r"X has 1 columns and weights\[0\] has 2 rows"),
        ({"X": []}, "X has no rows"),
        ({"y": [0, 1]}, "X has 1 rows and y has 2 labels"),
        ({"y": [3]}, r"y\[0\] is 3, an unknown label"),
        ({"weights": [[[1.0], [1.0]], [[1.0], [1.0]]]}, r"weights\[1\] has shape \(2, 1\)"),
        ({"biases": [[0.0]]}, "2 layers of weights and 1 of biases"),
        ({"activation": "softmax"}, "no activation 'softmax'"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"X": [[1e308, 1e308]], "activation": "relu"}, r"the step overflows, rows\[0\].sums\[0\]\[0\] is inf"),
    ],
)
def test_network_refuses(options: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"X": [[1.0, 2.0]], "y": [1], "weights": [[[1.0], [1.0]], [[1.0]]], "biases": [[0.0], [0.0]]}
    with pytest.raises(ValueError, match=message):
        trace_mlp(**(good | options))


def test_any_container_is_taken_and_not_changed() -> None:
    x, weights = np.array([[1.5, -2.0]], dtype=np.float32), np.array([0.5, 0.25])
    ref = trace_neuron([1.5, -2.0], 1, weights=[0.5, 0.25])
    assert trace_neuron(x, np.True_, weights=weights) == trace_neuron(x[0], 1.0, weights=weights) == ref
    assert weights.tolist() == [0.5, 0.25]


def test_names_begin_and_values_end_in_one_column():
    console = Console(width=40, file=io.StringIO())
    console.print(trace_tables.two_columns(("z", "1"), ("a longer name", 22.5)))
    assert console.file.getvalue().splitlines() == ["z                 1", "a longer name  22.5"]


def test_sparse_rows_are_not_traced():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    with pytest.raises(ValueError, match=r"is a sparse matrix, .*: pass .*toarray"):
        trace_mlp(sparse.csr_array([[1.0], [2.0]]), [0, 1], weights=[[[1.0]]], biases=[[0.0]])
