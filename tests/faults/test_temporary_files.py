"""What a killed run leaves behind is removed, and nothing else: no other run's files, and none in use."""

import os
import subprocess
import sys

import pytest

from tinynet_fast import train_neuron
from tinynet_fast.models.files import _prefix, atomic_file, remove_left_over

X, Y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.skipif(os.name == "nt", reason="there it is not known which processes run")
def test_only_what_a_dead_process_left_of_this_file(tmp_path, dead):
    run, others = tmp_path / "run", ["run.b", "*", "r*n", "[a-z]un", "x" * 150 + "1", "x" * 150 + "2"]
    kept = [tmp_path / f"{_prefix(tmp_path / name, dead)}abc.tmp" for name in others]
    kept += [tmp_path / f"{_prefix(run, os.getpid())}abc.tmp", tmp_path / ".run.notes.tmp", tmp_path / ".run.1.tmp"]
    left = tmp_path / f"{_prefix(run, dead)}abc_1.tmp"
    for path in [*kept, left]:
        path.write_text("")
    train_neuron(X, Y, epochs=1, checkpoint=run)
    assert not left.exists()
    assert all(path.exists() for path in kept)
    for path, name in zip(kept, others, strict=False):
        remove_left_over(tmp_path / name)
        assert not path.exists()


def test_a_file_that_is_being_written_is_left_alone(tmp_path):
    path = tmp_path / "c.json"
    with atomic_file(path) as file:
        file.write("whole")
        remove_left_over(path)
        assert len(list(tmp_path.iterdir())) == 1
    assert path.read_text() == "whole"
    assert [each.name for each in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_checkpoint_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in [tmp_path / "pipe", "/dev/null", tmp_path]:
        with pytest.raises(ValueError, match="no regular file: name a file for the checkpoint"):
            train_neuron(X, Y, epochs=1, checkpoint=path)
