"""Problems for the softmax kernels, and what engines have to do with them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from compare import assert_keeps
from hypothesis import strategies as st
from problems import SEEDS, variants

from tinynet_fast.kernels.engines import ENGINES, NUMPY, REFERENCE, SOFTMAX_BOUND, compiles

HERE = [engine for engine in ENGINES.values() if compiles() or engine in (REFERENCE, NUMPY)]
engines = pytest.mark.parametrize("engine", HERE, ids=lambda engine: engine.name)
promising = pytest.mark.parametrize(
    "engine", [engine for engine in HERE if engine is not REFERENCE], ids=lambda engine: engine.name
)


@dataclass(frozen=True)
class SoftmaxProblem:
    """Rows, their labels 0, 1, ..., their schedule, and the weights to start from, the biases last."""

    X: np.ndarray
    y: np.ndarray
    schedule: np.ndarray
    start: np.ndarray
    epochs: int = 1
    cuts: tuple[int, ...] = ()

    def solve(self, engine):
        """(weights and biases, their means, what l1 was paid, the losses of the epochs)."""
        own, shape = engine.own, self.start.shape
        weights, means, paid, losses = own(self.start.copy()), own(np.zeros(shape)), own(np.zeros(shape)), []
        for _ in range(1 if not self.cuts else self.epochs):
            loss = own(np.zeros(1 if self.cuts else self.epochs))
            for a, b in zip((0, *self.cuts), (*self.cuts, len(self.X)), strict=True):
                rows = engine.rows(self.X[a:b]), own(self.y[a:b]), own(self.schedule[a:b])
                engine.kernels.sgd_softmax_epochs(*rows, weights, means, paid, own(np.zeros(shape[1])), loss)
            losses.extend(loss)
        return np.array(weights), np.array(means), np.array(paid), np.array(losses)

    def for_engine(self, engine):
        """The same problem, without l1 for the engine that has no kernel for it."""
        return replace(self, schedule=self.schedule * [1.0, 1.0, 0.0, 1.0]) if engine.smooth_only else self

    def check(self, engine, ref=None):
        """AssertionError if the engine breaks its promise against the reference."""
        made = self.for_engine(engine)
        *comp, losses = made.solve(engine)
        *ref, ref_losses = ref or made.solve(REFERENCE)
        for a, b in zip(comp, ref, strict=True):
            assert_keeps(engine.promise, a, b)
        if engine.promise == 0.0:
            np.testing.assert_array_equal(losses, ref_losses)
        else:  # an error is 1e-16 off if its probability is nearly 1
            np.testing.assert_allclose(losses, ref_losses, rtol=1e-12, atol=1e-14)


def bound_of(X):
    """The largest step that is in bounds without l2."""
    return SOFTMAX_BOUND / (np.max((X.astype(float) ** 2).sum(axis=1), initial=0.0) + 1.0)


def problem(rng, n, d, k, reach=1.0, l2=0.0, l1=0.0, averaged=False, dtype=np.float64, scale=1.0, size=1.0):
    """Steps are up to `reach` of what is in bounds."""
    X = (rng.standard_normal((n, d)) * scale).astype(dtype)
    weight = rng.random(n) * (rng.random(n) < 0.9)
    step = bound_of(X) * reach * weight
    keep = np.maximum(0.0, 1.0 - step * l2)
    step *= (1.0 + keep) / 2.0
    share = np.where(np.arange(n) >= 5, 1.0 / np.maximum(np.arange(n) - 4.0, 1.0), 0.0) * averaged
    start = rng.standard_normal((d + 1, k)) * size / max(scale, 1.0)
    return SoftmaxProblem(
        X, rng.integers(0, k, n).astype(float), np.column_stack([step, keep, step * l1, share]), start
    )


KERNELS = variants((1, 2, 3, 4, 5), (False, True), (np.float64, np.float32))  # registers, of two groups if they are 5


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(SEEDS))
    registers, averaged, dtype = draw(KERNELS)
    n, d = draw(st.integers(0, 40)), draw(st.integers(1, 20))
    k = draw(st.integers(max(2, 8 * registers - 7), 8 * registers))
    made = problem(
        rng,
        n,
        d,
        k,
        draw(st.sampled_from([1.0, 1.0, 1e-3])),
        draw(st.sampled_from([0.0, 0.0, 1e-3, 1.0])),
        draw(st.sampled_from([0.0, 1e-2, 1.0])),
        averaged,
        dtype,
        draw(st.sampled_from([1.0, 1.0, 1e-3, 1e3])),
        draw(st.sampled_from([0.0, 1.0, 1.0, 30.0])),
    )
    cuts = tuple(sorted(draw(st.lists(st.integers(0, n), max_size=2))))
    return replace(made, epochs=draw(st.integers(1, 3)), cuts=cuts)
