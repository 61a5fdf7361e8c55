"""Noise and mixup: the draws, what is trained on, the same bits wherever rows are cut, and what they do to a model."""

import numpy as np
import pytest
from compare import assert_keeps, flat, parameters, with_any_option

from tinynet_fast import TrainingDivergedError, train_mlp, train_neuron
from tinynet_fast.kernels import engines
from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Rows, split_rows, standardisation
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training.augment import (
    MIX_STREAM,
    NOISE_STREAM,
    Augmentation,
    augmentation,
    normal,
    partners,
    shares,
)

ROWS = make_pass_fail(1500, 3)
X, Y = np.ascontiguousarray(ROWS.X), ROWS.y.astype(np.int64)
NOISE = Augmentation(5, np.array([1.0, 0.5, 0.0]), 0.0, 1, 1)
MIX = Augmentation(5, None, 0.4, 50, 2)
NETWORK = {"hidden": (5,), "batch_size": 50, "learning_rate": 0.5, "seed": 1}
RUNS = {
    "neuron": (train_neuron, {"noise": 0.3, "seed": 1}),
    "neuron, l2, averaged": (train_neuron, {"noise": 0.1, "seed": 1, "l2": 1e-3, "average": True, "standardize": True}),
    "neuron, falling rate": (train_neuron, {"noise": 0.1, "seed": 1, "schedule": "invscaling", "shuffle": True}),
    "neuron, numbers": (train_neuron, {"noise": 0.3, "seed": 1, "output": "linear", "learning_rate": 0.01}),
    "network, numbers": (train_mlp, NETWORK | {"noise": 0.1, "mixup": 0.3, "output": "linear", "standardize_y": True}),
    "network, noise": (train_mlp, NETWORK | {"noise": 0.2}),
    "network, mixup": (train_mlp, NETWORK | {"mixup": 0.3}),
    "network, both": (train_mlp, NETWORK | {"noise": 0.2, "mixup": 0.3, "dropout": 0.3, "batch_size": 64}),
    "network, all rows a batch": (train_mlp, NETWORK | {"noise": 0.1, "mixup": 1.0, "batch_size": None}),
    "network, held out": (train_mlp, NETWORK | {"mixup": 0.2, "validation": 0.3, "optimizer": "adam"}),
}


def uniforms(n, seed=0):
    return np.random.default_rng(seed).random(n)


def blocks(size, rows=X, y=Y):
    return lambda: ((rows[i : i + size], y[i : i + size]) for i in range(0, len(rows), size))


# --- what is trained on -----------------------------------------------------------------------------------------------


def test_a_mixed_row_is_given_twice():
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 100)
    rows, y, w = MIX.rows(X[:100], Y[:100].astype(float), weight, 1, 50)
    keys = np.random.default_rng([5, 1, MIX_STREAM]).random((150, 3))[50:]
    other, share = partners(keys[:, 0], 50), shares(keys[:, 1], keys[:, 2], 0.4)
    for i in range(100):
        ref = share[i] * X[i] + (1.0 - share[i]) * X[other[i]]
        np.testing.assert_allclose(rows[2 * i : 2 * i + 2], [ref, ref], rtol=1e-13, atol=1e-13)
        assert y[2 * i : 2 * i + 2].tolist() == [Y[i], Y[other[i]]]
        assert w[2 * i : 2 * i + 2].tolist() == [share[i] * weight[i], (1.0 - share[i]) * weight[other[i]]]


@pytest.mark.parametrize("targets", [1, 2])
def test_numbers_to_learn_are_mixed(targets):
    numbers = np.random.default_rng(0).standard_normal((100, targets))[:, 0 if targets == 1 else slice(None)]
    mix = Augmentation(5, None, 0.4, 50, 1)
    rows, y, w = mix.rows(X[:100], numbers, None, 0, 0)
    assert w is None
    twice, _, share = MIX.rows(X[:100], Y[:100], None, 0, 0)
    np.testing.assert_array_equal(rows, twice[::2])
    keys = np.random.default_rng([5, 0, MIX_STREAM]).random((100, 3))
    other, s = partners(keys[:, 0], 50), share[::2].reshape(-1, *[1] * (numbers.ndim - 1))
    np.testing.assert_allclose(y, s * numbers + (1.0 - s) * numbers[other], atol=1e-14)
    weighted = mix.rows(X[:100], numbers, np.arange(100.0), 0, 0)[2]
    np.testing.assert_allclose(weighted, share[::2] * np.arange(100.0) + share[1::2] * other)


