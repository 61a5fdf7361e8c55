"""What figures depend on: the CPU, the number of cores, and the versions of Python, the libraries and gcc."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from importlib import metadata

LIBRARIES = (
    "numpy",
    "numba",
    "scikit-learn",
    "torch",
    "jax",
    "vowpalwabbit",
    "river",
    "liblinear-official",
    "snapml",
    "scipy",
    "pyarrow",
)


def machine() -> dict[str, str]:
    """The facts by name. What is not installed is left out."""
    facts = {"cpu": _model(), "architecture": _architecture(), "cores": str(os.cpu_count())}
    facts |= {"system": f"{platform.system()} {platform.machine()}", "python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            facts[name] = metadata.version(name)
    with suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True)
        facts["gcc"] = done.stdout.strip()
    return facts


def slug(facts: dict[str, str]) -> str:
    """The CPU's name for use in a file's name, such as amd-epyc-znver4."""
    words = re.sub(r"\(\w+\)|@.*|\b(CPU|Processor)\b", "", f"{facts['cpu']} {facts['architecture']}")
    return "-".join(re.findall(r"[a-z0-9]+", words.lower()))


def _architecture() -> str:
    """The CPU's kind as LLVM names it; without Numba, which brings LLVM, as Python names it."""
    try:  # here, because it is optional and slow to import
        from llvmlite import binding
    except ImportError:
        return platform.machine()
    return str(binding.get_host_cpu_name())


def _model() -> str:
    with suppress(OSError, StopIteration), open("/proc/cpuinfo", encoding="utf-8") as file:
        return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    return platform.processor() or platform.machine()
