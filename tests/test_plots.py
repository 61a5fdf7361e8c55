"""Pictures show the library's numbers, and files are written whole or not at all."""

from dataclasses import replace

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, sweep, sweep_mlp, train_mlp, train_neuron

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from matplotlib.figure import Figure

from tinynet_fast import plots
from tinynet_fast.tables.report import Report


def made_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    return X, np.where(X[:, 0] + 0.5 * rng.standard_normal(200) > 0, "pass", "fail")


rows = pytest.fixture(made_rows)


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
        ax = draw(model, X, y)
        for name in ("p.png", "p.svg"):
            plots.save(ax, tmp_path / name)  # which is when matplotlib reads mathematics
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
