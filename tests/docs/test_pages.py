"""The site: its pages are there."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_each_section_has_a_first_page():
    sections = [path for path in DOCS.iterdir() if path.is_dir() and not path.name.startswith("_")]
    assert len(sections) > 5
    assert not [path.name for path in sections if not (path / "index.md").is_file()]
