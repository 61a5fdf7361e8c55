"""The decorator that compiles kernels."""

import os
import subprocess
import sys

import pytest

from tinynet_fast.kernels.compiler import jit

numba = pytest.importorskip("numba", reason="Numba compiles these kernels")


@pytest.mark.skipif(jit.UNCOMPILED, reason="compiling is switched off")
def test_kernels_go_on_uncached_where_there_is_nowhere_to_cache(monkeypatch):
    """Numba refuses to cache where no folder can be written to; the kernel is then compiled without."""
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "", raising=False)
    double = jit.Compiled(lambda x: x + x, cache=True)
    assert double(2.0) == 4.0
    assert double.dispatcher._cache.cache_path is None


FRESH = """
import hashlib, numpy as np
from tinynet_fast import sweep, train_mlp, train_neuron
rng = np.random.default_rng(0)
seen = hashlib.md5()
for d in (2, 9):
    X = rng.standard_normal((700, d))
    y = (X[:, 0] > rng.standard_normal(700)).astype(int)
    for options in ({}, {"l2": 1e-3, "average": True}):
        model = train_neuron(X, y, learning_rate=0.01, epochs=2, **options).model
        seen.update(model.weights.tobytes() + model.predict_proba(np.repeat(X, 200, axis=0)).tobytes())
    seen.update(sweep(X, y, learning_rate=[0.01, 0.02], l2=[0, 0.1]).weights.tobytes())
    network = train_mlp(X, y, hidden=(5, 3), epochs=2, batch_size=32, seed=0).model
    seen.update(b"".join(w.tobytes() for w in network.weights))
print(seen.hexdigest())
"""


def test_the_first_run_has_the_bits_of_the_second(tmp_path):
    """A process that compiles the kernels, and one that finds them in the cache."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    if environment.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("compiling is switched off")
    run = [
        subprocess.run([sys.executable, "-c", FRESH], env=environment, check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert run[0].stdout == run[1].stdout


def test_a_kernel_has_what_numbas_functions_have():
    from tinynet_fast.kernels import strict

    if jit.UNCOMPILED:
        pytest.skip("compiling is switched off")
    strict.truncate.dispatcher(1.0, 0.5, 0.0)
    assert strict.truncate.signatures
    assert strict.truncate.nopython_signatures
    assert strict.truncate.py_func(1.0, 0.25, 0.0) == 0.75
    with pytest.raises(AttributeError):
        _ = strict.truncate.no_such_thing
    assert not hasattr(strict.truncate, "_no_such_thing")

    @numba.njit
    def mine(x):
        return strict.truncate(x, 0.25, 0.0)

    assert mine(1.0) == 0.75


def test_no_kernel_may_be_reordered_or_contracted():
    from tinynet_fast.kernels import strict

    if not hasattr(strict.sgd_epochs, "targetoptions"):
        pytest.skip("compiling is switched off")
    for name in ("sigmoid", "sgd_epochs", "network_epochs"):
        options = getattr(strict, name).targetoptions
        assert not options.get("fastmath")
        assert options["error_model"] == "numpy"
        assert options["nogil"]


@pytest.mark.skipif(jit.UNCOMPILED or not jit.has_numba(), reason="nothing is compiled here")
def test_a_writeable_array_is_known_to_do_for_a_read_only_one():
    """Numba would find it out at the first call; two threads that do so at the same moment can fail."""
    program = (
        "import numpy as np\n"
        "from tinynet_fast.kernels.fast import row_lengths\n"
        "kernel = row_lengths.largest_square_norm._compiled_now('f2 d1 dw1 t3')\n"
        "type(kernel)._search_new_conversions = lambda *_, **__: False\n"
        "out = np.zeros(1)\n"
        "kernel(np.full((2, 3), 2.0, np.float32), np.ones(1), out, (0, 0, 0))\n"
        "print(out[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("13.0\n", "")
