"""How `planted.py` reads patterns, and that every mistake of the other tests outlives the renaming of variables."""

import ast
import builtins
import types
from functools import cache

import plain_jit
import pytest
import test_long_runs
import test_many_neurons
import test_narrow_network
import test_network_kernels
import test_one_vs_rest
import test_planted_mistakes
import test_segments
import test_sklearn_kernels
import test_sparse_oracles
from planted import Mistake, jit_copy, plain_copies, plain_copy, plant, source_of

from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.compiler import jit
from tinynet_fast.kernels.fast import (
    many_neurons,
    narrow_network,
    neuron,
    one_vs_rest,
    regularized_neuron,
    segments,
    sparse,
)

pytestmark = pytest.mark.any_cpu

SOURCE = """
import math
RATE = 0.1

def learn(weights, X, offset):
    for row in X:
        shift = math.exp(row[0]) - 1.0
        weights[0] -= RATE * shift
        weights[1] -= shift * row[1]
        offset[0] -= shift
    return weights, offset

def sums(X, out):
    total = 0.0
    for k in range(len(X)):
        x = X[k]
        total += x[0]
        out[k] = total
    if total > 0.0:
        total = 1.0
        out[0] = total
"""


def planted(old, new, inside="", **options):
    """The lines that the mistake adds, in order."""
    before = ast.unparse(ast.parse(SOURCE)).splitlines()
    after = ast.unparse(plant(SOURCE, Mistake("a mistake", old, new, inside, **options))).splitlines()
    return [line.strip() for line in after if line not in before]


def test_names_stand_for_variables():
    assert planted("bias[0] -= nudge", "bias[0] += nudge") == ["offset[0] += shift"]
    assert planted("y[z] = t", "y[z] = 2 * t") == ["out[k] = 2 * total"]
    assert planted("w[1] -= s * x[1]", "w[0] -= s * x[0]") == ["weights[0] -= shift * row[0]"]


def test_names_in_capitals_and_called_names_stand_for_themselves():
    assert planted("RATE * s", "s / RATE") == ["weights[0] -= shift / RATE"]
    assert planted("for i in range(len(X)): ...", "pass") == ["pass"]
    with pytest.raises(AssertionError, match=r"nothing.* matches"):
        planted("for a in Y: ...", "pass")
    with pytest.raises(AssertionError, match=r"nothing.* matches"):
        planted("math.log(x[0])", "0.0")


@pytest.mark.parametrize("old", ["x[0] - x[0]", "math.exp(x[1])", "x -= 1.0", "w[0] -= RATE * w", "weights[0] -= 1.0"])
def test_what_differs_does_not_match(old):
    with pytest.raises(AssertionError, match=r"nothing.* matches"):
        planted(old, "pass")


def test_dots_stand_for_anything():
    assert planted("w[1] -= ...", "w[1] += ...") == ["weights[1] += shift * row[1]"]
    assert planted("math.exp(...)", "math.exp(-...)") == ["shift = math.exp(-row[0]) - 1.0"]
    assert planted("for i in range(...): ...", "for i in range(1, ...): ...") == ["for k in range(1, len(X)):"]
    assert planted("x = ...; ...; y[i] = t", "x = ...; ...; y[i] = x") == ["out[k] = x"]
    assert planted("if t > 0.0: ...", "if t < 0.0: ...") == ["if total < 0.0:"]
    assert planted("return ..., b", "return b, ...") == ["return (offset, weights)"]


def test_several_places():
    with pytest.raises(AssertionError, match=r"a mistake: lines 14, 16, 20 in sums match 't = \.\.\.'"):
        planted("t = ...", "t = 2.0", "sums")
    assert planted("a[...] = t", "a[...] = -t", everywhere=True) == ["out[k] = -total", "out[0] = -total"]


def test_inside_a_function():
    with pytest.raises(AssertionError, match=r"nothing.* matches"):
        planted("a[i] = t", "pass", "learn")
    assert planted("s[0] -= t", "s[1] -= t", "learn") == ["offset[1] -= shift"]


