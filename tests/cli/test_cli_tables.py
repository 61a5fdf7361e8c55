"""The command line on tables as people have them: from the file as it is, by one command each; and hostile tables."""

import csv
import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from tables import scores

from tinynet_fast import evaluate, load, train, train_neuron
from tinynet_fast.rows.tables import table_of

_spec = importlib.util.spec_from_file_location("made", Path(__file__).parents[1] / "tables" / "made.py")
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)

QUICK = ["--learning-rate", "0.05", "--epochs", "3", "--l2", "0.001"]  # nothing to search


def text_of(out):
    """What was printed, with its lines joined."""
    return " ".join(out.split())


TABLES = {  # its bytes, options, target, labels, what the summary says, the warning
    "student.csv": (
        made.student_form().encode(),
        [],
        "G3>=10",
        ["G3<10", "G3>=10"],
        ["levels school (2 levels), sex (2 levels),", "Mjob (5 levels)", "316 to train on, 79 held out to judge"],
        "",
    ),
    "kunden.csv": (
        made.german_export(),
        ["--encoding", "latin-1"],
        "gekauft",
        ["ja", "nein"],
        ["numbers Einkommen, Fläche, Anteil levels Ort (3 levels)", "160 to train on, 40 held out to judge"],
        "",
    ),
    "dose.csv": (
        made.r_export().encode(),
        [],
        "sick",
        ["no", "yes"],
        ["dose (17 missing)", "12 missing", "levels group (3 levels)", "160 to train on, 40 held out to judge"],
        "",
    ),
    "titanic.csv": (
        made.titanic().encode(),
        ["--exclude", "PassengerId,Name"],
        "Survived",
        [0, 1],
        [
            "Age (101 missing)",
            "Sex (2 levels)",
            "Cabin (120 rare levels together, 472 missing)",
            "Embarked (3 levels, 4 missing)",
            "left out Ticket (its 593 levels have less than 3 rows each)",
        ],
        "",
    ),
    "city.csv": (
        made.many_levels().encode(),
        [],
        "answer",
        ["no", "yes"],
        ["numbers amount levels city (200 levels)", "2,400 to train on, 600 held out to judge"],
        "",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_trained_evaluated_and_predicted_by_one_command_each(run, tmp_path, name):
    data, options, target, labels, said, warning = TABLES[name]
    (tmp_path / name).write_bytes(data)
    encoding = options if "--encoding" in options else []
    status, out, err = run("train", name, "--target", target, "--model", "m.json", *options)
    assert (status, err) == (0, warning)
    for part in said:
        assert part in text_of(out)
    found = scores(out)
    assert found["accuracy"][0] > found["accuracy"][1] + 0.1
    assert found["log loss"][0] < found["log loss"][1]
    model = load("m.json")
    assert model.labels.tolist() == labels

    rows = list(csv.reader(io.StringIO(data.decode("latin-1")), delimiter=";" if b";" in data else ","))
    n = len(rows) - 1
    status, out, err = run("evaluate", "m.json", name, *encoding)
    assert (status, err) == (0, "")
    assert f"{n:,} rows, 2 labels" in out
    whole = scores(out)
    assert whole["accuracy"][0] > whole["accuracy"][1] + 0.1

    status, out, err = run("predict", "m.json", name, *encoding)
    assert (status, err) == (0, "")
    predicted = list(csv.DictReader(io.StringIO(out)))
    assert [int(row["row"]) for row in predicted] == list(range(1, n + 1))
    column = rows[0].index(target.split(">")[0])
    truth = [row[column] for row in rows[1:]]
    if ">=" in target:
        truth = ["G3>=10" if int(value) >= 10 else "G3<10" for value in truth]
    right = np.mean([row["prediction"] == label for row, label in zip(predicted, truth, strict=True)])
    assert right == pytest.approx(whole["accuracy"][0], abs=1e-4)
    p = np.array([float(row[f"P({labels[1]})"]) for row in predicted])
    y = np.array(truth) == str(labels[1])
    assert -np.mean(np.log(np.where(y, p, 1 - p))) == pytest.approx(whole["log loss"][0], abs=1e-4)


def test_the_model_is_that_of_train_in_python(run, tmp_path):
    """The command is a thin face: the same model, and its weights are those of `train_neuron` on the encoded rows."""
    (tmp_path / "city.csv").write_text(made.many_levels())
    options = ["--learning-rate", "0.05", "--epochs", "3", "--l2", "0.001", "--no-average", "--no-shuffle"]
    assert run("train", "city.csv", "--target", "answer", "--model", "m.json", *options)[0] == 0
    comp = load("m.json")
    ref = train("city.csv", "answer", learning_rate=0.05, epochs=3, l2=0.001, average=False, shuffle=False).model
    np.testing.assert_array_equal(comp.weights, ref.weights)
    assert (comp.bias, comp.columns, comp.target) == (ref.bias, ref.columns, ref.target)
    names, *rows = csv.reader(io.StringIO(made.many_levels()))
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    table = table_of({name: list(column) for name, column in columns.items()})
    X = comp.columns.encode(table)
    mean, scale = (
        np.where(comp.columns.numbers, X.mean(axis=0), 0.0),
        np.where(comp.columns.numbers, X.std(axis=0), 1.0),
    )
    own = train_neuron((X - mean) / scale, columns["answer"], learning_rate=0.05, epochs=3, l2=0.001).model
    np.testing.assert_allclose(comp.weights, own.for_raw_inputs(mean, scale).weights, rtol=1e-9, atol=1e-12)


def rows_of(n, label=lambda i: "yes" if i % 9 > 3 else "no", **columns):
    """A table as CSV: a column for each function of the row's number, and y."""
    lines = [",".join([*columns, "y"])]
    lines += [",".join([*(str(column(i)) for column in columns.values()), label(i)]) for i in range(n)]
    return "\n".join(lines) + "\n"


HOSTILE = {
    "every text once": (
        rows_of(60, a=lambda i: f"w{i}", b=lambda i: f"v{i}"),
        "d.csv: no column can be learned from ('a': every row has a value of its own, as an identifier has; 'b': every "
        "row has a value of its own, as an identifier has): add one that says something",
    ),
    "one row": ("a,y\n1,yes\n", "d.csv, column 'y': every row has the label yes; rows of two labels are needed"),
    "no rows": ("a,y\n", "d.csv: no rows below the column names"),
    "nothing": ("", "d.csv: the file is empty"),
    "a label is missing": (
        rows_of(70, lambda i: "" if i == 33 else "yes" if i % 9 > 3 else "no", x=lambda i: i % 9),
        "d.csv, line 35, column 'y': the label is missing: fill it, or leave such rows out (--missing drop)",
    ),
    "dates": (
        rows_of(70, d=lambda i: f"2020-01-{i % 28 + 1:02d}", x=lambda i: i % 9),
        "d.csv, column 'd' holds dates: make numbers of them first (such as days since a day, the month or the "
        "weekday), or leave the column out (--exclude)",
    ),
    "some mistakes": (
        rows_of(200, h=lambda i: "abc" if i < 5 else i % 50),
        "d.csv, line 2, column 'h': 'abc' is not a number",
    ),
    "constant columns": (
        rows_of(40, a=lambda i: 1, b=lambda i: "x"),
        "no column can be learned from ('a': all rows have the same value; 'b': all rows have the same value)",
    ),
    "no column but the target": (
        "y\nyes\nno\n",
        "d.csv has no column beside the target 'y': one is needed",
    ),
    "infinite": (rows_of(40, x=lambda i: "inf" if i == 7 else i % 9), "d.csv, line 9, column 'x' is infinite"),
    "points and commas": (
        "a;b;y\n" + "".join(f"1,{i};2.{i};{'yes' if i % 9 > 3 else 'no'}\n" for i in range(10, 60)),
        "d.csv: column 'a' has numbers with a decimal comma, column 'b' with a decimal point: "
        "write them alike, name one with --decimal",
    ),
    "ragged": ("a;b;y\n1;2;no\n1;2\n", "d.csv, line 3: 2 values where the first line names 3"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tables(refused, tmp_path, name):
    text, message = HOSTILE[name]
    (tmp_path / "d.csv").write_text(text)
    said = refused("train", "d.csv", "--target", "y")
    assert message in said
    assert said.count("d.csv") == 1


def test_five_thousand_levels(refused, run, tmp_path):
    (tmp_path / "d.csv").write_text(rows_of(15_000, city=lambda i: f"city {i % 5000}", x=lambda i: i % 9))
    said = refused("train", "d.csv", "--target", "y")
    assert re.search(r"d\.csv, column 'city' has [45],\d\d\d levels, more than 256: leave it out ", said)
    assert "(--exclude 'city'), or let it share inputs (--hash city=64)" in said
    status, out, err = run("train", "d.csv", "--target", "y", "--hash", "city=64", "--model", "m.json", *QUICK)
    assert (status, err) == (0, "")
    assert "city (5,000 levels in 64 buckets)" in text_of(out)
    assert len(load("m.json").features) == 65
    status, out, err = run("train", "d.csv", "--target", "y", "--exclude", "city", "--model", "m.json", *QUICK)
    assert (status, err) == (0, "")
    assert load("m.json").features == ["x"]


def test_texts_alone_and_columns_that_are_the_same(run, tmp_path):
    (tmp_path / "texts.csv").write_text(rows_of(90, a=lambda i: "pqr"[i % 3], b=lambda i: f"l{i % 9}"))
    status, out, err = run("train", "texts.csv", "--target", "y", "--model", "m.json")
    assert (status, err) == (0, "")
    assert "levels a (3 levels), b (9 levels)" in text_of(out)
    assert scores(out)["accuracy"][0] == 1.0
    (tmp_path / "same.csv").write_text(rows_of(90, a=lambda i: i % 9, b=lambda i: i % 9))
    status, out, err = run("train", "same.csv", "--target", "y", "--model", "m.json")
    assert (status, err) == (0, "")
    model = load("m.json")
    assert model.features == ["a", "b"]
    assert model.weights[0] == pytest.approx(model.weights[1], rel=1e-9)
    assert scores(out)["accuracy"][0] == 1.0


def test_a_level_only_in_rows_held_out_or_to_predict(run, tmp_path):
    lines = rows_of(100, a=lambda i: "xy"[i % 2], x=lambda i: i % 9).splitlines()
    from tinynet_fast.tables.split import held_rows

    held = np.flatnonzero(held_rows(np.array([int(i % 9 > 3) for i in range(100)]), 0.2, 0))
    lines[1 + held[0]] = f"new,{held[0] % 9},{'yes' if held[0] % 9 > 3 else 'no'}"
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    status, out, err = run("train", "d.csv", "--target", "y", "--no-refit", "--model", "m.json")
    assert (status, err) == (0, "")
    assert "new levels a in 1 rows held out" in text_of(out)
    assert load("m.json").features == ["a=x", "a=y", "x"]
    (tmp_path / "new.csv").write_text("x,a,more\n0,other,1\n8,x,2\n")
    status, out, err = run("predict", "m.json", "new.csv")
    assert status == 0
    assert "new.csv: levels that no row trained on had" in err
    assert "column 'a' in 1 of 2 rows" in err
    assert [line.rpartition(",")[2] for line in out.splitlines()[1:]] == ["no", "yes"]


def test_the_target_among_the_features(refused, run, tmp_path):
    (tmp_path / "d.csv").write_text(rows_of(50, x=lambda i: i % 9))
    assert refused("train", "d.csv", "--target", "y", "--features", "x,y") == (
        "tinynet-fast: --features: 'y' is the target: leave it out\n"
    )
    said = refused("train", "d.csv", "--target", "x>=4", "--features", "x,y")
    assert said == "tinynet-fast: --features: 'x' is the target: leave it out\n"


# --- the sample, evaluate, predict ------------------------------------------------------------------------------------


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
