"""Random numbers that repeat those of `numpy.random.RandomState`. Orders of rows are in `rows/blocks.py`."""

import threading

import numpy as np

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
