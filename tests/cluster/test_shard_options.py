"""Shards without a cluster: options, labels, rates and rows are checked as on one machine, or refused."""

import inspect

import numpy as np
import pytest
from shard_cluster import LocalShards, same
from test_shards import ROWS, Y

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.cluster.inspection import read_labels
from tinynet_fast.cluster.train import network, neuron
from tinynet_fast.cluster.train import sweep as sweep_shards


def test_options_of_networks_and_sweeps_are_checked_as_on_one_machine():
    for options, words in (
        ({"hidden": ()}, "hidden is empty"),
        ({"nesterov": "no", "momentum": 0.9}, "nesterov is 'no'"),
        ({"loss": ["log_loss"]}, "there is no loss"),
        ({"seed": 2**32}, "a number below 2"),
    ):
        with pytest.raises(ValueError, match=words):
            network(LocalShards(ROWS.X, Y, [1000]), **options)
    with pytest.raises(ValueError, match="a number below 2"):
        sweep_shards(LocalShards(ROWS.X, Y, [1000]), folds=3, seed=2**32)
    few = np.arange(2999, 2990, -1)
    with pytest.raises(ValueError, match="folds is 9 and the shards have 9 rows: too few for each fold to have one"):
        sweep_shards(LocalShards(ROWS.X[few], np.arange(9) % 2, [5]), folds=9)
    few = np.arange(40)
    assert np.isfinite(sweep_shards(LocalShards(ROWS.X[few], few % 2, [5]), folds=2).held_out_loss[1:]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_wrong_with_a_row_names_the_place(bad):
    X = ROWS.X.copy()
    X[1700, 2] = bad
    with pytest.raises(ValueError, match="partition 2, row 700, column 2"):
        neuron(LocalShards(X, Y, [500, 1000]), mode="average")
    with pytest.raises(ValueError, match="partition 1, row 3, the label: the value is missing"):
        neuron(LocalShards(ROWS.X, np.where(np.arange(3000) == 503, np.nan, Y), [500]))
    with pytest.raises(ValueError, match="no rows"):
        neuron(LocalShards(ROWS.X[:0], Y[:0], []))
    with pytest.raises(ValueError, match="more than 256 different labels"):
        network(LocalShards(ROWS.X, np.arange(3000), [500]))


def test_a_rate_is_searched_on_a_shard_with_both_labels():
    first = np.argsort(Y, kind="stable")
    zeros = int((Y == 0).sum())
    options = {"learning_rate": "auto", "mode": "average", "epochs": 1}
    with pytest.raises(
        ValueError, match="learning_rate='auto' needs a partition with rows of both labels: give a rate"
    ):
        neuron(LocalShards(ROWS.X[first], Y[first], [zeros]), **options)
    found = neuron(LocalShards(ROWS.X[first], Y[first], [zeros - 500]), **options)
    assert found.rate_search.rows == 3000 - zeros + 500
    given = options | {"learning_rate": found.rate_search.learning_rate}
    same(found, neuron(LocalShards(ROWS.X[first], Y[first], [zeros - 500]), **given))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"syncs": 2}, "syncs is how often shards are averaged in an epoch: use mode='average'"),
        ({"standardize": "yes"}, "standardize is 'yes'"),
        ({"shuffle": True}, "shuffle is not for rows on a cluster: shards are visited in their order"),
        ({"mode": "average", "l1": 0.1}, "l1 depends on all earlier rows, in one order: use mode='chain'"),
        ({"mode": "average", "average": 2}, "average from a row on depends on all earlier rows"),
        ({"validation": 0.2}, "validation as a share needs a second pass over the shards"),
    ],
)
def test_options_that_shards_do_not_have(options, words):
    with pytest.raises(ValueError, match=words):
        neuron(LocalShards(ROWS.X, Y, [1000]), **options)


def test_options_that_nobody_has():
    for train in (neuron, network, sweep_shards):
        with pytest.raises(TypeError, match="there is no option 'rate': the docstring names"):
            train(LocalShards(ROWS.X, Y, [1000]), rate=0.1)


