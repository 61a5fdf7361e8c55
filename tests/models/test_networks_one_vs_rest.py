"""A model with a network for each label: its answers, its file, and what goes together."""

import json

import numpy as np
import pytest

from tinynet_fast import MLP, ModelFileError, OneVsRest, load

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
LABELS = ["a", "b", "c", "d"]


def network(d=3, **options):
    units = RNG.standard_normal((d, 4)), 3.0 * RNG.standard_normal((4, 1))
    return MLP(weights=list(units), biases=[RNG.standard_normal(4), RNG.standard_normal(1)], **options)


@pytest.mark.parametrize("output", ["sigmoid", "margin"])
def test_answers_are_those_of_the_members_also_from_a_file(output, tmp_path):
    model, path = OneVsRest(members=[network(output=output) for _ in LABELS], labels=LABELS), tmp_path / "m.json"
    ref = np.column_stack([member.decision_function(X) for member in model.members])
    np.testing.assert_array_equal(model.decision_function(X), ref, strict=True)
    assert model.predict(X).tolist() == [LABELS[k] for k in ref.argmax(axis=1)]
    if output == "sigmoid":
        each = np.column_stack([member.predict_proba(X) for member in model.members])
        comp = model.predict_proba(X)
        np.testing.assert_allclose(comp, each / each.sum(axis=1, keepdims=True), rtol=1e-14)
        codes = np.arange(60) % 4
        assert model.loss(X, np.array(LABELS)[codes]) == pytest.approx(-np.log(comp[np.arange(60), codes]).mean())
    model.save(path)
    again = load(path)
    np.testing.assert_array_equal(again.decision_function(X), ref, strict=True)
    assert repr(again) == repr(model) == "OneVsRest(4 networks of 3 inputs, 4 labels: a, b, c, d)"
    assert again.output == model.output
    assert json.loads(path.read_text())["format_version"] == 5
    assert "<table" in model._repr_html_()


def test_no_layers():
    with pytest.raises(ValueError, match="no layers of its own: convert each of its members"):
        OneVsRest(members=[network() for _ in LABELS], labels=LABELS).to_onnx("m.onnx")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "members is a list of networks"),
        ([1, 2, 3], "members is a list of networks"),
        ([network(), network(), network(2)], r"members\[2\] has 2 inputs .* members\[0\] 3 inputs"),
        ([network(), network(output="margin"), network()], r"members\[1\] has 3 inputs and the output 'margin'"),
        ([network(output="linear")] * 3, r"members\[0\] is not for two labels"),
        ([network()] * 4, "there are 4 members and 3 labels"),
    ],
)
def test_what_does_not_go_together(members, message):
    with pytest.raises(ValueError, match=message):
        OneVsRest(members=members, labels=["a", "b", "c"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(output="margin"), "field 'output' is 'margin', and the members' is 'sigmoid'"),
        (lambda content: content.update(members=3), "'members' is not a list"),
        (lambda content: content["members"].pop(), "there are 3 members and 4 labels"),
        (
            lambda content: content["members"][1].update(kind="one_vs_rest"),
            r"members\[1\] is not a neuron or a network",
        ),
        (lambda content: content["members"][1].update(weights=[]), r"members\[1\]: field 'weights'"),
    ],
)
def test_a_damaged_file_is_refused(change, message, tmp_path):
    path = tmp_path / "m.json"
    OneVsRest(members=[network() for _ in LABELS], labels=LABELS).save(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match=message):
        load(path)
