"""`tinynet-fast warmup`: afterwards nothing is left to compile."""

import re
import subprocess
import sys
from multiprocessing import Pipe

import pytest

from tinynet_fast.cli import warmup
from tinynet_fast.kernels.compiler import interrupts, jit, native
from tinynet_fast.kernels.compiler.warmup import _received


@pytest.fixture
def few_entries(monkeypatch):
    if jit.UNCOMPILED:
        pytest.skip("compiling is switched off")
    pytest.importorskip("numba", reason="Numba compiles")
    entries = [
        ("fast.row_order.shuffle", "lw1 l0"),
        ("fast.columns.put_one", "d1 dw2 l0"),
        ("strict.network_update", "d0 d1 d1 l2 dw2"),
    ]
    monkeypatch.setattr(warmup, "kernels_to_compile", lambda: entries)
    return entries


CALLED = """
import numpy as np
from tinynet_fast.kernels import strict
from tinynet_fast.kernels.fast import row_order
row_order.shuffle.dispatcher(np.arange(3), 1)
strict.network_update.dispatcher(0.0, np.zeros(4), np.zeros(5), np.ones((1, 3), dtype=np.int64), np.zeros((4, 2)))
for function in row_order.shuffle, strict.network_update:
    print(sum(function.dispatcher.stats.cache_hits.values()), sum(function.dispatcher.stats.cache_misses.values()))
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_warmup_leaves_nothing_to_compile(run, few_entries, jobs, tmp_path, monkeypatch):
    """What it compiled is what a trainer's call asks for."""
    if jobs == "2":  # in this process, kernels keep the folder that they had when they were made
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
        monkeypatch.setattr("tinynet_fast.kernels.compiler.warmup.TOGETHER", 2)
    status, out, _ = run("warmup", "--jobs", jobs)
    assert status == 0
    assert re.search(r"3 kernels are in Numba's cache, after \d+\.\d s\.\n$", out)
    done = subprocess.run([sys.executable, "-c", CALLED], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "0", "1", "0"]


def test_a_process_of_warmup_that_failed_or_was_killed():
    ours, theirs = Pipe()
    theirs.send(OSError("the disk is full"))
    with pytest.raises(OSError, match="the disk is full"):
        _received(ours)
    theirs.close()
    with pytest.raises(OSError, match="was killed; fewer --jobs need less memory"):
        _received(ours)


def test_jobs_of_warmup_are_checked(run, few_entries):
    status, _, err = run("warmup", "--jobs", "0")
    assert status == 2
    assert "--jobs is 0; a whole number of at least 1 is needed" in err


def test_an_interrupted_warmup_says_what_is_kept(run, few_entries, monkeypatch):
    def compile_two(entries, processes):
        yield from [name for name, _ in entries[:2]]
        raise KeyboardInterrupt

    monkeypatch.setattr(warmup, "compile_all", compile_two)
    monkeypatch.setattr(interrupts, "_done", [])
    status, _, err = run("warmup")
    assert status == 130
    assert err.startswith("tinynet-fast: interrupted; 2 of 3 kernels are in Numba's cache; warmup compiles the others")


def test_warmup_where_nothing_can_be_kept(run, few_entries, monkeypatch):
    monkeypatch.setattr("tinynet_fast.kernels.compiler.warmup._is_cached", lambda dispatcher: False)
    status, _, err = run("warmup")
    assert status == 2
    assert "set NUMBA_CACHE_DIR to a folder that can" in err
    assert err.count("\n") == 1


def test_warmup_with_nothing_to_do_it(monkeypatch):
    monkeypatch.setattr(jit, "has_numba", lambda: False)
    monkeypatch.setattr(jit, "UNCOMPILED", False)
    monkeypatch.setattr(native, "library", lambda: None)
    with pytest.raises(ImportError, match="pip install numba"):
        warmup.warm_up(None)
