"""A report holds the scores of the rows, says what they do not define, and fits a screen."""

import io
import json

import numpy as np
import pytest

from tinynet_fast.tables.metrics import Score
from tinynet_fast.tables.report import Baseline, Report, _notes
from tinynet_fast.tables.report_view import MOST_LABELS


def made(k, n, seed=0, labels=None, **options):
    """A report on random rows of k labels, most of which are predicted rightly."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(k, size=n)
    z = rng.standard_normal((n, k))
    z[np.arange(n), codes] += 2.0
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Report.of([f"label {i}" for i in range(k)] if labels is None else labels, p, codes, **options)


def test_two_labels_by_hand():
    p = np.array([0.9, 0.8, 0.6, 0.4, 0.3, 0.1])
    report = Report.of(["fail", "pass"], np.stack([1 - p, p], axis=1), np.array([1, 1, 0, 1, 0, 0]), [3, 1], 0.7)
    assert report.confusion.tolist() == [[3, 0], [1, 2]]
    assert report.accuracy.value == 5 / 6
    fail, passed = report.per_label
    assert (fail.precision.value, fail.recall.value, fail.f1.value) == (3 / 4, 1.0, 6 / 7)
    assert (passed.precision.value, passed.recall.value, passed.f1.value) == (1.0, 2 / 3, 0.8)
    assert (fail.rows, fail.predicted, passed.rows, passed.predicted) == (3, 4, 3, 2)
    assert report.auc.value == 8 / 9
    assert report.log_loss.value == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.4, 0.7, 0.9]).mean())
    assert report.brier.value == pytest.approx(np.mean([0.01, 0.04, 0.36, 0.36, 0.09, 0.01]))
    base = report.baseline
    assert (base.label, base.shares, base.of_training_rows) == ("fail", [0.75, 0.25], True)
    assert (base.accuracy, base.auc) == (0.5, 0.5)
    assert base.log_loss == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    assert base.brier == pytest.approx((0.0625 + 0.5625) / 2)


def test_several_labels_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    report = made(5, 400)
    codes, predicted = report.judged.codes, report.judged.predicted
    precision, recall, f1, rows = sklearn.precision_recall_fscore_support(codes, predicted)
    for k, label in enumerate(report.per_label):
        comp = [label.precision.value, label.recall.value, label.f1.value, label.rows]
        assert comp == pytest.approx([precision[k], recall[k], f1[k], rows[k]])
    assert report.accuracy.value == pytest.approx(sklearn.accuracy_score(codes, predicted))
    assert report.threshold is None
    shares = np.bincount(codes) / 400
    assert report.baseline.log_loss == pytest.approx(-(shares @ np.log(shares)))
    assert report.baseline.brier == pytest.approx(1 - shares @ shares)
    assert report.baseline.of_training_rows is False
    assert "those of the training rows are not known" in report.notes[-1]


def test_what_is_undefined_is_none_and_said():
    never = Report.of(["a", "b"], np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), [1, 1])
    assert never.per_label[1].precision.value is None
    assert (never.per_label[1].recall.value, never.per_label[1].f1.value) == (0.0, 0.0)
    assert never.notes[0] == "no row is predicted to be b: precision is undefined for it"
    one = Report.of(["a", "b", "c"], np.array([[0.9, 0.05, 0.05]]), np.array([0]), [1, 1, 0])
    assert (one.auc.value, one.baseline.auc, one.log_loss.low) == (None, None, None)
    assert one.notes == (
        "all rows have the same label, a: AUC is undefined",
        "no row is predicted to be b, c: precision is undefined for it",
    )
    absent = Report.of(["a", "b", "c"], np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1]]), np.array([0, 1]), [1, 1, 1])
    assert absent.per_label[2].recall.value is None
    assert absent.auc.value == 1.0
    assert absent.notes[0] == "no row has the label c: recall and AUC are undefined for it"
    for report in (never, one, absent):
        json.dumps(report.to_json(), allow_nan=False)
        assert "nan" not in str(report)
    assert "undefined" in str(one)


def test_a_model_that_is_no_better_than_the_shares_is_named():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=300)
    p = np.clip(0.5 + 0.01 * rng.standard_normal(300), 0, 1)
    chance = Report.of([0, 1], np.stack([1 - p, p], axis=1), codes, [1, 1])
    assert any(note.startswith("the log loss is not clearly below") for note in chance.notes)
    wrong = np.where(codes == 1, 0.1, 0.9)
    worse = Report.of([0, 1], np.stack([1 - wrong, wrong], axis=1), codes, [1, 1])
    assert any("the probabilities are of no use" in note for note in worse.notes)
    assert made(2, 300, shares=[1, 1]).notes == ()


@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 300), (3, 100), (MOST_LABELS, 200_000), (40, 3000)])
@pytest.mark.parametrize("name", ["{}", "a rather long name of a label, number {}", "[red]\x1b[31m{}"])
def test_the_table_fits_a_screen(k, n, name):
    report = made(k, n, labels=[name.format(i) for i in range(k)], shares=np.ones(k))
    text = str(report)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    assert "\x1b" not in text
    assert lines[0] == f"{n:,} row{'s' if n > 1 else ''}, {k} labels"
    assert f"{report.accuracy.value:.4f}" in text
    assert ("more labels" in text) == (k > MOST_LABELS)


def test_rich_prints_it():
    console = pytest.importorskip("rich.console").Console(width=80, file=io.StringIO(), record=True)
    report = made(2, 50, labels=["[b]no", "yes"], shares=[1, 1])
    console.print(report)
    text = console.export_text()
    assert "[b]no" in text
    assert [line.rstrip() for line in text.strip("\n").splitlines()] == str(report).splitlines()
    console.print(report.scores())
    assert console.export_text().split() == text[: text.index("label ")].split()  # without what follows the scores
    assert repr(report).startswith("Report(50 rows, 2 labels, accuracy 0.")


def test_json_holds_every_score():
    report = made(3, 60, labels=np.array([1, 2, 3]))
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["labels"] == [1, 2, 3]
    assert found["confusion"] == report.confusion.tolist()
    assert found["auc"] == {"value": report.auc.value, "low": report.auc.low, "high": report.auc.high}
    assert found["per_label"][2]["f1"]["value"] == report.per_label[2].f1.value
    assert found["baseline"]["label"] in (1, 2, 3)
    assert "judged" not in found


@pytest.mark.parametrize(
    ("p", "codes", "shares", "message"),
    [
        (np.empty((0, 2)), [], None, "there are no rows"),
        ([[0.5, 0.5]], [2], None, "codes are whole numbers from 0 to 1"),
        ([[0.5, 0.5]], [0.0], None, "codes are whole numbers"),
        ([[0.5, 0.4]], [0], None, r"probabilities of row 0 are \[0.5, 0.4\]"),
        ([[0.5, 0.5], [np.nan, 0.5]], [0, 1], None, "probabilities of row 1"),
        ([[-0.5, 1.5]], [0], None, "probabilities of row 0"),
        ([0.5], [0], None, r"probabilities have shape \(1,\); \(1, 2\)"),
        ([[0.5, 0.5]], [0], [1.0], "2 numbers of at least 0"),
        ([[0.5, 0.5]], [0], [0.0, 0.0], "2 numbers of at least 0"),
    ],
)
def test_numbers_that_cannot_be_judged(p, codes, shares, message):
    with pytest.raises(ValueError, match=message):
        Report.of(["a", "b"], np.asarray(p), np.asarray(codes), shares)


def test_notes_compare_with_the_baseline_only_if_there_are_two_labels():
    baseline = Baseline("a", [0.5, 0.5], True, 0.5, 0.7, 0.5, 0.5)
    worse, unclear = Score(-0.2, -0.3, -0.1), Score(0.1, -0.1, 0.3)
    both, one = np.array([[3, 1], [1, 3]]), np.array([[3, 1], [0, 0]])
    labels = np.array(["a", "b"])
    assert "the probabilities are of no use" in _notes(labels, both, baseline, worse)[0]
    assert "the difference may be chance" in _notes(labels, both, baseline, unclear)[0]
    assert _notes(labels, both, baseline, Score(0.3, 0.1, 0.4)) == ()
    assert _notes(labels, one, baseline, worse) == ("all rows have the same label, a: AUC is undefined",)
