"""Threads that need their first kernels at the same moment: no error, and the bits of one thread."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutations import count

from tinynet_fast.kernels.compiler import jit

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(jit.UNCOMPILED or not jit.has_numba(), reason="nothing is compiled here")


def run(rounds, first, cache):
    environment = os.environ | {
        "TINYNET_FAST_NATIVE": "0",
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPATH": str(HERE.parent.parent),
    }
    command = [sys.executable, "-W", "ignore", str(HERE / "threads_child.py"), str(rounds), first]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "the same bits\n", done.stderr[-2000:]


def test_eight_threads(tmp_path):
    """With an empty cache, and then as processes that find a full one, again and again."""
    run(1, "together", tmp_path)
    for _ in range(count(2, 40)):
        run(count(2, 5), "together", tmp_path)
    run(count(2, 20), "alone", tmp_path)
