"""A damaged model file is refused by one clear error, or is a model that predicts and can be saved again as it is."""

import json
import random

import numpy as np
import pytest
from mutations import count, damage_bytes, damage_value
from outcomes import Costs

from tinynet_fast import MLP, Ensemble, ModelFileError, Neuron, OneVsRest, load

LONGEST_MESSAGE = 500
MODELS = {
    "neuron": Neuron(weights=[0.5, -1.25, 3e-7], bias=0.1, labels=["fail", "pass"], features=["a", "b", "c"]),
    "numbers": Neuron(weights=[1.0], labels=[0, 1], training={"epochs": 3, "final_loss": 0.25, "seed": None}),
    "booleans": Neuron(weights=[1.0, 2.0], labels=[False, True], threshold=0.25),
    "network": MLP(weights=[np.ones((2, 3)), np.ones((3, 1))], biases=[np.zeros(3), np.zeros(1)], labels=[0.5, 2.5]),
    "ensemble": Ensemble(members=[Neuron(weights=[0.5, 2.0]), Neuron(weights=[1.0, -1.0], bias=3.0)]),
    "one network a label": OneVsRest(
        members=[MLP(weights=[np.ones((2, 1)), np.ones((1, 1))], biases=[np.zeros(1), [b]]) for b in (0.5, -1.0, 0.0)],
        labels=["x", "y", "z"],
    ),
    "softmax": MLP(weights=[np.eye(2), np.ones((2, 3))], biases=[np.zeros(2), np.zeros(3)], labels=["x", "y", "zé"]),
}


@pytest.fixture(params=MODELS)
def content(request, tmp_path):
    path = tmp_path / "model.json"
    MODELS[request.param].save(path)
    return path.read_bytes()


def outcome(path, data):
    """The model in a file with this content; None if it is refused by a clear error."""
    path.write_bytes(data)
    try:
        model = load(path)
    except ModelFileError as error:
        message = str(error)
    else:
        probability = model.predict_proba(np.zeros((2, model.n_features)))
        assert np.isfinite(probability).all()
        model.predict([[0.0] * model.n_features])
        model.save(path.with_suffix(".again"))
        again = load(path.with_suffix(".again"))
        np.testing.assert_array_equal(again.predict_proba(np.zeros((2, model.n_features))), probability)
        assert again.labels.tolist() == model.labels.tolist()
        return model
    assert message.startswith(f"{path}")
    assert len(message) < LONGEST_MESSAGE + len(str(path))
    assert message.isprintable()
    return None


def test_bytes(content, tmp_path):
    draw, costs, refused = random.Random(1), Costs(), 0
    for _ in range(count(300, 50_000)):
        with costs.of_one():
            refused += outcome(tmp_path / "m.json", damage_bytes(draw, content)) is None
    costs.check(f"bytes of models, {refused:,} refused")
    assert refused > count(300, 50_000) // 2


def test_values(content, tmp_path):
    draw, costs, refused = random.Random(2), Costs(), 0
    for _ in range(count(400, 50_000)):
        damaged = json.dumps(damage_value(draw, json.loads(content))).encode("utf-8", "surrogatepass")
        with costs.of_one():
            refused += outcome(tmp_path / "m.json", damaged) is None
    costs.check(f"values of models, {refused:,} refused")
    assert 0 < refused < count(400, 50_000)


@pytest.mark.parametrize(
    "change",
    [
        {"label_dtype": "<U268435455"},
        {"label_dtype": "<U1"},
        {"label_dtype": "(1,"},
        {"label_dtype": "<U4,<U4"},
        {"label_dtype": "object"},
        {"label_dtype": "<f8"},
        {"label_dtype": ["<U4"]},
        {"labels": ["fail", "fail"]},
        {"labels": ["fail", None]},
        {"labels": ["x" * 20_000, *map(str, range(1000))], "label_dtype": "<U20000"},
        {"labels": [1e300, 0.0], "label_dtype": "<f4"},
        {"weights": ["x" * 100_000, *["a"] * 30_000]},
        {"features": ["a", "b", "a"]},
        {"training": {"svmlight_first_index": "x"}},
        {"training": {"svmlight_first_index": [1]}},
        {"training": {"svmlight_first_index": -5}},
        {"labels": [0.5, 1e400], "label_dtype": "<f8"},
        {"labels": [0.5, float("nan")], "label_dtype": "<f8"},
        {"labels": ["fail", "pass\ud800"]},
        {"threshold": True},
        {"threshold": "0.5"},
        {"weights": [0.5, True, 1.0]},
        {"weights": [0.5, None, 1.0]},
        {"weights": [0.5, 10**400, 1.0]},
        {"bias": False},
        {"training": {"final_loss": float("nan")}},
        {"training": []},
        {"features": ["a", "b", 3]},
        {"features": ["a", "b", "c\udfff"]},
    ],
)
def test_what_no_model_has(change, tmp_path):
    path = tmp_path / "m.json"
    MODELS["neuron"].save(path)
    data = json.dumps(json.loads(path.read_text()) | change)
    assert outcome(path, data.encode("utf-8", "surrogatepass")) is None


def test_a_field_that_stands_twice(tmp_path):
    path = tmp_path / "m.json"
    MODELS["neuron"].save(path)
    twice = path.read_bytes().replace(b'"threshold": 0.5', b'"threshold": 0.1, "threshold": 0.9')
    assert outcome(path, twice) is None


def test_control_characters_do_not_reach_a_message(tmp_path):
    path = tmp_path / "m.json"
    MODELS["neuron"].save(path)
    foreign = json.loads(path.read_text()) | {"format_version": 99, "written_by": "\x1b[2J\x07" + "x" * 5000}
    assert outcome(path, json.dumps(foreign).encode()) is None
