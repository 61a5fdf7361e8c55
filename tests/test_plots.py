"""Pictures show the library's numbers, and files are written whole or not at all."""

from dataclasses import replace

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, sweep, sweep_mlp, train_mlp, train_neuron

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from matplotlib.figure import Figure

from tinynet_fast import plots
from tinynet_fast.columns import Columns
from tinynet_fast.columns.kinds import Levels, Numbers
from tinynet_fast.tables.report import Report


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    return X, np.where(X[:, 0] + 0.5 * rng.standard_normal(200) > 0, "pass", "fail")


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, label):
    return next(found for found in ax.get_lines() if found.get_label() == label).get_xydata()


def test_every_function_takes_and_returns_an_axes(rows):
    X, y = rows
    trained = train_neuron(X, y, epochs=3)
    for draw in (
        lambda ax: plots.loss_curves(trained, ax),
        lambda ax: plots.learning_rates(sweep(X, y, learning_rate=[0.1, 1.0]), ax),
        lambda ax: plots.decision_boundary(trained.model, X, y, ax),
        lambda ax: plots.calibration_curve(trained.model, X, y, ax),
        lambda ax: plots.thresholds(trained.model, X, y, ax),
    ):
        ax = Figure().subplots()
        assert draw(ax) is ax
        for drawn in (ax, draw(None)):
            assert drawn.get_xlabel()
            assert drawn.get_ylabel()
            assert drawn.get_title()


def test_losses(rows):
    X, y = rows
    result = train_neuron(X, y, epochs=30, validation=0.25, seed=0, patience=3)
    ax = plots.loss_curves(result)
    np.testing.assert_array_equal(line(ax, "training")[:, 1], result.loss_history)
    other = next(axes for axes in ax.figure.axes if axes is not ax)  # another unit, so an axis of its own
    np.testing.assert_array_equal(line(other, "validation")[:, 1], result.validation_loss_history)
    assert (ax.get_ylabel(), other.get_ylabel()) == ("sum of squared errors", "validation log loss [nats a row]")
    assert names(ax) == ["training", "validation", f"best: epoch {result.best_epoch}"]
    network = train_mlp(X, y, epochs=5, validation=0.25, seed=0)
    ax = plots.loss_curves(network)
    assert ax.figure.axes == [ax]
    np.testing.assert_array_equal(line(ax, "validation")[:, 1], network.validation_loss_history)
    assert ax.get_ylabel() == "mean cross-entropy [nats a row]"
    squared = train_mlp(X, y, epochs=2, loss="squared_error", seed=0)
    assert plots.loss_curves(squared).get_ylabel() == "mean squared error"
    once = plots.loss_curves(train_mlp(X, y, epochs=1, validation=0.25, seed=0))
    assert [found.get_marker() for found in once.get_lines()] == ["o", "o"]  # a line through one point is none
    assert {found.get_marker() for found in ax.get_lines()} == {"None"}
    assert plots.loss_curves(squared).get_legend() is None  # there is one curve
    for axes in (*ax.figure.axes, *other.figure.axes):  # the curves fill more than half of the axis
        low, high = axes.get_ylim()
        shown = np.concatenate([found.get_ydata() for found in axes.get_lines() if found.get_label() != "_best"])
        shown = shown[(shown >= low) & (shown <= high)]
        assert low == 0.0 or np.ptp(shown) > 0.5 * (high - low)


def test_learning_rates_name_the_best_and_mark_the_diverged():
    result = sweep([1, 2, 3, 4], [0, 0, 1, 1], learning_rate=[0.01, 0.1, 1e308], epochs=50)
    assert result.diverged.tolist() == [False, False, True]
    ax = plots.learning_rates(result)
    assert names(ax) == ["0.01", "0.1 (best)", "1e+308 (diverged)"]
    np.testing.assert_array_equal(line(ax, "0.01")[:, 1], result.loss_history[:, 0])
    assert sum(found.get_marker() == "x" for found in ax.get_lines()) == 1
    widths = {found.get_label(): found.get_linewidth() for found in ax.get_lines()}
    assert widths["0.1 (best)"] > widths["0.01"]
    assert ax.get_legend().get_title().get_text() == "learning rate"
    assert ax.get_ylim()[0] == 0.0


