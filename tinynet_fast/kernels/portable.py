"""The `portable` engine: the reference with `elementary` in place of `math`, and a neuron's sum in eight parts.

Every step is one that IEEE 754 rounds in one way, and every sum has one order. So the weights have the same bits on
every machine: whatever the CPU, the operating system, the C library, Python, the compiler and the number of threads.

There is no copy of the specification here. `jit.rebuilt` compiles the functions of `strict.py`, which are those of
`reference.py`, with other functions under the names that they use. `plain` has those of `reference.py` itself, in plain
Python, in case nothing can be compiled: the same bits, a thousand times as slow.

There are two exceptions, both for a neuron, which waits at each row for its sum and its sigmoid:

- From 16 inputs on, the products of inputs j, j + 8, j + 16, ... are one of eight sums, and the sums are added in
  pairs. From left to right, each addition waits for the one before.
- While a neuron learns, its sigmoid is that of `sigmoid_table.py`.

The latencies from one row to the next add up to 63 cycles for 2 inputs and 79 for 16 inputs. With exp and a division,
and one sum, they are 93 and 135; in `strict`, whose exp fuses products with sums, 76 and 118. With a look-ahead as in
`fast` it would be 46, but the bits would depend on where an epoch is cut into blocks.

Networks take eight hidden units at a time, each with the reference's order of sums.
"""

from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tinynet_fast.kernels import elementary, reference, sigmoid_table, strict
from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, kernel, part, rebuilt
from tinynet_fast.kernels.compiler.simd import full, load, store, sum_of, unrolled, where
from tinynet_fast.kernels.point_functions import IDENTITY
from tinynet_fast.kernels.reference import LEAK, LEAKY_RELU, RELU, SIGMOID, SILU, SOFTMAX, TANH

PARTS, WIDE = 8, 16  # sums of a neuron; from how many inputs on
# What a power of two has for bits, times 16: adding k << 48 to entry k & 15 gives the bits of 2**(k/16).
POWERS = np.array([power for power, _ in elementary.SIXTEENTHS]).view(np.uint64)
POWERS -= np.arange(16, dtype=np.uint64) << np.uint64(48)
RESTS = np.array([rest for _, rest in elementary.SIXTEENTHS]).view(np.uint64)
LOW_BITS = np.uint64(0xFFFF)  # the number of a node of the sigmoid


# --- elementary functions, for numbers and for lanes ------------------------------------------------------------------


def power_of_sixteenths(shifted):
    """`elementary.power_of_sixteenths`, from the bits of a number."""
    k = simd.as_bits(shifted)
    return simd.as_double(simd.look_up(POWERS, k) + (k << 48)), simd.as_double(simd.look_up(RESTS, k))


def taken_apart(x):
    """`elementary.taken_apart`, from the bits of a number."""
    m, k = simd.mantissa(x), simd.to_double(simd.as_bits(x) >> 52) - 1023.0
    large = m > elementary.SQRT2
    return simd.where(large, 0.5 * m, m), simd.where(large, k + 1.0, k)


def compiled_math() -> ModuleType:
    """`elementary` for kernels; Numba takes names from modules alone."""
    found = ModuleType("tinynet_fast.kernels.portable_math")
    own = {"where": simd.where, "power_of_sixteenths": power_of_sixteenths, "taken_apart": taken_apart}
    made = rebuilt(elementary, __name__, **own)
    for name in elementary.__all__:
        function = made.get(name)
        value = unrolled(function) if isinstance(function, FunctionType) else getattr(elementary, name)
        setattr(found, name, value)
    return found


of_lanes: Any = compiled_math()
math: Any = elementary if UNCOMPILED else of_lanes  # of a number; plain Python is faster than NumPy for one


# --- one neuron -------------------------------------------------------------------------------------------------------


def place(shifted):
    """`sigmoid_table.place`, from the bits of a number."""
    return np.int64(simd.as_bits(shifted) & LOW_BITS) * sigmoid_table.STRIDE


in_kernels = {"place": part(inline=True)(place), "exp": of_lanes.exp, "TABLE": np.array(sigmoid_table.TABLE)}
kernel_sigmoid: Any = part(inline=True)(FunctionType(sigmoid_table.sigmoid.__code__, vars(sigmoid_table) | in_kernels))
table_sigmoid: Any = sigmoid_table.sigmoid if UNCOMPILED else kernel_sigmoid  # as `math`


def plain_logit(x, weights, bias):
    """The neuron's sum for one row: the inputs from left to right, the bias last. Before the bias, a wide neuron adds
    its first inputs, up to a multiple of eight: eight sums side by side."""
    d, z = len(weights), 0.0
    whole = d - d % PARTS if d >= WIDE else 0
    for j in range(whole, d):
        z += x[j] * weights[j]
    if whole:
        s = [x[j] * weights[j] for j in range(PARTS)]
        for j in range(PARTS, whole):
            s[j % PARTS] += x[j] * weights[j]
        z += ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]))
    return z + bias[0]


@unrolled
def four(array, at):
    """Four numbers of an array."""
    return load(array, at, 4)


