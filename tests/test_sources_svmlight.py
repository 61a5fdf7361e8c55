"""svmlight files: how wide rows are, from what indices count, and files that lack the last inputs or all values."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tables import gather

from tinynet_fast import load, train_mlp, train_neuron
from tinynet_fast.data.sources import FIRST_INDEX, TableError, open_source
from tinynet_fast.scoring import predict_file

pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 6)) * (RNG.random((400, 6)) < 0.5)
X[0] = 1.0
Y = (X @ RNG.normal(size=6) + 0.1 * RNG.normal(size=400) > 0).astype(np.int64)


def dump(path, rows, y, first):
    lines = [
        " ".join([str(label), *(f"{j + first}:{value!r}" for j, value in enumerate(row) if value)])
        for row, label in zip(rows.tolist(), y.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def predictions(path):
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)


@pytest.mark.parametrize("train", [train_neuron, train_mlp])
@pytest.mark.parametrize("first", [0, 1])
def test_a_file_that_lacks_inputs_is_predicted_as_if_they_were_zero(tmp_path, train, first):
    model = train(
        dump(tmp_path / "train.svm", X, Y, first), epochs=3, **({"seed": 0} if train is train_mlp else {})
    ).model
    assert model.training[FIRST_INDEX] == first
    model.save(tmp_path / "model.json")
    assert json.loads((tmp_path / "model.json").read_text())["training"][FIRST_INDEX] == first
    model = load(tmp_path / "model.json")
    for kept in ([0, 1, 2], [2, 3], [5], []):  # without the last, without the first, without any
        rows = np.zeros((50, 6))
        rows[:, kept] = X[:50, kept]
        assert predict_file(model, dump(tmp_path / "some.svm", rows, Y[:50], first), tmp_path / "out.csv") == 50
        assert_allclose(predictions(tmp_path / "out.csv"), model.predict_proba(rows), rtol=1e-13)


def test_several_files_are_predicted_alike(tmp_path):
    """One of them has no index 0 and one has no value: they count from 0 as the model's rows did."""
    model = train_neuron(dump(tmp_path / "train.svm", X, Y, 0), epochs=3).model
    narrow = X * [0, 1, 1, 0, 0, 0]
    paths = [dump(tmp_path / f"{k}.svm", rows, Y, 0) for k, rows in enumerate((narrow, 0 * X, X))]
    predict_file(model, paths, tmp_path / "out.csv")
    ref = np.concatenate([model.predict_proba(rows) for rows in (narrow, 0 * X, X)])
    assert_allclose(predictions(tmp_path / "out.csv"), ref, rtol=1e-13)


def test_a_model_that_does_not_say_is_read_as_scikit_learn_reads_files(tmp_path):
    """Models of earlier versions, and those trained on arrays."""
    model = train_neuron(X, Y, epochs=3).model
    for first in (0, 1):
        predict_file(model, dump(tmp_path / "a.svm", X, Y, first), tmp_path / "out.csv")
        assert_allclose(predictions(tmp_path / "out.csv"), model.predict_proba(X), rtol=1e-13)
    narrow = X * [1, 1, 1, 0, 0, 0]
    predict_file(model, dump(tmp_path / "a.svm", narrow, Y, 1), tmp_path / "out.csv")
    assert_allclose(predictions(tmp_path / "out.csv"), model.predict_proba(narrow), rtol=1e-13)


def test_files_that_are_not_the_models(tmp_path):
    model = train_neuron(dump(tmp_path / "train.svm", X, Y, 1), epochs=1).model
    with pytest.raises(TableError, match=r"a\.svm: it has the index 0, and the model's inputs count from 1"):
        predict_file(model, dump(tmp_path / "a.svm", X, Y, 0), tmp_path / "out.csv")
    wide = np.column_stack([X, X])
    with pytest.raises(TableError, match=r"a\.svm: 12 columns where the model has 6 inputs: it has the index 12"):
        predict_file(model, dump(tmp_path / "a.svm", wide, Y, 1), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_one_of_several_files_may_have_no_value(tmp_path):
    paths = [dump(tmp_path / "a.svm", 0 * X[:5], Y[:5], 1), dump(tmp_path / "b.svm", X, Y, 1)]
    assert_array_equal(gather(open_source(paths))[0], np.concatenate([0 * X[:5], X]))
    with pytest.raises(TableError, match=r"a\.svm: no row has a value; at least one input is needed"):
        open_source(paths[0])
