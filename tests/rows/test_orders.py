"""Orders of rows that a seed decides: NumPy's, with and without the library's kernel."""

import numpy as np
import pytest

from tinynet_fast.rows import permutations as drawing
from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Order, Rows
from tinynet_fast.rows.permutations import permutations


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("seed", [[0, 0], [5, 2**32 - 3], [2**40 + 1, 7], [3, 2**33], [1, 2, 2**33, 4]])
def test_permutations_are_numpys(kernel, seed, monkeypatch):
    """Also where the last number outgrows 32 bits, of which the kernel knows nothing."""
    if not kernel:
        monkeypatch.setattr(drawing, "_kernel", lambda library: None)
    for n, count in ((1, 1), (0, 2), (50, 5)):
        ref = [np.random.default_rng([*seed[:-1], seed[-1] + k]).permutation(n) for k in range(count)]
        comp = permutations(seed, n, count)
        np.testing.assert_array_equal(comp, np.array(ref, np.int64).reshape(count, n), strict=True)


@pytest.mark.parametrize("by_blocks", [False, True])
def test_several_epochs_are_those_one_by_one(by_blocks, monkeypatch):
    monkeypatch.setattr(Order, "BLOCK_VALUES", 30)
    order = Order(9, by_blocks)
    each = [order.permutation(25, 3, epoch) for epoch in range(4, 9)]
    np.testing.assert_array_equal(order.permutations(25, 3, 4, 5), each)
    assert all(sorted(places.tolist()) == list(range(25)) for places in each)
    assert len({tuple(places.tolist()) for places in each}) == 5


@pytest.mark.parametrize("index", [None, np.array([7, 2, 9, 4, 4])])
@pytest.mark.parametrize("order", [None, Order(3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_epochs_are_blocks(index, order, weighted):
    """Each epoch's rows are those of the one block that `blocks` hands out for it, standardised too."""
    rng = np.random.default_rng(0)
    codes = Codes(rng.integers(0, 2, 12), np.arange(2))
    rows = Rows(rng.standard_normal((12, 3)), codes, index, rng.random(12) if weighted else None)
    rows.mean, rows.scale = np.ones(3), np.full(3, 2.0)
    found = list(rows.epochs(order, 6, 3))
    assert len(found) == 3
    for epoch, block in enumerate(found, 6):
        (ref,) = rows.blocks(100, order, epoch)
        for comp, expected in zip(block, ref, strict=True):
            assert (comp is None) == (expected is None)
            np.testing.assert_array_equal(comp, expected)
