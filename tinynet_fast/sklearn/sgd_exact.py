"""Trains a linear model to the bits of scikit-learn's SGD: calls `kernels/exact.py`, and acts between its epochs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from time import time
from typing import Any

import numpy as np
from scipy.linalg import blas
from scipy.sparse import issparse
from sklearn.linear_model._base import SPARSE_INTERCEPT_DECAY

from tinynet_fast.kernels import exact, exact_losses
from tinynet_fast.kernels.compiler.jit import compiled
from tinynet_fast.kernels.compiler.signatures import EXACT_DENSE, EXACT_SPARSE
from tinynet_fast.sklearn.sgd_options import l1_share
from tinynet_fast.sklearn.sgd_training import ClassArrays, OneClass
from tinynet_fast.training.loop import finish, run_epochs

# Each loss with its SHAPE; None stands for the estimator's `epsilon`.
LOSSES: dict[str, tuple[int, float | None]] = {
    "log_loss": (exact_losses.LOG_LOSS, 0.0),
    "hinge": (exact_losses.HINGE, 1.0),
    "perceptron": (exact_losses.HINGE, 0.0),
    "squared_hinge": (exact_losses.SQUARED_HINGE, 1.0),
    "modified_huber": (exact_losses.MODIFIED_HUBER, 0.0),
    "squared_error": (exact_losses.SQUARED_ERROR, 0.0),
    "huber": (exact_losses.HUBER, None),
    "epsilon_insensitive": (exact_losses.INSENSITIVE, None),
    "squared_epsilon_insensitive": (exact_losses.SQUARED_INSENSITIVE, None),
}
RATES = {
    "constant": exact.CONSTANT,
    "auto": exact.CONSTANT,
    "optimal": exact.OPTIMAL,
    "invscaling": exact.INVSCALING,
    "adaptive": exact.ADAPTIVE,
    "pa1": exact.PA1,
    "pa2": exact.PA2,
}
PENALTIES = {"l1": exact.L1_PENALTY, "l2": exact.L2_PENALTY, "elasticnet": exact.ELASTICNET}
VALUES_A_CALL = 1 << 22  # of rows, about 10 ms: Ctrl-C acts between two calls of a kernel


@cache
def _dense(floats: str) -> Any:
    return compiled(exact.run_dense, EXACT_DENSE.format(f=floats))


@cache
def _sparse(floats: str) -> Any:
    return compiled(exact.run_sparse, EXACT_SPARSE.format(f=floats))


def options_of(model: Any, X: Any, max_iter: int, tol: float | None) -> np.ndarray:
    """Return the kernels' `options` for an estimator. Each class then sets its own SEED and class weights in a copy."""
    kind, shape = LOSSES[model.loss]
    options = np.zeros(exact.N_OPTIONS)
    options[exact.LOSS], options[exact.SHAPE] = kind, model.epsilon if shape is None else shape
    options[exact.LEARNING_RATE] = RATES[model.learning_rate]
    options[exact.ETA0], options[exact.POWER_T], options[exact.ALPHA] = model.eta0, model.power_t, model.alpha
    if model.learning_rate == "optimal":
        typical = np.sqrt(1.0 / np.sqrt(model.alpha))  # of the weights; at the first row it is the rate too
        options[exact.OFFSET] = 1.0 / (typical * model.alpha)
    options[exact.PENALTY] = PENALTIES.get(model.penalty, exact.NO_PENALTY)
    options[exact.L1_RATIO] = l1_share(model)
    decay = SPARSE_INTERCEPT_DECAY if issparse(X) else 1.0
    options[exact.BIAS_SCALE] = decay if model.fit_intercept else 0.0
    options[exact.AVERAGE_FROM] = int(model.average)
    options[[exact.POSITIVE, exact.NEGATIVE]] = 1.0
    options[exact.WATCHED] = (tol is not None and max_iter > 1 and not model.early_stopping) or model.verbose > 0
    options[exact.SHUFFLED] = bool(model.shuffle)
    options[exact.EPOCHS], options[exact.PATIENCE] = max_iter, model.n_iter_no_change
    options[exact.TOL] = -np.inf if tol is None else tol
    return options


