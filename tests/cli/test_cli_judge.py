"""The commands `lab`, `plot` and `threshold`, as a person uses them."""

import re

import numpy as np
import pytest
from tables import write

from tinynet_fast import train_neuron


def test_lab(run, tmp_path):
    path = write(tmp_path / "d.csv", ["hours", "passed"], [(1, 0), (2, 0), (3, 1), (4, 1)])
    options = ["--no-standardize", "--no-shuffle", "--epochs", "1000", "--output", "lab.png"]
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    status, out, _ = run("lab", path, "--target", "passed", *options)
    assert status == 0
    lines = {cells[1].strip(): cells for cells in (line.split("│") for line in out.splitlines()) if len(cells) > 4}
    for rate in ("0.01", "0.1", "0.5"):
        ref = train_neuron([1, 2, 3, 4], [0, 0, 1, 1], learning_rate=float(rate), epochs=1000)
        assert float(lines[rate][4]) == pytest.approx(ref.loss_history[-1], rel=1e-4)
    assert "best: learning rate 0.5 (by log loss of rows as they came" in out
    assert (tmp_path / "lab.png").read_bytes().startswith(b"\x89PNG")
    assert "picture: lab.png" in out


def test_lab_with_penalties_and_folds(run, students):
    options = ["--learning-rate", "0.01,0.1", "--l2", "0,0.01", "--folds", "4", "--epochs", "3", "--shuffle"]
    status, out, _ = run("lab", students, "--target", "result", *options)
    assert status == 0
    assert re.search(r"best: learning rate 0\.\d+, l2 0(\.01)? \(by held-out log loss\)", out)
    status, out, _ = run("lab", students, "--target", "result", "--learning-rate", "1e308", "--epochs", "30")
    assert status == 0
    assert "every rate diverged: try smaller ones" in out