def test_given_says_which_variable_is_meant():
    with pytest.raises(AssertionError, match="no pattern says which variable `t` is"):
        planted("x = X[i]", "x = t")
    assert planted("x = X[i]", "x = t", "sums", given="t += x[0]") == ["x = total"]
    with pytest.raises(AssertionError, match=r"nothing.* matches"):
        planted("x = X[i]", "x = t", "sums", given="t += i[0]")


def test_a_statement_less():
    """A block that is left without statements passes."""
    assert planted("for x in X: ...", "") == ["pass"]
    assert planted("t = 1.0; a[0] = t", "") == ["pass"]


# --- copies -----------------------------------------------------------------------------------------------------------


def test_a_plain_copy_is_not_compiled():
    assert isinstance(plain_copy(strict).sgd_epochs, types.FunctionType)
    if not jit.UNCOMPILED:
        assert isinstance(jit_copy(strict).sgd_epochs, jit.Compiled)


def test_copies_import_copies():
    mistake = Mistake("double", "return odds / total, total", "return total, total")
    copies = plain_copies(many_neurons, one_vs_rest, mistake=mistake, into=many_neurons)
    assert copies[one_vs_rest].wrong_label is copies[many_neurons].wrong_label is not many_neurons.wrong_label
    assert copies[one_vs_rest].sigmoid is strict.sigmoid
    assert copies[one_vs_rest].kernel is plain_jit.kernel


# --- the mistakes of the other tests ----------------------------------------------------------------------------------

ALL = [
    *((strict, m) for m in (*test_planted_mistakes.IN_STRICT, *test_sparse_oracles.IN_STRICT)),
    *((neuron, m) for _, m in test_planted_mistakes.IN_FAST),
    *((vectorized, m) for m in (*test_planted_mistakes.IN_NUMPY, *test_sparse_oracles.IN_NUMPY)),
    *((regularized_neuron, m) for m in test_planted_mistakes.IN_FAST_REGULARIZED),
    *((reference, m) for m in (*test_planted_mistakes.IN_THE_REFERENCE_TOO, *test_sparse_oracles.IN_THE_REFERENCE_TOO)),
    *((sparse, m) for m in test_sparse_oracles.IN_FAST),
    *((many_neurons, m) for m in test_many_neurons.PLANTED),
    *((one_vs_rest, m) for m in test_one_vs_rest.PLANTED),
    *((segments, m) for m in test_segments.PLANTED),
    *((narrow_network, m) for m in test_narrow_network.MISTAKES),
    *((module, m) for module, ms in test_network_kernels.MISTAKES.items() for m in ms),
    *((module, m) for module, m, _ in test_sklearn_kernels.PLANTED),
    *test_long_runs.PRODUCTS,
]


class Rename(ast.NodeTransformer):
    """Other names for all variables of functions."""

    def __init__(self, tree):
        nodes = list(ast.walk(tree))
        bound = {n.arg for n in nodes if isinstance(n, ast.arg)}
        bound |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        called = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        self.names = {name for name in bound - called - set(vars(builtins)) if not name.isupper()}

    def visit_Name(self, node):
        node.id += "_renamed" * (node.id in self.names)
        return node

    def visit_arg(self, node):
        node.arg += "_renamed" * (node.arg in self.names)
        return node


@cache
def renamed(module):
    """The module's source, the same with other names, and what renames."""
    source = source_of(module)
    tree = ast.parse(source)
    rename = Rename(tree)
    return source, ast.unparse(rename.visit(tree)), rename


@pytest.mark.parametrize(
    ("module", "mistake"), ALL, ids=[f"{module.__name__.rpartition('.')[2]} {m}" for module, m in ALL]
)
def test_renamed_variables_do_not_matter(module, mistake):
    """Renaming first and planting then gives the same module as planting first."""
    source, other, rename = renamed(module)
    assert "_renamed" in other
    assert ast.unparse(plant(other, mistake)) == ast.unparse(rename.visit(plant(source, mistake)))
