"""`evaluate` judges what the model itself predicts."""

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, train_mlp, train_neuron
from tinynet_fast.columns import Columns, Target
from tinynet_fast.columns.kinds import Levels, Numbers
from tinynet_fast.tables.evaluate import evaluate


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    return X, np.digitize(X[:, 0] + 0.3 * rng.standard_normal(200), [-0.5, 0.5])


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_two_labels(rows, threshold):
    X, y = rows
    y = np.where(y > 0, "pass", "fail")
    model = train_neuron(X, y, epochs=5, seed=0).model
    model.threshold = threshold
    report = evaluate(model, X, y)
    assert report.accuracy.value == model.score(X, y)
    assert report.log_loss.value == pytest.approx(model.loss(X, y), rel=1e-12)
    assert report.threshold == threshold
    predicted = model.predict(X)
    assert report.confusion[0, 1] == np.sum((y == "fail") & (predicted == "pass"))


def test_more_labels(rows):
    model = train_mlp(*rows, hidden=4, epochs=20, learning_rate=0.5, seed=0).model
    report = evaluate(model, *rows)
    assert report.accuracy.value == model.score(*rows)
    assert report.log_loss.value == pytest.approx(model.loss(*rows), rel=1e-12)
    assert report.threshold is None
    assert report.labels.tolist() == [0, 1, 2]


def test_the_training_rows_shares_are_used_if_the_model_knows_them(rows):
    model = train_mlp(*rows, epochs=2, seed=0).model
    assert not evaluate(model, *rows).baseline.of_training_rows
    model.training["label_shares"] = [0.2, 0.3, 0.5]
    base = evaluate(model, *rows).baseline
    assert (base.label, base.shares, base.of_training_rows) == (2, [0.2, 0.3, 0.5], True)


def test_a_model_of_a_table_knows_its_target():
    columns = Columns([Levels("school", ["a", "b"], [0.5, 0.5]), Numbers("hours", 4.0, gaps=True)])
    weights = [-1.0, 1.0, 1.0, 0.0]
    fields = {"features": columns.inputs, "columns": columns, "target": Target("result"), "labels": ["no", "yes"]}
    model = Neuron(weights=weights, bias=-4.0, **fields)
    table = {"hours": [1.0, 3.5, None, 8.0], "school": ["a", "b", "a", "a"], "result": ["no", "yes", "yes", "yes"]}
    report = evaluate(model, table)
    assert report.confusion.tolist() == [[1, 0], [1, 2]]
    assert evaluate(model, table, "result").to_json() == report.to_json()
    assert evaluate(model, table, ["no", "yes", "yes", "yes"]).to_json() == report.to_json()

    gaps = {"hours": [1.0, 3.5, None, 8.0, 2.0], "school": list("abaaa"), "result": ["no", "yes", "yes", "yes", None]}
    assert evaluate(model, gaps, drop_missing=True).confusion.tolist() == [[1, 0], [0, 2]]


def test_rows_that_cannot_be_judged(rows):
    model = MLP(weights=[np.ones((2, 3))], biases=[np.zeros(3)], labels=[0, 1, 2])
    with pytest.raises(ValueError, match="the model does not know which column it learned"):
        evaluate(model, rows[0])
    with pytest.raises(ValueError, match="leave out rows with a missing value yourself"):
        evaluate(model, *rows, drop_missing=True)
    with pytest.raises(ValueError, match=r"y\[0\] is 9, an unknown label"):
        evaluate(model, rows[0], np.full(200, 9))
    with pytest.raises(ValueError, match="X has 200 rows and y has 3 labels"):
        evaluate(model, rows[0], [0, 1, 2])
    with pytest.raises(ValueError, match=r"model is a str; .* \(tinynet_fast.load reads one\)"):
        evaluate("model.json", *rows)


def test_files_without_names(rows, tmp_path):
    """In svmlight files each row has its label; of .npy files somebody has to say where the labels are."""
    svmlight = pytest.importorskip("sklearn.datasets", reason="scikit-learn writes the file")
    X, y = rows
    svmlight.dump_svmlight_file(X, y, str(tmp_path / "rows.svm"))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "both.npy", np.column_stack([X, y]))
    of_arrays = train_neuron(X, y, epochs=5, seed=0).model
    of_table = train_neuron(X, y, epochs=5, seed=0).model
    of_table.columns, of_table.target = Columns([Numbers(name, 0.0, gaps=False) for name in "ab"]), Target("label")
    for model in (of_arrays, of_table):
        expected = evaluate(of_arrays, X, y).accuracy.value
        assert evaluate(model, tmp_path / "rows.svm").accuracy.value == expected
        assert evaluate(model, tmp_path / "X.npy", str(tmp_path / "y.npy")).accuracy.value == expected
        assert evaluate(model, tmp_path / "both.npy", 2).accuracy.value == expected
        with pytest.raises(ValueError, match=r"^a \.npy file has no column names: name the file of the labels"):
            evaluate(model, tmp_path / "X.npy")
