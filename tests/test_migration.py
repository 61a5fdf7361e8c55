"""Scripts as people have them, run as they are and with only the import changed: the same results."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

SCRIPTS = sorted((Path(__file__).parent.parent / "examples" / "migration").glob("*.py"))
IMPORTS = {
    "from sklearn.linear_model import SGDClassifier": "from tinynet_fast.sklearn import SGDClassifier",
    "from sklearn.neural_network import MLPClassifier": "from tinynet_fast.sklearn import MLPClassifier",
}


def run(source):
    """The script's variables."""
    variables = {"__name__": "__main__"}
    exec(compile(source, "script", "exec"), variables)
    return variables


def test_the_page_shows_the_scripts():
    page = (Path(__file__).parent.parent / "MIGRATION.md").read_text(encoding="utf-8")
    for script in SCRIPTS:
        _, _, code = script.read_text(encoding="utf-8").partition('"""\n\n')
        assert f"```python\n{code}```" in page


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_only_the_import_changes(script, capsys):
    theirs = script.read_text(encoding="utf-8")
    ours = theirs
    for old, new in IMPORTS.items():
        ours = ours.replace(old, new)
    changed = [pair for pair in zip(theirs.splitlines(), ours.splitlines(), strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1
    ref = run(theirs)["result"]
    ref_printed = capsys.readouterr().out
    comp = run(ours)["result"]
    assert capsys.readouterr().out == ref_printed != ""
    for a, b in zip(comp, ref, strict=True):
        if isinstance(b, str):
            assert a == b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_there_are_five():
    assert len(SCRIPTS) == 5
