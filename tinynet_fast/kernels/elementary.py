"""exp, log, log1p, tanh, pow and a cosine that give the same bits on every machine: a page of plain Python.

They are what `portable` has in place of `math`. Each is made of additions, subtractions, multiplications, divisions and
comparisons alone, which IEEE 754 rounds in one way, and of exact steps: a number taken apart into its power of two and
its digits, and put together again. Nothing is fused, and nothing is looked up in a C library, whose exp has other last
bits from one version and CPU to the next. `portable.py` compiles these lines, for one number or for eight at a time.

Largest errors, in units of the last place, against mpmath (`tests/kernels/test_elementary.py` has the places):
exp 0.67, log 0.75, log1p 0.75, tanh 1.00. `pow` is exp(y log(x)): a relative error of 2e-16 times (1 + |y log(x)|).
exp is 0.0 below -708.3 and infinity above 709.7, a little before floats end.

The methods are known: exp by 2**(k/16) and a short polynomial (Tang, ACM Transactions on Mathematical Software 15,
1989), the logarithms by the series of (1 + s) / (1 - s) (Ng, in Sun's fdlibm, 1993). The coefficients are derived by
`bench/elementary.py`.
"""

import math
from math import inf, nan, sqrt  # a square root is IEEE's: rounded in one way everywhere

__all__ = ["cosine", "exp", "inf", "log", "log1p", "pow", "sqrt", "tanh"]

LOWEST, HIGHEST = -708.3, 709.7  # exp of less is 0.0 here, of more infinity
ROUND = 1.5 * 2.0**52  # added to a number and taken away again, it rounds it to a whole one
PER_STEP = 23.083120654223414  # sixteenths: 16 / log(2)
STEP_HIGH, STEP_LOW = 0.04332169878489367, 1.0291218489310676e-13  # log(2) / 16: k times the first is exact
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # log(2)
SQRT2 = 1.4142135623730951
LEAST_NORMAL = 2.0**-1022
NEAR = 0.78  # from here on tanh goes by exp
# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 32
EXP = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666359425,
    0.008333333332991954,
    0.001388906347556763,
    0.00019841463826261545,
)
# (log((1 + s) / (1 - s)) - 2 s) / s**3 in powers of s**2, for |s| <= 0.1716
LOG = (
    0.666666666666667,
    0.39999999999899444,
    0.2857142862600327,
    0.22222211130259878,
    0.18182889455674947,
    0.15331710618210773,
    0.14616585424888623,
)
# (tanh(z) - z) / z**3 in powers of z**2, for |z| <= NEAR
TANH = (
    -0.3333333333333333,
    0.13333333333333233,
    -0.05396825396814744,
    0.02186948853164684,
    -0.008863235430053726,
    0.0035921267073283163,
    -0.001455822872752231,
    0.0005899593431210741,
    -0.00023884610590656658,
    9.607638372418999e-05,
    -3.749731078716431e-05,
    1.3228680939403972e-05,
    -3.603198209994345e-06,
    5.35661962609417e-07,
)
# sin(pi v) / v in powers of v**2, for |v| <= 1/2
SINE = (
    3.141592653589793,
    -5.16771278004997,
    2.5501640398773455,
    -0.5992645293207869,
    0.08214588661099348,
    -0.0073704309437011345,
    0.0004663027874520436,
    -2.1915250271120183e-05,
    7.948538340889797e-07,
    -2.228364661738937e-08,
)


# --- the exact steps; lanes have their own ----------------------------------------------------------------------------


def _powers():
    """2.0**k for every k that a normal float has, by doubling and halving."""
    powers = {0.0: 1.0}
    for k in range(1, 1024):
        powers[float(k)] = powers[k - 1.0] * 2.0
        powers[float(-k)] = powers[1.0 - k] * 0.5
    return powers


def _sixteenths():
    """(2**(i/16) as a float, and what it lacks of it, relative) for i from 0 to 15, by whole numbers' square roots."""
    unit = 1 << 200
    root = unit * 2
    for _ in range(4):
        root = math.isqrt(root * unit)  # in the end 2**(1/16)
    exact, found = unit, []
    for _ in range(16):
        nearest = exact / unit
        numerator, denominator = nearest.as_integer_ratio()
        found.append((nearest, (exact * denominator - numerator * unit) / (numerator * unit)))
        exact = exact * root // unit
    return found


POWERS, SIXTEENTHS = _powers(), _sixteenths()


def where(condition, x, y):
    return x if condition else y


