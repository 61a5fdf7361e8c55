"""exp, sigmoid, tanh and logarithms of lanes, for networks.

Bounds on relative errors, over every double: exp and sigmoid 4e-16 (2.7e-16 seen), tanh and logarithms 5e-16 (3.6e-16).
Of lanes of float32: 3e-7. The formulas are the same, with shorter polynomials.
"""

from typing import NamedTuple

from tinynet_fast.kernels.compiler.simd import (
    ROUND,
    as_bits,
    as_double,
    fma,
    is_single,
    mantissa,
    to_double,
    unrolled,
    where,
)


class Format(NamedTuple):
    """What depends on the type of the lanes."""

    round: float  # adding it rounds to the nearest whole number, kept in the low bits
    ln2_high: float  # log(2), in two parts; the first times a whole number is exact
    ln2_low: float
    digits: int  # bits
    bias: int  # of the exponent
    least: float  # exp of less is not a normal number
    top: float  # above, 2**k is infinite
    infinite: float  # exp of it is infinite, with t above 0


LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
DOUBLE = Format(ROUND, LN2_HIGH, LN2_LOW, 52, 1023, -708.0, 709.4, 709.9)
SINGLE = Format(12582912.0, 0.693359375, -2.121944400546905827679e-4, 23, 127, -87.0, 88.3, 88.9)
# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2 to 2e-17 of exp(r): two multiply-adds fewer than the Taylor series.
EXP = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662399,
    0.008333333333330051,
    0.0013888888917281794,
    0.00019841269863105968,
    2.480152119021773e-05,
    2.7557268378684192e-06,
    2.7620138719733994e-07,
    2.5100424157005067e-08,
)
# (log((1 + s) / (1 - s)) - 2 s) / s**3 in powers of s**2, for |s| <= 0.1716, to 5e-18 of the logarithm.
LOG = (
    0.666666666666667,
    0.3999999999989889,
    0.28571428626253836,
    0.22222211089379496,
    0.1818289243253687,
    0.15331611722055008,
    0.14617807153417325,
)
LN2 = 0.6931471805599453
SQRT2 = 1.4142135623730951


def format_of(x):
    return SINGLE if is_single(x) else DOUBLE


@unrolled
def power(x, less=0):
    """exp(x) as 2**k and t, so that it is 2**k * (1 + t), with t to the last bits; for -708 <= x <= 709.9.

    If `less` is 1, it is half of 2**k, which is finite up to 709.9. Of float32, x is from -87 to 88.9.
    """
    own = format_of(x)
    shifted = fma(x, LOG2_E, own.round)
    k = shifted - own.round
    r = fma(k, -own.ln2_low, fma(k, -own.ln2_high, x))
    r2 = r * r
    r4 = r2 * r2
    q03 = fma(r2, fma(r, EXP[3], EXP[2]), fma(r, EXP[1], EXP[0]))
    q47 = fma(r, EXP[5], EXP[4])
    if own is DOUBLE:
        q47 = fma(r4, fma(r, EXP[9], EXP[8]), fma(r2, fma(r, EXP[7], EXP[6]), q47))
    q = fma(r4, q47, q03)
    return as_double((as_bits(shifted) + (own.bias - less)) << own.digits), fma(r2, q, r)


@unrolled
def clamp(x, low, high):
    """`x` between two bounds; NaN stays NaN."""
    x = where(x < low, low, x)
    return where(x > high, high, x)


@unrolled
def exp(x):
    """exp(x) for x up to 0, as the softmax asks; below -708 it stays at 3e-308."""
    scale, t = power(clamp(x, format_of(x).least, 0.0))
    return fma(scale, t, scale)


@unrolled
def exp_of_any(x):
    """exp(x) for any x: infinity from 709.79 on, and 3e-308 from -708 on; NaN stays NaN."""
    half, t = power(clamp(x, format_of(x).least, format_of(x).infinite), 1)
    return 2.0 * fma(half, t, half)


@unrolled
def sigmoid(z):
    """1 / (1 + exp(-z)). Below -709.4, where exp(-z) is more than 2**1023, it is 0: by way of 709.9, where t is above 0
    and the power infinite; where t is below 0, infinity and minus infinity would add up to NaN."""
    own = format_of(z)
    x = where(-z < own.least, own.least, -z)
    scale, t = power(where(x > own.top, own.infinite, x))
    return 1.0 / (1.0 + fma(scale, t, scale))


@unrolled
def tanh(z):
    """The hyperbolic tangent, as e / (e + 2) of e = exp(2|z|) - 1, which keeps its digits near 0."""
    negative = z < 0.0
    x = where(negative, -z, z)
    scale, t = power(clamp(x + x, 0.0, 60.0))
    e = fma(scale, t, scale - 1.0)
    a = e / (e + 2.0)
    return where(negative, -a, a)


@unrolled
def log1p(f, k=0.0):
    """log(1 + f) + k log(2), for f from -0.29 to 1; 1 + f is halved if it is over the root of two."""
    large = f > SQRT2 - 1.0
    f = where(large, 0.5 * f - 0.5, f)
    s = f / (2.0 + f)
    s2 = s * s
    s4 = s2 * s2
    series = fma(s4, fma(s2, LOG[3], LOG[2]), fma(s2, LOG[1], LOG[0]))
    if not is_single(f):
        series = fma(s4 * s4, fma(s4, LOG[6], fma(s2, LOG[5], LOG[4])), series)
    return fma(where(large, 1.0, 0.0) + k, LN2, fma(s * s2, series, s + s))


@unrolled
def log1p_of_any(t):
    """log(1 + t) for any t that is not negative; NaN stays NaN."""
    x = 1.0 + t
    own = format_of(x)
    k = to_double(as_bits(x) >> own.digits) - float(own.bias)
    return log1p(where(k > 0.0, mantissa(x) - 1.0, t), k) + t * 0.0
