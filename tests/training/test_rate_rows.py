"""The rows that `learning_rate="auto"` tries are drawn, so a period in their order or a rare label cannot mislead."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_cluster import LocalShards
from tables import write

from tinynet_fast import auto_rate, sweep, train_mlp, train_neuron
from tinynet_fast.cluster.train import neuron
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.sampling import FEWEST, draw_from, drawn_rows
from tinynet_fast.training.many_neurons import mean_log_losses

ROWS = make_pass_fail(500, 3)
PERIOD = 6
N = PERIOD * 33_000  # of this many rows, a search takes one in six


@cache
def sensors():
    """Six sensors in turn. The first is quiet: its rows alone need a larger rate than all rows together."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 3))
    first = np.arange(N) % PERIOD == 0
    y = X @ [1.0, -2.0, 0.5] + rng.standard_normal(N) * np.where(first, 0.1, 3.0) > 0
    X[first] *= 0.1
    y = y.astype(np.uint8)
    X.flags.writeable = y.flags.writeable = False  # several tests share them
    return X, y


def loss_of(rates, X, y, average):
    models = sweep(X, y, learning_rate=rates, average=average)
    return mean_log_losses(np.column_stack([models.weights, models.biases]), X, y)


@cache
def least_loss(average):
    """The least loss of the sensors' rows, by a fine grid of rates."""
    return loss_of(np.geomspace(1e-4, 3.0, 46), *sensors(), average).min()


def blocks(X, y, size):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))


def sparse(X):
    return pytest.importorskip("scipy.sparse").csr_array(X)


WAYS = {
    "memory": lambda X, y, **options: train_neuron(X, y, **options),
    "float32": lambda X, y, **options: train_neuron(X.astype(np.float32), y, **options),
    "sample weights": lambda X, y, **options: train_neuron(X, y, sample_weight=np.ones(len(X)), **options),
    "hold-out": lambda X, y, **options: train_neuron(X, y, validation=1e-4, seed=0, **options),
    "sparse": lambda X, y, **options: train_neuron(sparse(X), y, **options),
    "stream": lambda X, y, **options: train_neuron(blocks(X, y, 7777), epochs=1, **options),
    "shards": lambda X, y, **options: neuron(LocalShards(X, y, [N // 2]), mode="average", **options),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("average", [False, True])
def test_interleaved_sensors(way, average):
    X, y = sensors()
    result = WAYS[way](X, y, learning_rate="auto", average=average)
    found = result.rate_search.learning_rate if result.rate_search else result.model.training["learning_rate"]
    assert loss_of([found], X, y, average)[0] < 1.01 * least_loss(average)


def test_a_rare_label_keeps_its_share():
    y = np.zeros(1_000_000, dtype=np.uint8)
    y[::1000] = 1
    rows = drawn_rows(len(y), 30, y.__getitem__)
    assert (np.diff(rows) > 0).all()
    assert len(rows) == pytest.approx(len(y) / 30, rel=1e-3)
    assert y[rows].sum() == pytest.approx(1000 / 30, abs=2)
    y[:] = 0
    y[[5, 700_000]] = 1  # fewer rows than are drawn of each label
    assert np.isin([5, 700_000], drawn_rows(len(y), 30, y.__getitem__)).all()


def test_a_rare_label_is_tried_as_among_shuffled_rows():
    """The rare label is one row in each thousand; among every 30th row it would be ten times as frequent."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((990_000, 2)), np.zeros(990_000, dtype=np.uint8)
    y[::1000] = 1
    X[::1000] += 1.0
    shuffled = rng.permutation(len(y))
    comp, ref = auto_rate(X, y, average=True), auto_rate(X[shuffled], y[shuffled], average=True)
    assert comp.losses.min() == pytest.approx(ref.losses.min(), rel=0.1)
    assert 0.5 < comp.learning_rate / ref.learning_rate < 2.0
    one = np.zeros(200_000)
    one[1] = 1.0
    assert auto_rate(X[:200_000], one).rows in (33_334, 33_335)


def test_weights_of_some_rows_alone():
    """Few rows have a weight; some of those that are drawn have one."""
    X, y = sensors()
    weights = np.zeros(N)
    weights[1::1500] = 1.0
    search = auto_rate(X, y, sample_weight=weights)
    assert search.rows == pytest.approx(N / 6, rel=1e-3)
    few = weights > 0
    assert auto_rate(X[few], y[few]).learning_rate == pytest.approx(search.learning_rate, rel=3)
    weights[:] = np.where(y == 0, 1.0, 0.0)
    weights[[np.argmax(y), N - 1 - np.argmax(y[::-1])]] = 1.0  # two rows of the other label, which are both drawn
    search = auto_rate(X, y, sample_weight=weights)
    assert search.rows == pytest.approx(N / 6, rel=1e-3)
    strided = np.repeat(weights, 2)[::2]
    assert auto_rate(X, y, sample_weight=strided).learning_rate == search.learning_rate


def test_sample_weights_that_do_not_lie_together():
    """The values of a frame's column are not contiguous in memory, and kernels take no strides."""
    X, y, weights = ROWS.X, ROWS.y, np.random.default_rng(0).random(len(ROWS.X))
    trainers = {
        "neuron": lambda w: train_neuron(X, y, sample_weight=w, epochs=2, average=True).model.weights,
        "network": lambda w: train_mlp(X, y, sample_weight=w, epochs=2, seed=0).model.weights[0],
        "sweep": lambda w: sweep(X, y, sample_weight=w).weights,
        "auto": lambda w: auto_rate(X, y, sample_weight=w).losses,
    }
    for train in trainers.values():
        for apart in (
            np.repeat(weights, 2)[::2],
            weights[::-1].copy()[::-1],
            weights[:, np.newaxis].repeat(3, 1)[:, 0],
        ):
            np.testing.assert_array_equal(train(apart), train(weights))


@given(st.lists(st.integers(0, 900), min_size=1, max_size=8), st.integers(20, 500))
def test_rows_in_pieces_are_drawn_however_they_are_cut(sizes, most):
    n = sum(sizes) + 2
    y = (np.arange(n) % 97 == 0).astype(np.uint8)
    X = np.arange(n, dtype=np.float64)[:, np.newaxis]
    ref, codes = draw_from([(X, y)], most)
    edges = np.cumsum([1, *sizes])
    comp, again = draw_from(zip(np.split(X, edges), np.split(y, edges), strict=True), most)
    np.testing.assert_array_equal(comp, ref)
    np.testing.assert_array_equal(again, codes)
    np.testing.assert_array_equal(codes, y[ref[:, 0].astype(int)])
    assert (np.diff(ref[:, 0]) > 0).all()
    assert min(n, most) <= len(ref) <= most + 2 * FEWEST
    assert codes.sum() >= min(y.sum(), FEWEST)


def test_few_rows_are_all_tried(tmp_path):
    X, y = sensors()
    rows = [(repr(float(a)), int(b)) for a, b in zip(X[:3000, 0], y[:3000], strict=True)]
    path = write(tmp_path / "d.csv", ["a", "y"], rows)
    few = train_neuron(path, "y", learning_rate="auto", epochs=1)  # the same bits for every memory layout
    assert few.rate_search.learning_rate == auto_rate(X[:3000, :1], y[:3000]).learning_rate


def test_rows_that_can_be_read_once_only():
    X, y = sensors()
    with pytest.raises(ValueError, match="learning_rate='auto' reads the rows before training, and these can be read"):
        train_neuron(blocks(X, y, 1000)(), epochs=1, learning_rate="auto", labels=(0, 1))
