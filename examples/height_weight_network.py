"""A network with a hidden layer: height and weight in, two groups out. This is the whole second tutorial."""

from tinynet_fast import train_mlp
from tinynet_fast.datasets import height_weight

X, y, _ = height_weight()
result = train_mlp(X, y, hidden=(4,), activation="sigmoid", learning_rate=0.15, epochs=4000, seed=42)

for epoch in (0, 400, 3600):
    print(f"epoch {epoch:4d}: loss {result.loss_history[epoch]:.4f}")
for row, probability, actual in zip(X, result.model.predict_proba(X), y, strict=True):
    print(f"{row}: {probability:.4f}, actual {actual}")
print(f"height +1, weight +5: {result.model.predict_proba([[1, 5]])[0]:.4f}")
