"""Proof that the checks can fail: mistakes planted in copies of the kernels, each of which has to be caught.

A mistake in one engine is caught by comparing it with the reference; one that the reference had as well is caught by
the oracles, which know nothing of it.
"""

# ruff: noqa: E501 - a line a mistake

import importlib
import inspect
import os
import types

import numpy as np
import oracles
import pytest
from plain_jit import plain_copy

from tinynet_fast.cli import app
from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.compiler import intrinsics
from tinynet_fast.kernels.engines import ENGINES, FAST
from tinynet_fast.kernels.fast import neuron, regularized_neuron
from tinynet_fast.proof import validate

njit = pytest.importorskip("numba", reason="Numba compiles a copy with other flags").njit

# name, what stands in the source, what is planted in its place
IN_STRICT = [
    ("no bias update", "bias[0] -= nudge", "pass"),
    ("wrong sign", "weights[j] -= nudge * X[i, j]", "weights[j] += nudge * X[i, j]"),
    ("old weight in the next sum", "z += ahead[j] * weights[j]", "z += ahead[j] * (weights[j] + nudge * X[i, j])"),
    ("grouping of the product", "weights[j] -= nudge * X[i, j]", "weights[j] -= step[i] * (error * X[i, j])"),
    ("loss after the update", "            z += bias[0]\n", "            z += bias[0]\n            losses[epoch] += 0 if i + 1 < len(X) else (sigmoid(logit(X[i], weights, bias)) - y[i]) ** 2 - error * error\n"),
    ("last row of a block skipped", "for i in range(len(X)):\n            error", "for i in range(len(X) - 1):\n            error"),
    ("block starts from its second row", "z = logit(X[0], weights, bias)", "z = logit(X[min(1, len(X) - 1)], weights, bias)"),
    ("single precision", "error = sigmoid(z) - y[i]", "error = float(np.float32(sigmoid(z) - y[i]))"),
    ("bias first", "z = 0.0\n            for j in range(len(weights)):\n                weights", "z = bias[0]\n            for j in range(len(weights)):\n                weights"),
    ("right to left", "for j in range(len(weights)):\n        z += x[j] * weights[j]", "for j in range(len(weights) - 1, -1, -1):\n        z += x[j] * weights[j]"),
    ("absolute error as the loss", "losses[epoch] += error * error", "losses[epoch] += abs(error)"),
    ("one step for all rows", "nudge = step[i] * error", "nudge = step[0] * error"),
    ("another row's label", "error = sigmoid(z) - y[i]", "error = sigmoid(z) - y[i - 1]"),
    ("sigmoid through tanh", "return 1.0 / (1.0 + math.exp(-z))", "return 0.5 * (1.0 + math.tanh(0.5 * z))"),
    ("sigmoid cut off early", "if z < -LARGEST", "if z < -30.0"),
    ("losses of all epochs in the first slot", "losses[epoch] += error", "losses[0] += error"),
    ("penalty after the update", "keep * weights[j] - nudge * X[i, j]", "keep * (weights[j] - nudge * X[i, j])"),
    ("half the gradient of squared error", "error *= 2.0 * prediction", "error *= prediction"),
    ("mean of the weights before the row", "means[j] += share * (weights[j] - means[j])", "means[j] += share * (weights[j] + nudge * X[i, j] - means[j])"),
    ("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge"),
    ("bias left out of the mean", "means[d] += share * (bias[0] - means[d])", "pass"),
    ("l1 past zero", "return max(0.0, weight - (owed + paid))", "return weight - (owed + paid)"),
    ("l1 paid twice", "paid[j] += weights[j] - before", "pass"),
    ("l1 the wrong way for negative weights", "return min(0.0, weight + (owed - paid))", "return min(0.0, weight - (owed - paid))"),
    ("no bias in a network's sum", "z += params[biases + u]", "pass"),
    ("tanh's slope is sigmoid's", "return 1.0 - a * a", "return a * (1.0 - a)"),
    ("sigmoid's slope is tanh's", "return a * (1.0 - a)", "return 1.0 - a * a"),
    ("relu leaks", "return z if z > 0.0 else 0.0", "return z if z > 0.0 else 0.01 * z"),
    ("relu's slope where it is off", "return 1.0 if a > 0.0 else 0.0", "return 1.0 if a >= 0.0 else 0.0"),
    ("an output's slope in place of its sum", "z if layer == last else slope(a, activation)", "slope(a, activation)"),
    ("slope of the sum", "else slope(a, activation)", "else slope(z, activation)"),
    ("a unit left out still learns", "                deltas[target + u] *= mask[target + u - layers[0, 0]]\n", ""),
    ("the layer before's mask", "values[target + u] *= mask[target + u - layers[0, 0]]", "values[target + u] *= mask[u]"),
    ("classes' probabilities not normalised", "math.exp(deltas[target + u] - norm)", "0.9 * math.exp(deltas[target + u] - norm)"),
    ("the largest sum left out", "for u in range(start, start + outputs):", "for u in range(start + 1, start + outputs):"),
    ("the first class's loss", "sums[target + int(y)]", "sums[target]"),
    ("no class is right", "1.0 if int(y) == u - target else 0.0", "0.0"),
    ("squared error's loss not squared", "return (values[target] - y) * (values[target] - y)", "return abs(values[target] - y)"),
    ("sample weight left out", "deltas[u] = weight * error", "deltas[u] = error"),
    ("sample weight left out of the mean", "pending[1] += weight[i]", "pending[1] += 1.0"),
    ("sample weight left out of the loss", "losses[epoch] += weight[i] * network", "losses[epoch] += network"),
    ("every update by the first plan", "updates += 1", "pass"),
    ("biases penalised", "if p < biases:", "if True:"),
    ("weights shrunk before their penalty", "g += l2 * params[p]\n                    params[p] *= keep", "params[p] *= keep\n                    g += l2 * params[p]"),
    ("no decay", "params[p] *= keep", "pass"),
    ("momentum of the wrong sign", "first[p] = share * first[p] - rate * g", "first[p] = -share * first[p] - rate * g"),
    ("Nesterov's is plain", "if optimizer == NESTEROV", "if optimizer == 7"),
    ("Adam without the square", "(g * g)", "abs(g)"),
    ("epsilon under the root", "(math.sqrt(second[p]) + epsilon)", "math.sqrt(second[p] + epsilon)"),
    ("second mean kept as long as the first", "second[p] = share2 * second[p]", "second[p] = share * second[p]"),
    ("blame from the last unit only", "blame += params", "blame = params"),
    ("every bias gets the first unit's share", "gradient[biases + u] += deltas[target + u]", "gradient[biases + u] += deltas[target]"),
    ("sum in place of the mean gradient", "gradient[p] / total", "gradient[p]"),
    ("grouping in the network's update", "g = gradient[p] / total", "g = gradient[p] * (1.0 / total)"),
    ("gradient kept from batch to batch", "gradient[p] = 0.0", "pass"),
    ("batch ends with the block", "    for epoch in range(len(losses)):\n        for i in range(len(X)):\n            network", "    pending[0] = 0\n    for epoch in range(len(losses)):\n        for i in range(len(X)):\n            network"),
    ("batch a row too long", "if pending[0] == rule[0]:", "if pending[0] > rule[0]:"),
    ("cross-entropy of the other label", "s = z if y > 0.5 else -z", "s = -z if y > 0.5 else z"),
    ("cross-entropy without log1p", "math.log1p(math.exp(-abs(s)))", "math.log(1.0 + math.exp(-abs(s)))"),
]  # fmt: skip
# name, the width at which its kernel runs, and the same
IN_FAST = [
    ("no bias update", 2, "fma(-e3, s3, b)\n", "b\n"),
    ("a row's share forgotten", 2, "fma(-e2, dot(lanes, x0, x1, x2, x3, v0, v1, v2, v3, s2)", "fma(-0.0 * e2, dot(lanes, x0, x1, x2, x3, v0, v1, v2, v3, s2)"),
    ("wrong sign of the row before", 2, "t = fma(-error_before, coupling, ", "t = fma(error_before, coupling, "),
    ("last row of a tile not brought in", 2, "bias[0] = fma(-e1, s1,", "bias[0] = fma(-0.0 * e1, s1,"),
    ("polynomial used too far from its node", 2, "REACH = 0.063 * NODES", "REACH = 0.5 * NODES"),
    ("loss of the last tile only", 2, "weights, bias, loss, table, lanes)\n", "weights, bias, 0.0, table, lanes)\n"),
    ("coupling without the bias", 5, "fma(s0, g10, s0)", "s0 * g10"),
    ("two rows' shares swapped", 5, "p0, p1, p2, p3 = s0 * e0, s1 * e1, s2 * e2, s3 * e3", "p0, p1, p2, p3 = s0 * e0, s1 * e1, s3 * e3, s2 * e2"),
    ("row before the four not brought in", 5, "w = fma(-p3, r3, ", "w = fma(-0.0 * p3, r3, "),
    ("no bias update for a row that is left over", 5, "        b -= p0\n", ""),
]  # fmt: skip
IN_NUMPY = [
    ("single precision", "error = prediction - y[i]", "error = float(np.float32(prediction - y[i]))"),
    ("no bias update", "bias[0] -= nudge", "pass"),
    ("the bias moves as far as ever", "bias_scale * (step * error)", "step * error"),
    ("a chunk's mean for its sum", "np.sum(weight[part] * network_loss", "np.mean(weight[part] * network_loss"),
    ("a chunk's gradient replaces the last", "gradient[p:biases] += ", "gradient[p:biases] = "),
    ("biases left out", "gradient[biases : biases + outputs] += d.sum(axis=0)", "pass"),
    ("a unit left out still learns", "                d *= kept\n", ""),
    ("the first rows' mask for all", "kept = mask[part]", "kept = mask[:m]"),
    ("classes' probabilities not normalised", "np.exp(z - log_total(z, 0, outputs)[:, np.newaxis])", "np.exp(z)"),
    ("biases penalised", "params[weights] *= keep", "params *= keep"),
    ("Adam without the square", "(g * g)", "abs(g)"),
]
IN_FAST_REGULARIZED = [
    ("a keep left out before the row", "fma(c1 * c2, dot", "fma(c2, dot"),
    ("a keep too many", "fma(-e2, fma(c1, dot", "fma(-e2, fma(c1 * c2, dot"),
    ("bias penalised", "w2, w3, b - p\n", "w2, w3, keep * b - p\n"),
    ("last rows of a tile left out of the mean", "s2, s1, c2, c1, h2, h1", "s2, s1, c2, c1, 0.0, 0.0"),
    ("coupling over a row without its keep", "fma(s0, c1 * c2 * g30, s0)", "fma(s0, c1 * g30, s0)"),
    ("block shrunk by three keeps", "c0 * weight_at(weights, j)", "weight_at(weights, j)"),
    ("a row not shrunk", "fma(-p2, input_at(X, k + 2 * d), c2 * w)", "fma(-p2, input_at(X, k + 2 * d), w)"),
    ("a row with another row's share", "mean = fma(h1, w - mean, mean)", "mean = fma(h2, w - mean, mean)"),
    ("last row of a block left out of the mean", "fma(h3, w - mean, mean))", "mean)"),
    ("mean of the bias a row late", "mb = fma(h3, b - mb, mb)", "mb = fma(h3, b + p3 - mb, mb)"),
    ("odd rows at the end not shrunk", "bring_in_one(X, i, plan[i, 1],", "bring_in_one(X, i, 1.0,"),
    ("odd rows at the end left out of the mean", "fma(share, weights[j] - means[j], means[j])", "means[j]"),
]
IN_THE_REFERENCE_TOO = [
    ("half the gradient of squared error", "error *= 2.0 * prediction", "error *= prediction"),
    ("l1 past zero", "return max(0.0, weight - (owed + paid))", "return weight - (owed + paid)"),
    ("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge"),
    ("l2 twice", "keep * weights[j] - nudge", "keep * keep * weights[j] - nudge"),
    (
        "mean from the row before",
        "means[j] += share * (weights[j] - means[j])",
        "means[j] += share * (weights[j] + nudge * X[i][j] - means[j])",
    ),
    ("no bias update", "bias[0] -= nudge", "pass"),
    ("wrong sign", "weights[j] -= nudge * X[i][j]", "weights[j] += nudge * X[i][j]"),
    ("gradient of squared error", "nudge = step[i] * error", "nudge = step[i] * error * prediction * (1 - prediction)"),
    ("loss of the epoch before", "losses[epoch] += error * error", "losses[epoch - 1] += error * error"),
    ("tanh's slope is sigmoid's", "return 1.0 - a * a", "return a * (1.0 - a)"),
    ("slope of the sum", "else slope(a, activation)", "else slope(z, activation)"),
    ("output error doubled", "deltas[u] = weight * error", "deltas[u] = 2.0 * weight * error"),
    ("blame from the last unit only", "blame += params", "blame = params"),
    ("sum in place of the mean gradient", "gradient[p] / total", "gradient[p]"),
    (
        "transposed weights",
        "params[p + j * outputs + u]\n            z +=",
        "params[p + u * inputs + j]\n            z +=",
    ),
    ("cross-entropy of the other label", "s = z if y > 0.5 else -z", "s = -z if y > 0.5 else z"),
    ("sample weight left out", "deltas[u] = weight * error", "deltas[u] = error"),
    ("sample weight left out of the mean", "pending[1] += weight[i]", "pending[1] += 1.0"),
    ("a unit left out still learns", "                deltas[target + u] *= mask[target + u - layers[0][0]]\n", ""),
    ("no class is right", "1.0 if int(y) == u - target else 0.0", "0.0"),
    ("the first class's loss", "sums[target + int(y)]", "sums[target]"),
    (
        "the largest sum left out",
        "for u in range(start, start + outputs):",
        "for u in range(start + 1, start + outputs):",
    ),
    ("biases penalised", "if p < biases:", "if True:"),
    ("no decay", "params[p] *= keep", "pass"),
    ("momentum of the wrong sign", "first[p] = share * first[p] - rate", "first[p] = -share * first[p] - rate"),
    ("Nesterov's is plain", "if optimizer == NESTEROV", "if optimizer == 7"),
    ("Adam without the square", "(g * g)", "abs(g)"),
    ("epsilon under the root", "(math.sqrt(second[p]) + epsilon)", "math.sqrt(second[p] + epsilon)"),
    ("second mean kept as long as the first", "second[p] = share2 * second[p]", "second[p] = share * second[p]"),
]


