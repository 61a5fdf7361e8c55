"""A damaged data file is refused by one clear error, or trains on what it holds: fast, in little memory, no crash."""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from children import asked
from mutations import count

pytest.importorskip("pyarrow", reason="pyarrow writes and reads the files")
pytest.importorskip("sklearn.datasets", reason="scikit-learn reads svmlight files")
import outcomes
import pyarrow as pa
from data_formats import FORMATS

from tinynet_fast import Neuron
from tinynet_fast.rows.files import TableError

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A function that runs cases: gives the lines about each, by its number, and how the process ended if it did."""
    paths = os.pathsep.join(map(str, [HERE.parent.parent, HERE.parent, HERE]))
    environment = os.environ | {"PYTHONPATH": paths}

    def run(*words):
        answer, ended = ask(*words)
        cases = {}
        for line in answer:
            if line.startswith("at "):
                cases[int(line[3:])] = lines = []
            else:
                lines.append(line)
        return cases, ended

    with asked(HERE / "data_child.py", tmp_path_factory.mktemp("child"), env=environment) as ask:
        yield run


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged(kind, run, tmp_path):
    said, costs, start, stop = Counter(), [(0.0, 0.0)], 0, count(120, 20_000)
    while start < stop:
        cases, ended = run(kind, start, stop, tmp_path)
        assert cases, ended
        for number, lines in cases.items():
            if len(lines) < 2:
                lines = [ended or "it says nothing", "= 0 0"]
            said[lines[0] if lines[0] in ("refused", "trained") else f"case {number}: {lines[0]}"] += 1
            costs.append(tuple(map(float, lines[1][2:].split())))
        start = max(cases) + 1
    slowest, largest = map(max, zip(*costs, strict=True))
    print(f"{kind}: {dict(said)}, at most {slowest:.2f} s and {largest:.0f} MB")
    assert set(said) == {"refused", "trained"}, said
    assert said["refused"] > stop // 2


def burns(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return Neuron(weights=[1.0])


def fails(error):
    raise error


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (lambda: Neuron(weights=[1.0]), "trained"),
        (lambda: fails(TableError("a.csv, line 2: wrong")), "refused"),
        (lambda: fails(FileNotFoundError(2, "gone", "a.csv")), "refused"),
        (lambda: fails(KeyError("a.csv")), "foreign KeyError"),
        (lambda: fails(pa.ArrowInvalid("a.csv: wrong")), "foreign ArrowInvalid"),
        (lambda: fails(OSError("a.csv: wrong")), "foreign OSError"),
        (lambda: fails(ValueError("wrong")), "nameless"),
        (lambda: fails(ValueError("a.csv: " + "x" * 500)), "long"),
        (lambda: fails(ValueError("a.csv: \x1b[2J")), "not printable"),
        (lambda: burns(1.2 * outcomes.SECONDS), "slow"),
        pytest.param(
            lambda: [np.ones(1 << 25), Neuron(weights=[1.0])][1],
            "large",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory of a moment"),
        ),
    ],
)
def test_the_judge_sees_what_is_wrong(case, said, monkeypatch):
    if said == "slow":  # which is judged twice: here a tenth of the limit is enough
        monkeypatch.setattr(outcomes, "SECONDS", outcomes.SECONDS / 10)
    assert outcomes.judged(case, "a.csv")[0].startswith(said)
