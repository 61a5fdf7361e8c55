"""The command line on tables and streams whose target is a number."""

import csv
import json

import numpy as np
import pytest

from tinynet_fast import evaluate, load

QUICK = ["--learning-rate", "0.02", "--epochs", "5", "--l2", "0.01"]  # nothing to search


@pytest.fixture
def houses(tmp_path):
    """A table with texts, h.csv, and one of numbers alone, n.csv."""
    rng = np.random.default_rng(0)
    size, city = rng.normal(100.0, 20.0, 100).round(1), rng.choice(["a", "b", "c"], 100)
    price = (3.0 * size + 50.0 * (city == "b") + rng.normal(0.0, 20.0, 100)).round(2)
    lines = [f"{s},{c},{p}" for s, c, p in zip(size.tolist(), city, price.tolist(), strict=True)]
    (tmp_path / "h.csv").write_text("\n".join(["size,city,price", *lines]) + "\n")
    lines = [f"{s},{i % 7},{p}" for i, (s, p) in enumerate(zip(size.tolist(), price.tolist(), strict=True))]
    (tmp_path / "n.csv").write_text("\n".join(["size,rooms,price", *lines]) + "\n")
    return tmp_path


@pytest.fixture
def model(run, houses):
    status, out, err = run("train", "h.csv", "--target", "price", "--model", "m.json", *QUICK)
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert "learned as numbers; to learn them as labels, name them all (labels=)" in said
    assert "R squared" in said
    assert "price, as a number: its mean" in said
    return load("m.json")


def test_predict(run, refused, model):
    status, out, err = run("predict", "m.json", "h.csv")
    head, *rows = csv.reader(out.splitlines())
    assert (status, err, head) == (0, "", ["row", "prediction"])
    with open("h.csv", newline="") as file:
        assert float(rows[0][1]) == model.predict(next(csv.DictReader(file)))[0]
    assert run("predict", "m.json", "h.csv", "--output", "o.csv")[1] == "100 predictions: o.csv\n"
    status, out, _ = run("predict", "m.json", "size=100", "city=b")
    assert (status, float(out)) == (0, pytest.approx(model.predict({"size": 100, "city": "b"})[0], rel=1e-5))
    for threshold in (["size=100", "city=b"], ["h.csv"]):
        assert "this one predicts numbers" in refused("predict", "m.json", *threshold, "--threshold", "0.5")


def test_evaluate(run, refused, model):
    report = evaluate(model, "h.csv")
    status, out, _ = run("evaluate", "m.json", "h.csv")
    assert status == 0
    assert f"{report.r2.value:.4f}" in out
    assert "true less predicted" in out
    assert json.loads(run("evaluate", "m.json", "h.csv", "--json")[1]) == report.to_json()
    assert "is a condition" in refused("evaluate", "m.json", "h.csv", "--target", "price>=300")
    assert "this one predicts numbers" in refused("threshold", "m.json", "h.csv", "--target", "price")
    with open("h.csv", "a") as file:
        file.write("100,a,\n")
    assert "line 102, column 'price'" in refused("evaluate", "m.json", "h.csv")
    assert "101 rows" not in run("evaluate", "m.json", "h.csv", "--drop-missing")[1]


def test_pictures(run, refused, model):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    for kind in ("predictions", "residuals", "contributions"):
        assert run("plot", kind, "m.json", "h.csv", "--output", f"{kind}.svg")[0] == 0
    assert "model predicts numbers" in refused("plot", "roc", "m.json", "h.csv", "--output", "r.svg")
    assert "4 inputs" in refused("plot", "boundary", "m.json", "h.csv", "--output", "r.svg")
    status, said, _ = run("evaluate", "m.json", "h.csv", "--report", "p.html")
    assert status == 0
    assert said.endswith("page: p.html\n")
    assert run("train", "n.csv", "--target", "price", "--features", "size", "--model", "one.json", *QUICK)[0] == 0
    assert run("plot", "boundary", "one.json", "n.csv", "--output", "b.svg")[0] == 0


