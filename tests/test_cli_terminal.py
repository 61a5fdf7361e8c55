"""Every command where standard output is ASCII: no command fails for a character that it cannot show."""

import subprocess
import sys

import numpy as np
import pytest
from tables import write

ASCII = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "120"}


@pytest.fixture
def run_ascii(tmp_path, monkeypatch):
    for name, value in ASCII.items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        command = [sys.executable, "-m", "tinynet_fast", *arguments]
        done = subprocess.run(command, capture_output=True, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr.decode("ascii")

    return run


def test_names_and_labels_that_ascii_lacks(run_ascii, tmp_path):
    hours = np.random.default_rng(0).uniform(0, 5, 60).tolist()
    write(tmp_path / "d.csv", ["größe", "y"], [(h, "gültig" if h > 2.5 else "nein") for h in hours])
    status, out, err = run_ascii("lab", "d.csv", "--target", "y", "--folds", "3", "--epochs", "3")
    assert (status, err) == (0, "")
    assert b" +- 0." in out
    status, out, err = run_ascii("train", "d.csv", "--target", "y", "--epochs", "3", "--model", "m.json")
    assert (status, err) == (0, "")
    assert rb"the model gives P(nein), the probability of nein; the other label is g\xfcltig" in out
    assert run_ascii("threshold", "m.json", "d.csv", "--target", "y")[0] == 0
    assert run_ascii("trace", "m.json", "d.csv")[0] == 0
    status, out, _ = run_ascii("predict", "m.json", "größe=0.1")
    assert (status, out[:5]) == (0, b"nein:")
    status, _, err = run_ascii("predict", "m.json", "grösse=1")
    assert status == 2
    assert err == "tinynet-fast: gr\\xf6sse=1: the model has no input 'gr\\xf6sse'; it has gr\\xf6\\xdfe\n"
    status, out, _ = run_ascii("predict", "m.json", "d.csv")  # data, which must not change
    assert (status, out.count("gültig".encode()) > 10) == (0, True)
    assert run_ascii("predict", "m.json", "d.csv", "--output", "out.csv")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == out


@pytest.mark.parametrize("command", [["--help"], ["train", "--help"], ["trace"], ["trace", "--network"], ["--version"]])
def test_other_commands(run_ascii, command):
    status, out, err = run_ascii(*command)
    assert (status, err) == (0, "")
    assert out.isascii()
