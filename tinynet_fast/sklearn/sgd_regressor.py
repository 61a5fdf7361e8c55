"""`SGDRegressor` with scikit-learn's parameters, attributes and bits."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn import linear_model

from tinynet_fast.kernels import exact
from tinynet_fast.sklearn.convert import Convertible
from tinynet_fast.sklearn.scores import held_out_score
from tinynet_fast.sklearn.sgd_classes import LARGEST_INT, random_state_of
from tinynet_fast.sklearn.sgd_exact import Exact, options_of
from tinynet_fast.sklearn.sgd_training import ClassArrays
from tinynet_fast.sklearn.sgd_weights import is_averaged, learned_before
from tinynet_fast.sklearn.validation import RemembersOptions, checked_matrix, placing, whole_or_not


class SGDRegressor(RemembersOptions, Convertible, linear_model.SGDRegressor):
    """Linear regression by stochastic gradient descent, a row at a time: scikit-learn's, but faster; the same bits.

    With the same options, rows and `random_state`, `coef_`, `intercept_`, `n_iter_` and the predictions are those of
    `sklearn.linear_model.SGDRegressor` (versions 1.8 and 1.9) to the last bit on the same machine, for all its losses,
    penalties and learning rates, dense and sparse rows, float64 and float32. All parameters and attributes are the
    same; scikit-learn's documentation describes them.

    Training copies the weights that it goes on from. So an array that is passed as `coef_init` does not change, and a
    model that joblib maps from a file can be trained further.

    Attributes
    ----------
    coef_ : (n_features,)
        Of the dtype of the rows: float64 or float32.
    intercept_ : (1,) float64
    n_iter_ : int
        How many epochs ran.
    t_ : float
        1 + epochs times rows.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> from tinynet_fast.sklearn import SGDRegressor
    >>> model = SGDRegressor(eta0=0.1, random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0])
    >>> model.predict([[4.0]]).round(1)
    array([9.])
    """

    _parameter_constraints: dict = linear_model.SGDRegressor._parameter_constraints

    @whole_or_not
    def fit(
        self, X: Any, y: Any, coef_init: Any = None, intercept_init: Any = None, sample_weight: Any = None
    ) -> "SGDRegressor":
        """Train on all rows, for as many epochs as `max_iter` and `tol` say.

        Parameters
        ----------
        X : (n, n_features)
            An array, a list of rows, a frame, or a SciPy sparse matrix, which is converted to CSR.
        y : (n,)
            Numbers.
        coef_init : (n_features,), optional
        intercept_init : (1,), optional
            Where to start; at zero if left out.
        sample_weight : (n,), optional
            How much a row counts: its step is its learning rate times its weight.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For missing values, options that do not go together, weights that overflow.
        """
        if issparse(getattr(self, "coef_", None)):
            self.densify()
        with placing(X):
            return super().fit(X, y, coef_init, intercept_init, sample_weight)

    @whole_or_not
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "SGDRegressor":
        """One pass over some rows. It goes on from the end of the last call. The parameters are those of `fit`."""
        with placing(X):
            return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """(n,): the prediction for each row."""
        with placing(X):
            return super().predict(X)

    def _fit_regressor(
        self, X: Any, y: Any, alpha: float, loss: str, learning_rate: str, sample_weight: np.ndarray, max_iter: int
    ) -> None:
        """Train, after scikit-learn has checked everything. Random numbers are drawn in its order."""
        X = checked_matrix(X)
        self.t_ = getattr(self, "t_", 1.0)
        held = self._make_validation_split(y, sample_mask=sample_weight > 0)
        score = held_out_score(self, held, X, y, sample_weight)
        random_state = random_state_of(self.random_state)
        seed = random_state.randint(0, LARGEST_INT)
        random_state.randint(1, LARGEST_INT)  # scikit-learn draws a seed here that it does not use
        options = options_of(self, X, max_iter, self.tol)
        options[exact.SEED] = seed
        coef, intercept, *averages = learned_before(self, (X.shape[1],), 1)
        mean, mean_intercept = averages or (np.zeros_like(coef), np.zeros(1))
        kind = coef.dtype
        X, y, sample_weight = (part.astype(kind, copy=False) for part in (X, y, sample_weight))
        means = np.append(mean, mean_intercept).astype(kind)
        arrays = ClassArrays(coef, intercept.astype(np.float64), means, np.empty(0))
        neuron = Exact(
            X, y, sample_weight, held if self.early_stopping else None, options, arrays, self.t_, self.verbose
        )
        neuron.state[exact.MEAN_BIAS] = mean_intercept[0]  # scikit-learn never rounds it to float32
        neuron.score = score
        self.n_iter_ = neuron.run()
        self.t_ += self.n_iter_ * X.shape[0]
        self.coef_, self.intercept_ = coef, arrays.bias
        if self.average:
            self._standard_coef, self._standard_intercept = coef, arrays.bias
            self._average_coef, self._average_intercept = means[:-1], np.atleast_1d(neuron.mean_bias)
            if is_averaged(self, self.t_):
                self.coef_, self.intercept_ = self._average_coef, self._average_intercept
