"""What `learning_rate="auto"` does in training; how the rate is found is in `test_rate.py`."""

import numpy as np
import pytest
from compare import assert_keeps, flat, with_any_option

from tinynet_fast import train_neuron
from tinynet_fast.rows.datasets import make_pass_fail


@pytest.fixture(scope="module")
def passes():
    return make_pass_fail(500, 3, seed=5)


@with_any_option
@pytest.mark.parametrize(
    "options", [{}, {"average": True, "l2": 0.01}, {"validation": 0.3, "shuffle": True, "seed": 3}], ids=str
)
def test_auto_trains_with_the_rate_it_found(passes, options, engine):
    result = train_neuron(passes.X, passes.y, learning_rate="auto", epochs=5, engine=engine, **options)
    search = result.rate_search
    assert search.learning_rate in search.rates
    assert search.losses[list(search.rates).index(search.learning_rate)] == np.nanmin(search.losses)
    ref = train_neuron(passes.X, passes.y, learning_rate=search.learning_rate, epochs=5, engine=engine, **options)
    assert_keeps(0.0, flat(result.model), flat(ref.model))
    assert ref.rate_search is None
    assert result.model.training["learning_rate"] == search.learning_rate
    again = train_neuron(passes.X, passes.y, learning_rate="auto", epochs=5, engine=engine, **options)
    assert again.rate_search.learning_rate == search.learning_rate
    assert f"learning_rate={search.learning_rate:.4g}: of {len(search.rates)} rates" in search.reason


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_auto_whatever_the_scale(passes, scale):
    """Its log loss is within 1 % of the best of a fine grid."""
    X = passes.X * scale
    best = np.inf
    largest = 8.0 / np.mean((X * X).sum(axis=1) + 1.0)
    for rate in largest * np.geomspace(1e-6, 1.0, 60):
        best = min(best, train_neuron(X, passes.y, learning_rate=rate, epochs=10).model.loss(X, passes.y))
    comp = train_neuron(X, passes.y, learning_rate="auto", epochs=10).model.loss(X, passes.y)
    assert comp <= 1.01 * best


def test_auto_of_rows_picked_by_a_hold_out_searches_a_part_of_them():
    rows = make_pass_fail(100_000, 3, seed=0)
    result = train_neuron(rows.X, rows.y, learning_rate="auto", epochs=1, validation=0.1, seed=0)
    assert 32_000 < result.rate_search.rows < 64_000
    rare = np.zeros(100_000, int)
    rare[7] = 1  # drawn separately, because a draw from all rows may miss it
    assert train_neuron(rows.X, rare, learning_rate="auto", epochs=1).rate_search.rows in (33_334, 33_335)
