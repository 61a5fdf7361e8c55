"""The kernels for rows stored as CSR: against the reference, and the same rows dense; see `test_sparse_oracles.py`."""

import inspect
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from compare import distance, needs_numba
from hypothesis import given
from hypothesis import strategies as st
from sparse_problems import PROMISING, REFERENCE, assert_same, example, for_engine, named, problems

from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.fast import sparse

# --- against the reference --------------------------------------------------------------------------------------------


@named(PROMISING)
@given(problem=problems())
def test_sparse_rows(engine, problem):
    problem = for_engine(engine, problem)
    assert_same(engine, problem.solve(engine), problem.solve(REFERENCE))


@named(PROMISING)
@given(problem=problems(), block=st.integers(1, 61))
def test_sparse_blocks_and_epochs_change_no_bit(engine, problem, block):
    """Cut into calls anywhere; and with all epochs in one call, where the schedule is the same in each."""
    problem = for_engine(engine, problem)
    whole = replace(problem, block=len(problem.X) + 1)
    for one, ref in zip(replace(problem, block=block).solve(engine)[:3], whole.solve(engine)[:3], strict=True):
        np.testing.assert_array_equal(one, ref, strict=True)
    for one, ref in zip(whole.solve(engine, calls_an_epoch=False), whole.solve(engine), strict=True):
        np.testing.assert_array_equal(one, ref, strict=True)


@pytest.mark.parametrize(
    ("values", "indices"), [pytest.param("float32", "int32", marks=needs_numba), ("float64", "int64")]
)
@named([ENGINES[name] for name in ("numpy", "strict", "fast")])
def test_other_types_are_read_as_they_are(engine, values, indices):
    problem = example(300, 40)
    problem = replace(problem, X=problem.X.astype(values), indices=indices)
    wide = replace(problem, X=problem.X.astype(np.float64), indices="int32")
    assert_same(engine, problem.solve(engine), wide.solve(REFERENCE))


@pytest.mark.parametrize("values", ["float32", "float64"])
@pytest.mark.parametrize("numba", [True, False])
def test_stored_values_are_of_a_type_with_kernels(monkeypatch, numba, values):
    """The library of kernels takes float64 alone; what Numba compiles takes rows as they are, and nothing is copied."""
    monkeypatch.setattr(sparse, "has_numba", lambda: numba)
    data = np.array([0.1, 1e-30, -3.0], values)
    comp = sparse.stored_values(data)
    assert comp.dtype == (values if numba else "float64")
    assert (comp is data) == (comp.dtype == data.dtype)
    np.testing.assert_array_equal(comp, data)


@needs_numba  # the library has the kernel for two types of indices, and does not choose between them
@named(PROMISING)
@given(problem=problems())
def test_sums_of_sparse_rows(engine, problem):
    ref, comp = [0.0] * len(problem.X), np.zeros(len(problem.X))
    given = problem.weights.tolist(), [problem.bias]
    reference.sparse_logits(*problem.csr(REFERENCE), problem.places.tolist(), *given, ref)
    given = problem.weights, np.array([problem.bias])
    engine.kernels.sparse_logits(*problem.csr(engine), problem.places, *given, comp)
    if engine.promise == 0.0:
        assert comp.tolist() == ref
    size = np.abs(np.where(problem.stored, problem.X, 0.0)[problem.places]) @ np.abs(problem.weights)
    assert (np.abs(comp - ref) <= 1e-14 * (size + abs(problem.bias))).all()


def test_largest_square_norm():
    problem = example(200, 30)
    data, _, indptr = problem.csr(ENGINES["strict"])
    norms, weight = (np.where(problem.stored, problem.X, 0.0) ** 2).sum(axis=1) + 1.0, np.linspace(0.0, 2.0, 200)
    assert sparse.sparse_row_bound(data, indptr, np.ones(1)) == pytest.approx(norms.max(), rel=1e-13)
    assert sparse.sparse_row_bound(data, indptr, weight) == pytest.approx((norms * weight).max(), rel=1e-13)


# --- against the same rows, dense -------------------------------------------------------------------------------------


@given(problem=problems(penalties=False))
def test_without_penalties_the_bits_are_those_of_dense_rows(problem):
    for engine in (REFERENCE, ENGINES["strict"]):
        comp, ref = problem.solve(engine), problem.solve_dense(engine)
        np.testing.assert_array_equal(comp[0], ref[0])
        np.testing.assert_array_equal(replace(problem, block=10_000).solve(engine)[3], ref[3])


@given(problem=problems(l1=False, losses=("log_loss",)))
def test_l2_and_averaging_give_the_weights_of_dense_rows(problem):
    comp, ref = problem.solve(REFERENCE), problem.solve_dense()
    assert distance(comp[0], ref[0]) <= 1e-12
    assert np.linalg.norm(comp[1] - ref[1]) <= 1e-12 * max(np.linalg.norm(ref[1]), np.linalg.norm(ref[0]))


@given(problem=problems())
def test_l1_of_rows_that_store_every_input_is_that_of_dense_rows(problem):
    problem = replace(
        problem, stored=np.ones_like(problem.stored), schedule=problem.schedule * 0.1 + [0.0, 0.9, 0.0, 0.0]
    )
    comp, ref = problem.solve(REFERENCE), problem.solve_dense()
    scale = max(np.linalg.norm(ref[0]), 1.0)
    assert np.linalg.norm(comp[0] - ref[0]) <= 1e-10 * scale
    assert np.linalg.norm(comp[2][: len(ref[2])] - ref[2]) <= 1e-10 * max(np.linalg.norm(ref[2]), scale)


def test_twins():
    """The same functions with the same arguments in the same order, in the three files that are to be read side by
    side."""
    names = ("sparse_dot", "sparse_rescale", "sgd_sparse_epochs", "sparse_logits")
    for module in (reference, vectorized, strict):
        places = [list(vars(module)).index(name) for name in names]
        assert all(a < b for a, b in pairwise(places))
        for name in names:
            ours = getattr(module, name)
            ours = inspect.signature(getattr(ours, "py_func", ours))
            assert list(ours.parameters) == list(inspect.signature(getattr(reference, name)).parameters)
