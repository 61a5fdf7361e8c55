"""Noise and mixup: the draws."""

import statistics

import numpy as np
import pytest
from test_augment import NOISE, X, Y, uniforms

from tinynet_fast.rows.blocks import SPLIT_STREAM, Order
from tinynet_fast.training.augment import (
    LARGEST_NORMAL,
    MIX_STREAM,
    NOISE_STREAM,
    SHARE_UNIT,
    normal,
    partners,
    shares,
)
from tinynet_fast.training.network_updates import MASK_STREAM

# --- the draws --------------------------------------------------------------------------------------------------------


def test_normal_numbers_are_the_inverse_of_the_distribution():
    """Python's own inverse is the oracle."""
    unit = 2.0**-53
    u = np.concatenate([uniforms(20_000), np.array([0.075, 0.5, 0.925]), unit * np.round(np.geomspace(2e5, 1e15, 400))])
    u = np.concatenate([u, 1.0 - u])
    ref = [statistics.NormalDist().inv_cdf(p) for p in u.tolist()]
    np.testing.assert_allclose(normal(u), ref, rtol=1e-15, atol=1e-15)


def test_the_outermost_normal_numbers():
    comp = normal(np.array([0.0, 1.0 - 2.0**-53]))
    np.testing.assert_allclose(comp, [-6.6579, 6.6579], rtol=1e-5)
    assert np.abs(comp).max() <= LARGEST_NORMAL


def test_statistics_of_the_noise():
    """The mean, the deviation, the quantiles, and no correlation with other inputs, rows and epochs."""
    zeros = np.zeros((40_000, 3))
    first, second = (NOISE.rows(zeros, Y, None, epoch, 0)[0] for epoch in (0, 1))
    assert (first[:, 2] == 0.0).all()
    z = first[:, :2] / NOISE.deviations[:2]
    assert np.abs(z.mean(axis=0)).max() < 0.02  # four standard errors
    assert np.abs(z.std(axis=0) - 1.0).max() < 0.015
    for share in (0.001, 0.05, 0.5, 0.9, 0.999):
        at = statistics.NormalDist().inv_cdf(share)
        assert abs(np.mean(z <= at) - share) < 4.0 * (share * (1.0 - share) / z.size) ** 0.5
    pairs = (z[:, 0], z[:, 1]), (z[1:, 0], z[:-1, 0]), (first[:, 0], second[:, 0])
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
        assert abs(np.corrcoef(a * a, b * b)[0, 1]) < 0.02


def test_noise_depends_on_the_place_alone():
    """Rows that are cut anywhere get the same bits: NumPy's functions of several numbers at once leave no trace."""
    whole = NOISE.rows(X, Y, None, 2, 0)[0]
    rng = np.random.default_rng(0)
    for _ in range(200):
        start = int(rng.integers(0, len(X) - 1))
        part = slice(start, start + int(rng.integers(1, 40)))
        np.testing.assert_array_equal(NOISE.rows(X[part], Y[part], None, 2, start)[0], whole[part])
    assert (NOISE.rows(X, Y, None, 3, 0)[0][:, :2] != whole[:, :2]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8, np.longdouble])
def test_rows_of_every_type_get_the_noise_of_float64(dtype):
    rows = np.abs(X * 10).astype(dtype)
    comp, ref = (NOISE.rows(each, Y, None, 0, 0)[0] for each in (rows, rows.astype(np.float64)))
    assert comp.dtype == np.float64
    np.testing.assert_array_equal(comp, ref)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 3.0, 200.0])
def test_shares_have_the_beta_distribution(alpha):
    comp = shares(uniforms(50_000), uniforms(50_000, 1), alpha)
    assert comp.min() >= 0.0
    assert comp.max() <= 1.0
    assert (comp / SHARE_UNIT == np.round(comp / SHARE_UNIT)).all()
    variance = 1.0 / (4.0 * (2.0 * alpha + 1.0))
    assert abs(comp.mean() - 0.5) < 4.0 * (variance / 50_000) ** 0.5
    assert comp.var() == pytest.approx(variance, rel=0.03)
    ref = np.random.default_rng(2).beta(alpha, alpha, 50_000)
    at = np.linspace(0.02, 0.98, 25)
    distance = np.abs(np.searchsorted(np.sort(comp), at) - np.searchsorted(np.sort(ref), at)).max() / 50_000
    assert distance < 1.95 * (2.0 / 50_000) ** 0.5  # Kolmogorov and Smirnov, 1 in 1,000


def test_shares_of_extreme_numbers():
    ends = np.array([0.0, 0.0, 1.0 - 2.0**-53, 0.5])
    for alpha in (1e-300, 1e-3, 1.0, 1e300):
        comp = shares(ends, ends[::-1], alpha)
        assert comp.min() >= 0.0
        assert comp.max() <= 1.0


def test_partners_are_permutations_of_each_batch():
    comp = partners(uniforms(23), 10)
    assert sorted(comp[:10]) == list(range(10))
    assert sorted(comp[10:20]) == list(range(10, 20))
    assert sorted(comp[20:]) == [20, 21, 22]
    seen = np.array([partners(uniforms(4, seed), 4) for seed in range(4000)])
    counts = np.array([np.bincount(column, minlength=4) for column in seen.T])
    assert np.abs(counts - 1000).max() < 120  # about four standard errors


def test_draws_have_streams_of_their_own():
    others = [[7, SPLIT_STREAM], *([7, e] for e in range(5)), *([7, e, MASK_STREAM] for e in range(5))]
    others += [[7, e, Order.STREAM] for e in range(5)]
    streams = others + [[7, e, stream] for e in range(5) for stream in (NOISE_STREAM, MIX_STREAM)]
    assert len({np.random.default_rng(stream).random() for stream in streams}) == len(streams)