def test_lab_with_networks(run, refused, students, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    options = ["--hidden", "3", "--seeds", "2", "--learning-rate", "0.01,1", "--epochs", "30", "--batch-size", "20"]
    status, out, _ = run("lab", students, "--target", "result", *options, "--output", "lab.png")
    assert status == 0
    assert "4 networks, 30 epochs" in out
    assert re.search(r"^best: learning_rate=1, seed=[01] \(by log loss of 12 rows held out\)$", out, re.M)
    assert (tmp_path / "lab.png").read_bytes().startswith(b"\x89PNG")
    three = write(tmp_path / "three.csv", ["x", "y"], [(k, "abc"[k % 3]) for k in range(30)])
    status, out, _ = run("lab", three, "--target", "y", "--hidden", "3", "--epochs", "2", "--folds", "2")
    assert status == 0
    assert "(by held-out log loss)" in out
    said = refused("lab", three, "--target", "y")
    assert said.endswith("column 'y' has 3 labels: the lab is for two labels\n")
    said = refused("lab", students, "--target", "study_hours", "--hidden", "3")
    assert said.endswith("column 'study_hours' has numbers: the lab is for labels\n")
    said = refused("lab", students, "--target", "result", "--seeds", "2")
    assert said == "tinynet-fast: --seeds is for networks: name the hidden units with --hidden\n"


def test_pictures(run, students, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert run("train", students, "--target", "result", "--plot", "loss.svg", "--model", "m.json")[0] == 0
    assert (tmp_path / "loss.svg").read_text().startswith("<?xml")
    for kind in ("boundary", "calibration", "thresholds"):
        status, out, _ = run("plot", kind, "m.json", students, "--target", "result", "--output", f"{kind}.png")
        assert status == 0
        assert out == f"picture: {kind}.png\n"
        assert (tmp_path / f"{kind}.png").stat().st_size > 10_000
    for arguments, message in (
        (
            ["plot", "boundary", "m.json", students, "--target", "result", "--output", "p.gif"],
            "written as .png or .svg",
        ),
        (["plot", "pie", "m.json", students, "--target", "result", "--output", "p.png"], "'pie' is not one of"),
        (["lab", students, "--target", "result", "--output", "p.jpg"], "written as .png or .svg"),
        (["lab", students, "--target", "none"], "no column 'none'"),
        (
            ["lab", students, "--target", "result", "--learning-rate", "fast"],
            "--learning-rate fast: numbers with commas",
        ),
        (["lab", students, "--target", "result", "--learning-rate", "-1"], "--learning-rate[0] is -1.0"),
        (["lab", students, "--target", "result", "--folds", "1"], "folds is 1"),
        (["train", students, "--target", "result", "--plot", "p.bmp"], "written as .png or .svg"),
        (["train", students, "--target", "result", "--plot", "none/p.png", "--model", "p.json"], "no folder none"),
        (["train", students, "--target", "result", "--plot", "p.png", "--model", "p.png"], "where the model goes"),
        (["lab", students, "--target", "result", "--output", "none/p.png"], "there is no folder none; make it first"),
    ):
        status, _, err = run(*arguments)
        assert status == 2
        assert message in err
        assert err.count("\n") == 1
    assert not list(tmp_path.glob("p.*"))


def test_threshold_shows_the_rows_that_change_sides(run, tmp_path, monkeypatch):
    from tinynet_fast import Neuron
    from tinynet_fast.cli import judge

    Neuron(weights=[1.0], features=["z"], labels=np.array(["fail", "pass"])).save(tmp_path / "m.json")
    rows = [(-1, "fail"), (0.1, "fail"), (0.3, "pass"), (0.5, "pass"), (2, "pass")]  # 0.27 0.52 0.57 0.62 0.88
    path = write(tmp_path / "d.csv", ["z", "y"], rows)
    status, out, _ = run("threshold", "m.json", path, "--target", "y", "--compare", "0.5,0.6")
    assert status == 0
    assert "2 of 5 rows change sides" in out
    assert re.search(r"2 +│ 0\.5250 +│ fail +│ pass +│ fail", out)
    assert re.search(r"3 +│ 0\.5744 +│ pass +│ pass +│ fail", out)
    assert re.search(r"0\.5 +│ 0\.8000 +│ 0\.7500 +│ 1\.0000 +│ 4", out)
    assert re.search(r"0\.6 +│ 0\.8000 +│ 1\.0000 +│ 0\.6667 +│ 2", out)
    assert "precision" in run("threshold", "m.json", path, "--target", "y", "--compare", "0.999")[1]
    monkeypatch.setattr(judge, "SHOWN_FLIPS", 1)
    out = run("threshold", "m.json", path, "--target", "y", "--compare", "0.5,0.6")[1]
    assert "and 1 more" in out


def test_files_without_column_names(run, refused, tmp_path):
    """Each row of an svmlight file begins with its label; of .npy files somebody has to say where the labels are."""
    svmlight = pytest.importorskip("sklearn.datasets", reason="scikit-learn writes the file")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    X = np.random.default_rng(0).standard_normal((60, 2))
    y = (X[:, 0] > 0.0).astype(int)
    svmlight.dump_svmlight_file(X, y, str(tmp_path / "rows.svm"))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    train_neuron(X, y, epochs=20, seed=0).model.save(tmp_path / "m.json")
    found = [run("evaluate", "m.json", "rows.svm"), run("evaluate", "m.json", "X.npy", "--target", "y.npy")]
    assert [status for status, _, _ in found] == [0, 0]
    assert found[0][1].splitlines()[1:] == found[1][1].splitlines()[1:]
    assert run("plot", "boundary", "m.json", "rows.svm", "--output", "a.png")[0] == 0
    for command in (["evaluate", "m.json", "X.npy"], ["plot", "boundary", "m.json", "X.npy", "--output", "b.png"]):
        assert refused(*command).endswith(
            "a .npy file has no column names: name the file of the labels, or give the number of their column with "
            "--target\n"
        )