def power_of_sixteenths(shifted):
    """2**(k/16) for the whole number k = `shifted` - ROUND, and what the float lacks of it, relative to it."""
    k = shifted - ROUND
    if not -16352.0 <= k < 16384.0:
        return 1.0, 0.0  # whatever it is: exp takes another answer
    whole, i = divmod(int(k), 16)
    power, rest = SIXTEENTHS[i]
    return power * POWERS[float(whole)], rest


def taken_apart(x):
    """(m, k) with x = m * 2**k, and m from the root of 1/2 to the root of 2; for normal x above 0."""
    m, k = math.frexp(x)
    return (m, float(k)) if 2.0 * m > SQRT2 else (2.0 * m, k - 1.0)


# --- the functions ----------------------------------------------------------------------------------------------------


def exp(x):
    """x = k log(2) / 16 + r; then exp(x) = 2**(k/16) * (1 + p), with p a polynomial in r."""
    shifted = x * PER_STEP + ROUND
    k = shifted - ROUND
    r = (x - k * STEP_HIGH) - k * STEP_LOW
    power, rest = power_of_sixteenths(shifted)
    r2 = r * r
    low, high = EXP[0] + r * EXP[1], (EXP[2] + r * EXP[3]) + r2 * (EXP[4] + r * EXP[5])
    p = ((r + rest) + r2 * low) + (r2 * r2) * high
    y = where(x > HIGHEST, inf, power + power * p)
    return where(x < LOWEST, 0.0, y)


def log_of_one_and(f, rest, k):
    """log(1 + f + rest) + k log(2), for f from about -0.29 to 0.41 and a tiny rest."""
    s = f / (2.0 + f)
    s2 = s * s
    s4 = s2 * s2
    series = (LOG[0] + s2 * LOG[1]) + s4 * ((LOG[2] + s2 * LOG[3]) + s4 * ((LOG[4] + s2 * LOG[5]) + s4 * LOG[6]))
    half = 0.5 * f * f
    return k * LN2_HIGH - ((half - (s * (half + s2 * series) + (k * LN2_LOW + rest))) - f)


def log(x):
    """The natural logarithm: minus infinity for 0.0, NaN below."""
    small = x < LEAST_NORMAL
    m, k = taken_apart(where(x > 0.0, where(small, x * 2.0**54, x), 1.0))
    y = log_of_one_and(m - 1.0, 0.0, k - where(small, 54.0, 0.0))
    return where(x > 0.0, where(x < inf, y, inf), where(x < 0.0, nan, where(x > -1.0, -inf, x)))


def log1p(x):
    """log(1 + x) for x above -1; what 1 + x loses by rounding is added again."""
    inside = where(x > -1.0, where(x < inf, x, 0.0), 0.0)
    u = 1.0 + inside
    m, k = taken_apart(u)
    lost = where(inside < 1.0, inside - (u - 1.0), 1.0 - (u - inside))
    near = k * k < 0.5  # k is 0
    y = log_of_one_and(where(near, inside, m - 1.0), where(near, 0.0, lost / where(near, 1.0, u)), k)
    return where(x < inf, where(x > -1.0, y, where(x < -1.0, nan, -inf)), x)


def tanh(z):
    """A polynomial near 0, else 1 - 2 / (exp(2 |z|) + 1) with the sign of z."""
    a = where(z < 0.0, -z, z)
    w = a * a
    w2 = w * w
    w4 = w2 * w2
    first = (TANH[1] + w * TANH[2]) + w2 * (TANH[3] + w * TANH[4])
    second = (TANH[5] + w * TANH[6]) + w2 * (TANH[7] + w * TANH[8])
    third = (TANH[9] + w * TANH[10]) + w2 * (TANH[11] + w * TANH[12])
    rest = (first + w4 * second) + (w4 * w4) * (third + w4 * TANH[13])
    near = z + z * (w * (TANH[0] + w * rest))  # the first term is added last: summed with the others it loses a bit
    far = 1.0 - 2.0 / (exp(a + a) + 1.0)
    return where(a < NEAR, near, where(z < 0.0, -far, far))


def pow(x, y):
    """x**y for x of at least 0 and y of at least 0."""
    found = exp(y * log(where(x > 0.0, x, 1.0)))
    found = where(x > 0.0, found, 0.0)
    return where(y > 0.0, found, 1.0)


def cosine(share):
    """cos(pi * share) for a share from 0 to 1, to 2e-16 of the largest: sin(pi v) of v = 1/2 - share."""
    v = 0.5 - share
    v2 = v * v
    total = SINE[-1]
    for coefficient in SINE[-2::-1]:
        total = total * v2 + coefficient
    return total * v
