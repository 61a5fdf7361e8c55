"""Mistakes about options on the command line: one line that names the option as it was typed."""

import numpy as np
import pytest

from tinynet_fast import load


def test_options_of_the_other_trainer(refused, run, students, tmp_path):
    """Each is one line that names the option as it was typed, whether rows are streamed or not."""
    train = ["train", students, "--target", "result"]
    (tmp_path / "three.csv").write_text("h,y\n" + "1,a\n2,b\n3,c\n" * 4)
    for stream in ([], ["--stream"]):
        for option, value in (
            ("batch-size", "2"),
            ("momentum", "0.9"),
            ("activation", "relu"),
            ("optimizer", "adam"),
            ("dropout", "0.5"),
            ("mixup", "0.2"),
        ):
            said = refused(*train, f"--{option}", value, *stream)
            assert said == f"tinynet-fast: --{option} is for networks: name the hidden units with --hidden\n"
        said = refused(*train, "--set", "beta_1=0.8", *stream)
        assert said == "tinynet-fast: beta_1 is for networks: name the hidden units with --hidden\n"
        said = refused(*train, "--hidden", "3", "--average", *stream)
        assert said == "tinynet-fast: --average is for one neuron: leave it out, or leave --hidden out\n"
        said = refused(*train, "--hidden", "3", "--set", "l1=0.1", *stream)
        assert said == "tinynet-fast: l1 is for one neuron: leave it out, or leave --hidden out\n"
    said = refused(*train, "--hidden", "3", "--jobs", "-2")
    assert said == "tinynet-fast: --jobs is -2; a whole number of at least 1 is needed, or -1 for all cores\n"
    said = refused("train", "three.csv", "--target", "y", "--average")
    assert said == "tinynet-fast: --average is for one neuron: leave it out, because 3 labels need a network\n"
    assert run("train", "three.csv", "--target", "y", "--learning-rate", "auto", "--epochs", "2", "--l2", "0")[0] == 0
    assert run("train", "three.csv", "--target", "y", "--batch-size", "4", "--epochs", "2", "--l2", "0")[0] == 0


def test_options_that_streamed_rows_do_not_have(refused, students):
    for option, value in (
        ("positive", "pass"),
        ("exclude", "a"),
        ("levels", "a"),
        ("hash", "a=8"),
        ("na", "x"),
        ("separator", ";"),
        ("decimal", ","),
        ("encoding", "latin-1"),
    ):
        said = refused("train", students, "--target", "result", "--stream", f"--{option}", value)
        assert said.startswith(f"tinynet-fast: --{option} is for rows that fit in memory, and these are read while")


def test_mistakes_about_other_options(refused, students):
    train = ["train", students, "--target", "result", "--epochs", "2"]
    for options, message in [
        (["--set", "beta"], "--set beta: a name and a value are needed, such as --set beta_1=0.8"),
        (["--set", "labels=3"], "--set labels=3: --labels is the option for this"),
        (["--set", "epochs=3"], "--set epochs=3: --epochs is the option for this"),
        (["--set", "n_jobs=3"], "--set n_jobs=3: --jobs is the option for this"),
        (["--set", "hashed=3"], "--set hashed=3: --hash is the option for this"),
        (["--set", "avarage=1"], "there is no option 'avarage': did you mean 'average'?"),
        (["--class-weight", "other"], "--class-weight other: balanced, or a weight for each label, such as no=1,yes=5"),
        (["--class-weight", "fail=x"], "--class-weight fail=x: balanced, or a weight for each label"),
        (["--class-weight", "fail=1"], "--class-weight gives no weight for pass: give one for each label"),
        (["--class-weight", "fail=1,pass=0"], "--class-weight gives 'pass' the weight 0.0: a number above 0 is needed"),
        (
            ["--class-weight", "fail=1,pass=2,no=3"],
            "--class-weight names no, which no row has: the labels are fail, pass",
        ),
        (["--l2", "-1"], "--l2 is -1.0; a finite number of at least 0 is needed"),
        (["--positive", "no"], "students.csv, column 'result': no row has the label 'no'; there are fail, pass"),
        (["--schedule", "none"], "there is no schedule 'none': use one of"),
    ]:
        said = refused(*train, *options)
        assert message in said
        assert said.count("students.csv") <= 1
    said = refused("train", students, "--target", "study_hours", "--output", "labels")
    assert "look like measurements" in said
    assert "or learn a condition, such as 'study_hours>=2.718'" in said
    said = refused("train", students, "--target", "study_hours>=2", "--positive", "pass")
    assert "--positive pass names a label, and 'study_hours>=2' is a condition: give one of them" in said
    said = refused("train", students, "--target", "study_hours>=two")
    assert "'study_hours>=two': 'two' is not a number, which >= needs" in said


def test_options_that_a_file_does_not_have(refused, run, tmp_path):
    """An option that would have no effect is refused."""
    np.save(tmp_path / "rows.npy", np.arange(40.0)[:, np.newaxis])
    np.save(tmp_path / "labels.npy", np.arange(40) // 20)
    (tmp_path / "three.csv").write_text("h,y\n" + "1,a\n2,b\n3,c\n" * 4)
    train = ["train", "rows.npy", "--target", "labels.npy"]
    for options, message in [
        (["--levels", "x0"], "rows.npy: --levels is for tables whose columns have names"),
        (["--hash", "x0=8"], "rows.npy: --hash is for tables whose columns have names"),
        (
            ["--positive", "1"],
            "--positive 1 is for a target that is a column: give the labels in order instead, the positive one last "
            "(--labels)",
        ),
        (["--exclude", "x0"], "rows.npy has no column that is not excluded: one is needed to learn from"),
        (["--separator", ";"], "--separator ';' is for CSV files, and rows.npy holds numbers"),
        (["--encoding", "latin-1"], "--encoding latin-1 is for CSV files, and rows.npy holds numbers"),
    ]:
        assert message in refused(*train, *options)
    said = refused("train", "three.csv", "--target", "y", "--stream")
    assert "keep the rows of two labels, or name hidden units with --hidden" in said
    assert run(*train, "--labels", "1,0", "--epochs", "2", "--model", "m.json")[0] == 0
    assert load("m.json").labels.tolist() == [1, 0]
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    import pyarrow

    parquet.write_table(pyarrow.table({"x": np.arange(40.0), "y": np.arange(40) // 20}), tmp_path / "d.parquet")
    for name, value in (("separator", ";"), ("encoding", "latin-1")):
        said = refused("train", "d.parquet", "--target", "y", f"--{name}", value)
        assert said == f"tinynet-fast: d.parquet: --{name} is for CSV files, and this is parquet; leave it out\n"
