"""The errors that bad input gives: their kind, and their text, which may be changed on purpose."""

from functools import partial
from pathlib import Path

import numpy as np

from bits.rows import sparse_table, table

NAN = float("nan")
OPTIONS = {
    "train_neuron": [
        {"learning_rate": 0.0},
        {"learning_rate": "fast"},
        {"learning_rate": 1e308, "scale": 1e3},
        {"learning_rate": "auto", "l1": 0.1},
        {"epochs": 0},
        {"epochs": 1.5},
        {"l2": -1.0},
        {"l1": NAN},
        {"schedule": "linear"},
        {"schedule": "optimal"},
        {"power_t": -1.0},
        {"average": -1},
        {"loss": "hinge"},
        {"shuffle": "rows"},
        {"seed": -1},
        {"seed": 2**32},
        {"validation": 1.5},
        {"validation": ([[1.0]], [0])},
        {"patience": 2},
        {"engine": "gpu"},
        {"weights": [1.0]},
        {"weights": NAN},
        {"bias": "high"},
        {"sample_weight": [1.0]},
        {"sample_weight": -np.ones(40)},
        {"labels": [0, 0]},
        {"labels": [3, 4]},
        {"features": ["a"]},
        {"standardize": "yes"},
        {"drop_missing": True},
    ],
    "train_mlp": [
        {"hidden": ()},
        {"hidden": (0,)},
        {"hidden": 2.5},
        {"activation": "gelu"},
        {"batch_size": 0},
        {"optimizer": "rmsprop"},
        {"optimizer": "adam", "momentum": 0.9},
        {"momentum": 1.0},
        {"nesterov": True},
        {"dropout": 1.0},
        {"beta_1": 1.0},
        {"epsilon": 0.0},
        {"weight_decay": -0.1},
        {"schedule": "optimal"},
        {"init": "zeros"},
        {"init_scale": 0.0},
        {"weights": [[[1.0]]]},
        {"learning_rate": 1e200, "scale": 1e3, "activation": "relu"},
        {"classes": 3, "loss": "squared_error"},
    ],
    "sweep": [{"learning_rate": []}, {"folds": 1}, {"folds": 2, "validation": 0.2}, {"l2": -1.0}, {"n_jobs": 0}],
    "auto_rate": [{"epochs": 0}, {"scale": 1e200}, {"average": 3}],
}
ROWS = {
    "no rows": ([], []),
    "no labels": ([1.0, 2.0], None),
    "one label": ([1.0, 2.0], [1, 1]),
    "three labels": ([1.0, 2.0, 3.0], [0, 1, 2]),
    "ragged": ([[1.0], [1.0, 2.0]], [0, 1]),
    "not a number": ([[1.0, NAN], [2.0, 3.0]], [0, 1]),
    "infinity": ([[1.0, 2.0], [-np.inf, 3.0]], [0, 1]),
    "words": ([["a"], ["b"]], [0, 1]),
    "fewer labels": ([1.0, 2.0, 3.0], [0, 1]),
    "a missing label": ([1.0, 2.0, 3.0], [0.0, 1.0, NAN]),
    "three dimensions": (np.zeros((2, 2, 2)), [0, 1]),
    "complex": (np.array([1j, 2.0]), [0, 1]),
}
FILES = {
    "empty.csv": "",
    "header.csv": "a,label\n",
    "ragged.csv": "a,label\n1,0\n2,1,3\n",
    "word.csv": "a,label\n1,0\nx,1\n",
    "missing.csv": "a,label\n1,0\n,1\n",
    "twice.csv": "a,a,label\n1,2,0\n2,3,1\n",
    "broken.npy": "no array",
    "broken.parquet": "no table",
    "rows.odd": "1 2 3",
}
MODELS = {
    "no json": "{",
    "another kind": '{"format": "other"}',
    "a list": "[1, 2]",
    "nothing": "",
}


def told(function, *arguments, **options):
    """The kind and the text of the error that this call ends in."""
    try:
        function(*arguments, **options)
    except Exception as error:
        return {"kind": type(error).__name__, "text": str(error)}
    return {"kind": "none", "text": ""}


def option(trainer, scale=1.0, classes=2, **options):
    import tinynet_fast

    X, y = table(40, 3, classes, scale=scale)
    return told(getattr(tinynet_fast, trainer), X, y, **options)


def rows(trainer, name):
    import tinynet_fast

    return told(getattr(tinynet_fast, trainer), *ROWS[name])


def file(name):
    from tinynet_fast import train_neuron

    Path(name).write_text(FILES[name], encoding="utf-8")
    return told(train_neuron, name, 0 if name.endswith("npy") else "label", epochs=1)


def model(name):
    from tinynet_fast import load

    Path("broken.json").write_text(MODELS[name], encoding="utf-8")
    return told(load, "broken.json")


def estimator(name, rows=None, **options):
    import tinynet_fast.sklearn as ours

    X, y = table(40, 3) if rows is None else ROWS[rows]
    return told(getattr(ours, name)(**options).fit, X, y)


def prediction():
    """Rows that a model cannot predict."""
    from tinynet_fast import Neuron

    neuron = Neuron(weights=np.array([0.5, -1.0]), features=["a", "b"])
    bad = {"width": [[1.0]], "value": [[1.0, NAN]], "name": {"a": 1.0, "c": 2.0}, "kind": "rows"}
    return {name: told(neuron.predict, X) for name, X in bad.items()} | {
        "sparse": told(neuron.score, *sparse_table(9, 5))
    }


def problems():
    for trainer, cases in OPTIONS.items():
        for options in cases:
            shown = ", ".join(f"{key}={str(value)[:40]}" for key, value in options.items())
            yield f"errors/{trainer}/{shown}", partial(option, trainer, **options)
    for trainer in ("train_neuron", "train_mlp", "sweep"):
        for name in ROWS:
            yield f"errors/{trainer}/{name}", partial(rows, trainer, name)
    for name in FILES:
        yield f"errors/files/{name}", partial(file, name)
    for name in MODELS:
        yield f"errors/models/{name}", partial(model, name)
    for name in ("SGDClassifier", "MLPClassifier"):
        for case in ("one label", "not a number", "ragged", "fewer labels"):
            yield f"errors/{name}/{case}", partial(estimator, name, case)
        yield f"errors/{name}/alpha", partial(estimator, name, alpha=-1.0)
        yield (
            f"errors/{name}/loss or solver",
            partial(estimator, name, **({"loss": "hinge"} if name[0] == "S" else {"solver": "lbfgs"})),
        )
    yield "errors/predict/rows that a model cannot predict", prediction
