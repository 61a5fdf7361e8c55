"""The rows that pages make up (`passFailRows` in docs/_static/learn/tinynet.js), made by NumPy in whole numbers."""

import numpy as np


def mixed(x):
    """32 bits for each number, each of which depends on every bit of it (lowbias32: Chris Wellons, 2018)."""
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
    return x ^ x >> np.uint32(16)


def pass_fail_rows(n, seed=0):
    """(X, y): hours of study and of sleep, each less an average, and whether the student passed."""
    place = np.arange(2 * n, dtype=np.uint32) + mixed(np.array([seed], np.uint32))
    bits, luck = (numbers.astype(np.int64) for numbers in mixed(place).reshape(n, 2).T)
    study, sleep = (bits >> 19) - 4096, (bits >> 6 & 8191) - 4096
    y = 4 * study + sleep + (luck >> 18) + (luck >> 4 & 16383) > 16384
    return np.column_stack([study / 1024, sleep / 2048]), y.astype(np.float64)
