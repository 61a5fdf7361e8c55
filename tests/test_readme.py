"""README: its links lead to files, the Python runs, the commands exist."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tinynet_fast.cli.app import main
from tinynet_fast.tables.sample import write_sample

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_pictures_and_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert len(links) > 10
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) >= 2
    write_sample("students.csv")
    names = {}
    rng = np.random.default_rng(0)
    for block in blocks:
        if "pixels" in block:
            names["digits"] = np.arange(200) % 10
            names["pixels"] = rng.random((200, 64)) + np.eye(10, 64)[names["digits"]]
        if "sweep(" in block:
            names["X"], names["y"] = rng.standard_normal((100, 2)), np.arange(100) % 2
        if "clicks/" in block:
            pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
            parquet = pytest.importorskip("pyarrow.parquet")
            (tmp_path / "clicks").mkdir()
            columns = {"seconds": rng.random(500), "clicked": np.arange(500) % 2}
            parquet.write_table(pa.table(columns), tmp_path / "clicks" / "1.parquet")
        exec(compile(block, "README.md", "exec"), names)
        if "4000" in block:
            assert names["result"].loss_history[3600] == pytest.approx(0.0021, abs=5e-5)
        if "pixels" in block:
            assert names["result"].model.predict_proba(names["pixels"]).shape == (200, 10)
        if "sweep(" in block:
            assert names["result"].best_model is not None
    assert (tmp_path / "pass.json").exists()


def commands(first):
    """The commands of README's block that begins with this command, each with the lines that README shows below it."""
    (block,) = [b for b in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL) if b.startswith(f"$ {first}")]
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line[2:], comments=True), []))
        elif line:
            found[-1][1].append(line)
    return found


def run(words, monkeypatch, capsys):
    """Run a command in this process; return what it printed."""
    assert words[0] == "tinynet-fast"
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as status:
        main()
    out, err = capsys.readouterr()
    assert status.value.code == 0, err
    return out


def test_three_commands_lead_to_a_prediction_and_a_report(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="the report has pictures")
    monkeypatch.chdir(tmp_path)
    shown = commands("tinynet-fast sample students.csv\n$ tinynet-fast train students.csv --target result --report")
    assert len(shown) == 3
    for words, lines in shown:
        out = run(words, monkeypatch, capsys)
        assert all(line in out for line in lines), out
    assert lines
    assert "<h1" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_commands_run(tmp_path, monkeypatch, capsys):
    """All but the benchmarks, which take longer, and the proof, which other tests run."""
    pytest.importorskip("matplotlib", reason="some commands draw pictures")
    monkeypatch.chdir(tmp_path)
    shown = commands("tinynet-fast sample students.csv    ")
    assert len(shown) >= 8
    for words, _ in shown:
        if words[1] not in ("bench", "validate"):
            assert run(words, monkeypatch, capsys)
    for name in ("students.model.json", "lab.png", "columns.png"):
        assert (tmp_path / name).stat().st_size > 100


def test_commands_exist():
    from typer.main import get_command

    from tinynet_fast.cli.app import app

    named = set(re.findall(r"^\$ tinynet-fast (\w+)", README, flags=re.MULTILINE))
    assert named <= set(get_command(app).commands)
    assert {"sample", "train", "evaluate", "predict", "lab", "plot", "threshold", "trace", "validate", "bench"} <= named
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"`?make ([\w-]+)", README)) <= targets
