"""Numbers, several labels and class weights on shards: a chain has one machine's bits, and errors name the place."""

import re
import warnings

import numpy as np
import pytest
from compare import parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_cluster import CountingShards, LocalShards, same

from tinynet_fast import TrainingDivergedError, TrainingWarning, train_mlp, train_neuron
from tinynet_fast.cluster.inspection import merge_labels, read_labels
from tinynet_fast.cluster.learned import NumbersTask
from tinynet_fast.cluster.scoring import check_has_probabilities, number_columns
from tinynet_fast.cluster.tasks import Share
from tinynet_fast.cluster.train import network, neuron, sweep
from tinynet_fast.errors import rounded_down

N = 3000
draw = np.random.default_rng(4)
X = draw.normal(size=(N, 3))
Z = X @ [1.0, -2.0, 0.5] + 0.3
Y = Z + 0.1 * draw.normal(size=N)
COUNTS = draw.poisson(np.exp(0.5 * np.clip(Z, -3.0, 3.0))).astype(np.float64)
PAIRS = np.column_stack([Y, 2.0 * X[:, 0] - 1.0])
LABELS = np.array(["a", "b", "c"])[np.argmax(X, axis=1)]
BINARY = (Z > 0.0).astype(np.int64)
cuts = st.lists(st.integers(0, N), max_size=6).map(sorted)
LINEAR = {"output": "linear", "epochs": 2, "learning_rate": 0.01}
# options, and what the rows are to learn
NEURONS = {
    "least squares": (LINEAR, Y),
    "averaged, l2": (LINEAR | {"average": 700, "l2": 1e-3}, Y),
    "l1": (LINEAR | {"l1": 1e-3, "schedule": "invscaling"}, Y),
    "huber": (LINEAR | {"loss": "huber", "delta": 0.5, "engine": "strict"}, Y),
    "absolute": (LINEAR | {"loss": "absolute_error"}, Y),
    "quantile": (LINEAR | {"loss": "quantile", "quantile": 0.9}, Y),
    "poisson": (LINEAR | {"loss": "poisson"}, COUNTS),
    "standardised": (LINEAR | {"standardize": True, "standardize_y": True}, 100.0 * Y + 5000.0),
    "standardised y": (LINEAR | {"standardize_y": True}, 100.0 * Y + 5000.0),
    "targets": (LINEAR | {"standardize_y": True, "average": True}, PAIRS),
    "too long a step": (LINEAR | {"learning_rate": 0.9, "loss": "huber"}, Y),
    "softmax": ({"epochs": 2}, LABELS),
    "softmax, averaged": ({"epochs": 2, "average": True, "l2": 1e-3, "standardize": True}, LABELS),
    "one against the rest": ({"epochs": 2, "output": "one_vs_rest", "average": 5}, LABELS),
    "hinge": ({"loss": "hinge"}, BINARY),
    "focal": ({"loss": "focal", "gamma": 1.0}, BINARY),
    "balanced": ({"class_weight": "balanced"}, (Z > 2.0).astype(int)),
    "weights of labels": ({"class_weight": {"b": 3.0, "c": 0.5}, "output": "one_vs_rest"}, LABELS),
    "weights of two": ({"class_weight": {1: 20.0}, "learning_rate": 0.2}, BINARY),
}


def shards_of(y, cuts, order=None, rows=X):
    return LocalShards(rows, y, cuts, order, numbers=y.dtype == np.float64)


@pytest.mark.parametrize("name", NEURONS)
@settings(max_examples=4)
@given(cuts, st.sampled_from([np.float64, np.float32]))
def test_a_chain_of_neurons_is_one_machine(name, cuts, dtype):
    options, y = NEURONS[name]
    options = {"epochs": 1, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        ref = train_neuron(X.astype(dtype), y, **options)
        comp = neuron(shards_of(y, cuts, rows=X.astype(dtype)), **options)
    same(comp, ref)
    assert comp.engine == ref.engine.partition("/")[0]
    assert (comp.model.output, comp.model.training["loss"]) == (ref.model.output, ref.model.training["loss"])
    assert comp.model.training.get("class_weight") == ref.model.training.get("class_weight")
    np.testing.assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-12)
    np.testing.assert_array_equal(comp.model.predict(X[:50]), ref.model.predict(X[:50]))


