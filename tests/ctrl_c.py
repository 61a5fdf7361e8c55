"""Ctrl-C, pressed while a test trains."""

import _thread
import threading
import time
from contextlib import contextmanager

import pytest


@contextmanager
def ended_by_ctrl_c(within):
    """Press Ctrl-C 0.3 s after the block has begun. It must end by it less than `within` seconds later."""
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        _thread.interrupt_main()

    timer = threading.Timer(0.3, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    assert time.perf_counter() - pressed[0] < within
