"""The elementary functions of `portable`: against mpmath, and compiled against plain Python."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinynet_fast.kernels import elementary, portable, sigmoid_table
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, Compiled, has_numba, kernel

pytestmark = pytest.mark.any_cpu
FUNCTIONS = {  # the largest error allowed, in units of the last place, and where to look: centre and reach of exponents
    "exp": (0.7, [(-708.0, 709.0), (-2.0, 2.0)]),
    "log": (0.8, [(1e-300, 1e300), (0.3, 3.0)]),
    "log1p": (0.8, [(-0.9, 2.0), (0.0, 1e-3)]),
    "tanh": (1.0, [(-3.0, 3.0), (0.5, 0.78), (0.77, 0.8), (0.8, 1.0), (-1e-3, 1e-3)]),
    "sigmoid": (0.66, [(-16.0, 16.0), (-3.0, 3.0), (-0.0625, 0.0625)]),  # of the table
}
ENDS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    5e-324,
    -5e-324,
    1e308,
    -1e308,
    709.6,
    -708.2,
    710.0,
    -745.0,
    math.inf,
    -math.inf,
    math.nan,
]
ENDS += [2.0, 0.5, elementary.NEAR, math.nextafter(elementary.NEAR, 0.0), 1e16, 1e-16]
ENDS += [sign * z for sign in (-1.0, 1.0) for z in (0.0625, 15.9375, 16.0, math.nextafter(16.0, 17.0), 40.0)]


def plain(name):
    """The function in plain Python."""
    return getattr(sigmoid_table if name == "sigmoid" else elementary, name)


def exact(name, x):
    """mpmath's value, from 50 digits on."""
    mp = pytest.importorskip("mpmath", reason="mpmath has the exact values")
    return 1 / (1 + mp.exp(-mp.mpf(x))) if name == "sigmoid" else getattr(mp, name)(mp.mpf(x))


def numbers(ranges, n):
    """Numbers of each range, evenly, and by their logarithms if it is of many sizes."""
    rng = np.random.default_rng(3)
    parts = []
    for low, high in ranges:
        wide = low > 0.0 and high / low > 1e9
        parts.append(np.exp(rng.uniform(np.log(low), np.log(high), n)) if wide else rng.uniform(low, high, n))
    return np.concatenate(parts)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_small(name):
    mp = pytest.importorskip("mpmath", reason="mpmath has the exact values")
    most, ranges = FUNCTIONS[name]
    comp = plain(name)
    with mp.workdps(50):
        for x in numbers(ranges, 3000).tolist():
            ref = exact(name, x)
            assert abs(mp.mpf(comp(x)) - ref) <= most * math.ulp(float(ref)), x


def test_a_node_of_the_sigmoid_holds_twice_the_digits():
    """The error of the sum in between is then that of the last rounding, wherever the node is."""
    mp = pytest.importorskip("mpmath", reason="mpmath has the exact values")
    table, stride = sigmoid_table.TABLE, sigmoid_table.STRIDE
    assert len(table) == 257 * stride
    with mp.workdps(50):
        for k in range(257):
            lacks, value = table[k * stride : k * stride + 2]
            ref = exact("sigmoid", (k - 128) / 8)
            assert abs(mp.mpf(value) + mp.mpf(lacks) - ref) < 1e-17 * ref
            assert abs(lacks) <= math.ulp(value) / 2


@pytest.mark.parametrize("power", range(9))
def test_a_last_bit_of_the_sigmoids_table_shows(power, monkeypatch):
    """Each coefficient is used: with a millionth more of it, a number between two nodes is off."""
    k, z = sigmoid_table.place(1.1 + sigmoid_table.TO_NODE), 1.0626
    before, changed = sigmoid_table.sigmoid(z), list(sigmoid_table.TABLE)
    changed[k + 1 + power] *= 1.0 + 1e-6 * 16.0**power
    monkeypatch.setattr(sigmoid_table, "TABLE", changed)
    assert sigmoid_table.sigmoid(z) != before


def test_the_place_of_a_node_is_found_from_bits():
    for z in (-16.0, -15.93, -0.0625, 0.0, 0.07, 3.3, 16.0):
        shifted = np.float64(z + sigmoid_table.TO_NODE)
        assert portable.place(shifted) == sigmoid_table.place(float(shifted)) == round(8.0 * z + 128.0) * 10


def test_the_sigmoid_goes_on_beyond_its_table():
    for end in (-16.0, 16.0):
        inside, outside = (sigmoid_table.sigmoid(math.nextafter(end, to)) for to in (0.0, 2.0 * end))
        assert inside == pytest.approx(outside, rel=1e-14)


def test_powers_and_the_cosine_are_close():
    for x, y in [(0.25, 1.7), (1e-300, 0.5), (0.999, 1000.0), (123456.0, 0.3), (1.0, 50.0)]:
        assert elementary.pow(x, y) == pytest.approx(x**y, rel=2.3e-16 * (1.0 + abs(y * math.log(x))), abs=0.0)
    assert [elementary.pow(0.0, 2.0), elementary.pow(0.0, 0.0), elementary.pow(2.0, 0.0)] == [0.0, 1.0, 1.0]
    for share in np.linspace(0.0, 1.0, 101).tolist():
        assert elementary.cosine(share) == pytest.approx(math.cos(math.pi * share), abs=4e-16)