@pytest.mark.parametrize(
    ("options", "name", "shape"),
    [
        (["--loss", "huber", "--delta", "0.5"], "huber", ("delta", 0.5)),
        (["--loss", "quantile", "--quantile", "0.9"], "quantile", ("quantile", 0.9)),
        (["--loss", "poisson"], "poisson", ("standardize_y", False)),
        (["--output", "linear", "--no-standardize-y", "--learning-rate", "0.001"], "squared_error", ()),
    ],
)
def test_losses(run, houses, options, name, shape):
    quick = QUICK if "--learning-rate" not in options else QUICK[2:]
    quick = ["--learning-rate", "1e-5", *QUICK[2:]] if name == "poisson" else quick
    status, out, err = run("train", "h.csv", "--target", "price", "--model", "m.json", "--quiet", *quick, *options)
    assert (status, out) == (0, "")
    assert err == "" or "the model is worse than always answering the mean" in err  # of so few epochs
    found = load("m.json")
    assert found.training["loss"] == name
    assert not shape or found.training.get(shape[0], False) == shape[1]
    assert found.numbers


def test_labels_with_a_loss_and_weights(run, houses):
    options = ["--loss", "focal", "--gamma", "1.5", "--class-weight", "balanced", "--model", "f.json", "--quiet"]
    assert run("train", "h.csv", "--target", "price>=300", *options, *QUICK) == (0, "", "")
    assert load("f.json").training["loss"] == "focal"
    assert run("train", "h.csv", "--target", "price", "--hidden", "0", "--model", "n.json", "--quiet", *QUICK)[0] == 0
    assert load("n.json").numbers


def test_streams(run, refused, houses):
    line = ["train", "n.csv", "--target", "price", "--stream", "--model", "s.json"]
    status, out, _ = run(*line, "--output", "linear", "--report", "s.html")
    assert status == 0
    assert "R squared" in out
    found = load("s.json")
    assert (found.output, found.training["target"]) == ("linear", "price")
    assert isinstance(found.training["target_mean"], float)
    rows = np.loadtxt("n.csv", delimiter=",", skiprows=1)
    assert found.score(rows[:, :2], rows[:, 2]) > 0.3
    assert run("evaluate", "s.json", "n.csv")[0] == 0
    assert run("predict", "s.json", "n.csv")[1].startswith("row,prediction\n")
    assert "numbers need --output linear" in refused(*line)
    assert "--output lines: 'labels', 'linear'" in refused(*line, "--output", "lines")
    assert "labels is for labels" in refused(*line, "--output", "linear", "--labels", "1,2")


def test_streamed_labels_are_weighted(run, houses):
    rows = (houses / "n.csv").read_text().splitlines()
    lines = [
        rows[0].replace("price", "y"),
        *(f"{','.join(row.split(',')[:2])},{int(i % 4 == 0)}" for i, row in enumerate(rows[1:])),
    ]
    (houses / "y.csv").write_text("\n".join(lines) + "\n")
    line = ["train", "y.csv", "--target", "y", "--stream", "--model", "w.json", "--quiet", "--learning-rate", "0.01"]
    assert run(*line, "--class-weight", "0=1,1=3") == (0, "", "")
    assert load("w.json").training["class_weight"] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "lines"], "--output lines: 'labels', 'linear'"),
        (["--output", "labels"], "use --output linear"),
        (["--output", "linear", "--labels", "1,2"], "labels is for labels"),
        (["--output", "linear", "--class-weight", "balanced"], "is for labels"),
        (["--loss", "hinge"], "--loss hinge learns no probabilities"),
        (["--loss", "cubic"], "loss"),
        (["--loss", "quantile", "--quantile", "1.5"], "quantile"),
        (["--loss", "huber", "--delta", "0"], "delta"),
        (["--loss", "log_loss"], "look like measurements"),
        (["--output", "linear", "--loss", "log_loss"], "is for labels"),
        (["--loss", "poisson", "--standardize-y"], "poisson"),
    ],
)
def test_mistakes(refused, houses, options, message):
    assert message in refused("train", "h.csv", "--target", "price", *options)


def test_the_lab_and_validate_are_for_labels(refused, houses):
    assert "the lab is for two labels" in refused("lab", "h.csv", "--target", "price")
    assert "validate compares neurons of labels" in refused("validate", "--data", "h.csv", "--target", "price")
