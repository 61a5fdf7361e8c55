"""Scores are scikit-learn's, or those worked out by hand, and their intervals hold the truth about 95 times in 100."""

import math

import numpy as np
import pytest

from tinynet_fast.tables import metrics

K, N = 4, 300


@pytest.fixture
def rows():
    """Probabilities of four labels with ties, and codes."""
    rng = np.random.default_rng(0)
    codes = rng.integers(K, size=N)
    z = rng.standard_normal((N, K))
    z[np.arange(N), codes] += 1.0
    p = np.exp(z.round(1))
    return p / p.sum(axis=1, keepdims=True), codes


def test_wilson_by_hand():
    score = metrics.share(8, 10)  # the interval of 8 in 10 is printed in textbooks
    assert (score.value, round(score.low, 3), round(score.high, 3)) == (0.8, 0.490, 0.943)
    assert (metrics.share(0, 5).low, metrics.share(5, 5).high) == (0.0, 1.0)
    assert metrics.share(0, 5).high == pytest.approx(metrics.Z**2 / (5 + metrics.Z**2))
    assert metrics.share(0, 0) == metrics.UNDEFINED


def test_means_by_hand():
    score = metrics.mean(np.array([1.0, 2.0, 3.0, 4.0]))
    half = metrics.Z * math.sqrt(5 / 3) / 2
    assert score == metrics.Score(2.5, pytest.approx(2.5 - half), pytest.approx(2.5 + half))
    assert metrics.mean(np.array([0.25])) == metrics.Score(0.25)  # one row says nothing about others
    assert metrics.mean(np.array([0.0, 9.0])).low == 0.0  # a loss is not negative


def test_losses_by_hand():
    p = np.array([[0.75, 0.25], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    codes = np.array([0, 1, 1, 1])
    assert metrics.log_losses(p, codes).tolist() == [-math.log(0.75), math.log(2), 0.0, -math.log(metrics.LEAST)]
    assert metrics.brier_losses(p, codes).tolist() == [0.0625, 0.25, 0.0, 1.0]
    three = np.array([[0.5, 0.25, 0.25]])
    assert metrics.brier_losses(three, np.array([1])).tolist() == [0.25 + 0.5625 + 0.0625]


def test_losses_are_those_of_scikit_learn(rows):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    p, codes = rows
    assert metrics.log_losses(p, codes).mean() == pytest.approx(sklearn.log_loss(codes, p), rel=1e-12)
    several = np.sum((p - np.eye(K)[codes]) ** 2, axis=1).mean()
    assert metrics.brier_losses(p, codes).mean() == pytest.approx(several, rel=1e-12)
    two, second = np.stack([1.0 - p[:, 0], p[:, 0]], axis=1), (codes == 0).astype(int)
    ref = sklearn.brier_score_loss(second, p[:, 0])
    assert metrics.brier_losses(two, second).mean() == pytest.approx(ref, rel=1e-12)


def test_areas_are_those_of_scikit_learn(rows):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    p, codes = rows
    each = [metrics.auc(p[:, k], codes == k) for k in range(K)]
    for k in range(K):
        assert each[k].value == pytest.approx(sklearn.roc_auc_score(codes == k, p[:, k]), rel=1e-12)
    together = metrics.mean_auc(each, p, codes)
    assert together.value == pytest.approx(sklearn.roc_auc_score(codes, p, multi_class="ovr"), rel=1e-12)
    widths = [score.high - score.low for score in each]
    assert together.low < together.value < together.high
    assert together.high - together.low < 0.8 * np.mean(widths)  # the labels' errors partly cancel


def test_areas_by_hand():
    scores, positive = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True])
    assert metrics.auc(scores, positive).value == 3.5 / 4  # one pair of four is tied
    assert metrics.auc(scores, ~positive).value == 0.5 / 4
    assert metrics.auc(scores, positive & False) == metrics.UNDEFINED
    assert metrics.auc(scores, positive | True) == metrics.UNDEFINED
    perfect = metrics.auc(np.array([1.0, 2.0]), np.array([False, True]))
    assert perfect == metrics.Score(1.0, pytest.approx(1 / (1 + metrics.Z**2)), 1.0)  # Wilson's of 1 in 1
    assert metrics.auc(np.array([2.0, 1.0]), np.array([False, True])).low == 0.0
    mirrored = metrics.auc(-scores, positive), metrics.auc(scores, positive)
    assert mirrored[0].high == pytest.approx(1.0 - mirrored[1].low)


def test_the_parts_of_an_area_are_those_of_delong():
    rng = np.random.default_rng(3)
    scores, positive = rng.standard_normal(60).round(1), rng.random(60) < 0.3
    x, y = scores[positive], scores[~positive]
    above = (x[:, np.newaxis] > y) + 0.5 * (x[:, np.newaxis] == y)
    variance = above.mean(axis=1).var() / len(x) + above.mean(axis=0).var() / len(y)
    parts = metrics._auc_parts(scores, positive)
    assert parts @ parts == pytest.approx(variance, rel=1e-12)


def test_the_mean_area_leaves_out_labels_that_do_not_occur():
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.3, 0.6, 0.1]])
    codes = np.array([0, 1, 0, 1])
    each = [metrics.auc(p[:, k], codes == k) for k in range(3)]
    assert each[2] == metrics.UNDEFINED
    together = metrics.mean_auc(each, p, codes)
    assert together.value == 1.0
    assert together.low == pytest.approx(each[0].low)  # there is no error to compare: the mean of their intervals
    assert metrics.mean_auc([metrics.UNDEFINED] * 3, p, codes) == metrics.UNDEFINED


def test_f1_is_that_of_scikit_learn(rows):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    p, codes = rows
    predicted = p.argmax(axis=1)
    matrix = metrics.confusion(codes.astype(np.uint8), predicted, K)
    np.testing.assert_array_equal(matrix, sklearn.confusion_matrix(codes, predicted))
    for k, ref in enumerate(sklearn.f1_score(codes, predicted, average=None)):
        comp = metrics.f1(matrix[k, k], matrix[:, k].sum(), matrix[k].sum())
        assert comp.value == pytest.approx(ref, rel=1e-12)
        assert comp.low < comp.value < comp.high
    assert metrics.f1(0, 0, 0) == metrics.UNDEFINED
    assert metrics.f1(0, 0, 3).value == 0.0


@pytest.mark.parametrize(("m", "n", "shift"), [(10, 10, 1.0), (20, 80, 1.5), (5, 200, 1.0)])
def test_the_interval_of_an_area_holds_the_truth(m, n, shift):
    rng = np.random.default_rng(5)
    truth, positive = 0.5 * (1.0 + math.erf(shift / 2.0)), np.arange(m + n) < m
    scores = [metrics.auc(rng.standard_normal(m + n) + shift * positive, positive) for _ in range(500)]
    assert 0.93 <= np.mean([score.low <= truth <= score.high for score in scores]) <= 0.985