@kernel
def logit(x, weights, bias):
    """`plain_logit`, with the eight sums in two registers of four lanes."""
    d, z = len(weights), 0.0
    whole = d & ~7 if d >= WIDE else 0
    for j in range(whole, d):
        z += x[j] * weights[j]
    if whole:
        s, t = four(x, 0) * four(weights, 0), four(x, 4) * four(weights, 4)
        for j in range(8, whole, 8):
            s = s + four(x, j) * four(weights, j)
            t = t + four(x, j + 4) * four(weights, j + 4)
        z += sum_of(s + t)
    return z + bias[0]


@part(inline=True)
def nudged(X, i, k, nudge, weights):
    """Move the weights by nudge * row i; returns their sum with the inputs of row k, without the bias.

    Four lanes a register: a store of eight crosses two cache lines, and to read it again took 16 inputs 36 ns and not
    30. From 8 to 15 inputs, lanes were slower than one sum.
    """
    d, z = len(weights), 0.0
    whole = d & ~7 if d >= WIDE else 0
    for j in range(whole, d):
        weights[j] -= nudge * X[i, j]
        z += X[k, j] * weights[j]
    if whole:
        x, ahead = X[i], X[k]
        v, w = four(weights, 0) - nudge * four(x, 0), four(weights, 4) - nudge * four(x, 4)
        store(weights, 0, v)
        store(weights, 4, w)
        s, t = four(ahead, 0) * v, four(ahead, 4) * w
        for j in range(8, whole, 8):
            v, w = four(weights, j) - nudge * four(x, j), four(weights, j + 4) - nudge * four(x, j + 4)
            store(weights, j, v)
            store(weights, j + 4, w)
            s = s + four(ahead, j) * v
            t = t + four(ahead, j + 4) * w
        z += sum_of(s + t)
    return z


@kernel
def sgd_epochs(X, y, step, weights, bias, losses):
    """The reference's, with a row's nudges and the next row's sum in one sweep over the inputs, as in `strict.py`."""
    if len(X) == 0:
        return
    for epoch in range(len(losses)):
        z = logit(X[0], weights, bias)
        for i in range(len(X)):
            error = table_sigmoid(z) - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            bias[0] -= nudge
            z = nudged(X, i, min(i + 1, len(X) - 1), nudge, weights) + bias[0]


# --- a network --------------------------------------------------------------------------------------------------------


@part(inline=True)
def activate_eight(z, activation):
    """`activate` for eight hidden units at a time."""
    a, slope = z, full(1.0)  # the identity
    if activation == SIGMOID:
        a = 1.0 / (1.0 + of_lanes.exp(-z))
        slope = a * (1.0 - a)
    elif activation == TANH:
        a = of_lanes.tanh(z)
        slope = 1.0 - a * a
    elif activation == RELU:
        a, slope = where(z > 0.0, z, 0.0), where(z > 0.0, full(1.0), 0.0)
    elif activation == LEAKY_RELU:
        a, slope = where(z > 0.0, z, LEAK * z), where(z > 0.0, full(1.0), LEAK)
    elif activation == SILU:
        share = 1.0 / (1.0 + of_lanes.exp(-z))
        a = z * share
        slope = share + a * (1.0 - share)
    return a, slope


@kernel
def network_forward(x, mask, layers, params, units):
    """The reference's, with eight units of a hidden layer at a time."""
    values, deltas = units[at.VALUES], units[at.DELTAS]
    for j in range(layers[0, at.INPUTS]):
        values[j] = x[j]
    first, source, p, last = layers[0, at.INPUTS], 0, 0, len(layers) - 1
    for layer in range(len(layers)):
        inputs, outputs, activation = layers[layer, at.INPUTS], layers[layer, at.OUTPUTS], layers[layer, at.ACTIVATION]
        target, biases = source + inputs, p + inputs * outputs
        whole = outputs & ~7 if layer < last and activation <= IDENTITY else 0  # a later one takes turns
        for u in range(0, whole, 8):
            z8 = full(0.0)
            for j in range(inputs):
                z8 = z8 + values[source + j] * load(params, p + j * outputs + u)
            a8, slope8 = activate_eight(z8 + load(params, biases + u), activation)
            if len(mask) > 0:
                kept = load(mask, target + u - first)
                a8, slope8 = a8 * kept, slope8 * kept
            store(values, target + u, a8)
            store(deltas, target + u, slope8)
        for u in range(whole, outputs):
            z = 0.0
            for j in range(inputs):
                z += values[source + j] * params[p + j * outputs + u]
            z += params[biases + u]
            a, slope = activate(z, activation)
            values[target + u] = a
            deltas[target + u] = z if layer == last else slope
            if layer < last and len(mask) > 0:
                values[target + u] *= mask[target + u - first]
                deltas[target + u] *= mask[target + u - first]
        if activation == SOFTMAX:
            norm = log_total(deltas, target, outputs)
            for u in range(outputs):
                values[target + u] = math.exp(deltas[target + u] - norm)
        source, p = target, biases + outputs