@with_any_option
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"shuffle": True}], ids=str)
def test_a_neuron_is_that_of_a_loop_over_noisy_rows(options, engine):
    """The same noise added by hand: each epoch is a run of one epoch from the weights before."""
    comp = train_neuron(X, Y, noise=0.4, epochs=3, seed=5, engine=engine, **options)
    mean, scale = standardisation(X, None)
    rows = (X - mean) / scale if "standardize" in options else X
    noise, start, losses = 0.4 * (1.0 if "standardize" in options else scale), {}, []
    for epoch in range(3):
        order = np.random.default_rng([5, epoch]).permutation(len(X)) if "shuffle" in options else np.arange(len(X))
        u = np.random.default_rng([5, epoch, NOISE_STREAM]).random(X.shape)
        noisy = rows[order] + noise * normal(u.ravel()).reshape(u.shape)
        ref = train_neuron(noisy, Y[order], epochs=1, engine=engine, **start)
        start = {"weights": ref.model.weights, "bias": ref.model.bias}
        losses.append(ref.loss_history[0])
    assert_keeps(1e-12, comp.loss_history, losses)
    model = ref.model.for_raw_inputs(mean, scale) if "standardize" in options else ref.model
    assert_keeps(1e-12, flat(comp.model), flat(model))


@with_any_option
@pytest.mark.parametrize("labels", [2, 3])
def test_a_network_goes_down_the_gradient_of_mixed_losses(labels, engine):
    """A batch is one step down the mean of s * loss(y) + (1 - s) * loss(y'), here without hidden units or of one."""
    y = (Y + (X[:, 0] > np.median(X[:, 0]))) if labels == 3 else Y
    hidden = {3: (), 2: (1,)}[labels]
    comp = train_mlp(X[:40], y[:40], hidden=hidden, mixup=0.7, epochs=1, learning_rate=0.3, seed=2, engine=engine)
    start = train_mlp(X[:40], y[:40], hidden=hidden, epochs=1, learning_rate=1e-300, seed=2, engine=engine).model
    keys = np.random.default_rng([2, 0, MIX_STREAM]).random((40, 3))
    other, s = partners(keys[:, 0], 40), shares(keys[:, 1], keys[:, 2], 0.7)[:, np.newaxis]
    mixed = s * X[:40] + (1.0 - s) * X[other]

    def loss(flat_weights):
        weights, biases, used = [], [], 0
        for w, b in zip(start.weights, start.biases, strict=True):
            weights.append(flat_weights[used : used + w.size].reshape(w.shape))
            biases.append(flat_weights[used + w.size : used + w.size + b.size])
            used += w.size + b.size
        z = mixed
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            z = 1.0 / (1.0 + np.exp(-(z @ w + b)))
        z = z @ weights[-1] + biases[-1]
        z = np.column_stack([np.zeros(40), z]) if labels == 2 else z
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        each = s[:, 0] * logs[range(40), y[:40]] + (1.0 - s[:, 0]) * logs[range(40), y[:40][other]]
        return -each.mean()

    before = flat(start)
    assert comp.loss_history[0] == pytest.approx(loss(before), rel=1e-12)
    unit = 1e-6 * np.eye(len(before))
    gradient = [(loss(before + h) - loss(before - h)) / 2e-6 for h in unit]
    np.testing.assert_allclose((before - flat(comp.model)) / 0.3, gradient, atol=1e-8)


@with_any_option
@pytest.mark.parametrize("targets", [1, 2])
def test_a_network_learns_mixed_numbers(targets, engine):
    numbers = np.c_[X[:, 0] - X[:, 1], X[:, 2]][:60, :targets] @ np.eye(targets)
    options = {"hidden": (4,), "output": "linear", "batch_size": 20, "epochs": 1, "seed": 3, "engine": engine}
    comp = train_mlp(X[:60], numbers, mixup=0.5, learning_rate=1e-300, **options)
    mixed, y, _ = Augmentation(3, None, 0.5, 20, 1).rows(X[:60], numbers, None, 0, 0)
    predicted = comp.model.predict(mixed).reshape(60, targets)
    assert comp.loss_history[0] == pytest.approx(((predicted - y) ** 2).sum(axis=1).mean(), rel=1e-12)
    ref = train_mlp(mixed, y, learning_rate=0.1, **options)
    comp = train_mlp(X[:60], numbers, mixup=0.5, learning_rate=0.1, **options)
    np.testing.assert_array_equal(flat(comp.model), flat(ref.model))


