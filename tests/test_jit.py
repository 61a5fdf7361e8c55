"""The decorator that compiles kernels."""

import numba
import pytest

from tinynet_fast.kernels import jit


def test_kernels_go_on_uncached_where_there_is_nowhere_to_cache(monkeypatch):
    """Numba refuses to cache where no folder can be written to; the kernel is then compiled without."""
    asked = []

    def njit(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'double': no locator available for file 'x.py'")
        return numba.njit(**options)

    monkeypatch.setattr(jit, "njit", njit)
    double = jit.kernel(lambda x: x + x)
    assert double(2.0) == 4.0
    assert [options.get("cache", False) for options in asked] == [True, False]


def test_no_kernel_may_be_reordered_or_contracted():
    from tinynet_fast.kernels import strict

    if not hasattr(strict.sgd_epochs, "targetoptions"):
        pytest.skip("compiling is switched off")
    for name in ("sigmoid", "sgd_epochs", "network_epochs"):
        options = getattr(strict, name).targetoptions
        assert not options.get("fastmath")
        assert options["error_model"] == "numpy"
        assert options["nogil"]
