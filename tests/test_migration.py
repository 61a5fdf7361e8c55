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


ROOT = Path(__file__).parent
# The rows of the table of differences, by their first words, and the test of each.
DIFFERENCES = {
    "arrays passed as": ("test_sklearn_exchange", "test_arrays_to_start_from_are_not_written_to"),
    "a model that joblib maps": ("test_sklearn_exchange", "test_memory_mapped_models_train_on"),
    "a call of `SGDClassifier` or": (
        "test_sklearn_guards",
        "test_a_fit_that_fails_changes_nothing",
    ),
    "`coef_` assigned by hand": ("test_sklearn_guards", "test_weights_of_another_width"),
    "a model of float64 rows": ("test_sklearn_guards", "test_rows_of_float32_after_rows_of_float64_are_converted"),
    "`average` switched on": ("test_sklearn_guards", "test_averaging_may_begin_between_two_calls"),
    "`sparsify()`": ("test_sklearn_guards", "test_sparse_weights_become_dense_first"),
    "a batch of weight 0": ("test_sklearn_guards", "test_a_batch_of_no_weight_moves_nothing"),
    "a network to go on from": ("test_sklearn_guards", "test_a_network_whose_layout_changed_says_so"),
    "`predict_log_proba`": ("test_sklearn_guards", "test_a_logarithm_of_a_probability_of_zero"),
    "`verbose` and `early_stopping`": ("test_sklearn_guards", "test_epochs_of_several_classes_are_printed_together"),
    "an error in a value": ("test_sklearn_sgd", "test_input_that_is_refused"),
}


def test_each_difference_has_a_test():
    page = (ROOT.parent / "MIGRATION.md").read_text(encoding="utf-8").partition("## What differs")[2]
    rows = [line for line in page.partition("\n\n`engine=")[0].splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(DIFFERENCES)
    for row, (words, (module, test)) in zip(rows, DIFFERENCES.items(), strict=True):
        assert row.startswith(f"| {words}")
        assert f"def {test}" in (ROOT / "estimators" / f"{module}.py").read_text(encoding="utf-8")


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
