"""The `portable` engine: the reference with `elementary` in place of `math`, and a neuron's sum in eight parts.

Every step is one that IEEE 754 rounds in one way, and every sum has one order. So the weights have the same bits on
every machine: whatever the CPU, the operating system, the C library, Python, the compiler and the number of threads.

There is no copy of the specification here. `jit.rebuilt` compiles the functions of `strict.py`, which are those of
`reference.py`, with other functions under the names that they use. `plain` has those of `reference.py` itself, in plain
Python, for where nothing can be compiled: the same bits, a thousand times as slow.

The exception is a neuron's sum, whose order is part of what makes an engine fast: from left to right each addition
waits for the one before, which takes most of a row's time from 16 inputs on. Here, the products of inputs j, j + 8,
j + 16, ... are one of eight sums, and the sums are added in pairs.
"""

from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tinynet_fast.kernels import elementary, reference, strict
from tinynet_fast.kernels.compiler import simd
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, kernel, part, rebuilt
from tinynet_fast.kernels.compiler.simd import load, store, sum_of, unrolled

SOFTMAX = reference.SOFTMAX
PARTS = 8  # sums of a neuron
# What a power of two has for bits, times 16: adding k << 48 to entry k & 15 gives the bits of 2**(k/16).
POWERS = np.array([power for power, _ in elementary.SIXTEENTHS]).view(np.uint64)
POWERS -= np.arange(16, dtype=np.uint64) << np.uint64(48)
RESTS = np.array([rest for _, rest in elementary.SIXTEENTHS]).view(np.uint64)


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


math: Any = elementary if UNCOMPILED else compiled_math()


# --- one neuron -------------------------------------------------------------------------------------------------------


def plain_logit(x, weights, bias):
    """The neuron's sum for one row: eight sums side by side, then their sum, then what is left and the bias."""
    d, z = len(weights), 0.0
    whole = d - d % PARTS
    if whole:
        s = [x[j] * weights[j] for j in range(PARTS)]
        for j in range(PARTS, whole):
            s[j % PARTS] += x[j] * weights[j]
        z = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
    for j in range(whole, d):
        z += x[j] * weights[j]
    return z + bias[0]


@kernel
def logit(x, weights, bias):
    """`plain_logit`, with the eight sums in the lanes of a register."""
    d, z = len(weights), 0.0
    whole = d & ~7
    if whole:
        s = load(x, 0) * load(weights, 0)
        for j in range(8, whole, 8):
            s = s + load(x, j) * load(weights, j)
        z = sum_of(s)
    for j in range(whole, d):
        z += x[j] * weights[j]
    return z + bias[0]


@part(inline=True)
def nudged(x, nudge, ahead, weights):
    """Move the weights by nudge * x; returns their sum with the next row's inputs, without the bias."""
    d, z = len(weights), 0.0
    whole = d & ~7
    if whole:
        w = load(weights, 0) - nudge * load(x, 0)
        store(weights, 0, w)
        s = load(ahead, 0) * w
        for j in range(8, whole, 8):
            w = load(weights, j) - nudge * load(x, j)
            store(weights, j, w)
            s = s + load(ahead, j) * w
        z = sum_of(s)
    for j in range(whole, d):
        w_j = weights[j] - nudge * x[j]
        weights[j] = w_j
        z += ahead[j] * w_j
    return z


@kernel
def sgd_epochs(X, y, step, weights, bias, losses):
    """The reference's, with a row's nudges and the next row's sum in one sweep over the inputs, as in `strict.py`."""
    if len(X) == 0:
        return
    for epoch in range(len(losses)):
        z, total, b = logit(X[0], weights, bias), losses[epoch], bias[0]
        for i in range(len(X)):
            error = sigmoid(z) - y[i]
            total += error * error
            nudge = step[i] * error
            b -= nudge
            z = nudged(X[i], nudge, X[min(i + 1, len(X) - 1)], weights) + b
        losses[epoch], bias[0] = total, b


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
    """The kernels of `fast/many_neurons.py` with each product rounded: their order of sums is fixed. `plain` has NumPy
    run them, where nothing can be compiled."""
    from tinynet_fast.kernels.fast import many_neurons as fused

    others: dict[str, Any] = {"compiled": lambda function, signature: function} if plain else {}
    made = rebuilt(fused, __name__, plain, fma=product_and_sum, **others)
    return SimpleNamespace(**(vars(fused) | made))


# --- the engine's kernels ---------------------------------------------------------------------------------------------

NUMBERS = {name: value for name, value in strict.KNOWN.items() if name not in vars(strict)}  # the reference's own
globals().update(rebuilt(strict, __name__, **NUMBERS, math=math, logit=logit, sgd_epochs=sgd_epochs))
sigmoid: Any = globals()["sigmoid"]  # as strict's, with another exp
activate: Any = globals()["activate"]
log_total: Any = globals()["log_total"]


def _plain() -> SimpleNamespace:
    """The functions of `reference.py`, in plain Python."""
    known = {**vars(reference), "math": elementary, "__name__": __name__, "logit": plain_logit}
    for name, function in vars(reference).items():
        if isinstance(function, FunctionType) and name != "logit":
            known[name] = FunctionType(function.__code__, known, name, function.__defaults__)
    for compiled in (powers, cosines, probabilities):
        function = getattr(compiled, "py_func", compiled)
        known[function.__name__] = FunctionType(function.__code__, known, function.__name__)
    return SimpleNamespace(**known)


plain = _plain()
