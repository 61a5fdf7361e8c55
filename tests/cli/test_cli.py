"""The command line as a person uses it: from real files to tables and models. Mistakes are in `test_cli_errors.py`."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tables import read, scores, write

from tinynet_fast import Neuron, load, train_neuron
from tinynet_fast.rows import kept
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.tables.split import held_rows

EXACT = ["--learning-rate", "0.1", "--l2", "0", "--no-average"]  # the loop as `train_neuron` runs it by default


@pytest.fixture(scope="module")
def breast_cancer(tmp_path_factory):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    data = datasets.load_breast_cancer()
    rows = [[*map(repr, x), data.target_names[t]] for x, t in zip(data.data.tolist(), data.target, strict=True)]
    path = tmp_path_factory.mktemp("real") / "breast_cancer.csv"
    return write(path, [*data.feature_names, "diagnosis"], rows), data


@pytest.mark.parametrize("hidden", [None, "8"])
@pytest.mark.parametrize("seed", [None, "1", "2"])
def test_real_data(run, breast_cancer, hidden, seed):
    """569 rows, 30 columns of very different scales, text labels. Train with default options, then predict raw rows."""
    path, data = breast_cancer
    options = (["--hidden", hidden] if hidden else []) + (["--seed", seed] if seed else [])
    status, out, err = run("train", path, "--target", "diagnosis", "--model", "model.json", *options)
    assert (status, err) == (0, "")
    assert "rows     456 to train on, 113 held out to judge; then all 569 to train on" in out
    assert scores(out)["accuracy"][0] >= 0.95
    assert "model: model.json" in out

    model = load("model.json")
    assert model.features == data.feature_names.tolist()
    assert model.labels.tolist() == ["benign", "malignant"]
    labels = data.target_names[data.target]
    assert model.score(data.data, labels) >= 0.96

    status, out, _ = run("predict", "model.json", path)
    table = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["P(malignant)"]) for row in table] == model.predict_proba(data.data).tolist()
    assert [row["prediction"] for row in table] == model.predict(data.data).tolist()
    status, printed, _ = run("predict", "model.json", path, "--output", "out.csv", "--threshold", "0.9")
    assert (status, printed) == (0, "569 predictions: out.csv\n")
    table = read(Path("out.csv"))
    assert [row["prediction"] for row in table] == model.predict(data.data, threshold=0.9).tolist()


def test_train_prints_a_summary_and_writes_the_model_here(run, students):
    status, out, err = run("train", students, "--target", "result", "--epochs", "20", "--no-shuffle")
    assert (status, err) == (0, "")
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[:3] == [
        "rows     48 to train on, 12 held out to judge; then all 60 to train on",
        "numbers  study_hours",
        "learned  P(pass), the probability of pass; the other label is fail",
    ]
    assert re.fullmatch(r"model    one neuron of 1 inputs; engine fast/\w+, 20 epochs in [\d.]+ s", lines[3])
    assert lines[4].startswith("options  learning_rate=")
    assert "12 rows, 2 labels" in lines
    assert scores(out)["accuracy"][1] == 0.5
    assert scores(out)["log loss"][0] < 0.5 < scores(out)["log loss"][1]
    assert lines[-3:-1] == [
        "model: students.model.json",
        "next: tinynet-fast predict students.model.json NEW.csv"
        ", or tinynet-fast evaluate students.model.json OTHER.csv",
    ]
    model = load("students.model.json")
    assert model.training["target"] == "result"
    assert model.training["shuffle"] is False
    assert model.training["epochs"] == 20
    assert model.training["rows_held_out"] == 12


def test_standardising_is_folded_in(run, students):
    """The saved model takes raw hours. The expected one is computed here: from all rows, or from those not held out."""
    rows = read(students)
    hours = np.array([[float(row["study_hours"])] for row in rows])
    results = np.array([row["result"] for row in rows])
    held = held_rows((results == "pass").astype(int), 0.2, 0)
    options = ["--no-shuffle", "--epochs", "5", *EXACT]
    for more, trained in (([], np.ones(60, bool)), (["--validation", "0"], np.ones(60, bool)), (["--no-refit"], ~held)):
        assert run("train", students, "--target", "result", *options, *more)[0] == 0
        mean, scale = hours[trained].mean(), hours[trained].std()
        ref = train_neuron((hours[trained] - mean) / scale, results[trained], epochs=5).model
        comp = load("students.model.json")
        np.testing.assert_allclose(comp.predict_proba(hours), ref.predict_proba((hours - mean) / scale), rtol=1e-12)
        assert run("train", students, "--target", "result", "--no-standardize", *options, *more)[0] == 0
        ref = train_neuron(hours[trained], results[trained], epochs=5).model
        np.testing.assert_allclose(load("students.model.json").weights, ref.weights, rtol=1e-12)
        assert load("students.model.json").bias == pytest.approx(ref.bias, rel=1e-12)


def test_chosen_features(run, tmp_path):
    rows = make_pass_fail(50, 3).X.tolist()
    path = write(tmp_path / "d.csv", ["a", "b", "text", "t"], [[*r[:2], "x", int(r[0] > 0)] for r in rows])
    status, _, _ = run("train", path, "--target", "t", "--features", "b,a", "--model", "m.json")
    assert status == 0
    assert load("m.json").features == ["b", "a"]
    assert run("predict", "m.json", path)[0] == 0


def test_few_rows_are_all_trained_on(run, tmp_path):
    path = write(tmp_path / "four.csv", ["hours", "passed"], [(1, 0), (2, 0), (3, 1), (4, 1)])
    options = ["--no-standardize", "--no-shuffle", "--epochs", "1000", *EXACT]
    status, out, err = run("train", path, "--target", "passed", *options)
    assert (status, err) == (0, "")
    assert "rows     4 to train on; none held out to judge" in out
    assert scores(out) == {}
    assert run("predict", "four.model.json", "hours=2.5")[1] == "1: P(1) = 0.5614, P(0) = 0.4386\n"


def test_network_options(run, students):
    options = ["--hidden", "6,3", "--activation", "tanh", "--batch-size", "16", "--epochs", "30", "--patience", "5"]
    status, out, err = run("train", students, "--target", "result", *options, "--learning-rate", "0.5")
    assert (status, err) == (0, "")
    assert re.search(
        r"^rows +48 to train on, 12 held out to judge *$", out, re.M
    )  # patience watches them: no second training
    assert "a network of 1 inputs, hidden units 6, 3, 1 output; engine fast" in out
    model = load("students.model.json")
    assert [len(b) for b in model.biases] == [6, 3, 1]
    assert model.activation == "tanh"
    assert model.training["batch_size"] == 16
    assert model.training["learning_rate"] == 0.5
    assert 1 <= model.training["best_epoch"] <= 30
    assert f"weights of epoch {model.training['best_epoch']}" in " ".join(out.split())


def test_network_steps(run, students):
    options = ["--hidden", "6", "--optimizer", "adam", "--learning-rate", "0.02", "--dropout", "0.1", "--l2", "0.001"]
    status, _, _ = run("train", students, "--target", "result", *options, "--schedule", "cosine", "--epochs", "40")
    assert status == 0
    training = load("students.model.json").training
    assert training["optimizer"] == "adam"
    assert training["dropout"] == 0.1
    assert training["l2"] == 0.001
    assert training["schedule"] == "cosine"
    status, _, err = run("train", students, "--target", "result", "--momentum", "0.9")
    assert status == 2
    assert err == "tinynet-fast: --momentum is for networks: name the hidden units with --hidden\n"


@pytest.mark.parametrize("hidden", [[], ["--hidden", "4"]])
def test_more_than_two_labels(run, tmp_path, hidden):
    rng = np.random.default_rng(0)
    kinds = np.array(["cat", "dog", "owl"])[np.arange(90) % 3]
    X = rng.standard_normal((90, 2)) + np.array([[0, 4], [4, 0], [-4, -4]])[np.arange(90) % 3]
    path = write(
        tmp_path / "d.csv", ["a", "b", "kind"], [(*x, kind) for x, kind in zip(X.tolist(), kinds, strict=True)]
    )
    status, out, err = run("train", path, "--target", "kind", "--model", "m.json", "--epochs", "200", *hidden)
    assert (status, err) == (0, "")
    assert "18 rows, 3 labels" in out
    assert scores(out)["accuracy"] == (1.0, pytest.approx(1 / 3, abs=1e-4))
    assert scores(out)["log loss"][0] < 0.1
    assert "learned  a probability for each of cat, dog, owl" in out
    assert ("hidden units 4, 3 outputs" if hidden else "no hidden units, 3 outputs") in out
    one_row = run("predict", "m.json", "a=0", "b=4")[1]
    assert re.match(r"cat: P\(cat\) = 0\.9\d+, P\((dog|owl)\) = 0\.0\d+, P\(", one_row)
    status, out, _ = run("predict", "m.json", path)
    assert status == 0
    header, *lines = out.splitlines()
    assert header == "row,P(cat),P(dog),P(owl),prediction"
    assert [line.rpartition(",")[2] for line in lines] == kinds.tolist()
    probabilities = np.array([list(map(float, line.split(",")[1:4])) for line in lines])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert np.array(["cat", "dog", "owl"])[probabilities.argmax(axis=1)].tolist() == kinds.tolist()
    for command in (
        ["predict", "m.json", path, "--threshold", "0.5"],
        ["threshold", "m.json", path, "--target", "kind"],
    ):
        status, _, err = run(*command)
        assert status == 2
        assert "threshold is for models of two labels; this one knows 3\n" in err
    status, _, err = run("trace", "m.json", path, "--target", "kind")
    assert status == 2
    assert "a step is traced for two" in err


def test_the_only_row_of_a_label_is_never_held_out(run, tmp_path):
    rows = [(i, "rare" if i == 7 else "ab"[i % 2]) for i in range(30)]
    path = write(tmp_path / "rare.csv", ["x", "y"], rows)
    for seed in range(16):
        options = ["--hidden", "3", "--epochs", "2", "--l2", "0", "--seed", str(seed), "--model", "m.json"]
        status, out, err = run("train", path, "--target", "y", *options)
        assert status == 0
        assert not err or "tinynet-fast: warning: the model" in err
        assert "Note: no row has the label rare: recall and AUC are undefined for it." in out  # of those held out
        assert load("m.json").labels.tolist() == ["a", "b", "rare"]


def test_a_learning_rate_that_chooses_itself(run, students):
    status, out, _ = run("train", students, "--target", "result", "--learning-rate", "auto", "--epochs", "20")
    assert status == 0
    rate = float(re.search(r"^options  learning_rate=([\d.]+), the best of 9; l2 = ", out, re.M)[1])
    assert load("students.model.json").training["learning_rate"] == pytest.approx(rate, rel=1e-3)
    default = run("train", students, "--target", "result", "--epochs", "20")[1]
    assert default.splitlines()[4] == out.splitlines()[4]  # the default
    status, out, _ = run("train", students, "--target", "result", "--stream", "--learning-rate", "auto")
    assert status == 0
    assert re.search(r"^learning_rate=[\d.]+: of \d+ rates from [\de.-]+ to [\de.-]+, each trained on", out, re.M)
    status, _, err = run("train", students, "--target", "result", "--learning-rate", "fast")
    assert status == 2
    assert err == "tinynet-fast: --learning-rate fast: a number, or auto, is needed\n"
    for more in ([], ["--stream"]):
        auto = ["--learning-rate", "auto", "--hidden", "3", "--epochs", "30", *more]
        status, out, _ = run("train", students, "--target", "result", *auto)
        assert status == 0
        found = re.search(r"learning_rate=([\d.e-]+): of \d+ rates from [\d.e-]+ to [\d.e-]+, each trained on", out)
        assert load("students.model.json").training["learning_rate"] == pytest.approx(float(found[1]), rel=1e-3)


def test_tiny_predictor(run, students):
    run("train", students, "--target", "result")
    status, out, _ = run("predict", "students.model.json", "study_hours=4.5")
    assert status == 0
    assert re.fullmatch(r"pass: P\(pass\) = (0\.9\d+|1\.0+), P\(fail\) = 0\.0\d+\n", out)
    assert run("predict", "students.model.json", "study_hours=0.1")[1] == "fail: P(fail) = 1.0000, P(pass) = 0.0000\n"
    strict = run("predict", "students.model.json", "study_hours=4.5", "--threshold", "1")[1]
    assert strict.startswith("fail: P(fail) = 0.0")


def test_one_row_into_a_file(run, students):
    run("train", students, "--target", "result")
    assert run("predict", "students.model.json", "study_hours=5", "--output", "one.csv")[0] == 0
    assert [row["prediction"] for row in read(Path("one.csv"))] == ["pass"]
    assert run("predict", "students.model.json", students, "--output", students)[0] == 2


def test_names_with_brackets_are_printed_as_they_are(run, tmp_path):
    path = write(tmp_path / "[red]x.csv", ["[bold]h[/bold]", "y"], [(1, 0), (2, 0), (3, 1), (4, 1)])
    status, out, _ = run("train", path, "--target", "y", "--model", ":x:.json")
    assert status == 0
    assert "model: :x:.json" in out
    assert "[bold]h[/bold]" in run("trace", ":x:.json", path)[1]


def test_module_and_script_are_the_same_command():
    for command in ([sys.executable, "-m", "tinynet_fast"], [Path(sys.executable).with_name("tinynet-fast")]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == "tinynet-fast 0.1.0\n"


def test_a_reader_that_stops_early(tmp_path):
    Neuron(weights=[1.0], labels=["fail", "pass"], features=["study_hours"]).save(tmp_path / "m.json")
    rows = ["study_hours"] + [str(i / 10_000) for i in range(50_000)]
    (tmp_path / "many.csv").write_text("\n".join(rows) + "\n")
    command = f"{sys.executable} -m tinynet_fast predict m.json many.csv | head -2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith("row,P(pass),prediction\n1,")
    assert done.stderr == ""


def test_demo(run):
    status, out, _ = run("demo")
    assert status == 0
    assert "weight 4.301869, bias -10.508012" in out
    assert "2.5 hours, never seen: 0.5614" in out
    assert re.search(r"weights of both on the first 20,000 rows: (equal to the last bit|\d\.\de-1[4-7] apart)", out)
    assert re.search(r"\d+ times the plain loop's rows per second, to the same weights", out)


def test_train_on_rows_that_are_streamed(run, refused, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow reads the files")
    monkeypatch.chdir(tmp_path)
    rows = make_pass_fail(400, 2)
    for name, part in (("a1.csv", slice(0, 150)), ("a2.csv", slice(150, 400))):
        lines = [
            f"{a!r},{b!r},{'pass' if y else 'fail'}"
            for (a, b), y in zip(rows.X[part].tolist(), rows.y[part], strict=True)
        ]
        (tmp_path / name).write_text("hours,sleep,result\n" + "\n".join(lines) + "\n")
    options = ["--target", "result", "--epochs", "3", "--validation", "0.25", "--seed", "3", "--model", "m.json"]
    options.append("--stream")
    code, out, err = run("train", "a*.csv", *options, "--checkpoint", "c.json", "--labels", "pass,fail")
    assert (code, err) == (0, "")
    assert "rows trained on in each epoch" in out
    assert scores(out)["log loss"][0] < scores(out)["log loss"][1]
    fitted = load("m.json")
    assert fitted.labels.tolist() == ["pass", "fail"]
    assert fitted.features == ["hours", "sleep"]
    other = ["--checkpoint", "c.json", "--labels", "pass,fail", "--learning-rate", "0.2"]
    assert "learning_rate was 'auto' and is 0.2" in refused("train", "a*.csv", *options, *other)
    code, out, err = run("train", "a*.csv", *options, "--checkpoint", "c.json", "--no-resume", "--learning-rate", "0.2")
    assert code == 0
    with open("a1.csv", "a") as file:
        file.write(",8,pass\n")
    assert "a1.csv, line 152, column 'hours': the value is missing" in refused("train", "a*.csv", *options)
    network = ["--drop-missing", "--hidden", "3", "--learning-rate", "0.05"]
    code, out, err = run("train", "a1.csv", "a2.csv", *options, *network, "--quiet")
    assert (code, out, err) == (0, "", "")
    code, out, _ = run("train", "a1.csv", "a2.csv", *options, *network)
    assert (code, ", 1 left out for a missing value" in out) == (0, True)
    assert run("train", "a2.csv", *options, "--shuffle")[0] == 0
    monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    assert "convert the rows, or shuffle them once" in refused("train", "a2.csv", *options, "--shuffle")
    assert "that is where the model goes" in refused("train", "a2.csv", *options, "--checkpoint", "m.json")


def test_folders_and_patterns_with_an_equals_sign_are_files(run, students, tmp_path):
    run("train", students, "--target", "result", "--epochs", "2", "--model", "m.json")
    _, expected, _ = run("predict", "m.json", students)
    for name in ("hv/year=2020/a.csv", "k=1.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(Path(students).read_bytes())
    for word in ("hv/year=*/*.csv", "hv/year=2020", "k=*.csv"):
        assert run("predict", "m.json", word) == (0, expected, "")
    values = [f"{name}=1" for name in load("m.json").features]
    assert "P(pass) = " in run("predict", "m.json", *values)[1]
    for word in ("k=9.csv", "x=*.csv"):
        assert "no input" not in run("predict", "m.json", word)[2]
    assert "the model has no input 'nothing'" in run("predict", "m.json", "nothing=1")[2]


def test_a_model_is_named_after_its_data(run, students, tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_bytes(Path(students).read_bytes())
    for words, name in (
        (["rows/*.csv"], "model.json"),
        (["rows"], "rows.model.json"),
        (["rows/a.csv"], "a.model.json"),
    ):
        status, out, _ = run("train", *words, "--target", "result", "--epochs", "2")
        assert (status, out.splitlines()[-3]) == (0, f"model: {name}")
        (tmp_path / name).unlink()


def test_default_names_of_models():
    from tinynet_fast.cli.support import model_file

    for data in ("*.csv", "-", ".", "..", ".hidden.csv", "data/*.parquet"):
        assert model_file(Path(data)) == Path("model.json")
    assert model_file(Path("data/a.b.csv.gz")) == Path("a.model.json")


def test_validate_and_trace_fill_values_or_leave_rows_out(run, tmp_path, own_rows_only):
    rows = [("1", "0"), ("", "0"), ("2", "0"), ("3", "1"), ("4", "1")]
    write(tmp_path / "d.csv", ["a", "y"], rows)
    write(tmp_path / "whole.csv", ["a", "y"], [row for row in rows if row[0]])
    for options in ([], ["--drop-missing"]):
        assert run("validate", "--data", "d.csv", "--target", "y", *options)[0] == 0
    run("train", "whole.csv", "--target", "y", "--epochs", "2", "--model", "m.json")
    run("train", "d.csv", "--target", "y", "--epochs", "2", "--missing", "drop", "--model", "strict.json")
    ref = run("trace", "m.json", "whole.csv", "--row", "2", "--json")
    for model in ("m.json", "strict.json"):
        assert run("trace", model, "d.csv", "--row", "3", "--drop-missing", "--json") == ref
        missing = run("trace", model, "d.csv", "--row", "2", "--drop-missing")[2]
        assert "row 2 has a missing value: choose another row" in missing
        last = run("trace", model, "d.csv", "--row", "6", "--drop-missing")[2]
        assert "there is no row 6; it has 4 rows" in last
    assert run("trace", "m.json", "d.csv", "--row", "3", "--json") == ref
    filled = json.loads(run("trace", "m.json", "d.csv", "--row", "2", "--json")[1])
    assert filled["inputs"] == [2.5]  # the median of the rows that were trained on
    said = run("trace", "strict.json", "d.csv", "--row", "3")
    assert said[0] == 2
    assert "d.csv, line 3, column 'a': the value is missing: fill it, or leave the row out (--drop-missing)" in said[2]
    run("train", "d.csv", "--target", "y", "--epochs", "2", "--model", "gaps.json")
    assert load("gaps.json").features == ["a", "a is missing"]
    filled = json.loads(run("trace", "gaps.json", "d.csv", "--row", "2", "--json")[1])
    assert filled["inputs"] == [2.5, 1.0]
