"""What tests read in the HTML of the built site: links, anchors, and what a page loads."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

BUILT = Path(__file__).parents[2] / "build" / "docs"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.anchors, self.loaded = [], set(), []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADED and found.get(LOADED[tag]):
            self.loaded.append(found[LOADED[tag]])


@cache
def read(path):
    """Links, anchors and loaded files of a page."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def pages():
    """The pages of the last build, by their names. (Files of pages that were removed stay in the folder.)"""
    index = (BUILT / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(re.search(r'"?docnames"?:(\[.*?\])', index)[1])


def html_of(name):
    return BUILT / f"{name}.html"


def all_html():
    """The files of the last build's pages, and of those that Sphinx adds."""
    generated = [BUILT / "genindex.html", BUILT / "search.html", *(BUILT / "_modules").rglob("*.html")]
    return [*map(html_of, pages()), *generated]
