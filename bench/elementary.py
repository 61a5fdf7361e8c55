"""Derive the coefficients of `tinynet_fast/kernels/elementary.py`: `python bench/elementary.py`. Needs mpmath.

Each polynomial is the interpolation of its function in Chebyshev's nodes, worked out with 60 digits; at these few terms
it is as good as the best one to a tenth of its error.
"""

import mpmath as mp

mp.mp.dps = 60


def interpolation(function, low, high, degree):
    """The coefficients, constant term first, of the polynomial through Chebyshev's nodes of an interval."""
    n = degree + 1
    nodes = [(high + low) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    newton = [function(x) for x in nodes]
    for k in range(1, n):
        for i in range(n - 1, k - 1, -1):
            newton[i] = (newton[i] - newton[i - 1]) / (nodes[i] - nodes[i - k])
    terms = [mp.mpf(0)]
    for x, c in zip(reversed(nodes), reversed(newton), strict=True):
        terms = [a - x * b for a, b in zip([mp.mpf(0), *terms], [*terms, mp.mpf(0)], strict=True)]
        terms[0] += c
    return tuple(float(c) for c in terms[:n])


def short_of(function, at_zero):
    """`function`, with its value at 0, where it would divide by 0."""
    return lambda x: function(x) if abs(x) > mp.mpf(10) ** -15 else at_zero


def coefficients():
    """EXP, LOG, TANH and SINE, by these names."""
    room = mp.mpf("1.0001")  # a little more than the interval
    step, most = mp.log(2) / 32 * room, ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * room
    near = mp.mpf("0.78") ** 2 * room
    exp = short_of(lambda r: (mp.expm1(r) - r) / r**2, mp.mpf(1) / 2)
    log = short_of(lambda s2: 2 * (mp.atanh(mp.sqrt(s2)) - mp.sqrt(s2)) / mp.sqrt(s2) ** 3, mp.mpf(2) / 3)
    tanh = short_of(lambda w: (mp.tanh(mp.sqrt(w)) - mp.sqrt(w)) / mp.sqrt(w) ** 3, -mp.mpf(1) / 3)
    sine = short_of(lambda v2: mp.sin(mp.pi * mp.sqrt(v2)) / mp.sqrt(v2), mp.pi)
    return {
        "EXP": interpolation(exp, -step, step, 5),
        "LOG": interpolation(log, mp.mpf(0), most, 6),
        "TANH": interpolation(tanh, mp.mpf(0), near, 13),
        "SINE": interpolation(sine, mp.mpf(0), mp.mpf("0.25") * room, 9),
    }


if __name__ == "__main__":
    for name, values in coefficients().items():
        print(f"{name} = (")
        for value in values:
            print(f"    {value!r},")
        print(")")
    print(f"PER_STEP = {float(16 / mp.log(2))!r}")
    step = mp.log(2) / 16
    high = float(mp.floor(step * 2**42) / 2**42)
    print(f"STEP_HIGH, STEP_LOW = {high!r}, {float(step - high)!r}")
