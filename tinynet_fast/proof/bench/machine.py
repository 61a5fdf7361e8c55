"""What figures depend on: the CPU, how many cores of it, the versions of Python and of whoever takes part."""

import os
import platform
import re
from contextlib import suppress
from importlib import metadata

LIBRARIES = (
    "numpy",
    "numba",
    "scikit-learn",
    "torch",
    "vowpalwabbit",
    "river",
    "liblinear-official",
    "snapml",
    "scipy",
    "pyarrow",
)


def machine() -> dict[str, str]:
    """The facts by name; of the libraries those that are installed."""
    facts = {"cpu": _model(), "architecture": _architecture(), "cores": str(os.cpu_count())}
    facts |= {"system": f"{platform.system()} {platform.machine()}", "python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            facts[name] = metadata.version(name)
    return facts


def slug(facts: dict[str, str]) -> str:
    """The CPU in a file's name: amd-epyc-znver4."""
    words = re.sub(r"\(\w+\)|@.*|\b(CPU|Processor)\b", "", f"{facts['cpu']} {facts['architecture']}")
    return "-".join(re.findall(r"[a-z0-9]+", words.lower()))


def _architecture() -> str:
    """The CPU's kind as LLVM names it, which comes with Numba; without Numba as Python names it."""
    try:
        from llvmlite import binding
    except ImportError:
        return platform.machine()
    return str(binding.get_host_cpu_name())


def _model() -> str:
    with suppress(OSError, StopIteration), open("/proc/cpuinfo", encoding="utf-8") as file:
        return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    return platform.processor() or platform.machine()
