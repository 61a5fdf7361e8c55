"""Ctrl-C, pressed while a test trains."""

import _thread
import threading
import time
from contextlib import contextmanager

import pytest

HANGS = 20.0  # seconds: less than a run takes that is not ended, and more than a loaded machine adds


@contextmanager
def ended_by_ctrl_c(within):
    """Press Ctrl-C 0.3 s after the block has begun. It must end by it after less than `within` seconds of CPU time.

    That is the time of all threads of this process, which does not grow while other processes have the cores.
    """
    pressed = []

    def press():
        pressed.extend((time.process_time(), time.perf_counter()))
        _thread.interrupt_main()

    timer = threading.Timer(0.3, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    assert time.process_time() - pressed[0] < within
    assert time.perf_counter() - pressed[1] < HANGS