@with_any_option
@pytest.mark.parametrize("output", [None, "one_vs_rest"])
def test_neurons_for_more_labels(output, engine):
    if output is None and engine == "fast":
        pytest.importorskip("numba", reason="Numba compiles the kernels of a softmax")
    y = Y + (X[:, 0] > np.median(X[:, 0]))
    options = {"noise": 0.3, "epochs": 2, "seed": 1, "learning_rate": 0.05, "output": output}
    comp, ref = (train_neuron(X[:300], y[:300], engine=each, **options) for each in (engine, "reference"))
    assert comp.engine == engine
    found = [np.append(each.model.weights.ravel(), each.model.bias) for each in (comp, ref)]
    assert_keeps(engines.ENGINES[engine].promise, *found)


def test_class_weights_are_shared_out():
    """A row's weight goes with its label: the partner's share of the loss counts what the partner counts."""
    comp = train_mlp(X, Y, mixup=0.4, class_weight={0: 1.0, 1: 3.0}, epochs=2, **NETWORK)
    ref = train_mlp(X, Y, mixup=0.4, sample_weight=np.where(Y == 1, 3.0, 1.0), epochs=2, **NETWORK)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))


def test_rows_held_out_and_validation_rows_see_no_noise():
    trained, held = split_rows(len(X), 0.3, 1)
    seen = []
    result = train_neuron(X, Y, noise=0.5, validation=0.3, epochs=2, seed=1, callback=lambda e: seen.append(e.model))
    ref = [model.mean_loss(X[held], Y[held]) for model in seen]
    np.testing.assert_allclose(result.validation_loss_history, ref, rtol=1e-12)
    given = train_neuron(X[trained], Y[trained], noise=0.5, validation=(X[held], Y[held]), epochs=2, seed=1)
    np.testing.assert_array_equal(given.validation_loss_history, result.validation_loss_history)


def test_the_deviation_is_that_of_the_rows_trained_on():
    rows = np.c_[X, np.full(len(X), 7.5)]
    index = np.arange(0, len(X), 3)
    found = augmentation(Rows(rows, Codes(Y, np.arange(2)), index), None, 0, 0.5, 0.0, None, numbers=False)
    np.testing.assert_allclose(found.deviations[:3], 0.5 * X[index].std(axis=0), rtol=1e-12)
    assert found.deviations[3] == 0.0
    constant = train_neuron(rows, Y, noise=0.5, standardize=True, epochs=3, seed=0).model
    assert abs(constant.weights[3]) < 1e-9


# --- the same bits ----------------------------------------------------------------------------------------------------


@with_any_option
@pytest.mark.parametrize("name", RUNS)
def test_engines_keep_their_promise(name, engine):
    train, options = RUNS[name]
    comp, ref = (train(X[:300], Y[:300], epochs=3, engine=each, **options) for each in (engine, "reference"))
    assert comp.engine == engine
    assert_keeps(engines.ENGINES[engine].promise, parameters(comp), parameters(ref))
    plain = {key: value for key, value in options.items() if key not in ("noise", "mixup")}
    assert (flat(train(X[:300], Y[:300], epochs=3, engine=engine, **plain).model) != flat(comp.model)).all()


@pytest.mark.parametrize("engine", ["fast", "strict", "numpy"])
@pytest.mark.parametrize("name", RUNS)
def test_blocks_and_streams_change_no_bit(name, engine, monkeypatch, tmp_path):
    train, options = RUNS[name]
    options = options | {"epochs": 3, "engine": engine}
    whole = parameters(train(X, Y, **options))
    np.save(tmp_path / "rows.npy", np.column_stack([X, Y]))
    if "validation" not in options:  # other rows of a file are held out
        np.testing.assert_array_equal(parameters(train(tmp_path / "rows.npy", -1, **options)), whole)
    if not options.keys() & {"validation", "shuffle"}:
        for size in (7, 400):
            np.testing.assert_array_equal(parameters(train(blocks(size), **options)), whole)
    monkeypatch.setattr(engines, "MOST_ROWS", 256)
    np.testing.assert_array_equal(parameters(train(X, Y, **options)), whole)
    np.testing.assert_array_equal(parameters(train(np.asfortranarray(X), Y, **options)), whole)


@pytest.mark.parametrize("name", RUNS)
def test_resumed_from_any_block(name, monkeypatch, tmp_path):
    from tinynet_fast.training.checkpoints import Checkpoint

    train, options = RUNS[name]
    monkeypatch.setattr(engines, "MOST_ROWS", 256)
    path, seen, write = tmp_path / "c.json", [], Checkpoint.write

    def keep(self, *args, **others):
        write(self, *args, **others)
        seen.append(path.read_bytes())

    monkeypatch.setattr(Checkpoint, "write", keep)
    whole = parameters(train(X, Y, epochs=2, checkpoint=path, checkpoint_seconds=0, **options))
    monkeypatch.setattr(Checkpoint, "write", write)
    assert len(seen) > 3
    for content in seen:
        path.write_bytes(content)
        np.testing.assert_array_equal(parameters(train(X, Y, epochs=2, checkpoint=path, **options)), whole)
    np.testing.assert_array_equal(parameters(train(X, Y, epochs=2, **options)), whole)


