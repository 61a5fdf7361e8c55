"""Rows that come in chunks and are never in memory together."""

import numpy as np
from sklearn.linear_model import SGDClassifier


def chunks(n_chunks=40, rows=10_000, inputs=30):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(inputs)
    for _ in range(n_chunks):
        X = rng.standard_normal((rows, inputs))
        yield X, np.where(X @ weights + rng.logistic(size=rows) > 0, "pass", "fail")


model = SGDClassifier(loss="log_loss", learning_rate="invscaling", eta0=0.1, random_state=0)
accuracies = []
for X, y in chunks():
    if hasattr(model, "classes_"):  # each chunk is predicted before it is learned
        accuracies.append(model.score(X, y))
    model.partial_fit(X, y, classes=["fail", "pass"])
result = accuracies
print(f"accuracy {accuracies[0]:.4f} after one chunk, {accuracies[-1]:.4f} after all")
