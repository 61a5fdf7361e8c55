"""Pictures of models of numbers, and which pictures refuse them."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from tinynet_fast import Neuron, evaluate, plots, train_mlp, train_neuron

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 2))
Y = 3.0 * X[:, 0] - X[:, 1] + 0.1 * RNG.standard_normal(80)
MODEL = Neuron(weights=[3.0, -1.0], bias=0.1, output="linear", features=["a", "b"])
LABELS = Neuron(weights=[3.0, -1.0], bias=0.1)


def points(ax):
    (drawn,) = ax.collections[:1]
    return np.asarray(drawn.get_offsets())


def test_predictions_against_true_numbers():
    ax = plots.predictions(MODEL, X, Y)
    np.testing.assert_allclose(points(ax), np.stack([Y, MODEL.predict(X)], axis=1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true number", "predicted number")
    assert ax.get_xlim() == ax.get_ylim()
    report = evaluate(MODEL, X, Y)
    np.testing.assert_allclose(points(plots.predictions(report)), points(ax))
    with pytest.raises(ValueError, match="has its rows already"):
        plots.predictions(report, X, Y)


@pytest.mark.parametrize("n", [1, 4, 80])
def test_residuals(n):
    ax = plots.residuals(MODEL, X[:n], Y[:n])
    predicted = MODEL.predict(X[:n])
    np.testing.assert_allclose(points(ax), np.stack([predicted, Y[:n] - predicted], axis=1))
    (bars,) = ax.containers
    assert len(bars.lines[0].get_ydata()) == max(1, min(10, n // 5))


def test_the_medians_of_the_errors_are_those_of_the_parts():
    ax = plots.residuals(MODEL, X[:10], Y[:10])
    order = np.argsort(MODEL.predict(X[:10]))
    errors = (Y[:10] - MODEL.predict(X[:10]))[order]
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(), [np.median(errors[:5]), np.median(errors[5:])])


def test_names_in_pictures(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    ax = plots.predictions(MODEL, pa.table({"a": X[:, 0], "b": X[:, 1], "$price$": Y}), "$price$")
    assert ax.get_xlabel() == r"true \$price\$"
    plots.save(ax, tmp_path / "p.svg")
    assert (tmp_path / "p.svg").stat().st_size > 1000


def test_a_surface_and_a_curve_of_numbers():
    ax = plots.decision_boundary(MODEL, X, Y)
    assert ax.get_images()[0].get_array().shape == (200, 200)
    np.testing.assert_allclose(ax.collections[-1].get_array(), Y)
    one = Neuron(weights=[2.0], bias=1.0, output="linear", features=["size"])
    ax = plots.decision_boundary(one, X[:, :1], Y)
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_ydata(), 2.0 * np.asarray(line.get_xdata()) + 1.0)
    assert ax.get_xlabel() == "size"


def test_what_each_column_contributes_to_numbers():
    ax = plots.contributions(MODEL, X, Y)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_xlabel() == "rise of the squared error if shuffled"
    first, second = (bar.get_width() for bar in ax.patches)
    assert first == pytest.approx(2.0 * 9.0 * X[:, 0].var(), rel=0.4)  # shuffled, the error has twice the variance
    assert second == pytest.approx(2.0 * X[:, 1].var(), rel=0.4)
    known = Neuron(weights=[3.0, -1.0], bias=0.1, output="linear", features=["a", "b"])
    known.training |= {"deviations": [2.0, 1.0], "target": "price"}
    ax = plots.contributions(known)
    assert ax.get_xlabel() == "weight times deviation of the input [price]"
    assert [bar.get_width() for bar in ax.patches] == [6.0, -1.0]


@pytest.mark.parametrize(
    ("loss", "neuron", "names"),
    [
        ("squared_error", True, ("sum of squared errors", "validation mean squared error")),
        ("huber", True, ("sum of the huber loss", "validation mean huber loss")),
        ("squared_error", False, ("mean squared error", None)),
    ],
)
def test_loss_curves_of_numbers(loss, neuron, names):
    options = {"output": "linear", "loss": loss, "validation": (X, Y), "epochs": 3, "learning_rate": 0.01, "seed": 0}
    result = train_neuron(X, Y, **options) if neuron else train_mlp(X, Y, hidden=(2,), **options)
    ax = plots.loss_curves(result)
    assert ax.get_ylabel() == names[0]
    others = [other.get_ylabel() for other in ax.figure.axes if other is not ax]
    assert others == ([names[1]] if names[1] else [])


@pytest.mark.parametrize("draw", [plots.roc, plots.confusion, plots.thresholds, plots.calibration_curve])
def test_pictures_of_labels_refuse_numbers(draw):
    with pytest.raises(ValueError, match=r"draw plots\.predictions or plots\.residuals"):
        draw(MODEL, X, Y)
    with pytest.raises(ValueError, match=r"draw plots\.predictions"):
        draw(evaluate(MODEL, X, Y))


@pytest.mark.parametrize("draw", [plots.predictions, plots.residuals])
def test_pictures_of_numbers_refuse_labels(draw):
    with pytest.raises(ValueError, match=r"draw plots\.confusion"):
        draw(LABELS, X, Y > 0)
    with pytest.raises(ValueError, match=r"draw plots\.confusion"):
        draw(evaluate(LABELS, X, (Y > 0).astype(int)))
    with pytest.raises(ValueError, match="their numbers y"):
        draw(MODEL)
    two = Neuron(weights=np.ones((2, 2)), bias=np.zeros(2), output="linear")
    with pytest.raises(ValueError, match="one number a row, and the model predicts 2"):
        draw(two, X, X)
    with pytest.raises(ValueError, match="predicts 2 numbers"):
        plots.decision_boundary(two, X, X)
