"""Problems for the kernels of rows stored as CSR, and what engines have to do with them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from compare import assert_keeps
from hypothesis import strategies as st

from tinynet_fast.kernels import layout, strict
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.fast import sparse
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.schedules import Penalties

REFERENCE = ENGINES["reference"]
PROMISING = [engine for engine in ENGINES.values() if engine is not REFERENCE]


@dataclass(frozen=True)
class Problem:
    """Rows, given dense with what is `stored`, and how a neuron is trained on them."""

    X: np.ndarray
    stored: np.ndarray
    y: np.ndarray
    schedule: np.ndarray
    weights: np.ndarray
    bias: float = 0.1
    loss: str = "log_loss"
    bias_scale: float = 1.0
    penalty: tuple = (0.0, 0.0, 0.0)  # l2, l1, watched
    epochs: int = 1
    block: int = 10_000
    order: np.ndarray | None = None
    indices: str = "int32"

    @property
    def rule(self):
        chosen = choose_loss(self.loss)
        return np.array([chosen.code, chosen.shape, self.bias_scale, *self.penalty])

    @property
    def places(self):
        return np.arange(len(self.X)) if self.order is None else self.order

    def csr(self, engine):
        """data, indices, indptr as the engine takes them."""
        rows = self.X[self.stored], np.nonzero(self.stored)[1].astype(self.indices)
        arrays = *rows, np.concatenate([[0], self.stored.sum(axis=1).cumsum()])
        return [array.tolist() for array in arrays] if engine.module == "reference" else arrays

    def solve(self, engine, calls_an_epoch=True):
        """Weights and bias; their means; what was paid, asked for and watched; losses."""
        own, d = engine.own, len(self.weights)
        exact = engine is ENGINES["strict"]
        kernel = sparse.sgd_sparse_epochs_exact if exact else engine.kernels.sgd_sparse_epochs
        v, bias, state = own(self.weights.copy()), own(np.array([self.bias])), np.zeros(8)
        sums, paid, losses = own(np.zeros(d)), own(np.zeros(d)), own(np.zeros(self.epochs))
        state[[layout.SCALE, layout.B]] = 1.0
        state, rule = own(state), own(self.rule)
        slots = [own(np.zeros(1)) for _ in range(self.epochs)] if calls_an_epoch else [losses]
        for slot in slots:
            for start in range(0, len(self.places), self.block):
                part = slice(start, start + self.block)
                order = self.places[part].tolist() if engine.module == "reference" else self.places[part]
                given = order, own(self.y[part]), own(self.schedule[part]), rule
                kernel(*self.csr(engine), *given, v, bias, sums, paid, state, slot)
        getattr(engine.kernels, "sparse_rescale", strict.sparse_rescale)(v, sums, state)
        losses = np.concatenate(slots)
        seen = np.asarray(state)[[layout.OWED, layout.SQUARE, layout.SIZE, layout.OBJECTIVE]]
        return np.append(v, bias), np.append(sums, state[layout.MEAN_BIAS]), np.append(paid, seen), losses

    def solve_dense(self, engine=REFERENCE):
        """The same, by the kernel for dense rows."""
        own, d = engine.own, len(self.weights)
        w, bias, losses = own(self.weights.copy()), own(np.array([self.bias])), own(np.zeros(self.epochs))
        means, paid, X = own(np.zeros(d + 1)), own(np.zeros(d + 1)), np.where(self.stored, self.X, 0.0)[self.places]
        given = own(X), own(self.y), own(self.schedule), own(self.rule)
        engine.kernels.sgd_regularized_epochs(*given, w, bias, means, paid, losses)
        return np.append(w, bias), np.array(means), np.array(paid), np.array(losses)


@st.composite
def problems(draw, l1=True, penalties=True, losses=("log_loss", "squared_error")):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(0, 60)), draw(st.integers(1, 40))
    stored = rng.random((n, d)) < draw(st.sampled_from([0.0, 0.05, 0.3, 0.9, 1.0]))
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.9)  # some zeros are stored
    longest = np.max((np.where(stored, X, 0.0) ** 2).sum(axis=1), initial=0.0) + 1.0
    rate = min(10.0 ** draw(st.floats(-3, 1)), 8.0 / longest)
    l2, l1_penalty = (draw(st.sampled_from([0.0, 0.0, 0.01, 0.5, 5.0])) for _ in range(2))
    l2, l1_penalty = l2 if penalties else 0.0, l1_penalty / 50.0 if l1 and penalties else 0.0
    average, loss = draw(st.sampled_from([0, 0, 1, 20])), draw(st.sampled_from(losses))
    weight = rng.random(n) * (rng.random(n) < 0.7) if draw(st.booleans()) else None
    schedule = Penalties(l2, l1_penalty, average if penalties else 0, loss).schedule_rows(np.full(n, rate), weight, 0)
    watched = (l2, l1_penalty, float(draw(st.booleans())))
    return Problem(
        X,
        stored,
        (rng.random(n) < 0.5).astype(float),
        schedule,
        rng.standard_normal(d) * draw(st.sampled_from([0.0, 1.0])),
        float(rng.standard_normal()),
        loss,
        draw(st.sampled_from([1.0, 0.01])),
        watched,
        1 if schedule[:, 3].any() else draw(st.integers(1, 3)),  # shares count the rows of one epoch
        draw(st.integers(1, n + 1)),
        rng.permutation(n) if draw(st.booleans()) else None,
    )


def example(n, d, l2=0.05, average=1, l1=0.0):
    rng = np.random.default_rng(3)
    stored = rng.random((n, d)) < 0.3
    schedule = Penalties(l2, l1, average, "log_loss").schedule_rows(np.full(n, 0.1), rng.random(n), 0)
    y = (rng.random(n) < 0.5).astype(float)
    penalty = (l2, l1, 1.0)
    return Problem(
        rng.standard_normal((n, d)), stored, y, schedule, rng.standard_normal(d), 0.2, "log_loss", 0.01, penalty
    )


def named(engines):
    return pytest.mark.parametrize("engine", engines, ids=lambda engine: engine.name)


def assert_same(engine, comp, ref):
    """Bit for bit, or weights and bias, means and losses each within the promise."""
    for i, (one, other) in enumerate(zip(comp, ref, strict=True)):
        if engine.promise == 0.0 or i != 2:
            assert_keeps(engine.promise, one, other)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def for_engine(engine, problem):
    """The fast engine leaves squared error to the strict one."""
    return replace(problem, loss="log_loss") if engine.module == "fast" else problem
