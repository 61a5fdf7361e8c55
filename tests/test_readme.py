"""README: it is short, and its links lead to files. `test_page_blocks.py` runs its blocks."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 160
    assert max(map(len, README.splitlines())) < 200


def test_pictures_and_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert len(links) > 20
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_it_begins_with_the_two_commands_and_shows_one_picture():
    first = re.search(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
    assert first[1] == "console"
    assert re.findall(r"^\$ (make \w+)", first[2], flags=re.MULTILINE) == ["make demo", "make test"]
    assert README.count("](bench/results/") == README.count("![") == 1


def test_it_leads_to_every_first_page():
    sections = {path.parent.name for path in (ROOT / "docs").glob("*/index.md")}
    linked = set(re.findall(r"\]\(docs/([\w-]+)/", README))
    assert len(sections) > 5
    assert sections - {"notebooks"} <= linked
