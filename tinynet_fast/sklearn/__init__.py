"""Drop-in estimators for scikit-learn: change the import, keep the code. Needs the extra `tinynet-fast[sklearn]`."""

import sys

try:
    from sklearn.utils.validation import validate_data as _validate_data  # noqa: F401 - the newest function in use
except ImportError as error:
    raise ImportError(
        "tinynet_fast.sklearn needs scikit-learn 1.8 or newer: pip install 'tinynet-fast[sklearn]'"
    ) from error

from tinynet_fast.sklearn.grid_search import GridSearchCV, RandomizedSearchCV
from tinynet_fast.sklearn.mlp import MLPClassifier
from tinynet_fast.sklearn.mlp_regressor import MLPRegressor
from tinynet_fast.sklearn.sgd import SGDClassifier
from tinynet_fast.sklearn.sgd_regressor import SGDRegressor
from tinynet_fast.sklearn.stream import partial_fit_stream

if "skl2onnx" in sys.modules:  # it is slow to import; if it is imported later, the user imports our module too
    from tinynet_fast.sklearn import onnx as _onnx  # noqa: F401

__all__ = [
    "GridSearchCV",
    "MLPClassifier",
    "MLPRegressor",
    "RandomizedSearchCV",
    "SGDClassifier",
    "SGDRegressor",
    "partial_fit_stream",
]
