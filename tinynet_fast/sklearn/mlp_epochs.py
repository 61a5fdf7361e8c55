"""The epochs of an `MLPClassifier`'s fit: its attributes after each epoch, and when to stop."""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.utils import shuffle

from tinynet_fast.kernels import layout as at
from tinynet_fast.sklearn.callbacks import Epochs
from tinynet_fast.sklearn.mlp_training import Network, Trainer, held_out, likeliest
from tinynet_fast.sklearn.validation import Validation, log_probabilities
from tinynet_fast.training.loop import finish, run_epochs


class MLPRun:
    """One call of `fit` or `partial_fit`. It changes the attributes of `model` as scikit-learn does."""

    def __init__(
        self,
        model: Any,
        network: Network,
        X: np.ndarray,
        codes: np.ndarray,
        sample_weight: np.ndarray | None,
        random_state: np.random.RandomState,
        epochs: Epochs,
        held: Validation | None,
        incremental: bool,
    ) -> None:
        self.model, self.network, self.random_state = model, network, random_state
        self.epochs, self.incremental = epochs, incremental
        if model.early_stopping and held is None:
            binary = model.n_outputs_ == 1
            trained, held_rows = held_out(X, codes, model.validation_fraction, random_state, stratified=binary)
            held = Validation(X[held_rows], codes[held_rows], _part(sample_weight, held_rows))
            X, codes, sample_weight = X[trained], codes[trained], _part(sample_weight, trained)
        n = len(X)
        size = min(200, n) if model.batch_size == "auto" else min(int(model.batch_size), n)
        if model.batch_size != "auto" and model.batch_size > n:
            warnings.warn(f"batch_size is {model.batch_size} and there are {n} rows: all are taken.", stacklevel=5)
        self.held, self.order, self.best = held, np.arange(n), None
        self.trainer = Trainer(network, X, codes, sample_weight, size, float(model.alpha), model.engine)
        model.engine_, model.n_iter_ = self.trainer.engine.name, 0

    def run(self) -> None:
        """Train until the end. With early stopping the model gets the weights of its best epoch."""
        finish(run_epochs(self._pass, int(self.model.max_iter), [self._ended]))
        if self.best is not None:
            self.network.state[at.PARAMETERS] = self.best
            self.model.coefs_, self.model.intercepts_ = self.network.layers()

    def _pass(self, done: int) -> int:
        model, network = self.model, self.network
        self.epochs.begin()
        if model.shuffle:
            self.order = shuffle(self.order, random_state=self.random_state)
        model.loss_ = self.trainer.epoch(self.order if model.shuffle else None)
        # scikit-learn would say so only after the last epoch
        if not np.isfinite(network.state[at.PARAMETERS]).all():
            raise ValueError(
                f"Solver produced non-finite parameter weights in epoch {done + 1}: scale the inputs with "
                "StandardScaler or MinMaxScaler, or lower learning_rate_init"
            )
        model.coefs_, model.intercepts_ = network.layers()
        model.n_iter_ = done + 1
        model.t_ += len(self.order)
        model.loss_curve_.append(model.loss_)
        return 1

    def _ended(self, done: int, last: bool) -> bool:
        """Whether training is to stop after an epoch."""
        model, network = self.model, self.network
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        if self._improves() and model.early_stopping:
            self.best = network.state[at.PARAMETERS].copy()
        network.epoch_ends(model.t_)
        if self.epochs.end(self._as_if_done):
            return True
        if model._no_improvement_count > model.n_iter_no_change:
            if not network.can_slow_down():
                return True
            model._no_improvement_count = 0
        if last and not self.incremental:
            warnings.warn(
                f"All {model.max_iter} epochs ran and the loss still came down: raise max_iter for a better fit.",
                ConvergenceWarning,
                stacklevel=8,
            )
        return self.incremental

    def _as_if_done(self) -> dict[str, Any]:
        """The attributes that a copy of the model must not share with it, because training goes on."""
        curves = "loss_curve_", "validation_scores_", "validation_loss_curve_"
        return {"_network": None} | {
            name: list(curve) for name in curves if (curve := getattr(self.model, name)) is not None
        }

    def _improves(self) -> bool:
        """Count the epochs without progress. Returns whether the last one is the best so far."""
        model, held = self.model, self.held
        if held is not None:
            sums = model._sums(held.X)
            held.add(log_probabilities(sums, False))
            model.validation_loss_curve_ = model.validation_loss_curve_ or []
            model.validation_loss_curve_.append(held.losses[-1])
        if held is None or not model.early_stopping:
            best, last = -model.best_loss_, -model.loss_curve_[-1]
        else:
            last = float(accuracy_score(held.codes, likeliest(sums), sample_weight=held.weight))
            model.validation_scores_.append(last)
            best = model.best_validation_score_
            if model.verbose:
                print(f"Validation score: {last:f}")
        model._no_improvement_count = model._no_improvement_count + 1 if last < best + model.tol else 0
        if model.early_stopping:
            model.best_validation_score_ = max(best, last)
        else:
            model.best_loss_ = min(model.best_loss_, model.loss_curve_[-1])
        return last > best


def _part(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[rows]