class Exact:
    """One neuron: a class against the rest, or a regression. It is used like a `OneClass` of `sgd_training.py`.

    `arrays` are changed in place; `y` has scikit-learn's labels for the loss, or numbers. `t` is 1 plus the number
    of rows that were trained on before, over all epochs.
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        held: np.ndarray | None,
        options: np.ndarray,
        arrays: ClassArrays,
        t: float,
        verbose: int = 0,
    ) -> None:
        n, kind = len(y), X.dtype
        self.X, self.options, self.arrays, self.verbose = X, options, arrays, verbose
        self.means = arrays.means[: -1 if options[exact.AVERAGE_FROM] else 0]
        penalised = options[exact.PENALTY] in (exact.L1_PENALTY, exact.ELASTICNET)
        self.places = np.arange(n)
        self.rows = self.places if held is None else np.empty(n - int(held.sum()), np.int64)
        weight = np.empty(0, kind) if sample_weight is None else sample_weight
        self._rows = y, weight, np.empty(0, np.uint8) if held is None else held.view(np.uint8), self.places, self.rows
        self._paid = np.zeros(len(arrays.weights) if penalised else 0, kind)
        self.score: Callable[[np.ndarray, float], float] | None = None  # of the rows held out
        self.engines = {"exact"}
        self.state = np.zeros(exact.N_STATE)
        self.state[[exact.SCALE, exact.B]] = 1.0
        self.state[[exact.BIAS, exact.MEAN_BIAS, exact.T]] = arrays.bias[0], arrays.means[-1], t
        self.state[[exact.ETA, exact.BEST]] = options[exact.ETA0], np.inf
        if not options[exact.WATCHED]:
            return
        dot, magnitudes = (blas.ddot, blas.dasum) if kind == np.float64 else (blas.sdot, blas.sasum)
        self.state[[exact.SQUARE, exact.SIZE]] = dot(arrays.weights, arrays.weights), magnitudes(arrays.weights)

    @property
    def mean_bias(self) -> float:
        return float(self.state[exact.MEAN_BIAS])

    @property
    def stopped(self) -> bool:
        """Whether training has ended because nothing gets better."""
        return bool(self.state[exact.WAITED] >= self.options[exact.PATIENCE])

    def loop(self) -> Iterator[tuple[int, bool]]:
        """The loop over the epochs, each of which is looked at."""
        self.options[exact.ONE_EPOCH] = 1.0
        self._begun = time()
        most = int(self.options[exact.EPOCHS])
        return run_epochs(lambda done: self._train(), most, [lambda done, last: self._stops()])

    def run(self) -> int:
        """Train until the end. Returns the number of epochs."""
        if self.score is None and self.verbose == 0:
            self._train()
        else:
            finish(self.loop())
        self.settle()
        return int(self.state[exact.EPOCH])

    def parameters(self, averaged: bool) -> np.ndarray:
        """(d + 1,): weights and bias as they are now, or their means; a copy."""
        weights, means, state = self.arrays.weights.copy(), self.means.copy(), self.state.copy()
        _settle(weights, means, state)
        return np.append(means, state[exact.MEAN_BIAS]) if averaged else np.append(weights, state[exact.BIAS])

    def settle(self) -> None:
        """Bring the arrays into their final form, after the last epoch."""
        _settle(self.arrays.weights, self.means, self.state)
        self.arrays.bias[0], self.arrays.means[-1] = self.state[exact.BIAS], self.state[exact.MEAN_BIAS]

    def _train(self) -> int:
        """Train until the end, or to the end of an epoch if each is looked at. Returns 1."""
        if self.verbose > 0:
            print(f"-- Epoch {int(self.state[exact.EPOCH]) + 1}")
        X, arrays = self.X, self.arrays
        changed = arrays.weights, self.means, self._paid, self.state
        if issparse(X):
            run, matrix, width = _sparse(X.dtype.char), [X.data, X.indices, X.indptr], X.nnz // X.shape[0]
        else:
            run, matrix, width = _dense(X.dtype.char), [X], X.shape[1]
        width += X.shape[1] // X.shape[0]  # all weights are looked at after an epoch
        most = max(VALUES_A_CALL // max(width, 1), 1)
        while (reason := run(*matrix, *self._rows, self.options, *changed, most)) in (exact.SETTLE, exact.PAUSE):
            if reason == exact.SETTLE:
                _settle(arrays.weights, self.means, self.state)
        if reason == exact.OVERFLOW:
            raise ValueError(
                f"Floating-point under-/overflow occurred at epoch #{int(self.state[exact.EPOCH])}. Scaling input data "
                "with StandardScaler or MinMaxScaler might help."
            )
        return 1

    def _stops(self) -> bool:
        """Look at an epoch that has ended. Returns whether to stop after it."""
        state = self.state
        value = state[exact.OBJECTIVE] / len(self.rows)
        if self.score is not None:
            # scikit-learn scores weights without their scale: with l2 they are a little too long.
            value = -self.score(self.arrays.weights, float(state[exact.BIAS]))
        if self.verbose > 0:
            self._print()
            if self.score is not None:
                print(f", Validation score: {-value:f}", end="")
            print(f"\nTotal training time: {time() - self._begun:.2f} seconds.")
        stops = bool(exact.stops(self.options, state, value))
        if stops and self.verbose > 0:
            epochs = int(state[exact.EPOCH])
            print(f"Convergence after {epochs} epochs took {time() - self._begun:.2f} seconds")
        return stops

    def _print(self) -> None:
        state, count = self.state, len(self.rows)
        real = self.arrays.weights.dtype.type
        print(
            f"Norm: {real(np.sqrt(state[exact.SQUARE])):.2f}, NNZs: {np.count_nonzero(self.arrays.weights)}, "
            f"Bias: {state[exact.BIAS]:.6f}, T: {int(state[exact.COUNT])}, "
            f"Avg. loss: {state[exact.TOTAL] / count:f}, Objective: {state[exact.OBJECTIVE] / count:f}",
            end="",
        )


class ExactFirst:
    """A class whose first steps may overshoot: some epochs of `Exact`, and the rest of `OneClass`.

    After a step that overshoots, differences in rounding grow. While no step can overshoot, they stay small.
    """

    def __init__(self, first: Exact, then: OneClass, epochs: int) -> None:
        self.first, self.then, self.epochs = first, then, epochs
        self.now: Exact | OneClass = first

    @property
    def engines(self) -> set[str]:
        return self.first.engines | self.then.engines

    def parameters(self, averaged: bool) -> np.ndarray:
        return self.now.parameters(averaged)

    def settle(self) -> None:
        self.now.settle()

    def run(self) -> int:
        ran = finish(self.loop())
        self.settle()
        return ran

    def loop(self) -> Iterator[tuple[int, bool]]:
        """The loop over the epochs of this class."""
        self.first.options[exact.EPOCHS] = self.epochs
        for done, _ in self.first.loop():
            yield done, self.first.stopped
        if not self.first.stopped:
            self._go_on()
            for done, last in self.then.loop():
                yield self.epochs + done, last

    def _go_on(self) -> None:
        first, then = self.first, self.then
        first.settle()
        then.options = replace(then.options, max_iter=then.options.max_iter - self.epochs)
        then.row += self.epochs * len(first.rows)
        then.epochs = self.epochs
        then.tolerance.best, then.tolerance.waited = first.state[exact.BEST], int(first.state[exact.WAITED])
        # scikit-learn's are those of the weights that the last row stores, before it pays l1
        then.norms = float(first.state[exact.SQUARE]), float(first.state[exact.SIZE])
        if then.options.shuffle:
            then.places = first.places  # each epoch shuffles the order of the one before
        self.now = then


def _settle(weights: np.ndarray, means: np.ndarray, state: np.ndarray) -> None:
    """Multiply the scale into the weights, and turn the sums into means, with the BLAS that scikit-learn calls."""
    real = weights.dtype.type
    if len(means):
        add = blas.daxpy if real is np.float64 else blas.saxpy
        means[:] = add(weights, means, a=state[exact.A])
        means *= real(1.0 / state[exact.B])
        state[[exact.A, exact.B]] = 0.0, 1.0
    weights *= real(state[exact.SCALE])
    state[exact.SCALE] = 1.0
