"""Mistakes on the command line: status 2, one line that names the mistake, and no file written or changed."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tables import write

from tinynet_fast.rows.datasets import make_pass_fail

CELLS = ["a,b,y", "1,2,0", "2,1,1", "3,5,1", "4,4,0"]


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (2, "2,oops,1", "data.csv, line 3, column 'b': 'oops' is not a number"),
        (3, "3,,1", "data.csv, line 4, column 'b': the value is missing"),
        (3, "3,nan,1", "data.csv, line 4, column 'b': the value is missing"),
        (4, "4,inf,0", "data.csv, line 5, column 'b': inf is not finite"),
        (4, "4,4", "data.csv, line 5: 2 values where the first line names 3"),
        (4, "4,4,", "data.csv, line 5, column 'y': the value is missing"),
        (4, "4,4,2", "data.csv, line 5, column 'y': 2 is a third label, beside 0 and 1: keep the rows of two"),
        (0, "a,b,z", "data.csv: no column 'y'; it has a, b, z"),
        (0, "a,a,y", "data.csv, line 1: column name 'a' stands more than once"),
    ],
)
def test_bad_cells(refused, tmp_path, line, text, message):
    lines = list(CELLS)
    lines[line] = text
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    assert message in refused("train", "data.csv", "--target", "y")


def test_bad_commands(refused, tmp_path):
    (tmp_path / "data.csv").write_text("\n".join(CELLS) + "\n")
    (tmp_path / "one.csv").write_text("a,y\n1,1\n2,1\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "folder").mkdir()
    target = ["--target", "y"]
    for arguments, message in [
        (["train", "none.csv", *target], "none.csv: No such file or directory"),
        (["train", "folder", *target], "folder: no file is in this folder"),
        (["train", "empty.csv", *target], "empty.csv: the file is empty"),
        (
            ["train", "one.csv", *target],
            "one.csv, column 'y': every row has the label 1; rows of two labels are needed",
        ),
        (["train", "data.csv", *target, "--features", "a,c"], "no column 'c'"),
        (
            ["train", "data.csv", *target, "--features", "a,y"],
            "--features a,y: name at least one feature beside the target 'y'",
        ),
        (["train", "data.csv", *target, "--features", "a,a"], "--features a,a: 'a' is named twice"),
        (["train", "data.csv", *target, "--features", "a,,b"], "--features a,,b: a name is empty"),
        (["train", "data.csv", *target, "--features", 'a,"b'], "put a name that has a comma in double quotes"),
        (["train", "data.csv", *target, "--hidden", "eight"], "--hidden eight: numbers with commas"),
        (["train", "data.csv", *target, "--batch-size", "2"], "--batch-size is for networks"),
        (["train", "data.csv", *target, "--epochs", "0"], "epochs is 0"),
        (["train", "data.csv", *target, "--validation", "1.5"], "validation=1.5 is no share of the rows"),
        (["train", "data.csv", *target, "--model", "none/m.json"], "there is no folder none"),
        (["train", "data.csv", *target, "--model", "."], "this is a folder"),
        (["train", "data.csv", *target, "--engine", "warp"], "no engine 'warp'"),
        (
            ["train", "data.csv", *target, "--learning-rate", "1e308"],
            "training diverged in epoch 8 at learning_rate=1e+308: learning_rate=2.5 is safe",
        ),
        (["predict", "none.json", "data.csv"], "none.json: No such file or directory"),
        (["predict", "data.csv", "data.csv"], "data.csv, line 1, column 1: not a model file"),
    ]:
        assert message in refused(*arguments)


def test_the_data_is_not_written_over(refused, students):
    for arguments in (
        ["train", students, "--target", "result", "--model", students],
        ["train", students, "--target", "result", "--features", "study_hours,study_hours"],
        ["train", students, "--target", "result", "--validation", "inf"],
        ["train", students, "--target", "result", "--validation", "nan"],
        ["train", students, "--target", "result", "--hidden", "100000000000"],
    ):
        refused(*arguments)


def test_columns_that_cannot_be_standardised(refused, tmp_path):
    (tmp_path / "d.csv").write_text("h,y\n1e160,a\n-1e160,b\n")
    assert "column 'h' is too large to standardise" in refused("train", "d.csv", "--target", "y")


def test_bad_models_and_rows(refused, run, students, tmp_path):
    run("train", students, "--target", "result", "--model", "m.json")
    text = (tmp_path / "m.json").read_text()
    (tmp_path / "half.json").write_text(text[: len(text) // 2])
    (tmp_path / "newer.json").write_text(text.replace('"format_version": 1', '"format_version": 9'))
    (tmp_path / "other.csv").write_text("hours,result\n1,pass\n")
    (tmp_path / "unknown.csv").write_text("study_hours,result\n1,pass\n2,maybe\n")
    for arguments, message in [
        (["predict", "half.json", students], "half.json, line"),
        (["predict", "newer.json", students], "newer.json: written by tinynet_fast 0.1.0 in format 9; this is"),
        (["predict", "m.json", "other.csv"], "other.csv: no column 'study_hours'; it has hours, result"),
        (["predict", "m.json", "none.csv"], "none.csv: No such file or directory"),
        (["predict", "m.json", "hours=2"], "the model has no input 'hours'; it has study_hours"),
        (["predict", "m.json", "study_hours=two"], "'two' is not a number"),
        (["predict", "m.json", "study_hours=nan"], "a finite number is needed"),
        (["predict", "m.json", "study_hours=1", "study_hours=2"], "given twice"),
        (["predict", "m.json", students, "study_hours=1"], "study_hours=1: unknown suffix"),
        (["predict", "m.json", "none-*.csv"], "none-*.csv: no file matches this pattern"),
        (["predict", "m.json", students, "--threshold", "2"], "threshold is 2.0; a probability"),
        (["predict", "m.json", students, "--output", "none/out.csv"], "none/out.csv: No such file or directory"),
        (
            ["threshold", "m.json", "unknown.csv", "--target", "result"],
            "unknown.csv, line 3, column 'result': unknown label 'maybe'",
        ),
        (["threshold", "m.json", students, "--target", "result", "--compare", "half"], "--compare half: numbers"),
    ]:
        assert message in refused(*arguments)


def test_usage_errors_and_help(run, refused):
    for arguments, message in [
        (["train"], "Missing"),
        (["train", "d.csv", "--target", "y", "--epochs", "many"], "'--epochs'"),
        (["train", "d.csv", "--target", "y", "--speed", "9"], "--speed"),
        (["train", "d.csv", "--target", "y", "--seed", "-1"], "--seed"),
        (["fly"], "fly"),
    ]:
        assert message in refused(*arguments)
    assert run("--help")[0] == 0
    assert "Commands" in run()[1]
    assert "0.1.0" in run("--version")[1]


def test_ctrl_c_is_status_130(tmp_path):
    rows = make_pass_fail(5000, 2, seed=1)
    path = write(tmp_path / "d.csv", ["a", "b", "y"], np.column_stack([rows.X, rows.y]).tolist())
    command = [sys.executable, "-m", "tinynet_fast", "train", path, "--target", "y", "--epochs", "10000000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    time.sleep(4)  # it is training by then
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert err == "tinynet-fast: interrupted; nothing was written\n"
    assert not (tmp_path / "d.model.json").exists()


def test_ordinary_mistakes(refused, run, students, tmp_path):
    """Each message is one line that names the file or the option as the user typed it, and the remedy."""
    run("train", students, "--target", "result", "--model", "m.json")
    (tmp_path / "gaps.csv").write_text("study_hours,result\n1,pass\n,fail\n3,pass\n0,fail\n")
    train = ["train", students, "--target", "result"]
    for arguments, message in [
        ([*train, "--epochs", "0"], "--epochs is 0; a whole number of at least 1 is needed"),
        ([*train, "--learning-rate", "0"], "--learning-rate is 0.0; a finite number above 0 is needed"),
        ([*train, "--hidden", "0"], "--hidden 0: a hidden layer has at least one unit"),
        ([*train, "--hidden", "2", "--batch-size", "0"], "--batch-size is 0; a whole number"),
        ([*train, "--hidden", "2", "--activation", "step"], "there is no activation 'step': use one of sigmoid, tanh"),
        (
            [*train, "--hidden", "2", "--optimizer", "adam", "--momentum", "0.9"],
            "--momentum is for --optimizer sgd: leave one of them out",
        ),
        ([*train, "--learning-rate", "auto", "--hidden", "2"], "--learning-rate auto is for one neuron: give a number"),
        (
            [*train, "--patience", "3", "--validation", "0"],
            "--patience watches rows that are held out: give --validation a share of the rows",
        ),
        (
            [*train, "--labels", "pass,no"],
            "line 3, column 'result': the label 'fail' is not among --labels pass, no",
        ),
        ([*train, "--labels", "pass,fail,no"], "--labels names 3; two are needed"),
        ([*train, "--labels", "pass,pass"], "--labels pass,pass: 'pass' is named twice"),
        (["train", "gaps.csv", "--target", "result"], "(--drop-missing leaves such rows out)"),
        (["lab", students, "--target", "result", "--folds", "1"], "--folds is 1; a whole number of at least 2"),
        (["predict", "m.json", "5"], "5: neither a file nor name=value, which is how one row is given"),
        (["predict", "m.json", "gaps.csv"], "gaps.csv, line 3, column 'study_hours': the value is missing: fill it or"),
        (["predict", "m.json", students, "--output", "o.xlsx"], "o.xlsx: predictions are written as .csv or .parquet"),
        (["plot", "losses", "m.json", students], "Invalid value for 'kind': 'losses' is not one of 'boundary'"),
    ]:
        said = refused(*arguments)
        assert message in said
        assert "Value error" not in said
        assert "=True" not in said


def test_messages_of_the_library_name_options_as_on_the_command_line(refused, run, students, tmp_path):
    train = ["train", students, "--target", "result", "--epochs", "2", "--model", "m.json"]
    said = refused(*train, "--stream", "--labels", "pass,no")
    assert "line 3, column 'result': the label 'fail'" in said or "line 3: the label 'fail'" in said
    assert "name all labels with --labels" in said
    assert run(*train, "--checkpoint", "c.json")[0] == 0
    said = refused(*train, "--checkpoint", "c.json", "--l2", "0.5")
    assert said.endswith("name another checkpoint, or start over with --no-resume\n")
    np.save(tmp_path / "hours.npy", np.arange(20.0))
    np.save(tmp_path / "y.npy", np.arange(20) // 10)
    assert run("train", "hours.npy", "--target", "y.npy", "--model", "m.json")[0] == 0
    said = refused("predict", "m.json", write(tmp_path / "two.csv", ["a", "b"], [(1, 2)]))
    assert "2 columns where the model has 1 inputs: give a file with the model's inputs and nothing else" in said


def test_mistakes_about_options_and_the_target(refused, run, tmp_path):
    (tmp_path / "d.csv").write_text("hours,y\n1,fail\n2,fail\n3,pass\n4,pass\n")
    run("train", "d.csv", "--target", "y", "--epochs", "2", "--model", "m.json")
    target = ["--target", "y"]
    for arguments, message in [
        (["lab", "d.csv", *target, "--learning-rate", "-1"], ": --learning-rate[0] is -1.0; a finite number above 0"),
        (["threshold", "m.json", "d.csv", "--target", "hours"], "the target 'hours' is an input of the model: name"),
        (["trace", "m.json", "d.csv", "--target", "hours"], "the target 'hours' is an input of the model: name the"),
        (
            ["train", "d.csv", *target, "--patience", "2", "--validation", "0", "--stream"],
            "--patience watches the validation loss: give --validation a share of the rows to hold out",
        ),
        (["train", "d.csv", *target, "--labels", "0,1"], "d.csv, line 2, column 'y': the label 'fail' is not among"),
        (["train", "d.csv", *target, "--labels", "fail,1"], "d.csv, line 4, column 'y': the label 'pass' is not among"),
    ]:
        said = refused(*arguments)
        assert message in said
        assert "features" not in said
