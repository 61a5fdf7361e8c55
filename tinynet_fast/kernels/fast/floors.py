"""Compiled loops that benchmarks are held against: the one that anybody would write, and the two floors."""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import REORDERED, kernel, part
from tinynet_fast.kernels.compiler.simd import fma


@kernel
def plain_njit(X, y, rate, weights, bias, epochs):
    """The tutorial's loop under `@njit`, and nothing else; gives the bias."""
    for _ in range(epochs):
        for i in range(len(X)):
            z = bias
            for j in range(len(weights)):
                z += X[i, j] * weights[j]
            error = 1.0 / (1.0 + math.exp(-z)) - y[i]
            for j in range(len(weights)):
                weights[j] -= rate * error * X[i, j]
            bias -= rate * error
    return bias


@part(REORDERED, forceinline=True)
def total(values):
    t = values[0] * 0
    for i in range(len(values)):
        t += values[i]
    return t


@kernel
def read(values):
    """Load every number once, by the cache line: their sum."""
    return total(values)


@kernel
def chain(steps, ahead, coupling, c):
    """What a row has to wait for, and nothing else: a multiply-add with the error of the row before, then a polynomial
    of degree 7 as the fast engine's sigmoid is, whose value is the next error."""
    error = 0.0
    for _ in range(steps):
        t = fma(-error, coupling, ahead)
        t2 = t * t
        low = fma(t2, fma(c[3], t, c[2]), fma(c[1], t, c[0]))
        high = fma(t2, fma(c[7], t, c[6]), fma(c[5], t, c[4]))
        error = fma(t2 * t2, high, low)
    return error


COEFFICIENTS = np.array([0.5, 0.25, 0.0, -1 / 48, 0.0, 1 / 480, 0.0, -17 / 80640])  # the sigmoid's, at 0
