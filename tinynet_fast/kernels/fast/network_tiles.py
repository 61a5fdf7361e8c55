"""The parts of `network.py`: what is done to a tile of rows, in registers of eight rows. See there for how they fit.

`work` decides the type that they calculate in: registers hold eight rows of float64, or 16 of float32.
"""

import numpy as np

from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    converted,
    filled,
    fma,
    lanes_of,
    load,
    minimum,
    pack,
    pack_for,
    read,
    read_for,
    repeat,
    shuffle,
    store,
    sum_of,
    sums_of,
    transpose,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast.network_steps import DESCENT, descended, inlined

# --- sums of products -------------------------------------------------------------------------------------------------


def one_number(params, p):
    """A weight for registers of rows."""
    return params[p]


def _multiply(params, p, unit_step, input_step, work, source, target, stride, count, *, units, rows, rule, weight_at):
    """The sums of `units` units for `rows` registers of rows: work[target] = params[p] . work[source].

    "exact" rounds each product and each sum, from the first input to the last: the reference's own
    bits, for relu, whose slope jumps where a sum is zero. "blame" multiplies what stands in `target`, the slopes.
    """

    width = lanes_of(work)

    def add_input(k, sums):
        inputs = [read(work, source + k * stride + width * r) for r in range(rows)]
        weights = [weight_at(params, p + k * input_step + u * unit_step) for u in range(units)]
        if rule == "exact":
            return [sums[u * rows + r] + weights[u] * inputs[r] for u in range(units) for r in range(rows)]
        return [fma(weights[u], inputs[r], sums[u * rows + r]) for u in range(units) for r in range(rows)]

    sums = repeat(count, [filled(work, 0.0)] * (units * rows), add_input)
    for u in range(units):
        for r in range(rows):
            at = target + u * stride + width * r
            store(work, at, sums[u * rows + r] * read(work, at) if rule == "blame" else sums[u * rows + r])


def _gradient(work, left, right, stride, count, state, at, step, size, how, *, inputs, outputs, rule):
    """left . right over the rows of a tile, for `inputs` rows of `left` and `outputs` of `right`: onto the gradient.

    Or, if the tile is the whole batch, straight into the parameters: for four rows half of the time went into
    writing the gradient, waiting for it and reading it again. The state is float64 with either type of `work`.
    """

    def add_rows(i, sums):
        a = [read(work, left + j * stride + i * lanes_of(work)) for j in range(inputs)]
        d = [read(work, right + u * stride + i * lanes_of(work)) for u in range(outputs)]
        return [fma(a[j], d[u], sums[j * outputs + u]) for j in range(inputs) for u in range(outputs)]

    sums = repeat(count, [filled(work, 0.0)] * (inputs * outputs), add_rows)
    for j in range(inputs):
        p, g = at + j * step, converted(state, sums_of(sums[j * outputs : (j + 1) * outputs]))
        if rule == "step":
            x, first = load(state, p, outputs), load(state, p + 2 * size, outputs)
            x, first = descended(x, first, g, *(how[k] for k in range(DESCENT)))
            store(state, p, x)
            store(state, p + 2 * size, first)
        else:
            store(state, p + size, load(state, p + size, outputs) + g)


def products(rule, weight_at=one_number):
    """`_multiply` for a rule, in blocks of four units and one, for four registers and one."""
    return [
        unrolled(_multiply, units=units, rows=rows, rule=rule, weight_at=weight_at)
        for rows in (4, 1)
        for units in (4, 1)
    ]


def gradients(rule, gradient=_gradient):
    """`gradient` for a rule, in blocks of two inputs and one, for eight outputs, four and one."""
    return [unrolled(gradient, inputs=inputs, outputs=outputs, rule=rule) for inputs in (2, 1) for outputs in (8, 4, 1)]


# --- rows in and out --------------------------------------------------------------------------------------------------


@unrolled
def turn(X, at, width, work, target, stride):
    """A register of rows of eight inputs, `width` numbers apart, into eight inputs of these rows."""
    rows = [read_for(work, X, at + i * width, REGISTER) for i in range(lanes_of(work))]
    if len(rows) > REGISTER:  # rows i and i + 8 share a register
        rows = [shuffle(rows[i], rows[i + REGISTER], list(range(2 * REGISTER))) for i in range(REGISTER)]
    for j, x in enumerate(transpose(rows)):
        store(work, target + j * stride, x)


@unrolled
def turn_pairs(X, at, work, target, stride):
    """A register of rows of two inputs: the scalar loop took 0.5 ns a row."""
    width = lanes_of(work)
    x, y = read_for(work, X, at), read_for(work, X, at + width)
    store(work, target, shuffle(x, y, list(range(0, 2 * width, 2))))
    store(work, target + stride, shuffle(x, y, list(range(1, 2 * width, 2))))


@unrolled
def gather(array, at, last, width, lanes=REGISTER):
    """Every `width`-th number from place `at` on. The one of row `last` is repeated.

    Put together in a register: one that is read back from eight small stores has to wait until they have left the CPU.
    """
    return pack([array[minimum(last, k) * width + at] for k in range(lanes)])


@unrolled
def gather_for(work, array, at, last, width):
    """A register of them, in the type of `work`."""
    return pack_for(work, [array[minimum(last, k) * width + at] for k in range(lanes_of(work))])


@unrolled
def first(m, lanes=REGISTER):
    """1.0 in the first m lanes and 0.0 in the others."""
    return where(np.arange(lanes) < m, 1.0, 0.0)


@unrolled
def first_for(work, m):
    """The same for a register of the type of `work`."""
    return converted(work, where(np.arange(lanes_of(work)) < m, 1.0, 0.0))


@inlined
def collect(X, at, last, width, work, target, stride, count):
    """A register of rows of the next `count` inputs, one number at a time. Rows after row `last` repeat it."""
    for j in range(count):
        store(work, target + j * stride, gather_for(work, X, at + j, last, width))


@inlined
def put_labels(y, weight, start, count, work, labels, weights, found):
    """Labels and sample weights of `count` registers of rows.

    work[found] becomes the sum of the weights, work[found + 1] something above 0 if one is not 1.
    """
    total = unlike = filled(work, 0.0)
    width = lanes_of(work)
    for at in range(0, count * width, width):
        store(work, labels + at, read_for(work, y, start + at))
        w = read_for(work, weight, start + at)
        store(work, weights + at, w)
        total, unlike = total + w, fma(w - 1.0, w - 1.0, unlike)
    work[found], work[found + 1] = sum_of(total), sum_of(unlike)


@inlined
def put_last_labels(y, weight, start, m, work, labels, weights):
    """The same for m rows, fewer than fill a register, which are a tile's last; gives the sum of their weights."""
    store(work, labels, gather_for(work, y, start, m - 1, 1))
    w = gather_for(work, weight, start, m - 1, 1) * first_for(work, m)
    store(work, weights, w)
    return sum_of(w)