def test_learning_rates_end_in_a_cross_at_the_last_finite_loss(rows):
    result = sweep(*rows, learning_rate=[0.01, 0.1], epochs=4)
    losses, diverged = result.loss_history.copy(), np.array([False, True])
    losses[2:, 1] = np.nan
    drawn = plots.learning_rates(replace(result, loss_history=losses, diverged=diverged)).get_lines()
    crosses = [found.get_xydata().tolist() for found in drawn if found.get_marker() == "x"]
    assert crosses == [[[1.0, losses[1, 1]]]]


def test_learning_rates_of_one_epoch_are_points(rows):
    for epochs, marker in ((1, "o"), (2, "None")):
        drawn = plots.learning_rates(sweep(*rows, learning_rate=[0.01, 0.1], epochs=epochs)).get_lines()
        assert [found.get_marker() for found in drawn] == [marker, marker]


def test_learning_rates_of_networks(rows):
    result = sweep_mlp(*rows, learning_rate=[0.01, 0.1], seed=[1, 2], folds=2, epochs=3)
    ax = plots.learning_rates(result)
    assert sorted(name.removesuffix(" (best)") for name in names(ax)) == [
        f"learning_rate={rate}, seed={seed}" for rate in (0.01, 0.1) for seed in (1, 2)
    ]
    assert ax.get_ylabel() == "mean loss of the epoch"
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), result.loss_history[:, 0])


def test_learning_rates_with_penalties_and_folds(rows):
    result = sweep(*rows, learning_rate=[0.01, 0.1], l2=[0.0, 0.1], average=[False, True], folds=3, seed=0)
    labels = names(plots.learning_rates(result))
    assert len(labels) == 8  # and none of the models that hold a fold out
    assert any(label.startswith("0.01, l2 0.1, averaged") for label in labels)
    many = plots.learning_rates(sweep(*rows, learning_rate=np.geomspace(1e-4, 1, 20).tolist()))
    assert len(names(many)) == 1  # the best alone is named
    assert len(many.get_lines()) == 20
    twelve = sweep(*rows, learning_rate=np.geomspace(1e-4, 1, plots.MOST_NAMED).tolist())
    assert len(names(plots.learning_rates(twelve))) == plots.MOST_NAMED


