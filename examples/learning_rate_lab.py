"""Compare the learning rates 0.01, 0.1 and 0.5 by their total loss: the tutorial's next exercise, in one sweep."""

from tinynet_fast import sweep
from tinynet_fast.datasets import study_hours

X, y, _ = study_hours()
result = sweep(X, y, learning_rate=[0.01, 0.1, 0.5], weights=0.1, epochs=1000)

for rate, losses in zip(result.learning_rate, result.loss_history.T, strict=True):
    shown = ", ".join(f"{losses[epoch]:.4f}" for epoch in (0, 100, 900))
    print(f"learning rate {rate:g}: total loss {shown} at epochs 0, 100, 900")
print(f"least in the last epoch: {result.learning_rate[result.best]:g}")
