"""Numba's cache of kernels: what is out of date or damaged is compiled again."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from planted import Mistake, plant

numba = pytest.importorskip("numba", reason="Numba compiles the kernels that it caches")

import tinynet_fast  # noqa: E402
from tinynet_fast.kernels.compiler import cache, jit, warmup  # noqa: E402

pytestmark = pytest.mark.skipif(jit.UNCOMPILED, reason="compiling is switched off")

TRAIN = """
import importlib.machinery, sys
sys.meta_path.insert(0, importlib.machinery.PathFinder)  # an editable installation would come first
import numpy as np
import tinynet_fast
assert tinynet_fast.__file__.startswith(sys.argv[1]), tinynet_fast.__file__
from tinynet_fast.kernels.fast import neuron
weights, rows = np.zeros(1), (np.array([[1.0], [2.0], [3.0]]), np.array([0.0, 1.0, 1.0]), np.full(3, 0.1))
neuron.sgd_epochs(*rows, weights, np.zeros(1), np.zeros(2))
dispatchers = [function for function, _ in neuron.narrow_epochs._by_signature.values()]
print(weights[0], sum(sum(function.stats.cache_hits.values()) for function in dispatchers))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package without compiled kernels."""
    ignored = shutil.ignore_patterns("__pycache__", "libtinynet_fast*")
    shutil.copytree(Path(tinynet_fast.__file__).parent, tmp_path / "tinynet_fast", ignore=ignored)
    return tmp_path / "tinynet_fast"


def trained(package, **environment):
    """The weight that a new process comes to, and how many kernels it found in the cache."""
    own = os.environ | {"PYTHONPATH": str(package.parent), "TINYNET_FAST_NATIVE": "0"} | environment
    command = [sys.executable, "-c", TRAIN, str(package.parent)]
    done = subprocess.run(command, env=own, cwd=package.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    weight, hits = done.stdout.split()
    return float(weight), int(hits)


@pytest.mark.parametrize("place", ["beside the kernels", "NUMBA_CACHE_DIR", "the user's folder"])
def test_a_kernel_is_compiled_again_when_a_part_in_another_file_changes(package, tmp_path, place):
    """`neuron.narrow_epochs`, which compiles in half a second, has `row_error.row_error` inside."""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache") if place == "NUMBA_CACHE_DIR" else ""}
    if place == "the user's folder":
        (package / "kernels" / "__pycache__").touch()  # no folder: as if it could not be written to
        environment |= {name: str(tmp_path / "home") for name in ("HOME", "XDG_CACHE_HOME")}
    weight, hits = trained(package, **environment)
    assert hits == 0
    assert trained(package, **environment) == (weight, 1)
    part = package / "kernels" / "fast" / "row_error.py"
    before, code = part.stat(), part.read_text()
    double = Mistake("twice the error", "fma(t2 * t2, high, low)", "2 * fma(t2 * t2, high, low)", "row_error")
    part.write_text(ast.unparse(plant(code, double)))
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))  # by its date it has not changed
    changed, hits = trained(package, **environment)
    assert (changed != weight, hits) == (True, 0)
    assert trained(package, **environment) == (changed, 1)


@pytest.fixture
def double(tmp_path, monkeypatch):
    """Makes `x + x` as a kernel that knows nothing of the one made before; its cache files are in `tmp_path`."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "double.py").write_text("def double(x):\n    return x + x\n")

    def make():
        spec = importlib.util.spec_from_file_location("double", tmp_path / "double.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "double", module)
        spec.loader.exec_module(module)
        return jit.Compiled(module.double, cache=True)

    return make


def run(kernel, signature="d0", x=21.0):
    """The kernel's result, and whether its machine code was in the cache."""
    assert kernel.compiled(signature)(x) == 2 * x
    return bool(kernel.compiled(signature).stats.cache_hits)


def files(tmp_path):
    return sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_compiled_anew(double, tmp_path, share):
    assert not run(double())
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert not run(double())
    assert run(double())


def test_a_damaged_file_is_compiled_anew(double, tmp_path):
    """Wherever a bit has changed, the machine code itself included, of which unpickling notices nothing."""
    assert not run(double())
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 12).astype(int):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        file.write_bytes(bytes(damaged))
        assert not run(double())


def test_a_missing_file_is_compiled_anew(double, tmp_path):
    assert not run(double())
    files(tmp_path)[0].unlink()
    assert not run(double())
    assert run(double())


def test_a_file_of_another_signature_is_not_run(double, tmp_path):
    assert not run(double())
    assert not run(double(), "l0", 4)
    one, other = files(tmp_path)
    shutil.copy(one, other)
    hits = [run(double()), run(double(), "l0", 4)]
    assert sorted(hits) == [False, True]


def test_kernels_run_where_they_cannot_be_kept(double, monkeypatch):
    """The disk is full: trainers go on, and `warmup` says so."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.Files, "_save_data", full)
    kernel = double()
    assert not run(kernel)
    with pytest.raises(OSError, match="No space left"):
        raise kernel.compiled("d0")._cache.refused
    monkeypatch.setattr(warmup, "import_module", lambda _: type("module", (), {"double": double()}))
    with pytest.raises(OSError, match="No space left"):
        list(warmup.compile_all([("double.double", "d0")]))
