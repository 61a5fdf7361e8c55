"""`train`: from a table to a model; the same bits from every form of a table; the exact loop on the encoded rows."""

import gzip
import warnings

import numpy as np
import pytest

import tinynet_fast
from tinynet_fast import TrainingWarning, evaluate, load, train, train_mlp, train_neuron
from tinynet_fast.rows.tables import table_of
from tinynet_fast.scoring import predict_file
from tinynet_fast.tables.sample import NAMES, students

ROWS = [["" if cell == "" else cell for cell in row] for row in students()]
COLUMNS = {name: [row[j] or None for row in ROWS] for j, name in enumerate(NAMES)}
TYPED = COLUMNS | {
    name: [None if cell is None else float(cell) for cell in COLUMNS[name]] for name in ("study_hours", "sleep")
}
FAST = {"learning_rate": 0.05, "epochs": 3, "l2": 0.001, "average": True}  # nothing to search


def same(comp, ref):
    """Whether two models are the same, bit for bit."""
    np.testing.assert_array_equal(comp.weights, ref.weights)
    assert (comp.bias, comp.features, comp.columns.kinds, comp.labels.tolist()) == (
        ref.bias,
        ref.features,
        ref.columns.kinds,
        ref.labels.tolist(),
    )


@pytest.fixture(scope="module")
def result():
    return train(COLUMNS, "result", **FAST)


def test_the_sample(result):
    assert result.rows == 500
    assert result.held_out == 100
    assert result.refit
    assert result.report.rows == 100
    assert result.columns == {
        "study_hours": "numbers",
        "sleep": "numbers, 29 missing",
        "attendance": "numbers, 15 missing",
        "school": "3 levels, 7 missing",
        "tutoring": "1 for yes",
    }
    assert result.missing == {"sleep": 29, "attendance": 15, "school": 7}
    assert result.left_out == {}
    assert result.model.features[:3] == ["study_hours", "sleep", "sleep is missing"]
    assert "400 to train on, 100 held out to judge; then all 500 to train on" in str(result)


def test_defaults_learn():
    """Better than the labels' shares by far, and as good as scikit-learn's logistic regression on the same inputs."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    result = train(COLUMNS, "result")
    assert result.report.accuracy.value > 0.7
    assert result.report.log_loss.value < 0.75 * result.report.baseline.log_loss
    X = result.model.columns.encode(table_of(COLUMNS))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = np.array(COLUMNS["result"])
    theirs = linear_model.LogisticRegression().fit(X, y)
    loss = -np.mean(np.log(theirs.predict_proba(X)[np.arange(500), (y == "pass").astype(int)]))
    assert result.model.loss(COLUMNS, None) < 1.01 * loss


def test_inputs_are_those_that_pandas_makes(result):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(TYPED)
    sleep = frame["sleep"].fillna(frame["sleep"].median())
    attendance = frame["attendance"].str.rstrip("%").astype(float) / 100
    expected = pd.DataFrame(
        {
            "study_hours": frame["study_hours"],
            "sleep": sleep,
            "sleep is missing": frame["sleep"].isna(),
            "attendance": attendance.fillna(attendance.median()),
            "attendance is missing": attendance.isna(),
            **{f"school={level}": frame["school"] == level for level in ("East", "Harbour", "North")},
            "school is missing": frame["school"].isna(),
            "tutoring": frame["tutoring"] == "yes",
        }
    ).astype(float)
    assert result.model.features == list(expected.columns)
    np.testing.assert_allclose(result.model.columns.encode(table_of(COLUMNS)), expected.to_numpy(), rtol=1e-15)


@pytest.mark.parametrize("hidden", [None, (3,)])
def test_the_weights_are_those_of_the_exact_loop(hidden):
    """The trainer's own call on the encoded, standardised rows, with the options that the result names."""
    given = FAST if hidden is None else {"hidden": hidden, "epochs": 2, "learning_rate": 0.1, "l2": 0.0}
    result = train(COLUMNS, "result", seed=3, **given)
    X = result.model.columns.encode(table_of(COLUMNS))
    numbers = result.model.columns.numbers
    mean, scale = np.where(numbers, X.mean(axis=0), 0.0), np.where(numbers, X.std(axis=0), 1.0)
    trainer = train_neuron if hidden is None else train_mlp
    own = trainer((X - mean) / scale, COLUMNS["result"], **result.options).model.for_raw_inputs(mean, scale)
    for comp, ref in zip(
        result.model.weights if hidden else [result.model.weights],
        own.weights if hidden else [own.weights],
        strict=True,
    ):
        np.testing.assert_allclose(comp, ref, rtol=1e-9, atol=1e-12)


