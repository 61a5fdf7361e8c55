"""Save a model as JSON and load it again: the predictions are the same, bit for bit."""

import tempfile
from pathlib import Path

from tinynet_fast import load, train_neuron

model = train_neuron([1, 2, 3, 4], ["fail", "fail", "pass", "pass"], weights=0.1, epochs=1000).model
model.features = ["study_hours"]

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "pass.json"
    model.save(path)
    again = load(path)

print("features", again.features, "labels", again.labels.tolist())
print("the same weight:", again.weights[0] == model.weights[0], "the same bias:", again.bias == model.bias)
print("2.5 hours:", again.predict([2.5])[0])
