"""The draws of a bootstrap: the reference in whole numbers, its NumPy twin and the lanes, and what they are worth."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import SEEDS

from tinynet_fast.kernels import poisson
from tinynet_fast.kernels.compiler.simd import load, store
from tinynet_fast.kernels.fast import many_neurons
from tinynet_fast.kernels.poisson import ALIASES, COLUMNS, WITHIN, poisson_weight, poisson_weights

pytestmark = pytest.mark.any_cpu
FIRST_ROWS = [0, 1, 0, 2, 3, 3, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]  # seed 1, model 0
LATE_ROW = [1, 2, 4, 1, 2, 3, 1, 1, 1, 0, 1, 0, 1, 3, 0, 3, 2, 2, 1, 2]  # seed 2**32 - 1, row 10**12


def reference(seed, rows, models):
    return np.array([[poisson_weight(seed, int(i), int(k)) for k in models] for i in rows], dtype=np.float64)


def test_the_keys_are_numbers_of_splitmix64():
    """Its first numbers from 0 are known from other programs (Vigna's C code, Java's SplittableRandom)."""
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [poisson.row_key(0, i) for i in range(3)] == known
    keys = {poisson.row_key(seed, row) for seed in range(50) for row in range(50)}
    assert len(keys | {poisson.model_key(k) for k in range(500)}) == 3000


def test_known_draws():
    assert [poisson_weight(1, row, 0) for row in range(20)] == FIRST_ROWS
    assert [poisson_weight(2**32 - 1, 10**12, model) for model in range(20)] == LATE_ROW


@given(SEEDS, st.lists(st.integers(0, 2**62), min_size=1), st.lists(st.integers(0, 10**6), min_size=1))
def test_twin(seed, rows, models):
    comp = poisson_weights(seed, np.array(rows), np.array(models))
    np.testing.assert_array_equal(comp, reference(seed, rows, models), strict=True)


def each_drawn(row, models, out):
    for start in range(0, len(models), 8):
        store(out, start, many_neurons.drawn(row[0], load(models, start, (0,))))


def test_lanes_draw_the_reference():
    draw = pytest.importorskip("numba", reason="Numba compiles this test").njit(each_drawn)
    models, out = np.arange(64), np.empty(64)
    keys = poisson.model_keys(models)
    for i in (*range(50), 10**9, 2**62):
        draw(poisson.row_keys(7, np.array([i])), keys, out)
        np.testing.assert_array_equal(out, reference(7, [i], models)[0], strict=True)


@pytest.mark.parametrize("mode", ["penalised", "draws", "means"])
@pytest.mark.parametrize("registers", [1, 2, 3, 4])
def test_kernels_draw_the_reference(mode, registers):
    """A row with the label 1 moves a bias of 0 by rate * weight / 2, so at the rate 2 by the weight."""
    m, rows = 8 * registers, np.arange(30)
    marked = many_neurons.MEANS if mode == "means" else many_neurons.DRAWS
    options, sums = many_neurons.aligned(many_neurons.N_OPTIONS, m), many_neurons.aligned(many_neurons.N_SUMS, m)
    options[many_neurons.RATE], options[many_neurons.KEEP] = 2.0, 1.0
    options[many_neurons.OWN] = poisson.model_keys(np.arange(m))
    options[many_neurons.OWN, -1] = poisson.EVERY_ROW
    keys, comp = poisson.row_keys(3, rows), np.empty((len(rows), m))
    for i in rows:
        state = many_neurons.aligned(4, m)
        many_neurons.clear(sums)
        arrays = np.zeros((1, 1)), np.ones(1), np.ones(1), keys[i : i + 1]
        many_neurons.train(*arrays, options, state, sums, mode == "penalised", marked)
        comp[i] = state[1]
    np.testing.assert_array_equal(comp[:, :-1], reference(3, rows, range(m - 1)), strict=True)
    assert (comp[:, -1] == 1.0).all()


# --- what the draws are worth -----------------------------------------------------------------------------------------


def test_the_table_has_the_probabilities_of_poisson():
    e = sum(Fraction(1, math.factorial(k)) for k in range(40))
    found = [Fraction(0)] * COLUMNS
    for column, entry in enumerate(ALIASES.tolist()):
        assert entry >> WITHIN == column
        own = entry & (1 << WITHIN) - 1
        found[column] += Fraction(own, 1 << 64)
        found[entry & COLUMNS - 1] += Fraction((1 << WITHIN) - own, 1 << 64)
    assert sum(found) == 1
    for k, probability in enumerate(found[:-1]):
        assert abs(probability - 1 / e / math.factorial(k)) < Fraction(1, 1 << 57)
    assert found[-1] < 1e-12


def counts(weights):
    return np.bincount(weights.astype(int).ravel(), minlength=9)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_counts_are_those_of_poisson(seed):
    """Chi-square with 8 degrees of freedom: 26.1 is passed once in 1,000 times."""
    seen = counts(poisson_weights(seed, np.arange(5000), np.arange(200)))
    expected = [math.exp(-1) / math.factorial(k) * 1e6 for k in range(8)]
    expected.append(1e6 - sum(expected))
    seen = np.append(seen[:8], seen[8:].sum())
    assert ((seen - expected) ** 2 / expected).sum() < 26.1


def test_counts_of_other_distributions_are_not_taken_for_poisson():
    rng = np.random.default_rng(0)
    expected = np.array([math.exp(-1) / math.factorial(k) * 1e6 for k in range(8)])
    for other in (rng.poisson(1.01, 10**6), rng.binomial(100, 0.01, 10**6)):
        seen = counts(other)[:8]
        assert ((seen - expected) ** 2 / expected).sum() > 26.1


@pytest.mark.parametrize("event", [lambda w: w, lambda w: w == 0, lambda w: w % 2], ids=["weight", "zero", "odd"])
@pytest.mark.parametrize("by", ["models", "rows"])
def test_draws_do_not_depend_on_each_other(event, by):
    """Correlations of n draws have a standard deviation of 1 / sqrt(n); 45,000 of them reach 5 times that at most."""
    n, m = 4000, 300
    sizes = (n, m) if by == "models" else (m, n)
    seen = event(poisson_weights(11, np.arange(sizes[0]), np.arange(sizes[1]))).astype(float)
    correlations = np.corrcoef(seen if by == "rows" else seen.T)[np.triu_indices(m, 1)] * math.sqrt(n)
    assert abs(correlations.mean()) < 0.02
    assert correlations.std() == pytest.approx(1.0, abs=0.02)
    assert np.abs(correlations).max() < 5.0


def test_four_draws_of_two_rows_and_two_models_do_not_depend_on_each_other():
    """Their keys do: the four have an exclusive or of 0."""
    z = poisson_weights(5, np.arange(2000), np.arange(500)) - 1.0
    products = z[::2, ::2] * z[1::2, ::2] * z[::2, 1::2] * z[1::2, 1::2]
    assert abs(products.mean()) * math.sqrt(products.size) < 3.0


def test_seeds_have_other_draws():
    rows, models = np.arange(3000), np.arange(4)
    draws = [poisson_weights(seed, rows, models).ravel() for seed in (0, 1, 2, 1000)]
    assert np.abs(np.corrcoef(draws)[np.triu_indices(4, 1)]).max() * math.sqrt(12_000) < 4.0
