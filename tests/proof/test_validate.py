"""What `validate` returns and prints. test_planted_mistakes.py shows that it finds mistakes."""

import csv
import json

import numpy as np
import pytest

from tinynet_fast import validate
from tinynet_fast.cli import app
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.rows.datasets import make_pass_fail, quiz_and_attendance


@pytest.fixture(scope="module")
def seen():
    return validate()


def test_every_engine_is_judged(seen):
    assert {v.engine.partition("/")[0] for v in seen.verdicts} == set(ENGINES) - {"reference"}
    assert all(v.kept and v.rows for v in seen.verdicts)
    assert all(v.ulps == 0 for v in seen.verdicts if v.promise == 0.0)
    assert any(v.difference > 0 for v in seen.verdicts if v.promise > 0)


def test_the_facts_are_there(seen):
    assert {"Python", "NumPy", "Numba", "LLVM", "C library", "CPU", "CPU features"} <= set(seen.facts)
    assert json.loads(json.dumps(seen.to_json()))["kept"] is True


def test_your_own_rows(own_rows_only):
    X, y, _ = quiz_and_attendance()
    cases = [v.case for v in validate(X, np.where(y, "yes", "no")).verdicts]
    assert sum(case.startswith("your rows, neuron") for case in cases) == 2 * (len(ENGINES) - 1)
    networks = [engine for engine in ENGINES.values() if engine.can("network_epochs")]
    assert sum(case.startswith("your rows, standardised") for case in cases) == len(networks) - 1


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0]], None, "X and y go together"),
        ([[1.0], [None]], [0, 1], r"X\[1, 0\] is missing"),
        ([[1.0], [float("nan")]], [0, 1], r"X\[1, 0\] is NaN"),
        ([[1.0], [2.0]], [1, 1], "one label only"),
        ([[1e200], [2.0]], [0, 1], "too large to train on as they are: standardise"),
    ],
)
def test_rows_that_cannot_be_validated(X, y, message):
    """They are refused before anything runs."""
    ran = []
    with pytest.raises(ValueError, match=message):
        validate(X, y, progress=ran.append)
    assert not ran


def test_command_line(monkeypatch, capsys, tmp_path, own_rows_only):
    rows = make_pass_fail(300, 3)
    with open(tmp_path / "d.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b", "c", "y"], *np.column_stack([rows.X, rows.y]).tolist()])

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["tinynet-fast", "validate", *arguments])
        with pytest.raises(SystemExit) as info:
            app.main()
        return info.value.code or 0, capsys.readouterr()

    status, captured = run("--data", str(tmp_path / "d.csv"), "--target", "y", "--json")
    assert status == 0
    shown = json.loads(captured.out)
    assert shown["kept"] is True
    assert any(v["case"].startswith("your rows") and v["rows"] == 300 for v in shown["verdicts"])
    for arguments, message in [
        (["--data", str(tmp_path / "d.csv")], "--data needs --target"),
        (["--target", "y"], "--target needs --data"),
        (["--data", str(tmp_path / "d.csv"), "--target", "z"], "no column 'z'"),
    ]:
        status, captured = run(*arguments)
        assert status == 2
        assert message in captured.err
        assert captured.err.count("\n") == 1