def planted(module, old="", new="", decorator=lambda function: function):
    """A copy of a kernel module with `new` for `old`, as an engine; plain Python unless a decorator compiles it."""
    source = inspect.getsource(module).replace("from tinynet_fast.kernels.compiler.jit import kernel\n", "")
    assert source.count(old) >= 1, f"{old!r} no longer stands in {module.__name__}"
    copy = types.ModuleType("planted")
    copy.__dict__.update(kernel=decorator, np=np)
    exec(compile(source.replace(old, new) if old else source, "planted", "exec"), copy.__dict__)
    name = "fast" if module is neuron else module.__name__.rpartition(".")[2]
    ours = next(engine for engine in ENGINES.values() if engine.module == name)
    return type(ours)(copy)


def planted_fast(old="", new=""):
    """The same for `regularized_neuron.py`: its own lines in plain Python, what it imports as it is."""
    copy, twins = plain_copy(regularized_neuron, old, new), plain_copy(intrinsics)
    for name in ("fma", "input_at", "weight_at", "put_weight"):
        setattr(copy, name, getattr(twins, name))
    return type(FAST)(copy)


def cases(engine):
    """The kernels' part of the battery, with few rows."""
    rng = np.random.default_rng(3)
    for make in (validate._neuron_cases, validate._regularized_cases, validate._network_cases):
        for name, problems, everyone in make(rng, 16 if engine.module != "fast" else 19):
            if (everyone or engine.promise == 0.0) and validate.can_solve(engine, problems[0]):
                yield name, problems


