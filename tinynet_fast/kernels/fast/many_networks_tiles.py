"""The parts of `many_networks.py`: what is done to a tile of rows, in registers of eight networks."""

from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    ROUND,
    SIGN,
    as_bits,
    as_double,
    flip,
    fma,
    full,
    join,
    load,
    look_up,
    registers,
    repeat,
    store,
    unrolled,
    where,
)
from tinynet_fast.kernels.fast import network_points as points
from tinynet_fast.kernels.fast import network_tiles as tiles
from tinynet_fast.kernels.fast.functions import clamp, log1p_of_any
from tinynet_fast.kernels.fast.many_neurons import SIXTEENTHS, STEP, power
from tinynet_fast.kernels.fast.network_steps import inlined
from tinynet_fast.kernels.reference import SIGMOID

WIDTH = REGISTER  # networks in a group
FARTHEST = 170.0
# tanh(x / 2) / x in powers of x**2, for |x| <= log(2) / 32, economised: to 3e-17.
TANGENT = 0.4999999999999986, -0.04166666661443947, 0.004166369886927134

# --- units ------------------------------------------------------------------------------------------------------------


@unrolled
def inverses(x):
    """1 / x for four registers with one division: 1 / a is bcd / abcd."""
    a, b, c, d = registers(x)
    ab, cd = a * b, c * d
    inverse = 1.0 / (ab * cd)
    of_ab, of_cd = inverse * cd, inverse * ab
    return join([of_ab * b, of_ab * a, of_cd * d, of_cd * c])


@unrolled
def sigmoids(work, values, slopes):
    """`sigmoid_unit` for four registers at once.

    With exp(-z) = 2**(k/16) exp(-f) and t = tanh(f / 2), of which a polynomial of degree 5 has all digits, the sigmoid
    is (1 + t) / (1 + t + 2**(k/16) (1 - t)): that takes an instruction less than exp(-z). Beyond 170 it is the sigmoid
    of 170, 1e-74 off, so that no product overflows.
    """
    z = clamp(load(work, values, (0,) * 4), -FARTHEST, FARTHEST)
    shifted = fma(z, -1.0 / STEP, ROUND)
    f = fma(shifted - ROUND, STEP, z)
    f2 = f * f
    t = f * fma(f2, fma(f2, TANGENT[2], TANGENT[1]), TANGENT[0])
    k = as_bits(shifted)
    own = 1.0 + t
    x = own * inverses(fma(as_double(look_up(SIXTEENTHS, k) + (k << 48)), 1.0 - t, own))
    store(work, values, x)
    store(work, slopes, fma(-x, x, x))


@inlined
def activate(activation, work, values, slopes, count):
    if activation == SIGMOID:
        fours = count & ~3
        for at in range(0, fours * WIDTH, 4 * WIDTH):
            sigmoids(work, values + at, slopes + at)
        points.each_unit(points.sigmoid_unit, work, values + fours * WIDTH, slopes + fours * WIDTH, count - fours)
    else:
        points.activate(activation, work, values, slopes, count)


@inlined
def apply_mask(mask, at, columns, outputs, m, work, values, slopes, stride):
    """Dropout's factor of each unit and row, on what a unit sends on and on its slope."""
    for u in range(outputs):
        for r in range(m):
            put_product(work, values + u * stride + r * WIDTH, mask, (at + r * columns + u) * WIDTH)
            put_product(work, slopes + u * stride + r * WIDTH, mask, (at + r * columns + u) * WIDTH)


@unrolled
def put_product(work, at, mask, place):
    store(work, at, load(work, at) * load(mask, place))


# --- losses -----------------------------------------------------------------------------------------------------------


@unrolled
def four_entropies(work, sums, deltas, labels, weights, total, product):
    """`plain_entropy` of four rows, for weights of 0 and 1; `total` and `product` go on."""
    four = (0,) * 4
    z, y, w = load(work, sums, four), load(work, labels, four), load(work, weights, four)
    e = power(clamp(as_double(as_bits(z) & (SIGN - 1)), 0.0, 700.0), -1.0)
    p = where(z < 0.0, e, 1.0) * inverses(1.0 + e)
    store(work, deltas, w * (p - y))
    wrong, e = flip(z, 0.5 - y), w * e
    return fma(w, where(wrong < 0.0, 0.0, wrong), total), fma(product, e, product + e)


@unrolled
def log_of_four(total, product):
    """The losses of four rows' totals and products."""
    while len(registers(product)) > 1:
        parts = registers(product)
        half = len(parts) // 2
        x, y = join(parts[:half]), join(parts[half:])
        product = fma(x, y, x + y)
    a, b, c, d = registers(total)
    return (a + b) + (c + d) + log1p_of_any(product)


@inlined
def plain_entropy(work, sums, deltas, labels, weights, count):
    """For rows of the weights 0 and 1."""
    total = product = full(0.0, (0, 0, 0, 0))
    fours = count & ~3
    for at in range(0, fours * WIDTH, 4 * WIDTH):
        total, product = four_entropies(work, sums + at, deltas + at, labels + at, weights + at, total, product)
    at = fours * WIDTH
    rest = points.each_loss(
        points.cross_entropy, work, sums + at, deltas + at, labels + at, weights + at, count - fours, 0.0
    )
    return log_of_four(total, product) + rest


# --- sums of products -------------------------------------------------------------------------------------------------


def of_networks(params, p):
    """A weight of each network."""
    return load(params, p * WIDTH)


def _multiply(params, p, unit_step, input_step, work, source, target, stride, count, *, units, rows):
    """`network_tiles.multiply`, but the last of the inputs is known to be 1: its weights are the biases."""

    def add_input(k, sums):
        inputs = [load(work, source + k * stride + WIDTH * r) for r in range(rows)]
        weights = [of_networks(params, p + k * input_step + u * unit_step) for u in range(units)]
        return [fma(weights[u], inputs[r], sums[u * rows + r]) for u in range(units) for r in range(rows)]

    biases = [of_networks(params, p + (count - 1) * input_step + u * unit_step) for u in range(units)]
    sums = repeat(count - 1, [biases[u] for u in range(units) for _ in range(rows)], add_input)
    for u in range(units):
        for r in range(rows):
            store(work, target + u * stride + WIDTH * r, sums[u * rows + r])


def _gradient(work, left, right, stride, count, state, at, step, size, how, *, inputs, outputs, rule):
    """left . right over the rows of a tile, for `inputs` rows of `left` and `outputs` of `right`: onto the gradient."""

    def add_row(i, sums):
        a = [load(work, left + j * stride + i * WIDTH) for j in range(inputs)]
        d = [load(work, right + u * stride + i * WIDTH) for u in range(outputs)]
        return [fma(a[j], d[u], sums[j * outputs + u]) for j in range(inputs) for u in range(outputs)]

    sums = repeat(count, [full(0.0)] * (inputs * outputs), add_row)
    for j in range(inputs):
        for u in range(outputs):
            g = (size + at + j * step + u) * WIDTH
            store(state, g, load(state, g) + sums[j * outputs + u])


fused_sums = [unrolled(_multiply, units=units, rows=rows) for rows in (4, 1) for units in (4, 1)]
exact_sums, blame_sums = (tiles.products(rule, of_networks) for rule in ("exact", "blame"))
gradients = tiles.gradients("onto", _gradient)
