"""Prediction: the compiled kernel for many rows and plain Python for one, against the formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast import Neuron
from tinynet_fast.kernels.fast import prediction, row_lengths
from tinynet_fast.models import base

pytestmark = pytest.mark.any_cpu


def by_formula(X, weights, bias):
    z = [
        math.fsum([*(a * b for a, b in zip(row, weights, strict=True)), bias]) for row in np.asarray(X, float).tolist()
    ]
    return np.array([1 / (1 + math.exp(-v)) if v > -709 else 0.0 for v in z])


@given(
    n=st.integers(0, 70),
    d=st.integers(1, 40),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    single=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_kernel(n, d, scale, single, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)).astype(np.float32 if single else np.float64)
    weights, bias, out = rng.standard_normal(d) * scale / np.sqrt(d), rng.standard_normal(1), np.empty(n)
    assert prediction.predict_proba(X, weights, bias, out)
    size = np.abs(X.astype(float)) @ np.abs(weights) + abs(bias[0]) + 1.0
    assert (np.abs(out - by_formula(X, weights, bias[0])) <= 1e-15 * size).all()


def test_sigmoid_of_the_kernel_in_the_tails():
    """Where the probability is tiny it keeps its digits; beyond +-700 it stays at exp(-700), which is nearly 0."""
    z = np.concatenate([np.linspace(-699, 699, 2001), [-1e4, -700.0, 36.7, 700.0, 1e4]])
    out = np.empty(len(z))
    assert prediction.predict_proba(z[:, np.newaxis], np.ones(1), np.zeros(1), out)
    np.testing.assert_allclose(out[:2001], [1 / (1 + math.exp(-v)) for v in z[:2001]], rtol=1e-15)
    assert 0.0 <= out[-5] <= 1e-300
    assert out[-1] == 1.0


@pytest.mark.parametrize("d", [1, 2, 5, 16])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sum_that_is_not_finite_is_told(d, bad):
    for row in (0, 3, 1500, 2046):
        X = np.ones((2047, d))
        X[row, d - 1] = bad
        assert not prediction.predict_proba(X, np.zeros(d), np.zeros(1), np.empty(2047))


def test_largest_row_is_told():
    X = np.random.default_rng(0).standard_normal((500, 3))
    norms = (X * X).sum(axis=1) + 1.0
    assert row_lengths.row_bound(X, np.ones(1)) == pytest.approx(norms.max(), rel=1e-14)
    weight = np.random.default_rng(1).random(500)
    assert row_lengths.row_bound(X, weight) == pytest.approx((norms * weight).max(), rel=1e-14)
    X[100, 1] = np.nan
    assert row_lengths.row_bound(X, np.zeros(1)) == np.inf


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_has_no_bound_whatever_its_weight(bad, d, dtype):
    for row in (0, 7, 98):
        X = np.ones((99, d), dtype)
        X[row, d - 1] = bad
        for weight in (np.zeros(1), np.ones(1), np.zeros(99), np.ones(99)):
            assert row_lengths.row_bound(X, weight) == np.inf
            assert row_lengths.row_bound(np.delete(X, row, axis=0), weight[: 98 if len(weight) > 1 else 1]) < np.inf


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_many_rows_through_the_model(dtype, order, monkeypatch):
    rng = np.random.default_rng(2)
    X = np.asarray(rng.standard_normal((3000, 4)) * 3, dtype=dtype, order=order)
    neuron = Neuron(weights=rng.standard_normal(4), bias=0.3)
    ref = neuron.predict_proba(X)
    monkeypatch.setattr(base, "COMPILED_FROM", 1000)
    np.testing.assert_allclose(neuron.predict_proba(X), ref, rtol=1e-14)
    X = X.astype(float)
    X[2999, 3] = np.inf
    with pytest.raises(ValueError, match=r"X\[2999, 3\] is infinite"):
        neuron.predict_proba(X)


def test_sums_that_overflow_are_still_probabilities(monkeypatch):
    monkeypatch.setattr(base, "COMPILED_FROM", 1)
    assert Neuron(weights=[1e200]).predict_proba(np.array([[1e200], [-1e200]])).tolist() == [1.0, 0.0]
    assert Neuron(weights=[1e200]).predict_proba([1e200]).tolist() == [1.0]


def test_one_row_as_a_list():
    neuron = Neuron(weights=[0.5, -1.0], bias=0.25)
    ref = 1 / (1 + math.exp(-(0.25 + 0.5 * 2.0 - 3.0)))
    for row in ([2.0, 3.0], [2, 3], [[2.0, 3.0]], [(2.0, 3.0)], np.array([[2.0, 3.0]]), [np.float64(2), 3]):
        assert neuron.predict_proba(row)[0] == pytest.approx(ref, rel=1e-15)
        assert neuron.predict_proba(row).shape == (1,)
    assert Neuron(weights=[1.0]).predict_proba([0.0, 0.0]).tolist() == [0.5, 0.5]
    assert Neuron(weights=[-1.0]).predict_proba([1e4]).tolist() == [0.0]
    for bad, message in [([1.0, None], "missing"), ([float("nan"), 1.0], "NaN"), ([1.0, "2"], "no real number")]:
        with pytest.raises(ValueError, match=message):
            neuron.predict_proba(bad)
    with pytest.raises(ValueError, match="3 columns where the model has 2 inputs"):
        neuron.predict_proba([[1.0, 2.0, 3.0]])
