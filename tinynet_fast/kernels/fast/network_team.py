"""Threads that share the batches of a network: the updates of `network.py`, to the same bits.

A batch's gradient is the sum of its tiles' gradients in the order of the rows. So the tiles may go side by side if each
leaves its gradient in a place of its own. Then the parameters are cut into parts, which also go side by side: each adds
the tiles' gradients up in that order, and steps. Every sum is that of one thread, whatever their number.

All threads run the one kernel here, and each job is done by the first thread that takes it. No thread ever waits for
one that comes late, because the others do its jobs. It waits only for jobs that are taken and not done, and does so
in a loop: it takes 20 us to wake a thread, and a batch of 256 rows of a 64-64-1 network takes 80.
"""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import for_rows, kernel
from tinynet_fast.kernels.compiler.signatures import NETWORK_TEAM
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    address,
    as_doubles,
    full,
    lanes_of,
    load,
    prefetch,
    store,
    sum_of,
    unrolled,
)
from tinynet_fast.kernels.compiler.words import claim, give_way, pause, replace, seen
from tinynet_fast.kernels.fast.narrow_network import serves
from tinynet_fast.kernels.fast.network import (
    backward,
    forward,
    load_labels,
    load_rows,
    load_targets,
    outputs_back,
)
from tinynet_fast.kernels.fast.network_room import (
    COPY,
    RULE,
    TILE,
    copy_weights,
    half_of,
    network_scratch,
    of_scratch,
    round_weights,
    weights_of,
)
from tinynet_fast.kernels.fast.network_steps import inlined, layer_at, set_rule, step
from tinynet_fast.kernels.reference import SOFTMAX

# The words that threads share: the number of jobs done, then for each thread the jobs of its own that were taken. Each
# has two cache lines to itself, since CPUs fetch lines in pairs.
APART = 16
PATIENCE = 100  # pauses, some 4 us; then the core may be needed by the very thread that is waited for
# About what the tiles' gradients may take. With less room, threads wait for each other more often.
SLOTS_BYTES = 1 << 22
LOSS, WEIGHT, RESULTS = 0, 1, 8  # what is kept of a tile, in a cache line


# --- jobs -------------------------------------------------------------------------------------------------------------


@inlined
def take(words, at, phase, jobs):
    """The number of the next job in a queue that has `jobs` in this phase, or -1 if all of them were taken.

    The word is the phase, counted from 1 and times 2**32, plus how many were taken in it. The first thread that comes
    begins the phase.
    """
    begun, was = (phase + 1) << 32, seen(words, at)
    while max(was, begun) < begun + jobs:
        now = max(was, begun)
        if replace(words, at, was, now + 1):
            return now - begun
        was = seen(words, at)
    return -1


@inlined
def wait_for(words, jobs):
    """Return when `jobs` jobs are done."""
    waited = 0
    while seen(words, 0) < jobs:
        if waited < PATIENCE:
            waited += 1
            pause(words)
        else:
            give_way(words)


@unrolled
def clear(gradients, at):
    store(gradients, at, full(0.0))


@unrolled
def add(state, p, gradients, at):
    store(state, p, load(state, p) + load(gradients, at))


@inlined
def add_tiles(state, size, gradients, room, tiles, low, high):
    """Add the gradients of tiles onto the batch's, for the parameters from `low` to `high`, in the tiles' order."""
    eights = low + ((high - low) & ~(REGISTER - 1))
    for tile in range(tiles):
        for p in range(low, eights, REGISTER):
            add(state, size + p, gradients, tile * room + p)
        for p in range(eights, high):
            state[size + p] += gradients[tile * room + p]


@inlined
def gradient_of_tile(
    X, y, weight, mask, rule, layers, state, units, gradients, at, results, tile, first, m, queues, done
):
    """The gradient, loss and weight of the rows first..first+m-1, with the parameters that `done` jobs have made."""
    size, half, depth = state.shape[1], half_of(units, state.shape[1]), layers.shape[0]
    work, params, shape, columns, labels = address(units), address(state), address(layers), mask.shape[1], 2 * half
    stride = (m + lanes_of(work) - 1) & ~(lanes_of(work) - 1)
    copy = labels + COPY
    weights = weights_of(params, work, copy)
    inputs, _, _ = layer_at(shape, 0)
    _, outputs, last = layer_at(shape, depth - 1)
    load_rows(address(X), inputs, first, m, work, stride)
    total = load_labels(address(y), address(weight), first, m, work, labels)
    wait_for(queues, done)
    for p in range(0, size, REGISTER):  # of which other threads have changed some
        prefetch(params, p)
    copy_weights(work, params, copy, 0, size)
    for p in range(0, size, REGISTER):
        clear(gradients, at + p)
    target = forward(shape, depth, weights, work, half, stride, address(mask), columns, first, m)
    if outputs > 1 and last != SOFTMAX:
        load_targets(address(y), first, m, outputs, work, half + target, stride)
    results[tile, LOSS] = sum_of(outputs_back(last == SOFTMAX, outputs, work, target, half, stride, labels, rule))
    results[tile, WEIGHT] = total
    how = as_doubles(work, labels + RULE)
    backward(shape, depth, weights, params, size, gradients, at, work, half, stride, target, False, how)


