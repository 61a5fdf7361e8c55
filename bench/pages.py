"""What benchmarks with a page of their own write: a results file, the page beside it, and a block of the README."""

import json
from pathlib import Path

from tinynet_fast.models.files import atomic_file

ROOT = Path(__file__).parent.parent


def with_block(readme, path, marks, block):
    """The README, with `block(document, path)` between the two marks; the document is that of a results file."""
    start, end = readme.index(marks[0]) + len(marks[0]), readme.index(marks[1])
    document = json.loads(path.read_text(encoding="utf-8"))
    return readme[:start] + "\n" + block(document, path) + "\n" + readme[end:]


def write(document, text, path, with_own_block=None):
    """Print the page and write it beside the results. If there is a function of README and path, write the README."""
    print(text)
    path.parent.mkdir(exist_ok=True)
    with atomic_file(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    with atomic_file(path.with_suffix(".md"), "w") as file:
        file.write(text)
    if with_own_block is not None:
        target = ROOT / "README.md"
        target.write_text(with_own_block(target.read_text(encoding="utf-8"), path), encoding="utf-8")
