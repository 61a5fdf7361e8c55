"""What an epoch's updates were worth: each row's cross-entropy and penalty before its update.

The updates are those of `strict.py` and `regularized_neuron.py`; here they leave their rows' sums behind, from which
the objective is added up.
"""

import math
from functools import cache

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler.jit import compiled, kernel, part
from tinynet_fast.kernels.fast.neuron import prefetch_lines
from tinynet_fast.kernels.fast.prediction import exp
from tinynet_fast.kernels.fast.row_lengths import square_norm
from tinynet_fast.kernels.strict import logit, sigmoid, truncate

TILE = 512  # factors of 1 to 2 whose product is a float


@kernel
def sgd_logits_epoch(X, y, schedule, bias_scale, weights, bias, means, paid, logits, penalty, carried, penalties):
    """`strict.sgd_regularized_epochs` for cross-entropy and one pass; leaves each row's sum in `logits`, bit for bit.

    If `penalties` has a slot for each row, it gets penalty[0] / 2 * |w|**2 + penalty[1] * sum |w| for the weights that
    the row meets, before l1 is paid for the row before, as in scikit-learn. `carried` holds that number from call to
    call.
    """
    d, last = len(weights), carried[0]
    # 4 kB are asked for ahead: rows of 16 features from memory took 66 ns and take 36, rows of 256 425 and 317.
    stride = np.int64(64 // X.itemsize)
    for i in range(len(X)):
        prefetch_lines(X, i * d + 64 * stride, (d + stride - 1) // stride, stride)
        step, keep, cut, share = schedule[i, at.STEP], schedule[i, at.KEEP], schedule[i, at.CUT], schedule[i, at.SHARE]
        logits[i] = logit(X[i], weights, bias)
        nudge = step * (sigmoid(logits[i]) - y[i])
        for j in range(d):
            weights[j] = keep * weights[j] - nudge * X[i, j]
        bias[0] -= bias_scale * nudge
        if len(penalties) > 0:
            penalties[i], square, size = last, 0.0, 0.0
            for j in range(d):
                square += weights[j] * weights[j]
                size += abs(weights[j])
            last = 0.5 * penalty[0] * square + penalty[1] * size
        if share > 0.0:
            for j in range(d):
                means[j] += share * (weights[j] - means[j])
            means[d] += share * (bias[0] - means[d])
        if cut > 0.0:
            paid[d] += cut
            for j in range(d):
                before = weights[j]
                weights[j] = truncate(before, paid[d], paid[j])
                paid[j] += weights[j] - before
    carried[0] = last


@part()
def decays(logits, start, stop, out):
    """exp(-|z|), eight at a time."""
    for i in range(start, stop):
        out[i - start] = exp(-min(abs(logits[i]), 700.0))


@kernel
def objective(logits, y, schedule, squares, l2, bias_scale, weights, bias, scratch):
    """The summed cross-entropy of rows, and l2 / 2 * |w|**2 for the weights w that each row met.

    `weights` and `bias` are those before the first row and stay as they are; with the next weights keep * w - p * x,
    the next square is keep**2 |w|**2 - 2 keep p (x.w) + p**2 |x|**2, where x.w is the row's sum without its bias, and
    |x|**2 is in `squares`. (If l2 is 0.0, `squares` is not used.)
    """
    square, b, total = 0.0, bias[0], 0.0
    for j in range(len(weights)):
        square += weights[j] * weights[j]
    for start in range(0, len(logits), TILE):
        stop = min(start + TILE, len(logits))
        decays(logits, start, stop, scratch)
        factors = 1.0
        for i in range(start, stop):
            z, decay = logits[i], scratch[i - start]
            factors *= 1.0 + decay
            total += max(z, 0.0) - y[i] * z
            if l2 > 0.0:
                total += 0.5 * l2 * square
                p = schedule[i, at.STEP] * ((1.0 if z > 0.0 else decay) / (1.0 + decay) - y[i])
                keep = schedule[i, at.KEEP]
                square = keep * keep * square - 2.0 * keep * p * (z - b) + p * p * squares[i]
                b -= bias_scale * p
        total += math.log(factors)
    return total


@kernel
def square_norms(X, out):
    """out[i] = |x[i]|^2. Return the largest of them plus 1; infinity if a row is not finite or overflows."""
    largest = 1.0
    stride = np.int64(64 // X.itemsize)
    for i in range(X.shape[0]):
        prefetch_lines(X, i * X.shape[1] + 64 * stride, (X.shape[1] + stride - 1) // stride, stride)
        norm = square_norm(X, i)
        out[i] = norm - 1.0
        largest = max(largest, norm) if norm < np.inf else np.inf
    return largest


@cache
def rows_compiled(floats):
    """`square_norms` for rows of float64 ("d") or float32 ("f")."""
    return compiled(square_norms, f"{floats}2 dw1")
