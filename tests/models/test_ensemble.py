"""A model that answers with the mean of others: its answers, its file, and what no ensemble has."""

import json

import numpy as np
import pytest

from tinynet_fast import MLP, Ensemble, ModelFileError, Neuron, OneVsRest, load, sweep
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.scoring import predict_file

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))


def normal(*shape):
    return RNG.standard_normal(shape)


def network(outputs, **options):
    return MLP(weights=[normal(3, 4), 3.0 * normal(4, outputs)], biases=[normal(4), normal(outputs)], **options)


KINDS = {
    "neurons": [Neuron(weights=normal(3), labels=["a", "b"], features=["x", "y", "z"]) for _ in range(3)],
    "networks": [network(1, labels=[2, 7], activation=name) for name in ("tanh", "relu")],
    "both": [network(1), Neuron(weights=normal(3))],
    "softmax": [network(3, labels=["a", "b", "c"]) for _ in range(4)],
    "one against the rest": [
        Neuron(weights=normal(3, 3), bias=normal(3), labels=[1, 2, 3], output="one_vs_rest") for _ in range(2)
    ],
    "a network for each label": [
        OneVsRest(members=[network(1) for _ in range(3)], labels=["a", "b", "c"]) for _ in range(2)
    ],
    "numbers": [network(1, output="linear", training={"loss": "huber", "delta": 0.5}) for _ in range(3)],
    "several numbers": [network(2, output="linear", targets=["u", "v"]) for _ in range(3)],
    "counts": [Neuron(weights=0.3 * normal(3), output="exp", training={"loss": "poisson"}) for _ in range(3)],
    "margins": [Neuron(weights=normal(3), output="margin", training={"loss": "hinge"}) for _ in range(3)],
}


def answers(model):
    if model.output == "margin":
        return model.decision_function(X)
    return model.predict(X) if model.numbers else model.predict_proba(X)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_mean_also_from_a_file(kind, tmp_path):
    members, path = KINDS[kind], tmp_path / "m.json"
    model = Ensemble.of(members)
    np.testing.assert_allclose(answers(model), np.mean([answers(each) for each in members], axis=0), rtol=2e-14)
    model.save(path)
    again = load(path)
    np.testing.assert_array_equal(answers(again), answers(model))
    assert repr(again) == repr(model)
    assert repr(model).startswith(f"Ensemble({len(members)} models of 3 inputs, ")
    assert (again.features, again.targets, again.training) == (model.features, model.targets, model.training)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == path.read_text()
    assert json.loads(path.read_text())["format_version"] == (5 if isinstance(members[0], OneVsRest) else 4)
    if model.numbers:
        y = np.abs(normal(60, 2)) if model.n_outputs > 1 else np.abs(normal(60))
        errors = np.mean([answers(each) for each in members], axis=0) - y
        if kind == "several numbers":
            assert model.loss(X, y) == pytest.approx((errors**2).sum(axis=1).mean(), rel=1e-12)
        if kind == "numbers":
            size = np.abs(errors)
            huber = np.where(size <= 0.5, size**2 / 2, 0.5 * (size - 0.25))
            assert model.loss(X, y) == pytest.approx(huber.mean(), rel=1e-12)
    elif model.output != "margin":
        codes = np.arange(60) % len(model.labels)
        ref = -np.log(np.mean([each.label_probabilities(X) for each in members], axis=0)[np.arange(60), codes]).mean()
        assert model.loss(X, model.labels[codes]) == pytest.approx(ref, rel=1e-12)
        assert model.predict(X).tolist() == model.labels[model.label_probabilities(X).argmax(axis=1)].tolist()


def test_no_digits_are_lost_near_0_and_1():
    sums = np.array([[-800.0], [-40.0], [40.0], [800.0]])
    model = Ensemble(members=[Neuron(weights=[1.0]), Neuron(weights=[1.5])])
    z = model.decision_function(sums)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(z[1], np.log((np.exp(-40.0) + np.exp(-60.0)) / 2), rtol=1e-14)
    np.testing.assert_allclose(z, -z[::-1], rtol=1e-14)
    assert model.loss(sums[[0, 3]], [1, 0]) > 700.0


def test_many_rows_are_predicted_as_few(tmp_path):
    """Blocks of rows, the compiled kernel, files and frames."""
    rows = RNG.standard_normal((100_000, 3))
    model = Ensemble.of(KINDS["networks"])
    p = model.predict_proba(rows)
    np.testing.assert_allclose(p[-50:], model.predict_proba(rows[-50:]), rtol=1e-13)
    assert predict_file(model, rows[:100], tmp_path / "p.csv") == 100
    assert (tmp_path / "p.csv").read_text().startswith("row,P(7),prediction\n1,")
    named = Ensemble.of(KINDS["neurons"])
    one = dict(zip("zyx", X[0, ::-1].tolist(), strict=True))
    assert named.predict_proba(one) == named.predict_proba(X[:1])


