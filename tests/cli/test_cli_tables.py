"""The command line on tables as people have them: from the file as it is, by one command each; and hostile tables."""

import csv
import io
import re

import made
import numpy as np
import pytest
from made import rows_of
from tables import scores, text_of

from tinynet_fast import load, train, train_neuron
from tinynet_fast.rows.tables import table_of

QUICK = ["--learning-rate", "0.05", "--epochs", "3", "--l2", "0.001"]  # nothing to search


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