def test_boundary_of_one_input_is_the_sigmoid():
    model = Neuron(weights=[2.0], bias=-5.0, features=["hours"], threshold=0.6, labels=["no", "yes"])
    ax = plots.decision_boundary(model, [1, 2, 3, 4], ["no", "no", "yes", "yes"])
    x, probability = line(ax, "probability").T
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(5 - 2 * x)), rtol=1e-12)
    assert (x[0], x[-1]) == pytest.approx((0.76, 4.24))  # 8 % more than the rows on both sides
    assert [found.get_ydata()[0] for found in ax.get_lines() if found.get_label().startswith("threshold")] == [0.6]
    assert ax.get_ylim() == (-0.05, 1.05)
    assert [drawn.get_offsets().tolist() for drawn in ax.collections] == [[[1, 0], [2, 0]], [[3, 1], [4, 1]]]
    assert names(ax) == ["probability", "threshold 0.6", "no", "yes"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("hours", "probability of yes")


def test_boundary_of_two_inputs_is_where_the_probability_is_the_threshold(rows):
    X, y = rows
    model = train_mlp(X, y, epochs=200, learning_rate=1.0, seed=0).model
    ax = plots.decision_boundary(model, X, y)
    lines = [path.vertices for c in ax.collections if hasattr(c, "levels") for path in c.get_paths()]
    np.testing.assert_allclose(model.predict_proba(np.concatenate(lines)), 0.5, atol=0.02)
    assert names(ax) == ["probability 0.5", "fail", "pass"]
    low, high = X.min(axis=0), X.max(axis=0)
    around = np.stack([low - 0.08 * (high - low), high + 0.08 * (high - low)], axis=1)
    np.testing.assert_allclose(ax.get_images()[0].get_extent(), around.ravel())  # left, right, bottom, top
    assert ax.figure.axes[1].get_ylabel() == "probability of pass"
    drawn = {found.get_label(): np.asarray(found.get_offsets()) for found in ax.collections[1:]}
    for label in ("fail", "pass"):
        np.testing.assert_array_equal(drawn[label], X[y == label])
    certain = Neuron(weights=[0.0, 0.0], bias=5.0)
    assert names(plots.decision_boundary(certain, X, (y == "pass").astype(int))) == ["0", "1"]  # no line to draw


def test_boundary_of_rows_that_are_all_the_same():
    """There is a picture around the point."""
    one = plots.decision_boundary(Neuron(weights=[1.0]), [3, 3], [0, 1])
    assert line(one, "probability")[[0, -1], 0].tolist() == [2.0, 4.0]
    assert (one.get_xlabel(), one.get_ylabel()) == ("input", "probability of 1")
    two = plots.decision_boundary(Neuron(weights=[1.0, 1.0]), [[3, 5], [3, 5]], [0, 1])
    assert two.get_images()[0].get_extent() == [2.0, 4.0, 4.0, 6.0]
    assert (two.get_xlabel(), two.get_ylabel()) == ("first input", "second input")


def test_pictures_of_sparse_rows():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    X, y = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [2.0, 2.0, 0.0]]), [1, 0, 1]
    for width in (1, 2):
        model, part = Neuron(weights=[1.0, -1.0][:width]), X[:, :width]
        ref, comp = (plots.decision_boundary(model, form, y) for form in (part, sparse.csr_matrix(part)))
        for one, other in zip(ref.collections, comp.collections, strict=True):
            np.testing.assert_array_equal(one.get_offsets(), other.get_offsets())
    model = Neuron(weights=[1.0, -1.0, 0.5])
    ref, comp = (line(plots.thresholds(model, form, y), "recall") for form in (X, sparse.csr_matrix(X)))
    np.testing.assert_allclose(ref, comp, rtol=1e-15)


def test_calibration_is_the_share_in_each_part(rows):
    model = Neuron(weights=[3.0, 0.0], labels=["fail", "pass"])
    ax = plots.calibration_curve(model, *rows, bins=4)
    probability = model.predict_proba(rows[0])
    parts = np.array_split(np.argsort(probability), 4)
    ref = [(probability[part].mean(), (rows[1][part] == "pass").mean()) for part in parts]
    drawn = next(found for found in ax.get_lines() if found.get_marker() == "o").get_xydata()
    np.testing.assert_allclose(drawn, ref, rtol=1e-12)
    assert len(plots.calibration_curve(model, rows[0][:3], rows[1][:3]).containers) == 1  # fewer rows than parts
    share = np.array(ref)[:, 1]
    error = 2 * np.sqrt(share * (1 - share) / 50)
    bars = np.array(ax.collections[0].get_segments())[:, :, 1]  # lower and upper end
    np.testing.assert_allclose(bars, np.stack([share - error, share + error], axis=1), rtol=1e-12)
    assert line(ax, "perfect calibration").tolist() == [[0, 0], [1, 1]]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.02, 1.02), (-0.02, 1.02))
    assert names(ax) == ["perfect calibration", "rows, in 4 equal parts"]
    assert names(plots.calibration_curve(model, *rows))[1] == "rows, in 10 equal parts"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted probability of pass", "share that is pass")


def test_thresholds_are_those_of_scikit_learn(rows):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    X, y = rows[0].round(1), rows[1]  # ties
    model = Neuron(weights=[1.0, 0.0], labels=["fail", "pass"])
    ax = plots.thresholds(model, X, y)
    precision, recall, at = metrics.precision_recall_curve(y == "pass", model.predict_proba(X))
    for name, ref in (("precision", precision), ("recall", recall)):
        drawn = line(ax, name)[::-1]
        np.testing.assert_allclose(drawn[:, 0], at, rtol=1e-12)
        np.testing.assert_allclose(drawn[:, 1], ref[:-1], rtol=1e-12)
    limit, accuracy = line(ax, "accuracy")[7]
    assert accuracy == pytest.approx(np.mean(model.predict(X, threshold=limit) == y))
    assert names(ax) == ["precision", "recall", "accuracy", "threshold 0.5"]
    assert line(ax, "threshold 0.5")[:, 0].tolist() == [0.5, 0.5]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.02, 1.02), (-0.02, 1.02))
    assert ax.get_xlabel() == "threshold on the probability of pass"


