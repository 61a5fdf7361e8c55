"""scikit-learn's losses of a row, and their derivatives, to the bits of its SGD. `exact.py` trains with them."""

import math

from tinynet_fast.kernels.compiler.jit import part

# `shape` is the threshold of HINGE (0 for a perceptron) and SQUARED_HINGE, and the epsilon of the last three.
LOG_LOSS, HINGE, SQUARED_HINGE, MODIFIED_HUBER, SQUARED_ERROR, HUBER, INSENSITIVE, SQUARED_INSENSITIVE = range(8)


@part(forceinline=True)
def log1p_exp(p):
    """log(1 + exp(p)) in scikit-learn's five pieces (Maechler, Accurately computing log(1 - exp(-|a|)), 2012)."""
    if p <= -37.0:
        return math.exp(p)
    if p <= -2.0:
        return math.log1p(math.exp(p))
    if p <= 18.0:
        return math.log(1.0 + math.exp(p))
    if p <= 33.3:
        return p + math.exp(-p)
    return p


@part(forceinline=True)
def row_loss(kind, shape, y, p):
    """The loss of a prediction p; y is 0 or 1 for LOG_LOSS, -1 or 1 for other classes, and else a number."""
    if kind == LOG_LOSS:
        return log1p_exp(p) - y * p
    if kind == HINGE:
        return shape - p * y if p * y <= shape else 0.0
    if kind == SQUARED_HINGE:
        z = shape - p * y
        return z * z if z > 0.0 else 0.0
    if kind == MODIFIED_HUBER:
        z = p * y
        if z >= 1.0:
            return 0.0
        return (1.0 - z) * (1.0 - z) if z >= -1.0 else -4.0 * z
    if kind == SQUARED_ERROR:
        return 0.5 * (p - y) * (p - y)
    off = abs(y - p)
    if kind == HUBER:
        return 0.5 * (off * off) if off <= shape else shape * (off - 0.5 * shape)
    beyond = off - shape
    if beyond <= 0.0:
        return 0.0
    return beyond if kind == INSENSITIVE else beyond * beyond


@part(forceinline=True)
def row_slope(kind, shape, y, p):
    """The derivative of `row_loss` with respect to p."""
    if kind == LOG_LOSS:
        if p > -37.0:
            e = math.exp(-p)
            return ((1.0 - y) - y * e) / (1.0 + e)
        return math.exp(p) - y
    if kind == HINGE:
        return -y if p * y <= shape else 0.0
    if kind == SQUARED_HINGE:
        z = shape - p * y
        return -2.0 * y * z if z > 0.0 else 0.0
    if kind == MODIFIED_HUBER:
        z = p * y
        if z >= 1.0:
            return 0.0
        return 2.0 * (1.0 - z) * -y if z >= -1.0 else -4.0 * y
    if kind == SQUARED_ERROR:
        return p - y
    if kind == HUBER:
        off = p - y
        if abs(off) <= shape:
            return off
        return shape if off >= 0.0 else -shape
    off = y - p
    if kind == INSENSITIVE:
        return -1.0 if off > shape else (1.0 if p - y > shape else 0.0)
    if off > shape:
        return -2.0 * (off - shape)
    return 2.0 * (-off - shape) if off < -shape else 0.0
