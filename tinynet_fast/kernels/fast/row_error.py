"""A row's error, which the next row waits for: the sigmoid as a table of polynomials, or no sigmoid for numbers.

The loops are in `neuron.py` and `regularized_neuron.py`.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import part
from tinynet_fast.kernels.compiler.simd import as_bits, fma
from tinynet_fast.kernels.point_functions import HUBER, LEAST_SQUARES, LOG_LOSS

# --- the sigmoid as a table -------------------------------------------------------------------------------------------

# 16 nodes a unit and degree 7 (one cache line a node) hold 3.1e-16 out to 0.063 from a node: twice the half-spacing,
# and the slack is what a guessed node may be off. Degree 11, 8 nodes a unit and no guess was as fast (6.1 ns a row) but
# missed from a rate of 0.5 up (12 to 16 ns); degree 15 took 10 ns. Beyond RANGE every row is a miss: at 40, where the
# sigmoid is flat, separable rows took 13.0 ns, at 128 8.3 (logits to 300, 2 features); clamping the node instead cost
# all rows 0.5.
NODES, RANGE, DEGREE = 16, 128, 7
REACH = 0.063 * NODES
LAST, LOW_WORD = np.uint64(2 * RANGE * NODES), np.uint64(0xFFFFFFFF)
# 1.5 * 2**52 rounds what is added to it to an integer, kept in the low bits; the rest makes -RANGE node number 0.
ROUND_NODE, LIMIT = 6755399441055744.0 + RANGE * NODES, float(RANGE * NODES)


def sigmoid_table():
    """(nodes, 8) coefficients in t = NODES*(z - node): 32 terms of Taylor, economised to degree 7 by Chebyshev."""
    terms, radius = 32, REACH / NODES
    # x**m in Chebyshev's polynomials T0..T7, and those in powers. (numpy.polynomial took 20 ms, a row at a time.)
    from_power, to_power = np.zeros((DEGREE + 1, terms)), np.eye(DEGREE + 1)
    for m in range(terms):
        for k in range(m % 2, min(m, DEGREE) + 1, 2):
            from_power[k, m] = math.comb(m, (m - k) // 2) / 2 ** max(m - (k > 0), 0)
    for k in range(2, DEGREE + 1):  # T[k] = 2 x T[k-1] - T[k-2]
        to_power[:, k] = 2 * np.roll(to_power[:, k - 1], 1) - to_power[:, k - 2]
    series = np.zeros((terms, RANGE * NODES + 1))
    series[0] = 1 / (1 + np.exp(np.arange(RANGE * NODES + 1) / NODES))  # the small side, where 1 - p loses nothing
    for m in range(terms - 1):  # p' = p - p*p, term by term
        series[m + 1] = (series[m] - sum(series[k] * series[m - k] for k in range(m + 1))) / (m + 1)
    powers = np.arange(terms)[:, None]
    small = to_power @ (from_power @ (series * radius**powers))
    small /= np.float64(REACH) ** powers[: DEGREE + 1]  # radius and NODES at once
    large = -small * (-1.0) ** powers[: DEGREE + 1]  # p(c + t) = 1 - p(-c - t)
    large[0] += 1
    return np.ascontiguousarray(np.concatenate([small.T[:0:-1], large.T]))


TABLE = sigmoid_table().ravel()


# --- the error of a row -----------------------------------------------------------------------------------------------
#
# `kind` is a tuple whose length, part of its type, says which loss a kernel is compiled for.

KINDS = {LOG_LOSS: 0, LEAST_SQUARES: 1, HUBER: 2}  # its length


@part(forceinline=True)
def row_error(kind, table, ahead, coupling, error_before, node_before, y_before, y):
    """(error, p at the node) of a row of scaled logit ahead - coupling*error_before; only error_before is waited for.

    In the chain: one multiply-add for t, then 12 cycles of polynomial. The node is chosen from `node_before` in place
    of the prediction before; that is a chain of its own (load, two operations, load) and about as long. Without a
    sigmoid (`kind` is not empty) the chain is one multiply-add, and no node is looked up.
    """
    if len(kind) > 0:
        return fma(-error_before, coupling * (1.0 / NODES), fma(ahead, 1.0 / NODES, -y)), 0.0
    rounded = fma(-node_before, coupling, fma(coupling, y_before, ahead)) + ROUND_NODE
    node = as_bits(rounded) & LOW_WORD
    t = fma(-error_before, coupling, ahead - (rounded - ROUND_NODE))
    # A miss must stay a branch: where LLVM made it a select (no min and max inside), the chain was twice as long.
    if not ((abs(t) <= REACH) & (node <= LAST)):  # also true of NaN
        z = min(max(fma(-error_before, coupling, ahead), -LIMIT), LIMIT)
        rounded = z + ROUND_NODE
        node = min(as_bits(rounded) & LOW_WORD, LAST)  # a NaN reads some node, and stays NaN through t
        t = z - (rounded - ROUND_NODE)
    k = node * np.uint64(8)
    t2 = t * t
    at_node = table[k]
    low = fma(t2, fma(table[k + 3], t, table[k + 2]), fma(table[k + 1], t, at_node - y))
    high = fma(t2, fma(table[k + 7], t, table[k + 6]), fma(table[k + 5], t, table[k + 4]))
    return fma(t2 * t2, high, low), at_node


@part(forceinline=True)
def slope_of(kind, error, delta):
    """The derivative of the loss by the sum: the error, which Huber's loss cuts at `delta`."""
    if len(kind) > 1:
        return max(-delta, min(error, delta))
    return error


@part(forceinline=True)
def add_loss(kind, error, slope, loss):
    """`loss` and what the row adds to it: the squared error, or Huber's loss, |slope| (|error| - |slope| / 2)."""
    if len(kind) > 1:
        return fma(abs(slope), abs(error) - 0.5 * abs(slope), loss)
    return fma(error, error, loss)
