"""The parts of `network.py`: what is done to a tile of rows, in vectors of eight rows. See there for how they fit.

Bounds on relative errors, over every double: exp and sigmoid 4e-16 (2.7e-16 seen), tanh and logarithms 5e-16 (3.6e-16).
"""

from functools import partial

from tinynet_fast.kernels.compiler.vectors import LANES, vectors

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
# Numbers that say how to descend: one over the batch's weight, rate, keep, l2, momentum; and how often the velocity and
# the step go onto the parameters, which is once and not at all or, for Nesterov, `momentum` times and once.
DESCENT = 7


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
    """1 / (1 + exp(-z)). Below -709.4, where exp(-z) is more than 2**1023, it is 0: by way of 709.9, where t is above 0
    and the power infinite; where t is below 0, infinity and minus infinity would add up to NaN."""
    x = v.where(-z < -708.0, -708.0, -z)
    scale, t = power(v, v.where(x > 709.4, 709.9, x))
    return 1.0 / (1.0 + v.fma(scale, t, scale))


def tanh(v, z):
    """The hyperbolic tangent, as e / (e + 2) of e = exp(2|z|) - 1, which keeps its digits near 0."""
    negative = z < 0.0
    x = v.where(negative, -z, z)
    scale, t = power(v, clamp(v, x + x, 0.0, 60.0))
    e = v.fma(scale, t, scale - 1.0)
    a = e / (e + 2.0)
    return v.where(negative, -a, a)


def log1p(v, f, k=0.0):
    """log(1 + f) + k log(2), for f from -0.29 to 1; 1 + f is halved where it is over the root of two."""
    large = f > SQRT2 - 1.0
    f = v.where(large, 0.5 * f - 0.5, f)
    s = f / (2.0 + f)
    s2 = s * s
    s4 = s2 * s2
    low = v.fma(s4, v.fma(s2, LOG[3], LOG[2]), v.fma(s2, LOG[1], LOG[0]))
    high = v.fma(s4, LOG[6], v.fma(s2, LOG[5], LOG[4]))
    series = v.fma(s4 * s4, high, low)
    return v.fma(v.where(large, 1.0, 0.0) + k, LN2, v.fma(s * s2, series, s + s))


def log_sum(v, t):
    """log(1 + t) for any t that is not negative; NaN stays NaN."""
    k, mantissa = v.split(1.0 + t)
    return log1p(v, v.where(k > 0.0, mantissa - 1.0, t), k) + t * 0.0


# --- units ------------------------------------------------------------------------------------------------------------


def _sigmoid_units(v, work, values, slopes, count):
    def body(i, _):
        a = sigmoid(v, v.load(work, values + i * LANES))
        v.store(work, values + i * LANES, a)
        v.store(work, slopes + i * LANES, v.fma(-a, a, a))  # rounded once: as close to a * (1 - a)
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


def _output_loss(v, work, sums, deltas, labels, weights, count, *, loss):
    """From the output's sums its `deltas`; gives the rows' losses back, each times its weight.

    With e = exp(-|z|) the probability is 1 / (1 + e) or e / (1 + e), and the cross-entropy log(1 + e), plus |z| where
    the prediction is on the wrong side. "plain" is for rows that all have the weight 1: it takes one logarithm for all
    rows in a lane, of the product of their 1 + e, which is kept as the product less 1, so that no digit is lost.
    """

    def body(i, carried):
        z, y, weight = (v.load(work, start + i * LANES) for start in (sums, labels, weights))
        negative = z < 0.0
        e = exp(v, v.where(negative, z, -z))
        p = v.where(negative, e, 1.0) / (1.0 + e)
        error = p - y
        s = v.where(y > 0.5, z, -z)
        wrong = v.where(s < 0.0, -s, 0.0)
        if loss == "squared error":
            v.store(work, deltas + i * LANES, weight * (error * (2.0 * p * (1.0 - p))))
            return [v.fma(weight, error * error, carried[0]), carried[1]]
        if loss == "weighted":
            v.store(work, deltas + i * LANES, weight * error)
            return [v.fma(weight, wrong + log1p(v, e), carried[0]), carried[1]]
        v.store(work, deltas + i * LANES, error)
        return [carried[0] + wrong, v.fma(carried[1], e, carried[1] + e)]

    total, product = v.repeat(count, [v.splat(0.0), v.splat(0.0)], body)
    return v.lane(_sums(v, [total + log_sum(v, product) if loss == "plain" else total]), 0)


