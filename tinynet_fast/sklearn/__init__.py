"""Drop-in estimators for scikit-learn: change the import, keep the code. Needs the extra `tinynet-fast[sklearn]`."""

from tinynet_fast.sklearn.mlp import MLPClassifier
from tinynet_fast.sklearn.sgd import SGDClassifier

__all__ = ["MLPClassifier", "SGDClassifier"]
