"""`MLPClassifier`: scikit-learn's own class, whose epochs run on our kernels. The epochs are in `mlp_epochs.py`."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network._base import ACTIVATIONS
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.sklearn.callbacks import CallbackSupportMixin, Epochs
from tinynet_fast.sklearn.convert import Convertible
from tinynet_fast.sklearn.mlp_batches import have_kernels, outputs, sizes_of
from tinynet_fast.sklearn.mlp_epochs import THEIR_ROWS, MLPRun
from tinynet_fast.sklearn.validation import placing

FEW_ROWS = 100  # for at most 100 rows, scikit-learn's own forward pass takes less time than a call of ours


class MLPClassifier(Convertible, CallbackSupportMixin, TheirClassifier):
    """A network with hidden layers: scikit-learn's, but faster, along the same loss curve.

    It is a subclass of `sklearn.neural_network.MLPClassifier` (from version 1.8 on): options, checks, messages, first
    weights, orders of rows and attributes are scikit-learn's own. It adds `engine`, `X_val` and `y_val`, and
    `validation_loss_curve_`. From version 1.9 of scikit-learn on, `set_callbacks` takes scikit-learn's callbacks. They
    are called after each epoch and can end the training.

    Our kernels train on dense rows of float64 with one label a row, with "adam" or "sgd" and hidden units of "relu",
    "logistic" or "tanh". All else runs scikit-learn's own steps, to its bits and at its speed: "lbfgs", "identity",
    sparse rows, rows, weights or sample weights of float32, sample weights below 0, several labels a row. `engine_`
    says "scikit-learn" then.

    On our kernels each update differs from scikit-learn's only in its rounding: the loss curve is the same to 1e-8 and
    `n_iter_` is equal. Some training makes differences in rounding grow: in 11 of 400 random fits, all 11 on unscaled
    columns, the curve was further off than 1e-8. In 9 of these, scikit-learn's own curve also moved by more than that
    if the order of its inputs was changed. Of 2,000 random sequences of calls, 5 with large steps were further off.
    Scale the inputs, or use ``engine="exact"``.

    Where scikit-learn fails, this class goes on or says why. On our kernels a batch whose rows all have the sample
    weight 0 changes nothing; `early_stopping` may change between calls; a model that joblib maps into memory can be
    trained further; version 1.8 can stop early if labels are words. If training goes on from a network with other
    `hidden_layer_sizes`, it warns; scikit-learn does not.

    Parameters
    ----------
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
        Hold rows out, stop when their accuracy has not risen by `tol` for `n_iter_no_change` epochs, and return the
        best weights; else the loss is watched.
    validation_fraction : float
        The share held out; stratified for two classes.
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
    classes_ : (n_classes,)
    loss_, best_loss_ : float
        The last and the least of `loss_curve_`; `best_loss_` is None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch, each batch before its update, penalty included. A row's loss is at most 36.04,
        because probabilities are clipped to at least 2**-52.
    validation_scores_, best_validation_score_ : list of float, float
        The accuracies of the rows of `X_val`, or of those held out, and the best; None without early stopping.
    validation_loss_curve_ : list of float
        The mean cross-entropy, without a penalty, of the same rows after each epoch; None if there are none.
    t_ : int
        Rows trained on, over all epochs.
    n_iter_, n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As in scikit-learn.
    engine_ : {"fast", "strict", "scikit-learn"}
        What ran last.

    Examples
    --------
    >>> from tinynet_fast.sklearn import MLPClassifier
    >>> model = MLPClassifier((4,), learning_rate_init=0.1, tol=0.01, random_state=0)
    >>> X, y = [[-2, -7], [5, 20], [3, 12], [-7, -20]], ["no", "yes", "yes", "no"]
    >>> model.fit(X, y).predict([[1, 5]])
    array(['yes'], dtype='<U3')
    """

    validation_loss_curve_: Any

    _parameter_constraints: dict = TheirClassifier._parameter_constraints | {
        "engine": [StrOptions({"fast", "strict", "exact"})]
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
        max_fun: int = 15000,
        engine: str = "fast",
    ) -> None:
        super().__init__(
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
            An array, a list of rows, a pandas, polars or Arrow frame, or sparse rows.
        y : (n,) or (n, n_labels)
            Labels, or for each label whether the row has it (0 or 1).
        sample_weight : (n,), optional
            How much a row counts: a batch's gradient and loss are means weighted by it.
        X_val : (n_val, n_features), optional
            Rows that are not trained on, for `validation_loss_curve_`; with `early_stopping` they decide when to stop,
            and no rows are held out. Earlier steps of a `Pipeline` transform them with ``transform_input=["X_val"]``.
        y_val : (n_val,), optional
            Their labels, of classes that are in `y`.
        sample_weight_val : (n_val,), optional
            How much each row counts in losses and accuracies.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For missing values, an option that makes no sense, weights that overflow.
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        incremental: bool = False,
        validation: tuple[Any, Any, Any] = (None, None, None),
    ) -> "MLPClassifier":
        if self.solver == "lbfgs" and any(part is not None for part in validation):
            raise ValueError("X_val and y_val are for epochs, and solver='lbfgs' has none: use 'adam' or 'sgd'")
        epochs = Epochs(self, 1 if incremental else int(self.max_iter), X, y, sample_weight)
        self._call = epochs, validation  # for `_fit_stochastic`
        try:
            super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)
        finally:
            del self._call
        if self.solver == "lbfgs":
            self.engine_ = "scikit-learn"
        epochs.done()
        return self

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """The checked rows, and (n, n_outputs) bool. Labels take a shorter way than scikit-learn's."""
        with placing(X):
            rows, labels = validate_data(self, X, y, **THEIR_ROWS, multi_output=True, reset=reset)
        if labels.ndim == 1:
            if not (hasattr(self, "classes_") and (self.warm_start or incremental)):
                check_classification_targets(labels)
                self._label_binarizer = LabelBinarizer().fit(labels)
                self.classes_ = self._label_binarizer.classes_
            known = _one_hot(labels, self.classes_, every=self.warm_start)
            if known is not None:
                return rows, known
        found: tuple[Any, np.ndarray] = super()._validate_input(X, y, incremental, reset)
        return found

    def _fit_stochastic(self, X: Any, y: np.ndarray, sample_weight: Any, *rest: Any) -> None:
        """scikit-learn calls this with its checked rows and `y`, (n, n_outputs) bool."""
        *_, layer_units, incremental = rest
        if not (incremental and self.early_stopping):  # which is refused
            self._check_layers(list(layer_units))
        if sample_weight is not None and not sample_weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        MLPRun(self, X, y, sample_weight, incremental, *self._call).run()

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> np.ndarray:
        """(n, n_outputs): the probabilities of some rows."""
        if check_input:
            with placing(X):
                X = validate_data(self, X, reset=False, accept_sparse=["csr", "csc"])
        if X.shape[0] <= FEW_ROWS or not have_kernels(self, X):
            found: np.ndarray = super()._forward_pass_fast(X, check_input=False)
            return found
        sums = outputs(self, X)
        ACTIVATIONS[self.out_activation_](sums)
        return sums

    def _predict(self, X: Any, check_input: bool = True) -> np.ndarray:
        probabilities = self._forward_pass_fast(X, check_input=check_input)
        if self.n_outputs_ == 1:
            return np.asarray(self.classes_.take(probabilities[:, 0] > 0.5, mode="clip"))
        if self.out_activation_ == "softmax":
            return np.asarray(self.classes_.take(probabilities.argmax(axis=1)))
        return np.asarray(self._label_binarizer.inverse_transform(probabilities))

    def _score(self, X: Any, y: np.ndarray, sample_weight: Any = None) -> float:
        """The accuracy on the rows of early stopping. (scikit-learn 1.8 fails here if labels are words.)"""
        return float(accuracy_score(y, self._predict(X, check_input=False), sample_weight=sample_weight))

    def _initialize(self, y: np.ndarray, layer_units: list[int], dtype: Any) -> None:
        super()._initialize(y, layer_units, dtype)
        self.validation_loss_curve_ = None

    def _check_layers(self, asked: list[int]) -> None:
        """Like scikit-learn, go on with the old layers, but warn if their sizes differ from those asked for.

        ValueError if the number of layers differs; there scikit-learn fails.
        """
        trained = sizes_of(self)
        if asked == trained:
            return
        message = f"hidden_layer_sizes={asked[1:-1]} does not fit the network to go on from, whose hidden layers have "
        message += f"{trained[1:-1]} units"
        if len(asked) != len(trained):
            raise ValueError(f"{message}: give the same layers, or start anew (warm_start=False, fit)")
        warnings.warn(f"{message}: training goes on with these", TrainingWarning, stacklevel=6)


def _one_hot(labels: np.ndarray, classes: np.ndarray, every: bool) -> np.ndarray | None:
    """(n, n_outputs) bool, a column for each class, or only one for two; None if a label is no class.

    If `every` is true, it is also None if a class has no row.
    """
    try:
        codes = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
        if not (classes[codes] == labels).all() or (every and len(np.unique(codes)) < len(classes)):
            return None
    except TypeError:  # labels that have no order beside the classes: words and numbers
        return None
    return codes[:, np.newaxis] == (np.arange(len(classes)) if len(classes) > 2 else 1)
