"""The tutorials' tables and the synthetic rows."""

from hashlib import sha256

import numpy as np
import pytest

from tinynet_fast import train_neuron
from tinynet_fast.rows import datasets
from tinynet_fast.tables.sample import write_sample


@pytest.mark.parametrize("table", [datasets.study_and_sleep, datasets.quiz_and_attendance])
def test_small_tables_are_worth_learning(table):
    X, y, features = table()
    assert X.shape == (10, len(features))
    assert set(y.tolist()) == {0, 1}
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    assert train_neuron(scaled, y, epochs=500).model.score(scaled, y) >= 0.9


@pytest.mark.parametrize(
    ("table", "labels", "sums"),
    [
        (datasets.study_hours, "0011", [10]),
        (datasets.study_and_sleep, "0000101111", [29, 64]),
        (datasets.quiz_and_attendance, "0001011111", [581, 7]),
        (datasets.height_weight, "0110", [-1, 5]),
    ],
)
def test_small_tables_are_the_tutorials(table, labels, sums):
    X, y, _ = table()
    assert "".join(map(str, y.tolist())) == labels
    assert X.sum(axis=0) == pytest.approx(sums)


def test_exam_scores_are_numbers_worth_learning():
    X, y, features = datasets.exam_scores()
    assert (X.shape, y.dtype, features) == ((6, 2), np.float64, ["study_hours", "sleep_hours"])
    assert train_neuron(X, y, output="linear", learning_rate=0.01, epochs=5000).model.score(X, y) >= 0.9


def test_synthetic_rows_are_those_of_their_neuron():
    X, y, weights, bias = datasets.make_pass_fail(200_000, 4, seed=3)
    p = 1 / (1 + np.exp(-(X @ weights + bias)))
    assert set(np.unique(y)) == {0.0, 1.0}
    for low in np.arange(0, 1, 0.1):  # the share of passes is the probability
        part = (p >= low) & (p < low + 0.1)
        spread = np.sqrt(np.sum(p[part] * (1 - p[part]))) / part.sum()
        assert abs(y[part].mean() - p[part].mean()) < 4.5 * spread


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_blocks_are_the_table(dtype):
    X, y, _, _ = datasets.make_pass_fail(150_000, 3, seed=1, dtype=dtype)
    blocks = list(datasets.pass_fail_blocks(150_000, 3, seed=1, dtype=dtype))
    assert X.dtype == dtype
    assert max(len(part) for _, part in blocks) <= datasets.BLOCK_ROWS
    np.testing.assert_array_equal(np.concatenate([part for part, _ in blocks]), X)
    np.testing.assert_array_equal(np.concatenate([part for _, part in blocks]), y)


def test_a_smaller_table_is_the_start_of_a_larger_one():
    small, large = datasets.make_pass_fail(1000, 2, seed=7), datasets.make_pass_fail(70_000, 2, seed=7)
    np.testing.assert_array_equal(small.X, large.X[:1000])
    np.testing.assert_array_equal(small.y, large.y[:1000])
    assert not np.array_equal(small.X, datasets.make_pass_fail(1000, 2, seed=8).X)


def test_the_sample_is_the_same_everywhere(tmp_path):
    """Examples show figures of it. `RandomState` draws the same numbers in all versions of NumPy."""
    assert write_sample(tmp_path / "students.csv") == 500
    digest = sha256((tmp_path / "students.csv").read_bytes()).hexdigest()
    assert digest == "3e142a4ab5dead3efa27a995324ef5989e75dab9b64ebae1d7d62175007d51c0"
