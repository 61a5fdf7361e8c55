"""The parts of `network.py`: what is done to a tile of rows, in vectors of eight rows. See there for how they fit.

Bounds, over every double: exp and sigmoid 4e-16 relative, tanh 5e-16, log1p 4e-16.
"""

from tinynet_fast.kernels.vectors import LANES, vectors

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to a whole number, kept in the low bits
# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2 to 2e-17 of exp(r): two multiply-adds fewer than the Taylor series.
EXP = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662399,
    0.008333333333330051,
    0.0013888888917281794,
    0.00019841269863105968,
    2.480152119021773e-05,
    2.7557268378684192e-06,
    2.7620138719733994e-07,
    2.5100424157005067e-08,
)
# (log((1 + s) / (1 - s)) - 2 s) / s**3 in powers of s**2, for |s| <= 0.1716, to 5e-18 of the logarithm.
LOG = (
    0.666666666666667,
    0.3999999999989889,
    0.28571428626253836,
    0.22222211089379496,
    0.1818289243253687,
    0.15331611722055008,
    0.14617807153417325,
)
LN2 = 0.6931471805599453
SQRT2 = 1.4142135623730951


# --- functions of eight numbers ---------------------------------------------------------------------------------------


def power(v, x):
    """exp(x) as 2**k and t, so that it is 2**k * (1 + t), with t to the last bits; for -708 <= x <= 709.9."""
    shifted = v.fma(x, LOG2_E, ROUND)
    k = shifted - ROUND
    r = v.fma(k, -LN2_LOW, v.fma(k, -LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    q03 = v.fma(r2, v.fma(r, EXP[3], EXP[2]), v.fma(r, EXP[1], EXP[0]))
    q47 = v.fma(r2, v.fma(r, EXP[7], EXP[6]), v.fma(r, EXP[5], EXP[4]))
    q = v.fma(r4, v.fma(r4, v.fma(r, EXP[9], EXP[8]), q47), q03)
    return v.power_of_two(shifted), v.fma(r2, q, r)


def clamp(v, x, low, high):
    """`x` between two bounds; NaN stays NaN."""
    x = v.where(x < low, low, x)
    return v.where(x > high, high, x)


def exp(v, x):
    """exp(x) for x up to 0, as the softmax asks; below -708 it stays at 3e-308."""
    scale, t = power(v, clamp(v, x, -708.0, 0.0))
    return v.fma(scale, t, scale)


def sigmoid(v, z):
    """1 / (1 + exp(-z)). At -z = 709.9 the power is infinite and the answer 0, as the reference's."""
    scale, t = power(v, clamp(v, -z, -708.0, 709.9))
    return 1.0 / (1.0 + v.fma(scale, t, scale))


def tanh(v, z):
    """The hyperbolic tangent, as e / (e + 2) of e = exp(2|z|) - 1, which keeps its digits near 0."""
    negative = z < 0.0
    x = v.where(negative, -z, z)
    scale, t = power(v, clamp(v, x + x, 0.0, 60.0))
    e = v.fma(scale, t, scale - 1.0)
    a = e / (e + 2.0)
    return v.where(negative, -a, a)


def log1p(v, e):
    """log(1 + e) for e from 0 to 1; 1 + e is halved where it is over the root of two."""
    large = e > SQRT2 - 1.0
    f = v.where(large, 0.5 * e - 0.5, e)
    s = f / (2.0 + f)
    s2 = s * s
    s4 = s2 * s2
    low = v.fma(s4, v.fma(s2, LOG[3], LOG[2]), v.fma(s2, LOG[1], LOG[0]))
    high = v.fma(s4, LOG[6], v.fma(s2, LOG[5], LOG[4]))
    series = v.fma(s4 * s4, high, low)
    return v.fma(s * s2, series, s + s) + v.where(large, v.splat(LN2), 0.0)


# --- units ------------------------------------------------------------------------------------------------------------


def _sigmoid_units(v, work, values, slopes, count):
    def body(i, _):
        a = sigmoid(v, v.load(work, values + i * LANES))
        v.store(work, values + i * LANES, a)
        v.store(work, slopes + i * LANES, a * (1.0 - a))
        return []

    v.repeat(count, [], body)


def _tanh_units(v, work, values, slopes, count):
    def body(i, _):
        a = tanh(v, v.load(work, values + i * LANES))
        v.store(work, values + i * LANES, a)
        v.store(work, slopes + i * LANES, v.fma(-a, a, 1.0))
        return []

    v.repeat(count, [], body)


def _relu_units(v, work, values, slopes, count):
    def body(i, _):
        z = v.load(work, values + i * LANES)
        on = z > 0.0
        v.store(work, values + i * LANES, v.where(on, z, 0.0))
        v.store(work, slopes + i * LANES, v.where(on, v.splat(1.0), 0.0))
        return []

    v.repeat(count, [], body)


def _output_loss(v, work, sums, deltas, labels, weights, count, *, squared):
    """From the output's sums its `deltas`; gives the rows' losses back, each times its weight.

    With e = exp(-|z|) the probability is 1 / (1 + e) or e / (1 + e), and the cross-entropy log(1 + e), plus |z| where
    the prediction is on the wrong side.
    """

    def body(i, carried):
        z, y, weight = (v.load(work, start + i * LANES) for start in (sums, labels, weights))
        negative = z < 0.0
        s = v.where(negative, z, -z)
        e = exp(v, s)
        p = v.where(negative, e, 1.0) / (1.0 + e)
        error = p - y
        if squared:
            loss = error * error
            error = error * (2.0 * p * (1.0 - p))
        else:
            s = v.where(y > 0.5, z, -z)
            loss = v.where(s < 0.0, -s, 0.0) + log1p(v, e)
        v.store(work, deltas + i * LANES, weight * error)
        return [v.fma(weight, loss, carried[0])]

    total = v.repeat(count, [v.splat(0.0)], body)[0]
    return v.lane(_sums(v, [total]), 0)


# --- sums of products -------------------------------------------------------------------------------------------------


def _multiply(v, params, p, unit_step, input_step, work, source, target, stride, count, *, units, rows, rule):
    """The sums of `units` units for `rows` vectors of rows, in registers: work[target] = params[p] . work[source].

    "sum" is fused. "exact" rounds each product and each sum, from the first input to the last: the reference's own
    bits, for relu, whose slope jumps where a sum is zero. "blame" multiplies what stands in `target`, the slopes.
    """

    def body(k, sums):
        inputs = [v.load(work, source + k * stride + LANES * r) for r in range(rows)]
        weights = [v.splat(v.value(params, p + k * input_step + u * unit_step)) for u in range(units)]
        if rule == "exact":
            return [sums[u * rows + r] + weights[u] * inputs[r] for u in range(units) for r in range(rows)]
        return [v.fma(weights[u], inputs[r], sums[u * rows + r]) for u in range(units) for r in range(rows)]

    sums = v.repeat(count, [v.splat(0.0) for _ in range(units * rows)], body)
    for u in range(units):
        for r in range(rows):
            at = target + u * stride + LANES * r
            v.store(work, at, sums[u * rows + r] * v.load(work, at) if rule == "blame" else sums[u * rows + r])


def _sums(v, xs):
    """The sum of each of 8, 4, 2 or 1 vectors, as one vector of so many numbers."""
    sums = len(xs)
    while len(xs) > 1:
        xs = [_pairs(v, xs[i], xs[i + 1], 2 * LANES) for i in range(0, len(xs), 2)]
    x, width = xs[0], LANES
    while width > sums:
        x, width = _pairs(v, x, x, width), width // 2
    return x


def _pairs(v, x, y, width):
    """Neighbours added, in the first `width` lanes of x and y in a row."""
    return v.shuffle(x, y, list(range(0, width, 2))) + v.shuffle(x, y, list(range(1, width, 2)))


def _gradient(v, work, left, right, stride, count, state, g, step, *, inputs, outputs):
    """state[g] += left . right over the rows of a tile, for `inputs` rows of `left` and `outputs` of `right`."""

    def body(i, sums):
        a = [v.load(work, left + j * stride + i * LANES) for j in range(inputs)]
        d = [v.load(work, right + u * stride + i * LANES) for u in range(outputs)]
        return [v.fma(a[j], d[u], sums[j * outputs + u]) for j in range(inputs) for u in range(outputs)]

    sums = v.repeat(count, [v.splat(0.0) for _ in range(inputs * outputs)], body)
    for j in range(inputs):
        at = g + j * step
        v.store(state, at, v.load(state, at, outputs) + _sums(v, sums[j * outputs : (j + 1) * outputs]))


# --- rows in and out --------------------------------------------------------------------------------------------------


def _turn(v, X, at, width, work, target, stride):
    """Eight rows of eight inputs, `width` numbers apart, into eight inputs of eight rows: three perfect shuffles."""
    xs = [v.load(X, at + i * width) for i in range(LANES)]
    low = [k // 2 + LANES * (k % 2) for k in range(LANES)]
    high = [k + LANES // 2 for k in low]
    for _ in range(3):
        xs = [v.shuffle(xs[i], xs[i + 4], half) for i in range(4) for half in (low, high)]
    for j in range(LANES):
        v.store(work, target + j * stride, xs[j])


def _fill(v, work, at, count, x):
    """`count` vectors of the number `x`."""

    def body(i, _):
        v.store(work, at + i * LANES, v.splat(x))
        return []

    v.repeat(count, [], body)


# --- several classes --------------------------------------------------------------------------------------------------


def log(v, x):
    """The logarithm of a number from 1 to as many outputs as there are; NaN stays NaN."""
    k, mantissa = v.split(x)
    return v.fma(k, LN2, log1p(v, mantissa - 1.0)) + x * 0.0


def _softmax_loss(v, work, sums, deltas, labels, weights, stride, outputs, count):
    """What `_output_loss` does, for an output a class: with the largest sum taken off no power overflows.

    A probability near 1 has few digits left once the actual 1 is taken off, so it is rounded where the reference
    rounds it, as exp(sum - norm): dividing powers by their total (one power fewer) put Adam's first steps 5e-10 away.
    """

    def rows(i, carried):
        y, weight = v.load(work, labels + i * LANES), v.load(work, weights + i * LANES)

        def most(u, found):
            z = v.load(work, sums + u * stride + i * LANES)
            return [v.where(z > found[0], z, found[0])]

        largest = v.repeat(outputs, [v.load(work, sums + i * LANES)], most)[0]

        def powers(u, found):
            total, own, label = found
            z = v.load(work, sums + u * stride + i * LANES)
            own = v.where(label > 0.5, own, v.where(label < -0.5, own, z))
            return [total + exp(v, z - largest), own, label - 1.0]

        total, own, _ = v.repeat(outputs, [v.splat(0.0), v.splat(0.0), y], powers)
        norm = largest + log(v, total)

        def errors(u, found):
            label = found[0]
            actual = v.where(label > 0.5, v.splat(0.0), v.where(label < -0.5, v.splat(0.0), 1.0))
            p = exp(v, v.load(work, sums + u * stride + i * LANES) - norm)
            v.store(work, deltas + u * stride + i * LANES, weight * (p - actual))
            return [label - 1.0]

        v.repeat(outputs, [y], errors)
        return [v.fma(weight, norm - own, carried[0])]

    total = v.repeat(count, [v.splat(0.0)], rows)[0]
    return v.lane(_sums(v, [total]), 0)


# --- a step -----------------------------------------------------------------------------------------------------------


def _step(v, state, start, count, size, per_row, rate, keep, l2, epsilon, share, share2, *, optimizer, width):
    """The reference's `network_update` for `count` vectors of parameters from `start` on; clears their gradient."""

    def body(i, _):
        at = start + i * width
        x, g = v.load(state, at, width), v.load(state, at + size, width)
        first = v.load(state, at + 2 * size, width)
        g = v.fma(x, v.splat(l2, width), g * v.splat(per_row, width))
        x = x * v.splat(keep, width)
        if optimizer == "adam":
            second = v.load(state, at + 3 * size, width)
            first = v.fma(v.splat(1.0 - share, width), g, v.splat(share, width) * first)
            second = v.fma(v.splat(1.0 - share2, width), g * g, v.splat(share2, width) * second)
            v.store(state, at + 3 * size, second)
            x = x - (v.splat(rate, width) * first) / (v.root(second) + v.splat(epsilon, width))
        else:
            move = v.splat(-rate, width) * g
            first = v.fma(v.splat(share, width), first, move)
            x = x + (v.fma(v.splat(share, width), first, move) if optimizer == "nesterov" else first)
        v.store(state, at, x)
        v.store(state, at + size, v.splat(0.0, width))
        v.store(state, at + 2 * size, first)
        return []

    v.repeat(count, [], body)


# --- compiled ---------------------------------------------------------------------------------------------------------

sigmoid_units, tanh_units, relu_units = vectors(_sigmoid_units), vectors(_tanh_units), vectors(_relu_units)
entropy_loss, square_loss = vectors(_output_loss, squared=False), vectors(_output_loss, squared=True)
softmax_loss = vectors(_softmax_loss)
turn, ones, zeros = vectors(_turn), vectors(_fill, x=1.0), vectors(_fill, x=0.0)
sum_4x4, sum_1x4, sum_4x1, sum_1x1 = (
    vectors(_multiply, units=units, rows=rows, rule="sum") for rows in (4, 1) for units in (4, 1)
)
exact_4x4, exact_1x4, exact_4x1, exact_1x1 = (
    vectors(_multiply, units=units, rows=rows, rule="exact") for rows in (4, 1) for units in (4, 1)
)
blame_4x4, blame_1x4, blame_4x1, blame_1x1 = (
    vectors(_multiply, units=units, rows=rows, rule="blame") for rows in (4, 1) for units in (4, 1)
)
(gradient_2x8, gradient_2x4, gradient_2x2, gradient_2x1, gradient_1x8, gradient_1x4, gradient_1x2, gradient_1x1) = (
    vectors(_gradient, inputs=inputs, outputs=outputs) for inputs in (2, 1) for outputs in (8, 4, 2, 1)
)
(sgd_8, nesterov_8, adam_8, sgd_1, nesterov_1, adam_1) = (
    vectors(_step, optimizer=optimizer, width=width)
    for width in (LANES, 1)
    for optimizer in ("sgd", "nesterov", "adam")
)
