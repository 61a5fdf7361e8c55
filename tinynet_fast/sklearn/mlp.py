"""`MLPClassifier`: scikit-learn's own class on our kernels. What it shares with the regressor is in `mlp_base.py`."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from tinynet_fast.sklearn.mlp_base import ENGINES, MLPBase
from tinynet_fast.sklearn.mlp_epochs import THEIR_ROWS
from tinynet_fast.sklearn.scores import accuracy
from tinynet_fast.sklearn.validation import placing


class MLPClassifier(MLPBase, TheirClassifier):
    """A network with hidden layers: scikit-learn's, but faster, along the same loss curve.

    It is a subclass of `sklearn.neural_network.MLPClassifier` (from version 1.8 on): options, checks, messages, first
    weights, orders of rows and attributes are scikit-learn's own. It adds `engine`, `class_weight`, `X_val` and
    `y_val`, and `validation_loss_curve_`. From version 1.9 of scikit-learn on, `set_callbacks` takes scikit-learn's
    callbacks. They are called after each epoch and can end the training.

    Our kernels train with all options. Sparse rows are made dense a batch at a time. Three things run scikit-learn's
    own steps, to its bits and at its speed: rows of float32, sparse rows that store fewer than a tenth of their values,
    and sample weights below 0. `engine_` says "scikit-learn" then.

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
    class_weight : dict, "balanced" or None
        What a row counts for beside its sample weight, by its class: a dict of class -> weight (1 for a class that is
        not in it), or n / (n_classes * rows of the class). Scores of held-out rows do not use it. scikit-learn's class
        does not have this option.
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

    _parameter_constraints: dict = TheirClassifier._parameter_constraints | ENGINES
    _parameter_constraints |= {"class_weight": [StrOptions({"balanced"}), dict, None]}

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
        class_weight: Any = None,
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
        self.class_weight, self.engine = class_weight, engine

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
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
        found: tuple[Any, np.ndarray] = TheirClassifier._validate_input(self, X, y, incremental, reset)
        return found

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if y.shape[1] > 1 and self.out_activation_ == "logistic":
            raise ValueError("class_weight is for one label a row, and y has several: use sample_weight")
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' counts all rows, and partial_fit sees some: pass a dict with the weight of "
                "each class, as sklearn.utils.class_weight.compute_class_weight returns it for all rows"
            )
        codes = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0].astype(np.intp)
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[codes])
        if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
            raise ValueError(f"class_weight is {self.class_weight!r}: finite weights of at least 0 are needed")
        return np.asarray(weights)[codes]

    def _predict(self, X: Any, check_input: bool = True) -> np.ndarray:
        probabilities = self._forward_pass_fast(X, check_input=check_input)
        if self.n_outputs_ == 1:
            return np.asarray(self.classes_.take(probabilities[:, 0] > 0.5, mode="clip"))
        if self.out_activation_ == "softmax":
            return np.asarray(self.classes_.take(probabilities.argmax(axis=1)))
        return np.asarray(self._label_binarizer.inverse_transform(probabilities))

    def _score(self, X: Any, y: np.ndarray, sample_weight: Any = None) -> float:
        """The accuracy on the rows of early stopping. (scikit-learn 1.8 fails here if labels are words.)"""
        return accuracy(y, self._predict(X, check_input=False), sample_weight)


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
