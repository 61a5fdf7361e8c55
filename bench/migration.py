"""Write the last part of MIGRATION.md: how long five scripts take with scikit-learn's import and with ours.

`tests/test_migration.py` checks that both print the same.
"""

import contextlib
import io
import textwrap
import warnings
from pathlib import Path

import family  # first: it limits NumPy's BLAS to one thread
import numpy as np

from tinynet_fast.proof.bench.machine import machine

SCRIPTS = Path(__file__).parent.parent / "examples" / "migration"
ORDER = ("pipeline", "grid_search", "generator", "class_weights", "calibration")
WORDS = {
    "sklearn.linear_model import SGDClassifier": "tinynet_fast.sklearn import SGDClassifier",
    "sklearn.neural_network import MLPClassifier": "tinynet_fast.sklearn import MLPClassifier",
}
QUOTES = '".'  # around the title of a script, which is its docstring
PAGE = Path(__file__).parent.parent / "MIGRATION.md"
HEADING = "## Five scripts\n"  # what stands before it is written by hand


def both(source):
    """The compiled script, with scikit-learn's import and with ours."""
    ours = source
    for old, new in WORDS.items():
        ours = ours.replace(f"from {old}", f"from {new}")
    assert ours != source
    return {who: compile(text, who, "exec") for who, text in (("theirs", source), ("ours", ours))}


def measured():
    """The part of the page, piece by piece."""
    for name in ORDER:
        source = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")

        def run(code):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, {"__name__": "__main__"})

        runs = {who: lambda code=code: run(code) for who, code in both(source).items()}
        seconds = family.cpu_turns(runs, 5)
        title, _, code = source.partition("\n")
        before, after = np.median(seconds["theirs"]), np.median(seconds["ours"])
        times = np.median(seconds["theirs"] / seconds["ours"])
        yield f"### {title.strip(QUOTES)}\n\n```python\n{code.strip()}\n```\n"
        yield f"The whole script: {before:.2f} s before, {after:.2f} s after, {times:.1f} times as fast.\n"
    facts = ", ".join(f"{name} {value}" for name, value in machine().items() if name != "torch")
    words = (
        "Each time is the median CPU time of five runs in one process, with one thread; the two imports took turns. "
        "Machine:"
    )
    yield textwrap.fill(f"{words} {facts}.", 120) + "\n"


def main():
    warnings.simplefilter("ignore")
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    PAGE.write_text("\n".join([head + HEADING, *measured()]), encoding="utf-8")


if __name__ == "__main__":
    main()
