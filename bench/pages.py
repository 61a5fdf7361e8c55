"""What benchmarks write: a results file, the page beside it, and blocks of the README and of the site's pages.

A block stands between two marks. The first names the script that writes the block and the results file that it shows.
"""

import json
import re
from pathlib import Path

from tinynet_fast.models.files import atomic_file

ROOT = Path(__file__).parent.parent


def with_block(text, name, script, path, block):
    """The page, with `block(document, path)` between the marks of this name; the document is that of a results file."""
    first, end = re.search(rf"<!-- {name}: .* -->\n", text), text.index(f"<!-- end of {name} -->")
    mark = f"<!-- {name}: written by bench/{script} from {link(path)} -->\n"
    document = json.loads(path.read_text(encoding="utf-8"))
    return text[: first.start()] + mark + "\n" + block(document, path) + "\n" + text[end:]


def source(text, name):
    """The results file that a block shows."""
    return ROOT / re.search(rf"<!-- {name}: written by \S+ from (\S+) -->", text)[1]


def link(path):
    return path.relative_to(ROOT).as_posix()


def whole(document, path):
    """A block of a page in docs/benchmarks: all that stands beside the results file, below its title."""
    return f"```{{include}} ../../{link(path.with_suffix('.md'))}\n:start-line: 1\n```\n"


def write(document, text, path):
    """Print the text, and write it beside the results."""
    print(text)
    path.parent.mkdir(exist_ok=True)
    with atomic_file(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    with atomic_file(path.with_suffix(".md"), "w") as file:
        file.write(text)


def update(page, with_blocks, path):
    """Write the blocks of a page from a results file: its new text is `with_blocks(text, path)`."""
    target = ROOT / page
    target.write_text(with_blocks(target.read_text(encoding="utf-8"), path), encoding="utf-8")
