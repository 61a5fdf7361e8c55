"""Every block of the README and of the site's pages runs, in order, in an empty folder, and shows what is so.

`page_blocks.py` says what counts as a block, and how values and printed lines are compared.
"""

import re
import tomllib
from pathlib import Path

import page_blocks
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "MIGRATION.md", *sorted(DOCS.rglob("*.md"))]
    if "_build" not in path.parts
}
PAGES["MIGRATION.md"] = PAGES["MIGRATION.md"].partition("## Five scripts")[0]  # `test_migration.py` runs the scripts
# What a page needs besides the package, by what stands in its blocks. A page is skipped if that is not installed.
PEERS = {
    "pyarrow": r"\.parquet|\.arrow|pyarrow",
    "pandas": r"import pandas",
    "polars": r"import polars",
    "sklearn": r"sklearn",
    "matplotlib": r"plots|report\.html|\.png|\$ tinynet-fast (lab|plot)",
    "onnx": r"onnx",
    "onnxruntime": r"onnxruntime",
    "skl2onnx": r"skl2onnx",
    "torch": r"import torch|--torch",
    "dask": r"tinynet_fast import dask|tinynet_fast\.dask",
    "pyspark": r"tinynet_fast import .*spark|tinynet_fast\.spark",
}
# Commands that are not run here, because they take long. Other tests run them.
LEFT_OUT = {
    "bench": "half a minute; tests/proof/test_benchmarks.py",
    "demo": "plain Python on a million rows; tests/cli/test_cli.py",
    "validate": "ten seconds and more; tests/proof",
    "warmup": "compiles all kernels; tests/kernels/test_cache.py",
}


def ran(text):
    """The blocks of a page that are run."""
    return [block for block in page_blocks.blocks(text) if block.language in ("python", "console")]


RUN = [name for name, text in PAGES.items() if ran(text)]


@pytest.mark.parametrize("name", RUN)
def test_page_runs(name, tmp_path, monkeypatch):
    code = "\n".join(block.text for block in ran(PAGES[name]))
    for module, words in PEERS.items():
        if re.search(words, code):
            pytest.importorskip(module, reason=f"this page needs {module}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    page_blocks.run(PAGES[name], name, LEFT_OUT)


def test_the_first_pages_and_the_guides_have_blocks_that_run():
    """Each but the indexes. A guide begins with what can be done with it, and a block that runs."""
    pages = [name for name in PAGES if re.match(r"docs/(start|guides)/(?!index)", name)]
    assert len(pages) > 15
    assert not [name for name in pages if name not in RUN and "{include}" not in PAGES[name]]


def test_a_block_that_does_not_run_says_why():
    """A block in Python with the tag `py` begins with a comment that says why it is not run."""
    found = [(name, block) for name, text in PAGES.items() for block in page_blocks.blocks(text)]
    left_out = [(name, block.text) for name, block in found if block.language == "py"]
    assert left_out
    assert not [name for name, text in left_out if not text.startswith("# Not run here: ")]


def test_what_pages_name_is_there():
    """Commands of tinynet-fast, targets of make, extras of pip."""
    from typer.main import get_command

    from tinynet_fast.cli.app import app

    every = "\n".join(PAGES.values())
    known = set(get_command(app).commands)
    assert set(re.findall(r"^\$ tinynet-fast (\w+)", every, flags=re.MULTILINE)) <= known
    assert set(LEFT_OUT) <= known
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"[`$] ?make ([\w-]+)", every)) <= targets
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        extra
        for group in re.findall(r"pip install '?(?:\.|tinynet-fast)\[([\w,]+)\]", every)
        for extra in group.split(",")
    }
    assert {"io", "sklearn", "plot", "onnx"} <= extras <= set(project["optional-dependencies"])


PAGE = """
```python
third = [1 / 3, "a", True]  # [0.5]: a comment of an assignment is not compared
third  # [0.33, "a", True]: a third
print("one", "two")
print("of h1:", 1 / 8, -2)  # 0.12, -2: an eighth
```

```output
one two
of h1: 0.125 -2
```

```console
$ tinynet-fast predict no.json x=1   # there is no such file
tinynet-fast: no.json...
```

```py
not Python
```
"""
MISTAKES = {
    "a value": ("0.33", "0.34"),
    "a text": ('"a", True]:', '"b", True]:'),
    "a truth": ("True]: a", "False]: a"),
    "a length": (', "a", True]: a', ', "a"]: a'),
    "no value": ("# [0.33,", "# [0.33 and"),
    "a printed number": ("# 0.12, -2", "# 0.14, -2"),
    "a number that is not printed": ("# 0.12, -2", "# 0.12, -2, 3"),
    "what is printed": ("one two\n", "one ... three\n"),
    "what a command prints": ("no.json...", "other.json..."),
    "a status": ("tinynet-fast: no", "no"),
    "an unknown program": ("$ tinynet-fast predict no.json", "$ rm no.json"),
}


def test_a_page_without_mistakes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page_blocks.run(PAGE, "page")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_a_page_are_found(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=r"page:|comment begins"):
        page_blocks.run(PAGE.replace(*MISTAKES[mistake]), "page")


def test_an_error_names_the_line_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError) as info:
        page_blocks.run("\n\n```python\na = 1\na / 0\n```\n", "page.md")
    last = info.traceback[-1]
    assert str(last.path).endswith("page.md")
    assert last.lineno + 1 == 5


def test_the_guides_list_every_example():
    listed = set(re.findall(r"\]\(\.\./\.\./examples/(\w+)\.py\)", PAGES["docs/guides/index.md"]))
    assert listed == {path.stem for path in (ROOT / "examples").glob("*.py")}
