"""Standardised inputs, with exact values: constant columns, large offsets, and models for raw inputs."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_cluster import LocalShards
from tables import write

from tinynet_fast import TrainingWarning, train_mlp, train_neuron
from tinynet_fast.cluster.inspection import merge_moments
from tinynet_fast.cluster.train import neuron
from tinynet_fast.models import load
from tinynet_fast.rows.blocks import Moments, split_rows, standardisation

A = np.random.default_rng(0).normal(size=200)
Y = (A > 0) * 1
CONSTANT = np.c_[A, np.full(200, 19.99)]


def blocks(X, y, size):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))


def moments_of(X, cuts):
    parts = []
    for low, high in itertools.pairwise([0, *sorted(cuts), len(X)]):
        parts.append(Moments(X.shape[1]))
        if high > low:
            parts[-1].add(X[low:high])
    return parts


WAYS = {
    "memory": lambda X: train_neuron(X, Y, standardize=True, epochs=5),
    "hold-out": lambda X: train_neuron(X, Y, standardize=True, epochs=5, validation=0.3, seed=1),
    "averaged": lambda X: train_neuron(X, Y, standardize=True, epochs=5, average=True, l2=1e-3),
    "strict": lambda X: train_neuron(X, Y, standardize=True, epochs=5, engine="strict"),
    "stream": lambda X: train_neuron(blocks(X, Y, 7), standardize=True, epochs=5),
    "stream, hold-out": lambda X: train_neuron(blocks(X, Y, 7), standardize=True, epochs=5, validation=0.3, seed=1),
    "chain": lambda X: neuron(LocalShards(X, Y, [1, 1, 120]), mode="chain", standardize=True, epochs=5),
    "average": lambda X: neuron(LocalShards(X, Y, [1, 1, 120]), mode="average", standardize=True, epochs=5),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("constant", [19.99, 0.1, -1e-9, 1e9, 12345678.9, 1.7e18])
def test_a_constant_column_gets_no_weight(way, constant):
    X = np.c_[A, np.full(200, constant)]
    comp, ref = WAYS[way](X).model, WAYS[way](np.c_[A, np.zeros(200)]).model
    assert abs(comp.weights[1]) < 1e-9
    np.testing.assert_allclose(comp.predict_proba(X), ref.predict_proba(np.c_[A, np.zeros(200)]), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, bool])
def test_a_constant_of_every_type_has_the_deviation_1(dtype):
    mean, scale = standardisation(np.full((5000, 2), 101.37).astype(dtype), ["a", "b"])
    assert scale.tolist() == [np.inf, np.inf]
    assert mean.tolist() == [float(dtype(101.37))] * 2


def test_a_column_that_is_constant_among_the_rows_that_are_trained_on():
    """The column changes only in rows that are held out."""
    X = CONSTANT.copy()
    X[split_rows(200, 0.3, 1)[1], 1] = 50.0
    assert abs(train_neuron(X, Y, standardize=True, epochs=5, validation=0.3, seed=1).model.weights[1]) < 1e-9


def test_a_network_is_not_harmed_by_a_constant_column():
    comp = train_mlp(CONSTANT, Y, standardize=True, epochs=50, seed=0).model
    ref = train_mlp(np.c_[A, np.zeros(200)], Y, standardize=True, epochs=50, seed=0).model
    assert np.abs(comp.weights[0][1]).max() < 2.0
    np.testing.assert_allclose(comp.predict_proba(CONSTANT), ref.predict_proba(np.c_[A, np.zeros(200)]), rtol=1e-12)


def test_the_command_line(run, tmp_path):
    rows = [(repr(float(a)), "19.99", "pass" if a > 0 else "fail") for a in A]
    write(tmp_path / "d.csv", ["a", "price", "result"], rows)
    status, out, _ = run("train", "d.csv", "--target", "result", "--model", "m.json")
    assert status == 0
    assert "left out  price (all rows have the same value)" in out
    assert load(tmp_path / "m.json").features == ["a"]
    assert run("train", "d.csv", "--target", "result", "--model", "m.json", "--stream")[0] == 0
    assert abs(load(tmp_path / "m.json").weights[1]) < 1e-9


@given(
    st.lists(st.integers(-999_999, 999_999), min_size=1, max_size=4),
    st.lists(st.integers(0, 9000), max_size=5),
    st.randoms(use_true_random=False),
)
def test_two_decimal_constants_in_any_cuts_and_any_order(cents, cuts, random):
    values = np.array(cents) / 100
    parts = moments_of(np.tile(values, (9000, 1)), cuts)
    random.shuffle(parts)
    mean, scale = merge_moments(parts).standardisation(None)
    assert scale.tolist() == [np.inf] * len(values)
    assert mean.tolist() == values.tolist()


@given(st.lists(st.integers(0, 9000), max_size=5), st.randoms(use_true_random=False))
def test_small_changes_beside_a_large_offset_in_any_cuts_and_any_order(cuts, random):
    """The changes are multiples of 2**-10, so the columns hold them exactly and the right answer is known."""
    changes = np.random.default_rng(1).integers(-5, 5, (9000, 2)) / 1024.0
    parts = moments_of(changes + np.array([0.0, 1e9]), cuts)
    random.shuffle(parts)
    mean, scale = merge_moments(parts).standardisation(None)
    np.testing.assert_allclose(scale, changes.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(mean - [0.0, 1e9], changes.mean(axis=0), atol=1.2e-7)  # the spacing of floats at 1e9


def test_changes_of_the_last_digits_are_no_changes():
    """0.1 + 0.2 is not 0.3: a column with both is as good as constant, and a weight of 1e16 would be noise."""
    X = np.c_[A, np.where(A > 0.5, 0.1 + 0.2, 0.3)]
    assert standardisation(X, ["a", "b"])[1][1] == np.inf
    assert abs(train_neuron(X, Y, standardize=True, epochs=5).model.weights[1]) < 1e-9


def test_a_model_that_loses_digits_says_so():
    near = np.c_[A, 1e9 + 1e-3 * A]  # digits to spare
    comp = train_neuron(near, Y, standardize=True, epochs=5).model
    ref = train_neuron(np.c_[A, A], Y, standardize=True, epochs=5).model
    np.testing.assert_allclose(comp.predict_proba(near), ref.predict_proba(np.c_[A, A]), atol=2e-3)
    far = np.c_[A, 1e9 + 2e-6 * A]
    message = r"column 1: its values are large .* Subtract 1e\+09 from the column first"
    for train in (train_neuron, train_mlp):
        with pytest.warns(TrainingWarning, match=message):
            train(far, Y, standardize=True, epochs=5)
    with pytest.warns(TrainingWarning, match=message):
        train_neuron(blocks(far, Y, 50), standardize=True, epochs=5)
    with pytest.warns(TrainingWarning, match=message):
        neuron(LocalShards(far, Y, [50]), mode="average", standardize=True, epochs=5)


@pytest.mark.parametrize("constant", [273.15, 1.7e18, 1e300])
def test_a_network_does_not_see_a_column_that_never_changed(constant):
    """Its random first weights have no effect, neither for the constant nor for another value later."""
    network = train_mlp(np.c_[A, np.full(200, constant)], Y, standardize=True, epochs=300, seed=0).model
    assert (network.weights[0][1] == 0.0).all()
    same, other = (network.predict_proba(np.c_[A, np.full(200, value)]) for value in (constant, 300.0))
    np.testing.assert_array_equal(same, other)
    assert network.score(np.c_[A, np.full(200, constant)], Y) > 0.9


def test_a_column_that_is_too_small_is_named():
    with pytest.raises(ValueError, match="column 'b' is too small to standardise: multiply it by a power of ten first"):
        standardisation(np.c_[A, 1e-170 * A], ["a", "b"])
    with pytest.raises(ValueError, match="column 1 is too small"):
        train_neuron(np.c_[A, 1e-200 * np.abs(A)], Y, standardize=True)
    with pytest.raises(ValueError, match="column 1 is too large"):
        train_neuron(np.c_[A, 1e200 * A], Y, standardize=True)
    np.testing.assert_allclose(standardisation(1e-150 * A[:, None], ["a"])[1], 1e-150 * A.std(), rtol=1e-12)