NETWORKS = {
    "least squares": ({}, Y),
    "targets": ({"loss": "huber", "activation": "tanh"}, PAIRS),
    "poisson": ({"loss": "poisson", "learning_rate": 0.01}, COUNTS),
    "quantile": ({"loss": "quantile", "quantile": 0.2}, Y),
    "standardised": ({"standardize": True, "standardize_y": True}, 1000.0 * PAIRS),
}


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=3)
@given(cuts, st.sampled_from([7, 32]))
def test_a_chain_of_networks_is_one_machine(name, cuts, batch_size):
    options, y = NETWORKS[name]
    options = {"output": "linear", "batch_size": batch_size, "epochs": 2, "seed": 3, **options}
    comp, ref = network(shards_of(y, cuts), mode="chain", **options), train_mlp(X, y, **options)
    same(comp, ref)
    assert comp.engine == ref.engine.partition("/")[0]


@pytest.mark.parametrize("weight", ["balanced", {0: 0.25}])
@pytest.mark.parametrize("loss", ["log_loss", "hinge", "focal", "squared_error"])
def test_a_network_weights_labels(weight, loss):
    options = {"class_weight": weight, "batch_size": 16, "seed": 3, "loss": loss}
    comp = network(shards_of(BINARY, [100, 1200]), mode="chain", **options)
    ref = train_mlp(X, BINARY, epochs=1, **options)
    same(comp, ref)
    np.testing.assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-12)


@pytest.mark.parametrize("name", ["least squares", "averaged", "targets", "softmax", "one against the rest", "hinge"])
def test_averaging_does_not_depend_on_the_order_of_finishing(name):
    options, y = NEURONS.get(name, (LINEAR | {"average": True}, Y))
    options = options | {"mode": "average", "syncs": 3, "average": "average" in options}
    ref = neuron(shards_of(y, [700, 1500]), **options)
    same(neuron(shards_of(y, [700, 1500], order=lambda i: -i), **options), ref)
    assert ref.model.score(X, y) > 0.85
    alone = {name: options[name] for name in options.keys() - {"mode", "syncs"}}
    one, ref = neuron(shards_of(y, []), **options | {"syncs": 1}), train_neuron(X, y, **{"epochs": 1} | alone)
    np.testing.assert_allclose(parameters(one), parameters(ref), rtol=1e-12)


def test_a_round_of_two_shards_by_hand():
    options = {"output": "linear", "learning_rate": 0.01}
    a, b = (train_neuron(X[part], PAIRS[part], epochs=1, **options) for part in (slice(0, 1000), slice(1000, N)))
    comp = neuron(shards_of(PAIRS, [1000]), mode="average", **options)
    mean = a.model.weights + (b.model.weights - a.model.weights) * (2000 / 3000)
    np.testing.assert_array_equal(comp.model.weights, mean)
    np.testing.assert_allclose(comp.loss_history, a.loss_history + b.loss_history, rtol=1e-15)


def test_a_mean_over_rounds_counts_every_row():
    """With one shard nothing is merged, and the mean over the rows of several rounds is that over all rows."""
    for y, output in ((PAIRS, "linear"), (LABELS, None)):
        options = {"average": True, "engine": "strict", "learning_rate": 0.01, "output": output}
        ref = train_neuron(X, y, epochs=1, **options)
        comp = neuron(shards_of(y, []), mode="average", syncs=4, **options)
        np.testing.assert_allclose(comp.model.weights, ref.model.weights, rtol=1e-12)