def caught(engine):
    """The first case of the battery in which the engine breaks its promise, or None."""
    with np.errstate(all="ignore"):
        return next((name for name, problems in cases(engine) if not validate.judge(engine, name, problems).kept), None)


@pytest.mark.parametrize("module", [strict, vectorized], ids=["strict", "numpy"])
def test_a_copy_without_a_mistake_passes(module):
    assert caught(planted(module)) is None


@pytest.mark.parametrize(("name", "old", "new"), IN_STRICT, ids=[m[0] for m in IN_STRICT])
def test_strict(name, old, new):
    assert caught(planted(strict, old, new))


def fast_cases(features):
    """Some 600 rows, so that there is more than one tile, of the width that the mistake concerns."""
    rng = np.random.default_rng(4)
    return [validate.neuron_problem(rng, n, features, reach=reach) for reach in (1e-3, 0.1, 1.0) for n in (5, 602)]


@pytest.mark.parametrize("features", [2, 5])
def test_a_copy_of_fast_without_a_mistake_passes(features):
    assert validate.judge(planted(neuron), "control", fast_cases(features)).kept


@pytest.mark.parametrize(("name", "features", "old", "new"), IN_FAST, ids=[m[0] for m in IN_FAST])
def test_fast(name, features, old, new):
    assert not validate.judge(planted(neuron, old, new), name, fast_cases(features)).kept


