"""`MLPClassifier` with scikit-learn's parameters, attributes and loss curve. The training is in `mlp_training.py`."""

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted, validate_data

from tinynet_fast.sklearn.callbacks import CallbackSupportMixin, Epochs
from tinynet_fast.sklearn.labels import check_several, classes_of
from tinynet_fast.sklearn.mlp_epochs import MLPRun
from tinynet_fast.sklearn.mlp_training import Network, Solver, first_parameters, likeliest, outputs
from tinynet_fast.sklearn.validation import DENSE, checked_weights, placing, validation_rows


class MLPClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """A network with hidden layers: scikit-learn's, but faster, along the same loss curve.

    With the same options, rows and `random_state` it starts from the same weights, sees the same batches and takes the
    same steps as `sklearn.neural_network.MLPClassifier` (from version 1.8 on), except for rounding. Its loss curve is
    the same to 1e-8, but a row's loss is not clipped: scikit-learn counts at most 36 nats for a row. Rows are dense and
    have one label each. scikit-learn's parameter `max_fun`, which belongs to "lbfgs", is missing.

    From scikit-learn's version 1.9 on `set_callbacks` takes its callbacks: they are called after each epoch and can end
    the training.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units in each hidden layer.
    activation : {"relu", "logistic", "tanh"}
        What hidden units do to their sums. "identity" is not supported.
    solver : {"adam", "sgd"}
        Adam (Kingma and Ba, ICLR 2015; `epsilon` is added to the root before its correction), or steps down the
        gradient with momentum. "lbfgs" is not supported.
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
        Hold rows out, stop when their accuracy has not risen by `tol` for `n_iter_no_change` epochs, and return the
        best weights; else the loss is watched.
    validation_fraction : float
        The share held out; stratified for two classes.
    beta_1, beta_2, epsilon : float
        For "adam".
    n_iter_no_change : int or inf
    engine : {"fast", "strict"}
        What does the arithmetic: "fast" within 1e-12 of the plain loop in each update, "strict" bit for bit. "fast"
        leaves very large starting weights to "strict".

    Attributes
    ----------
    coefs_ : list of (fan_in, fan_out) float64
        Also float64 for rows of float32, for which scikit-learn's are float32.
    intercepts_ : list of (fan_out,) float64
    classes_ : (n_classes,)
    loss_, best_loss_ : float
        The last and the least of `loss_curve_`; `best_loss_` is None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch, each batch before its update, penalty included.
    validation_scores_, best_validation_score_ : list of float, float
        The accuracies of the rows of `X_val`, or of those held out, and the best; None without early stopping.
    validation_loss_curve_ : list of float
        The mean cross-entropy, without a penalty, of the same rows after each epoch; None if there are none.
    t_ : int
        Rows trained on, over all epochs.
    n_iter_, n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As in scikit-learn.
    engine_ : {"fast", "strict"}
        Which engine ran last.

    Examples
    --------
    >>> from tinynet_fast.sklearn import MLPClassifier
    >>> model = MLPClassifier((4,), learning_rate_init=0.1, tol=0.01, random_state=0)
    >>> X, y = [[-2, -7], [5, 20], [3, 12], [-7, -20]], ["no", "yes", "yes", "no"]
    >>> model.fit(X, y).predict([[1, 5]])
    array(['yes'], dtype='<U3')
    """

    coefs_: Any
    intercepts_: Any
    classes_: Any
    n_iter_: int
    best_loss_: Any
    validation_scores_: Any
    best_validation_score_: Any
    _network: Network | None

    _parameter_constraints: dict = {  # noqa: RUF012 - scikit-learn looks for it there
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str],
        "solver": [str],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "engine": [StrOptions({"fast", "strict"})],
    }

    def __init__(
        self,
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
        engine: str = "fast",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.engine = engine

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> "MLPClassifier":
        """Train on all rows, for as many epochs as `max_iter` and `tol` say.

        Parameters
        ----------
        X : (n, n_features)
            An array, a list of rows, or a pandas, polars or Arrow frame.
        y : (n,)
            Labels, of two classes or more.
        sample_weight : (n,), optional
            How much a row counts: a batch's gradient and loss are means weighted by it.
        X_val : (n_val, n_features), optional
            Rows that are not trained on, for `validation_loss_curve_`; with `early_stopping` they decide when to stop,
            and no rows are held out. Earlier steps of a `Pipeline` transform them with ``transform_input=["X_val"]``.
        y_val : (n_val,), optional
            Their labels, of classes that are in `y`.
        sample_weight_val : (n_val,), optional
            What each counts for in losses and accuracies.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For missing values, an option that makes no sense, another solver, weights that overflow.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=False)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> "MLPClassifier":
        """One pass over some rows; goes on from the end of the last call.

        A call's last batch ends with the call. With ``shuffle=False`` the weights do not depend on how the rows are cut
        into calls, as long as each call but the last has a multiple of `batch_size` rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`; `y` need not hold every class.
        classes : (n_classes,)
            All classes that later calls may have. Needed in the first call.

        Returns
        -------
        self
        """
        _check_partial_fit_first_call(self, classes)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, (None, None, None), incremental=True)

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, n_classes): the probability of each class."""
        check_is_fitted(self)
        sums = self._sums(self._rows(X))
        if sums.shape[1] > 1:
            return softmax(sums, axis=1)
        return expit(np.hstack([-sums, sums]))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """(n, n_classes): the logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """(n,): the likeliest class of each row."""
        check_is_fitted(self)
        return self.classes_[likeliest(self._sums(self._rows(X)))]

    def _rows(self, X: Any) -> np.ndarray:
        with placing(X):
            return np.asarray(validate_data(self, X, reset=False, **DENSE))

    def _sums(self, X: np.ndarray) -> np.ndarray:
        weights = [np.asarray(part, dtype=np.float64) for part in self.coefs_]
        biases = [np.asarray(part, dtype=np.float64) for part in self.intercepts_]
        return outputs(X, weights, biases, self.activation, self.engine)

    def _check_options(self) -> None:
        for name, ours, theirs in (
            ("solver", ("adam", "sgd"), ("lbfgs",)),
            ("activation", ("relu", "logistic", "tanh"), ("identity",)),
        ):
            value = getattr(self, name)
            if value not in ours:
                remedy = "; use scikit-learn's MLPClassifier for it" if value in theirs else ""
                raise ValueError(f"{name}={value!r} has no kernel here: use one of {', '.join(ours)}{remedy}")

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], incremental: bool
    ) -> "MLPClassifier":
        self._check_options()
        data = X, y, sample_weight
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        with placing(X):
            X, y = validate_data(self, X, y, reset=first, **DENSE)
        codes = self._codes(column_or_1d(y), first, incremental)
        sample_weight = checked_weights(sample_weight, X)
        held = validation_rows(self, *validation, DENSE)
        random_state = check_random_state(self.random_state)
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=int)).tolist()
        if any(width <= 0 for width in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        sizes = [X.shape[1], *hidden, 1 if len(self.classes_) == 2 else len(self.classes_)]
        if first:
            self._initialize(random_state, sizes)
        elif (trained := [*map(len, self.coefs_), len(self.intercepts_[-1])]) != sizes:
            raise ValueError(
                f"hidden_layer_sizes={hidden} does not fit the network to go on from, whose hidden layers have "
                f"{trained[1:-1]} units: give the same layers, or start anew (warm_start=False, fit)"
            )
        network = getattr(self, "_network", None)
        if network is None or not incremental:
            network = Network(sizes, self.activation, self._solver())
        network.load(self.coefs_, self.intercepts_)  # the user may have set them
        self._network = network
        epochs = Epochs(self, 1 if incremental else int(self.max_iter), *data)
        try:
            MLPRun(self, network, X, codes, sample_weight, random_state, epochs, held, incremental).run()
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=3)
            self.coefs_, self.intercepts_ = network.layers()
        epochs.done()
        return self

    def _codes(self, y: np.ndarray, first: bool, incremental: bool) -> np.ndarray:
        """(n,): the number of each row's class. The first call sets `classes_`."""
        if not hasattr(self, "classes_") or (first and not incremental):
            self.classes_ = classes_of(y)
            check_several(self.classes_)
            return np.searchsorted(self.classes_, y)
        seen = np.unique(y)
        if self.warm_start and not incremental and set(seen) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used if `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {seen}"
            )
        if not np.isin(seen, self.classes_).all():
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {seen}."
            )
        return np.searchsorted(self.classes_, y)

    def _solver(self) -> Solver:
        rates = self.learning_rate, float(self.learning_rate_init), float(self.power_t)
        adam = float(self.beta_1), float(self.beta_2), float(self.epsilon)
        return Solver(self.solver, *rates, float(self.momentum), bool(self.nesterovs_momentum), *adam)

    def _initialize(self, random_state: np.random.RandomState, sizes: list[int]) -> None:
        self.n_iter_, self.t_, self.n_layers_, self.n_outputs_ = 0, 0, len(sizes), sizes[-1]
        self.out_activation_ = "softmax" if sizes[-1] > 1 else "logistic"
        self.coefs_, self.intercepts_ = first_parameters(random_state, sizes, self.activation)
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.validation_scores_ = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.validation_loss_curve_: list[float] | None = None
        self.best_loss_ = None if self.early_stopping else np.inf
        self._network = None