@pytest.mark.parametrize("name", ["noise", "mixup"])
def test_a_checkpoint_of_other_draws_is_refused(name, tmp_path):
    path = tmp_path / "c.json"
    train_mlp(X, Y, epochs=1, checkpoint=path, **NETWORK, **{name: 0.2})
    for other in ({}, {name: 0.3}):
        with pytest.raises(ValueError, match=f"a checkpoint of another run: {name} was 0.2 and is"):
            train_mlp(X, Y, epochs=2, checkpoint=path, **NETWORK, **other)


def test_a_model_says_how_it_was_trained():
    training = train_mlp(X, Y, epochs=1, noise=0.1, mixup=0.2, **NETWORK).model.training
    assert (training["noise"], training["mixup"], training["seed"]) == (0.1, 0.2, 1)
    drawn = train_neuron(X, Y, epochs=2, noise=0.1)
    again = train_neuron(X, Y, epochs=2, noise=0.1, seed=drawn.seed)
    np.testing.assert_array_equal(parameters(again), parameters(drawn))
    assert "noise" not in train_neuron(X, Y, epochs=1).model.training


def test_no_noise_changes_nothing():
    comp = train_mlp(X, Y, epochs=3, noise=0.0, mixup=0.0, **NETWORK)
    np.testing.assert_array_equal(parameters(comp), parameters(train_mlp(X, Y, epochs=3, **NETWORK)))


# --- steps ------------------------------------------------------------------------------------------------------------


def test_rows_that_noise_makes_too_long_are_left_to_strict():
    """The longest row leaves room without noise, and not with it."""
    longest = float((X**2).sum(axis=1).max()) + 1.0
    options = {"learning_rate": 7.0 / longest, "epochs": 4, "seed": 3}
    assert train_neuron(X, Y, **options).engine == "fast"
    comp = train_neuron(X, Y, noise=0.3, **options)
    assert comp.engine == "strict"
    np.testing.assert_array_equal(
        parameters(comp), parameters(train_neuron(X, Y, noise=0.3, engine="strict", **options))
    )
    assert train_neuron(blocks(100), noise=0.3, **options).engine == "strict"


def test_no_segments_of_rows_that_change():
    """The same rows without noise would be trained side by side, and a falling rate with `fast` from some row on."""
    options = {"learning_rate": 0.2, "epochs": 400, "seed": 1, "standardize": True}
    assert train_neuron(X, Y, **options).certificate is not None
    options["noise"] = 0.2
    comp, ref = (train_neuron(X, Y, engine=engine, **options) for engine in ("fast", "strict"))
    assert comp.engine == "fast"
    assert comp.certificate is None
    assert_keeps(1e-12, parameters(comp), parameters(ref))
    options |= {"standardize": False, "learning_rate": 5.0, "schedule": "invscaling", "epochs": 3}
    comp, ref = (train_neuron(X, Y, engine=engine, **options) for engine in ("fast", "strict"))
    assert str(comp.engine) == str(ref.engine)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))


def test_a_late_long_row_starts_the_run_again(tmp_path):
    """No row of the first epoch is too long. The checkpoint goes on with the engine that trained last."""
    noisy = [NOISE_OF_ONE.rows(X, Y, None, epoch, 0)[0] for epoch in range(8)]
    longest = [float((rows**2).sum(axis=1).max()) + 1.0 for rows in noisy]
    assert max(longest[1:]) > longest[0]
    rate = 8.0 / (0.5 * (longest[0] + max(longest[1:])))
    options = {"noise": 1.0, "learning_rate": rate, "seed": 5}
    assert train_neuron(X, Y, epochs=1, **options).engine == "fast"
    comp = train_neuron(X, Y, epochs=8, **options)
    assert comp.engine == "strict"
    path = tmp_path / "c.json"
    for epochs in (1, 8, 8):
        again = train_neuron(X, Y, epochs=epochs, checkpoint=path, **options)
    np.testing.assert_array_equal(parameters(again), parameters(comp))


NOISE_OF_ONE = Augmentation(5, standardisation(X, None)[1], 0.0, 1, 1)


