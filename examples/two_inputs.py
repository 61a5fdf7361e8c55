"""Two inputs: hours of study and hours of sleep. The rule is the same, with one weight for each input."""

from tinynet_fast import train_neuron
from tinynet_fast.datasets import study_and_sleep

X, y, names = study_and_sleep()
result = train_neuron(X, y, learning_rate=0.05, epochs=2000)

for name, weight in zip(names, result.model.weights, strict=True):
    print(f"{name}: weight {weight:+.4f}")
print(f"right on {result.model.score(X, y):.0%} of the rows")
for study, sleep in ((2, 8), (3, 4), (3, 8)):
    probability = result.model.predict_proba([[study, sleep]])[0]
    print(f"{study} hours of study after {sleep} of sleep: {probability:.4f}")
