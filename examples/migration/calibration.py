"""A network for digits, its probabilities calibrated on held-out rows."""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, stratify=y, random_state=0)
network = MLPClassifier((32,), learning_rate_init=0.01, tol=0.001, random_state=0)
model = CalibratedClassifierCV(network, method="sigmoid", cv=5).fit(X_train, y_train)
result = [log_loss(y_test, model.predict_proba(X_test)), model.score(X_test, y_test)]
print(f"log loss {result[0]:.4f}, accuracy {result[1]:.4f}")