def test_labels_that_shards_do_not_learn():
    shards = LocalShards(ROWS.X, Y, [1000])
    with pytest.raises(ValueError, match=r"partition 0: labels of type datetime64\[D\]: use numbers, booleans or text"):
        neuron(LocalShards(ROWS.X, Y.astype("datetime64[D]"), [1000]))
    third = Y.copy()
    third[1003] = 2
    with pytest.raises(ValueError, match="y holds the labels 0, 1, 2: this trains pass or fail"):
        sweep_shards(LocalShards(ROWS.X, third, [1000]))
    with pytest.raises(ValueError, match=r"partition 1, row 3: .*2"):
        network(LocalShards(ROWS.X, third, [1000]), labels=[0, 1])
    shards.parts[1] = shards.parts[1][0], shards.parts[1][1].astype(str)
    with pytest.raises(ValueError, match="some partitions have text for labels and some numbers"):
        neuron(shards)
    with pytest.raises(ValueError, match="partition 4, row 2: the label is of another kind than those before"):
        read_labels([np.array([0, 1]), np.array(["0"])], 4)


def test_labels_in_one_column_are_labels():
    shards = LocalShards(ROWS.X, Y[:, np.newaxis], [1000])
    same(neuron(shards), neuron(LocalShards(ROWS.X, Y, [1000])))


def test_a_rate_is_searched_as_on_one_machine():
    start = {"weights": [0.5, -1.0, 2.0], "bias": 1.5, "l2": 1e-3, "average": True, "epochs": 2}
    ref = train_neuron(ROWS.X, Y, learning_rate="auto", **start)
    comp = neuron(LocalShards(ROWS.X, Y, []), learning_rate="auto", **start)
    same(comp, ref)
    np.testing.assert_array_equal(comp.rate_search.losses, ref.rate_search.losses)
    for name in ("rows", "epochs", "learning_rate"):
        assert getattr(comp.rate_search, name) == getattr(ref.rate_search, name)


def test_the_rate_is_found_where_both_labels_are_and_labels_that_no_row_has_are_refused():
    order = np.argsort(Y, kind="stable")
    X, y = ROWS.X[order], Y[order]
    shards, options = [500, 1000], {"learning_rate": "auto", "mode": "average"}
    ref = neuron(LocalShards(X, y, shards), **options)
    same(neuron(LocalShards(X, y, shards), labels=[0, 1], **options), ref)
    with pytest.raises(ValueError, match="no row has the label 2: leave it out of labels"):
        network(LocalShards(X, y, shards), labels=[0, 1, 2])


@pytest.mark.parametrize(
    ("on_shards", "alone", "own"),
    [
        (neuron, train_neuron, {"mode": "chain", "syncs": 1, "epochs": 1}),
        (network, train_mlp, {"mode": "average", "syncs": None, "epochs": 1, "batch_size": 32}),
        (sweep_shards, sweep, {"mode": "average", "syncs": 1, "labels": None, "standardize": False}),
    ],
)
def test_defaults_are_those_of_one_machine(on_shards, alone, own):
    """Except those that the pages about clusters name: a pass over shards is expensive."""
    ref = {name: option.default for name, option in inspect.signature(alone).parameters.items()}
    comp = {name: option.default for name, option in inspect.signature(on_shards).parameters.items()}
    del comp["cluster"], comp["others"]
    assert comp == {name: ref[name] for name in comp.keys() - own.keys()} | own


def test_what_a_mask_hides_is_not_trained_on():
    hidden = np.zeros(ROWS.X.shape, dtype=bool)
    hidden[700, 1] = True
    with pytest.raises(
        ValueError, match=r"partition 1, row 200, column 1: the value is missing: fill it or drop the row$"
    ):
        neuron(LocalShards(np.ma.masked_array(ROWS.X, hidden), Y, [500]))
    with pytest.raises(ValueError, match="partition 1, row 200, the label: the value is missing"):
        neuron(LocalShards(ROWS.X, np.ma.masked_array(Y, hidden[:, 1]), [500]))


def test_labels_that_are_python_objects():
    ref = neuron(LocalShards(ROWS.X, Y, [500]))
    objects = Y.astype(bool).astype(object)
    same(neuron(LocalShards(ROWS.X, objects, [500])), ref)
    for gone in (None, float("nan")):
        text = np.where(Y, "pass", "fail").astype(object)
        text[700] = gone
        with pytest.raises(ValueError, match="partition 1, row 200, the label: the value is missing"):
            neuron(LocalShards(ROWS.X, text, [500]))


def test_blocks_that_are_no_arrays_are_named():
    sparse = pytest.importorskip("scipy.sparse")
    shards = LocalShards(ROWS.X, Y, [500])
    shards.parts = [(sparse.csr_matrix(X), y) for X, y in shards.parts]
    with pytest.raises(ValueError, match="partition 0: its rows are a csr_matrix"):
        neuron(shards)
