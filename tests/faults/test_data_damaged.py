"""A damaged Arrow file is refused by one clear error, or trains on what it holds: nothing crashes."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutations import count

pytest.importorskip("pyarrow", reason="pyarrow reads the files")
HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", ["arrow", "feather", "arrows"])
def test_damaged(kind, tmp_path):
    said, start, stop = Counter(), 0, count(150, 20_000)
    while start < stop:
        command = [
            sys.executable,
            "-W",
            "ignore",
            str(HERE / "arrow_child.py"),
            kind,
            str(start),
            str(stop),
            str(tmp_path),
        ]
        paths = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
        lines = done.stdout.splitlines()
        said.update(line for line in lines if not line.startswith("at "))
        start = int([line for line in lines if line.startswith("at ")][-1][3:]) + 1
        if done.returncode:
            said[f"exit status {done.returncode} in case {start - 1}: {done.stderr[-300:]}"] += 1
    assert set(said) == {"refused", "trained"}, said
    assert said["refused"] > stop // 2
