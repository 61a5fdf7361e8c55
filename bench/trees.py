"""Unpack other revisions of this package, and run each in its own process."""

import importlib.machinery
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment(folder, cache, native):
    """A worker's variables: one thread, `folder` first on the path, its cache, and the library ("1") or Numba ("0")."""
    own = {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    own["TINYNET_FAST_NATIVE"] = native
    return os.environ | dict.fromkeys(THREADS, "1") | own


def unpack(revision, folder):
    """Unpack the tree of a revision into a folder."""
    made = subprocess.run(["git", "-C", ROOT, "archive", revision], capture_output=True, check=False)
    if made.returncode:
        raise SystemExit(f"the revision cannot be unpacked: {made.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", folder], input=made.stdout, check=True)


def check_version(folder):
    """Import the package and end if it is not that of `folder`. An editable installation would come first."""
    sys.meta_path.insert(0, importlib.machinery.PathFinder)
    import tinynet_fast

    if not os.path.realpath(tinynet_fast.__file__).startswith(os.path.realpath(folder) + os.sep):
        raise SystemExit(f"{Path(sys.argv[0]).stem}: asked for {folder}, but {tinynet_fast.__file__} was imported")
