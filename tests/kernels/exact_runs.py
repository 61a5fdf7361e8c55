"""Runs of the kernels in scikit-learn's order of operations. A test may put a copy in the place of `exact`."""

from types import SimpleNamespace

import numpy as np
from plain_sgd import CLASSES, DEFAULTS

from tinynet_fast.kernels import exact
from tinynet_fast.kernels.compiler.signatures import EXACT_DENSE, EXACT_SPARSE
from tinynet_fast.kernels.exact import ELASTICNET, L1_PENALTY, OVERFLOW, PAUSE, SETTLE
from tinynet_fast.kernels.exact_losses import LOG_LOSS


def rows(kind, n=40, d=4, seed=0):
    """Rows and labels as the loss wants them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    value = X @ rng.standard_normal(d) + rng.logistic(size=n)
    if kind == LOG_LOSS:
        return X, (value > 0.0).astype(float)
    return X, np.where(value > 0.0, 1.0, -1.0) if kind in CLASSES else value


def settle(run):
    """Multiply the scale into the weights, and make means of the sums."""
    state = run.state
    if len(run.means):
        run.means[:] = (run.means + state[exact.A] * run.weights) / state[exact.B]
        state[[exact.A, exact.B]] = 0.0, 1.0
    run.weights *= run.weights.dtype.type(state[exact.SCALE])
    state[exact.SCALE] = 1.0


def solve(
    X, y, start=None, bias=0.1, sample_weight=None, held=None, most=10**6, is_sparse=False, dtype=np.float64, **options
):
    """Train from `start` on until the kernel says that it is done, or an epoch is to be looked at."""
    X, y, (n, d) = X.astype(dtype), y.astype(dtype), X.shape
    given = np.zeros(exact.N_OPTIONS)
    for name, value in (DEFAULTS | options).items():
        given[getattr(exact, name.upper())] = value
    state, own = np.zeros(exact.N_STATE), np.zeros(d) if start is None else start
    state[[exact.SCALE, exact.B, exact.T]] = 1.0
    state[exact.BIAS], state[exact.ETA], state[exact.BEST] = bias, given[exact.ETA0], np.inf
    state[exact.SQUARE], state[exact.SIZE] = own @ own, np.abs(own).sum()
    l1 = given[exact.PENALTY] in (L1_PENALTY, ELASTICNET)
    places = np.arange(n)
    ours = places if held is None else np.empty(n - held.sum(), np.int64)
    run = SimpleNamespace(state=state, weights=own.astype(dtype), reasons=[], places=places, rows=ours)
    run.means = np.zeros(d if given[exact.AVERAGE_FROM] else 0, dtype)
    run.paid = np.zeros(d if l1 else 0, dtype)
    matrix = X.ravel(), np.tile(np.arange(d, dtype=np.int32), n), np.arange(0, n * d + 1, d, dtype=np.int32)
    kernel, signature = (exact.run_sparse, EXACT_SPARSE) if is_sparse else (exact.run_dense, EXACT_DENSE)
    if hasattr(kernel, "compiled"):
        kernel = kernel.compiled(signature.format(f=X.dtype.char))
    weight = np.empty(0, dtype) if sample_weight is None else sample_weight.astype(dtype)
    hidden = np.empty(0, np.uint8) if held is None else held.astype(np.uint8)
    changed = run.weights, run.means, run.paid, state
    with np.errstate(all="ignore"):
        while not run.reasons or run.reasons[-1] in (PAUSE, SETTLE):
            rest = y, weight, hidden, places, ours, given, *changed, most
            run.reasons.append(int(kernel(*(matrix if is_sparse else (X,)), *rest)))
            if run.reasons[-1] == SETTLE:
                settle(run)
    if run.reasons[-1] != OVERFLOW:
        settle(run)
    run.bias, run.mean_bias = float(state[exact.BIAS]), float(state[exact.MEAN_BIAS])
    run.learned = np.concatenate([run.weights, run.means, run.paid, [run.bias, run.mean_bias]])
    run.objective, run.loss, run.t = state[exact.OBJECTIVE], state[exact.TOTAL], state[exact.T]
    return run
