"""The parts of which streams are made: means and deviations, cuts of blocks, an order of rows, reading ahead."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinynet_fast.rows.ahead import AHEAD, read_ahead
from tinynet_fast.rows.blocks import Moments, Order
from tinynet_fast.rows.cuts import next_cut, recut


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=4), st.floats(-1e6, 1e6))
@settings(max_examples=25)
def test_moments(sizes, offset):
    X = np.random.default_rng(0).standard_normal((sum(sizes), 2)) + np.array([0.0, offset])
    moments = Moments(2)
    for part in np.split(X, np.cumsum(sizes)[:-1]):
        moments.add(part)
    mean, scale = moments.standardisation(None)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-10, atol=1e-12)
    if len(X) > 1:
        np.testing.assert_allclose(scale, X.std(axis=0), rtol=1e-8)


@given(
    st.lists(st.integers(0, 900), max_size=8),
    st.sampled_from([1, 256]),
    st.one_of(st.none(), st.integers(1, 1500)),
    st.integers(1, 3),
)
def test_recut_loses_and_splits_nothing(sizes, tile, batch_size, tiles):
    X = np.arange(sum(sizes)).reshape(-1, 1)
    pieces = [(X[b - n : b], X[b - n : b, 0]) for n, b in zip(sizes, np.cumsum(sizes), strict=True)]
    size, done = tile * tiles, 0
    for part, codes in recut(iter(pieces), size, tile, batch_size):
        assert np.array_equal(part[:, 0], np.arange(done, done + len(part)))
        assert np.array_equal(part[:, 0], codes)
        assert len(part) <= max(size, 0) or batch_size is not None
        start, done = done, done + len(part)
        if done < len(X):
            assert done == next_cut(start, done, size, tile, batch_size)
        if batch_size is not None and start % batch_size:  # within a batch: do not go beyond its end
            assert done <= -(-start // batch_size) * batch_size
    assert done == len(X)


@example(256, 44, 256, 1, 300)  # the end of a batch that is no tile
@given(
    st.integers(0, 3000),
    st.integers(0, 1200),
    st.sampled_from([1, 256]),
    st.integers(1, 3),
    st.one_of(st.none(), st.integers(1, 1500)),
)
def test_the_next_cut_is_the_largest_allowed_one(done, more, tile, tiles, batch_size):
    """Compare with a search through all rows. A block ends with a batch, or within a larger batch with a tile."""
    size, batch = tile * tiles, 0
    if batch_size is None:
        done -= done % tile
    elif batch_size <= size:
        done -= done % batch_size
    else:  # from a tile of a batch
        batch = done // batch_size * batch_size
        done -= (done - batch) % tile

    def allowed(row):
        if row - done > size:
            return False
        if batch_size is None:
            return row % tile == 0
        if batch_size <= size:
            return row % batch_size == 0
        return row == batch + batch_size or (row < batch + batch_size and (row - batch) % tile == 0)

    end = done + more
    ref = max((row for row in range(done + 1, end + 1) if allowed(row)), default=done)
    assert next_cut(done, end, size, tile, batch_size) == ref


def test_blocks_of_an_order_are_permuted_and_rows_within_them(monkeypatch):
    monkeypatch.setattr(Order, "BLOCK_VALUES", 20)
    order = Order(3, by_blocks=True)
    seen = order.permutation(95, 2, epoch=0)
    assert sorted(seen.tolist()) == list(range(95))
    numbers = [set((seen[i : i + 10] // 10).tolist()) for i in range(0, 90, 10)]
    assert len(set(order.blocks(95, 2, 0).tolist())) == 10
    assert not np.array_equal(seen, order.permutation(95, 2, epoch=1))
    assert any(len(blocks) == 1 for blocks in numbers)
    assert Order(3).permutation(5, 1, 0).tolist() == np.random.default_rng([3, 0]).permutation(5).tolist()


def test_reading_ahead_ends_with_its_reader():
    closed = threading.Event()

    def numbers():
        try:
            yield from itertools.count()
        finally:
            closed.set()

    ahead = read_ahead(numbers())
    assert list(itertools.islice(ahead, 3)) == [0, 1, 2]
    ahead.close()
    assert closed.is_set()
    assert not [t for t in threading.enumerate() if t.name == "tinynet_fast reader"]

    def fails():
        yield 1
        raise ZeroDivisionError("in the reader")

    with pytest.raises(ZeroDivisionError, match="in the reader"):
        list(read_ahead(fails()))
    assert AHEAD < 10
