"""Object files that are kept between builds, so that only what changed is compiled again.

They lie in TINYNET_FAST_OBJECTS, or else in the user's cache folder; with TINYNET_FAST_OBJECTS=0 nothing is kept. A
file's name is a hash of all that its bytes depend on, and its first bytes are a hash of the others.
"""

import ast
import hashlib
import os
import sys
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

KERNELS = Path(__file__).resolve().parent.parent / "tinynet_fast" / "kernels"
WITHOUT_CODE = {"signatures.py", "warmup.py", "cache.py", "interrupts.py"}  # of the compiler's files
DAYS, BYTES = 30, 200_000_000  # unused files are removed after so long; and the oldest, above so much
DIGEST = 32


def folder():
    """Where objects are kept, or None."""
    asked = os.environ.get("TINYNET_FAST_OBJECTS", "")
    if asked:
        return None if asked == "0" else Path(asked)
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        caches = os.path.expanduser("~/Library/Caches")
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(caches) / "tinynet_fast" / "objects" if caches and not caches.startswith("~") else None


@cache
def tree(path):
    return ast.parse(path.read_bytes())


@cache
def sense(path):
    """A hash of what a Python file says. Comments and line breaks do not count."""
    return hashlib.sha256(ast.dump(tree(path)).encode()).digest()


@cache
def imported(path):
    """The files of `kernels/` that a file of it imports, and those that they import."""
    found, ahead = {path}, [path]
    while ahead:
        for node in ast.walk(tree(ahead.pop())):
            names = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinynet_fast.kernels"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                place = KERNELS.joinpath(*name.split(".")[2:])
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file.exists() and file not in found and "compiler" not in file.parts:
                        found.add(file)
                        ahead.append(file)
    return sorted(found)


@cache
def sources_of(module):
    """A hash of all sources on which the code of a module of kernels depends, and of what compiles them."""
    files = imported(KERNELS / (module.replace(".", "/") + ".py"))
    files += sorted(p for p in (KERNELS / "compiler").glob("*.py") if p.name not in WITHOUT_CODE)
    files += [Path(__file__).parent / name for name in ("compile.py", "record.py", "entry.py", "platforms.py")]
    found = hashlib.sha256(repr([version(name) for name in ("numba", "llvmlite", "numpy")]).encode())
    found.update(repr(sys.version_info[:2]).encode())
    for path in files:
        found.update(path.name.encode() + sense(path))
    return found.hexdigest()


def key(kernels, level, triple):
    """The name under which an object file is kept. `kernels` has its kernels' signatures."""
    told = level, triple, *((sources_of(name.rpartition(".")[0]), name, *kernels[name]) for name in sorted(kernels))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def get(name):
    """The object file that is kept under a name, or None if there is none that is sound."""
    place = folder()
    if place is None:
        return None
    try:
        data = (place / name).read_bytes()
        os.utime(place / name)
    except OSError:
        return None
    return data[DIGEST:] if hashlib.sha256(data[DIGEST:]).digest() == data[:DIGEST] else None


def put(name, data):
    """Keep an object file. If that is not possible, it is compiled again next time."""
    place = folder()
    if place is None:
        return
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        part = place / f"{name}.{os.getpid()}"
        part.write_bytes(hashlib.sha256(data).digest() + data)
        part.replace(place / name)


def tidy():
    """Remove what was not used for long, and the oldest if there is too much."""
    place = folder()
    if place is None or not place.is_dir():
        return
    total = 0
    for _, size, path in sorted(
        ((s.st_mtime, s.st_size, p) for p in place.iterdir() for s in [p.stat()]), reverse=True
    ):
        total += size
        if total > BYTES or time.time() - path.stat().st_mtime > DAYS * 86400:
            with suppress(OSError):
                path.unlink()
