"""Forks, new processes, joblib, and threads that fork: no error, and the bits of one process.

What is not promised: to fork while another thread imports a module. The new process may then wait for ever for a lock
of a thread that it does not have. Here all modules are imported before.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutations import count

from tinynet_fast.kernels.compiler import jit

CHILD = Path(__file__).parent / "processes_child.py"
pytestmark = pytest.mark.skipif(jit.UNCOMPILED, reason="nothing is compiled here")


def run(rounds, way):
    command = [sys.executable, "-W", "ignore", CHILD, str(rounds), way]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "the same bits\n", done.stderr[-2000:]


@pytest.mark.parametrize("way", ["fork", "threads"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_forks(way):
    run(count(3, 200), way)


def test_new_processes():
    run(count(1, 200), "spawn")


@pytest.mark.parametrize("way", ["loky", "threading"])
@pytest.mark.skipif(importlib.util.find_spec("joblib") is None, reason="joblib is not installed")
def test_joblib(way):
    run(count(1, 200), way)