def test_of_a_sweep_of_neurons():
    rows = make_pass_fail(300, 3, seed=1)
    result = sweep(rows.X, rows.y, learning_rate=[0.001, 0.01, 0.1], folds=3, seed=0)
    best = np.argsort(result.scores())[:2] * 4
    ref = np.mean([result.models[i].predict_proba(rows.X) for i in best], axis=0)
    np.testing.assert_allclose(result.ensemble(2).predict_proba(rows.X), ref, rtol=1e-13)
    with pytest.raises(ValueError, match="k is 4, and 3 of the 3 combinations"):
        result.ensemble(4)
    with pytest.raises(ValueError, match="k is 0; a whole number"):
        result.ensemble(0)


def test_the_command_line_reads_it(run, refused, students):
    X, y = np.genfromtxt(students, skip_header=1, usecols=0, delimiter=","), np.arange(60) % 2
    frame = pytest.importorskip("pandas", reason="pandas is not installed").DataFrame({"study_hours": X})
    result = sweep(frame, np.where(y == 1, "pass", "fail"), learning_rate=[0.01, 0.1])
    result.ensemble(2).save("m.json")
    status, out, _ = run("predict", "m.json", students)
    assert status == 0
    assert out.startswith("row,P(pass),prediction\n1,")
    assert float(out.split(",")[3]) == result.ensemble(2).predict_proba(X[:1])[0]
    assert run("predict", "m.json", "study_hours=3")[0] == 0
    assert run("evaluate", "m.json", students, "--target", "result")[0] == 0
    said = refused("trace", "m.json", students, "--target", "result")
    assert said == "tinynet-fast: m.json is several models, and a step is traced for one: save one of its members\n"


def test_options_that_all_members_share():
    members = [Neuron(weights=[1.0], training={"loss": "huber", "seed": seed}) for seed in (1, 2)]
    assert Ensemble.of(members).training == {"loss": "huber"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "at least one"),
        (None, "at least one"),
        ([Neuron(weights=[1.0]), 3], "neurons or networks"),
        ([Ensemble(members=[Neuron(weights=[1.0])])], "neurons or networks"),
        ([Neuron(weights=[1.0]), Neuron(weights=[1.0, 2.0])], r"members\[1\] has 2 inputs, but members\[0\] does not"),
        (
            [Neuron(weights=[1.0]), Neuron(weights=[1.0], labels=["a", "b"])],
            r"members\[1\] has the labels \['a', 'b'\]",
        ),
        ([Neuron(weights=[1.0], features=["a"]), Neuron(weights=[1.0], features=["b"])], "other names of inputs"),
        ([Neuron(weights=[1.0]), Neuron(weights=[1.0], output="margin")], "has the output 'margin'"),
        ([network(1, output="linear"), network(2, output="linear")], "has 2 outputs"),
    ],
)
def test_models_that_do_not_go_together(members, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(members=members)


def test_what_an_ensemble_has_not():
    model = Ensemble.of(KINDS["networks"])
    for convert in (model.to_onnx, model.to_sklearn):
        with pytest.raises(ValueError, match="an ensemble has no layers of its own: convert each of its members"):
            convert()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(members=[]), "at least one"),
        (lambda c: c.update(members={}), "field 'members' is not a list of models"),
        (lambda c: c.pop("members"), "field 'members' is missing"),
        (lambda c: c["members"].append(3), r"members\[2\] is not a neuron or a network"),
        (
            lambda c: c["members"].append({"kind": "ensemble", "members": []}),
            r"members\[2\] is not a neuron or a network",
        ),
        (lambda c: c["members"][1].update(kind=["mlp"]), r"members\[1\] is not a neuron or a network"),
        (lambda c: c["members"][1].update(output=3), r"members\[1\]: field 'output' is no text"),
        (
            lambda c: c["members"][1].update(output="linear"),
            r"members\[1\]: field 'output' is 'linear', which does not",
        ),
        (lambda c: c["members"][1].update(training=[]), r"members\[1\]: field 'training' is not a table"),
        (lambda c: c["members"][1].pop("weights"), r"members\[1\]: field 'weights' is missing"),
        (lambda c: c["members"][1].update(activation="step"), r"members\[1\]: there is no activation 'step'"),
        (lambda c: c["members"][1]["weights"][0].pop(), r"members\[1\] has 2 inputs"),
        (lambda c: c["members"][1]["weights"][0][0].append("1"), r"members\[1\]: field 'weights' does not hold finite"),
        (lambda c: c.update(output="margin"), "field 'output' is 'margin', and that of the members 'sigmoid'"),
        (lambda c: c.update(features=["a"]), "1 feature names for 3 inputs"),
        (lambda c: c.update(kind="ensembles"), "field 'kind' is 'ensembles'"),
    ],
)
def test_damaged_files(change, message, tmp_path):
    path = tmp_path / "m.json"
    Ensemble.of(KINDS["networks"]).save(path)
    content = json.loads(path.read_text()) | {"output": ""}
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match=message):
        load(path)


def test_labels_are_not_copied_for_each_member(tmp_path):
    """A short file with one long label and many members takes no more memory than a model with these labels."""
    labels = ["x" * 5000, *(f"{k}" for k in range(100))]
    members = [Neuron(weights=np.zeros((1, 101)), bias=np.zeros(101), labels=labels) for _ in range(3)]
    Ensemble(members=members).save(tmp_path / "m.json")
    model = load(tmp_path / "m.json")
    assert all(member.labels is model.labels for member in model.members)
    assert model.labels.tolist() == labels