@pytest.mark.parametrize(("name", "old", "new"), IN_NUMPY, ids=[m[0] for m in IN_NUMPY])
def test_numpy(name, old, new):
    assert caught(planted(vectorized, old, new))


def test_a_copy_of_fast_regularized_without_a_mistake_passes():
    assert caught(planted_fast()) is None


@pytest.mark.parametrize(("name", "old", "new"), IN_FAST_REGULARIZED, ids=[m[0] for m in IN_FAST_REGULARIZED])
def test_fast_regularized(name, old, new):
    assert caught(planted_fast(old, new))


def found_by_an_oracle(engine):
    """The first check that is not ours to fail, or None."""
    for oracle in oracles.BY_HAND:
        try:
            oracle(engine)
        except AssertionError:
            return oracle.__name__
    return None


def test_the_oracles_pass_a_copy_of_the_reference():
    assert found_by_an_oracle(planted(reference)) is None


@pytest.mark.parametrize(("name", "old", "new"), IN_THE_REFERENCE_TOO, ids=[m[0] for m in IN_THE_REFERENCE_TOO])
def test_shared_by_the_reference(name, old, new):
    assert found_by_an_oracle(planted(reference, old, new))


@pytest.mark.skipif(njit(lambda: 0).__class__.__name__ == "function", reason="compiling is switched off")
@pytest.mark.parametrize("flags", [{"contract"}, {"reassoc", "nsz"}, True], ids=["contract", "reorder", "all"])
def test_compiler_flags(flags):
    """A kernel compiled with leave to contract (on a CPU with FMA) or to reorder sums is not bit for bit."""
    engine = planted(strict, decorator=njit(error_model="numpy", fastmath=flags))
    features = importlib.import_module("llvmlite.binding").get_host_cpu_features()
    if flags == {"contract"} and (not features.get("fma") or os.environ.get("NUMBA_CPU_NAME") == "generic"):
        pytest.skip("no FMA on this CPU, or none for the compiler to use")
    assert caught(engine)


