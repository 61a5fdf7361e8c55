"""The epochs of a network's fit: its attributes after each epoch, and when to stop."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network._base import LOSS_FUNCTIONS
from sklearn.utils import _safe_indexing

from tinynet_fast.sklearn.callbacks import Epochs
from tinynet_fast.sklearn.mlp_batches import KernelBatches, TheirBatches, optimizer_of
from tinynet_fast.sklearn.mlp_kernels import have_kernels
from tinynet_fast.sklearn.sharing import drawn, latest, once, shuffled
from tinynet_fast.sklearn.validation import check_counts, validation_numbers, validation_rows
from tinynet_fast.training.loop import finish, run_epochs

THEIR_ROWS: dict[str, Any] = {"dtype": (np.float64, np.float32), "accept_sparse": ["csr", "csc"]}


class MLPRun:
    """One call of `fit` or `partial_fit`. It changes the attributes of `model` as scikit-learn does.

    `y` is (n, n_outputs), bool for a classifier; `class_weight` has what a row counts for beside its sample weight; and
    `validation` holds what `fit` was given as X_val, y_val and sample_weight_val.
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        class_weight: np.ndarray | None,
        incremental: bool,
        epochs: Epochs,
        validation: tuple[Any, Any, Any],
    ) -> None:
        self.model, self.epochs, self.incremental = model, epochs, incremental
        if model.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if not incremental or not hasattr(model, "_optimizer"):
            model._optimizer = optimizer_of(model)
        self.held = self._given(validation)
        if model.early_stopping and self.held is None:
            X, y, sample_weight, class_weight = self._hold_out(X, y, sample_weight, class_weight)
        sample_weight = sample_weight if class_weight is None else class_weight * _or_one(sample_weight)
        self._watch()
        n = len(y)
        if model.batch_size != "auto" and model.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )
        size = min(200 if model.batch_size == "auto" else int(model.batch_size), n)
        ours = have_kernels(model, X, sample_weight)
        self.batches = (KernelBatches if ours else TheirBatches)(model, X, y, sample_weight, size)
        self.order, model.engine_, model.n_iter_ = once("first order", (X,), lambda: np.arange(n)), self.batches.name, 0

    def _given(self, validation: tuple[Any, Any, Any]) -> tuple[Any, np.ndarray, np.ndarray, Any] | None:
        """The rows that are not trained on, their labels, the labels in the form of `y`, and sample weights."""
        X_val, y_val, weight = validation
        if is_regressor(self.model):
            numbers = validation_numbers(self.model, X_val, y_val, weight, THEIR_ROWS)
            if numbers is not None:
                check_counts(self.model.loss, numbers[1], "y_val")
            return numbers
        held = validation_rows(self.model, X_val, y_val, weight, THEIR_ROWS)
        if held is None:
            return None
        labels = self.model.classes_[held.codes]
        return held.X, labels, self.model._label_binarizer.transform(labels).astype(bool), held.weight

    def _hold_out(self, X: Any, y: np.ndarray, *weights: np.ndarray | None) -> list[Any]:
        """Take rows out for early stopping. Returns those to train on."""
        model = self.model
        state, share = model._random_state, model.validation_fraction
        split = partial(train_test_split, np.arange(len(y)), random_state=state, test_size=share)
        plain = model.n_outputs_ > 1 or is_regressor(model)
        rows = drawn(("held out", share), (y,), state, lambda: split() if plain else self._stratified(split, y))
        trained, held = rows
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        y_held = y[held]
        labels = y_held if is_regressor(model) else model._label_binarizer.inverse_transform(y_held)
        self.held = _some(X, held), labels, y_held, _part(weights[0], held)  # scores do not know of class weights
        return [_some(X, trained), _some(y, trained), *(_part(weight, trained) for weight in weights)]

    def _stratified(self, split: Callable[..., Any], y: np.ndarray) -> Any:
        alone = 1 in (y.sum(), len(y) - y.sum())
        try:  # scikit-learn's own `y`, (n, 1), has its message, but takes 20 ms for 20,000 rows
            return split(stratify=y if alone else y.ravel())
        except ValueError as error:
            if not alone:
                raise
            classes = self.model.classes_.tolist()
            named = " and ".join(f"'{bool(code)}' is {label!r}" for code, label in enumerate(classes))
            raise ValueError(f"{error} ({named})") from None

    def _watch(self) -> None:
        """Start watching what an earlier call, with another `early_stopping`, did not watch."""
        model = self.model
        if model.early_stopping and model.validation_scores_ is None:
            model.validation_scores_, model.best_validation_score_ = [], -np.inf
            model._best_coefs, model._best_intercepts = model.coefs_, model.intercepts_
        elif not model.early_stopping and model.best_loss_ is None:
            model.best_loss_ = np.inf

    def run(self) -> None:
        """Train until the end."""
        try:
            finish(self.loop())
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)

    def loop(self) -> Iterator[tuple[int, bool]]:
        """The loop over the epochs. At its end a model with early stopping gets the weights of its best epoch."""
        try:
            yield from run_epochs(self._pass, int(self.model.max_iter), [self._ended])
        finally:
            self.batches.leave()
            if self.model.early_stopping:
                self.model.coefs_, self.model.intercepts_ = self.model._best_coefs, self.model._best_intercepts

    def _pass(self, done: int) -> int:
        model = self.model
        self.epochs.begin()
        if model.shuffle:
            order, places = self.order, shuffled(model._random_state, len(self.order))
            self.order = latest("order", (order, places), lambda kept: order[places])
        model.loss_ = self.batches.epoch(self.order if model.shuffle else None)
        # scikit-learn would say so only after the last epoch; early stopping returns the weights of an earlier one
        if not (model.early_stopping or all(np.isfinite(part).all() for part in self.batches.parameters)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                f"preprocessed. It was in epoch {done + 1}: scale the inputs with StandardScaler or MinMaxScaler, or "
                "lower learning_rate_init"
            )
        model.n_iter_ = done + 1
        model.t_ += len(self.order)
        model.loss_curve_.append(model.loss_)
        return 1

    def _ended(self, done: int, last: bool) -> bool:
        """Whether training is to stop after an epoch."""
        stops = self._stops(last)
        if stops or last:  # at once: the next network to be asked may train all that have not left
            self.batches.leave()
        return stops

    def _stops(self, last: bool) -> bool:
        model = self.model
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        if self.held is not None:
            self._add_validation_loss()
        X, labels, _, weight = self.held or (None,) * 4
        model._update_no_improvement_count(model.early_stopping, X, labels, weight)
        model._optimizer.iteration_ends(model.t_)
        if self.epochs.end(self._as_if_done):
            return True
        if model._no_improvement_count > model.n_iter_no_change:
            what = "Validation score" if model.early_stopping else "Training loss"
            message = f"{what} did not improve more than tol={model.tol:f} for {model.n_iter_no_change:d}"
            if model._optimizer.trigger_stopping(f"{message} consecutive epochs.", model.verbose):
                return True
            model._no_improvement_count = 0
        if last and not self.incremental:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=8,
            )
        return self.incremental

    def _add_validation_loss(self) -> None:
        """Add the mean loss of the rows that are not trained on."""
        assert self.held is not None
        model, (X, _, y, weight) = self.model, self.held
        loss = LOSS_FUNCTIONS["binary_log_loss" if model.out_activation_ == "logistic" else model.loss]
        model.validation_loss_curve_ = model.validation_loss_curve_ or []
        model.validation_loss_curve_.append(float(loss(y, model._forward_pass_fast(X, check_input=False), weight)))

    def _as_if_done(self) -> dict[str, Any]:
        """The attributes that a copy of the model must not share with it, because training goes on."""
        model = self.model
        curves = "loss_curve_", "validation_scores_", "validation_loss_curve_"
        parts = model.coefs_, model.intercepts_
        if model.early_stopping:
            parts = model._best_coefs, model._best_intercepts
        weights, biases = ([part.copy() for part in layers] for layers in parts)
        return {"_call": None, "coefs_": weights, "intercepts_": biases} | {
            name: list(curve) for name in curves if (curve := getattr(model, name)) is not None
        }


def _or_one(sample_weight: np.ndarray | None) -> np.ndarray | float:
    return 1.0 if sample_weight is None else sample_weight


def _some(values: Any, rows: np.ndarray) -> Any:
    return once("some rows", (values, rows), lambda: _safe_indexing(values, rows))


def _part(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[rows]
