"""Texts that stand in a file, against those that are made now. They are in parts, each below a line `== name`."""

MARK = "== "


def assert_is_shown(text, path):
    """`text` is what the file holds: compared part by part, so that a difference is easy to read."""
    comp, ref = text.split(MARK), path.read_text(encoding="utf-8").split(MARK)
    assert len(comp) == len(ref)
    for made, shown in zip(comp, ref, strict=True):
        assert made == shown
