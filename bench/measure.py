"""How everything here is measured: contenders take turns in one process, and the median counts.

On a shared machine an absolute time means little; a ratio of two that took turns means something.
"""

import os
import platform
import resource
import sys
import time
from importlib import metadata
from statistics import median

LEAST_TURN = 0.02  # seconds
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def one_thread():
    """Hold BLAS and Numba to one thread. To be called before NumPy is imported."""
    assert "numpy" not in sys.modules, "NumPy has chosen its threads already"
    os.environ.update(dict.fromkeys(THREADS, "1"))


def take_turns(contenders, rounds=9):
    """Median seconds of each of the functions `contenders`, by name; one round to warm up, then they alternate.

    A turn lasts at least LEAST_TURN: who is done sooner runs again, and the mean counts. A single millisecond would be
    that of a processor whose caches and clock are still the last contender's.
    """
    seconds = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            start, runs, spent = time.perf_counter(), 0, 0.0
            while spent < LEAST_TURN:
                run()
                runs, spent = runs + 1, time.perf_counter() - start
            if turn:
                seconds[name].append(spent / runs)
    return {name: median(times) for name, times in seconds.items()}


def peak_memory():
    """The most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine():
    """What the figures depend on: CPU, Python and libraries."""
    cpu = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            cpu = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = {}
    for name in ("numpy", "numba", "scikit-learn", "torch"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), **versions}