@pytest.mark.parametrize("y", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], ids=str)
def test_thresholds_if_a_label_is_rare(y):
    model, X = Neuron(weights=[1.0]), [-2, -1, 1, 2]
    ax = plots.thresholds(model, X, y)
    for limit, accuracy in line(ax, "accuracy"):
        assert accuracy == np.mean(model.predict(X, threshold=limit) == y)
    assert line(ax, "recall")[-1, 1] == max(y)  # where there is no such row, none is found


@pytest.mark.parametrize("labels", [["$x^$", "b"], ["_a", "_b"], ["", "<&>"], ["b", "\\frac $ $"]], ids=str)
def test_names_are_drawn_as_they_are(labels, tmp_path):
    X, y = [[0, 1], [1, 0], [2, 2]], [labels[1], labels[0], labels[1]]
    model = Neuron(weights=[1.0, -1.0], labels=labels, features=["$^", "in $"])
    quality = (plots.calibration_curve, plots.thresholds, plots.roc, plots.precision_recall, plots.confusion)
    for draw in (plots.decision_boundary, plots.contributions, *quality):
        for name in ("p.png", "p.svg"):
            plots.save(draw(model, X, y), tmp_path / name)  # which is when matplotlib reads mathematics
    shown = names(plots.decision_boundary(model, X, y))[-2:]
    assert [name.strip().replace("\\$", "$") for name in shown] == labels


def test_models_and_rows_that_cannot_be_drawn(rows):
    X, y = rows
    three = MLP(weights=[np.ones((2, 3))], biases=[np.zeros(3)], labels=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"y\[0\] is '.*', an unknown label: the model knows 'a', 'b' and 'c'"):
        plots.thresholds(three, X, y)
    with pytest.raises(ValueError, match="pass a report, or a model with rows X and their labels y"):
        plots.roc(three)
    report = Report.of(["a", "b"], np.array([[0.5, 0.5]]), np.array([0]))
    with pytest.raises(ValueError, match=r"a report has its rows already: .*ax=ax"):
        plots.roc(report, Figure().subplots())
    with pytest.raises(ValueError, match="the model has 3 inputs; a boundary is drawn for one or two"):
        plots.decision_boundary(Neuron(weights=[1, 2, 3]), [[1, 2, 3]], [0])
    with pytest.raises(ValueError, match="X has 2 columns where the model has 1 inputs"):
        plots.calibration_curve(Neuron(weights=[1.0]), X, [0] * 200)
    with pytest.raises(ValueError, match="bins is 0"):
        plots.calibration_curve(Neuron(weights=[1.0, 2.0], labels=["fail", "pass"]), X, y, bins=0)