# --- sums of products -------------------------------------------------------------------------------------------------


def _multiply(v, params, p, unit_step, input_step, work, source, target, stride, count, *, units, rows, rule):
    """The sums of `units` units for `rows` vectors of rows, in registers: work[target] = params[p] . work[source].

    "exact" rounds each product and each sum, from the first input to the last: the reference's own
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


def _sums(v, xs, width=LANES):
    """The sum of each of 8, 4, 2 or 1 vectors of `width` numbers or more, as one vector of so many numbers."""
    sums = len(xs)
    while len(xs) > 1:
        xs = [_pairs(v, xs[i], xs[i + 1], 2 * width) for i in range(0, len(xs), 2)]
    x = xs[0]
    while width > sums:
        x, width = _pairs(v, x, x, width), width // 2
    return x


def _pairs(v, x, y, width):
    """Neighbours added, in the first `width` lanes of x and y in a row."""
    return v.shuffle(x, y, list(range(0, width, 2))) + v.shuffle(x, y, list(range(1, width, 2)))


def _gradient(v, work, left, right, stride, count, state, at, step, size, how, *, inputs, outputs, rule):
    """left . right over the rows of a tile, for `inputs` rows of `left` and `outputs` of `right`: onto the gradient.

    Or, where the tile is the whole batch, straight into the parameters: for four rows half of the time went into
    writing the gradient, waiting for it and reading it again.
    """

    def body(i, sums):
        a = [v.load(work, left + j * stride + i * LANES) for j in range(inputs)]
        d = [v.load(work, right + u * stride + i * LANES) for u in range(outputs)]
        return [v.fma(a[j], d[u], sums[j * outputs + u]) for j in range(inputs) for u in range(outputs)]

    sums = v.repeat(count, [v.splat(0.0) for _ in range(inputs * outputs)], body)
    for j in range(inputs):
        p, g = at + j * step, _sums(v, sums[j * outputs : (j + 1) * outputs])
        if rule == "step":
            splat = partial(v.splat, width=outputs)
            x, first = v.load(state, p, outputs), v.load(state, p + 2 * size, outputs)
            x, first = _descend(v, x, first, g, *(splat(v.value(work, how + k)) for k in range(DESCENT)))
            v.store(state, p, x)
            v.store(state, p + 2 * size, first)
        else:
            v.store(state, p + size, v.load(state, p + size, outputs) + g)


def _descend(v, x, first, g, per_row, rate, keep, l2, share, onward, again):
    """Parameters and velocities after a step of plain descent, or with momentum, or with Nesterov's.

    x * keep is rounded by itself, as in the plain loop. Fused, it made weights 2e-13 wrong in 300,000 updates.
    """
    move = rate * v.fma(x, l2, g * per_row)
    first = share * first - move
    return x * keep + (onward * first - again * move), first


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


def _turn_pairs(v, X, at, work, target, stride):
    """Eight rows of two inputs: the scalar loop took 0.5 ns a row."""
    x, y = v.load(X, at), v.load(X, at + LANES)
    v.store(work, target, v.shuffle(x, y, list(range(0, 2 * LANES, 2))))
    v.store(work, target + stride, v.shuffle(x, y, list(range(1, 2 * LANES, 2))))


def _collect(v, X, at, last, width, work, target, stride, count):
    """Eight rows of the next `count` inputs, one number at a time. Rows after row `last` repeat it.

    Put together in a register: a vector read back from eight small stores has to wait until they have left the CPU.
    """
    rows = [v.least(last, k) * width + at for k in range(1, LANES)]

    def body(j, _):
        v.store(work, target + j * stride, v.together([v.value(X, row + j) for row in [at, *rows]]))
        return []

    v.repeat(count, [], body)


def _label(v, y, weight, start, count, work, labels, weights, found):
    """Labels and sample weights of `count` vectors of rows.

    work[found] becomes the sum of the weights, work[found + 1] something above 0 where one is not 1.
    """

    def body(i, carried):
        v.store(work, labels + i * LANES, v.load(y, start + i * LANES))
        w = v.load(weight, start + i * LANES)
        v.store(work, weights + i * LANES, w)
        return [carried[0] + w, v.fma(w - 1.0, w - 1.0, carried[1])]

    sums = v.repeat(count, [v.splat(0.0), v.splat(0.0)], body)
    v.store(work, found, _sums(v, sums))


def _label_last(v, y, weight, start, m, work, labels, weights):
    """The same for m rows, seven at most, which are a tile's last; gives the sum of their weights."""
    rows = [v.least(m - 1, k) + start for k in range(LANES)]
    v.store(work, labels, v.together([v.value(y, row) for row in rows]))
    w = v.together([v.value(weight, row) for row in rows]) * v.first(m)
    v.store(work, weights, w)
    return v.lane(_sums(v, [w]), 0)


