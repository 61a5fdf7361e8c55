"""Choose a threshold: a higher one calls fewer students a pass, with higher precision and lower recall."""

from tinynet_fast import train_neuron
from tinynet_fast.datasets import quiz_and_attendance

X, y, _ = quiz_and_attendance()
X = X / [100, 1]  # points become shares of 1, so that both inputs have the same scale
model = train_neuron(X, y, learning_rate=0.5, epochs=200).model
probability = model.predict_proba(X)

for threshold in (0.3, 0.5, 0.7):
    called = model.predict(X, threshold=threshold)
    precision = (called & y).sum() / called.sum()
    recall = (called & y).sum() / y.sum()
    print(f"threshold {threshold}: {called.sum()} called a pass, precision {precision:.2f}, recall {recall:.2f}")

between = (probability >= 0.5) & (probability < 0.7)
print("rows that change sides from 0.5 to 0.7:", [int(i) + 1 for i in between.nonzero()[0]])
