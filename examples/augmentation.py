"""A network that learns few rows by heart, and two ways to keep it from that: noise on the inputs, and mixup."""

import numpy as np

from tinynet_fast import train_mlp

rng = np.random.default_rng(0)
X = rng.standard_normal((2100, 10))
y = X[:, 0] - X[:, 1] + rng.standard_normal(2100) > 0  # the other eight inputs say nothing
few, others = slice(100), slice(100, None)

for name, options in (("neither", {}), ("noise", {"noise": 0.5}), ("mixup", {"mixup": 1.0})):
    result = train_mlp(
        X[few], y[few], hidden=(16,), activation="tanh", learning_rate=0.5, batch_size=20, seed=0, **options
    )
    losses = [result.model.loss(X[rows], y[rows]) for rows in (few, others)]
    print(f"{name}: log loss {losses[0]:.3f} on its own rows, {losses[1]:.3f} on others")
