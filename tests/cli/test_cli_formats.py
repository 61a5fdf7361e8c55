"""The command line on files of every format: the same rows give the same model."""

import gzip
import json
import re

import numpy as np
import pytest
from tables import read, scores

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
from pyarrow import csv, feather, parquet  # noqa: E402

from tinynet_fast import load  # noqa: E402
from tinynet_fast.rows import kept  # noqa: E402
from tinynet_fast.rows.stream import HoldOut  # noqa: E402

NAMES = ["a", "b", "c"]
FORMATS = ["csv", "csv.gz", "parquet", "arrow", "npy"]  # and svmlight, whose labels are numbers
TARGET = {"npy": "labels.npy"}


def rows(n=400):
    """Rows sorted by their label, which depends on two of three columns."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((n, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]
    y = (X[:, 0] + (X[:, 1] - 5.0) / 10.0 + 0.5 * rng.standard_normal(n) > 0).astype(int)
    order = np.argsort(y, kind="stable")
    return X[order], np.array(["fail", "pass"])[y[order]]


def save(folder, X, y, name="d"):
    """Write the rows to files of all formats. NaN becomes an empty cell or a missing value."""
    columns = {column: pa.array(X[:, j], mask=np.isnan(X[:, j])) for j, column in enumerate(NAMES)}
    table = pa.table(columns | {"y": y})
    csv.write_csv(table, folder / f"{name}.csv")
    (folder / f"{name}.csv.gz").write_bytes(gzip.compress((folder / f"{name}.csv").read_bytes()))
    parquet.write_table(table, folder / f"{name}.parquet", row_group_size=90)
    feather.write_feather(table, folder / f"{name}.arrow", chunksize=90)
    np.save(folder / f"{name}.npy", X)
    np.save(folder / "labels.npy", y)


@pytest.fixture
def files(tmp_path):
    X, y = rows()
    save(tmp_path, X, y)
    gaps = X.copy()
    gaps[np.random.default_rng(1).integers(0, len(X), 30), np.arange(30) % 3] = np.nan
    save(tmp_path, gaps, y, "gaps")
    half = len(X) // 3
    parquet.write_table(parquet.read_table(tmp_path / "d.parquet").slice(0, half), tmp_path / "part1.parquet")
    parquet.write_table(parquet.read_table(tmp_path / "d.parquet").slice(half), tmp_path / "part2.parquet")
    return X, y, int(np.isnan(gaps).any(axis=1).sum())


def trained(run, name, *options, target=None):
    """Train for a few epochs, unless the options say how many: enough for models of other rows to differ."""
    ending = name.partition(".")[2]
    given = ["--target", target or TARGET.get(ending, "y"), "--model", "m.json"]
    status, out, err = run("train", name, *given, *(() if "--epochs" in options else ("--epochs", "20")), *options)
    assert (status, err) == (0, "")
    return load("m.json"), out


def report_in(out):
    """The lines of the report about the rows held out."""
    lines = out.splitlines()
    starts = [i for i, line in enumerate(lines) if re.fullmatch(r"\d+ rows, 2 labels *", line)]
    ends = [i for i, line in enumerate(lines) if line.startswith("model: ")]
    return lines[starts[0] : ends[0]] if starts else []


def numbers(model):
    parts = [*model.weights, *model.biases] if hasattr(model, "biases") else [model.weights, model.bias]
    return np.concatenate([np.ravel(part) for part in parts])


@pytest.mark.parametrize(
    "options",
    [[], ["--hidden", "3", "--epochs", "30"], ["--no-standardize"], ["--no-shuffle"], ["--validation", "0"]],
)
def test_the_same_rows_give_the_same_model(run, files, options):
    ref, said = trained(run, "d.csv", *options)
    held = "--validation" not in options
    assert ("accuracy" in scores(said)) == held
    for name in ["d.csv.gz", "d.parquet", "d.arrow", "d.npy", "part[12].parquet", "gaps-free"]:
        if name == "gaps-free":  # nothing is missing, so that dropping changes nothing
            comp, out = trained(run, "d.parquet", "--drop-missing", *options)
            assert "left out for a missing value" not in out
        else:
            comp, out = trained(run, name, *options)
        np.testing.assert_array_equal(numbers(comp), numbers(ref))
        assert report_in(out) == report_in(said)
        assert comp.features == (None if name == "d.npy" else NAMES)


@pytest.mark.parametrize("options", [[], ["--hidden", "3", "--epochs", "30"]])
def test_rows_that_are_left_out(run, files, options):
    """Each format leaves out the same rows and holds out the same rows."""
    ref, _ = trained(run, "gaps.csv", "--drop-missing", *options)
    assert ref.training["dropped_rows"] == files[2]
    for ending in FORMATS[1:]:
        comp, out = trained(run, f"gaps.{ending}", "--drop-missing", *options)
        np.testing.assert_array_equal(numbers(comp), numbers(ref))
        assert comp.training["dropped_rows"] == files[2]
        assert f"{files[2]} more left out for a missing value" in out
    _, out = trained(run, "gaps.parquet", "--drop-missing", *options)
    assert scores(out)["accuracy"][0] > 0.75


@pytest.mark.parametrize("options", [[], ["--hidden", "3", "--epochs", "30", "--l2", "0.001"]])
def test_values_that_are_filled(run, files, options):
    """Each format that has names fills the same values: the same inputs, weights and report."""
    ref, said = trained(run, "gaps.csv", *options)
    assert ref.features == ["a", "a is missing", "b", "b is missing", "c", "c is missing"]
    assert re.search(r"^numbers +a \(10 missing\), b \(10 missing\), c \(10 missing\)", said, re.M)
    for ending in FORMATS[1:-1]:
        comp, out = trained(run, f"gaps.{ending}", *options)
        np.testing.assert_array_equal(numbers(comp), numbers(ref))
        assert report_in(out) == report_in(said)
        assert comp.columns.kinds == ref.columns.kinds
    status, _, err = run("train", "gaps.npy", "--target", "labels.npy")
    assert status == 2
    assert "gaps.npy, row 1" in err
    assert "--drop-missing leaves such rows out" in err


def test_other_columns_hold_out_the_same_rows(run, files, tmp_path):
    """Whatever columns are used, the report is about the same rows: here, of the same labels at the same places."""
    from tinynet_fast.tables.labelled import Labeller
    from tinynet_fast.tables.options import TableOptions
    from tinynet_fast.tables.rows import read
    from tinynet_fast.tables.split import held_rows

    def held(features):
        table, target = read(str(tmp_path / "gaps.csv"), "y")
        labelled = Labeller(TableOptions(features=features))(table, target)
        return held_rows(labelled.y, 0.2, 0)

    np.testing.assert_array_equal(held(["a"]), held(["b", "c"]))
    assert held(["a"]).sum() == 80
    for features in ("a", "b,c"):
        _, out = trained(run, "gaps.csv", "--features", features, "--no-refit", "--model", "m.json")
        model = load(tmp_path / "m.json")
        table = read(str(tmp_path / "gaps.csv"), "y")[0].take(held(["a"]))
        assert scores(out)["accuracy"][0] == pytest.approx(model.score(table, None), abs=1e-4)
        assert scores(out)["log loss"][0] == pytest.approx(model.loss(table, None), abs=1e-4)


def test_rows_that_do_not_fit_in_memory_are_streamed(run, files, monkeypatch):
    whole, _ = trained(run, "d.csv")
    by_stream, out = trained(run, "d.csv", "--stream")
    assert "rows trained on in each epoch" in out
    assert re.search(r"^3\d\d rows trained on in each epoch, read in the order of the file$", out, re.M)
    assert re.search(r"^\d\d rows, 2 labels$", out, re.M)
    assert scores(out).keys() == {"accuracy", "log loss", "Brier score", "AUC"}
    for budget in (400 * 3 * 8 - 1, 100):
        monkeypatch.setattr(kept, "MEMORY_BYTES", budget)
        for ending in FORMATS:
            comp, streamed = trained(run, f"d.{ending}")
            np.testing.assert_array_equal(numbers(comp), numbers(by_stream))
            assert report_in(streamed) == report_in(out)
    monkeypatch.setattr(kept, "MEMORY_BYTES", 400 * 4 * 8)  # three inputs and the labels
    for ending in FORMATS:
        np.testing.assert_array_equal(numbers(trained(run, f"d.{ending}")[0]), numbers(whole))


def test_streamed_scores_are_those_of_the_model(run, files):
    """Rows that are held out of a stream are drawn by a hash of their number and the seed."""
    X, y, _ = files
    model, out = trained(run, "d.parquet", "--stream", "--validation", "0")
    assert re.search(r"^400 rows trained on in each epoch", out, re.M)
    assert scores(out) == {}
    for hidden in ([], ["--hidden", "3", "--learning-rate", "0.05"]):
        model, out = trained(run, "d.parquet", "--stream", "--seed", "3", *hidden)
        held = HoldOut(0.2, 3).held(0, 400)
        assert f"{held.sum()} rows, 2 labels" in out
        assert f"{400 - held.sum()} rows trained on" in out
        assert scores(out)["log loss"][0] == pytest.approx(model.loss(X[held], y[held]), abs=1e-4)
        assert scores(out)["accuracy"][0] == pytest.approx(model.score(X[held], y[held]), abs=1e-4)


def test_long_sorted_files_warn(run, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    X, y = rows(50_000)
    save(tmp_path, X, y)
    status, _, err = run("train", "d.parquet", "--target", "y", "--epochs", "1")
    assert status == 0
    assert re.match(r"tinynet-fast: warning: 2\d,\d+ of \d+,\d+ rows follow each other with the label '\w+'", err)
    assert "Shuffle the rows in the file once" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("ending", FORMATS)
def test_every_command_reads_every_format(run, files, ending, tmp_path):
    target = ["--target", TARGET.get(ending, "y")]
    data = f"d.{ending}"
    trained(run, "d.csv")
    outputs = {}
    for name, arguments in {
        "lab": ["lab", data, *target, "--epochs", "3"],
        "folds": ["lab", data, *target, "--epochs", "3", "--folds", "3"],
        "threshold": ["threshold", "m.json", data, *target],
        "predict": ["predict", "m.json", data],
        "trace": ["trace", "m.json", data, *target, "--row", "3"],
    }.items():
        status, outputs[name], err = run(*arguments)
        assert (status, err) == (0, ""), name
        if ending != "csv":
            other = [part if part != data else "d.csv" for part in arguments]
            other = ["y" if part == "labels.npy" else part for part in other]
            assert outputs[name] == run(*other)[1]
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    for kind in ("calibration", "thresholds"):
        status, _, err = run("plot", kind, "m.json", data, *target, "--output", f"{kind}.png")
        assert (status, err) == (0, "")
        assert (tmp_path / f"{kind}.png").stat().st_size > 10_000


def test_validate_reads_every_format(run, files, monkeypatch):
    """The rows are those that `train` would train on: standardised, and missing values filled."""
    from tinynet_fast.proof import validate

    seen = []

    def judged(X, y, **_):
        seen.append((X, y))
        return validate.Validation(verdicts=[], facts={})

    monkeypatch.setattr(validate, "validate", judged)
    for ending in FORMATS:
        status, _, err = run("validate", "--data", f"d.{ending}", "--target", TARGET.get(ending, "y"))
        assert (status, err) == (0, "")
    for X, y in seen:
        np.testing.assert_allclose(X, (files[0] - files[0].mean(axis=0)) / files[0].std(axis=0), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(X, seen[0][0])
        assert y.tolist() == files[1].tolist()
    seen.clear()
    for name in ("gaps.csv", "gaps.parquet"):
        assert run("validate", "--data", name, "--target", "y")[0] == 0
    gaps = np.load("gaps.npy")
    filled = np.where(np.isnan(gaps), np.nanmedian(gaps, axis=0), gaps)
    for X, _ in seen:
        assert X.shape == (400, 6)
        expected = (filled - filled.mean(axis=0)) / filled.std(axis=0)
        np.testing.assert_allclose(X[:, ::2], expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(X[:, 1::2], np.isnan(gaps))


def test_lab_judges_by_rows_held_out(run, tmp_path):
    """Rows are sorted by label. A large rate has the least training loss, because it repeats the last label."""
    X, y = rows()
    save(tmp_path, X, y)
    status, out, _ = run("lab", "d.csv", "--target", "y", "--learning-rate", "0.01,0.1,3", "--epochs", "20")
    assert status == 0
    assert "(by log loss of 80 rows held out)" in out
    losses = {}
    for rate in ("0.01", "0.1", "3"):
        options = ["--learning-rate", rate, "--epochs", "20", "--l2", "0", "--no-average"]
        losses[rate] = scores(run("train", "d.csv", "--target", "y", *options)[1])["log loss"][0]
        shown = next(line for line in out.splitlines() if re.match(rf". {rate} ", line))
        if rate != "3":  # whose steps overshoot
            assert f"{losses[rate]:.3f}"[:-1] in shown
    best = min(losses, key=losses.get)
    assert f"best: learning rate {best} " in out
    unshuffled = run("lab", "d.csv", "--target", "y", "--no-shuffle", "--learning-rate", "0.01,0.1,3", "--epochs", "20")
    assert "best: learning rate 0.01 (by log loss of 80 rows held out)" in unshuffled[1]
    status, _, err = run("lab", "d.csv", "--target", "y", "--folds", "3", "--validation", "0.2")
    assert (status, "two ways to judge" in err) == (2, True)


def test_predict_leaves_rows_out(run, files, tmp_path):
    model, _ = trained(run, "gaps.csv", "--drop-missing")
    status, _, err = run("predict", "m.json", "gaps.parquet")
    assert status == 2
    assert "row 35, column 'a': the value is missing: fill it, or leave the row out (--drop-missing)" in err
    for ending in FORMATS:
        assert run("predict", "m.json", f"gaps.{ending}", "--drop-missing", "--output", "out.csv")[0] == 0
        table = read(tmp_path / "out.csv")
        numbers_there = [int(row["row"]) - 1 for row in table]
        assert len(table) == 400 - files[2]
        X = np.load("gaps.npy")
        assert np.flatnonzero(~np.isnan(X).any(axis=1)).tolist() == numbers_there
        np.testing.assert_allclose([float(row["P(pass)"]) for row in table], model.predict_proba(X[numbers_there]))


def test_names_with_commas(run, tmp_path):
    X, y = rows(60)
    table = pa.table({"age, years": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y})
    csv.write_csv(table, "d.csv")
    for text in ('"age, years",b', '"age, years", b'):
        model, _ = trained(run, "d.csv", "--features", text)
        assert model.features == ["age, years", "b"]
    labels = np.where(y == "pass", "well, yes", "no")
    csv.write_csv(table.set_column(3, "y", pa.array(labels)), "d.csv")
    model, out = trained(run, "d.csv", "--labels", '"well, yes",no')
    assert model.labels.tolist() == ["well, yes", "no"]
    assert "learned  P(no), the probability of no; the other label is well, yes" in out
    header = run("predict", "m.json", "d.csv")[1].splitlines()[0]
    assert header == "row,P(no),prediction"
    trained(run, "d.csv")
    header = run("predict", "m.json", "d.csv")[1].splitlines()[0]
    assert header == 'row,"P(well, yes)",prediction'


def test_quiet_is_quiet(run, files, tmp_path):
    for options in ([], ["--stream"], ["--hidden", "2", "--epochs", "3", "--plot", "p.svg"]):
        assert run("train", "d.parquet", "--target", "y", "--model", "m.json", "--quiet", *options) == (0, "", "")
    assert json.loads((tmp_path / "m.json").read_text())["labels"] == ["fail", "pass"]


def test_a_mistake_at_the_end_of_a_small_file_prints_nothing(refused, run, files, tmp_path, monkeypatch):
    from tinynet_fast.cli.streams import Late
    from tinynet_fast.rows.formats import records

    trained(run, "d.csv")
    monkeypatch.setattr(records.CsvBytes.pieces, "__defaults__", (500,))
    with open(tmp_path / "d.csv", "a", encoding="utf-8") as file:
        file.write("1,2,x,pass\n")
    assert "d.csv, line 402, column 'c': 'x' is not a number" in refused("predict", "m.json", "d.csv")
    monkeypatch.setattr(Late, "HELD_CHARACTERS", 100)  # as for a file that is too large to wait for
    status, out, _ = run("predict", "m.json", "d.csv")
    assert (status, out.startswith("row,P(pass),prediction\n1,")) == (2, True)


def test_svmlight(run, tmp_path):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    X, y = rows()
    X = X.round(4)  # svmlight files have 16 digits
    save(tmp_path, X, (y == "pass").astype(float))
    datasets.dump_svmlight_file(X, y == "pass", str(tmp_path / "d.svm"))
    ref, said = trained(run, "d.npy")
    comp, out = trained(run, "d.svm", target="label")
    np.testing.assert_array_equal(numbers(comp), numbers(ref))
    assert report_in(out) == report_in(said)
    assert len(report_in(out)) > 6
    for command in (
        ["lab", "{}", "--target", "labels.npy", "--epochs", "3"],
        ["threshold", "m.json", "{}", "--target", "labels.npy"],
        ["trace", "m.json", "{}", "--target", "labels.npy"],
    ):
        status, out, err = run(*[part.format("d.svm") for part in command])
        assert (status, err) == (0, "")
        assert out == run(*[part.format("d.npy") for part in command])[1]
    probabilities = [
        [float(line.split(",")[1]) for line in run("predict", "m.json", name)[1].splitlines()[1:]]
        for name in ("d.svm", "d.npy")
    ]
    np.testing.assert_allclose(*probabilities, rtol=1e-12)