def test_strict_gives_the_same_weights(result):
    strict = train(COLUMNS, "result", engine="strict", **FAST)
    assert strict.training.engine == "strict"
    np.testing.assert_allclose(result.model.weights, strict.model.weights, rtol=0, atol=1e-12)


def texts(separator, gap="", decimal="."):
    """The sample as CSV."""
    lines = [separator.join(NAMES)]
    for row in ROWS:
        cells = [cell.replace(".", decimal) if j < 2 else cell for j, cell in enumerate(row)]
        lines.append(separator.join(gap if cell == "" else cell for cell in cells))
    return "\n".join(lines) + "\n"


CSV = {
    "comma.csv": texts(",").encode(),
    "bom.csv": b"\xef\xbb\xbf" + texts(",").encode(),
    "crlf.csv": texts(",").replace("\n", "\r\n").encode(),
    "semicolon.csv": texts(";", decimal=",").encode(),
    "tab.csv": texts("\t", "NA").encode(),
    "tab.tsv": texts("\t", "?").encode(),
    "bar.csv": texts("|", "NA").encode(),
    "packed.csv.gz": gzip.compress(texts(",").encode()),
}


@pytest.mark.parametrize("name", CSV)
def test_the_same_table_in_csv(name, result, tmp_path):
    path = tmp_path / name
    path.write_bytes(CSV[name])
    same(train(path, "result", **FAST).model, result.model)
    same(train([str(path)], "result", **FAST).model, result.model)


