"""The commands on a table, and their options: sample, evaluate, predict of one row, and how columns are read."""

import json
import re

import made
import numpy as np
import pytest
from made import rows_of
from tables import scores, text_of

from tinynet_fast import evaluate, load, train

QUICK = ["--learning-rate", "0.05", "--epochs", "3", "--l2", "0.001"]  # nothing to search


@pytest.fixture
def sampled(run):
    """The sample table, and a model of it."""
    assert run("sample", "students.csv") == (0, "500 rows: students.csv\n", "")
    status, out, err = run("train", "students.csv", "--target", "result", "--model", "m.json", *QUICK)
    assert (status, err) == (0, "")
    assert "sleep (29 missing), attendance (15 missing)" in text_of(out)
    assert "school (3 levels, 7 missing)" in text_of(out)
    return load("m.json")


def test_sample(run, refused, tmp_path):
    assert run("sample") == (0, "500 rows: students.csv\n", "")
    first = (tmp_path / "students.csv").read_bytes()
    assert run("sample", "again.csv")[0] == 0
    assert (tmp_path / "again.csv").read_bytes() == first
    assert first.splitlines()[0] == b"study_hours,sleep,attendance,school,tutoring,result"
    assert len(first.splitlines()) == 501
    assert "No such file or directory" in refused("sample", "none/students.csv")