def _fill(v, work, at, count, x):
    """`count` vectors of the number `x`."""

    def body(i, _):
        v.store(work, at + i * LANES, v.splat(x))
        return []

    v.repeat(count, [], body)


# --- several classes --------------------------------------------------------------------------------------------------


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
        norm = largest + log_sum(v, total - 1.0)

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


def _step(v, state, start, count, size, work, rule, *, adam, width):
    """The reference's `network_update` for `count` vectors of parameters from `start` on; clears their gradient.

    work[rule] begins with what `_descend` takes; Adam takes the first five of it, and epsilon and its second share.
    """
    splat = partial(v.splat, width=width)
    given = [splat(v.value(work, rule + k)) for k in range(DESCENT + 2)]

    def body(i, _):
        at = start + i * width
        x, g, first = (v.load(state, at + k * size, width) for k in range(3))
        if adam:
            per_row, rate, keep, l2, share, _, _, epsilon, share2 = given
            g = v.fma(x, l2, g * per_row)
            first = v.fma(1.0 - share, g, share * first)
            second = v.fma(1.0 - share2, g * g, share2 * v.load(state, at + 3 * size, width))
            v.store(state, at + 3 * size, second)
            x = x * keep - (rate * first) / (v.root(second) + epsilon)
        else:
            x, first = _descend(v, x, first, g, *given[:DESCENT])
        v.store(state, at, x)
        v.store(state, at + size, splat(0.0))
        v.store(state, at + 2 * size, first)
        return []

    v.repeat(count, [], body)


# --- compiled ---------------------------------------------------------------------------------------------------------

sigmoid_units, tanh_units, relu_units = vectors(_sigmoid_units), vectors(_tanh_units), vectors(_relu_units)
plain_entropy, weighted_entropy, squared_error = (
    vectors(_output_loss, gives=True, loss=loss) for loss in ("plain", "weighted", "squared error")
)
softmax_loss = vectors(_softmax_loss, gives=True)
turn, turn_pairs, collect, ones = vectors(_turn), vectors(_turn_pairs), vectors(_collect), vectors(_fill, x=1.0)
label, label_last = vectors(_label), vectors(_label_last, gives=True)
sums = {
    rule: [vectors(_multiply, units=units, rows=rows, rule=rule) for rows in (4, 1) for units in (4, 1)]
    for rule in ("fused", "exact", "blame")
}
gradients = {
    rule: [vectors(_gradient, inputs=inputs, outputs=outputs, rule=rule) for inputs in (2, 1) for outputs in (8, 4, 1)]
    for rule in ("onto", "step")
}
descend_8, descend_1, adam_8, adam_1 = (
    vectors(_step, adam=adam, width=width) for adam in (False, True) for width in (LANES, 1)
)
