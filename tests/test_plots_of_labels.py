"""Pictures of more than two labels, and of reports."""

from dataclasses import replace

import numpy as np
import pytest
from test_plots import Figure, line, made_rows, names

from tinynet_fast import Neuron, plots, sweep, train_mlp, train_neuron
from tinynet_fast.tables.report import Report

rows = pytest.fixture(made_rows)


@pytest.fixture
def four():
    """Rows of four labels, and a report on them."""
    rng = np.random.default_rng(4)
    codes = rng.integers(4, size=300)
    z = rng.standard_normal((300, 4)).round(1)
    z[np.arange(300), codes] += 1.5
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Report.of(["north", "east", "south", "west"], p, codes)


def two_of(four):
    """A report on two labels."""
    p = four.judged.probabilities[:, 0]
    return Report.of(["no", "yes"], np.stack([1 - p, p], axis=1), (four.judged.codes == 0).astype(int), threshold=0.4)


def test_roc_is_that_of_scikit_learn(four):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    ax = plots.roc(four)
    for k, label in enumerate(four.labels):
        area = four.per_label[k].auc.value
        drawn = line(ax, f"{label} {area:.3f}")
        ref = sklearn.roc_curve(four.judged.codes == k, four.judged.probabilities[:, k], drop_intermediate=False)
        np.testing.assert_allclose(drawn, np.stack(ref[:2], axis=1), rtol=1e-12)
    two = two_of(four)
    ax = plots.roc(two)
    assert names(ax) == ["chance", f"AUC {two.auc.value:.3f}", "threshold 0.4"]
    (no, yes), recall = two.confusion[0], two.per_label[1].recall.value
    assert line(ax, "threshold 0.4").tolist() == [[pytest.approx(yes / (no + yes)), pytest.approx(recall)]]


def test_precision_and_recall_are_those_of_scikit_learn(four):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    ax, two = plots.precision_recall(four), two_of(four)
    for k, label in enumerate(four.labels):
        true, p = four.judged.codes == k, four.judged.probabilities[:, k]
        drawn = line(ax, f"{label} {sklearn.average_precision_score(true, p):.3f}")
        precision, recall, _ = sklearn.precision_recall_curve(true, p)
        np.testing.assert_allclose(drawn[::-1], np.stack([recall, precision], axis=1)[:-1], rtol=1e-12)
    ax = plots.precision_recall(two)
    point = [two.per_label[1].recall.value, two.per_label[1].precision.value]
    assert line(ax, "threshold 0.4").tolist() == [pytest.approx(point)]
    share = np.mean(two.judged.codes)
    assert names(ax)[1:] == [f"share {share:.3g}", "threshold 0.4"]


def test_confusion_has_the_counts(four):
    ax = plots.confusion(four)
    counts = np.array([int(text.get_text()) for text in ax.texts]).reshape(4, 4)
    np.testing.assert_array_equal(counts, four.confusion)
    rows = four.confusion.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ax.get_images()[0].get_array(), four.confusion / rows)
    assert [text.get_text() for text in ax.get_yticklabels()] == list(four.labels)
    many = Report.of(np.arange(50), np.eye(50), np.arange(50))
    assert not plots.confusion(many).texts  # there is no room


@pytest.mark.parametrize("draw", ["calibration_curve", "thresholds", "roc", "precision_recall", "confusion"])
def test_a_report_and_a_model_give_the_same_picture(draw, rows, tmp_path):
    X, y = rows
    three = np.where(X[:, 1] > 1, "late", y)
    for labels in (y, three):
        model = train_mlp(X, labels, epochs=5, seed=0).model
        p = model.predict_proba(X)
        p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
        report = Report.of(model.labels, p, np.searchsorted(model.labels, labels))
        ax = Figure().subplots()
        assert getattr(plots, draw)(report, ax=ax) is ax
        ref, comp = getattr(plots, draw)(model, X, labels), ax
        for one, other in zip(ref.get_lines(), comp.get_lines(), strict=True):
            np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
        assert (comp.get_xlabel(), comp.get_title()) == (ref.get_xlabel(), ref.get_title())
        plots.save(ref, tmp_path / "p.png")


def test_calibration_and_thresholds_have_a_curve_for_each_label(four):
    ax = plots.calibration_curve(four, bins=3)
    assert names(ax) == ["perfect calibration", *four.labels]
    p, true = four.judged.probabilities[:, 2], four.judged.codes == 2
    parts = np.array_split(np.argsort(p, kind="stable"), 3)
    ref = [(p[part].mean(), true[part].mean()) for part in parts]
    np.testing.assert_allclose(line(ax, "south"), ref, rtol=1e-12)
    ax = plots.thresholds(four)
    assert names(ax) == [*four.labels, "precision", "recall"]
    assert len(ax.get_lines()) == 8 + 2


def test_a_long_legend_is_shortened():
    many = Report.of(np.arange(30), np.eye(30)[np.arange(60) % 30], np.arange(60) % 30)
    for draw in (plots.roc, plots.precision_recall, plots.calibration_curve, plots.thresholds):
        shown = [
            name for name in names(draw(many)) if name not in ("chance", "perfect calibration", "precision", "recall")
        ]
        assert len(shown) == plots.MOST_NAMED
        assert shown[-1] == "and 19 more"