@pytest.mark.parametrize("targets", [1, 2])
def test_numbers_are_standardised_by_their_merged_moments(targets):
    y = 1000.0 * (Y if targets == 1 else PAIRS) + 1e6
    options = LINEAR | {"standardize_y": True}
    ref = train_neuron(X, y, **options)
    comp = neuron(shards_of(y, [10, 10, 1500]), mode="average", syncs=8, **options)
    assert comp.model.score(X, y) > ref.model.score(X, y) - 0.01
    np.testing.assert_allclose(comp.loss_history[-1], ref.loss_history[-1], rtol=0.5)  # of standardised numbers


def test_a_rate_is_searched_as_on_one_machine():
    for name in ("least squares", "targets", "poisson", "softmax", "one against the rest", "balanced"):
        options, y = NEURONS[name]
        options = {"epochs": 1, **options, "learning_rate": "auto"}
        ref, comp = train_neuron(X, y, **options), neuron(shards_of(y, []), **options)
        same(comp, ref)
        np.testing.assert_array_equal(comp.rate_search.losses, ref.rate_search.losses)
        assert comp.rate_search.loss == ref.rate_search.loss
    y = np.where(np.arange(N) < 500, 1.0, Y)
    assert neuron(shards_of(y, [500]), learning_rate="auto", output="linear").rate_search.rows == N - 500
    with pytest.raises(ValueError, match="a partition with rows of all 3 labels: give a rate"):
        neuron(shards_of(np.sort(LABELS), [int((LABELS == "a").sum())]), learning_rate="auto")


def test_validation_patience_and_callback():
    held, seen = (X[:500], PAIRS[:500]), []
    options = {"output": "linear", "epochs": 30, "learning_rate": 0.1, "patience": 1, "validation": held}
    comp, ref = neuron(shards_of(PAIRS, [1000]), callback=seen.append, **options), train_neuron(X, PAIRS, **options)
    same(comp, ref)
    np.testing.assert_array_equal(comp.validation_loss_history, ref.validation_loss_history)
    assert (len(seen), comp.best_epoch) == (ref.epochs, ref.best_epoch)
    with pytest.raises(ValueError, match="validation y has 1 numbers a row, and 2 are learned"):
        neuron(shards_of(PAIRS, [1000]), **options | {"validation": (X, Y)})


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_inputs_are_read_once_an_epoch(mode):
    options = {"output": "linear", "learning_rate": 0.01, "mode": mode}
    shards = CountingShards(X, Y, [1000, 2000], numbers=True)
    neuron(shards, epochs=2, **options)
    assert shards.read == 2 * N
    shards.read = 0
    neuron(shards, standardize_y=True, **options)
    assert shards.read == (2 if mode == "chain" else 1) * N
    shards.read = 0
    neuron(shards, standardize_y=True, standardize=True, **options)
    assert shards.read == 2 * N


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "partition 1, y[203] is missing: drop the row or fill the value first"),
        (-np.inf, "partition 1, y[203] is not finite"),
        ("dear", "partition 1, y[203] is 'dear', which is no number"),
        (None, "partition 1, y[203] is missing"),
    ],
)
def test_what_is_no_number_names_the_place(value, words):
    y = Y.astype(object)
    y[703] = value
    with pytest.raises(ValueError, match=re.escape(words)):
        neuron(LocalShards(X, y, [500], numbers=True), output="linear")
    wrong = np.array([[1.0, 2.0], [value if isinstance(value, float) else np.nan, 4.0]])
    with pytest.raises(ValueError, match="partition 3, row 6, column 'b': "):
        NumbersTask(2, ["b", "c"], False)([PAIRS[:5], wrong], Share(3))


