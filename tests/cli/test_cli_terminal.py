"""Every command when standard output is ASCII: no command fails because of a character that it cannot show."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import run_in_child
from tables import write

from tinynet_fast import Neuron

ASCII = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "120"}


def in_ascii(patch, folder, commands):
    """Run command lines one after another where standard output is ASCII, and return how each of them ended."""
    for name, value in ASCII.items():
        patch.setenv(name, value)
    return run_in_child(folder, commands)


def test_names_and_labels_that_ascii_lacks(monkeypatch, tmp_path):
    hours = np.random.default_rng(0).uniform(0, 5, 60).tolist()
    write(tmp_path / "d.csv", ["größe", "y"], [(h, "gültig" if h > 2.5 else "nein") for h in hours])
    judged, trained, threshold, traced, one_row, no_such, predicted, written = in_ascii(
        monkeypatch,
        tmp_path,
        [
            ["lab", "d.csv", "--target", "y", "--folds", "3", "--epochs", "3"],
            ["train", "d.csv", "--target", "y", "--epochs", "3", "--model", "m.json"],
            ["threshold", "m.json", "d.csv", "--target", "y"],
            ["trace", "m.json", "d.csv"],
            ["predict", "m.json", "größe=0.1"],
            ["predict", "m.json", "grösse=1"],
            ["predict", "m.json", "d.csv"],
            ["predict", "m.json", "d.csv", "--output", "out.csv"],
        ],
    )
    for done in (judged, trained, threshold, traced, one_row, predicted, written):
        assert (done.status, done.err) == (0, b"")
    assert b" +- 0." in judged.out
    assert rb"learned  P(nein), the probability of nein; the other label is g\xfcltig" in trained.out
    assert one_row.out.startswith(b"nein:")
    assert no_such.status == 2
    said = rb"tinynet-fast: gr\xf6sse=1: the model has no input 'gr\xf6sse'; it has gr\xf6\xdfe"
    assert no_such.err.splitlines() == [said]
    assert predicted.out.count("gültig".encode()) > 10  # data, which must not change
    assert (tmp_path / "out.csv").read_bytes() == predicted.out


OTHER = [["--help"], ["train", "--help"], ["trace"], ["trace", "--network"], ["--version"]]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return dict(zip(map(str, OTHER), in_ascii(patch, tmp_path_factory.mktemp("other"), OTHER), strict=True))


@pytest.mark.parametrize("command", OTHER, ids=str)
def test_other_commands(others, command):
    done = others[str(command)]
    assert (done.status, done.err) == (0, b"")
    assert done.out
    assert done.out.isascii()


STEERING = "\x1b[2J\x07\x9b"  # it would clear the screen, ring, and begin another command


def test_nothing_from_a_file_controls_the_terminal(tmp_path):
    """Names and labels of a table or model are escaped in tables, lines, warnings, errors and pictures."""
    hours = np.random.default_rng(0).uniform(0, 5, 60).tolist()
    name, target, label = f"hours{STEERING}", f"y{STEERING}", f"fail{STEERING}"
    write(tmp_path / "d.csv", [name, target], [(h, "pass" if h > 2.5 else label) for h in hours])
    judged = ["m.json", "d.csv", "--target", target]
    expected = [
        (["train", "d.csv", "--target", target, "--epochs", "3", "--model", "m.json"], 0),
        (["predict", "m.json", f"{name}=1"], 0),
        (["predict", "m.json", "y=1"], 2),
        (["threshold", *judged, "--compare", "0.1,0.9"], 0),
        (["trace", "m.json", "d.csv"], 0),
        (["lab", "d.csv", "--target", target, "--epochs", "2"], 0),
        (["lab", "d.csv", "--target", STEERING], 2),
        (["plot", "boundary", *judged, "--output", "p.png"], 0),
        (["train", STEERING, "--target", "y"], 2),
        (["--no-such" + STEERING], 2),
        (["predict", "m.json", "d.csv"], 0),
    ]
    *shown, (_, predicted, _) = run_in_child(tmp_path, [arguments for arguments, _ in expected])
    for (arguments, status), done in zip(expected, shown, strict=False):
        assert done.status == status, done.err
        for text in (done.out.decode(), done.err.decode()):
            assert not set(STEERING[::6]) & set(text), (arguments, text)
    assert f"{label}\n" in predicted.decode()  # no terminal: data, which must not change


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals to open here")
def test_predictions_on_a_terminal(tmp_path):
    import pty

    Neuron(weights=[1.0], labels=["fail", f"pass{STEERING}"], features=["x"]).save(tmp_path / "m.json")
    (tmp_path / "d.csv").write_text("x\n5\n6\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tinynet_fast", "predict", "m.json", "d.csv"]
    assert subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, cwd=tmp_path).returncode == 0
    os.close(theirs)
    text = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "\x1b" not in text
    assert r"pass\x1b[2J\x07\x9b" in text


@pytest.mark.skipif(sys.platform == "win32", reason="shells differ")
@pytest.mark.parametrize(
    ("redirect", "status", "said"),
    [
        ("| true", 0, ""),
        (">/dev/full", 2, "tinynet-fast: .*No space left on device\n"),
        (">&-", 0, ""),
    ],
)
def test_standard_output_that_cannot_be_written(redirect, status, said, tmp_path):
    """It is no mistake if the reader stops early. A full disk is one line. The picture is written all the same."""
    Neuron(weights=[1.0], features=["x"]).save(tmp_path / "m.json")
    (tmp_path / "d.csv").write_text("x,y\n" + "1,0\n2,1\n" * 20)
    for arguments in ("lab d.csv --target y --epochs 2 --output p.png", "predict m.json d.csv"):
        command = f"{sys.executable} -m tinynet_fast {arguments} {redirect}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == status, done.stderr
        assert re.fullmatch(said, done.stderr)
    assert (tmp_path / "p.png").exists()
