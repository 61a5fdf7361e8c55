"""Write a results file, its tables in Markdown and its pictures. `python bench/render.py FILE` writes them again."""

import json
import sys
from pathlib import Path

from tinynet_fast.models.files import atomic_file
from tinynet_fast.proof.bench import core, show


def markdown(document, name):
    tables = [show.markdown(title, core.results_of(document, title)) for title in document["families"]]
    return "\n".join([f"# Benchmarks, {name}\n", show.facts(document) + "\n", *tables])


def write(document, path):
    """Write the results file, and beside it the tables and pictures. Returns the paths of all files written."""
    with atomic_file(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    with atomic_file(path.with_suffix(".md"), "w") as file:
        file.write(markdown(document, path.stem))
    try:
        import pictures
    except ImportError as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return [path, path.with_suffix(".md")]
    return [path, path.with_suffix(".md"), *pictures.draw(document, path)]


if __name__ == "__main__":
    results = Path(sys.argv[1]).resolve()
    write(json.loads(results.read_text(encoding="utf-8")), results)