def test_evaluate(run, refused, sampled, tmp_path):
    report = evaluate(sampled, "students.csv")
    status, out, err = run("evaluate", "m.json", "students.csv")
    assert (status, err) == (0, "")
    assert "500 rows, 2 labels" in out
    assert scores(out)["accuracy"][0] == pytest.approx(report.accuracy.value, abs=1e-4)
    assert "true \\ predicted" in out
    status, out, err = run("evaluate", "m.json", "students.csv", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found == json.loads(json.dumps(report.to_json()))
    assert np.sum(found["confusion"]) == found["rows"] == 500
    status, out, _ = run("evaluate", "m.json", "students.csv", "--json", "--drop-missing")
    assert json.loads(out)["rows"] == 500 - (29 + 15 + 7) + 1  # one row has two gaps
    lines = (tmp_path / "students.csv").read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",maybe"
    (tmp_path / "odd.csv").write_text("\n".join(lines) + "\n")
    said = refused("evaluate", "m.json", "odd.csv")
    assert "odd.csv, line 4, column 'result': " in said
    assert "'maybe'" in said
    lines[3] = lines[3].rpartition(",")[0] + ","
    (tmp_path / "odd.csv").write_text("\n".join(lines) + "\n")
    assert "odd.csv, line 4, column 'result': the label is missing" in refused("evaluate", "m.json", "odd.csv")
    assert json.loads(run("evaluate", "m.json", "odd.csv", "--drop-missing", "--json")[1])["rows"] < 450
    assert "no column 'reslt'" in refused("evaluate", "m.json", "students.csv", "--target", "reslt")
    assert "none.csv: No such file" in refused("evaluate", "m.json", "none.csv")


def test_evaluate_a_condition(run, refused, tmp_path):
    (tmp_path / "student.csv").write_text(made.student_form())
    assert run("train", "student.csv", "--target", "G3>=10", "--model", "m.json", *QUICK)[0] == 0
    whole = run("evaluate", "m.json", "student.csv", "--json")
    assert whole[0] == 0
    for target in ("G3>=10", "G3", "G3 >= 10"):
        assert run("evaluate", "m.json", "student.csv", "--target", target, "--json") == whole
    said = refused("evaluate", "m.json", "student.csv", "--target", "G3>=12")
    assert "student.csv, line 2, column 'G3>=12': " in said
    status, out, _ = run("threshold", "m.json", "student.csv", "--target", "G3>=10", "--compare", "0.5")
    accuracy = json.loads(whole[1])["accuracy"]["value"]
    assert status == 0
    assert re.search(rf"0\.5 +│ {accuracy:.4f} ", out)


def test_predict_one_row(run, refused, sampled):
    row = ["study_hours=12", "sleep=", "attendance=91%", "school=North", "tutoring=no"]
    p = sampled.predict_proba(
        {"study_hours": 12, "sleep": None, "attendance": "91%", "school": "North", "tutoring": "no"}
    )
    status, out, err = run("predict", "m.json", *row)
    assert (status, err) == (0, "")
    assert out == f"pass: P(pass) = {p[0]:.4f}, P(fail) = {1 - p[0]:.4f}\n"
    assert run("predict", "m.json", *row[::-1]) == (0, out, "")
    for gap in ("NA", "?", "null"):
        assert run("predict", "m.json", row[0], f"sleep={gap}", *row[2:]) == (0, out, "")
    new = run("predict", "m.json", *row[:3], "school=Elsewhere", row[4])
    assert new[0] == 0
    assert new[1] != out
    said = refused("predict", "m.json", *row[:4])
    assert "no value for tutoring: give every input as name=value (name= if it is missing)" in said
    said = refused("predict", "m.json", *row[:4], "tutoring=often")
    assert said.startswith("tinynet-fast: tutoring=often: 'often' is not 'yes' or 'no'")
    said = refused("predict", "m.json", "study_hours=many", *row[1:])
    assert said.startswith("tinynet-fast: study_hours=many: 'many' is not a number")
    assert "the model has no input 'age'" in refused("predict", "m.json", *row, "age=3")


# --- options ----------------------------------------------------------------------------------------------------------


def test_positive(run, sampled):
    assert run("train", "students.csv", "--target", "result", "--positive", "fail", "--model", "f.json", *QUICK)[0] == 0
    fail = load("f.json")
    assert fail.labels.tolist() == ["pass", "fail"]
    np.testing.assert_allclose(fail.weights, -sampled.weights, rtol=1e-9)
    status, out, _ = run("train", "students.csv", "--target", "school", "--positive", "East", "--drop-missing", *QUICK)
    assert status == 0
    assert "P(East), the probability of East; the other label is not East" in out
    assert load("students.model.json").labels.tolist() == ["not East", "East"]


def test_exclude_and_features(run, sampled):
    given = ["train", "students.csv", "--target", "result", *QUICK]
    assert run(*given, "--exclude", "school,sleep", "--model", "a.json")[0] == 0
    assert run(*given, "--features", "study_hours,attendance,tutoring", "--model", "b.json")[0] == 0
    a, b = load("a.json"), load("b.json")
    assert a.features == b.features == ["study_hours", "attendance", "attendance is missing", "tutoring"]
    np.testing.assert_array_equal(a.weights, b.weights)


def test_levels_and_hash(run, tmp_path):
    (tmp_path / "d.csv").write_text(rows_of(90, code=lambda i: 10_000 + i % 9, x=lambda i: i % 2))
    assert run("train", "d.csv", "--target", "y", "--model", "m.json", *QUICK)[0] == 0
    assert load("m.json").features == ["code", "x"]
    status, out, err = run("train", "d.csv", "--target", "y", "--levels", "code", "--model", "m.json", *QUICK)
    assert (status, err) == (0, "")
    assert "code (9 levels)" in text_of(out)
    assert load("m.json").features == [*(f"code={10_000 + i}" for i in range(9)), "x"]
    status, out, err = run("train", "d.csv", "--target", "y", "--hash", "code=4", "--model", "m.json", *QUICK)
    assert (status, err) == (0, "")
    assert "code (9 levels in 4 buckets)" in text_of(out)
    assert load("m.json").features == ["code#0", "code#1", "code#2", "code#3", "x"]


def test_na_decimal_and_separator(run, refused, tmp_path):
    """The same table, however it is written: the same weights."""
    numbers = [(i % 9 + 0.5, None if i in (3, 17) else 1000 * i + 0.25) for i in range(60)]

    def written(separator, mark, gap):
        lines = [separator.join(["a", "b", "y"])]
        for i, (a, b) in enumerate(numbers):
            cells = [str(a), gap if b is None else str(b), "yes" if i % 9 > 3 else "no"]
            lines.append(separator.join([cell.replace(".", mark) for cell in cells[:2]] + cells[2:]))
        return "\n".join(lines) + "\n"

    (tmp_path / "ref.csv").write_text(written(",", ".", ""))
    assert run("train", "ref.csv", "--target", "y", "--model", "ref.json", *QUICK)[0] == 0
    ref = load("ref.json")
    assert ref.features == ["a", "b", "b is missing"]
    for separator, mark, gap, options in (
        (";", ",", "", []),
        (";", ",", "n/k", ["--na", "n/k"]),
        (";", ",", "-", ["--na", "-,n/k", "--decimal", ",", "--separator", ";"]),
        ("\t", ".", "?", ["--separator", "tab"]),
        ("|", ".", "NA", ["--separator", "|", "--decimal", "."]),
    ):
        (tmp_path / "d.csv").write_text(written(separator, mark, gap))
        status, out, err = run("train", "d.csv", "--target", "y", "--model", "m.json", *QUICK, *options)
        assert (status, err) == (0, "")
        assert "a, b (2 missing)" in text_of(out)
        np.testing.assert_array_equal(load("m.json").weights, ref.weights)
        predicted = run("predict", "m.json", "d.csv")
        assert predicted == run("predict", "ref.json", "ref.csv")
    (tmp_path / "d.csv").write_text(written(";", ",", "n/k"))
    said = refused("train", "d.csv", "--target", "y")
    assert "d.csv, line 5, column 'b': 'n/k' is not a number" in said


def test_every_command_reads_an_export_in_another_encoding(run, refused, tmp_path):
    (tmp_path / "kunden.csv").write_bytes(made.german_export())
    latin, target = ["--encoding", "latin-1", "--separator", ";"], ["--target", "gekauft"]
    assert run("train", "kunden.csv", *target, "--model", "m.json", *QUICK, *latin)[0] == 0
    for command in (
        ["evaluate", "m.json", "kunden.csv"],
        ["predict", "m.json", "kunden.csv"],
        ["threshold", "m.json", "kunden.csv", *target],
        ["trace", "m.json", "kunden.csv"],
        ["lab", "kunden.csv", *target, "--epochs", "2"],
    ):
        said = refused(*command)
        assert "kunden.csv, line 1: not UTF-8 text; save the file as UTF-8, or name its encoding: --encoding" in said
        status, _, err = run(*command, *latin)
        assert (status, err) == (0, "")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert run("plot", "roc", "m.json", "kunden.csv", "--output", "p.png", *latin)[0] == 0


def test_set_names_any_option_of_the_trainers(run, sampled):
    given = ["train", "students.csv", "--target", "result", *QUICK]
    assert run(*given, "--set", "l1=0.01", "--set", "n_jobs=1", "--no-average", "--model", "a.json")[0] == 2
    assert run(*given, "--set", "l1=0.01", "--no-average", "--model", "a.json")[0] == 0
    ref = train("students.csv", "result", learning_rate=0.05, epochs=3, l2=0.001, l1=0.01, average=False).model
    np.testing.assert_array_equal(load("a.json").weights, ref.weights)
    assert run(*given, "--hidden", "3", "--set", "beta_1=0.8", "--set", "init=glorot", "--model", "b.json")[0] == 0
    options = {"learning_rate": 0.05, "epochs": 3, "l2": 0.001, "hidden": 3, "beta_1": 0.8, "init": "glorot"}
    ref = train("students.csv", "result", **options).model
    for comp, weights in zip(load("b.json").weights, ref.weights, strict=True):
        np.testing.assert_array_equal(comp, weights)
    assert load("b.json").training["beta_1"] == 0.8


def test_class_weight(run, tmp_path):
    (tmp_path / "d.csv").write_text(rows_of(300, lambda i: "yes" if i % 12 == 0 else "no", x=lambda i: i % 7))
    given = ["train", "d.csv", "--target", "y", *QUICK]
    models = {}
    for weights in (None, "balanced", f"no={0.5 / 275 * 300!r},yes={0.5 / 25 * 300!r}", "no=1,yes=1"):
        assert run(*given, *(["--class-weight", weights] if weights else []), "--model", "m.json")[0] == 0
        models[weights] = load("m.json")
    plain, balanced, by_hand, ones = models.values()
    rows = {"x": list(range(7))}
    assert plain.predict_proba(rows).mean() < 0.35
    assert 0.4 < balanced.predict_proba(rows).mean() < 0.6
    np.testing.assert_allclose(by_hand.weights, balanced.weights, rtol=1e-12)
    np.testing.assert_array_equal(ones.weights, plain.weights)
