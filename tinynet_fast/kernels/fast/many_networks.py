"""Many networks of one shape in one pass over the rows. (One network after the other for now.)"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.simd import REGISTER
from tinynet_fast.kernels.fast import network
from tinynet_fast.kernels.fast.many_neurons import NOBODY, aligned
from tinynet_fast.kernels.reference import IDENTITY, LEAST_SQUARES, LOG_LOSS

WIDTH = REGISTER  # networks in a group
TILE = network.TILE


def serves(rule, layers):
    """Whether there is a kernel for networks of this loss."""
    if rule[layout.LOSS] == LEAST_SQUARES:
        return bool(layers[-1][layout.ACTIVATION] == IDENTITY)
    return bool(rule[layout.LOSS] == LOG_LOSS)


def aligned_state(layers):
    """Zeros for the state of a group: (4, parameters, WIDTH) float64."""
    layers = np.asarray(layers)
    size = int(((layers[:, layout.INPUTS] + 1) * layers[:, layout.OUTPUTS]).sum())
    return aligned(layout.STATE_ROWS * size, WIDTH).reshape(layout.STATE_ROWS, size, WIDTH)


scratch = network.network_scratch


def network_epochs(X, y, weight, marks, own, order, mask, schedule, rule, layers, state, units, pending, losses):
    n = len(order) if len(order) else len(X)
    targets = len(y) // len(X) if len(X) else 1
    for k in range(WIDTH):
        rows, labels, w = X, y, weight
        if len(marks):
            w = np.where(marks == own[k], 0.0, weight)
        if len(order):
            index = np.maximum(order[:, k], 0)
            rows, labels = X[index], y.reshape(len(X), targets)[index].ravel()
            w = np.where(order[:, k] < 0, 0.0, w[index])
        batch = int(rule[layout.BATCH_SIZE, k])
        ends = len(losses) * n // batch + 2
        steps = np.ascontiguousarray(schedule[np.minimum(np.arange(ends), len(schedule) - 1), :, k])
        one, waits, lost = (np.ascontiguousarray(a[..., k]) for a in (state, pending, losses))
        chances = np.ascontiguousarray(mask[..., k])
        how = np.ascontiguousarray(rule[:, k])
        network.network_epochs(rows, labels, w, chances, steps, how, layers, one, units, waits, lost)
        state[..., k], pending[:, k], losses[:, k] = one, waits, lost


def network_update(schedule, rule, layers, state, pending):
    for k in range(WIDTH):
        one, how = np.ascontiguousarray(state[..., k]), np.ascontiguousarray(rule[:, k])
        network.network_update(pending[layout.PENDING_WEIGHT, k], np.ascontiguousarray(schedule[:, k]), how, layers, one)
        state[..., k] = one
    pending[:] = 0.0
