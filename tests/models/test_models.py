"""Models predict, save and load."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from compare import assert_keeps, flat
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast import MLP, ModelFileError, Neuron, load, train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture
def neuron():
    rows = make_pass_fail(200, 3, seed=2)
    return train_neuron(rows.X, np.where(rows.y == 1, "pass", "fail"), epochs=3).model


@pytest.fixture
def network():
    rows = make_pass_fail(200, 3, seed=2)
    return train_mlp(rows.X, rows.y.astype(int), hidden=(5, 2), activation="tanh", epochs=5, seed=1).model


def test_probabilities_are_the_formula(neuron):
    X = make_pass_fail(70_000, 3, seed=3).X
    ref = 1 / (1 + np.exp(-(X @ neuron.weights + neuron.bias)))
    np.testing.assert_allclose(neuron.predict_proba(X), ref, rtol=1e-14)
    np.testing.assert_allclose(neuron.decision_function(X), X @ neuron.weights + neuron.bias, rtol=1e-12, atol=1e-14)
    assert neuron.predict(X).tolist() == np.where(ref >= 0.5, "pass", "fail").tolist()
    assert neuron.predict(X, threshold=0.7).tolist() == np.where(ref >= 0.7, "pass", "fail").tolist()


def test_network_probabilities_are_the_formula(network):
    X = make_pass_fail(3000, 3, seed=3).X
    a = np.tanh(X @ network.weights[0] + network.biases[0])
    a = np.tanh(a @ network.weights[1] + network.biases[1])
    ref = 1 / (1 + np.exp(-(a @ network.weights[2] + network.biases[2])[:, 0]))
    np.testing.assert_allclose(network.predict_proba(X), ref, rtol=1e-13)


def test_extreme_sums_give_probabilities_without_warnings():
    p = Neuron(weights=[1.0]).predict_proba([-1e6, -800.0, 0.0, 800.0, 1e6])
    assert p.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_one_row_as_a_flat_list(neuron):
    np.testing.assert_array_equal(neuron.predict_proba([1.0, 2.0, 3.0]), neuron.predict_proba([[1.0, 2.0, 3.0]]))


def test_weights_that_were_changed_are_used(network):
    ref = network.predict_proba([1.0, 2.0, 3.0])
    network.weights[1][:] = 5.0
    assert network.predict_proba([1.0, 2.0, 3.0]) != ref


def test_labels_may_be_a_list():
    assert Neuron(weights=[1.0], labels=["no", "yes"]).predict([-1, 1]).tolist() == ["no", "yes"]


def test_score_and_loss(neuron):
    X = make_pass_fail(500, 3, seed=4)
    labels = np.where(X.y == 1, "pass", "fail")
    p = neuron.predict_proba(X.X)
    assert neuron.score(X.X, labels) == np.mean((p >= 0.5) == (X.y == 1))
    assert neuron.loss(X.X, labels) == pytest.approx(-np.mean(np.where(X.y == 1, np.log(p), np.log(1 - p))), rel=1e-12)


@pytest.mark.parametrize("kind", ["neuron", "network"])
def test_saved_and_loaded_bit_for_bit(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    model.features, model.threshold = ["a", "höhe", 'c "quoted"'], 0.625
    model.save(tmp_path / "model.json")
    again = load(tmp_path / "model.json")
    assert type(again) is type(model)
    assert_keeps(0.0, flat(again), flat(model))
    assert_keeps(0.0, again.labels, model.labels)
    assert (again.features, again.threshold, again.training) == (model.features, model.threshold, model.training)
    X = make_pass_fail(1000, 3, seed=3).X
    assert_keeps(0.0, again.predict_proba(X), model.predict_proba(X))
    assert_keeps(0.0, again.predict(X), model.predict(X))


@given(weights=st.lists(FINITE, min_size=1, max_size=5), bias=FINITE)
def test_any_finite_weights_survive(tmp_path_factory, weights, bias):
    path = tmp_path_factory.getbasetemp() / "any.json"
    Neuron(weights=weights, bias=bias).save(path)
    comp = flat(load(path))
    assert comp.tobytes() == np.append(weights, bias).tobytes()  # minus zero too


@pytest.mark.parametrize("labels", [[0, 1], [False, True], [-1.5, 2.0], ["fail", "pass"]])
def test_labels_keep_their_type(labels, tmp_path):
    Neuron(weights=[1.0], labels=np.array(labels)).save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.labels.dtype == np.array(labels).dtype
    assert again.predict([-1, 1]).tolist() == labels


def test_how_it_was_trained_is_kept(neuron, network):
    assert neuron.training["trainer"] == "train_neuron"
    assert neuron.training["epochs"] == 3
    assert network.training["learning_rate"] == 0.15
    assert network.training["seed"] == 1


@pytest.mark.parametrize("kind", ["neuron", "network"])
def test_standardising_folds_into_the_weights(kind, request):
    model = request.getfixturevalue(kind)
    X, mean, scale = make_pass_fail(300, 3, seed=8).X, np.array([1e3, -2.0, 0.1]), np.array([50.0, 3.0, 1e-3])
    ref = model.predict_proba(X)
    np.testing.assert_allclose(model.for_raw_inputs(mean, scale).predict_proba(X * scale + mean), ref, rtol=1e-9)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, 2.0]], "X has 2 columns where the model has 3 inputs: pass the columns it was trained on"),
        ([[1.0, 2.0, np.nan]], r"X\[0, 2\] is NaN"),
        ([[1.0, 2.0, None]], r"X\[0, 2\] is missing"),
    ],
)
def test_bad_rows_to_predict(neuron, X, message):
    with pytest.raises(ValueError, match=message):
        neuron.predict(X)


def test_bad_thresholds_and_labels(neuron):
    with pytest.raises(ValueError, match=r"threshold is 1\.5; a probability from 0 to 1"):
        neuron.predict([[1, 2, 3]], threshold=1.5)
    with pytest.raises(ValueError, match=r"y\[0\] is 'maybe', an unknown label: the model knows 'fail' and 'pass'"):
        neuron.score([[1, 2, 3]], ["maybe"])


# --- files that are no models -----------------------------------------------------------------------------------------


def change(field, value):
    def changed(text):
        fields = json.loads(text)
        if value is KeyError:
            del fields[field]
        else:
            fields[field] = value
        return json.dumps(fields)

    return changed


BAD_FILES = {
    "empty": (lambda text: "", "line 1, column 1: not a model file, or a truncated one"),
    "truncated": (lambda text: text[: len(text) // 2], "line [0-9]+, column [0-9]+: not a model file, or a truncated"),
    "not JSON": (lambda text: "PK\x03\x04", "line 1, column 1: not a model file"),
    "a list": (lambda text: "[1, 2]", "lacks the field 'format'"),
    "another program's": (lambda text: '{"model": 3}', "lacks the field 'format'"),
    "nested": (lambda text: "[" * 100_000, "not a model file"),
    "newer": (change("format_version", 6), r"written by tinynet_fast 0\.1\.0 in format 6; this is .* upgrade"),
    "no version": (change("format_version", "1"), "field 'format_version' is '1'"),
    "no weights": (change("weights", KeyError), "field 'weights' is missing"),
    "NaN": (change("weights", [1.0, float("nan"), 2.0]), "field 'weights' does not hold finite numbers"),
    "infinite bias": (change("bias", float("inf")), "field 'bias' does not hold finite numbers"),
    "text": (change("weights", ["1", "2", "3"]), "field 'weights' does not hold finite numbers"),
    "no list": (change("weights", 3.0), "field 'weights' does not hold finite numbers"),
    "one label": (change("labels", [0, 0]), "field 'labels' does not hold two labels"),
    "label type": (change("label_dtype", "O"), "field 'labels'"),
    "label that does not fit": (change("label_dtype", "|i1"), "not a valid model file|field 'labels'"),
    "digits": (lambda text: text.replace('"format_version": 1', '"format_version": ' + "1" * 5000), "not a model file"),
    "shares": (change("training", {"label_shares": [0.5, "1"]}), "label_shares that are not 2 numbers from 0 to 1"),
    "deviations": (change("training", {"deviations": [1, -2]}), "deviations that are not all numbers from 0 to inf"),
    "no table": (change("table", None), "field 'target' is missing"),
    "kind": (change("kind", "tree"), "field 'kind' is 'tree', not 'neuron', 'mlp', 'one_vs_rest' or 'ensemble'"),
    "threshold": (change("threshold", 7), "threshold is 7; a probability"),
    "features": (change("features", ["a"]), "1 feature names for 3 inputs"),
    "feature types": (change("features", [1, 2, 3]), "field 'features' is not a list of names"),
    "training": (change("training", []), "field 'training'"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused(name, neuron, tmp_path):
    damage, message = BAD_FILES[name]
    path = tmp_path / "model.json"
    neuron.save(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ModelFileError, match=message) as info:
        load(path)
    assert str(path) in str(info.value)
    assert "\n" not in str(info.value)


def test_a_network_file_with_layers_that_do_not_fit(network, tmp_path):
    path = tmp_path / "model.json"
    network.save(path)
    path.write_text(change("biases", [[0.0], [0.0], [0.0]])(path.read_text()))
    with pytest.raises(ModelFileError, match=r"weights\[0\] has shape \(3, 5\) and biases\[0\] \(1,\)"):
        load(path)
    network.save(path)
    path.write_text(change("weights", {})(path.read_text()))
    with pytest.raises(ModelFileError, match="field 'weights' is not a list of layers"):
        load(path)


def test_every_truncation_is_refused(network, tmp_path):
    path = tmp_path / "model.json"
    network.save(path)
    text = path.read_bytes()
    for end in range(0, len(text) - 2, 37):
        path.write_bytes(text[:end])
        with pytest.raises(ModelFileError):
            load(path)


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelFileError, match="byte 0 is not UTF-8"):
        load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")


def test_a_write_that_fails_leaves_the_old_file(neuron, network, tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    neuron.save(path)
    before = path.read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        network.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_follows_a_link_and_keeps_the_mode(neuron, tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    neuron.save(real)
    real.chmod(0o640)
    link.symlink_to(real)
    neuron.save(link)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to_and_not_replaced(neuron, tmp_path):
    import threading

    os.mkfifo(tmp_path / "pipe")
    seen = []
    reader = threading.Thread(target=lambda: seen.append((tmp_path / "pipe").read_text(encoding="utf-8")))
    reader.start()
    neuron.save(tmp_path / "pipe")
    reader.join(timeout=10)
    assert json.loads(seen[0])["kind"] == "neuron"
    assert (tmp_path / "pipe").is_fifo()


def test_a_model_that_could_not_be_loaded_is_not_saved(neuron, tmp_path):
    neuron.threshold = 7
    with pytest.raises(ValueError, match="threshold is 7"):
        neuron.save(tmp_path / "m.json")
    neuron.threshold, neuron.features = np.float32(0.5), ["a"]
    with pytest.raises(ValueError, match="1 feature names for 3 inputs"):
        neuron.save(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [float("nan")]}, "finite numbers"),
        ({"weights": [[1.0]]}, "finite numbers"),
        ({"weights": [1.0], "bias": float("inf")}, "finite numbers"),
        ({"weights": []}, "finite numbers: one weight for each input, of at least one"),
        ({"weights": [1.0], "labels": [None, 1]}, r"labels\[0\] is missing"),
        ({"weights": [1.0], "labels": [b"a", b"b"]}, "labels holds labels of type"),
        ({"weights": [1.0], "labels": [1]}, "two different ones"),
        ({"weights": [1.0], "labels": [1, 1]}, "two different ones"),
    ],
)
def test_models_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        Neuron(**options)


def test_saving_where_there_is_no_folder(neuron, tmp_path):
    with pytest.raises(OSError, match=r"none.model\.json"):
        neuron.save(tmp_path / "none" / "model.json")
    with pytest.raises(IsADirectoryError):
        neuron.save(tmp_path)


def test_an_mlp_by_hand():
    model = MLP(weights=[[[1.0, -1.0]], [[2.0], [3.0]]], biases=[[0.0, 0.5], [-1.0]], activation="relu")
    z = 2.0 * max(0.25, 0) + 3.0 * max(-0.25 + 0.5, 0) - 1.0
    assert model.predict_proba([0.25])[0] == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-15)
    assert repr(model) == "MLP(1-2-1, relu, labels 0 and 1)"


@pytest.mark.parametrize("options", [{"labels": ["\ud800", "a"]}, {"features": ["\ud800"]}])
def test_half_a_character_is_not_saved(options, tmp_path):
    with pytest.raises(ValueError, match=r"m\.json: a text of the model holds half a character, '\\ud800'"):
        Neuron(weights=[1.0], **options).save(tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [b"Neuron", b"MLP"])
def test_pickles_of_older_versions_load(kind, neuron, network):
    """Older pickles say `tinynet_fast.models` for the module of both classes."""
    model = {b"Neuron": neuron, b"MLP": network}[kind]
    now = f"c{type(model).__module__}\n".encode()
    pickled = pickle.dumps(model, protocol=0)
    assert pickled.count(now + kind) == 1
    again = pickle.loads(pickled.replace(now + kind, b"ctinynet_fast.models\n" + kind))
    assert type(again) is type(model)
    assert_keeps(0.0, flat(again), flat(model))
    assert again.labels.tolist() == model.labels.tolist()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("path", ["rows.csv", Path("rows.csv")], ids=["text", "path"])
def test_a_path_in_place_of_rows_is_refused_with_the_remedy(method, path, neuron, network):
    for model in (neuron, network):
        with pytest.raises(ValueError, match=r"X is 'rows.csv', a path, but .*predict_file"):
            getattr(model, method)(path)


@pytest.mark.parametrize("features", [[1, 2], np.array(["1", "2"]), ("1", 2)], ids=str)
def test_names_of_inputs_are_python_texts(features):
    """Whatever they were given as: a file holds texts."""
    for model in (
        Neuron(weights=[1.0, 2.0], bias=0.0, features=features),
        MLP(weights=[[[1.0], [2.0]]], biases=[[0.0]], features=features),
    ):
        assert model.features == ["1", "2"]
        assert {type(name) for name in model.features} == {str}