def test_the_safe_rate_counts_the_noise():
    """At the rate that the error names, no noisy row can overshoot."""
    rows, options = 1e3 * X, {"learning_rate": 1e307, "epochs": 2, "seed": 5}
    with pytest.raises(TrainingDivergedError) as plain:
        train_neuron(rows, Y, **options)
    with pytest.raises(TrainingDivergedError) as noisy:
        train_neuron(rows, Y, noise=1.0, **options)
    lengths = [1e6 * (NOISE_OF_ONE.rows(X, Y, None, epoch, 0)[0] ** 2).sum(axis=1).max() + 1.0 for epoch in range(9)]
    assert plain.value.safe_learning_rate * max(lengths) > 8.0
    assert 0.5 < noisy.value.safe_learning_rate * max(lengths) <= 8.0


# --- what it does -----------------------------------------------------------------------------------------------------


def test_noise_shrinks_a_linear_neuron_as_ridge_does():
    """Bishop, 1995: with squared error, the best weights are (X'X / n + noise^2 D^2)^-1 X'y / n, D the deviations."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2000, 3)) * [1.0, 2.0, 0.5]
    rows[:, 1] += rows[:, 0]
    y = rows @ [1.0, -1.0, 2.0] + 3.0 + 0.1 * rng.standard_normal(2000)
    options = {"output": "linear", "learning_rate": 0.005, "average": 20_000, "epochs": 60, "seed": 0}
    comp = train_neuron(rows, y, noise=0.7, **options).model
    centred = rows - rows.mean(axis=0)
    spread = centred.T @ centred / 2000
    ref = np.linalg.solve(spread + 0.49 * np.diag(np.diag(spread)), centred.T @ (y - y.mean()) / 2000)
    plain = np.linalg.solve(spread, centred.T @ (y - y.mean()) / 2000)
    np.testing.assert_allclose(comp.weights, ref, atol=0.03)
    assert np.abs(ref - plain).min() > 0.2
    assert comp.bias == pytest.approx(y.mean() - rows.mean(axis=0) @ ref, abs=0.03)


def test_mixup_makes_answers_less_extreme():
    options = {"hidden": (16,), "activation": "tanh", "learning_rate": 0.5, "batch_size": 20, "epochs": 300, "seed": 0}
    plain, mixed = (train_mlp(X[:100], Y[:100], mixup=alpha, standardize=True, **options).model for alpha in (0.0, 1.0))
    extreme = [np.abs(model.predict_proba(X) - 0.5).mean() for model in (plain, mixed)]
    assert extreme[1] < extreme[0] - 0.05
    assert mixed.loss(X, Y) < plain.loss(X, Y)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "much", True, None])
@pytest.mark.parametrize("name", ["noise", "mixup"])
def test_values_that_make_no_sense(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*; a finite number of at least 0 is needed"):
        train_mlp(X, Y, **{name: value})


def test_rows_that_can_have_no_noise(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=r"noise would fill the zeros of sparse rows: pass X\.toarray\(\)"):
        train_neuron(sparse.csr_matrix(X), Y, noise=0.1)
    (tmp_path / "rows.svm").write_text("".join(f"{y} 1:{x[0]} 2:{x[1]}\n" for x, y in zip(X, Y, strict=True)))
    with pytest.raises(ValueError, match="noise would fill the zeros of sparse rows"):
        train_neuron(tmp_path / "rows.svm", noise=0.1)
    dense = train_neuron(tmp_path / "rows.svm", noise=0.1, standardize=True, seed=0, epochs=2)
    ref = train_neuron(X[:, :2], Y, noise=0.1, standardize=True, seed=0, epochs=2)
    np.testing.assert_array_equal(parameters(dense), parameters(ref))
    with pytest.raises(ValueError, match="these can be read once only: write them to a file"):
        train_neuron(iter([(X, Y)]), noise=0.1, epochs=1, labels=(0, 1))


def test_noise_that_is_too_large():
    with pytest.raises(ValueError, match=r"noise=1e\+308 is more than a float64 holds"):
        train_neuron(X, Y, noise=1e308)
    with pytest.raises(ValueError, match="noise is a share of each input's deviation: column 0 is too large"):
        train_neuron(1e200 * X, Y, noise=0.1)


def test_batches_that_cannot_be_mixed(monkeypatch):
    with pytest.raises(ValueError, match="mixup mixes the rows of a batch, and a batch has one row: use a larger"):
        train_mlp(X, Y, mixup=0.2, batch_size=1)
    monkeypatch.setattr("tinynet_fast.training.augment.MOST_VALUES", 300)
    with pytest.raises(ValueError, match=r"and 1,500 rows are too many: use a batch_size of at most 100$"):
        train_mlp(X, Y, mixup=0.2)
    assert train_mlp(X, Y, mixup=0.2, batch_size=100, epochs=1, seed=0).engine == "fast"
