"""Rows and options for sweeps of networks, and how two sweeps are compared."""

import numpy as np
from compare import flat

from tinynet_fast.rows.datasets import make_pass_fail

ROWS = make_pass_fail(600, 3, seed=3)
X, Y = ROWS.X, ROWS.y.astype(np.int64)
FEW = {"learning_rate": [0.05, 0.5], "seed": [1, 2, 3], "epochs": 3}


def same_bits(comp, ref):
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history, strict=True)
    np.testing.assert_array_equal(comp.held_out_loss, ref.held_out_loss, strict=True)
    for a, b in zip(comp.models, ref.models, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(flat(a), flat(b), strict=True)
    assert comp.best == ref.best