@inlined
def step_of_part(total, schedule, rule, layers, state, units, low, high):
    """The batch's step for the parameters from `low` to `high`."""
    work, optimizer = address(units), np.int64(rule[layout.OPTIMIZER])
    how = as_doubles(work, 2 * half_of(units, state.shape[1]) + RULE)
    set_rule(how, total, schedule, rule)
    plain = schedule[layout.KEEP] == 1.0 and schedule[layout.L2] == 0.0
    shape, depth, size = address(layers), layers.shape[0], state.shape[1]
    step(total, plain, optimizer, shape, depth, address(state), low, high, size, how)
    round_weights(work, address(state), 0, low, high)


# --- kernel -----------------------------------------------------------------------------------------------------------


@kernel
def shared_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses, words, slots, results, me):
    n, batch, most, room = X.shape[0], np.int64(rule[layout.BATCH_SIZE]), slots.shape[0], slots.shape[1]
    threads, queues, params, gradients = words.shape[0] // APART - 1, address(words), address(state), address(slots)
    filled, updates, phase, done, turn = int(results[most, layout.PENDING_ROWS]), 0, 0, 0, 0
    for epoch in range(losses.shape[0]):
        start = 0
        while start < n:  # a round: up to `most` tiles of a batch, and then the parameters
            begun = filled % TILE
            end = min(start + most * TILE - begun, start + batch - filled, n)
            tiles, whole = (begun + end - start + TILE - 1) // TILE, filled + end - start == batch
            for k in range(threads):  # a thread's own tiles, and then those that others have not taken
                whose = (me + k) % threads
                early, queue = tiles * whose // threads, APART * (whose + 1)
                jobs = tiles * (whose + 1) // threads - early
                taken = take(queues, queue, phase, jobs)
                while taken >= 0:
                    tile = early + taken
                    first = max(start + tile * TILE - begun, start)
                    m = min(start + (tile + 1) * TILE - begun, end) - first
                    gradient_of_tile(
                        X, y, weight, mask, rule, layers, state, units, gradients, tile * room, results, tile, first, m,
                        queues, done,
                    )  # fmt: skip
                    claim(queues, 0)
                    taken = take(queues, queue, phase, jobs)
            done += tiles
            for k in range(threads):
                part = (me + k) % threads
                if take(queues, APART * (part + 1), phase + 1, 1) == 0:
                    wait_for(queues, done)
                    low = room // REGISTER * part // threads * REGISTER
                    high = min(room // REGISTER * (part + 1) // threads * REGISTER, state.shape[1])
                    add_tiles(params, state.shape[1], gradients, room, tiles, low, high)
                    total = results[most + turn, layout.PENDING_WEIGHT]
                    for tile in range(tiles):
                        total += results[tile, WEIGHT]
                    if whole:
                        step_of_part(total, schedule[updates], rule, layers, state, units, low, high)
                    if part == 0:
                        for tile in range(tiles):
                            losses[epoch] += results[tile, LOSS]
                        pending[layout.PENDING_ROWS] = 0.0 if whole else np.float64(filled + end - start)
                        left = 0.0 if whole else total
                        pending[layout.PENDING_WEIGHT] = results[most + 1 - turn, layout.PENDING_WEIGHT] = left
                    claim(queues, 0)
            phase, done, turn, filled = phase + 2, done + threads, 1 - turn, 0 if whole else filled + end - start
            updates += 1 if whole else 0
            start = end


def shared_tiles(mask, rule, layers):
    """How many tiles of a batch may go side by side: 1 for networks that `narrow_network.py` trains."""
    return 1 if serves(mask, rule, layers) else tiles_of(rule)


def tiles_of(rule):
    """How many tiles a batch has."""
    return -(-int(rule[layout.BATCH_SIZE]) // TILE)


class NetworkTeam:
    """What threads need for their share of a network: each its own scratch, and what they share.

    Parameters
    ----------
    layers : (depth, LAYER_COLUMNS) int64 array
    size : int
        The number of parameters.
    batch : int
        Rows.
    threads : int
    dtype : float64 or float32
        Of the scratch.
    """

    def __init__(self, layers, size, batch, threads, dtype=np.float64):
        self.units = [network_scratch(layers, dtype) for _ in range(threads)]
        room = -(-size // REGISTER) * REGISTER
        tiles = min(-(-batch // TILE) + 1, SLOTS_BYTES // 8 // room)
        self.words = np.zeros(APART * (threads + 1), np.int64)
        self.slots = np.empty((-(-tiles // threads) * threads or threads, room))
        self.results = np.zeros((len(self.slots) + 2, RESULTS))  # of tiles, and then what is pending, in two turns

    def network_epochs(self, side_by_side, X, y, weight, mask, schedule, rule, layers, state, pending, losses):
        """`network_epochs` of the fast engine. `side_by_side(work, range(n))` calls work(0) to work(n - 1)."""
        words, floats = of_scratch(NETWORK_TEAM, self.units[0]), self.units[0].dtype.char
        run, X = for_rows(shared_epochs, words, X, floats)
        self.words[:] = 0
        self.results[len(self.slots), : len(pending)] = pending
        shared = pending, losses, self.words, self.slots, self.results

        def work(k):
            run(X, y, weight, mask, schedule, rule, layers, state, self.units[k], *shared, k)

        side_by_side(work, range(len(self.units)))
