"""What a checkpoint is made of: the digest of the rows, and the history."""

import numpy as np
import pytest

from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.training import checkpoints
from tinynet_fast.training.history import History


def test_a_run_that_kept_nothing_has_no_state_before():
    assert History().state_before() is None


@pytest.mark.parametrize("row", [0, 1, 4])
def test_the_digest_is_of_every_row(row, monkeypatch):
    """Of its inputs, its label and its weight."""
    monkeypatch.setattr(checkpoints, "DIGEST_ROWS", 2)

    def digests():
        arrays = np.ones((5, 2)), np.zeros(5, int), np.ones(5)
        yield checkpoints.digest(Rows(arrays[0], Codes(arrays[1], np.arange(2)), None, arrays[2]))["content"]
        for array in arrays:
            array[row] += 1
            yield checkpoints.digest(Rows(arrays[0], Codes(arrays[1], np.arange(2)), None, arrays[2]))["content"]

    assert len(set(digests())) == 4
