"""How a network's parameters follow their gradient, in registers: the reference's `network_step`."""

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.compiler.jit import part
from tinynet_fast.kernels.compiler.simd import (
    REGISTER,
    as_bits,
    as_double,
    fma,
    full,
    join,
    load,
    registers,
    sqrt,
    store,
    unrolled,
)
from tinynet_fast.kernels.reference import ADAGRAD, ADAM, NESTEROV, RMSPROP, SGD

# Numbers that say how to descend: one over the batch's weight, rate, keep, l2, momentum; and how often the velocity and
# the step go onto the parameters, which is once and not at all or, for Nesterov, `momentum` times and once.
DESCENT = 7
RULES = 2 * REGISTER  # the room that these and two more numbers have, for weights and again for biases
GUESS = 0x5FE6EB50C7B537A9  # bits of 1 / sqrt(v), less half of v's bits


def inlined(function):
    """A part that is used once or twice: typed and compiled as if it stood in its caller, which has the same flags.

    Half the time to compile, and small networks 1.6 times as fast, because fewer arguments go through memory.
    """
    return part(inline=True)(function)


def named(name):
    """A part that is made more than once, each time with other blocks, and so needs a name for each.

    Numba tells compiled parts apart by name and by a count that starts anew in every process. Without this, a kernel
    from the cache and one compiled beside it (for float32 rows) took each other's parts.
    """

    def decorate(function):
        function.__name__ = function.__qualname__ = name
        return part(inner=True)(function)

    return decorate


@unrolled
def descended(x, first, g, per_row, rate, keep, l2, share, onward, again):
    """Parameters and velocities after a step of plain descent, or with momentum, or with Nesterov's.

    x * keep is rounded by itself, as in the plain loop. Fused, it made weights 2e-13 wrong in 300,000 updates.
    """
    move = rate * fma(x, l2, g * per_row)
    first = share * first - move
    return x * keep + (onward * first - again * move), first


@unrolled
def load_rule(work, rule):
    """How to step: what `descended` takes, and epsilon and the second share of the other optimizers."""
    return tuple(work[rule + k] for k in range(DESCENT + 2))


@unrolled
def load_rules(work, rule):
    """The same for eight networks, which step each in its own way."""
    return tuple(load(work, rule + k * REGISTER) for k in range(DESCENT + 2))


def quotient(x, second, epsilon):
    return x / (sqrt(second) + epsilon)


def quotients(x, second, epsilon):
    """The same for pairs of registers, with a division each and no root; these take 16 and 19 cycles for eight doubles.

    1 / a is b / ab. The root is v / sqrt(v), the latter by a guess from v's exponent (3.4% off: Lomont, Fast inverse
    square root, 2003) and two steps of Newton's method of the fourth order. A square that overflows gives NaN.
    """
    y = as_double(GUESS - (as_bits(second) >> 1))
    miss = fma(-(second * y), y, 1.0)
    y = fma(y * miss, fma(miss, fma(miss, 0.3125, 0.375), 0.5), y)
    root = second * y
    miss = fma(-root, y, 1.0)
    root = fma(root * miss, fma(miss, fma(miss, 0.3125, 0.375), 0.5), root)
    inverses, roots = [], registers(root + epsilon)
    for a, b in zip(roots[::2], roots[1::2], strict=True):
        inverse = 1.0 / (a * b)
        inverses += [inverse * b, inverse * a]
    return x * join(inverses)


def _step(state, at, size, rule, *, optimizer, width, quotient=quotient):
    """The reference's `network_step` for `width` parameters from place `at` on; clears their gradient."""
    x, g, first = (load(state, at + k * size, width) for k in range(3))
    if optimizer == SGD:
        x, first = descended(x, first, g, *rule[:DESCENT])
    else:
        per_row, rate, keep, l2, share, _, _, epsilon, share2 = rule
        g = fma(x, l2, g * per_row)
        second, move = load(state, at + 3 * size, width), g
        if optimizer == ADAM:
            move = first = fma(1.0 - share, g, share * first)
        second = fma(g, g, second) if optimizer == ADAGRAD else fma(1.0 - share2, g * g, share2 * second)
        store(state, at + 3 * size, second)
        x = x * keep - quotient(rate * move, second, epsilon)
    store(state, at, x)
    store(state, at + size, full(0.0, width))
    store(state, at + 2 * size, first)


