"""The functions of eight numbers that network kernels are made of, against NumPy in long doubles."""

import math

import numpy as np
import pytest

from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.fast import functions

pytestmark = pytest.mark.any_cpu


def applied(function, xs):
    """A function of lanes at each of many numbers, compiled as the kernels compile it."""

    def run(values, results):
        for at in range(0, len(values), 8):
            simd.store(results, at, function(simd.load(values, at)))

    if not UNCOMPILED:
        run = pytest.importorskip("numba", reason="Numba compiles what is called here").njit(run)
    xs = np.concatenate([xs, np.zeros(-len(xs) % 8)])
    results = np.empty_like(xs)
    run(xs, results)
    return results


def numbers(largest):
    """Of every size and sign, and the ends."""
    rng = np.random.default_rng(6)
    n = 2_000 if UNCOMPILED else 200_000
    sizes = 10.0 ** rng.uniform(-320, np.log10(largest), n) * rng.choice([-1.0, 1.0], n)
    usual = np.concatenate([rng.uniform(-1, 1, n), rng.uniform(-40, 40, n), rng.uniform(-largest, largest, n)])
    return np.concatenate([usual, sizes, [0.0, -0.0, 5e-324, -5e-324, largest, -largest]])


def relative(comp, ref):
    """The largest relative error; 1e-320 is forgiven, where doubles have few digits left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(np.maximum(np.abs(comp - ref) - 1e-320, 0.0) / np.abs(ref)))


def test_sigmoid_is_close():
    xs = numbers(708.0)
    exact = 1.0 / (1.0 + np.exp(-xs.astype(np.longdouble)))
    assert relative(applied(functions.sigmoid, xs)[: len(xs)], exact) <= 4e-16


def test_tanh_is_close():
    xs = numbers(708.0)
    assert relative(applied(functions.tanh, xs)[: len(xs)], np.tanh(xs.astype(np.longdouble))) <= 5e-16


def test_exp_is_close():
    xs = -np.abs(numbers(708.0))
    assert relative(applied(functions.exp, xs)[: len(xs)], np.exp(xs.astype(np.longdouble))) <= 4e-16


def test_exp_of_any_is_close():
    xs = np.clip(numbers(709.7), -708.0, 709.7)
    assert relative(applied(functions.exp_of_any, xs)[: len(xs)], np.exp(xs.astype(np.longdouble))) <= 4e-16
    far = np.array([709.79, 1e4, np.inf, -np.inf, -1e4, np.nan, 0.0, 709.78])
    comp = applied(functions.exp_of_any, far)
    assert comp[:3].tolist() == [np.inf] * 3
    assert (comp[3:5] < 1e-300).all()
    assert np.isnan(comp[5])
    assert comp[6] == 1.0
    assert comp[7] == pytest.approx(math.exp(709.78), rel=1e-15)


def test_logarithms_are_close():
    xs = np.minimum(np.abs(numbers(1.0)), 1.0)
    assert relative(applied(functions.log1p, xs)[: len(xs)], np.log1p(xs.astype(np.longdouble))) <= 5e-16
    xs = np.abs(numbers(1e30))
    assert relative(applied(functions.log1p_of_any, xs)[: len(xs)], np.log1p(xs.astype(np.longdouble))) <= 5e-16


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [(functions.sigmoid, 0.0, 1.0), (functions.tanh, -1.0, 1.0)],
    ids=["sigmoid", "tanh"],
)
def test_functions_saturate_and_pass_nan_on(function, low, high):
    edge = np.linspace(-760.0, -680.0, 1600)  # where exp overflows
    np.testing.assert_allclose(applied(function, edge), low, rtol=0.0, atol=1e-290)
    np.testing.assert_array_equal(applied(function, -edge), high)
    far = np.array([-np.inf, -1e308, -1e4, np.inf, 1e308, 1e4, np.nan, 0.0])
    comp = applied(function, far)
    np.testing.assert_array_equal(comp[:6], [low] * 3 + [high] * 3)
    assert np.isnan(comp[6])
    assert comp[7] == (low + high) / 2
