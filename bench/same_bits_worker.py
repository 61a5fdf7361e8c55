"""Run all problems with one version of the package and record them in a JSON file. `same_bits.py` starts this.

The arguments are `folder file only`: the package is imported from `folder`, and only the problems whose name contains
`only` are run. Only public names of the package are used.
"""

import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trees import check_version

PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "scikit-learn", "pyarrow", "pandas", "polars")


def machine():
    """The CPU and the packages, on which bits may depend too."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor()
    return {"CPU": cpu, "Python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def problems():
    """(name, function) of all problems. Names are unique."""
    from bits import commands, errors, estimators, networks, neurons, streams, sweeps

    seen = set()
    for module in (neurons, networks, sweeps, streams, estimators, commands, errors):
        for name, function in module.problems():
            if name in seen:
                raise SystemExit(f"same_bits: two problems are called {name}")
            seen.add(name)
            yield name, function


def main():
    folder, file, only = sys.argv[1:]
    check_version(folder)
    from bits.record import record

    found, unknown, started = {}, {}, time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        for name, function in problems():
            if only not in name:
                continue
            digests, missing = record(function)
            if digests is None:
                unknown[name] = missing
            else:
                found[name] = digests
        os.chdir(folder)
    seconds = time.perf_counter() - started
    kept = {"machine": machine(), "problems": found, "unknown": unknown, "seconds": seconds}
    Path(file).write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
