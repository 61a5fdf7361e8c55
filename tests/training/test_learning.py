"""Networks solve problems that one neuron cannot, and have the same accuracy and weights as scikit-learn's."""

import numpy as np
import pytest

from tinynet_fast import train_mlp, train_neuron

neural_network = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")

WAYS = {
    "plain": {"activation": "sigmoid", "learning_rate": 2.0, "init_scale": 1.0, "epochs": 8000},
    "momentum": {"activation": "sigmoid", "learning_rate": 0.5, "momentum": 0.9, "init_scale": 1.0, "epochs": 5000},
    "Nesterov": {
        "activation": "tanh",
        "learning_rate": 0.5,
        "momentum": 0.9,
        "nesterov": True,
        "init": "glorot",
        "epochs": 2000,
    },
    "adam": {"activation": "tanh", "optimizer": "adam", "learning_rate": 0.05, "init": "glorot", "epochs": 1000},
    "a row at a time": {
        "activation": "tanh",
        "learning_rate": 0.2,
        "batch_size": 1,
        "init": "glorot",
        "epochs": 3000,
    },
    "squared error": {
        "activation": "tanh",
        "loss": "squared_error",
        "optimizer": "adam",
        "learning_rate": 0.05,
        "init": "glorot",
        "epochs": 1500,
    },
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WAYS)
def test_exclusive_or(name, seed):
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    assert train_neuron(X, y, epochs=200).model.score(X, y) <= 0.75  # no line separates them
    result = train_mlp(X, y, hidden=(4,), seed=seed, **WAYS[name])
    assert result.model.score(X, y) == 1.0
    assert result.loss_history[-1] < 0.05


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        {"hidden": (16,), "activation": "tanh", "optimizer": "adam", "learning_rate": 0.01, "init": "glorot"},
        {"hidden": (16, 16), "activation": "relu", "learning_rate": 0.1, "momentum": 0.9, "init": "he"},
        {
            "hidden": (32,),
            "activation": "relu",
            "optimizer": "adam",
            "learning_rate": 0.01,
            "init": "he",
            "dropout": 0.2,
        },
    ],
    ids=["tanh", "relu, two layers", "dropout"],
)
def test_two_moons(options, seed):
    X, y = datasets.make_moons(600, noise=0.15, random_state=seed)
    result = train_mlp(X[:400], y[:400], epochs=200, batch_size=32, shuffle=True, seed=seed, **options)
    assert train_neuron(X[:400], y[:400]).model.score(X[400:], y[400:]) < 0.93
    assert result.model.score(X[400:], y[400:]) >= 0.97


@pytest.mark.parametrize("classes", [2, 10], ids=["even or odd", "ten classes"])
def test_digits_as_well_as_scikit_learn(classes):
    """With the same settings and three seeds, they are as good on average on rows that were not trained on."""
    X, digit = datasets.load_digits(return_X_y=True)
    X, y = X / 16, digit % classes
    order = np.random.default_rng(0).permutation(len(y))
    trained, held = order[:1350], order[1350:]
    ours, theirs = [], []
    for seed in range(3):
        result = train_mlp(
            X[trained],
            y[trained],
            hidden=(32,),
            activation="relu",
            init="glorot",
            optimizer="adam",
            learning_rate=0.001,
            epochs=60,
            batch_size=32,
            shuffle=True,
            seed=seed,
        )
        ours.append(result.model.score(X[held], y[held]))
        peer = neural_network.MLPClassifier(
            (32,), batch_size=32, alpha=0.0, max_iter=60, tol=0.0, n_iter_no_change=100, random_state=seed
        )
        with pytest.warns(UserWarning, match="Maximum iterations"):
            peer.fit(X[trained], y[trained])
        theirs.append(peer.score(X[held], y[held]))
    assert np.mean(ours) >= 0.96
    assert np.mean(ours) >= np.mean(theirs) - 0.007  # three of 447 rows


SOLVERS = {
    "sgd": ({"momentum": 0.0}, {}),
    "momentum": ({"momentum": 0.9, "nesterovs_momentum": False}, {"momentum": 0.9}),
    "Nesterov": ({"momentum": 0.9, "nesterovs_momentum": True}, {"momentum": 0.9, "nesterov": True}),
    "l2": ({"momentum": 0.0, "alpha": 0.5}, {"l2": 0.5 / 30}),  # scikit-learn divides it by the rows of a batch
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("engine", ["strict", "numpy", "fast"])
def test_weights_of_scikit_learn(engine, name, activation, classes):
    """From the same weights and without shuffling, ten epochs of five batches lead to the same weights."""
    theirs, ours = SOLVERS[name]
    rng = np.random.default_rng(8)
    X = rng.standard_normal((150, 5))
    y = np.digitize(X[:, 0] + 0.3 * rng.standard_normal(150), [0.0] if classes == 2 else [-0.5, 0.5])
    settings = {"alpha": 0.0, "learning_rate_init": 0.1, "batch_size": 30, "shuffle": False, "random_state": 0}
    peer = neural_network.MLPClassifier((7, 4), solver="sgd", activation=activation, **settings | theirs)
    peer.partial_fit(X, y, classes=np.unique(y))
    del peer._optimizer  # start from the weights learned so far, with a new optimizer
    start = {"weights": [w.copy() for w in peer.coefs_], "biases": [b.copy() for b in peer.intercepts_]}
    for _ in range(10):
        peer.partial_fit(X, y)
    name = {"logistic": "sigmoid"}.get(activation, activation)
    result = train_mlp(
        X,
        y,
        hidden=(7, 4),
        activation=name,
        learning_rate=0.1,
        epochs=10,
        batch_size=30,
        engine=engine,
        **start,
        **ours,
    )
    for comp, ref in zip([*result.model.weights, *result.model.biases], [*peer.coefs_, *peer.intercepts_], strict=True):
        np.testing.assert_allclose(comp, ref, rtol=0, atol=1e-12)
    if "alpha" not in theirs:  # scikit-learn's loss includes the penalty
        np.testing.assert_allclose(result.loss_history, peer.loss_curve_[1:], rtol=1e-10)
    np.testing.assert_allclose(
        result.model.predict_proba(X),
        peer.predict_proba(X)[:, 1] if classes == 2 else peer.predict_proba(X),
        atol=1e-12,
    )
