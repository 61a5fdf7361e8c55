"""Whether arrays hold NaN or infinity, found by their sum of squares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinynet_fast.rows.values import is_finite

BAD = (np.nan, np.inf, -np.inf)


@given(
    arrays.arrays(np.float64, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5), elements=st.floats())
)
def test_the_sum_of_squares_agrees_with_each_value(array):
    assert is_finite(array) == all(map(np.isfinite, array.ravel().tolist()))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_numbers_whose_squares_overflow_are_finite(dtype):
    """There is no warning of the overflow: pytest would make an error of it."""
    array = np.full(1000, np.finfo(dtype).max)
    assert is_finite(array)
    for bad in BAD:
        array[777] = bad
        assert not is_finite(array)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint64])
def test_whole_numbers_are_finite(dtype):
    assert is_finite(np.array([0, 1, 1], dtype))
    if dtype is not bool:
        assert is_finite(np.full(9, np.iinfo(dtype).max))


def test_views_and_columns():
    X = np.arange(24.0).reshape(4, 6)
    X[1, 3] = np.nan
    assert not is_finite(X)
    assert not is_finite(X.T)
    assert is_finite(X[:, ::2])
    assert not is_finite(X[::-1, 1::2])
