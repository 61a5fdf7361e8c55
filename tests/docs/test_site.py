"""The built site: every link leads somewhere, nothing is loaded from elsewhere, every page can be found."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from site_html import BUILT, all_html, html_of, pages, read

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("built")


def broken(path):
    """The links of a page that lead to no file, or to no anchor in it."""
    for link in read(path).links + read(path).loaded:
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file():
            yield f"{link}: no such file"
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in read(target).anchors:
            yield f"{link}: no such anchor"


def test_every_link_leads_somewhere():
    found = {str(path.relative_to(BUILT)): list(broken(path)) for path in all_html()}
    assert len(found) > 50
    assert {name: links for name, links in found.items() if links} == {}


def test_a_broken_link_would_be_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<h1 id="a">A</h1> <a href="#a">1</a> <a href="#b">2</a> <a href="no.html">3</a> <a href="https://x.y">4</a>'
    )
    assert list(broken(page)) == ["#b: no such anchor", "no.html: no such file"]


def test_nothing_is_loaded_from_elsewhere():
    for path in all_html():
        outside = [
            name for name in read(path).loaded if urlsplit(name).scheme not in ("", "data") or name.startswith("//")
        ]
        assert outside == [], path
    for path in BUILT.rglob("*.css"):
        outside = re.findall(r"(?:url\(\s*|@import\s+)['\"]?((?:https?:)?//[^'\")]+)", path.read_text(encoding="utf-8"))
        assert outside == [], path


def test_every_page_can_be_reached_from_the_first():
    reached, new = set(), {BUILT / "index.html"}
    while new:
        reached |= new
        links = {(path.parent / urlsplit(link).path).resolve() for path in new for link in read(path).links}
        new = {path for path in links if path.suffix == ".html" and path.is_file()} - reached
    assert {name for name in pages() if html_of(name) not in reached} == set()


def test_sections_are_on_the_first_page():
    links = set(read(BUILT / "index.html").links)
    names = ("start", "learn", "guides", "fast", "proof", "benchmarks", "api", "notebooks")
    assert {f"{name}/index.html" for name in names} | {"extending.html", "changes.html"} <= links


def test_pictures_have_words_for_those_who_cannot_see_them():
    for name in pages():
        text = html_of(name).read_text(encoding="utf-8")
        assert all('aria-label="' in svg for svg in re.findall(r'<svg class="drawing"[^>]*>', text)), name
        assert not re.findall(r'<img (?![^>]*alt=")[^>]*>', text), name


def test_the_pictures_of_the_fast_pages_are_drawn():
    drawn = {name: html_of(name).read_text(encoding="utf-8").count('<svg class="drawing"') for name in pages()}
    assert drawn["index"] == 1
    assert sum(count for name, count in drawn.items() if name.startswith("fast/")) >= 7


@pytest.mark.parametrize(("word", "wanted"), [("sigmoid", "A sigmoid from a table"), ("train_neuron", "train_neuron")])
def test_the_search_box_works_from_a_folder(page, word, wanted):
    shown = page("index")
    box = shown.all("input[name=q]")[0]
    box.send_keys(word, "\n")
    shown.wait("return document.querySelectorAll('#search-results ul.search li').length > 0", "no search results")
    assert any(wanted in item.text for item in shown.all("#search-results ul.search li"))
    assert shown.problems() == []