def test_the_same_table_without_pyarrow(result, tmp_path, monkeypatch):
    import sys

    path = tmp_path / "a.csv"
    path.write_bytes(CSV["comma.csv"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    same(train(path, "result", **FAST).model, result.model)


def frames():
    """The sample as frames of libraries, and as rows with names."""
    pa, pd, pl = (pytest.importorskip(name) for name in ("pyarrow", "pandas", "polars"))
    frame = pd.DataFrame(TYPED)
    return {
        "pandas": frame,
        "pandas of objects": frame.astype(object),
        "pandas, categories": frame.astype({"school": "category", "tutoring": "category", "result": "category"}),
        "pandas, own types": frame.convert_dtypes(),
        "pandas, booleans": frame.assign(tutoring=frame["tutoring"] == "yes", attendance=frame["attendance"]),
        "polars": pl.DataFrame(TYPED),
        "polars, enum": pl.DataFrame(TYPED).with_columns(pl.col("school").cast(pl.Enum(["East", "Harbour", "North"]))),
        "arrow": pa.table(TYPED),
        "arrow, dictionaries": pa.table(
            {k: pa.array(v).dictionary_encode() if k == "school" else v for k, v in TYPED.items()}
        ),
        "dicts": [dict(zip(NAMES, row, strict=True)) for row in zip(*TYPED.values(), strict=True)],
    }


def test_the_same_table_as_frames(result):
    for name, frame in frames().items():
        comp = train(frame, "result", **FAST).model
        if name == "pandas, booleans":  # the words for 1 and 0 are others
            np.testing.assert_array_equal(comp.weights, result.model.weights)
            continue
        same(comp, result.model)
        np.testing.assert_array_equal(comp.predict_proba(frame), result.model.predict_proba(COLUMNS), err_msg=name)
        assert comp.score(frame, "result") == result.model.score(COLUMNS, None)


def test_the_same_table_in_other_files(result, tmp_path):
    pa, pq, feather = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet", "pyarrow.feather"))
    table = pa.table(TYPED)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=77)
    feather.write_feather(table, tmp_path / "a.arrow")
    for name in ("a.parquet", "a.arrow"):
        same(train(tmp_path / name, "result", **FAST).model, result.model)


def test_a_file_gives_the_same_answers_elsewhere(result, tmp_path):
    result.model.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    same(again, result.model)
    assert again.target == result.model.target
    row = {"study_hours": 12, "sleep": None, "attendance": "91%", "school": "Unknown", "tutoring": "no", "more": 1}
    np.testing.assert_array_equal(again.predict_proba(row), result.model.predict_proba(row))
    assert evaluate(again, COLUMNS).to_json() == evaluate(result.model, COLUMNS).to_json()


def test_models_of_numbers_are_written_as_before(tmp_path):
    import json

    train_neuron([1, 2], [0, 1], epochs=1).model.save(tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text())["format_version"] == 1
    train(COLUMNS, "result", **FAST).model.save(tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["format_version"] == 2


def test_rows_without_names_are_refused_by_a_model_of_a_table(result):
    with pytest.raises(ValueError, match="reads the columns study_hours, sleep, attendance, school, tutoring"):
        result.model.predict([[1, 2, 3, 4, 5]])
    with pytest.raises(ValueError, match="X has no column 'sleep'; it has study_hours"):
        result.model.predict({"study_hours": [1.0], "attendance": ["3%"], "school": ["East"], "tutoring": ["no"]})


def test_rows_held_out_are_not_trained_on():
    """Without refitting, labels of the rows held out do not matter, and the report is that of the model."""
    from tinynet_fast.tables.split import held_rows

    y = np.array(COLUMNS["result"])
    held = held_rows((y == "pass").astype(int), 0.2, 0)
    ref = train(COLUMNS, "result", refit=False, **FAST)
    changed = COLUMNS | {"sleep": [None if h else s for s, h in zip(COLUMNS["sleep"], held, strict=True)]}
    comp = train(changed, "result", refit=False, **FAST)
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)
    rows = {name: [value for value, h in zip(values, held, strict=True) if h] for name, values in COLUMNS.items()}
    assert ref.report.log_loss.value == pytest.approx(ref.model.loss(rows, None), rel=1e-9)
    assert held.sum() == 100
    assert abs((y[held] == "pass").mean() - (y == "pass").mean()) < 0.01


def test_other_rows_to_judge(result):
    other = train(COLUMNS, "result", validation=COLUMNS, **FAST)
    assert not other.refit
    assert other.held_out == 0
    assert other.report.rows == 500
    assert "500 to train on; 500 other rows to judge" in str(other)
    np.testing.assert_array_equal(other.model.weights, result.model.weights)


def test_options_of_the_trainers():
    result = train(COLUMNS, "result", validation=0, **FAST)
    assert result.report is None
    assert {k: result.options[k] for k in FAST} == FAST
    patient = train(COLUMNS, "result", patience=2, learning_rate=0.05, epochs=30, l2=0.0, average=False)
    assert patient.training.best_epoch is not None
    assert not patient.refit
    for name in ("X", "sample_weight", "drop_missing"):
        with pytest.raises(ValueError, match=f"{name}= is not for train"):
            train(COLUMNS, "result", **{name: 1})
    with pytest.raises(ValueError, match="no option 'learnin_rate': did you mean 'learning_rate'"):
        train(COLUMNS, "result", learnin_rate=1)


def test_class_weights():
    few = [i for i, label in enumerate(COLUMNS["result"]) if label == "fail" or i % 6 == 0]
    rows = {name: [values[i] for i in few] for name, values in COLUMNS.items()}
    plain, balanced = (train(rows, "result", class_weight=w, **FAST).model for w in (None, "balanced"))
    share = np.mean([label == "pass" for label in rows["result"]])
    assert share < 0.2
    assert plain.predict_proba(rows).mean() < 0.25
    assert 0.4 < balanced.predict_proba(rows).mean() < 0.55
    by_hand = {"fail": 0.5 / (1 - share), "pass": 0.5 / share}
    same(train(rows, "result", class_weight=by_hand, **FAST).model, balanced)
    with pytest.raises(ValueError, match="no weight for pass"):
        train(rows, "result", class_weight={"fail": 1})
    with pytest.raises(ValueError, match="'balanced', or a dict"):
        train(rows, "result", class_weight="other")


def test_missing_values_that_are_dropped_or_refused():
    kept = [i for i, row in enumerate(ROWS) if "" not in row]
    rows = {name: [values[i] for i in kept] for name, values in COLUMNS.items()}
    dropped = train(COLUMNS, "result", missing="drop", **FAST)
    assert dropped.dropped == 500 - len(kept)
    np.testing.assert_array_equal(dropped.model.weights, train(rows, "result", **FAST).model.weights)
    with pytest.raises(ValueError, match=r"X\[0\], column 'sleep': the value is missing"):
        dropped.model.predict(rows | {"sleep": [None] * len(kept)})
    with pytest.raises(ValueError, match=r"table\[\d+\], column 'sleep': the value is missing"):
        train(COLUMNS, "result", missing="refuse", **FAST)


def test_a_level_only_in_the_rows_held_out():
    rows = {"a": list("xxxxxyyyyy") * 10, "y": list("pqpqpqpqpq") * 10}
    result = train(rows, "y", validation={"a": ["x", "new"], "y": ["p", "q"]}, **FAST)
    assert result.new == {"a": 1}
    assert "new levels" in str(result)


def test_levels_that_no_row_trained_on_had(result, tmp_path):
    rows = {name: values[:40] for name, values in COLUMNS.items()} | {"school": ["north"] * 39 + ["North"]}
    assert not any("other" in name for name in result.model.features)
    with warnings.catch_warnings(action="error"):
        result.model.predict(rows)
    with pytest.warns(TrainingWarning, match=r"X: levels that no row .*: column 'school' in 40 of 40 rows\. Are they"):
        result.model.predict(rows | {"school": ["north"] * 40})
    path = tmp_path / "new.csv"
    path.write_text(
        "\n".join([",".join(rows), *(",".join(c or "" for c in row) for row in zip(*rows.values(), strict=True))])
    )
    with pytest.warns(TrainingWarning, match=r"new\.csv: levels that no row .*: column 'school' in 39 of 40 rows"):
        predict_file(result.model, path, tmp_path / "out.csv")


def test_identifiers_are_left_out_with_a_warning():
    with pytest.warns(TrainingWarning, match="left out: name, because every row has a value of its own"):
        result = train(COLUMNS | {"name": [f"n{i}" for i in range(500)]}, "result", **FAST)
    assert "name" in result.left_out
    assert "name" not in result.model.columns.names
    for name in ("id", "PassengerId", "case_no", "Customer ID"):
        with pytest.warns(TrainingWarning, match=f"column '{name}' looks like a row number or an identifier"):
            train(COLUMNS | {name: list(range(500))}, "result", **FAST)
    with warnings.catch_warnings(action="error"):
        train(COLUMNS | {"paid": list(range(500)), "PassengerId": [1, *range(499)]}, "result", **FAST)


def test_three_labels_need_no_hidden_units():
    draw = np.random.RandomState(0)
    x = draw.normal(size=(300, 2))
    y = np.array(["a", "b", "c"])[np.argmax(np.column_stack([x[:, 0], x[:, 1], -x.sum(axis=1)]), axis=1)]
    result = train({"p": x[:, 0], "q": x[:, 1], "y": y}, "y", epochs=100)
    assert result.report.accuracy.value > 0.85
    assert result.model.predict_proba({"p": 3.0, "q": 0.0}).shape == (1, 3)
    assert result.model.predict({"p": 3.0, "q": 0.0}).tolist() == ["a"]


def test_arrays_of_numbers():
    draw = np.random.RandomState(0)
    X = draw.normal(5.0, 3.0, (200, 3))
    y = X[:, 0] > 5
    result = train(X, y)
    assert result.model.columns is None
    assert result.report.accuracy.value > 0.9
    assert result.model.score(X, y) > 0.9
    with pytest.raises(ValueError, match="without named columns: pass a frame"):
        train(X, "y")


def test_conditions_and_positive_labels():
    rows = {"hours": list(range(40)), "G3": list(range(40))}
    result = train(rows, "G3>=20", validation=0, **FAST)
    assert result.model.labels.tolist() == ["G3<20", "G3>=20"]
    assert result.model.score(rows, "G3") == result.model.score(rows, None) == result.model.score(rows, "G3>=20")
    assert train(COLUMNS, "result", positive="fail", **FAST).model.labels.tolist() == ["pass", "fail"]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"result": ["pass"] * 500}, {}, "every row has the label pass"),
        ({"result": ["pass", None] * 250}, {}, r"table\[1\], column 'result': the label is missing: fill it"),
        ({}, {"features": ["sleep", "result"]}, "features: 'result' is the target"),
        ({}, {"features": ["sleeep"]}, "table has no column 'sleeep'"),
        ({}, {"exclude": "sleep"}, r"exclude='sleep' is one text: give a list, \['sleep'\]"),
        ({}, {"exclude": list(NAMES[:-1])}, "no column beside the target 'result'"),
        ({"sleep": [1]}, {}, "columns of different lengths, 1 and 500 rows"),
        ({}, {"decimal": ";"}, "decimal=';': '.' or ',' is needed"),
        ({}, {"separator": ";"}, "separator=';' is for CSV files, and the table is a dict"),
        ({}, {"missing": "maybe"}, "missing='maybe': one of 'fill', 'drop', 'refuse'"),
        (
            {"result": list(np.linspace(0, 1, 500))},
            {"output": "labels"},
            "look like measurements.* learn a condition, such as 'result>=0.501'",
        ),
    ],
)
def test_tables_that_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        train(COLUMNS | change, "result", **(FAST | options))


def test_names_are_exported():
    assert tinynet_fast.train is train
    assert tinynet_fast.evaluate is evaluate
