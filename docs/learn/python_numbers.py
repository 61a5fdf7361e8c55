"""Write the numbers of Python and PyTorch that the Learn pages show beside their own: `python docs/learn/python_numbers.py`

It needs PyTorch. Pages read the file as a script, because a page from a folder may not read other files. A test computes
all of these numbers again.
"""

import json
from pathlib import Path

import numpy as np

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.proof.trace import trace_mlp
from tinynet_fast.proof.trace_run import run_trace
from tinynet_fast.proof.trace_torch import torch_gradients
from tinynet_fast.rows.datasets import height_weight, study_and_sleep

TARGET = Path(__file__).parents[1] / "_static" / "learn" / "pages" / "python-numbers.js"
XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


def of_neuron(model):
    """The weights and the bias, in one list."""
    return [*model.weights.tolist(), model.bias]


def of_network(weights, biases):
    """All parameters in one list, a layer after the other: its weights (first all of the first input), then its biases."""
    return [value for layer in zip(weights, biases, strict=True) for part in layer for value in np.ravel(part).tolist()]


def first_parameters(seed):
    """What `train_mlp` starts a 2-4-1 network with."""
    draw = np.random.RandomState(seed)
    return of_network([draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3], [np.zeros(4), np.zeros(1)])


def trained():
    """The weights that the pages' exercises learn."""
    rows, four, xor = study_and_sleep(), height_weight(), XOR
    options = {"hidden": (4,), "epochs": 4000, "engine": "portable"}
    networks = {
        "heights": train_mlp(four.X, four.y, learning_rate=0.15, seed=42, **options).model,
        "xor": train_mlp(*xor, learning_rate=0.5, seed=1, **options).model,
    }
    neurons = {
        "students": train_neuron(rows.X, rows.y, learning_rate=0.05, epochs=5000, engine="portable").model,
        "xorNeuron": train_neuron(*xor, learning_rate=0.1, epochs=4000, engine="portable").model,
    }
    return {name: of_network(model.weights, model.biases) for name, model in networks.items()} | {
        name: of_neuron(model) for name, model in neurons.items()
    }


def torch_numbers():
    """PyTorch's gradients of the heights' first step: the mean over the four rows, then each row's own."""
    step = run_trace(network=True, torch=True)
    layers = {"weights": step.weights_before, "biases": step.biases_before}
    rows = [torch_gradients(trace_mlp([row.inputs], [row.label], **layers)) for row in step.rows]
    return [of_network(gradients.weights, gradients.biases) for gradients in [step.torch, *rows]]


if __name__ == "__main__":
    numbers = {"first": {"heights": first_parameters(42), "xor": first_parameters(1)}, "trained": trained()}
    numbers["torch"] = torch_numbers()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(f"// Written by docs/learn/python_numbers.py\nconst PythonNumbers = {json.dumps(numbers, indent=1)};\n")
