"""`penalised_passes.py` for eight networks of one shape that see the same rows: a lane each, as in `many_networks.py`.

A search over eight rates trains the eight networks of a fold in one call. Beside one network at a time, a network took
1.1 to 1.3 times less in batches of 200 and 1.1 to 2 times less in batches of 32 (16 inputs, 4 to 100 units): no sum
goes across lanes, batches need not fill registers, and one step serves eight networks.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import compiled, kernel
from tinynet_fast.kernels.compiler.signatures import PENALISED_NETWORKS
from tinynet_fast.kernels.compiler.simd import address, fma, full, load, registers, store, unrolled
from tinynet_fast.kernels.fast import many_networks
from tinynet_fast.kernels.fast.many_networks import NOBODY, WIDTH
from tinynet_fast.kernels.fast.network_steps import inlined, layer_at


@unrolled
def add_squares(params, p, total):
    """Four parameters of each network: their squares, each onto a sum of its own."""
    x = load(params, p * WIDTH, (0,) * 4)
    return fma(x, x, total)


@unrolled
def add_square(params, p, total):
    x = load(params, p * WIDTH)
    return fma(x, x, total)


@unrolled
def sum_of_four(total):
    a, b, c, d = registers(total)
    return (a + b) + (c + d)


@inlined
def square_sums(layers, depth, params):
    """The sum of the squares of all weights of each network, without the biases."""
    fours, ones, start = full(0.0, (0, 0, 0, 0)), full(0.0), 0
    for layer in range(depth):
        inputs, outputs, _ = layer_at(layers, layer)
        stop = start + inputs * outputs
        whole = start + ((stop - start) & ~3)
        for p in range(start, whole, 4):
            fours = add_squares(params, p, fours)
        for p in range(whole, stop):
            ones = add_square(params, p, ones)
        start = stop + outputs
    return sum_of_four(fours) + ones


@kernel
def passes(X, y, weight, marks, own, order, mask, schedule, rules, layers, state, units, pending, losses, squares):
    n, size, targets = X.shape[0], int(rules[0, layout.BATCH_SIZE, 0]), len(y) // X.shape[0]
    for batch in range(len(losses)):
        start, stop = batch * size, min(batch * size + size, n)
        store(squares, batch * WIDTH, square_sums(address(layers), layers.shape[0], address(state)))
        many_networks.epochs(
            X[start:stop], y[start * targets : stop * targets], weight[: stop - start], marks, own, order, mask,
            schedule[batch : batch + 1], rules[int(stop - start < size)], layers, state, units, pending,
            losses[batch : batch + 1],
        )  # fmt: skip


# Of the choices that `many_networks.epochs` has: no row is held out, and all networks see the rows as they come.
NO_MARKS, OWN, NO_ORDER = np.empty(0), np.full((2, WIDTH), NOBODY), np.empty((0, WIDTH), np.int64)


def network_passes(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses, squares):
    """Train on batch after batch, the last of which may be shorter: for each its losses, and the squares before it.

    All networks see all rows in their order, and no row has a weight.

    Parameters
    ----------
    X : (n, d) float64, C-contiguous
    y : (n * targets,) float64
    weight : (batch size,) float64
        Ones: each batch has the same.
    mask, schedule, rule, layers, state, units, pending
        As `many_networks.network_epochs` takes them; a schedule row a batch.
    losses : (batches, WIDTH) float64
        The sum of each batch's losses is added.
    squares : (batches, WIDTH) float64
        The sum of the squared weights before each batch's update.
    """
    rules = np.array((rule, rule))  # `penalised_passes.network_passes` says why there are two
    rules[1, layout.BATCH_SIZE] = len(X) % int(rule[layout.BATCH_SIZE, 0])
    run, alike = compiled(passes, PENALISED_NETWORKS), (NO_MARKS, OWN, NO_ORDER)
    run(X, y, weight, *alike, mask, schedule, rules, layers, state, units, pending, losses, squares)
