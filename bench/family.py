"""Shared by the families of benchmarks: one thread for all libraries, the size of a run, and the check of equality.

Import this module before NumPy, which chooses its number of threads only once.
"""

import os
import sys
import time
from dataclasses import dataclass

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
TOO_LATE = "numpy" in sys.modules  # NumPy has already chosen its number of threads
os.environ.update(dict.fromkeys(THREADS, "1"))

import numpy as np  # noqa: E402

from tinynet_fast.proof.bench.floors import Floors  # noqa: E402
from tinynet_fast.proof.bench.measure import LEAST_TURN, NotEqualError, distance  # noqa: E402


@dataclass(frozen=True)
class Size:
    """How much is measured: a quick or a full run, the number of rounds, and the floors of this machine."""

    full: bool
    rounds: int
    floors: Floors

    def rows(self, quick, full):
        return full if self.full else quick


def check(name, who, comp, ref, limit):
    """The norm-wise relative difference. NotEqualError, which ends the run, if it is above `limit`."""
    apart = distance(comp, ref)
    if not apart <= limit:
        raise NotEqualError(f"{name}: {who} is {apart:.1e} apart, and {limit:.0e} is allowed: nothing is timed")
    return apart


def run(main):
    """Run a benchmark's `main`. A result that is not equal ends it with a message, and Ctrl-C with status 130."""
    try:
        main()
    except NotEqualError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def cpu_turns(runs, rounds):
    """As `take_turns`, but seconds of CPU time, which other processes change less. For runs of one thread."""
    seconds = {name: [] for name in runs}
    for turn in range(rounds + 1):  # the first warms up
        for name, run in runs.items():
            start, times, spent = time.process_time(), 0, 0.0
            while not times or spent < LEAST_TURN:
                run()
                times, spent = times + 1, time.process_time() - start
            if turn:
                seconds[name].append(spent / times)
    return {name: np.array(values) for name, values in seconds.items()}
