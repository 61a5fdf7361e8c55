"""The facts that decide whether two machines give the same bits."""

import os
import platform
from importlib import metadata

SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT")  # what the compiler may use of the CPU


def facts() -> dict[str, str]:
    """Return the versions of Python and libraries, and the CPU as the compiler sees it."""
    found = {
        "tinynet_fast": _version("tinynet-fast"),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "NumPy": _version("numpy"),
        "Numba": _version("numba"),
        "C library": " ".join(platform.libc_ver()).strip() or "unknown",
        "system": f"{platform.system()} {platform.machine()}",
    } | {name: os.environ.get(name, "not set") for name in SETTINGS}
    try:  # here, because Numba and llvmlite are optional and slow to import
        import llvmlite.binding as llvm
        from numba import config
    except ImportError:
        return found
    features = llvm.get_host_cpu_features()
    known = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "neon", "sve")
    return found | {
        "LLVM": ".".join(map(str, llvm.llvm_version_info)),
        "CPU": llvm.get_host_cpu_name(),
        "CPU features": " ".join(name for name in known if features.get(name)) or "none of note",
        "Intel SVML": "in use" if getattr(config, "USING_SVML", False) else "not in use",
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
