"""`train_mlp(hidden=())`: with three labels or more, a softmax of the inputs is multinomial logistic regression."""

import numpy as np
import pytest

from tinynet_fast import load, train_mlp

FULL = {"hidden": (), "learning_rate": 1.0, "epochs": 400}


def rows(n=120, d=3, labels=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.argmax(X @ rng.standard_normal((d, labels)) + rng.gumbel(size=(n, labels)), axis=1)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "sample_weight"])
@pytest.mark.parametrize("labels", [3, 5])
def test_the_minimum_is_that_of_logistic_regression(labels, weighted, engine):
    """An independent oracle: scikit-learn's solver minimises the same objective with C = 1 / (l2 * sum of weights)."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = rows(labels=labels)
    weight = np.random.default_rng(1).integers(1, 4, len(y)).astype(float) if weighted else None
    result = train_mlp(X, y, l2=0.05, sample_weight=weight, seed=0, engine=engine, **FULL)
    total = len(y) if weight is None else weight.sum()
    ref = linear_model.LogisticRegression(C=1.0 / (0.05 * total), tol=1e-12, max_iter=10_000)
    ref.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(result.model.predict_proba(X), ref.predict_proba(X), atol=1e-6)
    weights = result.model.weights[0].T
    np.testing.assert_allclose(weights - weights.mean(axis=0), ref.coef_, atol=1e-5)


def test_a_batch_is_a_step_down_the_softmax_gradient(engine):
    X, y = rows(10, labels=4)
    start = np.random.default_rng(2).standard_normal((3, 4))
    z = X @ start + 0.5
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    error = (p - np.eye(4)[y]) / 10
    result = train_mlp(
        X, y, hidden=(), epochs=1, learning_rate=0.3, l2=0.1, weights=[start], biases=[np.full(4, 0.5)], engine=engine
    )
    np.testing.assert_allclose(result.model.weights[0], start - 0.3 * (X.T @ error + 0.1 * start), atol=1e-12)
    np.testing.assert_allclose(result.model.biases[0], 0.5 - 0.3 * error.sum(axis=0), atol=1e-12)


def test_a_saved_model_is_the_same(tmp_path):
    X, y = rows()
    model = train_mlp(X, np.array(["a", "b", "c"])[y], hidden=(), epochs=20, seed=0).model
    assert [w.shape for w in model.weights] == [(3, 3)]
    model.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.predict(X[:2]).tolist() == model.predict(X[:2]).tolist()


def test_two_labels_are_for_one_neuron():
    with pytest.raises(ValueError, match="use train_neuron"):
        train_mlp([[0.0], [1.0]], [0, 1], hidden=())
