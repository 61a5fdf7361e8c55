"""Some wrong rows: what squared error, Huber's loss, absolute error and quantiles make of them."""

import numpy as np

from tinynet_fast import train_neuron

rng = np.random.default_rng(0)
hours = rng.uniform(0, 10, 300)
score = 40 + 5 * hours + rng.normal(0, 4, 300)
score[::20] = 900  # one in twenty was typed with a 0 too many

# The weights are the mean of those after each row from the 15,000th on, because single rows keep pulling them about.
options = {"output": "linear", "standardize": True, "learning_rate": 0.05, "average": 15_000, "epochs": 100}
for loss, shape in (
    ("squared_error", {}),
    ("huber", {"delta": 4.0}),
    ("absolute_error", {}),
    ("quantile", {"quantile": 0.1}),
    ("quantile", {"quantile": 0.8}),
):
    model = train_neuron(hours, score, loss=loss, **shape, **options).model
    below = np.mean(score <= model.predict(hours))
    name = " ".join([loss, *map(str, shape.values())])
    print(f"{name:18} {model.bias:6.1f} {model.weights[0]:+.1f} an hour, {below:.0%} of the scores are below")
