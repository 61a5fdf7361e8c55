"""`Neuron.standard_errors`: the sandwich against plain loops, statsmodels and other rows of the same kind."""

import numpy as np
import pytest

from tinynet_fast import Neuron, TrainingWarning, train_neuron
from tinynet_fast.models.sandwich import sandwich
from tinynet_fast.rows.datasets import make_pass_fail

ROWS = make_pass_fail(800, 3, seed=2)


def newton(X, y, counts=None, penalty=0.0):
    """The neuron of least loss; `penalty` is what l2 adds for all rows to the second derivative of each weight."""
    x, w = np.column_stack([X, np.ones(len(X))]), np.zeros(X.shape[1] + 1)
    counts, penalty = np.ones(len(X)) if counts is None else counts, np.append(np.zeros(X.shape[1]) + penalty, 0.0)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-x @ w))
        H = (x * (counts * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        w -= np.linalg.solve(H, x.T @ (counts * (p - y)) + penalty * w)
    return Neuron(weights=w[:-1], bias=w[-1])


def plain(model, X, y, counts=None, penalty=0.0):
    """H^-1 S H^-1 row by row."""
    w, d = np.append(model.weights, model.bias), X.shape[1] + 1
    H, S = np.diag(np.append(np.zeros(d - 1) + penalty, 0.0)), np.zeros((d, d))
    for i in range(len(y)):
        x, count = np.append(X[i], 1.0), 1.0 if counts is None else counts[i]
        p = 1.0 / (1.0 + np.exp(-float(x @ w)))
        H = H + count * p * (1 - p) * np.outer(x, x)
        S = S + (count * (p - y[i])) ** 2 * np.outer(x, x)
    inverse = np.linalg.inv(H)
    return np.sqrt(np.diag(inverse @ S @ inverse))


@pytest.mark.parametrize("scale", [1.0, [1e3, 1.0, 1e-3]], ids=str)
@pytest.mark.parametrize("shift", [0.0, [5.0, 0.0, -2e-3]], ids=str)
def test_against_plain_loops(scale, shift):
    X = ROWS.X * scale + shift
    model = newton(X, ROWS.y)
    np.testing.assert_allclose(model.standard_errors(X, ROWS.y), plain(model, X, ROWS.y), rtol=1e-7)


def test_sample_weights_and_l2():
    counts, l2 = np.random.default_rng(0).integers(0, 4, 800).astype(float), 0.02
    model = newton(ROWS.X, ROWS.y, counts, 800 * l2)
    ref = plain(model, ROWS.X, ROWS.y, counts, 800 * l2)
    np.testing.assert_allclose(model.standard_errors(ROWS.X, ROWS.y, sample_weight=counts, l2=l2), ref, rtol=1e-9)
    model.training["l2"] = l2
    np.testing.assert_allclose(model.standard_errors(ROWS.X, ROWS.y, sample_weight=counts), ref, rtol=1e-9)


def test_the_gradient_is_that_of_the_penalised_loss():
    """Zero where the loss is least, and elsewhere what differences of the loss say."""
    counts, l2 = np.random.default_rng(1).integers(0, 4, 800).astype(float), np.array([0.2, 0.2, 0.2, 0.0])
    rows = [(ROWS.X[:300], ROWS.y[:300], counts[:300]), (ROWS.X[300:], ROWS.y[300:], counts[300:])]
    model = newton(ROWS.X, ROWS.y, counts, 800 * 0.2)
    least = np.append(model.weights, model.bias)
    assert np.abs(sandwich(rows, least, l2).gradient).max() < 1e-9

    def loss(w):
        z = np.column_stack([ROWS.X, np.ones(800)]) @ w
        return np.sum(counts * (np.logaddexp(0.0, z) - ROWS.y * z)) + 800 * np.sum(0.5 * l2 * w * w)

    w, steps = least + np.array([0.3, -0.2, 0.1, 0.5]), 1e-5 * np.eye(4)
    ref = [(loss(w + step) - loss(w - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(sandwich(rows, w, l2).gradient, ref, rtol=1e-6)


def test_the_penalty_of_a_standardised_run():
    X, l2 = ROWS.X * [10.0, 1.0, 0.1], 0.02
    options = {"learning_rate": 0.005, "l2": l2, "average": True, "epochs": 400, "standardize": True}
    model = train_neuron(X, ROWS.y, **options).model
    ref = plain(model, X, ROWS.y, penalty=800 * l2 * X.var(axis=0))
    np.testing.assert_allclose(model.standard_errors(X, ROWS.y), ref, rtol=1e-7)


def test_a_trained_model():
    """The mean of a long run is near the least loss, so its standard errors are those of the neuron there."""
    model = train_neuron(ROWS.X, ROWS.y, learning_rate=0.002, average=160_001, epochs=400).model
    best = newton(ROWS.X, ROWS.y)
    np.testing.assert_allclose(model.standard_errors(ROWS.X, ROWS.y), plain(best, ROWS.X, ROWS.y), rtol=0.01)


def test_against_statsmodels():
    api = pytest.importorskip("statsmodels.api", reason="statsmodels has the standard errors to compare with")
    fit = api.Logit(ROWS.y, np.column_stack([ROWS.X, np.ones(800)])).fit(disp=0, cov_type="HC0")
    model = newton(ROWS.X, ROWS.y)
    np.testing.assert_allclose(model.standard_errors(ROWS.X, ROWS.y), fit.bse, rtol=1e-6)


def test_against_other_rows_of_the_same_kind():
    """What standard errors mean: 1,000 tables have weights that spread by so much (their spread is known to 2.2%)."""
    rng, truth = np.random.default_rng(3), np.array([1.0, -0.5, 0.3])

    def table():
        X = rng.standard_normal((300, 2))
        return X, (rng.random(300) < 1.0 / (1.0 + np.exp(-(X @ truth[:2] + truth[2])))).astype(int)

    models = [(newton(X, y), X, y) for X, y in (table() for _ in range(1000))]
    spread = np.array([np.append(model.weights, model.bias) for model, _, _ in models]).std(axis=0)
    errors = np.array([model.standard_errors(X, y) for model, X, y in models[:200]]).mean(axis=0)
    np.testing.assert_allclose(errors, spread, rtol=0.08)


def test_named_columns_and_labels():
    X = pytest.importorskip("pandas").DataFrame(ROWS.X, columns=["a", "b", "c"])
    best = newton(ROWS.X, ROWS.y)
    model = Neuron(weights=best.weights, bias=best.bias, features=["a", "b", "c"], labels=["fail", "pass"])
    turned, words = X[["c", "a", "b"]], np.where(ROWS.y == 1, "pass", "fail")
    np.testing.assert_allclose(model.standard_errors(turned, words), best.standard_errors(ROWS.X, ROWS.y), rtol=1e-12)
    with pytest.raises(ValueError, match="'b'"):
        model.standard_errors(X[["a", "c"]], words)


def test_collinear_inputs_are_named():
    X = np.column_stack([ROWS.X, ROWS.X[:, 0] - 2.0 * ROWS.X[:, 2] + 1.0])
    model = Neuron(weights=[0.1, 0.2, 0.3, 0.4], features=["a", "b", "c", "d"])
    with pytest.raises(ValueError, match="a, c, d are collinear"):
        model.standard_errors(X, ROWS.y)
    with pytest.raises(ValueError, match="d never changes: leave it out"):
        model.standard_errors(np.column_stack([ROWS.X, np.ones(800)]), ROWS.y)
    nearly = np.column_stack([ROWS.X, ROWS.X[:, 0] + 1e-3 * np.random.default_rng(0).standard_normal(800)])
    assert (newton(nearly, ROWS.y).standard_errors(nearly, ROWS.y)[[0, 3]] > 10).all()


def test_l2_makes_collinear_inputs_answerable():
    X = np.column_stack([ROWS.X, ROWS.X[:, 0]])
    model = newton(X, ROWS.y, penalty=800 * 0.01)
    ref = plain(model, X, ROWS.y, penalty=800 * 0.01)
    np.testing.assert_allclose(model.standard_errors(X, ROWS.y, l2=0.01), ref, rtol=1e-9)


def test_a_model_that_is_far_from_the_least_loss():
    with pytest.warns(TrainingWarning, match=r"the weight of x\d is \d+\.\d standard errors away"):
        Neuron(weights=[0.0, 0.0, 0.0]).standard_errors(ROWS.X, ROWS.y)


def test_labels_that_can_be_told_apart():
    with pytest.warns(TrainingWarning, match="tells the two labels apart in every row"):
        Neuron(weights=[5.0], bias=-12.0).standard_errors([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="all probabilities are 0 or 1"):
        Neuron(weights=[1e6], bias=-2.5e6).standard_errors([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1])


def test_bad_input():
    model = newton(ROWS.X, ROWS.y)
    with pytest.raises(ValueError, match=r"X\[0, 0\] is NaN"):
        model.standard_errors(np.full((2, 3), np.nan), [0, 1])
    with pytest.raises(ValueError, match="y"):
        model.standard_errors(ROWS.X, ROWS.y[:5])
    with pytest.raises(ValueError, match="sample_weight has shape"):
        model.standard_errors(ROWS.X, ROWS.y, sample_weight=[1.0])
    with pytest.raises(ValueError, match="l2 is -1"):
        model.standard_errors(ROWS.X, ROWS.y, l2=-1)
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="sparse rows have no standard errors"):
        model.standard_errors(sparse.csr_matrix(ROWS.X), ROWS.y)
