"""Predictions block by block of models of numbers, of margins and of softmax neurons."""

import csv

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

from tinynet_fast import MLP, Neuron  # noqa: E402
from tinynet_fast.rows.formats import base  # noqa: E402
from tinynet_fast.scoring import predict_file, value_columns  # noqa: E402

NAMES = ["a", "b"]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 2))
LABELS = ["p", "q", "r"]

MODELS = {
    "one number": Neuron(weights=[2.0, -1.0], bias=0.5, output="linear", features=NAMES),
    "counts": Neuron(weights=[0.5, -0.25], bias=0.5, output="exp", features=NAMES),
    "two numbers": Neuron(
        weights=[[2.0, 1.0], [-1.0, 0.5]], bias=[0.5, 1.0], output="linear", features=NAMES, targets=["price", "=rent"]
    ),
    "network": MLP(
        weights=[RNG.standard_normal((2, 3)), RNG.standard_normal((3, 2))],
        biases=[np.zeros(3), np.ones(2)],
        output="linear",
        features=NAMES,
    ),
    "margin": Neuron(weights=[2.0, -1.0], bias=0.5, labels=["no", "yes"], output="margin", features=NAMES),
    "margins": Neuron(
        weights=RNG.standard_normal((2, 3)), bias=np.zeros(3), labels=LABELS, output="margin", features=NAMES
    ),
    "softmax": Neuron(
        weights=RNG.standard_normal((2, 3)), bias=np.zeros(3), labels=LABELS, output="softmax", features=NAMES
    ),
    "one against the rest": Neuron(
        weights=RNG.standard_normal((2, 3)), bias=np.zeros(3), labels=LABELS, output="one_vs_rest", features=NAMES
    ),
}
COLUMNS = {
    "one number": ["prediction"],
    "counts": ["prediction"],
    "two numbers": ["price", "=rent"],
    "network": ["prediction 1", "prediction 2"],
    "margin": ["margin(yes)"],
    "margins": ["margin(p)", "margin(q)", "margin(r)"],
    "softmax": ["P(p)", "P(q)", "P(r)"],
    "one against the rest": ["P(p)", "P(q)", "P(r)"],
}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """A Parquet file that is read in chunks of about 25 rows."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 400)
    pq.write_table(pa.table({name: X[:, j] for j, name in enumerate(NAMES)}), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def values_of(model):
    found = model.predict(X) if model.numbers else None
    if found is None:
        found = model.decision_function(X) if model.output == "margin" else model.predict_proba(X)
    return found.reshape(len(X), -1)


@pytest.mark.parametrize("name", MODELS)
def test_parquet_holds_what_the_model_predicts(rows, tmp_path, name):
    model = MODELS[name]
    assert predict_file(model, rows, tmp_path / "out.parquet") == 300
    found = pq.read_table(tmp_path / "out.parquet")
    assert value_columns(model) == COLUMNS[name]
    assert found.column_names == ["row", *COLUMNS[name], *([] if model.numbers else ["prediction"])]
    comp = np.stack([found[column].to_numpy() for column in COLUMNS[name]], axis=1)
    np.testing.assert_allclose(comp, values_of(model), rtol=1e-12)
    assert found["row"].to_pylist() == list(range(1, 301))
    if not model.numbers:
        assert found["prediction"].to_pylist() == model.predict(X).tolist()


@pytest.mark.parametrize("name", MODELS)
def test_csv_holds_what_the_model_predicts(rows, tmp_path, name):
    model = MODELS[name]
    predict_file(model, rows, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="") as file:
        head, *found = csv.reader(file)
    named = [f"'{column}" if column.startswith("=") else column for column in COLUMNS[name]]
    assert head == ["row", *named, *([] if model.numbers else ["prediction"])]
    width = len(COLUMNS[name])
    np.testing.assert_allclose([list(map(float, row[1 : 1 + width])) for row in found], values_of(model), rtol=1e-12)
    if not model.numbers:
        assert [row[-1] for row in found] == model.predict(X).tolist()


def test_names_may_stay_formulas(rows, tmp_path):
    predict_file(MODELS["two numbers"], rows, tmp_path / "out.csv", formulas=True)
    assert (tmp_path / "out.csv").read_text().startswith("row,price,=rent\n")


def test_targets_that_are_no_names_of_columns():
    for targets in (["row", "b"], ["a", "a"]):
        model = Neuron(weights=np.ones((2, 2)), bias=np.zeros(2), output="linear", targets=targets)
        assert value_columns(model) == ["prediction 1", "prediction 2"]


@pytest.mark.parametrize("name", ["one number", "margin"])
def test_a_threshold_is_refused(rows, tmp_path, name):
    with pytest.raises(ValueError, match="a threshold is for two labels"):
        predict_file(MODELS[name], rows, tmp_path / "out.csv", threshold=0.3)
    assert not (tmp_path / "out.csv").exists()


def test_a_prediction_that_is_too_large_is_an_error(rows, tmp_path):
    model = Neuron(weights=[1e4, 0.0], bias=0.0, output="exp", features=NAMES)
    with pytest.raises(ValueError, match=r"row \d+: the prediction is too large"):
        predict_file(model, rows, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
