"""What an option is if it is not given, written down once for all functions, commands and estimators."""

import inspect
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

# Options that are None, or False, if they are not given are not listed, but they are compared all the same.
LOSS = {"delta": 1.0, "quantile": 0.5, "gamma": 2.0}
LOOP = {"engine": "fast"}
FILE = {"checkpoint_seconds": 30.0, "resume": True}
RATES = {"schedule": "constant", "power_t": 0.5}
NEURON = {"learning_rate": 0.1, "weights": 0.0, "bias": 0.0, "l2": 0.0}
NETWORK = {
    "hidden": (4,), "activation": "sigmoid", "learning_rate": 0.15, "optimizer": "sgd", "init": "normal",
    "init_scale": 0.3, "schedule": "constant",
}  # fmt: skip
ONE_MACHINE = {
    "epochs": 1000, "momentum": 0.0, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08, "l2": 0.0, "weight_decay": 0.0,
    "dropout": 0.0, "noise": 0.0, "mixup": 0.0, "power_t": 0.5, "dtype": "float64",
}  # fmt: skip
FUNCTIONS = {
    "train_neuron": NEURON | RATES | LOSS | LOOP | FILE | {"epochs": 100, "l1": 0.0, "noise": 0.0},
    "train_mlp": NETWORK | ONE_MACHINE | LOSS | LOOP | FILE,
    "sweep": NEURON | LOOP | {"epochs": 1},
    "sweep_mlp": NETWORK | ONE_MACHINE | LOSS | LOOP | FILE,
    "auto_rate": {"epochs": 1, "l2": 0.0, "weights": 0.0, "bias": 0.0},
    "bootstrap": NEURON | {"n": 200, "learning_rate": "auto", "average": True, "shuffle": True, "standardize": True},
    "train": {
        "refit": True, "exclude": (), "levels": (), "missing": "fill", "na": (), "standardize": True, "seed": 0,
    },
    "evaluate": {},
    "validate": {},
    "reproduce": {},
    "cluster.train.neuron": NEURON | RATES | LOSS | LOOP | {"mode": "chain", "syncs": 1, "epochs": 1, "l1": 0.0},
    "cluster.train.network": NETWORK | LOSS | LOOP | {"mode": "average", "epochs": 1, "batch_size": 32},
    "cluster.train.sweep": NEURON | {"mode": "average", "syncs": 1, "epochs": 1},
    "scoring.predict_file": {},
    "plots.calibration_curve": {"bins": 10},
    "plots.confusion": {},
    "plots.loss_curves": {},
    "datasets.make_pass_fail": {"n_features": 2, "seed": 0, "dtype": np.float64},
    "datasets.pass_fail_blocks": {"n_features": 2, "seed": 0, "dtype": np.float64},
    "Neuron.for_raw_inputs": {},
    "Neuron.to_onnx": {"dtype": "float32"},
    "MLP.for_raw_inputs": {},
}  # fmt: skip
DROP = {"drop_missing": False}
JSON = {"as_json": False}
COMMANDS = {
    "demo": {},
    "sample": {"output": Path("students.csv")},
    "train": DROP | {
        "missing": "fill", "engine": "fast", "standardize": True, "refit": True, "seed": 0, "stream": False,
        "checkpoint_seconds": 30.0, "resume": True, "quiet": False,
    },
    "predict": DROP | {"formulas": False},
    "evaluate": DROP | JSON,
    "threshold": DROP | {"compare": "0.5,0.6"},
    "lab": DROP | {
        "learning_rate": "0.01,0.1,0.5", "l2": "0", "activation": "sigmoid", "optimizer": "sgd", "seeds": 1,
        "epochs": 100, "standardize": True, "shuffle": True, "seed": 0,
    },
    "plot": DROP,
    "trace": DROP | JSON | {"row": 1, "rows": 1, "network": False, "torch": False},
    "validate": DROP | JSON | {"deep": False, "portable": False},
    "reproduce": JSON,
    "warmup": {"jobs": -1},
    "bench": JSON | {"quick": False},
}  # fmt: skip


def defaults(function):
    found = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    return {name: value for name, value in found.items() if value is not inspect.Parameter.empty}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_of_functions_that_are_not_given(name):
    found = defaults(resolve_name(f"tinynet_fast.{name}"))
    assert {key: value for key, value in found.items() if value is not None and value is not False} == FUNCTIONS[name]


def test_options_of_commands_that_are_not_given():
    from typer.main import get_command

    from tinynet_fast.cli.app import app

    commands = get_command(app).commands.items()
    found = {name: {each.name: each.default for each in command.params} for name, command in commands}
    assert {
        name: {key: value for key, value in params.items() if value is not None} for name, params in found.items()
    } == COMMANDS


@pytest.mark.parametrize("name", ["SGDClassifier", "SGDRegressor", "MLPClassifier", "MLPRegressor", "GridSearchCV",
                                  "RandomizedSearchCV"])  # fmt: skip
def test_options_of_estimators_are_as_in_scikit_learn(name):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn import linear_model, model_selection, neural_network

    from tinynet_fast import sklearn as ours

    theirs = next(m for m in (linear_model, model_selection, neural_network) if hasattr(m, name))
    own, other = defaults(getattr(ours, name)), defaults(getattr(theirs, name))
    added = {key: own.pop(key) for key in own.keys() - other.keys()}
    assert repr(own) == repr({key: value for key, value in other.items() if key in own})  # NaN is equal to NaN here
    assert {key: value for key, value in added.items() if value is not None} in ({}, {"engine": "fast"})
