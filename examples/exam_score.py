"""A number to learn: hours of study and of sleep in, an exam's score out. By hand, then fast, then three times larger.

Nothing squeezes the sum here: the prediction is the sum itself, and the error says how many points it is off.
"""

import numpy as np

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.datasets import exam_scores

X, y, _ = exam_scores()

# By hand: predict, measure the error, nudge the weights, next row.
study_weight = sleep_weight = bias = 0.0
for epoch in range(1000):
    for (study, sleep), score in zip(X.tolist(), y.tolist(), strict=True):
        prediction = study * study_weight + sleep * sleep_weight + bias
        error = prediction - score
        study_weight -= 0.01 * error * study
        sleep_weight -= 0.01 * error * sleep
        bias -= 0.01 * error
        if epoch == 0:
            print(f"study {study:g}, sleep {sleep:g}: predicts {prediction:6.2f}, scored {score:g}, error {error:+.2f}")
print(f"by hand: {study_weight:.4f} a study hour, {sleep_weight:.4f} an hour of sleep, bias {bias:.4f}")
by_hand = [study_weight, sleep_weight, bias]

# The same loop as a compiled kernel.
result = train_neuron(X, y, output="linear", learning_rate=0.01, epochs=1000)
model = result.model
print(f"compiled: {model.weights[0]:.4f} a study hour, {model.weights[1]:.4f} an hour of sleep, bias {model.bias:.4f}")
print(f"the same weights: {np.allclose([*model.weights, model.bias], by_hand, rtol=1e-12, atol=0.0)}")
print(f"squared errors of an epoch: first {result.loss_history[0]:.0f}, last {result.loss_history[-1]:.0f}")
print(f"4 hours of study after 8 of sleep: {model.predict([[4, 8]])[0]:.1f} points")

# A network learns what is not a straight line: sleep helps up to 7 hours, and more does not. Then three times larger.
for students, units in ((6, 4), (18, 12)):
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.uniform(0, 6, students), rng.uniform(4, 10, students)])
    scores = 20 + 6 * rows[:, 0] + 6 * np.minimum(rows[:, 1], 7)
    options = {"output": "linear", "standardize": True, "standardize_y": True, "learning_rate": 0.1, "seed": 1}
    network = train_mlp(rows, scores, hidden=(units,), activation="tanh", epochs=5000, **options).model
    off, r_squared = np.abs(network.predict(rows) - scores).mean(), network.score(rows, scores)
    print(f"{students} students, {units} hidden units: {off:.2f} points off on average, R^2 {r_squared:.4f}")
