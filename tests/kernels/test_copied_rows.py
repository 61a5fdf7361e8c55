"""Rows of a type for which the library has no kernel: copied while they are few, then a kernel is compiled for them."""

import numpy as np
import pytest
from compare import needs_library, needs_numba

from tinynet_fast import bootstrap, sweep, sweep_mlp, train_mlp
from tinynet_fast.kernels.compiler import jit
from tinynet_fast.kernels.compiler.signatures import MODELS, NETWORK, REGULARIZED
from tinynet_fast.kernels.fast import many_neurons, network, regularized_neuron

WORDS, REORDERING = MODELS + " t1 t0 t0", f"{REGULARIZED} t0 t1"
ROWS = np.random.default_rng(0).standard_normal((200, 6)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0.3 * ROWS[:, 1]).astype(int)


@pytest.fixture
def kernel(monkeypatch):
    """A new kernel, for which three copies of ROWS may be made."""
    monkeypatch.setattr(jit, "MOST_COPIED", 3 * ROWS.size)
    return jit.kernel(many_neurons.train_plain.py_func)


@needs_library
@needs_numba
def test_a_kernel_is_compiled_when_many_numbers_were_copied(kernel):
    taken = [jit.for_rows(kernel, WORDS, ROWS) for _ in range(5)]
    assert [rows.dtype.char for _, rows in taken] == list("dddff")
    assert taken[0][0] is taken[2][0] is not taken[3][0] is taken[4][0]
    np.testing.assert_array_equal(taken[0][1], ROWS.astype(np.float64))
    assert taken[4][1] is ROWS


@needs_library
def test_without_numba_rows_are_always_copied(kernel, monkeypatch):
    monkeypatch.setattr(jit, "has_numba", lambda: False)
    assert [jit.for_rows(kernel, WORDS, ROWS)[1].dtype.char for _ in range(5)] == list("ddddd")


@needs_library
@needs_numba
def test_a_kernel_that_reorders_sums_is_compiled_at_once(monkeypatch):
    """Its bits would depend on how many numbers were copied before."""
    monkeypatch.setattr(jit, "MOST_COPIED", 1 << 29)
    kernel = jit.kernel(regularized_neuron.wide_epochs.py_func)
    assert jit.for_rows(kernel, REORDERING, ROWS, reorders=True)[1] is ROWS


@needs_library
def test_rows_of_the_usual_type_are_not_copied(kernel):
    rows = ROWS.astype(np.float64)
    assert jit.for_rows(kernel, WORDS, rows)[1] is rows
    assert not kernel._copied


@needs_library
@needs_numba
def test_nothing_is_copied_for_a_kernel_that_the_library_lacks(kernel, monkeypatch):
    monkeypatch.setattr(jit.native, "find", lambda name, signature: None)
    assert jit.for_rows(kernel, WORDS, ROWS)[1] is ROWS


@needs_library
@needs_numba
def test_in_a_context_nothing_is_copied(kernel):
    with jit.no_copies():
        assert jit.for_rows(kernel, WORDS, ROWS)[1] is ROWS
    assert 3 * ROWS.size == jit.MOST_COPIED


TRAINED = {
    "network": lambda X: train_mlp(X, LABELS, hidden=(5,), batch_size=32, epochs=3, seed=0).model.weights[0],
    "networks of float32": lambda X: train_mlp(
        X, LABELS, hidden=(5,), batch_size=32, epochs=3, seed=0, dtype="float32"
    ).model.weights[0],
    "sweep": lambda X: sweep(X, LABELS, learning_rate=[0.1, 0.2], l2=[0.0, 0.1], folds=2, epochs=3, seed=0).weights,
    "bootstrap": lambda X: bootstrap(X, LABELS, 40, epochs=3, seed=0).weights,
    "narrow network": lambda X: train_mlp(X[:, :2].copy(), LABELS, hidden=(4,), epochs=3, seed=0).model.weights[0],
    "networks": lambda X: sweep_mlp(
        X, LABELS, hidden=(5,), learning_rate=[0.01 * k for k in range(1, 9)], batch_size=32, epochs=3, seed=0
    ).models[0].weights[0],
}  # fmt: skip


@needs_library
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_numba) if "of float32" in name else name for name in TRAINED]
)
def test_copies_give_the_same_bits(name, monkeypatch):
    """A copy, rows that are float64 from the start, and a kernel for float32 rows give the same weights."""
    own, other = TRAINED[name](ROWS), TRAINED[name](ROWS.astype(np.float64))
    monkeypatch.setattr(jit, "MOST_COPIED", 1 << 29)
    np.testing.assert_array_equal(TRAINED[name](ROWS), other, strict=True)
    np.testing.assert_array_equal(own, other, strict=True)


@needs_library
def test_a_number_that_float32_lacks_is_infinite_there(monkeypatch):
    """Without a warning: a network of float32 has no such number, however it came."""
    monkeypatch.setattr(jit, "MOST_COPIED", 1 << 29)
    rows = np.array([[1e300, -1e300, 1.0]])
    _, taken = jit.for_rows(jit.kernel(network.epochs.py_func), NETWORK.format(scratch="f"), rows, "f")
    np.testing.assert_array_equal(taken, np.array([[np.inf, -np.inf, 1.0]], np.float32), strict=True)
