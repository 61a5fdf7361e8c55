"""Many batches of a network in one call, with what scikit-learn's loss of each batch needs: its penalty.

scikit-learn's loss of a batch is (sum of its rows' losses + alpha / 2 * sum of w^2) / rows, with the weights w before
the batch's update. `network.epochs` adds up the rows' losses over all batches, and forgets the weights in between. A
call for each batch keeps both, but took 14 us of Python a batch: for 16-16-1 and batches of 200 as long as the kernel.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import compiled, kernel
from tinynet_fast.kernels.compiler.signatures import PENALISED
from tinynet_fast.kernels.fast import network


@kernel
def square_sum(layers, state):
    """The sum of the squares of all weights, without the biases."""
    total, start = 0.0, 0
    for layer in range(layers.shape[0]):
        outputs = layers[layer, layout.OUTPUTS]
        stop = start + layers[layer, layout.INPUTS] * outputs
        for p in range(start, stop):
            total += state[layout.PARAMETERS, p] * state[layout.PARAMETERS, p]
        start = stop + outputs
    return total


@kernel
def passes(X, y, weight, mask, schedule, rules, layers, state, units, pending, losses, squares):
    n, size, targets = X.shape[0], int(rules[0, layout.BATCH_SIZE]), len(y) // X.shape[0]
    for batch in range(len(losses)):
        start, stop = batch * size, min(batch * size + size, n)
        squares[batch] = square_sum(layers, state)
        network.epochs(
            X[start:stop], y[start * targets : stop * targets], weight[: stop - start], mask,
            schedule[batch : batch + 1], rules[int(stop - start < size)], layers, state, units, pending,
            losses[batch : batch + 1],
        )  # fmt: skip


def network_passes(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses, squares):
    """Train on batch after batch, the last of which may be shorter: for each its losses, and the squares before it.

    Parameters
    ----------
    X : (n, d) float64, C-contiguous
    y : (n * targets,) float64
    weight : (batch size,) float64
        Ones: each batch has the same.
    mask, schedule, rule, layers, state, units, pending
        As `network_epochs` takes them; a schedule row a batch.
    losses : (batches,) float64
        The sum of each batch's losses is added.
    squares : (batches,) float64
        The sum of the squared weights before each batch's update.
    """
    # The kernel reads one of two rules, and writes to none: then its `network.epochs` has the types of the library's
    # own, and is not compiled again.
    rules = np.array((rule, rule))
    rules[1, layout.BATCH_SIZE] = len(X) % int(rule[layout.BATCH_SIZE])
    run = compiled(passes, PENALISED)
    run(X, y, weight, mask, schedule, rules, layers, state, units, pending, losses, squares)