@part(inline=True)
def add_products(gradient, at_first, value, deltas, first, count):
    """gradient[at_first + u] += value * deltas[first + u] for `count` units."""
    whole = count & ~7
    for u in range(0, whole, 8):
        store(gradient, at_first + u, load(gradient, at_first + u) + value * load(deltas, first + u))
    for u in range(whole, count):
        gradient[at_first + u] += value * deltas[first + u]


@kernel
def network_backward(y, first, weight, rule, layers, params, units, gradient):
    """The reference's, with eight units at a time; it asks for no blame of the inputs."""
    values, deltas, last = units[at.VALUES], units[at.DELTAS], len(layers) - 1
    ends, outputs = layers[last, at.ACTIVATION], layers[last, at.OUTPUTS]
    target, p = len(values) - outputs, len(params)
    for u in range(outputs):
        actual = y[first + u] if ends != SOFTMAX else 1.0 if int(y[first]) == u else 0.0
        z, prediction = deltas[target + u], values[target + u]
        deltas[target + u] = weight * loss_slope(z, prediction, actual, rule[at.LOSS], rule[at.LOSS_SHAPE])
    for layer in range(last, -1, -1):
        inputs, outputs = layers[layer, at.INPUTS], layers[layer, at.OUTPUTS]
        source, biases = target - inputs, p - outputs
        p = biases - inputs * outputs
        add_products(gradient, biases, 1.0, deltas, target, outputs)
        for j in range(inputs):
            add_products(gradient, p + j * outputs, values[source + j], deltas, target, outputs)
            if layer > 0:
                blame = 0.0
                for u in range(outputs):
                    blame += params[p + j * outputs + u] * deltas[target + u]
                deltas[source + j] = blame * deltas[source + j]
        target = source


# --- numbers of schedules ---------------------------------------------------------------------------------------------


@kernel
def powers(x, y, out):
    """x**y of each pair."""
    for i in range(len(x)):
        out[i] = math.pow(x[i], y[i])


@kernel
def cosines(shares, out):
    """cos(pi * share) of each share."""
    for i in range(len(shares)):
        out[i] = math.cosine(shares[i])


# --- what models predict ----------------------------------------------------------------------------------------------


@kernel
def probabilities(sums, activation):
    """Each row of sums becomes what a layer with that activation gives for it."""
    for i in range(len(sums)):
        row = sums[i]
        outputs = len(row)
        if activation == SOFTMAX:
            norm = log_total(row, 0, outputs)
            for u in range(outputs):
                row[u] = math.exp(row[u] - norm)
        else:
            for u in range(outputs):
                row[u] = activate(row[u], activation)[0]


# --- many neurons -----------------------------------------------------------------------------------------------------


@unrolled
def product_and_sum(x, y, z):
    """In place of `simd.fma`, which rounds once on one CPU and twice on another."""
    return x * y + z


def many_neurons(plain: bool = False) -> SimpleNamespace:
    """The kernels of `fast/many_neurons.py` with each product rounded: their order of sums is fixed. With `plain`,
    NumPy runs them, in case nothing can be compiled."""
    from tinynet_fast.kernels.fast import many_neurons as fused

    others: dict[str, Any] = {"for_rows": lambda function, words, X: (function, X)} if plain else {}
    made = rebuilt(fused, __name__, plain, fma=product_and_sum, **others)
    return SimpleNamespace(**(vars(fused) | made))


# --- the engine's kernels ---------------------------------------------------------------------------------------------

NUMBERS = {name: value for name, value in strict.KNOWN.items() if name not in vars(strict)}  # the reference's own
own = {each.__name__: each for each in (logit, sgd_epochs, network_forward, network_backward)}
# What a neuron learns by takes its sigmoid from the table. Networks, and what models predict, have 1 / (1 + exp(-z)).
learning = {**NUMBERS, "__name__": __name__, "sigmoid": table_sigmoid}
own["predicted"] = part(inline=True)(FunctionType(reference.predicted.__code__, learning))
globals().update(rebuilt(strict, __name__, **NUMBERS, **own, math=math))
learning["exponential"] = globals()["exponential"]
sigmoid: Any = globals()["sigmoid"]  # strict's, with another exp
activate: Any = globals()["activate"]
log_total: Any = globals()["log_total"]
loss_slope: Any = globals()["loss_slope"]


def _plain() -> SimpleNamespace:
    """The functions of `reference.py`, in plain Python."""
    known = {**vars(reference), "math": elementary, "__name__": __name__, "logit": plain_logit}
    of_neurons = {"sgd_epochs", "predicted"}  # as above
    learning = known | {"sigmoid": sigmoid_table.sigmoid}
    for name, function in vars(reference).items():
        if isinstance(function, FunctionType) and name != "logit":
            finds = learning if name in of_neurons else known
            known[name] = FunctionType(function.__code__, finds, name, function.__defaults__)
    learning["exponential"] = known["exponential"]
    for compiled in (powers, cosines, probabilities):
        function = getattr(compiled, "py_func", compiled)
        known[function.__name__] = FunctionType(function.__code__, known, function.__name__)
    return SimpleNamespace(**known)


plain = _plain()
