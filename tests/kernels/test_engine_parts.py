"""What engines have beside their kernels."""

import pickle

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels import portable
from tinynet_fast.kernels.engines import ENGINES, PORTABLE
from tinynet_fast.kernels.fast import network_single, network_team
from tinynet_fast.kernels.point_functions import SIGMOID, SOFTMAX


def test_an_engine_is_pickled_by_its_name():
    for engine in ENGINES.values():
        assert pickle.loads(pickle.dumps(engine)) is engine


def test_portable_has_no_networks_of_float32():
    assert not PORTABLE.has_singles
    assert ENGINES["numpy"].has_singles


def test_probabilities_of_portable():
    sums = np.array([[0.0, 1.0, -2.0], [3.0, 3.0, 0.5]])
    ref = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    comp = sums.copy()
    portable.probabilities(comp, SOFTMAX)
    np.testing.assert_allclose(comp, ref, rtol=1e-14)
    comp = sums.copy()
    portable.probabilities(comp, SIGMOID)
    np.testing.assert_allclose(comp, 1.0 / (1.0 + np.exp(-sums)), rtol=1e-14)


def test_sweeps_of_portable_round_each_product():
    assert callable(PORTABLE.many_neurons.train)
    x, y, z = 1.0 + 2.0**-30, 1.0 - 2.0**-30, -1.0
    assert portable.product_and_sum(x, y, z) == 0.0  # fused, it is -2**-60


def test_tiles_of_float32_networks_are_those_of_float64():
    rule = np.zeros(32)
    rule[at.BATCH_SIZE] = 256.0
    assert network_single.shared_tiles(None, rule, None) == network_team.tiles_of(rule) > 1
