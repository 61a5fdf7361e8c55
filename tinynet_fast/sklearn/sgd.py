"""`SGDClassifier` with scikit-learn's parameters, attributes and weights. The training is in `sgd_training.py`."""

from contextlib import nullcontext
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn import linear_model
from sklearn.base import _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from tinynet_fast.kernels.fast import prediction
from tinynet_fast.sklearn.callbacks import CallbackSupportMixin, Epochs
from tinynet_fast.sklearn.convert import Convertible
from tinynet_fast.sklearn.labels import check_known, check_several, class_weights, classes_of
from tinynet_fast.sklearn.sgd_classes import Data, Observer, neurons_to_train, run
from tinynet_fast.sklearn.sgd_options import check_options, warn_after
from tinynet_fast.sklearn.sgd_segments import side_by_side
from tinynet_fast.sklearn.sgd_weights import Weights, is_averaged
from tinynet_fast.sklearn.validation import (
    ROWS,
    RemembersOptions,
    Validation,
    are_ready,
    checked_matrix,
    checked_rows,
    checked_weights,
    placing,
    validation_rows,
    whole_or_not,
)
from tinynet_fast.training.junctions import Junctions


class SGDClassifier(RemembersOptions, Convertible, CallbackSupportMixin, linear_model.SGDClassifier):
    """Linear classifiers by stochastic gradient descent, a row at a time: scikit-learn's, but faster.

    It is a subclass of `sklearn.linear_model.SGDClassifier` (from version 1.8 on) and takes everything that its
    superclass takes. With the same options, rows and `random_state` it learns the same `coef_` and `intercept_` in the
    same number of epochs: to the last bit with ``engine="exact"``, and to 1e-10 with "fast", the default. (The same
    bits are those of the same machine: scikit-learn's own averages depend on the processor.)

    The fast kernels train with ``loss="log_loss"`` and without l1, as long as no step can overshoot, which means that
    rate * weight * (\\|x\\|**2 + 1) <= 8. After a step that overshoots, differences in rounding grow, so those steps
    are left to the exact kernels. ``learning_rate="optimal"`` begins with the rate alpha**-0.25 (10 by default): the
    first epochs are exact ones, until the rate is low enough. `engine_` says what ran.

    More than two classes are trained one against the rest, each in its own order of the rows. With ``shuffle=False``,
    dense rows and no l1 the fast kernels train all classes in one pass over the rows, which takes a third to a sixth of
    the time. If one order for all classes and epochs is good enough, shuffle the rows once yourself before `fit`.

    Rows are arrays, frames or SciPy's sparse matrices, which are converted to CSR. On sparse rows l1 cuts only the
    weights of the inputs that a row stores, and the intercept moves by a hundredth of its step.

    Training copies the weights that it goes on from. So an array that is passed as `coef_init` does not change, and a
    model that joblib maps from a file can be trained further.

    From version 1.9 of scikit-learn on, `set_callbacks` takes scikit-learn's callbacks. They are called after each
    epoch and can end the training.

    Parameters
    ----------
    loss : str
        "hinge" (a linear support vector machine), "log_loss" (cross-entropy: logistic regression), "modified_huber",
        "squared_hinge", "perceptron", or one of the losses of `SGDRegressor`, on labels -1 and 1.
    penalty : {"l2", "l1", "elasticnet"} or None
        What keeps weights small, times `alpha`: half their squared length, the sum of their magnitudes (by the
        cumulative penalty of Tsuruoka, Tsujii and Ananiadou, ACL 2009), or `l1_ratio` of the second and the rest of the
        first. The intercept is not penalised.
    alpha : float
        At least 0; above 0 for ``learning_rate="optimal"``.
    l1_ratio : float
        From 0 to 1.
    fit_intercept : bool
        Whether the intercept is learned; if not, it stays at 0 (or at `intercept_init`).
    max_iter : int
        Passes over the rows.
    tol : float or None
        Stop when the mean objective of the rows, each taken before its update, penalty included, has not come down by
        `tol` for `n_iter_no_change` epochs in a row; None for all `max_iter` epochs.
    shuffle : bool
        Visit the rows in scikit-learn's own new order in each epoch; see above for more than two classes.
    verbose : int
        Above 0: print what scikit-learn prints, before and after each epoch.
    epsilon : float
        For "huber": how far a prediction may be off before its loss grows linearly. For "epsilon_insensitive" and
        "squared_epsilon_insensitive": how far it may be off before it has a loss at all.
    n_jobs : int, optional
        How many threads train: the classes, if there are more than two and they do not share a pass over the rows, and
        segments of two classes, if rows are trained side by side (see `certificate_`). The weights do not depend on it.
    random_state : int, RandomState instance or None
        Decides on the orders and on the rows held out.
    learning_rate : {"optimal", "constant", "invscaling", "adaptive", "pa1", "pa2", "auto"}
        The rate of the t-th row: 1 / (alpha (t0 + t - 1)) with t0 = alpha**-0.75; `eta0`; `eta0` / t**`power_t`; or
        `eta0`, divided by 5 whenever the epochs would stop, down to 1e-6. "pa1" and "pa2" are the passive-aggressive
        steps of Crammer et al. (JMLR 2006), for "hinge". "auto", which scikit-learn does not have, is
        "constant" at a rate that `tinynet_fast.auto_rate` finds for each class against the rest before the first epoch,
        from the rows that are trained on, their weights, `alpha` and `average`. `partial_fit` finds it from the rows of
        the first call and keeps it. For "log_loss", with an intercept and without l1.
    eta0 : float
        Above 0.
    power_t : float
        At least 0.
    early_stopping : bool
        Hold rows out, and stop when their accuracy has not risen by `tol` for `n_iter_no_change` epochs in a row.
        scikit-learn's accuracy is not quite that of the model: it takes weights without the factor of l2, and with
        "log_loss" it counts only rows of the second class as right. "fast" and "exact" use that accuracy, to stop after
        the same epoch. With `X_val`, and with "strict", it is the model's own.
    validation_fraction : float
        The share held out, stratified.
    n_iter_no_change : int
    class_weight : dict, "balanced" or None
        How much the rows of a class count.
    warm_start : bool
        `fit` starts from the weights of the last fit.
    average : bool or int
        `coef_` is the mean of the weights after each row, from the first row on or from the `average`-th. (With l1 it
        is scikit-learn's value, which is not quite that mean: each weight counts as if the penalty had moved it by its
        total from the start.)
    engine : {"fast", "exact", "strict"}
        What does the arithmetic. "exact" has scikit-learn's bits. "fast" stays within 1e-10 of them; it leaves to
        "exact": other losses, l1, ``fit_intercept=False``, float32, `early_stopping` without `X_val`, `verbose`,
        weights below 0, steps that can overshoot, and shuffled dense rows if "exact" is faster. "strict" is
        the plain loop in Python of this package, to the bit, for ``loss="log_loss"``.

    Attributes
    ----------
    coef_ : (1, n_features) or (n_classes, n_features)
        Of the dtype of the rows: float64 or float32. (With "strict" always float64.)
    intercept_ : (1,) or (n_classes,)
    classes_ : (n_classes,)
        In sorted order; of two the second is the one whose probability is learned.
    n_iter_ : int
        How many epochs ran: the largest number that any class needed.
    t_ : float
        1 + epochs times rows.
    validation_loss_curve_ : list of float
        The mean cross-entropy of the rows of `X_val`, or of those held out, after each epoch, for the model that would
        be returned if that epoch were the last; None if there are no such rows, and for other losses.
    eta0_ : (1,) or (n_classes,) float64
        The rates found, if `learning_rate` is "auto".
    rate_search_ : list of RateSearch
        How each was found.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    engine_ : {"fast", "exact", "strict", "mixed"}
        Which engine ran; "mixed" if several did.
    certificate_ : Certificate or None
        If `fit` trained rows side by side in segments, as `train_neuron` does: how far the weights can be from those
        of rows in turn, 5e-13 of their length at most and usually 1e-15. This is for two classes and dense rows,
        with ``shuffle=False``, without l1, averaging and `verbose`. To stop by `tol` needs the objective of each row,
        which segments do not compute: use ``tol=None``, or `early_stopping` with `X_val`. There are two kinds of
        segments: parts of an epoch, for 65,536 rows and more of up to 8 inputs, without a penalty; and epochs, if there
        are more than eight at a constant rate, with l2 too, and nothing looks at the model after each of them.

    Examples
    --------
    >>> from tinynet_fast.sklearn import SGDClassifier
    >>> model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, shuffle=False, random_state=0)
    >>> model.fit([[1.0], [2.0], [3.0], [4.0]], ["fail", "fail", "pass", "pass"]).predict([[1.5], [3.5]])
    array(['fail', 'pass'], dtype='<U4')
    """

    coef_: Any
    intercept_: Any
    n_iter_: int

    _parameter_constraints: dict = {  # noqa: RUF012 - scikit-learn looks for it there
        **linear_model.SGDClassifier._parameter_constraints,
        "learning_rate": [*linear_model.SGDClassifier._parameter_constraints["learning_rate"], StrOptions({"auto"})],
        "engine": [StrOptions({"fast", "exact", "strict"})],
    }

    def __init__(
        self,
        loss: str = "hinge",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        n_jobs: int | None = None,
        random_state: Any = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        warm_start: bool = False,
        average: bool | int = False,
        engine: str = "fast",
    ) -> None:
        super().__init__(
            loss=loss,
            penalty=penalty,
            alpha=alpha,
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            shuffle=shuffle,
            verbose=verbose,
            epsilon=epsilon,
            n_jobs=n_jobs,
            random_state=random_state,
            learning_rate=learning_rate,
            eta0=eta0,
            power_t=power_t,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            class_weight=class_weight,
            warm_start=warm_start,
            average=average,
        )
        self.engine = engine

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_or_not
    def fit(
        self,
        X: Any,
        y: Any,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> "SGDClassifier":
        """Train on all rows, for as many epochs as `max_iter` and `tol` say.

        Parameters
        ----------
        X : (n, n_features)
            An array, a list of rows, or a pandas, polars or Arrow frame. The names of a frame's columns become
            `feature_names_in_`; frames that follow need the same names in the same order, as in scikit-learn.
        y : (n,)
            Labels, of two classes or more.
        coef_init, intercept_init : arrays, optional
            Where to start, shaped as `coef_` and `intercept_`; at zero if left out.
        sample_weight : (n,), optional
            How much a row counts: its step is its learning rate times its weight. So a row of weight 2 is one step
            twice as long, not two steps, here and in scikit-learn.
        X_val : (n_val, n_features), optional
            Rows that are not trained on, for `validation_loss_curve_`; with `early_stopping` they decide when to stop,
            and no rows are held out. Earlier steps of a `Pipeline` transform them with ``transform_input=["X_val"]``.
        y_val : (n_val,), optional
            Their labels, of classes that are in `y`.
        sample_weight_val : (n_val,), optional
            How much each counts in losses and accuracies.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For missing values, one class only, options that do not go together, weights that overflow.
        """
        check_options(self)
        given = X, y, sample_weight
        X, y = checked_rows(self, X, y, reset=True)
        warm = self.warm_start and hasattr(self, "coef_")
        coef_init = self.coef_ if warm and coef_init is None else coef_init
        intercept_init = self.intercept_ if warm and intercept_init is None else intercept_init
        self.classes_ = classes_of(y)
        self.t_ = 1.0
        for name in ("eta0_", "rate_search_"):
            self.__dict__.pop(name, None)
        validation = validation_rows(self, X_val, y_val, sample_weight_val, ROWS)
        learned = Weights.new(self, X.shape[1], coef_init, intercept_init, self._dtype(X))
        epochs = Epochs(self, int(self.max_iter), *given)
        self._train(X, y, sample_weight, learned, self.tol, epochs, validation, whole=True)
        epochs.done()
        warn_after(self)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_or_not
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "SGDClassifier":
        """One pass over some rows; goes on from the end of the last call, as scikit-learn does.

        scikit-learn forgets two things between calls: how much the l1 penalty still has to take off, and with `average`
        where the intercept was. Without both, with ``shuffle=False`` and while no step overshoots, the weights do not
        depend on how the rows are cut into calls, except for rounding. If the fast kernels train at a constant rate and
        calls end at multiples of 256 rows, every bit is the same.
        "strict" forgets nothing: its weights never depend on it, bit for bit. (With l1 and `average` its `coef_` is the
        true mean; on sparse rows it is not the same then.)

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
        first = not hasattr(self, "classes_")
        check_options(self, first, for_partial_fit=True)
        if first and self.class_weight == "balanced":
            return super().partial_fit(X, y, classes)  # says what to do instead
        given = X, y, sample_weight
        X, y = checked_rows(self, X, y, reset=first)
        check_known(self, y, classes)
        if first:
            self.t_ = 1.0
        fresh = first or not hasattr(self, "coef_")
        learned = (
            Weights.new(self, X.shape[1], None, None, self._dtype(X)) if fresh else Weights.going_on(self, X.shape[1])
        )
        epochs = Epochs(self, 1, *given)
        self._train(X, y, sample_weight, learned, None, epochs, None, whole=False)
        epochs.done()
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """(n,): the sum of each row, before the sigmoid; for more than two classes (n, n_classes)."""
        if not are_ready(X) or not hasattr(self, "coef_") or issparse(self.coef_):
            with placing(X):
                return super().decision_function(X)
        sums = checked_rows(self, X) @ self.coef_.T + self.intercept_
        return sums.reshape(-1) if sums.shape[1:] == (1,) else sums

    def predict(self, X: Any) -> np.ndarray:
        """(n,): the class of each row."""
        sums = self.decision_function(X)
        places = (sums > 0.0).astype(np.intp) if sums.ndim == 1 else sums.argmax(axis=1)
        return np.asarray(self.classes_[places])

    @available_if(linear_model.SGDClassifier._check_proba)
    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, n_classes): the probability of each class; for losses "log_loss" and "modified_huber".

        For more than two classes, it is that of each class against the rest, and each row is normalised.
        """
        if not hasattr(self, "coef_"):
            check_is_fitted(self)  # says that it is not
        coef, intercept = self.coef_, np.asarray(self.intercept_)
        theirs = self.loss != "log_loss" or self.engine == "exact" or len(self.classes_) > 2
        with placing(X):
            if theirs or issparse(coef) or coef.dtype != np.float64 or intercept.shape != (1,):
                return super().predict_proba(X)
            rows = checked_rows(self, X, finite=False)
            if not issparse(rows) and coef.shape == (1, rows.shape[1]):
                both, intercept = np.empty((len(rows), 2)), intercept.astype(np.float64)
                if prediction.predict_both(rows, np.ascontiguousarray(coef[0]), intercept, both):
                    return both
            return super().predict_proba(X)  # says what is wrong with X, or can predict it

    def _dtype(self, X: Any) -> Any:
        """The dtype of the weights."""
        return np.float64 if self.engine == "strict" else X.dtype

    def _train(
        self,
        X: Any,
        y: np.ndarray,
        sample_weight: Any,
        learned: Weights,
        tol: float | None,
        epochs: Epochs,
        validation: Validation | None,
        whole: bool,
    ) -> None:
        classes, max_iter = self.classes_, int(self.max_iter) if whole else 1
        check_several(classes)
        X = checked_matrix(X)
        if self.engine != "strict":
            X = X.astype(learned.coef.dtype, copy=False)
        holds_out = self.early_stopping and validation is None
        sample_weight = checked_weights(sample_weight, X, learned.coef.dtype, holds_out)
        class_weight = class_weights(self, y)
        codes = (y == classes[1]).view(np.uint8) if len(classes) == 2 else np.searchsorted(classes, y)
        data, begin, averaged = Data(X, y, codes, sample_weight), learned.intercept.copy(), is_averaged(self, self.t_)
        neurons, validation = neurons_to_train(self, data, learned, class_weight, max_iter, tol, validation, whole)
        observer = Observer(self, neurons, X.shape[0], max_iter, learned.coef.dtype, epochs, validation)
        observed = bool(epochs) or validation is not None
        with side_by_side(neurons, self.n_jobs, observed) if whole else nullcontext(Junctions()) as junctions:
            self.n_iter_ = run(neurons, self.n_jobs, observer if observed else None)
        self.certificate_ = junctions.certificate
        self.validation_loss_curve_ = validation.losses if validation is not None and validation.losses else None
        engines = set().union(*(neuron.engines for neuron in neurons))
        self.engine_ = engines.pop() if len(engines) == 1 else "mixed"
        self.t_ += self.n_iter_ * X.shape[0]
        learned.store(self, begin, averaged)
