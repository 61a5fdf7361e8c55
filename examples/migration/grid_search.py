"""A grid search over penalty, averaging and first rate: 24 combinations, five folds each."""

from sklearn.datasets import make_classification
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV

X, y = make_classification(20_000, 20, n_informative=8, random_state=0)
grid = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "average": [False, True], "eta0": [0.001, 0.01, 0.1]}
search = GridSearchCV(
    SGDClassifier(loss="log_loss", learning_rate="invscaling", random_state=0),
    grid,
    scoring="neg_log_loss",
).fit(X, y)
result = [search.best_score_, *search.best_params_.values()]
print(search.best_params_, f"log loss {-search.best_score_:.4f}")
