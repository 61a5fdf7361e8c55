"""A rare label: one row in fifty is a fraud. Without weights a neuron rarely finds one, with class weights it does."""

import numpy as np

from tinynet_fast import train_neuron

rng = np.random.default_rng(0)
fraud = rng.random(20_000) < 0.02
X = rng.normal(0, 1, (20_000, 3)) + 1.2 * fraud[:, np.newaxis]
y = np.where(fraud, "fraud", "fair")

for weight in (None, {"fraud": 10.0}, "balanced"):
    options = {"learning_rate": 0.002, "average": True, "epochs": 20, "labels": ["fair", "fraud"]}
    model = train_neuron(X, y, class_weight=weight, **options).model
    called = model.predict(X) == "fraud"
    print(f"class_weight={weight}: finds {called[fraud].mean():.0%} of the frauds,", end=" ")
    print(f"{fraud[called].mean():.0%} of what it calls a fraud is one")