def _steps(optimizer):
    """`_step` for all parameters from `start` to `stop`. SGD has both kinds of momentum, by the numbers of its rule."""
    eight, one = (unrolled(_step, optimizer=optimizer, width=width) for width in (REGISTER, 1))

    @named(f"steps_{optimizer}")
    def steps(state, start, stop, size, work, rule):
        how, eights = load_rule(work, rule), start + (stop - start) // REGISTER * REGISTER
        for at in range(start, eights, REGISTER):
            eight(state, at, size, how)
        for at in range(eights, stop):
            one(state, at, size, how)

    return steps


def _steps_of_networks(optimizer):
    """The same for eight networks, a parameter of which is a register, as is each number of the rule."""
    one = unrolled(_step, optimizer=optimizer, width=REGISTER)

    @unrolled
    def four(state, at, size, rule):
        rules = [join([x] * 4) for x in rule]
        _step(state, at, size, rules, optimizer=optimizer, width=(0,) * 4, quotient=quotients)

    @named(f"steps_{optimizer}_of_networks")
    def steps(state, start, stop, size, work, rule):
        how, fours = load_rules(work, rule), start + ((stop - start) & ~3)
        for p in range(start, fours, 4):
            four(state, p * REGISTER, size * REGISTER, how)
        for p in range(fours, stop):
            one(state, p * REGISTER, size * REGISTER, how)

    return steps


def _range(steps):
    """`network_step` for the parameters from `start` to `stop`."""
    sgd_steps, adam_steps, rmsprop_steps, adagrad_steps = map(steps, (SGD, ADAM, RMSPROP, ADAGRAD))

    @inlined
    def step_range(optimizer, state, start, stop, size, work, rule):
        if optimizer == ADAM:
            adam_steps(state, start, stop, size, work, rule)
        elif optimizer == RMSPROP:
            rmsprop_steps(state, start, stop, size, work, rule)
        elif optimizer == ADAGRAD:
            adagrad_steps(state, start, stop, size, work, rule)
        else:
            sgd_steps(state, start, stop, size, work, rule)

    return step_range


step_range, step_networks = _range(_steps), _range(_steps_of_networks)


@inlined
def layer_at(layers, layer):
    """A layer's inputs, outputs and activation, from where the table of layers begins."""
    row = layout.LAYER_COLUMNS * layer
    return layers[row + layout.INPUTS], layers[row + layout.OUTPUTS], layers[row + layout.ACTIVATION]


@inlined
def set_rule(how, total, schedule, rule):
    """How to step, for `_step`: for weights, and for biases, which neither keep nor l2 touches."""
    at = 0
    rate, keep = schedule[layout.RATE], schedule[layout.KEEP]
    l2, epsilon = schedule[layout.L2], schedule[layout.EPSILON]
    nesterov, share, share2 = rule[layout.OPTIMIZER] == NESTEROV, rule[layout.FIRST_SHARE], rule[layout.SECOND_SHARE]
    for _ in range(2):
        per_row = 1.0 / total if total > 0.0 else 0.0
        how[at], how[at + 1], how[at + 2], how[at + 3], how[at + 4] = per_row, rate, keep, l2, share
        how[at + 5], how[at + 6] = share if nesterov else 1.0, 1.0 if nesterov else 0.0
        how[at + DESCENT], how[at + DESCENT + 1] = epsilon, share2
        at, keep, l2 = at + RULES, 1.0, 0.0


@inlined
def step(total, plain, optimizer, layers, depth, state, first, last, size, how):
    """`network_update` of the parameters from `first` to `last`.

    It takes one sweep where weights and biases are treated alike, and are `plain`.
    """
    if not total > 0.0:
        for p in range(size + first, size + last):
            state[p] = 0.0
    elif plain:
        step_range(optimizer, state, first, last, size, how, 0)
    else:
        start = 0
        for layer in range(depth):
            inputs, outputs, _ = layer_at(layers, layer)
            biases = start + inputs * outputs
            step_range(optimizer, state, max(start, first), max(start, first, min(biases, last)), size, how, 0)
            start = biases + outputs
            stop = max(biases, first, min(start, last))
            step_range(optimizer, state, max(biases, first), stop, size, how, RULES)
