"""Mistakes on the command line: status 2, one line that names the mistake, and no file written or changed."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tables import write

from tinynet_fast import load
from tinynet_fast.rows.datasets import make_pass_fail

CELLS = ["a,b,y", "1,2,0", "2,1,1", "3,5,1", "4,4,0"]


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (2, "2,oops,1", "data.csv, line 3, column 'b': 'oops' is not a number"),
        (
            3,
            "3,,1",
            "data.csv, line 4, column 'b': the value is missing: fill it, or leave the row out (--drop-missing)",
        ),
        (3, "3,nan,1", "data.csv, line 4, column 'b': the value is missing: fill it, or leave the row out"),
        (4, "4,inf,0", "data.csv, line 5, column 'b' is infinite: correct it, or leave the row out"),
        (4, "4,4", "data.csv, line 5: 2 values where the first line names 3"),
        (
            4,
            "4,4,",
            "data.csv, line 5, column 'y': the label is missing: fill it, or leave such rows out (--missing drop)",
        ),
        (0, "a,b,z", "data.csv has no column 'y'; it has a, b, z"),
        (0, "a,a,y", "data.csv, line 1: column name 'a' stands more than once"),
    ],
)
def test_bad_cells(refused, tmp_path, line, text, message):
    lines = list(CELLS)
    lines[line] = text
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    said = refused("train", "data.csv", "--target", "y", "--missing", "refuse")
    assert message in said
    assert said.count("data.csv") == 1


def test_missing_values_are_filled_or_their_rows_dropped(run, tmp_path):
    (tmp_path / "data.csv").write_text("\n".join([*CELLS, "5,,1", "?,1,0", "6,2,"]) + "\n")
    said = run("train", "data.csv", "--target", "y", "--epochs", "2", "--model", "m.json")
    assert said[0] == 2
    assert "data.csv, line 8, column 'y': the label is missing" in said[2]
    (tmp_path / "data.csv").write_text("\n".join([*CELLS, "5,,1", "?,1,0"]) + "\n")
    status, out, err = run("train", "data.csv", "--target", "y", "--epochs", "2", "--model", "m.json")
    assert (status, err) == (0, "")
    assert "numbers  a (1 missing), b (1 missing)" in out
    assert re.search(r"^rows +6 to train on; none held out", out, re.M)
    for options in (["--drop-missing"], ["--missing", "drop"]):
        (tmp_path / "data.csv").write_text("\n".join([*CELLS, "5,,1", "?,1,0", "6,2,"]) + "\n")
        status, out, err = run("train", "data.csv", "--target", "y", "--epochs", "2", "--model", "m.json", *options)
        assert (status, err) == (0, "")
        assert re.search(
            r"^rows +4 to train on; none held out to judge; 3 more left out for a missing value", out, re.M
        )
        assert load("m.json").training["dropped_rows"] == 3
    assert load("m.json").features == ["a", "b"]


def test_a_third_label_is_learned(run, tmp_path):
    (tmp_path / "data.csv").write_text("\n".join([*CELLS, "4,4,2"]) + "\n")
    status, out, err = run("train", "data.csv", "--target", "y", "--epochs", "2", "--model", "m.json")
    assert (status, err) == (0, "")
    assert "learned  a probability for each of 0, 1, 2" in out
    assert load("m.json").labels.tolist() == [0, 1, 2]


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
        (["train", "data.csv", *target, "--features", "a,c"], "data.csv has no column 'c'; it has a, b, y"),
        (["train", "data.csv", *target, "--features", "a,y"], "--features: 'y' is the target: leave it out"),
        (
            ["train", "data.csv", *target, "--features", "a,y", "--stream"],
            "--features a,y: name at least one feature beside the target 'y'",
        ),
        (
            ["train", "data.csv", *target, "--exclude", "c"],
            "data.csv has no column 'c', which --exclude names; it has a",
        ),
        (["train", "data.csv", *target, "--levels", "c"], "data.csv has no column 'c', which --levels names; it has a"),
        (["train", "data.csv", *target, "--hash", "c=8"], "data.csv has no column 'c', which --hash names; it has a"),
        (
            ["train", "data.csv", *target, "--hash", "a"],
            "--hash a: a column and a number of inputs are needed, such as",
        ),
        (["train", "data.csv", *target, "--hash", "a=1"], "--hash a=1: a number from 2 to 4096 is needed"),
        (["train", "data.csv", *target, "--exclude", "a,b"], "data.csv has no column beside the target 'y'"),
        (["train", "data.csv", *target, "--missing", "maybe"], "--missing maybe: fill, drop or refuse is needed"),
        (["train", "data.csv", *target, "--stream", "--missing", "maybe"], "--missing maybe: fill, drop or refuse"),
        (["train", "data.csv", *target, "--decimal", ";"], "--decimal ';': '.' or ',' is needed"),
        (["train", "data.csv", *target, "--separator", ";;"], "--separator: ';;' is not one character such as ','"),
        (["train", "data.csv", *target, "--encoding", "foo"], "--encoding: 'foo' is not a known encoding of text"),
        (
            ["train", "data.csv", *target, "--positive", "2"],
            "data.csv, column 'y': no row has the label '2'; there are 0",
        ),
        (["train", "data.csv", *target, "--report", "m.txt"], "m.txt: a page is written as .html; name the file so"),
        (["train", "data.csv", *target, "--report", "none/m.html"], "there is no folder none"),
        (["train", "data.csv", *target, "--features", "a,a"], "--features a,a: 'a' is named twice"),
        (["train", "data.csv", *target, "--features", "a,,b"], "--features a,,b: a name is empty"),
        (["train", "data.csv", *target, "--features", 'a,"b'], "put a name that has a comma in double quotes"),
        (["train", "data.csv", *target, "--hidden", "eight"], "--hidden eight: numbers with commas"),
        (
            ["train", "data.csv", *target, "--batch-size", "2"],
            "tinynet-fast: --batch-size is for networks: name the hidden units with --hidden",
        ),
        (["train", "data.csv", *target, "--epochs", "0"], "epochs is 0"),
        (["train", "data.csv", *target, "--validation", "1.5"], "validation=1.5 is no share of the rows"),
        (["train", "data.csv", *target, "--model", "none/m.json"], "there is no folder none"),
        (["train", "data.csv", *target, "--model", "."], "this is a folder"),
        (["train", "data.csv", *target, "--engine", "warp"], "no engine 'warp'"),
        (
            ["train", "data.csv", *target, "--learning-rate", "1e308"],
            "training diverged in epoch 2 at learning_rate=1e+308: learning_rate=2.5 is safe",
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
    run("train", students, "--target", "result", "--model", "numbers.json", "--stream")  # no table's columns
    text = (tmp_path / "m.json").read_text()
    (tmp_path / "half.json").write_text(text[: len(text) // 2])
    assert '"format_version": 2' in text
    (tmp_path / "newer.json").write_text(text.replace('"format_version": 2', '"format_version": 9'))
    (tmp_path / "other.csv").write_text("hours,result\n1,pass\n")
    (tmp_path / "unknown.csv").write_text("study_hours,result\n1,pass\n2,maybe\n")
    for arguments, message in [
        (["predict", "half.json", students], "half.json, line"),
        (["predict", "newer.json", students], "newer.json: written by tinynet_fast 0.1.0 in format 9; this is"),
        (["predict", "m.json", "other.csv"], "other.csv: no column 'study_hours'; it has hours, result"),
        (["predict", "m.json", "none.csv"], "none.csv: No such file or directory"),
        (["predict", "m.json", "hours=2"], "the model has no input 'hours'; it has study_hours"),
        (["predict", "m.json", "study_hours=two"], "tinynet-fast: study_hours=two: 'two' is not a number: correct it"),
        (["predict", "m.json", "study_hours=inf"], "tinynet-fast: study_hours=inf is infinite: correct it"),
        (["predict", "numbers.json", "study_hours=two"], "tinynet-fast: study_hours=two: 'two' is not a number"),
        (["predict", "numbers.json", "study_hours=nan"], "study_hours=nan: a finite number is needed"),
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
    run("train", students, "--target", "result", "--model", "numbers.json", "--stream")  # no table's columns
    run("train", students, "--target", "result", "--model", "strict.json", "--missing", "refuse")
    (tmp_path / "gaps.csv").write_text("study_hours,result\n1,pass\n,fail\n3,pass\n0,fail\n")
    train = ["train", students, "--target", "result"]
    for arguments, message in [
        ([*train, "--epochs", "0"], "--epochs is 0; a whole number of at least 1 is needed"),
        ([*train, "--learning-rate", "0"], "--learning-rate is 0.0; a finite number above 0 is needed"),
        ([*train, "--hidden", "2,0"], "--hidden 2,0: a hidden layer has at least one unit"),
        ([*train, "--hidden", "2", "--batch-size", "0"], "--batch-size is 0; a whole number"),
        ([*train, "--hidden", "2", "--activation", "step"], "there is no activation 'step': use one of sigmoid, tanh"),
        (
            [*train, "--hidden", "2", "--optimizer", "adam", "--momentum", "0.9"],
            "--momentum is for --optimizer sgd: leave one of them out",
        ),
        (
            [*train, "--patience", "3", "--validation", "0"],
            "--patience watches the validation loss: give --validation a share of the rows to hold out",
        ),
        (
            [*train, "--labels", "pass,no"],
            "students.csv, line 3, column 'result': the label 'fail' is not among pass, no: correct it, leave the row "
            "out, or name all labels with --labels",
        ),
        (
            [*train, "--labels", "pass,fail,no"],
            "students.csv, column 'result': no row has the label 'no': leave it out of --labels",
        ),
        ([*train, "--labels", "pass,fail,no", "--stream"], "leaves no row of a label"),
        ([*train, "--labels", "pass"], "--labels names 1; 2 to"),
        ([*train, "--labels", "pass,pass"], "--labels pass,pass: 'pass' is named twice"),
        (
            ["train", "gaps.csv", "--target", "result", "--missing", "refuse"],
            "line 3, column 'study_hours': the value is missing: fill it, or leave the row out (--drop-missing)",
        ),
        (["train", "gaps.csv", "--target", "result", "--stream"], "(--drop-missing leaves such rows out)"),
        (["lab", students, "--target", "result", "--folds", "1"], "--folds is 1; a whole number of at least 2"),
        (["predict", "m.json", "5"], "5: neither a file nor name=value, which is how one row is given"),
        (
            ["predict", "strict.json", "gaps.csv"],
            "line 3, column 'study_hours': the value is missing: fill it, or leave the row out (--drop-missing)",
        ),
        (
            ["predict", "numbers.json", "gaps.csv"],
            "gaps.csv, line 3, column 'study_hours': the value is missing: fill it",
        ),
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