def test_numbers_that_a_loss_cannot_learn():
    counts = COUNTS.copy()
    counts[1500] = -2.0
    with pytest.raises(ValueError, match=r"partition 1, row 500, y is -2.0: loss='poisson' learns counts"):
        neuron(shards_of(counts, [1000]), output="linear", loss="poisson")
    with pytest.raises(ValueError, match=r"partition 0, row 1, column 'n' is -2.0: loss='poisson'"):
        NumbersTask(2, ["m", "n"], True)([np.array([[1.0, 1.0], [3.0, -2.0]])], Share(0))
    with pytest.raises(ValueError, match="y is 0 in every row, and loss='poisson' learns a mean above 0"):
        neuron(shards_of(np.zeros(N), [1000]), output="linear", loss="poisson")
    with pytest.warns(TrainingWarning, match=r"y\[:, 1\] is 7.0 in every row"):
        neuron(shards_of(np.column_stack([Y, np.full(N, 7.0)]), [1000]), **LINEAR)
    with pytest.warns(TrainingWarning, match=r"y is 7.0 in every row"):
        neuron(shards_of(np.full(N, 7.0), [1000]), **LINEAR)
    with pytest.raises(ValueError, match="the partitions have no rows"):
        neuron(shards_of(Y[:0], [], rows=X[:0]), output="linear")


class Unread(LocalShards):
    """Shards that nobody may read."""

    def labels(self, task):
        raise AssertionError("labels are read")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output": "linear", "labels": [0, 1]}, "labels names labels, and output='linear' learns numbers"),
        ({"output": "linear", "class_weight": "balanced"}, "class_weight is for labels"),
        ({"output": "linear", "loss": "poisson", "standardize_y": True}, "standardize_y would make counts negative"),
        ({"standardize_y": True}, "standardize_y is for numbers, and labels are learned"),
        ({"loss": "huber"}, "loss='huber' is for numbers: use output='linear'"),
        ({"output": "linear", "loss": "hinge"}, "loss='hinge' is for labels"),
        ({"output": "linear", "loss": "quantile", "quantile": 1.0}, "quantile is 1.0"),
        ({"output": "number"}, "there is no output 'number'"),
        ({"class_weight": 3}, "class_weight is 3; 'balanced' is needed"),
    ],
)
@pytest.mark.parametrize("train", [neuron, network])
def test_options_are_checked_before_rows_are_read(train, options, words):
    with pytest.raises(ValueError, match=words):
        train(Unread(X, Y, [1000], numbers=True), **options)


@pytest.mark.parametrize("option", [{"output": "linear"}, {"class_weight": "balanced"}])
def test_a_sweep_of_shards_is_for_two_labels(option):
    name = next(iter(option))
    words = f"{name} is not for rows on a cluster: a sweep of shards trains two labels .*: call train_neuron for each"
    with pytest.raises(ValueError, match=words):
        sweep(Unread(X, Y, [1000], numbers=True), **option)


def test_the_rows_of_each_label_are_counted():
    y = np.repeat([2, 0, 1], [15_000, 7000, 8001])
    for blocks in ([y], [y[:9000], y[9000:].astype(float)]):
        comp = read_labels(blocks, 0, count=True)
        assert (comp.rows, comp.labels.tolist(), comp.counts.tolist()) == (30_001, [0, 1, 2], [7000, 8001, 15_000])
    parts = [read_labels([part], 0, count=True) for part in (y[:15_100], y[:0], y[15_100:])]
    for known in (None, np.array([2, 0, 1])):
        whole = merge_labels(parts, known, 3)
        assert dict(zip(whole.labels.tolist(), whole.counts.tolist(), strict=True)) == {0: 7000, 1: 8001, 2: 15_000}


def test_losses_and_weights_for_other_labels():
    for train in (neuron, network):
        with pytest.raises(ValueError, match="is for two labels and y has 3"):
            train(shards_of(LABELS, [1000]), loss="squared_error")
        with pytest.raises(ValueError, match="class_weight has the label 'd', which no row has"):
            train(shards_of(LABELS, [1000]), class_weight={"d": 2.0})
        with pytest.raises(ValueError, match=r"y holds \d+ different numbers, not all of them whole"):
            train(LocalShards(X, np.round(Y, 1), [1000]))


