"""A scaler and a classifier in a pipeline."""

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", alpha=0.001, random_state=0))
result = cross_val_score(model, X, y, cv=10)
print(f"accuracy {result.mean():.4f}")
