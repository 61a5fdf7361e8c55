"""svmlight files: how wide rows are, from what indices count, and files that lack the last inputs or all values."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tables import gather

from tinynet_fast import load, train_mlp, train_neuron
from tinynet_fast.rows.formats import FIRST_INDEX, TableError, open_source
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


def test_a_model_without_a_first_index_reads_files_as_scikit_learn_does(tmp_path):
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


def in_memory(path):
    from sklearn.datasets import load_svmlight_file

    return load_svmlight_file(str(path))


@pytest.fixture(params=[60, 1 << 20])
def pieces(request, monkeypatch):
    from tinynet_fast.rows.formats import svmlight

    monkeypatch.setattr(svmlight, "PIECE_BYTES", request.param)


OPTIONS = [
    {},
    {"learning_rate": 0.01, "average": True},
    {"l2": 1e-3},
    {"l1": 1e-3, "learning_rate": 0.02},
    {"l2": 1e-3, "average": 500, "schedule": "invscaling"},
    {"schedule": "cosine"},
    {"loss": "squared_error"},
    {"learning_rate": 5.0},
    {"learning_rate": "auto"},
]


@pytest.mark.parametrize("engine", ["fast", "strict", "numpy", "reference"])
@pytest.mark.parametrize("options", OPTIONS)
def test_rows_are_trained_on_as_they_are_stored(tmp_path, pieces, engine, options):
    """The weights are those of the same rows as a SciPy matrix in memory, and, but for l1, of the same rows dense."""
    dense_rows, labels = X[:200], Y[:200]  # over three epochs, more updates than the 500 before averaging
    path = dump(tmp_path / "a.svm", dense_rows, labels, 1)
    rows, y = in_memory(path)
    ref = train_neuron(rows, y.astype(int), epochs=3, engine=engine, **options)
    comp = train_neuron(path, epochs=3, engine=engine, **options)
    assert comp.engine == ref.engine
    assert comp.model.labels.tolist() == [0, 1]
    assert_array_equal(comp.model.weights, ref.model.weights)
    assert comp.model.bias == ref.model.bias
    assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-13)
    if "l1" not in options:
        options = options | {"learning_rate": comp.model.training["learning_rate"]}
        dense = train_neuron(dense_rows, labels, epochs=3, engine=engine, **options)
        assert_allclose(comp.model.weights, dense.model.weights, rtol=1e-11, atol=1e-13)


def test_svmlight_rows_are_not_made_dense(tmp_path, monkeypatch):
    from tinynet_fast.rows.formats.svmlight import SvmlightPart

    monkeypatch.delattr(SvmlightPart, "_block")
    path, n = tmp_path / "wide.svm", 1_000_000
    path.write_text("".join(f"{k % 2} {k + 1}:0.5 {n - k}:{k % 2}\n" for k in range(200)))
    result = train_neuron(path, epochs=2)
    assert result.model.n_features == n
    assert (result.model.weights != 0).sum() == 300
    same = train_neuron(str(tmp_path / "wi*"), epochs=2)  # a pattern that does not say of what format its files are
    assert_array_equal(same.model.weights, result.model.weights)
    predict_file(result.model, path, tmp_path / "out.csv")
    assert_allclose(predictions(tmp_path / "out.csv"), result.model.predict_proba(in_memory(path)[0]), rtol=1e-14)


@pytest.mark.parametrize("engine", ["fast", "strict"])
def test_hold_out_and_checkpoint_and_dropped_rows(tmp_path, pieces, engine):
    rows = X.copy()
    rows[7, 2] = rows[300, 0] = np.nan
    path = dump(tmp_path / "a.svm", rows, Y, 1)
    kept = ~np.isnan(rows).any(axis=1)
    with pytest.raises(TableError, match=r"a\.svm, line 8, column 2: the value is missing"):
        train_neuron(path, epochs=2, engine=engine)
    ref = train_neuron(X[kept], Y[kept], epochs=4, engine=engine)
    train_neuron(path, epochs=2, engine=engine, drop_missing=True, checkpoint=tmp_path / "run.json")
    comp = train_neuron(path, epochs=4, engine=engine, drop_missing=True, checkpoint=tmp_path / "run.json")
    assert comp.dropped_rows == 2
    assert_allclose(comp.model.weights, ref.model.weights, rtol=1e-12)
    whole = dump(tmp_path / "b.svm", X, Y, 1)
    np.save(tmp_path / "b.npy", np.column_stack([X, Y]))  # which are held out by the same hash of row numbers
    options = {"epochs": 3, "validation": 0.3, "seed": 5, "engine": engine}
    ref, comp = train_neuron(tmp_path / "b.npy", -1, **options), train_neuron(whole, **options)
    assert_allclose(comp.validation_loss_history, ref.validation_loss_history, rtol=1e-12)
    assert_allclose(comp.model.weights, ref.model.weights, rtol=1e-12)


def test_standardised_rows_networks_and_estimators_take_dense_rows(tmp_path, pieces):
    from tinynet_fast.sklearn import SGDClassifier, partial_fit_stream

    path = dump(tmp_path / "a.svm", X, Y, 1)
    ref = train_neuron(X, Y, epochs=2, standardize=True)
    assert_allclose(train_neuron(path, epochs=2, standardize=True).model.weights, ref.model.weights, rtol=1e-12)
    source = open_source(path)
    train_neuron(source, epochs=1)
    ref = train_mlp(X, Y, hidden=3, epochs=2, seed=0)
    assert_allclose(train_mlp(source, hidden=3, epochs=2, seed=0).model.weights[0], ref.model.weights[0], rtol=1e-10)
    assert isinstance(next(source.chunks()).X, np.ndarray)
    estimator = partial_fit_stream(SGDClassifier(loss="log_loss", shuffle=False), source)
    assert estimator.coef_.shape == (1, 6)


def test_rows_that_would_be_far_larger_once_they_are_dense(tmp_path):
    """A small file with a large index trains one neuron, whose rows stay sparse; what makes rows dense refuses it."""
    path = tmp_path / "d.svm"
    path.write_text("1 1000000:1\n" + "".join(f"{k % 2} {1 + k % 7}:1\n" for k in range(400)))
    model = train_neuron(path, epochs=1).model
    assert model.n_features == 1_000_000
    for train in (
        lambda: train_neuron(path, epochs=1, standardize=True),
        lambda: train_mlp(path, epochs=1, hidden=2),
    ):
        with pytest.raises(
            TableError, match=r"d\.svm, line 1: the index 1000000 makes rows of 1,000,000 inputs, which"
        ):
            train()
    predict_file(model, path, tmp_path / "p.csv")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 402


def test_labels_of_svmlight_files(tmp_path):
    """They are in the file, and are finite."""
    path = tmp_path / "rows.svm"
    path.write_text("0 1:2.0\n\ninf 1:1.0\n")
    with pytest.raises(ValueError, match=r"rows\.svm: svmlight files hold their labels; leave y out"):
        open_source(path, [0, 1])
    with pytest.raises(ValueError, match=r"rows\.svm, line 3: the label is inf"):
        list(open_source(path).labels_only())


def test_how_wide_the_rows_of_any_file_may_be(tmp_path):
    (tmp_path / "rows.svm").write_text(f"0 1:1\n1 {2**20}:1\n")
    assert open_source(tmp_path / "rows.svm").n_features == 2**20
    (tmp_path / "rows.svm").write_text(f"0 1:1\n1 {2**20 + 1}:1\n")
    with pytest.raises(TableError, match=r"makes 1,048,577 inputs, more than the files have bytes"):
        open_source(tmp_path / "rows.svm")
