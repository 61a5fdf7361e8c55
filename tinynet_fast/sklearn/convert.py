"""From our estimators to scikit-learn's own, and what skl2onnx calls on an estimator."""

import sys
from copy import deepcopy
from typing import Any

from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

OURS = {  # attributes that scikit-learn's estimators do not have, or have under another name
    "_paid",
    "engine_",
    "certificate_",
    "validation_loss_curve_",
    "eta0_",
    "rate_search_",
    "_skl_callbacks",
}
THEIRS = SGDClassifier, SGDRegressor, MLPClassifier, MLPRegressor


class Convertible:
    """What the estimators offer to tools that know scikit-learn's classes only."""

    def to_sklearn(self) -> Any:
        """Return a fitted estimator of scikit-learn's own, with the same options, weights and predictions.

        Its pickle can be loaded without `tinynet_fast`, and its `partial_fit` goes on from here. The option `engine` is
        left out. ``learning_rate="auto"`` becomes "constant" with the rate that was found; if each class has its own,
        with the smallest.
        """
        return to_sklearn(self)

    def onnx_parser(self) -> None:
        """Called by skl2onnx before a conversion: RuntimeError if it does not know this class yet."""
        if "tinynet_fast.sklearn.onnx" not in sys.modules:
            raise RuntimeError(
                "skl2onnx was imported after tinynet_fast.sklearn and does not know its classes: add "
                "'import tinynet_fast.sklearn.onnx' before the conversion"
            )


def to_sklearn(estimator: Any) -> Any:
    """See `Convertible.to_sklearn`."""
    check_is_fitted(estimator)
    kind = next(kind for kind in THEIRS if isinstance(estimator, kind))
    options = estimator.get_params(deep=False)
    if options.get("learning_rate") == "auto":
        options |= {"learning_rate": "constant", "eta0": float(min(estimator.eta0_))}
    model = kind(**{name: options[name] for name in kind._get_param_names()})
    learned = {name: value for name, value in vars(estimator).items() if name not in OURS | options.keys()}
    vars(model).update(deepcopy(learned))  # in one go: some attributes are the same array
    return model
