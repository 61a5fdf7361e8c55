"""`MLPRegressor`: scikit-learn's own class on our kernels. What it shares with the classifier is in `mlp_base.py`."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPRegressor as TheirRegressor

from tinynet_fast.sklearn.mlp_base import ENGINES, MLPBase
from tinynet_fast.sklearn.scores import r2
from tinynet_fast.sklearn.validation import check_counts, placing


class MLPRegressor(MLPBase, TheirRegressor):
    """A network with hidden layers that predicts numbers: scikit-learn's, but faster, along the same loss curve.

    It is a subclass of `sklearn.neural_network.MLPRegressor` (from version 1.8 on): options, checks, messages, first
    weights, orders of rows and attributes are scikit-learn's own. It adds `engine`, `X_val` and `y_val`, and
    `validation_loss_curve_`. What `MLPClassifier` says of our kernels, of float32, of sparse rows and of callbacks
    holds here too. With loss="poisson" a number below 0 in `y` is refused; scikit-learn trains on it, with NaN losses.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        Half the squared error; or Poisson's, for counts: the network's sum is the log of the mean that it predicts.
    hidden_layer_sizes : int or sequence of int
        Units in each hidden layer.
    activation : {"relu", "logistic", "tanh", "identity"}
        What hidden units do to their sums.
    solver : {"adam", "sgd", "lbfgs"}
        Adam (Kingma and Ba, ICLR 2015; `epsilon` is added to the root before its correction), steps down the gradient
        with momentum, or scipy's L-BFGS-B on all rows at once.
    alpha : float
        Adds alpha / 2 times the squared length of the weights, over the batch's sample weights, to a batch's loss.
    batch_size : int or "auto"
        Rows in an update; "auto" is 200, or all rows if they are fewer. The last batch of an epoch may be shorter.
    learning_rate : {"constant", "invscaling", "adaptive"}
        For "sgd": `learning_rate_init`; that over (1 + rows so far)**`power_t`, from epoch to epoch; or divided by 5
        whenever training would stop, down to 1e-6.
    learning_rate_init, power_t : float
    max_iter : int
        Passes over the rows.
    shuffle : bool
        Visit the rows in scikit-learn's own new order in each epoch.
    random_state : int, RandomState instance or None
        Decides on the first weights, the orders and the rows held out.
    tol : float
    verbose : bool
        Print the loss of each epoch.
    warm_start : bool
        `fit` starts from the weights of the last fit.
    momentum : float
        From 0 to 1.
    nesterovs_momentum : bool
    early_stopping : bool
        Hold rows out, stop when their R squared has not risen by `tol` for `n_iter_no_change` epochs, and return the
        best weights; else the loss is watched.
    validation_fraction : float
        The share held out.
    beta_1, beta_2, epsilon : float
        For "adam".
    n_iter_no_change : int or inf
    max_fun : int
        Calls of the loss that "lbfgs" may make.
    engine : {"fast", "strict", "exact"}
        What does the arithmetic: "fast" within 1e-12 of the plain loop in each update, "strict" bit for bit, "exact"
        scikit-learn itself. "fast" leaves very large starting weights to "strict".

    Attributes
    ----------
    coefs_ : list of (fan_in, fan_out) float64
        float32 if the rows are.
    intercepts_ : list of (fan_out,) float64
    loss_, best_loss_ : float
        The last and the least of `loss_curve_`; `best_loss_` is None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch, each batch before its update, penalty included. Half the squared error is the mean
        over several outputs, Poisson's loss the sum.
    validation_scores_, best_validation_score_ : list of float, float
        R squared of the rows of `X_val`, or of those held out, and the best; None without early stopping.
    validation_loss_curve_ : list of float
        The mean loss, without a penalty, of the same rows after each epoch; None if there are none.
    t_ : int
        Rows trained on, over all epochs.
    n_iter_, n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As in scikit-learn.
    engine_ : {"fast", "strict", "scikit-learn"}
        What ran last.

    Examples
    --------
    >>> from tinynet_fast.sklearn import MLPRegressor
    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, random_state=0)
    >>> model.fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]).predict([[4.0]]).round(3)
    array([9.])
    """

    _parameter_constraints: dict = TheirRegressor._parameter_constraints | ENGINES

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        engine: str = "fast",
    ) -> None:
        super().__init__(
            loss=loss,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
        )
        self.engine = engine

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """The checked rows and numbers."""
        with placing(X):
            rows, numbers = TheirRegressor._validate_input(self, X, y, incremental, reset)
        check_counts(self.loss, numbers)
        return rows, numbers

    def _score(self, X: Any, y: np.ndarray, sample_weight: Any = None) -> float:
        """R^2 on the rows of early stopping."""
        return float(self._score_with_function(X, y, sample_weight=sample_weight, score_function=r2))