@pytest.mark.parametrize(("name", "start"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml"), ("P.PNG", b"\x89PNG")])
def test_files(name, start, rows, tmp_path):
    ax = plots.loss_curves(train_neuron(*rows, epochs=2))
    plots.save(ax, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_fails_leaves_the_old_one(rows, tmp_path, monkeypatch):
    ax = plots.loss_curves(train_neuron(*rows, epochs=2))
    (tmp_path / "p.png").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"p\.gif: pictures are written as \.png or \.svg"):
        plots.save(ax, tmp_path / "p.gif")

    def fail(file, **options):
        file.write(b"half")
        raise RuntimeError("disk")

    monkeypatch.setattr(ax.figure, "savefig", fail)
    with pytest.raises(RuntimeError, match="disk"):
        plots.save(ax, tmp_path / "p.png")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("p.png", b"old")]


def test_without_matplotlib_the_remedy_is_named(rows, monkeypatch):
    result = train_neuron(*rows, epochs=2)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'tinynet-fast\[plot\]'"):
        plots.loss_curves(result)


def test_results_of_another_kind(rows):
    X, y = rows
    trained = train_neuron(X, y, epochs=1)
    with pytest.raises(ValueError, match=r"^loss_curves takes what train_neuron .* returns, and this is a SweepResult"):
        plots.loss_curves(sweep(X, y))
    with pytest.raises(ValueError, match=r"^learning_rates takes what sweep returns, and this is a TrainingResult"):
        plots.learning_rates(trained)
    for bins in ("10", None, 2.5, 0):
        with pytest.raises(ValueError, match=r"^bins is .*; a whole number of at least 1 is needed"):
            plots.calibration_curve(trained.model, X, y, bins=bins)


# --- more labels, and the pictures of a report ------------------------------------------------------------------------


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


def test_no_legend_covers_a_curve(rows, four, tmp_path):
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
        plots.save(ax, tmp_path / "p.png")
        legend, inside = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert legend.x0 >= inside.x1 or legend.y1 <= inside.y0
        assert legend.x0 >= 0
        assert legend.x1 <= ax.figure.get_size_inches()[0] * ax.figure.dpi
        assert legend.y0 >= 0
        if legend.y1 <= inside.y0:
            assert legend.y1 <= ax.xaxis.label.get_window_extent().y0


# --- contributions ----------------------------------------------------------------------------------------------------


def bars(ax):
    """The bars' lengths by name, from top to bottom."""
    names = [text.get_text() for text in ax.get_yticklabels()]
    return dict(zip(names, (bar.get_width() for bar in ax.patches), strict=True))


def planned(weights, deviations, **fields):
    return Neuron(weights=weights, training={"deviations": deviations}, **fields)


def test_contributions_are_weights_times_deviations():
    ax = plots.contributions(planned([1.0, -3.0, 0.5], [2.0, 1.0, 1.0], features=["a", "b", "c"]))
    assert bars(ax) == {"b": -3.0, "a": 2.0, "c": 0.5}
    assert list(bars(ax)) == ["b", "a", "c"]
    assert list(bars(plots.contributions(planned([1.0, 2.0], [1.0, 1.0])))) == ["input 2", "input 1"]
    three = MLP(weights=[np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])], biases=[np.zeros(3)], labels=["a", "b", "c"])
    three.training = {"deviations": [1.0, 1.0]}
    assert bars(plots.contributions(three)) == {"input 1": pytest.approx((2 / 3) ** 0.5), "input 2": 0.0}


def test_levels_stand_below_their_column():
    school = Levels("school", list("abcdef"), [0.1] * 7, gaps=True)
    columns = Columns([school, Numbers("hours", 2.0, gaps=True), Numbers("age", 20.0, gaps=False)])
    weights = [1.0, -6.0, 5.0, 4.0, -3.0, 2.0, 0.5, 1.0, 3.0, -20.0]
    model = planned(weights, [0.5] * 10, features=columns.inputs, columns=columns)
    found = bars(plots.contributions(model))
    assert found == {
        "age": -10.0,
        "school (3 more levels)": pytest.approx(0.5 * np.sqrt(np.sum(np.square(weights[:7])))),
        "= b": -3.0,
        "= c": 2.5,
        "= d": 2.0,
        "= e": -1.5,
        "hours": 0.5,
        "is missing": 1.5,
    }
    assert next(iter(found)) == "age"
    assert list(found)[-2:] == ["hours", "is missing"]


def test_many_columns_are_counted():
    model = planned(np.arange(1.0, 41.0), [1.0] * 40)
    ax = plots.contributions(model)
    assert len(ax.patches) == 20
    assert "(and 20 more columns)" in ax.get_title()


def test_a_network_needs_rows_to_show_contributions(rows):
    X, y = rows
    network = train_mlp(X, y, hidden=4, epochs=50, learning_rate=0.5, seed=0).model
    with pytest.raises(ValueError, match=r"has hidden units: pass rows .* contributions\(model, X, y\)"):
        plots.contributions(network)
    with pytest.raises(ValueError, match="does not know the deviations"):
        plots.contributions(Neuron(weights=[1.0]))
    found = bars(plots.contributions(network, X, y))
    assert list(found) == ["input 1", "input 2"]  # the labels depend on the first input alone
    assert found["input 1"] > 5 * abs(found["input 2"])