def test_rows_of_one_label_have_a_picture_that_says_so(tmp_path):
    one = Report.of(["a", "b"], np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    for draw in (plots.roc, plots.precision_recall):
        ax = draw(one)
        assert [text.get_text() for text in ax.texts] == ["undefined: the rows\nhave one label only"]
        plots.save(ax, tmp_path / "p.svg")
    for draw in (plots.calibration_curve, plots.thresholds, plots.confusion):
        plots.save(draw(one), tmp_path / "p.svg")


def test_small_probabilities_fill_the_axes():
    p = np.linspace(0.0, 0.1, 100)
    rare = Report.of(["no", "yes"], np.stack([1 - p, p], axis=1), (np.arange(100) % 20 == 19).astype(int))
    assert 0.1 < plots.calibration_curve(rare).get_xlim()[1] < 0.5
    ax = plots.thresholds(rare)
    assert ax.get_xlim()[1] == pytest.approx(0.105)
    assert names(ax)[-1] == "threshold 0.5 (larger than all)"


def test_boundaries_of_more_labels(rows):
    X, y = rows
    three = np.where(X[:, 1] > 1, "late", y)
    model = train_mlp(X, three, hidden=4, epochs=20, learning_rate=0.5, seed=0).model
    ax = plots.decision_boundary(model, X, three)
    assert names(ax) == ["fail", "late", "pass"]
    drawn = {found.get_label(): np.asarray(found.get_offsets()) for found in ax.collections}
    for label in model.labels:
        np.testing.assert_array_equal(drawn[label], X[three == label])
    one = train_mlp(X[:, :1], three, hidden=4, epochs=20, learning_rate=0.5, seed=0).model
    ax = plots.decision_boundary(one, X[:, :1], three)
    x = ax.get_lines()[0].get_xdata()
    comp = np.stack([found.get_ydata() for found in ax.get_lines()], axis=1)
    np.testing.assert_allclose(comp, one.predict_proba(x[:, np.newaxis]), rtol=1e-12)


def test_rows_that_coincide_are_moved_apart_and_others_stay():
    grid = np.array([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 7.0]])
    ax = plots.decision_boundary(Neuron(weights=[1.0, -0.5]), grid, [0, 0, 1, 1])
    places = np.concatenate([found.get_offsets() for found in ax.collections if found.get_label() in ("0", "1")])
    assert len(np.unique(places, axis=0)) == 4
    assert np.abs(places - grid).max(axis=0).tolist() <= [0.3, 0.6]  # closer to their own value than to any other
    assert "moved apart" in ax.get_title()
    alone = plots.decision_boundary(Neuron(weights=[1.0, -0.5]), grid[1:], [0, 1, 1])
    assert "moved apart" not in alone.get_title()
    one = plots.decision_boundary(Neuron(weights=[1.0], bias=-2.0), [1, 1, 1, 2, 3], [0, 0, 0, 1, 1])
    below, above = (np.asarray(found.get_offsets()) for found in one.collections)
    assert len(np.unique(below, axis=0)) == 3
    assert below[:, 1].max() < 0 < 1 < above[:, 1].min()


def test_losses_that_would_be_squashed(rows):
    result = train_mlp(*rows, epochs=2, seed=0)
    late = 300.0 - np.arange(30)
    high = replace(result, loss_history=np.append([9000.0, 2000.0], late))
    ax = plots.loss_curves(high)
    assert "up to 9,000, are cut off" in ax.get_title()
    low, top = ax.get_ylim()
    assert low < late.min() < late.max() < top < 400
    flat = plots.loss_curves(replace(result, loss_history=0.69 - 0.001 * np.arange(10)))
    assert np.ptp(flat.get_ylim()) < 0.012
    falling = plots.loss_curves(np.linspace(1.0, 0.1, 20))  # the losses alone
    assert falling.get_ylim()[0] == 0.0
    assert falling.get_ylabel() == "loss"
    steep = plots.loss_curves(0.5 + np.exp(-np.arange(200.0)))
    assert steep.get_xscale() == "symlog"
    assert falling.get_xscale() == "linear"
    constant = plots.loss_curves(np.full(6, 0.5))
    assert constant.get_ylim()[0] < 0.5 < constant.get_ylim()[1]
    wide = sweep(*rows, learning_rate=[0.01, 0.1], epochs=4)
    losses = wide.loss_history * np.array([1.0, 100.0])
    assert plots.learning_rates(replace(wide, loss_history=losses)).get_yscale() == "log"


def test_no_legend_covers_a_curve(rows, four):
    X, y = rows
    trained = train_neuron(X, y, epochs=5, validation=0.25, seed=0, patience=3)
    for ax in (
        plots.loss_curves(trained),
        plots.learning_rates(sweep(X, y, learning_rate=[0.01, 0.1], l2=[0.0, 0.1], average=[False, True])),
        plots.decision_boundary(trained.model, X, y),
        plots.roc(four),
        plots.precision_recall(four),
        plots.calibration_curve(four),
        plots.thresholds(four),
        plots.thresholds(two_of(four)),
    ):
        ax.figure.draw_without_rendering()  # which is when places are found
        legend, inside = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert legend.x0 >= inside.x1 or legend.y1 <= inside.y0
        assert legend.x0 >= 0
        assert legend.x1 <= ax.figure.get_size_inches()[0] * ax.figure.dpi
        assert legend.y0 >= 0
        if legend.y1 <= inside.y0:
            assert legend.y1 <= ax.xaxis.label.get_window_extent().y0
