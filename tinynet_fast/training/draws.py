"""Random numbers that repeat those of `numpy.random.RandomState`. Orders of rows are in `rows/blocks.py`."""

import threading
from collections.abc import Iterator

import numpy as np

from tinynet_fast.kernels import elementary

_own = threading.local()


def seeded(seed: int | None) -> np.random.RandomState:
    """The numbers of `RandomState(seed)`, from this thread's own RandomState, which is seeded anew.

    Draw from it before anything else can ask for another one. To make a RandomState takes 150 us, almost all of it for
    a seed from the operating system that is then not used; to seed one takes 2 us.
    """
    draw: np.random.RandomState | None = getattr(_own, "draw", None)
    if draw is None:
        draw = _own.draw = np.random.RandomState()
    draw.seed(seed)
    return draw


def normal_numbers(draw: np.random.RandomState) -> Iterator[float]:
    """The numbers of `draw.randn`, one after the other, to rounding: the same bits on every machine.

    It is Marsaglia's polar method (1964), as in NumPy. But NumPy takes the logarithm of the C library, and on some CPUs
    fuses a product and a sum. The numbers come in pairs, the second first.
    """
    while True:
        x, y = 2.0 * draw.random_sample() - 1.0, 2.0 * draw.random_sample() - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            factor = elementary.sqrt(-2.0 * elementary.log(square) / square)
            yield factor * y
            yield factor * x
