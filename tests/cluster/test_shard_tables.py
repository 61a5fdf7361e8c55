"""Checks of a table's shards before training, on any cluster."""

import warnings

import numpy as np
import pytest
from shard_cluster import LocalShards

from tinynet_fast import TrainingWarning
from tinynet_fast.cluster.train import network, neuron
from tinynet_fast.cluster.train import sweep as sweep_shards
from tinynet_fast.rows.datasets import make_pass_fail

ROWS = make_pass_fail(500, 2)
Y = ROWS.y.astype(np.int64)


def shards(column, name="id"):
    cluster = LocalShards(np.column_stack([ROWS.X[:, 0], column]), Y, [0, 30, 250])
    cluster.names = ["a", name]
    return cluster


@pytest.mark.parametrize("train", [neuron, network, sweep_shards])
@pytest.mark.parametrize("column", [np.arange(1, 501), np.arange(500)[::-1]])
def test_a_column_that_numbers_the_rows_is_named(train, column):
    with pytest.warns(TrainingWarning, match=r"the input 'id' looks like a row number.*features \(a\)"):
        train(shards(column), standardize=True)


@pytest.mark.parametrize(
    ("column", "name"),
    [(np.arange(500), "hours"), (np.arange(500) // 2, "id"), (ROWS.X[:, 1], "id")],
)
def test_other_columns_are_not(column, name):
    with warnings.catch_warnings(action="error"):
        neuron(shards(column, name), standardize=True)