def test_there_are_many():
    assert len({(name, new) for _, name, new in (*IN_STRICT, *IN_NUMPY, *IN_THE_REFERENCE_TOO)}) + len(IN_FAST) >= 50


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_validate(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["tinynet-fast", "validate", *arguments])
        monkeypatch.setenv("COLUMNS", "140")
        with pytest.raises(SystemExit) as info:
            app.main()
        return info.value.code or 0, capsys.readouterr().out

    return run


def test_validate_names_a_wrong_kernel(run_validate, monkeypatch):
    """`strict.sgd_epochs` replaced by one that forgets the bias: exit status 1, the engine and the case."""
    monkeypatch.setattr(strict, "sgd_epochs", planted(strict, "bias[0] -= nudge", "pass").kernels.sgd_epochs)
    monkeypatch.setattr(validate, "WIDTHS", (1, 3))
    status, out = run_validate()
    assert status == 1
    assert "broken promises:\nstrict: neuron, small steps\n" in out
    assert "numpy: " not in out.partition("broken promises:")[2]
    assert "BROKEN" in out


def test_validate_keeps_every_promise(run_validate):
    status, out = run_validate()
    assert status == 0
    assert out.endswith("every promise is kept\n")
    for fact in ("Python: ", "NumPy: ", "Numba: ", "C library: "):
        assert fact in out
