"""Networks and rows that the tests of network kernels train on, and how far the results of kernels are apart."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from tinynet_fast.kernels import strict, vectorized
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.reference import (
    ACTIVATIONS,
    ADAGRAD,
    ADAM,
    CLIPPED_LOG_LOSS,
    EXPONENTIAL,
    HINGE,
    HUBER,
    IDENTITY,
    LEAST,
    LEAST_SQUARES,
    NESTEROV,
    POISSON,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    SOFTMAX,
)
from tinynet_fast.proof.validate import distance

EPS = 2.0**-52
NUMBERS = [{"loss": LEAST_SQUARES}, {"loss": HUBER, "shape": 0.7}, {"loss": POISSON}]  # that the fast engine has
ONE = [{"loss": 0}, {"loss": 0}, {"loss": 1}, *NUMBERS]
SEVERAL = [{"loss": 0}, {"loss": 0}, {"loss": CLIPPED_LOG_LOSS, "output": SIGMOID}, *NUMBERS]


@dataclass
class Problem:
    """What `network_epochs` takes, by name."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    mask: np.ndarray
    schedule: np.ndarray
    rule: np.ndarray
    layers: np.ndarray
    state: np.ndarray

    @property
    def batch(self):
        return int(self.rule[0])

    @property
    def targets(self):
        return vectorized.network_targets(self.layers)

    def scratch(self, kernels):
        if kernels is strict:
            return np.zeros((2, int(self.layers[0, 0] + self.layers[:, 1].sum())))
        return ENGINES["numpy"].scratch(self.layers) if kernels is vectorized else kernels.network_scratch(self.layers)

    def run(self, kernels, state, epochs=1, cuts=(), rows=None, first=0):
        """Train on `rows`, in calls that end at `cuts`; the state after, pending, losses."""
        state, pending, losses = state.copy(), np.zeros(2), np.zeros(epochs)
        units, rows = self.scratch(kernels), rows or (0, len(self.X))
        ends = sorted({rows[0], *(c for c in cuts if rows[0] < c < rows[1]), rows[1]})
        done = first
        for start, stop in pairwise(ends):
            part = slice(start, stop)
            mask = self.mask[part] if self.mask.shape[1] else self.mask
            updates = epochs * ((int(pending[0]) + stop - start) // self.batch)
            X = self.X[part].astype(float) if kernels is strict else self.X[part]
            y = self.y[start * self.targets : stop * self.targets]
            given = (X, y, self.weight[part], mask, self.schedule[done : done + updates + 1])
            kernels.network_epochs(*given, self.rule, self.layers, state, units, pending, losses)
            done += updates
        return state, pending, losses

    def floors(self):
        """Below which parameters, gradient, moments and losses are not compared with themselves.

        A delta is prediction - actual: where the two are close the 16 digits of the prediction leave few of it, here as
        in the reference. A hundredth of what one row could give is the least that is held to the promise; of a
        softmax's loss, which is a difference of sums, a thousandth of the largest parameter.
        """
        signed = self.layers[-1, 2] == SOFTMAX or self.rule[1] == POISSON  # its loss is a difference
        loss = 1e-3 * float(np.abs(self.state[0]).max()) if signed else 1e-6
        reach = 1e-2 * max(1.0, float(np.max(np.abs(self.X), initial=0.0))) * float(np.abs(self.state[0]).max() + 1.0)
        return 0.0, len(self.X) * reach, self.schedule[:, 0].max() * reach, 1e-6, loss * len(self.X)


def random_problem(
    rng, n, sizes, activation=SIGMOID, batch=None, optimizer=SGD, *, loss=0, scale=0.5, weights=False, dropout=0.0,
    keep=1.0, l2=0.0, share=0.9, rate=0.05, dtype=np.float64, shape=0.0, output=None,
):  # fmt: skip
    """Several outputs are a softmax, unless the loss or `output` say something else."""
    numbers, shape = LEAST_SQUARES <= loss != HINGE, LEAST if loss == CLIPPED_LOG_LOSS else shape
    layers = np.array([(a, b, activation) for a, b in pairwise(sizes)], dtype=np.int64)
    layers[-1, 2] = SOFTMAX if sizes[-1] > 1 else SIGMOID
    if output is not None or numbers or loss == HINGE:
        layers[-1, 2] = EXPONENTIAL if loss == POISSON else IDENTITY if output is None else output
    params = int(((layers[:, 0] + 1) * layers[:, 1]).sum())
    state = np.zeros((4, params))
    state[0], state[2] = rng.standard_normal(params) * scale, rng.standard_normal(params) * 0.01
    state[3] = rng.random(params) + 0.01  # Adam divides by its root: at zero a rounding error would be a whole step
    weight = rng.random(n) * (rng.random(n) < 0.8) if weights else np.ones(n)
    hidden = sum(sizes[1:-1])
    mask = (rng.random((n, hidden)) >= dropout) / (1.0 - dropout) if dropout else np.empty((1, 0))
    schedule = np.tile([rate, keep, l2, 1e-8], (3 * n + 3, 1))
    schedule[:, 0] *= 0.5 + rng.random(len(schedule))
    rule = np.array([batch or max(n, 1), loss, optimizer, share, 0.999, shape])
    each = n if layers[-1, 2] == SOFTMAX else n * sizes[-1]
    y = rng.integers(0, max(2, sizes[-1]) if layers[-1, 2] == SOFTMAX else 2, each).astype(float)
    if numbers:
        y = rng.poisson(2.0, each).astype(float) if loss == POISSON else rng.standard_normal(each)
    return Problem(rng.standard_normal((n, sizes[0])).astype(dtype), y, weight, mask, schedule, rule, layers, state)


def differences(problem, kernels, epochs=1):
    """Parameters, gradient, both moments and losses after each update, each update from the plain loops' own state."""
    state, n, worst = problem.state, len(problem.X), np.zeros(5)
    for k, start in enumerate(range(0, n, problem.batch)):
        rows = (start, min(start + problem.batch, n))
        ref = problem.run(strict, state, rows=rows, first=k)
        comp = problem.run(kernels, state, rows=rows, first=k)
        if not np.abs(ref[0]).max() < 1e6:
            break  # the run diverges
        pairs = [*zip(comp[0], ref[0], strict=True), (comp[2], ref[2])]
        off = [distance(a, b, least) for (a, b), least in zip(pairs, problem.floors(), strict=True)]
        worst = np.maximum(worst, off)
        np.testing.assert_allclose(comp[1], ref[1], rtol=1e-14)
        state = ref[0]
    return worst


WIDTHS = st.integers(1, 9) if UNCOMPILED else st.integers(1, 40) | st.sampled_from([64, 65, 100, 131])


def any_options(draw, n, outputs):
    """Activation, batch size, optimizer and the other options of a network that learns from `n` rows."""
    return {
        "activation": draw(st.sampled_from(sorted(ACTIVATIONS.values()))),
        "batch": draw(st.integers(1, n + 2) | st.sampled_from([1, 32])),
        "optimizer": draw(st.sampled_from([SGD, NESTEROV, ADAM, RMSPROP, ADAGRAD])),
        **draw(st.sampled_from(ONE if outputs == 1 else SEVERAL)),
        "scale": draw(st.sampled_from([0.1, 0.5, 0.5, 2.0])),  # the last saturates
        "weights": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.0, 0.3])),
        "keep": draw(st.sampled_from([1.0, 0.99])),
        "l2": draw(st.sampled_from([0.0, 0.01])),
        "share": draw(st.sampled_from([0.0, 0.9])),
        "dtype": draw(st.sampled_from([np.float64, np.float64, np.float32])),
    }


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 20 if UNCOMPILED else 300))
    sizes = (draw(WIDTHS), *draw(st.lists(WIDTHS, min_size=1, max_size=3)), draw(st.sampled_from([1, 1, 3, 10])))
    return random_problem(rng, n, sizes, **any_options(draw, n, sizes[-1]))


def saturated_problems():
    """Clipped losses: of ordinary rows, and of rows whose probabilities are 0 or 1 to the last bit.

    (Between the two the distance of a probability from 1 has few digits, so that losses of engines may differ.)
    """
    for seed, outputs, times in ((1, 1, 1.0), (2, 3, 1.0), (3, 1, 1e4), (4, 3, 1e4)):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng, 21, (3, 5, outputs), RELU, loss=CLIPPED_LOG_LOSS, weights=True, rate=1e-9)
        yield replace(problem, X=problem.X * times)
