"""Neurons that learn numbers, several targets and more than two labels, through `train_neuron`.

How targets are read is in `tests/rows/test_numbers.py`; the kernels are tested in `tests/kernels`.
"""

import numpy as np
import pytest
from compare import assert_keeps, distance, flat, parameters

from tinynet_fast import Neuron, TrainingDivergedError, load, train_neuron
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.training.losses import LOSSES

csr_array = pytest.importorskip("scipy.sparse", reason="SciPy is not installed").csr_array

N, D = 300, 4
RNG = np.random.default_rng(12)
X = RNG.standard_normal((N, D))
SCORES = X @ [1.0, -2.0, 0.5, 0.0] + 3.0 + RNG.standard_normal(N)
TARGETS = {
    "number": SCORES,
    "numbers": np.column_stack([SCORES, X[:, 0] - SCORES]),
    "count": RNG.poisson(np.exp(0.3 * X[:, 0] + 0.2)).astype(float),
    "label": np.where(SCORES > 3.0, "pass", "fail"),
    "labels": np.array(["a", "b", "c", "d"])[np.clip((SCORES + 1.0).astype(int) // 2, 0, 3)],
}
LINEAR = {"output": "linear", "learning_rate": 0.02, "epochs": 3}
KINDS = {
    "squared error": ("number", LINEAR),
    "squared error, l2, averaged": ("number", LINEAR | {"l2": 0.01, "average": True}),
    "squared error, l1": ("number", LINEAR | {"l1": 0.01}),
    "huber": ("number", LINEAR | {"loss": "huber", "delta": 0.5}),
    "absolute error": ("number", LINEAR | {"loss": "absolute_error"}),
    "quantile": ("number", LINEAR | {"loss": "quantile", "quantile": 0.9, "average": True}),
    "poisson": ("count", LINEAR | {"loss": "poisson"}),
    "two targets": ("numbers", LINEAR),
    "two targets, standardised": ("numbers", LINEAR | {"standardize": True, "standardize_y": True}),
    "two targets, huber, shuffled": ("numbers", LINEAR | {"loss": "huber", "shuffle": True, "seed": 1}),
    "hinge": ("label", {"loss": "hinge", "learning_rate": 0.02, "epochs": 3}),
    "focal": ("label", {"loss": "focal", "gamma": 1.5, "epochs": 3}),
    "softmax": ("labels", {"epochs": 3}),
    "softmax, l2, averaged": ("labels", {"epochs": 3, "l2": 0.01, "average": 100}),
    "softmax, l1, invscaling": ("labels", {"epochs": 3, "l1": 0.001, "schedule": "invscaling"}),
    "one against the rest": ("labels", {"output": "one_vs_rest", "epochs": 3}),
    "one against the rest, hinge, cosine": (
        "labels",
        {"output": "one_vs_rest", "loss": "hinge", "epochs": 3, "schedule": "cosine"},
    ),
}
SPARSE = [name for name in KINDS if "softmax" not in name and "standardised" not in name]
SMOOTH = ("squared error", "squared error, l2, averaged", "huber", "two targets", "two targets, standardised")
FAST = (*SMOOTH, "two targets, huber, shuffled", "softmax", "softmax, l2, averaged", "one against the rest")
kinds = pytest.mark.parametrize("kind", KINDS)


def train(kind, rows=X, **options):
    target, given = KINDS[kind]
    return train_neuron(rows, TARGETS[target], **(given | options))


@kinds
@pytest.mark.parametrize("name", [name for name in ENGINES if name != "reference"])
def test_engines(kind, name):
    ref, comp = train(kind, engine="reference"), train(kind, engine=name)
    assert comp.engine == ("strict" if name == "fast" and kind not in FAST else name)
    assert_keeps(ENGINES[str(comp.engine).partition("/")[0]].promise, parameters(comp), parameters(ref))


def flattened(model):
    return np.concatenate([np.ravel(model.weights), np.ravel(model.bias)])


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("engine", ["reference", "strict", "fast", "numpy"])
def test_sparse_rows(kind, engine):
    """Rows that store every value have the weights of the same rows dense; others too, without l1."""
    ref, comp = train(kind, engine=engine), train(kind, csr_array(X), engine=engine)
    assert distance(flattened(comp.model), flattened(ref.model)) <= 1e-12
    if "label" not in KINDS[kind][0]:
        np.testing.assert_allclose(comp.model.predict(csr_array(X)), ref.model.predict(X), rtol=1e-9)


def test_sparse_rows_have_no_softmax():
    with pytest.raises(ValueError, match="sparse rows with 4 labels need output='one_vs_rest'"):
        train_neuron(csr_array(X), TARGETS["labels"])


@kinds
def test_a_stopped_run_goes_on(kind, tmp_path):
    """From a checkpoint in the middle, with the same bits."""
    path = tmp_path / "run.json"
    ref = train(kind, epochs=5)
    if "cosine" not in kind:
        train(kind, epochs=2, checkpoint=path)
    comp = train(kind, epochs=5, checkpoint=path)
    assert_keeps(0.0 if "squared" not in kind else 1e-15, parameters(comp), parameters(ref))


@kinds
@pytest.mark.parametrize("form", ["npy", "csv", "iterator"])
def test_streams(kind, form, tmp_path):
    """Rows of a file, or of an iterator, have the bits of the same rows in memory."""
    target, given = KINDS[kind]
    y, given = TARGETS[target], given | ({"labels": np.unique(TARGETS[target]).tolist()} if "label" in target else {})
    if given.get("shuffle"):
        pytest.skip("a random order of the rows of a stream needs them in memory")
    ref = train_neuron(X, y, **given)
    if form == "npy":
        np.save(tmp_path / "x.npy", X)
        comp = train_neuron(tmp_path / "x.npy", y, **given)
    elif form == "csv":
        names = [f"y{k}" for k in range(y.shape[1])] if y.ndim == 2 else ["y"]
        columns = y.T if y.ndim == 2 else [y]
        lines = [",".join([*map(repr, x.tolist()), *(str(c[i]) for c in columns)]) for i, x in enumerate(X)]
        (tmp_path / "x.csv").write_text("\n".join([",".join(["a", "b", "c", "d", *names]), *lines]) + "\n")
        comp = train_neuron(tmp_path / "x.csv", names if len(names) > 1 else "y", **given)
        assert comp.model.targets == (names if len(names) > 1 else comp.model.targets)
    else:
        comp = train_neuron(lambda: iter([(X[:100], y[:100]), (X[100:], y[100:])]), **given)
    assert_keeps(0.0, parameters(comp), parameters(ref))


@kinds
def test_models_are_saved_with_what_they_predict(kind, tmp_path):
    model = train(kind).model
    model.save(tmp_path / "m.json")
    comp = load(tmp_path / "m.json")
    assert repr(comp) == repr(model)
    assert (comp.output, comp.targets, comp.threshold) == (model.output, model.targets, model.threshold)
    np.testing.assert_array_equal(comp.predict(X), model.predict(X))
    y = TARGETS[KINDS[kind][0]]
    assert comp.score(X, y) == model.score(X, y)
    assert comp.loss(X, y) == model.loss(X, y)


@pytest.mark.parametrize("k", [0, 1])
def test_a_target_is_learned_as_if_it_were_alone(k):
    both = train("two targets")
    alone = train_neuron(X, TARGETS["numbers"][:, k], **LINEAR)
    np.testing.assert_array_equal(both.model.weights[:, k], alone.model.weights)
    assert both.model.bias[k] == alone.model.bias


@pytest.mark.parametrize("k", range(4))
def test_a_label_is_learned_against_the_rest(k):
    every = train("one against the rest")
    label = every.model.labels[k]
    alone = train_neuron(X, TARGETS["labels"] == label, epochs=3)
    np.testing.assert_array_equal(every.model.weights[:, k], alone.model.weights)
    z = every.model.decision_function(X)
    p = 1.0 / (1.0 + np.exp(-z))
    np.testing.assert_allclose(every.model.predict_proba(X), p / p.sum(axis=1, keepdims=True), rtol=1e-12)


def test_standardised_numbers():
    """The same as training on numbers that were standardised by hand, folded back."""
    y = 100.0 + 7.0 * SCORES
    comp = train_neuron(X, y, standardize_y=True, **LINEAR).model
    ref = train_neuron(X, (y - y.mean()) / y.std(), **LINEAR).model
    np.testing.assert_allclose(comp.weights, ref.weights * y.std(), rtol=1e-12)
    assert comp.bias == pytest.approx(ref.bias * y.std() + y.mean(), rel=1e-12)


@pytest.mark.parametrize("target", ["number", "numbers"])
def test_hubers_delta_of_standardised_numbers(target, tmp_path):
    """It counts in their deviations, also where the loss of raw numbers is measured."""
    y = TARGETS[target] * 40.0
    model = train_neuron(X, y, loss="huber", delta=0.5, standardize_y=True, **LINEAR).model
    error, delta = np.abs(model.predict(X) - y), 0.5 * y.std(axis=0)
    ref = np.where(error < delta, error**2 / 2.0, delta * (error - delta / 2.0)).reshape(N, -1).sum(axis=1).mean()
    assert model.loss(X, y) == pytest.approx(ref)
    model.save(tmp_path / "m.json")
    assert load(tmp_path / "m.json").loss(X, y) == pytest.approx(ref)


@pytest.mark.parametrize("kind", ["squared error", "two targets", "poisson", "softmax", "huber"])
def test_sgd_learns_what_there_is_to_learn(kind):
    """Averaged SGD comes close to the best fit there is."""
    result = train(kind, epochs=200, average=True)
    model, y = result.model, TARGETS[KINDS[kind][0]]
    if kind == "softmax":
        linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
        peer = linear.LogisticRegression(C=np.inf, max_iter=1000).fit(X, y)
        best = -np.mean(np.log(peer.predict_proba(X)[np.arange(N), np.searchsorted(peer.classes_, y)]))
        assert model.loss(X, y) <= best * 1.02
    elif kind == "poisson":
        linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
        peer = linear.PoissonRegressor(alpha=0.0).fit(X, y)
        np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=0.1)
    else:
        A = np.column_stack([X, np.ones(N)])
        best = np.linalg.lstsq(A, y, rcond=None)[0]
        np.testing.assert_allclose(flattened(model), best.ravel(), atol=0.1)
        assert model.score(X, y) > 0.75


@pytest.mark.parametrize("kind", ["squared error", "huber", "poisson", "two targets", "quantile", "softmax", "hinge"])
def test_auto(kind):
    result = train(kind, learning_rate="auto")
    assert result.rate_search.learning_rate == result.model.training["learning_rate"]
    assert result.rate_search.rates.size == 14
    ref = train(kind, learning_rate=result.rate_search.learning_rate)
    np.testing.assert_array_equal(flattened(result.model), flattened(ref.model))
    assert f"the least {ref.model.training['loss'].replace('_', ' ')}" in result.rate_search.reason
    assert np.nanmin(result.rate_search.losses) == pytest.approx(ref.model.loss(X, TARGETS[KINDS[kind][0]]))


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_a_rate_that_diverges(loss):
    """The error names a rate that is safe, and training with it is."""
    y = TARGETS["number" if loss == "squared_error" else "count"]
    with pytest.raises(TrainingDivergedError) as info:
        train_neuron(X * 30.0, y, output="linear", loss=loss, learning_rate=10.0)
    safe = info.value.safe_learning_rate
    assert safe > 0.0
    if loss == "squared_error":
        assert safe <= 2.0 / ((30.0 * X) ** 2).sum(axis=1).max()
    assert np.isfinite(flat(train_neuron(X * 30.0, y, output="linear", loss=loss, learning_rate=safe).model)).all()


def test_the_engine_that_steps_which_overshoot_get():
    longest = (X**2).sum(axis=1).max() + 1.0
    for rate, engine in ((1.9 / longest, "fast"), (2.1 / longest, "strict")):
        assert train_neuron(X, SCORES, output="linear", learning_rate=rate, epochs=1).engine == engine
    for rate, engine in ((3.9 / longest, "fast"), (4.1 / longest, "strict")):
        assert train_neuron(X, TARGETS["labels"], learning_rate=rate, epochs=1).engine == engine


def test_numbers_have_no_probabilities():
    model = train("two targets").model
    with pytest.raises(ValueError, match="the model predicts numbers, which have no probabilities: use predict"):
        model.predict_proba(X)
    with pytest.raises(ValueError, match="a threshold is for two labels; this model predicts numbers"):
        model.predict(X, threshold=0.2)
    hinge = train("hinge").model
    with pytest.raises(ValueError, match="whose sums are no probabilities"):
        hinge.predict_proba(X)
    assert hinge.score(X, TARGETS["label"]) > 0.7
    assert hinge.loss(X, TARGETS["label"]) < 1.0


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ("number", {"output": "cubic"}, "there is no output 'cubic': use 'linear' for numbers"),
        ("labels", {"loss": "hinge"}, "loss='hinge' is for two labels and y has 4: use output='one_vs_rest'"),
        ("number", {"output": "linear", "weights": [[1.0, 2.0]]}, r"weights has shape \(1, 2\)"),
        ("numbers", {"output": "linear", "bias": [1.0, 2.0, 3.0]}, r"bias has shape \(3,\); one number, or \(2,\)"),
        ("number", {"output": "linear", "class_weight": "balanced"}, "class_weight"),
        ("count", {"output": "linear", "loss": "poisson", "standardize_y": True}, "standardize_y"),
        ("label", {"standardize_y": True}, "standardize_y"),
        ("number", {}, "output='linear'"),
        ("label", {"output": "linear"}, r"y\[0\] is '(pass|fail)', which is no number"),
    ],
)
def test_options_that_make_no_sense(y, options, message):
    with pytest.raises(ValueError, match=message):
        train_neuron(X, TARGETS[y], **options)


def test_starting_weights_of_each_output():
    start, bias = RNG.standard_normal((D, 2)), [1.0, -1.0]
    comp = train_neuron(X, TARGETS["numbers"], weights=start, bias=bias, **LINEAR).model
    for k in range(2):
        ref = train_neuron(X, TARGETS["numbers"][:, k], weights=start[:, k], bias=bias[k], **LINEAR).model
        np.testing.assert_array_equal(comp.weights[:, k], ref.weights)
    assert isinstance(comp, Neuron)


def test_every_loss_is_tried_here():
    used = {
        given.get("loss") or ("squared_error" if given.get("output") == "linear" else "log_loss")
        for _, given in KINDS.values()
    }
    assert used == {*LOSSES["linear"], *LOSSES["labels"]}
