"""Write the numbers that Learn pages show beside their own: `python docs/learn/python_numbers.py`

They are those of Python and of PyTorch, which must be installed. The file is a script, because a page that is opened
from a folder may not read other files. A test computes all of these numbers again.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.datasets import height_weight, study_and_sleep, study_hours
from tinynet_fast.proof.trace import trace_mlp
from tinynet_fast.proof.trace_run import run_trace
from tinynet_fast.proof.trace_torch import torch_gradients

TARGET = Path(__file__).parents[1] / "_static" / "learn" / "pages" / "python-numbers.js"
XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


def of_neuron(model):
    """The weights and the bias, as tinynet.js has them."""
    return {"weights": model.weights.tolist(), "bias": model.bias}


def of_network(weights, biases):
    """The layers' weights and biases, as tinynet.js has them."""
    return {"weights": [np.asarray(w).tolist() for w in weights], "biases": [np.asarray(b).tolist() for b in biases]}


def first_weights(seed):
    """What `train_mlp` starts a 2-4-1 network with."""
    draw = np.random.RandomState(seed)
    return of_network([draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3], [np.zeros(4), np.zeros(1)])


def trained():
    """The weights that the pages' exercises learn."""
    rows, four = study_and_sleep(), height_weight()
    options = {"hidden": (4,), "epochs": 4000, "engine": "portable"}
    heights = train_mlp(four.X, four.y, learning_rate=0.15, seed=42, **options).model
    network = train_mlp(*XOR, learning_rate=0.5, seed=1, **options).model
    neuron = train_neuron(*XOR, learning_rate=0.1, epochs=4000, engine="portable").model
    students = train_neuron(rows.X, rows.y, learning_rate=0.05, epochs=5000, engine="portable").model
    return {
        "students": of_neuron(students),
        "million": of_neuron(million()),
        "heights": of_network(heights.weights, heights.biases),
        "xor": {"neuron": of_neuron(neuron), "network": of_network(network.weights, network.biases)},
    }


def torch_numbers():
    """PyTorch's gradients of the heights' first step: the mean over the four rows, then each row's own."""
    step = run_trace(network=True, torch=True)
    layers = {"weights": step.weights_before, "biases": step.biases_before}
    rows = [torch_gradients(trace_mlp([row.inputs], [row.label], **layers)) for row in step.rows]
    return [of_network(gradients.weights, gradients.biases) for gradients in [step.torch, *rows]]


def students_of_the_million():
    """The rows and labels of the page with a million of them, made by its own Python."""
    page = (Path(__file__).parent / "10-a-million-rows.md").read_text(encoding="utf-8")
    made: dict[str, Any] = {}
    exec(page.split("```python\n", 1)[1].split("```", 1)[0], made)
    return made["X"], made["y"]


def million():
    """A neuron after one pass over these rows."""
    return train_neuron(*students_of_the_million(), learning_rate=0.01, epochs=1, engine="portable").model


def rows():
    """The tables that the pages' exercises train on."""
    tables = {"hours": study_hours(), "students": study_and_sleep(), "heights": height_weight()}
    arrays = {name: table[:2] for name, table in tables.items()} | {"xor": map(np.array, XOR)}
    return {name: {"X": X.tolist(), "y": y.tolist()} for name, (X, y) in arrays.items()}


def numbers():
    """All that the file holds, but PyTorch's gradients."""
    return {"rows": rows(), "first": {"heights": first_weights(42), "xor": first_weights(1)}, "trained": trained()}


if __name__ == "__main__":
    parts = numbers() | {"torch": torch_numbers()}
    written = "".join(f"  {name}: {json.dumps(part)},\n" for name, part in parts.items())
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(f"// Written by docs/learn/python_numbers.py\nconst PythonNumbers = {{\n{written}}};\n")