def test_a_row_that_is_too_long_for_the_loss_is_trained_by_strict():
    """The bound of least squares is 2, and not the 8 of the log loss."""
    rows = X / np.sqrt((X * X).sum(axis=1, keepdims=True))  # |x|^2 + 1 is 2
    options = {"output": "linear", "learning_rate": 0.9, "epochs": 1}
    assert neuron(shards_of(Y, [1000], rows=rows), **options).engine == "fast"
    rows[2900] = 2.0, 0.0, 0.0  # its step is 4.5, which overshoots
    safe = rounded_down(2.0 / 5.0, 2)
    words = (
        rf"is above 2 for some rows, .* than always answering the mean of y\. .* learning_rate={safe}, which is safe"
    )
    with pytest.warns(TrainingWarning, match=words):
        comp = neuron(shards_of(Y, [1000], rows=rows), **options)
    assert comp.engine == "strict"
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        neuron(shards_of(Y, [1000], rows=rows), **options | {"learning_rate": float(safe)})


def test_weights_of_labels_count_for_the_bound():
    options = {"class_weight": {1: 50.0}, "learning_rate": 0.1}
    with pytest.warns(TrainingWarning, match="steps overshoot"):
        comp = neuron(shards_of(BINARY, [1000]), **options)
    assert comp.engine == "strict"
    assert neuron(shards_of(BINARY, [1000]), **options | {"class_weight": {1: 1.5}}).engine == "fast"


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_what_diverges_names_a_rate_that_is_safe(loss):
    y = COUNTS if loss == "poisson" else Y
    options = {"output": "linear", "loss": loss, "learning_rate": 1e3, "engine": "strict", "epochs": 3}
    with pytest.raises(TrainingDivergedError) as comp:
        neuron(shards_of(y, [1000]), **options)
    with pytest.raises(TrainingDivergedError) as ref:
        train_neuron(X, y, **options)
    assert comp.value.safe_learning_rate == pytest.approx(ref.value.safe_learning_rate)
    safe = rounded_down(comp.value.safe_learning_rate, 2)
    neuron(shards_of(y, [1000]), **options | {"learning_rate": float(safe)})


def test_a_network_that_diverges_is_told_a_rate_for_its_numbers():
    options = {"output": "linear", "learning_rate": 1e300, "activation": "relu", "engine": "strict", "seed": 0}
    for y, more in ((100.0 * Y, {}), (100.0 * PAIRS, {"standardize_y": True})):
        with pytest.raises(TrainingDivergedError) as ref:
            train_mlp(X, y, batch_size=32, epochs=1, **more, **options)
        with pytest.raises(TrainingDivergedError) as comp:
            network(shards_of(y, [1000]), **more, **options)
        assert comp.value.safe_learning_rate == pytest.approx(ref.value.safe_learning_rate)


def test_segments_are_for_the_log_loss_without_weights(monkeypatch):
    from tinynet_fast.cluster import segments

    def never(self, *args):
        raise AssertionError("trained in segments")

    monkeypatch.setattr(segments.ShardSegments, "train", never)
    for name in ("least squares", "huber", "targets", "softmax", "one against the rest", "balanced"):
        options, y = NEURONS[name]
        assert neuron(shards_of(y, [1000]), **options).certificate is None
    with pytest.raises(AssertionError, match="trained in segments"):
        neuron(shards_of(BINARY, [1000]))


def test_models_that_have_no_probabilities():
    numbers, margin = (
        neuron(shards_of(PAIRS, [1000]), **LINEAR).model,
        neuron(shards_of(BINARY, []), loss="hinge").model,
    )
    with pytest.raises(ValueError, match="the model predicts numbers, which have no probabilities: use predict"):
        check_has_probabilities(numbers)
    with pytest.raises(ValueError, match="the model was trained with loss='hinge'"):
        check_has_probabilities(margin)
    assert number_columns(numbers, "prediction") == ["prediction_0", "prediction_1"]
    numbers.targets = ["price", "rent"]
    assert number_columns(numbers, "prediction") == ["prediction_price", "prediction_rent"]
