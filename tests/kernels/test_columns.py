"""Columns into rows: each value at its place, and whether all are finite."""

import numpy as np
import pytest

from tinynet_fast.kernels.fast.columns import put_columns


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 23])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 100])
def test_columns_into_rows(dtype, width, n):
    rng = np.random.default_rng(0)
    columns = [rng.standard_normal(n).astype(dtype) for _ in range(width)]
    ref = np.full((n, width + 2), 7.0, dtype)
    ref[:, 1:-1] = np.stack(columns, axis=1)
    comp = np.full((n, width + 2), 7.0, dtype)
    assert put_columns(columns, comp, 1)
    np.testing.assert_array_equal(comp, ref)
    for column in {0, width // 2, width - 1}:
        for row in {0, n // 2, n - 1}:
            for bad in (np.nan, np.inf, -np.inf):
                kept, columns[column][row] = columns[column][row], bad
                assert not put_columns(columns, comp, 1)
                columns[column][row] = kept
