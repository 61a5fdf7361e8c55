"""What `MLPClassifier` and `MLPRegressor` share: a fit of scikit-learn's, whose epochs or steps run on our kernels."""

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.neural_network._base import ACTIVATIONS
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import validate_data

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.sklearn.callbacks import CallbackSupportMixin, Epochs
from tinynet_fast.sklearn.convert import Convertible
from tinynet_fast.sklearn.mlp_epochs import MLPRun
from tinynet_fast.sklearn.mlp_kernels import have_kernels, outputs, sizes_of
from tinynet_fast.sklearn.mlp_lbfgs import KernelGradient
from tinynet_fast.sklearn.sharing import once, waits
from tinynet_fast.sklearn.validation import placing

FEW_ROWS = 100  # for at most 100 rows, scikit-learn's own forward pass takes less time than a call of ours
LEARNED = "n_features_in_", "feature_names_in_", "classes_", "_label_binarizer"  # before the first epoch
ENGINES = {"engine": [StrOptions({"fast", "strict", "exact"})]}


class MLPBase(Convertible, CallbackSupportMixin):
    """Stands before scikit-learn's class of the same name, whose checks, first weights and attributes it keeps."""

    validation_loss_curve_: Any
    warm_start: bool
    _checked: Any  # (X, y, incremental, reset) -> the checked rows, and `y` as (n, n_outputs)

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
    ) -> Self:
        """Train on all rows, for as many epochs as `max_iter` and `tol` say.

        Parameters
        ----------
        X : (n, n_features)
            An array, a list of rows, a pandas, polars or Arrow frame, or sparse rows.
        y : (n,) or (n, n_outputs)
            For a classifier labels, or for each label whether the row has it (0 or 1); for a regressor numbers.
        sample_weight : (n,), optional
            How much a row counts: a batch's gradient and loss are means weighted by it.
        X_val : (n_val, n_features), optional
            Rows that are not trained on, for `validation_loss_curve_`; with `early_stopping` they decide when to stop,
            and no rows are held out. Earlier steps of a `Pipeline` transform them with ``transform_input=["X_val"]``.
        y_val : (n_val,) or (n_val, n_outputs), optional
            Their labels, of classes that are in `y`; or their numbers.
        sample_weight_val : (n_val,), optional
            How much each row counts in losses and scores.

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
        self: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        incremental: bool = False,
        validation: tuple[Any, Any, Any] = (None, None, None),
    ) -> Any:
        if self.solver == "lbfgs" and any(part is not None for part in validation):
            raise ValueError("X_val and y_val are for epochs, and solver='lbfgs' has none: use 'adam' or 'sgd'")
        epochs = Epochs(self, 1 if incremental else int(self.max_iter), X, y, sample_weight)
        self._call = epochs, validation  # for `_fit_stochastic`
        try:
            super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)
        finally:
            del self._call
        epochs.done()
        return self

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """scikit-learn calls this for its checked rows and `y`. Fits of a search that share rows check them once."""
        if incremental or self.warm_start or getattr(y, "shape", (0, 1))[1:] == (1,):  # each fit warns of a column
            return self._checked(X, y, incremental, reset)

        def checked() -> tuple[Any, dict[str, Any]]:
            found = self._checked(X, y, incremental, reset)
            return found, {name: value for name, value in vars(self).items() if name in LEARNED}

        (rows, known), learned = once("rows and labels", (X, y), checked)
        self.__dict__.update(learned)
        return rows, known

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        """What each row counts for beside its sample weight, from scikit-learn's checked `y`; None for 1."""
        return None

    def _fit_stochastic(self: Any, X: Any, y: np.ndarray, sample_weight: Any, *rest: Any) -> None:
        """scikit-learn calls this with its checked rows and `y`, (n, n_outputs)."""
        *_, layer_units, incremental = rest
        if not (incremental and self.early_stopping):  # which is refused
            self._check_layers(list(layer_units))
        if sample_weight is not None and not sample_weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        of_class = self._class_weights(y, incremental)
        run = MLPRun(self, X, y, sample_weight, of_class, incremental, *self._call)
        if not waits(run):
            run.run()

    def _fit_lbfgs(self: Any, X: Any, y: np.ndarray, sample_weight: Any, *rest: Any) -> None:
        """scikit-learn calls this for solver="lbfgs"; it calls `_loss_grad_lbfgs` many times."""
        sample_weight = times(sample_weight, self._class_weights(y, False))
        ours = have_kernels(self, X, sample_weight) and (sample_weight is None or sample_weight.sum() > 0.0)
        gradient = KernelGradient(self, X, y, sample_weight) if ours else None
        self.engine_, self._gradient = gradient.name if gradient else "scikit-learn", gradient
        try:
            super()._fit_lbfgs(X, y, sample_weight, *rest)
        finally:
            del self._gradient

    def _loss_grad_lbfgs(self: Any, packed: np.ndarray, *rest: Any) -> Any:
        """The loss and its gradient at scikit-learn's packed parameters."""
        gradient = getattr(self, "_gradient", None)  # it is there during `_fit_lbfgs` alone
        if gradient is None:
            return super()._loss_grad_lbfgs(packed, *rest)
        self._unpack(packed)
        return gradient(packed)

    def _forward_pass_fast(self: Any, X: Any, check_input: bool = True) -> np.ndarray:
        """(n, n_outputs): the probabilities of some rows, or their numbers."""
        if check_input:
            with placing(X):
                X = validate_data(self, X, reset=False, accept_sparse=["csr", "csc"])
        if X.shape[0] <= FEW_ROWS or not have_kernels(self, X):
            found: np.ndarray = super()._forward_pass_fast(X, check_input=False)
            return found
        sums = outputs(self, X)
        with np.errstate(over="ignore"):
            ACTIVATIONS[self.out_activation_](sums)
            return sums

    def _initialize(self, y: np.ndarray, layer_units: list[int], dtype: Any) -> None:
        super()._initialize(y, layer_units, dtype)
        self.validation_loss_curve_ = None

    def _check_layers(self, asked: list[int]) -> None:
        """Like scikit-learn, go on with the old layers, but warn if their sizes differ from those asked for.

        ValueError if the number of layers differs, or that of the outputs; there scikit-learn fails.
        """
        trained = sizes_of(self)
        if asked == trained:
            return
        message = f"hidden_layer_sizes={asked[1:-1]} does not fit the network to go on from, whose hidden layers have "
        message += f"{trained[1:-1]} units"
        if len(asked) != len(trained):
            raise ValueError(f"{message}: give the same layers, or start anew (warm_start=False, fit)")
        if asked[-1] != trained[-1]:
            raise ValueError(
                f"y has {asked[-1]} columns, and the network to go on from has {trained[-1]} outputs: give as many, or "
                "start anew (warm_start=False, fit)"
            )
        warnings.warn(f"{message}: training goes on with these", TrainingWarning, stacklevel=6)


def times(sample_weight: np.ndarray | None, factor: np.ndarray | None) -> np.ndarray | None:
    """The product of two weights of rows, either of which may be None."""
    if factor is None or sample_weight is None:
        return sample_weight if factor is None else factor
    product: np.ndarray = sample_weight * factor
    return product
