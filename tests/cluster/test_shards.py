"""Shards without a cluster: the chain has one machine's bits for all cuts, and averaging always the same bits."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_cluster import CountingShards, LocalShards, same, travelled

from tinynet_fast import TrainingDivergedError, TrainingWarning, sweep, train_mlp, train_neuron
from tinynet_fast.cluster import State, fit_shard, merge
from tinynet_fast.cluster.fit import ShardOptions
from tinynet_fast.cluster.inspection import merge_moments
from tinynet_fast.cluster.recipes import NeuronRecipe
from tinynet_fast.cluster.state import pack, unpack
from tinynet_fast.cluster.train import network, neuron
from tinynet_fast.cluster.train import sweep as sweep_shards
from tinynet_fast.errors import rounded_down
from tinynet_fast.rows.blocks import Moments
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training.schedules import Penalties, Schedule

ROWS = make_pass_fail(3000, 3)
Y = ROWS.y.astype(np.int64)
cuts = st.lists(st.integers(0, 3000), max_size=8).map(sorted)
OPTIONS = (
    {},
    {"engine": "strict", "l1": 1e-3, "schedule": "invscaling"},
    {"engine": "numpy", "average": True},
    {"average": 700, "l2": 1e-3, "epochs": 2},
    {"standardize": True, "epochs": 2},
    {"schedule": "cosine", "epochs": 3},
    {"learning_rate": 60.0},
    {"loss": "squared_error"},
    {"weights": [0.5, -1.0, 2.0], "bias": 1.5},
)


def plain_options():
    """A neuron on the rows, fast."""
    return ShardOptions(
        NeuronRecipe(np.zeros((1, 4)), Schedule(0.1), Penalties(0.0, 0.0, False, "log_loss")),
        "fast",
        3,
        3000,
        "<f8",
        np.array([0, 1]),
    )


@settings(max_examples=25)
@given(cuts, st.sampled_from(OPTIONS), st.sampled_from([np.float64, np.float32]))
def test_the_chain_is_one_machine(cuts, options, dtype):
    options, X = {"epochs": 1, **options}, ROWS.X.astype(dtype)
    ref, comp = train_neuron(X, Y, **options), neuron(LocalShards(X, Y, cuts), **options)
    same(comp, ref)
    assert comp.engine == ref.engine.partition("/")[0]


@settings(max_examples=15)
@given(
    cuts, st.sampled_from([1, 7, 32, 1000, 5000]), st.sampled_from(["sgd", "adam"]), st.sampled_from(["fast", "strict"])
)
def test_the_chain_of_a_network_is_one_machine(cuts, batch_size, optimizer, engine):
    options = {"batch_size": batch_size, "optimizer": optimizer, "epochs": 2, "seed": 3, "engine": engine}
    same(network(LocalShards(ROWS.X, Y, cuts), mode="chain", **options), train_mlp(ROWS.X, Y, **options))


@settings(max_examples=15)
@given(cuts, st.integers(1, 6), st.sampled_from([{}, {"average": True}, {"average": True, "schedule": "invscaling"}]))
def test_averaging_does_not_depend_on_the_order_of_finishing(cuts, syncs, options):
    options = {"mode": "average", "syncs": syncs, "epochs": 2, **options}
    ref = neuron(LocalShards(ROWS.X, Y, cuts), **options)
    same(neuron(LocalShards(ROWS.X, Y, cuts, order=lambda i: -i), **options), ref)
    assert ref.model.loss(ROWS.X, Y) < 0.65


@pytest.mark.parametrize("syncs", [1, 3, 16])
def test_one_shard_averaged_over_syncs_is_the_mean_over_all_rows(syncs):
    """With one shard nothing is merged: rounds only cut the epoch, and `strict` may be cut anywhere."""
    options = {"average": True, "engine": "strict"}
    ref = train_neuron(ROWS.X, Y, epochs=1, **options)
    comp = neuron(LocalShards(ROWS.X, Y, []), mode="average", syncs=syncs, **options)
    np.testing.assert_allclose(comp.model.weights, ref.model.weights, rtol=1e-12)
    np.testing.assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-12)


def test_a_round_of_two_shards_by_hand():
    a, b = (train_neuron(ROWS.X[part], Y[part], epochs=1) for part in (slice(0, 1000), slice(1000, 3000)))
    comp = neuron(LocalShards(ROWS.X, Y, [1000]), mode="average")
    mean = a.model.weights + (b.model.weights - a.model.weights) * (2000 / 3000)
    np.testing.assert_array_equal(comp.model.weights, mean)
    np.testing.assert_array_equal(comp.loss_history, a.loss_history + b.loss_history)


def test_merge():
    states = [
        State({"w": np.array([float(i), 1.0 / 3.0])}, {"row": np.array([5.0 + i])}, np.array([0.5]), i)
        for i in range(4)
    ]
    merged = merge(states, [0, 1, 1, 2])
    np.testing.assert_allclose(merged.values["w"], [9.0 / 4.0, 1.0 / 3.0], rtol=1e-15)
    assert merged.values["w"][1] == 1.0 / 3.0
    assert (merged.counts["row"][0], merged.losses[0], merged.rows) == (8.0, 1.5, 6)
    with pytest.raises(ValueError, match="no shard has a row"):
        merge(states, [0, 0, 0, 0])
    with pytest.raises(ValueError, match="4 states and 1 numbers"):
        merge(states, [1])
    waiting = State({}, {}, np.zeros(1), 3, np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(ValueError, match="wait to be trained on"):
        merge([waiting], [3])


def test_merge_sees_the_order_of_shards():
    """A planted mistake, merging in the order of finishing, changes the bits."""
    rng = np.random.default_rng(0)
    states = [State({"w": rng.normal(size=50)}, {}, np.zeros(1), 1) for _ in range(8)]
    counts = rng.integers(1, 1000, 8).tolist()
    comp = merge(states[::-1], counts[::-1])
    assert (merge(states, counts).values["w"] != comp.values["w"]).any()


def test_a_state_travels_bit_for_bit_and_holds_less_than_a_tile():
    options = plain_options()
    state = fit_shard(options.start(), [(ROWS.X[:1000], Y[:1000])], options, last=False)
    assert (state.rows, len(state.y)) == (768, 232)
    back = State.of(unpack(pack(state.arrays())))
    assert vars(back).keys() == vars(state).keys()
    assert back.arrays().keys() == state.arrays().keys()
    for name, value in state.arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], value)
    assert len(pack(state.arrays())) < 12_000


def test_only_a_block_is_held(monkeypatch):
    """Blocks are read one by one: each is released before the next is read."""
    import gc
    import weakref

    alive = []

    def blocks():
        for low in range(0, 3000, 500):
            assert sum(ref() is not None for ref in alive) <= 2
            block = ROWS.X[low : low + 500].copy()
            alive.append(weakref.ref(block))
            yield block, Y[low : low + 500]
            del block
            gc.collect()

    options = plain_options()
    gc.freeze()  # what all tests before this one have left is then not looked through six times
    assert fit_shard(options.start(), blocks(), options).rows == 3000


class CutShards(LocalShards):
    """Shards that are read in blocks of `size` rows."""

    size = 1

    def do(self, task, share):
        X, y = (part[share.start : share.stop] for part in self.parts[share.shard])
        return travelled(
            task, [(X[i : i + self.size], y[i : i + self.size]) for i in range(0, len(X), self.size)], share
        )


def test_no_figure_of_a_sweep_depends_on_how_shards_are_read():
    shards = CutShards(ROWS.X, Y, [1000])
    options = {"learning_rate": [0.01, 0.1], "folds": 3, "mode": "average", "seed": 0}
    ref = sweep_shards(LocalShards(ROWS.X, Y, [1000]), **options)
    for shards.size in (7, 100, 1999):
        comp = sweep_shards(shards, **options)
        for name in ("weights", "progressive_loss", "held_out_history", "held_out_loss"):
            np.testing.assert_array_equal(getattr(comp, name), getattr(ref, name))


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_of_shards(offset):
    X = ROWS.X + offset
    parts = []
    for a, b in itertools.pairwise([0, 10, 10, 1500, 3000]):
        parts.append(Moments(3))
        if b > a:
            parts[-1].add(X[a:b])
    mean, scale = merge_moments(parts).standardisation(None)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(scale, X.std(axis=0), rtol=1e-9 if offset else 1e-13)
    ref = train_neuron(X, Y, epochs=1, standardize=True)
    comp = neuron(LocalShards(X, Y, [10, 10, 1500]), mode="average", syncs=16, average=True, standardize=True)
    assert comp.model.loss(X, Y) < 1.1 * ref.model.loss(X, Y)


def test_sweep_as_a_chain_and_averaged():
    options = {"learning_rate": [0.01, 0.1], "average": [False, True], "epochs": 2}
    ref = sweep(ROWS.X, Y, **options)
    chain = sweep_shards(LocalShards(ROWS.X, Y, [100, 101, 2000]), mode="chain", **options)
    np.testing.assert_array_equal(chain.weights, ref.weights)
    np.testing.assert_allclose(chain.progressive_loss, ref.progressive_loss, rtol=1e-12)
    folded = sweep_shards(LocalShards(ROWS.X, Y, [100, 101, 2000]), folds=4, syncs=2, **options)
    again = sweep_shards(LocalShards(ROWS.X, Y, [100, 101, 2000], order=lambda i: -i), folds=4, syncs=2, **options)
    np.testing.assert_array_equal(folded.weights, again.weights)
    for i, rate in enumerate(options["learning_rate"]):
        alone = neuron(LocalShards(ROWS.X, Y, [100, 101, 2000]), mode="average", syncs=2, epochs=2, learning_rate=rate)
        np.testing.assert_allclose(folded.weights[10 * i], alone.model.weights, rtol=1e-11)
        mean = neuron(
            LocalShards(ROWS.X, Y, [100, 101, 2000]),
            mode="average",
            syncs=2,
            epochs=2,
            learning_rate=rate,
            average=True,
        )
        np.testing.assert_allclose(folded.weights[10 * i + 5], mean.model.weights, rtol=1e-11)


def test_validation_patience_and_callback():
    seen = []
    result = neuron(
        LocalShards(ROWS.X, Y, [1000]), epochs=20, validation=(ROWS.X[:500], Y[:500]), patience=1, callback=seen.append
    )
    ref = train_neuron(ROWS.X, Y, epochs=20, validation=(ROWS.X[:500], Y[:500]), patience=1)
    same(result, ref)
    assert (len(seen), result.best_epoch) == (ref.epochs, ref.best_epoch)


def test_what_diverges_says_so():
    X = ROWS.X * 1e155
    with pytest.raises((TrainingDivergedError, ValueError), match=r"diverged|not finite"):
        neuron(LocalShards(X, Y, [100]), mode="average", learning_rate=1e10, epochs=3, engine="strict")


def test_an_unknown_activation_is_refused_before_rows_are_read():
    class Unread(LocalShards):
        def labels(self, task):
            raise AssertionError("labels are read")

    with pytest.raises(ValueError, match="there is no activation 'cube': use one of "):
        network(Unread(ROWS.X, Y, [1000]), activation="cube")


def test_a_network_that_diverges_is_not_told_a_neurons_rate():
    options = {"learning_rate": 1e300, "activation": "relu", "engine": "strict", "seed": 0, "epochs": 3}
    with pytest.raises(TrainingDivergedError) as ref:
        train_mlp(1e3 * ROWS.X, Y, batch_size=32, **options)
    with pytest.raises(TrainingDivergedError) as comp:
        network(LocalShards(1e3 * ROWS.X, Y, [1000]), **options)
    assert comp.value.safe_learning_rate == pytest.approx(ref.value.safe_learning_rate)
    with pytest.raises(TrainingDivergedError, match="no rate is safe"):
        neuron(LocalShards(1e120 * ROWS.X, Y, [1000]), schedule="optimal", l2=1e-300, engine="strict")


@pytest.mark.parametrize("syncs", [1, 4])
def test_the_cosine_of_an_averaged_network_ends_near_zero(syncs):
    """Averaging equal shards changes nothing: the result is that of one of them on one machine."""
    X, y = np.tile(ROWS.X[:320], (4, 1)), np.tile(Y[:320], 4)
    options = {"schedule": "cosine", "epochs": 3, "seed": 1, "learning_rate": 0.5}
    comp = network(LocalShards(X, y, [320, 640, 960]), syncs=syncs, engine="strict", batch_size=20, **options)
    ref = train_mlp(X[:320], y[:320], batch_size=20, engine="strict", **options)
    for a, b in zip(comp.model.weights, ref.model.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


class ChangingShards(LocalShards):
    """The first shard has one row less each time it is read, as in a frame that is drawn anew."""

    def labels(self, task):
        return self.drop(super().labels(task))

    def do(self, task, share):
        return self.drop(super().do(task, share))

    def drop(self, found):
        self.parts[0] = tuple(part[:-1] for part in self.parts[0])
        return found


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_rows_that_change_are_refused(mode):
    with pytest.raises(ValueError, match="the rows must be the same each time"):
        neuron(ChangingShards(ROWS.X, Y, [1000, 2000]), mode=mode, epochs=1)


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_inputs_are_read_once_an_epoch(mode):
    shards = CountingShards(ROWS.X, Y, [1000, 2000])
    neuron(shards, mode=mode, epochs=2)
    assert shards.read == 6000
    standardised = CountingShards(ROWS.X, Y, [1000, 2000])
    neuron(standardised, mode=mode, standardize=True)
    assert standardised.read == 6000
    swept = CountingShards(ROWS.X, Y, [1000, 2000])
    sweep_shards(swept, mode=mode, learning_rate=[0.01, 0.1])
    assert swept.read == 3000


@pytest.mark.parametrize("mode", ["chain", "average"])
@pytest.mark.parametrize("network_too", [False, True])
def test_a_row_that_is_too_long_for_the_fast_engine_makes_all_shards_strict(mode, network_too):
    """The row is found while training, in the last shard; all earlier shards are trained again."""
    X = ROWS.X.copy()
    X[2900] = 1e4
    train = (lambda shards, **more: network(shards, seed=1, **more)) if network_too else neuron
    options = {"mode": mode} if mode == "chain" or not network_too else {"mode": mode, "syncs": 2}
    options |= {"syncs": 1} if network_too and mode == "chain" else {}
    shards = CountingShards(X, Y, [1000, 2000])
    comp, ref = train(shards, **options), train(LocalShards(X, Y, [1000, 2000]), engine="strict", **options)
    assert (comp.engine, shards.read) == ("strict", 6000)
    same(comp, ref)
    few = train(CountingShards(ROWS.X, Y, [1000, 2000]), **options)
    assert few.engine == "fast"


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_steps_that_overshoot_are_warned_of(mode):
    shards = LocalShards(ROWS.X * 1000.0, Y, [1000, 2000])
    safe = 8.0 / np.max(((ROWS.X * 1000.0) ** 2).sum(axis=1) + 1.0)
    with pytest.warns(
        TrainingWarning, match=rf"standardize=True, or learning_rate={rounded_down(safe, 2)}, which is safe"
    ):
        neuron(shards, mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        neuron(shards, mode=mode, standardize=True)
        neuron(shards, mode=mode, learning_rate=safe)
        network(shards, mode=mode, seed=0)
