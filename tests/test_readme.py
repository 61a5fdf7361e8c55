"""README and docs: their figures are those of the newest results files, the Python runs, the commands exist."""

import importlib
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tinynet_fast.cli.app import main
from tinynet_fast.tables.sample import write_sample

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def bench_readme(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "bench")
    return importlib.import_module("readme")


def test_figures_are_those_of_the_results_file(bench_readme):
    path = bench_readme.source(README)
    assert path.is_file()
    assert bench_readme.with_figures(README, path) == README
    assert "1.23456" not in README  # and another file's figures would show:
    changed = json.loads(path.read_text(encoding="utf-8"))
    results = [result for family in changed["families"].values() for result in family["results"]]
    assert min(figure["median"] for result in results for figure in result["figures"]) > 0.0
    changed["families"]["one neuron, an epoch"]["results"][1]["figures"][0]["median"] = 1.23456
    assert "**1.23**" in bench_readme.figures(changed, path)


def test_the_newest_results_file_is_none_of_the_clusters(bench_readme):
    """Which have other families; their names would come last."""
    assert "one neuron, an epoch" in json.loads(bench_readme.newest().read_text(encoding="utf-8"))["families"]


def test_pictures_are_those_of_the_results_file(bench_readme):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path, pictures = bench_readme.source(README), importlib.import_module("pictures")
    document = json.loads(path.read_text(encoding="utf-8"))
    shown = {ROOT / name for name in re.findall(r"!\[[^]]*\]\(([^)]+\.png)\)", README)}
    drawn = sorted(path.parent.glob(f"{path.stem}-*.png"))
    assert len(shown) >= 2
    assert shown <= set(drawn)
    for picture in drawn:
        assert pictures.digest(document).encode() in picture.read_bytes(), f"{picture.name}: draw it again"
        assert picture.stat().st_size < 100_000


def test_the_picture_of_merging_runs_is_that_of_its_script(bench_readme):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    merging = importlib.import_module("merging")
    assert f"]({merging.TARGET.relative_to(ROOT).as_posix()})" in README
    picture = merging.TARGET.read_text(encoding="utf-8")
    assert merging.digest() in picture, "draw it again: python bench/merging.py"
    assert len(picture) < 200_000


def test_pictures_and_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert len(links) > 10
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_table_in_markdown_is_that_of_the_results_file(bench_readme):
    run, path = importlib.import_module("render"), bench_readme.source(README)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == run.markdown(document, path.stem)


def test_the_block_on_estimators_is_that_of_its_results(bench_readme):
    estimators = importlib.import_module("sklearn_page")
    link = re.search(r"\[All \d+ fits\]\((\S+)\.md\)", README)
    path = ROOT / f"{link[1]}.json"
    assert estimators.with_block(README, path) == README
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == estimators.page(document)
    assert sum(map(len, document["groups"].values())) >= 60


def test_the_block_on_tables_is_that_of_its_results(bench_readme):
    tables = importlib.import_module("tables_page")
    path = tables.source(README)
    assert tables.with_block(README, path) == README
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == tables.page(document)
    assert len(document["two"]) + len(document["more"]) >= 18
    for table in [*document["two"].values(), *document["more"].values()]:  # figures are means of what each fold gave
        for score in table["scores"].values():
            assert score["log_loss"] == pytest.approx(np.mean(score["log_losses"]), abs=1e-6)
    document["more"]["digits"]["scores"]["train"]["accuracy"] = 0.12345
    assert "0.123" in tables.block(document, path)


def test_the_page_on_clusters_is_that_of_its_results(bench_readme):
    cluster_page = importlib.import_module("cluster_page")
    assert (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8") == cluster_page.page(cluster_page.newest())


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
