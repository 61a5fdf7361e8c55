"""Forks, new processes, joblib, and threads that fork: no error, and the bits of one process.

What is not promised: to fork while another thread imports a module. The new process may then wait for ever for a lock
of a thread that it does not have. Here all modules are imported before.
"""

import importlib.util
import os
from pathlib import Path

import pytest
from children import asked
from mutations import count

from tinynet_fast.kernels.compiler import jit

CHILD = Path(__file__).parent / "processes_child.py"
pytestmark = pytest.mark.skipif(jit.UNCOMPILED, reason="nothing is compiled here")


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Ways to start processes and threads are tried in one process: each of its own would import and load the same."""
    with asked(CHILD, tmp_path_factory.mktemp("child")) as ask:
        yield ask


def run(ask, rounds, way):
    lines, ended = ask(rounds, way)
    assert (lines, ended) == (["the same bits"], None)


@pytest.mark.parametrize("way", ["fork", "threads"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_forks(ask, way):
    run(ask, count(3, 200), way)


def test_new_processes(ask):
    run(ask, count(1, 200), "spawn")


@pytest.mark.parametrize("way", ["loky", "threading"])
@pytest.mark.skipif(importlib.util.find_spec("joblib") is None, reason="joblib is not installed")
def test_joblib(ask, way):
    run(ask, count(1, 200), way)
