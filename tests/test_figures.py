"""README and site: their figures and pictures are those of the results files that they name."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
WRITTEN = ("README.md", "docs/index.md", "docs/fast/floors.md", "docs/benchmarks/figures.md")


def text(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def figures(monkeypatch):
    """The script that writes most figures."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    return importlib.import_module("readme")


def test_figures_are_those_of_the_newest_results_file(figures):
    path = figures.newest()
    assert set(WRITTEN) < set(figures.BLOCKS)
    for page in figures.BLOCKS:
        assert figures.with_blocks(page, text(page), path) == text(page), f"write {page} again: python bench/readme.py"


def test_other_results_give_other_figures(figures):
    changed = json.loads(figures.newest().read_text(encoding="utf-8"))
    results = [result for family in changed["families"].values() for result in family["results"]]
    assert min(figure["median"] for result in results for figure in result["figures"]) > 0.0
    changed["families"]["one neuron, an epoch"]["results"][1]["figures"][0]["median"] = 1.23456
    for write in (figures.figures, figures.speed, figures.headline):
        assert "1.23" in write(changed, figures.newest())
    assert not any("1.23 " in text(page) for page in WRITTEN)


def test_the_newest_results_file_is_none_of_the_clusters(figures):
    """Which have other families; their names would come last."""
    assert "one neuron, an epoch" in json.loads(figures.newest().read_text(encoding="utf-8"))["families"]


def test_pictures_are_those_of_the_results_file(figures):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path, pictures = figures.newest(), importlib.import_module("pictures")
    document = json.loads(path.read_text(encoding="utf-8"))
    shown = {ROOT / name for name in re.findall(r"!\[[^]]*\]\(([^)]+\.png)\)", text("README.md"))}
    drawn = sorted(path.parent.glob(f"{path.stem}-*.png"))
    assert shown
    assert shown <= set(drawn)
    for picture in drawn:
        assert pictures.digest(document).encode() in picture.read_bytes(), f"{picture.name}: draw it again"
        assert picture.stat().st_size < 100_000


def test_the_picture_of_merging_runs_is_that_of_its_script(figures):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    merging = importlib.import_module("merging")
    picture = merging.TARGET.read_text(encoding="utf-8")
    assert merging.digest() in picture, "draw it again: python bench/merging.py"
    assert len(picture) < 200_000


def test_the_tables_in_markdown_are_those_of_the_results_file(figures):
    run, path = importlib.import_module("render"), figures.newest()
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == run.markdown(document, path.stem)


def results_of(script, block):
    """What the blocks of a page show: the results file and its document, after a look at the page itself."""
    path = importlib.import_module("pages").source(text(script.PAGE), block)
    assert script.with_blocks(text(script.PAGE), path) == text(script.PAGE)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == script.page(document)
    return path, document


def test_the_page_on_estimators_is_that_of_its_results(figures):
    _, document = results_of(importlib.import_module("sklearn_page"), "scikit-learn")
    assert sum(map(len, document["groups"].values())) >= 60


def test_the_page_on_tables_is_that_of_its_results(figures):
    tables = importlib.import_module("tables_page")
    path, document = results_of(tables, "tables")
    assert len(document["two"]) + len(document["more"]) >= 18
    for table in [*document["two"].values(), *document["more"].values()]:  # figures are means of what each fold gave
        for score in table["scores"].values():
            assert score["log_loss"] == pytest.approx(np.mean(score["log_losses"]), abs=1e-6)
    document["more"]["digits"]["scores"]["train"]["accuracy"] = 0.12345
    assert "0.123" in tables.block(document, path)


def test_the_page_on_clusters_is_that_of_its_results(figures):
    cluster_page = importlib.import_module("cluster_page")
    assert text("docs/cluster.md") == cluster_page.page(cluster_page.newest())
