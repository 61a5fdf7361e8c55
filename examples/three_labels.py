"""Three labels: one softmax of three sums, or a neuron for each label against the rest."""

import numpy as np

from tinynet_fast import train_neuron

rng = np.random.default_rng(0)
X = np.column_stack([rng.uniform(0, 10, 600), rng.uniform(4, 9, 600)])  # hours of study and of sleep
points = 6 * X[:, 0] + 4 * X[:, 1] + rng.normal(0, 4, 600)
y = np.array(["fail", "pass", "merit"])[np.digitize(points, [45, 65])]

for output in (None, "one_vs_rest"):
    model = train_neuron(X, y, output=output, standardize=True, epochs=200).model
    print(f"{model.output}: labels {model.labels.tolist()}, right on {model.score(X, y):.0%} of the rows")
    for study in (1, 4, 9):
        probabilities = ", ".join(f"{p:.2f}" for p in model.predict_proba([[study, 7]])[0])
        print(f"  {study} hours of study: {model.predict([[study, 7]])[0]:5}  {probabilities}")
