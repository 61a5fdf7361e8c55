"""Every engine's epoch under pytest-benchmark, for comparing versions of this package: `make bench`.

Ratios between contenders are measured by `neuron.py`, where they take turns.
"""

import numpy as np
import pytest

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.data.datasets import make_pass_fail
from tinynet_fast.kernels.engines import ENGINES


@pytest.mark.parametrize("features", [2, 16, 64, 256])
@pytest.mark.parametrize("engine", ENGINES)
def test_neuron(benchmark, engine, features):
    n = 40_000 // features
    rows = make_pass_fail(n, features)
    benchmark.group = f"one neuron, {features} features"
    benchmark.extra_info["rows"] = n
    result = benchmark(train_neuron, rows.X, rows.y, learning_rate=0.001, epochs=1, engine=engine)
    assert np.isfinite(result.model.weights).all()


@pytest.mark.parametrize("hidden", [(4,), (32, 16)])
@pytest.mark.parametrize("engine", ENGINES)
def test_network(benchmark, engine, hidden):
    n = 2_000
    rows = make_pass_fail(n, 16)
    benchmark.group = f"network 16-{'-'.join(map(str, hidden))}-1, batches of 32"
    benchmark.extra_info["rows"] = n
    result = benchmark(train_mlp, rows.X, rows.y, hidden=hidden, batch_size=32, epochs=1, seed=0, engine=engine)
    assert np.isfinite(result.loss_history).all()
