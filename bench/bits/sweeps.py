"""`sweep`, `auto_rate` and `validate`."""

from functools import partial
from itertools import product

import numpy as np

from bits.rows import named, row_weights, sparse_table, table

RATES = (0.01, 0.1, 0.5)
OPTIONS = [
    {},
    {"epochs": 4},
    {"l2": [0.0, 1e-3, 0.1]},
    {"average": [False, True]},
    {"l2": [0.0, 0.01], "average": [False, True], "epochs": 3},
    {"folds": 3, "seed": 1},
    {"folds": 5, "seed": 1, "l2": [0.0, 0.01], "epochs": 2},
    {"given_folds": True},
    {"validation": 0.25, "seed": 1},
    {"held": True},
    {"weighted": True},
    {"weighted": True, "folds": 2, "seed": 1, "average": True},
    {"shuffle": True, "seed": 1, "epochs": 3},
    {"shuffle": True, "seed": 1, "folds": 3},
    {"start": True, "bias": 0.3},
    {"n_jobs": 2},
    {"n_jobs": 2, "folds": 3, "seed": 1},
    {"scale": 50.0},
    {"dtype": np.float32},
    {"dtype": np.float32, "folds": 2, "seed": 1, "l2": [0.0, 0.01]},
]


def swept(
    n, d, models=3, dtype=np.float64, scale=1.0, weighted=False, held=False, given_folds=False, start=0, **options
):
    """A sweep over rates, its table, and what the best model predicts."""
    from tinynet_fast import sweep

    X, y = table(n, d, dtype=dtype, scale=scale)
    options = {"learning_rate": list(RATES) if models == 3 else np.geomspace(1e-3, 0.5, models)} | options
    if weighted:
        options["sample_weight"] = row_weights(n)
    if held:
        options["validation"] = table(n // 3, d, seed=99)
    if given_folds:
        options["folds"] = np.arange(n) % 4
    if start:
        options["weights"] = np.linspace(-0.4, 0.5, d)
    result = sweep(X, y, **options)
    best = result.best_model
    return {"result": result, "best": best, "probabilities": best.predict_proba(X), "scores": result.scores()}


def rate(n, d, weighted=False, sparse=False, dtype=np.float64, **options):
    """The search for a rate."""
    from tinynet_fast import auto_rate

    X, y = sparse_table(n, d, dtype=dtype) if sparse else table(n, d, dtype=dtype)
    if weighted:
        options["sample_weight"] = row_weights(n)
    found = auto_rate(X, y, **options)
    return {"found": found, "reason": found.reason}


def validated(own):
    """Every verdict of `validate`, to the bit."""
    from tinynet_fast import validate

    found = validate(*(table(100, 3) if own else ()))
    return {"kept": found.kept, "verdicts": found.verdicts}


def problems():
    for options in OPTIONS:
        yield f"sweep/options/{named(options)}", partial(swept, 500, 6, **options)
    for models, d in product((1, 8, 9, 16, 24, 32, 33, 70), (1, 6, 35)):
        yield f"sweep/models/{models} models, {d} inputs", partial(swept, 200, d, models)
    # With 3 folds a rate is 4 models, and a register takes 8: groups of one register up to four, as without folds.
    for registers, folds, dtype in product((1, 2, 3, 4), (None, 3), (np.float64, np.float32)):
        models = registers * (2 if folds else 8)
        for options in ({}, {"l2": 0.01, "average": True}):
            name = f"sweep/registers/{models} rates, folds={folds}, {dtype.__name__}, {named(options)}"
            yield name, partial(swept, 200, 6, models, dtype, folds=folds, seed=1, **options)
    cases = [{}, {"epochs": 3}, {"average": True}, {"l2": 0.01}, {"weighted": True}, {"weights": 0.1, "bias": 1.0}]
    for options in [*cases, {"n_jobs": 2}, {"dtype": np.float32}]:
        yield f"sweep/auto_rate/{named(options)}", partial(rate, 400, 5, **options)
        if "n_jobs" not in options:
            yield f"sweep/auto_rate/sparse, {named(options)}", partial(rate, 400, 40, sparse=True, **options)
    yield "sweep/auto_rate/drawn from 70,000 rows", partial(rate, 70_000, 2)
    yield "validate/battery/as it comes", partial(validated, False)
    yield "validate/battery/own rows", partial(validated, True)
