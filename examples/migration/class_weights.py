"""Class weights: one row in fifty belongs to the class that matters."""

from sklearn.datasets import make_classification
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split

X, y = make_classification(100_000, 25, n_informative=10, weights=[0.98], class_sep=0.8, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
result = []
for class_weight in (None, {0: 1.0, 1: 10.0}, "balanced"):
    model = SGDClassifier(loss="log_loss", alpha=0.001, class_weight=class_weight, average=True, random_state=0)
    result.append(recall_score(y_test, model.fit(X_train, y_train).predict(X_test)))
    print(f"class_weight={class_weight}: recall {result[-1]:.3f}")
