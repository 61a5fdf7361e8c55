"""The loops of `loops.c`: gcc compiles them into a temporary folder when they are needed, and ctypes calls them."""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

FLAGS = ("-O3", "-march=native", "-ffast-math", "-fPIC")


@cache
def library() -> ctypes.CDLL | None:
    """The compiled loops, or None if there is no gcc that can compile them.

    They are linked without -ffast-math. With it, gcc before version 13 adds code that rounds the smallest numbers of
    the whole process to zero, so also those of the other contenders.
    """
    source = str(Path(__file__).with_name("loops.c"))
    with tempfile.TemporaryDirectory() as folder:
        made, linked = f"{folder}/loops.o", f"{folder}/loops.so"
        try:
            for command in (["gcc", *FLAGS, "-c", source, "-o", made], ["gcc", "-shared", made, "-lm", "-o", linked]):
                subprocess.run(command, check=True, capture_output=True)
            return ctypes.CDLL(linked)
        except (OSError, subprocess.CalledProcessError):
            return None


def train(
    function: str, X: np.ndarray, y: np.ndarray, sizes: list[int], rate: float, epochs: int, at: np.ndarray
) -> None:
    """Call a loop. The parameters `at`, in one vector, change in place. X, y and `at` are float64 arrays in C order."""
    losses = np.zeros(epochs)
    rows, labels, parameters, each = (ctypes.c_void_p(array.ctypes.data) for array in (X, y, at, losses))
    counts = (ctypes.c_long(count) for count in (len(X), X.shape[1], *sizes))
    getattr(library(), function)(rows, labels, *counts, ctypes.c_double(rate), parameters, ctypes.c_long(epochs), each)