def test_the_ends():
    e, inf = elementary, math.inf
    assert [e.exp(0.0), e.exp(-709.0), e.exp(709.8), e.exp(-inf), e.exp(inf)] == [1.0, 0.0, inf, 0.0, inf]
    assert [e.log(1.0), e.log(0.0), e.log(inf)] == [0.0, -inf, inf]
    assert e.log(5e-324) == pytest.approx(math.log(5e-324), rel=2e-16)
    assert [e.log1p(0.0), e.log1p(-1.0), e.log1p(inf)] == [0.0, -inf, inf]
    assert [e.tanh(0.0), e.tanh(40.0), e.tanh(-inf)] == [0.0, 1.0, -1.0]
    assert [sigmoid_table.sigmoid(z) for z in (0.0, 800.0, inf, -800.0, -inf)] == [0.5, 1.0, 1.0, 0.0, 0.0]
    assert all(math.isnan(plain(name)(math.nan)) for name in FUNCTIONS)
    assert math.isnan(e.log(-1.0))
    assert math.isnan(e.log1p(-2.0))


def test_coefficients_are_the_derived_ones():
    pytest.importorskip("mpmath", reason="the script derives them with mpmath")
    script = Path(__file__).parents[2] / "bench" / "elementary.py"
    found = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    known: dict = {}
    exec(found, known)
    names = re.findall(r"^([A-Z_]+(?:, [A-Z_]+)*) = ", found, re.MULTILINE)
    for name in ", ".join(names).split(", "):
        assert known[name] == getattr(elementary, name), name


def assert_bits_of_plain_python(name, run):
    """`run(values, out)` fills `out` with what plain Python gives, NaN where that is NaN."""
    xs = np.concatenate([numbers(FUNCTIONS[name][1], 100 if UNCOMPILED else 2000), ENDS])
    xs = np.abs(xs) if name == "log" else xs
    xs = np.concatenate([xs, np.zeros(-len(xs) % 8)])
    if not UNCOMPILED:
        run = pytest.importorskip("numba", reason="Numba compiles what is called here").njit(error_model="numpy")(run)
    comp = np.empty_like(xs)
    with np.errstate(all="ignore"):
        run(xs, comp)
    ref = np.array([plain(name)(x) for x in xs.tolist()])
    np.testing.assert_array_equal(comp.view(np.int64)[~np.isnan(ref)], ref.view(np.int64)[~np.isnan(ref)])
    assert np.isnan(comp[np.isnan(ref)]).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_compiled_function_has_the_bits_of_plain_python(name):
    one = portable.kernel_sigmoid if name == "sigmoid" else getattr(portable.math, name)

    def run(values, out):
        for i in range(len(values)):
            out[i] = one(values[i])

    assert_bits_of_plain_python(name, run)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "sigmoid"])
def test_eight_at_a_time_have_the_bits_of_plain_python(name):
    eight = getattr(portable.of_lanes, name)

    def run(values, out):
        for i in range(0, len(values), 8):
            simd.store(out, i, eight(simd.load(values, i)))

    assert_bits_of_plain_python(name, run)


@pytest.mark.skipif(not has_numba(), reason="Numba is not installed")
@pytest.mark.parametrize("d", [1, 3, 8, 15, 16, 32, 40, 67])
def test_the_sum_of_a_neuron_has_one_order(d):
    rng = np.random.default_rng(d)
    x, weights, bias = rng.normal(size=d), rng.normal(size=d), rng.normal(size=1)
    ref = portable.plain_logit(x.tolist(), weights.tolist(), bias.tolist())
    assert portable.logit(x, weights, bias) == ref
    assert ref == pytest.approx(float(x @ weights + bias[0]), rel=1e-12, abs=1e-13)


@pytest.mark.skipif(UNCOMPILED, reason="compiling is switched off")
def test_no_product_is_fused_with_a_sum():
    """Nor is any function called that a C library could have."""
    pytest.importorskip("numba", reason="Numba compiles what is looked at here")
    X, y, one = np.ones((9, 40)), np.ones(9), np.ones(9)
    epochs, powers = (uncached(each) for each in (portable.sgd_epochs, portable.powers))
    epochs(X, y, one, np.zeros(40), np.zeros(1), np.zeros(1))
    powers(y, y, one)
    for compiled in (epochs, powers):
        for code in compiled.inspect_asm().values():
            assert not re.search(r"\bv?fn?m(add|sub)", code)
            assert not re.search(r"\b(call|jmp)\w*\s+\W*(exp|log|log1p|tanh|pow|fma)\b", code)
    fused = uncached(kernel(lambda x: simd.fma(x[0], x[1], x[2])))  # what is looked for is found where it is
    fused(np.ones(3))
    if "+fma" in simd_features():
        assert re.search(r"\bv?fn?m(add|sub)", "".join(fused.inspect_asm().values()))


def uncached(compiled):
    """The kernel, compiled now: Numba shows no machine code that comes from its cache."""
    return Compiled(compiled.py_func, **(compiled._options | {"cache": False}))


def simd_features():
    from numba.core.registry import cpu_target

    return cpu_target.target_context.codegen().magic_tuple()[2]
