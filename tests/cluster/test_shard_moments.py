"""Means and deviations over many shards: a constant column is left out, however shards are merged."""

from itertools import permutations

import numpy as np
import pytest
from shard_cluster import LocalShards, same

import tinynet_fast
from tinynet_fast.cluster.inspection import merge_moments
from tinynet_fast.cluster.train import neuron
from tinynet_fast.cluster.train import sweep as sweep_shards
from tinynet_fast.rows.blocks import Moments

RNG = np.random.default_rng(0)
N = 2000
CHANGING = RNG.normal(size=N)
Y = (CHANGING > 0) * 1
CUTS = [1, 3, 3, 500, 777, 778, 1500, 1999]  # shards of one row, and one without rows
CONSTANTS = [19.99, 0.1, 1e9 + 0.1, -3.3e-7, 1e300, 0.0]


def table(constant, dtype=np.float64):
    return np.column_stack([CHANGING, np.full(N, constant)]).astype(dtype)


def moments(X, cuts=()):
    parts = []
    for part in np.split(X, cuts):
        parts.append(Moments(X.shape[1]))
        for start in range(0, len(part), 100):
            parts[-1].add(part[start : start + 100])
    return parts


@pytest.mark.parametrize("mode", ["chain", "average"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("constant", CONSTANTS[:4])
def test_a_column_that_never_changes_weighs_nothing(constant, dtype, mode):
    X = table(constant, dtype)
    comp = neuron(LocalShards(X, Y, CUTS), standardize=True, epochs=5, mode=mode)
    ref = tinynet_fast.train_neuron(X, Y, standardize=True, epochs=5)
    if mode == "chain":
        same(comp, ref)
    assert comp.model.weights[1] == 0.0
    assert comp.model.weights[0] > 1.0
    assert comp.model.score(X, Y) > 0.95
    models = sweep_shards(LocalShards(X, Y, CUTS), standardize=True, learning_rate=[0.1, 0.01], mode=mode)
    assert (models.weights[:, 1] == 0.0).all()


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_moments_merged_in_any_order(constant, dtype):
    X = table(constant if constant < 1e38 else 1e38, dtype)
    parts = moments(X, [1, 500, 1500])
    for order in permutations(range(4)):
        mean, scale = merge_moments([parts[i] for i in order]).standardisation(None)
        assert scale[1] == np.inf
        assert mean[1] == np.float64(X[0, 1])
        np.testing.assert_allclose(scale[0], X[:, 0].std(dtype=np.float64), rtol=1e-12)


def test_a_small_change_beside_a_large_value_is_kept():
    """A column may differ only between shards, and be constant in each."""
    steps = np.repeat([0.0, 1.0, 2.0, 3.0], 500)
    X = np.column_stack([CHANGING, 1e9 + steps])
    for order in permutations(range(4)):
        parts = moments(X, [500, 1000, 1500])
        _, scale = merge_moments([parts[i] for i in order]).standardisation(None)
        np.testing.assert_allclose(scale[1], steps.std(), rtol=1e-12)


def test_shards_without_rows_have_no_say():
    X = table(19.99)
    full = moments(X, [700])
    mixed = merge_moments([Moments(2), full[0], Moments(2), full[1], Moments(2)])
    for comp, ref in zip(mixed.standardisation(None), merge_moments(full).standardisation(None), strict=True):
        np.testing.assert_array_equal(comp, ref)
