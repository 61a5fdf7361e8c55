"""What the families share: one thread for everybody, how large and how often, and equality before time.

To be imported before NumPy, which chooses its threads once.
"""

import os
import sys
from dataclasses import dataclass

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
TOO_LATE = "numpy" in sys.modules  # NumPy has chosen its threads already
os.environ.update(dict.fromkeys(THREADS, "1"))

from tinynet_fast.proof.bench.floors import Floors  # noqa: E402
from tinynet_fast.proof.bench.measure import NotEqualError, distance  # noqa: E402


@dataclass(frozen=True)
class Size:
    """How much is measured: quick, or full; rounds; and this machine's floors."""

    full: bool
    rounds: int
    floors: Floors

    def rows(self, quick, full):
        return full if self.full else quick


def check(name, who, comp, ref, limit):
    """The norm-wise relative difference, or the end of the run where that is above `limit`."""
    apart = distance(comp, ref)
    if not apart <= limit:
        raise NotEqualError(f"{name}: {who} is {apart:.1e} apart, where {limit:.0e} is allowed: nothing is timed")
    return apart
